//! Names Iterable takes: who someone is, and the ids of events and catalog items.

use std::borrow::Cow;

use super::super::Skip;
use super::config::{Config, ProjectType};
use crate::fingerprint;
pub(super) use crate::http::percent;
use crate::model::{Envelope, Finding, FindingCode, Identity, SkipReason};

/// Whom a row is about: one of the two ids, never both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Who<'a> {
    /// By e-mail.
    Email(&'a str),
    /// By `userId`; `prefer` asks an `email` project to take it.
    UserId { id: Cow<'a, str>, prefer: bool },
}

impl Who<'_> {
    pub(super) fn email(&self) -> Option<&str> {
        match self {
            Who::Email(email) => Some(email),
            Who::UserId { .. } => None,
        }
    }

    pub(super) fn user_id(&self) -> Option<&str> {
        match self {
            Who::Email(_) => None,
            Who::UserId { id, .. } => Some(id),
        }
    }

    pub(super) fn prefer(&self) -> Option<bool> {
        matches!(self, Who::UserId { prefer: true, .. }).then_some(true)
    }

    /// A name for lanes and entities that tells nothing about the person: an e-mail is hashed, an id stands.
    pub(super) fn name(&self) -> String {
        match self {
            Who::Email(email) => fingerprint::opaque(&["email", email]),
            Who::UserId { id, .. } => id.clone().into_owned(),
        }
    }
}

/// Why nobody can be named.
pub(super) enum Nobody {
    /// A setting would allow it.
    Skipped(Skip),
    /// Iterable cannot take it.
    Refused(Finding),
}

/// Picks the one id by which this project knows the person.
pub(super) fn who<'a>(config: &Config, project: ProjectType, identity: &'a Identity) -> Result<Who<'a>, Nobody> {
    let refused = |pointer: &str, message: &str| Err(Nobody::Refused(Finding::new(FindingCode::IdentityUnusable, pointer, message)));
    let by_email = |email: &'a str| match email_fault(email) {
        None => Ok(Who::Email(email)),
        Some(fault) => refused("/envelope/identity/email", fault),
    };
    let by_user_id = |id: Cow<'a, str>, pointer: &str, prefer: bool| match user_id_fault(&id) {
        None => Ok(Who::UserId { id, prefer }),
        Some(fault) => refused(pointer, fault),
    };
    let customer = || {
        identity.customer_id.as_deref().filter(|id| !id.is_empty()).map(|id| match config.user_id_prefix.as_str() {
            "" => Cow::Borrowed(id),
            prefix => Cow::Owned(format!("{prefix}{id}")),
        })
    };
    let email = identity.email.as_deref().filter(|email| !email.is_empty());
    if project == ProjectType::Email {
        return match (email, customer()) {
            (Some(email), _) => by_email(email),
            (None, Some(id)) if config.prefer_user_id => by_user_id(id, "/envelope/identity/customer_id", true),
            (None, Some(_)) => refused("/envelope/identity/email", "an `email` project needs an address, or `prefer_user_id`"),
            (None, None) => refused("/envelope/identity/email", "an `email` project needs an address"),
        };
    }
    if let Some(id) = customer() {
        return by_user_id(id, "/envelope/identity/customer_id", false);
    }
    if let (ProjectType::Hybrid, Some(email)) = (project, email) {
        return by_email(email);
    }
    match identity.anonymous_id.as_deref().filter(|id| !id.is_empty()) {
        // The word between keeps a session from ever being taken for a customer.
        Some(id) if config.anonymous_profiles.unwrap_or(project == ProjectType::UserId) => {
            by_user_id(Cow::Owned(format!("{}anon-{id}", config.user_id_prefix)), "/envelope/identity/anonymous_id", false)
        }
        Some(_) => Err(Nobody::Skipped(Skip::new(
            SkipReason::NotConfigured,
            "only an anonymous id is known; set `anonymous_profiles` to make a profile of it",
        ))),
        None if email.is_some() => {
            refused("/envelope/identity/customer_id", "a `user_id` project cannot take a guest known by e-mail only")
        }
        None => refused("/envelope/identity", "neither customer id, e-mail nor anonymous id is known"),
    }
}

/// What Iterable would refuse in a `userId`: at most 52 printable ASCII characters, no space at the end.
pub(super) fn user_id_fault(id: &str) -> Option<&'static str> {
    if id.is_empty() {
        Some("a `userId` cannot be empty")
    } else if id.len() > 52 {
        Some("a `userId` has at most 52 characters")
    } else if !id.bytes().all(|byte| (0x20..=0x7e).contains(&byte)) {
        Some("a `userId` is printable ASCII")
    } else if id.ends_with(' ') {
        Some("a `userId` cannot end in a space")
    } else {
        None
    }
}

/// What Iterable would refuse in an address, as far as its form tells.
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

