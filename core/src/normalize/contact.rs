//! How people are recognised: e-mail and phone in the form that matching needs.

use phonenumber::country;

use super::text::filled;

/// An e-mail trimmed and lower-cased for matching, and the original where that differs. Tags (`+news`) and dots stay:
/// whether they matter is the mailbox provider's business.
///
/// ```
/// use cartwire::normalize::contact::email;
/// assert_eq!(email(" Jane@Example.com "), Some(("jane@example.com".to_owned(), Some(" Jane@Example.com ".to_owned()))));
/// assert_eq!(email("jane@example.com"), Some(("jane@example.com".to_owned(), None)));
/// assert_eq!(email("  "), None);
/// ```
#[must_use]
pub fn email(text: &str) -> Option<(String, Option<String>)> {
    let trimmed = filled(text)?;
    let normal = trimmed.to_lowercase();
    let original = (normal != text).then(|| text.to_owned());
    Some((normal, original))
}

/// A phone number in E.164. `country` (ISO 3166-1 alpha-2) is the country a number without prefix is dialled in; without
/// it only numbers with prefix can be read.
///
/// ```
/// use cartwire::normalize::contact::phone;
/// assert_eq!(phone("0151 12345678", Some("DE")).as_deref(), Some("+4915112345678"));
/// assert_eq!(phone("+49 (0) 151 12345678", None).as_deref(), Some("+4915112345678"));
/// assert_eq!(phone("0151 12345678", None), None);
/// ```
#[must_use]
pub fn phone(text: &str, country: Option<&str>) -> Option<String> {
    let text = filled(text)?;
    // An ITU number has at most 15 digits; what is much longer is no phone number and not worth a parser's time.
    if text.len() > 40 {
        return None;
    }
    let region: Option<country::Id> = country.and_then(|code| code.to_ascii_uppercase().parse().ok());
    let number = phonenumber::parse(region, text).ok()?;
    number.is_valid().then(|| number.format().mode(phonenumber::Mode::E164).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_nobody_can_dial_are_refused() {
        for text in ["", "12", "call me", "+49", "+999123456789", "0000000000000000000000000000000000000000000000000000"] {
            assert_eq!(phone(text, Some("DE")), None);
        }
    }

    #[test]
    fn an_unknown_country_still_reads_numbers_with_prefix() {
        assert_eq!(phone("+447911123456", Some("UK")).as_deref(), Some("+447911123456"));
    }
}
