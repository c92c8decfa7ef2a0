//! Orders with their lines, shipments and refunds. The platform's own sums are taken; what must close is said in `sums`.
//! <https://developer.bigcommerce.com/docs/rest-management/orders>

use rust_decimal::{Decimal, RoundingStrategy};

use super::config::ConsentPlace;
use super::consent::consents;
use super::map::{
    About, Row, address, country, exact, fill, identity, locale, money, owned, set_email, unknown_word, version_of, version_text,
};
use super::people::{add_metafields, member};
use super::sums::{Amounts, Side, extra_line, settle};
use super::values::{Fields, Place, not_of_type, typed};
use super::wire::orders::{
    Composed, Fee, Order as WireOrder, OrderCoupon, OrderProduct, OrderTax, Refund as WireRefund, Shipment as WireShipment, Transaction,
};
use super::wire::{Address as WireAddress, Dec, List, Metafield, Text};
use crate::model::{
    Attributes, Body, Consent, Contact, Coupon, Currency, Discount, DiscountKind, Finding, GiftCertificate, Identity, Instant, LineItem,
    LineKind, Market, Mode, Money, Order, OrderStatus, Parcel, PaymentStatus, Refund, RefundLine, Shipment, ShipmentLine, ShippingCharge,
    ShippingStatus, TaxLine,
};
use crate::normalize::line_items::{Units, Whole, add_discount, fulfilment};
use crate::normalize::text::filled;
use crate::sources::rows::Failure;

/// An order with its parts, wherever they were.
struct Parts<'p, 'w> {
    order: &'p WireOrder<'w>,
    products: &'p [OrderProduct<'w>],
    coupons: &'p List<OrderCoupon<'w>>,
    /// Where parts of the order go, with what that costs.
    addresses: Vec<&'p WireAddress<'w>>,
    pickup: Option<String>,
    shipments: &'p List<WireShipment<'w>>,
    refunds: &'p List<WireRefund<'w>>,
    transactions: &'p List<Transaction<'w>>,
    taxes: &'p List<OrderTax<'w>>,
    fees: &'p List<Fee<'w>>,
    metafields: Option<&'p List<Metafield<'w>>>,
    /// JSON pointer of the products.
    at: &'static str,
    raw: &'p str,
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
        let pickup = consignments.and_then(|one| one.pickups.iter().find_map(|one| owned(&one.pickup_method)));
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
            pickup: consignments.and_then(|one| one.pickups.iter().find_map(|one| owned(&one.pickup_method))),
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
        let body = self.order_body(&parts, &mut findings)?;
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
        let consents = self.order_fields(&parts, &mut Attributes::new(), &mut Vec::new());
        if !consents.is_empty() {
            let about = About {
                kind: "order",
                id: &id,
                version: number,
                occurred_at: changed,
                market: market.clone(),
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

    fn fact<'a>(&self, order: &'a str, at: Option<Instant>, market: &Market, identity: &Identity, fact: &'a [&'a str]) -> About<'a> {
        About { kind: "order", id: order, version: None, occurred_at: at, market: market.clone(), identity: identity.clone(), fact }
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

    fn order_body(&self, parts: &Parts<'_, '_>, findings: &mut Vec<Finding>) -> Result<Order, Failure> {
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
        self.order_fields(parts, &mut attributes, findings);
        let sides = |side| self.order_side(parts, side, currency, whole);
        let overflow = self.overflow("/total_inc_tax");
        let preferred = if order.is_tax_inclusive_pricing == Some(false) { Side::ExTax } else { Side::IncTax };
        let mut amounts = sides(preferred)?;
        amounts.tax = order.total_tax.0.map(|tax| money(tax, currency));
        let mut other = sides(preferred.other())?;
        other.tax = amounts.tax;
        let settled = settle(total, currency, amounts, other, &self.pointer("/total_inc_tax"), findings).map_err(overflow)?;
        // Once the side is known, the fields of its lines are read; a finding is reported once.
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
        Ok(Order {
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
        })
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
            _ => None,
        };
        (status, payment, shipping)
    }

    /// All amounts of the order with or without tax.
    fn order_side(&self, parts: &Parts<'_, '_>, side: Side, currency: Currency, whole: Whole) -> Result<Amounts, Failure> {
        let order = parts.order;
        let mut amounts = Amounts::new(side, currency);
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
            let cost = side.of(fee.cost_ex_tax, fee.cost_inc_tax).or_zero();
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
            .map_or_else(|| total.checked_div(Decimal::from(quantity.max(1))).unwrap_or(total), |price| price);
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

    fn shipment_body(&self, shipment: &WireShipment<'_>, order: &str, lines: &[LineItem]) -> Option<Shipment> {
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
    fn refunds(&self, parts: &Parts<'_, '_>, order: &str, currency: Currency, placed_at: Instant, lines: &[LineItem]) -> Vec<Refund> {
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

fn percent(rate: Dec) -> Option<Decimal> {
    rate.0?.checked_div(Decimal::ONE_HUNDRED).map(|rate| rate.normalize())
}

fn fee_line(id: &str, name: &str, cost: Decimal, tax: Dec, side: Side, currency: Currency) -> LineItem {
    let tax = tax.0.map(|tax| money(tax, currency));
    extra_line(LineKind::Fee, id, name, money(cost, currency), Some((tax, side == Side::IncTax)))
}

/// One charge per address where the addresses add up to what the order says, else one charge.
fn shipping(parts: &Parts<'_, '_>, side: Side, currency: Currency) -> Vec<ShippingCharge> {
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

fn coupon(coupon: &OrderCoupon<'_>, currency: Currency) -> Coupon {
    Coupon {
        code: owned(&coupon.code),
        id: coupon.coupon_id.id().or_else(|| coupon.id.id()).map(str::to_owned),
        amount: coupon.discount.0.map(|off| money(off, currency)),
    }
}

type Sum<T> = Result<T, crate::normalize::line_items::Overflow>;

/// What was taken off the order as a whole: lines are before it. Coupons and everything else are two sums; each is told by
/// its rules where those add up to it, else as one.
fn order_discounts(parts: &Parts<'_, '_>, currency: Currency) -> Sum<Vec<Discount>> {
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
fn taxes(rows: &List<OrderTax<'_>>, currency: Currency) -> Vec<TaxLine> {
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
