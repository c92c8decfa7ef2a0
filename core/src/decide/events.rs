//! Events from facts: what happened to an order between the last time it was read and now.
//!
//! A shop may be heard by messages, webhooks, polling and exports at once. Every event has one key, made of the order and
//! of what happened, so that hearing it twice is hearing it once: [`events`] gives an event the key that a message about it
//! has. Nothing here knows a vendor; what an order's words mean was decided where it was decoded.
//!
//! | event | when |
//! |---|---|
//! | `order_placed` | the order is first seen and neither unfinished nor cancelled |
//! | `order_paid` | the payment is `paid`, or was given back, for which it must have been paid |
//! | `order_shipped` | all is sent and the shop lists no shipments; a listed shipment is a record of its own |
//! | a shipment of lines | more units of some lines are sent than were told of, and the shop lists no shipments |
//! | `order_delivered` | all arrived, and no listed shipment says so itself |
//! | `order_completed`, `order_cancelled` | the order's status |
//!
//! Refunds and returns are records that the source makes, each with its own id: a status alone has no amount and gives no
//! event.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorCode, Result};
use crate::fingerprint::{idempotency_key, opaque};
use crate::model::{
    Body, Envelope, Event, EventName, Instant, LineItem, LineKind, Mode, NEWS_DAYS, Order, OrderStatus, PaymentStatus, Record, Shipment,
    ShipmentLine, ShippingStatus,
};

/// Whether and how events are made of orders that are read as they stand.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EventsConfig {
    /// Whether orders are compared with what was known of them, and the difference sent as events. On unless told.
    pub from_orders: bool,
    /// How long something is news, in days; 7 unless given. An order that is first seen later than that after it was
    /// placed, or whose last change lies longer back, starts no journeys: what is found then is history. So are parcels,
    /// returns, refunds and events of a source that happened longer ago.
    pub news_days: u16,
    /// Which orders that are first seen so late are taken as a backfill takes them, although the call was live: with their
    /// purchase and whatever else a destination starts a journey on. `read` unless given.
    pub old_orders: OldOrders,
}

/// Which old orders, first seen live, are taken as history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OldOrders {
    /// Those that are read from the shop: by `pull`, by `receive`, and because a message named them. Of rows that are
    /// handed over, the caller's mode says what they are.
    #[default]
    Read,
    /// All of them, those handed to `deliver` and `accept` as well.
    All,
}

impl Default for EventsConfig {
    fn default() -> Self {
        EventsConfig { from_orders: true, news_days: NEWS_DAYS, old_orders: OldOrders::default() }
    }
}

/// What is remembered of an order: enough to tell what is new the next time, and nothing personal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OrderFacts {
    /// Version of the newest snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    /// When the newest snapshot says it last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<Instant>,
    /// Events that were told, or that must not be any more.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    told: BTreeSet<String>,
    /// Units told as sent, by line, whichever way.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    sent: BTreeMap<String, i64>,
    /// Of these, units that were told without a shipment and that no shipment has accounted for since.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    loose: BTreeMap<String, i64>,
    /// Shipments whose units had been told before they were listed.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    covered: BTreeSet<String>,
}

impl OrderFacts {
    /// Reads what [`OrderFacts::to_text`] wrote.
    ///
    /// # Errors
    /// `state_corrupt` for anything else.
    pub fn from_text(text: &str) -> Result<Self> {
        serde_json::from_str(text)
            .map_err(|error| Error::new(ErrorCode::StateCorrupt, "what is remembered of an order cannot be read").because(error))
    }

    /// The form in which it is kept.
    ///
    /// # Errors
    /// `internal` only.
    pub fn to_text(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|error| Error::new(ErrorCode::Internal, "facts of an order cannot be written").because(error))
    }

    /// How a snapshot stands to the newest one known. `None` where neither versions nor times can be compared.
    fn order(&self, envelope: &Envelope, order: &Order) -> Option<std::cmp::Ordering> {
        match (envelope.version.zip(self.version), order.updated_at.zip(self.changed)) {
            (Some((now, known)), _) => Some(now.cmp(&known)),
            (None, Some((now, known))) => Some(now.cmp(&known)),
            (None, None) => None,
        }
    }

    fn tell(&mut self, name: &EventName) -> bool {
        self.told.insert(name.as_str().to_owned())
    }

    fn has_told(&self, name: &EventName) -> bool {
        self.told.contains(name.as_str())
    }
}

