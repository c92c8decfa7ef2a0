//! What Iterable holds of what was written, for reconciliation: read per profile, event or item, compared member by member.
//!
//! Iterable accepts first and stores later, so a read too soon finds nothing. Values are never told, only where they differ.

use serde_json::Value;

use super::super::{Held, Operation, Refusal, Reply, held};
use super::capabilities as endpoints;
use super::ids;
use super::join::Named;
use super::subscription::{self, Lookup, look_up};
use crate::error::{Error, ErrorCode};
use crate::model::pointer_token;

/// The most recent events that one read shows.
const MOST_EVENTS: &str = "200";

/// A read: endpoint and path.
pub(super) struct Read {
    pub endpoint: &'static str,
    pub path: String,
}

/// The read that shows what became of an operation.
pub(super) fn read(operation: &Operation) -> Option<Read> {
    match operation.endpoint.as_ref() {
        endpoints::PURCHASE => event_read(&whose(body(operation)?.get("user")?)?),
        endpoints::TRACK | endpoints::TRACK_BULK => event_read(&whose(&body(operation)?)?),
        endpoints::CATALOG_PATCH | endpoints::CATALOG_REPLACE | endpoints::CATALOG_DELETE => {
            let mut path = "/api/catalogs/".to_owned();
            ids::percent(operation.params.get("catalog")?, &mut path);
            path.push_str("/items/");
            ids::percent(operation.params.get("id")?, &mut path);
            Some(Read { endpoint: endpoints::CATALOG_ITEM, path })
        }
        endpoints::USERS_BULK
        | endpoints::USERS_UPDATE
        | endpoints::LIST_SUBSCRIBE
        | endpoints::LIST_UNSUBSCRIBE
        | endpoints::FORGET
        | endpoints::DELETE_BY_EMAIL
        | endpoints::DELETE_BY_USER_ID => Some(profile_read(&whose(&body(operation)?)?)),
        endpoints::SUBSCRIBE_EMAIL
        | endpoints::SUBSCRIBE_USER_ID
        | endpoints::UNSUBSCRIBE_EMAIL
        | endpoints::UNSUBSCRIBE_USER_ID
        | endpoints::SUBSCRIPTIONS => Some(profile_read(&subscription::subscription(operation).ok()?.named().ok()?)),
        // A cart is gone with the next purchase, a merge leaves no trace, a journey is not shown.
        _ => None,
    }
}

fn body(operation: &Operation) -> Option<Value> {
    serde_json::from_slice(&operation.body).ok()
}

fn whose(row: &Value) -> Option<Named> {
    let text = |name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
    text("email").map(Named::Email).or_else(|| text("userId").map(Named::UserId))
}

pub(super) fn profile_read(named: &Named) -> Read {
    let (endpoint, mut path, id) = match named {
        Named::Email(email) => (endpoints::GET_BY_EMAIL, "/api/users/getByEmail?email=".to_owned(), email),
        Named::UserId(id) => (endpoints::GET_BY_USER_ID, "/api/users/byUserId?userId=".to_owned(), id),
    };
    ids::percent(id, &mut path);
    Read { endpoint, path }
}

/// The read of all that happened to a person, custom events left out.
pub(super) fn history_read(named: &Named) -> Read {
    let (mut path, id) = match named {
        Named::Email(email) => ("/api/export/userEvents?email=".to_owned(), email),
        Named::UserId(id) => ("/api/export/userEvents?userId=".to_owned(), id),
    };
    ids::percent(id, &mut path);
    path.push_str("&includeCustomEvents=false");
    Read { endpoint: endpoints::EXPORT_EVENTS, path }
}

fn event_read(named: &Named) -> Option<Read> {
    let (endpoint, mut path, id) = match named {
        Named::Email(email) => (endpoints::EVENTS_BY_EMAIL, "/api/events/".to_owned(), email),
        Named::UserId(id) => (endpoints::EVENTS_BY_USER_ID, "/api/events/byUserId/".to_owned(), id),
    };
    ids::percent(id, &mut path);
    path.push_str("?limit=");
    path.push_str(MOST_EVENTS);
    Some(Read { endpoint, path })
}

/// Holds the answer to [`read`] against the operation.
pub(super) fn compare(operation: &Operation, reply: &Reply) -> Result<Held, Error> {
    match operation.endpoint.as_ref() {
        endpoints::PURCHASE | endpoints::TRACK | endpoints::TRACK_BULK => event(operation, reply),
        endpoints::CATALOG_PATCH | endpoints::CATALOG_REPLACE | endpoints::CATALOG_DELETE => item(operation, reply),
        _ => person(operation, reply),
    }
}

