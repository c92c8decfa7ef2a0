//! Refunds, returns, shipments and other events.

use rust_decimal::Decimal;

use super::super::capabilities as endpoints;
use super::super::config::{Config, ItemId, LineEvents};
use super::super::ids::{self, Id, Single, Who};
use super::super::payload::{self, Customs, Object, array, event, splice};
use super::commerce::per_unit;
use super::{Builder, profile};

use crate::error::Error;
use crate::model::money::JsonNumber;
use crate::model::{Currency, Event, EventName, Identity, Instant, LineItem, Money, Refund, Return, Shipment, ShippingStatus, SkipReason};

/// Names that events use themselves in `custom`.
const EVENT_FIELDS: &[&str] = &[
    "order_number",
    "category_id",
    "sku",
    "variant_id",
    "value",
    "item_count",
    "product_ids",
    "skus",
    "line_id",
    "status",
    "carrier",
    "tracking_number",
    "tracking_url",
    "shipment_id",
];

/// A line that something happened to.
#[derive(Clone, Copy)]
struct Touched<'a> {
    line_id: &'a str,
    sku: Option<&'a str>,
    name: Option<&'a str>,
    quantity: i64,
    amount: Option<Money>,
}

impl<'a> Builder<'a> {
    pub(super) fn refund(&mut self, refund: &'a Refund) -> Result<(), Error> {
        let mut custom = Object::new(256);
        custom.put("refund_id", &refund.id)?;
        custom.text("order_number", refund.order_number.as_deref())?;
        custom.text("refund_reason", refund.reason.as_deref())?;
        custom.maybe("is_full_refund", refund.full)?;
        let custom = custom.finish();
        let touched: Vec<Touched<'_>> = refund
            .lines
            .iter()
            .map(|line| Touched {
                line_id: &line.line_id,
                sku: line.sku.as_deref(),
                name: line.name.as_deref(),
                quantity: line.quantity,
                amount: line.amount,
            })
            .collect();
        let happened = Happened {
            canonical: "order_refunded",
            kind: "refund",
            id: &refund.id,
            at: refund.refunded_at,
            group: refund.order_id.as_deref(),
            amount: Some(refund.amount),
        };
        self.happened(&happened, &touched, &custom)
    }

    pub(super) fn returned(&mut self, back: &'a Return) -> Result<(), Error> {
        let mut custom = Object::new(128);
        custom.put("return_id", &back.id)?;
        custom.text("order_number", back.order_number.as_deref())?;
        custom.text("tracking_number", back.tracking_number.as_deref())?;
        let custom = custom.finish();
        let touched: Vec<Touched<'_>> = back
            .items
            .iter()
            .map(|item| Touched {
                line_id: &item.line_id,
                sku: item.sku.as_deref(),
                name: item.name.as_deref(),
                quantity: item.quantity,
                amount: None,
            })
            .collect();
        let happened = Happened {
            canonical: "order_returned",
            kind: "return",
            id: &back.id,
            at: back.returned_at.unwrap_or(self.envelope.occurred_at),
            group: Some(&back.order_id),
            amount: None,
        };
        self.happened(&happened, &touched, &custom)
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
        let parcel = shipment.parcels.iter().find(|parcel| !parcel.is_return);
        let mut custom = Object::new(256);
        custom.put("shipment_id", &shipment.id)?;
        custom.text("order_number", shipment.order_number.as_deref())?;
        custom.text("status", shipment.status.as_ref().map(ShippingStatus::as_str))?;
        custom.text("carrier", parcel.and_then(|parcel| parcel.carrier.as_deref()))?;
        custom.text("tracking_number", parcel.and_then(|parcel| parcel.tracking_number.as_deref()))?;
        custom.text("tracking_url", parcel.and_then(|parcel| parcel.tracking_url.as_deref()))?;
        let mut customs = Customs::of_events(&self.insider.config, EVENT_FIELDS);
        customs.write(&mut custom, "", &shipment.attributes, "/body/attributes", &mut self.built.findings)?;
        let custom = custom.finish();
        let touched: Vec<Touched<'_>> = shipment
            .lines
            .iter()
            .map(|line| Touched {
                line_id: &line.line_id,
                sku: line.sku.as_deref(),
                name: line.name.as_deref(),
                quantity: line.quantity,
                amount: None,
            })
            .collect();
        let sent = if kind == "delivery" { None } else { shipment.shipped_at };
        let happened = Happened {
            canonical,
            kind,
            id: &shipment.id,
            at: sent.unwrap_or(self.envelope.occurred_at),
            group: Some(&shipment.order_id),
            amount: None,
        };
        self.happened(&happened, &touched, &custom)
    }

