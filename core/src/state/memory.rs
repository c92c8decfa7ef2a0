//! State that lives and dies with the process: for tests, notebooks and dry runs.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard};

use super::{
    Acceptance, Accepted, Claim, ConsentRow, DeadLetter, Failure, FetchEnd, FetchSettlement, Fingerprints, HeldBy, KeyStatus, Known,
    KnownEmail, LetterFilter, NewFetch, PendingFetch, RunRow, Settlement, StateStore, Subject, Superseded, UnreadFetch, Waiting, rules,
};
use crate::destinations::Operation;
use crate::error::{Error, ErrorCode, Result};
use crate::model::{Instant, Mode, SkipReason};

/// State in memory. Debug shows no data.
#[derive(Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> Result<MutexGuard<'_, State>> {
        self.state.lock().map_err(|_| Error::new(ErrorCode::Internal, "the state was left half-written by a panic; open it again"))
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct State {
    last_id: u64,
    last_letter: u64,
    desks: HashMap<String, Desk>,
    letters: BTreeMap<u64, Letter>,
    people: HashMap<String, Person>,
    erased: HashSet<String>,
    cursors: HashMap<String, String>,
    last_fetch: u64,
    /// By scope, kind and id.
    fetches: BTreeMap<(String, String, String), PendingFetch>,
    /// The same of what was given up.
    unread: BTreeMap<(String, String, String), (u64, UnreadFetch)>,
    /// By the customer's opaque name.
    emails: HashMap<String, KnownEmail>,
    /// By scope and key.
    heard: HashMap<(String, String), Instant>,
    runs: HashMap<String, RunRow>,
}

/// All that belongs to one destination.
#[derive(Default)]
struct Desk {
    keys: HashMap<String, (KeyStatus, Instant)>,
    entities: HashMap<String, Entity>,
    outbox: BTreeMap<u64, Row>,
    by_entity: HashMap<String, BTreeSet<u64>>,
    by_key: HashMap<String, BTreeSet<u64>>,
    /// Rows without an owner.
    free: BTreeSet<u64>,
    /// Owner of each lane that is held, and how many of its rows. A lane never has two owners.
    held: HashMap<String, (String, usize)>,
    leases: HashMap<String, Instant>,
    orders: HashMap<String, (String, Instant)>,
}

#[derive(Default)]
struct Entity {
    version: Option<u64>,
    sent: Fingerprints,
}

struct Row {
    people: Vec<String>,
    waiting: Waiting,
    fingerprints: BTreeMap<String, Option<u64>>,
    record: Vec<u8>,
    owner: Option<String>,
}

struct Letter {
    people: Vec<String>,
    letter: DeadLetter,
    fingerprints: BTreeMap<String, Option<u64>>,
}

#[derive(Default)]
struct Person {
    newest: BTreeMap<String, ConsentRow>,
    history: Vec<ConsentRow>,
}

impl Desk {
    fn insert(&mut self, row: Row, now: Instant) {
        let id = row.waiting.id;
        let operation = &row.waiting.operation;
        self.keys.insert(operation.idempotency_key.as_str().to_owned(), (KeyStatus::Pending, now));
        self.see(&operation.entity, operation.version);
        self.by_entity.entry(operation.entity.clone()).or_default().insert(id);
        self.by_key.entry(operation.idempotency_key.as_str().to_owned()).or_default().insert(id);
        self.free.insert(id);
        self.outbox.insert(id, row);
    }

    fn see(&mut self, entity: &str, version: Option<u64>) {
        if version.is_none() {
            return;
        }
        match self.entities.get_mut(entity) {
            Some(known) => known.version = known.version.max(version),
            None => drop(self.entities.insert(entity.to_owned(), Entity { version, sent: Fingerprints::new() })),
        }
    }

