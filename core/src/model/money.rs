//! Money: a decimal amount and an ISO 4217 code. No float touches it until a vendor's JSON number is written.

use std::fmt;

use rust_decimal::{Decimal, RoundingStrategy};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, ErrorCode};

/// A currency code of three capital letters, such as `EUR`. Whether ISO 4217 lists it is a question for
/// [`Currency::digits`]; a code it does not list is kept and reported as `money.unknown_currency`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Reads a code; letters of either case.
    ///
    /// # Errors
    /// `invalid_input` when the text is not three ASCII letters.
    pub fn parse(text: &str) -> Result<Self, Error> {
        match text.as_bytes() {
            [a, b, c] if [a, b, c].iter().all(|byte| byte.is_ascii_alphabetic()) => {
                Ok(Currency([a.to_ascii_uppercase(), b.to_ascii_uppercase(), c.to_ascii_uppercase()]))
            }
            _ => Err(Error::new(ErrorCode::InvalidInput, "a currency code is three letters")),
        }
    }

    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// Digits of the minor unit after ISO 4217: JPY 0, EUR 2, KWD 3. `None` when ISO 4217 does not list the code.
    ///
    /// ```
    /// use cartwire::model::Currency;
    /// assert_eq!(Currency::parse("JPY")?.digits(), Some(0));
    /// assert_eq!(Currency::parse("kwd")?.digits(), Some(3));
    /// assert_eq!(Currency::parse("QQQ")?.digits(), None);
    /// # Ok::<(), cartwire::Error>(())
    /// ```
    #[must_use]
    pub fn digits(&self) -> Option<u32> {
        match &self.0 {
            // The hot codes of shops, so that an order does not walk the whole table per line.
            b"EUR" | b"USD" | b"GBP" | b"CHF" | b"SEK" | b"PLN" | b"AUD" | b"CAD" | b"DKK" | b"NOK" => Some(2),
            b"JPY" => Some(0),
            _ => iso_currency::Currency::from_code(self.as_str()).map(|known| known.exponent().map_or(0, u32::from)),
        }
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str> as Deserialize>::deserialize(deserializer)?;
        Currency::parse(&text).map_err(|_| serde::de::Error::custom("a currency code is three letters"))
    }
}

impl JsonSchema for Currency {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Currency".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO 4217 code, such as EUR" })
    }
}

/// An amount in one currency. On the wire `{"amount": "19.90", "currency": "EUR"}`; the amount is a decimal string and
/// keeps the digits the source gave it, high precision included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Decimal string, major units.
    #[serde(with = "decimal_text")]
    #[schemars(with = "String", regex(pattern = r"^-?[0-9]+(\.[0-9]+)?$"))]
    pub amount: Decimal,
    /// ISO 4217 code.
    pub currency: Currency,
}

impl Money {
    /// An amount in major units.
    #[must_use]
    pub const fn new(amount: Decimal, currency: Currency) -> Self {
        Money { amount, currency }
    }

    /// An amount in minor units with that many digits: `(1990, 2)` is 19.90.
    ///
    /// # Errors
    /// `invalid_input` when there are more than 28 digits after the point.
    pub fn from_minor(units: i64, digits: u32, currency: Currency) -> Result<Self, Error> {
        Decimal::try_from_i128_with_scale(i128::from(units), digits)
            .map(|amount| Money { amount, currency })
            .map_err(|_| Error::new(ErrorCode::InvalidInput, "more than 28 digits after the decimal point"))
    }

    /// Nothing, in that currency.
    #[must_use]
    pub const fn zero(currency: Currency) -> Self {
        Money { amount: Decimal::ZERO, currency }
    }

    /// Rounded half-even to the currency's minor unit; a currency ISO 4217 does not list keeps its digits.
    #[must_use]
    pub fn rounded(self) -> Self {
        match self.currency.digits() {
            Some(digits) => Money { amount: self.amount.round_dp_with_strategy(digits, RoundingStrategy::MidpointNearestEven), ..self },
            None => self,
        }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.currency)
    }
}

