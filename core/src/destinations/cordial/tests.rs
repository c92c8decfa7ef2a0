//! What Cordial gets, and what its answers mean. With `CARTWIRE_EXCHANGES_DIR` set, every REST request and reply is also
//! written there as `cordial-unit.ndjson`, for checking against the vendor's own contract.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod schema;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::{Mutex, Once};
use std::time::Duration;

use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::super::{Completed, Destination, Operation, Reading, Reply, Request, Verdict};
use super::{CAPABILITIES, Config, Cordial};
use crate::error::ErrorCode;
use crate::model::{Finding, FindingCode, Record, SkipReason};

// -- helpers ---------------------------------------------------------------------------------------------------------

fn config(settings: Value) -> Config {
    let mut all = json!({
        "api_key": "k-123", "channels": {"email": "email", "sms": "sms"}, "customer_id_attribute": "customer_id",
        "attributes": {
            "first_name": {"key": "first_name"}, "points": {"key": "Points", "type": "number"}, "date_of_birth": {"key": "birthday", "type": "date"},
            "address": {"key": "home", "type": "geo"}, "groups": {"key": "groups", "type": "array"},
            "consent_email_at": {"key": "consent_email_at", "type": "date"}
        },
        "lists": {"newsletter": "news", "group:vip": "vip_people"},
    });
    for (key, value) in settings.as_object().unwrap() {
        all[key] = value.clone();
    }
    serde_json::from_value(all).unwrap()
}

fn open(settings: Value) -> Cordial {
    Cordial::new(config(settings)).unwrap()
}

fn record(body: Value, envelope: Value) -> Record {
    let mut all = json!({
        "source": "shop", "tenant": "demo", "resource": {"type": "thing", "id": "r-1"}, "version": 4,
        "occurred_at": "2026-01-01T10:00:00.123Z", "observed_at": "2026-01-01T10:00:05Z",
        "market": {"country": "DE", "locale": "de-DE", "currency": "EUR", "store": "eu-web"},
        "identity": {"customer_id": "c-42", "email": "mara@example.com"}, "correlation_id": "corr", "idempotency_key": "00aa11bb",
    });
    for (key, value) in envelope.as_object().unwrap() {
        all[key] = value.clone();
    }
    serde_json::from_value(json!({"envelope": all, "body": body})).unwrap()
}

fn with(kind: &str, base: Value, change: Value) -> Value {
    let mut all = base;
    all["type"] = kind.into();
    for (key, value) in change.as_object().unwrap() {
        all[key] = value.clone();
    }
    all
}

fn contact(change: Value, envelope: Value) -> Record {
    record(with("contact", json!({}), change), envelope)
}

fn money(amount: &str) -> Value {
    json!({"amount": amount, "currency": "EUR"})
}

fn line(id: &str, quantity: i64, unit: &str, total: &str) -> Value {
    json!({
        "id": id, "sku": "TEE-M", "product_id": "p-881", "variant_id": "2", "name": "Black tee", "quantity": quantity,
        "unit_list_price": money(unit), "unit_price": money(unit), "total": money(total),
        "categories": [{"id": "tees", "path": ["Apparel", "Tees"]}], "attributes": {"size": {"type": "text", "value": "M"}},
    })
}

fn order(change: Value) -> Value {
    let base = json!({
        "id": "o-1", "number": "10017", "placed_at": "2026-01-01T09:50:00Z", "status": "open", "cart_id": "crt-5",
        "lines": [line("l1", 2, "19.50", "39.00")], "shipping": [{"method": "DHL", "amount": money("4.90")}], "coupons": [{"code": "NEWYEAR"}],
        "totals": {"subtotal": money("39.00"), "shipping": money("4.90"), "discount": money("5"), "tax": money("7.01"), "tax_added": money("0"), "total": money("38.90")},
        "shipping_address": {"first_name": "Mara", "last_name": "Li", "line1": "Domgasse 1", "line2": "2. Stock", "city": "Graz", "postal_code": "8010", "country": "AT"},
    });
    with("order", base, change)
}

fn cart(change: Value) -> Value {
    let base = json!({
        "id": "crt-5", "state": "active", "lines": [line("l1", 2, "19.50", "39.00")],
        "totals": {"subtotal": money("39.00"), "shipping": money("0"), "discount": money("0"), "tax_added": money("0"), "total": money("39.00")},
        "last_activity_at": "2026-01-01T09:41:12Z", "url": "https://shop.example/cart/crt-5",
    });
    with("cart", base, change)
}

fn product(change: Value) -> Value {
    let base = json!({
        "id": "p-881", "name": "Black tee", "published": true, "rating_average": "4.5",
        "categories": [{"id": "tees", "path": ["Apparel", "Tees"]}],
        "variants": [
            {"id": "1", "sku": "TEE-S", "price": {"list": money("19.50"), "sale": money("15"), "valid_until": "2026-02-01T00:00:00Z"}, "stock": {"in_stock": false, "quantity": 0},
             "images": [{"url": "https://img.example/881.jpg"}], "attributes": {"size": {"type": "text", "value": "S"}}},
            {"id": "2", "price": {"list": money("20")}},
        ],
        "attributes": {"material": {"type": "text", "value": "cotton"}, "a.b": {"type": "integer", "value": 3}},
    });
    with("product", base, change)
}

fn refund() -> Value {
    json!({"type": "refund", "id": "R-55", "order_id": "o-1", "amount": money("19.00"), "refunded_at": "2026-01-05T12:00:00Z", "reason": "size",
        "lines": [{"line_id": "l1", "sku": "TEE-M", "quantity": 1, "amount": money("19.00")}]})
}

fn shipment(status: &str) -> Value {
    json!({"type": "shipment", "id": "0123456789abcdef01234567", "order_id": "o-1", "status": status, "shipped_at": "2026-01-02T08:00:00Z",
        "lines": [{"line_id": "l1", "sku": "TEE-M", "quantity": 2}], "parcels": [{"id": "p", "carrier": "DPD", "tracking_number": "T1"}]})
}

const ALL: &str = r#"{"supplements": {"shipments": "shipments", "refunds": "refunds", "returns": "returns", "categories": "categories"}}"#;

fn imports() -> Value {
    let mut all: Value = serde_json::from_str(ALL).unwrap();
    all["imports"] = json!({"upload_url": "https://files.example.com/in/", "authorization": "Bearer s3cret",
        "source": {"transport": "HTTPS", "url": "https://files.example.com/in/{file}"}});
    all
}

fn ops(cordial: &Cordial, record: &Record) -> Vec<Operation> {
    let built = cordial.build(record);
    assert!(!built.findings.iter().any(Finding::is_error), "{:?}", built.findings);
    built.operations
}

fn one(cordial: &Cordial, record: &Record, endpoint: &str) -> Operation {
    let operations = ops(cordial, record);
    operations.iter().find(|operation| operation.endpoint == endpoint).unwrap_or_else(|| panic!("no {endpoint}: {operations:?}")).clone()
}

fn endpoints(cordial: &Cordial, record: &Record) -> Vec<String> {
    ops(cordial, record).iter().map(|operation| operation.endpoint.to_string()).collect()
}

fn sent(cordial: &Cordial, operation: &Operation) -> (String, Value) {
    shown(cordial, &cordial.request(&[operation]).unwrap())
}

fn shown(cordial: &Cordial, request: &Request) -> (String, Value) {
    exchange(cordial, request, None);
    let body = request.body.as_deref().map_or(Value::Null, |body| serde_json::from_slice(body).unwrap());
    (format!("{} {}", request.method.as_str(), request.path), body)
}

/// Writes one exchange for the contract check; only REST v2 has a contract.
fn exchange(cordial: &Cordial, request: &Request, reply: Option<&Reply>) {
    static FIRST: Once = Once::new();
    static LOCK: Mutex<()> = Mutex::new(());
    let Some(folder) = std::env::var_os("CARTWIRE_EXCHANGES_DIR") else { return };
    if !CAPABILITIES.endpoint(&request.endpoint).unwrap().host.is_empty() {
        return;
    }
    let path = std::path::Path::new(&folder).join("cordial-unit.ndjson");
    FIRST.call_once(|| drop(std::fs::remove_file(&path)));
    let mut row = json!({"vendor": "cordial", "method": request.method.as_str(), "url": format!("{}{}", cordial.base_url(), request.path),
        "ref": std::thread::current().name().unwrap_or("test")});
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
    Reply { status, headers: Vec::new(), body }
}

