//! Profiles, permissions, identity, erasure.

use super::*;
use crate::model::{FindingCode, SkipReason};

#[test]
fn a_profile_has_its_identifiers_its_attributes_and_its_customs_in_their_places() {
    let record = contact(
        json!({ "first_name": "Mara", "last_name": "Novak", "date_of_birth": "1990-04-02", "gender": "Female",
            "addresses": [{ "city": "Köln", "country": "DE" }],
            "attributes": { "loyaltyPoints": { "type": "integer", "value": 120 }, "tags": { "type": "list", "value": [{ "type": "text", "value": "vip" }] } } }),
        json!({ "identity": { "customer_id": "c-42", "email": "mara@example.com", "phone": "+4915112345678" } }),
    );
    assert_eq!(
        only(&open(json!({})), &record),
        json!({ "users": [{
            "identifiers": { "uuid": "c-42", "email": "mara@example.com", "phone_number": "+4915112345678" },
            "attributes": { "name": "Mara", "surname": "Novak", "birthday": "1990-04-02T00:00:00Z", "gender": "F", "language": "de_DE",
                "lo": "de_DE", "country": "DE", "city": "Köln", "custom": { "loyalty_points": 120, "tags": ["vip"] } },
            "not_append": true,
        }] })
    );
}

#[test]
fn a_backfill_starts_nothing() {
    let body = only(&open(json!({})), &contact(json!({ "first_name": "Mara" }), json!({ "mode": "backfill" })));
    assert_eq!(body["skip_hook"], true);
    let body = only(&open(json!({})), &contact(json!({ "first_name": "Mara" }), json!({})));
    assert_eq!(body.get("skip_hook"), None);
}

#[test]
fn live_and_backfill_never_share_a_request() {
    let insider = open(json!({}));
    let live = ops(&insider, &contact(json!({ "first_name": "Mara" }), json!({})));
    let old = ops(&insider, &contact(json!({ "first_name": "Mara" }), json!({ "mode": "backfill" })));
    assert!(insider.request(&[&live[0], &old[0]]).is_err());
}

#[test]
fn what_is_no_identifier_of_the_account_is_an_attribute() {
    let insider = open(json!({ "identifiers": { "email": false, "phone": false } }));
    let record =
        contact(json!({}), json!({ "identity": { "customer_id": "c-42", "email": "mara@example.com", "phone": "+4915112345678" } }));
    let body = only(&insider, &record);
    assert_eq!(body["users"][0]["identifiers"], json!({ "uuid": "c-42" }));
    assert_eq!(body["users"][0]["attributes"]["email"], "mara@example.com");
    assert_eq!(body["users"][0]["attributes"]["phone_number"], "+4915112345678");
}

#[test]
fn ids_that_a_missing_one_turns_into_are_refused() {
    for id in ["undefined", "null", "0", "Anonymous", " c-1"] {
        let built = open(json!({})).build(&contact(json!({ "first_name": "M" }), json!({ "identity": { "customer_id": id } })));
        assert!(built.operations.is_empty(), "{id}");
        assert_eq!(built.findings[0].code, FindingCode::IdentityUnusable, "{id}");
    }
}

#[test]
fn a_session_needs_a_custom_identifier() {
    let record =
        record(json!({ "type": "event", "name": "product_viewed", "sku": "TEE-M" }), json!({ "identity": { "anonymous_id": "v-77" } }));
    let built = open(json!({})).build(&record);
    assert_eq!(built.skipped[0].reason, SkipReason::NotConfigured);
    let body = only(&open(json!({ "identifiers": { "anonymous": "visitor_id" } })), &record);
    assert_eq!(body["users"][0]["identifiers"], json!({ "custom": { "visitor_id": "v-77" } }));
}

#[test]
fn insiders_own_id_stands_beside_identifiers() {
    let insider = open(json!({ "identifiers": { "insider_id": "insider_id" } }));
    let record = record(
        json!({ "type": "event", "name": "product_viewed", "sku": "TEE-M" }),
        json!({ "identity": { "external_ids": { "insider_id": "11223344" } } }),
    );
    let user = &only(&insider, &record)["users"][0];
    assert_eq!(user["insider_id"], "11223344");
    assert_eq!(user.get("identifiers"), None);
}

