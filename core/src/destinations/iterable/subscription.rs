//! Subscriptions: what the profile, as just read, leaves to do. Also the one place where profiles are read.

use std::time::Duration;

use serde::Deserialize;

use super::super::{Operation, Refusal, Reply, Skip};
use super::capabilities as endpoints;
use super::join::Named;
use super::leaving::{self, Asked};
use super::reply::{Answer, FORGOTTEN, NO_SUCH_USER, credentials, note};
use crate::error::{Error, ErrorCode};
use crate::model::{Instant, SkipReason};

/// How long a profile is waited for that was just written under its id: mostly seen at once, and six times this is the
/// longest it takes.
pub(super) const SIGHT: Duration = Duration::from_secs(10);

/// The row of a subscription operation.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Subscription {
    #[serde(default)]
    pub email: Option<String>,
    #[serde(default)]
    pub user_id: Option<String>,
    granted: bool,
    message_type: u64,
    #[serde(default)]
    message_channel: Option<u64>,
    opt_in: bool,
    /// When the answer was given.
    #[serde(default)]
    at: Option<Box<str>>,
    /// Not before this unix second a yes of the shop's joined them: then who is not in the type has left.
    #[serde(default)]
    joined_since: Option<i64>,
    /// Not before this unix second a no of the shop's took them off.
    #[serde(default)]
    denied_since: Option<i64>,
    /// The list that changes, as the profile had it: whether they left, or when, is still to be found out.
    #[serde(default)]
    in_doubt: Option<Vec<u64>>,
}

impl Subscription {
    /// What an answer leaves: the profile does not tell when a type was left, nor whether an opt-in one was.
    pub(super) fn leaves(&self) -> String {
        mark(if self.granted { JOINED } else { DENIED }, self.message_type)
    }

    /// Whether the profile was read and does not tell.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.in_doubt.is_some()
    }

    /// Whether it is to stand, whether its type must be joined, and the type.
    pub(super) fn wanted(&self) -> (bool, bool, u64) {
        (self.granted, self.opt_in, self.message_type)
    }

    /// Whose it is.
    pub(super) fn named(self) -> Result<Named, Error> {
        match (self.email, self.user_id) {
            (Some(email), _) => Ok(Named::Email(email)),
            (None, Some(id)) => Ok(Named::UserId(id)),
            (None, None) => Err(Error::new(ErrorCode::Internal, "a subscription names nobody")),
        }
    }
}

/// A profile with nothing but its id, as `users/update` takes it.
pub(super) fn introduction(named: &Named, prefer: bool) -> Result<Vec<u8>, Error> {
    let row = match named {
        Named::Email(email) => serde_json::json!({ "email": email }),
        Named::UserId(id) if prefer => serde_json::json!({ "userId": id, "preferUserId": true }),
        Named::UserId(id) => serde_json::json!({ "userId": id }),
    };
    serde_json::to_vec(&row).map_err(|error| Error::new(ErrorCode::Internal, "a row could not be written").because(error))
}

/// Reads the row of a subscription operation.
pub(super) fn subscription(operation: &Operation) -> Result<Subscription, Error> {
    serde_json::from_slice(&operation.body).map_err(not_its_own)
}

const JOINED: &str = "joined";
const DENIED: &str = "denied";

fn mark(what: &str, message_type: u64) -> String {
    format!("{what}:{message_type}")
}

/// A yes that knows what the answer before it left.
pub(super) fn reminded(body: Vec<u8>, left: &str, since: Instant) -> Result<Vec<u8>, Error> {
    let row: Subscription = serde_json::from_slice(&body).map_err(not_its_own)?;
    let known = [(JOINED, "joinedSince"), (DENIED, "deniedSince")];
    match known.into_iter().find(|(what, _)| row.granted && left == mark(what, row.message_type)) {
        Some((_, member)) => with(&body, member, since.timestamp().into()),
        None => Ok(body),
    }
}

fn with(body: &[u8], member: &str, value: serde_json::Value) -> Result<Vec<u8>, Error> {
    let mut row: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(body).map_err(not_its_own)?;
    row.insert(member.to_owned(), value);
    serde_json::to_vec(&row).map_err(not_its_own)
}

