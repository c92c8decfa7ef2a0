//! Two profiles of one person become one: whom to look at, what must survive, and the merge itself.
//!
//! `users/merge` cannot be undone, and what it does with subscriptions is not published. So both profiles are read first,
//! and whatever the one that goes away had left is left for the one that stays, before they are merged.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::super::{Detour, Operation, Reading, Refusal, Reply, Skip, Verdict};
use super::capabilities as endpoints;
use super::subscription::{Lookup, Profile, look_up};
use crate::error::{Error, ErrorCode};
use crate::model::SkipReason;

/// Under which of its ids a profile is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Named {
    /// By e-mail.
    Email(String),
    /// By `userId`.
    UserId(String),
}

/// One step of a join: the body of a read that is part of one. Sent by no call.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Step {
    source: Named,
    destination: Named,
    /// What the source had left; known once the destination is looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    left: Option<Left>,
}

#[derive(Default, Serialize, Deserialize)]
struct Left {
    channels: Vec<u64>,
    types: Vec<u64>,
}

/// `users/merge`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Merge {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source_email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source_user_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    destination_email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    destination_user_id: Option<String>,
}

/// The part of `users/updateSubscriptions` that a join writes: never a list of subscriptions, only of what was left.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Leave<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unsubscribed_channel_ids: Option<BTreeSet<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unsubscribed_message_type_ids: Option<BTreeSet<u64>>,
}

impl Named {
    fn split(&self) -> (Option<&str>, Option<&str>) {
        match self {
            Named::Email(email) => (Some(email), None),
            Named::UserId(id) => (None, Some(id)),
        }
    }

    fn owned(&self) -> (Option<String>, Option<String>) {
        let (email, user_id) = self.split();
        (email.map(str::to_owned), user_id.map(str::to_owned))
    }

    fn endpoint(&self) -> &'static str {
        match self {
            Named::Email(_) => endpoints::GET_BY_EMAIL,
            Named::UserId(_) => endpoints::GET_BY_USER_ID,
        }
    }
}

/// The body of `users/merge`.
pub(super) fn merge_body(source: &Named, destination: &Named) -> Result<Vec<u8>, Error> {
    let (source_email, source_user_id) = source.owned();
    let (destination_email, destination_user_id) = destination.owned();
    write(&Merge { source_email, source_user_id, destination_email, destination_user_id })
}

/// The calls that join `source` into `destination`, starting with a look at the source.
pub(super) fn detour(like: &Operation, source: Named, destination: Named, why: Refusal) -> Result<Detour, Error> {
    let first = look(like, Step { source, destination, left: None })?;
    Ok(Detour { operations: vec![first], why, after: None })
}

/// Who the read of a step is about; `None` when the operation is no step of a join.
pub(super) fn looked_at(operation: &Operation) -> Result<Option<Named>, Error> {
    if !matches!(operation.endpoint.as_ref(), endpoints::GET_BY_EMAIL | endpoints::GET_BY_USER_ID) {
        return Ok(None);
    }
    let step = step(operation)?;
    Ok(Some(if step.left.is_some() { step.destination } else { step.source }))
}

/// Who `users/merge` would do away with.
pub(super) fn source_of(operation: &Operation) -> Result<Named, Error> {
    let merge: Merge = read(&operation.body)?;
    match (merge.source_email, merge.source_user_id) {
        (Some(email), _) => Ok(Named::Email(email)),
        (None, Some(id)) => Ok(Named::UserId(id)),
        (None, None) => Err(Error::new(ErrorCode::Internal, "a merge names no source")),
    }
}

/// Whether an operation writes what a join must keep, as it stands.
pub(super) fn is_carrying(operation: &Operation) -> bool {
    operation.endpoint == endpoints::SUBSCRIPTIONS && operation.group == CARRYING
}

const CARRYING: &str = "join";

/// How the key ends of a row that puts an address in front of something else, and of the calls on its way.
pub(super) const INTRODUCTION: &str = ":known";

/// What of an introduction is refused is let go: what it went in front of is sent all the same, under the id alone, and the
/// customer's own record will tell what is wrong.
pub(super) fn let_go(operation: &Operation, verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Rejected(refusal) if operation.idempotency_key.as_str().ends_with(INTRODUCTION) => {
            Verdict::Discarded(SkipReason::Ignored, format!("the address was not taken along ({})", refusal.code.0.name()))
        }
        verdict => verdict,
    }
}

/// Reads the answer to a look that is part of a join.
pub(super) fn read_look(operation: &Operation, reply: &Reply) -> Reading {
    let one = |verdict| Reading::Each(vec![verdict], Vec::new());
    let profile = match look_up(reply) {
        Ok(Lookup::Found(profile)) => Some(profile),
        Ok(Lookup::Nobody) => None,
        Ok(Lookup::Later(refusal, after)) => return Reading::Retry(refusal, after),
        Ok(Lookup::Forgotten(detail)) => return one(Verdict::Discarded(SkipReason::Erased, detail.to_owned())),
        Err(error) => return Reading::Stop(error),
    };
    match next(operation, profile.as_ref()) {
        Ok(verdict) => one(verdict),
        Err(error) => one(Verdict::Rejected(Refusal::new(error.code(), "", error.message()))),
    }
}

