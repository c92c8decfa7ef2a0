//! Acceptance: rows in, decided operations out, ready to be committed in one transaction.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::answers::{RecordFinding, RecordSkip};
use super::options::{CallOptions, Fix};
use super::pure::located;
use super::runs::Intaken;
use super::track::{SIGNAL, Storefront};
use crate::decide::{self, ConsentConfig, Decision, EventsConfig, consent};
use crate::destinations::{Destination, Operation, Skip};
use crate::error::{Error, ErrorCode, Result};
use crate::model::{Body, Channel, ConsentStatus, Instant, Mode, Record, Rejection, SkipReason};
use crate::pipeline::{self, Draft, Layout, Refused, intake};
use crate::sources::{DecodeContext, Decoded, Fetch, Ignored, Source};
use crate::state::{Acceptance, ConsentRow, DeadLetter, KeyStatus, Known, NewOperation, StateStore, Subject};

/// Where rows are taken in. Reads the state, never writes it: what it decides is committed by the engine.
pub(super) struct Desk {
    pub source: Option<Box<dyn Source>>,
    pub destination: Arc<dyn Destination>,
    pub store: Arc<dyn StateStore>,
    pub validate: crate::validate::Config,
    pub consent: ConsentConfig,
    pub events: EventsConfig,
    pub max_record_bytes: usize,
}

/// What became of some rows.
#[derive(Default)]
pub(super) struct Taken {
    pub rows: u64,
    /// The position behind the last row.
    pub next: u64,
    pub acceptance: Acceptance,
    pub accepted: u64,
    pub skipped: Vec<RecordSkip>,
    pub findings: Vec<RecordFinding>,
    pub rejected: Vec<Rejection>,
    pub ignored: Vec<Ignored>,
    pub fetches: Vec<Fetch>,
    record_rows: Vec<u64>,
}

impl Taken {
    /// The same as the run's counts want it.
    pub fn intaken(&self) -> Intaken {
        let mut findings: BTreeMap<&'static str, u64> = BTreeMap::new();
        for finding in &self.findings {
            *findings.entry(finding.code.name()).or_default() += 1;
        }
        let fetched = self.fetches.iter().map(|fetch| fetch.position);
        let refused: HashSet<u64> = self.rejected.iter().map(|row| row.position).chain(fetched).collect();
        let mut record_rows: Vec<u64> = self.record_rows.iter().copied().filter(|position| !refused.contains(position)).collect();
        record_rows.dedup();
        Intaken {
            rows: self.rows,
            rejected: self.rejected.clone(),
            skipped: self.skipped.clone(),
            findings,
            ignored: self.ignored.clone(),
            fetches: self.fetches.clone(),
            operations: self.acceptance.operations.iter().map(|new| new.position).collect(),
            record_rows,
        }
    }

    pub(super) fn skip(&mut self, position: u64, skip: Skip) {
        self.skipped.push(RecordSkip { position, reason: skip.reason, detail: skip.detail });
    }
}

/// What replaying some dead letters comes to.
pub(super) struct Redraft {
    pub intaken: Intaken,
    pub replays: Vec<(u64, Option<Operation>)>,
    /// Letters that must not be sent any more, such as those of someone who was erased.
    pub discarded: Vec<u64>,
}

/// What must be remembered of a person, looked up once for all rows of a chunk.
#[derive(Default)]
struct Memory {
    consents: HashMap<String, Vec<ConsentRow>>,
    erased: HashSet<String>,
}

impl Memory {
    fn newest<'a>(&'a self, people: &'a [String], channel: &Channel) -> Option<&'a ConsentRow> {
        consent::newest(people.iter().filter_map(|person| self.consents.get(person)).flatten(), channel)
    }
}

/// A row's draft with the record it came from.
struct Pending {
    draft: Draft,
    record: Vec<u8>,
}

