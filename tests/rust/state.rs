//! One behaviour suite for every state store: what the docs of `StateStore` promise, one sentence each.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use cartwire::ErrorCode;
use cartwire::destinations::{Operation, Refusal};
use cartwire::model::{Channel, ConsentStatus, CorrelationId, IdempotencyKey, Instant, Mode, ResourceRef, SkipReason};
use cartwire::state::{
    Acceptance, Accepted, Claim, ConsentRow, Failure, FetchEnd, FetchSettlement, HeldBy, KeyStatus, Known, KnownEmail, LetterFilter,
    MemoryStore, NewFetch, NewOperation, PendingFetch, RunRow, Settlement, StateStore, Subject, Waiting,
};

#[path = "state/model.rs"]
mod model;
#[cfg(feature = "sqlite")]
#[path = "state/sqlite_file.rs"]
mod sqlite_file;

const D: &str = "iterable";

/// A whole second after the suite's epoch.
fn t(second: i64) -> Instant {
    Instant::from_timestamp(1_790_000_000 + second, 0).unwrap()
}

/// A state of `entity` in `lane`, writing members `email` (fingerprint 7) and `phone` (gone).
fn state_of(entity: &str, lane: &str, key: &str) -> NewOperation {
    NewOperation {
        operation: Operation {
            endpoint: Cow::Borrowed("users.update"),
            entity: entity.to_owned(),
            lane: lane.to_owned(),
            idempotency_key: IdempotencyKey::new(key),
            once: false,
            version: None,
            occurred_at: t(-60),
            group: String::new(),
            params: BTreeMap::new(),
            delta: Some(Cow::Borrowed("/dataFields")),
            supersedes: Vec::new(),
            correlation_id: CorrelationId::new("c-1"),
            body: br#"{"dataFields":{"email":"a@example.com"}}"#.to_vec(),
        },
        fingerprints: BTreeMap::from([("email".to_owned(), Some(u64::MAX - 7)), ("phone".to_owned(), None)]),
        record: br#"{"kind":"contact"}"#.to_vec(),
        run: Some("run-1".to_owned()),
        position: 3,
        people: vec!["p0".to_owned()],
    }
}

/// A thing that happened, in its own entity.
fn event(key: &str, lane: &str) -> NewOperation {
    let mut new = state_of(&format!("event:{key}"), lane, key);
    new.operation.once = true;
    new.operation.delta = None;
    new.fingerprints.clear();
    new
}

fn accept(store: &dyn StateStore, operations: Vec<NewOperation>) -> Accepted {
    store.accept(&Acceptance { destination: D.to_owned(), operations, ..Acceptance::default() }, t(0)).unwrap()
}

fn known(store: &dyn StateStore, entity: &str, key: &str) -> Known {
    store.known(D, &[Subject { entity, idempotency_key: key }]).unwrap().remove(0)
}

fn key_of(store: &dyn StateStore, key: &str) -> Option<KeyStatus> {
    known(store, "nothing", key).key
}

fn claim_at(store: &dyn StateStore, owner: &str, limit: u32, now: i64, until: i64) -> Vec<Waiting> {
    store.claim(D, &Claim { owner, now: t(now), until: t(until), limit, per_lane: u32::MAX }).unwrap()
}

fn claim(store: &dyn StateStore, owner: &str, limit: u32) -> Vec<u64> {
    ids(&claim_at(store, owner, limit, 1, 60))
}

fn ids(waiting: &[Waiting]) -> Vec<u64> {
    waiting.iter().map(|waiting| waiting.id).collect()
}

fn settle(store: &dyn StateStore, settlements: &[Settlement]) {
    store.settle(D, settlements, t(10)).unwrap();
}

fn failure(code: ErrorCode) -> Failure {
    Failure { refusal: Refusal::new(code, "InvalidEmail", "the address is not one"), status: 400, response: "{}".to_owned(), attempts: 2 }
}

/// Accepts one operation, lets it die and returns its letter's id.
fn letter(store: &dyn StateStore, new: NewOperation) -> u64 {
    let id = accept(store, vec![new]).ids[0];
    settle(store, &[Settlement::Dead { id, failure: failure(ErrorCode::Rejected) }]);
    store.dead_letters(&LetterFilter::default()).unwrap().last().unwrap().id
}

fn consent(status: ConsentStatus, at: Option<i64>, observed_at: i64) -> ConsentRow {
    ConsentRow {
        person: "p1".to_owned(),
        channel: Channel::Email,
        status,
        at: at.map(t),
        source: Some("checkout".to_owned()),
        observed_at: t(observed_at),
    }
}

fn hear(store: &dyn StateStore, consents: Vec<ConsentRow>) {
    store.accept(&Acceptance { destination: D.to_owned(), consents, ..Acceptance::default() }, t(0)).unwrap();
}

fn newest(store: &dyn StateStore) -> ConsentRow {
    store.consents(&["p1"]).unwrap().remove(0).remove(0)
}

