#![doc = include_str!("README.md")]

mod build;
mod capabilities;
mod config;
mod ids;
mod join;
mod leaving;
mod payload;
mod readback;
mod reply;
mod subscription;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use memchr::memmem;

use super::{Built, Capabilities, Completed, Destination, Detour, Held, Method, Operation, Reading, Refusal, Reply, Request, Secret, Skip};
use crate::error::{Error, ErrorCode};
use crate::model::{Instant, Record, SkipReason};
use capabilities as endpoints;
use join::Named;
use reply::Clash;
use subscription::Lookup;

pub use capabilities::CAPABILITIES;
pub use config::{
    Backfilled, CatalogLayout, CatalogWrite, Catalogs, Config, ConsentTarget, ContactDeletion, DataCenter, EmptyCart, Erase, FieldType,
    Guests, LeftTypes, Lists, Policy, ProjectType, Subscriptions, Write,
};

/// The Iterable destination.
#[derive(Debug)]
pub struct Iterable {
    config: Config,
    project: ProjectType,
    base_url: String,
}

impl Iterable {
    /// A destination with these settings.
    ///
    /// # Errors
    /// `invalid_config` naming the setting at fault.
    pub fn new(config: Config) -> Result<Self, Error> {
        let (project, base_url) = config.checked()?;
        Ok(Iterable { config, project, base_url })
    }

    fn call(&self, endpoint: &'static str, path: String, body: Option<Vec<u8>>) -> Result<Request, Error> {
        let facts = CAPABILITIES.endpoint(endpoint).ok_or_else(|| internal("an endpoint is not in the table"))?;
        let headers = if body.is_some() { vec![("content-type", "application/json".to_owned())] } else { Vec::new() };
        Ok(Request { endpoint: Cow::Borrowed(endpoint), method: facts.method, path, headers, secret_headers: self.credentials(), body })
    }

    fn credentials(&self) -> Vec<(&'static str, Secret)> {
        vec![("api-key", self.config.api_key.clone())]
    }

    fn bulk_head(&self) -> &'static [u8] {
        match self.config.create_new_fields {
            None => b"{\"users\":[",
            Some(true) => b"{\"createNewFields\":true,\"users\":[",
            Some(false) => b"{\"createNewFields\":false,\"users\":[",
        }
    }

    /// The read before a subscription is written, or profiles are merged.
    fn profile_request(&self, operation: &Operation) -> Result<Request, Error> {
        if operation.endpoint == endpoints::MERGE {
            return self.read_of(&join::source_of(operation)?);
        }
        let row = subscription::subscription(operation)?;
        let in_doubt = row.is_in_doubt();
        let named = row.named()?;
        if !in_doubt {
            return self.read_of(&named);
        }
        let read = readback::history_read(&named);
        self.call(read.endpoint, read.path, None)
    }

    fn read_of(&self, named: &Named) -> Result<Request, Error> {
        let read = readback::profile_read(named);
        self.call(read.endpoint, read.path, None)
    }

    /// What is done when a customer's address belongs to a guest. In the other kinds of project no address is unique
    /// beside the id.
    fn clash(&self) -> Clash {
        match (self.project, self.config.guests) {
            (ProjectType::Hybrid, Guests::Merge) | (ProjectType::Email, _) => Clash::Merge,
            _ => Clash::Refuse,
        }
    }

    /// A subscription of somebody who is not there: they are written first, with nothing but their id.
    fn introduce(&self, operation: &Operation, why: Refusal) -> Result<Detour, Error> {
        let body = subscription::introduction(&subscription::subscription(operation)?.named()?, self.project == ProjectType::Email)?;
        let endpoint = if self.config.write == Write::Bulk { endpoints::USERS_BULK } else { endpoints::USERS_UPDATE };
        Ok(Detour { operations: vec![join::step_of(operation, endpoint, body)], why, after: Some(subscription::SIGHT) })
    }

    /// A catalog that is not there: it is made, and its fields get their types before anything is written to it.
    fn make_catalog(&self, operation: &Operation) -> Option<Detour> {
        let catalogs = &self.config.catalogs;
        let name = operation.params.get("catalog").filter(|_| catalogs.create)?;
        let body = build::field_types(catalogs, catalogs.categories.as_ref() == Some(name)).ok()?;
        let params = std::collections::BTreeMap::from([("catalog".to_owned(), name.clone())]);
        let step = |endpoint, body| Operation { params: params.clone(), ..join::step_of(operation, endpoint, body) };
        Some(Detour {
            operations: vec![step(endpoints::CATALOG_CREATE, b"null".to_vec()), step(endpoints::CATALOG_FIELDS, body)],
            why: Refusal::new(ErrorCode::NotFound, "catalog", "the catalog is being made"),
            after: None,
        })
    }
}

