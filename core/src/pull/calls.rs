//! One call at a time, with everything that makes it succeed: token, pace, patience.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant as Tick;

use crate::delivery::rate_limit::{OwnPace, Turn, rest_asked_by};
use crate::delivery::retry::{History, Next, Setback, retry_after};
use crate::delivery::{Clock, RetryPolicy, Transport, TransportFailure};
use crate::error::{Error, ErrorCode, Result};
use crate::http::{Reply, Request, Secret};
use crate::model::Instant;
use crate::sources::Source;
use crate::sources::pull::{Pull, PullFailure};

/// How patient the client is.
#[derive(Clone, Copy, Debug)]
pub struct PullSettings {
    /// How failures are retried.
    pub retry: RetryPolicy,
    /// After this long a request counts as unanswered; a page of 16 MB over a slow line takes its time.
    pub request_timeout: Duration,
    /// Whether the rate of the source's table is kept.
    pub rate_limits: bool,
}

impl Default for PullSettings {
    fn default() -> Self {
        PullSettings { retry: RetryPolicy::default(), request_timeout: Duration::from_secs(60), rate_limits: true }
    }
}

/// What was asked of the shop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Requests sent, token calls and repetitions included.
    pub requests: u64,
    /// Requests that were sent again.
    pub retries: u64,
}

/// Sends requests to a shop.
#[derive(Clone)]
pub struct Caller(Arc<Inner>);

struct Inner {
    source: Arc<dyn Source>,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    settings: PullSettings,
    pace: Mutex<OwnPace>,
    ended: Notify,
    token: tokio::sync::Mutex<Option<Token>>,
    requests: AtomicU64,
    retries: AtomicU64,
    random: Mutex<fastrand::Rng>,
    epoch: Tick,
}

#[derive(Clone)]
struct Token {
    header: &'static str,
    value: Secret,
    ends: Option<Tick>,
}

/// A reply with the correlation id of its call.
pub(super) struct Answer {
    pub reply: Reply,
    pub correlation_id: Option<String>,
}

/// Why a call has no answer.
pub(super) enum Fault {
    /// The answer would be too large.
    Smaller(Error),
    Failed(Error),
}

impl Fault {
    pub fn into_error(self) -> Error {
        match self {
            Fault::Smaller(error) | Fault::Failed(error) => error,
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Fault::Failed(error)
    }
}

/// How one sending ended badly.
struct Bad {
    error: Error,
    throttled: bool,
    retry_after: Option<Duration>,
    /// Whether fewer rows would help.
    too_large: bool,
}

/// One of the calls under way; ends with it.
struct Permit<'a>(&'a Inner);

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.pace().pace().end();
        self.0.ended.notify_waiters();
    }
}

impl Inner {
    fn pace(&self) -> MutexGuard<'_, OwnPace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn chance(&self) -> f64 {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).f64()
    }

    async fn turn(&self) -> Permit<'_> {
        loop {
            let now = self.epoch.elapsed();
            let ended = self.ended.notified();
            let turn = {
                let mut own = self.pace();
                let mut pace = own.pace();
                let turn = pace.turn(now);
                if turn == Turn::Now {
                    pace.begin(now);
                }
                turn
            };
            match turn {
                Turn::Now => return Permit(self),
                Turn::At(at) => tokio::time::sleep(at.saturating_sub(now)).await,
                // The pace recovers with time, too.
                Turn::WhenOneEnds => drop(tokio::time::timeout(Duration::from_millis(50), ended).await),
            }
        }
    }
}

impl Caller {
    pub(super) fn new(
        source: Arc<dyn Source>,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        settings: PullSettings,
    ) -> Result<Self> {
        let facts = source.pull()?.facts();
        let interval = facts.rate.filter(|rate| settings.rate_limits && rate.count > 0);
        let interval = interval.map_or(Duration::ZERO, |rate| Duration::from_secs(rate.per_s.into()) / rate.count);
        Ok(Caller(Arc::new(Inner {
            source,
            transport,
            clock,
            settings,
            pace: Mutex::new(OwnPace::new(interval, facts.concurrency)),
            ended: Notify::new(),
            token: tokio::sync::Mutex::new(None),
            requests: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            random: Mutex::new(fastrand::Rng::new()),
            epoch: Tick::now(),
        })))
    }

