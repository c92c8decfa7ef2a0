//! What is read back, and what counts as held.

use super::super::super::Held;
use super::*;

/// The read of an operation, and what is held by an answer to it.
fn asked(insider: &Insider, operation: &Operation) -> Value {
    let request = insider.read_back(operation).unwrap();
    exchange(&request, None);
    assert_eq!(call(&request), "POST /api/user/v1/profile");
    parsed(&request)
}

fn held(insider: &Insider, operation: &Operation, status: u16, body: Value) -> Held {
    insider.compare(operation, &reply(status, body)).unwrap()
}

fn differs(pointers: &[&str]) -> Held {
    Held::Differs(pointers.iter().map(|pointer| (*pointer).to_owned()).collect())
}

#[test]
fn a_profile_is_read_by_the_names_it_is_shown_under() {
    let insider = open(json!({ "custom_attributes": { "points": "number", "tags": "array" } }));
    let row = contact(
        json!({ "first_name": "Mara", "date_of_birth": "1990-04-02", "attributes": { "points": { "type": "integer", "value": 42 },
            "tags": { "type": "list", "value": [{ "type": "text", "value": "a" }, { "type": "text", "value": "b" }] } },
            "consents": [{ "channel": "email", "status": "denied", "at": "2025-05-01T00:00:00Z" }] }),
        json!({}),
    );
    let operations = ops(&insider, &row);
    let [profile, flag, left] = operations.as_slice() else { panic!("{operations:?}") };
    let question = asked(&insider, profile);
    assert_eq!(question["identifiers"], json!({ "uuid": "c-42", "email": "mara@example.com" }));
    let mut names: Vec<&str> = question["attributes"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["birthday", "c_points", "c_tags", "country", "language", "lo", "name"]);
    let mut shown = json!({ "iid": "i-1", "name": "Mara", "birthday": "1990-04-02T00:00:00+00:00", "c_points": 42.0, "c_tags": ["b", "a"],
        "country": "DE", "language": "de_DE", "lo": "de_DE" });
    assert_eq!(held(&insider, profile, 200, json!({ "attributes": shown })), Held::Same);
    shown["name"] = json!("Mareike");
    shown["c_points"] = json!(41);
    shown["c_tags"] = json!(["a", "b", "c"]);
    let answer = held(&insider, profile, 200, json!({ "attributes": shown }));
    assert_eq!(answer, differs(&["/attributes/custom.points", "/attributes/custom.tags", "/attributes/name"]));
    assert!(!format!("{answer:?}").contains("Mar"));
    assert_eq!(held(&insider, profile, 404, json!({ "error": "no such user for these identifiers: no data" })), Held::Missing);
    assert!(matches!(held(&insider, profile, 429, json!({ "error": "rejected: too many requests" })), Held::Later(..)));
    assert!(insider.compare(profile, &reply(403, json!({ "error": "forbidden" }))).is_err());

    assert_eq!(asked(&insider, flag)["attributes"], json!(["email_optin"]));
    for (shown, right) in [(json!(false), true), (json!("false"), true), (json!(true), false), (Value::Null, false)] {
        let answer = held(&insider, flag, 200, json!({ "attributes": { "email_optin": shown } }));
        assert_eq!(answer == Held::Same, right, "{shown}");
    }
    assert_eq!(asked(&insider, left), json!({ "identifiers": { "email": "mara@example.com" }, "attributes": ["global_unsubscribe"] }));
    assert_eq!(held(&insider, left, 200, json!({ "attributes": { "global_unsubscribe": true } })), Held::Same);
    assert_eq!(held(&insider, left, 200, json!({ "attributes": {} })), differs(&[""]));
}

#[test]
fn a_purchase_is_looked_for_under_both_of_its_names_line_by_line() {
    let insider = open(json!({}));
    let lines = json!([line("l1", "TEE-M", 2, "19.50", "39.00"), line("l2", "CAP", 1, "9.00", "9.00")]);
    let totals = json!({ "subtotal": money("48.00"), "shipping": money("4.90"), "discount": money("0"), "tax": money("7.01"),
        "tax_added": money("0"), "total": money("52.90") });
    let operations = ops(&insider, &record(order(json!({ "lines": lines, "totals": totals })), json!({})));
    let purchase = operations.iter().find(|operation| operation.endpoint == "events.purchase").unwrap();
    let question = asked(&insider, purchase);
    // 2025-05-20T10:00:00Z
    assert_eq!((&question["events"]["start_date"], &question["events"]["end_date"]), (&json!(1_747_735_200), &json!(1_747_735_201)));
    let names: Vec<&Value> = question["events"]["wanted"].as_array().unwrap().iter().map(|wish| &wish["event_name"]).collect();
    assert_eq!(names, ["confirmation_page_view", "purchase"]);
    assert!(question["events"]["wanted"][1]["params"].as_array().unwrap().contains(&json!("c_line_id")));

    let row: Value = serde_json::from_slice(&purchase.body).unwrap();
    let shown = |index: usize| {
        let event = &row["events"][index];
        let mut shown = event["event_params"].as_object().unwrap().clone();
        for (name, value) in shown.remove("custom").unwrap().as_object().unwrap() {
            shown.insert(format!("c_{name}"), value.clone());
        }
        shown.insert("created_date".to_owned(), event["timestamp"].clone());
        Value::Object(shown)
    };
    let answer = |name: &str, events: Vec<Value>| held(&insider, purchase, 200, json!({ "events": { name: events } }));
    assert_eq!(answer("purchase", vec![shown(1), shown(0)]), Held::Same);
    assert_eq!(answer("confirmation_page_view", vec![shown(0), shown(1)]), Held::Same);
    assert_eq!(answer("purchase", vec![]), Held::Missing);
    let mut other = shown(1);
    other["unit_sale_price"] = json!(8.5);
    assert_eq!(answer("purchase", vec![shown(0), other]), differs(&["/events/1"]));
    // Of another time: another purchase.
    let mut earlier = [shown(0), shown(1)];
    earlier.iter_mut().for_each(|event| event["created_date"] = json!("2025-05-19T10:00:00Z"));
    assert_eq!(answer("purchase", earlier.to_vec()), Held::Missing);
}

#[test]
fn who_is_gone_is_gone_and_what_is_not_shown_is_not_asked_for() {
    let insider = open(json!({ "contact_deleted": "delete" }));
    let gone = insider.build(&record(json!({ "type": "contact_deleted", "erase": false }), json!({}))).operations;
    assert_eq!(asked(&insider, &gone[0]), json!({ "identifiers": { "uuid": "c-42" }, "attributes": ["iid"] }));
    assert_eq!(held(&insider, &gone[0], 404, json!({ "error": "no such user for these identifiers: no data" })), Held::Same);
    assert_eq!(held(&insider, &gone[0], 200, json!({ "attributes": { "iid": "i-1" } })), differs(&[""]));

    let insider = open(json!({ "catalog": { "locales": { "de": "de_DE" } } }));
    let cart = cart(json!([line("l1", "TEE-M", 2, "19.50", "39.00")]), json!({}));
    for record in [record(product(json!({})), json!({})), record(cart, json!({}))] {
        let operations = insider.build(&record).operations;
        assert!(!operations.is_empty() && operations.iter().all(|operation| insider.read_back(operation).is_none()), "{operations:?}");
    }
}
