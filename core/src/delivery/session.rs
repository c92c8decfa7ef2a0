//! The loop: claim, let go what may go, take back what comes, until there is nothing to do or it must stop.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::attempt::{self, Attempt, Finished, LONGEST_BETWEEN, PERMIT_POLL, Permit, Step};
use super::lanes::{Bucket, Entry, Lanes, Moment};
use super::rate_limit::Turn;
use super::retry::History;
use super::{DeliveryEvent, Drained, Inner, Stop};
use crate::destinations::{Destination, Endpoint, Operation, Refusal, Request};
use crate::error::{Error, ErrorCode, Result};
use crate::model::Instant;
use crate::pipeline::batch::{Prefix, pack_prefix, unknown_endpoint};
use crate::state::{Claim, Waiting};

/// When a session ends of itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// When nothing waits any more.
    Empty,
    /// Only when it is stopped.
    Stopped,
}

/// How often the store is asked for what other processes accepted or gave up.
const POLL: Duration = Duration::from_secs(5);

/// Most operations held of one lane.
const LANE_SHARE: u32 = 128;

/// So many times what is claimed to be sent may be held for jobs at the destination, which end when they like.
const JOB_SHARE: usize = 8;

/// Longest sleep without any reason to wake.
const IDLE: Duration = Duration::from_secs(60);

pub(super) async fn run(inner: &Arc<Inner>, owner: String, stop: &Stop, until: Until) -> Result<Drained> {
    let now = inner.moment();
    let mut session = Session {
        inner,
        stop,
        until,
        woken: inner.woken.subscribe(),
        owner,
        lanes: Lanes::default(),
        tasks: JoinSet::new(),
        begun: now,
        fatal: None,
        exhausted: false,
        ask_at: now,
        lease: None,
        elsewhere: None,
        tally: Drained::default(),
    };
    let outcome = session.work().await;
    let Session { owner, mut tally, fatal, .. } = session;
    let released = inner.store(move |store| store.release(&owner)).await;
    if let Some(error) = fatal.or(outcome.err()) {
        tracing::warn!(destination = &*inner.name, code = error.code().name(), "delivery stopped");
        inner.observer.event(&DeliveryEvent::Stopped { code: error.code() });
        return Err(error.during("deliver"));
    }
    released?;
    let name = inner.name.clone();
    (tally.left, tally.in_jobs) = inner.store(move |store| Ok((store.waiting(&name)?, store.in_jobs(&name)?))).await?;
    tally.stopped = stop.is_stopped();
    Ok(tally)
}

struct Session<'a> {
    inner: &'a Arc<Inner>,
    stop: &'a Stop,
    until: Until,
    woken: watch::Receiver<()>,
    owner: String,
    lanes: Lanes,
    tasks: JoinSet<Finished>,
    begun: Moment,
    fatal: Option<Error>,
    /// Whether the last claim found less than there was room for.
    exhausted: bool,
    /// When to claim again although the last claim found nothing.
    ask_at: Moment,
    lease: Option<Lease>,
    /// Since when nothing but other workers' operations waits, and how many.
    elsewhere: Option<(Moment, u64)>,
    tally: Drained,
}

#[derive(Clone, Copy)]
struct Lease {
    renew: Moment,
    end: Moment,
    end_wall: Instant,
}

