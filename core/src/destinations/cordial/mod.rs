#![doc = include_str!("README.md")]

mod build;
mod capabilities;
mod config;
mod files;
mod ids;
mod payload;
mod readback;
mod reply;
mod schema;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use serde_json::value::RawValue;

use super::{Built, Capabilities, Completed, Destination, Held, Method, Operation, Reading, Reply, Request, Secret};
use crate::error::{Error, ErrorCode};
use crate::model::Record;
use capabilities as endpoints;
use config::{Checked, Cleared};

pub use capabilities::CAPABILITIES;
pub use config::{
    Api, Asynchronous, Attribute, AttributeType, Backfilled, CartWrite, CategoryName, Cleared as ClearedFields, Config, ContactDeletion,
    EmailChange, Imports, MissingContacts, Region, Resubscribe, SmsOptIn, Supplements, TakenBack, Triggers, UnknownAttributes,
};

/// The Cordial destination.
#[derive(Debug)]
pub struct Cordial {
    config: Config,
    checked: Checked,
}

impl Cordial {
    /// A destination with these settings.
    ///
    /// # Errors
    /// `invalid_config` naming the setting at fault.
    pub fn new(config: Config) -> Result<Self, Error> {
        let checked = config.checked()?;
        Ok(Cordial { config, checked })
    }

    fn call(&self, endpoint: &'static str, path: String, body: Option<Vec<u8>>) -> Result<Request, Error> {
        let facts = CAPABILITIES.endpoint(endpoint).ok_or_else(|| internal("an endpoint is not in the table"))?;
        let headers = if body.is_some() { vec![("content-type", "application/json".to_owned())] } else { Vec::new() };
        let secret_headers = if facts.host == "async" { self.async_credentials() } else { self.credentials() };
        Ok(Request { endpoint: Cow::Borrowed(endpoint), method: facts.method, path, headers, secret_headers, body })
    }

    /// The key as a user without a password (<https://support.cordial.com/hc/en-us/articles/203885498>).
    fn credentials(&self) -> Vec<(&'static str, Secret)> {
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{}:", self.config.api_key.expose()));
        vec![("authorization", Secret::new(format!("Basic {pair}")))]
    }

    fn async_credentials(&self) -> Vec<(&'static str, Secret)> {
        vec![("x-api-key", self.config.api_key.clone())]
    }

    /// The account's attributes, to compare with those a contact holds.
    fn attributes_request(&self) -> Result<Request, Error> {
        self.call(endpoints::ATTRIBUTES, "/v2/accountcontactattributes".to_owned(), None)
    }

    /// The body of a contact's call, made of its row: what the destination has already is not in `attributes` any more.
    fn contact_body(&self, operation: &Operation) -> Result<Vec<u8>, Error> {
        let row: ContactRow<'_> =
            serde_json::from_slice(&operation.body).map_err(|error| internal("a contact's row is not its own").because(error))?;
        let asynchronous = operation.endpoint == endpoints::CONTACT_ASYNC;
        let attributes = row.attributes.iter().filter(|(name, _)| name.as_ref() != "channels" && !row.ids.contains_key(name.as_ref()));
        let mut members: BTreeMap<&str, Cow<'_, RawValue>> = BTreeMap::new();
        for (name, value) in attributes {
            if value.get() != "null" {
                members.insert(name, Cow::Borrowed(value));
            } else if let Some(blank) = self.blank() {
                members.insert(name, Cow::Owned(RawValue::from_string(blank.to_owned()).map_err(|_| internal("a blank is not JSON"))?));
            }
        }
        let written = if asynchronous { self.async_contact(&row, &members) } else { rest_contact(&row, &members) };
        written.map_err(|error| internal("a contact could not be written").because(error))
    }

    /// How long to wait between two questions after a job.
    fn poll_after(&self) -> Duration {
        Duration::from_secs(self.config.imports.as_ref().map_or(15, |imports| imports.poll_s.into()))
    }

