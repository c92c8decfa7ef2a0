//! Orders and carts.

use std::borrow::Cow;

use rust_decimal::Decimal;

use super::super::super::{Given, Provided};
use super::super::capabilities as endpoints;
use super::super::config::{CatalogLayout, EmptyCart, Write};
use super::super::ids::{self, Who};
use super::super::payload::{
    Attrs, CartData, CartRow, CartUser, Data, EmptyCartRow, ITEM_FIELDS, Item, ItemData, NoItems, PURCHASE_FIELDS, Place, Purchase,
    PurchaseData, PurchaseUser, Stamp, bytes, filled, nonzero,
};
use super::{Builder, category_paths, profile, some};

use crate::error::Error;
use crate::model::money::JsonNumber;
use crate::model::{Cart, CartState, LineItem, LineKind, Mode, Money, Order, OrderStatus, ShippingStatus, SkipReason};

impl<'a> Builder<'a> {
    pub(super) fn order(&mut self, order: &'a Order) -> Result<(), Error> {
        match order.status {
            OrderStatus::Incomplete => {
                self.skip(SkipReason::Ignored, "the shopper has not finished the order");
                return Ok(());
            }
            OrderStatus::Cancelled => {
                self.skip(SkipReason::Superseded, "the order is cancelled; a purchase that was not sent yet is not sent any more");
                return self.cart_of_cancelled(order);
            }
            _ => {}
        }
        if self.quiet(self.iterable.config.backfill_purchases) {
            self.skip(SkipReason::BackfillQuiet, "a purchase clears the live cart and can start journeys; see `backfill_purchases`");
            self.withhold("order", &order.id);
            return Ok(());
        }
        let age = (self.envelope.observed_at - order.placed_at).num_hours();
        let oldest = self.iterable.config.purchase_max_age_h.map(i64::from);
        if self.envelope.mode == Mode::Live && oldest.is_some_and(|oldest| age >= oldest) {
            self.skip(SkipReason::BackfillQuiet, "the order is older than `purchase_max_age_h`; send it in a backfill");
            return Ok(());
        }
        let Some(who) = self.who() else { return Ok(()) };
        if order.totals.total.amount.is_sign_negative() && !order.totals.total.amount.is_zero() {
            self.refuse("/body/totals/total", "Iterable documents no purchase with a total below zero");
            return Ok(());
        }
        let market = &self.envelope.market;
        let id = ids::event_id(self.envelope, "order", &order.id);
        let attributes = Attrs::new(&order.attributes, Place::Event(PURCHASE_FIELDS));
        attributes.report("/body/attributes", &mut self.built.findings);
        let parts = self.items(&order.lines);
        let address = order.shipping_address.as_ref();
        let totals = &order.totals;
        let certificates: Decimal = order.gift_certificates.iter().map(|certificate| certificate.amount.amount).sum();
        let row = Purchase {
            id: &id,
            created_at: order.placed_at.timestamp(),
            user: PurchaseUser { email: who.email(), user_id: who.user_id(), prefer_user_id: who.prefer() },
            total: JsonNumber(totals.total.amount),
            data_fields: PurchaseData {
                order_id: &order.id,
                order_number: order.number.as_deref(),
                source: &self.envelope.source,
                currency: totals.total.currency.as_str(),
                subtotal: JsonNumber(totals.subtotal.amount + parts.taken_off + parts.discounted - parts.fees),
                shipping_total: JsonNumber(totals.shipping.amount),
                fee_total: nonzero(parts.fees),
                tax_total: totals.tax.map(|tax| JsonNumber(tax.amount)),
                discount_total: JsonNumber(totals.discount.amount - certificates + parts.taken_off + parts.discounted),
                gift_certificate_total: nonzero(certificates),
                discount_codes: some(order.coupons.iter().filter_map(|coupon| coupon.code.as_deref())),
                status: order.status.as_str(),
                payment_status: order.payment_status.as_ref().map(|status| status.as_str()),
                shipping_status: order.shipping_status.as_ref().map(ShippingStatus::as_str),
                workflow_state: order.workflow_state.as_deref(),
                shipping_methods: some(order.shipping.iter().filter_map(|charge| charge.method.as_deref())),
                payment_methods: filled(&order.payment_methods),
                cart_id: order.cart_id.as_deref(),
                store: market.store.as_deref(),
                channel: market.channel.as_deref(),
                country: market.country.as_deref(),
                locale: market.locale.as_deref(),
                shipping_country: address.and_then(|address| address.country.as_deref()),
                shipping_city: address.and_then(|address| address.city.as_deref()),
                shipping_region: address.and_then(|address| address.region.as_deref()),
                shipping_postal_code: address.and_then(|address| address.postal_code.as_deref()),
                url: order.url.as_deref(),
                recurring: order.recurring.then_some(true),
                imported: order.imported.then_some(true),
                placed_at: Stamp(order.placed_at),
                attributes,
            },
            items: parts.items,
        };
        let body = bytes(&row, 1024 + 512 * order.lines.len())?;
        let name = who.name();
        let mut operation = self.operation(endpoints::PURCHASE, format!("order:{}", order.id), profile(&name), body);
        operation.occurred_at = order.placed_at;
        operation.once = true;
        // Made of the order alone: a later version of it is the same purchase.
        operation.idempotency_key = self.key(&id);
        if let Some(cart) = &order.cart_id {
            operation.supersedes = vec![format!("cart:{cart}")];
        }
        self.built.operations.push(operation);
        Ok(())
    }

