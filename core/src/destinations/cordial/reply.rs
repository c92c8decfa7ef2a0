//! Cordial's answers → verdicts.
//!
//! The status decides and the body refines. Errors come in six shapes, `error` may be a truth value or a text, lists may
//! stand where objects are meant, and numbers may be texts; so bodies are read loosely. Vendor texts are never passed on:
//! they can echo what was sent.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::DateTime;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::{Job, Operation, Reading, Refusal, Reply, Skip, Verdict};
use super::build::Grant;
use super::config::{Config, UnknownAttributes};
use super::{capabilities as endpoints, files, internal, schema};
use crate::error::{Error, ErrorCode, Retry};
use crate::model::{Instant, SkipReason};

/// What an error says, from all the places it may stand in.
pub(super) struct Complaint {
    /// Cordial's word, as far as it can hold nothing personal.
    key: String,
    /// All texts, lower-cased, for matching only.
    text: String,
    /// Attribute or list that the account does not know.
    unknown: Option<String>,
}

impl Complaint {
    pub(super) fn of(reply: &Reply) -> Complaint {
        let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let mut texts = String::new();
        for member in ["error", "message", "messages", "errors", "fieldErrors"] {
            gather(&body[member], &mut texts);
        }
        let unknown = texts.find(" is not part of the schema").and_then(|end| {
            let before = &texts[..end];
            let start = before.rfind("key ").map(|at| at + 4)?;
            let name = before[start..].trim_matches(['"', '\'', '`', ' ']);
            (!name.is_empty() && name.len() <= 160 && !name.contains('@')).then(|| name.to_owned())
        });
        let key = match body["errorKey"].as_str() {
            Some(key) if !key.is_empty() => safe(key),
            _ => format!("http_{}", reply.status),
        };
        Complaint { key, text: texts.to_lowercase(), unknown }
    }

    fn says(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.text.contains(word))
    }

    pub(super) fn nobody(&self) -> bool {
        self.key == "CONTACTS_CONTACT_NOT_FOUND"
            || (self.says(&["contact"]) && self.says(&["doesn't exist", "does not exist", "not found"]))
    }
}

fn gather(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => {
            out.push_str(text);
            out.push('\n');
        }
        Value::Array(values) => values.iter().for_each(|value| gather(value, out)),
        Value::Object(members) => {
            for (name, value) in members {
                out.push_str(name);
                out.push(' ');
                gather(value, out);
            }
        }
        _ => {}
    }
}

fn safe(word: &str) -> String {
    word.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')).take(64).collect()
}

/// Reads the answer to one request.
pub(super) fn read(config: &Config, poll_after: Duration, operations: &[&Operation], reply: &Reply) -> Reading {
    let endpoint = operations.first().map_or("", |operation| operation.endpoint.as_ref());
    match (reply.status, operations) {
        (200..=299, [operation]) if schema::is_look(endpoint) => each(operations, || schema::found(operation, reply)),
        (200..=299, _) => accepted(endpoint, poll_after, operations, reply),
        _ => refused(endpoint, config, operations, reply),
    }
}

fn accepted(endpoint: &str, poll_after: Duration, operations: &[&Operation], reply: &Reply) -> Reading {
    if endpoint.starts_with("files.") {
        return match files::file(operations) {
            Ok(file) => Reading::Job(Job { id: format!("{}{file}", files::LAID), poll_after: Duration::ZERO }),
            Err(error) => Reading::Stop(error),
        };
    }
    if reply.body.trim_ascii_start().starts_with(b"<") {
        let why = Refusal::new(ErrorCode::Unavailable, "unreadable_reply", "the answer is a web page");
        return Reading::Retry(why, None);
    }
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    // A 200 that says `success: false` or `error: true` is none.
    if body["success"] == Value::Bool(false) || body["error"] == Value::Bool(true) {
        let key = Complaint::of(reply).key;
        return each(operations, || Verdict::Rejected(Refusal::new(ErrorCode::Rejected, key.clone(), "Cordial refused the record")));
    }
    if endpoint == endpoints::MERGE {
        return match job_id(&body["jobID"]).or_else(|| job_id(&body["jobId"])) {
            Some(id) => Reading::Job(Job { id: format!("{}{id}", files::RUNNING), poll_after }),
            None => each(operations, || Verdict::Accepted),
        };
    }
    each(operations, || Verdict::Accepted)
}

