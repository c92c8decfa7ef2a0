//! Rows that only name something, which is then read whole.

use std::collections::BTreeSet;

use super::PRODUCTS;
use super::catalog::AT_ONCE;
use super::pages::{Rows, id_of, member};
use crate::model::ResourceRef;
use crate::sources::pull::Wanted;

/// The customers that rows name, each once.
pub(super) fn customers(rows: &Rows<'_>) -> Vec<Wanted> {
    let ids: BTreeSet<String> = rows.rows.iter().filter_map(|row| id_of(row, b"customer_id")).collect();
    ids.into_iter().map(|id| Wanted { resource: ResourceRef { kind: "customer".to_owned(), id }, seed: None }).collect()
}

/// The orders that rows name, each once.
pub(super) fn orders(rows: &Rows<'_>) -> Vec<Wanted> {
    let ids: BTreeSet<String> = rows.rows.iter().filter_map(|row| id_of(row, b"order_id")).collect();
    ids.into_iter().map(|id| Wanted { resource: ResourceRef { kind: "order".to_owned(), id }, seed: None }).collect()
}

/// The products that rows name, each once, some at a time: `at` leads to the id.
pub(super) fn products(rows: &Rows<'_>, at: &[&[u8]]) -> Vec<Wanted> {
    let id = |row: &&[u8]| {
        let (last, above) = at.split_last()?;
        let row = above.iter().try_fold(*row, |row, name| member(row, name))?;
        id_of(row, last)
    };
    let ids: BTreeSet<String> = rows.rows.iter().filter_map(id).collect();
    let ids: Vec<String> = ids.into_iter().collect();
    let wanted = |some: &[String]| Wanted { resource: ResourceRef { kind: PRODUCTS.to_owned(), id: some.join(",") }, seed: None };
    ids.chunks(AT_ONCE).map(wanted).collect()
}