impl Destination for Iterable {
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
        let facts = CAPABILITIES.endpoint(&first.endpoint).ok_or_else(|| internal("the operation's endpoint is not Iterable's"))?;
        if operations.len() > facts.max_records as usize {
            return Err(internal("more operations than the endpoint takes"));
        }
        let path = fill(facts.path, first)?;
        let body = match facts.id {
            endpoints::USERS_BULK => Some(rows(self.bulk_head(), operations, b"]}", true)?),
            endpoints::TRACK_BULK => Some(rows(b"{\"events\":[", operations, b"]}", false)?),
            endpoints::CATALOG_DELETE => Some(rows(b"{\"itemIds\":[", operations, b"]}", false)?),
            endpoints::CATALOG_PATCH => Some(documents(operations, b"},\"replaceUploadedFieldsOnly\":true}")?),
            endpoints::CATALOG_REPLACE => Some(documents(operations, b"},\"replaceUploadedFieldsOnly\":false}")?),
            endpoints::USERS_UPDATE => Some(without_null_email(&first.body)?.into_owned()),
            endpoints::PURCHASE | endpoints::CART | endpoints::TRACK | endpoints::FORGET => Some(first.body.clone()),
            endpoints::MERGE | endpoints::UPDATE_EMAIL | endpoints::TRIGGER | endpoints::CATALOG_FIELDS => Some(first.body.clone()),
            endpoints::LIST_SUBSCRIBE => Some(rows(&list_head(first, "")?, operations, b"]}", false)?),
            endpoints::LIST_UNSUBSCRIBE => Some(rows(&list_head(first, "\"channelUnsubscribe\":false,")?, operations, b"]}", false)?),
            endpoints::SUBSCRIPTIONS if join::is_carrying(first) => Some(first.body.clone()),
            endpoints::GET_BY_EMAIL | endpoints::GET_BY_USER_ID => {
                let named = join::looked_at(first)?.ok_or_else(|| internal("a read looks at nobody"))?;
                return self.read_of(&named);
            }
            endpoints::SUBSCRIPTIONS => return Err(internal("a list of subscriptions is computed from the profile")),
            endpoints::SUBSCRIBE_EMAIL | endpoints::SUBSCRIBE_USER_ID => {
                // A row that cannot be read has no prefetch either, and nobody is subscribed unseen.
                subscription::subscription(first)?;
                None
            }
            _ => None,
        };
        self.call(facts.id, path, body)
    }

    fn read(&self, operations: &[&Operation], reply: &Reply) -> Reading {
        let reading = match operations {
            [look] if matches!(look.endpoint.as_ref(), endpoints::GET_BY_EMAIL | endpoints::GET_BY_USER_ID) => join::read_look(look, reply),
            [first, ..]
                if reply.status == 404 && matches!(first.endpoint.as_ref(), endpoints::CATALOG_PATCH | endpoints::CATALOG_REPLACE) =>
            {
                self.make_catalog(first).map_or_else(|| reply::read(operations, reply, self.clash()), Reading::First)
            }
            _ => reply::read(operations, reply, self.clash()),
        };
        match reading {
            Reading::Each(verdicts, warnings) => {
                let verdicts = operations.iter().zip(verdicts).map(|(operation, verdict)| join::let_go(operation, verdict));
                Reading::Each(verdicts.collect(), warnings)
            }
            other => other,
        }
    }

    fn prefetch(&self, operation: &Operation) -> Option<Request> {
        let needed = match operation.endpoint.as_ref() {
            // Leaving is right whatever the profile says; joining is not, and neither is replacing a list unseen.
            endpoints::SUBSCRIBE_EMAIL | endpoints::SUBSCRIBE_USER_ID | endpoints::SUBSCRIPTIONS => true,
            // A merge is for good: first it is looked whether there is something to merge, and what it must not lose.
            endpoints::MERGE => true,
            _ => false,
        };
        needed.then(|| self.profile_request(operation).ok()).flatten()
    }

    fn is_computed(&self, operation: &Operation) -> bool {
        operation.endpoint == endpoints::SUBSCRIPTIONS
    }

    fn complete(&self, operation: &Operation, reply: &Reply) -> Result<Completed, Error> {
        if operation.endpoint == endpoints::MERGE {
            return match subscription::look_up(reply)? {
                Lookup::Found(source) => Ok(match join::before(operation, &source)? {
                    Some(detour) => Completed::First(detour),
                    None => Completed::Send(self.request(&[operation])?),
                }),
                Lookup::Nobody => Ok(Completed::Skip(join::nobody())),
                Lookup::Forgotten(detail) => Ok(Completed::Skip(Skip::new(SkipReason::Erased, detail))),
                Lookup::Later(refusal, after) => Ok(Completed::Retry(refusal, after)),
            };
        }
        let look = self.config.left_types == LeftTypes::ReadEvents;
        match subscription::complete(operation, reply, look)? {
            subscription::Change::Look(body) => Ok(Completed::Look(Box::new(Operation { body, ..operation.clone() }))),
            subscription::Change::Missing(refusal) => Ok(Completed::First(self.introduce(operation, refusal)?)),
            subscription::Change::None(skip) => Ok(Completed::Skip(skip)),
            subscription::Change::Later(refusal, after) => Ok(Completed::Retry(refusal, after)),
            subscription::Change::One if operation.endpoint == endpoints::SUBSCRIPTIONS => {
                Err(internal("a list of subscriptions is missing"))
            }
            subscription::Change::One => Ok(Completed::Send(self.request(&[operation])?)),
            subscription::Change::List(body) => {
                Ok(Completed::Send(self.call(endpoints::SUBSCRIPTIONS, "/api/users/updateSubscriptions".to_owned(), Some(body))?))
            }
        }
    }

    fn leaves(&self, operation: &Operation) -> Option<String> {
        let moves = match operation.endpoint.as_ref() {
            endpoints::SUBSCRIBE_EMAIL | endpoints::SUBSCRIBE_USER_ID | endpoints::UNSUBSCRIBE_EMAIL | endpoints::UNSUBSCRIBE_USER_ID => {
                true
            }
            endpoints::SUBSCRIPTIONS => !join::is_carrying(operation),
            _ => false,
        };
        moves.then(|| subscription::subscription(operation).ok().map(|row| row.leaves())).flatten()
    }

    fn remind(&self, body: Vec<u8>, left: &str, since: Instant) -> Result<Vec<u8>, Error> {
        subscription::reminded(body, left, since)
    }

    fn apart(&self, operation: &Operation) -> Option<String> {
        // Of two rows with one address one is refused, and the answer may not tell which.
        let addressed = operation.endpoint == endpoints::USERS_BULK && memmem::find(&operation.body, b"\"email\":\"").is_some();
        addressed.then(|| reply::address_of(&operation.body)).flatten()
    }

    fn read_back(&self, operation: &Operation) -> Option<Request> {
        let read = readback::read(operation)?;
        self.call(read.endpoint, read.path, None).ok()
    }

    fn compare(&self, operation: &Operation, reply: &Reply) -> Result<Held, Error> {
        readback::compare(operation, reply)
    }

    fn check(&self) -> Request {
        Request {
            endpoint: Cow::Borrowed(endpoints::MESSAGE_TYPES),
            method: Method::Get,
            path: "/api/messageTypes".to_owned(),
            headers: Vec::new(),
            secret_headers: self.credentials(),
            body: None,
        }
    }

    fn base_url(&self) -> &str {
        &self.base_url
    }

    fn backfill_notice(&self) -> &'static str {
        "Iterable has no switch that keeps journeys quiet. A backfill sends contacts, denials and catalogs; it withholds carts and \
         triggered journeys always, and purchases, events, subscriptions and joining lists unless `backfill_purchases`, `backfill_events`, \
         `backfill_grants` or `backfill_lists` is `send`. Journeys that \
         start on a profile update can start: pause them first. Purchases clear live carts: send open carts again afterwards."
    }
}

