//! Carts and orders. The platform's own sums are taken, never recomputed: it rounds after every discount step.
//!
//! ```text
//! Σ lines.totalPrice + Σ shipping − discountOnTotalPrice = totalPrice      (net, gross or a mixture)
//! totalPrice + (taxedPrice.totalGross − totalPrice)      = what is to be paid
//!               └── `totals.tax_added`: the tax that is not contained, per line and shipping as their rates say
//! ```

use std::collections::HashMap;

use chrono::TimeDelta;
use rust_decimal::Decimal;

use super::config::ConsentPlace;
use super::consent::consents;
use super::map::{About, Fault, Row, address, at, fill, localized, owned, reason, set_email, version_text};
use super::values::decimal;
use super::wire;
use crate::fingerprint::{fingerprint, hex, opaque};
use crate::model::{
    Attributes, Body, Cart, CartState, Contact, Coupon, Discount, DiscountKind, Finding, FindingCode, Fulfilment, Identity, LineItem,
    LineKind, Market, Mode, Money, Order, OrderStatus, Parcel, PaymentStatus, Refund, Return, ReturnItem, Severity, Shipment, ShipmentLine,
    ShippingCharge, ShippingStatus, TaxLine, Totals,
};
use crate::normalize::line_items::{Units, Whole, add_discount, fulfilment, less, sum, times};
use crate::normalize::text::filled;

/// What is known of an order besides its document.
#[derive(Clone, Copy, Default)]
pub(super) struct Origin {
    /// It came with a message that says it was imported.
    pub imported: bool,
    /// It came with a message that says a schedule made it.
    pub recurring: bool,
}

/// What carts and orders have in common.
struct Common {
    lines: Vec<LineItem>,
    shipping: Vec<ShippingCharge>,
    discounts: Vec<Discount>,
    coupons: Vec<Coupon>,
    totals: Totals,
    taxes: Vec<TaxLine>,
}

impl Row<'_, '_> {
    pub(super) fn cart(&mut self, cart: &wire::Cart<'_>, raw: &str) -> Result<(), Fault> {
        let mut findings = Vec::new();
        let id = match cart.id.as_deref().and_then(filled) {
            Some(id) => id.to_owned(),
            None => {
                // Seen in recordings of carts only. A cart is replaced as a whole, so a name made of its content does no
                // harm; an order without an id is refused, because it could be told of twice.
                let mut finding =
                    Finding::new(FindingCode::RecordMalformed, self.pointer("/id"), "the cart has no id; one is made of its content");
                finding.severity = Severity::Warning;
                findings.push(finding);
                format!("content-{}", hex(&fingerprint(raw.as_bytes()).to_be_bytes()))
            }
        };
        let market = self.order_market(cart);
        let locales = self.locales(cart.locale.as_deref());
        let config = &self.compiled.config;
        let common = self.common(cart, &locales, &market, &HashMap::new(), None, &mut findings)?;
        let state = match cart.cart_state.as_deref() {
            None | Some("Active") => CartState::Active,
            Some("Frozen") => CartState::Frozen,
            Some("Ordered") => CartState::Ordered,
            Some("Merged") => CartState::Merged,
            Some(word) => CartState::Other(self.unknown("/cartState", word, &mut findings)),
        };
        let wanted = !config.cart_fields.is_empty() || self.compiled.cart_consents;
        let fields = self.custom_fields(cart.custom.as_ref(), wanted, || self.pointer("/custom/fields"))?;
        let mut attributes = Attributes::new();
        let pointer = || self.pointer("/custom/fields");
        if let Some(fields) = &fields {
            fields.map(&config.cart_fields, &locales, &pointer, &mut attributes, &mut findings);
        }
        let consent = match self.compiled.cart_consents {
            true => consents(&config.consents, ConsentPlace::Cart, fields.as_ref(), &|_| false, &pointer(), &mut findings),
            false => Vec::new(),
        };
        let url = fill(self.compiled.cart_url.as_ref(), &market, |place| match place {
            "id" => Some(id.as_str()),
            "key" => cart.key.as_deref(),
            _ => None,
        });
        let touched = cart.line_items.iter().flat_map(|line| [line.added_at, line.last_modified_at]).flatten().max();
        let body = Cart {
            id: id.clone(),
            key: owned(cart.key.as_ref()),
            state,
            lines: common.lines,
            shipping: common.shipping,
            discounts: common.discounts,
            coupons: common.coupons,
            gift_certificates: Vec::new(),
            totals: common.totals,
            shipping_address: shipping_address(cart),
            billing_address: cart.billing_address.as_ref().map(address),
            url,
            created_at: at(cart.created_at),
            updated_at: at(cart.last_modified_at),
            last_activity_at: at(touched),
            attributes,
        };
        self.emit_whole("cart", &id, cart, market, Body::Cart(body), consent, findings);
        Ok(())
    }

