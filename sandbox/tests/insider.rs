//! Insider's rules, one by one. With `CARTWIRE_EXCHANGES_DIR` set, what is said is written there for the contract check.
#![allow(clippy::unwrap_used)]

use std::io::Write as _;

use cartwire_sandbox::Sandbox;
use serde_json::{Value, json};

/// 2025-06-01T00:00:00Z
const NOW_MS: i64 = 1_748_736_000_000;

struct Api {
    sandbox: Sandbox,
    client: reqwest::Client,
}

impl Api {
    fn start(options: Value) -> Self {
        let mut insider = json!({"rate_limits": false});
        for (key, value) in options.as_object().unwrap() {
            insider[key] = value.clone();
        }
        let options = json!({"manual_clock_ms": NOW_MS, "vendors": ["insider"], "insider": insider});
        Self { sandbox: Sandbox::start(options.to_string().as_bytes()).unwrap(), client: reqwest::Client::new() }
    }

    async fn send(&self, method: &str, path: &str, key: &str, body: &Value) -> (u16, Value) {
        let url = self.sandbox.url("insider").unwrap() + path;
        let request = self.client.request(method.parse().unwrap(), url).header("X-PARTNER-NAME", "sandbox").header("X-REQUEST-TOKEN", key);
        let response = request.header("Content-Type", "application/json").body(body.to_string()).send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    async fn ucd(&self, path: &str, body: Value) -> (u16, Value) {
        self.send("POST", path, "ucd-key", &body).await
    }

    async fn upsert(&self, users: Value) -> Value {
        let (status, answer) = self.ucd("/api/user/v1/upsert", json!({"users": users})).await;
        assert_eq!(status, 200, "{answer}");
        answer["data"].clone()
    }

    async fn catalog(&self, path: &str, records: Value) -> Value {
        let (status, answer) = self.send("POST", path, "catalog-key", &records).await;
        assert_eq!(status, 200, "{answer}");
        answer["message"].clone()
    }

    fn inspect(&self, query: Value) -> Value {
        serde_json::from_slice(&self.sandbox.inspect(query.to_string().as_bytes()).unwrap()).unwrap()
    }

    fn mara(&self) -> Value {
        self.inspect(json!({"what": "profile", "uuid": "u1"}))
    }

    fn counts(&self) -> Value {
        self.inspect(json!({"what": "counts"}))
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        let Some(folder) = std::env::var_os("CARTWIRE_EXCHANGES_DIR") else { return };
        let path = std::path::Path::new(&folder).join("insider-server.ndjson");
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(&self.sandbox.exchanges()).unwrap();
    }
}

fn user(attributes: Value) -> Value {
    json!({"identifiers": {"uuid": "u1", "email": "mara@example.com"}, "attributes": attributes})
}

fn event(name: &str, timestamp: &str, params: Value) -> Value {
    json!({"identifiers": {"uuid": "u1"}, "events": [{"event_name": name, "timestamp": timestamp, "event_params": params}]})
}

fn purchase() -> Value {
    let params = json!({"event_group_id": "o1", "unit_sale_price": 9.5, "currency": "EUR", "quantity": 1, "product_id": "A"});
    event("purchase", "2025-05-30T10:00:00Z", params)
}

#[tokio::test]
async fn each_host_wants_a_key_of_its_own_type_and_says_no_in_its_own_way() {
    let api = Api::start(json!({}));
    for (path, status) in [("/api/user/v1/upsert", 403), ("/email/v2/unsubscribe", 401), ("/sms/v2/subscribe", 401), ("/v2/ingest", 401)] {
        let (got, answer) = api.send("POST", path, "wrong", &json!({})).await;
        assert_eq!(got, status, "{path}: {answer}");
    }
    let (status, _) = api.send("POST", "/email/v2/subscribe", "unsubscribe-key", &json!({"emails": ["a@example.com"]})).await;
    assert_eq!(status, 401, "leaving and joining are two keys");
}

#[tokio::test]
async fn users_are_rejected_by_their_place_inside_of_200() {
    let api = Api::start(json!({}));
    let data = api
        .upsert(json!([
            user(json!({"name": "Mara"})),
            {"identifiers": {"loyalty": "1"}, "attributes": {"name": "x"}},
            {"identifiers": {"uuid": 5}, "attributes": {"name": "x"}},
            {"identifiers": {"email": "nobody"}, "attributes": {"name": "x"}},
            {"identifiers": {"uuid": "u2"}},
            {"identifiers": {"uuid": "u2"}, "attributes": {}},
            event("homepageView", "2025-05-30T10:00:00Z", json!({})),
            event("purchase", "2025-05-30T10:00:00Z", json!({"currency": "EUR"})),
            event("purchase", "yesterday", json!({"currency": "EUR", "event_group_id": "o", "unit_sale_price": 1})),
            {"attributes": {"name": "x"}},
        ]))
        .await;
    assert_eq!(data["successful"], json!({"count": 1}));
    assert_eq!(data["fail"]["count"], 9);
    let keys: Vec<&String> = data["fail"]["errors"].as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "users.1.identifiers.*.in(defaults_column)",
            "users.2.identifiers.*.type(string)",
            "users.3.identifiers.*.regexp(...)",
            "users.4.required",
            "users.5.attributes.required",
            "users.6.events.0.event_name.*.regexp(^[a-z0-9][a-zA-Z0-9._-]*$)",
            "users.7.events.0.event_params.*.required",
            "users.8.events.0.timestamp.*.datetime",
            "users.9.identifiers.required",
        ]
    );
    assert_eq!(api.counts()["profiles"], 1);
    let (status, answer) = api.ucd("/api/user/v1/upsert", json!({"user": []})).await;
    assert_eq!((status, &answer["error"]), (400, &json!("users must be defined: bad request")));
}

