//! Delivery: carries what waits in the outbox to its destination, in order, at the pace allowed, until every operation
//! is delivered, skipped or a dead letter. The only asynchronous part of the core, and the only one with a network.
//!
//! # What is promised
//!
//! - **Order.** Operations of one lane go one after the other; a failing head holds its own lane and no other.
//! - **Nothing is lost.** An operation leaves the outbox only together with its verdict, in one transaction. Killing the
//!   process at any instruction repeats at most what was under way, under the same idempotency key.
//! - **At least once.** A request whose outcome is not known (no answer, connection reset, answer cut off) is sent again.
//!   Where the endpoint's [`RetrySafety`](crate::destinations::RetrySafety) is `upsert_by_id` or `event_id` the second
//!   one changes nothing; elsewhere the window for a duplicate is from the first byte sent until the settling
//!   transaction.
//! - **One bad row sinks no other.** A request refused because of some row is halved until that row stands alone.
//! - **An outage is not the data's fault.** While no connection can be made, no attempt is counted; when the
//!   destination keeps answering "not now", one request at a time asks whether it is back. See [`rate_limit::Gate`].
//! - **A job is followed, not repeated.** Where the destination takes operations as an asynchronous job, they stay in the
//!   outbox under the job's id and hold their lanes; a process that takes over asks for the job instead of sending again.
//!   One request asks for all operations of a job. A job that does not end in the time the capability table allows, or that
//!   the destination has forgotten, counts as a failed attempt of its operations (`job_lost`).
//! - **A wrong key harms nothing.** When the destination refuses the credentials, delivery stops and everything stays.
//!
//! Retries are described in [`retry`], pace in [`rate_limit`], what may share a request in [`lanes`] and
//! [`crate::pipeline::batch`].

mod attempt;
pub mod lanes;
mod look;
pub mod rate_limit;
pub mod redact;
pub mod retry;
mod session;
#[cfg(test)]
mod tests;
pub mod transport;

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

pub use self::look::Looked;
pub use self::retry::{RetryConfig, RetryPolicy};
pub use self::transport::{BoxFuture, HttpOptions, HttpTransport, Recording, Transport, TransportFailure};

use self::lanes::Moment;
use self::rate_limit::{Limits, Pace};
use crate::destinations::Destination;
use crate::error::{Error, ErrorCode, Result};
use crate::model::{CorrelationId, Instant, SkipReason};
use crate::state::StateStore;

/// How delivery behaves, as configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DeliveryConfig {
    /// How failures are retried.
    pub retry: RetryConfig,
    /// Seconds until a request without an answer counts as unanswered; 1 to 600, 30 unless told.
    pub request_timeout_s: u32,
    /// Most requests under way at once, over all endpoints; 16 unless told.
    pub max_in_flight: u16,
    /// Most operations held in memory; 2,000 unless told.
    pub claim: u32,
    /// Whether the vendor's published rates are kept; yes unless told. What the destination answers is obeyed anyway.
    pub rate_limits: bool,
    /// Seconds after which another worker may take over what this one holds and no longer renews; at least 10, 60 unless
    /// told.
    pub lease_s: u32,
}

impl Default for DeliveryConfig {
    fn default() -> Self {
        DeliveryConfig {
            retry: RetryConfig::default(),
            request_timeout_s: 30,
            max_in_flight: 16,
            claim: 2_000,
            rate_limits: true,
            lease_s: 60,
        }
    }
}

impl DeliveryConfig {
    /// The settings these numbers describe.
    ///
    /// # Errors
    /// `invalid_config` naming the number at fault.
    pub fn settings(&self) -> Result<Settings> {
        let invalid = |name: &str, rule: &str| Err(Error::new(ErrorCode::InvalidConfig, format!("`{name}` must be {rule}")));
        if !(1..=600).contains(&self.request_timeout_s) {
            return invalid("request_timeout_s", "from 1 to 600");
        }
        if self.max_in_flight == 0 {
            return invalid("max_in_flight", "at least 1");
        }
        if self.claim == 0 {
            return invalid("claim", "at least 1");
        }
        if self.lease_s < 10 {
            return invalid("lease_s", "at least 10");
        }
        Ok(Settings {
            retry: self.retry.policy()?,
            request_timeout: Duration::from_secs(self.request_timeout_s.into()),
            max_in_flight: self.max_in_flight,
            claim: self.claim,
            rate_limits: self.rate_limits,
            lease: Duration::from_secs(self.lease_s.into()),
        })
    }
}

