//! Who a row is about, and the calls about one person.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::account::Profile;
use super::options::{Channel, Options};
use super::{Call, error};
use crate::vendor::Reply;

/// Rules that a row's `identifiers` break.
pub(super) fn check(user: &Value) -> Vec<(String, String)> {
    let mut broken = Vec::new();
    if user.get("insider_id").is_some_and(Value::is_string) {
        return broken;
    }
    let Some(Value::Object(identifiers)) = user.get("identifiers") else {
        return vec![("identifiers.required".into(), "either insider_id or identifiers must be specified".into())];
    };
    if identifiers.is_empty() {
        broken.push(("identifiers.required".into(), "either insider_id or identifiers must be specified".into()));
    }
    for (name, value) in identifiers {
        match name.as_str() {
            "custom" => {
                for (name, value) in value.as_object().into_iter().flatten().filter(|(_, value)| !value.is_string()) {
                    broken.push(("identifiers.*.type(string)".into(), format!("{name} must be string: {value}")));
                }
            }
            "uuid" | "email" | "phone_number" => match value.as_str() {
                None => broken.push(("identifiers.*.type(string)".into(), format!("{name} must be string"))),
                Some(text) if !has_form(name, text) => broken.push(("identifiers.*.regexp(...)".into(), format!("invalid {name}: {text}"))),
                Some(_) => {}
            },
            _ => {
                let message = "key must be one of phone_number(pn), email(em) or uuid";
                broken.push(("identifiers.*.in(defaults_column)".into(), message.into()));
            }
        }
    }
    broken
}

fn has_form(name: &str, text: &str) -> bool {
    match name {
        "email" => text.rsplit_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && domain.split_once('.').is_some_and(|(host, rest)| !host.is_empty() && !rest.is_empty())
        }),
        "phone_number" => text.strip_prefix('+').is_some_and(|digits| {
            (7..=15).contains(&digits.len()) && !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit())
        }),
        _ => !text.is_empty(),
    }
}

/// The identifiers of an object that count here, by name.
fn counted(options: &Options, identifiers: &Value) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    for (name, value) in identifiers.as_object().into_iter().flatten() {
        if name == "custom" {
            for (name, value) in value.as_object().into_iter().flatten() {
                if let Some(value) = value.as_str() {
                    out.insert(format!("custom.{name}"), value.to_owned());
                }
            }
        } else if let Some(value) = value.as_str() {
            out.insert(name.clone(), value.to_owned());
        }
    }
    out.retain(|name, _| options.is_identifier(name));
    out
}

/// The profile a row means, made if need be; `None` when none of its identifiers counts.
pub(super) fn resolve(call: &mut Call<'_>, user: &Value) -> Option<usize> {
    let identifiers = counted(call.options, user.get("identifiers").unwrap_or(&Value::Null));
    if let Some(index) = user.get("insider_id").and_then(Value::as_str).and_then(|iid| call.account.by_iid(iid)) {
        return Some(index);
    }
    if identifiers.is_empty() {
        call.account.note("row without an identifier that counts");
        return None;
    }
    Some(call.account.resolve(call.options, &identifiers))
}

/// The profile a row means, if it is there.
pub(super) fn found(call: &Call<'_>, user: &Value) -> Option<usize> {
    let by_iid = user.get("insider_id").and_then(Value::as_str).and_then(|iid| call.account.by_iid(iid));
    by_iid.or_else(|| call.account.find(&counted(call.options, user.get("identifiers")?)))
}

/// Exactly one entry, as name and value.
fn single(options: &Options, value: Option<&Value>) -> Option<(String, String)> {
    let all = counted(options, value?);
    let entries = value?.as_object()?;
    let one = entries.len() == 1 && entries.get("custom").is_none_or(|custom| custom.as_object().is_some_and(|custom| custom.len() == 1));
    all.into_iter().next().filter(|_| one)
}

pub(super) fn change(call: &mut Call<'_>) -> Reply {
    let entries = |key: &str| call.body.get(key).and_then(Value::as_object).map_or(0, Map::len);
    if entries("old_identifier") != 1 || entries("new_identifier") != 1 {
        return error(400, "there must be exactly 1 entry for both new and old identifiers: bad request");
    }
    let (old, new) = (single(call.options, call.body.get("old_identifier")), single(call.options, call.body.get("new_identifier")));
    let (Some(old), Some(new)) = (old, new) else { return error(400, "no valid identifier: bad request") };
    if old == new {
        return error(400, "identifier values are the same: bad request");
    }
    if old.0 != new.0 || !has_form(&new.0, &new.1) {
        return error(400, "no valid identifier: bad request");
    }
    if call.account.by_identifier(&new.0, &new.1).is_some() {
        return error(400, "new identifier already has a user assigned to it: bad request");
    }
    // What is said of an unknown old one is not published; nothing happens then.
    match call.account.by_identifier(&old.0, &old.1) {
        Some(index) => call.account.rename(index, &new.0, &new.1),
        None => call.account.note("identity change of nobody"),
    }
    Reply::json(200, &json!({}))
}

