//! Which claimed operations may go now, and which of them may share a request. Pure: time is an argument.
//!
//! Operations of one lane go strictly one after the other, in outbox order: only the head of a lane is ever offered, and
//! a lane offers nothing while an operation of it is under way. Where the endpoint takes many per lane, the operations
//! right behind the head may go along in the same request. A head that is not due holds its own lane and no other.
//!
//! Operations that a job at the destination holds stay at the head of their lanes and are offered together, as one question
//! about that job.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::retry::History;
use crate::state::Waiting;

/// Time since delivery was set up. Not the wall clock, which can jump.
pub type Moment = Duration;

/// A claimed operation with what delivery knows about it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// As claimed.
    pub waiting: Waiting,
    /// Not before.
    pub due: Moment,
    /// What it has been through.
    pub history: History,
    /// The part of a split request it belongs to; 0 for none.
    pub part: u64,
    /// Whether it never shares a request.
    pub alone: bool,
}

impl Entry {
    fn bucket(&self) -> Bucket {
        let operation = &self.waiting.operation;
        let (endpoint, group) = (operation.endpoint.clone(), operation.group.clone());
        match &self.waiting.job {
            Some(job) => Bucket { endpoint, group, part: 0, alone: false, job: Some(job.id.clone()) },
            None => Bucket { endpoint, group, part: self.part, alone: self.alone, job: None },
        }
    }
}

/// What operations must have in common to share a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket {
    /// Endpoint.
    pub endpoint: Cow<'static, str>,
    /// Group.
    pub group: String,
    /// Part of a split request; 0 for none.
    pub part: u64,
    /// Whether they must not share at all.
    pub alone: bool,
    /// The job at the destination that holds them.
    pub job: Option<String>,
}

#[derive(Debug, Default)]
struct Lane {
    queue: VecDeque<Entry>,
    /// Operations of this lane that are under way.
    out: usize,
}

/// Claimed operations by lane.
#[derive(Debug, Default)]
pub struct Lanes {
    lanes: HashMap<Arc<str>, Lane>,
    ready: BTreeMap<Bucket, BTreeMap<u64, Arc<str>>>,
    later: BTreeSet<(Moment, u64, Arc<str>)>,
    held: usize,
    in_jobs: usize,
    parts: u64,
}

