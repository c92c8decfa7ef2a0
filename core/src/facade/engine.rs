//! The stateful handle behind `Sync`.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde::Serialize;

use super::acceptance::{Desk, Taken};
use super::answers::{CheckReport, Flushed, Letter, Receipt, RecordSkip, RunReport};
use super::options::{CallOptions, FlushOptions, ReplayOptions, SyncOptions, parse};
use super::pure::{Rest, json, raw, write_plan};
use super::runs::Runs;
use crate::delivery::{Clock, Delivery, DeliveryEvent, HttpOptions, HttpTransport, Observer, Settings, Stop, Transport};
use crate::destinations::Destination;
use crate::error::{Error, ErrorCode, Result};
use crate::model::{Instant, Mode, Record, SkipReason, Status};
use crate::pipeline::Layout;
use crate::state::{DeadLetter, LetterFilter, RunRow, StateStore};

/// Bytes of NDJSON accepted in one transaction. Bounds memory, and what a crash makes the caller send again.
const CHUNK_BYTES: usize = 2 << 20;

/// Operations of one run that may wait before `deliver` reads on.
const BACKLOG: u64 = 2_000;

/// How often a waiting call looks whether delivery still goes on.
const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_millis(20);

/// A source, a destination and a state, working together. Cheap to clone; all clones are one engine.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    desk: Desk,
    store: Arc<dyn StateStore>,
    destination: Arc<dyn Destination>,
    transport: Arc<dyn Transport>,
    delivery: Arc<Delivery>,
    clock: Arc<dyn Clock>,
    runs: Arc<Runs>,
    mode: Mode,
    stop: Stop,
    /// The task that sends, while there is one.
    worker: Mutex<Option<tokio::task::JoinHandle<()>>>,
    /// Whether something was accepted for the background: then the worker goes on when nothing waits.
    background: AtomicBool,
    /// Acceptance is one at a time, so that records enter the outbox in the order they were given.
    order: Arc<tokio::sync::Mutex<()>>,
    closed: AtomicBool,
    next_run: AtomicU64,
    started: Instant,
    keep_keys: chrono::Duration,
    request_timeout: std::time::Duration,
    /// How long a run may wait without any progress.
    patience: std::time::Duration,
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
        let destination: Arc<dyn Destination> = options.destination.clone().open()?.into();
        let transport: Arc<dyn Transport> = Arc::new(HttpTransport::new(&HttpOptions::default())?);
        Self::assemble(options, destination, transport).await
    }

    /// Opens an engine for a destination and a transport from outside this crate: a vendor of one's own, or a test's.
    /// `options.destination` is not looked at.
    ///
    /// # Errors
    /// `invalid_config`, `unknown_name`, `state_*`.
    pub async fn assemble(options: SyncOptions, destination: Arc<dyn Destination>, transport: Arc<dyn Transport>) -> Result<Engine> {
        let source = options.source.clone().map(super::options::SourceChoice::open).transpose()?;
        let settings = Settings {
            retry: options.retry.policy()?,
            request_timeout: seconds(options.timeout_s, "/timeout_s")?,
            max_in_flight: options.max_in_flight,
            rate_limits: options.rate_limits,
            ..Settings::default()
        };
        let (url, durability) = (options.state.clone(), options.durability);
        let store = blocking(move || crate::state::open(&url, durability)).await?;
        let clock: Arc<dyn Clock> = Arc::new(Watch(options.now));
        let runs = Arc::new(Runs::default());
        let owner = uuid::Uuid::new_v4().to_string();
        let delivery = Arc::new(Delivery::new(
            destination.clone(),
            store.clone(),
            transport.clone(),
            clock.clone(),
            Arc::new(Witness(runs.clone())),
            settings,
            owner,
        ));
        let desk = Desk {
            source,
            destination: destination.clone(),
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
                destination,
                transport,
                delivery,
                clock,
                runs,
                mode: options.mode,
                stop: Stop::new(),
                worker: Mutex::new(None),
                background: AtomicBool::new(false),
                order: Arc::new(tokio::sync::Mutex::new(())),
                closed: AtomicBool::new(false),
                next_run: AtomicU64::new(1),
                started,
                keep_keys: chrono::Duration::days(i64::from(options.idempotency_days)),
                request_timeout: settings.request_timeout,
                patience: settings.retry.max_elapsed + settings.retry.max_retry_after + settings.request_timeout,
            }),
        };
        let inner = engine.inner.clone();
        blocking(move || inner.store.purge(inner.started - inner.keep_keys)).await?;
        // What an earlier process accepted goes out without being asked for.
        if engine.waiting().await? > 0 {
            engine.work_in_background();
        }
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
            let taken = inner.desk.take(&data, &options, options.mode.unwrap_or(inner.mode), options.format.into(), 0, now)?;
            let operations: Vec<_> = taken.acceptance.operations.into_iter().map(|new| (new.position, new.operation)).collect();
            let rest = Rest {
                skipped: taken.skipped,
                findings: taken.findings,
                rejected: taken.rejected,
                ignored: taken.ignored,
                fetches: taken.fetches,
            };
            write_plan(&*inner.destination, &operations, rest)
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
            position = self.take(run, options, layout, position, chunk, false).await?.next;
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
        let taken = self.take(&run, &options, options.format.into(), position, data, true).await?;
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

    /// Sends until at most `most` operations of the run are under way. False when delivery stopped before that, or when
    /// nothing of the run has ended for longer than any retry takes: a worker in the background sits an outage out, but
    /// whoever waits wants an answer.
    async fn settle(&self, run: &str, most: u64) -> bool {
        let mut last = (u64::MAX, tokio::time::Instant::now());
        loop {
            let under_way = self.inner.runs.under_way(run);
            if under_way <= most {
                return true;
            }
            if self.inner.runs.why_stopped().is_some() {
                return false;
            }
            if under_way != last.0 {
                last = (under_way, tokio::time::Instant::now());
            } else if last.1.elapsed() > self.inner.patience {
                self.inner.runs.give_up(run, "nothing could be delivered for longer than retries take; it stays in the outbox");
                return false;
            }
            self.ensure_worker();
            self.inner.runs.some_settled(LOOK_AGAIN).await;
        }
    }

    async fn finish(&self, run: &str) -> Result<RunReport> {
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

    /// Waits until nothing waits for the destination any more. `options` is [`FlushOptions`]; the answer
    /// is [`Flushed`].
    ///
    /// # Errors
    /// `state_*`, `closed`.
    pub async fn flush(&self, options: Bytes) -> Result<Vec<u8>> {
        self.alive()?;
        let options: FlushOptions = parse(&options)?;
        let limit = options.timeout_s.map(|timeout| seconds(timeout, "/timeout_s")).transpose()?;
        self.inner.runs.resumed();
        let idle = async {
            loop {
                self.alive()?;
                let waiting = self.waiting().await?;
                let stopped = self.inner.runs.why_stopped();
                if waiting == 0 || stopped.is_some() {
                    return Ok::<_, Error>(Flushed { waiting, stopped });
                }
                self.ensure_worker();
                self.inner.runs.some_settled(LOOK_AGAIN).await;
            }
        };
        let flushed = match limit {
            None => idle.await?,
            Some(limit) => match tokio::time::timeout(limit, idle).await {
                Ok(flushed) => flushed?,
                Err(_) => Flushed { waiting: self.waiting().await?, stopped: self.inner.runs.why_stopped() },
            },
        };
        json(&flushed, 64)
    }

    async fn waiting(&self) -> Result<u64> {
        let inner = self.inner.clone();
        blocking(move || inner.store.waiting(inner.destination.name())).await
    }

    /// Dead letters: a JSON array of [`Letter`]. `options` is [`LetterFilter`].
    ///
    /// # Errors
    /// `state_*`, `closed`.
    pub async fn dead_letters(&self, options: Bytes) -> Result<Vec<u8>> {
        self.alive()?;
        let filter: LetterFilter = parse(&options)?;
        let store = self.inner.store.clone();
        let letters = blocking(move || store.dead_letters(&filter)).await?;
        let letters: Vec<Letter> = letters.into_iter().map(show).collect::<Result<_>>()?;
        json(&letters, 4096)
    }

    /// Rebuilds dead letters from their canonical records and sends them again under their own idempotency keys.
    /// `options` is [`ReplayOptions`]; the answer is [`RunReport`]. A letter whose record is refused now stays a letter
    /// and stands in the report's `rejected`; its position is the letter's place in the answer of `dead_letters`.
    ///
    /// # Errors
    /// `invalid_config`, `state_*`, `closed`.
    pub async fn replay(&self, options: Bytes) -> Result<Vec<u8>> {
        self.alive()?;
        let ReplayOptions { filter, fixes } = parse(&options)?;
        let run = self.run_of(&mut CallOptions::default())?;
        let _leave = Leave { runs: &self.inner.runs, run: &run };
        let turn = self.inner.order.clone().lock_owned().await;
        let inner = self.inner.clone();
        let id = run.clone();
        blocking(move || {
            let now = inner.clock.now();
            let letters = inner.store.dead_letters(&filter)?;
            let redraft = inner.desk.redraft(letters, fixes, now)?;
            inner.runs.intake(&id, &redraft.intaken);
            inner.store.replay(&redraft.replays, Some(&id), now)?;
            inner.store.discard(&redraft.discarded)?;
            Ok(())
        })
        .await?;
        drop(turn);
        self.inner.runs.resumed();
        self.inner.delivery.wake();
        self.settle(&run, 0).await;
        json(&self.finish(&run).await?, 2048)
    }

    /// Removes dead letters for good. `options` is [`LetterFilter`]; the answer is `{"discarded": n}`.
    ///
    /// # Errors
    /// `state_*`, `closed`.
    pub async fn discard(&self, options: Bytes) -> Result<Vec<u8>> {
        #[derive(Serialize)]
        struct Discarded {
            discarded: u64,
        }
        self.alive()?;
        let filter: LetterFilter = parse(&options)?;
        let store = self.inner.store.clone();
        let discarded = blocking(move || {
            let ids: Vec<u64> = store.dead_letters(&filter)?.iter().map(|letter| letter.id).collect();
            store.discard(&ids)
        })
        .await?;
        json(&Discarded { discarded }, 32)
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

    /// Whether the destination takes the credentials, without side effects: [`CheckReport`].
    ///
    /// # Errors
    /// `closed`.
    pub async fn check(&self) -> Result<Vec<u8>> {
        self.alive()?;
        let destination = &self.inner.destination;
        let request = destination.check();
        let answer = self.inner.transport.send(destination.base_url(), &request);
        let (status, message) = match tokio::time::timeout(self.inner.request_timeout, answer).await {
            Ok(Ok(reply)) => (reply.status, destination.read_check(&reply)),
            Ok(Err(failure)) => (0, failure.to_string()),
            Err(_) => (0, "no answer in time".to_owned()),
        };
        let ok = (200..300).contains(&status);
        json(&CheckReport { ok, status, message, backfill_notice: destination.backfill_notice().to_owned() }, 256)
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
        self.inner.runs.stopped("closed");
        let worker = lock(&self.inner.worker).take();
        if let Some(worker) = worker {
            // The worker ends by itself; a panic in it was already told to whoever waited.
            let _ = worker.await;
        }
        Ok(())
    }

    fn alive(&self) -> Result<()> {
        match self.inner.closed.load(Ordering::SeqCst) {
            true => Err(Error::new(ErrorCode::Closed, "this handle is closed; open a new one")),
            false => Ok(()),
        }
    }

    /// The run a call belongs to, made if it names none.
    fn run_of(&self, options: &mut CallOptions) -> Result<String> {
        let now = self.inner.clock.now();
        match &options.run {
            Some(run) if self.inner.runs.has(run) => Ok(run.clone()),
            Some(_) => Err(Error::new(ErrorCode::InvalidInput, "this engine has no such run under way").at("/run")),
            None => {
                // Version 7: ids sort by time, and two processes never make the same.
                let number = self.inner.next_run.fetch_add(1, Ordering::Relaxed);
                let run = format!("{}-{number}", uuid::Uuid::now_v7().simple());
                self.inner.runs.start(&run, self.inner.destination.name(), options.mode.unwrap_or(self.inner.mode), now);
                Ok(run)
            }
        }
    }

    /// Accepts one chunk: decided and committed when it returns, with delivery under way. What is accepted is seen to even
    /// if the caller gives up while it is being committed.
    async fn take(&self, run: &str, options: &CallOptions, layout: Layout, position: u64, data: Bytes, background: bool) -> Result<Taken> {
        let turn = self.inner.order.clone().lock_owned().await;
        let engine = self.clone();
        let (run, options) = (run.to_owned(), options.clone());
        blocking(move || {
            let _turn = turn;
            let inner = &engine.inner;
            let now = inner.clock.now();
            let mut taken = inner.desk.take(&data, &options, options.mode.unwrap_or(inner.mode), layout, position, now)?;
            for operation in &mut taken.acceptance.operations {
                operation.run = Some(run.clone());
            }
            let intaken = taken.intaken();
            inner.runs.intake(&run, &intaken);
            match inner.store.accept(&taken.acceptance, now) {
                Ok(accepted) => {
                    // Another process may have accepted the same between our look and our commit.
                    for index in &accepted.duplicates {
                        if let Some(operation) = taken.acceptance.operations.get(*index) {
                            let skip = RecordSkip {
                                position: operation.position,
                                reason: SkipReason::Duplicate,
                                detail: "it was accepted at the same time by someone else".to_owned(),
                            };
                            inner.runs.skipped(&run, skip.position, skip.reason, &skip.detail);
                            inner.runs.settle(&run, skip.position, None, Status::Skipped);
                            taken.skipped.push(skip);
                        }
                    }
                    taken.accepted = (accepted.ids.len() - accepted.duplicates.len()) as u64;
                    for old in accepted.superseded {
                        if let Some(run) = &old.run {
                            inner.runs.skipped(run, old.position, SkipReason::Superseded, "something newer was accepted while it waited");
                            inner.runs.settle(run, old.position, None, Status::Skipped);
                        }
                    }
                }
                Err(error) => {
                    inner.runs.withdraw(&run, &intaken.operations);
                    return Err(error);
                }
            }
            taken.acceptance.operations.clear();
            if taken.accepted > 0 {
                match background {
                    true => engine.work_in_background(),
                    false => engine.work(),
                }
            }
            Ok(taken)
        })
        .await
    }

    /// Has delivery look at once at what was accepted.
    fn work(&self) {
        self.ensure_worker();
        self.inner.delivery.wake();
    }

    /// Has the background see to what was accepted: it goes on when nothing waits, and sits an outage out.
    fn work_in_background(&self) {
        self.inner.background.store(true, Ordering::SeqCst);
        self.work();
    }

    /// Starts delivery if it is not running. In the foreground it ends when nothing waits or in an outage, so that whoever
    /// waits gets an answer.
    fn ensure_worker(&self) {
        let inner = &self.inner;
        let mut worker = lock(&inner.worker);
        if worker.is_none() && !inner.closed.load(Ordering::SeqCst) {
            inner.runs.resumed();
            *worker = Some(tokio::spawn(send(inner.clone())));
        }
    }
}

/// Lets go of the run of one call when the call ends, also when its future is dropped half-way.
struct Leave<'a> {
    runs: &'a Runs,
    run: &'a str,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.runs.detach(self.run);
    }
}

