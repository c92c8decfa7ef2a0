//! Attributes and lists that the account lacks.

use super::*;

/// An account that makes what it lacks.
pub(super) fn attributed() -> Cordial {
    let mut setting = json!({"customer_id_attribute": "customer_id"});
    setting["unknown_attributes"] = "create".into();
    setting["attributes"] =
        json!({"first_name": {"key": "first_name", "max": 200, "index": true}, "groups": {"key": "groups", "type": "array", "max": 9}});
    setting["lists"] = json!({"group:vip": "vip"});
    open(setting)
}

/// The calls before a contact is tried again that the account refused for an unknown name: the look, and what it leads to.
pub(super) fn making(cordial: &Cordial, unknown: &str, there: &str) -> Vec<Request> {
    let contact = record(json!({"type": "contact", "first_name": "Mara", "groups": ["vip"]}), json!({}));
    let operation = ops(cordial, &contact).remove(0);
    let message = format!("key {unknown} is not part of the schema for this resource");
    let refused =
        reply(422, json!({"error": true, "errorKey": "GENERIC_ERROR_KEY", "messages": {"validationErrors": {unknown: [message]}}}));
    let Reading::Each(verdicts, _) = cordial.read(&[&operation], &refused) else { panic!("{unknown}") };
    let Verdict::First(detour) = &verdicts[0] else { panic!("{unknown}: {verdicts:?}") };
    let look = &detour.operations[0];
    let mut calls = vec![cordial.request(&[look]).unwrap()];
    let there = Reply { status: 200, headers: Vec::new(), body: there.as_bytes().to_vec() };
    let Reading::Each(verdicts, _) = cordial.read(&[look], &there) else { panic!("{unknown}") };
    if let Verdict::First(detour) = &verdicts[0] {
        calls.extend(detour.operations.iter().map(|make| cordial.request(&[make]).unwrap()));
        let taken = reply(422, json!({"error": true, "errorKey": "GENERIC_ERROR_KEY", "message": "The key has already been taken."}));
        let Reading::Each(verdicts, _) = cordial.read(&[&detour.operations[0]], &taken) else { panic!("{unknown}") };
        assert_eq!(verdicts, [Verdict::Accepted], "somebody made it in between");
    }
    calls.iter().for_each(|request| exchange(cordial, request, None));
    calls
}

#[test]
fn what_the_account_lacks_is_looked_for_before_it_is_made() {
    let cordial = attributed();
    let said = |calls: &[Request]| -> Vec<String> {
        let body = |request: &Request| request.body.as_deref().map_or("", |body| std::str::from_utf8(body).unwrap()).to_owned();
        calls
            .iter()
            .map(|request| format!("{} {} {}", request.method.as_str(), request.path, body(request)).trim_end().to_owned())
            .collect()
    };
    assert_eq!(
        said(&making(&cordial, "first_name", r#"[{"key": "last_name", "type": "string"}]"#)),
        [
            "GET /v2/accountcontactattributes",
            r#"POST /v2/accountcontactattributes {"index":true,"key":"first_name","name":"first_name","type":"string","validators":{"max":200,"min":0}}"#,
        ]
    );
    assert_eq!(
        said(&making(&cordial, "groups", r#"{"last_name": {"type": "string"}}"#))[1],
        r#"POST /v2/accountcontactattributes {"index":false,"key":"groups","name":"groups","options":{"maxitems":9},"type":"array"}"#
    );
    assert_eq!(
        said(&making(&cordial, "vip", r#"[{"id": 4, "name": "sale"}]"#)),
        ["GET /v2/accountlists", r#"POST /v2/accountlists {"name":"vip"}"#]
    );
    // There by now, or there in another spelling: nothing is made.
    for there in [r#"[{"key": "first_name"}]"#, r#"[{"key": "First_Name"}]"#, "<html>"] {
        assert_eq!(making(&cordial, "first_name", there).len(), 1, "{there}");
    }
}

#[test]
fn the_attribute_of_the_customers_id_is_never_made() {
    let cordial = attributed();
    let operation = ops(&cordial, &record(json!({"type": "contact", "first_name": "Mara"}), json!({}))).remove(0);
    let refused = reply(422, json!({"error": true, "message": "key customer_id is not part of the schema for this resource"}));
    let Reading::Each(verdicts, _) = cordial.read(&[&operation], &refused) else { panic!() };
    assert!(matches!(&verdicts[0], Verdict::Rejected(refusal) if refusal.message.contains("`customer_id`")), "{verdicts:?}");
}
