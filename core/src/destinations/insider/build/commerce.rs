//! Orders and carts.

use std::borrow::Cow;

use chrono::TimeDelta;
use rust_decimal::Decimal;

use super::super::capabilities as endpoints;
use super::super::config::{Carts, PurchasePrice, PurchaseTax, ShippingCost};
use super::super::ids;
use super::super::payload::{Customs, Object, Stamp, array, event, splice};
use super::{Builder, profile};

use crate::error::Error;
use crate::model::money::{JsonNumber, allocate};
use crate::model::{AttributeValue, Cart, CartState, DiscountKind, Instant, LineItem, LineKind, Order, OrderStatus, SkipReason};

/// Digits that a price per unit keeps beyond the currency's own, so that quantity times price rounds to what was paid.
const SPARE_DIGITS: u32 = 6;

/// Most units of one line that a cart tells one by one.
const MOST_UNITS: i64 = 1_000;

/// Names that purchases use themselves in `custom`.
const PURCHASE_FIELDS: &[&str] =
    &["order_number", "line_id", "line_total", "order_total", "sku", "variant_id", "brand", "coupon_code", "store", "channel", "order_url"];

/// What was bought of one item. Lines of one item are one: Insider could take their events for one event sent twice.
#[derive(Debug)]
pub(super) struct Part<'a> {
    pub line: &'a LineItem,
    pub item_id: Option<Cow<'a, str>>,
    pub quantity: i64,
    /// What it comes to.
    pub total: Decimal,
    /// What it would have come to before anything was taken off; `None` when that is not known with the tax as asked for.
    pub list: Option<Decimal>,
    /// What was taken off.
    pub discount: Decimal,
}

