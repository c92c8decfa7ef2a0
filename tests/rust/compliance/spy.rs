//! The whole way with a vendor that answers as told, and a destination that is looked at while it works.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use cartwire::Error;
use cartwire::delivery::{BoxFuture, Transport, TransportFailure};
use cartwire::destinations::{Built, Capabilities, Completed, Destination, Held, Operation, Reading, Reply, Request, Verdict};
use cartwire::facade::Engine;
use cartwire::model::Record;
use serde_json::{Value, json};

use super::corpus::Setup;
use super::vendors::{Answer, End, Vendor};

/// Path and body of a request.
type Sent = (String, Option<Vec<u8>>);

/// A destination that is looked at while it works.
pub struct Spy {
    pub inner: Box<dyn Destination>,
    pub log: Mutex<Log>,
}

#[derive(Default)]
pub struct Log {
    /// Operations by the request that carries them.
    carried: HashMap<Sent, Vec<Operation>>,
    /// Operations by the question after the job that holds them.
    asked: HashMap<Sent, Vec<Operation>>,
    /// Lane and key, in the order in which they were taken.
    pub taken: Vec<(String, String)>,
}

impl Spy {
    fn carries(&self, request: &Request, operations: &[&Operation]) {
        let operations = operations.iter().map(|operation| (*operation).clone()).collect();
        self.log.lock().unwrap().carried.insert((request.path.clone(), request.body.clone()), operations);
    }
}

impl Destination for Spy {
    fn name(&self) -> &'static str {
        self.inner.name()
    }
    fn capabilities(&self) -> &'static Capabilities {
        self.inner.capabilities()
    }
    fn build(&self, record: &Record) -> Built {
        self.inner.build(record)
    }
    fn request(&self, operations: &[&Operation]) -> Result<Request, Error> {
        let request = self.inner.request(operations)?;
        self.carries(&request, operations);
        Ok(request)
    }
    fn read(&self, operations: &[&Operation], reply: &Reply) -> Reading {
        let reading = self.inner.read(operations, reply);
        if let Reading::Each(verdicts, _) = &reading {
            let taken = operations.iter().zip(verdicts).filter(|(_, verdict)| **verdict == Verdict::Accepted);
            let taken = taken.map(|(operation, _)| (operation.lane.clone(), operation.idempotency_key.to_string()));
            self.log.lock().unwrap().taken.extend(taken);
        }
        reading
    }
    fn prefetch(&self, operation: &Operation) -> Option<Request> {
        self.inner.prefetch(operation)
    }
    fn is_computed(&self, operation: &Operation) -> bool {
        self.inner.is_computed(operation)
    }
    fn complete(&self, operation: &Operation, reply: &Reply) -> Result<Completed, Error> {
        let completed = self.inner.complete(operation, reply)?;
        if let Completed::Send(request) = &completed {
            self.carries(request, &[operation]);
        }
        Ok(completed)
    }
    fn poll(&self, operations: &[&Operation], job: &str) -> Result<Request, Error> {
        let request = self.inner.poll(operations, job)?;
        let operations = operations.iter().map(|operation| (*operation).clone()).collect();
        self.log.lock().unwrap().asked.insert((request.path.clone(), request.body.clone()), operations);
        Ok(request)
    }
    fn read_poll(&self, operations: &[&Operation], job: &str, reply: &Reply) -> Reading {
        self.inner.read_poll(operations, job, reply)
    }
    fn read_back(&self, operation: &Operation) -> Option<Request> {
        self.inner.read_back(operation)
    }
    fn compare(&self, operation: &Operation, reply: &Reply) -> Result<Held, Error> {
        self.inner.compare(operation, reply)
    }
    fn check(&self) -> Request {
        self.inner.check()
    }
    fn is_working(&self, reply: &Reply) -> bool {
        self.inner.is_working(reply)
    }
    fn read_check(&self, reply: &Reply) -> String {
        self.inner.read_check(reply)
    }
    fn base_url(&self) -> &str {
        self.inner.base_url()
    }
    fn base_url_of(&self, request: &Request) -> &str {
        self.inner.base_url_of(request)
    }
    fn backfill_notice(&self) -> &'static str {
        self.inner.backfill_notice()
    }
}

pub type Script = Box<dyn Fn(&Request, usize) -> (Answer, Vec<(String, String)>) + Send + Sync>;

/// A vendor that answers what the script says; told how often the same request came before.
pub struct Scripted {
    vendor: Arc<dyn Vendor>,
    spy: Arc<Spy>,
    script: Script,
    /// How jobs end.
    end: End,
    pub seen: Mutex<HashMap<Sent, usize>>,
}

impl Transport for Scripted {
    fn send<'a>(&'a self, _base_url: &'a str, request: &'a Request) -> BoxFuture<'a, Result<Reply, TransportFailure>> {
        let key = (request.path.clone(), request.body.clone());
        let (operations, asked) = {
            let log = self.spy.log.lock().unwrap();
            (log.carried.get(&key).cloned(), log.asked.get(&key).cloned())
        };
        let times = {
            let mut seen = self.seen.lock().unwrap();
            let times = seen.entry(key).or_default();
            *times += 1;
            *times - 1
        };
        let reply = match (operations, asked) {
            (None, None) => self.vendor.found(request),
            (_, Some(operations)) => self.vendor.asked(request, &operations.iter().collect::<Vec<_>>(), Some(self.end)),
            (Some(operations), None) => {
                let (answer, headers) = (self.script)(request, times);
                let operations: Vec<&Operation> = operations.iter().collect();
                // Where a platform takes a job, that is how it takes rows.
                let as_job = (answer == Answer::Taken).then(|| self.vendor.answer(&operations, Answer::JobTaken)).flatten();
                let mut reply = as_job.or_else(|| self.vendor.answer(&operations, answer)).expect("an answer to every request");
                reply.headers.extend(headers);
                reply
            }
        };
        Box::pin(async move { Ok(reply) })
    }
}

pub struct Stage {
    pub engine: Engine,
    pub spy: Arc<Spy>,
    pub transport: Arc<Scripted>,
}

pub async fn stage(setup: &Setup, script: Script) -> Stage {
    stage_with(setup, script, End::Arrived, 6).await
}

/// A stage on which jobs end as told.
pub async fn stage_with(setup: &Setup, script: Script, end: End, max_attempts: u32) -> Stage {
    let spy = Arc::new(Spy { inner: setup.open(), log: Mutex::default() });
    let transport = Arc::new(Scripted { vendor: setup.vendor.clone(), spy: spy.clone(), script, end, seen: Mutex::default() });
    let options = json!({"state": "memory:", "rate_limits": false,
        "retry": {"max_attempts": max_attempts, "base_delay_ms": 1, "max_delay_ms": 5, "throttle_floor_ms": 1}});
    let engine = Engine::assemble(
        serde_json::from_value(options).unwrap(),
        vec![(setup.vendor.destination().to_owned(), spy.clone() as Arc<dyn Destination>)],
        transport.clone(),
    )
    .await
    .unwrap();
    Stage { engine, spy, transport }
}

impl Stage {
    pub async fn deliver(&self, rows: &[Value]) -> Value {
        let data: String = rows.iter().map(|row| format!("{row}\n")).collect();
        let call = Bytes::from_static(br#"{"format": "ndjson"}"#);
        serde_json::from_slice(&self.engine.deliver(call, Bytes::from(data)).await.unwrap()).unwrap()
    }

    pub fn requests(&self) -> usize {
        self.transport.seen.lock().unwrap().values().sum()
    }
}
