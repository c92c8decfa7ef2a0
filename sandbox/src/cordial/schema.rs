//! Attributes and lists of the account: shown, and made.

use serde_json::{Value, json};

use super::options::Attribute;
use super::{Answer, Call, Refusal, done};
use crate::vendor::Reply;

const TYPES: &[&str] = &["string", "number", "date", "geo", "array"];

impl Call<'_> {
    pub(super) fn attributes_get(&mut self) -> Answer {
        let shown = |own: &Attribute| json!({"key": own.key, "name": own.key, "type": own.kind, "index": own.index});
        Ok(Reply::json(200, &self.account.attributes.iter().map(shown).collect()))
    }

    /// Keys are unique, also among the names of lists.
    pub(super) fn attribute_post(&mut self) -> Answer {
        let text = |name: &str| self.body[name].as_str().filter(|text| !text.is_empty());
        for name in ["key", "name", "type"] {
            if text(name).is_none() {
                return Err(Refusal::generic(422, &format!("The {name} field is required.")));
            }
        }
        let (key, kind) = (text("key").unwrap_or_default().to_owned(), text("type").unwrap_or_default().to_owned());
        if !TYPES.contains(&kind.as_str()) {
            return Err(Refusal::generic(422, "The selected type is invalid."));
        }
        if self.account.attribute(&key).is_some() || self.account.lists.contains(&key) {
            return Err(Refusal::generic(422, "The key has already been taken."));
        }
        let max = self.body["validators"]["max"].as_u64().or_else(|| self.body["options"]["maxitems"].as_u64());
        let index = kind == "geo" || self.body["index"].as_bool() == Some(true);
        self.account.attributes.push(Attribute { key, kind, max: max.and_then(|max| usize::try_from(max).ok()), index });
        Ok(done())
    }

    pub(super) fn lists_get(&mut self) -> Answer {
        let shown = |(at, name): (usize, &String)| json!({"id": at + 1, "name": name, "enhanced": false});
        Ok(Reply::json(200, &self.account.lists.iter().enumerate().map(shown).collect()))
    }

    pub(super) fn list_post(&mut self) -> Answer {
        let name = self.body["name"].as_str().filter(|name| !name.is_empty() && name.chars().count() <= 128 && *name != "cid");
        let name = name.ok_or_else(|| Refusal::generic(422, "The name field is required."))?.to_owned();
        if self.account.lists.contains(&name) || self.account.attribute(&name).is_some() {
            return Err(Refusal::generic(422, "The name has already been taken."));
        }
        self.account.lists.push(name);
        let id: Value = self.account.lists.len().into();
        Ok(Reply::json(200, &json!({"success": true, "id": id})))
    }
}
