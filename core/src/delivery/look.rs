//! Reading back: what the destination holds, asked for at the pace that sending goes by, under the same budgets. Writes
//! nothing, neither there nor in the state.

use std::sync::Arc;
use std::time::Duration;

use super::attempt::{PERMIT_POLL, Permit, whole};
use super::rate_limit::{Turn, rest_asked_by};
use super::redact::redact;
use super::retry::{History, Next, Setback, retry_after};
use super::{Delivery, Inner, Stop, TransportFailure};
use crate::destinations::{Endpoint, Held, Operation, Refusal, Reply, Request, RetrySafety};
use crate::error::{Error, ErrorCode, ErrorGroup, Result};

/// What came of one read.
#[derive(Debug)]
pub struct Looked {
    /// What is held of each operation, in their order, or why that could not be learnt. Never [`Held::Later`].
    pub held: Vec<Result<Held>>,
    /// Times the destination was asked.
    pub requests: u32,
}

/// What one answer left open.
struct Open {
    refusal: Refusal,
    asked: Option<Duration>,
}

impl Delivery {
    /// Asks the destination what it holds of what some operations wrote that are shown by one read, `request`: see
    /// [`Destination::read_back`](crate::destinations::Destination::read_back).
    ///
    /// Spends of the budgets that sending spends of, rests when it is told to, and tries again as sending does. An operation
    /// about which nothing could be learnt has the error that says why: `unauthorized` and the like when the credentials do
    /// not allow it, `network`, `timeout`, `unavailable` or `rate_limited` when it was tried often enough, `cancelled` when
    /// `stop` was stopped, and `internal` for a request that the capability table does not call a read: that one is not
    /// sent.
    pub async fn look(&self, request: &Request, operations: &[&Operation], stop: &Stop) -> Looked {
        let mut held: Vec<Option<Result<Held>>> = operations.iter().map(|_| None).collect();
        let mut requests = 0;
        let end = self.ask_until_told(request, operations, stop, &mut held, &mut requests).await;
        let unknown = |end: &Error| Err(Error::new(end.code(), end.message()));
        let held = held.into_iter().map(|held| held.unwrap_or_else(|| unknown(&end))).collect();
        Looked { held, requests }
    }

    /// Asks until every operation has its answer; what it ends with counts for those that have none.
    async fn ask_until_told(
        &self,
        request: &Request,
        operations: &[&Operation],
        stop: &Stop,
        held: &mut [Option<Result<Held>>],
        requests: &mut u32,
    ) -> Error {
        let inner = &self.inner;
        let reads = |endpoint: &&Endpoint| endpoint.retry_safe_by == RetrySafety::ReadOnly;
        let Some(endpoint) = inner.destination.capabilities().endpoint(&request.endpoint).filter(reads) else {
            return Error::new(ErrorCode::Internal, "what reads back must be a read in the capability table");
        };
        let mut history = History::default();
        loop {
            let permit = match turn(inner, endpoint, stop).await {
                Ok(permit) => permit,
                Err(error) => return error,
            };
            let begun = tokio::time::Instant::now();
            let sending = inner.transport.send(inner.destination.base_url_of(request), request);
            let outcome = tokio::time::timeout(inner.settings.request_timeout, sending).await;
            let took = begun.elapsed();
            drop(permit);
            let outcome = outcome.unwrap_or(Err(TransportFailure::Timeout)).and_then(whole);
            *requests += 1;
            tracing::debug!(
                destination = &*inner.name,
                endpoint = %request.endpoint,
                status = outcome.as_ref().map_or(0, |reply| reply.status),
                operations = operations.len(),
                elapsed_ms = took.as_millis(),
                correlation_id = operations.first().map(|operation| operation.correlation_id.as_str()),
                "read back"
            );
            let chance = inner.chance();
            let open = match outcome {
                Ok(reply) => match compare(inner, endpoint.id, operations, &reply, held, chance) {
                    Some(open) => open,
                    None => return Error::new(ErrorCode::Internal, "every operation was told of"),
                },
                Err(failure) => {
                    let message = redact(failure.to_string().as_bytes(), &[]);
                    let (now, policy) = (inner.moment(), &inner.settings.retry);
                    match failure {
                        TransportFailure::Misconfigured(_) | TransportFailure::Malformed(_) => return Error::new(failure.code(), message),
                        TransportFailure::BeforeSending(_) => inner.limits().gate.unreachable(now, policy, chance),
                        _ => inner.limits().gate.failed(now, failure.code(), policy, chance),
                    };
                    Open { refusal: Refusal::new(failure.code(), "", message), asked: None }
                }
            };
            let throttled = open.refusal.code.0 == ErrorCode::RateLimited;
            let setback = Setback { throttled, retry_after: open.asked, took };
            let Next::After(wait) = inner.settings.retry.next(&mut history, setback, chance) else {
                return Error::new(open.refusal.code.0, open.refusal.message);
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop.stopped() => return stopped(),
            }
        }
    }
}

