//! The platform's JSON, only the fields that are used, borrowed from the input wherever the text holds no escapes.
//!
//! Public so that a bench can compare against a bare parse of the same structs; not a stable interface. Fields carry the
//! platform's own names and meaning: <https://developer.bigcommerce.com/docs>. What is not listed is skipped unread; that
//! is also what keeps staff notes, cost prices, IP addresses and card data out: there is no field they could land in.
//! Nothing here prints itself: these structs hold personal data.
//!
//! The platform writes the same thing in several ways: money as text, number or whole number, nothing as `null`, `""` or
//! `{}`, instants in RFC 2822, ISO 8601 and unix seconds. The types of this module take all of them.
#![allow(missing_docs)] // The platform documents its own fields.

pub mod carts;
pub mod catalog;
pub mod events;
pub mod orders;
pub mod people;

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::normalize::time::parse_instant;

/// Text, borrowed from the input. Numbers and truth values are taken as written; `{}` and `[]`, which older examples have in
/// place of null, are empty.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text<'a>(pub Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Text<'_> {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Text<'_> {
    /// The text if it is an id: the platform writes 0 and `""` for none.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        let text = self.0.trim();
        (!text.is_empty() && text != "0").then_some(text)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(number.to_string())))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(number.to_string())))
            }
            fn visit_bool<E>(self, truth: bool) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(if truth { "true" } else { "false" })))
            }
            fn visit_unit<E>(self) -> Result<Text<'de>, E> {
                Ok(Text::default())
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text<'de>, A::Error> {
                match map.next_key::<IgnoredAny>()? {
                    None => Ok(Text::default()),
                    Some(_) => Err(A::Error::custom("invalid value, expected a string")),
                }
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Text<'de>, A::Error> {
                match seq.next_element::<IgnoredAny>()? {
                    None => Ok(Text::default()),
                    Some(_) => Err(A::Error::custom("invalid value, expected a string")),
                }
            }
        }
        deserializer.deserialize_any(TextVisitor)
    }
}

/// Whether the JSON is one of the ways to write nothing.
fn is_nothing(json: &str) -> bool {
    match json.as_bytes() {
        b"null" | b"\"\"" => true,
        [b'{', inner @ .., b'}'] | [b'[', inner @ .., b']'] => inner.iter().all(u8::is_ascii_whitespace),
        _ => false,
    }
}

/// A decimal, digit by digit as it is spelled: text, number or whole number. Never through a float.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Dec(pub Option<Decimal>);

impl Dec {
    /// The decimal, zero where there is none.
    #[must_use]
    pub fn or_zero(self) -> Decimal {
        self.0.unwrap_or_default()
    }

    /// The number if it is whole and of a size that sums of it stay whole.
    #[must_use]
    pub fn whole(self) -> Option<i64> {
        let number = self.0.filter(Decimal::is_integer)?;
        i64::try_from(number.normalize()).ok().filter(|number| number.unsigned_abs() <= 1_000_000_000_000)
    }
}

/// The decimal that a text spells.
#[must_use]
pub fn spelled(text: &str) -> Option<Decimal> {
    let text = text.trim();
    text.parse().ok().or_else(|| Decimal::from_scientific(text).ok())
}

impl<'de> Deserialize<'de> for Dec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?.get();
        if is_nothing(raw) {
            return Ok(Dec(None));
        }
        let text = raw.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(raw);
        if text.trim().is_empty() {
            return Ok(Dec(None));
        }
        let known = spelled(text).ok_or_else(|| D::Error::custom("invalid value, expected a decimal of at most 28 digits"))?;
        Ok(Dec(Some(known)))
    }
}

/// An instant, in any form the platform writes one.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(pub Option<DateTime<Utc>>);

/// Reads an instant: ISO 8601 with zone, RFC 2822, unix seconds. A text without a zone is none: it would be a guess.
#[must_use]
pub fn instant(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if let Some(at) = parse_instant(text) {
        return Some(at);
    }
    if text.len() > 4 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return DateTime::from_timestamp(text.parse().ok()?, 0);
    }
    let at = DateTime::parse_from_rfc2822(text).or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%z"));
    at.ok().map(|at| at.with_timezone(&Utc))
}

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?.get();
        let text = raw.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(raw);
        // What the platform writes where it never had a date, in one of its generations.
        if is_nothing(raw) || text.trim().is_empty() || text == "0" || text.contains(" -0001 ") || text.starts_with("0000-00-00") {
            return Ok(Stamp(None));
        }
        let at = instant(text).ok_or_else(|| D::Error::custom("invalid value, expected an instant with its zone"))?;
        Ok(Stamp(Some(at)))
    }
}

