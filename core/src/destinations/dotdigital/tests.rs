//! What Dotdigital gets, and what its answers mean, worked out by hand from the vendor's rules.
#![allow(clippy::unwrap_used, clippy::panic)]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{Completed, Destination, Job, Operation, Reading, Reply, Verdict};
use super::{CAPABILITIES, Config, Dotdigital};
use crate::error::ErrorCode;
use crate::model::{FindingCode, Record, SkipReason};

// -- helpers ---------------------------------------------------------------------------------------------------------

fn open(settings: Value) -> Dotdigital {
    let mut all = json!({ "user": "apiuser", "password": "open sesame" });
    for (key, value) in settings.as_object().unwrap() {
        all[key] = value.clone();
    }
    Dotdigital::new(serde_json::from_value::<Config>(all).unwrap()).unwrap()
}

fn record(body: Value, envelope: Value) -> Record {
    let mut all = json!({
        "source": "commercetools", "tenant": "demo", "resource": { "type": "thing", "id": "r-1" }, "version": 4,
        "occurred_at": "2026-01-01T10:00:00.123Z", "observed_at": "2026-01-01T10:00:05Z",
        "market": { "country": "DE", "locale": "de-DE", "currency": "EUR", "store": "web" },
        "identity": { "customer_id": "c-42", "email": "mara+a@example.com", "phone": "+447700900123" },
        "correlation_id": "corr", "idempotency_key": "00aa11bb",
    });
    for (key, value) in envelope.as_object().unwrap() {
        all[key] = value.clone();
    }
    serde_json::from_value(json!({ "envelope": all, "body": body })).unwrap()
}

fn merged(mut all: Value, change: Value) -> Value {
    for (key, value) in change.as_object().unwrap() {
        all[key] = value.clone();
    }
    all
}

fn money(amount: &str) -> Value {
    json!({ "amount": amount, "currency": "EUR" })
}

fn line(id: &str, kind: &str, quantity: i64, unit: &str, total: &str) -> Value {
    json!({
        "id": id, "kind": kind, "sku": format!("SKU-{id}"), "product_id": "prod-881", "variant_id": "2", "name": "Black tee", "quantity": quantity,
        "unit_list_price": money(unit), "unit_price": money(unit), "total": money(total), "tax_included": true,
        "categories": [{ "id": "tees", "path": ["Apparel", "Tees"] }],
        "attributes": { "size-eu": { "type": "text", "value": "M" } },
    })
}

fn order(change: Value) -> Value {
    merged(
        json!({
            "type": "order", "id": "7f3a", "number": "DE-10017", "placed_at": "2026-01-01T10:00:00Z", "status": "open",
            "lines": [line("l1", "product", 2, "19.50", "39.00")],
            "shipping": [{ "method": "DHL", "amount": money("4.90") }],
            "coupons": [{ "code": "NEWYEAR" }],
            "totals": { "subtotal": money("39.00"), "shipping": money("4.90"), "discount": money("0"), "tax": money("7.01"), "tax_added": money("0"), "total": money("43.90") },
            "shipping_address": { "line1": "Domplatz 1", "line2": "", "city": "Köln", "country": "DE" },
        }),
        change,
    )
}

fn ops(d: &Dotdigital, record: &Record) -> Vec<Operation> {
    let built = d.build(record);
    assert!(!built.findings.iter().any(crate::model::Finding::is_error), "{:?}", built.findings);
    built.operations
}

/// The request of one operation: method, path and body.
fn sent(d: &Dotdigital, operation: &Operation) -> (String, Value) {
    let request = d.request(&[operation]).unwrap();
    let body = request.body.as_deref().map_or(Value::Null, |body| serde_json::from_slice(body).unwrap());
    (format!("{} {}", request.method.as_str(), request.path), body)
}

/// The request after the contact was found, or not.
fn written(d: &Dotdigital, operation: &Operation, found: Option<Value>) -> Result<(String, Value), SkipReason> {
    let reply = match found {
        Some(contact) => reply(200, contact),
        None => reply(404, json!({ "errorCode": "contacts:contactNotFound", "description": "no" })),
    };
    match d.complete(operation, &reply).unwrap() {
        Completed::Send(request) => {
            let body = request.body.as_deref().map_or(Value::Null, |body| serde_json::from_slice(body).unwrap());
            Ok((format!("{} {}", request.method.as_str(), request.path), body))
        }
        Completed::Skip(skip) => Err(skip.reason),
        other @ (Completed::Retry(..) | Completed::First(_) | Completed::Look(_)) => panic!("{other:?}"),
    }
}

fn reply(status: u16, body: Value) -> Reply {
    let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(&body).unwrap() };
    Reply { status, headers: Vec::new(), body }
}

fn found(change: Value) -> Value {
    merged(
        json!({
            "contactId": 5512087, "status": "subscribed", "created": "2025-01-01T00:00:00Z", "updated": "2025-12-01T00:00:00Z",
            "identifiers": { "email": "mara+a@example.com", "mobileNumber": "447700900123" }, "dataFields": {},
            "channelProperties": { "email": { "status": "Subscribed" }, "sms": { "status": "subscribed" } }, "lists": [],
        }),
        change,
    )
}

fn contact(change: Value) -> Record {
    record(merged(json!({ "type": "contact", "first_name": "Mara" }), change), json!({}))
}

fn said(channel: &str, status: &str, at: &str) -> Record {
    contact(json!({ "consents": [{ "channel": channel, "status": status, "at": at }] }))
}

fn only(reading: Reading) -> Verdict {
    match reading {
        Reading::Each(mut verdicts, _) if verdicts.len() == 1 => verdicts.remove(0),
        other => panic!("not one verdict: {other:?}"),
    }
}

// -- settings --------------------------------------------------------------------------------------------------------

