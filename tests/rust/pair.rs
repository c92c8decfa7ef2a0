//! One purchase told by two shops is one canonical order, down to the cent: what differs is how the shops name things.

#![allow(clippy::unwrap_used)] // a test says why it fails by failing

use cartwire::model::{Body, Order};
use cartwire::sources::{DecodeContext, Decoded, SourceConfig};
use serde_json::{Value, json};

fn order(config: Value, document: &Value) -> Order {
    let source = serde_json::from_value::<SourceConfig>(config).unwrap().open().unwrap();
    let mut out = Decoded::default();
    let context = DecodeContext::at("2026-03-02T10:00:00Z".parse().unwrap());
    source.decode(document.to_string().as_bytes(), &context, &mut out);
    assert!(out.rejected.is_empty(), "{:?}", out.rejected);
    let record = out.records.into_iter().next().unwrap();
    assert!(record.findings.is_empty(), "{:?}", record.findings);
    let Body::Order(order) = record.record.body else { panic!("not an order") };
    order
}

/// The order without the shops' own names for it and its parts: ids, and the merchant's label of a status.
fn nameless(mut order: Order) -> Value {
    order.id.clear();
    order.number = None;
    order.cart_id = None;
    order.workflow_state = None;
    for line in &mut order.lines {
        line.id.clear();
        line.product_id = None;
        line.variant_id = None;
    }
    for address in [&mut order.shipping_address, &mut order.billing_address].into_iter().flatten() {
        address.id = None;
    }
    serde_json::to_value(order).unwrap()
}

