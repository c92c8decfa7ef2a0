//! Acceptance: rows in, decided operations out, ready to be committed in one transaction.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::addresses::Addresses;
use super::answers::{RecordFinding, RecordSkip};
use super::derived::{Brought, Entry};
use super::options::{CallOptions, Fix};
use super::pure::located;
use super::runs::{Intaken, IntakenRow};
use super::track::{SIGNAL, Storefront};
use crate::decide::delta::Reduced;
use crate::decide::{self, CLOSED, ConsentConfig, Decision, EventsConfig, consent};
use crate::destinations::{Destination, Given, Operation, Skip};
use crate::error::{Error, ErrorCode, Result};
use crate::model::{Body, Channel, ConsentStatus, Instant, Mode, Record, Rejection, SkipReason};
use crate::pipeline::{self, Checked, Draft, Layout, Refused, intake};
use crate::sources::{DecodeContext, Decoded, Fetch, Ignored, Source};
use crate::state::{Acceptance, ConsentRow, DeadLetter, KeyStatus, Known, KnownEmail, NewOperation, StateStore, Subject};
use crate::validate::ValidateContext;

/// Where rows are taken in. Reads the state, never writes it: what it decides is committed by the engine.
pub(super) struct Desk {
    pub source: Option<Arc<dyn Source>>,
    pub targets: Vec<Target>,
    pub store: Arc<dyn StateStore>,
    pub validate: crate::validate::Config,
    pub consent: ConsentConfig,
    pub events: EventsConfig,
    pub max_record_bytes: usize,
}

/// A destination under the name the state knows it by.
pub(super) struct Target {
    pub name: String,
    pub destination: Arc<dyn Destination>,
}

/// How some rows are to be taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input {
    pub mode: Mode,
    pub layout: Layout,
    pub brought: Brought,
}

/// What became of some rows.
#[derive(Default)]
pub(super) struct Taken {
    /// The position behind the last row.
    pub next: u64,
    /// By destination, to be committed together.
    pub acceptances: Vec<Acceptance>,
    pub accepted: u64,
    pub skipped: Vec<RecordSkip>,
    pub findings: Vec<RecordFinding>,
    pub rejected: Vec<Rejection>,
    pub ignored: Vec<Ignored>,
    pub fetches: Vec<Fetch>,
    /// Positions of the rows that became records.
    pub record_rows: Vec<u64>,
}

impl Taken {
    /// The same as the run's counts want it.
    pub fn intaken(&self, names: &[Target]) -> Intaken {
        let mut findings: BTreeMap<&'static str, u64> = BTreeMap::new();
        for finding in &self.findings {
            *findings.entry(finding.code.name()).or_default() += 1;
        }
        let mut rows: BTreeMap<u64, IntakenRow> = BTreeMap::new();
        let others = self.ignored.iter().map(|row| row.position).chain(self.fetches.iter().map(|fetch| fetch.position));
        for number in self.record_rows.iter().copied().chain(others) {
            rows.entry(number).or_default();
        }
        for rejection in &self.rejected {
            let row = rows.entry(rejection.position).or_default();
            match names.iter().position(|target| Some(&target.name) == rejection.destination.as_ref()) {
                Some(at) => row.rejected_at.push(at),
                None => row.rejected = true,
            }
        }
        Intaken {
            rows: rows.into_iter().map(|(number, row)| IntakenRow { number, ..row }).collect(),
            rejected: self.rejected.clone(),
            skipped: self.skipped.clone(),
            findings,
            ignored: self.ignored.clone(),
            fetches: self.fetches.clone(),
            operations: self.acceptances.iter().map(|part| part.operations.iter().map(|new| new.position).collect()).collect(),
        }
    }

    pub(super) fn skip(&mut self, position: u64, skip: Skip, destination: Option<&String>) {
        self.skipped.push(RecordSkip { position, reason: skip.reason, detail: skip.detail, destination: destination.cloned() });
    }
}

/// What replaying some dead letters comes to.
pub(super) struct Redraft {
    pub intaken: Intaken,
    pub replays: Vec<(u64, Option<Operation>)>,
    /// Letters that must not be sent any more, such as those of someone who was erased.
    pub discarded: Vec<u64>,
}

