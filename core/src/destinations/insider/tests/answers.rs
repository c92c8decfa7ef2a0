//! What Insider's answers mean.

use super::*;
use crate::error::ErrorCode;

fn people(insider: &Insider, count: usize) -> Vec<Operation> {
    (0..count)
        .flat_map(|index| {
            ops(insider, &contact(json!({ "first_name": "M" }), json!({ "identity": { "customer_id": format!("c-{index}") } })))
        })
        .collect()
}

fn words(verdicts: &[Verdict]) -> Vec<String> {
    let word = |verdict: &Verdict| match verdict {
        Verdict::Accepted => "accepted".to_owned(),
        Verdict::Rejected(refusal) => format!("{} {}", refusal.code.0.name(), refusal.vendor_code),
        other => format!("{other:?}"),
    };
    verdicts.iter().map(word).collect()
}

#[test]
fn users_rejected_inside_of_200_are_found_by_their_place() {
    let insider = open(json!({}));
    let operations = people(&insider, 3);
    let all: Vec<&Operation> = operations.iter().collect();
    let answer = json!({ "data": { "successful": { "count": 2 }, "fail": { "count": 1, "errors": {
        "users.1.events.0.event_name.*.regexp(^[a-z0-9][a-zA-Z0-9._-]*$)": ["invalid event name: maraNovak"] } } } });
    let read = verdicts(&insider, &all, 200, answer);
    assert_eq!(words(&read), ["accepted", "rejected events.0.event_name.*.regexp", "accepted"]);
    assert!(!format!("{read:?}").contains("maraNovak"), "vendor messages echo what was sent");
    let good = verdicts(&insider, &all, 200, json!({ "data": { "successful": { "count": 3 }, "fail": {} } }));
    assert_eq!(words(&good), ["accepted", "accepted", "accepted"]);
}

#[test]
fn what_does_not_add_up_is_split() {
    let insider = open(json!({}));
    let operations = people(&insider, 3);
    let all: Vec<&Operation> = operations.iter().collect();
    let error = |key: &str| json!({ key: ["x"] });
    for answer in [
        json!({ "data": { "successful": { "count": 2 }, "fail": {} } }),
        json!({ "data": { "successful": { "count": 1 }, "fail": { "count": 2, "errors": error("users.0.identifiers.required") } } }),
        json!({ "data": { "successful": { "count": 2 }, "fail": { "count": 1, "errors": error("users.7.identifiers.required") } } }),
        json!({ "data": { "successful": {}, "fail": { "count": 3 } } }),
    ] {
        let read = insider.read(&all, &reply(200, answer.clone()));
        assert!(matches!(read, Reading::Split(_)), "{answer}: {read:?}");
    }
    let one = verdicts(
        &insider,
        &all[..1],
        200,
        json!({ "data": { "successful": {}, "fail": { "count": 1, "errors": error("users.0.identifiers.required") } } }),
    );
    assert_eq!(words(&one), ["rejected identifiers.required"]);
    for body in ["<html>", "", "[]", "{\"data\":1}"] {
        assert!(matches!(insider.read(&all, &reply(200, json!(body))), Reading::Retry(..)), "{body}");
    }
}

#[test]
fn statuses_mean_what_the_vendor_says_and_not_what_they_are_called() {
    let insider = open(json!({}));
    let operations = people(&insider, 2);
    let all: Vec<&Operation> = operations.iter().collect();
    let read = |status: u16, body: &str| match insider.read(&all, &reply(status, json!({ "error": body }))) {
        Reading::Retry(refusal, _) => format!("retry {}", refusal.code.0.name()),
        Reading::Stop(error) => format!("stop {}", error.code().name()),
        Reading::Split(refusal) => format!("split {}", refusal.code.0.name()),
        other => format!("{other:?}"),
    };
    for (status, body, expected) in [
        (429, "rejected: too many requests", "retry rate_limited"),
        (403, "too many attempts, 30 Requests/minute", "retry rate_limited"),
        (403, "forbidden", "stop forbidden"),
        (401, "", "stop unauthorized"),
        (400, "Partner is invalid.", "stop unauthorized"),
        (400, "request body is bigger than maximum allowed size 5,000,000 bytes", "split too_large"),
        (400, "Maximum allowed record count is exceeded.", "split too_large"),
        (400, "users must be defined: bad request", "split rejected"),
        (500, "", "retry unavailable"),
        (520, "", "retry unavailable"),
        (503, "", "retry unavailable"),
    ] {
        assert_eq!(read(status, body), expected, "{status} {body}");
    }
    let mut slow = reply(429, json!({ "error": "rejected: too many requests" }));
    slow.headers.push(("retry-after".to_owned(), "7".to_owned()));
    assert!(matches!(insider.read(&all, &slow), Reading::Retry(_, Some(after)) if after.as_secs() == 7));
}

