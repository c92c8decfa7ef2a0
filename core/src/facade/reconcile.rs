//! Reconciliation: what the destinations hold, read back and held against what the records say and what the state says was
//! sent. Writes nothing, neither there nor in the state.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use tokio::task::JoinSet;

use super::acceptance::{Call, Desk, Pending};
use super::answers::{
    ReconcileCheck, ReconcileCounts, ReconcileReason as Reason, ReconcileStatus as Status, ReconciledAt, ReconciledRecord, Reconciliation,
    RecordSkip,
};
use super::engine::{Engine, Inner, blocking};
use super::options::{CallOptions, ReconcileOptions, parse};
use super::pure::{internal, json};
use crate::decide::{self, Decision};
use crate::destinations::{Held, Operation, Request};
use crate::error::{Error, ErrorCode, ErrorGroup, Result};
use crate::model::{Mode, ResourceRef, SkipReason};
use crate::pipeline::Layout;
use crate::state::{KeyStatus, Known, Subject};

/// Bytes of NDJSON looked at together: operations that one read shows share it within so much.
const CHUNK_BYTES: usize = 2 << 20;

/// Why nothing is shown of an operation.
const NOT_SHOWN: &str = "the destination has no call that shows what this writes";

impl Engine {
    /// Reads back what the destinations hold of what rows say, and compares. Asks through delivery, at its pace and out of its
    /// budgets; writes nothing. `options` is [`ReconcileOptions`]; the answer is [`Reconciliation`], without a value of any
    /// field.
    ///
    /// What a destination does not show is `unsupported`, and what could not be learnt `unreadable`: neither is an error.
    ///
    /// # Errors
    /// `invalid_config`, also for a destination that there is not; `state_*`, `closed`.
    pub async fn reconcile(&self, options: Bytes, data: Bytes) -> Result<Vec<u8>> {
        self.alive()?;
        let options: ReconcileOptions = parse(&options)?;
        let only = options.destination.as_deref().map(|name| self.outlet_named(name)).transpose()?;
        let mut report = Report::new(self, only);
        let layout = Layout::from(options.format);
        let lines = layout.is_lines(&data);
        let call = CallOptions { resource: options.resource, mode: options.mode, ..CallOptions::default() };
        let (mut rest, mut position) = (data, 0);
        loop {
            let end = match memchr::memchr(b'\n', rest.get(CHUNK_BYTES..).unwrap_or_default()) {
                Some(end) if lines => CHUNK_BYTES + end + 1,
                _ => rest.len(),
            };
            let chunk = rest.split_to(end);
            let (inner, call) = (self.inner.clone(), call.clone());
            let layout = if lines { Layout::Lines } else { layout };
            let sheet = blocking(move || inner.desk.sheet(&inner, &chunk, &call, layout, position, only)).await?;
            position = sheet.next;
            report.add(&self.inner, sheet).await;
            if rest.is_empty() {
                break;
            }
        }
        json(&report.close(&self.inner), 4096)
    }

    fn outlet_named(&self, name: &str) -> Result<usize> {
        let found = self.inner.outlets.iter().position(|outlet| outlet.name == name);
        found.ok_or_else(|| Error::new(ErrorCode::InvalidConfig, "no destination has that name").at("/destination"))
    }
}

/// Some rows, and what of them is to be looked for.
struct Sheet {
    next: u64,
    entries: Vec<Entry>,
    /// The parts of the answer that need no destination.
    rest: Reconciliation,
}

/// One record and what it would write.
struct Entry {
    position: u64,
    resource: ResourceRef,
    correlation_id: String,
    sought: Vec<Sought>,
}

/// One thing that a record would write, and what the state says of it.
struct Sought {
    /// The destination's place.
    at: usize,
    operation: Operation,
    standing: Standing,
}

/// What the state says of something that would be written.
struct Standing {
    /// Why it may not be there as it is.
    reason: Reason,
    /// Members of its delta object that were not sent with this value.
    unsent: Vec<String>,
}

