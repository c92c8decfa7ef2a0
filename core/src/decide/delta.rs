//! Delta: only what changed goes out, because profile journeys start on any write that holds a field, changed or not.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::destinations::Operation;
use crate::error::{Error, ErrorCode, Result};
use crate::fingerprint::fingerprint;
use crate::state::Known;

/// What is left of an operation after what the destination already has is taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reduced {
    /// The row to send.
    pub body: Vec<u8>,
    /// Fingerprints to remember once it is delivered; `None` forgets a member.
    pub fingerprints: BTreeMap<String, Option<u64>>,
    /// Nothing is left to send.
    pub unchanged: bool,
}

impl Reduced {
    /// The operation as it is, with nothing to remember: for things that happen once.
    #[must_use]
    pub fn whole(operation: &Operation) -> Self {
        Reduced { body: operation.body.clone(), fingerprints: BTreeMap::new(), unchanged: false }
    }
}

/// Member under which an endpoint that replaces the whole is remembered.
const WHOLE: &str = "";

/// Takes out what the destination already has. While operations of the entity wait, everything is sent: what will be
/// there then is not known yet.
///
/// # Errors
/// `internal` when the delta pointer does not name one object in the body.
pub fn reduce(operation: &Operation, known: &Known, null_clears: bool) -> Result<Reduced> {
    let Some(pointer) = operation.delta.as_deref() else {
        let mut seen = Vec::with_capacity(operation.body.len() + 64);
        seen.extend_from_slice(operation.endpoint.as_bytes());
        for (name, value) in &operation.params {
            seen.extend_from_slice(name.as_bytes());
            seen.push(b'=');
            seen.extend_from_slice(value.as_bytes());
            seen.push(0);
        }
        seen.extend_from_slice(&operation.body);
        let now = fingerprint(&seen);
        let unchanged = !known.pending && known.sent.get(WHOLE) == Some(&now);
        // After a whole write, such as a deletion, nothing that was sent member by member can be counted on any more.
        let members = known.sent.keys().chain(&known.pending_members);
        let mut fingerprints: BTreeMap<String, Option<u64>> = members.map(|name| (name.clone(), None)).collect();
        fingerprints.insert(WHOLE.to_owned(), Some(now));
        return Ok(Reduced { body: operation.body.clone(), fingerprints, unchanged });
    };
    let broken = || Error::new(ErrorCode::Internal, "the delta pointer does not name one object in the body").at(pointer);
    let body = std::str::from_utf8(&operation.body).map_err(|_| broken())?;
    let steps: Vec<&str> = pointer.split('/').skip(1).collect();
    let mut out = String::with_capacity(body.len());
    let mut fingerprints = BTreeMap::new();
    let mut left = 0usize;
    rewrite(body, &steps, &mut out, &mut |members, out| {
        out.push('{');
        for (name, value) in members {
            let now = fingerprint(value.get().as_bytes());
            if !known.pending && known.sent.get(name.as_str()) == Some(&now) {
                continue;
            }
            separate(left, out);
            member(name, value.get(), out);
            fingerprints.insert(name.clone(), Some(now));
            left += 1;
        }
        let gone = known.sent.keys().chain(known.pending_members.iter().filter(|_| known.pending));
        for name in gone {
            if fingerprints.contains_key(name) || members.iter().any(|(present, _)| present == name) {
                continue;
            }
            if name == WHOLE {
                // A whole write lies before this one; the next whole write is news again.
                fingerprints.insert(name.clone(), None);
                continue;
            }
            if null_clears {
                separate(left, out);
                member(name, "null", out);
                left += 1;
            }
            fingerprints.insert(name.clone(), None);
        }
        out.push('}');
    })
    .ok_or_else(broken)?;
    Ok(Reduced { body: out.into_bytes(), fingerprints, unchanged: left == 0 })
}

fn separate(already: usize, out: &mut String) {
    if already > 0 {
        out.push(',');
    }
}

fn member(name: &str, value: &str, out: &mut String) {
    // A string always serialises; the fallback keeps this total.
    let _ = write!(out, "{}:{value}", serde_json::to_string(name).unwrap_or_default());
}

type Members<'a> = Vec<(String, &'a RawValue)>;

