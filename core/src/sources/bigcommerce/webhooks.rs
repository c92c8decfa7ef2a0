//! Webhooks: what each scope means, and whether a call really comes from the platform.
//! <https://developer.bigcommerce.com/docs/integrations/webhooks>
//!
//! A webhook carries ids only, so nearly every one is a fetch; what is gone is told at once, because there is nothing left to
//! fetch. The same call may come several times, in any order, up to two days late.

use base64::Engine as _;
use hmac::{Hmac, KeyInit, Mac};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::map::{About, Row};
use super::wire::events::{Hook, Ids};
use crate::error::{Error, ErrorCode};
use crate::fingerprint::idempotency_key;
use crate::http::Secret;
use crate::model::{Body, CategoryDeleted, ContactDeleted, Identity, Instant, Market, ProductDeleted};
use crate::sources::Delivery;
use crate::sources::rows::{Failure, parse};

/// How calls are known to come from the platform.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "BigcommerceWebhookScheme")]
pub enum WebhookScheme {
    /// Everything that is configured and present must be right, and at least one of `token` and a signature must be there.
    #[default]
    Auto,
    /// `token` in the header `token_header`, which the hook was made with (`headers` of `POST /v3/hooks`).
    Header,
    /// [Standard Webhooks](https://github.com/standard-webhooks/standard-webhooks): `webhook-id`, `webhook-timestamp`,
    /// `webhook-signature`, keyed with `client_secret`.
    Standard,
    /// HMAC-SHA256 of the body in the header `signature_header`, base64 or hexadecimal, keyed with `client_secret`.
    Body,
}

/// How webhooks are verified. The platform's documents and its partners' disagree on signatures, so the scheme is a setting;
/// a token of one's own in a header works with every account.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "BigcommerceWebhookConfig")]
pub struct WebhookConfig {
    /// The scheme. Default: `auto`.
    pub scheme: WebhookScheme,
    /// Header that carries `token`. Default: `x-webhook-token`.
    pub token_header: String,
    /// The value that header was given when the hook was made.
    #[serde(skip_serializing_if = "Secret::is_empty")]
    pub token: Secret,
    /// Client secret of the API account: the key of signatures.
    #[serde(skip_serializing_if = "Secret::is_empty")]
    pub client_secret: Secret,
    /// Header of the `body` scheme. Default: `x-bc-signature`.
    pub signature_header: String,
    /// Seconds that the time of a Standard Webhooks signature may be off, either way. Default: 300.
    pub tolerance_s: u32,
    /// Seconds that the event itself (`created_at`) may be old, because calls that failed are repeated for two days.
    /// Default: 259200, three days; 0 for no limit.
    pub max_age_s: u32,
}

impl Default for WebhookConfig {
    fn default() -> Self {
        WebhookConfig {
            scheme: WebhookScheme::Auto,
            token_header: "x-webhook-token".to_owned(),
            token: Secret::default(),
            client_secret: Secret::default(),
            signature_header: "x-bc-signature".to_owned(),
            tolerance_s: 300,
            max_age_s: 259_200,
        }
    }
}

impl WebhookConfig {
    pub(super) fn check(&self) -> Result<(), Error> {
        let missing =
            |name: &str| Err(Error::new(ErrorCode::InvalidConfig, format!("the scheme needs `{name}`")).at(format!("/webhooks/{name}")));
        match self.scheme {
            WebhookScheme::Header if self.token.is_empty() => missing("token"),
            WebhookScheme::Standard | WebhookScheme::Body if self.client_secret.is_empty() => missing("client_secret"),
            _ => Ok(()),
        }
    }
}