/// A job's id: a text, or an object around one.
fn job_id(value: &Value) -> Option<String> {
    let text = value.as_str().or_else(|| value["$oid"].as_str()).or_else(|| value["_id"].as_str()).or_else(|| value["$id"].as_str())?;
    Some(safe(text)).filter(|id| !id.is_empty())
}

fn each(operations: &[&Operation], verdict: impl Fn() -> Verdict) -> Reading {
    Reading::Each(operations.iter().map(|_| verdict()).collect(), Vec::new())
}

fn refused(endpoint: &str, config: &Config, operations: &[&Operation], reply: &Reply) -> Reading {
    if let Some(reading) = common(endpoint, reply) {
        return reading;
    }
    let complaint = Complaint::of(reply);
    let refusal = |code: ErrorCode, message: &str| Refusal::new(code, complaint.key.clone(), message);
    let reject = |code: ErrorCode, message: &str| each(operations, || Verdict::Rejected(refusal(code, message)));
    let gone = |detail: &str| each(operations, || Verdict::Discarded(SkipReason::Superseded, detail.to_owned()));
    if endpoint.starts_with("files.") {
        return match reply.status {
            413 if operations.len() > 1 => Reading::Split(refusal(ErrorCode::TooLarge, "the place for files takes none this large")),
            413 => reject(ErrorCode::TooLarge, "the place for files takes none this large"),
            _ => Reading::Stop(
                Error::new(ErrorCode::InvalidConfig, "the file could not be laid; check `imports`")
                    .with("status", reply.status.to_string()),
            ),
        };
    }
    match (endpoint, reply.status) {
        // Nothing to delete, to empty, to give a new address: what was wanted.
        (endpoints::DELETE | endpoints::CART_DELETE | endpoints::RECORD_DELETE, 404) | (endpoints::PRODUCT_DELETE, 400 | 404) => {
            return each(operations, || Verdict::Accepted);
        }
        (endpoints::RENAME, 404) => return gone("there is no contact with the old address"),
        (endpoints::MERGE, 403) => {
            return reject(ErrorCode::Forbidden, "merging is not switched on at Cordial; ask for it or set `merge` to false");
        }
        (endpoints::MERGE, 404 | 422) if complaint.says(&["exist", "not found", "not_found"]) => {
            return gone("there is no second contact to merge");
        }
        (endpoints::CART_DELETE, 422) if complaint.nobody() => return each(operations, || Verdict::Accepted),
        (endpoints::UNSUBSCRIBE, 422) if complaint.says(&["channel"]) => {
            return gone("the contact has no such channel, so there is nothing to leave");
        }
        (endpoints::ORDER, 422) if complaint.says(&["must be unique"]) => {
            // Somebody made it between the read and the write, such as our own call whose answer was lost.
            let why = refusal(ErrorCode::Conflict, "the order is known by now; it is updated");
            return each(operations, || Verdict::Retry(why.clone(), Some(Duration::from_secs(1))));
        }
        // Somebody made it between the look and this call.
        (endpoints::MAKE_ATTRIBUTE | endpoints::MAKE_LIST, 400 | 409 | 422) if complaint.says(&["exist", "unique", "taken", "already"]) => {
            return each(operations, || Verdict::Accepted);
        }
        (_, 404 | 422 | 400) if complaint.nobody() => {
            let why = refusal(ErrorCode::NotFound, "the contact does not exist yet");
            return each(operations, || Verdict::Retry(why.clone(), None));
        }
        (_, 404) => return reject(ErrorCode::NotFound, not_there(endpoint)),
        (_, 413) => return reject(ErrorCode::TooLarge, "the request is larger than Cordial takes"),
        (_, 409) => return reject(ErrorCode::Conflict, "another contact has this value; merge them at Cordial"),
        _ => {}
    }
    if let (Some(name), [operation]) = (&complaint.unknown, operations) {
        let name = safe_key(name);
        let message = format!("the account has no attribute or list `{name}`; attributes are told apart by case");
        let contact = matches!(endpoint, endpoints::CONTACT | endpoints::CONTACT_ASYNC);
        match config.unknown_attributes {
            UnknownAttributes::Create if contact => {
                if let Some(look) = schema::look(config, operation, &name) {
                    let why = refusal(ErrorCode::Rejected, &message);
                    return each(operations, || Verdict::First(schema::first(vec![look.clone()], why.clone())));
                }
            }
            UnknownAttributes::Drop if contact => {
                if let Some(body) = without(&operation.body, &name) {
                    return Reading::Each(vec![Verdict::Amended(body, format!("{message}; sent without it"))], Vec::new());
                }
            }
            _ => {}
        }
        return reject(ErrorCode::Rejected, &message);
    }
    if complaint.says(&["unique"]) {
        return reject(ErrorCode::Conflict, "another contact has this address or id; merge them at Cordial");
    }
    reject(ErrorCode::Rejected, "Cordial refused the record; its Account Monitor shows why")
}