#[tokio::test]
async fn arrays_grow_unless_told_not_to() {
    let api = Api::start(json!({}));
    let tags = |tags: Value, more: Value| {
        let mut user = user(json!({"custom": {"tags": tags}}));
        for (key, value) in more.as_object().unwrap() {
            user[key] = value.clone();
        }
        json!([user])
    };
    api.upsert(tags(json!(["a"]), json!({}))).await;
    api.upsert(tags(json!(["b"]), json!({}))).await;
    assert_eq!(api.mara()["custom"]["tags"], json!(["a", "b"]));
    api.upsert(tags(json!(["c"]), json!({"not_append": true, "append": true}))).await;
    assert_eq!(api.mara()["custom"]["tags"], json!(["a", "b", "c"]), "`append` wins");
    api.upsert(tags(json!(["d"]), json!({"not_append": true}))).await;
    assert_eq!(api.mara()["custom"]["tags"], json!(["d"]));
}

#[tokio::test]
async fn identifiers_count_only_when_switched_on_and_are_never_changed_by_an_upsert() {
    let api = Api::start(json!({"identifiers": ["uuid"]}));
    api.upsert(json!([{"identifiers": {"uuid": "u1", "email": "a@example.com"}, "attributes": {"name": "A"}}])).await;
    assert_eq!(api.mara()["identifiers"], json!({"uuid": "u1"}));
    api.upsert(json!([{"identifiers": {"email": "a@example.com"}, "attributes": {"name": "B"}}])).await;
    assert_eq!(api.counts()["profiles"], 1, "a row without an identifier that counts reaches nobody");
    let api = Api::start(json!({}));
    api.upsert(json!([user(json!({"name": "A"}))])).await;
    api.upsert(json!([{"identifiers": {"uuid": "u1", "email": "new@example.com"}, "attributes": {"name": "A"}}])).await;
    assert_eq!(api.mara()["identifiers"]["email"], "mara@example.com");
    api.upsert(json!([{"identifiers": {"phone_number": "+4915112345678"}, "attributes": {"city": "Graz"}}])).await;
    api.upsert(json!([{"identifiers": {"uuid": "u1", "phone_number": "+4915112345678"}, "attributes": {"name": "A"}}])).await;
    assert_eq!((&api.counts()["profiles"], &api.counts()["merges"]), (&json!(1), &json!(1)));
    assert_eq!(api.mara()["attributes"]["city"], "Graz");
}

#[tokio::test]
async fn a_wrong_type_is_not_applied_and_not_said() {
    let api = Api::start(json!({"custom_attributes": {"points": "number"}}));
    let data = api.upsert(json!([user(json!({"custom": {"points": "seven", "unknown": 1}}))])).await;
    assert_eq!(data["fail"], json!({}));
    assert_eq!(api.mara()["custom"], json!({}));
    assert_eq!(api.counts()["oddities"], json!({"unknown custom attribute unknown": 1, "wrong type of custom attribute points": 1}));
    let api = Api::start(json!({}));
    api.upsert(json!([user(json!({"custom": {"points": 7}}))])).await;
    api.upsert(json!([user(json!({"custom": {"points": "seven"}}))])).await;
    assert_eq!(api.mara()["custom"]["points"], 7, "the first value fixes the type");
    let data = api.upsert(json!([user(json!({"birthday": "1990-04-02T00:00:00+02:00"}))])).await;
    assert_eq!(data["fail"]["count"], 1);
}

