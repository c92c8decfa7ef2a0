//! How rows are written: JSON in one pass, borrowed from the record. Nothing here decides what is sent.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat, Timelike, Utc};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::config::{AttributeType, Config};
use super::ids;
use crate::error::{Error, ErrorCode};
use crate::model::money::JsonNumber;
use crate::model::{AttributeValue, Attributes, Finding, FindingCode, pointer_token};

/// A JSON object that is written member by member. What is absent or empty is left out: what `null` and `""` do at Insider
/// is not published.
pub(super) struct Object {
    out: Vec<u8>,
}

impl Object {
    pub(super) fn new(capacity: usize) -> Self {
        let mut out = Vec::with_capacity(capacity + 2);
        out.push(b'{');
        Object { out }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.out.len() == 1
    }

    fn key(&mut self, key: &str) -> Result<(), Error> {
        if !self.is_empty() {
            self.out.push(b',');
        }
        serde_json::to_writer(&mut self.out, key).map_err(unwritten)?;
        self.out.push(b':');
        Ok(())
    }

    /// Writes a member.
    pub(super) fn put<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<(), Error> {
        self.key(key)?;
        serde_json::to_writer(&mut self.out, value).map_err(unwritten)
    }

    /// Writes a member unless it is absent.
    pub(super) fn maybe<T: Serialize>(&mut self, key: &str, value: Option<T>) -> Result<(), Error> {
        value.map_or(Ok(()), |value| self.put(key, &value))
    }

    /// Writes a text unless it is absent or blank.
    pub(super) fn text(&mut self, key: &str, value: Option<&str>) -> Result<(), Error> {
        self.maybe(key, value.filter(|text| !text.trim().is_empty()))
    }

    /// Writes a list unless it is empty.
    pub(super) fn list<T: Serialize>(&mut self, key: &str, values: &[T]) -> Result<(), Error> {
        if values.is_empty() { Ok(()) } else { self.put(key, values) }
    }

    /// Writes a member whose value is JSON already.
    pub(super) fn raw(&mut self, key: &str, json: &[u8]) -> Result<(), Error> {
        self.key(key)?;
        self.out.extend_from_slice(json);
        Ok(())
    }

    /// Writes an object unless it is empty.
    pub(super) fn nested(&mut self, key: &str, object: Object) -> Result<(), Error> {
        if object.is_empty() { Ok(()) } else { self.raw(key, &object.finish()) }
    }

    /// The JSON.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.out.push(b'}');
        self.out
    }
}

fn unwritten(error: serde_json::Error) -> Error {
    Error::new(ErrorCode::Internal, "a row could not be written").because(error)
}

/// JSON values as one array.
pub(super) fn array<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = vec![b'['];
    for value in values {
        if out.len() > 1 {
            out.push(b',');
        }
        out.extend_from_slice(value);
    }
    out.push(b']');
    out
}

/// One event: name, time, parameters.
pub(super) fn event(name: &str, at: DateTime<Utc>, params: Object) -> Result<Vec<u8>, Error> {
    let mut event = Object::new(640);
    event.put("event_name", name)?;
    event.put("timestamp", &Stamp(at))?;
    event.nested("event_params", params)?;
    Ok(event.finish())
}

/// Adds the members of one object to another.
pub(super) fn splice(object: &mut Object, other: &[u8]) -> Result<(), Error> {
    if other == b"{}" {
        return Ok(());
    }
    let members: BTreeMap<String, &RawValue> =
        serde_json::from_slice(other).map_err(|error| Error::new(ErrorCode::Internal, "an object could not be read").because(error))?;
    members.iter().try_for_each(|(name, value)| object.raw(name, value.get().as_bytes()))
}

/// An instant as RFC 3339 in UTC: `2026-02-11T14:03:27Z`, with milliseconds where there are any.
#[derive(Clone, Copy)]
pub(super) struct Stamp(pub DateTime<Utc>);

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !(0..=9999).contains(&self.0.year()) {
            return Err(serde::ser::Error::custom("a year has four digits"));
        }
        let format = if self.0.nanosecond() < 1_000_000 { SecondsFormat::Secs } else { SecondsFormat::Millis };
        serializer.serialize_str(&self.0.to_rfc3339_opts(format, true))
    }
}

/// A calendar date as the datetime that Insider wants: midnight, ending in `Z`.
#[derive(Clone, Copy)]
pub(super) struct Midnight(pub NaiveDate);

impl Serialize for Midnight {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !(0..=9999).contains(&self.0.year()) {
            return Err(serde::ser::Error::custom("a year has four digits"));
        }
        serializer.collect_str(&format_args!("{}T00:00:00Z", self.0.format("%Y-%m-%d")))
    }
}

/// A value in the JSON form its type has at Insider.
struct Typed<'a>(&'a AttributeValue);