    pub(super) fn order(&mut self, order: &wire::Order<'_>, origin: Origin) -> Result<(), Fault> {
        let body = self.order_body(order, origin)?;
        let OrderBody { order: body, market, consents, findings } = body;
        let id = body.id.clone();
        if is_history(order) {
            self.mode = Mode::Backfill;
        }
        let facts = facts(&body);
        self.emit_whole("order", &id, order, market.clone(), Body::Order(body), consents, findings);
        for fact in facts {
            self.emit_fact(fact, order, &market);
        }
        Ok(())
    }

    /// Tells what happened to an order since it was placed, to whom: the messages about it do not name the person.
    fn emit_fact(&mut self, fact: Fact, order: &wire::Order<'_>, market: &Market) {
        let mode = self.mode;
        if fact.at.is_some_and(|at| self.context.is_history(at)) {
            self.mode = Mode::Backfill;
        }
        let about = About {
            kind: fact.kind,
            id: &fact.resource,
            version: order.version.filter(|_| fact.kind == "order"),
            occurred_at: fact.at.or(at(order.last_modified_at)),
            market: market.clone(),
            identity: identity_of(order),
            fact: &[fact.what, &fact.id],
        };
        self.emit(about, fact.body, Vec::new());
        self.mode = mode;
    }

    /// The canonical order, not yet in an envelope.
    pub(super) fn order_body(&self, order: &wire::Order<'_>, origin: Origin) -> Result<OrderBody, Fault> {
        let mut findings = Vec::new();
        let Some(id) = order.id.as_deref().and_then(filled) else { return Err(Fault::at(self.pointer("/id"), "missing field `id`")) };
        // Imported orders carry the time of the import in `createdAt`.
        let Some(placed_at) = at(order.completed_at.or(order.created_at)) else {
            return Err(Fault::at(self.pointer("/createdAt"), "missing field `createdAt`"));
        };
        let number = owned(order.order_number.as_ref());
        let market = self.order_market(order);
        let locales = self.locales(order.locale.as_deref());
        let config = &self.compiled.config;
        let status = match order.order_state.as_deref() {
            None | Some("Open") => OrderStatus::Open,
            Some("Confirmed") => OrderStatus::Confirmed,
            Some("Complete") => OrderStatus::Complete,
            Some("Cancelled" | "Canceled") => OrderStatus::Cancelled,
            Some(word) => OrderStatus::Other(self.unknown("/orderState", word, &mut findings)),
        };
        let payment_status = order.payment_state.as_deref().and_then(filled).map(|word| match word {
            "BalanceDue" => PaymentStatus::BalanceDue,
            "Failed" => PaymentStatus::Failed,
            "Pending" => PaymentStatus::Pending,
            "CreditOwed" => PaymentStatus::CreditOwed,
            "Paid" => PaymentStatus::Paid,
            word => PaymentStatus::Other(self.unknown("/paymentState", word, &mut findings)),
        });
        let shipping_status = order.shipment_state.as_deref().and_then(filled).map(|word| match word {
            "Pending" => ShippingStatus::Pending,
            "Ready" => ShippingStatus::Ready,
            "Partial" => ShippingStatus::PartiallyShipped,
            "Shipped" => ShippingStatus::Shipped,
            "Delivered" => ShippingStatus::Delivered,
            "Delayed" => ShippingStatus::Delayed,
            "Backorder" => ShippingStatus::Backorder,
            "Cancelled" | "Canceled" => ShippingStatus::Cancelled,
            word => ShippingStatus::Other(self.unknown("/shipmentState", word, &mut findings)),
        });
        let units = units(order);
        let whole = Whole {
            cancelled: status == OrderStatus::Cancelled,
            shipped: shipping_status == Some(ShippingStatus::Shipped),
            delivered: shipping_status == Some(ShippingStatus::Delivered),
            has_shipments: deliveries(order).next().is_some(),
        };
        let common = self.common(order, &locales, &market, &units, Some(whole), &mut findings)?;
        let wanted = !config.order_fields.is_empty() || self.compiled.order_consents;
        let mut attributes = Attributes::new();
        let pointer = || self.pointer("/custom/fields");
        let fields = self.custom_fields(order.custom.as_ref(), wanted, pointer)?;
        if let Some(fields) = &fields {
            fields.map(&config.order_fields, &locales, &pointer, &mut attributes, &mut findings);
        }
        let consent = match self.compiled.order_consents {
            true => consents(&config.consents, ConsentPlace::Order, fields.as_ref(), &|_| false, &pointer(), &mut findings),
            false => Vec::new(),
        };
        let shipments =
            deliveries(order).map(|delivery| self.shipment(delivery, id, number.as_deref(), &common.lines, &mut findings)).collect();
        let returns = order.return_info.iter().filter(|info| !info.items.is_empty());
        let returns = returns.map(|info| return_of(info, id, number.as_deref(), &common.lines)).collect();
        let url = fill(self.compiled.order_url.as_ref(), &market, |place| match place {
            "id" => Some(id),
            "number" => number.as_deref(),
            _ => None,
        });
        let gives_back = |transaction: &wire::Transaction<'_>| self.gives_back(transaction);
        let (refunds, payment_methods) = payments(order, id, number.as_deref(), placed_at, &locales, &gives_back);
        let body = Order {
            id: id.to_owned(),
            placed_at,
            updated_at: at(order.last_modified_at),
            status,
            payment_status,
            shipping_status,
            workflow_state: order.state.as_ref().and_then(wire::Reference::best).map(str::to_owned),
            cart_id: order.cart.as_ref().and_then(|cart| cart.id.as_deref()).map(str::to_owned),
            recurring: origin.recurring || order.recurring_order.is_some() || order.origin.as_deref() == Some("RecurringOrder"),
            imported: origin.imported || order.completed_at.is_some(),
            lines: common.lines,
            shipping: common.shipping,
            discounts: common.discounts,
            coupons: common.coupons,
            gift_certificates: Vec::new(),
            taxes: common.taxes,
            totals: common.totals,
            shipping_address: shipping_address(order),
            billing_address: order.billing_address.as_ref().map(address),
            shipments,
            returns,
            refunds,
            payment_methods,
            url,
            attributes,
            number,
        };
        Ok(OrderBody { order: body, market, consents: consent, findings })
    }

