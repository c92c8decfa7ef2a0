//! Insight data: typed collections whose members keep the type of their first value.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::account::{Collection, Job, Record, stamp};
use super::contacts::missing;
use super::imports::asked;
use super::reply::{self, Refusal};
use super::{Answer, Call};
use crate::vendor::Reply;

/// Imports of insight data that may be under way at once.
const MOST_IMPORTS: usize = 5;

/// The vendor's types of collections.
#[rustfmt::skip]
const TYPES: &[&str] = &[
    "cartInsight", "catalog", "consentInsight", "custom", "easyEditorExtensions", "nostoEmailCampaigns", "orders",
    "productCategories", "webInsight", "wishList",
];

/// A record that is refused.
struct Fault {
    reason: &'static str,
    details: Vec<String>,
}

fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (2..=255).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with(|c: char| c.is_ascii_digit())
}

fn open<'c>(collections: &'c mut BTreeMap<String, Collection>, name: &str, kind: &str, scope: &str) -> &'c mut Collection {
    let make = || Collection { kind: kind.to_owned(), scope: scope.to_owned(), ..Collection::default() };
    collections.entry(name.to_owned()).or_insert_with(make)
}

pub(super) fn import(call: &mut Call<'_>) -> Answer {
    if call.account.insight_imports.values().filter(|job| job.polls_left > 0).count() >= MOST_IMPORTS {
        return Err(Refusal::v3(429, "insightData:tooManyActiveImports", "too many imports are being processed"));
    }
    let text = |name: &str| call.body[name].as_str().unwrap_or_default().to_owned();
    let (name, scope, kind) = (text("collectionName"), text("collectionScope"), text("collectionType"));
    let rows = call.body["records"].as_array().cloned().unwrap_or_default();
    if !is_name(&name) || !["account", "contact"].contains(&scope.as_str()) || !TYPES.contains(&kind.as_str()) || rows.is_empty() {
        return Err(Refusal::v3(400, "insightData:badJson", "the collection or its records are invalid"));
    }
    let mut failures = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for (index, row) in rows.iter().enumerate() {
        let result = match row["key"].as_str() {
            None | Some("") => Err(Fault { reason: "InvalidClientKey", details: Vec::new() }),
            Some(_) if call.request.half_failed && index % 2 == 1 => Err(Fault { reason: "Unknown", details: Vec::new() }),
            Some(key) if !seen.insert(key.to_owned()) => Err(Fault { reason: "DuplicateKey", details: Vec::new() }),
            Some(key) => owner(call, &scope, &row["contactIdentity"]).and_then(|owner| {
                store(open(&mut call.account.collections, &name, &kind, &scope), key, owner, &row["json"], call.now_ms).map(drop)
            }),
        };
        if let Err(fault) = result {
            let mut of = json!({"ownerType": scope});
            if scope == "contact" {
                of["contactIdentity"] = row["contactIdentity"].clone();
            }
            failures.push(json!({"collectionOwner": of, "failureReason": fault.reason, "details": fault.details,
                "key": row["key"], "json": row["json"]}));
        }
    }
    let id = call.account.next_uuid();
    let mut result = json!({"importId": id, "status": call.options.insight_done, "collectionName": name,
        "summary": {"totalRecords": rows.len(), "totalImported": rows.len() - failures.len(), "totalRejected": failures.len()}});
    if !failures.is_empty() {
        result["failures"] = json!(failures);
    }
    call.account.insight_imports.insert(id.clone(), Job { polls_left: call.options.polls, result });
    Ok(Reply::json(202, &json!({"importId": id})))
}

fn owner(call: &Call<'_>, scope: &str, identity: &Value) -> Result<Option<i64>, Fault> {
    if scope == "account" {
        return Ok(None);
    }
    let identifier = identity["identifier"].as_str().unwrap_or_default();
    let value = identity["value"].as_str().map_or_else(|| identity["value"].to_string(), str::to_owned);
    let found = call.account.find(identifier, &value).filter(|id| call.account.contacts.get(id).is_some_and(|contact| !contact.binned));
    match (found, identifier) {
        (Some(id), _) => Ok(Some(id)),
        (None, "email") => Err(Fault { reason: "ContactEmailDoesNotExist", details: Vec::new() }),
        (None, "contactId") => Err(Fault { reason: "ContactIdDoesNotExist", details: Vec::new() }),
        (None, _) => Err(Fault { reason: "InvalidContactIdentifier", details: Vec::new() }),
    }
}

