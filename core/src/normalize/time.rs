//! Instants as shops write them.

use chrono::{DateTime, NaiveDate, Utc};

/// Reads an RFC 3339 instant. The form nearly all shops write, UTC with seconds or milliseconds, is read without going
/// through a general parser, because an order holds a dozen of them.
///
/// ```
/// use cartwire::normalize::time::parse_instant;
/// assert_eq!(parse_instant("2025-06-04T06:05:00.120Z").map(|at| at.timestamp_millis()), Some(1_749_017_100_120));
/// assert_eq!(parse_instant("2025-06-04T08:05:00.120+02:00"), parse_instant("2025-06-04T06:05:00.120Z"));
/// assert_eq!(parse_instant("yesterday"), None);
/// ```
#[must_use]
pub fn parse_instant(text: &str) -> Option<DateTime<Utc>> {
    fast(text.as_bytes()).or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|at| at.with_timezone(&Utc)))
}

/// Reads a calendar date, `YYYY-MM-DD`.
#[must_use]
pub fn parse_date(text: &str) -> Option<NaiveDate> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    NaiveDate::from_ymd_opt(i32::try_from(number(&bytes[..4])?).ok()?, number(&bytes[5..7])?, number(&bytes[8..])?)
}

fn fast(bytes: &[u8]) -> Option<DateTime<Utc>> {
    let millis = match (bytes.len(), bytes) {
        (24, [.., b'.', a, b, c, b'Z']) => number(&[*a, *b, *c])?,
        (20, [.., b'Z']) => 0,
        _ => return None,
    };
    if bytes[4] != b'-' || bytes[7] != b'-' || bytes[10] != b'T' || bytes[13] != b':' || bytes[16] != b':' {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(i32::try_from(number(&bytes[..4])?).ok()?, number(&bytes[5..7])?, number(&bytes[8..10])?)?;
    let time = date.and_hms_milli_opt(number(&bytes[11..13])?, number(&bytes[14..16])?, number(&bytes[17..19])?, millis)?;
    Some(time.and_utc())
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u32::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_short_way_reads_what_the_general_parser_reads(seconds in -60_000_000_000i64..200_000_000_000, millis in 0u32..1000) {
            let at = DateTime::from_timestamp(seconds, millis * 1_000_000).unwrap_or_default();
            let text = at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
            if text.len() == 24 {
                prop_assert_eq!(fast(text.as_bytes()), Some(at));
            }
            prop_assert_eq!(parse_instant(&text), Some(at));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,30}") {
            let _ = (parse_instant(&text), parse_date(&text));
        }
    }

    #[test]
    fn days_that_do_not_exist_are_refused() {
        assert_eq!(parse_date("2025-02-29"), None);
        assert_eq!(parse_instant("2025-13-01T00:00:00.000Z"), None);
    }
}
