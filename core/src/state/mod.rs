//! State: what was accepted, what was sent, what waits, what failed.
//!
//! One trait, implemented by a memory store (tests, notebooks) and SQLite (the embedded default); one behaviour suite
//! runs against all of them. Stores are blocking; callers move them off the event loop. Times are arguments and are kept
//! to the microsecond.

mod memory;
mod rules;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::destinations::{Operation, Refusal};
use crate::error::{Error, ErrorCode, Result};
use crate::model::{Channel, ConsentStatus, Instant, Mode, ResourceRef, SkipReason};

pub use memory::MemoryStore;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;

/// Attribute fingerprints: member name of the delta object → fingerprint of its JSON text.
pub type Fingerprints = BTreeMap<String, u64>;

/// What a commit must survive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// A power cut: every commit waits for the disk.
    #[default]
    Full,
    /// A killed process, but not a power cut: the last commits may be missing after one. Faster on slow disks.
    Process,
}

/// Opens the state at a url: `memory:` (gone with the process) or `sqlite:` followed by a relative or absolute path, such
/// as `sqlite:var/cartwire.db`. Missing folders are created.
///
/// # Errors
/// `unknown_name` for another scheme, `unsupported` when this build lacks the store, `invalid_config` without a path,
/// `state_locked` when another process or handle has it open, `state_version` when a newer version wrote it,
/// `state_corrupt` when it cannot be read or written.
///
/// ```
/// use cartwire::state::{Durability, open};
/// let store = open("memory:", Durability::Full)?;
/// assert_eq!(store.waiting("iterable")?, 0);
/// # Ok::<(), cartwire::Error>(())
/// ```
pub fn open(url: &str, durability: Durability) -> Result<Arc<dyn StateStore>> {
    let (scheme, rest) = url.split_once(':').unwrap_or((url, ""));
    match scheme {
        "memory" if rest.is_empty() => Ok(Arc::new(MemoryStore::new())),
        "memory" => Err(Error::new(ErrorCode::InvalidConfig, "`memory:` takes no path").at("/state")),
        "sqlite" => open_sqlite(rest, durability),
        _ => Err(Error::new(ErrorCode::UnknownName, "no state store of that scheme; use `memory:` or `sqlite:path`").at("/state")),
    }
}

#[cfg(feature = "sqlite")]
fn open_sqlite(path: &str, durability: Durability) -> Result<Arc<dyn StateStore>> {
    if path.is_empty() || path.starts_with("//") {
        return Err(
            Error::new(ErrorCode::InvalidConfig, "write `sqlite:` followed by a path, such as `sqlite:var/cartwire.db`").at("/state")
        );
    }
    Ok(Arc::new(SqliteStore::open(path, durability)?))
}

#[cfg(not(feature = "sqlite"))]
fn open_sqlite(_path: &str, _durability: Durability) -> Result<Arc<dyn StateStore>> {
    Err(Error::new(ErrorCode::Unsupported, "this build has no SQLite; enable the feature `sqlite`").at("/state"))
}

