//! `normalize`, `validate`, `build`: no state, no network, no clock but the one given.

use std::collections::BTreeMap;

use serde::Serialize;

use super::answers::{Normalized, RecordFinding, RecordSkip, ValidationReport};
use super::options::{Format, PipelineOptions, parse};
use super::track::{SIGNAL, Storefront};
use crate::destinations::{Destination, Method, Operation};
use crate::error::{Error, ErrorCode, Result};
use crate::json;
use crate::model::{Finding, FindingCode, Instant, Mode, Rejection};
use crate::pipeline::{self, Checked, Draft, Layout, Refused, batch, intake};
use crate::sources::{DecodeContext, Decoded, Fetch, Ignored, Source};

/// More threads than this are a slip of the keyboard.
const MOST_THREADS: usize = 256;

/// Compiled options, for calling many times. Shareable between threads.
pub struct Pipeline {
    source: Option<Box<dyn Source>>,
    /// In place of the source where the data are signals.
    storefront: Option<Storefront>,
    destination: Option<Box<dyn Destination>>,
    validate: crate::validate::Config,
    mode: Mode,
    now: Option<Instant>,
    resource: Option<String>,
    layout: Layout,
    max_record_bytes: usize,
    threads: usize,
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pipeline")
            .field("source", &self.source.as_ref().map(|source| source.name()))
            .field("destination", &self.destination.as_ref().map(|destination| destination.name()))
            .finish_non_exhaustive()
    }
}

impl From<Format> for Layout {
    fn from(format: Format) -> Self {
        match format {
            Format::Auto => Layout::Auto,
            Format::Json => Layout::Json,
            Format::Ndjson => Layout::Lines,
        }
    }
}

/// What one thread makes of its share of the input.
#[derive(Default)]
struct Share {
    /// Positions taken: one a line, more for a line of several rows.
    extent: u64,
    drafts: Vec<Draft>,
    checked: Vec<Checked>,
    rejected: Vec<Rejection>,
    ignored: Vec<Ignored>,
    fetches: Vec<Fetch>,
}

impl Share {
    /// Adds the share of the lines behind.
    fn append(&mut self, mut other: Share) {
        let first = self.extent;
        other.drafts.iter_mut().for_each(|row| row.position += first);
        other.checked.iter_mut().for_each(|row| row.position += first);
        other.rejected.iter_mut().for_each(|row| row.position += first);
        other.ignored.iter_mut().for_each(|row| row.position += first);
        other.fetches.iter_mut().for_each(|row| row.position += first);
        self.extent += other.extent;
        self.drafts.append(&mut other.drafts);
        self.checked.append(&mut other.checked);
        self.rejected.append(&mut other.rejected);
        self.ignored.append(&mut other.ignored);
        self.fetches.append(&mut other.fetches);
    }
}

impl Pipeline {
    /// Compiles [`PipelineOptions`].
    ///
    /// # Errors
    /// `invalid_config`, `unknown_name`.
    pub fn new(options: &[u8]) -> Result<Pipeline> {
        let options: PipelineOptions = parse(options)?;
        let source = options.source.clone().map(super::options::SourceChoice::open).transpose()?;
        Ok(Pipeline {
            storefront: (options.resource.as_deref() == Some(SIGNAL)).then(|| Storefront::of(source.as_deref())),
            source,
            destination: options.destination.clone().map(super::options::DestinationChoice::open).transpose()?,
            mode: options.mode,
            now: options.now,
            layout: options.format.into(),
            max_record_bytes: options.max_record_bytes(),
            threads: match options.threads {
                None => 1,
                Some(0) => std::thread::available_parallelism().map_or(1, usize::from),
                Some(threads) => threads.min(MOST_THREADS),
            },
            resource: options.resource,
            validate: options.validate,
        })
    }

    /// Source bytes to canonical records: [`Normalized`] as JSON.
    ///
    /// # Errors
    /// `invalid_config` when no source is set.
    pub fn normalize(&self, data: &[u8]) -> Result<Vec<u8>> {
        let source = self.reader().ok_or_else(|| missing("source"))?;
        let mut decoded = Decoded::default();
        intake::read(Some(source), self.layout, data, &self.context(), &mut decoded);
        let mut answer =
            Normalized { rejected: decoded.rejected, ignored: decoded.ignored, fetches: decoded.fetches, ..Normalized::default() };
        for row in decoded.records {
            located(row.position, row.findings, &mut answer.findings);
            answer.positions.push(row.position);
            answer.records.push(row.record);
        }
        json(&answer, data.len())
    }

