//! Runs: who asked for what, and how it ended, in all and at each destination. Fed by acceptance and by delivery's events.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::answers::{DestinationReport, EndpointCounts, Progress, RecordSkip, RunCounts, RunReport};
use crate::error::{Error, ErrorCode, Result};
use crate::model::{Instant, Mode, Rejection, SkipReason, Status};
use crate::sources::{Fetch, Ignored};

/// Most examples of one kind that a report keeps.
const EXAMPLES: usize = 100;

/// All runs of one engine that are not finished.
pub(super) struct Runs {
    /// Names of the destinations; everything here knows them by their place.
    names: Vec<String>,
    runs: Mutex<HashMap<String, Run>>,
    /// Why delivery to each destination does not go on, if it does not.
    halted: Mutex<Vec<Option<String>>>,
    /// Wakes those who wait for a run to have nothing under way.
    settled: Notify,
}

/// One run.
struct Run {
    report: RunReport,
    all: Ledger,
    /// By destination.
    parts: Vec<Part>,
    /// Where the next row's position starts.
    positions: u64,
    /// Nobody will ask for it any more; it goes when nothing of it is under way.
    detached: bool,
}

/// What a run did at one destination.
#[derive(Default)]
struct Part {
    report: DestinationReport,
    ledger: Ledger,
}

/// Rows of which something is under way. The others are only counted.
#[derive(Default)]
struct Ledger {
    rows: HashMap<u64, Row>,
    under_way: u64,
}

#[derive(Default)]
struct Row {
    under_way: u32,
    /// Rows that go by this number.
    weight: u64,
    delivered: bool,
    dead: bool,
    rejected: bool,
}

/// What acceptance found of one part of the input.
#[derive(Default)]
pub(super) struct Intaken {
    /// Each row once.
    pub rows: Vec<IntakenRow>,
    pub rejected: Vec<Rejection>,
    pub skipped: Vec<RecordSkip>,
    pub findings: BTreeMap<&'static str, u64>,
    pub ignored: Vec<Ignored>,
    pub fetches: Vec<Fetch>,
    /// Numbers of the rows whose operations are under way, by destination.
    pub operations: Vec<Vec<u64>>,
}

/// One row of the input, as the counts want it.
#[derive(Clone, Debug, Default)]
pub(super) struct IntakenRow {
    /// What its operations are known by: its position.
    pub number: u64,
    /// The only destination it is for.
    pub only: Option<usize>,
    /// Good for none.
    pub rejected: bool,
    /// Destinations that cannot take it.
    pub rejected_at: Vec<usize>,
}

impl Ledger {
    /// Counts a row that acceptance is through with.
    fn enter(&mut self, counts: &mut RunCounts, number: u64, rejected: bool) {
        counts.rows += 1;
        match self.rows.get_mut(&number) {
            Some(row) => {
                row.weight += 1;
                row.rejected |= rejected;
                counts.pending += 1;
            }
            None if rejected => counts.rejected += 1,
            None => counts.skipped += 1,
        }
    }

    /// Counts a verdict on one operation of a row.
    fn settle(&mut self, counts: &mut RunCounts, number: u64, status: Status) {
        let Some(row) = self.rows.get_mut(&number) else { return };
        row.under_way = row.under_way.saturating_sub(1);
        row.delivered |= status == Status::Delivered;
        row.dead |= status == Status::DeadLettered;
        self.under_way = self.under_way.saturating_sub(1);
        if row.under_way > 0 {
            return;
        }
        counts.pending = counts.pending.saturating_sub(row.weight);
        *match (row.dead, row.rejected, row.delivered) {
            (true, ..) => &mut counts.dead_lettered,
            (_, true, _) => &mut counts.rejected,
            (.., true) => &mut counts.delivered,
            _ => &mut counts.skipped,
        } += row.weight;
        self.rows.remove(&number);
    }

    fn begin(&mut self, number: u64) {
        self.rows.entry(number).or_default().under_way += 1;
        self.under_way += 1;
    }
}

impl Run {
    /// Tells in all what the destinations tell of their stops.
    fn stops(&mut self, names: &[String]) {
        self.report.stopped =
            overall(names.iter().zip(&self.parts).filter_map(|(name, part)| Some((name, part.report.stopped.as_deref()?))), names.len());
    }

