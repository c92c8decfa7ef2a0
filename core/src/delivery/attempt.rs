//! One request's life: send, read, judge, settle. Runs as its own task and always ends with every operation either
//! settled or given back.

mod detour;

use std::sync::Arc;
use std::time::Duration;

use super::lanes::{Entry, Moment};
use super::rate_limit::{Turn, rest_asked_by};
use super::redact::redact;
use super::retry::{Next, Setback, retry_after};
use super::{DeliveryEvent, Drained, Inner, Subject, TransportFailure};
use crate::destinations::{Completed, Detour, Job, Operation, Reading, Refusal, Reply, Request, Verdict};
use crate::error::{Error, ErrorCode, ErrorGroup};
use crate::model::{Instant, SkipReason};
use crate::state::{Failure, HeldBy, Settlement};

/// Operations taken from their lanes and what to do with them.
pub(super) struct Attempt {
    pub entries: Vec<Entry>,
    pub step: Step,
    /// Returned to the endpoints when the attempt ends, however it ends.
    pub permits: Vec<Permit>,
}

pub(super) enum Step {
    Send(Request),
    /// Read first; what to send is decided then.
    Prefetch(Request),
    /// Ask for the job that holds them all.
    Poll(Request),
    /// The job that holds them cannot be asked for.
    Lose(Refusal),
    /// No request can hold it.
    Refuse(Refusal),
}

/// One of an endpoint's calls under way.
pub(super) struct Permit {
    inner: Arc<Inner>,
    endpoint: &'static str,
}

impl Permit {
    /// Counts a call of an endpoint whose turn it is.
    pub fn new(inner: &Arc<Inner>, endpoint: &'static str) -> Self {
        inner.with_pace(endpoint, |pace, now| pace.begin(now));
        Permit { inner: inner.clone(), endpoint }
    }

    /// Counts a call of an endpoint if it is its turn; else says when that is.
    pub fn try_new(inner: &Arc<Inner>, endpoint: &'static str) -> Result<Permit, Turn> {
        let turn = inner.with_pace(endpoint, |pace, now| {
            let turn = pace.turn(now);
            if turn == Turn::Now {
                pace.begin(now);
            }
            turn
        });
        match turn {
            Some(Turn::Now) | None => Ok(Permit { inner: inner.clone(), endpoint }),
            Some(other) => Err(other),
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.inner.with_pace(self.endpoint, |pace, _| pace.end());
    }
}

/// How long a half-done operation waits for its second endpoint.
const PATIENCE: Duration = Duration::from_secs(1);

/// Most reads that one operation may need before it is sent.
const MOST_LOOKS: usize = 4;

/// How often to look again for a permit that another request holds.
pub(super) const PERMIT_POLL: Duration = Duration::from_millis(50);

/// The shortest wait between two questions about a job, whatever the destination says.
const SHORTEST_BETWEEN: Duration = Duration::from_secs(1);

/// The longest one: a job that ended is not left lying.
pub(super) const LONGEST_BETWEEN: Duration = Duration::from_secs(600);

/// What came of an attempt.
#[derive(Default)]
pub(super) struct Finished {
    /// Lanes of operations that left the outbox, one per operation.
    pub ended: Vec<String>,
    /// Operations that go on waiting.
    pub back: Vec<Entry>,
    /// Operations that were refused together and go on in halves.
    pub halves: Vec<Entry>,
    /// What stops the destination.
    pub stop: Option<Error>,
    pub tally: Drained,
}

pub(super) async fn run(inner: Arc<Inner>, attempt: Attempt) -> Finished {
    let Attempt { entries, step, permits } = attempt;
    let mut course = Course::new(&inner, permits);
    match step {
        Step::Refuse(refusal) => entries.into_iter().for_each(|entry| course.die(entry, refusal.clone())),
        Step::Send(request) => course.send(entries, request).await,
        Step::Prefetch(request) => course.prefetch(entries, request).await,
        Step::Poll(request) => course.poll(entries, request).await,
        Step::Lose(refusal) => course.lose(entries, refusal),
    }
    course.follow_detours().await;
    course.settle().await
}

/// The request in progress, and all that is to be committed about it.
struct Course<'a> {
    inner: &'a Arc<Inner>,
    permits: Vec<Permit>,
    sent_at: Instant,
    took: Duration,
    status: u16,
    response: String,
    /// One draw for the whole request, so that operations that failed together stay together.
    chance: f64,
    /// Whether it only showed that the destination is still down: no operation's fault.
    probe: bool,
    settlements: Vec<Settlement>,
    events: Vec<DeliveryEvent>,
    /// Calls to be made before the attempt ends, and who waits for them. Last of all, because a dead letter of the others
    /// keeps the answer they got.
    detours: Vec<(Vec<Entry>, Detour)>,
    finished: Finished,
}

