//! Reading: `serde`'s structs straight from text, texts borrowed.

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};

use super::{GiveUp, stop_at};

/// Reads the object or list that `text` starts with, and how long it is. `None` where the fast lane gives up: ask `serde_json`.
pub(crate) fn read<'de, T: Deserialize<'de>>(text: &'de str) -> Option<(T, usize)> {
    let mut reader = Reader { text, at: 0, room: DEPTH };
    // Other values end where something else begins, which is for `serde_json` to judge.
    if !text.starts_with(['{', '[']) {
        return None;
    }
    T::deserialize(&mut reader).ok().map(|value| (value, reader.at))
}

/// How deep typed values may nest: below the 128 of `serde_json`, so that its limit is the one that counts.
const DEPTH: u8 = 100;

/// How `serde_json` asks for the text of a value as it stands. Should it ever ask differently, raw values are no longer read
/// here but by it, and `raw_values_are_read_here` fails.
const RAW: &str = "$serde_json::private::RawValue";

type Read<T> = Result<T, GiveUp>;

struct Reader<'de> {
    text: &'de str,
    at: usize,
    /// Levels left to nest.
    room: u8,
}

/// A string's content.
enum Content<'de> {
    Plain(&'de str),
    /// It held escapes.
    Unescaped(String),
}

impl<'de> Reader<'de> {
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte that is not white space, not yet taken.
    #[inline]
    fn token(&mut self) -> Read<u8> {
        loop {
            match self.byte() {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                Some(byte) => return Ok(byte),
                None => return Err(GiveUp),
            }
        }
    }

    #[inline]
    fn take(&mut self, byte: u8) -> Read<()> {
        if self.token()? != byte {
            return Err(GiveUp);
        }
        self.at += 1;
        Ok(())
    }

