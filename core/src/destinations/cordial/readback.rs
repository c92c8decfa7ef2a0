//! What Cordial holds of what was written, for reconciliation: read per contact, order, product, record or event, and
//! compared member by member. Values are never told, only where they differ.
//!
//! Cordial shows numbers as texts, plain dates as midnight of the account's time zone, truth values as numbers, and an empty
//! object as a list; none of that is a difference. What others keep beside our members is theirs.

use std::collections::BTreeMap;

use chrono::{NaiveDate, TimeDelta};
use serde_json::{Map, Value};

use super::super::{Held, Operation, Reply, held};
use super::build::Grant;
use super::config::{Cleared, Config};
use super::reply::{self, Complaint, Known, Stored};
use super::{capabilities as endpoints, fill, ids, internal};
use crate::error::{Error, ErrorCode};
use crate::model::pointer_token;

/// Most events that one read shows.
const MOST_EVENTS: usize = 100;

/// Members of an order that its reading shows. `status` is not: only a creation writes it. Neither is who placed it.
const ORDER: &[&str] = &[
    "orderID",
    "purchaseDate",
    "customerID",
    "storeID",
    "mcID",
    "linkID",
    "shippingAddress",
    "billingAddress",
    "items",
    "tax",
    "shippingAndHandling",
    "properties",
];

/// A read: endpoint and path.
pub(super) struct Read {
    pub endpoint: &'static str,
    pub path: String,
}

/// The read that shows what became of an operation.
pub(super) fn read(config: &Config, operation: &Operation) -> Option<Read> {
    let by = |endpoint, path: &str| Some(Read { endpoint, path: fill(path, operation).ok()? });
    let one = |endpoint, folder: &str, id: &str| {
        let mut path = folder.to_owned();
        ids::percent(id, &mut path);
        Some(Read { endpoint, path })
    };
    match operation.endpoint.as_ref() {
        endpoints::SUBSCRIBE | endpoints::UNSUBSCRIBE | endpoints::DELETE => by(endpoints::READBACK, "/v2/contacts/{primary_key}"),
        endpoints::CONTACT | endpoints::CONTACT_ASYNC | endpoints::FILE_CONTACTS => {
            let row = body(operation)?;
            let name = row["identifyBy"][0].as_str()?;
            contact(name, identifier(config, &row, name)?)
        }
        endpoints::RENAME => contact("email", body(operation)?["channels"].as_object()?.values().next()?["address"].as_str()?),
        endpoints::ORDER | endpoints::FILE_ORDERS => one(endpoints::ORDER_GET, "/v2/orders/", body(operation)?["orderID"].as_str()?),
        endpoints::PRODUCT | endpoints::FILE_PRODUCTS => {
            one(endpoints::PRODUCT_GET, "/v2/products/", body(operation)?["productID"].as_str()?)
        }
        endpoints::PRODUCT_DELETE => by(endpoints::PRODUCT_GET, "/v2/products/{productID}"),
        endpoints::RECORD_DELETE => by(endpoints::RECORD_GET, "/v2/supplements/{supplement}/records/{id}"),
        endpoints::RECORD | endpoints::FILE_RECORDS => {
            let folder = fill("/v2/supplements/{supplement}/records/", operation).ok()?;
            one(endpoints::RECORD_GET, &folder, body(operation)?["id"].as_str()?)
        }
        endpoints::EVENT | endpoints::EVENT_ASYNC => event_read(&body(operation)?),
        // How a contact shows its cart is not published, and a merge leaves no trace.
        _ => None,
    }
}

fn body(operation: &Operation) -> Option<Value> {
    serde_json::from_slice(&operation.body).ok()
}

/// The value of a key among the members of a contact's row.
fn identifier<'a>(config: &Config, row: &'a Value, name: &str) -> Option<&'a str> {
    let channel = match name {
        "email" => Some(config.channels.get("email").map_or("email", String::as_str)),
        name => name.strip_prefix("channels.").and_then(|rest| rest.strip_suffix(".address")),
    };
    match channel {
        Some(channel) => row["channels"][channel]["address"].as_str(),
        None => row["ids"][name].as_str(),
    }
}

