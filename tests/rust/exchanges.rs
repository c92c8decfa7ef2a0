//! Everything a destination can be made to say goes over the wire to its sandbox, and what was said and answered is written
//! for the contract check (`tests/contracts`), with the capability tables it must cover: no endpoint may be without an
//! exchange. `CARTWIRE_EXCHANGES_DIR` names the folder.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod vendors;

#[allow(dead_code)]
#[path = "compliance/corpus.rs"]
mod corpus;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use cartwire::Error;
use cartwire::delivery::{BoxFuture, HttpOptions, HttpTransport, Transport, TransportFailure};
use cartwire::destinations::{Completed, Destination, Operation, Reading, Reply, Request, Verdict};
use cartwire::facade::Engine;
use cartwire::model::{Body, Mode, Record};
use cartwire_sandbox::Sandbox;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use corpus::{Setup, built, corpus, plan, setups};
use vendors::Person;

/// What was said and answered, as the contract check wants it. Numbers keep their digits.
#[derive(Serialize)]
struct Line {
    vendor: &'static str,
    endpoint: String,
    method: &'static str,
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Box<RawValue>>,
    body_is_rows: bool,
    status: u16,
    response: Box<RawValue>,
    r#ref: String,
}

/// JSON as it was sent, on one line: line ends can't stand inside a JSON text.
fn document(body: &[u8]) -> Option<Box<RawValue>> {
    let text = std::str::from_utf8(body).ok()?.trim().replace(['\n', '\r'], " ");
    RawValue::from_string(text).ok()
}

/// Sends, and keeps what was said and answered.
struct Witness {
    vendor: &'static str,
    label: String,
    inner: HttpTransport,
    lines: Mutex<Vec<Line>>,
}

impl Transport for Witness {
    fn send<'a>(&'a self, base_url: &'a str, request: &'a Request) -> BoxFuture<'a, Result<Reply, TransportFailure>> {
        Box::pin(async move {
            let reply = self.inner.send(base_url, request).await?;
            let body = request.body.as_deref();
            let line = Line {
                vendor: self.vendor,
                endpoint: request.endpoint.to_string(),
                method: request.method.as_str(),
                url: format!("{base_url}{}", request.path),
                body: body.and_then(document),
                // A file that is laid somewhere holds rows and is no document.
                body_is_rows: body.is_some_and(|body| document(body).is_none()),
                status: reply.status,
                response: document(&reply.body).unwrap_or_else(|| to_raw_value(&String::from_utf8_lossy(&reply.body)).unwrap()),
                r#ref: self.label.clone(),
            };
            self.lines.lock().unwrap().push(line);
            Ok(reply)
        })
    }
}

/// Shares one [`Witness`] with the engine.
struct Shared(Arc<Witness>);

impl Transport for Shared {
    fn send<'a>(&'a self, base_url: &'a str, request: &'a Request) -> BoxFuture<'a, Result<Reply, TransportFailure>> {
        self.0.send(base_url, request)
    }
}

/// How often something is tried again, and a job asked for.
const TRIES: usize = 8;

impl Witness {
    async fn ask(&self, destination: &dyn Destination, request: &Request) -> Reply {
        self.send(destination.base_url_of(request), request).await.unwrap()
    }

    /// Makes the reads that an operation needs.
    async fn completed(&self, destination: &dyn Destination, operation: &Operation, read: Request) -> Result<Completed, Error> {
        let reply = self.ask(destination, &read).await;
        match destination.complete(operation, &reply)? {
            Completed::Look(further) => {
                let read = destination.prefetch(&further).unwrap();
                let reply = self.ask(destination, &read).await;
                destination.complete(&further, &reply)
            }
            done => Ok(done),
        }
    }

