//! One shop history, heard in every way: by messages, by polling, by both in any order and more than once. What arrives is
//! the same.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

#[path = "history/bigcommerce.rs"]
mod bigcommerce;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use cartwire::delivery::{BoxFuture, Transport, TransportFailure};
use cartwire::destinations::{Reply, Request};
use cartwire::facade::Engine;
use cartwire::facade::options::SyncOptions;
use proptest::prelude::*;
use serde_json::{Value, json};

/// Takes everything and keeps what it took: the name of the event and its id there, with the address in front of the name
/// where that is not the usual one.
#[derive(Default)]
struct Inbox(Mutex<Vec<(String, String)>>, Mutex<Vec<Value>>);

impl Transport for Inbox {
    fn send<'a>(&'a self, base_url: &'a str, request: &'a Request) -> BoxFuture<'a, Result<Reply, TransportFailure>> {
        Box::pin(async move {
            let body: Value = serde_json::from_slice(request.body.as_deref().unwrap_or(b"{}")).unwrap();
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let name = if request.path.contains("Purchase") { "purchase".to_owned() } else { text(&body["eventName"]) };
            let place = base_url.strip_prefix("http://127.0.0.1:").map(|place| format!("{place} ")).unwrap_or_default();
            self.0.lock().unwrap().push((format!("{place}{name}"), text(&body["id"])));
            self.1.lock().unwrap().push(body);
            let reply = json!({"msg": "", "code": "Success", "params": {}});
            Ok(Reply { status: 200, headers: vec![], body: reply.to_string().into_bytes() })
        })
    }
}

struct Shop {
    engine: Engine,
    inbox: Arc<Inbox>,
}

const NOW: &str = "2026-03-05T12:00:00Z";

impl Shop {
    async fn open(now: &str) -> Shop {
        let destination = json!({"type": "iterable", "api_key": "key", "project_type": "hybrid", "write": "single"});
        Self::with(now, "memory:", json!({"destination": destination})).await
    }

    async fn with(now: &str, state: &str, more: Value) -> Shop {
        let mut options = json!({
            "source": {"type": "commercetools", "project": "demo", "locale": "en"},
            "state": state, "rate_limits": false, "now": now,
        });
        options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let options: SyncOptions = serde_json::from_value(options).unwrap();
        let inbox = Arc::new(Inbox::default());
        let engine = Engine::assemble(options, Vec::new(), inbox.clone()).await.unwrap();
        Shop { engine, inbox }
    }

    /// Hears one document, and answers what must be fetched from the shop as it stands at `step`.
    async fn hears(&self, heard: &Value, step: usize) -> Value {
        let receipt = self.accepts(heard).await;
        assert_eq!(receipt["rejected"], json!([]), "{receipt:#}");
        for fetch in receipt["fetches"].as_array().unwrap() {
            let answer = match fetch["resource"]["type"].as_str().unwrap() {
                "order" => order(step),
                "payment" => payment(step),
                other => panic!("nobody should ask for a {other}"),
            };
            let again = self.accepts(&answer).await;
            assert_eq!((&again["rejected"], &again["fetches"]), (&json!([]), &json!([])), "{again:#}");
        }
        receipt
    }

    async fn accepts(&self, document: &Value) -> Value {
        let bytes = Bytes::from(document.to_string());
        serde_json::from_slice(&self.engine.accept(Bytes::new(), bytes).await.unwrap()).unwrap()
    }