impl Session<'_> {
    async fn work(&mut self) -> Result<()> {
        loop {
            let stopping = self.fatal.is_some() || self.stop.is_stopped();
            if stopping && self.tasks.is_empty() {
                return Ok(());
            }
            let mut wake_at = self.inner.moment() + IDLE;
            if !stopping {
                if let Err(error) = self.refill().await {
                    self.fatal = Some(error);
                    continue;
                }
                let more = self.dispatch();
                wake_at = self.next_wake(more);
                if self.tasks.is_empty() && self.lanes.held() == 0 && self.until == Until::Empty && self.is_done().await? {
                    return Ok(());
                }
            }
            let sleep_until = self.inner.epoch + wake_at;
            let stop = self.stop;
            tokio::select! {
                Some(finished) = self.tasks.join_next(), if !self.tasks.is_empty() => match finished {
                    Ok(finished) => self.take_back(finished),
                    Err(error) => self.fatal = Some(Error::new(ErrorCode::Internal, "a delivery task ended abnormally").because(error)),
                },
                () = stop.stopped(), if !stopping => {}
                Ok(()) = self.woken.changed(), if !stopping => self.exhausted = false,
                () = tokio::time::sleep_until(sleep_until), if !stopping => {}
            }
            self.give_up_on_outage();
        }
    }

    /// Claims when there is room and hope, and renews the lease.
    async fn refill(&mut self) -> Result<()> {
        let now = self.inner.moment();
        if self.lease_is_lost(now) {
            // Others may hold these by now: forget them, and claim anew once what is under way has ended.
            if !self.tasks.is_empty() {
                return Ok(());
            }
            tracing::warn!(destination = &*self.inner.name, "lease ended before it was renewed");
            let owner = self.owner.clone();
            self.inner.store(move |store| store.release(&owner)).await?;
            self.lanes.clear();
            self.lease = None;
            self.exhausted = false;
        }
        let limit = self.inner.settings.claim as usize;
        // What only waits for a job to end leaves its room to others, within reason.
        let (held, in_jobs) = (self.lanes.held(), self.lanes.in_jobs());
        let room = limit.saturating_sub(held - in_jobs).min((limit * (1 + JOB_SHARE)).saturating_sub(held));
        let worth = room >= limit.div_ceil(4) || !self.lanes.has_ready();
        let wanted = room > 0 && worth && (!self.exhausted || now >= self.ask_at);
        let renewal = self.lease.is_some_and(|lease| now >= lease.renew);
        if wanted || renewal { self.claim(room).await } else { Ok(()) }
    }

    async fn claim(&mut self, room: usize) -> Result<()> {
        let inner = self.inner;
        let (now, wall) = (inner.moment(), inner.clock.now());
        let (owner, name, lease) = (self.owner.clone(), inner.name.clone(), inner.settings.lease);
        let limit = u32::try_from(room).unwrap_or(u32::MAX);
        // A lane goes one by one: a few are enough to keep it going, and the less of it is held the more others fit in.
        let per_lane = (inner.settings.claim / 16).clamp(1, LANE_SHARE);
        let claimed =
            inner.store(move |store| store.claim(&name, &Claim { owner: &owner, now: wall, until: wall + lease, limit, per_lane })).await?;
        // Stores save themselves the writing while half of a lease is left, so half is what one can count on.
        self.lease = Some(Lease { renew: now + lease / 4, end: now + lease / 2, end_wall: wall + lease / 2 });
        self.exhausted = claimed.len() < room;
        self.ask_at = now + POLL.min(lease / 3);
        if !claimed.is_empty() {
            self.elsewhere = None;
        }
        for waiting in claimed {
            let entry = self.entry(waiting, now, wall);
            self.lanes.add(entry);
        }
        Ok(())
    }

    fn entry(&self, waiting: Waiting, now: Moment, wall: Instant) -> Entry {
        let wait = (waiting.due_at - wall).to_std().unwrap_or_default();
        let longest = if waiting.job.is_some() { LONGEST_BETWEEN } else { self.inner.settings.retry.longest_wait() };
        Entry {
            // A due time far away was written under a clock that has jumped since.
            due: now + wait.min(longest),
            history: History { attempts: waiting.attempts, ..History::default() },
            part: 0,
            alone: self.inner.destination.prefetch(&waiting.operation).is_some(),
            waiting,
        }
    }

    fn lease_is_lost(&self, now: Moment) -> bool {
        // The monotonic clock stands still while a machine sleeps, the wall clock does not.
        self.lease.is_some_and(|lease| self.lanes.held() > 0 && (now >= lease.end || self.inner.clock.now() >= lease.end_wall))
    }

    /// Lets go whatever may go now. Returns when more may.
    fn dispatch(&mut self) -> Option<Moment> {
        let mut next = None;
        let now = self.inner.moment();
        self.lanes.advance(now);
        if self.lease_is_lost(now) {
            return next;
        }
        while self.tasks.len() < usize::from(self.inner.settings.max_in_flight).max(1) {
            let now = self.inner.moment();
            self.lanes.advance(now);
            let gate = self.inner.limits().gate.turn(now, self.tasks.len());
            if gate != Turn::Now {
                return self.earlier(next, gate, now);
            }
            next = None;
            let mut chosen = None;
            for bucket in self.lanes.buckets() {
                let (prefetch, turn) = self.turn(&bucket, now);
                if turn == Turn::Now {
                    chosen = Some((bucket, prefetch));
                    break;
                }
                next = self.earlier(next, turn, now);
            }
            let Some((bucket, prefetch)) = chosen else { return next };
            if let Some(attempt) = self.form(&bucket, prefetch, now) {
                self.tasks.spawn(attempt::run(self.inner.clone(), attempt));
            }
        }
        next
    }

    fn earlier(&self, next: Option<Moment>, turn: Turn, now: Moment) -> Option<Moment> {
        let at = match turn {
            Turn::Now => now,
            Turn::At(at) => at,
            Turn::WhenOneEnds if self.tasks.is_empty() => now + PERMIT_POLL,
            Turn::WhenOneEnds => return next,
        };
        Some(next.map_or(at, |next| next.min(at)))
    }

    /// Whether the endpoints a bucket needs let it go, and the read that goes first.
    fn turn(&self, bucket: &Bucket, now: Moment) -> (Option<Request>, Turn) {
        let destination = &*self.inner.destination;
        let prefetch = self
            .lanes
            .head(bucket)
            .filter(|_| bucket.alone && bucket.job.is_none())
            .and_then(|head| destination.prefetch(&head.waiting.operation));
        let table = destination.capabilities();
        let mut limits = self.inner.limits();
        let own = table.endpoint(&bucket.endpoint);
        let own = if bucket.job.is_some() { polled_by(destination, bucket) } else { own };
        let turns = own.into_iter().chain(prefetch.as_ref().and_then(|request| table.endpoint(&request.endpoint)));
        let turns = turns.map(|endpoint| limits.pace(endpoint, self.inner.settings.rate_limits).turn(now));
        let turn = turns.fold(Turn::Now, |all, one| match (all, one) {
            (Turn::Now, other) | (other, Turn::Now) => other,
            (Turn::At(a), Turn::At(b)) => Turn::At(a.max(b)),
            (Turn::At(at), Turn::WhenOneEnds) | (Turn::WhenOneEnds, Turn::At(at)) => Turn::At(at),
            (Turn::WhenOneEnds, Turn::WhenOneEnds) => Turn::WhenOneEnds,
        });
        drop(limits);
        (prefetch, turn)
    }

    /// Takes operations of a bucket and makes them a request. `None` when they were put back in halves.
    fn form(&mut self, bucket: &Bucket, prefetch: Option<Request>, now: Moment) -> Option<Attempt> {
        if let Some(job) = &bucket.job {
            return Some(self.form_poll(bucket, job, now));
        }
        let destination = &*self.inner.destination;
        let Some(endpoint) = destination.capabilities().endpoint(&bucket.endpoint) else {
            let entries = self.lanes.take(bucket, 1, false, now);
            let refusal = unknown_endpoint(&entries.first()?.waiting.operation);
            return Some(Attempt { entries, step: Step::Refuse(refusal), permits: Vec::new() });
        };
        let most = if endpoint.max_records == 0 { usize::MAX } else { endpoint.max_records as usize };
        let mut entries = self.lanes.take(bucket, most, endpoint.many_per_lane, now);
        if let Some(request) = prefetch {
            let reads = destination.capabilities().endpoint(&request.endpoint).filter(|reads| reads.id != endpoint.id);
            let permits = [Some(endpoint), reads].into_iter().flatten().map(|used| Permit::new(self.inner, used.id)).collect();
            return Some(Attempt { entries, step: Step::Prefetch(request), permits });
        }
        let operations: Vec<&Operation> = entries.iter().map(|entry| &entry.waiting.operation).collect();
        let (count, step) = match pack_prefix(destination, endpoint, &operations) {
            Ok(Prefix::Fits { count, request }) => (count, Step::Send(request)),
            Ok(Prefix::TooLarge(refusal)) => (1, Step::Refuse(refusal)),
            Err(_) if entries.len() > 1 => {
                self.lanes.put_back_halved(entries);
                return None;
            }
            Err(error) => (1, Step::Refuse(Refusal::new(error.code(), "", error.message()))),
        };
        for surplus in entries.split_off(count.min(entries.len())) {
            self.lanes.put_back(surplus);
        }
        let permits = if matches!(step, Step::Send(_)) { vec![Permit::new(self.inner, endpoint.id)] } else { Vec::new() };
        Some(Attempt { entries, step, permits })
    }

    /// Takes everything that a job holds and makes it one question.
    fn form_poll(&mut self, bucket: &Bucket, job: &str, now: Moment) -> Attempt {
        let destination = &*self.inner.destination;
        let entries = self.lanes.take(bucket, usize::MAX, true, now);
        let operations: Vec<&Operation> = entries.iter().map(|entry| &entry.waiting.operation).collect();
        match destination.poll(&operations, job) {
            Ok(request) => {
                // A step of a job may need another endpoint, whose turn is awaited when it comes to it.
                let asked = polled_by(destination, bucket).filter(|endpoint| endpoint.id == request.endpoint);
                let permits = asked.map(|endpoint| Permit::new(self.inner, endpoint.id));
                Attempt { entries, step: Step::Poll(request), permits: permits.into_iter().collect() }
            }
            Err(error) => {
                let step = Step::Lose(Refusal::new(ErrorCode::JobLost, "", error.message()));
                Attempt { entries, step, permits: Vec::new() }
            }
        }
    }

    fn take_back(&mut self, finished: Finished) {
        for lane in &finished.ended {
            self.lanes.end(lane);
        }
        for entry in finished.back {
            self.lanes.put_back(entry);
        }
        if !finished.halves.is_empty() {
            self.lanes.put_back_halved(finished.halves);
        }
        let tally = finished.tally;
        self.tally.delivered += tally.delivered;
        self.tally.skipped += tally.skipped;
        self.tally.dead_lettered += tally.dead_lettered;
        self.tally.retried += tally.retried;
        self.tally.requests += tally.requests;
        if !finished.ended.is_empty() && !self.lanes.has_ready() {
            // A lane may have had more than its share of the claim; the rest of it can follow now.
            self.exhausted = false;
        }
        self.fatal = self.fatal.take().or(finished.stop);
    }

    /// A drain does not sit out an outage: whoever called it decides.
    fn give_up_on_outage(&mut self) {
        if self.until == Until::Stopped || self.fatal.is_some() {
            return;
        }
        let Some((since, code)) = self.inner.limits().gate.down() else { return };
        if self.inner.moment().saturating_sub(since.max(self.begun)) >= self.inner.settings.retry.max_elapsed {
            self.fatal = Some(Error::new(code, "the destination has been down for too long; what waits stays in the outbox"));
        }
    }

    fn next_wake(&self, dispatch: Option<Moment>) -> Moment {
        let now = self.inner.moment();
        let renew = self.lease.filter(|_| self.lanes.held() > 0 && !self.lease_is_lost(now)).map(|lease| lease.renew);
        // One that has passed already waits for room, which only a finished request brings.
        let ask = Some(self.ask_at).filter(|at| *at > now);
        [dispatch, self.lanes.next_due(), renew, ask].into_iter().flatten().min().unwrap_or(now + IDLE)
    }

    /// With nothing held and nothing to claim: whether to end, or to wait for what others hold.
    async fn is_done(&mut self) -> Result<bool> {
        let name = self.inner.name.clone();
        let waiting = self.inner.store(move |store| store.waiting(&name)).await?;
        if waiting == 0 {
            return Ok(true);
        }
        let now = self.inner.moment();
        match self.elsewhere {
            Some((since, before)) if before == waiting => Ok(now.saturating_sub(since) > self.inner.settings.lease + POLL),
            _ => {
                self.elsewhere = Some((now, waiting));
                Ok(false)
            }
        }
    }
}

/// The endpoint that tells about a bucket's job.
fn polled_by(destination: &dyn Destination, bucket: &Bucket) -> Option<&'static Endpoint> {
    let table = destination.capabilities();
    table.endpoint(table.endpoint(&bucket.endpoint)?.job?.poll)
}
