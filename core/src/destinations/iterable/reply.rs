//! Iterable's answers → verdicts.
//!
//! The HTTP status decides and the body refines: a 200 can hide failures, a 4xx can say `Success`, and any body can be
//! plain text. Vendor messages are never passed on: they echo addresses, and one of them the API key.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::{Operation, Reading, Refusal, Reply, Verdict};
use super::capabilities as endpoints;
use super::join::{self, Named};
use crate::error::{Error, ErrorCode, Retry};
use crate::model::SkipReason;

/// How long a write takes to be seen by the calls that depend on it, at most
/// (<https://api.iterable.com/api/docs>).
const SETTLING: Duration = Duration::from_secs(60);

const MISMATCH: &str = "RequestFieldsTypesMismatched";
pub(super) const NO_SUCH_USER: &str = "error.users.noUserWithIdExists";
pub(super) const FORGOTTEN: &str = "Iterable has forgotten this person and takes nothing about them";

/// The usual body of an answer, and what newer services send instead; all of it optional.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Answer<'a> {
    #[serde(borrow)]
    pub code: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub msg: Option<Cow<'a, str>>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

/// The answer to a bulk call. `failCount` is always there; an answer without it is somebody else's.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BulkAnswer {
    fail_count: u64,
    #[serde(default)]
    disallowed_event_names: Names,
    #[serde(default)]
    failed_updates: Option<BTreeMap<String, Names>>,
    #[serde(default)]
    invalid_emails: Names,
    #[serde(default)]
    invalid_user_ids: Names,
}

/// What a success can hide, whatever the call.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Dropped {
    filtered_out_fields: Names,
}

/// A list of texts; anything else, such as null, is an empty one, because answers change without notice.
#[derive(Default)]
struct Names(Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = match Value::deserialize(deserializer)? {
            Value::Array(values) => {
                values.into_iter().filter_map(|value| if let Value::String(name) = value { Some(name) } else { None }).collect()
            }
            _ => Vec::new(),
        };
        Ok(Names(names))
    }
}

/// Who a row is about, and which event it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    #[serde(borrow, default)]
    email: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    user_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    event_name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    data_fields: Option<Address<'a>>,
}

/// What is done about a clash of identities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clash {
    /// A guest's profile is merged into the customer's.
    Merge,
    /// Nothing: it is a dead letter.
    Refuse,
}

/// Reads the answer to one request.
pub(super) fn read(operations: &[&Operation], reply: &Reply, clash: Clash) -> Reading {
    match reply.status {
        200..=299 => accepted(operations, reply, clash),
        _ => refused(operations, reply, clash),
    }
}

/// The way out of a clash, where there is one: the guest's profile under the row's address is merged into the row's.
fn clashed(operation: &Operation, why: Refusal, clash: Clash) -> Verdict {
    let verdict = || -> Option<Verdict> {
        if clash == Clash::Refuse {
            return None;
        }
        let (source, destination) = if operation.endpoint == endpoints::UPDATE_EMAIL {
            let row: NewAddress<'_> = serde_json::from_slice(&operation.body).ok()?;
            (row.current_email.into_owned(), Named::Email(row.new_email.into_owned()))
        } else {
            let row: Addressed<'_> = serde_json::from_slice(&operation.body).ok()?;
            (row.data_fields?.email?.into_owned(), Named::UserId(row.user_id?.into_owned()))
        };
        join::detour(operation, Named::Email(source), destination, why.clone()).ok().map(Verdict::First)
    };
    verdict().unwrap_or(Verdict::Rejected(why))
}

/// `users/updateEmail`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewAddress<'a> {
    #[serde(borrow)]
    current_email: Cow<'a, str>,
    #[serde(borrow)]
    new_email: Cow<'a, str>,
}

/// A row that gives a `userId` an address.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Addressed<'a> {
    #[serde(borrow, default)]
    user_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    data_fields: Option<Address<'a>>,
}

#[derive(Deserialize)]
struct Address<'a> {
    #[serde(borrow, default)]
    email: Option<Cow<'a, str>>,
}

