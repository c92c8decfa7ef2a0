//! Canonical record → operations.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::Serialize;

use super::super::{Built, Operation, Skip};
use super::Iterable;
use super::capabilities as endpoints;
use super::config::{Backfilled, CatalogLayout, CatalogWrite, ContactDeletion, EmptyCart, Erase, Policy, Subscriptions, Write};
use super::ids::{self, Nobody, Who};
use super::payload::{
    Attrs, CartData, CartRow, CartUser, CategoryDocument, ContactFields, Data, EmptyCartRow, EventData, Evidence, Item, ItemData, Line,
    NoItems, Place, Postal, ProductDocument, Purchase, PurchaseData, PurchaseUser, RefundData, ReturnData, ShipmentData, Stamp, Track,
    UserRef, UserRow, VariantDocument, VariantEntry, VariantFields, bytes, filled, nonzero,
};
use super::payload::{CATEGORY_FIELDS, Day, EVENT_FIELDS, ITEM_FIELDS, PRODUCT_FIELDS, PURCHASE_FIELDS, evidence_field};
use crate::error::Error;
use crate::fingerprint;
use crate::model::money::JsonNumber;
use crate::model::{
    Address, Body, Cart, CartState, Category, CategoryRef, Consent, ConsentStatus, Contact, ContactDeleted, Envelope, Event, Finding,
    FindingCode, IdempotencyKey, LineItem, LineKind, Mode, Money, Order, OrderStatus, Product, ProductDeleted, Record, Refund, Return,
    Shipment, ShippingStatus, SkipReason, Variant,
};

/// Builds one record; a value JSON cannot hold is a finding of the record, like any other.
pub(super) fn build(iterable: &Iterable, record: &Record) -> Built {
    let mut builder = Builder { iterable, envelope: &record.envelope, built: Built::default() };
    if let Err(error) = builder.body(&record.body) {
        builder.built.findings.push(Finding::new(FindingCode::ValueUnsupported, "/body", error.message()));
    }
    if builder.built.findings.iter().any(Finding::is_error) {
        builder.built.operations.clear();
    }
    builder.built
}

struct Builder<'a> {
    iterable: &'a Iterable,
    envelope: &'a Envelope,
    built: Built,
}

impl<'a> Builder<'a> {
    fn body(&mut self, body: &'a Body) -> Result<(), Error> {
        match body {
            Body::Contact(contact) => self.contact(contact),
            Body::ContactDeleted(deleted) => self.contact_deleted(deleted),
            Body::Product(product) => self.product(product),
            Body::ProductDeleted(deleted) => self.product_deleted(deleted),
            Body::Category(category) => self.category(category),
            Body::CategoryDeleted(deleted) => {
                let catalog = self.iterable.config.catalogs.categories.as_deref();
                self.delete_item(catalog, "category", format!("category:{}", deleted.id), &deleted.id)
            }
            Body::Cart(cart) => self.cart(cart),
            Body::Order(order) => self.order(order),
            Body::Refund(refund) => self.refund(refund),
            Body::Return(back) => self.returned(back),
            Body::Shipment(shipment) => self.shipment(shipment),
            Body::Event(event) => self.event(event),
        }
    }

    // -- people ------------------------------------------------------------------------------------------------------