    /// What is sent for a field that is gone.
    fn blank(&self) -> Option<&'static str> {
        match self.config.cleared {
            Cleared::Keep => None,
            Cleared::Null => Some("null"),
            Cleared::Empty => Some("\"\""),
        }
    }

    fn async_contact(&self, row: &ContactRow<'_>, members: &BTreeMap<&str, Cow<'_, RawValue>>) -> Result<Vec<u8>, serde_json::Error> {
        let settings = &self.config.asynchronous;
        let mut identifiers: BTreeMap<Cow<'_, str>, &RawValue> = row.ids.iter().map(|(key, value)| (key.clone(), *value)).collect();
        for (channel, contact) in &row.channels {
            let key = if channel == "email" { Cow::Borrowed("email") } else { format!("channels.{channel}.address").into() };
            identifiers.insert(key, contact.address);
        }
        serde_json::to_vec(&AsyncContact {
            source: &settings.source,
            identifiers_priority: &row.identify_by,
            merge_options: MergeOptions { merge_allowed: settings.merge_allowed },
            attributes: members,
            identifiers,
            force_subscribe: false,
        })
    }

    /// The body of an event's call by the Asynchronous API: who it is about apart from what happened.
    fn async_event(&self, operation: &Operation) -> Result<Vec<u8>, Error> {
        let broken = |error| internal("an event's row is not its own").because(error);
        let mut event: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_slice(&operation.body).map_err(broken)?;
        let own = ["a", "ats", "UID", "properties"];
        let identifiers: BTreeMap<Cow<'_, str>, &RawValue> =
            event.iter().filter(|(name, _)| !own.contains(&name.as_ref())).map(|(name, value)| (name.clone(), *value)).collect();
        event.retain(|name, _| own.contains(&name.as_ref()));
        let settings = &self.config.asynchronous;
        let identifiers_priority = identifiers.keys().cloned().collect();
        let contact = AsyncSubject { identifiers, identifiers_priority, can_be_created: false, can_be_updated: false };
        let mut body = serde_json::Map::new();
        body.insert("source".to_owned(), settings.source.as_str().into());
        let mut out = serde_json::to_string(&body).map_err(broken)?;
        out.pop();
        for (name, value) in [
            ("contact", serde_json::to_string(&contact).map_err(broken)?),
            (&settings.event_member, serde_json::to_string(&event).map_err(broken)?),
        ] {
            out.push(',');
            out.push_str(&serde_json::to_string(name).map_err(broken)?);
            out.push(':');
            out.push_str(&value);
        }
        out.push('}');
        Ok(out.into_bytes())
    }
}

/// The row of a contact as it is read back.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContactRow<'a> {
    #[serde(borrow)]
    channels: BTreeMap<Cow<'a, str>, Channel<'a>>,
    #[serde(borrow, default)]
    ids: BTreeMap<Cow<'a, str>, &'a RawValue>,
    #[serde(borrow)]
    identify_by: Vec<Cow<'a, str>>,
    suppress_triggers: bool,
    #[serde(borrow)]
    attributes: BTreeMap<Cow<'a, str>, &'a RawValue>,
}

#[derive(serde::Deserialize, serde::Serialize)]
struct Channel<'a> {
    #[serde(borrow)]
    address: &'a RawValue,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct RestContact<'a> {
    channels: &'a BTreeMap<Cow<'a, str>, Channel<'a>>,
    identify_by: &'a [Cow<'a, str>],
    #[serde(flatten)]
    ids: &'a BTreeMap<Cow<'a, str>, &'a RawValue>,
    #[serde(flatten)]
    members: &'a BTreeMap<&'a str, Cow<'a, RawValue>>,
    suppress_triggers: bool,
}

