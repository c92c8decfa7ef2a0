//! Hashes: idempotency keys, fingerprints of what was sent, opaque names for people.

use sha2::{Digest, Sha256};
use xxhash_rust::xxh3::xxh3_64;

use crate::model::IdempotencyKey;

/// The idempotency key of a thing that happened: made of who told (source, tenant), what it is about (resource kind and
/// id) and what happened to it, never of how it was heard. Fields are length-prefixed, so no two lists of parts collide.
///
/// ```
/// use cartwire::fingerprint::idempotency_key;
/// let by_webhook = idempotency_key(&["commercetools", "demo", "order", "7f3a", "order_placed"]);
/// let by_poll = idempotency_key(&["commercetools", "demo", "order", "7f3a", "order_placed"]);
/// assert_eq!(by_webhook, by_poll);
/// assert_ne!(by_webhook, idempotency_key(&["commercetools", "demo", "order", "7f3", "aorder_placed"]));
/// ```
#[must_use]
pub fn idempotency_key(parts: &[&str]) -> IdempotencyKey {
    IdempotencyKey::new(digest(parts, 16))
}

/// A short stable name for something personal, such as an e-mail address as a lane or ledger key: 24 hexadecimal digits.
#[must_use]
pub fn opaque(parts: &[&str]) -> String {
    digest(parts, 12)
}

/// A fingerprint of bytes, for noticing change; not for security.
#[must_use]
pub fn fingerprint(bytes: &[u8]) -> u64 {
    xxh3_64(bytes)
}

fn digest(parts: &[&str], bytes: usize) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hex(&hasher.finalize()[..bytes])
}

/// Lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}
