//! The loop against a scripted platform, under paused time: no test waits, none opens a connection.

#![allow(clippy::unwrap_used)]

mod look;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeZone;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::destinations::{
    Backfill, Built, Capabilities, Completed, Endpoint, Held, Job, JobFacts, Method, Operation, PartialFailure, Promise, Rate, Reading,
    Refusal, Reply, Request, RetrySafety, Secret, Skip, Verdict,
};
use crate::model::{IdempotencyKey, Record};
use crate::state::{Acceptance, DeadLetter, LetterFilter, MemoryStore, NewOperation, StateStore};

const BASE: Endpoint = Endpoint {
    id: "single",
    method: Method::Post,
    path: "/single",
    max_records: 1,
    max_bytes: 10_000,
    max_record_bytes: 0,
    rate: None,
    concurrency: 8,
    many_per_lane: false,
    retry_safe_by: RetrySafety::EventId,
    partial_failure: PartialFailure::Single,
    null_clears: false,
    backfill: Backfill::Quiet,
    promise: Promise::EffectivelyOnce,
    note: "",
    ..Endpoint::SINGLE
};

static TABLE: Capabilities = Capabilities {
    destination: "toy",
    endpoints: &[
        BASE,
        Endpoint { id: "bulk", max_records: 8, max_bytes: 600, max_record_bytes: 300, ..BASE },
        Endpoint { id: "many", max_records: 5, many_per_lane: true, ..BASE },
        Endpoint { id: "paced", rate: Some(Rate { count: 10, per_s: 1, scope: "project", budget: "" }), concurrency: 1, ..BASE },
        Endpoint { id: "profile", ..BASE },
        Endpoint { id: "subscriptions", ..BASE },
        Endpoint { id: "import", max_records: 8, job: Some(JobFacts { poll: "import.status", give_up_s: 60 }), ..BASE },
        Endpoint { id: "import.status", ..BASE },
        Endpoint { id: "slow", max_records: 2, job: Some(JobFacts { poll: "slow.status", give_up_s: 600 }), ..BASE },
        Endpoint { id: "slow.status", rate: Some(Rate { count: 1, per_s: 10, scope: "project", budget: "" }), ..BASE },
        Endpoint { id: "shared1", rate: Some(Rate { count: 10, per_s: 1, scope: "project", budget: "both" }), ..BASE },
        Endpoint { id: "shared2", rate: Some(Rate { count: 10, per_s: 1, scope: "project", budget: "both" }), ..BASE },
        Endpoint {
            id: "shown",
            rate: Some(Rate { count: 10, per_s: 1, scope: "project", budget: "both" }),
            retry_safe_by: RetrySafety::ReadOnly,
            ..BASE
        },
    ],
};

/// Takes rows as `{"key":"k1"}`, sends them as `{"rows":[…]}` and understands what [`Platform`] answers.
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
    fn request(&self, operations: &[&Operation]) -> Result<Request, Error> {
        let rows: Vec<&str> = operations.iter().map(|operation| std::str::from_utf8(&operation.body).unwrap()).collect();
        let first = operations[0];
        if operations.iter().any(|operation| operation.body.starts_with(b"unbuildable")) {
            return Err(Error::new(ErrorCode::Internal, "a row that cannot be built"));
        }
        assert!(operations.iter().all(|other| other.endpoint == first.endpoint && other.group == first.group), "mixed request");
        Ok(Request {
            endpoint: first.endpoint.clone(),
            method: Method::Post,
            path: format!("/{}", first.endpoint),
            headers: vec![],
            secret_headers: vec![("api-key", Secret::new("s3cr3t-key"))],
            body: Some(format!("{{\"rows\":[{}]}}", rows.join(",")).into_bytes()),
        })
    }
    fn read(&self, operations: &[&Operation], reply: &Reply) -> Reading {
        let refusal = |code, vendor: &str| Refusal::new(code, vendor, "the platform said so");
        match reply.status {
            200 => {
                let Ok(answer) = serde_json::from_slice::<HashMap<String, String>>(&reply.body) else {
                    // A careless destination: half an object passes for a whole one.
                    if reply.body.starts_with(b"{") {
                        return Reading::Each(vec![Verdict::Accepted; operations.len()], vec![]);
                    }
                    return Reading::Retry(refusal(ErrorCode::Unavailable, "unreadable"), None);
                };
                let verdict = |operation: &&Operation| match answer.get(operation.idempotency_key.as_str()).map(String::as_str) {
                    Some("reject") => Verdict::Rejected(refusal(ErrorCode::Rejected, "BadRow")),
                    Some("later") => Verdict::Retry(refusal(ErrorCode::Unavailable, "RowBusy"), None),
                    Some("forgotten") => Verdict::Discarded(SkipReason::Erased, "forgotten there".into()),
                    Some("amend") => Verdict::Amended(br#"{"key":"amended"}"#.to_vec(), "left out `x`".into()),
                    _ => Verdict::Accepted,
                };
                Reading::Each(operations.iter().map(verdict).collect(), vec![])
            }
            202 => Reading::Job(Job { id: String::from_utf8(reply.body.clone()).unwrap(), poll_after: Duration::from_secs(10) }),
            400 => Reading::Split(refusal(ErrorCode::Rejected, "BadBatch")),
            404 => Reading::Retry(refusal(ErrorCode::NotFound, "NoSuchJob"), None),
            401 => Reading::Stop(Error::new(ErrorCode::Unauthorized, "the api key is refused")),
            429 => Reading::Retry(refusal(ErrorCode::RateLimited, "RateLimitExceeded"), None),
            _ => Reading::Retry(refusal(ErrorCode::Unavailable, ""), None),
        }
    }
    fn prefetch(&self, operation: &Operation) -> Option<Request> {
        let mut request = self.request(&[operation]).ok()?;
        // One that was looked at before says so in its row.
        let further = operation.body.ends_with(FURTHER);
        request.endpoint = if further { "paced" } else { "profile" }.into();
        request.path = if further { "/history" } else { "/profile" }.into();
        (operation.endpoint == "subscriptions").then_some(request)
    }
    fn complete(&self, operation: &Operation, reply: &Reply) -> Result<Completed, Error> {
        Ok(match reply.status {
            200 if reply.body == b"elsewhere" => {
                let mut request = self.request(&[operation])?;
                request.endpoint = "paced".into();
                request.path = "/paced".into();
                Completed::Send(request)
            }
            200 if reply.body == b"doubtful" => {
                let body = [operation.body.as_slice(), FURTHER].concat();
                Completed::Look(Box::new(Operation { body, ..operation.clone() }))
            }
            200 if reply.body == b"already" => Completed::Skip(Skip::new(SkipReason::Unchanged, "it is so already")),
            200 => Completed::Send(self.request(&[operation])?),
            401 => return Err(Error::new(ErrorCode::Unauthorized, "the api key is refused")),
            404 => return Err(Error::new(ErrorCode::NotFound, "no such profile")),
            _ => Completed::Retry(Refusal::new(ErrorCode::Unavailable, "", "not now"), None),
        })
    }
    fn poll(&self, operations: &[&Operation], job: &str) -> Result<Request, Error> {
        let mut request = self.request(operations)?;
        // Jobs called so have a step before they are told about, by an endpoint of its own.
        let step = job.starts_with("step");
        request.endpoint = if step { "paced".into() } else { format!("{}.status", request.endpoint).into() };
        request.path = format!("/job/{job}");
        Ok(request)
    }
    fn compare(&self, operation: &Operation, reply: &Reply) -> Result<Held, Error> {
        let later = |code| Held::Later(Refusal::new(code, "", "not now"), None);
        Ok(match reply.status {
            200 if reply.body.windows(2).any(|key| key == operation.body.get(8..10).unwrap()) => Held::Same,
            200 => Held::Missing,
            401 => return Err(Error::new(ErrorCode::Unauthorized, "the key may not read")),
            429 => later(ErrorCode::RateLimited),
            _ => later(ErrorCode::Unavailable),
        })
    }
    fn check(&self) -> Request {
        unreachable!("delivery checks nothing")
    }
    fn base_url(&self) -> &'static str {
        "http://toy"
    }
    fn backfill_notice(&self) -> &'static str {
        ""
    }
}

/// One request as the platform saw it.
#[derive(Clone, Debug)]
struct Seen {
    at: Duration,
    path: String,
    bytes: usize,
    keys: Vec<String>,
}

/// What the toy destination puts behind a row that was looked at once.
const FURTHER: &[u8] = b" ";

type Answer = Result<Reply, TransportFailure>;
type Script = dyn Fn(&Seen, usize) -> (Duration, Answer) + Send + Sync;

