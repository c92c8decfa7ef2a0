//! Decide and accept against SQLite, as an engine does for each chunk of rows.

use std::error::Error;
use std::time::{Duration, Instant};

use cartwire::decide::{Decision, decide};
use cartwire::destinations::Operation;
use cartwire::model::{CorrelationId, IdempotencyKey, Mode};
use cartwire::state::{Acceptance, Durability, NewOperation, StateStore, Subject, open};
use chrono::{DateTime, Utc};

/// Operations per transaction.
const CHUNK: usize = 500;

/// What deciding costs.
pub struct Rates {
    /// Operations heard for the first time: looked up, decided, committed to the disk. Per second.
    pub fresh: f64,
    /// The same operations heard again: looked up, decided, not sent. Per second.
    pub repeated: f64,
}

/// Decides about `count` purchases with that body, then about the same again. Every commit waits for the disk.
pub fn measure(count: usize, body: &[u8]) -> Result<Rates, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let store = open(&format!("sqlite:{}", folder.path().join("bench.db").display()), Durability::Full)?;
    let now = Utc::now();
    let operations: Vec<Operation> = (0..count).map(|index| purchase(index, body, now)).collect();
    let rate = |taken: Duration| f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / taken.as_secs_f64();
    let fresh = pass(store.as_ref(), &operations, now, count)?;
    let repeated = pass(store.as_ref(), &operations, now, 0)?;
    Ok(Rates { fresh: rate(fresh), repeated: rate(repeated) })
}

fn pass(store: &dyn StateStore, operations: &[Operation], now: DateTime<Utc>, expected: usize) -> Result<Duration, Box<dyn Error>> {
    let started = Instant::now();
    let mut sent = 0;
    for (chunk, operations) in operations.chunks(CHUNK).enumerate() {
        let subjects: Vec<Subject<'_>> = operations
            .iter()
            .map(|operation| Subject { entity: &operation.entity, idempotency_key: operation.idempotency_key.as_str() })
            .collect();
        let known = store.known("iterable", &subjects)?;
        let mut acceptance = Acceptance { destination: "iterable".to_owned(), ..Acceptance::default() };
        for ((index, operation), known) in operations.iter().enumerate().zip(&known) {
            if let Decision::Send(reduced) = decide(operation, known, Mode::Live, false)? {
                acceptance.operations.push(NewOperation {
                    operation: Operation { body: reduced.body, ..operation.clone() },
                    fingerprints: reduced.fingerprints,
                    record: operation.body.clone(),
                    run: None,
                    position: (chunk * CHUNK + index) as u64,
                    people: Vec::new(),
                });
            }
        }
        sent += acceptance.operations.len();
        if !acceptance.operations.is_empty() {
            store.accept(&acceptance, now)?;
        }
    }
    let taken = started.elapsed();
    if sent == expected { Ok(taken) } else { Err(format!("{sent} operations were accepted, not {expected}").into()) }
}

fn purchase(index: usize, body: &[u8], now: DateTime<Utc>) -> Operation {
    Operation {
        endpoint: "commerce.trackPurchase".into(),
        entity: format!("order:{index:08}"),
        lane: format!("profile:{}", index % 997),
        idempotency_key: IdempotencyKey::new(format!("{index:032x}")),
        once: true,
        version: Some(1),
        occurred_at: now,
        group: String::new(),
        params: std::collections::BTreeMap::new(),
        delta: None,
        supersedes: vec![format!("cart:{index:08}")],
        correlation_id: CorrelationId::new(format!("cw-{index:016x}")),
        body: body.to_vec(),
    }
}
