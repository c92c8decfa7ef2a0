//! What Insider shows of what was written, for reconciliation: one profile read per row, of the attributes or the events that
//! the row wrote, and nothing else of the person.
//!
//! Insider accepts first and stores later, hours later at worst, so a read too soon finds nothing. The catalog and the lists of
//! unsubscriptions for text messages and WhatsApp cannot be read. Values are never told, only where they differ.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::super::{Held, Operation, Reading, Reply, Request, Verdict, held};
use super::profile::{is_yes, read_name};
use super::request::internal;
use super::{Insider, capabilities as endpoints, reply};
use crate::error::Error;
use crate::model::pointer_token;

/// Both names a purchase is known by; under which of them it is shown is not published.
const PURCHASES: [&str; 2] = ["purchase", "confirmation_page_view"];

impl Insider {
    /// The read that shows what became of an operation.
    pub(super) fn reading_back(&self, operation: &Operation) -> Option<Request> {
        let row: Value = serde_json::from_slice(&operation.body).ok()?;
        let mut body = match operation.endpoint.as_ref() {
            endpoints::UPSERT => {
                let names: Vec<String> = attributes(&row).map(|(name, _)| read_name(name)).collect();
                if names.is_empty() {
                    return None;
                }
                json!({"attributes": names})
            }
            endpoints::CONSENT => json!({"attributes": [read_name(row["flag"].as_str()?)]}),
            endpoints::LEAVE_EMAIL | endpoints::JOIN_EMAIL => {
                let identifiers = match row["uuid"].as_str() {
                    Some(uuid) => json!({"uuid": uuid}),
                    None if self.config.identifiers.email => json!({"email": row["address"]}),
                    None => return None,
                };
                json!({"identifiers": identifiers, "attributes": [self.config.unsubscribed_attribute()?]})
            }
            endpoints::PURCHASE | endpoints::BROWSE | endpoints::SIGN_UP | endpoints::CUSTOM | endpoints::CART => {
                // What changed in a cart is known when it is sent, and not before.
                json!({"events": wanted(row["events"].as_array()?)?})
            }
            endpoints::IDENTITY => {
                let new = row["new_identifier"].as_object()?;
                json!({"identifiers": new, "attributes": ["iid"]})
            }
            endpoints::DELETE | endpoints::ANONYMIZE => json!({"attributes": ["iid"]}),
            _ => return None,
        };
        for name in ["identifiers", "insider_id"] {
            if body["identifiers"].is_null() && !row[name].is_null() {
                body[name] = row[name].clone();
            }
        }
        self.call(endpoints::PROFILE, serde_json::to_vec(&body).ok()?).ok()
    }

    /// Holds the answer to [`Insider::reading_back`] against the operation.
    pub(super) fn held(&self, operation: &Operation, answer: &Reply) -> Result<Held, Error> {
        let endpoint = operation.endpoint.as_ref();
        match answer.status {
            404 if matches!(endpoint, endpoints::DELETE | endpoints::ANONYMIZE) => return Ok(Held::Same),
            404 => return Ok(Held::Missing),
            200..=299 => {}
            _ => return not_shown(operation, answer),
        }
        let row: Value = serde_json::from_slice(&operation.body).map_err(|error| internal("a row is not its own").because(error))?;
        let Ok(shown) = serde_json::from_slice::<Value>(&answer.body) else {
            return Ok(Held::Unknown("the answer cannot be read"));
        };
        let told = |right: bool| if right { Held::Same } else { Held::Differs(vec![String::new()]) };
        let held = &shown["attributes"];
        Ok(match endpoint {
            endpoints::UPSERT => {
                let differs = attributes(&row).filter(|(name, sent)| !same(sent, &held[read_name(name)]));
                Held::of(differs.map(|(name, _)| format!("/attributes/{}", pointer_token(name))).collect())
            }
            endpoints::CONSENT => {
                let flag = &held[read_name(row["flag"].as_str().unwrap_or_default())];
                if !flag.is_null() && row["granted"].as_bool() == Some(is_yes(flag)) {
                    Held::Same
                } else {
                    Held::Differs(vec!["/granted".to_owned()])
                }
            }
            endpoints::LEAVE_EMAIL | endpoints::JOIN_EMAIL => {
                let left = self.config.unsubscribed_attribute().is_some_and(|name| is_yes(&held[name]));
                told(left == (endpoint == endpoints::LEAVE_EMAIL))
            }
            endpoints::IDENTITY => Held::Same,
            endpoints::DELETE => told(false),
            endpoints::ANONYMIZE => Held::Unknown("which attributes the panel marks as personal is not shown"),
            _ => events(&row, &shown["events"]),
        })
    }
}

