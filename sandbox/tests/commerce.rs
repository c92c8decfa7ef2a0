//! Carts and purchases.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::json;
use support::{Api, item, purchase};

#[tokio::test]
async fn a_cart_update_replaces_the_cart_and_logs_a_custom_event() {
    let api = Api::start(json!({}));
    let user = json!({"userId": "u1"});
    api.ok("/api/commerce/updateCart", json!({"user": user, "items": [item("a", 1.0, 1), item("b", 2.0, 1)]})).await;
    api.ok("/api/commerce/updateCart", json!({"user": user, "items": [item("c", 3.0, 1)]})).await;
    let profile = api.by_user_id("u1");
    assert_eq!(profile["cart"], json!([item("c", 3.0, 1)]));
    assert_eq!(profile["events"].as_array().unwrap().len(), 2);
    assert_eq!(profile["events"][1]["name"], "updateCart");
    assert_eq!(profile["events"][1]["dataFields"]["updatedShoppingCartItems"][0]["id"], "c");
    let (_, shown) = api.get("/api/users/byUserId?userId=u1").await;
    assert_eq!(shown["user"]["dataFields"]["shoppingCartItems"][0]["id"], "c");
    api.ok("/api/commerce/updateCart", json!({"user": user, "items": []})).await;
    assert_eq!(api.by_user_id("u1")["cart"], json!([]));
}

#[tokio::test]
async fn a_purchase_clears_the_cart() {
    let api = Api::start(json!({}));
    api.ok("/api/commerce/updateCart", json!({"user": {"userId": "u1"}, "items": [item("a", 1.0, 1)]})).await;
    let reply = api.ok("/api/commerce/trackPurchase", purchase("ct-order-1", "u1")).await;
    assert_eq!(reply["code"], "Success");
    assert_eq!(reply["params"]["id"], "ct-order-1");
    let profile = api.by_user_id("u1");
    assert_eq!(profile["cart"], json!([]));
    assert_eq!(profile["purchases"][0]["total"], 39.0);
    assert_eq!(api.counts()["cartsCleared"], 1);
}

#[tokio::test]
async fn the_same_purchase_id_updates_and_starts_the_journey_again() {
    let api = Api::start(json!({"journeys": [{"name": "confirmation", "trigger": "purchase"}]}));
    api.ok("/api/users/update", json!({"userId": "u1", "dataFields": {"email": "mara@example.com"}})).await;
    api.ok("/api/commerce/trackPurchase", purchase("ct-order-1", "u1")).await;
    api.ok("/api/commerce/trackPurchase", purchase("ct-order-1", "u1")).await;
    let mut changed = purchase("ct-order-1", "u1");
    changed["total"] = json!(10.0);
    api.ok("/api/commerce/trackPurchase", changed).await;
    let profile = api.by_user_id("u1");
    assert_eq!(profile["purchases"].as_array().unwrap().len(), 1);
    assert_eq!(profile["purchases"][0]["updates"], 2);
    assert_eq!(profile["purchases"][0]["identicalUpdates"], 1);
    assert_eq!(profile["purchases"][0]["total"], 10.0);
    assert_eq!(profile["journeys"]["confirmation"], json!({"fired": 3, "mailed": 3}));
    assert_eq!(api.counts()["purchases"]["updates"], 2);
}

#[tokio::test]
async fn purchases_without_an_id_are_duplicates_when_sent_again() {
    let api = Api::start(json!({}));
    let mut order = purchase("x", "u1");
    order.as_object_mut().unwrap().remove("id");
    api.ok("/api/commerce/trackPurchase", order.clone()).await;
    api.ok("/api/commerce/trackPurchase", order).await;
    let counts = api.counts();
    assert_eq!(counts["purchases"]["distinct"], 2);
    assert_eq!(counts["purchases"]["probableDuplicates"], 1);
    assert_eq!(counts["oddities"]["purchase_without_id"], 2);
}