/// Checks that a call comes from the platform and is not an old one played again. Secrets and signatures are compared in
/// constant time. `headers` in any case; `now` is the receiver's clock.
///
/// # Errors
/// `signature_mismatch` when the proof is missing or wrong, or nothing is configured to prove it with; `signature_expired`
/// when it is right but too old.
pub fn verify(body: &[u8], headers: &[(&str, &str)], config: &WebhookConfig, now: Instant) -> Result<(), Error> {
    let header = |name: &str| headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
    // Their hashes are compared, because a comparison of texts tells by its time how long the secret is.
    let token = |given: &str| same(&Sha256::digest(given), &Sha256::digest(config.token.expose()));
    let standard_is_there = header("webhook-signature").is_some();
    match config.scheme {
        WebhookScheme::Header => proven(!config.token.is_empty() && header(&config.token_header).is_some_and(token))?,
        WebhookScheme::Standard => standard(body, &header, config, now)?,
        WebhookScheme::Body => proven(header(&config.signature_header).is_some_and(|given| of_body(body, given, config)))?,
        WebhookScheme::Auto => {
            let mut proofs = 0;
            if !config.token.is_empty() {
                proven(header(&config.token_header).is_some_and(token))?;
                proofs += 1;
            }
            if !config.client_secret.is_empty() && standard_is_there {
                standard(body, &header, config, now)?;
                proofs += 1;
            }
            if let Some(given) = header(&config.signature_header).filter(|_| !config.client_secret.is_empty()) {
                proven(of_body(body, given, config))?;
                proofs += 1;
            }
            proven(proofs > 0)?;
        }
    }
    if config.max_age_s > 0 {
        let limit = i64::from(config.max_age_s);
        for hook in hooks(body) {
            if hook.created_at.0.is_some_and(|at| now.signed_duration_since(at).num_seconds() > limit) {
                return Err(Error::new(ErrorCode::SignatureExpired, "the event is older than `max_age_s`"));
            }
        }
    }
    Ok(())
}

fn proven(is: bool) -> Result<(), Error> {
    if is { Ok(()) } else { Err(Error::new(ErrorCode::SignatureMismatch, "the call does not prove that it comes from the platform")) }
}

fn same(given: &[u8], expected: &[u8]) -> bool {
    given.ct_eq(expected).into()
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Option<Vec<u8>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    for part in parts {
        mac.update(part);
    }
    Some(mac.finalize().into_bytes().to_vec())
}

fn standard<'h>(body: &[u8], header: &dyn Fn(&str) -> Option<&'h str>, config: &WebhookConfig, now: Instant) -> Result<(), Error> {
    let (Some(id), Some(time), Some(given)) = (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature")) else {
        return proven(false);
    };
    let Some(expected) = hmac(config.client_secret.expose().as_bytes(), &[id.as_bytes(), b".", time.as_bytes(), b".", body]) else {
        return proven(false);
    };
    // Several signatures while a secret is being changed; all are compared, so that the time does not tell which one fits.
    let mut found = false;
    for one in given.split(' ').filter_map(|one| one.strip_prefix("v1,")) {
        let signature = base64::engine::general_purpose::STANDARD.decode(one).unwrap_or_default();
        found |= same(&signature, &expected);
    }
    proven(found)?;
    let sent: i64 = time.parse().map_err(|_| Error::new(ErrorCode::SignatureMismatch, "the time of the signature is no number"))?;
    if now.timestamp().abs_diff(sent) > u64::from(config.tolerance_s) {
        return Err(Error::new(ErrorCode::SignatureExpired, "the signature was made too long ago, or is of the future"));
    }
    Ok(())
}

fn of_body(body: &[u8], given: &str, config: &WebhookConfig) -> bool {
    let Some(expected) = hmac(config.client_secret.expose().as_bytes(), &[body]) else { return false };
    let given = given.trim();
    let base64 = base64::engine::general_purpose::STANDARD.decode(given).unwrap_or_default();
    let hex = crate::fingerprint::hex(&expected);
    same(&base64, &expected) | same(given.to_ascii_lowercase().as_bytes(), hex.as_bytes())
}

/// The webhooks in a body: one, or a list of them. What cannot be read is left to decoding.
fn hooks(body: &[u8]) -> Vec<Hook<'_>> {
    let Ok(text) = std::str::from_utf8(body) else { return Vec::new() };
    match text.trim_start().starts_with('[') {
        true => serde_json::from_str(text).unwrap_or_default(),
        false => serde_json::from_str(text).map(|one| vec![one]).unwrap_or_default(),
    }
}