/// What a snapshot says that was not known.
#[derive(Debug, Default)]
pub struct Difference {
    /// Events that belong before the order's own shipments, refunds and returns.
    pub before: Vec<Record>,
    /// Events that belong behind them.
    pub after: Vec<Record>,
    /// Shipments of this order that must not be told: their units were told before they were listed.
    pub covered: BTreeSet<String>,
    /// Whether the order itself is history: it was placed so long before it was first seen that confirming it is no news.
    pub is_history: bool,
    /// What to remember from now on.
    pub facts: OrderFacts,
}

/// The opaque name under which an order's facts are kept.
#[must_use]
pub fn name(envelope: &Envelope) -> String {
    opaque(&[&envelope.source, &envelope.tenant, &envelope.resource.kind, &envelope.resource.id])
}

/// The difference between an order as it stands and what was known of it. A snapshot that is older than what is known gives
/// no event; one of the same version is compared, because some platforms' versions are times to the second.
#[must_use]
pub fn events(config: &EventsConfig, previous: Option<&OrderFacts>, envelope: &Envelope, order: &Order) -> Difference {
    let mut difference = Difference { facts: previous.cloned().unwrap_or_default(), ..Difference::default() };
    cover(order, &mut difference);
    if previous.is_some_and(|known| known.order(envelope, order).is_some_and(std::cmp::Ordering::is_lt)) {
        return difference;
    }
    let facts = &mut difference.facts;
    facts.version = envelope.version.or(facts.version);
    facts.changed = order.updated_at.or(facts.changed);
    if order.status == OrderStatus::Incomplete {
        return difference;
    }
    let since = if previous.is_none() { order.placed_at } else { order.updated_at.unwrap_or(envelope.occurred_at) };
    let news = TimeDelta::days(i64::from(config.news_days));
    let is_old = envelope.observed_at.signed_duration_since(since) > news;
    difference.is_history = is_old && previous.is_none();
    let teller = Teller { envelope, order, mode: if is_old { Mode::Backfill } else { envelope.mode } };

    let cancelled = order.status == OrderStatus::Cancelled;
    // Nobody is to be thanked for an order that was called off before it was heard of.
    if facts.tell(&EventName::OrderPlaced) && !cancelled {
        difference.before.push(teller.event(EventName::OrderPlaced, Some(order.placed_at)));
    }
    let given = matches!(order.payment_status, Some(PaymentStatus::Paid | PaymentStatus::PartiallyRefunded | PaymentStatus::Refunded));
    if given && facts.tell(&EventName::OrderPaid) {
        difference.before.push(teller.event(EventName::OrderPaid, None));
    }
    difference.before.extend(teller.sent(facts));
    let arrived = order.shipping_status == Some(ShippingStatus::Delivered);
    let told_by_shipments = order.shipments.iter().any(|one| one.status == Some(ShippingStatus::Delivered));
    if arrived && !told_by_shipments && facts.tell(&EventName::OrderDelivered) {
        difference.after.push(teller.event(EventName::OrderDelivered, None));
    }
    if order.status == OrderStatus::Complete && facts.tell(&EventName::OrderCompleted) {
        difference.after.push(teller.event(EventName::OrderCompleted, None));
    }
    if cancelled && facts.tell(&EventName::OrderCancelled) {
        difference.after.push(teller.event(EventName::OrderCancelled, None));
    }
    difference
}

/// Finds shipments that are listed only now although their units were told, as where a shop first marks an order as
/// shipped and then adds the parcels: one mail, not two.
fn cover(order: &Order, difference: &mut Difference) {
    let facts = &mut difference.facts;
    for shipment in &order.shipments {
        if facts.covered.contains(&shipment.id) {
            difference.covered.insert(shipment.id.clone());
            continue;
        }
        let told = |line: &ShipmentLine| facts.loose.get(&line.line_id).is_some_and(|units| *units >= line.quantity);
        if shipment.lines.is_empty() || !shipment.lines.iter().all(told) {
            continue;
        }
        for line in &shipment.lines {
            if let Some(units) = facts.loose.get_mut(&line.line_id) {
                *units -= line.quantity;
            }
        }
        facts.loose.retain(|_, units| *units > 0);
        facts.covered.insert(shipment.id.clone());
        difference.covered.insert(shipment.id.clone());
    }
}

/// Makes the records.
struct Teller<'a> {
    envelope: &'a Envelope,
    order: &'a Order,
    mode: Mode,
}