/// What the worker does.
async fn send(inner: Arc<Inner>) {
    loop {
        let background = inner.background.load(Ordering::SeqCst);
        let ended = match background {
            true => inner.delivery.run(&inner.stop).await,
            false => inner.delivery.drain(&inner.stop).await.map(drop),
        };
        // Under the lock, so that whoever accepts now either sees this worker gone or is seen by it.
        let mut worker = lock(&inner.worker);
        if let Err(error) = &ended {
            tracing::error!(code = error.code().name(), "delivery stopped: {error}");
            inner.background.store(false, Ordering::SeqCst);
            inner.runs.stopped(&error.to_string());
        } else if !background && inner.background.load(Ordering::SeqCst) && !inner.stop.is_stopped() {
            continue;
        }
        *worker = None;
        return;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("destination", &self.inner.destination.name()).finish_non_exhaustive()
    }
}

/// Counts what delivery tells.
struct Witness(Arc<Runs>);

impl Observer for Witness {
    fn event(&self, event: &DeliveryEvent) {
        super::witness::count(&self.0, event);
    }
}

fn show(letter: DeadLetter) -> Result<Letter> {
    let record: Record = serde_json::from_slice(&letter.record)
        .map_err(|error| Error::new(ErrorCode::StateCorrupt, "the record of a dead letter cannot be read").because(error))?;
    Ok(Letter {
        id: letter.id,
        destination: letter.destination,
        endpoint: letter.operation.endpoint.into_owned(),
        idempotency_key: letter.operation.idempotency_key.as_str().to_owned(),
        code: letter.failure.refusal.code.0.name().to_owned(),
        vendor_code: letter.failure.refusal.vendor_code,
        message: letter.failure.refusal.message,
        status: letter.failure.status,
        response: letter.failure.response,
        attempts: letter.failure.attempts,
        died_at: letter.died_at,
        correlation_id: letter.operation.correlation_id.as_str().to_owned(),
        run: letter.run,
        position: letter.position,
        record,
        body: raw(&letter.operation.body)?,
    })
}

fn seconds(value: f64, path: &'static str) -> Result<std::time::Duration> {
    std::time::Duration::try_from_secs_f64(value)
        .ok()
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| Error::new(ErrorCode::InvalidConfig, "a number of seconds above zero is needed").at(path))
}

/// Runs blocking work off the event loop.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(error) => Err(Error::new(ErrorCode::Cancelled, "the runtime is shutting down").because(error)),
    }
}
