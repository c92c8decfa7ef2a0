//! Contacts one by one.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::account::{Account, Contact, stamp};
use super::options::{Options, Trigger, UnknownFields};
use super::reply::Refusal;
use super::setup::fits;
use super::{Answer, Call};
use crate::vendor::Reply;

/// How sent values and stored ones are weighed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Merge {
    Overwrite,
    IfNotEmpty,
    IfEmpty,
}

impl Merge {
    pub(super) fn parse(word: Option<&str>) -> Option<Self> {
        match word {
            None | Some("overwrite") => Some(Self::Overwrite),
            Some("overwrite-if-not-empty" | "overwriteIfNotEmpty") => Some(Self::IfNotEmpty),
            Some("overwrite-if-empty" | "overwriteIfEmpty") => Some(Self::IfEmpty),
            Some(_) => None,
        }
    }
}

/// How a write came.
#[derive(Clone, Copy)]
pub(super) struct Way {
    pub(super) name: &'static str,
    pub(super) merge: Merge,
    /// Imports start no programs.
    pub(super) bulk: bool,
}

/// A row or call that is refused: the code of imports, and a description.
pub(super) struct Fault {
    pub(super) code: &'static str,
    pub(super) description: String,
}

fn fault(code: &'static str, description: impl Into<String>) -> Fault {
    Fault { code, description: description.into() }
}

pub(super) fn create(call: &mut Call<'_>) -> Answer {
    let way = Way { name: "POST /contacts/v3", merge: Merge::Overwrite, bulk: false };
    let id = write(call.account, call.options, None, &call.body, way, call.now_ms).map_err(refused)?;
    shown(call, 201, id)
}

pub(super) fn read(call: &mut Call<'_>) -> Answer {
    let id = named(call)?;
    shown(call, 200, id)
}

pub(super) fn patch(call: &mut Call<'_>) -> Answer {
    let option = call.request.parameter("merge-option");
    let Some(merge) = Merge::parse(option.as_deref()) else {
        return Err(Refusal::v3(400, "contacts:badRequest", "the merge option is unknown"));
    };
    let way = Way { name: "PATCH /contacts/v3", merge, bulk: false };
    let (identifier, value) = (call.args[0].clone(), call.args[1].clone());
    let found = call.account.find(&identifier, &value);
    if found.is_none() && identifier == "contactId" {
        return Err(missing("contacts:contactNotFound", &value, &identifier));
    }
    let mut body = call.body.clone();
    if found.is_none() && body["identifiers"][identifier.as_str()].is_null() {
        body["identifiers"][identifier.as_str()] = json!(value);
    }
    let id = write(call.account, call.options, found, &body, way, call.now_ms).map_err(refused)?;
    shown(call, if found.is_some() { 200 } else { 201 }, id)
}

pub(super) fn delete(call: &mut Call<'_>) -> Answer {
    let id = named(call)?;
    bin(call.account, id);
    Ok(Reply::json(200, &json!({"contactId": id})))
}

/// Into the recycle bin, from which a write restores.
pub(super) fn bin(account: &mut Account, id: i64) {
    if let Some(contact) = account.contacts.get_mut(&id) {
        contact.binned = true;
        contact.lists.clear();
    }
    for collection in account.collections.values_mut() {
        collection.records.retain(|_, record| record.owner != Some(id));
    }
}

/// The person's own act.
pub(super) fn unsubscribe(call: &mut Call<'_>) -> Answer {
    let email = call.body["email"].as_str().unwrap_or_default().to_owned();
    let Some(id) = call.account.find("email", &email) else {
        return Err(Refusal::v2(404, "ERROR_CONTACT_NOT_FOUND", "there is no such contact"));
    };
    set_status(call, id, "unsubscribed");
    let contact =
        json!({"id": id, "email": email, "optInType": "Unknown", "emailType": "Html", "dataFields": [], "status": "Unsubscribed"});
    Ok(Reply::json(200, &json!({"suppressedContact": contact, "dateRemoved": stamp(call.now_ms), "reason": "Unsubscribed"})))
}

/// The account's act.
pub(super) fn suppress(call: &mut Call<'_>) -> Answer {
    let mut ids = Vec::new();
    for one in call.body.as_array().into_iter().flatten() {
        let found = one["email"].as_str().and_then(|email| call.account.find("email", email));
        ids.extend(found.or_else(|| one["id"].as_i64()));
    }
    for id in &ids {
        set_status(call, *id, "suppressed");
    }
    Ok(Reply::json(200, &json!({"suppressed": ids.iter().map(|id| json!({"id": id})).collect::<Vec<_>>(), "notFound": []})))
}

fn set_status(call: &mut Call<'_>, id: i64, status: &str) {
    if let Some(contact) = call.account.contacts.get_mut(&id) {
        contact.status.insert("email", status.to_owned());
        contact.updated_ms = call.now_ms;
        contact.lists.clear();
    }
}

