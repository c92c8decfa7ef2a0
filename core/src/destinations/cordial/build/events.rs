//! Refunds, returns, shipments and other events; the first three as supplement records too.

use std::borrow::Cow;

use super::super::capabilities as endpoints;
use super::super::ids::{self, Who};
use super::super::payload::{Attrs, EventData, Line, RecordRow, RefundData, ReturnData, ShipmentData, Stamp, bytes, some};
use super::commerce::{Flags, ident};
use super::{Builder, profile};

use crate::error::Error;
use crate::model::money::JsonNumber;
use crate::model::{Event, EventName, IdempotencyKey, Refund, Return, Shipment, ShippingStatus, SkipReason};

#[rustfmt::skip]
const SHIPMENT_PROPERTIES: &[&str] = &[
    "shipment_id", "order_id", "status", "skus", "lines", "order_number", "shipped_at", "carrier", "tracking_number", "tracking_url",
    "tracking_numbers", "country", "id", "email", "cID", "suppressTriggers",
];

#[rustfmt::skip]
const EVENT_PROPERTIES: &[&str] = &[
    "source", "order_id", "order_number", "cart_id", "product_id", "variant_id", "sku", "category_id", "value", "currency", "url", "items",
];

impl<'a> Builder<'a> {
    pub(super) fn refund(&mut self, refund: &'a Refund) -> Result<(), Error> {
        let Some(who) = self.who() else { return Ok(()) };
        let supplement = self.cordial.config.supplements.refunds.as_deref();
        let data = || RefundData {
            refund_id: &refund.id,
            amount: JsonNumber(refund.amount.amount),
            currency: refund.amount.currency.as_str(),
            refunded_at: Stamp(refund.refunded_at),
            skus: refund.lines.iter().filter_map(|line| line.sku.as_deref()).collect(),
            lines: refund
                .lines
                .iter()
                .map(|line| Line {
                    line_id: &line.line_id,
                    quantity: line.quantity,
                    sku: line.sku.as_deref(),
                    name: line.name.as_deref(),
                    amount: line.amount.map(|amount| JsonNumber(amount.amount)),
                })
                .collect(),
            order_id: refund.order_id.as_deref().map(|id| ids::prefixed(&self.cordial.config.id_prefix, id)),
            order_number: refund.order_number.as_deref(),
            shipping_amount: refund.shipping.map(|shipping| JsonNumber(shipping.amount)),
            full_refund: refund.full,
            reason: refund.reason.as_deref(),
        };
        let (record, event) = (data(), data());
        let uid = self.uid("refund", &refund.id);
        let withheld = self.withheld(&uid);
        if !withheld || supplement.is_some() {
            self.ensure(&who)?;
        }
        self.record(supplement, "refund", &refund.id, &who, record)?;
        if withheld {
            return Ok(());
        }
        let name = self.event_name_of("order_refunded");
        self.track(&who, &name, &uid, refund.refunded_at, format!("refund:{}", refund.id), event)
    }

    pub(super) fn returned(&mut self, back: &'a Return) -> Result<(), Error> {
        let Some(who) = self.who() else { return Ok(()) };
        let supplement = self.cordial.config.supplements.returns.as_deref();
        let at = back.returned_at.unwrap_or(self.envelope.occurred_at);
        let data = || ReturnData {
            return_id: &back.id,
            order_id: ids::prefixed(&self.cordial.config.id_prefix, &back.order_id),
            returned_at: Stamp(at),
            skus: back.items.iter().filter_map(|item| item.sku.as_deref()).collect(),
            lines: back
                .items
                .iter()
                .map(|item| Line {
                    line_id: &item.line_id,
                    quantity: item.quantity,
                    sku: item.sku.as_deref(),
                    name: item.name.as_deref(),
                    amount: None,
                })
                .collect(),
            order_number: back.order_number.as_deref(),
            tracking_number: back.tracking_number.as_deref(),
        };
        let (record, event) = (data(), data());
        let uid = self.uid("return", &back.id);
        let withheld = self.withheld(&uid);
        if !withheld || supplement.is_some() {
            self.ensure(&who)?;
        }
        self.record(supplement, "return", &back.id, &who, record)?;
        if withheld {
            return Ok(());
        }
        let name = self.event_name_of("order_returned");
        self.track(&who, &name, &uid, at, format!("return:{}", back.id), event)
    }

