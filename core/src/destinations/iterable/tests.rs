//! What Iterable gets, and what its answers mean. With `CARTWIRE_EXCHANGES=path` set, every request and reply is also
//! written there as NDJSON, for checking against the vendor's own contract.
#![allow(clippy::unwrap_used)]

use std::io::Write as _;

use serde_json::{Value, json};

use super::super::{Completed, Destination, Given, Operation, Reading, Reply, Verdict};
use super::{CAPABILITIES, Config, Iterable};
use crate::error::ErrorCode;
use crate::model::{FindingCode, Record, SkipReason};

// -- helpers ---------------------------------------------------------------------------------------------------------

fn config(settings: Value) -> Config {
    let mut all =
        json!({ "project_type": "hybrid", "api_key": "k-123", "catalogs": { "products": "products", "categories": "categories" } });
    for (key, value) in settings.as_object().unwrap() {
        all[key] = value.clone();
    }
    serde_json::from_value(all).unwrap()
}

fn open(settings: Value) -> Iterable {
    Iterable::new(config(settings)).unwrap()
}

fn merged(mut all: Value, change: Value) -> Value {
    for (key, value) in change.as_object().unwrap() {
        all[key] = value.clone();
    }
    all
}

fn record(body: Value, envelope: Value) -> Record {
    let all = merged(
        json!({
            "source": "commercetools",
            "tenant": "demo",
            "resource": { "type": "thing", "id": "r-1" },
            "version": 4,
            "occurred_at": "2026-01-01T10:00:00.123Z",
            "observed_at": "2026-01-01T10:00:05Z",
            "market": { "country": "DE", "locale": "de-DE", "currency": "EUR" },
            "identity": { "customer_id": "c-42", "email": "mara@example.com" },
            "correlation_id": "corr",
            "idempotency_key": "00aa11bb",
        }),
        envelope,
    );
    serde_json::from_value(json!({ "envelope": all, "body": body })).unwrap()
}

fn contact(body: Value, envelope: Value) -> Record {
    let all = merged(json!({ "type": "contact" }), body);
    record(all, envelope)
}

fn money(amount: &str) -> Value {
    json!({ "amount": amount, "currency": "EUR" })
}

fn line(id: &str, quantity: i64, unit: &str, total: &str) -> Value {
    json!({
        "id": id, "sku": "TEE-BLK-M", "product_id": "prod-881", "variant_id": "2", "name": "Black tee", "quantity": quantity,
        "unit_list_price": money(unit), "unit_price": money(unit), "total": money(total),
        "categories": [{ "id": "tees", "path": ["Apparel", "Tops", "Tees"] }],
        "attributes": { "size": { "type": "text", "value": "M" } },
    })
}

fn order(change: Value) -> Value {
    merged(
        json!({
            "type": "order", "id": "7f3a2c10-55d1", "number": "DE-10017", "placed_at": "2026-01-01T10:00:00Z", "status": "open", "cart_id": "crt-5512",
            "lines": [line("l1", 2, "19.50", "39.00")],
            "shipping": [{ "method": "DHL", "amount": money("4.90") }],
            "coupons": [{ "code": "NEWYEAR" }],
            "totals": { "subtotal": money("39.00"), "shipping": money("4.90"), "discount": money("0"), "tax": money("7.01"), "tax_added": money("0"), "total": money("43.90") },
            "shipping_address": { "country": "DE", "city": "Köln" },
        }),
        change,
    )
}

fn cart(change: Value) -> Value {
    merged(
        json!({
            "type": "cart", "id": "crt-5512", "state": "active", "lines": [line("l1", 2, "19.50", "39.00")],
            "totals": { "subtotal": money("39.00"), "shipping": money("0"), "discount": money("0"), "tax_added": money("0"), "total": money("39.00") },
            "updated_at": "2026-01-01T09:41:12Z", "url": "https://shop.example/cart/crt-5512",
        }),
        change,
    )
}

fn product(change: Value) -> Value {
    merged(
        json!({
            "type": "product", "id": "prod 881", "name": "Black tee", "published": true, "rating_average": "4.5", "rating_count": 12,
            "categories": [{ "id": "tees", "path": ["Tops", "Tees"] }],
            "variants": [
                { "id": "1", "sku": "TEE-S", "price": { "list": money("19.50"), "sale": money("15") }, "stock": { "in_stock": true, "quantity": 42 },
                  "images": [{ "url": "https://img.example/881.jpg" }], "attributes": { "size": { "type": "text", "value": "S" } } },
                { "id": "2", "sku": "TEE-M", "price": { "list": money("20") } },
            ],
            "attributes": { "material": { "type": "text", "value": "cotton" }, "length": { "type": "integer", "value": 3 } },
        }),
        change,
    )
}

const CONSENT: &str =
    r#"{ "email": { "message_type": 101, "policy": "opt_in", "channel": 7 }, "sms": { "message_type": 230, "policy": "opt_out" } }"#;

fn with_consent(settings: Value) -> Value {
    let mut all = settings;
    all["consent"] = serde_json::from_str(CONSENT).unwrap();
    all
}

fn consented(channel: &str, status: &str) -> Record {
    contact(json!({ "consents": [{ "channel": channel, "status": status, "at": "2026-01-01T08:30:00Z" }] }), json!({}))
}

fn ops(iterable: &Iterable, record: &Record) -> Vec<Operation> {
    let built = iterable.build(record);
    assert!(!built.findings.iter().any(crate::model::Finding::is_error), "{:?}", built.findings);
    for operation in &built.operations {
        let facts = CAPABILITIES.endpoint(&operation.endpoint).unwrap();
        assert!(facts.max_record_bytes == 0 || operation.body.len() <= facts.max_record_bytes as usize);
        if iterable.prefetch(operation).is_none() {
            exchange(iterable, &iterable.request(&[operation]).unwrap(), None);
        }
    }
    built.operations
}

fn body(operation: &Operation) -> Value {
    serde_json::from_slice(&operation.body).unwrap()
}

fn sent(iterable: &Iterable, operations: &[&Operation]) -> (String, Value) {
    let request = iterable.request(operations).unwrap();
    exchange(iterable, &request, None);
    let body = request.body.as_deref().map_or(Value::Null, |body| serde_json::from_slice(body).unwrap());
    (format!("{} {}", request.method.as_str(), request.path), body)
}

/// Writes one exchange for the contract check.
fn exchange(iterable: &Iterable, request: &super::Request, reply: Option<&Reply>) {
    static LOCK: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let Some(path) = std::env::var_os("CARTWIRE_EXCHANGES") else { return };
    let mut row = json!({
        "vendor": "iterable", "method": request.method.as_str(), "url": format!("{}{}", iterable.base_url(), request.path),
        "ref": std::thread::current().name().unwrap_or("test"),
    });
    if let Some(body) = &request.body {
        row["body"] = serde_json::from_slice(body).unwrap();
    }
    if let Some((reply, answer)) = reply.and_then(|reply| Some((reply, serde_json::from_slice::<Value>(&reply.body).ok()?))) {
        row["status"] = json!(reply.status);
        row["response"] = answer;
    }
    let _guard = LOCK.lock().unwrap();
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    writeln!(file, "{row}").unwrap();
}

fn reply(status: u16, body: Value) -> Reply {
    let body = if let Value::String(text) = &body { text.clone().into_bytes() } else { serde_json::to_vec(&body).unwrap() };
    Reply { status, headers: vec![("iterable-request-id".into(), "rq-1".into())], body }
}

/// Reads a reply that Iterable's contract also knows.
fn read(iterable: &Iterable, operations: &[&Operation], reply: &Reply) -> Reading {
    exchange(iterable, &iterable.request(operations).unwrap(), Some(reply));
    iterable.read(operations, reply)
}

fn answer(code: &str, msg: &str) -> Value {
    json!({ "code": code, "msg": msg, "params": {} })
}

fn bulk_answer(failed: u64, change: Value) -> Value {
    let mut all = json!({
        "successCount": 1, "failCount": failed, "invalidEmails": [], "invalidUserIds": [], "createdFields": [], "filteredOutFields": [],
        "failedUpdates": {
            "invalidEmails": [], "invalidUserIds": [], "notFoundEmails": [], "notFoundUserIds": [], "invalidDataEmails": [],
            "invalidDataUserIds": [], "conflictEmails": [], "conflictUserIds": [], "forgottenEmails": [], "forgottenUserIds": []
        },
    });
    for (key, value) in change.as_object().unwrap() {
        if key == "failedUpdates" {
            for (array, names) in value.as_object().unwrap() {
                all["failedUpdates"][array] = names.clone();
            }
        } else {
            all[key] = value.clone();
        }
    }
    all
}

fn only(reading: Reading) -> Verdict {
    match reading {
        Reading::Each(mut verdicts, _) if verdicts.len() == 1 => verdicts.remove(0),
        other => panic!("not one verdict: {other:?}"),
    }
}

fn code(verdict: &Verdict) -> (ErrorCode, &str) {
    match verdict {
        Verdict::Rejected(refusal) | Verdict::Retry(refusal, _) => (refusal.code.0, &refusal.vendor_code),
        other => panic!("no refusal: {other:?}"),
    }
}

fn finding(iterable: &Iterable, record: &Record) -> FindingCode {
    let built = iterable.build(record);
    assert!(built.operations.is_empty());
    built.findings.iter().find(|finding| finding.is_error()).unwrap().code
}

fn skip(iterable: &Iterable, record: &Record) -> SkipReason {
    let built = iterable.build(record);
    assert!(built.operations.is_empty() && built.findings.is_empty(), "{built:?}");
    built.skipped[0].reason
}

// -- settings --------------------------------------------------------------------------------------------------------

#[test]
fn a_box_ticked_at_the_checkout_writes_permission_and_leaves_the_profile_and_its_version_alone() {
    let iterable = open(json!({ "consent": { "email": { "message_type": 101, "policy": "opt_in" } } }));
    let consents = json!({ "consents": [{ "channel": "email", "status": "granted", "at": "2026-01-01T08:30:00Z" }] });
    let built = ops(&iterable, &contact(consents, json!({ "resource": { "type": "order", "id": "o-1" } })));
    assert_eq!(built[0].entity, "permission:c-42");
    assert_eq!(
        serde_json::from_slice::<Value>(&built[0].body).unwrap(),
        json!({ "userId": "c-42", "dataFields": { "consentEmail": { "status": "granted", "at": "2026-01-01 08:30:00 +00:00" } } })
    );
    assert_eq!((&built[0].delta, built[0].version, built[1].version), (&None, None, None));
    assert_eq!(built[1].entity, "consent:c-42:email");
}

#[test]
fn an_order_that_says_neither_yes_nor_no_makes_no_profile() {
    let iterable = open(with_consent(json!({})));
    for kind in ["order", "cart", "subscriber"] {
        let from = json!({ "resource": { "type": kind, "id": "o-1" }, "identity": { "email": "s3@example.com" } });
        for status in ["unknown", "pending"] {
            let consents = json!({ "consents": [{ "channel": "email", "status": status }] });
            assert_eq!(skip(&iterable, &contact(consents, from.clone())), SkipReason::ConsentUnknown, "{kind} {status}");
        }
        let consents = json!({ "consents": [{ "channel": "sms", "status": "unknown" }, { "channel": "email", "status": "denied" }] });
        assert_eq!(ops(&iterable, &contact(consents, from)).len(), 2);
    }
    // A customer's own record is written whatever is said: it is them.
    assert_eq!(ops(&iterable, &consented("email", "unknown")).len(), 1);
}

/// The row that is sent where nothing was sent of the person yet.
fn introduction(iterable: &Iterable, record: &Record) -> Option<Value> {
    let mut built = iterable.build(record);
    let provided = built.provided.pop()?;
    assert!(built.provided.is_empty());
    assert_eq!((provided.given, provided.operation.delta.as_deref()), (Given::Unknown, Some("/dataFields")));
    assert_eq!((provided.operation.version, provided.operation.once), (None, false));
    let what_follows = built.operations.first()?;
    assert_eq!(provided.operation.lane, what_follows.lane, "in front of it");
    assert_ne!(provided.operation.idempotency_key, what_follows.idempotency_key);
    exchange(iterable, &iterable.request(&[&provided.operation]).unwrap(), None);
    Some(body(&provided.operation))
}

