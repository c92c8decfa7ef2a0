//! Runs: who asked for what, and how it ended. Fed by acceptance and by delivery's events.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::answers::{EndpointCounts, Progress, RecordSkip, RunReport};
use crate::error::{Error, ErrorCode, Result};
use crate::model::{Instant, Mode, Rejection, SkipReason, Status};
use crate::sources::{Fetch, Ignored};

/// Most examples of one kind that a report keeps.
const EXAMPLES: usize = 100;

/// All runs of one engine that are not finished.
#[derive(Default)]
pub(super) struct Runs {
    runs: Mutex<HashMap<String, Run>>,
    /// Why delivery does not go on, if it does not.
    halted: Mutex<Option<String>>,
    /// Wakes those who wait for a run to have nothing under way.
    settled: Notify,
}

/// One run. Rows are kept only while something of them is under way.
struct Run {
    report: RunReport,
    rows: HashMap<u64, Row>,
    under_way: u64,
    /// Where the next row's position starts.
    positions: u64,
    /// Nobody will ask for it any more; it goes when nothing of it is under way.
    detached: bool,
}

#[derive(Default)]
struct Row {
    under_way: u32,
    delivered: bool,
    dead: bool,
}

/// What acceptance found of one part of the input.
#[derive(Default)]
pub(super) struct Intaken {
    pub rows: u64,
    pub rejected: Vec<Rejection>,
    pub skipped: Vec<RecordSkip>,
    pub findings: BTreeMap<&'static str, u64>,
    pub ignored: Vec<Ignored>,
    pub fetches: Vec<Fetch>,
    /// Operations under way by row.
    pub operations: Vec<u64>,
    /// Rows that became records, each once.
    pub record_rows: Vec<u64>,
}

impl Runs {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Run>> {
        // Counts stay usable even if a thread died while holding them.
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn start(&self, run: &str, destination: &str, mode: Mode, now: Instant) {
        let report = RunReport {
            run: run.to_owned(),
            destination: destination.to_owned(),
            mode,
            started_at: now,
            finished_at: now,
            ..RunReport::default()
        };
        self.lock().entry(run.to_owned()).or_insert(Run { report, rows: HashMap::new(), under_way: 0, positions: 0, detached: false });
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
        report.counts.rows += intaken.rows;
        report.counts.rejected += intaken.rejected.len() as u64;
        keep(&mut report.rejected, intaken.rejected.iter().cloned());
        for rejection in &intaken.rejected {
            for finding in &rejection.findings {
                *report.findings_by_code.entry(finding.code.name().to_owned()).or_default() += 1;
            }
        }
        for (code, count) in &intaken.findings {
            *report.findings_by_code.entry((*code).to_owned()).or_default() += count;
        }
        for skip in &intaken.skipped {
            *report.skipped_by_reason.entry(skip.reason.name().to_owned()).or_default() += 1;
        }
        let telling = |skip: &&RecordSkip| !matches!(skip.reason, SkipReason::Duplicate | SkipReason::Unchanged | SkipReason::Stale);
        keep(&mut report.skipped, intaken.skipped.iter().filter(telling).cloned());
        for ignored in &intaken.ignored {
            *report.ignored.entry(ignored.what.clone()).or_default() += 1;
        }
        for (reason, count) in [(SkipReason::Ignored, intaken.ignored.len()), (SkipReason::NeedsFetch, intaken.fetches.len())] {
            if count > 0 {
                *report.skipped_by_reason.entry(reason.name().to_owned()).or_default() += count as u64;
                report.counts.skipped += count as u64;
            }
        }
        keep(&mut report.fetches, intaken.fetches.iter().cloned());
        for position in &intaken.operations {
            let row = run.rows.entry(*position).or_default();
            row.under_way += 1;
            run.under_way += 1;
        }
        for position in &intaken.record_rows {
            match run.rows.contains_key(position) {
                true => run.report.counts.pending += 1,
                false => run.report.counts.skipped += 1,
            }
        }
    }

    /// Takes operations back that could not be committed.
    pub fn withdraw(&self, run: &str, operations: &[u64]) {
        for position in operations {
            self.settle(run, *position, None, Status::Pending);
        }
    }