    fn contact(&mut self, contact: &'a Contact) -> Result<(), Error> {
        let Some(who) = self.who() else { return Ok(()) };
        let config = &self.iterable.config;
        let market = &self.envelope.market;
        let identity = &self.envelope.identity;
        let merge = config.merge_nested_objects;
        let attributes = Attrs::new(&contact.attributes, Place::Profile);
        attributes.report("/body/attributes", &mut self.built.findings);
        for (index, consent) in contact.consents.iter().enumerate() {
            if consent.status != ConsentStatus::Unknown && evidence_field(consent).is_none() {
                let pointer = format!("/body/consents/{index}/channel");
                self.built.findings.push(Finding::new(FindingCode::FieldDropped, pointer, "no profile field is kept for this channel"));
            }
        }
        let shipping = contact.addresses.iter().find(|address| address.default_shipping);
        let billing = contact.addresses.iter().find(|address| address.default_billing);
        let address = shipping.or(billing).or_else(|| contact.addresses.first());
        let postal = |address: &'a Address| Postal { address, nulls: merge };
        let row = UserRow {
            email: who.email(),
            user_id: who.user_id(),
            prefer_user_id: who.prefer(),
            merge_nested_objects: merge.then_some(true),
            create_new_fields: if config.write == Write::Single { config.create_new_fields } else { None },
            data_fields: ContactFields {
                // Under a userId the address is a field like others, and a new one changes it.
                email: who.user_id().and(identity.email.as_deref()).filter(|email| ids::email_fault(email).is_none()),
                customer_id: identity.customer_id.as_deref(),
                first_name: contact.first_name.as_deref(),
                middle_name: contact.middle_name.as_deref(),
                last_name: contact.last_name.as_deref(),
                salutation: contact.salutation.as_deref(),
                title: contact.title.as_deref(),
                company: contact.company.as_deref(),
                vat_id: contact.vat_id.as_deref(),
                gender: contact.gender.as_deref(),
                date_of_birth: contact.date_of_birth.map(Day),
                customer_number: contact.customer_number.as_deref(),
                phone_number: identity.phone.as_deref().filter(|phone| is_e164(phone)),
                email_verified: contact.email_verified,
                locale: market.locale.as_deref(),
                time_zone: contact.timezone.as_deref(),
                country: market.country.as_deref(),
                customer_group: contact.groups.first().map(String::as_str),
                customer_groups: filled(&contact.groups),
                stores: filled(&contact.stores),
                customer_since: contact.created_at.map(Stamp),
                address: address.map(postal),
                billing_address: billing.map(postal),
                consents: Evidence { consents: &contact.consents, nulls: merge },
                attributes,
            },
        };
        let body = bytes(&row, 1024)?;
        let (endpoint, name) = (if config.write == Write::Bulk { endpoints::USERS_BULK } else { endpoints::USERS_UPDATE }, who.name());
        let mut operation = self.operation(endpoint, format!("contact:{name}"), profile(&name), body);
        operation.delta = Some("/dataFields".into());
        self.built.operations.push(operation);
        for consent in &contact.consents {
            self.subscription(consent, &who, &name)?;
        }
        Ok(())
    }

    fn subscription(&mut self, consent: &Consent, who: &Who<'_>, name: &str) -> Result<(), Error> {
        let granted = match consent.status {
            ConsentStatus::Granted => true,
            ConsentStatus::Denied => false,
            // Silence is no answer, whatever Iterable takes it for.
            ConsentStatus::Pending | ConsentStatus::Unknown => return Ok(()),
        };
        let config = &self.iterable.config;
        let channel = consent.channel.as_str();
        let Some(target) = config.consent.get(channel) else {
            self.skip(SkipReason::NotConfigured, format!("permission for `{channel}` needs a message type in `consent`"));
            return Ok(());
        };
        if granted && self.quiet(config.backfill_grants) {
            self.skip(
                SkipReason::BackfillQuiet,
                format!("a subscription to `{channel}` can start a welcome journey; see `backfill_grants`"),
            );
            return Ok(());
        }
        let (endpoint, params) = match (config.subscriptions, who) {
            (Subscriptions::ReadModifyWrite, _) => (endpoints::SUBSCRIPTIONS, BTreeMap::new()),
            (Subscriptions::Additive, Who::Email(email)) => (
                if granted { endpoints::SUBSCRIBE_EMAIL } else { endpoints::UNSUBSCRIBE_EMAIL },
                subscription_path(target.message_type, "email", email),
            ),
            (Subscriptions::Additive, Who::UserId { id, .. }) => (
                if granted { endpoints::SUBSCRIBE_USER_ID } else { endpoints::UNSUBSCRIBE_USER_ID },
                subscription_path(target.message_type, "userId", id),
            ),
        };
        let body = bytes(
            &SubscriptionRow {
                email: who.email(),
                user_id: who.user_id(),
                channel,
                granted,
                message_type: target.message_type,
                message_channel: target.channel,
                opt_in: target.policy == Policy::OptIn,
                at: consent.at.map(Stamp),
            },
            192,
        )?;
        let entity = format!("consent:{name}:{channel}");
        let mut operation = self.operation(endpoint, entity.clone(), profile(name), body);
        operation.params = params;
        operation.idempotency_key = IdempotencyKey::new(format!("{}:consent:{channel}", self.envelope.idempotency_key));
        operation.supersedes = vec![entity];
        self.built.operations.push(operation);
        Ok(())
    }

