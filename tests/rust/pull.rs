//! Pulling from a shop that answers slowly, wrongly, in halves, and changes while it is read.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod pulling;

use bytes::Bytes;
use cartwire_sandbox::Sandbox;
use serde_json::{Value, json};

use pulling::{inspect, open, pull};

fn sandbox(shop: Value) -> Sandbox {
    pulling::sandbox("commercetools", shop)
}

fn options(sandbox: &Sandbox, state: &str) -> Value {
    let shop = sandbox.url("commercetools").unwrap();
    let source = json!({"type": "commercetools", "project": "demo", "locale": "en", "currency": "EUR", "country": "DE",
            "pull": {"api_url": shop, "auth_url": shop, "client_id": "sandbox-client", "client_secret": "sandbox-secret"}});
    pulling::options(source, sandbox, state)
}

fn shop_counts(sandbox: &Sandbox) -> Value {
    inspect(sandbox, json!({"vendor": "commercetools", "what": "counts"}))
}

fn purchases(sandbox: &Sandbox) -> usize {
    inspect(sandbox, json!({"vendor": "iterable", "what": "purchases"})).as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_pull_reads_all_there_is_and_the_next_one_only_what_changed() {
    let sandbox = sandbox(json!({"orders": 1_200, "customers": 60, "carts": 40}));
    let engine = open(&options(&sandbox, "memory:")).await;
    let first = pull(&engine, json!({})).await;
    let rows = |report: &Value, stream: &str| report["streams"][stream]["rows"].as_u64().unwrap();
    for (stream, wanted) in [("categories", 10), ("products", 120), ("customers", 60), ("orders", 1_200), ("payments", 100)] {
        assert_eq!(rows(&first, stream), wanted, "{stream}: {first:#}");
        assert_eq!(first["streams"][stream]["complete"], true, "{stream}: {first:#}");
        assert_eq!(first["streams"][stream]["mode"], "backfill", "what was there before anyone asked is history");
    }
    assert_eq!(first["stopped"], Value::Null, "{first:#}");
    assert_eq!(first["retries"], 0, "{first:#}");
    // 1,200 orders are six pages of 200, and one to see that there are no more.
    assert_eq!(first["streams"]["orders"]["pages"], 7);
    assert_eq!(first["run"]["counts"]["rejected"], 0, "{first:#}");
    assert_eq!(purchases(&sandbox), 1_200);
    let second = pull(&engine, json!({})).await;
    for stream in ["products", "customers", "orders"] {
        assert_eq!(rows(&second, stream), 0, "{stream}: {second:#}");
        assert_eq!(second["streams"][stream]["mode"], "live");
    }
    assert_eq!(shop_counts(&sandbox)["tokens"], 1, "one token serves both pulls");
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_that_are_refused_reset_or_cut_are_read_again_and_every_order_arrives_once() {
    let sandbox = sandbox(json!({"orders": 6_000, "ballast": 0, "payments": 0, "most_page_bytes": 700_000}));
    for (fault, probability, seed) in [
        (json!({"kind": "status", "status": 429}), 0.15, 1),
        (json!({"kind": "status", "status": 503, "retry_after": "0"}), 0.1, 2),
        (json!({"kind": "reset"}), 0.1, 3),
        (json!({"kind": "truncated_body"}), 0.15, 4),
        (json!({"kind": "status", "status": 401}), 0.05, 5),
    ] {
        let spec = json!({"match": {"vendor": "commercetools", "path": "/demo"}, "fault": fault, "probability": probability, "seed": seed});
        sandbox.fault(spec.to_string().as_bytes()).unwrap();
    }
    let engine = open(&options(&sandbox, "memory:")).await;
    let report = pull(&engine, json!({"streams": ["orders"], "mode": "live"})).await;
    assert_eq!(report["streams"]["orders"]["rows"], 6_000, "{report:#}");
    assert!(report["retries"].as_u64().unwrap() >= 5, "{report:#}");
    let asked = shop_counts(&sandbox);
    assert!(asked["requests"]["orders 400"].as_u64().unwrap() >= 1, "a page was too large: {asked:#}");
    assert_eq!(purchases(&sandbox), 6_000);
    let counts = inspect(&sandbox, json!({"vendor": "iterable", "what": "counts"}));
    assert_eq!(counts["purchases"]["updates"], 0, "{counts:#}");
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_change_while_they_are_read_are_neither_lost_nor_old_in_the_end() {
    let sandbox = sandbox(json!({"orders": 3_000, "ballast": 0, "payments": 0, "changes_per_page": 40, "most_changes": 200}));
    let engine = open(&options(&sandbox, "memory:")).await;
    let first = pull(&engine, json!({"streams": ["orders"], "mode": "live"})).await;
    assert_eq!(first["streams"]["orders"]["rows"], 3_000, "rows keep their places in the order of ids: {first:#}");
    let second = pull(&engine, json!({"streams": ["orders"], "mode": "live"})).await;
    let changed = shop_counts(&sandbox)["changed"]["orders"].as_u64().unwrap();
    assert!(changed > 100, "{changed}");
    assert_eq!(second["streams"]["orders"]["rows"].as_u64().unwrap(), changed, "the overlap reads all changes again: {second:#}");
    assert_eq!(purchases(&sandbox), 3_000);
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_ends_at_a_page_and_the_next_pull_goes_on_there() {
    let folder = tempfile::tempdir().unwrap();
    let state = format!("sqlite:{}", folder.path().join("state.db").display());
    let sandbox = sandbox(json!({"orders": 1_300, "ballast": 0, "payments": 0}));
    let mut read = Vec::new();
    for _ in 0..3 {
        let engine = open(&options(&sandbox, &state)).await;
        let report = pull(&engine, json!({"streams": ["orders"], "limit": 450})).await;
        assert_eq!(report["streams"]["orders"]["mode"], "backfill", "the first pass is history to its end: {report:#}");
        read.push((report["streams"]["orders"]["rows"].as_u64().unwrap(), report["streams"]["orders"]["complete"].as_bool().unwrap()));
        engine.close().await.unwrap();
    }
    assert_eq!(read, [(600, false), (600, false), (100, true)]);
    assert_eq!(purchases(&sandbox), 1_300);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_ends_is_renewed_before_and_one_that_is_refused_after() {
    let sandbox = sandbox(json!({"orders": 4_000, "ballast": 0, "payments": 0, "token_lifetime_s": 1}));
    sandbox.fault(br#"{"match": {"vendor": "commercetools", "path": "/demo"}, "fault": {"kind": "latency", "delay_ms": 150}, "probability": 1.0}"#).unwrap();
    let engine = open(&options(&sandbox, "memory:")).await;
    let report = pull(&engine, json!({"streams": ["orders"]})).await;
    assert_eq!(report["streams"]["orders"]["rows"], 4_000, "{report:#}");
    let counts = shop_counts(&sandbox);
    assert!(counts["tokens"].as_u64().unwrap() >= 2, "{counts:#}");
    assert_eq!(counts["requests"]["orders 401"], Value::Null, "renewed in time: {counts:#}");
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_are_an_error_that_says_what_to_check() {
    let sandbox = sandbox(json!({}));
    let mut wrong = options(&sandbox, "memory:");
    wrong["source"]["pull"]["client_secret"] = "not it".into();
    let engine = open(&wrong).await;
    let error = engine.pull(Bytes::new()).await.unwrap_err();
    assert_eq!(error.code().name(), "unauthorized");
    assert!(!error.to_string().contains("not it"));
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_one_stream_lacks_does_not_keep_the_others() {
    let sandbox = sandbox(json!({"orders": 10}));
    let spec =
        br#"{"match": {"vendor": "commercetools", "path": "/demo/customers"}, "fault": {"kind": "status", "status": 403}, "times": 9}"#;
    sandbox.fault(spec).unwrap();
    let engine = open(&options(&sandbox, "memory:")).await;
    let report = pull(&engine, json!({"streams": ["orders", "customers"]})).await;
    assert!(report["streams"]["customers"]["stopped"].as_str().unwrap().contains("scope"), "{report:#}");
    assert_eq!(report["streams"]["orders"]["rows"], 10);
    assert_eq!(report["stopped"], Value::Null);
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_settings_that_do_not_exist_are_refused_before_anything_is_asked() {
    let sandbox = sandbox(json!({}));
    let engine = open(&options(&sandbox, "memory:")).await;
    let error = engine.pull(r#"{"streams": ["orders", "invoices"]}"#.into()).await.unwrap_err();
    assert_eq!((error.code().name(), error.path()), ("unknown_name", Some("/streams/1")));
    engine.close().await.unwrap();
    let mut without = options(&sandbox, "memory:");
    without["source"].as_object_mut().unwrap().remove("pull");
    let engine = open(&without).await;
    let error = engine.pull(Bytes::new()).await.unwrap_err();
    assert_eq!((error.code().name(), error.path()), ("invalid_config", Some("/source/pull")));
    engine.close().await.unwrap();
    assert_eq!(shop_counts(&sandbox)["tokens"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_and_prices_that_changed_have_their_products_read() {
    let sandbox = sandbox(json!({"products": 40, "inventory": 30, "standalone_prices": 5}));
    let engine = open(&options(&sandbox, "memory:")).await;
    let report = pull(&engine, json!({"streams": ["inventory", "standalone_prices"]})).await;
    assert_eq!(report["streams"]["inventory"]["rows"], 30, "{report:#}");
    // 30 products of the stock, and 5 of the prices, which are among them.
    assert_eq!(report["run"]["counts"]["rows"], 35, "{report:#}");
    let catalogs = inspect(&sandbox, json!({"vendor": "iterable", "what": "catalogs"}));
    assert!(!catalogs.to_string().contains("\"products\":{}"), "{catalogs:#}");
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_store_is_read_where_one_is_set() {
    let sandbox = sandbox(json!({"orders": 200, "customers": 50, "payments": 40}));
    let mut options = options(&sandbox, "memory:");
    options["source"]["pull"]["store"] = "store-jp".into();
    let engine = open(&options).await;
    let report = pull(&engine, json!({"streams": ["orders"]})).await;
    let rows = report["streams"]["orders"]["rows"].as_u64().unwrap();
    assert!((1..200).contains(&rows), "{report:#}");
    assert_eq!(purchases(&sandbox) as u64, rows);
    engine.close().await.unwrap();
}

/// With `CARTWIRE_EXCHANGES_DIR` set, everything asked and answered is written there and held against the vendor's document.
#[tokio::test(flavor = "multi_thread")]
async fn every_stream_is_asked_and_answered_in_the_platforms_own_terms() {
    let sandbox = sandbox(json!({"orders": 30, "payments": 20, "customers": 20, "products": 20, "carts": 20, "inventory": 25}));
    let streams = [
        "categories",
        "products",
        "customers",
        "orders",
        "payments",
        "carts",
        "abandoned_carts",
        "inventory",
        "standalone_prices",
        "discount_codes",
        "shopping_lists",
    ];
    let mut options = options(&sandbox, "memory:");
    options["source"]["pull"]["scopes"] = json!(["view_orders:demo", "view_customers:demo"]);
    for store in [Value::Null, json!("store-eu")] {
        options["source"]["pull"]["store"] = store;
        let engine = open(&options).await;
        let report = pull(&engine, json!({"streams": streams, "since": "2025-01-01T00:00:00Z"})).await;
        for stream in streams {
            assert_eq!(report["streams"][stream]["complete"], true, "{stream}: {report:#}");
            assert!(report["streams"][stream]["rows"].as_u64().unwrap() > 0, "{stream}: {report:#}");
        }
        engine.close().await.unwrap();
    }
    if let Some(folder) = std::env::var_os("CARTWIRE_EXCHANGES_DIR") {
        std::fs::write(std::path::Path::new(&folder).join("pull.ndjson"), sandbox.exchanges()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn carts_left_alone_are_told_once_for_what_is_in_them() {
    let sandbox = sandbox(json!({"carts": 30, "customers": 20}));
    let mut options = options(&sandbox, "memory:");
    options["source"]["pull"]["abandoned_after_minutes"] = 30.into();
    let engine = open(&options).await;
    let first = pull(&engine, json!({"streams": ["abandoned_carts"], "since": "2025-01-01T00:00:00Z"})).await;
    assert_eq!(first["streams"]["abandoned_carts"]["rows"], 30, "{first:#}");
    let abandoned = |sandbox: &Sandbox| {
        let events = inspect(sandbox, json!({"vendor": "iterable", "what": "events"}));
        events
            .as_array()
            .unwrap()
            .iter()
            .filter(|event| event["name"].as_str().unwrap_or_default().to_lowercase().contains("abandon"))
            .count()
    };
    assert_eq!(abandoned(&sandbox), 30);
    let again = pull(&engine, json!({"streams": ["abandoned_carts"], "since": "2025-02-01T00:00:00Z"})).await;
    assert_eq!(again["streams"]["abandoned_carts"]["rows"], 30, "{again:#}");
    assert_eq!(abandoned(&sandbox), 30);
    engine.close().await.unwrap();
}
