//! Custom fields and attributes: values of types that only the merchant knows. Read only where they are configured.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::value::RawValue;

use super::config::{FieldMapping, ValueType};
use super::wire::{Amount, Attribute, Localized, Text};
use crate::json;
use crate::model::{AttributeValue, Attributes, Finding, FindingCode, pointer_token};
use crate::normalize::text::{filled, pick};
use crate::normalize::time::{parse_date, parse_instant};

/// Nested attributes can be nested again; nobody nests deeper than this.
const DEPTH: usize = 8;

/// Named values, unread.
pub(super) struct Fields<'a>(Vec<(Text<'a>, &'a RawValue)>);

impl<'a> Fields<'a> {
    /// The fields of a resource with custom fields.
    pub(super) fn of_custom(raw: &'a RawValue) -> Option<Self> {
        let fields: BTreeMap<Text<'a>, Option<&'a RawValue>> = serde_json::from_str(raw.get()).ok()?;
        Some(Fields(fields.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))).collect()))
    }

    /// The attributes of a product or variant.
    pub(super) fn of_attributes(raw: &'a RawValue) -> Option<Self> {
        // A raw value is one value and nothing behind it, so what is read of it is all of it.
        let read = json::read(raw.get()).map(|(attributes, _)| attributes);
        let attributes: Vec<Attribute<'a>> = read.or_else(|| serde_json::from_str(raw.get()).ok())?;
        Some(Fields(attributes.into_iter().filter_map(|attribute| attribute.value.map(|value| (attribute.name, value))).collect()))
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().find(|(known, _)| &**known == name).map(|(_, value)| *value)
    }

    /// The text of a field, whatever it is wrapped in.
    pub(super) fn text(&self, name: &str, locales: &[&str]) -> Option<String> {
        match value(self.get(name)?, None, locales, DEPTH)? {
            AttributeValue::Text(text) => match filled(&text)? {
                filled if filled.len() < text.len() => Some(filled.to_owned()),
                _ => Some(text),
            },
            AttributeValue::Integer(number) => Some(number.to_string()),
            AttributeValue::Decimal(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// Reads the configured ones into `out`. Where they stand is only asked when one does not fit.
    pub(super) fn map(
        &self,
        mappings: &[FieldMapping],
        locales: &[&str],
        pointer: &dyn Fn() -> String,
        out: &mut Attributes,
        findings: &mut Vec<Finding>,
    ) {
        for mapping in mappings {
            let Some(raw) = self.get(&mapping.field) else { continue };
            match value(raw, mapping.kind, locales, DEPTH) {
                Some(value) => {
                    out.insert(mapping.name.as_ref().unwrap_or(&mapping.field).clone(), value);
                }
                None => {
                    let pointer = format!("{}/{}", pointer(), pointer_token(&mapping.field));
                    findings.push(Finding::new(FindingCode::ValueUnknown, pointer, "the value is not of the configured type; left out"));
                }
            }
        }
    }
}

/// The decimal that a JSON number spells, digit by digit.
pub(super) fn decimal(raw: &RawValue) -> Option<Decimal> {
    let text = raw.get();
    text.parse().ok().or_else(|| Decimal::from_scientific(text).ok())
}

fn value(raw: &RawValue, kind: Option<ValueType>, locales: &[&str], depth: usize) -> Option<AttributeValue> {
    let depth = depth.checked_sub(1)?;
    let text = raw.get();
    match text.as_bytes().first()? {
        b't' => scalar_bool(true, kind),
        b'f' => scalar_bool(false, kind),
        b'"' => scalar_text(&serde_json::from_str::<Text<'_>>(text).ok()?, kind),
        b'[' => list(text, kind, locales, depth),
        b'{' => object(text, kind, locales, depth),
        b'n' => None,
        _ => scalar_number(decimal(raw)?, kind),
    }
}

fn scalar_bool(truth: bool, kind: Option<ValueType>) -> Option<AttributeValue> {
    match kind {
        None | Some(ValueType::Boolean) => Some(AttributeValue::Boolean(truth)),
        Some(ValueType::Text | ValueType::Key) => Some(AttributeValue::Text(truth.to_string())),
        _ => None,
    }
}

fn scalar_number(number: Decimal, kind: Option<ValueType>) -> Option<AttributeValue> {
    let whole = || number.is_integer().then(|| number.normalize()).and_then(|whole| i64::try_from(whole).ok());
    match kind {
        None => Some(match whole() {
            Some(whole) if number.scale() == 0 => AttributeValue::Integer(whole),
            _ => AttributeValue::Decimal(number),
        }),
        Some(ValueType::Integer) => whole().map(AttributeValue::Integer),
        Some(ValueType::Decimal) => Some(AttributeValue::Decimal(number)),
        Some(ValueType::Text | ValueType::Key) => Some(AttributeValue::Text(number.to_string())),
        _ => None,
    }
}

fn scalar_text(text: &str, kind: Option<ValueType>) -> Option<AttributeValue> {
    match kind {
        None | Some(ValueType::Text | ValueType::Key) => Some(AttributeValue::Text(text.to_owned())),
        Some(ValueType::Boolean) => text.parse().ok().map(AttributeValue::Boolean),
        Some(ValueType::Integer) => text.trim().parse().ok().map(AttributeValue::Integer),
        Some(ValueType::Decimal) => text.trim().parse().ok().map(AttributeValue::Decimal),
        Some(ValueType::Date) => parse_date(text).or_else(|| parse_instant(text).map(|at| at.date_naive())).map(AttributeValue::Date),
        Some(ValueType::DateTime) => parse_instant(text).map(AttributeValue::DateTime),
        Some(ValueType::Money) => None,
    }
}

fn list(text: &str, kind: Option<ValueType>, locales: &[&str], depth: usize) -> Option<AttributeValue> {
    let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    // A nested attribute is a list of named values.
    if items.first().is_some_and(|first| first.get().starts_with('{'))
        && let Ok(attributes) = serde_json::from_str::<Vec<Attribute<'_>>>(text)
    {
        let named =
            attributes.iter().filter_map(|attribute| Some((attribute.name.to_string(), value(attribute.value?, None, locales, depth)?)));
        return Some(AttributeValue::Object(named.collect()));
    }
    items.into_iter().map(|item| value(item, kind, locales, depth)).collect::<Option<_>>().map(AttributeValue::List)
}

fn object(text: &str, kind: Option<ValueType>, locales: &[&str], depth: usize) -> Option<AttributeValue> {
    if let Ok(Amount(money)) = serde_json::from_str::<Amount>(text) {
        return matches!(kind, None | Some(ValueType::Money)).then_some(AttributeValue::Money(money));
    }
    let fields: BTreeMap<Text<'_>, &RawValue> = serde_json::from_str(text).ok()?;
    let inner = |name: &str| fields.get(&Text(name.into())).and_then(|raw| value(raw, None, locales, depth));
    if fields.contains_key(&Text("typeId".into())) {
        return inner("id").or_else(|| inner("key"));
    }
    if fields.contains_key(&Text("key".into())) && fields.keys().all(|name| matches!(&**name, "key" | "label")) {
        let label = if kind == Some(ValueType::Key) { None } else { inner("label") };
        return label.or_else(|| inner("key"));
    }
    if fields.keys().all(|name| looks_like_locale(name))
        && let Ok(texts) = serde_json::from_str::<Localized<'_>>(text)
    {
        return scalar_text(pick(&texts.0, locales)?, kind);
    }
    if kind.is_some() {
        return None;
    }
    let named = fields.iter().filter_map(|(name, raw)| Some((name.to_string(), value(raw, None, locales, depth)?)));
    Some(AttributeValue::Object(named.collect()))
}

fn looks_like_locale(name: &str) -> bool {
    let language = name.split(['-', '_']).next().unwrap_or_default();
    (2..=3).contains(&language.len())
        && name.len() <= 12
        && language.bytes().all(|byte| byte.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}
