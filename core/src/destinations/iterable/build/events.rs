//! Refunds, returns, shipments and other events.

use std::borrow::Cow;

use serde::Serialize;

use super::super::capabilities as endpoints;
use super::super::config::{ProjectType, Write};
use super::super::ids::{self, Who};
use super::super::payload::{Attrs, EVENT_FIELDS, EventData, Line, Place, RefundData, ReturnData, ShipmentData, Stamp, Track, bytes};
use super::{Builder, profile, some};

use crate::error::Error;
use crate::model::money::JsonNumber;
use crate::model::{Event, EventName, Instant, Mode, Refund, Return, Shipment, ShippingStatus, SkipReason};

impl<'a> Builder<'a> {
    pub(super) fn refund(&mut self, refund: &'a Refund) -> Result<(), Error> {
        let Some((who, name)) = self.tracked("order_refunded", "refund", &refund.id) else { return Ok(()) };
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
        self.track("order_refunded", &who, Some(&name), &id, refund.refunded_at, format!("refund:{}", refund.id), data)
    }

    pub(super) fn returned(&mut self, back: &'a Return) -> Result<(), Error> {
        // Two things that happen to one return, each once: it is announced, and goods come back.
        let (canonical, kind) = match back.is_announced() {
            true => ("order_return_announced", "return-announced"),
            false => ("order_returned", "return"),
        };
        let Some((who, name)) = self.tracked(canonical, kind, &back.id) else { return Ok(()) };
        let id = ids::event_id(self.envelope, kind, &back.id);
        let purchase = ids::event_id(self.envelope, "order", &back.order_id);
        let at = back.returned_at.unwrap_or(self.envelope.occurred_at);
        let data = ReturnData {
            order_id: &back.order_id,
            purchase_id: &purchase,
            order_number: back.order_number.as_deref(),
            return_id: &back.id,
            source: &self.envelope.source,
            tracking_number: back.tracking_number.as_deref(),
            announced_at: back.is_announced().then_some(Stamp(at)),
            returned_at: (!back.is_announced()).then_some(Stamp(at)),
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
        self.track(canonical, &who, Some(&name), &id, at, format!("{kind}:{}", back.id), data)
    }

    pub(super) fn shipment(&mut self, shipment: &'a Shipment) -> Result<(), Error> {
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
        let Some((who, name)) = self.tracked(canonical, kind, &shipment.id) else { return Ok(()) };
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
        self.track(canonical, &who, Some(&name), &id, at, format!("{kind}:{}", shipment.id), data)
    }

    pub(super) fn event(&mut self, event: &'a Event) -> Result<(), Error> {
        let event_name = self.iterable.config.event_name(&event.name);
        if event_name.is_none() && !self.iterable.config.journeys.contains_key(event.name.as_str()) {
            self.skip(
                SkipReason::NotConfigured,
                "an order placed is sent as a purchase; name it in `event_names` to send it as an event too",
            );
            return Ok(());
        }
        if event_name.as_ref().is_some_and(|name| name.is_empty() || name.len() > 255) {
            self.refuse("/body/name", "an event name has 1 to 255 bytes");
            return Ok(());
        }
        // The key is made of what happened, so the same event heard twice has one id.
        let id = ids::event_id(self.envelope, &ids::encode(&event.name.as_str().replace('_', "-")), self.envelope.idempotency_key.as_str());
        if self.quiet(self.iterable.config.backfill_events) {
            self.skip(SkipReason::BackfillQuiet, "Iterable does not say that old events start no journeys; see `backfill_events`");
            self.built.withheld.push(self.key(&id));
            self.withhold_journey(event.name.as_str(), &id);
            return Ok(());
        }
        let Some(who) = self.who() else { return Ok(()) };
        let before = self.built.operations.len();
        if let Some(previous) = event.previous.as_deref().filter(|_| self.envelope.mode == Mode::Live) {
            match event.name {
                EventName::EmailChanged => self.new_address(previous)?,
                EventName::LoggedIn | EventName::AccountCreated => self.signed_in(previous, &who)?,
                _ => {}
            }
        }
        let purchase = event.order_id.as_deref().map(|order| ids::event_id(self.envelope, "order", order));
        let attributes = Attrs::new(&event.properties, Place::Properties(EVENT_FIELDS));
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
        self.track(event.name.as_str(), &who, event_name.as_deref(), &id, self.envelope.occurred_at, format!("event:{id}"), data)?;
        // In an `email` project the event needs the profile under its new address.
        if event.name == EventName::EmailChanged
            && self.iterable.project == ProjectType::Email
            && let Some(lane) = self.built.operations.get(before).map(|first| first.lane.clone())
        {
            self.built.operations.iter_mut().skip(before).for_each(|operation| operation.lane.clone_from(&lane));
        }
        Ok(())
    }

    /// Who and under what name, unless the event must not be sent.
    fn tracked(&mut self, canonical: &'static str, kind: &str, own: &str) -> Option<(Who<'a>, Cow<'a, str>)> {
        if self.quiet(self.iterable.config.backfill_events) {
            self.skip(SkipReason::BackfillQuiet, "Iterable does not say that old events start no journeys; see `backfill_events`");
            self.withhold(kind, own);
            let id = ids::event_id(self.envelope, kind, own);
            self.withhold_journey(canonical, &id);
            return None;
        }
        let who = self.who()?;
        let name = match self.iterable.config.event_names.get(canonical) {
            Some(configured) => Cow::Borrowed(configured.as_str()),
            None => Cow::Owned(ids::camel(canonical)),
        };
        Some((who, name))
    }

    /// Remembers that a journey was not started.
    fn withhold_journey(&mut self, canonical: &str, id: &str) {
        if let Some(journey) = self.iterable.config.journeys.get(canonical) {
            let key = self.key(&journey_key(*journey, id));
            self.built.withheld.push(key);
        }
    }

    /// Sends an event, under its name where it has one, and starts the journey that is configured for it.
    #[allow(clippy::too_many_arguments)] // Each is one member of the row or of the operation.
    fn track<D: Serialize>(
        &mut self,
        canonical: &str,
        who: &Who<'_>,
        event_name: Option<&str>,
        id: &str,
        at: Instant,
        entity: String,
        data_fields: D,
    ) -> Result<(), Error> {
        let config = &self.iterable.config;
        let lane = profile(&who.name());
        if let Some(event_name) = event_name {
            let row = Track {
                event_name,
                id,
                email: who.email(),
                user_id: who.user_id(),
                created_at: at.timestamp(),
                create_new_fields: config.create_new_fields,
                data_fields: &data_fields,
            };
            let body = bytes(&row, 768)?;
            let endpoint = if config.write == Write::Bulk { endpoints::TRACK_BULK } else { endpoints::TRACK };
            let mut operation = self.operation(endpoint, entity, lane.clone(), body);
            operation.once = true;
            operation.occurred_at = at;
            operation.idempotency_key = self.key(id);
            self.built.operations.push(operation);
        }
        if let Some(journey) = config.journeys.get(canonical).copied() {
            let key = self.key(&journey_key(journey, id));
            if self.envelope.mode == Mode::Backfill {
                self.skip(SkipReason::BackfillQuiet, "a backfill starts no journey");
                self.built.withheld.push(key);
            } else {
                let row = Trigger { workflow_id: journey, email: who.email(), user_id: who.user_id(), data_fields: &data_fields };
                let mut operation = self.operation(endpoints::TRIGGER, format!("journey:{journey}:{id}"), lane, bytes(&row, 768)?);
                operation.once = true;
                operation.occurred_at = at;
                operation.idempotency_key = key;
                self.built.operations.push(operation);
            }
        }
        Ok(())
    }
}

/// `workflows/triggerWorkflow`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Trigger<'a, D: Serialize> {
    workflow_id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    data_fields: &'a D,
}

fn journey_key(journey: u64, id: &str) -> String {
    format!("journey-{journey}-{id}")
}