/// Each function below is one test per store.
macro_rules! suite {
    ($($sentence:ident;)+) => {
        mod memory {
            $(#[test] fn $sentence() { super::$sentence(&super::MemoryStore::new()); })+
        }

        #[cfg(feature = "sqlite")]
        mod sqlite {
            $(
                #[test]
                fn $sentence() {
                    let folder = tempfile::tempdir().unwrap();
                    super::$sentence(&super::sqlite_file::open_in(folder.path()));
                }
            )+
        }
    };
}

suite! {
    what_was_accepted_is_known_at_once;
    nothing_is_known_of_what_was_never_accepted;
    destinations_do_not_see_each_other;
    an_accepted_operation_comes_back_whole;
    one_long_lane_does_not_eat_up_a_claim;
    versions_only_grow;
    pending_members_are_those_of_the_waiting_operations;
    delivery_merges_fingerprints_and_frees_the_entity;
    a_skipped_operation_is_never_sent_and_leaves_no_fingerprints;
    what_the_destination_has_already_is_remembered_as_delivered;
    a_dead_operation_keeps_record_operation_and_failure;
    a_dead_key_that_comes_again_takes_the_letter_out;
    a_withheld_key_is_remembered_and_overrules_nothing;
    a_state_that_comes_again_takes_its_older_letter_out;
    a_thing_that_happened_is_stored_once;
    a_state_whose_key_was_delivered_can_be_sent_again;
    a_key_waits_as_long_as_one_of_its_operations_waits;
    what_supersedes_removes_what_waits;
    what_is_under_way_is_not_superseded;
    what_an_expired_owner_held_is_superseded;
    what_comes_after_in_the_same_acceptance_is_not_superseded;
    a_superseded_key_counts_as_delivered;
    operations_are_claimed_oldest_first_up_to_the_limit;
    ids_already_held_are_not_returned_again;
    a_lane_that_another_owner_holds_is_left_alone;
    a_lane_cut_by_the_limit_stays_with_its_owner;
    operations_due_later_are_claimed_too;
    what_an_expired_owner_held_can_be_taken;
    claiming_again_extends_the_lease;
    release_gives_back_what_is_held;
    settling_later_keeps_the_claim;
    settling_amended_keeps_the_claim_and_changes_the_body;
    several_destinations_are_accepted_for_at_once;
    what_a_job_holds_tells_so_until_it_is_put_off;
    the_operations_of_a_job_are_claimed_together_beyond_every_limit;
    what_a_job_holds_is_not_superseded;
    what_a_job_held_leaves_the_outbox_like_anything_else;
    settling_twice_is_harmless;
    settling_at_another_destination_does_nothing;
    undated_consent_never_outweighs_dated_consent;
    the_consent_said_last_counts_in_whatever_order_it_is_heard;
    of_two_consents_said_at_once_the_one_heard_later_counts;
    an_undated_yes_does_not_undo_an_undated_no;
    channels_and_people_keep_their_own_consent;
    all_consent_is_kept_as_history_but_repetition;
    erased_people_stay_erased;
    an_erasure_takes_what_is_known_of_the_person_and_nothing_of_others;
    what_is_under_way_outlives_an_erasure_but_leaves_no_letter;
    a_replayed_letter_waits_under_its_own_key;
    a_replayed_letter_takes_the_replacement_but_keeps_the_key;
    a_discarded_letter_is_gone_and_its_key_forgotten;
    letters_are_found_by_every_filter;
    letter_ids_stay_when_others_leave;
    outbox_ids_are_never_reused;
    a_customers_address_is_the_newest_told_and_goes_with_either_name;
    a_cursor_moves;
    a_fetch_is_one_however_often_it_is_named;
    a_fetch_named_while_it_is_read_is_read_again;
    a_fetch_that_failed_waits_behind_those_that_are_due;
    a_fetch_that_was_given_up_is_kept_until_it_is_named_or_asked_for;
    a_pushed_call_is_remembered_for_a_month_and_by_its_scope;
    runs_are_replaced_and_listed_newest_first;
    purge_forgets_only_old_delivered_keys;
    what_is_remembered_of_an_order_is_replaced_per_destination_and_purged_by_age;
    debug_shows_no_data;
    threads_accepting_the_same_event_store_it_once;
    threads_claiming_at_once_never_share_an_operation;
}

fn what_was_accepted_is_known_at_once(store: &dyn StateStore) {
    accept(store, vec![state_of("contact:1", "l1", "k1")]);
    assert_eq!(
        known(store, "contact:1", "k1"),
        Known {
            key: Some(KeyStatus::Pending),
            version: None,
            sent: BTreeMap::new(),
            pending: true,
            pending_members: vec!["email".to_owned(), "phone".to_owned()],
        }
    );
    assert_eq!(store.waiting(D).unwrap(), 1);
}

fn nothing_is_known_of_what_was_never_accepted(store: &dyn StateStore) {
    accept(store, vec![state_of("contact:1", "l1", "k1")]);
    let subjects = [
        Subject { entity: "contact:2", idempotency_key: "k2" },
        Subject { entity: "contact:1", idempotency_key: "k2" },
        Subject { entity: "contact:2", idempotency_key: "k1" },
    ];
    let known = store.known(D, &subjects).unwrap();
    assert_eq!(known[0], Known::default());
    assert_eq!((known[1].key, known[1].pending), (None, true));
    assert_eq!((known[2].key, known[2].pending), (Some(KeyStatus::Pending), false));
    assert!(store.known(D, &[]).unwrap().is_empty());
}

fn destinations_do_not_see_each_other(store: &dyn StateStore) {
    accept(store, vec![state_of("contact:1", "l1", "k1")]);
    assert_eq!(store.known("cordial", &[Subject { entity: "contact:1", idempotency_key: "k1" }]).unwrap(), [Known::default()]);
    assert_eq!(store.waiting("cordial").unwrap(), 0);
    let elsewhere = store.claim("cordial", &Claim { owner: "a", now: t(1), until: t(60), limit: 10, per_lane: 10 }).unwrap();
    assert!(elsewhere.is_empty());
}

fn one_long_lane_does_not_eat_up_a_claim(store: &dyn StateStore) {
    let long = (0..5).map(|n| event(&format!("long{n}"), "long"));
    let ids_given = accept(store, long.chain([event("short", "short")]).collect()).ids;
    let claim = |now| store.claim(D, &Claim { owner: "a", now: t(now), until: t(60), limit: 10, per_lane: 2 }).unwrap();
    assert_eq!(ids(&claim(1)), [ids_given[0], ids_given[1], ids_given[5]]);
    assert!(claim(2).is_empty(), "two of the long lane are held");
    settle(store, &[Settlement::Delivered { id: ids_given[0] }]);
    assert_eq!(ids(&claim(3)), [ids_given[2]]);
}

fn an_accepted_operation_comes_back_whole(store: &dyn StateStore) {
    let mut new = state_of("contact:1", "l1", "k1");
    new.operation.version = Some(u64::MAX);
    new.operation.params = BTreeMap::from([("id".to_owned(), "ä/ö".to_owned())]);
    new.operation.supersedes = vec!["cart:1".to_owned()];
    new.operation.group = "g".to_owned();
    let id = accept(store, vec![new.clone()]).ids[0];
    let claimed = claim_at(store, "a", 10, 1, 60);
    assert_eq!(claimed.len(), 1);
    assert!(claimed[0].operation == new.operation);
    assert_eq!((claimed[0].id, claimed[0].attempts, claimed[0].first_attempt_at, claimed[0].due_at), (id, 0, None, t(0)));
    assert_eq!((claimed[0].run.as_deref(), claimed[0].position, claimed[0].amended), (Some("run-1"), 3, false));
}

fn versions_only_grow(store: &dyn StateStore) {
    let version = |version| {
        let mut new = state_of("contact:1", "l1", &format!("k{version}"));
        new.operation.version = Some(version);
        accept(store, vec![new]);
        known(store, "contact:1", "").version
    };
    assert_eq!(version(5), Some(5));
    assert_eq!(version(4), Some(5));
    let seen = |entity: &str, version| {
        let versions = vec![(entity.to_owned(), version)];
        store.accept(&Acceptance { destination: D.to_owned(), versions, ..Acceptance::default() }, t(0)).unwrap();
        known(store, entity, "").version
    };
    assert_eq!(seen("contact:1", 4), Some(5));
    assert_eq!(seen("contact:1", 9), Some(9));
    assert_eq!(seen("contact:2", 0), Some(0));
    assert_eq!(seen("contact:2", u64::MAX), Some(u64::MAX));
    assert_eq!(seen("contact:2", i64::MAX as u64), Some(u64::MAX));
}

fn pending_members_are_those_of_the_waiting_operations(store: &dyn StateStore) {
    let mut second = state_of("contact:1", "l1", "k2");
    second.fingerprints = BTreeMap::from([("city".to_owned(), Some(1)), ("email".to_owned(), None)]);
    let accepted = accept(store, vec![state_of("contact:1", "l1", "k1"), second]);
    assert_eq!(known(store, "contact:1", "").pending_members, ["city", "email", "phone"]);
    settle(store, &[Settlement::Delivered { id: accepted.ids[0] }]);
    assert_eq!(known(store, "contact:1", "").pending_members, ["city", "email"]);
    settle(store, &[Settlement::Delivered { id: accepted.ids[1] }]);
    assert_eq!((known(store, "contact:1", "").pending, known(store, "contact:1", "").pending_members.len()), (false, 0));
}

fn delivery_merges_fingerprints_and_frees_the_entity(store: &dyn StateStore) {
    let deliver = |key: &str, fingerprints: &[(&str, Option<u64>)]| {
        let mut new = state_of("contact:1", "l1", key);
        new.operation.version = Some(1);
        new.fingerprints = fingerprints.iter().map(|(member, value)| ((*member).to_owned(), *value)).collect();
        let id = accept(store, vec![new]).ids[0];
        settle(store, &[Settlement::Delivered { id }]);
    };
    deliver("k1", &[("email", Some(1)), ("phone", Some(u64::MAX)), ("city", Some(3))]);
    deliver("k2", &[("email", Some(4)), ("city", None), ("never", None)]);
    let known = known(store, "contact:1", "k1");
    assert_eq!(known.sent, BTreeMap::from([("email".to_owned(), 4), ("phone".to_owned(), u64::MAX)]));
    assert_eq!((known.key, known.version, known.pending), (Some(KeyStatus::Delivered), Some(1), false));
    assert_eq!(store.waiting(D).unwrap(), 0);
}

fn a_skipped_operation_is_never_sent_and_leaves_no_fingerprints(store: &dyn StateStore) {
    let id = accept(store, vec![state_of("contact:1", "l1", "k1")]).ids[0];
    settle(store, &[Settlement::Skipped { id, reason: SkipReason::DeniedAtDestination }]);
    let known = known(store, "contact:1", "k1");
    assert_eq!((known.key, known.sent.len(), known.pending), (Some(KeyStatus::Delivered), 0, false));
    assert!(claim(store, "a", 10).is_empty());
    assert!(store.dead_letters(&LetterFilter::default()).unwrap().is_empty());
}

fn what_the_destination_has_already_is_remembered_as_delivered(store: &dyn StateStore) {
    let settled = |key: &str, fingerprints: &[(&str, Option<u64>)]| {
        let mut new = state_of("consent:1", "l1", key);
        new.fingerprints = fingerprints.iter().map(|(member, value)| ((*member).to_owned(), *value)).collect();
        let id = accept(store, vec![new]).ids[0];
        settle(store, &[Settlement::Skipped { id, reason: SkipReason::Unchanged }]);
        known(store, "consent:1", key)
    };
    let yes = settled("k1", &[("", Some(7)), ("joined:101", Some(1))]);
    assert_eq!((yes.key, yes.pending), (Some(KeyStatus::Delivered), false));
    assert_eq!(yes.sent, BTreeMap::from([(String::new(), 7), ("joined:101".to_owned(), 1)]));
    let no = settled("k2", &[("", Some(8)), ("joined:101", None)]);
    assert_eq!(no.sent, BTreeMap::from([(String::new(), 8)]));
}

fn a_dead_operation_keeps_record_operation_and_failure(store: &dyn StateStore) {
    let new = state_of("contact:1", "l1", "k1");
    letter(store, new.clone());
    let letters = store.dead_letters(&LetterFilter::default()).unwrap();
    assert_eq!(letters.len(), 1);
    assert!(letters[0].operation == new.operation);
    assert_eq!(letters[0].record, new.record);
    assert_eq!(letters[0].failure, failure(ErrorCode::Rejected));
    assert_eq!((letters[0].destination.as_str(), letters[0].died_at), (D, t(10)));
    assert_eq!((letters[0].run.as_deref(), letters[0].position), (Some("run-1"), 3));
    let known = known(store, "contact:1", "k1");
    assert_eq!((known.key, known.pending, known.sent.len()), (Some(KeyStatus::Dead), false, 0));
    assert_eq!(store.waiting(D).unwrap(), 0);
}

fn a_withheld_key_is_remembered_and_overrules_nothing(store: &dyn StateStore) {
    accept(store, vec![event("k1", "l1")]);
    let acceptance = Acceptance { destination: D.to_owned(), withheld: vec!["k1".to_owned(), "k2".to_owned()], ..Acceptance::default() };
    store.accept(&acceptance, t(1)).unwrap();
    assert_eq!((key_of(store, "k1"), key_of(store, "k2")), (Some(KeyStatus::Pending), Some(KeyStatus::Withheld)));
    assert_eq!(store.purge(t(1_000)).unwrap(), 0);
    // A backfill that is set to send it may.
    assert_eq!(accept(store, vec![event("k2", "l1")]).duplicates, Vec::<usize>::new());
    assert_eq!(key_of(store, "k2"), Some(KeyStatus::Pending));
}

fn a_dead_key_that_comes_again_takes_the_letter_out(store: &dyn StateStore) {
    letter(store, event("k1", "l1"));
    let other = letter(store, event("k2", "l1"));
    assert_eq!(accept(store, vec![event("k1", "l1")]).duplicates, Vec::<usize>::new());
    let left = store.dead_letters(&LetterFilter::default()).unwrap();
    assert_eq!(left.iter().map(|letter| letter.id).collect::<Vec<_>>(), [other]);
    assert_eq!(key_of(store, "k1"), Some(KeyStatus::Pending));
}

fn a_state_that_comes_again_takes_its_older_letter_out(store: &dyn StateStore) {
    let accepted = accept(store, vec![state_of("contact:1", "l1", "k1"), state_of("contact:1", "l1", "k1")]);
    settle(store, &[Settlement::Dead { id: accepted.ids[0], failure: failure(ErrorCode::Rejected) }]);
    settle(store, &[Settlement::Delivered { id: accepted.ids[1] }]);
    assert_eq!(key_of(store, "k1"), Some(KeyStatus::Delivered));
    accept(store, vec![state_of("contact:1", "l1", "k1")]);
    assert!(store.dead_letters(&LetterFilter::default()).unwrap().is_empty());
}

fn a_thing_that_happened_is_stored_once(store: &dyn StateStore) {
    let first = accept(store, vec![event("k1", "l1"), event("k1", "l1"), event("k2", "l1")]);
    assert_eq!(first.duplicates, [1]);
    assert_eq!(first.ids[1], first.ids[0]);
    settle(store, &[Settlement::Delivered { id: first.ids[0] }]);
    let second = accept(store, vec![event("k2", "l1"), event("k1", "l1"), event("k3", "l1")]);
    assert_eq!(second.duplicates, [0, 1]);
    assert_eq!(second.ids[..2], [first.ids[2], 0]);
    assert_eq!(claim(store, "a", 10), [first.ids[2], second.ids[2]]);
}

fn a_state_whose_key_was_delivered_can_be_sent_again(store: &dyn StateStore) {
    let id = accept(store, vec![state_of("contact:1", "l1", "k1")]).ids[0];
    settle(store, &[Settlement::Delivered { id }]);
    let again = accept(store, vec![state_of("contact:1", "l1", "k1")]);
    assert!(again.duplicates.is_empty() && again.ids[0] > id);
    assert_eq!(key_of(store, "k1"), Some(KeyStatus::Pending));
}

fn a_key_waits_as_long_as_one_of_its_operations_waits(store: &dyn StateStore) {
    let accepted = accept(store, vec![state_of("contact:1", "l1", "k1"), state_of("contact:1", "l1", "k1")]);
    settle(store, &[Settlement::Delivered { id: accepted.ids[0] }]);
    assert_eq!(key_of(store, "k1"), Some(KeyStatus::Pending));
    settle(store, &[Settlement::Delivered { id: accepted.ids[1] }]);
    assert_eq!(key_of(store, "k1"), Some(KeyStatus::Delivered));
}

/// An order that makes the cart pointless.
fn order_over(cart: &str) -> NewOperation {
    let mut order = event("order", "l1");
    order.operation.supersedes = vec![cart.to_owned()];
    order
}

fn what_supersedes_removes_what_waits(store: &dyn StateStore) {
    let carts = accept(store, vec![state_of("cart:1", "l1", "k1"), state_of("cart:2", "l1", "k2"), state_of("cart:1", "l1", "k3")]);
    let order = accept(store, vec![order_over("cart:1")]);
    let removed: Vec<_> = order.superseded.iter().map(|gone| (gone.id, gone.run.as_deref(), gone.position)).collect();
    assert_eq!(removed, [(carts.ids[0], Some("run-1"), 3), (carts.ids[2], Some("run-1"), 3)]);
    assert_eq!(claim(store, "a", 10), [carts.ids[1], order.ids[0]]);
    assert!(!known(store, "cart:1", "").pending);
}

fn what_is_under_way_is_not_superseded(store: &dyn StateStore) {
    let cart = accept(store, vec![state_of("cart:1", "l1", "k1")]).ids[0];
    claim_at(store, "a", 1, -10, 60);
    let later = accept(store, vec![state_of("cart:1", "l1", "k2")]).ids[0];
    let order = accept(store, vec![order_over("cart:1")]);
    assert_eq!(order.superseded.iter().map(|gone| gone.id).collect::<Vec<_>>(), [later]);
    assert_eq!(key_of(store, "k1"), Some(KeyStatus::Pending));
    settle(store, &[Settlement::Delivered { id: cart }]);
    assert_eq!(claim(store, "a", 10), order.ids);
}

fn what_an_expired_owner_held_is_superseded(store: &dyn StateStore) {
    let cart = accept(store, vec![state_of("cart:1", "l1", "k1")]).ids[0];
    claim_at(store, "a", 1, -10, 0);
    let order = accept(store, vec![order_over("cart:1")]);
    assert_eq!(order.superseded.iter().map(|gone| gone.id).collect::<Vec<_>>(), [cart]);
    assert_eq!(claim(store, "b", 10), order.ids);
}

fn what_comes_after_in_the_same_acceptance_is_not_superseded(store: &dyn StateStore) {
    let accepted = accept(store, vec![state_of("cart:1", "l1", "k1"), order_over("cart:1"), state_of("cart:1", "l1", "k2")]);
    assert_eq!(accepted.superseded.iter().map(|gone| gone.id).collect::<Vec<_>>(), [accepted.ids[0]]);
    assert_eq!(claim(store, "a", 10), accepted.ids[1..]);
}

fn a_superseded_key_counts_as_delivered(store: &dyn StateStore) {
    let mut cart = state_of("cart:1", "l1", "k1");
    cart.operation.version = Some(4);
    accept(store, vec![cart, order_over("cart:1")]);
    let known = known(store, "cart:1", "k1");
    assert_eq!((known.key, known.version, known.sent.len()), (Some(KeyStatus::Delivered), Some(4), 0));
}

fn operations_are_claimed_oldest_first_up_to_the_limit(store: &dyn StateStore) {
    let accepted = accept(store, ["b", "a", "b", "c"].iter().enumerate().map(|(i, lane)| event(&format!("k{i}"), lane)).collect());
    assert!(accepted.ids.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(claim(store, "a", 0).is_empty());
    assert_eq!(claim(store, "a", 3), accepted.ids[..3]);
    assert_eq!(claim(store, "a", 3), accepted.ids[3..]);
}

fn ids_already_held_are_not_returned_again(store: &dyn StateStore) {
    let first = accept(store, vec![event("k1", "l1")]);
    assert_eq!(claim(store, "a", 10), first.ids);
    assert!(claim(store, "a", 10).is_empty());
    let second = accept(store, vec![event("k2", "l1")]);
    assert_eq!(claim(store, "a", 10), second.ids);
    assert_eq!(store.waiting(D).unwrap(), 2);
}

fn a_lane_that_another_owner_holds_is_left_alone(store: &dyn StateStore) {
    let first = accept(store, vec![event("k1", "l1")]);
    assert_eq!(claim(store, "a", 10), first.ids);
    let more = accept(store, vec![event("k2", "l1"), event("k3", "l2")]);
    assert_eq!(claim(store, "b", 10), more.ids[1..]);
    settle(store, &[Settlement::Delivered { id: first.ids[0] }]);
    assert_eq!(claim(store, "b", 10), more.ids[..1]);
}

fn a_lane_cut_by_the_limit_stays_with_its_owner(store: &dyn StateStore) {
    let accepted = accept(store, vec![event("k1", "l1"), event("k2", "l1"), event("k3", "l2")]);
    assert_eq!(claim(store, "a", 1), accepted.ids[..1]);
    assert_eq!(claim(store, "b", 10), accepted.ids[2..]);
    assert_eq!(claim(store, "a", 10), accepted.ids[1..2]);
}

fn operations_due_later_are_claimed_too(store: &dyn StateStore) {
    let accepted = accept(store, vec![event("k1", "l1"), event("k2", "l1")]);
    claim(store, "a", 1);
    settle(store, &[Settlement::Later { id: accepted.ids[0], due_at: t(500), attempts: 1, first_attempt_at: Some(t(2)) }]);
    store.release("a").unwrap();
    let claimed = claim_at(store, "b", 10, 11, 60);
    assert_eq!(ids(&claimed), accepted.ids);
    assert_eq!((claimed[0].due_at, claimed[0].attempts, claimed[0].first_attempt_at), (t(500), 1, Some(t(2))));
}

fn what_an_expired_owner_held_can_be_taken(store: &dyn StateStore) {
    let accepted = accept(store, vec![event("k1", "l1"), event("k2", "l1"), event("k3", "l2")]);
    assert_eq!(ids(&claim_at(store, "a", 10, 1, 20)), accepted.ids);
    assert!(claim_at(store, "b", 10, 19, 60).is_empty());
    assert_eq!(ids(&claim_at(store, "b", 1, 20, 60)), accepted.ids[..1]);
    assert_eq!(ids(&claim_at(store, "a", 10, 21, 60)), accepted.ids[2..]);
}

fn claiming_again_extends_the_lease(store: &dyn StateStore) {
    let accepted = accept(store, vec![event("k1", "l1")]);
    assert_eq!(ids(&claim_at(store, "a", 10, 1, 21)), accepted.ids);
    assert!(claim_at(store, "a", 10, 15, 35).is_empty());
    assert!(claim_at(store, "b", 10, 34, 60).is_empty());
    assert_eq!(ids(&claim_at(store, "b", 10, 35, 60)), accepted.ids);
}

fn release_gives_back_what_is_held(store: &dyn StateStore) {
    let accepted = accept(store, vec![event("k1", "l1"), event("k2", "l2")]);
    assert_eq!(claim(store, "a", 1), accepted.ids[..1]);
    assert_eq!(claim(store, "b", 1), accepted.ids[1..]);
    store.release("a").unwrap();
    store.release("nobody").unwrap();
    assert_eq!(claim(store, "c", 10), accepted.ids[..1]);
}

fn settling_later_keeps_the_claim(store: &dyn StateStore) {
    let accepted = accept(store, vec![event("k1", "l1")]);
    claim(store, "a", 10);
    settle(store, &[Settlement::Later { id: accepted.ids[0], due_at: t(30), attempts: 1, first_attempt_at: Some(t(1)) }]);
    assert!(claim(store, "a", 10).is_empty());
    assert!(claim(store, "b", 10).is_empty());
    assert_eq!(key_of(store, "k1"), Some(KeyStatus::Pending));
}

fn settling_amended_keeps_the_claim_and_changes_the_body(store: &dyn StateStore) {
    let accepted = accept(store, vec![event("k1", "l1")]);
    claim(store, "a", 10);
    settle(store, &[Settlement::Amended { id: accepted.ids[0], body: b"{}".to_vec() }]);
    assert!(claim(store, "b", 10).is_empty());
    store.release("a").unwrap();
    let claimed = claim_at(store, "b", 10, 1, 60);
    assert_eq!((claimed[0].operation.body.as_slice(), claimed[0].amended), (b"{}".as_slice(), true));
}

fn several_destinations_are_accepted_for_at_once(store: &dyn StateStore) {
    let part = |destination: &str, operations| Acceptance { destination: destination.to_owned(), operations, ..Acceptance::default() };
    let first = part(D, vec![event("k1", "l1"), event("k2", "l2")]);
    let accepted = store.accept_all(&[first.clone(), part("cordial", vec![event("k1", "l1")])], t(0)).unwrap();
    assert_eq!(accepted.iter().map(|part| part.ids.len()).collect::<Vec<_>>(), [2, 1]);
    assert_eq!((store.waiting(D).unwrap(), store.waiting("cordial").unwrap()), (2, 1), "a key is known to one destination at a time");
    let again = store.accept_all(&[first, part("cordial", vec![event("k2", "l2")])], t(1)).unwrap();
    assert_eq!((again[0].duplicates.len(), again[1].duplicates.len()), (2, 0));
    assert!(store.accept_all(&[], t(2)).unwrap().is_empty());
}

/// Has a job hold some operations, asked for at second 40.
fn held(store: &dyn StateStore, job: &str, ids: &[u64]) {
    let held = |id: &u64| Settlement::InJob { id: *id, job: HeldBy { id: job.to_owned(), since: t(5) }, due_at: t(40) };
    settle(store, &ids.iter().map(held).collect::<Vec<_>>());
}

fn what_a_job_holds_tells_so_until_it_is_put_off(store: &dyn StateStore) {
    let given = accept(store, vec![event("k1", "l1"), event("k2", "l2"), event("k3", "l3")]).ids;
    assert_eq!(claim(store, "a", 10), given);
    held(store, "job-1", &given[..2]);
    held(store, "job-1/page-2", &given[..1]);
    assert_eq!((store.in_jobs(D).unwrap(), store.in_jobs("cordial").unwrap(), store.waiting(D).unwrap()), (2, 0, 3));
    assert!(claim(store, "a", 10).is_empty(), "the owner still holds them");
    store.release("a").unwrap();
    let waiting = claim_at(store, "b", 10, 6, 60);
    assert_eq!(waiting[0].job, Some(HeldBy { id: "job-1/page-2".to_owned(), since: t(5) }));
    assert_eq!((waiting[0].due_at, waiting[0].attempts), (t(40), 0));
    assert_eq!(waiting[1].job.as_ref().map(|job| job.id.as_str()), Some("job-1"));
    assert_eq!(waiting[2].job, None);
    let later = Settlement::Later { id: given[0], due_at: t(50), attempts: 1, first_attempt_at: Some(t(5)) };
    settle(store, &[later, Settlement::Amended { id: given[1], body: b"{}".to_vec() }]);
    store.release("b").unwrap();
    assert!(claim_at(store, "c", 10, 7, 60).iter().all(|waiting| waiting.job.is_none()));
    assert_eq!(store.in_jobs(D).unwrap(), 0);
}

fn the_operations_of_a_job_are_claimed_together_beyond_every_limit(store: &dyn StateStore) {
    let operations = [("k1", "l1"), ("k2", "l2"), ("k3", "l1"), ("k4", "l3"), ("k5", "l1"), ("k6", "l4")];
    let given = accept(store, operations.iter().map(|(key, lane)| event(key, lane)).collect()).ids;
    claim(store, "a", 10);
    held(store, "job-1", &[given[0], given[2], given[3]]);
    store.release("a").unwrap();
    let claim = |owner, limit| store.claim(D, &Claim { owner, now: t(6), until: t(60), limit, per_lane: 1 }).unwrap();
    assert_eq!(ids(&claim("b", 1)), [given[0], given[2], given[3]]);
    assert_eq!(ids(&claim("c", 10)), [given[1], given[5]], "`k5` waits behind the job");
    store.release("b").unwrap();
    assert_eq!(ids(&claim_at(store, "d", 2, 100, 160)), [given[0], given[1], given[2], given[3]], "and after a lease has run out");
}

fn what_a_job_holds_is_not_superseded(store: &dyn StateStore) {
    let cart = accept(store, vec![state_of("cart:1", "l1", "k1")]).ids[0];
    claim(store, "a", 10);
    held(store, "job-1", &[cart]);
    store.release("a").unwrap();
    let accepted = accept(store, vec![order_over("cart:1")]);
    assert!(accepted.superseded.is_empty());
    assert_eq!(claim(store, "b", 10), [cart, accepted.ids[0]]);
}

fn what_a_job_held_leaves_the_outbox_like_anything_else(store: &dyn StateStore) {
    let given = accept(store, vec![event("k1", "l1"), event("k2", "l2")]).ids;
    held(store, "job-1", &given);
    settle(store, &[Settlement::Delivered { id: given[0] }, Settlement::Dead { id: given[1], failure: failure(ErrorCode::JobLost) }]);
    assert_eq!((store.waiting(D).unwrap(), store.in_jobs(D).unwrap()), (0, 0));
    let filter = LetterFilter { code: Some("job_lost".to_owned()), ..LetterFilter::default() };
    let letter = store.dead_letters(&filter).unwrap().remove(0);
    assert_eq!(store.replay(&[(letter.id, None)], None, t(20)).unwrap(), 1);
    assert_eq!(claim_at(store, "b", 10, 21, 60)[0].job, None, "a replay is sent, not asked for");
}

fn settling_twice_is_harmless(store: &dyn StateStore) {
    let accepted = accept(store, vec![state_of("contact:1", "l1", "k1"), event("k2", "l2")]);
    let settlements = [
        Settlement::Delivered { id: accepted.ids[0] },
        Settlement::Dead { id: accepted.ids[1], failure: failure(ErrorCode::Rejected) },
        Settlement::Delivered { id: 4_000_000 },
    ];
    settle(store, &settlements);
    let before = known(store, "contact:1", "k1");
    settle(store, &settlements);
    settle(store, &[Settlement::Dead { id: accepted.ids[0], failure: failure(ErrorCode::Rejected) }]);
    settle(store, &[Settlement::Later { id: accepted.ids[0], due_at: t(30), attempts: 1, first_attempt_at: None }]);
    settle(store, &[Settlement::Amended { id: accepted.ids[0], body: b"{}".to_vec() }]);
    assert_eq!(known(store, "contact:1", "k1"), before);
    assert_eq!(store.dead_letters(&LetterFilter::default()).unwrap().len(), 1);
    assert_eq!(key_of(store, "k2"), Some(KeyStatus::Dead));
    assert_eq!(store.waiting(D).unwrap(), 0);
}

fn settling_at_another_destination_does_nothing(store: &dyn StateStore) {
    let accepted = accept(store, vec![event("k1", "l1")]);
    store.settle("cordial", &[Settlement::Delivered { id: accepted.ids[0] }], t(10)).unwrap();
    assert_eq!((store.waiting(D).unwrap(), key_of(store, "k1")), (1, Some(KeyStatus::Pending)));
}

fn undated_consent_never_outweighs_dated_consent(store: &dyn StateStore) {
    hear(store, vec![consent(ConsentStatus::Denied, Some(-1_000_000), 0), consent(ConsentStatus::Granted, None, 50)]);
    assert_eq!(newest(store), consent(ConsentStatus::Denied, Some(-1_000_000), 0));
}

fn the_consent_said_last_counts_in_whatever_order_it_is_heard(store: &dyn StateStore) {
    hear(store, vec![consent(ConsentStatus::Granted, Some(5), 10)]);
    hear(store, vec![consent(ConsentStatus::Denied, Some(3), 20)]);
    assert_eq!(newest(store).status, ConsentStatus::Granted);
    hear(store, vec![consent(ConsentStatus::Denied, Some(6), 15)]);
    assert_eq!(newest(store), consent(ConsentStatus::Denied, Some(6), 15));
}

fn of_two_consents_said_at_once_the_one_heard_later_counts(store: &dyn StateStore) {
    hear(store, vec![consent(ConsentStatus::Granted, Some(5), 10), consent(ConsentStatus::Denied, Some(5), 9)]);
    assert_eq!(newest(store).status, ConsentStatus::Granted);
    hear(store, vec![consent(ConsentStatus::Denied, Some(5), 10)]);
    assert_eq!(newest(store).status, ConsentStatus::Denied, "heard at once, a no is the safe reading");
    hear(store, vec![consent(ConsentStatus::Granted, Some(5), 10)]);
    assert_eq!(newest(store).status, ConsentStatus::Denied);
}

fn an_undated_yes_does_not_undo_an_undated_no(store: &dyn StateStore) {
    hear(store, vec![consent(ConsentStatus::Pending, None, 10)]);
    hear(store, vec![consent(ConsentStatus::Granted, None, 11)]);
    assert_eq!(newest(store).status, ConsentStatus::Granted);
    hear(store, vec![consent(ConsentStatus::Denied, None, 12)]);
    hear(store, vec![consent(ConsentStatus::Granted, None, 13)]);
    assert_eq!(newest(store).status, ConsentStatus::Denied);
    hear(store, vec![consent(ConsentStatus::Granted, Some(14), 14)]);
    assert_eq!(newest(store).status, ConsentStatus::Granted);
}

fn channels_and_people_keep_their_own_consent(store: &dyn StateStore) {
    let sms = ConsentRow { channel: Channel::Sms, ..consent(ConsentStatus::Denied, Some(1), 1) };
    let fax = ConsentRow { channel: Channel::Other("fax".to_owned()), source: None, ..consent(ConsentStatus::Unknown, None, 1) };
    let other = ConsentRow { person: "p2".to_owned(), ..consent(ConsentStatus::Pending, Some(1), 1) };
    hear(store, vec![consent(ConsentStatus::Granted, Some(1), 1), sms.clone(), fax.clone(), other.clone()]);
    let found = store.consents(&["p2", "nobody", "p1"]).unwrap();
    assert_eq!(found[0], [other]);
    assert!(found[1].is_empty());
    assert_eq!(found[2], [consent(ConsentStatus::Granted, Some(1), 1), fax, sms]);
}

fn all_consent_is_kept_as_history_but_repetition(store: &dyn StateStore) {
    let said = [
        consent(ConsentStatus::Granted, Some(5), 10),
        consent(ConsentStatus::Denied, Some(3), 20),
        consent(ConsentStatus::Denied, Some(6), 30),
    ];
    hear(store, said.to_vec());
    let other = ConsentRow { source: None, ..consent(ConsentStatus::Granted, Some(2), 40) };
    let again = ConsentRow { observed_at: t(60), ..other.clone() };
    hear(store, vec![consent(ConsentStatus::Denied, Some(6), 40), other.clone()]);
    hear(store, vec![consent(ConsentStatus::Denied, Some(6), 50), again]);
    assert_eq!(store.consent_history("p1").unwrap(), [said.as_slice(), &[other]].concat());
    assert_eq!(newest(store), consent(ConsentStatus::Denied, Some(6), 50));
    assert!(store.consent_history("p2").unwrap().is_empty());
}

fn erased_people_stay_erased(store: &dyn StateStore) {
    for _ in 0..2 {
        let erasures = vec!["p2".to_owned()];
        store.accept(&Acceptance { destination: D.to_owned(), erasures, ..Acceptance::default() }, t(0)).unwrap();
        assert_eq!(store.erased(&["p1", "p2", "p1"]).unwrap(), [false, true, false]);
    }
}

/// An event of these people.
fn event_of(key: &str, lane: &str, people: &[&str]) -> NewOperation {
    NewOperation { people: people.iter().map(|person| (*person).to_owned()).collect(), ..event(key, lane) }
}

fn erase(store: &dyn StateStore, person: &str, operations: Vec<NewOperation>) -> Accepted {
    let erasures = vec![person.to_owned()];
    store.accept(&Acceptance { destination: D.to_owned(), operations, erasures, ..Acceptance::default() }, t(20)).unwrap()
}

fn an_erasure_takes_what_is_known_of_the_person_and_nothing_of_others(store: &dyn StateStore) {
    letter(store, event_of("dead", "l1", &["p1"]));
    letter(store, event_of("dead2", "l2", &["p11"]));
    hear(store, vec![consent(ConsentStatus::Denied, Some(1), 2)]);
    let waiting =
        vec![event_of("k1", "l1", &["p7", "p1"]), event_of("k2", "l2", &["p2"]), event_of("k3", "l3", &["p11"]), event_of("k4", "l1", &[])];
    let given = accept(store, waiting).ids;
    let forget = event_of("forget", "l1", &[]);
    let accepted = erase(store, "p1", vec![forget]);
    assert_eq!(accepted.erased.iter().map(|gone| gone.id).collect::<Vec<_>>(), [given[0]]);
    assert_eq!(accepted.erased[0].run.as_deref(), Some("run-1"));
    assert_eq!(claim(store, "a", 10), [given[1], given[2], given[3], accepted.ids[0]], "deletions have nobody and stay");
    assert_eq!(key_of(store, "k1"), Some(KeyStatus::Delivered));
    let letters = store.dead_letters(&LetterFilter::default()).unwrap();
    assert_eq!(letters.iter().map(|letter| letter.operation.idempotency_key.as_str()).collect::<Vec<_>>(), ["dead2"]);
    assert!(store.consents(&["p1"]).unwrap()[0].is_empty() && store.consent_history("p1").unwrap().is_empty());
    assert_eq!(store.erased(&["p1"]).unwrap(), [true]);
}

fn what_is_under_way_outlives_an_erasure_but_leaves_no_letter(store: &dyn StateStore) {
    let given = accept(store, vec![event_of("k1", "l1", &["p1"]), event_of("k2", "l2", &["p1"])]).ids;
    claim_at(store, "a", 10, 1, 60);
    held(store, "job-1", &given[1..]);
    assert!(erase(store, "p1", Vec::new()).erased.is_empty());
    settle(store, &given.iter().map(|id| Settlement::Dead { id: *id, failure: failure(ErrorCode::Rejected) }).collect::<Vec<_>>());
    assert_eq!((store.waiting(D).unwrap(), store.dead_letters(&LetterFilter::default()).unwrap().len()), (0, 0));
    assert_eq!(key_of(store, "k1"), Some(KeyStatus::Delivered));
}

fn a_replayed_letter_waits_under_its_own_key(store: &dyn StateStore) {
    let new = state_of("contact:1", "l1", "k1");
    let dead = letter(store, new.clone());
    let newer = accept(store, vec![event("k2", "l1")]).ids[0];
    assert_eq!(store.replay(&[(dead, None), (dead, None), (99, None)], Some("run-2"), t(20)).unwrap(), 1);
    assert!(store.dead_letters(&LetterFilter::default()).unwrap().is_empty());
    assert_eq!(key_of(store, "k1"), Some(KeyStatus::Pending));
    let claimed = claim_at(store, "a", 10, 21, 60);
    assert!(claimed[0].id == newer && claimed[1].id > newer && claimed[1].operation == new.operation);
    assert_eq!((claimed[1].attempts, claimed[1].first_attempt_at, claimed[1].due_at), (0, None, t(20)));
    assert_eq!((claimed[1].run.as_deref(), claimed[1].position), (Some("run-2"), 3));
    settle(store, &[Settlement::Delivered { id: claimed[1].id }]);
    assert_eq!(known(store, "contact:1", "k1").sent, BTreeMap::from([("email".to_owned(), u64::MAX - 7)]));
}

fn a_replayed_letter_takes_the_replacement_but_keeps_the_key(store: &dyn StateStore) {
    let delivered = accept(store, vec![state_of("contact:1", "l1", "k0")]).ids[0];
    settle(store, &[Settlement::Delivered { id: delivered }]);
    let dead = letter(store, state_of("contact:1", "l1", "k1"));
    let mut fixed = state_of("contact:1", "l1", "another").operation;
    fixed.body = br#"{"dataFields":{"email":"b@example.com","city":"Bern"}}"#.to_vec();
    assert_eq!(store.replay(&[(dead, Some(fixed.clone()))], None, t(20)).unwrap(), 1);
    assert_eq!(known(store, "contact:1", "").pending_members, ["city", "email", "phone"]);
    let claimed = claim_at(store, "a", 10, 21, 60);
    assert_eq!(claimed[0].operation.idempotency_key.as_str(), "k1");
    assert_eq!((&claimed[0].operation.body, claimed[0].run.as_deref()), (&fixed.body, Some("run-1")));
    settle(store, &[Settlement::Delivered { id: claimed[0].id }]);
    let known = known(store, "contact:1", "another");
    assert_eq!((known.key, known.sent.len()), (None, 0), "what the letter's record would have sent is not what was sent");
}

fn a_discarded_letter_is_gone_and_its_key_forgotten(store: &dyn StateStore) {
    let (first, second) = (letter(store, event("k1", "l1")), letter(store, event("k2", "l1")));
    assert_eq!(store.discard(&[first, first, 99]).unwrap(), 1);
    let left = store.dead_letters(&LetterFilter::default()).unwrap();
    assert_eq!(left.iter().map(|letter| letter.id).collect::<Vec<_>>(), [second]);
    assert_eq!((key_of(store, "k1"), key_of(store, "k2")), (None, Some(KeyStatus::Dead)));
}

fn letters_are_found_by_every_filter(store: &dyn StateStore) {
    let mut second = event("k2", "l2");
    second.operation.endpoint = Cow::Borrowed("events.track");
    second.run = Some("run-2".to_owned());
    let mut third = event("k3", "l2");
    third.run = None;
    let accepted = accept(store, vec![event("k1", "l1"), second, third]);
    let dead = |id, code| Settlement::Dead { id, failure: failure(code) };
    settle(store, &[dead(accepted.ids[0], ErrorCode::Rejected), dead(accepted.ids[1], ErrorCode::TooLarge)]);
    settle(store, &[dead(accepted.ids[2], ErrorCode::Rejected)]);
    let found = |filter: LetterFilter| {
        let letters = store.dead_letters(&filter).unwrap();
        letters.iter().map(|letter| letter.operation.idempotency_key.as_str().to_owned()).collect::<Vec<_>>()
    };
    let text = |text: &str| Some(text.to_owned());
    let all = store.dead_letters(&LetterFilter::default()).unwrap();
    assert_eq!(found(LetterFilter::default()), ["k1", "k2", "k3"]);
    assert_eq!(found(LetterFilter { ids: Some(vec![all[2].id, all[0].id]), ..LetterFilter::default() }), ["k1", "k3"]);
    assert!(found(LetterFilter { ids: Some(vec![]), ..LetterFilter::default() }).is_empty());
    assert_eq!(found(LetterFilter { destination: text(D), ..LetterFilter::default() }).len(), 3);
    assert!(found(LetterFilter { destination: text("cordial"), ..LetterFilter::default() }).is_empty());
    assert_eq!(found(LetterFilter { code: text("rejected"), ..LetterFilter::default() }), ["k1", "k3"]);
    assert_eq!(found(LetterFilter { endpoint: text("events.track"), ..LetterFilter::default() }), ["k2"]);
    assert_eq!(found(LetterFilter { run: text("run-1"), ..LetterFilter::default() }), ["k1"]);
    assert_eq!(found(LetterFilter { limit: Some(2), ..LetterFilter::default() }), ["k1", "k2"]);
    assert_eq!(found(LetterFilter { code: text("rejected"), run: text("run-2"), ..LetterFilter::default() }), Vec::<String>::new());
}

fn letter_ids_stay_when_others_leave(store: &dyn StateStore) {
    let (first, second) = (letter(store, event("k1", "l1")), letter(store, event("k2", "l1")));
    store.discard(&[second]).unwrap();
    let third = letter(store, event("k3", "l1"));
    assert!(third > second, "an id in someone's notes must never name another letter");
    let left = store.dead_letters(&LetterFilter::default()).unwrap();
    assert_eq!(left.iter().map(|letter| letter.id).collect::<Vec<_>>(), [first, third]);
}

fn outbox_ids_are_never_reused(store: &dyn StateStore) {
    let first = accept(store, vec![event("k1", "l1"), event("k2", "l1")]);
    settle(store, &[Settlement::Delivered { id: first.ids[0] }, Settlement::Delivered { id: first.ids[1] }]);
    assert!(accept(store, vec![event("k3", "l1")]).ids[0] > first.ids[1]);
}

fn order_fetch(id: &str, reason: &str) -> NewFetch {
    let resource = ResourceRef { kind: "order".to_owned(), id: id.to_owned() };
    NewFetch { resource, reason: reason.to_owned(), mode: Mode::Live, correlation_id: Some("c-9".to_owned()) }
}

fn a_fetch_is_one_however_often_it_is_named(store: &dyn StateStore) {
    store.note_fetches("a", &[order_fetch("1", "first"), order_fetch("2", "first")], t(1)).unwrap();
    store.note_fetches("a", &[order_fetch("1", "second")], t(3)).unwrap();
    store.note_fetches("b", &[order_fetch("1", "elsewhere")], t(1)).unwrap();
    let waiting = store.fetches("a", 10).unwrap();
    let told: Vec<_> = waiting.iter().map(|one| (one.fetch.resource.id.as_str(), one.fetch.reason.as_str(), one.due_at)).collect();
    assert_eq!(told, [("2", "first", t(1)), ("1", "second", t(3))]);
    assert_eq!(waiting[1].fetch, order_fetch("1", "second"));
    assert_eq!(store.fetches("a", 1).unwrap().len(), 1);
    assert_eq!(store.fetches("b", 10).unwrap().len(), 1);
    // News that waits stays news, though a backfill names it too; history that is named live becomes news.
    let backfill = |id: &str| NewFetch { mode: Mode::Backfill, ..order_fetch(id, "again") };
    store.note_fetches("a", &[backfill("1"), backfill("4")], t(5)).unwrap();
    store.note_fetches("a", &[order_fetch("4", "message")], t(6)).unwrap();
    assert!(store.fetches("a", 10).unwrap().iter().all(|one| one.fetch.mode == Mode::Live));
}

fn a_fetch_named_while_it_is_read_is_read_again(store: &dyn StateStore) {
    store.note_fetches("a", &[order_fetch("1", "first")], t(1)).unwrap();
    let taken = store.fetches("a", 1).unwrap().remove(0);
    store.note_fetches("a", &[order_fetch("1", "second")], t(2)).unwrap();
    let done = |one: &PendingFetch| FetchSettlement { id: one.id, noted: one.noted, end: FetchEnd::Read };
    store.settle_fetches(&[done(&taken)]).unwrap();
    let again = store.fetches("a", 1).unwrap().remove(0);
    assert_eq!((again.id, again.fetch.reason.as_str()), (taken.id, "second"));
    store.settle_fetches(&[done(&again), done(&again)]).unwrap();
    assert_eq!(store.fetches("a", 1).unwrap(), []);
}

fn a_fetch_that_failed_waits_behind_those_that_are_due(store: &dyn StateStore) {
    store.note_fetches("a", &[order_fetch("1", "x"), order_fetch("2", "x")], t(1)).unwrap();
    let taken = store.fetches("a", 1).unwrap().remove(0);
    store.settle_fetches(&[FetchSettlement { id: taken.id, noted: taken.noted, end: FetchEnd::Later(t(60)) }]).unwrap();
    let waiting = store.fetches("a", 10).unwrap();
    let told: Vec<_> = waiting.iter().map(|one| (one.fetch.resource.id.as_str(), one.attempts, one.due_at)).collect();
    assert_eq!(told, [("2", 0, t(1)), ("1", 1, t(60))]);
    // Named again, it has not failed yet.
    store.note_fetches("a", &[order_fetch("1", "x")], t(2)).unwrap();
    assert_eq!(store.fetches("a", 10).unwrap()[1].attempts, 0);
}

fn a_fetch_that_was_given_up_is_kept_until_it_is_named_or_asked_for(store: &dyn StateStore) {
    store.note_fetches("a", &[order_fetch("1", "x"), order_fetch("2", "x"), order_fetch("3", "x")], t(1)).unwrap();
    let given_up = |one: &PendingFetch| {
        let end = FetchEnd::GivenUp { at: t(90), code: "unavailable".to_owned(), message: "no answer".to_owned() };
        FetchSettlement { id: one.id, noted: one.noted, end }
    };
    let taken = store.fetches("a", 10).unwrap();
    // The third was named again while it was tried: that it failed counts no more.
    store.note_fetches("a", &[order_fetch("3", "y")], t(2)).unwrap();
    store.settle_fetches(&taken.iter().map(given_up).collect::<Vec<_>>()).unwrap();
    let ids = || -> Vec<String> { store.fetches("a", 10).unwrap().into_iter().map(|one| one.fetch.resource.id).collect() };
    assert_eq!(ids(), ["3"]);
    let (count, first) = store.unread("a", 1).unwrap();
    assert_eq!((count, first.len()), (2, 1));
    let one = &first[0];
    assert_eq!((&one.fetch, one.attempts, one.noted_at, one.given_up_at), (&order_fetch("1", "x"), 1, t(1), t(90)));
    assert_eq!((one.code.as_str(), one.message.as_str()), ("unavailable", "no answer"));
    assert_eq!(store.unread("b", 10).unwrap(), (0, Vec::new()));
    store.note_fetches("a", &[order_fetch("2", "z")], t(100)).unwrap();
    assert_eq!((ids(), store.unread("a", 10).unwrap().0), (vec!["3".to_owned(), "2".to_owned()], 1));
    assert_eq!((store.reread("b", t(110)).unwrap(), store.reread("a", t(110)).unwrap()), (0, 1));
    assert_eq!((ids().len(), store.unread("a", 10).unwrap().0), (3, 0));
    let last = store.fetches("a", 10).unwrap().pop().unwrap();
    assert_eq!((last.fetch.resource.id.as_str(), last.attempts, last.due_at, last.noted_at), ("1", 0, t(110), t(110)));
}

fn a_pushed_call_is_remembered_for_a_month_and_by_its_scope(store: &dyn StateStore) {
    store.note_heard("a", &["k1", "k2"], t(1)).unwrap();
    assert_eq!(store.heard("a", &["k2", "k3", "k1"]).unwrap(), [true, false, true]);
    assert_eq!(store.heard("b", &["k1"]).unwrap(), [false]);
    store.note_heard("a", &["k2"], t(100)).unwrap();
    store.note_heard("b", &["k9"], t(1 + 30 * 86_400) + chrono::TimeDelta::microseconds(1)).unwrap();
    assert_eq!(store.heard("a", &["k1", "k2"]).unwrap(), [false, true], "longer ago than any queue repeats");
}

fn a_customers_address_is_the_newest_told_and_goes_with_either_name(store: &dyn StateStore) {
    let known = |person: &str, email: &str, version: Option<u64>, second: i64| KnownEmail {
        person: person.to_owned(),
        alias: format!("alias of {email}"),
        email: email.to_owned(),
        version,
        at: t(second),
    };
    let tell = |emails: Vec<KnownEmail>| {
        drop(store.accept(&Acceptance { destination: D.to_owned(), emails, ..Acceptance::default() }, t(0)).unwrap())
    };
    let email = |person: &str| store.emails(&[person]).unwrap().remove(0).map(|known| known.email);
    tell(vec![
        known("p1", "new@example.com", Some(3), 5),
        known("p1", "old@example.com", Some(2), 9),
        known("p2", "two@example.com", None, 5),
    ]);
    assert_eq!(
        store.emails(&["p2", "p9", "p1"]).unwrap(),
        [Some(known("p2", "two@example.com", None, 5)), None, Some(known("p1", "new@example.com", Some(3), 5))]
    );
    // Without versions the time decides; the same again is the same.
    tell(vec![known("p2", "older@example.com", Some(1), 4)]);
    tell(vec![known("p2", "newer@example.com", None, 5)]);
    assert_eq!(email("p2").as_deref(), Some("newer@example.com"));
    erase(store, "alias of new@example.com", Vec::new());
    assert_eq!((email("p1"), email("p2").is_some()), (None, true));
    erase(store, "p2", Vec::new());
    assert_eq!(email("p2"), None);
    assert!(!format!("{:?}", known("p1", "new@example.com", None, 1)).contains("new@"));
}

fn a_cursor_moves(store: &dyn StateStore) {
    assert_eq!(store.cursor("orders").unwrap(), None);
    store.set_cursor("orders", "a", t(1)).unwrap();
    store.set_cursor("orders", "b", t(2)).unwrap();
    store.set_cursor("carts", "c", t(2)).unwrap();
    assert_eq!(store.cursor("orders").unwrap().as_deref(), Some("b"));
}

fn runs_are_replaced_and_listed_newest_first(store: &dyn StateStore) {
    let run = |id: &str, started_at, finished_at: Option<i64>| RunRow {
        id: id.to_owned(),
        started_at: t(started_at),
        finished_at: finished_at.map(t),
        report: "{}".to_owned(),
    };
    for row in [run("a", 1, None), run("c", 3, None), run("b", 3, None), run("a", 1, Some(9))] {
        store.put_run(&row).unwrap();
    }
    assert_eq!(store.runs(10).unwrap(), [run("c", 3, None), run("b", 3, None), run("a", 1, Some(9))]);
    assert_eq!(store.runs(1).unwrap(), [run("c", 3, None)]);
}

fn purge_forgets_only_old_delivered_keys(store: &dyn StateStore) {
    letter(store, event("dead", "l1"));
    let accepted = accept(store, vec![event("old", "l1"), event("new", "l1"), event("pending", "l1")]);
    store.settle(D, &[Settlement::Delivered { id: accepted.ids[0] }], t(10)).unwrap();
    store.settle(D, &[Settlement::Delivered { id: accepted.ids[1] }], t(20)).unwrap();
    assert_eq!(store.purge(t(20)).unwrap(), 1);
    assert_eq!(store.purge(t(20)).unwrap(), 0);
    let left = ["old", "new", "pending", "dead"].map(|key| key_of(store, key));
    assert_eq!(left, [None, Some(KeyStatus::Delivered), Some(KeyStatus::Pending), Some(KeyStatus::Dead)]);
}

fn what_is_remembered_of_an_order_is_replaced_per_destination_and_purged_by_age(store: &dyn StateStore) {
    let remember = |destination: &str, order: &str, facts: &str, second| {
        let orders = vec![(order.to_owned(), facts.to_owned())];
        store.accept(&Acceptance { destination: destination.to_owned(), orders, ..Acceptance::default() }, t(second)).unwrap();
    };
    remember(D, "o1", "a", 1);
    remember(D, "o2", "b", 1);
    remember(D, "o1", "c", 5);
    remember("elsewhere", "o2", "d", 5);
    let known = |destination| store.orders(destination, &["o2", "o1", "o3"]).unwrap();
    assert_eq!(known(D), [Some("b".to_owned()), Some("c".to_owned()), None]);
    assert_eq!(known("elsewhere"), [Some("d".to_owned()), None, None]);
    assert_eq!(known("nowhere"), [None, None, None]);
    assert_eq!(store.purge(t(5)).unwrap(), 0);
    assert_eq!(known(D), [None, Some("c".to_owned()), None]);
}

fn debug_shows_no_data(store: &dyn StateStore) {
    let new = state_of("contact:1", "l1", "k1");
    letter(store, new.clone());
    let secrets = [format!("{:?}", new.record), format!("{:?}", new.operation.body), "a@example.com".to_owned()];
    let acceptance = Acceptance { destination: D.to_owned(), operations: vec![new.clone()], ..Acceptance::default() };
    let shown = [
        format!("{acceptance:?}"),
        format!("{:?}", store.dead_letters(&LetterFilter::default()).unwrap()),
        format!("{:?}", Settlement::Amended { id: 1, body: new.operation.body }),
    ];
    for shown in shown {
        assert!(secrets.iter().all(|secret| !shown.contains(secret.as_str())), "{shown}");
    }
}

fn threads_accepting_the_same_event_store_it_once(store: &dyn StateStore) {
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for i in 0..25 {
                    accept(store, vec![event(&format!("k{i}"), "l1")]);
                }
            });
        }
    });
    assert_eq!(store.waiting(D).unwrap(), 25);
}

fn threads_claiming_at_once_never_share_an_operation(store: &dyn StateStore) {
    let accepted = accept(store, (0..60).map(|i| event(&format!("k{i}"), &format!("l{}", i % 20))).collect());
    let owners = ["a", "b", "c", "d"];
    let taken: Vec<Vec<Waiting>> = std::thread::scope(|scope| {
        let threads = owners.iter().map(|owner| scope.spawn(move || (0..60).flat_map(|_| claim_at(store, owner, 1, 1, 60)).collect()));
        let threads: Vec<std::thread::ScopedJoinHandle<'_, Vec<Waiting>>> = threads.into_iter().collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut all: Vec<_> = taken.iter().flat_map(|waiting| ids(waiting)).collect();
    all.sort_unstable();
    assert_eq!(all, accepted.ids);
    let mut lanes = BTreeSet::new();
    for waiting in &taken {
        let own: BTreeSet<_> = waiting.iter().map(|waiting| waiting.operation.lane.clone()).collect();
        assert!(own.iter().all(|lane| lanes.insert(lane.clone())), "a lane was split between owners");
    }
}
