//! Asynchronous jobs: imports and deletions followed to one verdict per row, and the steps that make the data fields that a
//! refused contact needs.

use std::time::Duration;

use serde_json::Value;

use super::super::{Job, Operation, Reading, Refusal, Reply, Request, Verdict};
use super::capabilities as endpoints;
use super::config::Unknown;
use super::json::{Object, bytes};
use super::reply::{self, POLL, PREPARE, SETTLING, Trouble, safe};
use super::rows::{Record, Row, Task};
use super::{Dotdigital, ids, internal, named};
use crate::error::{Error, ErrorCode};
use crate::model::SkipReason;

/// The request that asks how a job stands, or takes its next step.
pub(super) fn poll(d: &Dotdigital, operations: &[&Operation], job: &str) -> Result<Request, Error> {
    let first = operations.first().ok_or_else(|| internal("a job needs an operation"))?;
    if let Some(step) = own_step(job) {
        return prepare(d, step);
    }
    match first.endpoint.as_ref() {
        endpoints::IMPORT => d.call(endpoints::IMPORT_STATUS, named(&[("importId", job)]), None),
        endpoints::BULK_DELETE => d.call(endpoints::DELETE_STATUS, named(&[("deleteId", job)]), None),
        endpoints::INSIGHT_IMPORT => d.call(endpoints::INSIGHT_STATUS, named(&[("importId", job)]), None),
        _ => Err(internal("the endpoint has no jobs")),
    }
}

/// The step of a job that is ours.
fn own_step(job: &str) -> Option<&str> {
    job.strip_prefix(PREPARE)?.split_once(':').map(|(_, step)| step)
}

fn prepare(d: &Dotdigital, step: &str) -> Result<Request, Error> {
    // `+` remembers that the contact was made without its mark.
    let step = step.strip_suffix('+').unwrap_or(step);
    if let Some(rest) = step.strip_prefix("make:") {
        let (name, kind) = rest.split(',').next().and_then(|field| field.split_once('=')).ok_or_else(|| internal("a step is malformed"))?;
        return make_field(d, name, kind);
    }
    match step {
        "fields" | "check" => d.call(endpoints::FIELDS, |_| None, None),
        _ => Err(internal("a step is unknown")),
    }
}

fn make_field(d: &Dotdigital, name: &str, kind: &str) -> Result<Request, Error> {
    d.call(endpoints::MAKE_FIELD, |_| None, Some(field_body(name, kind)?))
}

/// A data field to make.
pub(super) fn field_body(name: &str, kind: &str) -> Result<Vec<u8>, Error> {
    let mut body = Object::new(3);
    body.put("name", name);
    body.put("type", kind);
    body.put("visibility", "Private");
    body.bytes()
}

/// Reads how a job stands.
pub(super) fn read(d: &Dotdigital, operations: &[&Operation], job: &str, reply: &Reply) -> Reading {
    if let Some(step) = own_step(job) {
        return prepared(d, operations, step, reply);
    }
    let again = || Reading::Job(Job { id: job.to_owned(), poll_after: POLL });
    if !(200..300).contains(&reply.status) {
        return match reply::trouble(reply) {
            Trouble::Stop(error) => Reading::Stop(error),
            // The job goes on whether we can ask for it or not; a 404 says that it is not known any more.
            Trouble::Later(refusal, after) => Reading::Retry(refusal, after),
            Trouble::Refused(refusal) => Reading::Retry(refusal, None),
        };
    }
    let Ok(answer) = serde_json::from_slice::<Value>(&reply.body) else { return again() };
    let status = answer["status"].as_str().unwrap_or_default().to_ascii_lowercase();
    match status.as_str() {
        "finished" | "complete" => {}
        "failed" => {
            // Every row is a state under an id, so it may be sent again, unless the report says what is wrong with it.
            let again = || Verdict::Retry(Refusal::new(ErrorCode::Unavailable, "Failed", "the job failed at Dotdigital"), Some(SETTLING));
            let (verdicts, warnings) = reported(d, operations, &answer);
            let verdict = |verdict| if verdict == Verdict::Accepted { again() } else { verdict };
            return Reading::Each(verdicts.into_iter().map(verdict).collect(), warnings);
        }
        "rejectedbywatchdog" => {
            return all(operations, "RejectedByWatchdog", "Dotdigital's data watchdog refused the import; somebody must look at it there");
        }
        "exceedsallowedcontactlimit" => {
            return all(operations, "ExceedsAllowedContactLimit", "the account has no room for more contacts");
        }
        _ => return again(),
    }
    let (verdicts, warnings) = reported(d, operations, &answer);
    Reading::Each(verdicts, warnings)
}

