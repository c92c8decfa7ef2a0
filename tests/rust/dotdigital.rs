//! Dotdigital against its sandbox, which has the vendor's dangerous defaults: who ends subscribed, what is created, which
//! programs start. Operations are carried out one after another by a small runner without state; with
//! `CARTWIRE_EXCHANGES_DIR` set, what went over the wire is written there for the contract check.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fmt::Write as _;
use std::path::Path;

use cartwire::destinations::dotdigital::{CAPABILITIES, Config, Dotdigital};
use cartwire::destinations::{Completed, Destination, Held, Operation, Reading, Reply, Request, Verdict};
use cartwire::facade::Engine;
use cartwire::model::{Finding, Record};
use cartwire_sandbox::Sandbox;
use serde_json::{Value, json};

// -- a runner ----------------------------------------------------------------------------------------------------------

struct Api {
    sandbox: Sandbox,
    client: reqwest::Client,
}

impl Api {
    fn start(options: Value) -> Self {
        let mut account = json!({"lists": [40211, 40212], "preferences": [7], "custom_identifiers": ["shopCustomerId"],
            "programs": [{"id": 1, "trigger": "subscribed"}, {"id": 2, "trigger": "list_joined"}, {"id": 3120}]});
        for (name, value) in options.as_object().unwrap() {
            account[name] = value.clone();
        }
        let options = json!({"manual_clock_ms": 1_767_261_600_000_i64, "vendors": ["dotdigital"], "dotdigital": account});
        Self { sandbox: Sandbox::start(options.to_string().as_bytes()).unwrap(), client: reqwest::Client::new() }
    }

    fn destination(&self, settings: Value) -> Dotdigital {
        let mut all = json!({"user": "sandbox-user", "password": "sandbox-password", "base_url": self.sandbox.url("dotdigital").unwrap()});
        for (name, value) in settings.as_object().unwrap() {
            all[name] = value.clone();
        }
        Dotdigital::new(serde_json::from_value::<Config>(all).unwrap()).unwrap()
    }

    fn inspect(&self, query: Value) -> Value {
        serde_json::from_slice(&self.sandbox.inspect(query.to_string().as_bytes()).unwrap()).unwrap()
    }

    fn person(&self, email: &str) -> Value {
        self.inspect(json!({"what": "profile", "email": email}))
    }

    /// What somebody else does at Dotdigital.
    async fn elsewhere(&self, method: &str, path: &str, body: Value) -> Value {
        let url = self.sandbox.url("dotdigital").unwrap() + path;
        let request = self.client.request(method.parse().unwrap(), url).basic_auth("sandbox-user", Some("sandbox-password"));
        let request = if body.is_null() { request } else { request.header("content-type", "application/json").body(body.to_string()) };
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        assert!((200..300).contains(&status), "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    async fn send(&self, d: &Dotdigital, request: &Request) -> Reply {
        assert!(CAPABILITIES.endpoint(&request.endpoint).is_some(), "{}", request.endpoint);
        let url = format!("{}{}", d.base_url_of(request), request.path);
        let mut call = self.client.request(request.method.as_str().parse().unwrap(), url);
        for (name, value) in &request.headers {
            call = call.header(*name, value);
        }
        for (name, secret) in &request.secret_headers {
            call = call.header(*name, secret.expose());
        }
        if let Some(body) = &request.body {
            call = call.body(body.clone());
        }
        let response = call.send().await.unwrap();
        let status = response.status().as_u16();
        let text = |value: &reqwest::header::HeaderValue| value.to_str().unwrap_or_default().to_owned();
        let headers = response.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
        Reply { status, headers, body: response.bytes().await.unwrap().to_vec() }
    }

    /// Carries out operations of one request, or one alone, to the end.
    async fn carry_out(&self, d: &Dotdigital, mut operations: Vec<Operation>) -> Vec<String> {
        let mut amended = false;
        for _ in 0..8 {
            let all: Vec<&Operation> = operations.iter().collect();
            let reply = match d.prefetch(all[0]) {
                Some(read) => {
                    let found = self.send(d, &read).await;
                    match d.complete(all[0], &found) {
                        Ok(Completed::Send(request)) => self.send(d, &request).await,
                        Ok(Completed::Skip(skip)) => return vec![format!("skipped: {}", skip.reason.name())],
                        Ok(Completed::Retry(..) | Completed::First(_) | Completed::Look(_)) => continue,
                        Err(error) => return vec![format!("failed: {}", error.code().name())],
                    }
                }
                None => self.send(d, &d.request(&all).unwrap()).await,
            };
            let mut reading = d.read(&all, &reply);
            for _ in 0..60 {
                let Reading::Job(job) = &reading else { break };
                let facts = CAPABILITIES.endpoint(&all[0].endpoint).unwrap();
                assert!(facts.job.is_some(), "{} has no jobs in the table", facts.id);
                let reply = self.send(d, &d.poll(&all, &job.id).unwrap()).await;
                reading = d.read_poll(&all, &job.id, &reply);
            }
            let verdicts = match reading {
                Reading::Each(verdicts, _) => verdicts,
                Reading::Retry(..) => continue,
                other => panic!("{other:?}"),
            };
            assert_eq!(verdicts.len(), operations.len());
            if verdicts.len() == 1 {
                match &verdicts[0] {
                    Verdict::Amended(body, _) if !amended => {
                        amended = true;
                        operations[0].body.clone_from(body);
                        continue;
                    }
                    Verdict::Retry(..) => continue,
                    Verdict::First(detour) => {
                        for step in &detour.operations {
                            let endpoint = CAPABILITIES.endpoint(&step.endpoint).unwrap();
                            let reply = self.send(d, &d.request(&[step]).unwrap()).await;
                            let read = d.read(&[step], &reply);
                            assert!(
                                matches!(&read, Reading::Each(verdicts, _) if verdicts == &[Verdict::Accepted]),
                                "{}: {read:?}",
                                endpoint.id
                            );
                        }
                        continue;
                    }
                    _ => {}
                }
            }
            return verdicts.iter().map(word).collect();
        }
        vec!["gave up".to_owned()]
    }

    /// What Dotdigital holds of what a record becomes; operations it does not show are left out.
    async fn held(&self, d: &Dotdigital, record: &Value) -> Vec<(String, Held)> {
        let record: Record = serde_json::from_value(record.clone()).unwrap();
        let mut all = Vec::new();
        for operation in d.build(&record).operations {
            if let Some(read) = d.read_back(&operation) {
                assert_eq!((read.method.as_str(), read.body.is_none()), ("GET", true), "{}", operation.endpoint);
                let reply = self.send(d, &read).await;
                all.push((operation.endpoint.to_string(), d.compare(&operation, &reply).unwrap()));
            }
        }
        all
    }

    /// Builds a record and carries out what it becomes.
    async fn take(&self, d: &Dotdigital, record: &Value) -> Vec<String> {
        let record: Record = serde_json::from_value(record.clone()).unwrap();
        let built = d.build(&record);
        assert!(!built.findings.iter().any(Finding::is_error), "{:?}", built.findings);
        let mut out: Vec<String> = built.skipped.iter().map(|skip| format!("skipped: {}", skip.reason.name())).collect();
        for operation in built.operations {
            let id = operation.endpoint.to_string();
            let verdicts = self.carry_out(d, vec![operation]).await;
            out.extend(verdicts.into_iter().map(|verdict| format!("{id}: {verdict}")));
        }
        out
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        if let Some(folder) = std::env::var_os("CARTWIRE_EXCHANGES_DIR") {
            let name = std::thread::current().name().unwrap_or("test").replace("::", "_");
            let path = Path::new(&folder).join(format!("dotdigital-sandbox-{name}.ndjson"));
            let mut all = std::fs::read(&path).unwrap_or_default();
            all.extend(self.sandbox.exchanges());
            std::fs::write(path, all).unwrap();
        }
    }
}

fn word(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Accepted => "accepted".to_owned(),
        Verdict::Rejected(refusal) => format!("rejected: {}", refusal.vendor_code),
        Verdict::Retry(refusal, _) => format!("later: {}", refusal.vendor_code),
        Verdict::Discarded(reason, _) => format!("discarded: {}", reason.name()),
        Verdict::Amended(..) => "amended".to_owned(),
        Verdict::First(_) => "something first".to_owned(),
    }
}