impl<'a> Builder<'a> {
    pub(super) fn order(&mut self, order: &'a Order) -> Result<(), Error> {
        match order.status {
            OrderStatus::Incomplete => {
                self.skip(SkipReason::Ignored, "the shopper has not finished the order");
                return Ok(());
            }
            OrderStatus::Cancelled => {
                self.skip(SkipReason::Superseded, "the order is cancelled; a purchase that was not sent yet is not sent any more");
                return Ok(());
            }
            _ => {}
        }
        if !self.in_time(endpoints::PURCHASE, order.placed_at, "/body/placed_at") {
            return Ok(());
        }
        let Some(who) = self.actor() else { return Ok(()) };
        let config = &self.insider.config;
        let parts = self.parts(order);
        if parts.is_empty() {
            self.skip(SkipReason::NotSupported, "the order has no line that is a product, and a purchase is one");
            return Ok(());
        }
        let currency = order.totals.total.currency;
        let digits = currency.digits().unwrap_or(2);
        let promotion = order.discounts.iter().find_map(|discount| discount.code.as_deref().or(discount.name.as_deref()));
        let coupon = order.coupons.iter().find_map(|coupon| coupon.code.as_deref());
        let mut attributes = Customs::of_events(config, PURCHASE_FIELDS);
        let mut own = Object::new(128);
        attributes.write(&mut own, "", &order.attributes, "/body/attributes", &mut self.built.findings)?;
        let own = own.finish();
        let mut events = Vec::with_capacity(parts.len());
        for (index, part) in parts.iter().enumerate() {
            let line = part.line;
            let mut params = Object::new(512);
            params.put("event_group_id", &self.group_id(&order.id))?;
            params.text("product_id", part.item_id.as_deref())?;
            params.text("name", line.name.as_deref())?;
            params.list("taxonomy", &ids::categories(config, &line.categories))?;
            params.put("currency", currency.as_str())?;
            params.put("quantity", &part.quantity)?;
            params.maybe("unit_price", part.list.map(|list| JsonNumber(per_unit(list, part.quantity, digits))))?;
            params.put("unit_sale_price", &JsonNumber(per_unit(part.total, part.quantity, digits)))?;
            params.text("url", line.url.as_deref())?;
            params.text("product_image_url", line.image_url.as_deref())?;
            self.looks(&mut params, line)?;
            let first = index == 0 && config.shipping_cost == ShippingCost::FirstLine;
            if first || config.shipping_cost == ShippingCost::EveryLine {
                // A text, as the vendor's page has it.
                params.put("shipping_cost", &order.totals.shipping.amount.to_string())?;
            }
            if !part.discount.is_zero() {
                let of_line = line.discounts.iter().find_map(|discount| discount.code.as_deref().or(discount.name.as_deref()));
                params.text("promotion_name", of_line.or(promotion).or(coupon))?;
                params.put("promotion_discount", &JsonNumber(part.discount))?;
            }
            let mut custom = Object::new(256);
            custom.text("order_number", order.number.as_deref())?;
            custom.put("line_id", &line.id)?;
            custom.put("line_total", &JsonNumber(part.total))?;
            custom.put("order_total", &JsonNumber(order.totals.total.amount))?;
            custom.text("sku", line.sku.as_deref())?;
            custom.text("variant_id", line.variant_id.as_deref())?;
            custom.text("brand", line.brand.as_deref())?;
            custom.text("coupon_code", coupon)?;
            custom.text("store", self.envelope.market.store.as_deref())?;
            custom.text("channel", self.envelope.market.channel.as_deref())?;
            custom.text("order_url", order.url.as_deref())?;
            splice(&mut custom, &own)?;
            params.nested("custom", custom)?;
            events.push(event(config.purchase_name(), order.placed_at, params)?);
        }
        let mut row = Object::new(256 + events.iter().map(Vec::len).sum::<usize>());
        who.write(&mut row)?;
        row.raw("events", &array(events.iter().map(Vec::as_slice)))?;
        let mut operation = self.operation(endpoints::PURCHASE, format!("order:{}", order.id), profile(&who.name()), row.finish());
        operation.occurred_at = order.placed_at;
        operation.once = true;
        operation.group = self.group(order.placed_at).to_owned();
        // Made of the order alone: a later version of it is the same purchase.
        operation.idempotency_key = self.key("order", &order.id);
        if let Some(cart) = &order.cart_id {
            operation.supersedes = vec![format!("cart:{cart}")];
        }
        self.built.operations.push(operation);
        Ok(())
    }

