//! What the platform would call its subscribers with: ids only, signed as the vendor's documents advise.
//! <https://developer.bigcommerce.com/docs/integrations/webhooks>

use base64::Engine as _;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::STORE_ID;
use crate::inspect::{digest, hex};

/// Makes the calls of one store.
pub(super) struct Caller<'a> {
    pub(super) store: &'a str,
    pub(super) client_secret: &'a str,
    pub(super) token: &'a str,
}

impl Caller<'_> {
    /// One call: its headers and its body, byte for byte.
    pub(super) fn call(&self, scope: &str, data: &Value, at_ms: i64) -> Value {
        let at_s = at_ms.div_euclid(1_000);
        let mut body =
            json!({"scope": scope, "store_id": STORE_ID, "data": data, "created_at": at_s, "producer": format!("stores/{}", self.store)});
        // As long as the platform's, and the same for the same event.
        let hash = hex(&digest(&body))[..40].to_owned();
        let id = format!("msg_{}", &hash[..24]);
        body["hash"] = hash.into();
        let body = body.to_string();
        let mut headers = json!({"content-type": "application/json", "webhook-id": id, "webhook-timestamp": at_s.to_string()});
        if !self.token.is_empty() {
            headers["x-webhook-token"] = self.token.into();
        }
        // A key of any length will do.
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.client_secret.as_bytes()) {
            mac.update(format!("{id}.{at_s}.{body}").as_bytes());
            let signature = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
            headers["webhook-signature"] = format!("v1,{signature}").into();
        }
        json!({"headers": headers, "body": body})
    }
}
