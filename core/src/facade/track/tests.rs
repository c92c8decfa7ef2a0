#![allow(clippy::unwrap_used)]

use super::*;
use crate::model::Mode;
use serde_json::{Value, json};

fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

fn decode(signals: &str) -> Decoded {
    let shop = Storefront { source: "shop".to_owned(), tenant: "demo".to_owned() };
    let mut out = Decoded::default();
    shop.decode(signals.as_bytes(), &DecodeContext::at(at("2026-03-01T10:00:00Z")), &mut out);
    out
}

fn one(signal: &Value) -> (Envelope, Event) {
    let out = decode(&signal.to_string());
    assert!(out.rejected.is_empty(), "{:?}", out.rejected);
    let record = out.records.into_iter().next().unwrap().record;
    let Body::Event(event) = record.body else { panic!("not an event") };
    (record.envelope, event)
}

fn refused(signal: &Value) -> (String, String) {
    let out = decode(&signal.to_string());
    assert!(out.records.is_empty(), "{signal}");
    let finding = &out.rejected[0].findings[0];
    (finding.pointer.clone(), finding.message.clone())
}

#[test]
fn a_signal_is_an_event_of_the_shop_that_the_other_data_comes_from() {
    let (envelope, event) = one(&json!({
        "event": "product_viewed", "customer_id": "c1", "email": " Jane@Example.com", "product_id": "p1", "url": "https://shop.example/p1",
        "value": {"amount": "12.50", "currency": "EUR"}, "market": {"country": "DE"}, "phone": "0151 12345678"
    }));
    assert_eq!((envelope.source.as_str(), envelope.tenant.as_str(), envelope.mode), ("shop", "demo", Mode::Live));
    assert_eq!((envelope.resource.kind.as_str(), envelope.occurred_at), ("signal", at("2026-03-01T10:00:00Z")));
    assert_eq!(
        (envelope.identity.email.as_deref(), envelope.identity.phone.as_deref()),
        (Some("jane@example.com"), Some("+4915112345678"))
    );
    assert_eq!((event.name, event.product_id.as_deref()), (EventName::ProductViewed, Some("p1")));
    assert_eq!(event.value.map(|value| value.to_string()).as_deref(), Some("12.50 EUR"));
}

#[test]
fn the_same_id_is_the_same_thing_and_without_one_content_and_time_are() {
    let key = |signal: Value| one(&signal).0.idempotency_key;
    let seen = |more: Value| {
        let mut signal = json!({"event": "product_viewed", "customer_id": "c1", "product_id": "p1", "at": "2026-03-01T09:00:00Z"});
        signal.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        key(signal)
    };
    assert_eq!(seen(json!({})), seen(json!({})));
    assert_ne!(seen(json!({})), seen(json!({"product_id": "p2"})));
    assert_ne!(seen(json!({})), seen(json!({"customer_id": "c2"})));
    assert_ne!(seen(json!({})), seen(json!({"at": "2026-03-01T09:00:01Z"})));
    assert_eq!(seen(json!({"id": "e1"})), seen(json!({"id": "e1", "at": "2026-03-01T09:00:01Z"})));
    assert_ne!(seen(json!({"id": "e1"})), seen(json!({"id": "e1", "event": "category_viewed"})));
}

#[test]
fn a_sign_in_joins_the_session_it_names_and_a_view_does_not() {
    let session = |event: &str, more: Value| {
        let mut signal = json!({"event": event, "anonymous_id": "s1"});
        signal.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        one(&signal).1.previous.and_then(|previous| previous.anonymous_id)
    };
    assert_eq!(session("logged_in", json!({"customer_id": "c1"})).as_deref(), Some("s1"));
    assert_eq!(session("account_created", json!({"email": "a@example.com"})).as_deref(), Some("s1"));
    assert_eq!(session("logged_in", json!({})), None);
    assert_eq!(session("product_viewed", json!({"customer_id": "c1"})), None);
}

#[test]
fn plain_properties_get_the_type_they_show_and_numbers_keep_their_digits() {
    let raw = r#"{"event":"searched","customer_id":"c1","query":"tent","properties":{"a":1,"b":19.90,"c":true,"d":"x","e":null,
        "f":[1,"y"],"g":{"h":2},"i":{"type":"date","value":"2026-01-31"},"j":12345678901234567.12}}"#;
    let out = decode(raw);
    let Body::Event(event) = &out.records[0].record.body else { panic!("{out:?}") };
    let text = |text: &str| AttributeValue::Text(text.to_owned());
    let expected = [
        ("a", AttributeValue::Integer(1)),
        ("b", AttributeValue::Decimal(Decimal::new(1990, 2))),
        ("c", AttributeValue::Boolean(true)),
        ("d", text("x")),
        ("f", AttributeValue::List(vec![AttributeValue::Integer(1), text("y")])),
        ("g", AttributeValue::Object([("h".to_owned(), AttributeValue::Integer(2))].into())),
        ("i", AttributeValue::Date("2026-01-31".parse().unwrap())),
        ("j", AttributeValue::Decimal("12345678901234567.12".parse().unwrap())),
        ("query", text("tent")),
    ];
    assert_eq!(event.properties, expected.map(|(name, value)| (name.to_owned(), value)).into());
}

#[test]
fn what_cannot_be_used_is_rejected_at_its_place_and_never_quoted() {
    let signal = |more: Value| {
        let mut signal = json!({"event": "product_viewed", "customer_id": "c1"});
        signal.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        refused(&signal)
    };
    assert_eq!(refused(&json!({"customer_id": "c1"})), (String::new(), "missing field `event`".to_owned()));
    assert_eq!(signal(json!({"emial": "jane@example.com"})).0, "/emial");
    assert_eq!(signal(json!({"email": {"secret": "jane@example.com"}})), ("/email".to_owned(), "expected a string".to_owned()));
    let typed = json!({"properties": {"born/at": {"type": "date", "value": "yesterday"}}});
    assert_eq!(signal(typed), ("/properties/born~1at".to_owned(), "expected a value of its `type`".to_owned()));
    assert_eq!(signal(json!({"properties": {"deep": [[[[[[[[[1]]]]]]]]]}})).1, "expected less nesting");
    assert_eq!(decode("{\"event\":").rejected[0].findings[0].code, FindingCode::RecordTruncated);
    assert_eq!(decode("nonsense").rejected[0].findings[0].code, FindingCode::RecordInvalidJson);
}

#[test]
fn a_bad_signal_loses_only_itself() {
    let out = decode(r#"[{"event":"searched","customer_id":"c1"},{"event":7},{"event":"searched","customer_id":"c2"}]"#);
    let positions: Vec<u64> = out.records.iter().map(|row| row.position).collect();
    assert_eq!((positions, out.rejected[0].position, out.rows), (vec![0, 2], 1, 3));
}