/// Durable memory of one installation. Every method is one transaction; a method that fails changed nothing.
pub trait StateStore: Send + Sync {
    /// What is known about the subjects of some operations, in their order.
    ///
    /// # Errors
    /// `state_*`.
    fn known(&self, destination: &str, subjects: &[Subject<'_>]) -> Result<Vec<Known>>;

    /// What is remembered of orders at a destination, in the order asked.
    ///
    /// # Errors
    /// `state_*`.
    fn orders(&self, destination: &str, orders: &[&str]) -> Result<Vec<Option<String>>>;

    /// The newest consent per channel of each person, in the order asked.
    ///
    /// # Errors
    /// `state_*`.
    fn consents(&self, people: &[&str]) -> Result<Vec<Vec<ConsentRow>>>;

    /// Which of these people are in the erasure ledger, in the order asked.
    ///
    /// # Errors
    /// `state_*`.
    fn erased(&self, people: &[&str]) -> Result<Vec<bool>>;

    /// The address of each customer, by opaque names, in the order asked.
    ///
    /// # Errors
    /// `state_*`.
    fn emails(&self, people: &[&str]) -> Result<Vec<Option<KnownEmail>>>;

    /// Everything that was ever heard of a person's consent, in the order it was heard, for audits and for answering
    /// the person. A source that only repeats what it said last about a channel adds nothing.
    ///
    /// # Errors
    /// `state_*`.
    fn consent_history(&self, person: &str) -> Result<Vec<ConsentRow>>;

    /// Commits accepted work for one or more destinations to the outbox, with everything that must be known from then on: all
    /// of it or, when it fails, none. When it returns, a crash loses nothing of it. Returns, for each, the outbox ids in the order of `acceptance.operations`, what was superseded and
    /// what had been accepted already.
    ///
    /// Operations are taken in order. Waiting operations of the entities that one supersedes are removed, unless they
    /// are under way (claimed under a lease that has not run out, or held by a job at the destination); the key of a removed
    /// operation counts as delivered,
    /// so that the same version heard again is not sent after what made it pointless. Keys of dead letters that come
    /// again take the letter out. A thing that happened (`once`) whose key waits or was delivered is not stored again,
    /// whoever stored it between [`StateStore::known`] and now.
    ///
    /// # Errors
    /// `state_*`.
    fn accept_all(&self, acceptances: &[Acceptance], now: Instant) -> Result<Vec<Accepted>>;

    /// [`StateStore::accept_all`] for one destination.
    ///
    /// # Errors
    /// `state_*`.
    fn accept(&self, acceptance: &Acceptance, now: Instant) -> Result<Accepted> {
        Ok(self.accept_all(std::slice::from_ref(acceptance), now)?.pop().unwrap_or_default())
    }

    /// Takes waiting operations for this owner, oldest first, whole lanes only: no operation of a lane that another
    /// owner holds, and none whose predecessor in the lane is left out. Operations that are due later are included
    /// (`due_at` says when), because they hold their lane. Ids already held by this owner are not returned again. A limit
    /// of 0 only renews the lease.
    ///
    /// The operations that one job at the destination holds come together, beyond `limit` and `per_lane` if need be: a job is
    /// asked for once for all of them, so it has one owner.
    ///
    /// The lease is the owner's: claiming again extends it, at the latest when half of it is left. What an owner held
    /// whose lease ran out is free for others.
    ///
    /// # Errors
    /// `state_*`.
    fn claim(&self, destination: &str, claim: &Claim<'_>) -> Result<Vec<Waiting>>;

    /// Ends or postpones claimed operations, all in one transaction. Ids that are not in the outbox are passed over, so
    /// that settling again after a crash is harmless.
    ///
    /// # Errors
    /// `state_*`.
    fn settle(&self, destination: &str, settlements: &[Settlement], now: Instant) -> Result<()>;

    /// Gives back what an owner holds, as after a stop.
    ///
    /// # Errors
    /// `state_*`.
    fn release(&self, owner: &str) -> Result<()>;

    /// Operations waiting for a destination.
    ///
    /// # Errors
    /// `state_*`.
    fn waiting(&self, destination: &str) -> Result<u64>;

    /// Operations waiting for a destination that a job there holds.
    ///
    /// # Errors
    /// `state_*`.
    fn in_jobs(&self, destination: &str) -> Result<u64>;

    /// Dead letters, oldest first.
    ///
    /// # Errors
    /// `state_*`.
    fn dead_letters(&self, filter: &LetterFilter) -> Result<Vec<DeadLetter>>;

    /// Puts dead letters back into the outbox under their own idempotency keys, with no attempts counted. An operation
    /// given beside the id replaces the letter's but for the key; what is fingerprinted of its members is forgotten when
    /// it is delivered, so that the next version is sent in full. `run` is the run it belongs to from now on, the
    /// letter's own if `None`. Returns how many were found.
    ///
    /// # Errors
    /// `state_*`.
    fn replay(&self, letters: &[(u64, Option<Operation>)], run: Option<&str>, now: Instant) -> Result<u64>;

    /// Removes dead letters for good. Their keys are forgotten too: the same thing heard again is sent, as it would be
    /// with the letter in place. Returns how many were found.
    ///
    /// # Errors
    /// `state_*`.
    fn discard(&self, letters: &[u64]) -> Result<u64>;

    /// A stream's cursor.
    ///
    /// # Errors
    /// `state_*`.
    fn cursor(&self, stream: &str) -> Result<Option<String>>;

    /// Moves a stream's cursor.
    ///
    /// # Errors
    /// `state_*`.
    fn set_cursor(&self, stream: &str, cursor: &str, now: Instant) -> Result<()>;

    /// Remembers that something must be read from a shop. Named again while it waits, it stays one, due now, and live if it
    /// was; `scope` keeps shops and destinations apart.
    ///
    /// # Errors
    /// `state_*`.
    fn note_fetches(&self, scope: &str, fetches: &[NewFetch], now: Instant) -> Result<()>;

    /// What must be read, the earliest due first, whether due or not.
    ///
    /// # Errors
    /// `state_*`.
    fn fetches(&self, scope: &str, limit: u32) -> Result<Vec<PendingFetch>>;

    /// Ends or postpones fetches, in one transaction. One that was named again since it was taken stays, due as it is. One
    /// that is given up is kept, and not among [`StateStore::fetches`] until it is named again or [`StateStore::reread`].
    ///
    /// # Errors
    /// `state_*`.
    fn settle_fetches(&self, settlements: &[FetchSettlement]) -> Result<()>;

    /// How many fetches were given up, and the first of them, longest ago first.
    ///
    /// # Errors
    /// `state_*`.
    fn unread(&self, scope: &str, limit: u32) -> Result<(u64, Vec<UnreadFetch>)>;

    /// Makes what was given up due again, with no attempts counted. Returns how many.
    ///
    /// # Errors
    /// `state_*`.
    fn reread(&self, scope: &str, now: Instant) -> Result<u64>;

    /// Which of these pushed calls were taken before, in the order asked.
    ///
    /// # Errors
    /// `state_*`.
    fn heard(&self, scope: &str, deliveries: &[&str]) -> Result<Vec<bool>>;

    /// Remembers that pushed calls were taken, for 30 days: no shop and no queue repeats one later. Call it only once all
    /// that they led to is safe.
    ///
    /// # Errors
    /// `state_*`.
    fn note_heard(&self, scope: &str, deliveries: &[&str], now: Instant) -> Result<()>;

    /// Stores a run's report under its id (insert or replace).
    ///
    /// # Errors
    /// `state_*`.
    fn put_run(&self, run: &RunRow) -> Result<()>;

    /// The newest runs first.
    ///
    /// # Errors
    /// `state_*`.
    fn runs(&self, limit: u32) -> Result<Vec<RunRow>>;

    /// Forgets delivered idempotency keys older than `before`; keys of what waits and of dead letters stay. Returns how
    /// many were forgotten. What was remembered of orders and not written since `before` goes with them.
    ///
    /// # Errors
    /// `state_*`.
    fn purge(&self, before: Instant) -> Result<u64>;
}

/// What an operation is about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The entity it writes.
    pub entity: &'a str,
    /// Its idempotency key.
    pub idempotency_key: &'a str,
}

/// What is known about a subject at one destination.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// What became of the idempotency key, if it was accepted before.
    pub key: Option<KeyStatus>,
    /// The newest version accepted of the entity.
    pub version: Option<u64>,
    /// Fingerprints of what was delivered of the entity.
    pub sent: Fingerprints,
    /// Whether operations of the entity wait in the outbox: then what was delivered does not tell what will be there.
    pub pending: bool,
    /// Members that the waiting operations write.
    pub pending_members: Vec<String>,
}

/// What became of an idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStatus {
    /// Its operation waits or is under way.
    Pending,
    /// Its operation was delivered.
    Delivered,
    /// Its operation is a dead letter.
    Dead,
    /// A backfill withheld its operation.
    Withheld,
}

