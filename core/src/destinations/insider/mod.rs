#![doc = include_str!("README.md")]

mod build;
mod capabilities;
mod config;
mod ids;
mod payload;
mod profile;
mod readback;
mod reply;
mod request;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use super::{Built, Capabilities, Completed, Destination, Held, Operation, Reading, Reply, Request, Secret};
use crate::error::Error;
use crate::model::Record;
use capabilities as endpoints;
use config::Urls;

pub use capabilities::CAPABILITIES;
pub use config::{
    AttributeType, Backfilled, Carts, Catalog, CatalogWrite, Categories, Config, ContactDeletion, Erase, Hosts, Identifiers,
    IdentityConflict, ItemId, LineEvents, PurchasePrice, PurchaseTax, Resubscribe, ShippingCost, UnsubscribeBy,
};

/// The Insider destination.
#[derive(Debug)]
pub struct Insider {
    config: Config,
    urls: Urls,
}

impl Insider {
    /// A destination with these settings.
    ///
    /// # Errors
    /// `invalid_config` naming the setting at fault.
    pub fn new(config: Config) -> Result<Self, Error> {
        let urls = config.checked()?;
        Ok(Insider { config, urls })
    }

    fn call(&self, endpoint: &'static str, body: Vec<u8>) -> Result<Request, Error> {
        let facts = CAPABILITIES.endpoint(endpoint).ok_or_else(|| request::internal("an endpoint is not in the table"))?;
        Ok(Request {
            endpoint: Cow::Borrowed(endpoint),
            method: facts.method,
            path: facts.path.to_owned(),
            headers: vec![("content-type", "application/json".to_owned()), ("x-partner-name", self.config.partner.clone())],
            secret_headers: vec![("x-request-token", self.token(endpoint, facts.host))],
            body: Some(body),
        })
    }

    /// Each host wants a key of its own type, and leaving and joining differ, too.
    fn token(&self, endpoint: &str, host: &str) -> Secret {
        let config = &self.config;
        let token = match (host, endpoint) {
            (endpoints::CATALOG, _) => &config.catalog_token,
            (endpoints::CONTACT, endpoints::JOIN_EMAIL | endpoints::JOIN_SMS | endpoints::JOIN_WHATSAPP) => &config.resubscribe_token,
            (endpoints::CONTACT, _) => &config.unsubscribe_token,
            _ => return config.token.clone(),
        };
        token.clone().unwrap_or_default()
    }
}

impl Destination for Insider {
    fn name(&self) -> &'static str {
        CAPABILITIES.destination
    }

    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    fn build(&self, record: &Record) -> Built {
        build::build(self, record)
    }

    fn request(&self, operations: &[&Operation]) -> Result<Request, Error> {
        let [first, rest @ ..] = operations else { return Err(request::internal("a request needs an operation")) };
        if rest.iter().any(|other| other.endpoint != first.endpoint || other.group != first.group) {
            return Err(request::internal("operations of one request must share endpoint and group"));
        }
        let facts = CAPABILITIES.endpoint(&first.endpoint).ok_or_else(|| request::internal("the operation's endpoint is not Insider's"))?;
        if operations.len() > facts.max_records as usize {
            return Err(request::internal("more operations than the endpoint takes"));
        }
        if self.is_computed(first) {
            return Err(request::internal("what only clears is sent once the profile was read"));
        }
        self.call(facts.id, self.body(facts.id, operations)?)
    }

    fn read(&self, operations: &[&Operation], reply: &Reply) -> Reading {
        reply::read(operations, reply)
    }

    fn prefetch(&self, operation: &Operation) -> Option<Request> {
        self.first_call(operation).ok().flatten()
    }

    fn is_computed(&self, operation: &Operation) -> bool {
        operation.endpoint == endpoints::UPSERT && !request::gives(&operation.body)
    }

    fn complete(&self, operation: &Operation, reply: &Reply) -> Result<Completed, Error> {
        self.second_call(operation, reply)
    }

    fn read_back(&self, operation: &Operation) -> Option<Request> {
        self.reading_back(operation)
    }

    fn compare(&self, operation: &Operation, reply: &Reply) -> Result<Held, Error> {
        self.held(operation, reply)
    }

    fn check(&self) -> Request {
        let identifiers = &self.config.identifiers;
        // Nobody: whoever may ask is told so with 404.
        let body: &[u8] = if identifiers.email {
            br#"{"identifiers":{"email":"credential-check@example.invalid"},"attributes":["email_optin"]}"#
        } else {
            br#"{"identifiers":{"uuid":"cartwire-credential-check"},"attributes":["email_optin"]}"#
        };
        Request {
            endpoint: Cow::Borrowed(endpoints::PROFILE),
            method: super::Method::Post,
            path: CAPABILITIES.endpoint(endpoints::PROFILE).map_or_else(String::new, |endpoint| endpoint.path.to_owned()),
            headers: vec![("content-type", "application/json".to_owned()), ("x-partner-name", self.config.partner.clone())],
            secret_headers: vec![("x-request-token", self.config.token.clone())],
            body: Some(body.to_vec()),
        }
    }

    fn is_working(&self, reply: &Reply) -> bool {
        // Nobody is asked for, so that nobody is found.
        matches!(reply.status, 200..=299 | 404)
    }

    fn read_check(&self, reply: &Reply) -> String {
        match reply.status {
            200..=299 | 404 => "the credentials work; the keys of catalog and subscriptions show only when they are used".to_owned(),
            400 if reply::is_partner_unknown(reply) => "the partner name is not known there; it is in lower case".to_owned(),
            400 => "the credentials work, but the account does not take the identifier; check `identifiers`".to_owned(),
            401 | 403 => "the partner name and the key do not go together, or the address is not on the key's list".to_owned(),
            status => format!("the destination answered with status {status}"),
        }
    }

    fn base_url(&self) -> &str {
        &self.urls.unification
    }

    fn base_url_of(&self, request: &Request) -> &str {
        match CAPABILITIES.endpoint(&request.endpoint).map_or("", |endpoint| endpoint.host) {
            endpoints::CONTACT => &self.urls.contact,
            endpoints::CATALOG => &self.urls.catalog,
            _ => &self.urls.unification,
        }
    }

    fn backfill_notice(&self) -> &'static str {
        "A backfill sends `skip_hook` with every profile and event, which starts no journeys and no data streams. The catalog has no such \
         switch and is withheld unless `backfill_catalog` is `send`: journeys on price drop and stock start on any change of it. Events \
         older than Insider keeps them are skipped. Nobody is resubscribed."
    }
}
