//! How people are recognised: e-mail and phone in the form that matching needs.

use phonenumber::{country, metadata::DATABASE};

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
    if let Some(dialled) = international(text) {
        return Some(dialled);
    }
    let region: Option<country::Id> = country.and_then(|code| code.to_ascii_uppercase().parse().ok());
    let number = phonenumber::parse(region, text).ok()?;
    number.is_valid().then(|| number.format().mode(phonenumber::Mode::E164).to_string())
}

/// A number that is all but in E.164 already: prefix, digits, some space. It is taken as written if a mobile number of its
/// country can have its length, which costs far less than matching it against the numbering plan. Whatever could be
/// meant otherwise, such as a zero behind the calling code, is `None` and left to the plan.
fn international(text: &str) -> Option<String> {
    let mut dialled = String::with_capacity(16);
    dialled.push('+');
    for byte in text.strip_prefix('+')?.bytes() {
        match byte {
            b'0'..=b'9' => dialled.push(char::from(byte)),
            b' ' | b'-' | b'.' => {}
            _ => return None,
        }
    }
    let digits = &dialled[1..];
    if !(8..=15).contains(&digits.len()) {
        return None;
    }
    // No calling code is the beginning of another one.
    (1..=3)
        .find_map(|length| {
            let code: u16 = digits[..length].parse().ok()?;
            let regions = DATABASE.by_code(&code)?;
            let national = &digits[length..];
            let fits = |length: usize| {
                let mobile = regions.iter().filter_map(|region| region.descriptors().mobile());
                mobile.flat_map(|mobile| mobile.possible_length()).any(|one| usize::from(*one) == length)
            };
            Some(!national.starts_with('0') && fits(national.len()))
        })?
        .then_some(dialled)
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
    fn a_number_with_prefix_is_taken_as_dialled_unless_it_can_be_meant_otherwise() {
        assert_eq!(international("+49 151 1234-5678").as_deref(), Some("+4915112345678"));
        assert_eq!(phone("+44 07911 123456", None).as_deref(), Some("+447911123456"));
        assert_eq!(phone("+1 555 555 0100 22 33", None), None);
        for otherwise in ["+49 (0) 151 12345678", "+4407911123456", "+999123456789", "0151 12345678", "+4915", "+1555555", "+49151x"] {
            assert_eq!(international(otherwise), None, "{otherwise}");
        }
    }

    #[test]
    fn an_unknown_country_still_reads_numbers_with_prefix() {
        assert_eq!(phone("+447911123456", Some("UK")).as_deref(), Some("+447911123456"));
    }
}
