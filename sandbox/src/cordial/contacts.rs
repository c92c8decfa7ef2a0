//! Contacts: finding, writing, permissions, leaving, merging, carts.

use serde_json::{Map, Value, json};

use super::account::{Channel, Contact, stamp};
use super::options::Unforced;
use super::{Answer, Call, Refusal, done};
use crate::vendor::Reply;

const OWN: &[&str] = &["channels", "suppressTriggers", "identifyBy", "forceSubscribe"];
const GEO: &[&str] = &["street_address", "street_address2", "city", "state", "postal_code", "country", "tz", "loc", "countryISO"];

/// How a write behaves.
#[derive(Clone, Copy)]
pub(super) struct Manner {
    pub(super) quiet: bool,
    pub(super) force: bool,
    /// Unknown attributes are dropped in silence instead of refused.
    pub(super) lenient: bool,
    pub(super) by: &'static str,
}

impl Call<'_> {
    pub(super) fn contact_post(&mut self) -> Answer {
        let body = self.body.clone();
        let keys: Vec<String> =
            body["identifyBy"].as_array().into_iter().flatten().filter_map(|key| Some(key.as_str()?.to_owned())).collect();
        let found = keys.iter().find_map(|key| self.account.find(self.options, key, lookup(&body, key)?));
        let found = found.or_else(|| self.account.find(self.options, "email", body["channels"]["email"]["address"].as_str()?));
        let index = self.write(found, &body, manner(&body, "api"))?;
        let cid = self.account.contact(index).map(|contact| contact.cid.clone()).unwrap_or_default();
        Ok(Reply::json(201, &json!({"success": true, "message": "contact created", "cID": cid})))
    }

    pub(super) fn contact_put(&mut self, key: &str) -> Answer {
        let body = self.body.clone();
        let found = self.account.by_path(self.options, key);
        let found = found.ok_or_else(|| Refusal::new(404, "CONTACTS_CONTACT_NOT_FOUND", "Contact doesn't exist"))?;
        self.write(Some(found), &body, manner(&body, "api"))?;
        Ok(done())
    }

    /// Writes a contact, new or known.
    pub(super) fn write(&mut self, found: Option<usize>, body: &Value, manner: Manner) -> Result<usize, Refusal> {
        let members = body.as_object().ok_or_else(|| Refusal::generic(422, "The body is no object"))?;
        if body.get("channels").is_some_and(|channels| !channels.is_object()) || (found.is_none() && body["channels"].is_null()) {
            return Err(Refusal::validation(422, "channels", "The channels field is required."));
        }
        let mut contact = found
            .and_then(|index| self.account.contacts.get(index).cloned().flatten())
            .unwrap_or_else(|| Contact { created_ms: self.now_ms, ..Contact::default() });
        for (name, value) in members.iter().filter(|(name, _)| !OWN.contains(&name.as_str())) {
            self.attribute(&mut contact, name, value, manner)?;
        }
        let channels = body["channels"].as_object().cloned().unwrap_or_default();
        for (key, given) in &channels {
            self.channel(&mut contact, key, given, manner)?;
        }
        if contact.email().is_none() {
            return Err(Refusal::validation(422, "channels.email.address", "Address not exists"));
        }
        self.unique(&contact, found)?;
        if contact.cid.is_empty() {
            contact.cid = self.account.new_id();
            if !manner.quiet {
                contact.fire("contact_created");
            }
        }
        Ok(match found {
            Some(index) => {
                self.account.contacts[index] = Some(contact);
                index
            }
            None => {
                self.account.contacts.push(Some(contact));
                self.account.contacts.len() - 1
            }
        })
    }

    fn attribute(&mut self, contact: &mut Contact, name: &str, value: &Value, manner: Manner) -> Result<(), Refusal> {
        if self.account.lists.iter().any(|list| list == name) {
            match value {
                Value::Bool(true) => drop(contact.lists.insert(name.to_owned())),
                Value::Bool(false) => drop(contact.lists.remove(name)),
                _ => return Err(Refusal::validation(422, name, "A list takes true or false")),
            }
            return Ok(());
        }
        let (key, part) = name.split_once('.').map_or((name, None), |(key, part)| (key, Some(part)));
        let Some(known) = self.account.attribute(key).cloned() else {
            if manner.lenient {
                self.account.drop_note(format!("attribute {name}"));
                return Ok(());
            }
            let message = format!("key {name} is not part of the schema for this resource");
            return Err(Refusal::validation(422, name, &message));
        };
        let fits = match (known.kind.as_str(), part, value) {
            (_, None, Value::Null) => true,
            ("geo", Some(part), Value::String(_)) => GEO.contains(&part),
            ("string", None, Value::String(text)) => text.chars().count() <= known.max.unwrap_or(128),
            ("number", None, Value::Number(_)) => true,
            ("number", None, Value::String(text)) => text.parse::<f64>().is_ok(),
            ("date", None, Value::String(text)) => text.len() == 10 || text.ends_with("+0000"),
            ("array", None, Value::Array(items)) => items.len() <= known.max.unwrap_or(25),
            _ => false,
        };
        if !fits {
            return Err(Refusal::validation(422, name, &format!("The value of {key} is not valid")));
        }
        if contact.attributes.get(name) != Some(value) {
            contact.attributes.insert(name.to_owned(), value.clone());
            if !manner.quiet {
                contact.fire(format!("attribute:{key}"));
            }
        }
        Ok(())
    }

    fn channel(&mut self, contact: &mut Contact, key: &str, given: &Value, manner: Manner) -> Result<(), Refusal> {
        if !self.options.channels.iter().any(|own| own == key) {
            return Err(Refusal::validation(422, key, "Channel doesn't exist"));
        }
        let address = given["address"].as_str().filter(|address| !address.is_empty());
        let address = address.ok_or_else(|| Refusal::validation(422, key, "Address not exists"))?;
        if key == "email" && (!address.contains('@') || address.rsplit('.').next().is_some_and(|domain| domain == "shopp")) {
            return Err(Refusal::validation(422, key, "The email address is not valid"));
        }
        let known = contact.channels.entry(key.to_owned());
        let channel =
            known.or_insert_with(|| Channel { address: String::new(), status: "none".into(), subscribed_ms: None, unsubscribed_ms: None });
        address.clone_into(&mut channel.address);
        let Some(wanted) = given["subscribeStatus"].as_str() else { return Ok(()) };
        if !["none", "subscribed", "unsubscribed"].contains(&wanted) {
            return Err(Refusal::validation(422, key, "The subscribe status is not valid"));
        }
        if wanted == channel.status {
            return Ok(());
        }
        if channel.status == "unsubscribed" && wanted == "subscribed" && !manner.force {
            return match self.options.unforced {
                Unforced::Ignore => Ok(()),
                Unforced::Refuse => Err(Refusal::validation(422, key, "The contact unsubscribed")),
            };
        }
        let mut status = wanted;
        if key.starts_with("sms") && wanted == "subscribed" {
            if given["suppressDOI"].as_bool() != Some(true) {
                status = "pendingDOI";
                contact.asked += 1;
            } else if !self.options.doi_suppressible {
                return Err(Refusal::validation(422, key, "suppressDOI is not enabled"));
            }
        }
        status.clone_into(&mut channel.status);
        match status {
            "subscribed" => channel.subscribed_ms = Some(self.now_ms),
            "unsubscribed" => channel.unsubscribed_ms = Some(self.now_ms),
            _ => {}
        }
        contact.permission_by.insert(key.to_owned(), manner.by);
        contact.fire(format!("subscribe_status:{key}"));
        Ok(())
    }

    fn unique(&self, contact: &Contact, own: Option<usize>) -> Result<(), Refusal> {
        let addresses = contact.channels.iter().map(|(key, channel)| (format!("channels.{key}.address"), channel.address.clone()));
        let ids = self.options.unique.iter().filter_map(|key| Some((key.clone(), contact.attributes.get(key)?.as_str()?.to_owned())));
        for (key, value) in addresses.chain(ids) {
            if self.account.find(self.options, &key, &value).is_some_and(|other| Some(other) != own) {
                return Err(Refusal::validation(422, &key, "The value must be unique"));
            }
        }
        Ok(())
    }

    pub(super) fn contact_get(&mut self, key: &str) -> Answer {
        let found = self.account.by_path(self.options, key).and_then(|index| self.account.contacts[index].as_ref());
        found.map(|contact| Reply::json(200, &shown(contact))).ok_or_else(Refusal::not_found)
    }

    pub(super) fn contact_delete(&mut self, key: &str) -> Answer {
        let index = self.account.by_path(self.options, key).ok_or_else(Refusal::not_found)?;
        self.account.contacts[index] = None;
        Ok(done())
    }

    pub(super) fn contact_unsubscribe(&mut self, key: &str, channel: &str) -> Answer {
        let index = self.account.by_path(self.options, key).ok_or_else(Refusal::not_found)?;
        let now_ms = self.now_ms;
        let contact = self.account.contact(index).ok_or_else(Refusal::not_found)?;
        let own = contact.channels.get_mut(channel).ok_or_else(|| Refusal::generic(422, "Channel doesn't exist"))?;
        if own.status != "unsubscribed" {
            "unsubscribed".clone_into(&mut own.status);
            own.unsubscribed_ms = Some(now_ms);
            contact.permission_by.insert(channel.to_owned(), "unsubscribe");
            contact.fire(format!("subscribe_status:{channel}"));
        }
        Ok(done())
    }

    pub(super) fn contact_merge(&mut self) -> Answer {
        if !self.options.merging {
            return Err(Refusal::generic(403, "The feature is not enabled"));
        }
        let options = ["email_channels", "sms_channels", "push_channels", "orders", "events", "supplements", "cart", "attributes", "lists"];
        if let Some(missing) = options.iter().find(|name| self.body["options"][**name].as_str().is_none()) {
            return Err(Refusal::generic(422, &format!("The options.{missing} field is required.")));
        }
        let find = |name: &str| self.account.by_path(self.options, self.body[name].as_str().unwrap_or_default());
        let (Some(source), Some(destination)) = (find("sourceContact"), find("destinationContact")) else {
            return Err(Refusal::generic(422, "Contact doesn't exist"));
        };
        if source != destination
            && let (Some(gone), Some(stays)) = (self.account.contacts[source].take(), self.account.contact(destination))
        {
            let cid = stays.cid.clone();
            stays.cart = stays.cart.take().or(gone.cart);
            for event in self.account.events.iter_mut().filter(|event| event.cid == gone.cid) {
                event.cid.clone_from(&cid);
            }
            for order in self.account.orders.values_mut().filter(|order| order["cID"] == gone.cid.as_str()) {
                order["cID"] = cid.as_str().into();
            }
        }
        let id = self.account.begin(self.options, "MergeContacts", [0, 1, 0, 1], false);
        Ok(Reply::json(201, &json!({"jobID": id, "message": "Merge has been started"})))
    }

    pub(super) fn cart_set(&mut self, key: &str) -> Answer {
        let index = self.account.by_path(self.options, key).ok_or_else(Refusal::nobody)?;
        let items =
            self.body["cartitems"].as_array().ok_or_else(|| Refusal::validation(422, "cartitems", "The cartitems field is required."))?;
        items.iter().try_for_each(item)?;
        let cart = self.body.clone();
        if let Some(contact) = self.account.contact(index) {
            contact.cart = Some(cart);
        }
        Ok(done())
    }

    pub(super) fn cart_clear(&mut self, key: &str) -> Answer {
        let index = self.account.by_path(self.options, key).ok_or_else(Refusal::not_found)?;
        if let Some(contact) = self.account.contact(index) {
            contact.cart = None;
        }
        Ok(done())
    }
}

