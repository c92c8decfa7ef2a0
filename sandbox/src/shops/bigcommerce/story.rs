//! What has happened to an order: paid, shipped in parcels, refunded. Orders are born with a story; a test tells more of it.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::sums::{self, Sums};
use crate::shop::{ORDER, mix};

/// The first order was placed on 2025-09-01, and one every so often since: order numbers tell the time.
const FIRST_MS: i64 = 1_756_684_800_000;
const EVERY_MS: i64 = 150_000;
const HOUR_MS: i64 = 3_600_000;

/// Statuses of the orders in turn; the vendor's numbers.
const STATUSES: [u8; 16] = [11, 10, 2, 3, 11, 14, 7, 10, 11, 5, 2, 11, 4, 9, 11, 1];

pub(super) const INCOMPLETE: u8 = 0;
const SHIPPED: u8 = 2;
const PARTIALLY_SHIPPED: u8 = 3;
const REFUNDED: u8 = 4;
const CANCELLED: u8 = 5;
const AWAITING_PAYMENT: u8 = 7;
const COMPLETED: u8 = 10;
const AWAITING_FULFILLMENT: u8 = 11;
const PARTIALLY_REFUNDED: u8 = 14;

/// So many units of a line.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(super) struct Units {
    /// The line's place in the order, from 0.
    pub(super) line: usize,
    pub(super) quantity: i64,
}

#[derive(Clone, Debug)]
pub(super) struct Parcel {
    pub(super) id: u64,
    pub(super) at_ms: i64,
    pub(super) tracking: String,
    pub(super) items: Vec<Units>,
}

#[derive(Clone, Debug)]
pub(super) struct Refund {
    pub(super) id: u64,
    pub(super) at_ms: i64,
    /// None of them when an amount was given back for the order as a whole.
    pub(super) items: Vec<Units>,
    pub(super) amount: i64,
    pub(super) tax: i64,
    pub(super) reason: String,
}

/// An order's story so far.
#[derive(Clone, Debug)]
pub(super) struct Story {
    pub(super) placed_ms: i64,
    pub(super) status: u8,
    pub(super) payment: &'static str,
    pub(super) archived: bool,
    pub(super) parcels: Vec<Parcel>,
    pub(super) refunds: Vec<Refund>,
    /// Fields of the order that somebody typed over.
    pub(super) fields: Map<String, Value>,
}

/// When the order was placed, before anything else is known of it.
pub(super) fn placed_ms(order: u64) -> i64 {
    FIRST_MS + i64::try_from(order).unwrap_or(0) * EVERY_MS
}

/// When it changed last before the shop opened: some were touched again days later, so orders do not change in the order they
/// were placed in.
pub(super) fn changed_ms(seed: u64, order: u64, status: u8) -> i64 {
    let later = i64::try_from(mix(seed, ORDER, order, 4) % (48 * 3_600)).unwrap_or(0) * 1_000;
    placed_ms(order) + if status == INCOMPLETE { 60_000 } else { 24 * HOUR_MS + later }
}

/// The status an order was born with; every so many never got further than the payment page.
pub(super) fn born(order: u64, incomplete_every: u64) -> u8 {
    match incomplete_every {
        0 => {}
        every if order % every == every - 1 => return INCOMPLETE,
        _ => {}
    }
    STATUSES[usize::try_from(order % STATUSES.len() as u64).unwrap_or(0)]
}

/// Whether an order was born with a refund; its id follows from the order's number.
pub(super) fn refunded_at_birth(status: u8) -> bool {
    matches!(status, REFUNDED | PARTIALLY_REFUNDED)
}

fn payment_of(status: u8) -> &'static str {
    match status {
        INCOMPLETE => "",
        1 | AWAITING_PAYMENT => "pending",
        REFUNDED => "refunded",
        CANCELLED => "void",
        PARTIALLY_REFUNDED => "partially refunded",
        _ => "captured",
    }
}