impl Desk {
    /// What rows would write, and how it stands in the state.
    fn sheet(
        &self,
        inner: &Inner,
        data: &[u8],
        options: &CallOptions,
        layout: Layout,
        position: u64,
        only: Option<usize>,
    ) -> Result<Sheet> {
        let mode = options.mode.unwrap_or(inner.mode);
        let call = Call { options, mode, layout, position, now: inner.clock.now(), events: None };
        let (taken, _, pending) = self.weigh(data, call)?;
        let asked_of = |name: Option<&String>| only.is_none_or(|only| name.is_none_or(|name| self.label(only) == Some(name)));
        let mut rest = Reconciliation {
            skipped: taken.skipped.into_iter().filter(|skip| asked_of(skip.destination.as_ref())).collect(),
            rejected: taken.rejected.into_iter().filter(|row| asked_of(row.destination.as_ref())).collect(),
            ignored: taken.ignored,
            fetches: taken.fetches,
            ..Reconciliation::default()
        };
        let mut entries: Vec<Entry> = Vec::new();
        // One record is the same allocation for every destination.
        let mut places: HashMap<usize, usize> = HashMap::new();
        let mut kept: Vec<Arc<Vec<u8>>> = Vec::new();
        for (at, rows) in pending.into_iter().enumerate().filter(|(at, _)| only.is_none_or(|only| only == *at)) {
            let known = self.known(at, &rows)?;
            let mut known = known.into_iter();
            for Pending { draft, record, .. } in rows {
                let destination = self.label(at).cloned();
                rest.skipped.extend(draft.skipped.into_iter().map(|skip| RecordSkip {
                    position: draft.position,
                    reason: skip.reason,
                    detail: skip.detail,
                    destination: destination.clone(),
                }));
                let place = match places.entry(Arc::as_ptr(&record) as usize) {
                    std::collections::hash_map::Entry::Occupied(place) => *place.get(),
                    std::collections::hash_map::Entry::Vacant(place) => {
                        entries.push(named(draft.position, &record)?);
                        kept.push(record);
                        *place.insert(entries.len() - 1)
                    }
                };
                for operation in draft.operations {
                    let known =
                        known.next().ok_or_else(|| Error::new(ErrorCode::Internal, "the state answered for fewer subjects than asked"))?;
                    let standing = self.standing(at, &operation, &known, draft.mode)?;
                    entries[place].sought.push(Sought { at, operation, standing });
                }
            }
        }
        entries.sort_by_key(|entry| entry.position);
        let told: HashSet<u64> = entries.iter().map(|entry| entry.position).chain(rest.rejected.iter().map(|row| row.position)).collect();
        rest.counts.skipped = taken.record_rows.iter().filter(|position| !told.contains(position)).count() as u64;
        Ok(Sheet { next: taken.next, entries, rest })
    }

    fn known(&self, at: usize, rows: &[Pending]) -> Result<Vec<Known>> {
        let Some(target) = self.targets.get(at) else { return Ok(Vec::new()) };
        let operations = rows.iter().flat_map(|row| &row.draft.operations);
        let subjects: Vec<Subject<'_>> = operations
            .map(|operation| Subject { entity: &operation.entity, idempotency_key: operation.idempotency_key.as_str() })
            .collect();
        self.store.known(&target.name, &subjects)
    }

    /// What the state says: the same question as whether to send it.
    fn standing(&self, at: usize, operation: &Operation, known: &Known, mode: Mode) -> Result<Standing> {
        let table = self.targets.get(at).map(|target| target.destination.capabilities());
        let null_clears = table.and_then(|table| table.endpoint(&operation.endpoint)).is_some_and(|endpoint| endpoint.null_clears);
        let stands = |reason| Ok(Standing { reason, unsent: Vec::new() });
        match known.key {
            Some(KeyStatus::Dead) => return stands(Reason::DeadLettered),
            Some(KeyStatus::Withheld) => return stands(Reason::Withheld),
            _ => {}
        }
        match decide::decide(operation, known, mode, null_clears)? {
            Decision::Skip(skip) if skip.reason == SkipReason::Stale => stands(Reason::Stale),
            _ if known.key == Some(KeyStatus::Pending) || known.pending => stands(Reason::Waiting),
            Decision::Skip(_) => stands(Reason::ChangedThere),
            Decision::Send(reduced) => {
                let unsent = reduced.fingerprints.into_iter().filter(|(_, now)| now.is_some()).map(|(name, _)| name).collect();
                Ok(Standing { reason: Reason::NeverSent, unsent })
            }
        }
    }
}