/// The value of a key among the members of a contact's body.
fn lookup<'a>(body: &'a Value, key: &str) -> Option<&'a str> {
    if key == "email" {
        return body["channels"]["email"]["address"].as_str();
    }
    match key.strip_prefix("channels.").and_then(|rest| rest.strip_suffix(".address")) {
        Some(channel) => body["channels"][channel]["address"].as_str(),
        None => body[key].as_str(),
    }
}

/// Contacts are quiet unless told otherwise.
fn manner(body: &Value, by: &'static str) -> Manner {
    Manner {
        quiet: body["suppressTriggers"].as_bool() != Some(false),
        force: body["forceSubscribe"].as_bool() == Some(true),
        lenient: false,
        by,
    }
}

/// What an item of an order or cart must have.
pub(super) fn item(item: &Value) -> Result<(), Refusal> {
    for name in ["productID", "sku", "category", "name"] {
        if item[name].as_str().is_none_or(str::is_empty) {
            return Err(Refusal::validation(422, name, &format!("The {name} field is required.")));
        }
    }
    if !item["qty"].is_null() && !item["qty"].is_i64() {
        return Err(Refusal::validation(422, "qty", "qty must be a number"));
    }
    Ok(())
}

pub(super) fn shown(contact: &Contact) -> Value {
    // An address is written part by part and shown as one object.
    let mut attributes = Map::new();
    for (name, value) in &contact.attributes {
        match name.split_once('.') {
            Some((outer, inner)) => attributes.entry(outer).or_insert_with(|| json!({}))[inner] = value.clone(),
            None => drop(attributes.insert(name.clone(), value.clone())),
        }
    }
    attributes.insert("cID".into(), contact.cid.as_str().into());
    attributes.insert("createdAt".into(), stamp(contact.created_ms).into());
    let channel = |(key, own): (&String, &Channel)| {
        let mut shown = Map::from_iter([
            ("address".to_owned(), Value::from(own.address.as_str())),
            ("subscribeStatus".to_owned(), own.status.as_str().into()),
        ]);
        for (name, at) in [("subscribedAt", own.subscribed_ms), ("unsubscribedAt", own.unsubscribed_ms)] {
            if let Some(at) = at {
                shown.insert(name.into(), stamp(at).into());
            }
        }
        (key.clone(), Value::Object(shown))
    };
    json!({"_id": contact.cid, "attributes": attributes, "channels": contact.channels.iter().map(channel).collect::<Map<_, _>>(),
        "lists": contact.lists})
}

/// Whether a contact's channel may be mailed.
pub(super) fn is_subscribed(contact: &Contact, channel: &str) -> bool {
    contact.channels.get(channel).is_some_and(|own| own.status == "subscribed")
}
