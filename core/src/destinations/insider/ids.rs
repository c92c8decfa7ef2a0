//! Names Insider takes: who someone is, what an item, event and attribute are called.

use std::borrow::Cow;

use serde::Serialize;

use super::super::Skip;
use super::config::{Categories, Config, ItemId};
use super::payload::Object;
use crate::error::Error;
use crate::fingerprint;
use crate::model::{CategoryRef, Finding, FindingCode, Identity, LineItem, SkipReason};

/// One identifier of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Id<'a> {
    /// `uuid`
    Uuid(Cow<'a, str>),
    /// `email`
    Email(&'a str),
    /// `phone_number`
    Phone(&'a str),
    /// `custom.<name>`
    Custom(&'a str, &'a str),
    /// `insider_id`, which stands beside `identifiers`.
    Insider(&'a str),
}

impl Id<'_> {
    /// A name for lanes and entities that tells nothing about the person: contact data is hashed, ids stand.
    fn name(&self) -> String {
        match self {
            Id::Uuid(id) => id.clone().into_owned(),
            Id::Email(email) => fingerprint::opaque(&["email", email]),
            Id::Phone(phone) => fingerprint::opaque(&["phone", phone]),
            Id::Custom(name, id) => format!("{name}={id}"),
            Id::Insider(id) => format!("insider_id={id}"),
        }
    }
}

/// Whom a row is about: identifiers, the strongest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Who<'a> {
    ids: Vec<Id<'a>>,
}

impl<'a> Who<'a> {
    /// The name under which lanes and entities know the person.
    pub(super) fn name(&self) -> String {
        self.ids.first().map(Id::name).unwrap_or_default()
    }

    /// The same person by the strongest identifier alone.
    pub(super) fn strongest(&self) -> Who<'a> {
        Who { ids: self.ids.iter().take(1).cloned().collect() }
    }

    /// One of these per identifier.
    pub(super) fn each(&self) -> impl Iterator<Item = Who<'a>> + '_ {
        self.ids.iter().map(|id| Who { ids: vec![id.clone()] })
    }

    /// The same person with another identifier that must come to mean them.
    pub(super) fn with(mut self, id: Id<'a>) -> Who<'a> {
        if !self.ids.contains(&id) {
            self.ids.push(id);
        }
        self
    }

    pub(super) fn uuid(&self) -> Option<&str> {
        self.ids.iter().find_map(|id| if let Id::Uuid(uuid) = id { Some(uuid.as_ref()) } else { None })
    }

    /// Writes `identifiers`, or `insider_id` where nothing else is known.
    pub(super) fn write(&self, row: &mut Object) -> Result<(), Error> {
        if let [Id::Insider(id)] = self.ids.as_slice() {
            return row.put("insider_id", id);
        }
        row.raw("identifiers", &self.identifiers()?)
    }

    /// The `identifiers` object.
    pub(super) fn identifiers(&self) -> Result<Vec<u8>, Error> {
        let (mut object, mut custom) = (Object::new(96), Object::new(0));
        for id in &self.ids {
            match id {
                Id::Uuid(id) => object.put("uuid", id)?,
                Id::Email(email) => object.put("email", email)?,
                Id::Phone(phone) => object.put("phone_number", phone)?,
                Id::Custom(name, id) => custom.put(name, id)?,
                Id::Insider(_) => {}
            }
        }
        if !custom.is_empty() {
            object.raw("custom", &custom.finish())?;
        }
        Ok(object.finish())
    }
}

/// Why nobody can be named.
pub(super) enum Nobody {
    /// A setting would allow it.
    Skipped(Skip),
    /// Insider cannot take it.
    Refused(Finding),
}

/// The identifiers by which this account knows the person: those that are switched on, the strongest first.
pub(super) fn who<'a>(config: &'a Config, identity: &'a Identity) -> Result<Who<'a>, Nobody> {
    let refused = |pointer: &str, message: &str| Nobody::Refused(Finding::new(FindingCode::IdentityUnusable, pointer, message));
    let settings = &config.identifiers;
    let mut ids = Vec::with_capacity(3);
    let known = |text: &'a Option<String>| text.as_deref().filter(|text| !text.is_empty());
    if let (true, Some(id)) = (settings.uuid, known(&identity.customer_id)) {
        let id = match settings.uuid_prefix.as_str() {
            "" => Cow::Borrowed(id),
            prefix => Cow::Owned(format!("{prefix}{id}")),
        };
        if let Some(fault) = id_fault(&id) {
            return Err(refused("/envelope/identity/customer_id", fault));
        }
        ids.push(Id::Uuid(id));
    }
    for (external, name) in &settings.custom {
        if let Some(id) = identity.external_ids.get(external).filter(|id| id_fault(id).is_none()) {
            ids.push(Id::Custom(name, id));
        }
    }
    if let (true, Some(email)) = (settings.email, known(&identity.email)) {
        match email_fault(email) {
            None => ids.push(Id::Email(email)),
            Some(fault) if ids.is_empty() => return Err(refused("/envelope/identity/email", fault)),
            Some(_) => {}
        }
    }
    if let (true, Some(phone)) = (settings.phone, known(&identity.phone).filter(|phone| is_e164(phone))) {
        ids.push(Id::Phone(phone));
    }
    if !ids.is_empty() {
        return Ok(Who { ids });
    }
    if let Some(id) = settings.insider_id.as_ref().and_then(|name| identity.external_ids.get(name)).filter(|id| id_fault(id).is_none()) {
        return Ok(Who { ids: vec![Id::Insider(id)] });
    }
    match (&settings.anonymous, known(&identity.anonymous_id)) {
        (Some(name), Some(id)) if id_fault(id).is_none() => Ok(Who { ids: vec![Id::Custom(name, id)] }),
        (_, Some(_)) => Err(Nobody::Skipped(Skip::new(
            SkipReason::NotConfigured,
            "only an anonymous id is known; name a custom identifier for it in `identifiers.anonymous`",
        ))),
        _ => Err(refused("/envelope/identity", "none of the identifiers that are switched on is known")),
    }
}

/// Values Insider recommends to block, because they are what a missing id turns into
/// (<https://academy.insiderone.com/v1/docs/identity-resolution-management-settings>).
fn id_fault(id: &str) -> Option<&'static str> {
    let blocked = ["undefined", "anonymous", "0", "1", "null", "none", "nan"];
    if id.trim() != id || id.is_empty() {
        Some("an identifier is not empty and has no space around it")
    } else if blocked.iter().any(|word| id.eq_ignore_ascii_case(word)) {
        Some("the value is what a missing id turns into; Insider recommends to block it")
    } else {
        None
    }
}