enum Answer {
    Reply(Reply),
    Unreachable,
    Failed(Refusal),
    /// The set-up is wrong.
    Stop(Error),
    /// Something in this request is wrong.
    Malformed(Refusal),
}

impl<'a> Course<'a> {
    fn new(inner: &'a Arc<Inner>, permits: Vec<Permit>) -> Self {
        Course {
            inner,
            permits,
            sent_at: inner.clock.now(),
            took: Duration::ZERO,
            status: 0,
            response: String::new(),
            chance: inner.chance(),
            probe: false,
            settlements: Vec::new(),
            events: Vec::new(),
            detours: Vec::new(),
            finished: Finished::default(),
        }
    }

    async fn prefetch(&mut self, entries: Vec<Entry>, request: Request) {
        // The engine never lets such an operation share a request.
        for entry in entries {
            self.look(entry, request.clone()).await;
        }
    }

    /// Makes the reads that an operation needs, each one by what the last one told, and does what they come to.
    async fn look(&mut self, entry: Entry, mut request: Request) {
        let mut operation = entry.waiting.operation.clone();
        for _ in 0..MOST_LOOKS {
            let reply = match self.ask(&request, std::slice::from_ref(&entry)).await {
                Answer::Reply(reply) => reply,
                other => return self.without_reply(vec![entry], other),
            };
            match self.inner.destination.complete(&operation, &reply) {
                Ok(Completed::Look(further)) => {
                    self.inner.limits().gate.opened();
                    operation = *further;
                    let Some(next) = self.inner.destination.prefetch(&operation) else { break };
                    // Nothing was written yet: begin anew when the other endpoint has time.
                    if let Err(due) = self.turn(&next).await {
                        return self.finished.back.push(Entry { due, ..entry });
                    }
                    request = next;
                }
                Ok(Completed::Send(request)) => {
                    self.inner.limits().gate.opened();
                    return match self.turn(&request).await {
                        Ok(()) => self.send(vec![entry], request).await,
                        // Nothing was written yet: read again when the other endpoint has time.
                        Err(due) => self.finished.back.push(Entry { due, ..entry }),
                    };
                }
                Ok(Completed::Skip(skip)) => {
                    self.inner.limits().gate.opened();
                    return self.skip(entry, skip.reason, skip.detail);
                }
                Ok(Completed::First(detour)) => {
                    self.inner.limits().gate.opened();
                    return self.detours.push((vec![entry], detour));
                }
                Ok(Completed::Retry(refusal, after)) => {
                    let asked = self.not_now(&request, &reply, &refusal, after);
                    return self.retry_all(vec![entry], &refusal, asked);
                }
                Err(error) if error.code().group() == ErrorGroup::Transient => {
                    let refusal = Refusal::new(error.code(), "", error.message());
                    let asked = self.not_now(&request, &reply, &refusal, error.retry_after());
                    return self.retry_all(vec![entry], &refusal, asked);
                }
                Err(error) if stops(error.code()) => return self.stop(vec![entry], error),
                Err(error) => return self.die(entry, Refusal::new(error.code(), "", error.message())),
            }
        }
        self.die(entry, Refusal::new(ErrorCode::Internal, "", "one read led to ever more reads"));
    }

