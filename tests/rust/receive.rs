//! Messages that only name something: it is read from the shop, sooner or later, whatever happens in between.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use bytes::Bytes;
use cartwire::facade::Engine;
use cartwire_sandbox::Sandbox;
use serde_json::{Value, json};

fn sandbox() -> Sandbox {
    let options = json!({
        "iterable": {"api_key": "sandbox-key", "project_type": "hybrid", "rate_limits": false, "catalogs": ["products"]},
        "commercetools": {"orders": 20, "payments": 8, "products": 20, "customers": 10, "carts": 10},
    });
    Sandbox::start(options.to_string().as_bytes()).unwrap()
}

fn options(sandbox: &Sandbox, state: &str) -> Value {
    let shop = sandbox.url("commercetools").unwrap();
    json!({
        "source": {"type": "commercetools", "project": "demo",
            "pull": {"api_url": shop, "auth_url": shop, "client_id": "sandbox-client", "client_secret": "sandbox-secret"}},
        "destination": {"type": "iterable", "api_key": "sandbox-key", "project_type": "hybrid",
            "base_url": sandbox.url("iterable").unwrap(), "catalogs": {"products": "products"}},
        "state": state, "rate_limits": false,
        // The orders of the made-up shop are months old, and are to be sent all the same.
        "events": {"news_days": 3_650},
        "retry": {"max_attempts": 2, "base_delay_ms": 5, "max_delay_ms": 20, "throttle_floor_ms": 5, "max_retry_after_s": 1},
    })
}

async fn open(options: &Value) -> Engine {
    Engine::open(options.to_string().as_bytes()).await.unwrap()
}

fn inspect(sandbox: &Sandbox, query: Value) -> Value {
    serde_json::from_slice(&sandbox.inspect(query.to_string().as_bytes()).unwrap()).unwrap()
}

fn purchases(sandbox: &Sandbox) -> usize {
    inspect(sandbox, json!({"vendor": "iterable", "what": "purchases"})).as_array().unwrap().len()
}

fn asked(sandbox: &Sandbox, what: &str) -> u64 {
    inspect(sandbox, json!({"vendor": "commercetools", "what": "counts"}))["requests"][what].as_u64().unwrap_or(0)
}

/// The id of some row of the shop.
fn row(sandbox: &Sandbox, resource: &str, number: u64) -> String {
    let rows = inspect(sandbox, json!({"vendor": "commercetools", "what": "rows", "resource": resource}));
    let row = rows.as_array().unwrap().iter().find(|row| row["number"] == number).unwrap();
    row["id"].as_str().unwrap().to_owned()
}

/// A change notification: it names a resource and says nothing else.
fn changed(kind: &str, id: &str) -> Bytes {
    let message = json!({"notificationType": "ResourceUpdated", "projectKey": "demo", "resource": {"typeId": kind, "id": id},
        "version": 7, "oldVersion": 6, "modifiedAt": "2026-11-21T10:00:00.000Z"});
    message.to_string().into()
}

async fn receive(engine: &Engine, body: Bytes) -> Value {
    let options = json!({"headers": {"X-Correlation-ID": "demo/4711", "accept": ["a", "b"]}}).to_string();
    serde_json::from_slice(&engine.receive(options.into(), body).await.unwrap()).unwrap()
}

/// Closes and lets go, as the end of a process does.
async fn close(engine: Engine) {
    engine.close().await.unwrap();
}

