//! Orders and carts.

use std::borrow::Cow;

use rust_decimal::Decimal;

use super::super::capabilities as endpoints;
use super::super::config::{Api, CartWrite, TakenBack};
use super::super::ids::Who;
use super::super::payload::{
    Attrs, CartEventData, CartRow, EventRow, Fixed, Ident, Item, ItemProperties, OrderProperties, OrderRow, Postal, Stamp, bytes, filled,
    nonzero, some,
};
use super::{Builder, primary_key, profile, text};

use crate::error::Error;
use crate::model::money::JsonNumber;
use crate::model::{
    Cart, CartState, EventName, FulfilmentStatus, IdempotencyKey, LineItem, LineKind, Order, OrderStatus, PaymentStatus, ShippingStatus,
    SkipReason,
};

#[rustfmt::skip]
const ORDER_PROPERTIES: &[&str] = &[
    "currency", "order_status", "total", "subtotal", "shipping_total", "discount_total", "source", "order_number", "payment_status",
    "shipping_status", "workflow_state", "tax_added", "fee_total", "refunded_amount", "discount_codes", "shipping_methods",
    "payment_methods", "cart_id", "channel", "country", "locale", "url", "updated_at", "recurring", "imported", "mcID", "linkID",
];

#[rustfmt::skip]
pub(super) const ITEM_PROPERTIES: &[&str] = &[
    "line_id", "list_price", "line_total", "kind", "parent_line_id", "variant_id", "product_key", "category_path", "line_discount",
    "line_tax", "fulfilment",
];

/// The lines Cordial takes as items, and what the others come to.
#[derive(Default)]
pub(super) struct Parts<'a> {
    pub items: Vec<Item<'a>>,
    /// Σ quantity × price of the items: what Cordial computes the total from.
    pub sum: Decimal,
    /// What fee lines add.
    fees: Decimal,
}

