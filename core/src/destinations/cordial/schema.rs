//! The account's attributes and lists: held against the settings, and made where `unknown_attributes` says so.
//!
//! Nothing is made blindly: `first_name` beside `First_Name` would be a second attribute that nobody fills. So a look at what
//! there is comes first, and what stands there in another spelling is refused by that name.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::{Detour, Operation, Refusal, Reply, Verdict};
use super::config::{AttributeType, Config, UnknownAttributes};
use super::reply::{self, Known};
use super::{ContactRow, capabilities as endpoints, internal};
use crate::error::{Error, ErrorCode};
use crate::model::IdempotencyKey;

/// Names of what an account has, and the types of those that have one.
type Names = BTreeMap<String, String>;

/// The account's attributes or lists: an array of them, or an object by key.
fn names(answer: &Reply) -> Option<Names> {
    let own = |value: &Value| value["key"].as_str().or_else(|| value["name"].as_str()).map(str::to_owned);
    let kind = |value: &Value| value["type"].as_str().unwrap_or_default().to_owned();
    match serde_json::from_slice::<Value>(&answer.body).ok()? {
        Value::Array(list) => Some(list.iter().filter_map(|value| Some((own(value)?, kind(value)))).collect()),
        Value::Object(by_key) => Some(by_key.iter().map(|(key, value)| (own(value).unwrap_or_else(|| key.clone()), kind(value))).collect()),
        _ => None,
    }
}

/// A name the account has, spelled otherwise.
fn respelled<'a>(names: &'a Names, key: &str) -> Option<&'a str> {
    names.keys().map(String::as_str).find(|own| own.eq_ignore_ascii_case(key))
}

/// What is wrong with a key in this account.
fn fault(names: &Names, key: &str) -> Option<String> {
    if names.contains_key(key) {
        return None;
    }
    Some(match respelled(names, key) {
        Some(own) => format!("`{key}` is spelled `{own}` there"),
        None => format!("`{key}` is not there"),
    })
}

/// The configured attributes against the account's, in one sentence.
pub(super) fn compare(config: &Config, answer: &Reply) -> String {
    let Some(account) = names(answer) else { return "the credentials work; the account's attributes could not be read".to_owned() };
    let makes = config.unknown_attributes == UnknownAttributes::Create;
    let mut faults: Vec<String> = config
        .attributes
        .values()
        .filter_map(|attribute| match fault(&account, &attribute.key) {
            Some(_) if makes && respelled(&account, &attribute.key).is_none() => {
                Some(format!("`{}` is not there and is made when it is needed", attribute.key))
            }
            Some(fault) => Some(fault),
            None => {
                let wanted = serde_json::to_value(attribute.kind).ok()?;
                let there = account.get(&attribute.key)?;
                (!there.is_empty() && wanted.as_str() != Some(there)).then(|| format!("`{}` is of type `{there}` there", attribute.key))
            }
        })
        .collect();
    faults.extend(config.customer_id_attribute.iter().filter_map(|key| fault(&account, key)));
    if faults.is_empty() {
        "the credentials work, and the account has every configured attribute".to_owned()
    } else {
        format!("the credentials work; attributes to correct: {}", faults.join(", "))
    }
}

/// What the account lacks of a contact's attributes.
pub(super) enum Lacks {
    /// Nothing.
    Nothing,
    /// What can be made.
    First(Detour),
    /// Ask again.
    Later(Refusal, Option<Duration>),
}

/// Holds a contact against the account before it is written. Lists are no attributes and are not shown.
pub(super) fn before(config: &Config, operation: &Operation, answer: &Reply) -> Result<Lacks, Error> {
    if !(200..300).contains(&answer.status) {
        return match reply::later(endpoints::ATTRIBUTES, answer)? {
            Known::Later(refusal, after) => Ok(Lacks::Later(refusal, after)),
            _ => Err(internal("a read that failed is neither")),
        };
    }
    let Some(account) = names(answer) else { return Ok(Lacks::Later(unreadable(), None)) };
    let row: ContactRow<'_> =
        serde_json::from_slice(&operation.body).map_err(|error| internal("a contact's row is not its own").because(error))?;
    let mut make: BTreeMap<&str, Operation> = BTreeMap::new();
    let mut faults = Vec::new();
    for (name, value) in &row.attributes {
        if name.as_ref() == "channels" || matches!(value.get(), "null" | "true" | "false") {
            continue;
        }
        let key = name.split('.').next().unwrap_or(name);
        let Some(fault) = fault(&account, key) else { continue };
        let new = config.unknown_attributes == UnknownAttributes::Create && respelled(&account, key).is_none();
        match new.then(|| definition(config, operation, key)).flatten() {
            Some(definition) => drop(make.insert(key, definition.make)),
            None => faults.push(fault),
        }
    }
    if !faults.is_empty() {
        faults.truncate(20);
        return Err(Error::new(ErrorCode::Rejected, format!("attributes the account does not have: {}", faults.join(", "))));
    }
    if make.is_empty() {
        return Ok(Lacks::Nothing);
    }
    let why = Refusal::new(ErrorCode::Rejected, "unknown_attributes", "the account lacks attributes; they are made");
    Ok(Lacks::First(first(make.into_values().collect(), why)))
}

