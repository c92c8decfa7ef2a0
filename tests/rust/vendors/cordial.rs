//! Cordial, asking people by text before it texts them, and taking the shop's word that they were asked.

use cartwire::destinations::{Operation, Reply, Request};
use cartwire_sandbox::Sandbox;
use serde_json::{Value, json};

use super::{Act, Answer, End, JobCase, Jobs, Person, Rows, Standing, Vendor, call, inspect, job_name, poisoned};

const KEY: &str = "crdl-key-77b0e2d4";
/// The same as a user without a password.
const BASIC: &str = "Basic Y3JkbC1rZXktNzdiMGUyZDQ6";
const UPLOAD: &str = "Bearer laying-9c1d";

pub fn entries() -> Vec<Box<dyn Vendor>> {
    vec![Box::new(Cordial { confirmed: false }), Box::new(Cordial { confirmed: true })]
}

struct Cordial {
    confirmed: bool,
}

impl Vendor for Cordial {
    fn destination(&self) -> &'static str {
        "cordial"
    }

    fn label(&self) -> &'static str {
        if self.confirmed { "cordial_confirmed" } else { "cordial" }
    }

    fn about(&self) -> &'static str {
        if self.confirmed {
            "`sms_opt_in: confirmed`, `backfill_grants: send`. Whoever left at Cordial comes back by a live yes that is later than the \
             leaving only; here every leaving is of today and every yes of before, also the leaving that a no of the shop led to."
        } else {
            "The defaults. A yes to texts makes Cordial ask by text (`ask`), and the person is `off` until they reply. Whoever left at \
             Cordial comes back by a live yes that is later than the leaving only; here every leaving is of today and every yes of \
             before, also the leaving that a no of the shop led to."
        }
    }

    fn config(&self, url: &str) -> Value {
        let mut config = json!({"type": "cordial", "api_key": KEY, "base_url": url, "asynchronous": {"base_url": url},
            "customer_id_attribute": "customer_id", "channels": {"email": "email", "sms": "sms"},
            "attributes": {"first_name": {"key": "first_name"}, "last_name": {"key": "last_name"}}, "contact_deleted": "delete",
            "supplements": {"shipments": "shipments", "refunds": "refunds", "returns": "returns", "categories": "categories"}});
        if self.confirmed {
            config["sms_opt_in"] = json!("confirmed");
            config["backfill_grants"] = json!("send");
        }
        config
    }

    fn more_configs(&self, url: &str) -> Vec<Value> {
        let mut asynchronous = self.config(url);
        asynchronous["api"] = json!("async");
        asynchronous["asynchronous"]["events"] = json!(true);
        asynchronous["cart_write"] = json!("put");
        let mut by_email = self.config(url);
        by_email["customer_id_attribute"] = Value::Null;
        let mut merging = by_email.clone();
        merging["email_change"] = json!("merge");
        merging["imports"] = json!({"upload_url": format!("{url}/files"), "authorization": UPLOAD,
            "source": {"transport": "HTTP", "url": format!("{url}/files/{{file}}")}});
        // Neither is there yet.
        by_email["unknown_attributes"] = json!("create");
        by_email["attributes"]["last_name"] = json!({"key": "surname"});
        by_email["lists"] = json!({"group:vip": "vip_people"});
        vec![asynchronous, by_email, merging]
    }

    fn secrets(&self) -> &'static [&'static str] {
        &[KEY, "Y3JkbC1rZXktNzdiMGUyZDQ6", "laying-9c1d"]
    }

    fn sandbox(&self) -> Value {
        json!({"api_key": KEY, "rate_limits": false, "doi_suppressible": true, "merging": true,
            "supplements": [{"key": "shipments"}, {"key": "refunds"}, {"key": "returns"}, {"key": "categories"}]})
    }

    fn channels(&self) -> &'static [&'static str] {
        &["email", "sms"]
    }

    fn act<'a>(&'a self, url: &'a str, person: &'a Person, channel: &'a str, join: bool) -> Act<'a> {
        let headers = [("authorization", BASIC)];
        let path = format!("{url}/v2/contacts/customer_id:{}", person.customer_id);
        let phone = person.phone.trim_start_matches('+');
        // Whoever acts at the platform is known there, under both of their ids and on both channels.
        let known = json!({"channels": {"email": {"address": person.email}, "sms": {"address": phone}}, "customer_id": person.customer_id});
        let mut joined = json!({"channels": {"email": {"address": person.email}}, "forceSubscribe": true});
        let address = if channel == "email" { person.email.as_str() } else { phone };
        joined["channels"][channel] = json!({"address": address, "subscribeStatus": "subscribed"});
        if channel == "sms" {
            joined["channels"][channel]["suppressDOI"] = json!(true);
        }
        Box::pin(async move {
            call("POST", format!("{url}/v2/contacts"), &headers, Some(known)).await;
            if join {
                call("PUT", path, &headers, Some(joined)).await;
            } else {
                call("PUT", format!("{path}/unsubscribe/{channel}"), &headers, None).await;
            }
        })
    }

    fn standing(&self, sandbox: &Sandbox, person: &Person, channel: &str) -> Standing {
        let profile = inspect(sandbox, &json!({"vendor": "cordial", "what": "profile", "email": person.email}));
        if profile.is_null() {
            return Standing::Absent;
        }
        if profile["channels"][channel]["subscribeStatus"] == "subscribed" { Standing::On } else { Standing::Off }
    }

    fn says(&self, request: &Request) -> Option<String> {
        let body = || -> Value { serde_json::from_slice(request.body.as_deref().unwrap()).unwrap() };
        match request.endpoint.as_ref() {
            "contacts.unsubscribe" => Some("unsubscribe".to_owned()),
            "contacts.subscribe" => {
                let body = body();
                let asks = body["channels"]["sms"]["suppressDOI"] == false;
                let word = if asks { "ask" } else { "subscribe" };
                Some(if body["forceSubscribe"] == true { format!("{word}, forced") } else { word.to_owned() })
            }
            // Nothing else may say a word about it.
            _ if request.body.as_deref().is_some_and(|body| String::from_utf8_lossy(body).contains("subscribeStatus")) => {
                Some("a permission where none belongs".to_owned())
            }
            _ => None,
        }
    }

    fn answer(&self, operations: &[&Operation], answer: Answer) -> Option<Reply> {
        let endpoint = operations[0].endpoint.as_ref();
        let file = endpoint.starts_with("files.");
        let merge = endpoint == "contacts.merge";
        let reply = |status: u16, body: Value| Some(Reply { status, headers: Vec::new(), body: body.to_string().into_bytes() });
        let error = |status: u16, message: &str| reply(status, json!({"error": true, "errorKey": "GENERIC_ERROR_KEY", "message": message}));
        match answer {
            Answer::Taken if file => reply(201, Value::Null),
            Answer::Taken => reply(200, json!({"success": true})),
            // One record a call; an import tells of its rows when it is asked for: see `asked`.
            Answer::HalfRefused => None,
            Answer::Refused if file => None,
            Answer::Refused => error(422, "The value is not valid"),
            // Where files are laid is not Cordial: a status is all there is.
            Answer::FalseSuccess if file => None,
            Answer::FalseSuccess => error(200, "The value is not valid"),
            Answer::Throttled => error(429, "Too Many Requests"),
            Answer::Unauthorized => reply(401, json!({"error": format!("Access Denied: Authentication Failure {KEY}")})),
            Answer::Broken => reply(503, json!({"error": "an error has occurred"})),
            Answer::JobTaken if file => reply(201, Value::Null),
            Answer::JobTaken if merge => reply(201, json!({"jobID": job_name(operations), "message": "ok"})),
            Answer::JobTaken => None,
        }
    }

    fn jobs(&self, url: &str) -> Jobs {
        let mut config = self.config(url);
        config["imports"] = json!({"upload_url": format!("{url}/files"), "authorization": UPLOAD, "poll_s": 0,
            "source": {"transport": "HTTP", "url": format!("{url}/files/{{file}}")}});
        let mut merging = self.config(url);
        merging["merge"] = json!(true);
        let case = |endpoint, rows| JobCase { endpoint, config: config.clone(), rows, backfill: true };
        Jobs::Some(
            vec![
                case("files.contacts", Rows::Contacts),
                case("files.orders", Rows::Orders),
                case("files.products", Rows::Products),
                case("files.supplements", Rows::Refunds),
                JobCase { endpoint: "contacts.merge", config: merging, rows: Rows::SignIn, backfill: false },
            ],
            &[],
        )
    }

    fn asked(&self, request: &Request, operations: &[&Operation], end: Option<End>) -> Reply {
        let poison = operations.iter().filter(|operation| poisoned(operation)).count();
        let body = match (request.endpoint.as_ref(), end) {
            // The file is laid; the first question has it imported.
            ("contactimports.create" | "ordersimport.create" | "productimports.create" | "supplements.imports.create", _) => {
                json!({"jobId": job_name(operations)})
            }
            (_, None) => json!({"status": "Processing", "totalItems": operations.len(), "completedItems": 0}),
            // It counts its refused rows and names none.
            (_, Some(End::Picky)) => {
                json!({"status": "Done", "result": {"totalRecords": operations.len(), "inserted": operations.len() - poison,
                "updated": 0, "rejected": poison, "error": 0, "ignored": 0}})
            }
            (_, Some(End::Arrived)) => json!({"status": "Done", "result": {"totalRecords": operations.len().to_string(), "rejected": "0"}}),
            (_, Some(End::Failed)) => json!({"status": "Failed", "result": []}),
        };
        Reply { status: 200, headers: Vec::new(), body: body.to_string().into_bytes() }
    }

    fn found(&self, request: &Request) -> Reply {
        let (status, body) = match request.endpoint.as_ref() {
            "contacts.get" => {
                (200, json!({"_id": "5f1", "attributes": {"cID": "5f1"}, "channels": {"email": {"address": "x@example.com"}}}))
            }
            "orders.get" => (404, json!({"error": true, "errorKey": "RECORD_NOT_FOUND", "message": "record not found"})),
            _ => (200, json!([{"key": "first_name"}, {"key": "last_name"}, {"key": "customer_id"}])),
        };
        Reply { status, headers: Vec::new(), body: body.to_string().into_bytes() }
    }

    fn reached_otherwise(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("contacts.get", "read before somebody is subscribed"),
            ("orders.get", "read before an order is written"),
            ("orders.update", "an order that is known already"),
            ("accountcontactattributes.list", "the check of the credentials"),
            ("accountcontactattributes.create", "an attribute that is missing, with `unknown_attributes: create`"),
            ("accountlists.list", "a list that is missing, with `unknown_attributes: create`"),
            ("accountlists.create", "a list that is missing, with `unknown_attributes: create`"),
            ("contactactivities.list", "reconciliation"),
            ("products.get", "reconciliation"),
            ("supplements.records.get", "reconciliation"),
            ("files.products", "a product of a backfill, which no golden case has"),
            ("contactimports.create", "a file of contacts that is laid"),
            ("ordersimport.create", "a file of orders that is laid"),
            ("productimports.create", "a file of products that is laid"),
            ("supplements.imports.create", "a file of records that is laid"),
            ("jobs.get", "an import or a merge under way"),
        ]
    }
}
