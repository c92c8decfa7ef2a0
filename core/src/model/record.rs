//! A record: one canonical thing with the envelope that says whose, when and from where.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Cart, Category, CategoryDeleted, Contact, ContactDeleted, Event, Finding, Order, Product, ProductDeleted, Refund, Return, Shipment,
};

/// A UTC instant.
pub type Instant = DateTime<Utc>;

/// One canonical thing with its envelope: an upsert, a delete or an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Whose, when, from where.
    pub envelope: Envelope,
    /// What.
    pub body: Body,
}

/// What a record tells of, told apart by `type`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[allow(clippy::large_enum_variant)] // Records move once per stage; a box would cost every order an allocation.
pub enum Body {
    /// A person, as known now.
    Contact(Contact),
    /// A person who is gone.
    ContactDeleted(ContactDeleted),
    /// A product, as sold now.
    Product(Product),
    /// A product that is not sold any more.
    ProductDeleted(ProductDeleted),
    /// A category, as shown now.
    Category(Category),
    /// A category that is gone.
    CategoryDeleted(CategoryDeleted),
    /// A cart, as it stands now.
    Cart(Cart),
    /// An order, as it stands now.
    Order(Order),
    /// Money given back.
    Refund(Refund),
    /// Goods sent back.
    Return(Return),
    /// Goods on their way.
    Shipment(Shipment),
    /// Something that happened.
    Event(Event),
}

impl Body {
    /// The words `type` can be, in declaration order.
    pub const KINDS: &'static [&'static str] = &[
        "contact",
        "contact_deleted",
        "product",
        "product_deleted",
        "category",
        "category_deleted",
        "cart",
        "order",
        "refund",
        "return",
        "shipment",
        "event",
    ];

    /// The word in `type`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Body::Contact(_) => "contact",
            Body::ContactDeleted(_) => "contact_deleted",
            Body::Product(_) => "product",
            Body::ProductDeleted(_) => "product_deleted",
            Body::Category(_) => "category",
            Body::CategoryDeleted(_) => "category_deleted",
            Body::Cart(_) => "cart",
            Body::Order(_) => "order",
            Body::Refund(_) => "refund",
            Body::Return(_) => "return",
            Body::Shipment(_) => "shipment",
            Body::Event(_) => "event",
        }
    }
}

/// Whether a delivery may start journeys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It happened just now; journeys may start.
    #[default]
    Live,
    /// History; nobody may be mailed because of it.
    Backfill,
}

/// Whose, when, from where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Envelope {
    /// The source's name, such as `commercetools`.
    pub source: String,
    /// Project key or store hash.
    pub tenant: String,
    /// The source's own resource.
    pub resource: ResourceRef,
    /// The resource's version; grows with every change, not always by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// The message's sequence number within its resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// When it happened at the source.
    pub occurred_at: Instant,
    /// When we heard of it.
    pub observed_at: Instant,
    /// Where it happened.
    #[serde(default)]
    pub market: Market,
    /// Whom it is about.
    #[serde(default)]
    pub identity: Identity,
    /// Ties the logs, state rows and dead letters of one thing together.
    pub correlation_id: CorrelationId,
    /// Made of what happened, never of how it was heard: the same fact by webhook, queue and poll has the same key.
    pub idempotency_key: IdempotencyKey,
    /// Whether journeys may start.
    #[serde(default)]
    pub mode: Mode,
}

/// The source's own name for a thing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ResourceRef {
    /// The source's word, such as `order`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The source's id.
    pub id: String,
}

/// Store, channel, country, locale, currency and customer group that a thing belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Market {
    /// Store key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
    /// Channel key or id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// ISO 3166-1 alpha-2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// BCP 47.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// ISO 4217.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<super::Currency>,
    /// Customer group key or id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_group: Option<String>,
}

/// Whom a record is about. Debug shows which parts are known, never their values.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Identity {
    /// The source's customer id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
    /// E-mail, trimmed and lower-cased for matching.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// E-mail as the source wrote it, where that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_original: Option<String>,
    /// Phone in E.164.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// Phone as the source wrote it, where that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_original: Option<String>,
    /// The session before sign-in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anonymous_id: Option<String>,
    /// Ids in other systems, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub external_ids: BTreeMap<String, String>,
}

impl Identity {
    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.customer_id.is_none()
            && self.email.is_none()
            && self.phone.is_none()
            && self.anonymous_id.is_none()
            && self.external_ids.is_empty()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("customer_id", &self.customer_id.is_some())
            .field("email", &self.email.is_some())
            .field("phone", &self.phone.is_some())
            .field("anonymous_id", &self.anonymous_id.is_some())
            .field("external_ids", &self.external_ids.len())
            .finish()
    }
}

macro_rules! text_newtype {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps the text.
            #[must_use]
            pub fn new(text: impl Into<String>) -> Self { $name(text.into()) }
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str { &self.0 }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
    };
}

text_newtype! {
    /// Same key, same effect: two records with one key are one thing that happened.
    IdempotencyKey
}
text_newtype! {
    /// Ties the logs of one thing together.
    CorrelationId
}

/// A row of the input that could not become a record. It never disappears: every input row ends as records, as
/// ignored by name, or as one of these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rejection {
    /// Position in the input: line of NDJSON, index in an array or page, 0 for a single document.
    pub position: u64,
    /// The source's id for the row where it could still be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceRef>,
    /// Which of several destinations cannot take it; absent when it is good for none, or there is one only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// Why, where, and what to do.
    pub findings: Vec<Finding>,
}