    #[allow(clippy::too_many_arguments)] // two callers, one per kind
    fn emit_whole(
        &mut self,
        kind: &str,
        id: &str,
        order: &wire::Order<'_>,
        market: Market,
        body: Body,
        consents: Vec<crate::model::Consent>,
        findings: Vec<Finding>,
    ) {
        let version = version_text(order.version, order.last_modified_at);
        let occurred_at = at(order.last_modified_at.or(order.created_at));
        let identity = identity_of(order);
        if !consents.is_empty() {
            let about = About {
                kind,
                id,
                version: order.version,
                occurred_at,
                // The order's own language, if any: the shop's is not the person's.
                market: Market { locale: owned(order.locale.as_ref()), ..market.clone() },
                identity: identity.clone(),
                fact: &["consent", &version],
            };
            self.emit(about, Body::Contact(Contact { consents, ..Contact::default() }), Vec::new());
        }
        let about = About { kind, id, version: order.version, occurred_at, market, identity, fact: &["snapshot", &version] };
        self.emit(about, body, findings);
    }

    fn unknown(&self, pointer: &str, word: &str, findings: &mut Vec<Finding>) -> String {
        findings.push(Finding::new(FindingCode::ValueUnknown, self.pointer(pointer), "a word this version does not know; kept as text"));
        word.to_owned()
    }

    pub(super) fn order_market(&self, order: &wire::Order<'_>) -> Market {
        let channel = order.line_items.first().and_then(|line| line.distribution_channel.as_ref()?.best());
        let shipping = order.shipping_address.as_ref().and_then(|one| one.country.as_ref());
        Market {
            store: order.store.as_ref().and_then(wire::Reference::best).map(str::to_owned),
            channel: channel.map(str::to_owned),
            country: owned(order.country.as_ref()).or_else(|| owned(shipping)),
            locale: owned(order.locale.as_ref()).or_else(|| self.compiled.config.locale.clone()),
            currency: Some(order.total_price.0.currency),
            customer_group: order.customer_group.as_ref().and_then(wire::Reference::best).map(str::to_owned),
        }
    }