#[test]
fn settings_that_cannot_work_are_refused_with_their_place() {
    for (settings, place) in [
        (json!({ "customer_identifier": "email" }), "/customer_identifier"),
        (json!({ "unasked_field": "A NAME" }), "/unasked_field"),
        (json!({ "data_fields": { "company": "THIS_NAME_IS_TOO_LONG" } }), "/data_fields/company"),
        (json!({ "challenge_locale": "en-US" }), "/challenge_locale"),
        (json!({ "consent": { "push": {} } }), "/consent/push"),
        (json!({ "consent": { "sms": { "record": true } } }), "/consent/sms"),
        (json!({ "group_lists": { "vip": 0 } }), "/group_lists"),
        (json!({ "collections": { "products": "Products" } }), "/collections/products"),
        (json!({ "collections": { "refunds": "Orders" } }), "/collections/refunds"),
        (json!({ "event_names": { "product_viewed": "orders" } }), "/event_names/product_viewed"),
        (json!({ "base_url": "http://example.com" }), "/base_url"),
        (json!({ "user": "a:b" }), "/user"),
    ] {
        let error = Dotdigital::new(serde_json::from_value(settings.clone()).unwrap()).unwrap_err();
        assert_eq!((error.code(), error.path()), (ErrorCode::InvalidConfig, Some(place)), "{settings}");
    }
    assert!(serde_json::from_value::<Config>(json!({ "regoin": "r1" })).is_err());
}

#[test]
fn the_region_is_the_host_and_the_check_goes_where_every_account_is_known() {
    let d = open(json!({ "region": "r3" }));
    assert_eq!(d.base_url(), "https://r3-api.dotdigital.com");
    let check = d.check();
    assert_eq!((d.base_url_of(&check), check.path.as_str()), ("https://r1-api.dotdigital.com", "/v2/account-info"));
    let told = |host: &str| d.read_check(&reply(200, json!({ "properties": [{ "name": "ApiEndpoint", "value": host }] })));
    assert_eq!(told("https://r3-api.dotdigital.com"), "the credentials work");
    assert_eq!(told("https://r2-api.dotdigital.com"), "the credentials work, but the account lives in region `r2`: set `region` to it");
    assert_eq!(told("https://R3-api.dotmailer.com/"), "the credentials work", "the vendor's former name");
    assert!(told("https://own.dotdigital.com").contains("`base_url`"), "{}", told("https://own.dotdigital.com"));
    let moved = open(json!({ "base_url": "https://r1-api.dotdigital.com" }));
    let named =
        moved.read_check(&reply(200, json!({ "properties": [{ "name": "ApiEndpoint", "value": "https://r2-api.dotdigital.com" }] })));
    assert!(named.contains("`r2`") && named.contains("`base_url`"), "{named}");
    assert!(
        check.secret_headers.iter().any(|(name, value)| *name == "authorization" && value.expose() == "Basic YXBpdXNlcjpvcGVuIHNlc2FtZQ==")
    );
    assert!(!format!("{d:?} {check:?}").contains("sesame"));
}

// -- people ----------------------------------------------------------------------------------------------------------

#[test]
fn someone_unknown_is_created_unsubscribed_by_the_call_that_only_creates() {
    let d = open(json!({}));
    let operations = ops(&d, &contact(json!({})));
    assert_eq!(operations.len(), 1);
    assert!(d.request(&[&operations[0]]).is_err(), "what to write is known only after reading");
    let read = d.prefetch(&operations[0]).unwrap();
    assert_eq!((read.method.as_str(), read.path.as_str()), ("GET", "/contacts/v3/email/mara%2Ba%40example.com"));
    let (call, body) = written(&d, &operations[0], None).unwrap();
    assert_eq!(call, "POST /contacts/v3");
    assert_eq!(body["identifiers"], json!({ "email": "mara+a@example.com", "mobileNumber": "447700900123" }));
    assert_eq!(
        body["channelProperties"],
        json!({ "email": { "status": "unsubscribed" }, "sms": { "status": "noSubscription" }, "whatsApp": { "status": "noSubscription" } })
    );
    assert_eq!((&body["dataFields"]["FIRSTNAME"], &body["dataFields"]["CW_UNASKED"]), (&json!("Mara"), &json!(true)));
}

#[test]
fn someone_known_is_changed_by_the_id_just_read_and_no_permission_is_touched() {
    let d = open(json!({}));
    let operation = &ops(&d, &contact(json!({})))[0];
    let (call, body) = written(&d, operation, Some(found(json!({})))).unwrap();
    assert_eq!(call, "PATCH /contacts/v3/contactId/5512087?merge-option=overwrite");
    assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), ["dataFields"], "no status, no opt-in type, no lists, no identifiers");
    let binned = found(json!({ "status": "binned" }));
    assert_eq!(written(&d, operation, Some(binned)), Err(SkipReason::Erased));
}

#[test]
fn data_fields_are_flat_typed_and_named_as_the_rules_want() {
    let d = open(json!({ "data_fields": { "created_at": "MEMBER_SINCE", "country": "", "a_name_longer_than_20": "SHORT" } }));
    let record = contact(json!({
        "date_of_birth": "1990-02-28", "created_at": "2020-01-02T03:04:05.678Z", "groups": ["vip", "b2b"],
        "addresses": [{ "default_shipping": true, "line1": "Domplatz 1", "postal_code": "50667" }],
        "attributes": {
            "tier": { "type": "text", "value": "gold" }, "points": { "type": "decimal", "value": "10" },
            "spent": { "type": "money", "value": { "amount": "311.85", "currency": "EUR" } },
            "tags": { "type": "list", "value": [{ "type": "text", "value": "a" }, { "type": "text", "value": "b" }] },
            "a_name_longer_than_20": { "type": "boolean", "value": true }, "another_name_longer_than": { "type": "boolean", "value": true },
            "email": { "type": "text", "value": "x" }, "object": { "type": "object", "value": {} },
            "long": { "type": "text", "value": "x".repeat(1001) },
            "fine": { "type": "decimal", "value": "0.0123456789" },
        },
    }));
    let built = d.build(&record);
    let pointers: Vec<&str> = built.findings.iter().map(|finding| finding.pointer.as_str()).collect();
    assert!(built.findings.iter().all(|finding| finding.code == FindingCode::FieldDropped));
    assert_eq!(pointers, ["another_name_longer_than", "email", "fine", "long", "object"].map(|name| format!("/body/attributes/{name}")));
    let (_, body) = written(&d, &built.operations[0], Some(found(json!({})))).unwrap();
    assert_eq!(
        body["dataFields"],
        json!({
            "FIRSTNAME": "Mara", "DOB": "1990-02-28T00:00:00Z", "MEMBER_SINCE": "2020-01-02T03:04:05Z", "CUSTOMER_GROUP": "vip",
            "CUSTOMER_GROUPS": "vip, b2b", "POSTCODE": "50667", "DELIVERY_ADDRESS_1": "Domplatz 1", "DELIVERY_POSTCODE": "50667", "TIER": "gold",
            "POINTS": 10.0, "SPENT": 311.85, "TAGS": "a, b", "SHORT": true, "SHOP_CUSTOMER_ID": "c-42", "LOCALE": "de-DE", "STORE_NAME": "web",
        })
    );
}