#[test]
fn who_is_only_heard_of_by_an_order_gets_their_address_along() {
    let row = json!({ "userId": "c-42", "dataFields": { "email": "mara@example.com" } });
    let from_order = json!({ "resource": { "type": "order", "id": "o-1" } });
    let yes = || contact(json!({ "consents": [{ "channel": "email", "status": "granted" }] }), from_order.clone());
    for settings in [json!({}), json!({ "project_type": "user_id" })] {
        let iterable = open(with_consent(settings));
        let records = [order(json!({})), cart(json!({})), refund(), shipment(json!({})), event("account_created")];
        for record in records.into_iter().map(|body| record(body, json!({}))).chain([yes()]) {
            assert_eq!(introduction(&iterable, &record), Some(row.clone()));
        }
        let provided = iterable.build(&yes()).provided.remove(0).operation;
        assert_eq!((provided.endpoint.as_ref(), provided.entity.as_str()), ("users.bulkUpdate", "contact:c-42"));
    }
    let single = open(json!({ "write": "single", "create_new_fields": false }));
    let row = introduction(&single, &record(order(json!({})), json!({}))).unwrap();
    assert_eq!(row["createNewFields"], false);
}

#[test]
fn an_address_is_not_put_in_front_of_what_has_it_or_of_nothing() {
    let iterable = open(with_consent(json!({})));
    let guest = json!({ "identity": { "email": "mara@example.com" } });
    let nameless = json!({ "identity": { "customer_id": "c-42" } });
    let odd = json!({ "identity": { "customer_id": "c-42", "email": "mara" } });
    for envelope in [guest, nameless, odd] {
        assert_eq!(introduction(&iterable, &record(order(json!({})), envelope)), None);
    }
    assert_eq!(introduction(&iterable, &consented("email", "granted")), None, "the customer's own record");
    assert_eq!(introduction(&iterable, &record(event("email_changed"), json!({}))), None);
    assert!(iterable.build(&record(order(json!({})), json!({ "mode": "backfill" }))).provided.is_empty(), "nothing follows");
    assert_eq!(introduction(&open(json!({ "project_type": "email" })), &record(order(json!({})), json!({}))), None);
}

#[test]
fn two_rows_with_one_address_stay_apart() {
    let iterable = open(json!({}));
    let row = |identity: Value| ops(&iterable, &contact(json!({ "first_name": "Mara" }), json!({ "identity": identity }))).remove(0);
    let one = row(json!({ "customer_id": "60", "email": "mara@example.com" }));
    let other = row(json!({ "customer_id": "61", "email": "mara@example.com" }));
    let guest = row(json!({ "email": "mara@example.com" }));
    let silent = row(json!({ "customer_id": "62" }));
    assert_eq!(iterable.apart(&one).as_deref(), Some("mara@example.com"));
    assert_eq!((iterable.apart(&other), iterable.apart(&guest)), (iterable.apart(&one), iterable.apart(&one)));
    assert_eq!(iterable.apart(&silent), None);
    let bought = ops(&iterable, &record(order(json!({})), json!({ "identity": { "email": "mara@example.com" } }))).remove(0);
    assert_eq!(iterable.apart(&bought), None, "one row per request already");
}

#[test]
fn a_refusal_that_names_an_address_in_the_fields_finds_its_row() {
    let iterable = open(json!({ "guests": "keep" }));
    let row = |id: &str, email: &str| {
        ops(&iterable, &contact(json!({ "first_name": "Mara" }), json!({ "identity": { "customer_id": id, "email": email } }))).remove(0)
    };
    let (one, two) = (row("60", "one@example.com"), row("61", "two@example.com"));
    let answer = json!({ "successCount": 1, "failCount": 1, "failedUpdates": { "conflictEmails": ["Two@example.com"] } });
    let reply = Reply { status: 200, headers: vec![], body: answer.to_string().into_bytes() };
    let Reading::Each(verdicts, _) = iterable.read(&[&one, &two], &reply) else { panic!("each row has its verdict") };
    assert_eq!(verdicts[0], Verdict::Accepted);
    assert!(matches!(&verdicts[1], Verdict::Rejected(refusal) if refusal.code.0 == ErrorCode::Conflict));
}

#[test]
fn the_project_type_must_be_said() {
    let error = Iterable::new(Config::default()).unwrap_err();
    assert_eq!((error.code(), error.path()), (ErrorCode::InvalidConfig, Some("/project_type")));
}

#[test]
fn settings_that_cannot_work_are_refused_by_name() {
    for (settings, path) in [
        (json!({ "project_type": "email", "data_center": "eu" }), "/project_type"),
        (json!({ "prefer_user_id": true }), "/prefer_user_id"),
        (json!({ "catalogs": { "products": "my_products" } }), "/catalogs/products"),
        (json!({ "catalogs": { "products": "same", "categories": "Same" } }), "/catalogs"),
        (json!({ "base_url": "ftp://example.com" }), "/base_url"),
        (json!({ "base_url": "https://example.com/api" }), "/base_url"),
        (json!({ "base_url": "https://user@example.com" }), "/base_url"),
        (json!({ "base_url": "http://example.com" }), "/base_url"),
        (json!({ "base_url": "http://localhost.example.com" }), "/base_url"),
        (json!({ "api_key": "a\r\nb" }), "/api_key"),
        (json!({ "consent": { "mail": { "message_type": 1, "policy": "opt_in" } } }), "/consent"),
        (json!({ "event_names": { "order_shipped": "" } }), "/event_names"),
        (json!({ "user_id_prefix": "bä" }), "/user_id_prefix"),
    ] {
        let error = Iterable::new(config(settings.clone())).err().unwrap_or_else(|| panic!("accepted {settings}"));
        assert_eq!((error.code(), error.path()), (ErrorCode::InvalidConfig, Some(path)), "{settings}");
    }
    assert!(serde_json::from_value::<Config>(json!({ "project_type": "hybrid", "datacenter": "eu" })).is_err());
}

#[test]
fn the_data_centre_picks_the_host_and_a_test_server_can_replace_it() {
    assert_eq!(open(json!({})).base_url(), "https://api.iterable.com");
    assert_eq!(open(json!({ "data_center": "eu" })).base_url(), "https://api.eu.iterable.com");
    assert_eq!(open(json!({ "base_url": "http://127.0.0.1:8080/" })).base_url(), "http://127.0.0.1:8080");
    assert_eq!(open(json!({ "base_url": "http://[::1]:8080" })).base_url(), "http://[::1]:8080");
}

#[test]
fn the_key_travels_in_a_header_and_shows_nowhere() {
    let iterable = open(json!({}));
    let request = iterable.check();
    exchange(&iterable, &request, None);
    assert_eq!(request.secret_headers[0].0, "api-key");
    assert_eq!(request.secret_headers[0].1.expose(), "k-123");
    assert!(!format!("{request:?}{iterable:?}").contains("k-123"));
}

#[test]
fn every_endpoint_is_listed_once() {
    let mut ids: Vec<_> = CAPABILITIES.endpoints.iter().map(|endpoint| endpoint.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), CAPABILITIES.endpoints.len());
    assert!(CAPABILITIES.endpoints.iter().all(|endpoint| !endpoint.many_per_lane));
}

// -- identity --------------------------------------------------------------------------------------------------------

#[test]
fn a_hybrid_project_knows_customers_by_id_and_guests_by_address() {
    let iterable = open(json!({ "user_id_prefix": "ct-" }));
    let customer = &ops(&iterable, &contact(json!({}), json!({})))[0];
    assert_eq!(body(customer)["userId"], "ct-c-42");
    assert_eq!(body(customer).get("email"), None);
    assert_eq!(body(customer)["dataFields"]["email"], "mara@example.com");
    assert_eq!((customer.entity.as_str(), customer.lane.as_str()), ("contact:ct-c-42", "profile:ct-c-42"));
    let guest = &ops(&iterable, &contact(json!({}), json!({ "identity": { "email": "guest@example.org" } })))[0];
    assert_eq!(body(guest)["email"], "guest@example.org");
    assert_eq!(body(guest).get("userId"), None);
    assert_eq!(body(guest)["dataFields"].get("email"), None);
    assert!(!guest.entity.contains("guest") && !guest.lane.contains("guest"));
}

#[test]
fn an_email_project_knows_people_by_address_and_keeps_the_id_as_a_field() {
    let iterable = open(json!({ "project_type": "email" }));
    let row = body(&ops(&iterable, &contact(json!({}), json!({})))[0]);
    assert_eq!(row["email"], "mara@example.com");
    assert_eq!(row.get("userId"), None);
    assert_eq!(row["dataFields"]["customerId"], "c-42");
    assert_eq!(row["dataFields"].get("userId"), None);
}

#[test]
fn an_email_project_takes_a_bare_id_only_when_told_to() {
    let bare = contact(json!({}), json!({ "identity": { "customer_id": "c-42" } }));
    assert_eq!(finding(&open(json!({ "project_type": "email" })), &bare), FindingCode::IdentityUnusable);
    let row = body(&ops(&open(json!({ "project_type": "email", "prefer_user_id": true })), &bare)[0]);
    assert_eq!((row["userId"].as_str(), row["preferUserId"].as_bool()), (Some("c-42"), Some(true)));
}

#[test]
fn a_user_id_project_takes_sessions_but_no_guest_without_one() {
    let iterable = open(json!({ "project_type": "user_id" }));
    let session = record(cart(json!({})), json!({ "identity": { "anonymous_id": "s-9", "email": "guest@example.org" } }));
    assert_eq!(body(&ops(&iterable, &session)[0])["user"]["userId"], "anon-s-9");
    let guest = record(cart(json!({})), json!({ "identity": { "email": "guest@example.org" } }));
    assert_eq!(finding(&iterable, &guest), FindingCode::IdentityUnusable);
    let off = open(json!({ "project_type": "user_id", "anonymous_profiles": false }));
    assert_eq!(skip(&off, &record(cart(json!({})), json!({ "identity": { "anonymous_id": "s-9" } }))), SkipReason::NotConfigured);
}

#[test]
fn ids_and_addresses_that_iterable_refuses_never_leave() {
    let iterable = open(json!({}));
    for identity in [
        json!({ "customer_id": "x".repeat(53) }),
        json!({ "customer_id": "kä" }),
        json!({ "customer_id": "c " }),
        json!({ "email": "no-at-sign" }),
        json!({ "email": "a b@example.com" }),
        json!({ "email": format!("{}@example.com", "x".repeat(65)) }),
        json!({}),
    ] {
        assert_eq!(finding(&iterable, &contact(json!({}), json!({ "identity": identity }))), FindingCode::IdentityUnusable);
    }
}

// -- contacts --------------------------------------------------------------------------------------------------------