/// The address a profile row has or gives, in lower case.
pub(super) fn address_of(row: &[u8]) -> Option<String> {
    let row: Row<'_> = serde_json::from_slice(row).ok()?;
    let email = row.email.or_else(|| row.data_fields?.email)?;
    Some(email.to_lowercase())
}

fn accepted(operations: &[&Operation], reply: &Reply, clash: Clash) -> Reading {
    let endpoint = operations.first().map_or("", |operation| operation.endpoint.as_ref());
    if matches!(endpoint, endpoints::USERS_BULK | endpoints::TRACK_BULK | endpoints::LIST_SUBSCRIBE | endpoints::LIST_UNSUBSCRIBE) {
        return match serde_json::from_slice::<BulkAnswer>(&reply.body) {
            Ok(answer) => bulk(operations, &answer, reply, clash),
            // Nobody knows which rows it took; every row may be sent again.
            Err(_) => Reading::Retry(Refusal::new(ErrorCode::Unavailable, "unreadable_reply", note(reply, "the answer is not JSON")), None),
        };
    }
    if reply.body.trim_ascii_start().starts_with(b"<") {
        return Reading::Retry(Refusal::new(ErrorCode::Unavailable, "unreadable_reply", note(reply, "the answer is a web page")), None);
    }
    let answer = serde_json::from_slice::<Answer<'_>>(&reply.body).unwrap_or_default();
    if answer.msg.as_deref().is_some_and(|msg| msg.contains("is disallowed from tracking")) {
        return each(operations, || Verdict::Rejected(disallowed(reply)));
    }
    Reading::Each(operations.iter().map(|_| Verdict::Accepted).collect(), filtered(reply))
}

fn bulk(operations: &[&Operation], answer: &BulkAnswer, reply: &Reply, clash: Clash) -> Reading {
    let warnings = filtered(reply);
    let endpoint = operations.first().map_or("", |operation| operation.endpoint.as_ref());
    // E-mails come back in lower case whatever was sent; userIds are exact.
    let mut emails: BTreeMap<String, &str> = BTreeMap::new();
    let mut user_ids: BTreeMap<&str, &str> = BTreeMap::new();
    let old = [("invalidEmails", &answer.invalid_emails), ("invalidUserIds", &answer.invalid_user_ids)];
    let arrays = answer.failed_updates.iter().flatten().map(|(array, names)| (array.as_str(), names));
    for (array, names) in old.into_iter().chain(arrays) {
        for value in &names.0 {
            if array.ends_with("Emails") {
                emails.insert(value.to_lowercase(), array);
            } else {
                user_ids.insert(value, array);
            }
        }
    }
    if answer.fail_count == 0 && emails.is_empty() && user_ids.is_empty() && answer.disallowed_event_names.0.is_empty() {
        return Reading::Each(operations.iter().map(|_| Verdict::Accepted).collect(), warnings);
    }
    let mut verdicts = Vec::with_capacity(operations.len());
    let mut named = 0;
    for operation in operations {
        let row = serde_json::from_slice::<Row<'_>>(&operation.body).ok();
        let array = row.as_ref().and_then(|row| {
            let by_email = row.email.as_ref().and_then(|email| emails.get(&email.to_lowercase()));
            // No two rows of a request have one address, so it names the row also where it is only a field.
            let in_fields = row.data_fields.as_ref().and_then(|fields| fields.email.as_ref()).filter(|_| endpoint == endpoints::USERS_BULK);
            let by_email = by_email.or_else(|| in_fields.and_then(|email| emails.get(&email.to_lowercase())));
            let by_user_id = row.user_id.as_ref().and_then(|id| user_ids.get(id.as_ref()));
            by_email.or(by_user_id).copied()
        });
        let blocked = row
            .as_ref()
            .and_then(|row| row.event_name.as_deref())
            .is_some_and(|name| answer.disallowed_event_names.0.iter().any(|n| n == name));
        verdicts.push(match array {
            Some(array) => {
                named += 1;
                failure(array, operation, reply, clash)
            }
            None if blocked => {
                named += 1;
                Verdict::Rejected(disallowed(reply))
            }
            None => Verdict::Accepted,
        });
    }
    if named < answer.fail_count {
        let refusal = Refusal::new(ErrorCode::Rejected, "failCount", note(reply, "more rows failed than are named"));
        if operations.len() > 1 {
            return Reading::Split(refusal);
        }
        return Reading::Each(vec![Verdict::Rejected(refusal)], warnings);
    }
    Reading::Each(verdicts, warnings)
}

