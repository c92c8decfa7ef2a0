//! What Iterable needs several calls for, from the engine to the sandbox: profiles that become one, addresses that change,
//! people who are not there yet, catalogs that are missing.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use bytes::Bytes;
use cartwire::facade::Engine;
use cartwire_sandbox::Sandbox;
use serde_json::{Value, json};

struct Stage {
    sandbox: Sandbox,
    engine: Engine,
}

impl Stage {
    /// An engine without a source, which takes records, and a project with one journey and a few lists.
    async fn new(project_type: &str, settings: Value) -> Stage {
        let project = json!({"iterable": {"api_key": "sandbox-key", "project_type": project_type, "rate_limits": false,
            "channels": [{"id": 7, "name": "Newsletter", "channel_type": "Marketing", "message_medium": "Email"}],
            "message_types": [{"id": 101, "name": "Newsletter", "channel_id": 7, "policy": "OptIn"},
                {"id": 102, "name": "Offers", "channel_id": 7, "policy": "OptOut"}],
            "lists": [{"id": 90017, "name": "VIP"}, {"id": 90018, "name": "Trade"}],
            "journeys": [{"name": "come back", "trigger": {"call": 8814}}]}});
        let sandbox = Sandbox::start(project.to_string().as_bytes()).unwrap();
        let mut destination = json!({"type": "iterable", "api_key": "sandbox-key", "project_type": project_type,
            "base_url": sandbox.url("iterable").unwrap(), "consent": {"email": {"message_type": 101, "policy": "opt_in", "channel": 7}}});
        destination.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        let options = json!({"destination": destination, "state": "memory:", "rate_limits": false,
            "retry": {"base_delay_ms": 5, "max_delay_ms": 20, "throttle_floor_ms": 5}});
        Stage { sandbox, engine: Engine::open(options.to_string().as_bytes()).await.unwrap() }
    }

    async fn deliver(&self, records: &[Value]) -> Value {
        self.deliver_as(records, "live").await
    }

    async fn deliver_as(&self, records: &[Value], mode: &str) -> Value {
        let rows: String = records.iter().map(|record| format!("{record}\n")).collect();
        let call = json!({"format": "ndjson", "mode": mode}).to_string();
        serde_json::from_slice(&self.engine.deliver(call.into(), Bytes::from(rows)).await.unwrap()).unwrap()
    }

    fn inspect(&self, query: Value) -> Value {
        serde_json::from_slice(&self.sandbox.inspect(query.to_string().as_bytes()).unwrap()).unwrap()
    }

    fn profiles(&self) -> usize {
        self.inspect(json!({"what": "profiles"})).as_array().unwrap().len()
    }

    fn calls(&self, endpoint: &str) -> u64 {
        self.inspect(json!({"what": "counts"}))["endpoints"][endpoint]["requests"].as_u64().unwrap_or(0)
    }

    /// The codes of the dead letters.
    async fn dead(&self) -> Vec<String> {
        let letters: Value = serde_json::from_slice(&self.engine.dead_letters(Bytes::new()).await.unwrap()).unwrap();
        letters.as_array().unwrap().iter().map(|letter| letter["code"].as_str().unwrap().to_owned()).collect()
    }

    async fn post(&self, path: &str, body: Value) {
        // A call somebody else makes at Iterable, not through this library.
        let client = reqwest::Client::new();
        let url = format!("{}{path}", self.sandbox.url("iterable").unwrap());
        let request = client.post(url).header("api-key", "sandbox-key").header("content-type", "application/json");
        let reply = request.body(body.to_string()).send().await.unwrap();
        assert!(reply.status().is_success(), "{}", reply.status());
    }
}

/// Operations that arrived, over all endpoints.
fn arrived(report: &Value) -> u64 {
    report["endpoints"].as_object().unwrap().values().map(|counts| counts["delivered"].as_u64().unwrap()).sum()
}