    fn common(
        &self,
        order: &wire::Order<'_>,
        locales: &[&str],
        market: &Market,
        units: &HashMap<&str, Units>,
        whole: Option<Whole>,
        findings: &mut Vec<Finding>,
    ) -> Result<Common, Fault> {
        let zero = Money::zero(order.total_price.0.currency);
        let mut lines = Vec::with_capacity(order.line_items.len() + order.custom_line_items.len());
        for (index, line) in order.line_items.iter().enumerate() {
            let mut item = self.line(line, index, locales, market, findings)?;
            item.fulfilment = match whole {
                Some(whole) => fulfilment(item.quantity, units.get(item.id.as_str()).copied().unwrap_or_default(), whole),
                None => Fulfilment { ordered: item.quantity, ..Fulfilment::default() },
            };
            lines.push(item);
        }
        for (index, line) in order.custom_line_items.iter().enumerate() {
            let mut item = self.custom_line(line, index, locales, findings)?;
            item.fulfilment = match whole {
                Some(whole) => {
                    // Fees and services are not sent, so the word on the order says nothing of them.
                    let whole = Whole { shipped: false, delivered: false, ..whole };
                    fulfilment(item.quantity, units.get(item.id.as_str()).copied().unwrap_or_default(), whole)
                }
                None => Fulfilment { ordered: item.quantity, ..Fulfilment::default() },
            };
            lines.push(item);
        }
        let mut shipping = Vec::with_capacity(1);
        if let Some(info) = &order.shipping_info {
            shipping.push(charge(info, None).map_err(Fault::overflow(|| self.pointer("/shippingInfo/price")))?);
        }
        for (index, one) in order.shipping.iter().enumerate() {
            if let Some(info) = &one.shipping_info {
                let overflow = Fault::overflow(|| self.pointer(&format!("/shipping/{index}/shippingInfo/price")));
                shipping.push(charge(info, owned(one.shipping_key.as_ref())).map_err(overflow)?);
            }
        }
        let discounts = total_discounts(order, locales).map_err(Fault::overflow(|| self.pointer("/discountOnTotalPrice")))?;
        let coupons = order.discount_codes.iter().filter(|one| one.state.as_deref().is_none_or(|state| state == "MatchesCart"));
        let coupons = coupons.filter_map(|one| {
            let code = one.discount_code.as_ref()?;
            let text = owned(code.obj.as_ref().and_then(|obj| obj.code.as_ref()));
            Some(Coupon { code: text, id: owned(code.id.as_ref()), amount: None })
        });
        let coupons = coupons.collect();
        let mut taxes = Vec::new();
        let (total, tax) = match &order.taxed_price {
            Some(taxed) => {
                for (index, portion) in taxed.tax_portions.iter().enumerate() {
                    let Some(rate) = decimal(portion.rate) else {
                        return Err(Fault::at(self.pointer(&format!("/taxedPrice/taxPortions/{index}/rate")), "expected a number"));
                    };
                    taxes.push(TaxLine { name: owned(portion.name.as_ref()), rate, amount: portion.amount.0 });
                }
                let (gross, net) = (taxed.total_gross.0, taxed.total_net.0);
                let tax = taxed.total_tax.map_or_else(|| less(gross, net), |tax| Ok(tax.0));
                (gross, Some(tax.map_err(Fault::overflow(|| self.pointer("/taxedPrice")))?))
            }
            None => (order.total_price.0, None),
        };
        let beyond = |pointer: &'static str| Fault::overflow(move || self.pointer(pointer));
        let totals = Totals {
            subtotal: sum(zero, lines.iter().map(|line| line.total.amount)).map_err(beyond("/lineItems"))?,
            shipping: sum(zero, shipping.iter().map(|charge| charge.amount.amount)).map_err(beyond("/shipping"))?,
            discount: sum(zero, discounts.iter().map(|one| one.amount.amount)).map_err(beyond("/discountOnTotalPrice"))?,
            tax,
            tax_added: less(total, order.total_price.0).map_err(beyond("/taxedPrice"))?,
            total,
        };
        Ok(Common { lines, shipping, discounts, coupons, totals, taxes })
    }

    fn line(
        &self,
        line: &wire::LineItem<'_>,
        index: usize,
        locales: &[&str],
        market: &Market,
        findings: &mut Vec<Finding>,
    ) -> Result<LineItem, Fault> {
        let overflow = Fault::overflow(|| self.pointer(&format!("/lineItems/{index}")));
        let quantity = line.quantity.0;
        let total = line.total_price.0;
        let zero = Money::zero(total.currency);
        let discounted = line.price.as_ref().and_then(|price| price.discounted.as_ref());
        // A line without a price shows at least what it costs; the exact total stands in `total` anyway.
        let list = line.price.as_ref().map_or(if quantity == 1 { total } else { zero }, |price| price.value.0);
        let unit = discounted.map_or(list, |discounted| discounted.value.0);
        let mut discounts = Vec::new();
        if let Some(discounted) = discounted {
            let off = less(list, unit).and_then(|off| times(off, quantity)).map_err(&overflow)?;
            let (id, name) = rule(discounted.discount.as_ref(), locales);
            add_discount(&mut discounts, DiscountKind::Product, id, name, off).map_err(&overflow)?;
        }
        cart_discounts(&line.discounted_price_per_quantity, locales, &mut discounts).map_err(&overflow)?;
        let taxes = tax(line.taxed_price, line.tax_rate.as_ref(), &line.per_method_tax_rate, total).map_err(&overflow)?;
        let variant = line.variant.as_ref();
        let sku = variant.and_then(|variant| variant.sku.as_ref());
        let mut attributes = Attributes::new();
        let fields = self.attribute_fields(variant.and_then(|variant| variant.attributes));
        if let Some(fields) = &fields {
            let pointer = || self.pointer(&format!("/lineItems/{index}/variant/attributes"));
            fields.map(&self.compiled.config.attributes, locales, &pointer, &mut attributes, findings);
        }
        self.line_fields(line.custom.as_ref(), "lineItems", index, locales, &mut attributes, findings)?;
        let slug = localized(line.product_slug.as_ref(), locales);
        let url = fill(self.compiled.product_url.as_ref(), market, |place| match place {
            "slug" => slug,
            "sku" => sku.map(|sku| &**sku),
            "id" => line.product_id.as_deref(),
            "key" => line.product_key.as_deref(),
            _ => None,
        });
        Ok(LineItem {
            id: owned(line.id.as_ref()).unwrap_or_else(|| index.to_string()),
            kind: if line.line_item_mode.as_deref() == Some("GiftLineItem") { LineKind::Gift } else { LineKind::Product },
            parent_id: None,
            sku: owned(sku),
            product_id: owned(line.product_id.as_ref()),
            product_key: owned(line.product_key.as_ref()),
            variant_id: variant.and_then(|variant| variant.id).map(|id| id.to_string()),
            name: localized(line.name.as_ref(), locales).map(str::to_owned),
            quantity,
            unit_list_price: list,
            unit_price: unit,
            discounts,
            tax: taxes.amount,
            tax_rate: taxes.rate,
            tax_included: taxes.included,
            total,
            categories: Vec::new(),
            brand: self.brand(fields.as_ref(), locales),
            image_url: variant.and_then(|variant| owned(variant.images.first()?.url.as_ref())),
            url,
            attributes,
            fulfilment: Fulfilment::default(),
        })
    }