fn not_there(endpoint: &str) -> &'static str {
    if endpoint.starts_with("supplements.") {
        "there is no such supplement; create it at Cordial before sending"
    } else {
        "there is no such record"
    }
}

/// What an error means whatever was asked.
fn common(endpoint: &str, reply: &Reply) -> Option<Reading> {
    let key = Complaint::of(reply).key;
    let refusal = |code: ErrorCode, message: &str| Refusal::new(code, key.clone(), message);
    Some(match reply.status {
        401 => Reading::Stop(credentials(reply)),
        403 if endpoint != endpoints::MERGE => Reading::Stop(
            Error::new(ErrorCode::Forbidden, "the key may not make this call, or not from this address; change it in Cordial's console")
                .with("endpoint", endpoint.to_owned()),
        ),
        300..=399 => Reading::Stop(Error::new(ErrorCode::NotFound, "the server sends elsewhere; check `base_url` and `region`")),
        415 => Reading::Stop(Error::new(ErrorCode::Internal, "Cordial does not take this kind of body")),
        408 => Reading::Retry(refusal(ErrorCode::Timeout, "Cordial gave up waiting"), reply.retry_after()),
        429 => Reading::Retry(refusal(ErrorCode::RateLimited, "Cordial asks to slow down"), pause(reply)),
        500..=599 => Reading::Retry(refusal(ErrorCode::Unavailable, "Cordial cannot serve right now"), reply.retry_after()),
        _ => return None,
    })
}

/// How long Cordial asks to wait: two headers say it, both in seconds.
fn pause(reply: &Reply) -> Option<Duration> {
    reply.retry_after().or_else(|| reply.header("x-rate-limit-reset")?.trim().parse().ok().map(Duration::from_secs))
}

fn credentials(reply: &Reply) -> Error {
    Error::new(ErrorCode::Unauthorized, "Cordial does not know the key; check it, the region, and the addresses the key allows")
        .with("status", reply.status.to_string())
        .retry(Retry::Never)
}

fn safe_key(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')).take(128).collect()
}

type Members = BTreeMap<String, Box<RawValue>>;

/// The row of a contact without an attribute or list, or one address without its parts; `None` when it is not there.
fn without(body: &[u8], name: &str) -> Option<Vec<u8>> {
    let mut row: Members = serde_json::from_slice(body).ok()?;
    let mut attributes: Members = serde_json::from_str(row.get("attributes")?.get()).ok()?;
    let before = attributes.len();
    let part = format!("{name}.");
    attributes.retain(|key, _| key == "channels" || (key != name && !key.starts_with(&part)));
    if attributes.len() == before {
        return None;
    }
    row.insert("attributes".to_owned(), serde_json::value::to_raw_value(&attributes).ok()?);
    serde_json::to_vec(&row).ok()
}

// -- jobs ------------------------------------------------------------------------------------------------------------

/// Reads how a job stands: a file that is to be imported, or an import or merge under way.
pub(super) fn read_poll(operations: &[&Operation], job: &str, reply: &Reply, poll_after: Duration) -> Reading {
    let endpoint = operations.first().map_or("", |operation| operation.endpoint.as_ref());
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    if job.starts_with(files::LAID) {
        return imported(reply, &body, poll_after);
    }
    if let 200..=299 = reply.status {
        return finished(endpoint, operations, job, &body, poll_after);
    }
    common("jobs.get", reply).unwrap_or_else(|| {
        let why = Refusal::new(ErrorCode::NotFound, format!("http_{}", reply.status), "Cordial does not know the job any more");
        Reading::Retry(why, None)
    })
}

