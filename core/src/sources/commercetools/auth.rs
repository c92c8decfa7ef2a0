//! Who asks, where, and with what: hosts and the OAuth 2 client credentials grant.
//!
//! <https://docs.commercetools.com/api/authorization>, <https://docs.commercetools.com/api/general-concepts#hosts>

use std::time::Duration;

use base64::Engine as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::pull::{Authorization, PullFailure, judge_status};
use crate::error::{Error, ErrorCode};
use crate::http::{Method, Reply, Request, Secret};
use crate::normalize::text;

/// What reading from the platform needs besides the project. An API client with the scopes `view_customers`, `view_orders`,
/// `view_payments`, `view_published_products`, `view_products`, `view_categories` and, for the streams of these names,
/// `view_standalone_prices`, `view_discount_codes`, `view_shopping_lists`, `view_recurring_orders` is enough, with
/// `view_order_edits` where edits are heard of; none may change anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "CommercetoolsPullConfig")]
pub struct PullConfig {
    /// Region of the project: `us-central1.gcp`, `us-east-2.aws`, `europe-west1.gcp`, `eu-central-1.aws`,
    /// `australia-southeast1.gcp`, or a newer one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// API host in place of the region's, such as a test server's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_url: Option<String>,
    /// Token host in place of the region's, without the path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_url: Option<String>,
    /// Id of the API client.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Secret,
    /// Scopes to ask for, such as `view_orders:demo`; all that the API client has unless given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Key of the store to read from, where the API client may see no more than that. Payments, stock, categories and
    /// stand-alone prices have no store and are read from the project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
    /// Minutes without a change after which an active cart counts as left alone. Without it the stream `abandoned_carts` is
    /// pulled only when named, with 60 minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abandoned_after_minutes: Option<u32>,
}

/// Hosts and headers made of the settings once.
#[derive(Debug)]
pub(super) struct Access {
    pub api: String,
    pub auth: String,
    basic: Secret,
    scopes: String,
}

/// Endpoint id of the token call.
pub(super) const TOKEN: &str = "oauth.token";

impl Access {
    /// Hosts and credentials, or which setting is missing.
    pub fn new(config: &PullConfig) -> Result<Self, Error> {
        let invalid = |path: &'static str, why: &str| Err(Error::new(ErrorCode::InvalidConfig, why).at(path));
        if config.client_id.is_empty() {
            return invalid("/pull/client_id", "pulling needs the id of an API client");
        }
        if config.client_secret.is_empty() {
            return invalid("/pull/client_secret", "pulling needs the secret of the API client");
        }
        let host = |service: &str, given: &Option<String>| match (given, &config.region) {
            (Some(url), _) => Some(url.trim_end_matches('/').to_owned()),
            (None, Some(region)) => Some(format!("https://{service}.{region}.commercetools.com")),
            (None, None) => None,
        };
        if let Some(region) = &config.region {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
            if region.is_empty() || !region.bytes().all(plain) {
                return invalid("/pull/region", "a region looks like `europe-west1.gcp`");
            }
        }
        let (Some(api), Some(auth)) = (host("api", &config.api_url), host("auth", &config.auth_url)) else {
            return invalid("/pull/region", "pulling needs `region`, or both `api_url` and `auth_url`");
        };
        let pair = format!("{}:{}", config.client_id, config.client_secret.expose());
        let basic = Secret::new(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)));
        Ok(Access { api, auth, basic, scopes: config.scopes.join(" ") })
    }

    pub fn token_request(&self) -> Request {
        let mut body = "grant_type=client_credentials".to_owned();
        if !self.scopes.is_empty() {
            body.push_str("&scope=");
            text::encode(&self.scopes, &mut body);
        }
        Request {
            endpoint: TOKEN.into(),
            method: Method::Post,
            path: "/oauth/token".to_owned(),
            headers: vec![("content-type", "application/x-www-form-urlencoded".to_owned()), ("accept", "application/json".to_owned())],
            secret_headers: vec![("authorization", self.basic.clone())],
            body: Some(body.into_bytes()),
        }
    }

    pub fn read_token(reply: &Reply) -> Result<Authorization, PullFailure> {
        #[derive(Deserialize)]
        struct Token {
            access_token: String,
            expires_in: Option<u64>,
        }
        #[derive(Deserialize)]
        struct Refused {
            #[serde(default)]
            error: String,
        }
        if matches!(reply.status, 400..=403) {
            let word = serde_json::from_slice::<Refused>(&reply.body).map(|refused| refused.error).unwrap_or_default();
            return Err(PullFailure::Stop(match word.as_str() {
                "invalid_scope" | "insufficient_scope" => {
                    Error::new(ErrorCode::Forbidden, "the API client does not have the scopes that `pull.scopes` asks for")
                }
                _ => Error::new(ErrorCode::Unauthorized, "the shop does not know this API client; check its id, its secret and the region"),
            }));
        }
        judge_status(reply)?;
        let unreadable = || PullFailure::Retry {
            error: Error::new(ErrorCode::Unavailable, "the shop's answer to the token call cannot be read"),
            throttled: false,
        };
        let token: Token = serde_json::from_slice(&reply.body).map_err(|_| unreadable())?;
        if token.access_token.is_empty() {
            return Err(unreadable());
        }
        Ok(Authorization {
            header: "authorization",
            value: Secret::new(format!("Bearer {}", token.access_token)),
            expires_in: token.expires_in.map(Duration::from_secs),
        })
    }
}
