//! Receiving what a shop sends: messages of its queues and calls of its webhooks. What one only names is read from the shop
//! in the background; until it was, the state remembers that it must be.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::answers::Received;
use super::engine::{Engine, Leave, blocking, lock};
use super::options::{CallOptions, Format, ReceiveOptions, parse};
use super::pure::json;
use crate::error::{Error, ErrorCode, Result};
use crate::model::{Instant, Mode};
use crate::pull::Puller;
use crate::sources::Fetch;
use crate::sources::pull::Document;
use crate::state::{FetchSettlement, NewFetch, PendingFetch};

/// Fetches looked at together; more wait for the next look.
const TOGETHER: u32 = 64;

/// Longest wait before something that could not be read is tried again. It is tried for ever: the shop may come back, and
/// nobody else knows that something is missing.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// The task that reads what was only named.
#[derive(Default)]
pub(super) struct Fetcher {
    worker: Mutex<Worker>,
    woken: Notify,
    /// How often something was noted; tells a worker about to end that there is more.
    noted: AtomicU64,
    /// Whether something is due or under way.
    busy: AtomicBool,
}

#[derive(Default)]
struct Worker {
    /// Kept beyond its end, so that closing waits for the last of it.
    task: Option<tokio::task::JoinHandle<()>>,
    /// Whether it will look again.
    running: bool,
}

impl Fetcher {
    /// Waits for the worker, which was told to stop.
    pub async fn end(&self) {
        self.woken.notify_one();
        let worker = lock(&self.worker).task.take();
        if let Some(worker) = worker {
            // The worker ends by itself; a panic in it was told when it happened.
            let _ = worker.await;
        }
    }
}

impl Engine {
    /// Takes one message of a queue or one call of a webhook: verifies it, where the source's calls can be, commits what it
    /// says to the outbox and answers; delivery goes on in the background. What it only names is read from the shop in the
    /// background too, if the source's settings say how; it is not forgotten if the process ends before. `options` is
    /// [`ReceiveOptions`]; the answer is [`Received`].
    ///
    /// Answer the shop with success only after this returned.
    ///
    /// # Errors
    /// `signature_mismatch`, `signature_expired` for a call that is not the shop's or an old one, `invalid_config`, `state_*`,
    /// `closed`.
    pub async fn receive(&self, options: Bytes, body: Bytes) -> Result<Vec<u8>> {
        self.alive()?;
        let options: ReceiveOptions = parse(&options)?;
        let missing = || Error::new(ErrorCode::InvalidConfig, "receiving from a shop needs a source").at("/source");
        let source = self.inner.desk.source.clone().ok_or_else(missing)?;
        let headers = options.headers.pairs();
        if options.verify {
            match source.verify(&body, &headers, self.inner.clock.now()) {
                // Nothing to verify by: such calls come over channels that the caller vouches for, such as a queue.
                Err(error) if error.code() == ErrorCode::Unsupported => {}
                verified => verified?,
            }
        }
        let header = source.pull().ok().and_then(|shop| shop.facts().correlation_header);
        let told = |wanted: &str| headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| (*value).to_owned());
        let mut call = CallOptions { mode: options.mode, correlation_id: header.and_then(told), ..CallOptions::default() };
        let run = self.run_of(&mut call)?;
        let _leave = Leave { runs: &self.inner.runs, run: &run };
        let taken = self.take(&run, &call, Format::Auto.into(), 0, body, true).await?;
        let mode = options.mode.unwrap_or(self.inner.mode);
        let fetching = self.note_fetches(&taken.fetches, mode, call.correlation_id.as_deref()).await?;
        let received = Received {
            run: run.clone(),
            accepted: taken.accepted,
            skipped: taken.skipped,
            findings: taken.findings,
            rejected: taken.rejected,
            ignored: taken.ignored,
            fetches: taken.fetches,
            fetching,
        };
        json(&received, 512)
    }

    /// Remembers what must be read and has it read. How much that is: nothing when the settings do not say how.
    pub(super) async fn note_fetches(&self, fetches: &[Fetch], mode: Mode, correlation_id: Option<&str>) -> Result<u64> {
        if fetches.is_empty() {
            return Ok(0);
        }
        let Ok(puller) = self.puller() else { return Ok(0) };
        let shop = puller.shop()?;
        let wanted: Vec<NewFetch> = fetches
            .iter()
            .filter(|fetch| shop.wanted(fetch).is_some())
            .map(|fetch| NewFetch {
                resource: fetch.resource.clone(),
                reason: fetch.reason.clone(),
                mode,
                correlation_id: correlation_id.map(str::to_owned),
            })
            .collect();
        let count = wanted.len() as u64;
        if count > 0 {
            let (store, scope, now) = (self.inner.store.clone(), self.fetch_scope(&puller)?, self.inner.clock.now());
            blocking(move || store.note_fetches(&scope, &wanted, now)).await?;
            self.fetch(puller);
        }
        Ok(count)
    }

    /// Goes on with what an earlier process was told of and did not read.
    pub(super) async fn resume_fetches(&self) -> Result<()> {
        let Ok(puller) = self.puller() else { return Ok(()) };
        let (store, scope) = (self.inner.store.clone(), self.fetch_scope(&puller)?);
        if !blocking(move || store.fetches(&scope, 1)).await?.is_empty() {
            self.fetch(puller);
        }
        Ok(())
    }

    /// Whether something is being read that was only named.
    pub(super) fn is_fetching(&self) -> bool {
        self.inner.shop.fetcher.busy.load(Ordering::SeqCst)
    }

    /// Fetches are accepted for all destinations at once, so each set of them has its own.
    fn fetch_scope(&self, puller: &Puller) -> Result<String> {
        let names: Vec<&str> = self.inner.outlets.iter().map(|outlet| outlet.name.as_str()).collect();
        let shop = puller.shop()?;
        Ok(format!("{}/{}/{}", names.join("+"), shop.facts().source, shop.scope()))
    }

    /// Has the worker look, and starts it if there is none.
    fn fetch(&self, puller: Puller) {
        let fetcher = &self.inner.shop.fetcher;
        let mut worker = lock(&fetcher.worker);
        fetcher.busy.store(true, Ordering::SeqCst);
        fetcher.noted.fetch_add(1, Ordering::SeqCst);
        if !worker.running && !self.inner.closed.load(Ordering::SeqCst) {
            worker.running = true;
            worker.task = Some(tokio::spawn(work(self.clone(), puller)));
        }
        fetcher.woken.notify_one();
    }

    /// Reads what is due; when to look again, `None` when nothing waits.
    async fn fetch_due(&self, puller: &Puller) -> Result<Option<Instant>> {
        let (store, scope) = (self.inner.store.clone(), self.fetch_scope(puller)?);
        let pending = blocking(move || store.fetches(&scope, TOGETHER)).await?;
        let now = self.inner.clock.now();
        let (due, later): (Vec<_>, Vec<_>) = pending.into_iter().partition(|one| one.due_at <= now);
        if due.is_empty() {
            return Ok(later.first().map(|one| one.due_at));
        }
        let mut reading = JoinSet::new();
        for one in due {
            let puller = puller.clone();
            reading.spawn(async move {
                let read = read(&puller, &one).await;
                (one, read)
            });
        }
        loop {
            // Only reading is given up; what touches the state ends, so that the state is free once the engine is closed.
            let done = tokio::select! {
                done = reading.join_next() => done,
                () = self.inner.stop.stopped() => break,
            };
            let Some(done) = done else { break };
            let Ok((one, read)) = done else { continue };
            let settled = match read {
                Ok(documents) => self.take_fetched(&one, documents).await,
                Err(error) => Err(error),
            };
            let later = match settled {
                Ok(()) => None,
                Err(error) => {
                    let wait = Duration::from_secs(1 << one.attempts.min(12)).min(LONGEST_WAIT);
                    let (kind, code) = (&one.fetch.resource.kind, error.code().name());
                    tracing::warn!(kind, code, wait_s = wait.as_secs(), "what was only named could not be read: {error}");
                    Some(self.inner.clock.now() + wait)
                }
            };
            let (store, settlement) = (self.inner.store.clone(), FetchSettlement { id: one.id, noted: one.noted, later });
            blocking(move || store.settle_fetches(&[settlement])).await?;
        }
        Ok(Some(now))
    }

    async fn take_fetched(&self, one: &PendingFetch, documents: Vec<Document>) -> Result<()> {
        let mut call = CallOptions { mode: Some(one.fetch.mode), ..CallOptions::default() };
        let run = self.run_of(&mut call)?;
        let _leave = Leave { runs: &self.inner.runs, run: &run };
        let correlation_id = one.fetch.correlation_id.clone();
        self.take_documents(&run, one.fetch.mode, correlation_id, documents, true).await
    }
}