/// A record by its name.
fn named(position: u64, record: &[u8]) -> Result<Entry> {
    #[derive(Deserialize)]
    struct Record {
        envelope: Envelope,
    }
    #[derive(Deserialize)]
    struct Envelope {
        resource: ResourceRef,
        correlation_id: String,
    }
    let Record { envelope } = serde_json::from_slice(record).map_err(internal)?;
    Ok(Entry { position, resource: envelope.resource, correlation_id: envelope.correlation_id, sought: Vec::new() })
}

/// The answer as it grows.
struct Report {
    answer: Reconciliation,
    /// By destination.
    parts: Vec<ReconciledAt>,
    /// Why a destination is not asked any more.
    ends: Vec<Option<ErrorCode>>,
    only: Option<usize>,
}

impl Report {
    fn new(engine: &Engine, only: Option<usize>) -> Self {
        let now = engine.inner.clock.now();
        let answer = Reconciliation { started_at: now, finished_at: now, ..Reconciliation::default() };
        let outlets = engine.inner.outlets.len();
        Report { answer, parts: vec![ReconciledAt::default(); outlets], ends: vec![None; outlets], only }
    }

    /// Asks for what the sheet names, and writes down what was found.
    async fn add(&mut self, inner: &Arc<Inner>, sheet: Sheet) {
        let Sheet { entries, rest, .. } = sheet;
        let mut checks: Vec<Vec<Option<ReconcileCheck>>> = Vec::with_capacity(entries.len());
        let mut reads: Vec<Vec<Read>> = inner.outlets.iter().map(|_| Vec::new()).collect();
        let mut by_request: HashMap<Question, usize> = HashMap::new();
        let mut rows = Vec::with_capacity(entries.len());
        for (row, Entry { position, resource, correlation_id, sought }) in entries.into_iter().enumerate() {
            let mut own = Vec::with_capacity(sought.len());
            for sought in sought {
                let at = sought.at;
                let place = (row, own.len());
                let request = match sought.standing.reason {
                    Reason::Stale => None,
                    _ => inner.outlets[at].destination.read_back(&sought.operation),
                };
                let Some(request) = request else {
                    own.push(Some(unread(inner, &sought)));
                    continue;
                };
                own.push(None);
                let key = (at, request.method.as_str(), request.path.clone(), request.body.clone());
                let next = reads[at].len();
                match *by_request.entry(key).or_insert(next) {
                    new if new == next => reads[at].push(Read { request, sought: vec![(place, sought)] }),
                    old => reads[at][old].sought.push((place, sought)),
                }
            }
            checks.push(own);
            rows.push((position, resource, correlation_id));
        }
        let mut asked = JoinSet::new();
        for (at, reads) in reads.into_iter().enumerate().filter(|(_, reads)| !reads.is_empty()) {
            let (inner, end) = (inner.clone(), self.ends[at]);
            asked.spawn(async move { ask_all(&inner, at, reads, end).await });
        }
        while let Some(told) = asked.join_next().await {
            let Some(told) = unwound(told) else { continue };
            self.ends[told.at] = told.end;
            let part = &mut self.parts[told.at];
            part.requests += told.requests;
            part.stopped = told.end.map(|code| code.name().to_owned());
            for ((row, check), found) in told.checks {
                checks[row][check] = Some(found);
            }
        }
        for ((position, resource, correlation_id), checks) in rows.into_iter().zip(checks) {
            self.write(
                inner,
                ReconciledRecord {
                    position,
                    resource,
                    correlation_id,
                    status: Status::Skipped,
                    checks: checks.into_iter().flatten().collect(),
                },
            );
        }
        self.answer.counts.records += rest.counts.skipped;
        self.answer.counts.skipped += rest.counts.skipped;
        self.answer.skipped.extend(rest.skipped);
        self.answer.rejected.extend(rest.rejected);
        self.answer.ignored.extend(rest.ignored);
        self.answer.fetches.extend(rest.fetches);
    }