/// [`DeliveryConfig`] with durations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How failures are retried.
    pub retry: RetryPolicy,
    /// After this long a request counts as unanswered.
    pub request_timeout: Duration,
    /// Most requests under way at once, over all endpoints.
    pub max_in_flight: u16,
    /// Most operations held in memory.
    pub claim: u32,
    /// Whether the rates of the capability table are kept.
    pub rate_limits: bool,
    /// After this long without renewal another worker may take over.
    pub lease: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            retry: RetryPolicy::default(),
            request_timeout: Duration::from_secs(30),
            max_in_flight: 16,
            claim: 2_000,
            rate_limits: true,
            lease: Duration::from_secs(60),
        }
    }
}

/// The wall clock, for what is stored and for HTTP dates. Waiting is measured by a clock that cannot jump.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Instant;
}

/// Hears what becomes of operations, after it is committed. Called from worker threads; must return quickly.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn event(&self, event: &DeliveryEvent);
}

/// Which operation an event is about; no personal data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Outbox id.
    pub id: u64,
    /// The run that accepted it.
    pub run: Option<String>,
    /// Position of its row in the run's input.
    pub position: u64,
    /// Endpoint.
    pub endpoint: Cow<'static, str>,
    /// Ties the logs together.
    pub correlation_id: CorrelationId,
}

/// What happened; no personal data.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeliveryEvent {
    /// The destination took it.
    Delivered {
        /// Which.
        subject: Subject,
    },
    /// It was not sent, and will not be.
    Skipped {
        /// Which.
        subject: Subject,
        /// Why.
        reason: SkipReason,
        /// One sentence.
        detail: String,
    },
    /// It was refused for good, or tried often enough.
    DeadLettered {
        /// Which.
        subject: Subject,
        /// Why.
        code: ErrorCode,
        /// HTTP status; 0 when there was no answer.
        status: u16,
        /// Times it was sent.
        attempts: u32,
    },
    /// It will be tried again.
    Retrying {
        /// Which.
        subject: Subject,
        /// Why.
        code: ErrorCode,
        /// Attempts that failed so far.
        attempts: u32,
        /// How long it waits at least.
        after: Duration,
    },
    /// The destination took it as part of an asynchronous job, which is asked for until it tells a verdict.
    InJob {
        /// Which.
        subject: Subject,
    },
    /// The job that held it is over, or is waited for no longer; a verdict or another sending follows.
    JobEnded {
        /// Which.
        subject: Subject,
    },
    /// A request has ended.
    RequestDone {
        /// Endpoint.
        endpoint: Cow<'static, str>,
        /// HTTP status; `None` when there was no answer.
        status: Option<u16>,
        /// Operations in it.
        operations: usize,
        /// How long it took.
        elapsed: Duration,
    },
    /// Something a person should know.
    Warning {
        /// Endpoint.
        endpoint: Cow<'static, str>,
        /// One sentence.
        text: String,
    },
    /// Delivery to this destination has stopped; what waits stays in the outbox.
    Stopped {
        /// Why.
        code: ErrorCode,
    },
}

/// Ignores everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoObserver;

impl Observer for NoObserver {
    fn event(&self, _event: &DeliveryEvent) {}
}

/// Asks delivery to stop: nothing new is sent, what is under way ends (at the latest by its timeout) and is settled.
/// Clones are one and the same.
#[derive(Clone, Debug)]
pub struct Stop(watch::Sender<bool>);

impl Default for Stop {
    fn default() -> Self {
        Stop::new()
    }
}

impl Stop {
    /// Not stopped.
    #[must_use]
    pub fn new() -> Self {
        Stop(watch::Sender::new(false))
    }

    /// Stops, for good.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    /// Whether it was stopped.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is stopped.
    pub async fn stopped(&self) {
        // Fails only when the sender is gone, and `self` is one.
        let _ = self.0.subscribe().wait_for(|stopped| *stopped).await;
    }
}

/// What one call of [`Delivery::drain`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Drained {
    /// Operations the destination took.
    pub delivered: u64,
    /// Operations that must not be sent.
    pub skipped: u64,
    /// Operations that became dead letters.
    pub dead_lettered: u64,
    /// Sendings that will be or were repeated.
    pub retried: u64,
    /// Requests, reads included.
    pub requests: u64,
    /// Operations still waiting: the call was stopped, or another worker holds them.
    pub left: u64,
    /// Those of them that a job at the destination holds.
    pub in_jobs: u64,
    /// Whether the call was stopped.
    pub stopped: bool,
}

/// Delivers the outbox of one destination.
///
/// Several calls of [`Delivery::drain`] and [`Delivery::run`] may go on at once; they share the pace and never an
/// operation. Dropping such a future is like killing the process: nothing is lost, but what it held stays held until the
/// lease ends, so prefer [`Stop`].
pub struct Delivery {
    inner: Arc<Inner>,
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("destination", &self.inner.name)
            .field("owner", &self.inner.owner)
            .field("settings", &self.inner.settings)
            .finish_non_exhaustive()
    }
}