#[test]
fn a_yes_is_weighed_against_what_dotdigital_holds() {
    let d = open(json!({}));
    let at = |when: &str| ops(&d, &said("email", "granted", when)).remove(0);
    let state = |word: &str| found(json!({ "channelProperties": { "email": { "status": word } } }));
    let (newer, older) = (at("2025-12-02T00:00:00Z"), at("2025-11-30T00:00:00Z"));
    assert_eq!(written(&d, &newer, Some(state("Subscribed"))), Err(SkipReason::Unchanged));
    assert_eq!(written(&d, &newer, Some(state("pendingOptIn"))), Err(SkipReason::Unchanged));
    assert_eq!(written(&d, &older, Some(state("unsubscribed"))), Err(SkipReason::DeniedAtDestination));
    for word in ["suppressed", "HardBounced", "ispComplained", "aWordOfTomorrow"] {
        assert_eq!(written(&d, &newer, Some(state(word))), Err(SkipReason::DeniedAtDestination), "{word}");
    }
    let (_, body) = written(&d, &newer, Some(state("unsubscribed"))).unwrap();
    assert_eq!(
        body["channelProperties"]["email"],
        json!({ "status": "subscribed", "resubscribeOptions": { "resubscribeWithNoChallenge": false } }),
        "Dotdigital asks"
    );
    // Created by us and never subscribed: whether they left since, only they can tell.
    let mut unasked = state("unsubscribed");
    unasked["dataFields"] = json!({ "CW_UNASKED": true, "LASTSUBSCRIBED": null });
    assert_eq!(written(&d, &older, Some(unasked.clone())), Err(SkipReason::DeniedAtDestination), "what changed since may have been a no");
    let (_, body) = written(&open(json!({ "resubscribe": "no_challenge" })), &newer, Some(unasked.clone())).unwrap();
    assert_eq!(body["channelProperties"]["email"]["resubscribeOptions"]["resubscribeWithNoChallenge"], json!(false));
    unasked["created"] = unasked["updated"].clone();
    let asks = json!({ "status": "subscribed", "resubscribeOptions": { "resubscribeWithNoChallenge": false } });
    for settings in [json!({}), json!({ "resubscribe": "no_challenge" })] {
        let (_, body) = written(&open(settings), &older, Some(unasked.clone())).unwrap();
        assert_eq!(body, json!({ "dataFields": { "CW_UNASKED": null }, "channelProperties": { "email": asks } }), "they are asked once");
    }
    let empty = open(json!({ "unasked_yes": "subscribe" }));
    let (_, body) = written(&empty, &older, Some(unasked.clone())).unwrap();
    assert_eq!(body, json!({ "dataFields": { "CW_UNASKED": null }, "channelProperties": { "email": { "status": "subscribed" } } }));
    let stays = open(json!({ "resubscribe": "never" }));
    assert_eq!(written(&stays, &newer, Some(unasked.clone())), Err(SkipReason::DeniedAtDestination));
    unasked["dataFields"]["LASTSUBSCRIBED"] = json!("2025-06-01T00:00:00Z");
    for d in [&d, &empty] {
        assert_eq!(written(d, &older, Some(unasked.clone())), Err(SkipReason::DeniedAtDestination), "subscribed once and left since");
    }
    let never = open(json!({ "resubscribe": "never" }));
    assert_eq!(written(&never, &newer, Some(state("unsubscribed"))), Err(SkipReason::DeniedAtDestination));
}

#[test]
fn a_text_message_yes_brings_back_only_without_a_challenge_and_needs_a_number() {
    let d = open(json!({}));
    let operation = ops(&d, &said("sms", "granted", "2025-12-02T00:00:00Z")).remove(0);
    let left = found(json!({ "channelProperties": { "sms": { "status": "unsubscribed" } } }));
    assert_eq!(written(&d, &operation, Some(left.clone())), Err(SkipReason::DeniedAtDestination));
    let proof = open(json!({ "resubscribe": "no_challenge" }));
    assert_eq!(written(&proof, &operation, Some(left)).unwrap().1, json!({ "channelProperties": { "sms": { "status": "subscribed" } } }));
    let mut nobody = said("sms", "granted", "2025-12-02T00:00:00Z");
    nobody.envelope.identity.phone = None;
    let built = d.build(&nobody);
    assert_eq!((built.skipped[0].reason, built.operations.len()), (SkipReason::NotSupported, 1));
}

#[test]
fn a_backfill_withholds_a_yes_and_creates_the_person_only_with_the_mark_that_keeps_it_possible() {
    let mut record = said("email", "granted", "2025-12-02T00:00:00Z");
    record.envelope.mode = crate::model::Mode::Backfill;
    let d = open(json!({}));
    let built = d.build(&record);
    assert_eq!(built.skipped[0].reason, SkipReason::BackfillQuiet);
    let (_, body) = written(&d, &built.operations[0], None).unwrap();
    assert_eq!((&body["channelProperties"]["email"]["status"], &body["dataFields"]["CW_UNASKED"]), (&json!("unsubscribed"), &json!(true)));
    let unmarked = open(json!({ "unasked_field": "" }));
    let built = unmarked.build(&record);
    assert_eq!(written(&unmarked, &built.operations[0], None), Err(SkipReason::BackfillQuiet));
    assert!(written(&unmarked, &built.operations[0], Some(found(json!({})))).is_ok(), "who is there is kept up to date");
}

