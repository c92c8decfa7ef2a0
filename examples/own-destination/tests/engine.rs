//! The noticeboard in an engine: alone, beside a built-in destination, and through a crash in the middle of a job.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use cartwire::delivery::{BoxFuture, HttpOptions, HttpTransport, Transport, TransportFailure};
use cartwire::destinations::{Destination, Reply, Request};
use cartwire::facade::Engine;
use cartwire::facade::options::parse;
use cartwire_sandbox::Sandbox;
use own_destination::Noticeboard;
use serde_json::{Value, json};

const BOARD: &str = "https://noticeboard.example";

/// The vendor, in memory. Other addresses are reached over HTTP.
struct Board {
    http: HttpTransport,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    notes: BTreeMap<String, Value>,
    members: Vec<String>,
    imports: HashMap<String, Vec<String>>,
    /// Whether imports come to an end.
    ends: bool,
    asked: u32,
}

impl Board {
    fn new(ends: bool) -> Arc<Board> {
        let http = HttpTransport::new(&HttpOptions::default()).unwrap();
        Arc::new(Board { http, state: Mutex::new(State { ends, ..State::default() }) })
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Imports and members.
    fn counts(&self) -> (usize, usize) {
        let state = self.state();
        (state.imports.len(), state.members.len())
    }

    fn answer(&self, request: &Request) -> (u16, Value) {
        let mut state = self.state();
        let body: Value = request.body.as_deref().map_or(Value::Null, |body| serde_json::from_slice(body).unwrap());
        assert!(request.secret_headers.iter().any(|(name, token)| *name == "x-token" && token.expose() == "pin"));
        match request.path.split('/').collect::<Vec<_>>().as_slice() {
            ["", "ping"] => (200, json!({})),
            ["", "notes", id] => {
                state.notes.insert((*id).to_owned(), body);
                (200, json!({}))
            }
            ["", "imports"] => {
                let id = format!("i{}", state.imports.len() + 1);
                let rows = body.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
                state.imports.insert(id.clone(), rows);
                (202, json!({"id": id, "finished": false}))
            }
            ["", "imports", id] => {
                state.asked += 1;
                let Some(rows) = state.imports.get(*id).cloned() else { return (404, Value::Null) };
                if !state.ends {
                    return (200, json!({"id": id, "finished": false}));
                }
                // The last member of every import is one too many.
                let (last, taken) = rows.split_last().unwrap();
                state.members.extend(taken.iter().cloned());
                (200, json!({"id": id, "finished": true, "refused": {last: "BoardFull"}}))
            }
            other => panic!("the board has no {other:?}"),
        }
    }
}

impl Transport for Board {
    fn send<'a>(&'a self, base_url: &'a str, request: &'a Request) -> BoxFuture<'a, Result<Reply, TransportFailure>> {
        if base_url != BOARD {
            return self.http.send(base_url, request);
        }
        let (status, body) = self.answer(request);
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Box::pin(async move { Ok(Reply { status, headers, body: body.to_string().into_bytes() }) })
    }
}

async fn open(board: &Arc<Board>, options: Value) -> Engine {
    let options = parse(options.to_string().as_bytes()).unwrap();
    let others: Vec<(String, Arc<dyn Destination>)> = vec![("noticeboard".to_owned(), Arc::new(Noticeboard::new(BOARD, "pin")))];
    Engine::assemble(options, others, board.clone()).await.unwrap()
}

fn options(state: &str) -> Value {
    json!({"source": {"type": "commercetools", "project": "demo"}, "state": state})
}

fn shop(resource: &str, count: u64) -> Bytes {
    cartwire_sandbox::sample(json!({"resource": resource, "count": count, "customers": 10}).to_string().as_bytes()).unwrap().into()
}

async fn deliver(engine: &Engine, resource: &str, count: u64) -> Value {
    let call = json!({"resource": resource, "format": "ndjson"}).to_string();
    serde_json::from_slice(&engine.deliver(call.into(), shop(resource, count)).await.unwrap()).unwrap()
}