#[tokio::test]
async fn an_event_is_stored_once_and_starts_its_journey_each_time_unless_it_is_kept_quiet() {
    let api = Api::start(json!({"journeys": [{"name": "thanks", "event": "purchase"}]}));
    let quiet = json!({"skip_hook": true, "users": [purchase()]});
    api.ucd("/api/user/v1/upsert", quiet).await;
    assert_eq!(api.inspect(json!({"what": "journeys"}))["thanks"]["fired"], 0);
    api.upsert(json!([purchase()])).await;
    api.upsert(json!([purchase()])).await;
    assert_eq!(api.inspect(json!({"what": "journeys"}))["thanks"]["fired"], 2);
    assert_eq!((&api.counts()["events"], &api.counts()["repeatedEvents"]), (&json!({"purchase": 1}), &json!(2)));
}

#[tokio::test]
async fn old_events_vanish_without_a_word_and_unknown_parameters_too() {
    let api = Api::start(json!({}));
    let data = api
        .upsert(json!([event("quiz", "2025-03-01T00:00:00Z", json!({})), event("quiz", "2025-05-01T00:00:00Z", json!({"score": 5}))]))
        .await;
    assert_eq!(data["successful"]["count"], 2);
    assert_eq!((&api.counts()["events"]["quiz"], &api.counts()["expiredEvents"]), (&json!(1), &json!(1)));
    assert_eq!(api.mara()["events"][0]["params"], json!({}));
}

#[tokio::test]
async fn an_identity_changes_by_its_own_call_only() {
    let api = Api::start(json!({}));
    api.upsert(json!([user(json!({"name": "A"})), {"identifiers": {"email": "taken@example.com"}, "attributes": {"name": "T"}}])).await;
    let change = |old: Value, new: Value| json!({"old_identifier": old, "new_identifier": new});
    let old = json!({"email": "mara@example.com"});
    for (new, words) in [
        (json!({"email": "mara@example.com"}), "identifier values are the same"),
        (json!({"email": "taken@example.com"}), "new identifier already has a user assigned to it"),
        (json!({"uuid": "u9"}), "no valid identifier"),
        (json!({"email": "x@example.com", "uuid": "u9"}), "there must be exactly 1 entry"),
    ] {
        let (status, answer) = api.send("PATCH", "/api/user/v1/identity", "ucd-key", &change(old.clone(), new)).await;
        assert!(status == 400 && answer["error"].as_str().unwrap().starts_with(words), "{answer}");
    }
    let (status, answer) = api.send("PATCH", "/api/user/v1/identity", "ucd-key", &change(old, json!({"email": "new@example.com"}))).await;
    assert_eq!((status, answer), (200, json!({})));
    assert_eq!(api.mara()["identifiers"]["email"], "new@example.com");
    let (status, _) = api.send("DELETE", "/api/user/v1/identity", "ucd-key", &json!({"identifiers": {"email": "new@example.com"}})).await;
    assert_eq!(status, 200);
    let (status, _) = api.send("DELETE", "/api/user/v1/identity", "ucd-key", &json!({"identifiers": {"uuid": "u1"}})).await;
    assert_eq!(status, 400, "the only identifier stays");
}

#[tokio::test]
async fn profiles_are_read_under_other_names_than_they_are_written() {
    let api = Api::start(json!({}));
    let (status, answer) = api.ucd("/api/user/v1/profile", json!({"identifiers": {"uuid": "u1"}, "attributes": ["*"]})).await;
    assert_eq!((status, &answer["error"]), (404, &json!("no such user for these identifiers: no data")));
    api.upsert(json!([user(json!({"gdpr_optin": true, "custom": {"points": 7}})), purchase()])).await;
    let wanted = json!([{"event_name": "purchase", "params": ["event_group_id"]}]);
    let events = json!({"start_date": 1_748_000_000, "end_date": 1_748_736_000, "wanted": wanted});
    let read = json!({"identifiers": {"uuid": "u1"}, "attributes": ["gdpr", "c_points", "email"], "events": events, "quota": true});
    let (_, answer) = api.ucd("/api/user/v1/profile", read).await;
    assert_eq!(answer["attributes"], json!({"iid": "iid-1", "gdpr": true, "c_points": 7, "email": "mara@example.com"}));
    assert_eq!(answer["events"]["purchase"][0]["event_group_id"], "o1");
    assert_eq!(answer["quota"]["total"], 1_000);
}