/// What replaying one dead letter comes to.
enum Redrafted {
    Replay(Operation),
    /// Why not, and whether the letter must go, too.
    Skip(Skip, bool),
    Rejected(Rejection),
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

/// One call's rows and how they are read.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub options: &'a CallOptions,
    pub mode: Mode,
    pub layout: Layout,
    /// Of the first row.
    pub position: u64,
    pub now: Instant,
    /// How the rows were brought, where orders tell events by what was known of them; none where they tell none.
    pub events: Option<Brought>,
}

/// What was heard of people, to be committed, and of what they said not to be sent.
#[derive(Default)]
pub(super) struct Heard {
    consents: Vec<ConsentRow>,
    erasures: Vec<String>,
    emails: Vec<KnownEmail>,
    skips: Vec<Skip>,
}

/// In front of the name of something that an operation leaves standing. It is remembered among the fingerprints, with the unix
/// second of its acceptance in place of one; no member of a row is called so.
const LEFT: &str = "\u{1}";

/// What a destination would be told of a row, or why nothing.
type Drafted = std::result::Result<Draft, Rejection>;

/// A row's draft with the record it came from.
pub(super) struct Pending {
    pub draft: Draft,
    /// With whom it is erased.
    people: Vec<String>,
    /// The same for every destination.
    pub record: Arc<Vec<u8>>,
}

impl Desk {
    /// Decodes, validates, weighs consent, builds and decides. Nothing is committed.
    pub fn take(&self, data: &[u8], options: &CallOptions, input: Input, position: u64, now: Instant) -> Result<Taken> {
        let Input { mode, layout, brought } = input;
        let call = Call { options, mode, layout, position, now, events: Some(brought) };
        let (mut taken, heard, pending) = self.weigh(data, call)?;
        // Consent is nobody's in particular; an erasure concerns what each destination has waiting.
        taken.acceptances.iter_mut().for_each(|part| part.erasures.clone_from(&heard.erasures));
        if let Some(first) = taken.acceptances.first_mut() {
            first.consents = heard.consents;
            first.emails = heard.emails;
        }
        for (at, pending) in pending.into_iter().enumerate() {
            self.decide(at, pending, &mut taken, now)?;
        }
        Ok(taken)
    }

    /// What each destination would be told of rows if nothing of them had been said before.
    pub(super) fn weigh(&self, data: &[u8], call: Call<'_>) -> Result<(Taken, Heard, Vec<Vec<Pending>>)> {
        let Call { options, mode, layout, position, now, events } = call;
        let context = DecodeContext {
            mode,
            resource: options.resource.as_deref(),
            correlation_id: options.correlation_id.as_deref(),
            position,
            max_record_bytes: self.max_record_bytes,
            news_days: self.events.news_days,
            ..DecodeContext::at(now)
        };
        let mut decoded = Decoded::default();
        let storefront = (options.resource.as_deref() == Some(SIGNAL)).then(|| Storefront::of(self.source.as_deref()));
        let source = storefront.as_ref().map(|one| -> &dyn Source { one }).or(self.source.as_deref());
        let next = intake::read(source, layout, data, &context, &mut decoded);
        let mut taken = Taken {
            next,
            rejected: decoded.rejected,
            ignored: decoded.ignored,
            fetches: decoded.fetches,
            record_rows: decoded.records.iter().map(|row| row.position).collect(),
            ..Taken::default()
        };
        let named = |target: &Target| Acceptance { destination: target.name.clone(), ..Acceptance::default() };
        taken.acceptances = self.targets.iter().map(named).collect();
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
        let checked = match events {
            Some(brought) => self.with_events(checked, brought, &mut taken)?,
            None => checked.into_iter().map(|row| Entry { row, only: None }).collect(),
        };
        let people: Vec<Vec<String>> = checked.iter().map(|entry| self.people(&entry.row.record)).collect();
        let mut memory = self.remember(&people)?;
        let mut pending: Vec<Vec<Pending>> = self.targets.iter().map(|_| Vec::with_capacity(checked.len())).collect();
        let mut heard = Heard::default();
        let mut addresses = Addresses::of(&*self.store, checked.iter().map(|entry| &entry.row.record))?;
        for (Entry { mut row, only }, people) in checked.into_iter().zip(&people) {
            let position = row.position;
            let record = Arc::new(serde_json::to_vec(&row.record).map_err(super::pure::internal)?);
            let skip = self.gate(&mut row.record, people, &mut memory, &mut heard);
            for skip in std::mem::take(&mut heard.skips) {
                taken.skip(position, skip, None);
            }
            if let Some(skip) = skip {
                taken.skip(position, skip, None);
                continue;
            }
            addresses.hear(&row.record);
            // A deletion has to go out, whoever is erased.
            let erased_with = if matches!(row.record.body, Body::ContactDeleted(_)) { Vec::new() } else { people.clone() };
            // What was noticed of the row itself is told once, however many destinations there are.
            let noticed = row.findings.len();
            let mut told = false;
            for (at, target) in self.targets.iter().enumerate() {
                if only.as_ref().is_some_and(|only| !only.contains(&at)) {
                    continue;
                }
                let (drafted, completed) = self.draft(&row, target, &addresses, &judge)?;
                let erased_with = completed.unwrap_or_else(|| erased_with.clone());
                match drafted {
                    Ok(mut draft) if row.derived => {
                        super::derived::quiet(&mut draft);
                        pending[at].push(Pending { draft, people: erased_with, record: record.clone() });
                    }
                    // What is wrong with the event is wrong with its order, which was told already.
                    Err(rejection) if row.derived => drop(rejection),
                    Ok(mut draft) => {
                        let own = draft.findings.split_off(noticed);
                        if !std::mem::replace(&mut told, true) {
                            located(position, draft.findings, &mut taken.findings);
                        }
                        draft.findings = Vec::new();
                        located(position, own, &mut taken.findings);
                        pending[at].push(Pending { draft, people: erased_with, record: record.clone() });
                    }
                    Err(rejection) => taken.rejected.push(Rejection { destination: self.label(at).cloned(), ..rejection }),
                }
            }
        }
        heard.emails = addresses.heard;
        Ok((taken, heard, pending))
    }

