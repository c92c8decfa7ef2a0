//! Carts, of which the platform has no list. <https://developer.bigcommerce.com/docs/rest-management/carts>

use super::pages::Rows;
use super::{GONE, Shop};
use crate::http::{Reply, percent};
use crate::sources::pull::{Document, PullFailure, Step};

impl Shop {
    /// A cart, or the checkout of it, which has the same id. Where the platform said that it was left alone, so does the
    /// document.
    pub(super) fn cart(&self, id: &str, abandoned: bool, replies: &[Reply]) -> Result<Step, PullFailure> {
        let checkout = self.checkouts && !abandoned;
        let Some(reply) = replies.first() else {
            let (path, inside) = if checkout { ("/v3/checkouts/", "cart.") } else { ("/v3/carts/", "") };
            let include = format!("include={inside}line_items.physical_items.options,{inside}line_items.digital_items.options");
            let mut path = path.to_owned();
            percent(id, &mut path);
            return Ok(Step::Ask(vec![self.ask(&path, &include, &[])]));
        };
        let rows = Rows::of(reply)?;
        // One that became an order is gone, and so is one that was emptied.
        let Some(cart) = rows.rows.first() else { return Ok(GONE) };
        let bytes = match abandoned {
            true => [b"{\"cart\":", *cart, b",\"abandoned\":true}"].concat(),
            false => reply.body.clone(),
        };
        Ok(Step::Done(vec![Document { resource: if checkout { "checkout" } else { "cart" }, bytes }]))
    }
}
