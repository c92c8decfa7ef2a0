//! JSON as Dotdigital's insight data takes it: members in order, no empty arrays and objects (a member that is now a list
//! and now an object blocks its collection), no array directly in an array, money always with a fraction.

use std::borrow::Cow;

use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat, Utc};
use rust_decimal::Decimal;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::ids;
use crate::error::{Error, ErrorCode};
use crate::model::money::JsonNumber;
use crate::model::{AttributeValue, Attributes, Finding, FindingCode, Money};

/// A value.
pub(super) enum Val<'a> {
    Text(Cow<'a, str>),
    Number(Decimal),
    Whole(i64),
    Truth(bool),
    At(DateTime<Utc>),
    Day(NaiveDate),
    Object(Object<'a>),
    List(Vec<Val<'a>>),
    /// JSON as it stands.
    Raw(&'a RawValue),
}

/// Members in the order they were put.
#[derive(Default)]
pub(super) struct Object<'a>(Vec<(Cow<'a, str>, Val<'a>)>);

impl<'a> Object<'a> {
    pub(super) fn new(capacity: usize) -> Self {
        Object(Vec::with_capacity(capacity))
    }

    pub(super) fn put(&mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Val<'a>>) {
        let value = value.into();
        let empty = match &value {
            Val::Object(object) => object.0.is_empty(),
            Val::List(list) => list.is_empty(),
            _ => false,
        };
        if !empty {
            self.0.push((name.into(), value));
        }
    }

    pub(super) fn opt(&mut self, name: impl Into<Cow<'a, str>>, value: Option<impl Into<Val<'a>>>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(own, _)| own == name)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &(Cow<'a, str>, Val<'a>)> {
        self.0.iter()
    }

    /// Puts attributes under names that Dotdigital takes, and reports those that cannot be sent.
    pub(super) fn attributes(&mut self, attributes: &'a Attributes, pointer: &str, findings: &mut Vec<Finding>) {
        for (name, value) in attributes {
            let fitted = ids::json_name(name);
            if self.has(&fitted) {
                findings.push(dropped(pointer, name, "another member has that name"));
            } else if let Some(value) = attribute(value, false) {
                self.put(fitted, value);
            } else {
                findings.push(dropped(pointer, name, "a list directly in a list is refused, and so is a year beyond four digits"));
            }
        }
    }
}

/// Says that a field is left out.
pub(super) fn dropped(pointer: &str, name: &str, why: &str) -> Finding {
    let name = name.replace('~', "~0").replace('/', "~1");
    Finding::new(FindingCode::FieldDropped, format!("{pointer}/{name}"), why)
}

/// An attribute as insight data; `None` where it cannot be.
fn attribute(value: &AttributeValue, in_list: bool) -> Option<Val<'_>> {
    Some(match value {
        AttributeValue::Boolean(truth) => Val::Truth(*truth),
        AttributeValue::Integer(whole) => Val::Whole(*whole),
        AttributeValue::Decimal(number) => Val::Number(*number),
        AttributeValue::Text(text) => Val::Text(text.into()),
        AttributeValue::Date(day) => Val::Day(Some(*day).filter(|day| (0..=9999).contains(&day.year()))?),
        AttributeValue::DateTime(at) => Val::At(Some(*at).filter(|at| (0..=9999).contains(&at.year()))?),
        AttributeValue::Money(money) => Val::Object(amount(*money)),
        AttributeValue::List(_) if in_list => return None,
        AttributeValue::List(values) => Val::List(values.iter().map(|value| attribute(value, true)).collect::<Option<_>>()?),
        AttributeValue::Object(members) => {
            let mut object = Object::new(members.len());
            for (name, value) in members {
                let name = ids::json_name(name);
                if !object.has(&name) {
                    object.put(name, attribute(value, false)?);
                }
            }
            Val::Object(object)
        }
    })
}

fn amount<'a>(money: Money) -> Object<'a> {
    let mut object = Object::new(2);
    object.put("amount", Val::Number(money.amount));
    object.put("currency", Val::Text(money.currency.as_str().to_owned().into()));
    object
}

/// An amount rounded to the currency's minor unit, as figures of orders are.
pub(super) fn money<'a>(money: Money) -> Val<'a> {
    Val::Number(money.rounded().amount)
}

macro_rules! from {
    ($($ty:ty => $variant:ident),+ $(,)?) => { $(impl<'a> From<$ty> for Val<'a> {
        fn from(value: $ty) -> Self { Val::$variant(value.into()) }
    })+ };
}
from!(&'a str => Text, &'a String => Text, String => Text, Cow<'a, str> => Text, i64 => Whole, bool => Truth, Decimal => Number,
    DateTime<Utc> => At, NaiveDate => Day, Object<'a> => Object);

impl<'a> From<&'a RawValue> for Val<'a> {
    fn from(raw: &'a RawValue) -> Self {
        Val::Raw(raw)
    }
}

impl<'a> From<Vec<Val<'a>>> for Val<'a> {
    fn from(list: Vec<Val<'a>>) -> Self {
        Val::List(list)
    }
}

impl<'a> From<Vec<Object<'a>>> for Val<'a> {
    fn from(list: Vec<Object<'a>>) -> Self {
        Val::List(list.into_iter().map(Val::Object).collect())
    }
}

/// An instant as Dotdigital takes dates: UTC, whole seconds.
pub(super) fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

impl Serialize for Val<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Val::Text(text) => serializer.serialize_str(text),
            Val::Number(number) => JsonNumber(*number).serialize(serializer),
            Val::Whole(whole) => serializer.serialize_i64(*whole),
            Val::Truth(truth) => serializer.serialize_bool(*truth),
            Val::At(at) if (0..=9999).contains(&at.year()) => serializer.serialize_str(&stamp(*at)),
            Val::Day(day) if (0..=9999).contains(&day.year()) => serializer.collect_str(day),
            Val::At(_) | Val::Day(_) => Err(serde::ser::Error::custom("a year has four digits")),
            Val::Object(object) => object.serialize(serializer),
            Val::List(list) => {
                let mut out = serializer.serialize_seq(Some(list.len()))?;
                list.iter().try_for_each(|value| out.serialize_element(value))?;
                out.end()
            }
            Val::Raw(raw) => raw.serialize(serializer),
        }
    }
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        self.0.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
        map.end()
    }
}

/// The bytes of a row.
///
/// # Errors
/// `internal`: a value that JSON cannot hold, such as a year of five digits.
pub(super) fn bytes<T: Serialize>(row: &T, capacity: usize) -> Result<Vec<u8>, Error> {
    let mut body = Vec::with_capacity(capacity);
    serde_json::to_writer(&mut body, row).map_err(|error| Error::new(ErrorCode::Internal, "a row could not be written").because(error))?;
    Ok(body)
}
