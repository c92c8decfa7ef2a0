//! Orders and their parts, as the second generation of the API writes them.
//! <https://developer.bigcommerce.com/docs/rest-management/orders>

use serde_json::{Map, Value, json};

use super::store::country;
use super::story::{INCOMPLETE, Story};
use super::sums::{Line, Pair, Sold, Sums, currency_id, number, sku_of, text};
use super::{FIRST_ORDER, Shop, product_id, put, variant_id};
use crate::shop::{CART, CUSTOMER, FIRST, LAST, THINGS, mix, pick, uuid};

/// Text of a status, which merchants rename at will.
pub(super) const STATUSES: [&str; 15] = [
    "Incomplete",
    "Pending",
    "Shipped",
    "Partially Shipped",
    "Refunded",
    "Cancelled",
    "Declined",
    "Awaiting Payment",
    "Awaiting Pickup",
    "Awaiting Shipment",
    "Completed",
    "Awaiting Fulfillment",
    "Manual Verification Required",
    "Disputed",
    "Partially Refunded",
];

/// One order: its number, what it comes to, and what has happened to it.
pub(super) struct Order<'a> {
    pub(super) shop: &'a Shop,
    pub(super) number: u64,
    pub(super) sums: Sums,
    pub(super) story: Story,
    pub(super) changed_s: i64,
}

pub(super) fn rfc2822(seconds: i64) -> String {
    chrono::DateTime::from_timestamp(seconds, 0).map(|time| time.format("%a, %d %b %Y %H:%M:%S +0000").to_string()).unwrap_or_default()
}

/// The four amounts of a cost, under the platform's names for it.
fn costs(into: &mut Map<String, Value>, name: &str, cost: Pair, included: bool, write: fn(i64) -> Value) {
    let base = if included { cost.inc } else { cost.ex };
    let mut put = |key: String, value: Value| into.insert(key, value);
    put(format!("base_{name}cost"), write(base));
    put(format!("{name}cost_ex_tax"), write(cost.ex));
    put(format!("{name}cost_inc_tax"), write(cost.inc));
    put(format!("{name}cost_tax"), write(cost.tax()));
}

fn quoted(amount: i64) -> Value {
    text(amount).into()
}

