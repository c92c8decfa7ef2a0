//! Orders with their lines, shipments and refunds. The platform's own sums are taken; what must close is said in `sums`.
//! <https://developer.bigcommerce.com/docs/rest-management/orders>

use rust_decimal::Decimal;

use super::config::ConsentPlace;
use super::consent::consents;
use super::map::{About, Row, address, exact, fill, identity, locale, money, owned, set_email, unknown_word, version_of, version_text};
use super::order_parts::{coupon, order_discounts, percent, shipping, taxes};
use super::people::{add_metafields, member};
use super::sums::{Amounts, Side, extra_line, settle};
use super::values::{Fields, Place, not_of_type, typed};
use super::wire::orders::{
    Composed, Fee, Order as WireOrder, OrderCoupon, OrderProduct, OrderTax, Refund as WireRefund, Shipment as WireShipment, Transaction,
};
use super::wire::{Address as WireAddress, Dec, List, Metafield};
use crate::model::{
    Attributes, Body, Consent, Contact, Currency, Finding, GiftCertificate, Identity, LineItem, LineKind, Market, Mode, Order, OrderStatus,
    PaymentStatus, ShippingStatus,
};
use crate::normalize::line_items::{Units, Whole, fulfilment};
use crate::normalize::text::filled;
use crate::sources::rows::Failure;

/// An order with its parts, wherever they were.
pub(super) struct Parts<'p, 'w> {
    pub order: &'p WireOrder<'w>,
    pub products: &'p [OrderProduct<'w>],
    pub coupons: &'p List<OrderCoupon<'w>>,
    /// Where parts of the order go, with what that costs.
    pub addresses: Vec<&'p WireAddress<'w>>,
    pub pickup: Option<String>,
    pub shipments: &'p List<WireShipment<'w>>,
    pub refunds: &'p List<WireRefund<'w>>,
    pub transactions: &'p List<Transaction<'w>>,
    pub taxes: &'p List<OrderTax<'w>>,
    pub fees: &'p List<Fee<'w>>,
    pub metafields: Option<&'p List<Metafield<'w>>>,
    /// JSON pointer of the products.
    pub at: &'static str,
    pub raw: &'p str,
}

fn either<'p, T>(beside: &'p List<T>, embedded: &'p List<T>) -> &'p List<T> {
    if beside.is_known() { beside } else { embedded }
}

impl Row<'_, '_> {
    pub(super) fn composed_order(&mut self, composed: &Composed<'_>, raw: &str) -> Result<(), Failure> {
        let order = &composed.order;
        let lines = either(&composed.products, &order.products);
        let consignments = composed.consignments.0.as_ref().or(order.consignments.0.as_ref());
        let addresses = either(&composed.shipping_addresses, &order.shipping_addresses);
        let shipping = consignments.map(|one| &one.shipping);
        let addresses = if addresses.is_known() { Some(addresses) } else { shipping };
        let pickup = consignments.and_then(|one| {
            one.pickups.iter().find_map(|one| owned(&one.pickup_method_display_name).or_else(|| owned(&one.pickup_method)))
        });
        self.prefix = "/order";
        let Some(products) = lines.0.as_deref() else { return self.lines_wanted(order) };
        self.order_parts(Parts {
            order,
            products,
            coupons: either(&composed.coupons, &order.coupons),
            addresses: addresses.into_iter().flatten().collect(),
            pickup,
            shipments: &composed.shipments,
            refunds: &composed.refunds,
            transactions: &composed.transactions,
            taxes: &composed.taxes,
            fees: either(&composed.fees, &order.fees),
            metafields: Some(&composed.metafields),
            at: if composed.products.is_known() { "/products" } else { "/order/products" },
            raw: member(raw, "order").unwrap_or("{}"),
        })
    }

    /// A bare order: with `include` it may hold its lines; without them it is no order yet.
    pub(super) fn bare_order(&mut self, order: &WireOrder<'_>, raw: &str) -> Result<(), Failure> {
        let Some(products) = order.products.0.as_deref() else { return self.lines_wanted(order) };
        let consignments = order.consignments.0.as_ref();
        let shipping = consignments.map(|one| &one.shipping);
        let addresses = if order.shipping_addresses.is_known() { Some(&order.shipping_addresses) } else { shipping };
        self.order_parts(Parts {
            order,
            products,
            coupons: &order.coupons,
            addresses: addresses.into_iter().flatten().collect(),
            pickup: consignments.and_then(|one| {
                one.pickups.iter().find_map(|one| owned(&one.pickup_method_display_name).or_else(|| owned(&one.pickup_method)))
            }),
            shipments: &List(None),
            refunds: &List(None),
            transactions: &List(None),
            taxes: &List(None),
            fees: &order.fees,
            metafields: None,
            at: "/products",
            raw,
        })
    }