fn next(operation: &Operation, profile: Option<&Profile>) -> Result<Verdict, Error> {
    let step = step(operation)?;
    match (&step.left, profile) {
        // Nobody to merge, any more or at all: the next attempt shows what is left of the trouble.
        (None, None) => Ok(Verdict::Accepted),
        (None, Some(source)) => judged(operation, step.source, step.destination, source),
        (Some(_), None) => merge(operation, &step.source, &step.destination, None),
        (Some(left), Some(destination)) => merge(operation, &step.source, &step.destination, leave(&step.destination, left, destination)?),
    }
}

/// What is to be done about a source that exists.
fn judged(operation: &Operation, source: Named, destination: Named, profile: &Profile) -> Result<Verdict, Error> {
    if let (Named::Email(_), Named::UserId(wanted), Some(owner)) = (&source, &destination, profile.user_id.as_deref()) {
        if owner == wanted {
            return Ok(Verdict::Accepted);
        }
        // A customer of their own: merging would hand one person's history to another.
        let message = "the e-mail belongs to the profile of another customer; that is no guest, so nothing is merged";
        return Ok(Verdict::Rejected(Refusal::new(ErrorCode::Conflict, "address_of_another_customer", message)));
    }
    let left = Left {
        channels: profile.unsubscribed_channel_ids.clone().unwrap_or_default(),
        types: profile.unsubscribed_message_type_ids.clone().unwrap_or_default(),
    };
    if left.channels.is_empty() && left.types.is_empty() {
        return merge(operation, &source, &destination, None);
    }
    let step = look(operation, Step { source, destination, left: Some(left) })?;
    Ok(on(vec![step]))
}

/// What a join starts with when the operation itself is the merge: `None` when the merge may go as it is.
pub(super) fn before(operation: &Operation, source: &Profile) -> Result<Option<Detour>, Error> {
    let body: Merge = read(&operation.body)?;
    let destination = match (body.destination_email, body.destination_user_id) {
        (Some(email), _) => Named::Email(email),
        (None, Some(id)) => Named::UserId(id),
        (None, None) => return Err(Error::new(ErrorCode::Internal, "a merge names no destination")),
    };
    match judged(operation, source_of(operation)?, destination, source)? {
        Verdict::First(detour) if detour.operations.iter().any(|operation| operation.endpoint != endpoints::MERGE) => Ok(Some(detour)),
        _ => Ok(None),
    }
}

/// Nobody to merge is what a session that never wrote anything looks like.
pub(super) fn nobody() -> Skip {
    Skip::new(SkipReason::Unchanged, "no profile is kept under the former id, so there is nothing to merge")
}

/// The lists of what was left, where the destination's grow.
fn leave(named: &Named, left: &Left, destination: &Profile) -> Result<Option<Vec<u8>>, Error> {
    let grown = |own: &Option<Vec<u64>>, more: &[u64]| {
        let own: BTreeSet<u64> = own.iter().flatten().copied().collect();
        let union: BTreeSet<u64> = own.iter().chain(more).copied().collect();
        (union != own).then_some(union)
    };
    let (email, user_id) = named.split();
    let row = Leave {
        email,
        user_id,
        unsubscribed_channel_ids: grown(&destination.unsubscribed_channel_ids, &left.channels),
        unsubscribed_message_type_ids: grown(&destination.unsubscribed_message_type_ids, &left.types),
    };
    if row.unsubscribed_channel_ids.is_none() && row.unsubscribed_message_type_ids.is_none() {
        return Ok(None);
    }
    write(&row).map(Some)
}

fn merge(like: &Operation, source: &Named, destination: &Named, leave: Option<Vec<u8>>) -> Result<Verdict, Error> {
    let merge = step_of(like, endpoints::MERGE, merge_body(source, destination)?);
    let leave = leave.map(|body| Operation { group: CARRYING.to_owned(), ..step_of(like, endpoints::SUBSCRIPTIONS, body) });
    Ok(on(leave.into_iter().chain([merge]).collect()))
}

fn on(operations: Vec<Operation>) -> Verdict {
    Verdict::First(Detour {
        operations,
        why: Refusal::new(ErrorCode::Conflict, "two_profiles", "two profiles are being merged"),
        after: None,
    })
}

fn look(like: &Operation, step: Step) -> Result<Operation, Error> {
    let named = if step.left.is_some() { &step.destination } else { &step.source };
    Ok(step_of(like, named.endpoint(), write(&step)?))
}

/// A call on the way to `like`, for the same person.
pub(super) fn step_of(like: &Operation, endpoint: &'static str, body: Vec<u8>) -> Operation {
    Operation {
        endpoint: Cow::Borrowed(endpoint),
        once: false,
        group: String::new(),
        params: std::collections::BTreeMap::new(),
        delta: None,
        supersedes: Vec::new(),
        body,
        ..like.clone()
    }
}

fn step(operation: &Operation) -> Result<Step, Error> {
    read(&operation.body)
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| Error::new(ErrorCode::Internal, "a join's row is not its own").because(error))
}

fn write<T: Serialize>(row: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(row).map_err(|error| Error::new(ErrorCode::Internal, "a join's row could not be written").because(error))
}
