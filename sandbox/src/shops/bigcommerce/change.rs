//! Changes that a test asks for, and what the platform would call its subscribers with because of them.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::hooks::Caller;
use super::story::{Act, Ids, Step, Story, Units};
use super::{Bigcommerce, Kind, State, put};

/// One change. `fields` are typed over whatever the row says; `status_id` among an order's moves the order.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    #[serde(rename = "vendor", default)]
    _vendor: Option<String>,
    resource: Kind,
    /// A number, or a cart's text. None for `place`, which makes a new order.
    #[serde(default)]
    id: Value,
    #[serde(rename = "do")]
    act: String,
    /// When, in milliseconds since 1970; now unless told.
    at_ms: Option<i64>,
    #[serde(default)]
    items: Vec<Units>,
    amount: Option<String>,
    reason: Option<String>,
    tracking_number: Option<String>,
    #[serde(default)]
    fields: Map<String, Value>,
}

/// The row's id, and the calls: scope and data of each.
type Made = (Value, Vec<(&'static str, Value)>);

impl Bigcommerce {
    /// Makes a change; gives the row's id and the calls.
    pub(super) fn apply(&self, state: &mut State, spec: &Value, now_ms: i64) -> Result<Value, String> {
        let change: Change = serde_json::from_value(spec.clone()).map_err(|error| error.to_string())?;
        let at_ms = change.at_ms.unwrap_or(now_ms);
        let (id, calls) = match change.resource {
            Kind::Order => self.change_order(state, change, at_ms)?,
            kind => self.change_row(state, kind, change, at_ms)?,
        };
        let caller = Caller { store: &self.options.store, client_secret: &self.options.client_secret, token: &self.options.webhook_token };
        let hooks: Vec<Value> = calls.iter().map(|(scope, data)| caller.call(scope, data, at_ms)).collect();
        Ok(json!({"id": id, "webhooks": hooks}))
    }

    fn change_order(&self, state: &mut State, change: Change, at_ms: i64) -> Result<Made, String> {
        let act: Act = serde_json::from_value(change.act.into()).map_err(|error| error.to_string())?;
        let number = match act {
            Act::Place => {
                let number = state.orders.push(at_ms);
                state.stories.insert(number, Story::placed(at_ms));
                number
            }
            _ => change.id.as_u64().and_then(|id| state.orders.find(id)).ok_or("no order has that `id`")?,
        };
        let sums = self.maker().order(number);
        let mut story = self.story(state, number, &sums);
        let ids = Ids {
            order: number,
            parcel: self.shop.orders * 8 + state.parcels + 1,
            refund: self.shop.orders + state.refunded.len() as u64 + 1,
        };
        let Change { items, amount, reason, tracking_number, fields, .. } = change;
        let step = Step { act, items, amount, reason, tracking_number, fields };
        let before = story.tell(&step, &sums, at_ms, ids)?;
        let (after, id) = (story.status, state.orders.id(number));
        state.stories.insert(number, story);
        let order = |more: Value| -> Value {
            let mut data = json!({"type": "order", "id": id});
            put(&mut data, more.as_object());
            data
        };
        let mut calls = Vec::new();
        match act {
            Act::Place => calls.push(("store/order/created", order(json!({})))),
            Act::Archive => calls.push(("store/order/archived", order(json!({})))),
            Act::Ship => {
                state.parcels += 1;
                calls.push(("store/shipment/created", json!({"type": "shipment", "id": ids.parcel, "orderId": id})));
            }
            Act::Refund | Act::Return => {
                state.refunded.push(number);
                calls.push(("store/order/refund/created", order(json!({"refund": {"refund_id": ids.refund}}))));
            }
            _ => {}
        }
        if act == Act::Place {
            // The payment page comes first.
            let status = json!({"previous_status_id": super::story::INCOMPLETE, "new_status_id": after});
            calls.push(("store/order/statusUpdated", order(json!({"status": status}))));
        } else {
            state.orders.touch(number, at_ms);
            calls.push(("store/order/updated", order(json!({}))));
            if before != after {
                let status = json!({"previous_status_id": before, "new_status_id": after});
                calls.push(("store/order/statusUpdated", order(json!({"status": status}))));
            }
        }
        Ok((id.into(), calls))
    }

    fn change_row(&self, state: &mut State, kind: Kind, change: Change, at_ms: i64) -> Result<Made, String> {
        let none = || "nothing has that `id`".to_owned();
        let (number, rows) = match kind {
            Kind::Cart => {
                let cart = change.id.as_str().and_then(|id| state.carts.find(id)).filter(|cart| !state.gone_carts.contains(cart));
                (cart.ok_or_else(none)?, None)
            }
            _ => {
                let rows = match kind {
                    Kind::Customer => &mut state.customers,
                    Kind::Product => &mut state.products,
                    _ => &mut state.subscribers,
                };
                (change.id.as_u64().and_then(|id| rows.find(id)).ok_or_else(none)?, Some(rows))
            }
        };
        let mut data = json!({"type": kind.word(), "id": change.id});
        let scope = match (kind, change.act.as_str()) {
            (Kind::Cart, "abandon") => {
                data["token"] = self.shop.cart_token(number).into();
                return Ok((change.id, vec![("store/cart/abandoned", data)]));
            }
            (Kind::Cart, "edit") => "store/cart/updated",
            (Kind::Cart, "delete") => "store/cart/deleted",
            (Kind::Customer, "edit") => "store/customer/updated",
            (Kind::Customer, "delete") => "store/customer/deleted",
            (Kind::Product, "edit") => "store/product/updated",
            (Kind::Product, "delete") => "store/product/deleted",
            (Kind::Subscriber, "edit") => "store/subscriber/updated",
            (Kind::Subscriber, "delete") => "store/subscriber/deleted",
            _ => return Err("`do` must be `edit` or `delete`, or `abandon` for a cart".to_owned()),
        };
        match (change.act == "delete", rows) {
            (true, Some(rows)) => rows.delete(number),
            (true, None) => drop(state.gone_carts.insert(number)),
            (false, Some(rows)) => rows.touch(number, at_ms),
            (false, None) => state.carts.rows.touch(number, at_ms),
        }
        state.fields.entry((kind, number)).or_default().extend(change.fields);
        Ok((change.id, vec![(scope, data)]))
    }
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Customer => "customer",
            Self::Product => "product",
            Self::Subscriber => "subscriber",
            Self::Cart => "cart",
        }
    }
}
