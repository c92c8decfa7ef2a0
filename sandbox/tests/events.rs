//! Custom events.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::{Value, json};
use support::Api;

fn event(name: &str, id: &str, user_id: &str, fields: Value) -> Value {
    json!({"eventName": name, "id": id, "userId": user_id, "createdAt": 1_767_261_600, "dataFields": fields})
}

#[tokio::test]
async fn the_same_event_id_updates_whatever_the_name() {
    let api = Api::start(json!({"journeys": [{"name": "shipped", "trigger": {"event": "orderShipped"}}]}));
    api.ok("/api/events/track", event("orderShipped", "s-1", "u1", json!({"carrier": "DHL"}))).await;
    let reply = api.ok("/api/events/track", event("orderShipped", "s-1", "u1", json!({"carrier": "GLS"}))).await;
    assert_eq!(reply["params"]["id"], "s-1");
    api.ok("/api/events/trackBulk", json!({"events": [event("other", "s-1", "u1", json!({}))]})).await;
    let profile = api.by_user_id("u1");
    assert_eq!(profile["events"].as_array().unwrap().len(), 1);
    assert_eq!((&profile["events"][0]["updates"], &profile["events"][0]["name"]), (&json!(2), &json!("other")));
    assert_eq!(profile["journeys"]["shipped"]["fired"], 2);
    let (_, shown) = api.get("/api/events/byUserId/u1?limit=5").await;
    assert_eq!(shown["events"].as_array().unwrap().len(), 1);
    assert_eq!(api.get("/api/events/byUserId/u1?limit=201").await.0, 400);
}

#[tokio::test]
async fn event_ids_hold_letters_digits_and_hyphens() {
    let api = Api::start(json!({}));
    for id in ["a_b", "a.b", "a b", "ü", ""] {
        assert_eq!(api.post("/api/events/track", event("e", id, "u1", json!({}))).await.0, 400, "{id}");
    }
    let bulk = json!({"events": [event("e", "ok-1", "u1", json!({})), event("e", "not:ok", "u1", json!({}))]});
    assert_eq!(api.post("/api/events/trackBulk", bulk).await.0, 400);
    assert_eq!(api.counts()["events"]["distinct"], 0);
}

#[tokio::test]
async fn unknown_people_are_found_missing_by_the_rules_of_the_project() {
    let events = json!({"events": [
        {"eventName": "e", "email": "Mara@example.com"}, {"eventName": "e", "userId": "u1"}, {"eventName": "e", "email": "bad"},
    ]});
    let email = Api::start(json!({"project_type": "email"}));
    let reply = email.ok("/api/events/trackBulk", events.clone()).await;
    assert_eq!((&reply["successCount"], &reply["failCount"]), (&json!(0), &json!(3)));
    assert_eq!(reply["failedUpdates"]["notFoundEmails"], json!(["mara@example.com"]));
    assert_eq!(reply["failedUpdates"]["notFoundUserIds"], json!(["u1"]));
    assert_eq!(reply["failedUpdates"]["invalidEmails"], json!(["bad"]));
    let (status, single) = email.post("/api/events/track", json!({"eventName": "e", "email": "mara@example.com"})).await;
    assert_eq!((status, &single["code"]), (400, &json!("UnknownEmailError")));

    let hybrid = Api::start(json!({}));
    let reply = hybrid.ok("/api/events/trackBulk", events).await;
    assert_eq!((&reply["successCount"], &reply["failedUpdates"]["notFoundUserIds"]), (&json!(1), &json!([])));
    assert_eq!(hybrid.by_user_id("u1")["events"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_disallowed_name_succeeds_and_stores_nothing() {
    let api = Api::start(json!({"disallowed_events": ["secret"]}));
    let reply = api.ok("/api/events/track", event("secret", "a", "u1", json!({}))).await;
    assert!(reply["msg"].as_str().unwrap().contains("is disallowed from tracking"));
    let bulk = json!({"events": [event("secret", "b", "u1", json!({})), event("fine", "c", "u1", json!({}))]});
    let reply = api.ok("/api/events/trackBulk", bulk).await;
    assert_eq!((&reply["successCount"], &reply["failCount"], &reply["disallowedEventNames"]), (&json!(1), &json!(0), &json!(["secret"])));
    assert_eq!(api.counts()["events"]["distinct"], 1);
    let empty = api.ok("/api/events/trackBulk", json!({"events": []})).await;
    assert_eq!((&empty["successCount"], &empty["failCount"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn types_hold_per_event_name() {
    let api = Api::start(json!({"max_event_fields": 2}));
    api.ok("/api/events/track", event("a", "1", "u1", json!({"n": 1}))).await;
    api.ok("/api/events/track", event("b", "2", "u1", json!({"n": "text"}))).await;
    let bulk = json!({"events": [event("b", "3", "u1", json!({"n": "x"})), event("a", "4", "u1", json!({"n": "x"}))]});
    let (status, reply) = api.post("/api/events/trackBulk", bulk).await;
    assert_eq!((status, &reply["code"]), (400, &json!("RequestFieldsTypesMismatched")));
    assert_eq!(reply["params"]["validationErrors"]["a:::n"]["expectedType"], "long");
    assert_eq!(api.counts()["events"]["distinct"], 2, "the whole batch is refused");
    let filtered = json!({"events": [{"eventName": "a", "userId": "u1", "createNewFields": false, "dataFields": {"n": 2, "m": 1}}]});
    assert_eq!(api.ok("/api/events/trackBulk", filtered).await["filteredOutFields"], json!(["m"]));
    let many = api.post("/api/events/track", event("a", "5", "u1", json!({"x": 1, "y": 2}))).await;
    assert_eq!((many.0, &many.1["code"]), (400, &json!("UniqueFieldsLimitExceeded")));
}

#[tokio::test]
async fn times_in_milliseconds_are_taken_and_noted() {
    let api = Api::start(json!({}));
    api.ok("/api/events/track", json!({"eventName": "e", "userId": "u1", "createdAt": 1_767_261_600_000_i64})).await;
    assert_eq!(api.counts()["oddities"]["created_at_in_milliseconds"], 1);
    let (status, reply) =
        api.post("/api/events/trackBulk", json!({"events": [{"eventName": "e", "userId": "u1", "createdAt": "now"}]})).await;
    assert_eq!((status, &reply["params"]), (400, &json!({"obj.events[0].createdAt": ["Number value expected"]})));
}