    fn lines_wanted(&mut self, order: &WireOrder<'_>) -> Result<(), Failure> {
        let Some(id) = order.id.id() else { return Err(self.missing("id")) };
        self.fetch("order", id, "order without its lines");
        Ok(())
    }

    fn order_parts(&mut self, parts: Parts<'_, '_>) -> Result<(), Failure> {
        if !self.compiled.config.test_orders && parts.transactions.iter().any(|one| one.test == Some(true)) {
            self.ignore("test order", true);
            return Ok(());
        }
        let order = parts.order;
        let mut findings = Vec::new();
        let (body, consents) = self.order_body(&parts, &mut findings)?;
        let market = self.order_market(order, &body);
        let identity = identity_of(&parts);
        let mode = self.mode;
        // Moved over from an older system, or put away by the merchant: nobody may be mailed because of it.
        if body.imported || order.is_deleted == Some(true) {
            self.mode = Mode::Backfill;
        }
        let changed = order.date_modified.0.or(order.date_created.0);
        let version = version_text(changed, parts.raw);
        let id = body.id.clone();
        let number = version_of(order.date_modified);
        if !consents.is_empty() {
            let about = About {
                kind: "order",
                id: &id,
                version: number,
                occurred_at: changed,
                // The order's own language, if any: the shop's is not the person's.
                market: Market { locale: locale(&parts.order.customer_locale), ..market.clone() },
                identity: identity.clone(),
                fact: &["consent", &version],
            };
            self.emit(about, Body::Contact(Contact { consents, ..Contact::default() }), Vec::new());
        }
        let (shipments, refunds) = (body.shipments.clone(), body.refunds.clone());
        let about = About {
            kind: "order",
            id: &id,
            version: number,
            occurred_at: changed,
            market: market.clone(),
            identity: identity.clone(),
            fact: &["snapshot", &version],
        };
        let placed = body.status != OrderStatus::Incomplete;
        self.emit(about, Body::Order(body), findings);
        // What happened to it since. The platform's own events name only the order.
        if placed {
            for shipment in shipments {
                let fact = ["shipment", &shipment.id.clone()];
                let about = self.fact(&id, shipment.shipped_at.or(changed), &market, &identity, &fact);
                self.emit_news(about, Body::Shipment(shipment));
            }
            for refund in refunds {
                let fact = ["refund", &refund.id.clone()];
                let about = self.fact(&id, Some(refund.refunded_at), &market, &identity, &fact);
                self.emit_news(about, Body::Refund(refund));
            }
        }
        self.mode = mode;
        Ok(())
    }

    fn order_market(&self, order: &WireOrder<'_>, body: &Order) -> Market {
        let config = &self.compiled.config;
        let of = |address: &Option<crate::model::Address>| address.as_ref().and_then(|one| one.country.clone());
        Market {
            store: None,
            channel: order.channel_id.id().map(str::to_owned),
            country: of(&body.shipping_address).or_else(|| of(&body.billing_address)),
            locale: locale(&order.customer_locale).or_else(|| config.locale.clone()),
            currency: Some(body.totals.total.currency),
            customer_group: None,
        }
    }

    /// Reads what is configured of the order, and answers the consents given with it.
    fn order_fields(&self, parts: &Parts<'_, '_>, attributes: &mut Attributes, findings: &mut Vec<Finding>) -> Vec<Consent> {
        if !self.compiled.order_fields {
            return Vec::new();
        }
        let config = &self.compiled.config;
        let mut fields = Fields::default();
        for (index, field) in parts.order.billing_address.form_fields.iter().enumerate() {
            let pointer = self.pointer(&format!("/billing_address/form_fields/{index}/value"));
            fields.add(Place::FormField, &field.name, field.value, pointer);
        }
        add_metafields(&mut fields, parts.metafields);
        fields.own(parts.raw, self.prefix);
        fields.map(&config.order_fields, attributes, findings);
        let placed = parts.order.date_created.0;
        consents(&config.consents, |on| on == ConsentPlace::Order, &fields, placed, findings)
    }

