//! Upsert and attribute delete: every rule that rejects a user names its place in the batch.

use std::collections::BTreeMap;

use chrono::DateTime;
use serde_json::{Map, Value, json};

use super::account::{Event, Fired};
use super::options::{Channel, Kind, Options};
use super::{Call, error, identity};
use crate::inspect;
use crate::vendor::Reply;

const MOST_USERS: usize = 1_000;

/// Rules a user breaks: path below `users.<i>.` and message.
type Broken = Vec<(String, String)>;

fn answer(accepted: usize, failed: usize, errors: &BTreeMap<String, Vec<String>>) -> Reply {
    let some = |count: usize| if count == 0 { json!({}) } else { json!({"count": count}) };
    let mut fail = some(failed);
    if failed > 0 {
        fail["errors"] = json!(errors);
    }
    Reply::json(200, &json!({"data": {"successful": some(accepted), "fail": fail}}))
}

fn users<'b>(call: &Call<'b>) -> Result<&'b Vec<Value>, Reply> {
    match call.body.get("users") {
        Some(Value::Array(users)) if users.len() > MOST_USERS => Err(error(400, "users must be at most 1000: bad request")),
        Some(Value::Array(users)) if !users.is_empty() => Ok(users),
        _ => Err(error(400, "users must be defined: bad request")),
    }
}

/// Runs each user through a check and, if it is good, through a change.
fn each(call: &mut Call<'_>, check: fn(&Options, &Value) -> Broken, apply: &dyn Fn(&mut Call<'_>, &Value)) -> Reply {
    let users = match users(call) {
        Ok(users) => users,
        Err(refusal) => return refusal,
    };
    let mut errors: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (mut accepted, mut failed) = (0, 0);
    for (index, user) in users.iter().enumerate() {
        let mut broken = check(call.options, user);
        if call.half_failed && index % 2 == 1 {
            broken.push(("internal".into(), "failed on demand".into()));
        }
        if broken.is_empty() {
            accepted += 1;
            apply(call, user);
        } else {
            failed += 1;
            for (path, message) in broken {
                errors.entry(format!("users.{index}.{path}")).or_default().push(message);
            }
        }
    }
    call.account.users_accepted += accepted as u64;
    call.account.users_failed += failed as u64;
    answer(accepted, failed, &errors)
}

pub(super) fn upsert(call: &mut Call<'_>) -> Reply {
    let quiet = call.body.get("skip_hook") == Some(&Value::Bool(true));
    each(call, check, &move |call, user| write(call, user, quiet))
}

fn check(_: &Options, user: &Value) -> Broken {
    let mut broken = identity::check(user);
    let attributes = user.get("attributes");
    let events = user.get("events").and_then(Value::as_array);
    match (attributes, events) {
        (None, None) => broken.push(("required".into(), "attributes or events must be specified".into())),
        (Some(Value::Object(attributes)), _) => {
            if attributes.is_empty() {
                broken.push(("attributes.required".into(), "at least one attribute must be specified".into()));
            }
            for (name, value) in attributes {
                if default_type(name).is_some_and(|kind| !is_of(kind, value)) {
                    broken.push((format!("attributes.*.type({name})"), format!("{name} has a wrong type")));
                }
            }
        }
        (Some(_), _) => broken.push(("attributes.type(object)".into(), "attributes must be object".into())),
        (None, Some(_)) => {}
    }
    for (index, event) in events.into_iter().flatten().enumerate() {
        for (path, message) in check_event(event) {
            broken.push((format!("events.{index}.{path}"), message));
        }
    }
    broken
}

fn check_event(event: &Value) -> Broken {
    let mut broken = Broken::new();
    let name = event.get("event_name").and_then(Value::as_str).unwrap_or_default();
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
    if !name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()) || !name.chars().all(good) {
        broken.push(("event_name.*.regexp(^[a-z0-9][a-zA-Z0-9._-]*$)".into(), format!("invalid event name: {name}")));
    }
    if event.get("timestamp").and_then(Value::as_str).is_none_or(|at| DateTime::parse_from_rfc3339(at).is_err()) {
        broken.push(("timestamp.*.datetime".into(), "timestamp must be RFC 3339".into()));
    }
    let params = event.get("event_params");
    let required: &[&str] = match name {
        "purchase" | "confirmation_page_view" | "cart_page_view" => &["event_group_id", "unit_sale_price", "currency"],
        _ => &[],
    };
    for key in required.iter().filter(|key| params.and_then(|params| params.get(**key)).is_none()) {
        broken.push(("event_params.*.required".into(), format!("{key} is required")));
    }
    for (key, value) in params.and_then(Value::as_object).into_iter().flatten() {
        let right = match key.as_str() {
            "product_id" | "name" | "currency" | "event_group_id" | "url" | "product_image_url" | "color" | "size" | "shipping_cost"
            | "promotion_name" | "locale" => value.is_string(),
            "quantity" => value.is_i64() || value.is_u64(),
            "unit_price" | "unit_sale_price" | "promotion_discount" => value.is_number(),
            "taxonomy" => value.as_array().is_some_and(|names| names.iter().all(Value::is_string)),
            "custom" => value.is_object(),
            _ => true,
        };
        if !right {
            broken.push((format!("event_params.*.type({key})"), format!("{key} has a wrong type")));
        }
    }
    broken
}