    /// What happened to an order: one event, or one per line.
    fn happened(&mut self, what: &Happened<'_>, touched: &[Touched<'_>], custom: &[u8]) -> Result<(), Error> {
        if !self.in_time(endpoints::CUSTOM, what.at, "/body") {
            return Ok(());
        }
        let Some(who) = self.actor() else { return Ok(()) };
        let config = &self.insider.config;
        let name = config.event_names.get(what.canonical).map_or(what.canonical, String::as_str);
        let start = || -> Result<Object, Error> {
            let mut params = Object::new(384);
            params.maybe("event_group_id", what.group.map(|id| self.group_id(id)))?;
            params.maybe("currency", what.amount.as_ref().map(|amount| amount.currency.as_str()))?;
            Ok(params)
        };
        let mut events = Vec::with_capacity(touched.len());
        if config.line_events == LineEvents::PerLine && touched.len() > 1 {
            let known: Option<Decimal> = touched.iter().map(|line| line.amount.map(|amount| amount.amount)).sum();
            for line in touched {
                let (mut params, mut own) = (start()?, Object::new(256));
                one_line(config, &mut params, &mut own, line)?;
                // Amounts per line only where every line has one; they and the rest come to the refund.
                own.maybe("refund_amount", known.and(line.amount).map(|amount| JsonNumber(amount.amount)))?;
                splice(&mut own, custom)?;
                params.nested("custom", own)?;
                events.push(event(name, what.at, params)?);
            }
            if let Some(rest) = what.amount.map(|amount| amount.amount - known.unwrap_or_default()).filter(|rest| !rest.is_zero()) {
                let (mut params, mut own) = (start()?, Object::new(256));
                own.put("refund_amount", &JsonNumber(rest))?;
                splice(&mut own, custom)?;
                params.nested("custom", own)?;
                events.push(event(name, what.at, params)?);
            }
        } else {
            let (mut params, mut own) = (start()?, Object::new(256));
            if let [only] = touched {
                one_line(config, &mut params, &mut own, only)?;
            } else {
                let units: i64 = touched.iter().map(|line| line.quantity).sum();
                own.maybe("item_count", (units > 0).then_some(units))?;
                own.list("skus", &touched.iter().filter_map(|line| line.sku).collect::<Vec<_>>())?;
            }
            own.maybe("refund_amount", what.amount.map(|amount| JsonNumber(amount.amount)))?;
            splice(&mut own, custom)?;
            params.nested("custom", own)?;
            events.push(event(name, what.at, params)?);
        }
        let key = (what.kind, what.id);
        self.send(endpoints::CUSTOM, &who, format!("{}:{}", what.kind, what.id), key, what.at, &events)
    }

    pub(super) fn event(&mut self, event: &'a Event) -> Result<(), Error> {
        let mut told = false;
        if let Some(previous) = event.previous.as_deref() {
            told = self.renamed(previous)?;
        }
        let Some(name) = self.insider.config.event_name(&event.name) else {
            if !told {
                let detail = match event.name {
                    EventName::OrderPlaced => "an order placed is sent as purchases; name it in `event_names` to send it as an event too",
                    EventName::EmailChanged => {
                        "the address is no identifier here or did not change; name the event in `event_names` to send it"
                    }
                    _ => "permissions are sent with the contact; name the event in `event_names` to send it",
                };
                self.skip(SkipReason::NotConfigured, detail);
            }
            return Ok(());
        };
        if !ids::is_event_name(name) {
            self.refuse("/body/name", "an event name is lower case letters, digits, `.`, `_` and `-`; rename it in `event_names`");
            return Ok(());
        }
        let endpoint = match event.name {
            EventName::AccountCreated => endpoints::SIGN_UP,
            EventName::ProductViewed | EventName::CategoryViewed | EventName::CheckoutStarted => endpoints::BROWSE,
            _ => endpoints::CUSTOM,
        };
        let at = self.envelope.occurred_at;
        if !self.in_time(endpoint, at, "/envelope/occurred_at") {
            return Ok(());
        }
        let Some(who) = self.joined(event) else { return Ok(()) };
        let config = &self.insider.config;
        let mut params = Object::new(384);
        let group = event.order_id.as_deref().or(event.cart_id.as_deref());
        params.maybe("event_group_id", group.map(|id| self.group_id(id)))?;
        let mut custom = Object::new(256);
        custom.text("order_number", event.order_number.as_deref())?;
        custom.text("category_id", event.category_id.as_deref())?;
        custom.maybe("value", event.value.map(|value| JsonNumber(value.amount)))?;
        let currency = event.value.map(|value| value.currency).or_else(|| event.lines.first().map(|line| line.total.currency));
        match event.lines.as_slice() {
            [] => {
                let (product, variant) = (event.product_id.as_deref(), event.variant_id.as_deref());
                params.text("product_id", ids::item_id(config, product, variant, event.sku.as_deref()).as_deref())?;
                custom.text("sku", event.sku.as_deref())?;
            }
            [line] => self.bought(&mut params, &mut custom, line)?,
            lines => {
                custom.put("item_count", &lines.iter().map(|line| line.quantity).sum::<i64>())?;
                let items: Vec<_> = lines.iter().filter_map(|line| ids::line_item_id(config, line)).collect();
                custom.list("product_ids", &items)?;
            }
        }
        params.maybe("currency", currency.as_ref().map(Currency::as_str))?;
        params.text("url", event.url.as_deref())?;
        let mut customs = Customs::of_events(config, EVENT_FIELDS);
        customs.write(&mut custom, "", &event.properties, "/body/properties", &mut self.built.findings)?;
        params.nested("custom", custom)?;
        let events = [payload::event(name, at, params)?];
        // The key is made of what happened, so the same event heard twice is one.
        let key = self.envelope.idempotency_key.as_str();
        self.send(endpoint, &who, format!("event:{key}"), (event.name.as_str(), key), at, &events)
    }

    /// The line an event is about.
    fn bought(&self, params: &mut Object, custom: &mut Object, line: &LineItem) -> Result<(), Error> {
        let config = &self.insider.config;
        params.text("product_id", ids::line_item_id(config, line).as_deref())?;
        params.text("name", line.name.as_deref())?;
        params.list("taxonomy", &ids::categories(config, &line.categories))?;
        params.put("quantity", &line.quantity)?;
        params.put("unit_price", &JsonNumber(line.unit_list_price.amount))?;
        params.put("unit_sale_price", &JsonNumber(line.unit_price.amount))?;
        params.text("product_image_url", line.image_url.as_deref())?;
        self.looks(params, line)?;
        custom.put("line_id", &line.id)?;
        custom.text("sku", line.sku.as_deref())
    }

    /// Whom an event is about. A sign-in or sign-up names the session before it, too: naming both is how Insider is told that
    /// the two are one person.
    fn joined(&mut self, event: &'a Event) -> Option<Who<'a>> {
        let who = self.actor()?;
        let config = &self.insider.config;
        let joins = event.previous.is_some() || matches!(event.name, EventName::AccountCreated | EventName::LoggedIn);
        let session = event.previous.as_deref().and_then(|previous| previous.anonymous_id.as_deref());
        let session = session.or(self.envelope.identity.anonymous_id.as_deref()).filter(|id| joins && !id.is_empty());
        match (&config.identifiers.anonymous, session) {
            (Some(name), Some(session)) => Some(who.with(Id::Custom(name, session))),
            _ => Some(who),
        }
    }

    /// Changes of identifiers, before anything is written under the new one. Whether there was one.
    fn renamed(&mut self, previous: &'a Identity) -> Result<bool, Error> {
        let identity = &self.envelope.identity;
        let config = &self.insider.config;
        let email = (config.identifiers.email, previous.email.as_deref(), identity.email.as_deref());
        let phone = (config.identifiers.phone, previous.phone.as_deref(), identity.phone.as_deref());
        let mut told = false;
        for (kind, (on, old, new)) in [("email", email), ("phone", phone)] {
            let (true, Some(old), Some(new)) = (on, old, new) else { continue };
            if old == new {
                continue;
            }
            let valid = |id: &str| if kind == "email" { ids::email_fault(id).is_none() } else { ids::is_e164(id) };
            if !valid(old) || !valid(new) {
                self.dropped("/body/previous", "one of the two identifiers has a form Insider does not take");
                continue;
            }
            let Some(who) = self.who() else { return Ok(told) };
            let single = |id| Single { email: (kind == "email").then_some(id), phone_number: (kind == "phone").then_some(id) };
            let mut row = Object::new(256);
            who.strongest().write(&mut row)?;
            row.put("old_identifier", &single(old))?;
            row.put("new_identifier", &single(new))?;
            let name = who.name();
            let mut operation = self.operation(endpoints::IDENTITY, format!("identity:{name}:{kind}"), profile(&name), row.finish());
            operation.group.clear();
            operation.once = true;
            operation.idempotency_key = self.key(kind, self.envelope.idempotency_key.as_str());
            self.built.operations.push(operation);
            told = true;
        }
        Ok(told)
    }

    fn send(
        &mut self,
        endpoint: &'static str,
        who: &Who<'_>,
        entity: String,
        key: (&str, &str),
        at: Instant,
        events: &[Vec<u8>],
    ) -> Result<(), Error> {
        let mut row = Object::new(128 + events.iter().map(Vec::len).sum::<usize>());
        who.write(&mut row)?;
        row.raw("events", &array(events.iter().map(Vec::as_slice)))?;
        let mut operation = self.operation(endpoint, entity, profile(&who.name()), row.finish());
        operation.once = true;
        operation.occurred_at = at;
        operation.group = self.group(at).to_owned();
        operation.idempotency_key = self.key(key.0, key.1);
        self.built.operations.push(operation);
        Ok(())
    }
}

/// Something that happened to an order.
struct Happened<'a> {
    canonical: &'static str,
    kind: &'static str,
    id: &'a str,
    at: Instant,
    group: Option<&'a str>,
    amount: Option<Money>,
}

fn one_line(config: &Config, params: &mut Object, custom: &mut Object, line: &Touched<'_>) -> Result<(), Error> {
    // The SKU is the only name of the item that such a line knows; where items are called otherwise it is no product id.
    if config.item_id == ItemId::Sku {
        params.text("product_id", line.sku)?;
    }
    params.text("name", line.name)?;
    params.put("quantity", &line.quantity)?;
    if let Some(amount) = line.amount.filter(|_| line.quantity > 0) {
        let digits = amount.currency.digits().unwrap_or(2);
        params.put("unit_sale_price", &JsonNumber(per_unit(amount.amount, line.quantity, digits)))?;
    }
    custom.put("line_id", line.line_id)?;
    custom.text("sku", line.sku)
}
