//! The account, data fields and lists.

use serde_json::{Value, json};

use super::reply::{self, Refusal};
use super::{Answer, Call};
use crate::vendor::Reply;

pub(super) fn account_info(call: &mut Call<'_>) -> Answer {
    let property = |name: &str, kind: &str, value: &str| json!({"name": name, "type": kind, "value": value});
    let properties = [
        property("Name", "String", "Sandbox"),
        property("MainEmail", "String", "owner@example.com"),
        property("ApiEndpoint", "String", &call.options.api_endpoint),
        property("ApiCallsRemaining", "Integer", "1999"),
        property("CurrencyCode", "String", "GBP"),
        property("TimeZoneIana", "String", "Europe/London"),
    ];
    Ok(Reply::json(200, &json!({"id": 1, "properties": properties})))
}

pub(super) fn data_fields(call: &mut Call<'_>) -> Answer {
    let one = |(name, kind): &(String, String)| json!({"name": name, "type": kind, "visibility": "Private", "defaultValue": null});
    Ok(Reply::json(200, &call.account.fields.values().map(one).collect()))
}

pub(super) fn create_data_field(call: &mut Call<'_>) -> Answer {
    let (Some(name), Some(kind)) = (call.body["name"].as_str(), call.body["type"].as_str()) else {
        return Err(Refusal::v2(400, "ERROR_DATAFIELD_INVALID", "name and type are required"));
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if name.is_empty() || name.len() > 20 || !name.bytes().all(plain) || !["String", "Numeric", "Date", "Boolean"].contains(&kind) {
        return Err(Refusal::v2(400, "ERROR_DATAFIELD_INVALID", "the name or type is invalid"));
    }
    let key = name.to_ascii_uppercase();
    if call.account.fields.contains_key(&key) {
        return Err(Refusal::v2(400, "ERROR_NON_UNIQUE_DATAFIELD", "a data field of that name exists"));
    }
    let field = (name.to_owned(), kind.to_owned());
    call.account.fields.insert(key, field);
    Ok(Reply::json(201, &json!({"name": name, "type": kind, "visibility": "Private", "defaultValue": null})))
}

pub(super) fn leave_list(call: &mut Call<'_>) -> Answer {
    let number = |place: usize| call.args.get(place).and_then(|text| text.parse::<i64>().ok());
    let (Some(list), Some(id)) = (number(0), number(1)) else { return Err(Refusal::v2(400, "ERROR_PARAMETER_INVALID", "not a number")) };
    if !call.options.lists.contains(&list) {
        return Err(Refusal::v2(404, "ERROR_ADDRESSBOOK_NOT_FOUND", "there is no such list"));
    }
    match call.account.contacts.get_mut(&id) {
        Some(contact) => {
            contact.lists.remove(&list);
            Ok(reply::nothing(204))
        }
        None => Err(Refusal::v2(404, "ERROR_CONTACT_NOT_FOUND", "there is no such contact")),
    }
}

/// The value in the type of its data field, or why it does not fit.
pub(super) fn fits(kind: &str, value: &Value) -> bool {
    match (kind, value) {
        (_, Value::Null) => true,
        ("Numeric", value) => value.is_number(),
        ("Boolean", value) => value.is_boolean(),
        ("Date", Value::String(text)) => {
            chrono::DateTime::parse_from_rfc3339(text).is_ok() || chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
        }
        ("String", Value::String(text)) => text.chars().count() <= 1_000,
        _ => false,
    }
}