    /// The lines that are products, with what they come to. With prices as they were paid, Σ parts = Σ lines − discounts on
    /// the whole, to the minor unit.
    pub(super) fn parts(&self, order: &'a Order) -> Vec<Part<'a>> {
        let config = &self.insider.config;
        let mut parts: Vec<Part<'a>> = Vec::with_capacity(order.lines.len());
        let of_order = order.discounts.iter().filter(|discount| discount.kind != DiscountKind::Shipping);
        let mut off: Decimal = of_order.map(|discount| discount.amount.amount).sum();
        for line in &order.lines {
            if line.total.amount < Decimal::ZERO {
                // A correction is no product; it lowers what was paid for the others.
                off -= line.total.amount;
                continue;
            }
            if line.kind == LineKind::Fee || line.quantity <= 0 {
                continue;
            }
            let (total, list) = taxed(line, config.purchase_tax);
            let item_id = ids::line_item_id(config, line);
            let discount = line.discounts.iter().map(|discount| discount.amount.amount).sum();
            match parts.iter_mut().find(|part| item_id.is_some() && part.item_id == item_id) {
                Some(part) => {
                    part.quantity += line.quantity;
                    part.total += total;
                    part.list = part.list.zip(list).map(|(a, b)| a + b);
                    part.discount += discount;
                }
                None => parts.push(Part { line, item_id, quantity: line.quantity, total, list, discount }),
            }
        }
        if config.purchase_price == PurchasePrice::AfterOrderDiscounts && off > Decimal::ZERO {
            let weights: Vec<Decimal> = parts.iter().map(|part| part.total).collect();
            let all: Decimal = weights.iter().sum();
            let digits = order.totals.total.currency.digits().unwrap_or(2);
            // What is more than the goods were worth was taken off the shipping.
            let shares = allocate(off.min(all), &weights, digits);
            for (part, share) in parts.iter_mut().zip(shares) {
                part.total -= share;
                part.discount += share;
            }
        }
        parts
    }

    /// Whether an event of that time is taken, and says so when not.
    pub(super) fn in_time(&mut self, endpoint: &'static str, at: Instant, pointer: &str) -> bool {
        let heard = self.envelope.observed_at;
        if at - heard > TimeDelta::minutes(endpoints::FUTURE_MINUTES) {
            self.refuse(pointer, "an event of the future would stay the newest one; check the shop's clock");
            return false;
        }
        let days = self.insider.config.retention(endpoint);
        if days > 0 && heard - at >= TimeDelta::days(days) {
            self.skip(
                SkipReason::NotSupported,
                format!("it is older than the {days} days Insider keeps such events; see `retention_days`"),
            );
            return false;
        }
        true
    }

    /// The id that ties the events of an order or cart together.
    pub(super) fn group_id<'t>(&self, id: &'t str) -> Cow<'t, str> {
        match self.insider.config.group_id_prefix.as_str() {
            "" => Cow::Borrowed(id),
            prefix => Cow::Owned(format!("{prefix}{id}")),
        }
    }

    /// Colour and size of the line.
    pub(super) fn looks(&self, params: &mut Object, line: &LineItem) -> Result<(), Error> {
        let catalog = &self.insider.config.catalog;
        params.text("color", text_of(line, catalog.color.as_deref().unwrap_or("color")))?;
        params.text("size", text_of(line, catalog.size.as_deref().unwrap_or("size")))
    }

    pub(super) fn cart(&mut self, cart: &'a Cart) -> Result<(), Error> {
        match cart.state {
            CartState::Ordered => {
                self.skip(SkipReason::Superseded, "the cart became an order, which is sent instead");
                return Ok(());
            }
            CartState::Merged => {
                self.skip(SkipReason::Superseded, "the cart went into another one, which is sent instead");
                return Ok(());
            }
            _ => {}
        }
        let config = &self.insider.config;
        if config.carts == Carts::Skip {
            self.skip(SkipReason::NotConfigured, "carts are not sent; see `carts`");
            return Ok(());
        }
        let at = cart.last_activity_at.or(cart.updated_at).unwrap_or(self.envelope.occurred_at);
        if !self.in_time(endpoints::CART, at, "/body/updated_at") {
            return Ok(());
        }
        let Some(who) = self.actor() else { return Ok(()) };
        let lines = if cart.state == CartState::Deleted { &[][..] } else { cart.lines.as_slice() };
        let wanted = |line: &&LineItem| {
            line.quantity > 0 && line.total.amount >= Decimal::ZERO && !matches!(line.kind, LineKind::Fee | LineKind::BundleChild)
        };
        let mut items: Vec<(Cow<'_, str>, i64, &LineItem)> = Vec::with_capacity(lines.len());
        for line in lines.iter().filter(wanted) {
            let id = ids::line_item_id(config, line).unwrap_or(Cow::Borrowed(line.id.as_str()));
            match items.iter_mut().find(|(known, ..)| *known == id) {
                Some((_, quantity, _)) => *quantity += line.quantity,
                None => items.push((id, line.quantity, line)),
            }
        }
        let group_id = self.group_id(&cart.id);
        let mut row = Object::new(512 + 512 * items.len());
        who.write(&mut row)?;
        if config.carts == Carts::Snapshot {
            let mut events = Vec::with_capacity(items.len());
            for (id, quantity, line) in &items {
                let mut params = Object::new(384);
                params.put("event_group_id", &group_id)?;
                params.put("quantity", quantity)?;
                self.describe(&mut params, id, line, cart)?;
                events.push(event(config.cart_event("cart_page_view"), at, params)?);
            }
            if events.is_empty() {
                let mut params = Object::new(64);
                params.put("event_group_id", &group_id)?;
                events.push(event(config.cart_event("cart_cleared"), at, params)?);
            }
            row.raw("events", &array(events.iter().map(Vec::as_slice)))?;
        } else {
            // One member per unit: the delta takes out those that were told before, and tells of those that are gone.
            let (mut described, mut units) = (Object::new(384 * items.len()), Object::new(24 * items.len()));
            for (id, quantity, line) in &items {
                let mut params = Object::new(384);
                self.describe(&mut params, id, line, cart)?;
                described.raw(id, &params.finish())?;
                for unit in 1..=(*quantity).min(MOST_UNITS) {
                    units.put(&format!("{unit}#{id}"), &1)?;
                }
            }
            row.put("cart", &group_id)?;
            row.put("at", &Stamp(at))?;
            row.put("currency", cart.totals.total.currency.as_str())?;
            row.raw("lines", &described.finish())?;
            row.raw("units", &units.finish())?;
        }
        let entity = format!("cart:{}", cart.id);
        let mut operation = self.operation(endpoints::CART, entity.clone(), profile(&who.name()), row.finish());
        operation.group = self.group(at).to_owned();
        operation.supersedes = vec![entity];
        if config.carts == Carts::Changes {
            operation.delta = Some("/units".into());
        }
        self.built.operations.push(operation);
        Ok(())
    }

    /// What is said of a line of a cart, but for the quantity.
    fn describe(&self, params: &mut Object, id: &str, line: &LineItem, cart: &Cart) -> Result<(), Error> {
        let config = &self.insider.config;
        params.put("product_id", id)?;
        params.text("name", line.name.as_deref())?;
        params.list("taxonomy", &ids::categories(config, &line.categories))?;
        params.put("currency", line.total.currency.as_str())?;
        params.put("unit_price", &JsonNumber(line.unit_list_price.amount))?;
        params.put("unit_sale_price", &JsonNumber(line.unit_price.amount))?;
        params.text("url", line.url.as_deref())?;
        params.text("product_image_url", line.image_url.as_deref())?;
        self.looks(params, line)?;
        let mut custom = Object::new(96);
        custom.text("cart_url", cart.url.as_deref())?;
        custom.text("sku", line.sku.as_deref())?;
        params.nested("custom", custom)
    }
}

