//! Set-ups to build for, and records to build from: the golden cases' and our own.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use cartwire::destinations::{Destination, Endpoint, Operation};
use cartwire::model::Record;
use cartwire::pipeline;
use serde_json::{Value, json};

use super::vendors::{JobCase, Jobs, POISON, Person, Rows, Vendor, entries};

pub const NOWHERE: &str = "http://127.0.0.1:9";

/// One destination with one configuration.
pub struct Setup {
    pub vendor: Arc<dyn Vendor>,
    pub config: Value,
    /// Whether it is the vendor's own small configuration, with the defaults.
    pub plain: bool,
}

impl Setup {
    pub fn open(&self) -> Box<dyn Destination> {
        self.vendor.open(self.config.clone())
    }

    pub fn label(&self) -> &'static str {
        self.vendor.label()
    }
}

pub fn setups() -> Vec<Setup> {
    let mut setups = Vec::new();
    for vendor in entries() {
        let vendor: Arc<dyn Vendor> = vendor.into();
        setups.push(Setup { vendor: vendor.clone(), config: vendor.config(NOWHERE), plain: true });
        setups.extend(vendor.more_configs(NOWHERE).into_iter().map(|config| Setup { vendor: vendor.clone(), config, plain: false }));
    }
    setups
}

/// The jobs of each vendor's entry, each with its set-up.
pub fn job_cases() -> Vec<(Setup, JobCase)> {
    let cases = |vendor: Box<dyn Vendor>| {
        let vendor: Arc<dyn Vendor> = vendor.into();
        let Jobs::Some(cases, _) = vendor.jobs(NOWHERE) else { return Vec::new() };
        let setup = |case: &JobCase| Setup { vendor: vendor.clone(), config: case.config.clone(), plain: false };
        cases.into_iter().map(|case| (setup(&case), case)).collect()
    };
    entries().into_iter().flat_map(cases).collect()
}

/// Rows of one kind for a job, of several people or things. The second is poisoned where it can be.
pub fn job_rows(case: &JobCase) -> Vec<Value> {
    let euro = |amount: &str| json!({"amount": amount, "currency": "EUR"});
    let one = |number: usize| {
        let person = Person::numbered(60 + number);
        let word = if number == 1 { POISON } else { "Tee" };
        match case.rows {
            // Whoever gave no yes: some platforms import nobody else.
            Rows::Contacts => {
                let consents = json!([{"channel": "email", "status": "denied", "at": "2026-02-01T00:00:00Z"}]);
                contact(&person, 1, json!({"last_name": word, "consents": consents}))
            }
            Rows::Products => {
                let mut row = product(60 + number, word);
                row["body"]["url"] = json!("https://shop.example.com/tee");
                row["body"]["variants"][0]["images"] = json!([{"url": "https://shop.example.com/tee.jpg"}]);
                row
            }
            Rows::Orders => {
                let line = json!({"id": "l1", "sku": "TEE", "product_id": "p-1", "name": word, "quantity": 1,
                    "unit_list_price": euro("19.50"), "unit_price": euro("19.50"), "total": euro("19.50")});
                let totals = json!({"subtotal": euro("19.50"), "shipping": euro("0"), "discount": euro("0"), "tax_added": euro("0"),
                    "total": euro("19.50")});
                let order = json!({"type": "order", "id": format!("o-{number}"), "placed_at": "2026-03-01T09:00:00Z", "status": "open",
                    "lines": [line], "totals": totals});
                row(&person, "order", 1, order)
            }
            Rows::Refunds => {
                let id = format!("r-{number}");
                let refund = json!({"type": "refund", "id": id, "order_id": "o-1", "amount": euro("19.50"), "refunded_at": "2026-03-01T09:00:00Z", "reason": word, "lines": []});
                row(&person, "refund", 1, refund)
            }
            Rows::Erasures => row(&person, "customer", 9, json!({"type": "contact_deleted", "erase": true})),
            Rows::SignIn => {
                let mut row = event(&person, 9, "logged_in");
                row["body"]["previous"] =
                    json!({"customer_id": format!("c-{:05}", 90 + number), "email": format!("p9{number}@example.com")});
                row
            }
        }
    };
    let mut rows: Vec<Value> = (0..4).map(one).collect();
    if case.backfill {
        rows.iter_mut().for_each(|row| row["envelope"]["mode"] = json!("backfill"));
    }
    rows
}

pub fn row(person: &Person, kind: &str, version: u64, body: Value) -> Value {
    let key = format!("{}-{kind}-{version}-{}", person.customer_id, body["name"].as_str().unwrap_or_default());
    json!({"envelope": {"source": "commercetools", "tenant": "demo", "resource": {"type": kind, "id": format!("{kind}-{key}")},
            "version": version, "occurred_at": "2026-03-01T10:00:00Z", "observed_at": "2026-03-01T10:00:05Z",
            "market": {"locale": "de-DE", "country": "DE", "currency": "EUR"}, "identity": person.identity(), "correlation_id": "c",
            "idempotency_key": key},
        "body": body})
}

