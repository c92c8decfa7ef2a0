//! Lists, schedules, reviews, sign-ins, and what the settings add.

use super::*;

fn event(config: Value, document: &Value) -> (crate::model::Envelope, Event) {
    let record = one(config, document);
    match record.body {
        Body::Event(event) => (record.envelope, event),
        other => panic!("a {}", other.kind()),
    }
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::Text(text.to_owned())
}

fn list() -> Value {
    json!({
        "id": "w1", "version": 3, "lastModifiedAt": "2025-06-11T00:00:00.000Z", "name": {"en": "Birthday"},
        "customer": {"typeId": "customer", "id": "c1"}, "store": {"typeId": "store", "key": "alps"},
        "lineItems": [
            {"id": "1", "productId": "p1", "variantId": 2, "quantity": 1, "name": {"en": "Shoe"}, "addedAt": "2025-06-11T00:00:00.000Z",
             "variant": {"id": 2, "sku": "S-2"}},
            {"id": "2", "productId": "p2", "quantity": 4, "name": {"en": "Sock"}, "addedAt": "2025-06-10T00:00:00.000Z"}
        ],
        "textLineItems": [], "custom": {"fields": {"occasion": "wedding", "secret": "x"}}
    })
}

#[test]
fn a_shopping_list_is_an_event_of_its_customer_with_the_product_touched_last() {
    let config = json!({"shopping_list_fields": [{"field": "occasion"}]});
    let (envelope, event) = event(config, &list());
    assert_eq!(event.name, EventName::WishlistUpdated);
    assert_eq!((event.product_id.as_deref(), event.variant_id.as_deref(), event.sku.as_deref()), (Some("p1"), Some("2"), Some("S-2")));
    assert_eq!((envelope.identity.customer_id.as_deref(), envelope.market.store.as_deref()), (Some("c1"), Some("alps")));
    assert_eq!((&event.properties["wishlist_name"], &event.properties["occasion"]), (&text("Birthday"), &text("wedding")));
    assert!(!event.properties.contains_key("secret"));
    let AttributeValue::List(products) = &event.properties["products"] else { panic!("no list") };
    let AttributeValue::Object(second) = &products[1] else { panic!("no object") };
    assert_eq!((&second["product_id"], &second["quantity"], second.get("sku")), (&text("p2"), &AttributeValue::Integer(4), None));
}

#[test]
fn a_list_has_one_event_per_version_and_an_old_one_is_history() {
    let key = |document: &Value| event(json!({}), document).0.idempotency_key;
    assert_eq!(key(&list()), key(&list()));
    assert_ne!(key(&list()), key(&with(list(), json!({"version": 4}))));
    assert_eq!(event(json!({}), &list()).0.mode, Mode::Live);
    let old = with(list(), json!({"lastModifiedAt": "2025-06-01T00:00:00.000Z"}));
    assert_eq!(event(json!({}), &old).0.mode, Mode::Backfill);
}

#[test]
fn an_emptied_list_of_a_session_is_told_too() {
    let empty = with(list(), json!({"lineItems": [], "customer": null, "anonymousId": "s1"}));
    let (envelope, event) = event(json!({}), &empty);
    assert_eq!((event.product_id, &event.properties["products"]), (None, &AttributeValue::List(Vec::new())));
    assert_eq!((envelope.identity.anonymous_id.as_deref(), envelope.identity.customer_id), (Some("s1"), None));
}

#[test]
fn a_schedule_of_orders_tells_its_state_and_when_it_orders_next() {
    let schedule = json!({
        "id": "ro1", "version": 5, "lastModifiedAt": "2025-06-11T00:00:00.000Z", "recurringOrderState": "Paused",
        "cart": {"typeId": "cart", "id": "k1"}, "originOrder": {"typeId": "order", "id": "o1"},
        "customer": {"typeId": "customer", "id": "c1"}, "customerEmail": "Jane@Example.com",
        "startsAt": "2025-05-01T00:00:00.000Z", "nextOrderAt": "2025-07-01T00:00:00.000Z",
        "schedule": {"type": "standard", "value": 1, "intervalUnit": "Months"}
    });
    let (envelope, event) = event(json!({}), &schedule);
    assert_eq!(event.name.as_str(), "subscription_updated");
    assert_eq!((event.order_id.as_deref(), event.cart_id.as_deref()), (Some("o1"), Some("k1")));
    assert_eq!(event.properties["state"], text("paused"));
    assert_eq!(event.properties["next_order_at"], AttributeValue::DateTime("2025-07-01T00:00:00Z".parse().unwrap_or_default()));
    assert_eq!(envelope.identity.email.as_deref(), Some("jane@example.com"));
}

