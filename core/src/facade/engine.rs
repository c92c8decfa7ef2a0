//! The stateful handle behind `Sync`.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde::Serialize;

use super::acceptance::{Desk, Input, Taken, Target};
use super::answers::{Receipt, RecordSkip, RunReport};
use super::derived::Brought;
use super::options::{CallOptions, SyncOptions, check_name, parse};
use super::outlets::{Outlet, Witness};
use super::pure::{Planned, Rest, json, raw, write_plan};
use super::runs::Runs;
use crate::delivery::{Clock, Delivery, HttpOptions, HttpTransport, Settings, Stop, Transport};
use crate::destinations::Destination;
use crate::error::{Error, ErrorCode, Result};
use crate::model::{Instant, Mode, SkipReason, Status};
use crate::pipeline::Layout;
use crate::pull::PullSettings;
use crate::state::{LetterFilter, RunRow, StateStore};

/// Bytes of NDJSON accepted in one transaction. Bounds memory, and what a crash makes the caller send again.
const CHUNK_BYTES: usize = 2 << 20;

/// Operations of one run that may wait for a destination before `deliver` reads on.
pub(super) const BACKLOG: u64 = 2_000;

/// A source, one or more destinations and a state, working together. Cheap to clone; all clones are one engine.
#[derive(Clone)]
pub struct Engine {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub desk: Desk,
    pub store: Arc<dyn StateStore>,
    /// The destinations, in the order of the desk's.
    pub outlets: Vec<Outlet>,
    pub transport: Arc<dyn Transport>,
    pub shop: super::pull::Shop,
    pub clock: Arc<dyn Clock>,
    pub runs: Arc<Runs>,
    pub mode: Mode,
    pub stop: Stop,
    /// Acceptance is one at a time, so that records enter the outbox in the order they were given.
    pub order: Arc<tokio::sync::Mutex<()>>,
    pub closed: AtomicBool,
    next_run: AtomicU64,
    started: Instant,
    keep_keys: chrono::Duration,
    pub request_timeout: std::time::Duration,
    /// Most reads under way at once at one destination.
    pub reads_at_once: usize,
    /// How long a run may wait without any progress.
    pub patience: std::time::Duration,
    /// The same while a job at the destination holds something of it.
    pub job_patience: std::time::Duration,
}

/// How one chunk is accepted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taking {
    pub layout: Layout,
    pub brought: Brought,
    /// Whether nobody waits for its delivery.
    pub background: bool,
}

/// The machine's clock, or a fixed time for tests.
struct Watch(Option<Instant>);

impl Clock for Watch {
    fn now(&self) -> Instant {
        self.0.unwrap_or_else(chrono::Utc::now)
    }
}

impl Engine {
    /// Opens an engine. Call it inside a tokio runtime that lives as long as the engine. `options` is
    /// [`SyncOptions`].
    ///
    /// # Errors
    /// `invalid_config`, `unknown_name`, `state_*`.
    pub async fn open(options: &[u8]) -> Result<Engine> {
        let options: SyncOptions = parse(options)?;
        let transport: Arc<dyn Transport> = Arc::new(HttpTransport::new(&HttpOptions::default())?);
        Self::assemble(options, Vec::new(), transport).await
    }

