//! How the platform's sums become one sum that closes:
//!
//! ```text
//! total_inc_tax = lines + shipping + handling + wrapping − discount_amount − coupon_discount       (with tax)
//! total_inc_tax = the same without tax + total_tax                                                 (without)
//! ```
//!
//! Every amount exists with and without tax; `is_tax_inclusive_pricing` says which one the merchant typed and the platform
//! therefore did not derive. That side is taken if it closes, else the other. What the documentation leaves open is decided by
//! which reading closes: whether fees are in the total, and whether gift certificates were already taken off it. What closes in
//! no reading (a total set by hand) stays visible as an adjustment and is reported; an order is never dropped because of it.

use rust_decimal::Decimal;

use super::map::money;
use crate::model::{
    Attributes, Currency, Discount, DiscountKind, Finding, FindingCode, Fulfilment, GiftCertificate, LineItem, LineKind, Money,
    ShippingCharge, Totals,
};
use crate::normalize::line_items::{Overflow, sum};
use crate::sources::rows::Failure;

/// Which of the two amounts is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    IncTax,
    ExTax,
}

impl Side {
    pub(super) fn of<T>(self, ex: T, inc: T) -> T {
        match self {
            Side::IncTax => inc,
            Side::ExTax => ex,
        }
    }

    pub(super) const fn other(self) -> Self {
        match self {
            Side::IncTax => Side::ExTax,
            Side::ExTax => Side::IncTax,
        }
    }
}

/// All amounts of one side.
pub(super) struct Amounts {
    side: Side,
    currency: Currency,
    pub lines: Vec<LineItem>,
    /// Fee lines of which it is not known whether the total holds them.
    pub fees: Vec<LineItem>,
    pub shipping: Vec<ShippingCharge>,
    pub discounts: Vec<Discount>,
    pub gift_certificates: Vec<GiftCertificate>,
    /// All tax.
    pub tax: Option<Money>,
}

/// What came out.
pub(super) struct Settled {
    pub lines: Vec<LineItem>,
    pub shipping: Vec<ShippingCharge>,
    pub discounts: Vec<Discount>,
    pub gift_certificates: Vec<GiftCertificate>,
    pub totals: Totals,
}

impl Amounts {
    pub(super) const fn new(side: Side, currency: Currency) -> Self {
        Amounts {
            side,
            currency,
            lines: Vec::new(),
            fees: Vec::new(),
            shipping: Vec::new(),
            discounts: Vec::new(),
            gift_certificates: Vec::new(),
            tax: None,
        }
    }

    fn tax_added(&self) -> Decimal {
        match (self.side, self.tax) {
            (Side::ExTax, Some(tax)) => tax.amount,
            _ => Decimal::ZERO,
        }
    }

    /// Lines, shipping and tax less discounts.
    fn sum(&self, fees: bool) -> Result<Decimal, Overflow> {
        let added = self.lines.iter().map(|line| line.total.amount);
        let added = added.chain(self.fees.iter().filter(|_| fees).map(|line| line.total.amount));
        let added = added.chain(self.shipping.iter().map(|charge| charge.amount.amount)).chain([self.tax_added()]);
        let taken = self.discounts.iter().map(|discount| -discount.amount.amount);
        sum(Money::zero(self.currency), added.chain(taken)).map(|sum| sum.amount)
    }

    /// Lines and shipping less discounts, for sources of tax that is not told.
    pub(super) fn sum_without_tax(&self) -> Result<Decimal, Overflow> {
        self.sum(false)?.checked_sub(self.tax_added()).ok_or(Overflow)
    }

    fn paid_by_certificate(&self) -> Result<Decimal, Overflow> {
        sum(Money::zero(self.currency), self.gift_certificates.iter().map(|one| one.amount.amount)).map(|sum| sum.amount)
    }

    /// What rounding can come to: half a minor unit for every amount that was rounded.
    fn tolerance(&self) -> Decimal {
        let Some(digits) = self.currency.digits() else { return Decimal::ZERO };
        let amounts = self.lines.len() + self.shipping.len() + self.discounts.len() + 1;
        Decimal::new(i64::try_from(amounts.div_ceil(2)).unwrap_or(1), digits)
    }
}

/// How a sum was read.
struct Reading {
    fees: bool,
    /// Gift certificates were taken off the platform's total already.
    net: bool,
    missing: Decimal,
}

fn reading(amounts: &Amounts, total: Decimal) -> Result<Option<Reading>, Overflow> {
    let paid = amounts.paid_by_certificate()?;
    for net in [false, true] {
        for fees in [false, true] {
            if (fees && amounts.fees.is_empty()) || (net && paid.is_zero()) {
                continue;
            }
            let off = if net { paid } else { Decimal::ZERO };
            let expected = amounts.sum(fees)?.checked_sub(off).ok_or(Overflow)?;
            let missing = total.checked_sub(expected).ok_or(Overflow)?;
            if missing.abs() <= amounts.tolerance() {
                return Ok(Some(Reading { fees, net, missing }));
            }
        }
    }
    Ok(None)
}