impl Desk {
    /// Decodes, validates, weighs consent, builds and decides. Nothing is committed.
    pub fn take(&self, data: &[u8], options: &CallOptions, mode: Mode, layout: Layout, position: u64, now: Instant) -> Result<Taken> {
        let context = DecodeContext {
            mode,
            resource: options.resource.as_deref(),
            correlation_id: options.correlation_id.as_deref(),
            position,
            max_record_bytes: self.max_record_bytes,
            ..DecodeContext::at(now)
        };
        let mut decoded = Decoded::default();
        let storefront = (options.resource.as_deref() == Some(SIGNAL)).then(|| Storefront::of(self.source.as_deref()));
        let source = storefront.as_ref().map(|one| -> &dyn Source { one }).or(self.source.as_deref());
        let next = intake::read(source, layout, data, &context, &mut decoded);
        let mut taken = Taken {
            rows: decoded.rows,
            next,
            rejected: decoded.rejected,
            ignored: decoded.ignored,
            fetches: decoded.fetches,
            record_rows: decoded.records.iter().map(|row| row.position).collect(),
            ..Taken::default()
        };
        taken.acceptance.destination = self.destination.name().to_owned();
        let judge = self.validate.context(now);
        let mut checked = Vec::with_capacity(decoded.records.len());
        for mut row in decoded.records {
            if source.is_none() && options.mode.is_some() {
                row.record.envelope.mode = mode;
            }
            match pipeline::check(row, &judge) {
                Ok(row) => checked.push(row),
                Err(Refused::Nameless(_, fetch)) => taken.fetches.push(fetch),
                Err(refused) => taken.rejected.push(refused.into_rejection()),
            }
        }
        let checked = self.with_events(checked, &mut taken)?;
        let people: Vec<Vec<String>> = checked.iter().map(|row| self.people(&row.record)).collect();
        let mut memory = self.remember(&people)?;
        let mut pending = Vec::with_capacity(checked.len());
        for (mut row, people) in checked.into_iter().zip(&people) {
            let position = row.position;
            let record = serde_json::to_vec(&row.record).map_err(super::pure::internal)?;
            if let Some(skip) = self.gate(&mut row.record, people, &mut memory, &mut taken, position) {
                taken.skip(position, skip);
                continue;
            }
            match pipeline::draft(position, &row.record, row.findings, &*self.destination, &judge) {
                Ok(mut draft) => {
                    if row.derived {
                        super::derived::quiet(&mut draft);
                    }
                    pending.push(Pending { draft, record });
                }
                // What is wrong with the event is wrong with its order, which was told already.
                Err(rejection) if row.derived => drop(rejection),
                Err(rejection) => taken.rejected.push(rejection),
            }
        }
        self.decide(pending, &mut taken)?;
        Ok(taken)
    }

    /// Rebuilds dead letters under what is known and configured today.
    pub fn redraft(&self, letters: Vec<DeadLetter>, fixes: Vec<Fix>, now: Instant) -> Result<Redraft> {
        let mut fixes: HashMap<u64, Record> = fixes.into_iter().map(|fix| (fix.id, fix.record)).collect();
        let judge = self.validate.context(now);
        let mut redraft = Redraft { intaken: Intaken::default(), replays: Vec::new(), discarded: Vec::new() };
        for (place, letter) in letters.into_iter().enumerate() {
            let place = place as u64;
            let skip = |skip: Skip| RecordSkip { position: place, reason: skip.reason, detail: skip.detail };
            redraft.intaken.rows += 1;
            let record = match fixes.remove(&letter.id) {
                Some(record) => record,
                None => serde_json::from_slice(&letter.record)
                    .map_err(|error| Error::new(ErrorCode::StateCorrupt, "the record of a dead letter cannot be read").because(error))?,
            };
            let row = crate::sources::DecodedRecord { position: place, record, findings: Vec::new() };
            let mut row = match pipeline::check(row, &judge) {
                Ok(row) => row,
                Err(refused) => {
                    redraft.intaken.rejected.push(refused.into_rejection());
                    continue;
                }
            };
            redraft.intaken.record_rows.push(place);
            let people = self.people(&row.record);
            let mut memory = self.remember(std::slice::from_ref(&people))?;
            let mut aside = Taken::default();
            if let Some(why) = self.gate(&mut row.record, &people, &mut memory, &mut aside, place) {
                if why.reason == SkipReason::Erased {
                    redraft.discarded.push(letter.id);
                }
                redraft.intaken.skipped.push(skip(why));
                continue;
            }
            redraft.intaken.skipped.append(&mut aside.skipped);
            let draft = match pipeline::draft(place, &row.record, row.findings, &*self.destination, &judge) {
                Ok(draft) => draft,
                Err(rejection) => {
                    redraft.intaken.record_rows.pop();
                    redraft.intaken.rejected.push(rejection);
                    continue;
                }
            };
            // The same effect again: by key, or, where a correction changed the key, by endpoint and entity.
            let same = |operation: &Operation| operation.idempotency_key == letter.operation.idempotency_key;
            let alike =
                |operation: &Operation| operation.endpoint == letter.operation.endpoint && operation.entity == letter.operation.entity;
            let endpoint = |operation: &Operation| operation.endpoint == letter.operation.endpoint;
            let mut built = draft.operations;
            let found = [&same as &dyn Fn(&Operation) -> bool, &alike, &endpoint].iter().find_map(|test| built.iter().position(test));
            match found {
                Some(index) => {
                    let mut operation = built.swap_remove(index);
                    // A letter is from the past: what was accepted of the same entity since then stands.
                    let subject = Subject { entity: &operation.entity, idempotency_key: letter.operation.idempotency_key.as_str() };
                    let known = self.store.known(self.destination.name(), &[subject])?.pop().unwrap_or_default();
                    if !operation.once && known.version > letter.operation.version.max(operation.version) {
                        redraft.discarded.push(letter.id);
                        redraft.intaken.skipped.push(skip(Skip::new(SkipReason::Stale, "a newer version was accepted since it died")));
                        continue;
                    }
                    operation.idempotency_key = letter.operation.idempotency_key.clone();
                    // Positions in the store stay those of the first run; the report counts by letter.
                    redraft.intaken.operations.push(letter.position);
                    redraft.replays.push((letter.id, Some(operation)));
                    if let Some(last) = redraft.intaken.record_rows.last_mut() {
                        *last = letter.position;
                    }
                }
                None => {
                    let why = draft.skipped.into_iter().next();
                    redraft.intaken.skipped.push(skip(why.unwrap_or_else(|| {
                        Skip::new(SkipReason::NotConfigured, "under today's settings the record no longer leads to this call")
                    })));
                }
            }
        }
        Ok(redraft)
    }