    /// What arrived, sorted; the shop is over.
    async fn arrived(self) -> Vec<(String, String)> {
        let flushed = self.engine.flush(br#"{"timeout_s": 20}"#.as_slice().into()).await.unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&flushed).unwrap()["waiting"], 0);
        self.engine.close().await.unwrap();
        let mut arrived = self.inbox.0.lock().unwrap().clone();
        // The address of a customer nobody told of yet goes in front, and is no event.
        arrived.retain(|(name, _)| !name.split(' ').next_back().unwrap_or_default().is_empty());
        arrived.sort();
        arrived
    }
}

/// The steps of the history. Each but the refund is a version of the order.
const STEPS: usize = 9;
const PAID: usize = 1;
const FIRST_PARCEL: usize = 2;
const PARTIAL: usize = 3;
const SECOND_PARCEL: usize = 4;
const SHIPPED: usize = 5;
const DELIVERED: usize = 6;
const REFUNDED: usize = 7;
const RETURNED: usize = 8;

fn eur(cents: i64) -> Value {
    json!({"type": "centPrecision", "currencyCode": "EUR", "centAmount": cents, "fractionDigits": 2})
}

fn time(step: usize) -> String {
    format!("2026-03-0{}T0{step}:00:00.000Z", 1 + step / 3)
}

fn version(step: usize) -> usize {
    // The refund is the payment's, not the order's.
    if step < REFUNDED { step + 1 } else { step }
}

fn delivery(step: usize) -> Value {
    let items = if step == FIRST_PARCEL { json!([{"id": "l1", "quantity": 2}]) } else { json!([{"id": "l2", "quantity": 1}]) };
    let parcel =
        json!({"id": format!("p{step}"), "createdAt": time(step), "trackingData": {"trackingId": format!("T{step}"), "carrier": "DHL"}});
    json!({"id": format!("d{step}"), "createdAt": time(step), "items": items, "parcels": [parcel]})
}

fn return_info() -> Value {
    json!({"returnDate": time(RETURNED), "items": [{"type": "LineItemReturnItem", "id": "r1", "lineItemId": "l1", "quantity": 1,
        "shipmentState": "Returned", "paymentState": "Initial", "createdAt": time(RETURNED), "lastModifiedAt": time(RETURNED)}]})
}

fn transactions(step: usize) -> Value {
    let of = |id: &str, kind: &str, cents: i64, step: usize| json!({"id": id, "type": kind, "state": "Success", "amount": eur(cents), "timestamp": time(step)});
    let all = [of("t1", "Charge", 2500, PAID), of("t2", "Refund", 1000, REFUNDED)];
    json!(all[..usize::from(step >= PAID) + usize::from(step >= REFUNDED)])
}

fn payment(step: usize) -> Value {
    json!({"id": "pay1", "version": 1 + usize::from(step >= PAID) + usize::from(step >= REFUNDED), "lastModifiedAt": time(step),
        "customer": {"typeId": "customer", "id": "c1"}, "amountPlanned": eur(2500), "transactions": transactions(step)})
}

/// The order as it stands after a step.
fn order(step: usize) -> Value {
    let line = |id: &str, quantity: i64, cents: i64| {
        json!({"id": id, "productId": "product", "name": {"en": "Thing"}, "variant": {"id": 1, "sku": id}, "quantity": quantity,
            "price": {"value": eur(cents)}, "totalPrice": eur(cents * quantity)})
    };
    let deliveries: Vec<Value> = [FIRST_PARCEL, SECOND_PARCEL].into_iter().filter(|parcel| *parcel <= step).map(delivery).collect();
    let shipment = match step {
        ..PARTIAL => Value::Null,
        PARTIAL..SHIPPED => json!("Partial"),
        SHIPPED => json!("Shipped"),
        _ => json!("Delivered"),
    };
    json!({
        "type": "Order", "id": "o1", "version": version(step), "createdAt": time(0), "lastModifiedAt": time(step),
        "orderNumber": "1001", "customerId": "c1", "customerEmail": "jane@example.com", "locale": "en",
        "orderState": "Open", "paymentState": if step >= PAID { "Paid" } else { "Pending" }, "shipmentState": shipment,
        "lineItems": [line("l1", 2, 1000), line("l2", 1, 500)], "customLineItems": [], "totalPrice": eur(2500),
        "shippingInfo": {"shippingMethodName": "Post", "price": eur(0), "deliveries": deliveries},
        "paymentInfo": {"payments": [{"typeId": "payment", "id": "pay1", "obj": payment(step)}]},
        "returnInfo": if step >= RETURNED { json!([return_info()]) } else { json!([]) },
    })
}

/// The message of a step.
fn message(step: usize) -> Value {
    let (kind, own) = match step {
        0 => ("OrderCreated", json!({"order": order(0)})),
        PAID => ("OrderPaymentStateChanged", json!({"paymentState": "Paid", "oldPaymentState": "Pending"})),
        FIRST_PARCEL | SECOND_PARCEL => ("DeliveryAdded", json!({"delivery": delivery(step)})),
        PARTIAL => ("OrderShipmentStateChanged", json!({"shipmentState": "Partial"})),
        SHIPPED => ("OrderShipmentStateChanged", json!({"shipmentState": "Shipped", "oldShipmentState": "Partial"})),
        DELIVERED => ("OrderShipmentStateChanged", json!({"shipmentState": "Delivered", "oldShipmentState": "Shipped"})),
        REFUNDED => ("PaymentTransactionAdded", json!({"transaction": transactions(step)[1]})),
        _ => ("ReturnInfoAdded", json!({"returnInfo": return_info()})),
    };
    let (resource, of) = if step == REFUNDED { ("payment", "pay1") } else { ("order", "o1") };
    let mut message = json!({"notificationType": "Message", "projectKey": "demo", "id": format!("m{step}"), "version": 1,
        "sequenceNumber": step + 1, "resource": {"typeId": resource, "id": of}, "resourceVersion": version(step), "type": kind,
        "resourceUserProvidedIdentifiers": {"orderNumber": "1001"}, "createdAt": time(step), "lastModifiedAt": time(step)});
    message.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    message
}

/// What must arrive, by name. One shipping mail per parcel, and none for the word on the order.
fn expected() -> Vec<&'static str> {
    vec!["orderDelivered", "orderPaid", "orderRefunded", "orderReturned", "orderShipped", "orderShipped", "purchase"]
}