    /// What answers call a destination by: nothing when there is no other.
    pub fn label(&self, at: usize) -> Option<&String> {
        self.targets.get(at).filter(|_| self.targets.len() > 1).map(|target| &target.name)
    }

    /// Rebuilds dead letters under what is known and configured today.
    pub fn redraft(&self, letters: Vec<DeadLetter>, fixes: Vec<Fix>, now: Instant) -> Result<Redraft> {
        let mut fixes: HashMap<u64, Record> = fixes.into_iter().map(|fix| (fix.id, fix.record)).collect();
        let judge = self.validate.context(now);
        let mut redraft = Redraft { intaken: Intaken::default(), replays: Vec::new(), discarded: Vec::new() };
        redraft.intaken.operations = vec![Vec::new(); self.targets.len()];
        for (place, letter) in letters.into_iter().enumerate() {
            let place = place as u64;
            let at = self.targets.iter().position(|target| target.name == letter.destination);
            // Positions in the store stay those of the first run; whatever does not go out is counted by the letter's place,
            // from the other end so that the two do not meet.
            let mut row = IntakenRow { number: u64::MAX - place, only: at, ..IntakenRow::default() };
            let fix = fixes.remove(&letter.id);
            let mut heard = Heard::default();
            let redrafted = self.redraft_one(at, &letter, fix, &judge, place, &mut heard)?;
            let destination = at.and_then(|at| self.label(at)).cloned();
            let tell =
                |skip: Skip| RecordSkip { position: place, reason: skip.reason, detail: skip.detail, destination: destination.clone() };
            redraft.intaken.skipped.extend(heard.skips.into_iter().map(tell));
            match redrafted {
                Redrafted::Replay(operation) => {
                    row.number = letter.position;
                    if let Some(operations) = at.and_then(|at| redraft.intaken.operations.get_mut(at)) {
                        operations.push(letter.position);
                    }
                    redraft.replays.push((letter.id, Some(operation)));
                }
                Redrafted::Skip(skip, gone) => {
                    if gone {
                        redraft.discarded.push(letter.id);
                    }
                    redraft.intaken.skipped.push(tell(skip));
                }
                Redrafted::Rejected(rejection) => {
                    row.rejected = true;
                    redraft.intaken.rejected.push(Rejection { destination, ..rejection });
                }
            }
            redraft.intaken.rows.push(row);
        }
        Ok(redraft)
    }

