//! Recorded and vendor-made payloads, read in place. They are not part of this repository; where they are absent, these
//! tests say so and pass.

#![allow(clippy::unwrap_used, clippy::print_stderr)] // a test says why it fails by failing

use std::path::{Path, PathBuf};

use cartwire::model::{Body, FindingCode, Money, Totals};
use cartwire::sources::commercetools::{Commercetools, Config, wire};
use cartwire::sources::{DecodeContext, Decoded, Source};
use rust_decimal::Decimal;

#[cfg(feature = "source-bigcommerce")]
#[path = "samples/bigcommerce.rs"]
mod bigcommerce;

fn samples() -> Option<PathBuf> {
    samples_of("commercetools")
}

fn samples_of(source: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/samples").join(source);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: no samples at ../shared/samples");
    None
}

fn decode(raw: &[u8]) -> Decoded {
    // What a message only names is asked of its own project, so that is the one that is set.
    let text = String::from_utf8_lossy(raw);
    let named = text.split("\"projectKey\":").nth(1).and_then(|rest| rest.split('"').nth(1));
    let config = Config { project: named.unwrap_or("demo").to_owned(), locale: Some("en".to_owned()), ..Config::default() };
    let source = Commercetools::new(config).unwrap();
    let mut out = Decoded::default();
    source.decode(raw, &DecodeContext::at("2025-06-12T00:00:00Z".parse().unwrap()), &mut out);
    out
}

/// How a document ends: one word per thing that came of it.
fn ends(out: &Decoded) -> Vec<String> {
    let mut ends: Vec<String> = out.records.iter().map(|one| one.record.body.kind().to_owned()).collect();
    ends.extend(out.ignored.iter().map(|one| format!("ignored {}{}", one.what, if one.known { "" } else { "?" })));
    ends.extend(out.fetches.iter().map(|one| format!("fetch {} {}", one.resource.kind, one.reason)));
    ends.extend(out.rejected.iter().map(|one| format!("rejected {}", one.findings[0].code.name())));
    ends
}