fn names(arrived: &[(String, String)]) -> Vec<&str> {
    arrived.iter().map(|(name, _)| name.as_str()).collect()
}

async fn by_polling() -> Vec<(String, String)> {
    let shop = Shop::open(NOW).await;
    for step in 0..STEPS {
        shop.hears(&order(step), step).await;
    }
    shop.arrived().await
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_alone_and_polling_alone_tell_the_same_history() {
    let by_messages = Shop::open(NOW).await;
    for step in 0..STEPS {
        by_messages.hears(&message(step), step).await;
    }
    let by_messages = by_messages.arrived().await;
    let by_polling = by_polling().await;
    assert_eq!(names(&by_messages), expected());
    assert_eq!(by_messages, by_polling);
    assert_eq!(by_polling.iter().collect::<BTreeSet<_>>().len(), by_polling.len(), "no id came twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_look_at_the_end_tells_it_all() {
    let shop = Shop::open(NOW).await;
    shop.hears(&order(STEPS - 1), STEPS - 1).await;
    assert_eq!(shop.arrived().await, by_polling().await);
}

/// Something heard: by message or not, of which step, and how far the shop is when it is asked.
fn heard() -> impl Strategy<Value = Vec<(bool, usize, usize)>> {
    let repeats = proptest::collection::vec((any::<bool>(), 0..STEPS), 0..12);
    let whole = repeats.prop_map(|repeats| (0..STEPS).flat_map(|step| [(true, step), (false, step)]).chain(repeats).collect::<Vec<_>>());
    let shuffled = whole.prop_shuffle();
    (shuffled, proptest::collection::vec(0..STEPS, 40))
        .prop_map(|(heard, ahead)| heard.into_iter().zip(ahead).map(|((message, step), ahead)| (message, step, step.max(ahead))).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
    #[test]
    fn both_ways_in_any_order_with_duplicates_tell_it_once(heard in heard()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (arrived, once) = runtime.block_on(async {
            let shop = Shop::open(NOW).await;
            for (is_message, step, ahead) in heard {
                shop.hears(&if is_message { message(step) } else { order(step) }, ahead).await;
            }
            (shop.arrived().await, by_polling().await)
        });
        prop_assert_eq!(arrived, once);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_order_read_for_the_first_time_is_remembered_and_mails_nobody() {
    let shop = Shop::open("2026-04-20T12:00:00Z").await;
    let receipt = shop.hears(&order(SHIPPED), SHIPPED).await;
    let quiet = receipt["skipped"].as_array().unwrap().iter().filter(|skip| skip["reason"] == "backfill_quiet").count();
    // That it was paid, and two parcels. Whether old purchases are sent is the destination's own setting.
    assert_eq!(quiet, 3, "{receipt:#}");
    let mut now = order(DELIVERED);
    now["lastModifiedAt"] = json!("2026-04-20T11:00:00.000Z");
    shop.hears(&now, DELIVERED).await;
    assert_eq!(names(&shop.arrived().await), ["orderDelivered", "purchase"]);
}

/// What is read from the shop or heard of it is nobody's word that it is news: an old order, first seen live, is confirmed to
/// nobody. One that a queue held for two days is.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_order_that_the_shop_tells_of_live_is_not_confirmed_and_a_late_one_is() {
    let hears_live = async |shop: &Shop, heard: Value| -> Value {
        let received = shop.engine.receive(Bytes::new(), Bytes::from(heard.to_string())).await.unwrap();
        serde_json::from_slice(&received).unwrap()
    };
    let quiet = |received: &Value| received["skipped"].as_array().unwrap().iter().filter(|skip| skip["reason"] == "backfill_quiet").count();
    // Placed on the first of March.
    let late = Shop::open("2026-03-03T12:00:00Z").await;
    let received = hears_live(&late, message(0)).await;
    assert_eq!(quiet(&received), 0, "{received:#}");
    assert_eq!(names(&late.arrived().await), ["purchase"]);

    let old = Shop::open("2026-03-20T12:00:00Z").await;
    let received = hears_live(&old, message(0)).await;
    assert_eq!((quiet(&received), &received["accepted"]), (1, &json!(0)), "{received:#}");
    // What happens to it from now on is news; that it was placed is not.
    let mut now = order(DELIVERED);
    now["lastModifiedAt"] = json!("2026-03-20T11:00:00.000Z");
    hears_live(&old, now).await;
    assert_eq!(names(&old.arrived().await), ["orderDelivered", "orderPaid"]);

    let longer = json!({"destination": {"type": "iterable", "api_key": "key", "project_type": "hybrid", "write": "single"},
        "events": {"news_days": 30}});
    let patient = Shop::with("2026-03-20T12:00:00Z", "memory:", longer).await;
    hears_live(&patient, message(0)).await;
    assert_eq!(names(&patient.arrived().await), ["purchase"]);
}

/// Of rows that are handed over the mode says what they are, unless the settings say that it need not be asked.
#[tokio::test(flavor = "multi_thread")]
async fn old_orders_that_are_handed_over_can_be_held_to_the_same_rule() {
    let destination = json!({"type": "iterable", "api_key": "key", "project_type": "hybrid", "write": "single"});
    for (events, arrived) in [
        (json!({}), vec!["purchase"]),
        (json!({"old_orders": "all"}), vec![]),
        (json!({"old_orders": "all", "from_orders": false}), vec![]),
    ] {
        let shop = Shop::with("2026-03-20T12:00:00Z", "memory:", json!({"destination": destination, "events": events})).await;
        shop.hears(&order(0), 0).await;
        // A note on it: it is known by now, and history all the same.
        let mut noted = order(0);
        noted["version"] = json!(2);
        shop.hears(&noted, 0).await;
        assert_eq!(names(&shop.arrived().await), arrived, "{events}");
    }
}

/// History to the destination that was added later is news to the one that was there.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_order_is_history_only_where_it_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let state = format!("sqlite:{}", folder.path().join("state.db").display());
    let at = |place: &str| json!({"type": "iterable", "api_key": "key", "project_type": "hybrid", "write": "single", "base_url": format!("http://127.0.0.1:{place}")});
    let events = json!({"old_orders": "all"});
    let first = Shop::with(NOW, &state, json!({"destinations": {"a": at("1")}, "events": events})).await;
    // It is known, and nothing of it was placed yet: the purchase is the word of a later version.
    first.hears(&order(PAID), PAID).await;
    assert_eq!(names(&first.arrived().await), ["1 orderPaid", "1 purchase"]);
    let both = Shop::with("2026-03-20T12:00:00Z", &state, json!({"destinations": {"a": at("1"), "b": at("2")}, "events": events})).await;
    let mut now = order(DELIVERED);
    now["lastModifiedAt"] = json!("2026-03-20T11:00:00.000Z");
    let receipt = both.hears(&now, DELIVERED).await;
    let quiet_at: BTreeSet<&str> = receipt["skipped"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|skip| skip["reason"] == "backfill_quiet")
        .filter_map(|skip| skip["destination"].as_str())
        .collect();
    assert!(quiet_at.contains("b"), "{receipt:#}");
    assert_eq!(names(&both.arrived().await), ["1 orderDelivered"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn parcels_added_after_the_order_was_marked_as_sent_are_one_mail() {
    let shop = Shop::open(NOW).await;
    let mut marked = order(SHIPPED);
    marked["shippingInfo"]["deliveries"] = json!([]);
    shop.hears(&marked, SHIPPED).await;
    let mut listed = order(SHIPPED);
    listed["version"] = json!(version(SHIPPED) + 1);
    let receipt = shop.hears(&listed, SHIPPED).await;
    let told: Vec<&str> = receipt["skipped"].as_array().unwrap().iter().filter_map(|skip| skip["detail"].as_str()).collect();
    assert_eq!(told.iter().filter(|detail| detail.contains("before it was listed")).count(), 2, "{receipt:#}");
    assert_eq!(names(&shop.arrived().await), ["orderPaid", "orderShipped", "purchase"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_versions_in_one_export_tell_each_thing_once() {
    let shop = Shop::open(NOW).await;
    let rows: Vec<Value> = [8, 0, 4, 4, 2, 7].into_iter().map(order).collect();
    shop.hears(&json!(rows), STEPS - 1).await;
    assert_eq!(shop.arrived().await, by_polling().await);
}

/// Each destination is told what is new to it, and what is new to it alone is told to it alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_was_added_later_is_told_its_own_difference() {
    let folder = tempfile::tempdir().unwrap();
    let state = format!("sqlite:{}", folder.path().join("state.db").display());
    let at = |place: &str| json!({"type": "iterable", "api_key": "key", "project_type": "hybrid", "write": "single", "base_url": format!("http://127.0.0.1:{place}")});
    let first = Shop::with(NOW, &state, json!({"destinations": {"a": at("1")}})).await;
    first.hears(&order(SHIPPED), SHIPPED).await;
    assert_eq!(names(&first.arrived().await), ["1 orderPaid", "1 orderShipped", "1 orderShipped", "1 purchase"]);
    let both = Shop::with(NOW, &state, json!({"destinations": {"a": at("1"), "b": at("2")}})).await;
    both.hears(&order(DELIVERED), DELIVERED).await;
    let arrived = both.arrived().await;
    let b = ["2 orderDelivered", "2 orderPaid", "2 orderShipped", "2 orderShipped", "2 purchase"];
    assert_eq!(names(&arrived), [&["1 orderDelivered"][..], &b].concat());
    let again = Shop::with(NOW, &state, json!({"destinations": {"a": at("1"), "b": at("2")}})).await;
    again.hears(&order(DELIVERED), DELIVERED).await;
    assert_eq!(names(&again.arrived().await), [""; 0]);
}

/// What visitors did is told by a call, and goes the same way as what the shop tells.
#[tokio::test(flavor = "multi_thread")]
async fn signals_arrive_once_and_never_about_somebody_who_was_erased() {
    let shop = Shop::open(NOW).await;
    let track = async |signals: Value| -> Value {
        let receipt = shop.engine.track(Bytes::from(signals.to_string())).await.unwrap();
        serde_json::from_slice(&receipt).unwrap()
    };
    let seen = json!({"event": "product_viewed", "id": "view-1", "customer_id": "c1", "product_id": "p1"});
    assert_eq!(track(seen.clone()).await["accepted"], 1);
    assert_eq!(track(seen).await["skipped"][0]["reason"], "duplicate");
    let several = json!([{"event": "searched", "customer_id": "c1", "query": "tent"}, {"event": "searched"}, {"evnt": "searched"}]);
    let receipt = track(several).await;
    assert_eq!((&receipt["accepted"], receipt["rejected"].as_array().map(Vec::len)), (&json!(1), Some(2)), "{receipt:#}");
    // An erasure takes along what waits.
    shop.engine.flush(Bytes::from_static(b"{}")).await.unwrap();
    let erased = json!({"notificationType": "ResourceDeleted", "projectKey": "demo", "resource": {"typeId": "customer", "id": "c1"},
        "version": 9, "modifiedAt": "2026-03-05T11:00:00.000Z", "dataErasure": true});
    shop.accepts(&erased).await;
    let late = track(json!({"event": "category_viewed", "customer_id": "c1", "category_id": "tents"})).await;
    assert_eq!(late["skipped"][0]["reason"], "erased", "{late:#}");
    let arrived = shop.arrived().await;
    let mut names = names(&arrived);
    names.retain(|name| !name.is_empty());
    assert_eq!(names, ["productViewed", "searched"]);
}

/// A destination that knows people by their address is told of what happened to a customer, though only the id is told.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_with_only_an_id_reaches_a_project_of_addresses_once_the_customer_is_known() {
    let destination = json!({"type": "iterable", "api_key": "key", "project_type": "email", "write": "single"});
    let shop = Shop::with(NOW, "memory:", json!({"destination": destination})).await;
    let seen = |id: &str| json!({"event": "product_viewed", "id": id, "customer_id": "c1", "product_id": "p1"});
    let track = async |signal: Value| -> Value {
        serde_json::from_slice(&shop.engine.track(Bytes::from(signal.to_string())).await.unwrap()).unwrap()
    };
    let customer = |version: u64, email: &str| {
        json!({"id": "c1", "version": version, "email": email, "isEmailVerified": false, "addresses": [],
            "createdAt": "2026-01-01T00:00:00.000Z", "lastModifiedAt": time(0)})
    };
    let early = track(seen("v1")).await;
    assert_eq!(early["rejected"][0]["findings"][0]["code"], "destination.identity_unusable", "{early:#}");
    shop.hears(&customer(2, "new@example.com"), 0).await;
    shop.hears(&customer(1, "old@example.com"), 0).await;
    let known = track(seen("v2")).await;
    assert_eq!((&known["accepted"], &known["rejected"]), (&json!(1), &json!([])), "{known:#}");
    shop.engine.flush(Bytes::from_static(b"{}")).await.unwrap();
    let sent = shop.inbox.1.lock().unwrap().iter().filter(|body| body["eventName"] == "productViewed").cloned().collect::<Vec<_>>();
    assert_eq!((sent.len(), &sent[0]["email"]), (1, &json!("new@example.com")), "{sent:?}");
    let gone = json!({"notificationType": "ResourceDeleted", "projectKey": "demo", "resource": {"typeId": "customer", "id": "c1"},
        "version": 9, "modifiedAt": "2026-03-05T11:00:00.000Z", "dataErasure": true});
    shop.accepts(&gone).await;
    let late = track(seen("v3")).await;
    assert_eq!((&late["accepted"], &late["skipped"][0]["reason"]), (&json!(0), &json!("erased")), "{late:#}");
    shop.arrived().await;
}

/// What a message and a snapshot say of the same thing has one key, so whichever is heard second is a duplicate.
#[test]
fn a_message_and_a_snapshot_give_one_key() {
    use cartwire::decide::EventsConfig;
    use cartwire::decide::events::events;
    use cartwire::model::{Body, Record};
    use cartwire::sources::commercetools::{Commercetools, Config};
    use cartwire::sources::{DecodeContext, Decoded, Source};

    let source = Commercetools::new(Config { project: "demo".to_owned(), ..Config::default() }).unwrap();
    let decode = |document: &Value| -> Vec<Record> {
        let mut out = Decoded::default();
        source.decode(document.to_string().as_bytes(), &DecodeContext::at(NOW.parse().unwrap()), &mut out);
        out.records.into_iter().map(|row| row.record).collect()
    };
    let mut whole = order(DELIVERED);
    whole["orderState"] = json!("Complete");
    let snapshot = decode(&whole).remove(0);
    let Body::Order(body) = &snapshot.body else { panic!("not an order") };
    let told = events(&EventsConfig::default(), None, &snapshot.envelope, body);
    let derived: Vec<&Record> = told.before.iter().chain(&told.after).collect();
    let mut complete = message(PAID);
    complete["type"] = json!("OrderStateChanged");
    complete["orderState"] = json!("Complete");
    for (heard, name) in [(message(PAID), "order_paid"), (message(DELIVERED), "order_delivered"), (complete, "order_completed")] {
        let records = decode(&heard);
        let Body::Event(event) = &records[0].body else { panic!("not an event") };
        assert_eq!(event.name.as_str(), name);
        let same = derived.iter().filter(|one| one.envelope.idempotency_key == records[0].envelope.idempotency_key);
        assert_eq!(same.count(), 1, "{name}");
    }
}
