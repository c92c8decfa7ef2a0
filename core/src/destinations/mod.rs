//! Destinations turn canonical records into requests a marketing platform takes, and its answers into verdicts. Pure:
//! no I/O, no clock, no globals.
//!
//! A record becomes [`Operation`]s: one row of one endpoint each, with the keys that delivery needs. Operations wait in
//! the outbox; when they are due, one or many of one endpoint become a [`Request`], and its [`Reply`] is read back into
//! one [`Verdict`] per operation.

#[cfg(feature = "destination-cordial")]
pub mod cordial;
#[cfg(feature = "destination-dotdigital")]
pub mod dotdigital;
pub mod held;
#[cfg(feature = "destination-insider")]
pub mod insider;
#[cfg(feature = "destination-iterable")]
pub mod iterable;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::held::Held;
use crate::error::{Error, ErrorCode};
pub use crate::http::{Method, Reply, Request, Secret};
use crate::model::{CorrelationId, Finding, IdempotencyKey, Instant, Record, SkipReason};

/// A marketing platform that can be written to.
pub trait Destination: Send + Sync {
    /// The name used in configuration, equal to the folder and the feature suffix.
    fn name(&self) -> &'static str;

    /// What it can take, and how fast: the only place where the vendor's limits are written.
    fn capabilities(&self) -> &'static Capabilities;

    /// Builds the operations for one record, or says why there are none. Same record, same bytes.
    fn build(&self, record: &Record) -> Built;

    /// Packs operations of one endpoint and group into one request. `operations` is never empty and never more than the
    /// endpoint takes.
    ///
    /// # Errors
    /// `internal` when the operations do not belong together.
    fn request(&self, operations: &[&Operation]) -> Result<Request, Error>;

    /// Reads the reply to [`Destination::request`] of the same operations.
    fn read(&self, operations: &[&Operation], reply: &Reply) -> Reading;

    /// A read that must happen before the operation may be sent, such as the profile whose subscriptions an operation
    /// changes. `None` for almost all.
    fn prefetch(&self, operation: &Operation) -> Option<Request> {
        let _ = operation;
        None
    }

    /// Whether the request for an operation can only be made of what [`Destination::prefetch`] finds, by
    /// [`Destination::complete`]; [`Destination::request`] fails for it. A dry run shows the read in its place.
    fn is_computed(&self, operation: &Operation) -> bool {
        let _ = operation;
        false
    }

    /// Completes an operation with what [`Destination::prefetch`] found: the request to send, or why it must not be.
    ///
    /// # Errors
    /// As [`Destination::read`]: what the reply says went wrong.
    fn complete(&self, operation: &Operation, reply: &Reply) -> Result<Completed, Error> {
        let _ = reply;
        Ok(Completed::Send(self.request(&[operation])?))
    }

    /// Asks how an asynchronous job stands that [`Destination::read`] named for these operations. Only for endpoints whose
    /// table row has a [`JobFacts`].
    ///
    /// # Errors
    /// `internal` when this destination has no jobs.
    fn poll(&self, operations: &[&Operation], job: &str) -> Result<Request, Error> {
        let _ = (operations, job);
        Err(Error::new(ErrorCode::Internal, "this destination has no jobs"))
    }

    /// Reads the answer to [`Destination::poll`]: verdicts when the job has ended, [`Reading::Job`] when it goes on or when
    /// its report has another page. `operations` are those of the request the job was made of, in its order.
    ///
    /// [`Reading::Retry`] says that this question was not answered and is asked again, with nothing held against the
    /// operations; only with the code `not_found` does it say that the job is not known any more, and its operations are
    /// sent again. To have them sent again because the job failed, give each [`Verdict::Retry`].
    fn read_poll(&self, operations: &[&Operation], job: &str, reply: &Reply) -> Reading {
        let _ = job;
        self.read(operations, reply)
    }

    /// A read that shows what the platform holds of what an operation wrote, for reconciliation. `None` for what it does not
    /// show.
    fn read_back(&self, operation: &Operation) -> Option<Request> {
        let _ = operation;
        None
    }