pub fn contact(person: &Person, version: u64, more: Value) -> Value {
    let mut body = json!({"type": "contact", "first_name": format!("Maraike{version}"), "last_name": "Okoyeson"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    row(person, "customer", version, body)
}

pub fn event(person: &Person, version: u64, name: &str) -> Value {
    row(person, "event", version, json!({"type": "event", "name": name}))
}

pub fn product(number: usize, name: &str) -> Value {
    let price = json!({"list": {"amount": "19.90", "currency": "EUR"}});
    let variant = json!({"id": "1", "sku": format!("SKU-{number}"), "price": price});
    let mut row = row(
        &Person::numbered(0),
        "product",
        1,
        json!({"type": "product", "id": format!("p-{number}"), "name": name, "published": true, "variants": [variant]}),
    );
    row["envelope"]["identity"] = json!({});
    row["envelope"]["idempotency_key"] = json!(format!("product-{number}"));
    row
}

pub fn parsed(rows: &[Value]) -> Vec<Record> {
    rows.iter().map(|row| serde_json::from_value(row.clone()).unwrap()).collect()
}

/// Records of kinds that no golden case has, or not in the mode in which they lead to a call.
pub fn own() -> Vec<Record> {
    let person = Person::numbered(1);
    let guest = |mut row: Value| {
        row["envelope"]["identity"] = json!({"email": "guest@example.com"});
        row
    };
    let previous = |version, name: &str, previous: Value| {
        let mut row = event(&person, version, name);
        row["body"]["previous"] = previous;
        row
    };
    let consents = |email: &str, sms: &str| {
        json!({"groups": ["vip"], "consents": [{"channel": "email", "status": email, "at": "2026-02-01T00:00:00Z"},
            {"channel": "sms", "status": sms, "at": "2026-02-01T00:00:00Z"},
            {"channel": "whatsapp", "status": sms, "at": "2026-02-01T00:00:00Z"}]})
    };
    let gone = |kind: &str, erase: bool| row(&person, "customer", 9, json!({"type": kind, "erase": erase}));
    parsed(&[
        contact(&person, 1, consents("granted", "denied")),
        contact(&person, 2, consents("denied", "granted")),
        guest(contact(&person, 3, consents("granted", "denied"))),
        guest(contact(&person, 4, consents("denied", "granted"))),
        event(&person, 5, "cart_abandoned"),
        event(&person, 5, "product_viewed"),
        previous(6, "logged_in", json!({"anonymous_id": "s-1"})),
        previous(7, "account_created", json!({"anonymous_id": "s-2"})),
        previous(8, "email_changed", json!({"email": "former@example.com"})),
        gone("contact_deleted", true),
        gone("contact_deleted", false),
        guest(gone("contact_deleted", false)),
        previous(10, "logged_in", json!({"customer_id": "c-00099", "email": "former@example.com"})),
        product(1, "Tee"),
    ])
}

/// All records of the golden cases, and our own.
pub fn corpus() -> Vec<Record> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .flat_map(|source| std::fs::read_dir(source.unwrap().path()).into_iter().flatten())
        .map(|case| case.unwrap().path().join("canonical.json"))
        .filter(|file| file.exists())
        .collect();
    files.sort();
    assert!(files.len() > 50, "the golden cases are not where they were");
    let mut records = own();
    for file in files {
        let case: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        records.extend(case["records"].as_array().unwrap().iter().map(|record| serde_json::from_value(record.clone()).unwrap()));
    }
    // What history leads to, too.
    let mut history = records.clone();
    history.iter_mut().for_each(|record| record.envelope.mode = cartwire::model::Mode::Backfill);
    records.extend(history);
    records
}

pub fn built(destination: &dyn Destination, records: &[Record]) -> Vec<Operation> {
    records.iter().flat_map(|record| destination.build(record).operations).collect()
}

pub fn plan(destination: &dyn Destination, operations: &[Operation]) -> pipeline::batch::Plan {
    pipeline::batch::plan(destination, &operations.iter().collect::<Vec<_>>()).unwrap()
}

/// Operations that may share a request, by endpoint: one of each lane, none that reads first.
pub fn batches(destination: &dyn Destination, operations: Vec<Operation>) -> BTreeMap<(&'static str, String), Vec<Operation>> {
    let mut batches: BTreeMap<(&'static str, String), Vec<Operation>> = BTreeMap::new();
    for operation in operations {
        let endpoint = destination.capabilities().endpoint(&operation.endpoint).expect("an endpoint of the table");
        if destination.prefetch(&operation).is_some() {
            continue;
        }
        let batch = batches.entry((endpoint.id, operation.group.clone())).or_default();
        if batch.iter().all(|other| other.lane != operation.lane) {
            batch.push(operation);
        }
    }
    batches
}

pub fn facts(destination: &dyn Destination, id: &str) -> &'static Endpoint {
    destination.capabilities().endpoint(id).unwrap()
}

/// A few people with everything that can be said of many in one request, and a few products.
pub fn several() -> Vec<Record> {
    let mut rows = Vec::new();
    for number in 10..14 {
        let person = Person::numbered(number);
        let consents = json!({"groups": ["vip"], "consents": [{"channel": "email", "status": "denied", "at": "2026-02-01T00:00:00Z"}]});
        let gone = row(&person, "product", 9, json!({"type": "product_deleted", "id": format!("p-{number}")}));
        rows.extend([contact(&person, 1, consents), event(&person, 2, "product_viewed"), product(number, "Tee"), gone]);
    }
    parsed(&rows)
}
