//! Insider, with evidence of consent and without.

use cartwire::destinations::{Operation, Reply, Request};
use cartwire_sandbox::Sandbox;
use serde_json::{Value, json};

use super::{Act, Answer, Person, Standing, Vendor, call, changed, inspect, json_reply};

const KEYS: [&str; 4] = ["insider-ucd-19f2", "insider-catalog-77d0", "insider-leave-30be", "insider-join-5c11"];

pub fn entries() -> Vec<Box<dyn Vendor>> {
    vec![Box::new(Insider)]
}

struct Insider;

impl Vendor for Insider {
    fn destination(&self) -> &'static str {
        "insider"
    }

    fn about(&self) -> &'static str {
        "The defaults, with all four keys. A flag on the profile says yes or no per channel; the global unsubscribe stands apart from it, \
         and the sandbox lets a yes on the profile lift it, which Insider does not rule out."
    }

    fn config(&self, url: &str) -> Value {
        json!({"type": "insider", "partner": "sandbox", "token": KEYS[0], "catalog_token": KEYS[1], "unsubscribe_token": KEYS[2],
            "resubscribe_token": KEYS[3], "base_url": url})
    }

    fn more_configs(&self, url: &str) -> Vec<Value> {
        let locales = json!({"de": "de_DE", "en": "en_US"});
        let evidence = json!({"consent_evidence": true, "resubscribe": "newer_opt_in", "erase": "anonymize", "contact_deleted": "delete",
            "catalog": {"locales": locales}, "backfill_catalog": "send"});
        let partly = json!({"catalog": {"locales": locales, "write": "update"}});
        vec![changed(self.config(url), evidence), changed(self.config(url), partly)]
    }

    fn secrets(&self) -> &'static [&'static str] {
        &KEYS
    }

    fn sandbox(&self) -> Value {
        json!({"partner": "sandbox", "token": KEYS[0], "catalog_token": KEYS[1], "unsubscribe_token": KEYS[2],
            "resubscribe_token": KEYS[3], "rate_limits": false})
    }

    fn channels(&self) -> &'static [&'static str] {
        &["email", "sms", "whatsapp"]
    }

    fn act<'a>(&'a self, url: &'a str, person: &'a Person, channel: &'a str, join: bool) -> Act<'a> {
        let key = if join { KEYS[0] } else { KEYS[2] };
        let known = json!({"uuid": person.customer_id, "email": person.email, "phone_number": person.phone});
        let flag = format!("{channel}_optin");
        Box::pin(async move {
            let headers = [("x-partner-name", "sandbox"), ("x-request-token", KEYS[0])];
            let mut user = json!({"identifiers": known, "attributes": {}});
            if join {
                user["attributes"][flag] = json!(true);
            } else {
                user["attributes"]["name"] = json!("Mara");
            }
            call("POST", format!("{url}/api/user/v1/upsert"), &headers, Some(json!({"users": [user]}))).await;
            if !join {
                let headers = [("x-partner-name", "sandbox"), ("x-request-token", key)];
                let body = match channel {
                    "email" => json!({"emails": [person.email]}),
                    _ => json!({"phone_numbers": [person.phone]}),
                };
                call("POST", format!("{url}/{channel}/v2/unsubscribe"), &headers, Some(body)).await;
            }
        })
    }

    fn unseen(&self, channel: &str) -> Option<&'static str> {
        (channel != "email").then_some(
            "no answer of Insider's tells who is on its list of unsubscriptions for this channel. The sandbox lets a yes on the profile \
             lift it; Insider does not say whether it does.",
        )
    }

    fn standing(&self, sandbox: &Sandbox, person: &Person, channel: &str) -> Standing {
        let profile = inspect(sandbox, &json!({"vendor": "insider", "what": "profile", "uuid": person.customer_id}));
        match (profile.is_null(), profile["reachable"][channel].as_bool()) {
            (true, _) => Standing::Absent,
            (false, Some(true)) => Standing::On,
            _ => Standing::Off,
        }
    }

    fn says(&self, request: &Request) -> Option<String> {
        if let Some((_, verb)) = request.endpoint.split_once('.').filter(|(_, verb)| matches!(*verb, "subscribe" | "unsubscribe")) {
            return Some(format!("global {verb}"));
        }
        let body: Value = serde_json::from_slice(request.body.as_deref()?).ok()?;
        let users = body.get("users")?.as_array()?;
        let flags = users.iter().filter_map(|user| user["attributes"].as_object()).flatten();
        let said: Vec<String> =
            flags.filter(|(name, _)| name.ends_with("_optin")).map(|(name, value)| format!("{name} = {value}")).collect();
        (!said.is_empty()).then(|| said.join(", "))
    }

    fn answer(&self, operations: &[&Operation], answer: Answer) -> Option<Reply> {
        let endpoint = operations[0].endpoint.as_ref();
        let users = endpoint.starts_with("users.") || endpoint.starts_with("events.");
        let catalog = endpoint.starts_with("catalog.");
        let counted = |failed: usize| {
            let taken = operations.len() - failed;
            let some = |count: usize| if count == 0 { json!({}) } else { json!({"count": count}) };
            if catalog {
                let ids = operations[taken..]
                    .iter()
                    .map(|operation| serde_json::from_slice::<Value>(&operation.body).unwrap()["item_id"].clone());
                let ids: Vec<Value> = ids.collect();
                let details = if failed == 0 {
                    json!([])
                } else {
                    json!([{"field": "name", "message": "refused", "count": failed, "document_ids": ids}])
                };
                return json!({"success": true, "message": {"valid": {"count": taken}, "invalid": {"count": failed, "details": details}}});
            }
            let mut fail = some(failed);
            if failed > 0 {
                let rules = (taken..operations.len()).map(|at| (format!("users.{at}.attributes.required"), json!(["refused"])));
                fail["errors"] = Value::Object(rules.collect());
            }
            json!({"data": {"successful": some(taken), "fail": fail}})
        };
        match answer {
            Answer::Taken if users || catalog => Some(json_reply(200, &counted(0))),
            Answer::Taken => Some(json_reply(200, &json!({"statusMessage": "OK"}))),
            Answer::HalfRefused if users || catalog => Some(json_reply(200, &counted(operations.len() - operations.len() / 2))),
            Answer::FalseSuccess if users || catalog => Some(json_reply(200, &counted(operations.len()))),
            Answer::Refused => Some(json_reply(400, &json!({"error": "bad request"}))),
            Answer::Throttled => Some(json_reply(429, &json!({"error": "rejected: too many requests"}))),
            Answer::Unauthorized => Some(json_reply(401, &json!({"error": format!("unknown token {}", KEYS[0])}))),
            Answer::Broken => Some(json_reply(503, &json!({}))),
            _ => None,
        }
    }

    fn found(&self, _request: &Request) -> Reply {
        json_reply(200, &json!({"identifiers": {}, "attributes": {}}))
    }

    fn reached_otherwise(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("users.deleteAttributes", "goes before a write that leaves attributes without a value"),
            ("users.profile", "read before a yes, and the check of the credentials"),
        ]
    }
}