    fn redraft_one(
        &self,
        at: Option<usize>,
        letter: &DeadLetter,
        fix: Option<Record>,
        judge: &ValidateContext<'_>,
        place: u64,
        heard: &mut Heard,
    ) -> Result<Redrafted> {
        let stays = |reason, why: &str| Ok(Redrafted::Skip(Skip::new(reason, why), false));
        let Some(target) = at.and_then(|at| self.targets.get(at)) else {
            return stays(SkipReason::NotConfigured, "no destination has the name that the letter was for");
        };
        let record = match fix {
            Some(record) => record,
            None => serde_json::from_slice(&letter.record)
                .map_err(|error| Error::new(ErrorCode::StateCorrupt, "the record of a dead letter cannot be read").because(error))?,
        };
        let row = crate::sources::DecodedRecord { position: place, record, findings: Vec::new() };
        let mut row = match pipeline::check(row, judge) {
            Ok(row) => row,
            Err(refused) => return Ok(Redrafted::Rejected(refused.into_rejection())),
        };
        let people = self.people(&row.record);
        let mut memory = self.remember(std::slice::from_ref(&people))?;
        if let Some(why) = self.gate(&mut row.record, &people, &mut memory, heard) {
            let gone = why.reason == SkipReason::Erased;
            return Ok(Redrafted::Skip(why, gone));
        }
        let addresses = Addresses::of(&*self.store, std::iter::once(&row.record))?;
        let draft = match self.draft(&row, target, &addresses, judge)?.0 {
            Ok(draft) => draft,
            Err(rejection) => return Ok(Redrafted::Rejected(rejection)),
        };
        // The same effect again: by key, or, where a correction changed the key, by endpoint and entity.
        let same = |operation: &Operation| operation.idempotency_key == letter.operation.idempotency_key;
        let alike = |operation: &Operation| operation.endpoint == letter.operation.endpoint && operation.entity == letter.operation.entity;
        let endpoint = |operation: &Operation| operation.endpoint == letter.operation.endpoint;
        let mut built = draft.operations;
        built.extend(draft.provided.into_iter().map(|provided| provided.operation));
        let found = [&same as &dyn Fn(&Operation) -> bool, &alike, &endpoint].iter().find_map(|test| built.iter().position(test));
        let Some(index) = found else {
            let why =
                draft.skipped.into_iter().next().unwrap_or_else(|| {
                    Skip::new(SkipReason::NotConfigured, "under today's settings the record no longer leads to this call")
                });
            return Ok(Redrafted::Skip(why, false));
        };
        let mut operation = built.swap_remove(index);
        // A letter is from the past: what was accepted of the same entity since then stands.
        let subject = Subject { entity: &operation.entity, idempotency_key: letter.operation.idempotency_key.as_str() };
        let known = self.store.known(&target.name, &[subject])?.pop().unwrap_or_default();
        if !operation.once && known.version > letter.operation.version.max(operation.version) {
            return Ok(Redrafted::Skip(Skip::new(SkipReason::Stale, "a newer version was accepted since it died"), true));
        }
        if target.destination.leaves(&operation).is_some() {
            operation.body = reminded(&*target.destination, operation.body, &known)?;
        }
        operation.idempotency_key = letter.operation.idempotency_key.clone();
        Ok(Redrafted::Replay(operation))
    }

    /// What a destination is told of a row; where it asks for an address that is known from elsewhere, with that, and then
    /// also with whom it is erased.
    fn draft(
        &self,
        row: &Checked,
        target: &Target,
        addresses: &Addresses,
        judge: &ValidateContext<'_>,
    ) -> Result<(Drafted, Option<Vec<String>>)> {
        let of = |record: &Record| pipeline::draft(row.position, record, row.findings.clone(), &*target.destination, judge);
        let drafted = of(&row.record);
        if let Err(refused) = &drafted
            && let Some(completed) = addresses.complete(&row.record, refused, |alias| self.is_erased(alias))?
        {
            return Ok((of(&completed), Some(self.people(&completed))));
        }
        Ok((drafted, None))
    }