    /// Takes a row out; its key gets the status, unless another row still waits under it.
    fn remove(&mut self, id: u64, status: KeyStatus, now: Instant) -> Option<Row> {
        self.give_back(id);
        self.free.remove(&id);
        let row = self.outbox.remove(&id)?;
        let operation = &row.waiting.operation;
        unlist(&mut self.by_entity, &operation.entity, id);
        if unlist(&mut self.by_key, operation.idempotency_key.as_str(), id) {
            self.keys.insert(operation.idempotency_key.as_str().to_owned(), (status, now));
        }
        Some(row)
    }

    fn take(&mut self, id: u64, owner: &str) {
        if let Some(row) = self.outbox.get_mut(&id)
            && self.free.remove(&id)
        {
            row.owner = Some(owner.to_owned());
            self.held.entry(row.waiting.operation.lane.clone()).or_insert_with(|| (owner.to_owned(), 0)).1 += 1;
        }
    }

    fn give_back(&mut self, id: u64) {
        let Some(row) = self.outbox.get_mut(&id) else { return };
        if row.owner.take().is_none() {
            return;
        }
        self.free.insert(id);
        let lane = &row.waiting.operation.lane;
        if let Some((_, rows)) = self.held.get_mut(lane) {
            *rows -= 1;
            if *rows == 0 {
                self.held.remove(lane);
            }
        }
    }

    fn release(&mut self, owner: &str) {
        if self.leases.remove(owner).is_some() {
            let ids: Vec<_> = self.outbox.iter().filter(|(_, row)| row.owner.as_deref() == Some(owner)).map(|(id, _)| *id).collect();
            ids.into_iter().for_each(|id| self.give_back(id));
        }
    }

    fn under_way(&self, row: &Row, now: Instant) -> bool {
        row.waiting.job.is_some() || row.owner.as_ref().is_some_and(|owner| self.leases.get(owner).is_some_and(|until| *until > now))
    }

    fn supersede(&mut self, entity: &str, now: Instant, superseded: &mut Vec<Superseded>) {
        let ids: Vec<_> = self.by_entity.get(entity).into_iter().flatten().copied().collect();
        self.withdraw(ids, now, superseded);
    }

    fn erase(&mut self, person: &String, now: Instant, erased: &mut Vec<Superseded>) {
        let ids: Vec<_> = self.outbox.iter().filter(|(_, row)| row.people.contains(person)).map(|(id, _)| *id).collect();
        self.withdraw(ids, now, erased);
    }

    /// Removes what waits and is not under way.
    fn withdraw(&mut self, ids: Vec<u64>, now: Instant, superseded: &mut Vec<Superseded>) {
        for id in ids {
            if self.outbox.get(&id).is_some_and(|row| !self.under_way(row, now))
                && let Some(row) = self.remove(id, KeyStatus::Delivered, now)
            {
                superseded.push(Superseded { id, run: row.waiting.run, position: row.waiting.position });
            }
        }
    }

    fn known(&self, subject: &Subject<'_>) -> Known {
        let waiting = self.by_entity.get(subject.entity);
        let members: BTreeSet<_> =
            waiting.into_iter().flatten().filter_map(|id| self.outbox.get(id)).flat_map(|row| row.fingerprints.keys().cloned()).collect();
        let entity = self.entities.get(subject.entity);
        Known {
            key: self.keys.get(subject.idempotency_key).map(|(status, _)| *status),
            version: entity.and_then(|entity| entity.version),
            sent: entity.map(|entity| entity.sent.clone()).unwrap_or_default(),
            pending: waiting.is_some(),
            pending_members: members.into_iter().collect(),
        }
    }
}

/// Takes an id off an index; true when it was the last of its name.
fn unlist(index: &mut HashMap<String, BTreeSet<u64>>, name: &str, id: u64) -> bool {
    let Some(ids) = index.get_mut(name) else { return true };
    ids.remove(&id);
    let last = ids.is_empty();
    if last {
        index.remove(name);
    }
    last
}