/// Rows that may be there, or only be linked: an array, a page (`data`) or a wrapper (`fees`) is rows; a link
/// (`{url, resource}`), null and `""` are none.
#[derive(Clone)]
pub struct List<T>(pub Option<Vec<T>>);

impl<T> Default for List<T> {
    fn default() -> Self {
        List(None)
    }
}

impl<T> List<T> {
    /// The rows; none where there is only a link.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.as_deref().unwrap_or_default().iter()
    }

    /// Whether rows are there, be they none.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.0.is_some()
    }
}

impl<'a, T> IntoIterator for &'a List<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
            type Value = List<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_unit<E>(self) -> Result<List<T>, E> {
                Ok(List(None))
            }
            fn visit_none<E>(self) -> Result<List<T>, E> {
                Ok(List(None))
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<List<T>, E> {
                if text.is_empty() { Ok(List(None)) } else { Err(E::custom("invalid value, expected a list")) }
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List<T>, A::Error> {
                let mut rows = Vec::with_capacity(seq.size_hint().unwrap_or(0).min(64));
                while let Some(row) = seq.next_element()? {
                    rows.push(row);
                }
                Ok(List(Some(rows)))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<List<T>, A::Error> {
                let mut rows = List(None);
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    if matches!(&*key, "data" | "fees") {
                        rows = map.next_value()?;
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(rows)
            }
        }
        deserializer.deserialize_any(ListVisitor(PhantomData))
    }
}

/// One thing that may also come as a page of one (`{data: …}`), as a list of one, as `{}` or as null.
#[derive(Clone)]
pub struct One<T>(pub Option<T>);

impl<T> Default for One<T> {
    fn default() -> Self {
        One(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for One<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?.get();
        if is_nothing(raw) {
            return Ok(One(None));
        }
        let bad = |error: serde_json::Error| D::Error::custom(error);
        if raw.starts_with('[') {
            let many: Vec<T> = serde_json::from_str(raw).map_err(bad)?;
            return Ok(One(many.into_iter().next()));
        }
        serde_json::from_str(raw).map(|one| One(Some(one))).map_err(bad)
    }
}

/// A name and a value of a kind only the merchant knows: form fields, custom fields.
#[derive(Clone, Deserialize)]
pub struct Named<'a> {
    #[serde(borrow, default)]
    pub name: Text<'a>,
    #[serde(borrow)]
    pub value: Option<&'a RawValue>,
}

/// <https://developer.bigcommerce.com/docs/rest-management/customers/metafields>
#[derive(Clone, Deserialize)]
pub struct Metafield<'a> {
    #[serde(borrow, default)]
    pub namespace: Text<'a>,
    #[serde(borrow, default)]
    pub key: Text<'a>,
    #[serde(borrow)]
    pub value: Option<&'a RawValue>,
}

/// A postal address, of orders (`street_1`, `zip`) and of customers and checkouts (`address1`, `postal_code`).
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Address<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    #[serde(borrow)]
    pub first_name: Text<'a>,
    #[serde(borrow)]
    pub last_name: Text<'a>,
    #[serde(borrow)]
    pub company: Text<'a>,
    #[serde(borrow, alias = "address1")]
    pub street_1: Text<'a>,
    #[serde(borrow, alias = "address2")]
    pub street_2: Text<'a>,
    #[serde(borrow)]
    pub city: Text<'a>,
    #[serde(borrow, alias = "state_or_province")]
    pub state: Text<'a>,
    #[serde(borrow, alias = "postal_code")]
    pub zip: Text<'a>,
    #[serde(borrow, alias = "country_code")]
    pub country_iso2: Text<'a>,
    #[serde(borrow)]
    pub phone: Text<'a>,
    #[serde(borrow)]
    pub email: Text<'a>,
    #[serde(borrow)]
    pub form_fields: List<Named<'a>>,
    /// What shipping there costs, for the shipping addresses of an order.
    #[serde(borrow)]
    pub shipping_method: Text<'a>,
    pub cost_ex_tax: Dec,
    pub cost_inc_tax: Dec,
    pub cost_tax: Dec,
}
