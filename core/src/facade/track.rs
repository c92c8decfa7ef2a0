//! Storefront signals: what no shop API tells, such as that somebody looked at a product. One small object each, made into
//! a canonical event that goes the same way as all others.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::RawValue;

#[cfg(feature = "delivery")]
use crate::error::Result;
use crate::fingerprint::{idempotency_key, opaque};
use crate::model::{
    AttributeValue, Attributes, Body, CorrelationId, Envelope, Event, EventName, Finding, FindingCode, Identity, Instant, Market, Money,
    Record, ResourceRef,
};
use crate::normalize::contact::{email, phone};
use crate::sources::{DecodeContext, Decoded, DecodedRecord, Source};

/// The value of `resource` in the options that says the data are signals.
pub const SIGNAL: &str = "signal";

/// Deeper than this no property is nested.
const DEPTH: usize = 8;

/// Something a visitor did, as the storefront tells it. Names are `product_viewed`, `category_viewed`, `searched`,
/// `checkout_started`, `logged_in`, `account_created`, or your own.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    /// What happened.
    pub event: EventName,
    /// Your own id of it. The same id is the same thing, however often it is sent; without one the content and the time
    /// are, so give one or `at` where a call may be repeated.
    #[serde(default)]
    pub id: Option<String>,
    /// When; now unless given.
    #[serde(default)]
    pub at: Option<Instant>,
    /// The shop's id of the customer.
    #[serde(default)]
    pub customer_id: Option<String>,
    /// E-mail.
    #[serde(default)]
    pub email: Option<String>,
    /// Phone, international or as written in the market's country.
    #[serde(default)]
    pub phone: Option<String>,
    /// The session of somebody not signed in. With a `logged_in` or `account_created` that names the customer too, it is the
    /// session they were before.
    #[serde(default)]
    pub anonymous_id: Option<String>,
    /// Ids in other systems, by name.
    #[serde(default)]
    pub external_ids: BTreeMap<String, String>,
    /// Where: store, channel, country, locale, currency, customer group.
    #[serde(default)]
    pub market: Market,
    /// The product it is about.
    #[serde(default)]
    pub product_id: Option<String>,
    /// The variant it is about.
    #[serde(default)]
    pub variant_id: Option<String>,
    /// The SKU it is about.
    #[serde(default)]
    pub sku: Option<String>,
    /// The category it is about.
    #[serde(default)]
    pub category_id: Option<String>,
    /// The cart it is about.
    #[serde(default)]
    pub cart_id: Option<String>,
    /// What was searched for.
    #[serde(default)]
    pub query: Option<String>,
    /// What it is worth.
    #[serde(default)]
    pub value: Option<Money>,
    /// The page it happened on.
    #[serde(default)]
    pub url: Option<String>,
    /// Everything else: plain values, or typed ones such as `{"type": "date", "value": "2026-01-31"}`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub properties: BTreeMap<String, Box<RawValue>>,
}

/// Reads signals, as coming from the shop that the other data comes from: so what is known of its people, such as that one
/// was erased, counts for their signals too.
pub(super) struct Storefront {
    source: String,
    tenant: String,
}

impl Storefront {
    /// The storefront of a source's shop.
    pub fn of(source: Option<&dyn Source>) -> Self {
        match source {
            Some(source) => Storefront { source: source.name().to_owned(), tenant: source.tenant().to_owned() },
            None => Storefront { source: "storefront".to_owned(), tenant: String::new() },
        }
    }

