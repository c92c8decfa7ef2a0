//! Events of orders, put among the rows that told of them: see [`crate::decide::events`].

use std::collections::{BTreeSet, HashMap};

use super::acceptance::{Desk, Taken};
use crate::decide::events::{self, OrderFacts};
use crate::destinations::Skip;
use crate::error::Result;
use crate::model::{Body, Record, SkipReason};
use crate::pipeline::{Checked, Draft};

/// Leaves out what only repeats the order's own row: its findings, and that the destination has no use for the event.
pub(super) fn quiet(draft: &mut Draft) {
    draft.findings.clear();
    draft.skipped.retain(|skip| !matches!(skip.reason, SkipReason::NotConfigured | SkipReason::NotSupported));
}

/// What an order tells, waiting for the end of its row.
#[derive(Default)]
struct Open {
    position: u64,
    after: Vec<Record>,
    covered: BTreeSet<String>,
}

impl Desk {
    /// The rows with the events that their orders tell, in the order they happened, and notes what to remember. Rows of
    /// one chunk see those before them.
    pub(super) fn with_events(&self, rows: Vec<Checked>, taken: &mut Taken) -> Result<Vec<Checked>> {
        let named: Vec<Option<String>> =
            rows.iter().map(|row| matches!(row.record.body, Body::Order(_)).then(|| events::name(&row.record.envelope))).collect();
        let mut names: Vec<&str> = named.iter().flatten().map(String::as_str).collect();
        if !self.events.from_orders || names.is_empty() {
            return Ok(rows);
        }
        names.sort_unstable();
        names.dedup();
        let mut known: HashMap<String, OrderFacts> = HashMap::with_capacity(names.len());
        for (name, text) in names.iter().zip(self.store.orders(self.destination.name(), &names)?) {
            if let Some(text) = text {
                known.insert((*name).to_owned(), OrderFacts::from_text(&text)?);
            }
        }
        let mut changed: BTreeSet<String> = BTreeSet::new();
        let mut out = Vec::with_capacity(rows.len() + names.len());
        let mut open = Open::default();
        for (row, name) in rows.into_iter().zip(named) {
            if row.position != open.position {
                close(&mut open, &mut out);
            }
            let position = row.position;
            let difference = match (&row.record.body, name) {
                (Body::Order(order), Some(name)) => {
                    close(&mut open, &mut out);
                    let previous = known.get(&name);
                    let difference = events::events(&self.events, previous, &row.record.envelope, order);
                    if previous != Some(&difference.facts) {
                        known.insert(name.clone(), difference.facts);
                        changed.insert(name);
                    }
                    open = Open { position, after: difference.after, covered: difference.covered };
                    difference.before
                }
                (Body::Shipment(shipment), _) if row.position == open.position && open.covered.contains(&shipment.id) => {
                    taken.skip(position, Skip::new(SkipReason::Duplicate, "its units were told as sent before it was listed"));
                    continue;
                }
                _ => Vec::new(),
            };
            out.push(row);
            out.extend(difference.into_iter().map(|record| derived(position, record)));
        }
        close(&mut open, &mut out);
        for name in changed {
            if let Some(facts) = known.get(&name) {
                let text = facts.to_text()?;
                taken.acceptance.orders.push((name, text));
            }
        }
        Ok(out)
    }
}

fn close(open: &mut Open, out: &mut Vec<Checked>) {
    let Open { position, after, .. } = std::mem::take(open);
    out.extend(after.into_iter().map(|record| derived(position, record)));
}

fn derived(position: u64, record: Record) -> Checked {
    Checked { position, record, findings: Vec::new(), derived: true }
}