async fn flush(engine: &Engine) -> Value {
    serde_json::from_slice(&engine.flush(r#"{"timeout_s": 20}"#.into()).await.unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_message_only_names_is_read_and_sent_without_another_call() {
    let sandbox = sandbox();
    let engine = open(&options(&sandbox, "memory:")).await;
    for number in 0..3 {
        let received = receive(&engine, changed("order", &row(&sandbox, "orders", number))).await;
        assert_eq!((received["fetching"].as_u64(), received["accepted"].as_u64()), (Some(1), Some(0)), "{received:#}");
        assert_eq!(received["fetches"][0]["resource"]["type"], "order");
    }
    flush(&engine).await;
    assert_eq!(purchases(&sandbox), 3);
    assert_eq!(asked(&sandbox, "orders/{id} 200"), 3);
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_that_could_not_be_made_survives_the_process_and_the_outage() {
    let folder = tempfile::tempdir().unwrap();
    let state = format!("sqlite:{}", folder.path().join("state.db").display());
    let sandbox = sandbox();
    let order = row(&sandbox, "orders", 4);
    let down = br#"{"match": {"vendor": "commercetools"}, "fault": {"kind": "status", "status": 503}, "probability": 1.0}"#;
    sandbox.fault(down).unwrap();
    let engine = open(&options(&sandbox, &state)).await;
    assert_eq!(receive(&engine, changed("order", &order)).await["fetching"], 1);
    assert_eq!(receive(&engine, changed("order", &order)).await["duplicates"], 1, "that it must be read is safe");
    close(engine).await;
    assert_eq!(purchases(&sandbox), 0);

    // Another process, while the shop is still down, and the shop comes back: nobody has to say anything again.
    let engine = open(&options(&sandbox, &state)).await;
    sandbox.clear_faults();
    for _ in 0..100 {
        if purchases(&sandbox) == 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(purchases(&sandbox), 1);
    close(engine).await;
    let engine = open(&options(&sandbox, &state)).await;
    flush(&engine).await;
    assert_eq!(asked(&sandbox, "orders/{id} 200"), 1, "what was read is not read again");
    close(engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_is_not_asked_for_again() {
    let sandbox = sandbox();
    let engine = open(&options(&sandbox, "memory:")).await;
    assert_eq!(receive(&engine, changed("order", "00000000-0000-4000-8000-000000000000")).await["fetching"], 1);
    flush(&engine).await;
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    assert_eq!(asked(&sandbox, "orders/{id} 404"), 1);
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_read_with_its_order() {
    let sandbox = sandbox();
    let engine = open(&options(&sandbox, "memory:")).await;
    let payment = row(&sandbox, "payments", 4);
    let message = json!({"type": "PaymentTransactionStateChanged", "id": "m1", "version": 1, "sequenceNumber": 3, "resourceVersion": 3,
        "resource": {"typeId": "payment", "id": payment}, "transactionId": "t1", "state": "Success",
        "createdAt": "2026-11-21T10:00:00.000Z", "lastModifiedAt": "2026-11-21T10:00:00.000Z"});
    assert_eq!(receive(&engine, message.to_string().into()).await["fetching"], 1);
    flush(&engine).await;
    assert_eq!((asked(&sandbox, "payments/{id} 200"), asked(&sandbox, "orders 200")), (1, 1));
    assert_eq!(purchases(&sandbox), 1, "the order came along");
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_way_to_read_the_caller_is_told_what_to_read() {
    let sandbox = sandbox();
    let mut options = options(&sandbox, "memory:");
    options["source"].as_object_mut().unwrap().remove("pull");
    let engine = open(&options).await;
    let received = receive(&engine, changed("order", "o1")).await;
    assert_eq!(received["fetching"], 0);
    assert_eq!(received["fetches"][0]["resource"]["id"], "o1");
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_with_a_body_needs_no_reading() {
    let sandbox = sandbox();
    let engine = open(&options(&sandbox, "memory:")).await;
    let customer = json!({"id": "c1", "version": 1, "email": "ann@example.com", "isEmailVerified": false, "addresses": [],
        "createdAt": "2026-11-21T10:00:00.000Z", "lastModifiedAt": "2026-11-21T10:00:00.000Z"});
    let message = json!({"type": "CustomerCreated", "id": "m1", "version": 1, "sequenceNumber": 1, "resourceVersion": 1,
        "resource": {"typeId": "customer", "id": "c1"}, "customer": customer,
        "createdAt": "2026-11-21T10:00:00.000Z", "lastModifiedAt": "2026-11-21T10:00:00.000Z"});
    let received = receive(&engine, message.to_string().into()).await;
    assert!(received["accepted"].as_u64().unwrap() >= 1, "{received:#}");
    assert_eq!(received["fetching"], 0);
    flush(&engine).await;
    let profile = inspect(&sandbox, json!({"vendor": "iterable", "what": "profile", "email": "ann@example.com"}));
    assert_ne!(profile, Value::Null);
    assert_eq!(asked(&sandbox, "oauth/token 200"), 0);
    engine.close().await.unwrap();
}

fn wait_for_read() -> tokio::time::Sleep {
    tokio::time::sleep(std::time::Duration::from_millis(100))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_comes_again_is_a_duplicate_and_is_not_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let state = format!("sqlite:{}", folder.path().join("state.db").display());
    let sandbox = sandbox();
    let order = row(&sandbox, "orders", 2);
    let engine = open(&options(&sandbox, &state)).await;
    let first = receive(&engine, changed("order", &order)).await;
    assert_eq!((&first["fetching"], &first["duplicates"]), (&json!(1), &json!(0)), "{first:#}");
    flush(&engine).await;
    for again in [
        changed("order", &order),
        json!({"Type": "Notification", "TopicArn": "arn:aws:sns:eu:1:t",
        "Message": String::from_utf8_lossy(&changed("order", &order))})
        .to_string()
        .into(),
    ] {
        let again = receive(&engine, again).await;
        assert_eq!((&again["fetching"], &again["duplicates"], &again["fetches"]), (&json!(0), &json!(1), &json!([])), "{again:#}");
    }
    close(engine).await;
    // Another process knows, too; and another version of the same thing is news.
    let engine = open(&options(&sandbox, &state)).await;
    assert_eq!(receive(&engine, changed("order", &order)).await["duplicates"], 1);
    let newer = String::from_utf8_lossy(&changed("order", &order)).replace("\"version\":7", "\"version\":8");
    assert_eq!(receive(&engine, newer.into()).await["fetching"], 1);
    flush(&engine).await;
    assert_eq!(asked(&sandbox, "orders/{id} 200"), 2);
    close(engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_did_not_become_safe_is_not_taken_for_a_duplicate() {
    let sandbox = sandbox();
    let mut options = options(&sandbox, "memory:");
    options["source"].as_object_mut().unwrap().remove("pull");
    let engine = open(&options).await;
    for _ in 0..2 {
        // Read by the caller, of whom nobody knows whether they did.
        let named = receive(&engine, changed("order", "o1")).await;
        assert_eq!((named["fetches"].as_array().map(Vec::len), &named["duplicates"]), (Some(1), &json!(0)), "{named:#}");
        let broken = json!({"type": "CustomerCreated", "id": "m1", "version": 1, "sequenceNumber": 1, "resourceVersion": 1,
            "resource": {"typeId": "customer", "id": "c1"}, "customer": {"id": "c1", "version": "one"}});
        let refused = receive(&engine, broken.to_string().into()).await;
        assert_eq!((refused["rejected"].as_array().map(Vec::len), &refused["duplicates"]), (Some(1), &json!(0)), "{refused:#}");
    }
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_for_too_long_is_given_up_counted_and_read_when_asked() {
    let sandbox = sandbox();
    let order = row(&sandbox, "orders", 3);
    sandbox.fault(br#"{"match": {"vendor": "commercetools"}, "fault": {"kind": "status", "status": 503}, "probability": 1.0}"#).unwrap();
    let mut settings = options(&sandbox, "memory:");
    settings["fetch_patience_s"] = json!(0.2);
    let engine = open(&settings).await;
    assert_eq!(receive(&engine, changed("order", &order)).await["fetching"], 1);
    let mut flushed = flush(&engine).await;
    for _ in 0..100 {
        if flushed["unread"] == 1 {
            break;
        }
        wait_for_read().await;
        flushed = flush(&engine).await;
    }
    assert_eq!((&flushed["unread"], &flushed["waiting"]), (&json!(1), &json!(0)), "{flushed:#}");

    sandbox.clear_faults();
    let pull = async |options: Value| -> Value { serde_json::from_slice(&engine.pull(options.to_string().into()).await.unwrap()).unwrap() };
    let told = pull(json!({"streams": []})).await;
    assert_eq!((&told["unread"], &told["given_up"][0]["resource"]["id"]), (&json!(1), &json!(order)), "{told:#}");
    assert!(told["given_up"][0]["attempts"].as_u64() >= Some(2) && told["given_up"][0]["code"].is_string(), "{told:#}");
    assert_eq!(asked(&sandbox, "orders/{id} 200"), 0, "it is only told of");
    assert_eq!(pull(json!({"streams": [], "unread": true})).await["unread"], 0);
    assert_eq!(flush(&engine).await["unread"], 0);
    assert_eq!((asked(&sandbox, "orders/{id} 200"), purchases(&sandbox)), (1, 1));
    engine.close().await.unwrap();
}