/// Consent as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentRow {
    /// Opaque name of the person.
    pub person: String,
    /// Channel.
    pub channel: Channel,
    /// What was said.
    pub status: ConsentStatus,
    /// When it was said.
    pub at: Option<Instant>,
    /// Where it was said.
    pub source: Option<String>,
    /// When we heard of it.
    pub observed_at: Instant,
}

/// The address of a customer, as the newest of their own records has it. Debug shows none.
#[derive(Clone, PartialEq, Eq)]
pub struct KnownEmail {
    /// Opaque name of the customer's id.
    pub person: String,
    /// Opaque name of the address.
    pub alias: String,
    /// The address, for matching.
    pub email: String,
    /// Version of the record that told it.
    pub version: Option<u64>,
    /// When that is from.
    pub at: Instant,
}

impl KnownEmail {
    /// Whether this is at least as new as `old`: by version where both have one, else by time.
    #[must_use]
    pub fn succeeds(&self, old: &KnownEmail) -> bool {
        match self.version.zip(old.version) {
            Some((new, old)) => new >= old,
            None => rules::micros(self.at) >= rules::micros(old.at),
        }
    }
}

impl fmt::Debug for KnownEmail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownEmail").field("person", &self.person).field("version", &self.version).finish_non_exhaustive()
    }
}

