//! The whole way: a made-up shop, the engine, the sandbox; once, again, and after changes.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use bytes::Bytes;
use cartwire::facade::Engine;
use cartwire_sandbox::Sandbox;
use cartwire_sandbox::shop::ShopOptions;
use serde_json::{Value, json};

#[path = "sync/fanout.rs"]
mod fanout;

fn sandbox() -> Sandbox {
    Sandbox::start(
        br#"{"iterable":{"api_key":"sandbox-key","project_type":"hybrid","rate_limits":false,"catalogs":["products","categories"],
        "channels":[{"id":7,"name":"Newsletter","channel_type":"Marketing","message_medium":"Email"}],
        "message_types":[{"id":101,"name":"Newsletter","channel_id":7,"policy":"OptIn"}]}}"#,
    )
    .unwrap()
}

fn options(sandbox: &Sandbox, state: &str) -> Value {
    json!({
        "source": {"type": "commercetools", "project": "demo", "locale": "en", "fallback_locales": ["en"],
            "consents": [{"channel": "email", "field": "newsletter", "at_field": "newsletterAt", "source_field": "newsletterSource"}],
            "contact_fields": [{"field": "loyaltyPoints"}], "brand_attribute": "brand", "currency": "EUR", "country": "DE"},
        "destination": {"type": "iterable", "api_key": "sandbox-key", "project_type": "hybrid", "base_url": sandbox.url("iterable").unwrap(),
            "catalogs": {"products": "products", "categories": "categories"},
            "consent": {"email": {"message_type": 101, "policy": "opt_in", "channel": 7}}},
        "state": state, "rate_limits": false,
        "retry": {"base_delay_ms": 10, "max_delay_ms": 100, "throttle_floor_ms": 10},
    })
}

async fn open(options: &Value) -> Engine {
    Engine::open(options.to_string().as_bytes()).await.unwrap()
}

fn shop(resource: &str, count: u64, revision: u64, malformed_every: u64) -> Bytes {
    let options = ShopOptions { resource: resource.to_owned(), count, revision, malformed_every, customers: 60, ..ShopOptions::default() };
    let mut out = Vec::new();
    options.write(&mut out).unwrap();
    out.into()
}

async fn deliver(engine: &Engine, resource: &str, data: Bytes) -> Value {
    let call = json!({"resource": resource, "format": "ndjson"}).to_string();
    serde_json::from_slice(&engine.deliver(call.into(), data).await.unwrap()).unwrap()
}