#[test]
fn a_contact_is_one_row_under_its_own_field_names() {
    let iterable = open(json!({}));
    let record = contact(
        json!({
            "first_name": "Mara", "last_name": "Okoye", "date_of_birth": "1990-05-04", "timezone": "Europe/Berlin", "groups": ["vip", "b2b"],
            "created_at": "2024-11-03T12:00:00Z",
            "addresses": [{ "city": "Graz", "country": "AT" }, { "city": "Köln", "country": "DE", "default_shipping": true }],
            "consents": [{ "channel": "email", "status": "granted", "at": "2026-01-01T08:30:00.5Z", "source": "checkout" }, { "channel": "sms", "status": "unknown" }],
            "attributes": {
                "shoeSize": { "type": "decimal", "value": "42" }, "points": { "type": "integer", "value": 7 },
                "lastVisit": { "type": "date_time", "value": "2026-01-01T10:00:00Z" }, "tags": { "type": "list", "value": [{ "type": "text", "value": "a" }] },
                "credit": { "type": "money", "value": money("10") },
            },
        }),
        json!({ "identity": { "customer_id": "c-42", "email": "mara@example.com", "phone": "+4915112345678" } }),
    );
    let operations = ops(&iterable, &record);
    assert_eq!(operations.len(), 1);
    assert_eq!(operations[0].endpoint, "users.bulkUpdate");
    assert_eq!(operations[0].delta.as_deref(), Some("/dataFields"));
    assert_eq!((operations[0].once, operations[0].version), (false, Some(4)));
    assert_eq!(
        body(&operations[0]),
        json!({
            "userId": "c-42",
            "dataFields": {
                "email": "mara@example.com", "customerId": "c-42", "firstName": "Mara", "lastName": "Okoye", "dateOfBirth": "1990-05-04",
                "phoneNumber": "+4915112345678", "locale": "de-DE", "timeZone": "Europe/Berlin", "country": "DE",
                "customerGroup": "vip", "customerGroups": ["vip", "b2b"], "customerSince": "2024-11-03 12:00:00 +00:00",
                "address": { "city": "Köln", "country": "DE" },
                "consentEmail": { "status": "granted", "at": "2026-01-01 08:30:00 +00:00", "source": "checkout" },
                "credit": { "amount": 10.0, "currency": "EUR" }, "lastVisit": "2026-01-01 10:00:00 +00:00", "points": 7, "shoeSize": 42.0, "tags": ["a"],
            }
        })
    );
    // The decimal form is what keeps a field from being locked to whole numbers.
    let text = String::from_utf8(operations[0].body.clone()).unwrap();
    assert!(text.contains(r#""shoeSize":42.0"#) && text.contains(r#""amount":10.0"#) && text.contains(r#""points":7,"#));
}

#[test]
fn a_phone_that_is_not_e164_is_not_sent() {
    let record = contact(json!({}), json!({ "identity": { "customer_id": "c-42", "phone": "0151 123" } }));
    assert_eq!(body(&ops(&open(json!({})), &record)[0])["dataFields"].get("phoneNumber"), None);
}

#[test]
fn fields_that_iterable_keeps_for_itself_are_dropped_and_said_so() {
    let attributes = json!({ "unsubscribedChannelIds": { "type": "list", "value": [] }, "a.b": { "type": "boolean", "value": true }, "ok": { "type": "boolean", "value": true } });
    let built = open(json!({})).build(&contact(json!({ "attributes": attributes }), json!({})));
    assert_eq!(built.operations.len(), 1);
    assert_eq!(body(&built.operations[0])["dataFields"]["ok"], true);
    let codes: Vec<_> = built.findings.iter().map(|finding| (finding.code, finding.pointer.as_str(), finding.is_error())).collect();
    assert_eq!(
        codes,
        [
            (FindingCode::FieldDropped, "/body/attributes/a.b", false),
            (FindingCode::FieldDropped, "/body/attributes/unsubscribedChannelIds", false)
        ]
    );
}

#[test]
fn merging_writes_null_for_parts_of_an_address_that_are_gone() {
    let iterable = open(json!({ "merge_nested_objects": true, "write": "single", "create_new_fields": false }));
    let operation = &ops(&iterable, &contact(json!({ "addresses": [{ "city": "Graz" }] }), json!({})))[0];
    let row = body(operation);
    assert_eq!(operation.endpoint, "users.update");
    assert_eq!((row["mergeNestedObjects"].as_bool(), row["createNewFields"].as_bool()), (Some(true), Some(false)));
    assert_eq!(row["dataFields"]["address"]["city"], "Graz");
    assert_eq!(row["dataFields"]["address"].get("line2"), Some(&Value::Null));
}

#[test]
fn many_contacts_share_one_request_as_they_stand() {
    let iterable = open(json!({ "create_new_fields": true }));
    let a = ops(&iterable, &contact(json!({ "first_name": "A" }), json!({}))).remove(0);
    let b = ops(&iterable, &contact(json!({ "first_name": "B" }), json!({ "identity": { "email": "b@example.com" } }))).remove(0);
    let (line, whole) = sent(&iterable, &[&a, &b]);
    assert_eq!(line, "POST /api/users/bulkUpdate");
    assert_eq!(whole, json!({ "createNewFields": true, "users": [body(&a), body(&b)] }));
}

#[test]
fn an_address_that_is_gone_is_never_sent_as_null() {
    let iterable = open(json!({}));
    let mut operation = ops(&iterable, &contact(json!({}), json!({}))).remove(0);
    operation.body = br#"{"userId":"c-42","dataFields":{"email":null,"firstName":null,"balance":123456789012345.678901}}"#.to_vec();
    let request = iterable.request(&[&operation]).unwrap();
    let text = String::from_utf8(request.body.unwrap()).unwrap();
    assert_eq!(text, r#"{"users":[{"dataFields":{"balance":123456789012345.678901,"firstName":null},"userId":"c-42"}]}"#);
}

#[test]
fn operations_of_two_endpoints_never_share_a_request() {
    let iterable = open(json!({}));
    let a = ops(&iterable, &contact(json!({}), json!({}))).remove(0);
    let b = ops(&iterable, &record(order(json!({})), json!({}))).remove(0);
    assert_eq!(iterable.request(&[&a, &b]).unwrap_err().code(), ErrorCode::Internal);
    assert_eq!(iterable.request(&[]).unwrap_err().code(), ErrorCode::Internal);
    assert_eq!(iterable.request(&[&b, &b]).unwrap_err().code(), ErrorCode::Internal);
}

/// Every key of an object in the text that stands twice in it.
fn doubled(body: &[u8]) -> Vec<String> {
    struct Keys(Vec<String>);
    impl<'de> serde::Deserialize<'de> for Keys {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Walk;
            impl<'de> serde::de::Visitor<'de> for Walk {
                type Value = Keys;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("JSON")
                }
                fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                    let (mut seen, mut out) = (std::collections::BTreeSet::new(), Vec::new());
                    while let Some((key, inner)) = map.next_entry::<String, Keys>()? {
                        out.extend(inner.0);
                        if !seen.insert(key.clone()) {
                            out.push(key);
                        }
                    }
                    Ok(Keys(out))
                }
                fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Keys, A::Error> {
                    let mut out = Vec::new();
                    while let Some(inner) = seq.next_element::<Keys>()? {
                        out.extend(inner.0);
                    }
                    Ok(Keys(out))
                }
                fn visit_str<E>(self, _: &str) -> Result<Keys, E> {
                    Ok(Keys(Vec::new()))
                }
                fn visit_bool<E>(self, _: bool) -> Result<Keys, E> {
                    Ok(Keys(Vec::new()))
                }
                fn visit_i64<E>(self, _: i64) -> Result<Keys, E> {
                    Ok(Keys(Vec::new()))
                }
                fn visit_u64<E>(self, _: u64) -> Result<Keys, E> {
                    Ok(Keys(Vec::new()))
                }
                fn visit_f64<E>(self, _: f64) -> Result<Keys, E> {
                    Ok(Keys(Vec::new()))
                }
                fn visit_unit<E>(self) -> Result<Keys, E> {
                    Ok(Keys(Vec::new()))
                }
            }
            deserializer.deserialize_any(Walk)
        }
    }
    serde_json::from_slice::<Keys>(body).unwrap().0
}

#[test]
fn an_attribute_never_doubles_a_field_of_its_row() {
    // Everything that can be said, so that every field of its own is there.
    let price = json!({ "list": money("2"), "sale": money("1") });
    let full = |attributes: Value| {
        let mut item = line("l1", 1, "2", "2");
        for (key, value) in [
            ("kind", json!("custom")),
            ("parent_id", json!("l0")),
            ("product_key", json!("k")),
            ("brand", json!("b")),
            ("image_url", json!("u")),
            ("url", json!("u")),
            ("tax", money("1")),
            ("discounts", json!([{ "kind": "cart", "amount": money("1") }])),
            ("attributes", attributes.clone()),
        ] {
            item[key] = value;
        }
        let variant = json!({
            "id": "1", "sku": "s", "key": "k", "name": "n", "url": "u", "price": price, "images": [{ "url": "u" }],
            "stock": { "in_stock": true, "quantity": 1, "restock_days": 2 }, "attributes": attributes,
        });
        let consents: Vec<_> =
            ["email", "sms", "push", "whatsapp", "post"].iter().map(|channel| json!({ "channel": channel, "status": "granted" })).collect();
        [
            json!({
                "type": "contact", "first_name": "a", "middle_name": "b", "last_name": "c", "salutation": "d", "title": "e", "company": "f", "vat_id": "g",
                "gender": "h", "date_of_birth": "1990-01-01", "customer_number": "i", "timezone": "UTC", "email_verified": true, "groups": ["g"],
                "stores": ["s"], "created_at": "2026-01-01T00:00:00Z", "addresses": [{ "city": "x", "default_billing": true }], "consents": consents,
                "attributes": attributes,
            }),
            order(json!({
                "lines": [item, { "id": "f", "kind": "fee", "quantity": 1, "unit_list_price": money("2"), "unit_price": money("2"), "total": money("2") }],
                "payment_status": "paid", "shipping_status": "shipped", "workflow_state": "w", "payment_methods": ["card"], "url": "u", "recurring": true,
                "imported": true, "shipping_address": { "country": "DE", "city": "x", "region": "y", "postal_code": "z" }, "attributes": attributes,
            })),
            shipment(json!({ "status": "shipped", "address": { "country": "DE" }, "order_number": "n", "attributes": attributes })),
            json!({
                "type": "event", "name": "x", "order_id": "o", "order_number": "n", "cart_id": "c", "product_id": "p", "variant_id": "v", "sku": "s",
                "category_id": "k", "value": money("1"), "url": "u", "lines": [line("l1", 1, "2", "2")], "properties": attributes,
            }),
            json!({
                "type": "product", "id": "p", "key": "k", "name": "n", "description": "d", "slug": "s", "url": "u", "brand": "b", "product_type": "t",
                "published": true, "categories": [{ "id": "c" }], "variants": [variant], "rating_average": "4", "rating_count": 1,
                "created_at": "2026-01-01T00:00:00Z", "attributes": attributes,
            }),
            json!({
                "type": "category", "id": "c", "key": "k", "name": "n", "description": "d", "slug": "s", "url": "u", "parent_id": "p",
                "ancestors": [{ "id": "p" }], "order_hint": "0.1", "created_at": "2026-01-01T00:00:00Z", "attributes": attributes,
            }),
        ]
    };
    let market = json!({
        "market": { "store": "s", "channel": "c", "country": "DE", "locale": "de-DE" },
        "identity": { "customer_id": "c-42", "email": "mara@example.com", "phone": "+4915112345678" },
    });
    for layout in ["product", "variant"] {
        let iterable = open(json!({ "catalog_layout": layout }));
        for plain in full(json!({})) {
            let built = iterable.build(&record(plain.clone(), market.clone())).operations.remove(0);
            let row = body(&built);
            let own = row.get("dataFields").unwrap_or(&row);
            let item = row["items"].get(0).or_else(|| own["items"].get(0)).and_then(|item| item.get("dataFields"));
            let names = own.as_object().unwrap().keys().chain(item.into_iter().flat_map(|item| item.as_object().unwrap().keys()));
            let attributes: serde_json::Map<_, _> = names.map(|name| (name.clone(), json!({ "type": "boolean", "value": true }))).collect();
            for clash in full(Value::Object(attributes)).into_iter().filter(|other| other["type"] == plain["type"]) {
                let built = iterable.build(&record(clash, market.clone())).operations.remove(0);
                assert_eq!(doubled(&built.body), Vec::<String>::new(), "{}", plain["type"]);
            }
        }
    }
}

// -- consent ---------------------------------------------------------------------------------------------------------

#[test]
fn a_no_unsubscribes_without_asking() {
    let iterable = open(with_consent(json!({})));
    let operations = ops(&iterable, &consented("email", "denied"));
    assert_eq!(operations.len(), 2);
    assert_eq!(operations[1].endpoint, "subscriptions.unsubscribeByUserId");
    assert!(iterable.prefetch(&operations[1]).is_none());
    assert_ne!(operations[0].idempotency_key, operations[1].idempotency_key);
    assert_ne!(operations[0].entity, operations[1].entity);
    assert_eq!(operations[0].lane, operations[1].lane);
    assert_eq!(sent(&iterable, &[&operations[1]]), ("DELETE /api/subscriptions/messageType/101/byUserId/c-42".into(), Value::Null));
}

#[test]
fn silence_and_an_unconfirmed_yes_change_no_subscription() {
    let iterable = open(with_consent(json!({})));
    for status in ["pending", "unknown"] {
        assert_eq!(ops(&iterable, &consented("email", status)).len(), 1);
    }
    let built = open(json!({})).build(&consented("email", "granted"));
    assert_eq!((built.operations.len(), built.skipped[0].reason), (1, SkipReason::NotConfigured));
}

#[test]
fn of_two_answers_for_one_channel_the_no_counts() {
    let iterable = open(with_consent(json!({})));
    for order in [["granted", "denied"], ["denied", "granted"]] {
        let consents: Vec<_> = order.iter().map(|status| json!({ "channel": "email", "status": status })).collect();
        let operations = ops(&iterable, &contact(json!({ "consents": consents }), json!({})));
        assert_eq!(operations.len(), 2);
        assert_eq!(operations[1].endpoint, "subscriptions.unsubscribeByUserId");
        assert_eq!(body(&operations[0])["dataFields"]["consentEmail"], json!({ "status": "denied" }));
    }
    let twice = json!([{ "channel": "email", "status": "denied" }, { "channel": "email", "status": "denied" }]);
    assert_eq!(ops(&iterable, &contact(json!({ "consents": twice }), json!({}))).len(), 2);
}

#[test]
fn nobody_is_subscribed_by_a_row_that_cannot_be_read() {
    let iterable = open(with_consent(json!({})));
    let mut operation = ops(&iterable, &consented("email", "granted")).remove(1);
    operation.body = b"{}".to_vec();
    assert_eq!(iterable.request(&[&operation]).unwrap_err().code(), ErrorCode::Internal);
}

fn profile(fields: Value) -> Reply {
    reply(200, json!({ "user": { "userId": "c-42", "email": "mara@example.com", "dataFields": fields } }))
}

