//! Names Dotdigital takes: who someone is, data fields, collections, members of insight data.

use std::borrow::Cow;

use super::super::Skip;
use super::config::Config;
use crate::fingerprint;
pub(super) use crate::http::percent;
use crate::model::{Finding, FindingCode, Identity, SkipReason};

/// Name under which an identity may carry the contact's id at Dotdigital.
const OWN: &str = "dotdigital";

/// The identifiers that Dotdigital has of itself.
pub(super) const EMAIL: &str = "email";
pub(super) const MOBILE: &str = "mobileNumber";
pub(super) const CONTACT_ID: &str = "contactId";

/// Whom a record is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Who<'a> {
    pub email: Option<&'a str>,
    /// International digits without a plus.
    pub mobile: Option<&'a str>,
    /// The custom identifier's name and value.
    pub custom: Option<(&'a str, &'a str)>,
    /// Known from an earlier export.
    pub contact_id: Option<&'a str>,
    name: String,
}

impl<'a> Who<'a> {
    /// The identifier a contact is looked up by: the one that changes least.
    pub(super) fn lookup(&self) -> (&'a str, &'a str) {
        let id = self.contact_id.map(|id| (CONTACT_ID, id));
        id.or(self.custom).unwrap_or_else(|| self.insight())
    }

    /// The identifier that owns insight data and events: the e-mail where there is one, as the vendor's own connectors do.
    pub(super) fn insight(&self) -> (&'a str, &'a str) {
        let email = self.email.map(|email| (EMAIL, email));
        email.or(self.mobile.map(|mobile| (MOBILE, mobile))).or(self.custom).unwrap_or((CONTACT_ID, self.contact_id.unwrap_or_default()))
    }

    /// Every identifier but the contact's own id.
    pub(super) fn identifiers(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let email = self.email.map(|email| (EMAIL, email));
        email.into_iter().chain(self.mobile.map(|mobile| (MOBILE, mobile))).chain(self.custom)
    }

    /// A name for lanes and entities that tells nothing about the person.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

/// Why nobody can be named.
pub(super) enum Nobody {
    /// Dotdigital has no such people.
    Skipped(Skip),
    /// It cannot take the identity.
    Refused(Finding),
}

/// What is known of the person, as far as Dotdigital takes it.
pub(super) fn who<'a>(config: &'a Config, identity: &'a Identity) -> Result<Who<'a>, Nobody> {
    let filled = |text: &'a Option<String>| text.as_deref().filter(|text| !text.is_empty());
    let email = filled(&identity.email);
    if let Some(fault) = email.and_then(email_fault) {
        return Err(Nobody::Refused(Finding::new(FindingCode::IdentityUnusable, "/envelope/identity/email", fault)));
    }
    let mobile = filled(&identity.phone).and_then(mobile);
    let customer = filled(&identity.customer_id).filter(|id| id.chars().count() <= 256);
    let custom = config.customer_identifier.as_deref().zip(customer);
    let contact_id = identity.external_ids.get(OWN).map(String::as_str).filter(|id| id.parse::<u64>().is_ok());
    if email.is_some() || mobile.is_some() || custom.is_some() || contact_id.is_some() {
        let mut who = Who { email, mobile, custom, contact_id, name: String::new() };
        let (identifier, value) = who.insight();
        who.name = fingerprint::opaque(&[identifier, value]);
        return Ok(who);
    }
    if identity.customer_id.is_some() {
        let why = "Dotdigital needs an e-mail or a phone number; a customer id alone counts only with `customer_identifier`";
        return Err(Nobody::Refused(Finding::new(FindingCode::IdentityUnusable, "/envelope/identity", why)));
    }
    if identity.anonymous_id.is_some() {
        return Err(Nobody::Skipped(Skip::new(SkipReason::NotSupported, "Dotdigital knows no people without e-mail or phone number")));
    }
    Err(Nobody::Refused(Finding::new(FindingCode::IdentityUnusable, "/envelope/identity", "neither e-mail nor phone number is known")))
}

/// What Dotdigital would refuse in an address, as far as its form tells.
pub(super) fn email_fault(email: &str) -> Option<&'static str> {
    let Some((local, domain)) = email.rsplit_once('@') else { return Some("the address has no `@`") };
    if email.chars().count() > 256 {
        Some("an identifier has at most 256 characters")
    } else if local.is_empty() || !domain.contains('.') || domain.starts_with('.') || domain.ends_with('.') {
        Some("the address lacks a part before the `@` or a full domain")
    } else if email.chars().any(|c| c.is_whitespace() || c.is_control()) {
        Some("an address holds no space")
    } else {
        None
    }
}

