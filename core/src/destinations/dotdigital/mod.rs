#![doc = include_str!("README.md")]

mod build;
mod capabilities;
mod config;
mod contacts;
mod ids;
mod jobs;
mod json;
mod readback;
mod reply;
mod rows;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Built, Capabilities, Completed, Destination, Held, Method, Operation, Reading, Reply, Request, Secret};
use crate::error::{Error, ErrorCode};
use crate::model::Record;
use capabilities as endpoints;

pub use capabilities::CAPABILITIES;
pub use config::{
    Backfilled, BackfilledOrders, Cancelled, CatalogLayout, Collections, Config, ConsentTarget, ContactDeletion, ContactWrite, Define,
    DeleteWrite, Erase, Events, InsightWrite, MergeOption, OptInType, OrderKey, OrderTotal, Region, Resubscribe, Spelling, UnaskedYes,
    Unknown,
};

/// The Dotdigital destination.
#[derive(Debug)]
pub struct Dotdigital {
    config: Config,
    base_url: String,
    /// Made once; every call has it.
    authorization: Secret,
}

/// The host that answers for accounts of every region.
const EVERY_REGION: &str = "https://r1-api.dotdigital.com";

impl Dotdigital {
    /// A destination with these settings.
    ///
    /// # Errors
    /// `invalid_config` naming the setting at fault.
    pub fn new(config: Config) -> Result<Self, Error> {
        let base_url = config.checked()?;
        let pair = format!("{}:{}", config.user.expose(), config.password.expose());
        let authorization = Secret::new(format!("Basic {}", STANDARD.encode(pair)));
        Ok(Dotdigital { config, base_url, authorization })
    }

    /// A call of an endpoint whose placeholders are filled by name.
    fn call<'v>(&self, endpoint: &'static str, value: impl Fn(&str) -> Option<&'v str>, body: Option<Vec<u8>>) -> Result<Request, Error> {
        let facts = CAPABILITIES.endpoint(endpoint).ok_or_else(|| internal("an endpoint is not in the table"))?;
        let mut path = String::with_capacity(facts.path.len() + 64);
        let mut rest = facts.path;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or_else(|| internal("a path in the table is malformed"))?;
            path.push_str(before);
            ids::percent(value(name).ok_or_else(|| internal("a value is missing that the path needs"))?, &mut path);
            rest = after;
        }
        path.push_str(rest);
        let mut headers = vec![("accept", "application/json".to_owned())];
        if body.is_some() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        Ok(Request { endpoint: Cow::Borrowed(endpoint), method: facts.method, path, headers, secret_headers: self.credentials(), body })
    }

    fn credentials(&self) -> Vec<(&'static str, Secret)> {
        vec![("authorization", self.authorization.clone())]
    }

    /// The read before a person is written.
    fn read_contact(&self, by: &str, id: &str) -> Result<Request, Error> {
        self.call(endpoints::GET, named(&[("identifier", by), ("value", id)]), None)
    }

    /// Writes one record by a call of its own.
    fn put_record(&self, operation: &Operation) -> Result<Request, Error> {
        let (head, document) = rows::split(&operation.body).ok_or_else(|| internal("a record's row is not its own"))?;
        let record: rows::Head<'_> =
            serde_json::from_slice(&head).map_err(|error| internal("a record's row is not its own").because(error))?;
        let collection = operation.params.get("collection").ok_or_else(|| internal("a record needs a collection"))?;
        let body = Some(document.to_vec());
        let key = ("recordId", record.key.as_ref());
        match &record.contact_identity {
            Some(owner) => {
                let owner = [("identifier", owner.identifier.as_ref()), ("value", owner.value.as_ref()), ("collection", collection), key];
                self.call(endpoints::PUT_CONTACT, named(&owner), body)
            }
            None => self.call(endpoints::PUT_ACCOUNT, named(&[("collection", collection), key]), body),
        }
    }
}

/// Looks values up by name.
fn named<'v>(values: &[(&'v str, &'v str)]) -> impl Fn(&str) -> Option<&'v str> {
    move |name| values.iter().find(|(own, _)| *own == name).map(|(_, value)| *value)
}

/// Whether an operation is a row about a person that is read first.
fn reads_first(operation: &Operation) -> bool {
    match operation.endpoint.as_ref() {
        endpoints::PATCH | endpoints::LEAVE_LIST => true,
        endpoints::ENROL => !operation.params.contains_key(ids::CONTACT_ID),
        _ => false,
    }
}

/// Whether a row of an import goes alone, because its contact was missing.
fn goes_alone(operation: &Operation) -> bool {
    operation.endpoint == endpoints::INSIGHT_IMPORT && operation.body.ends_with(rows::ALONE)
}