/// Brings the sides and the platform's total together. `total` is with tax; the other side is only read where the preferred
/// one does not close.
///
/// # Errors
/// When a sum has more than 28 digits, and what reading the other side fails with.
pub(super) fn settle(
    total: Decimal,
    currency: Currency,
    preferred: Amounts,
    other: impl FnOnce() -> Result<Amounts, Failure>,
    pointer: &str,
    findings: &mut Vec<Finding>,
) -> Result<Settled, Failure> {
    let overflow = |Overflow| Failure::malformed(pointer, "the amounts are beyond 28 digits");
    let total = money(total, currency);
    if let Some(reading) = reading(&preferred, total.amount).map_err(overflow)? {
        return close(total, preferred, reading).map_err(overflow);
    }
    let other = other()?;
    if let Some(reading) = reading(&other, total.amount).map_err(overflow)? {
        return close(total, other, reading).map_err(overflow);
    }
    let with_tax = if preferred.side == Side::IncTax { preferred } else { other };
    adjusted(total, with_tax, pointer, findings).map_err(overflow)
}

fn adjusted(total: Money, mut amounts: Amounts, pointer: &str, findings: &mut Vec<Finding>) -> Result<Settled, Overflow> {
    let missing = total.amount.checked_sub(amounts.sum(false)?).ok_or(Overflow)?;
    adjust(&mut amounts, missing);
    let message = format!("the parts miss the total by {}", money(missing, total.currency));
    findings.push(Finding::new(FindingCode::OrderAdjusted, pointer, message));
    close(total, amounts, Reading { fees: false, net: false, missing: Decimal::ZERO })
}

fn close(total: Money, mut amounts: Amounts, reading: Reading) -> Result<Settled, Overflow> {
    let currency = total.currency;
    let mut tax_added = amounts.tax_added();
    if reading.fees {
        amounts.lines.append(&mut amounts.fees);
    }
    // Cents lost by rounding go where they weigh least: into the tax that is added, else into the dearest line.
    if !reading.missing.is_zero() {
        match amounts.lines.iter_mut().max_by_key(|line| line.total.amount) {
            _ if amounts.side == Side::ExTax && !tax_added.is_zero() => {
                tax_added = tax_added.checked_add(reading.missing).ok_or(Overflow)?
            }
            Some(line) => line.total.amount = line.total.amount.checked_add(reading.missing).ok_or(Overflow)?,
            None => adjust(&mut amounts, reading.missing),
        }
    }
    let zero = Money::zero(currency);
    let paid = amounts.paid_by_certificate()?;
    let due = if reading.net { total.amount } else { total.amount.checked_sub(paid).ok_or(Overflow)? };
    let taken = amounts.discounts.iter().map(|one| one.amount.amount).chain([paid]);
    let totals = Totals {
        subtotal: money(sum(zero, amounts.lines.iter().map(|line| line.total.amount))?.amount, currency),
        shipping: money(sum(zero, amounts.shipping.iter().map(|charge| charge.amount.amount))?.amount, currency),
        discount: money(sum(zero, taken)?.amount, currency),
        tax: amounts.tax,
        tax_added: money(tax_added, currency),
        total: money(due, currency),
    };
    Ok(Settled {
        lines: amounts.lines,
        shipping: amounts.shipping,
        discounts: amounts.discounts,
        gift_certificates: amounts.gift_certificates,
        totals,
    })
}

/// Shows what is missing: more as a line, less as a discount.
fn adjust(amounts: &mut Amounts, missing: Decimal) {
    let amount = money(missing.abs(), amounts.currency);
    if missing.is_sign_negative() {
        let (id, name) = (Some("adjustment".to_owned()), Some("Adjustment".to_owned()));
        amounts.discounts.push(Discount { kind: DiscountKind::Manual, id, code: None, name, amount });
        return;
    }
    amounts.lines.push(extra_line(LineKind::Custom, "adjustment", "Adjustment", amount, None));
}