/// What an array of `failedUpdates` says about the rows it names.
fn failure(array: &str, operation: &Operation, reply: &Reply, clash: Clash) -> Verdict {
    let refusal = |code, message: &str| Refusal::new(code, safe_name(array), note(reply, message));
    if array.starts_with("forgotten") {
        forgotten()
    } else if array.starts_with("notFound") && operation.endpoint == endpoints::LIST_UNSUBSCRIBE {
        // Whoever is not there is not on the list, which is what was wanted.
        Verdict::Accepted
    } else if array.starts_with("notFound") {
        Verdict::Retry(refusal(ErrorCode::NotFound, "the profile does not exist yet"), Some(SETTLING))
    } else if array.starts_with("conflict") {
        clashed(operation, refusal(ErrorCode::Conflict, "e-mail and userId belong to two profiles; merge them at Iterable"), clash)
    } else if array.starts_with("invalidData") {
        Verdict::Rejected(refusal(ErrorCode::Rejected, "a field of the row has a value or type that the project does not take"))
    } else {
        Verdict::Rejected(refusal(ErrorCode::Rejected, "Iterable does not take this e-mail or userId"))
    }
}

fn forgotten() -> Verdict {
    Verdict::Discarded(SkipReason::Erased, FORGOTTEN.to_owned())
}