#[test]
fn an_edit_leads_to_its_order_once_it_was_carried_out() {
    let edit = |result: &str| {
        let order = json!({"typeId": "order", "id": "o1"});
        read(json!({}), &json!({"id": "e1", "version": 2, "resource": order, "stagedActions": [], "result": {"type": result}}))
    };
    let applied = edit("Applied");
    assert_eq!((applied.fetches[0].resource.kind.as_str(), applied.fetches[0].resource.id.as_str()), ("order", "o1"));
    assert!(edit("PreviewSuccess").ignored[0].known);
}

#[test]
fn stock_and_prices_of_their_own_lead_to_the_product_of_their_sku() {
    let entry = read(json!({}), &json!({"id": "i1", "version": 1, "sku": "A-1", "quantityOnStock": 4, "availableQuantity": 4}));
    // An export may have sorted the keys.
    let price = read(json!({}), &json!({"active": true, "id": "s1", "sku": "A-1", "value": cents(500), "version": 1}));
    for out in [entry, price] {
        assert_eq!((out.fetches[0].resource.kind.as_str(), out.fetches[0].resource.id.as_str()), ("sku", "A-1"));
    }
    let nameless = read(json!({}), &json!({"id": "i1", "version": 1, "quantityOnStock": 4}));
    assert_eq!(rejected(&nameless), [("record.malformed", "/sku")]);
}

#[test]
fn a_sign_in_says_which_session_the_customer_was() {
    let cart = with(
        order(500, &[line("a", 500, 1)]),
        json!({"type": "Cart", "id": "k1", "orderState": null, "cartState": "Active", "customerId": "c1", "anonymousId": "s1"}),
    );
    let customer = json!({"id": "c1", "version": 1, "email": "Jane@example.com", "isEmailVerified": false});
    let out = read(json!({}), &json!({"customer": customer, "cart": cart}));
    assert!(out.rejected.is_empty(), "{:?}", out.rejected);
    let kinds: Vec<_> = out.records.iter().map(|row| row.record.body.kind()).collect();
    assert_eq!(kinds, ["contact", "cart", "event"]);
    let Body::Event(event) = &out.records[2].record.body else { panic!("not an event") };
    assert_eq!(event.name, EventName::LoggedIn);
    assert_eq!(event.previous.as_ref().and_then(|previous| previous.anonymous_id.as_deref()), Some("s1"));
    assert_eq!(out.records[2].record.envelope.identity.email.as_deref(), Some("jane@example.com"));
    let without = read(json!({}), &json!({"customer": customer, "cart": with(cart, json!({"anonymousId": null}))}));
    assert_eq!(without.records.len(), 2);
}

#[test]
fn a_chargeback_is_a_refund_only_where_the_settings_say_so() {
    let transaction = json!({"id": "t1", "type": "Chargeback", "state": "Success", "amount": cents(500)});
    let payment = json!({"id": "pay", "version": 1, "amountPlanned": cents(500), "transactions": [transaction]});
    assert_eq!(read(json!({}), &payment).records.len(), 0);
    let told = one(json!({"chargebacks_as_refunds": true}), &payment);
    let Body::Refund(refund) = told.body else { panic!("no refund") };
    assert_eq!((refund.reason.as_deref(), refund.amount), (Some("chargeback"), eur(500)));
}

#[test]
fn custom_fields_of_a_delivery_go_along_with_its_shipment_when_configured() {
    let delivery = json!({"id": "d1", "items": [], "parcels": [], "custom": {"fields": {"slot": "morning", "door": 4}}});
    let document = with(order(1000, &[line("a", 500, 1)]), json!({"shippingInfo": {"price": cents(500), "deliveries": [delivery]}}));
    let attributes = |config: Value| order_of(config, &document).shipments[0].attributes.clone();
    assert!(attributes(json!({})).is_empty());
    let configured = attributes(json!({"delivery_fields": [{"field": "slot", "as": "delivery_slot"}]}));
    assert_eq!(configured.into_iter().collect::<Vec<_>>(), [("delivery_slot".to_owned(), text("morning"))]);
}

#[test]
fn consent_may_be_a_customer_group_and_absence_a_no() {
    let customer = |more: Value| with(json!({"id": "c1", "version": 1, "email": "a@example.com", "isEmailVerified": false}), more);
    let rules = json!({"consents": [{"channel": "email", "group": "newsletter", "absent": "denied"}]});
    let status = |more: Value| contact_of(rules.clone(), &customer(more)).consents.first().map(|consent| consent.status);
    let group = json!({"typeId": "customer-group", "id": "g1", "obj": {"key": "newsletter"}});
    assert_eq!(status(json!({"customerGroup": group})), Some(ConsentStatus::Granted));
    assert_eq!(status(json!({"customerGroupAssignments": [{"customerGroup": group}]})), Some(ConsentStatus::Granted));
    assert_eq!(status(json!({})), Some(ConsentStatus::Denied));
    let rules = json!({"consents": [{"channel": "email", "group": "newsletter"}]});
    assert!(contact_of(rules, &customer(json!({}))).consents.is_empty());
}