    fn write(&mut self, inner: &Inner, mut record: ReconciledRecord) {
        let worst =
            |checks: &mut dyn Iterator<Item = &ReconcileCheck>| checks.map(|check| check.status).max_by_key(|status| weight(*status));
        for (part, outlet) in self.parts.iter_mut().zip(&inner.outlets) {
            let mine = |check: &&ReconcileCheck| check.destination == outlet.name;
            if let Some(status) = worst(&mut record.checks.iter().filter(mine)) {
                count(&mut part.counts, status);
            }
            for reason in record.checks.iter().filter(mine).filter_map(|check| check.reason) {
                *part.by_reason.entry(word(reason)).or_default() += 1;
                *self.answer.by_reason.entry(word(reason)).or_default() += 1;
            }
        }
        record.status = worst(&mut record.checks.iter()).unwrap_or(Status::Skipped);
        count(&mut self.answer.counts, record.status);
        self.answer.records.push(record);
    }

    fn close(self, inner: &Inner) -> Reconciliation {
        let Report { mut answer, parts, only, .. } = self;
        let ReconcileCounts { differs, missing, unreadable, .. } = answer.counts;
        answer.ok = differs + missing + unreadable == 0 && answer.rejected.is_empty();
        answer.finished_at = inner.clock.now();
        let named = inner.outlets.iter().map(|outlet| outlet.name.clone()).zip(parts).enumerate();
        answer.destinations = named.filter(|(at, _)| only.is_none_or(|only| only == *at)).map(|(_, part)| part).collect::<BTreeMap<_, _>>();
        answer
    }
}

/// What is asked, and where: destination, method, path and body.
type Question = (usize, &'static str, String, Option<Vec<u8>>);

/// A place in the answer: a row, and a check of it.
type Place = (usize, usize);

/// One read, and all that it shows.
struct Read {
    request: Request,
    sought: Vec<(Place, Sought)>,
}

/// What one destination told.
struct Told {
    at: usize,
    checks: Vec<(Place, ReconcileCheck)>,
    requests: u64,
    /// Why it was not asked for everything.
    end: Option<ErrorCode>,
}

/// Makes the reads, as many at once as delivery may. When the destination refuses the credentials or is down for longer than
/// retries take, the rest is not asked.
async fn ask_all(inner: &Arc<Inner>, at: usize, reads: Vec<Read>, end: Option<ErrorCode>) -> Told {
    let mut told = Told { at, checks: Vec::new(), requests: 0, end };
    let mut reads = reads.into_iter();
    let mut under_way = JoinSet::new();
    loop {
        while under_way.len() < inner.reads_at_once && told.end.is_none() {
            let Some(read) = reads.next() else { break };
            let inner = inner.clone();
            under_way.spawn(async move {
                let operations: Vec<&Operation> = read.sought.iter().map(|(_, sought)| &sought.operation).collect();
                let looked = inner.outlets[at].delivery.look(&read.request, &operations, &inner.stop).await;
                (read.sought, looked)
            });
        }
        let Some(done) = under_way.join_next().await else { break };
        let Some((sought, looked)) = unwound(done) else { continue };
        told.requests += u64::from(looked.requests);
        for ((place, sought), held) in sought.into_iter().zip(looked.held) {
            if let Err(error) = &held {
                let down = error.code().group() == ErrorGroup::Transient && inner.outlets[at].delivery.is_down();
                told.end = told.end.or((down || ends(error.code())).then_some(error.code()));
            }
            told.checks.push((place, found(inner, &sought, held)));
        }
    }
    if let Some(code) = told.end {
        for (place, sought) in reads.flat_map(|read| read.sought) {
            let error = Error::new(code, "it was not asked for: the destination answered nothing else");
            told.checks.push((place, found(inner, &sought, Err(error))));
        }
    }
    told
}

/// What a task came to. A panic is a defect, handed on to the boundary that turns it into `internal`; a task that was
/// cancelled belongs to a runtime that is shutting down.
fn unwound<T>(joined: Result<T, tokio::task::JoinError>) -> Option<T> {
    match joined {
        Ok(told) => Some(told),
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => None,
    }
}

/// Errors that every other read would end with, too.
const fn ends(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::Unauthorized | ErrorCode::Forbidden | ErrorCode::InvalidConfig | ErrorCode::Cancelled)
}