fn completed(iterable: &Iterable, record: &Record, found: &Reply) -> Completed {
    let operations = ops(iterable, record);
    let request = iterable.prefetch(&operations[1]).unwrap();
    exchange(iterable, &request, Some(found));
    let done = match iterable.complete(&operations[1], found).unwrap() {
        Completed::Look(further) => looked(iterable, &further, &[]),
        done => done,
    };
    if let Completed::Send(request) = &done {
        exchange(iterable, request, None);
    }
    done
}

/// What a yes in doubt comes to when the person has these events.
fn looked(iterable: &Iterable, further: &Operation, events: &[Value]) -> Completed {
    let request = iterable.prefetch(further).unwrap();
    assert_eq!(request.path, "/api/export/userEvents?userId=c-42&includeCustomEvents=false");
    exchange(iterable, &request, None);
    let body = events.iter().flat_map(|event| format!("{event}\n").into_bytes()).collect();
    iterable.complete(further, &Reply { status: 200, headers: Vec::new(), body }).unwrap()
}

/// A yes from 08:30 for somebody who is not in the type, with what is remembered of them.
fn in_doubt(iterable: &Iterable, at: Option<&str>, remembered: Option<(&str, &str)>) -> Operation {
    let record = contact(json!({ "consents": [{ "channel": "email", "status": "granted", "at": at }] }), json!({}));
    let mut operation = ops(iterable, &record).remove(1);
    if let Some((left, since)) = remembered {
        operation.body = iterable.remind(operation.body, left, since.parse().unwrap()).unwrap();
    }
    match iterable.complete(&operation, &profile(json!({ "subscribedMessageTypeIds": [117] }))).unwrap() {
        Completed::Look(further) => *further,
        other => panic!("not in doubt: {other:?}"),
    }
}

fn left_at(time: &str, change: Value) -> Value {
    merged(
        json!({ "_type": "emailUnSubscribe", "createdAt": format!("2026-01-01 {time} +00:00"), "unsubSource": "EmailLink",
            "messageTypeIds": [101], "channelIds": [], "emailListIds": [], "email": "mara@example.com" }),
        change,
    )
}

fn skipped(done: Completed) -> SkipReason {
    match done {
        Completed::Skip(skip) => skip.reason,
        other => panic!("not skipped: {other:?}"),
    }
}

#[test]
fn a_yes_reads_the_profile_first_and_subscribes_who_has_not_left() {
    let iterable = open(with_consent(json!({})));
    let operations = ops(&iterable, &consented("email", "granted"));
    assert_eq!(iterable.prefetch(&operations[1]).unwrap().path, "/api/users/byUserId?userId=c-42");
    let Completed::Send(request) = completed(&iterable, &consented("email", "granted"), &profile(json!({ "unsubscribedChannelIds": [9] })))
    else {
        panic!("not sent")
    };
    assert_eq!((request.method.as_str(), request.path.as_str()), ("PATCH", "/api/subscriptions/messageType/101/byUserId/c-42"));
    assert!(request.body.is_none());
}

#[test]
fn a_yes_never_brings_back_who_left_at_iterable() {
    let iterable = open(with_consent(json!({})));
    let left_channel = profile(json!({ "unsubscribedChannelIds": [7] }));
    assert_eq!(skipped(completed(&iterable, &consented("email", "granted"), &left_channel)), SkipReason::DeniedAtDestination);
    let left_type = profile(json!({ "unsubscribedMessageTypeIds": [230] }));
    assert_eq!(skipped(completed(&iterable, &consented("sms", "granted"), &left_type)), SkipReason::DeniedAtDestination);
    let rewriting = open(with_consent(json!({ "subscriptions": "read_modify_write" })));
    assert_eq!(skipped(completed(&rewriting, &consented("email", "granted"), &left_channel)), SkipReason::DeniedAtDestination);
    assert_eq!(skipped(completed(&rewriting, &consented("sms", "granted"), &left_type)), SkipReason::DeniedAtDestination);
}

#[test]
fn who_was_joined_and_is_not_any_more_has_left() {
    let absent = profile(json!({ "subscribedMessageTypeIds": [102] }));
    for settings in [json!({}), json!({ "subscriptions": "read_modify_write" })] {
        let iterable = open(with_consent(settings));
        let built = |channel: &str, status: &str| ops(&iterable, &consented(channel, status)).remove(1);
        let yes = built("email", "granted");
        assert_eq!(iterable.leaves(&yes).as_deref(), Some("joined:101"));
        let since = "2025-06-01T00:00:00Z".parse().unwrap();
        let reminded = |left: &str| Operation { body: iterable.remind(yes.body.clone(), left, since).unwrap(), ..yes.clone() };
        let Completed::Look(further) = iterable.complete(&reminded("joined:101"), &absent).unwrap() else { panic!("not looked at") };
        assert_eq!(skipped(looked(&iterable, &further, &[])), SkipReason::DeniedAtDestination);
        let joined = profile(json!({ "subscribedMessageTypeIds": [101] }));
        assert_eq!(skipped(iterable.complete(&reminded("joined:101"), &joined).unwrap()), SkipReason::Unchanged);
        // A first yes joins, and so does one after another type was joined.
        for first in [yes.clone(), reminded("joined:102"), reminded("denied:101")] {
            let Completed::Look(further) = iterable.complete(&first, &absent).unwrap() else { panic!("not looked at") };
            assert!(matches!(looked(&iterable, &further, &[]), Completed::Send(_)));
        }
        for (channel, status, left) in
            [("email", "denied", "denied:101"), ("sms", "granted", "joined:230"), ("sms", "denied", "denied:230")]
        {
            assert_eq!(iterable.leaves(&built(channel, status)).as_deref(), Some(left));
        }
        // A profile's own row leaves nothing.
        assert_eq!(iterable.leaves(&ops(&iterable, &consented("email", "granted"))[0]), None);
    }
}

#[test]
fn who_left_an_opt_in_type_is_told_by_their_events() {
    let iterable = open(with_consent(json!({})));
    let stays_away = |at: Option<&str>, events: &[Value]| match looked(&iterable, &in_doubt(&iterable, at, None), events) {
        Completed::Send(request) => {
            assert_eq!(request.path, "/api/subscriptions/messageType/101/byUserId/c-42");
            false
        }
        done => skipped(done) == SkipReason::DeniedAtDestination,
    };
    let yes = Some("2026-01-01T08:30:00.900Z");
    let lists = |types: Value, channels: Value, lists: Value| {
        left_at("09:00:00", json!({ "messageTypeIds": types, "channelIds": channels, "emailListIds": lists }))
    };
    for (event, stays) in [
        (left_at("08:29:59", json!({})), false),
        // To the second, as Iterable tells it.
        (left_at("08:30:00", json!({})), true),
        (left_at("09:00:00", json!({})), true),
        (left_at("09:00:00", json!({ "_type": "emailUnsubscribe", "unsubSource": "API" })), true),
        (left_at("09:00:00", json!({ "_type": null })), true),
        // Nobody can say when, or what.
        (left_at("09:00:00", json!({ "createdAt": "yesterday" })), true),
        (left_at("09:00:00", json!({ "createdAt": null })), true),
        (lists(json!([]), json!([]), json!([])), true),
        (lists(Value::Null, Value::Null, Value::Null), true),
        // Their channel, and nothing of theirs.
        (lists(json!([]), json!([7]), json!([])), true),
        (lists(json!([102]), json!([]), json!([])), false),
        (lists(json!([]), json!([8]), json!([])), false),
        (lists(json!([]), json!([]), json!([101])), false),
        (left_at("09:00:00", json!({ "_type": "emailSubscribe", "unsubSource": null, "signupSource": "API" })), false),
        (left_at("09:00:00", json!({ "_type": "emailSend" })), false),
        // Left and joined again and left by a bulk update, which leaves no event: as far as anybody knows, before.
        (left_at("08:00:00", json!({ "createdAt": "2026-01-01T08:00:00Z" })), false),
    ] {
        assert_eq!(stays_away(yes, std::slice::from_ref(&event)), stays, "{event}");
    }
    assert!(!stays_away(None, &[]), "nobody ever left");
    assert!(stays_away(None, &[left_at("00:00:00", json!({}))]), "of a yes without a time nobody knows whether it is newer");
    assert!(stays_away(yes, &[left_at("08:00:00", json!({})), left_at("09:00:00", json!({})), left_at("07:00:00", json!({}))]));
    let unreadable =
        Reply { status: 200, headers: Vec::new(), body: b"{\"_type\":\"emailSend\"}\n{\"_type\":\"emailUnSubscribe\",\"crea".to_vec() };
    let further = in_doubt(&iterable, yes, None);
    assert_eq!(skipped(iterable.complete(&further, &unreadable).unwrap()), SkipReason::DeniedAtDestination);
    let garbage = Reply { body: b"{\"_type\":\"emailSe".to_vec(), ..unreadable };
    assert!(matches!(iterable.complete(&further, &garbage).unwrap(), Completed::Send(_)));
}

#[test]
fn without_a_channel_any_channel_may_be_the_types_own() {
    let consent = json!({ "email": { "message_type": 101, "policy": "opt_in" } });
    let iterable = open(json!({ "consent": consent }));
    let further = in_doubt(&iterable, Some("2026-01-01T08:30:00Z"), None);
    let left = left_at("09:00:00", json!({ "messageTypeIds": [], "channelIds": [8] }));
    assert_eq!(skipped(looked(&iterable, &further, &[left])), SkipReason::DeniedAtDestination);
}

#[test]
fn the_shops_own_no_is_no_leaving_of_the_persons() {
    let iterable = open(with_consent(json!({})));
    // A no that waited: it was accepted at nine, after the yes of half past eight was given.
    let asked = |events: &[Value]| {
        let further = in_doubt(&iterable, Some("2026-01-01T08:30:00Z"), Some(("denied:101", "2026-01-01T09:00:00Z")));
        matches!(looked(&iterable, &further, events), Completed::Send(_))
    };
    let api = |time: &str| left_at(time, json!({ "unsubSource": "API" }));
    let joined = |time: &str| left_at(time, json!({ "_type": "emailSubscribe", "unsubSource": null, "signupSource": "API" }));
    assert!(asked(&[]));
    assert!(asked(&[api("09:00:30")]));
    assert!(asked(&[api("08:59:10")]), "clocks differ");
    assert!(asked(&[api("08:00:00"), joined("08:10:00"), api("11:30:00")]), "however long it waited");
    assert!(!asked(&[left_at("09:00:30", json!({}))]), "by a link");
    assert!(!asked(&[api("08:45:00")]), "before it was accepted");
    assert!(!asked(&[api("09:00:30"), joined("10:00:00"), api("11:00:00")]), "one no, one leaving");
    assert!(!asked(&[joined("10:00:00"), api("11:00:00")]), "who joined in between left by themselves");
}

#[test]
fn who_was_joined_by_the_shop_comes_back_by_a_later_yes_only() {
    for settings in [json!({}), json!({ "subscriptions": "read_modify_write" })] {
        let iterable = open(with_consent(settings));
        let asked = |events: &[Value]| {
            let further = in_doubt(&iterable, Some("2026-01-01T08:30:00Z"), Some(("joined:101", "2026-01-01T07:00:00Z")));
            match looked(&iterable, &further, events) {
                Completed::Send(request) => {
                    let body = request.body.map(|body| serde_json::from_slice::<Value>(&body).unwrap());
                    assert!(body.is_none_or(|body| body == json!({ "userId": "c-42", "subscribedMessageTypeIds": [117, 101] })));
                    true
                }
                done => skipped(done) != SkipReason::DeniedAtDestination,
            }
        };
        assert!(asked(&[left_at("08:00:00", json!({}))]));
        assert!(!asked(&[left_at("08:00:00", json!({})), left_at("09:00:00", json!({}))]));
        assert!(!asked(&[]), "gone, and nobody can say when");
        assert!(!asked(&[left_at("06:00:00", json!({}))]), "that was before they were joined");
    }
}

