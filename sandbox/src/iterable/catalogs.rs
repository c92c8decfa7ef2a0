//! Catalogs of items, for products.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::project::{Catalog, Item, Project};
use super::reply::{Refusal, success};
use super::schema::Type;
use super::{Answer, Call};
use crate::inspect::canonical;
use crate::vendor::Reply;

/// An item's JSON must be smaller than this. The vendor says "30 KB"; this is the smaller reading.
const MOST_ITEM: usize = 30_000;
const MOST_ITEMS: usize = 1_000;
const MOST_FIELDS: usize = 350;

/// Names of catalogs and ids of items.
fn is_name(name: &str) -> bool {
    (1..=255).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn accepted() -> Answer {
    Ok(success(202, "Request accepted", Value::Null))
}

fn enabled(call: &Call<'_>) -> Result<(), Refusal> {
    if call.options.catalogs_enabled { Ok(()) } else { Err(Refusal::new(403, "Forbidden", "Catalogs are not enabled for this project")) }
}

fn missing(name: &str) -> Refusal {
    Refusal::newer(404, "error.catalogs.notFound", format!("Catalog not found: {name}"), json!([name]))
}

fn find<'a>(call: &'a mut Call<'_>) -> Result<&'a mut Catalog, Refusal> {
    enabled(call)?;
    let name = call.args.first().map_or("", String::as_str);
    call.project.catalogs.get_mut(&name.to_lowercase()).ok_or_else(|| missing(name))
}

/// A page of something: the part shown and the links around it.
fn page<T>(call: &Call<'_>, all: Vec<T>, most: usize) -> Result<(Vec<T>, Map<String, Value>), Refusal> {
    let number = |name: &str, default: usize| match call.request.parameter(name) {
        None => Ok(default),
        Some(text) => text.parse().ok().filter(|n| *n > 0).ok_or_else(|| Refusal::bad_params(format!("{name} must be a number above 0"))),
    };
    let (page, size) = (number("page", 1)?, number("pageSize", 10)?.min(most));
    let total = all.len();
    let first = (page - 1).saturating_mul(size);
    let link = |page: usize| Value::from(format!("{}?page={page}&pageSize={size}", call.request.path));
    let mut links = Map::new();
    if first.saturating_add(size) < total {
        links.insert("nextPageUrl".into(), link(page + 1));
    }
    if page > 1 {
        links.insert("previousPageUrl".into(), link(page - 1));
    }
    Ok((all.into_iter().skip(first).take(size).collect(), links))
}

/// `GET /api/catalogs`
pub(super) fn all(call: &mut Call<'_>) -> Answer {
    enabled(call)?;
    let names: Vec<Value> = call.project.catalogs.values().map(|catalog| json!({"name": catalog.name})).collect();
    let total = names.len();
    let (names, mut body) = page(call, names, 100)?;
    body.insert("catalogNames".into(), names.into());
    body.insert("totalCatalogsCount".into(), total.into());
    Ok(Reply::json(200, &Value::Object(body)))
}

/// `POST /api/catalogs/{catalogName}`
pub(super) fn create(call: &mut Call<'_>) -> Answer {
    enabled(call)?;
    let name = call.args.first().cloned().unwrap_or_default();
    if !is_name(&name) {
        return Err(Refusal::bad_params("A catalog's name holds letters, digits and hyphens, at most 255 of them"));
    }
    if call.project.catalogs.contains_key(&name.to_lowercase()) {
        return Err(Refusal::bad_params("A catalog with that name exists"));
    }
    call.project.catalogs.insert(name.to_lowercase(), Catalog { name, mappings: BTreeMap::new(), items: BTreeMap::new() });
    Ok(success(201, "", Value::Null))
}

/// `DELETE /api/catalogs/{catalogName}`
pub(super) fn delete(call: &mut Call<'_>) -> Answer {
    let name = find(call)?.name.to_lowercase();
    call.project.catalogs.remove(&name);
    Ok(success(200, "", Value::Null))
}

/// `GET /api/catalogs/{catalogName}/fieldMappings`
pub(super) fn mappings(call: &mut Call<'_>) -> Answer {
    let catalog = find(call)?;
    let fields: BTreeSet<&String> = catalog.items.values().flat_map(|item| item.value.keys()).collect();
    let undefined: Vec<_> = fields.into_iter().filter(|name| !catalog.mappings.contains_key(*name)).collect();
    Ok(Reply::json(200, &json!({"definedMappings": catalog.mappings, "undefinedFields": undefined})))
}

/// `PUT /api/catalogs/{catalogName}/fieldMappings`: a type that is set stays.
pub(super) fn set_mappings(call: &mut Call<'_>) -> Answer {
    let updates = super::users::rows(&mut call.body, "mappingsUpdates");
    let catalog = find(call)?;
    let mut next = catalog.mappings.clone();
    for update in &updates {
        let text = |name: &str| update.get(name).and_then(Value::as_str).unwrap_or_default();
        let (name, kind) = (text("fieldName"), text("fieldType"));
        if Type::from_name(kind).is_none() {
            return Err(Refusal::bad_params(format!("Unknown field type: {kind}")));
        }
        if name.is_empty() || name.contains('.') {
            return Err(Refusal::bad_params("A field's name is not empty and holds no period"));
        }
        if next.insert(name.to_owned(), kind.to_owned()).is_some_and(|old| old != kind) {
            return Err(Refusal::bad_params(format!("The type of field {name} is set and can't be changed")));
        }
    }
    catalog.mappings = next;
    Ok(success(200, "", Value::Null))
}

fn shown(catalog: &Catalog, id: &str, item: &Item) -> Value {
    let modified = chrono::DateTime::from_timestamp_millis(item.modified_ms).map(|time| time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string());
    let size = size(&Value::Object(item.value.clone()));
    json!({"catalogName": catalog.name, "itemId": id, "lastModified": modified, "size": size, "value": item.value})
}

fn size(value: &Value) -> usize {
    let mut bytes = Vec::new();
    canonical(value, &mut bytes);
    bytes.len()
}

/// `GET /api/catalogs/{catalogName}/items`
pub(super) fn items(call: &mut Call<'_>) -> Answer {
    let sorted = call.request.parameter("sortAscending").is_some();
    let order_by = call.request.parameter("orderBy");
    let catalog = find(call)?;
    if sorted && !order_by.is_some_and(|field| catalog.mappings.contains_key(&field)) {
        return Err(Refusal::bad_params("sortAscending needs orderBy with a field that has a type"));
    }
    let all: Vec<Value> = catalog.items.iter().map(|(id, item)| shown(catalog, id, item)).collect();
    let total = all.len();
    let (shown, mut body) = page(call, all, 1_000)?;
    body.insert("catalogItemsWithProperties".into(), shown.into());
    body.insert("totalItemsCount".into(), total.into());
    Ok(Reply::json(200, &Value::Object(body)))
}

/// `POST /api/catalogs/{catalogName}/items`: one bad item refuses them all.
pub(super) fn upload(call: &mut Call<'_>) -> Answer {
    let patch = super::users::flag(&call.body, "replaceUploadedFieldsOnly");
    let documents = match call.body.get_mut("documents").map(Value::take) {
        Some(Value::Object(documents)) => documents,
        _ => Map::new(),
    };
    if documents.len() > MOST_ITEMS {
        return Err(Refusal::new(400, "BatchTooLarge", format!("The batch holds more than {MOST_ITEMS} items")));
    }
    write(call, documents, patch)
}

/// Checks and writes items; with `patch` the fields that are not sent stay.
fn write(call: &mut Call<'_>, documents: Map<String, Value>, patch: bool) -> Answer {
    let now_ms = call.now_ms;
    let half_failed = call.request.half_failed;
    let catalog = find(call)?;
    let mut fields: BTreeSet<String> = catalog.items.values().flat_map(|item| item.value.keys().cloned()).collect();
    let (mut next, mut mistyped) = (Vec::new(), false);
    for (id, value) in documents {
        let Value::Object(new) = value else { return Err(Refusal::bad_params("An item is not an object")) };
        if !is_name(&id) {
            return Err(Refusal::bad_params("An item's id holds letters, digits and hyphens, at most 255 of them"));
        }
        if new.keys().any(|name| name.contains('.')) {
            return Err(Refusal::bad_params("A field's name holds no period"));
        }
        mistyped |= new.iter().any(|(name, value)| is_mistyped(catalog, name, value));
        let old = catalog.items.get(&id).filter(|_| patch);
        let mut whole = old.map(|item| item.value.clone()).unwrap_or_default();
        whole.extend(new);
        if size(&Value::Object(whole.clone())) >= MOST_ITEM {
            return Err(Refusal::bad_params(format!("Item {id} is 30 KB or larger")));
        }
        fields.extend(whole.keys().cloned());
        next.push((id, whole));
    }
    if fields.len() > MOST_FIELDS {
        return Err(Refusal::new(400, "UniqueFieldsLimitExceeded", format!("A catalog has at most {MOST_FIELDS} fields")));
    }
    for (number, (id, value)) in next.into_iter().enumerate() {
        if !(half_failed && number % 2 == 1) {
            let writes = catalog.items.get(&id).map_or(0, |item| item.writes) + 1;
            catalog.items.insert(id, Item { value, modified_ms: now_ms, writes });
        }
    }
    note(call.project, mistyped);
    accepted()
}

fn note(project: &mut Project, mistyped: bool) {
    if mistyped {
        project.note("catalog_value_not_of_its_fields_type");
    }
}

/// Such a value is stored and can't be searched for.
fn is_mistyped(catalog: &Catalog, name: &str, value: &Value) -> bool {
    let wanted = catalog.mappings.get(name).and_then(|kind| Type::from_name(kind));
    let values = value.as_array().map_or_else(|| vec![value], |items| items.iter().collect());
    wanted.is_some_and(|wanted| values.into_iter().filter_map(|value| Type::of(name, value)).any(|kind| !wanted.takes(kind)))
}

/// `DELETE /api/catalogs/{catalogName}/items`
pub(super) fn delete_items(call: &mut Call<'_>) -> Answer {
    let ids = super::users::rows(&mut call.body, "itemIds");
    if ids.len() > MOST_ITEMS {
        return Err(Refusal::new(400, "BatchTooLarge", format!("The batch holds more than {MOST_ITEMS} items")));
    }
    let catalog = find(call)?;
    ids.iter().filter_map(Value::as_str).for_each(|id| drop(catalog.items.remove(id)));
    accepted()
}

fn item_id(call: &Call<'_>) -> String {
    call.args.get(1).cloned().unwrap_or_default()
}

/// `GET /api/catalogs/{catalogName}/items/{itemId}`
pub(super) fn item(call: &mut Call<'_>) -> Answer {
    let id = item_id(call);
    let catalog = find(call)?;
    let item = catalog.items.get(&id);
    let item = item.ok_or_else(|| Refusal::newer(404, "error.catalogItems.notFound", format!("Item not found: {id}"), json!([id])))?;
    Ok(Reply::json(200, &shown(catalog, &id, item)))
}

/// `DELETE /api/catalogs/{catalogName}/items/{itemId}`
pub(super) fn delete_item(call: &mut Call<'_>) -> Answer {
    let id = item_id(call);
    find(call)?.items.remove(&id);
    accepted()
}

/// `PATCH /api/catalogs/{catalogName}/items/{itemId}`: made, or merged at its top level.
pub(super) fn patch_item(call: &mut Call<'_>) -> Answer {
    let documents = Map::from_iter([(item_id(call), call.body["update"].take())]);
    write(call, documents, true)
}

/// `PUT /api/catalogs/{catalogName}/items/{itemId}`: made, or replaced.
pub(super) fn put_item(call: &mut Call<'_>) -> Answer {
    let documents = Map::from_iter([(item_id(call), call.body["value"].take())]);
    write(call, documents, false)
}
