//! Cordial: contacts that must exist, attributes told apart by case, quiet switches with four different defaults, an import that
//! subscribes people unless told not to, jobs that count and name nothing.
//!
//! Rules come from <https://api.cordial.io/docs/v2/api-docs.php> and <https://support.cordial.com>; where they leave a choice open
//! the README of this crate names the choice made here.

mod account;
mod async_api;
mod contacts;
mod imports;
mod options;
mod records;
mod schema;
mod view;

use std::sync::Mutex;

use hyper::Method;
use hyper::header::HeaderValue;
use serde_json::{Value, json};

use self::account::Account;
pub(crate) use self::options::Options;
use crate::limits::Rate;
use crate::vendor::{Reply, Request, Vendor};
use crate::{SandboxError, lock};

/// One account at Cordial.
pub(crate) struct Cordial {
    options: Options,
    account: Mutex<Account>,
}

/// One request on its way through a handler.
struct Call<'a> {
    options: &'a Options,
    account: &'a mut Account,
    request: &'a Request,
    body: Value,
    now_ms: i64,
}

/// A call that is turned down.
#[derive(Debug)]
struct Refusal {
    status: u16,
    body: Value,
}

impl Refusal {
    fn new(status: u16, key: &str, message: &str) -> Self {
        Self { status, body: json!({"error": true, "errorKey": key, "message": message, "messages": {"error": [message]}}) }
    }

    fn generic(status: u16, message: &str) -> Self {
        Self::new(status, "GENERIC_ERROR_KEY", message)
    }

    fn not_found() -> Self {
        Self { status: 404, body: json!({"error": true, "errorKey": "RECORD_NOT_FOUND", "message": "record not found"}) }
    }

    /// Several texts under the names of fields.
    fn validation(status: u16, field: &str, message: &str) -> Self {
        let body = json!({"error": true, "errorKey": "GENERIC_ERROR_KEY", "message": message,
            "messages": {"validationErrors": {field: [message]}}});
        Self { status, body }
    }

    fn nobody() -> Self {
        Self::generic(422, "Contact doesn't exist")
    }
}

type Answer = Result<Reply, Refusal>;

fn done() -> Reply {
    Reply::json(200, &json!({"success": true}))
}

impl Cordial {
    pub(crate) fn new(options: Options) -> Result<Self, SandboxError> {
        options.check()?;
        let account = Mutex::new(Account::new(&options));
        Ok(Self { options, account })
    }

    fn authorised(&self, request: &Request) -> bool {
        let key = self.options.api_key.as_bytes();
        let wanted = format!("Basic {}", base64(&[key, b":"].concat()));
        let basic = request.headers.get("authorization").is_some_and(|value: &HeaderValue| value.as_bytes() == wanted.as_bytes());
        let header = request.headers.get("x-api-key").is_some_and(|value: &HeaderValue| value.as_bytes() == key);
        if request.path.starts_with("/api/") { header } else { basic }
    }

    fn answer(&self, request: &Request) -> (String, Answer) {
        let segments = request.segments();
        let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
        let name = route_name(&request.method, &parts);
        // Where files are laid is not Cordial's and knows other keys.
        if let ["files", file] = parts.as_slice() {
            return (name, self.lay(file, request));
        }
        if !self.authorised(request) {
            let body = json!({"error": "Access Denied: Authentication Failure"});
            return (name, Err(Refusal { status: 401, body }));
        }
        if let Some(per_minute) = self.options.rate_limits.per_minute() {
            let key = limit_key(&request.method, parts.get(1).copied().unwrap_or_default());
            if !lock(&self.account).limiter.admit(key, Rate::per_minute(per_minute), request.now_ms) {
                return (name, Err(Refusal::generic(429, "Too Many Requests")));
            }
        }
        let body = if request.body.is_empty() {
            Value::Null
        } else {
            match serde_json::from_slice(&request.body) {
                Ok(body) => body,
                Err(_) => return (name, Err(Refusal::new(400, "INVALID_JSON_PROVIDED", "Invalid JSON provided"))),
            }
        };
        let json = request.headers.get("content-type").is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
        if !request.body.is_empty() && !json {
            return (name, Err(Refusal::new(415, "UNSUPPORTED_MEDIA_TYPE", "Media type is incorrect")));
        }
        let mut account = lock(&self.account);
        let mut call = Call { options: &self.options, account: &mut account, request, body, now_ms: request.now_ms };
        (name, call.route(&parts))
    }

    fn lay(&self, file: &str, request: &Request) -> Answer {
        if request.method != Method::PUT {
            return Err(Refusal::not_found());
        }
        lock(&self.account).files.insert(file.to_owned(), request.body.to_vec());
        Ok(Reply::text(201, ""))
    }
}