/// What the report of a job says of each row; whoever is not named was taken.
fn reported(d: &Dotdigital, operations: &[&Operation], report: &Value) -> (Vec<Verdict>, Vec<String>) {
    let failures = report["failures"].as_array().map(Vec::as_slice).unwrap_or_default();
    match operations.first().map_or("", |operation| operation.endpoint.as_ref()) {
        endpoints::INSIGHT_IMPORT => (records(d, operations, failures), Vec::new()),
        _ => people(operations, failures),
    }
}

fn all(operations: &[&Operation], code: &str, message: &str) -> Reading {
    let verdict = || Verdict::Rejected(Refusal::new(ErrorCode::Rejected, code, message));
    Reading::Each(operations.iter().map(|_| verdict()).collect(), Vec::new())
}

/// Failed rows of an import or deletion of contacts, named by the identifier they were found by.
fn people(operations: &[&Operation], failures: &[Value]) -> (Vec<Verdict>, Vec<String>) {
    let mut warnings = Vec::new();
    let verdict = |operation: &&Operation| {
        let row: Value = serde_json::from_slice(&operation.body).unwrap_or_default();
        let own = match row["matchIdentifier"].as_str() {
            Some(name) => row["identifiers"].get(name).map(|value| (name.to_owned(), value.clone())),
            None => row.as_object().and_then(|row| row.iter().next()).map(|(name, value)| (name.clone(), value.clone())),
        };
        let failure = own.and_then(|(name, value)| {
            failures.iter().find(|failure| {
                let of_import = failure["identifiers"].get(&name).or_else(|| failure.get(&name));
                let of_deletion = (failure["identifier"]["identifier"] == name.as_str()).then(|| &failure["identifier"]["value"]);
                let direct = failure["identifier"].get(&name);
                of_import.or(of_deletion).or(direct).is_some_and(|theirs| same(theirs, &value))
            })
        });
        match failure {
            Some(failure) => person(operation, failure, &mut warnings),
            None => Verdict::Accepted,
        }
    };
    let verdicts = operations.iter().map(verdict).collect();
    (verdicts, warnings)
}

fn same(a: &Value, b: &Value) -> bool {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_lowercase);
    text(a) == text(b)
}

/// What the failures of one row say. A row may have been written all the same, with only a part of it refused.
fn person(operation: &Operation, failure: &Value, warnings: &mut Vec<String>) -> Verdict {
    let codes: Vec<String> =
        failure["failures"].as_array().into_iter().flatten().filter_map(|one| one["failureCode"].as_str()).map(safe).collect();
    let is = |names: &[&str]| codes.iter().find(|code| names.iter().any(|name| code.eq_ignore_ascii_case(name)));
    let rejected = |kind, code: &str, message: &str| Verdict::Rejected(Refusal::new(kind, code, message));
    if operation.endpoint == endpoints::BULK_DELETE && is(&["contactNotFound", "unknownContact", "NotFound"]).is_some() {
        return Verdict::Accepted;
    }
    if is(&["GloballySuppressed", "SuppressedByDomain", "Blocker"]).is_some() {
        return Verdict::Discarded(SkipReason::DeniedAtDestination, "Dotdigital takes nothing about a suppressed person".to_owned());
    }
    if let Some(code) = is(&["Duplicate", "duplicateIdentifier"]) {
        let message = "another contact has one of the identifiers; Dotdigital merges no contacts";
        return without_number(operation).unwrap_or_else(|| rejected(ErrorCode::Conflict, code, message));
    }
    if let Some(code) = is(&["InvalidAddressBookIds"]) {
        return rejected(ErrorCode::Rejected, code, "a list in the settings does not exist in the account");
    }
    if codes.iter().all(|code| code.eq_ignore_ascii_case("consentRecordsNotApplied")) && !codes.is_empty() {
        warnings.push("the contact was written, its consent record was not".to_owned());
        return Verdict::Accepted;
    }
    rejected(ErrorCode::Rejected, codes.first().map_or("unknown", String::as_str), "Dotdigital does not take this row")
}