fn error(status: u16, message: &str) -> Reply {
    reply(status, json!({"error": true, "errorKey": "GENERIC_ERROR_KEY", "message": message, "messages": {"error": [message]}}))
}

fn read(cordial: &Cordial, operation: &Operation, reply: &Reply) -> Verdict {
    if let Ok(request) = cordial.request(&[operation]) {
        exchange(cordial, &request, Some(reply));
    }
    only(cordial.read(&[operation], reply))
}

fn only(reading: Reading) -> Verdict {
    match reading {
        Reading::Each(mut verdicts, _) if verdicts.len() == 1 => verdicts.remove(0),
        other => panic!("not one verdict: {other:?}"),
    }
}

fn code(verdict: &Verdict) -> ErrorCode {
    match verdict {
        Verdict::Rejected(refusal) | Verdict::Retry(refusal, _) => refusal.code.0,
        other => panic!("no refusal: {other:?}"),
    }
}

fn skips(cordial: &Cordial, record: &Record) -> Vec<SkipReason> {
    cordial.build(record).skipped.iter().map(|skip| skip.reason).collect()
}

fn consented(channel: &str, status: &str, mode: &str) -> Record {
    let identity = json!({"customer_id": "c-42", "email": "mara@example.com", "phone": "+436641234567"});
    contact(
        json!({"consents": [{"channel": channel, "status": status, "at": "2026-01-01T08:30:00Z"}]}),
        json!({"mode": mode, "identity": identity}),
    )
}

fn completed(cordial: &Cordial, operation: &Operation, reply: &Reply) -> Completed {
    exchange(cordial, &cordial.prefetch(operation).unwrap(), Some(reply));
    cordial.complete(operation, reply).unwrap()
}

fn sends(completed: Completed) -> Request {
    match completed {
        Completed::Send(request) => request,
        other => panic!("not sent: {other:?}"),
    }
}

fn stays(completed: Completed) -> SkipReason {
    match completed {
        Completed::Skip(skip) => skip.reason,
        other => panic!("not skipped: {other:?}"),
    }
}

fn stored(channels: Value) -> Reply {
    let mut all = json!({"email": {"address": "mara@example.com", "subscribeStatus": "none"}});
    for (key, value) in channels.as_object().unwrap() {
        all[key] = value.clone();
    }
    reply(200, json!({"_id": "5f1", "attributes": {"cID": "5f1"}, "channels": all}))
}

// -- settings --------------------------------------------------------------------------------------------------------

#[test]
fn settings_that_cannot_work_are_refused_by_name() {
    for (settings, path) in [
        (json!({"base_url": "ftp://example.com"}), "/base_url"),
        (json!({"base_url": "https://example.com/v2"}), "/base_url"),
        (json!({"base_url": "http://example.com"}), "/base_url"),
        (json!({"region": "use1"}), "/base_url"),
        (json!({"api_key": "a\r\nb"}), "/api_key"),
        (json!({"channels": {"fax": "fax"}}), "/channels"),
        (json!({"channels": {"sms": "s m s"}}), "/channels/sms"),
        (json!({"customer_id_attribute": "cID"}), "/customer_id_attribute"),
        (json!({"id_prefix": "ä"}), "/id_prefix"),
        (json!({"attributes": {"a": {"key": "channels"}}}), "/attributes/a/key"),
        (json!({"attributes": {"a": {"key": "x"}, "b": {"key": "X"}}}), "/attributes/b/key"),
        (json!({"attributes": {"address": {"key": "x"}}}), "/attributes/address/type"),
        (json!({"attributes": {"x": {"key": "vip_people"}}}), "/lists/group:vip"),
        (json!({"lists": {"x": "cid"}}), "/lists/x"),
        (json!({"event_names": {"order_shipped": "open"}}), "/event_names/order_shipped"),
        (json!({"supplements": {"refunds": "a b"}}), "/supplements/refunds"),
        (json!({"identify_by": ["phone"]}), "/identify_by"),
        (json!({"identify_by": ["channels.sms.address"]}), "/identify_by"),
        (json!({"imports": {"upload_url": "http://example.com", "source": {"transport": "HTTP", "url": "{file}"}}}), "/imports/upload_url"),
        (json!({"imports": {"upload_url": "https://a.b", "source": {"transport": "HTTP", "url": "x"}}}), "/imports/source"),
    ] {
        let error = Cordial::new(config(settings.clone())).err().unwrap_or_else(|| panic!("accepted {settings}"));
        assert_eq!((error.code(), error.path()), (ErrorCode::InvalidConfig, Some(path)), "{settings}");
    }
    assert!(serde_json::from_value::<Config>(json!({"regoin": "usw2"})).is_err());
}

#[test]
fn the_region_picks_the_hosts() {
    let cordial = open(json!({"region": "usw2", "api": "async"}));
    assert_eq!(cordial.base_url(), "https://api.usw2.cordial.io");
    let request = cordial.request(&[&one(&cordial, &contact(json!({}), json!({})), "async.upsertContact")]).unwrap();
    assert_eq!(cordial.base_url_of(&request), "https://integrations-ingest-svc.usw2.cordial.com");
    assert_eq!((request.secret_headers[0].0, request.secret_headers[0].1.expose()), ("x-api-key", "k-123"));
}

#[test]
fn the_key_is_a_user_without_password_and_shows_nowhere() {
    let cordial = open(imports());
    let request = cordial.check();
    assert_eq!((request.secret_headers[0].0, request.secret_headers[0].1.expose()), ("authorization", "Basic ay0xMjM6"));
    let shown = format!("{request:?}{cordial:?}{}", serde_json::to_string(&cordial.config).unwrap());
    assert!(!shown.contains("k-123") && !shown.contains("ay0xMjM6") && !shown.contains("s3cret"), "{shown}");
}

#[test]
fn the_check_names_what_is_missing_misspelled_or_of_another_type() {
    let cordial = open(json!({}));
    let there = json!([{"key": "First_Name", "type": "string"}, {"key": "Points", "type": "string"}, {"key": "birthday", "type": "date"},
        {"key": "groups", "type": "array"}, {"key": "consent_email_at", "type": "date"}, {"key": "customer_id", "type": "string"}]);
    let answer = reply(200, there);
    exchange(&cordial, &cordial.check(), Some(&answer));
    let sentence = cordial.read_check(&answer);
    for part in ["`first_name` is spelled `First_Name` there", "`home` is not there", "`Points` is of type `string` there"] {
        assert!(sentence.contains(part), "{sentence}");
    }
    // The same as an object by key.
    let by_key = json!({"first_name": {"key": "first_name", "type": "string"}, "Points": {"type": "number"}, "birthday": {"type": "date"}, "home": {"type": "geo"},
        "groups": {"type": "array"}, "consent_email_at": {"type": "date"}, "customer_id": {"type": "string"}});
    assert!(cordial.read_check(&reply(200, by_key)).contains("every configured attribute"));
    assert!(cordial.read_check(&reply(401, json!({"error": "Access Denied: Authentication Failure"}))).contains("not known"));
}

// -- contacts --------------------------------------------------------------------------------------------------------

#[test]
fn a_contact_is_its_configured_attributes_and_no_permission() {
    let cordial = open(json!({}));
    let mara = contact(
        json!({"first_name": "Mara", "last_name": "Li", "date_of_birth": "1990-02-03", "groups": ["vip"],
            "addresses": [{"line1": "Domgasse 1", "city": "Graz", "country": "AT"}],
            "attributes": {"points": {"type": "decimal", "value": "7.50"}, "newsletter": {"type": "boolean", "value": false}, "other": {"type": "text", "value": "x"}}}),
        json!({}),
    );
    let built = cordial.build(&mara);
    let (call, body) = sent(&cordial, &built.operations[0]);
    assert_eq!(call, "POST /v2/contacts");
    assert_eq!(
        body,
        json!({"channels": {"email": {"address": "mara@example.com"}}, "identifyBy": ["customer_id", "email"], "customer_id": "c-42", "first_name": "Mara",
            "birthday": "1990-02-03", "Points": 7.5, "home.street_address": "Domgasse 1", "home.city": "Graz", "home.country": "AT", "groups": ["vip"],
            "news": false, "vip_people": true, "suppressTriggers": false})
    );
    let dropped: Vec<_> = built.findings.iter().map(|finding| (finding.code, finding.pointer.as_str())).collect();
    assert_eq!(dropped, [(FindingCode::FieldDropped, "/body/attributes/other")]);
    assert_eq!(built.operations[0].delta.as_deref(), Some("/attributes"));
    assert_eq!((built.operations[0].entity.as_str(), built.operations[0].lane.as_str()), ("contact:c-42", "profile:c-42"));
}