/// The types of attributes that every account has; `None` for others.
fn default_type(name: &str) -> Option<Kind> {
    Some(match name {
        "name" | "surname" | "gender" | "language" | "country" | "city" | "lo" | "locale" | "email" | "phone_number" | "uuid" => {
            Kind::String
        }
        "birthday" => Kind::Datetime,
        "age" => Kind::Number,
        "email_optin" | "sms_optin" | "whatsapp_optin" | "gdpr_optin" | "email_double_optin" => Kind::Boolean,
        "static_segment_id" | "list_id" => Kind::Array,
        _ => return None,
    })
}

fn is_of(kind: Kind, value: &Value) -> bool {
    match kind {
        Kind::String => value.is_string(),
        Kind::Number => value.is_number(),
        Kind::Boolean => value.is_boolean(),
        Kind::Array => value.is_array(),
        Kind::Datetime => value.as_str().is_some_and(|text| text.ends_with('Z') && DateTime::parse_from_rfc3339(text).is_ok()),
    }
}

fn kind_of(value: &Value) -> Option<Kind> {
    Some(match value {
        Value::String(_) if is_of(Kind::Datetime, value) => Kind::Datetime,
        Value::String(_) => Kind::String,
        Value::Number(_) => Kind::Number,
        Value::Bool(_) => Kind::Boolean,
        Value::Array(_) => Kind::Array,
        Value::Null | Value::Object(_) => return None,
    })
}

fn write(call: &mut Call<'_>, user: &Value, quiet: bool) {
    let Some(index) = identity::resolve(call, user) else { return };
    // `append` wins over `not_append`.
    let replace = match (user.get("append"), user.get("not_append")) {
        (Some(Value::Bool(append)), _) => !append,
        (_, Some(Value::Bool(not_append))) => *not_append,
        _ => false,
    };
    let empty = Map::new();
    let attributes = user.get("attributes").and_then(Value::as_object).unwrap_or(&empty);
    for (name, value) in attributes.iter().filter(|(name, _)| *name != "custom") {
        if value.is_null() || value == "" {
            call.account.note("null or empty attribute");
        }
        if call.options.is_identifier(name) {
            call.account.note("identifier sent as attribute");
        } else if default_type(name).is_none() {
            call.account.note(format!("unknown default attribute {name}"));
        } else {
            set_default(call, index, name, value, replace);
        }
    }
    for (name, value) in attributes.get("custom").and_then(Value::as_object).into_iter().flatten() {
        set_custom(call, index, name, value, replace);
    }
    for event in user.get("events").and_then(Value::as_array).into_iter().flatten() {
        happened(call, index, event, quiet);
    }
}

fn put(fields: &mut Map<String, Value>, name: &str, value: &Value, replace: bool) {
    match (fields.get_mut(name), value) {
        (Some(Value::Array(old)), Value::Array(new)) if !replace => {
            for item in new {
                if !old.contains(item) {
                    old.push(item.clone());
                }
            }
        }
        _ => drop(fields.insert(name.to_owned(), value.clone())),
    }
}

fn set_default(call: &mut Call<'_>, index: usize, name: &str, value: &Value, replace: bool) {
    if let Some(profile) = call.account.profile_mut(index) {
        put(&mut profile.attributes, name, value, replace);
    }
    if !call.options.optin_lifts_unsubscription || value != &Value::Bool(true) {
        return;
    }
    for channel in Channel::ALL.into_iter().filter(|channel| name == format!("{}_optin", channel.name())) {
        let address = call.account.profile(index).and_then(|profile| super::account::address(profile, channel)).map(str::to_owned);
        if let Some(address) = address
            && let Some(list) = call.account.unsubscribed.get_mut(&channel)
            && list.remove(&address)
        {
            call.account.note("an upsert lifted an unsubscription");
        }
    }
}