impl<'a> Builder<'a> {
    pub(super) fn order(&mut self, order: &'a Order) -> Result<(), Error> {
        if order.status == OrderStatus::Incomplete {
            self.skip(SkipReason::Ignored, "the shopper has not finished the order");
            return Ok(());
        }
        let Some(who) = self.who() else { return Ok(()) };
        let config = &self.cordial.config;
        let attributes = Attrs::new(&order.attributes, ORDER_PROPERTIES);
        attributes.report("/body/attributes", &mut self.built.findings);
        let remove = config.taken_back == TakenBack::Remove;
        let cancelled = order.status == OrderStatus::Cancelled;
        let parts = self.items(&order.lines, if config.item_flags { Flags::Send } else { Flags::Leave }, remove.then_some(cancelled));
        let refunded: Decimal = order.refunds.iter().map(|refund| refund.amount.amount).sum();
        let totals = &order.totals;
        // What the order is worth now, and the one number that makes Cordial's own sum come to it.
        let worth = match (remove, cancelled) {
            (true, true) => Decimal::ZERO,
            (true, false) => totals.total.amount - refunded,
            (false, _) => totals.total.amount,
        };
        let shipping = totals.shipping.amount + parts.fees;
        let off = parts.sum + shipping + totals.tax_added.amount - worth;
        // A discount is never more than the goods: what is given back beyond them was shipping, then tax.
        let discount = off.min(parts.sum);
        let off_shipping = (off - discount).clamp(Decimal::ZERO, shipping.max(Decimal::ZERO));
        let off_tax = (off - discount - off_shipping).clamp(Decimal::ZERO, totals.tax_added.amount.max(Decimal::ZERO));
        let added = Some(totals.tax_added.amount).filter(|added| !added.is_zero());
        let tax = totals.tax.map(|tax| tax.amount).or(added);
        let market = &self.envelope.market;
        let own_id = self.id(&order.id);
        let customer_id = who.customer_id.as_deref();
        let age = (self.envelope.observed_at - order.placed_at).num_hours();
        let quiet = self.is_backfill() || !config.triggers.orders || age >= i64::from(config.order_max_age_h);
        let row = OrderRow {
            order_id: &own_id,
            who: ident(&who),
            purchase_date: Stamp(order.placed_at),
            status: order.status.as_str(),
            items: parts.items,
            shipping_and_handling: JsonNumber(shipping - off_shipping),
            properties: OrderProperties {
                currency: totals.total.currency.as_str(),
                order_status: order.status.as_str(),
                total: JsonNumber(totals.total.amount),
                subtotal: JsonNumber(totals.subtotal.amount),
                shipping_total: JsonNumber(totals.shipping.amount),
                discount_total: JsonNumber(totals.discount.amount),
                source: &self.envelope.source,
                attributes,
                order_number: order.number.as_deref(),
                payment_status: order.payment_status.as_ref().map(PaymentStatus::as_str),
                shipping_status: order.shipping_status.as_ref().map(ShippingStatus::as_str),
                workflow_state: order.workflow_state.as_deref(),
                tax_added: nonzero(totals.tax_added.amount),
                fee_total: nonzero(parts.fees),
                refunded_amount: nonzero(refunded),
                discount_codes: some(order.coupons.iter().filter_map(|coupon| coupon.code.as_deref())),
                shipping_methods: some(order.shipping.iter().filter_map(|charge| charge.method.as_deref())),
                payment_methods: filled(&order.payment_methods),
                cart_id: order.cart_id.as_deref(),
                channel: market.channel.as_deref(),
                country: market.country.as_deref(),
                locale: market.locale.as_deref(),
                url: order.url.as_deref(),
                updated_at: order.updated_at.map(Stamp),
                recurring: order.recurring.then_some(true),
                imported: order.imported.then_some(true),
            },
            suppress_triggers: quiet,
            customer_id,
            store_id: market.store.as_deref(),
            mc_id: text(&order.attributes, "mcID"),
            link_id: text(&order.attributes, "linkID"),
            shipping_address: order.shipping_address.as_ref().map(Postal),
            billing_address: order.billing_address.as_ref().map(Postal),
            tax: tax.map(|tax| JsonNumber(tax - off_tax)),
            discount_application: (discount > Decimal::ZERO).then_some(Fixed { kind: "fixed", amount: JsonNumber(discount) }),
        };
        let body = bytes(&row, 1024 + 512 * order.lines.len())?;
        let file = self.is_backfill() && config.imports.is_some();
        let endpoint = if file { endpoints::FILE_ORDERS } else { endpoints::ORDER };
        self.ensure(&who)?;
        let name = who.name();
        let mut operation = self.operation(endpoint, format!("order:{}", order.id), profile(&name), body);
        if !file {
            operation.params.insert("orderID".to_owned(), own_id.into_owned());
        }
        self.built.operations.push(operation);
        // Only a purchase of just now: a note on an old order must not empty the cart of today.
        if let Some(cart) = order.cart_id.as_deref().filter(|_| !quiet && !cancelled && age < 1) {
            self.clear_cart(cart, &who, true)?;
        }
        Ok(())
    }

    pub(super) fn cart(&mut self, cart: &'a Cart) -> Result<(), Error> {
        if cart.state == CartState::Merged {
            self.skip(SkipReason::Superseded, "the cart went into another one, which is sent instead");
            return Ok(());
        }
        if self.is_backfill() {
            self.skip(SkipReason::BackfillQuiet, "a cart of the past is not the cart of now; send open carts live after the backfill");
            return Ok(());
        }
        let Some(who) = self.who() else { return Ok(()) };
        let config = &self.cordial.config;
        if cart.state == CartState::Ordered {
            if !config.clear_ordered_carts {
                self.skip(SkipReason::Superseded, "the cart became an order; see `clear_ordered_carts`");
                return Ok(());
            }
            return self.clear_cart(&cart.id, &who, false);
        }
        let parts = if cart.state == CartState::Deleted { Parts::default() } else { self.items(&cart.lines, Flags::Leave, None) };
        if parts.items.is_empty() {
            return self.clear_cart(&cart.id, &who, false);
        }
        let own_id = self.id(&cart.id);
        let name = who.name();
        let count = parts.items.iter().map(|item| item.qty).sum();
        let row = CartRow { cart_id: &own_id, cartitems: parts.items, customer_id: who.customer_id.as_deref(), url: cart.url.as_deref() };
        let body = bytes(&row, 256 + 512 * cart.lines.len())?;
        let endpoint = if config.cart_write == CartWrite::Put { endpoints::CART_PUT } else { endpoints::CART };
        let entity = format!("cart:{}", cart.id);
        let data = CartEventData {
            cart_id: &own_id,
            item_count: count,
            value: JsonNumber(cart.totals.total.amount),
            currency: cart.totals.total.currency.as_str(),
            url: cart.url.as_deref(),
        };
        self.ensure(&who)?;
        let mut operation = self.operation(endpoint, entity.clone(), profile(&name), body);
        operation.params = primary_key(&who);
        operation.supersedes = vec![entity];
        self.built.operations.push(operation);
        if config.cart_events {
            let event_name = config.event_names.get("cart_updated").map_or("cart_updated", String::as_str);
            // Only the shopper's own doing: a version alone is no news.
            let touched = cart
                .last_activity_at
                .map_or_else(|| self.envelope.version.unwrap_or_default().to_string(), |at| at.timestamp().to_string());
            let uid = format!("cart-{own_id}-{touched}");
            self.track(&who, event_name, &uid, cart.last_activity_at.unwrap_or(self.envelope.occurred_at), format!("event:{uid}"), data)?;
        }
        Ok(())
    }