impl State {
    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    fn hear(&mut self, row: &ConsentRow) {
        let row = ConsentRow { at: row.at.map(rules::micros), observed_at: rules::micros(row.observed_at), ..row.clone() };
        let person = self.people.entry(row.person.clone()).or_default();
        let mut said = person.history.iter().rev();
        let last = said.find(|last| last.channel == row.channel && last.source == row.source);
        if last.is_none_or(|last| !rules::repeats(&row, last)) {
            person.history.push(row.clone());
        }
        if person.newest.get(row.channel.as_str()).is_none_or(|newest| rules::outweighs(&row, newest)) {
            person.newest.insert(row.channel.as_str().to_owned(), row);
        }
    }

    fn accept(&mut self, acceptance: &Acceptance, now: Instant) -> Accepted {
        let mut accepted = Accepted::default();
        acceptance.consents.iter().for_each(|row| self.hear(row));
        self.erased.extend(acceptance.erasures.iter().cloned());
        let mut desk = self.desks.remove(&acceptance.destination).unwrap_or_default();
        for new in &acceptance.emails {
            if self.emails.get(&new.person).is_none_or(|old| new.succeeds(old)) {
                let new = KnownEmail { at: rules::micros(new.at), ..new.clone() };
                self.emails.insert(new.person.clone(), new);
            }
        }
        for person in &acceptance.erasures {
            self.people.remove(person);
            self.emails.retain(|_, known| known.person != *person && known.alias != *person);
            self.letters.retain(|_, letter| letter.letter.destination != acceptance.destination || !letter.people.contains(person));
            desk.erase(person, now, &mut accepted.erased);
        }
        for (entity, version) in &acceptance.versions {
            desk.see(entity, Some(*version));
        }
        for (order, facts) in &acceptance.orders {
            desk.orders.insert(order.clone(), (facts.clone(), now));
        }
        for key in &acceptance.withheld {
            desk.keys.entry(key.clone()).or_insert((KeyStatus::Withheld, now));
        }
        for (index, new) in acceptance.operations.iter().enumerate() {
            let operation = &new.operation;
            let key = operation.idempotency_key.as_str();
            let status = desk.keys.get(key).map(|(status, _)| *status);
            if operation.once && matches!(status, Some(KeyStatus::Pending | KeyStatus::Delivered)) {
                accepted.ids.push(desk.by_key.get(key).and_then(BTreeSet::first).copied().unwrap_or(0));
                accepted.duplicates.push(index);
                continue;
            }
            if status.is_some() {
                self.letters.retain(|_, Letter { letter, .. }| {
                    letter.destination != acceptance.destination || letter.operation.idempotency_key != operation.idempotency_key
                });
            }
            for entity in &operation.supersedes {
                desk.supersede(entity, now, &mut accepted.superseded);
            }
            let id = self.next_id();
            let waiting = Waiting {
                id,
                operation: operation.clone(),
                attempts: 0,
                first_attempt_at: None,
                due_at: now,
                run: new.run.clone(),
                position: new.position,
                amended: false,
                job: None,
            };
            desk.insert(
                Row {
                    people: new.people.clone(),
                    waiting,
                    fingerprints: new.fingerprints.clone(),
                    record: new.record.clone(),
                    owner: None,
                },
                now,
            );
            accepted.ids.push(id);
        }
        self.desks.insert(acceptance.destination.clone(), desk);
        accepted
    }

    fn bury(&mut self, destination: &str, row: Row, failure: &Failure, now: Instant) {
        self.last_letter += 1;
        let letter = DeadLetter {
            id: self.last_letter,
            destination: destination.to_owned(),
            operation: row.waiting.operation,
            record: row.record,
            failure: failure.clone(),
            died_at: now,
            run: row.waiting.run,
            position: row.waiting.position,
        };
        self.letters.insert(self.last_letter, Letter { people: row.people, letter, fingerprints: row.fingerprints });
    }
}

