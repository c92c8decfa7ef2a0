//! Programs and events.

use serde_json::{Value, json};

use super::account::{Start, stamp};
use super::options::Trigger;
use super::reply::{self, Refusal};
use super::{Answer, Call};
use crate::vendor::Reply;

/// Enrolments that one account may ask for in an hour.
const MOST_CALLS: usize = 20;

pub(super) fn enrol(call: &mut Call<'_>) -> Answer {
    let now = call.now_ms;
    call.account.enrolment_calls.retain(|at| now - at < 3_600_000);
    if call.account.enrolment_calls.len() >= MOST_CALLS {
        return Err(Refusal::v2(400, "ERROR_ENROLMENT_ALLOWANCE_EXCEEDED", "no more enrolments this hour"));
    }
    let program = call.body["programId"].as_i64().unwrap_or_default();
    let contacts: Vec<i64> = call.body["contacts"].as_array().into_iter().flatten().filter_map(Value::as_i64).collect();
    if contacts.is_empty() || contacts.len() > 25 {
        return Err(Refusal::v2(400, "ERROR_ENROLMENT_INVALID", "1 to 25 contacts are taken"));
    }
    let Some(known) = call.options.programs.iter().find(|known| known.id == program) else {
        return Err(Refusal::v2(404, "ERROR_PROGRAM_NOT_FOUND", "there is no such program"));
    };
    if !known.active {
        return Err(Refusal::v2(422, "ERROR_PROGRAM_NOT_ACTIVE", "the program is not active"));
    }
    call.account.enrolment_calls.push(now);
    for contact in &contacts {
        let status = call.account.contacts.get(contact).and_then(|found| found.status.get("email"));
        let mailed = status.is_some_and(|status| status == "subscribed");
        call.account.starts.push(Start { program, contact: *contact, why: "enrolment".to_owned(), mailed });
    }
    let id = call.account.next_uuid();
    Ok(Reply::json(
        201,
        &json!({"id": id, "programId": program, "status": "Processing", "dateCreated": stamp(now), "contacts": contacts, "addressBooks": []}),
    ))
}

pub(super) fn events(call: &mut Call<'_>) -> Answer {
    if !call.options.cxdp {
        return Err(Refusal::v3(403, "events:forbidden", "the account has no events"));
    }
    let Some(events) = call.body.as_array().filter(|events| (1..=5_000).contains(&events.len())) else {
        return Err(Refusal::v3(400, "events:badJson", "1 to 5000 events are taken"));
    };
    for event in events {
        let name = event["type"].as_str().unwrap_or_default();
        if name.is_empty() || name.chars().count() > 80 {
            return Err(Refusal::v3(400, "events:invalidEventType", "the type has 1 to 80 characters"));
        }
    }
    for event in call.body.as_array().cloned().unwrap_or_default() {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let who = &event["contactIdentity"];
        // An event of nobody is lost, and nobody is told.
        let Some(contact) = call.account.find(&text(&who["identifier"]), &text(&who["value"])) else { continue };
        let name = text(&event["type"]);
        call.account.events.push(json!({"contactId": contact, "type": name, "id": event["id"], "eventData": event["eventData"]}));
        call.account.start(call.options, &Trigger::Event(name), contact, "event");
    }
    Ok(reply::nothing(202))
}
