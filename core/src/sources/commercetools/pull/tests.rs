//! What is asked, to the letter, and how answers are read. The questions are those of the platform's documentation.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::sources::Source;
use crate::sources::commercetools::Commercetools;
use crate::sources::pull::Cursor;

fn source(pull: Value, rest: Value) -> Result<Commercetools, Error> {
    let mut config = json!({"project": "demo", "pull": {"region": "europe-west1.gcp", "client_id": "id", "client_secret": "s3cret"}});
    for (name, value) in pull.as_object().unwrap() {
        config["pull"][name] = value.clone();
    }
    for (name, value) in rest.as_object().unwrap() {
        config[name] = value.clone();
    }
    Commercetools::new(serde_json::from_value(config).unwrap())
}

fn plain() -> Commercetools {
    source(json!({}), json!({})).unwrap()
}

fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

fn stream(name: &str) -> &'static StreamFacts {
    FACTS.stream(name).unwrap()
}

fn pass(from: Option<&str>, last: &str) -> Pass {
    Pass { from: from.map(at), until: None, started_at: at("2026-11-21T10:00:00Z"), asked: None, at: last.to_owned(), page_size: 500 }
}

/// The path of a request and its parameters, decoded; a name that comes several times has its values joined by a bar.
fn question(request: &Request) -> (String, BTreeMap<String, String>) {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let decode = |text: &str| {
        let mut bytes = Vec::new();
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            match byte {
                b'%' => {
                    let hex = [rest.next().unwrap(), rest.next().unwrap()];
                    bytes.push(u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap());
                }
                _ => bytes.push(byte),
            }
        }
        String::from_utf8(bytes).unwrap()
    };
    let mut parameters = BTreeMap::<String, String>::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap();
        let known = parameters.entry(decode(name)).or_default();
        if !known.is_empty() {
            known.push('|');
        }
        known.push_str(&decode(value));
    }
    (path.to_owned(), parameters)
}

fn asked(source: &Commercetools, name: &str, pass: &Pass) -> (String, BTreeMap<String, String>) {
    question(&source.pull().unwrap().page(stream(name), pass).unwrap())
}

fn reply(status: u16, body: &Value) -> Reply {
    let headers = vec![("date".to_owned(), "Sat, 21 Nov 2026 09:59:58 GMT".to_owned())];
    Reply { status, headers, body: body.to_string().into_bytes() }
}

