//! Insider, keeping every no of its own, and lifting those this library wrote.

use cartwire::destinations::{Operation, Reply, Request};
use cartwire_sandbox::Sandbox;
use serde_json::{Value, json};

use super::{Act, Answer, Jobs, Person, Standing, Vendor, call, inspect};

const TOKEN: &str = "ins-ucd-7c1f09";
const CATALOG: &str = "ins-catalog-51be";
const LEAVE: &str = "ins-leave-90ac";
const JOIN: &str = "ins-join-3d77";

pub fn entries() -> Vec<Box<dyn Vendor>> {
    vec![Box::new(Insider { lifting: false }), Box::new(Insider { lifting: true })]
}

struct Insider {
    lifting: bool,
}

/// The flag of a channel.
fn flag(channel: &str) -> String {
    format!("{channel}_optin")
}

/// The list of a channel, and what it holds.
fn list<'a>(channel: &str, person: &'a Person) -> (&'static str, &'a str) {
    if channel == "email" { ("emails", &person.email) } else { ("phone_numbers", &person.phone) }
}

impl Vendor for Insider {
    fn destination(&self) -> &'static str {
        "insider"
    }

    fn label(&self) -> &'static str {
        if self.lifting { "insider_lifting" } else { "insider" }
    }

    fn about(&self) -> &'static str {
        if self.lifting {
            "`resubscribe: newer_opt_in`, with `consent_evidence` and `left_events`: a newer yes lifts the no that this library wrote, \
             unless the person left by a link since. The server lifts a global unsubscribe for any yes it is sent."
        } else {
            "The defaults, with a key for unsubscribing, and `left_events` for text messages and WhatsApp, without which no yes is written \
             there. A no at Insider stays, whoever wrote it. The server lifts a global unsubscribe for any yes it is sent."
        }
    }

    fn config(&self, url: &str) -> Value {
        let mut config = json!({"type": "insider", "partner": "sandbox", "token": TOKEN, "catalog_token": CATALOG, "unsubscribe_token": LEAVE,
            "base_url": url, "contact_deleted": "delete", "identifiers": {"anonymous": "visitor_id"},
            "left_events": {"sms": "sms_left", "whatsapp": "whatsapp_left"},
            "catalog": {"locales": {"de": "de_DE", "en": "en_GB"}}});
        if self.lifting {
            config["consent_evidence"] = json!(true);
            config["resubscribe"] = json!("newer_opt_in");
            config["resubscribe_token"] = json!(JOIN);
            config["left_events"] = json!({"email": "email_left", "sms": "sms_left", "whatsapp": "whatsapp_left"});
        }
        config
    }

    fn more_configs(&self, url: &str) -> Vec<Value> {
        let mut other = self.config(url);
        other["catalog"]["write"] = json!("update");
        other["erase"] = json!("anonymize");
        other["carts"] = json!("snapshot");
        other["line_events"] = json!("per_line");
        other["unsubscribe_by"] = json!("users");
        vec![other]
    }

    fn secrets(&self) -> &'static [&'static str] {
        &[TOKEN, CATALOG, LEAVE, JOIN]
    }

    fn sandbox(&self) -> Value {
        // Events of these tests are of a fixed day.
        json!({"token": TOKEN, "catalog_token": CATALOG, "unsubscribe_token": LEAVE, "resubscribe_token": JOIN, "rate_limits": false,
            "identifiers": ["uuid", "email", "phone_number", "custom.visitor_id"], "custom_retention_days": 36_500})
    }

    fn channels(&self) -> &'static [&'static str] {
        &["email", "sms", "whatsapp"]
    }

    fn act<'a>(&'a self, url: &'a str, person: &'a Person, channel: &'a str, join: bool) -> Act<'a> {
        let (key, address) = list(channel, person);
        Box::pin(async move {
            let headers = |token| [("x-partner-name", "sandbox"), ("x-request-token", token)];
            // Whoever acts at the platform is known there, under all of their ids; a form sets the flag, a link tells an event.
            let mut user = json!({"identifiers": {"uuid": person.customer_id, "email": person.email, "phone_number": person.phone}});
            if join {
                user["attributes"] = json!({flag(channel): true});
            } else {
                user["events"] = json!([{"event_name": format!("{channel}_left"), "timestamp": "2026-04-01T12:00:00Z"}]);
            }
            call("POST", format!("{url}/api/user/v1/upsert"), &headers(TOKEN), Some(json!({"users": [user]}))).await;
            let (path, token) = if join { ("subscribe", JOIN) } else { ("unsubscribe", LEAVE) };
            call("POST", format!("{url}/{channel}/v2/{path}"), &headers(token), Some(json!({key: [address]}))).await;
        })
    }

    fn standing(&self, sandbox: &Sandbox, person: &Person, channel: &str) -> Standing {
        let profile = inspect(sandbox, &json!({"vendor": "insider", "what": "profile", "uuid": person.customer_id}));
        if profile.is_null() {
            return Standing::Absent;
        }
        if profile["reachable"][channel] == true { Standing::On } else { Standing::Off }
    }

    fn says(&self, request: &Request) -> Option<String> {
        match request.endpoint.as_ref() {
            "users.consent" => {
                let body: Value = serde_json::from_slice(request.body.as_deref().unwrap()).unwrap();
                let attributes = body["users"][0]["attributes"].as_object().unwrap();
                let flag = attributes.iter().find(|(name, _)| name.ends_with("_optin")).unwrap();
                Some(format!("{} = {}", flag.0, flag.1))
            }
            "email.unsubscribe" | "sms.unsubscribe" | "whatsapp.unsubscribe" => Some("unsubscribe".to_owned()),
            "email.subscribe" | "sms.subscribe" | "whatsapp.subscribe" => Some("subscribe".to_owned()),
            _ => None,
        }
    }

    fn answer(&self, operations: &[&Operation], answer: Answer) -> Option<Reply> {
        let endpoint = operations[0].endpoint.as_ref();
        let reply = |status: u16, body: Value| Some(Reply { status, headers: Vec::new(), body: body.to_string().into_bytes() });
        let catalog = endpoint.starts_with("catalog.");
        let upsert = endpoint.starts_with("events.") || matches!(endpoint, "users.upsert" | "users.consent");
        // The last rows are the refused ones.
        let rows = |refused: usize| {
            let taken = operations.len() - refused;
            if catalog {
                let id = |operation: &&Operation| serde_json::from_slice::<Value>(&operation.body).unwrap()["item_id"].clone();
                let ids: Vec<Value> = operations[taken..].iter().map(id).collect();
                let details = json!([{"field": "price", "message": "Field is not valid.", "count": refused, "document_ids": ids}]);
                return json!({"success": true, "message": {"valid": {"count": taken},
                    "invalid": {"count": refused, "details": if refused > 0 { details } else { json!([]) }}}});
            }
            let count = |count: usize| if count > 0 { json!({"count": count}) } else { json!({}) };
            let mut fail = count(refused);
            for index in taken..operations.len() {
                fail["errors"][format!("users.{index}.identifiers.*.regexp(^.+@.+$)")] = json!(["invalid email: p00010@example.com"]);
            }
            json!({"data": {"successful": count(taken), "fail": fail}})
        };
        match answer {
            Answer::Taken if upsert || catalog => reply(200, rows(0)),
            Answer::Taken if endpoint.starts_with("users.") => reply(200, json!({})),
            Answer::Taken => reply(200, json!({"statusMessage": "OK"})),
            Answer::HalfRefused if upsert || catalog => reply(200, rows(operations.len() - operations.len() / 2)),
            Answer::HalfRefused => None,
            Answer::Refused => reply(400, json!({"error": "malformed json: bad request p00010@example.com"})),
            Answer::FalseSuccess if upsert || catalog => reply(200, rows(operations.len())),
            Answer::FalseSuccess => None,
            Answer::Throttled => reply(429, json!({"error": "rejected: too many requests"})),
            Answer::Unauthorized => reply(403, json!({"error": format!("forbidden: {TOKEN}")})),
            Answer::Broken => reply(503, json!({"error": "internal server error"})),
            Answer::JobTaken => None,
        }
    }

    fn jobs(&self, _url: &str) -> Jobs {
        Jobs::None(
            "an upsert is queued behind its answer, but no call asks for it: what fails later is told to `error_callback_endpoint` only, \
             in words that are not published",
        )
    }

    fn found(&self, _request: &Request) -> Reply {
        Reply { status: 200, headers: Vec::new(), body: br#"{"attributes":{"iid":"iid-1"}}"#.to_vec() }
    }

    fn reached_otherwise(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("users.profile", "read before a yes, before a change of identity, and by the check of the credentials"),
            ("users.deleteAttributes", "goes before the write of a profile that has lost a value"),
            ("events.browse", "page views, which no shop's records tell of"),
            ("whatsapp.unsubscribe", "as for text messages; the records here speak of e-mail and text messages"),
            ("whatsapp.subscribe", "as for text messages; the records here speak of e-mail and text messages"),
        ]
    }
}