async fn read(puller: &Puller, one: &PendingFetch) -> Result<Vec<Document>> {
    let fetch = Fetch { position: 0, resource: one.fetch.resource.clone(), reason: one.fetch.reason.clone() };
    match puller.shop()?.wanted(&fetch) {
        Some(wanted) => Ok(puller.read(&wanted).await?.unwrap_or_default()),
        None => Ok(Vec::new()),
    }
}

/// What the worker does: reads until nothing waits, or the engine closes.
async fn work(engine: Engine, puller: Puller) {
    let inner = Arc::clone(&engine.inner);
    let fetcher = &inner.shop.fetcher;
    while !inner.stop.is_stopped() {
        let noted = fetcher.noted.load(Ordering::SeqCst);
        let next = engine.fetch_due(&puller).await;
        let now = inner.clock.now();
        let wait = match next {
            Ok(Some(at)) if at <= now => continue,
            Ok(Some(at)) => (at - now).to_std().unwrap_or_default().min(LONGEST_WAIT),
            Ok(None) => {
                // Under the lock, so that whoever notes something now either is seen by this worker or starts another.
                let mut worker = lock(&fetcher.worker);
                if fetcher.noted.load(Ordering::SeqCst) != noted {
                    continue;
                }
                fetcher.busy.store(false, Ordering::SeqCst);
                worker.running = false;
                return;
            }
            Err(error) => {
                tracing::error!(code = error.code().name(), "what was only named cannot be read: {error}");
                Duration::from_secs(5)
            }
        };
        fetcher.busy.store(false, Ordering::SeqCst);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = fetcher.woken.notified() => {}
            () = inner.stop.stopped() => return,
        }
        fetcher.busy.store(true, Ordering::SeqCst);
    }
}