    /// Carries operations of one request through, as delivery does but without its waiting: jobs that are asked for every few
    /// seconds would take minutes.
    fn carry<'a>(&'a self, destination: &'a dyn Destination, operations: Vec<Operation>) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let mut operations = operations;
            for _ in 0..TRIES {
                let all: Vec<&Operation> = operations.iter().collect();
                let request = match destination.prefetch(&operations[0]) {
                    None => match destination.request(&all) {
                        Ok(request) => request,
                        // Some of them must go alone by now.
                        Err(_) if operations.len() > 1 => return self.carry_each(destination, operations).await,
                        Err(error) => panic!("{} {}: {error}", self.label, operations[0].endpoint),
                    },
                    Some(read) => match self.completed(destination, &operations[0], read).await {
                        Ok(Completed::Send(request)) => request,
                        Ok(Completed::First(detour)) => {
                            self.carry_each(destination, detour.operations).await;
                            continue;
                        }
                        Ok(Completed::Retry(..) | Completed::Look(_)) => continue,
                        Ok(Completed::Skip(_)) | Err(_) => return,
                    },
                };
                let reply = self.ask(destination, &request).await;
                let mut reading = destination.read(&all, &reply);
                for _ in 0..TRIES {
                    let Reading::Job(job) = &reading else { break };
                    let question = destination.poll(&all, &job.id).unwrap();
                    let reply = self.ask(destination, &question).await;
                    reading = destination.read_poll(&all, &job.id, &reply);
                }
                match reading {
                    Reading::First(detour) => self.carry_each(destination, detour.operations).await,
                    Reading::Retry(..) => {}
                    Reading::Split(_) if operations.len() > 1 => return self.carry_each(destination, operations).await,
                    Reading::Each(verdicts, _) => {
                        let mut left = Vec::new();
                        for (mut operation, verdict) in operations.into_iter().zip(verdicts) {
                            match verdict {
                                Verdict::First(detour) => self.carry_each(destination, detour.operations).await,
                                Verdict::Amended(body, _) => operation.body = body,
                                Verdict::Retry(..) => {}
                                Verdict::Accepted | Verdict::Rejected(_) | Verdict::Discarded(..) => continue,
                            }
                            left.push(operation);
                        }
                        if left.is_empty() {
                            return;
                        }
                        operations = left;
                    }
                    Reading::Split(_) | Reading::Job(_) => return,
                    Reading::Stop(error) => panic!("{} {}: {error}", self.label, operations[0].endpoint),
                }
            }
        })
    }

    async fn carry_each(&self, destination: &dyn Destination, operations: Vec<Operation>) {
        for operation in operations {
            self.carry(destination, vec![operation]).await;
        }
    }
}

/// So many records are enough for an endpoint.
const ENOUGH: usize = 3;