    pub(super) fn cart(&mut self, cart: &'a Cart) -> Result<(), Error> {
        match cart.state {
            CartState::Ordered => {
                self.skip(SkipReason::Superseded, "the cart became an order; its purchase clears it");
                return Ok(());
            }
            CartState::Merged => {
                self.skip(SkipReason::Superseded, "the cart went into another one, which is sent instead");
                return Ok(());
            }
            _ => {}
        }
        if self.envelope.mode == Mode::Backfill {
            self.skip(SkipReason::BackfillQuiet, "a cart of the past is not the cart of now; send open carts live after the backfill");
            return Ok(());
        }
        let Some(who) = self.who() else { return Ok(()) };
        let config = &self.iterable.config;
        let parts = if cart.state == CartState::Deleted { Parts::default() } else { self.items(&cart.lines) };
        let name = who.name();
        let entity = format!("cart:{}", cart.id);
        let (endpoint, body) = match (parts.items.is_empty(), config.empty_cart) {
            (true, EmptyCart::Skip) => {
                self.skip(SkipReason::NotConfigured, "an emptied cart is not sent; see `empty_cart`");
                return Ok(());
            }
            (true, EmptyCart::Profile) => {
                let fields = cart_data(cart, true);
                self.no_items(&who, fields)?
            }
            _ => {
                let fields = cart_data(cart, parts.items.is_empty());
                let row = CartRow {
                    user: CartUser {
                        email: who.email(),
                        user_id: who.user_id(),
                        prefer_user_id: who.prefer(),
                        create_new_fields: config.create_new_fields,
                        data_fields: Data(fields),
                    },
                    items: parts.items,
                };
                (endpoints::CART, bytes(&row, 512 + 512 * cart.lines.len())?)
            }
        };
        let mut operation = self.operation(endpoint, entity.clone(), profile(&name), body);
        operation.supersedes = vec![entity];
        self.built.operations.push(operation);
        Ok(())
    }

    /// Empties the cart of an order that was cancelled before its purchase was sent, as the purchase would have: nobody is
    /// to be reminded of it. Only where the cart was sent.
    fn cart_of_cancelled(&mut self, order: &'a Order) -> Result<(), Error> {
        let config = &self.iterable.config;
        let Some(cart) = order.cart_id.as_deref().filter(|_| self.envelope.mode == Mode::Live && config.empty_cart != EmptyCart::Skip)
        else {
            return Ok(());
        };
        let Ok(who) = ids::who(config, self.iterable.project, &self.envelope.identity) else { return Ok(()) };
        let fields = CartData {
            cart_id: cart,
            cart_total: JsonNumber(Decimal::ZERO),
            cart_currency: order.totals.total.currency.as_str(),
            cart_updated_at: Some(None),
            cart_url: None,
        };
        let (endpoint, body) = match config.empty_cart {
            EmptyCart::Profile => self.no_items(&who, fields)?,
            _ => {
                let user = CartUser {
                    email: who.email(),
                    user_id: who.user_id(),
                    prefer_user_id: who.prefer(),
                    create_new_fields: config.create_new_fields,
                    data_fields: Data(fields),
                };
                (endpoints::CART, bytes(&CartRow { user, items: Vec::new() }, 256)?)
            }
        };
        let entity = format!("cart:{cart}");
        let mut operation = self.operation(endpoint, entity.clone(), profile(&who.name()), body);
        operation.once = true;
        operation.idempotency_key = self.key(&ids::event_id(self.envelope, "cart-cancelled", &order.id));
        operation.supersedes = vec![entity];
        self.built.provided.push(Provided { given: Given::Open, operation });
        Ok(())
    }

