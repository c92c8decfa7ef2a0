//! Random histories of accepting, claiming, settling and crashing, against what a person would keep on paper: nothing is
//! lost, nothing comes twice, lanes keep their order.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    /// Accepts an operation: key, lane, whether it happened once.
    Accept(u8, u8, bool),
    /// Accepts an order that supersedes the states of one lane.
    Supersede(u8),
    Claim(u8, u32),
    /// Settles something the owner holds: which, how.
    Settle(u8, prop::sample::Index, u8),
    Release(u8),
    Replay(prop::sample::Index),
    Crash,
    Wait(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..12_u8, 0..4_u8, any::<bool>()).prop_map(|(key, lane, once)| Step::Accept(key, lane, once)),
        1 => (0..4_u8).prop_map(Step::Supersede),
        4 => (0..3_u8, 0..5_u32).prop_map(|(owner, limit)| Step::Claim(owner, limit)),
        6 => (0..3_u8, any::<prop::sample::Index>(), 0..5_u8).prop_map(|(owner, index, how)| Step::Settle(owner, index, how)),
        1 => (0..3_u8).prop_map(Step::Release),
        1 => any::<prop::sample::Index>().prop_map(Step::Replay),
        1 => Just(Step::Crash),
        1 => (1..40_i64).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 0..60)
}

/// What waits, on paper.
#[derive(Clone, Debug)]
struct Line {
    key: String,
    lane: String,
    entity: String,
    owner: Option<String>,
    /// Whether a job holds it, one for each operation.
    job: bool,
}

#[derive(Default)]
struct Paper {
    waiting: BTreeMap<u64, Line>,
    letters: Vec<Line>,
    keys: BTreeMap<String, KeyStatus>,
    leases: BTreeMap<String, i64>,
    last_id: u64,
    orders: u32,
}

impl Paper {
    fn add(&mut self, id: u64, line: Line) {
        assert!(id > self.last_id, "ids must grow");
        self.last_id = id;
        self.keys.insert(line.key.clone(), KeyStatus::Pending);
        self.waiting.insert(id, line);
    }

    fn remove(&mut self, id: u64, status: KeyStatus) -> Line {
        let line = self.waiting.remove(&id).unwrap();
        if self.waiting.values().all(|other| other.key != line.key) {
            self.keys.insert(line.key.clone(), status);
        }
        line
    }

    fn free(&mut self, owner: &str) {
        self.waiting.values_mut().filter(|line| line.owner.as_deref() == Some(owner)).for_each(|line| line.owner = None);
        self.leases.remove(owner);
    }

    fn under_way(&self, line: &Line, now: i64) -> bool {
        line.job || line.owner.as_ref().is_some_and(|owner| self.leases.get(owner).is_some_and(|until| *until > now))
    }

    fn ids(&self, wanted: impl Fn(&Line) -> bool) -> Vec<u64> {
        self.waiting.iter().filter(|(_, line)| wanted(line)).map(|(id, _)| *id).collect()
    }

    /// What an owner must get, straight from the words of the contract.
    fn claimable(&self, owner: &str, limit: u32) -> Vec<u64> {
        let foreign = |lane: &str| {
            let mut lines = self.waiting.values();
            lines.any(|line| line.lane == lane && line.owner.as_deref().is_some_and(|other| other != owner))
        };
        let mut ids = self.ids(|line| line.owner.is_none() && !foreign(&line.lane));
        ids.truncate(limit as usize);
        ids
    }

    /// Whether the store says the same.
    fn check(&self, store: &dyn StateStore) {
        assert_eq!(store.waiting(D).unwrap(), self.waiting.len() as u64);
        assert_eq!(store.in_jobs(D).unwrap(), self.waiting.values().filter(|line| line.job).count() as u64);
        let letters = store.dead_letters(&LetterFilter::default()).unwrap();
        let found: Vec<_> = letters.iter().map(|letter| letter.operation.idempotency_key.as_str()).collect();
        assert_eq!(found, self.letters.iter().map(|line| line.key.as_str()).collect::<Vec<_>>());
        for (key, status) in &self.keys {
            assert_eq!(key_of(store, key), Some(*status), "{key}");
        }
        for entity in ["cart:lane-0", "cart:lane-1", "cart:lane-2"] {
            assert_eq!(known(store, entity, "").pending, self.waiting.values().any(|line| line.entity == entity), "{entity}");
        }
    }
}

fn accept_one(store: &dyn StateStore, new: NewOperation, now: i64) -> Accepted {
    store.accept(&Acceptance { destination: D.to_owned(), operations: vec![new], ..Acceptance::default() }, t(now)).unwrap()
}

