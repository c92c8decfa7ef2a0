//! Carts and checkouts. <https://developer.bigcommerce.com/docs/rest-management/carts>

use rust_decimal::Decimal;

use super::map::{About, Row, address, exact, fill, identity, locale, money, owned, version_of, version_text};
use super::orders::fallback_sku;
use super::people::member;
use super::sums::{Amounts, Side, extra_line, settle};
use super::values::{Fields, Place};
use super::wire::Stamp;
use super::wire::carts::{Cart as WireCart, Checkout, Composed, Item};
use crate::model::{
    Attributes, Body, Cart, CartState, Coupon, Currency, Discount, DiscountKind, Event, EventName, Finding, Fulfilment, Identity, LineItem,
    LineKind, Market, ShippingCharge,
};
use crate::normalize::line_items::{Overflow, add_discount, less, times};
use crate::normalize::text::filled;
use crate::sources::rows::Failure;

impl Row<'_, '_> {
    pub(super) fn composed_cart(&mut self, composed: &Composed<'_>, raw: &str) -> Result<(), Failure> {
        self.prefix = "/cart";
        let cart = &composed.cart;
        let raw = member(raw, "cart").unwrap_or(raw);
        // The platform calls a cart abandoned an hour after its last change.
        let an_hour_later = || cart.updated_time.0.and_then(|at| at.checked_add_signed(chrono::TimeDelta::hours(1)));
        let left_at = composed.abandoned_at.0.or_else(|| an_hour_later().filter(|_| composed.abandoned == Some(true)));
        let Some(left_at) = left_at else { return self.cart(cart, raw) };
        let before = self.out.records.len();
        self.cart_as(cart, raw, CartState::Abandoned)?;
        let Some(id) = filled(&cart.id) else { return Err(self.missing("id")) };
        let last = self.out.records.get(before..).and_then(<[_]>::last).map(|one| &one.record);
        let Some((Body::Cart(body), market)) = last.map(|record| (record.body.clone(), record.envelope.market.clone())) else {
            return Ok(());
        };
        let event = Event {
            cart_id: Some(body.id),
            value: Some(body.totals.total),
            url: body.url,
            lines: body.lines,
            ..Event::new(EventName::CartAbandoned)
        };
        // A cart that is changed and left again is abandoned again.
        let since = version_text(cart.updated_time.0, raw);
        let about = About {
            kind: "cart",
            id,
            version: None,
            occurred_at: Some(left_at),
            market,
            identity: identity(&cart.customer_id, &cart.email),
            fact: &["cart_abandoned", &since],
        };
        self.emit_news(about, Body::Event(event));
        Ok(())
    }

    pub(super) fn cart(&mut self, cart: &WireCart<'_>, raw: &str) -> Result<(), Failure> {
        self.cart_as(cart, raw, CartState::Active)
    }

    fn cart_as(&mut self, cart: &WireCart<'_>, raw: &str, state: CartState) -> Result<(), Failure> {
        let mut findings = Vec::new();
        let currency = self.currency(&cart.currency.code, "currency/code")?;
        let side = if cart.tax_included == Some(true) { Side::IncTax } else { Side::ExTax };
        let total = cart.cart_amount.0.or(cart.cart_amount_inc_tax.0);
        let Some(total) = total else { return Err(self.missing("cart_amount")) };
        let mut preferred = self.cart_amounts(cart, side, currency)?;
        // The cart says its sum with tax and nothing about the tax: the difference is the tax where prices are without.
        let tax = preferred.sum_without_tax().and_then(|sum| total.checked_sub(sum).ok_or(Overflow));
        let tax = tax.map_err(self.overflow("/cart_amount"))?;
        if side == Side::ExTax && tax > Decimal::ZERO {
            preferred.tax = Some(money(tax, currency));
        }
        let other = || self.cart_amounts(cart, side.other(), currency);
        let pointer = self.pointer("/cart_amount");
        let settled = settle(total, currency, preferred, other, &pointer, &mut findings)?;
        let body = self.cart_body(cart, currency, state, settled, &mut findings)?;
        self.emit_cart(cart, raw, cart.updated_time, body, findings);
        Ok(())
    }

