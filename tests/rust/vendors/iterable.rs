//! Iterable, adding subscriptions one by one and rewriting their lists, and with people who leave a type and not its channel.

use cartwire::destinations::{Operation, Reply, Request};
use cartwire_sandbox::Sandbox;
use serde_json::{Value, json};

use super::{Act, Answer, Jobs, Person, Standing, Vendor, call, inspect};

const KEY: &str = "itbl-key-4f1d9c77";

pub fn entries() -> Vec<Box<dyn Vendor>> {
    vec![Box::new(Iterable::Adding), Box::new(Iterable::Rewriting), Box::new(Iterable::LeftByType)]
}

#[derive(PartialEq)]
enum Iterable {
    Adding,
    Rewriting,
    /// As adding, where whoever leaves leaves the message type alone.
    LeftByType,
}

impl Vendor for Iterable {
    fn destination(&self) -> &'static str {
        "iterable"
    }

    fn label(&self) -> &'static str {
        match self {
            Iterable::Adding => "iterable",
            Iterable::Rewriting => "iterable_rewriting",
            Iterable::LeftByType => "iterable_left_by_type",
        }
    }

    fn about(&self) -> &'static str {
        if *self == Iterable::LeftByType {
            "`backfill_grants: send`, where whoever leaves leaves the message type alone and not its channel. `email` is an opt-in message type: \
             the profile does not tell who left it, their events do, and when: a later yes joins them again, any other does not. \
             Whom a yes of the shop's had joined comes back only if they left after that yes was sent; the library's own clock is \
             ahead of the platform's here, so nobody did. `sms` is an opt-out one, whose leaving is listed, and dated by the events."
        } else if *self == Iterable::Rewriting {
            "`subscriptions: read_modify_write`, `backfill_grants: send`. `email` is an opt-in message type, `sms` an opt-out one: \
             whoever said nothing gets its messages (`default`), which is what its owner chose at Iterable. Left means the channel: \
             `iterable_left_by_type` has those who leave the type alone."
        } else {
            "The defaults. `email` is an opt-in message type, `sms` an opt-out one: whoever said nothing gets its messages \
             (`default`), which is what its owner chose at Iterable. Left means the channel: `iterable_left_by_type` \
             has those who leave the type alone."
        }
    }

    fn config(&self, url: &str) -> Value {
        let mut config = json!({"type": "iterable", "api_key": KEY, "project_type": "hybrid", "base_url": url,
            "catalogs": {"products": "products", "categories": "categories"}, "anonymous_profiles": true,
            "lists": {"groups": {"vip": 90017, "trade": 90018}}, "journeys": {"cart_abandoned": 8814}, "contact_deleted": "delete",
            "consent": {"email": {"message_type": 101, "policy": "opt_in", "channel": 7},
                "sms": {"message_type": 230, "policy": "opt_out", "channel": 8}}});
        if *self == Iterable::Rewriting {
            config["subscriptions"] = json!("read_modify_write");
        }
        if *self != Iterable::Adding {
            config["backfill_grants"] = json!("send");
        }
        config
    }

    fn more_configs(&self, url: &str) -> Vec<Value> {
        if *self == Iterable::LeftByType {
            return Vec::new();
        }
        let mut single = self.config(url);
        single["write"] = json!("single");
        single["catalog_write"] = json!("replace");
        let mut email = self.config(url);
        email["project_type"] = json!("email");
        email["anonymous_profiles"] = Value::Null;
        // Not there yet.
        email["catalogs"] = json!({"products": "goods", "categories": "categories", "create": true});
        vec![single, email]
    }

    fn secrets(&self) -> &'static [&'static str] {
        &[KEY]
    }

    fn sandbox(&self) -> Value {
        json!({"api_key": KEY, "project_type": "hybrid", "rate_limits": false,
            "channels": [{"id": 7, "name": "Newsletter", "channel_type": "Marketing", "message_medium": "Email"},
                {"id": 8, "name": "Texts", "channel_type": "Marketing", "message_medium": "SMS"}],
            "message_types": [{"id": 101, "name": "Newsletter", "channel_id": 7, "policy": "OptIn"},
                {"id": 230, "name": "Texts", "channel_id": 8, "policy": "OptOut"}],
            "lists": [{"id": 90017, "name": "VIP"}, {"id": 90018, "name": "Trade"}],
            "catalogs": ["products", "categories"], "journeys": [{"name": "come back", "trigger": {"call": 8814}}]})
    }

    fn channels(&self) -> &'static [&'static str] {
        &["email", "sms"]
    }

    fn act<'a>(&'a self, url: &'a str, person: &'a Person, channel: &'a str, join: bool) -> Act<'a> {
        // The link at the foot of a message leaves the channel; a form joins the type, and can let people leave it.
        let id = person.customer_id.as_str();
        let by_type = join || *self == Iterable::LeftByType;
        let (method, group) = (if join { "PATCH" } else { "DELETE" }, if by_type { "messageType" } else { "messageChannel" });
        let number = match (channel, by_type) {
            ("email", true) => 101,
            ("email", false) => 7,
            (_, true) => 230,
            (_, false) => 8,
        };
        Box::pin(async move {
            // Whoever acts at the platform is known there, under both of their ids.
            let known = json!({"userId": id, "dataFields": {"email": person.email}});
            call("POST", format!("{url}/api/users/update"), &[("api-key", KEY)], Some(known)).await;
            call(method, format!("{url}/api/subscriptions/{group}/{number}/byUserId/{id}"), &[("api-key", KEY)], None).await;
        })
    }

    fn standing(&self, sandbox: &Sandbox, person: &Person, channel: &str) -> Standing {
        let profile = inspect(sandbox, &json!({"vendor": "iterable", "what": "profile", "userId": person.customer_id}));
        if profile.is_null() {
            return Standing::Absent;
        }
        let holds = |list: &str, id: u64| profile["subscriptions"][list].as_array().unwrap().contains(&json!(id));
        let (channel_id, kind) = if channel == "email" { (7, 101) } else { (8, 230) };
        if holds("unsubscribedChannelIds", channel_id) || holds("unsubscribedMessageTypeIds", kind) {
            return Standing::Off;
        }
        match channel {
            "email" if holds("subscribedMessageTypeIds", 101) => Standing::On,
            "email" => Standing::Off,
            _ => Standing::Default,
        }
    }

    fn says(&self, request: &Request) -> Option<String> {
        match request.endpoint.as_ref() {
            "subscriptions.subscribeByUserId" | "subscriptions.subscribeByEmail" => Some("subscribe".to_owned()),
            "subscriptions.unsubscribeByUserId" | "subscriptions.unsubscribeByEmail" => Some("unsubscribe".to_owned()),
            "users.updateSubscriptions" => {
                let body: Value = serde_json::from_slice(request.body.as_deref().unwrap()).unwrap();
                let lists = body.as_object().unwrap().iter().filter(|(_, value)| value.is_array());
                Some(lists.map(|(name, ids)| format!("{name} = {ids}")).collect::<Vec<_>>().join(", "))
            }
            _ => None,
        }
    }

    fn answer(&self, operations: &[&Operation], answer: Answer) -> Option<Reply> {
        let endpoint = operations[0].endpoint.as_ref();
        let bulk = matches!(endpoint, "users.bulkUpdate" | "events.trackBulk" | "lists.subscribe" | "lists.unsubscribe");
        let reply = |status: u16, body: Value| Some(Reply { status, headers: Vec::new(), body: body.to_string().into_bytes() });
        let failed = |rows: &[&Operation]| {
            let ids = |name: &str| -> Vec<Value> {
                let row = |operation: &&Operation| serde_json::from_slice::<Value>(&operation.body).unwrap()[name].clone();
                rows.iter().map(row).filter(Value::is_string).collect()
            };
            json!({"successCount": operations.len() - rows.len(), "failCount": rows.len(), "createdFields": [], "filteredOutFields": [],
                "invalidEmails": [], "invalidUserIds": [],
                "failedUpdates": {"invalidDataEmails": ids("email"), "invalidDataUserIds": ids("userId")}})
        };
        match answer {
            Answer::Taken if bulk => reply(200, failed(&[])),
            Answer::Taken => reply(200, json!({"code": "Success", "msg": "", "params": null})),
            Answer::HalfRefused if bulk => reply(200, failed(&operations[operations.len() / 2..])),
            Answer::HalfRefused => None,
            Answer::Refused => reply(400, json!({"code": "RequestFieldsTypesMismatched", "msg": "", "params": {}})),
            Answer::FalseSuccess if bulk => reply(200, failed(operations)),
            Answer::FalseSuccess if endpoint == "events.track" => {
                reply(200, json!({"code": "Success", "msg": "Event x is disallowed from tracking", "params": null}))
            }
            Answer::FalseSuccess => None,
            Answer::Throttled => reply(429, json!({"code": "RateLimitExceeded", "msg": "Exceeded rate limit", "params": null})),
            Answer::Unauthorized => reply(401, json!({"code": "BadApiKey", "msg": format!("Api-Key: {KEY}"), "params": null})),
            Answer::JobTaken => None,
            Answer::Broken => reply(503, json!({"code": "GenericError", "msg": "", "params": null})),
        }
    }

    fn jobs(&self, _url: &str) -> Jobs {
        Jobs::None("a bulk call names its failed rows in the answer, and nothing of what is stored later can be asked for by the call")
    }

    fn found(&self, _request: &Request) -> Reply {
        Reply { status: 200, headers: Vec::new(), body: br#"{"user":{"userId":"c-00001","dataFields":{}}}"#.to_vec() }
    }

    fn reached_otherwise(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("users.getByEmail", "read before a subscription or a merge"),
            ("users.byUserId", "read before a subscription or a merge"),
            ("export.userEvents", "read before a type is joined"),
            ("events.byEmail", "reconciliation"),
            ("events.byUserId", "reconciliation"),
            ("catalogs.item", "reconciliation"),
            ("catalogs.create", "a catalog that is missing, where `catalogs.create` is set"),
            ("catalogs.fieldMappings", "a catalog that is missing, where `catalogs.create` is set"),
            ("messageTypes", "the check of the credentials"),
        ]
    }
}
