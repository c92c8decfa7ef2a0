//! The form of an e-mail address.

/// Why a text is not an address that mail can be sent to; `Ok` when its form is right. Never says what the text was.
///
/// The form is that of Apache Commons `EmailValidator` (which destinations use too), narrowed where an address it lets
/// through can only bounce:
///
/// - at most 254 bytes, the local part at most 64 (RFC 5321 §4.5.3.1, erratum 1690);
/// - local part: atoms parted by single dots, or one quoted string; no spaces, controls, or `()<>@,;:\"[]` outside quotes;
/// - domain: two or more labels of letters, digits and inner hyphens, each at most 63 bytes; the last one of at least two
///   letters, or an `xn--` label;
/// - letters outside ASCII are taken in local part and domain alike (RFC 6531, IDN), because shops sell to such people;
///   a destination that cannot take them says so itself;
/// - address literals (`me@[192.0.2.1]`) and names of single hosts (`me@localhost`) are refused, which Commons does by
///   choice too;
/// - whether the top-level domain exists is not asked: the list changes every week, and a typo there bounces like any other.
pub fn check(text: &str) -> Result<(), &'static str> {
    if text.len() > 254 {
        return Err("it is longer than 254 bytes");
    }
    // The last one: a quoted local part may hold others.
    let Some((local, domain)) = text.rsplit_once('@') else { return Err("it has no `@`") };
    if local.is_empty() {
        return Err("nothing stands before the `@`");
    }
    if local.len() > 64 {
        return Err("the part before the `@` is longer than 64 bytes");
    }
    if !is_quoted(local) && !local.split('.').all(is_atom) {
        return Err("the part before the `@` holds characters or dots that are not allowed there");
    }
    let mut labels = domain.split('.');
    if !labels.all(is_label) {
        return Err("a label of the domain is empty, too long, or holds characters that are not allowed there");
    }
    match domain.rsplit_once('.') {
        None => Err("the domain has no dot"),
        Some((_, last)) if is_top_level(last) => Ok(()),
        Some(_) => Err("the domain does not end in two letters or more"),
    }
}

fn is_atom(part: &str) -> bool {
    !part.is_empty() && part.chars().all(|c| !c.is_whitespace() && !c.is_control() && !"()<>@,;:\\\"[]".contains(c))
}

fn is_quoted(local: &str) -> bool {
    let Some(inner) = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { return false };
    let mut escaped = false;
    for c in inner.chars() {
        if c.is_control() || (c == '"' && !escaped) {
            return false;
        }
        escaped = c == '\\' && !escaped;
    }
    !escaped
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || is_outside_ascii(c))
}

/// Letters, digits and the marks that scripts such as Devanagari write vowels with.
fn is_outside_ascii(c: char) -> bool {
    !c.is_ascii() && !c.is_whitespace() && !c.is_control() && !is_invisible(c)
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn is_top_level(label: &str) -> bool {
    let punycode = label.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("xn--")) && label.len() > 4;
    punycode || (label.chars().count() >= 2 && label.chars().all(|c| c.is_ascii_alphabetic() || is_outside_ascii(c)))
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn addresses_that_people_have_are_taken() {
        for good in [
            "joe@example.com",
            "joe.blow+spring-sale@mail.shop.example.co.uk",
            "o'brien@example.ie",
            "x@y.io",
            "100%_{real}@example.museum",
            "\"joe blow\"@example.com",
            "\"at@home\"@example.com",
            "jürgen@müller.de",
            "अजय@डाटा.भारत",
            "joe@xn--mller-kva.xn--p1ai",
            "joe@a-b.com",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn what_can_only_bounce_is_refused() {
        for bad in [
            "",
            "joe",
            "@example.com",
            "joe@",
            "joe@localhost",
            "joe@example",
            "joe@example.c",
            "joe@example.c0m",
            "joe@example..com",
            "joe@.example.com",
            "joe@example.com.",
            "joe@-example.com",
            "joe@example-.com",
            "joe@exa_mple.com",
            "joe@exam ple.com",
            "joe.@example.com",
            ".joe@example.com",
            "joe..blow@example.com",
            "joe blow@example.com",
            "joe@blow@example.com",
            "joe<blow>@example.com",
            "\"joe@example.com",
            "\"jo\"e\"@example.com",
            "\"joe\\\"@example.com",
            "joe@[192.0.2.1]",
            "joe@192.0.2.1",
            "joe@example.com\u{200b}",
            "joe@example.xn--",
            "joe\u{0}@example.com",
        ] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn lengths_are_those_of_rfc_5321() {
        let local = "a".repeat(64);
        assert_eq!(check(&format!("{local}@example.com")), Ok(()));
        assert!(check(&format!("a{local}@example.com")).is_err());
        // 64 + 1 + 189 = 254
        let label = "b".repeat(60);
        let domain = format!("{label}.{label}.{label}.{}", "c".repeat(6));
        assert_eq!(check(&format!("{local}@{domain}")), Ok(()));
        assert!(check(&format!("{local}@{domain}c")).is_err());
        assert_eq!(check(&format!("a@{}.com", "b".repeat(63))), Ok(()));
        assert!(check(&format!("a@{}.com", "b".repeat(64))).is_err());
    }
}
