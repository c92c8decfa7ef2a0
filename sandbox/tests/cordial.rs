//! Cordial's rules, call by call. With `CARTWIRE_EXCHANGES_DIR` set the exchanges of the first test are written there, so that they can
//! be checked against the vendor's own document.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use cartwire_sandbox::Sandbox;
use serde_json::{Value, json};

struct Api {
    sandbox: Sandbox,
    client: reqwest::Client,
}

impl Api {
    fn start(change: Value) -> Self {
        let mut account = json!({"rate_limits": false, "merging": true, "supplements": [{"key": "shipments", "indexes": ["order_id"], "contact_object": true}]});
        for (name, value) in change.as_object().unwrap() {
            account[name] = value.clone();
        }
        let options = json!({"vendors": ["cordial"], "manual_clock_ms": 1_767_261_600_000_i64, "cordial": account});
        Self { sandbox: Sandbox::start(options.to_string().as_bytes()).unwrap(), client: reqwest::Client::new() }
    }

    async fn raw(&self, method: &str, path: &str, body: Option<String>, header: (&str, &str), kind: &str) -> (u16, Value) {
        let url = self.sandbox.url("cordial").unwrap() + path;
        let mut request = self.client.request(method.parse().unwrap(), url).header(header.0, header.1);
        if let Some(body) = body {
            request = request.header("content-type", kind).body(body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// `sandbox-key:` as everybody packs it.
    async fn send(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        self.raw(method, path, body.map(|body| body.to_string()), ("authorization", "Basic c2FuZGJveC1rZXk6"), "application/json").await
    }

    async fn ok(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, reply) = self.send(method, path, Some(body)).await;
        assert!((200..300).contains(&status), "{method} {path}: {status} {reply}");
        reply
    }

    async fn lay(&self, file: &str, content: &str) {
        let (status, _) =
            self.raw("PUT", &format!("/files/{file}"), Some(content.to_owned()), ("authorization", "Bearer x"), "text/csv").await;
        assert_eq!(status, 201);
    }

    fn inspect(&self, query: Value) -> Value {
        serde_json::from_slice(&self.sandbox.inspect(query.to_string().as_bytes()).unwrap()).unwrap()
    }

    fn profile(&self, email: &str) -> Value {
        self.inspect(json!({"what": "profile", "email": email}))
    }
}

fn person(email: &str) -> Value {
    json!({"channels": {"email": {"address": email}}})
}

fn subscribed(email: &str, force: bool) -> Value {
    json!({"channels": {"email": {"address": email, "subscribeStatus": "subscribed"}}, "forceSubscribe": force})
}

fn order(id: &str, email: &str) -> Value {
    json!({"orderID": id, "email": email, "purchaseDate": "2026-01-01T10:00:00+0000", "status": "open",
        "items": [{"productID": "p-1", "sku": "s-1", "category": "Tees", "name": "Tee", "qty": 2, "itemPrice": 9.5, "enabled": true, "inStock": true}]})
}

fn merge() -> Value {
    let stays = "destinationContact";
    json!({"sourceContact": "email:ben@example.com", "destinationContact": "email:mara@example.com", "options": {"email_channels": stays, "sms_channels": stays,
        "push_channels": "ignore", "orders": "merge", "events": "merge", "supplements": stays, "cart": "lastModified", "attributes": stays, "lists": stays}})
}

#[tokio::test]
async fn every_call_answers_in_a_documented_shape() {
    let api = Api::start(json!({"doi_suppressible": true}));
    let mara = json!({"channels": {"email": {"address": "mara@example.com"}, "sms": {"address": "436641234567"}}, "identifyBy": ["customer_id", "email"],
        "customer_id": "c-42", "first_name": "Mara", "points": 7, "home_address.city": "Graz", "groups": ["a"], "vip": true, "suppressTriggers": false});
    let path = "/v2/contacts/email:mara%40example.com";
    let cart = json!({"cartID": "c", "cartitems": [{"productID": "p-1", "sku": "s", "category": "Tees", "name": "Tee", "qty": 1}]});
    let product =
        json!({"productID": "p-1", "productName": "Tee", "variants": [{"sku": "s-1", "attr": {"size": "M"}, "qty": 1}], "enabled": true});
    let record = json!({"id": "S-9", "email": "mara@example.com", "order_id": "o-1"});
    let event = json!({"a": "order_shipped", "email": "mara@example.com", "UID": "u-1", "properties": {"n": 1}});
    let source =
        |file: &str| json!({"source": {"transport": "HTTPS", "url": format!("https://files.example.com/{file}")}, "hasHeader": true});
    for (file, content) in
        [("c.csv", "channels.email.address\r\nzoe@example.com\r\n"), ("o.jsonl", "{}\n"), ("p.jsonl", "{}\n"), ("r.jsonl", "{}\n")]
    {
        api.lay(file, content).await;
    }
    for (method, path, body, status) in [
        ("POST", "/v2/contacts", Some(mara), 201),
        ("POST", "/v2/contacts", Some(person("ben@example.com")), 201),
        ("POST", "/v2/contacts", Some(json!({"channels": {"email": {"address": "x@example.com"}}, "First_Name": "X"})), 422),
        ("GET", path, None, 200),
        ("GET", "/v2/contacts/email:nobody%40example.com", None, 404),
        ("PUT", path, Some(subscribed("mara@example.com", false)), 200),
        ("PUT", "/v2/contacts/email:nobody%40example.com", Some(person("nobody@example.com")), 404),
        ("PUT", &format!("{path}/unsubscribe/email"), None, 200),
        ("PUT", &format!("{path}/unsubscribe/fax"), None, 422),
        ("POST", &format!("{path}/cart"), Some(cart.clone()), 200),
        ("PUT", &format!("{path}/cart"), Some(cart), 200),
        ("DELETE", &format!("{path}/cart"), None, 200),
        ("POST", "/v2/contactactivities", Some(event), 201),
        ("POST", "/v2/contactactivities", Some(json!({"a": "open", "email": "mara@example.com"})), 422),
        ("POST", "/v2/orders", Some(order("o-1", "mara@example.com")), 200),
        ("POST", "/v2/orders", Some(order("o-1", "mara@example.com")), 422),
        ("GET", "/v2/orders/o-1", None, 200),
        ("GET", "/v2/orders/o-2", None, 404),
        ("PUT", "/v2/orders/o-1", Some(json!({"properties": {"order_status": "complete"}})), 200),
        ("POST", "/v2/products", Some(product), 201),
        ("GET", "/v2/products/p-1", None, 200),
        ("DELETE", "/v2/products/p-1", None, 200),
        ("DELETE", "/v2/products/p-1", None, 400),
        ("POST", "/v2/supplements/shipments/records", Some(record), 201),
        ("GET", "/v2/supplements/shipments/records/S-9", None, 200),
        ("DELETE", "/v2/supplements/shipments/records/S-9", None, 200),
        ("GET", "/v2/accountcontactattributes", None, 200),
        ("POST", "/v2/contacts/merge", Some(merge()), 201),
        ("POST", "/v2/contactimports", Some(source("c.csv")), 201),
        ("POST", "/v2/contactimports", Some(source("nothing.csv")), 406),
        ("POST", "/v2/ordersimport", Some(json!({"source": source("o.jsonl")["source"]})), 201),
        ("POST", "/v2/productimports", Some(source("p.jsonl")), 201),
        ("POST", "/v2/supplements/shipments/imports", Some(source("r.jsonl")), 201),
        ("DELETE", path, None, 200),
    ] {
        let (got, reply) = api.send(method, path, body).await;
        assert_eq!(got, status, "{method} {path}: {reply}");
    }
    let job = api.ok("POST", "/v2/contactimports", source("c.csv")).await["jobId"].as_str().unwrap().to_owned();
    for status in ["Processing", "Done"] {
        assert_eq!(api.send("GET", &format!("/v2/jobs/{job}"), None).await.1["status"], status);
    }
    if let Some(folder) = std::env::var_os("CARTWIRE_EXCHANGES_DIR") {
        std::fs::write(std::path::Path::new(&folder).join("cordial-sandbox.ndjson"), api.sandbox.exchanges()).unwrap();
    }
}

#[tokio::test]
async fn a_wrong_key_is_refused_before_anything_else() {
    let api = Api::start(json!({"api_key": "another"}));
    assert_eq!(
        api.send("POST", "/v2/contacts", Some(person("a@example.com"))).await,
        (401, json!({"error": "Access Denied: Authentication Failure"}))
    );
}

#[tokio::test]
async fn a_contact_is_quiet_unless_told_otherwise_and_an_order_the_other_way_round() {
    let api = Api::start(json!({}));
    let named = |name: &str, quiet: Option<bool>| {
        let mut body = person("mara@example.com");
        body["first_name"] = name.into();
        if let Some(quiet) = quiet {
            body["suppressTriggers"] = quiet.into();
        }
        body
    };
    api.ok("POST", "/v2/contacts", named("Mara", None)).await;
    assert_eq!(api.profile("mara@example.com")["triggers"], json!({}));
    api.ok("POST", "/v2/contacts", named("Maria", Some(false))).await;
    api.ok("POST", "/v2/contacts", named("Maria", Some(false))).await;
    assert_eq!(api.profile("mara@example.com")["triggers"], json!({"attribute:first_name": 1}), "only a change starts anything");
    api.ok("POST", "/v2/orders", order("o-1", "mara@example.com")).await;
    let mut quiet = order("o-2", "mara@example.com");
    quiet["suppressTriggers"] = true.into();
    api.ok("POST", "/v2/orders", quiet).await;
    assert_eq!(api.inspect(json!({"what": "triggers"}))["order"], 1);
}

#[tokio::test]
async fn one_misspelled_attribute_sinks_the_contact_and_nothing_of_it_is_kept() {
    let api = Api::start(json!({}));
    let (status, reply) = api
        .send(
            "POST",
            "/v2/contacts",
            Some(json!({"channels": {"email": {"address": "m@example.com"}}, "first_name": "M", "First_Name": "M"})),
        )
        .await;
    assert_eq!(status, 422);
    assert!(reply.to_string().contains("key First_Name is not part of the schema for this resource"), "{reply}");
    assert_eq!(api.profile("m@example.com"), Value::Null);
}

#[tokio::test]
async fn who_left_comes_back_by_force_only() {
    let api = Api::start(json!({}));
    let path = "/v2/contacts/email:m%40example.com";
    let status = |api: &Api| api.profile("m@example.com")["channels"]["email"]["subscribeStatus"].clone();
    api.ok("POST", "/v2/contacts", person("m@example.com")).await;
    assert_eq!(status(&api), "none");
    api.ok("PUT", path, subscribed("m@example.com", false)).await;
    assert_eq!(status(&api), "subscribed");
    assert_eq!(api.send("PUT", &format!("{path}/unsubscribe/email"), None).await.0, 200);
    api.ok("PUT", path, subscribed("m@example.com", false)).await;
    assert_eq!(status(&api), "unsubscribed");
    api.ok("PUT", path, subscribed("m@example.com", true)).await;
    assert_eq!(status(&api), "subscribed");
    assert_eq!(api.inspect(json!({"what": "subscribed"})), json!({"email": ["m@example.com"]}));
}

#[tokio::test]
async fn a_yes_to_texts_is_asked_for_by_text() {
    let api = Api::start(json!({}));
    let texts = |suppress: Value| json!({"channels": {"email": {"address": "m@example.com"}, "sms": {"address": "43", "subscribeStatus": "subscribed", "suppressDOI": suppress}}});
    api.ok("POST", "/v2/contacts", texts(json!(false))).await;
    let shown = api.profile("m@example.com");
    assert_eq!((&shown["channels"]["sms"]["subscribeStatus"], &shown["textsAskingPermission"]), (&json!("pendingDOI"), &json!(1)));
    assert_eq!(api.send("POST", "/v2/contacts", Some(texts(json!(true)))).await.0, 422, "Cordial has not switched it on");
}

#[tokio::test]
async fn an_import_subscribes_new_people_unless_it_is_told_not_to() {
    let api = Api::start(json!({"job_polls": 0}));
    api.ok("POST", "/v2/contacts", person("old@example.com")).await;
    api.lay("c.csv", "channels.email.address,first_name\r\nold@example.com,Old\r\nnew@example.com,__leave__\r\nbad,x\r\n").await;
    let import = |subscribe: Option<bool>| {
        let mut body = json!({"source": {"transport": "HTTPS", "url": "https://x/c.csv"}, "hasHeader": true, "nullMarker": "__leave__"});
        if let Some(subscribe) = subscribe {
            body["subscribe"] = subscribe.into();
        }
        body
    };
    let job = api.ok("POST", "/v2/contactimports", import(Some(false))).await["jobId"].as_str().unwrap().to_owned();
    let (_, ended) = api.send("GET", &format!("/v2/jobs/{job}"), None).await;
    assert_eq!(ended["result"], json!({"totalRecords": 3, "inserted": 1, "updated": 1, "rejected": 1, "error": 0, "ignored": 0}));
    assert_eq!(api.inspect(json!({"what": "subscribed"})), json!({}));
    assert_eq!(api.profile("new@example.com")["attributes"].get("first_name"), None);
    assert_eq!(api.profile("old@example.com")["attributes"]["first_name"], "Old");
    let other = Api::start(json!({}));
    other.lay("c.csv", "channels.email.address\r\nnew@example.com\r\n").await;
    other.ok("POST", "/v2/contactimports", import(None)).await;
    assert_eq!(other.inspect(json!({"what": "subscribed"})), json!({"email": ["new@example.com"]}), "the vendor's default");
}

#[tokio::test]
async fn each_call_stores_an_event_of_its_own_and_odd_names_vanish() {
    let api = Api::start(json!({}));
    let event = json!({"a": "viewed", "email": "m@example.com", "UID": "u", "properties": {"57": 1, "a.b": 1, "ok": 1}});
    assert_eq!(api.send("POST", "/v2/contactactivities", Some(event.clone())).await.1["message"], "Contact doesn't exist");
    api.ok("POST", "/v2/contacts", person("m@example.com")).await;
    api.ok("POST", "/v2/contactactivities", event.clone()).await;
    api.ok("POST", "/v2/contactactivities", event).await;
    let counts = api.inspect(json!({"what": "counts"}));
    assert_eq!(counts["events"], json!({"stored": 2, "distinct": 1, "sameId": 1}));
    assert_eq!(counts["dropped"], json!({"property 57": 2, "property a.b": 2}));
}

#[tokio::test]
async fn an_order_writes_its_products_with_the_defaults_of_what_is_left_out() {
    let api = Api::start(json!({}));
    api.ok("POST", "/v2/contacts", person("m@example.com")).await;
    api.ok("POST", "/v2/products", json!({"productID": "p-1", "productName": "Fine Tee", "enabled": true, "inStock": true})).await;
    let mut sloppy = order("o-1", "m@example.com");
    sloppy["items"][0].as_object_mut().unwrap().retain(|name, _| name != "enabled" && name != "inStock");
    api.ok("POST", "/v2/orders", sloppy).await;
    let product = &api.inspect(json!({"what": "products"}))["p-1"];
    assert_eq!((&product["productName"], &product["enabled"], &product["inStock"]), (&json!("Tee"), &json!(false), &json!(false)));
    assert_eq!(api.inspect(json!({"what": "orders", "id": "o-1"}))[0]["totalAmount"], 19.0);
}

#[tokio::test]
async fn a_budget_that_is_used_up_says_when_to_come_again() {
    let api = Api::start(json!({"rate_limits": 2}));
    let send = || api.send("GET", "/v2/accountcontactattributes", None);
    assert_eq!((send().await.0, send().await.0, send().await.0), (200, 200, 429));
    api.sandbox.advance_clock(30_000);
    assert_eq!(send().await.0, 200);
}

#[tokio::test]
async fn the_asynchronous_api_says_yes_and_drops_what_it_does_not_know() {
    let api = Api::start(json!({}));
    let contact = json!({"source": "x", "identifiers": {"email": "m@example.com", "customer_id": "c"}, "identifiersPriority": ["customer_id", "email"], "attributes": {"first_name": "M", "nonsense": 1}});
    let (status, _) =
        api.raw("POST", "/api/upsertContact", Some(contact.to_string()), ("x-api-key", "sandbox-key"), "application/json").await;
    assert_eq!(status, 202);
    assert_eq!(api.profile("m@example.com")["attributes"]["first_name"], "M");
    assert_eq!(api.inspect(json!({"what": "counts"}))["dropped"], json!({"attribute nonsense": 1}));
}

#[tokio::test]
async fn a_merge_takes_events_and_orders_along_and_no_permission() {
    let api = Api::start(json!({}));
    for email in ["mara@example.com", "ben@example.com"] {
        api.ok("POST", "/v2/contacts", person(email)).await;
    }
    api.ok("PUT", "/v2/contacts/email:ben%40example.com", subscribed("ben@example.com", false)).await;
    api.ok("POST", "/v2/orders", order("o-1", "ben@example.com")).await;
    api.ok("POST", "/v2/contacts/merge", merge()).await;
    assert_eq!(api.profile("ben@example.com"), Value::Null);
    let mara = api.profile("mara@example.com");
    assert_eq!((&mara["orders"], &mara["channels"]["email"]["subscribeStatus"]), (&json!(["o-1"]), &json!("none")));
    let without = Api::start(json!({"merging": false}));
    assert_eq!(without.send("POST", "/v2/contacts/merge", Some(merge())).await.0, 403);
}
