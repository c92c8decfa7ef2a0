//! The same history as BigCommerce tells it: by webhooks, each answered by a fetch; by polling; by both. Its orders have one
//! status for everything and its webhooks carry ids only, yet what arrives is what commercetools told.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use cartwire::decide::events::{events, name};
use cartwire::decide::{EventsConfig, OrderFacts};
use cartwire::model::Body;
use cartwire::sources::bigcommerce::{Bigcommerce, Config};
use cartwire::sources::commercetools::{Commercetools, Config as CommercetoolsConfig};
use cartwire::sources::{DecodeContext, Decoded, Source};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Bytes, NOW, Shop, names};

/// The steps of the history. The order is first incomplete, then waits for the money.
const STEPS: usize = 6;
const UNPAID: usize = 1;
const PAID: usize = 2;
const FIRST_PARCEL: usize = 3;
const SECOND_PARCEL: usize = 4;
const REFUNDED: usize = 5;

fn source() -> Value {
    json!({"type": "bigcommerce", "store": "demo", "locale": "en", "webhooks": {"token": "t0ken"}})
}

/// From the third of March on: what is called more than three days late is refused.
fn time(step: usize) -> chrono::DateTime<chrono::Utc> {
    format!("2026-03-0{}T0{step}:00:00Z", 3 + step / 2).parse().unwrap()
}

