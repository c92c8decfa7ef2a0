//! The samples of BigCommerce: the vendor's documentation examples.

use cartwire::model::{AttributeValue, Body, ConsentStatus, FindingCode, LineKind, Mode};
use cartwire::sources::bigcommerce::{Bigcommerce, Config};
use cartwire::sources::{DecodeContext, Decoded, Source};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{ends, samples_of};

fn decode(raw: &[u8]) -> Decoded {
    let config = json!({"store": "demo", "locale": "en", "currency": "USD", "site_url": "https://shop.example",
                        "attribute_names": {"1": "Points"}, "contact_fields": [{"field": "Points", "type": "integer"}]});
    let source = Bigcommerce::new(serde_json::from_value::<Config>(config).unwrap()).unwrap();
    let mut out = Decoded::default();
    source.decode(raw, &DecodeContext::at("2026-01-12T00:00:00Z".parse().unwrap()), &mut out);
    out
}

fn sample(name: &str) -> Option<Vec<u8>> {
    std::fs::read(samples_of("bigcommerce")?.join(format!("{name}.json"))).ok()
}

fn document(name: &str) -> Option<Value> {
    serde_json::from_slice(&sample(name)?).ok()
}

/// What each sample gives: a word, and how many times in a row.
const EXPECTED: &[(&str, &[(&str, usize)])] = &[
    ("abandoned-cart-by-token", &[("fetch cart abandoned cart", 1)]),
    ("assembled-customer-consent", &[("ignored cookie consent", 1)]),
    ("assembled-order-coupons", &[("fetch order order coupon", 2)]),
    ("assembled-subscribers-page", &[("contact", 4)]),
    ("brands-page", &[("ignored brand", 4)]),
    ("cart-physical-custom-giftcert", &[("cart", 1)]),
    ("cart-redirect-urls", &[("ignored redirect urls", 1)]),
    ("categories-page", &[("category", 6)]),
    ("category-tree-nested", &[("category", 6)]),
    ("channels-page", &[("ignored channel", 3)]),
    ("checkout-coupon-physical-and-digital", &[("cart", 1), ("event", 1)]),
    ("checkout-shipping-selected-with-tax", &[("cart", 1), ("event", 1)]),
    ("currency-v2", &[("ignored currency", 1)]),
    ("customer-form-field-values", &[("ignored form field of an address", 2), ("fetch customer form field value", 13)]),
    ("customer-groups-v2", &[("ignored customer group", 2)]),
    // Three of them have more addresses than they show.
    ("customers-page-includes", &[("contact", 1), ("fetch customer customer with lists that were cut", 3)]),
    ("customers-page-two-addresses", &[("contact", 1)]),
    ("order-consignments-shipping", &[("rejected record.unsupported", 1)]),
    ("order-discount-coupon-fees", &[("fetch order order without its lines", 1)]),
    ("order-product-with-variant", &[("fetch order order product", 1)]),
    ("order-products-options-and-bundle-child", &[("fetch order order product", 2)]),
    ("order-shipments-two-addresses", &[("shipment", 2)]),
    ("order-shipping-addresses", &[("fetch order shipping address", 2)]),
    ("order-statuses", &[("ignored order status", 15)]),
    ("order-taxes", &[("fetch order order tax", 2)]),
    ("orders-page-v2-array", &[("fetch order order without its lines", 1)]),
    ("price-list-records-page", &[("fetch product price list record", 3)]),
    ("product-metafields-page", &[("fetch product metafield", 2)]),
    ("product-one", &[("product", 1)]),
    ("product-variants-page", &[("fetch product variant", 3)]),
    ("products-page-include-variants", &[("product", 2)]),
    ("refund-quote", &[("ignored refund quote", 1)]),
    ("refund-store-credit", &[("fetch order refund", 1)]),
    ("refunds-list-batch-shape", &[("fetch order refund", 2)]),
    ("store-information", &[("ignored store information", 1)]),
    ("transactions-page", &[("fetch order transaction", 1)]),
    ("trees-categories-page", &[("category", 1)]),
    ("webhook-product-updated-locale-override", &[("fetch product store/product/updated", 1)]),
    (
        "webhooks-core",
        &[
            ("product_deleted", 1),
            ("ignored store/cart/deleted", 1),
            ("ignored store/subscriber/deleted", 1),
            ("fetch order store/order/created", 1),
            ("fetch order store/order/updated", 1),
            ("fetch order store/order/statusUpdated", 1),
            ("fetch order store/order/refund/created", 1),
            ("fetch order store/order/archived", 1),
            ("fetch order store/shipment/created", 1),
            ("fetch order store/shipment/updated", 1),
            ("fetch cart store/cart/created", 1),
            ("fetch cart store/cart/updated", 1),
            ("fetch cart store/cart/abandoned", 1),
            ("fetch order store/cart/converted", 1),
            // The file of the deleted customer says `created`.
            ("fetch customer store/customer/created", 2),
            ("fetch customer store/customer/address/update", 1),
            ("fetch subscriber store/subscriber/created", 1),
            ("fetch subscriber store/subscriber/updated", 1),
            ("fetch product store/product/created", 1),
            ("fetch product store/product/updated", 1),
            ("fetch product store/product/inventory/updated", 1),
            ("fetch product store/sku/updated", 1),
            ("fetch product store/sku/inventory/updated", 1),
            ("fetch category store/category/updated", 1),
        ],
    ),
    ("wishlists-page", &[("event", 4), ("ignored wishlist without items", 1)]),
];