    fn people(&self, record: &Record) -> Vec<String> {
        decide::people(&record.envelope.source, &record.envelope.tenant, &record.envelope.identity)
    }

    fn remember(&self, people: &[Vec<String>]) -> Result<Memory> {
        let mut names: Vec<&str> = people.iter().flatten().map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        if names.is_empty() {
            return Ok(Memory::default());
        }
        let consents = self.store.consents(&names)?;
        let erased = self.store.erased(&names)?;
        Ok(Memory {
            consents: names
                .iter()
                .zip(consents)
                .filter(|(_, rows)| !rows.is_empty())
                .map(|(name, rows)| ((*name).to_owned(), rows))
                .collect(),
            erased: names.iter().zip(erased).filter(|(_, erased)| *erased).map(|(name, _)| (*name).to_owned()).collect(),
        })
    }

    /// Erasure, then consent. Leaves in a contact only the permissions that may be written, and notes what was heard.
    fn gate(&self, record: &mut Record, people: &[String], memory: &mut Memory, taken: &mut Taken, position: u64) -> Option<Skip> {
        if let Body::ContactDeleted(deleted) = &record.body {
            if deleted.erase {
                taken.acceptance.erasures.extend(people.iter().cloned());
                memory.erased.extend(people.iter().cloned());
            }
            return None;
        }
        if people.iter().any(|person| memory.erased.contains(person)) {
            return Some(Skip::new(SkipReason::Erased, "the person is in the erasure ledger"));
        }
        let observed_at = record.envelope.observed_at;
        if let Body::Contact(contact) = &mut record.body {
            let stated = std::mem::take(&mut contact.consents);
            for stated in stated {
                match consent::weigh(self.consent.rule, &stated, memory.newest(people, &stated.channel)) {
                    None => contact.consents.push(stated.clone()),
                    Some(skip) => taken.skip(position, skip),
                }
                for person in people {
                    let row = consent::row(person, &stated, observed_at);
                    // Every sync repeats what was said once; only news makes history.
                    let told = memory.consents.get(person).into_iter().flatten();
                    if told
                        .into_iter()
                        .any(|old| old.channel == row.channel && old.status == row.status && (stated.at.is_none() || old.at == row.at))
                    {
                        continue;
                    }
                    taken.acceptance.consents.push(row.clone());
                    memory.consents.entry(person.clone()).or_default().push(row);
                }
            }
            return None;
        }
        if self.consent.require_for.iter().any(|kind| kind == record.body.kind()) {
            let channel = self.consent.require_channel.clone().unwrap_or(Channel::Email);
            let said = memory.newest(people, &channel).map(|row| row.status);
            return match said {
                Some(ConsentStatus::Granted) => None,
                Some(ConsentStatus::Denied) => {
                    Some(Skip::new(SkipReason::ConsentDenied, format!("a no for {} is remembered", channel.as_str())))
                }
                _ => Some(Skip::new(SkipReason::ConsentUnknown, format!("no yes for {} is remembered", channel.as_str()))),
            };
        }
        None
    }