impl Teller<'_> {
    /// What was sent, as far as no listed shipment tells it.
    fn sent(&self, facts: &mut OrderFacts) -> Option<Record> {
        let mut counted: BTreeMap<&str, i64> = BTreeMap::new();
        if self.order.shipments.is_empty() {
            let lines = self.order.lines.iter().filter(|line| line.fulfilment.shipped > 0);
            for line in lines.filter(|line| !matches!(line.kind, LineKind::Fee | LineKind::Custom)) {
                *counted.entry(&line.id).or_default() += line.fulfilment.shipped;
            }
        } else {
            for line in self.order.shipments.iter().flat_map(|shipment| &shipment.lines) {
                let units = counted.entry(&line.line_id).or_default();
                *units = units.saturating_add(line.quantity);
            }
        }
        let nothing_told = facts.sent.is_empty();
        let mut more: BTreeMap<&str, i64> = BTreeMap::new();
        for (line, units) in counted {
            let told = facts.sent.entry(line.to_owned()).or_default();
            if units > *told {
                more.insert(line, units - *told);
                *told = units;
            }
        }
        if !self.order.shipments.is_empty() {
            return None;
        }
        let all = matches!(self.order.shipping_status, Some(ShippingStatus::Shipped | ShippingStatus::Delivered));
        let whole = all && !facts.has_told(&EventName::OrderShipped) && (nothing_told || !more.is_empty());
        if more.is_empty() && !whole {
            return None;
        }
        for (line, units) in &more {
            *facts.loose.entry((*line).to_owned()).or_default() += units;
        }
        if whole {
            facts.tell(&EventName::OrderShipped);
            return Some(self.event(EventName::OrderShipped, None));
        }
        Some(self.lines_sent(&more, facts))
    }

    /// Units of some lines, as a shipment without a parcel. Its id is made of how many of each line are sent by now.
    fn lines_sent(&self, more: &BTreeMap<&str, i64>, facts: &OrderFacts) -> Record {
        let mut parts: Vec<String> = vec![self.order.id.clone()];
        parts.extend(facts.sent.iter().flat_map(|(line, units)| [line.clone(), units.to_string()]));
        let id = opaque(&parts.iter().map(String::as_str).collect::<Vec<_>>());
        let of = |line: &LineItem| {
            let quantity = *more.get(line.id.as_str())?;
            Some(ShipmentLine { line_id: line.id.clone(), sku: line.sku.clone(), name: line.name.clone(), quantity })
        };
        let shipment = Shipment {
            order_id: self.order.id.clone(),
            order_number: self.order.number.clone(),
            shipped_at: self.order.updated_at,
            status: Some(ShippingStatus::PartiallyShipped),
            lines: self.order.lines.iter().filter_map(of).collect(),
            parcels: Vec::new(),
            address: self.order.shipping_address.clone(),
            attributes: crate::model::Attributes::new(),
            id: id.clone(),
        };
        self.record(&["shipment", &id], None, Body::Shipment(shipment))
    }

    /// An event about the order as a whole. What it is about goes along where a journey may need it; history does without.
    fn event(&self, name: EventName, at: Option<Instant>) -> Record {
        let order = self.order;
        let word = name.as_str().to_owned();
        let is_news = self.mode == Mode::Live;
        let event = Event {
            order_id: Some(order.id.clone()),
            order_number: order.number.clone(),
            cart_id: order.cart_id.clone(),
            value: Some(order.totals.total),
            url: order.url.clone(),
            lines: if is_news { order.lines.clone() } else { Vec::new() },
            properties: if is_news { order.attributes.clone() } else { crate::model::Attributes::new() },
            ..Event::new(name)
        };
        self.record(&[&word], at, Body::Event(event))
    }

    fn record(&self, fact: &[&str], at: Option<Instant>, body: Body) -> Record {
        let envelope = self.envelope;
        let mut parts = vec![envelope.source.as_str(), &envelope.tenant, &envelope.resource.kind, &envelope.resource.id];
        parts.extend(fact);
        let envelope = Envelope {
            sequence: None,
            occurred_at: at.or(self.order.updated_at).unwrap_or(envelope.occurred_at),
            idempotency_key: idempotency_key(&parts),
            mode: self.mode,
            ..envelope.clone()
        };
        Record { envelope, body }
    }
}

#[cfg(test)]
mod tests;
