//! Pulling from a BigCommerce store that answers slowly, wrongly, in halves, and changes while it is read; and reading what
//! its webhooks name.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod pulling;

use std::path::Path;

use bytes::Bytes;
use cartwire::facade::Engine;
use cartwire_sandbox::Sandbox;
use serde_json::{Value, json};

use pulling::{inspect, open, pull};

const STORE: &str = "/stores/demo";

fn sandbox(shop: Value) -> Sandbox {
    pulling::sandbox("bigcommerce", shop)
}

fn options(sandbox: &Sandbox, state: &str) -> Value {
    let source = json!({"type": "bigcommerce", "store": "demo", "locale": "en", "currency": "USD",
            "webhooks": {"token": "sandbox-hook"},
            "pull": {"api_url": sandbox.url("bigcommerce").unwrap(), "access_token": "sandbox-token"}});
    pulling::options(source, sandbox, state)
}

fn counts(sandbox: &Sandbox) -> Value {
    inspect(sandbox, json!({"vendor": "bigcommerce", "what": "counts"}))
}

fn purchases(sandbox: &Sandbox) -> Vec<Value> {
    inspect(sandbox, json!({"vendor": "iterable", "what": "purchases"})).as_array().unwrap().clone()
}

/// How many orders a marketer hears of as purchases: those that were placed and not called off.
fn bought(sandbox: &Sandbox) -> usize {
    let statuses = counts(sandbox)["statuses"].clone();
    let bought = statuses.as_object().unwrap().iter().filter(|(status, _)| !matches!(status.as_str(), "0" | "5" | "6"));
    bought.map(|(_, count)| usize::try_from(count.as_u64().unwrap()).unwrap()).sum()
}

fn rows(report: &Value, stream: &str) -> u64 {
    report["streams"][stream]["rows"].as_u64().unwrap_or_else(|| panic!("{report:#}"))
}

/// Changes something in the store, and has the engine receive what the platform calls with.
async fn change(sandbox: &Sandbox, engine: &Engine, mut spec: Value) -> Vec<Value> {
    spec["vendor"] = "bigcommerce".into();
    let changed: Value = serde_json::from_slice(&sandbox.change(spec.to_string().as_bytes()).unwrap()).unwrap();
    let mut received = Vec::new();
    for hook in changed["webhooks"].as_array().unwrap() {
        let options = json!({"headers": hook["headers"]}).to_string();
        let body = Bytes::from(hook["body"].as_str().unwrap().to_owned());
        received.push(serde_json::from_slice(&engine.receive(options.into(), body).await.unwrap()).unwrap());
    }
    received
}

