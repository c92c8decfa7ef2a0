//! Replies in the vendor's shapes.

use serde_json::{Value, json};

use crate::vendor::Reply;

/// A call that is turned down.
#[derive(Debug)]
pub(super) struct Refusal {
    status: u16,
    code: &'static str,
    msg: String,
    params: Value,
    /// The shape of newer services, which name a code of their own and its arguments.
    newer: bool,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &'static str, msg: impl Into<String>) -> Self {
        Self { status, code, msg: msg.into(), params: Value::Null, newer: false }
    }

    pub(super) fn bad_params(msg: impl Into<String>) -> Self {
        Self::new(400, "BadParams", msg)
    }

    pub(super) fn with(self, params: Value) -> Self {
        Self { params, ..self }
    }

    /// `{error, message, code, data}` instead of `{code, msg, params}`.
    pub(super) fn newer(status: u16, code: &'static str, msg: impl Into<String>, args: Value) -> Self {
        Self { newer: true, ..Self::new(status, code, msg) }.with(args)
    }

    pub(super) fn into_reply(self) -> Reply {
        let body = if self.newer {
            json!({"error": self.code, "message": self.msg, "code": self.code, "data": {"args": self.params}})
        } else {
            json!({"code": self.code, "msg": self.msg, "params": self.params})
        };
        Reply::json(self.status, &body)
    }
}

/// `{code: "Success", msg, params}`.
pub(super) fn success(status: u16, msg: impl Into<String>, params: Value) -> Reply {
    Reply::json(status, &json!({"msg": msg.into(), "code": "Success", "params": params}))
}
