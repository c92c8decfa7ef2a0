//! What each path answers.

mod catalog;
mod people;

use serde_json::{Value, json};

use super::query::{Generation, Query, Refusal, bare, missing, nothing};
use super::story::{placed_ms, refunded_at_birth};
use super::{Bigcommerce, FIRST_ORDER, Kind, State, customer_id, store, story};
use crate::vendor::Reply;

/// A reply, and the list it is a page of where rows may change while that is read.
type Answer = Result<(Reply, Option<Kind>), Refusal>;

fn id(text: &str) -> Result<u64, Refusal> {
    text.parse().map_err(|_| missing())
}

fn one(row: Value) -> Reply {
    Reply::json(200, &json!({"data": row, "meta": {}}))
}

const PART: [&str; 2] = ["page", "limit"];
const WALKED: [&str; 4] = ["page", "limit", "after", "before"];

/// What those paths take that have no filters of their own; the others say for themselves.
fn plain(path: &[&str]) -> Option<&'static [&'static str]> {
    match path {
        ["store" | "time" | "order_statuses"] | ["orders", "count"] | ["orders", _, "fees" | "payment_actions", ..] => Some(&[]),
        ["orders", "payment_actions", "refunds", _] | ["abandoned-carts", _] | ["customers", _, "consent"] => Some(&[]),
        ["catalog", "trees", "1", "categories"] | ["orders", _, "products" | "shipments", _] => Some(&[]),
        ["currencies"] | ["orders", _, "transactions"] | ["channels", ..] | ["catalog", "trees"] => Some(&PART),
        ["customers", "attributes"] | ["catalog", "products", _, _, ..] => Some(&PART),
        ["pricelists"] | ["pricelists", "assignments"] | ["orders" | "customers", _, "metafields"] => Some(&WALKED),
        ["carts" | "checkouts", _] | ["catalog", "products", _] => Some(&["include"]),
        _ => None,
    }
}

impl Bigcommerce {
    pub(super) fn answer_to(&self, state: &State, generation: Generation, path: &[&str], query: &Query) -> Answer {
        if let Some(names) = plain(path) {
            query.only(names)?;
        }
        match generation {
            Generation::V2 => self.v2(state, path, query),
            Generation::V3 => self.v3(state, path, query),
        }
    }

    fn v2(&self, state: &State, path: &[&str], query: &Query) -> Answer {
        let reply = match path {
            ["store"] => Reply::json(200, &self.shop.information()),
            ["time"] => Reply::json(200, &json!({"time": query.now_s()})),
            ["currencies"] => bare(query.cut(self.shop.currencies().into_iter())?),
            ["order_statuses"] => Reply::json(200, &Value::Array(store::statuses())),
            ["orders"] => return self.orders(state, query).map(|reply| (reply, Some(Kind::Order))),
            ["orders", "count"] => {
                let count = |(id, name): (u8, &str)| {
                    let count = state.orders.numbers().filter(|order| self.status(state, *order) == id).count();
                    json!({"id": id, "name": name, "system_label": name, "custom_label": name, "system_description": name, "count": count, "sort_order": id})
                };
                let statuses: Vec<Value> = (0..).zip(super::orders::STATUSES).map(count).collect();
                Reply::json(200, &json!({"statuses": statuses, "count": state.orders.len()}))
            }
            ["orders", order, rest @ ..] => {
                let number = state.orders.find(id(order)?).ok_or_else(missing)?;
                let order = self.order(state, number);
                match rest {
                    [] => {
                        query.only(&["include", "consignment_structure"])?;
                        let include = included(query)?;
                        Reply::json(200, &order.json(&|part| include.contains(part)))
                    }
                    ["consignments"] => {
                        query.only(&["include"])?;
                        Reply::json(
                            200,
                            &order.consignments(query.include(&["consignments.line_items"])?.contains("consignments.line_items")),
                        )
                    }
                    ["fees"] => Reply::json(200, &json!({"fees": order.fees()})),
                    ["products", line] => {
                        let line = id(line)?;
                        let place = (0..order.sums.lines.len()).find(|place| order.line_id(*place) == line).ok_or_else(missing)?;
                        Reply::json(200, &order.product(place))
                    }
                    ["shipments", shipment] => {
                        let shipment = id(shipment)?;
                        let found = order.shipments().into_iter().find(|one| one["id"] == shipment);
                        Reply::json(200, &found.ok_or_else(missing)?)
                    }
                    [part] => {
                        query.only(&["page", "limit", "details"])?;
                        let rows = match *part {
                            "products" => order.products(),
                            "coupons" => order.coupons(),
                            "shipping_addresses" | "shippingaddresses" => order.shipping_addresses(),
                            "shipments" => order.shipments(),
                            "taxes" => order.taxes(),
                            "messages" => Vec::new(),
                            _ => return Err(missing()),
                        };
                        bare(query.cut(rows.into_iter())?)
                    }
                    _ => return Err(missing()),
                }
            }
            _ => return Err(missing()),
        };
        Ok((reply, None))
    }

