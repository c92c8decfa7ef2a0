//! Answers of every operation: plain data, the same in every language.

mod reconciled;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::destinations::Method;
use crate::model::{FindingCode, Instant, Mode, Record, Rejection, ResourceRef, Severity, SkipReason};
use crate::sources::{Fetch, Ignored};

pub use reconciled::{ReconcileCheck, ReconcileCounts, ReconcileReason, ReconcileStatus, ReconciledAt, ReconciledRecord, Reconciliation};

/// Answer of `normalize`: every input row is in exactly one of the lists (in `records` perhaps several times).
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Normalized {
    /// Canonical records, in input order.
    pub records: Vec<Record>,
    /// Position of each record's row in the input, beside `records`.
    pub positions: Vec<u64>,
    /// What decoding noticed.
    pub findings: Vec<RecordFinding>,
    /// Rows that could not become a record.
    pub rejected: Vec<Rejection>,
    /// Rows ignored by name.
    pub ignored: Vec<Ignored>,
    /// Rows that only name a resource to fetch.
    pub fetches: Vec<Fetch>,
}

/// A finding with the record it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecordFinding {
    /// Position of the record's row in the input.
    pub position: u64,
    /// Stable code.
    pub code: FindingCode,
    /// JSON pointer.
    pub pointer: String,
    /// How bad it is, after policy.
    pub severity: Severity,
    /// One sentence; never the value of a personal field.
    pub message: String,
}

/// Answer of `validate`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ValidationReport {
    /// Whether every row could be sent.
    pub ok: bool,
    /// Records looked at.
    pub records: u64,
    /// Everything found, decode findings included.
    pub findings: Vec<RecordFinding>,
    /// Rows that could not become a record.
    pub rejected: Vec<Rejection>,
    /// How often each code was found.
    pub counts: BTreeMap<String, u64>,
}

/// One HTTP call that would be made, without credentials.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PlannedRequest {
    /// The destination.
    pub destination: String,
    /// The endpoint's id in the capability table.
    pub endpoint: String,
    /// Method.
    pub method: Method,
    /// Path and query below the base URL.
    pub path: String,
    /// Headers besides credentials.
    pub headers: BTreeMap<String, String>,
    /// Positions of the rows it carries.
    pub positions: Vec<u64>,
    /// Idempotency keys of the operations it carries.
    pub idempotency_keys: Vec<String>,
    /// Body; null for none.
    #[schemars(with = "serde_json::Value")]
    pub body: Box<RawValue>,
}

/// Something that is not sent, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecordSkip {
    /// Position of the record's row in the input.
    pub position: u64,
    /// Why.
    pub reason: SkipReason,
    /// One sentence with what to do about it.
    pub detail: String,
    /// Which of several destinations it is not sent to; absent when to none, or when there is one only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
}

/// Answer of `build` and `plan`: what would be sent, and what would not and why.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// HTTP calls, in order.
    pub requests: Vec<PlannedRequest>,
    /// What would not be sent.
    pub skipped: Vec<RecordSkip>,
    /// Warnings.
    pub findings: Vec<RecordFinding>,
    /// Rows that could not become a record, or that validation refused.
    pub rejected: Vec<Rejection>,
    /// Rows ignored by name.
    pub ignored: Vec<Ignored>,
    /// Rows that only name a resource to fetch.
    pub fetches: Vec<Fetch>,
}

/// Answer of `accept`: what is safe with us from now on.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Receipt {
    /// The run.
    pub run: String,
    /// Operations committed to the outbox.
    pub accepted: u64,
    /// What will not be sent.
    pub skipped: Vec<RecordSkip>,
    /// Warnings.
    pub findings: Vec<RecordFinding>,
    /// Rows that could not become a record, or that validation refused.
    pub rejected: Vec<Rejection>,
    /// Rows ignored by name.
    pub ignored: Vec<Ignored>,
    /// Rows that only name a resource to fetch.
    pub fetches: Vec<Fetch>,
}

