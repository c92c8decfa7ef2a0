//! Text: the choice of a language, and addresses built from templates.

use std::fmt::Write as _;

/// Picks the text for a market out of texts by locale. For each wanted locale in turn: the locale itself, then its
/// language (`de` for `de-AT`), then any other region of that language; if none of the wanted is there, the first locale
/// in alphabetical order, because a name in a foreign language is still better than none. Empty texts do not count.
///
/// ```
/// use cartwire::normalize::text::pick;
/// let names = [("en", "Shoe"), ("de-DE", "Schuh"), ("fr", "")];
/// assert_eq!(pick(&names, &["de-AT", "en"]), Some("Schuh"));
/// assert_eq!(pick(&names, &["fr", "it"]), Some("Schuh"));
/// ```
#[must_use]
pub fn pick<'t, L: AsRef<str>, T: AsRef<str>>(texts: &'t [(L, T)], wanted: &[&str]) -> Option<&'t str> {
    let usable = || texts.iter().map(|(locale, text)| (locale.as_ref(), text.as_ref())).filter(|(_, text)| filled(text).is_some());
    if let [(_, only)] = texts {
        return Some(only.as_ref()).filter(|only| filled(only).is_some());
    }
    for want in wanted {
        if let Some((_, text)) = usable().find(|(locale, _)| locale.eq_ignore_ascii_case(want)) {
            return Some(text);
        }
        let language = language_of(want);
        if let Some((_, text)) = usable().find(|(locale, _)| locale.eq_ignore_ascii_case(language)) {
            return Some(text);
        }
        let same = usable().filter(|(locale, _)| language_of(locale).eq_ignore_ascii_case(language));
        if let Some((_, text)) = same.min_by_key(|(locale, _)| *locale) {
            return Some(text);
        }
    }
    usable().min_by_key(|(locale, _)| *locale).map(|(_, text)| text)
}

/// The language of a locale: `de` for `de-AT` and `de_AT`.
#[must_use]
pub fn language_of(locale: &str) -> &str {
    locale.split(['-', '_']).next().unwrap_or(locale)
}

/// The text without surrounding space, or nothing if nothing is left.
#[must_use]
pub fn filled(text: &str) -> Option<&str> {
    // Nearly all texts begin and end in a visible ASCII character; the rest is looked at as Unicode.
    if let [first, .., last] = text.as_bytes()
        && first.is_ascii_graphic()
        && last.is_ascii_graphic()
    {
        return Some(text);
    }
    let text = text.trim();
    (!text.is_empty()).then_some(text)
}

/// An address with places to fill in: `https://shop.example/{locale}/p/{slug}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Place(String),
}

impl Template {
    /// Reads a template whose places are among `known`.
    ///
    /// # Errors
    /// The sentence that says what is wrong: a place that is not known, or a brace that is not closed.
    pub fn parse(text: &str, known: &[&str]) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((place, behind)) = after.split_once('}') else { return Err("a brace is not closed".to_owned()) };
            if !known.contains(&place) {
                return Err(format!("unknown place, expected one of {}", known.join(", ")));
            }
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(Piece::Place(place.to_owned()));
            rest = behind;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Template(pieces))
    }

    /// Fills the places, percent-encoded. `None` when a value is missing: half an address leads nowhere.
    ///
    /// ```
    /// use cartwire::normalize::text::Template;
    /// let template = Template::parse("https://shop.example/p/{slug}", &["slug"])?;
    /// assert_eq!(template.fill(|_| Some("hat & scarf")).as_deref(), Some("https://shop.example/p/hat%20%26%20scarf"));
    /// assert_eq!(template.fill(|_| None), None);
    /// # Ok::<(), String>(())
    /// ```
    #[must_use]
    pub fn fill<'v>(&self, value: impl Fn(&str) -> Option<&'v str>) -> Option<String> {
        let mut address = String::with_capacity(96);
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => address.push_str(text),
                Piece::Place(place) => encode(value(place).filter(|value| !value.is_empty())?, &mut address),
            }
        }
        Some(address)
    }
}

/// Appends a text percent-encoded for one segment of a path or one value of a query (RFC 3986 §2.3).
pub fn encode(value: &str, out: &mut String) {
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wanted_locale_wins_then_its_language_then_a_region_of_it() {
        let names = [("de-CH", "ch"), ("de", "de"), ("de-AT", "at"), ("en", "en")];
        assert_eq!(pick(&names, &["de-AT"]), Some("at"));
        assert_eq!(pick(&names, &["de-DE"]), Some("de"));
        assert_eq!(pick(&[("en", "en"), ("de-CH", "ch"), ("de-AT", "at")], &["de-DE"]), Some("at"));
    }

    #[test]
    fn fallbacks_come_before_the_alphabet() {
        let names = [("ar", "ar"), ("en-GB", "gb"), ("ja", "ja")];
        assert_eq!(pick(&names, &["de", "en"]), Some("gb"));
        assert_eq!(pick(&names, &["de"]), Some("ar"));
        assert_eq!(pick::<&str, &str>(&[], &["de"]), None);
    }

    #[test]
    fn a_template_with_an_unknown_place_is_refused() {
        assert!(Template::parse("https://shop.example/{sulg}", &["slug"]).is_err());
        assert!(Template::parse("https://shop.example/{slug", &["slug"]).is_err());
    }
}