fn not_its_own(error: serde_json::Error) -> Error {
    Error::new(ErrorCode::Internal, "a subscription's row is not its own").because(error)
}

/// What is left to do.
pub(super) enum Change {
    /// Nothing.
    None(Skip),
    /// Ask again.
    Later(Refusal, Option<Duration>),
    /// There is no profile to look at.
    Missing(Refusal),
    /// The person's events must be read, for this row.
    Look(Vec<u8>),
    /// The one subscription.
    One,
    /// A list that changes, as the whole request body.
    List(Vec<u8>),
}

/// What a profile says about where its person is subscribed, and who they are.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Profile {
    pub user_id: Option<String>,
    pub unsubscribed_channel_ids: Option<Vec<u64>>,
    pub unsubscribed_message_type_ids: Option<Vec<u64>>,
    subscribed_message_type_ids: Option<Vec<u64>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    #[serde(default)]
    user: Option<FoundUser>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FoundUser {
    #[serde(default)]
    user_id: Option<String>,
    #[serde(default)]
    data_fields: Option<Profile>,
}

/// What asking for a profile came to.
pub(super) enum Lookup {
    /// There it is.
    Found(Profile),
    /// Nobody has that id, or nobody can see it yet.
    Nobody,
    /// Ask again.
    Later(Refusal, Option<Duration>),
    /// Iterable must not know this person any more.
    Forgotten(&'static str),
}

/// Reads the answer to a read of one profile.
pub(super) fn look_up(reply: &Reply) -> Result<Lookup, Error> {
    match reply.status {
        200..=299 => {
            let Ok(found) = serde_json::from_slice::<Found>(&reply.body) else {
                let refusal = Refusal::new(ErrorCode::Unavailable, "unreadable_reply", note(reply, "the profile cannot be read"));
                return Ok(Lookup::Later(refusal, None));
            };
            Ok(found
                .user
                .and_then(|user| user.data_fields.map(|fields| Profile { user_id: user.user_id.or(fields.user_id), ..fields }))
                .map_or(Lookup::Nobody, Lookup::Found))
        }
        _ => unread(reply),
    }
}

/// What an answer means that shows nothing of a person.
pub(super) fn unread(reply: &Reply) -> Result<Lookup, Error> {
    let later = |code, vendor: &str, message: &str, after| Ok(Lookup::Later(Refusal::new(code, vendor, note(reply, message)), after));
    let answer = serde_json::from_slice::<Answer<'_>>(&reply.body).unwrap_or_default();
    let says = |word: &str| {
        answer.code.as_deref().is_some_and(|code| code.starts_with(word)) || answer.msg.as_deref().is_some_and(|msg| msg.starts_with(word))
    };
    let text_missing = reply.body.starts_with(b"No user with that id exists");
    match reply.status {
        400 | 404 | 500 if says(NO_SUCH_USER) || text_missing => Ok(Lookup::Nobody),
        401 => Err(credentials("http_401", reply)),
        403 => Err(Error::new(ErrorCode::Forbidden, "the key may not read people and their events; a server-side key is needed")),
        408 => later(ErrorCode::Timeout, "http_408", "Iterable gave up waiting", reply.retry_after()),
        429 => later(ErrorCode::RateLimited, "RateLimitExceeded", "Iterable asks to slow down", reply.retry_after()),
        500..=599 => {
            later(ErrorCode::Unavailable, &format!("http_{}", reply.status), "Iterable cannot serve right now", reply.retry_after())
        }
        400 | 409 if says("ForgottenUserError") => Ok(Lookup::Forgotten(FORGOTTEN)),
        status => Err(Error::new(ErrorCode::Rejected, "Iterable does not show the profile").with("status", status.to_string())),
    }
}

/// Decides from the profile as just read, or from the person's events where the profile leaves it in doubt. Whoever left a
/// channel at Iterable stays away: the profile does not tell when they left, and of a yes and a no without order the no counts.
/// Neither does it tell when a type was left, nor, of an opt-in type, whether; with `look`, their events are asked for.
pub(super) fn complete(operation: &Operation, reply: &Reply, look: bool) -> Result<Change, Error> {
    let mut row = subscription(operation)?;
    if let Some(list) = row.in_doubt.take() {
        return decide(operation, &row, list, reply);
    }
    let profile = match look_up(reply)? {
        Lookup::Found(profile) => profile,
        Lookup::Later(refusal, after) => return Ok(Change::Later(refusal, after)),
        Lookup::Forgotten(detail) => return Ok(Change::None(Skip::new(SkipReason::Erased, detail))),
        // Refused before, never written, or written moments ago and not visible yet: a list must not be replaced unseen.
        Lookup::Nobody => {
            return Ok(Change::Missing(Refusal::new(ErrorCode::NotFound, "no_profile", note(reply, "the profile does not exist yet"))));
        }
    };
    let left_channel = row.message_channel.is_some_and(|id| profile.unsubscribed_channel_ids.is_some_and(|ids| ids.contains(&id)));
    let list = if row.opt_in { profile.subscribed_message_type_ids } else { profile.unsubscribed_message_type_ids }.unwrap_or_default();
    let only_they = || Ok(Change::None(stays_away("only they can come back, there or through Iterable's preference page")));
    if row.granted && left_channel {
        return only_they();
    }
    if row.granted == (row.opt_in == list.contains(&row.message_type)) {
        return Ok(Change::None(Skip::new(SkipReason::Unchanged, "the profile already says so")));
    }
    if row.granted && look {
        return with(&operation.body, "inDoubt", list.into()).map(Change::Look);
    }
    if row.granted && (!row.opt_in || row.joined_since.is_some()) {
        return only_they();
    }
    change(operation, &row, list)
}

/// Decides from the person's events.
fn decide(operation: &Operation, row: &Subscription, list: Vec<u64>, reply: &Reply) -> Result<Change, Error> {
    let events = match reply.status {
        200..=299 => reply.body.as_slice(),
        _ => match unread(reply)? {
            Lookup::Later(refusal, after) => return Ok(Change::Later(refusal, after)),
            Lookup::Forgotten(detail) => return Ok(Change::None(Skip::new(SkipReason::Erased, detail))),
            Lookup::Nobody | Lookup::Found(_) => b"",
        },
    };
    let asked = Asked {
        message_type: row.message_type,
        channel: row.message_channel,
        has_left: !row.opt_in,
        at: row.at.as_deref().and_then(leaving::time),
        joined_since: row.joined_since,
        denied_since: row.denied_since,
    };
    if asked.stays_away(events) {
        return Ok(Change::None(stays_away("that was after this yes, or nobody can say when; a newer one brings them back")));
    }
    change(operation, row, list)
}

/// The call that changes it: the one subscription, or the whole of its list.
fn change(operation: &Operation, row: &Subscription, mut list: Vec<u64>) -> Result<Change, Error> {
    if operation.endpoint != endpoints::SUBSCRIPTIONS {
        return Ok(Change::One);
    }
    // A yes to an opt-in type and a no to an opt-out one are put on their list; the others are taken off it.
    list.retain(|id| *id != row.message_type);
    if row.granted == row.opt_in {
        list.push(row.message_type);
    }
    let mut lists = Lists { email: row.email.as_deref(), user_id: row.user_id.as_deref(), ..Lists::default() };
    *(if row.opt_in { &mut lists.subscribed_message_type_ids } else { &mut lists.unsubscribed_message_type_ids }) = Some(list);
    let written = serde_json::to_vec(&lists);
    written.map(Change::List).map_err(|error| Error::new(ErrorCode::Internal, "a list could not be written").because(error))
}

fn stays_away(then: &str) -> Skip {
    Skip::new(SkipReason::DeniedAtDestination, format!("the person unsubscribed at Iterable; {then}"))
}

/// `users/updateSubscriptions` with the one list that changes.
#[derive(Default, serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Lists<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscribed_message_type_ids: Option<Vec<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unsubscribed_message_type_ids: Option<Vec<u64>>,
}
