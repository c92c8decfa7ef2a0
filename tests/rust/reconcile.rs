//! Reconciliation from end to end, for every destination: what was delivered is found to be there, what was not is missing
//! with the reason the state knows, and what differs is named without a value. Nothing is ever written.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod vendors;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use cartwire::Error;
use cartwire::delivery::{BoxFuture, HttpOptions, HttpTransport, Transport, TransportFailure};
use cartwire::destinations::{Built, Capabilities, Completed, Destination, Operation, Reading, Reply, Request, RetrySafety};
use cartwire::facade::Engine;
use cartwire::model::Record;
use cartwire_sandbox::Sandbox;
use serde_json::{Value, json};

use vendors::{Person, Vendor, entries};

/// Sends, and notes which endpoints and paths.
struct Noted {
    inner: HttpTransport,
    sent: Mutex<Vec<(String, String)>>,
}

/// Shares one [`Noted`] with the engine.
struct Shared(Arc<Noted>);

impl Transport for Shared {
    fn send<'a>(&'a self, base_url: &'a str, request: &'a Request) -> BoxFuture<'a, Result<Reply, TransportFailure>> {
        self.0.sent.lock().unwrap().push((request.endpoint.to_string(), format!("{} {:?}", request.path, request.body)));
        self.0.inner.send(base_url, request)
    }
}

/// A destination that shows nothing of what it holds.
struct Mute(Box<dyn Destination>);

impl Destination for Mute {
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn capabilities(&self) -> &'static Capabilities {
        self.0.capabilities()
    }
    fn build(&self, record: &Record) -> Built {
        self.0.build(record)
    }
    fn request(&self, operations: &[&Operation]) -> Result<Request, Error> {
        self.0.request(operations)
    }
    fn read(&self, operations: &[&Operation], reply: &Reply) -> Reading {
        self.0.read(operations, reply)
    }
    fn prefetch(&self, operation: &Operation) -> Option<Request> {
        self.0.prefetch(operation)
    }
    fn is_computed(&self, operation: &Operation) -> bool {
        self.0.is_computed(operation)
    }
    fn complete(&self, operation: &Operation, reply: &Reply) -> Result<Completed, Error> {
        self.0.complete(operation, reply)
    }
    fn check(&self) -> Request {
        self.0.check()
    }
    fn base_url(&self) -> &str {
        self.0.base_url()
    }
    fn backfill_notice(&self) -> &'static str {
        self.0.backfill_notice()
    }
}

/// What was never there is as a removal wants it.
fn takes_away(check: &Value) -> bool {
    ["lists.removeContact", "insight.deleteAccountRecords"].iter().any(|endpoint| check["endpoint"] == *endpoint)
}

struct Stage {
    sandbox: Sandbox,
    url: String,
    engine: Engine,
    noted: Arc<Noted>,
    table: &'static Capabilities,
}

impl Stage {
    async fn new(vendor: &dyn Vendor, wrap: impl Fn(Box<dyn Destination>) -> Arc<dyn Destination>) -> Stage {
        let name = vendor.destination();
        let sandbox = Sandbox::start(json!({"vendors": [name], name: vendor.sandbox()}).to_string().as_bytes()).unwrap();
        let url = sandbox.url(name).unwrap();
        let noted = Arc::new(Noted { inner: HttpTransport::new(&HttpOptions::default()).unwrap(), sent: Mutex::default() });
        let options = json!({"state": "memory:", "rate_limits": false, "timeout_s": 5, "max_in_flight": 2,
            "retry": {"base_delay_ms": 1, "max_delay_ms": 5, "throttle_floor_ms": 1, "max_attempts": 2}});
        let destination = wrap(vendor.open(vendor.config(&url)));
        let table = destination.capabilities();
        let transport = Arc::new(Shared(noted.clone()));
        let engine =
            Engine::assemble(serde_json::from_value(options).unwrap(), vec![(name.to_owned(), destination)], transport).await.unwrap();
        Stage { sandbox, url, engine, noted, table }
    }

    async fn of(vendor: &dyn Vendor) -> Stage {
        Stage::new(vendor, Arc::from).await
    }

