//! A fast lane for JSON beside `serde_json`, for what passes by the thousand: documents of the expected shape and rows of
//! plain texts and numbers.
//!
//! The lane decides nothing. Whatever it does not read or write at once (a fault, a key with escapes, deep nesting)
//! is given up as a whole, and the caller asks `serde_json`, whose answer counts. So the lane may only ever accept what
//! `serde_json` accepts, with the same value, and write the bytes that `serde_json` writes; property tests hold it to that.

mod read;
mod write;

use std::fmt;

use serde::Serialize;

pub(crate) use read::read;

/// Appends the JSON of `value`, compact.
///
/// # Errors
/// What `serde_json` says; what was appended until then stays.
pub(crate) fn append<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> serde_json::Result<()> {
    if write::write(out, value) { Ok(()) } else { serde_json::to_writer(out, value) }
}

/// The lane ends here. Why is for `serde_json` to say.
#[derive(Debug)]
struct GiveUp;

impl fmt::Display for GiveUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not in the fast lane")
    }
}

impl std::error::Error for GiveUp {}

impl serde::de::Error for GiveUp {
    #[cold]
    fn custom<T: fmt::Display>(_: T) -> Self {
        GiveUp
    }
}

impl serde::ser::Error for GiveUp {
    #[cold]
    fn custom<T: fmt::Display>(_: T) -> Self {
        GiveUp
    }
}

/// Every byte of a word set to that one.
const fn every(byte: u8) -> u64 {
    0x0101_0101_0101_0101 * byte as u64
}

/// The high bit of each byte of `word` that cannot stand for itself inside of a JSON string: a quote, a backslash, a control
/// character. Bits above the lowest one set may be wrong: after Mycroft, subtracting borrows into the high bit exactly where
/// a byte was below the bound, up to the first such byte.
#[inline]
const fn stops(word: u64) -> u64 {
    // With its second bit turned a quote is the one byte besides the control characters that is below 0x21.
    let control_or_quote = (word ^ every(0x02)).wrapping_sub(every(0x21));
    let backslash = (word ^ every(b'\\')).wrapping_sub(every(1));
    // A byte with its own high bit set is part of a longer character, never a stop; the exclusive ors leave that bit alone.
    (control_or_quote | backslash) & !word & every(0x80)
}

#[inline]
const fn is_stop(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// The first position at or behind `at` that holds a stop; the length where none does.
#[inline]
fn stop_at(bytes: &[u8], at: usize) -> usize {
    let Some(mut rest) = bytes.get(at..) else { return bytes.len() };
    while let Some((block, behind)) = rest.split_first_chunk() {
        let found = stops(u64::from_le_bytes(*block));
        if found != 0 {
            return bytes.len() - rest.len() + (found.trailing_zeros() / 8) as usize;
        }
        rest = behind;
    }
    bytes.len() - rest.len() + rest.iter().position(|byte| is_stop(*byte)).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_first_stop_is_found(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'"'), Just(b'\\'), 0x1e_u8..0x24], 0..40), at in 0usize..40) {
            let at = at.min(bytes.len());
            let slow = bytes[at..].iter().position(|byte| is_stop(*byte)).map_or(bytes.len(), |found| at + found);
            prop_assert_eq!(stop_at(&bytes, at), slow);
        }
    }
}
