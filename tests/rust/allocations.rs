//! What must not cost memory: validation of a sound record.

use std::alloc::System;

use cartwire::model::Record;
use cartwire::validate::{Config, validate};
use serde_json::{Value, json};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn order(lines: usize) -> Record {
    let eur = |amount: String| json!({"amount": amount, "currency": "EUR"});
    let line = |index: usize| {
        json!({
            "id": format!("line-{index}"), "sku": "MUG", "name": "Mug", "quantity": 2, "unit_list_price": eur("9.90".into()),
            "unit_price": eur("8.90".into()), "discounts": [{"kind": "cart", "amount": eur("1.80".into())}], "total": eur("16.00".into())
        })
    };
    let value = json!({
        "envelope": {
            "source": "shop", "tenant": "demo", "resource": {"type": "order", "id": "o-1"},
            "occurred_at": "2026-05-01T12:00:00Z", "observed_at": "2026-05-01T12:00:00Z",
            "market": {"country": "DE", "locale": "zh-Hant-TW", "currency": "EUR"},
            "identity": {"customer_id": "c-1", "email": "jürgen@müller.de", "phone": "+4930123456"},
            "correlation_id": "x", "idempotency_key": "y"
        },
        "body": {
            "type": "order", "id": "o-1", "placed_at": "2026-05-01T12:00:00Z", "status": "open",
            "lines": (0..lines).map(line).collect::<Vec<Value>>(), "shipping": [{"amount": eur("4.90".into())}],
            "totals": {
                "subtotal": eur(format!("{}.00", lines * 16)), "shipping": eur("4.90".into()), "discount": eur("0".into()),
                "tax_added": eur("0".into()), "total": eur(format!("{}.90", lines * 16 + 4))
            },
            "shipping_address": {"country": "DE"}
        }
    });
    serde_json::from_value(value).unwrap_or_else(|error| panic!("{error}"))
}

/// The fewest allocations in several tries: the test harness allocates on its own threads now and then.
fn allocations(record: &Record) -> usize {
    let config = Config::default();
    let context = config.context(record.envelope.observed_at);
    let once = |_| {
        let region = Region::new(COUNTING);
        assert_eq!(validate(record, &context), []);
        region.change().allocations
    };
    (0..10).map(once).min().unwrap_or_default()
}

#[test]
fn a_sound_record_is_validated_without_an_allocation() {
    assert_eq!(allocations(&order(1)), 0);
    assert_eq!(allocations(&order(512)), 0);
    // Beyond that, one list of line ids; this also shows that allocations are counted.
    assert_eq!(allocations(&order(513)), 1);
}