    /// A profile write that empties the cart.
    fn no_items(&self, who: &Who<'_>, fields: CartData<'_>) -> Result<(&'static str, Vec<u8>), Error> {
        let row = EmptyCartRow {
            email: who.email(),
            user_id: who.user_id(),
            prefer_user_id: who.prefer(),
            data_fields: Data(NoItems { shopping_cart_items: [], cart: fields }),
        };
        let endpoint = if self.iterable.config.write == Write::Bulk { endpoints::USERS_BULK } else { endpoints::USERS_UPDATE };
        Ok((endpoint, bytes(&row, 256)?))
    }

    /// The lines Iterable takes as items, and what the others come to.
    pub(super) fn items(&mut self, lines: &'a [LineItem]) -> Parts<'a> {
        let mut parts = Parts { items: Vec::with_capacity(lines.len()), ..Parts::default() };
        for (index, line) in lines.iter().enumerate() {
            let negative = |money: Money| money.amount.is_sign_negative() && !money.amount.is_zero();
            if negative(line.total) || negative(line.unit_price) {
                parts.taken_off += line.total.amount.abs();
                continue;
            }
            if line.kind == LineKind::Fee {
                parts.fees += line.total.amount;
                continue;
            }
            if line.quantity <= 0 {
                continue;
            }
            let attributes = Attrs::new(&line.attributes, Place::Event(ITEM_FIELDS));
            if !line.attributes.is_empty() {
                attributes.report(&format!("/body/lines/{index}/attributes"), &mut self.built.findings);
            }
            // It must not count twice in sums over items.
            let free = line.is_free();
            let discount: Decimal = line.discounts.iter().map(|discount| discount.amount.amount).sum();
            if !free {
                parts.discounted += line.discounted_after_price();
            }
            let id = self.item_id(line);
            parts.items.push(Item {
                name: line.name.as_deref().or(line.sku.as_deref()).or(line.product_key.as_deref()).unwrap_or(&line.id),
                id,
                sku: line.sku.as_deref(),
                price: JsonNumber(if free { Decimal::ZERO } else { line.unit_price.amount }),
                quantity: line.quantity,
                categories: category_paths(&line.categories),
                url: line.url.as_deref(),
                image_url: line.image_url.as_deref(),
                data_fields: Data(ItemData {
                    line_id: &line.id,
                    kind: kind(line.kind),
                    parent_line_id: line.parent_id.as_deref(),
                    product_id: line.product_id.as_deref(),
                    product_key: line.product_key.as_deref(),
                    variant_id: line.variant_id.as_deref(),
                    brand: line.brand.as_deref(),
                    currency: line.total.currency.as_str(),
                    list_price: JsonNumber(line.unit_list_price.amount),
                    line_total: JsonNumber(line.total.amount),
                    line_discount: nonzero(discount),
                    line_tax: line.tax.map(|tax| JsonNumber(tax.amount)),
                    attributes,
                }),
            });
        }
        parts
    }

    /// The id of the catalog item the line is about, so that templates can look it up.
    fn item_id(&self, line: &'a LineItem) -> Cow<'a, str> {
        match (&line.product_id, &line.variant_id, self.iterable.config.catalog_layout) {
            (Some(product), Some(variant), CatalogLayout::Variant) => ids::variant_item_id(product, variant).into(),
            (Some(product), _, _) => ids::encode(product),
            // Not in the catalog. The words before keep it from being taken for a product that has that id.
            (None, _, _) => {
                let own = line.sku.as_ref().map_or_else(|| format!("line-{}", line.id), |sku| format!("sku-{sku}"));
                ids::encode(&own).into_owned().into()
            }
        }
    }
}

/// What the profile says of a cart.
fn cart_data(cart: &Cart, empty: bool) -> CartData<'_> {
    CartData {
        cart_id: &cart.id,
        cart_total: JsonNumber(if empty { Decimal::ZERO } else { cart.totals.total.amount }),
        cart_currency: cart.totals.total.currency.as_str(),
        // Only the shopper's own doing: a new version alone must not look like a new cart, each one is an event. Of an empty
        // cart nobody knows when it was touched, and the time before must not stay.
        cart_updated_at: match cart.last_activity_at {
            None if empty => Some(None),
            at => at.map(|at| Some(Stamp(at))),
        },
        cart_url: cart.url.as_deref(),
    }
}

#[derive(Default)]
pub(super) struct Parts<'a> {
    pub(super) items: Vec<Item<'a>>,
    /// What lines below zero take off, as a positive amount.
    taken_off: Decimal,
    /// What was taken off items after their price.
    discounted: Decimal,
    /// What fee lines add.
    fees: Decimal,
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
