//! The seam between the server, which knows HTTP, and a vendor, which knows rules.

use bytes::Bytes;
use hyper::{HeaderMap, Method};
use serde_json::Value;

use crate::SandboxError;

/// One request, read whole.
pub(crate) struct Request {
    pub(crate) method: Method,
    /// Still percent-encoded.
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) now_ms: i64,
    /// Every second row of a bulk call is to fail.
    pub(crate) half_failed: bool,
}

impl Request {
    /// The decoded segments of the path, without the empty first one.
    pub(crate) fn segments(&self) -> Vec<String> {
        let decode = |part: &str| percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned();
        self.path.trim_start_matches('/').split('/').map(decode).collect()
    }

    /// A query parameter, decoded.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        query_pairs(&self.query).into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

/// Splits a query string, decoding `%` and `+`.
pub(crate) fn query_pairs(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pair = |part: &str| part.split_once('=').map_or_else(|| (decode(part), String::new()), |(k, v)| (decode(k), decode(v)));
    query.split('&').filter(|part| !part.is_empty()).map(pair).collect()
}

/// One reply, not yet on the wire.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self { status, content_type: "application/json", headers: Vec::new(), body: body.to_string().into() }
    }

    pub(crate) fn text(status: u16, body: impl Into<Bytes>) -> Self {
        Self { status, content_type: "text/plain; charset=utf-8", headers: Vec::new(), body: body.into() }
    }

    pub(crate) fn html(status: u16, body: impl Into<Bytes>) -> Self {
        Self { status, content_type: "text/html; charset=utf-8", headers: Vec::new(), body: body.into() }
    }
}

/// One vendor's rules and what it holds.
pub(crate) trait Vendor: Send + Sync {
    /// The name in URLs of this API, options and recordings.
    fn name(&self) -> &'static str;

    /// Does what a request asks for.
    fn handle(&self, request: &Request) -> Reply;

    /// The body this vendor would send with a status that comes out of the blue.
    fn fault_reply(&self, status: u16) -> Reply;

    /// Answers a question about what is held.
    fn inspect(&self, query: &Value) -> Result<Value, SandboxError>;

    /// Changes what is held, as people who work there would.
    fn change(&self, _spec: &Value, _now_ms: i64) -> Result<Value, SandboxError> {
        Err(SandboxError::Invalid(format!("change: nothing can be changed in `{}`", self.name())))
    }

    /// Forgets everything.
    fn reset(&self);
}