/// Splits `total` over `weights` by largest remainder, to the unit of `digits`: the parts always sum to `total` exactly.
/// Weights of zero or less get nothing unless all are so, then the first takes all; ties go to the earlier part.
///
/// ```
/// use cartwire::model::money::allocate;
/// use rust_decimal::Decimal;
/// let parts = allocate(Decimal::new(1000, 2), &[Decimal::ONE, Decimal::ONE, Decimal::ONE], 2);
/// assert_eq!(parts, [Decimal::new(334, 2), Decimal::new(333, 2), Decimal::new(333, 2)]);
/// ```
#[must_use]
pub fn allocate(total: Decimal, weights: &[Decimal], digits: u32) -> Vec<Decimal> {
    let mut parts = vec![Decimal::ZERO; weights.len()];
    let Some(first) = parts.first_mut() else { return parts };
    let positive = |weight: &Decimal| if weight.is_sign_positive() { *weight } else { Decimal::ZERO };
    let sum = weights.iter().map(positive).try_fold(Decimal::ZERO, |a, b| a.checked_add(b)).unwrap_or(Decimal::ZERO);
    if sum.is_zero() {
        *first = total;
        return parts;
    }
    let unit = Decimal::new(1, digits);
    let mut rest = total;
    let mut remainders = Vec::with_capacity(weights.len());
    for (index, weight) in weights.iter().enumerate() {
        // The share first, so that totals near the range's end do not overflow.
        let exact = positive(weight).checked_div(sum).and_then(|share| share.checked_mul(total)).unwrap_or(Decimal::ZERO);
        let part = exact.round_dp_with_strategy(digits, RoundingStrategy::ToZero);
        parts[index] = part;
        rest -= part;
        if !positive(weight).is_zero() {
            remainders.push(((exact - part).abs(), index));
        }
    }
    remainders.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let step = if rest.is_sign_negative() { -unit } else { unit };
    let mut turn = remainders.iter().cycle();
    while rest.abs() >= unit {
        let Some((_, index)) = turn.next() else { break };
        parts[*index] += step;
        rest -= step;
    }
    // A total finer than the unit leaves a crumb; it must not vanish.
    if let (false, Some((_, index))) = (rest.is_zero(), remainders.first()) {
        parts[*index] += rest;
    }
    parts
}

/// Decimals as strings on the wire: JSON numbers would pass through floats in Python and JavaScript.
pub mod decimal_text {
    use super::{Decimal, Deserialize, Deserializer, Serializer};

    /// Writes the decimal with the digits it has.
    ///
    /// # Errors
    /// Only what the serializer reports.
    pub fn serialize<S: Serializer>(value: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    /// Reads a decimal string.
    ///
    /// # Errors
    /// When the text is not a decimal of at most 28 digits.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
        let text = <std::borrow::Cow<'de, str> as Deserialize>::deserialize(deserializer)?;
        text.parse().map_err(|_| serde::de::Error::custom("not a decimal string"))
    }

    /// The same for a decimal that may be absent.
    pub mod optional {
        use super::{Decimal, Deserialize, Deserializer, Serializer};

        /// Writes the decimal string or null.
        ///
        /// # Errors
        /// Only what the serializer reports.
        #[allow(clippy::ref_option)] // serde passes a reference to the field
        pub fn serialize<S: Serializer>(value: &Option<Decimal>, serializer: S) -> Result<S::Ok, S::Error> {
            match value {
                Some(value) => serializer.collect_str(value),
                None => serializer.serialize_none(),
            }
        }

        /// Reads a decimal string or null.
        ///
        /// # Errors
        /// When the text is not a decimal of at most 28 digits.
        pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decimal>, D::Error> {
            let text = Option::<std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
            text.map(|text| text.parse().map_err(|_| serde::de::Error::custom("not a decimal string"))).transpose()
        }
    }
}

/// A decimal written as a JSON number, for vendors that take nothing else: the shortest exact form, always with a
/// fraction (`47.0`), because a first whole number can lock a field as an integer at the destination.
///
/// ```
/// use cartwire::model::money::JsonNumber;
/// use rust_decimal::Decimal;
/// assert_eq!(serde_json::to_string(&JsonNumber(Decimal::new(1950, 2)))?, "19.5");
/// assert_eq!(serde_json::to_string(&JsonNumber(Decimal::new(47, 0)))?, "47.0");
/// assert_eq!(serde_json::to_string(&JsonNumber("0.0123456".parse()?))?, "0.0123456");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonNumber(pub Decimal);