#[tokio::test]
async fn attributes_are_cleared_whole_or_in_part_and_people_deleted_or_anonymised() {
    let api = Api::start(json!({}));
    api.upsert(json!([user(json!({"name": "Mara", "city": "Graz", "custom": {"tags": ["a", "b"], "points": 7}}))])).await;
    let gone = json!({"identifiers": {"uuid": "u1"}, "whole": ["city"], "custom": {"whole": ["points"], "partial": {"tags": ["a"]}}});
    api.ucd("/api/user/v1/attribute/delete", json!({"users": [gone]})).await;
    let mara = api.mara();
    assert_eq!((&mara["attributes"], &mara["custom"]), (&json!({"name": "Mara"}), &json!({"tags": ["b"]})));
    let who = json!({"identifiers": {"uuid": "u1"}});
    assert_eq!(api.ucd("/api/user/v1/anonymize", who.clone()).await.0, 200);
    assert_eq!((&api.mara()["identifiers"], &api.mara()["attributes"]), (&json!({"uuid": "u1"}), &json!({})));
    assert_eq!(api.ucd("/api/user/v1/delete", who.clone()).await.0, 200);
    assert_eq!(api.mara(), Value::Null);
    assert_eq!(api.ucd("/api/user/v1/anonymize", who).await.0, 404);
}

#[tokio::test]
async fn leaving_stands_apart_from_the_flag_and_a_yes_lifts_it_unless_told_otherwise() {
    for (lifts, reached) in [(true, true), (false, false)] {
        let api = Api::start(json!({"optin_lifts_unsubscription": lifts}));
        let reach = || api.mara()["reachable"].clone();
        api.upsert(json!([user(json!({"email_optin": true, "name": "Mara"}))])).await;
        assert_eq!(reach()["email"], true);
        let (status, answer) =
            api.send("POST", "/email/v2/unsubscribe", "unsubscribe-key", &json!({"emails": ["mara@example.com", "new@example.com"]})).await;
        assert_eq!((status, answer), (200, json!({"statusMessage": "OK"})));
        assert_eq!((&reach()["email"], &api.mara()["attributes"]["email_optin"]), (&json!(false), &json!(true)));
        assert_eq!(api.counts()["profiles"], 2, "whoever left is made, so that the no is kept");
        api.upsert(json!([user(json!({"email_optin": true}))])).await;
        assert_eq!(reach()["email"], reached);
        api.send("POST", "/email/v2/subscribe", "resubscribe-key", &json!({"emails": ["mara@example.com"]})).await;
        assert_eq!(reach()["email"], true);
        api.upsert(json!([user(json!({"gdpr_optin": false}))])).await;
        assert_eq!(reach()["email"], false);
    }
    let api = Api::start(json!({}));
    for channel in ["sms", "whatsapp"] {
        let body = json!({"phone_numbers": ["+4915112345678"]});
        assert_eq!(api.send("POST", &format!("/{channel}/v2/unsubscribe"), "unsubscribe-key", &body).await.0, 200);
        assert_eq!(api.inspect(json!({"what": "unsubscribed"}))[channel], json!(["+4915112345678"]));
        assert_eq!(api.send("POST", &format!("/{channel}/v2/subscribe"), "resubscribe-key", &body).await.0, 200);
        assert_eq!(api.inspect(json!({"what": "unsubscribed"}))[channel], json!([]));
    }
    let many: Vec<String> = (0..501).map(|index| format!("a{index}@example.com")).collect();
    assert_eq!(api.send("POST", "/email/v2/unsubscribe", "unsubscribe-key", &json!({"emails": many})).await.0, 400);
}