fn contact(name: &str, value: &str) -> Option<Read> {
    let mut path = "/v2/contacts/".to_owned();
    ids::percent(name, &mut path);
    path.push(':');
    ids::percent(value, &mut path);
    Some(Read { endpoint: endpoints::READBACK, path })
}

/// Events are listed for an e-mail only.
fn event_read(row: &Value) -> Option<Read> {
    let (email, name, at) = (row["email"].as_str()?, row["a"].as_str()?, row["ats"].as_str()?);
    let mut path = "/v2/contactactivities?".to_owned();
    for (filter, value) in [("email", email), ("action", name), ("time[gte]", at), ("time[lte]", at)] {
        ids::percent(filter, &mut path);
        path.push('=');
        ids::percent(value, &mut path);
        path.push('&');
    }
    path.push_str(&format!("per_page={MOST_EVENTS}"));
    Some(Read { endpoint: endpoints::EVENTS_GET, path })
}

/// Holds the answer to [`read`] against the operation.
pub(super) fn compare(config: &Config, operation: &Operation, answer: &Reply) -> Result<Held, Error> {
    let endpoint = operation.endpoint.as_ref();
    let gone = matches!(endpoint, endpoints::DELETE | endpoints::PRODUCT_DELETE | endpoints::RECORD_DELETE);
    if !(200..300).contains(&answer.status) {
        let nobody = answer.status == 404 || Complaint::of(answer).nobody() || (answer.status == 400 && endpoint.contains("products"));
        return match (nobody, gone) {
            (true, true) => Ok(Held::Same),
            (true, false) => Ok(Held::Missing),
            _ => match reply::later("contacts.get", answer)? {
                Known::Later(refusal, after) => Ok(Held::Later(refusal, after)),
                _ => Err(internal("a read that failed is neither")),
            },
        };
    }
    let shown: Value = serde_json::from_slice(&answer.body)
        .map_err(|error| Error::new(ErrorCode::Unavailable, "the answer cannot be read").because(error))?;
    // PHP's empty object is a list.
    if !matches!(endpoint, endpoints::EVENT | endpoints::EVENT_ASYNC) && shown.as_object().is_none_or(Map::is_empty) {
        return Ok(if gone { Held::Same } else { Held::Missing });
    }
    if gone {
        return Ok(Held::Differs(vec![String::new()]));
    }
    let sent = || body(operation).ok_or_else(|| internal("a row is not JSON"));
    match endpoint {
        endpoints::CONTACT | endpoints::CONTACT_ASYNC | endpoints::FILE_CONTACTS => Ok(person(config, &sent()?, &shown)),
        endpoints::SUBSCRIBE | endpoints::UNSUBSCRIBE => permission(operation, &shown),
        endpoints::RENAME => Ok(Held::Same),
        endpoints::ORDER | endpoints::FILE_ORDERS => Ok(order(&sent()?, &shown)),
        endpoints::PRODUCT | endpoints::FILE_PRODUCTS => {
            Ok(members(sent()?.as_object(), |name| (name != "suppressTriggers").then(|| shown[name].clone())))
        }
        endpoints::RECORD | endpoints::FILE_RECORDS => Ok(record(&sent()?, &shown)),
        endpoints::EVENT | endpoints::EVENT_ASYNC => Ok(event(&sent()?, &shown)),
        _ => Err(internal("nothing of it is read back")),
    }
}

/// The members of a row against what is shown of each; `None` for what is not compared.
fn members(sent: Option<&Map<String, Value>>, shown: impl Fn(&str) -> Option<Value>) -> Held {
    let differs = |(name, sent): &(&String, &Value)| shown(name).is_some_and(|held| !same(sent, &held));
    Held::of(sent.into_iter().flatten().filter(differs).map(|(name, _)| format!("/{}", pointer_token(name))).collect())
}

