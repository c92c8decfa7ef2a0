//! Dotdigital's answers → verdicts.
//!
//! Two generations of errors: `{errorCode: "service:code", description, details}` and `{message: "… ERROR_CODE"}`. Vendor
//! messages are never passed on: they echo addresses and numbers.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::super::{Detour, Job, Operation, Reading, Refusal, Reply, Verdict};
use super::capabilities as endpoints;
use super::config::{Define, Unknown};
use super::rows::{Record, Row, Task};
use super::{Dotdigital, contacts, ids, jobs};
use crate::error::{Error, ErrorCode, Retry};
use crate::fingerprint;
use crate::model::{IdempotencyKey, SkipReason};

/// How long a write takes to be seen by the calls that depend on it.
pub(super) const SETTLING: Duration = Duration::from_secs(60);

/// When to ask for a job the first time, and again; the vendor suggests five to thirty seconds.
pub(super) const POLL: Duration = Duration::from_secs(5);

/// Steps that make what a refused write needs; the vendor has no such job, the steps are ours.
pub(super) const PREPARE: &str = "prepare:";

/// A step for one operation. The operation's own name stands in it, because all operations of one job are asked for together.
pub(super) fn step(operation: &Operation, step: &str, after: Duration) -> Reading {
    let own = fingerprint::opaque(&[&operation.endpoint, operation.idempotency_key.as_str(), &operation.entity]);
    Reading::Job(Job { id: format!("{PREPARE}{own}:{step}"), poll_after: after })
}

/// The flat limit counts over a rolling hour.
const FLAT_LIMIT: Duration = Duration::from_secs(300);

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Problem {
    error_code: Option<String>,
    message: Option<String>,
}

/// What went wrong, where it is the same for every call.
pub(super) enum Trouble {
    /// Not now.
    Later(Refusal, Option<Duration>),
    /// Set-up.
    Stop(Error),
    /// Something in the request.
    Refused(Refusal),
}

/// The vendor's own code: `contacts:idAlreadyExists`, `ERROR_NON_UNIQUE_DATAFIELD`, else `http_400`.
pub(super) fn code(reply: &Reply) -> String {
    let problem = serde_json::from_slice::<Problem>(&reply.body).unwrap_or_default();
    let last = |text: &str| {
        text.rsplit(|c: char| !(c.is_ascii_uppercase() || c == '_')).find(|word| word.starts_with("ERROR_")).map(str::to_owned)
    };
    let own = problem.error_code.filter(|code| !code.is_empty()).map(|code| safe(&code));
    own.or_else(|| last(&problem.message?)).unwrap_or_else(|| format!("http_{}", reply.status))
}

/// A vendor's word as far as it cannot hold a person.
pub(super) fn safe(word: &str) -> String {
    word.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':')).take(64).collect()
}

/// Reads what an error means for any call.
pub(super) fn trouble(reply: &Reply) -> Trouble {
    let code = code(reply);
    let refusal = |kind, message: &str| Refusal::new(kind, code.clone(), message);
    let later = |kind, message: &str, after| Trouble::Later(refusal(kind, message), after);
    let stop = |kind, message: &'static str| {
        Trouble::Stop(
            Error::new(kind, message).with("vendor_code", code.clone()).with("status", reply.status.to_string()).retry(Retry::Never),
        )
    };
    match (code.as_str(), reply.status) {
        ("ERROR_APIUSAGE_EXCEEDED", _) => {
            later(ErrorCode::RateLimited, "the calls of this hour are used up", reply.retry_after().or(Some(FLAT_LIMIT)))
        }
        ("ERROR_ENROLMENT_ALLOWANCE_EXCEEDED", _) => {
            later(ErrorCode::RateLimited, "the enrolments of this hour are used up", Some(Duration::from_secs(3_600)))
        }
        ("contacts:tooManyActiveImports" | "contacts:tooManyBulkDeleteJobs" | "ERROR_IMPORT_TOOMANYACTIVEIMPORTS", _) => {
            later(ErrorCode::RateLimited, "too many jobs are under way in the account", Some(SETTLING))
        }
        // Where the answer says when the window ends, delivery waits for that; it knows the time.
        (_, 429) => later(ErrorCode::RateLimited, "Dotdigital asks to slow down", reply.retry_after()),
        (
            "ERROR_SYSTEM_SERVICETEMPORARILYUNAVAILABLE"
            | "ERROR_ADDRESSBOOK_IN_USE"
            | "ERROR_ENROLMENT_IS_PROCESSING"
            | "ERROR_TRANSACTIONAL_DATA_COLLECTION_IS_RESTORING",
            _,
        ) => later(ErrorCode::Unavailable, "Dotdigital is busy with what the call is about", Some(SETTLING)),
        (_, 401) => stop(ErrorCode::Unauthorized, "Dotdigital does not know the API user or its password"),
        (_, 403) => stop(
            ErrorCode::Forbidden,
            "the account is not in this region, or the API user may not make this call; `check` tells the region",
        ),
        (_, 408) => later(ErrorCode::Timeout, "Dotdigital gave up waiting", reply.retry_after()),
        (_, 500..=599) => later(ErrorCode::Unavailable, "Dotdigital cannot serve right now", reply.retry_after()),
        (_, 413) => Trouble::Refused(refusal(ErrorCode::TooLarge, "the request is larger than Dotdigital takes")),
        (_, 409) => Trouble::Refused(refusal(
            ErrorCode::Conflict,
            "another contact has this address, number or identifier; Dotdigital merges no contacts",
        )),
        (_, 404) => Trouble::Refused(refusal(ErrorCode::NotFound, "Dotdigital has no such thing")),
        _ => Trouble::Refused(refusal(ErrorCode::Rejected, "Dotdigital refused the request")),
    }
}