    fn custom_line(
        &self,
        line: &wire::CustomLineItem<'_>,
        index: usize,
        locales: &[&str],
        findings: &mut Vec<Finding>,
    ) -> Result<LineItem, Fault> {
        let overflow = Fault::overflow(|| self.pointer(&format!("/customLineItems/{index}")));
        let quantity = line.quantity.map_or(1, |quantity| quantity.0);
        let total = match line.total_price {
            Some(total) => total.0,
            None => times(line.money.0, quantity).map_err(&overflow)?,
        };
        let mut discounts = Vec::new();
        cart_discounts(&line.discounted_price_per_quantity, locales, &mut discounts).map_err(&overflow)?;
        let taxes = tax(line.taxed_price, line.tax_rate.as_ref(), &line.per_method_tax_rate, total).map_err(&overflow)?;
        let mut attributes = Attributes::new();
        self.line_fields(line.custom.as_ref(), "customLineItems", index, locales, &mut attributes, findings)?;
        let name = localized(line.name.as_ref(), locales).map(str::to_owned);
        Ok(LineItem {
            id: owned(line.id.as_ref()).unwrap_or_else(|| format!("custom-{index}")),
            kind: LineKind::Custom,
            parent_id: None,
            sku: None,
            product_id: None,
            product_key: None,
            variant_id: None,
            name: name.or_else(|| owned(line.slug.as_ref())),
            quantity,
            unit_list_price: line.money.0,
            unit_price: line.money.0,
            discounts,
            tax: taxes.amount,
            tax_rate: taxes.rate,
            tax_included: taxes.included,
            total,
            categories: Vec::new(),
            brand: None,
            image_url: None,
            url: None,
            attributes,
            fulfilment: Fulfilment::default(),
        })
    }

    fn line_fields(
        &self,
        custom: Option<&wire::Custom<'_>>,
        list: &str,
        index: usize,
        locales: &[&str],
        attributes: &mut Attributes,
        findings: &mut Vec<Finding>,
    ) -> Result<(), Fault> {
        let mappings = &self.compiled.config.line_fields;
        let pointer = || self.pointer(&format!("/{list}/{index}/custom/fields"));
        if let Some(fields) = self.custom_fields(custom, !mappings.is_empty(), pointer)? {
            fields.map(mappings, locales, &pointer, attributes, findings);
        }
        Ok(())
    }

