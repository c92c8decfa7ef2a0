//! What golden files cannot say: keys that are equal however a thing is heard, proofs of webhooks, cut input, secrets.

#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::webhooks::{WebhookConfig, WebhookScheme, delivery_keys, verify};
use super::{Bigcommerce, Config};
use crate::error::ErrorCode;
use crate::http::Secret;
use crate::model::{Body, Instant};
use crate::sources::{DecodeContext, Decoded, Source};

fn decode(document: &Value) -> Decoded {
    decode_bytes(document.to_string().as_bytes())
}

fn decode_bytes(raw: &[u8]) -> Decoded {
    let config: Config =
        serde_json::from_value(json!({"store": "demo", "currency": "EUR", "contact_fields": [{"field": "notes"}]})).unwrap();
    let mut out = Decoded::default();
    Bigcommerce::new(config).unwrap().decode(raw, &DecodeContext::at(now()), &mut out);
    out
}

fn now() -> Instant {
    "2026-03-02T10:00:00Z".parse().unwrap()
}

fn keys(out: &Decoded, kind: &str) -> Vec<String> {
    let of = out.records.iter().filter(|one| one.record.body.kind() == kind);
    of.map(|one| one.record.envelope.idempotency_key.to_string()).collect()
}

fn line() -> Value {
    json!({"id": 1, "order_id": 41, "product_id": 5, "name": "Pan", "sku": "PAN", "type": "physical", "quantity": 1,
           "price_inc_tax": "10.0000", "price_ex_tax": "10.0000", "total_inc_tax": "10.0000", "total_ex_tax": "10.0000"})
}

fn order() -> Value {
    json!({"id": 41, "customer_id": 0, "status_id": 11, "date_created": "Sun, 01 Mar 2026 14:02:11 +0000",
           "date_modified": "Sun, 01 Mar 2026 14:02:40 +0000", "total_inc_tax": "10.0000", "total_tax": "0.0000",
           "default_currency_code": "EUR", "billing_address": {"email": "a@example.com"}})
}

fn shipment() -> Value {
    json!({"id": 6, "order_id": 41, "customer_id": 0, "date_created": "Mon, 02 Mar 2026 07:30:00 +0000", "tracking_number": "1Z",
           "items": [{"order_product_id": 1, "quantity": 1}]})
}

#[test]
fn an_order_has_one_key_whether_its_parts_are_beside_it_or_inside() {
    let beside = decode(&json!({"order": order(), "products": [line()]}));
    let mut whole = order();
    whole["products"] = json!([line()]);
    let inside = decode(&json!([whole]));
    assert_eq!(keys(&beside, "order"), keys(&inside, "order"));
    assert_eq!(keys(&beside, "order").len(), 1);
}

#[test]
fn a_parcel_has_one_key_whether_it_comes_alone_or_with_its_order_and_however_the_order_changed() {
    let alone = decode(&shipment());
    let mut with = json!({"order": order(), "products": [line()], "shipments": [shipment()]});
    let first = decode(&with);
    with["order"]["date_modified"] = json!("Mon, 02 Mar 2026 09:30:00 +0000");
    let later = decode(&with);
    assert_eq!(keys(&alone, "shipment"), keys(&first, "shipment"));
    assert_eq!(keys(&first, "shipment"), keys(&later, "shipment"));
    assert_ne!(keys(&first, "order"), keys(&later, "order"), "another state of the order");
}

#[test]
fn a_refund_has_one_key_for_good() {
    let refund = |reason: &str| {
        json!({"order": order(), "products": [line()], "refunds": {"data": [{"id": 3, "order_id": 41, "created": "2026-03-02T09:00:00+00:00",
               "reason": reason, "total_amount": 5, "items": [], "payments": [{"amount": 5, "is_declined": false}]}], "meta": {}}})
    };
    assert_eq!(keys(&decode(&refund("a")), "refund"), keys(&decode(&refund("b")), "refund"));
    assert_eq!(keys(&decode(&refund("a")), "refund").len(), 1);
}

#[test]
fn a_deleted_customer_has_one_key_however_often_it_is_told() {
    let hook = |hash: &str| {
        json!({"scope": "store/customer/deleted", "store_id": "1", "producer": "stores/demo", "data": {"type": "customer", "id": 7},
               "hash": hash, "created_at": 1_772_445_600})
    };
    assert_eq!(keys(&decode(&hook("a")), "contact_deleted"), keys(&decode(&hook("b")), "contact_deleted"));
}

#[test]
fn nothing_of_an_order_that_was_not_finished_is_news() {
    let mut unfinished = order();
    unfinished["status_id"] = json!(0);
    let out = decode(&json!({"order": unfinished, "products": [line()], "shipments": [shipment()]}));
    assert_eq!(out.records.len(), 1, "the order as it stands, and no parcel");
    assert!(matches!(&out.records[0].record.body, Body::Order(order) if order.status.as_str() == "incomplete"));
}