#[test]
fn checkout_events_lead_to_the_payment_or_the_order_they_name() {
    let checkout = |kind: &str, more: Value| {
        let data = with(json!({"projectKey": "shop", "payment": {"typeId": "payment", "id": "pay"}}), more);
        read(json!({}), &json!({"notificationType": "Event", "id": "e1", "type": kind, "resourceType": "checkout", "data": data}))
    };
    let order = json!({"order": {"typeId": "order", "id": "o1"}});
    assert_eq!(checkout("CheckoutPaymentRefunded", json!({})).fetches[0].resource.id, "pay");
    assert_eq!(checkout("CheckoutPaymentCharged", order.clone()).fetches[0].resource.id, "o1");
    assert!(checkout("CheckoutPaymentCharged", json!({})).ignored[0].known);
    assert!(checkout("CheckoutPaymentChargeFailed", order).ignored[0].known);
    assert!(!checkout("SomethingElse", json!({})).ignored[0].known);
}

/// What is asked for something that was only named, step by step, with what the shop answers each time.
fn asked(kind: &str, answers: &[Value]) -> (Vec<String>, String) {
    use crate::http::Reply;
    use crate::sources::pull::{Step, Wanted};
    let config = json!({"project": "demo", "pull": {"region": "europe-west1.gcp", "client_id": "id", "client_secret": "secret"}});
    let config: Config = serde_json::from_value(config).unwrap_or_else(|error| panic!("{error}"));
    let source = Commercetools::new(config).unwrap_or_else(|error| panic!("{error}"));
    let pull = source.pull().unwrap_or_else(|error| panic!("{error}"));
    let wanted = Wanted { resource: ResourceRef { kind: kind.to_owned(), id: "r1".to_owned() }, seed: None };
    let (mut replies, mut paths) = (Vec::new(), Vec::new());
    for answer in answers.iter().map(Some).chain([None]) {
        match pull.follow(&wanted, &replies) {
            Ok(Step::Ask(requests)) => {
                paths.extend(requests.iter().map(|request| request.path.split('?').next().unwrap_or_default().to_owned()))
            }
            Ok(Step::Done(documents)) => return (paths, documents[0].resource.to_owned()),
            Ok(Step::Nothing(why)) => return (paths, why.to_owned()),
            Err(failure) => panic!("{failure:?}"),
        }
        let Some(answer) = answer else { break };
        let status = if answer.is_null() { 404 } else { 200 };
        replies.push(Reply { status, body: answer.to_string().into_bytes(), ..Reply::default() });
    }
    panic!("{kind} goes on asking: {paths:?}");
}

#[test]
fn what_only_names_another_resource_is_followed_to_it() {
    let edit =
        |result: &str| json!({"id": "r1", "resource": {"typeId": "order", "id": "o1"}, "stagedActions": [], "result": {"type": result}});
    let paths = |paths: &[&str]| paths.iter().map(|path| format!("/demo{path}")).collect::<Vec<_>>();
    assert_eq!(asked("shopping-list", &[list()]), (paths(&["/shopping-lists/r1"]), "shopping-list".to_owned()));
    assert_eq!(asked("recurring-order", &[json!({})]), (paths(&["/recurring-orders/r1"]), "recurring-order".to_owned()));
    assert_eq!(asked("order-edit", &[edit("Applied"), json!({})]), (paths(&["/orders/edits/r1", "/orders/o1"]), "order".to_owned()));
    assert_eq!(asked("order-edit", &[edit("PreviewFailure")]).1, "it leads to nothing that changed");
    let variant = json!({"id": "r1", "product": {"typeId": "product", "id": "p1"}});
    assert_eq!(asked("variant", &[variant, json!({})]), (paths(&["/variants/r1", "/product-projections/p1"]), "product".to_owned()));
    let page = json!({"limit": 500, "offset": 0, "count": 0, "results": []});
    let entry = json!({"id": "r1", "sku": "A-1"});
    assert_eq!(
        asked("inventory-entry", &[entry.clone(), page.clone()]),
        (paths(&["/inventory/r1", "/product-projections"]), "product".to_owned())
    );
    assert_eq!(asked("standalone-price", &[entry, page]).0, paths(&["/standalone-prices/r1", "/product-projections"]));
    for kind in ["order-edit", "variant", "inventory-entry", "shopping-list"] {
        assert!(asked(kind, &[Value::Null]).1.starts_with("it is deleted"), "{kind}");
    }
}
