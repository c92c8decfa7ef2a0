//! Canonical record → operations.

mod catalog;
mod commerce;
mod events;
mod fields;
mod people;

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::super::{Built, Operation, Skip};
use super::Cordial;
use super::config::{Backfilled, CategoryName};
use super::ids::{self, Who};

use crate::error::Error;
use crate::fingerprint;
use crate::model::{
    AttributeValue, Attributes, Body, CategoryRef, Envelope, Finding, FindingCode, IdempotencyKey, Mode, Record, SkipReason,
};

pub(super) use people::Grant;

/// Builds one record; a value JSON cannot hold is a finding of the record, like any other.
pub(super) fn build(cordial: &Cordial, record: &Record) -> Built {
    let mut builder = Builder { cordial, envelope: &record.envelope, built: Built::default() };
    if let Err(error) = builder.body(&record.body) {
        builder.built.findings.push(Finding::new(FindingCode::ValueUnsupported, "/body", error.message()));
    }
    if builder.built.findings.iter().any(Finding::is_error) {
        builder.built.operations.clear();
    }
    builder.built
}

struct Builder<'a> {
    cordial: &'a Cordial,
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
        match ids::who(&self.cordial.config, &self.cordial.checked, &self.envelope.identity) {
            Ok(who) => Some(who),
            Err(finding) => {
                self.built.findings.push(finding);
                None
            }
        }
    }

    fn is_backfill(&self) -> bool {
        self.envelope.mode == Mode::Backfill
    }

    fn withholds(&self, setting: Backfilled) -> bool {
        self.is_backfill() && setting == Backfilled::Withhold
    }

    fn id(&self, id: &'a str) -> Cow<'a, str> {
        ids::prefixed(&self.cordial.config.id_prefix, id)
    }

    fn skip(&mut self, reason: SkipReason, detail: impl Into<String>) {
        self.built.skipped.push(Skip::new(reason, detail));
    }

    fn refuse(&mut self, pointer: &str, message: impl Into<String>) {
        self.built.findings.push(Finding::new(FindingCode::ValueUnsupported, pointer, message));
    }

    /// The key of something that happens once at Cordial, made of its id there.
    fn key(&self, uid: &str) -> IdempotencyKey {
        fingerprint::idempotency_key(&["cordial", &self.envelope.source, &self.envelope.tenant, uid])
    }

    /// The one category Cordial has room for.
    fn category_name(&self, categories: &'a [CategoryRef]) -> Cow<'a, str> {
        let Some(first) = categories.first() else { return Cow::Owned(self.cordial.config.default_category.clone()) };
        match (self.cordial.config.category_name, first.path.as_slice()) {
            (_, []) => Cow::Borrowed(&first.id),
            (CategoryName::Leaf, [.., leaf]) => Cow::Borrowed(leaf),
            (CategoryName::Path, path) => Cow::Owned(path.join(" > ")),
        }
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

fn primary_key(who: &Who<'_>) -> BTreeMap<String, String> {
    BTreeMap::from([("primary_key".to_owned(), who.path())])
}

/// A text among attributes, such as the ids Cordial puts into the links of its messages.
fn text<'a>(attributes: &'a Attributes, name: &str) -> Option<&'a str> {
    match attributes.get(name) {
        Some(AttributeValue::Text(text)) => Some(text),
        _ => None,
    }
}