    fn clear_cart(&mut self, cart: &str, who: &Who<'a>, aside: bool) -> Result<(), Error> {
        if aside && !self.cordial.config.clear_ordered_carts {
            return Ok(());
        }
        let name = who.name();
        let entity = format!("cart:{cart}");
        let mut operation = self.operation(endpoints::CART_DELETE, entity.clone(), profile(&name), b"null".to_vec());
        operation.params = primary_key(who);
        operation.supersedes = vec![entity];
        if aside {
            // The order's version is not the cart's.
            operation.version = None;
            operation.idempotency_key = IdempotencyKey::new(format!("{}:cart", self.envelope.idempotency_key));
        }
        self.built.operations.push(operation);
        Ok(())
    }

    /// `taken_back`: whether units that were given back are left out, and whether all were.
    pub(super) fn items(&mut self, lines: &'a [LineItem], flags: Flags, taken_back: Option<bool>) -> Parts<'a> {
        let mut parts = Parts { items: Vec::with_capacity(lines.len()), ..Parts::default() };
        for (index, line) in lines.iter().enumerate() {
            let below_zero = |amount: Decimal| amount.is_sign_negative() && !amount.is_zero();
            if below_zero(line.total.amount) || below_zero(line.unit_price.amount) {
                // What takes something off is part of the discount.
                continue;
            }
            if line.kind == LineKind::Fee {
                parts.fees += line.total.amount;
                continue;
            }
            let gone = match taken_back {
                Some(true) => line.quantity,
                Some(false) => line.fulfilment.cancelled.max(0) + line.fulfilment.refunded.max(0),
                None => 0,
            };
            let qty = line.quantity - gone;
            if qty <= 0 {
                continue;
            }
            let attributes = Attrs::new(&line.attributes, ITEM_PROPERTIES);
            if !line.attributes.is_empty() {
                attributes.report(&format!("/body/lines/{index}/attributes"), &mut self.built.findings);
            }
            // What is given away, or paid with its bundle, must not count twice.
            let free = line.kind == LineKind::Gift || (line.kind == LineKind::BundleChild && line.total.amount.is_zero());
            let price = if free { Decimal::ZERO } else { line.unit_price.amount };
            parts.sum += price * Decimal::from(qty);
            let flag = |value| (flags == Flags::Send && line.kind != LineKind::Custom).then_some(value);
            parts.items.push(Item {
                product_id: self.product_id(line),
                sku: sku(line),
                category: self.category_name(&line.categories),
                name: line.name.as_deref().or(line.sku.as_deref()).or(line.product_key.as_deref()).unwrap_or(&line.id),
                qty,
                item_price: JsonNumber(price),
                properties: ItemProperties {
                    line_id: &line.id,
                    list_price: JsonNumber(line.unit_list_price.amount),
                    line_total: JsonNumber(line.total.amount),
                    attributes,
                    kind: kind(line.kind),
                    parent_line_id: line.parent_id.as_deref(),
                    variant_id: line.variant_id.as_deref(),
                    product_key: line.product_key.as_deref(),
                    category_path: line.categories.first().and_then(|category| filled(&category.path)),
                    line_discount: nonzero(line.discounts.iter().map(|discount| discount.amount.amount).sum()),
                    line_tax: line.tax.map(|tax| JsonNumber(tax.amount)),
                    fulfilment: fulfilment(line.fulfilment.status),
                },
                url: line.url.as_deref(),
                images: line.image_url.as_deref().map(|url| [url]),
                manufacturer_name: line.brand.as_deref().filter(|_| flags != Flags::Leave),
                enabled: flag(true),
                in_stock: flag(true),
            });
        }
        parts
    }

    fn product_id(&self, line: &'a LineItem) -> Cow<'a, str> {
        match (&line.product_id, &line.sku) {
            (Some(id), _) | (None, Some(id)) => self.id(id),
            (None, None) => Cow::Owned(format!("line-{}", line.id)),
        }
    }

    /// One event of somebody, once.
    pub(super) fn track<D: serde::Serialize>(
        &mut self,
        who: &Who<'a>,
        event_name: &str,
        uid: &str,
        at: crate::model::Instant,
        entity: String,
        properties: D,
    ) -> Result<(), Error> {
        let config = &self.cordial.config;
        let row = EventRow { a: event_name, who: ident(who), ats: Stamp(at), uid, properties };
        let body = bytes(&row, 512)?;
        let endpoint = if config.api == Api::Async && config.asynchronous.events && !self.is_backfill() {
            endpoints::EVENT_ASYNC
        } else {
            endpoints::EVENT
        };
        let mut operation = self.operation(endpoint, entity, profile(&who.name()), body);
        operation.once = true;
        operation.occurred_at = at;
        operation.idempotency_key = self.key(uid);
        self.built.operations.push(operation);
        Ok(())
    }

    /// Whether an event of a backfill is withheld; remembers it then.
    pub(super) fn withheld(&mut self, uid: &str) -> bool {
        if !self.withholds(self.cordial.config.backfill_events) {
            return false;
        }
        self.skip(SkipReason::BackfillQuiet, "events cannot be sent quietly; see `backfill_events`");
        let key = self.key(uid);
        self.built.withheld.push(key);
        true
    }

    pub(super) fn event_name_of(&self, name: &'static str) -> Cow<'a, str> {
        match self.cordial.config.event_names.get(name) {
            Some(configured) => Cow::Borrowed(configured.as_str()),
            None => Cow::Owned(EventName::from_text(name).as_str().to_owned()),
        }
    }
}

/// Whether items carry what an order would otherwise reset on the product.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flags {
    /// `enabled`, `inStock`.
    Send,
    /// Neither.
    Leave,
}

pub(super) fn ident<'b>(who: &'b Who<'_>) -> Ident<'b> {
    Ident { key: who.key(), value: Cow::Borrowed(who.value()) }
}

fn sku(line: &LineItem) -> Cow<'_, str> {
    match (&line.sku, &line.product_id, &line.variant_id) {
        (Some(sku), ..) => Cow::Borrowed(sku),
        (None, Some(product), Some(variant)) => Cow::Owned(format!("{product}-{variant}")),
        (None, Some(product), None) => Cow::Borrowed(product),
        (None, None, _) => Cow::Borrowed(&line.id),
    }
}

fn kind(kind: LineKind) -> Option<&'static str> {
    match kind {
        LineKind::Product => None,
        LineKind::Custom => Some("custom"),
        LineKind::Gift => Some("gift"),
        LineKind::GiftCertificate => Some("gift_certificate"),
        LineKind::Fee => Some("fee"),
        LineKind::BundleParent => Some("bundle_parent"),
        LineKind::BundleChild => Some("bundle_child"),
    }
}

fn fulfilment(status: FulfilmentStatus) -> Option<&'static str> {
    match status {
        FulfilmentStatus::Open => None,
        FulfilmentStatus::PartiallyShipped => Some("partially_shipped"),
        FulfilmentStatus::Shipped => Some("shipped"),
        FulfilmentStatus::Delivered => Some("delivered"),
        FulfilmentStatus::PartiallyReturned => Some("partially_returned"),
        FulfilmentStatus::Returned => Some("returned"),
        FulfilmentStatus::Cancelled => Some("cancelled"),
    }
}