#[test]
fn attributes_go_only_with_the_name_and_type_they_have_in_the_panel() {
    let insider = open(json!({ "custom_attributes": { "points": "number", "vip": "boolean", "company": "string" },
        "attribute_names": { "loyaltyPoints": "points" } }));
    let record = contact(
        json!({ "company": "Nord GmbH", "first_name": "Mara", "attributes": {
            "loyaltyPoints": { "type": "integer", "value": 7 }, "vip": { "type": "text", "value": "yes" }, "unknown": { "type": "boolean", "value": true } } }),
        json!({}),
    );
    let built = insider.build(&record);
    let dropped: Vec<_> = built.findings.iter().map(|finding| finding.pointer.as_str()).collect();
    assert_eq!(dropped, ["/body/attributes/unknown", "/body/attributes/vip"]);
    assert_eq!(only(&insider, &record)["users"][0]["attributes"]["custom"], json!({ "points": 7, "company": "Nord GmbH" }));
}

#[test]
fn two_attributes_of_one_name_and_values_without_a_place_are_told() {
    let record = contact(
        json!({ "attributes": { "a-b": { "type": "integer", "value": 1 }, "a_b": { "type": "integer", "value": 2 },
            "o": { "type": "object", "value": {} }, "empty": { "type": "text", "value": " " }, "ünï": { "type": "boolean", "value": true } } }),
        json!({}),
    );
    let built = open(json!({})).build(&record);
    let dropped: Vec<_> = built.findings.iter().map(|finding| finding.pointer.as_str()).collect();
    assert_eq!(dropped, ["/body/attributes/a_b", "/body/attributes/empty", "/body/attributes/o"]);
    assert_eq!(only(&open(json!({})), &record)["users"][0]["attributes"]["custom"], json!({ "a_b": 1, "n": true }));
}

#[test]
fn a_person_of_whom_only_identifiers_are_known_is_no_profile() {
    let built = open(json!({})).build(&contact(json!({}), json!({ "market": {} })));
    assert!(built.operations.is_empty());
    assert_eq!(built.skipped[0].reason, SkipReason::NotSupported);
}

fn consented(channel: &str, status: &str, at: Option<&str>, mode: &str) -> Record {
    let mut consent = json!({ "channel": channel, "status": status });
    if let Some(at) = at {
        consent["at"] = json!(at);
    }
    contact(
        json!({ "consents": [consent] }),
        json!({ "mode": mode, "market": {},
        "identity": { "customer_id": "c-42", "email": "mara@example.com", "phone": "+4915112345678" } }),
    )
}

#[test]
fn a_no_is_written_on_the_profile_and_entered_in_the_list() {
    for (channel, flag, path, key, address) in [
        ("email", "email_optin", "/email/v2/unsubscribe", "emails", "mara@example.com"),
        ("sms", "sms_optin", "/sms/v2/unsubscribe", "phone_numbers", "+4915112345678"),
        ("whatsapp", "whatsapp_optin", "/whatsapp/v2/unsubscribe", "phone_numbers", "+4915112345678"),
    ] {
        let insider = open(json!({}));
        let operations = ops(&insider, &consented(channel, "denied", None, "live"));
        assert!(operations.iter().all(|operation| insider.prefetch(operation).is_none()), "a no waits for nothing");
        let requests: Vec<Request> = operations.iter().map(|operation| insider.request(&[operation]).unwrap()).collect();
        assert_eq!(call(&requests[0]), "POST /api/user/v1/upsert");
        assert_eq!(
            parsed(&requests[0]),
            json!({ "users": [{ "identifiers": { "uuid": "c-42" }, "attributes": { flag: false }, "not_append": true }] })
        );
        assert_eq!(call(&requests[1]), format!("POST {path}"));
        assert_eq!(parsed(&requests[1]), json!({ key: [address] }));
        assert_eq!(insider.base_url_of(&requests[1]), "https://contact.useinsider.com");
        assert_eq!(requests[1].secret_headers[0].1.expose(), "unsubscribe-key");
        assert_eq!(requests.len(), 2);
    }
}

#[test]
fn a_profile_based_account_unsubscribes_users() {
    let insider = open(json!({ "unsubscribe_by": "users" }));
    let operations = ops(&insider, &consented("email", "denied", None, "live"));
    let body = parsed(&insider.request(&[&operations[1]]).unwrap());
    assert_eq!(body, json!({ "users": [{ "uuid": "c-42", "email": "mara@example.com" }] }));
}

#[test]
fn silence_and_waiting_are_no_answer() {
    for status in ["unknown", "pending"] {
        assert!(ops(&open(json!({})), &consented("email", status, None, "live")).is_empty(), "{status}");
    }
}

