//! Replies in the vendor's shapes.

use serde_json::{Value, json};

use crate::vendor::Reply;

/// A call that is turned down.
#[derive(Debug)]
pub(super) struct Refusal {
    status: u16,
    /// None for a reply without a body.
    body: Option<Value>,
    headers: Vec<(&'static str, String)>,
}

impl Refusal {
    /// `{errorCode, description}`, or `{message}` of the older calls, which end their text with the code.
    pub(super) fn new(status: u16, v3: bool, code: &str, description: &str) -> Self {
        let body = if v3 {
            json!({"errorCode": code, "description": description})
        } else {
            json!({"message": format!("Error: {description} {code}")})
        };
        Self { status, body: Some(body), headers: Vec::new() }
    }

    pub(super) fn v3(status: u16, code: &str, description: &str) -> Self {
        Self::new(status, true, code, description)
    }

    pub(super) fn v2(status: u16, code: &str, description: &str) -> Self {
        Self::new(status, false, code, description)
    }

    pub(super) fn empty(status: u16) -> Self {
        Self { status, body: None, headers: Vec::new() }
    }

    /// With the thing the error is about.
    pub(super) fn about(mut self, item: &str, description: &str) -> Self {
        if let Some(body) = &mut self.body {
            body["details"] = json!([{"item": item, "description": description}]);
        }
        self
    }

    pub(super) fn with_headers(self, headers: Vec<(&'static str, String)>) -> Self {
        Self { headers, ..self }
    }

    pub(super) fn into_reply(self) -> Reply {
        let mut reply = match &self.body {
            Some(body) => Reply::json(self.status, body),
            None => Reply::text(self.status, ""),
        };
        reply.headers.extend(self.headers);
        reply
    }
}

/// A reply without a body.
pub(super) fn nothing(status: u16) -> Reply {
    Reply::text(status, "")
}
