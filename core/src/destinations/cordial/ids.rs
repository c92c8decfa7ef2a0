//! Names Cordial takes: who someone is, keys, event names, ids of supplement records.

use std::borrow::Cow;

use super::config::{Checked, Config, Key};
use crate::fingerprint;
pub(super) use crate::http::percent;
use crate::model::{Finding, FindingCode, Identity};

/// Top-level members of a contact's body that are no attributes.
#[rustfmt::skip]
pub(super) const RESERVED: &[&str] = &[
    "channels", "suppressTriggers", "identifyBy", "forceSubscribe", "cID", "cid", "attributes", "lists", "listJoinDate", "_id", "email",
];

/// Event names of Cordial's own (<https://support.cordial.com/hc/en-us/articles/203885968>).
const RESERVED_EVENTS: &[&str] = &["message-sent", "open", "click", "optout", "bounce", "complaint", "pageview", "message-stopped"];

/// Longest event name.
const MAX_EVENT_NAME: usize = 40;

/// Whom a row is about, with all that Cordial may know them by.
#[derive(Clone, Debug)]
pub(super) struct Who<'a> {
    /// What leads: name and value of one key.
    key: &'a str,
    value: Cow<'a, str>,
    pub email: Option<&'a str>,
    pub customer_id: Option<Cow<'a, str>>,
    pub phone: Option<Cow<'a, str>>,
}

impl<'a> Who<'a> {
    /// Name of the key that leads.
    pub fn key(&self) -> &'a str {
        self.key
    }

    /// Value of the key that leads.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// `<key>:<value>`, as it stands in paths before encoding.
    pub fn path(&self) -> String {
        format!("{}:{}", self.key, self.value)
    }

    /// A name for lanes and entities that tells nothing about the person: an address is hashed, an id stands.
    pub fn name(&self) -> String {
        if self.customer_id.as_deref() == Some(self.value()) {
            self.value.to_string()
        } else {
            fingerprint::opaque(&[self.key, &self.value])
        }
    }
}

/// Picks the first configured key that is known of the person.
pub(super) fn who<'a>(config: &'a Config, checked: &'a Checked, identity: &'a Identity) -> Result<Who<'a>, Finding> {
    let refused = |pointer: &str, message: &str| Err(Finding::new(FindingCode::IdentityUnusable, pointer, message));
    let email = identity.email.as_deref().filter(|email| !email.is_empty());
    if let Some(fault) = email.and_then(email_fault) {
        return refused("/envelope/identity/email", fault);
    }
    let customer_id = identity.customer_id.as_deref().filter(|id| !id.is_empty()).map(|id| prefixed(&config.id_prefix, id));
    let phone = identity.phone.as_deref().and_then(|phone| number(phone, config.sms_plus));
    for key in &checked.identify_by {
        let found = match key {
            Key::Email => email.map(|email| ("email", Cow::Borrowed(email))),
            Key::CustomerId => config.customer_id_attribute.as_deref().zip(customer_id.clone()),
            Key::Phone(name) => phone.clone().map(|phone| (name.as_str(), phone)),
        };
        if let Some((key, value)) = found {
            return Ok(Who { key, value, email, customer_id, phone });
        }
    }
    if identity.anonymous_id.is_some() && customer_id.is_none() && phone.is_none() {
        return refused("/envelope/identity", "Cordial's API knows no anonymous visitors; only its own scripts do");
    }
    refused("/envelope/identity", "nothing is known that `identify_by` names")
}

/// An id behind the configured prefix.
pub(super) fn prefixed<'a>(prefix: &str, id: &'a str) -> Cow<'a, str> {
    if prefix.is_empty() { Cow::Borrowed(id) } else { Cow::Owned(format!("{prefix}{id}")) }
}

/// A number in E.164, with or without its plus; `None` for anything else.
fn number(phone: &str, plus: bool) -> Option<Cow<'_, str>> {
    let digits = phone.strip_prefix('+')?;
    let whole = (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    whole.then_some(Cow::Borrowed(if plus { phone } else { digits }))
}

/// What Cordial would refuse in an address, as far as its form tells.
pub(super) fn email_fault(email: &str) -> Option<&'static str> {
    let Some((local, domain)) = email.rsplit_once('@') else { return Some("the address has no `@`") };
    if email.len() > 254 || local.len() > 64 {
        Some("an address has at most 254 characters, 64 before the `@`")
    } else if local.is_empty() || !domain.contains('.') || domain.starts_with('.') || domain.ends_with('.') {
        Some("the address lacks a part before the `@` or a full domain")
    } else if email.chars().any(|c| c.is_whitespace() || c.is_control()) {
        Some("an address holds no space")
    } else {
        None
    }
}

/// What Cordial would refuse in an event's name.
pub(super) fn event_name_fault(name: &str) -> Option<&'static str> {
    if name.is_empty() || name.trim() != name || name.chars().count() > MAX_EVENT_NAME {
        Some("an event name has 1 to 40 characters without space around it")
    } else if RESERVED_EVENTS.contains(&name) || name.starts_with("crdl_") || name.starts_with("crdl-") {
        Some("the event name belongs to Cordial")
    } else {
        None
    }
}

/// Letters, digits and underscores, a letter first. Cordial does not publish the rule for keys; this is the part nobody refuses.
pub(super) fn is_key(key: &str) -> bool {
    key.len() <= 128
        && key.starts_with(|c: char| c.is_ascii_alphabetic())
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Letters, digits, hyphens and underscores.
pub(super) fn is_list_name(name: &str) -> bool {
    (1..=128).contains(&name.len())
        && !name.eq_ignore_ascii_case("cid")
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Whether event and other properties may have that name: Cordial drops digits only and dots without a word.
pub(super) fn property_fault(name: &str) -> Option<&'static str> {
    if name.is_empty() || name.len() > 255 {
        Some("a name has 1 to 255 bytes")
    } else if name.contains('.') || name.bytes().all(|byte| byte.is_ascii_digit()) {
        Some("Cordial drops names that hold a dot or are a number")
    } else {
        None
    }
}

/// The id of a supplement record: 24 hexadecimal digits are taken for one of Cordial's own and refused.
pub(super) fn record_id(prefix: &str, id: &str) -> String {
    let id = prefixed(prefix, id);
    if id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) { format!("id-{id}") } else { id.into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_names_keep_to_the_length_and_leave_cordials_own_alone() {
        assert_eq!(event_name_fault(&"ä".repeat(40)), None);
        assert!(event_name_fault(&"a".repeat(41)).is_some());
        for name in ["open", "crdl_x", "crdl-x", "", " a"] {
            assert!(event_name_fault(name).is_some(), "{name}");
        }
    }

    #[test]
    fn a_record_id_never_looks_like_one_of_cordials() {
        assert_eq!(record_id("", "S-9"), "S-9");
        assert_eq!(record_id("", "0123456789abcdef01234567"), "id-0123456789abcdef01234567");
        assert_eq!(record_id("a", "123456789abcdef01234567"), "id-a123456789abcdef01234567");
        assert_eq!(record_id("shop-", "0123456789abcdef01234567"), "shop-0123456789abcdef01234567");
    }

    #[test]
    fn numbers_lose_their_plus_and_nothing_else_is_one() {
        assert_eq!(number("+12225555151", false).as_deref(), Some("12225555151"));
        assert_eq!(number("+12225555151", true).as_deref(), Some("+12225555151"));
        assert_eq!(number("12225555151", false), None);
        assert_eq!(number("+1 222", false), None);
    }
}
