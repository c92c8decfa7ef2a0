//! What was delivered is read back from the sandbox and found to be what was sent, for every destination that shows what it
//! holds; what was not delivered, or was changed since, is not.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod vendors;

use bytes::Bytes;
use cartwire::delivery::{HttpOptions, HttpTransport, Transport};
use cartwire::destinations::{Destination, Held, Operation, RetrySafety};
use cartwire::facade::Engine;
use cartwire::model::Record;
use cartwire_sandbox::Sandbox;
use serde_json::{Value, json};

use vendors::{Person, Vendor, entries};

fn row(person: &Person, kind: &str, id: &str, body: Value) -> Value {
    json!({"envelope": {"source": "commercetools", "tenant": "demo", "resource": {"type": kind, "id": id}, "version": 1,
            "occurred_at": "2026-03-01T10:00:00Z", "observed_at": "2026-03-01T10:00:05Z",
            "market": {"locale": "de-DE", "country": "DE", "currency": "EUR"}, "identity": person.identity(), "correlation_id": "c",
            "idempotency_key": format!("{kind}-{id}")},
        "body": body})
}

fn rows(person: &Person) -> Vec<Value> {
    let id = person.customer_id.as_str();
    let euro = |amount: &str| json!({"amount": amount, "currency": "EUR"});
    let line = json!({"id": "l1", "sku": "TEE", "product_id": "p-1", "variant_id": "1", "name": "Tee", "quantity": 2,
        "unit_list_price": euro("19.50"), "unit_price": euro("19.50"), "total": euro("39.00")});
    let totals =
        json!({"subtotal": euro("39.00"), "shipping": euro("4.90"), "discount": euro("0"), "tax_added": euro("0"), "total": euro("43.90")});
    let contact = json!({"type": "contact", "first_name": "Mara", "last_name": "Okoye", "groups": ["vip"],
        "addresses": [{"default_shipping": true, "city": "Graz", "country": "AT"}],
        "attributes": {"loyalty_points": {"type": "integer", "value": 42}},
        "consents": [{"channel": "email", "status": "granted", "at": "2026-02-01T00:00:00Z"},
            {"channel": "sms", "status": "denied", "at": "2026-02-01T00:00:00Z"}]});
    let order = json!({"type": "order", "id": format!("o-{id}"), "number": "1", "placed_at": "2026-03-01T09:00:00Z", "status": "open",
        "lines": [line], "shipping": [{"method": "DHL", "amount": euro("4.90")}], "totals": totals});
    let variant = json!({"id": "1", "sku": "TEE", "price": {"list": euro("19.50")}});
    vec![
        row(person, "customer", id, contact),
        row(person, "order", &format!("o-{id}"), order),
        row(person, "event", &format!("e-{id}"), json!({"type": "event", "name": "product_viewed", "product_id": "p-1"})),
        row(
            person,
            "product",
            &format!("p-{id}"),
            json!({"type": "product", "id": format!("p-{id}"), "name": "Tee", "variants": [variant]}),
        ),
    ]
}

fn built(destination: &dyn Destination, rows: &[Value]) -> Vec<Operation> {
    let records = rows.iter().map(|row| serde_json::from_value::<Record>(row.clone()).unwrap());
    records.flat_map(|record| destination.build(&record).operations).collect()
}

struct Stage {
    sandbox: Sandbox,
    url: String,
    destination: Box<dyn Destination>,
    transport: HttpTransport,
}

impl Stage {
    fn new(vendor: &dyn Vendor) -> Stage {
        let name = vendor.destination();
        let sandbox = Sandbox::start(json!({"vendors": [name], name: vendor.sandbox()}).to_string().as_bytes()).unwrap();
        let url = sandbox.url(name).unwrap();
        let destination = vendor.open(vendor.config(&url));
        Stage { sandbox, url, destination, transport: HttpTransport::new(&HttpOptions::default()).unwrap() }
    }

    /// What is held of each operation that can be read back, with its endpoint.
    async fn held(&self, operations: &[Operation]) -> Vec<(String, Held)> {
        let mut all = Vec::new();
        for operation in operations {
            let Some(request) = self.destination.read_back(operation) else { continue };
            let facts = self.destination.capabilities().endpoint(&request.endpoint).unwrap();
            assert_eq!(facts.retry_safe_by, RetrySafety::ReadOnly, "{}: a read writes nothing", request.endpoint);
            let reply = self.transport.send(self.destination.base_url_of(&request), &request).await.unwrap();
            all.push((operation.endpoint.to_string(), self.destination.compare(operation, &reply).unwrap()));
        }
        all
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_delivered_is_held_and_nothing_else_is() {
    for vendor in entries() {
        let stage = Stage::new(&*vendor);
        let (there, absent) = (Person::numbered(1), Person::numbered(2));
        let options = json!({"destination": vendor.config(&stage.url), "state": "memory:", "rate_limits": false});
        let engine = Engine::open(options.to_string().as_bytes()).await.unwrap();
        let data: String = rows(&there).iter().map(|row| format!("{row}\n")).collect();
        let report = engine.deliver(Bytes::from_static(br#"{"format": "ndjson"}"#), Bytes::from(data)).await.unwrap();
        let report: Value = serde_json::from_slice(&report).unwrap();
        let letters = engine.dead_letters(Bytes::from_static(b"{}")).await.unwrap();
        assert_eq!(report["counts"]["dead_lettered"], 0, "{}: {}", vendor.label(), String::from_utf8_lossy(&letters));
        engine.close().await.unwrap();

        let delivered = built(&*stage.destination, &rows(&there));
        let held = stage.held(&delivered).await;
        for (endpoint, held) in &held {
            assert_eq!(*held, Held::Same, "{} {endpoint}", vendor.label());
        }
        let shown = !held.is_empty();
        for (endpoint, held) in stage.held(&built(&*stage.destination, &rows(&absent))).await {
            // What was never there is as a removal of it wants it.
            assert!(held != Held::Same || endpoint == "insight.deleteAccountRecords", "{} {endpoint}", vendor.label());
        }
        // Somebody leaves at the platform: that differs, and where is told without a value.
        for channel in vendor.channels() {
            vendor.act(&stage.url, &there, channel, false).await;
        }
        let mut changed = rows(&there);
        changed[0]["body"]["first_name"] = json!("Mareike");
        let differs =
            stage.held(&built(&*stage.destination, &changed)).await.into_iter().filter(|(_, held)| matches!(held, Held::Differs(_)));
        for (endpoint, held) in differs {
            assert!(!format!("{held:?}").contains("Mar"), "{} {endpoint} tells a value", vendor.label());
        }
        if shown {
            let again = stage.held(&built(&*stage.destination, &changed)).await;
            assert!(again.iter().any(|(_, held)| matches!(held, Held::Differs(_))), "{}: nothing differs", vendor.label());
        }
        drop(stage.sandbox);
    }
}
