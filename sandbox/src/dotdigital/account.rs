//! What an account holds.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::options::{Options, Trigger};
use crate::limits::Limiter;

/// A contact.
#[derive(Clone, Default)]
pub(super) struct Contact {
    pub(super) id: i64,
    pub(super) identifiers: BTreeMap<String, String>,
    pub(super) fields: BTreeMap<String, Value>,
    /// By channel: `email`, `sms`, `whatsApp`.
    pub(super) status: BTreeMap<&'static str, String>,
    pub(super) opt_in: String,
    pub(super) lists: BTreeSet<i64>,
    pub(super) preferences: BTreeMap<i64, bool>,
    pub(super) consent_records: Vec<Value>,
    pub(super) created_ms: i64,
    pub(super) updated_ms: i64,
    pub(super) binned: bool,
    /// Times Dotdigital asked the person by mail whether they want to come back, or to confirm.
    pub(super) challenges: u32,
    /// Which calls subscribed the person to which channel: `POST /contacts/v3 email`.
    pub(super) subscribed_by: Vec<String>,
}

/// A collection of insight data.
#[derive(Default)]
pub(super) struct Collection {
    pub(super) kind: String,
    pub(super) scope: String,
    /// Type of each member, by path, as first seen.
    pub(super) schema: BTreeMap<String, &'static str>,
    pub(super) records: BTreeMap<String, Record>,
}

/// One record of it.
pub(super) struct Record {
    /// The contact it belongs to, unless it is the account's.
    pub(super) owner: Option<i64>,
    pub(super) json: Value,
    pub(super) writes: u64,
    pub(super) created_ms: i64,
    pub(super) updated_ms: i64,
}

/// A job.
pub(super) struct Job {
    pub(super) polls_left: u32,
    pub(super) result: Value,
}

/// Somebody who started a program.
pub(super) struct Start {
    pub(super) program: i64,
    pub(super) contact: i64,
    pub(super) why: String,
    /// Whether a mail went out: the person was subscribed then.
    pub(super) mailed: bool,
}

/// Everything.
pub(super) struct Account {
    pub(super) contacts: BTreeMap<i64, Contact>,
    /// Name in capitals → (name, type).
    pub(super) fields: BTreeMap<String, (String, String)>,
    pub(super) collections: BTreeMap<String, Collection>,
    pub(super) contact_imports: BTreeMap<String, Job>,
    pub(super) insight_imports: BTreeMap<String, Job>,
    pub(super) deletions: BTreeMap<String, Job>,
    pub(super) starts: Vec<Start>,
    pub(super) events: Vec<Value>,
    pub(super) enrolment_calls: Vec<i64>,
    pub(super) dropped_fields: BTreeSet<String>,
    pub(super) limiter: Limiter,
    pub(super) calls: BTreeMap<&'static str, BTreeMap<u16, u64>>,
    next: i64,
}

/// Data fields every account has.
const ALWAYS: &[(&str, &str)] = &[
    ("FIRSTNAME", "String"),
    ("LASTNAME", "String"),
    ("FULLNAME", "String"),
    ("GENDER", "String"),
    ("POSTCODE", "String"),
    ("LASTSUBSCRIBED", "Date"),
];