    fn order_body(&self, parts: &Parts<'_, '_>, findings: &mut Vec<Finding>) -> Result<(Order, Vec<Consent>), Failure> {
        let order = parts.order;
        let Some(id) = order.id.id() else { return Err(self.missing("id")) };
        let Some(placed_at) = order.date_created.0 else { return Err(self.missing("date_created")) };
        let Some(status_id) = order.status_id.whole() else { return Err(self.missing("status_id")) };
        let Some(total) = order.total_inc_tax.0 else { return Err(self.missing("total_inc_tax")) };
        // The name misleads: this one is what was charged, `currency_code` is what was shown.
        let (code, field) = match filled(&order.default_currency_code) {
            Some(_) => (&order.default_currency_code, "default_currency_code"),
            None => (&order.currency_code, "currency_code"),
        };
        let currency = self.currency(code, field)?;
        let (status, payment_status, shipping_status) = self.states(order, status_id, findings);
        let whole = Whole {
            cancelled: status == OrderStatus::Cancelled,
            shipped: shipping_status == Some(ShippingStatus::Shipped),
            delivered: false,
            has_shipments: parts.products.iter().any(|line| line.quantity_shipped.or_zero() > Decimal::ZERO),
        };
        let mut attributes = Attributes::new();
        let consents = self.order_fields(parts, &mut attributes, findings);
        let sides = |side| self.order_side(parts, side, currency, whole);
        let preferred = if order.is_tax_inclusive_pricing == Some(false) { Side::ExTax } else { Side::IncTax };
        let pointer = self.pointer("/total_inc_tax");
        let settled = settle(total, currency, sides(preferred)?, || sides(preferred.other()), &pointer, findings)?;
        let mut lines = settled.lines;
        for (index, line) in parts.products.iter().enumerate() {
            if let Some(out) = lines.get_mut(index) {
                self.line_options(line, &format!("{}/{index}", parts.at), &mut out.attributes, findings);
            }
        }
        let shipments = parts.shipments.iter().filter_map(|one| self.shipment_body(one, id, &lines)).collect();
        let refunds = self.refunds(parts, id, currency, placed_at, &lines);
        let market = Market { locale: locale(&order.customer_locale), ..Market::default() };
        let url = fill(self.compiled.order_url.as_ref(), &market, |place| matches!(place, "id" | "number").then_some(id));
        let mut payment_methods: Vec<String> = owned(&order.payment_method).into_iter().collect();
        if order.store_credit_amount.or_zero() > Decimal::ZERO && !payment_methods.iter().any(|one| one == "Store Credit") {
            payment_methods.push("Store Credit".to_owned());
        }
        let ship_to = parts.addresses.first().and_then(|one| address(one));
        let body = Order {
            id: id.to_owned(),
            number: Some(id.to_owned()),
            placed_at,
            updated_at: order.date_modified.0,
            status,
            payment_status,
            shipping_status,
            workflow_state: owned(&order.custom_status),
            cart_id: owned(&order.cart_id),
            recurring: false,
            imported: &*order.external_source == "M-MIG",
            lines,
            shipping: settled.shipping,
            discounts: settled.discounts,
            coupons: parts.coupons.iter().map(|one| coupon(one, currency)).collect(),
            gift_certificates: settled.gift_certificates,
            taxes: taxes(parts.taxes, currency),
            totals: settled.totals,
            shipping_address: ship_to,
            billing_address: address(&order.billing_address),
            shipments,
            returns: Vec::new(),
            refunds,
            payment_methods,
            url,
            attributes,
        };
        Ok((body, consents))
    }

