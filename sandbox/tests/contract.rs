//! One correct request to every endpoint, and the refusals a correct request can meet. With `CARTWIRE_EXCHANGES` set to a path the
//! exchanges are written there, so that they can be checked against the vendor's own OpenAPI document.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::{Value, json};
use support::{Api, item, purchase};

async fn each(api: &Api, calls: &[(&str, &str, Option<Value>, u16)]) {
    for (method, path, body, status) in calls {
        let (got, reply) = api.send(method, path, body.as_ref()).await;
        assert_eq!(got, *status, "{method} {path}: {reply}");
    }
}

#[tokio::test]
async fn every_endpoint_answers_in_a_documented_shape() {
    let options = json!({"catalogs": ["products"], "lists": [{"id": 7, "name": "VIP"}], "disallowed_events": ["secret"],
        "journeys": [{"name": "come back", "trigger": {"call": 8814}}]});
    let api = Api::start(options);
    let mara = json!({"email": "mara@example.com"});
    let event = json!({"eventName": "orderShipped", "id": "s-1", "userId": "u1", "createdAt": 1_767_261_600, "dataFields": {"n": 1}});
    let mut order = purchase("o-1", "u1");
    order["dataFields"] = json!({"currency": "EUR"});
    order["user"] = json!({"userId": "u1", "createNewFields": false, "dataFields": {"firstName": "Mara"}});
    let subscriptions = json!({"email": "mara@example.com", "emailListIds": [7], "unsubscribedChannelIds": [2],
        "unsubscribedMessageTypeIds": [102], "subscribedMessageTypeIds": [101]});
    let profile = json!({"email": "mara@example.com", "userId": "u1", "mergeNestedObjects": true, "createNewFields": true,
        "dataFields": {"firstName": "Mara", "address": {"city": "Graz"}}});
    let rows = json!({"createNewFields": false, "users": [{"userId": "u1", "dataFields": {"new": 1}}, {"email": "bad"}, {"userId": "u2"}]});
    each(
        &api,
        &[
            ("POST", "/api/users/update", Some(profile), 200),
            ("POST", "/api/users/update", Some(json!({"userId": "u1", "dataFields": {"address": 1}})), 400),
            ("POST", "/api/users/bulkUpdate", Some(rows), 200),
            ("POST", "/api/users/updateSubscriptions", Some(subscriptions.clone()), 200),
            ("POST", "/api/users/bulkUpdateSubscriptions", Some(json!({"updateSubscriptionsRequests": [subscriptions]})), 200),
            ("GET", "/api/users/getByEmail?email=mara%40example.com", None, 200),
            ("GET", "/api/users/getByEmail?email=nobody%40example.com", None, 200),
            ("GET", "/api/users/mara%40example.com", None, 200),
            ("GET", "/api/users/byUserId?userId=u1", None, 200),
            ("GET", "/api/users/byUserId/u1", None, 200),
            ("GET", "/api/users/byUserId?userId=u2", None, 200),
            ("GET", "/api/users/byUserId/nobody", None, 400),
            ("GET", "/api/users/getFields", None, 200),
            ("POST", "/api/commerce/updateCart", Some(json!({"user": mara, "items": [item("a", 1.5, 1)]})), 200),
            ("POST", "/api/commerce/trackPurchase", Some(order), 200),
            ("POST", "/api/commerce/trackPurchase", Some(json!({"user": {"userId": "u1"}, "items": [], "total": 1.0})), 200),
            ("POST", "/api/events/track", Some(event.clone()), 200),
            ("POST", "/api/events/track", Some(json!({"eventName": "secret", "userId": "u1"})), 200),
            ("POST", "/api/events/track", Some(json!({"eventName": "e", "email": "nobody@example.com"})), 400),
            ("POST", "/api/events/trackBulk", Some(json!({"events": [event, {"eventName": "e", "email": "no@example.com"}]})), 200),
            ("GET", "/api/events/mara%40example.com?limit=10", None, 200),
            ("GET", "/api/events/byUserId/u1", None, 200),
            ("GET", "/api/export/userEvents?userId=u1&includeCustomEvents=true", None, 200),
            ("GET", "/api/export/userEvents", None, 400),
            ("GET", "/api/channels", None, 200),
            ("GET", "/api/messageTypes", None, 200),
            ("GET", "/api/webhooks", None, 200),
            ("PATCH", "/api/subscriptions/messageType/101/user/mara%40example.com", None, 202),
            ("DELETE", "/api/subscriptions/messageType/101/byUserId/u1", None, 202),
            ("PUT", "/api/subscriptions/emailList/7?action=subscribe", Some(json!({"users": ["mara@example.com"]})), 202),
            ("POST", "/api/subscriptions/subscribeToDoubleOptIn", Some(json!({"userId": "u1", "messageTypeIds": [301]})), 202),
            ("GET", "/api/lists", None, 200),
            ("POST", "/api/lists", Some(json!({"name": "New", "description": "x"})), 200),
            ("POST", "/api/lists/subscribe", Some(json!({"listId": 7, "subscribers": [mara, {"userId": "u2"}]})), 200),
            ("POST", "/api/lists/subscribe", Some(json!({"listId": 99, "subscribers": [mara]})), 400),
            ("POST", "/api/lists/unsubscribe", Some(json!({"listId": 7, "subscribers": [mara]})), 200),
            ("GET", "/api/lists/getUsers?listId=7", None, 200),
            ("GET", "/api/lists/7/size", None, 200),
            ("DELETE", "/api/lists/8", None, 200),
        ],
    )
    .await;
    each(
        &api,
        &[
            ("GET", "/api/catalogs", None, 200),
            ("POST", "/api/catalogs/categories", None, 201),
            ("DELETE", "/api/catalogs/categories", None, 200),
            (
                "PUT",
                "/api/catalogs/products/fieldMappings",
                Some(json!({"mappingsUpdates": [{"fieldName": "name", "fieldType": "string"}]})),
                200,
            ),
            (
                "POST",
                "/api/catalogs/products/items",
                Some(json!({"replaceUploadedFieldsOnly": false, "documents": {"p-1": {"name": "Tee"}, "p-2": {"stock": 1}}})),
                202,
            ),
            ("GET", "/api/catalogs/products/fieldMappings", None, 200),
            ("GET", "/api/catalogs/products/items?page=1&pageSize=1", None, 200),
            ("GET", "/api/catalogs/products/items/p-1", None, 200),
            ("PATCH", "/api/catalogs/products/items/p-1", Some(json!({"update": {"stock": 2}})), 202),
            ("PUT", "/api/catalogs/products/items/p-1", Some(json!({"value": {"name": "Tee"}})), 202),
            ("DELETE", "/api/catalogs/products/items/p-1", None, 202),
            ("DELETE", "/api/catalogs/products/items", Some(json!({"itemIds": ["p-2"]})), 202),
            ("GET", "/api/catalogs/nothing/fieldMappings", None, 404),
            ("POST", "/api/workflows/triggerWorkflow", Some(json!({"workflowId": 8814, "userId": "u1", "dataFields": {"a": 1}})), 200),
            ("POST", "/api/workflows/triggerWorkflow", Some(json!({"workflowId": 1, "userId": "u1"})), 400),
            ("POST", "/api/users/merge", Some(json!({"sourceUserId": "u2", "destinationUserId": "u1"})), 200),
            ("POST", "/api/users/forget", Some(mara.clone()), 200),
            ("GET", "/api/users/forgotten", None, 200),
            ("GET", "/api/users/forgottenUserIds", None, 200),
            ("POST", "/api/users/update", Some(mara.clone()), 409),
            ("POST", "/api/users/unforget", Some(mara.clone()), 200),
            ("POST", "/api/users/update", Some(mara), 200),
            ("DELETE", "/api/users/mara%40example.com", None, 200),
            ("DELETE", "/api/users/byUserId/nobody", None, 400),
        ],
    )
    .await;
    let email = Api::start(json!({"project_type": "email"}));
    let rename = json!({"currentEmail": "a@example.com", "newEmail": "b@example.com"});
    each(
        &email,
        &[
            ("POST", "/api/users/update", Some(json!({"email": "a@example.com"})), 200),
            ("POST", "/api/users/updateEmail", Some(rename.clone()), 200),
            ("POST", "/api/users/updateEmail", Some(rename), 400),
        ],
    )
    .await;
    let limited = Api::start(json!({"rate_limits": {"per_second": {"GET /api/channels": 1}}}));
    each(&limited, &[("GET", "/api/channels", None, 200), ("GET", "/api/channels", None, 429)]).await;
    if let Some(path) = std::env::var_os("CARTWIRE_EXCHANGES") {
        let all: Vec<u8> = [&api, &email, &limited].into_iter().flat_map(|api| api.sandbox.exchanges()).collect();
        std::fs::write(path, all).unwrap();
    }
}
