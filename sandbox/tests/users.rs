//! Identity, profile fields, types, merging, deleting, forgetting.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::{Value, json};
use support::{Api, purchase};

fn code(reply: &(u16, Value)) -> (u16, &str) {
    (reply.0, reply.1["code"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn a_wrong_key_is_refused_before_anything_else() {
    let api = Api::start(json!({"api_key": "another"}));
    let reply = api.post("/api/users/update", json!("not even an object")).await;
    assert_eq!(code(&reply), (401, "BadApiKey"));
    assert_eq!(reply.1["params"]["endpoint"], "/api/users/update");
    assert!(!reply.1.to_string().contains("sandbox-key"));
}

#[tokio::test]
async fn an_update_keeps_other_fields_and_null_blanks_one() {
    let api = Api::start(json!({}));
    api.ok("/api/users/update", json!({"email": "Mara@Example.com", "dataFields": {"firstName": "Mara", "nick": "m"}})).await;
    api.ok("/api/users/update", json!({"email": "mara@example.com", "dataFields": {"city": "Graz", "nick": null}})).await;
    assert_eq!(api.profile("MARA@example.com")["dataFields"], json!({"firstName": "Mara", "city": "Graz"}));
    let (status, shown) = api.get("/api/users/getByEmail?email=mara%40example.com").await;
    assert_eq!((status, shown["user"]["email"].as_str()), (200, Some("mara@example.com")));
    assert_eq!(api.get("/api/users/nobody%40example.com").await, (200, json!({})));
    assert_eq!(code(&api.get("/api/users/byUserId/nobody").await), (400, "error.users.noUserWithIdExists"));
}

#[tokio::test]
async fn nested_objects_are_replaced_unless_one_level_is_merged() {
    let api = Api::start(json!({}));
    let send = |merge: bool, address: Value| json!({"userId": "u1", "mergeNestedObjects": merge, "dataFields": {"address": address}});
    api.ok("/api/users/update", send(false, json!({"city": "Graz", "geo": {"a": 1, "b": 2}}))).await;
    api.ok("/api/users/update", send(true, json!({"zip": "8010", "geo": {"a": 3}}))).await;
    assert_eq!(api.by_user_id("u1")["dataFields"]["address"], json!({"city": "Graz", "zip": "8010", "geo": {"a": 3}}));
    api.ok("/api/users/update", send(false, json!({"zip": "1010"}))).await;
    assert_eq!(api.by_user_id("u1")["dataFields"]["address"], json!({"zip": "1010"}));
}

#[tokio::test]
async fn the_project_type_decides_who_is_created() {
    let email = Api::start(json!({"project_type": "email"}));
    assert_eq!(code(&email.post("/api/users/update", json!({"userId": "u1"})).await), (400, "UnknownUserIdError"));
    email.ok("/api/users/update", json!({"userId": "u1", "preferUserId": true})).await;
    let address = email.by_user_id("u1")["email"].as_str().unwrap().to_owned();
    assert!(address.starts_with("u1+") && address.ends_with("@placeholder.email"), "{address}");
    email.ok("/api/users/updateEmail", json!({"currentUserId": "u1", "newEmail": "mara@example.com"})).await;
    assert_eq!(email.profile("mara@example.com")["userId"], "u1");
    email.ok("/api/users/update", json!({"email": "mara@example.com", "userId": "u2"})).await;
    assert_eq!(email.profile("mara@example.com")["userId"], "u2", "email projects overwrite the stored userId");

    let user_id = Api::start(json!({"project_type": "user_id"}));
    assert_eq!(code(&user_id.post("/api/users/update", json!({"email": "mara@example.com"})).await), (400, "UnknownEmailError"));
    user_id.ok("/api/users/update", json!({"userId": "u1", "dataFields": {"email": "mara@example.com"}})).await;
    user_id.ok("/api/users/update", json!({"userId": "u2", "dataFields": {"email": "mara@example.com"}})).await;
    assert_eq!(user_id.counts()["profiles"], 2, "addresses are not unique there");
    let refused = user_id.post("/api/users/updateEmail", json!({"currentUserId": "u1", "newEmail": "x@example.com"})).await;
    assert_eq!(code(&refused), (400, "BadParams"));
}

#[tokio::test]
async fn a_hybrid_project_refuses_to_give_an_address_away() {
    let api = Api::start(json!({}));
    api.ok("/api/users/update", json!({"userId": "u1", "dataFields": {"email": "mara@example.com"}})).await;
    api.ok("/api/users/update", json!({"userId": "u2"})).await;
    let taken = json!({"userId": "u2", "dataFields": {"email": "MARA@example.com"}});
    assert_eq!(code(&api.post("/api/users/update", taken).await), (409, "ExternalKeyConflict"));
    let both = json!({"email": "mara@example.com", "userId": "u2"});
    assert_eq!(code(&api.post("/api/users/update", both).await), (409, "ExternalKeyConflict"));
    api.ok("/api/users/update", json!({"userId": "u1", "dataFields": {"email": "new@example.com"}})).await;
    assert_eq!(api.profile("new@example.com")["userId"], "u1");
    assert_eq!(api.profile("mara@example.com"), Value::Null);
    let bulk = api.ok("/api/users/bulkUpdate", json!({"users": [{"userId": "u2", "dataFields": {"email": "new@example.com"}}]})).await;
    assert_eq!(bulk["failedUpdates"]["conflictUserIds"], json!(["u2"]));
}

#[tokio::test]
async fn bad_identifiers_fail_one_row_and_null_fails_the_call() {
    let api = Api::start(json!({}));
    let long = "x".repeat(53);
    let rows = json!([{"email": "GOOD@example.com"}, {"email": "Bad@example.con"}, {"userId": long}, {"userId": "ü"}]);
    let reply = api.ok("/api/users/bulkUpdate", json!({"users": rows})).await;
    assert_eq!((&reply["successCount"], &reply["failCount"]), (&json!(1), &json!(3)));
    assert_eq!(reply["failedUpdates"]["invalidEmails"], json!(["bad@example.con"]));
    assert_eq!(reply["failedUpdates"]["invalidUserIds"], json!([long, "ü"]));
    assert_eq!(reply["invalidEmails"], reply["failedUpdates"]["invalidEmails"]);
    for users in [json!([]), json!([{"email": "a@example.com"}, {"email": null, "userId": "u1"}]), json!([{"dataFields": {}}])] {
        assert_eq!(code(&api.post("/api/users/bulkUpdate", json!({"users": users})).await), (400, "InvalidEmailAddressError"));
    }
    assert_eq!(api.counts()["profiles"], 1);
}

#[tokio::test]
async fn one_mismatch_refuses_the_whole_batch() {
    let api = Api::start(json!({}));
    api.ok("/api/users/update", json!({"userId": "u0", "dataFields": {"orderCount": 3}})).await;
    let rows = json!([{"userId": "u1", "dataFields": {"city": "Graz"}}, {"userId": "u2", "dataFields": {"orderCount": "three"}}]);
    let reply = api.post("/api/users/bulkUpdate", json!({"users": rows})).await;
    assert_eq!(code(&reply), (400, "RequestFieldsTypesMismatched"));
    assert_eq!(
        reply.1["params"]["validationErrors"]["orderCount"],
        json!({"incomingTypes": ["string"], "expectedType": "long", "category": "user", "offendingValue": "three", "_type": "UnexpectedType"})
    );
    assert_eq!(api.counts()["profiles"], 1, "nothing of the batch is stored");
    let within = json!([{"userId": "u1", "dataFields": {"new": 1}}, {"userId": "u2", "dataFields": {"new": "1"}}]);
    assert_eq!(code(&api.post("/api/users/bulkUpdate", json!({"users": within})).await), (400, "RequestFieldsTypesMismatched"));
    api.ok("/api/users/update", json!({"userId": "u1", "dataFields": {"new": "text"}})).await;
}

#[tokio::test]
async fn the_first_value_fixes_the_type_as_date_long_or_double() {
    let api = Api::start(json!({}));
    let send = |fields: Value| api.post("/api/users/update", json!({"userId": "u1", "dataFields": fields}));
    assert_eq!(send(json!({"since": "2026-01-01", "spent": 10, "rate": 1.5, "tags": ["a"], "note": "x"})).await.0, 200);
    for (fields, status) in [
        (json!({"since": "last year"}), 400),
        (json!({"since": "2026-01-01 10:00:00.000"}), 400),
        (json!({"since": "2026-01-01 10:00:00 +00:00"}), 200),
        (json!({"spent": 10.5}), 400),
        (json!({"rate": 2}), 200),
        (json!({"tags": [1]}), 400),
        (json!({"tags": []}), 200),
        (json!({"note": "2026-01-01"}), 200),
        (json!({"note": {"a": 1}}), 400),
        (json!({"Note": true}), 200),
    ] {
        assert_eq!(send(fields.clone()).await.0, status, "{fields}");
    }
    let (_, fields) = api.get("/api/users/getFields").await;
    assert_eq!(
        (&fields["fields"]["since"], &fields["fields"]["spent"], &fields["fields"]["rate"]),
        (&json!("date"), &json!("long"), &json!("double"))
    );
}

#[tokio::test]
async fn unknown_fields_are_filtered_when_none_may_be_created() {
    let api = Api::start(json!({}));
    api.ok("/api/users/bulkUpdate", json!({"users": [{"userId": "u1", "dataFields": {"address": {"city": "Graz"}}}]})).await;
    let users = json!([{"userId": "u1", "dataFields": {"nick": null, "address": {"city": "Linz", "zip": "4020"}}}]);
    let reply = api.ok("/api/users/bulkUpdate", json!({"createNewFields": false, "users": users})).await;
    assert_eq!(reply["filteredOutFields"], json!(["address.zip", "nick"]));
    assert_eq!(reply["successCount"], 1);
    assert_eq!(api.by_user_id("u1")["dataFields"]["address"], json!({"city": "Linz"}));
    let reply = api.ok("/api/users/bulkUpdate", json!({"users": [{"userId": "u1", "dataFields": {"nick": "m"}}]})).await;
    assert_eq!(reply["createdFields"], json!(["nick"]));
}

#[tokio::test]
async fn a_project_has_room_for_so_many_fields() {
    let api = Api::start(json!({"max_profile_fields": 3}));
    api.ok("/api/users/update", json!({"userId": "u1", "dataFields": {"a": 1, "b": {"c": 2}, "firstName": "Mara"}})).await;
    let reply = api.post("/api/users/update", json!({"userId": "u1", "dataFields": {"d": 1}})).await;
    assert_eq!(code(&reply), (400, "UniqueFieldsLimitExceeded"));
    api.ok("/api/users/update", json!({"userId": "u1", "dataFields": {"a": 2}})).await;
}

#[tokio::test]
async fn fields_the_vendor_keeps_to_itself_are_ignored() {
    let api = Api::start(json!({}));
    let fields = json!({"emailListIds": [1], "unsubscribedChannelIds": [1], "unsubscribedMessageTypeIds": [102], "signupDate": "2020-01-01",
        "itblUserId": "x", "firstName": "Mara"});
    api.ok("/api/users/bulkUpdate", json!({"users": [{"userId": "u1", "dataFields": fields}]})).await;
    let profile = api.by_user_id("u1");
    assert_eq!(profile["dataFields"], json!({"firstName": "Mara"}));
    assert_eq!(profile["subscriptions"]["unsubscribedChannelIds"], json!([]));

    let old = Api::start(json!({"opt_in_message_types": false}));
    old.ok("/api/users/bulkUpdate", json!({"users": [{"userId": "u1", "dataFields": {"unsubscribedChannelIds": [1]}}]})).await;
    let profile = old.by_user_id("u1");
    assert_eq!(profile["subscriptions"]["unsubscribedChannelIds"], json!([1]));
    assert_eq!(profile["consentEvents"], json!([]), "a bulk update leaves no trace of an unsubscribe");
}

#[tokio::test]
async fn the_same_user_twice_in_one_batch_ends_with_the_last_row() {
    let api = Api::start(json!({}));
    let rows = json!([{"userId": "u1", "dataFields": {"n": 1}}, {"userId": "u1", "dataFields": {"n": 2}}]);
    assert_eq!(api.ok("/api/users/bulkUpdate", json!({"users": rows})).await["successCount"], 2);
    assert_eq!(api.by_user_id("u1")["dataFields"]["n"], 2);
    assert_eq!(api.counts()["oddities"]["user_twice_in_one_batch"], 1);
}

#[tokio::test]
async fn bodies_that_are_too_large_too_deep_or_not_json_are_refused() {
    let api = Api::start(json!({}));
    let large = json!({"users": [{"userId": "u1", "dataFields": {"x": "y".repeat(4_000_001)}}]});
    assert_eq!(code(&api.post("/api/users/bulkUpdate", large).await), (413, "BatchTooLarge"));
    let deep = format!(r#"{{"userId": "u1", "dataFields": {{"a": {}{}}}}}"#, "[".repeat(200), "]".repeat(200));
    for body in [deep, "{\"userId\":".to_owned(), String::new(), "[]".to_owned()] {
        let (status, reply) = api.raw("POST", "/api/users/update", Some(body)).await.unwrap();
        assert_eq!(status, 400);
        assert!(reply.contains("BadJsonBody"), "{reply}");
        assert!(!reply.contains("sandbox-key"));
    }
    let reply = api.post("/api/users/bulkUpdate", json!({"users": [{"userId": "u1"}, {"userId": 7, "dataFields": []}]})).await;
    assert_eq!(
        reply.1["params"],
        json!({"obj.users[1].userId": ["String value expected"], "obj.users[1].dataFields": ["Object value expected"]})
    );
    let text = json!({"users": [{"userId": "u1", "dataFields": {"x": "y".repeat(32_001)}}, {"userId": "u2"}]});
    assert_eq!(api.ok("/api/users/bulkUpdate", text).await["failedUpdates"]["invalidDataUserIds"], json!(["u1"]));
}

#[tokio::test]
async fn who_is_forgotten_stays_blocked_until_unforgotten() {
    let api = Api::start(json!({}));
    api.ok("/api/users/update", json!({"userId": "u1", "dataFields": {"email": "mara@example.com"}})).await;
    api.ok("/api/commerce/trackPurchase", purchase("o1", "u1")).await;
    api.ok("/api/users/forget", json!({"email": "mara@example.com"})).await;
    assert_eq!(api.by_user_id("u1"), Value::Null);
    assert_eq!(api.counts()["purchases"]["distinct"], 0);
    assert_eq!(code(&api.post("/api/users/update", json!({"userId": "u1"})).await), (409, "ForgottenUserError"));
    assert_eq!(code(&api.post("/api/commerce/trackPurchase", purchase("o2", "u1")).await), (409, "ForgottenUserError"));
    let bulk = api.ok("/api/users/bulkUpdate", json!({"users": [{"email": "MARA@example.com"}, {"userId": "u2"}]})).await;
    assert_eq!(bulk["failedUpdates"]["forgottenEmails"], json!(["mara@example.com"]));
    let events = json!({"events": [{"eventName": "e", "userId": "u1"}]});
    assert_eq!(api.ok("/api/events/trackBulk", events).await["failedUpdates"]["forgottenUserIds"], json!(["u1"]));
    let (_, hashes) = api.get("/api/users/forgotten").await;
    assert_eq!(hashes["hashedEmails"].as_array().unwrap().len(), 1);
    assert!(!hashes.to_string().contains("mara"));
    api.ok("/api/users/unforget", json!({"userId": "u1"})).await;
    api.ok("/api/users/update", json!({"email": "mara@example.com"})).await;
    assert_eq!(api.profile("mara@example.com")["purchases"], json!([]), "what was deleted does not come back");
}

#[tokio::test]
async fn a_deleted_user_can_be_made_again() {
    let api = Api::start(json!({}));
    api.ok("/api/users/update", json!({"userId": "a/b", "dataFields": {"email": "m+1@example.com"}})).await;
    assert_eq!(api.send("DELETE", "/api/users/byUserId/a%2Fb", None).await.0, 200);
    assert_eq!(code(&api.send("DELETE", "/api/users/m%2B1%40example.com", None).await), (400, "BadParams"));
    api.ok("/api/users/update", json!({"email": "m+1@example.com"})).await;
    assert_eq!(api.send("DELETE", "/api/users/m%2B1%40example.com", None).await.0, 200);
    assert_eq!(api.counts()["profiles"], 0);
}

#[tokio::test]
async fn a_merge_keeps_the_destinations_values_and_moves_the_events() {
    let api = Api::start(json!({}));
    let fields = |fields: Value, id: &str| json!({"userId": id, "dataFields": fields});
    api.ok("/api/users/update", fields(json!({"city": "Graz", "nick": "m", "skus": ["a", "b"], "address": {"zip": "1"}}), "anon")).await;
    api.ok("/api/users/update", fields(json!({"city": "Linz", "skus": ["b", "c"], "address": {"city": "x"}}), "known")).await;
    api.ok("/api/commerce/trackPurchase", purchase("o1", "anon")).await;
    let merge = json!({"sourceUserId": "anon", "destinationUserId": "known", "arrayMerge": [{"field": "skus"}]});
    api.ok("/api/users/merge", merge).await;
    let merged = api.by_user_id("known");
    assert_eq!(merged["dataFields"], json!({"city": "Linz", "nick": "m", "skus": ["b", "c", "a"], "address": {"city": "x"}}));
    assert_eq!(merged["purchases"][0]["id"], "o1");
    assert_eq!(api.by_user_id("anon"), Value::Null);
    let gone = json!({"sourceUserId": "anon", "destinationUserId": "known"});
    assert_eq!(code(&api.post("/api/users/merge", gone).await), (400, "BadParams"));
    api.ok("/api/users/merge", json!({"sourceUserId": "known", "destinationEmail": "mara@example.com"})).await;
    assert_eq!(api.profile("mara@example.com")["userId"], "known", "a missing destination becomes the source's name");
    let by = json!({"sourceUserId": "known", "destinationUserId": "other", "arrayMerge": [{"field": "skus", "dedupeBy": "id"}]});
    api.ok("/api/users/update", fields(json!({}), "other")).await;
    assert_eq!(code(&api.post("/api/users/merge", by).await), (400, "BadParams"));

    let mobile = Api::start(json!({"api_key_type": "mobile"}));
    let refused = mobile.post("/api/users/merge", json!({"sourceUserId": "a", "destinationUserId": "b"})).await;
    assert_eq!(code(&refused), (403, "Forbidden"));
}

#[tokio::test]
async fn a_profile_journey_starts_on_every_call_that_holds_its_field() {
    let api = Api::start(json!({"journeys": [{"name": "birthday", "trigger": {"profile_field": "city"}}]}));
    for _ in 0..2 {
        api.ok("/api/users/update", json!({"email": "mara@example.com", "dataFields": {"city": "Graz"}})).await;
    }
    api.ok("/api/users/update", json!({"email": "mara@example.com", "dataFields": {"nick": "m"}})).await;
    assert_eq!(api.profile("mara@example.com")["journeys"]["birthday"], json!({"fired": 2, "mailed": 2}));
}