/// Work to be committed together.
#[derive(Clone, Debug, Default)]
pub struct Acceptance {
    /// The destination, by the name the state knows it under.
    pub destination: String,
    /// What to send, in order.
    pub operations: Vec<NewOperation>,
    /// Consent that was heard; the newest per person and channel counts, all are kept as history.
    pub consents: Vec<ConsentRow>,
    /// Addresses of customers that were told; an older one does not replace a newer one.
    pub emails: Vec<KnownEmail>,
    /// Opaque names of people to put into the erasure ledger. What waits for the destination and is about them is removed,
    /// unless it is under way, and so are the destination's dead letters about them and all that was heard of their consent.
    pub erasures: Vec<String>,
    /// Keys that a backfill withheld; a key that is known already keeps its status.
    pub withheld: Vec<String>,
    /// Versions of entities that need nothing sent (unchanged), so that older ones are refused later.
    pub versions: Vec<(String, u64)>,
    /// What to remember of orders, by their opaque names; replaces what was remembered.
    pub orders: Vec<(String, String)>,
}

/// One operation to be committed. Debug shows no payload.
#[derive(Clone)]
pub struct NewOperation {
    /// The operation, its body reduced to what changed.
    pub operation: Operation,
    /// Fingerprints of the members it writes; merged into the entity's when it is delivered. Members whose value is
    /// `None` are removed then.
    pub fingerprints: BTreeMap<String, Option<u64>>,
    /// The canonical record as JSON, so that a dead letter can be rebuilt.
    pub record: Vec<u8>,
    /// The run that accepted it.
    pub run: Option<String>,
    /// Position of its row in the run's input.
    pub position: u64,
    /// Opaque names of the people it is about, with whom it is erased; none for what must go out all the same, such as the
    /// erasure itself.
    pub people: Vec<String>,
}

impl fmt::Debug for NewOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewOperation")
            .field("operation", &self.operation)
            .field("run", &self.run)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

/// Outcome of [`StateStore::accept`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Outbox ids, in the order of the operations.
    pub ids: Vec<u64>,
    /// Operations that were removed because something newer made them pointless.
    pub superseded: Vec<Superseded>,
    /// Operations that were removed because the person they are about was erased.
    pub erased: Vec<Superseded>,
    /// Indexes into `acceptance.operations` of what was accepted before and is not stored again. Its id in `ids` is the
    /// waiting operation's, or 0 if that was delivered.
    pub duplicates: Vec<usize>,
}