#[test]
fn a_document_cut_anywhere_is_rejected_and_never_silent() {
    let whole = json!({"order": order(), "products": [line()], "shipments": [shipment()]}).to_string();
    let page = json!({"data": [{"id": 7, "email": "a@example.com", "customer_group_id": 0}], "meta": {"pagination": {}}}).to_string();
    for text in [whole, page] {
        for cut in 1..text.len() {
            assert!(!decode_bytes(&text.as_bytes()[..cut]).rejected.is_empty(), "cut at {cut}");
        }
    }
}

#[test]
fn staff_notes_never_leave_though_somebody_asks_for_them() {
    let out = decode(
        &json!({"id": 7, "email": "a@example.com", "customer_group_id": 0, "notes": "pays late", "registration_ip_address": "192.0.2.1"}),
    );
    let text = serde_json::to_string(&out.records).unwrap();
    assert!(!text.contains("pays late") && !text.contains("192.0.2.1"));
    // Whoever asked is told, without the value.
    let told: Vec<&str> = out.records[0].findings.iter().map(|finding| finding.pointer.as_str()).collect();
    assert_eq!(told, ["/notes"]);
}

const BODY: &[u8] = br#"{"scope":"store/order/created","store_id":"1","data":{"type":"order","id":41},"hash":"aa","created_at":1772445600,"producer":"stores/demo"}"#;

fn config(scheme: WebhookScheme) -> WebhookConfig {
    WebhookConfig { scheme, token: Secret::new("t0ken"), client_secret: Secret::new("s3cret"), ..WebhookConfig::default() }
}

fn code(result: Result<(), crate::Error>) -> Option<ErrorCode> {
    result.err().map(|error| error.code())
}

// HMAC-SHA256 with the key `s3cret`, made with another implementation: of `msg_1.1772445600.` and the body, in base64; of the body, in hex.
const STANDARD: &str = "v1,FOGONMkhC0SNKPUPYIVmENX0rqa5M8WXAkg24wFVcRc=";
const OF_BODY: &str = "78118675a30aca2d5819bbb4ac4bdbac0d2cff2f21c1aa737647217ad7de64ea";

#[test]
fn the_token_is_taken_from_its_header_in_any_case_and_nothing_else() {
    let config = config(WebhookScheme::Header);
    assert_eq!(code(verify(BODY, &[("X-Webhook-Token", "t0ken")], &config, now())), None);
    for headers in [
        &[("x-webhook-token", "t0kem")][..],
        &[("x-webhook-token", "")],
        &[("x-webhook-token", "t0ken2")],
        &[("authorization", "t0ken")],
        &[],
    ] {
        assert_eq!(code(verify(BODY, headers, &config, now())), Some(ErrorCode::SignatureMismatch), "{headers:?}");
    }
}

#[test]
fn a_standard_signature_is_right_for_its_body_its_time_and_its_secret_only() {
    let config = config(WebhookScheme::Standard);
    let headers = [("webhook-id", "msg_1"), ("webhook-timestamp", "1772445600"), ("webhook-signature", STANDARD)];
    assert_eq!(code(verify(BODY, &headers, &config, now())), None);
    let two = format!("v1,AAAA {STANDARD}");
    let rotated = [headers[0], headers[1], ("webhook-signature", two.as_str())];
    assert_eq!(code(verify(BODY, &rotated, &config, now())), None);
    let mismatch = Some(ErrorCode::SignatureMismatch);
    assert_eq!(code(verify(&BODY[1..], &headers, &config, now())), mismatch);
    assert_eq!(code(verify(BODY, &[headers[0], ("webhook-timestamp", "1772445601"), headers[2]], &config, now())), mismatch);
    assert_eq!(code(verify(BODY, &[("webhook-id", "msg_2"), headers[1], headers[2]], &config, now())), mismatch);
    assert_eq!(code(verify(BODY, &headers[..2], &config, now())), mismatch);
    let other = WebhookConfig { client_secret: Secret::new("other"), ..config.clone() };
    assert_eq!(code(verify(BODY, &headers, &other, now())), mismatch);
    for late in ["2026-03-02T10:05:01Z", "2026-03-02T09:54:59Z"] {
        assert_eq!(code(verify(BODY, &headers, &config, late.parse().unwrap())), Some(ErrorCode::SignatureExpired), "{late}");
    }
    assert_eq!(code(verify(BODY, &headers, &config, "2026-03-02T10:05:00Z".parse().unwrap())), None);
}

