//! Consent and lists.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::{Value, json};
use support::Api;

const MARA: &str = "mara@example.com";

fn subscriptions(api: &Api) -> Value {
    api.profile(MARA)["subscriptions"].clone()
}

#[tokio::test]
async fn arrays_that_are_sent_replace_and_others_stay() {
    let api = Api::start(json!({"lists": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]}));
    let send = |mut body: Value| {
        body["email"] = json!(MARA);
        api.post("/api/users/updateSubscriptions", body)
    };
    assert_eq!(send(json!({"emailListIds": [1], "subscribedMessageTypeIds": [101], "unsubscribedMessageTypeIds": [102]})).await.0, 200);
    assert_eq!(send(json!({"emailListIds": [2], "unsubscribedMessageTypeIds": null})).await.0, 200);
    assert_eq!(
        subscriptions(&api),
        json!({"userListIds": [2], "unsubscribedChannelIds": [], "unsubscribedMessageTypeIds": [102], "subscribedMessageTypeIds": [101]})
    );
    assert_eq!(send(json!({"unsubscribedMessageTypeIds": [], "subscribedMessageTypeIds": []})).await.0, 200);
    assert_eq!(subscriptions(&api)["unsubscribedMessageTypeIds"], json!([]));
    assert_eq!(send(json!({"unsubscribedChannelIds": [99]})).await.0, 400);
}

#[tokio::test]
async fn a_type_of_a_channel_that_was_left_is_refused_unless_told_otherwise() {
    let api = Api::start(json!({}));
    let body = json!({"email": MARA, "unsubscribedChannelIds": [1], "subscribedMessageTypeIds": [101]});
    assert_eq!(api.post("/api/users/updateSubscriptions", body.clone()).await.0, 400);
    assert_eq!(api.counts()["profiles"], 0);
    let mut told = body.clone();
    told["validateChannelAlignment"] = json!(false);
    api.ok("/api/users/updateSubscriptions", told).await;
    assert_eq!(subscriptions(&api)["subscribedMessageTypeIds"], json!([101]));
    let bulk = json!({"updateSubscriptionsRequests": [body, {"userId": "u2", "subscribedMessageTypeIds": [101]}]});
    let reply = api.ok("/api/users/bulkUpdateSubscriptions", bulk).await;
    assert_eq!((&reply["successCount"], &reply["invalidEmails"], &reply["validEmailFailures"]), (&json!(1), &json!([MARA]), &json!([])));

    let without = Api::start(json!({"opt_in_message_types": false}));
    assert_eq!(without.post("/api/users/updateSubscriptions", json!({"email": MARA, "subscribedMessageTypeIds": [101]})).await.0, 400);
}

#[tokio::test]
async fn additive_calls_move_one_thing_and_answer_404_when_off() {
    let api = Api::start(json!({"lists": [{"id": 1, "name": "a"}]}));
    let at = |group: &str| format!("/api/subscriptions/{group}/user/mara%40example.com");
    for (method, group) in
        [("PATCH", "messageType/101"), ("DELETE", "messagetype/102"), ("DELETE", "messageChannel/3"), ("PATCH", "emailList/1")]
    {
        assert_eq!(api.send(method, &at(group), None).await.0, 202, "{method} {group}");
    }
    let all =
        json!({"userListIds": [1], "unsubscribedChannelIds": [3], "unsubscribedMessageTypeIds": [102], "subscribedMessageTypeIds": [101]});
    assert_eq!(subscriptions(&api), all);
    assert_eq!(api.profile(MARA)["consentEvents"].as_array().unwrap().len(), 4);
    assert_eq!(api.send("PATCH", &at("messageType/102"), None).await.0, 202);
    assert_eq!(subscriptions(&api)["unsubscribedMessageTypeIds"], json!([]));
    assert_eq!(api.send("PATCH", &at("messageType/999"), None).await.0, 400);

    let body = json!({"users": ["b@example.com"], "usersByUserId": ["u3"]});
    assert_eq!(api.send("PUT", "/api/subscriptions/messageType/101?action=subscribe", Some(&body)).await.0, 202);
    assert_eq!(api.by_user_id("u3")["subscriptions"]["subscribedMessageTypeIds"], json!([101]));
    assert_eq!(api.send("DELETE", "/api/subscriptions/messageType/101/byUserId/u3", None).await.0, 202);
    assert_eq!(api.by_user_id("u3")["subscriptions"]["subscribedMessageTypeIds"], json!([]));

    let off = Api::start(json!({"additive_subscriptions": false}));
    assert_eq!(off.send("PATCH", &at("messageType/101"), None).await.0, 404);
    assert_eq!(off.send("PUT", "/api/subscriptions/messageType/101?action=subscribe", Some(&body)).await.0, 404);
}

