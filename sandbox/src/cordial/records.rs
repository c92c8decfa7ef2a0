//! Orders, products, events, supplement records.

use serde_json::{Value, json};

use super::account::Event;
use super::contacts::item;
use super::{Answer, Call, Refusal, done};
use crate::vendor::Reply;

const RESERVED_EVENTS: &[&str] = &["message-sent", "open", "click", "optout", "bounce", "complaint", "pageview", "message-stopped"];

impl Call<'_> {
    pub(super) fn event_post(&mut self) -> Answer {
        let body = self.body.clone();
        self.event(&body)?;
        Ok(Reply::json(201, &json!({"success": true})))
    }

    pub(super) fn event(&mut self, body: &Value) -> Result<(), Refusal> {
        let name = body["a"].as_str().filter(|name| !name.is_empty() && name.chars().count() <= 40);
        let name = name.ok_or_else(|| Refusal::validation(422, "a", "The a field is required."))?.to_owned();
        if RESERVED_EVENTS.contains(&name.as_str()) {
            return Err(Refusal::validation(422, "a", "The action is reserved."));
        }
        let index = self.account.by_body(self.options, body).ok_or_else(Refusal::nobody)?;
        let mut body = body.clone();
        let dropped: Vec<String> = body["properties"]
            .as_object()
            .into_iter()
            .flat_map(|properties| properties.keys())
            .filter(|name| name.contains('.') || name.bytes().all(|byte| byte.is_ascii_digit()))
            .cloned()
            .collect();
        for name in dropped {
            if let Some(properties) = body["properties"].as_object_mut() {
                properties.remove(&name);
            }
            self.account.drop_note(format!("property {name}"));
        }
        let Some(contact) = self.account.contact(index) else { return Err(Refusal::nobody()) };
        contact.fire(format!("event:{name}"));
        let cid = contact.cid.clone();
        self.account.events.push(Event { cid, body });
        Ok(())
    }

    /// Events of one person, as they are listed: without the id they were sent with.
    pub(super) fn events_get(&mut self) -> Answer {
        let filter = |name: &str| self.request.parameter(name);
        let contact = filter("email").and_then(|email| self.account.find(self.options, "email", &email));
        let cid = contact.and_then(|index| self.account.contacts[index].as_ref()).map(|contact| contact.cid.clone());
        if filter("email").is_some() && cid.is_none() {
            return Err(Refusal::not_found());
        }
        let at = |text: &str| chrono::DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%z").ok();
        let most = filter("per_page").and_then(|most| most.parse().ok()).unwrap_or(25);
        let (after, before) = (filter("time[gte]").as_deref().and_then(at), filter("time[lte]").as_deref().and_then(at));
        let wanted = |event: &&Event| {
            let time = event.body["ats"].as_str().and_then(at);
            cid.as_ref().is_none_or(|cid| *cid == event.cid)
                && filter("action").is_none_or(|action| event.body["a"] == action.as_str())
                && after.is_none_or(|after| time.is_some_and(|time| time >= after))
                && before.is_none_or(|before| time.is_some_and(|time| time <= before))
        };
        let shown = |event: &Event| json!({"action": event.body["a"], "cID": event.cid, "time": event.body["ats"], "properties": event.body["properties"]});
        Ok(Reply::json(200, &self.account.events.iter().filter(wanted).take(most).map(shown).collect()))
    }

    pub(super) fn order_post(&mut self) -> Answer {
        let body = self.body.clone();
        if body["orderID"].as_str().is_some_and(|id| self.account.orders.contains_key(id)) {
            return Err(Refusal::generic(422, "ID must be unique"));
        }
        self.order(&body, body["suppressTriggers"].as_bool() == Some(true))?;
        Ok(done())
    }

    /// Writes an order under its id, new or known.
    pub(super) fn order(&mut self, body: &Value, quiet: bool) -> Result<bool, Refusal> {
        let id = body["orderID"].as_str().filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| Refusal::validation(422, "orderID", "The order id field is required."))?.to_owned();
        let index = self.account.by_body(self.options, body).ok_or_else(Refusal::nobody)?;
        if !body["purchaseDate"].as_str().is_some_and(|date| date.ends_with("+0000")) {
            return Err(Refusal::validation(422, "purchaseDate", "Time value is incorrect"));
        }
        self.items(body)?;
        let known = self.account.orders.contains_key(&id);
        let Some(contact) = self.account.contact(index) else { return Err(Refusal::nobody()) };
        if !quiet {
            contact.fire(if known { "order_update" } else { "order" });
        }
        let mut order = body.clone();
        order["cID"] = contact.cid.as_str().into();
        computed(&mut order);
        self.catalogue(&order);
        if known {
            *self.account.order_updates.entry(id.clone()).or_default() += 1;
        }
        self.account.orders.insert(id, order);
        Ok(known)
    }

    fn items(&self, body: &Value) -> Result<(), Refusal> {
        body["items"].as_array().into_iter().flatten().try_for_each(item)
    }

    /// Every order writes the products of its items, with the defaults of what is left out.
    fn catalogue(&mut self, order: &Value) {
        for item in order["items"].as_array().into_iter().flatten() {
            let Some(id) = item["productID"].as_str() else { continue };
            let product = self.account.products.entry(id.to_owned()).or_insert_with(|| json!({"productID": id}));
            product["productName"] = item["name"].clone();
            for flag in ["enabled", "inStock"] {
                product[flag] = item[flag].as_bool().unwrap_or(false).into();
            }
        }
    }

    pub(super) fn order_put(&mut self, id: &str) -> Answer {
        let Some(mut order) = self.account.orders.get(id).cloned() else { return Err(Refusal::generic(422, "record not found")) };
        self.items(&self.body)?;
        for (name, value) in self.body.as_object().cloned().unwrap_or_default() {
            match name.as_str() {
                "status" | "orderID" => self.account.drop_note(format!("order {name}")),
                "cID" => {}
                _ => order[&name] = value,
            }
        }
        computed(&mut order);
        self.catalogue(&order);
        let quiet = self.body["suppressTriggers"].as_bool() == Some(true);
        let owner = order["cID"].as_str().and_then(|cid| self.account.find(self.options, "cID", cid));
        if let Some(contact) = owner.filter(|_| !quiet).and_then(|index| self.account.contact(index)) {
            contact.fire("order_update");
        }
        *self.account.order_updates.entry(id.to_owned()).or_default() += 1;
        self.account.orders.insert(id.to_owned(), order);
        Ok(done())
    }

    pub(super) fn order_get(&mut self, id: &str) -> Answer {
        self.account.orders.get(id).map(|order| Reply::json(200, order)).ok_or_else(Refusal::not_found)
    }

    pub(super) fn product_post(&mut self) -> Answer {
        let body = self.body.clone();
        self.product(&body)?;
        Ok(Reply::json(201, &json!({"success": true, "message": "product created"})))
    }

    pub(super) fn product(&mut self, body: &Value) -> Result<bool, Refusal> {
        for name in ["productID", "productName"] {
            if body[name].as_str().is_none_or(str::is_empty) {
                return Err(Refusal::validation(422, name, &format!("The {name} field is required.")));
            }
        }
        for variant in body["variants"].as_array().into_iter().flatten() {
            if variant["sku"].as_str().is_none_or(str::is_empty) {
                return Err(Refusal::validation(422, "sku", "The sku field is required."));
            }
            if !variant["qty"].is_null() && !variant["qty"].is_i64() {
                return Err(Refusal::validation(422, "qty", "qty must be a number"));
            }
        }
        let mut product = body.clone();
        for flag in ["enabled", "inStock", "taxable"] {
            product[flag] = body[flag].as_bool().unwrap_or(false).into();
        }
        Ok(self.account.products.insert(body["productID"].as_str().unwrap_or_default().to_owned(), product).is_some())
    }

    pub(super) fn product_get(&mut self, id: &str) -> Answer {
        self.account.products.get(id).map(|product| Reply::json(200, product)).ok_or_else(Refusal::not_found)
    }

    pub(super) fn product_delete(&mut self, id: &str) -> Answer {
        self.account.products.remove(id).map(|_| done()).ok_or_else(|| Refusal::generic(400, "Product not found"))
    }

    pub(super) fn record_post(&mut self, key: &str) -> Answer {
        let body = self.body.clone();
        self.record(key, &body, body["suppressTriggers"].as_bool() == Some(true))?;
        Ok(Reply::json(201, &json!({"success": true, "message": "record created"})))
    }

    pub(super) fn record(&mut self, key: &str, body: &Value, quiet: bool) -> Result<bool, Refusal> {
        let supplement = self.options.supplement(key).ok_or_else(Refusal::not_found)?;
        let id = body["id"].as_str().filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| Refusal::validation(422, "id", "The id field is required."))?.to_owned();
        if id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Refusal::validation(422, "id", "The id cannot be a 24-character hex string"));
        }
        if let Some(field) = supplement.indexes.iter().find(|field| body[field.as_str()].is_null() || body[field.as_str()] == "") {
            return Err(Refusal::validation(422, field, &format!("The {field} field is required.")));
        }
        let owner = self.account.by_body(self.options, body);
        if supplement.contact_object && owner.is_none() {
            return Err(Refusal::nobody());
        }
        if let Some(contact) = owner.filter(|_| !quiet).and_then(|index| self.account.contact(index)) {
            contact.fire(format!("supplement:{key}"));
        }
        Ok(self.account.records.entry(key.to_owned()).or_default().insert(id, body.clone()).is_some())
    }

    pub(super) fn record_get(&mut self, key: &str, id: &str) -> Answer {
        let found = self.account.records.get(key).and_then(|records| records.get(id));
        found.map(|record| Reply::json(200, &json!({"id": id, "attributes": record}))).ok_or_else(Refusal::not_found)
    }

    pub(super) fn record_delete(&mut self, key: &str, id: &str) -> Answer {
        let removed = self.account.records.get_mut(key).and_then(|records| records.remove(id));
        removed.map(|_| done()).ok_or_else(Refusal::not_found)
    }
}

/// What Cordial computes: each item's amount, their sum, the discount.
fn computed(order: &mut Value) {
    let mut total = 0.0;
    for item in order["items"].as_array_mut().into_iter().flatten() {
        let amount = item["qty"].as_f64().unwrap_or(1.0) * item["itemPrice"].as_f64().unwrap_or(0.0);
        item["amount"] = amount.into();
        total += amount;
    }
    order["totalAmount"] = total.into();
    if order["discountApplication"].is_object() {
        order["totalDiscountAmount"] = order["discountApplication"]["amount"].clone();
    }
}
