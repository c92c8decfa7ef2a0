//! BigCommerce: resources with and without a hint, composed documents made of the input, webhooks, and their proofs.
#![no_main]

use std::sync::OnceLock;

use cartwire::sources::bigcommerce::{Bigcommerce, Config, webhooks};
use cartwire::sources::{DecodeContext, Decoded, Source};
use cartwire_fuzz::{adds_up, now};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

const HINTS: [&str; 9] = ["order", "customer", "subscriber", "wishlist", "cart", "checkout", "category", "product", "shipment"];

fn config() -> Config {
    serde_json::from_value(json!({
        "store": "demo", "currency": "USD", "locale": "en", "country": "US", "site_url": "https://shop.example",
        "attribute_names": {"1": "Points"}, "not_placed": [0, 1],
        "consents": [{"channel": "sms", "on": "attribute", "field": "Points"}, {"channel": "sms", "on": "form_field", "field": "x"},
                     {"channel": "email", "on": "order", "field": "is_email_opt_in"}],
        "contact_fields": [{"field": "Points", "type": "integer"}, {"field": "born", "type": "date"}],
        "order_fields": [{"field": "order_source"}], "attributes": [{"field": "Size", "type": "decimal"}],
        "webhooks": {"token": "t", "client_secret": "s"}
    }))
    .expect("the set-up is right")
}

fn decodes(data: &[u8], hint: Option<&str>) {
    static SOURCE: OnceLock<Bigcommerce> = OnceLock::new();
    let source = SOURCE.get_or_init(|| Bigcommerce::new(config()).expect("the set-up is right"));
    let context = DecodeContext { resource: hint, ..DecodeContext::at(now()) };
    let read = || {
        let mut out = Decoded::default();
        source.decode(data, &context, &mut out);
        out
    };
    let out = read();
    adds_up(&out);
    assert!(out == read(), "the same bytes were read in two ways");
    for one in &out.records {
        let text = serde_json::to_string(&one.record).expect("a record can be written");
        let back: cartwire::model::Record = serde_json::from_str(&text).expect("what is written can be read");
        assert!(back == one.record, "a record that is written and read is another");
    }
}

fuzz_target!(|data: &[u8]| {
    decodes(data, None);
    decodes(data, Some(HINTS[data.len() % HINTS.len()]));
    let _ = webhooks::delivery_keys(data);
    // Nothing that was not signed is ever accepted.
    let headers = std::str::from_utf8(data).unwrap_or("x");
    let verify = |name: &str| webhooks::verify(data, &[(name, headers)], &config().webhooks, now());
    assert!(verify("x-bc-signature").is_err() && verify("webhook-signature").is_err());
    let Ok(text) = std::str::from_utf8(data) else { return };
    for (around, behind) in [
        ("{\"order\":", ",\"products\":[],\"shipments\":[],\"refunds\":[]}"),
        ("{\"order\":{\"id\":1,\"status_id\":11,\"date_created\":\"2026-01-02T03:04:05Z\",\"total_inc_tax\":\"1\",\"default_currency_code\":\"USD\"},\"products\":", "}"),
        ("{\"customer\":", "}"),
        ("{\"product\":", ",\"variants\":[]}"),
        ("{\"cart\":", ",\"abandoned\":true}"),
        ("{\"data\":[", "],\"meta\":{}}"),
        ("{\"scope\":\"store/priceList/records/updated\",\"data\":", "}"),
        ("{\"event\":\"bodl_v1_begin_checkout\",\"payload\":", "}"),
    ] {
        decodes([around, text, behind].concat().as_bytes(), None);
    }
});
