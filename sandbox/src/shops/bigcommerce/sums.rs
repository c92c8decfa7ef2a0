//! What an order comes to. Amounts are whole ten-thousandths of the currency, as many digits as the platform shows.
//!
//! `total_inc_tax = subtotal + shipping + wrapping − discount − coupons`, all with tax. Where prices hold tax, the amounts
//! without it are derived and have four digits; where they do not, the tax of a unit is rounded and added.

use serde_json::Value;

use crate::shop::{MARKETS, Market, ORDER, PRODUCT, ShopOptions, THINGS, mix, pick, price, sku};

/// One, in ten-thousandths.
const ONE: i64 = 10_000;

/// An amount without and with tax.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Pair {
    pub(super) ex: i64,
    pub(super) inc: i64,
}

impl Pair {
    pub(super) fn tax(self) -> i64 {
        self.inc - self.ex
    }

    pub(super) fn times(self, quantity: i64) -> Self {
        Self { ex: self.ex * quantity, inc: self.inc * quantity }
    }

    fn plus(self, other: Self) -> Self {
        Self { ex: self.ex + other.ex, inc: self.inc + other.inc }
    }
}

/// What a line sells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sold {
    Variant {
        product: u64,
        variant: u64,
    },
    /// A part of the bundle that the first line is; free of charge.
    Part {
        product: u64,
    },
    GiftCertificate,
    /// Typed in by hand; no product.
    Custom,
}

/// Money taken off a line.
pub(super) struct Off {
    pub(super) coupon: bool,
    pub(super) amount: i64,
}

/// A line of an order.
pub(super) struct Line {
    pub(super) sold: Sold,
    pub(super) quantity: i64,
    pub(super) unit: Pair,
    pub(super) total: Pair,
    pub(super) wrapping: Pair,
    pub(super) offs: Vec<Off>,
}

impl Line {
    /// With tax, less all that was taken off.
    pub(super) fn paid(&self) -> i64 {
        self.total.inc - self.offs.iter().map(|off| off.amount).sum::<i64>()
    }

    /// Whether a parcel can hold it.
    pub(super) fn ships(&self) -> bool {
        matches!(self.sold, Sold::Variant { .. } | Sold::Custom)
    }
}

/// An order's arithmetic, and whom and where it is for.
pub(super) struct Sums {
    pub(super) market: &'static Market,
    /// Number of the account; none for a guest.
    pub(super) customer: Option<u64>,
    /// Number of the person, with or without an account.
    pub(super) person: u64,
    pub(super) lines: Vec<Line>,
    pub(super) subtotal: Pair,
    pub(super) shipping: Pair,
    pub(super) wrapping: Pair,
    pub(super) discount: i64,
    pub(super) coupon: i64,
    /// Paid with a gift certificate; not taken off the total.
    pub(super) certificate: i64,
    pub(super) total: Pair,
}

fn digits(market: &Market) -> i64 {
    10_i64.pow(4 - market.digits.min(4))
}

/// A price in the market's minor unit, without and with its tax.
pub(super) fn pair(amount: i64, market: &Market) -> Pair {
    let minor = digits(market);
    let told = amount * minor;
    if market.included {
        Pair { ex: without(told, market), inc: told }
    } else {
        Pair { ex: told, inc: told + rounded(amount * market.tax, 1_000) * minor }
    }
}

/// What is left of an amount with tax when the tax is taken out.
fn without(inc: i64, market: &Market) -> i64 {
    rounded(inc * 1_000, 1_000 + market.tax)
}

fn rounded(number: i64, by: i64) -> i64 {
    (number * 2 + by).div_euclid(by * 2)
}

/// As the second generation writes money: four digits, in quotes.
pub(super) fn text(amount: i64) -> String {
    format!("{}{}.{:04}", if amount < 0 { "-" } else { "" }, amount.abs() / ONE, amount.abs() % ONE)
}

/// As the third generation writes it: a number, whole where it can be.
pub(super) fn number(amount: i64) -> Value {
    if amount % ONE == 0 {
        return (amount / ONE).into();
    }
    // Parsed, not divided: the shortest number that reads back as these digits.
    text(amount).parse::<f64>().map(Value::from).unwrap_or_default()
}