    async fn deliver(&self, rows: &[Value]) -> Value {
        let report = self.engine.deliver(Bytes::from_static(br#"{"format": "ndjson"}"#), lines(rows)).await.unwrap();
        serde_json::from_slice(&report).unwrap()
    }

    /// The answer, and that nothing but reads was sent for it, each of them once.
    async fn reconcile(&self, rows: &[Value]) -> Value {
        self.noted.sent.lock().unwrap().clear();
        let answer = self.engine.reconcile(Bytes::from_static(br#"{"format": "ndjson"}"#), lines(rows)).await.unwrap();
        for (endpoint, _) in self.noted.sent.lock().unwrap().iter() {
            let facts = self.table.endpoint(endpoint).unwrap();
            assert_eq!(facts.retry_safe_by, RetrySafety::ReadOnly, "{endpoint}");
        }
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let text = answer.to_string();
        for value in ["Mara", "Mareike", "@example.com", "+4930"] {
            assert!(!text.contains(value), "a value is told: {value} in {answer:#}");
        }
        answer
    }
}

fn lines(rows: &[Value]) -> Bytes {
    rows.iter().map(|row| format!("{row}\n")).collect::<String>().into()
}

fn row(person: &Person, kind: &str, id: &str, body: Value) -> Value {
    json!({"envelope": {"source": "commercetools", "tenant": "demo", "resource": {"type": kind, "id": id}, "version": 1,
            "occurred_at": "2026-03-01T10:00:00Z", "observed_at": "2026-03-01T10:00:05Z",
            "market": {"locale": "de-DE", "country": "DE", "currency": "EUR"}, "identity": person.identity(),
            "correlation_id": format!("corr-{id}"), "idempotency_key": format!("{kind}-{id}")},
        "body": body})
}

fn rows(person: &Person) -> Vec<Value> {
    let id = person.customer_id.as_str();
    let euro = |amount: &str| json!({"amount": amount, "currency": "EUR"});
    let contact = json!({"type": "contact", "first_name": "Mara", "last_name": "Okoye",
        "consents": [{"channel": "email", "status": "granted", "at": "2026-02-01T00:00:00Z"}]});
    let variant = json!({"id": "1", "sku": "TEE", "price": {"list": euro("19.50")}});
    vec![
        row(person, "customer", id, contact),
        row(person, "event", &format!("e-{id}"), json!({"type": "event", "name": "product_viewed", "product_id": "p-1"})),
        row(
            person,
            "product",
            &format!("p-{id}"),
            json!({"type": "product", "id": format!("p-{id}"), "name": "Tee", "variants": [variant]}),
        ),
    ]
}

/// What was found of everything that the destination shows.
fn shown(answer: &Value) -> Vec<(String, String, Value)> {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = answer["records"].as_array().unwrap().iter().flat_map(|record| record["checks"].as_array().unwrap());
    all.filter(|check| !matches!(check["reason"].as_str(), Some("no_read_back" | "not_told")))
        .map(|check| (word(&check["status"]), word(&check["reason"]), check.clone()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_delivered_is_equal_and_what_was_not_is_missing_and_never_sent() {
    let mut seen = 0;
    for vendor in entries() {
        let stage = Stage::of(&*vendor).await;
        let (there, absent) = (Person::numbered(1), Person::numbered(2));
        let report = stage.deliver(&rows(&there)).await;
        assert_eq!(report["counts"]["dead_lettered"], 0, "{}: {report:#}", vendor.label());
        let answer = stage.reconcile(&rows(&there)).await;
        assert_eq!(answer["counts"]["records"], 3, "{answer:#}");
        assert_eq!(answer["records"][0]["correlation_id"], "corr-c-00001");
        for (status, _, check) in shown(&answer) {
            assert_eq!(status, "equal", "{}: {check:#}", vendor.label());
            seen += 1;
        }
        let asked = stage.noted.sent.lock().unwrap().clone();
        assert_eq!(asked.len() as u64, answer["destinations"][vendor.destination()]["requests"].as_u64().unwrap());
        let paths: std::collections::BTreeSet<_> = asked.iter().collect();
        assert_eq!(paths.len(), asked.len(), "what one read shows is asked for once: {asked:?}");
        // A thing of the catalog can be there whoever told of it.
        for (status, reason, check) in shown(&stage.reconcile(&rows(&absent)[..2]).await) {
            let holds = takes_away(&check) && status == "equal";
            assert!(holds || (status != "equal" && reason == "never_sent"), "{}: {check:#}", vendor.label());
        }
        // Nothing of this was remembered: the same rows are sent now as if they had never been looked at.
        let report = stage.deliver(&rows(&absent)).await;
        assert!(report["counts"]["delivered"].as_u64().unwrap() >= 2, "{}: {report:#}", vendor.label());
        stage.engine.close().await.unwrap();
    }
    assert!(seen > 0, "no destination shows what it holds");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_differs_is_named_with_whether_it_was_sent() {
    for vendor in entries() {
        let stage = Stage::of(&*vendor).await;
        let person = Person::numbered(1);
        stage.deliver(&rows(&person)).await;
        if shown(&stage.reconcile(&rows(&person)[..1]).await).is_empty() {
            continue;
        }
        // The shop has a newer version that was not sent yet.
        let mut newer = rows(&person);
        newer[0]["envelope"]["version"] = json!(2);
        newer[0]["envelope"]["idempotency_key"] = json!("customer-2");
        newer[0]["body"]["first_name"] = json!("Mareike");
        let answer = stage.reconcile(&newer[..1]).await;
        let differing: Vec<Value> = shown(&answer).into_iter().filter(|(status, ..)| status == "differs").map(|found| found.2).collect();
        assert!(!differing.is_empty() && answer["ok"] == false, "{}: {answer:#}", vendor.label());
        for check in &differing {
            assert_eq!(check["reason"], "never_sent", "{}: {check:#}", vendor.label());
            assert!(!check["fields"].as_array().unwrap().is_empty());
        }
        stage.deliver(&newer[..1]).await;
        // The older version is no measure any more, and nobody is asked about it.
        let answer = stage.reconcile(&rows(&person)[..1]).await;
        assert!(answer["by_reason"]["stale"].as_u64().unwrap() > 0, "{}: {answer:#}", vendor.label());
        assert_eq!(answer["counts"]["differs"], 0, "{}: {answer:#}", vendor.label());
        // Somebody leaves at the platform.
        for channel in vendor.channels() {
            vendor.act(&stage.url, &person, channel, true).await;
            vendor.act(&stage.url, &person, channel, false).await;
        }
        let answer = stage.reconcile(&newer[..1]).await;
        for (status, reason, check) in shown(&answer) {
            assert!(status == "equal" || reason == "changed_there", "{}: {check:#}", vendor.label());
        }
        stage.engine.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_is_told_as_a_dead_letter() {
    for vendor in entries() {
        let stage = Stage::of(&*vendor).await;
        let person = Person::numbered(1);
        stage.sandbox.fault(json!({"fault": {"kind": "status", "status": 400}, "times": 50}).to_string().as_bytes()).unwrap();
        stage.deliver(&rows(&person)).await;
        stage.sandbox.clear_faults();
        let letters: Value = serde_json::from_slice(&stage.engine.dead_letters(Bytes::new()).await.unwrap()).unwrap();
        let keys: Vec<&Value> = letters.as_array().unwrap().iter().map(|letter| &letter["idempotency_key"]).collect();
        let answer = stage.reconcile(&rows(&person)).await;
        for (status, reason, check) in shown(&answer).iter().filter(|(.., check)| keys.contains(&&check["idempotency_key"])) {
            let holds = takes_away(check) && status == "equal";
            assert!(holds || (status != "equal" && reason == "dead_lettered"), "{}: {check:#}", vendor.label());
        }
        stage.engine.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_may_not_read_and_a_platform_that_is_down_are_told_and_not_asked_for_long() {
    for vendor in entries() {
        let stage = Stage::of(&*vendor).await;
        let people: Vec<Value> = (1..40).flat_map(|number| rows(&Person::numbered(number))).collect();
        if shown(&stage.reconcile(&people).await).is_empty() {
            continue;
        }
        let refused = json!({"fault": {"kind": "status", "status": 401}, "times": 1000});
        stage.sandbox.fault(refused.to_string().as_bytes()).unwrap();
        let answer = stage.reconcile(&people).await;
        let here = &answer["destinations"][vendor.destination()];
        assert_eq!(here["stopped"], "unauthorized", "{}: {here:#}", vendor.label());
        assert!(here["requests"].as_u64().unwrap() <= 4, "{}: {here:#}", vendor.label());
        assert!(shown(&answer).iter().all(|(status, reason, _)| status == "unreadable" && reason == "unauthorized"), "{answer:#}");
        stage.sandbox.clear_faults();
        drop(stage.sandbox);
        stage.noted.sent.lock().unwrap().clear();
        let call = Bytes::from_static(br#"{"format": "ndjson"}"#);
        let answer: Value = serde_json::from_slice(&stage.engine.reconcile(call, lines(&people)).await.unwrap()).unwrap();
        let here = &answer["destinations"][vendor.destination()];
        assert_eq!(here["stopped"], "network", "{}: {here:#}", vendor.label());
        assert!(shown(&answer).iter().all(|(status, reason, _)| status == "unreadable" && reason == "unavailable"), "{answer:#}");
        stage.engine.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_shows_nothing_says_so_and_is_not_asked() {
    for vendor in entries() {
        let stage = Stage::new(&*vendor, |inner| Arc::new(Mute(inner))).await;
        let answer = stage.reconcile(&rows(&Person::numbered(1))).await;
        assert_eq!(stage.noted.sent.lock().unwrap().len(), 0);
        let checks: Vec<&Value> = answer["records"].as_array().unwrap().iter().flat_map(|row| row["checks"].as_array().unwrap()).collect();
        assert!(!checks.is_empty());
        for check in checks {
            assert_eq!((&check["status"], &check["reason"]), (&json!("unsupported"), &json!("no_read_back")), "{check:#}");
        }
        assert_eq!(answer["counts"]["unsupported"].as_u64().unwrap() + answer["counts"]["skipped"].as_u64().unwrap(), 3, "{answer:#}");
        assert_eq!(answer["ok"], true, "what cannot be read is no difference");
        stage.engine.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_is_not_there_is_an_error_and_a_broken_row_is_a_rejection() {
    let vendor = entries().remove(0);
    let stage = Stage::of(&*vendor).await;
    let call = Bytes::from_static(br#"{"destination": "nobody"}"#);
    let error = stage.engine.reconcile(call, Bytes::new()).await.unwrap_err();
    assert_eq!((error.code().name(), error.path()), ("invalid_config", Some("/destination")));
    let broken = stage.reconcile(&[json!({"no": "record"})]).await;
    assert_eq!((broken["ok"].as_bool(), broken["rejected"].as_array().unwrap().len()), (Some(false), 1), "{broken:#}");
    stage.engine.close().await.unwrap();
    let closed = stage.engine.reconcile(Bytes::new(), Bytes::new()).await.unwrap_err();
    assert_eq!(closed.code().name(), "closed");
}
