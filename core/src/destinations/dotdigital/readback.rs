//! What Dotdigital holds of what was written, for reconciliation: contacts by their identifier, insight data by key, compared
//! member by member. Values are never told, only where they differ.
//!
//! This is also how someone who left at Dotdigital is noticed: their yes differs at `/granted`.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;

use super::super::{Held, Operation, Reply, Request, held};
use super::capabilities as endpoints;
use super::contacts::Found;
use super::reply::{self, Trouble};
use super::rows::{Head, Row, Task, split};
use super::{Dotdigital, ids, named};
use crate::error::{Error, ErrorCode};
use crate::model::pointer_token;

/// The read that shows what became of an operation.
pub(super) fn read(d: &Dotdigital, operation: &Operation) -> Option<Request> {
    let param = |name: &str| operation.params.get(name).map(String::as_str);
    match operation.endpoint.as_ref() {
        endpoints::PATCH | endpoints::LEAVE_LIST => {
            let row = Row::of(operation).ok()?;
            match (row.task, row.identifiers.get(ids::EMAIL)) {
                (Task::Rename, Some(new)) => d.read_contact(ids::EMAIL, new).ok(),
                _ => d.read_contact(&row.by, &row.id).ok(),
            }
        }
        endpoints::IMPORT => {
            let row = parsed_row(operation).ok()?;
            let by = row.get("matchIdentifier")?.as_str()?;
            d.read_contact(by, &word(row.get("identifiers")?.get(by)?)?).ok()
        }
        endpoints::DELETE => d.read_contact(param("identifier")?, param("value")?).ok(),
        endpoints::BULK_DELETE => {
            let row = parsed_row(operation).ok()?;
            let (by, id) = row.as_object()?.iter().next()?;
            d.read_contact(by, &word(id)?).ok()
        }
        endpoints::PUT_CONTACT | endpoints::PUT_ACCOUNT | endpoints::INSIGHT_IMPORT => {
            let (head, _) = split(&operation.body)?;
            let head: Head<'_> = serde_json::from_slice(&head).ok()?;
            let owner = head.contact_identity.as_ref().map(|owner| (owner.identifier.as_ref(), owner.value.as_ref()));
            record(d, owner, param("collection")?, &head.key)
        }
        endpoints::DELETE_RECORD => record(d, Some((param("identifier")?, param("value")?)), param("collection")?, param("recordId")?),
        endpoints::DELETE_RECORDS => record(d, None, param("collection")?, &serde_json::from_slice::<String>(&operation.body).ok()?),
        // An emptied collection, an event and an enrolment are shown by nothing.
        _ => None,
    }
}

/// The read of a record of insight data.
fn record(d: &Dotdigital, owner: Option<(&str, &str)>, collection: &str, key: &str) -> Option<Request> {
    let place = [("collection", collection), ("recordId", key)];
    match owner {
        Some((by, id)) => d.call(endpoints::GET_CONTACT_RECORD, named(&[("identifier", by), ("value", id), place[0], place[1]]), None),
        None => d.call(endpoints::GET_ACCOUNT_RECORD, named(&place), None),
    }
    .ok()
}