fn set_custom(call: &mut Call<'_>, index: usize, name: &str, value: &Value, replace: bool) {
    let kind = kind_of(value);
    let known = match &call.options.custom_attributes {
        Some(known) => match known.get(name) {
            Some(kind) => *kind,
            None => return call.account.note(format!("unknown custom attribute {name}")),
        },
        None => match (call.account.types.get(name), kind) {
            (Some(known), _) => *known,
            (None, Some(kind)) => {
                call.account.types.insert(name.to_owned(), kind);
                kind
            }
            (None, None) => return call.account.note("null or empty attribute"),
        },
    };
    let fits = kind == Some(known) || (known == Kind::String && kind == Some(Kind::Datetime));
    if !fits {
        // Not applied, and not said.
        return call.account.note(format!("wrong type of custom attribute {name}"));
    }
    if let Some(profile) = call.account.profile_mut(index) {
        put(&mut profile.custom, name, value, replace);
    }
}

/// Stores an event once, and starts the journeys that wait for it.
fn happened(call: &mut Call<'_>, index: usize, event: &Value, quiet: bool) {
    let text = |key: &str| event.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (name, timestamp) = (text("event_name"), text("timestamp"));
    let at_ms = DateTime::parse_from_rfc3339(&timestamp).map_or(0, |at| at.timestamp_millis());
    if call.now_ms - at_ms >= call.options.retention(&name) * 86_400_000 {
        call.account.expired_events += 1;
        return;
    }
    let known = [
        "product_id",
        "name",
        "taxonomy",
        "currency",
        "quantity",
        "unit_price",
        "unit_sale_price",
        "event_group_id",
        "url",
        "product_image_url",
        "color",
        "size",
        "shipping_cost",
        "promotion_name",
        "promotion_discount",
        "locale",
        "custom",
    ];
    let mut params = event.get("event_params").cloned().unwrap_or_else(|| json!({}));
    if let Some(map) = params.as_object_mut() {
        let strange: Vec<String> = map.keys().filter(|key| !known.contains(&key.as_str())).cloned().collect();
        for key in strange {
            map.remove(&key);
            call.account.note(format!("unknown event parameter {key}"));
        }
    }
    let hash = inspect::digest(&json!([name, timestamp, params]));
    let waiting: Vec<_> = call.options.journeys.iter().filter(|journey| journey.event == name && !quiet).cloned().collect();
    let reached: Vec<bool> = waiting
        .iter()
        .map(|journey| {
            let profile = call.account.profile(index);
            profile.is_some_and(|profile| journey.channel.is_none_or(|channel| call.account.reachable(call.options, profile, channel)))
        })
        .collect();
    let Some(profile) = call.account.profile_mut(index) else { return };
    // A repeat is stored once; that it starts no journey is said nowhere, so it does.
    for (journey, reached) in waiting.iter().zip(reached) {
        let fired: &mut Fired = profile.journeys.entry(journey.name.clone()).or_default();
        fired.fired += 1;
        fired.sent += u64::from(reached);
    }
    match profile.events.iter_mut().find(|event| event.hash == hash) {
        Some(known) => known.repeated += 1,
        None => profile.events.push(Event { name, timestamp, at_ms, params, hash, repeated: 0 }),
    }
}

pub(super) fn delete_attributes(call: &mut Call<'_>) -> Reply {
    let check = |_: &Options, user: &Value| identity::check(user);
    each(call, check, &|call, user| {
        let Some(index) = identity::found(call, user) else { return };
        let names = |value: Option<&Value>| -> Vec<String> {
            value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let custom = user.get("custom");
        let (plain, own) = (names(user.get("whole")), names(custom.and_then(|custom| custom.get("whole"))));
        let Some(profile) = call.account.profile_mut(index) else { return };
        plain.iter().for_each(|name| drop(profile.attributes.remove(name)));
        own.iter().for_each(|name| drop(profile.custom.remove(name)));
        let parts =
            [(user.get("partial"), &mut profile.attributes), (custom.and_then(|custom| custom.get("partial")), &mut profile.custom)];
        for (partial, fields) in parts {
            for (name, gone) in partial.and_then(Value::as_object).into_iter().flatten() {
                if let (Some(Value::Array(values)), Value::Array(gone)) = (fields.get_mut(name), gone) {
                    values.retain(|value| !gone.contains(value));
                }
            }
        }
    })
}
