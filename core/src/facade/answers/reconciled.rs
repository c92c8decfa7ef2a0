//! Answers of `reconcile`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::RecordSkip;
use crate::model::{Instant, Rejection, ResourceRef};
use crate::sources::{Fetch, Ignored};

/// What a destination holds of something that was or would be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReconcileStatus {
    /// It holds what the record says.
    Equal,
    /// It holds something else in some fields.
    Differs,
    /// It holds nothing of it. Where a platform stores later than it accepts, that can mean that it was asked too soon.
    Missing,
    /// It could not be learnt; asking again may help.
    Unreadable,
    /// The destination shows nothing of what this writes.
    Unsupported,
    /// Nothing of the record belongs there.
    Skipped,
}

/// Why a check came out as it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReconcileReason {
    /// The state says that it was delivered as the record says: it was changed or removed at the destination since, or was
    /// accepted there and not kept.
    ChangedThere,
    /// The state knows nothing of a delivery of what is missing or different: the record, or a newer version of it, was not
    /// sent.
    NeverSent,
    /// It waits in the outbox, or is under way.
    Waiting,
    /// The destination refused it; it is among the dead letters.
    DeadLettered,
    /// A backfill withheld it.
    Withheld,
    /// A newer version was accepted since, so that this one need not be there; the destination was not asked.
    Stale,
    /// The destination has no call that shows it.
    NoReadBack,
    /// The destination was asked, and its answer does not tell.
    NotTold,
    /// The credentials do not allow the read.
    Unauthorized,
    /// The destination asked to slow down more often than retries allow.
    RateLimited,
    /// No usable answer came, as often as retries allow, or the destination is down.
    Unavailable,
    /// The destination refused the read.
    Refused,
    /// The `Sync` was closed before.
    Stopped,
}

/// Records by what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ReconcileCounts {
    /// Records looked at.
    pub records: u64,
    /// Records of which everything that can be read is as it should be.
    pub equal: u64,
    /// Records with something different.
    pub differs: u64,
    /// Records with something missing, and nothing different.
    pub missing: u64,
    /// Records of which something could not be learnt, and nothing else is wrong.
    pub unreadable: u64,
    /// Records of which the destination shows nothing.
    pub unsupported: u64,
    /// Records of which nothing belongs there, for a reason.
    pub skipped: u64,
}

/// Answer of `reconcile`: does the destination hold what it should? It never has a value, only where values differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reconciliation {
    /// Whether nothing is different, missing or unreadable, and no row was rejected. What cannot be read is not counted
    /// against it: look at `unsupported`.
    pub ok: bool,
    /// When the first destination was asked.
    pub started_at: Instant,
    /// When the last one had answered.
    pub finished_at: Instant,
    /// Records at the worst of the destinations.
    pub counts: ReconcileCounts,
    /// Checks by reason.
    pub by_reason: BTreeMap<String, u64>,
    /// The same at each destination, by name.
    pub destinations: BTreeMap<String, ReconciledAt>,
    /// Every record that belongs somewhere, in input order.
    pub records: Vec<ReconciledRecord>,
    /// Parts of records that do not belong there, and why.
    pub skipped: Vec<RecordSkip>,
    /// Rows that could not become a record, or that validation refused.
    pub rejected: Vec<Rejection>,
    /// Rows ignored by name.
    pub ignored: Vec<Ignored>,
    /// Rows that only name a resource to fetch.
    pub fetches: Vec<Fetch>,
}

/// What was found at one destination.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ReconciledAt {
    /// Records by what was found there.
    pub counts: ReconcileCounts,
    /// Checks by reason.
    pub by_reason: BTreeMap<String, u64>,
    /// HTTP requests made, repetitions included.
    pub requests: u64,
    /// Why not everything was asked for; what was not is `unreadable`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
}

/// One record and what was found of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReconciledRecord {
    /// Position of its row in the input.
    pub position: u64,
    /// Its name at the source.
    pub resource: ResourceRef,
    /// Ties the logs together.
    pub correlation_id: String,
    /// The worst of its checks.
    pub status: ReconcileStatus,
    /// One for everything it would write.
    pub checks: Vec<ReconcileCheck>,
}

/// One thing that a record would write, and what the destination holds of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReconcileCheck {
    /// The destination, by its name.
    pub destination: String,
    /// The endpoint that writes it.
    pub endpoint: String,
    /// Under which it is or would be sent.
    pub idempotency_key: String,
    /// What was found.
    pub status: ReconcileStatus,
    /// Why; absent when it is equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<ReconcileReason>,
    /// One sentence more, where there is one; no personal data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What differs, as JSON pointers into the row that is or would be sent; the empty pointer is the whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
    /// Those of them that, as far as the state knows, were not sent with this value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unsent: Vec<String>,
}