    fn contact_deleted(&mut self, deleted: &ContactDeleted) -> Result<(), Error> {
        let config = &self.iterable.config;
        if !deleted.erase && config.contact_deleted == ContactDeletion::Keep {
            self.skip(SkipReason::NotConfigured, "a deletion that is no erasure leaves the profile; see `contact_deleted`");
            return Ok(());
        }
        let Some(who) = self.who() else { return Ok(()) };
        let name = who.name();
        let entity = format!("contact:{name}");
        let body = bytes(&UserRef { email: who.email(), user_id: who.user_id() }, 96)?;
        let forget = deleted.erase && config.erase == Erase::Forget;
        let endpoint = match &who {
            _ if forget => endpoints::FORGET,
            Who::Email(_) => endpoints::DELETE_BY_EMAIL,
            Who::UserId { .. } => endpoints::DELETE_BY_USER_ID,
        };
        let mut operation = self.operation(endpoint, entity.clone(), profile(&name), body);
        if !forget {
            operation.params = match &who {
                Who::Email(email) => BTreeMap::from([("email".to_owned(), (*email).to_owned())]),
                Who::UserId { id, .. } => BTreeMap::from([("userId".to_owned(), id.clone().into_owned())]),
            };
        }
        operation.supersedes = vec![entity];
        self.built.operations.push(operation);
        Ok(())
    }

    // -- commerce ----------------------------------------------------------------------------------------------------