/// A waiting operation that was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superseded {
    /// Its outbox id.
    pub id: u64,
    /// Its run.
    pub run: Option<String>,
    /// Its position in that run.
    pub position: u64,
}

/// Who takes operations, and how many.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// Name of the worker, unique per process.
    pub owner: &'a str,
    /// Now.
    pub now: Instant,
    /// Until when they are held.
    pub until: Instant,
    /// Most operations to return.
    pub limit: u32,
    /// Most operations of one lane to hold, those held already included: the rest of the lane follows in later claims, so
    /// that one long lane does not eat up the claim. At least 1.
    pub per_lane: u32,
}

/// A claimed operation.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Outbox id; grows with acceptance.
    pub id: u64,
    /// The operation.
    pub operation: Operation,
    /// Times it was sent so far.
    pub attempts: u32,
    /// When it was first sent.
    pub first_attempt_at: Option<Instant>,
    /// Not before.
    pub due_at: Instant,
    /// The run that accepted it.
    pub run: Option<String>,
    /// Position of its row in the run's input.
    pub position: u64,
    /// Whether it was amended already.
    pub amended: bool,
    /// The job at the destination that holds it: it is asked for, and not sent again.
    pub job: Option<HeldBy>,
}

/// An asynchronous job at the destination that holds operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBy {
    /// What the destination needs to ask for it; the same for all operations of the job.
    pub id: String,
    /// When the destination took them.
    pub since: Instant,
}

/// How a claimed operation ends or goes on. Debug shows no payload.
#[derive(Clone)]
pub enum Settlement {
    /// The destination took it: leaves the outbox, fingerprints are merged, the key is delivered.
    Delivered {
        /// Outbox id.
        id: u64,
    },
    /// It must not be sent: leaves the outbox, the key is delivered (never sent again), no letter is kept. When the reason is
    /// that the destination has it already, fingerprints are merged as if it had been delivered.
    Skipped {
        /// Outbox id.
        id: u64,
        /// Why.
        reason: SkipReason,
    },
    /// Refused for good: becomes a dead letter, the key is dead. Of someone erased no letter is kept, and the key counts as
    /// delivered.
    Dead {
        /// Outbox id.
        id: u64,
        /// Why.
        failure: Failure,
    },
    /// Goes on waiting to be sent, held by its owner and by no job.
    Later {
        /// Outbox id.
        id: u64,
        /// Not before.
        due_at: Instant,
        /// Times it was sent so far.
        attempts: u32,
        /// When it was first sent.
        first_attempt_at: Option<Instant>,
    },
    /// Goes on waiting with another body, held by no job.
    Amended {
        /// Outbox id.
        id: u64,
        /// The new body.
        body: Vec<u8>,
    },
    /// The destination took it as part of a job, or names the job differently now: goes on waiting, held by its owner.
    InJob {
        /// Outbox id.
        id: u64,
        /// The job.
        job: HeldBy,
        /// When to ask for the job.
        due_at: Instant,
    },
}

impl Settlement {
    /// The outbox id.
    #[must_use]
    pub const fn id(&self) -> u64 {
        match self {
            Settlement::Delivered { id }
            | Settlement::Skipped { id, .. }
            | Settlement::Dead { id, .. }
            | Settlement::Later { id, .. }
            | Settlement::Amended { id, .. }
            | Settlement::InJob { id, .. } => *id,
        }
    }
}

impl fmt::Debug for Settlement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct(match self {
            Settlement::Delivered { .. } => "Delivered",
            Settlement::Skipped { .. } => "Skipped",
            Settlement::Dead { .. } => "Dead",
            Settlement::Later { .. } => "Later",
            Settlement::Amended { .. } => "Amended",
            Settlement::InJob { .. } => "InJob",
        });
        shown.field("id", &self.id());
        match self {
            Settlement::Delivered { .. } => {}
            Settlement::Skipped { reason, .. } => drop(shown.field("reason", reason)),
            Settlement::Dead { failure, .. } => drop(shown.field("code", &failure.refusal.code).field("status", &failure.status)),
            Settlement::Later { due_at, attempts, .. } => drop(shown.field("due_at", due_at).field("attempts", attempts)),
            Settlement::Amended { body, .. } => drop(shown.field("bytes", &body.len())),
            Settlement::InJob { job, .. } => drop(shown.field("job", job)),
        }
        shown.finish()
    }
}

