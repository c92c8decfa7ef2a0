//! What hangs on an order: parcels, refunds, what shipping costs, what was taken off, taxes.

use rust_decimal::{Decimal, RoundingStrategy};

use super::map::{About, Row, address, country, identity, money, owned};
use super::orders::Parts;
use super::sums::Side;
use super::wire::orders::{OrderCoupon, OrderProduct, OrderTax, Refund as WireRefund, Shipment as WireShipment};
use super::wire::{Address as WireAddress, Dec, List, Text};
use crate::model::{
    Attributes, Body, Coupon, Currency, Discount, DiscountKind, Identity, Instant, LineItem, Market, Money, Parcel, Refund, RefundLine,
    Shipment, ShipmentLine, ShippingCharge, TaxLine,
};
use crate::normalize::line_items::add_discount;
use crate::normalize::text::filled;
use crate::sources::rows::Failure;

impl Row<'_, '_> {
    /// Something that happened to an order, whatever state the order is in.
    pub(super) fn fact<'a>(
        &self,
        order: &'a str,
        at: Option<Instant>,
        market: &Market,
        identity: &Identity,
        fact: &'a [&'a str],
    ) -> About<'a> {
        About { kind: "order", id: order, version: None, occurred_at: at, market: market.clone(), identity: identity.clone(), fact }
    }

    /// A shipment on its own, as `/orders/{id}/shipments/{id}` gives it.
    pub(super) fn shipment(&mut self, shipment: &WireShipment<'_>) -> Result<(), Failure> {
        let Some(order) = shipment.order_id.id() else { return Err(self.missing("order_id")) };
        let Some(body) = self.shipment_body(shipment, order, &[]) else { return Err(self.missing("id")) };
        let identity = identity(&shipment.customer_id, &shipment.billing_address.email);
        let market = Market { country: country(&shipment.shipping_address.country_iso2), ..Market::default() };
        let fact = ["shipment", &body.id.clone()];
        let about = self.fact(order, body.shipped_at, &market, &identity, &fact);
        self.emit_news(about, Body::Shipment(body));
        Ok(())
    }

    pub(super) fn shipment_body(&self, shipment: &WireShipment<'_>, order: &str, lines: &[LineItem]) -> Option<Shipment> {
        let id = shipment.id.id()?;
        let carrier = owned(&shipment.shipping_provider_display_name)
            .or_else(|| owned(&shipment.tracking_carrier))
            .or_else(|| owned(&shipment.shipping_provider));
        let tracking_number = owned(&shipment.tracking_number);
        let codes = [&shipment.shipping_provider, &shipment.tracking_carrier, &shipment.shipping_provider_display_name];
        let template = codes.iter().find_map(|code| self.compiled.tracking_urls.get(&code.trim().to_lowercase()));
        let link = owned(&shipment.tracking_link).or_else(|| owned(&shipment.generated_tracking_link));
        let tracking_url = link.or_else(|| template?.fill(|_| tracking_number.as_deref()));
        let known = carrier.is_some() || tracking_number.is_some() || tracking_url.is_some();
        let parcel = Parcel { id: id.to_owned(), carrier, tracking_number, tracking_url, is_return: false, lines: Vec::new() };
        Some(Shipment {
            id: id.to_owned(),
            order_id: order.to_owned(),
            order_number: Some(order.to_owned()),
            shipped_at: shipment.date_created.0,
            // A shipment has no state of its own.
            status: None,
            lines: shipment.items.iter().filter_map(|item| shipment_line(&item.order_product_id, item.quantity, lines)).collect(),
            parcels: known.then_some(parcel).into_iter().collect(),
            address: address(&shipment.shipping_address),
            attributes: Attributes::new(),
        })
    }

    /// Money given back. What was asked for is not what was paid: a payment may have been declined.
    pub(super) fn refunds(
        &self,
        parts: &Parts<'_, '_>,
        order: &str,
        currency: Currency,
        placed_at: Instant,
        lines: &[LineItem],
    ) -> Vec<Refund> {
        let read = |refund: &WireRefund<'_>| {
            let id = refund.id.id()?;
            let paid: Decimal = match refund.payments.0.as_deref() {
                None | Some([]) => refund.total_amount.or_zero(),
                Some(payments) => payments
                    .iter()
                    .filter(|payment| payment.is_declined != Some(true))
                    .try_fold(Decimal::ZERO, |sum, payment| sum.checked_add(payment.amount.or_zero()))?,
            };
            if paid <= Decimal::ZERO {
                return None;
            }
            let of_kind =
                |kind: &str| refund.items.iter().filter(move |item| item.item_type.eq_ignore_ascii_case(kind)).collect::<Vec<_>>();
            let back = of_kind("PRODUCT").into_iter().filter_map(|item| {
                let line = lines.iter().find(|line| item.item_id.id() == Some(&*line.id));
                let product = parts.products.iter().find(|product| product.id.id() == item.item_id.id());
                let quantity = item.quantity.whole().unwrap_or(0);
                let share = product.and_then(|product| share_of(product, quantity));
                Some(RefundLine {
                    line_id: item.item_id.id()?.to_owned(),
                    sku: line.and_then(|line| line.sku.clone()),
                    name: line.and_then(|line| line.name.clone()),
                    quantity,
                    amount: item.requested_amount.0.or(share).map(|amount| money(amount, currency)),
                })
            });
            let shipping: Vec<Decimal> = of_kind("SHIPPING").iter().filter_map(|item| item.requested_amount.0).collect();
            let shipping = (!shipping.is_empty()).then(|| shipping.iter().try_fold(Decimal::ZERO, |sum, one| sum.checked_add(*one)));
            Some(Refund {
                id: id.to_owned(),
                order_id: Some(order.to_owned()),
                order_number: Some(order.to_owned()),
                payment_id: None,
                amount: money(paid, currency),
                refunded_at: refund.created.0.or(parts.order.date_modified.0).unwrap_or(placed_at),
                reason: owned(&refund.reason),
                full: parts.order.total_inc_tax.0.map(|total| paid >= total),
                lines: back.collect(),
                shipping: shipping.flatten().map(|amount| money(amount, currency)),
            })
        };
        parts.refunds.iter().filter_map(read).collect()
    }
}