/// One key per webhook in the body, made of its scope, hash and time: the same key again is the same delivery again. Never of
/// the hash alone, which several scopes of one change may share, nor without the time: whether the hash differs between two
/// changes of one thing is not documented, and a change must not be taken for a repetition; not even one of the same second,
/// which is why the time is told besides. None at all where the body holds
/// something else besides, or a webhook without a hash.
#[must_use]
pub fn delivery_keys(body: &[u8]) -> Vec<Delivery> {
    let keys = hooks(body).into_iter().map(|hook| {
        let store = store_of(&hook).unwrap_or(&hook.store_id).to_owned();
        let at = hook.created_at.0?;
        let second = at.timestamp().to_string();
        let is_hook = !hook.scope.is_empty() && !hook.hash.is_empty();
        let key = || idempotency_key(&["bigcommerce", &store, "webhook", &hook.scope, &hook.hash, &second]);
        is_hook.then(|| Delivery { key: key(), told_at: Some(at) })
    });
    keys.collect::<Option<Vec<_>>>().unwrap_or_default()
}

/// The store that a webhook is of: `producer` names its hash, `store_id` is another number.
fn store_of<'h>(hook: &'h Hook<'_>) -> Option<&'h str> {
    let hash = hook.producer.strip_prefix("stores/")?;
    (!hash.is_empty() && hash.bytes().all(|byte| byte.is_ascii_alphanumeric())).then_some(hash)
}

/// What a webhook ends as.
enum Ends<'a> {
    Fetch(&'static str, Option<&'a str>),
    ContactDeleted,
    ProductDeleted,
    CategoryDeleted,
    Ignore,
    Unknown,
}

impl Row<'_, '_> {
    /// Reads one thing that a webhook is about.
    pub(super) fn hooked(&mut self, hook: &Hook<'_>, data: &Ids<'_>) -> Result<(), Failure> {
        let scope = &*hook.scope;
        match ends(scope, data) {
            Ends::Fetch(kind, Some(id)) => self.fetch(kind, id, scope),
            Ends::Fetch(..) => return Err(Failure::malformed("/data", "the webhook does not name what it is about")),
            Ends::Ignore => self.ignore(scope, true),
            Ends::Unknown => self.ignore(scope, false),
            gone => {
                let Some(id) = data.id.id().or(data.category_id.id()) else {
                    return Err(Failure::malformed("/data/id", "missing field `id`"));
                };
                let (kind, identity, body) = match gone {
                    Ends::ContactDeleted => {
                        let identity = Identity { customer_id: Some(id.to_owned()), ..Identity::default() };
                        ("customer", identity, Body::ContactDeleted(ContactDeleted { erase: false }))
                    }
                    Ends::ProductDeleted => {
                        let body = ProductDeleted { id: id.to_owned(), variants: Vec::new() };
                        ("product", Identity::default(), Body::ProductDeleted(body))
                    }
                    _ => ("category", Identity::default(), Body::CategoryDeleted(CategoryDeleted { id: id.to_owned() })),
                };
                let about = About {
                    kind,
                    id,
                    version: None,
                    occurred_at: hook.created_at.0,
                    market: Market::default(),
                    identity,
                    fact: &["deleted"],
                };
                self.emit(about, body, Vec::new());
            }
        }
        Ok(())
    }
}