/// Powers of ten by scale.
const POWERS: [f64; 6] = [1.0, 10.0, 100.0, 1_000.0, 10_000.0, 100_000.0];

impl Serialize for JsonNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let short = if self.0.scale() <= 5 { self.0 } else { self.0.normalize() };
        let mantissa = short.mantissa();
        // Up to 15 significant digits the float nearest to the decimal prints back as that same decimal, in plain
        // notation from 1e-5 to 1e15. Mantissa and power of ten are exact floats, so their quotient is that nearest one.
        // Beyond that the digits are passed through as they are.
        if mantissa.unsigned_abs() < 1_000_000_000_000_000
            && let (Ok(mantissa), Some(power)) = (i64::try_from(mantissa), POWERS.get(short.scale() as usize))
        {
            #[allow(clippy::cast_precision_loss)] // below 2^53
            return serializer.serialize_f64(mantissa as f64 / power);
        }
        let mut text = self.0.normalize().to_string();
        if !text.contains('.') {
            text.push_str(".0");
        }
        match serde_json::value::RawValue::from_string(text) {
            Ok(raw) => raw.serialize(serializer),
            Err(error) => Err(serde::ser::Error::custom(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn long_amounts_keep_every_digit() {
        let long: Decimal = "123456789012345.678901".parse().unwrap_or_default();
        assert_eq!(serde_json::to_string(&JsonNumber(long)).unwrap_or_default(), "123456789012345.678901");
    }

    #[test]
    fn numbers_are_the_shortest_that_read_back() {
        for (decimal, number) in [
            ("0", "0.0"),
            ("-0.00", "0.0"),
            ("19.50", "19.5"),
            ("-19.990", "-19.99"),
            ("0.1", "0.1"),
            ("0.00001", "0.00001"),
            ("1.2300000000", "1.23"),
        ] {
            let value: Decimal = decimal.parse().unwrap_or_default();
            assert_eq!(serde_json::to_string(&JsonNumber(value)).unwrap_or_default(), number, "{decimal}");
        }
    }

    #[test]
    fn minor_units_follow_the_given_digits() {
        let jpy = Currency::parse("JPY").unwrap_or_else(|_| unreachable!());
        let money = Money::from_minor(3478, 2, jpy).unwrap_or_else(|_| unreachable!());
        assert_eq!(money.to_string(), "34.78 JPY");
        assert_eq!(money.rounded().to_string(), "35 JPY");
    }

    proptest! {
        #[test]
        fn allocation_never_loses_or_invents_a_cent(total in -1_000_000_000i64..1_000_000_000, digits in 0u32..4, weights in proptest::collection::vec(0i64..1_000_000, 1..40)) {
            let total = Decimal::new(total, digits);
            let weights: Vec<Decimal> = weights.into_iter().map(|w| Decimal::new(w, 2)).collect();
            let parts = allocate(total, &weights, digits);
            prop_assert_eq!(parts.iter().copied().sum::<Decimal>(), total);
            prop_assert!(parts.iter().all(|part| part.scale() <= digits || part.normalize().scale() <= digits));
        }

        #[test]
        fn everyday_amounts_read_back_as_the_same_decimal(mantissa in -999_999_999_999_999i64..=999_999_999_999_999, shift in 0u32..15, scale in 0u32..6) {
            let value = Decimal::new(mantissa / 10i64.pow(shift), scale);
            let text = serde_json::to_string(&JsonNumber(value)).map_err(|e| TestCaseError::fail(e.to_string()))?;
            prop_assert!(text.contains('.') && !text.contains('e'), "{}", text);
            prop_assert_eq!(text.parse::<Decimal>().map_err(|_| TestCaseError::fail(text.clone()))?, value);
        }

        #[test]
        fn json_numbers_read_back_as_the_same_decimal(mantissa in any::<i64>(), scale in 0u32..20) {
            let value = Decimal::new(mantissa, scale);
            let text = serde_json::to_string(&JsonNumber(value)).map_err(|e| TestCaseError::fail(e.to_string()))?;
            prop_assert!(text.contains('.') && !text.contains('e'));
            let back: Decimal = text.parse().map_err(|_| TestCaseError::fail(text.clone()))?;
            prop_assert_eq!(back, value);
        }
    }
}
