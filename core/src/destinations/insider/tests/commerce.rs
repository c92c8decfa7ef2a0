//! Orders, carts, what happens to orders, and other events.

use proptest::prelude::*;
use rust_decimal::Decimal;

use super::*;
use crate::model::{FindingCode, SkipReason};

#[test]
fn an_order_is_one_purchase_per_line_under_one_group() {
    let lines = json!([line("l1", "TEE-M", 2, "19.50", "39.00"), line("l2", "SOCK", 3, "4.00", "10.00")]);
    let mut record = record(order(json!({ "lines": lines })), json!({ "version": 9 }));
    record.envelope.resource.kind = "order".to_owned();
    let insider = open(json!({}));
    let operations = ops(&insider, &record);
    assert_eq!(operations.len(), 1);
    assert!(operations[0].once);
    assert_eq!(operations[0].supersedes, ["cart:crt-5512"]);
    let body = parsed(&insider.request(&[&operations[0]]).unwrap());
    assert_eq!(
        body,
        json!({ "users": [{ "identifiers": { "uuid": "c-42" }, "events": [
            { "event_name": "purchase", "timestamp": "2025-05-20T10:00:00Z", "event_params": {
                "event_group_id": "7f3a2c10", "product_id": "TEE-M", "name": "Black tee", "taxonomy": ["Apparel", "Tops", "Tees"],
                "currency": "EUR", "quantity": 2, "unit_price": 19.5, "unit_sale_price": 19.5, "url": "https://shop.example.com/tee",
                "product_image_url": "https://img.example.com/tee.jpg", "size": "M", "shipping_cost": "4.90",
                "custom": { "order_number": "DE-10017", "line_id": "l1", "line_total": 39.0, "order_total": 43.9, "sku": "TEE-M", "variant_id": "2" } } },
            { "event_name": "purchase", "timestamp": "2025-05-20T10:00:00Z", "event_params": {
                "event_group_id": "7f3a2c10", "product_id": "SOCK", "name": "Black tee", "taxonomy": ["Apparel", "Tops", "Tees"],
                "currency": "EUR", "quantity": 3, "unit_price": 4.0, "unit_sale_price": 3.333_333_33, "url": "https://shop.example.com/tee",
                "product_image_url": "https://img.example.com/tee.jpg", "size": "M",
                "custom": { "order_number": "DE-10017", "line_id": "l2", "line_total": 10.0, "order_total": 43.9, "sku": "SOCK", "variant_id": "2" } } },
        ] }] })
    );
}

#[test]
fn one_order_is_one_purchase_whatever_its_version_and_mode() {
    let insider = open(json!({}));
    let live = ops(&insider, &record(order(json!({})), json!({ "version": 3, "idempotency_key": "a" })));
    let later =
        ops(&insider, &record(order(json!({ "status": "complete" })), json!({ "version": 8, "idempotency_key": "b", "mode": "backfill" })));
    assert_eq!(live[0].idempotency_key, later[0].idempotency_key);
    assert_eq!((live[0].group.as_str(), later[0].group.as_str()), ("", "quiet"));
}

#[test]
fn lines_of_one_item_are_one_event() {
    let lines = json!([line("l1", "TEE-M", 2, "10.00", "20.00"), line("l2", "TEE-M", 1, "10.00", "7.00")]);
    let body = only(&open(json!({})), &record(order(json!({ "lines": lines })), json!({})));
    let events = body["users"][0]["events"].as_array().unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["event_params"]["quantity"], 3);
    assert_eq!(events[0]["event_params"]["unit_sale_price"], 9.0);
}

#[test]
fn a_discount_on_the_whole_lowers_what_was_paid_for_each() {
    let lines = json!([line("l1", "A", 1, "30.00", "30.00"), line("l2", "B", 1, "10.00", "10.00")]);
    let discounts =
        json!([{ "kind": "coupon", "code": "SPRING", "amount": money("4.00") }, { "kind": "shipping", "amount": money("4.90") }]);
    let paid = record(order(json!({ "lines": lines, "discounts": discounts })), json!({}));
    let prices = |settings: Value| -> Vec<(Value, Value, Value)> {
        let body = only(&open(settings), &paid);
        let params = |event: &Value| event["event_params"].clone();
        let of =
            |params: Value| (params["unit_sale_price"].clone(), params["promotion_discount"].clone(), params["promotion_name"].clone());
        body["users"][0]["events"].as_array().unwrap().iter().map(params).map(of).collect()
    };
    assert_eq!(prices(json!({})), [(json!(27.0), json!(3.0), json!("SPRING")), (json!(9.0), json!(1.0), json!("SPRING"))]);
    let whole = prices(json!({ "purchase_price": "line_total" }));
    assert_eq!(whole, [(json!(30.0), Value::Null, Value::Null), (json!(10.0), Value::Null, Value::Null)]);
}

