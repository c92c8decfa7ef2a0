//! Canonical record → operations.

mod catalog;
mod commerce;
mod events;
mod people;

use std::collections::BTreeMap;

use super::super::{Built, Operation, Skip};
use super::Insider;
use super::ids::{self, Nobody, Who};

use crate::error::Error;
use crate::fingerprint;
use crate::model::{Body, Envelope, Finding, FindingCode, IdempotencyKey, Instant, Mode, Record, SkipReason};

/// Group of requests that start no journeys: `skip_hook` holds for a whole request.
pub(super) const QUIET: &str = "quiet";

/// Builds one record; a value JSON cannot hold is a finding of the record, like any other.
pub(super) fn build(insider: &Insider, record: &Record) -> Built {
    let mut builder = Builder { insider, envelope: &record.envelope, built: Built::default() };
    if let Err(error) = builder.body(&record.body) {
        builder.built.findings.push(Finding::new(FindingCode::ValueUnsupported, "/body", error.message()));
    }
    if builder.built.findings.iter().any(Finding::is_error) {
        builder.built.operations.clear();
        builder.built.withheld.clear();
    }
    builder.built
}

struct Builder<'a> {
    insider: &'a Insider,
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
            Body::Category(_) | Body::CategoryDeleted(_) => {
                self.skip(SkipReason::NotSupported, "Insider keeps no categories; they stand on the products");
                Ok(())
            }
            Body::Cart(cart) => self.cart(cart),
            Body::Order(order) => self.order(order),
            Body::Refund(refund) => self.refund(refund),
            Body::Return(back) => self.returned(back),
            Body::Shipment(shipment) => self.shipment(shipment),
            Body::Event(event) => self.event(event),
        }
    }

    /// Everything known of the person.
    fn who(&mut self) -> Option<Who<'a>> {
        match ids::who(&self.insider.config, &self.envelope.identity) {
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

    /// Whom an event is about.
    fn actor(&mut self) -> Option<Who<'a>> {
        let who = self.who()?;
        Some(if self.insider.config.events_with_all_identifiers { who } else { who.strongest() })
    }

    fn backfill(&self) -> bool {
        self.envelope.mode == Mode::Backfill
    }

    fn skip(&mut self, reason: SkipReason, detail: impl Into<String>) {
        self.built.skipped.push(Skip::new(reason, detail));
    }

    fn refuse(&mut self, pointer: &str, message: impl Into<String>) {
        self.built.findings.push(Finding::new(FindingCode::ValueUnsupported, pointer, message));
    }

    fn dropped(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        self.built.findings.push(Finding::new(FindingCode::FieldDropped, pointer, message));
    }

    /// The key of something that happens once, made of what it is.
    fn key(&self, kind: &str, id: &str) -> IdempotencyKey {
        fingerprint::idempotency_key(&["insider", &self.envelope.source, &self.envelope.tenant, kind, id])
    }

    /// The group of an event of that time: journeys start on what has just happened only.
    fn group(&self, at: Instant) -> &'static str {
        let age = (self.envelope.observed_at - at).num_hours();
        let old = self.insider.config.quiet_after().is_some_and(|hours| age >= hours);
        if self.backfill() || old { QUIET } else { "" }
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
            group: if self.backfill() { QUIET.to_owned() } else { String::new() },
            params: BTreeMap::new(),
            delta: None,
            supersedes: Vec::new(),
            correlation_id: self.envelope.correlation_id.clone(),
            body,
        }
    }
}

fn profile(name: &str) -> String {
    format!("profile:{name}")
}
