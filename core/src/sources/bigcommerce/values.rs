//! Attributes, form fields, metafields, custom fields: values of kinds that only the merchant knows. Read only where they
//! are configured.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::value::RawValue;

use super::config::{FieldMapping, ValueType};
use super::wire::{Text, instant, spelled};
use crate::model::{AttributeValue, Attributes, Finding, FindingCode, pointer_token};
use crate::normalize::text::filled;
use crate::normalize::time::parse_date;

/// Own fields that never leave the shop, whatever is configured: what staff wrote, what goods cost the merchant, addresses
/// of machines, payment instruments, secrets.
const WITHHELD: [&str; 12] = [
    "staff_notes",
    "staff_note",
    "notes",
    "customer_message",
    "ip_address",
    "ip_address_v6",
    "registration_ip_address",
    "authentication",
    "credit_card_type",
    "cost_price",
    "token",
    "redirect_urls",
];

/// How deep a value may be nested.
const DEPTH: usize = 8;

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Own,
    Attribute,
    FormField,
    Metafield,
    Option,
}

/// Named values, unread, with the JSON pointer of each; then the names and pointers of those that never leave the shop.
#[derive(Default)]
pub(super) struct Fields<'a>(Vec<Field<'a>>, Vec<(String, String)>);

struct Field<'a> {
    place: Place,
    name: String,
    raw: &'a RawValue,
    pointer: String,
}

impl<'a> Fields<'a> {
    pub(super) fn add(&mut self, place: Place, name: &str, raw: Option<&'a RawValue>, pointer: impl Into<String>) {
        let (Some(raw), Some(name)) = (raw, filled(name)) else { return };
        // An empty value is the platform's way to say that there is none.
        if !matches!(raw.get(), "null" | "\"\"" | "{}" | "[]") {
            self.0.push(Field { place, name: name.to_owned(), raw, pointer: pointer.into() });
        }
    }

    /// The own fields of a resource, but those that never leave the shop.
    pub(super) fn own(&mut self, raw: &'a str, prefix: &str) {
        let fields: BTreeMap<Text<'a>, &'a RawValue> = serde_json::from_str(raw).unwrap_or_default();
        for (name, raw) in fields {
            let pointer = format!("{prefix}/{}", pointer_token(&name));
            if WITHHELD.contains(&&*name) {
                self.1.push((name.to_string(), pointer));
            } else {
                self.add(Place::Own, &name, Some(raw), pointer);
            }
        }
    }