#[test]
fn push_belongs_to_the_device_and_processing_needs_a_channel() {
    let built = open(json!({})).build(&consented("push", "granted", None, "live"));
    assert!(built.operations.is_empty());
    let built = open(json!({})).build(&consented("processing", "denied", None, "live"));
    assert!(built.operations.is_empty());
    let body = only(&open(json!({ "processing_channel": "processing" })), &consented("processing", "denied", None, "live"));
    assert_eq!(body["users"][0]["attributes"], json!({ "gdpr_optin": false }));
}

#[test]
fn a_yes_reads_first_and_says_what_it_rests_on() {
    let insider = open(json!({ "consent_evidence": true }));
    let operations = ops(&insider, &consented("email", "granted", Some("2025-05-01T08:00:00Z"), "live"));
    assert_eq!(operations.len(), 1, "nobody is resubscribed unless that is asked for");
    let first = insider.prefetch(&operations[0]).unwrap();
    assert_eq!(call(&first), "POST /api/user/v1/profile");
    assert_eq!(
        parsed(&first),
        json!({ "identifiers": { "uuid": "c-42" }, "attributes": ["email_optin", "global_unsubscribe", "c_email_consent", "c_email_consent_at"] })
    );
    let body = parsed(&insider.request(&[&operations[0]]).unwrap());
    assert_eq!(
        body["users"][0]["attributes"],
        json!({ "email_optin": true, "custom": { "email_consent": "granted", "email_consent_at": "2025-05-01T08:00:00Z" } })
    );
}

#[test]
fn resubscribing_goes_before_the_flag_with_a_key_of_its_own() {
    let insider = open(json!({ "consent_evidence": true, "resubscribe": "newer_opt_in", "resubscribe_token": "resubscribe-key",
        "left_events": { "email": "email_unsubscribe", "sms": "sms_unsubscribe", "whatsapp": "whatsapp_unsubscribe" } }));
    for (channel, path) in [("email", "/email/v2/subscribe"), ("sms", "/sms/v2/subscribe"), ("whatsapp", "/whatsapp/v2/subscribe")] {
        let operations = ops(&insider, &consented(channel, "granted", Some("2025-05-01T08:00:00Z"), "live"));
        let request = insider.request(&[&operations[0]]).unwrap();
        assert_eq!(call(&request), format!("POST {path}"));
        assert_eq!(request.secret_headers[0].1.expose(), "resubscribe-key");
        let first = parsed(&insider.prefetch(&operations[0]).unwrap());
        let wanted = json!([{ "event_name": format!("{channel}_unsubscribe"), "params": ["timestamp"] }]);
        assert_eq!(first["events"], json!({ "start_date": 0, "end_date": 4_102_444_800_u64, "wanted": wanted }));
        assert_eq!(operations[1].endpoint, "users.consent");
        assert_eq!(ops(&insider, &consented(channel, "granted", None, "live")).len(), 1, "a yes without a time lifts nothing");
        assert_eq!(ops(&insider, &consented(channel, "granted", Some("2025-05-01T08:00:00Z"), "backfill")).len(), 1);
    }
    for settings in [
        json!({ "resubscribe": "newer_opt_in" }),
        json!({ "resubscribe": "newer_opt_in", "consent_evidence": true, "resubscribe_token": "resubscribe-key" }),
    ] {
        assert!(Insider::new(config(settings)).is_err());
    }
}

#[test]
fn a_box_on_an_order_writes_the_permission_only() {
    let mut record = consented("email", "denied", None, "live");
    record.envelope.resource.kind = "order".to_owned();
    let operations = ops(&open(json!({})), &record);
    assert!(operations.iter().all(|operation| operation.endpoint != "users.upsert" && operation.version.is_none()));
}

fn renamed(change: Value) -> Record {
    let mut event = json!({ "type": "event", "name": "email_changed", "previous": { "email": "old@example.com" } });
    merge(&mut event, change);
    record(event, json!({}))
}