// -- records -----------------------------------------------------------------------------------------------------------

/// The sandbox's clock stands at 2026-01-01T10:00:00Z.
const BEFORE: &str = "2025-12-24T09:00:00Z";
const AFTER: &str = "2026-01-01T10:30:00Z";

fn record(body: Value, change: Value) -> Value {
    let mut envelope = json!({
        "source": "commercetools", "tenant": "demo", "resource": {"type": "thing", "id": "r-1"}, "version": 4,
        "occurred_at": "2026-01-01T10:20:00Z", "observed_at": "2026-01-01T10:20:05Z",
        "market": {"country": "DE", "locale": "de-DE", "currency": "EUR", "store": "web"},
        "identity": {"customer_id": "c-42", "email": "mara+shop@example.com"},
        "correlation_id": "corr", "idempotency_key": "00aa11bb",
    });
    for (name, value) in change.as_object().unwrap() {
        envelope[name] = value.clone();
    }
    json!({"envelope": envelope, "body": body})
}

fn contact(change: Value) -> Value {
    let mut body = json!({"type": "contact", "first_name": "Mara", "last_name": "Okafor", "created_at": "2025-11-01T08:00:00Z"});
    for (name, value) in change.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

fn said(channel: &str, status: &str, at: Option<&str>) -> Value {
    let mut consent = json!({"channel": channel, "status": status});
    if let Some(at) = at {
        consent["at"] = json!(at);
    }
    contact(json!({"consents": [consent]}))
}

fn money(amount: &str) -> Value {
    json!({"amount": amount, "currency": "EUR"})
}

fn order(id: &str, change: Value) -> Value {
    let mut body = json!({
        "type": "order", "id": id, "number": format!("DE-{id}"), "placed_at": "2026-01-01T10:00:00Z", "status": "open", "cart_id": format!("cart-{id}"),
        "lines": [{"id": "l1", "sku": "TEE-BLK-M", "product_id": "prod-881", "variant_id": "2", "name": "Black tee", "quantity": 2,
            "unit_list_price": money("20.00"), "unit_price": money("19.50"), "total": money("39.00")}],
        "shipping": [{"method": "DHL", "amount": money("4.90")}],
        "totals": {"subtotal": money("39.00"), "shipping": money("4.90"), "discount": money("0"), "tax": money("7.01"), "tax_added": money("0"), "total": money("43.90")},
    });
    for (name, value) in change.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

fn product(id: &str, change: Value) -> Value {
    let mut body = json!({
        "type": "product", "id": id, "name": "Black tee", "published": true, "url": "https://shop.example/p/tee",
        "variants": [{"id": "1", "sku": "TEE-S", "price": {"list": money("19.50")}, "stock": {"in_stock": true, "quantity": 42},
            "images": [{"url": "https://img.example/881.jpg"}]}],
    });
    for (name, value) in change.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

fn backfill() -> Value {
    json!({"mode": "backfill"})
}

// -- consent -----------------------------------------------------------------------------------------------------------

/// Puts the person into the state, by somebody else's doing; all of it at the sandbox's time.
async fn store(api: &Api, state: &str) {
    let create =
        |status: &str| json!({"identifiers": {"email": "mara+shop@example.com"}, "channelProperties": {"email": {"status": status}}});
    let who = json!({"email": "mara+shop@example.com"});
    match state {
        "absent" => {}
        "subscribed" => drop(api.elsewhere("POST", "/contacts/v3", create("subscribed")).await),
        "left" => {
            api.elsewhere("POST", "/contacts/v3", create("subscribed")).await;
            api.elsewhere("POST", "/v2/contacts/unsubscribe", who).await;
        }
        "never asked" => {
            // As the library itself creates a buyer.
            let d = api.destination(json!({}));
            api.take(&d, &record(order("o-0", json!({})), json!({}))).await;
        }
        "never asked, left" => {
            let d = api.destination(json!({}));
            api.take(&d, &record(order("o-0", json!({})), json!({}))).await;
            // The clock stands still, so the contact shows no trace of it.
            api.elsewhere("POST", "/v2/contacts/unsubscribe", who).await;
        }
        "suppressed" => {
            api.elsewhere("POST", "/contacts/v3", create("subscribed")).await;
            api.elsewhere("PUT", "/v2/contacts/suppress-contacts", json!([who])).await;
        }
        "pending" => {
            let mut body = create("subscribed");
            body["channelProperties"]["email"]["optInType"] = json!("verifiedDouble");
            api.elsewhere("POST", "/contacts/v3", body).await;
        }
        "binned" => {
            let made = api.elsewhere("POST", "/contacts/v3", create("subscribed")).await;
            api.elsewhere("DELETE", &format!("/contacts/v3/contactId/{}", made["contactId"]), Value::Null).await;
        }
        other => panic!("{other}"),
    }
}

const STORED: &[&str] = &["absent", "subscribed", "left", "never asked", "never asked, left", "suppressed", "pending", "binned"];

const INCOMING: &[(&str, &str, Option<&str>)] = &[
    ("nothing", "", None),
    ("unknown", "unknown", None),
    ("pending", "pending", Some(AFTER)),
    ("yes, undated", "granted", None),
    ("yes, older", "granted", Some(BEFORE)),
    ("yes, newer", "granted", Some(AFTER)),
    ("no", "denied", Some(AFTER)),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_consent_matrix_stands_and_nobody_is_subscribed_without_a_newer_yes() {
    let mut table = String::from(
        "Who ends subscribed to e-mail, by what Dotdigital holds, what the shop says, mode and setting.\n\
         `+n` mails in which Dotdigital asks; a star where somebody was subscribed by us.\n\n\
         | stored | said | live | live, no_challenge | backfill | backfill, grants sent |\n|---|---|---|---|---|---|\n",
    );
    for stored in STORED {
        for (name, status, at) in INCOMING {
            let mut cells = Vec::new();
            for (mode, settings) in [
                (json!({}), json!({})),
                (json!({}), json!({"resubscribe": "no_challenge"})),
                (backfill(), json!({})),
                (backfill(), json!({"backfill_grants": "send"})),
            ] {
                let api = Api::start(json!({}));
                store(&api, stored).await;
                let before = api.person("mara+shop@example.com");
                let d = api.destination(settings);
                let body = if status.is_empty() { contact(json!({})) } else { said("email", status, *at) };
                api.take(&d, &record(body, mode)).await;
                let after = api.person("mara+shop@example.com");
                let now = after["status"]["email"].as_str().unwrap_or("not there");
                let now = if after["binned"] == true { "binned" } else { now };
                let asked = after["challenges"].as_i64().unwrap_or(0) - before["challenges"].as_i64().unwrap_or(0);
                let mut cell = now.to_owned();
                if now == "subscribed" && before["status"]["email"] != "subscribed" {
                    cell.push('*');
                    // The law: an explicit yes, and provably newer where the person had left.
                    assert_eq!(*status, "granted", "{stored} × {name}");
                    assert!(!["suppressed", "pending", "binned"].contains(stored), "{stored} × {name}");
                    assert!(*stored != "left" || *at == Some(AFTER), "{stored} × {name}");
                    assert!(!stored.starts_with("never asked"), "{stored} × {name}: what they did since leaves no trace");
                }
                if asked > 0 {
                    let _ = write!(cell, " +{asked}");
                }
                assert_eq!(api.inspect(json!({"what": "counts"}))["subscribed"]["sms"], 0);
                cells.push(cell);
            }
            let _ = writeln!(table, "| {stored} | {name} | {} |", cells.join(" | "));
        }
    }
    golden("consent.md", &table);
}

fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/dotdigital").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_default();
    let first = wanted.lines().zip(text.lines()).find(|(wanted, is)| wanted != is);
    assert!(wanted == text, "{}: {first:?}; run with UPDATE_GOLDEN=1 and read the difference", path.display());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_who_was_never_asked_is_created_unsubscribed_and_asked_by_mail_after_a_yes() {
    for (unasked_yes, status, challenges) in [("ask", "unsubscribed", 1), ("subscribe", "subscribed", 0)] {
        let api = Api::start(json!({}));
        let d = api.destination(json!({"unasked_yes": unasked_yes}));
        let out = api.take(&d, &record(order("o-1", json!({})), json!({}))).await;
        assert_eq!(out, ["insight.putContactRecord: accepted", "insight.putContactRecord: accepted"]);
        let buyer = api.person("mara+shop@example.com");
        assert_eq!((&buyer["status"]["email"], &buyer["dataFields"]["CW_UNASKED"]), (&json!("unsubscribed"), &json!(true)));
        assert_eq!(buyer["records"], json!({"Orders": ["o-1"], "CartInsight": ["cart-o-1"]}));
        // Ticked at the very checkout that made the order, so older than the contact.
        let ticked = record(said("email", "granted", Some("2026-01-01T09:59:00Z")), json!({"resource": {"type": "order", "id": "o-1"}}));
        assert_eq!(api.take(&d, &ticked).await, ["contacts.patch: accepted"]);
        let buyer = api.person("mara+shop@example.com");
        assert_eq!((&buyer["status"]["email"], &buyer["challenges"]), (&json!(status), &json!(challenges)), "{unasked_yes}");
        assert!(buyer["dataFields"]["CW_UNASKED"].is_null(), "from now on the status is the person's own");
        // Nobody is asked again by the same words.
        api.sandbox.advance_clock(60_000);
        api.take(&d, &ticked).await;
        assert_eq!(api.person("mara+shop@example.com")["challenges"], challenges);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_who_left_without_ever_joining_is_subscribed_by_a_yes_of_ours() {
    // By the clock a leave changes the contact, or shows nothing at all; a yes from before it, without a time, or after it.
    for moved_ms in [0, 60_000] {
        for at in [None, Some(BEFORE), Some("2026-01-01T10:00:30Z"), Some(AFTER)] {
            for settings in [json!({}), json!({"resubscribe": "no_challenge"}), json!({"resubscribe": "never"})] {
                let api = Api::start(json!({}));
                let d = api.destination(settings.clone());
                api.take(&d, &record(order("o-1", json!({})), json!({}))).await;
                api.sandbox.advance_clock(moved_ms);
                api.elsewhere("POST", "/v2/contacts/unsubscribe", json!({"email": "mara+shop@example.com"})).await;
                api.take(&d, &record(said("email", "granted", at), json!({}))).await;
                let person = api.person("mara+shop@example.com");
                assert_eq!(person["status"]["email"], "unsubscribed", "{moved_ms} {at:?} {settings}");
                assert!(person["challenges"].as_i64().unwrap() <= i64::from(settings["resubscribe"] != "never"), "{settings}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_without_a_word_about_it_is_not_subscribed_by_the_accounts_default() {
    let api = Api::start(json!({"sms_default": "subscribed"}));
    let d = api.destination(json!({}));
    let with_number = json!({"identity": {"email": "mara+shop@example.com", "phone": "+447700900123"}});
    api.take(&d, &record(contact(json!({})), with_number.clone())).await;
    let person = api.person("mara+shop@example.com");
    assert_eq!(person["status"], json!({"email": "unsubscribed", "sms": "noSubscription", "whatsApp": "noSubscription"}));
    // The same for a number that an existing contact gets.
    api.elsewhere(
        "POST",
        "/contacts/v3",
        json!({"identifiers": {"email": "ben@example.com"}, "channelProperties": {"email": {"status": "unsubscribed"}}}),
    )
    .await;
    api.take(&d, &record(contact(json!({})), json!({"identity": {"email": "ben@example.com", "phone": "+447700900999"}}))).await;
    assert_eq!(api.person("ben@example.com")["status"]["sms"], "noSubscription");
    // A yes for text messages, and nothing else.
    api.take(&d, &record(said("sms", "granted", Some(AFTER)), with_number.clone())).await;
    let person = api.person("mara+shop@example.com");
    assert_eq!(person["status"], json!({"email": "unsubscribed", "sms": "subscribed", "whatsApp": "noSubscription"}));
    api.take(&d, &record(said("sms", "denied", Some(AFTER)), with_number)).await;
    assert_eq!(api.person("mara+shop@example.com")["status"]["sms"], "unsubscribed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yes_brings_list_preference_and_proof_once() {
    let api = Api::start(json!({}));
    let d = api.destination(json!({"consent": {"email": {"lists": [40211], "preference": 7, "record": true, "text": "News and offers", "url": "https://shop.example/new"}}}));
    let evidence = json!({"ip": "203.0.113.24", "userAgent": "Mozilla/5.0"}).to_string();
    let yes = contact(json!({"consents": [{"channel": "email", "status": "granted", "at": AFTER, "evidence": evidence}]}));
    let out = api.take(&d, &record(yes.clone(), json!({}))).await;
    assert_eq!(out, ["contacts.patch: accepted", "contacts.patch: accepted"]);
    let person = api.person("mara+shop@example.com");
    assert_eq!((&person["lists"], &person["preferences"]), (&json!([40211]), &json!({"7": true})));
    assert_eq!(person["consentRecords"][0]["dateTimeConsented"], AFTER);
    assert_eq!(api.take(&d, &record(yes, json!({}))).await[0], "contacts.patch: skipped: unchanged");
    assert_eq!(api.person("mara+shop@example.com")["consentRecords"].as_array().unwrap().len(), 1);
    // A live subscription may start the welcome program, and does.
    assert_eq!(api.inspect(json!({"what": "programs"})).as_array().unwrap().len(), 2);
}

// -- profiles ------------------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn data_fields_are_made_whether_the_account_drops_or_refuses_unknown_ones() {
    for unknown in ["drop", "refuse"] {
        let api = Api::start(json!({"unknown_data_fields": unknown}));
        let d = api.destination(json!({}));
        let attributes = json!({"tier": {"type": "text", "value": "gold"}, "points": {"type": "integer", "value": 7},
            "since": {"type": "date", "value": "2024-02-29"}, "vip": {"type": "boolean", "value": true}});
        let out = api.take(&d, &record(contact(json!({"attributes": attributes})), json!({}))).await;
        assert_eq!(out, ["contacts.patch: accepted"], "{unknown}");
        let fields = api.inspect(json!({"what": "fields"}));
        assert_eq!(
            (&fields["TIER"], &fields["POINTS"], &fields["SINCE"], &fields["VIP"]),
            (&json!("String"), &json!("Numeric"), &json!("Date"), &json!("Boolean"))
        );
        let person = api.person("mara+shop@example.com");
        assert_eq!((&person["dataFields"]["TIER"], &person["dataFields"]["POINTS"]), (&json!("gold"), &json!(7)), "{unknown}");
        assert_eq!((&person["dataFields"]["CW_UNASKED"], &person["status"]["email"]), (&json!(true), &json!("unsubscribed")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_of_another_type_is_left_out_and_the_rest_arrives() {
    let api = Api::start(json!({"data_fields": [{"name": "TIER", "type": "Numeric"}]}));
    let d = api.destination(json!({}));
    let body = contact(json!({"attributes": {"tier": {"type": "text", "value": "gold"}}}));
    assert_eq!(api.take(&d, &record(body, json!({}))).await, ["contacts.patch: accepted"]);
    let person = api.person("mara+shop@example.com");
    assert_eq!((&person["dataFields"]["FIRSTNAME"], &person["dataFields"]["TIER"]), (&json!("Mara"), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_address_moves_the_contact_and_makes_no_second_one() {
    let api = Api::start(json!({}));
    let d = api.destination(json!({}));
    api.take(&d, &record(said("email", "granted", Some(AFTER)), json!({"identity": {"email": "old@example.com"}}))).await;
    let event = json!({"type": "event", "name": "email_changed", "previous": {"email": "old@example.com"}});
    let renamed = json!({"identity": {"customer_id": "c-42", "email": "new@example.com"}});
    assert_eq!(api.take(&d, &record(event, renamed.clone())).await, ["contacts.patch: accepted"]);
    api.take(&d, &record(contact(json!({})), renamed)).await;
    assert_eq!(api.inspect(json!({"what": "counts"}))["profiles"], 1);
    assert_eq!(api.person("new@example.com")["status"]["email"], "subscribed");
    // With the customer's id as an identifier no event is needed.
    let d = api.destination(json!({"customer_identifier": "shopCustomerId"}));
    api.take(&d, &record(contact(json!({})), json!({"identity": {"customer_id": "c-42", "email": "new@example.com"}}))).await;
    api.take(&d, &record(contact(json!({})), json!({"identity": {"customer_id": "c-42", "email": "third@example.com"}}))).await;
    assert_eq!(api.inspect(json!({"what": "counts"}))["profiles"], 1);
    assert_eq!(api.person("third@example.com")["identifiers"]["shopCustomerId"], "c-42");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_somebody_else_has_is_left_out_and_an_address_somebody_else_has_is_a_conflict() {
    let api = Api::start(json!({}));
    let d = api.destination(json!({}));
    api.take(&d, &record(contact(json!({})), json!({"identity": {"email": "ben@example.com", "phone": "+447700900123"}}))).await;
    let same = json!({"identity": {"email": "ana@example.com", "phone": "+447700900123"}});
    assert_eq!(api.take(&d, &record(contact(json!({})), same)).await, ["contacts.patch: accepted"]);
    assert_eq!(api.person("ana@example.com")["identifiers"], json!({"email": "ana@example.com"}));
    let event = json!({"type": "event", "name": "email_changed", "previous": {"email": "ana@example.com"}});
    let taken = json!({"identity": {"email": "ben@example.com"}});
    assert_eq!(api.take(&d, &record(event, taken)).await, ["contacts.patch: rejected: contacts:idAlreadyExists"]);
    assert_eq!(api.inspect(json!({"what": "counts"}))["profiles"], 2, "neither is deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_empties_and_deletes_and_nothing_restores_the_person_later() {
    let api = Api::start(json!({}));
    for (write, endpoint) in [("single", "contacts.delete"), ("bulk", "contacts.bulkDelete")] {
        let d = api.destination(json!({"delete_write": write, "collections": {"refunds": "", "returns": "", "shipments": ""}}));
        let who = json!({"identity": {"email": format!("{write}@example.com")}});
        api.take(&d, &record(order("o-2", json!({"id": format!("o-{write}")})), who.clone())).await;
        let gone = record(json!({"type": "contact_deleted", "erase": true}), who.clone());
        let out = api.take(&d, &gone).await;
        assert_eq!(out.len(), 3, "{out:?}");
        assert_eq!(out[2], format!("{endpoint}: accepted"));
        assert_eq!(api.person(&format!("{write}@example.com"))["binned"], true);
        assert_eq!(api.take(&d, &gone).await[2], format!("{endpoint}: accepted"), "the second time it is done already");
        // The erasure ledger stands before this; if it did not, the recycle bin would still be respected.
        let again = api.take(&d, &record(contact(json!({})), who)).await;
        assert_eq!(again, ["contacts.patch: skipped: erased"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_mirror_groups_and_someone_who_leaves_a_group_is_not_deleted() {
    let api = Api::start(json!({}));
    let d = api.destination(json!({"group_lists": {"vip": 40212}}));
    api.take(&d, &record(contact(json!({"groups": ["vip"]})), json!({}))).await;
    assert_eq!(api.person("mara+shop@example.com")["lists"], json!([40212]));
    let out = api.take(&d, &record(contact(json!({"groups": ["new"]})), json!({}))).await;
    assert_eq!(out[1], "lists.removeContact: accepted");
    let person = api.person("mara+shop@example.com");
    assert_eq!((&person["lists"], &person["binned"]), (&json!([]), &json!(false)));
}

// -- insight data ----------------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn an_order_lives_as_one_record_from_placed_to_refunded_to_cancelled() {
    let api = Api::start(json!({}));
    let d = api.destination(json!({}));
    let held = |api: &Api| api.inspect(json!({"what": "records", "collection": "Orders"}))["Orders"]["records"].clone();
    api.take(&d, &record(order("o-1", json!({})), json!({}))).await;
    assert_eq!(held(&api)["o-1"]["json"]["orderTotal"], 43.9);
    let refund = json!({"id": "rf-1", "order_id": "o-1", "amount": money("19.50"), "refunded_at": AFTER});
    let refunded = order("o-1", json!({"payment_status": "partially_refunded", "refunds": [refund.clone()]}));
    api.take(&d, &record(refunded, json!({"version": 5}))).await;
    let now = held(&api)["o-1"]["json"].clone();
    assert_eq!((&now["orderTotal"], &now["orderStatus"]), (&json!(24.4), &json!("partially_refunded")));
    let mut own = refund;
    own["type"] = json!("refund");
    api.take(&d, &record(own, json!({}))).await;
    api.take(
        &d,
        &record(
            json!({"type": "shipment", "id": "s-1", "order_id": "o-1", "shipped_at": AFTER, "status": "shipped",
        "lines": [{"line_id": "l1", "quantity": 2}], "parcels": [{"id": "p-1", "carrier": "DHL", "tracking_number": "00340"}]}),
            json!({}),
        ),
    )
    .await;
    api.take(
        &d,
        &record(
            json!({"type": "return", "id": "rt-1", "order_id": "o-1", "returned_at": AFTER,
        "items": [{"id": "i1", "line_id": "l1", "quantity": 1}]}),
            json!({}),
        ),
    )
    .await;
    api.take(&d, &record(order("o-1", json!({"status": "cancelled"})), json!({"version": 6}))).await;
    assert_eq!(held(&api), json!({}));
    let counts = api.inspect(json!({"what": "counts"}))["collections"].clone();
    assert_eq!(counts, json!({"Orders": 0, "CartInsight": 1, "Refunds": 1, "Returns": 1, "Shipments": 1}));
    assert_eq!(api.inspect(json!({"what": "counts"}))["subscribed"]["email"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_is_written_changed_and_deleted() {
    for layout in ["product", "variant"] {
        let api = Api::start(json!({}));
        let d = api.destination(json!({"catalog_layout": layout, "collections": {"categories": "Categories"}}));
        assert_eq!(api.take(&d, &record(product("p 881", json!({})), json!({}))).await, ["insight.putAccountRecord: accepted"]);
        api.take(&d, &record(product("p 881", json!({"name": "Blue tee"})), json!({}))).await;
        api.take(&d, &record(json!({"type": "category", "id": "tees", "name": "Tees"}), json!({}))).await;
        let key = if layout == "product" { "p 881" } else { "p 881-1" };
        let held = api.inspect(json!({"what": "records", "collection": "Catalog_Default"}))["Catalog_Default"]["records"].clone();
        assert_eq!((&held[key]["json"]["name"], &held[key]["writes"]), (&json!("Blue tee"), &json!(2)));
        let gone = json!({"type": "product_deleted", "id": "p 881", "variants": [{"id": "1"}]});
        assert_eq!(api.take(&d, &record(gone, json!({}))).await, ["insight.deleteAccountRecords: accepted"]);
        api.take(&d, &record(json!({"type": "category_deleted", "id": "tees"}), json!({}))).await;
        assert_eq!(api.inspect(json!({"what": "counts"}))["collections"], json!({"Catalog_Default": 0, "Categories": 0}));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_gives_each_row_its_own_verdict_and_rows_without_a_contact_arrive_alone() {
    let api = Api::start(json!({"polls": 2}));
    let d = api.destination(json!({}));
    // Locks `custom.gift` to a truth value.
    let gift = |id: &str, value: Value| order(id, json!({"attributes": {"gift": value}}));
    api.elsewhere(
        "POST",
        "/contacts/v3",
        json!({"identifiers": {"email": "mara+shop@example.com"}, "channelProperties": {"email": {"status": "unsubscribed"}}}),
    )
    .await;
    api.take(&d, &record(gift("o-1", json!({"type": "boolean", "value": true})), json!({}))).await;
    let rows = [
        record(gift("o-2", json!({"type": "boolean", "value": false})), backfill()),
        record(gift("o-3", json!({"type": "text", "value": "yes"})), backfill()),
        record(
            gift("o-4", json!({"type": "boolean", "value": true})),
            json!({"mode": "backfill", "identity": {"email": "nobody@example.com"}}),
        ),
    ];
    let build = |record: &Value| d.build(&serde_json::from_value(record.clone()).unwrap()).operations;
    let operations: Vec<Operation> = rows.iter().flat_map(build).collect();
    assert_eq!(operations.len(), 3);
    let out = api.carry_out(&d, operations.clone()).await;
    assert_eq!(out, ["accepted", "rejected: JsonValueIncompatibleWithSchema", "amended"]);
    assert_eq!(api.carry_out(&d, vec![operations[2].clone()]).await, ["accepted"]);
    assert_eq!(api.person("nobody@example.com")["status"]["email"], "unsubscribed");
    assert_eq!(api.inspect(json!({"what": "counts"}))["collections"]["Orders"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_go_to_collections_or_through_the_api_and_an_abandoned_cart_enrols_who_is_subscribed() {
    let api = Api::start(json!({}));
    let viewed = json!({"type": "event", "name": "product_viewed", "product_id": "prod-881", "value": money("19.50")});
    let collections = api.destination(json!({}));
    api.take(&collections, &record(viewed.clone(), json!({}))).await;
    assert_eq!(api.inspect(json!({"what": "counts"}))["collections"]["ProductViewed"], 1);
    let through = api.destination(json!({"events": "api", "programs": {"cart_abandoned": 3120}, "unasked_yes": "subscribe"}));
    assert_eq!(api.take(&through, &record(viewed, json!({}))).await, ["events.import: accepted"]);
    assert_eq!(api.inspect(json!({"what": "events"}))[0]["type"], "productViewed");
    let left = record(json!({"type": "event", "name": "cart_abandoned", "cart_id": "cart-1"}), json!({}));
    assert_eq!(api.take(&through, &left).await[1], "programs.enrol: skipped: denied_at_destination");
    api.take(&through, &record(said("email", "granted", Some(AFTER)), json!({}))).await;
    assert_eq!(api.take(&through, &left).await[1], "programs.enrol: accepted");
    let mailed: Vec<Value> =
        api.inspect(json!({"what": "programs"})).as_array().unwrap().iter().map(|start| start["program"].clone()).collect();
    assert_eq!(mailed, [json!(1), json!(3120)], "the welcome and the reminder");
    // Several people whose ids are known share one call.
    let id = api.person("mara+shop@example.com")["contactId"].to_string();
    let known = json!({"identity": {"email": "mara+shop@example.com", "external_ids": {"dotdigital": id}}});
    let mut rows: Vec<Operation> = Vec::new();
    for key in ["k1", "k2"] {
        let mut envelope = known.clone();
        envelope["idempotency_key"] = json!(key);
        let left: Record =
            serde_json::from_value(record(json!({"type": "event", "name": "cart_abandoned", "cart_id": key}), envelope)).unwrap();
        rows.extend(through.build(&left).operations.into_iter().filter(|operation| operation.endpoint == "programs.enrol"));
    }
    assert_eq!(api.carry_out(&through, rows).await, ["accepted", "accepted"]);
}

// -- backfill --------------------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_starts_no_program_and_subscribes_nobody() {
    for contacts in ["read_first", "import"] {
        let api = Api::start(json!({}));
        let d = api.destination(json!({"backfill_contacts": contacts, "group_lists": {"vip": 40212}, "programs": {"cart_abandoned": 3120},
            "consent": {"email": {"lists": [40211]}}}));
        let who = |name: &str| json!({"mode": "backfill", "identity": {"email": format!("{name}@example.com"), "phone": null}});
        api.take(&d, &record(said("email", "granted", Some(AFTER)), who("yes"))).await;
        let no = api.take(&d, &record(said("email", "denied", Some(AFTER)), who("no"))).await;
        assert_eq!(no[0], if contacts == "import" { "contacts.import: accepted" } else { "contacts.patch: accepted" });
        api.take(&d, &record(contact(json!({"groups": ["vip"]})), who("silent"))).await;
        api.take(&d, &record(order("o-1", json!({})), who("buyer"))).await;
        api.take(&d, &record(json!({"type": "event", "name": "cart_abandoned", "cart_id": "cart-1"}), who("silent"))).await;
        let counts = api.inspect(json!({"what": "counts"}));
        assert_eq!(
            (&counts["programStarts"], &counts["challenges"], &counts["subscribed"]["email"]),
            (&json!(0), &json!(0), &json!(0)),
            "{contacts}"
        );
        let withheld = api.person("yes@example.com");
        assert_eq!((&withheld["status"]["email"], &withheld["dataFields"]["CW_UNASKED"]), (&json!("unsubscribed"), &json!(true)));
        assert_eq!(api.person("no@example.com")["status"]["email"], "unsubscribed");
        assert_eq!(api.person("silent@example.com")["status"]["email"], "unsubscribed");
        assert_eq!(counts["collections"]["Orders"], 1);
        // What was withheld can still be said.
        let careful = api.destination(json!({"backfill_grants": "send"}));
        api.take(&careful, &record(said("email", "granted", Some(BEFORE)), who("yes"))).await;
        assert_eq!(api.person("yes@example.com")["status"]["email"], "unsubscribed", "and a backfill asks nobody by mail");
        let send = api.destination(json!({"backfill_grants": "send", "unasked_yes": "subscribe"}));
        api.take(&send, &record(said("email", "granted", Some(BEFORE)), who("yes"))).await;
        assert_eq!(api.person("yes@example.com")["status"]["email"], "subscribed", "{contacts}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_of_people_is_followed_to_one_verdict_each() {
    let api = Api::start(json!({"polls": 3}));
    let d = api.destination(json!({"backfill_contacts": "import", "import_grants": true, "backfill_grants": "send"}));
    let mut operations = Vec::new();
    for (email, status) in [("a@example.com", "granted"), ("b@example.com", "denied"), ("c@nowhere", "denied")] {
        let mut row: Record = serde_json::from_value(record(
            said("email", status, Some(AFTER)),
            json!({"mode": "backfill", "identity": {"email": "x@example.com"}}),
        ))
        .unwrap();
        row.envelope.identity.email = Some(if email == "c@nowhere" { "c@no.example".to_owned() } else { email.to_owned() });
        operations.extend(d.build(&row).operations);
    }
    let text = String::from_utf8(operations[2].body.clone()).unwrap().replace("c@no.example", "c@nowhere");
    operations[2].body = text.into_bytes();
    let out = api.carry_out(&d, operations).await;
    assert_eq!(out, ["accepted", "accepted", "rejected: invalidEmail"]);
    assert_eq!(
        (&api.person("a@example.com")["status"]["email"], &api.person("b@example.com")["status"]["email"]),
        (&json!("subscribed"), &json!("unsubscribed"))
    );
    assert_eq!(api.inspect(json!({"what": "counts"}))["programStarts"], 0, "imports start nothing");
}

// -- the whole way -----------------------------------------------------------------------------------------------------------

async fn deliver(engine: &Engine, mode: &str, rows: &[Value]) -> Value {
    let call = json!({"format": "ndjson", "mode": mode}).to_string();
    let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
    serde_json::from_slice(&engine.deliver(call.into(), lines.join("\n").into()).await.unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_carries_people_orders_and_imports_to_the_end_and_sends_nothing_twice() {
    let api = Api::start(json!({"polls": 0}));
    let options = json!({
        "destination": {"type": "dotdigital", "user": "sandbox-user", "password": "sandbox-password",
            "base_url": api.sandbox.url("dotdigital").unwrap(), "define_fields": "create", "unasked_yes": "subscribe"},
        "state": "memory:", "rate_limits": false, "retry": {"base_delay_ms": 10, "max_delay_ms": 100, "throttle_floor_ms": 10},
    });
    let engine = Engine::open(options.to_string().as_bytes()).await.unwrap();
    let envelope = |number: usize, mode: &str, key: &str| {
        json!({"identity": {"email": format!("p{number}@example.com")}, "mode": mode, "idempotency_key": format!("{key}-{number}"),
            "resource": {"type": key, "id": format!("{key}-{number}")}})
    };
    let mut rows: Vec<Value> =
        (0..4).map(|number| record(order(&format!("o-{number}"), json!({})), envelope(number, "live", "order"))).collect();
    rows.push(record(said("email", "granted", Some(AFTER)), envelope(0, "live", "customer")));
    rows.push(record(contact(json!({})), envelope(1, "live", "customer")));
    let first = deliver(&engine, "live", &rows).await;
    assert_eq!(
        (&first["counts"]["dead_lettered"], &first["counts"]["pending"], &first["counts"]["rejected"]),
        (&json!(0), &json!(0), &json!(0)),
        "{first:#}"
    );
    let counts = api.inspect(json!({"what": "counts"}));
    assert_eq!((&counts["profiles"], &counts["subscribed"]["email"]), (&json!(4), &json!(1)), "{counts:#}");
    assert_eq!((&counts["collections"]["Orders"], &counts["collections"]["CartInsight"]), (&json!(4), &json!(4)));
    assert_eq!(api.person("p1@example.com")["dataFields"]["STORE_NAME"], "web", "the data field was made on the way");
    let before = api.inspect(json!({"what": "digest"}));
    let again = deliver(&engine, "live", &rows).await;
    assert_eq!(again["counts"]["delivered"], 0, "{again:#}");
    assert_eq!(api.inspect(json!({"what": "digest"})), before);
    let history: Vec<Value> = (0..30)
        .map(|number| {
            record(order(&format!("h-{number}"), json!({"cart_id": null})), envelope(number % 3, "backfill", &format!("history-{number}")))
        })
        .collect();
    let imported = deliver(&engine, "backfill", &history).await;
    assert_eq!((&imported["counts"]["delivered"], &imported["counts"]["dead_lettered"]), (&json!(30), &json!(0)), "{imported:#}");
    assert_eq!(api.inspect(json!({"what": "counts"}))["collections"]["Orders"], 34);
    let calls = api.inspect(json!({"what": "calls"}));
    assert!(calls["PUT /insightData/v3/import"]["202"].as_u64().unwrap() <= 3, "{calls:#}");
    engine.close().await.unwrap();
}

// -- limits, credentials -----------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn both_schemes_of_limits_are_read_as_slow_down() {
    let tiered = Api::start(json!({"rate_limits": {"medium": 1, "high": 1, "low": 1}}));
    let flat = Api::start(json!({"rate_limits": {"flat_per_hour": 1}}));
    for (api, code) in [(&tiered, "http_429"), (&flat, "ERROR_APIUSAGE_EXCEEDED")] {
        let d = api.destination(json!({"insight_write": "single"}));
        let row: Record = serde_json::from_value(record(product("p-1", json!({})), json!({}))).unwrap();
        let operations = d.build(&row).operations;
        let request = d.request(&[&operations[0]]).unwrap();
        api.send(&d, &request).await;
        let reply = api.send(&d, &request).await;
        match d.read(&[&operations[0]], &reply) {
            Reading::Retry(refusal, after) => {
                assert_eq!(refusal.code.0.name(), "rate_limited");
                assert!(refusal.vendor_code == code || refusal.vendor_code == "rateLimitExceeded", "{}", refusal.vendor_code);
                assert_eq!(after.is_some(), code != "http_429", "the header tells the rest");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(flat.inspect(json!({"what": "counts"}))["profiles"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_check_changes_nothing_and_a_wrong_region_or_password_stops_the_destination() {
    let api = Api::start(json!({"wrong_region": true}));
    let d = api.destination(json!({}));
    let reply = api.send(&d, &d.check()).await;
    assert_eq!(reply.status, 200);
    assert_eq!(d.read_check(&reply), "the credentials work");
    let elsewhere = Dotdigital::new(serde_json::from_value(json!({"region": "r1"})).unwrap()).unwrap();
    assert!(elsewhere.read_check(&reply).contains("`r2`"), "{}", elsewhere.read_check(&reply));
    assert_eq!((d.is_working(&reply), elsewhere.is_working(&reply)), (true, false));
    let row: Record = serde_json::from_value(record(product("p-1", json!({})), json!({}))).unwrap();
    let operations = d.build(&row).operations;
    let refused = api.send(&d, &d.request(&[&operations[0]]).unwrap()).await;
    assert!(matches!(d.read(&[&operations[0]], &refused), Reading::Stop(error) if error.code().name() == "forbidden"));
    let wrong = api.destination(json!({"password": "other"}));
    let refused = api.send(&wrong, &wrong.check()).await;
    assert_eq!(refused.status, 401);
    assert!(wrong.read_check(&refused).contains("password"));
    assert_eq!(api.inspect(json!({"what": "counts"}))["profiles"], 0);
}

// -- reading back ----------------------------------------------------------------------------------------------------------

fn differs(pointers: &[&str]) -> Held {
    Held::Differs(pointers.iter().map(|pointer| (*pointer).to_owned()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_held_as_they_were_written_until_somebody_changes_them() {
    let api = Api::start(json!({}));
    let d = api.destination(json!({"group_lists": {"vip": 40212}, "consent": {"email": {"lists": [40211], "preference": 7}}}));
    let consents = json!([{"channel": "email", "status": "granted", "at": AFTER}]);
    let attributes = json!({"since": {"type": "date", "value": "2024-02-29"}, "points": {"type": "integer", "value": 7}});
    let mara = record(contact(json!({"consents": consents, "groups": ["vip"], "attributes": attributes})), json!({}));
    let all = |held: [Held; 3]| held.map(|held| ("contacts.patch".to_owned(), held)).to_vec();
    assert_eq!(api.held(&d, &mara).await, all([Held::Missing, Held::Missing, Held::Missing]));
    api.take(&d, &mara).await;
    assert_eq!(api.held(&d, &mara).await, all([Held::Same, Held::Same, Held::Same]));
    let changed = json!({"dataFields": {"FIRSTNAME": "Mareike", "POINTS": 8}, "preferences": [{"id": 7, "isOptedIn": false}]});
    api.elsewhere("PATCH", "/contacts/v3/email/mara%2Bshop%40example.com", changed).await;
    let fields = differs(&["/fields/FIRSTNAME", "/fields/POINTS"]);
    assert_eq!(api.held(&d, &mara).await, all([differs(&["/preference"]), fields.clone(), Held::Same]));
    // Whoever leaves is off the lists too.
    api.elsewhere("POST", "/v2/contacts/unsubscribe", json!({"email": "mara+shop@example.com"})).await;
    assert_eq!(api.held(&d, &mara).await, all([differs(&["/granted", "/preference"]), fields, differs(&["/granted"])]));
    let no = record(said("email", "denied", Some(AFTER)), json!({"resource": {"type": "subscriber", "id": "s"}}));
    assert_eq!(api.held(&d, &no).await[0].1, Held::Same);
    let event = json!({"type": "event", "name": "email_changed", "previous": {"email": "mara+shop@example.com"}});
    let renamed = record(event, json!({"identity": {"email": "new@example.com"}}));
    assert_eq!(api.held(&d, &renamed).await[0].1, Held::Missing);
    api.take(&d, &renamed).await;
    assert_eq!(api.held(&d, &renamed).await[0].1, Held::Same);
    let gone = record(json!({"type": "contact_deleted", "erase": true}), json!({"identity": {"email": "new@example.com"}}));
    for write in ["single", "bulk"] {
        let d = api.destination(json!({"delete_write": write, "erase": "delete"}));
        let wanted = if write == "single" { differs(&[""]) } else { Held::Same };
        assert_eq!(api.held(&d, &gone).await[0].1, wanted);
        api.take(&d, &gone).await;
        assert_eq!(api.held(&d, &gone).await[0].1, Held::Same, "the recycle bin holds nobody");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_held_by_their_key_single_or_imported() {
    for write in ["single", "bulk"] {
        let api = Api::start(json!({}));
        let d = api.destination(json!({"insight_write": write}));
        let bought = record(order("o-1", json!({})), json!({}));
        let tee = record(product("prod-1", json!({})), json!({}));
        for row in [&bought, &tee] {
            assert!(api.held(&d, row).await.iter().all(|(_, held)| *held == Held::Missing), "{write}");
            api.take(&d, row).await;
            assert!(api.held(&d, row).await.iter().all(|(_, held)| *held == Held::Same), "{write}");
        }
        assert_eq!(api.held(&d, &bought).await.len(), 2, "the order and its cart");
        let other = record(order("o-1", json!({"status": "confirmed", "number": "DE-9"})), json!({}));
        assert_eq!(api.held(&d, &other).await[0].1, differs(&["/json/custom", "/json/orderStatus"]));
        let cancelled = record(order("o-1", json!({"status": "cancelled"})), json!({"version": 5}));
        assert_eq!(api.held(&d, &cancelled).await[0].1, differs(&[""]));
        api.take(&d, &cancelled).await;
        assert_eq!(api.held(&d, &cancelled).await[0].1, Held::Same);
        let gone = record(json!({"type": "product_deleted", "id": "prod-1"}), json!({}));
        assert_eq!(api.held(&d, &gone).await[0].1, differs(&[""]));
        api.take(&d, &gone).await;
        assert_eq!(api.held(&d, &gone).await[0].1, Held::Same);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn imported_people_are_held_and_trouble_is_not_taken_for_absence() {
    let api = Api::start(json!({}));
    let d = api.destination(json!({"backfill_contacts": "import"}));
    let no = record(said("email", "denied", Some(AFTER)), backfill());
    assert_eq!(api.held(&d, &no).await, [("contacts.import".to_owned(), Held::Missing)]);
    api.elsewhere("POST", "/v2/data-fields", json!({"name": "ACCOUNT_CREATED_DATE", "type": "Date"})).await;
    api.take(&d, &no).await;
    let held = api.held(&d, &no).await.remove(0).1;
    // An import makes no data fields, and what the account has none for was dropped.
    assert_eq!(held, differs(&["/dataFields/COUNTRY", "/dataFields/LOCALE", "/dataFields/SHOP_CUSTOMER_ID", "/dataFields/STORE_NAME"]));
    let row: Record = serde_json::from_value(no).unwrap();
    let operation = d.build(&row).operations.remove(0);
    let reply = |status| Reply { status, headers: Vec::new(), body: b"{}".to_vec() };
    assert!(matches!(d.compare(&operation, &reply(429)), Ok(Held::Later(..))));
    assert!(matches!(d.compare(&operation, &reply(503)), Ok(Held::Later(..))));
    assert_eq!(d.compare(&operation, &reply(401)).unwrap_err().code().name(), "unauthorized");
    assert!(d.compare(&operation, &reply(400)).is_err());
}