impl Story {
    pub(super) fn placed(at_ms: i64) -> Self {
        Self {
            placed_ms: at_ms,
            status: AWAITING_PAYMENT,
            payment: "pending",
            archived: false,
            parcels: Vec::new(),
            refunds: Vec::new(),
            fields: Map::new(),
        }
    }

    /// The story an order was born with.
    pub(super) fn of(order: u64, status: u8, sums: &Sums) -> Self {
        let mut story = Self { status, payment: payment_of(status), ..Self::placed(placed_ms(order)) };
        let units: i64 = sums.lines.iter().filter(|line| line.ships()).map(|line| line.quantity).sum();
        let all = story.left(sums, &[]);
        let parcels: Vec<Vec<Units>> = match status {
            PARTIALLY_SHIPPED if units > 1 => vec![vec![Units { line: all[0].line, quantity: 1 }]],
            SHIPPED | PARTIALLY_SHIPPED | REFUNDED | COMPLETED | PARTIALLY_REFUNDED if all.len() > 1 => {
                vec![all[..1].to_vec(), all[1..].to_vec()]
            }
            SHIPPED | REFUNDED | COMPLETED | PARTIALLY_REFUNDED => vec![all.clone()],
            _ => Vec::new(),
        };
        for (place, items) in (0_u64..).zip(parcels) {
            let at_ms = story.placed_ms + 6 * HOUR_MS * (1 + i64::try_from(place).unwrap_or(0));
            story.parcels.push(Parcel { id: order * 8 + place + 1, at_ms, tracking: tracking(order, place), items });
        }
        let back = match status {
            REFUNDED => Some(all),
            PARTIALLY_REFUNDED => Some(vec![Units { line: 0, quantity: 1 }]),
            _ => None,
        };
        if let Some(items) = back {
            let (amount, tax) = story.worth(sums, &items, status == REFUNDED);
            let at_ms = story.placed_ms + 24 * HOUR_MS;
            story.refunds.push(Refund { id: order + 1, at_ms, items, amount, tax, reason: "Did not fit".to_owned() });
        }
        story
    }

    pub(super) fn shipped(&self, line: usize) -> i64 {
        self.parcels.iter().flat_map(|parcel| &parcel.items).filter(|item| item.line == line).map(|item| item.quantity).sum()
    }

    pub(super) fn refunded(&self, line: usize) -> i64 {
        self.refunds.iter().flat_map(|refund| &refund.items).filter(|item| item.line == line).map(|item| item.quantity).sum()
    }

    pub(super) fn items_shipped(&self) -> i64 {
        self.parcels.iter().flat_map(|parcel| &parcel.items).map(|item| item.quantity).sum()
    }

    fn given_back(&self) -> i64 {
        self.refunds.iter().map(|refund| refund.amount).sum()
    }

    /// What of the order no parcel holds; or those that were asked for, if there are as many.
    fn left(&self, sums: &Sums, asked: &[Units]) -> Vec<Units> {
        let open = |line: usize| sums.lines.get(line).filter(|one| one.ships()).map_or(0, |one| one.quantity - self.shipped(line));
        pick_units(sums, asked, open)
    }

    /// What those units cost, and the tax in it; with `all` everything that was not given back yet, shipping too.
    fn worth(&self, sums: &Sums, items: &[Units], all: bool) -> (i64, i64) {
        let part = |amount: i64| match sums.total.inc {
            0 => 0,
            total => amount * sums.total.tax() / total,
        };
        let amount = if all {
            sums.total.inc - self.given_back()
        } else {
            let of = |item: &Units| sums.lines.get(item.line).map_or(0, |line| line.paid() / line.quantity.max(1) * item.quantity);
            let minor = 10_i64.pow(4 - sums.market.digits.min(4));
            items.iter().map(of).sum::<i64>() / minor * minor
        };
        (amount, part(amount))
    }