#[test]
fn who_left_an_opt_out_type_comes_back_by_a_newer_yes_only() {
    let left_it = profile(json!({ "unsubscribedMessageTypeIds": [5, 230], "subscribedMessageTypeIds": [101] }));
    for (settings, path, rows) in [
        (json!({}), "/api/subscriptions/messageType/230/byUserId/c-42", None),
        (
            json!({ "subscriptions": "read_modify_write" }),
            "/api/users/updateSubscriptions",
            Some(json!({ "userId": "c-42", "unsubscribedMessageTypeIds": [5] })),
        ),
    ] {
        let iterable = open(with_consent(settings));
        let asked = |at: Option<&str>, remembered: Option<(&str, &str)>, events: &[Value]| {
            let record = contact(json!({ "consents": [{ "channel": "sms", "status": "granted", "at": at }] }), json!({}));
            let mut yes = ops(&iterable, &record).remove(1);
            if let Some((left, since)) = remembered {
                yes.body = iterable.remind(yes.body, left, since.parse().unwrap()).unwrap();
            }
            let Completed::Look(further) = iterable.complete(&yes, &left_it).unwrap() else { panic!("not in doubt") };
            match looked(&iterable, &further, events) {
                Completed::Send(request) => {
                    let body = request.body.map(|body| serde_json::from_slice::<Value>(&body).unwrap());
                    assert_eq!((request.path.as_str(), body), (path, rows.clone()));
                    true
                }
                done => skipped(done) != SkipReason::DeniedAtDestination,
            }
        };
        let left = |time: &str| left_at(time, json!({ "messageTypeIds": [230], "unsubSource": "API" }));
        let yes = Some("2026-01-01T08:30:00Z");
        assert!(asked(yes, None, &[left("08:00:00")]));
        assert!(!asked(yes, None, &[left("08:30:00")]));
        assert!(!asked(yes, None, &[]), "nobody can say when they left");
        assert!(!asked(yes, None, &[left_at("08:00:00", json!({}))]), "that was another type");
        assert!(!asked(None, None, &[left("08:00:00")]), "nobody knows whether the yes is newer");
        assert!(asked(yes, Some(("denied:230", "2026-01-01T09:00:00Z")), &[left("09:00:30")]), "the shop's own no");
        assert!(!asked(yes, Some(("denied:230", "2026-01-01T09:00:00Z")), &[left("09:00:30"), left("10:00:00")]));
        assert!(!asked(yes, Some(("joined:230", "2026-01-01T07:00:00Z")), &[left("06:00:00")]), "back since, and gone again");
    }
    let careful = open(with_consent(json!({ "left_types": "remember_only" })));
    assert_eq!(skipped(completed(&careful, &consented("sms", "granted"), &left_it)), SkipReason::DeniedAtDestination);
}

#[test]
fn events_that_cannot_be_read_now_are_asked_for_again() {
    let iterable = open(with_consent(json!({})));
    let further = in_doubt(&iterable, None, None);
    let done = |status, body| iterable.complete(&further, &reply(status, body));
    for status in [408, 429, 500, 503] {
        assert!(matches!(done(status, json!("<html>")).unwrap(), Completed::Retry(..)), "{status}");
    }
    assert_eq!(skipped(done(409, answer("ForgottenUserError", "")).unwrap()), SkipReason::Erased);
    assert_eq!(done(401, json!(null)).unwrap_err().code(), ErrorCode::Unauthorized);
    assert_eq!(done(403, json!(null)).unwrap_err().code(), ErrorCode::Forbidden);
    assert_eq!(done(404, json!("Action not found")).unwrap_err().code(), ErrorCode::Rejected);
    // Not seen yet there: then nothing happened to them yet either.
    assert!(matches!(done(400, answer("error.users.noUserWithIdExists", "")).unwrap(), Completed::Send(_)));
}

#[test]
fn events_are_not_read_when_told_so() {
    let iterable = open(with_consent(json!({ "left_types": "remember_only" })));
    let yes = ops(&iterable, &consented("email", "granted")).remove(1);
    let absent = profile(json!({}));
    assert!(matches!(iterable.complete(&yes, &absent).unwrap(), Completed::Send(_)));
    let body = iterable.remind(yes.body.clone(), "joined:101", "2026-01-01T00:00:00Z".parse().unwrap()).unwrap();
    assert_eq!(skipped(iterable.complete(&Operation { body, ..yes }, &absent).unwrap()), SkipReason::DeniedAtDestination);
}

#[test]
fn a_subscription_that_stands_is_not_written_again() {
    let iterable = open(with_consent(json!({})));
    let joined = profile(json!({ "subscribedMessageTypeIds": [101] }));
    assert_eq!(skipped(completed(&iterable, &consented("email", "granted"), &joined)), SkipReason::Unchanged);
    assert_eq!(skipped(completed(&iterable, &consented("sms", "granted"), &profile(json!({})))), SkipReason::Unchanged);
}

#[test]
fn a_profile_that_is_not_there_yet_is_waited_for() {
    let iterable = open(with_consent(json!({})));
    for found in [
        reply(200, json!({})),
        reply(500, answer("error.users.noUserWithIdExists", "")),
        reply(400, json!("No user with that id exists!")),
        reply(503, json!("<html>")),
    ] {
        let operations = ops(&iterable, &consented("email", "granted"));
        let done = iterable.complete(&operations[1], &found).unwrap();
        if found.status == 503 {
            assert!(matches!(done, Completed::Retry(..)));
            continue;
        }
        // Their row may have been refused: they are written with nothing but their id, and looked at again.
        let Completed::First(detour) = done else { panic!("not introduced: {done:?}") };
        assert_eq!(detour.why.code.0, ErrorCode::NotFound);
        let introduced = detour.operations.iter().collect::<Vec<_>>();
        assert_eq!(sent(&iterable, &introduced), ("POST /api/users/bulkUpdate".into(), json!({ "users": [{ "userId": "c-42" }] })));
    }
}

#[test]
fn rewriting_sends_only_the_list_that_changes() {
    let iterable = open(with_consent(json!({ "subscriptions": "read_modify_write" })));
    let list = |record: &Record, fields: Value| match completed(&iterable, record, &profile(fields)) {
        Completed::Send(request) => (request.path, serde_json::from_slice::<Value>(&request.body.unwrap()).unwrap()),
        other => panic!("not sent: {other:?}"),
    };
    let fields =
        json!({ "subscribedMessageTypeIds": [117], "unsubscribedMessageTypeIds": [5], "unsubscribedChannelIds": [9], "emailListIds": [1] });
    let path = "/api/users/updateSubscriptions".to_owned();
    assert_eq!(
        list(&consented("email", "granted"), fields.clone()),
        (path.clone(), json!({ "userId": "c-42", "subscribedMessageTypeIds": [117, 101] }))
    );
    assert_eq!(
        list(&consented("sms", "denied"), fields),
        (path.clone(), json!({ "userId": "c-42", "unsubscribedMessageTypeIds": [5, 230] }))
    );
    let last = json!({ "subscribedMessageTypeIds": [101] });
    assert_eq!(list(&consented("email", "denied"), last), (path, json!({ "userId": "c-42", "subscribedMessageTypeIds": [] })));
    assert_eq!(skipped(completed(&iterable, &consented("email", "denied"), &profile(json!({})))), SkipReason::Unchanged);
    let unread = reply(200, json!({}));
    assert!(matches!(completed(&iterable, &consented("sms", "denied"), &unread), Completed::First(..)));
    let operations = ops(&iterable, &consented("sms", "denied"));
    assert_eq!(iterable.request(&[&operations[1]]).unwrap_err().code(), ErrorCode::Internal);
}

#[test]
fn ids_in_paths_are_encoded_to_the_last_character() {
    let iterable = open(with_consent(json!({})));
    let record = contact(
        json!({ "consents": [{ "channel": "email", "status": "denied" }] }),
        json!({ "identity": { "email": "a+b/c@example.com" } }),
    );
    let operations = ops(&iterable, &record);
    assert_eq!(sent(&iterable, &[&operations[1]]).0, "DELETE /api/subscriptions/messageType/101/user/a%2Bb%2Fc%40example.com");
}

// -- deletion --------------------------------------------------------------------------------------------------------

#[test]
fn an_erasure_is_forgotten_and_a_deletion_is_kept_unless_told() {
    let erased = record(json!({ "type": "contact_deleted", "erase": true }), json!({}));
    let iterable = open(json!({}));
    let operations = ops(&iterable, &erased);
    assert_eq!(operations[0].supersedes, ["contact:c-42"]);
    let watching = open(with_consent(json!({})));
    assert_eq!(ops(&watching, &erased)[0].supersedes, ["consent:c-42:email", "consent:c-42:sms", "contact:c-42"]);
    assert_eq!(sent(&iterable, &[&operations[0]]), ("POST /api/users/forget".into(), json!({ "userId": "c-42" })));
    let iterable = open(json!({ "erase": "delete" }));
    assert_eq!(sent(&iterable, &[&ops(&iterable, &erased)[0]]), ("DELETE /api/users/byUserId/c-42".into(), Value::Null));
    let deleted = record(json!({ "type": "contact_deleted" }), json!({ "identity": { "email": "a@example.com" } }));
    assert_eq!(skip(&open(json!({})), &deleted), SkipReason::NotConfigured);
    let iterable = open(json!({ "contact_deleted": "delete" }));
    assert_eq!(sent(&iterable, &[&ops(&iterable, &deleted)[0]]).0, "DELETE /api/users/a%40example.com");
}

#[test]
fn deleting_or_forgetting_who_is_not_there_is_done() {
    let iterable = open(json!({ "erase": "delete" }));
    let operations = ops(&iterable, &record(json!({ "type": "contact_deleted", "erase": true }), json!({})));
    assert_eq!(only(read(&iterable, &[&operations[0]], &reply(400, answer("BadParams", "unknown")))), Verdict::Accepted);
    let iterable = open(json!({}));
    let operations = ops(&iterable, &record(json!({ "type": "contact_deleted", "erase": true }), json!({})));
    assert_eq!(only(read(&iterable, &[&operations[0]], &reply(409, answer("ForgottenUserError", "")))), Verdict::Accepted);
}

// -- orders and carts ------------------------------------------------------------------------------------------------

