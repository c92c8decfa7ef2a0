//! Customers and what hangs on them, newsletter subscribers, wishlists.
//! <https://developer.bigcommerce.com/docs/rest-management/customers>

use serde_json::{Map, Value, json};

use super::store::country;
use super::{Shop, customer_id, iso, millis, product_id, put, variant_id};
use crate::shop::{CUSTOMER, FIRST, LAST, instant, mix, pick, uuid};

/// At most so many addresses and attributes stand in a customer; the rest have lists of their own.
const EMBEDDED: usize = 10;

/// Id, name and type of the attributes customers may have.
pub(super) const ATTRIBUTES: [(u64, &str, &str); 3] =
    [(1, "Loyalty points", "number"), (2, "SMS opt-in", "string"), (3, "SMS opt-in date", "date")];

/// A row as it stands: how often it changed, when last, and what was typed over.
pub(super) struct State<'a> {
    pub(super) times: u64,
    pub(super) changed_s: i64,
    pub(super) fields: Option<&'a Map<String, Value>>,
}

impl State<'_> {
    fn over(&self, mut row: Value) -> Value {
        put(&mut row, self.fields);
        row
    }
}

impl Shop {
    fn name(&self, person: u64) -> (&'static str, &'static str) {
        let n = mix(self.made.seed, CUSTOMER, person, 2);
        (*pick(FIRST, n), *pick(LAST, n >> 16))
    }

    pub(super) fn customer_created_s(&self, number: u64) -> i64 {
        millis(&instant(self.made.seed, CUSTOMER, number, 3).replace("2026-", "2025-")) / 1_000
    }

    /// Every fiftieth has more addresses than fit into a customer.
    pub(super) fn addresses(&self, number: u64) -> Vec<Value> {
        let (first, last) = self.name(number);
        let (n, market) = (mix(self.made.seed, CUSTOMER, number, 2), self.made.market(number));
        (0..if number % 50 == 7 { 12 } else { 1 })
            .map(|place| {
                json!({"id": number * 16 + place + 1, "customer_id": customer_id(number), "first_name": first, "last_name": last, "company": "",
                    "address1": format!("{} Long Street", 1 + place + n % 120), "address2": "", "city": market.city, "state_or_province": market.city,
                    "postal_code": format!("{:05}", n % 99_999), "country": country(market), "country_code": market.country,
                    "phone": format!("{}{:04}", market.phone, n % 10_000), "address_type": "residential"})
            })
            .collect()
    }

    pub(super) fn attributes(&self, number: u64) -> Vec<Value> {
        let time = self.customer_created_s(number);
        let value = |attribute: u64, value: String| {
            json!({"id": number * 4 + attribute, "customer_id": customer_id(number), "attribute_id": attribute, "attribute_value": value,
                "date_created": iso(time), "date_modified": iso(time)})
        };
        let mut values = vec![value(1, (mix(self.made.seed, CUSTOMER, number, 2) % 5_000).to_string())];
        match number % 4 {
            0 => values.extend([value(2, "Yes".to_owned()), value(3, iso(time)[..10].to_owned())]),
            1 => values.push(value(2, "No".to_owned())),
            _ => {}
        }
        values
    }

    pub(super) fn form_fields(&self, number: u64) -> Vec<Value> {
        let heard = if number.is_multiple_of(2) { json!("A friend") } else { json!(["Radio", "Press"]) };
        vec![json!({"customer_id": customer_id(number), "name": "How did you hear about us?", "value": heard})]
    }

    pub(super) fn customer(&self, number: u64, state: &State<'_>, include: &dyn Fn(&str) -> bool) -> Value {
        let (first, last) = self.name(number);
        let market = self.made.market(number);
        let (addresses, attributes) = (self.addresses(number), self.attributes(number));
        let mut customer = json!({
            "id": customer_id(number), "email": self.made.email(number), "first_name": first, "last_name": last,
            "company": if state.times > 0 { format!("Renamed {}", state.times) } else { String::new() },
            "phone": format!("{}{:04}", market.phone, number % 10_000), "registration_ip_address": "192.0.2.10", "notes": "Likes to ring.",
            "tax_exempt_category": "", "customer_group_id": if number.is_multiple_of(6) { 5 } else { 0 },
            "date_created": iso(self.customer_created_s(number)), "date_modified": iso(state.changed_s),
            "address_count": addresses.len(), "attribute_count": attributes.len(), "authentication": {"force_password_reset": false},
            "accepts_product_review_abandoned_cart_emails": number.is_multiple_of(3), "origin_channel_id": 1, "channel_ids": null,
        });
        for (name, key, part) in [
            ("addresses", "addresses", addresses),
            ("attributes", "attributes", attributes),
            ("formfields", "form_fields", self.form_fields(number)),
            ("storecredit", "store_credit_amounts", vec![json!({"amount": 0})]),
        ] {
            if include(name) {
                customer[key] = part.into_iter().take(EMBEDDED).collect();
            }
        }
        state.over(customer)
    }

    pub(super) fn attribute(&self, (id, name, kind): (u64, &str, &str)) -> Value {
        json!({"id": id, "name": name, "type": kind, "date_created": "2025-01-01T09:00:00Z", "date_modified": "2025-01-01T09:00:00Z"})
    }

    pub(super) fn subscriber_created_s(&self, number: u64) -> i64 {
        millis(&instant(self.made.seed, CUSTOMER, number, 6)) / 1_000
    }

    /// When it changed before the shop opened: every fourth left again, a day later.
    pub(super) fn subscriber_changed_s(&self, number: u64) -> i64 {
        self.subscriber_created_s(number) + if number % 4 == 3 { 86_400 } else { 0 }
    }

    /// A yes, nothing ticked, a yes to both, and one who left. Each change turns the newsletter round. Those beyond the
    /// customers are guests.
    pub(super) fn subscriber(&self, number: u64, state: &State<'_>) -> Value {
        let (first, last) = self.name(number);
        let yes = number.is_multiple_of(2) == state.times.is_multiple_of(2);
        let mut consents = if yes { vec!["marketing_newsletter"] } else { Vec::new() };
        if number % 4 == 2 {
            consents.push("abandoned_cart");
        }
        state.over(json!({
            "id": number + 1, "email": self.made.email(number), "first_name": first, "last_name": last,
            "source": if number.is_multiple_of(2) { "storefront" } else { "order" }, "order_id": null, "channel_id": 1, "consents": consents,
            "date_created": iso(self.subscriber_created_s(number)), "date_modified": iso(state.changed_s),
        }))
    }

    pub(super) fn wishlist(&self, number: u64) -> Value {
        let product = number % self.products.max(1);
        json!({"id": number + 1, "customer_id": customer_id(number % self.made.customers.max(1)), "name": "Wish list", "is_public": false,
            "token": uuid(self.made.seed, 51, number),
            "items": [{"id": number + 1, "product_id": product_id(product), "variant_id": variant_id(product, 0)}]})
    }
}
