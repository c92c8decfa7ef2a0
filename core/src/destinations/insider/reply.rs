//! Insider's answers → verdicts.
//!
//! HTTP 200 says only that the batch could be read: rejected users and records are listed in the body
//! (<https://academy.insiderone.com/docs/api-status-and-error-codes>). Vendor messages are never passed on: they echo what
//! was sent.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::super::{Operation, Reading, Refusal, Reply, Verdict};
use super::capabilities as endpoints;
use crate::error::{Error, ErrorCode, Retry};

/// The answer to an upsert. `successful` and `fail` are `{}` when there are none.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Upserted {
    data: Counts,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Counts {
    successful: Successful,
    fail: Failed,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Successful {
    count: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Failed {
    count: u64,
    errors: BTreeMap<String, Value>,
}

/// The answer to a catalog call.
#[derive(Deserialize)]
struct Ingested {
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    valid: Successful,
    #[serde(default)]
    invalid: Findings,
    #[serde(default)]
    warnings: Findings,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Findings {
    count: u64,
    details: Vec<Detail>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Detail {
    field: Value,
    message: String,
    count: u64,
    document_ids: Vec<String>,
}

/// Any error's body.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    error: Value,
    message: Value,
    #[serde(rename = "statusMessage")]
    status_message: Value,
}

/// Reads the answer to one request.
pub(super) fn read(operations: &[&Operation], reply: &Reply) -> Reading {
    if !(200..300).contains(&reply.status) {
        return refused(operations, reply);
    }
    if !reply.body.trim_ascii_start().starts_with(b"{") {
        return unreadable("the answer is no JSON object");
    }
    let endpoint = operations.first().map_or("", |operation| operation.endpoint.as_ref());
    match endpoint {
        endpoints::UPSERT
        | endpoints::CONSENT
        | endpoints::PURCHASE
        | endpoints::CART
        | endpoints::BROWSE
        | endpoints::SIGN_UP
        | endpoints::CUSTOM => upserted(operations, reply),
        endpoints::INGEST | endpoints::UPDATE => ingested(operations, reply),
        // `{}`, or `{"statusMessage": "OK"}`: no word about single records.
        _ => accepted(operations, Vec::new()),
    }
}

fn accepted(operations: &[&Operation], warnings: Vec<String>) -> Reading {
    Reading::Each(operations.iter().map(|_| Verdict::Accepted).collect(), warnings)
}

fn unreadable(message: &str) -> Reading {
    // Nobody knows which rows it took; every row may be sent again.
    Reading::Retry(Refusal::new(ErrorCode::Unavailable, "unreadable_reply", message), None)
}

fn upserted(operations: &[&Operation], reply: &Reply) -> Reading {
    let Ok(answer) = serde_json::from_slice::<Upserted>(&reply.body) else { return unreadable("the answer is not JSON") };
    let (taken, failed) = (answer.data.successful.count, answer.data.fail);
    if failed.count == 0 && failed.errors.is_empty() {
        return match taken {
            Some(count) if count == operations.len() as u64 => accepted(operations, Vec::new()),
            // The call that clears attributes instead answers `{}`.
            None if reply.body.trim_ascii() == b"{}" && operations.len() == 1 => accepted(operations, Vec::new()),
            _ if operations.len() == 1 && taken.is_none() => unreadable("the answer counts nothing"),
            _ => Reading::Split(Refusal::new(ErrorCode::Rejected, "counts", "fewer users are counted than were sent")),
        };
    }
    let mut rules: BTreeMap<usize, &str> = BTreeMap::new();
    let mut stray = false;
    for key in failed.errors.keys() {
        match index(key).filter(|(at, _)| *at < operations.len()) {
            Some((at, rule)) => drop(rules.entry(at).or_insert(rule)),
            None => stray = true,
        }
    }
    let unmatched = stray || rules.len() as u64 != failed.count || taken.unwrap_or(0) + failed.count != operations.len() as u64;
    if operations.len() == 1 {
        let rule = rules.values().next().copied().unwrap_or("fail");
        return Reading::Each(vec![Verdict::Rejected(broken(rule))], Vec::new());
    }
    if unmatched {
        return Reading::Split(Refusal::new(ErrorCode::Rejected, "counts", "some users failed, and which ones cannot be told"));
    }
    let verdict = |at: usize| rules.get(&at).map_or(Verdict::Accepted, |rule| Verdict::Rejected(broken(rule)));
    Reading::Each((0..operations.len()).map(verdict).collect(), Vec::new())
}

/// `users.3.events.0.event_name.*.regexp(…)` as 3 and `events.0.event_name.*.regexp`.
fn index(key: &str) -> Option<(usize, &str)> {
    let (at, rule) = key.strip_prefix("users.")?.split_once('.')?;
    Some((at.parse().ok()?, rule.split('(').next().unwrap_or(rule)))
}

fn broken(rule: &str) -> Refusal {
    let rule = safe_name(rule);
    let message = if rule.contains("event_name") {
        "the event's name breaks Insider's rule"
    } else if rule.starts_with("events") {
        "a parameter that Insider requires of this event is missing or has a wrong form"
    } else if rule.starts_with("identifiers") {
        "Insider does not take an identifier; check its form and the account's identity resolution settings"
    } else {
        "Insider does not take the user"
    };
    Refusal::new(ErrorCode::Rejected, rule, message)
}

/// The rule that a call for one user broke, although it answered 200.
pub(super) fn failures(reply: &Reply) -> Option<String> {
    let answer = serde_json::from_slice::<Upserted>(&reply.body).ok()?;
    let failed = answer.data.fail;
    (failed.count > 0)
        .then(|| failed.errors.keys().next().and_then(|key| index(key)).map_or_else(|| "fail".to_owned(), |(_, rule)| safe_name(rule)))
}

fn ingested(operations: &[&Operation], reply: &Reply) -> Reading {
    #[derive(Deserialize)]
    struct Row {
        item_id: String,
    }
    let Ok(answer) = serde_json::from_slice::<Ingested>(&reply.body) else { return unreadable("the answer is not JSON") };
    let Message { valid, invalid, warnings } = answer.message;
    let noted: Vec<String> = warnings
        .details
        .iter()
        .take(10)
        .map(|detail| format!("Insider's catalog warns about `{}` of {} record(s)", field(detail), detail.count.max(1)))
        .collect();
    if invalid.count == 0 && invalid.details.is_empty() {
        let counted = valid.count.is_none_or(|count| count == operations.len() as u64);
        return if counted || operations.len() == 1 {
            accepted(operations, noted)
        } else {
            Reading::Split(Refusal::new(ErrorCode::Rejected, "counts", "fewer records are counted than were sent"))
        };
    }
    let mut named: BTreeMap<&str, &Detail> = BTreeMap::new();
    for detail in &invalid.details {
        for id in &detail.document_ids {
            named.entry(id).or_insert(detail);
        }
    }
    // What is gone need not be there to be hidden.
    let gone = operations.first().is_some_and(|operation| operation.group.ends_with(" gone"));
    let mut matched = BTreeSet::new();
    let verdicts: Vec<Verdict> = operations
        .iter()
        .map(|operation| {
            let id = serde_json::from_slice::<Row>(&operation.body).map(|row| row.item_id).unwrap_or_default();
            match named.get(id.as_str()) {
                Some(detail) => {
                    matched.insert(id);
                    if gone { Verdict::Accepted } else { Verdict::Rejected(unfit(detail)) }
                }
                None => Verdict::Accepted,
            }
        })
        .collect();
    if operations.len() == 1 && matched.is_empty() {
        let detail = invalid
            .details
            .first()
            .map_or_else(|| Refusal::new(ErrorCode::Rejected, "invalid", "the catalog does not take the record"), unfit);
        return Reading::Each(vec![if gone { Verdict::Accepted } else { Verdict::Rejected(detail) }], noted);
    }
    if (matched.len() as u64) < invalid.count {
        return Reading::Split(Refusal::new(ErrorCode::Rejected, "invalid", "more records failed than are named"));
    }
    Reading::Each(verdicts, noted)
}

fn field(detail: &Detail) -> String {
    safe_name(detail.field.as_str().unwrap_or_default())
}

fn unfit(detail: &Detail) -> Refusal {
    let says = |word: &str| detail.message.to_ascii_lowercase().contains(word);
    let (code, message) = if says("size limit") {
        (ErrorCode::TooLarge, "the record is larger than the catalog takes")
    } else if says("not found") || says("not exist") || says("does not exist") {
        (ErrorCode::NotFound, "the record or its locale is not in the catalog: ingest it first, and make the locale in the panel")
    } else {
        (ErrorCode::Rejected, "a field of the record has a value the catalog does not take")
    };
    let name = field(detail);
    Refusal::new(code, if name.is_empty() { "invalid".to_owned() } else { name }, message)
}

/// What an error says, in lower case.
fn said(reply: &Reply) -> String {
    let problem = serde_json::from_slice::<Problem>(&reply.body).unwrap_or_default();
    let words = [problem.error, problem.message, problem.status_message];
    let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
    if words.is_empty() {
        String::from_utf8_lossy(reply.body.get(..400).unwrap_or(&reply.body)).to_lowercase()
    } else {
        words.join(" ").to_lowercase()
    }
}

/// Whether the answer says that there is no such partner.
pub(super) fn is_partner_unknown(reply: &Reply) -> bool {
    said(reply).contains("partner is invalid")
}

fn refused(operations: &[&Operation], reply: &Reply) -> Reading {
    let said = said(reply);
    let endpoint = operations.first().map_or("", |operation| operation.endpoint.as_ref());
    let code = format!("http_{}", reply.status);
    let refusal = |kind: ErrorCode, message: &str| Refusal::new(kind, code.clone(), message);
    let alone = operations.len() <= 1;
    let reject = |kind: ErrorCode, message: &str| {
        let why = refusal(kind, message);
        if alone { Reading::Each(vec![Verdict::Rejected(why)], Vec::new()) } else { Reading::Split(why) }
    };
    let stop = |kind: ErrorCode, message: &'static str| {
        Reading::Stop(Error::new(kind, message).with("vendor_code", code.clone()).with("endpoint", endpoint.to_owned()).retry(Retry::Never))
    };
    match reply.status {
        429 => Reading::Retry(refusal(ErrorCode::RateLimited, "Insider asks to slow down"), reply.retry_after()),
        // Throttling that calls itself forbidden.
        403 if said.contains("too many") || said.contains("requests/minute") => {
            Reading::Retry(refusal(ErrorCode::RateLimited, "Insider asks to slow down"), reply.retry_after())
        }
        408 => Reading::Retry(refusal(ErrorCode::Timeout, "Insider gave up waiting"), reply.retry_after()),
        500..=599 => Reading::Retry(refusal(ErrorCode::Unavailable, "Insider cannot serve right now"), reply.retry_after()),
        401 => stop(ErrorCode::Unauthorized, "Insider does not know the key; each host wants a key of its own type"),
        403 => stop(ErrorCode::Forbidden, "Insider forbids the call; check partner name, key, the key's list of addresses and the package"),
        300..=399 => stop(ErrorCode::NotFound, "the server sends elsewhere; check `base_url` and `hosts`"),
        400 if said.contains("partner is invalid") => {
            stop(ErrorCode::Unauthorized, "Insider does not know the partner name; it is in lower case")
        }
        404 if matches!(endpoint, endpoints::DELETE | endpoints::ANONYMIZE) => accepted(operations, Vec::new()),
        413 => reject(ErrorCode::TooLarge, "the request is larger than Insider takes"),
        400 if said.contains("bigger than maximum") || said.contains("maximum allowed") => {
            reject(ErrorCode::TooLarge, "the request is larger than Insider takes")
        }
        400 if endpoint == endpoints::IDENTITY => match said.as_str() {
            text if text.contains("are the same") => accepted(operations, Vec::new()),
            text if text.contains("already has a user") => {
                reject(ErrorCode::Conflict, "another profile has the new identifier; merge them, or set `identity_conflict` to `merge`")
            }
            text if text.contains("no valid identifier") => {
                reject(ErrorCode::Rejected, "the identifier is not switched on in the account's identity resolution settings")
            }
            _ => reject(ErrorCode::Rejected, "Insider does not change the identifier"),
        },
        404 => reject(ErrorCode::NotFound, "there is no such call, or the package lacks it"),
        _ => reject(ErrorCode::Rejected, "Insider refused the request"),
    }
}

/// A vendor's word as far as it cannot hold a person: what looks like an address or runs long is cut.
fn safe_name(word: &str) -> String {
    word.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '*')).take(80).collect()
}