impl Order<'_> {
    pub(super) fn id(&self) -> u64 {
        FIRST_ORDER + self.number
    }

    fn address_id(&self) -> u64 {
        self.number + 1
    }

    /// The id of a line; shipments and refunds name it.
    pub(super) fn line_id(&self, line: usize) -> u64 {
        self.number * 8 + line as u64 + 1
    }

    pub(super) fn customer_id(&self) -> u64 {
        self.sums.customer.map_or(0, super::customer_id)
    }

    fn units(&self, of: impl Fn(&Line) -> bool) -> i64 {
        self.sums.lines.iter().filter(|line| of(line)).map(|line| line.quantity).sum()
    }

    fn address(&self) -> Value {
        let (n, market) = (mix(self.shop.made.seed, CUSTOMER, self.sums.person, 2), self.sums.market);
        json!({
            "first_name": pick(FIRST, n), "last_name": pick(LAST, n >> 16), "company": "",
            "street_1": format!("{} Long Street", 1 + n % 120), "street_2": "", "city": market.city, "state": market.city,
            "zip": format!("{:05}", n % 99_999), "country": country(market), "country_iso2": market.country,
            "phone": format!("{}{:04}", market.phone, n % 10_000), "email": self.shop.made.email(self.sums.person),
        })
    }

    fn link(&self, part: &str) -> Value {
        let resource = format!("/orders/{}/{part}", self.id());
        json!({"url": format!("https://api.bigcommerce.com/stores/{}/v2{resource}", self.shop.store), "resource": resource})
    }

    /// The order itself; consignments and fees stand in it where asked for.
    pub(super) fn json(&self, include: &dyn Fn(&str) -> bool) -> Value {
        let (sums, story, market) = (&self.sums, &self.story, self.sums.market);
        let status = STATUSES[usize::from(story.status) % STATUSES.len()];
        let all_shipped = self.units(Line::ships) > 0 && story.items_shipped() >= self.units(Line::ships);
        let shipped = story.parcels.last().filter(|_| all_shipped);
        // Every ninth shopper was shown another currency than the one they paid in.
        let shown = if self.number % 9 == 8 { self.shop.home() } else { market };
        let mut bill = self.address();
        bill["form_fields"] =
            if self.number.is_multiple_of(7) { json!([{"name": "Delivery window", "value": "Evening"}]) } else { json!([]) };
        let mut order = json!({
            "id": self.id(), "customer_id": self.customer_id(),
            "date_created": rfc2822(story.placed_ms / 1_000), "date_modified": rfc2822(self.changed_s),
            "date_shipped": shipped.map(|parcel| rfc2822(parcel.at_ms / 1_000)).unwrap_or_default(),
            "status_id": story.status, "status": status, "custom_status": status,
            "subtotal_ex_tax": text(sums.subtotal.ex), "subtotal_inc_tax": text(sums.subtotal.inc), "subtotal_tax": text(sums.subtotal.tax()),
            "shipping_cost_tax_class_id": 2, "handling_cost_tax_class_id": 2, "wrapping_cost_tax_class_id": 3,
            "total_ex_tax": text(sums.total.ex), "total_inc_tax": text(sums.total.inc), "total_tax": text(sums.total.tax()),
            "is_tax_inclusive_pricing": market.included,
            "items_total": self.units(|line| !matches!(line.sold, Sold::Part { .. })), "items_shipped": story.items_shipped(),
            "payment_method": if self.number.is_multiple_of(3) { "PayPal" } else { "Credit Card" },
            "payment_provider_id": "", "payment_status": story.payment,
            "refunded_amount": "0.0000", "order_is_digital": self.units(Line::ships) == 0, "store_credit_amount": "0.0000",
            "gift_certificate_amount": text(sums.certificate),
        });
        let more = json!({
            "ip_address": "192.0.2.10", "ip_address_v6": "", "geoip_country": country(market), "geoip_country_iso2": market.country,
            "currency_id": currency_id(shown), "currency_code": shown.currency, "currency_exchange_rate": "1.0000000000",
            "default_currency_id": currency_id(market), "default_currency_code": market.currency,
            "store_default_currency_code": self.shop.home().currency, "store_default_to_transactional_exchange_rate": "1.0000000000",
            "staff_notes": "Rang twice.", "customer_message": "", "discount_amount": text(sums.discount), "coupon_discount": text(sums.coupon),
            "shipping_address_count": 1, "is_deleted": story.archived, "ebay_order_id": "0",
            "cart_id": uuid(self.shop.made.seed, CART, CONVERTED + self.number),
            "billing_address": bill, "is_email_opt_in": self.number.is_multiple_of(4), "credit_card_type": null,
            "order_source": if self.number % 8 == 5 { "manual" } else { "www" }, "channel_id": self.channel(),
            "external_source": null, "external_id": null, "external_merchant_id": null, "external_order_id": "",
            "tax_provider_id": "BasicTaxProvider", "customer_locale": &market.locale[..2],
            "products": self.link("products"), "shipping_addresses": self.link("shippingaddresses"), "coupons": self.link("coupons"),
            "consignments": self.link("consignments"), "fees": self.link("fees"),
        });
        put(&mut order, more.as_object());
        if let Some(into) = order.as_object_mut() {
            for (name, cost) in [("shipping_", sums.shipping), ("handling_", Pair::default()), ("wrapping_", sums.wrapping)] {
                costs(into, name, cost, market.included, quoted);
            }
            if include("fees") {
                into.insert("fees".to_owned(), self.fees());
            }
            if include("consignments") || include("consignments.line_items") {
                into.insert("consignments".to_owned(), self.consignments(include("consignments.line_items")));
            }
        }
        put(&mut order, Some(&story.fields));
        order
    }

    pub(super) fn channel(&self) -> u64 {
        if self.number % 7 == 6 { 2 } else { 1 }
    }

    pub(super) fn products(&self) -> Vec<Value> {
        (0..self.sums.lines.len()).map(|line| self.product(line)).collect()
    }

    /// The line at that place.
    pub(super) fn product(&self, place: usize) -> Value {
        let line = &self.sums.lines[place];
        let market = self.sums.market;
        let (product, variant) = match line.sold {
            Sold::Variant { product, variant } => (Some(product), variant_id(product, variant)),
            Sold::Part { product } => (Some(product), variant_id(product, 0)),
            Sold::GiftCertificate | Sold::Custom => (None, 0),
        };
        let name = match (line.sold, product) {
            (_, Some(product)) => format!("{} No. {product}", pick(THINGS, product).0),
            (Sold::GiftCertificate, _) => "Gift Certificate".to_owned(),
            _ => "Repair".to_owned(),
        };
        let offs: Vec<Value> = line
            .offs
            .iter()
            .map(|off| match off.coupon {
                true => json!({"id": "coupon", "amount": text(off.amount), "name": "5% off", "code": "WELCOME5", "target": "order"}),
                false => json!({"id": "10", "amount": text(off.amount), "name": "Ten off", "code": null, "target": "order"}),
            })
            .collect();
        let base = |pair: Pair| text(if market.included { pair.inc } else { pair.ex });
        let bundle = self.sums.lines.iter().any(|line| matches!(line.sold, Sold::Part { .. }));
        let parent = matches!(line.sold, Sold::Part { .. }).then(|| self.line_id(0));
        let options: Vec<Value> = match line.sold {
            Sold::Variant { product, variant } if super::sums::variants(self.shop.made.seed, product) > 1 => {
                let (colour, _) = super::catalog::colour(product, variant);
                vec![json!({"id": self.line_id(place), "option_id": 21, "order_product_id": self.line_id(place), "product_option_id": 21,
                    "display_name": "Colour", "display_name_customer": "Colour", "display_name_merchant": "Colour",
                    "display_value": colour, "display_value_customer": colour, "display_value_merchant": colour,
                    "value": format!("{}", 100 + variant), "type": "Swatch", "name": "Colour", "display_style": ""})]
            }
            _ => Vec::new(),
        };
        let mut row = json!({
            "id": self.line_id(place), "order_id": self.id(), "product_id": product.map_or(0, product_id), "variant_id": variant,
            "order_pickup_method_id": 0, "order_address_id": if line.ships() { self.address_id() } else { 0 },
            "name": name, "name_customer": name, "name_merchant": name, "sku": sku_of(line.sold), "upc": "",
            "type": if line.sold == Sold::GiftCertificate { "giftcertificate" } else { "physical" },
            "base_price": base(line.unit), "price_ex_tax": text(line.unit.ex), "price_inc_tax": text(line.unit.inc), "price_tax": text(line.unit.tax()),
            "base_total": base(line.total), "total_ex_tax": text(line.total.ex), "total_inc_tax": text(line.total.inc), "total_tax": text(line.total.tax()),
            "discounted_total_inc_tax": text(line.paid()), "applied_discounts": offs,
            "quantity": line.quantity,
        });
        let more = json!({
            "weight": "1.0000", "width": "0.0000", "height": "0.0000", "depth": "0.0000", "base_cost_price": "3.0000", "cost_price_inc_tax": "3.0000", "cost_price_ex_tax": "3.0000", "cost_price_tax": "0.0000",
            "is_refunded": self.story.refunded(place) >= line.quantity, "quantity_refunded": self.story.refunded(place), "refund_amount": "0.0000",
            "return_id": 0, "wrapping_id": u8::from(line.wrapping.inc > 0), "wrapping_name": if line.wrapping.inc > 0 { "Paper" } else { "" },
            "base_wrapping_cost": base(line.wrapping), "wrapping_cost_ex_tax": text(line.wrapping.ex), "wrapping_cost_inc_tax": text(line.wrapping.inc),
            "wrapping_cost_tax": text(line.wrapping.tax()), "wrapping_message": "",
            "quantity_shipped": self.story.shipped(place), "event_name": null, "event_date": null, "fixed_shipping_cost": "0.0000",
            "ebay_item_id": "", "ebay_transaction_id": "", "option_set_id": null, "parent_order_product_id": parent,
            "is_bundled_product": parent.is_some() || (bundle && place == 0), "bin_picking_number": "", "external_id": null,
            "brand": if product.is_some() { "Fernweh" } else { "" }, "product_options": options, "configurable_fields": [],
            "gift_certificate_id": (line.sold == Sold::GiftCertificate).then_some(self.number + 1),
        });
        put(&mut row, more.as_object());
        row
    }

    pub(super) fn coupons(&self) -> Vec<Value> {
        let coupon = json!({"id": self.number + 1, "coupon_id": 1, "order_id": self.id(), "code": "WELCOME5", "amount": "5.0000", "type": 1,
            "discount": number(self.sums.coupon)});
        if self.sums.coupon > 0 { vec![coupon] } else { Vec::new() }
    }

    pub(super) fn shipping_addresses(&self) -> Vec<Value> {
        if self.units(Line::ships) == 0 { Vec::new() } else { vec![self.shipping(quoted, "shipping_addresses")] }
    }

    fn shipping(&self, write: fn(i64) -> Value, part: &str) -> Value {
        let mut address = self.address();
        let id = self.address_id();
        address["id"] = id.into();
        address["shipping_quotes"] = self.link(&format!("{part}/{id}/shipping_quotes"));
        if let Some(into) = address.as_object_mut() {
            into.extend([
                ("items_total".to_owned(), self.units(Line::ships).into()),
                ("items_shipped".to_owned(), self.story.items_shipped().into()),
                ("shipping_method".to_owned(), "Standard".into()),
                ("shipping_zone_id".to_owned(), 1.into()),
                ("shipping_zone_name".to_owned(), country(self.sums.market).into()),
                ("cost_tax_class_id".to_owned(), 2.into()),
                ("handling_cost_tax_class_id".to_owned(), 2.into()),
                ("form_fields".to_owned(), json!([])),
            ]);
            costs(into, "", self.sums.shipping, self.sums.market.included, write);
            costs(into, "handling_", Pair::default(), self.sums.market.included, write);
        }
        if part == "shipping_addresses" {
            address["order_id"] = self.id().into();
        }
        address
    }

    /// Where everything goes: by carrier, and gift certificates by e-mail. Costs are numbers here.
    pub(super) fn consignments(&self, whole_lines: bool) -> Value {
        let lines = |of: &dyn Fn(&Line) -> bool| -> Vec<Value> {
            let places = (0..self.sums.lines.len()).filter(|place| of(&self.sums.lines[*place]));
            places
                .map(|place| if whole_lines { self.product(place) } else { self.link(&format!("products/{}", self.line_id(place))) })
                .collect()
        };
        let mut shipping = Vec::new();
        if self.units(Line::ships) > 0 {
            let mut one = self.shipping(number, "consignments/shipping");
            one["line_items"] = lines(&|line| line.sold != Sold::GiftCertificate).into();
            shipping.push(one);
        }
        let certificates = lines(&|line| line.sold == Sold::GiftCertificate);
        let mails = if certificates.is_empty() {
            json!([])
        } else {
            json!([{"recipient_email": self.shop.made.email(self.sums.person + 1), "line_items": certificates}])
        };
        json!({"pickups": [], "shipping": shipping, "downloads": [], "email": {"gift_certificates": mails}})
    }

    pub(super) fn shipments(&self) -> Vec<Value> {
        self.story
            .parcels
            .iter()
            .map(|parcel| {
                let items: Vec<Value> = parcel
                    .items
                    .iter()
                    .map(|item| json!({"order_product_id": self.line_id(item.line), "product_id": 0, "quantity": item.quantity}))
                    .collect();
                let link = format!("https://tools.usps.com/go/TrackConfirmAction?tLabels={}", parcel.tracking);
                json!({
                    "id": parcel.id, "order_id": self.id(), "customer_id": self.customer_id(), "order_address_id": self.address_id(),
                    "date_created": rfc2822(parcel.at_ms / 1_000), "tracking_number": parcel.tracking, "merchant_shipping_cost": "0.0000",
                    "shipping_method": "Standard", "comments": "", "shipping_provider": "usps", "shipping_provider_display_name": "USPS",
                    "tracking_carrier": "usps", "tracking_link": "", "generated_tracking_link": link,
                    "billing_address": self.address(), "shipping_address": self.address(), "items": items,
                })
            })
            .collect()
    }

    pub(super) fn taxes(&self) -> Vec<Value> {
        let tax = |id: u64, amount: i64, product: String, kind: &str| {
            json!({"id": self.number * 16 + id, "order_id": self.id(), "order_address_id": self.address_id(), "tax_rate_id": 1, "sales_tax_id": "",
                "tax_class_id": 0, "name": "Tax", "class": "Default Tax Class", "rate": text(self.sums.market.tax * 1_000), "priority": 0,
                "priority_amount": text(amount), "line_amount": text(amount), "order_pickup_method_id": 0, "order_product_id": product,
                "line_item_type": kind})
        };
        if self.sums.market.tax == 0 {
            return Vec::new();
        }
        let lines = self.sums.lines.iter().enumerate().filter(|(_, line)| line.total.tax() > 0);
        let mut taxes: Vec<Value> =
            lines.map(|(place, line)| tax(place as u64, line.total.tax(), self.line_id(place).to_string(), "item")).collect();
        for (id, amount, kind) in [(8, self.sums.shipping.tax(), "shipping"), (9, self.sums.wrapping.tax(), "gift-wrapping")] {
            if amount > 0 {
                taxes.push(tax(id, amount, String::new(), kind));
            }
        }
        taxes
    }

    /// Every thirty-first order paid for carbon; fees are not in the order's total.
    pub(super) fn fees(&self) -> Value {
        let fee = json!({"id": self.number + 1, "type": "custom_fee", "display_name_customer": "Carbon", "display_name_merchant": "Carbon",
            "source": "", "base_cost": "1.0000", "cost_ex_tax": "1.0000", "cost_inc_tax": "1.0000", "cost_tax": "0.0000", "tax_class_id": null});
        if self.number % 31 == 12 { json!([fee]) } else { json!([]) }
    }

    /// Money that came and went. An order that was never paid has none.
    pub(super) fn transactions(&self) -> Vec<Value> {
        if matches!(self.story.status, INCOMPLETE | 1 | 5 | 7) {
            return Vec::new();
        }
        let transaction = |id: u64, event: &str, amount: i64, at_ms: i64| {
            json!({"id": id, "order_id": self.id().to_string(), "event": event, "method": "credit_card", "amount": number(amount),
                "currency": self.sums.market.currency, "gateway": "braintree", "gateway_transaction_id": format!("bt{id}"), "status": "ok",
                "test": false, "fraud_review": false, "date_created": super::iso(at_ms / 1_000), "payment_method_id": "braintree.credit_card",
                "avs_result": {"code": "", "message": "", "street_match": "", "postal_match": ""}, "cvv_result": {"code": "", "message": ""},
                "credit_card": {"card_type": "visa", "card_iin": "411111", "card_last4": "1111", "card_expiry_month": 12, "card_expiry_year": 2030},
                "gift_certificate": null, "store_credit": null, "offline": null, "custom": null, "payment_instrument_token": null})
        };
        let paid = self.sums.total.inc - self.sums.certificate;
        let mut all = vec![transaction(self.number * 16 + 1, "purchase", paid, self.story.placed_ms)];
        for (place, refund) in (2..).zip(&self.story.refunds) {
            all.push(transaction(self.number * 16 + place, "refund", refund.amount, refund.at_ms));
        }
        all
    }

    pub(super) fn refunds(&self) -> Vec<Value> {
        self.story
            .refunds
            .iter()
            .map(|refund| {
                let mut items: Vec<Value> = refund
                    .items
                    .iter()
                    .map(|item| {
                        json!({"item_type": "PRODUCT", "item_id": self.line_id(item.line), "quantity": item.quantity, "requested_amount": null,
                            "reason": refund.reason, "adjustments": []})
                    })
                    .collect();
                if items.is_empty() {
                    items.push(json!({"item_type": "ORDER", "item_id": self.id(), "requested_amount": number(refund.amount), "reason": refund.reason,
                        "adjustments": []}));
                }
                json!({"id": refund.id, "order_id": self.id(), "user_id": 0, "created": super::iso(refund.at_ms / 1_000), "reason": refund.reason,
                    "total_amount": number(refund.amount), "total_tax": number(refund.tax), "uses_merchant_override_values": refund.items.is_empty(),
                    "items": items, "payments": [{"id": refund.id, "provider_id": "braintree", "amount": number(refund.amount), "offline": false,
                        "is_declined": false, "declined_message": "", "transaction_id": format!("bt{}", refund.id)}]})
            })
            .collect()
    }

    /// One own field, as an ERP would leave it, on every tenth order.
    pub(super) fn metafields(&self) -> Vec<Value> {
        if !self.number.is_multiple_of(10) {
            return Vec::new();
        }
        let time = super::iso(self.story.placed_ms / 1_000);
        vec![
            json!({"id": self.number + 1, "namespace": "erp", "key": "batch", "value": format!("B{}", self.number / 10), "description": "",
            "permission_set": "read", "resource_type": "order", "resource_id": self.id(), "owner_client_id": "sandbox",
            "date_created": time, "date_modified": time}),
        ]
    }
}

/// Carts that became orders have other numbers than open ones, and are gone.
const CONVERTED: u64 = 1 << 40;