struct Purchase {
    included: bool,
    /// Unit price, line total, tax of the line: for two lines, with quantities 2 and 1.
    lines: [[&'static str; 3]; 2],
    shipping: [&'static str; 2],
    discount: &'static str,
    /// Lines, shipping, less the discount, as the prices are.
    before: &'static str,
    total: &'static str,
    tax: &'static str,
    /// The tax of lines and shipping once the discount is off.
    tax_rows: [&'static str; 3],
}

fn cents(text: &str) -> Value {
    let units: i64 = text.replace('.', "").parse().unwrap();
    json!({"type": "centPrecision", "currencyCode": "EUR", "centAmount": units, "fractionDigits": 2})
}

fn commercetools(purchase: &Purchase) -> Order {
    let rate = json!({"name": "VAT", "amount": 0.19, "includedInPrice": purchase.included, "country": "DE"});
    let taxed = |total: &str, tax: &str| {
        let minor = |text: &str| text.replace('.', "").parse::<i64>().unwrap();
        let money = |units: i64| json!({"type": "centPrecision", "currencyCode": "EUR", "centAmount": units, "fractionDigits": 2});
        let (total, tax) = (minor(total), minor(tax));
        let (net, gross) = if purchase.included { (total - tax, total) } else { (total, total + tax) };
        json!({"totalNet": money(net), "totalGross": money(gross), "totalTax": money(tax)})
    };
    let line = |index: usize, name: &str, sku: &str, quantity: i64| {
        let [unit, total, tax] = purchase.lines[index];
        json!({
            "id": format!("l{index}"), "productId": format!("p{index}"), "name": {"de": name}, "variant": {"id": 1, "sku": sku},
            "price": {"value": cents(unit)}, "quantity": quantity, "totalPrice": cents(total), "taxRate": rate,
            "taxedPrice": taxed(total, tax), "lineItemMode": "Standard"
        })
    };
    let address = |street: &str| {
        json!({"firstName": "Mara", "lastName": "Vance", "streetName": street, "postalCode": "50667", "city": "Köln", "country": "DE",
               "phone": "0221 5550142", "email": "mara@example.com"})
    };
    let (net, gross) = {
        let minor = |text: &str| text.replace('.', "").parse::<i64>().unwrap();
        (minor(purchase.total) - minor(purchase.tax), minor(purchase.total))
    };
    let money = |units: i64| json!({"type": "centPrecision", "currencyCode": "EUR", "centAmount": units, "fractionDigits": 2});
    let document = json!({
        "type": "Order", "id": "7f3a", "version": 3, "orderNumber": "A-1", "createdAt": "2026-03-01T14:02:11.000Z",
        "lastModifiedAt": "2026-03-01T14:02:40.000Z", "customerEmail": "mara@example.com", "locale": "de",
        "orderState": "Confirmed", "paymentState": "Paid", "shipmentState": "Pending",
        "lineItems": [line(0, "Pfanne", "PAN-26", 2), line(1, "Brett", "BOARD-L", 1)], "customLineItems": [],
        "shippingInfo": {"shippingMethodName": "Paket", "price": cents(purchase.shipping[0]), "taxRate": rate,
                         "taxedPrice": taxed(purchase.shipping[0], purchase.shipping[1])},
        "discountOnTotalPrice": {"discountedAmount": cents(purchase.discount), "includedDiscounts": []},
        "totalPrice": cents(purchase.before),
        "taxedPrice": {"totalNet": money(net), "totalGross": money(gross), "totalTax": cents(purchase.tax),
                       "taxPortions": [{"rate": 0.19, "name": "VAT", "amount": cents(purchase.tax)}]},
        "shippingAddress": address("Hafenstraße 7"), "billingAddress": address("Mühlweg 12"),
        "paymentInfo": {"payments": [{"typeId": "payment", "id": "pay", "obj": {"id": "pay", "paymentMethodInfo": {"method": "Credit Card"}, "transactions": []}}]}
    });
    order(json!({"type": "commercetools", "project": "demo", "locale": "de"}), &document)
}

fn bigcommerce(purchase: &Purchase) -> Order {
    let dec = |text: &str| text.parse::<rust_decimal::Decimal>().unwrap();
    // An amount without and with tax, four digits as the platform writes them.
    let both = |amount: &str, tax: rust_decimal::Decimal| {
        let (ex, inc) = if purchase.included { (dec(amount) - tax, dec(amount)) } else { (dec(amount), dec(amount) + tax) };
        (format!("{ex:.4}"), format!("{inc:.4}"))
    };
    let line = |index: usize, name: &str, sku: &str, quantity: i64| {
        let [unit, total, tax] = purchase.lines[index];
        let (unit_ex, unit_inc) = both(unit, dec(tax) / rust_decimal::Decimal::from(quantity));
        let (total_ex, total_inc) = both(total, dec(tax));
        json!({
            "id": index + 1, "order_id": 4101, "product_id": 501 + index, "variant_id": 701 + index, "name": name, "sku": sku,
            "type": "physical", "price_ex_tax": unit_ex, "price_inc_tax": unit_inc, "total_ex_tax": total_ex, "total_inc_tax": total_inc,
            "total_tax": format!("{:.4}", dec(tax)), "quantity": quantity, "quantity_shipped": 0, "parent_order_product_id": null,
            "applied_discounts": [], "product_options": []
        })
    };
    let address = |street: &str| {
        json!({"first_name": "Mara", "last_name": "Vance", "company": "", "street_1": street, "street_2": "", "city": "Köln", "state": "",
               "zip": "50667", "country": "Germany", "country_iso2": "DE", "phone": "0221 5550142", "email": "mara@example.com"})
    };
    let (shipping_ex, shipping_inc) = both(purchase.shipping[0], dec(purchase.shipping[1]));
    let mut ship_to = address("Hafenstraße 7");
    ship_to["id"] = json!(31);
    ship_to["shipping_method"] = json!("Paket");
    ship_to["cost_ex_tax"] = json!(shipping_ex);
    ship_to["cost_inc_tax"] = json!(shipping_inc);
    ship_to["cost_tax"] = json!(purchase.shipping[1]);
    let tax = |index: usize, of: &str, product: &str| {
        json!({"order_id": 4101, "name": "VAT", "rate": "19.0000", "line_amount": format!("{}00", purchase.tax_rows[index]),
               "order_product_id": product, "line_item_type": of})
    };
    let document = json!({
        "order": {
            "id": 4101, "customer_id": 0, "date_created": "Sun, 01 Mar 2026 14:02:11 +0000",
            "date_modified": "Sun, 01 Mar 2026 14:02:40 +0000", "status_id": 11, "payment_status": "captured",
            "shipping_cost_ex_tax": shipping_ex, "shipping_cost_inc_tax": shipping_inc, "shipping_cost_tax": purchase.shipping[1],
            "total_inc_tax": format!("{}00", purchase.total), "total_tax": format!("{}00", purchase.tax),
            "is_tax_inclusive_pricing": purchase.included, "discount_amount": format!("{}00", purchase.discount),
            "coupon_discount": "0.0000", "payment_method": "Credit Card", "currency_code": "USD", "default_currency_code": "EUR",
            "customer_locale": "de", "billing_address": address("Mühlweg 12")
        },
        "products": [line(0, "Pfanne", "PAN-26", 2), line(1, "Brett", "BOARD-L", 1)],
        "coupons": [], "shipping_addresses": [ship_to],
        "taxes": [tax(0, "item", "1"), tax(1, "item", "2"), tax(2, "shipping", "")]
    });
    order(json!({"type": "bigcommerce", "store": "demo", "locale": "de"}), &document)
}

#[test]
fn with_tax_in_the_prices_two_shops_tell_of_one_purchase() {
    let purchase = Purchase {
        included: true,
        lines: [["59.50", "119.00", "19.00"], ["23.80", "23.80", "3.80"]],
        shipping: ["5.95", "0.95"],
        discount: "10.00",
        before: "138.75",
        total: "138.75",
        tax: "22.15",
        tax_rows: ["17.52", "3.68", "0.95"],
    };
    let (one, other) = (commercetools(&purchase), bigcommerce(&purchase));
    assert_eq!(one.totals.total.to_string(), "138.75 EUR");
    assert_eq!(one.totals.tax_added.to_string(), "0.00 EUR");
    assert_eq!(nameless(one), nameless(other));
}

#[test]
fn with_tax_on_top_two_shops_tell_of_one_purchase() {
    let purchase = Purchase {
        included: false,
        lines: [["50.00", "100.00", "19.00"], ["20.00", "20.00", "3.80"]],
        shipping: ["5.00", "0.95"],
        discount: "10.00",
        before: "115.00",
        total: "136.85",
        tax: "21.85",
        tax_rows: ["17.42", "3.48", "0.95"],
    };
    let (one, other) = (commercetools(&purchase), bigcommerce(&purchase));
    assert_eq!(one.totals.total.to_string(), "136.85 EUR");
    assert_eq!(one.totals.tax_added.to_string(), "21.85 EUR");
    assert_eq!(nameless(one), nameless(other));
}
