//! Refunds, returns, shipments and what people do.

use std::collections::BTreeMap;

use super::super::capabilities as endpoints;
use super::super::config::{Backfilled, Events};
use super::super::ids::{self, Who};
use super::super::json::{Object, money};
use super::super::rows::{Row, Task};
use super::{Builder, Collection, commerce, identity, person};

use crate::error::Error;
use crate::fingerprint;
use crate::model::{Event, EventName, IdempotencyKey, Refund, Return, Shipment, ShippingStatus, SkipReason};

const CUSTOM: &str = "custom";

impl<'a> Builder<'a> {
    pub(super) fn refund(&mut self, refund: &'a Refund) -> Result<(), Error> {
        let Some((place, who)) = self.followed(&self.config.collections.refunds, "refunds") else { return Ok(()) };
        let mut json = Object::new(10);
        json.put("id", &refund.id);
        json.opt("orderId", refund.order_id.as_deref().map(|id| self.order_key(id, refund.order_number.as_deref())));
        json.opt("orderNumber", refund.order_number.as_deref());
        json.put("refundDate", refund.refunded_at);
        json.put("currency", refund.amount.currency.as_str());
        json.put("amount", money(refund.amount));
        json.opt("shippingAmount", refund.shipping.map(money));
        json.opt("isFullRefund", refund.full);
        json.opt("reason", refund.reason.as_deref());
        json.put(
            "items",
            refund
                .lines
                .iter()
                .map(|line| {
                    let mut item = item(&line.line_id, line.sku.as_deref(), line.name.as_deref(), line.quantity);
                    item.opt("amount", line.amount.map(money));
                    item
                })
                .collect::<Vec<_>>(),
        );
        self.follow(place, &who, &refund.id, &json, format!("refund:{}", refund.id))
    }

    pub(super) fn returned(&mut self, back: &'a Return) -> Result<(), Error> {
        let Some((place, who)) = self.followed(&self.config.collections.returns, "returns") else { return Ok(()) };
        let mut json = Object::new(7);
        json.put("id", &back.id);
        json.put("orderId", self.order_key(&back.order_id, back.order_number.as_deref()));
        json.opt("orderNumber", back.order_number.as_deref());
        json.put("returnDate", back.returned_at.unwrap_or(self.envelope.occurred_at));
        json.opt("trackingNumber", back.tracking_number.as_deref());
        json.put(
            "items",
            back.items
                .iter()
                .map(|line| {
                    let mut item = item(&line.line_id, line.sku.as_deref(), line.name.as_deref(), line.quantity);
                    item.opt("shippingState", line.shipping_state.as_deref());
                    item.opt("paymentState", line.payment_state.as_deref());
                    item
                })
                .collect::<Vec<_>>(),
        );
        self.follow(place, &who, &back.id, &json, format!("return:{}", back.id))
    }

    pub(super) fn shipment(&mut self, shipment: &'a Shipment) -> Result<(), Error> {
        if matches!(shipment.status, Some(ShippingStatus::Pending | ShippingStatus::Ready)) {
            self.skip(SkipReason::Ignored, "the parcel is not on its way yet");
            return Ok(());
        }
        let Some((place, who)) = self.followed(&self.config.collections.shipments, "shipments") else { return Ok(()) };
        let mut json = Object::new(12);
        json.put("id", &shipment.id);
        json.put("orderId", self.order_key(&shipment.order_id, shipment.order_number.as_deref()));
        json.opt("orderNumber", shipment.order_number.as_deref());
        json.opt("status", shipment.status.as_ref().map(ShippingStatus::as_str));
        json.opt("shippedDate", shipment.shipped_at);
        let mut parcels = shipment.parcels.iter().filter(|parcel| !parcel.is_return);
        if let Some(parcel) = parcels.next() {
            json.opt("carrier", parcel.carrier.as_deref());
            json.opt("trackingNumber", parcel.tracking_number.as_deref());
            json.opt("trackingUrl", parcel.tracking_url.as_deref());
        }
        let lines = shipment.lines.iter().map(|line| item(&line.line_id, line.sku.as_deref(), line.name.as_deref(), line.quantity));
        json.put("items", lines.collect::<Vec<_>>());
        self.follow(place, &who, &shipment.id, &json, format!("shipment:{}", shipment.id))
    }

    /// Where something that follows an order goes, and whose it is.
    fn followed(&mut self, name: &'a str, setting: &str) -> Option<(Collection<'a>, Who<'a>)> {
        if self.orders_are_quiet() {
            return None;
        }
        let place = self.collection(name, setting, CUSTOM)?;
        Some((place, self.who()?))
    }

    /// Records what follows an order. It is written whole whenever it changes, under one canonical key, so what it says is part of
    /// the key here: a parcel that got its tracking number is news while the parcel without one still waits.
    fn follow(&mut self, place: Collection<'_>, who: &Who<'a>, key: &str, json: &Object, entity: String) -> Result<(), Error> {
        if let Some(operation) = self.record(place, Some(who), key, json, entity)? {
            let said = fingerprint::fingerprint(&operation.body);
            operation.idempotency_key = IdempotencyKey::new(format!("{}:{said:016x}", operation.idempotency_key));
        }
        Ok(())
    }