impl Serialize for Typed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            AttributeValue::Boolean(value) => serializer.serialize_bool(*value),
            AttributeValue::Integer(value) => serializer.serialize_i64(*value),
            AttributeValue::Decimal(value) => JsonNumber(*value).serialize(serializer),
            AttributeValue::Text(value) => serializer.serialize_str(value),
            AttributeValue::Date(value) => Midnight(*value).serialize(serializer),
            AttributeValue::DateTime(value) => Stamp(*value).serialize(serializer),
            AttributeValue::Money(value) => JsonNumber(value.amount).serialize(serializer),
            AttributeValue::List(values) => serializer.collect_seq(values.iter().map(Typed)),
            AttributeValue::Object(_) => Err(serde::ser::Error::custom("an object has no place in a field")),
        }
    }
}

/// The type of a value, or why it has none.
fn type_of(value: &AttributeValue) -> Result<AttributeType, &'static str> {
    Ok(match value {
        AttributeValue::Boolean(_) => AttributeType::Boolean,
        AttributeValue::Integer(_) | AttributeValue::Decimal(_) | AttributeValue::Money(_) => AttributeType::Number,
        AttributeValue::Text(text) if text.trim().is_empty() => return Err("an empty text is not sent"),
        AttributeValue::Text(_) => AttributeType::String,
        AttributeValue::Date(date) if !(0..=9999).contains(&date.year()) => return Err("a year has four digits"),
        AttributeValue::DateTime(at) if !(0..=9999).contains(&at.year()) => return Err("a year has four digits"),
        AttributeValue::Date(_) | AttributeValue::DateTime(_) => AttributeType::Datetime,
        AttributeValue::List(values) => {
            let mut types = values.iter().map(|value| match value {
                AttributeValue::List(_) => Err("a list holds no lists"),
                AttributeValue::Text(_) => Ok(AttributeType::String),
                other => type_of(other),
            });
            let first = types.next().ok_or("an empty list is not sent")??;
            if types.any(|next| next != Ok(first)) {
                return Err("a list holds values of one type");
            }
            AttributeType::Array
        }
        AttributeValue::Object(_) => return Err("an object has no place in a field; name its parts"),
    })
}

/// Writes custom fields under the names they have at Insider; what has no place there becomes a finding.
pub(super) struct Customs<'a> {
    config: &'a Config,
    /// Whether `custom_attributes` says which names there are.
    declared: bool,
    used: BTreeSet<String>,
}

impl<'a> Customs<'a> {
    /// For attributes of a person.
    pub(super) fn of_people(config: &'a Config) -> Self {
        Customs { config, declared: true, used: BTreeSet::new() }
    }

    /// For parameters of an event; `taken` are the names that the event itself uses.
    pub(super) fn of_events(config: &'a Config, taken: &[&str]) -> Self {
        Customs { config, declared: false, used: taken.iter().map(|name| (*name).to_owned()).collect() }
    }

    /// Whether an extra attribute of the library's own is wanted.
    pub(super) fn wants(&self, name: &str, kind: AttributeType) -> bool {
        self.config.custom_attributes.as_ref().is_some_and(|known| known.get(name) == Some(&kind))
    }

    /// Writes all attributes; `prefix` goes before each name.
    pub(super) fn write(
        &mut self,
        out: &mut Object,
        prefix: &str,
        attributes: &Attributes,
        pointer: &str,
        findings: &mut Vec<Finding>,
    ) -> Result<(), Error> {
        for (name, value) in attributes {
            match self.admit(name, value) {
                Ok(own) if prefix.is_empty() => out.put(&own, &Typed(value))?,
                Ok(own) => out.put(&format!("{prefix}{own}"), &Typed(value))?,
                Err(why) => {
                    findings.push(Finding::new(FindingCode::FieldDropped, format!("{pointer}/{}", pointer_token(name)), why));
                }
            }
        }
        Ok(())
    }

    fn admit(&mut self, name: &str, value: &AttributeValue) -> Result<String, &'static str> {
        let own = match self.config.attribute_names.get(name) {
            Some(own) => own.clone(),
            None => ids::snake(name).into_owned(),
        };
        if !ids::is_name(&own) {
            return Err("a name is a letter, then letters, digits and `_`; rename it in `attribute_names`");
        }
        let kind = type_of(value)?;
        if let (true, Some(known)) = (self.declared, &self.config.custom_attributes) {
            match known.get(&own) {
                None => return Err("it is not in `custom_attributes`: create it in the panel and list it there"),
                Some(wanted) if *wanted != kind => return Err("it has another type in the panel"),
                Some(_) => {}
            }
        }
        if !self.used.insert(own.clone()) {
            return Err("another field has that name at Insider");
        }
        Ok(own)
    }
}

/// The first characters of a text.
pub(super) fn shortened(text: &str, most: usize) -> &str {
    text.char_indices().nth(most).map_or(text, |(end, _)| &text[..end])
}

/// Whether a text is longer than so many characters.
pub(super) fn is_longer(text: &str, most: usize) -> bool {
    text.len() > most && text.chars().nth(most).is_some()
}