/// Copies `object` to `out`, handing the object at `steps` to `edit`.
fn rewrite(object: &str, steps: &[&str], out: &mut String, edit: &mut dyn FnMut(&Members<'_>, &mut String)) -> Option<()> {
    let members = members(object)?;
    let Some((step, rest)) = steps.split_first() else {
        edit(&members, out);
        return Some(());
    };
    out.push('{');
    let mut found = false;
    for (index, (name, value)) in members.iter().enumerate() {
        separate(index, out);
        if name == step {
            // A pointer through a name that stands twice names two objects.
            if found {
                return None;
            }
            let _ = write!(out, "{}:", serde_json::to_string(name).ok()?);
            rewrite(value.get(), rest, out, edit)?;
            found = true;
        } else {
            member(name, value.get(), out);
        }
    }
    out.push('}');
    found.then_some(())
}

/// The members of an object in the order they stand, values untouched.
fn members(object: &str) -> Option<Members<'_>> {
    struct InOrder;
    impl<'de> Visitor<'de> for InOrder {
        type Value = Members<'de>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::with_capacity(16);
            while let Some(entry) = map.next_entry::<String, &'de RawValue>()? {
                members.push(entry);
            }
            Ok(members)
        }
    }
    let mut reader = serde_json::Deserializer::from_str(object);
    let members = reader.deserialize_map(InOrder).ok()?;
    reader.end().ok()?;
    Some(members)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::model::{CorrelationId, IdempotencyKey};
    use crate::state::Fingerprints;

    fn operation(delta: Option<&'static str>, body: &str) -> Operation {
        Operation {
            endpoint: "users.bulkUpdate".into(),
            entity: "contact:1".into(),
            lane: "contact:1".into(),
            idempotency_key: IdempotencyKey::new("k"),
            once: false,
            version: Some(1),
            occurred_at: chrono::DateTime::UNIX_EPOCH,
            group: String::new(),
            params: BTreeMap::new(),
            delta: delta.map(Into::into),
            supersedes: Vec::new(),
            correlation_id: CorrelationId::new("c"),
            body: body.as_bytes().to_vec(),
        }
    }

    fn after(reduced: &Reduced) -> Known {
        let sent: Fingerprints = reduced.fingerprints.iter().filter_map(|(name, print)| print.map(|print| (name.clone(), print))).collect();
        Known { sent, ..Known::default() }
    }

    fn text(reduced: &Reduced) -> &str {
        std::str::from_utf8(&reduced.body).unwrap_or_default()
    }

    #[test]
    fn only_changed_members_go_and_the_rest_of_the_row_stays() {
        let first =
            reduce(&operation(Some("/dataFields"), r#"{"userId":"1","dataFields":{"a":1,"b":{"c":2}},"x":true}"#), &Known::default(), true);
        let first = first.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(text(&first), r#"{"userId":"1","dataFields":{"a":1,"b":{"c":2}},"x":true}"#);
        let known = after(&first);
        let second = reduce(&operation(Some("/dataFields"), r#"{"userId":"1","dataFields":{"a":1,"b":{"c":3}},"x":true}"#), &known, true);
        let second = second.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(text(&second), r#"{"userId":"1","dataFields":{"b":{"c":3}},"x":true}"#);
        assert_eq!(second.fingerprints.keys().collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn nothing_new_is_unchanged() {
        let row = operation(Some(""), r#"{"a":1}"#);
        let first = reduce(&row, &Known::default(), true).unwrap_or_else(|error| panic!("{error}"));
        assert!(!first.unchanged);
        assert!(reduce(&row, &after(&first), true).is_ok_and(|again| again.unchanged));
    }

    #[test]
    fn a_member_that_is_gone_is_cleared_where_null_does_that() {
        let first = reduce(&operation(Some(""), r#"{"a":1,"b":2}"#), &Known::default(), true).unwrap_or_else(|error| panic!("{error}"));
        let now = operation(Some(""), r#"{"a":1}"#);
        let cleared = reduce(&now, &after(&first), true).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(text(&cleared), r#"{"b":null}"#);
        assert_eq!(cleared.fingerprints.get("b"), Some(&None));
        assert!(reduce(&now, &after(&first), false).is_ok_and(|left| left.unchanged));
    }

    #[test]
    fn a_member_without_a_name_is_a_member_like_any_other() {
        let operation = operation(Some(""), r#"{"":0}"#);
        let first = reduce(&operation, &Known::default(), true).unwrap();
        assert!(reduce(&operation, &after(&first), true).unwrap().unchanged);
    }

    #[test]
    fn while_something_waits_everything_is_sent() {
        let row = operation(Some(""), r#"{"a":1}"#);
        let first = reduce(&row, &Known::default(), true).unwrap_or_else(|error| panic!("{error}"));
        let known = Known { pending: true, pending_members: vec!["z".to_owned()], ..after(&first) };
        let again = reduce(&row, &known, true).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(text(&again), r#"{"a":1,"z":null}"#);
        assert!(!again.unchanged);
    }

    #[test]
    fn a_whole_is_told_apart_by_endpoint_and_parameters_too() {
        let subscribe = operation(None, "null");
        let mut leave = subscribe.clone();
        leave.endpoint = "subscriptions.leave".into();
        let sent = after(&reduce(&subscribe, &Known::default(), false).unwrap_or_else(|error| panic!("{error}")));
        assert!(reduce(&subscribe, &sent, false).is_ok_and(|again| again.unchanged));
        assert!(reduce(&leave, &sent, false).is_ok_and(|left| !left.unchanged));
    }

    #[test]
    fn after_a_deletion_everything_is_sent_again_and_the_next_deletion_is_news() {
        let error = |error: Error| -> Reduced { panic!("{error}") };
        let row = operation(Some(""), r#"{"a":1,"b":2}"#);
        let gone = operation(None, r#"{"id":"1"}"#);
        let written = reduce(&row, &Known::default(), true).unwrap_or_else(error);
        let deleted = reduce(&gone, &after(&written), true).unwrap_or_else(error);
        assert!(!deleted.unchanged);
        let again = reduce(&row, &after(&deleted), true).unwrap_or_else(error);
        assert_eq!(text(&again), r#"{"a":1,"b":2}"#);
        assert!(reduce(&gone, &after(&again), true).is_ok_and(|deleted| !deleted.unchanged));
    }

    #[test]
    fn a_pointer_to_nothing_is_an_error_not_a_panic() {
        assert!(reduce(&operation(Some("/nope"), r#"{"a":1}"#), &Known::default(), false).is_err());
        assert!(reduce(&operation(Some("/a"), r#"{"a":1}"#), &Known::default(), false).is_err());
        // Nor is one to two objects anything but that: what is left would not be JSON.
        assert!(reduce(&operation(Some("/a"), r#"{"a":{"b":1},"c":2,"a":{"b":2}}"#), &Known::default(), false).is_err());
        assert!(reduce(&operation(Some("/a/b"), r#"{"a":{"b":{}},"a":{"b":{}}}"#), &Known::default(), false).is_err());
    }
}
