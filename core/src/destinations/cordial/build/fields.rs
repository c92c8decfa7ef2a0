//! What is sent of a contact: the configured attributes and lists, each in the form its type has at Cordial.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::super::capabilities::{MAX_ITEMS, MAX_TEXT};
use super::super::config::{Attribute, AttributeType, Config, FIELDS};
use super::super::ids::Who;
use super::super::payload::{Day, Stamp, dropped};
use crate::model::money::JsonNumber;
use crate::model::{Address, AttributeValue, Consent, Contact, Envelope, Finding, pointer_token};

/// Attributes and lists of one contact, ready to be written.
#[derive(Default)]
pub(super) struct Fields {
    members: Vec<(String, Value)>,
}

enum Value {
    Text(String),
    Number(JsonNumber),
    Whole(i64),
    Date(Day),
    Instant(Stamp),
    List(Vec<String>),
    Member(bool),
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Text(text) => serializer.serialize_str(text),
            Value::Number(number) => number.serialize(serializer),
            Value::Whole(number) => serializer.serialize_i64(*number),
            Value::Date(day) => day.serialize(serializer),
            Value::Instant(at) => at.serialize(serializer),
            Value::List(list) => list.serialize(serializer),
            Value::Member(member) => serializer.serialize_bool(*member),
        }
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.members.len()))?;
        for (name, value) in &self.members {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// What a canonical field holds, before it is fitted to the attribute's type.
enum Given<'a> {
    Text(&'a str),
    Flag(bool),
    Texts(Vec<&'a str>),
    Date(Day),
    Instant(Stamp),
    Address(&'a Address),
    Value(&'a AttributeValue),
}

impl Fields {
    /// Whether a file can hold them: no list of texts and no list membership, whose form in a file is not published.
    pub(super) fn fit_a_file(&self) -> bool {
        !self.members.iter().any(|(_, value)| matches!(value, Value::List(_) | Value::Member(_)))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Everything configured that is known. `aside`: only what proves a permission.
    pub(super) fn of(
        config: &Config,
        envelope: &Envelope,
        who: &Who<'_>,
        contact: &Contact,
        consents: &[&Consent],
        aside: bool,
        findings: &mut Vec<Finding>,
    ) -> Fields {
        let mut fields = Fields::default();
        for (field, attribute) in &config.attributes {
            let proof = field.starts_with("consent_");
            if aside && !proof {
                continue;
            }
            let given = if proof { evidence(field, consents) } else { given(field, envelope, who, contact) };
            let (given, pointer) = match given {
                Some(given) => (Some(given), format!("/body/{field}")),
                None if FIELDS.contains(&field.as_str()) => (None, String::new()),
                None => {
                    let pointer = format!("/body/attributes/{}", pointer_token(field));
                    (contact.attributes.get(field).filter(|_| !aside).map(Given::Value), pointer)
                }
            };
            let Some(given) = given else { continue };
            if let Err(why) = fields.put(attribute, given) {
                findings.push(dropped(&pointer, why));
            }
        }
        if !aside {
            fields.lists(config, contact);
            for name in contact.attributes.keys() {
                if !config.attributes.contains_key(name) && !config.lists.contains_key(name) {
                    let pointer = format!("/body/attributes/{}", pointer_token(name));
                    findings.push(dropped(&pointer, "neither `attributes` nor `lists` names this field"));
                }
            }
        }
        fields
    }

    fn lists(&mut self, config: &Config, contact: &Contact) {
        for (field, list) in &config.lists {
            let member = if let Some(group) = field.strip_prefix("group:") {
                Some(contact.groups.iter().any(|own| own == group))
            } else if let Some(store) = field.strip_prefix("store:") {
                Some(contact.stores.iter().any(|own| own == store))
            } else if field == "email_verified" {
                contact.email_verified
            } else if let Some(AttributeValue::Boolean(flag)) = contact.attributes.get(field) {
                Some(*flag)
            } else {
                None
            };
            if let Some(member) = member {
                self.members.push((list.clone(), Value::Member(member)));
            }
        }
    }

    fn put(&mut self, attribute: &Attribute, given: Given<'_>) -> Result<(), &'static str> {
        let value = match attribute.kind {
            AttributeType::Geo => {
                let Given::Address(address) = given else { return Err("only an address is of type `geo`") };
                return self.geo(&attribute.key, address);
            }
            AttributeType::String => {
                let text = as_text(given)?;
                if text.is_empty() {
                    return Ok(());
                }
                if text.chars().count() > attribute.max.unwrap_or(MAX_TEXT) as usize {
                    return Err("the text is longer than the attribute takes");
                }
                Value::Text(text)
            }
            AttributeType::Number => as_number(given)?,
            AttributeType::Date => match given {
                Given::Date(day) => Value::Date(day),
                Given::Value(AttributeValue::Date(day)) => Value::Date(Day(*day)),
                Given::Instant(at) => Value::Instant(at),
                Given::Value(AttributeValue::DateTime(at)) => Value::Instant(Stamp(*at)),
                _ => return Err("the attribute is a date, the field is none"),
            },
            AttributeType::Array => {
                let list = as_list(given)?;
                if list.len() > attribute.max.unwrap_or(MAX_ITEMS) as usize {
                    return Err("the list has more entries than the attribute takes; the oldest would fall out");
                }
                Value::List(list)
            }
        };
        self.members.push((attribute.key.clone(), value));
        Ok(())
    }

    /// An address, part by part: <https://support.cordial.com/hc/en-us/articles/115005528368>.
    fn geo(&mut self, key: &str, address: &Address) -> Result<(), &'static str> {
        for (part, value) in [
            ("street_address", &address.line1),
            ("street_address2", &address.line2),
            ("city", &address.city),
            ("state", &address.region),
            ("postal_code", &address.postal_code),
            ("country", &address.country),
        ] {
            if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
                self.members.push((format!("{key}.{part}"), Value::Text(value.to_owned())));
            }
        }
        Ok(())
    }
}

fn given<'a>(field: &str, envelope: &'a Envelope, who: &'a Who<'_>, contact: &'a Contact) -> Option<Given<'a>> {
    let market = &envelope.market;
    let text = |value: &'a Option<String>| value.as_deref().map(Given::Text);
    match field {
        "first_name" => text(&contact.first_name),
        "middle_name" => text(&contact.middle_name),
        "last_name" => text(&contact.last_name),
        "salutation" => text(&contact.salutation),
        "title" => text(&contact.title),
        "company" => text(&contact.company),
        "vat_id" => text(&contact.vat_id),
        "gender" => text(&contact.gender),
        "date_of_birth" => contact.date_of_birth.map(|day| Given::Date(Day(day))),
        "customer_number" => text(&contact.customer_number),
        "phone" => who.phone.as_deref().map(Given::Text),
        "timezone" => text(&contact.timezone),
        "email_verified" => contact.email_verified.map(Given::Flag),
        "locale" => text(&market.locale),
        "country" => text(&market.country),
        "currency" => market.currency.as_ref().map(|currency| Given::Text(currency.as_str())),
        "store" => text(&market.store),
        "channel" => text(&market.channel),
        "customer_group" => contact.groups.first().map(|group| Given::Text(group)),
        "groups" => Some(Given::Texts(contact.groups.iter().map(String::as_str).collect())),
        "stores" => Some(Given::Texts(contact.stores.iter().map(String::as_str).collect())),
        "created_at" => contact.created_at.map(|at| Given::Instant(Stamp(at))),
        "updated_at" => contact.updated_at.map(|at| Given::Instant(Stamp(at))),
        "address" => {
            let all = &contact.addresses;
            let shipping = all.iter().find(|address| address.default_shipping);
            shipping.or_else(|| all.iter().find(|address| address.default_billing)).or_else(|| all.first()).map(Given::Address)
        }
        "billing_address" => contact.addresses.iter().find(|address| address.default_billing).map(Given::Address),
        _ => None,
    }
}

/// `consent_<channel>_status`, `_at`, `_source`, `_evidence`.
fn evidence<'a>(field: &str, consents: &[&'a Consent]) -> Option<Given<'a>> {
    let (channel, part) = field.strip_prefix("consent_")?.rsplit_once('_')?;
    let consent = consents.iter().find(|consent| consent.channel.as_str() == channel)?;
    match part {
        "status" => Some(Given::Text(status(consent))),
        "at" => consent.at.map(|at| Given::Instant(Stamp(at))),
        "source" => consent.source.as_deref().map(Given::Text),
        "evidence" => consent.evidence.as_deref().map(Given::Text),
        _ => None,
    }
}

fn status(consent: &Consent) -> &'static str {
    use crate::model::ConsentStatus;
    match consent.status {
        ConsentStatus::Granted => "granted",
        ConsentStatus::Denied => "denied",
        ConsentStatus::Pending => "pending",
        ConsentStatus::Unknown => "unknown",
    }
}