#[test]
fn a_signature_of_the_body_is_read_in_both_spellings() {
    let config = config(WebhookScheme::Body);
    let upper = OF_BODY.to_ascii_uppercase();
    assert_eq!(code(verify(BODY, &[("X-BC-Signature", OF_BODY)], &config, now())), None);
    assert_eq!(code(verify(BODY, &[("x-bc-signature", &upper)], &config, now())), None);
    assert_eq!(code(verify(BODY, &[("x-bc-signature", "00")], &config, now())), Some(ErrorCode::SignatureMismatch));
    assert_eq!(code(verify(BODY, &[], &config, now())), Some(ErrorCode::SignatureMismatch));
}

/// One bit of the proof, of the body or of what is signed besides: nothing of it may differ.
#[test]
fn a_call_with_one_bit_changed_is_refused_under_every_scheme() {
    let schemes: [(WebhookScheme, &[(&str, &str)]); 3] = [
        (WebhookScheme::Header, &[("x-webhook-token", "t0ken")]),
        (WebhookScheme::Standard, &[("webhook-id", "msg_1"), ("webhook-timestamp", "1772445600"), ("webhook-signature", STANDARD)]),
        (WebhookScheme::Body, &[("x-bc-signature", OF_BODY)]),
    ];
    for (scheme, headers) in schemes {
        let config = config(scheme);
        assert_eq!(code(verify(BODY, headers, &config, now())), None);
        for at in 0..headers.len() {
            for byte in 0..headers[at].1.len() {
                // The lowest bit: another letter or digit, and never only the other case.
                let mut changed = headers[at].1.as_bytes().to_vec();
                changed[byte] ^= 1;
                let changed = String::from_utf8(changed).unwrap();
                let mut headers = headers.to_vec();
                headers[at].1 = &changed;
                assert!(verify(BODY, &headers, &config, now()).is_err(), "{scheme:?} {changed}");
            }
        }
        // A token says nothing of the body; a signature says all of it.
        for byte in (0..BODY.len()).filter(|_| scheme != WebhookScheme::Header) {
            let mut body = BODY.to_vec();
            body[byte] ^= 1;
            assert_eq!(code(verify(&body, headers, &config, now())), Some(ErrorCode::SignatureMismatch), "{scheme:?} {byte}");
        }
        // Played again once the event is too old, whatever proves it; a signature with a time of its own is stricter.
        let late = "2026-03-05T10:00:01Z".parse().unwrap();
        assert_eq!(code(verify(BODY, headers, &config, late)), Some(ErrorCode::SignatureExpired), "{scheme:?}");
    }
}

#[test]
fn what_is_configured_and_there_must_all_be_right_and_something_must_be_there() {
    let both = config(WebhookScheme::Auto);
    let token = ("x-webhook-token", "t0ken");
    assert_eq!(code(verify(BODY, &[token], &both, now())), None);
    assert_eq!(code(verify(BODY, &[token, ("x-bc-signature", "00")], &both, now())), Some(ErrorCode::SignatureMismatch));
    assert_eq!(
        code(verify(BODY, &[("x-bc-signature", OF_BODY)], &both, now())),
        Some(ErrorCode::SignatureMismatch),
        "the token is missing"
    );
    let secret = WebhookConfig { token: Secret::default(), ..both };
    assert_eq!(code(verify(BODY, &[("x-bc-signature", OF_BODY)], &secret, now())), None);
    assert_eq!(code(verify(BODY, &[], &secret, now())), Some(ErrorCode::SignatureMismatch));
    let nothing = WebhookConfig::default();
    assert_eq!(code(verify(BODY, &[("x-webhook-token", "")], &nothing, now())), Some(ErrorCode::SignatureMismatch));
}

#[test]
fn an_event_played_again_after_days_is_refused() {
    let config = config(WebhookScheme::Header);
    let headers = [("x-webhook-token", "t0ken")];
    assert_eq!(code(verify(BODY, &headers, &config, "2026-03-05T10:00:00Z".parse().unwrap())), None);
    assert_eq!(code(verify(BODY, &headers, &config, "2026-03-05T10:00:01Z".parse().unwrap())), Some(ErrorCode::SignatureExpired));
    let unlimited = WebhookConfig { max_age_s: 0, ..config };
    assert_eq!(code(verify(BODY, &headers, &unlimited, "2027-01-01T00:00:00Z".parse().unwrap())), None);
}