fn check(inner: &Inner, sought: &Sought, status: Status, reason: Option<Reason>) -> ReconcileCheck {
    ReconcileCheck {
        destination: inner.outlets[sought.at].name.clone(),
        endpoint: sought.operation.endpoint.to_string(),
        idempotency_key: sought.operation.idempotency_key.to_string(),
        status,
        reason,
        detail: None,
        fields: Vec::new(),
        unsent: Vec::new(),
    }
}

/// What is said of something that no destination was asked for.
fn unread(inner: &Inner, sought: &Sought) -> ReconcileCheck {
    if sought.standing.reason == Reason::Stale {
        return check(inner, sought, Status::Skipped, Some(Reason::Stale));
    }
    ReconcileCheck { detail: Some(NOT_SHOWN.to_owned()), ..check(inner, sought, Status::Unsupported, Some(Reason::NoReadBack)) }
}

/// What is said of something that the destination was asked for.
fn found(inner: &Inner, sought: &Sought, held: Result<Held>) -> ReconcileCheck {
    let plain = |status, reason| check(inner, sought, status, reason);
    match held {
        Ok(Held::Same) => plain(Status::Equal, None),
        Ok(Held::Missing) => plain(Status::Missing, Some(sought.standing.reason)),
        Ok(Held::Differs(fields)) => differs(sought, fields, plain(Status::Differs, Some(sought.standing.reason))),
        Ok(Held::Unknown(why)) => ReconcileCheck { detail: Some(why.to_owned()), ..plain(Status::Unreadable, Some(Reason::NotTold)) },
        Ok(Held::Later(..)) => plain(Status::Unreadable, Some(Reason::Unavailable)),
        Err(error) => {
            let reason = match error.code() {
                ErrorCode::Unauthorized | ErrorCode::Forbidden => Reason::Unauthorized,
                ErrorCode::RateLimited => Reason::RateLimited,
                ErrorCode::Cancelled => Reason::Stopped,
                code if code.group() == ErrorGroup::Transient => Reason::Unavailable,
                _ => Reason::Refused,
            };
            ReconcileCheck { detail: Some(error.message().to_owned()), ..plain(Status::Unreadable, Some(reason)) }
        }
    }
}

/// Tells apart what was never sent with this value, and what was and is another there all the same.
fn differs(sought: &Sought, fields: Vec<String>, check: ReconcileCheck) -> ReconcileCheck {
    let Some(delta) = sought.operation.delta.as_deref().filter(|_| sought.standing.reason == Reason::NeverSent) else {
        return ReconcileCheck { fields, ..check };
    };
    let unsent: Vec<String> = sought.standing.unsent.iter().map(|name| format!("{delta}/{}", crate::model::pointer_token(name))).collect();
    let below = |field: &str, whole: &str| field.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let (unsent, sent): (Vec<String>, Vec<String>) =
        fields.iter().cloned().partition(|field| !below(field, delta) || unsent.iter().any(|whole| below(field, whole)));
    let reason = if sent.is_empty() { Reason::NeverSent } else { Reason::ChangedThere };
    ReconcileCheck { reason: Some(reason), fields, unsent, ..check }
}

/// The worse, the higher: what of a record's checks is told of the whole.
const fn weight(status: Status) -> u8 {
    match status {
        Status::Skipped => 0,
        Status::Unsupported => 1,
        Status::Equal => 2,
        Status::Unreadable => 3,
        Status::Missing => 4,
        Status::Differs => 5,
    }
}

fn count(counts: &mut ReconcileCounts, status: Status) {
    counts.records += 1;
    *match status {
        Status::Equal => &mut counts.equal,
        Status::Differs => &mut counts.differs,
        Status::Missing => &mut counts.missing,
        Status::Unreadable => &mut counts.unreadable,
        Status::Unsupported => &mut counts.unsupported,
        Status::Skipped => &mut counts.skipped,
    } += 1;
}

/// A reason as it stands in answers.
fn word(reason: Reason) -> String {
    serde_json::to_value(reason).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}