struct Inner {
    /// Under which the state knows the destination.
    name: Arc<str>,
    destination: Arc<dyn Destination>,
    store: Arc<dyn StateStore>,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    settings: Settings,
    owner: String,
    sessions: AtomicU64,
    limits: Mutex<Limits>,
    random: Mutex<fastrand::Rng>,
    woken: watch::Sender<()>,
    epoch: tokio::time::Instant,
}

impl Delivery {
    /// Delivery to `destination` of what waits in `store` under `name`. `owner` names this worker and must be unique among
    /// all processes that share the store.
    #[must_use]
    #[allow(clippy::too_many_arguments)] // Each is a part of its own, and there is one caller.
    pub fn new(
        name: &str,
        destination: Arc<dyn Destination>,
        store: Arc<dyn StateStore>,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn Observer>,
        settings: Settings,
        owner: String,
    ) -> Self {
        Delivery {
            inner: Arc::new(Inner {
                name: name.into(),
                destination,
                store,
                transport,
                clock,
                observer,
                settings,
                owner,
                sessions: AtomicU64::new(0),
                limits: Mutex::default(),
                random: Mutex::new(fastrand::Rng::new()),
                woken: watch::Sender::new(()),
                epoch: tokio::time::Instant::now(),
            }),
        }
    }

    /// Makes the random part of waiting repeatable, for tests.
    #[must_use]
    pub fn seeded(self, seed: u64) -> Self {
        *lock(&self.inner.random) = fastrand::Rng::with_seed(seed);
        self
    }

    /// Sends until nothing waits for this destination any more, or `stop` is stopped. Asynchronous jobs are asked for until
    /// they end, each for as long as the capability table says and its operations' attempts last. What another worker holds is waited
    /// for as long as a lease lasts, so that the work of one that was killed is taken over.
    ///
    /// # Errors
    /// Whatever stops the destination: `unauthorized`, `forbidden` and the like when it refuses the credentials;
    /// `network`, `timeout` or `unavailable` when it was down for longer than the retry policy's `max_elapsed`;
    /// `state_*` when the store fails. Everything not settled stays in the outbox, no attempt counted for the request
    /// that stopped it.
    pub async fn drain(&self, stop: &Stop) -> Result<Drained> {
        session::run(&self.inner, self.session_owner(), stop, session::Until::Empty).await
    }

    /// Sends what comes until `stop` is stopped, woken by [`Delivery::wake`], by due times, and every few seconds to see
    /// what other processes left. An outage is sat out.
    ///
    /// # Errors
    /// As [`Delivery::drain`], outages excepted.
    pub async fn run(&self, stop: &Stop) -> Result<()> {
        session::run(&self.inner, self.session_owner(), stop, session::Until::Stopped).await.map(drop)
    }

    /// Tells that something was accepted.
    pub fn wake(&self) {
        self.inner.woken.send_replace(());
    }

    /// Whether the destination does not answer at present.
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.inner.limits().gate.down().is_some()
    }

    fn session_owner(&self) -> String {
        format!("{}/{}", self.inner.owner, self.inner.sessions.fetch_add(1, Ordering::Relaxed))
    }
}

/// Times the store is asked again while another process has it locked.
const STORE_TRIES: u32 = 6;

impl Inner {
    fn moment(&self) -> Moment {
        self.epoch.elapsed()
    }

    fn limits(&self) -> MutexGuard<'_, Limits> {
        lock(&self.limits)
    }

    /// Does something with the pace of an endpoint, if the table knows it.
    fn with_pace<T>(&self, id: &str, act: impl FnOnce(&mut Pace<'_>, Moment) -> T) -> Option<T> {
        let endpoint = self.destination.capabilities().endpoint(id)?;
        let now = self.moment();
        Some(act(&mut self.limits().pace(endpoint, self.settings.rate_limits), now))
    }

    /// Random in `0.0..1.0`.
    fn chance(&self) -> f64 {
        lock(&self.random).f64()
    }

    /// Calls the store off the event loop, patiently while it is locked.
    async fn store<T: Send + 'static>(&self, call: impl Fn(&dyn StateStore) -> Result<T> + Send + Sync + 'static) -> Result<T> {
        let call = Arc::new(call);
        let mut tries = 1;
        loop {
            let (store, this) = (self.store.clone(), call.clone());
            let done = tokio::task::spawn_blocking(move || this(&*store)).await;
            match done.unwrap_or_else(|error| Err(Error::new(ErrorCode::Internal, "the state store panicked").because(error))) {
                Err(error) if error.code() == ErrorCode::StateLocked && tries < STORE_TRIES => {
                    tokio::time::sleep(Duration::from_millis(50 << tries)).await;
                    tries += 1;
                }
                done => return done,
            }
        }
    }
}

/// A panic while a lock was held cannot have left these small structs half-written.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