fn stopped() -> Error {
    Error::new(ErrorCode::Cancelled, "it was stopped before the destination was asked")
}

/// Waits for the endpoint's turn. While the destination is down nobody is asked before it may be back, and nobody any more
/// when it has been down for longer than retries take.
async fn turn(inner: &Arc<Inner>, endpoint: &'static Endpoint, stop: &Stop) -> Result<Permit> {
    loop {
        if stop.is_stopped() {
            return Err(stopped());
        }
        let now = inner.moment();
        let gate = {
            let limits = inner.limits();
            if let Some((since, code)) = limits.gate.down()
                && now.saturating_sub(since) > inner.settings.retry.max_elapsed
            {
                return Err(Error::new(code, "the destination is down"));
            }
            limits.gate.turn(now, 0)
        };
        let turn = match gate {
            Turn::Now => match Permit::try_new(inner, endpoint.id) {
                Ok(permit) => return Ok(permit),
                Err(turn) => turn,
            },
            other => other,
        };
        let at = if let Turn::At(at) = turn { at } else { now + PERMIT_POLL };
        tokio::select! {
            () = tokio::time::sleep_until(inner.epoch + at) => {}
            () = stop.stopped() => {}
        }
    }
}

/// Holds the answer against every operation that has none yet; `Some` when it must be asked again for some of them.
fn compare(
    inner: &Inner,
    id: &str,
    operations: &[&Operation],
    reply: &Reply,
    held: &mut [Option<Result<Held>>],
    chance: f64,
) -> Option<Open> {
    let policy = &inner.settings.retry;
    let mut open = None;
    for (operation, place) in operations.iter().zip(held).filter(|(_, place)| place.is_none()) {
        match inner.destination.compare(operation, reply) {
            Ok(Held::Later(refusal, asked)) => open = Some(Open { refusal, asked }),
            Err(error) if error.code().group() == ErrorGroup::Transient => {
                open = Some(Open { refusal: Refusal::new(error.code(), "", error.message()), asked: error.retry_after() });
            }
            told => *place = Some(told),
        }
    }
    let asked = |after: Option<Duration>| after.or_else(|| retry_after(reply.header("retry-after")?, inner.clock.now()));
    if let Some(rest) = rest_asked_by(reply, inner.clock.now(), policy.max_retry_after) {
        inner.with_pace(id, |pace, now| pace.rest(now, rest));
    }
    let Some(open) = open else {
        inner.limits().gate.opened();
        return None;
    };
    let open = Open { asked: asked(open.asked), ..open };
    if open.refusal.code.0 == ErrorCode::RateLimited {
        inner.limits().gate.opened();
        let rest = open.asked.map_or(policy.throttle_floor, |asked| asked.min(policy.max_retry_after).max(policy.throttle_floor));
        inner.with_pace(id, |pace, now| pace.throttle(now, rest));
    } else {
        let now = inner.moment();
        inner.limits().gate.failed(now, open.refusal.code.0, policy, chance);
    }
    Some(open)
}