/// Counts of a run, in rows of its input.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RunCounts {
    /// Rows read.
    pub rows: u64,
    /// Rows of which everything due was taken by the destination.
    pub delivered: u64,
    /// Rows of which nothing was sent, for a reason.
    pub skipped: u64,
    /// Rows that could not become a record, or that validation refused.
    pub rejected: u64,
    /// Rows of which something was refused for good.
    pub dead_lettered: u64,
    /// Rows of which something is still waiting.
    pub pending: u64,
}

/// What happened on one endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct EndpointCounts {
    /// HTTP requests made, retries included.
    pub requests: u64,
    /// Operations delivered.
    pub delivered: u64,
    /// Operations that must not be sent after all.
    pub skipped: u64,
    /// Operations refused for good.
    pub dead_lettered: u64,
    /// Times an operation was put off.
    pub retries: u64,
}

/// Answer of `deliver` and `finish_run`: did it arrive, and is it right?
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunReport {
    /// The run's id.
    pub run: String,
    /// The destination; of several the names, separated by commas.
    pub destination: String,
    /// Whether journeys might start.
    pub mode: Mode,
    /// When it began.
    pub started_at: Instant,
    /// When this report was made.
    pub finished_at: Instant,
    /// Rows by how they ended, at the worst of the destinations: `pending` before `dead_lettered` before `rejected` before
    /// `delivered` before `skipped`.
    pub counts: RunCounts,
    /// The same at each destination, by name.
    #[serde(default)]
    pub destinations: BTreeMap<String, DestinationReport>,
    /// Skips by reason. A row can count several times: a contact can be sent while its consent is not.
    pub skipped_by_reason: BTreeMap<String, u64>,
    /// Findings by code, warnings included.
    pub findings_by_code: BTreeMap<String, u64>,
    /// What happened on each endpoint.
    pub endpoints: BTreeMap<String, EndpointCounts>,
    /// The first rows that were rejected, at most 100.
    pub rejected: Vec<Rejection>,
    /// The first skips other than `duplicate`, `unchanged` and `stale`, at most 100.
    pub skipped: Vec<RecordSkip>,
    /// Ids of the first dead letters, at most 100.
    pub dead_letters: Vec<u64>,
    /// Rows ignored, by their name at the source.
    pub ignored: BTreeMap<String, u64>,
    /// Resources that must be fetched to know more, at most 100.
    pub fetches: Vec<Fetch>,
    /// What the destination remarked without refusing anything, by text.
    pub warnings: BTreeMap<String, u64>,
    /// Operations that the destination has taken as an asynchronous job and not told the end of; they are asked for again
    /// and not sent again.
    #[serde(default)]
    pub in_jobs: u64,
    /// Why delivery stopped before its end; the outbox holds the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
}

/// What a run did at one destination.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct DestinationReport {
    /// Rows by how they ended there.
    pub counts: RunCounts,
    /// Skips by reason.
    pub skipped_by_reason: BTreeMap<String, u64>,
    /// What happened on each endpoint.
    pub endpoints: BTreeMap<String, EndpointCounts>,
    /// What the destination remarked without refusing anything, by text.
    pub warnings: BTreeMap<String, u64>,
    /// Operations that an asynchronous job there holds.
    pub in_jobs: u64,
    /// Why delivery to it stopped before its end; the outbox holds the rest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
}

/// How a run stands, for progress displays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Progress {
    /// The run.
    pub run: String,
    /// Rows so far.
    pub counts: RunCounts,
    /// Rows so far at each destination, by name.
    #[serde(default)]
    pub destinations: BTreeMap<String, RunCounts>,
    /// Operations that an asynchronous job at the destination holds.
    #[serde(default)]
    pub in_jobs: u64,
    /// Seconds since it began.
    pub elapsed_s: f64,
}

/// Answer of `flush`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Flushed {
    /// Operations that still wait.
    pub waiting: u64,
    /// Those of them that an asynchronous job at the destination holds.
    #[serde(default)]
    pub in_jobs: u64,
    /// Why delivery stopped before its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// What messages only named and could not be read for so long that it was given up; a `pull` with `unread` reads it.
    #[serde(default)]
    pub unread: u64,
    /// The same for each destination, by name.
    #[serde(default)]
    pub destinations: BTreeMap<String, FlushedAt>,
}

/// How one destination stands after `flush`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FlushedAt {
    /// Operations that still wait.
    pub waiting: u64,
    /// Those of them that an asynchronous job there holds.
    pub in_jobs: u64,
    /// Why delivery to it stopped before its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
}