    pub(super) fn shipment(&mut self, shipment: &'a Shipment) -> Result<(), Error> {
        let kind = match &shipment.status {
            None | Some(ShippingStatus::Shipped | ShippingStatus::PartiallyShipped | ShippingStatus::Delayed) => Some("shipment"),
            Some(ShippingStatus::Delivered) => Some("delivery"),
            Some(ShippingStatus::Other(_)) if shipment.shipped_at.is_some() => Some("shipment"),
            Some(_) => None,
        };
        let supplement = self.cordial.config.supplements.shipments.as_deref();
        if kind.is_none() && supplement.is_none() {
            self.skip(SkipReason::Ignored, "the goods are not on their way yet, or not any more");
            return Ok(());
        }
        let Some(who) = self.who() else { return Ok(()) };
        let attributes = Attrs::new(&shipment.attributes, SHIPMENT_PROPERTIES);
        attributes.report("/body/attributes", &mut self.built.findings);
        let parcel = shipment.parcels.iter().find(|parcel| !parcel.is_return);
        let data = || ShipmentData {
            shipment_id: &shipment.id,
            order_id: ids::prefixed(&self.cordial.config.id_prefix, &shipment.order_id),
            status: shipment.status.as_ref().map_or("shipped", ShippingStatus::as_str),
            skus: shipment.lines.iter().filter_map(|line| line.sku.as_deref()).collect(),
            lines: shipment
                .lines
                .iter()
                .map(|line| Line {
                    line_id: &line.line_id,
                    quantity: line.quantity,
                    sku: line.sku.as_deref(),
                    name: line.name.as_deref(),
                    amount: None,
                })
                .collect(),
            attributes,
            order_number: shipment.order_number.as_deref(),
            shipped_at: shipment.shipped_at.map(Stamp),
            carrier: parcel.and_then(|parcel| parcel.carrier.as_deref()),
            tracking_number: parcel.and_then(|parcel| parcel.tracking_number.as_deref()),
            tracking_url: parcel.and_then(|parcel| parcel.tracking_url.as_deref()),
            tracking_numbers: some(
                shipment.parcels.iter().filter(|parcel| !parcel.is_return).filter_map(|parcel| parcel.tracking_number.as_deref()),
            ),
            country: shipment.address.as_ref().and_then(|address| address.country.as_deref()),
        };
        let (record, event) = (data(), data());
        let uid = self.uid(kind.unwrap_or("shipment"), &shipment.id);
        let withheld = kind.is_some() && self.withheld(&uid);
        if !withheld || supplement.is_some() {
            self.ensure(&who)?;
        }
        self.record(supplement, "shipment", &shipment.id, &who, record)?;
        let Some(kind) = kind.filter(|_| !withheld) else { return Ok(()) };
        let delivered = kind == "delivery";
        let name = self.event_name_of(if delivered { "order_delivered" } else { "order_shipped" });
        let at = if delivered { None } else { shipment.shipped_at }.unwrap_or(self.envelope.occurred_at);
        self.track(&who, &name, &uid, at, format!("{kind}:{}", shipment.id), event)
    }