fn person(config: &Config, sent: &Value, shown: &Value) -> Held {
    // Version 1 shows attributes at the top.
    let held = if shown["attributes"].is_object() { &shown["attributes"] } else { shown };
    let mut differs = Vec::new();
    for (name, value) in sent["attributes"].as_object().into_iter().flatten() {
        let pointer = format!("/attributes/{}", pointer_token(name));
        if name == "channels" {
            let other = |(channel, sent): &(&String, &Value)| {
                let (sent, held) = (sent["address"].as_str(), shown["channels"][channel.as_str()]["address"].as_str());
                !matches!((sent, held), (Some(sent), Some(held)) if address(sent).eq_ignore_ascii_case(address(held)))
            };
            let channels = value.as_object().into_iter().flatten().filter(other);
            differs.extend(channels.map(|(channel, _)| format!("{pointer}/{}/address", pointer_token(channel))));
            continue;
        }
        let right = match value {
            Value::Null if config.cleared == Cleared::Keep => true,
            Value::Null => matches!(&held[name.as_str()], Value::Null) || held[name.as_str()] == "",
            // A truth value is a place on a list.
            Value::Bool(on) => shown["lists"].as_array().is_some_and(|lists| lists.contains(&name.as_str().into())) == *on,
            value => same(value, part(held, name)),
        };
        if !right {
            differs.push(pointer);
        }
    }
    Held::of(differs)
}

/// A number with or without its plus is one number.
fn address(text: &str) -> &str {
    text.strip_prefix('+').unwrap_or(text)
}

/// `home_address.city`, as one member or as two.
fn part<'a>(held: &'a Value, name: &str) -> &'a Value {
    match (&held[name], name.split_once('.')) {
        (Value::Null, Some((outer, inner))) => &held[outer][inner],
        (own, _) => own,
    }
}

fn permission(operation: &Operation, shown: &Value) -> Result<Held, Error> {
    let told = |right: bool| if right { Held::Same } else { Held::Differs(vec![String::new()]) };
    if operation.endpoint == endpoints::UNSUBSCRIBE {
        let channel = operation.params.get("channel").ok_or_else(|| internal("a no lacks its channel"))?;
        let held = &shown["channels"][channel.as_str()];
        // Who has no such channel has nothing to leave.
        return Ok(told(held.is_null() || matches!(reply::status(held), Stored::Left(_))));
    }
    let row: Grant =
        serde_json::from_slice(&operation.body).map_err(|error| internal("a permission's row is not its own").because(error))?;
    Ok(told(match reply::status(&shown["channels"][&row.channel]) {
        Stored::Subscribed => true,
        Stored::Asked => row.confirmed == Some(false),
        Stored::None | Stored::Left(_) | Stored::Unknown => false,
    }))
}

fn order(sent: &Value, shown: &Value) -> Held {
    let own: BTreeMap<&str, &Value> = ORDER.iter().filter_map(|name| Some((*name, sent.get(name)?))).collect();
    let mut differs: Vec<String> =
        own.into_iter().filter(|(name, sent)| !same(sent, &shown[*name])).map(|(name, _)| format!("/{name}")).collect();
    // Shown as it was sent, or as the sum Cordial made of it.
    let discount = &sent["discountApplication"]["amount"];
    let held = [&shown["discountApplication"]["amount"], &shown["totalDiscountAmount"]];
    if !discount.is_null() && held.iter().any(|held| !held.is_null()) && !held.iter().any(|held| same(discount, held)) {
        differs.push("/discountApplication/amount".to_owned());
    }
    Held::of(differs)
}

fn record(sent: &Value, shown: &Value) -> Held {
    // Whose it is may be shown under another key.
    let held = |name: &str| match name {
        "id" => Some(shown["id"].clone()),
        "suppressTriggers" | "email" | "cID" => None,
        name => shown["attributes"].get(name).or_else(|| shown.get(name)).cloned().or(Some(Value::Null)),
    };
    members(sent.as_object(), held)
}

