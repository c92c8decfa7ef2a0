//! Packing operations into requests by count and by bytes: one rule for the dry run and for delivery.
//!
//! Bytes are counted on the request body the destination really builds, not on the rows: a vendor measures what it
//! receives. Rows are summed only to guess where to start.

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

/// Plans requests for operations as delivery would send them if nothing failed: a dry run. Operations of one lane share
/// a request only where the endpoint allows it. Endpoints come in the order they first appear, so that a profile is
/// written before what needs it.
///
/// # Errors
/// What [`Destination::request`] says.
pub fn plan(destination: &dyn Destination, operations: &[&Operation]) -> Result<Plan, Error> {
    struct Bucket<'o> {
        endpoint: &'static Endpoint,
        /// (turn, position): operations of the same turn are of different lanes.
        rows: Vec<(usize, usize)>,
        turns: HashMap<&'o str, usize>,
        /// An operation that reads first goes alone.
        read: Option<Request>,
    }
    let mut plan = Plan::default();
    let mut buckets: Vec<Bucket<'_>> = Vec::new();
    let mut index: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (position, operation) in operations.iter().enumerate() {
        let Some(endpoint) = destination.capabilities().endpoint(&operation.endpoint) else {
            plan.refused.push((position, unknown_endpoint(operation)));
            continue;
        };
        if let Some(prefetch) = destination.prefetch(operation) {
            buckets.push(Bucket { endpoint, rows: vec![(0, position)], turns: HashMap::new(), read: Some(prefetch) });
            continue;
        }
        let at = *index.entry((operation.endpoint.as_ref(), operation.group.as_str())).or_insert_with(|| {
            buckets.push(Bucket { endpoint, rows: Vec::new(), turns: HashMap::new(), read: None });
            buckets.len() - 1
        });
        let bucket = &mut buckets[at];
        let turn = bucket.turns.entry(operation.lane.as_str()).or_default();
        bucket.rows.push((if endpoint.many_per_lane { 0 } else { *turn }, position));
        *turn += 1;
    }
    for mut bucket in buckets {
        if let Some(prefetch) = bucket.read {
            let alone: Vec<usize> = bucket.rows.iter().map(|(_, position)| *position).collect();
            let rows: Vec<&Operation> = alone.iter().map(|position| operations[*position]).collect();
            let computed = rows.iter().any(|operation| destination.is_computed(operation));
            let request = if computed { prefetch.clone() } else { destination.request(&rows)? };
            plan.requests.push(Planned { operations: alone, prefetch: Some(prefetch), request });
            continue;
        }
        bucket.rows.sort_unstable();
        for turn in bucket.rows.chunk_by(|a, b| a.0 == b.0) {
            let mut rest = turn;
            while let Some((_, first)) = rest.first() {
                // Never more than one request takes, or many rows would be listed again for each request.
                let most = rest.iter().take(limit(bucket.endpoint.max_records));
                let rows: Vec<&Operation> = most.map(|(_, position)| operations[*position]).collect();
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
            for endpoint in ["bulk", "many"] {
                for lane in 0..5 {
                    let of_lane = seen.iter().filter(|at| operations[**at].endpoint == endpoint && operations[**at].lane == lane.to_string());
                    prop_assert!(of_lane.is_sorted());
                }
            }
            seen.extend(plan.refused.iter().map(|(position, _)| *position));
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..operations.len()).collect::<Vec<_>>());
            prop_assert!(plan.refused.iter().all(|(position, _)| operations[*position].body.len() > 60));
        }
    }
}
