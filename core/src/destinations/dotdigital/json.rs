//! JSON as Dotdigital's insight data takes it: members in order, no empty arrays and objects (a member that is now a list
//! and now an object blocks its collection), no array directly in an array, money always with a fraction.
//!
//! Members are written when they are put, into one buffer per document: an order is most of the work of a build, and a tree
//! in between would cost more than the text.

use std::borrow::Cow;

use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc};
use memchr::memmem;
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::value::RawValue;

use super::ids;
use crate::error::{Error, ErrorCode};
use crate::json;
use crate::model::money::JsonNumber;
use crate::model::{AttributeValue, Attributes, Finding, FindingCode, Money, pointer_token};

/// Members in the order they were put, as text.
pub(super) struct Object {
    /// From the opening brace of the outermost object on; the last brace is missing.
    text: Vec<u8>,
    /// Where the members of this object begin.
    start: usize,
    /// Some value was none that JSON and Dotdigital can hold, such as a year of five digits.
    faulty: bool,
}

/// Something that can be a member's value.
pub(super) trait Value {
    /// Writes it; false where it cannot be written.
    fn write(&self, out: &mut Vec<u8>) -> bool;

    /// Whether the member is left out.
    fn is_empty(&self) -> bool {
        false
    }
}

impl Object {
    /// An object that will have about so many members.
    pub(super) fn new(members: usize) -> Self {
        Object::of_bytes(2 + 32 * members)
    }

    /// An object that will be about so long.
    pub(super) fn of_bytes(bytes: usize) -> Self {
        let mut text = Vec::with_capacity(bytes);
        text.push(b'{');
        Object { text, start: 1, faulty: false }
    }

    /// Its length so far.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// A member under a name of ours, which needs no escaping.
    pub(super) fn put(&mut self, name: &'static str, value: impl Value) {
        if !value.is_empty() {
            self.plain_name(name);
            self.faulty |= !value.write(&mut self.text);
        }
    }

    /// A member under a name from settings or records.
    pub(super) fn put_named(&mut self, name: &str, value: impl Value) {
        if !value.is_empty() {
            self.comma();
            text(name, &mut self.text);
            self.text.push(b':');
            self.faulty |= !value.write(&mut self.text);
        }
    }

    pub(super) fn opt(&mut self, name: &'static str, value: Option<impl Value>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }

    /// An object as a member, written in place; left out when nothing is put into it.
    pub(super) fn object(&mut self, name: &'static str, fill: impl FnOnce(&mut Object)) {
        let before = self.text.len();
        self.plain_name(name);
        if self.nest(b'{', fill) {
            self.text.push(b'}');
        } else {
            self.text.truncate(before);
        }
    }

    /// A list as a member, written in place; left out when it stays empty.
    pub(super) fn list(&mut self, name: &'static str, fill: impl FnOnce(&mut List<'_>)) {
        let before = self.text.len();
        self.plain_name(name);
        if self.nest(b'[', |inner| fill(&mut List(inner))) {
            self.text.push(b']');
        } else {
            self.text.truncate(before);
        }
    }

    /// Lets something be written behind a bracket. Returns whether anything was.
    fn nest(&mut self, bracket: u8, fill: impl FnOnce(&mut Object)) -> bool {
        self.text.push(bracket);
        let outer = std::mem::replace(&mut self.start, self.text.len());
        fill(self);
        let filled = !self.is_empty();
        self.start = outer;
        filled
    }

    fn plain_name(&mut self, name: &'static str) {
        self.comma();
        self.text.push(b'"');
        self.text.extend_from_slice(name.as_bytes());
        self.text.extend_from_slice(b"\":");
    }

