//! Types that the first value of a field fixes for good.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::NaiveDate;
use serde_json::{Map, Value, json};

use super::reply::Refusal;

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Text,
    Bool,
    Long,
    Double,
    Date,
    Geo,
    Object,
}

impl Type {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Bool => "boolean",
            Self::Long => "long",
            Self::Double => "double",
            Self::Date => "date",
            Self::Geo => "geo_location",
            Self::Object => "object",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Text, Self::Bool, Self::Long, Self::Double, Self::Date, Self::Geo, Self::Object].into_iter().find(|kind| kind.name() == name)
    }

    /// The type of one value; None for null.
    pub(super) fn of(name: &str, value: &Value) -> Option<Self> {
        Some(match value {
            Value::Null | Value::Array(_) => return None,
            Value::Bool(_) => Self::Bool,
            Value::Number(number) if number.is_f64() => Self::Double,
            Value::Number(_) => Self::Long,
            Value::String(text) if is_date(text) => Self::Date,
            Value::String(_) => Self::Text,
            Value::Object(map) if name.ends_with("_geo_location") && is_geo(map) => Self::Geo,
            Value::Object(_) => Self::Object,
        })
    }

    /// May a field of this type hold a value of the other?
    pub(super) fn takes(self, other: Self) -> bool {
        self == other || matches!((self, other), (Self::Double, Self::Long) | (Self::Text, Self::Date))
    }
}

fn is_geo(map: &Map<String, Value>) -> bool {
    map.len() == 2 && ["lat", "lon"].iter().all(|key| map.get(*key).is_some_and(Value::is_number))
}

/// `yyyy-MM-dd`, `yyyy-MM-dd HH:mm:ss`, the same with an offset, or with `T`, milliseconds and an offset.
pub(super) fn is_date(text: &str) -> bool {
    if !text.is_ascii() || text.len() < 10 {
        return false;
    }
    let (day, rest) = text.split_at(10);
    if day.as_bytes()[4] != b'-' || NaiveDate::parse_from_str(day, "%Y-%m-%d").is_err() {
        return false;
    }
    match rest.as_bytes().first() {
        None => true,
        Some(b' ') => {
            let (clock, offset) = rest[1..].split_once(' ').map_or((&rest[1..], None), |(clock, offset)| (clock, Some(offset)));
            is_clock(clock) && offset.is_none_or(is_offset)
        }
        Some(b'T') if rest.len() >= 13 => {
            let (clock, rest) = rest[1..].split_at(8);
            let millis = rest.as_bytes();
            millis.len() > 4 && millis[0] == b'.' && millis[1..4].iter().all(u8::is_ascii_digit) && is_clock(clock) && is_offset(&rest[4..])
        }
        Some(_) => false,
    }
}

fn is_clock(text: &str) -> bool {
    text.len() == 8 && chrono::NaiveTime::parse_from_str(text, "%H:%M:%S").is_ok()
}

fn is_offset(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text == "Z"
        || text.strip_prefix(['+', '-']).is_some_and(|rest| match rest.split_once(':') {
            Some((hours, minutes)) => hours.len() == 2 && minutes.len() == 2 && digits(hours) && digits(minutes),
            None => rest.len() == 4 && digits(rest),
        })
}

/// The fields of one namespace: the profile, or one event name.
#[derive(Default)]
pub(super) struct Schema {
    types: HashMap<String, Type>,
    /// Fields the vendor makes itself count towards no limit.
    system: usize,
}

impl Schema {
    pub(super) fn with_system_fields(fields: &[(&str, Type)]) -> Self {
        Self { types: fields.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect(), system: fields.len() }
    }

    pub(super) fn named(&self) -> BTreeMap<&str, &'static str> {
        self.types.iter().map(|(name, kind)| (name.as_str(), kind.name())).collect()
    }
}

/// A field and the type it would get.
pub(super) type Added = BTreeMap<String, Type>;

/// What a request would make of a schema; nothing is written until the whole request is known to be good.
pub(super) struct Overlay<'a> {
    base: Option<&'a Schema>,
    most: usize,
    /// Goes in front of a field's name where a mismatch is reported.
    prefix: &'a str,
    category: &'static str,
    added: Added,
    wrong: BTreeMap<String, Value>,
    filtered: BTreeSet<String>,
}

/// What an overlay leaves behind once it is known to be good.
pub(super) struct Changes {
    pub(super) added: Added,
    pub(super) filtered: BTreeSet<String>,
}

impl<'a> Overlay<'a> {
    pub(super) fn profile(base: &'a Schema, most: usize) -> Self {
        Self::new(Some(base), most, "", "user")
    }

    pub(super) fn event(base: Option<&'a Schema>, most: usize, name: &'a str) -> Self {
        Self::new(base, most, name, "event")
    }

    fn new(base: Option<&'a Schema>, most: usize, prefix: &'a str, category: &'static str) -> Self {
        Self { base, most, prefix, category, added: Added::new(), wrong: BTreeMap::new(), filtered: BTreeSet::new() }
    }

    /// Takes fields in. With `create` off the unknown ones are left out of what is returned.
    pub(super) fn admit(&mut self, fields: &Map<String, Value>, create: bool) -> Map<String, Value> {
        self.object("", fields, create)
    }