impl Lanes {
    /// How many operations are held, those under way included.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held
    }

    /// How many of them a job at the destination holds and are not being asked for right now.
    #[must_use]
    pub fn in_jobs(&self) -> usize {
        self.in_jobs
    }

    /// Whether a head waits that may go now.
    #[must_use]
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// When the next head becomes due.
    #[must_use]
    pub fn next_due(&self) -> Option<Moment> {
        self.later.first().map(|(due, ..)| *due)
    }

    /// Adds an operation that was claimed.
    pub fn add(&mut self, entry: Entry) {
        self.held += 1;
        let name = self.name_of(&entry);
        self.insert(&name, entry);
    }

    /// Offers the heads that have become due.
    pub fn advance(&mut self, now: Moment) {
        while self.later.first().is_some_and(|(due, ..)| *due <= now) {
            let Some((_, id, name)) = self.later.pop_first() else { return };
            if let Some(head) = self.lanes.get(&name).and_then(|lane| lane.queue.front()) {
                self.ready.entry(head.bucket()).or_default().insert(id, name);
            }
        }
    }

    /// What may go now, longest waiting first.
    #[must_use]
    pub fn buckets(&self) -> Vec<Bucket> {
        let mut buckets: Vec<_> = self.ready.iter().filter_map(|(bucket, heads)| Some((heads.first_key_value()?.0, bucket))).collect();
        buckets.sort_unstable();
        buckets.into_iter().map(|(_, bucket)| bucket.clone()).collect()
    }

    /// The longest waiting head of a bucket.
    #[must_use]
    pub fn head(&self, bucket: &Bucket) -> Option<&Entry> {
        let (_, name) = self.ready.get(bucket)?.first_key_value()?;
        self.lanes.get(name)?.queue.front()
    }

    /// Takes up to `max` operations of a bucket, oldest first. They are under way until each is given back with
    /// [`Lanes::put_back`] or ended with [`Lanes::end`].
    pub fn take(&mut self, bucket: &Bucket, max: usize, many_per_lane: bool, now: Moment) -> Vec<Entry> {
        let max = if bucket.alone { 1 } else { max.max(1) };
        let Some(heads) = self.ready.get(bucket) else { return Vec::new() };
        let mut next: BinaryHeap<Reverse<(u64, Arc<str>)>> =
            heads.iter().take(max).map(|(id, name)| Reverse((*id, name.clone()))).collect();
        let mut taken = Vec::new();
        while taken.len() < max {
            let Some(Reverse((_, name))) = next.pop() else { break };
            self.withdraw(&name);
            let Some(lane) = self.lanes.get_mut(&name) else { continue };
            let Some(entry) = lane.queue.pop_front() else { continue };
            lane.out += 1;
            self.in_jobs -= usize::from(entry.waiting.job.is_some());
            taken.push(entry);
            if many_per_lane
                && let Some(following) = lane.queue.front()
                && following.due <= now
                && following.bucket() == *bucket
            {
                next.push(Reverse((following.waiting.id, name)));
            }
        }
        taken
    }

    /// Gives an operation back to its place in its lane.
    pub fn put_back(&mut self, entry: Entry) {
        let name = self.name_of(&entry);
        if let Some(lane) = self.lanes.get_mut(&name) {
            lane.out = lane.out.saturating_sub(1);
        }
        self.insert(&name, entry);
    }

    /// Gives operations back as two halves that will not meet in a request again.
    pub fn put_back_halved(&mut self, mut entries: Vec<Entry>) {
        entries.sort_unstable_by_key(|entry| entry.waiting.id);
        let half = entries.len().div_ceil(2);
        self.parts += 2;
        let parts = self.parts;
        for (at, mut entry) in entries.into_iter().enumerate() {
            entry.part = if at < half { parts - 1 } else { parts };
            self.put_back(entry);
        }
    }

    /// Ends an operation that was taken: the next of its lane may go.
    pub fn end(&mut self, lane_name: &str) {
        self.held = self.held.saturating_sub(1);
        let Some((name, lane)) = self.lanes.get_key_value(lane_name) else { return };
        let (name, empty) = (name.clone(), lane.queue.is_empty());
        if let Some(lane) = self.lanes.get_mut(&name) {
            lane.out = lane.out.saturating_sub(1);
            if lane.out == 0 && empty {
                self.lanes.remove(&name);
                return;
            }
        }
        self.offer(&name);
    }

    /// Forgets everything that is not under way.
    pub fn clear(&mut self) {
        let parts = self.parts;
        *self = Lanes { parts, ..Lanes::default() };
    }

    fn name_of(&self, entry: &Entry) -> Arc<str> {
        let lane = entry.waiting.operation.lane.as_str();
        self.lanes.get_key_value(lane).map_or_else(|| Arc::from(lane), |(name, _)| name.clone())
    }

    fn insert(&mut self, name: &Arc<str>, entry: Entry) {
        self.withdraw(name);
        let lane = self.lanes.entry(name.clone()).or_default();
        self.in_jobs += usize::from(entry.waiting.job.is_some());
        let at = lane.queue.partition_point(|other| other.waiting.id < entry.waiting.id);
        lane.queue.insert(at, entry);
        self.offer(name);
    }

    /// Takes the lane's head out of the index.
    fn withdraw(&mut self, name: &Arc<str>) {
        let Some(head) = self.lanes.get(name).and_then(|lane| lane.queue.front()) else { return };
        let (id, due, bucket) = (head.waiting.id, head.due, head.bucket());
        self.later.remove(&(due, id, name.clone()));
        if let Some(heads) = self.ready.get_mut(&bucket) {
            heads.remove(&id);
            if heads.is_empty() {
                self.ready.remove(&bucket);
            }
        }
    }

    /// Puts the lane's head into the index, unless an operation of the lane is under way.
    fn offer(&mut self, name: &Arc<str>) {
        let Some(lane) = self.lanes.get(name).filter(|lane| lane.out == 0) else { return };
        if let Some(head) = lane.queue.front() {
            self.later.insert((head.due, head.waiting.id, name.clone()));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use chrono::TimeZone;

    use super::*;
    use crate::destinations::Operation;
    use crate::model::{CorrelationId, IdempotencyKey};
    use crate::state::HeldBy;

    const fn s(seconds: u64) -> Moment {
        Duration::from_secs(seconds)
    }

    fn entry(id: u64, lane: &str, endpoint: &'static str) -> Entry {
        let at = chrono::Utc.timestamp_opt(0, 0).unwrap();
        let operation = Operation {
            endpoint: endpoint.into(),
            entity: String::new(),
            lane: lane.into(),
            idempotency_key: IdempotencyKey::new(id.to_string()),
            once: true,
            version: None,
            occurred_at: at,
            group: String::new(),
            params: BTreeMap::new(),
            delta: None,
            supersedes: vec![],
            correlation_id: CorrelationId::new("c"),
            body: vec![],
        };
        let waiting =
            Waiting { id, operation, attempts: 0, first_attempt_at: None, due_at: at, run: None, position: 0, amended: false, job: None };
        Entry { waiting, due: s(0), history: History::default(), part: 0, alone: false }
    }

    fn ids(entries: &[Entry]) -> Vec<u64> {
        entries.iter().map(|entry| entry.waiting.id).collect()
    }

    /// Takes from the first bucket on offer.
    fn take(lanes: &mut Lanes, max: usize, many: bool, now: Moment) -> Vec<Entry> {
        lanes.advance(now);
        let buckets = lanes.buckets();
        buckets.first().map(|bucket| lanes.take(bucket, max, many, now)).unwrap_or_default()
    }

    #[test]
    fn only_heads_are_offered_and_a_lane_under_way_offers_nothing() {
        let mut lanes = Lanes::default();
        [entry(1, "a", "x"), entry(2, "a", "x"), entry(3, "b", "x")].into_iter().for_each(|entry| lanes.add(entry));
        assert_eq!(ids(&take(&mut lanes, 9, false, s(0))), [1, 3]);
        assert!(take(&mut lanes, 9, false, s(0)).is_empty());
        lanes.end("a");
        assert_eq!(ids(&take(&mut lanes, 9, false, s(0))), [2]);
        lanes.end("a");
        lanes.end("b");
        assert_eq!((lanes.held(), lanes.lanes.len()), (0, 0));
    }

    #[test]
    fn what_follows_the_head_goes_along_only_to_the_same_endpoint_and_without_a_gap() {
        let mut lanes = Lanes::default();
        [entry(1, "a", "x"), entry(2, "a", "x"), entry(3, "b", "x"), entry(4, "a", "y"), entry(5, "a", "x")]
            .into_iter()
            .for_each(|entry| lanes.add(entry));
        assert_eq!(ids(&take(&mut lanes, 9, true, s(0))), [1, 2, 3]);
        lanes.end("a");
        assert!(take(&mut lanes, 9, true, s(0)).is_empty(), "one of the lane is still under way");
        lanes.end("a");
        assert_eq!(ids(&take(&mut lanes, 9, true, s(0))), [4]);
    }

    #[test]
    fn a_head_that_is_not_due_holds_its_lane_alone() {
        let mut lanes = Lanes::default();
        lanes.add(Entry { due: s(30), ..entry(1, "a", "x") });
        [entry(2, "a", "x"), entry(3, "b", "x")].into_iter().for_each(|entry| lanes.add(entry));
        assert_eq!(ids(&take(&mut lanes, 9, true, s(29))), [3]);
        assert_eq!(lanes.next_due(), Some(s(30)));
        assert_eq!(ids(&take(&mut lanes, 9, true, s(30))), [1, 2]);
    }

    #[test]
    fn what_follows_the_head_waits_for_its_own_time() {
        let mut lanes = Lanes::default();
        lanes.add(entry(1, "a", "x"));
        lanes.add(Entry { due: s(30), ..entry(2, "a", "x") });
        assert_eq!(ids(&take(&mut lanes, 9, true, s(29))), [1]);
    }

    #[test]
    fn what_one_job_holds_is_offered_together_and_holds_its_lanes() {
        let in_job = |id, lane, job: &str| {
            let mut entry = entry(id, lane, "x");
            entry.waiting.job = Some(HeldBy { id: job.to_owned(), since: chrono::Utc.timestamp_opt(0, 0).unwrap() });
            Entry { due: s(5), alone: true, part: 3, ..entry }
        };
        let mut lanes = Lanes::default();
        [in_job(1, "a", "j1"), in_job(2, "b", "j2"), in_job(3, "a", "j1"), in_job(4, "c", "j1")]
            .into_iter()
            .for_each(|entry| lanes.add(entry));
        [entry(5, "a", "x"), entry(6, "b", "x"), entry(7, "d", "x")].into_iter().for_each(|entry| lanes.add(entry));
        assert_eq!((lanes.held(), lanes.in_jobs()), (7, 4));
        assert_eq!(ids(&take(&mut lanes, 9, true, s(4))), [7]);
        assert_eq!(ids(&take(&mut lanes, 9, true, s(5))), [1, 3, 4]);
        assert_eq!(ids(&take(&mut lanes, 9, true, s(5))), [2]);
        assert_eq!(lanes.in_jobs(), 0);
        ["a", "a", "b", "c"].into_iter().for_each(|lane| lanes.end(lane));
        assert_eq!(ids(&take(&mut lanes, 9, true, s(5))), [5, 6]);
    }

    #[test]
    fn what_comes_back_is_first_again() {
        let mut lanes = Lanes::default();
        [entry(1, "a", "x"), entry(2, "a", "x"), entry(3, "a", "x")].into_iter().for_each(|entry| lanes.add(entry));
        let mut taken = take(&mut lanes, 2, true, s(0));
        lanes.put_back(taken.pop().unwrap());
        lanes.put_back(Entry { due: s(5), ..taken.pop().unwrap() });
        assert!(take(&mut lanes, 9, true, s(4)).is_empty());
        assert_eq!(ids(&take(&mut lanes, 9, true, s(5))), [1, 2, 3]);
    }

    #[test]
    fn the_longest_waiting_goes_first() {
        let mut lanes = Lanes::default();
        [entry(1, "a", "y"), entry(2, "b", "x"), entry(3, "c", "x"), entry(4, "d", "x")].into_iter().for_each(|entry| lanes.add(entry));
        lanes.advance(s(0));
        let endpoints: Vec<_> = lanes.buckets().into_iter().map(|bucket| bucket.endpoint).collect();
        assert_eq!(endpoints, ["y", "x"]);
        let bucket = lanes.buckets().pop().unwrap();
        assert_eq!(lanes.head(&bucket).unwrap().waiting.id, 2);
        assert_eq!(ids(&lanes.take(&bucket, 2, false, s(0))), [2, 3]);
    }

    #[test]
    fn halves_do_not_meet_again_nor_those_that_go_alone() {
        let mut lanes = Lanes::default();
        (1..=5).map(|id| entry(id, &id.to_string(), "x")).for_each(|entry| lanes.add(entry));
        lanes.add(Entry { alone: true, ..entry(6, "6", "x") });
        let taken = take(&mut lanes, 9, false, s(0));
        assert_eq!(ids(&taken), [1, 2, 3, 4, 5]);
        lanes.put_back_halved(taken);
        assert_eq!(ids(&take(&mut lanes, 9, false, s(0))), [1, 2, 3]);
        assert_eq!(ids(&take(&mut lanes, 9, false, s(0))), [4, 5]);
        assert_eq!(ids(&take(&mut lanes, 9, false, s(0))), [6]);
    }
}