#[test]
fn values_that_do_not_fit_their_attribute_are_left_out_and_named() {
    let cordial = open(json!({}));
    let groups: Vec<String> = (0..26).map(|n| format!("g{n}")).collect();
    let built = cordial.build(&contact(
        json!({"first_name": "x".repeat(129), "groups": groups, "attributes": {"points": {"type": "text", "value": "many"}}}),
        json!({}),
    ));
    let (_, body) = sent(&cordial, &built.operations[0]);
    assert_eq!((body.get("first_name"), body.get("groups"), body.get("Points")), (None, None, None));
    assert_eq!(built.findings.len(), 3, "{:?}", built.findings);
    let fits = open(json!({"attributes": {"first_name": {"key": "first_name", "max": 200}}}));
    assert!(fits.build(&contact(json!({"first_name": "x".repeat(129)}), json!({}))).findings.is_empty());
}

#[test]
fn a_change_carries_who_it_is_and_a_field_that_is_gone_is_cleared_as_configured() {
    for (cleared, expected) in [("keep", None), ("null", Some(Value::Null)), ("empty", Some(json!("")))] {
        let cordial = open(json!({"cleared": cleared}));
        let mut operation = one(&cordial, &contact(json!({"first_name": "Mara"}), json!({})), "contacts.upsert");
        let mut row: Value = serde_json::from_slice(&operation.body).unwrap();
        row["attributes"] = json!({"first_name": null, "customer_id": null, "channels": null});
        operation.body = row.to_string().into_bytes();
        let (_, body) = sent(&cordial, &operation);
        assert_eq!(body.get("first_name"), expected.as_ref(), "{cleared}");
        assert_eq!((&body["customer_id"], &body["channels"]["email"]["address"]), (&json!("c-42"), &json!("mara@example.com")));
    }
}

#[test]
fn a_new_address_alone_is_a_change() {
    let cordial = open(json!({}));
    let row = |email: &str| {
        let record = contact(json!({}), json!({"identity": {"customer_id": "c-42", "email": email}}));
        let body: Value = serde_json::from_slice(&one(&cordial, &record, "contacts.upsert").body).unwrap();
        body["attributes"]["channels"].clone()
    };
    assert_ne!(row("mara@example.com"), row("mara@example.org"));
}

#[test]
fn people_are_known_by_the_first_key_that_they_have() {
    let cordial = open(json!({"id_prefix": "at-"}));
    let customer = one(&cordial, &contact(json!({}), json!({})), "contacts.upsert");
    assert_eq!(sent(&cordial, &customer).1["identifyBy"], json!(["customer_id", "email"]));
    assert_eq!(sent(&cordial, &customer).1["customer_id"], "at-c-42");
    let phone_only = json!({"identity": {"customer_id": "c-42", "phone": "+436641234567"}});
    let built = cordial.build(&contact(json!({}), phone_only.clone()));
    assert_eq!((built.operations.len(), built.findings[0].code), (0, FindingCode::IdentityUnusable));
    let allowed = open(json!({"contacts_without_email": true}));
    let request = allowed.request(&[&one(&allowed, &contact(json!({}), phone_only), "contacts.upsert")]).unwrap();
    let body: Value = serde_json::from_slice(&request.body.unwrap()).unwrap();
    assert_eq!((&body["channels"], &body["identifyBy"]), (&json!({"sms": {"address": "436641234567"}}), &json!(["customer_id"])));
    let guest = one(&cordial, &contact(json!({}), json!({"identity": {"email": "guest@example.org"}})), "contacts.upsert");
    assert_eq!(sent(&cordial, &guest).1["identifyBy"], json!(["email"]));
    assert!(!guest.entity.contains("guest") && !guest.lane.contains("guest"));
    for identity in [json!({"anonymous_id": "s-1"}), json!({"phone": "+436641234567"}), json!({"email": "no address"})] {
        let built = cordial.build(&contact(json!({}), json!({"identity": identity})));
        assert!(built.operations.is_empty() && built.findings.iter().any(|f| f.code == FindingCode::IdentityUnusable), "{identity}");
    }
}

#[test]
fn an_unknown_attribute_is_left_out_once_or_refused_as_configured() {
    let mara = contact(json!({"first_name": "Mara"}), json!({}));
    let complaint = reply(
        422,
        json!({"error": true, "errorKey": "GENERIC_ERROR_KEY", "message": "m", "messages": {"validationErrors": {"first_name": ["key first_name is not part of the schema for this resource"]}}}),
    );
    let cordial = open(json!({}));
    let operation = one(&cordial, &mara, "contacts.upsert");
    let Verdict::Amended(body, text) = read(&cordial, &operation, &complaint) else { panic!("not amended") };
    assert!(text.contains("`first_name`"), "{text}");
    let again = Operation { body, ..operation.clone() };
    assert_eq!(sent(&cordial, &again).1.get("first_name"), None);
    let strict = open(json!({"unknown_attributes": "refuse"}));
    assert_eq!(code(&read(&strict, &operation, &complaint)), ErrorCode::Rejected);
}

#[test]
fn attributes_can_be_read_before_every_write() {
    let cordial = open(json!({"verify_attributes": true}));
    let operation = one(&cordial, &contact(json!({"first_name": "Mara", "groups": ["vip"]}), json!({})), "contacts.upsert");
    assert_eq!(cordial.prefetch(&operation).unwrap().path, "/v2/accountcontactattributes");
    let right = json!([{"key": "first_name"}, {"key": "customer_id"}, {"key": "groups"}]);
    sends(completed(&cordial, &operation, &reply(200, right)));
    let error =
        cordial.complete(&operation, &reply(200, json!([{"key": "First_Name"}, {"key": "customer_id"}, {"key": "groups"}]))).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Rejected);
    assert!(error.message().contains("`first_name` is spelled `First_Name` there"), "{error}");
}

#[test]
fn the_asynchronous_api_gets_the_same_contact_under_other_names_and_no_backfill() {
    let cordial = open(json!({"api": "async", "asynchronous": {"source": "shop.example", "events": true}}));
    let mara = contact(json!({"first_name": "Mara"}), json!({}));
    let (call, body) = sent(&cordial, &one(&cordial, &mara, "async.upsertContact"));
    assert_eq!(call, "POST /api/upsertContact");
    assert_eq!(
        body,
        json!({"source": "shop.example", "identifiers": {"customer_id": "c-42", "email": "mara@example.com"}, "identifiersPriority": ["customer_id", "email"],
            "attributes": {"first_name": "Mara", "groups": [], "vip_people": false}, "forceSubscribe": false, "mergeOptions": {"mergeAllowed": false}})
    );
    assert_eq!(endpoints(&cordial, &contact(json!({}), json!({"mode": "backfill"}))), ["contacts.upsert"]);
    let viewed = record(json!({"type": "event", "name": "product_viewed", "product_id": "p-1"}), json!({}));
    let (call, body) = sent(&cordial, &one(&cordial, &viewed, "async.createContactactivities"));
    assert_eq!(call, "POST /api/createContactactivities");
    assert_eq!(
        body["contact"],
        json!({"identifiers": {"customer_id": "c-42"}, "identifiersPriority": ["customer_id"], "canBeCreated": false, "canBeUpdated": false})
    );
    assert_eq!(
        (&body["contactActivity"]["a"], &body["contactActivity"]["properties"]["product_id"]),
        (&json!("product_viewed"), &json!("p-1"))
    );
}

#[test]
fn an_erasure_deletes_and_another_deletion_keeps_unless_configured() {
    let cordial = open(json!({}));
    let gone = |erase: bool| record(json!({"type": "contact_deleted", "erase": erase}), json!({}));
    let operation = one(&cordial, &gone(true), "contacts.delete");
    assert_eq!(sent(&cordial, &operation), ("DELETE /v2/contacts/customer_id:c-42".to_owned(), Value::Null));
    assert_eq!(skips(&cordial, &gone(false)), [SkipReason::NotConfigured]);
    assert_eq!(endpoints(&open(json!({"contact_deleted": "delete"})), &gone(false)), ["contacts.delete"]);
    assert_eq!(read(&cordial, &operation, &reply(404, json!({"error": true, "message": "record not found"}))), Verdict::Accepted);
}

