//! Contacts in bulk: imports and deletions, both as jobs.

use serde_json::{Value, json};

use super::account::{Contact, Job};
use super::contacts::{Merge, Way, bin, write};
use super::reply::Refusal;
use super::{Answer, Call};
use crate::vendor::Reply;

/// Imports of contacts that may be under way at once.
const MOST_IMPORTS: usize = 25;

pub(super) fn contacts(call: &mut Call<'_>) -> Answer {
    if call.account.contact_imports.values().filter(|job| job.polls_left > 0).count() >= MOST_IMPORTS {
        return Err(Refusal::v3(429, "contacts:tooManyActiveImports", "too many imports are being processed"));
    }
    let Some(rows) = call.body["contacts"].as_array().filter(|rows| !rows.is_empty()).cloned() else {
        return Err(Refusal::v3(400, "contacts:noContactsSpecified", "You must specify 1 or more contacts"));
    };
    let Some(merge) = Merge::parse(call.body["mergeOption"].as_str()) else {
        return Err(Refusal::v3(400, "contacts:badRequest", "the merge option is unknown"));
    };
    let way = Way { name: "PUT /contacts/v3/import", merge, bulk: true };
    let (mut created, mut updated, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    let mut duplicates = 0;
    for (index, row) in rows.iter().enumerate() {
        let result = if call.request.half_failed && index % 2 == 1 {
            Err(("invalidContact", "struck by a fault".to_owned()))
        } else {
            one(call, row, way)
        };
        match result {
            Ok((id, true)) => created.push(reference(call, id)),
            Ok((id, false)) => updated.push(reference(call, id)),
            Err((code, description)) => {
                duplicates += i32::from(code == "duplicateIdentifier");
                let name = row["matchIdentifier"].as_str().unwrap_or("email");
                let mut identifiers = row["identifiers"].clone();
                if let Some(identifiers) = identifiers.as_object_mut() {
                    identifiers.retain(|_, value| value.is_string());
                }
                let mut failure = json!({"matchIdentifier": name, "identifiers": identifiers,
                    "failures": [{"failureCode": code, "description": description}]});
                if let Some(id) = row["identifiers"]["contactId"].as_i64() {
                    failure["contactId"] = json!(id);
                }
                failures.push(failure);
            }
        }
    }
    let id = call.account.next_uuid();
    let invalid = i32::try_from(failures.len()).unwrap_or(i32::MAX) - duplicates;
    let result = json!({"importId": id, "status": "Finished",
        "summary": {"newContacts": created.len(), "updatedContacts": updated.len(), "globallySuppressed": 0,
            "invalidEntries": invalid, "duplicateIdentifiers": duplicates},
        "created": created, "updated": updated, "failures": failures});
    call.account.contact_imports.insert(id.clone(), Job { polls_left: call.options.polls, result });
    Ok(Reply::json(202, &json!({"importId": id})))
}

fn one(call: &mut Call<'_>, row: &Value, way: Way) -> Result<(i64, bool), (&'static str, String)> {
    let invalid = || ("invalidMatchIdentifier", "the match identifier is not among the identifiers".to_owned());
    let name = row["matchIdentifier"].as_str().ok_or_else(invalid)?;
    let value = &row["identifiers"][name];
    let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if value == "null" {
        return Err(invalid());
    }
    let found = call.account.find(name, &value);
    if found.is_none() && name == "contactId" {
        return Err(("invalidContactId", "there is no such contact".to_owned()));
    }
    write(call.account, call.options, found, row, way, call.now_ms)
        .map(|id| (id, found.is_none()))
        .map_err(|fault| (fault.code, fault.description))
}

fn reference(call: &Call<'_>, id: i64) -> Value {
    let identifiers = call.account.contacts.get(&id).map(|contact: &Contact| json!(contact.identifiers)).unwrap_or_default();
    json!({"contactId": id, "identifiers": identifiers})
}

pub(super) fn contacts_status(call: &mut Call<'_>) -> Answer {
    let id = call.args[0].clone();
    let Some(job) = call.account.contact_imports.get_mut(&id) else {
        return Err(Refusal::v3(404, "contacts:importNotFound", "The import request could not be found!"));
    };
    Ok(Reply::json(200, &asked(job, || json!({"importId": id, "status": "NotFinished"}))))
}

/// The result once it was asked for often enough.
pub(super) fn asked(job: &mut Job, unfinished: impl Fn() -> Value) -> Value {
    if job.polls_left > 0 {
        job.polls_left -= 1;
        return unfinished();
    }
    job.result.clone()
}

pub(super) fn delete(call: &mut Call<'_>) -> Answer {
    let Some(rows) = call.body.as_array().filter(|rows| (1..=5_000).contains(&rows.len())).cloned() else {
        return Err(Refusal::v3(400, "contacts:noContactsSpecified", "You must specify 1 or more contacts to be deleted!"));
    };
    let (mut deleted, mut failures, mut unknown) = (Vec::new(), Vec::new(), 0);
    for (index, row) in rows.iter().enumerate() {
        let first = row.as_object().and_then(|row| row.iter().next());
        let value = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let found = first.and_then(|(name, own)| call.account.find(name, &value(own)));
        let struck = call.request.half_failed && index % 2 == 1;
        match found.filter(|_| !struck) {
            Some(id) => {
                bin(call.account, id);
                deleted.push(row.clone());
            }
            None => {
                unknown += usize::from(!struck);
                let code = if struck { "unexpected" } else { "contactNotFound" };
                failures.push(json!({"identifier": row, "failures": [{"failureCode": code, "description": "not deleted"}]}));
            }
        }
    }
    let id = call.account.next_uuid();
    let result = json!({"deleteId": id, "status": "Finished",
        "summary": {"requestedContacts": rows.len(), "deletedContacts": deleted.len(), "unknownContacts": unknown,
            "invalidEntries": failures.len() - unknown},
        "deleted": deleted, "failures": failures});
    call.account.deletions.insert(id.clone(), Job { polls_left: call.options.polls, result });
    Ok(Reply::json(202, &json!({"deleteId": id})))
}

pub(super) fn delete_status(call: &mut Call<'_>) -> Answer {
    let id = call.args[0].clone();
    let Some(job) = call.account.deletions.get_mut(&id) else {
        return Err(Refusal::v3(404, "contacts:importNotFound", "The deletion could not be found!"));
    };
    Ok(Reply::json(200, &asked(job, || json!({"deleteId": id, "status": "NotFinished"}))))
}