async fn flush(engine: &Engine) -> Value {
    serde_json::from_slice(&engine.flush(r#"{"timeout_s": 20}"#.into()).await.unwrap()).unwrap()
}

fn record(sandbox: &Sandbox, name: &str) {
    if let Some(folder) = std::env::var_os("CARTWIRE_EXCHANGES_DIR") {
        std::fs::write(Path::new(&folder).join(format!("pull_bigcommerce_{name}.ndjson")), sandbox.exchanges()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_pull_reads_all_there_is_and_the_next_one_only_what_changed() {
    let sandbox = sandbox(json!({"orders": 300, "customers": 300, "subscribers": 260, "products": 120, "incomplete_every": 10}));
    let engine = open(&options(&sandbox, "memory:")).await;
    let first = pull(&engine, json!({})).await;
    for (stream, wanted) in [("categories", 10), ("products", 120), ("customers", 300), ("subscribers", 260), ("orders", 300)] {
        assert_eq!(rows(&first, stream), wanted, "{stream}: {first:#}");
        assert_eq!(first["streams"][stream]["complete"], true, "{stream}: {first:#}");
        assert_eq!(first["streams"][stream]["mode"], "backfill", "what was there before anyone asked is history");
    }
    assert_eq!((first["stopped"].clone(), first["retries"].clone()), (Value::Null, json!(0)), "{first:#}");
    assert_eq!(first["run"]["counts"]["rejected"], 0, "{first:#}");
    assert_eq!(purchases(&sandbox).len(), bought(&sandbox));
    assert!((200..270).contains(&bought(&sandbox)), "every tenth order never got further than the payment page");
    let second = pull(&engine, json!({})).await;
    for stream in ["products", "customers", "subscribers", "orders", "refunds"] {
        assert_eq!(rows(&second, stream), 0, "{stream}: {second:#}");
        assert_eq!(second["streams"][stream]["mode"], "live");
    }
    assert_eq!(rows(&second, "categories"), 10, "without a date they are read whole");
    assert_eq!(purchases(&sandbox).len(), bought(&sandbox));
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_refused_reset_or_cut_are_asked_for_again_and_every_order_arrives_once() {
    let sandbox = sandbox(json!({"orders": 400, "incomplete_every": 0}));
    for (fault, probability, seed) in [
        (json!({"kind": "status", "status": 429}), 0.05, 1),
        (json!({"kind": "status", "status": 503, "retry_after": "0"}), 0.05, 2),
        (json!({"kind": "reset"}), 0.03, 3),
        (json!({"kind": "truncated_body"}), 0.05, 4),
    ] {
        let spec = json!({"match": {"vendor": "bigcommerce", "path": STORE}, "fault": fault, "probability": probability, "seed": seed});
        sandbox.fault(spec.to_string().as_bytes()).unwrap();
    }
    let engine = open(&options(&sandbox, "memory:")).await;
    let report = pull(&engine, json!({"streams": ["orders"], "mode": "live"})).await;
    assert_eq!((rows(&report, "orders"), report["run"]["counts"]["rejected"].clone()), (400, json!(0)), "{report:#}");
    assert!(report["retries"].as_u64().unwrap() >= 20, "{report:#}");
    assert_eq!(purchases(&sandbox).len(), bought(&sandbox));
    let told = inspect(&sandbox, json!({"vendor": "iterable", "what": "counts"}));
    assert_eq!(told["purchases"]["updates"], 0, "{told:#}");
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_change_while_they_are_read_are_neither_lost_nor_old_in_the_end() {
    for (stream, wanted) in [("products", 330), ("customers", 900), ("subscribers", 900), ("orders", 400)] {
        let mut shop = json!({"incomplete_every": 0, "orders": 1, "changes_per_page": 30, "most_changes": 150});
        shop[stream] = wanted.into();
        let sandbox = sandbox(shop);
        let engine = open(&options(&sandbox, "memory:")).await;
        let first = pull(&engine, json!({"streams": [stream], "mode": "live"})).await;
        let changed = counts(&sandbox)["changed"][stream].as_u64().unwrap();
        assert!(changed > 50, "{stream}: {changed}");
        assert!(rows(&first, stream) >= wanted, "no row is missing: {first:#}");
        // Filters go by the second, and leave the one out that is not over.
        tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
        let second = pull(&engine, json!({"streams": [stream], "mode": "live"})).await;
        assert!(rows(&second, stream) >= changed, "the overlap reads all changes again: {second:#}");
        if stream == "orders" {
            assert_eq!(rows(&first, stream), wanted, "rows keep their places in the order of ids");
            assert_eq!(purchases(&sandbox).len(), bought(&sandbox));
        }
        engine.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_budget_of_the_store_is_kept_without_running_into_it() {
    let sandbox = sandbox(json!({"orders": 60, "incomplete_every": 0, "requests_per_window": 60, "window_ms": 200}));
    let engine = open(&options(&sandbox, "memory:")).await;
    let report = pull(&engine, json!({"streams": ["orders"], "mode": "live"})).await;
    assert_eq!((rows(&report, "orders"), report["stopped"].clone()), (60, Value::Null), "{report:#}");
    assert!(report["requests"].as_u64().unwrap() > 120, "several windows: {report:#}");
    assert_eq!(report["retries"], 0, "nothing was refused: {report:#}");
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_ends_at_a_page_and_the_next_process_goes_on_there() {
    let folder = tempfile::tempdir().unwrap();
    let state = format!("sqlite:{}", folder.path().join("state.db").display());
    let sandbox = sandbox(json!({"orders": 130, "incomplete_every": 0}));
    let mut read = Vec::new();
    for _ in 0..3 {
        let engine = open(&options(&sandbox, &state)).await;
        let report = pull(&engine, json!({"streams": ["orders"], "limit": 40})).await;
        assert_eq!(report["streams"]["orders"]["mode"], "backfill", "the first pass is history to its end: {report:#}");
        read.push(rows(&report, "orders"));
        engine.close().await.unwrap();
    }
    assert_eq!(read, [50, 50, 30]);
    assert_eq!(purchases(&sandbox).len(), bought(&sandbox));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_an_error_that_says_what_to_check() {
    let sandbox = sandbox(json!({}));
    let mut wrong = options(&sandbox, "memory:");
    wrong["source"]["pull"]["access_token"] = "not it".into();
    let engine = open(&wrong).await;
    let error = engine.pull(Bytes::new()).await.unwrap_err();
    assert_eq!(error.code().name(), "unauthorized");
    assert!(error.to_string().contains("access token") && !error.to_string().contains("not it"), "{error}");
    engine.close().await.unwrap();
    wrong["source"].as_object_mut().unwrap().remove("pull");
    let engine = open(&wrong).await;
    let error = engine.pull(Bytes::new()).await.unwrap_err();
    assert_eq!((error.code().name(), error.path()), ("invalid_config", Some("/source/pull")));
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_one_stream_may_not_read_does_not_keep_the_others() {
    let sandbox = sandbox(json!({"orders": 10, "incomplete_every": 0}));
    let spec = br#"{"match": {"vendor": "bigcommerce", "path": "/stores/demo/v3/customers"}, "fault": {"kind": "status", "status": 403}, "times": 9}"#;
    sandbox.fault(spec).unwrap();
    let engine = open(&options(&sandbox, "memory:")).await;
    let report = pull(&engine, json!({"streams": ["orders", "customers"]})).await;
    assert!(report["streams"]["customers"]["stopped"].as_str().unwrap().contains("scope"), "{report:#}");
    assert_eq!((rows(&report, "orders"), report["stopped"].clone()), (10, Value::Null));
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_webhook_names_is_read_and_told_with_what_happened_to_it() {
    let sandbox = sandbox(json!({"orders": 20, "customers": 20, "carts": 20, "products": 20, "subscribers": 20}));
    let engine = open(&options(&sandbox, "memory:")).await;
    let placed = change(&sandbox, &engine, json!({"resource": "order", "do": "place"})).await;
    assert_eq!((placed[0]["fetching"].clone(), placed[0]["rejected"].clone()), (json!(1), json!([])), "{placed:#?}");
    flush(&engine).await;
    let bought = purchases(&sandbox);
    assert_eq!(bought.len(), 1);
    let id = bought[0]["id"].as_str().unwrap().rsplit(['-', ':']).next().unwrap().parse::<u64>().unwrap();
    for step in ["pay", "ship", "refund"] {
        change(&sandbox, &engine, json!({"resource": "order", "id": id, "do": step})).await;
        flush(&engine).await;
    }
    assert_eq!(purchases(&sandbox).len(), 1, "the same order all along");
    let events = || -> Vec<String> {
        let events = inspect(&sandbox, json!({"vendor": "iterable", "what": "events"}));
        events.as_array().unwrap().iter().map(|event| event["name"].as_str().unwrap_or_default().to_lowercase()).collect()
    };
    for word in ["ship", "refund"] {
        assert!(events().iter().any(|name| name.contains(word)), "{word}: {:?}", events());
    }
    let carts = inspect(&sandbox, json!({"vendor": "bigcommerce", "what": "carts"}));
    for cart in carts.as_array().unwrap().iter().take(4) {
        change(&sandbox, &engine, json!({"resource": "cart", "id": cart["id"], "do": "edit", "fields": {}})).await;
        change(&sandbox, &engine, json!({"resource": "cart", "id": cart["id"], "do": "abandon"})).await;
    }
    flush(&engine).await;
    assert!(events().iter().any(|name| name.contains("abandon")), "{:?}", events());
    for resource in ["customer", "product", "subscriber"] {
        let rows = inspect(&sandbox, json!({"vendor": "bigcommerce", "what": "rows", "resource": format!("{resource}s")}));
        let id = rows[0]["id"].clone();
        let received = change(&sandbox, &engine, json!({"resource": resource, "id": id, "do": "edit", "fields": {}})).await;
        assert_eq!(received[0]["fetching"], 1, "{resource}: {received:#?}");
    }
    let report = flush(&engine).await;
    let unanswered = counts(&sandbox);
    assert!(!unanswered.to_string().contains(" 422") && !unanswered.to_string().contains(" 400"), "{unanswered:#}");
    assert_eq!(report["dead_letters"].as_u64().unwrap_or(0), 0, "{report:#}");
    record(&sandbox, "webhooks");
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_by_the_time_it_is_read_is_no_failure() {
    let sandbox = sandbox(json!({"orders": 5, "customers": 5, "carts": 5, "products": 5, "subscribers": 5}));
    let engine = open(&options(&sandbox, "memory:")).await;
    for (kind, id) in [("customer", json!(999_999)), ("order", json!(999_999)), ("product", json!(999_999)), ("subscriber", json!(999_999))]
    {
        let hook = json!({"scope": format!("store/{kind}/updated"), "store_id": "1025646", "producer": "stores/demo", "hash": kind,
            "created_at": chrono::Utc::now().timestamp(), "data": {"type": kind, "id": id}});
        let headers = json!({"headers": {"x-webhook-token": "sandbox-hook"}}).to_string();
        let received: Value = serde_json::from_slice(&engine.receive(headers.into(), hook.to_string().into()).await.unwrap()).unwrap();
        assert_eq!(received["fetching"], 1, "{received:#}");
    }
    flush(&engine).await;
    let asked = counts(&sandbox)["requests"].clone();
    assert!(asked.as_object().unwrap().iter().filter(|(name, _)| name.ends_with(" 404")).count() >= 3, "{asked:#}");
    // Settled: nothing is asked for again.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(counts(&sandbox)["requests"], asked);
    record(&sandbox, "gone");
    engine.close().await.unwrap();
}

/// With `CARTWIRE_EXCHANGES_DIR` set, everything asked and answered is written there and held against the vendor's documents.
#[tokio::test(flavor = "multi_thread")]
async fn every_stream_is_asked_and_answered_in_the_platforms_own_terms() {
    let shop = json!({"orders": 60, "customers": 40, "products": 130, "subscribers": 40, "wishlists": 10, "price_records": 20});
    let sandbox = sandbox(shop);
    let mut options = options(&sandbox, "memory:");
    options["source"]["pull"]["price_lists"] = true.into();
    options["source"]["pull"]["inventory"] = true.into();
    options["source"]["contact_fields"] = json!([{"field": "erp.segment"}]);
    options["source"]["order_fields"] = json!([{"field": "erp.number"}]);
    let engine = open(&options).await;
    let streams = [
        "categories",
        "products",
        "customers",
        "customer_attributes",
        "subscribers",
        "orders",
        "refunds",
        "price_records",
        "inventory",
        "wishlists",
    ];
    let report = pull(&engine, json!({"streams": streams, "since": "2015-01-01T00:00:00Z"})).await;
    for stream in streams {
        assert_eq!(report["streams"][stream]["complete"], true, "{stream}: {report:#}");
        assert!(rows(&report, stream) > 0, "{stream}: {report:#}");
    }
    assert_eq!(report["run"]["counts"]["rejected"], 0, "{report:#}");
    let asked = counts(&sandbox)["requests"].to_string();
    assert!(!asked.contains(" 422") && !asked.contains(" 400"), "{asked}");
    record(&sandbox, "streams");
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_deleted_while_a_list_is_read_takes_no_other_with_it() {
    let sandbox = sandbox(json!({"customers": 600, "subscribers": 600}));
    let engine = open(&options(&sandbox, "memory:")).await;
    for (stream, resource) in [("subscribers", "subscriber"), ("customers", "customer")] {
        let listed = inspect(&sandbox, json!({"vendor": "bigcommerce", "what": "rows", "resource": stream}));
        let mut ids: Vec<u64> = listed.as_array().unwrap().iter().filter_map(|row| row["id"].as_u64()).collect();
        ids.sort_unstable();
        let first = pull(&engine, json!({"streams": [stream], "limit": 1})).await;
        assert_eq!(rows(&first, stream), 250, "{first:#}");
        // The row that the cursor points to, and one on the page that was read.
        for id in [ids[249], ids[3]] {
            sandbox
                .change(json!({"vendor": "bigcommerce", "resource": resource, "id": id, "do": "delete"}).to_string().as_bytes())
                .unwrap();
        }
        let rest = pull(&engine, json!({"streams": [stream]})).await;
        assert_eq!(rest["streams"][stream]["complete"], true, "{rest:#}");
        assert!(rows(&rest, stream) >= 350, "none of the {stream} behind it is missing: {rest:#}");
    }
    engine.close().await.unwrap();
}