#[test]
fn identity_answers_are_told_apart_by_their_words() {
    let insider = open(json!({}));
    let record = record(json!({ "type": "event", "name": "email_changed", "previous": { "email": "old@example.com" } }), json!({}));
    let operations = ops(&insider, &record);
    let read = |status: u16, body: Value| words(&verdicts(&insider, &[&operations[0]], status, body)).remove(0);
    assert_eq!(read(200, json!({})), "accepted");
    assert_eq!(read(400, json!({ "error": "identifier values are the same: bad request" })), "accepted");
    assert_eq!(read(400, json!({ "error": "new identifier already has a user assigned to it: bad request" })), "conflict http_400");
    assert_eq!(read(400, json!({ "error": "no valid identifier: bad request" })), "rejected http_400");
}

#[test]
fn nobody_to_erase_is_what_was_wanted() {
    for setting in ["delete", "anonymize"] {
        let insider = open(json!({ "erase": setting }));
        let operations = ops(&insider, &record(json!({ "type": "contact_deleted", "erase": true }), json!({})));
        assert_eq!(words(&verdicts(&insider, &[&operations[0]], 200, json!({}))), ["accepted"]);
        assert_eq!(words(&verdicts(&insider, &[&operations[0]], 404, json!({ "error": "no such user" }))), ["accepted"]);
    }
}

fn invalid(field: &str, message: &str, ids: &[&str], valid: u64) -> Value {
    json!({ "success": true, "message": { "valid": { "count": valid }, "invalid": { "count": ids.len(), "details": [
        { "field": field, "message": message, "count": ids.len(), "document_ids": ids }] }, "warnings": { "count": 0, "details": [] }, "invalidRatio": 0.5 } })
}

#[test]
fn records_rejected_inside_of_200_are_found_by_item() {
    let insider = open(json!({}));
    let operations = ops(&insider, &record(product(json!({})), json!({})));
    let all: Vec<&Operation> = operations.iter().collect();
    let read = verdicts(&insider, &all, 200, invalid("price", "Field is not valid.", &["TEE-M"], 1));
    assert_eq!(words(&read), ["accepted", "rejected price"]);
    let read = verdicts(&insider, &all, 200, invalid("item_id", "Item not found.", &["TEE-S"], 1));
    assert_eq!(words(&read), ["not_found item_id", "accepted"]);
    let read = insider.read(&all, &reply(200, invalid("price", "x", &["OTHER"], 1)));
    assert!(matches!(read, Reading::Split(_)), "{read:?}");
    let fine = json!({ "success": true, "message": { "valid": { "count": 2 }, "invalid": { "count": 0, "details": [] } } });
    assert_eq!(words(&verdicts(&insider, &all, 200, fine)), ["accepted", "accepted"]);
}

#[test]
fn an_item_that_is_gone_already_need_not_be_hidden() {
    let insider = open(json!({}));
    let gone = record(json!({ "type": "product_deleted", "id": "p", "variants": [{ "sku": "TEE-S" }] }), json!({}));
    let operations = ops(&insider, &gone);
    let read = verdicts(&insider, &[&operations[0]], 200, invalid("item_id", "Item not found.", &["TEE-S"], 0));
    assert_eq!(words(&read), ["accepted"]);
}

#[test]
fn the_check_reads_nobody_and_nobody_is_a_good_answer() {
    let insider = open(json!({}));
    let request = insider.check();
    exchange(&request, None);
    assert_eq!(call(&request), "POST /api/user/v1/profile");
    assert!(insider.read_check(&reply(404, json!({ "error": "no such user" }))).contains("work"));
    assert!(!insider.read_check(&reply(403, json!({ "error": "forbidden" }))).contains("work"));
    assert!(insider.read_check(&reply(400, json!({ "success": false, "message": "Partner is invalid." }))).contains("partner"));
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let wrong = |settings: Value| Insider::new(config(settings)).err().map(|error| error.code());
    for settings in [
        json!({ "partner": "" }),
        json!({ "partner": "My Brand" }),
        json!({ "token": "a b" }),
        json!({ "base_url": "http://example.com" }),
        json!({ "hosts": { "catalog": "ftp://example.com" } }),
        json!({ "identifiers": { "uuid": false, "email": false, "phone": false } }),
        json!({ "custom_attributes": { "c_points": "number" } }),
        json!({ "event_names": { "order_placed": "purchase" } }),
        json!({ "catalog": { "locales": { "de": "de" } } }),
        json!({ "catalog": { "currencies": ["EURO"] } }),
    ] {
        assert_eq!(wrong(settings.clone()), Some(ErrorCode::InvalidConfig), "{settings}");
    }
    let local = open(json!({ "base_url": "http://127.0.0.1:8080/" }));
    let product = ops(&local, &record(product(json!({})), json!({}))).remove(0);
    assert_eq!(local.base_url_of(&local.request(&[&product]).unwrap()), "http://127.0.0.1:8080");
}
