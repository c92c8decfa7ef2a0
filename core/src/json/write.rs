//! Writing: `serde`'s structs to compact JSON, texts without escapes copied as they are.

use serde::Serialize;
use serde::ser::{Impossible, SerializeMap, SerializeSeq, SerializeStruct, Serializer};

use super::{GiveUp, is_stop, stops};

/// Appends the JSON of `value`. `false` where the fast lane gives up: `out` is then as it was, and `serde_json` is to be
/// asked, also for what is wrong.
pub(super) fn write<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> bool {
    let before = out.len();
    let written = value.serialize(Writer { out }).is_ok();
    if !written {
        out.truncate(before);
    }
    written
}

type Written<T = ()> = Result<T, GiveUp>;

/// What `serde_json` calls the structs through which it passes raw values and numbers.
const PRIVATE: &str = "$serde_json::private::";

struct Writer<'o> {
    out: &'o mut Vec<u8>,
}

/// Whether a text stands for itself between quotes.
#[inline]
fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    let Some(last) = bytes.last_chunk::<8>() else { return !bytes.iter().any(|byte| is_stop(*byte)) };
    let found =
        bytes.chunks_exact(8).filter_map(|block| block.first_chunk()).fold(0, |found, block| found | stops(u64::from_le_bytes(*block)));
    // The last eight once more, for the rest that makes no block of its own.
    found | stops(u64::from_le_bytes(*last)) == 0
}

fn text(out: &mut Vec<u8>, text: &str) -> Written {
    if !is_plain(text) {
        return escaped(out, text);
    }
    out.reserve(text.len() + 2);
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
    Ok(())
}

#[cold]
fn escaped(out: &mut Vec<u8>, text: &str) -> Written {
    serde_json::to_writer(out, text).map_err(|_| GiveUp)
}

macro_rules! by_serde_json {
    ($($name:ident: $ty:ty)+) => { $(
        fn $name(self, value: $ty) -> Written {
            serde_json::to_writer(self.out, &value).map_err(|_| GiveUp)
        }
    )+ };
}

macro_rules! given_up {
    ($($name:ident($($ty:ty),*) -> $answer:ty;)+) => { $(
        fn $name(self, $(_: $ty),*) -> Written<$answer> {
            Err(GiveUp)
        }
    )+ };
}

impl<'o> Serializer for Writer<'o> {
    type Ok = ();
    type Error = GiveUp;
    type SerializeSeq = Parts<'o>;
    type SerializeTuple = Impossible<(), GiveUp>;
    type SerializeTupleStruct = Impossible<(), GiveUp>;
    type SerializeTupleVariant = Impossible<(), GiveUp>;
    type SerializeMap = Parts<'o>;
    type SerializeStruct = Parts<'o>;
    type SerializeStructVariant = Impossible<(), GiveUp>;

    by_serde_json! {
        serialize_i8: i8 serialize_i16: i16 serialize_i32: i32 serialize_i64: i64
        serialize_u8: u8 serialize_u16: u16 serialize_u32: u32 serialize_u64: u64
        serialize_f32: f32 serialize_f64: f64 serialize_char: char
    }

