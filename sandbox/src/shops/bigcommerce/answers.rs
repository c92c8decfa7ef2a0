//! What each path answers.

use serde_json::{Value, json};

use super::query::{Query, Refusal, bare, missing, nothing};
use super::story::{placed_ms, refunded_at_birth};
use super::{Bigcommerce, FIRST_ORDER, Kind, Shop, State, catalog, customer_id, iso, millis, people, product_id, store, story};
use crate::vendor::Reply;

/// A reply, and the list it is a page of where rows may change while that is read.
type Answer = Result<(Reply, Option<Kind>), Refusal>;

fn all(_: &str) -> bool {
    true
}

fn id(text: &str) -> Result<u64, Refusal> {
    text.parse().map_err(|_| missing())
}

fn one(row: Value) -> Reply {
    Reply::json(200, &json!({"data": row, "meta": {}}))
}

const PART: [&str; 2] = ["page", "limit"];

impl Bigcommerce {
    pub(super) fn v2(&self, state: &State, path: &[&str], query: &Query) -> Answer {
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
        let numbers = match query.sort(&["id", "date_modified", "date_created"])? {
            ("date_modified", true) => query.cut(state.orders.by_change().filter(holds))?,
            ("date_modified", false) => query.cut(state.orders.by_change().rev().filter(holds))?,
            // Orders are numbered as they are placed.
            (_, true) => query.cut(state.orders.numbers().filter(holds))?,
            (_, false) => query.cut(state.orders.numbers().rev().filter(holds))?,
        };
        Ok(bare(numbers.into_iter().map(|number| self.order(state, number).json(&|part| include.contains(part))).collect()))
    }

