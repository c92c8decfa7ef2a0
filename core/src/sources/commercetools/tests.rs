//! What documents become. Expected values are worked out by hand from the platform's documentation.

use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::*;
use crate::model::{
    AttributeValue, Body, CartState, Channel, ConsentStatus, Contact, Currency, DiscountKind, Event, EventName, FulfilmentStatus, LineKind,
    Mode, Money, Order, OrderStatus, PaymentStatus, Product, Record, ShippingStatus, Totals,
};

mod lists;

fn at() -> crate::model::Instant {
    "2025-06-12T00:00:00Z".parse().unwrap_or_default()
}

fn decode_with(config: Value, context: DecodeContext<'_>, raw: &[u8]) -> Decoded {
    let config: Config = serde_json::from_value(config).unwrap_or_else(|error| panic!("{error}"));
    let source = Commercetools::new(config).unwrap_or_else(|error| panic!("{error}"));
    let mut out = Decoded::default();
    source.decode(raw, &context, &mut out);
    out
}

fn decode(raw: &[u8]) -> Decoded {
    decode_with(json!({"project": "demo"}), DecodeContext::at(at()), raw)
}

fn read(config: Value, document: &Value) -> Decoded {
    decode_with(config, DecodeContext::at(at()), document.to_string().as_bytes())
}

fn one(config: Value, document: &Value) -> Record {
    let out = read(config, document);
    assert!(out.rejected.is_empty(), "{:?}", out.rejected);
    assert_eq!(out.records.len(), 1, "{out:?}");
    out.records[0].record.clone()
}

fn order_of(config: Value, document: &Value) -> Order {
    let out = read(config, document);
    assert!(out.rejected.is_empty(), "{:?}", out.rejected);
    match &out.records[0].record.body {
        Body::Order(order) => order.clone(),
        other => panic!("a {}", other.kind()),
    }
}

fn contact_of(config: Value, document: &Value) -> Contact {
    match one(config, document).body {
        Body::Contact(contact) => contact,
        other => panic!("a {}", other.kind()),
    }
}

fn product_of(config: Value, document: &Value) -> Product {
    match one(config, document).body {
        Body::Product(product) => product,
        other => panic!("a {}", other.kind()),
    }
}

fn rejected(out: &Decoded) -> Vec<(&str, &str)> {
    out.rejected.iter().map(|one| (one.findings[0].code.name(), one.findings[0].pointer.as_str())).collect()
}

fn cents(amount: i64) -> Value {
    json!({"type": "centPrecision", "currencyCode": "EUR", "centAmount": amount, "fractionDigits": 2})
}

fn eur(amount: i64) -> Money {
    Money::from_minor(amount, 2, Currency::parse("EUR").unwrap_or_else(|_| unreachable!())).unwrap_or_else(|_| unreachable!())
}

fn line(id: &str, unit: i64, quantity: i64) -> Value {
    json!({
        "id": id, "productId": "p1", "productKey": "shoe", "name": {"en": "Shoe", "de": "Schuh"}, "productSlug": {"de": "schuh"},
        "variant": {"id": 3, "sku": "S-1", "prices": [{"broken": "and skipped"}], "images": [{"url": "https://img.example/1.jpg"}],
                    "attributes": [{"name": "color", "value": {"key": "r", "label": {"en": "red", "de": "rot"}}},
                                   {"name": "brand", "value": "Ayn"}]},
        "price": {"value": cents(unit)}, "quantity": quantity, "totalPrice": cents(unit * quantity),
        "taxRate": {"amount": 0.19, "includedInPrice": true}
    })
}

fn order(total: i64, lines: &[Value]) -> Value {
    json!({
        "type": "Order", "id": "o1", "version": 7, "createdAt": "2025-06-01T10:00:00.000Z", "lastModifiedAt": "2025-06-02T10:00:00.000Z",
        "orderNumber": "D-1", "orderState": "Open", "customerEmail": " Jane@Example.com", "locale": "de-AT",
        "totalPrice": cents(total), "lineItems": lines, "customLineItems": []
    })
}

fn with(mut document: Value, more: Value) -> Value {
    if let (Some(document), Value::Object(more)) = (document.as_object_mut(), more) {
        document.extend(more);
    }
    document
}

fn message(kind: &str, resource: &str, more: Value) -> Value {
    let base = json!({
        "notificationType": "Message", "projectKey": "shop", "id": "m1", "version": 1, "sequenceNumber": 4, "resourceVersion": 9,
        "resource": {"typeId": resource, "id": "r1"}, "type": kind, "createdAt": "2025-06-03T09:00:00.000Z",
        "resourceUserProvidedIdentifiers": {"orderNumber": "D-1"}
    });
    with(base, more)
}

#[track_caller]
fn closes(
    totals: &Totals,
    lines: &[crate::model::LineItem],
    shipping: &[crate::model::ShippingCharge],
    discounts: &[crate::model::Discount],
) {
    let sum = |amounts: &mut dyn Iterator<Item = Money>| amounts.map(|money| money.amount).sum::<Decimal>();
    let lines = sum(&mut lines.iter().map(|one| one.total));
    let shipping = sum(&mut shipping.iter().map(|one| one.amount));
    let discounts = sum(&mut discounts.iter().map(|one| one.amount));
    assert_eq!(lines + shipping + totals.tax_added.amount - discounts, totals.total.amount);
    assert_eq!((totals.subtotal.amount, totals.shipping.amount, totals.discount.amount), (lines, shipping, discounts));
}

#[test]
fn an_order_keeps_whose_when_and_where() {
    let record =
        one(json!({"project": "demo", "order_url": "https://shop.example/{language}/o/{number}"}), &order(3000, &[line("a", 1500, 2)]));
    let envelope = &record.envelope;
    assert_eq!((envelope.source.as_str(), envelope.tenant.as_str(), envelope.version), ("commercetools", "demo", Some(7)));
    assert_eq!(envelope.identity.email.as_deref(), Some("jane@example.com"));
    assert_eq!(envelope.identity.email_original.as_deref(), Some(" Jane@Example.com"));
    assert_eq!(envelope.occurred_at.to_rfc3339(), "2025-06-02T10:00:00+00:00");
    assert_eq!(envelope.market.currency.map(|currency| currency.to_string()).as_deref(), Some("EUR"));
    assert!(envelope.correlation_id.as_str().starts_with("cw-"));
    let Body::Order(order) = &record.body else { panic!("not an order") };
    assert_eq!(order.placed_at.to_rfc3339(), "2025-06-01T10:00:00+00:00");
    assert_eq!(order.url.as_deref(), Some("https://shop.example/de/o/D-1"));
    let line = &order.lines[0];
    assert_eq!((line.name.as_deref(), line.sku.as_deref(), line.variant_id.as_deref()), (Some("Schuh"), Some("S-1"), Some("3")));
    assert_eq!((line.unit_price, line.total, line.tax_included), (eur(1500), eur(3000), Some(true)));
    assert_eq!(line.tax_rate, Some(Decimal::new(19, 2)));
    assert_eq!((line.fulfilment.ordered, line.fulfilment.status), (2, FulfilmentStatus::Open));
    closes(&order.totals, &order.lines, &order.shipping, &order.discounts);
}

#[test]
fn nothing_the_merchant_added_passes_unless_it_is_configured() {
    let document = with(order(1500, &[line("a", 1500, 1)]), json!({"custom": {"fields": {"note": "gift", "bonus": 12}}}));
    let bare = order_of(json!({}), &document);
    assert!(bare.attributes.is_empty() && bare.lines[0].attributes.is_empty() && bare.lines[0].brand.is_none());
    let config = json!({
        "brand_attribute": "brand", "order_fields": [{"field": "bonus", "as": "points", "type": "decimal"}],
        "attributes": [{"field": "color"}, {"field": "color", "as": "color_key", "type": "key"}]
    });
    let told = order_of(config, &document);
    assert_eq!(told.attributes.get("points"), Some(&AttributeValue::Decimal(Decimal::from(12))));
    assert_eq!(told.lines[0].attributes.get("color"), Some(&AttributeValue::Text("rot".into())));
    assert_eq!(told.lines[0].attributes.get("color_key"), Some(&AttributeValue::Text("r".into())));
    assert_eq!(told.lines[0].brand.as_deref(), Some("Ayn"));
}