    /// Waits a moment for the endpoint of a completed request, which need not be the operation's own. When it is not its
    /// turn soon, says when to come again.
    async fn turn(&mut self, request: &Request) -> Result<(), Moment> {
        let inner = self.inner;
        let Some(endpoint) = inner.destination.capabilities().endpoint(&request.endpoint) else { return Ok(()) };
        if self.permits.iter().any(|permit| permit.endpoint == endpoint.id) {
            return Ok(());
        }
        let patience = inner.moment() + PATIENCE;
        loop {
            let now = inner.moment();
            let at = match inner.with_pace(endpoint.id, |pace, now| pace.turn(now)) {
                Some(Turn::At(at)) => at,
                Some(Turn::WhenOneEnds) => now + PERMIT_POLL,
                Some(Turn::Now) | None => break,
            };
            if at > patience {
                return Err(at);
            }
            tokio::time::sleep_until(inner.epoch + at).await;
        }
        self.permits.push(Permit::new(inner, endpoint.id));
        Ok(())
    }

    async fn send(&mut self, entries: Vec<Entry>, request: Request) {
        let reply = match self.ask(&request, &entries).await {
            Answer::Reply(reply) => reply,
            other => return self.without_reply(entries, other),
        };
        let operations: Vec<&Operation> = entries.iter().map(|entry| &entry.waiting.operation).collect();
        let reading = self.inner.destination.read(&operations, &reply);
        if !matches!(reading, Reading::Retry(..)) {
            self.inner.limits().gate.opened();
        }
        match reading {
            Reading::Each(verdicts, warnings) => self.judge_all(entries, verdicts, warnings, &request, &reply),
            Reading::First(detour) => self.detours.push((entries, detour)),
            Reading::Split(refusal) => self.split(entries, refusal),
            Reading::Retry(refusal, after) => {
                let asked = self.not_now(&request, &reply, &refusal, after);
                self.retry_all(entries, &refusal, asked);
            }
            Reading::Job(job) => match self.give_up_after(&entries) {
                Some(_) => self.taken_as_job(entries, &job),
                None => {
                    let refusal = Refusal::new(ErrorCode::Internal, "", "the answer names a job, and the endpoint has none");
                    self.retry_all(entries, &refusal, None);
                }
            },
            Reading::Stop(error) => self.stop(entries, error),
        }
    }

    /// Asks for the job that holds these operations.
    async fn poll(&mut self, entries: Vec<Entry>, request: Request) {
        let Some(job) = entries.first().and_then(|entry| entry.waiting.job.clone()) else { return self.finished.back.extend(entries) };
        if let Err(due) = self.turn(&request).await {
            return self.finished.back.extend(entries.into_iter().map(|entry| Entry { due, ..entry }));
        }
        let reply = match self.ask(&request, &entries).await {
            Answer::Reply(reply) => reply,
            // Nothing was learnt about the job.
            Answer::Failed(refusal) => return self.ask_again(entries, &job, &refusal, None),
            Answer::Malformed(refusal) => return self.lose(entries, refusal),
            other => return self.without_reply(entries, other),
        };
        let operations: Vec<&Operation> = entries.iter().map(|entry| &entry.waiting.operation).collect();
        let reading = self.inner.destination.read_poll(&operations, &job.id, &reply);
        if !matches!(reading, Reading::Retry(..)) {
            self.inner.limits().gate.opened();
        }
        match reading {
            Reading::Each(verdicts, warnings) => {
                let entries = self.let_go(entries);
                self.judge_all(entries, verdicts, warnings, &request, &reply);
            }
            Reading::Split(refusal) => {
                let entries = self.let_go(entries);
                // Durably out of the job: its verdict must not be asked for again once they are sent in halves.
                let (wall, sent_at) = (self.inner.clock.now(), self.sent_at);
                self.settlements.extend(entries.iter().filter(|_| entries.len() > 1).map(|entry| Settlement::Later {
                    id: entry.waiting.id,
                    due_at: wall,
                    attempts: entry.history.attempts,
                    first_attempt_at: Some(entry.waiting.first_attempt_at.unwrap_or(sent_at)),
                }));
                self.split(entries, refusal);
            }
            Reading::Retry(refusal, _) if refusal.code.0 == ErrorCode::NotFound => {
                self.inner.limits().gate.opened();
                let message = "the destination does not know the job any more that held it";
                self.lose(entries, Refusal::new(ErrorCode::JobLost, refusal.vendor_code, message));
            }
            Reading::Retry(refusal, after) => {
                let asked = self.not_now(&request, &reply, &refusal, after);
                self.ask_again(entries, &job, &refusal, asked);
            }
            Reading::First(detour) => {
                let entries = self.let_go(entries);
                self.detours.push((entries, detour));
            }
            Reading::Job(next) => self.goes_on(entries, &job, &next),
            Reading::Stop(error) => self.stop(entries, error),
        }
    }