/// The attributes of a profile's row; the mark of its identifiers is none.
fn attributes(row: &Value) -> impl Iterator<Item = (&str, &Value)> {
    row["attributes"].as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value)).filter(|(name, _)| *name != "#")
}

/// Parameters of an event under the names they are read by.
fn parameters(event: &Value) -> BTreeMap<String, &Value> {
    let plain = event["event_params"]
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| *name != "custom")
        .map(|(name, value)| (name.clone(), value));
    let custom = event["event_params"]["custom"].as_object().into_iter().flatten().map(|(name, value)| (format!("c_{name}"), value));
    plain.chain(custom).collect()
}

fn time(value: &Value) -> Option<DateTime<Utc>> {
    value.as_str()?.parse().ok()
}

/// What is asked for: the events' names and parameters, in the seconds they happened in.
fn wanted(events: &[Value]) -> Option<Value> {
    let times: Vec<i64> = events.iter().map(|event| time(&event["timestamp"]).map(|at| at.timestamp())).collect::<Option<_>>()?;
    let mut by_name: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for event in events {
        let name = event["event_name"].as_str()?;
        let names = if PURCHASES.contains(&name) { PURCHASES.to_vec() } else { vec![name] };
        for name in names {
            let params = by_name.entry(name).or_insert_with(|| vec!["timestamp".to_owned()]);
            params.extend(parameters(event).into_keys());
        }
    }
    let wanted: Vec<Value> = by_name
        .into_iter()
        .map(|(name, mut params)| {
            params.sort_unstable();
            params.dedup();
            json!({"event_name": name, "params": params})
        })
        .collect();
    Some(json!({"start_date": times.iter().min()?, "end_date": times.iter().max()? + 1, "wanted": wanted}))
}

fn events(row: &Value, shown: &Value) -> Held {
    let (mut missing, mut differs) = (0, Vec::new());
    let sent = row["events"].as_array().map(Vec::as_slice).unwrap_or_default();
    for (index, event) in sent.iter().enumerate() {
        let name = event["event_name"].as_str().unwrap_or_default();
        let names = if PURCHASES.contains(&name) { PURCHASES.to_vec() } else { vec![name] };
        let own = names.into_iter().flat_map(|name| shown[name].as_array().into_iter().flatten());
        let at = |held: &&Value| {
            let held = ["timestamp", "created_date"].iter().find_map(|key| time(&held[*key]));
            held.is_some() && held == time(&event["timestamp"])
        };
        let then: Vec<&Value> = own.filter(at).collect();
        let params = parameters(event);
        let is_it = |held: &&&Value| params.iter().all(|(name, sent)| same(sent, &held[name.as_str()]));
        match (then.iter().find(is_it), then.is_empty()) {
            (Some(_), _) => {}
            (None, true) => missing += 1,
            (None, false) => differs.push(format!("/events/{index}")),
        }
    }
    if missing == sent.len() {
        return Held::Missing;
    }
    if missing > 0 {
        differs.push("/events".to_owned());
    }
    Held::of(differs)
}

fn not_shown(operation: &Operation, answer: &Reply) -> Result<Held, Error> {
    match reply::read(&[operation], answer) {
        Reading::Retry(refusal, after) => Ok(Held::Later(refusal, after)),
        Reading::Stop(error) => Err(error),
        Reading::Each(verdicts, _) => match verdicts.into_iter().next() {
            Some(Verdict::Retry(refusal, after)) => Ok(Held::Later(refusal, after)),
            _ => Ok(Held::Unknown("Insider does not take the question")),
        },
        _ => Ok(Held::Unknown("Insider does not take the question")),
    }
}

/// Whether what is held is what was sent. Insider shows numbers as texts, truth values in many spellings, instants in any
/// zone and lists in any order.
fn same(sent: &Value, held: &Value) -> bool {
    held::same(sent, Some(held), |sent, held| match (sent, held) {
        (Value::Number(sent), Value::String(held)) => Some(held::is_number(sent, held)),
        (Value::Bool(sent), held) if !held.is_null() => Some(*sent == is_yes(held)),
        (Value::String(_), Value::String(_)) => Some(time(sent)? == time(held)?),
        (Value::Array(sent), Value::Array(held)) => {
            Some(sent.len() == held.len() && sent.iter().all(|sent| held.iter().any(|held| same(sent, held))))
        }
        _ => None,
    })
}
