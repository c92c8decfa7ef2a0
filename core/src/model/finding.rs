//! Findings: what is wrong with a record, where, and how bad it is. One registry of codes.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing; the record is sent.
    Warning,
    /// The record is not sent.
    Error,
}

macro_rules! findings {
    ($($variant:ident = $name:literal, $severity:ident, $doc:literal;)+) => {
        /// A stable code of a finding.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum FindingCode { $(#[doc = $doc] $variant,)+ }

        impl FindingCode {
            /// Every code, in the order of the registry.
            pub const ALL: &'static [FindingCode] = &[$(FindingCode::$variant,)+];
            /// The stable name.
            #[must_use]
            pub const fn name(self) -> &'static str { match self { $(FindingCode::$variant => $name,)+ } }
            /// How bad it is unless the policy says otherwise.
            #[must_use]
            pub const fn severity(self) -> Severity { match self { $(FindingCode::$variant => Severity::$severity,)+ } }
            /// What it means and what to do.
            #[must_use]
            pub const fn description(self) -> &'static str { match self { $(FindingCode::$variant => $doc,)+ } }
            /// The code of that name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> { match name { $($name => Some(FindingCode::$variant),)+ _ => None } }
        }
    };
}

findings! {
    RecordMalformed = "record.malformed", Error, "The row does not have the shape of its resource; correct it at the pointer and send it again.";
    RecordInvalidJson = "record.invalid_json", Error, "The row is not JSON: syntax, NaN, or nesting deeper than 128; correct the export.";
    RecordInvalidUtf8 = "record.invalid_utf8", Error, "The row holds bytes that are not UTF-8; export it as UTF-8.";
    RecordTruncated = "record.truncated", Error, "The input ends in the middle of the row; fetch it again.";
    RecordTooLarge = "record.too_large", Error, "The row is larger than `max_record_bytes`; raise the limit or send it alone.";
    RecordUnsupported = "record.unsupported", Error, "The row is no resource or message this source knows; check `resource` in the options.";
    DocumentIncomplete = "document.incomplete", Warning, "A part of the row is not in it or cannot be used; the rest is sent, what is missing is said.";
    IdentityMissing = "identity.missing", Error, "Nothing says whom this is about; the shop must set a customer, an e-mail or an anonymous id.";
    EmailInvalid = "email.invalid", Error, "The e-mail address has no valid form; correct it in the shop.";
    PhoneInvalid = "phone.invalid", Warning, "The phone number cannot be written in E.164; it is not sent as a number.";
    CurrencyUnknown = "money.unknown_currency", Error, "ISO 4217 does not list the currency; correct the price list.";
    CurrencyMixed = "money.mixed_currencies", Error, "One order or cart holds amounts in several currencies; sums would be wrong.";
    LocaleInvalid = "locale.invalid", Warning, "The locale is not BCP 47; the fallback locale is used.";
    CountryInvalid = "country.invalid", Warning, "The country is not an ISO 3166-1 alpha-2 code.";
    QuantityInvalid = "line.quantity_invalid", Error, "A line has a quantity of zero or less.";
    SkuMissing = "line.sku_missing", Warning, "A product line has no SKU; the product and variant ids are used.";
    LineIdDuplicate = "line.duplicate_id", Error, "Two lines carry one id; refunds and shipments could not be told apart.";
    LineTotalMismatch = "line.total_mismatch", Warning, "Quantity times unit price less discounts is not the line's total; both figures are in the message.";
    OrderTotalMismatch = "order.total_mismatch", Error, "Lines, shipping, fees and tax less discounts are not the order's total; both figures are in the message.";
    OrderAdjusted = "order.adjusted", Warning, "The shop's total is not the sum of its parts, as after a total set by hand; the difference stands as an adjustment.";
    OrderEmpty = "order.empty", Error, "The order has no lines.";
    TimestampFuture = "timestamp.future", Warning, "The time of the event is in the future beyond the tolerance; check the shop's clock.";
    ValueUnknown = "value.unknown", Warning, "A state or kind that this version does not know; it is kept as text.";
    ProductNoVariant = "product.no_variant", Warning, "The product has no variant that could be bought.";
    PriceNegative = "price.negative", Error, "A price is below zero.";
    NameMissing = "name.missing", Warning, "No name in the market's locale nor in any fallback.";
    ConsentUndated = "consent.undated", Warning, "A yes without a time cannot outweigh an earlier no.";
    ConsentFuture = "consent.future", Error, "A yes dated in the future would outweigh every later no; check the shop's clock.";
    FieldDropped = "destination.field_dropped", Warning, "The destination cannot take this field in this form; the rest of the record is sent.";
    IdentityUnusable = "destination.identity_unusable", Error, "The destination cannot take this identity; see the message for its rule.";
    ValueUnsupported = "destination.value_unsupported", Error, "The destination cannot take this value; see the message for its rule.";
}

impl Serialize for FindingCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for FindingCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str> as Deserialize>::deserialize(deserializer)?;
        FindingCode::from_name(&text).ok_or_else(|| serde::de::Error::custom("unknown finding code"))
    }
}

impl JsonSchema for FindingCode {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "FindingCode".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names: Vec<&str> = FindingCode::ALL.iter().map(|code| code.name()).collect();
        schemars::json_schema!({ "type": "string", "enum": names, "description": "Stable code of a finding." })
    }
}

/// One token of a JSON pointer (RFC 6901).
pub(crate) fn pointer_token(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// One thing that is wrong with a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Stable code.
    pub code: FindingCode,
    /// JSON pointer (RFC 6901): into the source row for decode findings, into the canonical record for all others.
    pub pointer: String,
    /// How bad it is, after policy.
    pub severity: Severity,
    /// One sentence with the figures; never the value of a personal field.
    pub message: String,
}

impl Finding {
    /// A finding with the code's own severity.
    #[must_use]
    pub fn new(code: FindingCode, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Finding { code, pointer: pointer.into(), severity: code.severity(), message: message.into() }
    }

    /// Whether the record must not be sent.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