#[test]
fn tax_can_be_left_out_or_put_in() {
    let mut one = line("l1", "A", 1, "11.90", "11.90");
    merge(&mut one, json!({ "tax": money("1.90"), "tax_rate": "0.19", "tax_included": true }));
    let with = record(order(json!({ "lines": [one.clone()] })), json!({}));
    merge(&mut one, json!({ "unit_list_price": money("10"), "unit_price": money("10"), "total": money("10"), "tax_included": false }));
    let without = record(order(json!({ "lines": [one] })), json!({}));
    let price = |tax: &str, record: &Record| {
        let body = only(&open(json!({ "purchase_tax": tax })), record);
        let params = &body["users"][0]["events"][0]["event_params"];
        (params["unit_price"].clone(), params["unit_sale_price"].clone())
    };
    assert_eq!(price("as_priced", &with), (json!(11.9), json!(11.9)));
    assert_eq!(price("excluded", &with), (json!(10.0), json!(10.0)));
    assert_eq!(price("included", &without), (json!(11.9), json!(11.9)));
}

#[test]
fn shipping_stands_where_it_is_asked_for() {
    let lines = json!([line("l1", "A", 1, "30.00", "30.00"), line("l2", "B", 1, "10.00", "10.00")]);
    let shown = |setting: &str| {
        let body = only(&open(json!({ "shipping_cost": setting })), &record(order(json!({ "lines": lines })), json!({})));
        let events = body["users"][0]["events"].as_array().unwrap().clone();
        events.iter().filter(|event| event["event_params"]["shipping_cost"] == "4.90").count()
    };
    assert_eq!((shown("first_line"), shown("every_line"), shown("none")), (1, 2, 0));
}

#[test]
fn orders_that_are_none_are_skipped_with_a_reason() {
    let why = |change: Value| open(json!({})).build(&record(order(change), json!({}))).skipped[0].reason;
    assert_eq!(why(json!({ "status": "incomplete" })), SkipReason::Ignored);
    assert_eq!(why(json!({ "status": "cancelled" })), SkipReason::Superseded);
    let mut fee = line("f", "FEE", 1, "2.00", "2.00");
    fee["kind"] = json!("fee");
    assert_eq!(why(json!({ "lines": [fee] })), SkipReason::NotSupported);
}

#[test]
fn events_beyond_their_retention_are_skipped_and_it_is_a_setting() {
    let old = |days: i64| {
        let at = chrono::DateTime::parse_from_rfc3339("2025-05-20T10:00:05Z").unwrap() - chrono::TimeDelta::days(days);
        record(order(json!({ "placed_at": at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true) })), json!({ "mode": "backfill" }))
    };
    let insider = open(json!({}));
    assert_eq!(ops(&insider, &old(729)).len(), 1);
    let built = insider.build(&old(730));
    assert_eq!((built.operations.len(), built.skipped[0].reason), (0, SkipReason::NotSupported));
    assert!(built.skipped[0].detail.contains("730 days"));
    assert_eq!(ops(&open(json!({ "retention_days": { "events.purchase": 900 } })), &old(730)).len(), 1);
    assert!(Insider::new(config(json!({ "retention_days": { "users.upsert": 900 } }))).is_err());
}

#[test]
fn an_event_of_tomorrow_is_refused() {
    let built = open(json!({})).build(&record(order(json!({ "placed_at": "2025-05-20T10:06:00Z" })), json!({})));
    assert_eq!(built.findings[0].code, FindingCode::ValueUnsupported);
    assert_eq!(ops(&open(json!({})), &record(order(json!({ "placed_at": "2025-05-20T10:05:00Z" })), json!({}))).len(), 1);
}

#[test]
fn an_old_order_heard_live_starts_no_journey() {
    let at = |hours: i64| {
        let at = chrono::DateTime::parse_from_rfc3339("2025-05-20T10:00:05Z").unwrap() - chrono::TimeDelta::hours(hours);
        record(order(json!({ "placed_at": at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true) })), json!({}))
    };
    assert_eq!(ops(&open(json!({})), &at(167))[0].group, "");
    assert_eq!(ops(&open(json!({})), &at(168))[0].group, "quiet");
    assert_eq!(ops(&open(json!({ "quiet_after_h": 0 })), &at(168))[0].group, "");
}