struct Platform {
    epoch: tokio::time::Instant,
    seen: Mutex<Vec<Seen>>,
    under_way: Mutex<(HashSet<String>, usize, usize)>,
    script: Box<Script>,
}

impl Platform {
    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
    fn sent(&self, key: &str) -> usize {
        self.seen().iter().filter(|seen| seen.keys.iter().any(|other| other == key)).count()
    }
}

/// Counts a request as gone even when it is dropped half-way.
struct UnderWay<'a>(&'a Platform);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.lock().unwrap().1 -= 1;
    }
}

impl Transport for Platform {
    fn send<'a>(&'a self, _base_url: &'a str, request: &'a Request) -> BoxFuture<'a, Result<Reply, TransportFailure>> {
        Box::pin(async move {
            let body: serde_json::Value = serde_json::from_slice(request.body.as_ref().unwrap()).unwrap();
            let keys = body["rows"].as_array().unwrap().iter().map(|row| row["key"].as_str().unwrap().to_owned()).collect();
            let bytes = request.body.as_ref().unwrap().len();
            let seen = Seen { at: self.epoch.elapsed(), path: request.path.clone(), bytes, keys };
            let count = {
                let mut all = self.seen.lock().unwrap();
                all.push(seen.clone());
                all.len()
            };
            {
                let mut under_way = self.under_way.lock().unwrap();
                under_way.1 += 1;
                under_way.2 = under_way.2.max(under_way.1);
            }
            let _gone = UnderWay(self);
            let (delay, answer) = (self.script)(&seen, count);
            tokio::time::sleep(delay).await;
            answer
        })
    }
}

struct PausedClock {
    epoch: tokio::time::Instant,
    jumped: Mutex<chrono::Duration>,
}

impl Clock for PausedClock {
    fn now(&self) -> Instant {
        chrono::Utc.with_ymd_and_hms(2026, 11, 21, 12, 0, 0).unwrap() + self.epoch.elapsed() + *self.jumped.lock().unwrap()
    }
}

#[derive(Default)]
struct Log(Mutex<Vec<DeliveryEvent>>);

impl Observer for Log {
    fn event(&self, event: &DeliveryEvent) {
        self.0.lock().unwrap().push(event.clone());
    }
}

struct Bench {
    delivery: Arc<Delivery>,
    store: Arc<MemoryStore>,
    platform: Arc<Platform>,
    log: Arc<Log>,
    clock: Arc<PausedClock>,
    stop: Stop,
}

impl Bench {
    fn new(settings: Settings, script: impl Fn(&Seen, usize) -> (Duration, Answer) + Send + Sync + 'static) -> Self {
        let epoch = tokio::time::Instant::now();
        let platform = Arc::new(Platform { epoch, seen: Mutex::default(), under_way: Mutex::default(), script: Box::new(script) });
        let (store, log) = (Arc::new(MemoryStore::new()), Arc::new(Log::default()));
        let clock = Arc::new(PausedClock { epoch, jumped: Mutex::default() });
        let delivery =
            Delivery::new("toy", Arc::new(Toy), store.clone(), platform.clone(), clock.clone(), log.clone(), settings, "w".into());
        Bench { delivery: Arc::new(delivery.seeded(7)), store, platform, log, clock, stop: Stop::new() }
    }

    fn accept(&self, operations: impl IntoIterator<Item = Operation>) -> Vec<u64> {
        let operations = operations
            .into_iter()
            .enumerate()
            .map(|(at, operation)| NewOperation {
                operation,
                fingerprints: BTreeMap::new(),
                record: b"{}".to_vec(),
                run: Some("r1".into()),
                position: at as u64,
                people: vec![],
            })
            .collect();
        let acceptance = Acceptance { destination: "toy".into(), operations, ..Acceptance::default() };
        self.store.accept(&acceptance, self.clock.now()).unwrap().ids
    }

    /// Another worker on the same outbox.
    fn rival(&self) -> Delivery {
        let (store, platform, clock, log) = (self.store.clone(), self.platform.clone(), self.clock.clone(), self.log.clone());
        Delivery::new("toy", Arc::new(Toy), store, platform, clock, log, Settings::default(), "rival".into())
    }

    fn jump(&self, by: chrono::Duration) {
        *self.clock.jumped.lock().unwrap() = by;
    }

    async fn drain(&self) -> Drained {
        self.delivery.drain(&self.stop).await.unwrap()
    }

    fn letters(&self) -> Vec<DeadLetter> {
        self.store.dead_letters(&LetterFilter::default()).unwrap()
    }

    fn waiting(&self) -> u64 {
        self.store.waiting("toy").unwrap()
    }

    fn events(&self) -> Vec<DeliveryEvent> {
        self.log.0.lock().unwrap().clone()
    }
}

fn operation(endpoint: &'static str, lane: &str, key: &str) -> Operation {
    Operation {
        endpoint: endpoint.into(),
        entity: format!("thing:{key}"),
        lane: lane.into(),
        idempotency_key: IdempotencyKey::new(key),
        once: true,
        version: None,
        occurred_at: chrono::Utc.with_ymd_and_hms(2026, 11, 21, 11, 0, 0).unwrap(),
        group: String::new(),
        params: BTreeMap::new(),
        delta: None,
        supersedes: vec![],
        correlation_id: CorrelationId::new("c"),
        body: format!("{{\"key\":\"{key}\"}}").into_bytes(),
    }
}

fn lanes(endpoint: &'static str, keys: std::ops::Range<u32>) -> impl Iterator<Item = Operation> {
    keys.map(move |n| operation(endpoint, &format!("lane{n}"), &format!("k{n}")))
}

fn status(status: u16) -> (Duration, Answer) {
    (Duration::from_millis(10), Ok(Reply { status, ..Reply::default() }))
}