/// Reads the answer to one request.
pub(super) fn read(d: &Dotdigital, operations: &[&Operation], reply: &Reply) -> Reading {
    let endpoint = operations.first().map_or("", |operation| operation.endpoint.as_ref());
    if (200..300).contains(&reply.status) {
        return accepted(d, endpoint, operations, reply);
    }
    let refusal = match trouble(reply) {
        Trouble::Later(refusal, after) => return Reading::Retry(refusal, after),
        Trouble::Stop(error) => return Reading::Stop(error),
        Trouble::Refused(refusal) => refusal,
    };
    let one = |verdict| Reading::Each(vec![verdict], Vec::new());
    match (endpoint, reply.status, operations) {
        (endpoints::DELETE | endpoints::DELETE_RECORD | endpoints::EMPTY | endpoints::LEAVE_LIST | endpoints::DELETE_RECORDS, 404, _) => {
            Reading::Each(operations.iter().map(|_| Verdict::Accepted).collect(), Vec::new())
        }
        (endpoints::PUT_CONTACT | endpoints::PUT_ACCOUNT | endpoints::INSIGHT_IMPORT, 404, [operation]) => missing(d, operation, refusal),
        // What a detour makes may be there already; whether a mark could be made is no reason to hold an order back.
        (endpoints::CREATE, 409, [_]) | (endpoints::MAKE_FIELD, 400, [_]) => one(Verdict::Accepted),
        (endpoints::PATCH, 404, [_]) => one(Verdict::Retry(refusal, Some(Duration::from_secs(5)))),
        (endpoints::PATCH, 409, [operation]) => one(conflict(operation, refusal)),
        (endpoints::PATCH, 400, [operation]) => unknown_field(d, operation, refusal),
        (_, _, [_]) if refusal.vendor_code.starts_with("ERROR_CONTACT_SUPPRESSED") || refusal.vendor_code == "ERROR_EMAIL_BANNED" => {
            one(Verdict::Discarded(SkipReason::DeniedAtDestination, "Dotdigital takes nothing about a suppressed person".to_owned()))
        }
        (_, _, [_]) => one(Verdict::Rejected(refusal)),
        _ => Reading::Split(refusal),
    }
}

fn accepted(d: &Dotdigital, endpoint: &str, operations: &[&Operation], reply: &Reply) -> Reading {
    let member = match endpoint {
        endpoints::IMPORT => "importId",
        endpoints::BULK_DELETE => "deleteId",
        endpoints::INSIGHT_IMPORT if reply.status == 202 => "importId",
        endpoints::PATCH => return dropped(d, operations, reply),
        endpoints::DELETE_RECORDS => return deleted(operations, reply),
        _ => return Reading::Each(operations.iter().map(|_| Verdict::Accepted).collect(), Vec::new()),
    };
    let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    match answer[member].as_str().filter(|id| !id.is_empty() && id.len() <= 128) {
        Some(id) => Reading::Job(Job { id: id.to_owned(), poll_after: POLL }),
        None => Reading::Retry(Refusal::new(ErrorCode::Unavailable, "unreadable_reply", "the answer names no job"), None),
    }
}