fn ends<'a>(scope: &str, data: &'a Ids<'_>) -> Ends<'a> {
    let parts: Vec<&str> = scope.split('/').collect();
    let ["store", rest @ ..] = parts.as_slice() else { return Ends::Unknown };
    // `store/channel/{id}/…` doubles the scopes below it; its ids have other names.
    let rest = match rest {
        ["channel", id, inner @ ..] if !inner.is_empty() && (*id == "*" || id.bytes().all(|byte| byte.is_ascii_digit())) => inner,
        rest => rest,
    };
    let id = data.id.id();
    let order = || data.order().or(id);
    let product = || {
        let of = [data.sku.product_id.id(), data.inventory.product_id.id(), data.product_id.id()];
        of.into_iter().flatten().next()
    };
    match rest {
        [.., "metafield", _] => metafield(rest, data),
        ["order", "message", _] => Ends::Ignore,
        ["order", "transaction", _] => Ends::Fetch("order", data.order()),
        ["order", "created" | "updated" | "statusUpdated" | "archived"] | ["order", "refund", "created"] => Ends::Fetch("order", order()),
        ["shipment", "created" | "updated" | "deleted"] => Ends::Fetch("order", data.order()),
        // A cart without its sums is no cart, and one that became an order is told of by the order.
        ["cart", "deleted"] => Ends::Ignore,
        ["cart", "converted"] => Ends::Fetch("order", data.order()),
        ["cart", "created" | "updated" | "couponApplied" | "abandoned"] => Ends::Fetch("cart", data.cart().or(id)),
        ["cart", "lineItem" | "lineItems", _] => Ends::Fetch("cart", data.cart()),
        ["customer", "deleted"] => Ends::ContactDeleted,
        ["customer", "created" | "updated"] => Ends::Fetch("customer", data.customer_id.id().or(id)),
        ["customer", "address", _] => Ends::Fetch("customer", data.address.customer_id.id()),
        ["customer", "channel", "login", "access", "updated"] => Ends::Fetch("customer", data.customer_id.id()),
        ["customer", "payment", ..] => Ends::Ignore,
        ["subscriber", "created" | "updated"] => Ends::Fetch("subscriber", id),
        // Only an id is left, and a row that is gone says neither yes nor no.
        ["subscriber", "deleted"] => Ends::Ignore,
        ["product", "deleted"] => Ends::ProductDeleted,
        ["product", "created" | "updated"] => Ends::Fetch("product", data.product_id.id().or(id)),
        ["product", "assigned" | "unassigned"] => Ends::Fetch("product", data.product_id.id()),
        ["product", "inventory", ..] => Ends::Fetch("product", product().or(id)),
        ["sku", ..] | ["inventory", "product", _] => match product() {
            Some(product) => Ends::Fetch("product", Some(product)),
            None => Ends::Fetch("variant", data.variant_id.id()),
        },
        ["category", "deleted"] => Ends::CategoryDeleted,
        ["category", "product", "assigned" | "unassigned"] if product().is_some() => Ends::Fetch("product", product()),
        ["category", "created" | "updated"] | ["category", "product", _] => Ends::Fetch("category", data.category_id.id().or(id)),
        ["categoryTree", "updated"] => Ends::Fetch("category-tree", data.tree_id.id().or(id)),
        ["priceList", "record" | "records", _] => Ends::Fetch("variant", data.variant_id.id()),
        ["priceList", "created" | "updated" | "deleted" | "assignment", ..] | ["priceLists", "deleted"] => Ends::Ignore,
        ["information", "updated"] | ["app", "uninstalled"] | ["hook", "deliveryException"] => Ends::Ignore,
        ["channel", "created" | "updated"] | ["company" | "inventory" | "brand" | "location" | "script" | "theme", ..] => Ends::Ignore,
        _ => Ends::Unknown,
    }
}

fn metafield<'a>(rest: &[&str], data: &'a Ids<'_>) -> Ends<'a> {
    let of = if rest.len() == 2 { &*data.resource_type } else { rest[0] };
    let kind = match of {
        "order" => "order",
        "customer" => "customer",
        "product" => "product",
        _ => return Ends::Ignore,
    };
    Ends::Fetch(kind, data.resource_id.id())
}

/// The things a webhook is about: one, or each of a list.
pub(super) fn about<'a>(hook: &Hook<'a>) -> Result<Vec<Ids<'a>>, Failure> {
    let Some(raw) = hook.data.map(RawValue::get) else { return Ok(vec![Ids::default()]) };
    let below = |failure: Failure| failure.below("/data");
    if raw.starts_with('[') {
        let (list, _) = parse::<Vec<Ids<'a>>>(raw).map_err(below)?;
        return Ok(if list.is_empty() { vec![Ids::default()] } else { list });
    }
    let (one, _) = parse::<Ids<'a>>(raw).map_err(below)?;
    Ok(vec![one])
}

/// The store of a webhook that names it, for the tenant.
pub(super) fn tenant<'h>(hook: &'h Hook<'_>, configured: &'h str) -> &'h str {
    store_of(hook).unwrap_or(configured)
}
