//! Products with what stands elsewhere: brand, names of categories, stock of locations, price lists.
//! <https://developer.bigcommerce.com/docs/rest-catalog>

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::gather::{Ask, Gathering};
use super::pages::{Paging, Rows, id_of, list, member};
use super::{GONE, Shop, joined};
use crate::http::{Reply, percent};
use crate::sources::bigcommerce::wire::Text;
use crate::sources::pull::{Document, PullFailure, Step, unreadable};
use crate::sources::split::elements;

/// What products embed where they are asked to. Options and modifiers are left out: with them a page has ten products.
pub(super) const INCLUDE: &str = "include=variants,images,custom_fields";

/// Ids that one question names, so that its address stays far below what servers take.
pub(super) const AT_ONCE: usize = 50;

/// Levels that the tree of categories may have; more is a circle.
const DEEPEST: usize = 24;

/// A category as far as products need it.
#[derive(Clone, Serialize)]
struct Named {
    category_id: String,
    parent_id: String,
    name: String,
}

impl Shop {
    /// A product that is only named.
    pub(super) fn product(&self, id: &str, replies: &[Reply]) -> Result<Step, PullFailure> {
        let mut path = "/v3/catalog/products/".to_owned();
        percent(id, &mut path);
        let mut parts = Gathering::new(self, replies);
        let itself = Ask::new("products", path, Paging::Whole).with(INCLUDE);
        if let Some(step) = parts.ask([itself])? {
            return Ok(step);
        }
        let products = parts.rows("products");
        self.products(parts, products)
    }

    /// The product of a variant.
    pub(super) fn product_of_variant(&self, id: &str, replies: &[Reply]) -> Result<Step, PullFailure> {
        let mut parts = Gathering::new(self, replies);
        let variant = Ask::new("variant", "/v3/catalog/variants".to_owned(), Paging::Whole).with(format!("id={}", joined([id])));
        if let Some(step) = parts.ask([variant])? {
            return Ok(step);
        }
        let product = parts.rows("variant").first().and_then(|row| id_of(row, b"product_id"));
        let Some(product) = product else { return Ok(GONE) };
        let mut path = "/v3/catalog/products/".to_owned();
        percent(&product, &mut path);
        if let Some(step) = parts.ask([Ask::new("products", path, Paging::Whole).with(INCLUDE)])? {
            return Ok(step);
        }
        let products = parts.rows("products");
        self.products(parts, products)
    }

    /// Products by their ids, separated by commas; those that are gone are left out.
    pub(super) fn products_by_id(&self, ids: &str, replies: &[Reply]) -> Result<Step, PullFailure> {
        let mut parts = Gathering::new(self, replies);
        let query = format!("id:in={}&{INCLUDE}", joined(ids.split(',')));
        if let Some(step) = parts.ask([Ask::new("products", "/v3/catalog/products".to_owned(), Paging::Rows).with(query)])? {
            return Ok(step);
        }
        let products = parts.rows("products");
        self.products(parts, products)
    }

    /// The products of a page of their list.
    pub(super) fn products_of_page(&self, page: &[u8], replies: &[Reply]) -> Result<Step, PullFailure> {
        let rows = Rows::in_bytes(page).ok_or_else(unreadable)?;
        self.products(Gathering::new(self, replies), rows.rows)
    }