/// A deletion can succeed and name keys it failed for.
fn deleted(operations: &[&Operation], reply: &Reply) -> Reading {
    let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let failed = answer["failures"].as_array().map(Vec::as_slice).unwrap_or_default();
    let named = |key: &str| failed.iter().any(|one| one.as_str() == Some(key) || one["key"].as_str() == Some(key));
    let refusal = || Refusal::new(ErrorCode::Rejected, "failures", "Dotdigital did not delete this record");
    let verdicts: Vec<Verdict> = operations
        .iter()
        .map(|operation| match serde_json::from_slice::<String>(&operation.body) {
            Ok(key) if named(&key) => Verdict::Rejected(refusal()),
            _ => Verdict::Accepted,
        })
        .collect();
    let told = verdicts.iter().filter(|verdict| **verdict != Verdict::Accepted).count();
    if told < failed.len() {
        // Some failed, and nobody knows which.
        return if operations.len() > 1 {
            Reading::Split(refusal())
        } else {
            Reading::Each(vec![Verdict::Rejected(refusal())], Vec::new())
        };
    }
    Reading::Each(verdicts, Vec::new())
}

/// The answer shows the contact: a data field that was sent and is not in it was dropped, because the account has none of
/// that name. It is made, and the contact written again.
fn dropped(d: &Dotdigital, operations: &[&Operation], reply: &Reply) -> Reading {
    let done = |warnings| Reading::Each(operations.iter().map(|_| Verdict::Accepted).collect(), warnings);
    let [operation] = operations else { return done(Vec::new()) };
    let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let (Some(stored), Ok(row)) = (answer["dataFields"].as_object(), Row::of(operation)) else { return done(Vec::new()) };
    let lost = row.fields.iter().filter(|(name, value)| {
        !name.starts_with('@') && value.get() != "null" && !stored.keys().any(|own| own.eq_ignore_ascii_case(name))
    });
    // A new contact that nobody asked bears a mark, which is a data field too.
    let asked = row.task == Task::Consent && row.channel == "email";
    let unmarked = d.config.unasked_field().filter(|name| {
        reply.status == 201
            && !asked
            && !answer["identifiers"]["email"].is_null()
            && !stored.keys().any(|own| own.eq_ignore_ascii_case(name))
    });
    let lost: Vec<String> = lost.map(|(name, _)| name.as_str()).chain(unmarked).map(|name| format!("`{}`", safe(name))).collect();
    if lost.is_empty() {
        return done(Vec::new());
    }
    if d.config.define_fields == Define::Create && !row.again {
        return step(operation, if unmarked.is_some() { "fields+" } else { "fields" }, Duration::ZERO);
    }
    done(vec![format!("the account has no data field {}; it was dropped", lost.join(", "))])
}

/// A refused contact may hold a data field the account has not.
fn unknown_field(d: &Dotdigital, operation: &Operation, refusal: Refusal) -> Reading {
    let fields = |row: &Row| row.task == Task::Profile || d.config.unasked_field().is_some();
    let again = Row::of(operation).is_ok_and(|row| fields(&row) && !row.again);
    if d.config.define_fields == Define::Create && again && refusal.vendor_code != "contacts:invalidId" {
        return step(operation, "fields", Duration::ZERO);
    }
    Reading::Each(vec![Verdict::Rejected(refusal)], Vec::new())
}