    fn comma(&mut self) {
        if !self.is_empty() {
            self.text.push(b',');
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.len() == self.start
    }

    /// Whether a member has that name.
    pub(super) fn has(&self, name: &str) -> bool {
        let members = &self.text[self.start..];
        let mut quoted = Vec::with_capacity(name.len() + 3);
        text(name, &mut quoted);
        quoted.push(b':');
        memmem::find(members, &quoted).is_some() && has_member(members, &quoted)
    }

    /// Puts attributes under names that Dotdigital takes, and reports those that cannot be sent.
    pub(super) fn attributes(&mut self, attributes: &Attributes, pointer: &str, findings: &mut Vec<Finding>) {
        for (name, value) in attributes {
            let fitted = ids::json_name(name);
            if self.has(&fitted) {
                findings.push(dropped(pointer, name, "another member has that name"));
            } else if !self.attribute(&fitted, value) {
                findings.push(dropped(pointer, name, "a list directly in a list is refused, and so is a year beyond four digits"));
            }
        }
    }

    /// Puts an attribute, unless it is empty; false and nothing put where it cannot be sent.
    fn attribute(&mut self, name: &str, value: &AttributeValue) -> bool {
        let before = self.text.len();
        self.comma();
        text(name, &mut self.text);
        self.text.push(b':');
        let kept = match value {
            AttributeValue::List(values) if values.is_empty() => None,
            AttributeValue::Object(_) => {
                let mut is_sound = true;
                let filled = self.nest(b'{', |inner| is_sound = inner.members(value));
                self.text.push(b'}');
                if is_sound { filled.then_some(true) } else { Some(false) }
            }
            _ => Some(self.item(value)),
        };
        if kept != Some(true) {
            self.text.truncate(before);
        }
        kept != Some(false)
    }

    /// The members of an attribute that is an object; of those that become one name the first counts.
    fn members(&mut self, value: &AttributeValue) -> bool {
        let AttributeValue::Object(members) = value else { return false };
        members.iter().all(|(name, value)| {
            let name = ids::json_name(name);
            self.has(&name) || self.attribute(&name, value)
        })
    }

    /// An attribute's value where it stands, empty or not; false where it cannot be sent.
    fn item(&mut self, value: &AttributeValue) -> bool {
        match value {
            AttributeValue::Boolean(truth) => truth.write(&mut self.text),
            AttributeValue::Integer(whole) => whole.write(&mut self.text),
            AttributeValue::Decimal(number) => number.write(&mut self.text),
            AttributeValue::Text(text) => text.as_str().write(&mut self.text),
            AttributeValue::Date(day) => day.write(&mut self.text),
            AttributeValue::DateTime(at) => at.write(&mut self.text),
            AttributeValue::Money(money) => {
                self.nest(b'{', |inner| {
                    inner.put("amount", money.amount);
                    inner.put("currency", money.currency.as_str());
                });
                self.text.push(b'}');
                true
            }
            AttributeValue::List(values) => {
                let mut is_sound = true;
                self.nest(b'[', |inner| {
                    is_sound = values.iter().all(|value| {
                        inner.comma();
                        !matches!(value, AttributeValue::List(_)) && inner.item(value)
                    });
                });
                self.text.push(b']');
                is_sound
            }
            AttributeValue::Object(_) => {
                let mut is_sound = true;
                self.nest(b'{', |inner| is_sound = inner.members(value));
                self.text.push(b'}');
                is_sound
            }
        }
    }

    /// The object's bytes.
    ///
    /// # Errors
    /// `internal`: a value that JSON cannot hold, such as a year of five digits.
    pub(super) fn bytes(mut self) -> Result<Vec<u8>, Error> {
        if self.faulty {
            return Err(Error::new(ErrorCode::Internal, "a row could not be written"));
        }
        self.text.push(b'}');
        Ok(self.text)
    }

    /// A document as a member, even where it is empty.
    pub(super) fn document(&mut self, name: &'static str, document: &Object) {
        self.plain_name(name);
        self.faulty |= !document.write(&mut self.text);
    }
}

/// The items of a list that is being written.
pub(super) struct List<'o>(&'o mut Object);

impl List<'_> {
    /// An object as the next item, written in place.
    pub(super) fn object(&mut self, fill: impl FnOnce(&mut Object)) {
        self.0.comma();
        self.0.nest(b'{', fill);
        self.0.text.push(b'}');
    }
}

