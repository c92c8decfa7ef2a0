//! Every code: one record that breaks the rule, one that only nearly does.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{Config, Kinds, MAX_PER_CODE, Policy, RULES, validate};
use crate::model::{
    Body, Currency, Discount, DiscountKind, Finding, FindingCode, GiftCertificate, Identity, LineItem, Mode, Money, Order, Record,
    Severity, ShippingCharge,
};

fn record(body: Value) -> Record {
    let value = json!({
        "envelope": {
            "source": "shop", "tenant": "demo", "resource": {"type": "thing", "id": "1"},
            "occurred_at": "2026-05-01T12:00:00Z", "observed_at": "2026-05-01T12:00:00Z",
            "market": {"country": "DE", "locale": "de-DE", "currency": "EUR"},
            "identity": {"customer_id": "c-1", "email": "joe@example.com", "phone": "+4930123456"},
            "correlation_id": "x", "idempotency_key": "y"
        },
        "body": body
    });
    serde_json::from_value(value).unwrap()
}

fn line(id: &str, quantity: i64, unit_price: &str, total: &str) -> Value {
    json!({
        "id": id, "sku": format!("SKU-{id}"), "name": "Mug", "quantity": quantity,
        "unit_list_price": eur(unit_price), "unit_price": eur(unit_price), "total": eur(total)
    })
}

fn eur(amount: &str) -> Value {
    json!({"amount": amount, "currency": "EUR"})
}

/// 2 × 10.00 + 5.50, 4.90 shipping, 3.00 off, a certificate of 2.00: 25.40.
fn order() -> Record {
    record(json!({
        "type": "order", "id": "o-1", "placed_at": "2026-05-01T12:00:00Z", "status": "open",
        "payment_status": "paid", "shipping_status": "pending",
        "lines": [line("a", 2, "10.00", "20.00"), line("b", 1, "5.50", "5.50")],
        "shipping": [{"amount": eur("4.90")}],
        "discounts": [{"kind": "cart", "amount": eur("3.00")}],
        "gift_certificates": [{"amount": eur("2.00")}],
        "totals": {
            "subtotal": eur("25.50"), "shipping": eur("4.90"), "discount": eur("5.00"),
            "tax": eur("4.06"), "tax_added": eur("0"), "total": eur("25.40")
        },
        "shipping_address": {"country": "DE"}
    }))
}

fn cart() -> Record {
    record(json!({
        "type": "cart", "id": "k-1", "state": "active", "lines": [line("a", 1, "5.50", "5.50")],
        "totals": {"subtotal": eur("5.50"), "shipping": eur("0"), "discount": eur("0"), "tax_added": eur("0"), "total": eur("5.50")}
    }))
}

fn contact() -> Record {
    record(json!({
        "type": "contact", "first_name": "Joe", "addresses": [{"country": "CH"}],
        "consents": [{"channel": "email", "status": "granted", "at": "2026-04-01T00:00:00Z"}]
    }))
}

fn product() -> Record {
    let mut record = record(json!({
        "type": "product", "id": "p-1", "name": "Mug", "published": true,
        "variants": [{"id": "1", "sku": "MUG", "price": {"list": eur("9.90")}, "prices": [
            {"list": eur("9.90"), "sale": eur("7.90"), "tiers": [{"minimum_quantity": 10, "price": eur("6.90")}]},
            {"list": {"amount": "11.00", "currency": "USD"}}
        ]}]
    }));
    record.envelope.identity = Identity::default();
    record
}

fn category() -> Record {
    let mut record = record(json!({"type": "category", "id": "mugs", "name": "Mugs"}));
    record.envelope.identity = Identity::default();
    record
}

fn event() -> Record {
    record(json!({"type": "event", "name": "product_viewed", "value": eur("5.50"), "lines": [line("a", 1, "5.50", "5.50")]}))
}

fn refund() -> Record {
    record(json!({
        "type": "refund", "id": "r-1", "amount": eur("5.50"), "refunded_at": "2026-05-01T12:00:00Z",
        "lines": [{"line_id": "a", "quantity": 1, "amount": eur("5.50")}]
    }))
}

fn goods_back() -> Record {
    record(json!({"type": "return", "id": "r-1", "order_id": "o-1", "items": [{"id": "i", "line_id": "a", "quantity": 1}]}))
}

fn shipment() -> Record {
    record(json!({
        "type": "shipment", "id": "s-1", "order_id": "o-1", "status": "shipped", "address": {"country": "AT"},
        "lines": [{"line_id": "a", "quantity": 1}]
    }))
}