    pub(super) fn source(&self) -> &dyn Source {
        &*self.0.source
    }

    pub(super) fn now(&self) -> Instant {
        self.0.clock.now()
    }

    pub(super) fn asked(&self) -> Asked {
        Asked { requests: self.0.requests.load(Ordering::Relaxed), retries: self.0.retries.load(Ordering::Relaxed) }
    }

    /// Sends until there is an answer to go on with.
    pub(super) async fn ask(&self, request: Request) -> Result<Answer, Fault> {
        self.ask_and_read(request, |_, _| Ok(())).await.map(|((), answer)| answer)
    }

    /// Sends until there is an answer that can be read; a body that makes no sense is asked for again like one that was
    /// cut off.
    pub(super) async fn ask_and_read<T, R>(&self, mut request: Request, read: R) -> Result<(T, Answer), Fault>
    where
        T: Send + 'static,
        R: Fn(&dyn Pull, &Reply) -> Result<T, PullFailure> + Send + Sync + 'static,
    {
        let read = Arc::new(read);
        let mut history = History::default();
        let mut renewed = false;
        let bare = request.secret_headers.len();
        loop {
            let token = self.token().await?;
            request.secret_headers.truncate(bare);
            if let Some(token) = &token {
                request.secret_headers.push((token.header, token.value.clone()));
            }
            let began = Tick::now();
            let bad = match self.send(&mut request).await {
                Err(bad) if bad.too_large => return Err(Fault::Smaller(bad.error)),
                Err(bad) => bad,
                Ok(answer) => match self.read(answer, read.clone()).await? {
                    Ok(done) => return Ok(done),
                    Err((answer, PullFailure::Retry { error, throttled })) => {
                        let retry_after = answer.header("retry-after").and_then(|header| retry_after(header, self.now()));
                        Bad { error, throttled, retry_after, too_large: false }
                    }
                    Err((_, PullFailure::Reauthorize(_))) if token.is_some() && !renewed => {
                        renewed = true;
                        self.forget(token.as_ref()).await;
                        continue;
                    }
                    Err((_, PullFailure::Smaller(error))) => return Err(Fault::Smaller(error)),
                    Err((_, PullFailure::Reauthorize(error) | PullFailure::Stop(error))) => return Err(error.into()),
                },
            };
            self.wait(&mut history, bad, began.elapsed()).await?;
        }
    }

    /// Judges and reads off the event loop: a page can be large.
    #[allow(clippy::type_complexity)]
    async fn read<T, R>(&self, answer: Answer, read: Arc<R>) -> Result<Result<(T, Answer), (Reply, PullFailure)>>
    where
        T: Send + 'static,
        R: Fn(&dyn Pull, &Reply) -> Result<T, PullFailure> + Send + Sync + 'static,
    {
        let source = self.0.source.clone();
        let done = tokio::task::spawn_blocking(move || {
            let shop = source.pull()?;
            let read = shop.judge(&answer.reply).and_then(|()| read(shop, &answer.reply));
            Ok(match read {
                Ok(read) => Ok((read, answer)),
                Err(failure) => Err((answer.reply, failure)),
            })
        });
        done.await.unwrap_or_else(|error| Err(super::died(error)))
    }

