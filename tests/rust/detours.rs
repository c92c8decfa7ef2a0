//! Calls that a destination asks for before an operation can be tried again, shown with a toy.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use cartwire::Error;
use cartwire::delivery::{BoxFuture, Transport, TransportFailure};
use cartwire::destinations::{
    Built, Capabilities, Completed, Destination, Detour, Endpoint, Operation, Reading, Refusal, Reply, Request, Verdict,
};
use cartwire::error::ErrorCode;
use cartwire::facade::Engine;
use cartwire::model::{Record, SkipReason};
use serde_json::{Value, json};

static TABLE: Capabilities = Capabilities {
    destination: "toy",
    endpoints: &[
        Endpoint { id: "write", path: "/write", max_records: 10, ..Endpoint::SINGLE },
        Endpoint { id: "guarded", path: "/guarded", ..Endpoint::SINGLE },
        Endpoint { id: "step", path: "/step", ..Endpoint::SINGLE },
    ],
};

/// Its rows are their own keys; a vendor's answer is one word, and `first:a,b` asks for the steps `a` and `b`.
struct Toy;

fn step(like: &Operation, name: &str) -> Operation {
    Operation { endpoint: "step".into(), body: json!(name).to_string().into_bytes(), ..like.clone() }
}

fn detour(like: &Operation, steps: &str) -> Detour {
    let operations = steps.split(',').map(|name| step(like, name)).collect();
    Detour { operations, why: Refusal::new(ErrorCode::Conflict, "steps", "steps are missing"), after: None }
}

impl Destination for Toy {
    fn name(&self) -> &'static str {
        "toy"
    }
    fn capabilities(&self) -> &'static Capabilities {
        &TABLE
    }
    fn build(&self, record: &Record) -> Built {
        let endpoint = if record.envelope.resource.kind == "guarded" { "guarded" } else { "write" };
        let id = &record.envelope.resource.id;
        let operation = Operation {
            endpoint: endpoint.into(),
            entity: id.clone(),
            lane: id.clone(),
            idempotency_key: record.envelope.idempotency_key.clone(),
            once: false,
            version: None,
            occurred_at: record.envelope.occurred_at,
            group: String::new(),
            params: std::collections::BTreeMap::new(),
            delta: None,
            supersedes: Vec::new(),
            correlation_id: record.envelope.correlation_id.clone(),
            body: json!(id).to_string().into_bytes(),
        };
        Built { operations: vec![operation], ..Built::default() }
    }
    fn request(&self, operations: &[&Operation]) -> Result<Request, Error> {
        let rows: Vec<Value> = operations.iter().map(|operation| serde_json::from_slice(&operation.body).unwrap()).collect();
        let endpoint = operations[0].endpoint.clone();
        let path = format!("/{endpoint}");
        let body = Some(Value::from(rows).to_string().into_bytes());
        Ok(Request { endpoint, method: cartwire::destinations::Method::Post, path, headers: vec![], secret_headers: vec![], body })
    }
    fn prefetch(&self, operation: &Operation) -> Option<Request> {
        let request = self.request(&[operation]).ok()?;
        (operation.endpoint == "guarded").then_some(Request { path: "/look".into(), ..request })
    }
    fn complete(&self, operation: &Operation, reply: &Reply) -> Result<Completed, Error> {
        Ok(match std::str::from_utf8(&reply.body).unwrap().split_once(':') {
            Some(("first", steps)) => Completed::First(detour(operation, steps)),
            _ => Completed::Send(self.request(&[operation])?),
        })
    }
    fn read(&self, operations: &[&Operation], reply: &Reply) -> Reading {
        let word = std::str::from_utf8(&reply.body).unwrap();
        if let Some(steps) = word.strip_prefix("all first:") {
            return Reading::First(detour(operations[0], steps));
        }
        let refusal = |code| Refusal::new(code, "", word);
        let verdict = |operation: &&Operation| match word.split_once(':') {
            // In a batch only the row called `b` is in the way.
            Some(("first", steps)) if operations.len() == 1 || operation.body == b"\"b\"" => Verdict::First(detour(operation, steps)),
            Some(("first", _)) => Verdict::Accepted,
            _ => match word {
                "refused" => Verdict::Rejected(refusal(ErrorCode::Conflict)),
                "later" => Verdict::Retry(refusal(ErrorCode::Unavailable), None),
                "forgotten" => Verdict::Discarded(SkipReason::Erased, "forgotten there".into()),
                _ => Verdict::Accepted,
            },
        };
        Reading::Each(operations.iter().map(verdict).collect(), Vec::new())
    }
    fn check(&self) -> Request {
        unreachable!("nothing is checked")
    }
    fn base_url(&self) -> &'static str {
        "http://toy"
    }
    fn backfill_notice(&self) -> &'static str {
        "it is quiet"
    }
}

/// Answers with the words it was given, in order, then with `ok`; remembers what it was asked.
#[derive(Default)]
struct Vendor {
    words: Mutex<VecDeque<&'static str>>,
    asked: Mutex<Vec<String>>,
}