impl StateStore for MemoryStore {
    fn known(&self, destination: &str, subjects: &[Subject<'_>]) -> Result<Vec<Known>> {
        let state = self.lock()?;
        let desk = state.desks.get(destination);
        Ok(subjects.iter().map(|subject| desk.map(|desk| desk.known(subject)).unwrap_or_default()).collect())
    }

    fn orders(&self, destination: &str, orders: &[&str]) -> Result<Vec<Option<String>>> {
        let state = self.lock()?;
        let known = state.desks.get(destination).map(|desk| &desk.orders);
        Ok(orders.iter().map(|order| known.and_then(|known| known.get(*order)).map(|(facts, _)| facts.clone())).collect())
    }

    fn consents(&self, people: &[&str]) -> Result<Vec<Vec<ConsentRow>>> {
        let state = self.lock()?;
        Ok(people
            .iter()
            .map(|person| state.people.get(*person).map(|person| person.newest.values().cloned().collect()).unwrap_or_default())
            .collect())
    }

    fn erased(&self, people: &[&str]) -> Result<Vec<bool>> {
        let state = self.lock()?;
        Ok(people.iter().map(|person| state.erased.contains(*person)).collect())
    }

    fn emails(&self, people: &[&str]) -> Result<Vec<Option<KnownEmail>>> {
        let state = self.lock()?;
        Ok(people.iter().map(|person| state.emails.get(*person).cloned()).collect())
    }

    fn consent_history(&self, person: &str) -> Result<Vec<ConsentRow>> {
        Ok(self.lock()?.people.get(person).map(|person| person.history.clone()).unwrap_or_default())
    }

    fn accept_all(&self, acceptances: &[Acceptance], now: Instant) -> Result<Vec<Accepted>> {
        let mut state = self.lock()?;
        Ok(acceptances.iter().map(|acceptance| state.accept(acceptance, rules::micros(now))).collect())
    }

    fn claim(&self, destination: &str, claim: &Claim<'_>) -> Result<Vec<Waiting>> {
        let (now, until) = (rules::micros(claim.now), rules::micros(claim.until));
        let mut state = self.lock()?;
        let Some(desk) = state.desks.get_mut(destination) else { return Ok(Vec::new()) };
        let expired: Vec<_> =
            desk.leases.iter().filter(|(owner, until)| *owner != claim.owner && **until <= now).map(|(owner, _)| owner.clone()).collect();
        expired.iter().for_each(|owner| desk.release(owner));

        let per_lane = usize::try_from(claim.per_lane).unwrap_or(usize::MAX);
        let mut lanes: HashMap<&str, usize> = HashMap::new();
        let mut ids: Vec<_> = desk
            .free
            .iter()
            .copied()
            .filter(|id| {
                let Some(lane) = desk.outbox.get(id).map(|row| row.waiting.operation.lane.as_str()) else { return false };
                let held = match desk.held.get(lane) {
                    Some((owner, _)) if owner != claim.owner => return false,
                    Some((_, rows)) => *rows,
                    None => 0,
                };
                let rows = lanes.entry(lane).or_insert(held);
                *rows += 1;
                *rows <= per_lane
            })
            .take(usize::try_from(claim.limit).unwrap_or(usize::MAX))
            .collect();
        let lease = desk.leases.get(claim.owner).copied();
        if !ids.is_empty() || (lease.is_some() && rules::renews(lease, now, until)) {
            desk.leases.insert(claim.owner.to_owned(), lease.map_or(until, |lease| lease.max(until)));
        }
        // A job has one owner: what else of it is free comes along.
        let job = |id: &u64| Some(desk.outbox.get(id)?.waiting.job.as_ref()?.id.as_str());
        let jobs: HashSet<&str> = ids.iter().filter_map(job).collect();
        if !jobs.is_empty() {
            let taken: HashSet<u64> = ids.iter().copied().collect();
            let rest = desk.free.iter().filter(|id| !taken.contains(id) && job(id).is_some_and(|job| jobs.contains(job)));
            ids.extend(rest.copied().collect::<Vec<_>>());
            ids.sort_unstable();
        }
        ids.iter().for_each(|id| desk.take(*id, claim.owner));
        Ok(ids.iter().filter_map(|id| desk.outbox.get(id)).map(|row| row.waiting.clone()).collect())
    }

    fn settle(&self, destination: &str, settlements: &[Settlement], now: Instant) -> Result<()> {
        let now = rules::micros(now);
        let mut guard = self.lock()?;
        let state = &mut *guard;
        for settlement in settlements {
            let Some(desk) = state.desks.get_mut(destination) else { return Ok(()) };
            match settlement {
                Settlement::Delivered { id } | Settlement::Skipped { id, reason: SkipReason::Unchanged } => {
                    if let Some(row) = desk.remove(*id, KeyStatus::Delivered, now) {
                        let sent = &mut desk.entities.entry(row.waiting.operation.entity).or_default().sent;
                        for (member, fingerprint) in row.fingerprints {
                            match fingerprint {
                                Some(fingerprint) => sent.insert(member, fingerprint),
                                None => sent.remove(&member),
                            };
                        }
                    }
                }
                Settlement::Skipped { id, .. } => drop(desk.remove(*id, KeyStatus::Delivered, now)),
                Settlement::Dead { id, failure } => {
                    let people = desk.outbox.get(id).map(|row| row.people.as_slice()).unwrap_or_default();
                    let erased = people.iter().any(|person| state.erased.contains(person));
                    let status = if erased { KeyStatus::Delivered } else { KeyStatus::Dead };
                    if let Some(row) = desk.remove(*id, status, now).filter(|_| !erased) {
                        state.bury(destination, row, failure, now);
                    }
                }
                Settlement::Later { id, due_at, attempts, first_attempt_at } => {
                    if let Some(Row { waiting, .. }) = desk.outbox.get_mut(id) {
                        waiting.due_at = rules::micros(*due_at);
                        waiting.attempts = *attempts;
                        waiting.first_attempt_at = first_attempt_at.map(rules::micros);
                        waiting.job = None;
                    }
                }
                Settlement::Amended { id, body } => {
                    if let Some(Row { waiting, .. }) = desk.outbox.get_mut(id) {
                        waiting.operation.body.clone_from(body);
                        waiting.amended = true;
                        waiting.job = None;
                    }
                }
                Settlement::InJob { id, job, due_at } => {
                    if let Some(Row { waiting, .. }) = desk.outbox.get_mut(id) {
                        waiting.due_at = rules::micros(*due_at);
                        waiting.job = Some(HeldBy { since: rules::micros(job.since), ..job.clone() });
                    }
                }
            }
        }
        Ok(())
    }

    fn release(&self, owner: &str) -> Result<()> {
        self.lock()?.desks.values_mut().for_each(|desk| desk.release(owner));
        Ok(())
    }

    fn waiting(&self, destination: &str) -> Result<u64> {
        Ok(self.lock()?.desks.get(destination).map_or(0, |desk| desk.outbox.len() as u64))
    }

    fn in_jobs(&self, destination: &str) -> Result<u64> {
        let state = self.lock()?;
        let rows = state.desks.get(destination).into_iter().flat_map(|desk| desk.outbox.values());
        Ok(rows.filter(|row| row.waiting.job.is_some()).count() as u64)
    }

    fn dead_letters(&self, filter: &LetterFilter) -> Result<Vec<DeadLetter>> {
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        let state = self.lock()?;
        Ok(state
            .letters
            .values()
            .map(|Letter { letter, .. }| letter)
            .filter(|letter| filter.ids.as_ref().is_none_or(|ids| ids.contains(&letter.id)))
            .filter(|letter| is(&filter.destination, &letter.destination))
            .filter(|letter| is(&filter.code, letter.failure.refusal.code.0.name()))
            .filter(|letter| is(&filter.endpoint, &letter.operation.endpoint))
            .filter(|letter| filter.run.is_none() || filter.run == letter.run)
            .take(usize::try_from(filter.limit.unwrap_or(rules::LETTERS)).unwrap_or(usize::MAX))
            .cloned()
            .collect())
    }

    fn replay(&self, letters: &[(u64, Option<Operation>)], run: Option<&str>, now: Instant) -> Result<u64> {
        let now = rules::micros(now);
        let mut state = self.lock()?;
        let mut found = 0;
        for (id, replacement) in letters {
            let Some(Letter { people, letter, mut fingerprints }) = state.letters.remove(id) else { continue };
            let mut operation = letter.operation;
            if let Some(replacement) = replacement {
                fingerprints = rules::forgotten(fingerprints, replacement);
                operation = Operation { idempotency_key: operation.idempotency_key, ..replacement.clone() };
            }
            let waiting = Waiting {
                id: state.next_id(),
                operation,
                attempts: 0,
                first_attempt_at: None,
                due_at: now,
                run: run.map(str::to_owned).or(letter.run),
                position: letter.position,
                amended: false,
                job: None,
            };
            let row = Row { people, waiting, fingerprints, record: letter.record, owner: None };
            state.desks.entry(letter.destination).or_default().insert(row, now);
            found += 1;
        }
        Ok(found)
    }

    fn discard(&self, letters: &[u64]) -> Result<u64> {
        let mut guard = self.lock()?;
        let state = &mut *guard;
        let mut found = 0;
        for id in letters {
            let Some(Letter { letter, .. }) = state.letters.remove(id) else { continue };
            found += 1;
            let key = &letter.operation.idempotency_key;
            let last = !state
                .letters
                .values()
                .any(|other| other.letter.destination == letter.destination && other.letter.operation.idempotency_key == *key);
            if let Some(desk) = state.desks.get_mut(&letter.destination)
                && last
                && desk.keys.get(key.as_str()).is_some_and(|(status, _)| *status == KeyStatus::Dead)
            {
                desk.keys.remove(key.as_str());
            }
        }
        Ok(found)
    }

    fn cursor(&self, stream: &str) -> Result<Option<String>> {
        Ok(self.lock()?.cursors.get(stream).cloned())
    }

    fn set_cursor(&self, stream: &str, cursor: &str, _now: Instant) -> Result<()> {
        self.lock()?.cursors.insert(stream.to_owned(), cursor.to_owned());
        Ok(())
    }

    fn note_fetches(&self, scope: &str, fetches: &[NewFetch], now: Instant) -> Result<()> {
        let now = rules::micros(now);
        let mut state = self.lock()?;
        for fetch in fetches {
            let name = (scope.to_owned(), fetch.resource.kind.clone(), fetch.resource.id.clone());
            let given_up = state.unread.remove(&name).map(|(_, unread)| unread.fetch);
            let waiting = state.fetches.get(&name);
            let is_live = waiting.map(|known| &known.fetch).or(given_up.as_ref()).is_some_and(|known| known.mode == Mode::Live);
            let (id, noted) = match waiting {
                Some(known) => (known.id, known.noted + 1),
                None => {
                    state.last_fetch += 1;
                    (state.last_fetch, 1)
                }
            };
            let mut fetch = fetch.clone();
            if is_live {
                fetch.mode = Mode::Live;
            }
            let pending = PendingFetch { id, fetch, noted, attempts: 0, due_at: now, noted_at: now };
            state.fetches.insert(name, pending);
        }
        Ok(())
    }

    fn fetches(&self, scope: &str, limit: u32) -> Result<Vec<PendingFetch>> {
        let state = self.lock()?;
        let mut pending: Vec<_> = state.fetches.iter().filter(|((of, _, _), _)| of == scope).map(|(_, fetch)| fetch.clone()).collect();
        pending.sort_unstable_by_key(|fetch| (fetch.due_at, fetch.id));
        pending.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(pending)
    }

    fn settle_fetches(&self, settlements: &[FetchSettlement]) -> Result<()> {
        let mut state = self.lock()?;
        for settlement in settlements {
            let same = |fetch: &PendingFetch| fetch.id == settlement.id && fetch.noted == settlement.noted;
            let Some((name, fetch)) = state.fetches.iter_mut().find(|(_, fetch)| same(fetch)) else { continue };
            let name = name.clone();
            match &settlement.end {
                FetchEnd::Read => drop(state.fetches.remove(&name)),
                FetchEnd::Later(later) => {
                    fetch.attempts += 1;
                    fetch.due_at = rules::micros(*later);
                }
                FetchEnd::GivenUp { at, code, message } => {
                    let Some(gone) = state.fetches.remove(&name) else { continue };
                    let unread = UnreadFetch {
                        fetch: gone.fetch,
                        attempts: gone.attempts + 1,
                        noted_at: gone.noted_at,
                        given_up_at: rules::micros(*at),
                        code: code.clone(),
                        message: message.clone(),
                    };
                    state.unread.insert(name, (gone.id, unread));
                }
            }
        }
        Ok(())
    }

    fn unread(&self, scope: &str, limit: u32) -> Result<(u64, Vec<UnreadFetch>)> {
        let state = self.lock()?;
        let mut unread: Vec<_> = state.unread.iter().filter(|((of, _, _), _)| of == scope).map(|(_, one)| one.clone()).collect();
        let count = unread.len() as u64;
        unread.sort_unstable_by_key(|(id, one)| (one.given_up_at, *id));
        unread.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok((count, unread.into_iter().map(|(_, one)| one).collect()))
    }

    fn reread(&self, scope: &str, now: Instant) -> Result<u64> {
        let (_, unread) = self.unread(scope, u32::MAX)?;
        let fetches: Vec<NewFetch> = unread.into_iter().map(|one| one.fetch).collect();
        self.note_fetches(scope, &fetches, now)?;
        Ok(fetches.len() as u64)
    }

    fn heard(&self, scope: &str, deliveries: &[&str]) -> Result<Vec<bool>> {
        let state = self.lock()?;
        Ok(deliveries.iter().map(|key| state.heard.contains_key(&(scope.to_owned(), (*key).to_owned()))).collect())
    }

    fn note_heard(&self, scope: &str, deliveries: &[&str], now: Instant) -> Result<()> {
        let now = rules::micros(now);
        let heard = &mut self.lock()?.heard;
        heard.retain(|_, at| *at >= now - rules::DELIVERIES_KEPT);
        heard.extend(deliveries.iter().map(|key| ((scope.to_owned(), (*key).to_owned()), now)));
        Ok(())
    }

    fn put_run(&self, run: &RunRow) -> Result<()> {
        let run = RunRow { started_at: rules::micros(run.started_at), finished_at: run.finished_at.map(rules::micros), ..run.clone() };
        self.lock()?.runs.insert(run.id.clone(), run);
        Ok(())
    }

    fn runs(&self, limit: u32) -> Result<Vec<RunRow>> {
        let mut runs: Vec<_> = self.lock()?.runs.values().cloned().collect();
        runs.sort_unstable_by(|a, b| (b.started_at, &b.id).cmp(&(a.started_at, &a.id)));
        runs.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(runs)
    }

    fn purge(&self, before: Instant) -> Result<u64> {
        let before = rules::micros(before);
        let mut purged = 0;
        for desk in self.lock()?.desks.values_mut() {
            let keys = desk.keys.len();
            desk.keys.retain(|_, (status, at)| *status != KeyStatus::Delivered || *at >= before);
            purged += (keys - desk.keys.len()) as u64;
            desk.orders.retain(|_, (_, at)| *at >= before);
        }
        Ok(purged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_under_the_lock_is_an_error_for_the_others() {
        let store = MemoryStore::new();
        std::thread::scope(|scope| {
            let died = scope.spawn(|| {
                let _guard = store.state.lock();
                panic!("on purpose");
            });
            assert!(died.join().is_err());
        });
        assert_eq!(store.waiting("any").map_err(|error| error.code()), Err(ErrorCode::Internal));
    }
}