#[test]
fn an_import_holds_only_rows_that_can_subscribe_nobody() {
    let d = open(json!({ "backfill_contacts": "import" }));
    let backfill = |mut record: Record| {
        record.envelope.mode = crate::model::Mode::Backfill;
        record
    };
    let endpoints = |d: &Dotdigital, record: Record| ops(d, &record).iter().map(|one| one.endpoint.to_string()).collect::<Vec<_>>();
    assert_eq!(endpoints(&d, backfill(contact(json!({})))), ["contacts.patch"]);
    assert_eq!(endpoints(&d, backfill(said("email", "granted", "2025-12-02T00:00:00Z"))), ["contacts.patch"]);
    let no = ops(&d, &backfill(said("email", "denied", "2025-12-02T00:00:00Z")));
    let (call, body) = sent(&d, &no[0]);
    assert_eq!((call.as_str(), &body["mergeOption"]), ("PUT /contacts/v3/import", &json!("overwrite")));
    let row = &body["contacts"][0];
    assert_eq!((&row["matchIdentifier"], &row["channelProperties"]), (&json!("email"), &json!({ "email": { "status": "unsubscribed" } })));
    assert_eq!(row["identifiers"], json!({ "email": "mara+a@example.com" }), "a number nobody said a word about would be subscribed");
    let trusted = open(json!({ "backfill_contacts": "import", "import_grants": true, "backfill_grants": "send" }));
    let yes = ops(&trusted, &backfill(said("email", "granted", "2025-12-02T00:00:00Z")));
    let row = &sent(&trusted, &yes[0]).1["contacts"][0];
    assert_eq!(
        row["channelProperties"]["email"],
        json!({ "status": "subscribed", "resubscribeOptions": { "resubscribeWithNoChallenge": false } })
    );
    let mut known = backfill(contact(json!({})));
    known.envelope.identity.external_ids.insert("dotdigital".to_owned(), "5512090".to_owned());
    let row = &sent(&d, &ops(&d, &known)[0]).1["contacts"][0];
    assert_eq!(
        (&row["matchIdentifier"], &row["identifiers"]["contactId"], &row["channelProperties"]),
        (&json!("contactId"), &json!(5_512_090), &Value::Null)
    );
}

#[test]
fn nobody_without_address_or_number_can_be_named() {
    let d = open(json!({}));
    let by = |identity: Value| d.build(&record(json!({ "type": "contact" }), json!({ "identity": identity })));
    assert_eq!(by(json!({ "anonymous_id": "s-1" })).skipped[0].reason, SkipReason::NotSupported);
    assert_eq!(by(json!({ "customer_id": "c-42" })).findings[0].code, FindingCode::IdentityUnusable);
    assert_eq!(by(json!({ "email": "no address" })).findings[0].code, FindingCode::IdentityUnusable);
    assert_eq!(by(json!({ "phone": "+447700900123" })).operations.len(), 1);
    let named = open(json!({ "customer_identifier": "shopCustomerId" }));
    let built = named.build(&record(json!({ "type": "contact" }), json!({ "identity": { "customer_id": "c/42" } })));
    assert_eq!(named.prefetch(&built.operations[0]).unwrap().path, "/contacts/v3/shopCustomerId/c%2F42");
    assert_eq!(written(&named, &built.operations[0], None), Err(SkipReason::NotSupported));
}

// -- insight data ------------------------------------------------------------------------------------------------------

#[test]
fn what_was_given_away_whole_is_a_reduction_and_a_gift_is_none() {
    let d = open(json!({}));
    let off = |kind: &str| json!({ "discounts": [{ "kind": kind, "amount": money("19.50") }] });
    let whole = merged(line("l2", "product", 1, "19.50", "0"), off("coupon"));
    let before = merged(line("l3", "product", 1, "0", "0"), off("product"));
    let gift = merged(line("l4", "gift", 1, "19.50", "0"), off("cart"));
    let lines = json!({ "lines": [line("l1", "product", 2, "19.50", "39.00"), whole, before, gift] });
    let (_, body) = sent(&d, &ops(&d, &record(order(lines), json!({})))[0]);
    assert_eq!((&body["orderSubtotal"], &body["discountAmount"], &body["orderTotal"]), (&json!(58.5), &json!(19.5), &json!(43.9)));
}

#[test]
fn an_order_is_spelled_as_the_vendors_connectors_do() {
    let d = open(json!({}));
    let operations = ops(&d, &record(order(json!({ "attributes": { "gift-note": { "type": "list", "value": [] } } })), json!({})));
    let (call, body) = sent(&d, &operations[0]);
    assert_eq!(call, "PUT /insightData/v3/contacts/email/mara%2Ba%40example.com/Orders/7f3a");
    assert_eq!(
        body,
        json!({
            "id": "7f3a", "email": "mara+a@example.com", "storeName": "web", "purchaseDate": "2026-01-01T10:00:00Z", "orderStatus": "open",
            "currency": "EUR", "orderSubtotal": 39.0, "discountAmount": 0.0, "deliveryMethod": "DHL", "deliveryTotal": 4.9, "orderTotal": 43.9,
            "couponCode": "NEWYEAR",
            "deliveryAddress": { "delivery_address_1": "Domplatz 1", "delivery_city": "Köln", "delivery_country": "DE" },
            "products": [{
                "product_id": "prod-881", "parent_id": "", "name": "Black tee", "sku": "SKU-l1", "qty": 2, "price": 19.5, "price_inc_tax": 19.5,
                "line_total": 39.0, "categories": [{ "Name": "Tees" }], "product_attributes": { "size_eu": "M" },
            }],
            "custom": {
                "order_id": "7f3a", "order_number": "DE-10017", "status": "open", "order_total_gross": 43.9, "tax_total": 7.01, "locale": "de-DE",
            },
        })
    );
    let snake = open(json!({ "order_spelling": "snake", "order_key": "number" }));
    let (call, body) = sent(&snake, &ops(&snake, &record(order(json!({})), json!({})))[0]);
    assert!(call.ends_with("/Orders/DE-10017"), "{call}");
    assert_eq!(
        (&body["order_total"], &body["purchase_date"], &body["products"][0]["id"]),
        (&json!(43.9), &json!("2026-01-01T10:00:00Z"), &json!("prod-881"))
    );
    assert!(body.get("orderTotal").is_none());
}