/// What the shopper paid for that many units of a line, all discounts taken off.
fn share_of(line: &OrderProduct<'_>, quantity: i64) -> Option<Decimal> {
    let ordered = line.quantity.0.filter(|ordered| *ordered > Decimal::ZERO)?;
    let paid = match line.discounted_total_inc_tax.0 {
        Some(paid) => paid,
        None => {
            let off = line.applied_discounts.iter().try_fold(Decimal::ZERO, |sum, one| sum.checked_add(one.amount.or_zero()))?;
            line.total_inc_tax.0?.checked_sub(off)?
        }
    };
    paid.checked_mul(Decimal::from(quantity))?.checked_div(ordered)
}

fn shipment_line(id: &Text<'_>, quantity: Dec, lines: &[LineItem]) -> Option<ShipmentLine> {
    let id = id.id()?;
    let line = lines.iter().find(|line| line.id == id);
    Some(ShipmentLine {
        line_id: id.to_owned(),
        sku: line.and_then(|line| line.sku.clone()),
        name: line.and_then(|line| line.name.clone()),
        quantity: quantity.whole().unwrap_or(0),
    })
}

pub(super) fn percent(rate: Dec) -> Option<Decimal> {
    rate.0?.checked_div(Decimal::ONE_HUNDRED).map(|rate| rate.normalize())
}