#[test]
fn deliveries_are_told_apart_by_scope_hash_and_time_together() {
    let hook_at =
        |scope: &str, hash: &str, at: u64| json!({"scope": scope, "producer": "stores/demo", "data": {}, "hash": hash, "created_at": at});
    let hook = |scope: &str, hash: &str| hook_at(scope, hash, 1_772_445_600);
    let one = delivery_keys(hook("store/order/created", "aa").to_string().as_bytes());
    let again = delivery_keys(json!([hook("store/order/created", "aa"), hook("store/order/archived", "aa")]).to_string().as_bytes());
    assert_eq!((one.len(), again.len()), (1, 2));
    assert_eq!(one[0], again[0]);
    assert_ne!(again[0], again[1], "the vendor's own examples reuse hashes over scopes");
    let later = delivery_keys(hook_at("store/order/created", "aa", 1_772_445_601).to_string().as_bytes());
    assert_ne!(later, one, "another change of the same thing is no repetition");
    for unknown in ["not json", "{}", r#"{"order": {"id": 1}}"#, r#"[{"scope": "store/order/created", "created_at": 1}]"#] {
        assert!(delivery_keys(unknown.as_bytes()).is_empty(), "{unknown}");
    }
}

#[test]
fn secrets_are_shown_nowhere() {
    let config = Config { webhooks: config(WebhookScheme::Auto), ..Config::default() };
    let shown = format!("{config:?} {}", serde_json::to_string(&config).unwrap());
    assert!(!shown.contains("t0ken") && !shown.contains("s3cret"));
}

#[test]
fn a_scheme_without_its_secret_is_refused() {
    for scheme in ["header", "standard", "body"] {
        let config: Config = serde_json::from_value(json!({"webhooks": {"scheme": scheme}})).unwrap();
        let error = Bigcommerce::new(config).err().unwrap();
        assert_eq!(error.code(), ErrorCode::InvalidConfig, "{scheme}");
    }
}

/// Golden inputs with bytes flipped, dropped and doubled: whatever comes of them, nothing panics, every row is in exactly one
/// list, and the same bytes give the same answer. The fuzz target of this source goes on where this ends.
#[test]
fn broken_documents_are_counted_and_never_panic() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/bigcommerce");
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % u64::try_from(below.max(1)).unwrap()).unwrap()
    };
    let config: Config = serde_json::from_value(json!({
        "store": "demo", "currency": "USD", "site_url": "https://shop.example", "attribute_names": {"3": "Points"},
        "contact_fields": [{"field": "Points", "type": "integer"}], "attributes": [{"field": "Size"}],
        "order_fields": [{"field": "Delivery window"}, {"field": "external_order_id"}],
        "consents": [{"channel": "sms", "on": "attribute", "field": "Points"}, {"channel": "email", "on": "order", "field": "is_email_opt_in"}]
    }))
    .unwrap();
    let source = Bigcommerce::new(config).unwrap();
    let read = |bytes: &[u8]| {
        let mut out = Decoded::default();
        source.decode(bytes, &DecodeContext::at(now()), &mut out);
        out
    };
    const BYTES: &[u8] = b"{}[]\",:0129.-eE+ntf\\ \x80";
    let mut documents = 0;
    for case in std::fs::read_dir(folder).unwrap() {
        let Ok(raw) = std::fs::read(case.unwrap().path().join("source.json")) else { continue };
        documents += 1;
        for _ in 0..60 {
            let mut bytes = raw.clone();
            for _ in 0..=random(3) {
                let at = random(bytes.len());
                match random(4) {
                    _ if bytes.is_empty() => {}
                    0 => bytes[at] = BYTES[random(BYTES.len())],
                    1 => {
                        bytes.remove(at);
                    }
                    2 => bytes.insert(at, BYTES[random(BYTES.len())]),
                    _ => {
                        let end = (at + random(200)).min(bytes.len());
                        bytes.drain(at..end);
                    }
                }
            }
            let out = read(&bytes);
            let mut seen: std::collections::BTreeSet<u64> = out.records.iter().map(|row| row.position).collect();
            let others = out.rejected.iter().map(|row| row.position).chain(out.ignored.iter().map(|row| row.position));
            for position in others.chain(out.fetches.iter().map(|row| row.position)) {
                assert!(seen.insert(position), "row {position} stands in two lists");
            }
            assert_eq!(seen.len() as u64, out.rows);
            assert_eq!(out, read(&bytes));
            for one in &out.records {
                let text = serde_json::to_string(&one.record).unwrap();
                assert_eq!(serde_json::from_str::<crate::model::Record>(&text).unwrap(), one.record);
            }
        }
    }
    assert!(documents > 50);
}

/// The storefront's signals must land with the people of the same store, or nobody who was erased would be known.
#[test]
fn the_store_that_is_set_is_the_tenant() {
    use crate::sources::Source;

    let source = super::Bigcommerce::new(super::Config { store: "abc123".into(), ..super::Config::default() }).unwrap();
    assert_eq!(source.tenant(), "abc123");
}