#[test]
fn whole_amounts_keep_their_fraction_because_the_first_value_fixes_the_type() {
    let d = open(json!({}));
    let totals =
        json!({ "subtotal": money("40"), "shipping": money("0"), "discount": money("0"), "tax_added": money("0"), "total": money("40") });
    let operations = ops(&d, &record(order(json!({ "totals": totals, "lines": [line("l1", "product", 2, "20", "40")] })), json!({})));
    let text = String::from_utf8(d.request(&[&operations[0]]).unwrap().body.unwrap()).unwrap();
    for member in ["\"orderTotal\":40.0", "\"price\":20.0", "\"deliveryTotal\":0.0", "\"qty\":2"] {
        assert!(text.contains(member), "{member} in {text}");
    }
}

#[test]
fn what_becomes_of_an_order_changes_its_record() {
    let d = open(json!({}));
    let json = |change: Value| sent(&d, &ops(&d, &record(order(change), json!({})))[0]).1;
    let refund = |amount: &str| json!([{ "id": "rf", "amount": money(amount), "refunded_at": "2026-01-09T09:00:00Z" }]);
    let part = json(json!({ "refunds": refund("19.50") }));
    assert_eq!(
        (&part["orderTotal"], &part["orderStatus"], &part["custom"]["refunded_total"]),
        (&json!(24.4), &json!("partially_refunded"), &json!(19.5))
    );
    let whole = json(json!({ "refunds": refund("43.90") }));
    assert_eq!((&whole["orderTotal"], &whole["orderStatus"]), (&json!(0.0), &json!("refunded")));
    assert_eq!(json(json!({ "shipping_status": "shipped" }))["orderStatus"], "shipped");
    let gone = &ops(&d, &record(order(json!({ "status": "cancelled" })), json!({})))[0];
    assert_eq!(sent(&d, gone), ("DELETE /insightData/v3/contacts/email/mara%2Ba%40example.com/Orders/7f3a".to_owned(), Value::Null));
    assert_eq!(only(d.read(&[gone], &reply(404, json!({ "errorCode": "insightData:recordNotFound" })))), Verdict::Accepted);
    let keep = open(json!({ "cancelled_orders": "keep" }));
    let kept = sent(&keep, &ops(&keep, &record(order(json!({ "status": "cancelled" })), json!({})))[0]).1;
    assert_eq!((&kept["orderTotal"], &kept["orderStatus"]), (&json!(0.0), &json!("cancelled")));
    assert_eq!(d.build(&record(order(json!({ "status": "incomplete" })), json!({}))).skipped[0].reason, SkipReason::Ignored);
}

#[test]
fn fees_and_corrections_are_no_products_and_bundles_hold_their_parts() {
    let d = open(json!({}));
    let mut part = line("l3", "bundle_child", 1, "0", "0");
    part["parent_id"] = json!("l2");
    let lines = json!([
        line("l1", "fee", 1, "3", "3"),
        line("l2", "bundle_parent", 1, "50", "50"),
        part,
        line("l4", "custom", 1, "-5", "-5"),
        line("l5", "gift", 1, "9", "0")
    ]);
    let body = sent(&d, &ops(&d, &record(order(json!({ "lines": lines })), json!({})))[0]).1;
    let products: Vec<(&Value, &Value)> = body["products"].as_array().unwrap().iter().map(|one| (&one["sku"], &one["price"])).collect();
    assert_eq!(products, [(&json!("SKU-l2"), &json!(50.0)), (&json!("SKU-l5"), &json!(0.0))]);
    assert_eq!(body["products"][0]["sub_items"][0]["sku"], "SKU-l3");
    assert_eq!(body["custom"]["fee_total"], 3.0);
    let none = d.build(&record(order(json!({ "lines": [line("l1", "fee", 1, "3", "3")] })), json!({})));
    assert_eq!(none.findings[0].code, FindingCode::ValueUnsupported);
    assert!(none.operations.is_empty());
}

#[test]
fn a_bought_cart_is_complete_and_an_emptied_one_is_still_sent() {
    let d = open(json!({}));
    let operations = ops(&d, &record(order(json!({ "cart_id": "c-77" })), json!({})));
    let (call, body) = sent(&d, &operations[1]);
    assert!(call.ends_with("/CartInsight/c-77"));
    assert_eq!((&body["cartPhase"], &body["grandTotal"]), (&json!("ORDER_COMPLETE"), &json!(43.9)));
    assert_eq!(operations[1].version, None, "an order's version says nothing about the cart's");
    let cart = json!({ "type": "cart", "id": "c-77", "state": "active", "lines": [],
        "totals": { "subtotal": money("5"), "shipping": money("0"), "discount": money("0"), "tax_added": money("0"), "total": money("5") } });
    let body = sent(&d, &ops(&d, &record(cart.clone(), json!({})))[0]).1;
    assert_eq!(
        body,
        json!({ "cartId": "c-77", "cartPhase": "ORDER_PENDING", "currency": "EUR", "subTotal": 0.0, "discountAmount": 0.0, "shipping": 0.0, "grandTotal": 0.0 })
    );
    assert_eq!(d.build(&record(cart, json!({ "mode": "backfill" }))).skipped[0].reason, SkipReason::BackfillQuiet);
}