/// A record's contact or collection is missing: both are made, and the record written again.
fn missing(d: &Dotdigital, operation: &Operation, refusal: Refusal) -> Reading {
    let one = |verdict| Reading::Each(vec![verdict], Vec::new());
    let step = |endpoint: &'static str, body: Vec<u8>| {
        let own = format!("{}:{endpoint}", operation.idempotency_key);
        Operation {
            endpoint: endpoint.into(),
            entity: format!("{}:{endpoint}", operation.entity),
            idempotency_key: IdempotencyKey::new(own),
            group: String::new(),
            body,
            ..operation.clone()
        }
    };
    let mut steps = Vec::new();
    match refusal.vendor_code.as_str() {
        "insightData:contactNotFound" if d.config.unknown_contacts == Unknown::Skip => {
            let why = "Dotdigital does not know the person; see `unknown_contacts`".to_owned();
            return one(Verdict::Discarded(SkipReason::NotConfigured, why));
        }
        "insightData:contactNotFound" => {
            let owner = Record::of(operation).ok().and_then(|record| record.contact_identity);
            let created =
                owner.and_then(|owner| contacts::create_owner(d, &owner.identifier, &owner.value)).and_then(|request| request.body);
            let Some(created) = created else { return one(Verdict::Rejected(refusal)) };
            let mark = d.config.unasked_field().and_then(|name| jobs::field_body(name, "Boolean").ok());
            steps.extend(mark.map(|body| step(endpoints::MAKE_FIELD, body)));
            steps.push(step(endpoints::CREATE, created));
        }
        "insightData:collectionNotFound" => {}
        _ => return one(Verdict::Rejected(refusal)),
    }
    steps.push(step(endpoints::COLLECTION, b"null".to_vec()));
    one(Verdict::First(Detour { operations: steps, why: refusal, after: Some(Duration::ZERO) }))
}

/// Another contact has one of the identifiers. The address counts most: without the number, and found by the address, the
/// person is written once more.
fn conflict(operation: &Operation, refusal: Refusal) -> Verdict {
    let Ok(mut row) = Row::of(operation) else { return Verdict::Rejected(refusal) };
    if row.again || row.task == Task::Rename {
        return Verdict::Rejected(refusal);
    }
    let number = row.identifiers.remove(ids::MOBILE).is_some() && row.task == Task::Profile;
    let email = row.identifiers.get(ids::EMAIL).cloned();
    let moved = email.is_some() && row.by != ids::EMAIL;
    if let (Some(email), true) = (email, moved) {
        (row.by, row.id) = (ids::EMAIL.to_owned(), email);
    }
    if row.task != Task::Profile && !moved {
        // Somebody created the contact between the read and the write.
        return Verdict::Retry(refusal, Some(Duration::from_secs(1)));
    }
    row.fields.remove("@mobileNumber");
    row.again = true;
    let why = match (number, moved) {
        (true, false) => "another contact has this phone number; the person is written without it",
        _ => "another contact has one of the identifiers; the person is looked for by e-mail",
    };
    row.bytes().map_or(Verdict::Rejected(refusal), |body| Verdict::Amended(body, why.to_owned()))
}

/// The host that the account says it lives on.
fn home(reply: &Reply) -> Option<String> {
    let answer: Value = serde_json::from_slice(&reply.body).ok()?;
    let named = |property: &&Value| property["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case("ApiEndpoint"));
    let host = answer["properties"].as_array()?.iter().find(named)?["value"].as_str()?;
    Some(host.trim_end_matches('/').to_owned())
}

/// Whether the account says that it lives on another host than the one that is called.
pub(super) fn lives_elsewhere(d: &Dotdigital, reply: &Reply) -> bool {
    let called = region(&d.base_url);
    // A test server or a proxy stands where it is told to, and is no region.
    called.is_some() && home(reply).is_some_and(|host| !host.eq_ignore_ascii_case(&d.base_url) && region(&host) != called)
}

/// What the account says about itself.
pub(super) fn check(d: &Dotdigital, reply: &Reply) -> String {
    match reply.status {
        200..=299 => match home(reply) {
            None => "the credentials work; the account does not tell its region".to_owned(),
            Some(_) if !lives_elsewhere(d, reply) => "the credentials work".to_owned(),
            Some(host) => match region(&host) {
                Some(found) => {
                    let setting = if d.config.base_url.is_some() { "take `base_url` out and set `region`" } else { "set `region`" };
                    format!("the credentials work, but the account lives in region `{found}`: {setting} to it")
                }
                None => "the credentials work, but the account lives on a host of its own: set `base_url` to it".to_owned(),
            },
        },
        401 => "Dotdigital does not know the API user or its password".to_owned(),
        403 => "the API user may not read the account; check its permissions".to_owned(),
        status => format!("Dotdigital answered with status {status}"),
    }
}

/// The region a host stands for, under the vendor's present name or its former one.
fn region(url: &str) -> Option<&'static str> {
    let host = url.strip_prefix("https://")?.to_ascii_lowercase();
    let name = host.strip_suffix("-api.dotdigital.com").or_else(|| host.strip_suffix("-api.dotmailer.com"))?;
    ["r1", "r2", "r3"].into_iter().find(|region| *region == name)
}