    /// How long a job of this endpoint is waited for; `None` when it has no jobs.
    fn give_up_after(&self, entries: &[Entry]) -> Option<Duration> {
        let id = &entries.first()?.waiting.operation.endpoint;
        let facts = self.inner.destination.capabilities().endpoint(id)?.job?;
        Some(Duration::from_secs(facts.give_up_s.into()))
    }

    /// Whether a job had all the time it may take when it was asked for last.
    fn is_overdue(&self, entries: &[Entry], job: &HeldBy) -> bool {
        let taken = (self.sent_at - job.since).to_std().unwrap_or_default();
        self.give_up_after(entries).is_none_or(|most| taken >= most)
    }

    fn taken_as_job(&mut self, entries: Vec<Entry>, job: &Job) {
        let held = HeldBy { id: job.id.clone(), since: self.sent_at };
        self.events.extend(entries.iter().map(|entry| DeliveryEvent::InJob { subject: subject(entry) }));
        self.hold(entries, &held, job.poll_after, true);
    }

    /// Operations stay with their job until it is asked for again.
    fn hold(&mut self, entries: Vec<Entry>, job: &HeldBy, after: Duration, news: bool) {
        let after = after.clamp(SHORTEST_BETWEEN, LONGEST_BETWEEN);
        let (due, due_at) = (self.inner.moment() + after, self.inner.clock.now() + after);
        for mut entry in entries {
            // When to ask is not worth a write: whoever takes over may ask at once.
            if news {
                self.settlements.push(Settlement::InJob { id: entry.waiting.id, job: job.clone(), due_at });
            }
            entry.waiting.job = Some(job.clone());
            entry.due = due;
            self.finished.back.push(entry);
        }
    }

    /// The job has not ended, or its report has another page.
    fn goes_on(&mut self, mut entries: Vec<Entry>, job: &HeldBy, next: &Job) {
        if self.is_overdue(&entries, job) {
            return self.lose(entries, Refusal::new(ErrorCode::JobLost, "", "the job that held it did not end in the time allowed"));
        }
        entries.iter_mut().for_each(|entry| entry.history.unanswered = 0);
        let renamed = HeldBy { id: next.id.clone(), since: job.since };
        self.hold(entries, &renamed, next.poll_after, *job != renamed);
    }

    /// The question was not answered: that says nothing about the job, unless it has been so for too long.
    fn ask_again(&mut self, mut entries: Vec<Entry>, job: &HeldBy, refusal: &Refusal, asked: Option<Duration>) {
        if !self.probe && self.inner.limits().gate.down().is_none() && self.is_overdue(&entries, job) {
            let message = "the job that held it did not end in the time allowed, and the destination does not answer about it";
            return self.lose(entries, Refusal::new(ErrorCode::JobLost, refusal.vendor_code.clone(), message));
        }
        entries.iter_mut().for_each(|entry| entry.history.unanswered += 1);
        let unanswered = entries.first().map_or(1, |entry| entry.history.unanswered);
        let after = self.inner.settings.retry.backoff(unanswered, self.chance) + asked.unwrap_or_default();
        self.hold(entries, job, after, false);
    }

    /// The job will never tell: its operations are sent again, as after any other failure.
    fn lose(&mut self, entries: Vec<Entry>, refusal: Refusal) {
        let entries = self.let_go(entries);
        self.retry_all(entries, &refusal, None);
    }

    /// The job holds them no longer.
    fn let_go(&mut self, mut entries: Vec<Entry>) -> Vec<Entry> {
        for entry in &mut entries {
            entry.waiting.job = None;
            entry.history.unanswered = 0;
            self.events.push(DeliveryEvent::JobEnded { subject: subject(entry) });
        }
        entries
    }

