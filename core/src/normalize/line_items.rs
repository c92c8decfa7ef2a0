//! Line items: sums that do not overflow, discounts gathered by rule, fulfilment.

use rust_decimal::Decimal;

use crate::model::{Discount, DiscountKind, Fulfilment, Money};

/// A sum would leave the range of decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow;

/// The sum of amounts, in the currency of `zero`.
///
/// # Errors
/// [`Overflow`] when the sum has more than 28 digits.
pub fn sum(zero: Money, amounts: impl IntoIterator<Item = Decimal>) -> Result<Money, Overflow> {
    let amount = amounts.into_iter().try_fold(zero.amount, Decimal::checked_add).ok_or(Overflow)?;
    Ok(Money { amount, ..zero })
}

/// That many times the amount.
///
/// # Errors
/// [`Overflow`] when the product has more than 28 digits.
pub fn times(money: Money, quantity: i64) -> Result<Money, Overflow> {
    let amount = money.amount.checked_mul(Decimal::from(quantity)).ok_or(Overflow)?;
    Ok(Money { amount, ..money })
}

/// The difference of two amounts, in the currency of the first.
///
/// # Errors
/// [`Overflow`] when the difference has more than 28 digits.
pub fn less(money: Money, other: Money) -> Result<Money, Overflow> {
    let amount = money.amount.checked_sub(other.amount).ok_or(Overflow)?;
    Ok(Money { amount, ..money })
}

/// Adds a discount to the list: onto the entry of the same kind and rule where there is one, because a line split into
/// several prices names one rule several times. Nothing is added for zero.
///
/// # Errors
/// [`Overflow`] when the sum has more than 28 digits.
pub fn add_discount(
    discounts: &mut Vec<Discount>,
    kind: DiscountKind,
    id: Option<&str>,
    name: Option<&str>,
    amount: Money,
) -> Result<(), Overflow> {
    if amount.amount.is_zero() {
        return Ok(());
    }
    match discounts.iter_mut().find(|known| id.is_some() && known.kind == kind && known.id.as_deref() == id) {
        Some(known) => known.amount = sum(known.amount, [amount.amount])?,
        None => {
            discounts.push(Discount { kind, id: id.map(str::to_owned), code: None, name: name.map(str::to_owned), amount });
        }
    }
    Ok(())
}

/// What is known of the units of one line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Units {
    /// Units in shipments.
    pub shipped: i64,
    /// Units that came back.
    pub returned: i64,
    /// Units paid back.
    pub refunded: i64,
}

/// What is known of the order as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Whole {
    /// The order is called off.
    pub cancelled: bool,
    /// The shop says that all was sent.
    pub shipped: bool,
    /// The shop says that all arrived.
    pub delivered: bool,
    /// Shipments are listed, so that they say more than the word on the order.
    pub has_shipments: bool,
}

/// Counts of a line with their status. Listed shipments count before the word on the order, which stands in where a shop
/// keeps no shipments; of a cancelled order everything not sent is called off.
#[must_use]
pub fn fulfilment(ordered: i64, units: Units, whole: Whole) -> Fulfilment {
    let shipped = if (whole.shipped || whole.delivered) && !whole.has_shipments { ordered } else { units.shipped };
    Fulfilment {
        ordered,
        shipped,
        delivered: if whole.delivered { shipped } else { 0 },
        returned: units.returned,
        refunded: units.refunded,
        cancelled: if whole.cancelled { ordered.saturating_sub(shipped).max(0) } else { 0 },
        ..Fulfilment::default()
    }
    .derive()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Currency, FulfilmentStatus};

    fn eur(cents: i64) -> Money {
        Currency::parse("EUR").and_then(|eur| Money::from_minor(cents, 2, eur)).unwrap_or_else(|_| unreachable!())
    }

    #[test]
    fn one_rule_on_two_prices_is_one_discount_and_zeros_are_none() {
        let mut discounts = Vec::new();
        for (id, cents) in [("a", 100), ("b", 90), ("a", 0), ("b", 100)] {
            assert_eq!(add_discount(&mut discounts, DiscountKind::Cart, Some(id), None, eur(cents)), Ok(()));
        }
        let seen: Vec<_> = discounts.iter().map(|d| (d.id.as_deref(), d.amount)).collect();
        assert_eq!(seen, [(Some("a"), eur(100)), (Some("b"), eur(190))]);
    }

    #[test]
    fn sums_beyond_the_range_are_reported_not_wrapped() {
        let most = Money::new(Decimal::MAX, eur(0).currency);
        assert_eq!(sum(most, [Decimal::ONE]), Err(Overflow));
        assert_eq!(times(most, 2), Err(Overflow));
    }

    #[test]
    fn a_cancelled_order_keeps_what_was_sent() {
        let units = Units { shipped: 1, ..Units::default() };
        let line = fulfilment(3, units, Whole { cancelled: true, has_shipments: true, ..Whole::default() });
        assert_eq!((line.shipped, line.cancelled, line.status), (1, 2, FulfilmentStatus::Shipped));
    }

    #[test]
    fn the_orders_word_stands_in_only_without_shipments() {
        let word = Whole { shipped: true, ..Whole::default() };
        assert_eq!(fulfilment(2, Units::default(), word).status, FulfilmentStatus::Shipped);
        let listed = Whole { has_shipments: true, ..word };
        assert_eq!(fulfilment(2, Units::default(), listed).status, FulfilmentStatus::Open);
    }
}