#[tokio::test]
async fn wrong_types_are_refused_with_their_path() {
    let api = Api::start(json!({}));
    let mut order = purchase("o1", "u1");
    order["total"] = json!("39.00");
    order["items"][0]["id"] = json!(881);
    order["items"][0]["quantity"] = json!(1.5);
    order["items"][0].as_object_mut().unwrap().remove("name");
    let (status, reply) = api.post("/api/commerce/trackPurchase", order).await;
    assert_eq!((status, reply["code"].as_str()), (400, Some("BadJsonBody")));
    assert_eq!(
        reply["params"],
        json!({"obj.total": ["Number value expected"], "obj.items[0].id": ["String value expected"],
            "obj.items[0].quantity": ["Number value expected"], "obj.items[0].name": ["Missing required value"]})
    );
    assert_eq!(api.counts()["profiles"], 0, "a refused purchase leaves nothing behind");
}

#[tokio::test]
async fn properties_an_item_does_not_have_are_dropped_and_named() {
    let api = Api::start(json!({}));
    let mut order = purchase("o1", "u1");
    order["items"][0]["currency"] = json!("EUR");
    order["currency"] = json!("EUR");
    api.ok("/api/commerce/trackPurchase", order).await;
    let dropped = &api.counts()["droppedProperties"];
    assert_eq!(dropped["POST /api/commerce/trackPurchase obj.items.currency"], 1);
    assert_eq!(dropped["POST /api/commerce/trackPurchase obj.currency"], 1);
    let kept = &api.by_user_id("u1")["purchases"][0];
    assert!(kept["shoppingCartItems"][0].get("currency").is_none());
    assert!(kept.get("currency").is_none());
}

#[tokio::test]
async fn fields_of_purchases_are_typed_by_their_first_value() {
    let api = Api::start(json!({}));
    let with = |id: &str, tax: serde_json::Value| {
        let mut order = purchase(id, "u1");
        order["dataFields"] = json!({"tax": tax});
        order
    };
    api.ok("/api/commerce/trackPurchase", with("o1", json!(8))).await;
    let (status, reply) = api.post("/api/commerce/trackPurchase", with("o2", json!(8.29))).await;
    assert_eq!((status, reply["code"].as_str()), (400, Some("RequestFieldsTypesMismatched")));
    assert_eq!(reply["params"]["validationErrors"]["purchase:::tax"]["expectedType"], "long");
    assert_eq!(api.counts()["purchases"]["distinct"], 1);
}

#[tokio::test]
async fn an_id_longer_than_512_bytes_is_refused() {
    let api = Api::start(json!({}));
    let (status, reply) = api.post("/api/commerce/trackPurchase", purchase(&"x".repeat(513), "u1")).await;
    assert_eq!((status, reply["code"].as_str()), (400, Some("BadParams")));
    api.ok("/api/commerce/trackPurchase", purchase(&"x".repeat(512), "u1")).await;
}

#[tokio::test]
async fn without_retention_purchases_count_and_digest_the_same() {
    let mut digests = Vec::new();
    for retain in [true, false] {
        let api = Api::start(json!({"retain_purchases": retain}));
        for n in 0..20 {
            api.ok("/api/commerce/trackPurchase", purchase(&format!("o{n}"), &format!("u{}", n % 3))).await;
        }
        assert_eq!(api.counts()["purchases"]["distinct"], 20);
        assert_eq!(api.by_user_id("u0")["purchases"][0].get("total").is_some(), retain);
        digests.push(api.digest());
    }
    assert_eq!(digests[0], digests[1]);
}

#[tokio::test]
async fn a_journey_that_ignores_old_events_mails_nobody_in_a_backfill() {
    let journeys = json!([
        {"name": "strict", "trigger": "purchase", "ignore_older_than_hours": 24},
        {"name": "as documented", "trigger": "purchase"},
    ]);
    let api = Api::start(json!({"journeys": journeys}));
    let mut old = purchase("o1", "u1");
    old["createdAt"] = json!(1_700_000_000);
    api.ok("/api/commerce/trackPurchase", old).await;
    let totals = api.inspect(json!({"what": "journeys"}));
    assert_eq!(totals["strict"]["fired"], 0);
    assert_eq!(totals["as documented"], json!({"fired": 1, "mailed": 0, "profiles": 1}), "no address, no mail");
}