/// Writes a whole record. Returns whether it is new.
fn store(collection: &mut Collection, key: &str, owner: Option<i64>, json: &Value, now_ms: i64) -> Result<bool, Fault> {
    let fault = |reason, details: Vec<String>| Err(Fault { reason, details });
    if !json.is_object() {
        return fault("InvalidJson", Vec::new());
    }
    let required: &[&str] = match collection.kind.as_str() {
        "catalog" => &["name", "sku", "price", "url"],
        _ => &[],
    };
    let lacking: Vec<String> =
        required.iter().filter(|name| json[**name].is_null()).map(|name| format!("Field '{name}' is required but was missing")).collect();
    if !lacking.is_empty() {
        return fault("Unknown", lacking);
    }
    if collection.records.get(key).is_some_and(|record| record.owner != owner) {
        return fault("InvalidClientKey", Vec::new());
    }
    let mut types = BTreeMap::new();
    if let Err(reason) = walk(json, "", false, &mut types) {
        return fault(reason, Vec::new());
    }
    let locked: Vec<String> = types
        .iter()
        .filter(|(path, kind)| collection.schema.get(*path).is_some_and(|own| own != *kind))
        .map(|(path, kind)| format!("Field '{path}' is not {kind}"))
        .collect();
    if !locked.is_empty() {
        return fault("JsonValueIncompatibleWithSchema", locked);
    }
    collection.schema.extend(types);
    let old = collection.records.remove(key);
    let writes = old.as_ref().map_or(0, |record| record.writes) + 1;
    let created_ms = old.as_ref().map_or(now_ms, |record| record.created_ms);
    let record = Record { owner, json: json.clone(), writes, created_ms, updated_ms: now_ms };
    collection.records.insert(key.to_owned(), record);
    Ok(old.is_none())
}