impl Call<'_> {
    fn route(&mut self, parts: &[&str]) -> Answer {
        match (self.request.method.as_str(), parts) {
            ("POST", ["v2", "contacts"]) => self.contact_post(),
            ("POST", ["v2", "contacts", "merge"]) => self.contact_merge(),
            ("GET", ["v2", "contacts", key]) => self.contact_get(key),
            ("PUT", ["v2", "contacts", key]) => self.contact_put(key),
            ("DELETE", ["v2", "contacts", key]) => self.contact_delete(key),
            ("PUT", ["v2", "contacts", key, "unsubscribe", channel]) => self.contact_unsubscribe(key, channel),
            ("POST" | "PUT", ["v2", "contacts", key, "cart"]) => self.cart_set(key),
            ("DELETE", ["v2", "contacts", key, "cart"]) => self.cart_clear(key),
            ("POST", ["v2", "contactactivities"]) => self.event_post(),
            ("GET", ["v2", "contactactivities"]) => self.events_get(),
            ("POST", ["v2", "orders"]) => self.order_post(),
            ("GET", ["v2", "orders", id]) => self.order_get(id),
            ("PUT", ["v2", "orders", id]) => self.order_put(id),
            ("POST", ["v2", "products"]) => self.product_post(),
            ("GET", ["v2", "products", id]) => self.product_get(id),
            ("DELETE", ["v2", "products", id]) => self.product_delete(id),
            ("POST", ["v2", "supplements", key, "records"]) => self.record_post(key),
            ("GET", ["v2", "supplements", key, "records", id]) => self.record_get(key, id),
            ("DELETE", ["v2", "supplements", key, "records", id]) => self.record_delete(key, id),
            ("GET", ["v2", "accountcontactattributes"]) => self.attributes_get(),
            ("POST", ["v2", "accountcontactattributes"]) => self.attribute_post(),
            ("GET", ["v2", "accountlists"]) => self.lists_get(),
            ("POST", ["v2", "accountlists"]) => self.list_post(),
            ("POST", ["v2", "contactimports" | "ordersimport" | "productimports"]) => self.import_post(parts[1], None),
            ("POST", ["v2", "supplements", key, "imports"]) => self.import_post("supplements", Some(key)),
            ("GET", ["v2", "jobs", id]) => self.job_get(id),
            ("POST", ["api", "upsertContact"]) => self.async_contact(),
            ("POST", ["api", "createContactactivities"]) => self.async_event(),
            _ => Err(Refusal { status: 404, body: json!({"error": "Route not found"}) }),
        }
    }
}

/// Method and path without what varies, for counting.
fn route_name(method: &Method, parts: &[&str]) -> String {
    let fixed = |(at, part): (usize, &&str)| match (at, parts.get(1).copied().unwrap_or_default()) {
        (0 | 1, _) => (*part).to_owned(),
        (2, "contacts") if matches!(*part, "merge") => (*part).to_owned(),
        (3.., "contacts") if matches!(*part, "cart" | "unsubscribe") => (*part).to_owned(),
        (3, "supplements") => (*part).to_owned(),
        _ => "*".to_owned(),
    };
    let path: Vec<String> = if parts.first() == Some(&"files") {
        vec!["files".to_owned(), "*".to_owned()]
    } else {
        parts.iter().enumerate().map(fixed).collect()
    };
    format!("{method} /{}", path.join("/"))
}

/// Limits count per method and kind of record.
fn limit_key(method: &Method, kind: &str) -> &'static str {
    match (method.as_str(), kind) {
        ("POST", "contacts") => "POST contacts",
        ("PUT", "contacts") => "PUT contacts",
        ("GET", "contacts") => "GET contacts",
        ("POST", "orders") => "POST orders",
        ("PUT", "orders") => "PUT orders",
        ("GET", "orders") => "GET orders",
        ("POST", "contactactivities") => "POST contactactivities",
        ("POST", "products") => "POST products",
        ("POST", "supplements") => "POST supplements",
        ("GET", _) => "GET other",
        ("DELETE", _) => "DELETE any",
        _ => "other",
    }
}

/// Standard alphabet with padding; a sandbox needs no crate for one header.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word = u32::from(chunk[0]) << 16 | u32::from(*chunk.get(1).unwrap_or(&0)) << 8 | u32::from(*chunk.get(2).unwrap_or(&0));
        for place in 0..4 {
            let digit = ALPHABET[(word >> (18 - 6 * place) & 63) as usize];
            out.push(if place > chunk.len() { '=' } else { char::from(digit) });
        }
    }
    out
}

impl Vendor for Cordial {
    fn name(&self) -> &'static str {
        "cordial"
    }

    fn handle(&self, request: &Request) -> Reply {
        let (name, answer) = self.answer(request);
        let mut reply = answer.unwrap_or_else(|refusal| Reply::json(refusal.status, &refusal.body));
        if reply.status == 429 {
            let limit = self.options.rate_limits.per_minute().unwrap_or_default();
            for (name, value) in [
                ("x-rate-limit-limit", limit.to_string()),
                ("x-rate-limit-remaining", "0".to_owned()),
                ("x-rate-limit-reset", "1".to_owned()),
                ("retry-after", "1".to_owned()),
            ] {
                reply.headers.push((name, value));
            }
        }
        lock(&self.account).counts.entry(name).or_default().add(reply.status);
        reply
    }

    fn fault_reply(&self, status: u16) -> Reply {
        match status {
            401 => Reply::json(401, &json!({"error": "Access Denied: Authentication Failure"})),
            502..=504 => Reply::html(status, format!("<html><body><h1>{status} Service Unavailable</h1></body></html>")),
            500..=599 => Reply::json(status, &json!({"error": "an error has occurred"})),
            _ => Reply::json(status, &Refusal::generic(status, "error").body),
        }
    }

    fn inspect(&self, query: &Value) -> Result<Value, SandboxError> {
        view::answer(&lock(&self.account), query)
    }

    fn reset(&self) {
        *lock(&self.account) = Account::new(&self.options);
    }
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn a_key_is_packed_as_everybody_packs_it() {
        assert_eq!(base64(b"KEY:"), "S0VZOg==");
        assert_eq!(base64(b"abc"), "YWJj");
        assert_eq!(base64(b"ab"), "YWI=");
    }
}