#[test]
fn an_order_is_one_purchase_with_all_its_parts() {
    let iterable = open(json!({}));
    let operations = ops(&iterable, &record(order(json!({})), json!({})));
    assert_eq!(operations.len(), 1);
    let operation = &operations[0];
    assert!(operation.once);
    assert_eq!(operation.endpoint, "commerce.trackPurchase");
    assert_eq!(operation.supersedes, ["cart:crt-5512"]);
    assert_eq!(
        body(operation),
        json!({
            "id": "ct-order-7f3a2c10-55d1",
            "createdAt": 1_767_261_600,
            "user": { "userId": "c-42" },
            "items": [{
                "id": "prod-881", "sku": "TEE-BLK-M", "name": "Black tee", "price": 19.5, "quantity": 2, "categories": ["Apparel > Tops > Tees"],
                "dataFields": { "lineId": "l1", "productId": "prod-881", "variantId": "2", "currency": "EUR", "listPrice": 19.5, "lineTotal": 39.0, "size": "M" },
            }],
            "total": 43.9,
            "dataFields": {
                "orderId": "7f3a2c10-55d1", "orderNumber": "DE-10017", "source": "commercetools", "currency": "EUR", "subtotal": 39.0,
                "shippingTotal": 4.9, "taxTotal": 7.01, "discountTotal": 0.0, "discountCodes": ["NEWYEAR"], "status": "open", "shippingMethods": ["DHL"],
                "cartId": "crt-5512", "country": "DE", "locale": "de-DE", "shippingCountry": "DE", "shippingCity": "Köln",
                "placedAt": "2026-01-01 10:00:00 +00:00",
            },
        })
    );
    let text = String::from_utf8(operation.body.clone()).unwrap();
    assert!(text.contains(r#""lineTotal":39.0"#) && text.contains(r#""quantity":2,"#) && text.contains(r#""discountTotal":0.0"#));
}

#[test]
fn a_later_version_of_an_order_is_the_same_purchase() {
    let iterable = open(json!({}));
    let first = ops(&iterable, &record(order(json!({})), json!({}))).remove(0);
    let changed = record(order(json!({ "status": "complete" })), json!({ "version": 9, "idempotency_key": "ffff" }));
    assert_eq!(ops(&iterable, &changed)[0].idempotency_key, first.idempotency_key);
    let other = ops(&iterable, &record(order(json!({ "id": "other" })), json!({}))).remove(0);
    assert_ne!(other.idempotency_key, first.idempotency_key);
}

#[test]
fn lines_iterable_cannot_take_as_items_stay_in_the_sums() {
    let mut gift = line("gift", 1, "9.00", "0.00");
    gift["kind"] = json!("gift");
    let mut credit = line("credit", 1, "-5.00", "-5.00");
    credit["kind"] = json!("custom");
    let mut fee = line("fee", 1, "2.00", "2.00");
    fee["kind"] = json!("fee");
    let nothing = line("none", 0, "3.00", "0.00");
    let change = json!({
        "lines": [line("l1", 2, "19.50", "39.00"), gift, credit, fee, nothing],
        "totals": { "subtotal": money("36.00"), "shipping": money("4.90"), "discount": money("1.00"), "tax_added": money("0"), "total": money("39.90") },
    });
    let row = body(&ops(&open(json!({})), &record(order(change), json!({})))[0]);
    let items: Vec<_> = row["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["dataFields"]["lineId"].as_str().unwrap(), item["price"].as_f64().unwrap()))
        .collect();
    assert_eq!(items, [("l1", 19.5), ("gift", 0.0)]);
    // 39 + 2 + 4.90 − 6 = 39.90
    let fields = &row["dataFields"];
    assert_eq!(
        (&fields["subtotal"], &fields["feeTotal"], &fields["discountTotal"], &row["total"]),
        (&json!(39.0), &json!(2.0), &json!(6.0), &json!(39.9))
    );
}

#[test]
fn an_order_below_zero_or_not_placed_or_called_off_is_no_purchase() {
    let iterable = open(json!({}));
    let mut below = order(json!({}));
    below["totals"]["total"] = money("-1");
    assert_eq!(finding(&iterable, &record(below, json!({}))), FindingCode::ValueUnsupported);
    assert_eq!(skip(&iterable, &record(order(json!({ "status": "incomplete" })), json!({}))), SkipReason::Ignored);
    assert_eq!(skip(&iterable, &record(order(json!({ "status": "cancelled" })), json!({}))), SkipReason::Superseded);
}

#[test]
fn a_cancelled_order_takes_its_cart_back_where_it_was_sent() {
    let cancelled = |settings: Value, envelope: Value| {
        let mut built = open(settings).build(&record(order(json!({ "status": "cancelled" })), envelope));
        assert!(built.operations.is_empty());
        built.provided.pop()
    };
    let provided = cancelled(json!({}), json!({})).unwrap();
    assert_eq!((provided.given, provided.operation.once), (Given::Open, true));
    assert_eq!(
        (provided.operation.entity.as_str(), provided.operation.supersedes.as_slice()),
        ("cart:crt-5512", &["cart:crt-5512".to_owned()][..])
    );
    let fields = json!({ "cartId": "crt-5512", "cartTotal": 0.0, "cartCurrency": "EUR", "cartUpdatedAt": null });
    assert_eq!(body(&provided.operation), json!({ "user": { "userId": "c-42", "dataFields": fields }, "items": [] }));
    let profile = cancelled(json!({ "empty_cart": "profile" }), json!({})).unwrap();
    assert_eq!(body(&profile.operation)["dataFields"]["shoppingCartItems"], json!([]));
    assert_eq!(cancelled(json!({ "empty_cart": "skip" }), json!({})), None);
    assert_eq!(cancelled(json!({}), json!({ "mode": "backfill" })), None);
}

#[test]
fn what_was_taken_off_stands_beside_what_the_items_come_to() {
    let discount = |kind: &str, amount: &str| json!({ "kind": kind, "amount": money(amount) });
    let mut shirt = line("l1", 2, "19.50", "34.50");
    shirt["unit_list_price"] = money("25.00");
    shirt["discounts"] = json!([discount("product", "11.00"), discount("cart", "3.00"), discount("coupon", "1.50")]);
    let mut gift = line("l2", 1, "5.00", "0");
    gift["kind"] = json!("gift");
    gift["discounts"] = json!([discount("cart", "5.00")]);
    let bought = order(json!({
        "lines": [shirt, gift],
        "discounts": [discount("cart", "2.00")],
        "gift_certificates": [{ "amount": money("20.00") }],
        "totals": { "subtotal": money("34.50"), "shipping": money("4.90"), "discount": money("22.00"), "tax_added": money("0"), "total": money("17.40") },
    }));
    let row = body(&ops(&open(json!({})), &record(bought, json!({}))).remove(0));
    let fields = &row["dataFields"];
    // 2 × 19.50, and the gift is free: 39 + 4.90 − (4.50 + 2) − 20 = 17.40
    assert_eq!((&row["items"][0]["price"], &row["items"][1]["price"]), (&json!(19.5), &json!(0.0)));
    assert_eq!((&fields["subtotal"], &fields["discountTotal"], &fields["giftCertificateTotal"]), (&json!(39.0), &json!(6.5), &json!(20.0)));
    assert_eq!(row["total"], json!(17.4));
}

#[test]
fn what_is_no_product_is_not_taken_for_one() {
    let mut service = line("1", 1, "5.00", "5.00");
    let members = service.as_object_mut().unwrap();
    ["sku", "product_id", "variant_id", "name"].into_iter().for_each(|name| drop(members.remove(name)));
    let mut wrapping = service.clone();
    wrapping["sku"] = json!("88");
    let row = body(&ops(&open(json!({})), &record(cart(json!({ "lines": [service, wrapping] })), json!({}))).remove(0));
    assert_eq!((&row["items"][0]["id"], &row["items"][1]["id"]), (&json!("line-1"), &json!("sku-88")));
}

#[test]
fn ids_of_purchases_hold_letters_digits_and_hyphens_and_the_store_where_ids_repeat() {
    let iterable = open(json!({}));
    let record = record(order(json!({ "id": "10_017/é" })), json!({ "source": "bigcommerce", "tenant": "s1" }));
    assert_eq!(body(&ops(&iterable, &record)[0])["id"], "bc-s1-order-10-x5F017-x2F-xC3-xA9");
    let mut long = record.clone();
    if let crate::model::Body::Order(order) = &mut long.body {
        order.id = "x".repeat(600);
    }
    assert!(body(&ops(&iterable, &long)[0])["id"].as_str().unwrap().len() <= 512);
}

#[test]
fn a_cart_is_a_snapshot_that_replaces_the_one_before() {
    let iterable = open(json!({ "create_new_fields": false }));
    let operations = ops(&iterable, &record(cart(json!({})), json!({})));
    let operation = &operations[0];
    assert_eq!((operation.endpoint.as_ref(), operation.entity.as_str(), operation.once), ("commerce.updateCart", "cart:crt-5512", false));
    assert_eq!(operation.supersedes, ["cart:crt-5512"]);
    let row = body(operation);
    assert_eq!(
        row["user"],
        json!({
            "userId": "c-42", "createNewFields": false,
            "dataFields": {
                "cartId": "crt-5512", "cartTotal": 39.0, "cartCurrency": "EUR", "cartUrl": "https://shop.example/cart/crt-5512"
            }
        })
    );
    assert_eq!(row["items"].as_array().unwrap().len(), 1);
    let touched = record(cart(json!({ "last_activity_at": "2026-01-01T09:40:00Z" })), json!({}));
    assert_eq!(body(&ops(&iterable, &touched)[0])["user"]["dataFields"]["cartUpdatedAt"], "2026-01-01 09:40:00 +00:00");
}

#[test]
fn a_cart_that_only_got_a_new_version_has_the_same_bytes() {
    let iterable = open(json!({}));
    let before = ops(&iterable, &record(cart(json!({})), json!({}))).remove(0);
    let after = ops(&iterable, &record(cart(json!({ "updated_at": "2026-01-01T11:00:00Z" })), json!({ "version": 5 }))).remove(0);
    assert_eq!(before.body, after.body);
}

#[test]
fn an_emptied_cart_is_sent_as_configured() {
    let emptied = record(cart(json!({ "lines": [] })), json!({}));
    let deleted = record(cart(json!({ "state": "deleted" })), json!({}));
    for gone in [&emptied, &deleted] {
        assert_eq!(body(&ops(&open(json!({})), gone)[0])["items"], json!([]));
    }
    let operations = ops(&open(json!({ "empty_cart": "profile" })), &emptied);
    assert_eq!(operations[0].endpoint, "users.bulkUpdate");
    // Also what else the profile says of the cart; when it was touched is not known.
    let fields = json!({
        "shoppingCartItems": [], "cartId": "crt-5512", "cartTotal": 0.0, "cartCurrency": "EUR", "cartUpdatedAt": null,
        "cartUrl": "https://shop.example/cart/crt-5512"
    });
    assert_eq!(body(&operations[0]), json!({ "userId": "c-42", "dataFields": fields }));
    assert_eq!(skip(&open(json!({ "empty_cart": "skip" })), &emptied), SkipReason::NotConfigured);
}

#[test]
fn a_cart_that_was_bought_or_merged_is_left_to_what_came_of_it() {
    for state in ["ordered", "merged"] {
        assert_eq!(skip(&open(json!({})), &record(cart(json!({ "state": state })), json!({}))), SkipReason::Superseded);
    }
}

#[test]
fn variants_as_items_are_bought_under_their_catalog_ids() {
    let iterable = open(json!({ "catalog_layout": "variant" }));
    assert_eq!(body(&ops(&iterable, &record(order(json!({})), json!({})))[0])["items"][0]["id"], "prod-881-2");
}

// -- backfill --------------------------------------------------------------------------------------------------------

#[test]
fn a_backfill_starts_nothing_unless_told() {
    let past = json!({ "mode": "backfill" });
    let quiet = open(with_consent(json!({})));
    assert_eq!(skip(&quiet, &record(order(json!({})), past.clone())), SkipReason::BackfillQuiet);
    assert_eq!(skip(&quiet, &record(cart(json!({})), past.clone())), SkipReason::BackfillQuiet);
    assert_eq!(skip(&quiet, &record(refund(), past.clone())), SkipReason::BackfillQuiet);
    assert_eq!(skip(&quiet, &record(shipment(json!({})), past.clone())), SkipReason::BackfillQuiet);
    assert_eq!(skip(&quiet, &record(event("account_created"), past.clone())), SkipReason::BackfillQuiet);
    let yes = contact(json!({ "consents": [{ "channel": "email", "status": "granted" }] }), past.clone());
    let built = quiet.build(&yes);
    assert_eq!((built.operations.len(), built.skipped[0].reason), (1, SkipReason::BackfillQuiet));
    let no = contact(json!({ "consents": [{ "channel": "email", "status": "denied" }] }), past.clone());
    assert_eq!(quiet.build(&no).operations.len(), 2);
    let loud = open(with_consent(json!({ "backfill_purchases": "send", "backfill_events": "send", "backfill_grants": "send" })));
    assert_eq!(ops(&loud, &record(order(json!({})), past.clone())).len(), 1);
    assert_eq!(ops(&loud, &record(refund(), past.clone())).len(), 1);
    assert_eq!(ops(&loud, &yes).len(), 2);
    assert_eq!(skip(&loud, &record(cart(json!({})), past)), SkipReason::BackfillQuiet);
}

#[test]
fn an_old_order_that_changes_now_is_not_confirmed_again_where_that_is_set() {
    let late = |hours: &str| record(order(json!({})), json!({ "observed_at": hours }));
    let iterable = open(json!({ "purchase_max_age_h": 48 }));
    assert_eq!(ops(&iterable, &late("2026-01-03T09:59:59Z")).len(), 1);
    assert_eq!(skip(&iterable, &late("2026-01-03T10:00:00Z")), SkipReason::BackfillQuiet);
    assert_eq!(ops(&open(json!({})), &late("2027-01-01T10:00:00Z")).len(), 1);
}

// -- events ----------------------------------------------------------------------------------------------------------

fn refund() -> Value {
    json!({
        "type": "refund", "id": "ref_1", "order_id": "7f3a2c10-55d1", "order_number": "DE-10017", "amount": money("19.50"),
        "refunded_at": "2026-01-05T10:00:00Z", "reason": "size", "full": false, "lines": [{ "line_id": "l1", "sku": "TEE-BLK-M", "quantity": 1, "amount": money("19.50") }],
    })
}

#[test]
fn a_return_is_announced_once_and_comes_back_once() {
    let iterable = open(json!({ "event_names": { "order_return_announced": "Return label" } }));
    let back = |states: &[&str]| {
        let items: Vec<Value> = states
            .iter()
            .map(|state| json!({ "id": format!("i-{state}"), "line_id": "l1", "quantity": 1, "shipping_state": state }))
            .collect();
        let body = json!({ "type": "return", "id": "ret1", "order_id": "7f3a2c10-55d1", "items": items });
        let operation = ops(&iterable, &record(body, json!({}))).remove(0);
        let row = self::body(&operation);
        (row["eventName"].clone(), row["id"].clone(), operation.idempotency_key)
    };
    let (announced, id, key) = back(&["Advised", "Advised"]);
    assert_eq!((announced, id), (json!("Return label"), json!("ct-return-announced-ret1")));
    for states in [&["Advised", "Returned"][..], &["Unusable"], &["BackInStock", "Advised"]] {
        let (returned, id, later) = back(states);
        assert_eq!((returned, id), (json!("orderReturned"), json!("ct-return-ret1")));
        assert_ne!(later, key);
    }
}

#[test]
fn events_and_their_properties_are_written_in_camel_case() {
    let mut happened = event("size_guide_opened");
    happened["properties"] = json!({
        "old_email": { "type": "text", "value": "a" }, "products": { "type": "list", "value": [
            { "type": "object", "value": { "product_id": { "type": "text", "value": "p" } } }] },
        "cart_id": { "type": "text", "value": "hides a standard field" },
        "a_b": { "type": "integer", "value": 1 }, "aB": { "type": "integer", "value": 2 },
    });
    let iterable = open(json!({}));
    let built = iterable.build(&record(happened, json!({})));
    let row = body(&built.operations[0]);
    assert_eq!(row["eventName"], "sizeGuideOpened");
    let fields = &row["dataFields"];
    assert_eq!((&fields["oldEmail"], &fields["products"], &fields["aB"]), (&json!("a"), &json!([{ "productId": "p" }]), &json!(2)));
    let pointers: Vec<&str> = built.findings.iter().map(|finding| finding.pointer.as_str()).collect();
    assert_eq!(pointers, ["/body/properties/a_b", "/body/properties/cart_id"]);
}

fn shipment(change: Value) -> Value {
    merged(
        json!({
            "type": "shipment", "id": "del1", "order_id": "7f3a2c10-55d1", "shipped_at": "2026-01-02T10:00:00Z",
            "lines": [{ "line_id": "l1", "quantity": 2 }],
            "parcels": [{ "id": "p1", "carrier": "DHL", "tracking_number": "0034", "tracking_url": "https://track.example/0034" }],
        }),
        change,
    )
}

fn event(name: &str) -> Value {
    json!({
        "type": "event", "name": name, "product_id": "prod-881", "value": money("5"),
        "properties": { "plan": { "type": "text", "value": "gold" }, "email": { "type": "text", "value": "x" }, "orderId": { "type": "text", "value": "x" } },
    })
}

#[test]
fn a_refund_is_an_event_with_an_id() {
    let iterable = open(json!({}));
    let operation = &ops(&iterable, &record(refund(), json!({})))[0];
    assert!(operation.once);
    assert_eq!(operation.endpoint, "events.trackBulk");
    assert_eq!(
        body(operation),
        json!({
            "eventName": "orderRefunded", "id": "ct-refund-ref-x5F1", "userId": "c-42", "createdAt": 1_767_607_200,
            "dataFields": {
                "orderId": "7f3a2c10-55d1", "purchaseId": "ct-order-7f3a2c10-55d1", "orderNumber": "DE-10017", "refundId": "ref_1",
                "source": "commercetools", "refundAmount": 19.5, "currency": "EUR", "isFullRefund": false, "reason": "size",
                "refundedAt": "2026-01-05 10:00:00 +00:00",
                "items": [{ "lineId": "l1", "sku": "TEE-BLK-M", "quantity": 1, "amount": 19.5 }],
            },
        })
    );
    assert_eq!(sent(&iterable, &[operation]), ("POST /api/events/trackBulk".into(), json!({ "events": [body(operation)] })));
}

#[test]
fn goods_on_their_way_and_goods_arrived_are_two_events() {
    let iterable = open(json!({ "write": "single", "event_names": { "order_shipped": "Order Shipped" } }));
    let shipped = ops(&iterable, &record(shipment(json!({})), json!({}))).remove(0);
    assert_eq!((shipped.endpoint.as_ref(), body(&shipped)["eventName"].as_str().unwrap()), ("events.track", "Order Shipped"));
    assert_eq!(body(&shipped)["createdAt"], 1_767_348_000);
    assert_eq!(body(&shipped)["dataFields"]["trackingUrl"], "https://track.example/0034");
    let arrived = ops(&iterable, &record(shipment(json!({ "status": "delivered" })), json!({}))).remove(0);
    assert_eq!(
        (body(&arrived)["eventName"].as_str().unwrap(), body(&arrived)["id"].as_str().unwrap()),
        ("orderDelivered", "ct-delivery-del1")
    );
    assert_ne!(shipped.idempotency_key, arrived.idempotency_key);
    assert_eq!(skip(&iterable, &record(shipment(json!({ "status": "ready" })), json!({}))), SkipReason::Ignored);
}

#[test]
fn a_return_is_an_event() {
    let back = json!({ "type": "return", "id": "ret1", "order_id": "o1", "items": [{ "id": "i1", "line_id": "l1", "quantity": 1, "shipping_state": "Returned" }] });
    let row = body(&ops(&open(json!({})), &record(back, json!({})))[0]);
    assert_eq!(
        (row["eventName"].as_str(), row["id"].as_str(), row["createdAt"].as_i64()),
        (Some("orderReturned"), Some("ct-return-ret1"), Some(1_767_261_600))
    );
}

#[test]
fn an_event_has_the_same_id_however_it_was_heard() {
    let iterable = open(json!({}));
    let built = iterable.build(&record(event("account_created"), json!({})));
    let row = body(&built.operations[0]);
    assert_eq!((row["eventName"].as_str(), row["id"].as_str()), (Some("accountCreated"), Some("ct-account-created-00aa11bb")));
    assert_eq!(
        row["dataFields"],
        json!({ "source": "commercetools", "productId": "prod-881", "value": 5.0, "currency": "EUR", "plan": "gold" })
    );
    assert_eq!(
        built.findings.iter().map(|finding| finding.code).collect::<Vec<_>>(),
        [FindingCode::FieldDropped, FindingCode::FieldDropped]
    );
    let own = ops(&iterable, &record(event("Loyalty: joined"), json!({}))).remove(0);
    assert_eq!(body(&own)["eventName"], "Loyalty: joined");
    assert!(body(&own)["id"].as_str().unwrap().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
}

#[test]
fn an_order_placed_is_told_once_as_a_purchase() {
    let placed = record(event("order_placed"), json!({}));
    assert_eq!(skip(&open(json!({})), &placed), SkipReason::NotConfigured);
    assert_eq!(body(&ops(&open(json!({ "event_names": { "order_placed": "orderPlaced" } })), &placed)[0])["eventName"], "orderPlaced");
}

// -- catalogs --------------------------------------------------------------------------------------------------------

#[test]
fn a_product_is_one_item_that_can_be_patched() {
    let iterable = open(json!({}));
    let built = iterable.build(&record(product(json!({})), json!({})));
    let operation = &built.operations[0];
    assert_eq!(operation.delta.as_deref(), Some(""));
    assert_eq!(operation.group, "products");
    assert_eq!(built.findings[0].pointer, "/body/attributes/length");
    let document = json!({
        "productId": "prod 881", "name": "Black tee", "published": true, "categories": ["Tops > Tees"], "categoryIds": ["tees"], "ratingAverage": 4.5,
        "ratingCount": 12, "variantId": "1", "sku": "TEE-S", "price": 15.0, "listPrice": 19.5, "onSale": true, "currency": "EUR", "inStock": true,
        "stock": 42, "imageUrl": "https://img.example/881.jpg", "imageUrls": ["https://img.example/881.jpg"], "skus": ["TEE-S", "TEE-M"],
        "variants": [
            { "variantId": "1", "sku": "TEE-S", "price": 15.0, "listPrice": 19.5, "onSale": true, "currency": "EUR", "inStock": true, "stock": 42,
              "imageUrl": "https://img.example/881.jpg", "imageUrls": ["https://img.example/881.jpg"], "size": "S" },
            { "variantId": "2", "sku": "TEE-M", "price": 20.0, "listPrice": 20.0, "onSale": false, "currency": "EUR", "inStock": true },
        ],
        "material": "cotton",
    });
    assert_eq!(body(operation), document);
    assert_eq!(
        sent(&iterable, &[operation]),
        (
            "POST /api/catalogs/products/items".into(),
            json!({ "documents": { "prod-x20881": document }, "replaceUploadedFieldsOnly": true })
        )
    );
    let whole = open(json!({ "catalog_write": "replace" }));
    let operations = whole.build(&record(product(json!({})), json!({}))).operations;
    assert_eq!(operations[0].delta, None);
    assert_eq!(sent(&whole, &[&operations[0]]).1["replaceUploadedFieldsOnly"], false);
}

#[test]
fn variants_can_be_items_of_their_own() {
    let iterable = open(json!({ "catalog_layout": "variant" }));
    let operations = iterable.build(&record(product(json!({})), json!({}))).operations;
    assert_eq!(operations.len(), 2);
    assert_ne!(operations[0].idempotency_key, operations[1].idempotency_key);
    let (_, whole) = sent(&iterable, &[&operations[0], &operations[1]]);
    assert_eq!(whole["documents"].as_object().unwrap().keys().collect::<Vec<_>>(), ["prod-x20881-1", "prod-x20881-2"]);
    assert_eq!(whole["documents"]["prod-x20881-1"]["size"], "S");
    let gone = record(json!({ "type": "product_deleted", "id": "prod 881", "variants": [{ "id": "1" }, { "id": "2" }] }), json!({}));
    let operations = ops(&iterable, &gone);
    let (line, whole) = sent(&iterable, &[&operations[0], &operations[1]]);
    assert_eq!((line.as_str(), &whole), ("DELETE /api/catalogs/products/items", &json!({ "itemIds": ["prod-x20881-1", "prod-x20881-2"] })));
}

#[test]
fn a_variant_attribute_wins_over_the_products_and_stands_once() {
    let mut both = product(json!({}));
    both["variants"][0]["attributes"]["material"] = json!({ "type": "text", "value": "silk" });
    let operations = open(json!({ "catalog_layout": "variant" })).build(&record(both, json!({}))).operations;
    let text = String::from_utf8(operations[0].body.clone()).unwrap();
    assert_eq!(text.matches("material").count(), 1);
    assert_eq!(body(&operations[0])["material"], "silk");
}

#[test]
fn an_item_of_thirty_kilobytes_is_refused_here() {
    let iterable = open(json!({}));
    assert_eq!(
        finding(&iterable, &record(product(json!({ "description": "x".repeat(30_000), "attributes": {} })), json!({}))),
        FindingCode::ValueUnsupported
    );
    assert_eq!(
        finding(&iterable, &record(product(json!({ "id": "x".repeat(256), "attributes": {} })), json!({}))),
        FindingCode::ValueUnsupported
    );
}

#[test]
fn categories_and_deletions_go_to_their_catalog_or_nowhere() {
    let iterable = open(json!({}));
    let category =
        record(json!({ "type": "category", "id": "tees", "name": "Tees", "ancestors": [{ "id": "tops", "path": ["Tops"] }] }), json!({}));
    let (line, whole) = sent(&iterable, &[&ops(&iterable, &category)[0]]);
    assert_eq!(line, "POST /api/catalogs/categories/items");
    assert_eq!(whole["documents"]["tees"], json!({ "categoryId": "tees", "name": "Tees", "ancestorIds": ["tops"], "path": "Tops > Tees" }));
    let gone = record(json!({ "type": "category_deleted", "id": "tees" }), json!({}));
    assert_eq!(
        sent(&iterable, &[&ops(&iterable, &gone)[0]]),
        ("DELETE /api/catalogs/categories/items".into(), json!({ "itemIds": ["tees"] }))
    );
    let none = open(json!({ "catalogs": {} }));
    for record in
        [category, gone, record(product(json!({})), json!({})), record(json!({ "type": "product_deleted", "id": "1" }), json!({}))]
    {
        assert_eq!(skip(&none, &record), SkipReason::NotConfigured);
    }
}

// -- replies ---------------------------------------------------------------------------------------------------------

fn three(iterable: &Iterable) -> Vec<Operation> {
    ["Ada@Example.com", "b@example.com", "c@example.com"]
        .iter()
        .map(|email| ops(iterable, &contact(json!({}), json!({ "identity": { "email": email } }))).remove(0))
        .collect()
}

fn all(operations: &[Operation]) -> Vec<&Operation> {
    operations.iter().collect()
}

#[test]
fn a_success_hides_failures_that_are_named_in_lower_case() {
    let iterable = open(json!({}));
    let rows = three(&iterable);
    let failed = json!({ "failedUpdates": { "conflictEmails": ["ada@example.com"], "forgottenEmails": ["c@example.com"] } });
    let Reading::Each(verdicts, _) = read(&iterable, &all(&rows), &reply(200, bulk_answer(2, failed))) else { panic!() };
    assert_eq!(code(&verdicts[0]), (ErrorCode::Conflict, "conflictEmails"));
    assert_eq!(verdicts[1], Verdict::Accepted);
    assert!(matches!(verdicts[2], Verdict::Discarded(SkipReason::Erased, _)));
}

#[test]
fn user_ids_are_compared_exactly() {
    let iterable = open(json!({}));
    let rows: Vec<_> =
        ["A", "a"].iter().map(|id| ops(&iterable, &contact(json!({}), json!({ "identity": { "customer_id": id } }))).remove(0)).collect();
    let failed = json!({ "failedUpdates": { "invalidUserIds": ["a"] } });
    let Reading::Each(verdicts, _) = read(&iterable, &all(&rows), &reply(200, bulk_answer(1, failed))) else { panic!() };
    assert_eq!(verdicts[0], Verdict::Accepted);
    assert_eq!(code(&verdicts[1]), (ErrorCode::Rejected, "invalidUserIds"));
}

#[test]
fn failures_that_nobody_names_are_looked_for() {
    let iterable = open(json!({}));
    let rows = three(&iterable);
    assert!(matches!(read(&iterable, &all(&rows), &reply(200, bulk_answer(1, json!({})))), Reading::Split(_)));
    assert_eq!(code(&only(read(&iterable, &[&rows[0]], &reply(200, bulk_answer(1, json!({})))))), (ErrorCode::Rejected, "failCount"));
}

#[test]
fn a_bulk_answer_nobody_can_read_is_asked_for_again() {
    let iterable = open(json!({}));
    let rows = three(&iterable);
    assert!(matches!(read(&iterable, &all(&rows), &reply(200, json!("<html>ok</html>"))), Reading::Retry(..)));
    assert!(matches!(read(&iterable, &all(&rows), &reply(200, json!(""))), Reading::Retry(..)));
    assert!(matches!(iterable.read(&all(&rows), &reply(200, json!({ "status": "ok" }))), Reading::Retry(..)), "somebody else's answer");
}

#[test]
fn an_answer_that_grew_is_still_read() {
    let iterable = open(json!({}));
    let rows = three(&iterable);
    let grown = json!({
        "successCount": 2, "failCount": 1, "invalidEmails": null, "filteredOutFields": null, "noOpEmails": ["b@example.com"], "new": { "a": 1 },
        "failedUpdates": { "forgottenEmails": ["c@example.com"], "newKind": { "a": [1] }, "conflictEmails": null },
    });
    let Reading::Each(verdicts, warnings) = iterable.read(&all(&rows), &reply(200, grown)) else { panic!() };
    assert_eq!((&verdicts[..2], warnings.len()), (&[Verdict::Accepted, Verdict::Accepted][..], 0));
    assert!(matches!(verdicts[2], Verdict::Discarded(SkipReason::Erased, _)));
    let bare = json!({ "successCount": 3, "failCount": 0, "failedUpdates": null });
    let Reading::Each(verdicts, _) = iterable.read(&all(&rows), &reply(200, bare)) else { panic!() };
    assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Accepted));
}

#[test]
fn dropped_fields_are_a_warning_and_the_row_counts_as_delivered() {
    let iterable = open(json!({}));
    let rows = three(&iterable);
    let dropped = json!({ "filteredOutFields": ["nickname"] });
    let Reading::Each(verdicts, warnings) = read(&iterable, &all(&rows), &reply(200, bulk_answer(0, dropped))) else { panic!() };
    assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Accepted));
    assert!(warnings[0].contains("`nickname`"));
}