/// `^.+@.+\..+$`, and no spaces.
pub(super) fn email_fault(email: &str) -> Option<&'static str> {
    let Some((local, domain)) = email.rsplit_once('@') else { return Some("the address has no `@`") };
    let dotted = domain.split_once('.').is_some_and(|(name, rest)| !name.is_empty() && !rest.is_empty());
    if local.is_empty() || !dotted {
        Some("the address lacks a part before the `@` or a full domain")
    } else if email.chars().any(|c| c.is_whitespace() || c.is_control()) {
        Some("an address holds no space")
    } else {
        None
    }
}

/// `^\+[1-9]\d{6,14}$`
pub(super) fn is_e164(phone: &str) -> bool {
    phone.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0')
    })
}

/// A custom attribute, parameter or identifier.
pub(super) fn is_name(name: &str) -> bool {
    name.len() <= 64
        && name.bytes().next().is_some_and(|first| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The server's printed rule allows capitals behind the first letter; it refuses them all the same.
pub(super) fn is_event_name(name: &str) -> bool {
    name.len() <= 128
        && name.bytes().next().is_some_and(|first| first.is_ascii_lowercase() || first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-'))
}

/// `loyaltyPoints` as `loyalty_points`; what is no letter or digit becomes `_`.
pub(super) fn snake(name: &str) -> Cow<'_, str> {
    if is_name(name) && name.bytes().all(|byte| !byte.is_ascii_uppercase()) {
        return Cow::Borrowed(name);
    }
    let mut out = String::with_capacity(name.len() + 4);
    let mut before_lower = false;
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            if c.is_ascii_uppercase() && before_lower {
                out.push('_');
            }
            before_lower = !c.is_ascii_uppercase();
            out.push(c.to_ascii_lowercase());
        } else {
            before_lower = false;
            if !out.is_empty() && !out.ends_with('_') {
                out.push('_');
            }
        }
    }
    Cow::Owned(out.trim_end_matches('_').to_owned())
}

/// `de-DE` as `de_DE`. Insider knows language and region; script and variants are left out. `None` without a region.
pub(super) fn locale(bcp47: &str) -> Option<String> {
    let mut parts = bcp47.split(['-', '_']);
    let language = parts.next().filter(|part| (2..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphabetic()))?;
    let region = parts.find(|part| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_alphabetic()))?;
    Some(format!("{}_{}", language.to_ascii_lowercase(), region.to_ascii_uppercase()))
}

/// `ll_CC`
pub(super) fn is_catalog_locale(text: &str) -> bool {
    locale(text).is_some_and(|normal| normal == text)
}

/// What an item is called in the catalog and in events: the two must be equal, or recommendations show nothing.
pub(super) fn item_id<'a>(
    config: &Config,
    product: Option<&'a str>,
    variant: Option<&'a str>,
    sku: Option<&'a str>,
) -> Option<Cow<'a, str>> {
    let sku = sku.filter(|sku| !sku.is_empty());
    match (config.item_id, product, variant) {
        (ItemId::Sku, ..) if sku.is_some() => sku.map(Cow::Borrowed),
        (ItemId::Product, Some(product), _) | (_, Some(product), None) => Some(product.into()),
        (_, Some(product), Some(variant)) => Some(format!("{product}-{variant}").into()),
        _ => sku.map(Cow::Borrowed),
    }
}

/// [`item_id`] of a line.
pub(super) fn line_item_id<'a>(config: &Config, line: &'a LineItem) -> Option<Cow<'a, str>> {
    item_id(config, line.product_id.as_deref(), line.variant_id.as_deref(), line.sku.as_deref())
}

/// Categories as the account keeps them. Root first; empty when no name is known.
pub(super) fn categories<'a>(config: &Config, categories: &'a [CategoryRef]) -> Vec<&'a str> {
    match config.categories {
        Categories::Path => {
            categories.iter().find(|category| !category.path.is_empty()).map(|c| c.path.iter().map(String::as_str).collect())
        }
        Categories::Labels => {
            let mut labels: Vec<&str> = Vec::new();
            for label in categories.iter().filter_map(|category| category.path.last()) {
                if !labels.contains(&label.as_str()) {
                    labels.push(label);
                }
            }
            Some(labels)
        }
    }
    .unwrap_or_default()
}

/// An id and its value, for calls that change it.
#[derive(Serialize)]
pub(super) struct Single<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<&'a str>,
}
