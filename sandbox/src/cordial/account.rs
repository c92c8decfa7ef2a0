//! What an account holds.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::options::{Attribute, Options};
use crate::limits::Limiter;

/// An address of a contact and what may be sent to it.
#[derive(Clone)]
pub(super) struct Channel {
    pub(super) address: String,
    pub(super) status: String,
    pub(super) subscribed_ms: Option<i64>,
    pub(super) unsubscribed_ms: Option<i64>,
}

/// One person.
#[derive(Clone, Default)]
pub(super) struct Contact {
    pub(super) cid: String,
    pub(super) channels: BTreeMap<String, Channel>,
    pub(super) attributes: Map<String, Value>,
    pub(super) lists: BTreeSet<String>,
    pub(super) cart: Option<Value>,
    /// Who wrote the permission last: `api`, `import`, `unsubscribe`.
    pub(super) permission_by: BTreeMap<String, &'static str>,
    /// What would have started automations, by name.
    pub(super) triggers: BTreeMap<String, u64>,
    /// Texts that ask for permission.
    pub(super) asked: u64,
    pub(super) created_ms: i64,
}

impl Contact {
    pub(super) fn email(&self) -> Option<&str> {
        self.channels.get("email").map(|channel| channel.address.as_str())
    }

    pub(super) fn fire(&mut self, name: impl Into<String>) {
        *self.triggers.entry(name.into()).or_default() += 1;
    }
}

/// An event as it was stored: each call makes one.
#[derive(Clone)]
pub(super) struct Event {
    pub(super) cid: String,
    pub(super) body: Value,
}

/// A job and when it ends.
pub(super) struct Job {
    pub(super) name: String,
    pub(super) polls_left: u32,
    pub(super) failed: bool,
    pub(super) result: Value,
    pub(super) total: u64,
}

/// Requests to one endpoint.
#[derive(Default)]
pub(super) struct Count {
    pub(super) requests: u64,
    pub(super) accepted: u64,
    pub(super) limited: u64,
    pub(super) refused: u64,
}

impl Count {
    pub(super) fn add(&mut self, status: u16) {
        self.requests += 1;
        match status {
            200..=299 => self.accepted += 1,
            429 => self.limited += 1,
            _ => self.refused += 1,
        }
    }
}

/// One account.
#[derive(Default)]
pub(super) struct Account {
    pub(super) contacts: Vec<Option<Contact>>,
    pub(super) orders: BTreeMap<String, Value>,
    /// How often each order was written after it was made.
    pub(super) order_updates: BTreeMap<String, u64>,
    pub(super) products: BTreeMap<String, Value>,
    pub(super) records: BTreeMap<String, BTreeMap<String, Value>>,
    pub(super) events: Vec<Event>,
    pub(super) jobs: BTreeMap<String, Job>,
    pub(super) files: BTreeMap<String, Vec<u8>>,
    pub(super) counts: BTreeMap<String, Count>,
    /// Those at the start, and those made since.
    pub(super) attributes: Vec<Attribute>,
    /// As the attributes.
    pub(super) lists: Vec<String>,
    /// What was dropped in silence, by name.
    pub(super) dropped: BTreeMap<String, u64>,
    pub(super) limiter: Limiter,
    next: u64,
}

impl Account {
    pub(super) fn new(options: &Options) -> Self {
        Self { attributes: options.attributes.clone(), lists: options.lists.clone(), ..Self::default() }
    }

    pub(super) fn attribute(&self, key: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.key == key)
    }

    /// Twenty-four hexadecimal digits.
    pub(super) fn new_id(&mut self) -> String {
        self.next += 1;
        format!("5f{:022x}", self.next)
    }

    pub(super) fn drop_note(&mut self, what: impl Into<String>) {
        *self.dropped.entry(what.into()).or_default() += 1;
    }

    /// A contact by one key: `cID`, `email`, `channels.<key>.address` or a unique attribute.
    pub(super) fn find(&self, options: &Options, key: &str, value: &str) -> Option<usize> {
        let matches = |contact: &Contact| match key {
            "cID" => contact.cid == value,
            "email" => contact.email().is_some_and(|email| email.eq_ignore_ascii_case(value)),
            key => match key.strip_prefix("channels.").and_then(|rest| rest.strip_suffix(".address")) {
                Some(channel) => contact.channels.get(channel).is_some_and(|own| own.address == value),
                None => {
                    options.unique.iter().any(|unique| unique == key) && contact.attributes.get(key).and_then(Value::as_str) == Some(value)
                }
            },
        };
        self.contacts.iter().position(|contact| contact.as_ref().is_some_and(matches))
    }

    /// A contact as a path names it: `<cID>`, `<email>` or `<key>:<value>`.
    pub(super) fn by_path(&self, options: &Options, path: &str) -> Option<usize> {
        match path.split_once(':') {
            Some((key, value)) => self.find(options, key, value),
            None => self.find(options, "cID", path).or_else(|| self.find(options, "email", path)),
        }
    }

    /// A contact as a body names it: a key and its value at the top.
    pub(super) fn by_body(&self, options: &Options, body: &Value) -> Option<usize> {
        let keys = ["cID", "email"].into_iter().chain(options.unique.iter().map(String::as_str));
        keys.filter_map(|key| Some((key, body[key].as_str()?))).find_map(|(key, value)| self.find(options, key, value))
    }

    pub(super) fn contact(&mut self, index: usize) -> Option<&mut Contact> {
        self.contacts.get_mut(index).and_then(Option::as_mut)
    }

    /// Begins a job that has already done its work and only takes time to say so.
    pub(super) fn begin(&mut self, options: &Options, name: &str, result: [u64; 4], failed: bool) -> String {
        let [inserted, updated, rejected, total] = result;
        let id = self.new_id();
        let result =
            json!({"totalRecords": total, "inserted": inserted, "updated": updated, "rejected": rejected, "error": 0, "ignored": 0});
        self.jobs.insert(id.clone(), Job { name: name.to_owned(), polls_left: options.job_polls, failed, result, total });
        id
    }
}

/// `2026-01-01T10:00:00+0000`
pub(super) fn stamp(ms: i64) -> String {
    chrono::DateTime::from_timestamp_millis(ms).map(|at| at.format("%Y-%m-%dT%H:%M:%S+0000").to_string()).unwrap_or_default()
}
