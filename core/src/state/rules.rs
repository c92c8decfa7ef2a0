//! What every store must judge alike.

use std::collections::BTreeMap;

use chrono::SubsecRound;

use super::ConsentRow;
use crate::destinations::Operation;
use crate::model::{ConsentStatus, Instant};

/// Dead letters listed when no limit is given.
pub(super) const LETTERS: u32 = 1_000;

/// How long a pushed call is remembered: longer than any shop or queue repeats one.
pub(super) const DELIVERIES_KEPT: chrono::TimeDelta = chrono::TimeDelta::days(30);

/// Times are kept to the microsecond, as SQL databases do.
pub(super) fn micros(at: Instant) -> Instant {
    at.trunc_subsecs(6)
}

/// Whether `new` counts instead of `old`, both about one person and channel.
///
/// The later word counts, and a word without a time is older than any with one. Between two without a time a no stands:
/// a yes that cannot say when it was given must not undo it. Otherwise what was heard later counts, and of two heard at
/// once the no. The order is total, so it does not matter in which order rows arrive.
pub(super) fn outweighs(new: &ConsentRow, old: &ConsentRow) -> bool {
    let weight = |row: &ConsentRow| {
        let denied = row.status == ConsentStatus::Denied;
        (row.at.map(micros), row.at.is_none() && denied, micros(row.observed_at), denied)
    };
    weight(new) >= weight(old)
}

/// Whether `new` is what its source said last. Only a change is history: a nightly run says everything again.
pub(super) fn repeats(new: &ConsentRow, last: &ConsentRow) -> bool {
    new.status == last.status && new.at.map(micros) == last.at.map(micros)
}

/// Whether a lease must be written: there is none, or less than half of what is asked for is left. Writing at every
/// claim would cost a disk flush each.
pub(super) fn renews(lease: Option<Instant>, now: Instant, until: Instant) -> bool {
    lease.is_none_or(|lease| lease - now < (until - now) / 2)
}

/// What to remember of an operation that replaces a dead letter's: nothing of any member that either of them writes.
pub(super) fn forgotten(fingerprints: BTreeMap<String, Option<u64>>, replacement: &Operation) -> BTreeMap<String, Option<u64>> {
    let mut members: BTreeMap<_, _> = fingerprints.into_keys().map(|member| (member, None)).collect();
    let body: Option<serde_json::Value> = serde_json::from_slice(&replacement.body).ok();
    let delta = replacement.delta.as_deref().and_then(|pointer| body.as_ref()?.pointer(pointer)?.as_object());
    members.extend(delta.into_iter().flatten().map(|(member, _)| (member.clone(), None)));
    members
}