    /// Counts a verdict on one operation of a row.
    pub fn settle(&self, run: &str, position: u64, endpoint: Option<&str>, status: Status) {
        let mut runs = self.lock();
        let Some(run) = runs.get_mut(run) else { return };
        if let Some(endpoint) = endpoint {
            let counts = endpoint_counts(&mut run.report.endpoints, endpoint);
            match status {
                Status::Delivered => counts.delivered += 1,
                Status::DeadLettered => counts.dead_lettered += 1,
                Status::Skipped => counts.skipped += 1,
                Status::Rejected | Status::Pending => {}
            }
        }
        let Some(row) = run.rows.get_mut(&position) else { return };
        row.under_way = row.under_way.saturating_sub(1);
        row.delivered |= status == Status::Delivered;
        row.dead |= status == Status::DeadLettered;
        run.under_way = run.under_way.saturating_sub(1);
        if row.under_way == 0 {
            let counts = &mut run.report.counts;
            counts.pending = counts.pending.saturating_sub(1);
            match (row.dead, row.delivered) {
                (true, _) => counts.dead_lettered += 1,
                (false, true) => counts.delivered += 1,
                (false, false) => counts.skipped += 1,
            }
            run.rows.remove(&position);
        }
        if run.under_way == 0 {
            if run.detached {
                let over = run.report.run.clone();
                runs.remove(&over);
            }
            self.settled.notify_waiters();
        }
    }

    pub fn skipped(&self, run: &str, position: u64, reason: SkipReason, detail: &str) {
        let mut runs = self.lock();
        let Some(run) = runs.get_mut(run) else { return };
        *run.report.skipped_by_reason.entry(reason.name().to_owned()).or_default() += 1;
        keep(&mut run.report.skipped, std::iter::once(RecordSkip { position, reason, detail: detail.to_owned() }));
    }

    /// Counts an operation that a job at the destination holds from now on, or no longer holds.
    pub fn in_job(&self, run: &str, held: bool) {
        if let Some(run) = self.lock().get_mut(run) {
            let count = &mut run.report.in_jobs;
            *count = if held { *count + 1 } else { count.saturating_sub(1) };
        }
    }

    pub fn retried(&self, run: &str, endpoint: &str) {
        if let Some(run) = self.lock().get_mut(run) {
            endpoint_counts(&mut run.report.endpoints, endpoint).retries += 1;
        }
    }

    /// Counts a request with every run that has something under way: a request can carry rows of several.
    pub fn requested(&self, endpoint: &str) {
        for run in self.lock().values_mut().filter(|run| run.under_way > 0) {
            endpoint_counts(&mut run.report.endpoints, endpoint).requests += 1;
        }
    }

    /// Keeps a remark of the destination with every run under way.
    pub fn warned(&self, text: &str) {
        for run in self.lock().values_mut().filter(|run| run.under_way > 0) {
            if run.report.warnings.len() < EXAMPLES || run.report.warnings.contains_key(text) {
                *run.report.warnings.entry(text.to_owned()).or_default() += 1;
            }
        }
    }

    fn halted(&self) -> MutexGuard<'_, Option<String>> {
        self.halted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Delivery does not go on: tells every run with something under way, and wakes those who wait.
    pub fn stopped(&self, why: &str) {
        *self.halted() = Some(why.to_owned());
        for run in self.lock().values_mut().filter(|run| run.under_way > 0) {
            run.report.stopped = Some(why.to_owned());
        }
        self.settled.notify_waiters();
    }

    /// Nobody waits for the run any longer; what is under way goes on.
    pub fn give_up(&self, run: &str, why: &str) {
        if let Some(run) = self.lock().get_mut(run) {
            run.report.stopped = Some(why.to_owned());
        }
    }

    /// Delivery goes on: forgets an earlier stop.
    pub fn resumed(&self) {
        *self.halted() = None;
        for run in self.lock().values_mut() {
            run.report.stopped = None;
        }
    }

    /// Why delivery does not go on, if it does not.
    pub fn why_stopped(&self) -> Option<String> {
        self.halted().clone()
    }

    /// Waits until some run has nothing under way, but not longer than `most`.
    pub async fn some_settled(&self, most: std::time::Duration) {
        // A time-out is as good as a wake-up here: the caller looks for itself.
        let _ = tokio::time::timeout(most, self.settled.notified()).await;
    }

    /// Operations of the run that have no verdict yet, and those of them that a job holds.
    pub fn under_way(&self, run: &str) -> (u64, u64) {
        self.lock().get(run).map_or((0, 0), |run| (run.under_way, run.report.in_jobs))
    }

    /// The report as it stands.
    pub fn report(&self, run: &str, now: Instant) -> Result<RunReport> {
        let mut runs = self.lock();
        let run = runs.get_mut(run).ok_or_else(unknown)?;
        run.report.finished_at = now;
        Ok(run.report.clone())
    }

    /// Nobody asks for the run any more: it goes once nothing of it is under way.
    pub fn detach(&self, run: &str) {
        let mut runs = self.lock();
        match runs.get_mut(run) {
            Some(busy) if busy.under_way > 0 => busy.detached = true,
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
