//! Orders and carts.

use rust_decimal::Decimal;

use super::super::config::{BackfilledOrders, Cancelled, CatalogLayout, OrderKey, OrderTotal, Spelling};
use super::super::ids::Who;
use super::super::json::{Object, Val, money};
use super::{Builder, Collection};

use crate::error::Error;
use crate::model::{
    Address, Cart, CartState, CategoryRef, LineItem, LineKind, Money, Order, OrderStatus, PaymentStatus, ShippingStatus, SkipReason,
};

const ORDERS: &str = "orders";
const CARTS: &str = "cartInsight";

impl<'a> Builder<'a> {
    pub(super) fn order(&mut self, order: &'a Order) -> Result<(), Error> {
        if order.status == OrderStatus::Incomplete {
            self.skip(SkipReason::Ignored, "the shopper has not finished the order");
            return Ok(());
        }
        if self.orders_are_quiet() {
            return Ok(());
        }
        let config = self.config;
        let place = self.collection(&config.collections.orders, "orders", ORDERS);
        let Some(who) = self.who() else { return Ok(()) };
        let cancelled = order.status == OrderStatus::Cancelled;
        if let Some(place) = place {
            let key = self.order_key(&order.id, order.number.as_deref()).to_owned();
            let entity = format!("order:{}", order.id);
            if cancelled && config.cancelled_orders == Cancelled::Delete {
                self.delete_record(place, &who, &key, entity)?;
            } else {
                let json = self.order_json(order, &who, key.clone(), cancelled);
                self.record(place, Some(&who), &key, &json, entity)?;
            }
        }
        // The cart became this order; told with the order's own lines, so that nobody is reminded of what they bought.
        if let Some(cart) = order.cart_id.as_deref().filter(|_| !cancelled && !self.is_backfill() && !config.collections.carts.is_empty()) {
            let place = Collection { name: &config.collections.carts, kind: CARTS };
            let json = self.bought_json(order, cart);
            let position = self.built.operations.len();
            self.record(place, Some(&who), cart, &json, format!("cart:{cart}"))?;
            let key = self.key("cart");
            if let Some(operation) = self.built.operations.get_mut(position) {
                // The order's versions say nothing about the cart's.
                operation.version = None;
                operation.idempotency_key = key;
            }
        }
        Ok(())
    }

    pub(super) fn orders_are_quiet(&mut self) -> bool {
        let quiet = self.is_backfill() && self.config.backfill_orders == BackfilledOrders::Withhold;
        if quiet {
            self.skip(SkipReason::BackfillQuiet, "`backfill_orders` withholds orders and what follows them");
        }
        quiet
    }

    /// What an order is known by in its collection.
    pub(super) fn order_key<'b>(&self, id: &'b str, number: Option<&'b str>) -> &'b str {
        match self.config.order_key {
            OrderKey::Id => id,
            OrderKey::Number => number.unwrap_or(id),
        }
    }