#[test]
fn a_refund_is_one_event_or_one_per_line_and_comes_to_its_amount() {
    let refund = record(
        json!({ "type": "refund", "id": "rf-31", "order_id": "7f3a2c10", "order_number": "DE-10017", "amount": money("34.90"), "refunded_at": "2025-05-20T09:00:00Z",
            "reason": "size", "full": false, "lines": [
                { "line_id": "l1", "sku": "TEE-M", "name": "Black tee", "quantity": 2, "amount": money("20.00") },
                { "line_id": "l2", "sku": "SOCK", "name": "Sock", "quantity": 1, "amount": money("10.00") }] }),
        json!({}),
    );
    let body = only(&open(json!({})), &refund);
    assert_eq!(
        body["users"][0]["events"],
        json!([{ "event_name": "order_refunded", "timestamp": "2025-05-20T09:00:00Z", "event_params": { "event_group_id": "7f3a2c10", "currency": "EUR",
            "custom": { "item_count": 3, "skus": ["TEE-M", "SOCK"], "refund_amount": 34.9, "refund_id": "rf-31", "order_number": "DE-10017",
                "refund_reason": "size", "is_full_refund": false } } }])
    );
    let body = only(&open(json!({ "line_events": "per_line" })), &refund);
    let events = body["users"][0]["events"].as_array().unwrap();
    let amounts: Vec<_> = events.iter().map(|event| event["event_params"]["custom"]["refund_amount"].clone()).collect();
    assert_eq!(amounts, [json!(20.0), json!(10.0), json!(4.9)]);
    assert_eq!(events[0]["event_params"]["product_id"], "TEE-M");
    assert_eq!(events[0]["event_params"]["unit_sale_price"], 10.0);
    assert_eq!(events[2]["event_params"].get("product_id"), None);
}

#[test]
fn returns_shipments_and_deliveries_are_events_of_the_order() {
    let insider = open(json!({}));
    let back = record(
        json!({ "type": "return", "id": "rt-1", "order_id": "7f3a2c10", "returned_at": "2025-05-19T09:00:00Z",
            "items": [{ "id": "i", "line_id": "l1", "sku": "TEE-M", "quantity": 1 }] }),
        json!({}),
    );
    let event = &only(&insider, &back)["users"][0]["events"][0];
    assert_eq!((&event["event_name"], &event["event_params"]["product_id"]), (&json!("order_returned"), &json!("TEE-M")));
    let shipment = |status: &str| {
        record(
            json!({ "type": "shipment", "id": "sh-1", "order_id": "7f3a2c10", "status": status, "shipped_at": "2025-05-19T08:00:00Z",
                "parcels": [{ "id": "p", "carrier": "DHL", "tracking_number": "00340", "tracking_url": "https://dhl.example/00340" }] }),
            json!({}),
        )
    };
    let event = &only(&insider, &shipment("shipped"))["users"][0]["events"][0];
    assert_eq!(
        event,
        &json!({ "event_name": "order_shipped", "timestamp": "2025-05-19T08:00:00Z", "event_params": { "event_group_id": "7f3a2c10",
            "custom": { "shipment_id": "sh-1", "status": "shipped", "carrier": "DHL", "tracking_number": "00340", "tracking_url": "https://dhl.example/00340" } } })
    );
    let event = &only(&insider, &shipment("delivered"))["users"][0]["events"][0];
    assert_eq!((&event["event_name"], &event["timestamp"]), (&json!("order_delivered"), &json!("2025-05-20T10:00:00.120Z")));
    assert_eq!(insider.build(&shipment("ready")).skipped[0].reason, SkipReason::Ignored);
    assert_ne!(ops(&insider, &shipment("shipped"))[0].idempotency_key, ops(&insider, &shipment("delivered"))[0].idempotency_key);
}

#[test]
fn events_go_by_insiders_own_names_where_it_has_some() {
    let sent = |name: &str| {
        let operations = ops(&open(json!({})), &record(json!({ "type": "event", "name": name, "sku": "TEE-M" }), json!({})));
        let body = parsed(&open(json!({})).request(&[&operations[0]]).unwrap());
        (operations[0].endpoint.clone().into_owned(), body["users"][0]["events"][0]["event_name"].as_str().unwrap().to_owned())
    };
    for (canonical, endpoint, name) in [
        ("account_created", "events.signUp", "sign_up_confirmation"),
        ("logged_in", "events.custom", "login"),
        ("product_viewed", "events.browse", "product_detail_page_view"),
        ("category_viewed", "events.browse", "listing_page_view"),
        ("checkout_started", "events.browse", "checkout_page_view"),
        ("order_cancelled", "events.custom", "order_cancelled"),
        ("quiz_finished", "events.custom", "quiz_finished"),
    ] {
        assert_eq!(sent(canonical), (endpoint.to_owned(), name.to_owned()), "{canonical}");
    }
}

