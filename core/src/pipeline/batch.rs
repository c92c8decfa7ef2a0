//! Packing operations into requests by count and by bytes: one rule for the dry run and for delivery.
//!
//! Bytes are counted on the request body the destination really builds, not on the rows: a vendor measures what it
//! receives. Rows are summed only to guess where to start.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use crate::destinations::{Destination, Endpoint, Operation, Refusal, Request};
use crate::error::{Error, ErrorCode};

/// How many operations went into a request.
#[derive(Clone, Debug)]
pub enum Prefix {
    /// The first `count` operations are in `request`.
    Fits {
        /// At least one.
        count: usize,
        /// The request for them.
        request: Request,
    },
    /// The first operation alone is more than the endpoint takes.
    TooLarge(Refusal),
}

/// Packs the longest prefix of `operations` that one request of the endpoint takes. They are of one endpoint and group.
///
/// # Errors
/// What [`Destination::request`] says; `internal` for no operations.
pub fn pack_prefix(destination: &dyn Destination, endpoint: &Endpoint, operations: &[&Operation]) -> Result<Prefix, Error> {
    let max_bytes = limit(endpoint.max_bytes);
    let max_row = limit(endpoint.max_record_bytes);
    let mut count = 0;
    let mut rows = 0_usize;
    for operation in operations.iter().take(limit(endpoint.max_records)) {
        rows = rows.saturating_add(operation.body.len());
        if operation.body.len() > max_row || (count > 0 && rows > max_bytes) {
            break;
        }
        count += 1;
    }
    let Some(first) = operations.first() else {
        return Err(Error::new(ErrorCode::Internal, "no operations to pack").with("endpoint", endpoint.id));
    };
    if count == 0 {
        return Ok(Prefix::TooLarge(too_large("row", first.body.len(), max_row)));
    }
    loop {
        let request = destination.request(&operations[..count])?;
        let bytes = request.body.as_ref().map_or(0, Vec::len);
        if bytes <= max_bytes {
            return Ok(Prefix::Fits { count, request });
        }
        if count == 1 {
            return Ok(Prefix::TooLarge(too_large("request", bytes, max_bytes)));
        }
        count = shrink(count, bytes, max_bytes);
    }
}

/// The next smaller number of rows worth trying: in proportion, and at least one less.
fn shrink(count: usize, bytes: usize, max_bytes: usize) -> usize {
    let share = (count as u128 * max_bytes as u128) / (bytes.max(1) as u128);
    usize::try_from(share).unwrap_or(count).clamp(1, count - 1)
}

/// Tables write 0 where the vendor sets no limit.
fn limit(of_table: u32) -> usize {
    if of_table == 0 { usize::MAX } else { of_table as usize }
}

fn too_large(what: &str, bytes: usize, max: usize) -> Refusal {
    Refusal::new(ErrorCode::TooLarge, "too_large", format!("the {what} has {bytes} bytes, the endpoint takes {max}"))
}

/// One request of a [`Plan`].
#[derive(Clone, Debug)]
pub struct Planned {
    /// Positions in the operations given.
    pub operations: Vec<usize>,
    /// A read that goes first; what it finds may change the request or make it needless.
    pub prefetch: Option<Request>,
    /// The request.
    pub request: Request,
}

/// The requests that some operations become.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The requests, by endpoint and group in the order they first appear.
    pub requests: Vec<Planned>,
    /// Operations that no request can hold, by position.
    pub refused: Vec<(usize, Refusal)>,
}

/// Plans requests for operations as delivery would send them if nothing failed: a dry run. Operations of one lane share
/// a request only where the endpoint allows it.
///
/// # Errors
/// What [`Destination::request`] says.
pub fn plan(destination: &dyn Destination, operations: &[&Operation]) -> Result<Plan, Error> {
    struct Bucket {
        endpoint: &'static Endpoint,
        /// (turn, position): operations of the same turn are of different lanes.
        rows: Vec<(usize, usize)>,
        turns: HashMap<String, usize>,
    }
    let mut plan = Plan::default();
    let mut buckets: Vec<Bucket> = Vec::new();
    let mut index: BTreeMap<(Cow<'static, str>, &str), usize> = BTreeMap::new();
    for (position, operation) in operations.iter().enumerate() {
        let Some(endpoint) = destination.capabilities().endpoint(&operation.endpoint) else {
            plan.refused.push((position, unknown_endpoint(operation)));
            continue;
        };
        if let Some(prefetch) = destination.prefetch(operation) {
            let request = destination.request(&[operation])?;
            plan.requests.push(Planned { operations: vec![position], prefetch: Some(prefetch), request });
            continue;
        }
        let at = *index.entry((operation.endpoint.clone(), operation.group.as_str())).or_insert_with(|| {
            buckets.push(Bucket { endpoint, rows: Vec::new(), turns: HashMap::new() });
            buckets.len() - 1
        });
        let bucket = &mut buckets[at];
        let turn = bucket.turns.entry(operation.lane.clone()).or_default();
        bucket.rows.push((if endpoint.many_per_lane { 0 } else { *turn }, position));
        *turn += 1;
    }
    for mut bucket in buckets {
        bucket.rows.sort_unstable();
        for turn in bucket.rows.chunk_by(|a, b| a.0 == b.0) {
            let mut rest = turn;
            while let Some((_, first)) = rest.first() {
                let rows: Vec<&Operation> = rest.iter().map(|(_, position)| operations[*position]).collect();
                let used = match pack_prefix(destination, bucket.endpoint, &rows)? {
                    Prefix::Fits { count, request } => {
                        let operations = rest[..count].iter().map(|(_, position)| *position).collect();
                        plan.requests.push(Planned { operations, prefetch: None, request });
                        count
                    }
                    Prefix::TooLarge(refusal) => {
                        plan.refused.push((*first, refusal));
                        1
                    }
                };
                rest = &rest[used..];
            }
        }
    }
    Ok(plan)
}

/// The refusal of an operation whose endpoint this version's table does not know, such as one accepted by another
/// version.
#[must_use]
pub fn unknown_endpoint(operation: &Operation) -> Refusal {
    Refusal::new(ErrorCode::Unsupported, "unknown_endpoint", format!("this version has no endpoint `{}`", operation.endpoint))
}
