//! Carts, which are snapshots, and purchases, which clear them.

use serde_json::{Map, Value, json};

use super::options::Trigger;
use super::project::Entry;
use super::reply::{Refusal, success};
use super::schema::Overlay;
use super::{Answer, Call, events, users};

/// The longest event or purchase id, in bytes.
pub(super) const MOST_ID: usize = 512;

/// The namespace that purchase fields are typed in; an event of that name would share it.
const PURCHASE: &str = "purchase";

/// `POST /api/commerce/updateCart`: replaces the cart and logs a custom event.
pub(super) fn update_cart(call: &mut Call<'_>) -> Answer {
    let user = call.body["user"].take();
    let items = call.body["items"].take();
    let plan = users::plan(call, &user)?;
    check_types(call, "updateCart", &Map::new(), &items)?;
    let index = users::apply(call, plan);
    if let (Some(profile), Value::Array(items)) = (call.project.profile_mut(index), &items) {
        profile.cart.clone_from(items);
    }
    let content = json!({"dataFields": {"updatedShoppingCartItems": items}});
    let entry = Entry { name: "updateCart".into(), id: None, created_at: None, content };
    call.project.log_event(index, entry, call.now_ms, call.options.retain_events);
    call.project.fire(call.options, index, &Trigger::Cart, None, call.now_ms);
    call.project.fire(call.options, index, &Trigger::Event("updateCart".into()), None, call.now_ms);
    Ok(success(200, "", Value::Null))
}

/// `POST /api/commerce/trackPurchase`: logs a purchase, or updates the one with the same id; clears the cart either way.
pub(super) fn track_purchase(call: &mut Call<'_>) -> Answer {
    let user = call.body["user"].take();
    let id = call.body.get("id").and_then(Value::as_str).map(str::to_owned);
    if id.as_deref().is_some_and(|id| id.is_empty() || id.len() > MOST_ID) {
        return Err(Refusal::bad_params("id must be between 1 and 512 bytes long"));
    }
    let created_at = call.body.get("createdAt").and_then(Value::as_i64);
    let plan = users::plan(call, &user)?;
    let fields = call.body.get("dataFields").and_then(Value::as_object).cloned().unwrap_or_default();
    let items = call.body["items"].take();
    check_types(call, PURCHASE, &fields, &items)?;
    let total = call.body["total"].take();
    if total.as_f64().is_some_and(|total| total < 0.0) {
        call.project.note("negative_total");
    }
    events::note_time(call.project, created_at, call.now_ms);
    if id.is_none() {
        call.project.note("purchase_without_id");
    }
    let index = users::apply(call, plan);
    if let Some(profile) = call.project.profile_mut(index) {
        let cleared = !profile.cart.is_empty();
        profile.cart.clear();
        call.project.carts_cleared += u64::from(cleared);
    }
    let mut content = Map::new();
    content.insert("shoppingCartItems".into(), items);
    content.insert("total".into(), total);
    for name in ["createdAt", "dataFields", "campaignId", "templateId"] {
        if let Some(value) = call.body.get_mut(name).map(Value::take).filter(|value| !value.is_null()) {
            content.insert(name.into(), value);
        }
    }
    let reply_id = id.clone().unwrap_or_else(|| format!("sandbox-{}", call.project.purchases.rows.len() + 1));
    let entry = Entry { name: PURCHASE.into(), id, created_at, content: Value::Object(content) };
    call.project.log_purchase(index, entry, call.now_ms, call.options.retain_purchases);
    call.project.fire(call.options, index, &Trigger::Purchase, created_at, call.now_ms);
    Ok(success(200, "", json!({"id": reply_id})))
}

/// Types are fixed for the fields of the event and, under `shoppingCartItems`, for those of its items. No switch stops new ones.
fn check_types(call: &mut Call<'_>, name: &str, fields: &Map<String, Value>, items: &Value) -> Result<(), Refusal> {
    let of_items: Vec<&Value> = items.as_array().into_iter().flatten().filter_map(|item| item.get("dataFields")).collect();
    if fields.is_empty() && of_items.is_empty() {
        return Ok(());
    }
    let mut overlay = Overlay::event(call.project.event_schemas.get(name), call.options.max_event_fields, name);
    overlay.admit(fields, true);
    for item in of_items.into_iter().filter_map(Value::as_object) {
        overlay.admit_under("shoppingCartItems", item);
    }
    let changes = overlay.finish()?;
    if !changes.added.is_empty() {
        call.project.event_schemas.entry(name.to_owned()).or_default().apply(changes.added);
    }
    Ok(())
}