#[test]
fn a_blocked_event_name_is_a_failure_though_the_answer_is_a_success() {
    let iterable = open(json!({ "write": "single" }));
    let single = ops(&iterable, &record(refund(), json!({}))).remove(0);
    let blocked = reply(200, answer("Success", "Event orderRefunded is disallowed from tracking"));
    assert_eq!(code(&only(read(&iterable, &[&single], &blocked))), (ErrorCode::Rejected, "disallowedEventNames"));
    let iterable = open(json!({}));
    let rows = [ops(&iterable, &record(refund(), json!({}))).remove(0), ops(&iterable, &record(shipment(json!({})), json!({}))).remove(0)];
    let answer = json!({
        "successCount": 2, "failCount": 0, "createdFields": [], "filteredOutFields": [], "disallowedEventNames": ["orderRefunded"], "invalidEmails": [], "invalidUserIds": [],
        "failedUpdates": { "invalidEmails": [], "invalidUserIds": [], "notFoundEmails": [], "notFoundUserIds": [], "forgottenEmails": [], "forgottenUserIds": [] },
    });
    let Reading::Each(verdicts, _) = read(&iterable, &all(&rows), &reply(200, answer)) else { panic!() };
    assert_eq!(code(&verdicts[0]), (ErrorCode::Rejected, "disallowedEventNames"));
    assert_eq!(verdicts[1], Verdict::Accepted);
}