    fn products<'r>(&self, mut parts: Gathering<'r>, products: Vec<&'r [u8]>) -> Result<Step, PullFailure> {
        if products.is_empty() {
            return Ok(GONE);
        }
        if let Some(step) = parts.ask(self.beside(&products))? {
            return Ok(step);
        }
        // The categories above those that products name, level by level.
        let mut asked: BTreeSet<String> = products.iter().flat_map(|product| categories_of(product)).collect();
        let mut categories = BTreeMap::new();
        for _ in 0..DEEPEST {
            categories = named(&parts.rows("categories"));
            let above: BTreeSet<String> = categories.values().map(|one| one.parent_id.clone()).filter(|id| !id.is_empty()).collect();
            let missing: Vec<String> = above.difference(&asked).cloned().collect();
            if missing.is_empty() {
                break;
            }
            if let Some(step) = parts.ask(some_of("categories", CATEGORIES, "category_id:in", &missing))? {
                return Ok(step);
            }
            asked.extend(missing);
        }
        if let Some(step) = parts.ask(records(&parts.rows("assignments"), &parts.rows("price_lists"), &products))? {
            return Ok(step);
        }
        let beside = Beside::new(&parts, categories);
        let mut documents = Vec::new();
        for (place, product) in products.iter().enumerate() {
            documents.push(if place == 0 { b'[' } else { b',' });
            beside.compose(product, &mut documents);
        }
        documents.push(b']');
        Ok(Step::Done(vec![Document { resource: "product", bytes: documents }]))
    }

    /// What is asked for beside products, all of it at once.
    fn beside(&self, products: &[&[u8]]) -> Vec<Ask> {
        let distinct = |name: &[u8]| -> Vec<String> {
            let ids: BTreeSet<String> = products.iter().filter_map(|product| id_of(product, name)).collect();
            ids.into_iter().collect()
        };
        let categories: BTreeSet<String> = products.iter().flat_map(|product| categories_of(product)).collect();
        let categories: Vec<String> = categories.into_iter().collect();
        let ids = distinct(b"id");
        let mut asks = some_of("brands", "/v3/catalog/brands", "id:in", &distinct(b"brand_id"));
        asks.extend(some_of("categories", CATEGORIES, "category_id:in", &categories));
        if self.inventory {
            asks.extend(some_of("inventory", "/v3/inventory/items", "product_id:in", &ids));
        }
        if self.price_lists {
            asks.push(Ask::new("price_lists", "/v3/pricelists".to_owned(), Paging::Cursor));
            asks.push(Ask::new("assignments", "/v3/pricelists/assignments".to_owned(), Paging::Cursor));
        }
        if self.product_metafields {
            asks.extend(ids.iter().map(|id| {
                let mut path = "/v3/catalog/products/".to_owned();
                percent(id, &mut path);
                Ask::new("metafields", path + "/metafields", Paging::Cursor)
            }));
        }
        asks
    }

    /// The categories of a tree, or one of them.
    pub(super) fn categories(&self, filter: &str, id: &str, replies: &[Reply]) -> Result<Step, PullFailure> {
        let mut parts = Gathering::new(self, replies);
        let ask = Ask::new("categories", CATEGORIES.to_owned(), Paging::Rows).with(format!("{filter}={}", joined([id])));
        if let Some(step) = parts.ask([ask])? {
            return Ok(step);
        }
        let rows = parts.rows("categories");
        if rows.is_empty() {
            return Ok(GONE);
        }
        let mut bytes = Vec::new();
        list(&rows, &mut bytes);
        Ok(Step::Done(vec![Document { resource: "category", bytes }]))
    }
}

const CATEGORIES: &str = "/v3/catalog/trees/categories";

/// Lists that are asked for some ids, some at a time.
fn some_of(part: &'static str, path: &str, filter: &str, ids: &[String]) -> Vec<Ask> {
    let ask = |some: &[String]| {
        let query = format!("{filter}={}", joined(some.iter().map(String::as_str)));
        Ask::new(part, path.to_owned(), Paging::Rows).with(query)
    };
    ids.chunks(AT_ONCE).map(ask).collect()
}

/// The records of the products in each price list that is in use and is for somebody.
fn records(assignments: &[&[u8]], lists: &[&[u8]], products: &[&[u8]]) -> Vec<Ask> {
    let active = |row: &&&[u8]| member(row, b"active") != Some(b"false");
    let active: BTreeSet<String> = lists.iter().filter(active).filter_map(|row| id_of(row, b"id")).collect();
    let assigned: BTreeSet<String> = assignments.iter().filter_map(|row| id_of(row, b"price_list_id")).collect();
    let ids: Vec<String> = products.iter().filter_map(|product| id_of(product, b"id")).collect();
    let of_list = |id: &String| {
        let mut path = "/v3/pricelists/".to_owned();
        percent(id, &mut path);
        path.push_str("/records");
        let asks = some_of("records", &path, "product_id:in", &ids);
        asks.into_iter().map(|ask| {
            let query = format!("{}&include=bulk_pricing_tiers", ask.query);
            ask.by_cursor().with(query)
        })
    };
    active.intersection(&assigned).flat_map(of_list).collect()
}