    /// Holds the answer to [`Destination::read_back`] against the operation.
    ///
    /// # Errors
    /// What the answer says went wrong, other than that it must be asked again later.
    fn compare(&self, operation: &Operation, reply: &Reply) -> Result<Held, Error> {
        let _ = (operation, reply);
        Ok(Held::Unknown("this destination shows nothing of what it holds"))
    }

    /// What delivering an operation leaves standing until the next one of its entity, where that one must know: a platform may
    /// show who has joined and not who has left again. Remembered with the entity and the time it was accepted, and told by
    /// [`Destination::remind`] to operations that leave something themselves.
    fn leaves(&self, operation: &Operation) -> Option<String> {
        let _ = operation;
        None
    }

    /// The row of an operation when the last one delivered of its entity [left](Destination::leaves) `left` standing. `since` is
    /// when that one was accepted here: it was delivered then or later.
    ///
    /// # Errors
    /// `internal` when the row is not this destination's own.
    fn remind(&self, body: Vec<u8>, left: &str, since: Instant) -> Result<Vec<u8>, Error> {
        let _ = (left, since);
        Ok(body)
    }

    /// What no two rows of one request may share, such as an address that is unique there: a request ends before a row that
    /// has the same as one in front of it. `None`, the default, for rows that get along with all others.
    fn apart(&self, operation: &Operation) -> Option<String> {
        let _ = operation;
        None
    }

    /// A request without side effects that tells whether the credentials work.
    fn check(&self) -> Request;

    /// Whether the answer to [`Destination::check`] says that this set-up can be used as it is.
    fn is_working(&self, reply: &Reply) -> bool {
        (200..300).contains(&reply.status)
    }

    /// What the answer to [`Destination::check`] means, in one sentence.
    fn read_check(&self, reply: &Reply) -> String {
        match reply.status {
            200..=299 => "the credentials work".to_owned(),
            401 => "the credentials are not known there; check the key and the region".to_owned(),
            403 => "the credentials do not allow this call; check the key's type".to_owned(),
            status => format!("the destination answered with status {status}"),
        }
    }

    /// The base URL requests are sent to, without a trailing slash.
    fn base_url(&self) -> &str;

    /// The base URL of one request, for platforms whose endpoints live on several hosts.
    fn base_url_of(&self, request: &Request) -> &str {
        let _ = request;
        self.base_url()
    }

    /// What the caller must know before a backfill starts: how this destination keeps quiet, or that it cannot.
    fn backfill_notice(&self) -> &'static str;
}

/// Outcome of [`Destination::build`].
#[derive(Clone, Debug, Default)]
pub struct Built {
    /// What to send; empty when `skipped` says why.
    pub operations: Vec<Operation>,
    /// What goes in front of it, if what is known of an entity is as each of them wants it.
    pub provided: Vec<Provided>,
    /// Parts of the record that are not sent, and why. With no operations at all, the whole record.
    pub skipped: Vec<Skip>,
    /// What the destination cannot take as it is; an error means nothing of the record is sent.
    pub findings: Vec<Finding>,
    /// Keys of things that happened and are withheld because they could start a journey. They are remembered, so that the
    /// same thing heard live later starts none either.
    pub withheld: Vec<IdempotencyKey>,
}

/// An operation that only goes out when what is known of its entity, by what was accepted for this destination, is so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provided {
    /// What must be known.
    pub given: Given,
    /// What is sent then. Otherwise it is forgotten without a word.
    pub operation: Operation,
}

/// What must be known of an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// Nothing: neither was anything of it delivered nor does anything wait. For what must be there before something else,
    /// and is told of better elsewhere, such as the address of a customer who is only heard of by an order. It goes in front
    /// of the first of the record's operations that is sent, and with none it does not go.
    Unknown,
    /// Something, and it is not over: for what takes back what was sent, such as the cart of an order that was cancelled.
    /// It goes whether anything else does or not.
    Open,
}

/// Something that is not sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Skip {
    /// Why.
    pub reason: SkipReason,
    /// One sentence with what to do about it; no personal data.
    pub detail: String,
}

