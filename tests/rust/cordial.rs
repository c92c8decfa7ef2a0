//! The whole way into Cordial: a made-up shop, the engine, the sandbox. Who ends subscribed, and what would have started.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use bytes::Bytes;
use cartwire::delivery::{HttpOptions, HttpTransport, Transport};
use cartwire::destinations::{DestinationConfig, Held};
use cartwire::facade::Engine;
use cartwire::model::Record;
use cartwire_sandbox::Sandbox;
use cartwire_sandbox::shop::ShopOptions;
use serde_json::{Value, json};

fn sandbox(change: Value) -> Sandbox {
    let mut account = json!({"rate_limits": false, "lists": ["vip"],
        "supplements": [{"key": "shipments", "indexes": ["order_id"], "contact_object": true}, {"key": "categories"}]});
    for (name, value) in change.as_object().unwrap() {
        account[name] = value.clone();
    }
    Sandbox::start(json!({"vendors": ["cordial"], "cordial": account}).to_string().as_bytes()).unwrap()
}

fn options(sandbox: &Sandbox, change: Value) -> Value {
    let url = sandbox.url("cordial").unwrap();
    let mut destination = json!({"type": "cordial", "api_key": "sandbox-key", "base_url": url, "customer_id_attribute": "customer_id",
        "channels": {"email": "email", "sms": "sms"}, "asynchronous": {"base_url": url},
        "attributes": {"first_name": {"key": "first_name"}, "last_name": {"key": "last_name"}, "loyaltyPoints": {"key": "points", "type": "number"},
            "address": {"key": "home_address", "type": "geo"}, "consent_email_at": {"key": "consent_email_at", "type": "date"}}});
    for (name, value) in change.as_object().unwrap() {
        destination[name] = value.clone();
    }
    json!({
        "source": {"type": "commercetools", "project": "demo", "locale": "en", "fallback_locales": ["en"],
            "consents": [{"channel": "email", "field": "newsletter", "at_field": "newsletterAt", "source_field": "newsletterSource"}],
            "contact_fields": [{"field": "loyaltyPoints"}], "brand_attribute": "brand", "currency": "EUR", "country": "DE"},
        "destination": destination, "state": "memory:", "rate_limits": false,
        "retry": {"base_delay_ms": 10, "max_delay_ms": 100, "throttle_floor_ms": 10},
    })
}

async fn open(options: &Value) -> Engine {
    Engine::open(options.to_string().as_bytes()).await.unwrap()
}

fn shop(resource: &str, count: u64, revision: u64) -> Bytes {
    let options = ShopOptions { resource: resource.to_owned(), count, revision, customers: 60, ..ShopOptions::default() };
    let mut out = Vec::new();
    options.write(&mut out).unwrap();
    out.into()
}

async fn deliver(engine: &Engine, call: Value, data: Bytes) -> Value {
    serde_json::from_slice(&engine.deliver(call.to_string().into(), data).await.unwrap()).unwrap()
}

fn live(resource: &str) -> Value {
    json!({"resource": resource, "format": "ndjson"})
}

fn backfill(resource: &str) -> Value {
    json!({"resource": resource, "format": "ndjson", "mode": "backfill"})
}

/// Canonical records need no source.
fn canonical(body: Value, envelope: Value) -> Bytes {
    let mut all = json!({"source": "commercetools", "tenant": "demo", "resource": {"type": "thing", "id": "r"},
        "occurred_at": "2026-01-01T10:00:00Z", "observed_at": "2026-01-01T10:00:05Z", "identity": {"customer_id": "c-1", "email": "mara@example.com"},
        "correlation_id": "corr", "idempotency_key": "k-1"});
    for (name, value) in envelope.as_object().unwrap() {
        all[name] = value.clone();
    }
    format!("{}\n", json!({"envelope": all, "body": body})).into()
}

fn records_only(mut options: Value) -> Value {
    options.as_object_mut().unwrap().remove("source");
    options
}

fn inspect(sandbox: &Sandbox, query: Value) -> Value {
    serde_json::from_slice(&sandbox.inspect(query.to_string().as_bytes()).unwrap()).unwrap()
}