fn imported(reply: &Reply, body: &Value, poll_after: Duration) -> Reading {
    if let 200..=299 = reply.status {
        return match job_id(&body["jobId"]).or_else(|| job_id(&body["jobID"])) {
            Some(id) => Reading::Job(Job { id: format!("{}{id}", files::RUNNING), poll_after }),
            None => Reading::Retry(Refusal::new(ErrorCode::Unavailable, "no_job", "the import was taken without naming its job"), None),
        };
    }
    common("imports", reply).unwrap_or_else(|| {
        Reading::Stop(
            Error::new(ErrorCode::InvalidConfig, "Cordial cannot fetch the file or does not take the import; check `imports`")
                .with("vendor_code", Complaint::of(reply).key)
                .with("status", reply.status.to_string()),
        )
    })
}

fn finished(endpoint: &str, operations: &[&Operation], job: &str, body: &Value, poll_after: Duration) -> Reading {
    let status = body["status"].as_str().unwrap_or_default().to_ascii_lowercase();
    match status.as_str() {
        "failed" if endpoint == endpoints::MERGE => {
            each(operations, || Verdict::Rejected(Refusal::new(ErrorCode::Rejected, "job_failed", "Cordial could not merge the contacts")))
        }
        "failed" => {
            let why = Refusal::new(ErrorCode::Unavailable, "job_failed", "the import ended before its rows were read");
            each(operations, || Verdict::Retry(why.clone(), None))
        }
        "done" if endpoint == endpoints::MERGE => each(operations, || Verdict::Accepted),
        "done" => {
            let count = |name: &str| number(&body["result"][name]);
            let bad = count("rejected") + count("error");
            let refusal = Refusal::new(
                ErrorCode::Rejected,
                "rejected_rows",
                format!("Cordial refused {bad} row(s) of the file; its console shows them"),
            );
            if bad == 0 {
                let ignored = count("ignored");
                let warnings = if ignored > 0 { vec![format!("Cordial ignored {ignored} row(s) of an import")] } else { Vec::new() };
                Reading::Each(operations.iter().map(|_| Verdict::Accepted).collect(), warnings)
            } else if operations.len() == 1 || bad >= operations.len() as u64 {
                each(operations, || Verdict::Rejected(refusal.clone()))
            } else {
                // Nothing says which: the rest is written again as it is, which changes nothing.
                Reading::Split(refusal)
            }
        }
        _ => Reading::Job(Job { id: job.to_owned(), poll_after }),
    }
}

/// A count, which may be a text.
fn number(value: &Value) -> u64 {
    value.as_u64().or_else(|| value.as_str()?.parse().ok()).unwrap_or(0)
}

// -- orders ----------------------------------------------------------------------------------------------------------

/// Whether something is there.
#[derive(Debug)]
pub(super) enum Known {
    Yes,
    No,
    Later(Refusal, Option<Duration>),
}

/// Reads whether the order is there.
pub(super) fn order_is_known(reply: &Reply) -> Result<Known, Error> {
    match reply.status {
        200..=299 => {
            let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
            // An order, or PHP's empty object.
            Ok(if body.as_object().is_some_and(|order| !order.is_empty()) { Known::Yes } else { Known::No })
        }
        404 => Ok(Known::No),
        _ => later(endpoints::ORDER_GET, reply),
    }
}

pub(super) fn later(endpoint: &str, reply: &Reply) -> Result<Known, Error> {
    match common(endpoint, reply) {
        Some(Reading::Stop(error)) => Err(error),
        Some(Reading::Retry(refusal, after)) => Ok(Known::Later(refusal, after)),
        _ => {
            Err(Error::new(ErrorCode::Rejected, "Cordial does not show what must be known first").with("status", reply.status.to_string()))
        }
    }
}

/// The row of a new order as that of a change: no id, no status, and quiet unless changes may start automations.
pub(super) fn as_update(body: &[u8], triggers: bool) -> Result<Vec<u8>, Error> {
    let broken = |error| internal("an order's row is not its own").because(error);
    let mut row: Members = serde_json::from_slice(body).map_err(broken)?;
    row.remove("orderID");
    row.remove("status");
    if !triggers {
        row.insert("suppressTriggers".to_owned(), serde_json::value::to_raw_value(&true).map_err(broken)?);
    }
    serde_json::to_vec(&row).map_err(broken)
}

// -- permissions -----------------------------------------------------------------------------------------------------