impl Skip {
    /// A skip.
    #[must_use]
    pub fn new(reason: SkipReason, detail: impl Into<String>) -> Self {
        Skip { reason, detail: detail.into() }
    }
}

/// One row of one endpoint, with the keys that delivery needs. Debug shows no body.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// The endpoint's id in the capability table.
    pub endpoint: Cow<'static, str>,
    /// What it writes, such as `contact:4711`: versions and fingerprints are kept per entity.
    pub entity: String,
    /// Whose order must be kept; usually the profile. Opaque where it would be personal data.
    pub lane: String,
    /// Same key, same effect.
    pub idempotency_key: IdempotencyKey,
    /// True for things that happened (a second one would be wrong), false for states (a second one is harmless).
    pub once: bool,
    /// The source's version of the entity, for refusing older ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// When it happened.
    pub occurred_at: Instant,
    /// Only operations of the same endpoint and group share a request.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// Values for the placeholders of the endpoint's path, not yet percent-encoded.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    /// JSON pointer to the object in `body` whose unchanged members may be left out; absent when the endpoint replaces
    /// the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta: Option<Cow<'static, str>>,
    /// Entities whose waiting operations this one makes pointless, such as the cart of a placed order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub supersedes: Vec<String>,
    /// Ties the logs together.
    pub correlation_id: CorrelationId,
    /// The row: one JSON value, as it stands in the request.
    #[serde(with = "raw_text")]
    pub body: Vec<u8>,
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation")
            .field("endpoint", &self.endpoint)
            .field("idempotency_key", &self.idempotency_key)
            .field("once", &self.once)
            .field("version", &self.version)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Bodies are JSON text; keep them readable wherever an operation is stored.
mod raw_text {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(body: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        std::str::from_utf8(body).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        String::deserialize(deserializer).map(String::into_bytes)
    }
}

/// What a reply says about the operations it answers.
#[derive(Debug)]
pub enum Reading {
    /// One verdict per operation, in order, and warnings that concern the call as a whole.
    Each(Vec<Verdict>, Vec<String>),
    /// The whole request was refused because of some row in it: split it and try the parts.
    Split(Refusal),
    /// Try the whole request again later.
    Retry(Refusal, Option<Duration>),
    /// Other calls must be made before the whole request can be tried again.
    First(Detour),
    /// The destination took it as an asynchronous job: the operations stay in the outbox until the job tells their
    /// verdicts.
    Job(Job),
    /// Credentials or set-up are wrong: stop this destination, keep everything.
    Stop(Error),
}

/// An asynchronous job at the destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Whatever [`Destination::poll`] needs to ask for it, such as the vendor's job id. Kept in the outbox; no personal data.
    pub id: String,
    /// When to ask.
    pub poll_after: Duration,
}

/// What became of one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The destination took it.
    Accepted,
    /// The destination refused it for good.
    Rejected(Refusal),
    /// Try it again later.
    Retry(Refusal, Option<Duration>),
    /// It must not be sent and must not be kept either, such as a forgotten person's data.
    Discarded(SkipReason, String),
    /// Send this body instead, once; the text says what was changed.
    Amended(Vec<u8>, String),
    /// Other calls must be made before it can be tried again, such as a merge of two profiles.
    First(Detour),
}

/// Calls to make before something can be tried again. They are part of the attempt that asked for them: made at once, in
/// order, one request each, and kept nowhere. So they must be harmless when they are made again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detour {
    /// The calls. An answer that is read as a detour itself is followed before the rest; whoever is refused or discarded
    /// takes what waits for it along.
    pub operations: Vec<Operation>,
    /// Why it was not taken as it was. Counted as a failed attempt, so that a detour that leads nowhere ends.
    pub why: Refusal,
    /// How long to wait after the calls; `None` for the usual time.
    pub after: Option<Duration>,
}

/// Why the destination refused something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Our code.
    pub code: ErrorCodeName,
    /// The vendor's code or the name of the failure array, such as `RequestFieldsTypesMismatched`.
    pub vendor_code: String,
    /// One sentence; redacted, no personal data.
    pub message: String,
}

