//! What of a destination's answer may be kept: vendors echo what they were sent, people and keys included.

use crate::destinations::Secret;

/// Most bytes of an answer that are kept.
pub const LONGEST: usize = 2_048;

/// What stands where something was taken out.
const MARK: &str = "***";

/// Header names whose echoed values are taken out wherever they stand, lower case.
const ECHOES: &[&str] = &["authorization", "api-key", "api_key", "apikey", "x-api-key", "access_token", "access-token"];

/// The text of an answer without the given secrets, without echoed credential headers, without e-mail addresses and
/// phone numbers, cut to [`LONGEST`]. What is not UTF-8 is replaced.
///
/// ```
/// use cartwire::delivery::redact::redact;
/// assert_eq!(redact(br#"{"msg":"no user ann@example.org"}"#, &[]), r#"{"msg":"no user ***"}"#);
/// ```
#[must_use]
pub fn redact(body: &[u8], secrets: &[&Secret]) -> String {
    let mut text = String::from_utf8_lossy(body).into_owned();
    for secret in secrets {
        // A shorter one would match by chance; no vendor's key is that short.
        if secret.expose().len() >= 4 {
            text = text.replace(secret.expose(), MARK);
        }
    }
    cut(without_phones(&without_emails(&without_echoes(&text))))
}

fn cut(mut text: String) -> String {
    if text.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Takes out what follows a credential header's name: `Api-Key: abc`, `"Authorization":"Bearer abc"`.
fn without_echoes(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some((start, name)) = ECHOES
        .iter()
        .filter_map(|name| lower[at..].find(name).map(|found| (at + found, *name)))
        .min_by_key(|(start, name)| (*start, usize::MAX - name.len()))
    {
        let after = start + name.len();
        let value = after + text[after..].find(|c: char| !matches!(c, '"' | '\'' | '\\' | ':' | '=' | ' ')).unwrap_or(text.len() - after);
        let separated = text[after..value].contains([':', '=']);
        if !separated {
            out.push_str(&text[at..after]);
            at = after;
            continue;
        }
        out.push_str(&text[at..value]);
        out.push_str(MARK);
        let mut end = value + word(&text[value..]);
        let scheme = text[value..end].to_ascii_lowercase();
        if matches!(scheme.as_str(), "bearer" | "basic" | "token") && text[end..].starts_with(' ') {
            end += 1 + word(&text[end + 1..]);
        }
        at = end;
    }
    out.push_str(&text[at..]);
    out
}

fn word(text: &str) -> usize {
    text.find(|c: char| matches!(c, '"' | '\'' | '\\' | ',' | ';' | '}' | ']' | '<' | '&') || c.is_whitespace()).unwrap_or(text.len())
}

/// Takes out everything around an `@` (plain, `%40` or `\u0040`) that can be part of an address.
fn without_emails(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((at, sign)) = ["@", "%40", "\\u0040"].iter().filter_map(|sign| rest.find(sign).map(|at| (at, *sign))).min() {
        let local = rest[..at].rfind(|c: char| !is_local(c)).map_or(0, |last| last + rest[last..].chars().next().map_or(1, char::len_utf8));
        let after = at + sign.len();
        let domain = rest[after..].find(|c: char| !is_domain(c)).unwrap_or(rest.len() - after);
        if local == at || domain == 0 {
            out.push_str(&rest[..after]);
        } else {
            out.push_str(&rest[..local]);
            out.push_str(MARK);
        }
        rest = &rest[if local == at || domain == 0 { after } else { after + domain }..];
    }
    out.push_str(rest);
    out
}

fn is_local(c: char) -> bool {
    // RFC 5322 allows more, but around an address in JSON, a query or a sentence those are separators.
    c.is_alphanumeric() || ".!#$%*+^_`|~-".contains(c)
}

fn is_domain(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '-')
}

/// Takes out numbers in E.164: a plus and 7 to 15 digits.
fn without_phones(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(plus) = rest.find('+') {
        let digits = rest[plus + 1..].bytes().take_while(u8::is_ascii_digit).count();
        out.push_str(&rest[..plus]);
        out.push_str(if (7..=15).contains(&digits) { MARK } else { &rest[plus..=plus + digits] });
        rest = &rest[plus + 1 + digits..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(text: &str) -> String {
        redact(text.as_bytes(), &[])
    }

    #[test]
    fn addresses_are_taken_out_in_every_spelling() {
        assert_eq!(plain(r#"{"failedEmails":["ann.b+c@example.co.uk","Bob@x.org"]}"#), r#"{"failedEmails":["***","***"]}"#);
        assert_eq!(plain("/users/ann%40example.org/x"), "/users/***/x");
        assert_eq!(plain(r#"{"e":"ann\u0040example.org"}"#), r#"{"e":"***"}"#);
        assert_eq!(plain("jürgen@müller.de fehlt"), "*** fehlt");
        assert_eq!(plain("meet @ noon, a@ and @b"), "meet @ noon, a@ and @b");
    }

    #[test]
    fn phone_numbers_are_taken_out_and_arithmetic_stays() {
        assert_eq!(plain("no device for +4915112345678!"), "no device for ***!");
        assert_eq!(plain("1+1=2, +49"), "1+1=2, +49");
    }

    #[test]
    fn keys_are_taken_out_whether_named_or_bare() {
        let key = Secret::new("k3y-very-secret");
        assert_eq!(redact(b"key k3y-very-secret is off", &[&key]), "key *** is off");
        assert_eq!(plain("Api-Key: abcdef, retry"), "Api-Key: ***, retry");
        assert_eq!(plain(r#"{"Authorization":"Bearer abc.def","code":1}"#), r#"{"Authorization":"***","code":1}"#);
        assert_eq!(plain(r#"{"echo":"{\"api_key\":\"abc\"}"}"#), r#"{"echo":"{\"api_key\":\"***\"}"}"#);
        assert_eq!(plain("authorization failed"), "authorization failed");
        assert_eq!(redact(b"cart abc", &[&Secret::new("")]), "cart abc");
    }

    #[test]
    fn long_answers_are_cut_after_redaction_at_a_whole_character() {
        let text = plain(&format!("{}ann@example.org", "ü".repeat(1_020)));
        assert!(text.len() <= LONGEST + '…'.len_utf8());
        assert!(!text.contains("ann"));
        assert!(plain(&"é".repeat(3_000)).ends_with('…'));
        assert_eq!(plain(&"x".repeat(LONGEST)).len(), LONGEST);
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        assert_eq!(redact(&[b'a', 0xff, b'b'], &[]), "a\u{fffd}b");
    }

    proptest! {
        #[test]
        fn no_input_panics_and_no_address_survives(before in ".{0,40}", local in "[a-z0-9.]{1,12}", after in "[^a-zA-Z0-9.-]{0,20}") {
            let kept = plain(&format!("{before} {local}@example.org{after}"));
            let address = format!("{local}@example.org");
            prop_assert!(!kept.contains(&address));
        }
    }
}
