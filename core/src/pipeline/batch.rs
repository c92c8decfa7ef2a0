//! Packing operations into requests by count and by bytes: one rule for the dry run and for delivery.
//!
//! Bytes are counted on the request body the destination really builds, not on the rows: a vendor measures what it
//! receives. Rows are summed only to guess where to start.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

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
    let mut own = HashSet::new();
    for operation in operations.iter().take(limit(endpoint.max_records)) {
        rows = rows.saturating_add(operation.body.len());
        if operation.body.len() > max_row || (count > 0 && rows > max_bytes) {
            break;
        }
        if destination.apart(operation).is_some_and(|name| !own.insert(name)) {
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
    /// The request; where only the read's answer tells what to send, the read.
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

/// Plans requests for operations as delivery would send them if nothing failed: a dry run. What is of one lane goes in its
/// order, in waves as delivery lets lanes go: the first of every lane, then the second, and so on; only where the endpoint
/// takes many per lane does the next go along. Within a wave endpoints come in the order they first appear.
///
/// # Errors
/// What [`Destination::request`] says.
pub fn plan(destination: &dyn Destination, operations: &[&Operation]) -> Result<Plan, Error> {
    struct Bucket {
        wave: usize,
        endpoint: &'static Endpoint,
        rows: Vec<usize>,
        /// An operation that reads first goes alone.
        read: Option<Request>,
    }
    /// Where the latest operation of a lane went.
    struct Last<'o> {
        wave: usize,
        to: (&'o str, &'o str),
        alone: bool,
    }
    let mut plan = Plan::default();
    let mut buckets: Vec<Bucket> = Vec::new();
    let mut index: BTreeMap<(usize, &str, &str), usize> = BTreeMap::new();
    let mut lanes: HashMap<&str, Last<'_>> = HashMap::new();
    for (position, operation) in operations.iter().enumerate() {
        let Some(endpoint) = destination.capabilities().endpoint(&operation.endpoint) else {
            plan.refused.push((position, unknown_endpoint(operation)));
            continue;
        };
        let read = destination.prefetch(operation);
        let (to, alone) = ((operation.endpoint.as_ref(), operation.group.as_str()), read.is_some());
        let wave = match lanes.entry(operation.lane.as_str()) {
            Entry::Vacant(first) => first.insert(Last { wave: 0, to, alone }).wave,
            Entry::Occupied(mut last) => {
                let last = last.get_mut();
                let goes_along = endpoint.many_per_lane && !alone && !last.alone && last.to == to;
                *last = Last { wave: last.wave + usize::from(!goes_along), to, alone };
                last.wave
            }
        };
        if alone {
            buckets.push(Bucket { wave, endpoint, rows: vec![position], read });
            continue;
        }
        let at = *index.entry((wave, to.0, to.1)).or_insert_with(|| {
            buckets.push(Bucket { wave, endpoint, rows: Vec::new(), read: None });
            buckets.len() - 1
        });
        buckets[at].rows.push(position);
    }
    buckets.sort_by_key(|bucket| bucket.wave);
    for bucket in buckets {
        if let Some(prefetch) = bucket.read {
            let rows: Vec<&Operation> = bucket.rows.iter().map(|position| operations[*position]).collect();
            let computed = rows.iter().any(|operation| destination.is_computed(operation));
            let request = if computed { prefetch.clone() } else { destination.request(&rows)? };
            plan.requests.push(Planned { operations: bucket.rows, prefetch: Some(prefetch), request });
            continue;
        }
        let mut rest = bucket.rows.as_slice();
        while let Some(first) = rest.first() {
            // Never more than one request takes, or many rows would be listed again for each request.
            let most = rest.iter().take(limit(bucket.endpoint.max_records));
            let rows: Vec<&Operation> = most.map(|position| operations[*position]).collect();
            let used = match pack_prefix(destination, bucket.endpoint, &rows)? {
                Prefix::Fits { count, request } => {
                    plan.requests.push(Planned { operations: rest[..count].to_vec(), prefetch: None, request });
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
    Ok(plan)
}

/// The refusal of an operation whose endpoint this version's table does not know, such as one accepted by another
/// version.
#[must_use]
pub fn unknown_endpoint(operation: &Operation) -> Refusal {
    Refusal::new(ErrorCode::Unsupported, "unknown_endpoint", format!("this version has no endpoint `{}`", operation.endpoint))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use chrono::TimeZone;
    use proptest::prelude::*;

    use super::*;
    use crate::destinations::{Backfill, Built, Capabilities, Method, PartialFailure, Promise, Reading, Reply, RetrySafety, Verdict};
    use crate::model::{CorrelationId, IdempotencyKey, Record};

    const BULK: Endpoint = Endpoint {
        id: "bulk",
        method: Method::Post,
        path: "/bulk",
        max_records: 4,
        max_bytes: 100,
        max_record_bytes: 60,
        rate: None,
        concurrency: 1,
        many_per_lane: false,
        retry_safe_by: RetrySafety::UpsertById,
        partial_failure: PartialFailure::Whole,
        null_clears: false,
        backfill: Backfill::Quiet,
        promise: Promise::EffectivelyOnce,
        note: "",
        ..Endpoint::SINGLE
    };

    static TABLE: Capabilities = Capabilities {
        destination: "toy",
        endpoints: &[
            BULK,
            Endpoint { id: "many", many_per_lane: true, ..BULK },
            Endpoint { id: "boundless", max_records: 0, max_bytes: 0, max_record_bytes: 0, ..BULK },
            Endpoint { id: "read_first", ..BULK },
        ],
    };

    /// Rows between ten bytes of head and two of tail, joined by commas.
    struct Toy;

    impl Destination for Toy {
        fn name(&self) -> &'static str {
            "toy"
        }
        fn capabilities(&self) -> &'static Capabilities {
            &TABLE
        }
        fn build(&self, _record: &Record) -> Built {
            Built::default()
        }
        fn is_computed(&self, operation: &Operation) -> bool {
            operation.body == b"?"
        }
        fn request(&self, operations: &[&Operation]) -> Result<Request, Error> {
            if operations[0].body == b"?" {
                return Err(Error::new(ErrorCode::Internal, "the body is computed"));
            }
            let rows: Vec<&str> = operations.iter().map(|operation| std::str::from_utf8(&operation.body).unwrap()).collect();
            Ok(Request {
                endpoint: operations[0].endpoint.clone(),
                method: Method::Post,
                path: "/bulk".into(),
                headers: vec![],
                secret_headers: vec![],
                body: Some(format!("{{\"rows\": [{}]}}", rows.join(",")).into_bytes()),
            })
        }
        fn read(&self, operations: &[&Operation], _reply: &Reply) -> Reading {
            Reading::Each(vec![Verdict::Accepted; operations.len()], vec![])
        }
        fn prefetch(&self, operation: &Operation) -> Option<Request> {
            let read = Operation { body: b"0".to_vec(), ..operation.clone() };
            (operation.endpoint == "read_first").then(|| Request { path: "/read".into(), ..self.request(&[&read]).unwrap() })
        }
        fn apart(&self, operation: &Operation) -> Option<String> {
            operation.body.starts_with(b"@").then(|| String::from_utf8_lossy(&operation.body).into_owned())
        }
        fn check(&self) -> Request {
            unreachable!("packing checks nothing")
        }
        fn base_url(&self) -> &'static str {
            "http://toy"
        }
        fn backfill_notice(&self) -> &'static str {
            ""
        }
    }

    fn row(endpoint: &'static str, lane: &str, bytes: usize) -> Operation {
        Operation {
            endpoint: endpoint.into(),
            entity: String::new(),
            lane: lane.into(),
            idempotency_key: IdempotencyKey::new("k"),
            once: false,
            version: None,
            occurred_at: chrono::Utc.timestamp_opt(0, 0).unwrap(),
            group: String::new(),
            params: BTreeMap::new(),
            delta: None,
            supersedes: vec![],
            correlation_id: CorrelationId::new("c"),
            body: vec![b'1'; bytes],
        }
    }

    fn planned(operations: &[Operation]) -> (Vec<Vec<usize>>, Vec<usize>) {
        let plan = plan(&Toy, &operations.iter().collect::<Vec<_>>()).unwrap();
        (
            plan.requests.into_iter().map(|request| request.operations).collect(),
            plan.refused.into_iter().map(|(position, _)| position).collect(),
        )
    }

    fn lanes(sizes: &[usize]) -> Vec<Operation> {
        sizes.iter().enumerate().map(|(lane, bytes)| row("bulk", &lane.to_string(), *bytes)).collect()
    }

    #[test]
    fn requests_are_cut_by_count() {
        assert_eq!(planned(&lanes(&[1; 9])).0, [vec![0, 1, 2, 3], vec![4, 5, 6, 7], vec![8]]);
    }

    #[test]
    fn bytes_are_those_of_the_whole_body_not_of_the_rows() {
        // 12 bytes around the rows and a comma between: 43 + 1 + 44 + 12 = 100.
        assert_eq!(planned(&lanes(&[43, 44])).0, [vec![0, 1]]);
        assert_eq!(planned(&lanes(&[44, 44])).0, [vec![0], vec![1]]);
    }

    #[test]
    fn a_row_too_large_is_refused_alone() {
        let (requests, refused) = planned(&lanes(&[10, 61, 10]));
        assert_eq!((requests, refused), (vec![vec![0], vec![2]], vec![1]));
        let refusal = plan(&Toy, &[&row("bulk", "a", 61)]).unwrap().refused.remove(0).1;
        assert_eq!((refusal.code.0, refusal.message.as_str()), (ErrorCode::TooLarge, "the row has 61 bytes, the endpoint takes 60"));
    }

    #[test]
    fn a_lane_shares_a_request_only_where_the_endpoint_allows_it() {
        let same = |endpoint| [row(endpoint, "a", 1), row(endpoint, "b", 1), row(endpoint, "a", 1)];
        assert_eq!(planned(&same("bulk")).0, [vec![0, 1], vec![2]]);
        assert_eq!(planned(&same("many")).0, [vec![0, 1, 2]]);
    }

    #[test]
    fn groups_and_endpoints_stay_apart_and_reading_first_means_alone() {
        let grouped = |group: &str| Operation { group: group.into(), ..row("bulk", group, 1) };
        let operations = [grouped("g"), row("many", "m", 1), grouped("h"), row("read_first", "r", 1), row("read_first", "s", 1)];
        assert_eq!(planned(&operations).0, [vec![0], vec![1], vec![2], vec![3], vec![4]]);
    }

    #[test]
    fn a_lane_keeps_its_order_across_endpoints_and_reads() {
        // Somebody's event alone opens the bucket of events; it must not draw in the events of those who are read first.
        let operations =
            [row("many", "a", 1), row("read_first", "b", 1), row("many", "b", 1), row("read_first", "c", 1), row("many", "c", 1)];
        assert_eq!(planned(&operations).0, [vec![0], vec![1], vec![3], vec![2, 4]]);
        assert_eq!(planned(&[row("bulk", "a", 1), row("many", "a", 1), row("bulk", "a", 1)]).0, [vec![0], vec![1], vec![2]]);
    }

    #[test]
    fn rows_that_must_stay_apart_do_not_share_a_request() {
        let named = |lane: &str, name: &str| Operation { body: format!("{name:>2}").into_bytes(), ..row("bulk", lane, 0) };
        assert_eq!(planned(&[named("a", "@1"), named("b", "@2"), named("c", "@1"), named("d", "12")]).0, [vec![0, 1], vec![2, 3]]);
    }

    #[test]
    fn a_request_that_is_computed_from_a_read_is_planned_as_that_read() {
        let known = row("read_first", "a", 1);
        let computed = Operation { body: b"?".to_vec(), ..row("read_first", "b", 0) };
        let plan = plan(&Toy, &[&known, &computed]).unwrap();
        let paths: Vec<_> = plan.requests.iter().map(|planned| planned.request.path.as_str()).collect();
        assert_eq!(paths, ["/bulk", "/read"]);
    }

    #[test]
    fn no_limit_means_no_limit_and_an_unknown_endpoint_is_refused() {
        let many: Vec<_> = (0..2_000).map(|lane| row("boundless", &lane.to_string(), 100)).collect();
        assert_eq!(planned(&many).0.len(), 1);
        let refusal = plan(&Toy, &[&row("nowhere", "a", 1)]).unwrap().refused.remove(0).1;
        assert_eq!(refusal.code.0, ErrorCode::Unsupported);
        assert!(pack_prefix(&Toy, &BULK, &[]).is_err());
    }

    proptest! {
        #[test]
        fn every_operation_is_planned_once_within_limits_and_in_the_order_of_its_lane(
            rows in proptest::collection::vec((0_usize..5, 0_usize..80, any::<bool>()), 0..80)
        ) {
            let operations: Vec<_> =
                rows.iter().map(|(lane, bytes, many)| row(if *many { "many" } else { "bulk" }, &lane.to_string(), *bytes)).collect();
            let plan = plan(&Toy, &operations.iter().collect::<Vec<_>>()).unwrap();
            let mut seen: Vec<usize> = plan.requests.iter().flat_map(|request| request.operations.clone()).collect();
            for request in &plan.requests {
                prop_assert!(request.operations.len() <= 4 && request.request.body.as_ref().unwrap().len() <= 100);
                let mut lanes: Vec<_> = request.operations.iter().map(|at| &operations[*at].lane).collect();
                lanes.sort_unstable();
                let distinct = lanes.windows(2).all(|pair| pair[0] != pair[1]);
                prop_assert!(distinct || operations[request.operations[0]].endpoint == "many");
            }
            for lane in 0..5 {
                let of_lane = seen.iter().filter(|at| operations[**at].lane == lane.to_string());
                prop_assert!(of_lane.is_sorted());
            }
            seen.extend(plan.refused.iter().map(|(position, _)| *position));
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..operations.len()).collect::<Vec<_>>());
            prop_assert!(plan.refused.iter().all(|(position, _)| operations[*position].body.len() > 60));
        }
    }
}