    pub(super) fn event(&mut self, event: &'a Event) -> Result<(), Error> {
        let config = &self.cordial.config;
        let uid = self.uid(&event.name.as_str().replace('_', "-"), self.envelope.idempotency_key.as_str());
        let Some(event_name) = config.event_name(&event.name) else {
            self.skip(
                SkipReason::NotConfigured,
                "an order placed is sent as the order; name it in `event_names` to send it as an event too",
            );
            return Ok(());
        };
        if let Some(fault) = ids::event_name_fault(&event_name) {
            self.refuse("/body/name", fault);
            return Ok(());
        }
        if self.withheld(&uid) {
            return Ok(());
        }
        // Someone whom Cordial cannot name yet is no broken record: only its own scripts know visitors.
        let identity = &self.envelope.identity;
        if identity.anonymous_id.is_some() && identity.email.is_none() && identity.customer_id.is_none() && identity.phone.is_none() {
            self.skip(SkipReason::NotSupported, "Cordial's API knows no anonymous visitors; only its own scripts do");
            return Ok(());
        }
        let Some(who) = self.who() else { return Ok(()) };
        self.joined(event, &who)?;
        self.ensure_for(event, &who)?;
        let attributes = Attrs::new(&event.properties, EVENT_PROPERTIES);
        attributes.report("/body/properties", &mut self.built.findings);
        let items = self.items(&event.lines, Flags::Leave, None).items;
        let data = EventData {
            source: &self.envelope.source,
            attributes,
            order_id: event.order_id.as_deref().map(|id| self.id(id)),
            order_number: event.order_number.as_deref(),
            cart_id: event.cart_id.as_deref(),
            product_id: event.product_id.as_deref().map(|id| self.id(id)),
            variant_id: event.variant_id.as_deref(),
            sku: event.sku.as_deref(),
            category_id: event.category_id.as_deref(),
            value: event.value.map(|value| JsonNumber(value.amount)),
            currency: event.value.as_ref().map(|value| value.currency.as_str()),
            url: event.url.as_deref(),
            items: (!items.is_empty()).then_some(items),
        };
        self.track(&who, &event_name, &uid, self.envelope.occurred_at, format!("event:{uid}"), data)
    }

    /// A contact made under the new address would stand in the way of giving it to the old one.
    fn ensure_for(&mut self, event: &Event, who: &Who<'a>) -> Result<(), Error> {
        let renamed =
            event.name == EventName::EmailChanged && self.built.operations.iter().any(|operation| operation.endpoint == endpoints::RENAME);
        if renamed || self.built.operations.iter().any(|operation| operation.entity.starts_with("known:")) {
            return Ok(());
        }
        self.ensure(who)
    }

    fn record<D: serde::Serialize>(
        &mut self,
        supplement: Option<&str>,
        kind: &str,
        id: &'a str,
        who: &Who<'a>,
        data: D,
    ) -> Result<(), Error> {
        let Some(supplement) = supplement else { return Ok(()) };
        let config = &self.cordial.config;
        let own_id = ids::record_id(&config.id_prefix, id);
        let quiet = self.is_backfill() || !config.triggers.supplements;
        let row = RecordRow { id: &own_id, who: ident(who), data, suppress_triggers: quiet };
        let body = bytes(&row, 512)?;
        self.place_record(supplement, format!("record:{kind}:{id}"), profile(&who.name()), kind, body);
        Ok(())
    }

    pub(super) fn place_record(&mut self, supplement: &str, entity: String, lane: String, kind: &str, body: Vec<u8>) {
        let file = self.is_backfill() && self.cordial.config.imports.is_some();
        let endpoint = if file { endpoints::FILE_RECORDS } else { endpoints::RECORD };
        let mut operation = self.operation(endpoint, entity, lane, body);
        operation.idempotency_key = IdempotencyKey::new(format!("{}:record:{kind}", self.envelope.idempotency_key));
        operation.group = supplement.to_owned();
        operation.params.insert("supplement".to_owned(), supplement.to_owned());
        self.built.operations.push(operation);
    }

    fn uid(&self, kind: &str, id: &str) -> String {
        let prefix: Cow<'_, str> = ids::prefixed(&self.cordial.config.id_prefix, "");
        format!("{prefix}{kind}-{id}")
    }
}