    /// What is wrong with the rows: [`ValidationReport`] as JSON. Takes source bytes when a source is set, else canonical
    /// records. A row that cannot be read at all is in its `rejected`.
    ///
    /// # Errors
    /// `internal` only.
    pub fn validate(&self, data: &[u8]) -> Result<Vec<u8>> {
        let share = self.spread(data, None);
        let mut report = ValidationReport { records: share.checked.len() as u64, ..ValidationReport::default() };
        for row in share.checked {
            located(row.position, row.findings, &mut report.findings);
        }
        for row in share.rejected {
            report.records += u64::from(row.findings.iter().all(|finding| !finding.code.name().starts_with("record.")));
            for finding in &row.findings {
                *report.counts.entry(finding.code.name().to_owned()).or_default() += 1;
            }
            report.rejected.push(row);
        }
        for finding in &report.findings {
            *report.counts.entry(finding.code.name().to_owned()).or_default() += 1;
        }
        report.ok = report.rejected.is_empty();
        json(&report, 1024)
    }

    /// What would be sent: [`super::answers::Plan`] as JSON. Takes source bytes when a source is set, else canonical
    /// records.
    ///
    /// # Errors
    /// `invalid_config` when no destination is set.
    pub fn build(&self, data: &[u8]) -> Result<Vec<u8>> {
        let destination = self.destination.as_deref().ok_or_else(|| missing("destination"))?;
        let mut share = self.spread(data, Some(destination));
        pipeline::provide(&mut share.drafts);
        let mut operations = Vec::with_capacity(share.drafts.len());
        let mut skipped = Vec::new();
        let mut findings = Vec::new();
        for draft in share.drafts {
            let position = draft.position;
            operations.extend(draft.operations.into_iter().map(|operation| (position, operation)));
            skipped.extend(draft.skipped.into_iter().map(|skip| RecordSkip {
                position,
                reason: skip.reason,
                detail: skip.detail,
                destination: None,
            }));
            located(position, draft.findings, &mut findings);
        }
        let rest = Rest { skipped, findings, rejected: share.rejected, ignored: share.ignored, fetches: share.fetches };
        write_plan(&[Planned { name: destination.name(), destination, operations }], rest)
    }

    /// Who reads the data.
    fn reader(&self) -> Option<&dyn Source> {
        self.storefront.as_ref().map(|one| -> &dyn Source { one }).or(self.source.as_deref())
    }

    fn context(&self) -> DecodeContext<'_> {
        DecodeContext {
            mode: self.mode,
            resource: self.resource.as_deref(),
            max_record_bytes: self.max_record_bytes,
            ..DecodeContext::at(self.now())
        }
    }

    // The façade is the edge where "now" comes from; everything below takes it as an argument.
    fn now(&self) -> Instant {
        self.now.unwrap_or_else(chrono::Utc::now)
    }

    /// Reads, validates and (with a destination) builds, over as many threads as the options say. The outcome does not
    /// depend on their number.
    fn spread(&self, data: &[u8], destination: Option<&dyn Destination>) -> Share {
        let context = self.context();
        if self.threads < 2 || !self.layout.is_lines(data) {
            return self.share(data, self.layout, &context, destination);
        }
        let mut cuts = Vec::with_capacity(self.threads);
        let mut rest = data;
        for left in (1..=self.threads).rev() {
            let end = match memchr::memchr(b'\n', &rest[rest.len() / left..]) {
                Some(end) if left > 1 => rest.len() / left + end + 1,
                _ => rest.len(),
            };
            let (cut, after) = rest.split_at(end);
            if !cut.is_empty() {
                cuts.push(cut);
            }
            rest = after;
        }
        let mut whole = Share::default();
        std::thread::scope(|scope| {
            let workers: Vec<_> =
                cuts.into_iter().map(|cut| scope.spawn(move || self.share(cut, Layout::Lines, &context, destination))).collect();
            for worker in workers {
                match worker.join() {
                    Ok(share) => whole.append(share),
                    // A panic is a defect; hand it to the boundary that turns it into `internal`.
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
        });
        whole
    }

    fn share(&self, data: &[u8], layout: Layout, context: &DecodeContext<'_>, destination: Option<&dyn Destination>) -> Share {
        let mut decoded = Decoded::default();
        let judge = self.validate.context(context.observed_at);
        let mut share = Share::default();
        let mut refused = Vec::new();
        // Record by record while it is in the processor's cache, not stage by stage over all of them.
        share.extent = intake::read_each(self.reader(), layout, data, context, &mut decoded, &mut |decoded| {
            for row in decoded.records.drain(..) {
                match pipeline::check(row, &judge) {
                    Err(Refused::Nameless(_, fetch)) if destination.is_some() => share.fetches.push(fetch),
                    Err(rejected) => refused.push(rejected.into_rejection()),
                    Ok(checked) => match destination {
                        None => share.checked.push(checked),
                        Some(destination) => {
                            match pipeline::draft(checked.position, &checked.record, checked.findings, destination, &judge) {
                                Ok(draft) => share.drafts.push(draft),
                                Err(rejection) => refused.push(rejection),
                            }
                        }
                    },
                }
            }
        });
        share.rejected = decoded.rejected;
        share.rejected.append(&mut refused);
        share.ignored = decoded.ignored;
        decoded.fetches.append(&mut share.fetches);
        share.fetches = decoded.fetches;
        share.rejected.sort_by_key(|row| row.position);
        share
    }
}

fn missing(what: &'static str) -> Error {
    Error::new(ErrorCode::InvalidConfig, format!("`{what}` is needed for this call")).at(format!("/{what}"))
}

/// Findings with the position of their row.
pub(super) fn located(position: u64, findings: Vec<Finding>, out: &mut Vec<RecordFinding>) {
    out.extend(findings.into_iter().map(|finding| RecordFinding {
        position,
        code: finding.code,
        pointer: finding.pointer,
        severity: finding.severity,
        message: finding.message,
    }));
}

/// What a plan has for one destination: operations with the positions of their rows.
pub(super) struct Planned<'a> {
    pub name: &'a str,
    pub destination: &'a dyn Destination,
    pub operations: Vec<(u64, Operation)>,
}

