//! Subscriptions: what the profile, as just read, leaves to do. Also the one place where profiles are read.

use std::time::Duration;

use serde::Deserialize;

use super::super::{Operation, Refusal, Reply, Skip};
use super::capabilities as endpoints;
use super::join::Named;
use super::reply::{Answer, FORGOTTEN, NO_SUCH_USER, credentials, note};
use crate::error::{Error, ErrorCode};
use crate::model::SkipReason;

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
    /// Whether they were joined before: then who is not on the list has left.
    #[serde(default)]
    joined_before: bool,
}

impl Subscription {
    /// What a yes to an opt-in type leaves: the profile does not name the types that were left again.
    pub(super) fn leaves(&self) -> Option<String> {
        (self.granted && self.opt_in).then(|| format!("joined:{}", self.message_type))
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
    serde_json::from_slice(&operation.body)
        .map_err(|error| Error::new(ErrorCode::Internal, "a subscription's row is not its own").because(error))
}

/// The row of somebody who was joined before.
pub(super) fn joined_before(body: &[u8]) -> Result<Vec<u8>, Error> {
    let internal = |error| Error::new(ErrorCode::Internal, "a subscription's row is not its own").because(error);
    let mut row: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(body).map_err(internal)?;
    row.insert("joinedBefore".to_owned(), true.into());
    serde_json::to_vec(&row).map_err(internal)
}

/// What the profile leaves to do.
pub(super) enum Change {
    /// Nothing.
    None(Skip),
    /// Ask again.
    Later(Refusal, Option<Duration>),
    /// There is no profile to look at.
    Missing(Refusal),
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
    let later = |code, vendor: &str, message: &str, after| Ok(Lookup::Later(Refusal::new(code, vendor, note(reply, message)), after));
    let answer = serde_json::from_slice::<Answer<'_>>(&reply.body).unwrap_or_default();
    let says = |word: &str| {
        answer.code.as_deref().is_some_and(|code| code.starts_with(word)) || answer.msg.as_deref().is_some_and(|msg| msg.starts_with(word))
    };
    let text_missing = reply.body.starts_with(b"No user with that id exists");
    match reply.status {
        200..=299 => {
            let found: Found = match serde_json::from_slice(&reply.body) {
                Ok(found) => found,
                Err(_) => return later(ErrorCode::Unavailable, "unreadable_reply", "the profile cannot be read", None),
            };
            Ok(found
                .user
                .and_then(|user| user.data_fields.map(|fields| Profile { user_id: user.user_id.or(fields.user_id), ..fields }))
                .map_or(Lookup::Nobody, Lookup::Found))
        }
        400 | 404 | 500 if says(NO_SUCH_USER) || text_missing => Ok(Lookup::Nobody),
        401 => Err(credentials("http_401", reply)),
        403 => Err(Error::new(ErrorCode::Forbidden, "the key may not read profiles; a server-side key is needed")),
        408 => later(ErrorCode::Timeout, "http_408", "Iterable gave up waiting", reply.retry_after()),
        429 => later(ErrorCode::RateLimited, "RateLimitExceeded", "Iterable asks to slow down", reply.retry_after()),
        500..=599 => {
            later(ErrorCode::Unavailable, &format!("http_{}", reply.status), "Iterable cannot serve right now", reply.retry_after())
        }
        400 | 409 if says("ForgottenUserError") => Ok(Lookup::Forgotten(FORGOTTEN)),
        status => Err(Error::new(ErrorCode::Rejected, "Iterable does not show the profile").with("status", status.to_string())),
    }
}

/// Decides from the profile as just read. Whoever left at Iterable stays away: the profile does not tell when they left,
/// and of a yes and a no without order the no counts.
pub(super) fn complete(operation: &Operation, reply: &Reply) -> Result<Change, Error> {
    let row = subscription(operation)?;
    let profile = match look_up(reply)? {
        Lookup::Found(profile) => profile,
        Lookup::Later(refusal, after) => return Ok(Change::Later(refusal, after)),
        Lookup::Forgotten(detail) => return Ok(Change::None(Skip::new(SkipReason::Erased, detail))),
        // Refused before, never written, or written moments ago and not visible yet: a list must not be replaced unseen.
        Lookup::Nobody => {
            return Ok(Change::Missing(Refusal::new(ErrorCode::NotFound, "no_profile", note(reply, "the profile does not exist yet"))));
        }
    };
    let joined = profile.subscribed_message_type_ids.unwrap_or_default();
    let left = profile.unsubscribed_message_type_ids.unwrap_or_default();
    let left_channel = row.message_channel.is_some_and(|id| profile.unsubscribed_channel_ids.is_some_and(|ids| ids.contains(&id)));
    let id = row.message_type;
    let left_opt_in = row.opt_in && row.joined_before && !joined.contains(&id);
    let unchanged = || Ok(Change::None(Skip::new(SkipReason::Unchanged, "the profile already says so")));
    if row.granted && (left_channel || left_opt_in || (!row.opt_in && left.contains(&id))) {
        let detail = "the person unsubscribed at Iterable; only they can come back, there or through Iterable's preference page";
        return Ok(Change::None(Skip::new(SkipReason::DeniedAtDestination, detail)));
    }
    let already = match (row.granted, row.opt_in) {
        (true, true) => joined.contains(&id),
        (false, true) => !joined.contains(&id),
        (true, false) => true,
        (false, false) => left.contains(&id),
    };
    if already {
        return unchanged();
    }
    if operation.endpoint != endpoints::SUBSCRIPTIONS {
        return Ok(Change::One);
    }
    let mut lists = Lists { email: row.email.as_deref(), user_id: row.user_id.as_deref(), ..Lists::default() };
    match (row.granted, row.opt_in) {
        (true, _) => lists.subscribed_message_type_ids = Some(joined.into_iter().chain([id]).collect()),
        (false, true) => lists.subscribed_message_type_ids = Some(joined.into_iter().filter(|joined| *joined != id).collect()),
        (false, false) => lists.unsubscribed_message_type_ids = Some(left.into_iter().chain([id]).collect()),
    }
    let body = serde_json::to_vec(&lists).map_err(|error| Error::new(ErrorCode::Internal, "a list could not be written").because(error))?;
    Ok(Change::List(body))
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
