//! Orders and carts.

use std::borrow::Cow;

use rust_decimal::Decimal;

use super::super::super::{Given, Provided};
use super::super::config::{BackfilledOrders, Cancelled, CatalogLayout, OrderKey, OrderTotal, Spelling};
use super::super::ids::Who;
use super::super::json::{List, Object, money};
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
            let key = self.order_key(&order.id, order.number.as_deref());
            let entity = ["order:", &order.id].concat();
            if cancelled && config.cancelled_orders == Cancelled::Delete {
                self.delete_record(place, &who, key, entity)?;
            } else {
                let json = self.order_json(order, &who, key, cancelled);
                self.record(place, Some(&who), key, &json, entity)?;
            }
        }
        let carts = &config.collections.carts;
        if let Some(cart) = order.cart_id.as_deref().filter(|_| !self.is_backfill() && !carts.is_empty()) {
            self.cart_of(order, cart, &who, Collection { name: carts, kind: CARTS })?;
        }
        Ok(())
    }

    /// What becomes of an order's cart, so that nobody is reminded of what they bought or called off. Told once; whatever is
    /// heard of the cart later, such as the version before the order, is stale.
    fn cart_of(&mut self, order: &'a Order, cart: &str, who: &Who<'a>, place: Collection<'_>) -> Result<(), Error> {
        let cancelled = order.status == OrderStatus::Cancelled;
        let entity = ["cart:", cart].concat();
        if cancelled {
            self.delete_record(place, who, cart, entity)?;
        } else {
            // With the order's own lines: they are what was bought.
            self.record(place, Some(who), cart, &Self::bought_json(order, cart), entity)?;
        }
        let key = self.once_key(if cancelled { "cart-cancelled" } else { "cart-bought" }, &order.id);
        let Some(mut operation) = self.built.operations.pop() else { return Ok(()) };
        operation.once = true;
        operation.idempotency_key = key;
        // The order's versions say nothing about the cart's.
        operation.version = None;
        if cancelled {
            // Only where the cart was sent, and no purchase ended it.
            self.built.provided.push(Provided { given: Given::Open, operation });
        } else {
            self.built.operations.push(operation);
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

    fn order_json(&mut self, order: &'a Order, who: &Who<'a>, key: &str, cancelled: bool) -> Object {
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
        let mut json = Object::of_bytes(1_280 + 512 * order.lines.len());
        json.put("id", key);
        json.opt("email", who.email);
        json.opt(n("quoteId", "quote_id"), order.cart_id.as_deref());
        json.opt(n("storeName", "store_name"), self.envelope.market.store.as_deref());
        json.put(n("purchaseDate", "purchase_date"), order.placed_at);
        json.put(n("orderStatus", "order_status"), status(order, refunded));
        json.put("currency", currency.as_str());
        // Before every reduction, and all reductions beside it: those of lines, of lines below zero and of the whole order.
        let reduced = reductions(&order.lines);
        let subtotal = totals.subtotal.amount + reduced;
        let discount = totals.discount.amount + reduced - certificates(order);
        json.put(n("orderSubtotal", "order_subtotal"), money(Money::new(subtotal, currency)));
        json.put(n("discountAmount", "discount_amount"), money(Money::new(discount, currency)));
        json.opt(n("deliveryMethod", "delivery_method"), order.shipping.iter().find_map(|charge| charge.method.as_deref()));
        json.put(n("deliveryTotal", "delivery_total"), money(totals.shipping));
        json.put(n("orderTotal", "order_total"), money(Money::new(total, currency)));
        json.opt("payment", (!order.payment_methods.is_empty()).then(|| order.payment_methods.join(", ")));
        json.opt(n("couponCode", "couponcode"), order.coupons.iter().find_map(|coupon| coupon.code.as_deref()));
        for (member, names, address) in [
            (n("deliveryAddress", "delivery_address"), DELIVERY, &order.shipping_address),
            (n("billingAddress", "billing_address"), BILLING, &order.billing_address),
        ] {
            if let Some(address) = address {
                json.object(member, |object| postal(object, names, address));
            }
        }
        json.list("products", |products| self.products(products, &order.lines));
        if !order.lines.iter().any(|line| is_sold(line, &order.lines)) {
            // The collection wants the member, and an empty list would fix a type for it.
            self.refuse("/body/lines", "Dotdigital takes no order without a product; every line here is a fee or below zero");
        }
        json.object("custom", |custom| self.custom(custom, order, refunded));
        json
    }

    /// What else is known of an order.
    fn custom(&mut self, custom: &mut Object, order: &'a Order, refunded: Decimal) {
        let totals = &order.totals;
        let currency = totals.total.currency;
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
        let certificates = certificates(order);
        custom.opt("gift_certificate_total", (!certificates.is_zero()).then(|| money(Money::new(certificates, currency))));
        custom.opt("refunded_total", (!refunded.is_zero()).then(|| money(Money::new(refunded, currency))));
        custom.opt("url", order.url.as_deref());
        custom.opt("locale", self.envelope.market.locale.as_deref());
        custom.opt("channel", self.envelope.market.channel.as_deref());
        custom.opt("recurring", order.recurring.then_some(true));
        custom.opt("imported", order.imported.then_some(true));
        custom.attributes(&order.attributes, "/body/attributes", &mut self.built.findings);
    }

    /// The lines that are goods.
    fn products(&mut self, products: &mut List<'_>, lines: &'a [LineItem]) {
        for (index, line) in lines.iter().enumerate().filter(|(_, line)| is_sold(line, lines)) {
            products.object(|product| {
                self.product_json(product, line, index);
                if line.kind == LineKind::BundleParent {
                    product.list("sub_items", |items| {
                        let is_part = |part: &LineItem| part.parent_id.as_deref() == Some(line.id.as_str()) && is_goods(part);
                        for (index, part) in lines.iter().enumerate().filter(|(_, part)| is_part(part)) {
                            items.object(|item| self.product_json(item, part, index));
                        }
                    });
                }
            });
        }
    }

    fn product_json(&mut self, product: &mut Object, line: &'a LineItem, index: usize) {
        let price = if line.kind == LineKind::Gift { Money::zero(line.total.currency) } else { line.unit_price };
        let name = line.name.as_deref().or(line.sku.as_deref()).or(line.product_key.as_deref()).unwrap_or(&line.id);
        let (id, parent) = self.catalog_key(line);
        if self.config.order_spelling == Spelling::Snake {
            product.put("id", &id);
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
        product.put("product_id", &id);
        product.put("parent_id", parent);
        product.put("name", name);
        product.put("sku", line.sku.as_deref().unwrap_or(&id));
        product.put("qty", line.quantity);
        product.put("line_total", money(line.total));
        product.list("categories", |list| categories(&line.categories, list));
        product.object("product_attributes", |attributes| {
            attributes.opt("brand", line.brand.as_deref());
            attributes.opt("url", line.url.as_deref());
            attributes.opt("image_url", line.image_url.as_deref());
            if !line.attributes.is_empty() {
                attributes.attributes(&line.attributes, &format!("/body/lines/{index}/attributes"), &mut self.built.findings);
            }
        });
    }

    /// The key of the catalog record that a line is about, and that of its product where the record is a variant.
    fn catalog_key(&self, line: &'a LineItem) -> (Cow<'a, str>, &'a str) {
        match (&line.product_id, &line.variant_id, self.config.catalog_layout) {
            (Some(product), Some(variant), CatalogLayout::Variant) => (format!("{product}-{variant}").into(), product),
            (Some(product), _, _) => (product.into(), ""),
            // Not in the catalog: the word before a line's id keeps it from being taken for a product that has that id.
            (None, _, _) => (line.sku.as_deref().map_or_else(|| ["line-", &line.id].concat().into(), Cow::from), ""),
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
        let mut json = Object::of_bytes(512 + 320 * cart.lines.len());
        json.put("cartId", &cart.id);
        json.put("cartPhase", phase);
        json.opt("cartUrl", cart.url.as_deref());
        json.opt("createdDate", cart.created_at);
        json.opt("modifiedDate", cart.last_activity_at.or(cart.updated_at));
        json.put("currency", totals.total.currency.as_str());
        // An emptied cart is sent too: whoever has one is not reminded of it.
        let is_emptied = !cart.lines.iter().any(is_goods);
        let zero = |amount: Money| money(if is_emptied { Money::zero(amount.currency) } else { amount });
        json.put("subTotal", zero(totals.subtotal));
        json.put("discountAmount", zero(totals.discount));
        json.opt("taxAmount", totals.tax.map(zero));
        json.put("shipping", zero(totals.shipping));
        json.put("grandTotal", zero(totals.total));
        json.list("lineItems", |items| cart_lines(&cart.lines, items));
        self.record(place, Some(&who), &cart.id, &json, entity)?;
        Ok(())
    }

    /// The cart of an order, as bought.
    fn bought_json(order: &Order, cart: &str) -> Object {
        let totals = &order.totals;
        let mut json = Object::of_bytes(512 + 320 * order.lines.len());
        json.put("cartId", cart);
        json.put("cartPhase", "ORDER_COMPLETE");
        json.put("modifiedDate", order.placed_at);
        json.put("currency", totals.total.currency.as_str());
        json.put("subTotal", money(totals.subtotal));
        json.put("discountAmount", money(totals.discount));
        json.opt("taxAmount", totals.tax.map(money));
        json.put("shipping", money(totals.shipping));
        json.put("grandTotal", money(totals.total));
        json.list("lineItems", |items| cart_lines(&order.lines, items));
        json
    }
}

/// The lines of a cart as CartInsight spells them.
pub(super) fn cart_lines(lines: &[LineItem], items: &mut List<'_>) {
    for line in lines.iter().filter(|line| is_goods(line)) {
        items.object(|item| {
            let known = line.sku.as_deref().or(line.product_key.as_deref()).or(line.variant_id.as_deref()).or(line.product_id.as_deref());
            match known {
                Some(sku) => item.put("sku", sku),
                None => item.put("sku", ["line-", &line.id].concat()),
            }
            item.put("name", line.name.as_deref().or(line.sku.as_deref()).or(line.product_key.as_deref()).unwrap_or(&line.id));
            item.put("quantity", line.quantity);
            item.put("unitPrice", money(line.unit_list_price));
            item.put("salePrice", money(if line.kind == LineKind::Gift { Money::zero(line.total.currency) } else { line.unit_price }));
            item.put("totalPrice", money(line.total));
            item.opt("imageUrl", line.image_url.as_deref());
            item.opt("productUrl", line.url.as_deref());
        });
    }
}

/// Whether a line is a product of its own; a part of a bundle stands in the bundle.
fn is_sold(line: &LineItem, lines: &[LineItem]) -> bool {
    let is_part = || line.parent_id.as_deref().is_some_and(|parent| lines.iter().any(|other| other.id == parent));
    is_goods(line) && !(line.kind == LineKind::BundleChild && is_part())
}

/// Fees and corrections stand in the totals only.
fn is_goods(line: &LineItem) -> bool {
    let negative = |money: Money| money.amount.is_sign_negative() && !money.amount.is_zero();
    line.kind != LineKind::Fee && line.quantity > 0 && !negative(line.total) && !negative(line.unit_price)
}

/// What was taken off the lines after their price, and by lines below zero; positive.
fn reductions(lines: &[LineItem]) -> Decimal {
    let below = |line: &&LineItem| line.total.amount.is_sign_negative();
    let taken_off: Decimal = lines.iter().filter(below).map(|line| line.total.amount.abs()).sum();
    let paid = lines.iter().filter(|line| is_goods(line) && !line.is_free());
    taken_off + paid.map(LineItem::discounted_after_price).sum::<Decimal>()
}

/// What was paid with gift certificates, which are money and no discount.
fn certificates(order: &Order) -> Decimal {
    order.gift_certificates.iter().map(|certificate| certificate.amount.amount).sum()
}

/// Categories by name, the most specific part of each.
fn categories(categories: &[CategoryRef], list: &mut List<'_>) {
    for category in categories {
        list.object(|object| object.put("Name", category.path.last().map_or(category.id.as_str(), String::as_str)));
    }
}

/// Names of an address's parts, in the order of [`postal`].
const DELIVERY: [&str; 6] =
    ["delivery_address_1", "delivery_address_2", "delivery_city", "delivery_region", "delivery_country", "delivery_postcode"];
const BILLING: [&str; 6] =
    ["billing_address_1", "billing_address_2", "billing_city", "billing_region", "billing_country", "billing_postcode"];

fn postal(object: &mut Object, names: [&'static str; 6], address: &Address) {
    let values = [&address.line1, &address.line2, &address.city, &address.region, &address.country, &address.postal_code];
    for (name, value) in names.into_iter().zip(values) {
        object.opt(name, value.as_deref().filter(|value| !value.is_empty()));
    }
}

/// One word for where the order is: what was called off or given back first, then where the goods are, then where the
/// order is.
fn status(order: &Order, refunded: Decimal) -> &str {
    let total = order.totals.total.amount;
    // What is only announced has not come back yet.
    let back: i64 = order.returns.iter().filter(|back| !back.is_announced()).flat_map(|back| &back.items).map(|item| item.quantity).sum();
    let sold: i64 = order.lines.iter().filter(|line| is_sold(line, &order.lines)).map(|line| line.quantity).sum();
    match (&order.status, &order.payment_status, &order.shipping_status) {
        (OrderStatus::Cancelled, _, _) => "cancelled",
        (_, Some(PaymentStatus::Refunded), _) => "refunded",
        (_, Some(PaymentStatus::PartiallyRefunded), _) => "partially_refunded",
        _ if refunded > Decimal::ZERO && refunded >= total => "refunded",
        _ if refunded > Decimal::ZERO => "partially_refunded",
        _ if back > 0 && back >= sold => "returned",
        _ if back > 0 => "partially_returned",
        (_, _, Some(shipping @ (ShippingStatus::Delivered | ShippingStatus::Shipped | ShippingStatus::PartiallyShipped))) => {
            shipping.as_str()
        }
        (status, _, _) => status.as_str(),
    }
}