    /// Statuses are known by number; the merchant renames their labels.
    /// <https://developer.bigcommerce.com/docs/rest-management/orders/order-status>
    fn states(
        &self,
        order: &WireOrder<'_>,
        status_id: i64,
        findings: &mut Vec<Finding>,
    ) -> (OrderStatus, Option<PaymentStatus>, Option<ShippingStatus>) {
        let config = &self.compiled.config;
        let not_placed = u8::try_from(status_id).is_ok_and(|id| id == 0 || config.not_placed.contains(&id));
        let status = match status_id {
            _ if not_placed => OrderStatus::Incomplete,
            1 | 7 | 12 | 13 => OrderStatus::Open,
            2 | 3 | 8 | 9 | 11 | 14 => OrderStatus::Confirmed,
            4 | 10 => OrderStatus::Complete,
            5 | 6 => OrderStatus::Cancelled,
            other => {
                findings.push(unknown_word(self.pointer("/status_id")));
                OrderStatus::Other(other.to_string())
            }
        };
        let payment = match filled(&order.payment_status).map(str::to_ascii_lowercase).as_deref() {
            None => match status_id {
                2 | 3 | 8 | 9 | 10 | 11 => Some(PaymentStatus::Paid),
                1 | 12 => Some(PaymentStatus::Pending),
                7 => Some(PaymentStatus::BalanceDue),
                6 => Some(PaymentStatus::Failed),
                4 => Some(PaymentStatus::Refunded),
                14 => Some(PaymentStatus::PartiallyRefunded),
                _ => None,
            },
            Some("authorized") => Some(PaymentStatus::Authorized),
            Some("captured" | "paid") => Some(PaymentStatus::Paid),
            Some("pending" | "capture pending" | "held for review" | "void pending") => Some(PaymentStatus::Pending),
            Some("declined") => Some(PaymentStatus::Failed),
            Some("partially refunded") => Some(PaymentStatus::PartiallyRefunded),
            Some("refunded") => Some(PaymentStatus::Refunded),
            Some("void") => Some(PaymentStatus::Voided),
            Some(_) => {
                findings.push(unknown_word(self.pointer("/payment_status")));
                owned(&order.payment_status).map(PaymentStatus::Other)
            }
        };
        let shipping = match status_id {
            _ if order.order_is_digital == Some(true) => None,
            2 | 10 => Some(ShippingStatus::Shipped),
            3 => Some(ShippingStatus::PartiallyShipped),
            8 | 9 => Some(ShippingStatus::Ready),
            11 => Some(ShippingStatus::Pending),
            5 | 6 => Some(ShippingStatus::Cancelled),
            // The one status has moved on and says nothing of shipping any more; that all was sent stays known.
            4 | 13 | 14 if order.date_shipped.0.is_some() => Some(ShippingStatus::Shipped),
            _ => None,
        };
        (status, payment, shipping)
    }

    /// All amounts of the order with or without tax.
    fn order_side(&self, parts: &Parts<'_, '_>, side: Side, currency: Currency, whole: Whole) -> Result<Amounts, Failure> {
        let order = parts.order;
        let mut amounts = Amounts::new(side, currency);
        amounts.tax = order.total_tax.0.map(|tax| money(tax, currency));
        for (index, line) in parts.products.iter().enumerate() {
            amounts.lines.push(self.line(line, parts, index, side, currency, whole)?);
        }
        for (id, name, ex, inc, tax) in [
            ("handling", "Handling", order.handling_cost_ex_tax, order.handling_cost_inc_tax, order.handling_cost_tax),
            ("wrapping", "Gift wrapping", order.wrapping_cost_ex_tax, order.wrapping_cost_inc_tax, order.wrapping_cost_tax),
        ] {
            let cost = side.of(ex, inc).or_zero();
            if !cost.is_zero() {
                amounts.lines.push(fee_line(id, name, cost, tax, side, currency));
            }
        }
        for fee in parts.fees {
            let ex = Dec(fee.cost_ex_tax.0.or(fee.cost_exc_tax.0));
            let cost = side.of(ex, fee.cost_inc_tax).or_zero();
            if !cost.is_zero() {
                let id = format!("fee-{}", &*fee.id);
                let name = filled(&fee.display_name_customer).unwrap_or("Fee");
                amounts.fees.push(fee_line(&id, name, cost, fee.cost_tax, side, currency));
            }
        }
        amounts.shipping = shipping(parts, side, currency);
        let overflow = self.overflow("/discount_amount");
        let off = order_discounts(parts, currency).map_err(overflow)?;
        amounts.discounts = off;
        let paid = order.gift_certificate_amount.or_zero();
        if paid > Decimal::ZERO {
            amounts.gift_certificates.push(GiftCertificate { id: None, amount: money(paid, currency) });
        }
        Ok(amounts)
    }

