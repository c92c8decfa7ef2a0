//! Orders as BigCommerce serves them, put together from their parts, with the fields that its documents list: about 8 kB
//! with two lines, most of which nobody asked for.
//! <https://developer.bigcommerce.com/docs/rest-management/orders>

use serde_json::{Value, json};

/// Order number `number`, with two lines, an address, a parcel every third time and a refund every seventh.
pub fn order(number: usize) -> Value {
    let id = 4_000 + number;
    let quantities = [1 + number % 3, 1 + number % 2];
    let prices = [1_990 + (number % 50) * 100, 4_950 + (number % 30) * 50];
    let cents = |cents: usize| format!("{}.{:02}00", cents / 100, cents % 100);
    let sums: Vec<usize> = quantities.iter().zip(prices).map(|(units, price)| units * price).collect();
    let total = sums.iter().sum::<usize>() + 490;
    let address = json!({
        "first_name": "Mara", "last_name": "Vance", "company": "", "street_1": format!("{} Mill Lane", number % 90), "street_2": "",
        "city": "Boise", "state": "Idaho", "zip": "83702", "country": "United States", "country_iso2": "US", "phone": "208-555-0142",
        "email": format!("mara.{number}@example.com"), "form_fields": [],
    });
    let links = |what: &str| json!({ "url": format!("https://api.example/stores/fernweh/v2/orders/{id}/{what}"), "resource": format!("/orders/{id}/{what}") });
    let zero = "0.0000";
    let mut order = json!({
        "id": id, "customer_id": number % 400, "date_created": "Sun, 01 Mar 2026 14:02:11 +0000",
        "date_modified": "Mon, 02 Mar 2026 08:30:02 +0000", "date_shipped": "", "status_id": 11, "status": "Awaiting Fulfillment",
        "custom_status": "Awaiting Fulfillment", "subtotal_ex_tax": cents(total - 490), "subtotal_inc_tax": cents(total - 490), "subtotal_tax": zero,
        "base_shipping_cost": "4.9000", "shipping_cost_ex_tax": "4.9000", "shipping_cost_inc_tax": "4.9000", "shipping_cost_tax": zero,
        "shipping_cost_tax_class_id": 2, "total_ex_tax": cents(total), "total_inc_tax": cents(total), "total_tax": zero,
        "is_tax_inclusive_pricing": true, "items_total": quantities.iter().sum::<usize>(), "items_shipped": 0, "payment_method": "Credit Card",
        "payment_provider_id": "", "payment_status": "captured", "refunded_amount": zero, "order_is_digital": false,
        "store_credit_amount": zero, "gift_certificate_amount": zero, "ip_address": "192.0.2.7", "ip_address_v6": "", "geoip_country": "United States",
        "geoip_country_iso2": "US", "staff_notes": "", "customer_message": "please ring twice", "discount_amount": zero, "coupon_discount": zero,
        "shipping_address_count": 1, "currency_id": 1, "currency_code": "USD", "currency_exchange_rate": "1.0000000000",
        "default_currency_id": 1, "default_currency_code": "USD", "store_default_currency_code": "USD",
        "store_default_to_transactional_exchange_rate": "1.0000000000", "cart_id": format!("1c8a4a0e-1111-4222-8333-{number:012}"),
        "billing_address": address, "is_email_opt_in": false, "credit_card_type": null, "order_source": "www", "channel_id": 1,
        "external_source": null, "external_id": null, "external_merchant_id": null, "tax_provider_id": "BasicTaxProvider", "is_deleted": false,
        "customer_locale": "en", "ebay_order_id": "0", "products": links("products"), "shipping_addresses": links("shipping_addresses"),
        "coupons": links("coupons"),
    });
    if let Some(fields) = order.as_object_mut() {
        for cost in ["handling", "wrapping"] {
            fields.insert(format!("base_{cost}_cost"), json!(zero));
            for side in ["ex_tax", "inc_tax", "tax"] {
                fields.insert(format!("{cost}_cost_{side}"), json!(zero));
            }
            fields.insert(format!("{cost}_cost_tax_class_id"), json!(0));
        }
    }
    let line = |at: usize| {
        let (price, sum) = (cents(prices[at]), cents(sums[at]));
        json!({
            "id": id * 10 + at, "order_id": id, "product_id": 500 + at, "variant_id": 700 + at, "order_pickup_method_id": 0, "order_address_id": 31,
            "name": "Cast iron pan with a lid", "name_customer": "Cast iron pan with a lid", "name_merchant": "Cast iron pan with a lid",
            "sku": format!("PAN-{}", number % 40), "upc": "", "type": "physical", "base_price": price, "price_ex_tax": price,
            "price_inc_tax": price, "price_tax": zero, "base_total": sum, "total_ex_tax": sum, "total_inc_tax": sum, "total_tax": zero,
            "weight": "4.2000", "width": "26.0000", "height": "9.0000", "depth": "26.0000", "quantity": quantities[at], "base_cost_price": "9.0000",
            "cost_price_inc_tax": "9.0000", "cost_price_ex_tax": "9.0000", "cost_price_tax": zero, "is_refunded": false, "quantity_refunded": 0,
            "refund_amount": zero, "return_id": 0, "wrapping_id": 0, "wrapping_name": "", "base_wrapping_cost": zero,
            "wrapping_cost_ex_tax": zero, "wrapping_cost_inc_tax": zero, "wrapping_cost_tax": zero, "wrapping_message": "", "quantity_shipped": 0,
            "event_name": null, "event_date": "", "fixed_shipping_cost": zero, "ebay_item_id": "", "ebay_transaction_id": "", "option_set_id": null,
            "parent_order_product_id": null, "is_bundled_product": false, "bin_picking_number": "", "external_id": null, "brand": "Oak & Iron",
            "gift_certificate_id": null, "configurable_fields": [], "applied_discounts": [], "discounted_total_inc_tax": sum,
            "product_options": [{
                "id": 9, "option_id": 26, "order_product_id": id * 10 + at, "product_option_id": 112, "display_name": "Size",
                "display_name_customer": "Size", "display_name_merchant": "Size", "display_value": "26 cm", "display_value_customer": "26 cm",
                "display_value_merchant": "26 cm", "value": "101", "type": "Multiple choice", "name": "size-pan", "display_style": "Rectangle",
            }],
        })
    };
    let parcel = json!({
        "id": 60, "order_id": id, "customer_id": number % 400, "order_address_id": 31, "date_created": "Mon, 02 Mar 2026 07:30:00 +0000",
        "tracking_number": "9400100000000000000000", "merchant_shipping_cost": "4.1000", "shipping_method": "Ground", "comments": "",
        "shipping_provider": "usps", "tracking_carrier": "", "tracking_link": "", "billing_address": address, "shipping_address": address,
        "items": [{ "order_product_id": id * 10, "product_id": 0, "quantity": 1 }],
    });
    let refund = json!({
        "id": 12, "order_id": id, "user_id": 3, "created": "2026-03-02T09:00:00+00:00", "reason": "", "total_amount": 1, "total_tax": 0,
        "items": [], "payments": [{ "id": 5, "provider_id": "braintree", "amount": 1, "offline": false, "is_declined": false }],
    });
    let many = |one: Value, some: bool| if some { json!([one]) } else { json!([]) };
    json!({
        "order": order, "products": [line(0), line(1)], "coupons": [], "shipping_addresses": many(address, true),
        "shipments": many(parcel, number.is_multiple_of(3)), "refunds": many(refund, number.is_multiple_of(7)),
    })
}