    fn record(&self, signal: Signal, context: &DecodeContext<'_>) -> std::result::Result<(Record, Vec<Finding>), Fault> {
        let mut findings = Vec::new();
        let mut identity = Identity {
            customer_id: filled(signal.customer_id),
            anonymous_id: filled(signal.anonymous_id),
            external_ids: signal.external_ids,
            ..Identity::default()
        };
        if let Some((normal, original)) = signal.email.as_deref().and_then(email) {
            (identity.email, identity.email_original) = (Some(normal), original);
        }
        if let Some(text) = filled(signal.phone) {
            identity.phone = phone(&text, signal.market.country.as_deref());
            if identity.phone.is_none() {
                findings.push(Finding::new(FindingCode::PhoneInvalid, "/phone", "the number cannot be written in E.164"));
            }
            identity.phone_original = (identity.phone.as_deref() != Some(&*text)).then_some(text);
        }
        let mut properties = Attributes::new();
        for (name, raw) in &signal.properties {
            let pointer = || format!("/properties/{}", crate::model::pointer_token(name));
            match property(raw, DEPTH) {
                Ok(Some(value)) => drop(properties.insert(name.clone(), value)),
                Ok(None) => {}
                Err(message) => return Err(Fault::at(pointer(), message)),
            }
        }
        if let Some(query) = filled(signal.query) {
            properties.insert("query".to_owned(), AttributeValue::Text(query));
        }
        let is_joining = matches!(signal.event, EventName::LoggedIn | EventName::AccountCreated);
        let is_named = identity.customer_id.is_some() || identity.email.is_some();
        let session = identity.anonymous_id.clone().filter(|_| is_joining && is_named);
        let previous = session.map(|session| Box::new(Identity { anonymous_id: Some(session), ..Identity::default() }));
        let event = Event {
            id: filled(signal.id),
            cart_id: filled(signal.cart_id),
            product_id: filled(signal.product_id),
            variant_id: filled(signal.variant_id),
            sku: filled(signal.sku),
            category_id: filled(signal.category_id),
            value: signal.value,
            url: filled(signal.url),
            previous,
            properties,
            ..Event::new(signal.event)
        };
        let occurred_at = signal.at.unwrap_or(context.observed_at);
        let id = match &event.id {
            Some(id) => id.clone(),
            None => {
                let written = |text: serde_json::Result<String>| text.map_err(|_| Fault::at("", "the signal cannot be written as JSON"));
                let (who, what) = (written(serde_json::to_string(&identity))?, written(serde_json::to_string(&event))?);
                opaque(&[&who, &what, &occurred_at.timestamp_micros().to_string()])
            }
        };
        let idempotency_key = idempotency_key(&[&self.source, &self.tenant, SIGNAL, event.name.as_str(), &id]);
        let correlation_id = match context.correlation_id {
            Some(given) => CorrelationId::new(given),
            None => CorrelationId::new(["cw-", &idempotency_key.as_str()[..16]].concat()),
        };
        let envelope = Envelope {
            source: self.source.clone(),
            tenant: self.tenant.clone(),
            resource: ResourceRef { kind: SIGNAL.to_owned(), id },
            version: None,
            sequence: None,
            occurred_at,
            observed_at: context.observed_at,
            market: signal.market,
            identity,
            correlation_id,
            idempotency_key,
            mode: context.mode,
        };
        Ok((Record { envelope, body: Body::Event(event) }, findings))
    }

    fn read(&self, raw: &str, position: u64, context: &DecodeContext<'_>, out: &mut Decoded) {
        out.rows += 1;
        if raw.len() > context.max_record_bytes {
            return out.reject(position, None, FindingCode::RecordTooLarge, "", format!("the signal has {} bytes", raw.len()));
        }
        let mut reader = serde_json::Deserializer::from_str(raw);
        let signal: Signal = match serde_path_to_error::deserialize(&mut reader) {
            Ok(signal) => signal,
            Err(error) => {
                let pointer = crate::sources::pointer(error.path());
                return out.reject(position, None, FindingCode::RecordMalformed, pointer, told(&error.inner().to_string()));
            }
        };
        match self.record(signal, context) {
            Ok((record, findings)) => out.records.push(DecodedRecord { position, record, findings }),
            Err(Fault { pointer, message }) => out.reject(position, None, FindingCode::RecordMalformed, pointer, message),
        }
    }
}