    pub(super) fn shipment(
        &self,
        delivery: &wire::Delivery<'_>,
        order: &str,
        number: Option<&str>,
        lines: &[LineItem],
        findings: &mut Vec<Finding>,
    ) -> Shipment {
        let mappings = &self.compiled.config.delivery_fields;
        let mut attributes = Attributes::new();
        let pointer = || self.pointer("/shippingInfo/deliveries/custom/fields");
        match self.custom_fields(delivery.custom.as_ref(), !mappings.is_empty(), pointer) {
            Ok(Some(fields)) => fields.map(mappings, &self.locales(None), &pointer, &mut attributes, findings),
            Ok(None) => {}
            Err(fault) => findings.push(Finding::new(FindingCode::ValueUnknown, fault.pointer, fault.message)),
        }
        let parcels = delivery.parcels.iter().map(|parcel| {
            let tracking = parcel.tracking_data.as_ref();
            let carrier = owned(tracking.and_then(|tracking| tracking.carrier.as_ref()));
            let tracking_number = owned(tracking.and_then(|tracking| tracking.tracking_id.as_ref()));
            let template = carrier.as_deref().and_then(|carrier| self.compiled.tracking_urls.get(&carrier.to_lowercase()));
            Parcel {
                id: parcel.id.to_string(),
                tracking_url: template.and_then(|template| template.fill(|_| tracking_number.as_deref())),
                carrier,
                tracking_number,
                is_return: tracking.and_then(|tracking| tracking.is_return).unwrap_or(false),
                lines: shipment_lines(&parcel.items, lines),
            }
        });
        Shipment {
            id: delivery.id.to_string(),
            order_id: order.to_owned(),
            order_number: number.map(str::to_owned),
            shipped_at: at(delivery.created_at),
            // A delivery has no state of its own.
            status: None,
            lines: shipment_lines(&delivery.items, lines),
            parcels: parcels.collect(),
            address: delivery.address.as_ref().map(address),
            attributes,
        }
    }
}

/// Something that happened to an order, with the key that a message about it has.
struct Fact {
    kind: &'static str,
    resource: String,
    what: &'static str,
    id: String,
    at: Option<crate::model::Instant>,
    body: Body,
}

fn facts(order: &Order) -> Vec<Fact> {
    let of_order = |what, id: &str, at, body| Fact { kind: "order", resource: order.id.clone(), what, id: id.to_owned(), at, body };
    let mut facts = Vec::new();
    facts.extend(order.shipments.iter().map(|one| of_order("shipment", &one.id, one.shipped_at, Body::Shipment(one.clone()))));
    facts.extend(order.returns.iter().map(|one| of_order("return", &one.id, one.returned_at, Body::Return(one.clone()))));
    facts.extend(order.refunds.iter().map(|one| {
        let fact = of_order("refund", &one.id, Some(one.refunded_at), Body::Refund(one.clone()));
        match &one.payment_id {
            Some(payment) => Fact { kind: "payment", resource: payment.clone(), ..fact },
            None => fact,
        }
    }));
    facts
}

/// An order with what its envelope needs.
pub(super) struct OrderBody {
    pub order: Order,
    pub market: Market,
    pub consents: Vec<crate::model::Consent>,
    pub findings: Vec<Finding>,
}

/// Whom a cart or order is about: guests are known by an e-mail only, which may stand in an address.
pub(super) fn identity_of<'o>(order: &'o wire::Order<'_>) -> Identity {
    let mut identity = Identity {
        customer_id: owned(order.customer_id.as_ref()),
        anonymous_id: owned(order.anonymous_id.as_ref()),
        ..Identity::default()
    };
    let written = |text: &'o Option<wire::Text<'_>>| text.as_deref().filter(|text| filled(text).is_some());
    let of = |address: &'o Option<wire::Address<'_>>| written(&address.as_ref()?.email);
    let email = written(&order.customer_email).or_else(|| of(&order.billing_address)).or_else(|| of(&order.shipping_address));
    let email = email.or_else(|| order.shipping.iter().find_map(|one| of(&one.shipping_address)));
    set_email(&mut identity, email);
    identity
}

/// Whether an order was placed more than a day before it was imported: then it is history, and nobody may be mailed
/// because of it, whichever way it is heard. Shops whose orders all come in by import, soon after they were placed, are live.
fn is_history(order: &wire::Order<'_>) -> bool {
    let placed_and_imported = order.completed_at.zip(order.created_at);
    placed_and_imported.is_some_and(|(placed, imported)| imported.0.signed_duration_since(placed.0) > TimeDelta::days(1))
}

fn shipping_address(order: &wire::Order<'_>) -> Option<crate::model::Address> {
    let several = || order.shipping.iter().find_map(|one| one.shipping_address.as_ref());
    order.shipping_address.as_ref().or_else(several).map(address)
}

/// Deliveries to the customer; one that consists of return parcels only is a way back.
fn deliveries<'o, 'w>(order: &'o wire::Order<'w>) -> impl Iterator<Item = &'o wire::Delivery<'w>> {
    let infos = order.shipping_info.iter().chain(order.shipping.iter().filter_map(|one| one.shipping_info.as_ref()));
    infos.flat_map(|info| &info.deliveries).filter(|delivery| !is_way_back(delivery))
}

/// Whether a delivery consists of return parcels only.
pub(super) fn is_way_back(delivery: &wire::Delivery<'_>) -> bool {
    let back = |parcel: &wire::Parcel<'_>| parcel.tracking_data.as_ref().and_then(|tracking| tracking.is_return).unwrap_or(false);
    !delivery.parcels.is_empty() && delivery.parcels.iter().all(back)
}

