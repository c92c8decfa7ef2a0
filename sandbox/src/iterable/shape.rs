//! The shapes of request bodies. What has the wrong type is refused with its path, as the vendor does; what has no name here is
//! dropped, as the vendor does, and named to the project so that a test can see it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::reply::Refusal;

/// What a value must be.
pub(super) enum Kind {
    Text,
    Bool,
    /// A whole number of 32 bits.
    Int,
    /// A whole number of 64 bits.
    Long,
    Double,
    /// An object with any keys.
    Fields,
    List(&'static Kind),
    Of(&'static Shape),
}

/// The keys of an object: name, kind, whether it must be there.
pub(super) struct Shape(pub(super) &'static [(&'static str, Kind, bool)]);

use Kind::{Bool, Double, Fields, Int, List, Long, Of, Text};

pub(super) static USER_REF: Shape = Shape(&[("email", Text, false), ("userId", Text, false)]);

pub(super) static USER_UPDATE: Shape = Shape(&[
    ("email", Text, false),
    ("userId", Text, false),
    ("dataFields", Fields, false),
    ("preferUserId", Bool, false),
    ("mergeNestedObjects", Bool, false),
    ("createNewFields", Bool, false),
]);

static BULK_USER: Shape = Shape(&[
    ("email", Text, false),
    ("userId", Text, false),
    ("dataFields", Fields, false),
    ("preferUserId", Bool, false),
    ("mergeNestedObjects", Bool, false),
]);

pub(super) static BULK_UPDATE: Shape = Shape(&[("users", List(&Of(&BULK_USER)), true), ("createNewFields", Bool, false)]);

pub(super) static UPDATE_EMAIL: Shape = Shape(&[("currentEmail", Text, false), ("currentUserId", Text, false), ("newEmail", Text, true)]);

static ARRAY_MERGE: Shape = Shape(&[("field", Text, false), ("dedupeBy", Text, false)]);

pub(super) static MERGE: Shape = Shape(&[
    ("sourceEmail", Text, false),
    ("sourceUserId", Text, false),
    ("destinationEmail", Text, false),
    ("destinationUserId", Text, false),
    ("arrayMerge", List(&Of(&ARRAY_MERGE)), false),
]);

pub(super) static SUBSCRIPTIONS: Shape = Shape(&[
    ("email", Text, false),
    ("userId", Text, false),
    ("emailListIds", List(&Long), false),
    ("unsubscribedChannelIds", List(&Long), false),
    ("unsubscribedMessageTypeIds", List(&Long), false),
    ("subscribedMessageTypeIds", List(&Long), false),
    ("campaignId", Long, false),
    ("templateId", Long, false),
    ("validateChannelAlignment", Bool, false),
]);

pub(super) static BULK_SUBSCRIPTIONS: Shape = Shape(&[("updateSubscriptionsRequests", List(&Of(&SUBSCRIPTIONS)), true)]);

pub(super) static SUBSCRIPTION_ACTION: Shape = Shape(&[("users", List(&Text), false), ("usersByUserId", List(&Text), false)]);

pub(super) static DOUBLE_OPT_IN: Shape = Shape(&[
    ("messageTypeIds", List(&Long), true),
    ("email", Text, false),
    ("userId", Text, false),
    ("phoneNumber", Text, false),
    ("brandName", Text, false),
]);

pub(super) static CREATE_LIST: Shape = Shape(&[("name", Text, true), ("description", Text, false)]);

pub(super) static LIST_SUBSCRIBE: Shape =
    Shape(&[("listId", Long, true), ("subscribers", List(&Of(&BULK_USER)), true), ("updateExistingUsersOnly", Bool, false)]);

pub(super) static LIST_UNSUBSCRIBE: Shape = Shape(&[
    ("listId", Long, true),
    ("subscribers", List(&Of(&USER_REF)), true),
    ("campaignId", Long, false),
    ("channelUnsubscribe", Bool, false),
]);

pub(super) static TRIGGER: Shape = Shape(&[
    ("workflowId", Long, true),
    ("email", Text, false),
    ("userId", Text, false),
    ("listId", Long, false),
    ("dataFields", Fields, false),
]);

pub(super) static TRACK: Shape = Shape(&[
    ("eventName", Text, true),
    ("email", Text, false),
    ("userId", Text, false),
    ("id", Text, false),
    ("createdAt", Long, false),
    ("dataFields", Fields, false),
    ("campaignId", Long, false),
    ("templateId", Long, false),
    ("createNewFields", Bool, false),
]);

pub(super) static TRACK_BULK: Shape = Shape(&[("events", List(&Of(&TRACK)), true)]);