/// A dead letter as shown to people and programs.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Letter {
    /// Id, stable until it is replayed or discarded.
    pub id: u64,
    /// The destination.
    pub destination: String,
    /// The endpoint.
    pub endpoint: String,
    /// Same key, same effect; a replay keeps it.
    pub idempotency_key: String,
    /// Our code, such as `rejected`.
    pub code: String,
    /// The vendor's code.
    pub vendor_code: String,
    /// One sentence.
    pub message: String,
    /// HTTP status; 0 when there was no answer.
    pub status: u16,
    /// The answer's body, redacted and cut.
    pub response: String,
    /// Times it was sent.
    pub attempts: u32,
    /// When it died.
    pub died_at: Instant,
    /// Ties the logs together.
    pub correlation_id: String,
    /// The run that accepted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Position of its row in that run's input.
    pub position: u64,
    /// The canonical record; correct it and give it to `replay`.
    pub record: Record,
    /// The row as it was sent.
    #[schemars(with = "serde_json::Value")]
    pub body: Box<RawValue>,
}

/// Answer of `check`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct CheckReport {
    /// Whether the credentials work, at every destination.
    pub ok: bool,
    /// HTTP status of the answer, of several the first that is not well; 0 for none.
    pub status: u16,
    /// What it means.
    pub message: String,
    /// What to know before a backfill.
    pub backfill_notice: String,
    /// The same for each destination, by name.
    #[serde(default)]
    pub destinations: BTreeMap<String, DestinationCheck>,
}

/// Whether one destination takes its credentials.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct DestinationCheck {
    /// Whether the credentials work.
    pub ok: bool,
    /// HTTP status of the answer; 0 for none.
    pub status: u16,
    /// What it means.
    pub message: String,
    /// What to know before a backfill.
    pub backfill_notice: String,
}

/// Answer of `receive`: what is safe with us from now on.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Received {
    /// The run.
    pub run: String,
    /// Operations committed to the outbox.
    pub accepted: u64,
    /// What will not be sent.
    pub skipped: Vec<RecordSkip>,
    /// Warnings.
    pub findings: Vec<RecordFinding>,
    /// Rows that could not become a record, or that validation refused.
    pub rejected: Vec<Rejection>,
    /// Rows ignored by name.
    pub ignored: Vec<Ignored>,
    /// Rows that only name a resource.
    pub fetches: Vec<Fetch>,
    /// How many of them are read from the shop now, and not forgotten until they were; 0 where the source's settings do not
    /// say how to read.
    pub fetching: u64,
    /// How many things the call tells of, when all of them were taken before: then nothing was done about it.
    pub duplicates: u64,
}

/// Something that a message only named and that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unread {
    /// What it is.
    pub resource: ResourceRef,
    /// What named it: the message type or the webhook's scope.
    pub reason: String,
    /// Correlation id of what named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// How often reading it failed.
    pub attempts: u32,
    /// When it was last named.
    pub named_at: Instant,
    /// When it was given up.
    pub given_up_at: Instant,
    /// Our code of the last failure.
    pub code: String,
    /// One sentence.
    pub message: String,
}

/// Answer of `pull`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PullReport {
    /// What became of the rows.
    pub run: RunReport,
    /// How each stream was read, by name.
    pub streams: BTreeMap<String, StreamReport>,
    /// HTTP requests made to the shop, tokens and repetitions included.
    pub requests: u64,
    /// Requests to the shop that were sent again.
    pub retries: u64,
    /// What messages only named and could not be read for so long that it was given up.
    #[serde(default)]
    pub unread: u64,
    /// The first of it, at most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given_up: Vec<Unread>,
    /// Why the pull ended before its end; the next one goes on there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
}

/// How one stream was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StreamReport {
    /// Whether journeys might start.
    pub mode: Mode,
    /// Pages accepted.
    pub pages: u64,
    /// Rows on them.
    pub rows: u64,
    /// Whether all that had changed was read.
    pub complete: bool,
    /// What changed before this has been read, in this pull and those before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_until: Option<Instant>,
    /// Why it ended before its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
}