fn item(change: Value) -> Value {
    let mut all = json!({"item_id": "A", "locale": "de_DE", "name": "Tee", "url": "https://shop.example.com/a", "image_url": "https://img.example.com/a.jpg",
        "price": {"EUR": 20.0}, "original_price": {"EUR": 20.0}, "in_stock": 1});
    for (key, value) in change.as_object().unwrap() {
        all[key] = value.clone();
    }
    all
}

#[tokio::test]
async fn records_are_rejected_by_item_inside_of_200_and_changes_start_journeys() {
    let api = Api::start(json!({"locales": ["de_DE"]}));
    let message = api
        .catalog(
            "/v2/ingest",
            json!([item(json!({})), item(json!({"item_id": "B", "name": ""})), item(json!({"item_id": "C", "locale": "fr_FR"}))]),
        )
        .await;
    assert_eq!((&message["valid"]["count"], &message["invalid"]["count"]), (&json!(1), &json!(2)));
    let named: Vec<&Value> = message["invalid"]["details"].as_array().unwrap().iter().map(|detail| &detail["document_ids"]).collect();
    assert_eq!(named, [&json!(["C"]), &json!(["B"])]);
    let message = api
        .catalog(
            "/v2/update",
            json!([{"item_id": "Z", "locale": "de_DE", "in_stock": 0}, {"item_id": "A", "locale": "de_DE", "price": {"EUR": 1}}]),
        )
        .await;
    assert_eq!(message["invalid"]["count"], 2, "an unknown item, and a price without its original");
    let cheaper = json!([{"item_id": "A", "locale": "de_DE", "price": {"EUR": 15.0}, "original_price": {"EUR": 20.0}, "in_stock": 0}]);
    api.catalog("/v2/update", cheaper).await;
    api.catalog("/v2/update", json!([{"item_id": "A", "locale": "de_DE", "in_stock": 1}])).await;
    assert_eq!(api.inspect(json!({"what": "journeys"})), json!({"price_drop": {"fired": 1}, "back_in_stock": {"fired": 1}}));
    assert_eq!(api.inspect(json!({"what": "catalog"}))["A"]["de_DE"]["name"], "Tee");
    api.catalog("/v2/ingest", json!([item(json!({"brand": "Nord"}))])).await;
    api.catalog("/v2/ingest", json!([item(json!({}))])).await;
    assert_eq!(api.inspect(json!({"what": "catalog"}))["A"]["de_DE"].get("brand"), None, "ingesting replaces the whole record");
}

#[tokio::test]
async fn the_catalog_takes_sixty_calls_in_any_sixty_seconds() {
    let api = Api::start(json!({"rate_limits": true}));
    for _ in 0..60 {
        api.catalog("/v2/ingest", json!([item(json!({}))])).await;
    }
    let none = json!([]);
    assert_eq!(api.send("POST", "/v2/update", "catalog-key", &none).await.0, 429, "all catalog calls share one budget");
    api.sandbox.advance_clock(59_999);
    assert_eq!(api.send("POST", "/v2/update", "catalog-key", &none).await.0, 429);
    api.sandbox.advance_clock(1);
    assert_eq!(api.send("POST", "/v2/update", "catalog-key", &none).await.0, 200);
}

#[tokio::test]
async fn the_digest_tells_states_apart_and_repeats_not() {
    let digest = |api: &Api| api.inspect(json!({"what": "digest"}));
    let (one, two) = (Api::start(json!({})), Api::start(json!({})));
    one.upsert(json!([purchase()])).await;
    two.upsert(json!([purchase()])).await;
    two.upsert(json!([purchase()])).await;
    assert_eq!(digest(&one), digest(&two));
    two.upsert(json!([user(json!({"name": "Mara"}))])).await;
    assert_ne!(digest(&one), digest(&two));
    two.sandbox.reset();
    assert_eq!(two.counts()["profiles"], 0);
}

#[tokio::test]
async fn options_and_questions_that_make_no_sense_are_refused() {
    for options in [
        json!({"partner": "My Brand"}),
        json!({"identifiers": []}),
        json!({"identifiers": ["name"]}),
        json!({"rate_limits": {"factor": 0}}),
        json!({"no": 1}),
    ] {
        assert!(Sandbox::start(json!({"insider": options}).to_string().as_bytes()).is_err(), "{options}");
    }
    let api = Api::start(json!({}));
    for query in [json!({"what": "nonsense"}), json!({"what": "counts", "email": "x"})] {
        assert!(api.sandbox.inspect(query.to_string().as_bytes()).is_err(), "{query}");
    }
}