fn units<'o>(order: &'o wire::Order<'_>) -> HashMap<&'o str, Units> {
    let mut units: HashMap<&str, Units> = HashMap::new();
    for item in deliveries(order).flat_map(|delivery| &delivery.items) {
        let line = units.entry(&*item.id).or_default();
        line.shipped = line.shipped.saturating_add(item.quantity.0);
    }
    for item in order.return_info.iter().flat_map(|info| &info.items) {
        let Some(id) = item.line_item_id.as_deref().or(item.custom_line_item_id.as_deref()) else { continue };
        let line = units.entry(id).or_default();
        if is_back(item) {
            line.returned = line.returned.saturating_add(item.quantity.0);
        }
        if item.payment_state.as_deref() == Some("Refunded") {
            line.refunded = line.refunded.saturating_add(item.quantity.0);
        }
    }
    units
}

fn shipment_lines(items: &[wire::DeliveryItem<'_>], lines: &[LineItem]) -> Vec<ShipmentLine> {
    let of = |item: &wire::DeliveryItem<'_>| {
        let line = lines.iter().find(|line| line.id == *item.id);
        ShipmentLine {
            line_id: item.id.to_string(),
            sku: line.and_then(|line| line.sku.clone()),
            name: line.and_then(|line| line.name.clone()),
            quantity: item.quantity.0,
        }
    };
    items.iter().map(of).collect()
}

/// Whether goods are back. `Advised` is an announcement.
fn is_back(item: &wire::ReturnItem<'_>) -> bool {
    matches!(item.shipment_state.as_deref(), Some("Returned" | "BackInStock" | "Unusable"))
}

/// A return. The platform gives it no id of its own; the ids of its items never change.
pub(super) fn return_of(info: &wire::ReturnInfo<'_>, order: &str, number: Option<&str>, lines: &[LineItem]) -> Return {
    let items = info.items.iter().map(|item| {
        let line_id = item.line_item_id.as_deref().or(item.custom_line_item_id.as_deref()).unwrap_or_default();
        let line = lines.iter().find(|line| line.id == line_id);
        ReturnItem {
            id: item.id.to_string(),
            line_id: line_id.to_owned(),
            sku: line.and_then(|line| line.sku.clone()),
            name: line.and_then(|line| line.name.clone()),
            quantity: item.quantity.0,
            shipping_state: owned(item.shipment_state.as_ref()),
            payment_state: owned(item.payment_state.as_ref()),
            comment: owned(item.comment.as_ref()),
        }
    });
    let mut parts: Vec<&str> = vec![order];
    parts.extend(info.items.iter().map(|item| &*item.id));
    parts[1..].sort_unstable();
    let first = info.items.iter().filter_map(|item| item.created_at).min();
    // A return may have been announced long before it came back; then that is the news.
    let back = info.items.iter().filter(|item| is_back(item)).filter_map(|item| item.last_modified_at).max();
    Return {
        id: opaque(&parts),
        order_id: order.to_owned(),
        order_number: number.map(str::to_owned),
        returned_at: at(info.return_date.or(first).max(back)),
        tracking_number: owned(info.return_tracking_id.as_ref()),
        items: items.collect(),
    }
}

/// Refunds and payment methods, where the payments were expanded.
fn payments(
    order: &wire::Order<'_>,
    id: &str,
    number: Option<&str>,
    placed_at: crate::model::Instant,
    locales: &[&str],
    gives_back: &dyn Fn(&wire::Transaction<'_>) -> bool,
) -> (Vec<Refund>, Vec<String>) {
    let (mut refunds, mut methods) = (Vec::new(), Vec::new());
    for reference in order.payment_info.iter().flat_map(|info| &info.payments) {
        let Some(payment) = &reference.obj else { continue };
        if let Some(info) = &payment.payment_method_info {
            let name = localized(info.name.as_ref(), locales).or(info.method.as_deref());
            if let Some(name) = name.filter(|name| !methods.iter().any(|known| known == name)) {
                methods.push(name.to_owned());
            }
        }
        for transaction in payment.transactions.iter().filter(|one| gives_back(one)) {
            refunds.push(Refund {
                id: transaction.id.to_string(),
                order_id: Some(id.to_owned()),
                order_number: number.map(str::to_owned),
                payment_id: owned(payment.id.as_ref()).or_else(|| owned(reference.id.as_ref())),
                amount: transaction.amount.0,
                refunded_at: at(transaction.timestamp.or(payment.last_modified_at).or(order.last_modified_at)).unwrap_or(placed_at),
                reason: reason(transaction),
                full: None,
                lines: Vec::new(),
                shipping: None,
            });
        }
    }
    (refunds, methods)
}

fn rule<'t>(rule: Option<&'t wire::Reference<'_, wire::DiscountRule<'_>>>, locales: &[&str]) -> (Option<&'t str>, Option<&'t str>) {
    let name = rule.and_then(|rule| localized(rule.obj.as_ref()?.name.as_ref(), locales));
    (rule.and_then(wire::Reference::any), name)
}

