//! Canonical record → operations.

mod catalog;
mod commerce;
mod events;
mod people;

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::super::{Built, Operation, Skip};
use super::Iterable;
use super::config::{Backfilled, Catalogs};
use super::ids::{self, Nobody, Who};

use crate::error::Error;
use crate::fingerprint;
use crate::model::{Body, CategoryRef, Envelope, Finding, FindingCode, IdempotencyKey, Mode, Record, SkipReason};

/// Builds one record; a value JSON cannot hold is a finding of the record, like any other.
pub(super) fn build(iterable: &Iterable, record: &Record) -> Built {
    let mut builder = Builder { iterable, envelope: &record.envelope, built: Built::default() };
    if let Err(error) = builder.body(&record.body) {
        builder.built.findings.push(Finding::new(FindingCode::ValueUnsupported, "/body", error.message()));
    }
    if let Err(error) = builder.introduce(&record.body) {
        builder.built.findings.push(Finding::new(FindingCode::ValueUnsupported, "/envelope/identity/email", error.message()));
    }
    if builder.built.findings.iter().any(Finding::is_error) {
        builder.built.operations.clear();
        builder.built.provided.clear();
    }
    builder.built
}

/// `catalogs/{catalog}/fieldMappings` for a catalog of ours.
pub(super) fn field_types(catalogs: &Catalogs, categories: bool) -> Result<Vec<u8>, Error> {
    catalog::field_types(catalogs, categories)
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

    /// Remembers the key of something that is withheld.
    fn withhold(&mut self, kind: &str, id: &str) {
        let key = self.key(&ids::event_id(self.envelope, kind, id));
        self.built.withheld.push(key);
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

fn profile(name: &str) -> String {
    format!("profile:{name}")
}

fn some<T>(values: impl Iterator<Item = T>) -> Option<Vec<T>> {
    let values: Vec<T> = values.collect();
    (!values.is_empty()).then_some(values)
}

/// The names of categories; one that was read without its name has none, and an id is not one.
fn category_paths(categories: &[CategoryRef]) -> Option<Vec<Cow<'_, str>>> {
    some(categories.iter().filter_map(|category| match category.path.as_slice() {
        [] => None,
        [name] => Some(Cow::Borrowed(name.as_str())),
        path => Some(Cow::Owned(path.join(" > "))),
    }))
}