#[test]
fn a_value_that_is_not_of_the_configured_type_is_left_out_and_reported() {
    let document = with(order(0, &[]), json!({"custom": {"fields": {"bonus": "many"}}}));
    let out = read(json!({"order_fields": [{"field": "bonus", "type": "integer"}]}), &document);
    assert_eq!(out.records[0].findings[0].pointer, "/custom/fields/bonus");
    assert_eq!(out.records[0].findings[0].code, FindingCode::ValueUnknown);
}

#[test]
fn tax_that_is_not_contained_is_added_once() {
    let net = with(
        line("a", 1000, 1),
        json!({
            "taxRate": {"amount": 0.1, "includedInPrice": false},
            "taxedPrice": {"totalNet": cents(1000), "totalGross": cents(1100)}
        }),
    );
    // Shipping contains its tax: a mixture.
    let document = with(
        order(1500, &[net]),
        json!({
            "shippingInfo": {"price": cents(500), "taxRate": {"amount": 0.1, "includedInPrice": true}},
            "taxedPrice": {"totalNet": cents(1455), "totalGross": cents(1600), "taxPortions": [{"rate": 0.1, "amount": cents(145), "name": "VAT"}]}
        }),
    );
    let order = order_of(json!({}), &document);
    assert_eq!((order.totals.total, order.totals.tax, order.totals.tax_added), (eur(1600), Some(eur(145)), eur(100)));
    assert_eq!((order.lines[0].tax, order.lines[0].tax_included), (Some(eur(100)), Some(false)));
    assert_eq!((order.shipping[0].tax_included, order.taxes[0].rate), (Some(true), Decimal::new(1, 1)));
    closes(&order.totals, &order.lines, &order.shipping, &order.discounts);
}

#[test]
fn without_taxed_prices_the_tax_is_unknown_not_zero() {
    let order = order_of(json!({}), &order(1000, &[line("a", 1000, 1)]));
    assert_eq!((order.totals.tax, order.totals.tax_added.amount, order.lines[0].tax), (None, Decimal::ZERO, None));
}

#[test]
fn a_gift_costs_nothing_and_a_negative_custom_line_stays_a_line() {
    let gift = with(line("g", 900, 1), json!({"totalPrice": cents(0), "lineItemMode": "GiftLineItem"}));
    let custom =
        json!({"id": "v", "name": {"en": "Voucher"}, "money": cents(-500), "slug": "/voucher", "quantity": 1, "totalPrice": cents(-500)});
    let document = with(order(500, &[line("a", 1000, 1), gift]), json!({"customLineItems": [custom]}));
    let order = order_of(json!({}), &document);
    let kinds: Vec<_> = order.lines.iter().map(|line| (line.kind, line.total)).collect();
    assert_eq!(kinds, [(LineKind::Product, eur(1000)), (LineKind::Gift, eur(0)), (LineKind::Custom, eur(-500))]);
    closes(&order.totals, &order.lines, &order.shipping, &order.discounts);
}

#[test]
fn a_line_lists_what_product_and_cart_rules_took_off_the_whole_of_it() {
    let rule = |id: &str, amount: i64| json!({"discount": {"typeId": "cart-discount", "id": id}, "discountedAmount": cents(amount)});
    let split = with(
        line("a", 1000, 3),
        json!({
            "price": {"value": cents(1000), "discounted": {"value": cents(900), "discount": {"typeId": "product-discount", "id": "pd"}}},
            "discountedPricePerQuantity": [
                {"quantity": 2, "discountedPrice": {"value": cents(790), "includedDiscounts": [rule("x", 100), rule("y", 10), rule("z", 0)]}},
                {"quantity": 1, "discountedPrice": {"value": cents(890), "includedDiscounts": [rule("x", 0), rule("y", 10)]}}
            ],
            "totalPrice": cents(2470)
        }),
    );
    let order = order_of(json!({}), &order(2470, &[split]));
    let line = &order.lines[0];
    let taken: Vec<_> = line.discounts.iter().map(|one| (one.kind, one.id.as_deref(), one.amount)).collect();
    let cart = DiscountKind::Cart;
    assert_eq!(taken, [(DiscountKind::Product, Some("pd"), eur(300)), (cart, Some("x"), eur(200)), (cart, Some("y"), eur(30))]);
    assert_eq!((line.unit_list_price, line.unit_price, line.total), (eur(1000), eur(900), eur(2470)));
}

#[test]
fn a_discount_on_the_total_stands_beside_the_lines() {
    let on_total = |included: Value| json!({"discountOnTotalPrice": {"discountedAmount": cents(300), "includedDiscounts": included}});
    let rule = |id: &str, amount: i64| json!({"discount": {"id": id}, "discountedAmount": cents(amount)});
    let split = order_of(json!({}), &with(order(700, &[line("a", 1000, 1)]), on_total(json!([rule("x", 100), rule("y", 200)]))));
    assert_eq!(split.discounts.iter().map(|one| one.amount).collect::<Vec<_>>(), [eur(100), eur(200)]);
    closes(&split.totals, &split.lines, &split.shipping, &split.discounts);
    let odd = order_of(json!({}), &with(order(700, &[line("a", 1000, 1)]), on_total(json!([rule("x", 100)]))));
    assert_eq!(odd.discounts.iter().map(|one| one.amount).collect::<Vec<_>>(), [eur(300)]);
    closes(&odd.totals, &odd.lines, &odd.shipping, &odd.discounts);
}

#[test]
fn several_shipping_methods_are_several_charges() {
    let shipping = |key: &str, price: i64| {
        json!({"shippingKey": key, "shippingInfo": {"shippingMethodName": key, "price": cents(price)},
               "shippingAddress": {"country": "DE", "email": format!("{key}@example.com")}})
    };
    let mut document = with(
        order(1700, &[line("a", 1000, 1)]),
        json!({"shippingMode": "Multiple", "shipping": [shipping("home", 500), shipping("work", 200)]}),
    );
    if let Some(document) = document.as_object_mut() {
        document.remove("customerEmail");
    }
    let record = one(json!({}), &document);
    assert_eq!(record.envelope.identity.email.as_deref(), Some("home@example.com"));
    let Body::Order(order) = record.body else { panic!("not an order") };
    assert_eq!(order.shipping.iter().map(|one| one.key.as_deref()).collect::<Vec<_>>(), [Some("home"), Some("work")]);
    closes(&order.totals, &order.lines, &order.shipping, &order.discounts);
}