/// Holds the answer to [`read`] against the operation.
pub(super) fn compare(operation: &Operation, reply: &Reply) -> Result<Held, Error> {
    let endpoint = operation.endpoint.as_ref();
    let gone = matches!(endpoint, endpoints::DELETE | endpoints::BULK_DELETE | endpoints::DELETE_RECORD | endpoints::DELETE_RECORDS);
    let shown = match reply.status {
        200..=299 => serde_json::from_slice::<Value>(&reply.body)
            .map_err(|error| Error::new(ErrorCode::Unavailable, "the answer cannot be read").because(error))?,
        404 if gone => return Ok(Held::Same),
        404 => return not_there(operation),
        _ => {
            return match reply::trouble(reply) {
                Trouble::Later(refusal, after) => Ok(Held::Later(refusal, after)),
                Trouble::Stop(error) => Err(error),
                Trouble::Refused(refusal) => {
                    Err(Error::new(ErrorCode::Rejected, "Dotdigital does not show it").with("vendor_code", refusal.vendor_code))
                }
            };
        }
    };
    match endpoint {
        endpoints::DELETE_RECORD | endpoints::DELETE_RECORDS => Ok(Held::Differs(vec![String::new()])),
        endpoints::PUT_CONTACT | endpoints::PUT_ACCOUNT | endpoints::INSIGHT_IMPORT => held_record(operation, &shown),
        _ => {
            let found = Found::new(&shown);
            match (found.is_binned(), gone) {
                (true, true) => Ok(Held::Same),
                (true, false) => not_there(operation),
                (false, true) => Ok(Held::Differs(vec![String::new()])),
                (false, false) if endpoint == endpoints::IMPORT => imported(&parsed_row(operation)?, &found),
                (false, false) => Ok(person(&Row::of(operation)?, &found)),
            }
        }
    }
}

/// Nobody, or nothing, is there; whoever is not there is on no list either.
fn not_there(operation: &Operation) -> Result<Held, Error> {
    let left = operation.endpoint == endpoints::LEAVE_LIST && !Row::of(operation)?.granted;
    Ok(if left { Held::Same } else { Held::Missing })
}

fn person(row: &Row, found: &Found<'_>) -> Held {
    let told = |right: bool, member: &str| if right { Held::Same } else { Held::Differs(vec![member.to_owned()]) };
    match row.task {
        Task::Profile => {
            let mut differs = Vec::new();
            for (name, sent) in &row.fields {
                let sent: Value = serde_json::from_str(sent.get()).unwrap_or_default();
                let right = match name.strip_prefix('@') {
                    Some(identifier) => is_identifier(&sent, found.identifier(identifier)),
                    None => same(&sent, found.field(name)),
                };
                if !right {
                    differs.push(format!("/fields/{}", pointer_token(name)));
                }
            }
            Held::of(differs)
        }
        Task::Consent => consent(row, found),
        Task::Rename | Task::Enrol => Held::Same,
        Task::List => told(row.granted == found.is_on(row.list), "/granted"),
    }
}

fn consent(row: &Row, found: &Found<'_>) -> Held {
    let status = found.status(&row.channel);
    let mut differs = Vec::new();
    match (status.as_deref(), row.granted) {
        (Some("pendingoptin"), true) => return Held::Unknown("Dotdigital has asked the person to confirm and waits for it"),
        (Some("subscribed"), true) => {
            if row.lists.iter().any(|list| !found.is_on(*list)) {
                differs.push("/lists".to_owned());
            }
            if row.record.is_some() && row.at.is_some_and(|at| !found.has_record(at)) {
                differs.push("/record".to_owned());
            }
        }
        (Some("subscribed" | "pendingoptin"), false) | (_, true) => differs.push("/granted".to_owned()),
        (_, false) => {}
    }
    // A status that stood already is left as it was, with its preference.
    if row.preference.is_some_and(|id| found.preference(id) == Some(!row.granted)) {
        differs.push("/preference".to_owned());
    }
    Held::of(differs)
}

fn imported(row: &Value, found: &Found<'_>) -> Result<Held, Error> {
    let members = |name: &str| row.get(name).and_then(Value::as_object).into_iter().flatten();
    let identifiers = members("identifiers").filter(|(name, _)| *name != ids::CONTACT_ID);
    let identifiers = identifiers.filter(|(name, sent)| !is_identifier(sent, found.identifier(name)));
    let fields = members("dataFields").filter(|(name, sent)| !same(sent, found.field(name)));
    let channels = members("channelProperties").filter(|(name, sent)| {
        let joins = sent.get("status").and_then(Value::as_str) == Some("subscribed");
        joins != (found.status(name).as_deref() == Some("subscribed"))
    });
    let pointers = identifiers.map(|(name, _)| ("identifiers", name)).chain(fields.map(|(name, _)| ("dataFields", name)));
    let pointers = pointers.chain(channels.map(|(name, _)| ("channelProperties", name)));
    Ok(Held::of(pointers.map(|(member, name)| format!("/{member}/{}", pointer_token(name))).collect()))
}

