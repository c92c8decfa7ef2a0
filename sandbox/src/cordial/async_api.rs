//! The Asynchronous API: answered at once, refused in silence.

use serde_json::{Map, Value, json};

use super::contacts::Manner;
use super::{Answer, Call};
use crate::vendor::Reply;

impl Call<'_> {
    pub(super) fn async_contact(&mut self) -> Answer {
        let mut body = self.body["attributes"].as_object().cloned().unwrap_or_default();
        let mut channels = Map::new();
        for (key, value) in self.body["identifiers"].as_object().cloned().unwrap_or_default() {
            let channel =
                if key == "email" { Some("email") } else { key.strip_prefix("channels.").and_then(|rest| rest.strip_suffix(".address")) };
            match channel {
                Some(channel) => drop(channels.insert(channel.to_owned(), json!({"address": value}))),
                None => drop(body.insert(key, value)),
            }
        }
        body.insert("channels".into(), Value::Object(channels));
        let body = Value::Object(body);
        let found = self.identified(&self.body);
        let force = self.body["forceSubscribe"].as_bool() == Some(true);
        if self.write(found, &body, Manner { quiet: false, force, lenient: true, by: "api" }).is_err() {
            self.account.drop_note("async contact");
        }
        Ok(taken())
    }

    pub(super) fn async_event(&mut self) -> Answer {
        let found = self.identified(&self.body["contact"]).and_then(|index| self.account.contacts[index].as_ref());
        let mut event = self.body["contactActivity"].clone();
        match found.map(|contact| contact.cid.clone()) {
            Some(cid) if event.is_object() => {
                event["cID"] = cid.into();
                if self.event(&event).is_err() {
                    self.account.drop_note("async event");
                }
            }
            _ => self.account.drop_note("async event"),
        }
        Ok(taken())
    }

    fn identified(&self, body: &Value) -> Option<usize> {
        let priority = body["identifiersPriority"].as_array()?;
        priority.iter().filter_map(Value::as_str).find_map(|key| self.account.find(self.options, key, body["identifiers"][key].as_str()?))
    }
}

fn taken() -> Reply {
    Reply::json(202, &json!({"success": "success"}))
}