    /// Takes the fields of an item in, below a name that is not sent itself.
    pub(super) fn admit_under(&mut self, prefix: &str, fields: &Map<String, Value>) {
        self.object(prefix, fields, true);
    }

    /// Goes on from what earlier rows of the same request would add.
    pub(super) fn resume(&mut self, added: Added) {
        self.added = added;
    }

    fn object(&mut self, prefix: &str, fields: &Map<String, Value>, create: bool) -> Map<String, Value> {
        let mut kept = Map::new();
        for (name, value) in fields {
            let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            if let Some(value) = self.value(&path, value, create) {
                kept.insert(name.clone(), value);
            }
        }
        kept
    }

    fn known(&self, path: &str) -> Option<Type> {
        self.base.and_then(|schema| schema.types.get(path)).or_else(|| self.added.get(path)).copied()
    }

    /// The value with unknown fields left out; None when nothing is to be stored.
    fn value(&mut self, path: &str, value: &Value, create: bool) -> Option<Value> {
        let known = self.known(path);
        if known.is_none() && !create {
            self.filtered.insert(path.to_owned());
            return None;
        }
        let incoming = incoming_types(path, value);
        let expected = known.or_else(|| common(&incoming));
        if let Some(expected) = expected {
            if let Some(bad) = incoming.iter().find(|kind| !expected.takes(**kind)) {
                let offending = elements(value).find(|item| Type::of(path, item) == Some(*bad)).unwrap_or(value);
                self.mismatch(path, &incoming, expected, offending);
                return None;
            }
            if known.is_none() {
                self.added.insert(path.to_owned(), expected);
            }
        }
        Some(match value {
            Value::Object(map) if expected == Some(Type::Object) => Value::Object(self.object(path, map, create)),
            Value::Array(items) if expected == Some(Type::Object) => {
                let each = |item: &Value| match item {
                    Value::Object(map) => Value::Object(self.object(path, map, create)),
                    other => other.clone(),
                };
                Value::Array(items.iter().map(each).collect())
            }
            other => other.clone(),
        })
    }

    fn mismatch(&mut self, path: &str, incoming: &[Type], expected: Type, offending: &Value) {
        let key = if self.prefix.is_empty() { path.to_owned() } else { format!("{}:::{path}", self.prefix) };
        let incoming: Vec<&str> = incoming.iter().map(|kind| kind.name()).collect();
        let why = json!({"incomingTypes": incoming, "expectedType": expected.name(), "category": self.category,
            "offendingValue": offending, "_type": "UnexpectedType"});
        self.wrong.insert(key, why);
    }

    /// What there is to write, or why the request is refused as a whole.
    pub(super) fn finish(self) -> Result<Changes, Refusal> {
        if !self.wrong.is_empty() {
            let msg = "The request does not have the same data types as previous requests";
            return Err(Refusal::new(400, "RequestFieldsTypesMismatched", msg).with(json!({"validationErrors": self.wrong})));
        }
        let there = self.base.map_or(0, |schema| schema.types.len() - schema.system);
        if !self.added.is_empty() && there + self.added.len() > self.most {
            let msg = format!("The limit of {} unique fields is exceeded", self.most);
            return Err(Refusal::new(400, "UniqueFieldsLimitExceeded", msg));
        }
        Ok(Changes { added: self.added, filtered: self.filtered })
    }
}

impl Schema {
    pub(super) fn apply(&mut self, added: Added) {
        self.types.extend(added);
    }
}

/// The value itself, or the elements of an array however deep.
fn elements(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Array(items) => Box::new(items.iter().flat_map(elements)),
        other => Box::new(std::iter::once(other)),
    }
}

fn incoming_types(path: &str, value: &Value) -> Vec<Type> {
    let mut types = Vec::new();
    for kind in elements(value).filter_map(|item| Type::of(path, item)) {
        if !types.contains(&kind) {
            types.push(kind);
        }
    }
    types
}

/// The type a new field gets: the widest of those it arrives with, or the first when they don't go together.
fn common(types: &[Type]) -> Option<Type> {
    types.iter().copied().find(|kind| types.iter().all(|other| kind.takes(*other))).or_else(|| types.first().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_documented_patterns_are_dates() {
        for date in [
            "2026-01-01",
            "2026-01-01 10:00:00",
            "2026-01-01 10:00:00 +00:00",
            "2026-01-01 10:00:00 -0500",
            "2026-01-01T10:00:00.000+00:00",
            "2026-01-01T10:00:00.000Z",
        ] {
            assert!(is_date(date), "{date}");
        }
        for text in [
            "2026-13-01",
            "2026-1-1",
            "2026-01-01 10:00:00.000",
            "2026-01-01T10:00:00Z",
            "2026-01-01T10:00:00",
            "01/01/2026",
            "2026-01-01 ",
            "20260101",
            "2026-01-01T10:00:00.000",
        ] {
            assert!(!is_date(text), "{text}");
        }
    }

    #[test]
    fn a_whole_number_fits_a_double_and_not_the_other_way_round() {
        assert!(Type::Double.takes(Type::Long));
        assert!(!Type::Long.takes(Type::Double));
        assert_eq!(common(&[Type::Long, Type::Double]), Some(Type::Double));
    }
}
