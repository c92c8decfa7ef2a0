//! Decide: whether an operation goes out at all, and how much of it.
//!
//! The order of the checks is fixed: erasure ledger → consent → stale → duplicate → unchanged. Every skip carries its
//! reason. Nothing here does I/O: what is known comes from the state as an argument.
//!
//! The delta is taken over what the destination would see, not over the canonical record: a changed mapping counts as a
//! change, and a canonical change that the destination has no place for does not.

pub mod consent;
pub mod delta;
pub mod events;

pub use consent::{ConsentConfig, ConsentRule};
pub use events::{EventsConfig, OldOrders, OrderFacts};

use crate::destinations::{Given, Operation, Skip};
use crate::fingerprint::opaque;
use crate::model::{Identity, Mode, SkipReason};
use crate::state::{KeyStatus, Known};

/// What becomes of an operation.
#[derive(Clone, Debug)]
pub enum Decision {
    /// Send this much of it.
    Send(delta::Reduced),
    /// Do not send it.
    Skip(Skip),
}

/// A version that no source counts up to, for entities that are over.
pub const CLOSED: u64 = i64::MAX.unsigned_abs();

/// Whether what is known of an entity is what an operation that is provided for it wants.
#[must_use]
pub fn holds(given: Given, known: &Known) -> bool {
    let heard = known.version.is_some() || known.pending || !known.sent.is_empty();
    match given {
        Given::Unknown => !heard,
        Given::Open => heard && known.version != Some(CLOSED),
    }
}

/// Decides about one operation. `mode` is its record's, `null_clears` comes from the endpoint's capabilities.
///
/// # Errors
/// `internal` when the operation's own delta pointer does not name an object in its body.
pub fn decide(operation: &Operation, known: &Known, mode: Mode, null_clears: bool) -> crate::Result<Decision> {
    let skip = |reason, detail: &str| Ok(Decision::Skip(Skip::new(reason, detail)));
    if operation.once {
        return match known.key {
            Some(KeyStatus::Pending) => skip(SkipReason::Duplicate, "it is waiting in the outbox"),
            Some(KeyStatus::Delivered) => skip(SkipReason::Duplicate, "it was delivered before"),
            // It is history: a note on an old order must not send its confirmation.
            Some(KeyStatus::Withheld) if mode == Mode::Live => {
                skip(SkipReason::BackfillQuiet, "a backfill withheld it; a backfill that is set to send it may still")
            }
            // A dead letter that is heard again gets another chance: the shop may have corrected it.
            Some(KeyStatus::Dead | KeyStatus::Withheld) | None => Ok(Decision::Send(delta::Reduced::whole(operation))),
        };
    }
    if let (Some(known), Some(own)) = (known.version, operation.version)
        && known > own
    {
        return skip(SkipReason::Stale, "a newer version was accepted before");
    }
    if known.key == Some(KeyStatus::Pending) {
        return skip(SkipReason::Duplicate, "this version is waiting in the outbox");
    }
    let reduced = delta::reduce(operation, known, null_clears)?;
    if reduced.unchanged {
        return skip(SkipReason::Unchanged, "the destination would see nothing new");
    }
    Ok(Decision::Send(reduced))
}

/// Opaque names under which a person is kept in consent history and erasure ledger: one per identifier known.
#[must_use]
pub fn people(source: &str, tenant: &str, identity: &Identity) -> Vec<String> {
    let mut names = Vec::with_capacity(2);
    if let Some(id) = &identity.customer_id {
        names.push(opaque(&[source, tenant, "customer", id]));
    }
    if let Some(email) = &identity.email {
        names.push(opaque(&[source, tenant, "email", email]));
    }
    names
}
