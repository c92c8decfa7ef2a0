//! Dotdigital, with its own caution and with people brought back at once.

use cartwire::destinations::{Operation, Reply, Request};
use cartwire_sandbox::Sandbox;
use serde_json::{Value, json};

use super::{Act, Answer, End, JobCase, Jobs, Person, Rows, Standing, Vendor, call, inspect, job_name, poisoned};

const USER: &str = "apiuser-4f1d9c77";
const PASSWORD: &str = "ddg-password-81c2";
/// `apiuser-4f1d9c77:ddg-password-81c2`
const BASIC: &str = "Basic YXBpdXNlci00ZjFkOWM3NzpkZGctcGFzc3dvcmQtODFjMg==";

pub fn entries() -> Vec<Box<dyn Vendor>> {
    vec![Box::new(Dotdigital { at_once: false }), Box::new(Dotdigital { at_once: true })]
}

struct Dotdigital {
    at_once: bool,
}

impl Vendor for Dotdigital {
    fn destination(&self) -> &'static str {
        "dotdigital"
    }

    fn label(&self) -> &'static str {
        if self.at_once { "dotdigital_at_once" } else { "dotdigital" }
    }

    fn about(&self) -> &'static str {
        if self.at_once {
            "`resubscribe: no_challenge`, `backfill_grants: send`. Whoever left comes back at once by a yes that is newer than the \
             contact's last change at Dotdigital; whoever was never asked is asked by Dotdigital's own mail."
        } else {
            "The defaults. Whoever is new and has said nothing is created as unsubscribed, and asked by Dotdigital's own mail after a \
             first yes. Whoever left is asked likewise, and only when the yes is newer than the contact's last change there."
        }
    }

    fn config(&self, url: &str) -> Value {
        let mut config = json!({"type": "dotdigital", "user": USER, "password": PASSWORD, "base_url": url, "contact_deleted": "delete",
            "group_lists": {"vip": 40211}, "programs": {"cart_abandoned": 3120}, "collections": {"categories": "Categories"},
            "consent": {"email": {"lists": [40212], "preference": 7}, "sms": {}}});
        if self.at_once {
            config["resubscribe"] = json!("no_challenge");
            config["backfill_grants"] = json!("send");
        }
        config
    }

    fn more_configs(&self, url: &str) -> Vec<Value> {
        let mut bulk = self.config(url);
        bulk["insight_write"] = json!("bulk");
        bulk["backfill_contacts"] = json!("import");
        bulk["delete_write"] = json!("bulk");
        bulk["events"] = json!("api");
        let mut variants = self.config(url);
        variants["insight_write"] = json!("single");
        variants["catalog_layout"] = json!("variant");
        variants["customer_identifier"] = json!("shopCustomerId");
        variants["order_spelling"] = json!("snake");
        variants["backfill_events"] = json!("send");
        vec![bulk, variants]
    }

    fn secrets(&self) -> &'static [&'static str] {
        &[USER, PASSWORD, "YXBpdXNlci00ZjFkOWM3NzpkZGctcGFzc3dvcmQtODFjMg=="]
    }

    fn sandbox(&self) -> Value {
        json!({"user": USER, "password": PASSWORD, "lists": [40211, 40212], "preferences": [7], "programs": [{"id": 3120}], "sms_default": "subscribed",
            "custom_identifiers": ["shopCustomerId"]})
    }

    fn channels(&self) -> &'static [&'static str] {
        &["email", "sms"]
    }

    fn act<'a>(&'a self, url: &'a str, person: &'a Person, channel: &'a str, join: bool) -> Act<'a> {
        let status = if join { "subscribed" } else { "unsubscribed" };
        Box::pin(async move {
            let mut body = json!({"identifiers": {"email": person.email}, "channelProperties": {channel: {"status": status}}});
            if channel == "sms" {
                body["identifiers"]["mobileNumber"] = json!(person.phone.trim_start_matches('+'));
            }
            let email = person.email.replace('@', "%40");
            call("PATCH", format!("{url}/contacts/v3/email/{email}"), &[("authorization", BASIC)], Some(body)).await;
            if channel == "email" && !join {
                let who = json!({"email": person.email});
                call("POST", format!("{url}/v2/contacts/unsubscribe"), &[("authorization", BASIC)], Some(who)).await;
            }
        })
    }

    fn leaves_without_joining(&self) -> bool {
        true
    }

    fn standing(&self, sandbox: &Sandbox, person: &Person, channel: &str) -> Standing {
        let profile = inspect(sandbox, &json!({"vendor": "dotdigital", "what": "profile", "email": person.email}));
        if profile.is_null() {
            return Standing::Absent;
        }
        match profile["status"][channel].as_str() {
            Some("subscribed") => Standing::On,
            _ => Standing::Off,
        }
    }

    fn says(&self, request: &Request) -> Option<String> {
        let body: Value = serde_json::from_slice(request.body.as_deref()?).ok()?;
        let channels = body["channelProperties"].as_object()?;
        let word = |(channel, own): (&String, &Value)| {
            let asks = own["resubscribeOptions"]["resubscribeWithNoChallenge"] == json!(false);
            // `noSubscription` only keeps the account's own default away.
            own["status"]
                .as_str()
                .filter(|status| *status != "noSubscription")
                .map(|status| format!("{channel} {status}{}", if asks { ", asking" } else { "" }))
        };
        Some(channels.iter().filter_map(word).collect::<Vec<_>>().join(", ")).filter(|said| !said.is_empty())
    }

    fn answer(&self, operations: &[&Operation], answer: Answer) -> Option<Reply> {
        let endpoint = operations[0].endpoint.as_ref();
        let job = match endpoint {
            "contacts.import" | "insight.import" => Some("importId"),
            "contacts.bulkDelete" => Some("deleteId"),
            _ => None,
        };
        let reply = |status: u16, body: Value| Some(Reply { status, headers: Vec::new(), body: body.to_string().into_bytes() });
        let error = |status: u16, code: &str| reply(status, json!({"errorCode": code, "description": "no"}));
        let failed = |rows: &[&Operation]| {
            let key = |operation: &&Operation| json!({"key": serde_json::from_slice::<Value>(&operation.body).unwrap()});
            json!({"summary": {}, "notFound": [], "failures": rows.iter().map(key).collect::<Vec<_>>()})
        };
        match (answer, job) {
            // A job was only taken when the call is answered; its rows are told of later.
            (Answer::Taken, Some(_)) => None,
            (Answer::Taken, None) => reply(if endpoint == "events.import" { 202 } else { 200 }, json!({})),
            (Answer::HalfRefused, _) if endpoint == "insight.deleteAccountRecords" => {
                reply(200, failed(&operations[operations.len() / 2..]))
            }
            (Answer::FalseSuccess, _) if endpoint == "insight.deleteAccountRecords" => reply(200, failed(operations)),
            (Answer::HalfRefused | Answer::FalseSuccess, _) => None,
            (Answer::Refused, _) => error(400, "contacts:badRequest"),
            (Answer::Throttled, _) => reply(429, json!({})),
            (Answer::Unauthorized, _) => reply(401, json!({"message": format!("{USER}:{PASSWORD}")})),
            (Answer::Broken, _) => error(503, "contacts:unavailable"),
            (Answer::JobTaken, Some(member)) => reply(202, json!({member: job_name(operations)})),
            (Answer::JobTaken, None) => None,
        }
    }

    fn jobs(&self, url: &str) -> Jobs {
        let mut config = self.config(url);
        config["insight_write"] = json!("bulk");
        config["backfill_contacts"] = json!("import");
        config["delete_write"] = json!("bulk");
        let case = |endpoint, rows, backfill| JobCase { endpoint, config: config.clone(), rows, backfill };
        Jobs::Some(
            vec![
                case("contacts.import", Rows::Contacts, true),
                case("contacts.bulkDelete", Rows::Erasures, false),
                case("insight.import", Rows::Products, false),
            ],
            &[("contacts.patch", "its job is this library's own: the steps that make a missing data field, in tests/rust/dotdigital.rs")],
        )
    }

    fn asked(&self, request: &Request, operations: &[&Operation], end: Option<End>) -> Reply {
        let row = |operation: &&&Operation| serde_json::from_slice::<Value>(&operation.body).unwrap();
        let failure = |operation: &&Operation| match request.endpoint.as_ref() {
            "insight.importStatus" => json!({"key": row(&operation)["key"], "failureReason": "JsonDoesNotMatchSchema"}),
            _ => json!({"identifiers": row(&operation)["identifiers"], "failures": [{"failureCode": "contacts:invalidDataField"}]}),
        };
        let refused: Vec<Value> = operations.iter().filter(|operation| poisoned(operation)).map(failure).collect();
        let body = match end {
            None => json!({"status": "NotFinished"}),
            Some(End::Arrived) => json!({"status": "Finished", "failures": []}),
            Some(End::Picky) => json!({"status": "Finished", "failures": refused}),
            Some(End::Failed) => json!({"status": "Failed"}),
        };
        Reply { status: 200, headers: Vec::new(), body: body.to_string().into_bytes() }
    }

    fn job_report(&self, operations: &[&Operation], refused: &[&Operation], failed: bool) -> Option<Reply> {
        let row = |operation: &Operation| serde_json::from_slice::<Value>(&operation.body).unwrap();
        let fault = |code: &str| json!([{"failureCode": code, "description": "p00010@example.com is invalid"}]);
        let one = |operation: &&Operation| {
            let row = row(operation);
            match operation.endpoint.as_ref() {
                "contacts.import" => json!({"matchIdentifier": row["matchIdentifier"], "identifiers": row["identifiers"],
                    "failures": fault("InvalidContact")}),
                "contacts.bulkDelete" => json!({"identifier": row, "failures": fault("unexpected")}),
                _ => json!({"collectionOwner": {"ownerType": "contact", "contactIdentity": row["contactIdentity"]}, "key": row["key"],
                    "json": row["json"], "failureReason": "JsonValueIncompatibleWithSchema", "details": ["p00010@example.com"]}),
            }
        };
        let failures: Vec<Value> = refused.iter().map(one).collect();
        let taken = operations.len() - refused.len();
        let mut report = match operations[0].endpoint.as_ref() {
            "contacts.import" => {
                json!({"importId": "job-1", "summary": {"newContacts": taken, "updatedContacts": 0, "globallySuppressed": 0,
                "invalidEntries": refused.len(), "duplicateIdentifiers": 0}, "created": [], "updated": []})
            }
            "contacts.bulkDelete" => json!({"deleteId": "job-1", "deleted": [], "summary": {"requestedContacts": operations.len(),
                "deletedContacts": taken, "unknownContacts": 0, "invalidEntries": refused.len()}}),
            "insight.import" => json!({"importId": "job-1", "summary": {"totalRecords": operations.len(), "totalImported": taken,
                "totalRejected": refused.len()}}),
            _ => return None,
        };
        report["status"] = json!(if failed { "Failed" } else { "Finished" });
        report["failures"] = json!(failures);
        Some(Reply { status: 200, headers: Vec::new(), body: report.to_string().into_bytes() })
    }

    fn found(&self, _request: &Request) -> Reply {
        let body =
            json!({"contactId": 5_512_087, "status": "noSubscription", "identifiers": {}, "dataFields": {}, "channelProperties": {}});
        Reply { status: 200, headers: Vec::new(), body: body.to_string().into_bytes() }
    }

    fn reached_otherwise(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("contacts.get", "read before a contact is written"),
            ("contacts.create", "written where the read finds nobody"),
            ("contacts.importStatus", "asked for an import"),
            ("contacts.deleteStatus", "asked for a deletion"),
            ("insight.importStatus", "asked for an import"),
            ("insight.getContactRecord", "reconciliation"),
            ("insight.getAccountRecord", "reconciliation"),
            ("insight.createCollection", "a collection that is missing"),
            ("dataFields.list", "a data field that is missing"),
            ("dataFields.create", "a data field that is missing"),
            ("account.info", "the check of the credentials"),
        ]
    }
}