    fn judge_all(&mut self, entries: Vec<Entry>, verdicts: Vec<Verdict>, warnings: Vec<String>, request: &Request, reply: &Reply) {
        for text in warnings {
            self.events.push(DeliveryEvent::Warning { endpoint: request.endpoint.clone(), text });
        }
        if verdicts.len() != entries.len() {
            let refusal = Refusal::new(ErrorCode::Internal, "", "the answer was not read operation by operation");
            return self.retry_all(entries, &refusal, None);
        }
        for (entry, verdict) in entries.into_iter().zip(verdicts) {
            self.judge(entry, verdict, request, reply);
        }
    }

    fn without_reply(&mut self, entries: Vec<Entry>, answer: Answer) {
        match answer {
            Answer::Failed(refusal) => self.retry_all(entries, &refusal, None),
            Answer::Malformed(refusal) => self.split(entries, refusal),
            Answer::Stop(error) => self.stop(entries, error),
            Answer::Unreachable | Answer::Reply(_) => self.finished.back.extend(entries),
        }
    }

    /// Refused because of some row: the halves go on, or the only one dies.
    fn split(&mut self, mut entries: Vec<Entry>, refusal: Refusal) {
        match entries.pop() {
            Some(only) if entries.is_empty() => self.die(only, refusal),
            last => {
                entries.extend(last);
                self.finished.halves = entries;
            }
        }
    }

    /// Sends and waits, and tells what the answer says about the destination's health.
    async fn ask(&mut self, request: &Request, entries: &[Entry]) -> Answer {
        let inner = self.inner;
        let begun = tokio::time::Instant::now();
        self.sent_at = inner.clock.now();
        let sending = inner.transport.send(inner.destination.base_url_of(request), request);
        let outcome = tokio::time::timeout(inner.settings.request_timeout, sending).await;
        self.took = begun.elapsed();
        let outcome = outcome.unwrap_or(Err(TransportFailure::Timeout)).and_then(whole);
        self.status = outcome.as_ref().map_or(0, |reply| reply.status);
        self.finished.tally.requests += 1;
        self.events.push(DeliveryEvent::RequestDone {
            endpoint: request.endpoint.clone(),
            status: outcome.as_ref().ok().map(|reply| reply.status),
            operations: entries.len(),
            elapsed: self.took,
        });
        tracing::debug!(
            destination = &*inner.name,
            endpoint = %request.endpoint,
            status = self.status,
            operations = entries.len(),
            elapsed_ms = self.took.as_millis(),
            correlation_id = entries.first().map(|entry| entry.waiting.operation.correlation_id.as_str()),
            "request done"
        );
        let now = inner.moment();
        match outcome {
            Ok(reply) => {
                let secrets: Vec<_> = request.secret_headers.iter().map(|(_, secret)| secret).collect();
                self.response = redact(&reply.body, &secrets);
                if let Some(rest) = rest_asked_by(&reply, inner.clock.now(), inner.settings.retry.max_retry_after) {
                    inner.with_pace(&request.endpoint, |pace, now| pace.rest(now, rest));
                }
                Answer::Reply(reply)
            }
            Err(failure) => {
                self.response.clear();
                let code = failure.code();
                let policy = &inner.settings.retry;
                match failure {
                    TransportFailure::Misconfigured(why) => return Answer::Stop(Error::new(code, why)),
                    TransportFailure::Malformed(why) => return Answer::Malformed(Refusal::new(code, "", why)),
                    _ => {}
                }
                let unreachable = matches!(failure, TransportFailure::BeforeSending(_));
                let news = if unreachable { inner.limits().gate.unreachable(now, policy, self.chance) } else { self.not_well(code) };
                let text = redact(failure.to_string().as_bytes(), &[]);
                if news {
                    tracing::warn!(destination = &*inner.name, endpoint = %request.endpoint, failure = %text, "destination is down");
                    self.events.push(DeliveryEvent::Warning { endpoint: request.endpoint.clone(), text: text.clone() });
                }
                if unreachable { Answer::Unreachable } else { Answer::Failed(Refusal::new(code, "", text)) }
            }
        }
    }