#[test]
fn a_path_keeps_its_colon_and_encodes_the_rest() {
    let cordial = open(json!({"customer_id_attribute": null}));
    let gone = record(json!({"type": "contact_deleted", "erase": true}), json!({"identity": {"email": "a+b@example.com"}}));
    assert_eq!(sent(&cordial, &one(&cordial, &gone, "contacts.delete")).0, "DELETE /v2/contacts/email:a%2Bb%40example.com");
}

// -- permission ------------------------------------------------------------------------------------------------------

#[test]
fn a_no_leaves_the_channel_at_once_in_every_mode() {
    let cordial = open(json!({}));
    for mode in ["live", "backfill"] {
        let operation = one(&cordial, &consented("email", "denied", mode), "contacts.unsubscribe");
        assert_eq!(sent(&cordial, &operation), ("PUT /v2/contacts/customer_id:c-42/unsubscribe/email".to_owned(), Value::Null));
        assert!(cordial.prefetch(&operation).is_none());
    }
    // A later no is news, though the call looks the same.
    let said = |at: &str| contact(json!({"consents": [{"channel": "email", "status": "denied", "at": at}]}), json!({}));
    let (one_day, another) = (said("2026-01-01T08:30:00Z"), said("2026-01-02T08:30:00Z"));
    let row = |record: &Record| one(&cordial, record, "contacts.unsubscribe").body;
    assert_ne!(row(&one_day), row(&another));
    let text = one(&cordial, &consented("sms", "denied", "live"), "contacts.unsubscribe");
    assert_eq!(read(&cordial, &text, &reply(200, json!({"success": true}))), Verdict::Accepted);
    assert!(matches!(read(&cordial, &text, &error(422, "Channel doesn't exist")), Verdict::Discarded(..)));
}

/// The consent matrix: stored × said × mode. Only an explicit yes writes, and only where nobody left.
#[test]
fn nobody_is_subscribed_without_a_newer_explicit_yes() {
    let before = "2026-01-01T08:00:00+0000";
    let after = "2026-01-01T09:00:00+0000";
    let states = [
        json!({"address": "mara@example.com"}),
        json!({"address": "mara@example.com", "subscribeStatus": "none"}),
        json!({"address": "mara@example.com", "subscribeStatus": "subscribed"}),
        json!({"address": "mara@example.com", "subscribeStatus": "pendingDOI"}),
        json!({"address": "mara@example.com", "subscribeStatus": "unsubscribed"}),
        json!({"address": "mara@example.com", "subscribeStatus": "unsubscribed", "unsubscribedAt": before}),
        json!({"address": "mara@example.com", "subscribeStatus": "unsubscribed", "unsubscribedAt": after}),
        json!({"address": "mara@example.com", "subscribeStatus": "a new word"}),
    ];
    let words = |cordial: &Cordial, said: &str, mode: &str| -> Vec<&'static str> {
        let record = consented("email", said, mode);
        let asked = ops(cordial, &record).into_iter().find(|operation| operation.entity.starts_with("consent:"));
        states
            .iter()
            .map(|state| match &asked {
                None => "-",
                Some(operation) if operation.endpoint == "contacts.unsubscribe" => "leave",
                Some(operation) => match cordial.complete(operation, &stored(json!({"email": state}))).unwrap() {
                    Completed::Send(request) => {
                        let body: Value = serde_json::from_slice(&request.body.unwrap()).unwrap();
                        assert_eq!(body["channels"]["email"]["subscribeStatus"], "subscribed");
                        assert_eq!(body["suppressTriggers"], mode == "backfill");
                        if body["forceSubscribe"] == true { "force" } else { "join" }
                    }
                    Completed::Skip(skip) if skip.reason == SkipReason::Unchanged => "same",
                    Completed::Skip(_) => "no",
                    Completed::Retry(..) | Completed::First(_) | Completed::Look(_) => "later",
                },
            })
            .collect()
    };
    let plain = open(json!({}));
    let sending = open(json!({"backfill_grants": "send"}));
    let never = open(json!({"resubscribe": "never"}));
    //                                           nothing none    subscr. asked   left ?  left before, after, unknown
    assert_eq!(words(&plain, "granted", "live"), ["join", "join", "same", "same", "no", "force", "no", "no"]);
    assert_eq!(words(&never, "granted", "live"), ["join", "join", "same", "same", "no", "no", "no", "no"]);
    assert_eq!(words(&plain, "granted", "backfill"), ["-"; 8]);
    assert_eq!(words(&sending, "granted", "backfill"), ["join", "join", "same", "same", "no", "no", "no", "no"]);
    for mode in ["live", "backfill"] {
        assert_eq!(words(&sending, "denied", mode), ["leave"; 8]);
        assert_eq!(words(&sending, "pending", mode), ["-"; 8]);
        assert_eq!(words(&sending, "unknown", mode), ["-"; 8]);
    }
}

#[test]
fn an_undated_yes_never_brings_anybody_back() {
    let cordial = open(json!({}));
    let record = contact(json!({"consents": [{"channel": "email", "status": "granted"}]}), json!({}));
    let operation = one(&cordial, &record, "contacts.subscribe");
    let left = stored(
        json!({"email": {"address": "mara@example.com", "subscribeStatus": "unsubscribed", "unsubscribedAt": "2020-01-01T00:00:00+0000"}}),
    );
    assert_eq!(stays(completed(&cordial, &operation, &left)), SkipReason::DeniedAtDestination);
}

#[test]
fn a_yes_is_never_written_unseen() {
    let cordial = open(json!({}));
    let operation = one(&cordial, &consented("email", "granted", "live"), "contacts.subscribe");
    assert!(cordial.is_computed(&operation) && cordial.request(&[&operation]).is_err());
    assert!(matches!(
        completed(&cordial, &operation, &reply(404, json!({"error": true, "message": "record not found"}))),
        Completed::Retry(..)
    ));
    assert!(matches!(cordial.complete(&operation, &reply(429, Value::Null)).unwrap(), Completed::Retry(..)));
    assert_eq!(cordial.complete(&operation, &reply(401, Value::Null)).unwrap_err().code(), ErrorCode::Unauthorized);
}

#[test]
fn a_yes_to_texts_is_asked_for_by_text_unless_it_is_confirmed() {
    let cordial = open(json!({}));
    let operation = one(&cordial, &consented("sms", "granted", "live"), "contacts.subscribe");
    let request = sends(completed(&cordial, &operation, &stored(json!({"sms": {"address": "436641234567"}}))));
    let (call, body) = shown(&cordial, &request);
    assert_eq!(call, "PUT /v2/contacts/customer_id:c-42");
    let asked = json!({"address": "436641234567", "subscribeStatus": "subscribed", "suppressDOI": false});
    assert_eq!(body["channels"], json!({"email": {"address": "mara@example.com"}, "sms": asked}));
    let confirmed = open(json!({"sms_opt_in": "confirmed", "sms_plus": true, "backfill_grants": "send"}));
    let operation = one(&confirmed, &consented("sms", "granted", "backfill"), "contacts.subscribe");
    let request = sends(completed(&confirmed, &operation, &stored(json!({}))));
    assert_eq!(
        shown(&confirmed, &request).1["channels"]["sms"],
        json!({"address": "+436641234567", "subscribeStatus": "subscribed", "suppressDOI": true})
    );
    let asking = open(json!({"backfill_grants": "send"}));
    assert_eq!(skips(&asking, &consented("sms", "granted", "backfill")), [SkipReason::BackfillQuiet]);
}

#[test]
fn who_left_one_programme_of_a_channel_left_it() {
    let cordial = open(json!({}));
    let operation = one(&cordial, &consented("sms", "granted", "live"), "contacts.subscribe");
    let programmes = json!({"sms": {"address": "43", "programs": {"offers": {"subscribeStatus": "subscribed"}, "news": {"subscribeStatus": "unsubscribed"}}}});
    assert_eq!(stays(completed(&cordial, &operation, &stored(programmes))), SkipReason::DeniedAtDestination);
    // PHP's empty object.
    let empty = reply(200, json!({"_id": "5f1", "attributes": [], "channels": []}));
    assert!(matches!(cordial.complete(&operation, &empty).unwrap(), Completed::Send(_)));
}