    /// A checkout is its cart with address, shipping and tax; it tells, once, that someone went there.
    pub(super) fn checkout(&mut self, checkout: &Checkout<'_>, raw: &str) -> Result<(), Failure> {
        let mut findings = Vec::new();
        let cart = &checkout.cart;
        self.prefix = "/cart";
        let currency = self.currency(&cart.currency.code, "currency/code")?;
        let Some(total) = checkout.grand_total.0 else { return Err(Failure::malformed("/grand_total", "missing field `grand_total`")) };
        let read = |side: Side| -> Result<Amounts, Failure> {
            let mut amounts = self.cart_amounts(cart, side, currency)?;
            for consignment in &checkout.consignments {
                let cost = side.of(consignment.shipping_cost_ex_tax, consignment.shipping_cost_inc_tax).or_zero();
                let method = consignment.selected_shipping_option.0.as_ref().and_then(|option| owned(&option.description));
                if cost.is_zero() && method.is_none() {
                    continue;
                }
                amounts.shipping.push(ShippingCharge {
                    key: (checkout.consignments.iter().len() > 1).then(|| owned(&consignment.id)).flatten(),
                    method,
                    amount: money(cost, currency),
                    discounts: Vec::new(),
                    tax: None,
                    tax_included: Some(side == Side::IncTax),
                });
            }
            let handling = side.of(checkout.handling_cost_total_ex_tax, checkout.handling_cost_total_inc_tax).or_zero();
            if !handling.is_zero() {
                amounts.lines.push(extra_line(LineKind::Fee, "handling", "Handling", money(handling, currency), None));
            }
            for fee in &checkout.fees {
                let cost = money(side.of(fee.cost_ex_tax, fee.cost_inc_tax).or_zero(), currency);
                let name = filled(&fee.display_name).unwrap_or("Fee");
                amounts.fees.push(extra_line(LineKind::Fee, &format!("fee-{}", &*fee.id), name, cost, None));
            }
            amounts.tax = checkout.tax_total.0.map(|tax| money(tax, currency));
            Ok(amounts)
        };
        // Lines of a cart are as the merchant typed them, which is without tax unless the cart says otherwise.
        let side = if cart.tax_included == Some(true) { Side::IncTax } else { Side::ExTax };
        let settled = settle(total, currency, read(side)?, || read(side.other()), "/grand_total", &mut findings)?;
        let state = if checkout.order_id.id().is_some() { CartState::Ordered } else { CartState::Active };
        let mut body = self.cart_body(cart, currency, state, settled, &mut findings)?;
        body.billing_address = checkout.billing_address.0.as_ref().and_then(address);
        let ship_to = |one: &super::wire::carts::Consignment<'_>| {
            let either = one.address.0.as_ref().or(one.shipping_address.0.as_ref());
            either.and_then(address)
        };
        body.shipping_address = checkout.consignments.iter().find_map(ship_to);
        body.updated_at = checkout.updated_time.0.or(body.updated_at);
        let billed = body.billing_address.as_ref().and_then(|address| address.email.clone());
        let mut whom = identity(&cart.customer_id, &cart.email);
        if whom.email.is_none()
            && let Some(email) = &billed
        {
            super::map::set_email(&mut whom, email);
        }
        let (id, lines, value, url) = (body.id.clone(), body.lines.clone(), body.totals.total, body.url.clone());
        let updated = Stamp(body.updated_at);
        let started = whom.email.is_some() || whom.customer_id.is_some();
        let market = self.cart_market(cart, currency, body.shipping_address.as_ref().and_then(|one| one.country.clone()));
        self.emit_whole_cart(cart, raw, updated, body, whom.clone(), market.clone(), findings);
        if started {
            let event = Event { cart_id: Some(id.clone()), value: Some(value), url, lines, ..Event::new(EventName::CheckoutStarted) };
            let about =
                About { kind: "cart", id: &id, version: None, occurred_at: updated.0, market, identity: whom, fact: &["checkout_started"] };
            self.emit_news(about, Body::Event(event));
        }
        Ok(())
    }

    fn emit_cart(&mut self, cart: &WireCart<'_>, raw: &str, updated: Stamp, body: Cart, findings: Vec<Finding>) {
        let market = self.cart_market(cart, body.totals.total.currency, None);
        self.emit_whole_cart(cart, raw, updated, body, identity(&cart.customer_id, &cart.email), market, findings);
    }

    #[allow(clippy::too_many_arguments)] // two callers, one per kind
    fn emit_whole_cart(
        &mut self,
        cart: &WireCart<'_>,
        raw: &str,
        updated: Stamp,
        body: Cart,
        identity: Identity,
        market: Market,
        findings: Vec<Finding>,
    ) {
        // Carts have no session's id: until someone signs in or types an address there is nobody to tell anything of.
        if identity.customer_id.is_none() && identity.email.is_none() {
            self.ignore("cart of nobody known", true);
            return;
        }
        let id = body.id.clone();
        let changed = updated.0.or(cart.created_time.0);
        let version = version_text(changed, raw);
        // The same cart at the same time, known in another way, is another state.
        let word = match (&body.state, body.billing_address.is_some() || body.shipping_address.is_some()) {
            (CartState::Active, false) => "snapshot",
            (CartState::Active, true) => "checkout",
            (state, _) => state.as_str(),
        }
        .to_owned();
        let about =
            About { kind: "cart", id: &id, version: version_of(updated), occurred_at: changed, market, identity, fact: &[&word, &version] };
        self.emit(about, Body::Cart(body), findings);
    }

    fn cart_market(&self, cart: &WireCart<'_>, currency: Currency, country: Option<String>) -> Market {
        let config = &self.compiled.config;
        Market {
            store: None,
            channel: cart.channel_id.id().map(str::to_owned),
            country,
            locale: locale(&cart.locale).or_else(|| config.locale.clone()),
            currency: Some(currency),
            customer_group: None,
        }
    }

    fn cart_body(
        &self,
        cart: &WireCart<'_>,
        currency: Currency,
        state: CartState,
        settled: super::sums::Settled,
        findings: &mut Vec<Finding>,
    ) -> Result<Cart, Failure> {
        let Some(id) = filled(&cart.id) else { return Err(self.missing("id")) };
        let mut lines = settled.lines;
        self.options(cart, &mut lines, findings);
        let market = Market { locale: locale(&cart.locale), ..Market::default() };
        let coupons = cart.coupons.iter().map(|one| Coupon {
            code: owned(&one.code),
            id: one.id.id().map(str::to_owned),
            amount: one.discounted_amount.0.map(|off| money(off, currency)),
        });
        Ok(Cart {
            id: id.to_owned(),
            key: None,
            state,
            lines,
            shipping: settled.shipping,
            discounts: settled.discounts,
            coupons: coupons.collect(),
            gift_certificates: settled.gift_certificates,
            totals: settled.totals,
            shipping_address: None,
            billing_address: None,
            url: fill(self.compiled.cart_url.as_ref(), &market, |place| (place == "id").then_some(id)),
            created_at: cart.created_time.0,
            updated_at: cart.updated_time.0,
            last_activity_at: cart.updated_time.0,
            attributes: Attributes::new(),
        })
    }

    fn cart_amounts(&self, cart: &WireCart<'_>, side: Side, currency: Currency) -> Result<Amounts, Failure> {
        let mut amounts = Amounts::new(side, currency);
        for (index, (kind, item)) in items(cart).enumerate() {
            let mut line = self.item(item, kind, index, side, currency)?;
            // A parent that is no line of this cart is no bundle that anyone could show.
            let parent = items(cart).position(|(_, other)| item.parent_id.id().is_some() && other.id.id() == item.parent_id.id());
            if line.kind == LineKind::BundleChild && parent.is_none() {
                line.kind = LineKind::Product;
                line.parent_id = None;
            }
            amounts.lines.push(line);
        }
        let parents: Vec<String> = amounts.lines.iter().filter_map(|line| line.parent_id.clone()).collect();
        for line in amounts.lines.iter_mut().filter(|line| parents.contains(&line.id)) {
            line.kind = LineKind::BundleParent;
        }
        let off = cart.discount_amount.or_zero();
        if off > Decimal::ZERO {
            amounts.discounts.push(Discount { kind: DiscountKind::Cart, id: None, code: None, name: None, amount: money(off, currency) });
        }
        Ok(amounts)
    }

    fn item(&self, item: &Item<'_>, kind: LineKind, index: usize, side: Side, currency: Currency) -> Result<LineItem, Failure> {
        let pointer = self.pointer("/line_items");
        let overflow = |Overflow| Failure::malformed(pointer.clone(), "the amounts are beyond 28 digits");
        // Certificates may leave the quantity out.
        let quantity = item.quantity.whole().unwrap_or(1);
        let certificate = kind == LineKind::GiftCertificate;
        let unit = if certificate { item.amount.or_zero() } else { item.list_price.or_zero() };
        let unit = exact(unit, currency);
        let before = match item.extended_list_price.0.filter(|_| !certificate) {
            Some(amount) => money(amount, currency),
            None => money(times(unit, quantity).map_err(overflow)?.amount, currency),
        };
        let mut discounts = Vec::new();
        let mut off = |kind, id: Option<&str>, name: Option<&str>, amount: Decimal| {
            add_discount(&mut discounts, kind, id, name, money(amount, currency)).map_err(overflow)
        };
        let listed = item.discounts.iter().any(|one| !one.discounted_amount.or_zero().is_zero());
        if listed {
            for one in &item.discounts {
                let kind = if &*one.id == "coupon" { DiscountKind::Coupon } else { DiscountKind::Cart };
                off(kind, filled(&one.id), filled(&one.name), one.discounted_amount.or_zero())?;
            }
        } else {
            off(DiscountKind::Coupon, Some("coupon"), None, item.coupon_amount.or_zero())?;
        }
        let mut total = before;
        for one in &discounts {
            total = less(total, one.amount).map_err(overflow)?;
        }
        let list = item.original_price.0.filter(|list| *list > unit.amount).map_or(unit, |list| exact(list, currency));
        if list != unit && !certificate {
            let amount = times(less(list, unit).map_err(overflow)?, quantity).map_err(overflow)?;
            let amount = money(amount.amount, currency);
            discounts.insert(0, Discount { kind: DiscountKind::Product, id: None, code: None, name: None, amount });
        }
        let kind = match kind {
            LineKind::Product if item.parent_id.id().is_some() => LineKind::BundleChild,
            LineKind::Product if item.added_by_promotion == Some(true) => LineKind::Gift,
            kind => kind,
        };
        let product = item.product_id.id();
        Ok(LineItem {
            id: filled(&item.id).map_or_else(|| index.to_string(), str::to_owned),
            kind,
            parent_id: item.parent_id.id().map(str::to_owned),
            sku: owned(&item.sku).or_else(|| fallback_sku(product, item.variant_id.id())),
            product_id: product.map(str::to_owned),
            product_key: None,
            variant_id: item.variant_id.id().map(str::to_owned),
            name: owned(&item.name),
            quantity,
            unit_list_price: list,
            unit_price: unit,
            discounts,
            tax: None,
            tax_rate: None,
            tax_included: Some(side == Side::IncTax),
            total,
            categories: Vec::new(),
            brand: None,
            image_url: owned(&item.image_url),
            url: owned(&item.url),
            attributes: Attributes::new(),
            fulfilment: Fulfilment { ordered: quantity, ..Fulfilment::default() },
        })
    }

    fn options(&self, cart: &WireCart<'_>, lines: &mut [LineItem], findings: &mut Vec<Finding>) {
        let mappings = &self.compiled.config.attributes;
        if mappings.is_empty() {
            return;
        }
        for ((_, item), line) in items(cart).zip(lines) {
            let mut fields = Fields::default();
            for option in &item.options {
                fields.add(Place::Option, &option.name, option.value, self.pointer("/line_items"));
            }
            fields.map(mappings, &mut line.attributes, findings);
        }
    }
}

/// The lines of all four lists.
fn items<'c, 'w>(cart: &'c WireCart<'w>) -> impl Iterator<Item = (LineKind, &'c Item<'w>)> {
    let lists = &cart.line_items;
    let of = |kind| move |item| (kind, item);
    let products = lists.physical_items.iter().chain(&lists.digital_items).map(of(LineKind::Product));
    products
        .chain(lists.gift_certificates.iter().map(of(LineKind::GiftCertificate)))
        .chain(lists.custom_items.iter().map(of(LineKind::Custom)))
}
