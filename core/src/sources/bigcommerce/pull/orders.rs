//! Orders, which the platform serves in parts. <https://developer.bigcommerce.com/docs/rest-management/orders>

use serde::Deserialize;

use super::access::OrderPart;
use super::gather::{Ask, Gathering};
use super::pages::{Paging, list, member};
use super::{GONE, Shop};
use crate::http::{Reply, percent};
use crate::sources::bigcommerce::wire::{Dec, Text};
use crate::sources::pull::{Document, PullFailure, Step};
use crate::sources::split::{elements, skip_space};

/// What an order embeds where it is asked to, so that these need no calls of their own.
pub(super) const INCLUDE: &str = "include=consignments,fees&consignment_structure=object";

/// What of an order says which of its parts there are.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Hints<'a> {
    status_id: Dec,
    items_shipped: Dec,
    total_tax: Dec,
    #[serde(borrow)]
    payment_status: Text<'a>,
    order_is_digital: Option<bool>,
}

impl Hints<'_> {
    /// Whether the order may have a part. What is not told counts as a yes.
    fn may_have(&self, part: OrderPart) -> bool {
        let status = self.status_id.whole();
        let some = |number: Dec| number.0.is_none_or(|number| !number.is_zero());
        match part {
            OrderPart::Coupons => true,
            // Nothing was paid, sent or owed yet.
            _ if status == Some(0) => false,
            OrderPart::Shipments => some(self.items_shipped) || matches!(status, Some(2 | 3 | 10)),
            // A refund that left no trace on its order is found by the stream of refunds.
            OrderPart::Refunds => matches!(status, None | Some(4 | 14)) || self.payment_status.to_ascii_lowercase().contains("refund"),
            OrderPart::Transactions => true,
            OrderPart::Taxes => some(self.total_tax),
        }
    }
}

impl Shop {
    /// An order with its parts. Of one that is only named everything is asked for at once; the row of a list says what there
    /// is not.
    pub(super) fn order(&self, id: &str, row: Option<&[u8]>, replies: &[Reply]) -> Result<Step, PullFailure> {
        let mut parts = Gathering::new(self, replies);
        let itself = || Ask::new("order", path(id, "/v2", ""), Paging::Whole).with(INCLUDE);
        let first = row.is_none().then(itself).into_iter().chain(self.order_parts(id, row));
        if let Some(step) = parts.ask(first)? {
            return Ok(step);
        }
        let Some(order) = row.or_else(|| parts.rows("order").first().copied()) else { return Ok(GONE) };
        let digital = serde_json::from_slice::<Hints<'_>>(order).is_ok_and(|hints| hints.order_is_digital == Some(true));
        if !embeds_addresses(order) && !digital {
            let addresses = Ask::new("shipping_addresses", path(id, "/v2", "/shipping_addresses"), Paging::Rows);
            if let Some(step) = parts.ask([addresses])? {
                return Ok(step);
            }
        }
        let mut document = b"{\"order\":".to_vec();
        document.extend_from_slice(order);
        for part in ["products", "coupons", "shipping_addresses", "shipments", "refunds", "transactions", "taxes", "metafields"] {
            if parts.has(part) {
                document.extend_from_slice(format!(",\"{part}\":").as_bytes());
                list(&parts.rows(part), &mut document);
            }
        }
        document.push(b'}');
        Ok(Step::Done(vec![Document { resource: "order", bytes: document }]))
    }

    fn order_parts(&self, id: &str, row: Option<&[u8]>) -> Vec<Ask> {
        let hints = row.and_then(|row| serde_json::from_slice::<Hints<'_>>(row).ok());
        let wanted = |part: OrderPart| {
            let used = part != OrderPart::Transactions || !self.test_orders;
            used && self.parts.contains(&part) && hints.as_ref().is_none_or(|hints| hints.may_have(part))
        };
        let v2 = |part: &'static str, below: &str| Ask::new(part, path(id, "/v2", below), Paging::Rows);
        let v3 = |part: &'static str, below: &str, paging| Ask::new(part, path(id, "/v3", below), paging);
        let mut asks = vec![v2("products", "/products")];
        for (part, ask) in [
            (OrderPart::Coupons, v2("coupons", "/coupons")),
            (OrderPart::Shipments, v2("shipments", "/shipments")),
            (OrderPart::Refunds, v3("refunds", "/payment_actions/refunds", Paging::Whole)),
            (OrderPart::Transactions, v3("transactions", "/transactions", Paging::Whole)),
            (OrderPart::Taxes, v2("taxes", "/taxes")),
        ] {
            if wanted(part) {
                asks.push(ask);
            }
        }
        if self.order_metafields {
            asks.push(v3("metafields", "/metafields", Paging::Cursor));
        }
        asks
    }
}

fn path(id: &str, generation: &str, below: &str) -> String {
    let mut path = format!("{generation}/orders/");
    percent(id, &mut path);
    path.push_str(below);
    path
}

/// Whether the consignments are there with their addresses, and not only a link to them.
fn embeds_addresses(order: &[u8]) -> bool {
    let Some(consignments) = member(order, b"consignments") else { return false };
    let inside = match elements(consignments, skip_space(consignments, 0)) {
        Some((spans, _)) => spans.first().map(|&(start, end)| &consignments[start..end]),
        None => Some(consignments),
    };
    inside.and_then(|inside| member(inside, b"shipping")).is_some_and(|shipping| shipping.starts_with(b"["))
}