#[tokio::test]
async fn everybody_is_opted_in_but_to_opt_in_types() {
    let journeys = json!([
        {"name": "offers", "trigger": {"event": "e"}, "message_type": 102},
        {"name": "newsletter", "trigger": {"event": "e"}, "message_type": 101},
        {"name": "welcome", "trigger": "subscribe"},
    ]);
    let api = Api::start(json!({"journeys": journeys}));
    api.ok("/api/users/update", json!({"email": MARA})).await;
    let event = json!({"eventName": "e", "email": MARA});
    api.ok("/api/events/track", event.clone()).await;
    let mailed = |name: &str| api.profile(MARA)["journeys"][name]["mailed"].clone();
    assert_eq!((mailed("offers"), mailed("newsletter")), (json!(1), json!(0)));
    api.send("PATCH", "/api/subscriptions/messageType/101/user/mara@example.com", None).await;
    assert_eq!(mailed("welcome"), json!(1));
    api.ok("/api/events/track", event.clone()).await;
    assert_eq!((mailed("offers"), mailed("newsletter")), (json!(2), json!(1)));
    api.send("DELETE", "/api/subscriptions/messageChannel/1/user/mara@example.com", None).await;
    api.ok("/api/events/track", event).await;
    assert_eq!((mailed("offers"), mailed("newsletter")), (json!(2), json!(1)), "leaving the channel beats both types");
}

#[tokio::test]
async fn lists_take_people_in_and_let_them_go() {
    let api = Api::start(json!({"lists": [{"id": 7, "name": "dynamic", "list_type": "Dynamic"}]}));
    let id = api.ok("/api/lists", json!({"name": "VIP"})).await["listId"].clone();
    let reply = api.ok("/api/lists/subscribe", json!({"listId": id, "subscribers": [{"email": MARA}, {"email": "x@x"}]})).await;
    assert_eq!((&reply["successCount"], &reply["failedUpdates"]["invalidEmails"]), (&json!(1), &json!(["x@x"])));
    assert_eq!(api.get(&format!("/api/lists/getUsers?listId={id}")).await.1, json!(MARA));
    let only = json!({"listId": id, "updateExistingUsersOnly": true, "subscribers": [{"userId": "u9"}]});
    assert_eq!(api.ok("/api/lists/subscribe", only).await["failedUpdates"]["notFoundUserIds"], json!(["u9"]));
    let leave = json!({"listId": id, "subscribers": [{"email": MARA}, {"email": "nobody@example.com"}]});
    let reply = api.ok("/api/lists/unsubscribe", leave).await;
    assert_eq!(reply["failedUpdates"]["notFoundEmails"], json!(["nobody@example.com"]));
    assert_eq!(subscriptions(&api)["userListIds"], json!([]));
    assert_eq!(subscriptions(&api)["unsubscribedChannelIds"], json!([]), "leaving a list leaves no channel");
    let whole = json!({"listId": id, "channelUnsubscribe": true, "subscribers": [{"email": MARA}]});
    api.ok("/api/lists/unsubscribe", whole).await;
    assert_eq!(subscriptions(&api)["unsubscribedChannelIds"], json!([1]));
    for list in [7, 12_345] {
        let (status, reply) = api.post("/api/lists/subscribe", json!({"listId": list, "subscribers": [{"email": MARA}]})).await;
        let msg = format!("error.lists.invalidListId({list})");
        assert_eq!((status, &reply["code"], &reply["msg"]), (400, &json!("Success"), &json!(msg)));
    }
}

#[tokio::test]
async fn what_is_joined_and_left_stands_among_a_persons_events() {
    let api = Api::start(json!({"lists": [{"id": 1, "name": "a"}]}));
    for (method, group) in
        [("PATCH", "messageType/101"), ("DELETE", "messageType/101"), ("DELETE", "messageChannel/1"), ("PATCH", "emailList/1")]
    {
        api.send(method, &format!("/api/subscriptions/{group}/user/mara%40example.com"), None).await;
        api.sandbox.advance_clock(1_000);
    }
    // No news, no event.
    api.send("DELETE", "/api/subscriptions/messageType/101/user/mara%40example.com", None).await;
    api.ok("/api/events/track", json!({"eventName": "e", "email": MARA})).await;
    let lines = |text: String| -> Vec<Value> { text.lines().map(|line| serde_json::from_str(line).unwrap()).collect() };
    let (status, text) = api.raw("GET", "/api/export/userEvents?email=Mara%40example.com", None).await.unwrap();
    assert_eq!(status, 200);
    let event = |kind: &str, source: &str, second: u8, types: Value, channels: Value, lists: Value| {
        json!({"_type": kind, "createdAt": format!("2026-01-01 10:00:0{second} +00:00"), "email": MARA, source: "API",
            "messageTypeIds": types, "channelIds": channels, "emailListIds": lists})
    };
    assert_eq!(
        lines(text),
        [
            event("emailSubscribe", "signupSource", 0, json!([101]), json!([]), json!([])),
            event("emailUnSubscribe", "unsubSource", 1, json!([101]), json!([]), json!([])),
            event("emailUnSubscribe", "unsubSource", 2, json!([]), json!([1]), json!([])),
            event("emailSubscribe", "signupSource", 3, json!([]), json!([]), json!([1])),
        ]
    );
    let (_, all) = api.raw("GET", "/api/export/userEvents?email=mara%40example.com&includeCustomEvents=true", None).await.unwrap();
    assert_eq!(lines(all).iter().filter(|event| event["_type"] == "customEvent").count(), 1);
    assert_eq!(api.raw("GET", "/api/export/userEvents?userId=nobody", None).await.unwrap(), (200, String::new()));
}
