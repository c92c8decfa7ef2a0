//! Receiving what a shop sends: messages of its queues and calls of its webhooks. What one only names is read from the shop
//! in the background; until it was, the state remembers that it must be.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::answers::{Received, Unread};
use super::derived::Brought;
use super::engine::{Engine, Leave, Taking, blocking, lock};
use super::options::{CallOptions, Format, ReceiveOptions, parse};
use super::pure::json;
use crate::error::{Error, ErrorCode, Result};
use crate::model::{Instant, Mode};
use crate::pull::Puller;
use crate::sources::pull::Document;
use crate::sources::{Delivery, Fetch, Source};
use crate::state::{FetchEnd, FetchSettlement, NewFetch, PendingFetch};

/// Fetches looked at together; more wait for the next look.
const TOGETHER: u32 = 64;

/// Longest wait before something that could not be read is tried again.
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

/// What a pushed call is known by.
#[derive(Clone)]
struct Deliveries {
    scope: String,
    keys: Vec<Delivery>,
}

impl Deliveries {
    fn names(&self) -> Vec<&str> {
        self.keys.iter().map(|delivery| delivery.key.as_str()).collect()
    }
}

impl Engine {
    /// Takes one message of a queue or one call of a webhook: verifies it, where the source's calls can be, commits what it
    /// says to the outbox and answers; delivery goes on in the background. What it only names is read from the shop in the
    /// background too, if the source's settings say how; it is not forgotten if the process ends before. A call that was
    /// taken before is answered as a duplicate, and nothing is read for it. `options` is [`ReceiveOptions`]; the answer is
    /// [`Received`].
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
        let mode = options.mode.unwrap_or(self.inner.mode);
        let deliveries = self.deliveries(&*source, &body, mode);
        if self.were_heard(&deliveries).await? {
            let run = self.run_of(&mut CallOptions { mode: options.mode, ..CallOptions::default() })?;
            let _leave = Leave { runs: &self.inner.runs, run: &run };
            return json(&Received { run: run.clone(), duplicates: deliveries.keys.len() as u64, ..Received::default() }, 256);
        }
        let header = source.pull().ok().and_then(|shop| shop.facts().correlation_header);
        let told = |wanted: &str| headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| (*value).to_owned());
        let mut call = CallOptions { mode: options.mode, correlation_id: header.and_then(told), ..CallOptions::default() };
        let run = self.run_of(&mut call)?;
        let _leave = Leave { runs: &self.inner.runs, run: &run };
        let taking = Taking { layout: Format::Auto.into(), brought: Brought::Read, background: true };
        let taken = self.take(&run, &call, taking, 0, body).await?;
        let fetching = self.note_fetches(&taken.fetches, mode, call.correlation_id.as_deref()).await?;
        // Only now, and only what needs nothing more: a row that was refused may be good under other settings, and what the
        // caller must read itself is not known to have been read.
        let is_safe = taken.rejected.is_empty() && fetching == taken.fetches.len() as u64;
        if is_safe && taken.accepted + fetching > 0 {
            self.note_heard(deliveries).await?;
        }
        let received = Received {
            run: run.clone(),
            accepted: taken.accepted,
            skipped: taken.skipped,
            findings: taken.findings,
            rejected: taken.rejected,
            ignored: taken.ignored,
            fetches: taken.fetches,
            fetching,
            duplicates: 0,
        };
        json(&received, 512)
    }

    /// What a pushed call is known by, if it is called again.
    fn deliveries(&self, source: &dyn Source, body: &[u8], mode: Mode) -> Deliveries {
        let names: Vec<&str> = self.inner.outlets.iter().map(|outlet| outlet.name.as_str()).collect();
        // A backfill withholds what a live call tells, so neither stands for the other.
        let mode = if mode == Mode::Live { "live" } else { "backfill" };
        Deliveries { scope: format!("{}/{}/{mode}", names.join("+"), source.name()), keys: source.delivery_keys(body) }
    }

    /// Whether all that the call tells was told before.
    async fn were_heard(&self, deliveries: &Deliveries) -> Result<bool> {
        if deliveries.keys.is_empty() {
            return Ok(false);
        }
        let (store, deliveries) = (self.inner.store.clone(), deliveries.clone());
        blocking(move || Ok(store.heard(&deliveries.scope, &deliveries.names())?.into_iter().all(|heard| heard))).await
    }

    async fn note_heard(&self, mut deliveries: Deliveries) -> Result<()> {
        let (store, now) = (self.inner.store.clone(), self.inner.clock.now());
        // What may have happened again since, under the same key, is read again when that is told.
        deliveries.keys.retain(|delivery| delivery.is_over(now));
        if deliveries.keys.is_empty() {
            return Ok(());
        }
        blocking(move || store.note_heard(&deliveries.scope, &deliveries.names(), now)).await
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
            let end = match settled {
                Ok(()) => FetchEnd::Read,
                Err(error) => self.failed(&one, &error),
            };
            let (store, settlement) = (self.inner.store.clone(), FetchSettlement { id: one.id, noted: one.noted, end });
            blocking(move || store.settle_fetches(&[settlement])).await?;
        }
        Ok(Some(now))
    }

    /// What becomes of a fetch that failed: it is tried again, less and less often, until it was tried for too long.
    fn failed(&self, one: &PendingFetch, error: &Error) -> FetchEnd {
        let (kind, code, now) = (&one.fetch.resource.kind, error.code().name(), self.inner.clock.now());
        let tried = now.signed_duration_since(one.noted_at).to_std().unwrap_or_default();
        if tried >= self.inner.shop.fetch_patience {
            tracing::error!(kind, code, attempts = one.attempts + 1, "what was only named is given up: {error}");
            return FetchEnd::GivenUp { at: now, code: code.to_owned(), message: error.to_string() };
        }
        let wait = Duration::from_secs(1 << one.attempts.min(12)).min(LONGEST_WAIT);
        tracing::warn!(kind, code, wait_s = wait.as_secs(), "what was only named could not be read: {error}");
        FetchEnd::Later(now + wait)
    }

    /// How much was given up, and the first of it.
    pub(super) async fn unread(&self, limit: u32) -> Result<(u64, Vec<Unread>)> {
        let Ok(puller) = self.puller() else { return Ok((0, Vec::new())) };
        let (store, scope) = (self.inner.store.clone(), self.fetch_scope(&puller)?);
        let (count, first) = blocking(move || store.unread(&scope, limit)).await?;
        let shown = first.into_iter().map(|one| Unread {
            resource: one.fetch.resource,
            reason: one.fetch.reason,
            correlation_id: one.fetch.correlation_id,
            attempts: one.attempts,
            named_at: one.noted_at,
            given_up_at: one.given_up_at,
            code: one.code,
            message: one.message,
        });
        Ok((count, shown.collect()))
    }

    /// Has read again what was given up.
    pub(super) async fn reread(&self) -> Result<()> {
        let puller = self.puller()?;
        let (store, scope, now) = (self.inner.store.clone(), self.fetch_scope(&puller)?, self.inner.clock.now());
        if blocking(move || store.reread(&scope, now)).await? > 0 {
            self.fetch(puller);
        }
        Ok(())
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