impl Transport for Vendor {
    fn send<'a>(&'a self, _: &'a str, request: &'a Request) -> BoxFuture<'a, Result<Reply, TransportFailure>> {
        let rows = String::from_utf8(request.body.clone().unwrap()).unwrap().replace(['"', '[', ']'], "");
        self.asked.lock().unwrap().push(format!("{} {rows}", request.path));
        let word = self.words.lock().unwrap().pop_front().unwrap_or("ok");
        Box::pin(async move { Ok(Reply { status: 200, headers: Vec::new(), body: word.as_bytes().to_vec() }) })
    }
}

/// Delivers things of these ids; the report, and what the vendor was asked.
async fn deliver(kind: &str, ids: &[&str], words: &[&'static str]) -> (Value, Vec<String>) {
    let vendor = Arc::new(Vendor { words: Mutex::new(words.iter().copied().collect()), ..Vendor::default() });
    let options = json!({"state": "memory:", "rate_limits": false,
        "max_in_flight": 1, "retry": {"base_delay_ms": 1, "max_delay_ms": 2, "throttle_floor_ms": 1}});
    let engine = Engine::assemble(
        serde_json::from_value(options).unwrap(),
        vec![("toy".to_owned(), Arc::new(Toy) as Arc<dyn Destination>)],
        vendor.clone(),
    )
    .await
    .unwrap();
    let rows: String = ids
        .iter()
        .map(|id| {
            let envelope = json!({"source": "commercetools", "tenant": "demo", "resource": {"type": kind, "id": id}, "version": 1,
                "occurred_at": "2026-01-01T10:00:00Z", "observed_at": "2026-01-01T10:00:05Z", "correlation_id": "c",
                "idempotency_key": format!("key-{id}")});
            format!("{}\n", json!({"envelope": envelope, "body": {"type": "category", "id": id}}))
        })
        .collect();
    let report = engine.deliver(Bytes::from_static(br#"{"format": "ndjson"}"#), Bytes::from(rows)).await.unwrap();
    engine.close().await.unwrap();
    let asked = vendor.asked.lock().unwrap().clone();
    (serde_json::from_slice(&report).unwrap(), asked)
}

fn count(report: &Value, what: &str) -> u64 {
    report["counts"][what].as_u64().unwrap()
}

#[tokio::test]
async fn the_steps_go_in_order_and_then_the_operation_again() {
    let (report, asked) = deliver("plain", &["a"], &["first:one,two"]).await;
    assert_eq!(asked, ["/write a", "/step one", "/step two", "/write a"]);
    assert_eq!(count(&report, "delivered"), 1, "{report:#}");
}

#[tokio::test]
async fn a_step_that_leads_to_further_steps_waits_for_them() {
    let (report, asked) = deliver("plain", &["a"], &["first:one,two", "first:one and a half"]).await;
    assert_eq!(asked, ["/write a", "/step one", "/step one and a half", "/step two", "/write a"]);
    assert_eq!(count(&report, "delivered"), 1, "{report:#}");
}

#[tokio::test]
async fn in_a_batch_only_who_is_in_the_way_takes_the_detour() {
    let (report, asked) = deliver("plain", &["a", "b", "c"], &["first:one"]).await;
    assert_eq!(asked, ["/write a,b,c", "/step one", "/write b"]);
    assert_eq!(count(&report, "delivered"), 3, "{report:#}");
}

#[tokio::test]
async fn a_whole_batch_can_wait_for_one_step() {
    let (report, asked) = deliver("plain", &["a", "b"], &["all first:one"]).await;
    assert_eq!(asked, ["/write a,b", "/step one", "/write a,b"]);
    assert_eq!(count(&report, "delivered"), 2, "{report:#}");
}

#[tokio::test]
async fn what_was_read_beforehand_can_ask_for_steps_too() {
    let (report, asked) = deliver("guarded", &["a"], &["first:one"]).await;
    assert_eq!(asked, ["/look a", "/step one", "/look a", "/guarded a"]);
    assert_eq!(count(&report, "delivered"), 1, "{report:#}");
}

#[tokio::test]
async fn a_step_that_fails_takes_what_waits_for_it_along() {
    let (report, asked) = deliver("plain", &["a"], &["first:one,two", "refused"]).await;
    assert_eq!(asked, ["/write a", "/step one"]);
    assert_eq!(count(&report, "dead_lettered"), 1, "{report:#}");
    let (report, _) = deliver("plain", &["a"], &["first:one,two", "forgotten"]).await;
    assert_eq!(report["skipped_by_reason"]["erased"], 1, "{report:#}");
    let (report, asked) = deliver("plain", &["a"], &["first:one,two", "later"]).await;
    assert_eq!(asked, ["/write a", "/step one", "/write a"], "the operation is tried again, and asks again if it must");
    assert_eq!(count(&report, "delivered"), 1, "{report:#}");
}

#[tokio::test]
async fn a_detour_that_leads_nowhere_ends() {
    let (report, asked) = deliver(
        "plain",
        &["a"],
        &["first:one", "ok", "first:one", "ok", "first:one", "ok", "first:one", "ok", "first:one", "ok", "first:one", "ok", "first:one"],
    )
    .await;
    assert_eq!(count(&report, "dead_lettered"), 1, "{report:#}");
    assert_eq!(asked.iter().filter(|asked| *asked == "/write a").count(), 6, "as many attempts as any other failure has");
    let (report, asked) = deliver("plain", &["a"], &["first:again"; 100]).await;
    assert_eq!(count(&report, "dead_lettered"), 1, "{report:#}");
    assert!(asked.len() < 20, "{}", asked.len());
}
