//! Cuts a document into its rows without reading them, so that a broken row loses only itself.
//!
//! The scanner knows quotes, escapes and depth, nothing else: it works on bytes (JSON's structure is ASCII, so text of any
//! language passes through), never recurses and never allocates. It does not check that a value is valid; whoever reads
//! the value does.

use memchr::memchr2;

/// Where a value ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Just behind its last byte.
    At(usize),
    /// The input stops in the middle of it.
    Truncated,
}

/// The first position at or behind `at` that is not JSON white space.
#[must_use]
pub fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
}

/// The end of the value that starts at `at`.
///
/// ```
/// use cartwire::sources::split::{End, value_end};
/// assert_eq!(value_end(br#"{"a":"}"} x"#, 0), End::At(9));
/// assert_eq!(value_end(br#"{"a":[1,2"#, 0), End::Truncated);
/// ```
#[must_use]
pub fn value_end(bytes: &[u8], at: usize) -> End {
    match bytes.get(at) {
        None => End::Truncated,
        Some(b'"') => string_end(bytes, at),
        Some(b'{' | b'[') => {
            let mut depth = 0_usize;
            let mut next = at;
            while let Some(byte) = bytes.get(next) {
                match byte {
                    b'"' => match string_end(bytes, next) {
                        End::At(end) => {
                            next = end;
                            continue;
                        }
                        End::Truncated => return End::Truncated,
                    },
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => {
                        depth -= 1;
                        if depth == 0 {
                            return End::At(next + 1);
                        }
                    }
                    _ => {}
                }
                next += 1;
            }
            End::Truncated
        }
        Some(_) => {
            let length = bytes[at..].iter().position(|byte| matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t'));
            // At least one byte, so that whoever loops over values always moves on.
            End::At(length.map_or(bytes.len(), |length| at + length.max(1)))
        }
    }
}

/// Where the values of the array that starts at `at` are, and the position just behind the array; `None` when it is no whole
/// array.
///
/// ```
/// use cartwire::sources::split::elements;
/// assert_eq!(elements(b"[1, {}] x", 0), Some((vec![(1, 2), (4, 6)], 7)));
/// assert_eq!(elements(b"[1, {}", 0), None);
/// ```
#[must_use]
pub fn elements(bytes: &[u8], at: usize) -> Option<(Vec<(usize, usize)>, usize)> {
    let mut spans = Vec::new();
    if bytes.get(at) != Some(&b'[') {
        return None;
    }
    let mut next = skip_space(bytes, at + 1);
    if bytes.get(next) == Some(&b']') {
        return Some((spans, next + 1));
    }
    loop {
        let End::At(end) = value_end(bytes, next) else { return None };
        spans.push((next, end));
        next = skip_space(bytes, end);
        match bytes.get(next)? {
            b',' => next = skip_space(bytes, next + 1),
            b']' => return Some((spans, next + 1)),
            _ => return None,
        }
    }
}

fn string_end(bytes: &[u8], at: usize) -> End {
    let mut next = at + 1;
    while let Some(found) = bytes.get(next..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        if bytes[next + found] == b'"' {
            return End::At(next + found + 1);
        }
        next += found + 2;
    }
    End::Truncated
}

/// A key of an object with the place of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    /// The key's bytes as written, escapes included.
    pub name: &'a [u8],
    /// Where the value starts.
    pub value: usize,
}

/// The keys of one object, without reading the values. Stops at the end of the object and at the first thing that is no
/// key; a value is only walked over when the next key is asked for.
#[derive(Clone, Debug)]
pub struct Keys<'a> {
    bytes: &'a [u8],
    next: usize,
    value: Option<usize>,
    closed: bool,
}

impl<'a> Keys<'a> {
    /// The keys of the object that starts at `at`.
    #[must_use]
    pub fn new(bytes: &'a [u8], at: usize) -> Self {
        let open = bytes.get(at) == Some(&b'{');
        Keys { bytes, next: if open { at + 1 } else { bytes.len() }, value: None, closed: false }
    }

    /// Whether the object's closing brace was reached.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed
    }
}

impl<'a> Iterator for Keys<'a> {
    type Item = Key<'a>;

    fn next(&mut self) -> Option<Key<'a>> {
        if let Some(value) = self.value.take() {
            let End::At(end) = value_end(self.bytes, value) else {
                self.next = self.bytes.len();
                return None;
            };
            self.next = skip_space(self.bytes, end);
            if self.bytes.get(self.next) == Some(&b',') {
                self.next += 1;
            }
        }
        self.next = skip_space(self.bytes, self.next);
        match self.bytes.get(self.next)? {
            b'"' => {}
            byte => {
                self.closed = *byte == b'}';
                self.next = self.bytes.len();
                return None;
            }
        }
        let start = self.next + 1;
        let End::At(end) = string_end(self.bytes, self.next) else {
            self.next = self.bytes.len();
            return None;
        };
        let colon = skip_space(self.bytes, end);
        if self.bytes.get(colon) != Some(&b':') {
            self.next = self.bytes.len();
            return None;
        }
        let value = skip_space(self.bytes, colon + 1);
        self.value = Some(value);
        Some(Key { name: &self.bytes[start..end - 1], value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn braces_and_quotes_inside_strings_do_not_count() {
        let text = br#" {"a\"}":"[{","b":[{"c":"\\"}]} , 2"#;
        assert_eq!(value_end(text, 1), End::At(text.len() - 4));
    }

    #[test]
    fn keys_come_in_order_and_nested_keys_do_not() {
        let text = br#"{ "id" : 1, "nested": {"id": 2, "x": [1]}, "last":null }"#;
        let mut keys = Keys::new(text, 0);
        let names: Vec<_> = keys.by_ref().map(|key| key.name.to_vec()).collect();
        assert_eq!(names, [b"id".to_vec(), b"nested".to_vec(), b"last".to_vec()]);
        assert!(keys.is_closed());
    }

    #[test]
    fn a_cut_object_yields_what_came_before_the_cut() {
        let mut keys = Keys::new(br#"{"a":1,"b":[1,2"#, 0);
        assert_eq!(keys.by_ref().count(), 2);
        assert!(!keys.is_closed());
    }

    #[test]
    fn ten_thousand_levels_do_not_exhaust_the_stack() {
        let deep = "[".repeat(10_000) + &"]".repeat(10_000);
        assert_eq!(value_end(deep.as_bytes(), 0), End::At(20_000));
    }

    proptest! {
        #[test]
        fn any_bytes_end_somewhere(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..220) {
            if let End::At(end) = value_end(&bytes, at) {
                prop_assert!(end > at && end <= bytes.len());
            }
            let _ = Keys::new(&bytes, 0).count();
        }
    }
}