#[test]
fn a_new_address_takes_the_place_of_the_old_one_once_nobody_else_has_it() {
    let insider = open(json!({}));
    let operations = ops(&insider, &renamed(json!({})));
    assert_eq!(operations.len(), 1);
    let operation = &operations[0];
    assert_eq!((operation.once, operation.lane.as_str()), (true, "profile:c-42"));
    let request = insider.request(&[operation]).unwrap();
    assert_eq!(call(&request), "PATCH /api/user/v1/identity");
    assert_eq!(
        parsed(&request),
        json!({ "old_identifier": { "email": "old@example.com" }, "new_identifier": { "email": "mara@example.com" } })
    );
    let first = insider.prefetch(operation).unwrap();
    assert_eq!(parsed(&first), json!({ "identifiers": { "email": "mara@example.com" }, "attributes": ["uuid"] }));
    let outcome = |insider: &Insider, status, body| match insider.complete(operation, &reply(status, body)) {
        Ok(super::super::super::Completed::Send(request)) => call(&request),
        Ok(super::super::super::Completed::Skip(skip)) => skip.reason.name().to_owned(),
        Ok(other) => panic!("{other:?}"),
        Err(error) => error.code().name().to_owned(),
    };
    let nobody = json!({ "error": "no such user for these identifiers: no data" });
    assert_eq!(outcome(&insider, 404, nobody), "PATCH /api/user/v1/identity");
    assert_eq!(outcome(&insider, 200, json!({ "attributes": { "uuid": "c-42" } })), "unchanged");
    assert_eq!(outcome(&insider, 200, json!({ "attributes": { "uuid": "c-7" } })), "conflict");
    assert_eq!(outcome(&open(json!({ "identity_conflict": "merge" })), 200, json!({ "attributes": { "uuid": "c-7" } })), "superseded");
    assert_eq!(outcome(&insider, 403, json!({ "error": "forbidden" })), "forbidden");
}

#[test]
fn an_address_that_is_no_identifier_needs_no_change_of_identity() {
    let built = open(json!({ "identifiers": { "email": false } })).build(&renamed(json!({})));
    assert!(built.operations.is_empty());
    assert_eq!(built.skipped[0].reason, SkipReason::NotConfigured);
    let operations = ops(&open(json!({ "event_names": { "email_changed": "email_changed" } })), &renamed(json!({})));
    let endpoints: Vec<_> = operations.iter().map(|operation| operation.endpoint.as_ref()).collect();
    assert_eq!(endpoints, ["users.updateIdentity", "events.custom"]);
}

#[test]
fn a_sign_in_names_the_session_before_it() {
    let insider = open(json!({ "identifiers": { "anonymous": "visitor_id" } }));
    let record = record(json!({ "type": "event", "name": "logged_in", "previous": { "anonymous_id": "v-77" } }), json!({}));
    let user = &only(&insider, &record)["users"][0];
    assert_eq!(user["identifiers"], json!({ "uuid": "c-42", "custom": { "visitor_id": "v-77" } }));
    assert_eq!(user["events"][0], json!({ "event_name": "login", "timestamp": "2025-05-20T10:00:00.120Z" }));
}

#[test]
fn an_erasure_names_every_identifier_and_a_deletion_is_kept_back() {
    let erased = |erase: bool| record(json!({ "type": "contact_deleted", "erase": erase }), json!({}));
    let insider = open(json!({}));
    let operations = ops(&insider, &erased(true));
    let bodies: Vec<Value> = operations.iter().map(|operation| parsed(&insider.request(&[operation]).unwrap())).collect();
    assert_eq!(bodies, [json!({ "identifiers": { "uuid": "c-42" } }), json!({ "identifiers": { "email": "mara@example.com" } })]);
    assert!(operations.iter().all(|operation| operation.endpoint == "users.delete"));
    assert_ne!(operations[0].idempotency_key, operations[1].idempotency_key);
    assert_eq!(insider.build(&erased(false)).skipped[0].reason, SkipReason::NotConfigured);
    assert_eq!(ops(&open(json!({ "contact_deleted": "delete" })), &erased(false))[0].endpoint, "users.delete");
    assert_eq!(ops(&open(json!({ "erase": "anonymize" })), &erased(true))[0].endpoint, "users.anonymize");
}

#[test]
fn nothing_personal_and_no_key_shows_in_debug() {
    let insider = open(json!({ "resubscribe_token": "resubscribe-key" }));
    let operations = ops(&insider, &consented("email", "denied", None, "live"));
    let request = insider.request(&[&operations[1]]).unwrap();
    let shown = format!("{insider:?} {operations:?} {request:?} {:?}", insider.check());
    for secret in ["ucd-key", "catalog-key", "unsubscribe-key", "resubscribe-key", "mara@", "4915112345678"] {
        assert!(!shown.contains(secret), "{secret}");
    }
    assert!(operations.iter().all(|operation| !operation.lane.contains("mara") && !operation.entity.contains("mara")));
    let guest = ops(&insider, &contact(json!({ "first_name": "M" }), json!({ "identity": { "email": "mara@example.com" } })));
    assert!(!guest[0].lane.contains('@') && !guest[0].entity.contains('@'));
}

