//! The whole way: canonical records, the engine, the sandbox.

use bytes::Bytes;
use cartwire_sandbox::Sandbox;

use super::*;
use crate::facade::Engine;

/// 2025-05-20T10:01:00Z, a minute after what the records tell.
const NOW_MS: i64 = 1_747_735_260_000;

struct Stage {
    sandbox: Sandbox,
    engine: Engine,
}

impl Stage {
    async fn open(account: Value, settings: Value) -> Stage {
        let mut options = json!({ "rate_limits": false });
        merge(&mut options, account);
        let options = json!({ "manual_clock_ms": NOW_MS, "vendors": ["insider"], "insider": options });
        let sandbox = Sandbox::start(options.to_string().as_bytes()).unwrap();
        let mut destination = json!({ "type": "insider", "partner": "sandbox", "token": "ucd-key", "catalog_token": "catalog-key",
            "unsubscribe_token": "unsubscribe-key", "resubscribe_token": "resubscribe-key", "base_url": sandbox.url("insider").unwrap() });
        merge(&mut destination, settings);
        let options = json!({ "destination": destination, "state": "memory:", "rate_limits": false,
            "retry": { "base_delay_ms": 5, "max_delay_ms": 50, "throttle_floor_ms": 5 } });
        let engine = Engine::open(options.to_string().as_bytes()).await.unwrap();
        Stage { sandbox, engine }
    }