/// An [`ErrorCode`] that serialises as its name and reads back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCodeName(pub ErrorCode);

impl Serialize for ErrorCodeName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name())
    }
}

impl<'de> Deserialize<'de> for ErrorCodeName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        ErrorCode::ALL
            .iter()
            .find(|code| code.name() == name)
            .map(|code| ErrorCodeName(*code))
            .ok_or_else(|| serde::de::Error::custom("unknown error code"))
    }
}

impl Refusal {
    /// A refusal.
    #[must_use]
    pub fn new(code: ErrorCode, vendor_code: impl Into<String>, message: impl Into<String>) -> Self {
        Refusal { code: ErrorCodeName(code), vendor_code: vendor_code.into(), message: message.into() }
    }
}

/// Outcome of [`Destination::complete`].
#[derive(Clone, Debug)]
pub enum Completed {
    /// Send this.
    Send(Request),
    /// One read does not tell. Go on with this operation, whose row holds what was learnt, and with what
    /// [`Destination::prefetch`] asks for it. Nothing of it is kept: an attempt that fails begins anew.
    Look(Box<Operation>),
    /// It is already so, or must not be.
    Skip(Skip),
    /// Other calls must be made before the prefetch can be tried again.
    First(Detour),
    /// Try the prefetch again later.
    Retry(Refusal, Option<Duration>),
}

/// What a destination is, as data: read by batching, rate limiting, retry, documentation and tests alike.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Capabilities {
    /// The destination's name.
    pub destination: &'static str,
    /// Every endpoint that operations or checks use.
    pub endpoints: &'static [Endpoint],
}

impl Capabilities {
    /// The endpoint of that id.
    #[must_use]
    pub fn endpoint(&self, id: &str) -> Option<&'static Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.id == id)
    }
}

/// One endpoint's facts. Where the vendor publishes no number the table holds the safe default and `note` says so.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Endpoint {
    /// Id used in operations, such as `users.bulkUpdate`.
    pub id: &'static str,
    /// Method.
    pub method: Method,
    /// Path with `{placeholders}`.
    pub path: &'static str,
    /// Most operations in one request.
    pub max_records: u32,
    /// Most bytes in one request body.
    pub max_bytes: u32,
    /// Most bytes in one row; 0 when only the body is limited.
    pub max_record_bytes: u32,
    /// How often it may be called.
    pub rate: Option<Rate>,
    /// Name of the host it lives on where a platform has several; empty for the usual one.
    pub host: &'static str,
    /// For an endpoint that answers with a job: how the job is asked for.
    pub job: Option<JobFacts>,
    /// Age in days above which the platform refuses or ignores what is sent; 0 for none.
    pub retention_days: u32,
    /// Most requests under way at once.
    pub concurrency: u16,
    /// Whether one request may hold several operations of one lane.
    pub many_per_lane: bool,
    /// By what a second sending is harmless.
    pub retry_safe_by: RetrySafety,
    /// How the destination names rows that failed.
    pub partial_failure: PartialFailure,
    /// Whether a member of the delta object that was there before and is gone now is cleared by sending `null`.
    pub null_clears: bool,
    /// How it behaves in a backfill.
    pub backfill: Backfill,
    /// What is promised.
    pub promise: Promise,
    /// What else one must know, with the vendor document it comes from.
    pub note: &'static str,
}

impl Endpoint {
    /// What most endpoints are: one row per request that writes a state under an id. A starting point for tables, to be
    /// completed with `..Endpoint::SINGLE`.
    pub const SINGLE: Endpoint = Endpoint {
        id: "",
        method: Method::Post,
        path: "",
        max_records: 1,
        max_bytes: 0,
        max_record_bytes: 0,
        rate: None,
        host: "",
        job: None,
        retention_days: 0,
        concurrency: 1,
        many_per_lane: false,
        retry_safe_by: RetrySafety::UpsertById,
        partial_failure: PartialFailure::Single,
        null_clears: false,
        backfill: Backfill::Quiet,
        promise: Promise::EffectivelyOnce,
        note: "",
    };
}

