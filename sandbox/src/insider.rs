//! Insider: users rejected inside of HTTP 200, identifiers that count only when switched on, arrays that grow, events that
//! vanish when they are old, lists of unsubscriptions apart from the flags, a catalog with sixty calls a minute.
//!
//! Rules come from <https://academy.insiderone.com>; where they leave a choice open, the server makes the one that does more
//! harm, and the README of this crate names it. All hosts of the platform are served at one address: their paths differ.

mod account;
mod catalog;
mod contact;
mod identity;
mod options;
mod upsert;
mod view;

use std::sync::Mutex;

use hyper::Method;
use serde_json::{Value, json};

use self::account::Account;
pub(crate) use self::options::Options;
use crate::vendor::{Reply, Request, Vendor};
use crate::{SandboxError, lock};

/// The error text of the server names this number.
const MOST_BODY: usize = 5_000_000;

/// One account at Insider.
pub(crate) struct Insider {
    options: Options,
    account: Mutex<Account>,
}

/// One request on its way through a handler.
struct Call<'a> {
    options: &'a Options,
    account: &'a mut Account,
    body: &'a Value,
    now_ms: i64,
    half_failed: bool,
}

/// Which key a call wants, and how its host says no.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Ucd,
    Unsubscribe,
    Resubscribe,
    Catalog,
}

/// One endpoint.
struct Route {
    method: Method,
    path: &'static str,
    key: Key,
    /// Calls with the same word share a budget of so many a minute.
    budget: (&'static str, f64),
    run: fn(&mut Call<'_>) -> Reply,
}

fn route(request: &Request) -> Option<Route> {
    let post = |path, key, budget, run| Route { method: Method::POST, path, key, budget, run };
    let upserts = ("upsert", 25_000.0);
    let (contact, catalog) = (("contact", 600.0), ("catalog", 60.0));
    let routes = [
        post("/api/user/v1/upsert", Key::Ucd, upserts, upsert::upsert),
        post("/api/user/v1/attribute/delete", Key::Ucd, upserts, upsert::delete_attributes),
        Route { method: Method::PATCH, ..post("/api/user/v1/identity", Key::Ucd, ("identity", 2_000.0), identity::change) },
        Route { method: Method::DELETE, ..post("/api/user/v1/identity", Key::Ucd, ("identity.delete", 1_000.0), identity::remove) },
        post("/api/user/v1/profile", Key::Ucd, ("profile", 1_000.0), identity::read),
        post("/api/user/v1/delete", Key::Ucd, ("delete", 10_000.0), identity::delete),
        post("/api/user/v1/anonymize", Key::Ucd, ("anonymize", 500.0), identity::anonymize),
        post("/email/v2/unsubscribe", Key::Unsubscribe, contact, contact::leave_email),
        post("/sms/v2/unsubscribe", Key::Unsubscribe, contact, contact::leave_sms),
        post("/whatsapp/v2/unsubscribe", Key::Unsubscribe, contact, contact::leave_whatsapp),
        post("/email/v2/subscribe", Key::Resubscribe, contact, contact::join_email),
        post("/sms/v2/subscribe", Key::Resubscribe, contact, contact::join_sms),
        post("/whatsapp/v2/subscribe", Key::Resubscribe, contact, contact::join_whatsapp),
        post("/v2/ingest", Key::Catalog, catalog, catalog::ingest),
        post("/v2/update", Key::Catalog, catalog, catalog::update),
    ];
    routes.into_iter().find(|route| route.method == request.method && route.path == request.path)
}

fn error(status: u16, text: &str) -> Reply {
    Reply::json(status, &json!({"error": text}))
}

impl Insider {
    pub(crate) fn new(options: Options) -> Result<Self, SandboxError> {
        options.check()?;
        Ok(Self { options, account: Mutex::new(Account::default()) })
    }

    fn refusal_of_key(&self, route: &Route, request: &Request) -> Option<Reply> {
        let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let options = &self.options;
        let key = match route.key {
            Key::Ucd => &options.token,
            Key::Unsubscribe => &options.unsubscribe_token,
            Key::Resubscribe => &options.resubscribe_token,
            Key::Catalog => &options.catalog_token,
        };
        if header("x-partner-name") == options.partner && header("x-request-token") == key {
            return None;
        }
        Some(match route.key {
            Key::Ucd => error(403, "forbidden"),
            Key::Unsubscribe | Key::Resubscribe => Reply::json(401, &json!({"statusMessage": "Unauthorized"})),
            Key::Catalog => Reply::json(401, &json!({"success": false, "message": "Unauthorized"})),
        })
    }

    fn answer(&self, route: &Route, request: &Request) -> Reply {
        if let Some(refusal) = self.refusal_of_key(route, request) {
            return refusal;
        }
        if let Some(most) = self.options.rate_limits.of(route.budget.1)
            && !lock(&self.account).admit(route.budget.0, most, request.now_ms)
        {
            return self.fault_reply(429);
        }
        let json = request
            .headers
            .get("content-type")
            .and_then(|kind| kind.to_str().ok())
            .is_some_and(|kind| kind.starts_with("application/json"));
        if !json {
            return error(400, "content type must be application/json");
        }
        if request.body.len() > MOST_BODY {
            return match route.key {
                Key::Catalog => Reply::json(400, &json!({"success": false, "message": "Maximum allowed request size is exceeded."})),
                _ => error(400, "request body is bigger than maximum allowed size 5,000,000 bytes"),
            };
        }
        let Ok(body) = serde_json::from_slice::<Value>(&request.body) else { return error(400, "malformed json: bad request") };
        let mut account = lock(&self.account);
        let (options, account) = (&self.options, &mut *account);
        (route.run)(&mut Call { options, account, body: &body, now_ms: request.now_ms, half_failed: request.half_failed })
    }
}

impl Vendor for Insider {
    fn name(&self) -> &'static str {
        "insider"
    }

    fn handle(&self, request: &Request) -> Reply {
        let Some(route) = route(request) else { return error(404, "not found") };
        let reply = self.answer(&route, request);
        let mut account = lock(&self.account);
        account.counts.entry(format!("{} {}", route.method, route.path)).or_default().add(reply.status);
        reply
    }

    fn fault_reply(&self, status: u16) -> Reply {
        match status {
            403 => error(403, "forbidden"),
            401 => Reply::json(401, &json!({"statusMessage": "Unauthorized"})),
            429 => error(429, "rejected: too many requests"),
            502..=504 | 520 => Reply::html(status, format!("<html><body><h1>{status}</h1></body></html>")),
            400..=499 => error(status, "bad request"),
            500..=599 => error(status, "internal server error"),
            _ => Reply::json(status, &json!({})),
        }
    }

    fn inspect(&self, query: &Value) -> Result<Value, SandboxError> {
        view::answer(&self.options, &lock(&self.account), query)
    }

    fn reset(&self) {
        *lock(&self.account) = Account::default();
    }
}