    /// Stale, duplicate, unchanged; rows of one chunk see those before them.
    fn decide(&self, pending: Vec<Pending>, taken: &mut Taken) -> Result<()> {
        let known = {
            let subjects: Vec<Subject<'_>> = pending
                .iter()
                .flat_map(|row| &row.draft.operations)
                .map(|operation| Subject { entity: &operation.entity, idempotency_key: operation.idempotency_key.as_str() })
                .collect();
            self.store.known(self.destination.name(), &subjects)?
        };
        let mut known = known.into_iter();
        let mut seen = Overlay::default();
        for Pending { draft, record } in pending {
            let position = draft.position;
            located(position, draft.findings, &mut taken.findings);
            taken.acceptance.withheld.extend(draft.withheld.iter().map(|key| key.as_str().to_owned()));
            for skip in draft.skipped {
                taken.skip(position, skip);
            }
            for operation in draft.operations {
                let mut known =
                    known.next().ok_or_else(|| Error::new(ErrorCode::Internal, "the state answered for fewer subjects than asked"))?;
                seen.cover(&operation, &mut known);
                let null_clears =
                    self.destination.capabilities().endpoint(&operation.endpoint).is_some_and(|endpoint| endpoint.null_clears);
                match decide::decide(&operation, &known, draft.mode, null_clears)? {
                    Decision::Skip(skip) => {
                        if let (SkipReason::Unchanged, Some(version)) = (skip.reason, operation.version) {
                            taken.acceptance.versions.push((operation.entity.clone(), version));
                        }
                        taken.skip(position, skip);
                    }
                    Decision::Send(reduced) => {
                        for gone in supersede(&mut taken.acceptance.operations, &operation) {
                            taken.skip(gone, Skip::new(SkipReason::Superseded, "something newer came in the same batch"));
                        }
                        if operation.once {
                            // What happened cannot be undone: a cart that became an order is no cart any more, neither from
                            // a dead letter nor from an older export.
                            let closed = operation.supersedes.iter().map(|entity| (entity.clone(), CLOSED));
                            taken.acceptance.versions.extend(closed);
                        }
                        seen.note(&operation, reduced.fingerprints.keys());
                        taken.acceptance.operations.push(NewOperation {
                            operation: Operation { body: reduced.body, ..operation },
                            fingerprints: reduced.fingerprints,
                            record: record.clone(),
                            run: None,
                            position,
                        });
                    }
                }
            }
        }
        Ok(())
    }
}

/// A version that no source counts up to, for entities that are over.
const CLOSED: u64 = i64::MAX.unsigned_abs();

/// Removes operations of the same batch that a newer one makes pointless; answers their positions.
fn supersede(operations: &mut Vec<NewOperation>, newer: &Operation) -> Vec<u64> {
    let mut gone = Vec::new();
    if !newer.supersedes.is_empty() {
        operations.retain(|old| {
            let keep = !newer.supersedes.contains(&old.operation.entity);
            if !keep {
                gone.push(old.position);
            }
            keep
        });
    }
    gone
}

/// What earlier rows of the same chunk will have changed once it is committed.
#[derive(Default)]
struct Overlay {
    entities: HashMap<String, (Option<u64>, Vec<String>)>,
    keys: HashSet<String>,
}

impl Overlay {
    fn cover(&self, operation: &Operation, known: &mut Known) {
        if let Some((version, members)) = self.entities.get(&operation.entity) {
            known.version = known.version.max(*version);
            known.pending = true;
            known.pending_members.extend(members.iter().cloned());
        }
        if self.keys.contains(operation.idempotency_key.as_str()) {
            known.key = Some(KeyStatus::Pending);
        }
    }

    fn note<'a>(&mut self, operation: &Operation, members: impl Iterator<Item = &'a String>) {
        let entity = self.entities.entry(operation.entity.clone()).or_default();
        entity.0 = entity.0.max(operation.version);
        entity.1.extend(members.cloned());
        for closed in operation.supersedes.iter().filter(|_| operation.once) {
            self.entities.entry(closed.clone()).or_default().0 = Some(CLOSED);
        }
        self.keys.insert(operation.idempotency_key.as_str().to_owned());
    }
}