/// Changes one place of a record, by JSON pointer; `Null` removes the member.
fn with(record: &Record, changes: &[(&str, Value)]) -> Record {
    let mut value = serde_json::to_value(record).unwrap();
    for (pointer, new) in changes {
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        match value.pointer_mut(parent).unwrap_or_else(|| panic!("nothing at {parent}")) {
            Value::Object(object) if new.is_null() => drop(object.remove(member)),
            Value::Object(object) => drop(object.insert(member.to_owned(), new.clone())),
            Value::Array(list) if member == "-" => list.push(new.clone()),
            Value::Array(list) => list[member.parse::<usize>().unwrap()] = new.clone(),
            other => panic!("{other} has no members"),
        }
    }
    serde_json::from_value(value).unwrap()
}

fn judge_with(record: &Record, config: &Config) -> Vec<Finding> {
    validate(record, &config.context("2026-05-01T12:00:00Z".parse().unwrap()))
}

fn judge(record: &Record) -> Vec<Finding> {
    judge_with(record, &Config::default())
}

/// A code, a sound record, the change that breaks it and where the finding points; then changes that only nearly do.
struct Case {
    code: &'static str,
    base: fn() -> Record,
    broken: Vec<(&'static str, Value)>,
    pointer: &'static str,
    near: Vec<Vec<(&'static str, Value)>>,
}

fn case(code: &'static str, base: fn() -> Record, broken: Vec<(&'static str, Value)>, pointer: &'static str) -> Case {
    Case { code, base, broken, pointer, near: Vec::new() }
}

impl Case {
    fn near(mut self, changes: Vec<(&'static str, Value)>) -> Self {
        self.near.push(changes);
        self
    }
}

fn cases() -> Vec<Case> {
    const EMAIL: &str = "/envelope/identity/email";
    const CONSENT_AT: &str = "/body/consents/0/at";
    const TOTAL: &str = "/body/totals/total";
    let nobody = || vec![("/envelope/identity", json!({}))];
    let session = || json!({"anonymous_id": "session-1"});
    vec![
        case("identity.missing", order, nobody(), "/envelope/identity").near(vec![("/envelope/identity", session())]),
        case("identity.missing", cart, nobody(), "/envelope/identity").near(vec![("/envelope/identity", session())]),
        case("identity.missing", event, nobody(), "/envelope/identity")
            .near(vec![("/envelope/identity", session())])
            .near(vec![("/envelope/identity", json!({})), ("/body/name", json!("price_dropped"))])
            .near(vec![("/envelope/identity", json!({})), ("/body/name", json!("back_in_stock"))]),
        case(
            "identity.missing",
            contact,
            vec![("/envelope/identity", json!({"customer_id": " ", "external_ids": {"crm": ""}}))],
            "/envelope/identity",
        )
        .near(vec![("/envelope/identity", json!({"external_ids": {"crm": "7"}}))]),
        case("identity.missing", refund, nobody(), "/envelope/identity"),
        case("identity.missing", goods_back, nobody(), "/envelope/identity"),
        case("identity.missing", shipment, nobody(), "/envelope/identity"),
        case("email.invalid", contact, vec![(EMAIL, json!("joe@localhost"))], EMAIL).near(vec![(EMAIL, json!("joe@mail.example"))]),
        case("email.invalid", contact, vec![(EMAIL, json!(""))], EMAIL).near(vec![(EMAIL, Value::Null)]),
        case(
            "email.invalid",
            contact,
            vec![(EMAIL, Value::Null), ("/envelope/identity/email_original", json!("Joe at home"))],
            "/envelope/identity/email_original",
        )
        .near(vec![("/envelope/identity/email_original", json!("Joe@Example.com"))]),
        case("phone.invalid", contact, vec![("/envelope/identity/phone", json!("030 123456"))], "/envelope/identity/phone")
            .near(vec![("/envelope/identity/phone", json!("+123456789012345"))])
            .near(vec![("/envelope/identity/phone", json!("+6834000"))]),
        case("phone.invalid", contact, vec![("/envelope/identity/phone", json!("+1234567890123456"))], "/envelope/identity/phone"),
        case("phone.invalid", contact, vec![("/envelope/identity/phone", json!("+0301234567"))], "/envelope/identity/phone"),
        case(
            "phone.invalid",
            contact,
            vec![("/envelope/identity/phone", Value::Null), ("/envelope/identity/phone_original", json!("ask my mother"))],
            "/envelope/identity/phone_original",
        )
        .near(vec![("/envelope/identity/phone_original", json!("030 123456"))]),
        case("timestamp.future", order, vec![("/envelope/occurred_at", json!("2026-05-01T12:05:01Z"))], "/envelope/occurred_at")
            .near(vec![("/envelope/occurred_at", json!("2026-05-01T12:05:00Z"))]),
        case("locale.invalid", order, vec![("/envelope/market/locale", json!("de_DE"))], "/envelope/market/locale")
            .near(vec![("/envelope/market/locale", json!("zh-Hant-TW"))])
            .near(vec![("/envelope/market/locale", json!("de-DE-u-co-phonebk"))]),
        case("locale.invalid", order, vec![("/envelope/market/locale", json!("german"))], "/envelope/market/locale")
            .near(vec![("/envelope/market/locale", json!("de"))]),
        case("locale.invalid", order, vec![("/envelope/market/locale", json!(""))], "/envelope/market/locale")
            .near(vec![("/envelope/market/locale", Value::Null)]),
        case("locale.invalid", order, vec![("/envelope/market/locale", json!("de-DE-u"))], "/envelope/market/locale"),
        case("locale.invalid", order, vec![("/envelope/market/locale", json!("d-DE"))], "/envelope/market/locale"),
        case("country.invalid", order, vec![("/envelope/market/country", json!("UK"))], "/envelope/market/country")
            .near(vec![("/envelope/market/country", json!("GB"))])
            .near(vec![("/envelope/market/country", json!("XK"))])
            .near(vec![("/envelope/market/country", json!("SS"))]),
        case("country.invalid", order, vec![("/body/shipping_address/country", json!("Germany"))], "/body/shipping_address/country"),
        case("country.invalid", order, vec![("/body/billing_address", json!({"country": ""}))], "/body/billing_address/country"),
        case("country.invalid", cart, vec![("/body/shipping_address", json!({"country": "de"}))], "/body/shipping_address/country"),
        case("country.invalid", contact, vec![("/body/addresses/0/country", json!("ZZ"))], "/body/addresses/0/country"),
        case("country.invalid", shipment, vec![("/body/address/country", json!("AUT"))], "/body/address/country"),
        case(
            "money.unknown_currency",
            product,
            vec![("/body/variants/0/prices/1/list/currency", json!("QQQ"))],
            "/body/variants/0/prices/1/list/currency",
        )
        .near(vec![("/body/variants/0/prices/1/list/currency", json!("KWD"))]),
        case("money.unknown_currency", category, vec![("/envelope/market/currency", json!("ABC"))], "/envelope/market/currency")
            .near(vec![("/envelope/market/currency", json!("JPY"))]),
        case(
            "money.unknown_currency",
            refund,
            vec![("/body/amount/currency", json!("QQQ")), ("/body/lines/0/amount/currency", json!("QQQ"))],
            "/body/amount/currency",
        ),
        case("money.mixed_currencies", order, vec![("/body/lines/1/total/currency", json!("USD"))], "/body/lines/1/total/currency")
            .near(vec![("/body/attributes", json!({"budget": {"type": "money", "value": {"amount": "1", "currency": "USD"}}}))])
            .near(vec![("/envelope/market/currency", json!("USD"))]),
        case(
            "money.mixed_currencies",
            order,
            vec![("/body/coupons", json!([{"code": "X", "amount": {"amount": "1", "currency": "USD"}}]))],
            "/body/coupons/0/amount/currency",
        ),
        case(
            "money.mixed_currencies",
            order,
            vec![(
                "/body/refunds",
                json!([{"id": "r", "amount": {"amount": "1", "currency": "USD"}, "refunded_at": "2026-05-01T12:00:00Z"}]),
            )],
            "/body/refunds/0/amount/currency",
        ),
        case(
            "money.mixed_currencies",
            order,
            vec![("/body/taxes", json!([{"rate": "0.19", "amount": {"amount": "1", "currency": "USD"}}]))],
            "/body/taxes/0/amount/currency",
        ),
        case("money.mixed_currencies", order, vec![("/body/totals/tax/currency", json!("USD"))], "/body/totals/tax/currency"),
        case(
            "money.mixed_currencies",
            order,
            vec![("/body/shipping/0/tax", json!({"amount": "1", "currency": "USD"}))],
            "/body/shipping/0/tax/currency",
        ),
        case(
            "money.mixed_currencies",
            order,
            vec![("/body/gift_certificates/0/amount/currency", json!("USD"))],
            "/body/gift_certificates/0/amount/currency",
        ),
        case(
            "money.mixed_currencies",
            cart,
            vec![("/body/lines/0/discounts", json!([{"kind": "cart", "amount": {"amount": "0", "currency": "USD"}}]))],
            "/body/lines/0/discounts/0/amount/currency",
        ),
        case(
            "money.mixed_currencies",
            refund,
            vec![("/body/shipping", json!({"amount": "1", "currency": "USD"}))],
            "/body/shipping/currency",
        ),
        case(
            "money.mixed_currencies",
            event,
            vec![("/body/lines/0/unit_price/currency", json!("USD"))],
            "/body/lines/0/unit_price/currency",
        ),
        case("value.unknown", order, vec![("/body/status", json!("on_hold"))], "/body/status")
            .near(vec![("/body/status", json!("cancelled"))]),
        case("value.unknown", order, vec![("/body/payment_status", json!("lost"))], "/body/payment_status")
            .near(vec![("/body/payment_status", Value::Null)]),
        case("value.unknown", order, vec![("/body/shipping_status", json!("lost"))], "/body/shipping_status"),
        case(
            "value.unknown",
            order,
            vec![("/body/shipments", json!([{"id": "s", "order_id": "o-1", "status": "lost"}]))],
            "/body/shipments/0/status",
        ),
        case("value.unknown", cart, vec![("/body/state", json!("Parked"))], "/body/state").near(vec![("/body/state", json!("frozen"))]),
        case("value.unknown", shipment, vec![("/body/status", json!("eaten"))], "/body/status").near(vec![("/body/status", Value::Null)]),
        case("value.unknown", contact, vec![("/body/consents/0/channel", json!("fax"))], "/body/consents/0/channel")
            .near(vec![("/body/consents/0/channel", json!("whatsapp"))]),
        case("consent.undated", contact, vec![(CONSENT_AT, Value::Null)], CONSENT_AT)
            .near(vec![("/body/consents/0", json!({"channel": "email", "status": "denied"}))])
            .near(vec![("/body/consents/0", json!({"channel": "email", "status": "pending"}))])
            .near(vec![("/body/consents/0", json!({"channel": "email", "status": "unknown"}))]),
        case("consent.future", contact, vec![(CONSENT_AT, json!("2026-05-01T12:05:01Z"))], CONSENT_AT)
            .near(vec![(CONSENT_AT, json!("2026-05-01T12:05:00Z"))])
            .near(vec![("/body/consents/0", json!({"channel": "email", "status": "denied", "at": "2027-01-01T00:00:00Z"}))]),
        case("name.missing", product, vec![("/body/name", Value::Null)], "/body/name").near(vec![("/body/name", json!("M"))]),
        case("name.missing", category, vec![("/body/name", json!(" "))], "/body/name"),
        case("name.missing", order, vec![("/body/lines/1/name", Value::Null)], "/body/lines/1/name"),
        case("product.no_variant", product, vec![("/body/variants", Value::Null)], "/body/variants")
            .near(vec![("/body/variants", json!([{"id": "1"}]))]),
        case("price.negative", product, vec![("/body/variants/0/price/list/amount", json!("-0.01"))], "/body/variants/0/price/list")
            .near(vec![("/body/variants/0/price/list/amount", json!("0"))])
            .near(vec![("/body/variants/0/price/list/amount", json!("-0.00"))]),
        case("price.negative", product, vec![("/body/variants/0/prices/0/sale/amount", json!("-1"))], "/body/variants/0/prices/0/sale"),
        case(
            "price.negative",
            product,
            vec![("/body/variants/0/prices/0/tiers/0/price/amount", json!("-1"))],
            "/body/variants/0/prices/0/tiers/0/price",
        ),
        case("price.negative", order, vec![("/body/lines/0/unit_list_price/amount", json!("-10.00"))], "/body/lines/0/unit_list_price")
            .near(vec![("/body/lines/0/kind", json!("custom")), ("/body/lines/0/unit_list_price/amount", json!("-10.00"))]),
        case("order.empty", order, vec![("/body/lines", Value::Null), (TOTAL, eur("-0.10"))], "/body/lines")
            .near(vec![("/body/lines", json!([line("a", 1, "5.50", "5.50")])), (TOTAL, eur("5.40"))]),
        case("line.duplicate_id", order, vec![("/body/lines/1/id", json!("a"))], "/body/lines/1/id")
            .near(vec![("/body/lines/1/id", json!("A"))]),
        case("line.quantity_invalid", order, vec![("/body/lines/1/quantity", json!(0))], "/body/lines/1/quantity"),
        case("line.quantity_invalid", order, vec![("/body/lines/1/quantity", json!(-1))], "/body/lines/1/quantity")
            .near(vec![("/body/lines/1/quantity", json!(1))]),
        case("line.quantity_invalid", cart, vec![("/body/lines/0/quantity", json!(0))], "/body/lines/0/quantity"),
        case("line.quantity_invalid", shipment, vec![("/body/lines/0/quantity", json!(0))], "/body/lines/0/quantity"),
        case("line.quantity_invalid", goods_back, vec![("/body/items/0/quantity", json!(0))], "/body/items/0/quantity"),
        case("line.quantity_invalid", refund, vec![("/body/lines/0/quantity", json!(-1))], "/body/lines/0/quantity")
            .near(vec![("/body/lines/0/quantity", json!(0))]),
        case("line.sku_missing", order, vec![("/body/lines/0/sku", Value::Null)], "/body/lines/0/sku")
            .near(vec![("/body/lines/0/sku", Value::Null), ("/body/lines/0/kind", json!("custom"))])
            .near(vec![("/body/lines/0/sku", Value::Null), ("/body/lines/0/kind", json!("fee"))])
            .near(vec![("/body/lines/0/sku", Value::Null), ("/body/lines/0/kind", json!("gift_certificate"))]),
        case("line.sku_missing", event, vec![("/body/lines/0/sku", json!(""))], "/body/lines/0/sku"),
        // 2 × 10.00 = 20.00; two cents are tolerated for two units.
        case("line.total_mismatch", order, vec![("/body/lines/0/unit_price", eur("10.02"))], "/body/lines/0/total")
            .near(vec![("/body/lines/0/unit_price", eur("10.01"))])
            .near(vec![("/body/lines/0/unit_price", eur("9.99"))]),
        case(
            "line.total_mismatch",
            order,
            vec![("/body/lines/0/discounts", json!([{"kind": "cart", "amount": eur("1.00")}]))],
            "/body/lines/0/total",
        )
        .near(vec![("/body/lines/0/discounts", json!([{"kind": "product", "amount": eur("1.00")}]))])
        .near(vec![
            ("/body/lines/0/unit_price", eur("10.50")),
            ("/body/lines/0/discounts", json!([{"kind": "coupon", "amount": eur("0.40")}, {"kind": "manual", "amount": eur("0.60")}])),
        ]),
        case("line.total_mismatch", event, vec![("/body/lines/0/total", eur("0"))], "/body/lines/0/total")
            .near(vec![("/body/lines/0/total", eur("0")), ("/body/lines/0/kind", json!("gift"))])
            .near(vec![("/body/lines/0/total", eur("0")), ("/body/lines/0/kind", json!("bundle_child"))])
            .near(vec![
                ("/body/lines/0/kind", json!("custom")),
                ("/body/lines/0/unit_price", eur("-5.50")),
                ("/body/lines/0/total", eur("-5.50")),
            ]),
        case("order.total_mismatch", order, vec![(TOTAL, eur("25.41"))], TOTAL)
            .near(vec![(TOTAL, eur("25.4"))])
            .near(vec![(TOTAL, eur("25.4049"))])
            // Half a cent too much in the sum: shops that round down and shops that round half to even say 25.40.
            .near(vec![("/body/shipping/0/amount", eur("4.905"))])
            .near(vec![("/body/shipping/0/amount", eur("4.905")), (TOTAL, eur("25.41"))]),
        case("order.total_mismatch", order, vec![("/body/totals/tax_added", eur("4.06"))], TOTAL)
            .near(vec![("/body/totals/tax_added", eur("4.06")), (TOTAL, eur("29.46"))]),
        case("order.total_mismatch", order, vec![("/body/discounts/0/amount", eur("3.006"))], TOTAL)
            .near(vec![("/body/discounts/0/amount", eur("3.004"))]),
        case("order.total_mismatch", cart, vec![(TOTAL, eur("5.49"))], TOTAL).near(vec![
            (
                "/body/lines/-",
                json!({
                    "id": "c", "kind": "custom", "name": "Correction", "quantity": 1,
                    "unit_list_price": eur("-0.01"), "unit_price": eur("-0.01"), "total": eur("-0.01")
                }),
            ),
            (TOTAL, eur("5.49")),
        ]),
    ]
}

#[test]
fn sound_records_of_every_kind_have_no_findings() {
    for record in [order(), cart(), contact(), product(), category(), event(), refund(), goods_back(), shipment()] {
        assert_eq!(judge(&record), [], "{}", record.body.kind());
    }
    for body in [
        json!({"type": "contact_deleted", "erase": true}),
        json!({"type": "product_deleted", "id": "p"}),
        json!({"type": "category_deleted", "id": "c"}),
    ] {
        assert_eq!(judge(&record(body)), []);
    }
}

#[test]
fn what_breaks_a_rule_is_found_where_it_is_and_nothing_else_is() {
    for case in cases() {
        let broken = with(&(case.base)(), &case.broken);
        let found = judge(&broken);
        let code = FindingCode::from_name(case.code).unwrap();
        let [finding] = found.as_slice() else { panic!("{} {:?}: {found:?}", case.code, case.broken) };
        assert_eq!((finding.code, finding.pointer.as_str()), (code, case.pointer), "{:?}", case.broken);
        assert_eq!(finding.severity, code.severity());
        assert!(!finding.message.ends_with('.') && !finding.message.is_empty());
    }
}

#[test]
fn what_nearly_breaks_a_rule_is_not_found() {
    for case in cases() {
        for near in &case.near {
            let found = judge(&with(&(case.base)(), near));
            assert!(found.iter().all(|finding| finding.code.name() != case.code), "{} {near:?}: {found:?}", case.code);
        }
    }
}

/// Codes no rule of validation reports, and who does. Their own stages test them.
const ELSEWHERE: &[(&str, &str)] = &[
    ("record.malformed", "a source: there is no record yet"),
    ("record.invalid_json", "a source: there is no record yet"),
    ("record.invalid_utf8", "a source: there is no record yet"),
    ("record.truncated", "a source: there is no record yet"),
    ("record.too_large", "a source: there is no record yet"),
    ("record.unsupported", "a source: there is no record yet"),
    ("document.incomplete", "a source: what is missing is not in the record"),
    ("order.adjusted", "a source: the difference stands in the record, which adds up"),
    ("destination.field_dropped", "a destination: the rule is the vendor's"),
    ("destination.identity_unusable", "a destination: the rule is the vendor's"),
    ("destination.value_unsupported", "a destination: the rule is the vendor's"),
];

#[test]
fn every_code_has_a_rule_a_record_that_breaks_it_and_one_that_nearly_does() {
    let cases = cases();
    for code in FindingCode::ALL {
        let elsewhere = ELSEWHERE.iter().any(|(name, _)| *name == code.name());
        let rules = RULES.iter().filter(|rule| rule.code == *code).count();
        assert_eq!(rules, usize::from(!elsewhere), "rules for {}", code.name());
        if !elsewhere {
            assert!(cases.iter().any(|case| case.code == code.name()), "no record breaks {}", code.name());
            assert!(cases.iter().any(|case| case.code == code.name() && !case.near.is_empty()), "no record nearly breaks {}", code.name());
        }
    }
    for (name, _) in ELSEWHERE {
        assert!(FindingCode::from_name(name).is_some(), "{name} is no code");
    }
    for case in &cases {
        assert!(FindingCode::from_name(case.code).is_some(), "{} is no code", case.code);
    }
}

#[test]
fn kinds_name_the_words_of_the_model() {
    for record in [order(), cart(), contact(), product(), category(), event(), refund(), goods_back(), shipment()] {
        assert_eq!(Kinds::of(&record.body).names().collect::<Vec<_>>(), [record.body.kind()]);
    }
    assert_eq!(Kinds::ALL.names().collect::<Vec<_>>(), Body::KINDS);
    let identity = RULES.iter().find(|rule| rule.code == FindingCode::IdentityMissing).unwrap();
    let nobodys = ["product", "product_deleted", "category", "category_deleted"];
    assert!(identity.kinds.names().all(|kind| !nobodys.contains(&kind)));
    assert_eq!(identity.kinds.names().count(), Body::KINDS.len() - nobodys.len());
}

#[test]
fn both_figures_of_a_sum_are_in_the_message() {
    let found = judge(&with(&order(), &[("/body/totals/total", eur("25.41"))]));
    assert!(found[0].message.contains("25.40 EUR") && found[0].message.contains("25.41 EUR"), "{}", found[0].message);
    let found = judge(&with(&order(), &[("/body/lines/0/unit_price", eur("11.00"))]));
    assert!(found[0].message.contains("22.00 EUR") && found[0].message.contains("20.00 EUR"), "{}", found[0].message);
}

#[test]
fn no_message_holds_a_personal_value() {
    let private = [
        ("/envelope/identity/email", json!("secret-mail@localhost")),
        ("/envelope/identity/phone", json!("secret-phone")),
        ("/body/addresses/0/country", json!("secret-country")),
        ("/envelope/market/locale", json!("secret_locale")),
        ("/body/consents/0/channel", json!("secret@example.com")),
    ];
    let found = judge(&with(&contact(), &private));
    assert_eq!(found.len(), 5);
    assert!(found.iter().all(|finding| !finding.message.contains("secret")), "{found:?}");
}

#[test]
fn policy_rejects_warns_and_ignores() {
    let no_sku = with(&order(), &[("/body/lines/0/sku", Value::Null), ("/body/totals/total", eur("1.00"))]);
    let config = |json: &str| Config { policy: serde_json::from_str(json).unwrap(), ..Config::default() };
    let found = judge_with(&no_sku, &config(r#"{"line.sku_missing": "reject", "order.total_mismatch": "warn"}"#));
    assert_eq!(found.iter().map(|finding| finding.severity).collect::<Vec<_>>(), [Severity::Error, Severity::Warning]);
    let found = judge_with(&no_sku, &config(r#"{"line.sku_missing": "ignore", "order.total_mismatch": "ignore"}"#));
    assert_eq!(found, []);
}

#[test]
fn settings_refuse_what_they_do_not_know() {
    assert!(serde_json::from_str::<Config>(r#"{"polciy": {}}"#).is_err());
    let config: Config = serde_json::from_str(r#"{"policy": {"phone.invalid": "ignore"}, "future_tolerance_s": 0}"#).unwrap();
    assert_eq!(serde_json::to_string(&config).unwrap(), r#"{"policy":{"phone.invalid":"ignore"},"future_tolerance_s":0}"#);
    assert_eq!(serde_json::from_str::<Config>("{}").unwrap(), Config::default());
    let schema = serde_json::to_value(schemars::schema_for!(Config)).unwrap();
    let policy = &schema["$defs"]["ValidatePolicy"];
    assert_eq!(policy["properties"]["consent.future"]["enum"], json!(["reject"]));
    assert_eq!(policy["properties"].as_object().unwrap().len(), FindingCode::ALL.len());
}

#[test]
fn a_tolerance_of_zero_takes_the_present_and_no_second_more() {
    let config = Config { future_tolerance_s: 0, ..Config::default() };
    assert_eq!(judge_with(&order(), &config), []);
    let ahead = with(&order(), &[("/envelope/occurred_at", json!("2026-05-01T12:00:01Z"))]);
    assert_eq!(judge_with(&ahead, &config).len(), 1);
}

#[test]
fn an_instant_at_the_end_of_time_is_only_in_the_future() {
    let mut record = order();
    record.envelope.occurred_at = chrono::DateTime::<chrono::Utc>::MAX_UTC;
    assert_eq!(judge(&record).len(), 1);
    record.envelope.occurred_at = chrono::DateTime::<chrono::Utc>::MIN_UTC;
    assert_eq!(judge(&record), []);
}

#[test]
fn one_code_does_not_flood_the_report_and_says_how_many_more_there_are() {
    let lines: Vec<Value> = (0..50).map(|index| line(&index.to_string(), 1, "1.00", "1.00")).collect();
    let mut flood = with(&cart(), &[("/body/lines", json!(lines)), ("/body/totals/total", eur("50.00"))]);
    if let Body::Cart(cart) = &mut flood.body {
        cart.lines.iter_mut().for_each(|line| line.sku = None);
    }
    let found = judge(&flood);
    assert_eq!(found.len(), MAX_PER_CODE);
    assert!(found[MAX_PER_CODE - 1].message.ends_with("; and 30 more of this kind"), "{}", found[MAX_PER_CODE - 1].message);
}

#[test]
fn duplicate_ids_are_found_in_carts_of_every_size() {
    for size in [2, 40, 512, 513, 2000] {
        let template: LineItem = serde_json::from_value(line("x", 1, "0", "0")).unwrap();
        let mut record = cart();
        let Body::Cart(cart) = &mut record.body else { unreachable!() };
        cart.lines = (0..size).map(|index| LineItem { id: format!("line-{index}"), ..template.clone() }).collect();
        cart.totals.total.amount = Decimal::ZERO;
        assert_eq!(judge(&record), [], "{size}");
        let Body::Cart(cart) = &mut record.body else { unreachable!() };
        cart.lines[size - 1].id = "line-0".into();
        let found = judge(&record);
        assert_eq!(found.len(), 1, "{size}");
        assert_eq!(found[0].pointer, format!("/body/lines/{}/id", size - 1));
        assert!(found[0].message.contains("line 0"));
    }
}

#[test]
fn sums_beyond_the_range_of_decimals_are_findings_not_panics() {
    let huge = Value::String(Decimal::MAX.to_string());
    let changes = [
        ("/body/lines/0/total/amount", huge.clone()),
        ("/body/lines/0/unit_price/amount", huge.clone()),
        ("/body/lines/1/total/amount", huge),
    ];
    let found = judge(&with(&order(), &changes));
    let codes: Vec<_> = found.iter().map(|finding| finding.code.name()).collect();
    assert!(codes.contains(&"order.total_mismatch") && codes.contains(&"line.total_mismatch"), "{codes:?}");
}

#[test]
fn minor_units_are_those_of_the_currency() {
    // Three thirds of a yen short of 100 yen is a whole yen off; three thirds of a hundredth are not.
    for (currency, amount, total, closes) in
        [("JPY", "99.6", "100", true), ("JPY", "99.4", "100", false), ("KWD", "1.2344", "1.234", true), ("KWD", "1.2346", "1.234", false)]
    {
        let money = |amount: &str| json!({"amount": amount, "currency": currency});
        let record = with(
            &cart(),
            &[
                ("/body/lines/0/unit_price", money(amount)),
                ("/body/lines/0/unit_list_price", money(amount)),
                ("/body/lines/0/total", money(amount)),
                (
                    "/body/totals",
                    json!({"subtotal": money(amount), "shipping": money("0"), "discount": money("0"), "tax_added": money("0"), "total": money(total)}),
                ),
            ],
        );
        assert_eq!(judge(&record).is_empty(), closes, "{currency} {amount}");
    }
}

#[test]
fn backfill_is_judged_as_live_is() {
    let mut record = with(&order(), &[("/body/totals/total", eur("1"))]);
    let live = judge(&record);
    record.envelope.mode = Mode::Backfill;
    assert_eq!(judge(&record), live);
}

#[test]
fn a_default_policy_changes_nothing() {
    assert_eq!(format!("{:?}", Policy::default()), "{}");
}

/// An order built from its parts, so that it closes: amounts in millionths, the total rounded to the minor unit.
fn closing_order(
    currency: &str,
    lines: &[(i64, i64)],
    shipping: &[i64],
    discounts: &[i64],
    certificates: &[i64],
    tax: i64,
) -> (Record, Decimal) {
    let currency = Currency::parse(currency).unwrap();
    let money = |millionths: i64| Money::new(Decimal::new(millionths, 6), currency);
    let mut record = order();
    let Body::Order(order) = &mut record.body else { unreachable!() };
    let template: LineItem = serde_json::from_value(line("x", 1, "0", "0")).unwrap();
    order.lines = lines
        .iter()
        .enumerate()
        .map(|(index, (quantity, unit))| LineItem {
            id: index.to_string(),
            quantity: *quantity,
            unit_list_price: money(*unit),
            unit_price: money(*unit),
            total: money(quantity * unit),
            ..template.clone()
        })
        .collect();
    let charge = |amount: &i64| ShippingCharge {
        key: None,
        method: None,
        amount: money(*amount),
        discounts: Vec::new(),
        tax: None,
        tax_included: None,
    };
    order.shipping = shipping.iter().map(charge).collect();
    order.discounts = discounts
        .iter()
        .map(|amount| Discount { kind: DiscountKind::Cart, id: None, code: None, name: None, amount: money(*amount) })
        .collect();
    order.gift_certificates = certificates.iter().map(|amount| GiftCertificate { id: None, amount: money(*amount) }).collect();
    let sum = lines.iter().map(|(quantity, unit)| quantity * unit).sum::<i64>() + shipping.iter().sum::<i64>() + tax
        - discounts.iter().sum::<i64>()
        - certificates.iter().sum::<i64>();
    let zero = money(0);
    let totals = &mut order.totals;
    (totals.subtotal, totals.shipping, totals.discount, totals.tax, totals.tax_added) = (zero, zero, zero, None, money(tax));
    totals.total = money(sum).rounded();
    let unit = Decimal::new(1, currency.digits().unwrap());
    (record, unit)
}

fn mismatches(record: &Record) -> usize {
    judge(record).iter().filter(|finding| finding.code == FindingCode::OrderTotalMismatch).count()
}

proptest! {
    #[test]
    fn an_order_that_closes_is_never_refused_and_a_minor_unit_more_or_less_always_is(
        currency in prop::sample::select(vec!["EUR", "JPY", "KWD", "USD"]),
        lines in prop::collection::vec((1i64..50, -2_000_000i64..900_000_000), 1..12),
        shipping in prop::collection::vec(0i64..20_000_000, 0..3),
        discounts in prop::collection::vec(0i64..50_000_000, 0..3),
        certificates in prop::collection::vec(0i64..50_000_000, 0..2),
        tax in 0i64..90_000_000,
        minor_units_only in any::<bool>(),
        steps in prop_oneof![Just(1i64), Just(-1), 2i64..100_000, -100_000i64..-1],
    ) {
        // Half of the orders hold no fraction of a minor unit, as most shops' do.
        let (micro, digits) = (1_000_000i64, Currency::parse(currency).unwrap().digits().unwrap());
        let minor = micro / 10i64.pow(digits);
        let coarse = |amount: i64| if minor_units_only { amount / minor * minor } else { amount };
        let all = |amounts: &[i64]| amounts.iter().map(|amount| coarse(*amount)).collect::<Vec<_>>();
        let lines: Vec<(i64, i64)> = lines.iter().map(|(quantity, unit)| (*quantity, coarse(*unit))).collect();
        let (mut record, unit) = closing_order(currency, &lines, &all(&shipping), &all(&discounts), &all(&certificates), coarse(tax));
        prop_assert_eq!(mismatches(&record), 0);

        let Body::Order(Order { totals, .. }) = &mut record.body else { unreachable!() };
        let exact: i64 = lines.iter().map(|(quantity, unit)| quantity * unit).sum::<i64>() + all(&shipping).iter().sum::<i64>() + coarse(tax)
            - all(&discounts).iter().sum::<i64>() - all(&certificates).iter().sum::<i64>();
        // A sum exactly between two minor units matches both of them, see the module page.
        prop_assume!(exact.rem_euclid(minor) * 2 != minor);
        totals.total.amount += unit * Decimal::from(steps);
        prop_assert_eq!(mismatches(&record), 1);
    }

    #[test]
    fn no_text_makes_the_form_checks_panic(text in "\\PC{0,80}") {
        let changes = [
            ("/envelope/identity/email", json!(text)), ("/envelope/identity/phone", json!(text)),
            ("/envelope/market/locale", json!(text)), ("/envelope/market/country", json!(text)),
        ];
        let _ = judge(&with(&contact(), &changes));
    }
}