    /// Opens an engine with a transport of one's own, and for destinations from outside this crate beside those that
    /// `options` names: vendors of one's own, or a test's. Each comes with the name under which the state knows it, which
    /// must stay what it is.
    ///
    /// # Errors
    /// `invalid_config`, also when there is no destination at all or two have one name; `unknown_name`, `state_*`.
    pub async fn assemble(
        options: SyncOptions,
        others: Vec<(String, Arc<dyn Destination>)>,
        transport: Arc<dyn Transport>,
    ) -> Result<Engine> {
        let mut destinations = options.open_destinations()?;
        destinations.extend(others);
        if destinations.is_empty() {
            return Err(Error::new(ErrorCode::InvalidConfig, "missing field `destination`").at("/destination"));
        }
        for (at, (name, _)) in destinations.iter().enumerate() {
            check_name(name)?;
            if destinations.iter().take(at).any(|(other, _)| other == name) {
                let advice = format!("two destinations are called `{name}`; give them names: an object in place of the list");
                return Err(Error::new(ErrorCode::InvalidConfig, advice).at("/destinations"));
            }
        }
        let source = options.source.clone().map(super::options::SourceChoice::open).transpose()?;
        let settings = Settings {
            retry: options.retry.policy()?,
            request_timeout: seconds(options.timeout_s, "/timeout_s")?,
            max_in_flight: options.max_in_flight,
            rate_limits: options.rate_limits,
            ..Settings::default()
        };
        let fetch_patience = seconds(options.fetch_patience_s, "/fetch_patience_s")?;
        let (url, durability) = (options.state.clone(), options.durability);
        let store = blocking(move || crate::state::open(&url, durability)).await?;
        let clock: Arc<dyn Clock> = Arc::new(Watch(options.now));
        let runs = Arc::new(Runs::new(destinations.iter().map(|(name, _)| name.clone()).collect()));
        let owner = uuid::Uuid::new_v4().to_string();
        let targets =
            destinations.iter().map(|(name, destination)| Target { name: name.clone(), destination: destination.clone() }).collect();
        let outlet = |(at, (name, destination)): (usize, (String, Arc<dyn Destination>))| {
            let (store, transport, clock) = (store.clone(), transport.clone(), clock.clone());
            let witness = Arc::new(Witness { runs: runs.clone(), at });
            let delivery = Delivery::new(&name, destination.clone(), store, transport, clock, witness, settings, format!("{owner}/{name}"));
            Outlet::new(name, destination, delivery)
        };
        let outlets = destinations.into_iter().enumerate().map(outlet).collect();
        let desk = Desk {
            source: source.map(Arc::from),
            targets,
            store: store.clone(),
            validate: options.validate,
            consent: options.consent,
            events: options.events,
            max_record_bytes: options.max_record_bytes.unwrap_or(crate::sources::DecodeContext::MAX_RECORD_BYTES),
        };
        let started = clock.now();
        let engine = Engine {
            inner: Arc::new(Inner {
                desk,
                store,
                outlets,
                transport,
                shop: super::pull::Shop::new(
                    PullSettings {
                        retry: settings.retry,
                        request_timeout: settings.request_timeout.max(PullSettings::default().request_timeout),
                        rate_limits: settings.rate_limits,
                    },
                    fetch_patience,
                ),
                clock,
                runs,
                mode: options.mode,
                stop: Stop::new(),
                order: Arc::new(tokio::sync::Mutex::new(())),
                closed: AtomicBool::new(false),
                next_run: AtomicU64::new(1),
                started,
                keep_keys: chrono::Duration::days(i64::from(options.idempotency_days)),
                request_timeout: settings.request_timeout,
                reads_at_once: usize::from(settings.max_in_flight).max(1),
                job_patience: seconds(options.job_wait_s, "/job_wait_s")?,
                patience: settings.retry.max_elapsed + settings.retry.max_retry_after + settings.request_timeout,
            }),
        };
        let inner = engine.inner.clone();
        blocking(move || inner.store.purge(inner.started - inner.keep_keys)).await?;
        // What an earlier process accepted goes out without being asked for.
        for (at, stand) in engine.stands().await?.iter().enumerate() {
            if stand.waiting > 0 {
                engine.work(at, true);
            }
        }
        engine.resume_fetches().await?;
        Ok(engine)
    }