/// Reads an amount that somebody typed, such as `12.5`.
pub(super) fn read(amount: &str) -> Option<i64> {
    let (whole, part) = amount.split_once('.').unwrap_or((amount, ""));
    let part = (part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit())).then(|| format!("{part:0<4}"))?;
    whole.parse::<u32>().ok().map(|whole| i64::from(whole) * ONE + part.parse::<i64>().unwrap_or(0))
}

/// What makes the numbers of an order.
pub(super) struct Maker<'a> {
    pub(super) shop: &'a ShopOptions,
    pub(super) products: u64,
}

/// How many variants a product has.
pub(super) fn variants(seed: u64, product: u64) -> u64 {
    1 + mix(seed, PRODUCT, product, 1) % 3
}

pub(super) fn currency_id(market: &Market) -> u64 {
    // The store's own currency comes first.
    match MARKETS.iter().position(|one| one.currency == market.currency) {
        Some(1) => 1,
        Some(0) => 2,
        Some(place) => place as u64 + 1,
        None => 0,
    }
}

impl Maker<'_> {
    fn mix(&self, order: u64, salt: u64) -> u64 {
        mix(self.shop.seed, ORDER, order, salt)
    }

    /// The person of an order and whether they have an account; every fifth is a guest.
    pub(super) fn person(&self, order: u64) -> (u64, bool) {
        let customers = self.shop.customers.max(1);
        let guest = order % 5 == 3 || self.shop.customers == 0;
        (self.mix(order, 1) % customers + if guest { customers } else { 0 }, !guest)
    }

    /// The order with that number.
    pub(super) fn order(&self, order: u64) -> Sums {
        let (person, account) = self.person(order);
        let market = self.shop.market(person);
        let mut lines = self.lines(order, market);
        if order % 13 == 4
            && let Some(first) = lines.first_mut()
        {
            first.wrapping = pair(price(200, 0, market), market);
        }
        let sum = |of: fn(&Line) -> Pair, lines: &[Line]| lines.iter().fold(Pair::default(), |sum, line| sum.plus(of(line)));
        let subtotal = sum(|line| line.total, &lines);
        let wrapping = sum(|line| line.wrapping, &lines);
        let free = subtotal.inc >= pair(price(20_000, 0, market), market).inc || !lines.iter().any(Line::ships);
        let shipping = if free { Pair::default() } else { pair(price(490, 0, market), market) };
        let mut taken = |every: bool, percent: i64, coupon: bool| {
            let base: i64 = lines.iter().filter(|line| line.ships()).map(|line| line.total.inc).sum();
            // Whole minor units: nobody is charged a part of a cent.
            let off = if every { base * percent / 100 / digits(market) * digits(market) } else { 0 };
            spread(&mut lines, base, off, coupon);
            off
        };
        let discount = taken(order % 5 == 4, 10, false);
        let coupon = taken(order % 6 == 2, 5, true);
        let inc = subtotal.inc + shipping.inc + wrapping.inc - discount - coupon;
        let untaxed: i64 = lines.iter().filter(|line| line.sold == Sold::GiftCertificate).map(|line| line.total.inc).sum();
        let mut tax = (inc - untaxed) - without(inc - untaxed, market);
        if !market.included {
            tax = rounded(tax, digits(market)) * digits(market);
        }
        Sums {
            market,
            customer: account.then_some(person),
            person,
            subtotal,
            shipping,
            wrapping,
            discount,
            coupon,
            certificate: if order % 17 == 6 { inc.min(pair(price(1_000, 0, market), market).inc) } else { 0 },
            total: Pair { ex: inc - tax, inc },
            lines,
        }
    }

    fn lines(&self, order: u64, market: &'static Market) -> Vec<Line> {
        let line = |sold, quantity: i64, unit: Pair| {
            let mut total = unit.times(quantity);
            if market.included {
                total.ex = if unit.ex == unit.inc { total.inc } else { without(total.inc, market) };
            }
            Line { sold, quantity, unit, total, wrapping: Pair::default(), offs: Vec::new() }
        };
        let count = if self.shop.lines > 0 { self.shop.lines.min(5) } else { 1 + self.mix(order, 2) % 4 };
        let mut lines: Vec<Line> = (0..count)
            .map(|place| {
                let product = self.mix(order, 20 + place) % self.products.max(1);
                let variant = self.mix(order, 30 + place) % variants(self.shop.seed, product);
                let quantity = i64::try_from(1 + self.mix(order, 40 + place) % 3).unwrap_or(1);
                line(Sold::Variant { product, variant }, quantity, pair(price(pick(THINGS, product).3, product, market), market))
            })
            .collect();
        if order % 19 == 7 {
            lines.push(line(Sold::Part { product: self.mix(order, 3) % self.products.max(1) }, 1, Pair::default()));
        }
        if order % 23 == 9 {
            let worth = pair(price(2_500, 0, market), market);
            lines.push(line(Sold::GiftCertificate, 1, Pair { ex: worth.inc, inc: worth.inc }));
        }
        if order % 29 == 11 {
            lines.push(line(Sold::Custom, 1, pair(price(1_500, 0, market), market)));
        }
        lines
    }
}