/// The parts of a plan besides its requests.
#[derive(Serialize)]
pub(super) struct Rest {
    pub skipped: Vec<RecordSkip>,
    pub findings: Vec<RecordFinding>,
    pub rejected: Vec<Rejection>,
    pub ignored: Vec<Ignored>,
    pub fetches: Vec<Fetch>,
}

/// Writes a plan. Bodies are copied as they are: they can be most of the bytes, and reading them again would cost more
/// than building them did.
pub(super) fn write_plan(parts: &[Planned<'_>], mut rest: Rest) -> Result<Vec<u8>> {
    #[derive(Serialize)]
    struct Head<'a> {
        destination: &'a str,
        endpoint: &'a str,
        method: Method,
        path: &'a str,
        headers: BTreeMap<&'a str, &'a str>,
        positions: Vec<u64>,
        idempotency_keys: Vec<&'a str>,
    }
    let all = parts.iter().flat_map(|part| &part.operations);
    let bytes: usize = all.map(|(_, operation)| operation.body.len() + 256).sum();
    let mut out = Vec::with_capacity(bytes + 256);
    out.extend_from_slice(b"{\"requests\":[");
    let mut first = true;
    for Planned { name, destination, operations } in parts {
        let rows: Vec<&Operation> = operations.iter().map(|(_, operation)| operation).collect();
        let plan = batch::plan(*destination, &rows)?;
        for (index, refusal) in plan.refused {
            let finding = Finding::new(FindingCode::ValueUnsupported, "", refusal.message);
            let destination = (parts.len() > 1).then(|| (*name).to_owned());
            rest.rejected.push(Rejection { position: operations[index].0, resource: None, destination, findings: vec![finding] });
        }
        for planned in plan.requests {
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            let request = planned.request;
            let head = Head {
                destination: name,
                endpoint: &request.endpoint,
                method: request.method,
                path: &request.path,
                headers: request.headers.iter().map(|(name, value)| (*name, value.as_str())).collect(),
                positions: planned.operations.iter().map(|index| operations[*index].0).collect(),
                idempotency_keys: planned.operations.iter().map(|index| operations[*index].1.idempotency_key.as_str()).collect(),
            };
            json::append(&mut out, &head).map_err(internal)?;
            out.pop(); // the closing brace, to go on with the body
            out.extend_from_slice(b",\"body\":");
            out.extend_from_slice(request.body.as_deref().unwrap_or(b"null"));
            out.push(b'}');
        }
    }
    out.push(b']');
    let behind = out.len();
    json::append(&mut out, &rest).map_err(internal)?;
    out[behind] = b','; // in place of the opening brace
    Ok(out)
}

pub(super) fn json<T: Serialize>(answer: &T, capacity: usize) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(capacity);
    json::append(&mut out, answer).map_err(internal)?;
    Ok(out)
}

pub(super) fn internal(error: serde_json::Error) -> Error {
    Error::new(ErrorCode::Internal, "an answer could not be written").because(error)
}

/// A body as it is, for answers that carry one.
#[cfg(feature = "delivery")]
pub(super) fn raw(body: &[u8]) -> Result<Box<serde_json::value::RawValue>> {
    let text = if body.is_empty() { "null".into() } else { String::from_utf8_lossy(body) };
    serde_json::value::RawValue::from_string(text.into_owned()).map_err(internal)
}

/// [`Pipeline::normalize`] in one call.
///
/// # Errors
/// As [`Pipeline::new`] and [`Pipeline::normalize`].
pub fn normalize(options: &[u8], data: &[u8]) -> Result<Vec<u8>> {
    Pipeline::new(options)?.normalize(data)
}

/// [`Pipeline::validate`] in one call.
///
/// # Errors
/// As [`Pipeline::new`] and [`Pipeline::validate`].
pub fn validate(options: &[u8], data: &[u8]) -> Result<Vec<u8>> {
    Pipeline::new(options)?.validate(data)
}

/// [`Pipeline::build`] in one call.
///
/// # Errors
/// As [`Pipeline::new`] and [`Pipeline::build`].
pub fn build(options: &[u8], data: &[u8]) -> Result<Vec<u8>> {
    Pipeline::new(options)?.build(data)
}