#[test]
fn a_product_needs_what_dotdigital_insists_on_and_a_price_of_nothing_is_a_price() {
    let d = open(json!({}));
    let product = json!({ "type": "product", "id": "p-1", "name": "Tee", "published": true, "url": "https://shop.example/p",
        "variants": [{ "id": "1", "sku": "S", "price": { "list": money("0") }, "stock": { "quantity": 3 }, "images": [{ "url": "https://img.example/1" }] }] });
    let (call, body) = sent(&d, &ops(&d, &record(product.clone(), json!({})))[0]);
    assert_eq!(call, "PUT /insightData/v3/account/Catalog_Default/p-1");
    assert_eq!(
        (&body["price"], &body["stock"], &body["type"], &body["imagePath"]),
        (&json!(0.0), &json!(3.0), &json!("Simple"), &json!("https://img.example/1"))
    );
    let mut lacking = product;
    lacking["url"] = Value::Null;
    let built = d.build(&record(lacking, json!({})));
    assert!(built.operations.is_empty() && built.skipped[0].detail.contains("url"), "{:?}", built.skipped);
}

#[test]
fn deletions_of_records_share_a_call() {
    let d = open(json!({}));
    let gone = |id: &str| ops(&d, &record(json!({ "type": "product_deleted", "id": id }), json!({}))).remove(0);
    let (a, b) = (gone("p-1"), gone("p-2"));
    let request = d.request(&[&a, &b]).unwrap();
    assert_eq!((request.method.as_str(), request.path.as_str()), ("DELETE", "/insightData/v3/accounts/Catalog_Default/deleteRecords"));
    assert_eq!(request.body.as_deref(), Some(&br#"{"keys":["p-1","p-2"]}"#[..]));
    let told = |failures: Value| d.read(&[&a, &b], &reply(200, json!({ "summary": {}, "notFound": ["p-1"], "failures": failures })));
    assert!(matches!(told(json!([])), Reading::Each(verdicts, _) if verdicts == [Verdict::Accepted, Verdict::Accepted]), "gone is gone");
    assert!(
        matches!(told(json!([{ "key": "p-2" }])), Reading::Each(verdicts, _) if matches!(&verdicts[..], [Verdict::Accepted, Verdict::Rejected(_)]))
    );
    assert!(matches!(told(json!([{ "what": 1 }])), Reading::Split(_)));
}

#[test]
fn events_have_a_collection_each_and_none_twice() {
    let d = open(json!({ "programs": { "cart_abandoned": 3120 } }));
    let event = |name: &str, mode: &str| record(json!({ "type": "event", "name": name, "product_id": "p-1" }), json!({ "mode": mode }));
    let live = ops(&d, &event("product_viewed", "live"));
    assert_eq!(sent(&d, &live[0]).0, "PUT /insightData/v3/contacts/email/mara%2Ba%40example.com/ProductViewed/00aa11bb");
    assert!(live[0].once);
    let quiet = d.build(&event("cart_abandoned", "backfill"));
    assert!(quiet.operations.is_empty());
    let heard = ops(&d, &event("cart_abandoned", "live"));
    let keys: Vec<_> = heard.iter().map(|one| one.idempotency_key.clone()).collect();
    assert_eq!(quiet.withheld, keys, "the same thing heard live later starts nothing either");
    assert_eq!(d.build(&event("order_placed", "live")).skipped[0].reason, SkipReason::NotSupported);
    let api = open(json!({ "events": "api" }));
    let (call, body) = sent(&api, &ops(&api, &event("product_viewed", "live"))[0]);
    assert_eq!(call, "POST /events/v3/import");
    assert_eq!(
        body,
        json!([{ "contactIdentity": { "identifier": "email", "value": "mara+a@example.com" }, "type": "productViewed", "id": "00aa11bb",
            "eventTimestamp": "2026-01-01T10:00:00Z", "eventData": { "productId": "p-1" } }])
    );
}

#[test]
fn names_that_clash_and_lists_in_lists_are_left_out_and_told() {
    let d = open(json!({}));
    let text = json!({ "type": "text", "value": "x" });
    let nested = json!({ "type": "list", "value": [{ "type": "list", "value": [text] }] });
    let built = d.build(&record(order(json!({ "attributes": { "gift-wrap": text, "gift_wrap": text, "grid": nested } })), json!({})));
    let pointers: Vec<&str> = built.findings.iter().map(|finding| finding.pointer.as_str()).collect();
    assert_eq!(pointers, ["/body/attributes/gift_wrap", "/body/attributes/grid"]);
}

// -- answers -----------------------------------------------------------------------------------------------------------

#[test]
fn both_limits_mean_slow_down_and_a_wrong_region_stops() {
    let d = open(json!({}));
    let operation = ops(&d, &record(order(json!({})), json!({}))).remove(0);
    let later = |status: u16, body: Value, headers: &[(&str, &str)]| {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        match d.read(&[&operation], &Reply { headers, ..reply(status, body) }) {
            Reading::Retry(refusal, after) => (refusal.code.0, refusal.vendor_code, after.map(|after| after.as_secs())),
            other => panic!("{other:?}"),
        }
    };
    let flat = json!({ "message": "Error: limit for the hour ERROR_APIUSAGE_EXCEEDED" });
    assert_eq!(later(400, flat, &[]), (ErrorCode::RateLimited, "ERROR_APIUSAGE_EXCEEDED".to_owned(), Some(300)));
    assert_eq!(later(429, Value::Null, &[("retry-after", "7")]), (ErrorCode::RateLimited, "http_429".to_owned(), Some(7)));
    assert_eq!(later(429, Value::Null, &[("x-ratelimit-reset", "1767261661")]).2, None, "delivery knows the time");
    assert_eq!(later(429, json!({ "errorCode": "contacts:tooManyActiveImports" }), &[]).2, Some(60));
    assert_eq!(later(503, Value::Null, &[]).0, ErrorCode::Unavailable);
    let stop = |status| matches!(d.read(&[&operation], &reply(status, Value::Null)), Reading::Stop(_));
    assert!(stop(401) && stop(403));
    let locked = json!({ "errorCode": "insightData:badJson", "description": "mara+a@example.com is no number" });
    match only(d.read(&[&operation], &reply(400, locked))) {
        Verdict::Rejected(refusal) => assert!(!refusal.message.contains('@'), "{}", refusal.message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_record_lacks_is_made_and_the_record_written_again() {
    let d = open(json!({}));
    let operation = ops(&d, &record(order(json!({})), json!({}))).remove(0);
    let missing = |code: &str| match only(d.read(&[&operation], &reply(404, json!({ "errorCode": code })))) {
        Verdict::First(detour) => detour.operations,
        other => panic!("{other:?}"),
    };
    let steps = missing("insightData:contactNotFound");
    let calls: Vec<(String, Value)> = steps.iter().map(|step| sent(&d, step)).collect();
    let collection = "POST /insightData/v3/collections/Orders?collectionScope=contact&collectionType=orders";
    assert_eq!(calls.iter().map(|(call, _)| call.as_str()).collect::<Vec<_>>(), ["POST /v2/data-fields", "POST /contacts/v3", collection]);
    assert_eq!(calls[1].1["channelProperties"], json!({ "email": { "status": "unsubscribed" } }));
    assert_eq!(calls[1].1["dataFields"], json!({ "CW_UNASKED": true }));
    let known = json!({ "message": "Error: it exists ERROR_NON_UNIQUE_DATAFIELD" });
    assert_eq!(only(d.read(&[&steps[0]], &reply(400, known))), Verdict::Accepted);
    assert_eq!(only(d.read(&[&steps[1]], &reply(409, json!({ "errorCode": "contacts:idAlreadyExists" })))), Verdict::Accepted);
    assert_eq!(sent(&d, &missing("insightData:collectionNotFound")[0]).0, collection);
    let skip = open(json!({ "unknown_contacts": "skip" }));
    let told = only(skip.read(&[&operation], &reply(404, json!({ "errorCode": "insightData:contactNotFound" }))));
    assert!(matches!(told, Verdict::Discarded(SkipReason::NotConfigured, _)));
}

#[test]
fn data_fields_that_were_dropped_are_made_one_by_one_and_the_contact_is_written_again() {
    let d = open(json!({}));
    let operation = &ops(&d, &contact(json!({ "attributes": { "tier": { "type": "text", "value": "gold" } } })))[0];
    let stored = json!({ "FIRSTNAME": "Mara", "LOCALE": "de-DE", "COUNTRY": "DE", "STORE_NAME": "web", "SHOP_CUSTOMER_ID": "c-42" });
    let mut reading = d.read(&[operation], &reply(200, found(json!({ "dataFields": stored }))));
    let mut calls = Vec::new();
    while let Reading::Job(job) = &reading {
        assert!(!job.id.contains('@'), "{}", job.id);
        let request = d.poll(&[operation], &job.id).unwrap();
        calls.push((request.method.as_str().to_owned(), request.body.map(|body| String::from_utf8(body).unwrap())));
        let known = json!([{ "name": "LOCALE", "type": "String" }, { "name": "COUNTRY", "type": "Numeric" }, { "name": "FIRSTNAME", "type": "String" },
            { "name": "STORE_NAME", "type": "String" }, { "name": "SHOP_CUSTOMER_ID", "type": "String" }, { "name": "CW_UNASKED", "type": "Boolean" }]);
        let answer = if request.method.as_str() == "GET" { reply(200, known) } else { reply(201, json!({})) };
        reading = d.read_poll(&[operation], &job.id.clone(), &answer);
    }
    let made = r#"{"name":"TIER","type":"String","visibility":"Private"}"#;
    assert_eq!(calls, [("GET".to_owned(), None), ("POST".to_owned(), Some(made.to_owned())), ("GET".to_owned(), None)]);
    let Verdict::Amended(body, text) = only(reading) else { panic!("written again") };
    assert!(text.contains("`COUNTRY`"), "{text}");
    let again = Operation { body, ..operation.clone() };
    assert!(written(&d, &again, Some(found(json!({})))).unwrap().1["dataFields"].get("COUNTRY").is_none(), "of another type there");
    let told = d.read(&[&again], &reply(200, found(json!({ "dataFields": {} }))));
    assert!(matches!(told, Reading::Each(verdicts, warnings) if verdicts == [Verdict::Accepted] && warnings.len() == 1), "only once");
    let other = &ops(&d, &record(json!({ "type": "contact", "first_name": "Ben" }), json!({ "idempotency_key": "b" })))[0];
    let job = |operation: &Operation| match d.read(&[operation], &reply(200, found(json!({})))) {
        Reading::Job(Job { id, .. }) => id,
        other => panic!("{other:?}"),
    };
    assert_ne!(job(operation), job(other), "operations of one job would be asked for together");
}

#[test]
fn an_import_is_followed_to_verdicts_by_name_and_in_any_case() {
    let d = open(json!({ "backfill_contacts": "import" }));
    let row = |email: &str, phone: bool| {
        let mut all = said("email", "denied", "2025-12-02T00:00:00Z");
        all.envelope.mode = crate::model::Mode::Backfill;
        all.envelope.identity.email = Some(email.to_owned());
        if phone {
            let Value::Object(mut consents) = serde_json::to_value(&all.body).unwrap() else { panic!() };
            consents["consents"].as_array_mut().unwrap().push(json!({ "channel": "sms", "status": "denied" }));
            all.body = serde_json::from_value(Value::Object(consents)).unwrap();
        }
        ops(&d, &all).remove(0)
    };
    let rows = [
        row("a@example.com", false),
        row("b@example.com", false),
        row("c@example.com", true),
        row("d@example.com", false),
        row("e@example.com", false),
    ];
    let all: Vec<&Operation> = rows.iter().collect();
    let Reading::Job(job) = d.read(&all, &reply(202, json!({ "importId": "0f3c" }))) else { panic!("a job") };
    assert_eq!(d.poll(&all, &job.id).unwrap().path, "/contacts/v3/import/0f3c");
    assert!(matches!(d.read_poll(&all, &job.id, &reply(200, json!({ "status": "NotFinished" }))), Reading::Job(_)));
    let failure = |email: &str, code: &str| json!({ "matchIdentifier": "email", "identifiers": { "email": email }, "failures": [{ "failureCode": code, "description": email }] });
    let done = json!({ "status": "Finished", "failures": [failure("B@example.com", "invalidEmail"), failure("c@example.com", "DuplicateIdentifier"),
        failure("d@example.com", "GloballySuppressed"), failure("e@example.com", "consentRecordsNotApplied")] });
    let Reading::Each(verdicts, warnings) = d.read_poll(&all, &job.id, &reply(200, done)) else { panic!("verdicts") };
    assert!(
        matches!(&verdicts[..], [
        Verdict::Accepted,
        Verdict::Rejected(bad),
        Verdict::Amended(..),
        Verdict::Discarded(SkipReason::DeniedAtDestination, _),
        Verdict::Accepted,
    ] if bad.vendor_code == "invalidEmail"),
        "{verdicts:?}"
    );
    assert_eq!(warnings.len(), 1);
    let watchdog = d.read_poll(&all, &job.id, &reply(200, json!({ "status": "RejectedByWatchdog" })));
    assert!(matches!(watchdog, Reading::Each(verdicts, _) if verdicts.iter().all(|one| matches!(one, Verdict::Rejected(_)))));
    let lost = d.read_poll(&all, &job.id, &reply(404, json!({ "errorCode": "contacts:importNotFound" })));
    assert!(matches!(lost, Reading::Retry(refusal, _) if refusal.code.0 == ErrorCode::NotFound));
}

#[test]
fn an_import_of_records_ends_with_either_word() {
    let d = open(json!({ "insight_write": "bulk" }));
    let row = |id: &str| ops(&d, &record(order(json!({ "id": id })), json!({}))).remove(0);
    let rows = [row("o-1"), row("o-2"), row("o-3")];
    let all: Vec<&Operation> = rows.iter().collect();
    let body: Value = serde_json::from_slice(&d.request(&all).unwrap().body.unwrap()).unwrap();
    assert_eq!(
        (&body["collectionName"], &body["collectionScope"], &body["collectionType"]),
        (&json!("Orders"), &json!("contact"), &json!("orders"))
    );
    assert_eq!(body["records"][2]["key"], "o-3");
    for word in ["Finished", "Complete"] {
        let failures = json!([{ "key": "o-2", "failureReason": "JsonValueIncompatibleWithSchema" }, { "key": "o-3", "failureReason": "ContactEmailDoesNotExist" }]);
        let Reading::Each(verdicts, _) = d.read_poll(&all, "j", &reply(200, json!({ "status": word, "failures": failures }))) else {
            panic!("{word}")
        };
        assert_eq!(verdicts[0], Verdict::Accepted);
        assert!(matches!(&verdicts[1], Verdict::Rejected(_)));
        let Verdict::Amended(body, _) = &verdicts[2] else { panic!("{verdicts:?}") };
        let alone = Operation { body: body.clone(), ..rows[2].clone() };
        assert!(d.request(&[&alone, &rows[0]]).is_err());
        assert_eq!(sent(&d, &alone).0, "PUT /insightData/v3/contacts/email/mara%2Ba%40example.com/Orders/o-3");
        assert_eq!(only(d.read(&[&alone], &reply(201, Value::Null))), Verdict::Accepted);
    }
}

#[test]
fn every_endpoint_of_the_table_can_be_polled_where_it_has_jobs() {
    for endpoint in CAPABILITIES.endpoints {
        if let Some(job) = endpoint.job {
            assert!(CAPABILITIES.endpoint(job.poll).is_some(), "{}", endpoint.id);
        }
    }
}

proptest! {
    /// However many rows share a call, each stands in it whole and in order.
    #[test]
    fn rows_of_a_call_are_the_rows_given(ids in proptest::collection::vec("[a-z0-9 \"\\\\é-]{1,12}", 1..20)) {
        let d = open(json!({}));
        let rows: Vec<Operation> = ids.iter().map(|id| ops(&d, &record(json!({ "type": "product_deleted", "id": id }), json!({}))).remove(0)).collect();
        let all: Vec<&Operation> = rows.iter().collect();
        let body: Value = serde_json::from_slice(&d.request(&all).unwrap().body.unwrap()).unwrap();
        prop_assert_eq!(&body["keys"], &json!(ids));
    }

    /// The total of an order less its refunds closes to the cent and never falls below zero.
    #[test]
    fn the_net_total_closes(total in 0_i64..1_000_000, refunds in proptest::collection::vec(1_i64..200_000, 0..6)) {
        let d = open(json!({}));
        let cents = |cents: i64| money(&format!("{}.{:02}", cents / 100, cents % 100));
        let totals = json!({ "subtotal": cents(total), "shipping": money("0"), "discount": money("0"), "tax_added": money("0"), "total": cents(total) });
        let given: Vec<Value> = refunds.iter().enumerate()
            .map(|(index, amount)| json!({ "id": format!("r{index}"), "amount": cents(*amount), "refunded_at": "2026-01-09T09:00:00Z" })).collect();
        let body = sent(&d, &ops(&d, &record(order(json!({ "totals": totals, "refunds": given })), json!({})))[0]).1;
        let net = (total - refunds.iter().sum::<i64>()).max(0);
        prop_assert_eq!(body["orderTotal"].to_string(), format!("{:?}", net as f64 / 100.0));
    }

    /// The same record gives the same bytes, and none of its person in Debug.
    #[test]
    fn building_is_pure(name in "[A-Za-z]{4,12}") {
        let d = open(json!({}));
        let given = contact(json!({ "first_name": format!("Zz{name}") }));
        prop_assert_eq!(ops(&d, &given), ops(&d, &given));
        let shown = format!("{:?}", ops(&d, &given));
        prop_assert!(!shown.contains(&name));
    }
}