    fn orders(&self, state: &State, query: &Query) -> Result<Reply, Refusal> {
        query.only(&[
            "page",
            "limit",
            "sort",
            "min_id",
            "max_id",
            "status_id",
            "customer_id",
            "channel_id",
            "email",
            "is_deleted",
            "cart_id",
            "min_date_modified",
            "max_date_modified",
            "min_date_created",
            "max_date_created",
            "include",
            "consignment_structure",
        ])?;
        let include = included(query)?;
        let (min, max) = (query.number("min_id")?, query.number("max_id")?);
        let (status, customer, channel) = (query.number("status_id")?, query.number("customer_id")?, query.number("channel_id")?);
        let (deleted, email, cart) = (query.flag("is_deleted")?, query.text("email").map(str::to_lowercase), query.text("cart_id"));
        let (modified, created) = (query.range_v2("date_modified")?, query.range_v2("date_created")?);
        let holds = |number: &u64| {
            let (number, order_id) = (*number, FIRST_ORDER + *number);
            let story = state.stories.get(&number);
            let (person, account) = self.maker().person(number);
            min.is_none_or(|min| order_id >= min)
                && max.is_none_or(|max| order_id <= max)
                && modified.holds(state.orders.changed_s(number))
                && created.holds(story.map_or_else(|| placed_ms(number), |story| story.placed_ms) / 1_000)
                && status.is_none_or(|status| u64::from(self.status(state, number)) == status)
                && customer.is_none_or(|customer| if account { customer_id(person) } else { 0 } == customer)
                && email.as_ref().is_none_or(|email| *email == self.shop.made.email(person))
                // Whether archived orders are listed unasked is not said; here they are.
                && deleted.is_none_or(|deleted| story.is_some_and(|story| story.archived) == deleted)
                && (channel.is_none() && cart.is_none() || {
                    let order = self.order(state, number);
                    channel.is_none_or(|channel| order.channel() == channel) && cart.is_none_or(|cart| order.json(&|_| false)["cart_id"] == cart)
                })
        };
        let first = min.unwrap_or(0).saturating_sub(FIRST_ORDER);
        let numbers = match query.sort(&["id", "date_modified", "date_created"])? {
            ("date_modified", true) => query.cut(state.orders.by_change(modified.earliest()).filter(holds))?,
            ("date_modified", false) => query.cut(state.orders.by_change(modified.earliest()).rev().filter(holds))?,
            // Orders are numbered as they are placed.
            (_, true) => query.cut(state.orders.numbers_from(first).filter(holds))?,
            (_, false) => query.cut(state.orders.numbers_from(first).rev().filter(holds))?,
        };
        Ok(bare(numbers.into_iter().map(|number| self.order(state, number).json(&|part| include.contains(part))).collect()))
    }