#[test]
fn digits_follow_the_currency_and_the_precision() {
    let money = |text: &str| serde_json::from_str::<wire::Amount>(text).map(|amount| amount.0.to_string()).unwrap_or_default();
    assert_eq!(money(r#"{"currencyCode":"JPY","centAmount":3478}"#), "3478 JPY");
    assert_eq!(money(r#"{"currencyCode":"KWD","centAmount":3478}"#), "3.478 KWD");
    assert_eq!(money(r#"{"currencyCode":"EUR","centAmount":-5,"fractionDigits":2}"#), "-0.05 EUR");
    assert_eq!(
        money(r#"{"type":"highPrecision","currencyCode":"JPY","centAmount":35,"preciseAmount":3478,"fractionDigits":2}"#),
        "34.78 JPY"
    );
    assert_eq!(money(r#"{"currencyCode":"EUR","centAmount":9223372036854775807,"fractionDigits":20}"#), "0.09223372036854775807 EUR");
}

#[test]
fn money_that_is_none_is_rejected_at_its_place() {
    for (bad, pointer) in [
        (json!({"currencyCode": "EUR", "centAmount": 12.5}), "/lineItems/0/totalPrice/centAmount"),
        (json!({"currencyCode": "EUR", "centAmount": 1, "fractionDigits": 21}), "/lineItems/0/totalPrice"),
        (json!({"currencyCode": "EURO", "centAmount": 1}), "/lineItems/0/totalPrice/currencyCode"),
        (json!({"currencyCode": "EUR"}), "/lineItems/0/totalPrice"),
        (json!(12), "/lineItems/0/totalPrice"),
    ] {
        let document = order(1, &[with(line("a", 1, 1), json!({"totalPrice": bad}))]);
        assert_eq!(rejected(&read(json!({}), &document)), [("record.malformed", pointer)]);
    }
}

#[test]
fn amounts_beyond_28_digits_are_rejected_not_wrapped() {
    let big = json!({"currencyCode": "EUR", "centAmount": i64::MAX, "fractionDigits": 0});
    let split =
        json!([{"quantity": 1_000_000_000_000_i64, "discountedPrice": {"value": big, "includedDiscounts": [{"discountedAmount": big}]}}]);
    let document = order(1, &[with(line("a", 1, 1), json!({"discountedPricePerQuantity": split}))]);
    assert_eq!(rejected(&read(json!({}), &document)), [("record.malformed", "/lineItems/0")]);
    let document = order(1, &[with(line("a", 1, 1), json!({"quantity": i64::MIN}))]);
    assert_eq!(rejected(&read(json!({}), &document)), [("record.malformed", "/lineItems/0/quantity")]);
}

#[test]
fn what_a_rejection_says_never_holds_the_value() {
    let document = with(order(1, &[]), json!({"version": "secret, expected nobody"}));
    let out = read(json!({}), &document);
    assert_eq!(rejected(&out), [("record.malformed", "/version")]);
    assert_eq!(out.rejected[0].findings[0].message, "expected a whole number");
    assert_eq!(out.rejected[0].resource.as_ref().map(|one| one.id.as_str()), Some("o1"));
}

#[test]
fn state_words_are_kept_apart_and_unknown_ones_are_kept() {
    let states = json!({"orderState": "Cancelled", "shipmentState": "Canceled", "paymentState": "CreditOwed"});
    let known = order_of(json!({}), &with(order(0, &[]), states));
    assert_eq!(known.status, OrderStatus::Cancelled);
    assert_eq!(known.shipping_status, Some(ShippingStatus::Cancelled));
    assert_eq!(known.payment_status, Some(PaymentStatus::CreditOwed));
    let out = read(json!({}), &with(order(0, &[]), json!({"orderState": "OnTheMoon"})));
    let Body::Order(unknown) = &out.records[0].record.body else { panic!("not an order") };
    assert_eq!(unknown.status, OrderStatus::Other("OnTheMoon".into()));
    assert_eq!((out.records[0].findings[0].code, out.records[0].findings[0].pointer.as_str()), (FindingCode::ValueUnknown, "/orderState"));
}

#[test]
fn fulfilment_counts_deliveries_and_returns_but_not_the_way_back() {
    let delivery = |id: &str, quantity: i64, is_return: bool| {
        json!({"id": id, "createdAt": "2025-06-03T00:00:00.000Z", "items": [{"id": "a", "quantity": quantity}],
               "parcels": [{"id": format!("{id}-p"), "trackingData": {"trackingId": "T 1", "carrier": "DHL", "isReturn": is_return}}]})
    };
    let back = |id: &str, shipment: &str, payment: &str| {
        json!({"id": id, "type": "LineItemReturnItem", "lineItemId": "a", "quantity": 1, "shipmentState": shipment, "paymentState": payment,
               "createdAt": "2025-06-05T00:00:00.000Z"})
    };
    let document = with(
        order(3500, &[line("a", 1000, 3)]),
        json!({
            "shippingInfo": {"price": cents(500), "deliveries": [delivery("d1", 2, false), delivery("d2", 1, true)]},
            "returnInfo": [{"items": [back("r1", "Returned", "Refunded"), back("r2", "Advised", "NonRefundable")]}]
        }),
    );
    let order = order_of(json!({"tracking_urls": {"dhl": "https://track.example/?n={tracking}"}}), &document);
    let fulfilment = &order.lines[0].fulfilment;
    assert_eq!((fulfilment.ordered, fulfilment.shipped, fulfilment.returned, fulfilment.refunded), (3, 2, 1, 1));
    assert_eq!(fulfilment.status, FulfilmentStatus::PartiallyReturned);
    assert_eq!(order.shipments.len(), 1);
    assert_eq!(order.shipments[0].parcels[0].tracking_url.as_deref(), Some("https://track.example/?n=T%201"));
    assert_eq!(order.shipments[0].lines[0].sku.as_deref(), Some("S-1"));
    assert_eq!(order.returns[0].items.len(), 2);
    assert_eq!(order.returns[0].returned_at.map(|at| at.to_rfc3339()).as_deref(), Some("2025-06-05T00:00:00+00:00"));
}

#[test]
fn an_imported_order_was_placed_when_it_was_completed() {
    let order = order_of(json!({}), &with(order(0, &[]), json!({"completedAt": "2019-03-01T00:00:00.000Z"})));
    assert_eq!((order.placed_at.to_rfc3339().as_str(), order.imported), ("2019-03-01T00:00:00+00:00", true));
}

#[test]
fn an_order_imported_long_after_it_was_placed_is_history_and_may_start_nothing() {
    let mode = |placed: &str| {
        let document = with(order(0, &[]), json!({"createdAt": "2025-06-03T09:00:00.000Z", "completedAt": placed}));
        one(json!({}), &document).envelope.mode
    };
    assert_eq!(mode("2019-03-01T00:00:00.000Z"), Mode::Backfill);
    assert_eq!(mode("2025-06-02T08:59:59.999Z"), Mode::Backfill);
    assert_eq!(mode("2025-06-03T08:30:00.000Z"), Mode::Live);
    assert_eq!(one(json!({}), &order(0, &[])).envelope.mode, Mode::Live);
}

#[test]
fn expanded_references_give_code_text_payment_method_and_refunds() {
    let transaction = |id: &str, kind: &str, state: &str| json!({"id": id, "type": kind, "state": state, "amount": cents(400), "timestamp": "2025-06-06T00:00:00.000Z", "interactionId": "psp"});
    let payment = json!({
        "id": "pay", "amountPlanned": cents(1000), "paymentMethodInfo": {"method": "card", "name": {"de": "Karte"}, "token": "tok_secret"},
        "interfaceInteractions": [{"pan": "secret"}],
        "transactions": [transaction("t1", "Charge", "Success"), transaction("t2", "Refund", "Success"), transaction("t3", "Refund", "Pending")]
    });
    let document = with(
        order(1000, &[line("a", 1000, 1)]),
        json!({
            "discountCodes": [
                {"discountCode": {"typeId": "discount-code", "id": "c1", "obj": {"code": "SUMMER"}}, "state": "MatchesCart"},
                {"discountCode": {"typeId": "discount-code", "id": "c2"}, "state": "MatchesCart"},
                {"discountCode": {"typeId": "discount-code", "id": "c3", "obj": {"code": "OLD"}}, "state": "NotValid"}
            ],
            "paymentInfo": {"payments": [{"typeId": "payment", "id": "pay", "obj": payment}]}
        }),
    );
    let order = order_of(json!({}), &document);
    let coupons: Vec<_> = order.coupons.iter().map(|one| (one.code.as_deref(), one.id.as_deref())).collect();
    assert_eq!(coupons, [(Some("SUMMER"), Some("c1")), (None, Some("c2"))]);
    assert_eq!(order.payment_methods, ["Karte"]);
    let refunds: Vec<_> = order.refunds.iter().map(|one| (one.id.as_str(), one.amount)).collect();
    assert_eq!(refunds, [("t2", eur(400))]);
    assert!(!serde_json::to_string(&order).unwrap_or_default().contains("secret"));
}

#[test]
fn a_cart_knows_when_a_line_was_last_touched() {
    let touched = with(line("a", 1000, 1), json!({"addedAt": "2025-06-01T09:00:00.000Z", "lastModifiedAt": "2025-06-01T09:30:00.000Z"}));
    let cart =
        json!({"id": "k1", "version": 2, "cartState": "Frozen", "totalPrice": cents(1000), "lineItems": [touched], "anonymousId": "s1"});
    let record = one(json!({"cart_url": "https://shop.example/cart/{id}"}), &cart);
    assert_eq!(record.envelope.identity.anonymous_id.as_deref(), Some("s1"));
    let Body::Cart(cart) = record.body else { panic!("not a cart") };
    assert_eq!((cart.state, cart.url.as_deref()), (CartState::Frozen, Some("https://shop.example/cart/k1")));
    assert_eq!(cart.last_activity_at.map(|at| at.to_rfc3339()).as_deref(), Some("2025-06-01T09:30:00+00:00"));
}

fn customer() -> Value {
    json!({
        "id": "c1", "version": 5, "email": "Jane@Example.com", "firstName": "Jane", "salutation": " ", "key": "k", "externalId": "crm-1",
        "dateOfBirth": "1988-02-29", "isEmailVerified": true, "password": "****abc=", "lastModifiedAt": "2025-06-02T10:00:00.000Z",
        "addresses": [{"id": "x", "country": "AT", "phone": "01 5134000"},
                      {"id": "y", "country": "DE", "streetName": "Weg", "streetNumber": "5a", "building": "B", "mobile": "0151 12345678"}],
        "defaultShippingAddressId": "y", "stores": [{"typeId": "store", "key": "de"}],
        "customerGroup": {"typeId": "customer-group", "id": "g1", "obj": {"key": "vip"}},
        "customerGroupAssignments": [{"customerGroup": {"typeId": "customer-group", "id": "g2"}}]
    })
}

#[test]
fn a_customer_becomes_a_contact_with_a_number_one_can_dial() {
    let record = one(json!({}), &customer());
    let identity = &record.envelope.identity;
    assert_eq!((identity.customer_id.as_deref(), identity.email.as_deref()), (Some("c1"), Some("jane@example.com")));
    assert_eq!((identity.phone.as_deref(), identity.phone_original.as_deref()), (Some("+4915112345678"), Some("0151 12345678")));
    assert_eq!(identity.external_ids.get("external_id").map(String::as_str), Some("crm-1"));
    let Body::Contact(contact) = record.body else { panic!("not a contact") };
    assert_eq!((contact.salutation, contact.groups), (None, vec!["vip".to_owned(), "g2".to_owned()]));
    assert_eq!((contact.addresses[1].default_shipping, contact.addresses[1].line1.as_deref()), (true, Some("Weg 5a")));
    assert!(contact.consents.is_empty());
}

#[test]
fn a_number_nobody_can_dial_is_reported_and_kept_as_written() {
    let out = read(json!({}), &with(customer(), json!({"addresses": [{"country": "DE", "phone": "ask reception"}]})));
    assert_eq!(out.records[0].record.envelope.identity.phone, None);
    assert_eq!(out.records[0].record.envelope.identity.phone_original.as_deref(), Some("ask reception"));
    let finding = &out.records[0].findings[0];
    assert_eq!((finding.code, finding.pointer.as_str()), (FindingCode::PhoneInvalid, "/addresses/0/phone"));
}

#[test]
fn consent_comes_from_configured_fields_only() {
    let fields = json!({"newsletter": true, "newsletterAt": "2025-05-20T12:30:00.000Z", "where": "checkout", "sms": "opted-out", "acceptsMarketing": true});
    let document = with(customer(), json!({"custom": {"type": {"id": "t"}, "fields": fields}}));
    assert!(contact_of(json!({}), &document).consents.is_empty());
    let rules = json!({"consents": [
        {"channel": "email", "field": "newsletter", "at_field": "newsletterAt", "source_field": "where"},
        {"channel": "sms", "field": "sms", "granted": ["opted-in"], "denied": ["opted-out"]},
        {"channel": "push", "field": "pushConsent"}
    ]});
    let contact = contact_of(rules, &document);
    let said: Vec<_> = contact.consents.iter().map(|one| (&one.channel, one.status, one.source.as_deref())).collect();
    assert_eq!(said, [(&Channel::Email, ConsentStatus::Granted, Some("checkout")), (&Channel::Sms, ConsentStatus::Denied, None)]);
    assert_eq!(contact.consents[0].at.map(|at| at.to_rfc3339()).as_deref(), Some("2025-05-20T12:30:00+00:00"));
    assert_eq!(contact.consents[1].at, None);
}

#[test]
fn a_guests_box_at_the_checkout_is_a_consent_of_its_own_record() {
    let document = with(order(0, &[]), json!({"custom": {"fields": {"newsletter": true}}}));
    let out = read(json!({"consents": [{"channel": "email", "on": "order", "field": "newsletter"}]}), &document);
    let kinds: Vec<_> = out.records.iter().map(|one| one.record.body.kind()).collect();
    assert_eq!(kinds, ["contact", "order"]);
    assert_eq!(out.records[0].record.envelope.identity.email.as_deref(), Some("jane@example.com"));
    assert_ne!(out.records[0].record.envelope.idempotency_key, out.records[1].record.envelope.idempotency_key);
}

fn projection() -> Value {
    let price = |amount: i64, more: Value| with(json!({"value": cents(amount)}), more);
    json!({
        "id": "p1", "version": 3, "productType": {"typeId": "product-type", "id": "t"}, "name": {"en": "Shoe"}, "slug": {"en": "shoe"},
        "categories": [{"typeId": "category", "id": "c1"},
                       {"typeId": "category", "id": "c2", "obj": {"name": {"en": "Shoes"}, "ancestors": [{"id": "c0", "obj": {"name": {"en": "All"}}}]}}],
        "masterVariant": {"id": 7, "sku": "S-7", "prices": [
            price(5000, json!({})), price(4500, json!({"country": "DE"})), price(4000, json!({"country": "AT"})),
            price(3000, json!({"country": "DE", "validUntil": "2025-01-01T00:00:00.000Z"})),
            price(4200, json!({"customerGroup": {"id": "vip"}})), price(2000, json!({"channel": {"id": "ch"}}))
        ], "availability": {"isOnStock": true, "availableQuantity": 9, "channels": {"ch": {"isOnStock": false, "availableQuantity": 0}}}},
        "variants": [{"id": 8, "sku": "S-8", "price": price(100, json!({"discounted": {"value": cents(80)}}))}]
    })
}

#[test]
fn the_price_of_the_market_is_picked_and_never_one_of_another() {
    let pick = |config: Value| product_of(config, &projection()).variants[0].price.as_ref().map(|price| price.list);
    assert_eq!(pick(json!({})), None);
    assert_eq!(pick(json!({"currency": "USD"})), None);
    assert_eq!(pick(json!({"currency": "EUR"})), Some(eur(5000)));
    assert_eq!(pick(json!({"currency": "EUR", "country": "DE"})), Some(eur(4500)));
    assert_eq!(pick(json!({"currency": "EUR", "country": "DE", "customer_group": "vip"})), Some(eur(4200)));
    let product = product_of(json!({}), &projection());
    assert_eq!(product.variants[1].price.as_ref().map(crate::model::Price::current), Some(eur(80)));
    assert_eq!(product.variants[0].prices.len(), 6);
}

#[test]
fn stock_is_of_the_configured_channel() {
    let stock = |config: Value| product_of(config, &projection()).variants[0].stock.as_ref().and_then(|stock| stock.quantity);
    assert_eq!((stock(json!({})), stock(json!({"channel": "ch"}))), (Some(9), Some(0)));
}

#[test]
fn categories_carry_the_path_from_the_root_where_it_was_expanded() {
    let product = product_of(json!({"product_url": "https://shop.example/{slug}?sku={sku}"}), &projection());
    let paths: Vec<_> = product.categories.iter().map(|one| (one.id.as_str(), one.path.join(" > "))).collect();
    assert_eq!(paths, [("c2", "All > Shoes".to_owned()), ("c1", String::new())]);
    assert_eq!(product.url.as_deref(), Some("https://shop.example/shoe?sku=S-7"));
    assert_eq!(product.variants[1].url.as_deref(), Some("https://shop.example/shoe?sku=S-8"));
}

#[test]
fn a_modular_projection_has_no_variants_and_is_a_product_all_the_same() {
    let document =
        json!({"id": "p1", "version": 1, "productType": {"id": "t"}, "name": {"en": "Shoe"}, "slug": {"en": "shoe"}, "variants": []});
    let product = product_of(json!({}), &document);
    assert!(product.variants.is_empty() && product.published);
}

#[test]
fn every_attribute_type_becomes_a_typed_value() {
    let attributes = json!([
        {"name": "b", "value": true}, {"name": "n", "value": 5}, {"name": "f", "value": 1.10}, {"name": "t", "value": "x"},
        {"name": "lt", "value": {"de": "eins", "en": "one"}}, {"name": "e", "value": {"key": "k", "label": "L"}},
        {"name": "m", "value": {"currencyCode": "JPY", "centAmount": 5}}, {"name": "d", "value": "2025-01-31"},
        {"name": "r", "value": {"typeId": "product", "id": "p9"}}, {"name": "s", "value": [{"key": "k", "label": {"en": "L1"}}, {"key": "j", "label": {"en": "L2"}}]},
        {"name": "nested", "value": [{"name": "inner", "value": 1}]}
    ]);
    let document = json!({"id": "p", "version": 1, "masterVariant": {"id": 1, "attributes": attributes}});
    let names = ["b", "n", "f", "t", "lt", "e", "m", "r", "s", "nested"];
    let mut mappings: Vec<Value> = names.iter().map(|name| json!({"field": name})).collect();
    mappings.push(json!({"field": "d", "type": "date"}));
    let product = product_of(json!({"locale": "en", "attributes": mappings}), &document);
    let text = |text: &str| AttributeValue::Text(text.to_owned());
    let expected = [
        ("b", AttributeValue::Boolean(true)),
        ("d", AttributeValue::Date(chrono::NaiveDate::from_ymd_opt(2025, 1, 31).unwrap_or_default())),
        ("e", text("L")),
        ("f", AttributeValue::Decimal(Decimal::new(11, 1))),
        ("lt", text("one")),
        ("m", AttributeValue::Money(Money::new(Decimal::from(5), Currency::parse("JPY").unwrap_or_else(|_| unreachable!())))),
        ("n", AttributeValue::Integer(5)),
        ("nested", AttributeValue::Object([("inner".to_owned(), AttributeValue::Integer(1))].into())),
        ("r", text("p9")),
        ("s", AttributeValue::List(vec![text("L1"), text("L2")])),
        ("t", text("x")),
    ];
    let expected: crate::model::Attributes = expected.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    assert_eq!(product.variants[0].attributes, expected);
}

#[test]
fn a_snapshot_has_one_key_whether_pushed_or_polled() {
    let document = order(1000, &[line("a", 1000, 1)]);
    let polled = read(json!({"project": "shop"}), &document);
    let pushed = read(json!({"project": "other"}), &message("OrderCreated", "order", json!({"order": document})));
    let (polled, pushed) = (&polled.records[0].record.envelope, &pushed.records[0].record.envelope);
    assert_eq!(polled.idempotency_key, pushed.idempotency_key);
    assert_eq!((pushed.tenant.as_str(), pushed.sequence, pushed.version), ("shop", Some(4), Some(7)));
}

#[test]
fn a_refund_has_one_key_whether_its_payment_or_its_order_is_read() {
    let transaction =
        json!({"id": "t2", "type": "Refund", "state": "Success", "amount": cents(400), "timestamp": "2025-06-06T00:00:00.000Z"});
    let payment = json!({"id": "r1", "version": 3, "amountPlanned": cents(1000), "transactions": [transaction]});
    let polled = read(json!({}), &payment);
    let with_order = read(
        json!({}),
        &with(
            order(1000, &[line("a", 1000, 1)]),
            json!({"paymentInfo": {"payments": [{"typeId": "payment", "id": "r1", "obj": payment}]}}),
        ),
    );
    let refund = &with_order.records[1].record;
    assert_eq!(refund.envelope.idempotency_key, polled.records[0].record.envelope.idempotency_key);
    assert_eq!(refund.envelope.identity, with_order.records[0].record.envelope.identity);
    let Body::Refund(refund) = &refund.body else { panic!("not a refund") };
    assert_eq!(
        (refund.amount, refund.payment_id.as_deref(), refund.order_id.as_deref(), refund.refunded_at.to_rfc3339().as_str()),
        (eur(400), Some("r1"), Some("o1"), "2025-06-06T00:00:00+00:00")
    );
    let pushed = read(json!({}), &message("PaymentTransactionAdded", "payment", json!({"transaction": transaction})));
    let told = read(json!({"project": "shop"}), &payment);
    assert_eq!(pushed.records[0].record.envelope.idempotency_key, told.records[0].record.envelope.idempotency_key);
}

#[test]
fn an_order_tells_of_its_parcels_and_returns_to_whom_they_went_while_they_are_news() {
    let delivery = |id: &str, at: &str| json!({"id": id, "createdAt": at, "items": [{"id": "a", "quantity": 1}], "parcels": []});
    let back = json!({"id": "r1", "type": "LineItemReturnItem", "lineItemId": "a", "quantity": 1, "shipmentState": "Returned"});
    let document = with(
        order(1500, &[line("a", 500, 2)]),
        json!({
            "customerId": "c1",
            "shippingInfo": {"price": cents(500), "deliveries": [delivery("new", "2025-06-10T00:00:00.000Z"), delivery("old", "2025-06-04T00:00:00.000Z")]},
            "returnInfo": [{"returnDate": "2025-06-11T00:00:00.000Z", "items": [back]}],
        }),
    );
    let out = read(json!({}), &document);
    let told: Vec<_> = out.records.iter().map(|one| (one.record.body.kind(), one.record.envelope.mode)).collect();
    let live = [("order", Mode::Live), ("shipment", Mode::Live)];
    assert_eq!(told, [&live[..], &[("shipment", Mode::Backfill), ("return", Mode::Live)]].concat());
    assert!(out.records.iter().all(|one| one.record.envelope.identity.customer_id.as_deref() == Some("c1")));
    let keys: std::collections::BTreeSet<_> = out.records.iter().map(|one| &one.record.envelope.idempotency_key).collect();
    assert_eq!(keys.len(), 4);
    let later = read(json!({}), &with(document.clone(), json!({"version": 99})));
    assert_ne!(later.records[0].record.envelope.idempotency_key, out.records[0].record.envelope.idempotency_key);
    for index in 1..4 {
        assert_eq!(later.records[index].record.envelope.idempotency_key, out.records[index].record.envelope.idempotency_key);
    }
}

#[test]
fn messages_end_as_events_fetches_or_ignored_by_name() {
    let end = |kind: &str, resource: &str, more: Value| {
        let out = read(json!({}), &message(kind, resource, more));
        assert!(out.rejected.is_empty(), "{kind}: {:?}", out.rejected);
        let event = out.records.iter().map(|one| match &one.record.body {
            Body::Event(Event { name, .. }) => name.as_str().to_owned(),
            body => body.kind().to_owned(),
        });
        let fetch = out.fetches.iter().map(|one| format!("fetch {}", one.resource.kind));
        let ignored = out.ignored.iter().map(|one| if one.known { "ignored".to_owned() } else { "unknown".to_owned() });
        event.chain(fetch).chain(ignored).collect::<Vec<_>>().join(" ")
    };
    for (kind, resource, more, expected) in [
        ("OrderStateChanged", "order", json!({"orderState": "Cancelled"}), "order_cancelled"),
        ("OrderStateChanged", "order", json!({"orderState": "Complete"}), "order_completed"),
        ("OrderStateChanged", "order", json!({"orderState": "Confirmed"}), "fetch order"),
        ("OrderPaymentStateChanged", "order", json!({"paymentState": "Paid"}), "order_paid"),
        ("OrderShipmentStateChanged", "order", json!({"shipmentState": "Delivered"}), "order_delivered"),
        ("OrderShipmentStateChanged", "order", json!({"shipmentState": "Partial"}), "fetch order"),
        ("OrderCustomerEmailSet", "order", json!({"email": "a@example.com"}), "fetch order"),
        ("OrderEditApplied", "order", json!({}), "fetch order"),
        ("OrderDeleted", "order", json!({"order": order(0, &[])}), "order_deleted"),
        ("OrderCreated", "order", json!({}), "fetch order"),
        ("CustomerEmailChanged", "customer", json!({"email": "new@example.com", "oldEmail": "old@example.com"}), "email_changed"),
        ("CustomerCustomFieldChanged", "customer", json!({"name": "newsletter", "value": false}), "fetch customer"),
        ("CustomerCreated", "customer", json!({"customer": customer()}), "contact account_created"),
        ("CustomerPasswordTokenCreated", "customer-password-token", json!({"value": "secret"}), "ignored"),
        ("ProductPriceAdded", "product", json!({"staged": true}), "ignored"),
        ("ProductPriceAdded", "product", json!({"staged": false}), "fetch product"),
        ("ProductCreated", "product", json!({"productProjection": with(projection(), json!({"published": false}))}), "ignored"),
        ("ProductCreated", "product", json!({"productProjection": with(projection(), json!({"published": true}))}), "product"),
        ("ProductDeleted", "product", json!({"currentProjection": projection()}), "product_deleted"),
        ("PaymentTransactionStateChanged", "payment", json!({"transactionId": "t", "state": "Success"}), "fetch payment"),
        ("PaymentTransactionStateChanged", "payment", json!({"transactionId": "t", "state": "Failure"}), "ignored"),
        ("PaymentInteractionAdded", "payment", json!({"interaction": {"pan": "secret"}}), "ignored"),
        ("InventoryEntryQuantitySet", "inventory-entry", json!({"sku": "A-1", "newAvailableQuantity": 3}), "fetch sku"),
        ("InventoryEntryQuantitySet", "inventory-entry", json!({}), "fetch inventory-entry"),
        ("InventoryEntryDeleted", "inventory-entry", json!({}), "ignored"),
        ("InventoryEntryDeleted", "inventory-entry", json!({"sku": "A-1"}), "fetch sku"),
        ("InventoryEntryReservationExpirationInMinutesSet", "inventory-entry", json!({"sku": "A-1"}), "ignored"),
        (
            "StandalonePriceValueChanged",
            "standalone-price",
            json!({"staged": false, "resourceUserProvidedIdentifiers": {"sku": "A-1"}}),
            "fetch sku",
        ),
        ("StandalonePriceValueChanged", "standalone-price", json!({"staged": true}), "ignored"),
        ("StandalonePriceActiveChanged", "standalone-price", json!({"active": true}), "fetch standalone-price"),
        ("StandalonePriceKeySet", "standalone-price", json!({"key": "k"}), "ignored"),
        ("ShoppingListLineItemAdded", "shopping-list", json!({"lineItem": {"id": "1"}}), "fetch shopping-list"),
        ("RecurringOrderStateChanged", "recurring-order", json!({"recurringOrderState": "Paused"}), "fetch recurring-order"),
        ("RecurringOrderFailed", "recurring-order", json!({"failureReason": "OutOfStock"}), "fetch recurring-order"),
        ("RecurringOrderDeleted", "recurring-order", json!({}), "ignored"),
        ("VariantPublished", "variant", json!({}), "fetch variant"),
        ("VariantSkuSet", "product", json!({}), "fetch product"),
        ("VariantDeleted", "variant", json!({}), "ignored"),
        ("ReviewCreated", "review", json!({"review": {"id": "r1", "customer": {"typeId": "customer", "id": "c1"}}}), "review_created"),
        ("ReviewCreated", "review", json!({"review": {"id": "r1", "authorName": "somebody"}}), "ignored"),
        ("ReviewRatingSet", "review", json!({"newRating": 4}), "ignored"),
        ("OrderShipmentStateChanged", "order", json!({"shipmentState": "Shipped"}), "order_shipped"),
        ("ParcelTrackingDataUpdated", "order", json!({"parcelId": "p", "trackingData": {"isReturn": true}}), "fetch order"),
        ("DeliveryRemoved", "order", json!({"delivery": {"id": "d", "items": []}}), "fetch order"),
        ("OrderReturnShipmentStateChanged", "order", json!({"returnItemId": "r", "returnShipmentState": "BackInStock"}), "fetch order"),
        ("LineItemStateTransition", "order", json!({"lineItemId": "l"}), "fetch order"),
        ("CustomerGroupAssignmentAdded", "customer", json!({}), "fetch customer"),
        ("CustomerGroupAssignmentAdded", "customer-group", json!({}), "ignored"),
        ("SomethingBrandNew", "order", json!({}), "unknown"),
    ] {
        assert_eq!(end(kind, resource, more), expected, "{kind}");
    }
}

#[test]
fn change_notifications_are_fetched_or_are_deletions() {
    let change = |kind: &str, resource: &str, more: Value| {
        let base = json!({"notificationType": kind, "projectKey": "shop", "resource": {"typeId": resource, "id": "r1"}, "version": 4,
                          "modifiedAt": "2025-06-03T09:00:00.000Z"});
        read(json!({}), &with(base, more))
    };
    assert_eq!(change("ResourceUpdated", "order", json!({})).fetches[0].reason, "ResourceUpdated");
    for resource in ["cart", "shopping-list", "recurring-order", "order-edit", "inventory-entry", "standalone-price", "variant"] {
        assert_eq!(change("ResourceUpdated", resource, json!({})).fetches[0].resource.kind, resource);
        assert!(change("ResourceDeleted", resource, json!({})).ignored[0].known);
    }
    let entry = change("ResourceDeleted", "inventory-entry", json!({"resourceUserProvidedIdentifiers": {"sku": "A-1"}}));
    assert_eq!((entry.fetches[0].resource.kind.as_str(), entry.fetches[0].resource.id.as_str()), ("sku", "A-1"));
    assert!(change("ResourceCreated", "subscription", json!({})).ignored[0].known);
    assert!(!change("ResourceCreated", "spaceship", json!({})).ignored[0].known);
    let plain = change("ResourceDeleted", "customer", json!({}));
    let erased = change("ResourceDeleted", "customer", json!({"dataErasure": true}));
    assert_eq!(plain.records[0].record.body, Body::ContactDeleted(crate::model::ContactDeleted { erase: false }));
    assert_eq!(erased.records[0].record.body, Body::ContactDeleted(crate::model::ContactDeleted { erase: true }));
    assert_ne!(plain.records[0].record.envelope.idempotency_key, erased.records[0].record.envelope.idempotency_key);
    let named = change("ResourceDeleted", "customer", json!({"resourceUserProvidedIdentifiers": {"customerNumber": "K-7"}}));
    assert_eq!(named.records[0].record.envelope.identity.external_ids["customer_number"], "K-7");
    let by_message = read(json!({}), &message("CustomerDeleted", "customer", json!({"email": "a@example.com"})));
    assert_eq!(plain.records[0].record.envelope.idempotency_key, by_message.records[0].record.envelope.idempotency_key);
}

#[test]
fn every_transport_is_opened_and_all_of_them_tell_the_same() {
    let inner = message("CustomerEmailChanged", "customer", json!({"email": "new@example.com"}));
    let key = |document: &Value| one(json!({}), document).envelope.idempotency_key;
    use base64::Engine as _;
    let packed = base64::engine::general_purpose::STANDARD.encode(inner.to_string());
    let expected = key(&inner);
    let cloud = json!({"specversion": "1.0", "id": "m1", "type": "com.commercetools.customer.message.CustomerEmailChanged", "data": inner});
    for document in [
        json!({"Type": "Notification", "TopicArn": "arn", "Message": inner.to_string()}),
        json!({"version": "0", "detail-type": "CustomerEmailChanged", "detail": inner}),
        json!({"message": {"data": packed, "messageId": "1"}, "subscription": "s"}),
        json!({"specversion": "1.0", "data_base64": packed}),
        json!({"Type": "Notification", "TopicArn": "arn", "Message": cloud.to_string()}),
        cloud,
    ] {
        assert_eq!(key(&document), expected, "{document}");
    }
    let handshake = read(json!({}), &json!({"Type": "SubscriptionConfirmation", "TopicArn": "arn", "Message": "You have chosen"}));
    assert_eq!(handshake.ignored[0].what, "SNS SubscriptionConfirmation");
    assert_eq!(rejected(&read(json!({}), &json!({"message": {"data": "!!"}, "subscription": "s"}))), [("record.malformed", "")]);
}

#[test]
fn a_message_with_a_broken_body_names_the_place_in_the_message() {
    let out = read(json!({}), &message("OrderCreated", "order", json!({"order": with(order(0, &[]), json!({"version": "x"}))})));
    assert_eq!(rejected(&out), [("record.malformed", "/order/version")]);
}

#[test]
fn a_bad_row_loses_only_itself() {
    let good = customer().to_string();
    let page = format!(
        r#"{{"limit":5,"offset":0,"count":4,"results":[{good},{{"id":"c2","email":5,"isEmailVerified":true}},{{"id":"c3","x":NaN,"isEmailVerified":true}},{good}],"total":4}}"#
    );
    let out = decode(page.as_bytes());
    assert_eq!(out.records.iter().map(|one| one.position).collect::<Vec<_>>(), [0, 3]);
    assert_eq!(rejected(&out), [("record.malformed", "/email"), ("record.invalid_json", "/x")]);
    assert_eq!(out.rejected[0].resource.as_ref().map(|one| one.id.as_str()), Some("c2"));
    assert_eq!(out.rows, 4);
}

#[test]
fn a_cut_page_keeps_what_came_whole_before_the_cut() {
    let good = customer().to_string();
    let page = format!(r#"{{"results":[{good},{good}]}}"#);
    for (cut, records) in [(page.len() - 20, 1), (page.len() - 2, 2), (page.len() - 1, 2)] {
        let out = decode(&page.as_bytes()[..cut]);
        assert_eq!((out.records.len(), rejected(&out)), (records, vec![("record.truncated", "")]), "cut at {cut}");
    }
}

#[test]
fn bytes_that_are_not_utf8_lose_only_their_row() {
    let good = customer().to_string();
    let mut raw = format!("[{good},{{\"id\":\"c2\",\"isEmailVerified\":true,\"firstName\":\"J").into_bytes();
    raw.push(0xff);
    raw.extend_from_slice(format!("\"}},{good}]").as_bytes());
    let out = decode(&raw);
    assert_eq!((out.records.len(), rejected(&out)), (2, vec![("record.invalid_utf8", "")]));
    assert_eq!(out.rejected[0].resource.as_ref().map(|one| one.id.as_str()), Some("c2"));
}

#[test]
fn hostile_documents_are_rejected_or_read_but_never_sink_the_process() {
    let deep = |levels: usize| format!(r#"{{"id":"c1","isEmailVerified":true,"x":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
    assert_eq!(decode(deep(10_000).as_bytes()).rows, 1);
    let array = "[".repeat(10_000) + &"]".repeat(10_000);
    assert_eq!(decode(array.as_bytes()).rejected.len(), 1);
    let twice = r#"{"id":"c1","isEmailVerified":true,"email":"a@example.com","email":"b@example.com"}"#;
    let out = decode(twice.as_bytes());
    assert_eq!(out.rejected[0].findings[0].message, "duplicate field `email`");
    assert_eq!(rejected(&decode(b"")), [("record.truncated", "")]);
    // Cut in a number, which is no number then; and wrong before its end was missed.
    for (raw, code) in [
        (r#"{"id":"a","version":-"#, "record.truncated"),
        (r#"{"id":"a","version":1."#, "record.truncated"),
        ("{\"id\":\n17", "record.truncated"),
        ("{broken", "record.invalid_json"),
        ("{\"id\":\nbroken", "record.invalid_json"),
    ] {
        assert_eq!(rejected(&decode(raw.as_bytes()))[0].0, code, "{raw}");
    }
    assert_eq!(rejected(&decode(b"nonsense")), [("record.invalid_json", "")]);
    assert_eq!(rejected(&decode(b"[1,2]")), [("record.unsupported", ""), ("record.unsupported", "")]);
}

#[test]
fn a_row_above_the_limit_is_rejected_unread_and_its_neighbours_are_kept() {
    let small = r#"{"id":"c1","isEmailVerified":true}"#;
    let large = format!(r#"{{"id":"c2","isEmailVerified":true,"x":"{}"}}"#, "x".repeat(200));
    let context = DecodeContext { max_record_bytes: 100, ..DecodeContext::at(at()) };
    let out = decode_with(json!({}), context, format!("[{small},{large},{small}]").as_bytes());
    assert_eq!((out.records.len(), rejected(&out)), (2, vec![("record.too_large", "")]));
}

#[test]
fn null_is_absent_everywhere() {
    let document = with(
        order(1000, &[with(line("a", 1000, 1), json!({"discountedPricePerQuantity": null, "taxedPrice": null, "custom": null}))]),
        json!({
            "customLineItems": null, "taxedPrice": null, "shipping": null, "shippingInfo": null, "returnInfo": null, "paymentInfo": null,
            "discountCodes": null, "paymentState": null, "store": null, "completedAt": null
        }),
    );
    assert_eq!(order_of(json!({}), &document).lines.len(), 1);
}

#[test]
fn the_hint_decides_only_for_documents_that_do_not_say() {
    let context = DecodeContext { resource: Some("order"), ..DecodeContext::at(at()) };
    assert_eq!(rejected(&decode_with(json!({}), context, br#"{"id":"x"}"#)), [("record.malformed", "")]);
    let out = decode_with(json!({}), context, customer().to_string().as_bytes());
    assert_eq!(out.records[0].record.body.kind(), "contact");
}

#[test]
fn keys_in_alphabetical_order_make_no_difference() {
    // `serde_json::Value` sorts its keys, so this is the order in which an export writes them.
    let sorted = message("CustomerEmailChanged", "customer", json!({"email": "new@example.com", "notificationType": null}));
    assert_eq!(one(json!({}), &sorted).body.kind(), "event");
    for (document, kind) in [(order(0, &[]), "order"), (customer(), "contact"), (projection(), "product")] {
        assert_eq!(one(json!({}), &document).body.kind(), kind);
    }
}

#[test]
fn the_transports_correlation_id_is_kept() {
    let context = DecodeContext { correlation_id: Some("req-1"), position: 40, ..DecodeContext::at(at()) };
    let out = decode_with(json!({}), context, customer().to_string().as_bytes());
    assert_eq!(out.records[0].record.envelope.correlation_id.as_str(), "req-1");
    assert_eq!(out.records[0].position, 40);
}

#[test]
fn account_created_is_an_event_beside_the_contact() {
    let out = read(json!({}), &message("CustomerCreated", "customer", json!({"customer": customer()})));
    let Body::Event(event) = &out.records[1].record.body else { panic!("not an event") };
    assert_eq!(event.name, EventName::AccountCreated);
    assert_eq!(out.records[1].record.envelope.identity.email.as_deref(), Some("jane@example.com"));
}

/// An order as the platform would calculate it, with everything that can move its total.
fn any_order() -> impl Strategy<Value = Value> {
    let currency = prop_oneof![Just(("EUR", 2u32)), Just(("JPY", 0)), Just(("KWD", 3))];
    let lines = proptest::collection::vec((1i64..2_000_000, 1i64..50, 0i64..100, any::<bool>(), 0i64..25), 0..6);
    let custom = proptest::collection::vec((-50_000i64..50_000, 1i64..4, any::<bool>()), 0..3);
    let shipping = proptest::collection::vec((0i64..5_000, 0i64..1_000, any::<bool>()), 0..3);
    (currency, lines, custom, shipping, 0i64..5_000, any::<bool>(), any::<bool>()).prop_map(
        |((code, digits), lines, custom, shipping, on_total, taxed, typed)| {
            let money = |amount: i64| {
                if typed {
                    json!({"type": "centPrecision", "currencyCode": code, "centAmount": amount, "fractionDigits": digits})
                } else {
                    json!({"currencyCode": code, "centAmount": amount})
                }
            };
            let (mut total, mut added) = (0, 0);
            // A fifth is a tax that comes out in whole minor units often enough; rounding is the platform's business.
            let mut tax = |amount: i64, included: bool| {
                let portion = amount / 5;
                total += amount;
                added += if included { 0 } else { portion };
                let (net, gross) = if included { (amount - portion, amount) } else { (amount, amount + portion) };
                json!({"taxRate": {"amount": 0.2, "includedInPrice": included},
                       "taxedPrice": {"totalNet": money(net), "totalGross": money(gross)}})
            };
            let line_items: Vec<Value> = lines
                .iter()
                .enumerate()
                .map(|(index, &(unit, quantity, off, included, gift))| {
                    let off = off.min(unit);
                    let amount = if gift == 0 { 0 } else { quantity * unit - off };
                    let split = json!([
                        {"quantity": 1, "discountedPrice": {"value": money(unit - off), "includedDiscounts": [{"discount": {"id": "x"}, "discountedAmount": money(off)}]}}
                    ]);
                    with(tax(amount, included), json!({
                        "id": format!("l{index}"), "price": {"value": money(unit)}, "quantity": quantity, "totalPrice": money(amount),
                        "discountedPricePerQuantity": if off == 0 { json!([]) } else { split },
                        "lineItemMode": if gift == 0 { "GiftLineItem" } else { "Standard" }
                    }))
                })
                .collect();
            let custom_items: Vec<Value> = custom
                .iter()
                .enumerate()
                .map(|(index, &(unit, quantity, included))| {
                    let amount = unit * quantity;
                    with(tax(amount, included), json!({"id": format!("c{index}"), "money": money(unit), "quantity": quantity, "totalPrice": money(amount)}))
                })
                .collect();
            let charges: Vec<Value> = shipping
                .iter()
                .map(|&(price, off, included)| {
                    let reduced = (price - off).max(0);
                    let discounted = json!({"value": money(reduced), "includedDiscounts": [{"discount": {"id": "s"}, "discountedAmount": money(price - reduced)}]});
                    with(tax(reduced, included), json!({"price": money(reduced), "discountedPrice": discounted}))
                })
                .collect();
            total -= on_total;
            let (single, several) = match charges.as_slice() {
                [] => (Value::Null, json!([])),
                [one] => (one.clone(), json!([])),
                several => (Value::Null, several.iter().map(|one| json!({"shippingKey": "k", "shippingInfo": one})).collect()),
            };
            let taxed_price = json!({"totalNet": money(0), "totalGross": money(total + added)});
            json!({
                "id": "o", "version": 1, "createdAt": "2025-06-01T10:00:00.000Z", "orderState": "Open", "totalPrice": money(total),
                "lineItems": line_items, "customLineItems": custom_items, "shippingInfo": single, "shipping": several,
                "discountOnTotalPrice": {"discountedAmount": money(on_total), "includedDiscounts": [{"discount": {"id": "t"}, "discountedAmount": money(on_total)}]},
                "taxedPrice": if taxed { taxed_price } else { Value::Null }
            })
        },
    )
}

proptest! {
    #[test]
    fn any_order_the_platform_could_calculate_closes(document in any_order()) {
        let order = order_of(json!({}), &document);
        closes(&order.totals, &order.lines, &order.shipping, &order.discounts);
        let gross = document.pointer("/taxedPrice/totalGross/centAmount").or_else(|| document.pointer("/totalPrice/centAmount"));
        let digits = order.totals.total.currency.digits().unwrap_or_default();
        prop_assert_eq!(order.totals.total.amount, Decimal::new(gross.and_then(Value::as_i64).unwrap_or(i64::MIN), digits));
        // Twice the same bytes, twice the same records.
        prop_assert_eq!(read(json!({}), &document), read(json!({}), &document));
    }

    #[test]
    fn any_bytes_end_as_something(raw in proptest::collection::vec(any::<u8>(), 0..300)) {
        let out = decode(&raw);
        prop_assert!(out.rows >= 1 || raw.is_empty() || out.records.is_empty());
    }

    #[test]
    fn any_change_to_a_page_is_survived(at in any::<proptest::sample::Index>(), byte in any::<u8>(), cut in any::<proptest::sample::Index>(), how in 0u8..3) {
        let page = json!({"limit": 3, "results": [order(1000, &[line("a", 1000, 1)]), customer(), projection(), message("CustomerDeleted", "customer", json!({}))]});
        let mut raw = page.to_string().into_bytes();
        match how {
            0 => { let at = at.index(raw.len()); raw[at] = byte; }
            1 => raw.truncate(cut.index(raw.len())),
            _ => { let (from, to) = (at.index(raw.len()), cut.index(raw.len())); raw.drain(from.min(to)..from.max(to)); }
        }
        let out = decode(&raw);
        let mut positions: Vec<u64> = out.records.iter().map(|one| one.position).collect();
        positions.dedup();
        // Every row of the input is in exactly one of the four.
        prop_assert_eq!(out.rows as usize, positions.len() + out.rejected.len() + out.ignored.len() + out.fetches.len());
    }
}

#[test]
fn a_delivery_is_known_again_by_its_message_in_any_transport_and_a_notification_by_its_version() {
    let source = Commercetools::new(Config { project: "demo".to_owned(), ..Config::default() }).unwrap_or_else(|error| panic!("{error}"));
    let keys = |body: &Value| source.delivery_keys(body.to_string().as_bytes());
    let message = |id: &str| {
        json!({"notificationType": "Message", "projectKey": "demo", "id": id, "version": 1, "sequenceNumber": 1, "resourceVersion": 2,
            "resource": {"typeId": "order", "id": "o1"}, "type": "OrderStateChanged", "orderState": "Complete"})
    };
    let pubsub = json!({"message": {"data": base64(&message("m1").to_string()), "messageId": "p1"}, "subscription": "s"});
    let bare = keys(&message("m1"));
    assert_eq!(bare.len(), 1);
    assert_eq!(keys(&json!({"Type": "Notification", "MessageId": "x", "TopicArn": "t", "Message": message("m1").to_string()})), bare);
    assert_eq!(keys(&pubsub), bare);
    assert_ne!(keys(&message("m2")), bare);
    let mut elsewhere = message("m1");
    elsewhere["projectKey"] = json!("other");
    assert_ne!(keys(&elsewhere), bare);
    let changed = |kind: &str, version: u64| json!({"notificationType": kind, "projectKey": "demo", "resource": {"typeId": "order", "id": "o1"}, "version": version});
    let seven = keys(&changed("ResourceUpdated", 7));
    assert_eq!((seven.len(), keys(&changed("ResourceUpdated", 7)) == seven), (1, true));
    assert!(keys(&changed("ResourceUpdated", 8)) != seven && keys(&changed("ResourceDeleted", 7)) != seven);
    // What cannot be told apart is never a repetition: several messages, a resource, one without an id.
    let mut nameless = message("m1");
    nameless.as_object_mut().map(|message| message.remove("id"));
    for other in
        [json!([message("m1"), message("m2")]), json!({"id": "c1", "version": 1, "email": "a@example.com"}), nameless, json!("text")]
    {
        assert!(keys(&other).is_empty(), "{other}");
    }
    assert!(source.delivery_keys(b"\xff").is_empty() && source.delivery_keys(b"").is_empty());
}

fn base64(text: &str) -> String {
    use ::base64::Engine as _;
    ::base64::engine::general_purpose::STANDARD.encode(text)
}
