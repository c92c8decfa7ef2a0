//! Typed values for what a merchant adds: custom fields, product attributes, event properties.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::money::{Money, decimal_text};

/// Attributes by name, in name order.
pub type Attributes = BTreeMap<String, AttributeValue>;

/// One typed value: `{"type": "date", "value": "2026-01-31"}`. The type travels with the value because destinations lock
/// a field to the type of its first value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "value", rename_all = "snake_case")]
pub enum AttributeValue {
    /// A truth value.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction, as a decimal string.
    Decimal(
        #[serde(with = "decimal_text")]
        #[schemars(with = "String")]
        Decimal,
    ),
    /// Text.
    Text(String),
    /// A calendar date without a time.
    Date(NaiveDate),
    /// An instant.
    DateTime(DateTime<Utc>),
    /// An amount of money.
    Money(Money),
    /// Several values.
    List(Vec<AttributeValue>),
    /// Named values inside a value.
    Object(BTreeMap<String, AttributeValue>),
}