    pub(super) fn v3(&self, state: &State, path: &[&str], query: &Query) -> Answer {
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
            ["carts", cart] => one(self.shop.cart(self.cart(state, cart)?, &Self::row(state, Kind::Cart, self.cart(state, cart)?), false)),
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

    fn people(&self, state: &State, path: &[&str], query: &Query) -> Answer {
        let of_customers = |rows: fn(&Shop, u64) -> Vec<Value>| state.customers.numbers().flat_map(move |number| rows(&self.shop, number));
        let reply = match path {
            [] => return self.customers(state, query).map(|reply| (reply, Some(Kind::Customer))),
            ["addresses"] => {
                query.only(&[&PART[..], &["customer_id:in", "id:in", "include"]].concat())?;
                let (customers, ids) = (query.numbers("customer_id:in")?, query.numbers("id:in")?);
                let rows = of_customers(Shop::addresses).filter(|row| within(&customers, &row["customer_id"]) && within(&ids, &row["id"]));
                query.paged(rows.collect(), |row| row)?
            }
            ["attributes"] => query.paged(people::ATTRIBUTES.to_vec(), |attribute| self.shop.attribute(attribute))?,
            ["attribute-values"] => {
                query.only(&[&PART[..], &["customer_id:in", "attribute_id:in", "date_modified:", "date_created:"]].concat())?;
                let (customers, attributes) = (query.numbers("customer_id:in")?, query.numbers("attribute_id:in")?);
                let (modified, created) = (query.range("date_modified")?, query.range("date_created")?);
                let second = |row: &Value, name: &str| millis(row[name].as_str().unwrap_or_default()) / 1_000;
                let rows = of_customers(Shop::attributes).filter(|row| {
                    within(&customers, &row["customer_id"])
                        && within(&attributes, &row["attribute_id"])
                        && modified.holds(second(row, "date_modified"))
                        && created.holds(second(row, "date_created"))
                });
                query.paged(rows.collect(), |row| row)?
            }
            ["form-field-values"] => {
                query.only(&[&PART[..], &["after", "before", "customer_id", "field_name"]].concat())?;
                let (customer, name) = (query.number("customer_id")?, query.text("field_name"));
                let rows = of_customers(Shop::form_fields)
                    .filter(|row| customer.is_none_or(|one| row["customer_id"] == one) && name.is_none_or(|name| row["name"] == name));
                query.walked(rows.collect(), |row| row["customer_id"].as_u64().unwrap_or(0), |row| row)?
            }
            ["subscribers"] => {
                let wanted = [
                    &PART[..],
                    &["id", "id:in", "email", "source", "order_id", "first_name", "last_name", "date_modified:", "date_created:"],
                ];
                query.only(&wanted.concat())?;
                let (id, ids, email) = (query.number("id")?, query.numbers("id:in")?, query.text("email").map(str::to_lowercase));
                let (modified, created, source) = (query.range("date_modified")?, query.range("date_created")?, query.text("source"));
                let matched = state.subscribers.numbers().filter(|number| {
                    let row_id = state.subscribers.id(*number);
                    id.is_none_or(|id| id == row_id)
                        && ids.as_ref().is_none_or(|ids| ids.contains(&row_id))
                        && email.as_ref().is_none_or(|email| *email == self.shop.made.email(*number))
                        && source.is_none_or(|source| source == if number.is_multiple_of(2) { "storefront" } else { "order" })
                        && modified.holds(state.subscribers.changed_s(*number))
                        && created.holds(self.shop.subscriber_created_s(*number))
                });
                let row = |number| self.shop.subscriber(number, &Self::row(state, Kind::Subscriber, number));
                return Ok((query.paged(matched.collect(), row)?, Some(Kind::Subscriber)));
            }
            ["subscribers", subscriber] => {
                let number = state.subscribers.find(id(subscriber)?).ok_or_else(missing)?;
                one(self.shop.subscriber(number, &Self::row(state, Kind::Subscriber, number)))
            }
            // Cookies, not mails; and the time is that of the call.
            [customer, "consent"] => {
                state.customers.find(id(customer)?).ok_or_else(missing)?;
                Reply::json(200, &json!({"allow": ["essential", "analytics"], "deny": ["targeting"], "updated_at": iso(query.now_s())}))
            }
            [customer, "metafields"] => {
                state.customers.find(id(customer)?).ok_or_else(missing)?;
                query.walked(Vec::new(), |_: &u64| 0, Value::from)?
            }
            _ => return Err(missing()),
        };
        Ok((reply, None))
    }

    fn customers(&self, state: &State, query: &Query) -> Result<Reply, Refusal> {
        let filters =
            ["id:in", "email:in", "customer_group_id:in", "include", "sort", "after", "before", "date_modified:", "date_created:"];
        query.only(&[&PART[..], &filters].concat())?;
        let include = query.include(&["addresses", "storecredit", "attributes", "formfields", "shopper_profile_id", "segment_ids"])?;
        let (ids, groups, emails) = (query.numbers("id:in")?, query.numbers("customer_group_id:in")?, query.texts("email:in"));
        let (modified, created) = (query.range("date_modified")?, query.range("date_created")?);
        let matched = state.customers.numbers().filter(|number| {
            ids.as_ref().is_none_or(|ids| ids.contains(&customer_id(*number)))
                && emails.as_ref().is_none_or(|emails| emails.contains(&self.shop.made.email(*number)))
                && groups.as_ref().is_none_or(|groups| groups.contains(&if number.is_multiple_of(6) { 5 } else { 0 }))
                && modified.holds(state.customers.changed_s(*number))
                && created.holds(self.shop.customer_created_s(*number))
        });
        let mut matched: Vec<u64> = matched.collect();
        match query.sort(&["date_modified", "date_created", "last_name"])? {
            ("date_modified", up) => sort(&mut matched, up, |number| state.customers.changed_s(number)),
            ("date_created", up) => sort(&mut matched, up, |number| self.shop.customer_created_s(number)),
            _ => {}
        }
        let row = |number| self.shop.customer(number, &Self::row(state, Kind::Customer, number), &|part| include.contains(part));
        query.walked(matched, |number| customer_id(*number), row)
    }

    fn products(&self, state: &State, path: &[&str], query: &Query) -> Answer {
        let parts = [
            "variants",
            "images",
            "primary_image",
            "custom_fields",
            "bulk_pricing_rules",
            "options",
            "modifiers",
            "videos",
            "reviews",
            "channels",
            "parent_relations",
        ];
        let row =
            |number: u64, include: &dyn Fn(&str) -> bool| self.shop.product(number, &Self::row(state, Kind::Product, number), include);
        let reply = match path {
            [] => {
                let filters = [
                    "id",
                    "id:in",
                    "id:",
                    "id:greater",
                    "id:less",
                    "sku",
                    "sku:in",
                    "name",
                    "is_visible",
                    "brand_id",
                    "channel_id:in",
                    "categories:in",
                    "include",
                    "sort",
                    "direction",
                    "date_modified:",
                ];
                query.only(&[&PART[..], &filters].concat())?;
                let include = query.include(&parts)?;
                let (only, ids) = (query.number("id")?, query.numbers("id:in")?);
                let (least, most, above, below) =
                    (query.number("id:min")?, query.number("id:max")?, query.number("id:greater")?, query.number("id:less")?);
                let modified = query.range_at_this_hour("date_modified")?;
                let (visible, sku, skus, name) = (query.flag("is_visible")?, query.text("sku"), query.texts("sku:in"), query.text("name"));
                let (brand, categories) = (query.number("brand_id")?, query.numbers("categories:in")?);
                let matched = state.products.numbers().filter(|number| {
                    let row_id = product_id(*number);
                    let fits = only.is_none_or(|only| only == row_id)
                        && ids.as_ref().is_none_or(|ids| ids.contains(&row_id))
                        && least.is_none_or(|least| row_id >= least)
                        && most.is_none_or(|most| row_id <= most)
                        && above.is_none_or(|above| row_id > above)
                        && below.is_none_or(|below| row_id < below)
                        && modified.holds(state.products.changed_s(*number));
                    let plain =
                        visible.is_none() && sku.is_none() && skus.is_none() && name.is_none() && brand.is_none() && categories.is_none();
                    fits && (plain || {
                        let row = row(*number, &|_| false);
                        visible.is_none_or(|visible| row["is_visible"] == visible)
                            && sku.is_none_or(|sku| row["sku"] == sku)
                            && skus.as_ref().is_none_or(|skus| skus.contains(&row["sku"].as_str().unwrap_or_default().to_lowercase()))
                            && name.is_none_or(|name| row["name"] == name)
                            && brand.is_none_or(|brand| row["brand_id"] == brand)
                            && within(&categories, &row["categories"][0])
                    })
                });
                let mut matched: Vec<u64> = matched.collect();
                match query.sort(&["date_modified"])? {
                    ("date_modified", up) => sort(&mut matched, up, |number| state.products.changed_s(number)),
                    (_, up) => sort(&mut matched, up, product_id),
                }
                let reply = match include.contains("options") || include.contains("modifiers") {
                    // However many rows a page was asked to have.
                    true => query.capped(10).paged(matched, |number| row(number, &|part| include.contains(part)))?,
                    false => query.paged(matched, |number| row(number, &|part| include.contains(part)))?,
                };
                return Ok((reply, Some(Kind::Product)));
            }
            [product, rest @ ..] => {
                let number = state.products.find(id(product)?).ok_or_else(missing)?;
                let times = state.products.times(number);
                match rest {
                    [] => {
                        let include = query.include(&parts)?;
                        one(row(number, &|part| include.contains(part)))
                    }
                    ["variants"] => {
                        query.paged((0..self.shop.variants(number)).collect(), |variant| self.shop.variant(number, variant, times))?
                    }
                    ["variants", variant] => {
                        let place = catalog::variant_of(id(variant)?)
                            .filter(|(product, place)| *product == number && *place < self.shop.variants(number));
                        one(self.shop.variant(number, place.ok_or_else(missing)?.1, times))
                    }
                    ["images"] => parted(query, &row(number, &all)["images"])?,
                    ["custom-fields"] => parted(query, &row(number, &all)["custom_fields"])?,
                    ["metafields"] => query.walked(Vec::new(), |_: &u64| 0, Value::from)?,
                    _ => return Err(missing()),
                }
            }
        };
        Ok((reply, None))
    }

    fn catalog(&self, state: &State, path: &[&str], query: &Query) -> Result<Reply, Refusal> {
        let shop = &self.shop;
        let variants = || state.products.numbers().flat_map(|product| (0..shop.variants(product)).map(move |variant| (product, variant)));
        match path {
            ["catalog", "variants"] => {
                query.only(&[&PART[..], &["id", "sku", "product_id:in"]].concat())?;
                let (id, sku, products) = (query.number("id")?, query.text("sku"), query.numbers("product_id:in")?);
                let rows = variants().map(|(product, variant)| shop.variant(product, variant, state.products.times(product)));
                let rows = rows.filter(|row| {
                    id.is_none_or(|id| row["id"] == id) && sku.is_none_or(|sku| row["sku"] == sku) && within(&products, &row["product_id"])
                });
                query.paged(rows.collect(), |row| row)
            }
            ["catalog", "categories"] => {
                query.only(&[&PART[..], &["id", "id:in", "parent_id", "parent_id:in", "is_visible"]].concat())?;
                let (id, ids) = (query.number("id")?, query.numbers("id:in")?);
                let (parent, parents) = (query.number("parent_id")?, query.numbers("parent_id:in")?);
                let rows = (0..shop.categories).map(|category| shop.category(category)).filter(|row| {
                    id.is_none_or(|id| row["id"] == id)
                        && within(&ids, &row["id"])
                        && parent.is_none_or(|parent| row["parent_id"] == parent)
                        && within(&parents, &row["parent_id"])
                });
                query.paged(rows.collect(), |row| row)
            }
            ["catalog", "trees"] => {
                let tree = json!({"id": 1, "name": "Default", "channels": [1, 2]});
                query.paged(vec![tree], |row| row)
            }
            ["catalog", "trees", "categories"] => {
                query.only(&[&PART[..], &["category_id:in", "tree_id:in", "parent_id:in", "is_visible"]].concat())?;
                let (ids, trees, parents) =
                    (query.numbers("category_id:in")?, query.numbers("tree_id:in")?, query.numbers("parent_id:in")?);
                let rows = (0..shop.categories).map(|category| shop.tree_category(category)).filter(|row| {
                    within(&ids, &row["category_id"]) && within(&trees, &row["tree_id"]) && within(&parents, &row["parent_id"])
                });
                query.paged(rows.collect(), |row| row)
            }
            ["catalog", "trees", "1", "categories"] => Ok(Reply::json(200, &json!({"data": shop.tree(0, &[]), "meta": {}}))),
            ["catalog", "brands"] => {
                query.only(&[&PART[..], &["id", "id:in", "name"]].concat())?;
                let (id, ids) = (query.number("id")?, query.numbers("id:in")?);
                let fits =
                    |(brand, _): &(u64, &str)| id.is_none_or(|id| id == *brand) && ids.as_ref().is_none_or(|ids| ids.contains(brand));
                query.paged(catalog::BRANDS.into_iter().filter(fits).collect(), Shop::brand)
            }
            ["pricelists"] => {
                let list = json!({"id": catalog::PRICE_LIST, "name": "Trade", "active": true, "date_created": "2025-01-01T09:00:00Z",
                    "date_modified": "2025-01-01T09:00:00Z"});
                query.walked(vec![list], |_| catalog::PRICE_LIST, |row| row)
            }
            ["pricelists", "assignments"] => {
                let row = json!({"id": 1, "price_list_id": catalog::PRICE_LIST, "customer_group_id": 5, "channel_id": 1});
                query.walked(vec![row], |_| 1, |row| row)
            }
            ["pricelists", list, "records"] if id(list)? == catalog::PRICE_LIST => {
                query.only(
                    &[&PART[..], &["after", "before", "variant_id:in", "product_id:in", "currency", "include", "date_modified:"]].concat(),
                )?;
                let (variants, products) = (query.numbers("variant_id:in")?, query.numbers("product_id:in")?);
                let (modified, currency) = (query.range("date_modified")?, query.text("currency").map(str::to_lowercase));
                let count = self.options.price_records.min(shop.products);
                let in_time = (0..count).filter(|product| modified.holds(shop.product_changed_s(*product)));
                let rows = in_time.map(|product| shop.price_record(product)).filter(|row| {
                    within(&variants, &row["variant_id"])
                        && within(&products, &row["product_id"])
                        && currency.as_ref().is_none_or(|currency| row["currency"] == **currency)
                });
                query.walked(rows.collect(), |row| row["variant_id"].as_u64().unwrap_or(0), |row| row)
            }
            ["inventory", "items"] | ["inventory", "locations", "1", "items"] => {
                query.only(&[&PART[..], &["sku:in", "variant_id:in", "product_id:in", "location_id:in", "location_code:in"]].concat())?;
                let (ids, products, skus) = (query.numbers("variant_id:in")?, query.numbers("product_id:in")?, query.texts("sku:in"));
                let rows = variants().map(|(product, variant)| shop.inventory(product, variant)).filter(|row| {
                    let identity = &row["identity"];
                    within(&ids, &identity["variant_id"])
                        && within(&products, &identity["product_id"])
                        && skus.as_ref().is_none_or(|skus| skus.contains(&identity["sku"].as_str().unwrap_or_default().to_lowercase()))
                });
                query.paged(rows.collect(), |row| row)
            }
            _ => Err(missing()),
        }
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

fn parted(query: &Query, rows: &Value) -> Result<Reply, Refusal> {
    query.paged(rows.as_array().cloned().unwrap_or_default(), |row| row)
}