#[test]
fn a_first_page_asks_for_everything_in_the_order_of_ids_without_a_total() {
    let (path, parameters) = asked(&plain(), "customers", &pass(None, ""));
    assert_eq!(path, "/demo/customers");
    let wanted = [("expand", "customerGroup"), ("limit", "500"), ("sort", "id asc"), ("withTotal", "false")];
    assert_eq!(parameters, wanted.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
}

#[test]
fn a_later_page_goes_on_behind_the_last_id_and_keeps_its_window() {
    let (_, parameters) = asked(&plain(), "orders", &pass(Some("2026-11-01T08:30:00Z"), "0b5f"));
    assert_eq!(parameters["where"], "lastModifiedAt >= :from and id > :last");
    assert_eq!((parameters["var.from"].as_str(), parameters["var.last"].as_str()), ("2026-11-01T08:30:00.000Z", "0b5f"));
    assert_eq!(parameters["expand"], "paymentInfo.payments[*]|discountCodes[*].discountCode|customerGroup");
    assert!(!parameters.contains_key("offset"));
}

#[test]
fn nothing_in_a_value_can_end_the_question_it_stands_in() {
    let request = plain().pull().unwrap().page(stream("categories"), &pass(None, "a\" or id > \"&limit=1 ü")).unwrap();
    assert!(request.path.contains("var.last=a%22%20or%20id%20%3E%20%22%26limit%3D1%20%C3%BC"), "{}", request.path);
    assert_eq!(question(&request).1["limit"], "500");
}

#[test]
fn a_store_has_its_own_lists_where_the_platform_has_them() {
    let source = source(json!({"store": "eu store"}), json!({})).unwrap();
    assert_eq!(asked(&source, "orders", &pass(None, "")).0, "/demo/in-store/key=eu%20store/orders");
    for stream in ["payments", "inventory", "categories", "standalone_prices"] {
        assert!(!asked(&source, stream, &pass(None, "")).0.contains("in-store"), "{stream}");
    }
    let (path, parameters) = asked(&source, "products", &pass(None, ""));
    assert_eq!((path.as_str(), parameters["storeProjection"].as_str()), ("/demo/product-projections", "eu store"));
    assert_eq!(source.pull().unwrap().scope(), "demo/eu store");
}

#[test]
fn products_are_asked_for_with_the_price_of_the_market() {
    let channel = "7a2d0b8e-0f3a-4c8e-9b0a-111111111111";
    let rest = json!({"currency": "EUR", "country": "DE", "channel": channel, "customer_group": "vip"});
    let (_, parameters) = asked(&source(json!({}), rest).unwrap(), "products", &pass(None, ""));
    assert_eq!((parameters["priceCurrency"].as_str(), parameters["priceCountry"].as_str()), ("EUR", "DE"));
    assert_eq!(parameters["priceChannel"], channel);
    assert!(!parameters.contains_key("priceCustomerGroup"), "a key is no id: the platform would refuse it");
    let without = source(json!({}), json!({"country": "DE"})).unwrap();
    assert!(!asked(&without, "products", &pass(None, "")).1.contains_key("priceCountry"), "refused without a currency");
}

#[test]
fn carts_left_alone_are_active_filled_have_a_person_and_have_not_changed_since() {
    let source = source(json!({"abandoned_after_minutes": 45}), json!({})).unwrap();
    let shop = source.pull().unwrap();
    let now = at("2026-11-21T10:00:00Z");
    let facts = stream("abandoned_carts");
    let mut cursor = Cursor::default();
    let pass = cursor.open(facts, None, shop.until(facts, now), now).clone();
    assert_eq!((pass.from, pass.until), (Some(at("2026-10-22T10:00:00Z")), Some(at("2026-11-21T09:15:00Z"))));
    let (path, parameters) = question(&shop.page(facts, &pass).unwrap());
    assert_eq!(path, "/demo/carts");
    assert_eq!(
        parameters["where"],
        "cartState = \"Active\" and origin = \"Customer\" and lineItems is not empty and (customerEmail is defined or customerId is \
         defined) and lastModifiedAt >= :from and lastModifiedAt < :until"
    );
    assert!(shop.is_default(facts));
    assert!(!plain().pull().unwrap().is_default(facts), "nobody asked for it");
    cursor.advance(&Page::default());
    assert_eq!(cursor.read_until, Some(at("2026-11-21T09:15:00Z")), "carts that became idle later come next time");
}

#[test]
fn every_region_has_its_hosts_and_both_can_be_given() {
    for region in ["us-central1.gcp", "us-east-2.aws", "europe-west1.gcp", "eu-central-1.aws", "australia-southeast1.gcp"] {
        let source = source(json!({"region": region}), json!({})).unwrap();
        let shop = source.pull().unwrap();
        let token = shop.authorization().unwrap();
        let page = shop.page(stream("orders"), &pass(None, "")).unwrap();
        assert_eq!(shop.base_url(&token), format!("https://auth.{region}.commercetools.com"));
        assert_eq!(shop.base_url(&page), format!("https://api.{region}.commercetools.com"));
    }
    let own =
        source(json!({"region": null, "api_url": "https://api.sphere.io/", "auth_url": "https://auth.sphere.io"}), json!({})).unwrap();
    let shop = own.pull().unwrap();
    assert_eq!(shop.base_url(&shop.page(stream("orders"), &pass(None, "")).unwrap()), "https://api.sphere.io");
}

#[test]
fn what_is_missing_for_pulling_is_named() {
    let path = |pull: Value, rest: Value| source(pull, rest).unwrap_err().path().map(str::to_owned);
    assert_eq!(path(json!({"client_id": ""}), json!({})).as_deref(), Some("/pull/client_id"));
    assert_eq!(path(json!({"client_secret": ""}), json!({})).as_deref(), Some("/pull/client_secret"));
    assert_eq!(path(json!({"region": null}), json!({})).as_deref(), Some("/pull/region"));
    assert_eq!(path(json!({"region": "eu/west"}), json!({})).as_deref(), Some("/pull/region"));
    assert_eq!(path(json!({}), json!({"project": ""})).as_deref(), Some("/project"));
}

#[test]
fn the_token_call_carries_the_client_and_shows_it_to_nobody() {
    let source = source(json!({"scopes": ["view_orders:demo", "view_customers:demo"]}), json!({})).unwrap();
    let request = source.pull().unwrap().authorization().unwrap();
    assert_eq!((request.method, request.path.as_str()), (Method::Post, "/oauth/token"));
    assert_eq!(request.body.as_deref(), Some(b"grant_type=client_credentials&scope=view_orders%3Ademo%20view_customers%3Ademo".as_slice()));
    // RFC 7617: base64 of `id:s3cret`.
    assert_eq!(request.secret_headers[0].0, "authorization");
    assert_eq!(request.secret_headers[0].1.expose(), "Basic aWQ6czNjcmV0");
    assert!(!format!("{source:?} {request:?}").contains("s3cret"));
}

#[test]
fn a_token_lasts_as_long_as_the_answer_says() {
    let source = plain();
    let shop = source.pull().unwrap();
    let body = json!({"access_token": "abc", "token_type": "Bearer", "expires_in": 172_800, "scope": "view_orders:demo"});
    let token = shop.read_authorization(&reply(200, &body)).unwrap();
    assert_eq!((token.header, token.value.expose(), token.expires_in.unwrap().as_secs()), ("authorization", "Bearer abc", 172_800));
    let refused = |status, word: &str| {
        let failure = shop.read_authorization(&reply(status, &json!({"error": word}))).unwrap_err();
        (matches!(failure, PullFailure::Stop(_)), failure.into_error().code())
    };
    assert_eq!(refused(401, "invalid_client"), (true, ErrorCode::Unauthorized));
    assert_eq!(refused(400, "invalid_scope"), (true, ErrorCode::Forbidden));
    assert_eq!(refused(503, ""), (false, ErrorCode::Unavailable));
    assert!(matches!(shop.read_authorization(&reply(200, &json!({}))), Err(PullFailure::Retry { .. })));
}

#[test]
fn a_full_page_leads_on_and_a_short_one_is_the_last() {
    let source = plain();
    let shop = source.pull().unwrap();
    let page = |limit: u64, ids: &[&str]| {
        let rows: Vec<Value> = ids.iter().map(|id| json!({"id": id, "x": {"id": "inner"}})).collect();
        let body = json!({"limit": limit, "offset": 0, "count": ids.len(), "results": rows});
        shop.read(stream("orders"), &pass(None, ""), &reply(200, &body)).unwrap()
    };
    assert_eq!(page(2, &["a", "b"]).next.as_deref(), Some("b"));
    assert_eq!((page(2, &["a"]).next, page(2, &["a"]).rows), (None, 1));
    // Less than was asked for and a full page of what the platform gives: it leads on.
    assert_eq!(page(2, &["a", "b"]).rows, 2);
    let empty = page(500, &[]);
    assert_eq!((empty.next, empty.body), (None, PageBody::Nothing));
    assert_eq!(empty.shop_time, Some(at("2026-11-21T09:59:58Z")));
}

#[test]
fn a_page_that_is_not_sorted_ends_the_stream_instead_of_losing_rows() {
    let source = plain();
    let body = |ids: [&str; 3]| json!({"limit": 3, "offset": 0, "count": 3, "results": ids.map(|id| json!({"id": id}))});
    let read = |ids| source.pull().unwrap().read(stream("orders"), &pass(None, ""), &reply(200, &body(ids)));
    assert!(read(["a", "b", "c"]).is_ok());
    for wrong in [["b", "a", "c"], ["a", "c", "b"], ["a", "a", "b"]] {
        assert!(matches!(read(wrong), Err(PullFailure::Stop(_))), "{wrong:?}");
    }
}

#[test]
fn a_page_that_is_cut_or_no_page_is_asked_for_again() {
    let source = plain();
    let shop = source.pull().unwrap();
    let whole = json!({"limit": 500, "offset": 0, "count": 2, "results": [{"id": "a"}, {"id": "b"}]}).to_string();
    for length in 0..whole.len() {
        let cut = Reply { status: 200, headers: Vec::new(), body: whole.as_bytes()[..length].to_vec() };
        assert!(matches!(shop.read(stream("orders"), &pass(None, ""), &cut), Err(PullFailure::Retry { .. })), "{length}");
    }
    let html = Reply { status: 200, headers: Vec::new(), body: b"<html>".to_vec() };
    assert!(matches!(shop.read(stream("orders"), &pass(None, ""), &html), Err(PullFailure::Retry { .. })));
}

#[test]
fn refusals_are_told_apart_by_their_code() {
    let source = plain();
    let shop = source.pull().unwrap();
    let judged = |status: u16, code: &str| shop.judge(&reply(status, &json!({"statusCode": status, "errors": [{"code": code}]})));
    assert!(judged(200, "").is_ok());
    assert!(judged(404, "ResourceNotFound").is_ok(), "it says that something is gone");
    assert!(matches!(judged(400, "InvalidInput"), Err(PullFailure::Stop(_))));
    assert!(matches!(judged(400, "ContentTooLarge"), Err(PullFailure::Smaller(_))));
    assert!(matches!(judged(503, "QueryTimedOut"), Err(PullFailure::Smaller(_))));
    assert!(matches!(judged(401, "invalid_token"), Err(PullFailure::Reauthorize(_))));
    assert!(matches!(judged(403, "insufficient_scope"), Err(PullFailure::Stop(error)) if error.code() == ErrorCode::Forbidden));
    assert!(matches!(judged(429, ""), Err(PullFailure::Retry { throttled: true, .. })));
    assert!(matches!(judged(503, "OverCapacity"), Err(PullFailure::Retry { throttled: true, .. })));
    assert!(matches!(judged(502, "BadGateway"), Err(PullFailure::Retry { throttled: false, .. })));
}

fn payment(id: &str, kind: &str, state: &str) -> Value {
    let amount = json!({"type": "centPrecision", "currencyCode": "EUR", "centAmount": 500, "fractionDigits": 2});
    json!({"id": id, "version": 2, "transactions": [{"id": format!("t-{id}"), "type": kind, "state": state, "amount": amount}]})
}

#[test]
fn only_payments_that_gave_money_back_are_followed_to_their_orders() {
    let source = plain();
    let shop = source.pull().unwrap();
    let rows = json!([
        payment("p1", "Charge", "Success"),
        payment("p2", "Refund", "Success"),
        payment("p3", "Refund", "Pending"),
        payment("p4", "Refund", "Success")
    ]);
    let body = json!({"limit": 500, "offset": 0, "count": 4, "results": rows});
    let page = shop.read(stream("payments"), &pass(None, ""), &reply(200, &body)).unwrap();
    assert_eq!((page.rows, page.body, page.wanted.len()), (4, PageBody::Nothing, 1));
    let Step::Ask(requests) = shop.follow(&page.wanted[0], &[]).unwrap() else { panic!() };
    let (path, parameters) = question(&requests[0]);
    assert_eq!(path, "/demo/orders");
    assert_eq!(parameters["where"], "paymentInfo(payments(id in (:n0, :n1)))");
    assert_eq!((parameters["var.n0"].as_str(), parameters["var.n1"].as_str()), ("p2", "p4"));
    // One has an order, which tells its refund; the other is told of as it is.
    let order = json!({"id": "o1", "paymentInfo": {"payments": [{"typeId": "payment", "id": "p4"}]}});
    let orders = json!({"limit": 500, "offset": 0, "count": 1, "results": [order]});
    let Step::Done(documents) = shop.follow(&page.wanted[0], &[reply(200, &orders)]).unwrap() else { panic!() };
    let told: Vec<(&str, Value)> =
        documents.iter().map(|document| (document.resource, serde_json::from_slice(&document.bytes).unwrap())).collect();
    assert_eq!(told, [("order", orders.clone()), ("payment", payment("p2", "Refund", "Success"))]);
    // Below a store it may be another store's.
    let below = super::tests::source(json!({"store": "eu"}), json!({})).unwrap();
    let Step::Done(documents) = below.pull().unwrap().follow(&page.wanted[0], &[reply(200, &orders)]).unwrap() else { panic!() };
    assert_eq!(documents.len(), 1);
}

#[test]
fn changed_stock_leads_to_the_products_of_its_skus_each_once() {
    let source = plain();
    let shop = source.pull().unwrap();
    let rows: Vec<Value> = (0..45).map(|number| json!({"id": format!("i{number}"), "sku": format!("sku-{:02}", number % 41)})).collect();
    let body = json!({"limit": 500, "offset": 0, "count": 45, "results": rows});
    let page = shop.read(stream("inventory"), &pass(None, ""), &reply(200, &body)).unwrap();
    let questions: Vec<_> = page
        .wanted
        .iter()
        .map(|wanted| match shop.follow(wanted, &[]).unwrap() {
            Step::Ask(requests) => question(&requests[0]).1,
            other => panic!("{other:?}"),
        })
        .collect();
    let named: usize = questions.iter().map(|one| one.keys().filter(|name| name.starts_with("var.")).count()).sum();
    assert_eq!((questions.len(), named), (3, 41));
    assert_eq!(questions[2]["where"], "masterVariant(sku in (:n0)) or variants(sku in (:n0))");
}

#[test]
fn what_a_message_names_is_read_by_its_id_and_what_is_gone_is_nothing() {
    let source = plain();
    let shop = source.pull().unwrap();
    let wanted = |kind: &str| Wanted { resource: ResourceRef { kind: kind.to_owned(), id: "a/b".to_owned() }, seed: None };
    let paths =
        [("customer", "customers"), ("order", "orders"), ("cart", "carts"), ("category", "categories"), ("product", "product-projections")];
    for (kind, path) in paths {
        let Step::Ask(requests) = shop.follow(&wanted(kind), &[]).unwrap() else { panic!() };
        assert_eq!(question(&requests[0]).0, format!("/demo/{path}/a%2Fb"));
        let Step::Done(documents) = shop.follow(&wanted(kind), &[reply(200, &json!({"id": "a/b"}))]).unwrap() else { panic!() };
        assert_eq!((documents[0].resource, documents[0].bytes.as_slice()), (kind, br#"{"id":"a/b"}"#.as_slice()));
        assert!(matches!(shop.follow(&wanted(kind), &[reply(404, &json!({}))]).unwrap(), Step::Nothing(_)));
    }
    assert!(matches!(shop.follow(&wanted("tax-category"), &[]).unwrap(), Step::Nothing(_)));
}

#[test]
fn no_page_is_larger_than_the_platform_gives() {
    for stream in FACTS.streams {
        assert!((1..=500).contains(&stream.page_size), "{}", stream.name);
        assert!(stream.overlap_s >= 120, "{}: the vendor's own synchronisation overlaps by two minutes", stream.name);
    }
}
