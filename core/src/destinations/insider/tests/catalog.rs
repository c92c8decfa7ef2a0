//! Products.

use super::*;
use crate::model::SkipReason;

#[test]
fn a_variant_is_a_record_of_its_locale() {
    let record = record(product(json!({ "variants": [product(json!({}))["variants"][0]] })), json!({}));
    let insider = open(json!({}));
    let operations = ops(&insider, &record);
    let request = insider.request(&[&operations[0]]).unwrap();
    assert_eq!(call(&request), "POST /v2/ingest");
    assert_eq!(insider.base_url_of(&request), "https://catalog.api.useinsider.com");
    assert_eq!(request.secret_headers[0].1.expose(), "catalog-key");
    assert_eq!(
        parsed(&request),
        json!([{ "item_id": "TEE-S", "locale": "de_DE", "name": "Black tee", "url": "https://shop.example.com/tee",
            "image_url": "https://img.example.com/881.jpg", "description": "Soft.", "brand": "Nord", "sku": "TEE-S", "groupcode": "prod-881",
            "size": "S", "category": ["Tops", "Tees"], "is_status_passive": 0, "rating": 4.5, "price": { "EUR": 15.0 },
            "original_price": { "EUR": 19.5 }, "in_stock": 1, "stock_count": 42 }])
    );
}

#[test]
fn items_are_called_the_same_in_the_catalog_and_in_events() {
    for (setting, item) in [("sku", "TEE-M"), ("variant", "prod-881-2"), ("product", "prod-881")] {
        let insider = open(json!({ "item_id": setting }));
        let in_catalog: Vec<String> = ops(&insider, &record(product(json!({})), json!({})))
            .iter()
            .map(|operation| parsed(&insider.request(&[operation]).unwrap())[0]["item_id"].as_str().unwrap().to_owned())
            .collect();
        assert!(in_catalog.iter().any(|id| id == item), "{setting}: {in_catalog:?}");
        let body = only(&insider, &record(order(json!({})), json!({})));
        assert_eq!(body["users"][0]["events"][0]["event_params"]["product_id"], item, "{setting}");
    }
}

#[test]
fn a_request_holds_one_locale() {
    let insider = open(json!({ "catalog": { "locales": { "fr": "fr_FR" } } }));
    let german = ops(&insider, &record(product(json!({})), json!({})));
    let french = ops(&insider, &record(product(json!({})), json!({ "market": { "locale": "fr" } })));
    assert!(insider.request(&[&german[0], &german[1]]).is_ok());
    assert!(insider.request(&[&german[0], &french[0]]).is_err());
    assert_eq!(parsed(&insider.request(&[&french[0]]).unwrap())[0]["locale"], "fr_FR");
    let stores = open(json!({ "catalog": { "stores": true } }));
    let store = ops(&stores, &record(product(json!({})), json!({ "market": { "locale": "de-DE", "store": "berlin" } })));
    assert_eq!(parsed(&stores.request(&[&store[0]]).unwrap())[0]["locale"], "de_DE:berlin");
}

#[test]
fn what_cannot_be_an_item_is_skipped_with_a_reason() {
    let why = |settings: Value, body: Value, envelope: Value| {
        let built = open(settings).build(&record(body, envelope));
        assert!(built.operations.is_empty());
        built.skipped[0].reason
    };
    assert_eq!(why(json!({ "catalog_token": null }), product(json!({})), json!({})), SkipReason::NotConfigured);
    assert_eq!(why(json!({}), product(json!({})), json!({ "market": { "locale": "de" } })), SkipReason::NotConfigured);
    assert_eq!(why(json!({}), product(json!({})), json!({ "mode": "backfill" })), SkipReason::BackfillQuiet);
    assert_eq!(why(json!({}), product(json!({ "url": null })), json!({})), SkipReason::NotSupported);
    assert_eq!(why(json!({}), product(json!({ "variants": [] })), json!({})), SkipReason::NotSupported);
    assert_eq!(why(json!({}), json!({ "type": "category", "id": "tees" }), json!({})), SkipReason::NotSupported);
    assert_eq!(ops(&open(json!({ "backfill_catalog": "send" })), &record(product(json!({})), json!({ "mode": "backfill" }))).len(), 2);
}