fn categories_of(product: &[u8]) -> Vec<String> {
    let ids = member(product, b"categories").and_then(|ids| serde_json::from_slice::<Vec<Text<'_>>>(ids).ok());
    ids.unwrap_or_default().iter().filter_map(|id| id.id().map(str::to_owned)).collect()
}

fn named(rows: &[&[u8]]) -> BTreeMap<String, Named> {
    let read = |row: &&[u8]| {
        let id = id_of(row, b"category_id").or_else(|| id_of(row, b"id"))?;
        let name = serde_json::from_slice::<Text<'_>>(member(row, b"name")?).ok()?.to_string();
        let parent_id = id_of(row, b"parent_id").unwrap_or_default();
        Some((id.clone(), Named { category_id: id, parent_id, name }))
    };
    rows.iter().filter_map(read).collect()
}

/// Rows by the id that each belongs to.
type ById<'r> = BTreeMap<String, Vec<&'r [u8]>>;

/// What was read beside products, by the id that each belongs to.
struct Beside<'r> {
    categories: BTreeMap<String, Named>,
    brands: ById<'r>,
    assignments: Vec<&'r [u8]>,
    /// By the key in composed documents, for those that were asked for.
    lists: Vec<(&'static str, ById<'r>)>,
}

impl<'r> Beside<'r> {
    fn new(parts: &Gathering<'r>, categories: BTreeMap<String, Named>) -> Self {
        let of_product = |row: &[u8]| id_of(row, b"product_id");
        let mut lists = Vec::new();
        if parts.has("inventory") {
            lists.push(("inventory", by(parts.rows("inventory"), |row| member(row, b"identity").and_then(of_product))));
        }
        if parts.has("metafields") {
            lists.push(("metafields", by(parts.rows("metafields"), |row| id_of(row, b"resource_id"))));
        }
        if parts.has("price_lists") {
            lists.push((PRICES, by(parts.rows("records"), of_product)));
        }
        let brands = by(parts.rows("brands"), |row| id_of(row, b"id"));
        Beside { categories, brands, assignments: parts.rows("assignments"), lists }
    }

    /// Writes a product with what belongs to it.
    fn compose(&self, product: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"product\":");
        out.extend_from_slice(product);
        // One that has none says so, or it would be asked for again.
        if member(product, b"variants").is_none_or(|variants| elements(variants, 0).is_none()) {
            out.extend_from_slice(b",\"variants\":[]");
        }
        let brand = id_of(product, b"brand_id").and_then(|id| self.brands.get(&id)?.first());
        if let Some(brand) = brand {
            out.extend_from_slice(b",\"brand\":");
            out.extend_from_slice(brand);
        }
        out.extend_from_slice(b",\"categories\":");
        out.extend_from_slice(&serde_json::to_vec(&self.categories_of(product)).unwrap_or_else(|_| b"[]".to_vec()));
        let id = id_of(product, b"id").unwrap_or_default();
        for (key, rows) in &self.lists {
            let rows = rows.get(&id).map(Vec::as_slice).unwrap_or_default();
            out.extend_from_slice(format!(",\"{key}\":").as_bytes());
            if *key == PRICES {
                let prices: Vec<Vec<u8>> =
                    rows.iter().flat_map(|row| self.assignments.iter().filter_map(|assignment| for_whom(row, assignment))).collect();
                list(&prices.iter().map(Vec::as_slice).collect::<Vec<_>>(), out);
            } else {
                list(rows, out);
            }
        }
        out.push(b'}');
    }

    /// The product's categories and all above them.
    fn categories_of(&self, product: &[u8]) -> Vec<&Named> {
        let mut wanted = categories_of(product);
        let mut own: BTreeMap<&str, &Named> = BTreeMap::new();
        while let Some(next) = wanted.pop() {
            let Some(category) = self.categories.get(&next) else { continue };
            if own.insert(&category.category_id, category).is_none() {
                wanted.push(category.parent_id.clone());
            }
        }
        own.into_values().collect()
    }
}

const PRICES: &str = "prices";

fn by<'r>(rows: Vec<&'r [u8]>, id: impl Fn(&[u8]) -> Option<String>) -> ById<'r> {
    let mut found = ById::new();
    for row in rows {
        if let Some(id) = id(row) {
            found.entry(id).or_default().push(row);
        }
    }
    found
}

/// A record of a price list with whom it is for; `None` where the assignment is another list's.
fn for_whom(record: &[u8], assignment: &[u8]) -> Option<Vec<u8>> {
    let own = id_of(record, b"price_list_id").filter(|own| id_of(assignment, b"price_list_id").as_ref() == Some(own));
    own?;
    let of = |name: &[u8]| id_of(assignment, name).unwrap_or_default();
    let (group, channel) = (of(b"customer_group_id"), of(b"channel_id"));
    let whom = serde_json::to_vec(&serde_json::json!({"customer_group_id": group, "channel_id": channel})).ok()?;
    let rest = record.strip_prefix(b"{")?;
    let separator: &[u8] = if rest.trim_ascii_start().starts_with(b"}") { b"" } else { b"," };
    Some([whom.strip_suffix(b"}")?, separator, rest].concat())
}