    /// The report as it stands, with what each destination did.
    fn told(&self, names: &[String]) -> RunReport {
        let parts = names.iter().cloned().zip(self.parts.iter().map(|part| part.report.clone()));
        RunReport { destinations: parts.collect(), ..self.report.clone() }
    }
}

/// Why delivery stopped, of one destination as it is and of several by name.
pub(super) fn overall<'a>(stops: impl Iterator<Item = (&'a String, &'a str)>, destinations: usize) -> Option<String> {
    let told: Vec<String> = stops.map(|(name, why)| if destinations > 1 { format!("{name}: {why}") } else { why.to_owned() }).collect();
    (!told.is_empty()).then(|| told.join("; "))
}

impl Runs {
    pub fn new(names: Vec<String>) -> Self {
        let halted = Mutex::new(vec![None; names.len()]);
        Runs { names, runs: Mutex::default(), halted, settled: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Run>> {
        // Counts stay usable even if a thread died while holding them.
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn start(&self, run: &str, mode: Mode, now: Instant) {
        let report = RunReport {
            run: run.to_owned(),
            destination: self.names.join(", "),
            mode,
            started_at: now,
            finished_at: now,
            ..RunReport::default()
        };
        let parts = self.names.iter().map(|_| Part::default()).collect();
        let new = Run { report, all: Ledger::default(), parts, positions: 0, detached: false };
        self.lock().entry(run.to_owned()).or_insert(new);
    }

    pub fn has(&self, run: &str) -> bool {
        self.lock().contains_key(run)
    }

    /// Adds what acceptance found. Called before the operations are committed, so that no verdict can come first;
    /// [`Runs::withdraw`] takes the operations back if the commit fails.
    pub fn intake(&self, run: &str, intaken: &Intaken) {
        let mut runs = self.lock();
        let Some(run) = runs.get_mut(run) else { return };
        let report = &mut run.report;
        keep(&mut report.rejected, intaken.rejected.iter().cloned());
        for rejection in &intaken.rejected {
            for finding in &rejection.findings {
                *report.findings_by_code.entry(finding.code.name().to_owned()).or_default() += 1;
            }
        }
        for (code, count) in &intaken.findings {
            *report.findings_by_code.entry((*code).to_owned()).or_default() += count;
        }
        for ignored in &intaken.ignored {
            *report.ignored.entry(ignored.what.clone()).or_default() += 1;
        }
        keep(&mut report.fetches, intaken.fetches.iter().cloned());
        let telling = |skip: &&RecordSkip| !matches!(skip.reason, SkipReason::Duplicate | SkipReason::Unchanged | SkipReason::Stale);
        keep(&mut report.skipped, intaken.skipped.iter().filter(telling).cloned());

        let mut reasons: Vec<(SkipReason, Option<&str>, u64)> =
            intaken.skipped.iter().map(|skip| (skip.reason, skip.destination.as_deref(), 1)).collect();
        for (reason, count) in [(SkipReason::Ignored, intaken.ignored.len()), (SkipReason::NeedsFetch, intaken.fetches.len())] {
            if count > 0 {
                reasons.push((reason, None, count as u64));
            }
        }
        for (reason, destination, count) in reasons {
            *report.skipped_by_reason.entry(reason.name().to_owned()).or_default() += count;
            for (name, part) in self.names.iter().zip(&mut run.parts) {
                if destination.is_none_or(|destination| destination == name) {
                    *part.report.skipped_by_reason.entry(reason.name().to_owned()).or_default() += count;
                }
            }
        }
        for (part, operations) in run.parts.iter_mut().zip(&intaken.operations) {
            for number in operations {
                part.ledger.begin(*number);
                run.all.begin(*number);
            }
        }
        for row in &intaken.rows {
            run.all.enter(&mut report.counts, row.number, row.rejected || !row.rejected_at.is_empty());
            for (at, part) in run.parts.iter_mut().enumerate() {
                if row.only.is_none_or(|only| only == at) {
                    part.ledger.enter(&mut part.report.counts, row.number, row.rejected || row.rejected_at.contains(&at));
                }
            }
        }
    }

    /// Takes operations back that could not be committed.
    pub fn withdraw(&self, run: &str, operations: &[Vec<u64>]) {
        for (at, operations) in operations.iter().enumerate() {
            for number in operations {
                self.settle(run, at, *number, None, Status::Pending);
            }
        }
    }

    /// Counts a verdict on one operation of a row.
    pub fn settle(&self, run: &str, at: usize, position: u64, endpoint: Option<&str>, status: Status) {
        let mut runs = self.lock();
        let Some(run) = runs.get_mut(run) else { return };
        let Some(part) = run.parts.get_mut(at) else { return };
        if let Some(endpoint) = endpoint {
            for endpoints in [&mut run.report.endpoints, &mut part.report.endpoints] {
                let counts = endpoint_counts(endpoints, endpoint);
                match status {
                    Status::Delivered => counts.delivered += 1,
                    Status::DeadLettered => counts.dead_lettered += 1,
                    Status::Skipped => counts.skipped += 1,
                    Status::Rejected | Status::Pending => {}
                }
            }
        }
        part.ledger.settle(&mut part.report.counts, position, status);
        run.all.settle(&mut run.report.counts, position, status);
        let part_is_over = part.ledger.under_way == 0;
        if run.all.under_way == 0 && run.detached {
            let over = run.report.run.clone();
            runs.remove(&over);
        }
        if part_is_over {
            self.settled.notify_waiters();
        }
    }

    pub fn skipped(&self, run: &str, at: usize, position: u64, reason: SkipReason, detail: &str) {
        let mut runs = self.lock();
        let Some(run) = runs.get_mut(run) else { return };
        let Some(part) = run.parts.get_mut(at) else { return };
        for reasons in [&mut run.report.skipped_by_reason, &mut part.report.skipped_by_reason] {
            *reasons.entry(reason.name().to_owned()).or_default() += 1;
        }
        let skip = RecordSkip { position, reason, detail: detail.to_owned(), destination: self.label(at) };
        keep(&mut run.report.skipped, std::iter::once(skip));
    }

    /// What answers call a destination by: nothing when there is no other.
    pub fn label(&self, at: usize) -> Option<String> {
        self.names.get(at).filter(|_| self.names.len() > 1).cloned()
    }

    /// Counts an operation that a job at the destination holds from now on, or no longer holds.
    pub fn in_job(&self, run: &str, at: usize, held: bool) {
        let mut runs = self.lock();
        let Some(run) = runs.get_mut(run) else { return };
        let Some(part) = run.parts.get_mut(at) else { return };
        for count in [&mut run.report.in_jobs, &mut part.report.in_jobs] {
            *count = if held { *count + 1 } else { count.saturating_sub(1) };
        }
    }

    pub fn retried(&self, run: &str, at: usize, endpoint: &str) {
        let mut runs = self.lock();
        let Some(run) = runs.get_mut(run) else { return };
        let Some(part) = run.parts.get_mut(at) else { return };
        for endpoints in [&mut run.report.endpoints, &mut part.report.endpoints] {
            endpoint_counts(endpoints, endpoint).retries += 1;
        }
    }

    /// Counts a request with every run that has something under way there: a request can carry rows of several.
    pub fn requested(&self, at: usize, endpoint: &str) {
        for run in self.lock().values_mut() {
            let Some(part) = run.parts.get_mut(at).filter(|part| part.ledger.under_way > 0) else { continue };
            for endpoints in [&mut run.report.endpoints, &mut part.report.endpoints] {
                endpoint_counts(endpoints, endpoint).requests += 1;
            }
        }
    }

    /// Keeps a remark of the destination with every run under way there.
    pub fn warned(&self, at: usize, text: &str) {
        for run in self.lock().values_mut() {
            let Some(part) = run.parts.get_mut(at).filter(|part| part.ledger.under_way > 0) else { continue };
            for warnings in [&mut run.report.warnings, &mut part.report.warnings] {
                if warnings.len() < EXAMPLES || warnings.contains_key(text) {
                    *warnings.entry(text.to_owned()).or_default() += 1;
                }
            }
        }
    }

    fn halted(&self) -> MutexGuard<'_, Vec<Option<String>>> {
        self.halted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Delivery to a destination does not go on: tells every run with something under way there, and wakes those who wait.
    pub fn stopped(&self, at: usize, why: &str) {
        if let Some(halted) = self.halted().get_mut(at) {
            *halted = Some(why.to_owned());
        }
        for run in self.lock().values_mut() {
            if let Some(part) = run.parts.get_mut(at).filter(|part| part.ledger.under_way > 0) {
                part.report.stopped = Some(why.to_owned());
                run.stops(&self.names);
            }
        }
        self.settled.notify_waiters();
    }

    /// Nobody waits any longer for what the run has under way there; it goes on.
    pub fn give_up(&self, run: &str, at: usize, why: &str) {
        let mut runs = self.lock();
        let Some(run) = runs.get_mut(run) else { return };
        if let Some(part) = run.parts.get_mut(at) {
            part.report.stopped = Some(why.to_owned());
            run.stops(&self.names);
        }
    }

    /// Delivery goes on: forgets an earlier stop.
    pub fn resumed(&self, at: usize) {
        if let Some(halted) = self.halted().get_mut(at) {
            *halted = None;
        }
        for run in self.lock().values_mut() {
            if let Some(part) = run.parts.get_mut(at).filter(|part| part.report.stopped.is_some()) {
                part.report.stopped = None;
                run.stops(&self.names);
            }
        }
    }

    /// Why delivery to a destination does not go on, if it does not.
    pub fn why_stopped(&self, at: usize) -> Option<String> {
        self.halted().get(at).cloned().flatten()
    }

    /// Waits until some run has nothing under way, but not longer than `most`.
    pub async fn some_settled(&self, most: std::time::Duration) {
        // A time-out is as good as a wake-up here: the caller looks for itself.
        let _ = tokio::time::timeout(most, self.settled.notified()).await;
    }

    /// Operations of the run that have no verdict yet at a destination, and those of them that a job holds.
    pub fn under_way(&self, run: &str, at: usize) -> (u64, u64) {
        let runs = self.lock();
        let part = runs.get(run).and_then(|run| run.parts.get(at));
        part.map_or((0, 0), |part| (part.ledger.under_way, part.report.in_jobs))
    }

    /// The report as it stands.
    pub fn report(&self, run: &str, now: Instant) -> Result<RunReport> {
        let mut runs = self.lock();
        let run = runs.get_mut(run).ok_or_else(unknown)?;
        run.report.finished_at = now;
        Ok(run.told(&self.names))
    }

    /// Nobody asks for the run any more: it goes once nothing of it is under way.
    pub fn detach(&self, run: &str) {
        let mut runs = self.lock();
        match runs.get_mut(run) {
            Some(busy) if busy.all.under_way > 0 => busy.detached = true,
            _ => drop(runs.remove(run)),
        }
    }

    /// Where the next row's position starts.
    pub fn positions(&self, run: &str) -> u64 {
        self.lock().get(run).map_or(0, |run| run.positions)
    }

    pub fn set_positions(&self, run: &str, next: u64) {
        if let Some(run) = self.lock().get_mut(run) {
            run.positions = next;
        }
    }

    pub fn progress(&self, now: Instant) -> Vec<Progress> {
        let mut all: Vec<Progress> = self
            .lock()
            .values()
            .map(|run| Progress {
                run: run.report.run.clone(),
                counts: run.report.counts.clone(),
                destinations: self.names.iter().cloned().zip(run.parts.iter().map(|part| part.report.counts.clone())).collect(),
                in_jobs: run.report.in_jobs,
                elapsed_s: (now - run.report.started_at).num_milliseconds().max(0) as f64 / 1000.0,
            })
            .collect();
        all.sort_by(|a, b| a.run.cmp(&b.run));
        all
    }
}

fn unknown() -> Error {
    Error::new(ErrorCode::InvalidInput, "this engine has no such run under way").at("/run")
}

fn endpoint_counts<'a>(all: &'a mut BTreeMap<String, EndpointCounts>, endpoint: &str) -> &'a mut EndpointCounts {
    if !all.contains_key(endpoint) {
        all.insert(endpoint.to_owned(), EndpointCounts::default());
    }
    all.entry(endpoint.to_owned()).or_default()
}

fn keep<T>(examples: &mut Vec<T>, more: impl Iterator<Item = T>) {
    let room = EXAMPLES.saturating_sub(examples.len());
    examples.extend(more.take(room));
}