    /// What would be sent, without sending or remembering anything. `options` is [`CallOptions`]; the
    /// answer is [`super::answers::Plan`].
    ///
    /// # Errors
    /// `invalid_config`, `state_*`, `closed`.
    pub async fn plan(&self, options: Bytes, data: Bytes) -> Result<Vec<u8>> {
        self.alive()?;
        let options: CallOptions = parse(&options)?;
        let inner = self.inner.clone();
        blocking(move || {
            let now = inner.clock.now();
            let mode = options.mode.unwrap_or(inner.mode);
            let input = Input { mode, layout: options.format.into(), brought: Brought::Given };
            let taken = inner.desk.take(&data, &options, input, 0, now)?;
            let mut parts = Vec::with_capacity(inner.outlets.len());
            for (outlet, part) in inner.outlets.iter().zip(taken.acceptances) {
                let operations = part.operations.into_iter().map(|new| (new.position, new.operation)).collect();
                parts.push(Planned { name: &outlet.name, destination: &*outlet.destination, operations });
            }
            let rest = Rest {
                skipped: taken.skipped,
                findings: taken.findings,
                rejected: taken.rejected,
                ignored: taken.ignored,
                fetches: taken.fetches,
            };
            write_plan(&parts, rest)
        })
        .await
    }

    /// Accepts, sends and waits for the verdicts. The answer is [`RunReport`]: of this call, or of the
    /// run so far when `run` is given.
    ///
    /// # Errors
    /// `invalid_config`, `state_*`, `closed`.
    pub async fn deliver(&self, options: Bytes, data: Bytes) -> Result<Vec<u8>> {
        self.alive()?;
        let mut options: CallOptions = parse(&options)?;
        let own = options.run.is_none();
        let run = self.run_of(&mut options)?;
        let _leave = own.then(|| Leave { runs: &self.inner.runs, run: &run });
        let delivered = self.deliver_chunks(&run, &options, data).await;
        if own {
            if delivered.is_ok() {
                self.settle(&run, 0).await;
            }
            let report = self.finish(&run).await;
            delivered?;
            return json(&report?, 2048);
        }
        delivered?;
        json(&self.inner.runs.report(&run, self.inner.clock.now())?, 2048)
    }

    async fn deliver_chunks(&self, run: &str, options: &CallOptions, data: Bytes) -> Result<()> {
        let layout: Layout = options.format.into();
        let lines = layout.is_lines(&data);
        let mut rest = data;
        // Positions run on over the calls of one run.
        let mut position = self.inner.runs.positions(run);
        while !rest.is_empty() {
            let end = match memchr::memchr(b'\n', rest.get(CHUNK_BYTES..).unwrap_or_default()) {
                Some(end) if lines => CHUNK_BYTES + end + 1,
                _ => rest.len(),
            };
            let chunk = rest.split_to(end);
            let layout = if lines { Layout::Lines } else { Layout::Json };
            position = self.take(run, options, Taking { layout, brought: Brought::Given, background: false }, position, chunk).await?.next;
            self.inner.runs.set_positions(run, position);
            if !self.settle(run, BACKLOG).await {
                break;
            }
            self.alive()?;
        }
        Ok(())
    }

    /// Commits to the outbox and answers; delivery goes on in the background. The answer is [`Receipt`].
    ///
    /// # Errors
    /// `invalid_config`, `state_*`, `closed`.
    pub async fn accept(&self, options: Bytes, data: Bytes) -> Result<Vec<u8>> {
        self.alive()?;
        let mut options: CallOptions = parse(&options)?;
        let own = options.run.is_none();
        let run = self.run_of(&mut options)?;
        let _leave = own.then(|| Leave { runs: &self.inner.runs, run: &run });
        let position = self.inner.runs.positions(&run);
        let taking = Taking { layout: options.format.into(), brought: Brought::Given, background: true };
        let taken = self.take(&run, &options, taking, position, data).await?;
        self.inner.runs.set_positions(&run, taken.next);
        let receipt = Receipt {
            run: run.clone(),
            accepted: taken.accepted,
            skipped: taken.skipped,
            findings: taken.findings,
            rejected: taken.rejected,
            ignored: taken.ignored,
            fetches: taken.fetches,
        };
        json(&receipt, 512)
    }