#[test]
fn a_box_ticked_at_the_checkout_writes_permission_and_its_proof_and_nothing_else() {
    let cordial = open(json!({}));
    let consents = json!({"first_name": "Mara", "consents": [{"channel": "email", "status": "granted", "at": "2026-01-01T08:30:00Z"}]});
    let operations = ops(&cordial, &contact(consents, json!({"resource": {"type": "order", "id": "o-1"}})));
    let names: Vec<_> = operations.iter().map(|operation| (operation.entity.as_str(), operation.version)).collect();
    assert_eq!(names, [("known:c-42", None), ("permission:c-42", None), ("consent:c-42:email", None)]);
    let (_, body) = sent(&cordial, &operations[1]);
    assert_eq!((&body["consent_email_at"], body.get("first_name")), (&json!("2026-01-01T08:30:00+0000"), None));
}

// -- orders and carts ------------------------------------------------------------------------------------------------

#[test]
fn an_order_is_read_first_then_made_or_changed() {
    let cordial = open(json!({}));
    let operation = one(&cordial, &record(order(json!({})), json!({})), "orders.create");
    assert_eq!(cordial.prefetch(&operation).unwrap().path, "/v2/orders/o-1");
    let (call, made) =
        shown(&cordial, &sends(completed(&cordial, &operation, &reply(404, json!({"error": true, "message": "record not found"})))));
    assert_eq!(call, "POST /v2/orders");
    assert_eq!(
        made["shippingAddress"],
        json!({"name": "Mara Li", "address": "Domgasse 1, 2. Stock", "city": "Graz", "postalCode": "8010", "country": "AT"})
    );
    assert_eq!(
        (&made["orderID"], &made["customer_id"], &made["customerID"], &made["storeID"]),
        (&json!("o-1"), &json!("c-42"), &json!("c-42"), &json!("eu-web"))
    );
    assert_eq!(
        (&made["purchaseDate"], &made["suppressTriggers"], &made["status"]),
        (&json!("2026-01-01T09:50:00+0000"), &json!(false), &json!("open"))
    );
    assert_eq!(
        made["items"],
        json!([{"productID": "p-881", "sku": "TEE-M", "category": "Tees", "name": "Black tee", "qty": 2, "itemPrice": 19.5, "enabled": true, "inStock": true,
            "properties": {"line_id": "l1", "list_price": 19.5, "line_total": 39.0, "size": "M", "variant_id": "2", "category_path": ["Apparel", "Tees"]}}])
    );
    let there = reply(200, json!({"orderID": "o-1", "cID": "5f1", "purchaseDate": "2026-01-01T09:50:00+0000"}));
    let (call, changed) = shown(&cordial, &sends(completed(&cordial, &operation, &there)));
    assert_eq!(call, "PUT /v2/orders/o-1");
    assert_eq!((changed.get("orderID"), changed.get("status"), &changed["suppressTriggers"]), (None, None, &json!(true)));
    assert_eq!(changed["properties"]["order_status"], "open");
}

#[test]
fn an_old_order_and_a_backfill_are_quiet() {
    let cordial = open(json!({}));
    let quiet = |change: Value, envelope: Value| {
        let operation = one(&cordial, &record(order(change), envelope), "orders.create");
        serde_json::from_slice::<Value>(&operation.body).unwrap()["suppressTriggers"] == true
    };
    assert!(!quiet(json!({"placed_at": "2025-12-31T10:00:06Z"}), json!({})));
    assert!(quiet(json!({"placed_at": "2025-12-31T10:00:05Z"}), json!({})));
    assert!(quiet(json!({}), json!({"mode": "backfill"})));
}

#[test]
fn an_order_of_just_now_empties_the_cart_and_a_note_on_an_old_one_does_not() {
    let cordial = open(json!({}));
    assert_eq!(endpoints(&cordial, &record(order(json!({})), json!({}))), ["contacts.upsert", "orders.create", "contacts.cart.clear"]);
    let old = json!({"placed_at": "2026-01-01T08:00:00Z"});
    assert_eq!(endpoints(&cordial, &record(order(old), json!({}))), ["contacts.upsert", "orders.create"]);
    let without = open(json!({"clear_ordered_carts": false, "missing_contacts": "wait"}));
    assert_eq!(endpoints(&without, &record(order(json!({})), json!({}))), ["orders.create"]);
}

#[test]
fn units_that_were_taken_back_are_no_items_any_more() {
    let mut two = line("l2", 3, "10", "30");
    two["fulfilment"] = json!({"ordered": 3, "refunded": 1, "cancelled": 1});
    let totals =
        json!({"subtotal": money("69"), "shipping": money("0"), "discount": money("0"), "tax_added": money("0"), "total": money("69")});
    let change = json!({"lines": [line("l1", 2, "19.50", "39.00"), two], "totals": totals,
        "refunds": [{"id": "r", "amount": money("20"), "refunded_at": "2026-01-02T00:00:00Z"}]});
    let body = |settings: Value, change: Value| -> Value {
        serde_json::from_slice(&one(&open(settings), &record(order(change), json!({})), "orders.create").body).unwrap()
    };
    let removed = body(json!({}), change.clone());
    assert_eq!((removed["items"][1]["qty"].as_i64(), removed.get("discountApplication")), (Some(1), None));
    assert_eq!(removed["properties"]["refunded_amount"], 20.0);
    let kept = body(json!({"taken_back": "keep"}), change.clone());
    assert_eq!(kept["items"][1]["qty"], 3);
    let mut cancelled = change;
    cancelled["status"] = "cancelled".into();
    let gone = body(json!({}), cancelled);
    assert_eq!((&gone["items"], &gone["properties"]["order_status"]), (&json!([]), &json!("cancelled")));
    // Nothing is left of it, and nothing is discounted that is not there.
    assert_eq!((&gone["shippingAndHandling"], gone.get("discountApplication")), (&json!(0.0), None));
}

#[test]
fn what_cordial_sums_up_comes_to_the_total() {
    let mut off = line("l3", 1, "-3", "-3");
    off["kind"] = "custom".into();
    let mut fee = line("l4", 1, "2.50", "2.50");
    fee["kind"] = "fee".into();
    let totals = json!({"subtotal": money("38.50"), "shipping": money("4.90"), "discount": money("5"), "tax_added": money("1.10"), "tax": money("1.10"), "total": money("39.50")});
    let body: Value = serde_json::from_slice(
        &one(
            &open(json!({})),
            &record(order(json!({"lines": [line("l1", 2, "19.50", "39.00"), off, fee], "totals": totals})), json!({})),
            "orders.create",
        )
        .body,
    )
    .unwrap();
    // 39.00 + (4.90 + 2.50) + 1.10 − 8.00 = 39.50
    assert_eq!((&body["shippingAndHandling"], &body["discountApplication"]), (&json!(7.4), &json!({"type": "fixed", "amount": 8.0})));
    assert_eq!(body["items"].as_array().map(Vec::len), Some(1));
}

proptest! {
    #[test]
    fn items_shipping_and_tax_less_the_discount_are_always_the_total(
        lines in proptest::collection::vec((1i64..9, 0i64..10_000, 0i64..500), 1..6), shipping in 0i64..2_000, tax in 0i64..3_000, discount in 0i64..2_000
    ) {
        let cents = |n: i64| Decimal::new(n, 2);
        let amount = |n: i64| money(&cents(n).to_string());
        let rows: Vec<Value> = lines.iter().enumerate().map(|(index, (quantity, unit, off))| {
            let total = (quantity * unit - off).max(0);
            let mut row = line(&format!("l{index}"), *quantity, "0", "0");
            row["unit_price"] = amount(*unit);
            row["unit_list_price"] = amount(*unit);
            row["total"] = amount(total);
            row
        }).collect();
        let subtotal: i64 = lines.iter().map(|(quantity, unit, off)| (quantity * unit - off).max(0)).sum();
        let total = (subtotal + shipping + tax - discount).max(0);
        let totals = json!({"subtotal": amount(subtotal), "shipping": amount(shipping), "discount": amount(discount), "tax_added": amount(tax), "total": amount(total)});
        let cordial = open(json!({}));
        let operation = one(&cordial, &record(order(json!({"lines": rows, "totals": totals})), json!({})), "orders.create");
        let body: Value = serde_json::from_slice(&operation.body).unwrap();
        let number = |value: &Value| value.to_string().parse::<Decimal>().unwrap_or_default();
        let items: Decimal = body["items"].as_array().unwrap().iter().map(|item| number(&item["itemPrice"]) * Decimal::from(item["qty"].as_i64().unwrap())).sum();
        let taken = if body["discountApplication"].is_null() { Decimal::ZERO } else { number(&body["discountApplication"]["amount"]) };
        prop_assert_eq!(items + number(&body["shippingAndHandling"]) + number(&body["tax"]) - taken, cents(total));
        prop_assert!(taken <= items, "a discount of {} on goods of {}", taken, items);
    }
}