fn read(answer: Vec<u8>) -> Value {
    serde_json::from_slice(&answer).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_from_outside_has_batches_jobs_letters_and_a_check() {
    let board = Board::new(true);
    let engine = open(&board, options("memory:")).await;
    assert_eq!(read(engine.check().await.unwrap())["ok"], true);
    let people = deliver(&engine, "customer", 10).await;
    assert_eq!((&people["counts"]["delivered"], &people["counts"]["dead_lettered"]), (&json!(9), &json!(1)), "{people:#}");
    assert_eq!(board.counts(), (1, 9), "one job for all");
    assert_eq!(read(engine.dead_letters(Bytes::new()).await.unwrap())[0]["vendor_code"], "BoardFull");
    for expected in [5, 0] {
        let orders = deliver(&engine, "order", 5).await;
        assert_eq!(orders["counts"]["delivered"], expected, "{orders:#}");
    }
    assert_eq!(board.state().notes.len(), 5);
    let skipped = deliver(&engine, "product", 2).await;
    assert_eq!(skipped["skipped_by_reason"]["not_supported"], 2, "{skipped:#}");
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stands_beside_a_built_in_destination() {
    let sandbox = Sandbox::start(br#"{"iterable": {"api_key": "sandbox-key", "project_type": "hybrid", "rate_limits": false}}"#).unwrap();
    let board = Board::new(true);
    let mut options = options("memory:");
    options["destination"] =
        json!({"type": "iterable", "api_key": "sandbox-key", "project_type": "hybrid", "base_url": sandbox.url("iterable").unwrap()});
    let engine = open(&board, options).await;
    let report = deliver(&engine, "order", 6).await;
    assert_eq!(report["destination"], "iterable, noticeboard");
    for name in ["iterable", "noticeboard"] {
        assert_eq!(report["destinations"][name]["counts"]["delivered"], 6, "{report:#}");
    }
    assert_eq!(board.state().notes.len(), 6);
    engine.close().await.unwrap();
}

/// What a killed process leaves behind: the files as they are while it still runs.
fn copy(from: &Path, to: &Path) {
    for file in ["state.db", "state.db-wal"] {
        std::fs::copy(from.join(file), to.join(file)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_in_the_middle_of_a_job_leaves_it_to_the_next_which_asks_and_does_not_send() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let state = |folder: &Path| format!("sqlite:{}", folder.join("state.db").display());
    let board = Board::new(false);
    let engine = open(&board, options(&state(first.path()))).await;
    let call = json!({"resource": "customer", "format": "ndjson"}).to_string();
    engine.accept(call.into(), shop("customer", 10)).await.unwrap();
    let flushed = read(engine.flush(br#"{"timeout_s": 2.5}"#.as_slice().into()).await.unwrap());
    assert_eq!((&flushed["waiting"], &flushed["in_jobs"]), (&json!(10), &json!(10)), "{flushed:#}");
    copy(first.path(), second.path());
    engine.close().await.unwrap();

    board.state().ends = true;
    let asked = board.state().asked;
    let next = open(&board, options(&state(second.path()))).await;
    let flushed = read(next.flush(br#"{"timeout_s": 20}"#.as_slice().into()).await.unwrap());
    assert_eq!(flushed["waiting"], 0, "{flushed:#}");
    assert_eq!(board.counts(), (1, 9), "asked, not sent again");
    assert_eq!(board.state().asked, asked + 1);
    assert_eq!(read(next.dead_letters(Bytes::new()).await.unwrap()).as_array().unwrap().len(), 1);
    next.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_does_not_end_is_told_in_the_report_and_followed_on() {
    let board = Board::new(false);
    let mut options = options("memory:");
    options["job_wait_s"] = json!(1.5);
    options["timeout_s"] = json!(1);
    options["retry"] = json!({"max_elapsed_s": 0, "max_retry_after_s": 0});
    let engine = open(&board, options).await;
    let report = deliver(&engine, "customer", 10).await;
    assert_eq!((&report["in_jobs"], &report["counts"]["pending"]), (&json!(10), &json!(10)), "{report:#}");
    assert!(report["stopped"].as_str().unwrap().contains("jobs"), "{report:#}");
    board.state().ends = true;
    assert_eq!(read(engine.flush(Bytes::new()).await.unwrap())["waiting"], 0);
    assert_eq!(board.counts(), (1, 9));
    engine.close().await.unwrap();
}