    fn order(&mut self, order: &'a Order) -> Result<(), Error> {
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
        if self.quiet(self.iterable.config.backfill_purchases) {
            self.skip(SkipReason::BackfillQuiet, "a purchase clears the live cart and can start journeys; see `backfill_purchases`");
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
                subtotal: JsonNumber(totals.subtotal.amount + parts.taken_off - parts.fees),
                shipping_total: JsonNumber(totals.shipping.amount),
                fee_total: nonzero(parts.fees),
                tax_total: totals.tax.map(|tax| JsonNumber(tax.amount)),
                discount_total: JsonNumber(totals.discount.amount + parts.taken_off),
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

    fn cart(&mut self, cart: &'a Cart) -> Result<(), Error> {
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
                let row = EmptyCartRow {
                    email: who.email(),
                    user_id: who.user_id(),
                    prefer_user_id: who.prefer(),
                    data_fields: Data(NoItems { shopping_cart_items: [] }),
                };
                (if config.write == Write::Bulk { endpoints::USERS_BULK } else { endpoints::USERS_UPDATE }, bytes(&row, 128)?)
            }
            _ => {
                let total = if parts.items.is_empty() { Decimal::ZERO } else { cart.totals.total.amount };
                let row = CartRow {
                    user: CartUser {
                        email: who.email(),
                        user_id: who.user_id(),
                        prefer_user_id: who.prefer(),
                        create_new_fields: config.create_new_fields,
                        data_fields: Data(CartData {
                            cart_id: &cart.id,
                            cart_total: JsonNumber(total),
                            cart_currency: cart.totals.total.currency.as_str(),
                            cart_updated_at: Stamp(cart.last_activity_at.or(cart.updated_at).unwrap_or(self.envelope.occurred_at)),
                            cart_url: cart.url.as_deref(),
                        }),
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

    /// The lines Iterable takes as items, and what the others come to.
    fn items(&mut self, lines: &'a [LineItem]) -> Parts<'a> {
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
            // What is given away, or paid with its bundle, must not count twice in sums over items.
            let free = line.kind == LineKind::Gift || (line.kind == LineKind::BundleChild && line.total.amount.is_zero());
            let discount: Decimal = line.discounts.iter().map(|discount| discount.amount.amount).sum();
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
            (None, _, _) => ids::encode(line.sku.as_deref().unwrap_or(&line.id)),
        }
    }

    // -- events ------------------------------------------------------------------------------------------------------

    fn refund(&mut self, refund: &'a Refund) -> Result<(), Error> {
        let Some((who, name)) = self.tracked("order_refunded") else { return Ok(()) };
        let id = ids::event_id(self.envelope, "refund", &refund.id);
        let purchase = refund.order_id.as_deref().map(|order| ids::event_id(self.envelope, "order", order));
        let data = RefundData {
            order_id: refund.order_id.as_deref(),
            purchase_id: purchase.as_deref(),
            order_number: refund.order_number.as_deref(),
            refund_id: &refund.id,
            source: &self.envelope.source,
            refund_amount: JsonNumber(refund.amount.amount),
            currency: refund.amount.currency.as_str(),
            shipping_amount: refund.shipping.map(|shipping| JsonNumber(shipping.amount)),
            is_full_refund: refund.full,
            reason: refund.reason.as_deref(),
            refunded_at: Stamp(refund.refunded_at),
            items: some(refund.lines.iter().map(|line| Line {
                line_id: &line.line_id,
                sku: line.sku.as_deref(),
                name: line.name.as_deref(),
                quantity: line.quantity,
                amount: line.amount.map(|amount| JsonNumber(amount.amount)),
                shipping_state: None,
                payment_state: None,
            })),
        };
        self.track(&who, &name, &id, refund.refunded_at, format!("refund:{}", refund.id), data)
    }

    fn returned(&mut self, back: &'a Return) -> Result<(), Error> {
        let Some((who, name)) = self.tracked("order_returned") else { return Ok(()) };
        let id = ids::event_id(self.envelope, "return", &back.id);
        let purchase = ids::event_id(self.envelope, "order", &back.order_id);
        let at = back.returned_at.unwrap_or(self.envelope.occurred_at);
        let data = ReturnData {
            order_id: &back.order_id,
            purchase_id: &purchase,
            order_number: back.order_number.as_deref(),
            return_id: &back.id,
            source: &self.envelope.source,
            tracking_number: back.tracking_number.as_deref(),
            returned_at: Stamp(at),
            items: some(back.items.iter().map(|item| Line {
                line_id: &item.line_id,
                sku: item.sku.as_deref(),
                name: item.name.as_deref(),
                quantity: item.quantity,
                amount: None,
                shipping_state: item.shipping_state.as_deref(),
                payment_state: item.payment_state.as_deref(),
            })),
        };
        self.track(&who, &name, &id, at, format!("return:{}", back.id), data)
    }

    fn shipment(&mut self, shipment: &'a Shipment) -> Result<(), Error> {
        let (canonical, kind) = match &shipment.status {
            None | Some(ShippingStatus::Shipped | ShippingStatus::PartiallyShipped | ShippingStatus::Delayed) => {
                ("order_shipped", "shipment")
            }
            Some(ShippingStatus::Delivered) => ("order_delivered", "delivery"),
            Some(ShippingStatus::Other(_)) if shipment.shipped_at.is_some() => ("order_shipped", "shipment"),
            Some(_) => {
                self.skip(SkipReason::Ignored, "the goods are not on their way yet, or not any more");
                return Ok(());
            }
        };
        let Some((who, name)) = self.tracked(canonical) else { return Ok(()) };
        let id = ids::event_id(self.envelope, kind, &shipment.id);
        let purchase = ids::event_id(self.envelope, "order", &shipment.order_id);
        let attributes = Attrs::new(&shipment.attributes, Place::Event(EVENT_FIELDS));
        attributes.report("/body/attributes", &mut self.built.findings);
        let parcel = shipment.parcels.iter().find(|parcel| !parcel.is_return);
        let at = if kind == "delivery" { None } else { shipment.shipped_at }.unwrap_or(self.envelope.occurred_at);
        let data = ShipmentData {
            order_id: &shipment.order_id,
            purchase_id: &purchase,
            order_number: shipment.order_number.as_deref(),
            shipment_id: &shipment.id,
            source: &self.envelope.source,
            status: shipment.status.as_ref().map(ShippingStatus::as_str),
            carrier: parcel.and_then(|parcel| parcel.carrier.as_deref()),
            tracking_number: parcel.and_then(|parcel| parcel.tracking_number.as_deref()),
            tracking_url: parcel.and_then(|parcel| parcel.tracking_url.as_deref()),
            tracking_numbers: some(
                shipment.parcels.iter().filter(|parcel| !parcel.is_return).filter_map(|parcel| parcel.tracking_number.as_deref()),
            ),
            shipped_at: shipment.shipped_at.map(Stamp),
            shipping_country: shipment.address.as_ref().and_then(|address| address.country.as_deref()),
            items: some(shipment.lines.iter().map(|line| Line {
                line_id: &line.line_id,
                sku: line.sku.as_deref(),
                name: line.name.as_deref(),
                quantity: line.quantity,
                amount: None,
                shipping_state: None,
                payment_state: None,
            })),
            attributes,
        };
        self.track(&who, &name, &id, at, format!("{kind}:{}", shipment.id), data)
    }

    fn event(&mut self, event: &'a Event) -> Result<(), Error> {
        let Some(event_name) = self.iterable.config.event_name(&event.name) else {
            self.skip(
                SkipReason::NotConfigured,
                "an order placed is sent as a purchase; name it in `event_names` to send it as an event too",
            );
            return Ok(());
        };
        if event_name.is_empty() || event_name.len() > 255 {
            self.refuse("/body/name", "an event name has 1 to 255 bytes");
            return Ok(());
        }
        if self.quiet(self.iterable.config.backfill_events) {
            self.skip(SkipReason::BackfillQuiet, "Iterable does not say that old events start no journeys; see `backfill_events`");
            return Ok(());
        }
        let Some(who) = self.who() else { return Ok(()) };
        // The key is made of what happened, so the same event heard twice has one id.
        let key = self.envelope.idempotency_key.as_str();
        let id = ids::event_id(self.envelope, &ids::encode(&event.name.as_str().replace('_', "-")), key);
        let purchase = event.order_id.as_deref().map(|order| ids::event_id(self.envelope, "order", order));
        let attributes = Attrs::new(&event.properties, Place::Event(EVENT_FIELDS));
        attributes.report("/body/properties", &mut self.built.findings);
        let items = self.items(&event.lines).items;
        let data = EventData {
            source: &self.envelope.source,
            order_id: event.order_id.as_deref(),
            purchase_id: purchase.as_deref(),
            order_number: event.order_number.as_deref(),
            cart_id: event.cart_id.as_deref(),
            product_id: event.product_id.as_deref(),
            variant_id: event.variant_id.as_deref(),
            sku: event.sku.as_deref(),
            category_id: event.category_id.as_deref(),
            value: event.value.map(|value| JsonNumber(value.amount)),
            currency: event.value.as_ref().map(|value| value.currency.as_str()),
            url: event.url.as_deref(),
            items: (!items.is_empty()).then_some(items),
            attributes,
        };
        self.track(&who, &event_name, &id, self.envelope.occurred_at, format!("event:{id}"), data)
    }

    /// Who and under what name, unless the event must not be sent.
    fn tracked(&mut self, canonical: &'static str) -> Option<(Who<'a>, Cow<'a, str>)> {
        if self.quiet(self.iterable.config.backfill_events) {
            self.skip(SkipReason::BackfillQuiet, "Iterable does not say that old events start no journeys; see `backfill_events`");
            return None;
        }
        let who = self.who()?;
        let name = match self.iterable.config.event_names.get(canonical) {
            Some(configured) => Cow::Borrowed(configured.as_str()),
            None => Cow::Owned(ids::camel(canonical)),
        };
        Some((who, name))
    }

    fn track<D: Serialize>(
        &mut self,
        who: &Who<'_>,
        event_name: &str,
        id: &str,
        at: chrono::DateTime<chrono::Utc>,
        entity: String,
        data_fields: D,
    ) -> Result<(), Error> {
        let config = &self.iterable.config;
        let row = Track {
            event_name,
            id,
            email: who.email(),
            user_id: who.user_id(),
            created_at: at.timestamp(),
            create_new_fields: config.create_new_fields,
            data_fields,
        };
        let body = bytes(&row, 768)?;
        let endpoint = if config.write == Write::Bulk { endpoints::TRACK_BULK } else { endpoints::TRACK };
        let mut operation = self.operation(endpoint, entity, profile(&who.name()), body);
        operation.once = true;
        operation.occurred_at = at;
        operation.idempotency_key = self.key(id);
        self.built.operations.push(operation);
        Ok(())
    }

    // -- catalogue ---------------------------------------------------------------------------------------------------

    fn product(&mut self, product: &'a Product) -> Result<(), Error> {
        let Some(catalog) = self.iterable.config.catalogs.products.as_deref() else {
            self.skip(SkipReason::NotConfigured, "products need `catalogs.products`");
            return Ok(());
        };
        let attributes = Attrs::new(&product.attributes, Place::Catalog(PRODUCT_FIELDS));
        attributes.report("/body/attributes", &mut self.built.findings);
        for (index, variant) in product.variants.iter().enumerate() {
            if !variant.attributes.is_empty() {
                let place = Place::Catalog(PRODUCT_FIELDS);
                Attrs::new(&variant.attributes, place).report(&format!("/body/variants/{index}/attributes"), &mut self.built.findings);
            }
        }
        match self.iterable.config.catalog_layout {
            CatalogLayout::Product => {
                let lead = product.variants.first();
                let row = ProductDocument {
                    product_id: &product.id,
                    product_key: product.key.as_deref(),
                    name: product.name.as_deref(),
                    description: product.description.as_deref(),
                    slug: product.slug.as_deref(),
                    url: product.url.as_deref(),
                    brand: product.brand.as_deref(),
                    product_type: product.product_type.as_deref(),
                    published: product.published,
                    categories: category_paths(&product.categories),
                    category_ids: some(product.categories.iter().map(|category| category.id.as_str())),
                    rating_average: product.rating_average.map(JsonNumber),
                    rating_count: product.rating_count,
                    created_at: product.created_at.map(Stamp),
                    lead: lead.map(variant_fields),
                    skus: some(product.variants.iter().filter_map(|variant| variant.sku.as_deref())),
                    variants: some(product.variants.iter().map(|variant| VariantEntry {
                        name: variant.name.as_deref(),
                        url: variant.url.as_deref(),
                        fields: variant_fields(variant),
                        attributes: Attrs::new(&variant.attributes, Place::Catalog(PRODUCT_FIELDS)),
                    })),
                    attributes,
                };
                let body = bytes(&row, 1024 + 384 * product.variants.len())?;
                let id = ids::encode(&product.id).into_owned();
                self.item(catalog, format!("product:{}", product.id), id, body, "/body", None);
            }
            CatalogLayout::Variant => {
                for (index, variant) in product.variants.iter().enumerate() {
                    let row = VariantDocument {
                        product_id: &product.id,
                        product_key: product.key.as_deref(),
                        name: variant.name.as_deref().or(product.name.as_deref()),
                        description: product.description.as_deref(),
                        slug: product.slug.as_deref(),
                        url: variant.url.as_deref().or(product.url.as_deref()),
                        brand: product.brand.as_deref(),
                        product_type: product.product_type.as_deref(),
                        published: product.published,
                        categories: category_paths(&product.categories),
                        category_ids: some(product.categories.iter().map(|category| category.id.as_str())),
                        rating_average: product.rating_average.map(JsonNumber),
                        rating_count: product.rating_count,
                        created_at: product.created_at.map(Stamp),
                        lead: variant_fields(variant),
                        attributes: Attrs { over: Some(&variant.attributes), ..attributes },
                        variant_attributes: Attrs::new(&variant.attributes, Place::Catalog(PRODUCT_FIELDS)),
                    };
                    let body = bytes(&row, 1536)?;
                    let id = ids::variant_item_id(&product.id, &variant.id);
                    self.item(catalog, format!("variant:{id}"), id, body, &format!("/body/variants/{index}"), Some(&variant.id));
                }
                if product.variants.is_empty() {
                    self.skip(SkipReason::NotSupported, "the product has no variant, and an item is a variant");
                }
            }
        }
        Ok(())
    }

    fn category(&mut self, category: &'a Category) -> Result<(), Error> {
        let Some(catalog) = self.iterable.config.catalogs.categories.as_deref() else {
            self.skip(SkipReason::NotConfigured, "categories need `catalogs.categories`");
            return Ok(());
        };
        let attributes = Attrs::new(&category.attributes, Place::Catalog(CATEGORY_FIELDS));
        attributes.report("/body/attributes", &mut self.built.findings);
        let above = category.ancestors.last().map(|ancestor| ancestor.path.join(" > "));
        let row = CategoryDocument {
            category_id: &category.id,
            category_key: category.key.as_deref(),
            name: category.name.as_deref(),
            description: category.description.as_deref(),
            slug: category.slug.as_deref(),
            url: category.url.as_deref(),
            parent_id: category.parent_id.as_deref(),
            ancestor_ids: some(category.ancestors.iter().map(|ancestor| ancestor.id.as_str())),
            path: match (above, category.name.as_deref()) {
                (Some(above), Some(name)) if !above.is_empty() => Some(format!("{above} > {name}").into()),
                (None, Some(name)) => Some(name.into()),
                _ => None,
            },
            order_hint: category.order_hint.as_deref(),
            created_at: category.created_at.map(Stamp),
            attributes,
        };
        let body = bytes(&row, 768)?;
        self.item(catalog, format!("category:{}", category.id), ids::encode(&category.id).into_owned(), body, "/body", None);
        Ok(())
    }

    fn item(&mut self, catalog: &str, entity: String, id: String, body: Vec<u8>, pointer: &str, part: Option<&str>) {
        if !ids::is_catalog_name(&id) {
            self.refuse(&format!("{pointer}/id"), "an item id has 1 to 255 letters, digits and hyphens once encoded");
            return;
        }
        if body.len() > endpoints::MAX_ITEM_BYTES as usize {
            let message = format!("a catalog item is below 30 KB; this one has {} bytes", body.len());
            self.refuse(pointer, message);
            return;
        }
        let replace = self.iterable.config.catalog_write == CatalogWrite::Replace;
        let endpoint = if replace { endpoints::CATALOG_REPLACE } else { endpoints::CATALOG_PATCH };
        let mut operation = self.operation(endpoint, entity, format!("catalog:{catalog}:{id}"), body);
        if !replace {
            operation.delta = Some("".into());
        }
        self.place(&mut operation, catalog, id, part);
        self.built.operations.push(operation);
    }

    fn product_deleted(&mut self, deleted: &ProductDeleted) -> Result<(), Error> {
        let catalog = self.iterable.config.catalogs.products.as_deref();
        if self.iterable.config.catalog_layout == CatalogLayout::Product || catalog.is_none() {
            return self.delete_item(catalog, "product", format!("product:{}", deleted.id), &deleted.id);
        }
        let mut known = deleted.variants.iter().filter_map(|variant| variant.id.as_deref()).peekable();
        if known.peek().is_none() {
            self.skip(SkipReason::NotSupported, "the source does not tell which variants went with the product; their items stay");
        }
        for variant in known {
            let id = ids::variant_item_id(&deleted.id, variant);
            self.delete(catalog.unwrap_or_default(), format!("variant:{id}"), id, Some(variant))?;
        }
        Ok(())
    }

    fn delete_item(&mut self, catalog: Option<&str>, kind: &str, entity: String, id: &str) -> Result<(), Error> {
        let Some(catalog) = catalog else {
            let setting = if kind == "product" { "products need `catalogs.products`" } else { "categories need `catalogs.categories`" };
            self.skip(SkipReason::NotConfigured, setting);
            return Ok(());
        };
        self.delete(catalog, entity, ids::encode(id).into_owned(), None)
    }

    fn delete(&mut self, catalog: &str, entity: String, id: String, part: Option<&str>) -> Result<(), Error> {
        if !ids::is_catalog_name(&id) {
            self.refuse("/body/id", "an item id has 1 to 255 letters, digits and hyphens once encoded");
            return Ok(());
        }
        let body = bytes(&id, id.len() + 2)?;
        let mut operation = self.operation(endpoints::CATALOG_DELETE, entity.clone(), format!("catalog:{catalog}:{id}"), body);
        operation.supersedes = vec![entity];
        self.place(&mut operation, catalog, id, part);
        self.built.operations.push(operation);
        Ok(())
    }

    fn place(&self, operation: &mut Operation, catalog: &str, id: String, part: Option<&str>) {
        operation.group = catalog.to_owned();
        operation.params = BTreeMap::from([("catalog".to_owned(), catalog.to_owned()), ("id".to_owned(), id)]);
        if let Some(part) = part {
            operation.idempotency_key = IdempotencyKey::new(format!("{}:{part}", self.envelope.idempotency_key));
        }
    }

    // -- shared ------------------------------------------------------------------------------------------------------

    fn who(&mut self) -> Option<Who<'a>> {
        match ids::who(&self.iterable.config, self.iterable.project, &self.envelope.identity) {
            Ok(who) => Some(who),
            Err(Nobody::Skipped(skip)) => {
                self.built.skipped.push(skip);
                None
            }
            Err(Nobody::Refused(finding)) => {
                self.built.findings.push(finding);
                None
            }
        }
    }

    fn quiet(&self, setting: Backfilled) -> bool {
        self.envelope.mode == Mode::Backfill && setting == Backfilled::Withhold
    }

    fn skip(&mut self, reason: SkipReason, detail: impl Into<String>) {
        self.built.skipped.push(Skip::new(reason, detail));
    }

    fn refuse(&mut self, pointer: &str, message: impl Into<String>) {
        self.built.findings.push(Finding::new(FindingCode::ValueUnsupported, pointer, message));
    }

    /// The key of something that happens once at Iterable, made of its id there.
    fn key(&self, id: &str) -> IdempotencyKey {
        fingerprint::idempotency_key(&["iterable", &self.envelope.source, &self.envelope.tenant, id])
    }

    fn operation(&self, endpoint: &'static str, entity: String, lane: String, body: Vec<u8>) -> Operation {
        Operation {
            endpoint: endpoint.into(),
            entity,
            lane,
            idempotency_key: self.envelope.idempotency_key.clone(),
            once: false,
            version: self.envelope.version,
            occurred_at: self.envelope.occurred_at,
            group: String::new(),
            params: BTreeMap::new(),
            delta: None,
            supersedes: Vec::new(),
            correlation_id: self.envelope.correlation_id.clone(),
            body,
        }
    }
}

#[derive(Default)]
struct Parts<'a> {
    items: Vec<Item<'a>>,
    /// What lines below zero take off, as a positive amount.
    taken_off: Decimal,
    /// What fee lines add.
    fees: Decimal,
}

/// The state of one subscription. Sent as it stands by no call; [`super::Iterable::complete`] makes the request of it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SubscriptionRow<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    channel: &'a str,
    granted: bool,
    message_type: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_channel: Option<u64>,
    opt_in: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Stamp>,
}

fn subscription_path(message_type: u64, key: &str, id: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("group".to_owned(), "messageType".to_owned()),
        ("groupId".to_owned(), message_type.to_string()),
        (key.to_owned(), id.to_owned()),
    ])
}