fn says(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> (Duration, Answer) {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    (Duration::from_millis(10), Ok(Reply { status, headers, body: body.into() }))
}

fn accepted() -> (Duration, Answer) {
    says(200, &[("content-type", "application/json")], "{}")
}

fn rows(verdicts: &[(&str, &str)]) -> (Duration, Answer) {
    let verdicts: HashMap<_, _> = verdicts.iter().copied().collect();
    says(200, &[("content-type", "application/json")], json!(verdicts).to_string())
}

fn times(bench: &Bench) -> Vec<Duration> {
    bench.platform.seen().iter().map(|seen| seen.at).collect()
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn what_waits_is_delivered_and_told() {
    let bench = Bench::new(Settings::default(), |_, _| accepted());
    bench.accept(lanes("single", 0..3));
    let drained = bench.drain().await;
    assert_eq!(drained, Drained { delivered: 3, requests: 3, ..Drained::default() });
    assert_eq!(bench.waiting(), 0);
    let delivered: Vec<u64> = bench
        .events()
        .iter()
        .filter_map(|event| match event {
            DeliveryEvent::Delivered { subject } if subject.run.as_deref() == Some("r1") => Some(subject.position),
            _ => None,
        })
        .collect();
    assert_eq!(delivered.iter().copied().collect::<HashSet<_>>(), HashSet::from([0, 1, 2]));
    assert!(times(&bench).iter().all(|at| *at < SECOND));
}

#[tokio::test(start_paused = true)]
async fn an_empty_outbox_is_drained_at_once() {
    let bench = Bench::new(Settings::default(), |_, _| accepted());
    assert_eq!(bench.drain().await, Drained::default());
}

#[tokio::test(start_paused = true)]
async fn operations_of_one_lane_go_one_after_the_other_and_endpoints_do_not_matter() {
    let bench = Bench::new(Settings::default(), |_, _| accepted());
    bench.accept(
        ["single", "bulk", "bulk", "paced", "single"].into_iter().enumerate().map(|(n, id)| operation(id, "one", &format!("k{n}"))),
    );
    bench.drain().await;
    let keys: Vec<_> = bench.platform.seen().iter().flat_map(|seen| seen.keys.clone()).collect();
    assert_eq!(keys, ["k0", "k1", "k2", "k3", "k4"]);
    assert_eq!(bench.platform.under_way.lock().unwrap().2, 1);
}

#[tokio::test(start_paused = true)]
async fn a_lane_may_share_a_request_where_the_endpoint_takes_many_per_lane() {
    let bench = Bench::new(Settings::default(), |_, _| accepted());
    bench.accept((0..7).map(|n| operation("many", "one", &format!("k{n}"))).chain([operation("many", "two", "x")]));
    bench.drain().await;
    let requests: Vec<Vec<String>> = bench.platform.seen().iter().map(|seen| seen.keys.clone()).collect();
    assert_eq!(requests.iter().map(Vec::len).collect::<Vec<_>>(), [5, 1, 2], "{requests:?}");
    assert_eq!(requests[0], ["k0", "k1", "k2", "k3", "k4"]);
}

#[tokio::test(start_paused = true)]
async fn groups_do_not_share_a_request() {
    let bench = Bench::new(Settings::default(), |_, _| accepted());
    bench.accept(lanes("bulk", 0..6).enumerate().map(|(n, operation)| Operation { group: format!("g{}", n % 2), ..operation }));
    bench.drain().await;
    assert_eq!(bench.platform.seen().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn no_request_is_over_the_limits_of_records_and_bytes() {
    let bench = Bench::new(Settings::default(), |_, _| accepted());
    let sized = |n: u32, bytes: usize| Operation {
        body: format!("{{\"key\":\"k{n}\",\"fill\":\"{}\"}}", "x".repeat(bytes)).into_bytes(),
        ..operation("bulk", &format!("lane{n}"), &format!("k{n}"))
    };
    bench.accept((0..40).map(|n| sized(n, (n as usize * 37) % 250)));
    assert_eq!(bench.drain().await.delivered, 40);
    let seen = bench.platform.seen();
    assert!(seen.iter().all(|seen| seen.bytes <= 600 && seen.keys.len() <= 8));
    assert!(seen.len() < 20, "packed poorly: {} requests", seen.len());
}

#[tokio::test(start_paused = true)]
async fn a_row_too_large_for_any_request_is_a_dead_letter_and_its_neighbours_go() {
    let bench = Bench::new(Settings::default(), |_, _| accepted());
    let huge = Operation { body: format!("{{\"key\":\"{}\"}}", "x".repeat(400)).into_bytes(), ..operation("bulk", "huge", "huge") };
    bench.accept(lanes("bulk", 0..2).chain([huge]).chain(lanes("bulk", 2..4)));
    let drained = bench.drain().await;
    assert_eq!((drained.delivered, drained.dead_lettered), (4, 1));
    let letter = &bench.letters()[0];
    assert_eq!((letter.failure.refusal.code.0, letter.failure.attempts, letter.failure.status), (ErrorCode::TooLarge, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_row_that_cannot_be_built_sinks_no_neighbour() {
    let bench = Bench::new(Settings::default(), |_, _| accepted());
    let bad = Operation { body: b"unbuildable".to_vec(), ..operation("bulk", "bad", "bad") };
    let unknown = operation("gone_since", "unknown", "unknown");
    bench.accept(lanes("bulk", 0..3).chain([bad, unknown]).chain(lanes("bulk", 3..6)));
    let drained = bench.drain().await;
    assert_eq!((drained.delivered, drained.dead_lettered), (6, 2));
    let codes: HashSet<_> = bench.letters().iter().map(|letter| letter.failure.refusal.code.0).collect();
    assert_eq!(codes, HashSet::from([ErrorCode::Internal, ErrorCode::Unsupported]));
}

#[tokio::test(start_paused = true)]
async fn a_failing_head_holds_its_own_lane_and_no_other() {
    let bench = Bench::new(Settings::default(), |seen, _| if seen.keys == ["bad0"] { status(500) } else { accepted() });
    bench.accept([operation("single", "bad", "bad0"), operation("single", "bad", "bad1")].into_iter().chain(lanes("single", 0..50)));
    let drained = bench.drain().await;
    assert_eq!((drained.delivered, drained.dead_lettered), (51, 1));
    let seen = bench.platform.seen();
    let at = |key: &str| seen.iter().filter(|seen| seen.keys == [key]).map(|seen| seen.at).next_back().unwrap();
    assert!((0..50).all(|n| at(&format!("k{n}")) < Duration::from_millis(200)), "the others did not wait");
    assert!(at("bad1") > at("bad0"), "the next of the lane waited");
}

#[tokio::test(start_paused = true)]
async fn after_six_failures_it_is_a_dead_letter_that_tells_all_and_nothing_personal() {
    let bench = Bench::new(Settings::default(), |_, _| says(503, &[], "no luck for ann@example.org with s3cr3t-key"));
    bench.accept(lanes("single", 0..1));
    let drained = bench.drain().await;
    assert_eq!(drained, Drained { dead_lettered: 1, retried: 5, requests: 6, ..Drained::default() });
    let failure = &bench.letters()[0].failure;
    assert_eq!((failure.refusal.code.0, failure.status, failure.attempts), (ErrorCode::Unavailable, 503, 6));
    assert_eq!(failure.response, "no luck for *** with ***");
    for (n, gap) in times(&bench).windows(2).map(|pair| pair[1] - pair[0]).enumerate() {
        assert!(gap <= Duration::from_millis(500 << n) + Duration::from_millis(20), "gap {n} was {gap:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_error_is_retried_until_it_succeeds() {
    let bench = Bench::new(Settings::default(), |_, count| if count < 4 { status(502) } else { accepted() });
    bench.accept(lanes("bulk", 0..4));
    let drained = bench.drain().await;
    assert_eq!(drained, Drained { delivered: 4, retried: 12, requests: 4, ..Drained::default() });
    assert!(bench.platform.seen().iter().all(|seen| seen.keys.len() == 4), "those that failed together stay together");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_outcome_is_sent_again_under_the_same_key() {
    for failure in [TransportFailure::Timeout, TransportFailure::Unknown("connection reset".into())] {
        let bench = Bench::new(Settings::default(), move |_, count| match count {
            1 => (SECOND, Err(failure.clone())),
            2 => says(200, &[("content-type", "application/json; charset=utf-8")], r#"{"cut":"#),
            _ => accepted(),
        });
        bench.accept(lanes("single", 0..1));
        assert_eq!(bench.drain().await.delivered, 1);
        let keys: Vec<_> = bench.platform.seen().into_iter().map(|seen| seen.keys).collect();
        assert_eq!(keys, [["k0"], ["k0"], ["k0"]]);
    }
}

#[tokio::test(start_paused = true)]
async fn no_answer_in_time_counts_as_unknown() {
    let bench = Bench::new(Settings::default(), |_, count| (Duration::from_secs(if count == 1 { 3_600 } else { 1 }), accepted().1));
    bench.accept(lanes("single", 0..1));
    assert_eq!(bench.drain().await.delivered, 1);
    let at = times(&bench);
    assert!(at[1] >= Duration::from_secs(30) && at[1] < Duration::from_secs(31), "{at:?}");
}

#[tokio::test(start_paused = true)]
async fn a_page_of_html_with_status_200_is_no_success() {
    let bench = Bench::new(Settings::default(), |_, _| says(200, &[("content-type", "text/html")], "<html>log in</html>"));
    bench.accept(lanes("single", 0..1));
    assert_eq!(bench.drain().await.dead_lettered, 1);
}

#[tokio::test(start_paused = true)]
async fn throttled_without_a_hint_it_waits_at_least_the_floor() {
    let bench = Bench::new(Settings::default(), |_, count| if count == 1 { status(429) } else { accepted() });
    bench.accept(lanes("single", 0..1));
    assert_eq!(bench.drain().await.delivered, 1);
    let gap = times(&bench)[1];
    assert!(gap >= SECOND && gap <= Duration::from_millis(1_600), "{gap:?}");
}

#[tokio::test(start_paused = true)]
async fn throttled_with_a_hint_the_whole_endpoint_waits_that_long_and_other_endpoints_do_not() {
    for hint in ["42", "Sat, 21 Nov 2026 12:00:43 GMT"] {
        let bench = Bench::new(Settings { max_in_flight: 1, ..Settings::default() }, move |_, count| {
            if count == 1 { says(429, &[("retry-after", hint)], "") } else { accepted() }
        });
        bench.accept(lanes("single", 0..3).chain([operation("bulk", "other", "other")]));
        assert_eq!(bench.drain().await.delivered, 4);
        let seen = bench.platform.seen();
        assert_eq!((seen[1].path.as_str(), seen[1].at < SECOND), ("/bulk", true));
        assert!(seen[2..].iter().all(|seen| seen.at >= Duration::from_secs(42) && seen.at < Duration::from_secs(45)), "{seen:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_throttling_burns_no_dead_letters() {
    let bench = Bench::new(Settings::default(), |seen, _| if seen.at < Duration::from_secs(90) { status(429) } else { accepted() });
    bench.accept(lanes("paced", 0..50));
    let drained = bench.drain().await;
    assert_eq!((drained.delivered, drained.dead_lettered), (50, 0));
    let storm = bench.platform.seen().iter().filter(|seen| seen.at < Duration::from_secs(90)).count();
    assert!(storm <= 100, "{storm} requests into the storm");
}

#[tokio::test(start_paused = true)]
async fn a_used_up_budget_in_the_headers_is_respected_before_any_refusal() {
    let bench = Bench::new(Settings { max_in_flight: 1, ..Settings::default() }, |_, count| {
        if count == 1 { says(200, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "9")], "{}") } else { accepted() }
    });
    bench.accept(lanes("single", 0..2));
    bench.drain().await;
    assert!(times(&bench)[1] >= Duration::from_secs(9));
}

#[tokio::test(start_paused = true)]
async fn the_published_rate_is_kept_unless_told_otherwise() {
    for (rate_limits, at_least) in [(true, 3_900), (false, 400)] {
        let bench = Bench::new(Settings { rate_limits, ..Settings::default() }, |_, _| accepted());
        bench.accept(lanes("paced", 0..40));
        bench.drain().await;
        let last = *times(&bench).last().unwrap();
        assert!(last >= Duration::from_millis(at_least - 20) && last <= Duration::from_millis(at_least + 200), "{last:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn permits_of_the_endpoint_and_of_all_bound_what_is_under_way() {
    let bench = Bench::new(Settings::default(), |_, _| accepted());
    bench.accept(lanes("single", 0..40));
    bench.drain().await;
    assert_eq!(bench.platform.under_way.lock().unwrap().2, 8);
    let bench = Bench::new(Settings { max_in_flight: 3, ..Settings::default() }, |_, _| accepted());
    bench.accept(lanes("single", 0..40));
    bench.drain().await;
    assert_eq!(bench.platform.under_way.lock().unwrap().2, 3);
}

#[tokio::test(start_paused = true)]
async fn a_poison_row_is_isolated_by_halving() {
    let bench = Bench::new(Settings::default(), |seen, _| if seen.keys.iter().any(|key| key == "k5") { status(400) } else { accepted() });
    bench.accept(lanes("bulk", 0..8));
    let drained = bench.drain().await;
    assert_eq!((drained.delivered, drained.dead_lettered), (7, 1));
    assert_eq!(bench.platform.seen().len(), 7, "one request for all and two for each of three halvings");
    let letter = &bench.letters()[0];
    assert_eq!((letter.operation.idempotency_key.as_str(), letter.failure.attempts), ("k5", 1));
    assert!(
        (0..8).filter(|n| *n != 5).all(|n| bench.platform.seen().iter().filter(|seen| seen.keys.contains(&format!("k{n}"))).count() <= 4)
    );
}

#[tokio::test(start_paused = true)]
async fn halving_keeps_the_order_within_a_lane() {
    let bench = Bench::new(Settings::default(), |seen, _| if seen.keys.iter().any(|key| key == "k1") { status(400) } else { accepted() });
    bench.accept((0..5).map(|n| operation("many", "one", &format!("k{n}"))));
    let drained = bench.drain().await;
    assert_eq!((drained.delivered, drained.dead_lettered), (4, 1));
    let good: Vec<_> =
        bench.platform.seen().into_iter().filter(|seen| !seen.keys.contains(&"k1".into())).flat_map(|seen| seen.keys).collect();
    assert_eq!(good, ["k0", "k2", "k3", "k4"]);
}

#[tokio::test(start_paused = true)]
async fn a_half_failed_request_is_settled_row_by_row() {
    let bench = Bench::new(Settings::default(), |_, count| {
        if count == 1 { rows(&[("k1", "reject"), ("k2", "later"), ("k3", "forgotten")]) } else { accepted() }
    });
    bench.accept(lanes("bulk", 0..5));
    let drained = bench.drain().await;
    assert_eq!(drained, Drained { delivered: 3, skipped: 1, dead_lettered: 1, retried: 1, requests: 2, ..Drained::default() });
    assert_eq!(bench.platform.seen()[1].keys, ["k2"]);
    assert_eq!(bench.letters()[0].failure.refusal.vendor_code, "BadRow");
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_stop_the_destination_and_harm_nothing() {
    let bench =
        Bench::new(Settings { max_in_flight: 1, ..Settings::default() }, |_, count| if count == 1 { status(401) } else { accepted() });
    bench.accept(lanes("single", 0..5));
    let error = bench.delivery.drain(&bench.stop).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Unauthorized);
    assert_eq!((bench.waiting(), bench.letters().len(), bench.platform.seen().len()), (5, 0, 1));
    assert!(bench.events().contains(&DeliveryEvent::Stopped { code: ErrorCode::Unauthorized }));
    let drained = bench.drain().await;
    assert_eq!((drained.delivered, drained.retried), (5, 0), "nothing was held back, and at once");
    assert!(times(&bench).last().unwrap() < &SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_cannot_be_sent_stops_at_once_and_a_request_that_cannot_be_sent_sinks_no_neighbour() {
    let bench = Bench::new(Settings::default(), |_, _| (Duration::ZERO, Err(TransportFailure::Misconfigured("a line break".into()))));
    bench.accept(lanes("single", 0..5));
    assert_eq!(bench.delivery.drain(&bench.stop).await.unwrap_err().code(), ErrorCode::InvalidConfig);
    assert_eq!((bench.waiting(), bench.platform.epoch.elapsed() < SECOND), (5, true));

    let bench = Bench::new(Settings::default(), |seen, _| {
        let odd = seen.keys.iter().any(|key| key == "k2");
        if odd { (Duration::ZERO, Err(TransportFailure::Malformed("odd".into()))) } else { accepted() }
    });
    bench.accept(lanes("bulk", 0..5));
    let drained = bench.drain().await;
    assert_eq!((drained.delivered, drained.dead_lettered), (4, 1));
    assert_eq!(bench.letters()[0].operation.idempotency_key.as_str(), "k2");
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_what_is_under_way_end_and_gives_the_rest_back() {
    let bench = Bench::new(Settings { max_in_flight: 2, ..Settings::default() }, |_, _| (SECOND, accepted().1));
    bench.accept(lanes("single", 0..10));
    let (delivery, stop) = (bench.delivery.clone(), bench.stop.clone());
    let draining = tokio::spawn(async move { delivery.drain(&stop).await });
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    bench.stop.stop();
    let drained = draining.await.unwrap().unwrap();
    assert_eq!((drained.delivered, drained.left, drained.stopped), (4, 6, true));
    assert_eq!(bench.platform.seen().len(), 4);
    let again = bench.delivery.drain(&Stop::new()).await.unwrap();
    assert_eq!((again.delivered, bench.platform.seen().len()), (6, 10), "released: no lease had to run out");
}

#[tokio::test(start_paused = true)]
async fn what_a_killed_worker_held_is_taken_over_when_its_lease_ends() {
    let bench = Bench::new(Settings { max_in_flight: 1, ..Settings::default() }, |_, _| (SECOND, accepted().1));
    bench.accept(lanes("single", 0..3));
    let dropped = tokio::time::timeout(Duration::from_millis(1_500), bench.delivery.drain(&bench.stop)).await;
    assert!(dropped.is_err());
    let drained = bench.drain().await;
    assert_eq!((drained.delivered, drained.left), (2, 0));
    assert_eq!(
        [bench.platform.sent("k0"), bench.platform.sent("k1"), bench.platform.sent("k2")],
        [1, 2, 1],
        "only what was in flight is repeated"
    );
}

#[tokio::test(start_paused = true)]
async fn an_amended_row_is_sent_once_more_and_then_dies() {
    let bench = Bench::new(Settings::default(), |seen, _| match seen.keys[0].as_str() {
        "k0" | "k1" => rows(&[("k0", "amend"), ("k1", "amend")]),
        _ => accepted(),
    });
    bench.accept(lanes("single", 0..1));
    assert_eq!(bench.drain().await.delivered, 1);
    assert_eq!(bench.platform.sent("amended"), 1);

    let bench = Bench::new(Settings::default(), |_, _| rows(&[("k0", "amend")]));
    bench.accept(lanes("single", 0..1));
    assert_eq!(bench.drain().await, Drained { dead_lettered: 1, retried: 1, requests: 2, ..Drained::default() });
}

#[tokio::test(start_paused = true)]
async fn a_two_step_operation_reads_first_and_may_be_needless() {
    let bench = Bench::new(Settings::default(), |seen, _| match (seen.path.as_str(), seen.keys[0].as_str()) {
        ("/profile", "k0") => says(200, &[], "already"),
        ("/profile", "k2") => status(404),
        ("/profile", _) => says(200, &[], "subscribed"),
        _ => accepted(),
    });
    bench.accept(lanes("subscriptions", 0..3));
    let drained = bench.drain().await;
    assert_eq!((drained.delivered, drained.skipped, drained.dead_lettered, drained.requests), (1, 1, 1, 4));
    let paths: Vec<_> = bench.platform.seen().into_iter().filter(|seen| seen.keys == ["k1"]).map(|seen| seen.path).collect();
    assert_eq!(paths, ["/profile", "/subscriptions"]);
    assert_eq!(bench.letters()[0].failure.refusal.code.0, ErrorCode::NotFound);
}

#[tokio::test(start_paused = true)]
async fn where_one_read_does_not_tell_another_is_made_and_begun_anew_when_it_fails() {
    let bench = Bench::new(Settings::default(), |seen, count| match (seen.path.as_str(), seen.keys[0].as_str()) {
        ("/profile", _) => says(200, &[], "doubtful"),
        ("/history", "k0") if count == 2 => status(500),
        ("/history", "k0") => says(200, &[], "subscribed"),
        ("/history", "k1") => says(200, &[], "already"),
        ("/history", "k2") => says(200, &[], "doubtful"),
        _ => accepted(),
    });
    bench.accept(lanes("subscriptions", 0..1));
    assert_eq!(bench.drain().await.delivered, 1);
    let paths =
        |key: &str| -> Vec<_> { bench.platform.seen().into_iter().filter(|seen| seen.keys == [key]).map(|seen| seen.path).collect() };
    assert_eq!(paths("k0"), ["/profile", "/history", "/profile", "/history", "/subscriptions"]);
    bench.accept(lanes("subscriptions", 1..3));
    let drained = bench.drain().await;
    assert_eq!((drained.delivered, drained.skipped, drained.dead_lettered), (0, 1, 1));
    assert_eq!(paths("k1"), ["/profile", "/history"]);
    // A destination that never has enough.
    assert_eq!(paths("k2"), ["/profile", "/history", "/history", "/history"]);
    assert_eq!(bench.letters()[0].failure.refusal.code.0, ErrorCode::Internal);
    assert!(!String::from_utf8(bench.letters()[0].operation.body.clone()).unwrap().ends_with(' '), "nothing of the looking is kept");
}

#[tokio::test(start_paused = true)]
async fn the_second_step_keeps_the_pace_of_the_endpoint_it_really_uses() {
    let bench = Bench::new(Settings::default(), |seen, count| match seen.path.as_str() {
        "/profile" => says(200, &[], "elsewhere"),
        _ if count < 10 => says(429, &[("retry-after", "20")], ""),
        _ => accepted(),
    });
    bench.accept(lanes("subscriptions", 0..30));
    assert_eq!(bench.drain().await.delivered, 30);
    let at: Vec<_> = bench.platform.seen().iter().filter(|seen| seen.path == "/paced").map(|seen| seen.at).collect();
    assert!(at[1] >= Duration::from_secs(20), "it rested: {at:?}");
    assert!(at.windows(2).skip(1).all(|pair| pair[1] - pair[0] >= Duration::from_millis(85)), "{at:?}");
}

#[tokio::test(start_paused = true)]
async fn a_two_step_operation_reads_again_when_the_second_step_fails() {
    let bench = Bench::new(Settings::default(), |seen, count| match seen.path.as_str() {
        "/profile" => says(200, &[], "subscribed"),
        _ if count == 2 => status(500),
        _ => accepted(),
    });
    bench.accept(lanes("subscriptions", 0..1));
    assert_eq!(bench.drain().await.delivered, 1);
    let paths: Vec<_> = bench.platform.seen().into_iter().map(|seen| seen.path).collect();
    assert_eq!(paths, ["/profile", "/subscriptions", "/profile", "/subscriptions"]);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_operations_of_one_blocked_lane_starve_no_one_and_are_not_all_held() {
    let settings = Settings { claim: 100, ..Settings::default() };
    let bench = Bench::new(settings, |seen, _| {
        if seen.keys[0].starts_with("long") && seen.at < Duration::from_secs(2) { (SECOND * 20, accepted().1) } else { accepted() }
    });
    let long = (0..1_000).map(|n| operation("single", "long", &format!("long{n}")));
    bench.accept(long.chain(lanes("single", 0..200)));
    let drained = bench.drain().await;
    assert_eq!(drained.delivered, 1_200);
    let seen = bench.platform.seen();
    let last_short = seen.iter().filter(|seen| seen.keys[0].starts_with('k')).map(|seen| seen.at).max().unwrap();
    assert!(last_short < SECOND * 2, "{last_short:?}");
    assert!(bench.platform.epoch.elapsed() < SECOND * 45, "the rest of the lane was claimed as soon as there was room");
    let long: Vec<_> = seen.iter().filter(|seen| seen.keys[0].starts_with("long")).map(|seen| seen.keys[0].clone()).collect();
    assert_eq!(long, (0..1_000).map(|n| format!("long{n}")).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn without_a_connection_no_attempt_is_counted_and_few_probes_are_sent() {
    let bench = Bench::new(Settings::default(), |seen, _| {
        if seen.at < Duration::from_secs(100) {
            (Duration::from_millis(1), Err(TransportFailure::BeforeSending("connection refused".into())))
        } else {
            accepted()
        }
    });
    bench.accept(lanes("single", 0..100));
    let drained = bench.drain().await;
    assert_eq!((drained.delivered, drained.dead_lettered, drained.retried), (100, 0, 0));
    let probes = bench.platform.seen().iter().filter(|seen| seen.at < Duration::from_secs(100)).count();
    assert!((8..=25).contains(&probes), "{probes} probes");
    let warnings = bench.events().iter().filter(|event| matches!(event, DeliveryEvent::Warning { .. })).count();
    assert_eq!(warnings, 1, "an outage is told once");
}

#[tokio::test(start_paused = true)]
async fn a_drain_gives_up_on_a_long_outage_and_keeps_everything() {
    let bench =
        Bench::new(Settings::default(), |_, _| (Duration::from_millis(1), Err(TransportFailure::BeforeSending("no such host".into()))));
    bench.accept(lanes("single", 0..10));
    let error = bench.delivery.drain(&bench.stop).await.unwrap_err();
    assert_eq!((error.code(), error.is_retryable()), (ErrorCode::Network, true));
    assert_eq!((bench.waiting(), bench.letters().len()), (10, 0));
    let gave_up_after = bench.platform.epoch.elapsed();
    assert!(gave_up_after >= Duration::from_secs(120) && gave_up_after < Duration::from_secs(200), "{gave_up_after:?}");
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_the_service_behind_the_connection_does_not_bury_the_outbox() {
    let bench = Bench::new(Settings::default(), |_, _| status(503));
    bench.accept(lanes("single", 0..500));
    let error = bench.delivery.drain(&bench.stop).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Unavailable);
    assert_eq!((bench.letters().len(), bench.waiting()), (0, 500));
    assert!(bench.platform.seen().len() < 60, "{} requests", bench.platform.seen().len());
}

#[tokio::test(start_paused = true)]
async fn running_delivers_what_comes_when_it_is_woken_and_leaves_when_stopped() {
    let bench = Bench::new(Settings::default(), |_, _| accepted());
    let (delivery, stop) = (bench.delivery.clone(), bench.stop.clone());
    let running = tokio::spawn(async move { delivery.run(&stop).await });
    tokio::time::sleep(SECOND * 3).await;
    let accepted_at = bench.platform.epoch.elapsed();
    bench.accept(lanes("single", 0..1));
    bench.delivery.wake();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(bench.waiting(), 0);
    assert!(times(&bench)[0] - accepted_at < Duration::from_millis(50));
    bench.accept(lanes("single", 1..2));
    tokio::time::sleep(SECOND * 6).await;
    assert_eq!(bench.waiting(), 0, "found without being woken");
    bench.stop.stop();
    running.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_renewed_through_a_long_wait() {
    let settings = Settings { claim: 1, ..Settings::default() };
    let bench = Bench::new(settings, |_, count| if count == 1 { says(429, &[("retry-after", "280")], "") } else { accepted() });
    bench.accept(lanes("single", 0..1));
    let rival = bench.rival();
    let stop = Stop::new();
    let rivalling = async {
        tokio::time::sleep(SECOND).await;
        rival.run(&stop).await
    };
    let stopping = async {
        tokio::time::sleep(SECOND * 400).await;
        stop.stop();
    };
    let (first, second, ()) = tokio::join!(bench.delivery.drain(&bench.stop), rivalling, stopping);
    assert_eq!(first.unwrap().delivered, 1);
    second.unwrap();
    assert_eq!(bench.platform.seen().len(), 2, "the rival never got it");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_neither_parks_nor_doubles_anything() {
    for jump in [chrono::Duration::hours(2), chrono::Duration::hours(-2)] {
        let bench = Bench::new(Settings { max_in_flight: 2, ..Settings::default() }, |_, count| {
            (SECOND, if count % 5 == 0 { status(503).1 } else { accepted().1 })
        });
        bench.accept(lanes("single", 0..20));
        let jumping = async {
            tokio::time::sleep(Duration::from_millis(3_500)).await;
            bench.jump(jump);
        };
        let (drained, ()) = tokio::join!(bench.drain(), jumping);
        assert_eq!((drained.delivered, drained.dead_lettered), (20, 0));
        assert_eq!(bench.platform.seen().len() as u64, 20 + drained.retried, "each was sent once, and again only after a failure");
        assert!(bench.platform.epoch.elapsed() < SECOND * 60);
    }
}

#[tokio::test(start_paused = true)]
async fn a_due_time_written_under_a_clock_that_was_ahead_parks_nothing() {
    let bench = Bench::new(Settings::default(), |_, _| accepted());
    bench.jump(chrono::Duration::hours(9));
    bench.accept(lanes("single", 0..1));
    bench.jump(chrono::Duration::zero());
    assert_eq!(bench.drain().await.delivered, 1);
    assert!(times(&bench)[0] <= Duration::from_secs(360));
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_slept_through_its_lease_sends_nothing_that_another_took_over() {
    let settings = Settings { max_in_flight: 1, ..Settings::default() };
    let bench = Bench::new(settings, |_, _| (SECOND, accepted().1));
    bench.accept(lanes("single", 0..20));
    let rival = bench.rival();
    let rivalling = async {
        tokio::time::sleep(Duration::from_millis(3_500)).await;
        bench.jump(chrono::Duration::hours(2));
        rival.drain(&bench.stop).await.unwrap()
    };
    let (slept, took_over) = tokio::join!(bench.drain(), rivalling);
    assert_eq!((bench.waiting(), slept.left, took_over.left), (0, 0, 0));
    assert!(took_over.delivered >= 16, "{took_over:?}");
    let again: Vec<_> = (0..20).filter(|n| bench.platform.sent(&format!("k{n}")) > 1).collect();
    assert_eq!(again, [3], "only what was under way when it fell asleep");
}

fn job(id: &str) -> (Duration, Answer) {
    says(202, &[], id)
}

/// Requests of the platform by path: when, and which keys.
fn seen_at<'a>(seen: &'a [Seen], path: &str) -> Vec<(u64, Vec<&'a str>)> {
    let of_path = seen.iter().filter(|seen| seen.path == path);
    of_path.map(|seen| (seen.at.as_secs(), seen.keys.iter().map(String::as_str).collect())).collect()
}

fn count(bench: &Bench, wanted: impl Fn(&DeliveryEvent) -> bool) -> usize {
    bench.events().iter().filter(|event| wanted(event)).count()
}

#[tokio::test(start_paused = true)]
async fn a_job_is_asked_for_in_one_request_until_it_tells_a_verdict_for_each() {
    let bench = Bench::new(Settings::default(), |seen, count| match seen.path.as_str() {
        "/import" if count > 1 => accepted(),
        "/import" => job("j1"),
        _ if seen.at < SECOND * 25 => job("j1"),
        _ => rows(&[("k1", "reject"), ("k2", "later"), ("k3", "forgotten")]),
    });
    bench.accept(lanes("import", 0..5));
    let drained = bench.drain().await;
    assert_eq!(drained, Drained { delivered: 3, skipped: 1, dead_lettered: 1, retried: 1, requests: 5, ..Drained::default() });
    let seen = bench.platform.seen();
    let all = vec!["k0", "k1", "k2", "k3", "k4"];
    assert_eq!(seen_at(&seen, "/job/j1"), [(10, all.clone()), (20, all.clone()), (30, all)]);
    assert_eq!(seen_at(&seen, "/import")[1].1, ["k2"], "only what the job put off is sent again");
    assert_eq!(bench.letters()[0].failure.refusal.vendor_code, "BadRow");
    let in_job = count(&bench, |event| matches!(event, DeliveryEvent::InJob { .. }));
    assert_eq!((in_job, count(&bench, |event| matches!(event, DeliveryEvent::JobEnded { .. }))), (5, 5));
}

#[tokio::test(start_paused = true)]
async fn a_job_holds_the_lanes_of_its_operations_and_no_others() {
    let bench = Bench::new(Settings::default(), |seen, _| match seen.path.as_str() {
        "/import" => job("j1"),
        "/job/j1" if seen.at < SECOND * 15 => job("j1"),
        _ => accepted(),
    });
    bench.accept(lanes("import", 0..2).chain([operation("single", "lane0", "after"), operation("single", "free", "free")]));
    assert_eq!(bench.drain().await.delivered, 4);
    let at: HashMap<_, _> = bench.platform.seen().into_iter().map(|seen| (seen.keys[0].clone(), seen.at)).collect();
    assert!(at["free"] < SECOND && at["after"] >= SECOND * 20, "{at:?}");
}

#[tokio::test(start_paused = true)]
async fn whoever_takes_over_asks_for_the_whole_job_and_sends_nothing_again() {
    let settings = Settings { claim: 4, ..Settings::default() };
    let bench = Bench::new(Settings::default(), |seen, _| match seen.path.as_str() {
        "/import" => job("j1"),
        "/job/j1" if seen.at < SECOND * 15 => job("j1/page2"),
        "/job/j1" => accepted(),
        _ if seen.at < SECOND * 35 => job("j1/page2"),
        _ => rows(&[("k7", "reject")]),
    });
    bench.accept(lanes("import", 0..8).chain([operation("single", "lane7", "after")]));
    assert!(tokio::time::timeout(SECOND * 15, bench.delivery.drain(&bench.stop)).await.is_err(), "killed in the middle");
    assert_eq!(bench.store.in_jobs("toy").unwrap(), 8);
    bench.store.release("w/0").unwrap();
    let (store, platform, clock, log) = (bench.store.clone(), bench.platform.clone(), bench.clock.clone(), bench.log.clone());
    let next = Delivery::new("toy", Arc::new(Toy), store, platform, clock, log, settings, "next".into());
    let drained = next.drain(&Stop::new()).await.unwrap();
    assert_eq!((drained.delivered, drained.dead_lettered, drained.in_jobs), (8, 1, 0));
    let seen = bench.platform.seen();
    assert_eq!(seen_at(&seen, "/import").len(), 1);
    let asked: Vec<_> = seen.iter().filter(|seen| seen.path.starts_with("/job")).map(|seen| seen.path.as_str()).collect();
    assert_eq!((asked[0], asked[1]), ("/job/j1", "/job/j1/page2"), "the new name of the job is durable");
    assert!(!asked[1..].contains(&"/job/j1"), "{asked:?}");
    assert!(seen.iter().filter(|seen| seen.path.starts_with("/job")).all(|seen| seen.keys.len() == 8), "{seen:?}");
    assert_eq!(bench.platform.sent("after"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_never_ends_is_sent_again_and_after_six_times_is_a_dead_letter() {
    let bench = Bench::new(
        Settings { retry: RetryPolicy { max_elapsed: SECOND * 3_600, ..RetryPolicy::default() }, ..Settings::default() },
        |_, count| job(&format!("j{count}")),
    );
    bench.accept(lanes("import", 0..2));
    let drained = bench.drain().await;
    assert_eq!((drained.delivered, drained.dead_lettered), (0, 2));
    let seen = bench.platform.seen();
    let sent = seen_at(&seen, "/import");
    assert_eq!(sent.len(), 6);
    assert!(sent.windows(2).all(|pair| (60..=90).contains(&(pair[1].0 - pair[0].0))), "{sent:?}");
    let failure = &bench.letters()[0].failure;
    assert_eq!((failure.refusal.code.0, failure.attempts), (ErrorCode::JobLost, 6));
    assert!(failure.refusal.message.contains("did not end"), "{failure:?}");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_ended_while_nobody_asked_is_not_given_up() {
    let bench = Bench::new(Settings::default(), |seen, _| if seen.path == "/import" { job("j1") } else { accepted() });
    bench.accept(lanes("import", 0..3));
    assert!(tokio::time::timeout(SECOND * 5, bench.delivery.drain(&bench.stop)).await.is_err());
    tokio::time::sleep(SECOND * 86_400).await;
    assert_eq!(bench.drain().await.delivered, 3);
    assert_eq!(seen_at(&bench.platform.seen(), "/import").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_job_the_destination_has_forgotten_is_sent_again() {
    let bench = Bench::new(Settings::default(), |seen, count| match seen.path.as_str() {
        "/import" => job(&format!("j{count}")),
        "/job/j1" => status(404),
        _ => accepted(),
    });
    bench.accept(lanes("import", 0..2));
    let drained = bench.drain().await;
    assert_eq!(drained, Drained { delivered: 2, retried: 2, requests: 4, ..Drained::default() });
    assert!(count(&bench, |event| matches!(event, DeliveryEvent::Retrying { code: ErrorCode::JobLost, attempts: 1, .. })) == 2);
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_not_answered_is_asked_again_and_held_against_nobody() {
    let bench = Bench::new(Settings::default(), |seen, count| match (seen.path.as_str(), count) {
        ("/import", _) => job("j1"),
        (_, 2) => status(503),
        (_, 3) => (SECOND, Err(TransportFailure::Timeout)),
        (_, 4) => says(429, &[("retry-after", "20")], ""),
        (_, 5) => (SECOND, Err(TransportFailure::BeforeSending("connection refused".into()))),
        _ => accepted(),
    });
    bench.accept(lanes("import", 0..2));
    let drained = bench.drain().await;
    assert_eq!(drained, Drained { delivered: 2, requests: 6, ..Drained::default() });
    let asked: Vec<_> = seen_at(&bench.platform.seen(), "/job/j1").iter().map(|(at, _)| *at).collect();
    assert_eq!(asked.len(), 5);
    assert!(asked[3] - asked[2] >= 20 && asked[4] < 60, "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn a_job_nobody_answers_about_counts_as_lost_in_the_end() {
    let bench = Bench::new(Settings::default(), |seen, count| match seen.path.as_str() {
        "/import" if count == 1 => job("j1"),
        // Other requests are answered: it is not the whole destination that is down.
        "/job/j1" => status(500),
        _ => accepted(),
    });
    bench.accept(lanes("import", 0..2));
    let ticking = async {
        for n in 0..100 {
            tokio::time::sleep(SECOND).await;
            bench.accept([operation("single", "tick", &format!("tick{n}"))]);
            bench.delivery.wake();
        }
    };
    let (drained, ()) = tokio::join!(bench.drain(), ticking);
    assert_eq!((drained.dead_lettered, drained.retried), (0, 2));
    assert_eq!(bench.platform.sent("k0"), seen_at(&bench.platform.seen(), "/job/j1").len() + 2);
    assert_eq!(seen_at(&bench.platform.seen(), "/import").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_job_refused_because_of_some_row_goes_on_in_halves() {
    let bench = Bench::new(Settings::default(), |seen, count| match seen.path.as_str() {
        "/import" => job(&format!("j{count}")),
        _ if seen.keys.iter().any(|key| key == "k2") => status(400),
        _ => accepted(),
    });
    bench.accept(lanes("import", 0..4));
    let drained = bench.drain().await;
    assert_eq!((drained.delivered, drained.dead_lettered), (3, 1));
    assert_eq!(bench.letters()[0].operation.idempotency_key.as_str(), "k2");
}

#[tokio::test(start_paused = true)]
async fn questions_keep_the_pace_of_their_own_endpoint() {
    let bench = Bench::new(Settings::default(), |seen, count| if seen.path == "/slow" { job(&format!("j{count}")) } else { accepted() });
    bench.accept(lanes("slow", 0..6));
    assert_eq!(bench.drain().await.delivered, 6);
    let seen = bench.platform.seen();
    let asked: Vec<_> = seen.iter().filter(|seen| seen.path.starts_with("/job")).map(|seen| seen.at.as_secs()).collect();
    assert_eq!(asked, [10, 20, 30]);
    assert!(seen.iter().filter(|seen| seen.path == "/slow").all(|seen| seen.at < SECOND), "sending does not wait for asking");
}

#[tokio::test(start_paused = true)]
async fn a_step_of_a_job_keeps_the_pace_of_the_endpoint_it_uses() {
    let bench = Bench::new(Settings::default(), |seen, count| match seen.path.as_str() {
        "/import" => job(&format!("step{count}")),
        _ => accepted(),
    });
    bench.accept(lanes("import", 0..24).enumerate().map(|(n, operation)| Operation { group: format!("g{n}"), ..operation }));
    assert_eq!(bench.drain().await.delivered, 24);
    let seen = bench.platform.seen();
    let at: Vec<_> = seen.iter().filter(|seen| seen.path.starts_with("/job/step")).map(|seen| seen.at).collect();
    assert_eq!(at.len(), 24);
    assert!(at.windows(2).all(|pair| pair[1] - pair[0] >= Duration::from_millis(85)), "{at:?}");
    assert!(*at.last().unwrap() < SECOND * 20, "{at:?}");
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_job_leaves_its_room_to_others_within_reason() {
    let settings = Settings { claim: 10, ..Settings::default() };
    let bench = Bench::new(settings, |seen, count| match seen.path.as_str() {
        "/slow" => job(&format!("j{count}")),
        _ if seen.at < SECOND * 100 => job(&seen.path[5..]),
        _ => accepted(),
    });
    bench.accept(lanes("slow", 0..200));
    let stop = bench.stop.clone();
    let (delivery, stopping) = (bench.delivery.clone(), async {
        tokio::time::sleep(SECOND * 50).await;
        stop.stop();
    });
    let (drained, ()) = tokio::join!(delivery.drain(&bench.stop), stopping);
    let drained = drained.unwrap();
    assert_eq!((drained.left, drained.stopped), (200, true));
    assert!((80..=90).contains(&drained.in_jobs), "eight times the claim: {}", drained.in_jobs);
}

#[tokio::test(start_paused = true)]
async fn a_key_refused_while_asking_stops_the_destination_and_keeps_the_job() {
    let bench = Bench::new(Settings::default(), |seen, count| match (seen.path.as_str(), count) {
        ("/import", _) => job("j1"),
        (_, 2) => status(401),
        _ => accepted(),
    });
    bench.accept(lanes("import", 0..2));
    assert_eq!(bench.delivery.drain(&bench.stop).await.unwrap_err().code(), ErrorCode::Unauthorized);
    assert_eq!((bench.waiting(), bench.store.in_jobs("toy").unwrap()), (2, 2));
    assert_eq!(bench.drain().await.delivered, 2);
    assert_eq!(seen_at(&bench.platform.seen(), "/import").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_job_where_the_table_knows_of_none_is_a_failure() {
    let bench = Bench::new(Settings::default(), |_, _| job("j1"));
    bench.accept(lanes("single", 0..1));
    assert_eq!(bench.drain().await.dead_lettered, 1);
    assert_eq!(bench.letters()[0].failure.refusal.code.0, ErrorCode::Internal);
}

#[tokio::test(start_paused = true)]
async fn endpoints_of_one_budget_together_keep_its_rate() {
    let bench = Bench::new(Settings::default(), |_, _| accepted());
    bench.accept(lanes("shared1", 0..20).chain(lanes("shared2", 20..40)));
    assert_eq!(bench.drain().await.delivered, 40);
    let last = *times(&bench).last().unwrap();
    assert!(last >= Duration::from_millis(3_800) && last < Duration::from_millis(4_100), "{last:?}");
}

/// A memory store whose disk is full for settlements.
struct Full(MemoryStore);

macro_rules! pass_on {
    ($(fn $name:ident(&self $(, $argument:ident: $kind:ty)*) -> $result:ty;)+) => {
        $(fn $name(&self $(, $argument: $kind)*) -> $result { self.0.$name($($argument),*) })+
    };
}

impl StateStore for Full {
    fn settle(&self, _: &str, _: &[crate::state::Settlement], _: Instant) -> Result<()> {
        Err(Error::new(ErrorCode::StateCorrupt, "the disk is full"))
    }
    pass_on! {
        fn known(&self, destination: &str, subjects: &[crate::state::Subject<'_>]) -> Result<Vec<crate::state::Known>>;
        fn orders(&self, destination: &str, orders: &[&str]) -> Result<Vec<Option<String>>>;
        fn consents(&self, people: &[&str]) -> Result<Vec<Vec<crate::state::ConsentRow>>>;
        fn consent_history(&self, person: &str) -> Result<Vec<crate::state::ConsentRow>>;
        fn emails(&self, people: &[&str]) -> Result<Vec<Option<crate::state::KnownEmail>>>;
        fn erased(&self, people: &[&str]) -> Result<Vec<bool>>;
        fn accept_all(&self, acceptances: &[Acceptance], now: Instant) -> Result<Vec<crate::state::Accepted>>;
        fn claim(&self, destination: &str, claim: &crate::state::Claim<'_>) -> Result<Vec<crate::state::Waiting>>;
        fn release(&self, owner: &str) -> Result<()>;
        fn waiting(&self, destination: &str) -> Result<u64>;
        fn in_jobs(&self, destination: &str) -> Result<u64>;
        fn dead_letters(&self, filter: &LetterFilter) -> Result<Vec<DeadLetter>>;
        fn replay(&self, letters: &[(u64, Option<Operation>)], run: Option<&str>, now: Instant) -> Result<u64>;
        fn discard(&self, letters: &[u64]) -> Result<u64>;
        fn cursor(&self, stream: &str) -> Result<Option<String>>;
        fn set_cursor(&self, stream: &str, cursor: &str, now: Instant) -> Result<()>;
        fn note_fetches(&self, scope: &str, fetches: &[crate::state::NewFetch], now: Instant) -> Result<()>;
        fn fetches(&self, scope: &str, limit: u32) -> Result<Vec<crate::state::PendingFetch>>;
        fn settle_fetches(&self, settlements: &[crate::state::FetchSettlement]) -> Result<()>;
        fn unread(&self, scope: &str, limit: u32) -> Result<(u64, Vec<crate::state::UnreadFetch>)>;
        fn reread(&self, scope: &str, now: Instant) -> Result<u64>;
        fn heard(&self, scope: &str, deliveries: &[&str]) -> Result<Vec<bool>>;
        fn note_heard(&self, scope: &str, deliveries: &[&str], now: Instant) -> Result<()>;
        fn put_run(&self, run: &crate::state::RunRow) -> Result<()>;
        fn runs(&self, limit: u32) -> Result<Vec<crate::state::RunRow>>;
        fn purge(&self, before: Instant) -> Result<u64>;
    }
}

#[tokio::test(start_paused = true)]
async fn when_verdicts_cannot_be_committed_delivery_stops_and_tells_of_none() {
    let bench = Bench::new(Settings::default(), |_, _| accepted());
    let store = Arc::new(Full(MemoryStore::new()));
    let operations = (0..50).map(|n| NewOperation {
        operation: operation("single", "one", &format!("k{n}")),
        fingerprints: BTreeMap::new(),
        record: b"{}".to_vec(),
        run: None,
        position: 0,
        people: vec![],
    });
    let acceptance = Acceptance { destination: "toy".into(), operations: operations.collect(), ..Acceptance::default() };
    store.accept(&acceptance, bench.clock.now()).unwrap();
    let (platform, clock, log) = (bench.platform.clone(), bench.clock.clone(), bench.log.clone());
    let delivery = Delivery::new("toy", Arc::new(Toy), store.clone(), platform, clock, log, Settings::default(), "w".into());
    assert_eq!(delivery.drain(&Stop::new()).await.unwrap_err().code(), ErrorCode::StateCorrupt);
    assert_eq!((bench.platform.seen().len(), store.waiting("toy").unwrap()), (1, 50));
    assert_eq!(bench.events(), [DeliveryEvent::Stopped { code: ErrorCode::StateCorrupt }]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_fails_lanes_keep_their_order_and_nothing_is_lost_or_delivered_twice(
        plan in proptest::collection::vec((0_usize..4, 0_usize..3), 1..60),
        faults in proptest::collection::vec(0_u8..12, 40),
        seed in any::<u64>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let taken: Arc<Mutex<Vec<String>>> = Arc::default();
            let platform_took = taken.clone();
            let bench = Bench::new(Settings { claim: 16, max_in_flight: 4, ..Settings::default() }, move |seen, count| {
                let took = |keys: &[String]| platform_took.lock().unwrap().extend(keys.iter().cloned());
                let delay = Duration::from_millis(1 + (count as u64 * 7) % 40);
                let (_, answer) = match faults.get(count).copied().unwrap_or(11) {
                    0 => status(500),
                    1 => status(429),
                    2 => says(429, &[("retry-after", "3")], ""),
                    3 => (delay, Err(TransportFailure::BeforeSending("refused".into()))),
                    4 => (delay, Err(TransportFailure::Timeout)),
                    5 => status(400),
                    6 => {
                        took(&seen.keys[1..]);
                        rows(&[(&seen.keys[0], "later")])
                    }
                    7 => {
                        took(&seen.keys[1..]);
                        rows(&[(&seen.keys[0], "reject")])
                    }
                    _ => {
                        took(&seen.keys);
                        accepted()
                    }
                };
                (delay, answer)
            });
            *lock(&bench.delivery.inner.random) = fastrand::Rng::with_seed(seed);
            let endpoints = ["single", "bulk", "paced"];
            let count = plan.len() as u64;
            bench.accept(plan.iter().enumerate().map(|(n, (lane, endpoint))| {
                operation(endpoints[*endpoint], &format!("lane{lane}"), &format!("{lane}-{n:03}"))
            }));
            let mut drained = bench.delivery.drain(&bench.stop).await;
            for _ in 0..3 {
                if drained.is_err() {
                    drained = bench.delivery.drain(&bench.stop).await;
                }
            }
            prop_assert!(drained.is_ok());
            let taken = taken.lock().unwrap().clone();
            let letters = bench.letters();
            prop_assert_eq!(taken.len() as u64 + letters.len() as u64, count);
            prop_assert_eq!(taken.iter().collect::<HashSet<_>>().len(), taken.len());
            for lane in 0..4 {
                let of_lane: Vec<_> = taken.iter().filter(|key| key.starts_with(&format!("{lane}-"))).collect();
                prop_assert!(of_lane.is_sorted(), "lane {} went {:?}", lane, of_lane);
            }
            let seen = bench.platform.seen();
            prop_assert!(seen.iter().all(|seen| seen.path != "/bulk" || (seen.bytes <= 600 && seen.keys.len() <= 8)));
            Ok(())
        })?;
    }

    #[test]
    fn killed_at_any_moment_nothing_is_lost_and_only_what_was_under_way_is_sent_again(
        kills in proptest::collection::vec(0_u64..400, 1..6),
        endpoints in proptest::collection::vec(0_usize..3, 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let bench = Bench::new(Settings { max_in_flight: 3, ..Settings::default() }, |_, count| {
                (Duration::from_millis(10 + (count as u64 * 13) % 50), accepted().1)
            });
            let names = ["single", "bulk", "paced"];
            let count = endpoints.len();
            bench.accept(endpoints.iter().enumerate().map(|(n, endpoint)| operation(names[*endpoint], &format!("lane{}", n % 5), &format!("{}-{n:03}", n % 5))));
            for kill in &kills {
                let killed = tokio::time::timeout(Duration::from_millis(*kill), bench.delivery.drain(&bench.stop)).await;
                if killed.is_ok() {
                    break;
                }
                tokio::time::sleep(SECOND * 61).await;
            }
            prop_assert_eq!(bench.drain().await.left, 0);
            let seen = bench.platform.seen();
            let mut sendings: HashMap<&str, usize> = HashMap::new();
            seen.iter().flat_map(|seen| &seen.keys).for_each(|key| *sendings.entry(key).or_default() += 1);
            prop_assert_eq!(sendings.len(), count);
            let again: usize = sendings.values().map(|times| times - 1).sum();
            prop_assert!(again <= kills.len() * 3 * 8, "at most what three requests held, per kill");
            for lane in 0..5 {
                let first_sendings: Vec<_> = seen.iter().flat_map(|seen| &seen.keys).filter(|key| key.starts_with(&format!("{lane}-"))).fold(Vec::new(), |mut all: Vec<&String>, key| {
                    if !all.contains(&key) { all.push(key); }
                    all
                });
                prop_assert!(first_sendings.is_sorted());
            }
            Ok(())
        })?;
    }
}

#[test]
fn settings_that_make_no_sense_are_refused_by_name_and_the_defaults_agree() {
    assert_eq!(DeliveryConfig::default().settings().unwrap(), Settings::default());
    let refused = |json: &str| serde_json::from_str::<DeliveryConfig>(json).unwrap().settings().unwrap_err().message().to_owned();
    assert_eq!(refused(r#"{"max_in_flight":0}"#), "`max_in_flight` must be at least 1");
    assert_eq!(refused(r#"{"lease_s":1}"#), "`lease_s` must be at least 10");
    assert_eq!(refused(r#"{"retry":{"max_attempts":101}}"#), "`max_attempts` must be from 1 to 100");
    assert!(serde_json::from_str::<DeliveryConfig>(r#"{"timeout":3}"#).is_err());
}

#[test]
fn an_answer_that_is_cut_off_is_no_answer() {
    let is_whole = |kind: &str, body: &str| {
        let headers = vec![("content-type".to_owned(), kind.to_owned())];
        super::attempt::whole(Reply { status: 200, headers, body: body.into() }).is_ok()
    };
    assert!(is_whole("application/json; charset=utf-8", r#"{"a":1}"#));
    assert!(!is_whole("application/json", r#"{"a":"#));
    assert!(!is_whole("application/json", ""));
    assert!(is_whole("text/plain", r#"{"a":"#));
    for lines in ["application/x-json-stream", "Application/x-ndjson"] {
        assert!(is_whole(lines, ""));
        assert!(is_whole(lines, "{\"a\":1}\n{\"b\":2}\n\n"));
        assert!(is_whole(lines, "{\"a\":1}\nnot JSON\n{\"b\":2}"), "a bad line in between is not cut off");
        assert!(!is_whole(lines, "{\"a\":1}\n{\"b\":"));
    }
}