/// Plays the steps; `crash` is what a crash and a restart do to the store.
fn play(steps: Vec<Step>, mut store: Box<dyn StateStore>, mut crash: impl FnMut(Box<dyn StateStore>) -> Box<dyn StateStore>) {
    let mut paper = Paper::default();
    let mut now = 0;
    let owner = |number: u8| format!("owner-{number}");
    for step in steps {
        match step {
            Step::Accept(key, lane, once) => {
                let lane = format!("lane-{lane}");
                let new = match once {
                    true => event(&format!("event-{key}"), &lane),
                    false => state_of(&format!("cart:{lane}"), &lane, &format!("state-{key}")),
                };
                let key = new.operation.idempotency_key.as_str().to_owned();
                let entity = new.operation.entity.clone();
                let accepted = accept_one(&*store, new, now);
                let status = paper.keys.get(&key);
                let duplicate = once && matches!(status, Some(KeyStatus::Pending | KeyStatus::Delivered));
                assert_eq!(accepted.duplicates.len(), usize::from(duplicate));
                if !duplicate {
                    paper.letters.retain(|letter| letter.key != key);
                    paper.add(accepted.ids[0], Line { key, lane, entity, owner: None, job: false });
                }
            }
            Step::Supersede(lane) => {
                paper.orders += 1;
                let (key, lane) = (format!("order-{}", paper.orders), format!("lane-{lane}"));
                let cart = format!("cart:{lane}");
                let mut order = event(&key, &lane);
                order.operation.supersedes = vec![cart.clone()];
                let entity = order.operation.entity.clone();
                let accepted = accept_one(&*store, order, now);
                let gone = paper.ids(|line| line.entity == cart && !paper.under_way(line, now));
                assert_eq!(accepted.superseded.iter().map(|gone| gone.id).collect::<Vec<_>>(), gone);
                gone.into_iter().for_each(|id| drop(paper.remove(id, KeyStatus::Delivered)));
                paper.add(accepted.ids[0], Line { key, lane, entity, owner: None, job: false });
            }
            Step::Claim(number, limit) => {
                let owner = owner(number);
                let expired = paper.leases.iter().filter(|(other, until)| **other != owner && **until <= now);
                let expired: Vec<_> = expired.map(|(other, _)| other.clone()).collect();
                expired.iter().for_each(|other| paper.free(other));
                let expected = paper.claimable(&owner, limit);
                assert_eq!(ids(&claim_at(&*store, &owner, limit, now, now + 30)), expected);
                let lease = paper.leases.get(&owner).copied();
                if !expected.is_empty() || lease.is_some_and(|until| until - now < 15) {
                    paper.leases.insert(owner.clone(), lease.unwrap_or(0).max(now + 30));
                }
                for id in expected {
                    paper.waiting.get_mut(&id).unwrap().owner = Some(owner.clone());
                }
            }
            Step::Settle(number, index, how) => {
                let owner = owner(number);
                let held = paper.ids(|line| line.owner.as_ref() == Some(&owner));
                if held.is_empty() {
                    continue;
                }
                let id = *index.get(&held);
                let settlement = match how {
                    0 => Settlement::Delivered { id },
                    1 => Settlement::Skipped { id, reason: SkipReason::Erased },
                    2 => Settlement::Dead { id, failure: failure(ErrorCode::Rejected) },
                    3 => Settlement::InJob { id, job: HeldBy { id: format!("job-{id}"), since: t(now) }, due_at: t(now + 5) },
                    _ => Settlement::Later { id, due_at: t(now + 5), attempts: 1, first_attempt_at: None },
                };
                store.settle(D, &[settlement.clone(), settlement], t(now)).unwrap();
                match how {
                    0 | 1 => drop(paper.remove(id, KeyStatus::Delivered)),
                    2 => {
                        let line = paper.remove(id, KeyStatus::Dead);
                        paper.letters.push(line);
                    }
                    _ => paper.waiting.get_mut(&id).unwrap().job = how == 3,
                }
            }
            Step::Release(number) => {
                store.release(&owner(number)).unwrap();
                paper.free(&owner(number));
            }
            Step::Replay(index) => {
                let letters = store.dead_letters(&LetterFilter::default()).unwrap();
                if letters.is_empty() {
                    continue;
                }
                let at = index.index(letters.len());
                assert_eq!(store.replay(&[(letters[at].id, None)], None, t(now)).unwrap(), 1);
                let line = paper.letters.remove(at);
                paper.add(paper.last_id + 1, Line { owner: None, job: false, ..line });
            }
            Step::Crash => {
                store = crash(store);
                (0..3).for_each(|number| paper.free(&owner(number)));
            }
            Step::Wait(seconds) => now += seconds,
        }
        paper.check(&*store);
    }
    store = crash(store);
    let all = claim_at(&*store, "last", 1_000, now, now + 30);
    assert_eq!(ids(&all), paper.ids(|_| true), "all that waits can be sent, oldest first");
    for waiting in &all {
        assert_eq!(waiting.operation.idempotency_key.as_str(), paper.waiting[&waiting.id].key);
        assert_eq!(waiting.operation.lane, paper.waiting[&waiting.id].lane);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_and_lanes_keep_their_order_in_memory(steps in steps()) {
        play(steps, Box::new(MemoryStore::new()), |store| {
            (0..3).for_each(|number| store.release(&format!("owner-{number}")).unwrap());
            store
        });
    }
}

#[cfg(feature = "sqlite")]
proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// The crash copies the files of the store while it is open: what a killed process leaves behind.
    #[test]
    fn nothing_is_lost_and_lanes_keep_their_order_in_sqlite(steps in steps()) {
        let root = tempfile::tempdir().unwrap();
        let mut life = 0;
        let folder = |life: u32| {
            let folder = root.path().join(life.to_string());
            std::fs::create_dir(&folder).unwrap();
            folder
        };
        play(steps, Box::new(sqlite_file::open_in(&folder(0))), |store| {
            let old = root.path().join(life.to_string());
            life += 1;
            let new = folder(life);
            for file in ["state.db", "state.db-wal"] {
                std::fs::copy(old.join(file), new.join(file)).unwrap();
            }
            drop(store);
            Box::new(sqlite_file::open_in(&new))
        });
    }
}