fn rest_contact<'a>(row: &'a ContactRow<'a>, members: &'a BTreeMap<&'a str, Cow<'a, RawValue>>) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&RestContact {
        channels: &row.channels,
        identify_by: &row.identify_by,
        ids: &row.ids,
        members,
        suppress_triggers: row.suppress_triggers,
    })
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct AsyncContact<'a> {
    source: &'a str,
    identifiers: BTreeMap<Cow<'a, str>, &'a RawValue>,
    identifiers_priority: &'a [Cow<'a, str>],
    attributes: &'a BTreeMap<&'a str, Cow<'a, RawValue>>,
    force_subscribe: bool,
    merge_options: MergeOptions,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct MergeOptions {
    merge_allowed: bool,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct AsyncSubject<'a> {
    identifiers: BTreeMap<Cow<'a, str>, &'a RawValue>,
    identifiers_priority: Vec<Cow<'a, str>>,
    can_be_created: bool,
    can_be_updated: bool,
}

impl Destination for Cordial {
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
        let facts = CAPABILITIES.endpoint(&first.endpoint).ok_or_else(|| internal("the operation's endpoint is not Cordial's"))?;
        if operations.len() > facts.max_records as usize {
            return Err(internal("more operations than the endpoint takes"));
        }
        if facts.host == "files" {
            return files::lay(&self.config, facts, operations);
        }
        let path = fill(facts.path, first)?;
        let body = match facts.id {
            endpoints::CONTACT | endpoints::CONTACT_ASYNC => Some(self.contact_body(first)?),
            endpoints::EVENT_ASYNC => Some(self.async_event(first)?),
            endpoints::SUBSCRIBE => return Err(internal("a permission is computed from the contact")),
            _ if matches!(facts.method, Method::Delete | Method::Get) => None,
            endpoints::UNSUBSCRIBE => None,
            _ => Some(first.body.clone()),
        };
        self.call(facts.id, path, body)
    }

    fn read(&self, operations: &[&Operation], reply: &Reply) -> Reading {
        reply::read(&self.config, self.poll_after(), operations, reply)
    }

    fn prefetch(&self, operation: &Operation) -> Option<Request> {
        match operation.endpoint.as_ref() {
            // Leaving is right whatever the contact shows; joining is not.
            endpoints::SUBSCRIBE => {
                let path = fill("/v2/contacts/{primary_key}", operation).ok()?;
                self.call(endpoints::READBACK, path, None).ok()
            }
            // A second creation is refused, and an update of what is not there too.
            endpoints::ORDER => {
                let path = fill("/v2/orders/{orderID}", operation).ok()?;
                self.call(endpoints::ORDER_GET, path, None).ok()
            }
            endpoints::CONTACT | endpoints::CONTACT_ASYNC if self.config.verify_attributes => self.attributes_request().ok(),
            _ => None,
        }
    }

    fn is_computed(&self, operation: &Operation) -> bool {
        operation.endpoint == endpoints::SUBSCRIBE
    }

    fn complete(&self, operation: &Operation, reply: &Reply) -> Result<Completed, Error> {
        match operation.endpoint.as_ref() {
            endpoints::SUBSCRIBE => match reply::permission(operation, reply)? {
                reply::Change::None(skip) => Ok(Completed::Skip(skip)),
                reply::Change::Later(refusal, after) => Ok(Completed::Retry(refusal, after)),
                reply::Change::Write(body) => {
                    let path = fill("/v2/contacts/{primary_key}", operation)?;
                    Ok(Completed::Send(self.call(endpoints::SUBSCRIBE, path, Some(body))?))
                }
            },
            endpoints::ORDER => match reply::order_is_known(reply)? {
                reply::Known::No => Ok(Completed::Send(self.request(&[operation])?)),
                reply::Known::Yes => {
                    let path = fill("/v2/orders/{orderID}", operation)?;
                    let body = reply::as_update(&operation.body, self.config.triggers.order_updates)?;
                    Ok(Completed::Send(self.call(endpoints::ORDER_UPDATE, path, Some(body))?))
                }
                reply::Known::Later(refusal, after) => Ok(Completed::Retry(refusal, after)),
            },
            _ => match schema::before(&self.config, operation, reply)? {
                schema::Lacks::Later(refusal, after) => Ok(Completed::Retry(refusal, after)),
                schema::Lacks::First(detour) => Ok(Completed::First(detour)),
                schema::Lacks::Nothing => Ok(Completed::Send(self.request(&[operation])?)),
            },
        }
    }

    fn poll(&self, operations: &[&Operation], job: &str) -> Result<Request, Error> {
        if let Some(id) = job.strip_prefix(files::RUNNING) {
            let mut path = "/v2/jobs/".to_owned();
            ids::percent(id, &mut path);
            return self.call(endpoints::JOB, path, None);
        }
        let file = job.strip_prefix(files::LAID).ok_or_else(|| internal("the job is not one of Cordial's"))?;
        let [first, ..] = operations else { return Err(internal("a job needs an operation")) };
        let (endpoint, body) = files::import(&self.config, first, file)?;
        let facts = CAPABILITIES.endpoint(endpoint).ok_or_else(|| internal("an endpoint is not in the table"))?;
        self.call(endpoint, fill(facts.path, first)?, Some(body))
    }

    fn read_poll(&self, operations: &[&Operation], job: &str, reply: &Reply) -> Reading {
        reply::read_poll(operations, job, reply, self.poll_after())
    }

    fn read_back(&self, operation: &Operation) -> Option<Request> {
        let read = readback::read(&self.config, operation)?;
        self.call(read.endpoint, read.path, None).ok()
    }

    fn compare(&self, operation: &Operation, reply: &Reply) -> Result<Held, Error> {
        readback::compare(&self.config, operation, reply)
    }

    fn check(&self) -> Request {
        Request {
            endpoint: Cow::Borrowed(endpoints::ATTRIBUTES),
            method: Method::Get,
            path: "/v2/accountcontactattributes".to_owned(),
            headers: Vec::new(),
            secret_headers: self.credentials(),
            body: None,
        }
    }

    fn read_check(&self, reply: &Reply) -> String {
        match reply.status {
            200..=299 => schema::compare(&self.config, reply),
            401 => "the key is not known there; check it, the region, and that the key allows this address".to_owned(),
            403 => "the key does not allow this call, or this address; add both in Cordial's console".to_owned(),
            status => format!("the destination answered with status {status}"),
        }
    }

    fn base_url(&self) -> &str {
        &self.checked.base_url
    }

    fn base_url_of(&self, request: &Request) -> &str {
        match CAPABILITIES.endpoint(&request.endpoint).map_or("", |facts| facts.host) {
            "async" => &self.checked.async_base_url,
            "files" => &self.checked.upload_url,
            _ => &self.checked.base_url,
        }
    }

    fn backfill_notice(&self) -> &'static str {
        "Cordial can keep quiet: contacts, orders and supplement records of a backfill are written with `suppressTriggers`, and files are \
         imported with `subscribe: false`. Carts are not sent; events and subscriptions are withheld unless `backfill_events` or \
         `backfill_grants` is `send`, because nothing keeps their automations quiet."
    }
}

fn internal(message: &'static str) -> Error {
    Error::new(ErrorCode::Internal, message)
}

/// Fills the placeholders of the endpoint's path. A contact's key stands before its value, with a colon that stays one.
fn fill(template: &str, operation: &Operation) -> Result<String, Error> {
    let mut path = String::with_capacity(template.len() + 64);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or_else(|| internal("a path in the table is malformed"))?;
        let value = operation.params.get(name).ok_or_else(|| internal("the operation lacks a value its path needs"))?;
        path.push_str(before);
        match value.split_once(':') {
            Some((key, value)) if name == "primary_key" => {
                ids::percent(key, &mut path);
                path.push(':');
                ids::percent(value, &mut path);
            }
            _ => ids::percent(value, &mut path),
        }
        rest = after;
    }
    path.push_str(rest);
    Ok(path)
}
