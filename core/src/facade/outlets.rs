//! The destinations of an engine at work: each with its own delivery, worker and stops, so that none waits for another.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use super::answers::{CheckReport, DestinationCheck, Flushed, FlushedAt};
use super::engine::{Engine, Inner, blocking, lock, seconds};
use super::options::{FlushOptions, parse};
use super::pure::json;
use super::runs::{Runs, overall};
use crate::delivery::{Delivery, DeliveryEvent, Observer};
use crate::destinations::Destination;
use crate::error::Result;

/// How often a waiting call looks whether delivery still goes on.
const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_millis(20);

/// So many times what else may wait, `deliver` reads on for the others' sake.
const FAR: u64 = 25;

/// A destination at work.
pub(super) struct Outlet {
    pub name: String,
    pub destination: Arc<dyn Destination>,
    pub delivery: Delivery,
    /// The task that sends, while there is one.
    worker: Mutex<Option<tokio::task::JoinHandle<()>>>,
    /// Whether something was accepted for the background: then the worker goes on when nothing waits.
    background: AtomicBool,
}

impl Outlet {
    pub fn new(name: String, destination: Arc<dyn Destination>, delivery: Delivery) -> Self {
        Outlet { name, destination, delivery, worker: Mutex::new(None), background: AtomicBool::new(false) }
    }

    /// Waits for the worker, which was told to stop.
    pub async fn end(&self) {
        let worker = lock(&self.worker).take();
        if let Some(worker) = worker {
            // The worker ends by itself; a panic in it was already told to whoever waited.
            let _ = worker.await;
        }
    }
}

/// Counts what one destination's delivery tells.
pub(super) struct Witness {
    pub runs: Arc<Runs>,
    pub at: usize,
}

impl Observer for Witness {
    fn event(&self, event: &DeliveryEvent) {
        super::witness::count(&self.runs, self.at, event);
    }
}

/// How a run stands at one destination.
enum Stand {
    /// Little enough is under way.
    Room,
    /// More is under way; `far` when very much more.
    Full { far: bool },
    /// More is under way, and the destination does not answer.
    Down,
    /// Nothing goes on there.
    Out,
}

impl Engine {
    /// Has delivery to a destination look at once at what was accepted; in the `background` it goes on when nothing waits,
    /// and sits an outage out.
    pub(super) fn work(&self, at: usize, background: bool) {
        let Some(outlet) = self.inner.outlets.get(at) else { return };
        if background {
            outlet.background.store(true, Ordering::SeqCst);
        }
        self.ensure_worker(at);
        outlet.delivery.wake();
    }

    /// Starts delivery if it is not running. In the foreground it ends when nothing waits or in an outage, so that whoever
    /// waits gets an answer.
    fn ensure_worker(&self, at: usize) {
        let inner = &self.inner;
        let Some(outlet) = inner.outlets.get(at) else { return };
        let mut worker = lock(&outlet.worker);
        if worker.is_none() && !inner.closed.load(Ordering::SeqCst) {
            inner.runs.resumed(at);
            *worker = Some(tokio::spawn(send(inner.clone(), at)));
        }
    }