impl Source for Storefront {
    fn name(&self) -> &'static str {
        "storefront"
    }

    fn decode(&self, raw: &[u8], context: &DecodeContext<'_>, out: &mut Decoded) {
        let Ok(text) = std::str::from_utf8(raw) else {
            out.rows += 1;
            return out.reject(context.position, None, FindingCode::RecordInvalidUtf8, "", "the bytes are not UTF-8");
        };
        let many = text.trim_start().starts_with('[');
        let rows = match many {
            true => serde_json::from_str::<Vec<&RawValue>>(text),
            false => serde_json::from_str::<&RawValue>(text).map(|row| vec![row]),
        };
        match rows {
            Ok(rows) => (context.position..).zip(rows).for_each(|(position, row)| self.read(row.get(), position, context, out)),
            Err(error) => {
                out.rows += 1;
                let code = if error.is_eof() { FindingCode::RecordTruncated } else { FindingCode::RecordInvalidJson };
                out.reject(context.position, None, code, "", "the text is not JSON");
            }
        }
    }
}

/// Why a signal cannot become an event.
struct Fault {
    pointer: String,
    message: &'static str,
}

impl Fault {
    fn at(pointer: impl Into<String>, message: &'static str) -> Self {
        Fault { pointer: pointer.into(), message }
    }
}

fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

/// The parser's sentence without the value it met, which may be personal.
fn told(message: &str) -> String {
    let sentence = message.split(" at line ").next().unwrap_or_default();
    match sentence.split_once(", expected ") {
        _ if ["missing field", "unknown field", "duplicate field"].iter().any(|known| sentence.starts_with(known)) => sentence.to_owned(),
        Some((_, expected)) => format!("expected {expected}"),
        None => "the value does not fit".to_owned(),
    }
}

/// A plain value as the type it shows; a null is left out.
fn property(raw: &RawValue, depth: usize) -> std::result::Result<Option<AttributeValue>, &'static str> {
    const UNREADABLE: &str = "expected a plain or a typed value";
    let Some(depth) = depth.checked_sub(1) else { return Err("expected less nesting") };
    let text = raw.get();
    let value = match text.as_bytes().first() {
        Some(b'n') => return Ok(None),
        Some(b't') => AttributeValue::Boolean(true),
        Some(b'f') => AttributeValue::Boolean(false),
        Some(b'"') => AttributeValue::Text(serde_json::from_str(text).map_err(|_| UNREADABLE)?),
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| UNREADABLE)?;
            let items = items.into_iter().filter_map(|item| property(item, depth).transpose());
            AttributeValue::List(items.collect::<std::result::Result<_, _>>()?)
        }
        Some(b'{') => {
            let members: BTreeMap<String, &RawValue> = serde_json::from_str(text).map_err(|_| UNREADABLE)?;
            if members.len() == 2 && members.contains_key("type") && members.contains_key("value") {
                return serde_json::from_str(text).map(Some).map_err(|_| "expected a value of its `type`");
            }
            let members = members.into_iter().filter_map(|(name, raw)| Some(property(raw, depth).transpose()?.map(|value| (name, value))));
            AttributeValue::Object(members.collect::<std::result::Result<_, _>>()?)
        }
        _ => match text.parse::<i64>() {
            Ok(whole) => AttributeValue::Integer(whole),
            Err(_) => AttributeValue::Decimal(
                text.parse::<Decimal>()
                    .or_else(|_| Decimal::from_scientific(text))
                    .map_err(|_| "expected a number of at most 28 digits")?,
            ),
        },
    };
    Ok(Some(value))
}

#[cfg(feature = "delivery")]
impl super::Engine {
    /// Accepts what visitors did: one [`Signal`], an array of them, or one a line. Commits to the outbox and answers, without
    /// waiting for the destination: [`super::answers::Receipt`]. A signal that cannot be used is in its `rejected`.
    ///
    /// # Errors
    /// `state_*`, `closed`.
    pub async fn track(&self, signals: bytes::Bytes) -> Result<Vec<u8>> {
        self.accept(bytes::Bytes::from_static(br#"{"resource":"signal"}"#), signals).await
    }
}

#[cfg(test)]
mod tests;
