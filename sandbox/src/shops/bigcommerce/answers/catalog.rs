//! Lists of the catalog, of prices and of stock.

use serde_json::{Value, json};

use super::{Answer, PART, id, one, sort, within};
use crate::shops::bigcommerce::query::{Query, Refusal, missing};
use crate::shops::bigcommerce::{Bigcommerce, Kind, Shop, State, catalog, product_id};
use crate::vendor::Reply;

fn all(_: &str) -> bool {
    true
}

impl Bigcommerce {
    pub(super) fn products(&self, state: &State, path: &[&str], query: &Query) -> Answer {
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

    pub(super) fn catalog(&self, state: &State, path: &[&str], query: &Query) -> Result<Reply, Refusal> {
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

fn parted(query: &Query, rows: &Value) -> Result<Reply, Refusal> {
    query.paged(rows.as_array().cloned().unwrap_or_default(), |row| row)
}
