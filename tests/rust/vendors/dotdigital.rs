//! Dotdigital, contacts v3.

use cartwire::destinations::{Operation, Reply, Request};
use cartwire_sandbox::Sandbox;
use serde_json::{Value, json};

use super::{Act, Answer, Person, Standing, Vendor, call, changed, inspect, json_reply};

const USER: &str = "apiuser-77aa01@apiconnector.com";
const PASSWORD: &str = "dotdigital-pass-5521";
/// The two, as Basic authentication wants them.
const BASIC: &str = "Basic YXBpdXNlci03N2FhMDFAYXBpY29ubmVjdG9yLmNvbTpkb3RkaWdpdGFsLXBhc3MtNTUyMQ==";

pub fn entries() -> Vec<Box<dyn Vendor>> {
    vec![Box::new(Dotdigital)]
}

struct Dotdigital;

impl Vendor for Dotdigital {
    fn destination(&self) -> &'static str {
        "dotdigital"
    }

    fn about(&self) -> &'static str {
        "The defaults, in an account whose own default for a new number is `subscribed`. Somebody who left is asked by mail before \
         they come back, so a newer yes ends `off` until they answer."
    }

    fn config(&self, url: &str) -> Value {
        json!({"type": "dotdigital", "user": USER, "password": PASSWORD, "base_url": url, "group_lists": {"vip": 40211},
            "programs": {"cart_abandoned": 3120}})
    }

    fn more_configs(&self, url: &str) -> Vec<Value> {
        let bulk = json!({"backfill_contacts": "import", "delete_write": "bulk", "contact_deleted": "delete", "insight_write": "bulk",
            "backfill_events": "send"});
        let events = json!({"events": "api", "insight_write": "single"});
        vec![changed(self.config(url), bulk), changed(self.config(url), events)]
    }

    fn secrets(&self) -> &'static [&'static str] {
        &[USER, PASSWORD, "YXBpdXNlci03N2FhMDFAYXBpY29ubmVjdG9yLmNvbTpkb3RkaWdpdGFsLXBhc3MtNTUyMQ=="]
    }

    fn sandbox(&self) -> Value {
        json!({"user": USER, "password": PASSWORD, "lists": [40211], "programs": [{"id": 3120}], "sms_default": "subscribed"})
    }

    fn channels(&self) -> &'static [&'static str] {
        &["email", "sms"]
    }

    fn act<'a>(&'a self, url: &'a str, person: &'a Person, channel: &'a str, join: bool) -> Act<'a> {
        let status = if join { "subscribed" } else { "unsubscribed" };
        let mut identifiers = json!({"email": person.email});
        if channel == "sms" {
            identifiers["mobileNumber"] = json!(person.phone.trim_start_matches('+'));
        }
        let body = json!({"identifiers": identifiers, "channelProperties": {channel: {"status": status}}});
        let address = person.email.replace('@', "%40");
        let path = format!("{url}/contacts/v3/email/{address}?merge-option=overwrite");
        Box::pin(async move {
            call("PATCH", path, &[("authorization", BASIC)], Some(body)).await;
            if channel == "email" && !join {
                let who = json!({"email": person.email});
                call("POST", format!("{url}/v2/contacts/unsubscribe"), &[("authorization", BASIC)], Some(who)).await;
            }
        })
    }

    fn standing(&self, sandbox: &Sandbox, person: &Person, channel: &str) -> Standing {
        let profile = inspect(sandbox, &json!({"vendor": "dotdigital", "what": "profile", "email": person.email}));
        match (profile.is_null(), profile["status"][channel].as_str()) {
            (true, _) => Standing::Absent,
            (false, Some("subscribed")) => Standing::On,
            _ => Standing::Off,
        }
    }

    fn says(&self, request: &Request) -> Option<String> {
        let body: Value = serde_json::from_slice(request.body.as_deref()?).ok()?;
        let channels = body.get("channelProperties")?.as_object()?;
        // `noSubscription` only keeps the account's own default away.
        let stated = channels.iter().filter_map(|(name, channel)| Some((name, channel["status"].as_str()?)));
        let said: Vec<String> =
            stated.filter(|(_, status)| *status != "noSubscription").map(|(name, status)| format!("{name} {status}")).collect();
        (!said.is_empty()).then(|| said.join(", "))
    }

    fn answer(&self, _operations: &[&Operation], answer: Answer) -> Option<Reply> {
        match answer {
            Answer::Taken => Some(json_reply(200, &json!({"contactId": 1}))),
            Answer::Refused => Some(json_reply(400, &json!({"errorCode": "contacts:badRequest", "description": "refused"}))),
            Answer::Throttled => Some(json_reply(429, &json!({"errorCode": "tooManyRequests", "description": "slow down"}))),
            Answer::Unauthorized => Some(json_reply(401, &json!({"message": format!("{USER} is not known")}))),
            Answer::Broken => Some(json_reply(503, &json!({}))),
            _ => None,
        }
    }

    fn found(&self, _request: &Request) -> Reply {
        json_reply(200, &json!({"contactId": 1, "identifiers": {}, "dataFields": {}, "channelProperties": {}, "lists": []}))
    }

    fn reached_otherwise(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("contacts.get", "read before a contact is written"),
            ("contacts.create", "somebody who was not found"),
            ("contacts.importStatus", "asks for a job"),
            ("contacts.deleteStatus", "asks for a job"),
            ("insight.importStatus", "asks for a job"),
            ("insight.createCollection", "a collection that is missing"),
            ("dataFields.list", "before fields are made"),
            ("dataFields.create", "a field that is missing"),
            ("account.info", "the check of the credentials"),
        ]
    }
}