/// The digits of an E.164 number.
fn mobile(phone: &str) -> Option<&str> {
    let digits = phone.strip_prefix('+')?;
    ((7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(digits)
}

/// Whether it can be the name of a custom identifier.
pub(super) fn is_identifier(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=50).contains(&name.len())
        && name.bytes().all(plain)
        && ![EMAIL, MOBILE, CONTACT_ID].iter().any(|own| own.eq_ignore_ascii_case(name))
}

/// Whether it can be the name of a collection: `^[-A-Za-z_][-A-Za-z0-9_]{1,254}$`.
pub(super) fn is_collection(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (2..=255).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with(|first: char| first.is_ascii_digit())
}

/// Names that belong to Dotdigital.
#[rustfmt::skip]
const RESERVED: &[&str] = &[
    "ACCOUNT", "CAMPAIGN", "CAMPAIGNID", "CONTACT", "CONTACT_API_ID", "CONTACTID", "EMAIL", "HCONTACTID", "HEMAIL", "HEMAIL256",
    "ID", "MESSAGECONTENT", "MOBILENUMBERID", "NOTES", "UNSUBSCRIBED", "UNIQUECONTACTID", "LASTSUBSCRIBED",
];

/// What a data field may not be called (<https://developer.dotdigital.com/reference/create-contact-data-field>).
pub(super) fn field_fault(name: &str) -> Option<&'static str> {
    if name.is_empty() || name.len() > 20 {
        Some("the name of a data field has 1 to 20 characters; give it another in `data_fields`")
    } else if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')) {
        Some("the name of a data field holds letters, digits, `-` and `_`")
    } else if RESERVED.iter().any(|own| own.eq_ignore_ascii_case(name)) {
        Some("the name belongs to Dotdigital; give it another in `data_fields`")
    } else {
        None
    }
}

/// An attribute's name as a data field: capitals, and `_` for what a name cannot hold.
pub(super) fn field_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    name.chars().map(plain).collect()
}

/// A name as a member of insight data. A dash becomes `_`, because `a-b` and `a_b` are one name to Dotdigital and clash.
pub(super) fn json_name(name: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !name.is_empty() && name.chars().all(plain) {
        return Cow::Borrowed(name);
    }
    Cow::Owned(if name.is_empty() { "_".to_owned() } else { name.chars().map(|c| if plain(c) { c } else { '_' }).collect() })
}

/// `order_shipped` as `orderShipped` or `OrderShipped`.
pub(super) fn camel(snake: &str, capital: bool) -> String {
    let mut out = String::with_capacity(snake.len());
    let mut upper = capital;
    for c in snake.chars() {
        if c == '_' {
            upper = true;
        } else if std::mem::take(&mut upper) {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_path_segment_keeps_plus_and_slash_apart() {
        let mut out = String::new();
        percent("a+b/c@d.e", &mut out);
        assert_eq!(out, "a%2Bb%2Fc%40d.e");
    }

    #[test]
    fn names_follow_the_published_rules() {
        assert_eq!(field_fault("DELIVERY_ADDRESS_1"), None);
        assert!(field_fault("AVERAGE_ORDER_VALUE_1").is_some(), "21 characters");
        assert!(field_fault("Email").is_some() && field_fault("").is_some() && field_fault("A B").is_some());
        assert!(
            is_collection("Catalog_Default") && is_collection("_a") && !is_collection("A") && !is_collection("1a") && !is_collection("a b")
        );
        assert!(is_identifier("shopCustomerId") && !is_identifier("EMAIL") && !is_identifier("a b"));
        assert_eq!(json_name("size-eu"), "size_eu");
        assert_eq!((camel("cart_abandoned", true), camel("cart_abandoned", false)), ("CartAbandoned".into(), "cartAbandoned".into()));
        assert_eq!((mobile("+447700900123"), mobile("07700900123"), mobile("+123456")), (Some("447700900123"), None, None));
    }

    proptest! {
        #[test]
        fn every_member_name_fits_the_rule(name in "\\PC{0,40}") {
            let fitted = json_name(&name);
            prop_assert!(!fitted.is_empty() && fitted.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
        }
    }
}