    fn line(
        &self,
        line: &OrderProduct<'_>,
        parts: &Parts<'_, '_>,
        index: usize,
        side: Side,
        currency: Currency,
        whole: Whole,
    ) -> Result<LineItem, Failure> {
        let pointer = |field: &str| format!("{}/{index}/{field}", parts.at);
        let Some(id) = line.id.id() else { return Err(Failure::malformed(pointer("id"), "missing field `id`")) };
        let Some(quantity) = line.quantity.whole() else {
            return Err(Failure::malformed(pointer("quantity"), "expected a whole number"));
        };
        let field = if side == Side::IncTax { "total_inc_tax" } else { "total_ex_tax" };
        let Some(total) = side.of(line.total_ex_tax, line.total_inc_tax).0 else {
            return Err(Failure::malformed(pointer(field), format!("missing field `{field}`")));
        };
        let parent = line.parent_order_product_id.id();
        let is_parent = || parts.products.iter().any(|other| other.parent_order_product_id.id() == Some(id));
        let kind = match (&*line.kind, line.product_id.id(), parent) {
            ("giftcertificate", _, _) => LineKind::GiftCertificate,
            (_, _, Some(_)) => LineKind::BundleChild,
            (_, None, _) => LineKind::Custom,
            _ if is_parent() => LineKind::BundleParent,
            _ => LineKind::Product,
        };
        let unit = side
            .of(line.price_ex_tax, line.price_inc_tax)
            .0
            .unwrap_or_else(|| total.checked_div(Decimal::from(quantity.max(1))).unwrap_or(total));
        let count = |number: Dec| number.whole().unwrap_or(0);
        let units = Units { shipped: count(line.quantity_shipped), returned: 0, refunded: count(line.quantity_refunded) };
        // Downloads and certificates are not sent, so the word on the order says nothing of them.
        let whole = Whole { shipped: whole.shipped && &*line.kind == "physical", ..whole };
        let market = Market { locale: locale(&parts.order.customer_locale), ..Market::default() };
        let url = fill(self.compiled.product_url.as_ref(), &market, |place| match place {
            "sku" => filled(&line.sku),
            "id" => line.product_id.id(),
            _ => None,
        });
        let rate = parts.taxes.iter().find(|tax| tax.order_product_id.id() == Some(id) && matches!(&*tax.line_item_type, "" | "item"));
        Ok(LineItem {
            id: id.to_owned(),
            kind,
            parent_id: parent.map(str::to_owned),
            sku: owned(&line.sku).or_else(|| fallback_sku(line.product_id.id(), line.variant_id.id())),
            product_id: line.product_id.id().map(str::to_owned),
            product_key: None,
            variant_id: line.variant_id.id().map(str::to_owned),
            name: owned(&line.name_customer).or_else(|| owned(&line.name)),
            quantity,
            unit_list_price: exact(unit, currency),
            unit_price: exact(unit, currency),
            discounts: Vec::new(),
            tax: line.total_tax.0.map(|tax| money(tax, currency)),
            tax_rate: rate.and_then(|tax| percent(tax.rate)),
            tax_included: Some(side == Side::IncTax),
            total: money(total, currency),
            categories: Vec::new(),
            brand: owned(&line.brand),
            image_url: None,
            url,
            attributes: Attributes::new(),
            fulfilment: fulfilment(quantity, units, whole),
        })
    }

    fn line_options(&self, line: &OrderProduct<'_>, pointer: &str, out: &mut Attributes, findings: &mut Vec<Finding>) {
        for mapping in &self.compiled.config.attributes {
            let option = line.product_options.iter().find(|option| *option.display_name == *mapping.field);
            let Some(text) = option.and_then(|option| filled(&option.display_value)) else { continue };
            match typed(text, mapping.kind) {
                Some(value) => {
                    out.insert(mapping.name.as_ref().unwrap_or(&mapping.field).clone(), value);
                }
                None => findings.push(not_of_type(format!("{pointer}/product_options"))),
            }
        }
    }
}

/// What stands in for the SKU of a product that has none: the ids that carts, orders and the catalogue share.
pub(super) fn fallback_sku(product: Option<&str>, variant: Option<&str>) -> Option<String> {
    Some(format!("{}-{}", product?, variant?))
}

/// The buyer: the e-mail is that of the bill, because an order has none of its own.
fn identity_of(parts: &Parts<'_, '_>) -> Identity {
    let mut found = identity(&parts.order.customer_id, &parts.order.billing_address.email);
    if found.email.is_none()
        && let Some(email) = parts.addresses.iter().find_map(|one| filled(&one.email))
    {
        set_email(&mut found, email);
    }
    found
}

fn fee_line(id: &str, name: &str, cost: Decimal, tax: Dec, side: Side, currency: Currency) -> LineItem {
    let tax = tax.0.map(|tax| money(tax, currency));
    extra_line(LineKind::Fee, id, name, money(cost, currency), Some((tax, side == Side::IncTax)))
}