    /// One sending.
    async fn send(&self, request: &mut Request) -> Result<Answer, Bad> {
        let inner = &*self.0;
        let broken = |error: Error| Bad { error, throttled: false, retry_after: None, too_large: false };
        let shop = inner.source.pull().map_err(broken)?;
        let name = shop.facts().correlation_header;
        let ours = uuid::Uuid::new_v4().to_string();
        if let Some(name) = name {
            request.headers.retain(|(header, _)| *header != name);
            request.headers.push((name, ours.clone()));
        }
        let _permit = inner.turn().await;
        inner.requests.fetch_add(1, Ordering::Relaxed);
        let sending = inner.transport.send(shop.base_url(request), request);
        let reply = match tokio::time::timeout(inner.settings.request_timeout, sending).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(failure @ TransportFailure::TooLarge)) => {
                return Err(Bad { too_large: true, ..broken(Error::new(failure.code(), failure.to_string())) });
            }
            Ok(Err(failure)) => return Err(broken(Error::new(failure.code(), failure.to_string()))),
            Err(_) => return Err(broken(Error::new(ErrorCode::Timeout, "the shop gave no answer in time"))),
        };
        let rest = shop.rest_after(&reply).or_else(|| rest_asked_by(&reply, self.now(), inner.settings.retry.max_retry_after));
        if let Some(rest) = rest {
            let now = inner.epoch.elapsed();
            inner.pace().pace().rest(now, rest.min(inner.settings.retry.max_retry_after));
        }
        let correlation_id = name.map(|name| reply.header(name).map_or(ours, str::to_owned));
        Ok(Answer { reply, correlation_id })
    }

    /// Waits before the next try, or gives up. What cannot get better is not tried again.
    async fn wait(&self, history: &mut History, bad: Bad, took: Duration) -> Result<(), Fault> {
        let inner = &*self.0;
        if matches!(bad.error.code(), ErrorCode::InvalidConfig | ErrorCode::Internal) {
            return Err(bad.error.into());
        }
        let setback = Setback { throttled: bad.throttled, retry_after: bad.retry_after, took };
        let Next::After(after) = inner.settings.retry.next(history, setback, inner.chance()) else { return Err(bad.error.into()) };
        if bad.throttled {
            let now = inner.epoch.elapsed();
            inner.pace().pace().throttle(now, bad.retry_after.unwrap_or_default().min(inner.settings.retry.max_retry_after));
        }
        inner.retries.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(code = bad.error.code().name(), wait_ms = after.as_millis() as u64, "asking the shop again: {}", bad.error);
        tokio::time::sleep(after).await;
        Ok(())
    }

    /// The token to send, fetched when there is none or its end is near. Whoever needs one meanwhile waits for the same.
    async fn token(&self) -> Result<Option<Token>, Fault> {
        let inner = &*self.0;
        let Some(request) = inner.source.pull()?.authorization() else { return Ok(None) };
        let mut kept = inner.token.lock().await;
        if let Some(token) = kept.as_ref().filter(|token| token.ends.is_none_or(|ends| Tick::now() < ends)) {
            return Ok(Some(token.clone()));
        }
        let mut history = History::default();
        loop {
            let began = Tick::now();
            let bad = match self.send(&mut request.clone()).await {
                Err(bad) => bad,
                Ok(answer) => {
                    let shop = inner.source.pull()?;
                    match shop.read_authorization(&answer.reply) {
                        Ok(authorization) => {
                            let early = Duration::from_secs(shop.facts().token_early_s.into());
                            // A token shorter than twice that is used for half its life.
                            let usable = authorization.expires_in.map(|life| life.saturating_sub(early).max(life / 2));
                            let token = Token {
                                header: authorization.header,
                                value: authorization.value,
                                ends: usable.map(|usable| began + usable),
                            };
                            *kept = Some(token.clone());
                            return Ok(Some(token));
                        }
                        Err(PullFailure::Retry { error, throttled }) => {
                            let header = answer.reply.header("retry-after");
                            let retry_after = header.and_then(|header| retry_after(header, self.now()));
                            Bad { error, throttled, retry_after, too_large: false }
                        }
                        Err(other) => return Err(other.into_error().into()),
                    }
                }
            };
            self.wait(&mut history, bad, began.elapsed()).await?;
        }
    }

    /// Forgets a token that was refused, unless somebody has renewed it already.
    async fn forget(&self, refused: Option<&Token>) {
        let mut kept = self.0.token.lock().await;
        if kept.as_ref().map(|token| &token.value) == refused.map(|token| &token.value) {
            *kept = None;
        }
    }
}