#[test]
fn an_update_holds_only_what_changed_and_both_prices() {
    let insider = open(json!({ "catalog": { "write": "update" } }));
    let operation = ops(&insider, &record(product(json!({})), json!({}))).remove(0);
    assert_eq!(operation.delta.as_deref(), Some("/fields"));
    let request = insider.request(&[&operation]).unwrap();
    assert_eq!(call(&request), "POST /v2/update");
    let changed = Operation {
        body: br#"{"item_id":"TEE-S","locale":"de_DE","fields":{"prices":{"price":{"EUR":9.0},"original_price":{"EUR":19.5}}}}"#.to_vec(),
        ..operation
    };
    assert_eq!(
        parsed(&insider.request(&[&changed]).unwrap()),
        json!([{ "item_id": "TEE-S", "locale": "de_DE", "price": { "EUR": 9.0 }, "original_price": { "EUR": 19.5 } }])
    );
}

#[test]
fn further_currencies_and_attributes_are_asked_for_by_name() {
    let prices = json!([
        { "list": money("19.50") },
        { "list": { "amount": "22", "currency": "CHF" }, "customer_group": "vip" },
        { "list": { "amount": "21", "currency": "CHF" } },
    ]);
    let variant = json!({ "id": "1", "sku": "TEE-S", "price": { "list": money("19.50") }, "prices": prices,
        "images": [{ "url": "https://img.example.com/881.jpg" }],
        "attributes": { "material": { "type": "text", "value": "cotton" }, "cut": { "type": "text", "value": "slim" } } });
    let insider = open(json!({ "catalog": { "currencies": ["CHF"], "attributes": ["material"] } }));
    let item = &only(&insider, &record(product(json!({ "variants": [variant] })), json!({})))[0];
    assert_eq!(item["price"], json!({ "EUR": 19.5, "CHF": 21.0 }));
    assert_eq!(item["product_attributes"], json!({ "material": "cotton" }));
}

#[test]
fn what_is_gone_is_hidden_in_every_locale() {
    let insider = open(json!({ "catalog": { "locales": { "fr": "fr_FR" } } }));
    let gone = record(json!({ "type": "product_deleted", "id": "prod-881", "variants": [{ "id": "1", "sku": "TEE-S" }] }), json!({}));
    let operations = ops(&insider, &gone);
    let bodies: Vec<Value> = operations.iter().map(|operation| parsed(&insider.request(&[operation]).unwrap())[0].clone()).collect();
    let hidden = |locale: &str| json!({ "item_id": "TEE-S", "locale": locale, "in_stock": 0, "stock_count": 0, "is_status_passive": 1 });
    assert_eq!(bodies, [hidden("de_DE"), hidden("fr_FR")]);
    assert_eq!(operations[0].supersedes, ["item:de_DE:TEE-S"]);
    let unknown = record(json!({ "type": "product_deleted", "id": "prod-881" }), json!({}));
    assert_eq!(insider.build(&unknown).skipped[0].reason, SkipReason::NotSupported);
    assert_eq!(ops(&open(json!({ "item_id": "product" })), &unknown).len(), 1);
}

#[test]
fn long_texts_are_cut_and_told() {
    let insider = open(json!({}));
    let record = record(product(json!({ "description": "ä".repeat(1_025) })), json!({}));
    let built = insider.build(&record);
    assert_eq!(built.findings[0].pointer, "/body/description");
    let body = parsed(&insider.request(&[&built.operations[0]]).unwrap());
    assert_eq!(body[0]["description"].as_str().unwrap().chars().count(), 1_024);
}