#[test]
fn an_order_that_came_into_being_meanwhile_is_read_again() {
    let cordial = open(json!({}));
    let operation = one(&cordial, &record(order(json!({})), json!({})), "orders.create");
    let known = reply(422, json!({"error": true, "messages": "ID must be unique"}));
    assert!(matches!(read(&cordial, &operation, &known), Verdict::Retry(refusal, Some(_)) if refusal.code.0 == ErrorCode::Conflict));
}

#[test]
fn a_cart_goes_whole_and_an_empty_one_is_cleared() {
    let cordial = open(json!({"cart_events": true, "id_prefix": "at-"}));
    let operation = one(&cordial, &record(cart(json!({})), json!({})), "contacts.cart.set");
    let (call, body) = sent(&cordial, &operation);
    assert_eq!(call, "POST /v2/contacts/customer_id:at-c-42/cart");
    assert_eq!((&body["cartID"], &body["cartitems"][0]["qty"], body["cartitems"][0].get("enabled")), (&json!("at-crt-5"), &json!(2), None));
    let event = one(&cordial, &record(cart(json!({})), json!({})), "contactactivities.create");
    let (_, told) = sent(&cordial, &event);
    assert_eq!(
        (&told["a"], &told["UID"], &told["properties"]["value"]),
        (&json!("cart_updated"), &json!("cart-at-crt-5-1767260472"), &json!(39.0))
    );
    for change in [json!({"lines": []}), json!({"state": "deleted"}), json!({"state": "ordered"})] {
        let operation = one(&cordial, &record(cart(change), json!({})), "contacts.cart.clear");
        assert_eq!(sent(&cordial, &operation), ("DELETE /v2/contacts/customer_id:at-c-42/cart".to_owned(), Value::Null));
    }
    assert_eq!(
        sent(
            &open(json!({"cart_write": "put"})),
            &one(&open(json!({"cart_write": "put"})), &record(cart(json!({})), json!({})), "contacts.cart.update")
        )
        .0,
        "PUT /v2/contacts/customer_id:c-42/cart"
    );
    assert_eq!(skips(&cordial, &record(cart(json!({"state": "merged"})), json!({}))), [SkipReason::Superseded]);
    assert_eq!(skips(&cordial, &record(cart(json!({})), json!({"mode": "backfill"}))), [SkipReason::BackfillQuiet]);
}

// -- events and supplements ------------------------------------------------------------------------------------------

#[test]
fn a_refund_is_an_event_and_with_a_supplement_a_record_too() {
    let cordial = open(serde_json::from_str(ALL).unwrap());
    let (call, told) = sent(&cordial, &one(&cordial, &record(refund(), json!({})), "contactactivities.create"));
    assert_eq!(call, "POST /v2/contactactivities");
    assert_eq!(
        (&told["a"], &told["UID"], &told["ats"], &told["customer_id"]),
        (&json!("order_refunded"), &json!("refund-R-55"), &json!("2026-01-05T12:00:00+0000"), &json!("c-42"))
    );
    assert_eq!((&told["properties"]["amount"], &told["properties"]["skus"]), (&json!(19.0), &json!(["TEE-M"])));
    let (call, row) = sent(&cordial, &one(&cordial, &record(refund(), json!({})), "supplements.records.upsert"));
    assert_eq!(call, "POST /v2/supplements/refunds/records");
    assert_eq!((&row["id"], &row["order_id"], &row["suppressTriggers"]), (&json!("R-55"), &json!("o-1"), &json!(true)));
}

#[test]
fn a_shipment_is_told_when_it_leaves_and_when_it_arrives() {
    let cordial = open(json!({"event_names": {"order_shipped": "fulfillment"}, "supplements": {"shipments": "shipments"}}));
    let told = |status: &str| sent(&cordial, &one(&cordial, &record(shipment(status), json!({})), "contactactivities.create")).1;
    assert_eq!((&told("shipped")["a"], &told("shipped")["UID"]), (&json!("fulfillment"), &json!("shipment-0123456789abcdef01234567")));
    assert_eq!(
        (&told("delivered")["a"], &told("delivered")["UID"]),
        (&json!("order_delivered"), &json!("delivery-0123456789abcdef01234567"))
    );
    let row = sent(&cordial, &one(&cordial, &record(shipment("pending"), json!({})), "supplements.records.upsert")).1;
    assert_eq!(row["id"], "id-0123456789abcdef01234567");
    assert_eq!(skips(&open(json!({})), &record(shipment("pending"), json!({}))), [SkipReason::Ignored]);
}

#[test]
fn events_of_a_backfill_are_withheld_and_remembered() {
    let cordial = open(json!({}));
    let viewed = |mode: &str| record(json!({"type": "event", "name": "product_viewed", "product_id": "p-1"}), json!({"mode": mode}));
    let built = cordial.build(&viewed("backfill"));
    assert!(built.operations.is_empty());
    assert_eq!(built.withheld, [one(&cordial, &viewed("live"), "contactactivities.create").idempotency_key]);
    assert_eq!(endpoints(&open(json!({"backfill_events": "send"})), &viewed("backfill")), ["contacts.upsert", "contactactivities.create"]);
}

#[test]
fn event_names_that_cordial_keeps_or_cuts_are_refused() {
    let cordial = open(json!({}));
    for name in ["click", "crdl_mine", &"x".repeat(41)] {
        let built = cordial.build(&record(json!({"type": "event", "name": name}), json!({})));
        assert!(built.operations.is_empty() && built.findings[0].pointer == "/body/name", "{name}");
    }
    let properties =
        json!({"a.b": {"type": "integer", "value": 1}, "57": {"type": "integer", "value": 1}, "ok": {"type": "integer", "value": 1}});
    let built = cordial.build(&record(json!({"type": "event", "name": "my_event", "properties": properties}), json!({})));
    assert_eq!(built.findings.len(), 2);
    assert_eq!(skips(&cordial, &record(json!({"type": "event", "name": "order_placed"}), json!({}))), [SkipReason::NotConfigured]);
}

#[test]
fn a_changed_address_goes_to_the_contact_that_had_the_old_one() {
    let changed = record(
        json!({"type": "event", "name": "email_changed", "previous": {"email": "old@example.com"}}),
        json!({"identity": {"email": "mara@example.com"}}),
    );
    let cordial = open(json!({"customer_id_attribute": null}));
    assert_eq!(endpoints(&cordial, &changed), ["contacts.changeEmail", "contactactivities.create"]);
    let operation = one(&cordial, &changed, "contacts.changeEmail");
    let (call, body) = sent(&cordial, &operation);
    assert_eq!(
        (call.as_str(), &body),
        (
            "PUT /v2/contacts/email:old%40example.com",
            &json!({"channels": {"email": {"address": "mara@example.com"}}, "suppressTriggers": true})
        )
    );
    assert!(matches!(
        read(&cordial, &operation, &reply(404, json!({"error": true, "message": "record not found"}))),
        Verdict::Discarded(..)
    ));
    let merging = open(json!({"customer_id_attribute": null, "email_change": "merge"}));
    assert_eq!(endpoints(&merging, &changed), ["contacts.upsert", "contacts.merge", "contactactivities.create"]);
    let known = record(json!({"type": "event", "name": "email_changed", "previous": {"email": "old@example.com"}}), json!({}));
    assert_eq!(skips(&open(json!({})), &known), [SkipReason::Superseded]);
}