/// A line that is no product: a fee, an adjustment.
pub(super) fn extra_line(kind: LineKind, id: &str, name: &str, amount: Money, tax: Option<(Option<Money>, bool)>) -> LineItem {
    LineItem {
        id: id.to_owned(),
        kind,
        parent_id: None,
        sku: None,
        product_id: None,
        product_key: None,
        variant_id: None,
        name: Some(name.to_owned()),
        quantity: 1,
        unit_list_price: amount,
        unit_price: amount,
        discounts: Vec::new(),
        tax: tax.and_then(|(tax, _)| tax),
        tax_rate: None,
        tax_included: tax.map(|(_, included)| included),
        total: amount,
        categories: Vec::new(),
        brand: None,
        image_url: None,
        url: None,
        attributes: Attributes::new(),
        fulfilment: Fulfilment { ordered: 1, ..Fulfilment::default() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eur() -> Currency {
        Currency::parse("EUR").unwrap_or_else(|_| unreachable!())
    }

    fn dec(text: &str) -> Decimal {
        text.parse().unwrap_or_else(|_| unreachable!())
    }

    fn side(side: Side, lines: &[&str], tax: &str) -> Amounts {
        let mut amounts = Amounts::new(side, eur());
        for (index, line) in lines.iter().enumerate() {
            amounts.lines.push(extra_line(LineKind::Product, &index.to_string(), "line", money(dec(line), eur()), None));
        }
        amounts.tax = Some(money(dec(tax), eur()));
        amounts
    }

    fn closes(settled: &Settled) -> bool {
        let lines: Decimal = settled.lines.iter().map(|line| line.total.amount).sum();
        let off: Decimal = settled.discounts.iter().map(|one| one.amount.amount).sum();
        let paid: Decimal = settled.gift_certificates.iter().map(|one| one.amount.amount).sum();
        lines + settled.totals.tax_added.amount - off - paid == settled.totals.total.amount
    }

    fn settled(total: &str, preferred: Amounts, other: Amounts) -> (Settled, usize) {
        let mut findings = Vec::new();
        let settled =
            settle(dec(total), eur(), preferred, || Ok(other), "/total_inc_tax", &mut findings).unwrap_or_else(|_| unreachable!());
        assert!(closes(&settled));
        (settled, findings.len())
    }

    #[test]
    fn the_side_that_was_typed_is_taken_when_it_closes() {
        let (out, findings) = settled("119", side(Side::ExTax, &["100"], "19"), side(Side::IncTax, &["119"], "19"));
        assert_eq!((out.totals.tax_added.amount, findings), (dec("19.00"), 0));
        let (out, _) = settled("119", side(Side::IncTax, &["119"], "19"), side(Side::ExTax, &["100"], "19"));
        assert_eq!(out.totals.tax_added.amount, dec("0.00"));
    }

    #[test]
    fn the_other_side_is_taken_when_only_that_one_closes() {
        // The discount of 10 is with tax, so the side without tax cannot close.
        let mut ex = side(Side::ExTax, &["100"], "17.40");
        let mut inc = side(Side::IncTax, &["119"], "17.40");
        for amounts in [&mut ex, &mut inc] {
            let amount = money(dec("10"), eur());
            amounts.discounts.push(Discount { kind: DiscountKind::Cart, id: None, code: None, name: None, amount });
        }
        let (out, findings) = settled("109", ex, inc);
        assert_eq!((out.totals.subtotal.amount, findings), (dec("119.00"), 0));
    }

    #[test]
    fn a_cent_of_rounding_goes_into_the_tax_or_the_dearest_line() {
        let (out, findings) = settled("119.01", side(Side::ExTax, &["100"], "19"), side(Side::IncTax, &["119"], "19"));
        assert_eq!((out.totals.tax_added.amount, findings), (dec("19.01"), 0));
        let (out, _) = settled("30.01", side(Side::IncTax, &["10", "20"], "0"), side(Side::ExTax, &["10", "20"], "0"));
        assert_eq!(out.lines[1].total.amount, dec("20.01"));
    }

    #[test]
    fn fees_are_lines_only_if_the_total_holds_them() {
        let with_fee =
            |amounts: Amounts| Amounts { fees: vec![extra_line(LineKind::Fee, "f", "Fee", money(dec("5"), eur()), None)], ..amounts };
        let (out, _) = settled("15", with_fee(side(Side::IncTax, &["10"], "0")), with_fee(side(Side::ExTax, &["10"], "0")));
        assert_eq!(out.lines.len(), 2);
        let (out, _) = settled("10", with_fee(side(Side::IncTax, &["10"], "0")), with_fee(side(Side::ExTax, &["10"], "0")));
        assert_eq!(out.lines.len(), 1);
    }

    #[test]
    fn a_certificate_pays_whether_the_total_is_before_or_behind_it() {
        let paid = |amounts: Amounts| Amounts {
            gift_certificates: vec![GiftCertificate { id: None, amount: money(dec("25"), eur()) }],
            ..amounts
        };
        for total in ["100", "75"] {
            let (out, findings) = settled(total, paid(side(Side::IncTax, &["100"], "0")), paid(side(Side::ExTax, &["100"], "0")));
            assert_eq!((out.totals.total.amount, findings), (dec("75.00"), 0), "{total}");
        }
    }

    #[test]
    fn a_total_set_by_hand_is_shown_as_an_adjustment_and_reported() {
        let (less, findings) = settled("80", side(Side::IncTax, &["100"], "0"), side(Side::ExTax, &["90"], "0"));
        assert_eq!((less.discounts[0].amount.amount, findings), (dec("20.00"), 1));
        let (more, findings) = settled("130", side(Side::IncTax, &["100"], "0"), side(Side::ExTax, &["90"], "0"));
        assert_eq!((more.lines[1].total.amount, findings), (dec("30.00"), 1));
    }
}