fn json<T: Serialize>(value: &T) -> Result<String, &'static str> {
    let text = serde_json::to_string(value).map_err(|_| "a year has four digits")?;
    Ok(text.trim_matches('"').to_owned())
}

fn as_text(given: Given<'_>) -> Result<String, &'static str> {
    Ok(match given {
        Given::Text(text) => text.to_owned(),
        Given::Flag(flag) => flag.to_string(),
        Given::Date(day) => json(&day)?,
        Given::Instant(at) => json(&at)?,
        Given::Value(AttributeValue::Text(text)) => text.clone(),
        Given::Value(AttributeValue::Boolean(flag)) => flag.to_string(),
        Given::Value(AttributeValue::Integer(number)) => number.to_string(),
        Given::Value(AttributeValue::Decimal(number)) => number.normalize().to_string(),
        Given::Value(AttributeValue::Date(day)) => json(&Day(*day))?,
        Given::Value(AttributeValue::DateTime(at)) => json(&Stamp(*at))?,
        Given::Value(AttributeValue::Money(money)) => money.to_string(),
        _ => return Err("the attribute is a text, the field is a list or an object"),
    })
}

fn as_number(given: Given<'_>) -> Result<Value, &'static str> {
    Ok(match given {
        Given::Value(AttributeValue::Integer(number)) => Value::Whole(*number),
        Given::Value(AttributeValue::Decimal(number)) => Value::Number(JsonNumber(*number)),
        Given::Value(AttributeValue::Money(money)) => Value::Number(JsonNumber(money.amount)),
        _ => return Err("the attribute is a number, the field is none"),
    })
}

fn as_list(given: Given<'_>) -> Result<Vec<String>, &'static str> {
    match given {
        Given::Texts(texts) => Ok(texts.into_iter().map(str::to_owned).collect()),
        Given::Value(AttributeValue::List(values)) => values.iter().map(|value| as_text(Given::Value(value))).collect(),
        other => Ok(vec![as_text(other)?]),
    }
}
