//! What Insider gets, and what its answers mean. With `CARTWIRE_EXCHANGES_DIR` set, every request and reply is also written
//! there as NDJSON, for checking against the vendor's own contract.
#![allow(clippy::unwrap_used)]

mod answers;
mod catalog;
mod commerce;
#[cfg(feature = "delivery")]
mod engine;
mod limits;
mod people;
mod readback;

use std::io::Write as _;

use serde_json::{Value, json};

use super::super::{Built, Destination, Operation, Reading, Reply, Request, Verdict};
use super::{CAPABILITIES, Config, Insider};
use crate::model::Record;

fn config(settings: Value) -> Config {
    let mut all =
        json!({ "partner": "sandbox", "token": "ucd-key", "catalog_token": "catalog-key", "unsubscribe_token": "unsubscribe-key" });
    merge(&mut all, settings);
    serde_json::from_value(all).unwrap()
}

fn merge(all: &mut Value, change: Value) {
    for (key, value) in change.as_object().unwrap() {
        all[key] = value.clone();
    }
}

fn open(settings: Value) -> Insider {
    Insider::new(config(settings)).unwrap()
}

fn envelope(change: Value) -> Value {
    let mut all = json!({
        "source": "commercetools",
        "tenant": "demo",
        "resource": { "type": "thing", "id": "r-1" },
        "version": 4,
        "occurred_at": "2025-05-20T10:00:00.120Z",
        "observed_at": "2025-05-20T10:00:05Z",
        "market": { "country": "DE", "locale": "de-DE", "currency": "EUR" },
        "identity": { "customer_id": "c-42", "email": "mara@example.com" },
        "correlation_id": "corr",
        "idempotency_key": "00aa11bb",
    });
    merge(&mut all, change);
    all
}

fn record(body: Value, change: Value) -> Record {
    serde_json::from_value(json!({ "envelope": envelope(change), "body": body })).unwrap()
}

fn contact(body: Value, change: Value) -> Record {
    let mut all = json!({ "type": "contact" });
    merge(&mut all, body);
    record(all, change)
}

fn money(amount: &str) -> Value {
    json!({ "amount": amount, "currency": "EUR" })
}

fn line(id: &str, sku: &str, quantity: i64, list: &str, total: &str) -> Value {
    json!({
        "id": id, "sku": sku, "product_id": "prod-881", "variant_id": "2", "name": "Black tee", "quantity": quantity,
        "unit_list_price": money(list), "unit_price": money(list), "total": money(total),
        "categories": [{ "id": "tees", "path": ["Apparel", "Tops", "Tees"] }],
        "url": "https://shop.example.com/tee", "image_url": "https://img.example.com/tee.jpg",
        "attributes": { "size": { "type": "text", "value": "M" } },
    })
}

fn order(change: Value) -> Value {
    let mut all = json!({
        "type": "order", "id": "7f3a2c10", "number": "DE-10017", "placed_at": "2025-05-20T10:00:00Z", "status": "open", "cart_id": "crt-5512",
        "lines": [line("l1", "TEE-M", 2, "19.50", "39.00")],
        "shipping": [{ "method": "DHL", "amount": money("4.90") }],
        "totals": { "subtotal": money("39.00"), "shipping": money("4.90"), "discount": money("0"), "tax": money("7.01"), "tax_added": money("0"), "total": money("43.90") },
    });
    merge(&mut all, change);
    all
}

fn cart(lines: Value, change: Value) -> Value {
    let amounts =
        lines.as_array().unwrap().iter().map(|line| line["total"]["amount"].as_str().unwrap().parse::<rust_decimal::Decimal>().unwrap());
    let total = money(&amounts.sum::<rust_decimal::Decimal>().to_string());
    let mut all = json!({
        "type": "cart", "id": "crt-5512", "state": "active", "lines": lines, "updated_at": "2025-05-20T09:41:12Z",
        "totals": { "subtotal": total, "shipping": money("0"), "discount": money("0"), "tax_added": money("0"), "total": total },
    });
    merge(&mut all, change);
    all
}

fn product(change: Value) -> Value {
    let mut all = json!({
        "type": "product", "id": "prod-881", "name": "Black tee", "description": "Soft.", "published": true, "rating_average": "4.5",
        "url": "https://shop.example.com/tee", "brand": "Nord", "categories": [{ "id": "tees", "path": ["Tops", "Tees"] }],
        "variants": [
            { "id": "1", "sku": "TEE-S", "price": { "list": money("19.50"), "sale": money("15") }, "stock": { "in_stock": true, "quantity": 42 },
              "images": [{ "url": "https://img.example.com/881.jpg" }], "attributes": { "size": { "type": "text", "value": "S" } } },
            { "id": "2", "sku": "TEE-M", "price": { "list": money("20") } },
        ],
    });
    merge(&mut all, change);
    all
}

/// The operations of a record that must be good, each also sent alone.
fn ops(insider: &Insider, record: &Record) -> Vec<Operation> {
    let Built { operations, findings, .. } = insider.build(record);
    assert!(!findings.iter().any(crate::model::Finding::is_error), "{findings:?}");
    for operation in &operations {
        if let Some(first) = insider.prefetch(operation) {
            exchange(&first, None);
        }
        exchange(&insider.request(&[operation]).unwrap(), None);
    }
    operations
}

fn parsed(request: &Request) -> Value {
    serde_json::from_slice(request.body.as_deref().unwrap()).unwrap()
}

/// The one request of a record with one operation.
fn only(insider: &Insider, record: &Record) -> Value {
    let operations = ops(insider, record);
    assert_eq!(operations.len(), 1, "{operations:?}");
    parsed(&insider.request(&[&operations[0]]).unwrap())
}

fn call(request: &Request) -> String {
    format!("{} {}", request.method.as_str(), request.path)
}

/// Writes one exchange for the contract check.
fn exchange(request: &Request, reply: Option<&Reply>) {
    static LOCK: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let Some(folder) = std::env::var_os("CARTWIRE_EXCHANGES_DIR") else { return };
    let host = match CAPABILITIES.endpoint(&request.endpoint).unwrap().host {
        "contact" => "https://contact.useinsider.com",
        "catalog" => "https://catalog.api.useinsider.com",
        _ => "https://unification.useinsider.com",
    };
    let mut row = json!({
        "vendor": "insider", "method": request.method.as_str(), "url": format!("{host}{}", request.path), "body": parsed(request),
        "ref": format!("{} {}", request.endpoint, std::thread::current().name().unwrap_or("test")),
    });
    if let Some((reply, answer)) = reply.and_then(|reply| Some((reply, serde_json::from_slice::<Value>(&reply.body).ok()?))) {
        row["status"] = json!(reply.status);
        row["response"] = answer;
    }
    let _guard = LOCK.lock().unwrap();
    let path = std::path::Path::new(&folder).join("insider-core.ndjson");
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    writeln!(file, "{row}").unwrap();
}

fn reply(status: u16, body: Value) -> Reply {
    let body = if let Value::String(text) = &body { text.clone().into_bytes() } else { serde_json::to_vec(&body).unwrap() };
    Reply { status, headers: Vec::new(), body }
}

/// The verdicts of an answer that speaks of every row.
fn verdicts(insider: &Insider, operations: &[&Operation], status: u16, body: Value) -> Vec<Verdict> {
    let reply = reply(status, body);
    exchange(&insider.request(operations).unwrap(), Some(&reply));
    match insider.read(operations, &reply) {
        Reading::Each(verdicts, _) => verdicts,
        other => panic!("{other:?}"),
    }
}