#[test]
fn every_sample_ends_as_it_should() {
    let Some(folder) = samples_of("bigcommerce") else { return };
    let mut wrong = Vec::new();
    for (name, expected) in EXPECTED {
        let out = decode(&std::fs::read(folder.join(format!("{name}.json"))).unwrap());
        let expected: Vec<&str> = expected.iter().flat_map(|(word, times)| std::iter::repeat_n(*word, *times)).collect();
        if ends(&out) != expected {
            wrong.push(format!("{name}: {:?} {:?}", ends(&out), out.rejected));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let files = std::fs::read_dir(&folder).unwrap().filter_map(Result::ok);
    let json = files.filter(|file| file.path().extension().is_some_and(|extension| extension == "json")).count();
    assert_eq!(json, EXPECTED.len(), "a sample is not listed here");
}

#[test]
fn the_order_with_discount_coupon_and_fees_closes_with_tax() {
    let Some(order) = document("order-discount-coupon-fees") else { return };
    // Its lines are not published; one that is its subtotal stands for them.
    let line = json!({"id": 1, "product_id": 5, "name": "Goods", "quantity": 4, "type": "physical", "price_ex_tax": "15.6698",
                      "price_inc_tax": "16.9600", "total_ex_tax": "62.6793", "total_inc_tax": "67.8400", "total_tax": "5.1607"});
    let out = decode(json!({"order": order, "products": [line]}).to_string().as_bytes());
    let Body::Order(order) = &out.records[0].record.body else { panic!("not an order") };
    assert!(out.records[0].findings.is_empty(), "{:?}", out.records[0].findings);
    let totals = &order.totals;
    let figures = [totals.subtotal, totals.shipping, totals.discount, totals.tax_added, totals.total].map(|money| money.amount.to_string());
    // Without tax nothing closes: the discounts are with tax. With it 67.84 + 12.00 − 5.00 − 5.00 = 69.84; the fees are beside it.
    assert_eq!(figures, ["67.84", "12.00", "10.00", "0.00", "69.84"]);
    assert_eq!(order.lines.len(), 1);
}

#[test]
fn options_and_a_bundle_child_are_read_with_their_order() {
    let (Some(mut order), Some(products)) = (document("order-discount-coupon-fees"), document("order-products-options-and-bundle-child"))
    else {
        return;
    };
    for (field, value) in
        [("id", json!(149)), ("fees", json!([])), ("coupon_discount", json!("0.0000")), ("discount_amount", json!("1.5900"))]
    {
        order[field] = value;
    }
    for (field, value) in [("shipping_cost_inc_tax", "0.0000"), ("shipping_cost_ex_tax", "0.0000"), ("total_inc_tax", "63.6400")] {
        order[field] = json!(value);
    }
    let out = decode(json!({"order": order, "products": products}).to_string().as_bytes());
    let Body::Order(order) = &out.records[0].record.body else { panic!("not an order") };
    let kinds: Vec<LineKind> = order.lines.iter().map(|line| line.kind).collect();
    assert_eq!(kinds, [LineKind::BundleParent, LineKind::BundleChild]);
    assert_eq!(order.lines[1].parent_id.as_deref(), Some("65"));
    assert_eq!((order.totals.total.amount, order.discounts[0].amount.amount), (Decimal::new(6364, 2), Decimal::new(159, 2)));
    assert_eq!(order.discounts[0].name.as_deref(), Some("Manual Discount"));
}

#[test]
fn a_coupon_over_two_lines_leaves_what_the_cart_says() {
    let Some(raw) = sample("checkout-coupon-physical-and-digital") else { return };
    let out = decode(&raw);
    let Body::Cart(cart) = &out.records[0].record.body else { panic!("not a cart") };
    let lines: Vec<String> = cart.lines.iter().map(|line| line.total.amount.to_string()).collect();
    assert_eq!(lines, ["25.60", "28.00"]);
    assert_eq!(cart.totals.total.amount, Decimal::new(5360, 2));
    assert!(out.records[0].findings.is_empty(), "{:?}", out.records[0].findings);
}

#[test]
fn a_checkout_with_shipping_and_tax_closes() {
    let Some(raw) = sample("checkout-shipping-selected-with-tax") else { return };
    let out = decode(&raw);
    let Body::Cart(cart) = &out.records[0].record.body else { panic!("not a cart") };
    // 31.95 + 8.00 + 1.60 of tax; the sale price of the line, with its tax, would not.
    assert_eq!((cart.totals.subtotal.amount, cart.totals.tax_added.amount), (Decimal::new(3195, 2), Decimal::new(160, 2)));
    assert_eq!(cart.totals.total.amount, Decimal::new(4155, 2));
    assert_eq!(cart.shipping[0].method.as_deref(), Some("Ship by Weight"));
    assert!(out.records[0].findings.is_empty(), "{:?}", out.records[0].findings);
}

#[test]
fn only_one_of_four_subscribers_said_nothing_and_two_said_yes() {
    let Some(raw) = sample("assembled-subscribers-page") else { return };
    let of = |body: &Body| match body {
        Body::Contact(contact) => contact.consents[0].status,
        other => panic!("a {}", other.kind()),
    };
    let statuses: Vec<ConsentStatus> = decode(&raw).records.iter().map(|one| of(&one.record.body)).collect();
    assert_eq!(statuses, [ConsentStatus::Unknown, ConsentStatus::Granted, ConsentStatus::Granted, ConsentStatus::Denied]);
}

#[test]
fn customers_keep_their_attributes_and_say_what_was_cut() {
    let Some(raw) = sample("customers-page-includes") else { return };
    let page: serde_json::Value = serde_json::from_slice(&raw).unwrap();
    let customer = &page["data"][0];
    // As it is read by its id: with lists of its own, here still three of eight addresses.
    let lists = |name: &str| serde_json::json!({"data": customer[name]});
    let whole = serde_json::json!({"customer": customer, "addresses": lists("addresses"), "attributes": lists("attributes")});
    let out = decode(whole.to_string().as_bytes());
    let Body::Contact(contact) = &out.records[0].record.body else { panic!("not a contact") };
    assert_eq!(contact.attributes.get("Points"), Some(&AttributeValue::Integer(52)));
    assert!(contact.consents.is_empty(), "the review mails are no newsletter");
    assert!(out.records[0].findings.iter().any(|finding| finding.code == FindingCode::DocumentIncomplete));
}

#[test]
fn shipments_of_years_ago_are_history() {
    let Some(raw) = sample("order-shipments-two-addresses") else { return };
    let out = decode(&raw);
    assert!(out.records.iter().all(|one| one.record.envelope.mode == Mode::Backfill));
    let Body::Shipment(shipment) = &out.records[0].record.body else { panic!("not a shipment") };
    assert_eq!((shipment.order_id.as_str(), shipment.parcels[0].carrier.as_deref()), ("225", Some("USPS")));
    assert!(shipment.parcels[0].tracking_url.as_deref().is_some_and(|url| url.contains("usps.com")));
}

#[test]
fn what_must_stay_in_the_shop_stays_there() {
    let Some(folder) = samples_of("bigcommerce") else { return };
    for (name, _) in EXPECTED {
        let out = decode(&std::fs::read(folder.join(format!("{name}.json"))).unwrap());
        let text = serde_json::to_string(&out.records).unwrap();
        for secret in
            ["Warehouse", "192.0.2.10", "02d55481-13eb-4d1e-9d79-9062b518570d", "1eed6d2d979776ff18e695ceeb10ea61", "Happy Birthday Jane"]
        {
            assert!(!text.contains(secret), "{name} lets {secret} out");
        }
    }
}

#[test]
fn every_sample_cut_anywhere_is_never_silent_and_never_panics() {
    let Some(folder) = samples_of("bigcommerce") else { return };
    for (name, _) in EXPECTED {
        let raw = std::fs::read(folder.join(format!("{name}.json"))).unwrap();
        let raw = raw.trim_ascii_end();
        let step = raw.len() / 60 + 1;
        for cut in (1..raw.len()).step_by(step) {
            let out = decode(&raw[..cut]);
            assert!(!out.rejected.is_empty(), "{name} cut at {cut}");
            let codes = out.rejected.iter().flat_map(|one| &one.findings).map(|finding| finding.code);
            let cut_code = [FindingCode::RecordTruncated, FindingCode::RecordUnsupported, FindingCode::RecordInvalidUtf8];
            assert!(codes.clone().all(|code| cut_code.contains(&code)), "{name} cut at {cut}: {:?}", out.rejected);
        }
    }
}