    async fn deliver(&self, records: &[Record]) -> Value {
        let lines: Vec<String> = records.iter().map(|record| serde_json::to_string(record).unwrap()).collect();
        let report = self.engine.deliver(Bytes::from_static(br#"{"format":"ndjson"}"#), lines.join("\n").into()).await.unwrap();
        serde_json::from_slice(&report).unwrap()
    }

    fn inspect(&self, query: Value) -> Value {
        serde_json::from_slice(&self.sandbox.inspect(query.to_string().as_bytes()).unwrap()).unwrap()
    }

    fn mara(&self) -> Value {
        self.inspect(json!({ "what": "profile", "uuid": "c-42" }))
    }

    /// Writes at Insider without the engine.
    async fn write(&self, path: &str, key: &str, body: Value) {
        let url = self.sandbox.url("insider").unwrap() + path;
        let request = reqwest::Client::new().post(url).header("x-partner-name", "sandbox").header("x-request-token", key);
        let answer = request.header("content-type", "application/json").body(body.to_string()).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
    }
}

impl Drop for Stage {
    /// Leaves what was said on the wire for the contract check.
    fn drop(&mut self) {
        let Some(folder) = std::env::var_os("CARTWIRE_EXCHANGES_DIR") else { return };
        let path = std::path::Path::new(&folder).join("insider-sandbox.ndjson");
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(&self.sandbox.exchanges()).unwrap();
    }
}

fn journeys() -> Value {
    json!([{ "name": "confirmation", "event": "purchase" }, { "name": "abandoned", "event": "item_added_to_cart", "channel": "email" },
        { "name": "refund", "event": "order_refunded" }])
}

fn events(profile: &Value) -> Vec<String> {
    let shown = |event: &Value| {
        let params = &event["params"];
        format!("{} {} {}", event["name"].as_str().unwrap(), params["product_id"].as_str().unwrap_or("-"), params["quantity"])
    };
    profile["events"].as_array().unwrap().iter().map(shown).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_arrives_whole_and_only_changes_go_after_that() {
    let stage = Stage::open(json!({}), json!({})).await;
    let version = |version: u64, change: Value| {
        let mut body = json!({ "first_name": "Mara", "last_name": "Novak", "attributes": { "points": { "type": "integer", "value": 5 } } });
        merge(&mut body, change);
        contact(body, json!({ "version": version, "idempotency_key": format!("k{version}") }))
    };
    let report = stage.deliver(&[version(1, json!({}))]).await;
    assert_eq!(report["counts"]["delivered"], 1, "{report:#}");
    let mara = stage.mara();
    assert_eq!(mara["identifiers"], json!({ "uuid": "c-42", "email": "mara@example.com" }));
    assert_eq!((&mara["attributes"]["name"], &mara["custom"]["points"]), (&json!("Mara"), &json!(5)));
    let again = stage.deliver(&[version(2, json!({}))]).await;
    assert_eq!((&again["counts"]["delivered"], &again["counts"]["skipped"]), (&json!(0), &json!(1)), "{again:#}");
    // The last name is gone, the first name changed: one call clears, the next writes.
    let changed = stage.deliver(&[version(3, json!({ "first_name": "Maria", "last_name": null }))]).await;
    assert_eq!(changed["counts"]["delivered"], 1, "{changed:#}");
    let mara = stage.mara();
    assert_eq!((&mara["attributes"]["name"], mara["attributes"].get("surname")), (&json!("Maria"), None));
    // Only the clearing of an attribute is left to do.
    let cleared = stage.deliver(&[version(4, json!({ "first_name": "Maria", "last_name": null, "attributes": {} }))]).await;
    assert_eq!(cleared["counts"]["delivered"], 1, "{cleared:#}");
    assert_eq!(stage.mara()["custom"], json!({}));
    let quiet = stage.deliver(&[version(5, json!({ "first_name": "Maria", "last_name": null, "attributes": {} }))]).await;
    assert_eq!(quiet["counts"]["delivered"], 0, "{quiet:#}");
    // A new identifier alone goes, too, with an attribute that is known.
    let mut phoned = version(6, json!({ "first_name": "Maria", "last_name": null, "attributes": {} }));
    phoned.envelope.identity.phone = Some("+4915112345678".to_owned());
    assert_eq!(stage.deliver(&[phoned]).await["counts"]["delivered"], 1);
    assert_eq!(stage.mara()["identifiers"]["phone_number"], "+4915112345678");
    assert_eq!(stage.inspect(json!({ "what": "counts" }))["oddities"], json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_arrives_once_and_backfill_is_quiet() {
    let stage = Stage::open(json!({ "journeys": journeys() }), json!({})).await;
    let placed = |mode: &str| record(order(json!({})), json!({ "mode": mode }));
    let report = stage.deliver(&[placed("backfill")]).await;
    assert_eq!(report["counts"]["delivered"], 1, "{report:#}");
    assert_eq!(events(&stage.mara()), ["purchase TEE-M 2"]);
    assert_eq!(stage.inspect(json!({ "what": "journeys" }))["confirmation"]["fired"], 0);
    let live = stage.deliver(&[placed("live")]).await;
    assert_eq!(live["counts"]["delivered"], 0, "what a backfill told is not told again: {live:#}");
    assert_eq!(stage.inspect(json!({ "what": "journeys" }))["confirmation"]["fired"], 0);
    let next = record(order(json!({ "id": "next" })), json!({ "idempotency_key": "n" }));
    stage.deliver(&[next]).await;
    assert_eq!(stage.inspect(json!({ "what": "journeys" }))["confirmation"], json!({ "fired": 1, "sent": 1 }));
    // Old history is skipped here, so that it does not vanish there.
    let old =
        record(order(json!({ "id": "old", "placed_at": "2023-01-01T00:00:00Z" })), json!({ "idempotency_key": "o", "mode": "backfill" }));
    let report = stage.deliver(&[old]).await;
    assert_eq!((&report["counts"]["delivered"], &report["counts"]["skipped"]), (&json!(0), &json!(1)), "{report:#}");
    assert_eq!(stage.inspect(json!({ "what": "counts" }))["expiredEvents"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cart_tells_what_was_added_and_taken_out() {
    let stage = Stage::open(json!({}), json!({})).await;
    let version = |version: u64, lines: Value, state: &str| {
        let at = format!("2025-05-20T09:4{version}:00Z");
        record(
            cart(lines, json!({ "state": state, "updated_at": at })),
            json!({ "version": version, "idempotency_key": format!("k{version}") }),
        )
    };
    let a = |quantity: i64| line("l1", "A", quantity, "10.00", &format!("{}.00", 10 * quantity));
    stage.deliver(&[version(1, json!([a(2), line("l2", "B", 1, "5.00", "5.00")]), "active")]).await;
    assert_eq!(events(&stage.mara()), ["item_added_to_cart A 2", "item_added_to_cart B 1"]);
    stage.deliver(&[version(2, json!([a(1), line("l3", "C", 3, "5.00", "15.00")]), "active")]).await;
    assert_eq!(events(&stage.mara())[2..], ["item_removed_from_cart A 1", "item_removed_from_cart B 1", "item_added_to_cart C 3"]);
    let same = stage.deliver(&[version(3, json!([a(1), line("l3", "C", 3, "5.00", "15.00")]), "frozen")]).await;
    assert_eq!(same["counts"]["delivered"], 0, "{same:#}");
    stage.deliver(&[version(4, json!([]), "deleted")]).await;
    assert_eq!(events(&stage.mara())[5..], ["cart_cleared - null"]);
    assert_eq!(stage.inspect(json!({ "what": "counts" }))["oddities"], json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_address_moves_the_profile_and_a_sign_in_joins_the_session() {
    let stage = Stage::open(
        json!({ "identifiers": ["uuid", "custom.visitor_id", "email", "phone_number"] }),
        json!({ "identifiers": { "anonymous": "visitor_id" } }),
    )
    .await;
    let old = json!({ "customer_id": "c-42", "email": "old@example.com" });
    stage.deliver(&[contact(json!({ "first_name": "Mara" }), json!({ "identity": old }))]).await;
    let changed = record(
        json!({ "type": "event", "name": "email_changed", "previous": { "email": "old@example.com" } }),
        json!({ "idempotency_key": "changed" }),
    );
    let report =
        stage.deliver(&[changed, contact(json!({ "first_name": "Maria" }), json!({ "version": 5, "idempotency_key": "n" }))]).await;
    assert_eq!(report["counts"]["delivered"], 2, "{report:#}");
    let mara = stage.mara();
    assert_eq!((&mara["identifiers"]["email"], &mara["attributes"]["name"]), (&json!("mara@example.com"), &json!("Maria")));
    let session = json!({ "anonymous_id": "v-77" });
    let viewed = json!({ "type": "event", "name": "product_viewed", "sku": "TEE-M" });
    stage.deliver(&[record(viewed, json!({ "identity": session, "idempotency_key": "viewed" }))]).await;
    assert_eq!(stage.inspect(json!({ "what": "counts" }))["profiles"], 2);
    let login = json!({ "type": "event", "name": "logged_in", "previous": session });
    stage.deliver(&[record(login, json!({ "idempotency_key": "login" }))]).await;
    let counts = stage.inspect(json!({ "what": "counts" }));
    assert_eq!((&counts["profiles"], &counts["merges"]), (&json!(1), &json!(1)));
    let mut seen = events(&stage.mara());
    seen.sort();
    assert_eq!(seen, ["login - null", "product_detail_page_view TEE-M null"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalog_is_written_changed_and_hidden() {
    let stage = Stage::open(json!({ "locales": ["de_DE"] }), json!({})).await;
    let report = stage.deliver(&[record(product(json!({})), json!({ "resource": { "type": "product", "id": "prod-881" } }))]).await;
    assert_eq!(report["counts"]["delivered"], 1, "{report:#}");
    let shown = |item: &str| stage.inspect(json!({ "what": "catalog" }))[item]["de_DE"].clone();
    assert_eq!(shown("TEE-S")["price"], json!({ "EUR": 15.0 }));
    let again = stage.deliver(&[record(product(json!({})), json!({ "version": 5, "idempotency_key": "again" }))]).await;
    assert_eq!(again["counts"]["delivered"], 0, "{again:#}");
    let elsewhere = json!({ "version": 6, "idempotency_key": "fr", "market": { "locale": "fr-FR" } });
    let refused = stage.deliver(&[record(product(json!({})), elsewhere)]).await;
    assert_eq!(refused["counts"]["dead_lettered"], 1, "a locale the account does not have: {refused:#}");
    let gone =
        json!({ "type": "product_deleted", "id": "prod-881", "variants": [{ "id": "1", "sku": "TEE-S" }, { "id": "9", "sku": "NEVER" }] });
    let hidden = stage.deliver(&[record(gone, json!({ "version": 7, "idempotency_key": "gone" }))]).await;
    assert_eq!(hidden["counts"]["delivered"], 1, "{hidden:#}");
    assert_eq!((&shown("TEE-S")["is_status_passive"], &shown("TEE-S")["in_stock"]), (&json!(1), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_batch_that_fails_fails_by_itself_and_a_lost_answer_doubles_nothing() {
    let stage = Stage::open(json!({}), json!({})).await;
    stage.sandbox.fault(br#"{"match":{"path":"/api/user/v1/upsert"},"fault":{"kind":"half_failed_bulk"}}"#).unwrap();
    let people: Vec<Record> = (0..10)
        .map(|index| {
            let id = format!("c-{index}");
            contact(json!({ "first_name": "P" }), json!({ "identity": { "customer_id": id }, "idempotency_key": format!("p{index}"), "resource": { "type": "customer", "id": id } }))
        })
        .collect();
    let report = stage.deliver(&people).await;
    assert_eq!((&report["counts"]["delivered"], &report["counts"]["dead_lettered"]), (&json!(5), &json!(5)), "{report:#}");
    stage.sandbox.fault(br#"{"match":{"path":"/api/user/v1/upsert"},"fault":{"kind":"reset_after"}}"#).unwrap();
    let report = stage.deliver(&[record(order(json!({})), json!({}))]).await;
    assert_eq!(report["counts"]["delivered"], 1, "{report:#}");
    assert_eq!(events(&stage.mara()), ["purchase TEE-M 2"]);
    assert_eq!(stage.inspect(json!({ "what": "counts" }))["repeatedEvents"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_person_is_gone_and_stays_gone() {
    let stage = Stage::open(json!({}), json!({})).await;
    stage.deliver(&[contact(json!({ "first_name": "Mara" }), json!({}))]).await;
    let gone = record(json!({ "type": "contact_deleted", "erase": true }), json!({ "version": 5, "idempotency_key": "gone" }));
    let report = stage.deliver(&[gone]).await;
    assert_eq!(report["counts"]["delivered"], 1, "{report:#}");
    assert_eq!(stage.mara(), Value::Null);
    let late = stage.deliver(&[record(order(json!({})), json!({ "idempotency_key": "late" }))]).await;
    assert_eq!((&late["counts"]["delivered"], &late["counts"]["skipped"]), (&json!(0), &json!(1)), "{late:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_the_wrong_type_stop_and_keep_everything() {
    let stage = Stage::open(json!({}), json!({ "token": "wrong" })).await;
    let answer = stage.engine.check().await;
    let shown = format!("{answer:?}");
    assert!(!shown.contains("wrong"), "{shown}");
    let lines = serde_json::to_string(&contact(json!({ "first_name": "M" }), json!({}))).unwrap();
    let stopped = stage.engine.deliver(Bytes::from_static(b"{}"), lines.into()).await;
    let text = stopped.map_or_else(|error| error.code().name().to_owned(), |report| String::from_utf8_lossy(&report).into_owned());
    assert!(text.contains("forbidden"), "{text}");
}

/// Who is reached by e-mail afterwards, by what Insider holds and what the shop says. The no that this library wrote is of
/// the 10th of May. Live and backfill agree but for the one cell that lifts a no.
const CONSENT: &[(&str, [bool; 6])] = &[
    //               yes    yes 5th  yes 15th  no     pending unknown
    ("nobody", [true, true, true, false, false, false]),
    ("never asked", [true, true, true, false, false, false]),
    ("yes", [true, true, true, false, true, true]),
    ("no", [false, false, false, false, false, false]),
    ("yes, then left by a link", [false, false, false, false, false, false]),
    ("our no of the 10th", [false, false, true, false, false, false]),
    ("our no, then left by a link", [false, false, false, false, false, false]),
];

#[tokio::test(flavor = "multi_thread")]
async fn nobody_ends_subscribed_without_a_newer_yes() {
    let incoming = [
        json!({ "status": "granted" }),
        json!({ "status": "granted", "at": "2025-05-05T08:00:00Z" }),
        json!({ "status": "granted", "at": "2025-05-15T08:00:00Z" }),
        json!({ "status": "denied", "at": "2025-05-15T08:00:00Z" }),
        json!({ "status": "pending" }),
        json!({ "status": "unknown" }),
    ];
    let left = json!({ "email": "email_unsubscribe" });
    let settings = json!({ "consent_evidence": true, "resubscribe": "newer_opt_in", "left_events": left });
    for (stored, expected) in CONSENT {
        for (said, reached) in incoming.iter().zip(expected) {
            for (mode, lifts) in [("live", true), ("backfill", false)] {
                let stage = Stage::open(json!({}), settings.clone()).await;
                prepare(&stage, stored).await;
                let mut consent = said.clone();
                consent["channel"] = json!("email");
                let report =
                    stage.deliver(&[contact(json!({ "first_name": "Mara", "consents": [consent] }), json!({ "mode": mode }))]).await;
                assert_eq!(report["counts"]["dead_lettered"], 0, "{report:#}");
                let mara = stage.mara();
                let wanted = *reached && (lifts || !stored.starts_with("our no"));
                assert_eq!(mara["reachable"]["email"], wanted, "{stored}, then {said}, {mode}: {mara:#}");
            }
        }
    }
}

async fn prepare(stage: &Stage, stored: &str) {
    let ids = json!({ "uuid": "c-42", "email": "mara@example.com" });
    let user = |attributes: Value| json!({ "users": [{ "identifiers": ids, "attributes": attributes }] });
    let no = json!({ "email_optin": false, "custom": { "email_consent": "denied", "email_consent_at": "2025-05-10T08:00:00Z" } });
    let upsert = match stored {
        "nobody" => return,
        "never asked" => json!({ "name": "Mara" }),
        "no" => json!({ "email_optin": false }),
        "yes" | "yes, then left by a link" => json!({ "email_optin": true }),
        _ => no,
    };
    stage.write("/api/user/v1/upsert", "ucd-key", user(upsert)).await;
    if stored.ends_with("by a link") {
        let event = json!({ "event_name": "email_unsubscribe", "timestamp": "2025-05-12T08:00:00Z" });
        stage.write("/api/user/v1/upsert", "ucd-key", json!({ "users": [{ "identifiers": ids, "events": [event] }] })).await;
    }
    if stored != "never asked" && stored != "yes" && stored != "no" {
        stage.write("/email/v2/unsubscribe", "unsubscribe-key", json!({ "emails": ["mara@example.com"] })).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sixty_calls_a_minute_of_the_catalog_are_kept() {
    let stage = Stage::open(json!({ "rate_limits": true }), json!({})).await;
    let products: Vec<Record> = (0..200)
        .map(|index| {
            let variants = json!([{ "id": "1", "sku": format!("S-{index}"), "price": { "list": money("1") }, "images": [{ "url": "https://img.example.com/1.jpg" }] }]);
            record(product(json!({ "id": format!("p-{index}"), "variants": variants })), json!({ "idempotency_key": format!("p{index}") }))
        })
        .collect();
    let report = stage.deliver(&products).await;
    assert_eq!(report["counts"]["delivered"], 200, "{report:#}");
    let calls = stage.inspect(json!({ "what": "counts" }))["endpoints"]["POST /v2/ingest"].clone();
    assert!(calls["requests"].as_u64().unwrap() <= 3, "records share requests: {calls}");
}