/// The row of an import without the phone number, once.
fn without_number(operation: &Operation) -> Option<Verdict> {
    let mut row: std::collections::BTreeMap<String, Box<serde_json::value::RawValue>> = serde_json::from_slice(&operation.body).ok()?;
    let mut identifiers: std::collections::BTreeMap<String, Value> = serde_json::from_str(row.get("identifiers")?.get()).ok()?;
    identifiers.remove(ids::MOBILE)?;
    let mut channels: std::collections::BTreeMap<String, Value> =
        row.get("channelProperties").and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    channels.remove("sms");
    row.insert("identifiers".to_owned(), serde_json::value::to_raw_value(&identifiers).ok()?);
    row.insert("channelProperties".to_owned(), serde_json::value::to_raw_value(&channels).ok()?);
    let text = "another contact has this phone number; the person is written without it".to_owned();
    Some(Verdict::Amended(serde_json::to_vec(&row).ok()?, text))
}

/// Failed records of an import, named by their key.
fn records(d: &Dotdigital, operations: &[&Operation], failures: &[Value]) -> Vec<Verdict> {
    let verdict = |operation: &&Operation| {
        let Ok(record) = Record::of(operation) else { return Verdict::Accepted };
        let failure = failures.iter().find(|failure| same(&failure["key"], &Value::from(record.key.as_ref())));
        failure.map_or(Verdict::Accepted, |failure| record_failure(d, record, failure))
    };
    operations.iter().map(verdict).collect()
}

fn record_failure(d: &Dotdigital, mut record: Record<'_>, failure: &Value) -> Verdict {
    let reason = safe(failure["failureReason"].as_str().unwrap_or("Unknown"));
    let refusal = |kind, message: &str| Refusal::new(kind, reason.clone(), message);
    match reason.as_str() {
        reason if reason.ends_with("DoesNotExist") => {
            if d.config.unknown_contacts == Unknown::Skip {
                return Verdict::Discarded(
                    SkipReason::NotConfigured,
                    "Dotdigital does not know the person; see `unknown_contacts`".to_owned(),
                );
            }
            record.ensure = true;
            let text = "the contact is missing; the record goes alone after it was created as unsubscribed".to_owned();
            bytes(&record, 1_024).map_or_else(
                |_| Verdict::Rejected(refusal(ErrorCode::NotFound, "the contact is missing")),
                |body| Verdict::Amended(body, text),
            )
        }
        "DuplicateKey" => Verdict::Retry(refusal(ErrorCode::Conflict, "the key was twice in one import"), Some(SETTLING)),
        "KeyExistingForDifferentContact" => {
            Verdict::Rejected(refusal(ErrorCode::Conflict, "another contact has a record of this key; delete it there first"))
        }
        "JsonValueIncompatibleWithSchema" | "JsonDoesNotMatchSchema" | "InconsistentTypes" => Verdict::Rejected(refusal(
            ErrorCode::Rejected,
            "a member has another type than its collection was made with; only a new collection can take it",
        )),
        "Unknown" => Verdict::Retry(refusal(ErrorCode::Unavailable, "Dotdigital does not say why it refused the record"), Some(SETTLING)),
        _ => Verdict::Rejected(refusal(ErrorCode::Rejected, "Dotdigital does not take this record")),
    }
}