/// Why an operation became a dead letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What the destination said.
    pub refusal: Refusal,
    /// HTTP status; 0 when there was no answer.
    pub status: u16,
    /// The answer's body, redacted and cut.
    pub response: String,
    /// Times it was sent.
    pub attempts: u32,
}

/// An operation that was refused for good, with all that is needed to understand, fix and replay it. Debug shows no
/// payload.
#[derive(Clone, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Id, stable until it is replayed or discarded.
    pub id: u64,
    /// The destination.
    pub destination: String,
    /// The operation as it was sent.
    pub operation: Operation,
    /// The canonical record as JSON.
    #[serde(with = "json_text")]
    pub record: Vec<u8>,
    /// Why.
    pub failure: Failure,
    /// When it died.
    pub died_at: Instant,
    /// The run that accepted it.
    pub run: Option<String>,
    /// Position of its row in the run's input.
    pub position: u64,
}

impl fmt::Debug for DeadLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetter")
            .field("id", &self.id)
            .field("destination", &self.destination)
            .field("operation", &self.operation)
            .field("code", &self.failure.refusal.code)
            .field("status", &self.failure.status)
            .field("died_at", &self.died_at)
            .field("run", &self.run)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

mod json_text {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(json: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_slice::<&serde_json::value::RawValue>(json).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        Box::<serde_json::value::RawValue>::deserialize(deserializer).map(|raw| raw.get().as_bytes().to_vec())
    }
}

/// Which dead letters.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LetterFilter {
    /// Only these ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<u64>>,
    /// Only of this destination.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// Only with this error code, such as `rejected`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Only of this endpoint, such as `users.bulkUpdate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Only of this run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// At most so many; 1,000 unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Something that must be read from a shop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFetch {
    /// What to read.
    pub resource: ResourceRef,
    /// Why: the message type or the webhook's scope.
    pub reason: String,
    /// Whether journeys may start because of it.
    pub mode: Mode,
    /// Correlation id of what named it.
    pub correlation_id: Option<String>,
}

/// A fetch that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingFetch {
    /// Id, for settling it.
    pub id: u64,
    /// What to read, and why.
    pub fetch: NewFetch,
    /// How often it was named.
    pub noted: u64,
    /// Times reading it has failed.
    pub attempts: u32,
    /// Not before.
    pub due_at: Instant,
    /// When it was last named.
    pub noted_at: Instant,
}

/// How a fetch ends or goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchSettlement {
    /// Its id.
    pub id: u64,
    /// [`PendingFetch::noted`] as it was when it was taken.
    pub noted: u64,
    /// What becomes of it.
    pub end: FetchEnd,
}

/// What becomes of a fetch that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchEnd {
    /// It was read, and what it said is safe.
    Read,
    /// It failed, and is tried again then.
    Later(Instant),
    /// It failed for too long.
    GivenUp {
        /// When.
        at: Instant,
        /// Our code of the last failure.
        code: String,
        /// Its sentence.
        message: String,
    },
}

/// A fetch that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadFetch {
    /// What to read, and why.
    pub fetch: NewFetch,
    /// Times reading it has failed.
    pub attempts: u32,
    /// When it was last named.
    pub noted_at: Instant,
    /// When it was given up.
    pub given_up_at: Instant,
    /// Our code of the last failure.
    pub code: String,
    /// Its sentence.
    pub message: String,
}

/// A run as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRow {
    /// Id.
    pub id: String,
    /// When it began.
    pub started_at: Instant,
    /// When it ended.
    pub finished_at: Option<Instant>,
    /// Its report as JSON.
    pub report: String,
}