    fn judge(&mut self, mut entry: Entry, verdict: Verdict, request: &Request, reply: &Reply) {
        match verdict {
            Verdict::Accepted => {
                self.settlements.push(Settlement::Delivered { id: entry.waiting.id });
                self.events.push(DeliveryEvent::Delivered { subject: subject(&entry) });
                self.finished.tally.delivered += 1;
                self.finished.ended.push(entry.waiting.operation.lane);
            }
            Verdict::Rejected(refusal) => self.die(entry, refusal),
            Verdict::Retry(refusal, after) => {
                let asked = self.asked(reply, after);
                if refusal.code.0 == ErrorCode::RateLimited {
                    self.throttle(request, asked);
                }
                self.retry_all(vec![entry], &refusal, asked);
            }
            Verdict::Discarded(reason, detail) => self.skip(entry, reason, detail),
            Verdict::First(detour) => self.detours.push((vec![entry], detour)),
            Verdict::Amended(_, text) if entry.waiting.amended => {
                self.die(entry, Refusal::new(ErrorCode::Rejected, "amended_twice", text));
            }
            Verdict::Amended(body, text) => {
                self.settlements.push(Settlement::Amended { id: entry.waiting.id, body: body.clone() });
                self.events.push(DeliveryEvent::Warning { endpoint: request.endpoint.clone(), text });
                self.finished.tally.retried += 1;
                entry.waiting.operation.body = body;
                entry.waiting.amended = true;
                self.finished.back.push(entry);
            }
        }
    }

    /// The destination answered that the whole request should come again later. Returns the wait it asked for.
    fn not_now(&mut self, request: &Request, reply: &Reply, refusal: &Refusal, after: Option<Duration>) -> Option<Duration> {
        let asked = self.asked(reply, after);
        let code = refusal.code.0;
        if code == ErrorCode::RateLimited {
            self.inner.limits().gate.opened();
            self.throttle(request, asked);
        } else if self.not_well(code) {
            tracing::warn!(destination = &*self.inner.name, endpoint = %request.endpoint, code = code.name(), "destination is down");
            let text = "the destination keeps failing; from here on one request at a time asks whether it is back".to_owned();
            self.events.push(DeliveryEvent::Warning { endpoint: request.endpoint.clone(), text });
        }
        asked
    }

    /// A failure that may be the whole destination's. Returns whether it is the one that makes it count as down.
    fn not_well(&mut self, code: ErrorCode) -> bool {
        let now = self.inner.moment();
        let mut limits = self.inner.limits();
        let news = limits.gate.failed(now, code, &self.inner.settings.retry, self.chance);
        self.probe = !news && limits.gate.down().is_some();
        news
    }

    fn asked(&self, reply: &Reply, after: Option<Duration>) -> Option<Duration> {
        after.or_else(|| retry_after(reply.header("retry-after")?, self.inner.clock.now()))
    }

    fn throttle(&self, request: &Request, asked: Option<Duration>) {
        let policy = &self.inner.settings.retry;
        let rest = asked.map_or(policy.throttle_floor, |asked| asked.min(policy.max_retry_after).max(policy.throttle_floor));
        self.inner.with_pace(&request.endpoint, |pace, now| pace.throttle(now, rest));
    }

    fn retry_all(&mut self, entries: Vec<Entry>, refusal: &Refusal, asked: Option<Duration>) {
        let (now, wall) = (self.inner.moment(), self.inner.clock.now());
        let (code, policy) = (refusal.code.0, &self.inner.settings.retry);
        let asked = asked.map(|asked| asked.min(policy.max_retry_after));
        let setback = Setback { throttled: code == ErrorCode::RateLimited, retry_after: asked, took: self.took };
        for mut entry in entries {
            let next = if self.probe {
                Next::After(policy.backoff(entry.history.attempts.max(1), self.chance).max(asked.unwrap_or_default()))
            } else {
                policy.next(&mut entry.history, setback, self.chance)
            };
            let Next::After(after) = next else {
                self.bury(entry, refusal.clone());
                continue;
            };
            entry.due = now + after;
            entry.waiting.attempts = entry.history.attempts;
            let first_attempt_at = *entry.waiting.first_attempt_at.get_or_insert(self.sent_at);
            self.settlements.push(Settlement::Later {
                id: entry.waiting.id,
                due_at: wall + after,
                attempts: entry.history.attempts,
                first_attempt_at: Some(first_attempt_at),
            });
            self.events.push(DeliveryEvent::Retrying { subject: subject(&entry), code, attempts: entry.history.attempts, after });
            self.finished.tally.retried += 1;
            self.finished.back.push(entry);
        }
    }