fn inspect(sandbox: &Sandbox, query: Value) -> Value {
    serde_json::from_slice(&sandbox.inspect(query.to_string().as_bytes()).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_arrives_once_and_only_changes_go_after_that() {
    let sandbox = sandbox();
    let folder = tempfile::tempdir().unwrap();
    let state = format!("sqlite:{}", folder.path().join("state.db").display());
    let engine = open(&options(&sandbox, &state)).await;

    let first = deliver(&engine, "customer", shop("customer", 60, 1, 0)).await;
    assert_eq!(first["counts"]["rows"], 60, "{first:#}");
    // Number 11 mistyped the end of the address: only the platform can know that no such domain exists.
    assert_eq!((first["counts"]["delivered"].as_u64(), first["counts"]["dead_lettered"].as_u64()), (Some(59), Some(1)), "{first:#}");
    assert_eq!(first["counts"]["pending"], 0);
    let products = deliver(&engine, "product", shop("product", 30, 1, 0)).await;
    assert_eq!(products["counts"]["delivered"], 30, "{products:#}");
    let orders = deliver(&engine, "order", shop("order", 100, 1, 10)).await;
    let counts = &orders["counts"];
    assert_eq!((counts["rows"].as_u64(), counts["rejected"].as_u64()), (Some(100), Some(10)), "{orders:#}");
    assert_eq!(counts["delivered"].as_u64().unwrap() + counts["dead_lettered"].as_u64().unwrap(), 90, "{orders:#}");

    let seen = inspect(&sandbox, json!({"what": "counts"}));
    let before = seen.clone();
    for (resource, data) in
        [("customer", shop("customer", 60, 1, 0)), ("product", shop("product", 30, 1, 0)), ("order", shop("order", 100, 1, 10))]
    {
        let again = deliver(&engine, resource, data).await;
        let counts = &again["counts"];
        assert_eq!(counts["delivered"], 0, "{resource}: {again:#}");
        let dead = counts["dead_lettered"].as_u64().unwrap();
        assert_eq!(
            dead,
            if resource == "customer" { 1 } else { orders["counts"]["dead_lettered"].as_u64().unwrap() * u64::from(resource == "order") },
            "{resource}: {again:#}"
        );
    }
    let after = inspect(&sandbox, json!({"what": "counts"}));
    assert_eq!(before["purchases"], after["purchases"], "{before:#} {after:#}");

    let changed = deliver(&engine, "customer", shop("customer", 60, 2, 0)).await;
    assert_eq!(changed["counts"]["delivered"], 2, "{changed:#}");
    engine.close().await.unwrap();
    assert!(engine.flush(Bytes::new()).await.is_err_and(|error| error.code().name() == "closed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_shown_fixed_and_replayed() {
    let sandbox = sandbox();
    let engine = open(&options(&sandbox, "memory:")).await;
    let first = deliver(&engine, "customer", shop("customer", 12, 1, 0)).await;
    assert_eq!(first["dead_letters"].as_array().map(Vec::len), Some(1), "{first:#}");
    let letters: Value = serde_json::from_slice(&engine.dead_letters(Bytes::new()).await.unwrap()).unwrap();
    let letter = &letters[0];
    assert_eq!(letter["id"], first["dead_letters"][0]);
    assert!(!letter["response"].as_str().unwrap().contains('@'), "{letter:#}");
    let mut record = letter["record"].clone();
    let email = record["envelope"]["identity"]["email"].as_str().unwrap().replace("shopp", "com");
    record["envelope"]["identity"]["email"] = json!(email);
    let replay = json!({"filter": {"ids": [letter["id"]]}, "fixes": [{"id": letter["id"], "record": record}]});
    let report: Value = serde_json::from_slice(&engine.replay(replay.to_string().into()).await.unwrap()).unwrap();
    assert_eq!(report["counts"]["delivered"], 1, "{report:#}");
    let left: Value = serde_json::from_slice(&engine.dead_letters(Bytes::new()).await.unwrap()).unwrap();
    assert_eq!(left, json!([]));
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_sends_nothing_and_remembers_nothing() {
    let sandbox = sandbox();
    let engine = open(&options(&sandbox, "memory:")).await;
    let call = json!({"resource": "order", "format": "ndjson"}).to_string();
    let plan: Value = serde_json::from_slice(&engine.plan(call.clone().into(), shop("order", 20, 1, 0)).await.unwrap()).unwrap();
    // The purchases, and in front of them the addresses of their customers.
    assert_eq!(plan["requests"].as_array().map(Vec::len), Some(21));
    assert_eq!(inspect(&sandbox, json!({"what": "counts"}))["purchases"]["distinct"], 0);
    let again: Value = serde_json::from_slice(&engine.plan(call.into(), shop("order", 20, 1, 0)).await.unwrap()).unwrap();
    assert_eq!(plan, again);
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_is_delivered_in_the_background() {
    let sandbox = sandbox();
    let engine = open(&options(&sandbox, "memory:")).await;
    let call = json!({"resource": "order", "format": "ndjson"}).to_string();
    let receipt: Value = serde_json::from_slice(&engine.accept(call.into(), shop("order", 10, 1, 0)).await.unwrap()).unwrap();
    // The purchases, and the address of each customer but a guest's, which is the purchase's own.
    assert!((11..=20).contains(&receipt["accepted"].as_u64().unwrap()), "{receipt:#}");
    let flushed: Value = serde_json::from_slice(&engine.flush(br#"{"timeout_s": 20}"#.as_slice().into()).await.unwrap()).unwrap();
    assert_eq!(flushed["waiting"], 0, "{flushed:#}");
    assert_eq!(inspect(&sandbox, json!({"what": "counts"}))["purchases"]["distinct"], 10);
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_stop_delivery_and_keep_everything() {
    let sandbox = sandbox();
    let mut options = options(&sandbox, "memory:");
    options["destination"]["api_key"] = json!("wrong");
    let engine = open(&options).await;
    let check: Value = serde_json::from_slice(&engine.check().await.unwrap()).unwrap();
    assert_eq!((check["ok"].as_bool(), check["status"].as_u64()), (Some(false), Some(401)), "{check:#}");
    let report = deliver(&engine, "order", shop("order", 5, 1, 0)).await;
    assert!(report["stopped"].as_str().is_some_and(|why| why.starts_with("unauthorized")), "{report:#}");
    assert_eq!((report["counts"]["pending"].as_u64(), report["counts"]["dead_lettered"].as_u64()), (Some(5), Some(0)), "{report:#}");
    assert!(!format!("{report}").contains("wrong\""));
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_mails_nobody() {
    let sandbox = Sandbox::start(
        br#"{"iterable":{"api_key":"sandbox-key","project_type":"hybrid","rate_limits":false,"catalogs":["products","categories"],
            "journeys":[{"name":"confirmation","trigger":"purchase"}],
            "channels":[{"id":7,"name":"Newsletter","channel_type":"Marketing","message_medium":"Email"}],
            "message_types":[{"id":101,"name":"Newsletter","channel_id":7,"policy":"OptIn"}]}}"#,
    );
    let sandbox = sandbox.unwrap();
    let engine = open(&options(&sandbox, "memory:")).await;
    let call = json!({"resource": "order", "format": "ndjson", "mode": "backfill"}).to_string();
    let report: Value = serde_json::from_slice(&engine.deliver(call.into(), shop("order", 30, 1, 0)).await.unwrap()).unwrap();
    // Of each order the purchase, and that it was paid.
    assert_eq!(report["skipped_by_reason"]["backfill_quiet"], 60, "{report:#}");
    // Somebody puts a note on each of those orders: that is no reason to confirm them now. A new order is.
    let live = deliver(&engine, "order", shop("order", 31, 1, 0)).await;
    // Thirty purchases; and the new order is paid, but read so late that this is history.
    assert_eq!(live["skipped_by_reason"]["backfill_quiet"], 31, "{live:#}");
    assert_eq!(live["counts"]["delivered"], 1, "{live:#}");
    assert_eq!(inspect(&sandbox, json!({"what": "counts"}))["purchases"]["distinct"], 1);
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_takes_along_what_waits_and_what_was_refused() {
    let sandbox = sandbox();
    let mut options = options(&sandbox, "memory:");
    let source = options.as_object_mut().unwrap().remove("source").unwrap();
    options["retry"]["max_attempts"] = json!(100);
    options["retry"]["max_elapsed_s"] = json!(600);
    let call = json!({"source": source, "resource": "customer", "now": "2026-11-21T12:00:00Z"}).to_string();
    let normalized: Value =
        serde_json::from_slice(&cartwire::facade::normalize(call.as_bytes(), &shop("customer", 12, 1, 0)).unwrap()).unwrap();
    let records = normalized["records"].as_array().unwrap();
    let lines = |records: &[Value]| Bytes::from(records.iter().map(|record| format!("{record}\n")).collect::<String>());
    let engine = open(&options).await;
    // Number 11 is refused by the platform; then the platform is down, and everybody changes.
    deliver(&engine, "customer", lines(records)).await;
    sandbox.fault(br#"{"match": {"path": "/api"}, "fault": {"kind": "status", "status": 503}, "probability": 1.0}"#).unwrap();
    let changed: Vec<Value> = records
        .iter()
        .cloned()
        .map(|mut record| {
            record["envelope"]["version"] = json!(99);
            record["envelope"]["idempotency_key"] = json!(format!("changed-{}", record["envelope"]["idempotency_key"].as_str().unwrap()));
            record["body"]["first_name"] = json!("Zoe");
            record
        })
        .collect();
    let receipt: Value = serde_json::from_slice(&engine.accept(Bytes::new(), lines(&changed[..11])).await.unwrap()).unwrap();
    assert_eq!(receipt["accepted"], 11, "{receipt:#}");
    let erasures: Vec<Value> = [3, 11]
        .iter()
        .map(|number: &usize| {
            let mut record = changed[*number].clone();
            record["envelope"]["version"] = json!(100);
            record["envelope"]["idempotency_key"] = json!(format!("erased-{number}"));
            record["body"] = json!({"type": "contact_deleted", "erase": true});
            record
        })
        .collect();
    engine.accept(Bytes::new(), lines(&erasures)).await.unwrap();
    let letters: Value = serde_json::from_slice(&engine.dead_letters(Bytes::new()).await.unwrap()).unwrap();
    assert_eq!(letters, json!([]), "the letter went with the person");
    sandbox.clear_faults();
    let flushed: Value = serde_json::from_slice(&engine.flush(br#"{"timeout_s": 60}"#.as_slice().into()).await.unwrap()).unwrap();
    assert_eq!(flushed["waiting"], 0, "{flushed:#}");
    let profiles = inspect(&sandbox, json!({"what": "profiles"})).to_string();
    let gone = records[3]["envelope"]["identity"]["email"].as_str().unwrap();
    assert!(!profiles.contains(gone), "{gone} is still there");
    let again: Value = serde_json::from_slice(&engine.deliver(Bytes::new(), lines(&changed[3..4])).await.unwrap()).unwrap();
    assert_eq!(again["skipped_by_reason"]["erased"], 1, "{again:#}");
    engine.close().await.unwrap();
}
