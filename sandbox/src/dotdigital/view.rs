//! Answers to questions about what the account holds.

use serde_json::{Map, Value, json};

use super::account::{Account, Contact};
use crate::SandboxError;
use crate::inspect::{digest, hex};

/// Answers `{"what": …}`; without it, the counts.
pub(super) fn answer(account: &Account, query: &Value) -> Result<Value, SandboxError> {
    let text = |name: &str| query.get(name).and_then(Value::as_str);
    let what = text("what").unwrap_or("counts");
    let allowed: &[&str] = match what {
        "profile" => &["email", "mobileNumber", "contactId"],
        "records" => &["collection"],
        _ => &[],
    };
    let unknown = query
        .as_object()
        .and_then(|query| query.keys().find(|name| !["what", "vendor"].contains(&name.as_str()) && !allowed.contains(&name.as_str())));
    if let Some(name) = unknown {
        return Err(SandboxError::Invalid(format!("query: unknown `{name}`")));
    }
    Ok(match what {
        "profile" => {
            let found = ["email", "mobileNumber", "contactId"].into_iter().find_map(|name| account.find(name, text(name)?));
            found.and_then(|id| account.contacts.get(&id)).map_or(Value::Null, |found| profile(account, found))
        }
        "profiles" => account.contacts.values().map(|found| profile(account, found)).collect(),
        "records" => records(account, text("collection")),
        "schema" => account.collections.iter().map(|(name, own)| (name.clone(), json!(own.schema))).collect::<Map<_, _>>().into(),
        "programs" => programs(account),
        "fields" => account.fields.values().map(|(name, kind)| (name.clone(), json!(kind))).collect::<Map<_, _>>().into(),
        "events" => json!(account.events),
        "calls" => json!(account.calls.iter().map(|(name, by)| ((*name).to_owned(), json!(by))).collect::<Map<_, _>>()),
        "counts" => counts(account),
        "digest" => json!({"digest": state_digest(account)}),
        other => return Err(SandboxError::Invalid(format!("query: unknown `what`: {other}"))),
    })
}

fn profile(account: &Account, contact: &Contact) -> Value {
    let fields: Map<String, Value> = contact.fields.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let starts = account.starts.iter().filter(|start| start.contact == contact.id);
    let programs: Vec<Value> = starts.map(|start| json!({"program": start.program, "why": start.why, "mailed": start.mailed})).collect();
    let mut held = Map::new();
    for (name, collection) in &account.collections {
        let own: Vec<&String> =
            collection.records.iter().filter(|(_, record)| record.owner == Some(contact.id)).map(|(key, _)| key).collect();
        if !own.is_empty() {
            held.insert(name.clone(), json!(own));
        }
    }
    json!({
        "contactId": contact.id, "identifiers": contact.identifiers, "dataFields": fields, "status": contact.status,
        "optInType": contact.opt_in, "lists": contact.lists, "preferences": contact.preferences, "consentRecords": contact.consent_records,
        "binned": contact.binned, "challenges": contact.challenges, "subscribedBy": contact.subscribed_by, "programs": programs,
        "records": held,
    })
}

fn records(account: &Account, only: Option<&str>) -> Value {
    let mut all = Map::new();
    for (name, collection) in account.collections.iter().filter(|(name, _)| only.is_none_or(|only| only == *name)) {
        let one = |(key, record): (&String, &super::account::Record)| {
            (key.clone(), json!({"owner": record.owner, "json": record.json, "writes": record.writes}))
        };
        let records: Map<String, Value> = collection.records.iter().map(one).collect();
        all.insert(name.clone(), json!({"type": collection.kind, "scope": collection.scope, "records": records}));
    }
    Value::Object(all)
}

fn programs(account: &Account) -> Value {
    let starts = account.starts.iter();
    starts.map(|start| json!({"program": start.program, "contact": start.contact, "why": start.why, "mailed": start.mailed})).collect()
}

fn counts(account: &Account) -> Value {
    let subscribed = |channel: &str| {
        let is = |contact: &&Contact| !contact.binned && contact.status.get(channel).is_some_and(|status| status == "subscribed");
        account.contacts.values().filter(is).count()
    };
    let collections: Map<String, Value> =
        account.collections.iter().map(|(name, collection)| (name.clone(), json!(collection.records.len()))).collect();
    json!({
        "profiles": account.contacts.values().filter(|contact| !contact.binned).count(),
        "binned": account.contacts.values().filter(|contact| contact.binned).count(),
        "subscribed": {"email": subscribed("email"), "sms": subscribed("sms"), "whatsApp": subscribed("whatsApp")},
        "challenges": account.contacts.values().map(|contact| contact.challenges).sum::<u32>(),
        "programStarts": account.starts.len(),
        "programMails": account.starts.iter().filter(|start| start.mailed).count(),
        "collections": collections,
        "events": account.events.len(),
        "droppedFields": account.dropped_fields,
    })
}

/// A digest of everything a merchant would see, without ids and times that depend on the order of calls.
fn state_digest(account: &Account) -> String {
    let contacts: Value = account
        .contacts
        .values()
        .map(|contact| {
            let mut shown = profile(account, contact);
            if let Some(shown) = shown.as_object_mut() {
                shown.remove("contactId");
                shown.remove("subscribedBy");
                if let Some(fields) = shown.get_mut("dataFields").and_then(Value::as_object_mut) {
                    fields.remove("LASTSUBSCRIBED");
                }
            }
            let key = contact.identifiers.values().next().cloned().unwrap_or_default();
            (key, shown)
        })
        .collect::<Map<_, _>>()
        .into();
    let mut held = records(account, None);
    for collection in held.as_object_mut().into_iter().flat_map(|all| all.values_mut()) {
        for record in collection["records"].as_object_mut().into_iter().flat_map(|all| all.values_mut()) {
            if let Some(record) = record.as_object_mut() {
                record.remove("owner");
                record.remove("writes");
            }
        }
    }
    hex(&digest(&json!({"contacts": contacts, "records": held})))
}