    fn skip(&mut self, entry: Entry, reason: SkipReason, detail: String) {
        self.settlements.push(Settlement::Skipped { id: entry.waiting.id, reason });
        self.events.push(DeliveryEvent::Skipped { subject: subject(&entry), reason, detail });
        self.finished.tally.skipped += 1;
        self.finished.ended.push(entry.waiting.operation.lane);
    }

    /// Refused for good: the sending that was refused counts.
    fn die(&mut self, mut entry: Entry, refusal: Refusal) {
        entry.history.attempts += u32::from(self.finished.tally.requests > 0);
        self.bury(entry, refusal);
    }

    fn bury(&mut self, entry: Entry, mut refusal: Refusal) {
        let (code, attempts) = (refusal.code.0, entry.history.sendings());
        refusal.message = redact(refusal.message.as_bytes(), &[]);
        tracing::warn!(
            destination = &*self.inner.name,
            endpoint = %entry.waiting.operation.endpoint,
            code = code.name(),
            status = self.status,
            attempts,
            correlation_id = entry.waiting.operation.correlation_id.as_str(),
            "dead letter"
        );
        let failure = Failure { refusal, status: self.status, response: self.response.clone(), attempts };
        self.settlements.push(Settlement::Dead { id: entry.waiting.id, failure });
        self.events.push(DeliveryEvent::DeadLettered { subject: subject(&entry), code, status: self.status, attempts });
        self.finished.tally.dead_lettered += 1;
        self.finished.ended.push(entry.waiting.operation.lane);
    }

    fn stop(&mut self, entries: Vec<Entry>, error: Error) {
        self.finished.back.extend(entries);
        self.finished.stop = Some(error);
    }

    /// Commits the verdicts, then tells of them.
    async fn settle(self) -> Finished {
        let Course { inner, permits, settlements, events, finished, .. } = self;
        drop(permits);
        if !settlements.is_empty() {
            let (name, now) = (inner.name.clone(), inner.clock.now());
            if let Err(error) = inner.store(move |store| store.settle(&name, &settlements, now)).await {
                // What the destination took is not on record: going on could send the rest of a lane out of order.
                return Finished { stop: Some(error.during("settle")), ..Finished::default() };
            }
        }
        for event in &events {
            inner.observer.event(event);
        }
        finished
    }
}

/// Errors that concern the set-up and not the one operation.
fn stops(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::Unauthorized | ErrorCode::Forbidden) || code.group() == ErrorGroup::Config
}

/// A success whose body is announced as JSON and is none was cut off on its way: what it said is not known. Of one that has a
/// value a line the last one tells.
pub(super) fn whole(reply: Reply) -> Result<Reply, TransportFailure> {
    let kind = reply.header("content-type").unwrap_or_default().to_ascii_lowercase();
    let success = (200..300).contains(&reply.status) && reply.status != 204;
    let is_whole = |text: &[u8]| serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok();
    let whole = if kind.contains("json-stream") || kind.contains("ndjson") {
        let last = reply.body.rsplit(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty());
        last.is_none_or(is_whole)
    } else {
        !kind.contains("json") || is_whole(&reply.body)
    };
    if success && !whole {
        return Err(TransportFailure::Unknown("the answer is cut off or is not JSON".to_owned()));
    }
    Ok(reply)
}

fn subject(entry: &Entry) -> Subject {
    let waiting = &entry.waiting;
    Subject {
        id: waiting.id,
        run: waiting.run.clone(),
        position: waiting.position,
        endpoint: waiting.operation.endpoint.clone(),
        correlation_id: waiting.operation.correlation_id.clone(),
    }
}