    fn order_json(&mut self, order: &'a Order, who: &Who<'a>, key: String, cancelled: bool) -> Object<'a> {
        let spelling = self.config.order_spelling;
        let n = |camel: &'static str, snake: &'static str| if spelling == Spelling::Camel { camel } else { snake };
        let totals = &order.totals;
        let currency = totals.total.currency;
        let refunded: Decimal = order.refunds.iter().map(|refund| refund.amount.amount).sum();
        let total = match self.config.order_total {
            _ if cancelled => Decimal::ZERO,
            OrderTotal::Gross => totals.total.amount,
            OrderTotal::Net if refunded.is_zero() => totals.total.amount,
            OrderTotal::Net => (totals.total.amount - refunded).max(Decimal::ZERO),
        };
        let mut json = Object::new(24);
        json.put("id", key);
        json.opt("email", who.email);
        json.opt(n("quoteId", "quote_id"), order.cart_id.as_deref());
        json.opt(n("storeName", "store_name"), self.envelope.market.store.as_deref());
        json.put(n("purchaseDate", "purchase_date"), order.placed_at);
        json.put(n("orderStatus", "order_status"), status(order, refunded));
        json.put("currency", currency.as_str().to_owned());
        json.put(n("orderSubtotal", "order_subtotal"), money(totals.subtotal));
        json.put(n("discountAmount", "discount_amount"), money(totals.discount));
        json.opt(n("deliveryMethod", "delivery_method"), order.shipping.iter().find_map(|charge| charge.method.as_deref()));
        json.put(n("deliveryTotal", "delivery_total"), money(totals.shipping));
        json.put(n("orderTotal", "order_total"), money(Money::new(total, currency)));
        json.opt("payment", (!order.payment_methods.is_empty()).then(|| order.payment_methods.join(", ")));
        json.opt(n("couponCode", "couponcode"), order.coupons.iter().find_map(|coupon| coupon.code.as_deref()));
        json.opt(n("deliveryAddress", "delivery_address"), order.shipping_address.as_ref().map(|address| postal("delivery", address)));
        json.opt(n("billingAddress", "billing_address"), order.billing_address.as_ref().map(|address| postal("billing", address)));
        let products = self.products(&order.lines);
        if products.is_empty() {
            // The collection wants the member, and an empty list would fix a type for it.
            self.refuse("/body/lines", "Dotdigital takes no order without a product; every line here is a fee or below zero");
        }
        json.put("products", products);
        let mut custom = Object::new(12);
        custom.put("order_id", &order.id);
        custom.opt("order_number", order.number.as_deref());
        custom.put("status", order.status.as_str());
        custom.opt("payment_status", order.payment_status.as_ref().map(PaymentStatus::as_str));
        custom.opt("shipping_status", order.shipping_status.as_ref().map(ShippingStatus::as_str));
        custom.opt("workflow_state", order.workflow_state.as_deref());
        custom.put("order_total_gross", money(totals.total));
        custom.opt("tax_total", totals.tax.map(money));
        let fees: Decimal = order.lines.iter().filter(|line| line.kind == LineKind::Fee).map(|line| line.total.amount).sum();
        custom.opt("fee_total", (!fees.is_zero()).then(|| money(Money::new(fees, currency))));
        custom.opt("refunded_total", (!refunded.is_zero()).then(|| money(Money::new(refunded, currency))));
        custom.opt("url", order.url.as_deref());
        custom.opt("locale", self.envelope.market.locale.as_deref());
        custom.opt("channel", self.envelope.market.channel.as_deref());
        custom.opt("recurring", order.recurring.then_some(true));
        custom.opt("imported", order.imported.then_some(true));
        custom.attributes(&order.attributes, "/body/attributes", &mut self.built.findings);
        json.put("custom", custom);
        json
    }

    /// The lines that are goods.
    fn products(&mut self, lines: &'a [LineItem]) -> Vec<Object<'a>> {
        let mut products = Vec::with_capacity(lines.len());
        for (index, line) in lines.iter().enumerate() {
            let parent = line.parent_id.as_deref().filter(|parent| lines.iter().any(|other| other.id == *parent));
            if !is_goods(line) || (line.kind == LineKind::BundleChild && parent.is_some()) {
                continue;
            }
            let mut product = self.product_json(line, index);
            let parts = lines.iter().enumerate().filter(|(_, part)| {
                line.kind == LineKind::BundleParent && part.parent_id.as_deref() == Some(line.id.as_str()) && is_goods(part)
            });
            let parts: Vec<Object<'a>> = parts.map(|(index, part)| self.product_json(part, index)).collect();
            product.put("sub_items", parts);
            products.push(product);
        }
        products
    }

    fn product_json(&mut self, line: &'a LineItem, index: usize) -> Object<'a> {
        let mut product = Object::new(12);
        let price = if line.kind == LineKind::Gift { Money::zero(line.total.currency) } else { line.unit_price };
        let name = line.name.as_deref().or(line.sku.as_deref()).or(line.product_key.as_deref()).unwrap_or(&line.id);
        let (id, parent) = self.catalog_key(line);
        if self.config.order_spelling == Spelling::Snake {
            product.put("id", id.clone());
            if line.unit_list_price != price {
                product.put("specialprice", money(price));
            }
            product.put("price", money(line.unit_list_price));
        } else {
            product.put("price", money(price));
            if line.tax_included == Some(true) {
                product.put("price_inc_tax", money(price));
            }
        }
        product.put("product_id", id);
        product.put("parent_id", parent);
        product.put("name", name);
        product.put("sku", line.sku.as_deref().unwrap_or(&line.id));
        product.put("qty", line.quantity);
        product.put("line_total", money(line.total));
        product.put("categories", categories(&line.categories));
        let mut attributes = Object::new(line.attributes.len() + 3);
        attributes.opt("brand", line.brand.as_deref());
        attributes.opt("url", line.url.as_deref());
        attributes.opt("image_url", line.image_url.as_deref());
        let pointer = format!("/body/lines/{index}/attributes");
        attributes.attributes(&line.attributes, &pointer, &mut self.built.findings);
        product.put("product_attributes", attributes);
        product
    }

    /// The key of the catalog record that a line is about, and that of its product where the record is a variant.
    fn catalog_key(&self, line: &'a LineItem) -> (String, &'a str) {
        match (&line.product_id, &line.variant_id, self.config.catalog_layout) {
            (Some(product), Some(variant), CatalogLayout::Variant) => (format!("{product}-{variant}"), product),
            (Some(product), _, _) => (product.clone(), ""),
            (None, _, _) => (line.sku.clone().unwrap_or_else(|| line.id.clone()), ""),
        }
    }

    pub(super) fn cart(&mut self, cart: &'a Cart) -> Result<(), Error> {
        if self.is_backfill() {
            self.skip(SkipReason::BackfillQuiet, "a cart of the past is not the cart of now; send open carts live after the backfill");
            return Ok(());
        }
        let config = self.config;
        let Some(place) = self.collection(&config.collections.carts, "carts", CARTS) else { return Ok(()) };
        let Some(who) = self.who() else { return Ok(()) };
        let entity = format!("cart:{}", cart.id);
        if matches!(cart.state, CartState::Deleted | CartState::Merged) {
            return self.delete_record(place, &who, &cart.id, entity);
        }
        let phase = if cart.state == CartState::Ordered { "ORDER_COMPLETE" } else { "ORDER_PENDING" };
        let totals = &cart.totals;
        let mut json = Object::new(16);
        json.put("cartId", &cart.id);
        json.put("cartPhase", phase);
        json.opt("cartUrl", cart.url.as_deref());
        json.opt("createdDate", cart.created_at);
        json.opt("modifiedDate", cart.last_activity_at.or(cart.updated_at));
        json.put("currency", totals.total.currency.as_str().to_owned());
        let lines = cart_lines(&cart.lines);
        // An emptied cart is sent too: whoever has one is not reminded of it.
        let zero = |amount: Money| money(if lines.is_empty() { Money::zero(amount.currency) } else { amount });
        json.put("subTotal", zero(totals.subtotal));
        json.put("discountAmount", zero(totals.discount));
        json.opt("taxAmount", totals.tax.map(zero));
        json.put("shipping", zero(totals.shipping));
        json.put("grandTotal", zero(totals.total));
        json.put("lineItems", lines);
        self.record(place, Some(&who), &cart.id, &json, entity)
    }

    /// The cart of an order, as bought.
    fn bought_json(&self, order: &'a Order, cart: &'a str) -> Object<'a> {
        let totals = &order.totals;
        let mut json = Object::new(12);
        json.put("cartId", cart);
        json.put("cartPhase", "ORDER_COMPLETE");
        json.put("modifiedDate", order.placed_at);
        json.put("currency", totals.total.currency.as_str().to_owned());
        json.put("subTotal", money(totals.subtotal));
        json.put("discountAmount", money(totals.discount));
        json.opt("taxAmount", totals.tax.map(money));
        json.put("shipping", money(totals.shipping));
        json.put("grandTotal", money(totals.total));
        json.put("lineItems", cart_lines(&order.lines));
        json
    }
}