#[test]
fn a_sign_in_merges_two_known_people_only_when_asked_to() {
    let joined = |previous: Value| record(json!({"type": "event", "name": "logged_in", "previous": previous}), json!({}));
    let plain = open(json!({}));
    assert_eq!(skips(&plain, &joined(json!({"anonymous_id": "s-1"}))), [SkipReason::NotSupported]);
    assert_eq!(skips(&plain, &joined(json!({"email": "guest@example.org"}))), [SkipReason::NotConfigured]);
    let merging = open(json!({"merge": true}));
    let operation = one(&merging, &joined(json!({"email": "guest@example.org"})), "contacts.merge");
    let (call, body) = sent(&merging, &operation);
    assert_eq!(
        (call.as_str(), &body["sourceContact"], &body["destinationContact"]),
        ("POST /v2/contacts/merge", &json!("email:guest@example.org"), &json!("customer_id:c-42"))
    );
    assert_eq!((&body["options"]["email_channels"], &body["options"]["orders"]), (&json!("destinationContact"), &json!("merge")));
    let taken = reply(201, json!({"jobID": "60a", "message": "ok"}));
    exchange(&merging, &merging.request(&[&operation]).unwrap(), Some(&taken));
    let Reading::Job(job) = merging.read(&[&operation], &taken) else { panic!("no job") };
    assert_eq!(job.id, "job:60a");
    assert_eq!(only(merging.read_poll(&[&operation], &job.id, &reply(200, json!({"status": "Done"})))), Verdict::Accepted);
    assert_eq!(code(&only(merging.read_poll(&[&operation], &job.id, &reply(200, json!({"status": "Failed"}))))), ErrorCode::Rejected);
    // Merging that is not switched on is no reason to stop everything else.
    assert_eq!(code(&read(&merging, &operation, &error(403, "The feature is not enabled"))), ErrorCode::Forbidden);
    assert!(matches!(read(&merging, &operation, &error(422, "Contact doesn't exist")), Verdict::Discarded(..)));
}

// -- catalogue -------------------------------------------------------------------------------------------------------

#[test]
fn a_product_goes_whole_with_variants_stock_and_prices() {
    let cordial = open(json!({}));
    let operation = one(&cordial, &record(product(json!({})), json!({})), "products.upsert");
    let (call, body) = sent(&cordial, &operation);
    assert_eq!(call, "POST /v2/products");
    assert_eq!(
        (&body["price"], &body["sale"]),
        (&json!(19.5), &json!({"enabled": true, "price": 15.0, "end": "2026-02-01T00:00:00+0000"}))
    );
    assert_eq!(
        (&body["enabled"], &body["inStock"], &body["category"], &body["images"]),
        (&json!(true), &json!(true), &json!("Tees"), &json!(["https://img.example/881.jpg"]))
    );
    assert_eq!(body["variants"], json!([{"sku": "TEE-S", "attr": {"size": "S"}, "qty": 0}, {"sku": "p-881-2", "attr": {}}]));
    assert_eq!(body["properties"]["prices"][1], json!({"sku": "p-881-2", "price": 20.0, "currency": "EUR"}));
    assert_eq!((&body["properties"]["material"], body["properties"].get("a.b")), (&json!("cotton"), None));
    let gone = one(&cordial, &record(json!({"type": "product_deleted", "id": "p/1"}), json!({})), "products.delete");
    assert_eq!(sent(&cordial, &gone).0, "DELETE /v2/products/p%2F1");
    assert_eq!(read(&cordial, &gone, &error(400, "Product not found")), Verdict::Accepted);
    let sold_out = product(json!({"variants": [{"id": "1", "stock": {"in_stock": false}}]}));
    assert_eq!(sent(&cordial, &one(&cordial, &record(sold_out, json!({})), "products.upsert")).1["inStock"], false);
}

#[test]
fn the_name_of_the_category_is_the_last_or_all() {
    let name = |settings: Value, change: Value| {
        let cordial = open(settings);
        sent(&cordial, &one(&cordial, &record(product(change), json!({})), "products.upsert")).1["category"].clone()
    };
    assert_eq!(name(json!({"category_name": "path"}), json!({})), "Apparel > Tees");
    assert_eq!(name(json!({}), json!({"categories": []})), "uncategorized");
    assert_eq!(name(json!({}), json!({"categories": [{"id": "c-9"}]})), "c-9");
}

#[test]
fn categories_are_records_of_a_supplement() {
    let category = record(json!({"type": "category", "id": "tees", "name": "Tees", "parent_id": "apparel"}), json!({}));
    assert_eq!(skips(&open(json!({})), &category), [SkipReason::NotConfigured]);
    let cordial = open(serde_json::from_str(ALL).unwrap());
    let (call, body) = sent(&cordial, &one(&cordial, &category, "supplements.records.upsert"));
    assert_eq!(
        (call.as_str(), &body),
        (
            "POST /v2/supplements/categories/records",
            &json!({"id": "tees", "name": "Tees", "parent_id": "apparel", "suppressTriggers": true})
        )
    );
    let gone = one(&cordial, &record(json!({"type": "category_deleted", "id": "tees"}), json!({})), "supplements.records.delete");
    assert_eq!(sent(&cordial, &gone).0, "DELETE /v2/supplements/categories/records/tees");
}

// -- files -----------------------------------------------------------------------------------------------------------

#[test]
fn contacts_of_a_backfill_become_a_table_that_subscribes_nobody() {
    let cordial = open(imports());
    let person = |change: Value, envelope: Value| {
        let mut all = json!({"mode": "backfill"});
        for (key, value) in envelope.as_object().unwrap() {
            all[key] = value.clone();
        }
        one(
            &open({
                let mut s = imports();
                s["lists"] = json!({});
                s["attributes"] = json!({"first_name": {"key": "first_name"}, "points": {"key": "Points", "type": "number"}});
                s
            }),
            &contact(change, all),
            "files.contacts",
        )
    };
    let mara = person(json!({"first_name": "Mara, \"M\"", "attributes": {"points": {"type": "integer", "value": 7}}}), json!({}));
    let ben = person(json!({"first_name": "Ben"}), json!({"identity": {"email": "ben@example.com"}}));
    let request = cordial.request(&[&mara, &ben]).unwrap();
    assert_eq!(
        std::str::from_utf8(request.body.as_deref().unwrap()).unwrap(),
        "Points,channels.email.address,customer_id,first_name\r\n7,mara@example.com,c-42,\"Mara, \"\"M\"\"\"\r\n__leave__,ben@example.com,__leave__,Ben\r\n"
    );
    assert_eq!(cordial.base_url_of(&request), "https://files.example.com/in");
    assert!(request.path.starts_with("/cartwire-contacts-") && request.path.ends_with(".csv"), "{}", request.path);
    assert_eq!(request.secret_headers[0].1.expose(), "Bearer s3cret");
    assert_eq!(request, cordial.request(&[&mara, &ben]).unwrap());
    let Reading::Job(laid) = cordial.read(&[&mara, &ben], &reply(201, json!(""))) else { panic!("no job") };
    assert_eq!((laid.id.as_str(), laid.poll_after), (format!("laid:{}", request.path.trim_start_matches('/')).as_str(), Duration::ZERO));
    let ask = cordial.poll(&[&mara, &ben], &laid.id).unwrap();
    let (call, body) = shown(&cordial, &ask);
    assert_eq!(call, "POST /v2/contactimports");
    assert_eq!(
        (&body["subscribe"], &body["suppressTriggers"], &body["hasHeader"], &body["nullMarker"]),
        (&json!(false), &json!(true), &json!(true), &json!("__leave__"))
    );
    assert_eq!(body["source"]["url"], format!("https://files.example.com/in{}", request.path));
    let Reading::Job(running) = cordial.read_poll(&[&mara, &ben], &laid.id, &reply(201, json!({"jobId": "5f6"}))) else { panic!("no job") };
    assert_eq!(running.id, "job:5f6");
    let ask = cordial.poll(&[&mara, &ben], &running.id).unwrap();
    assert_eq!(shown(&cordial, &ask).0, "GET /v2/jobs/5f6");
}