    fn word(&mut self, word: &str) -> Read<()> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(GiveUp);
        }
        self.at += word.len();
        Ok(())
    }

    /// A string without escapes.
    #[inline]
    fn plain(&mut self) -> Read<&'de str> {
        self.take(b'"')?;
        let end = stop_at(self.text.as_bytes(), self.at);
        if self.text.as_bytes().get(end) != Some(&b'"') {
            return Err(GiveUp);
        }
        let text = self.text.get(self.at..end).ok_or(GiveUp)?;
        self.at = end + 1;
        Ok(text)
    }

    fn content(&mut self) -> Read<Content<'de>> {
        self.token()?;
        let start = self.at;
        if let Ok(text) = self.plain() {
            return Ok(Content::Plain(text));
        }
        self.at = start;
        self.take(b'"')?;
        self.skip_string()?;
        let token = self.text.get(start..self.at).ok_or(GiveUp)?;
        serde_json::from_str(token).map(Content::Unescaped).map_err(|_| GiveUp)
    }

    /// Goes behind the closing quote of a string whose opening one was taken.
    #[inline]
    fn skip_string(&mut self) -> Read<()> {
        let bytes = self.text.as_bytes();
        loop {
            self.at = stop_at(bytes, self.at);
            match bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.skip_escape()?,
                _ => return Err(GiveUp),
            }
        }
    }

    #[cold]
    fn skip_escape(&mut self) -> Read<()> {
        let rest = &self.text.as_bytes()[self.at + 1..];
        self.at += match rest {
            [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
            [b'u', a, b, c, d, ..] if [a, b, c, d].iter().all(|digit| digit.is_ascii_hexdigit()) => 6,
            _ => return Err(GiveUp),
        };
        Ok(())
    }

    fn skip_digits(&mut self) -> usize {
        let start = self.at;
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - start
    }

    /// Goes behind a number, which is checked.
    fn skip_number(&mut self) -> Read<()> {
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        let zero = self.byte() == Some(b'0');
        let digits = self.skip_digits();
        if digits == 0 || (zero && digits > 1) {
            return Err(GiveUp);
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            if self.skip_digits() == 0 {
                return Err(GiveUp);
            }
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.byte() {
                self.at += 1;
            }
            if self.skip_digits() == 0 {
                return Err(GiveUp);
            }
        }
        Ok(())
    }

    /// Takes a key and its colon.
    #[inline]
    fn skip_key(&mut self) -> Read<()> {
        self.take(b'"')?;
        self.skip_string()?;
        self.take(b':')
    }

    /// Goes behind a value of any kind, which is checked like one that is read. Never recurses.
    fn skip(&mut self) -> Read<()> {
        // What is open around the value, innermost last: 1 for an object, 0 for a list, below the 1 that marks the bottom.
        let mut open = 1_u64;
        loop {
            match self.token()? {
                b'"' => {
                    self.at += 1;
                    self.skip_string()?;
                }
                byte @ (b'{' | b'[') => {
                    self.at += 1;
                    let object = byte == b'{';
                    // A closing bracket is its opening one plus two.
                    if self.token()? == byte + 2 {
                        self.at += 1;
                    } else if open >> 63 == 1 {
                        return Err(GiveUp);
                    } else {
                        open = open << 1 | u64::from(object);
                        if object {
                            self.skip_key()?;
                        }
                        continue;
                    }
                }
                b'-' | b'0'..=b'9' => self.skip_number()?,
                b't' => self.word("true")?,
                b'f' => self.word("false")?,
                b'n' => self.word("null")?,
                _ => return Err(GiveUp),
            }
            loop {
                if open == 1 {
                    return Ok(());
                }
                let object = open & 1 == 1;
                let byte = self.token()?;
                self.at += 1;
                match byte {
                    b',' => {
                        if object {
                            self.skip_key()?;
                        }
                        break;
                    }
                    b'}' if object => open >>= 1,
                    b']' if !object => open >>= 1,
                    _ => return Err(GiveUp),
                }
            }
        }
    }

    /// A whole number: whether it is below zero, and how far it is from zero.
    fn whole(&mut self) -> Read<(bool, u64)> {
        let negative = self.token()? == b'-';
        self.at += usize::from(negative);
        let (start, zero) = (self.at, self.byte() == Some(b'0'));
        let mut value = 0_u64;
        while let Some(digit) = self.byte().map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
            value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
            self.at += 1;
        }
        let digits = self.at - start;
        // Eighteen digits cannot overflow; minus zero is a float.
        let sound = (1..=18).contains(&digits) && !(zero && (negative || digits > 1));
        if sound && !matches!(self.byte(), Some(b'.' | b'e' | b'E')) { Ok((negative, value)) } else { Err(GiveUp) }
    }

    /// A number of any kind, read by `serde_json`.
    fn number<V: Visitor<'de>>(&mut self, visitor: V) -> Read<V::Value> {
        self.token()?;
        let start = self.at;
        self.skip_number()?;
        let token = self.text.get(start..self.at).ok_or(GiveUp)?;
        serde_json::Deserializer::from_str(token).deserialize_any(visitor).map_err(|_| GiveUp)
    }

    #[inline]
    fn enter(&mut self, open: u8) -> Read<()> {
        self.take(open)?;
        self.room = self.room.checked_sub(1).ok_or(GiveUp)?;
        Ok(())
    }

    #[inline]
    fn leave(&mut self, close: u8) -> Read<()> {
        self.room += 1;
        self.take(close)
    }

    /// Whether another member or element follows; the comma before it is taken.
    #[inline]
    fn goes_on(&mut self, first: &mut bool, close: u8) -> Read<bool> {
        let byte = self.token()?;
        if byte == close {
            return Ok(false);
        }
        if !std::mem::take(first) {
            if byte != b',' {
                return Err(GiveUp);
            }
            self.at += 1;
        }
        Ok(true)
    }
}