type Sum<T> = Result<T, crate::normalize::line_items::Overflow>;

/// What cart rules took off a line: per unit in the document, for the whole line here.
fn cart_discounts(prices: &[wire::DiscountedPricePerQuantity<'_>], locales: &[&str], out: &mut Vec<Discount>) -> Sum<()> {
    for price in prices {
        for portion in &price.discounted_price.included_discounts {
            let (id, name) = rule(portion.discount.as_ref(), locales);
            add_discount(out, DiscountKind::Cart, id, name, times(portion.discounted_amount.0, price.quantity.0)?)?;
        }
    }
    Ok(())
}

/// Discounts on the total. Where the rules do not add up to the amount, the amount counts: it is what was taken off.
fn total_discounts(order: &wire::Order<'_>, locales: &[&str]) -> Sum<Vec<Discount>> {
    let mut discounts = Vec::new();
    let Some(on_total) = &order.discount_on_total_price else { return Ok(discounts) };
    for portion in &on_total.included_discounts {
        let (id, name) = rule(portion.discount.as_ref(), locales);
        add_discount(&mut discounts, DiscountKind::Cart, id, name, portion.discounted_amount.0)?;
    }
    let amount = on_total.discounted_amount.0;
    let named = sum(Money::zero(amount.currency), discounts.iter().map(|one| one.amount.amount))?;
    if named.amount != amount.amount {
        discounts.clear();
        add_discount(&mut discounts, DiscountKind::Cart, None, None, amount)?;
    }
    Ok(discounts)
}

fn charge(info: &wire::ShippingInfo<'_>, key: Option<String>) -> Sum<ShippingCharge> {
    // `price` equals the discounted price wherever it was seen; should it ever not, the discounted one is charged.
    let amount = info.discounted_price.as_ref().map_or(info.price.0, |discounted| discounted.value.0);
    let mut discounts = Vec::new();
    for portion in info.discounted_price.iter().flat_map(|discounted| &discounted.included_discounts) {
        let id = portion.discount.as_ref().and_then(wire::Reference::any);
        add_discount(&mut discounts, DiscountKind::Shipping, id, None, portion.discounted_amount.0)?;
    }
    let taxes = tax(info.taxed_price, info.tax_rate.as_ref(), &[], amount)?;
    Ok(ShippingCharge {
        key,
        method: owned(info.shipping_method_name.as_ref()),
        amount,
        discounts,
        tax: taxes.amount,
        tax_included: taxes.included,
    })
}

struct Tax {
    amount: Option<Money>,
    rate: Option<Decimal>,
    included: Option<bool>,
}

fn tax(
    taxed: Option<wire::TaxedItemPrice>,
    rate: Option<&wire::TaxRate<'_>>,
    per_method: &[wire::MethodTaxRate<'_>],
    total: Money,
) -> Sum<Tax> {
    // Several shipping methods may bring several rates; one that all share is the line's.
    let shared = || {
        let first = per_method.first()?.tax_rate.as_ref()?;
        let same = |one: &wire::MethodTaxRate<'_>| {
            one.tax_rate.as_ref().is_some_and(|other| {
                other.included_in_price == first.included_in_price
                    && other.amount.map(serde_json::value::RawValue::get) == first.amount.map(serde_json::value::RawValue::get)
            })
        };
        per_method.iter().all(same).then_some(first)
    };
    let rate = rate.or_else(shared);
    let amount = match taxed {
        Some(taxed) => Some(match taxed.total_tax {
            Some(tax) => tax.0,
            None => less(taxed.total_gross.0, taxed.total_net.0)?,
        }),
        None => None,
    };
    let told = || {
        let taxed = taxed.filter(|taxed| taxed.total_gross != taxed.total_net)?;
        match total {
            total if total == taxed.total_gross.0 => Some(true),
            total if total == taxed.total_net.0 => Some(false),
            _ => None,
        }
    };
    Ok(Tax {
        amount,
        rate: rate.and_then(|rate| rate.amount).and_then(decimal),
        included: rate.and_then(|rate| rate.included_in_price).or_else(told),
    })
}

/// Whether the document is an order, a cart, or does not say.
pub(super) fn is_order(order: &wire::Order<'_>, hint: Option<&str>) -> Option<bool> {
    let kind = order.kind.as_deref();
    match (&order.order_state, &order.cart_state, kind, hint) {
        (Some(_), _, _, _) | (None, None, Some("Order"), _) => Some(true),
        (None, Some(_), _, _) | (None, None, Some("Cart"), _) => Some(false),
        (None, None, _, Some("order")) => Some(true),
        (None, None, _, Some("cart")) => Some(false),
        _ => order.order_number.is_some().then_some(true),
    }
}