/// Reads the answer to a step and takes the next.
fn prepared(d: &Dotdigital, operations: &[&Operation], step: &str, reply: &Reply) -> Reading {
    let [operation] = operations else { return Reading::Split(Refusal::new(ErrorCode::Internal, "", "a step is about one operation")) };
    let done = (200..300).contains(&reply.status);
    let refusal = match (done, reply::code(reply).as_str()) {
        (true, _) | (_, "ERROR_NON_UNIQUE_DATAFIELD") => None,
        _ => match reply::trouble(reply) {
            Trouble::Stop(error) => return Reading::Stop(error),
            Trouble::Later(refusal, after) => return Reading::Retry(refusal, after),
            Trouble::Refused(refusal) => Some(refusal),
        },
    };
    let plus = if step.ends_with('+') { "+" } else { "" };
    let step = step.strip_suffix('+').unwrap_or(step);
    let next = |step: &str| reply::step(operation, step, Duration::ZERO);
    match (step, refusal) {
        ("fields" | "check", None) => fields(d, operation, reply, step == "fields", plus),
        (making, refused) if making.starts_with("make:") => {
            if let Some(refusal) = refused {
                return Reading::Each(vec![Verdict::Rejected(refusal)], Vec::new());
            }
            match making.split_once(',') {
                Some((_, rest)) => next(&format!("make:{rest}{plus}")),
                None => next(&format!("check{plus}")),
            }
        }
        (_, None) => Reading::Each(vec![Verdict::Accepted], Vec::new()),
        (_, Some(refusal)) => Reading::Each(vec![Verdict::Rejected(refusal)], Vec::new()),
    }
}

/// The account's data fields, compared with those a contact needs.
fn fields(d: &Dotdigital, operation: &Operation, reply: &Reply, make: bool, plus: &str) -> Reading {
    let known: Vec<Value> = serde_json::from_slice(&reply.body).unwrap_or_default();
    let Ok(row) = Row::of(operation) else { return Reading::Each(vec![Verdict::Accepted], Vec::new()) };
    let (mut missing, mut locked) = (Vec::new(), Vec::new());
    let marker = d.config.unasked_field().filter(|_| matches!(row.task, Task::Profile | Task::Consent)).map(|name| (name, "Boolean"));
    let own = row.fields.iter().filter_map(|(name, value)| kind(&row, name, value.get()).map(|kind| (name.as_str(), kind)));
    for (name, kind) in own.chain(marker) {
        match known.iter().find(|field| field["name"].as_str().is_some_and(|own| own.eq_ignore_ascii_case(name))) {
            None => missing.push(format!("{name}={kind}")),
            Some(field) if field["type"].as_str().is_some_and(|own| !own.eq_ignore_ascii_case(kind)) => locked.push(name.to_owned()),
            Some(_) => {}
        }
    }
    if missing.is_empty() || !make {
        return written_again(operation, &locked, !plus.is_empty());
    }
    reply::step(operation, &format!("make:{}{plus}", missing.join(",")), Duration::ZERO)
}

/// The type a data field must have; `None` for identifiers and for what is cleared.
fn kind(row: &Row, name: &str, value: &str) -> Option<&'static str> {
    match value.as_bytes().first()? {
        _ if name.starts_with('@') => None,
        b'n' => None,
        b't' | b'f' => Some("Boolean"),
        b'"' if row.dates.iter().any(|date| date == name) => Some("Date"),
        b'"' => Some("String"),
        _ => Some("Numeric"),
    }
}

/// The contact once more, without fields that have another type in the account.
fn written_again(operation: &Operation, locked: &[String], made: bool) -> Reading {
    let Ok(mut row) = Row::of(operation) else { return Reading::Each(vec![Verdict::Accepted], Vec::new()) };
    row.again = true;
    row.made = made;
    row.fields.retain(|name, _| !locked.contains(name));
    let text = if locked.is_empty() {
        "data fields the account did not have were looked for and made".to_owned()
    } else {
        format!(
            "of another type in the account, so left out: {}",
            locked.iter().map(|name| format!("`{}`", safe(name))).collect::<Vec<_>>().join(", ")
        )
    };
    let verdict = row.bytes().map_or_else(
        |_| Verdict::Rejected(Refusal::new(ErrorCode::Internal, "", "the row could not be written")),
        |body| Verdict::Amended(body, text),
    );
    Reading::Each(vec![verdict], Vec::new())
}
