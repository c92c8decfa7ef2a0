//! Customers: lists inside of them end after ten rows, and what is behind is read besides.
//! <https://developer.bigcommerce.com/docs/rest-management/customers>

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::gather::{Ask, Gathering};
use super::pages::{Paging, Rows, id_of, list};
use super::{GONE, Shop, joined};
use crate::http::{Reply, percent};
use crate::model::ResourceRef;
use crate::sources::bigcommerce::wire::{Dec, List};
use crate::sources::pull::{Document, PageBody, PullFailure, Step, Wanted};

/// What customers embed where they are asked to.
pub(super) const INCLUDE: &str = "include=addresses,attributes,formfields,storecredit";

/// How many rows a customer has, and how many of them are there.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Counts {
    address_count: Dec,
    attribute_count: Dec,
    addresses: List<IgnoredAny>,
    attributes: List<IgnoredAny>,
}

/// Which lists of a customer were cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cut {
    addresses: bool,
    attributes: bool,
}

fn cut(customer: &[u8]) -> Cut {
    let Ok(counts) = serde_json::from_slice::<Counts>(customer) else { return Cut::default() };
    let cut = |told: Dec, there: &List<IgnoredAny>| {
        told.whole().is_some_and(|told| there.is_known() && usize::try_from(told).is_ok_and(|told| there.iter().len() < told))
    };
    Cut { addresses: cut(counts.address_count, &counts.addresses), attributes: cut(counts.attribute_count, &counts.attributes) }
}

impl Shop {
    /// What of a page of customers is decoded as it is, and which of them need more.
    pub(super) fn customers(&self, rows: &Rows<'_>) -> (PageBody, Vec<Wanted>) {
        // One without an id cannot be asked for; decoding says what is wrong with it.
        let (more, plain): (Vec<&[u8]>, Vec<&[u8]>) =
            rows.rows.iter().partition(|row| (self.customer_metafields || cut(row) != Cut::default()) && id_of(row, b"id").is_some());
        let wanted = |row: &[u8]| {
            let resource = ResourceRef { kind: "customer".to_owned(), id: id_of(row, b"id").unwrap_or_default() };
            Wanted { resource, seed: Some(row.to_vec()) }
        };
        if more.is_empty() {
            return (PageBody::Reply, Vec::new());
        }
        let wanted = more.into_iter().map(wanted).collect();
        if plain.is_empty() {
            return (PageBody::Nothing, wanted);
        }
        let mut bytes = Vec::new();
        list(&plain, &mut bytes);
        (PageBody::Document(Document { resource: "customer", bytes }), wanted)
    }

    /// A customer, with all its rows. There is no address of a single one; the list is asked for the id.
    pub(super) fn customer(&self, id: &str, row: Option<&[u8]>, replies: &[Reply]) -> Result<Step, PullFailure> {
        let mut parts = Gathering::new(self, replies);
        let metafields = || {
            let mut path = "/v3/customers/".to_owned();
            percent(id, &mut path);
            Ask::new("metafields", path + "/metafields", Paging::Cursor)
        };
        let itself = || {
            let query = format!("id:in={}&{INCLUDE}", joined([id]));
            Ask::new("customer", "/v3/customers".to_owned(), Paging::Whole).with(query)
        };
        let first = row.is_none().then(itself).into_iter().chain(self.customer_metafields.then(metafields));
        if let Some(step) = parts.ask(first)? {
            return Ok(step);
        }
        let Some(customer) = row.or_else(|| parts.rows("customer").first().copied()) else { return Ok(GONE) };
        let cut = cut(customer);
        let of_list =
            |part: &'static str, path: &str| Ask::new(part, path.to_owned(), Paging::Rows).with(format!("customer_id:in={}", joined([id])));
        let addresses = cut.addresses.then(|| of_list("addresses", "/v3/customers/addresses"));
        let attributes = cut.attributes.then(|| of_list("attributes", "/v3/customers/attribute-values"));
        if let Some(step) = parts.ask(addresses.into_iter().chain(attributes))? {
            return Ok(step);
        }
        let mut document = b"{\"customer\":".to_vec();
        document.extend_from_slice(customer);
        for part in ["addresses", "attributes", "metafields"] {
            if parts.has(part) {
                document.extend_from_slice(format!(",\"{part}\":").as_bytes());
                list(&parts.rows(part), &mut document);
            }
        }
        document.push(b'}');
        Ok(Step::Done(vec![Document { resource: "customer", bytes: document }]))
    }
}