/// Calls to make before a contact is tried again: what is made can be used at once.
pub(super) fn first(operations: Vec<Operation>, why: Refusal) -> Detour {
    Detour { operations, why, after: Some(Duration::ZERO) }
}

/// How one attribute or list comes to be.
struct Definition {
    look: &'static str,
    make: Operation,
}

/// How the account gets an attribute or list that the settings name. The attribute of the customer's id is none of them: only
/// Cordial makes an attribute a key.
fn definition(config: &Config, like: &Operation, name: &str) -> Option<Definition> {
    let key = name.split('.').next().unwrap_or(name);
    if let Some(attribute) = config.attributes.values().find(|attribute| attribute.key == key) {
        let mut body = json!({"key": key, "name": key, "type": attribute.kind, "index": attribute.index});
        match (attribute.kind, attribute.max) {
            (AttributeType::String, Some(max)) => body["validators"] = json!({"min": 0, "max": max}),
            (AttributeType::Array, Some(max)) => body["options"] = json!({"maxitems": max}),
            _ => {}
        }
        return Some(Definition { look: endpoints::ATTRIBUTES, make: step(like, endpoints::MAKE_ATTRIBUTE, &body) });
    }
    let list = config.lists.values().any(|list| list == name);
    list.then(|| Definition { look: endpoints::LISTS, make: step(like, endpoints::MAKE_LIST, &json!({"name": name})) })
}

/// A call of a detour: about the account, not about the person.
fn step(like: &Operation, endpoint: &'static str, body: &Value) -> Operation {
    Operation {
        endpoint: endpoint.into(),
        entity: "account".to_owned(),
        idempotency_key: IdempotencyKey::new(format!("{}:{endpoint}", like.idempotency_key)),
        once: false,
        version: None,
        group: String::new(),
        params: BTreeMap::new(),
        delta: None,
        supersedes: Vec::new(),
        body: body.to_string().into_bytes(),
        ..like.clone()
    }
}

/// The look at what there is, before something is made. Its row is what would be made.
pub(super) fn look(config: &Config, like: &Operation, name: &str) -> Option<Operation> {
    let definition = definition(config, like, name)?;
    Some(Operation { endpoint: definition.look.into(), ..definition.make })
}

/// Whether an endpoint is such a look.
pub(super) fn is_look(endpoint: &str) -> bool {
    matches!(endpoint, endpoints::ATTRIBUTES | endpoints::LISTS)
}

/// Reads the look: it is there, it is there in another spelling, or it is made.
pub(super) fn found(operation: &Operation, answer: &Reply) -> Verdict {
    let Some(account) = names(answer) else { return Verdict::Retry(unreadable(), None) };
    let row: Value = serde_json::from_slice(&operation.body).unwrap_or_default();
    let key = row["key"].as_str().or_else(|| row["name"].as_str()).unwrap_or_default();
    if account.contains_key(key) {
        return Verdict::Accepted;
    }
    if let Some(own) = respelled(&account, key) {
        let message = format!("`{key}` is spelled `{own}` in the account; correct the settings");
        return Verdict::Rejected(Refusal::new(ErrorCode::Rejected, "misspelled", message));
    }
    let make = if operation.endpoint == endpoints::LISTS { endpoints::MAKE_LIST } else { endpoints::MAKE_ATTRIBUTE };
    let why = Refusal::new(ErrorCode::Rejected, "unknown_attributes", format!("the account has no `{key}`; it is made"));
    Verdict::First(first(vec![Operation { endpoint: make.into(), ..operation.clone() }], why))
}

fn unreadable() -> Refusal {
    Refusal::new(ErrorCode::Unavailable, "unreadable_reply", "what the account has cannot be read")
}