    /// Begins a run that several `deliver` calls belong to. `options` is [`CallOptions`]; the answer is
    /// `{"run": "…"}`.
    ///
    /// # Errors
    /// `invalid_config`, `closed`.
    pub async fn start_run(&self, options: Bytes) -> Result<Vec<u8>> {
        #[derive(Serialize)]
        struct Started {
            run: String,
        }
        self.alive()?;
        let mut options: CallOptions = parse(&options)?;
        if options.run.is_some() {
            return Err(Error::new(ErrorCode::InvalidConfig, "the engine names the run").at("/run"));
        }
        json(&Started { run: self.run_of(&mut options)? }, 64)
    }

    /// Waits for what the run still has under way, keeps its report and answers it: [`RunReport`].
    ///
    /// # Errors
    /// `invalid_input` for a run this engine does not know, `state_*`, `closed`.
    pub async fn finish_run(&self, run: &str) -> Result<Vec<u8>> {
        self.alive()?;
        self.inner.runs.report(run, self.inner.clock.now())?;
        self.settle(run, 0).await;
        json(&self.finish(run).await?, 2048)
    }

    pub(super) async fn finish(&self, run: &str) -> Result<RunReport> {
        let mut report = self.inner.runs.report(run, self.inner.clock.now())?;
        let store = self.inner.store.clone();
        let report = blocking(move || {
            let filter = LetterFilter { run: Some(report.run.clone()), limit: Some(100), ..LetterFilter::default() };
            report.dead_letters = store.dead_letters(&filter)?.iter().map(|letter| letter.id).collect();
            store.put_run(&RunRow {
                id: report.run.clone(),
                started_at: report.started_at,
                finished_at: Some(report.finished_at),
                report: String::from_utf8(json(&report, 2048)?).unwrap_or_default(),
            })?;
            Ok(report)
        })
        .await?;
        self.inner.runs.detach(run);
        Ok(report)
    }

    /// How the runs under way stand: a JSON array of [`super::answers::Progress`]. Never waits.
    #[must_use]
    pub fn progress(&self) -> Vec<u8> {
        json(&self.inner.runs.progress(self.inner.clock.now()), 256).unwrap_or_else(|_| b"[]".to_vec())
    }

    /// The reports of the newest runs: a JSON array of [`RunReport`].
    ///
    /// # Errors
    /// `state_*`, `closed`.
    pub async fn runs(&self, limit: u32) -> Result<Vec<u8>> {
        self.alive()?;
        let store = self.inner.store.clone();
        let rows = blocking(move || store.runs(limit)).await?;
        let reports: Vec<_> = rows.iter().map(|row| raw(row.report.as_bytes())).collect::<Result<_>>()?;
        json(&reports, 4096)
    }

    /// Stops delivery, gives back what was claimed and closes the state. What waits stays in the outbox. Closing twice is
    /// fine.
    ///
    /// # Errors
    /// `state_*`.
    pub async fn close(&self) -> Result<()> {
        if self.inner.closed.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        self.inner.stop.stop();
        (0..self.inner.outlets.len()).for_each(|at| self.inner.runs.stopped(at, "closed"));
        self.inner.shop.fetcher.end().await;
        for outlet in &self.inner.outlets {
            outlet.end().await;
        }
        Ok(())
    }

    pub(super) fn alive(&self) -> Result<()> {
        match self.inner.closed.load(Ordering::SeqCst) {
            true => Err(Error::new(ErrorCode::Closed, "this handle is closed; open a new one")),
            false => Ok(()),
        }
    }

    /// The run a call belongs to, made if it names none.
    pub(super) fn run_of(&self, options: &mut CallOptions) -> Result<String> {
        let now = self.inner.clock.now();
        match &options.run {
            Some(run) if self.inner.runs.has(run) => Ok(run.clone()),
            Some(_) => Err(Error::new(ErrorCode::InvalidInput, "this engine has no such run under way").at("/run")),
            None => {
                // Version 7: ids sort by time, and two processes never make the same.
                let number = self.inner.next_run.fetch_add(1, Ordering::Relaxed);
                let run = format!("{}-{number}", uuid::Uuid::now_v7().simple());
                self.inner.runs.start(&run, options.mode.unwrap_or(self.inner.mode), now);
                Ok(run)
            }
        }
    }