#[test]
fn every_sample_ends_as_it_should() {
    let Some(folder) = samples() else { return };
    let expected: &[(&str, &[&str])] = &[
        ("availability-channels-map", &["rejected record.unsupported"]),
        ("cart-custom-fields-localized", &["cart"]),
        ("cart-discount", &["ignored cart-discount"]),
        ("cart-empty-2024", &["cart"]),
        ("cart-multi-currency-jpy-high-precision", &["cart"]),
        ("cart-old-shape-with-taxes", &["cart"]),
        ("cart-split-quantity-stacked-discounts", &["cart"]),
        ("category", &["category"]),
        ("constructed-change-cart-created", &["fetch cart ResourceCreated"]),
        ("constructed-change-customer-deleted-data-erasure", &["contact_deleted"]),
        ("constructed-customer-consent-custom-fields", &["contact"]),
        ("constructed-delivery-customer-deleted", &["contact_deleted"]),
        ("constructed-delivery-delivery-added", &["shipment"]),
        ("constructed-delivery-order-created-payload-not-included", &["fetch order OrderCreated"]),
        ("constructed-delivery-return-info-added", &["return"]),
        ("constructed-envelope-eventbridge", &["event"]),
        ("constructed-envelope-pubsub-push", &["event"]),
        ("customer", &["contact"]),
        ("customer-sign-in-result", &["contact"]),
        ("delivery-cloudevents-product-published", &["product"]),
        ("delivery-message-category-created", &["category"]),
        ("delivery-message-customer-last-name-set", &["fetch customer CustomerLastNameSet"]),
        ("delivery-resource-created", &["fetch product ResourceCreated"]),
        ("delivery-resource-updated", &["fetch product ResourceUpdated"]),
        ("discount-code", &["ignored discount-code"]),
        ("error-409", &["rejected record.unsupported"]),
        ("event-checkout-order-creation-failed", &["ignored CheckoutOrderCreationFailed"]),
        ("inventory-entry", &["fetch sku inventory-entry"]),
        ("line-items-gift-and-product-discount", &["rejected record.unsupported", "rejected record.unsupported"]),
        ("message-customer-created", &["contact", "event"]),
        ("message-order-state-changed", &["event"]),
        ("message-payment-transaction-added-refund", &["ignored PaymentTransactionAdded"]),
        ("message-product-published", &["product"]),
        ("message-product-unpublished", &["product_deleted"]),
        ("message-query-payment-status", &["ignored PaymentStatusInterfaceCodeSet"]),
        ("message-return-info-set", &["return"]),
        ("money-high-precision", &["rejected record.unsupported"]),
        ("order-delivery-parcel", &["order", "shipment"]),
        ("order-external-tax", &["order"]),
        ("order-guest-store-no-tax", &["order"]),
        ("payment-charge-pending", &["ignored payment without refund"]),
        ("product-current-and-staged", &["product"]),
        ("product-page-group-prices", &["product"]),
        ("product-projection", &["product"]),
        ("product-projection-all-attribute-types", &["product"]),
        ("shopping-list", &["event"]),
        ("standalone-price-tiers", &["fetch sku standalone-price"]),
        ("store", &["ignored store"]),
        ("subscription-sqs", &["ignored subscription"]),
        ("variant-modular-catalog", &["fetch product variant"]),
    ];
    let mut wrong = Vec::new();
    for (name, expected) in expected {
        let raw = std::fs::read(folder.join(format!("{name}.json"))).unwrap();
        let out = decode(&raw);
        if ends(&out) != *expected {
            wrong.push(format!("{name}: {:?} {:?}", ends(&out), out.rejected));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let files = std::fs::read_dir(&folder).unwrap().filter_map(Result::ok);
    let json = files.filter(|file| file.path().extension().is_some_and(|extension| extension == "json")).count();
    assert_eq!(json, expected.len(), "a sample is not listed here");
}

/// The types the vendor's own description knows: names of its table from `type` to schema.
#[test]
fn every_message_of_the_vendors_description_is_known_by_name() {
    let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/contracts/commercetools/api.openapi.yaml");
    let Ok(text) = std::fs::read_to_string(contract) else {
        eprintln!("skipped: no description at ../shared/contracts");
        return;
    };
    let kinds = text.lines().filter_map(|line| {
        let (kind, schema) = line.trim().split_once(": ")?;
        let schema = schema.trim_matches(['"', '\'']).strip_prefix("#/components/schemas/")?;
        (schema == format!("{kind}Message")).then_some(kind)
    });
    let kinds: std::collections::BTreeSet<&str> = kinds.collect();
    assert!(kinds.len() > 250, "{} found: is the description written otherwise now?", kinds.len());
    let unknown = kinds.iter().filter(|kind| {
        let message = format!(
            r#"{{"notificationType":"Message","type":"{kind}","id":"m","version":1,"sequenceNumber":1,"resourceVersion":2,
            "resource":{{"typeId":"product","id":"r"}},"createdAt":"2025-06-03T09:00:00.000Z"}}"#
        );
        let out = decode(message.as_bytes());
        !out.rejected.is_empty() || out.ignored.iter().any(|ignored| !ignored.known)
    });
    assert_eq!(unknown.collect::<Vec<_>>(), [&""; 0]);
}

fn total(amounts: impl Iterator<Item = Money>) -> Decimal {
    amounts.map(|money| money.amount).sum()
}

#[test]
fn consistent_samples_close_to_the_minor_unit() {
    let Some(folder) = samples() else { return };
    for name in [
        "cart-custom-fields-localized",
        "cart-empty-2024",
        "cart-multi-currency-jpy-high-precision",
        "cart-old-shape-with-taxes",
        "cart-split-quantity-stacked-discounts",
        "order-external-tax",
        "order-guest-store-no-tax",
    ] {
        let out = decode(&std::fs::read(folder.join(format!("{name}.json"))).unwrap());
        let (lines, shipping, discounts, totals): (_, _, _, &Totals) = match &out.records[0].record.body {
            Body::Cart(cart) => (&cart.lines, &cart.shipping, &cart.discounts, &cart.totals),
            Body::Order(order) => (&order.lines, &order.shipping, &order.discounts, &order.totals),
            other => panic!("{name} is a {}", other.kind()),
        };
        let sum = total(lines.iter().map(|line| line.total)) + total(shipping.iter().map(|one| one.amount)) + totals.tax_added.amount
            - total(discounts.iter().map(|one| one.amount));
        assert_eq!(sum, totals.total.amount, "{name}");
    }
}