pub(super) fn remove(call: &mut Call<'_>) -> Reply {
    let Some((name, value)) = single(call.options, call.body.get("identifiers")) else {
        return error(400, "no valid identifier: bad request");
    };
    let Some(index) = call.account.by_identifier(&name, &value) else { return error(404, "no such user for these identifiers: no data") };
    if call.account.profile(index).is_some_and(|profile| profile.identifiers.len() < 2) {
        return error(400, "the only identifier of a user cannot be deleted: bad request");
    }
    call.account.detach(index, &name);
    Reply::json(200, &json!({}))
}

/// Attributes as they are read: customs get `c_`, and `gdpr_optin` loses its end.
fn shown(call: &Call<'_>, profile: &Profile) -> Map<String, Value> {
    let mut shown = Map::new();
    shown.insert("iid".into(), json!(profile.iid));
    for (name, value) in &profile.identifiers {
        shown.insert(name.strip_prefix("custom.").map_or_else(|| name.clone(), |own| format!("c_{own}")), json!(value));
    }
    for (name, value) in &profile.attributes {
        shown.insert(if name == "gdpr_optin" { "gdpr".to_owned() } else { name.clone() }, value.clone());
    }
    for (name, value) in &profile.custom {
        shown.insert(format!("c_{name}"), value.clone());
    }
    let left = |channel| {
        let address = super::account::address(profile, channel);
        address.is_some_and(|address| call.account.unsubscribed.get(&channel).is_some_and(|list| list.contains(address)))
    };
    if left(Channel::Email) {
        shown.insert("global_unsubscribe".into(), json!(true));
    }
    shown
}

pub(super) fn read(call: &mut Call<'_>) -> Reply {
    let broken = check(call.body);
    if let Some((_, message)) = broken.first() {
        return error(400, message);
    }
    let wanted: Vec<&str> = call.body.get("attributes").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let events = call.body.get("events");
    if wanted.is_empty() && events.is_none() {
        return error(400, "attributes or events must be specified: bad request");
    }
    let Some(profile) = found(call, call.body).and_then(|index| call.account.profile(index)) else {
        return error(404, "no such user for these identifiers: no data");
    };
    let mut answer = json!({});
    if !wanted.is_empty() {
        let mut attributes = shown(call, profile);
        attributes.retain(|name, _| wanted.contains(&"*") || wanted.contains(&name.as_str()) || name == "iid");
        answer["attributes"] = Value::Object(attributes);
    }
    if let Some(events) = events {
        let bound = |key: &str, usual: i64| events.get(key).and_then(Value::as_i64).unwrap_or(usual).saturating_mul(1_000);
        let (from, to) = (bound("start_date", 0), bound("end_date", i64::MAX / 1_000));
        let mut out: Map<String, Value> = Map::new();
        for wish in events.get("wanted").and_then(Value::as_array).into_iter().flatten() {
            let name = wish.get("event_name").and_then(Value::as_str).unwrap_or_default();
            let params: Vec<&str> = wish.get("params").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
            let of = profile.events.iter().filter(|event| event.name == name && (from..=to).contains(&event.at_ms));
            let rows = of.map(|event| {
                // Parameters that were asked for, customs with `c_`.
                let mut row = event.params.as_object().cloned().unwrap_or_default();
                for (name, value) in row.remove("custom").as_ref().and_then(Value::as_object).into_iter().flatten() {
                    row.insert(format!("c_{name}"), value.clone());
                }
                row.insert("timestamp".into(), json!(event.timestamp));
                row.retain(|name, _| params.contains(&name.as_str()));
                Value::Object(row)
            });
            out.insert(name.to_owned(), rows.collect());
        }
        answer["events"] = Value::Object(out);
    }
    if call.body.get("quota") == Some(&Value::Bool(true)) {
        answer["quota"] = json!({"cost": 1, "used": 1, "total": 1_000});
    }
    Reply::json(200, &answer)
}

pub(super) fn delete(call: &mut Call<'_>) -> Reply {
    if let Some((_, message)) = check(call.body).first() {
        return error(400, message);
    }
    if let Some(index) = found(call, call.body) {
        call.account.remove(index);
    }
    Reply::json(200, &json!({}))
}

pub(super) fn anonymize(call: &mut Call<'_>) -> Reply {
    let Some(index) = found(call, call.body) else { return error(404, "no such user for these identifiers: no data") };
    for name in ["email", "phone_number"] {
        call.account.detach(index, name);
    }
    if let Some(profile) = call.account.profile_mut(index) {
        for name in ["name", "surname", "birthday", "email", "phone_number"] {
            profile.attributes.remove(name);
        }
    }
    Reply::json(200, &json!({}))
}
