//! Events of orders, put among the rows that told of them: see [`crate::decide::events`].

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::acceptance::{Desk, Taken};
use crate::decide::events::{self, OldOrders, OrderFacts};
use crate::destinations::Skip;
use crate::error::Result;
use crate::model::{Body, Mode, Record, SkipReason};
use crate::pipeline::{Checked, Draft};

/// A row, and which destinations it is for: one that was added later was told less.
pub(super) struct Entry {
    pub row: Checked,
    /// By position; all of them unless told.
    pub only: Option<Vec<usize>>,
}

/// Who brought some rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Brought {
    /// The caller, who says by the mode whether they are news.
    Given,
    /// The shop, read or heard: nobody looked at how old they are.
    Read,
}

/// Leaves out what only repeats the order's own row: its findings, and that the destination has no use for the event.
pub(super) fn quiet(draft: &mut Draft) {
    draft.findings.clear();
    draft.skipped.retain(|skip| !matches!(skip.reason, SkipReason::NotConfigured | SkipReason::NotSupported));
}

/// What an order tells, waiting for the end of its row.
#[derive(Default)]
struct Open {
    position: u64,
    after: Vec<Entry>,
    /// Shipments that need not be told, and where.
    covered: BTreeMap<String, Vec<usize>>,
}

impl Desk {
    /// The rows with the events that their orders tell, in the order they happened, and notes what to remember. Rows of
    /// one chunk see those before them.
    pub(super) fn with_events(&self, rows: Vec<Checked>, brought: Brought, taken: &mut Taken) -> Result<Vec<Entry>> {
        let name = |row: &Checked| matches!(row.record.body, Body::Order(_)).then(|| events::name(&row.record.envelope));
        let named: Vec<Option<String>> = rows.iter().map(name).collect();
        let mut names: Vec<&str> = named.iter().flatten().map(String::as_str).collect();
        let guards = brought == Brought::Read || self.events.old_orders == OldOrders::All;
        let tells = self.events.from_orders;
        if names.is_empty() || !(tells || guards) {
            return Ok(rows.into_iter().map(|row| Entry { row, only: None }).collect());
        }
        names.sort_unstable();
        names.dedup();
        let mut known = Vec::with_capacity(self.targets.len());
        for target in &self.targets {
            let texts = names.iter().zip(self.store.orders(&target.name, &names)?);
            let facts = texts.filter_map(|(name, text)| Some(OrderFacts::from_text(&text?).map(|facts| ((*name).to_owned(), facts))));
            known.push(facts.collect::<Result<HashMap<String, OrderFacts>>>()?);
        }
        let mut changed: BTreeSet<(usize, String)> = BTreeSet::new();
        let mut out = Vec::with_capacity(rows.len() + names.len());
        let mut open = Open::default();
        for (row, name) in rows.into_iter().zip(named) {
            let position = row.position;
            if position != open.position || name.is_some() {
                out.append(&mut std::mem::take(&mut open).after);
            }
            match (&row.record.body, name) {
                (Body::Order(order), Some(name)) => {
                    // Destinations that were told the same are told the same again.
                    let mut told: Vec<(events::Difference, Vec<usize>)> = Vec::with_capacity(1);
                    for (at, facts) in known.iter().enumerate() {
                        let previous = facts.get(&name);
                        match told.iter_mut().find(|(_, alike)| known.get(alike[0]).and_then(|facts| facts.get(&name)) == previous) {
                            Some((_, alike)) => alike.push(at),
                            None => told.push((events::events(&self.events, previous, &row.record.envelope, order), vec![at])),
                        }
                    }
                    let old = |difference: &events::Difference| guards && difference.is_history;
                    let history = told.iter().filter(|(difference, _)| old(difference)).flat_map(|(_, alike)| alike).copied();
                    out.extend(as_history(row, history.collect(), self.targets.len()));
                    open.position = position;
                    for (mut difference, alike) in told {
                        if !tells {
                            let facts = difference.facts;
                            difference = events::Difference { facts, ..events::Difference::default() };
                        }
                        let entry = |record| derived(position, record, &alike, self.targets.len());
                        out.extend(difference.before.into_iter().map(entry));
                        open.after.extend(difference.after.into_iter().map(entry));
                        for shipment in difference.covered {
                            open.covered.entry(shipment).or_default().extend(&alike);
                        }
                        for at in alike {
                            if let Some(facts) = known.get_mut(at)
                                && facts.get(&name) != Some(&difference.facts)
                            {
                                facts.insert(name.clone(), difference.facts.clone());
                                changed.insert((at, name.clone()));
                            }
                        }
                    }
                }
                (Body::Shipment(shipment), _) if position == open.position => {
                    let covered = open.covered.get(&shipment.id).map_or(&[][..], Vec::as_slice);
                    for at in covered {
                        let skip = Skip::new(SkipReason::Duplicate, "its units were told as sent before it was listed");
                        taken.skip(position, skip, self.label(*at));
                    }
                    let left: Vec<usize> = (0..self.targets.len()).filter(|at| !covered.contains(at)).collect();
                    if !left.is_empty() {
                        out.push(Entry { row, only: (!covered.is_empty()).then_some(left) });
                    }
                }
                _ => out.push(Entry { row, only: None }),
            }
        }
        out.append(&mut open.after);
        for (at, name) in changed {
            if let (Some(facts), Some(acceptance)) = (known.get(at).and_then(|known| known.get(&name)), taken.acceptances.get_mut(at)) {
                let text = facts.to_text()?;
                acceptance.orders.push((name, text));
            }
        }
        Ok(out)
    }
}

/// The order's row, as a backfill would take it for those destinations that it is history to.
fn as_history(row: Checked, history: Vec<usize>, of: usize) -> Vec<Entry> {
    if history.is_empty() {
        return vec![Entry { row, only: None }];
    }
    let quiet = |mut row: Checked| {
        row.record.envelope.mode = Mode::Backfill;
        row
    };
    if history.len() == of {
        return vec![Entry { row: quiet(row), only: None }];
    }
    let others = (0..of).filter(|at| !history.contains(at)).collect();
    // What was noticed of the row is told once, with the first.
    let second = quiet(Checked { findings: Vec::new(), ..row.clone() });
    vec![Entry { row, only: Some(others) }, Entry { row: second, only: Some(history) }]
}

fn derived(position: u64, record: Record, alike: &[usize], of: usize) -> Entry {
    let only = (alike.len() < of).then(|| alike.to_vec());
    Entry { row: Checked { position, record, findings: Vec::new(), derived: true }, only }
}