#[test]
fn an_event_before_its_profile_waits() {
    let iterable = open(json!({}));
    let rows = [ops(&iterable, &record(refund(), json!({}))).remove(0)];
    let failed = json!({ "failedUpdates": { "notFoundUserIds": ["c-42"] }, "disallowedEventNames": [] });
    let mut answer = bulk_answer(1, failed);
    for array in ["invalidDataEmails", "invalidDataUserIds", "conflictEmails", "conflictUserIds"] {
        answer["failedUpdates"].as_object_mut().unwrap().remove(array);
    }
    let Verdict::Retry(refusal, Some(after)) = only(read(&iterable, &all(&rows), &reply(200, answer))) else { panic!() };
    assert_eq!((refusal.code.0, after.as_secs()), (ErrorCode::NotFound, 60));
}

fn mismatch(fields: Value) -> Value {
    json!({ "code": "RequestFieldsTypesMismatched", "msg": "types of mara@example.com", "params": { "validationErrors": fields } })
}

#[test]
fn a_wrong_type_sinks_only_its_field() {
    let iterable = open(json!({ "write": "single" }));
    let attributes = json!({ "points": { "type": "integer", "value": 7 }, "zip": { "type": "integer", "value": 1234 }, "ratio": { "type": "decimal", "value": "2" }, "vip": { "type": "boolean", "value": true } });
    let operation =
        ops(&iterable, &contact(json!({ "addresses": [{ "city": "Graz", "country": "AT" }], "attributes": attributes }), json!({})))
            .remove(0);
    let wrong = mismatch(json!({
        "ns:::zip": { "expectedType": "string", "offendingValue": 1234 }, "points": { "expectedType": "double" }, "ratio": { "expectedType": "long" },
        "vip": { "expectedType": "date" }, "address.city": { "expectedType": "long", "offendingValue": "Graz" },
    }));
    for status in [400, 500] {
        let Verdict::Amended(body, what) = only(read(&iterable, &[&operation], &reply(status, wrong.clone()))) else { panic!() };
        let row: Value = serde_json::from_slice(&body).unwrap();
        let text = String::from_utf8(body).unwrap();
        assert!(text.contains(r#""zip":"1234""#) && text.contains(r#""points":7.0"#) && text.contains(r#""ratio":2"#), "{text}");
        assert_eq!((row["dataFields"].get("vip"), &row["dataFields"]["address"]), (None, &json!({ "country": "AT" })));
        assert!(what.contains("`vip` dropped") && what.contains("`zip` changed") && !what.contains("Graz"));
    }
}

#[test]
fn a_wrong_type_in_a_purchase_or_item_is_found_too() {
    let iterable = open(json!({}));
    let operation = ops(&iterable, &record(order(json!({})), json!({}))).remove(0);
    let wrong =
        mismatch(json!({ "shippingCity": { "expectedType": "long" }, "shoppingCartItems.dataFields.size": { "expectedType": "double" } }));
    let Verdict::Amended(body, _) = only(read(&iterable, &[&operation], &reply(400, wrong))) else { panic!() };
    let row: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((row["dataFields"].get("shippingCity"), row["items"][0]["dataFields"].get("size")), (None, None));
    assert_eq!((&row["total"], &row["items"][0]["price"], &row["id"]), (&json!(43.9), &json!(19.5), &json!("ct-order-7f3a2c10-55d1")));
}

#[test]
fn a_wrong_type_nobody_names_is_refused_and_one_in_a_batch_is_looked_for() {
    let iterable = open(json!({}));
    let rows = three(&iterable);
    let wrong = mismatch(json!({ "elsewhere": { "expectedType": "long" } }));
    assert!(matches!(read(&iterable, &all(&rows), &reply(400, wrong.clone())), Reading::Split(_)));
    let verdict = only(read(&iterable, &[&rows[0]], &reply(400, wrong)));
    assert_eq!(code(&verdict), (ErrorCode::Rejected, "RequestFieldsTypesMismatched"));
}

#[test]
fn the_status_decides_whatever_the_code_says() {
    let iterable = open(json!({}));
    let operation = ops(&iterable, &record(order(json!({})), json!({}))).remove(0);
    let one = |status: u16, body: Value| iterable.read(&[&operation], &reply(status, body));
    assert_eq!(code(&only(one(400, answer("Success", "nope")))), (ErrorCode::Rejected, "http_400"));
    let Reading::Stop(error) = one(401, answer("Success", "Invalid API key")) else { panic!() };
    assert_eq!(error.code(), ErrorCode::Unauthorized);
    let Reading::Stop(error) = one(403, answer("Forbidden", "")) else { panic!() };
    assert_eq!(error.code(), ErrorCode::Forbidden);
    assert!(matches!(one(400, answer("InvalidJwtPayload", "")), Reading::Stop(_)));
    assert!(matches!(one(302, json!("")), Reading::Stop(_)));
    for status in [408, 429, 500, 502, 503, 504] {
        assert!(matches!(one(status, json!("<html>bad gateway</html>")), Reading::Retry(..)), "{status}");
    }
    assert_eq!(
        code(&only(one(500, answer("error.users.noUserWithIdExists", "")))),
        (ErrorCode::NotFound, "error.users.noUserWithIdExists")
    );
    assert_eq!(code(&only(one(409, answer("Conflict", "")))), (ErrorCode::Conflict, "Conflict"));
    assert_eq!(code(&only(one(404, json!("Action not found")))), (ErrorCode::NotFound, "http_404"));
    assert_eq!(code(&only(one(413, json!("")))), (ErrorCode::TooLarge, "http_413"));
    assert!(matches!(only(one(400, answer("UnknownUserIdError", ""))), Verdict::Retry(_, Some(_))));
    assert!(matches!(only(one(400, answer("ForgottenUserError", ""))), Verdict::Discarded(SkipReason::Erased, _)));
    assert_eq!(only(one(200, json!("ok"))), Verdict::Accepted);
    assert_eq!(only(one(202, json!(""))), Verdict::Accepted);
    assert!(matches!(one(200, json!("<html>welcome</html>")), Reading::Retry(..)));
}

#[test]
fn a_batch_that_is_too_large_or_holds_a_bad_row_is_split() {
    let iterable = open(json!({}));
    let rows = three(&iterable);
    for (status, name) in [
        (400, "BatchTooLarge"),
        (413, ""),
        (400, "InvalidEmailAddressError"),
        (400, "BadJsonBody"),
        (409, "ForgottenUserError"),
        (409, "Conflict"),
    ] {
        assert!(matches!(iterable.read(&all(&rows), &reply(status, answer(name, ""))), Reading::Split(_)), "{name}");
    }
}

#[test]
fn the_server_says_how_long_to_wait() {
    let iterable = open(json!({}));
    let operation = ops(&iterable, &record(order(json!({})), json!({}))).remove(0);
    let mut slow = reply(429, answer("RateLimitExceeded", "Exceeded rate limit of 4.0 per minute"));
    slow.headers.push(("retry-after".into(), "17".into()));
    let Reading::Retry(refusal, Some(after)) = iterable.read(&[&operation], &slow) else { panic!() };
    assert_eq!((refusal.code.0, refusal.vendor_code.as_str(), after.as_secs()), (ErrorCode::RateLimited, "RateLimitExceeded", 17));
}

#[test]
fn neither_the_key_nor_a_person_is_in_what_is_kept_of_an_answer() {
    let iterable = open(json!({}));
    let operation = ops(&iterable, &record(order(json!({})), json!({}))).remove(0);
    let echo = json!({ "code": "BadJsonBody", "msg": "headers: Api-Key: k-123 for mara@example.com", "params": { "obj.events[1].createdAt": ["Number value expected"] } });
    let Verdict::Rejected(refusal) = only(read(&iterable, &[&operation], &reply(400, echo))) else { panic!() };
    let kept = serde_json::to_string(&refusal).unwrap();
    assert!(!kept.contains("k-123") && !kept.contains("mara"), "{kept}");
    assert!(kept.contains("obj.events[1].createdAt") && kept.contains("rq-1"));
}

#[test]
fn a_missing_catalog_or_switched_off_call_says_what_to_do() {
    let iterable = open(with_consent(json!({})));
    let item = iterable.build(&record(product(json!({})), json!({}))).operations.remove(0);
    let missing = json!({ "error": "NotFound", "message": "x", "code": "error.catalogs.notFound", "data": { "args": ["products"] } });
    let Verdict::Rejected(refusal) = only(iterable.read(&[&item], &reply(404, missing))) else { panic!() };
    assert_eq!((refusal.code.0, refusal.vendor_code.as_str()), (ErrorCode::NotFound, "error.catalogs.notFound"));
    assert!(refusal.message.contains("catalog"));
    let leave = ops(&iterable, &consented("email", "denied")).remove(1);
    let Verdict::Rejected(refusal) = only(iterable.read(&[&leave], &reply(404, json!("")))) else { panic!() };
    assert!(refusal.message.contains("read_modify_write"));
}

#[test]
fn the_same_record_gives_the_same_bytes() {
    let iterable = open(with_consent(json!({})));
    for record in [record(order(json!({})), json!({})), consented("email", "granted"), record(product(json!({})), json!({}))] {
        assert_eq!(iterable.build(&record).operations, iterable.build(&record).operations);
    }
}