#[test]
fn a_job_is_followed_to_its_end_and_halved_when_it_names_nothing() {
    let cordial = open(imports());
    let row = |id: &str| one(&cordial, &record(order(json!({"id": id})), json!({"mode": "backfill"})), "files.orders");
    let (a, b) = (row("o-1"), row("o-2"));
    let both = [&a, &b];
    let job = |status: &str, result: Value| reply(200, json!({"status": status, "result": result}));
    for status in ["Scheduled", "Pending", "Processing", "Throttled"] {
        assert!(
            matches!(cordial.read_poll(&both, "job:1", &job(status, json!({}))), Reading::Job(again) if again.id == "job:1"),
            "{status}"
        );
    }
    let Reading::Each(verdicts, _) = cordial.read_poll(&both, "job:1", &job("Done", json!({"inserted": 2, "rejected": 0}))) else {
        panic!()
    };
    assert_eq!(verdicts, [Verdict::Accepted, Verdict::Accepted]);
    assert!(matches!(cordial.read_poll(&both, "job:1", &job("Done", json!({"inserted": 1, "rejected": "1"}))), Reading::Split(_)));
    assert_eq!(code(&only(cordial.read_poll(&[&a], "job:1", &job("Done", json!({"rejected": 1}))))), ErrorCode::Rejected);
    let Reading::Each(verdicts, _) = cordial.read_poll(&both, "job:1", &job("Failed", json!({}))) else { panic!() };
    assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Retry(..))), "sent again: {verdicts:?}");
    let lost = cordial.read_poll(&both, "job:1", &reply(404, json!({"error": true, "message": "record not found"})));
    assert!(matches!(lost, Reading::Retry(refusal, _) if refusal.code.0 == ErrorCode::NotFound));
    assert!(matches!(cordial.read_poll(&both, "job:1", &reply(429, Value::Null)), Reading::Retry(..)));
    assert!(matches!(cordial.read_poll(&both, "laid:x", &error(406, "Couldn't get the size of the file")), Reading::Stop(_)));
    assert!(matches!(cordial.read(&both, &reply(403, Value::Null)), Reading::Stop(_)));
    assert!(cordial.poll(&both, "nonsense").is_err());
}

#[test]
fn lists_and_arrays_of_a_contact_go_record_by_record() {
    let cordial = open(imports());
    assert_eq!(endpoints(&cordial, &contact(json!({"groups": ["vip"]}), json!({"mode": "backfill"}))), ["contacts.upsert"]);
}

// -- answers ---------------------------------------------------------------------------------------------------------

#[test]
fn answers_mean_what_their_status_says_whatever_shape_the_error_has() {
    let cordial = open(json!({}));
    let operation = one(&cordial, &contact(json!({}), json!({})), "contacts.upsert");
    let event = one(&cordial, &record(json!({"type": "event", "name": "x"}), json!({})), "contactactivities.create");
    assert_eq!(
        read(&cordial, &operation, &reply(201, json!({"success": true, "message": "contact created", "cID": "5f1"}))),
        Verdict::Accepted
    );
    assert_eq!(read(&cordial, &event, &reply(201, Value::Null)), Verdict::Accepted);
    for missing in [
        error(422, "Contact doesn't exist"),
        reply(404, json!({"error": true, "errorKey": "CONTACTS_CONTACT_NOT_FOUND", "message": "x"})),
        reply(422, json!({"error": true, "messages": "Contact doesn't exist"})),
    ] {
        assert!(matches!(only(cordial.read(&[&event], &missing)), Verdict::Retry(refusal, None) if refusal.code.0 == ErrorCode::NotFound));
    }
    assert_eq!(code(&read(&cordial, &operation, &error(422, "The value must be unique"))), ErrorCode::Conflict);
    assert_eq!(
        code(&read(&cordial, &operation, &reply(400, json!({"errors": {"x": ["y"]}, "error": true, "errorKey": "VALIDATION_ERROR"})))),
        ErrorCode::Rejected
    );
    for (status, code) in [(401, ErrorCode::Unauthorized), (403, ErrorCode::Forbidden)] {
        let Reading::Stop(error) = cordial.read(&[&operation], &reply(status, json!({"error": "Access Denied: Authentication Failure"})))
        else {
            panic!()
        };
        assert_eq!(error.code(), code);
    }
    assert!(matches!(cordial.read(&[&operation], &reply(500, json!({"error": "an error has occurred"}))), Reading::Retry(..)));
    assert!(matches!(cordial.read(&[&operation], &reply(200, json!("<html></html>"))), Reading::Retry(..)));
    let slow = |name: &str| Reply { headers: vec![(name.to_owned(), "7".to_owned())], ..reply(429, Value::Null) };
    for header in ["retry-after", "x-rate-limit-reset"] {
        assert!(
            matches!(cordial.read(&[&operation], &slow(header)), Reading::Retry(refusal, Some(pause)) if refusal.code.0 == ErrorCode::RateLimited && pause.as_secs() == 7)
        );
    }
}

#[test]
fn nothing_personal_is_passed_on_from_an_answer() {
    let cordial = open(json!({}));
    let operation = one(&cordial, &contact(json!({}), json!({})), "contacts.upsert");
    for text in ["mara@example.com is not valid", "key mara@example.com is not part of the schema for this resource"] {
        let verdict = read(&cordial, &operation, &error(422, text));
        assert!(!format!("{verdict:?}").contains("mara"), "{verdict:?}");
    }
}

#[test]
fn the_same_record_gives_the_same_bytes() {
    let cordial = open(imports());
    for body in [order(json!({})), product(json!({})), cart(json!({})), refund(), shipment("shipped")] {
        for mode in ["live", "backfill"] {
            let record = record(body.clone(), json!({"mode": mode}));
            let bytes = |operations: Vec<Operation>| operations.into_iter().map(|operation| operation.body).collect::<Vec<_>>();
            assert_eq!(bytes(ops(&cordial, &record)), bytes(ops(&cordial, &record)));
        }
    }
}

/// No row of the table that nothing leads to.
#[test]
fn every_endpoint_of_the_table_is_reached() {
    let mut reached: BTreeSet<String> = BTreeSet::new();
    let all = || -> Value { serde_json::from_str(ALL).unwrap() };
    let back = json!({"type": "return", "id": "rt-1", "order_id": "o-1", "items": [{"id": "i", "line_id": "l1", "quantity": 1}]});
    let bodies = [
        with(
            "contact",
            json!({"consents": [{"channel": "email", "status": "granted"}, {"channel": "sms", "status": "denied"}]}),
            json!({}),
        ),
        json!({"type": "contact_deleted", "erase": true}),
        order(json!({})),
        cart(json!({})),
        cart(json!({"state": "ordered"})),
        product(json!({})),
        json!({"type": "product_deleted", "id": "p-1"}),
        json!({"type": "category", "id": "tees", "name": "Tees"}),
        json!({"type": "category_deleted", "id": "tees"}),
        refund(),
        back,
        shipment("shipped"),
        json!({"type": "event", "name": "email_changed", "previous": {"email": "old@example.com"}}),
        json!({"type": "event", "name": "logged_in", "previous": {"email": "guest@example.org"}}),
    ];
    let mut settings = [all(), imports(), all(), all()];
    settings[1]["lists"] = json!({});
    settings[1]["attributes"] = json!({});
    settings[2]["api"] = "async".into();
    settings[2]["asynchronous"] = json!({"events": true});
    settings[3]["cart_write"] = "put".into();
    settings[3]["customer_id_attribute"] = Value::Null;
    for setting in settings {
        let mut setting = setting;
        setting["merge"] = true.into();
        let cordial = open(setting);
        reached.insert(cordial.check().endpoint.to_string());
        for (body, mode) in bodies.iter().flat_map(|body| [(body, "live"), (body, "backfill")]) {
            for operation in ops(&cordial, &record(body.clone(), json!({"mode": mode}))) {
                reached.insert(operation.endpoint.to_string());
                if let Some(prefetch) = cordial.prefetch(&operation) {
                    reached.insert(prefetch.endpoint.to_string());
                    exchange(&cordial, &prefetch, None);
                }
                if let Some(read) = cordial.read_back(&operation) {
                    reached.insert(read.endpoint.to_string());
                    exchange(&cordial, &read, None);
                }
                let Ok(request) = cordial.request(&[&operation]) else { continue };
                exchange(&cordial, &request, None);
                if operation.endpoint == "orders.create" {
                    let there = reply(200, json!({"orderID": "o-1", "cID": "5f1", "purchaseDate": "2026-01-01T09:50:00+0000"}));
                    reached.insert(sends(completed(&cordial, &operation, &there)).endpoint.to_string());
                }
                if operation.endpoint.starts_with("files.") {
                    for job in ["laid:f", "job:1"] {
                        let request = cordial.poll(&[&operation], job).unwrap();
                        exchange(&cordial, &request, None);
                        reached.insert(request.endpoint.to_string());
                    }
                }
            }
        }
    }
    for (unknown, there) in [("first_name", "[]"), ("vip", "[]")] {
        reached.extend(schema::making(&schema::attributed(), unknown, there).into_iter().map(|request| request.endpoint.to_string()));
    }
    let table: BTreeSet<String> = CAPABILITIES.endpoints.iter().map(|endpoint| endpoint.id.to_owned()).collect();
    assert_eq!(table.difference(&reached).collect::<Vec<_>>(), Vec::<&String>::new());
}