fn person(operation: &Operation, answer: &Reply) -> Result<Held, Error> {
    let gone = matches!(operation.endpoint.as_ref(), endpoints::FORGET | endpoints::DELETE_BY_EMAIL | endpoints::DELETE_BY_USER_ID);
    match look_up(answer)? {
        Lookup::Later(refusal, after) => return Ok(Held::Later(refusal, after)),
        Lookup::Nobody | Lookup::Forgotten(_) if gone => return Ok(Held::Same),
        Lookup::Nobody | Lookup::Forgotten(_) => return Ok(Held::Missing),
        Lookup::Found(_) if gone => return Ok(Held::Differs(vec![String::new()])),
        Lookup::Found(_) => {}
    }
    let found = parsed(answer)?;
    let held = found.pointer("/user/dataFields").unwrap_or(&Value::Null);
    let lists = |name: &str, id: u64| held.get(name).and_then(Value::as_array).is_some_and(|ids| ids.contains(&id.into()));
    let told = |right: bool, member: &str| if right { Held::Same } else { Held::Differs(vec![member.to_owned()]) };
    match operation.endpoint.as_ref() {
        endpoints::LIST_SUBSCRIBE | endpoints::LIST_UNSUBSCRIBE => {
            let list: u64 = operation.group.parse().map_err(|_| Error::new(ErrorCode::Internal, "a list has no id"))?;
            let on = lists("emailListIds", list) || lists("userListIds", list);
            Ok(told(on == (operation.endpoint == endpoints::LIST_SUBSCRIBE), ""))
        }
        endpoints::USERS_BULK | endpoints::USERS_UPDATE => {
            let sent = parsed_row(operation)?;
            let mut differs = Vec::new();
            for (name, sent) in sent.get("dataFields").and_then(Value::as_object).into_iter().flatten() {
                let other = if name == "email" { found.pointer("/user/email").or(held.get(name)) } else { held.get(name) };
                let same = match (name.as_str(), sent.as_str(), other.and_then(Value::as_str)) {
                    ("email", Some(sent), Some(other)) => sent.eq_ignore_ascii_case(other),
                    _ => same(sent, other),
                };
                if !same {
                    differs.push(format!("/dataFields/{}", pointer_token(name)));
                }
            }
            Ok(Held::of(differs))
        }
        _ => {
            let (granted, opt_in, kind) = subscription::subscription(operation)?.wanted();
            let (joined, left) = (lists("subscribedMessageTypeIds", kind), lists("unsubscribedMessageTypeIds", kind));
            Ok(told(if opt_in { joined == granted } else { left != granted }, "/granted"))
        }
    }
}

fn event(operation: &Operation, answer: &Reply) -> Result<Held, Error> {
    if let Some(held) = not_shown(answer)? {
        return Ok(held);
    }
    let (sent, shown) = (parsed_row(operation)?, parsed(answer)?);
    let events = shown.get("events").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let Some(event) = events.iter().find(|event| event.get("id").is_some() && event.get("id") == sent.get("id")) else {
        let all = MOST_EVENTS.parse().is_ok_and(|most: usize| events.len() < most);
        return Ok(if all { Held::Missing } else { Held::Unknown("the person has more events than one read shows") });
    };
    let held = event.get("dataFields");
    let mut differs = Vec::new();
    for (name, sent) in sent.get("dataFields").and_then(Value::as_object).into_iter().flatten() {
        // Some answers show an event's own fields beside its id.
        let other = held.and_then(|held| held.get(name)).or_else(|| event.get(name));
        if !same(sent, other) {
            differs.push(format!("/dataFields/{}", pointer_token(name)));
        }
    }
    if let (Some(sent), Some(other)) = (sent.get("total"), event.get("total"))
        && !same(sent, Some(other))
    {
        differs.push("/total".to_owned());
    }
    Ok(Held::of(differs))
}

fn item(operation: &Operation, answer: &Reply) -> Result<Held, Error> {
    let gone = operation.endpoint == endpoints::CATALOG_DELETE;
    if answer.status == 404 {
        return Ok(if gone { Held::Same } else { Held::Missing });
    }
    if let Some(held) = not_shown(answer)? {
        return Ok(held);
    }
    if gone {
        return Ok(Held::Differs(vec![String::new()]));
    }
    let (sent, shown) = (parsed_row(operation)?, parsed(answer)?);
    let held = shown.get("value").unwrap_or(&Value::Null);
    let members = sent.as_object().into_iter().flatten();
    let differs = members.filter(|(name, sent)| !same(sent, held.get(name.as_str())));
    Ok(Held::of(differs.map(|(name, _)| format!("/{}", pointer_token(name))).collect()))
}

/// What an answer that shows nothing means; `None` when it shows something.
fn not_shown(answer: &Reply) -> Result<Option<Held>, Error> {
    let refusal = |code| Refusal::new(code, format!("http_{}", answer.status), "Iterable does not show it now");
    match answer.status {
        200..=299 => Ok(None),
        408 => Ok(Some(Held::Later(refusal(ErrorCode::Timeout), answer.retry_after()))),
        429 => Ok(Some(Held::Later(refusal(ErrorCode::RateLimited), answer.retry_after()))),
        500..=599 => Ok(Some(Held::Later(refusal(ErrorCode::Unavailable), answer.retry_after()))),
        401 | 403 => Err(Error::new(ErrorCode::Unauthorized, "the key may not read; a server-side key is needed")),
        status => Err(Error::new(ErrorCode::Rejected, "Iterable does not show it").with("status", status.to_string())),
    }
}

fn parsed(answer: &Reply) -> Result<Value, Error> {
    serde_json::from_slice(&answer.body).map_err(|error| Error::new(ErrorCode::Unavailable, "the answer cannot be read").because(error))
}

fn parsed_row(operation: &Operation) -> Result<Value, Error> {
    serde_json::from_slice(&operation.body).map_err(|error| Error::new(ErrorCode::Internal, "a row is not JSON").because(error))
}

/// Iterable shows values as they were sent.
fn same(sent: &Value, held: Option<&Value>) -> bool {
    held::same(sent, held, |_, _| None)
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
        ] {
            assert!(same(&sent, Some(&held)), "{sent} {held}");
        }
        assert!(same(&json!(null), None));
        for (sent, held) in [(json!(47.01), json!(47)), (json!("a"), json!("A")), (json!([1]), json!([1, 2])), (json!({"a": 1}), json!({}))]
        {
            assert!(!same(&sent, Some(&held)), "{sent} {held}");
        }
    }
}