/// What was said is held against the vendor's contract, see `tests/contracts`.
impl Drop for Stage {
    fn drop(&mut self) {
        static LOCK: std::sync::Mutex<()> = std::sync::Mutex::new(());
        let Some(folder) = std::env::var_os("CARTWIRE_EXCHANGES_DIR") else { return };
        let _guard = LOCK.lock();
        let path = std::path::Path::new(&folder).join("joins.ndjson");
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        std::io::Write::write_all(&mut file, &self.sandbox.exchanges()).unwrap();
    }
}

fn delivered(report: &Value, count: u64) {
    assert_eq!(arrived(report), count, "{report:#}");
    assert_eq!(report["counts"]["dead_lettered"], 0, "{report:#}");
}

fn record(version: u64, identity: Value, body: Value) -> Value {
    json!({"envelope": {"source": "commercetools", "tenant": "demo", "resource": {"type": "customer", "id": "r-1"}, "version": version,
        "occurred_at": "2026-01-01T10:00:00Z", "observed_at": "2026-01-01T10:00:05Z", "identity": identity, "correlation_id": "c",
        "idempotency_key": format!("key-{version}-{}", body["type"].as_str().unwrap())}, "body": body})
}

fn customer() -> Value {
    json!({"customer_id": "c-42", "email": "mara@example.com"})
}

fn consent(status: &str, at: &str) -> Value {
    json!([{"channel": "email", "status": status, "at": at}])
}

fn event(version: u64, identity: Value, name: &str, previous: Value) -> Value {
    record(version, identity, json!({"type": "event", "name": name, "previous": previous}))
}

fn money(amount: &str) -> Value {
    json!({"amount": amount, "currency": "EUR"})
}

fn bought(version: u64, status: &str) -> Value {
    let totals =
        json!({"subtotal": money("10"), "shipping": money("0"), "discount": money("0"), "tax_added": money("0"), "total": money("10")});
    record(
        version,
        customer(),
        json!({"type": "order", "id": format!("o-{version}"), "placed_at": "2026-01-01T10:00:00Z", "status": status,
        "cart_id": "crt-1", "lines": [tee()], "totals": totals}),
    )
}

fn tee() -> Value {
    json!({"id": "l1", "product_id": "p1", "name": "Tee", "quantity": 1, "unit_list_price": money("10"), "unit_price": money("10"), "total": money("10")})
}

