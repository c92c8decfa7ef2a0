//! Iterable: project types, type locks, replaced subscription arrays, half-failed batches, journeys that fire twice.
//!
//! Rules come from <https://api.iterable.com/api/docs> and <https://support.iterable.com>; where they leave a choice open the
//! README of this crate names the choice made here.

mod catalogs;
mod commerce;
mod email;
mod events;
mod identity;
mod lists;
mod options;
mod project;
mod reply;
mod routes;
mod schema;
mod shape;
mod subscriptions;
mod users;
mod view;

use std::sync::Mutex;

use hyper::header::HeaderValue;
use serde_json::{Value, json};

pub(crate) use self::options::Options;
use self::project::Project;
use self::reply::Refusal;
use self::routes::Route;
use crate::vendor::{Reply, Request, Vendor};
use crate::{SandboxError, lock};

/// Bodies above this are refused. The vendor says "4 MB"; this is the smaller reading.
const MOST_BODY: usize = 4_000_000;

/// One project at Iterable.
pub(crate) struct Iterable {
    options: Options,
    project: Mutex<Project>,
}

/// One request on its way through a handler.
struct Call<'a> {
    options: &'a Options,
    project: &'a mut Project,
    request: &'a Request,
    /// Null where the call takes no body.
    body: Value,
    /// The variable segments of the path.
    args: Vec<String>,
    now_ms: i64,
}

/// What a handler returns.
type Answer = Result<Reply, Refusal>;

impl Iterable {
    pub(crate) fn new(options: Options) -> Result<Self, SandboxError> {
        options.check()?;
        let project = Mutex::new(Project::new(&options));
        Ok(Self { options, project })
    }

    fn authorised(&self, request: &Request) -> bool {
        let right = |value: &HeaderValue| value.as_bytes() == self.options.api_key.as_bytes();
        ["api-key", "api_key"].iter().any(|name| request.headers.get(*name).is_some_and(right))
    }

    /// Checks the key and the budget, reads the body, then does what is asked. The project is locked only where it is needed, so
    /// that bodies are parsed side by side.
    fn answer(&self, route: &Route, args: Vec<String>, request: &Request) -> Answer {
        if !self.authorised(request) {
            let params = json!({"ip": "127.0.0.1", "endpoint": request.path, "apiKeyIdentifier": null, "apiKeyType": null});
            return Err(Refusal::new(401, "BadApiKey", "Invalid API key").with(params));
        }
        for rate in self.options.rate_limits.of(route) {
            if !lock(&self.project).limiter.admit(route.name, rate, request.now_ms) {
                let msg = format!("Exceeded rate limit of {} for endpoint: {}, project: 1", rate.words(), route.path());
                return Err(Refusal::new(429, "RateLimitExceeded", msg));
            }
        }
        let (body, dropped) = match route.shape {
            Some(_) if request.body.len() > MOST_BODY => {
                return Err(Refusal::new(413, "BatchTooLarge", "Request body is larger than 4 MB"));
            }
            Some(shape) => shape::read(shape, &request.body)?,
            None => (Value::Null, Vec::new()),
        };
        let mut project = lock(&self.project);
        dropped.iter().for_each(|path| project.note_dropped(route.name, path));
        let (options, project) = (&self.options, &mut *project);
        (route.run)(&mut Call { options, project, request, body, args, now_ms: request.now_ms })
    }
}

impl Vendor for Iterable {
    fn name(&self) -> &'static str {
        "iterable"
    }

    fn handle(&self, request: &Request) -> Reply {
        let Some((route, args)) = routes::find(request) else {
            return Reply::html(404, "<!DOCTYPE html><html><body><h1>Action not found</h1></body></html>");
        };
        let mut reply = self.answer(route, args, request).unwrap_or_else(Refusal::into_reply);
        let mut project = lock(&self.project);
        project.counts.entry(route.name).or_default().add(reply.status);
        project.requests += 1;
        reply.headers.push(("iterable-request-id", format!("sandbox-{}", project.requests)));
        reply
    }

    fn fault_reply(&self, status: u16) -> Reply {
        let refusal = match status {
            502..=504 => return Reply::html(status, format!("<html><body><h1>{status} Service Unavailable</h1></body></html>")),
            408 => return Reply::text(408, "Request Timeout"),
            401 => Refusal::new(401, "BadApiKey", "Invalid API key"),
            403 => Refusal::new(403, "Forbidden", "Forbidden"),
            404 => Refusal::new(404, "NotFound", "Not found"),
            409 => Refusal::new(409, "ExternalKeyConflict", "Conflict"),
            413 => Refusal::new(413, "BatchTooLarge", "Request body is larger than 4 MB"),
            429 => Refusal::new(429, "RateLimitExceeded", "Exceeded rate limit of 5.0 per second for endpoint: any, project: 1"),
            400..=499 => Refusal::new(status, "BadParams", "Bad request"),
            500..=599 => Refusal::new(status, "GenericError", "An error occurred"),
            _ => Refusal::new(status, "Success", ""),
        };
        refusal.into_reply()
    }

    fn inspect(&self, query: &Value) -> Result<Value, SandboxError> {
        view::answer(&self.options, &lock(&self.project), query)
    }

    fn reset(&self) {
        *lock(&self.project) = Project::new(&self.options);
    }
}