impl Account {
    pub(super) fn new(options: &Options) -> Self {
        let always = ALWAYS.iter().map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned()));
        let own = options.data_fields.iter().map(|field| (field.name.clone(), field.kind.clone()));
        Self {
            contacts: BTreeMap::new(),
            fields: always.chain(own).map(|(name, kind)| (name.to_ascii_uppercase(), (name, kind))).collect(),
            collections: BTreeMap::new(),
            contact_imports: BTreeMap::new(),
            insight_imports: BTreeMap::new(),
            deletions: BTreeMap::new(),
            starts: Vec::new(),
            events: Vec::new(),
            enrolment_calls: Vec::new(),
            dropped_fields: BTreeSet::new(),
            limiter: Limiter::default(),
            calls: BTreeMap::new(),
            next: 5_000_000,
        }
    }

    pub(super) fn next_id(&mut self) -> i64 {
        self.next += 1;
        self.next
    }

    /// An id in the form jobs have.
    pub(super) fn next_uuid(&mut self) -> String {
        format!("00000000-0000-4000-8000-{:012}", self.next_id())
    }

    /// The contact that has this value of the identifier, in the bin or not.
    pub(super) fn find(&self, identifier: &str, value: &str) -> Option<i64> {
        if identifier == "contactId" {
            return value.parse().ok().filter(|id| self.contacts.contains_key(id));
        }
        let value = key(identifier, value);
        let holds = |contact: &&Contact| contact.identifiers.get(identifier).is_some_and(|own| key(identifier, own) == value);
        self.contacts.values().find(holds).map(|contact| contact.id)
    }

    /// Starts every program with that trigger.
    pub(super) fn start(&mut self, options: &Options, trigger: &Trigger, contact: i64, why: &str) {
        let mailed =
            self.contacts.get(&contact).is_some_and(|found| found.status.get("email").is_some_and(|status| status == "subscribed"));
        for program in options.programs.iter().filter(|program| program.active && program.trigger == *trigger) {
            self.starts.push(Start { program: program.id, contact, why: why.to_owned(), mailed });
        }
    }
}

/// An identifier's value for comparing: addresses in lower case, numbers by their digits.
pub(super) fn key(identifier: &str, value: &str) -> String {
    match identifier {
        "email" => value.trim().to_lowercase(),
        "mobileNumber" => value.chars().filter(char::is_ascii_digit).collect(),
        _ => value.to_owned(),
    }
}

/// An instant as the vendor writes it.
pub(super) fn stamp(ms: i64) -> String {
    DateTime::<Utc>::from_timestamp_millis(ms).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Millis, true)
}

impl Contact {
    /// As the calls for contacts show it.
    pub(super) fn shown(&self, fields: &BTreeMap<String, (String, String)>) -> Value {
        let mut identifiers: Map<String, Value> = self.identifiers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        for own in ["email", "mobileNumber"] {
            identifiers.entry(own).or_insert(Value::Null);
        }
        let shown = fields.keys().map(|name| (name.clone(), self.fields.get(name).cloned().unwrap_or(Value::Null)));
        let mut channels = Map::new();
        if let Some(status) = self.status.get("email") {
            let status = if self.binned { "binned" } else { status };
            channels.insert("email".into(), json!({"emailType": "Html", "optInType": pascal(&self.opt_in), "status": status}));
        }
        if let Some(status) = self.status.get("sms") {
            channels.insert("sms".into(), json!({"countryCode": "GB", "status": if self.binned { "binned" } else { status }}));
        }
        if let Some(status) = self.status.get("whatsApp") {
            channels.insert("whatsApp".into(), json!({"status": status}));
        }
        let mut shown = json!({
            "contactId": self.id,
            "status": self.overall(),
            "created": stamp(self.created_ms),
            "updated": stamp(self.updated_ms),
            "identifiers": identifiers,
            "dataFields": shown.collect::<Map<String, Value>>(),
            "channelProperties": channels,
            "lists": self.lists.iter().map(|id| json!({"id": id, "name": format!("List {id}"), "status": "subscribed"})).collect::<Vec<_>>(),
            "consentRecords": self.consent_records,
        });
        if !self.preferences.is_empty() {
            let one = |(id, answer): (&i64, &bool)| json!({"id": id, "isOptedIn": answer, "name": format!("Preference {id}")});
            shown["preferences"] = self.preferences.iter().map(one).collect();
        }
        shown
    }

    fn overall(&self) -> &str {
        if self.binned {
            return "binned";
        }
        match self.status.get("email").map(String::as_str) {
            Some(status @ ("subscribed" | "unsubscribed" | "pendingOptIn" | "suppressed")) => status,
            Some(_) => "suppressed",
            None => "noSubscription",
        }
    }
}

fn pascal(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(|| "Unknown".to_owned(), |first| first.to_uppercase().chain(letters).collect())
}