    fn v3(&self, state: &State, path: &[&str], query: &Query) -> Answer {
        let reply = match path {
            ["orders", "payment_actions", "refunds"] => self.refunds(state, query)?,
            ["orders", "payment_actions", "refunds", refund] => one(self.refund(state, id(refund)?).ok_or_else(missing)?),
            ["orders", order, rest @ ..] => {
                let order = self.order(state, state.orders.find(id(order)?).ok_or_else(missing)?);
                match rest {
                    ["payment_actions", "refunds"] => Reply::json(200, &json!({"data": order.refunds(), "meta": {}})),
                    ["transactions"] => match order.transactions() {
                        none if none.is_empty() => nothing(),
                        some => query.paged(some, |row| row)?,
                    },
                    ["metafields"] => query.walked(order.metafields(), |row| row["id"].as_u64().unwrap_or(0), |row| row)?,
                    _ => return Err(missing()),
                }
            }
            ["customers", ..] => return self.people(state, &path[1..], query),
            ["wishlists"] => {
                query.only(&[&PART[..], &["customer_id"]].concat())?;
                let customer = query.number("customer_id")?;
                let rows: Vec<Value> = (0..self.options.wishlists).map(|number| self.shop.wishlist(number)).collect();
                query.paged(rows.into_iter().filter(|row| customer.is_none_or(|one| row["customer_id"] == one)).collect(), |row| row)?
            }
            ["carts", cart] => {
                let number = self.cart(state, cart)?;
                one(self.shop.cart(number, &Self::row(state, Kind::Cart, number), false))
            }
            ["checkouts", cart] => {
                let number = self.cart(state, cart)?;
                one(self.shop.checkout(number, &Self::row(state, Kind::Cart, number)))
            }
            ["abandoned-carts", token] => {
                let open = (0..state.carts.rows.len()).filter(|cart| !state.gone_carts.contains(cart));
                let cart = open.into_iter().find(|cart| self.shop.cart_token(*cart) == *token).ok_or_else(missing)?;
                one(json!({"cart_id": self.shop.cart_id(cart)}))
            }
            ["channels"] => query.paged(self.shop.channels(), |row| row)?,
            ["channels", "currency-assignments"] => Reply::json(200, &json!({"data": self.shop.channel_currencies(), "meta": {}})),
            ["catalog", "products", ..] => return self.products(state, &path[2..], query),
            ["catalog" | "pricelists" | "inventory", ..] => self.catalog(state, path, query)?,
            _ => return Err(missing()),
        };
        Ok((reply, None))
    }

    fn cart(&self, state: &State, id: &str) -> Result<u64, Refusal> {
        state.carts.find(id).filter(|cart| !state.gone_carts.contains(cart)).ok_or_else(missing)
    }

    /// The refund with that id: one of those the shop was born with, or one made since.
    fn refund(&self, state: &State, refund: u64) -> Option<Value> {
        let order = match refund.checked_sub(self.shop.orders + 1) {
            Some(place) => *state.refunded.get(usize::try_from(place).ok()?)?,
            None => refund.checked_sub(1)?,
        };
        self.order(state, order).refunds().into_iter().find(|row| row["id"] == refund)
    }

    fn refunds(&self, state: &State, query: &Query) -> Result<Reply, Refusal> {
        query.only(&[&PART[..], &["created:", "order_id:in", "id:in", "transaction_id"]].concat())?;
        let (created, orders, ids) = (query.range("created")?, query.numbers("order_id:in")?, query.numbers("id:in")?);
        let transaction = query.text("transaction_id");
        let born = (0..self.shop.orders).filter(|order| refunded_at_birth(story::born(*order, self.shop.incomplete_every)));
        let made = (self.shop.orders + 1..).zip(&state.refunded).map(|(refund, order)| (refund, *order));
        let matched = born.map(|order| (order + 1, order)).chain(made).filter(|(refund, order)| {
            ids.as_ref().is_none_or(|ids| ids.contains(refund))
                && orders.as_ref().is_none_or(|orders| orders.contains(&(FIRST_ORDER + order)))
                && transaction.is_none_or(|wanted| wanted == format!("bt{refund}"))
                && created.holds(self.refunded_s(state, *refund, *order))
        });
        query.paged(matched.collect(), |(refund, _)| self.refund(state, refund).unwrap_or_default())
    }

    fn refunded_s(&self, state: &State, refund: u64, order: u64) -> i64 {
        let told = state.stories.get(&order).and_then(|story| story.refunds.iter().find(|one| one.id == refund));
        told.map_or_else(|| placed_ms(order) + 86_400_000, |one| one.at_ms) / 1_000
    }
}

/// Parts that stand in an order where `include` names them, which works with the newer structure only.
fn included(query: &Query) -> Result<std::collections::HashSet<String>, Refusal> {
    let include = query.include(&["consignments", "consignments.line_items", "fees"])?;
    if include.iter().any(|part| part.starts_with("consignments")) && query.text("consignment_structure") != Some("object") {
        return Err(query.invalid("`include=consignments` needs `consignment_structure=object`.".to_owned()));
    }
    Ok(include)
}

fn within(wanted: &Option<std::collections::HashSet<u64>>, value: &Value) -> bool {
    wanted.as_ref().is_none_or(|wanted| value.as_u64().is_some_and(|value| wanted.contains(&value)))
}

fn sort<K: Ord>(numbers: &mut [u64], up: bool, key: impl Fn(u64) -> K) {
    numbers.sort_by_key(|number| key(*number));
    if !up {
        numbers.reverse();
    }
}