impl Destination for Dotdigital {
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
        let [first, rest @ ..] = operations else { return Err(internal("a request needs an operation")) };
        if rest.iter().any(|other| other.endpoint != first.endpoint || other.group != first.group) {
            return Err(internal("operations of one request must share endpoint and group"));
        }
        let facts = CAPABILITIES.endpoint(&first.endpoint).ok_or_else(|| internal("the operation's endpoint is not Dotdigital's"))?;
        if operations.len() > facts.max_records as usize {
            return Err(internal("more operations than the endpoint takes"));
        }
        if self.is_computed(first) {
            return Err(internal("what to write is known only after the contact was read"));
        }
        if operations.iter().any(|operation| goes_alone(operation)) {
            return if rest.is_empty() { self.put_record(first) } else { Err(internal("a record whose contact was missing goes alone")) };
        }
        let params = |name: &str| first.params.get(name).map(String::as_str);
        let param = |name: &str| params(name).ok_or_else(|| internal("the operation lacks a value"));
        let body = match facts.id {
            endpoints::IMPORT => {
                let head = format!("{{\"mergeOption\":\"{}\",\"contacts\":[", self.config.merge_option.bulk());
                Some(joined(head.as_bytes(), operations.iter().map(|operation| operation.body.as_slice()), b"]}"))
            }
            endpoints::INSIGHT_IMPORT => {
                let (name, scope, kind) = (param("collection")?, param("scope")?, param("type")?);
                let head =
                    format!("{{\"collectionName\":\"{name}\",\"collectionScope\":\"{scope}\",\"collectionType\":\"{kind}\",\"records\":[");
                Some(joined(head.as_bytes(), operations.iter().map(|operation| operation.body.as_slice()), b"]}"))
            }
            endpoints::BULK_DELETE | endpoints::EVENTS => {
                Some(joined(b"[", operations.iter().map(|operation| operation.body.as_slice()), b"]"))
            }
            endpoints::DELETE_RECORDS => Some(joined(b"{\"keys\":[", operations.iter().map(|operation| operation.body.as_slice()), b"]}")),
            endpoints::ENROL => {
                let head = format!("{{\"programId\":{},\"contacts\":[", param("program")?);
                let ids = operations.iter().filter_map(|operation| operation.params.get(ids::CONTACT_ID)).map(String::as_bytes);
                Some(joined(head.as_bytes(), ids, b"]}"))
            }
            endpoints::PUT_CONTACT | endpoints::PUT_ACCOUNT => return self.put_record(first),
            endpoints::CREATE | endpoints::MAKE_FIELD => Some(first.body.clone()),
            endpoints::COLLECTION => {
                let (scope, kind) = (param("scope")?, param("type")?);
                let mut request = self.call(endpoints::COLLECTION, params, None)?;
                request.path.push_str(&format!("?collectionScope={scope}&collectionType={kind}"));
                return Ok(request);
            }
            _ => None,
        };
        self.call(facts.id, params, body)
    }

    fn read(&self, operations: &[&Operation], reply: &Reply) -> Reading {
        reply::read(self, operations, reply)
    }

    fn prefetch(&self, operation: &Operation) -> Option<Request> {
        if reads_first(operation) {
            let row = rows::Row::of(operation).ok()?;
            return self.read_contact(&row.by, &row.id).ok();
        }
        None
    }

    fn is_computed(&self, operation: &Operation) -> bool {
        reads_first(operation)
    }

    fn complete(&self, operation: &Operation, reply: &Reply) -> Result<Completed, Error> {
        contacts::complete(self, operation, reply)
    }

    fn poll(&self, operations: &[&Operation], job: &str) -> Result<Request, Error> {
        jobs::poll(self, operations, job)
    }

    fn read_poll(&self, operations: &[&Operation], job: &str, reply: &Reply) -> Reading {
        jobs::read(self, operations, job, reply)
    }

    fn read_back(&self, operation: &Operation) -> Option<Request> {
        readback::read(self, operation)
    }

    fn compare(&self, operation: &Operation, reply: &Reply) -> Result<Held, Error> {
        readback::compare(operation, reply)
    }

    fn check(&self) -> Request {
        Request {
            endpoint: Cow::Borrowed(endpoints::ACCOUNT),
            method: Method::Get,
            path: "/v2/account-info".to_owned(),
            headers: vec![("accept", "application/json".to_owned())],
            secret_headers: self.credentials(),
            body: None,
        }
    }

    fn is_working(&self, reply: &Reply) -> bool {
        // Every region answers for every account, and refuses all other calls of one that lives elsewhere.
        (200..300).contains(&reply.status) && !reply::lives_elsewhere(self, reply)
    }

    fn read_check(&self, reply: &Reply) -> String {
        reply::check(self, reply)
    }

    fn base_url(&self) -> &str {
        &self.base_url
    }

    fn base_url_of(&self, request: &Request) -> &str {
        if request.endpoint == endpoints::ACCOUNT && self.config.base_url.is_none() { EVERY_REGION } else { &self.base_url }
    }

    fn backfill_notice(&self) -> &'static str {
        "A backfill reads each contact before it writes, or imports it where the row can subscribe nobody. It enrols nobody in a program and \
         withholds carts always, and a yes, list memberships and behavioural events unless `backfill_grants`, `backfill_lists` or \
         `backfill_events` is `send`. Orders are imported unless `backfill_orders` is \
         `withhold`. Programs whose rule is a segment take people in when the segment is next refreshed: pause them first."
    }
}

fn internal(message: &'static str) -> Error {
    Error::new(ErrorCode::Internal, message)
}

/// Rows between head and tail, as they are.
fn joined<'r>(head: &[u8], rows: impl Iterator<Item = &'r [u8]> + Clone, tail: &[u8]) -> Vec<u8> {
    let bytes: usize = rows.clone().map(|row| row.len() + 1).sum();
    let mut body = Vec::with_capacity(head.len() + bytes + tail.len());
    body.extend_from_slice(head);
    for (index, row) in rows.enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(row);
    }
    body.extend_from_slice(tail);
    body
}