    /// Sends until the run has little under way: at `most` 0 nothing at all, else so little that `deliver` may read on. False
    /// when nothing goes on any more: delivery stopped, or nothing of the run has ended for longer than any retry takes. A
    /// worker in the background sits an outage out, but whoever waits wants an answer.
    ///
    /// Reading on does not wait for a destination that is down, and for a slow one only when very much waits for it.
    pub(super) async fn settle(&self, run: &str, most: u64) -> bool {
        let inner = &self.inner;
        let begun = tokio::time::Instant::now();
        let mut last = vec![((u64::MAX, 0), begun); inner.outlets.len()];
        loop {
            let mut stands = Vec::with_capacity(inner.outlets.len());
            for (at, outlet) in inner.outlets.iter().enumerate() {
                let (under_way, in_jobs) = inner.runs.under_way(run, at);
                // What a job holds takes up no room here; only the end of the run waits for it.
                let counted = if most > 0 { under_way.saturating_sub(in_jobs) } else { under_way };
                if (under_way, in_jobs) != last[at].0 {
                    last[at] = ((under_way, in_jobs), tokio::time::Instant::now());
                }
                let patience = if in_jobs > 0 { inner.job_patience.max(inner.patience) } else { inner.patience };
                stands.push(if counted <= most {
                    Stand::Room
                } else if inner.runs.why_stopped(at).is_some() {
                    Stand::Out
                } else if last[at].1.elapsed() > patience {
                    let why = match in_jobs {
                        0 => "nothing could be delivered for longer than retries take; it stays in the outbox",
                        _ => "jobs at the destination have not ended; they are followed in the background and by the next process",
                    };
                    inner.runs.give_up(run, at, why);
                    Stand::Out
                } else {
                    self.ensure_worker(at);
                    match outlet.delivery.is_down() {
                        true => Stand::Down,
                        false => Stand::Full { far: counted > most.saturating_mul(FAR) },
                    }
                });
            }
            let any = |wanted: fn(&Stand) -> bool| stands.iter().any(wanted);
            let busy = any(|stand| matches!(stand, Stand::Full { .. } | Stand::Down));
            let wait = match most {
                0 => busy,
                _ => any(|stand| matches!(stand, Stand::Full { far: true })) || (busy && !any(|stand| matches!(stand, Stand::Room))),
            };
            if !wait {
                return any(|stand| matches!(stand, Stand::Room));
            }
            inner.runs.some_settled(LOOK_AGAIN).await;
        }
    }

    /// Waits until nothing waits for any destination any more, or only for jobs there that do not end. `options` is
    /// [`FlushOptions`]; the answer is [`Flushed`].
    ///
    /// # Errors
    /// `state_*`, `closed`.
    pub async fn flush(&self, options: Bytes) -> Result<Vec<u8>> {
        self.alive()?;
        let options: FlushOptions = parse(&options)?;
        let limit = options.timeout_s.map(|timeout| seconds(timeout, "/timeout_s")).transpose()?;
        (0..self.inner.outlets.len()).for_each(|at| self.inner.runs.resumed(at));
        let idle = async {
            let mut last: Vec<(FlushedAt, tokio::time::Instant)> = Vec::new();
            loop {
                self.alive()?;
                let stands = self.stands().await?;
                last.resize_with(stands.len(), || (FlushedAt::default(), tokio::time::Instant::now()));
                let mut over = true;
                for (at, (stand, last)) in stands.iter().zip(&mut last).enumerate() {
                    if *stand != last.0 {
                        *last = (stand.clone(), tokio::time::Instant::now());
                    }
                    let only_jobs = stand.waiting == stand.in_jobs && last.1.elapsed() > self.inner.job_patience;
                    if stand.waiting > 0 && stand.stopped.is_none() && !only_jobs {
                        over = false;
                        self.ensure_worker(at);
                    }
                }
                // What was only named may be on its way from the shop.
                if over && !self.is_fetching() {
                    return Ok::<_, crate::error::Error>(stands);
                }
                self.inner.runs.some_settled(LOOK_AGAIN).await;
            }
        };
        let stands = match limit {
            None => idle.await?,
            Some(limit) => match tokio::time::timeout(limit, idle).await {
                Ok(stands) => stands?,
                Err(_) => self.stands().await?,
            },
        };
        let named: Vec<_> = self.inner.outlets.iter().map(|outlet| outlet.name.clone()).zip(stands).collect();
        let stops = named.iter().filter_map(|(name, stand)| Some((name, stand.stopped.as_deref()?)));
        let flushed = Flushed {
            waiting: named.iter().map(|(_, stand)| stand.waiting).sum(),
            in_jobs: named.iter().map(|(_, stand)| stand.in_jobs).sum(),
            stopped: overall(stops, named.len()),
            unread: self.unread(0).await?.0,
            destinations: named.iter().cloned().collect(),
        };
        json(&flushed, 128)
    }