fn counts(sandbox: &Sandbox) -> Value {
    inspect(sandbox, json!({"what": "counts"}))
}

fn keep(sandbox: &Sandbox, name: &str) {
    if let Some(folder) = std::env::var_os("CARTWIRE_EXCHANGES_DIR") {
        std::fs::write(std::path::Path::new(&folder).join(format!("cordial-sync-{name}.ndjson")), sandbox.exchanges()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_arrives_once_and_only_changes_go_after_that() {
    let sandbox = sandbox(json!({}));
    let engine = open(&options(&sandbox, json!({}))).await;
    let check: Value = serde_json::from_slice(&engine.check().await.unwrap()).unwrap();
    assert_eq!(check["ok"], true, "{check:#}");
    let first = deliver(&engine, live("customer"), shop("customer", 60, 1)).await;
    assert_eq!((first["counts"]["delivered"].as_u64(), first["counts"]["dead_lettered"].as_u64()), (Some(59), Some(1)), "{first:#}");
    let products = deliver(&engine, live("product"), shop("product", 30, 1)).await;
    assert_eq!(products["counts"]["delivered"], 30, "{products:#}");
    let orders = deliver(&engine, live("order"), shop("order", 40, 1)).await;
    assert_eq!(orders["counts"]["pending"], 0, "{orders:#}");
    let before = counts(&sandbox);
    assert_eq!(before["orders"]["updates"], 0, "{before:#}");
    for resource in ["customer", "product", "order"] {
        let count = if resource == "customer" {
            60
        } else if resource == "product" {
            30
        } else {
            40
        };
        let again = deliver(&engine, live(resource), shop(resource, count, 1)).await;
        assert_eq!(again["counts"]["delivered"], 0, "{resource}: {again:#}");
    }
    let after = counts(&sandbox);
    assert_eq!((&before["orders"], &before["triggers"]), (&after["orders"], &after["triggers"]), "{before:#} {after:#}");
    let changed = deliver(&engine, live("customer"), shop("customer", 60, 2)).await;
    assert_eq!(changed["counts"]["delivered"], 2, "{changed:#}");
    keep(&sandbox, "shop");
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_starts_nothing_and_subscribes_nobody() {
    let sandbox = sandbox(json!({}));
    let engine = open(&options(&sandbox, json!({"supplements": {"shipments": "shipments", "categories": "categories"}}))).await;
    for (resource, count) in [("customer", 40), ("product", 10), ("order", 30), ("cart", 10), ("category", 5)] {
        let report = deliver(&engine, backfill(resource), shop(resource, count, 1)).await;
        assert_eq!(report["counts"]["pending"], 0, "{resource}: {report:#}");
    }
    let triggers = inspect(&sandbox, json!({"what": "triggers"}));
    let started: Vec<&String> = triggers.as_object().unwrap().keys().filter(|name| *name != "subscribe_status:email").collect();
    assert_eq!(started, Vec::<&String>::new(), "{triggers:#}");
    assert_eq!(inspect(&sandbox, json!({"what": "subscribed"})), json!({}));
    assert!(counts(&sandbox)["orders"]["distinct"].as_u64() > Some(20));
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guests_order_makes_a_contact_without_permission_and_starts_one_automation() {
    let sandbox = sandbox(json!({}));
    let engine = open(&records_only(options(&sandbox, json!({})))).await;
    let money = |amount: &str| json!({"amount": amount, "currency": "EUR"});
    let order = |status: &str| {
        json!({"type": "order", "id": "o-1", "placed_at": "2026-01-01T09:59:00Z", "status": status,
            "lines": [{"id": "l1", "sku": "TEE", "product_id": "p-1", "name": "Tee", "quantity": 2, "unit_list_price": money("10"), "unit_price": money("10"), "total": money("20")}],
            "totals": {"subtotal": money("20"), "shipping": money("0"), "discount": money("0"), "tax_added": money("0"), "total": money("20")}})
    };
    let guest =
        |version: u64| json!({"identity": {"email": "guest@example.org"}, "version": version, "idempotency_key": format!("k-{version}")});
    let first = deliver(&engine, json!({"format": "ndjson"}), canonical(order("open"), guest(1))).await;
    assert_eq!(first["counts"]["dead_lettered"], 0, "{first:#}");
    let shown = inspect(&sandbox, json!({"what": "profile", "email": "guest@example.org"}));
    assert_eq!(
        (shown["channels"]["email"]["subscribeStatus"].as_str(), shown["triggers"].clone()),
        (Some("none"), json!({"order": 1})),
        "{shown:#}"
    );
    deliver(&engine, json!({"format": "ndjson"}), canonical(order("complete"), guest(2))).await;
    let shown = inspect(&sandbox, json!({"what": "profile", "email": "guest@example.org"}));
    let told = json!({"order": 1, "event:order_completed": 1});
    assert_eq!(shown["triggers"], told, "the order is not confirmed again; that it is complete is news of its own: {shown:#}");
    let stored = inspect(&sandbox, json!({"what": "orders", "id": "o-1"}));
    assert_eq!((stored[0]["status"].as_str(), stored[0]["properties"]["order_status"].as_str()), (Some("open"), Some("complete")));
    keep(&sandbox, "guest");
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_lost_makes_no_second_order_and_no_second_start() {
    let sandbox = sandbox(json!({}));
    let engine = open(&options(&sandbox, json!({"order_max_age_h": 1_000_000}))).await;
    sandbox.fault(br#"{"match": {"path": "/v2/orders", "method": "POST"}, "fault": {"kind": "reset_after"}, "times": 3}"#).unwrap();
    let report = deliver(&engine, live("order"), shop("order", 5, 1)).await;
    // Number 11 mistyped the address: Cordial does not take the contact, and so not the order.
    assert_eq!((report["counts"]["delivered"].as_u64(), report["counts"]["dead_lettered"].as_u64()), (Some(4), Some(1)), "{report:#}");
    let seen = counts(&sandbox);
    assert_eq!((seen["orders"]["distinct"].as_u64(), seen["triggers"]["order"].as_u64()), (Some(4), Some(4)), "{seen:#}");
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_by_files_is_followed_to_its_rows_and_subscribes_nobody() {
    let sandbox = sandbox(json!({"job_polls": 0}));
    let url = sandbox.url("cordial").unwrap();
    let imports =
        json!({"upload_url": format!("{url}/files"), "source": {"transport": "HTTP", "url": format!("{url}/files/{{file}}")}, "poll_s": 0});
    let engine = open(&options(&sandbox, json!({"imports": imports, "attributes": {"first_name": {"key": "first_name"}}}))).await;
    let report = deliver(&engine, backfill("customer"), shop("customer", 20, 1)).await;
    // Number 11 mistyped the address. The job only counts it, so the file is halved until the row stands alone.
    assert_eq!((report["counts"]["delivered"].as_u64(), report["counts"]["dead_lettered"].as_u64()), (Some(19), Some(1)), "{report:#}");
    let orders = deliver(&engine, backfill("order"), shop("order", 10, 1)).await;
    assert_eq!(orders["counts"]["pending"], 0, "{orders:#}");
    let seen = counts(&sandbox);
    // A no is written in a backfill, too; nothing else happens.
    assert_eq!(seen["triggers"].as_object().unwrap().keys().collect::<Vec<_>>(), ["subscribe_status:email"], "{seen:#}");
    assert!(
        seen["orders"]["distinct"].as_u64() >= Some(8) && seen["endpoints"]["POST /v2/contactimports"]["requests"].as_u64() > Some(1),
        "{seen:#}"
    );
    assert_eq!(inspect(&sandbox, json!({"what": "subscribed"})), json!({}));
    keep(&sandbox, "files");
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_account_lacks_is_made_first_and_once() {
    let kept = json!([{"key": "customer_id", "type": "string"}, {"key": "first_name", "type": "string"}]);
    let sandbox = sandbox(json!({"attributes": kept, "lists": []}));
    let attributes = json!({"first_name": {"key": "first_name"}, "last_name": {"key": "last_name", "max": 300, "index": true},
        "groups": {"key": "groups", "type": "array", "max": 40}, "address": {"key": "home_address", "type": "geo"}});
    let change = json!({"unknown_attributes": "create", "attributes": attributes, "lists": {"group:vip": "vip"}});
    let engine = open(&records_only(options(&sandbox, change))).await;
    let check: Value = serde_json::from_slice(&engine.check().await.unwrap()).unwrap();
    assert!(check.to_string().contains("`home_address` is not there and is made when it is needed"), "{check:#}");
    let contact = |last_name: &str| {
        json!({"type": "contact", "first_name": "Mara", "last_name": last_name, "groups": ["vip", "trade"],
            "addresses": [{"city": "Graz", "country": "AT"}]})
    };
    let long = "o".repeat(200);
    let first = deliver(&engine, json!({"format": "ndjson"}), canonical(contact(&long), json!({}))).await;
    assert_eq!(first["counts"]["delivered"], 1, "{first:#}");
    let shown = inspect(&sandbox, json!({"what": "profile", "email": "mara@example.com"}));
    assert_eq!(shown["attributes"]["last_name"], long, "{shown:#}");
    assert_eq!(shown["attributes"]["home_address"], json!({"city": "Graz", "country": "AT"}), "{shown:#}");
    assert_eq!((&shown["attributes"]["groups"], &shown["lists"]), (&json!(["vip", "trade"]), &json!(["vip"])), "{shown:#}");
    let other = json!({"identity": {"customer_id": "c-2", "email": "noor@example.com"}, "idempotency_key": "k-2"});
    deliver(&engine, json!({"format": "ndjson"}), canonical(contact("Haddad"), other)).await;
    let made = &counts(&sandbox)["endpoints"];
    assert_eq!(made["POST /v2/accountcontactattributes"]["accepted"], 3, "{made:#}");
    assert_eq!((&made["POST /v2/accountlists"]["accepted"], &made["POST /v2/contacts"]["accepted"]), (&json!(1), &json!(2)), "{made:#}");
    keep(&sandbox, "schema");
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_made_beside_another_spelling_of_it() {
    for verify in [false, true] {
        let kept = json!([{"key": "customer_id", "type": "string"}, {"key": "First_Name", "type": "string"}]);
        let sandbox = sandbox(json!({"attributes": kept}));
        let attributes = json!({"first_name": {"key": "first_name"}});
        let change = json!({"unknown_attributes": "create", "verify_attributes": verify, "attributes": attributes});
        let engine = open(&records_only(options(&sandbox, change))).await;
        let contact = json!({"type": "contact", "first_name": "Mara"});
        let report = deliver(&engine, json!({"format": "ndjson"}), canonical(contact, json!({}))).await;
        assert_eq!(report["counts"]["dead_lettered"], 1, "{report:#}");
        let letters: Value = serde_json::from_slice(&engine.dead_letters(Bytes::from_static(b"{}")).await.unwrap()).unwrap();
        assert!(letters[0].to_string().contains("`first_name` is spelled `First_Name`"), "{letters:#}");
        assert_eq!(counts(&sandbox)["endpoints"]["POST /v2/accountcontactattributes"], Value::Null);
        engine.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_account_is_asked_before_an_interface_that_drops_what_it_does_not_know() {
    let kept = json!([{"key": "customer_id", "type": "string"}]);
    let sandbox = sandbox(json!({"attributes": kept}));
    let attributes = json!({"first_name": {"key": "first_name"}});
    let change = json!({"api": "async", "unknown_attributes": "create", "verify_attributes": true, "attributes": attributes});
    let engine = open(&records_only(options(&sandbox, change))).await;
    let contact = json!({"type": "contact", "first_name": "Mara"});
    let report = deliver(&engine, json!({"format": "ndjson"}), canonical(contact, json!({}))).await;
    assert_eq!(report["counts"]["delivered"], 1, "{report:#}");
    let shown = inspect(&sandbox, json!({"what": "profile", "email": "mara@example.com"}));
    assert_eq!(shown["attributes"]["first_name"], "Mara", "{shown:#}");
    engine.close().await.unwrap();
}

/// What is held of each operation that a record leads to, by endpoint; those that are not shown are left out.
async fn held(options: &Value, data: &Bytes) -> Vec<(String, Held)> {
    let config: DestinationConfig = serde_json::from_value(options["destination"].clone()).unwrap();
    let (destination, transport) = (config.open().unwrap(), HttpTransport::new(&HttpOptions::default()).unwrap());
    let record: Record = serde_json::from_slice(data).unwrap();
    let mut all = Vec::new();
    for operation in destination.build(&record).operations {
        let Some(request) = destination.read_back(&operation) else { continue };
        let reply = transport.send(destination.base_url_of(&request), &request).await.unwrap();
        all.push((operation.endpoint.to_string(), destination.compare(&operation, &reply).unwrap()));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_is_read_back_until_somebody_changes_it() {
    let sandbox = sandbox(json!({}));
    let change = json!({"customer_id_attribute": null, "backfill_events": "send", "contact_deleted": "delete",
        "supplements": {"shipments": "shipments", "categories": "categories"}, "lists": {"group:vip": "vip"}, "order_max_age_h": 1_000_000});
    let options = records_only(options(&sandbox, change));
    let engine = open(&options).await;
    let at = |number: u32| json!({"idempotency_key": format!("k-{number}"), "version": number});
    let contact = json!({"type": "contact", "first_name": "Mara", "groups": ["vip"], "addresses": [{"city": "Graz"}],
        "attributes": {"loyaltyPoints": {"type": "integer", "value": 42}},
        "consents": [{"channel": "email", "status": "granted", "at": "2025-12-01T00:00:00Z"}]});
    let shipment = json!({"type": "shipment", "id": "s-1", "order_id": "o-1", "shipped_at": "2026-01-01T09:00:00Z", "status": "shipped"});
    let viewed = json!({"type": "event", "name": "product_viewed", "sku": "TEE", "product_id": "p-1"});
    let category = json!({"type": "category", "id": "tees", "name": "Tees"});
    let rows: Vec<Bytes> =
        [contact, shipment, viewed, category].into_iter().zip(1..).map(|(body, number)| canonical(body, at(number))).collect();
    for row in &rows {
        let early = held(&options, row).await;
        assert_eq!(early.last().unwrap().1, Held::Missing, "{early:?}");
        let report = deliver(&engine, json!({"format": "ndjson"}), row.clone()).await;
        assert_eq!(report["counts"]["delivered"], 1, "{report:#}");
    }
    let mut seen = std::collections::BTreeSet::new();
    for row in &rows {
        for (endpoint, held) in held(&options, row).await {
            assert_eq!(held, Held::Same, "{endpoint}");
            seen.insert(endpoint);
        }
    }
    let wanted = ["contactactivities.create", "contacts.subscribe", "contacts.upsert", "supplements.records.upsert"];
    assert_eq!(seen.iter().map(String::as_str).collect::<Vec<_>>(), wanted);

    // Somebody writes another name and leaves; the row is another one, the values are not told.
    let changed = json!({"type": "contact", "first_name": "Mareike", "addresses": [{"city": "Wien"}],
        "consents": [{"channel": "email", "status": "denied", "at": "2025-12-01T00:00:00Z"}]});
    let differs = held(&options, &canonical(changed, at(9))).await;
    let members = ["/attributes/first_name", "/attributes/home_address.city", "/attributes/vip"].map(str::to_owned).to_vec();
    assert_eq!(
        differs,
        [("contacts.upsert".to_owned(), Held::Differs(members)), ("contacts.unsubscribe".to_owned(), Held::Differs(vec![String::new()]))]
    );
    // Whoever is to be gone is there until they are.
    let gone = canonical(json!({"type": "contact_deleted", "erase": false}), at(10));
    assert_eq!(held(&options, &gone).await, [("contacts.delete".to_owned(), Held::Differs(vec![String::new()]))]);
    deliver(&engine, json!({"format": "ndjson"}), gone.clone()).await;
    assert_eq!(held(&options, &gone).await, [("contacts.delete".to_owned(), Held::Same)]);
    keep(&sandbox, "read-back");
    engine.close().await.unwrap();
}