/// Whether a member of the outermost level is called so; `quoted` is the name as it stands before its value.
fn has_member(members: &[u8], quoted: &[u8]) -> bool {
    let (mut depth, mut in_text, mut escaped, mut is_name) = (0_usize, false, false, true);
    for (at, byte) in members.iter().enumerate() {
        if in_text {
            in_text = escaped || *byte != b'"';
            escaped = !escaped && *byte == b'\\';
            continue;
        }
        match byte {
            b'"' => {
                if depth == 0 && is_name && members[at..].starts_with(quoted) {
                    return true;
                }
                (in_text, is_name) = (true, false);
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => is_name = true,
            _ => {}
        }
    }
    false
}

/// Says that a field is left out.
pub(super) fn dropped(pointer: &str, name: &str, why: &str) -> Finding {
    Finding::new(FindingCode::FieldDropped, format!("{pointer}/{}", pointer_token(name)), why)
}

/// An amount rounded to the currency's minor unit, as figures of orders are.
pub(super) fn money(money: Money) -> Decimal {
    money.rounded().amount
}

/// A text with its quotes.
fn text(text: &str, out: &mut Vec<u8>) {
    // A vector takes every byte.
    let _ = json::append(out, text);
}

/// A flat value.
pub(super) enum Val<'a> {
    Text(Cow<'a, str>),
    Number(Decimal),
    Whole(i64),
    Truth(bool),
    At(DateTime<Utc>),
}

impl Value for Val<'_> {
    fn write(&self, out: &mut Vec<u8>) -> bool {
        match self {
            Val::Text(text) => text.write(out),
            Val::Number(number) => number.write(out),
            Val::Whole(whole) => whole.write(out),
            Val::Truth(truth) => truth.write(out),
            Val::At(at) => at.write(out),
        }
    }
}

impl<T: Value> Value for &T {
    fn write(&self, out: &mut Vec<u8>) -> bool {
        (**self).write(out)
    }

    fn is_empty(&self) -> bool {
        (**self).is_empty()
    }
}

impl Value for &str {
    fn write(&self, out: &mut Vec<u8>) -> bool {
        text(self, out);
        true
    }
}

impl Value for String {
    fn write(&self, out: &mut Vec<u8>) -> bool {
        text(self, out);
        true
    }
}

impl Value for Cow<'_, str> {
    fn write(&self, out: &mut Vec<u8>) -> bool {
        text(self, out);
        true
    }
}

impl Value for bool {
    fn write(&self, out: &mut Vec<u8>) -> bool {
        out.extend_from_slice(if *self { b"true" } else { b"false" });
        true
    }
}

impl Value for i64 {
    fn write(&self, out: &mut Vec<u8>) -> bool {
        serialised(self, out)
    }
}

impl Value for Decimal {
    fn write(&self, out: &mut Vec<u8>) -> bool {
        serialised(&JsonNumber(*self), out)
    }
}

/// UTC, whole seconds.
impl Value for DateTime<Utc> {
    fn write(&self, out: &mut Vec<u8>) -> bool {
        let time = self.time();
        // A leap second is the sixtieth.
        let second = time.second() + time.nanosecond() / 1_000_000_000;
        out.push(b'"');
        let is_sound = date(self.date_naive(), out);
        for (before, part) in [(b'T', time.hour()), (b':', time.minute()), (b':', second)] {
            out.push(before);
            two(part, out);
        }
        out.extend_from_slice(b"Z\"");
        is_sound
    }
}

impl Value for NaiveDate {
    fn write(&self, out: &mut Vec<u8>) -> bool {
        out.push(b'"');
        let is_sound = date(*self, out);
        out.push(b'"');
        is_sound
    }
}

fn date(day: NaiveDate, out: &mut Vec<u8>) -> bool {
    let Ok(year @ 0..=9999) = u32::try_from(day.year()) else { return false };
    two(year / 100, out);
    two(year % 100, out);
    for part in [day.month(), day.day()] {
        out.push(b'-');
        two(part, out);
    }
    true
}

