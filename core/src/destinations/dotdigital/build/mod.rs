//! Canonical record → operations.

mod catalog;
mod commerce;
mod events;
mod people;

use std::collections::BTreeMap;

use super::super::{Built, Operation, Skip};
use super::Dotdigital;
use super::capabilities as endpoints;
use super::config::InsightWrite;
use super::ids::{self, Nobody, Who};
use super::json::{Object, bytes};

use crate::error::Error;
use crate::fingerprint;
use crate::model::{Body, Envelope, Finding, FindingCode, IdempotencyKey, Mode, Record, SkipReason};

/// Builds one record; a value JSON cannot hold is a finding of the record, like any other.
pub(super) fn build(dotdigital: &Dotdigital, record: &Record) -> Built {
    let mut builder = Builder { config: &dotdigital.config, envelope: &record.envelope, built: Built::default() };
    if let Err(error) = builder.body(&record.body) {
        builder.built.findings.push(Finding::new(FindingCode::ValueUnsupported, "/body", error.message()));
    }
    if builder.built.findings.iter().any(Finding::is_error) {
        builder.built.operations.clear();
    }
    builder.built
}

struct Builder<'a> {
    config: &'a super::Config,
    envelope: &'a Envelope,
    built: Built,
}

/// A collection of insight data.
#[derive(Clone, Copy)]
struct Collection<'a> {
    name: &'a str,
    /// Dotdigital's type of it.
    kind: &'static str,
}

impl<'a> Builder<'a> {
    fn body(&mut self, body: &'a Body) -> Result<(), Error> {
        match body {
            Body::Contact(contact) => self.contact(contact),
            Body::ContactDeleted(deleted) => self.contact_deleted(deleted),
            Body::Product(product) => self.product(product),
            Body::ProductDeleted(deleted) => self.product_deleted(deleted),
            Body::Category(category) => self.category(category),
            Body::CategoryDeleted(deleted) => self.category_deleted(deleted),
            Body::Cart(cart) => self.cart(cart),
            Body::Order(order) => self.order(order),
            Body::Refund(refund) => self.refund(refund),
            Body::Return(back) => self.returned(back),
            Body::Shipment(shipment) => self.shipment(shipment),
            Body::Event(event) => self.event(event),
        }
    }

    fn who(&mut self) -> Option<Who<'a>> {
        match ids::who(self.config, &self.envelope.identity) {
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

    fn is_backfill(&self) -> bool {
        self.envelope.mode == Mode::Backfill
    }

    fn skip(&mut self, reason: SkipReason, detail: impl Into<String>) {
        self.built.skipped.push(Skip::new(reason, detail));
    }

    fn refuse(&mut self, pointer: &str, message: impl Into<String>) {
        self.built.findings.push(Finding::new(FindingCode::ValueUnsupported, pointer, message));
    }

    /// The collection of that setting, unless it is left out.
    fn collection(&mut self, name: &'a str, setting: &str, kind: &'static str) -> Option<Collection<'a>> {
        if name.is_empty() {
            self.skip(SkipReason::NotConfigured, format!("these records need `collections.{setting}`"));
            return None;
        }
        Some(Collection { name, kind })
    }

    /// A record of insight data: of a person, or of the account. Nothing is written where it has no key.
    fn record(
        &mut self,
        place: Collection<'_>,
        who: Option<&Who<'_>>,
        key: &str,
        json: &Object,
        entity: String,
    ) -> Result<Option<&mut Operation>, Error> {
        if key.is_empty() {
            self.refuse("/body/id", "a record of insight data needs a key");
            return Ok(None);
        }
        let bulk = match self.config.insight_write {
            InsightWrite::Auto => self.is_backfill(),
            InsightWrite::Bulk => true,
            InsightWrite::Single => false,
        };
        let mut row = Object::of_bytes(json.len() + 2 * key.len() + 192);
        if let Some(who) = who {
            row.object("contactIdentity", |object| identity(object, who));
        }
        row.put("key", key);
        // Never left out, not even when it is empty.
        row.document("json", json);
        let body = row.bytes()?;
        let lane = who.map_or_else(|| [place.name, ":", key].concat(), |who| person(who.name()));
        let endpoint = match (bulk, who) {
            (true, _) => endpoints::INSIGHT_IMPORT,
            (false, Some(_)) => endpoints::PUT_CONTACT,
            (false, None) => endpoints::PUT_ACCOUNT,
        };
        let scope = if who.is_some() { "contact" } else { "account" };
        let mut operation = self.operation(endpoint, entity.clone(), lane, body);
        operation.group = [scope, ":", place.kind, ":", place.name].concat();
        operation.params = BTreeMap::from([
            ("collection".to_owned(), place.name.to_owned()),
            ("scope".to_owned(), scope.to_owned()),
            ("type".to_owned(), place.kind.to_owned()),
        ]);
        // Only the newest version waits: an import must not hold one key twice.
        operation.supersedes = vec![entity];
        self.built.operations.push(operation);
        Ok(self.built.operations.last_mut())
    }

    /// Deletes a person's record.
    fn delete_record(&mut self, place: Collection<'_>, who: &Who<'_>, key: &str, entity: String) -> Result<(), Error> {
        let (identifier, value) = who.insight();
        let mut operation = self.operation(endpoints::DELETE_RECORD, entity.clone(), person(who.name()), bytes(&key, 64)?);
        operation.params = BTreeMap::from([
            ("identifier".to_owned(), identifier.to_owned()),
            ("value".to_owned(), value.to_owned()),
            ("collection".to_owned(), place.name.to_owned()),
            ("recordId".to_owned(), key.to_owned()),
        ]);
        operation.supersedes = vec![entity];
        self.built.operations.push(operation);
        Ok(())
    }

    /// The key of a part of what the record tells.
    fn key(&self, part: &str) -> IdempotencyKey {
        IdempotencyKey::new(format!("{}:{part}", self.envelope.idempotency_key))
    }

    /// The key of something that happens once at Dotdigital.
    fn once_key(&self, what: &str, id: &str) -> IdempotencyKey {
        fingerprint::idempotency_key(&["dotdigital", &self.envelope.source, &self.envelope.tenant, what, id])
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

/// Whose a record is.
fn identity(object: &mut Object, who: &Who<'_>) {
    let (identifier, value) = who.insight();
    object.put("identifier", identifier);
    object.put("value", value);
}

fn person(name: &str) -> String {
    ["profile:", name].concat()
}