/// An event is found by `UID` where that is shown, and by its time and properties where it is not.
fn event(sent: &Value, shown: &Value) -> Held {
    let list = shown.as_array().or_else(|| shown["data"].as_array()).map(Vec::as_slice).unwrap_or_default();
    let same_time = |event: &&Value| {
        let held = reply::instant(&event["time"]).or_else(|| reply::instant(&event["ats"]));
        held.is_some() && held == reply::instant(&sent["ats"])
    };
    if let Some(event) = list.iter().find(|event| event["UID"].is_string() && event["UID"] == sent["UID"]) {
        return members(sent["properties"].as_object(), |name| Some(event["properties"][name].clone()));
    }
    let is_it = |event: &Value| members(sent["properties"].as_object(), |name| Some(event["properties"][name].clone())) == Held::Same;
    if list.iter().filter(same_time).any(is_it) {
        return Held::Same;
    }
    if list.len() >= MOST_EVENTS {
        return Held::Unknown("the person has more such events at that time than one read shows");
    }
    Held::Missing
}

/// Whether what is held is what was sent, in one of Cordial's ways of showing it.
fn same(sent: &Value, held: &Value) -> bool {
    held::same(sent, Some(held), |sent, held| match (sent, held) {
        (Value::Number(sent), Value::String(held)) => Some(held::is_number(sent, held)),
        (Value::String(sent), Value::String(held)) => Some(sent == held || same_moment(sent, held)),
        (Value::Bool(sent), Value::Number(held)) => Some(held.as_i64() == Some(i64::from(*sent))),
        (Value::Object(sent), Value::Array(held)) => Some(sent.is_empty() && held.is_empty()),
        _ => None,
    })
}

/// Two instants in two spellings, or a day as midnight of some time zone.
fn same_moment(sent: &str, held: &str) -> bool {
    let at = |text: &str| reply::instant(&Value::from(text));
    match (at(sent), at(held)) {
        (Some(sent), Some(held)) => sent == held,
        (None, Some(held)) => {
            let midnight = NaiveDate::parse_from_str(sent, "%Y-%m-%d").ok().and_then(|day| day.and_hms_opt(0, 0, 0));
            // Zones reach from fourteen hours before Greenwich to twelve behind it.
            midnight.is_some_and(|day| (TimeDelta::hours(-14)..=TimeDelta::hours(12)).contains(&(held - day.and_utc())))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_compared_by_what_they_mean() {
        for (sent, held) in [
            (json!(10.0), json!("10")),
            (json!(47.50), json!(47.5)),
            (json!("1980-05-22"), json!("1980-05-22T07:00:00+0000")),
            (json!("1980-05-22"), json!("1980-05-21T22:00:00+0000")),
            (json!("2026-01-01T10:00:00+0000"), json!("2026-01-01T10:00:00.000Z")),
            (json!(true), json!(1)),
            (json!({}), json!([])),
            (json!({"a": 1}), json!({"a": 1, "theirs": 2})),
            (json!(["a", "b"]), json!(["a", "b"])),
        ] {
            assert!(same(&sent, &held), "{sent} {held}");
        }
        for (sent, held) in [
            (json!(10.01), json!("10")),
            (json!(10), json!("ten")),
            (json!("1980-05-22"), json!("1980-05-23T07:00:00+0000")),
            (json!("1980-05-22"), json!("1980-05-21T09:00:00+0000")),
            (json!("2026-01-01T10:00:00+0000"), json!("2026-01-01T10:00:01+0000")),
            (json!(false), json!(1)),
            (json!({"a": 1}), json!([])),
            (json!(["a", "b"]), json!(["b", "a"])),
            (json!("a"), json!(null)),
        ] {
            assert!(!same(&sent, &held), "{sent} {held}");
        }
    }
}