/// The lines of a cart as CartInsight spells them.
pub(super) fn cart_lines(lines: &[LineItem]) -> Vec<Object<'_>> {
    let item = |line| {
        let line: &LineItem = line;
        let mut item = Object::new(10);
        item.put("sku", line.sku.as_deref().unwrap_or(&line.id));
        item.put("name", line.name.as_deref().or(line.sku.as_deref()).unwrap_or(&line.id));
        item.put("quantity", line.quantity);
        item.put("unitPrice", money(line.unit_list_price));
        item.put("salePrice", money(if line.kind == LineKind::Gift { Money::zero(line.total.currency) } else { line.unit_price }));
        item.put("totalPrice", money(line.total));
        item.opt("imageUrl", line.image_url.as_deref());
        item.opt("productUrl", line.url.as_deref());
        item
    };
    lines.iter().filter(|line| is_goods(line)).map(item).collect()
}

/// Fees and corrections stand in the totals only.
fn is_goods(line: &LineItem) -> bool {
    let negative = |money: Money| money.amount.is_sign_negative() && !money.amount.is_zero();
    line.kind != LineKind::Fee && line.quantity > 0 && !negative(line.total) && !negative(line.unit_price)
}

/// Categories by name, the most specific part of each.
fn categories(categories: &[CategoryRef]) -> Vec<Object<'_>> {
    let one = |category| {
        let category: &CategoryRef = category;
        let mut object = Object::new(1);
        object.put("Name", category.path.last().map_or(category.id.as_str(), String::as_str));
        object
    };
    categories.iter().map(one).collect()
}

fn postal<'a>(kind: &str, address: &'a Address) -> Object<'a> {
    let mut object = Object::new(6);
    for (part, value) in [
        ("address_1", &address.line1),
        ("address_2", &address.line2),
        ("city", &address.city),
        ("region", &address.region),
        ("country", &address.country),
        ("postcode", &address.postal_code),
    ] {
        object.opt(format!("{kind}_{part}"), value.as_deref().filter(|value| !value.is_empty()));
    }
    object
}

/// One word for where the order is: what was called off or given back first, then where the goods are, then where the
/// order is.
fn status(order: &Order, refunded: Decimal) -> Val<'_> {
    let total = order.totals.total.amount;
    let word = match (&order.status, &order.payment_status, &order.shipping_status) {
        (OrderStatus::Cancelled, _, _) => "cancelled",
        (_, Some(PaymentStatus::Refunded), _) => "refunded",
        (_, Some(PaymentStatus::PartiallyRefunded), _) => "partially_refunded",
        _ if refunded > Decimal::ZERO && refunded >= total => "refunded",
        _ if refunded > Decimal::ZERO => "partially_refunded",
        _ if !order.returns.is_empty() => "returned",
        (_, _, Some(shipping @ (ShippingStatus::Delivered | ShippingStatus::Shipped | ShippingStatus::PartiallyShipped))) => {
            shipping.as_str()
        }
        (status, _, _) => status.as_str(),
    };
    Val::from(word)
}
