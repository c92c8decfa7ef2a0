//! What commerce data *means* here: one canonical model for every source and destination.
//!
//! Conventions: keys are `snake_case`; instants are UTC, RFC 3339; money is a decimal string plus an ISO 4217 code;
//! an absent optional key means "not known", never "empty"; lists that the source may leave out are empty. No behaviour
//! beyond invariants lives here, and no vendor's name.

pub mod attribute;
pub mod cart;
pub mod contact;
pub mod event;
pub mod finding;
pub mod money;
pub mod order;
pub mod outcome;
pub mod product;
pub mod record;

pub use attribute::{AttributeValue, Attributes};
pub use cart::{Cart, CartState};
pub use contact::{Address, Channel, Consent, ConsentStatus, Contact, ContactDeleted};
pub use event::{Event, EventName};
pub(crate) use finding::pointer_token;
pub use finding::{Finding, FindingCode, Severity};
pub use money::{Currency, Money};
pub use order::{
    Coupon, Discount, DiscountKind, Fulfilment, FulfilmentStatus, GiftCertificate, LineItem, LineKind, Order, OrderStatus, Parcel,
    PaymentStatus, Refund, RefundLine, Return, ReturnItem, Shipment, ShipmentLine, ShippingCharge, ShippingStatus, TaxLine, Totals,
};
pub use outcome::{SkipReason, Status};
pub use product::{Category, CategoryDeleted, CategoryRef, Image, Price, PriceTier, Product, ProductDeleted, Stock, Variant, VariantRef};
pub use record::{Body, CorrelationId, Envelope, IdempotencyKey, Identity, Instant, Market, Mode, Record, Rejection, ResourceRef};

/// How long something is news, in days, unless the settings say otherwise. What happened longer ago is history when it is
/// heard of, and starts no journeys: a shop's orders are read again years after, because of a note somebody made on them.
pub const NEWS_DAYS: u16 = 7;

/// Declares a string enum that keeps words it does not know: `Other(text)`. Vendors add states without notice, and a
/// new word must neither be lost nor sink a record; validation reports it as `value.unknown`.
macro_rules! open_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$vmeta])* $variant,)+
            /// A word this version does not know, kept as the source spelled it.
            Other(String),
        }

        impl $name {
            /// The words this version knows.
            pub const KNOWN: &'static [&'static str] = &[$($text,)+];

            /// The canonical word.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self { $($name::$variant => $text,)+ $name::Other(text) => text }
            }

            /// Reads the canonical word; anything else is kept as `Other`.
            #[must_use]
            pub fn from_text(text: &str) -> Self {
                match text { $($text => $name::$variant,)+ other => $name::Other(other.to_owned()) }
            }

            /// Whether this version knows the word.
            #[must_use]
            pub const fn is_known(&self) -> bool { !matches!(self, $name::Other(_)) }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> { serializer.serialize_str(self.as_str()) }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                Ok($name::from_text(&text))
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> { stringify!($name).into() }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "examples": [$($text),+] })
            }
        }
    };
}
pub(crate) use open_enum;