    /// Moves the order on. Says which status it had.
    pub(super) fn tell(&mut self, step: &Step, sums: &Sums, at_ms: i64, ids: Ids) -> Result<u8, String> {
        let before = self.status;
        match step.act {
            Act::Pay => (self.status, self.payment) = (AWAITING_FULFILLMENT, "captured"),
            Act::Complete => self.status = COMPLETED,
            Act::Cancel => (self.status, self.payment) = (CANCELLED, "void"),
            Act::Archive => self.archived = true,
            Act::Ship => {
                let items = self.left(sums, &step.items);
                if items.is_empty() {
                    return Err("nothing of that is left to ship".to_owned());
                }
                let place = self.parcels.len() as u64;
                let tracking = step.tracking_number.clone().unwrap_or_else(|| tracking(ids.order, place));
                self.parcels.push(Parcel { id: ids.parcel, at_ms, tracking, items });
                self.status = if self.left(sums, &[]).is_empty() { SHIPPED } else { PARTIALLY_SHIPPED };
            }
            Act::Refund | Act::Return => {
                let back = Act::Return == step.act;
                let open = |line: usize| sums.lines.get(line).map_or(0, |one| one.quantity - self.refunded(line));
                let all = step.items.is_empty() && step.amount.is_none();
                let items = match step.amount {
                    Some(_) => step.items.clone(),
                    None => pick_units(sums, &step.items, open),
                };
                if items.iter().any(|item| item.quantity > open(item.line)) {
                    return Err("more than was bought would be given back".to_owned());
                }
                let (mut amount, mut tax) = self.worth(sums, &items, all);
                if let Some(given) = &step.amount {
                    amount = sums::read(given).ok_or("`amount` must be a text such as \"12.50\"")?;
                    tax = if sums.total.inc == 0 { 0 } else { amount * sums.total.tax() / sums.total.inc };
                }
                if amount <= 0 || amount + self.given_back() > sums.total.inc {
                    return Err("that is nothing, or more than was paid".to_owned());
                }
                let usual = if back { "Returned" } else { "Asked for it" };
                let reason = step.reason.clone().unwrap_or_else(|| usual.to_owned());
                self.refunds.push(Refund { id: ids.refund, at_ms, items, amount, tax, reason });
                let whole = self.given_back() >= sums.total.inc;
                (self.status, self.payment) = if whole { (REFUNDED, "refunded") } else { (PARTIALLY_REFUNDED, "partially refunded") };
            }
            Act::Edit | Act::Place => {}
        }
        let mut fields = step.fields.clone();
        if let Some(status) = fields.remove("status_id") {
            self.status =
                status.as_u64().and_then(|status| u8::try_from(status).ok()).filter(|status| *status < 15).ok_or("no such status")?;
        }
        self.fields.extend(fields);
        Ok(before)
    }
}

/// The units asked for, or all there are where none are named. Those that are not there are left out.
fn pick_units(sums: &Sums, asked: &[Units], open: impl Fn(usize) -> i64) -> Vec<Units> {
    if asked.is_empty() {
        let all = (0..sums.lines.len()).map(|line| Units { line, quantity: open(line) });
        return all.filter(|units| units.quantity > 0).collect();
    }
    asked.iter().copied().filter(|units| units.quantity > 0 && units.quantity <= open(units.line)).collect()
}

fn tracking(order: u64, parcel: u64) -> String {
    format!("SB{order:08}{parcel:02}US")
}

/// What is done to an order.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Act {
    Place,
    Pay,
    Ship,
    Refund,
    /// A refund of goods; the platform has nowhere else to read returns.
    Return,
    Cancel,
    Complete,
    Archive,
    Edit,
}

/// One step of a story.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) act: Act,
    pub(super) items: Vec<Units>,
    pub(super) amount: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) tracking_number: Option<String>,
    pub(super) fields: Map<String, Value>,
}

/// Numbers for what a step makes.
#[derive(Clone, Copy)]
pub(super) struct Ids {
    pub(super) order: u64,
    pub(super) parcel: u64,
    pub(super) refund: u64,
}