fn internal(message: &'static str) -> Error {
    Error::new(ErrorCode::Internal, message)
}

/// Fills the placeholders of the endpoint's path.
fn fill(template: &str, operation: &Operation) -> Result<String, Error> {
    let mut path = String::with_capacity(template.len() + 64);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or_else(|| internal("a path in the table is malformed"))?;
        let value = operation.params.get(name).ok_or_else(|| internal("the operation lacks a value its path needs"))?;
        path.push_str(before);
        ids::percent(value, &mut path);
        rest = after;
    }
    path.push_str(rest);
    Ok(path)
}

/// Rows between head and tail, as they are.
fn rows(head: &[u8], operations: &[&Operation], tail: &[u8], people: bool) -> Result<Vec<u8>, Error> {
    let bytes: usize = operations.iter().map(|operation| operation.body.len() + 1).sum();
    let mut body = Vec::with_capacity(head.len() + bytes + tail.len());
    body.extend_from_slice(head);
    for (index, operation) in operations.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        if people {
            body.extend_from_slice(&without_null_email(&operation.body)?);
        } else {
            body.extend_from_slice(&operation.body);
        }
    }
    body.extend_from_slice(tail);
    Ok(body)
}

/// What stands before the people of a list call.
fn list_head(first: &Operation, flags: &str) -> Result<Vec<u8>, Error> {
    let id: u64 = first.group.parse().map_err(|_| internal("a list has no id"))?;
    Ok(format!("{{\"listId\":{id},{flags}\"subscribers\":[").into_bytes())
}

/// Catalog items under their ids.
fn documents(operations: &[&Operation], tail: &[u8]) -> Result<Vec<u8>, Error> {
    let bytes: usize = operations.iter().map(|operation| operation.body.len() + 48).sum();
    let mut body = Vec::with_capacity(32 + bytes + tail.len());
    body.extend_from_slice(b"{\"documents\":{");
    for (index, operation) in operations.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        let id = operation.params.get("id").filter(|id| ids::is_catalog_name(id)).ok_or_else(|| internal("a catalog item needs an id"))?;
        body.push(b'"');
        body.extend_from_slice(id.as_bytes());
        body.extend_from_slice(b"\":");
        body.extend_from_slice(&operation.body);
    }
    body.extend_from_slice(tail);
    Ok(body)
}

/// A delta blanks what is gone with null, and a null address is the one thing that sinks the whole call.
fn without_null_email(body: &[u8]) -> Result<Cow<'_, [u8]>, Error> {
    if memmem::find(body, b"\"email\":null").is_none() {
        return Ok(Cow::Borrowed(body));
    }
    reply::drop_null_email(body).map(Cow::Owned)
}