/// A text attribute of a line.
fn text_of<'l>(line: &'l LineItem, name: &str) -> Option<&'l str> {
    match line.attributes.get(name) {
        Some(AttributeValue::Text(text)) => Some(text),
        _ => None,
    }
}

/// Total and list total of a line, with the tax as asked for.
fn taxed(line: &LineItem, tax: PurchaseTax) -> (Decimal, Option<Decimal>) {
    let total = line.total.amount;
    let list = line.unit_list_price.amount.checked_mul(Decimal::from(line.quantity));
    let amount = line.tax.map(|tax| tax.amount);
    match (tax, line.tax_included, amount) {
        (PurchaseTax::Included, Some(false), Some(amount)) => {
            (total + amount, line.tax_rate.zip(list).and_then(|(rate, list)| list.checked_mul(Decimal::ONE + rate)))
        }
        (PurchaseTax::Excluded, Some(true), Some(amount)) => {
            (total - amount, line.tax_rate.zip(list).and_then(|(rate, list)| list.checked_div(Decimal::ONE + rate)))
        }
        _ => (total, list),
    }
}

/// A total per unit: exact where it divides, else with so many digits that the product rounds back to the total.
pub(super) fn per_unit(total: Decimal, quantity: i64, digits: u32) -> Decimal {
    let unit = total.checked_div(Decimal::from(quantity)).unwrap_or(total);
    unit.round_dp(digits + SPARE_DIGITS).normalize()
}