fn two(number: u32, out: &mut Vec<u8>) {
    let digit = |number: u32| b"0123456789"[(number % 10) as usize];
    out.extend_from_slice(&[digit(number / 10), digit(number)]);
}

impl Value for Object {
    fn write(&self, out: &mut Vec<u8>) -> bool {
        out.extend_from_slice(&self.text);
        out.push(b'}');
        !self.faulty
    }

    fn is_empty(&self) -> bool {
        Object::is_empty(self)
    }
}

impl Value for &RawValue {
    fn write(&self, out: &mut Vec<u8>) -> bool {
        out.extend_from_slice(self.get().as_bytes());
        true
    }
}

impl<T: Value> Value for Vec<T> {
    fn write(&self, out: &mut Vec<u8>) -> bool {
        out.push(b'[');
        let mut is_sound = true;
        for (index, value) in self.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            is_sound &= value.write(out);
        }
        out.push(b']');
        is_sound
    }

    fn is_empty(&self) -> bool {
        Vec::is_empty(self)
    }
}

fn serialised<T: Serialize>(value: &T, out: &mut Vec<u8>) -> bool {
    serde_json::to_writer(out, value).is_ok()
}

/// The bytes of a row.
///
/// # Errors
/// `internal`: a value that JSON cannot hold.
pub(super) fn bytes<T: Serialize + ?Sized>(row: &T, capacity: usize) -> Result<Vec<u8>, Error> {
    let mut body = Vec::with_capacity(capacity);
    serde_json::to_writer(&mut body, row).map_err(|error| Error::new(ErrorCode::Internal, "a row could not be written").because(error))?;
    Ok(body)
}

#[cfg(test)]
mod tests {
    use chrono::SecondsFormat;
    use proptest::prelude::*;

    use super::*;

    fn written(object: Object) -> String {
        object.bytes().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    #[test]
    fn what_is_empty_leaves_no_trace() {
        let mut object = Object::new(1);
        object.put("none", Vec::<i64>::new());
        object.object("nobody", |inner| inner.object("deeper", |_| {}));
        object.list("nothing", |_| {});
        object.put("a", 1);
        object.object("b", |inner| inner.list("c", |list| list.object(|_| {})));
        object.document("d", &Object::new(0));
        assert_eq!(written(object), r#"{"a":1,"b":{"c":[{}]},"d":{}}"#);
    }

    #[test]
    fn a_member_is_known_by_its_own_name_only() {
        let mut object = Object::new(4);
        object.put("a", "b\":1,\"c");
        object.object("d", |inner| inner.put("e", "f"));
        object.put_named("g\"h", "i");
        for (name, known) in
            [("a", true), ("d", true), ("g\"h", true), ("b", false), ("c", false), ("e", false), ("f", false), ("i", false)]
        {
            assert_eq!(object.has(name), known, "{name}");
        }
    }

    #[test]
    fn instants_are_written_to_the_second_and_years_have_four_digits() {
        for text in ["2026-01-31T09:05:07.999Z", "0001-12-01T00:00:00Z", "2016-12-31T23:59:60Z"] {
            let at: DateTime<Utc> = text.parse().unwrap_or_default();
            let mut out = Vec::new();
            assert!(at.write(&mut out));
            assert_eq!(String::from_utf8_lossy(&out), format!("\"{}\"", at.to_rfc3339_opts(SecondsFormat::Secs, true)));
        }
        let mut object = Object::new(1);
        object.put("at", DateTime::<Utc>::MAX_UTC);
        assert!(object.bytes().is_err());
    }

    proptest! {
        #[test]
        fn a_text_is_written_as_any_writer_does(value in "(\\PC|[\\x00-\\x7f]){0,40}") {
            let mut out = Vec::new();
            text(&value, &mut out);
            prop_assert_eq!(out, serde_json::to_vec(&value).unwrap_or_default());
        }
    }
}