/// `^[A-Za-z0-9-]{1,255}$`
pub(super) fn is_catalog_name(name: &str) -> bool {
    (1..=255).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Writes an id in letters, digits and hyphens so that no two ids collide and each can be read back: every other byte
/// becomes `-xHH`, and a hyphen before an `x` does too.
pub(super) fn encode_into(id: &str, out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let bytes = id.as_bytes();
    for (index, &byte) in bytes.iter().enumerate() {
        let literal = byte.is_ascii_alphanumeric() || (byte == b'-' && bytes.get(index + 1) != Some(&b'x'));
        if literal {
            out.push(char::from(byte));
        } else {
            out.push_str("-x");
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
}

/// [`encode_into`] as a new text; ids that need nothing are borrowed.
pub(super) fn encode(id: &str) -> Cow<'_, str> {
    if id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') && !id.contains("-x") {
        return Cow::Borrowed(id);
    }
    let mut out = String::with_capacity(id.len() + 9);
    encode_into(id, &mut out);
    Cow::Owned(out)
}

/// Catalog item id of a variant: `<product>-<variant>` for numeric variant ids, else `<product>-xv<variant>`. `-xv` is in
/// no encoded id, and a number ends at the last hyphen, so no two variants collide.
pub(super) fn variant_item_id(product: &str, variant: &str) -> String {
    let mut out = String::with_capacity(product.len() + variant.len() + 4);
    encode_into(product, &mut out);
    let numeric = !variant.is_empty() && variant.bytes().all(|byte| byte.is_ascii_digit());
    out.push_str(if numeric { "-" } else { "-xv" });
    encode_into(variant, &mut out);
    out
}

/// Id of a purchase or event: `ct-order-7f3a…`, `bc-s1-refund-12`. Unique over the project, at most 512 bytes, letters,
/// digits and hyphens. The tenant stands in it where ids are numbers that every shop counts from one.
pub(super) fn event_id(envelope: &Envelope, kind: &str, id: &str) -> String {
    let mut out = String::with_capacity(envelope.source.len() + envelope.tenant.len() + kind.len() + id.len() + 8);
    match envelope.source.as_str() {
        "commercetools" => out.push_str("ct"),
        source => {
            match source {
                "bigcommerce" => out.push_str("bc"),
                other => encode_into(other, &mut out),
            }
            out.push('-');
            encode_into(&envelope.tenant, &mut out);
        }
    }
    out.push('-');
    out.push_str(kind);
    out.push('-');
    encode_into(id, &mut out);
    if out.len() > 512 {
        out.truncate(40);
        out.push('-');
        out.push_str(&fingerprint::opaque(&[&envelope.source, &envelope.tenant, kind, id]));
    }
    out
}

/// `order_shipped` as `orderShipped`.
pub(super) fn camel(snake: &str) -> String {
    let mut out = String::with_capacity(snake.len());
    let mut upper = false;
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

    fn decode(text: &str) -> Vec<u8> {
        let bytes = text.as_bytes();
        let (mut out, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            if bytes[at] == b'-' && bytes.get(at + 1) == Some(&b'x') {
                out.push(u8::from_str_radix(&text[at + 2..at + 4], 16).unwrap_or_default());
                at += 4;
            } else {
                out.push(bytes[at]);
                at += 1;
            }
        }
        out
    }

    #[test]
    fn item_ids_keep_uuids_and_escape_the_rest() {
        assert_eq!(encode("7f3a2c10-55d1"), "7f3a2c10-55d1");
        assert_eq!(encode("TEE_BLK/M.1 é"), "TEE-x5FBLK-x2FM-x2E1-x20-xC3-xA9");
        assert_eq!(encode("A-x5F"), "A-x2Dx5F");
        assert_eq!(variant_item_id("881", "2"), "881-2");
        assert_eq!(variant_item_id("881", "blue"), "881-xvblue");
    }

    #[test]
    fn a_path_segment_keeps_plus_and_slash_apart() {
        let mut out = String::new();
        percent("a+b/c@d.e é", &mut out);
        assert_eq!(out, "a%2Bb%2Fc%40d.e%20%C3%A9");
    }

    #[test]
    fn user_ids_follow_the_published_rule() {
        assert_eq!(user_id_fault(&"a".repeat(52)), None);
        assert!(user_id_fault(&"a".repeat(53)).is_some());
        assert!(user_id_fault("").is_some());
        assert!(user_id_fault("a ").is_some());
        assert!(user_id_fault("ä").is_some());
        assert_eq!(user_id_fault("a b"), None);
    }

    proptest! {
        #[test]
        fn every_item_id_reads_back_and_fits_the_rule(id in "\\PC{1,40}") {
            let encoded = encode(&id);
            prop_assert!(encoded.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
            prop_assert_eq!(decode(&encoded), id.as_bytes());
        }

        #[test]
        fn no_two_variants_share_an_item_id(a in "[a-z0-9x-]{1,6}", b in "[a-z0-9x-]{1,6}", c in "[a-z0-9x-]{1,6}", d in "[a-z0-9x-]{1,6}") {
            prop_assume!((&a, &b) != (&c, &d));
            prop_assert_ne!(variant_item_id(&a, &b), variant_item_id(&c, &d));
        }
    }
}