fn refused(operations: &[&Operation], reply: &Reply, clash: Clash) -> Reading {
    let answer = serde_json::from_slice::<Answer<'_>>(&reply.body).unwrap_or_default();
    // `Success` with an error status tells nothing; older services put the code into the message.
    let code = match (answer.code.as_deref(), answer.msg.as_deref()) {
        (None | Some("Success" | ""), Some(msg)) if msg.starts_with("error.") => safe_name(msg),
        (Some(code), _) if !matches!(code, "Success" | "") => safe_name(code),
        _ => format!("http_{}", reply.status),
    };
    let endpoint = operations.first().map_or("", |operation| operation.endpoint.as_ref());
    let alone = operations.len() <= 1;
    let refusal = |kind: ErrorCode, message: &str| Refusal::new(kind, code.clone(), note(reply, message));
    let one = |verdict: Verdict, why: Refusal| if alone { Reading::Each(vec![verdict], Vec::new()) } else { Reading::Split(why) };
    let reject = |kind: ErrorCode, message: &str| one(Verdict::Rejected(refusal(kind, message)), refusal(kind, message));

    let conflict = |message: &str| {
        let why = refusal(ErrorCode::Conflict, message);
        match operations {
            [only] => Reading::Each(vec![clashed(only, why, clash)], Vec::new()),
            _ => Reading::Split(why),
        }
    };

    match code.as_str() {
        MISMATCH => {
            let why = refusal(ErrorCode::Rejected, &mismatch(&answer));
            let Some(operation) = operations.first().filter(|_| alone) else { return Reading::Split(why) };
            return Reading::Each(vec![amended(&operation.body, &answer).unwrap_or(Verdict::Rejected(why))], Vec::new());
        }
        "ForgottenUserError" => {
            let done = matches!(endpoint, endpoints::FORGET | endpoints::DELETE_BY_EMAIL | endpoints::DELETE_BY_USER_ID);
            let verdict = if done { Verdict::Accepted } else { forgotten() };
            return one(verdict, refusal(ErrorCode::Rejected, "somebody in the request is forgotten"));
        }
        "BadParams" | NO_SUCH_USER if matches!(endpoint, endpoints::DELETE_BY_EMAIL | endpoints::DELETE_BY_USER_ID) => {
            // There is nobody to delete, which is what was wanted.
            return one(Verdict::Accepted, refusal(ErrorCode::NotFound, "no such profile"));
        }
        "UnknownEmailError" | "UnknownUserIdError" if endpoint == endpoints::UPDATE_EMAIL => {
            let detail = "no profile is kept under the former address, so there is none to rename".to_owned();
            return one(Verdict::Discarded(SkipReason::Unchanged, detail), refusal(ErrorCode::NotFound, "no such profile"));
        }
        "BadParams" | "UnknownEmailError" | "UnknownUserIdError" if endpoint == endpoints::MERGE => {
            // Both were just looked at: the source went in between, so somebody merged it already.
            return one(Verdict::Accepted, refusal(ErrorCode::NotFound, "no such profile"));
        }
        "UnknownEmailError" | "UnknownUserIdError" => {
            let why = refusal(ErrorCode::NotFound, "the profile does not exist yet");
            return one(Verdict::Retry(why.clone(), Some(SETTLING)), why);
        }
        code if code.starts_with("error.lists.invalidListId") => {
            // The same for every row: nothing is gained by splitting.
            return each(operations, || Verdict::Rejected(refusal(ErrorCode::NotFound, "there is no static list of this id; see `lists`")));
        }
        // The name was checked before: it is taken, so somebody made the catalog in the meantime.
        "BadParams" if endpoint == endpoints::CATALOG_CREATE => return each(operations, || Verdict::Accepted),
        "BadParams" if endpoint == endpoints::CATALOG_FIELDS => {
            let warning = "a field of the catalog has another type already, so none were set; items are written all the same".to_owned();
            return Reading::Each(operations.iter().map(|_| Verdict::Accepted).collect(), vec![warning]);
        }
        code if code.starts_with(NO_SUCH_USER) => return reject(ErrorCode::NotFound, "no profile has this userId"),
        "BatchTooLarge" => return reject(ErrorCode::TooLarge, "the request is larger than Iterable takes"),
        "BadApiKey" | "Unauthorized" | "BadAuthorizationHeader" | "InvalidJwtPayload" | "JwtUserIdentifiersMismatched" => {
            return Reading::Stop(credentials(&code, reply));
        }
        _ => {}
    }
    match reply.status {
        401 => Reading::Stop(credentials(&code, reply)),
        // Everything else can go on without merges.
        403 if endpoint == endpoints::MERGE => {
            reject(ErrorCode::Forbidden, "the key may not merge profiles; a server-side key is needed, or `guests` set to `keep`")
        }
        403 => Reading::Stop(
            Error::new(ErrorCode::Forbidden, "the key may not make this call; a server-side key is needed")
                .with("vendor_code", code)
                .with("endpoint", endpoint.to_owned()),
        ),
        300..=399 => Reading::Stop(
            Error::new(ErrorCode::NotFound, "the server sends elsewhere; check `base_url` and `data_center`").with("vendor_code", code),
        ),
        408 => Reading::Retry(refusal(ErrorCode::Timeout, "Iterable gave up waiting"), reply.retry_after()),
        429 => Reading::Retry(refusal(ErrorCode::RateLimited, "Iterable asks to slow down"), reply.retry_after()),
        500..=599 => Reading::Retry(refusal(ErrorCode::Unavailable, "Iterable cannot serve right now"), reply.retry_after()),
        413 => reject(ErrorCode::TooLarge, "the request is larger than Iterable takes"),
        409 => conflict("e-mail and userId belong to two profiles, or the id is taken; merge them at Iterable"),
        404 => {
            let message = if endpoint.starts_with("subscriptions.") {
                "the additive subscription calls are off; have Iterable switch them on or set `subscriptions` to `read_modify_write`"
            } else if endpoint.starts_with("catalogs.") {
                "there is no such catalog, or catalogs are not part of the plan; create it before sending"
            } else {
                "there is no such call, or the feature is off"
            };
            // The same for every row: nothing is gained by splitting.
            each(operations, || Verdict::Rejected(refusal(ErrorCode::NotFound, message)))
        }
        _ => match code.as_str() {
            "InvalidEmailAddressError" => reject(ErrorCode::Rejected, "Iterable does not take the e-mail address"),
            "InvalidUserIdError" => reject(ErrorCode::Rejected, "Iterable does not take the userId"),
            "UniqueFieldsLimitExceeded" => {
                reject(ErrorCode::Rejected, "the project has no room for more fields; set `create_new_fields` to false")
            }
            "EmailAlreadyExists" | "UserIdAlreadyExists" => conflict("another profile has this e-mail or userId; merge them at Iterable"),
            "BadJsonBody" => reject(ErrorCode::Rejected, &bad_json(&answer)),
            _ => reject(ErrorCode::Rejected, "Iterable refused the request"),
        },
    }
}