    pub(super) fn event(&mut self, event: &'a Event) -> Result<(), Error> {
        if event.name == EventName::EmailChanged {
            return self.email_changed(event);
        }
        let program = self.config.programs.get(event.name.as_str()).copied();
        let name = if self.config.events == Events::Off { None } else { self.config.event_name(&event.name) };
        if name.is_none() && program.is_none() {
            let why = if self.config.events == Events::Off { "`events` is off" } else { "another record carries what this event tells" };
            self.skip(if self.config.events == Events::Off { SkipReason::NotConfigured } else { SkipReason::NotSupported }, why);
            return Ok(());
        }
        if self.is_backfill() && self.config.backfill_events == Backfilled::Withhold {
            self.skip(SkipReason::BackfillQuiet, "programs can start on events; see `backfill_events`");
            let keys = ["event", "program"].map(|what| self.happening_key(what));
            self.built.withheld.extend(keys);
            return Ok(());
        }
        let Some(who) = self.who() else { return Ok(()) };
        if let Some(name) = name {
            self.track(event, &who, name)?;
        }
        if let Some(program) = program {
            self.enrol(&who, program)?;
        }
        Ok(())
    }

    /// The key is made of what happened, so the same event heard twice has one.
    fn event_key(&self, event: &Event) -> String {
        event.id.clone().unwrap_or_else(|| self.envelope.idempotency_key.as_str().to_owned())
    }

    /// The key of what is done once about what happened. Not of the source's id alone: several happenings may share one.
    fn happening_key(&self, what: &str) -> IdempotencyKey {
        self.once_key(what, self.envelope.idempotency_key.as_str())
    }

    fn track(&mut self, event: &'a Event, who: &Who<'a>, name: String) -> Result<(), Error> {
        let key = self.event_key(event);
        let api = self.config.events == Events::Api;
        let mut json = Object::new(16);
        if !api {
            json.put("id", &key);
            json.put("date", self.envelope.occurred_at);
        }
        json.opt("orderId", event.order_id.as_deref().map(|id| self.order_key(id, event.order_number.as_deref())));
        json.opt("orderNumber", event.order_number.as_deref());
        json.opt("cartId", event.cart_id.as_deref());
        json.opt("productId", event.product_id.as_deref());
        json.opt("variantId", event.variant_id.as_deref());
        json.opt("sku", event.sku.as_deref());
        json.opt("categoryId", event.category_id.as_deref());
        json.opt("value", event.value.map(money));
        json.opt("currency", event.value.as_ref().map(|value| value.currency.as_str()));
        json.opt("url", event.url.as_deref());
        json.list("items", |items| commerce::cart_lines(&event.lines, items));
        let mut properties = Object::new(event.properties.len());
        properties.attributes(&event.properties, "/body/properties", &mut self.built.findings);
        json.put("properties", properties);
        let entity = format!("event:{name}:{key}");
        let once_key = self.happening_key("event");
        let written = if api {
            let mut row = Object::new(6);
            row.object("contactIdentity", |object| identity(object, who));
            row.put("type", name);
            row.put("id", key.chars().take(255).collect::<String>());
            row.put("eventTimestamp", self.envelope.occurred_at);
            row.put("eventData", json);
            let operation = self.operation(endpoints::EVENTS, entity, person(who.name()), row.bytes()?);
            self.built.operations.push(operation);
            self.built.operations.last_mut()
        } else {
            self.record(Collection { name: &name, kind: CUSTOM }, Some(who), &key, &json, entity)?
        };
        if let Some(operation) = written {
            operation.once = true;
            operation.version = None;
            operation.idempotency_key = once_key;
            operation.supersedes = Vec::new();
        }
        Ok(())
    }

    fn enrol(&mut self, who: &Who<'a>, program: u64) -> Result<(), Error> {
        if self.is_backfill() {
            self.skip(SkipReason::BackfillQuiet, "nobody is enrolled in a program by a backfill");
            return Ok(());
        }
        let (by, id) = who.lookup();
        let row = Row { task: Task::Enrol, by: by.to_owned(), id: id.to_owned(), program, ..Row::default() };
        let mut operation = self.operation(
            endpoints::ENROL,
            format!("program:{program}:{}", self.envelope.idempotency_key),
            person(who.name()),
            row.bytes()?,
        );
        operation.once = true;
        operation.version = None;
        operation.idempotency_key = self.happening_key("program");
        operation.group = program.to_string();
        operation.params = BTreeMap::from([("program".to_owned(), program.to_string())]);
        if by == ids::CONTACT_ID {
            operation.params.insert(ids::CONTACT_ID.to_owned(), id.to_owned());
        }
        self.built.operations.push(operation);
        Ok(())
    }
}

fn item(line: &str, sku: Option<&str>, name: Option<&str>, quantity: i64) -> Object {
    let mut item = Object::new(6);
    item.put("lineId", line);
    item.opt("sku", sku);
    item.opt("name", name);
    item.put("qty", quantity);
    item
}