    fn is_erased(&self, person: &str) -> Result<bool> {
        Ok(self.store.erased(&[person])?.first().copied().unwrap_or(false))
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
    fn gate(&self, record: &mut Record, people: &[String], memory: &mut Memory, heard: &mut Heard) -> Option<Skip> {
        if let Body::ContactDeleted(deleted) = &record.body {
            if deleted.erase {
                heard.erasures.extend(people.iter().cloned());
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
                    Some(skip) => heard.skips.push(skip),
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
                    heard.consents.push(row.clone());
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
    fn decide(&self, at: usize, pending: Vec<Pending>, taken: &mut Taken, now: Instant) -> Result<()> {
        let (Some(target), label) = (self.targets.get(at), self.label(at)) else { return Ok(()) };
        let mut acceptance = taken.acceptances.get_mut(at).map(std::mem::take).unwrap_or_default();
        let known = {
            let subjects: Vec<Subject<'_>> = pending
                .iter()
                .flat_map(|row| row.draft.provided.iter().map(|provided| &provided.operation).chain(&row.draft.operations))
                .map(|operation| Subject { entity: &operation.entity, idempotency_key: operation.idempotency_key.as_str() })
                .collect();
            self.store.known(&target.name, &subjects)?
        };
        let mut known = known.into_iter();
        let mut seen = Overlay::default();
        for Pending { draft, people, record } in pending {
            let position = draft.position;
            acceptance.withheld.extend(draft.withheld.iter().map(|key| key.as_str().to_owned()));
            for skip in draft.skipped {
                taken.skip(position, skip, label);
            }
            let provided = draft.provided.into_iter().map(|provided| (Some(provided.given), provided.operation));
            // What goes in front of something only goes with it.
            let mut front: Vec<(Operation, Known)> = Vec::new();
            for (given, operation) in provided.chain(draft.operations.into_iter().map(|operation| (None, operation))) {
                let mut known =
                    known.next().ok_or_else(|| Error::new(ErrorCode::Internal, "the state answered for fewer subjects than asked"))?;
                seen.cover(&operation, &mut known);
                match given.map(|given| (given, decide::holds(given, &known))) {
                    Some((_, false)) => continue,
                    Some((Given::Unknown, true)) => {
                        front.push((operation, known));
                        continue;
                    }
                    Some((Given::Open, true)) | None => {}
                }
                let clears = |operation: &Operation| {
                    target.destination.capabilities().endpoint(&operation.endpoint).is_some_and(|endpoint| endpoint.null_clears)
                };
                match decide::decide(&operation, &known, draft.mode, clears(&operation))? {
                    Decision::Skip(skip) => {
                        if let (SkipReason::Unchanged, Some(version)) = (skip.reason, operation.version) {
                            acceptance.versions.push((operation.entity.clone(), version));
                        }
                        taken.skip(position, skip, label);
                    }
                    Decision::Send(mut reduced) => {
                        remember(&*target.destination, &operation, &known, &mut reduced, now)?;
                        let before = front.drain(..).map(|(operation, known)| {
                            decide::delta::reduce(&operation, &known, clears(&operation)).map(|reduced| (operation, reduced))
                        });
                        for sent in before.chain(std::iter::once(Ok((operation, reduced)))) {
                            let (operation, reduced) = sent?;
                            for gone in supersede(&mut acceptance.operations, &operation) {
                                taken.skip(gone, Skip::new(SkipReason::Superseded, "something newer came in the same batch"), label);
                            }
                            if operation.once {
                                // What happened cannot be undone: a cart that became an order is no cart any more, neither from
                                // a dead letter nor from an older export.
                                let closed = operation.supersedes.iter().map(|entity| (entity.clone(), CLOSED));
                                acceptance.versions.extend(closed);
                            }
                            seen.note(&operation, reduced.fingerprints.keys());
                            acceptance.operations.push(NewOperation {
                                operation: Operation { body: reduced.body, ..operation },
                                fingerprints: reduced.fingerprints,
                                record: record.to_vec(),
                                run: None,
                                position,
                                people: people.clone(),
                            });
                        }
                    }
                }
            }
        }
        if let Some(place) = taken.acceptances.get_mut(at) {
            *place = acceptance;
        }
        Ok(())
    }
}

/// Tells an operation what the last one left standing, and has what it leaves itself remembered once it is delivered.
fn remember(destination: &dyn Destination, operation: &Operation, known: &Known, reduced: &mut Reduced, now: Instant) -> Result<()> {
    let Some(left) = destination.leaves(operation) else { return Ok(()) };
    reduced.body = reminded(destination, std::mem::take(&mut reduced.body), known)?;
    reduced.fingerprints.insert(format!("{LEFT}{left}"), Some(now.timestamp().cast_unsigned()));
    Ok(())
}

/// A row that knows what the last operation delivered of its entity left standing.
fn reminded(destination: &dyn Destination, mut body: Vec<u8>, known: &Known) -> Result<Vec<u8>> {
    for (name, second) in &known.sent {
        if let (Some(left), Some(since)) = (name.strip_prefix(LEFT), Instant::from_timestamp(second.cast_signed(), 0)) {
            body = destination.remind(body, left, since)?;
        }
    }
    Ok(body)
}

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
