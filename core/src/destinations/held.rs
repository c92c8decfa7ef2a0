//! What a platform holds of what was written, for reconciliation, and whether that is what was sent.

use std::str::FromStr;
use std::time::Duration;

use rust_decimal::Decimal;
use serde_json::{Number, Value};

use super::Refusal;

/// What a platform holds of what an operation wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// What was written.
    Same,
    /// These members differ, as JSON pointers into the operation's body; the empty pointer is the whole. No values.
    Differs(Vec<String>),
    /// Nothing. Where a platform stores later than it accepts, that can mean that it was asked too soon.
    Missing,
    /// The platform does not tell; why.
    Unknown(&'static str),
    /// Ask again later.
    Later(Refusal, Option<Duration>),
}

impl Held {
    /// What these members, as JSON pointers, make of the whole: [`Held::Same`] where there are none.
    #[must_use]
    pub fn of(differs: Vec<String>) -> Held {
        if differs.is_empty() { Held::Same } else { Held::Differs(differs) }
    }
}

/// How a platform shows some values otherwise than they were sent; `None` where it has no way of its own.
pub type Own = fn(&Value, &Value) -> Option<bool>;

/// Whether what is held is what was sent. `own` is asked first, at every level; else numbers are equal by value (`47.0` and
/// `47`), what others keep beside our members of an object is theirs, and null and nothing are one.
///
/// ```
/// use cartwire::destinations::held::same;
/// use serde_json::json;
///
/// assert!(same(&json!({"total": 47.0}), Some(&json!({"total": 47, "theirs": true})), |_, _| None));
/// ```
#[must_use]
pub fn same(sent: &Value, held: Option<&Value>, own: Own) -> bool {
    let held = held.unwrap_or(&Value::Null);
    if let Some(told) = own(sent, held) {
        return told;
    }
    match (sent, held) {
        (Value::Number(sent), Value::Number(held)) => sent == held || is_number(sent, &held.to_string()),
        (Value::Object(sent), Value::Object(held)) => sent.iter().all(|(name, sent)| same(sent, held.get(name), own)),
        (Value::Array(sent), Value::Array(held)) => {
            sent.len() == held.len() && sent.iter().zip(held).all(|(sent, held)| same(sent, Some(held), own))
        }
        (sent, held) => sent == held,
    }
}

/// Whether a text is that number in some spelling (`47`, `47.00`, `4.7e1`).
#[must_use]
pub fn is_number(sent: &Number, text: &str) -> bool {
    let exact = |text: &str| Decimal::from_str(text).or_else(|_| Decimal::from_scientific(text)).ok();
    exact(text).is_some_and(|held| exact(&sent.to_string()) == Some(held))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_compared_by_what_they_mean() {
        let plain = |sent: &Value, held: Option<&Value>| same(sent, held, |_, _| None);
        for (sent, held) in [
            (json!(47.0), json!(47)),
            (json!(1e2), json!(100.00)),
            (json!("a"), json!("a")),
            (json!({"city": "Graz"}), json!({"city": "Graz", "geo": 1})),
            (json!([1, {"a": 2.50}]), json!([1.0, {"a": 2.5, "b": 3}])),
            (json!(null), json!(null)),
        ] {
            assert!(plain(&sent, Some(&held)), "{sent} {held}");
        }
        assert!(plain(&json!(null), None));
        for (sent, held) in [
            (json!(47.01), json!(47)),
            (json!(1e99), json!(1e98)),
            (json!("a"), json!("A")),
            (json!([1]), json!([1, 2])),
            (json!([1, 2]), json!([2, 1])),
            (json!({"a": 1}), json!({})),
        ] {
            assert!(!plain(&sent, Some(&held)), "{sent} {held}");
        }
    }

    #[test]
    fn a_platforms_own_spelling_counts_at_every_level() {
        let own: Own = |sent, held| (sent == "yes").then(|| held == 1);
        assert!(same(&json!({"a": ["yes"], "b": "no"}), Some(&json!({"a": [1], "b": "no"})), own));
        assert!(!same(&json!({"a": ["yes"]}), Some(&json!({"a": ["yes"]})), own));
    }
}