/// Records that lead to every endpoint a set-up can reach, and not many more.
fn chosen(destination: &dyn Destination) -> Vec<Record> {
    let mut reached: BTreeMap<(String, &'static str), usize> = BTreeMap::new();
    let mut chosen = corpus();
    chosen.retain(|record| {
        let mode = if record.envelope.mode == Mode::Backfill { "backfill" } else { "live" };
        let mut wanted = false;
        for operation in destination.build(record).operations {
            let times = reached.entry((operation.endpoint.into_owned(), mode)).or_default();
            wanted |= *times < ENOUGH;
            *times += 1;
        }
        wanted
    });
    chosen
}

/// What one step of a life leads to only because of the steps before: groups that are left, a no and a newer yes, and a guest
/// who turns out to be a customer.
fn story() -> Vec<Record> {
    let (person, guest) = (Person::numbered(8), Person::numbered(9));
    let consents = |status: &str, at: &str| -> Vec<Value> {
        ["email", "sms", "whatsapp"].map(|channel| json!({"channel": channel, "status": status, "at": at})).into()
    };
    let step = |version, groups: &[&str], status, at| {
        corpus::contact(&person, version, json!({"groups": groups, "consents": consents(status, at)}))
    };
    let mut unnamed = corpus::contact(&guest, 1, json!({}));
    unnamed["envelope"]["identity"] = json!({"email": guest.email});
    let mut other = corpus::contact(&guest, 2, json!({}));
    other["envelope"]["identity"] = json!({"customer_id": guest.customer_id});
    corpus::parsed(&[
        step(1, &["vip"], "granted", "2026-01-10T00:00:00Z"),
        step(2, &[], "denied", "2026-02-01T00:00:00Z"),
        step(3, &["vip"], "granted", "2026-02-20T00:00:00Z"),
        unnamed,
        other,
        corpus::contact(&guest, 3, json!({})),
    ])
}

/// Somebody whose profile loses a value, by the engine: what is lost is known by what was sent.
async fn losing(witness: &Arc<Witness>, destination: Box<dyn Destination>, name: &str) {
    let person = Person::numbered(7);
    let full = json!({"attributes": {"shoe_size": {"type": "integer", "value": 42}}, "date_of_birth": "1990-01-01"});
    let rows = [corpus::contact(&person, 1, full), corpus::contact(&person, 2, json!({}))];
    let jobs = |operation: &Operation| destination.capabilities().endpoint(&operation.endpoint).is_some_and(|facts| facts.job.is_some());
    if built(&*destination, &corpus::parsed(&rows)).iter().any(jobs) {
        return;
    }
    let options = json!({"state": "memory:", "rate_limits": false,
        "retry": {"base_delay_ms": 1, "max_delay_ms": 5, "throttle_floor_ms": 1, "max_retry_after_s": 1}});
    let options = serde_json::from_value(options).unwrap();
    let engine = Engine::assemble(options, vec![(name.to_owned(), destination.into())], Arc::new(Shared(witness.clone()))).await.unwrap();
    for row in rows {
        engine.deliver(Bytes::from_static(br#"{"format": "ndjson"}"#), row.to_string().into()).await.unwrap();
    }
    engine.close().await.unwrap();
}

/// Has a set-up say all it can, and answers what it said.
async fn said(setup: &Setup, label: String) -> Vec<Line> {
    let vendor = &setup.vendor;
    let name = vendor.destination();
    let sandbox = Sandbox::start(json!({"vendors": [name], name: vendor.sandbox()}).to_string().as_bytes()).unwrap();
    let url = sandbox.url(name).unwrap();
    let config: Value = serde_json::from_str(&setup.config.to_string().replace(corpus::NOWHERE, &url)).unwrap();
    let inner = HttpTransport::new(&HttpOptions::default()).unwrap();
    let witness = Arc::new(Witness { vendor: name, label, inner, lines: Mutex::default() });
    let destination = vendor.open(config.clone());
    let reply = witness.ask(&*destination, &destination.check()).await;
    assert!(destination.is_working(&reply), "{}: {}", setup.label(), destination.read_check(&reply));
    losing(&witness, vendor.open(config), name).await;
    for record in story() {
        witness.carry_each(&*destination, destination.build(&record).operations).await;
    }
    // Whoever is deleted is not there any more: deletions go last.
    let (gone, told): (Vec<Record>, Vec<Record>) =
        chosen(&*destination).into_iter().partition(|record| matches!(record.body, Body::ContactDeleted(_)));
    // What is known already is written in another way than what is new.
    for records in [&told, &told, &gone] {
        let operations = built(&*destination, records);
        for planned in plan(&*destination, &operations).requests {
            let operations = planned.operations.iter().map(|place| operations[*place].clone()).collect();
            witness.carry(&*destination, operations).await;
        }
        // What a reconciliation asks for.
        let mut asked = BTreeSet::new();
        for operation in &operations {
            let Some(request) = destination.read_back(operation) else { continue };
            if asked.insert((request.path.clone(), request.body.clone())) {
                witness.ask(&*destination, &request).await;
            }
        }
    }
    std::mem::take(&mut *witness.lines.lock().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_endpoint_of_a_table_is_said_and_answered() {
    let (mut wanted, mut seen) = (BTreeSet::new(), BTreeSet::new());
    let mut all = String::new();
    for (number, setup) in setups().iter().enumerate() {
        let table = setup.open().capabilities();
        wanted.extend(table.endpoints.iter().map(|endpoint| (table.destination, endpoint.id)));
        for line in said(setup, format!("exchanges/{}-{number}", setup.label())).await {
            all.push_str(&serde_json::to_string(&line).unwrap());
            all.push('\n');
            seen.insert((table.destination, line.endpoint));
        }
    }
    let missing: Vec<_> = wanted.into_iter().filter(|(vendor, id)| !seen.contains(&(*vendor, (*id).to_owned()))).collect();
    if let Some(folder) = std::env::var_os("CARTWIRE_EXCHANGES_DIR") {
        fs::write(Path::new(&folder).join("endpoints.ndjson"), all).unwrap();
        let tables = serde_json::to_vec_pretty(&cartwire::destinations::tables()).unwrap();
        fs::write(Path::new(&folder).join("capabilities.json"), tables).unwrap();
    }
    assert!(missing.is_empty(), "never said: {missing:?}");
}