/// One charge per address where the addresses add up to what the order says, else one charge.
pub(super) fn shipping(parts: &Parts<'_, '_>, side: Side, currency: Currency) -> Vec<ShippingCharge> {
    let order = parts.order;
    let whole = side.of(order.shipping_cost_ex_tax, order.shipping_cost_inc_tax).or_zero();
    let cost = |one: &WireAddress<'_>| side.of(one.cost_ex_tax, one.cost_inc_tax).or_zero();
    let charge = |key: Option<String>, method: Option<String>, amount: Decimal, tax: Dec| ShippingCharge {
        key,
        method,
        amount: money(amount, currency),
        discounts: Vec::new(),
        tax: tax.0.map(|tax| money(tax, currency)),
        tax_included: Some(side == Side::IncTax),
    };
    let sum = parts.addresses.iter().try_fold(Decimal::ZERO, |sum, one| sum.checked_add(cost(one)));
    if parts.addresses.len() > 1 && sum.is_some_and(|sum| money(sum, currency) == money(whole, currency)) {
        let keyed =
            parts.addresses.iter().map(|one| charge(one.id.id().map(str::to_owned), owned(&one.shipping_method), cost(one), one.cost_tax));
        return keyed.collect();
    }
    let method = parts.addresses.iter().find_map(|one| owned(&one.shipping_method)).or_else(|| parts.pickup.clone());
    if whole.is_zero() && method.is_none() {
        return Vec::new();
    }
    vec![charge(None, method, whole, order.shipping_cost_tax)]
}

pub(super) fn coupon(coupon: &OrderCoupon<'_>, currency: Currency) -> Coupon {
    Coupon {
        code: owned(&coupon.code),
        id: coupon.coupon_id.id().or_else(|| coupon.id.id()).map(str::to_owned),
        amount: coupon.discount.0.map(|off| money(off, currency)),
    }
}

pub(super) type Sum<T> = Result<T, crate::normalize::line_items::Overflow>;

/// What was taken off the order as a whole: lines are before it. Coupons and everything else are two sums; each is told by
/// its rules where those add up to it, else as one.
pub(super) fn order_discounts(parts: &Parts<'_, '_>, currency: Currency) -> Sum<Vec<Discount>> {
    let order = parts.order;
    let mut discounts = Vec::new();
    let by_code = money(order.coupon_discount.or_zero(), currency);
    if !by_code.amount.is_zero() {
        let mut named = Vec::new();
        for coupon in parts.coupons {
            let off = money(coupon.discount.or_zero(), currency);
            add_discount(&mut named, DiscountKind::Coupon, coupon.coupon_id.id().or_else(|| coupon.id.id()), None, off)?;
            if let Some(last) = named.last_mut() {
                last.code = last.code.take().or_else(|| owned(&coupon.code));
            }
        }
        discounts.extend(whole_or_named(named, DiscountKind::Coupon, by_code));
    }
    let by_rule = money(order.discount_amount.or_zero(), currency);
    if !by_rule.amount.is_zero() {
        let mut named = Vec::new();
        for applied in parts.products.iter().flat_map(|line| &line.applied_discounts) {
            if filled(&applied.code).is_some() || matches!(&*applied.id, "coupon" | "total-coupon") {
                continue;
            }
            let kind = if &*applied.id == "manual-discount" { DiscountKind::Manual } else { DiscountKind::Cart };
            add_discount(&mut named, kind, filled(&applied.id), filled(&applied.name), money(applied.amount.or_zero(), currency))?;
        }
        discounts.extend(whole_or_named(named, DiscountKind::Cart, by_rule));
    }
    Ok(discounts)
}

fn whole_or_named(named: Vec<Discount>, kind: DiscountKind, whole: Money) -> Vec<Discount> {
    let sum = named.iter().try_fold(Decimal::ZERO, |sum, one| sum.checked_add(one.amount.amount));
    if sum == Some(whole.amount) { named } else { vec![Discount { kind, id: None, code: None, name: None, amount: whole }] }
}

/// Tax by name and rate.
pub(super) fn taxes(rows: &List<OrderTax<'_>>, currency: Currency) -> Vec<TaxLine> {
    let mut lines: Vec<TaxLine> = Vec::new();
    for row in rows {
        let Some(rate) = percent(row.rate) else { continue };
        let name = owned(&row.name);
        let amount = row.line_amount.or_zero();
        match lines.iter_mut().find(|line| line.name == name && line.rate == rate) {
            Some(line) => line.amount.amount = line.amount.amount.checked_add(amount).unwrap_or(line.amount.amount),
            None => lines.push(TaxLine { name, rate, amount: Money::new(amount, currency) }),
        }
    }
    for line in &mut lines {
        line.amount = money(line.amount.amount.round_dp_with_strategy(8, RoundingStrategy::MidpointAwayFromZero), currency);
    }
    lines
}