fn in_cart(version: u64) -> Value {
    let totals =
        json!({"subtotal": money("10"), "shipping": money("0"), "discount": money("0"), "tax_added": money("0"), "total": money("10")});
    record(version, customer(), json!({"type": "cart", "id": "crt-1", "state": "active", "lines": [tee()], "totals": totals}))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_comes_before_its_customer_finds_their_address() {
    let stage = Stage::new("hybrid", json!({})).await;
    delivered(&stage.deliver(&[bought(1, "open")]).await, 2);
    assert_eq!(stage.inspect(json!({"what": "profile", "userId": "c-42"}))["email"], "mara@example.com");
    // Once is enough, and afterwards the customer's own record counts.
    delivered(&stage.deliver(&[bought(2, "open")]).await, 1);
    delivered(&stage.deliver(&[record(3, customer(), json!({"type": "contact", "first_name": "Mara"}))]).await, 1);
    let profile = stage.inspect(json!({"what": "profile", "userId": "c-42"}));
    assert_eq!((profile["email"].as_str(), profile["dataFields"]["firstName"].as_str()), (Some("mara@example.com"), Some("Mara")));
    // An order under a former address changes nothing.
    let mut late = bought(4, "open");
    late["envelope"]["identity"]["email"] = json!("former@example.com");
    delivered(&stage.deliver(&[late]).await, 1);
    assert_eq!(stage.inspect(json!({"what": "profile", "userId": "c-42"}))["email"], "mara@example.com");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_first_seen_cancelled_empties_the_cart_that_was_sent() {
    let stage = Stage::new("hybrid", json!({})).await;
    let sent = |stage: &Stage| stage.calls("POST /api/commerce/updateCart");
    // Nothing was sent of the cart: nothing is to be taken back.
    stage.deliver(&[bought(1, "cancelled")]).await;
    assert_eq!(sent(&stage), 0);
    stage.deliver(&[in_cart(2)]).await;
    let items = || stage.inspect(json!({"what": "profile", "userId": "c-42"}))["cart"].clone();
    assert_eq!((sent(&stage), items().as_array().unwrap().len()), (1, 1));
    stage.deliver(&[bought(3, "cancelled")]).await;
    assert_eq!((sent(&stage), items()), (2, json!([])));
    // The cart is over: neither the same news nor an older reading of the cart is sent again.
    stage.deliver(&[bought(3, "cancelled")]).await;
    stage.deliver(&[in_cart(2)]).await;
    assert_eq!((sent(&stage), items()), (2, json!([])));
    // A purchase has cleared the cart; cancelling it later must not touch the one that came after.
    let other = Stage::new("hybrid", json!({})).await;
    other.deliver(&[in_cart(1)]).await;
    other.deliver(&[bought(2, "open")]).await;
    other.deliver(&[bought(2, "cancelled")]).await;
    assert_eq!((sent(&other), other.calls("POST /api/commerce/trackPurchase")), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cart_that_was_given_up_does_not_come_back_after_its_order() {
    let stage = Stage::new("hybrid", json!({})).await;
    stage
        .sandbox
        .fault(br#"{"match": {"path": "/api/commerce/updateCart"}, "fault": {"kind": "status", "status": 400}, "times": 1}"#)
        .unwrap();
    assert_eq!(stage.deliver(&[in_cart(1)]).await["counts"]["dead_lettered"], 1);
    delivered(&stage.deliver(&[bought(2, "open")]).await, 1);
    let replayed: Value = serde_json::from_slice(&stage.engine.replay(Bytes::from("{}")).await.unwrap()).unwrap();
    assert_eq!((arrived(&replayed), &replayed["skipped_by_reason"]), (0, &json!({"stale": 1})), "{replayed:#}");
    let profile = stage.inspect(json!({"what": "profile", "userId": "c-42"}));
    assert_eq!((profile["cart"].clone(), stage.calls("POST /api/commerce/trackPurchase"), stage.dead().await), (json!([]), 1, vec![]));
    // Nor does an older reading of it.
    stage.deliver(&[in_cart(1)]).await;
    assert_eq!(stage.inspect(json!({"what": "profile", "userId": "c-42"}))["cart"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_customers_with_one_address_the_one_that_is_refused_is_known() {
    let stage = Stage::new("hybrid", json!({})).await;
    let person = |id: &str| {
        let identity = json!({"customer_id": id, "email": "mara@example.com"});
        let mut row = record(1, identity, json!({"type": "contact", "first_name": "Mara"}));
        row["envelope"]["idempotency_key"] = json!(format!("k-{id}"));
        row
    };
    let report = stage.deliver(&[person("c-60"), person("c-61")]).await;
    assert_eq!((arrived(&report), stage.dead().await), (1, vec!["conflict".to_owned()]), "{report:#}");
    assert_eq!(stage.calls("POST /api/users/merge"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_who_registers_is_one_person_with_one_history() {
    let stage = Stage::new("hybrid", json!({})).await;
    let guest = record(1, json!({"email": "mara@example.com"}), json!({"type": "contact", "first_name": "Mara"}));
    delivered(&stage.deliver(&[guest]).await, 1);
    let registered = record(2, customer(), json!({"type": "contact", "first_name": "Mara", "last_name": "Okoye"}));
    delivered(&stage.deliver(&[registered]).await, 1);
    assert_eq!(stage.profiles(), 1);
    let profile = stage.inspect(json!({"what": "profile", "userId": "c-42"}));
    assert_eq!((profile["email"].as_str(), profile["dataFields"]["lastName"].as_str()), (Some("mara@example.com"), Some("Okoye")));
    assert_eq!(stage.calls("POST /api/users/merge"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_guest_had_left_is_left_after_the_merge() {
    let stage = Stage::new("hybrid", json!({})).await;
    stage.post("/api/users/update", json!({"email": "mara@example.com"})).await;
    let left = json!({"email": "mara@example.com", "unsubscribedChannelIds": [7], "unsubscribedMessageTypeIds": [102]});
    stage.post("/api/users/updateSubscriptions", left).await;
    // The customer has a profile too, by way of a cart, so that the guest's is dissolved in it.
    stage.post("/api/users/update", json!({"userId": "c-42"})).await;
    let consents = consent("granted", "2026-01-01T09:00:00Z");
    let report = stage.deliver(&[record(2, customer(), json!({"type": "contact", "first_name": "Mara", "consents": consents}))]).await;
    assert_eq!(report["skipped_by_reason"]["denied_at_destination"], 1, "{report:#}");
    let profile = stage.inspect(json!({"what": "profile", "userId": "c-42"}));
    assert_eq!(profile["subscriptions"]["unsubscribedChannelIds"], json!([7]), "{profile:#}");
    assert_eq!(profile["subscriptions"]["unsubscribedMessageTypeIds"], json!([102]));
    assert_eq!(profile["subscriptions"]["subscribedMessageTypeIds"], json!([]));
    assert_eq!(stage.profiles(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_customers_are_never_merged_whatever_address_they_share() {
    let stage = Stage::new("hybrid", json!({})).await;
    stage.post("/api/users/update", json!({"userId": "c-7", "dataFields": {"email": "mara@example.com"}})).await;
    let report = stage.deliver(&[record(2, customer(), json!({"type": "contact", "first_name": "Mara"}))]).await;
    assert_eq!(report["counts"]["dead_lettered"], 1, "{report:#}");
    assert_eq!(stage.dead().await, ["conflict"], "{report:#}");
    assert_eq!(stage.calls("POST /api/users/merge"), 0);
    assert!(!report.to_string().contains("mara@"), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_are_kept_apart_where_that_is_set() {
    let stage = Stage::new("hybrid", json!({"guests": "keep"})).await;
    stage.post("/api/users/update", json!({"email": "mara@example.com"})).await;
    let report = stage.deliver(&[record(2, customer(), json!({"type": "contact", "first_name": "Mara"}))]).await;
    assert_eq!(stage.dead().await, ["conflict"], "{report:#}");
    assert_eq!((stage.calls("POST /api/users/merge"), stage.profiles()), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn single_writes_merge_guests_too() {
    let stage = Stage::new("hybrid", json!({"write": "single"})).await;
    stage.post("/api/users/update", json!({"email": "mara@example.com"})).await;
    delivered(&stage.deliver(&[record(2, customer(), json!({"type": "contact", "first_name": "Mara"}))]).await, 1);
    assert_eq!((stage.calls("POST /api/users/merge"), stage.profiles()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_email_project_renames_who_changed_their_address() {
    let stage = Stage::new("email", json!({})).await;
    let old = json!({"customer_id": "c-42", "email": "old@example.com"});
    let new = json!({"customer_id": "c-42", "email": "new@example.com"});
    delivered(&stage.deliver(&[record(1, old, json!({"type": "contact", "first_name": "Mara"}))]).await, 1);
    delivered(&stage.deliver(&[event(2, new.clone(), "email_changed", json!({"email": "old@example.com"}))]).await, 2);
    delivered(&stage.deliver(&[record(3, new, json!({"type": "contact", "first_name": "Mara", "last_name": "Okoye"}))]).await, 1);
    assert_eq!(stage.profiles(), 1);
    let profile = stage.inspect(json!({"what": "profile", "email": "new@example.com"}));
    assert_eq!(profile["events"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_already_has_a_profile_takes_the_former_one_in() {
    let stage = Stage::new("email", json!({})).await;
    let old = json!({"customer_id": "c-42", "email": "old@example.com"});
    let new = json!({"customer_id": "c-42", "email": "new@example.com"});
    delivered(&stage.deliver(&[record(1, old, json!({"type": "contact", "first_name": "Mara"}))]).await, 1);
    // The record of the person came before the message of the change.
    delivered(&stage.deliver(&[record(3, new.clone(), json!({"type": "contact", "last_name": "Okoye"}))]).await, 1);
    let report = stage.deliver(&[event(2, new, "email_changed", json!({"email": "old@example.com"}))]).await;
    assert_eq!(report["counts"]["dead_lettered"], 0, "{report:#}");
    assert_eq!(stage.profiles(), 1);
    let profile = stage.inspect(json!({"what": "profile", "email": "new@example.com"}));
    assert_eq!((profile["dataFields"]["firstName"].as_str(), profile["dataFields"]["lastName"].as_str()), (Some("Mara"), Some("Okoye")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hybrid_project_moves_the_address_under_the_same_id() {
    let stage = Stage::new("hybrid", json!({})).await;
    let old = json!({"customer_id": "c-42", "email": "old@example.com"});
    let new = json!({"customer_id": "c-42", "email": "new@example.com"});
    delivered(&stage.deliver(&[record(1, old, json!({"type": "contact", "first_name": "Mara"}))]).await, 1);
    delivered(&stage.deliver(&[event(2, new, "email_changed", json!({"email": "old@example.com"}))]).await, 2);
    let profile = stage.inspect(json!({"what": "profile", "userId": "c-42"}));
    assert_eq!((profile["email"].as_str(), profile["dataFields"]["firstName"].as_str()), (Some("new@example.com"), Some("Mara")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_becomes_the_customer_who_signs_in() {
    let stage = Stage::new("hybrid", json!({"anonymous_profiles": true})).await;
    let session = json!({"anonymous_id": "s-1"});
    delivered(&stage.deliver(&[event(1, session, "product_viewed", json!(null))]).await, 1);
    // The customer's address, which nothing told of before, the merge, and the event.
    delivered(&stage.deliver(&[event(2, customer(), "logged_in", json!({"anonymous_id": "s-1"}))]).await, 3);
    let profile = stage.inspect(json!({"what": "profile", "userId": "c-42"}));
    assert_eq!(profile["events"].as_array().unwrap().len(), 2, "{profile:#}");
    assert_eq!(stage.profiles(), 1);
    // A session that wrote nothing has nothing to merge.
    let report = stage.deliver(&[event(3, customer(), "logged_in", json!({"anonymous_id": "s-2"}))]).await;
    assert_eq!((arrived(&report), report["skipped_by_reason"]["unchanged"].as_u64()), (1, Some(1)), "{report:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_follow_the_groups_of_the_shop() {
    let stage = Stage::new("hybrid", json!({"lists": {"groups": {"vip": 90017, "trade": 90018}}})).await;
    let contact =
        |version: u64, groups: &[&str]| record(version, customer(), json!({"type": "contact", "first_name": "Mara", "groups": groups}));
    let members = |id: &str| stage.inspect(json!({"what": "lists"}))[id]["members"].as_array().unwrap().len();
    delivered(&stage.deliver(&[contact(1, &["vip"])]).await, 3);
    assert_eq!((members("90017"), members("90018")), (1, 0));
    // Nothing about the lists changed: nothing is said about them.
    let again = stage.deliver(&[contact(2, &["vip"])]).await;
    assert_eq!(arrived(&again), 0, "{again:#}");
    delivered(&stage.deliver(&[contact(3, &["trade"])]).await, 3);
    assert_eq!((members("90017"), members("90018")), (0, 1));
    let profile = stage.inspect(json!({"what": "profile", "userId": "c-42"}));
    assert_eq!(profile["subscriptions"]["unsubscribedChannelIds"], json!([]), "leaving a list leaves no channel");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journey_starts_once_and_never_in_a_backfill() {
    let stage = Stage::new("hybrid", json!({"journeys": {"cart_abandoned": 8814}, "backfill_events": "send"})).await;
    stage.post("/api/users/update", json!({"userId": "c-42"})).await;
    let old = event(1, customer(), "cart_abandoned", json!(null));
    let new = event(2, customer(), "cart_abandoned", json!(null));
    let fired = || stage.inspect(json!({"what": "journeys"}))["come back"]["fired"].as_u64().unwrap_or(0);
    let report = stage.deliver_as(std::slice::from_ref(&old), "backfill").await;
    // The event, and in front of it the address.
    assert_eq!((arrived(&report), fired()), (2, 0), "{report:#}");
    // Heard live later, it is still of the past.
    stage.deliver(&[old]).await;
    assert_eq!(fired(), 0);
    stage.deliver(std::slice::from_ref(&new)).await;
    stage.deliver(&[new]).await;
    assert_eq!(fired(), 1);
}

fn says(version: u64, status: &str, at: chrono::DateTime<chrono::Utc>) -> Value {
    record(version, customer(), json!({"type": "contact", "first_name": "Mara", "consents": consent(status, &at.to_rfc3339())}))
}

fn joined(stage: &Stage) -> bool {
    stage.inspect(json!({"what": "profile", "userId": "c-42"}))["subscriptions"]["subscribedMessageTypeIds"] == json!([101])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yes_from_before_its_own_no_arrived_joins_all_the_same() {
    // Yesterday's no comes with yesterday's file, and today's file has a yes from before it was sent.
    let stage = Stage::new("hybrid", json!({})).await;
    stage.post("/api/users/updateSubscriptions", json!({"userId": "c-42", "subscribedMessageTypeIds": [101]})).await;
    let ago = |hours| chrono::Utc::now() - chrono::TimeDelta::hours(hours);
    stage.deliver(&[says(1, "denied", ago(2))]).await;
    assert!(!joined(&stage));
    delivered(&stage.deliver(&[says(2, "granted", ago(1))]).await, 2);
    assert!(joined(&stage));
    // What the person leaves themselves after that yes stands.
    let leave = json!({"userId": "c-42", "subscribedMessageTypeIds": []});
    stage.post("/api/users/updateSubscriptions", leave).await;
    let report = stage.deliver(&[says(3, "granted", ago(0) - chrono::TimeDelta::minutes(30))]).await;
    assert_eq!((joined(&stage), report["skipped_by_reason"]["denied_at_destination"].as_u64()), (false, Some(1)), "{report:#}");
    // A second later, as Iterable tells time, they change their mind in the shop.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    delivered(&stage.deliver(&[says(4, "granted", ago(0))]).await, 2);
    assert!(joined(&stage));
}

#[tokio::test(flavor = "multi_thread")]
async fn consent_for_somebody_whose_row_was_refused_neither_waits_nor_is_lost() {
    let stage = Stage::new("hybrid", json!({})).await;
    stage.sandbox.fault(br#"{"match": {"path": "/api/users/bulkUpdate"}, "fault": {"kind": "half_failed_bulk"}, "times": 1}"#).unwrap();
    let people: Vec<Value> = (0..2)
        .map(|n| {
            let identity = json!({"customer_id": format!("c-{n}"), "email": format!("p{n}@example.com")});
            let consents = consent("granted", "2026-01-01T09:00:00Z");
            let mut row = record(1, identity, json!({"type": "contact", "first_name": "Mara", "consents": consents}));
            row["envelope"]["idempotency_key"] = json!(format!("k-{n}"));
            row
        })
        .collect();
    let began = std::time::Instant::now();
    let report = stage.deliver(&people).await;
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
    assert_eq!((arrived(&report), report["counts"]["dead_lettered"].as_u64()), (3, Some(1)), "{report:#}");
    for id in ["c-0", "c-1"] {
        let profile = stage.inspect(json!({"what": "profile", "userId": id}));
        assert_eq!(profile["subscriptions"]["subscribedMessageTypeIds"], json!([101]), "{profile:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_catalog_is_made_with_its_types_where_that_is_set() {
    let product = || record(1, json!({}), json!({"type": "product", "id": "p-1", "name": "Tee", "variants": [{"id": "1", "sku": "T"}]}));
    let stage = Stage::new("hybrid", json!({"catalogs": {"products": "goods", "create": true, "field_types": {"color": "string"}}})).await;
    delivered(&stage.deliver(&[product()]).await, 1);
    let catalogs = stage.inspect(json!({"what": "catalogs"}));
    assert_eq!(catalogs["goods"]["fieldMappings"]["price"], "double");
    assert_eq!(catalogs["goods"]["fieldMappings"]["color"], "string");
    assert_eq!(catalogs["goods"]["items"]["p-1"]["name"], "Tee");
    let careful = Stage::new("hybrid", json!({"catalogs": {"products": "goods"}})).await;
    let report = careful.deliver(&[product()]).await;
    assert_eq!(careful.dead().await, ["not_found"], "{report:#}");
}