macro_rules! whole_numbers {
    ($($name:ident)+) => { $(
        #[inline]
        fn $name<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
            match self.whole()? {
                (false, value) => visitor.visit_u64(value),
                (true, value) => visitor.visit_i64(0_i64.checked_sub_unsigned(value).ok_or(GiveUp)?),
            }
        }
    )+ };
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = GiveUp;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        match self.token()? {
            b'"' => self.deserialize_str(visitor),
            b'{' => self.deserialize_map(visitor),
            b'[' => self.deserialize_seq(visitor),
            b't' | b'f' => self.deserialize_bool(visitor),
            b'n' => {
                self.word("null")?;
                visitor.visit_unit()
            }
            _ => self.number(visitor),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        match self.content()? {
            Content::Plain(text) => visitor.visit_borrowed_str(text),
            Content::Unescaped(text) => visitor.visit_str(&text),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.deserialize_str(visitor)
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        if self.token()? == b'n' {
            self.word("null")?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        let truth = self.token()? == b't';
        self.word(if truth { "true" } else { "false" })?;
        visitor.visit_bool(truth)
    }

    whole_numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.number(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.number(visitor)
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.enter(b'{')?;
        let value = visitor.visit_map(Parts { reader: self, first: true })?;
        self.leave(b'}')?;
        Ok(value)
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(self, _: &'static str, _: &'static [&'static str], visitor: V) -> Read<V::Value> {
        self.deserialize_map(visitor)
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.enter(b'[')?;
        let value = visitor.visit_seq(Parts { reader: self, first: true })?;
        self.leave(b']')?;
        Ok(value)
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Read<V::Value> {
        if name != RAW {
            return visitor.visit_newtype_struct(self);
        }
        self.token()?;
        let start = self.at;
        self.skip()?;
        visitor.visit_map(Raw(self.text.get(start..self.at)))
    }

    #[inline]
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.skip()?;
        visitor.visit_unit()
    }

    fn deserialize_enum<V: Visitor<'de>>(self, _: &'static str, _: &'static [&'static str], visitor: V) -> Read<V::Value> {
        visitor.visit_enum(BorrowedStrDeserializer::new(self.plain()?))
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, _: V) -> Read<V::Value> {
        Err(GiveUp)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, _: V) -> Read<V::Value> {
        Err(GiveUp)
    }

    forward_to_deserialize_any! {
        i128 u128 char unit unit_struct tuple tuple_struct
    }
}

/// The members of an object or the elements of a list.
struct Parts<'r, 'de> {
    reader: &'r mut Reader<'de>,
    first: bool,
}

impl<'de> MapAccess<'de> for Parts<'_, 'de> {
    type Error = GiveUp;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Read<Option<K::Value>> {
        if !self.reader.goes_on(&mut self.first, b'}')? {
            return Ok(None);
        }
        // A key with escapes is so rare that the lane may end there.
        let key = self.reader.plain()?;
        self.reader.take(b':')?;
        seed.deserialize(BorrowedStrDeserializer::new(key)).map(Some)
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Read<V::Value> {
        seed.deserialize(&mut *self.reader)
    }
}

impl<'de> SeqAccess<'de> for Parts<'_, 'de> {
    type Error = GiveUp;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Read<Option<T::Value>> {
        if !self.reader.goes_on(&mut self.first, b']')? {
            return Ok(None);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }
}

/// The text of a value as it stands, the way a raw value wants to be told.
struct Raw<'de>(Option<&'de str>);

impl<'de> MapAccess<'de> for Raw<'de> {
    type Error = GiveUp;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Read<Option<K::Value>> {
        seed.deserialize(BorrowedStrDeserializer::new(RAW)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Read<V::Value> {
        seed.deserialize(BorrowedStrDeserializer::new(self.0.take().ok_or(GiveUp)?))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::{Index, select};
    use serde_json::value::RawValue;

    /// One member of every kind that the lane reads.
    #[allow(dead_code)] // they are compared as `Debug` writes them
    #[derive(Debug, Deserialize)]
    struct Probe<'a> {
        #[serde(borrow)]
        text: Option<std::borrow::Cow<'a, str>>,
        whole: Option<i64>,
        small: Option<u8>,
        count: Option<u64>,
        float: Option<f64>,
        truth: Option<bool>,
        kind: Option<Kind>,
        #[serde(borrow)]
        raw: Option<&'a RawValue>,
        any: Option<serde_json::Value>,
        #[serde(borrow, default)]
        list: Vec<Option<Probe<'a>>>,
    }

    #[derive(Debug, Deserialize)]
    enum Kind {
        Near,
        Far,
    }

    const DOCUMENTS: &[&str] = &[
        r#"{"text":"Tee \"blue\" \u00e9\n","whole":-12,"small":255,"count":123456789012345678,"float":1.5e3,"truth":true,"kind":"Far"}"#,
        r#"{ "raw" : {"a":[1,-0.5e-3,{"b":"\ud83d"}],"c":null}, "any":[null,false,{"k":"v","n":[0,-7,2.25]}], "unread": [ {} , [ ] ] } "#,
        "{\n\t\"list\": [null, {\"text\": \"ボトル\", \"list\": [{\"kind\": \"Near\"}]}],\r\n\t\"whole\": 0, \"x\": \"\\u0041\\/\"\n}{",
        r#"{"unread":{"price":{"value":{"centAmount":4312,"currencyCode":"JPY","type":"centPrecision"}}},"text":null,"truth":false}"#,
    ];

    /// What is put into a sound document to make it perhaps unsound.
    #[rustfmt::skip]
    const PIECES: &[&str] = &[
        "\"", "\\", "{", "}", "[", "]", ",", ":", "-", "0", "1", "18446744073709551616", ".", "e", "E+", "null", "nul", "true", "\u{1}",
        "\\u12", "\\ud800", "\\x", "é", " ", "\n", "\"text\":\"twice\",", "\"k\":1,", "-0", "01", "1e999", "NaN", "[[[[", "\u{7f}",
    ];

    /// What `serde_json` says of it.
    fn judged(text: &str) -> Option<(String, usize)> {
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<Probe<'_>>();
        let value = values.next()?.ok()?;
        Some((format!("{value:?}"), values.byte_offset()))
    }

    fn read_here(text: &str) -> Option<(String, usize)> {
        read::<Probe<'_>>(text).map(|(value, length)| (format!("{value:?}"), length))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]
        #[test]
        fn what_is_read_here_is_what_serde_json_reads(
            document in select(DOCUMENTS),
            edits in proptest::collection::vec((any::<Index>(), 0_usize..4, proptest::option::of(select(PIECES))), 0..4),
        ) {
            let mut text: Vec<char> = document.chars().collect();
            for (at, gone, piece) in edits {
                let at = at.index(text.len() + 1);
                let end = text.len().min(at + gone);
                text.splice(at..end, piece.unwrap_or_default().chars());
            }
            let text: String = text.into_iter().collect();
            if let Some(read) = read_here(&text) {
                prop_assert_eq!(Some(read), judged(&text), "{}", text);
            }
        }
    }

    #[test]
    fn sound_documents_stay_in_the_lane() {
        for document in DOCUMENTS {
            assert!(read_here(document).is_some(), "{document}");
            assert_eq!(read_here(document), judged(document));
        }
    }

    #[test]
    fn raw_values_are_read_here() {
        #[derive(Deserialize)]
        struct Rate<'a> {
            #[serde(borrow)]
            rate: &'a RawValue,
        }
        let (read, length) = read::<Rate<'_>>(r#"{"rate": 0.190 }"#).unwrap();
        assert_eq!((read.rate.get(), length), ("0.190", 16));
    }

    #[test]
    fn what_is_too_deep_is_given_up() {
        for (head, open, close) in [("\"unread\":", "[", "]"), ("\"list\":", "[{\"list\":", "}]"), ("\"any\":", "[", "]")] {
            let nested = |depth: usize| format!("{{{head}{}[]{}}}", open.repeat(depth), close.repeat(depth));
            assert!(read_here(&nested(30)).is_some(), "{head}");
            assert!(read_here(&nested(10_000)).is_none(), "{head}");
        }
    }
}
