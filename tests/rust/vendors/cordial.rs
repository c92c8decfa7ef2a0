//! Cordial over REST.

use cartwire::destinations::{Operation, Reply, Request};
use cartwire_sandbox::Sandbox;
use serde_json::{Value, json};

use super::{Act, Answer, Person, Standing, Vendor, call, inspect, json_reply};

const KEY: &str = "cordial-key-81c2e0";
/// `cordial-key-81c2e0:` in base64, as Basic authentication wants it.
const BASIC: &str = "Basic Y29yZGlhbC1rZXktODFjMmUwOg==";

pub fn entries() -> Vec<Box<dyn Vendor>> {
    vec![Box::new(Cordial)]
}

struct Cordial;

impl Vendor for Cordial {
    fn destination(&self) -> &'static str {
        "cordial"
    }

    fn about(&self) -> &'static str {
        "The defaults, over REST. Text messages want a reply before anybody is subscribed, so a yes to `sms` ends `off` until the \
         person answers. Cordial tells when somebody left; whoever left here left after all that the shop says."
    }

    fn config(&self, url: &str) -> Value {
        json!({"type": "cordial", "api_key": KEY, "base_url": url, "customer_id_key": "customer_id",
            "channels": {"email": "email", "sms": "sms"}, "asynchronous": {"base_url": url},
            "attributes": {"first_name": {"key": "first_name"}, "last_name": {"key": "last_name"}}})
    }

    fn secrets(&self) -> &'static [&'static str] {
        &[KEY, "Y29yZGlhbC1rZXktODFjMmUwOg=="]
    }

    fn sandbox(&self) -> Value {
        json!({"api_key": KEY, "rate_limits": false})
    }

    fn channels(&self) -> &'static [&'static str] {
        &["email", "sms"]
    }

    fn act<'a>(&'a self, url: &'a str, person: &'a Person, channel: &'a str, join: bool) -> Act<'a> {
        let status = if join { "subscribed" } else { "unsubscribed" };
        let mut channels = json!({"email": {"address": person.email}});
        if channel == "sms" {
            channels["sms"]["address"] = json!(person.phone.trim_start_matches('+'));
        }
        channels[channel]["subscribeStatus"] = json!(status);
        let body = json!({"channels": channels, "customer_id": person.customer_id, "forceSubscribe": join});
        Box::pin(async move { call("POST", format!("{url}/v2/contacts"), &[("authorization", BASIC)], Some(body)).await })
    }

    fn standing(&self, sandbox: &Sandbox, person: &Person, channel: &str) -> Standing {
        let profile = inspect(sandbox, &json!({"vendor": "cordial", "what": "profile", "email": person.email}));
        match (profile.is_null(), profile["channels"][channel]["subscribeStatus"].as_str()) {
            (true, _) => Standing::Absent,
            (false, Some("subscribed")) => Standing::On,
            _ => Standing::Off,
        }
    }

    fn says(&self, request: &Request) -> Option<String> {
        if request.endpoint == "contacts.unsubscribe" {
            return Some("unsubscribe".to_owned());
        }
        let body: Value = serde_json::from_slice(request.body.as_deref()?).ok()?;
        let channels = body.get("channels")?.as_object()?;
        let said: Vec<&str> = channels.values().filter_map(|channel| channel["subscribeStatus"].as_str()).collect();
        (!said.is_empty()).then(|| said.join(", "))
    }

    fn answer(&self, _operations: &[&Operation], answer: Answer) -> Option<Reply> {
        match answer {
            Answer::Taken => Some(json_reply(200, &json!({"success": true}))),
            Answer::Refused => Some(json_reply(422, &json!({"error": true, "message": "refused"}))),
            Answer::Throttled => Some(json_reply(429, &json!({"error": true, "message": "too many requests"}))),
            Answer::Unauthorized => Some(json_reply(401, &json!({"error": true, "message": format!("unknown key {KEY}")}))),
            Answer::Broken => Some(json_reply(503, &json!({}))),
            _ => None,
        }
    }

    fn found(&self, _request: &Request) -> Reply {
        json_reply(200, &json!({"_id": "5f0000000000000000000001", "attributes": {}, "channels": {}, "lists": []}))
    }

    fn reached_otherwise(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }
}