    fn find(&self, name: &str, of: impl Fn(Place) -> bool) -> Option<&Field<'a>> {
        self.0.iter().find(|field| field.name == name && of(field.place))
    }

    /// The value of that name, with its pointer, among those that `of` accepts.
    pub(super) fn get(&self, name: &str, of: impl Fn(Place) -> bool) -> Option<(&'a RawValue, &str)> {
        self.find(name, of).map(|field| (field.raw, field.pointer.as_str()))
    }

    /// The text of a field.
    pub(super) fn text(&self, name: &str, of: impl Fn(Place) -> bool) -> Option<String> {
        let (raw, _) = self.get(name, of)?;
        match value(raw, None, DEPTH)? {
            AttributeValue::Text(text) => filled(&text).map(str::to_owned),
            AttributeValue::Integer(number) => Some(number.to_string()),
            AttributeValue::Decimal(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// Reads the configured ones into `out`. What the merchant added comes before the platform's own field of that name.
    pub(super) fn map(&self, mappings: &[FieldMapping], out: &mut Attributes, findings: &mut Vec<Finding>) {
        for mapping in mappings {
            let added = self.find(&mapping.field, |place| place != Place::Own);
            let Some(field) = added.or_else(|| self.find(&mapping.field, |place| place == Place::Own)) else {
                if let Some((_, pointer)) = self.1.iter().find(|(name, _)| *name == mapping.field) {
                    findings.push(Finding::new(FindingCode::ValueUnknown, pointer.clone(), "a field that never leaves the shop; left out"));
                }
                continue;
            };
            match value(field.raw, mapping.kind, DEPTH) {
                Some(value) => {
                    out.insert(mapping.name.as_ref().unwrap_or(&mapping.field).clone(), value);
                }
                None => findings.push(not_of_type(field.pointer.clone())),
            }
        }
    }
}

/// The finding for a value that is not of its configured type.
pub(super) fn not_of_type(pointer: String) -> Finding {
    Finding::new(FindingCode::ValueUnknown, pointer, "the value is not of the configured type; left out")
}

/// A text as a value of that type.
pub(super) fn typed(text: &str, kind: Option<ValueType>) -> Option<AttributeValue> {
    of_text(text, kind)
}

/// The truth that a word means.
pub(super) fn truth(word: &str) -> Option<bool> {
    match word.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

fn value(raw: &RawValue, kind: Option<ValueType>, depth: usize) -> Option<AttributeValue> {
    let depth = depth.checked_sub(1)?;
    let text = raw.get();
    match text.as_bytes().first()? {
        b't' => of_truth(true, kind),
        b'f' => of_truth(false, kind),
        b'"' => of_text(&serde_json::from_str::<Text<'_>>(text).ok()?, kind),
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            items.into_iter().map(|item| value(item, kind, depth)).collect::<Option<_>>().map(AttributeValue::List)
        }
        b'{' if kind.is_none() => {
            let fields: BTreeMap<Text<'_>, &RawValue> = serde_json::from_str(text).ok()?;
            let named = fields.iter().filter_map(|(name, raw)| Some((name.to_string(), value(raw, None, depth)?)));
            Some(AttributeValue::Object(named.collect()))
        }
        b'{' | b'n' => None,
        _ => of_number(spelled(text)?, kind),
    }
}

fn of_truth(truth: bool, kind: Option<ValueType>) -> Option<AttributeValue> {
    match kind {
        None | Some(ValueType::Boolean) => Some(AttributeValue::Boolean(truth)),
        Some(ValueType::Text) => Some(AttributeValue::Text(truth.to_string())),
        _ => None,
    }
}

fn of_number(number: Decimal, kind: Option<ValueType>) -> Option<AttributeValue> {
    let whole = || number.is_integer().then(|| number.normalize()).and_then(|whole| i64::try_from(whole).ok());
    match kind {
        None => Some(match whole() {
            Some(whole) if number.scale() == 0 => AttributeValue::Integer(whole),
            _ => AttributeValue::Decimal(number),
        }),
        Some(ValueType::Integer) => whole().map(AttributeValue::Integer),
        Some(ValueType::Decimal) => Some(AttributeValue::Decimal(number)),
        Some(ValueType::Text) => Some(AttributeValue::Text(number.to_string())),
        Some(ValueType::Boolean) => truth(&number.normalize().to_string()).map(AttributeValue::Boolean),
        _ => None,
    }
}

fn of_text(text: &str, kind: Option<ValueType>) -> Option<AttributeValue> {
    match kind {
        None | Some(ValueType::Text) => Some(AttributeValue::Text(text.to_owned())),
        Some(ValueType::Boolean) => truth(text).map(AttributeValue::Boolean),
        Some(ValueType::Integer) => match of_number(spelled(text)?, kind)? {
            whole @ AttributeValue::Integer(_) => Some(whole),
            _ => None,
        },
        Some(ValueType::Decimal) => spelled(text).map(AttributeValue::Decimal),
        Some(ValueType::Date) => parse_date(text).or_else(|| instant(text).map(|at| at.date_naive())).map(AttributeValue::Date),
        Some(ValueType::DateTime) => instant(text).map(AttributeValue::DateTime),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str, kind: Option<ValueType>) -> Option<AttributeValue> {
        let raw: &RawValue = serde_json::from_str(json).unwrap_or_else(|error| unreachable!("{error}"));
        value(raw, kind, DEPTH)
    }

    #[test]
    fn text_is_read_as_the_configured_type_or_not_at_all() {
        assert_eq!(read(r#""52""#, None), Some(AttributeValue::Text("52".to_owned())));
        assert_eq!(read(r#""52""#, Some(ValueType::Integer)), Some(AttributeValue::Integer(52)));
        assert_eq!(read(r#""52.5""#, Some(ValueType::Integer)), None);
        assert_eq!(read(r#""Yes""#, Some(ValueType::Boolean)), Some(AttributeValue::Boolean(true)));
        assert_eq!(read(r#""perhaps""#, Some(ValueType::Boolean)), None);
        assert_eq!(read(r#""soon""#, Some(ValueType::Date)), None);
    }

    #[test]
    fn what_never_leaves_the_shop_cannot_be_configured() {
        let mut fields = Fields::default();
        fields.own(r#"{"staff_notes": "difficult", "order_source": "www"}"#, "");
        assert!(fields.get("staff_notes", |_| true).is_none());
        assert!(fields.get("order_source", |_| true).is_some());
    }
}