fn named(call: &Call<'_>) -> Result<i64, Refusal> {
    let (identifier, value) = (&call.args[0], &call.args[1]);
    call.account.find(identifier, value).ok_or_else(|| missing("contacts:contactNotFound", value, identifier))
}

/// Nobody has that value.
pub(super) fn missing(code: &str, value: &str, identifier: &str) -> Refusal {
    Refusal::v3(404, code, "The following contacts could not be found")
        .about(value, &format!("Not found using the identifier '{identifier}'"))
}

fn shown(call: &Call<'_>, status: u16, id: i64) -> Answer {
    let contact = call.account.contacts.get(&id).ok_or_else(|| Refusal::v3(404, "contacts:contactNotFound", "gone"))?;
    Ok(Reply::json(status, &contact.shown(&call.account.fields)))
}

fn refused(fault: Fault) -> Refusal {
    match fault.code {
        "duplicateIdentifier" => Refusal::v3(409, "contacts:idAlreadyExists", &fault.description),
        "invalidEmail" | "invalidPhoneNumber" => Refusal::v3(400, "contacts:invalidId", &fault.description),
        _ => Refusal::v3(400, "contacts:badRequest", &fault.description),
    }
}

/// Creates or changes a contact. `found` is the contact to change.
pub(super) fn write(
    account: &mut Account,
    options: &Options,
    found: Option<i64>,
    body: &Value,
    way: Way,
    now_ms: i64,
) -> Result<i64, Fault> {
    let allowed = ["identifiers", "dataFields", "channelProperties", "lists", "preferences", "consentRecords", "matchIdentifier"];
    if let Some(unknown) = body.as_object().and_then(|body| body.keys().find(|name| !allowed.contains(&name.as_str()))) {
        return Err(fault("apiSchemaViolation", format!("'{unknown}' is unknown")));
    }
    let identifiers = identifiers(options, body)?;
    if found.is_none() && !identifiers.keys().any(|name| name == "email" || name == "mobileNumber") {
        return Err(fault("noValidIdentifiers", "a contact needs an e-mail or a mobile number"));
    }
    for (name, value) in &identifiers {
        if account.find(name, value).is_some_and(|other| Some(other) != found) {
            return Err(fault("duplicateIdentifier", format!("The id value for the identifier '{name}' already exists")));
        }
    }
    check_channels(body)?;
    let fields = fields(account, options, body)?;
    let lists: Vec<i64> = body["lists"].as_array().into_iter().flatten().filter_map(Value::as_i64).collect();
    let unknown_list = lists.iter().any(|id| !options.lists.contains(id));
    if unknown_list || body["lists"].as_array().is_some_and(|sent| sent.len() != lists.len()) {
        return Err(fault("invalidAddressBookIds", "a list is unknown or not a number"));
    }
    let mut contact = match found.and_then(|id| account.contacts.get(&id)) {
        Some(contact) => contact.clone(),
        None => Contact { id: account.next_id(), created_ms: now_ms, opt_in: "unknown".into(), ..Contact::default() },
    };
    contact.updated_ms = now_ms;
    // A write restores whoever lies in the recycle bin.
    contact.binned = false;
    contact.identifiers.extend(identifiers);
    for (name, value) in fields {
        let stored = contact.fields.contains_key(&name);
        match (way.merge, value.is_null() || value == json!("")) {
            (Merge::Overwrite, _) if value.is_null() => drop(contact.fields.remove(&name)),
            (Merge::IfNotEmpty, true) => {}
            (Merge::IfEmpty, _) if stored => {}
            _ => drop(contact.fields.insert(name, value)),
        }
    }
    let joined: Vec<i64> = lists.into_iter().filter(|id| contact.lists.insert(*id)).collect();
    for preference in body["preferences"].as_array().into_iter().flatten() {
        if let (Some(id), Some(answer)) = (preference["id"].as_i64(), preference["isOptedIn"].as_bool()) {
            contact.preferences.insert(id, answer);
        }
    }
    for record in body["consentRecords"].as_array().into_iter().flatten() {
        let complete = ["text", "dateTimeConsented", "url", "ipAddress", "userAgent"].iter().all(|name| record[*name].is_string());
        if !complete {
            return Err(fault("consentRecordsNotApplied", "a consent record is incomplete"));
        }
        let mut record = record.clone();
        record["dateTimeCreated"] = json!(stamp(now_ms));
        contact.consent_records.push(record);
    }
    let subscribed = channels(&mut contact, options, body, way, now_ms);
    let id = contact.id;
    account.contacts.insert(id, contact);
    if !way.bulk {
        if subscribed {
            account.start(options, &Trigger::Subscribed, id, way.name);
        }
        for _ in joined {
            account.start(options, &Trigger::ListJoined, id, way.name);
        }
    }
    Ok(id)
}