#[test]
fn split_quantities_and_stacked_discounts_stay_exact() {
    let Some(folder) = samples() else { return };
    let out = decode(&std::fs::read(folder.join("cart-split-quantity-stacked-discounts.json")).unwrap());
    let Body::Cart(cart) = &out.records[0].record.body else { panic!("not a cart") };
    let line = &cart.lines[0];
    assert_eq!((line.quantity, line.total.amount), (2, Decimal::new(1710, 2)));
    let discounts: Vec<_> = line.discounts.iter().map(|one| one.amount.amount).collect();
    // Unit 1: 1.00 + 0.90 off, unit 2: 0.00 + 1.00 off.
    assert_eq!(discounts, [Decimal::new(100, 2), Decimal::new(190, 2)]);
    assert_eq!(cart.shipping[0].amount.amount, Decimal::new(2700, 2));
    assert_eq!(cart.shipping[0].discounts[0].amount.amount, Decimal::new(300, 2));
    assert_eq!(cart.coupons.len(), 3);
}

#[test]
fn fragments_are_read_through_the_wire_types() {
    let Some(folder) = samples() else { return };
    let lines = std::fs::read_to_string(folder.join("line-items-gift-and-product-discount.json")).unwrap();
    let lines: Vec<wire::LineItem<'_>> = serde_json::from_str(&lines).unwrap();
    assert_eq!(lines[0].line_item_mode.as_deref(), Some("GiftLineItem"));
    assert_eq!((lines[0].total_price.0.amount, lines[1].total_price.0.amount), (Decimal::ZERO, Decimal::new(19900, 2)));
    let channels = std::fs::read_to_string(folder.join("availability-channels-map.json")).unwrap();
    let channels: wire::ChannelAvailability<'_> = serde_json::from_str(&channels).unwrap();
    assert_eq!(channels.0[1].1.available_quantity, Some(12));
    let money = std::fs::read_to_string(folder.join("money-high-precision.json")).unwrap();
    let money: wire::Amount = serde_json::from_str(&money).unwrap();
    assert_eq!(money.0.to_string(), "0.0123456 EUR");
}

#[test]
fn a_product_page_keeps_every_price_and_picks_none_without_a_market() {
    let Some(folder) = samples() else { return };
    let out = decode(&std::fs::read(folder.join("product-page-group-prices.json")).unwrap());
    let Body::Product(product) = &out.records[0].record.body else { panic!("not a product") };
    assert_eq!(product.variants.len(), 1);
    assert!(product.variants[0].price.is_none() && product.variants[0].prices.len() > 5);
    assert_eq!(product.categories[0].path, ["Category 1 Ancestor 1", "Category 1"]);
}

#[test]
fn a_masked_password_never_leaves_the_source() {
    let Some(folder) = samples() else { return };
    for name in ["customer", "customer-sign-in-result", "message-customer-created"] {
        let out = decode(&std::fs::read(folder.join(format!("{name}.json"))).unwrap());
        let text = serde_json::to_string(&out.records).unwrap();
        assert!(!text.contains("****") && !text.contains("password"), "{name}");
    }
}

#[test]
fn every_sample_cut_anywhere_is_never_silent_and_never_panics() {
    let Some(folder) = samples() else { return };
    for file in std::fs::read_dir(folder).unwrap().filter_map(Result::ok) {
        if file.path().extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let raw = std::fs::read(file.path()).unwrap();
        let raw = raw.trim_ascii_end();
        let step = raw.len() / 40 + 1;
        for cut in (1..raw.len()).step_by(step) {
            let out = decode(&raw[..cut]);
            assert!(!out.rejected.is_empty(), "{:?} cut at {cut}", file.file_name());
            let codes = out.rejected.iter().flat_map(|one| &one.findings).map(|finding| finding.code);
            let cut_code = [FindingCode::RecordTruncated, FindingCode::RecordUnsupported, FindingCode::RecordInvalidUtf8];
            assert!(codes.clone().all(|code| cut_code.contains(&code)), "{:?} cut at {cut}: {:?}", file.file_name(), out.rejected);
        }
    }
}
