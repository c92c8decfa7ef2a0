//! Open carts and their checkouts. There is no list of them: whoever wants one has to know its id.
//! <https://developer.bigcommerce.com/docs/rest-management/carts>

use serde_json::{Value, json};

use super::people::State;
use super::sums::{Maker, Sold, number, sku_of};
use super::{Shop, customer_id, iso, product_id, put, variant_id};
use crate::inspect::hex;
use crate::shop::{CART, THINGS, instant, mix, pick, sku, uuid};

/// Carts are made as orders are, from numbers that no order has.
const CARTS: u64 = 1 << 41;

impl Shop {
    pub(super) fn cart_id(&self, cart: u64) -> String {
        uuid(self.made.seed, CART, cart)
    }

    /// What the link in a reminder carries in place of the cart's id.
    pub(super) fn cart_token(&self, cart: u64) -> String {
        hex(&[mix(self.made.seed, CART, cart, 8).to_be_bytes(), mix(self.made.seed, CART, cart, 9).to_be_bytes()].concat())
    }

    pub(super) fn cart_changed_ms(&self, cart: u64) -> i64 {
        super::millis(&instant(self.made.seed, CART, cart, 3))
    }

    /// The cart by itself, or as its checkout holds it.
    pub(super) fn cart(&self, cart: u64, state: &State<'_>, in_checkout: bool) -> Value {
        let sums = Maker { shop: &self.made, products: self.products }.order(CARTS + cart);
        let items: Vec<Value> = (0_u64..)
            .zip(&sums.lines)
            .filter_map(|(place, line)| {
                let Sold::Variant { product, variant } = line.sold else { return None };
                let unit = if sums.market.included { line.unit.inc } else { line.unit.ex };
                let (price, whole) = (number(unit), number(unit * line.quantity));
                let mut item = json!({
                    "id": uuid(self.made.seed, 52, cart * 8 + place), "product_id": product_id(product), "variant_id": variant_id(product, variant),
                    "parent_id": null, "sku": sku_of(line.sold), "name": format!("{} No. {product}", pick(THINGS, product).0),
                    "url": format!("https://shop.example.com/product-{product}/"), "quantity": line.quantity,
                    "image_url": format!("https://img.example.com/{}.jpg", sku(product, variant)), "discounts": [], "coupons": [],
                    "discount_amount": 0, "coupon_amount": 0, "original_price": price, "list_price": price, "sale_price": price,
                    "extended_list_price": whole, "extended_sale_price": whole, "is_require_shipping": true, "is_mutable": true,
                });
                item[if in_checkout { "is_taxable" } else { "taxable" }] = true.into();
                Some(item)
            })
            .collect();
        let sold = sums.lines.iter().filter(|line| matches!(line.sold, Sold::Variant { .. }));
        let (ex, inc) = sold.fold((0, 0), |(ex, inc), line| (ex + line.total.ex, inc + line.total.inc));
        let mut row = json!({
            "id": self.cart_id(cart), "customer_id": sums.customer.map_or(0, customer_id), "channel_id": 1,
            // A guest has typed no address yet, in every third cart of theirs.
            "email": if sums.customer.is_none() && cart.is_multiple_of(3) { String::new() } else { self.made.email(sums.person) },
            "currency": {"code": sums.market.currency}, "tax_included": sums.market.included, "locale": &sums.market.locale[..2],
            "base_amount": number(if sums.market.included { inc } else { ex }), "discount_amount": 0, "manual_discount_amount": 0, "coupons": [],
            "discounts": [], "line_items": {"physical_items": items, "digital_items": [], "gift_certificates": [], "custom_items": []},
            "created_time": iso(self.cart_changed_ms(cart) / 1_000).replace('Z', "+00:00"),
            "updated_time": iso(state.changed_s).replace('Z', "+00:00"), "version": 1 + state.times,
        });
        if in_checkout {
            row["cart_amount_inc_tax"] = number(inc);
            row["cart_amount_ex_tax"] = number(ex);
        } else {
            row["cart_amount"] = number(inc);
        }
        put(&mut row, state.fields);
        row
    }

    pub(super) fn checkout(&self, cart: u64, state: &State<'_>) -> Value {
        let row = self.cart(cart, state, true);
        let bill = match row["email"].as_str() {
            None | Some("") => json!({}),
            Some(email) => json!({"id": uuid(self.made.seed, 53, cart), "first_name": "", "last_name": "", "email": email, "company": "",
                "address1": "", "address2": "", "city": "", "state_or_province": "", "state_or_province_code": "", "country": "",
                "country_code": "", "postal_code": "", "custom_fields": []}),
        };
        let (inc, ex) = (row["cart_amount_inc_tax"].clone(), row["cart_amount_ex_tax"].clone());
        let (sums, created) = (Maker { shop: &self.made, products: self.products }.order(CARTS + cart), row["created_time"].clone());
        let sold = sums.lines.iter().filter(|line| matches!(line.sold, Sold::Variant { .. }));
        let tax = number(sold.map(|line| line.total.tax()).sum());
        json!({
            "id": self.cart_id(cart), "billing_address": bill, "consignments": [], "taxes": [{"name": "Tax", "amount": tax}], "coupons": [],
            "fees": [], "order_id": null, "shipping_cost_total_inc_tax": 0, "shipping_cost_total_ex_tax": 0, "handling_cost_total_inc_tax": 0,
            "handling_cost_total_ex_tax": 0, "tax_total": tax, "subtotal_inc_tax": inc, "subtotal_ex_tax": ex, "grand_total": inc,
            "created_time": created, "updated_time": row["updated_time"], "customer_message": "", "version": row["version"], "cart": row,
        })
    }
}