fn identifiers(options: &Options, body: &Value) -> Result<BTreeMap<String, String>, Fault> {
    let mut identifiers = BTreeMap::new();
    for (name, value) in body["identifiers"].as_object().into_iter().flatten().filter(|(name, _)| *name != "contactId") {
        let Some(value) = value.as_str().filter(|text| !text.is_empty() && text.chars().count() <= 256) else {
            return Err(fault("invalidContact", format!("the identifier '{name}' is not a text")));
        };
        match name.as_str() {
            "email" if !value.contains('@') || value.split('@').next_back().is_none_or(|domain| !domain.contains('.')) => {
                return Err(fault("invalidEmail", "Invalid value for 'email'"));
            }
            "mobileNumber" if value.chars().filter(char::is_ascii_digit).count() < 7 => {
                return Err(fault("invalidPhoneNumber", "Invalid value for 'mobileNumber'"));
            }
            "email" | "mobileNumber" => {}
            other if !options.custom_identifiers.iter().any(|own| own == other) => {
                return Err(fault("invalidContact", format!("the identifier '{other}' is not defined")));
            }
            _ => {}
        }
        identifiers.insert(name.clone(), value.to_owned());
    }
    Ok(identifiers)
}

fn check_channels(body: &Value) -> Result<(), Fault> {
    for (channel, properties) in body["channelProperties"].as_object().into_iter().flatten() {
        let allowed: &[&str] = match channel.as_str() {
            "email" => &["subscribed", "unsubscribed", "suppressed"],
            "sms" | "whatsApp" => &["noSubscription", "subscribed", "unsubscribed", "suppressed"],
            other => return Err(fault("apiSchemaViolation", format!("the channel '{other}' is unknown"))),
        };
        let status = &properties["status"];
        if !status.is_null() && !status.as_str().is_some_and(|word| allowed.contains(&word)) {
            return Err(fault("invalidContactStatus", format!("the status of '{channel}' is unknown")));
        }
    }
    Ok(())
}

fn fields(account: &mut Account, options: &Options, body: &Value) -> Result<Vec<(String, Value)>, Fault> {
    let mut fields = Vec::new();
    for (name, value) in body["dataFields"].as_object().into_iter().flatten() {
        let key = name.to_ascii_uppercase();
        match account.fields.get(&key) {
            Some((_, kind)) if fits(kind, value) => fields.push((key, value.clone())),
            Some((_, kind)) => return Err(fault("invalidContact", format!("the data field '{name}' is of type {kind}"))),
            None if options.unknown_data_fields == UnknownFields::Refuse => {
                return Err(fault("invalidContact", format!("the data field '{name}' does not exist")));
            }
            None => drop(account.dropped_fields.insert(key)),
        }
    }
    Ok(fields)
}

/// Permissions, with the vendor's defaults. Returns whether the person is newly subscribed to e-mail.
fn channels(contact: &mut Contact, options: &Options, body: &Value, way: Way, now_ms: i64) -> bool {
    let properties = &body["channelProperties"];
    let before = contact.status.get("email").cloned();
    if contact.identifiers.contains_key("email") {
        let email = &properties["email"];
        if let Some(kind) = email["optInType"].as_str() {
            contact.opt_in = kind.to_owned();
        }
        match (email["status"].as_str(), before.as_deref()) {
            // Nothing said about somebody new is a yes.
            (None, None) => drop(contact.status.insert("email", "subscribed".into())),
            (None, Some(_)) => {}
            // Some suppressions only Dotdigital lifts.
            (Some("subscribed"), Some("suppressed")) => {}
            (Some("subscribed"), Some("unsubscribed")) if email["resubscribeOptions"]["resubscribeWithNoChallenge"] == json!(false) => {
                contact.challenges += 1;
            }
            (Some("subscribed"), other) if email["optInType"] == json!("verifiedDouble") && other != Some("subscribed") => {
                contact.status.insert("email", "pendingOptIn".into());
                contact.challenges += 1;
            }
            (Some(status), _) => drop(contact.status.insert("email", status.to_owned())),
        }
    }
    let number = contact.identifiers.contains_key("mobileNumber");
    for channel in ["sms", "whatsApp"] {
        let said = properties[channel]["status"].as_str();
        let stored = contact.status.get(channel).cloned();
        let next = match (said, &stored) {
            (Some(_), Some(old)) if old == "suppressed" => None,
            (Some(said), _) if number => Some(said.to_owned()),
            // The account's mobile setting decides for a number nothing is said about.
            (None, None) if number => Some(options.sms_default.clone()),
            _ => None,
        };
        if let Some(next) = next {
            if next == "subscribed" && stored.as_deref() != Some("subscribed") {
                contact.subscribed_by.push(format!("{} {channel}", way.name));
            }
            contact.status.insert(channel, next);
        }
    }
    let subscribed = contact.status.get("email").is_some_and(|status| status == "subscribed") && before.as_deref() != Some("subscribed");
    if subscribed {
        contact.subscribed_by.push(format!("{} email", way.name));
        contact.fields.insert("LASTSUBSCRIBED".into(), json!(stamp(now_ms)));
    }
    subscribed
}