    /// How each destination stands.
    pub(super) async fn stands(&self) -> Result<Vec<FlushedAt>> {
        let inner = self.inner.clone();
        blocking(move || {
            let stand = |(at, outlet): (usize, &Outlet)| {
                Ok(FlushedAt {
                    waiting: inner.store.waiting(&outlet.name)?,
                    in_jobs: inner.store.in_jobs(&outlet.name)?,
                    stopped: inner.runs.why_stopped(at),
                })
            };
            inner.outlets.iter().enumerate().map(stand).collect()
        })
        .await
    }

    /// Whether the destinations take the credentials, without side effects: [`CheckReport`].
    ///
    /// # Errors
    /// `closed`.
    pub async fn check(&self) -> Result<Vec<u8>> {
        self.alive()?;
        let mut asked = tokio::task::JoinSet::new();
        for at in 0..self.inner.outlets.len() {
            let inner = self.inner.clone();
            asked.spawn(async move { (at, ask(&inner, at).await) });
        }
        let mut answers: Vec<(usize, DestinationCheck)> = asked.join_all().await;
        answers.sort_by_key(|(at, _)| *at);
        let named: Vec<_> =
            answers.into_iter().filter_map(|(at, answer)| Some((self.inner.outlets.get(at)?.name.clone(), answer))).collect();
        let first = named.iter().find(|(_, answer)| !answer.ok).or(named.first());
        let all = |text: fn(&DestinationCheck) -> &str| overall(named.iter().map(|(name, answer)| (name, text(answer))), named.len());
        let report = CheckReport {
            ok: named.iter().all(|(_, answer)| answer.ok),
            status: first.map_or(0, |(_, answer)| answer.status),
            message: all(|answer| &answer.message).unwrap_or_default(),
            backfill_notice: all(|answer| &answer.backfill_notice).unwrap_or_default(),
            destinations: named.into_iter().collect(),
        };
        json(&report, 512)
    }
}

/// Asks one destination whether it takes the credentials.
async fn ask(inner: &Inner, at: usize) -> DestinationCheck {
    let Some(outlet) = inner.outlets.get(at) else { return DestinationCheck::default() };
    let destination = &outlet.destination;
    let request = destination.check();
    let answer = inner.transport.send(destination.base_url_of(&request), &request);
    let (ok, status, message) = match tokio::time::timeout(inner.request_timeout, answer).await {
        Ok(Ok(reply)) => (destination.is_working(&reply), reply.status, destination.read_check(&reply)),
        Ok(Err(failure)) => (false, 0, failure.to_string()),
        Err(_) => (false, 0, "no answer in time".to_owned()),
    };
    DestinationCheck { ok, status, message, backfill_notice: destination.backfill_notice().to_owned() }
}

/// What a worker does.
async fn send(inner: Arc<Inner>, at: usize) {
    let Some(outlet) = inner.outlets.get(at) else { return };
    loop {
        let background = outlet.background.load(Ordering::SeqCst);
        let ended = match background {
            true => outlet.delivery.run(&inner.stop).await,
            false => outlet.delivery.drain(&inner.stop).await.map(drop),
        };
        // Under the lock, so that whoever accepts now either sees this worker gone or is seen by it.
        let mut worker = lock(&outlet.worker);
        if let Err(error) = &ended {
            tracing::error!(destination = outlet.name, code = error.code().name(), "delivery stopped: {error}");
            outlet.background.store(false, Ordering::SeqCst);
            inner.runs.stopped(at, &error.to_string());
        } else if !background && outlet.background.load(Ordering::SeqCst) && !inner.stop.is_stopped() {
            continue;
        }
        *worker = None;
        return;
    }
}