#[test]
fn names_the_server_refuses_are_refused_here() {
    let built = open(json!({})).build(&record(json!({ "type": "event", "name": "quizFinished" }), json!({})));
    assert_eq!(built.findings[0].code, FindingCode::ValueUnsupported);
    assert!(Insider::new(config(json!({ "event_names": { "quizFinished": "quizFinished" } }))).is_err());
    assert_eq!(
        ops(
            &open(json!({ "event_names": { "quizFinished": "quiz_finished" } })),
            &record(json!({ "type": "event", "name": "quizFinished" }), json!({}))
        )
        .len(),
        1
    );
}

#[test]
fn parameters_of_ones_own_stand_in_custom() {
    let event = record(
        json!({ "type": "event", "name": "quiz_finished", "value": money("3"), "properties": { "quizName": { "type": "text", "value": "shoes" }, "value": { "type": "integer", "value": 1 } } }),
        json!({}),
    );
    let insider = open(json!({}));
    assert_eq!(insider.build(&event).findings[0].pointer, "/body/properties/value");
    assert_eq!(
        only(&insider, &event)["users"][0]["events"][0]["event_params"],
        json!({ "custom": { "value": 3.0, "quiz_name": "shoes" }, "currency": "EUR" })
    );
}

#[test]
fn a_snapshot_of_a_cart_is_a_page_view_per_line() {
    let insider = open(json!({ "carts": "snapshot" }));
    let body = only(&insider, &record(cart(json!([line("l1", "TEE-M", 2, "19.50", "39.00")]), json!({})), json!({})));
    let event = &body["users"][0]["events"][0];
    assert_eq!(event["event_name"], "cart_page_view");
    assert_eq!((&event["event_params"]["event_group_id"], &event["event_params"]["quantity"]), (&json!("crt-5512"), &json!(2)));
    let body = only(&insider, &record(cart(json!([]), json!({ "state": "deleted" })), json!({})));
    assert_eq!(body["users"][0]["events"][0]["event_name"], "cart_cleared");
    assert_eq!(
        open(json!({ "carts": "skip" })).build(&record(cart(json!([]), json!({})), json!({}))).skipped[0].reason,
        SkipReason::NotConfigured
    );
    for state in ["ordered", "merged"] {
        assert_eq!(insider.build(&record(cart(json!([]), json!({ "state": state })), json!({}))).skipped[0].reason, SkipReason::Superseded);
    }
}

fn decimal(value: &Value) -> Decimal {
    value.to_string().parse().unwrap()
}

proptest! {
    #[test]
    fn purchases_come_to_what_the_order_says(
        lines in proptest::collection::vec((1i64..50, 0i64..1_000_000, 0u8..6), 1..12),
        off in 0i64..200_000,
    ) {
        let total: i64 = lines.iter().map(|(_, cents, _)| cents).sum();
        let off = off.min(total);
        let amount = |cents: i64| money(&Decimal::new(cents, 2).to_string());
        let lines: Vec<Value> = lines.iter().enumerate().map(|(index, (quantity, cents, sku))| {
            let mut one = line(&format!("l{index}"), &format!("SKU-{sku}"), *quantity, "1.00", "0");
            one["total"] = amount(*cents);
            one
        }).collect();
        let discounts = if off == 0 { json!([]) } else { json!([{ "kind": "cart", "amount": amount(off) }]) };
        let record = record(order(json!({ "lines": lines, "discounts": discounts })), json!({}));
        let insider = open(json!({}));
        let built = insider.build(&record);
        let body = parsed(&insider.request(&[&built.operations[0]]).unwrap());
        let (mut by_unit, mut by_line) = (Decimal::ZERO, Decimal::ZERO);
        for event in body["users"][0]["events"].as_array().unwrap() {
            let params = &event["event_params"];
            by_unit += (decimal(&params["unit_sale_price"]) * decimal(&params["quantity"])).round_dp(2);
            by_line += decimal(&params["custom"]["line_total"]);
        }
        prop_assert_eq!(by_unit, Decimal::new(total - off, 2));
        prop_assert_eq!(by_line, Decimal::new(total - off, 2));
    }
}