/// What the contact leaves to do.
pub(super) enum Change {
    /// Nothing.
    None(Skip),
    /// Ask again.
    Later(Refusal, Option<Duration>),
    /// Subscribe, with this body.
    Write(Vec<u8>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Subscription<'a> {
    channels: BTreeMap<&'a str, SubscribedChannel<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    force_subscribe: bool,
    suppress_triggers: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SubscribedChannel<'a> {
    address: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscribe_status: Option<&'static str>,
    #[serde(rename = "suppressDOI", skip_serializing_if = "Option::is_none")]
    suppress_doi: Option<bool>,
}

/// Decides from the contact as just read. Whoever left at Cordial stays away, unless a live yes is provably newer.
pub(super) fn permission(operation: &Operation, reply: &Reply) -> Result<Change, Error> {
    let row: Grant =
        serde_json::from_slice(&operation.body).map_err(|error| internal("a permission's row is not its own").because(error))?;
    if !(200..300).contains(&reply.status) {
        if reply.status == 404 || Complaint::of(reply).nobody() {
            // Written moments ago and not visible yet; nobody is subscribed unseen.
            let why = Refusal::new(ErrorCode::NotFound, "no_contact", "the contact does not exist yet");
            return Ok(Change::Later(why, None));
        }
        return match later(endpoints::READBACK, reply)? {
            Known::Later(refusal, after) => Ok(Change::Later(refusal, after)),
            _ => Err(internal("a read that failed is neither")),
        };
    }
    let Ok(contact) = serde_json::from_slice::<Value>(&reply.body) else {
        return Ok(Change::Later(Refusal::new(ErrorCode::Unavailable, "unreadable_reply", "the contact cannot be read"), None));
    };
    let channel = &contact["channels"][&row.channel];
    let skip = |reason, detail: &str| Ok(Change::None(Skip::new(reason, detail)));
    let mut force = false;
    match status(channel) {
        Stored::Subscribed => return skip(SkipReason::Unchanged, "the contact already says so"),
        Stored::Asked => return skip(SkipReason::Unchanged, "Cordial asked the person by text and waits for the reply"),
        Stored::Left(left) => {
            let newer = matches!((row.at, left), (Some(said), Some(left)) if said > left);
            if row.quiet || !row.resubscribe || !newer {
                let detail = "the person left at Cordial, and this yes is not a live one that is provably newer";
                return skip(SkipReason::DeniedAtDestination, detail);
            }
            force = true;
        }
        Stored::Unknown => return skip(SkipReason::DeniedAtDestination, "the contact's permission is a word this version does not know"),
        Stored::None => {}
    }
    let joined = SubscribedChannel { address: &row.address, subscribe_status: Some("subscribed"), suppress_doi: row.confirmed };
    let mut channels = BTreeMap::from([(row.channel.as_str(), joined)]);
    if let Some((key, address)) = &row.email {
        channels.insert(key, SubscribedChannel { address, subscribe_status: None, suppress_doi: None });
    }
    let body = Subscription { channels, force_subscribe: force, suppress_triggers: row.quiet };
    let body = serde_json::to_vec(&body).map_err(|error| internal("a permission could not be written").because(error))?;
    Ok(Change::Write(body))
}

pub(super) enum Stored {
    None,
    Subscribed,
    Asked,
    Left(Option<Instant>),
    Unknown,
}

/// A channel's permission, or, where it is kept per programme, the strictest of its programmes'.
pub(super) fn status(channel: &Value) -> Stored {
    let one = |part: &Value| match part["subscribeStatus"].as_str() {
        None | Some("none" | "") => Stored::None,
        Some("subscribed") => Stored::Subscribed,
        Some("pendingDOI") => Stored::Asked,
        Some("unsubscribed") => Stored::Left(instant(&part["unsubscribedAt"])),
        Some(_) => Stored::Unknown,
    };
    let own = one(channel);
    if !matches!(own, Stored::None) {
        return own;
    }
    let programmes: Vec<Stored> = channel["programs"].as_object().into_iter().flatten().map(|(_, part)| one(part)).collect();
    let rank = |stored: &Stored| match stored {
        Stored::None => 0,
        Stored::Subscribed => 1,
        Stored::Asked => 2,
        Stored::Unknown => 3,
        Stored::Left(_) => 4,
    };
    programmes.into_iter().max_by_key(rank).unwrap_or(Stored::None)
}

/// `2026-01-01T10:00:00+0000`, or RFC 3339.
pub(super) fn instant(value: &Value) -> Option<Instant> {
    let text = value.as_str()?;
    let read = DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%z").or_else(|_| DateTime::parse_from_rfc3339(text)).ok()?;
    Some(read.to_utc())
}