pub(super) fn credentials(code: &str, reply: &Reply) -> Error {
    Error::new(ErrorCode::Unauthorized, "Iterable does not know the key; it must be of this project and this data centre")
        .with("vendor_code", code.to_owned())
        .with("status", reply.status.to_string())
        .retry(Retry::Never)
}

fn each(operations: &[&Operation], verdict: impl Fn() -> Verdict) -> Reading {
    Reading::Each(operations.iter().map(|_| verdict()).collect(), Vec::new())
}

fn disallowed(reply: &Reply) -> Refusal {
    Refusal::new(ErrorCode::Rejected, "disallowedEventNames", note(reply, "the project's settings block events of this name"))
}

fn filtered(reply: &Reply) -> Vec<String> {
    let dropped = serde_json::from_slice::<Dropped>(&reply.body).unwrap_or_default().filtered_out_fields.0;
    if dropped.is_empty() {
        return Vec::new();
    }
    let names: Vec<String> = dropped.iter().take(20).map(|name| format!("`{}`", safe_name(name))).collect();
    vec![format!(
        "Iterable dropped {} field(s) the project does not know: {}; create them or set `create_new_fields`",
        dropped.len(),
        names.join(", ")
    )]
}

/// Our sentence with Iterable's request id, by which their support finds the call.
pub(super) fn note(reply: &Reply, message: &str) -> String {
    match reply.header("iterable-request-id") {
        Some(id) if !id.is_empty() => format!("{message} (request {})", safe_name(id)),
        _ => message.to_owned(),
    }
}

/// A vendor's word as far as it cannot hold a person or a key: what looks like an address or runs long is cut.
fn safe_name(word: &str) -> String {
    word.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':' | '[' | ']')).take(64).collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Validation<'a> {
    #[serde(borrow, default)]
    expected_type: Option<Cow<'a, str>>,
}

fn validation<'a>(answer: &Answer<'a>) -> BTreeMap<Cow<'a, str>, Validation<'a>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Params<'a> {
        #[serde(borrow)]
        validation_errors: BTreeMap<Cow<'a, str>, Validation<'a>>,
    }
    answer
        .params
        .and_then(|raw| serde_json::from_str::<Params<'a>>(raw.get()).ok())
        .map(|params| params.validation_errors)
        .unwrap_or_default()
}

/// The part after the namespace that some answers put before a field.
fn field(key: &str) -> &str {
    key.rsplit_once(":::").map_or(key, |(_, name)| name)
}

fn mismatch(answer: &Answer<'_>) -> String {
    let fields: Vec<String> = validation(answer)
        .iter()
        .take(10)
        .map(|(key, error)| {
            format!(
                "`{}` (expects {})",
                safe_name(field(key)),
                error.expected_type.as_deref().map_or_else(|| "another type".into(), safe_name)
            )
        })
        .collect();
    if fields.is_empty() {
        "a field has another type in this project".to_owned()
    } else {
        format!("another type in this project: {}", fields.join(", "))
    }
}