/// How an asynchronous job is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct JobFacts {
    /// Id of the endpoint that tells how the job stands.
    pub poll: &'static str,
    /// Seconds after which a job that has not ended counts as lost; its operations are then sent again.
    pub give_up_s: u32,
}

/// A budget of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Rate {
    /// Calls…
    pub count: u32,
    /// …per so many seconds…
    pub per_s: u32,
    /// …counted for whom: `project`, `api key`, `organisation`.
    pub scope: &'static str,
    /// Endpoints with the same name here share one budget; empty for a budget of its own.
    pub budget: &'static str,
}

/// By what a second sending of the same operation is harmless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RetrySafety {
    /// It writes a state under an id.
    UpsertById,
    /// The destination keeps one event per id we send.
    EventId,
    /// By nothing: a second one is a second one.
    None,
    /// It only reads.
    ReadOnly,
}

/// How the destination names rows that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PartialFailure {
    /// One row per request.
    Single,
    /// By the identity value of the row.
    ByValue,
    /// By position.
    ByIndex,
    /// Not at all: the request stands or falls as a whole.
    Whole,
}

/// How an endpoint behaves in a backfill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "why")]
pub enum Backfill {
    /// It starts nothing.
    Quiet,
    /// It could start journeys, so it is not called.
    Withheld(&'static str),
    /// It could start journeys and is called all the same; the caller is told.
    MayStartJourneys(&'static str),
}

/// What is promised for an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "window")]
pub enum Promise {
    /// The destination ends with one, however often it was sent.
    EffectivelyOnce,
    /// It can arrive twice in the window named.
    AtLeastOnce(&'static str),
}

/// Which marketing platform to write to, and how; told apart by `type`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
#[non_exhaustive]
#[allow(clippy::large_enum_variant)] // Made once per destination and moved into it.
pub enum DestinationConfig {
    /// Cordial.
    #[cfg(feature = "destination-cordial")]
    Cordial(cordial::Config),
    /// Dotdigital.
    #[cfg(feature = "destination-dotdigital")]
    Dotdigital(Box<dotdigital::Config>),
    /// Insider.
    #[cfg(feature = "destination-insider")]
    Insider(Box<insider::Config>),
    /// Iterable.
    #[cfg(feature = "destination-iterable")]
    Iterable(iterable::Config),
}

impl DestinationConfig {
    /// The destination that this configures.
    ///
    /// # Errors
    /// `invalid_config` naming the setting at fault.
    pub fn open(self) -> Result<Box<dyn Destination>, Error> {
        match self {
            #[cfg(feature = "destination-cordial")]
            DestinationConfig::Cordial(config) => Ok(Box::new(cordial::Cordial::new(config)?)),
            #[cfg(feature = "destination-dotdigital")]
            DestinationConfig::Dotdigital(config) => Ok(Box::new(dotdigital::Dotdigital::new(*config)?)),
            #[cfg(feature = "destination-insider")]
            DestinationConfig::Insider(config) => Ok(Box::new(insider::Insider::new(*config)?)),
            #[cfg(feature = "destination-iterable")]
            DestinationConfig::Iterable(config) => Ok(Box::new(iterable::Iterable::new(config)?)),
        }
    }
}

/// The names of all destinations in this build.
pub const NAMES: &[&str] = &[
    #[cfg(feature = "destination-cordial")]
    "cordial",
    #[cfg(feature = "destination-dotdigital")]
    "dotdigital",
    #[cfg(feature = "destination-insider")]
    "insider",
    #[cfg(feature = "destination-iterable")]
    "iterable",
];

/// The capability tables of all destinations in this build.
#[must_use]
pub fn tables() -> Vec<&'static Capabilities> {
    vec![
        #[cfg(feature = "destination-cordial")]
        &cordial::CAPABILITIES,
        #[cfg(feature = "destination-dotdigital")]
        &dotdigital::CAPABILITIES,
        #[cfg(feature = "destination-insider")]
        &insider::CAPABILITIES,
        #[cfg(feature = "destination-iterable")]
        &iterable::CAPABILITIES,
    ]
}