static ITEM: Shape = Shape(&[
    ("id", Text, true),
    ("name", Text, true),
    ("price", Double, true),
    ("quantity", Long, true),
    ("sku", Text, false),
    ("description", Text, false),
    ("categories", List(&Text), false),
    ("imageUrl", Text, false),
    ("url", Text, false),
    ("dataFields", Fields, false),
]);

pub(super) static CART: Shape = Shape(&[("user", Of(&USER_UPDATE), true), ("items", List(&Of(&ITEM)), true)]);

pub(super) static PURCHASE: Shape = Shape(&[
    ("user", Of(&USER_UPDATE), true),
    ("items", List(&Of(&ITEM)), true),
    ("total", Double, true),
    ("id", Text, false),
    ("createdAt", Long, false),
    ("dataFields", Fields, false),
    ("campaignId", Int, false),
    ("templateId", Int, false),
]);

// `children` holds more of the same; one level is read here, what lies deeper is taken as it comes.
static CHILD_MAPPING: Shape = Shape(&[("fieldName", Text, true), ("fieldType", Text, true), ("children", List(&Fields), false)]);

static MAPPING: Shape = Shape(&[("fieldName", Text, true), ("fieldType", Text, true), ("children", List(&Of(&CHILD_MAPPING)), false)]);

pub(super) static MAPPINGS: Shape = Shape(&[("mappingsUpdates", List(&Of(&MAPPING)), true)]);

pub(super) static CATALOG_ITEMS: Shape = Shape(&[("documents", Fields, true), ("replaceUploadedFieldsOnly", Bool, true)]);

pub(super) static CATALOG_DELETE: Shape = Shape(&[("itemIds", List(&Text), true)]);

pub(super) static CATALOG_PATCH: Shape = Shape(&[("update", Fields, true)]);

pub(super) static CATALOG_PUT: Shape = Shape(&[("value", Fields, true)]);

#[derive(Default)]
struct Seen {
    wrong: BTreeMap<String, Vec<&'static str>>,
    dropped: Vec<String>,
}

/// Reads a body: the parsed body and the paths of what was dropped.
pub(super) fn read(shape: &Shape, body: &[u8]) -> Result<(Value, Vec<String>), Refusal> {
    let mut value: Value = serde_json::from_slice(body).map_err(|error| {
        // Neither the body nor the headers are repeated: the line and column are enough to find the place.
        let what = if error.to_string().starts_with("recursion limit") { "too deeply nested" } else { "malformed" };
        Refusal::new(400, "BadJsonBody", format!("Invalid JSON body: {what} at line {} column {}", error.line(), error.column()))
    })?;
    let mut seen = Seen::default();
    object(shape, &mut value, "obj", &mut seen);
    if seen.wrong.is_empty() {
        return Ok((value, seen.dropped));
    }
    Err(Refusal::new(400, "BadJsonBody", "Invalid JSON body").with(json!(seen.wrong)))
}

fn object(shape: &Shape, value: &mut Value, path: &str, seen: &mut Seen) {
    let Value::Object(map) = value else {
        seen.wrong.insert(path.to_owned(), vec!["Object value expected"]);
        return;
    };
    map.retain(|key, _| {
        let known = shape.0.iter().any(|(name, _, _)| name == key);
        if !known {
            seen.dropped.push(format!("{path}.{key}"));
        }
        known
    });
    for (name, kind, required) in shape.0 {
        match map.get_mut(*name) {
            None | Some(Value::Null) if *required => {
                seen.wrong.insert(format!("{path}.{name}"), vec!["Missing required value"]);
            }
            None | Some(Value::Null) => {}
            Some(inner) => check(kind, inner, &format!("{path}.{name}"), seen),
        }
    }
}

fn check(kind: &Kind, value: &mut Value, path: &str, seen: &mut Seen) {
    let whole =
        |value: &Value| value.as_i64().or_else(|| value.as_f64().filter(|n| n.fract() == 0.0 && n.abs() < 9.0e15).map(|n| n as i64));
    let wrong = match kind {
        Text if !value.is_string() => "String value expected",
        Bool if !value.is_boolean() => "Boolean value expected",
        Int if whole(value).is_none_or(|number| i32::try_from(number).is_err()) => "Number value expected",
        Long if whole(value).is_none() => "Number value expected",
        Double if !value.is_number() => "Number value expected",
        Fields if !value.is_object() => "Object value expected",
        List(inner) => match value {
            Value::Array(items) => {
                items.iter_mut().enumerate().for_each(|(index, item)| check(inner, item, &format!("{path}[{index}]"), seen));
                return;
            }
            _ => "Array value expected",
        },
        Of(shape) => return object(shape, value, path, seen),
        _ => return,
    };
    seen.wrong.insert(path.to_owned(), vec![wrong]);
}