fn profile(name: &str) -> String {
    format!("profile:{name}")
}

fn some<T>(values: impl Iterator<Item = T>) -> Option<Vec<T>> {
    let values: Vec<T> = values.collect();
    (!values.is_empty()).then_some(values)
}

fn is_e164(phone: &str) -> bool {
    phone.strip_prefix('+').is_some_and(|digits| (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn category_paths(categories: &[CategoryRef]) -> Option<Vec<Cow<'_, str>>> {
    some(categories.iter().map(|category| match category.path.as_slice() {
        [] => Cow::Borrowed(category.id.as_str()),
        [name] => Cow::Borrowed(name.as_str()),
        path => Cow::Owned(path.join(" > ")),
    }))
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

fn variant_fields(variant: &Variant) -> VariantFields<'_> {
    let price = variant.price.as_ref();
    let stock = variant.stock.as_ref();
    VariantFields {
        variant_id: Some(&variant.id),
        variant_key: variant.key.as_deref(),
        sku: variant.sku.as_deref(),
        price: price.map(|price| JsonNumber(price.current().amount)),
        list_price: price.map(|price| JsonNumber(price.list.amount)),
        on_sale: price.map(|price| price.sale.is_some()),
        currency: price.map(|price| price.list.currency.as_str().into()),
        // Stock that nobody tracks can be bought.
        in_stock: stock.map_or(Some(true), |stock| stock.in_stock),
        stock: stock.and_then(|stock| stock.quantity),
        restock_days: stock.and_then(|stock| stock.restock_days),
        image_url: variant.images.first().map(|image| image.url.as_str()),
        image_urls: some(variant.images.iter().map(|image| image.url.as_str())),
    }
}