/// Takes `off` from the lines in proportion to what they cost; the last takes what rounding left.
fn spread(lines: &mut [Line], base: i64, off: i64, coupon: bool) {
    if off == 0 {
        return;
    }
    let last = lines.iter().rposition(Line::ships);
    let mut left = off;
    for (place, line) in lines.iter_mut().enumerate().filter(|(_, line)| line.ships()) {
        let amount = if Some(place) == last { left } else { off * line.total.inc / base.max(1) };
        left -= amount;
        line.offs.push(Off { coupon, amount });
    }
}

pub(super) fn sku_of(sold: Sold) -> String {
    match sold {
        Sold::Variant { product, variant } => sku(product, variant),
        Sold::Part { product } => sku(product, 0),
        Sold::GiftCertificate => String::new(),
        Sold::Custom => "BY-HAND".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_adds_up_in_every_market_and_both_ways_of_taxing() {
        let shop = ShopOptions::default();
        let maker = Maker { shop: &shop, products: 120 };
        let (mut currencies, mut kinds) = (std::collections::BTreeSet::new(), [0; 6]);
        for order in 0..2_000 {
            let sums = maker.order(order);
            let of = |part: fn(&Line) -> i64| sums.lines.iter().map(part).sum::<i64>();
            assert_eq!(of(|line| line.total.inc), sums.subtotal.inc, "order {order}");
            assert_eq!(of(|line| line.total.inc - line.paid()), sums.discount + sums.coupon, "order {order}");
            let closes = sums.subtotal.inc + sums.shipping.inc + sums.wrapping.inc - sums.discount - sums.coupon;
            assert_eq!((closes, sums.total.inc % digits(sums.market)), (sums.total.inc, 0), "order {order}");
            assert!(sums.total.ex <= sums.total.inc && sums.lines.iter().all(|line| line.paid() >= 0), "order {order}");
            currencies.insert(sums.market.currency);
            let has = [
                sums.discount,
                sums.coupon,
                sums.certificate,
                sums.wrapping.inc,
                sums.subtotal.ex % 100,
                i64::from(sums.customer.is_none()),
            ];
            for (seen, amount) in kinds.iter_mut().zip(has) {
                *seen += usize::from(amount != 0);
            }
        }
        assert_eq!(currencies.len(), MARKETS.len());
        assert!(kinds.iter().all(|seen| *seen > 50), "each kind of order is there, parts of a cent too: {kinds:?}");
    }

    #[test]
    fn money_is_written_with_all_its_digits() {
        assert_eq!((text(623_679), text(-5_000), text(0)), ("62.3679".to_owned(), "-0.5000".to_owned(), "0.0000".to_owned()));
        assert_eq!(
            (number(80_000).to_string(), number(195_000).to_string(), number(623_679).to_string()),
            ("8".into(), "19.5".into(), "62.3679".into())
        );
        assert_eq!((read("12.5"), read("7"), read("1.23456"), read("-1"), read("x")), (Some(125_000), Some(70_000), None, None, None));
    }
}