    given_up! {
        serialize_bytes(&[u8]) -> ();
        serialize_tuple(usize) -> Impossible<(), GiveUp>;
        serialize_tuple_struct(&'static str, usize) -> Impossible<(), GiveUp>;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Impossible<(), GiveUp>;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Impossible<(), GiveUp>;
    }

    fn serialize_bool(self, value: bool) -> Written {
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Written {
        text(self.out, value)
    }

    fn serialize_none(self) -> Written {
        self.serialize_unit()
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Written {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Written {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Written {
        text(self.out, variant)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(self, _: &'static str, _: u32, _: &'static str, _: &T) -> Written {
        Err(GiveUp)
    }

    #[inline]
    fn serialize_seq(self, _: Option<usize>) -> Written<Parts<'o>> {
        self.out.push(b'[');
        Ok(Parts { out: self.out, first: true, close: b']' })
    }

    #[inline]
    fn serialize_map(self, _: Option<usize>) -> Written<Parts<'o>> {
        self.out.push(b'{');
        Ok(Parts { out: self.out, first: true, close: b'}' })
    }

    #[inline]
    fn serialize_struct(self, name: &'static str, length: usize) -> Written<Parts<'o>> {
        if name.starts_with(PRIVATE) { Err(GiveUp) } else { self.serialize_map(Some(length)) }
    }
}

/// The members of an object or the elements of a list, so far.
struct Parts<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
    close: u8,
}

impl Parts<'_> {
    #[inline]
    fn next(&mut self) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
    }
}

impl SerializeSeq for Parts<'_> {
    type Ok = ();
    type Error = GiveUp;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.next();
        value.serialize(Writer { out: self.out })
    }

    fn end(self) -> Written {
        self.out.push(self.close);
        Ok(())
    }
}

impl SerializeMap for Parts<'_> {
    type Ok = ();
    type Error = GiveUp;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        self.next();
        let start = self.out.len();
        key.serialize(Writer { out: self.out })?;
        // Only texts are keys; `serde_json` makes texts of numbers.
        if self.out.get(start) == Some(&b'"') { Ok(()) } else { Err(GiveUp) }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.out.push(b':');
        value.serialize(Writer { out: self.out })
    }

    fn end(self) -> Written {
        self.out.push(self.close);
        Ok(())
    }
}

impl SerializeStruct for Parts<'_> {
    type Ok = ();
    type Error = GiveUp;

    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Written {
        self.serialize_entry(key, value)
    }

    #[inline]
    fn end(self) -> Written {
        SerializeMap::end(self)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    #[derive(Debug, Default, Serialize)]
    struct Row {
        text: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        absent: Option<i64>,
        float: f64,
        list: Vec<Option<bool>>,
        kind: Option<Kind>,
        inner: Option<Box<Row>>,
        #[serde(flatten)]
        rest: BTreeMap<String, u64>,
    }

    #[derive(Debug, Serialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        NearBy,
    }

    fn here<T: Serialize>(value: &T) -> Option<String> {
        let mut out = b"before".to_vec();
        let written = write(&mut out, value);
        let text = String::from_utf8(out).unwrap_or_default();
        assert!(text.starts_with("before"));
        assert!(written || text == "before", "what is given up leaves nothing behind");
        written.then(|| text["before".len()..].to_owned())
    }

    proptest! {
        #[test]
        fn the_bytes_are_those_of_serde_json(
            texts in proptest::collection::vec("[\\x00-\\x7f]{0,3}[ -~äß→]{0,20}", 2),
            absent in any::<Option<i64>>(),
            float in any::<f64>(),
            list in any::<Vec<Option<bool>>>(),
            rest in proptest::collection::btree_map("\\PC{0,9}", any::<u64>(), 0..3),
        ) {
            let inner = Row { text: texts[1].clone(), ..Row::default() };
            let row = Row { text: texts[0].clone(), absent, float, list, kind: Some(Kind::NearBy), inner: Some(Box::new(inner)), rest };
            prop_assert_eq!(here(&row), serde_json::to_string(&row).ok());
        }
    }

    #[test]
    fn plain_texts_are_told_by_every_byte() {
        for length in 0..40 {
            let plain = "é".repeat(length / 2) + &"x".repeat(length % 2);
            assert!(is_plain(&plain));
            for at in 0..length {
                for stop in ["\"", "\\", "\u{1f}", "\n"] {
                    let text = "x".repeat(at) + stop + &"x".repeat(length - at);
                    assert!(!is_plain(&text), "{text:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_plain_value_is_given_up() {
        assert_eq!(here(&BTreeMap::from([(1, 2)])), None);
        assert_eq!(here(&RawValue::from_string("0.10".to_owned()).ok()), None);
        assert_eq!(here(&(1, 2)), None);
    }
}