fn v2(step: usize) -> String {
    time(step).format("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

fn shipment(step: usize) -> Value {
    let item =
        if step == FIRST_PARCEL { json!({"order_product_id": 1, "quantity": 2}) } else { json!({"order_product_id": 2, "quantity": 1}) };
    json!({"id": 60 + step, "order_id": 4101, "customer_id": 88, "order_address_id": 31, "date_created": v2(step),
        "tracking_number": format!("T{step}"), "shipping_provider": "dhl", "items": [item]})
}

fn refund() -> Value {
    json!({"id": 12, "order_id": 4101, "user_id": 3, "created": time(REFUNDED).to_rfc3339(), "reason": "", "total_amount": 10, "total_tax": 0,
        "items": [{"item_type": "PRODUCT", "item_id": 1, "quantity": 1, "requested_amount": null}],
        "payments": [{"id": 5, "provider_id": "braintree", "amount": 10, "offline": false, "is_declined": false}]})
}

/// The order as it stands after a step, with its parts.
fn order(step: usize) -> Value {
    let (status, payment) = match step {
        0 => (0, ""),
        UNPAID => (7, "authorized"),
        PAID => (11, "captured"),
        FIRST_PARCEL => (3, "captured"),
        SECOND_PARCEL => (2, "captured"),
        _ => (14, "partially refunded"),
    };
    let line = |id: u64, sku: &str, quantity: u64, price: u64, sent: usize| {
        json!({"id": id, "order_id": 4101, "product_id": 500 + id, "variant_id": 700 + id, "name": "Thing", "sku": sku, "type": "physical",
            "price_ex_tax": price, "price_inc_tax": price, "total_ex_tax": price * quantity, "total_inc_tax": price * quantity,
            "total_tax": "0.0000", "quantity": quantity, "quantity_shipped": if step >= sent { quantity } else { 0 },
            "quantity_refunded": u64::from(step >= REFUNDED && id == 1)})
    };
    let parcels: Vec<Value> = [FIRST_PARCEL, SECOND_PARCEL].into_iter().filter(|parcel| *parcel <= step).map(shipment).collect();
    json!({
        "order": {"id": 4101, "customer_id": 88, "date_created": v2(0), "date_modified": v2(step),
            "date_shipped": if step >= SECOND_PARCEL { v2(SECOND_PARCEL) } else { String::new() }, "status_id": status,
            "payment_status": payment, "total_inc_tax": "25.0000", "total_ex_tax": "25.0000", "total_tax": "0.0000",
            "is_tax_inclusive_pricing": true, "currency_code": "EUR", "default_currency_code": "EUR", "payment_method": "Card",
            "billing_address": {"email": "jane@example.com", "country_iso2": "DE"}},
        "products": [line(1, "l1", 2, 10, FIRST_PARCEL), line(2, "l2", 1, 5, SECOND_PARCEL)],
        "shipments": parcels, "refunds": if step >= REFUNDED { json!([refund()]) } else { json!([]) },
    })
}

/// The same shop without the parcels: a merchant may only move the status.
fn unlisted(step: usize) -> Value {
    let mut order = order(step);
    order["shipments"] = json!([]);
    order
}

/// What the platform calls after a step: several scopes for one thing done, and ids only.
fn hooks(step: usize) -> Vec<Value> {
    let of = |data: Value| {
        move |scope: &str| {
            json!({"scope": scope, "store_id": "1025646", "producer": "stores/demo", "hash": format!("{step:040x}"),
                "created_at": time(step).timestamp(), "data": data})
        }
    };
    let order = of(json!({"type": "order", "id": 4101}));
    let shipment = of(json!({"type": "shipment", "id": 60 + step, "orderId": 4101}));
    match step {
        0 => vec![order("store/order/created")],
        UNPAID => vec![
            order("store/order/statusUpdated"),
            of(json!({"type": "cart", "id": "1c8a4a0e-1111-4222-8333-444455556666", "orderId": 4101}))("store/cart/converted"),
        ],
        PAID => vec![
            of(json!({"type": "transaction", "order_id": "4101", "transaction_id": "9"}))("store/order/transaction/created"),
            order("store/order/statusUpdated"),
            order("store/order/updated"),
        ],
        FIRST_PARCEL | SECOND_PARCEL => {
            vec![shipment("store/shipment/created"), order("store/order/statusUpdated"), order("store/order/updated")]
        }
        _ => vec![
            of(json!({"type": "order", "id": 4101, "refund": {"refund_id": 12}}))("store/order/refund/created"),
            order("store/order/statusUpdated"),
        ],
    }
}

async fn open() -> Shop {
    let destination = json!({"type": "iterable", "api_key": "key", "project_type": "hybrid", "write": "single"});
    Shop::with(NOW, "memory:", json!({"source": source(), "destination": destination})).await
}

/// Calls the engine as the platform does, and answers what must be fetched with the order as it stands at `step`.
async fn calls(shop: &Shop, hook: &Value, step: usize) {
    let options = json!({"headers": {"X-Webhook-Token": "t0ken"}}).to_string();
    let received = shop.engine.receive(Bytes::from(options), Bytes::from(hook.to_string())).await.unwrap();
    let received: Value = serde_json::from_slice(&received).unwrap();
    assert_eq!((&received["rejected"], &received["accepted"]), (&json!([]), &json!(0)), "{received:#}");
    let fetches = received["fetches"].as_array().unwrap();
    assert_eq!(fetches.len(), 1, "{hook}");
    for fetch in fetches {
        assert_eq!((fetch["resource"]["type"].as_str(), fetch["resource"]["id"].as_str()), (Some("order"), Some("4101")));
        reads(shop, &order(step)).await;
    }
}

async fn reads(shop: &Shop, document: &Value) {
    let receipt = shop.accepts(document).await;
    assert_eq!((&receipt["rejected"], &receipt["fetches"]), (&json!([]), &json!([])), "{receipt:#}");
}

async fn by_polling() -> Vec<(String, String)> {
    let shop = open().await;
    for step in 0..STEPS {
        reads(&shop, &order(step)).await;
    }
    shop.arrived().await
}

/// Nothing says that goods arrived or came back, so neither is told.
fn expected() -> Vec<&'static str> {
    vec!["orderPaid", "orderRefunded", "orderShipped", "orderShipped", "purchase"]
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_alone_and_polling_alone_tell_the_same_history() {
    let by_webhooks = open().await;
    for step in 0..STEPS {
        for hook in hooks(step) {
            calls(&by_webhooks, &hook, step).await;
        }
    }
    let by_webhooks = by_webhooks.arrived().await;
    let by_polling = by_polling().await;
    assert_eq!(names(&by_webhooks), expected());
    assert_eq!(by_webhooks, by_polling);
    assert_eq!(by_polling.iter().collect::<BTreeSet<_>>().len(), by_polling.len(), "no id came twice");
    let late = open().await;
    reads(&late, &order(STEPS - 1)).await;
    assert_eq!(late.arrived().await, by_polling, "one look at the end tells it all");
}

/// Something heard: a webhook or a look, of which step, and how far the shop is when it is asked.
fn heard() -> impl Strategy<Value = Vec<(Option<Value>, usize)>> {
    let all = || (0..STEPS).flat_map(|step| hooks(step).into_iter().map(move |hook| (Some(hook), step)).chain([(None, step)]));
    let whole: Vec<(Option<Value>, usize)> = all().collect();
    let repeats = proptest::collection::vec(proptest::sample::select(whole.clone()), 0..12);
    let shuffled = repeats.prop_map(move |repeats| whole.iter().cloned().chain(repeats).collect::<Vec<_>>()).prop_shuffle();
    (shuffled, proptest::collection::vec(0..STEPS, 40)).prop_map(|(heard, ahead)| {
        heard.into_iter().zip(ahead.into_iter().cycle()).map(|((hook, step), ahead)| (hook, step.max(ahead))).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
    #[test]
    fn webhooks_and_polling_in_any_order_with_duplicates_tell_it_once(heard in heard()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (arrived, once) = runtime.block_on(async {
            let shop = open().await;
            for (hook, step) in heard {
                match hook {
                    Some(hook) => calls(&shop, &hook, step).await,
                    None => reads(&shop, &order(step)).await,
                }
            }
            (shop.arrived().await, by_polling().await)
        });
        prop_assert_eq!(arrived, once);
    }
}

/// Where no parcels are listed, that all was sent is told also when the one status speaks of a refund by now.
#[tokio::test(flavor = "multi_thread")]
async fn that_all_was_sent_is_known_after_the_status_moved_on() {
    let followed = open().await;
    for step in [0, UNPAID, PAID, SECOND_PARCEL, REFUNDED] {
        reads(&followed, &unlisted(step)).await;
    }
    let late = open().await;
    reads(&late, &unlisted(REFUNDED)).await;
    let followed = followed.arrived().await;
    assert_eq!(names(&followed), ["orderPaid", "orderRefunded", "orderShipped", "purchase"]);
    assert_eq!(late.arrived().await, followed);
}

/// What somebody is told of, as far as it does not depend on how a shop names things: the amount, and units by SKU.
type Told = (String, Option<String>, BTreeMap<String, i64>);

/// The canonical events of documents read one after the other.
fn told(source: &dyn Source, documents: impl Iterator<Item = Value>) -> Vec<Told> {
    let mut facts: HashMap<String, OrderFacts> = HashMap::new();
    let mut told: BTreeMap<String, Told> = BTreeMap::new();
    for document in documents {
        let mut out = Decoded::default();
        source.decode(document.to_string().as_bytes(), &DecodeContext::at(NOW.parse().unwrap()), &mut out);
        assert_eq!((out.rejected.len(), out.fetches.len()), (0, 0));
        let mut records = Vec::new();
        for row in out.records {
            if let Body::Order(order) = &row.record.body {
                let name = name(&row.record.envelope);
                let difference = events(&EventsConfig::default(), facts.get(&name), &row.record.envelope, order);
                records.extend(difference.before.into_iter().chain(difference.after));
                facts.insert(name, difference.facts);
            }
            records.push(row.record);
        }
        for record in records {
            let units = |lines: Vec<(&Option<String>, i64)>| lines.into_iter().map(|(sku, units)| (sku.clone().unwrap(), units)).collect();
            let one = match &record.body {
                Body::Event(event) => (event.name.as_str().to_owned(), event.value.map(|value| value.amount.to_string()), BTreeMap::new()),
                Body::Shipment(one) => {
                    ("shipment".to_owned(), None, units(one.lines.iter().map(|line| (&line.sku, line.quantity)).collect()))
                }
                Body::Refund(refund) => ("refund".to_owned(), Some(refund.amount.amount.to_string()), BTreeMap::new()),
                Body::Return(back) => {
                    ("return".to_owned(), None, units(back.items.iter().map(|item| (&item.sku, item.quantity)).collect()))
                }
                _ => continue,
            };
            let earlier = told.insert(record.envelope.idempotency_key.as_str().to_owned(), one.clone());
            assert!(earlier.is_none_or(|earlier| earlier == one), "one key, one thing");
        }
    }
    let mut told: Vec<Told> = told.into_values().collect();
    told.sort();
    told
}

#[test]
fn both_shops_tell_the_same_kinds_amounts_and_units() {
    let commercetools = Commercetools::new(CommercetoolsConfig { project: "demo".to_owned(), ..CommercetoolsConfig::default() }).unwrap();
    let bigcommerce = Bigcommerce::new(Config { store: "demo".to_owned(), ..Config::default() }).unwrap();
    let one = |kind: &str, amount: Option<&str>, units: &[(&str, i64)]| -> Told {
        let units = units.iter().map(|(sku, units)| ((*sku).to_owned(), *units)).collect();
        (kind.to_owned(), amount.map(str::to_owned), units)
    };
    let both = [
        one("order_paid", Some("25.00"), &[]),
        one("order_placed", Some("25.00"), &[]),
        one("refund", Some("10.00"), &[]),
        one("shipment", None, &[("l1", 2)]),
        one("shipment", None, &[("l2", 1)]),
    ];
    assert_eq!(told(&bigcommerce, (0..STEPS).map(order)), both);
    // Only the one tells what arrived, and what came back.
    let mut more = both.to_vec();
    more.extend([one("order_delivered", Some("25.00"), &[]), one("return", None, &[("l1", 1)])]);
    more.sort();
    assert_eq!(told(&commercetools, (0..super::STEPS).map(super::order)), more);
}

/// What does not prove that it comes from the shop changes nothing, and neither does what was played again.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_not_the_shops_is_refused_before_anything_is_kept() {
    let shop = open().await;
    let gone = json!({"scope": "store/customer/deleted", "producer": "stores/demo", "data": {"type": "customer", "id": 88}, "hash": "aa",
        "created_at": time(REFUNDED).timestamp()});
    let old = json!({"scope": "store/customer/deleted", "producer": "stores/demo", "data": {"type": "customer", "id": 89}, "hash": "bb",
        "created_at": time(0).timestamp() - 86_400});
    let calls = async |headers: Value, body: &Value| {
        let options = json!({"headers": headers}).to_string();
        shop.engine.receive(Bytes::from(options), Bytes::from(body.to_string())).await.map_err(|error| error.code().name())
    };
    for headers in [json!({}), json!({"x-webhook-token": "t0kem"}), json!({"x-webhook-token": ["", "t0ken"]}), json!({"token": "t0ken"})] {
        assert_eq!(calls(headers.clone(), &gone).await, Err("signature_mismatch"), "{headers}");
    }
    assert_eq!(calls(json!({"x-webhook-token": "t0ken"}), &old).await, Err("signature_expired"));
    let taken: Value = serde_json::from_slice(&calls(json!({"X-WEBHOOK-TOKEN": "t0ken"}), &gone).await.unwrap()).unwrap();
    assert_eq!((&taken["duplicates"], &taken["fetches"]), (&json!(0), &json!([])), "none of the refused was remembered: {taken:#}");
    shop.arrived().await;
}

/// Two changes within one second make the same call, so one that was heard at once is no proof that the other was read.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_a_repetition_only_if_the_first_came_when_its_second_was_over() {
    let destination =
        json!({"type": "iterable", "api_key": "key", "project_type": "hybrid", "write": "single", "contact_deleted": "delete"});
    let shop = Shop::with(NOW, "memory:", json!({"source": source(), "destination": destination})).await;
    let now: chrono::DateTime<chrono::Utc> = NOW.parse().unwrap();
    let calls = async |customer: u64, age_s: i64| -> (Value, Value) {
        let hook = json!({"scope": "store/customer/deleted", "producer": "stores/demo", "data": {"type": "customer", "id": customer},
            "hash": "aa", "created_at": now.timestamp() - age_s});
        let options = json!({"headers": {"x-webhook-token": "t0ken"}}).to_string();
        let received = shop.engine.receive(Bytes::from(options), Bytes::from(hook.to_string())).await.unwrap();
        let received: Value = serde_json::from_slice(&received).unwrap();
        (received["accepted"].clone(), received["duplicates"].clone())
    };
    assert_eq!(calls(1, 9).await, (json!(1), json!(0)));
    assert_eq!(calls(1, 9).await.1, 0, "looked at again");
    assert_eq!(calls(2, 10).await, (json!(1), json!(0)));
    assert_eq!(calls(2, 10).await, (json!(0), json!(1)));
    shop.arrived().await;
}