/// The type of every member, by path; a dash and an underscore are one character to the vendor.
fn walk(value: &Value, path: &str, in_array: bool, types: &mut BTreeMap<String, &'static str>) -> Result<(), &'static str> {
    let kind = match value {
        Value::Null => return Ok(()),
        Value::Bool(_) => "BOOLEAN",
        Value::Number(number) if number.is_f64() => "FLOAT",
        Value::Number(_) => "INTEGER",
        Value::String(_) => "STRING",
        Value::Array(_) if in_array => return Err("JsonContainsNestedArray"),
        Value::Array(items) => {
            types.insert(path.to_owned(), "REPEATED");
            return items.iter().try_for_each(|item| walk(item, &format!("{path}[]"), true, types));
        }
        Value::Object(members) => {
            types.insert(path.to_owned(), "RECORD");
            for (name, member) in members {
                let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
                if name.is_empty() || !name.chars().all(plain) {
                    return Err("JsonKeyInvalidCharacters");
                }
                walk(member, &format!("{path}/{}", name.replace('-', "_")), false, types)?;
            }
            return Ok(());
        }
    };
    types.insert(path.to_owned(), kind);
    Ok(())
}

pub(super) fn import_status(call: &mut Call<'_>) -> Answer {
    let id = call.args[0].clone();
    let Some(job) = call.account.insight_imports.get_mut(&id) else {
        return Err(Refusal::v3(404, "insightData:importNotFound", "The import request could not be found!"));
    };
    Ok(Reply::json(200, &asked(job, || json!({"importId": id, "status": "Processing"}))))
}

pub(super) fn create_collection(call: &mut Call<'_>) -> Answer {
    let name = call.args[0].clone();
    let (scope, kind) = (call.request.parameter("collectionScope"), call.request.parameter("collectionType"));
    let (Some(scope), Some(kind)) = (scope, kind) else {
        return Err(Refusal::v3(400, "insightData:invalidId", "scope and type are required"));
    };
    if !is_name(&name) || !["account", "contact"].contains(&scope.as_str()) || !TYPES.contains(&kind.as_str()) {
        return Err(Refusal::v3(400, "insightData:invalidId", "The collectionName value is invalid"));
    }
    let exists = call.account.collections.contains_key(&name);
    open(&mut call.account.collections, &name, &kind, &scope);
    Ok(reply::nothing(if exists { 200 } else { 201 }))
}

fn no_collection(name: &str) -> Refusal {
    Refusal::v3(404, "insightData:collectionNotFound", "The collection could not be found").about(name, "Not found")
}

fn put(call: &mut Call<'_>, name: &str, key: &str, owner: Option<i64>) -> Answer {
    let Some(collection) = call.account.collections.get_mut(name) else { return Err(no_collection(name)) };
    match store(collection, key, owner, &call.body, call.now_ms) {
        Ok(new) => Ok(reply::nothing(if new { 201 } else { 204 })),
        Err(fault) => {
            let description = format!("the record was refused: {} {}", fault.reason, fault.details.join("; "));
            Err(Refusal::v3(400, "insightData:badJson", description.trim()))
        }
    }
}

pub(super) fn put_account(call: &mut Call<'_>) -> Answer {
    let (name, key) = (call.args[0].clone(), call.args[1].clone());
    put(call, &name, &key, None)
}

fn person(call: &Call<'_>) -> Result<i64, Refusal> {
    let (identifier, value) = (&call.args[0], &call.args[1]);
    let found = call.account.find(identifier, value);
    let found = found.filter(|id| call.account.contacts.get(id).is_some_and(|contact| !contact.binned));
    found.ok_or_else(|| missing("insightData:contactNotFound", value, identifier))
}

pub(super) fn put_contact(call: &mut Call<'_>) -> Answer {
    let owner = person(call)?;
    let (name, key) = (call.args[2].clone(), call.args[3].clone());
    put(call, &name, &key, Some(owner))
}

pub(super) fn read_account(call: &mut Call<'_>) -> Answer {
    let (name, key) = (call.args[0].clone(), call.args[1].clone());
    read(call, &name, &key, None)
}

pub(super) fn read_contact(call: &mut Call<'_>) -> Answer {
    let owner = person(call)?;
    let (name, key) = (call.args[2].clone(), call.args[3].clone());
    read(call, &name, &key, Some(owner))
}

fn read(call: &Call<'_>, name: &str, key: &str, owner: Option<i64>) -> Answer {
    let Some(collection) = call.account.collections.get(name) else { return Err(no_collection(name)) };
    let Some(record) = collection.records.get(key).filter(|record| record.owner == owner) else {
        return Err(Refusal::v3(404, "insightData:recordNotFound", "The record could not be found").about(key, "Not found"));
    };
    let mut shown = json!({"key": key, "json": record.json, "created": stamp(record.created_ms), "updated": stamp(record.updated_ms)});
    if let Some(owner) = owner {
        shown["ownerContactId"] = json!(owner);
    }
    Ok(Reply::json(200, &shown))
}

pub(super) fn delete_contact(call: &mut Call<'_>) -> Answer {
    let owner = person(call)?;
    let (name, key) = (call.args[2].clone(), call.args[3].clone());
    let Some(collection) = call.account.collections.get_mut(&name) else { return Err(no_collection(&name)) };
    if collection.records.get(&key).is_none_or(|record| record.owner != Some(owner)) {
        return Err(Refusal::v3(404, "insightData:recordNotFound", "The record could not be found").about(&key, "Not found"));
    }
    collection.records.remove(&key);
    Ok(reply::nothing(204))
}

pub(super) fn empty(call: &mut Call<'_>) -> Answer {
    let owner = person(call)?;
    let name = call.args[2].clone();
    let Some(collection) = call.account.collections.get_mut(&name) else { return Err(no_collection(&name)) };
    collection.records.retain(|_, record| record.owner != Some(owner));
    let id = call.account.next_uuid();
    Ok(Reply::json(202, &json!({"jobId": id})))
}

pub(super) fn delete_records(call: &mut Call<'_>) -> Answer {
    let name = call.args[0].clone();
    let keys: Vec<String> = call.body["keys"].as_array().into_iter().flatten().filter_map(|key| key.as_str().map(str::to_owned)).collect();
    if keys.is_empty() || keys.len() > 5_000 {
        return Err(Refusal::v3(400, "insightData:noRecordsSpecified", "1 to 5000 keys are taken"));
    }
    let Some(collection) = call.account.collections.get_mut(&name) else { return Err(no_collection(&name)) };
    let missing: Vec<String> = keys.iter().filter(|key| collection.records.remove(*key).is_none()).cloned().collect();
    Ok(Reply::json(
        200,
        &json!({"summary": {"totalRecords": keys.len(), "totalDeleted": keys.len() - missing.len(), "totalNotFound": missing.len()},
            "notFound": missing, "failures": []}),
    ))
}
