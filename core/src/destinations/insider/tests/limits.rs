//! Batches at and above the limits of the table.

use super::*;
use crate::pipeline::batch::plan;

/// How many operations go into each request.
fn sizes(insider: &Insider, operations: &[Operation]) -> Vec<usize> {
    let all: Vec<&Operation> = operations.iter().collect();
    let plan = plan(insider, &all).unwrap();
    assert!(plan.refused.is_empty(), "{:?}", plan.refused);
    for planned in &plan.requests {
        let facts = CAPABILITIES.endpoint(&planned.request.endpoint).unwrap();
        let bytes = planned.request.body.as_ref().unwrap().len();
        assert!(planned.operations.len() <= facts.max_records as usize && bytes <= facts.max_bytes as usize);
    }
    plan.requests.iter().map(|planned| planned.operations.len()).collect()
}

fn people(insider: &Insider, count: usize, body: &Value) -> Vec<Operation> {
    let person = |index: usize| {
        contact(body.clone(), json!({ "identity": { "customer_id": format!("c-{index}"), "email": format!("p{index}@example.com") } }))
    };
    (0..count).flat_map(|index| insider.build(&person(index)).operations).collect()
}

#[test]
fn a_thousand_users_are_one_request_and_one_more_is_two() {
    let insider = open(json!({}));
    let name = json!({ "first_name": "Mara" });
    assert_eq!(sizes(&insider, &people(&insider, 1_000, &name)), [1_000]);
    assert_eq!(sizes(&insider, &people(&insider, 1_001, &name)), [1_000, 1]);
}

#[test]
fn five_hundred_addresses_are_one_request_and_one_more_is_two() {
    let insider = open(json!({}));
    let left = |count: usize| -> Vec<Operation> {
        let no = json!({ "consents": [{ "channel": "email", "status": "denied" }] });
        people(&insider, count, &no).into_iter().filter(|operation| operation.endpoint == "email.unsubscribe").collect()
    };
    assert_eq!(sizes(&insider, &left(500)), [500]);
    assert_eq!(sizes(&insider, &left(501)), [500, 1]);
}

#[test]
fn a_body_stays_below_five_million_bytes() {
    let insider = open(json!({}));
    let long = json!({ "first_name": "x".repeat(9_000) });
    let sizes = sizes(&insider, &people(&insider, 1_000, &long));
    assert_eq!(sizes.iter().sum::<usize>(), 1_000);
    assert_eq!(sizes.len(), 2, "nine megabytes do not fit in one: {sizes:?}");
}

#[test]
fn one_person_is_never_twice_in_a_request() {
    let insider = open(json!({}));
    let orders: Vec<Operation> =
        (0..3).flat_map(|index| insider.build(&record(order(json!({ "id": format!("o-{index}") })), json!({}))).operations).collect();
    assert_eq!(sizes(&insider, &orders), [1, 1, 1]);
}

#[test]
fn a_record_of_the_catalog_above_its_limit_is_refused_before_it_is_sent() {
    let insider = open(json!({ "catalog": { "attributes": ["a", "b"] } }));
    let texts: Vec<Value> = (0..2).map(|_| json!({ "type": "text", "value": "x".repeat(500) })).collect();
    let record = record(product(json!({ "attributes": { "a": { "type": "list", "value": texts } } })), json!({}));
    let mut operation = insider.build(&record).operations.remove(0);
    assert_eq!(sizes(&insider, std::slice::from_ref(&operation)), [1]);
    let padding = "x".repeat(512_000);
    operation.body = format!(r#"{{"item_id":"A","locale":"de_DE","fields":{{"name":"{padding}"}}}}"#).into_bytes();
    assert_eq!(plan(&insider, &[&operation]).unwrap().refused.len(), 1);
}