#[test]
fn a_yes_is_an_act_of_its_time_and_closes_nothing() {
    let insider = open(json!({}));
    let one = |at: Option<&str>, mode: &str| ops(&insider, &consented("email", "granted", at, mode)).remove(0);
    let (first, again) = (one(Some("2025-05-01T08:00:00Z"), "live"), one(Some("2025-05-02T08:00:00Z"), "live"));
    assert!(first.once && again.once);
    assert_ne!(first.idempotency_key, again.idempotency_key);
    assert!(first.supersedes.is_empty(), "an act closes what it supersedes for good");
    assert!(!one(None, "live").once && !one(Some("2025-05-01T08:00:00Z"), "backfill").once);
    let no = ops(&insider, &consented("email", "denied", Some("2025-05-03T08:00:00Z"), "live")).remove(0);
    assert_eq!((no.once, no.supersedes.as_slice()), (false, &[no.entity.clone()][..]));
}

#[test]
fn a_no_that_is_repeated_is_the_same_bytes_whatever_the_version() {
    let insider = open(json!({}));
    let bodies = |version: u64| {
        let mut record = consented("email", "denied", None, "live");
        record.envelope.version = Some(version);
        record.envelope.occurred_at += chrono::TimeDelta::days(version as i64);
        ops(&insider, &record).into_iter().map(|operation| operation.body).collect::<Vec<_>>()
    };
    assert_eq!(bodies(1), bodies(2));
}

#[test]
fn a_yes_for_a_channel_whose_leaving_nothing_shows_is_not_written() {
    for channel in ["sms", "whatsapp"] {
        let built = open(json!({})).build(&consented(channel, "granted", Some("2025-05-01T08:00:00Z"), "live"));
        assert!(built.operations.is_empty());
        assert!(built.skipped.iter().any(|skip| skip.reason == SkipReason::NotConfigured && skip.detail.contains("left_events")));
        let insider = open(json!({ "left_events": { channel: "left" } }));
        let operations = ops(&insider, &consented(channel, "granted", Some("2025-05-01T08:00:00Z"), "live"));
        let outcome = |body: Value| match insider.complete(&operations[0], &reply(200, body)).unwrap() {
            super::super::super::Completed::Send(request) => call(&request),
            super::super::super::Completed::Skip(skip) => skip.reason.name().to_owned(),
            other => panic!("{other:?}"),
        };
        let flag = format!("{channel}_optin");
        let left = json!({ "left": [{ "timestamp": "2025-04-01T00:00:00Z" }] });
        assert_eq!(outcome(json!({ "attributes": {}, "events": { "left": [] } })), "POST /api/user/v1/upsert");
        assert_eq!(outcome(json!({ "attributes": {}, "events": left })), "denied_at_destination");
        assert_eq!(outcome(json!({ "attributes": { &flag: false }, "events": {} })), "denied_at_destination");
        assert_eq!(outcome(json!({ "attributes": { &flag: true }, "events": left })), "unchanged");
        assert_eq!(outcome(json!({ "attributes": { &flag: "perhaps" } })), "denied_at_destination", "what is no clear yes is a no");
    }
}

#[test]
fn insider_is_told_whom_to_call_when_it_changes_its_mind() {
    let insider = open(json!({ "error_callback": "https://hooks.example.com/insider?key=s3cret" }));
    let row = contact(json!({ "first_name": "Mara", "consents": [{ "channel": "email", "status": "denied" }] }), json!({}));
    for operation in ops(&insider, &row).iter().filter(|operation| operation.endpoint.starts_with("users.")) {
        let body = parsed(&insider.request(&[operation]).unwrap());
        assert_eq!(body["error_callback_endpoint"], "https://hooks.example.com/insider?key=s3cret");
    }
    assert!(!format!("{insider:?}").contains("s3cret"));
    for url in ["http://hooks.example.com", "hooks", "https://a b"] {
        let error = Insider::new(config(json!({ "error_callback": url }))).unwrap_err();
        assert!(format!("{error:?}").contains("/error_callback"), "{url}: {error:?}");
    }
}