fn held_record(operation: &Operation, shown: &Value) -> Result<Held, Error> {
    let internal = || Error::new(ErrorCode::Internal, "a record's row is not its own");
    let (_, document) = split(&operation.body).ok_or_else(internal)?;
    let sent: Value = serde_json::from_slice(document).map_err(|error| internal().because(error))?;
    // The published type of a record is a text, the server's an object.
    let parsed: Value;
    let held = match shown.get("json") {
        Some(Value::String(text)) => {
            parsed = serde_json::from_str(text).unwrap_or_default();
            &parsed
        }
        Some(held) => held,
        None => shown,
    };
    let members = sent.as_object().into_iter().flatten();
    let differs = members.filter(|(name, sent)| !same(sent, held.get(name.as_str())));
    Ok(Held::of(differs.map(|(name, _)| format!("/json/{}", pointer_token(name))).collect()))
}

fn word(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned).or_else(|| value.as_i64().map(|number| number.to_string()))
}

fn parsed_row(operation: &Operation) -> Result<Value, Error> {
    serde_json::from_slice(&operation.body).map_err(|error| Error::new(ErrorCode::Internal, "a row is not JSON").because(error))
}

/// Whether an identifier is held; one that is gone from the shop is not taken away. Addresses differ not by case.
fn is_identifier(sent: &Value, held: Option<&str>) -> bool {
    sent.is_null() || sent.as_str().zip(held).is_some_and(|(sent, held)| sent.eq_ignore_ascii_case(held))
}

/// Whether what is held is what was sent; a date is its instant.
fn same(sent: &Value, held: Option<&Value>) -> bool {
    held::same(sent, held, |sent, held| Some(instant(sent.as_str()?)? == instant(held.as_str()?)?))
}

/// A date as Dotdigital may show it: with or without a zone, which is UTC, with or without a time.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    let midnight = |day: NaiveDate| day.and_hms_opt(0, 0, 0).map(|at| at.and_utc());
    let zoned = text.parse().ok();
    zoned.or_else(|| text.parse::<chrono::NaiveDateTime>().ok().map(|at| at.and_utc())).or_else(|| text.parse().ok().and_then(midnight))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::same;

    #[test]
    fn values_are_compared_by_what_they_mean() {
        for (sent, held) in [
            (json!(47.0), json!(47)),
            (json!("a"), json!("a")),
            (json!({"city": "Graz"}), json!({"city": "Graz", "geo": 1})),
            (json!([1, {"a": 2.50}]), json!([1.0, {"a": 2.5, "b": 3}])),
            (json!(null), json!(null)),
            (json!("2026-01-01T00:00:00Z"), json!("2026-01-01T00:00:00.000Z")),
            (json!("2026-01-01T00:00:00Z"), json!("2026-01-01T00:00:00")),
            (json!("2026-01-01T00:00:00Z"), json!("2026-01-01")),
            (json!([{"at": "2026-01-01"}]), json!([{"at": "2026-01-01T00:00:00Z", "theirs": 1}])),
        ] {
            assert!(same(&sent, Some(&held)), "{sent} {held}");
        }
        assert!(same(&json!(null), None));
        for (sent, held) in [
            (json!(47.01), json!(47)),
            (json!("a"), json!("A")),
            (json!([1]), json!([1, 2])),
            (json!({"a": 1}), json!({})),
            (json!("2026-01-01T00:00:00Z"), json!("2026-01-02")),
            (json!("2026-01-01T00:00:00Z"), json!("soon")),
            (json!("soon"), json!("later")),
            (json!("2026-01-01"), json!(2026)),
        ] {
            assert!(!same(&sent, Some(&held)), "{sent} {held}");
        }
        assert!(same(&json!("soon"), Some(&json!("soon"))));
    }
}