fn bad_json(answer: &Answer<'_>) -> String {
    let paths = answer.params.and_then(|raw| serde_json::from_str::<BTreeMap<Cow<'_, str>, &RawValue>>(raw.get()).ok()).unwrap_or_default();
    match paths.keys().find(|path| path.starts_with("obj")) {
        Some(path) => format!("a member has a type the call does not take: `{}`", safe_name(path)),
        None => "a member has a type the call does not take".to_owned(),
    }
}

type Members = BTreeMap<String, Box<RawValue>>;

/// The row with the fields named coerced to the type the project has, or dropped; `None` when it names none of ours.
fn amended(body: &[u8], answer: &Answer<'_>) -> Option<Verdict> {
    let mut row: Members = serde_json::from_slice(body).ok()?;
    let mut changes = Vec::new();
    for (key, error) in validation(answer) {
        let (full, expected) = (field(&key).to_owned(), error.expected_type.as_deref().unwrap_or_default().to_owned());
        let path: Vec<&str> = full.split('.').collect();
        let done = mend(&mut row, &["dataFields"], &path, &expected)
            .or_else(|| mend(&mut row, &["user", "dataFields"], &path, &expected))
            .or_else(|| mend_items(&mut row, &path, &expected));
        if let Some(word) = done {
            changes.push(format!("`{}` {word}", safe_name(&full)));
        }
    }
    if changes.is_empty() {
        return None;
    }
    let body = serde_json::to_vec(&row).ok()?;
    Some(Verdict::Amended(body, format!("other types in this project: {}", changes.join(", "))))
}

/// Changes the member at `place` + `path`; a name with dots may also stand as one key.
fn mend(row: &mut Members, place: &[&str], path: &[&str], expected: &str) -> Option<&'static str> {
    let (next, place, path) = match (place, path) {
        ([next, rest @ ..], path) => (*next, rest, path),
        ([], [last]) => {
            let value = row.get(*last)?;
            return Some(match coerce(value, expected) {
                Some(value) => {
                    row.insert((*last).to_owned(), value);
                    "changed"
                }
                None => {
                    row.remove(*last);
                    "dropped"
                }
            });
        }
        ([], [next, rest @ ..]) => (*next, &[][..], rest),
        ([], []) => return None,
    };
    let mut inner: Members = serde_json::from_str(row.get(next)?.get()).ok()?;
    let done = mend(&mut inner, place, path, expected)?;
    row.insert(next.to_owned(), serde_json::value::to_raw_value(&inner).ok()?);
    Some(done)
}

/// The same for every item of a purchase or cart.
fn mend_items(row: &mut Members, path: &[&str], expected: &str) -> Option<&'static str> {
    let path = match path {
        ["items" | "shoppingCartItems" | "updatedShoppingCartItems", rest @ ..] => rest,
        other => other,
    };
    let path = match path {
        ["dataFields", rest @ ..] => rest,
        other => other,
    };
    let mut items: Vec<Members> = serde_json::from_str(row.get("items")?.get()).ok()?;
    let mut done = None;
    for item in &mut items {
        done = mend(item, &["dataFields"], path, expected).or(done);
    }
    done?;
    row.insert("items".to_owned(), serde_json::value::to_raw_value(&items).ok()?);
    done
}

/// The scalar in the type expected, where nothing is lost.
fn coerce(value: &RawValue, expected: &str) -> Option<Box<RawValue>> {
    let text = value.get();
    let number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'.'));
    let out = match expected.to_ascii_lowercase().as_str() {
        "string" if number || matches!(text, "true" | "false") => format!("\"{text}\""),
        "double" if number && !text.contains('.') => format!("{text}.0"),
        "long" if number => match text.split_once('.') {
            Some((whole, fraction)) if fraction.bytes().all(|byte| byte == b'0') => whole.to_owned(),
            _ => return None,
        },
        "boolean" if matches!(text, "\"true\"" | "\"false\"") => text.trim_matches('"').to_owned(),
        _ => return None,
    };
    RawValue::from_string(out).ok()
}

/// The row without `email: null`, wherever the delta put it.
pub(super) fn drop_null_email(body: &[u8]) -> Result<Vec<u8>, Error> {
    let broken = |error| Error::new(ErrorCode::Internal, "a row is not JSON").because(error);
    let mut row: Members = serde_json::from_slice(body).map_err(broken)?;
    let null = |members: &Members| members.get("email").is_some_and(|value| value.get() == "null");
    if null(&row) {
        row.remove("email");
    }
    if let Some(raw) = row.get("dataFields") {
        let mut fields: Members = serde_json::from_str(raw.get()).map_err(broken)?;
        if null(&fields) {
            fields.remove("email");
            row.insert("dataFields".to_owned(), serde_json::value::to_raw_value(&fields).map_err(broken)?);
        }
    }
    serde_json::to_vec(&row).map_err(broken)
}
