//! What every vendor's answers to questions are made of: canonical JSON and digests of it.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// Writes JSON with sorted keys and one spelling per number, so that equal values give equal bytes.
pub(crate) fn canonical(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_unstable();
            out.push(b'{');
            for (index, key) in keys.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                out.extend(Value::from(key.as_str()).to_string().bytes());
                out.push(b':');
                canonical(&map[key], out);
            }
            out.push(b'}');
        }
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                canonical(item, out);
            }
            out.push(b']');
        }
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (None, Some(float)) if float.fract() == 0.0 && float.abs() < 9.0e15 => out.extend((float as i64).to_string().bytes()),
            (None, Some(float)) => out.extend(float.to_string().bytes()),
            _ => out.extend(number.to_string().bytes()),
        },
        other => out.extend(other.to_string().bytes()),
    }
}

/// The SHA-256 of canonical JSON.
pub(crate) fn digest(value: &Value) -> [u8; 32] {
    let mut bytes = Vec::with_capacity(256);
    canonical(value, &mut bytes);
    Sha256::digest(&bytes).into()
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_order_of_keys_and_the_spelling_of_numbers_make_no_difference() {
        assert_eq!(digest(&json!({"a": 1.0, "b": [19.50]})), digest(&json!({"b": [19.5], "a": 1})));
        assert_ne!(digest(&json!([1, 2])), digest(&json!([2, 1])));
    }
}