    /// Accepts one chunk: decided and committed when it returns, with delivery under way. What is accepted is seen to even
    /// if the caller gives up while it is being committed.
    pub(super) async fn take(&self, run: &str, options: &CallOptions, taking: Taking, position: u64, data: Bytes) -> Result<Taken> {
        let Taking { layout, brought, background } = taking;
        let turn = self.inner.order.clone().lock_owned().await;
        let engine = self.clone();
        let (run, options) = (run.to_owned(), options.clone());
        blocking(move || {
            let _turn = turn;
            let inner = &engine.inner;
            let now = inner.clock.now();
            let input = Input { mode: options.mode.unwrap_or(inner.mode), layout, brought };
            let mut taken = inner.desk.take(&data, &options, input, position, now)?;
            for operation in taken.acceptances.iter_mut().flat_map(|part| &mut part.operations) {
                operation.run = Some(run.clone());
            }
            let intaken = taken.intaken(&inner.desk.targets);
            inner.runs.intake(&run, &intaken);
            let accepted = match inner.store.accept_all(&taken.acceptances, now) {
                Ok(accepted) => accepted,
                Err(error) => {
                    inner.runs.withdraw(&run, &intaken.operations);
                    return Err(error);
                }
            };
            for (at, (accepted, part)) in accepted.into_iter().zip(&mut taken.acceptances).enumerate() {
                // Another process may have accepted the same between our look and our commit.
                for index in &accepted.duplicates {
                    if let Some(operation) = part.operations.get(*index) {
                        let skip = RecordSkip {
                            position: operation.position,
                            reason: SkipReason::Duplicate,
                            detail: "it was accepted at the same time by someone else".to_owned(),
                            destination: inner.runs.label(at),
                        };
                        inner.runs.skipped(&run, at, skip.position, skip.reason, &skip.detail);
                        inner.runs.settle(&run, at, skip.position, None, Status::Skipped);
                        taken.skipped.push(skip);
                    }
                }
                let superseded = (SkipReason::Superseded, "something newer was accepted while it waited", accepted.superseded);
                let erased = (SkipReason::Erased, "the person was erased while it waited", accepted.erased);
                for (reason, why, old) in
                    [superseded, erased].into_iter().flat_map(|(reason, why, gone)| gone.into_iter().map(move |old| (reason, why, old)))
                {
                    if let Some(run) = &old.run {
                        inner.runs.skipped(run, at, old.position, reason, why);
                        inner.runs.settle(run, at, old.position, None, Status::Skipped);
                    }
                }
                part.operations.clear();
                let count = (accepted.ids.len() - accepted.duplicates.len()) as u64;
                taken.accepted += count;
                if count > 0 {
                    engine.work(at, background);
                }
            }
            Ok(taken)
        })
        .await
    }
}

/// Lets go of the run of one call when the call ends, also when its future is dropped half-way.
pub(super) struct Leave<'a> {
    pub runs: &'a Runs,
    pub run: &'a str,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.runs.detach(self.run);
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.inner.outlets.iter().map(|outlet| outlet.name.as_str()).collect();
        f.debug_struct("Engine").field("destinations", &names).finish_non_exhaustive()
    }
}

pub(super) fn seconds(value: f64, path: &'static str) -> Result<std::time::Duration> {
    std::time::Duration::try_from_secs_f64(value)
        .ok()
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| Error::new(ErrorCode::InvalidConfig, "a number of seconds above zero is needed").at(path))
}

/// Runs blocking work off the event loop.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(error) => Err(Error::new(ErrorCode::Cancelled, "the runtime is shutting down").because(error)),
    }
}
