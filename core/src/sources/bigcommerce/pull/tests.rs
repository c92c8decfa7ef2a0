//! What is asked, to the letter, and how answers are read. The questions are those of the platform's documentation.

#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::*;
use crate::sources::bigcommerce::Bigcommerce;
use crate::sources::pull::Cursor;
use crate::sources::{DecodeContext, Decoded, Source};

mod steps;

fn source(pull: Value, rest: Value) -> Result<Bigcommerce, Error> {
    let mut config = json!({"store": "abc123", "pull": {"access_token": "s3cret"}});
    for (name, value) in pull.as_object().unwrap() {
        config["pull"][name] = value.clone();
    }
    for (name, value) in rest.as_object().unwrap() {
        config[name] = value.clone();
    }
    Bigcommerce::new(serde_json::from_value(config).unwrap())
}

fn plain() -> Bigcommerce {
    source(json!({}), json!({})).unwrap()
}

fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

fn stream(name: &str) -> &'static StreamFacts {
    FACTS.stream(name).unwrap()
}

fn pass(name: &str, from: Option<&str>, at_: &str) -> Pass {
    let page_size = stream(name).page_size;
    Pass { from: from.map(at), until: None, started_at: at("2026-11-21T10:00:00Z"), asked: None, at: at_.to_owned(), page_size }
}

fn asked(source: &Bigcommerce, name: &str, pass: &Pass) -> String {
    source.pull().unwrap().page(stream(name), pass).unwrap().path
}

fn reply(status: u16, body: &str) -> Reply {
    let headers = vec![("date".to_owned(), "Sat, 21 Nov 2026 09:59:58 GMT".to_owned())];
    Reply { status, headers, body: body.as_bytes().to_vec() }
}

fn ok(body: &Value) -> Reply {
    reply(200, &body.to_string())
}

fn read(source: &Bigcommerce, name: &str, pass: &Pass, reply: &Reply) -> Page {
    source.pull().unwrap().read(stream(name), pass, reply).unwrap()
}

fn rows(ids: impl IntoIterator<Item = u64>) -> Value {
    ids.into_iter().map(|id| json!({"id": id})).collect()
}

fn page_of(rows: &Value, total: u64) -> Reply {
    ok(&json!({"data": rows, "meta": {"pagination": {"total": total, "count": 1, "per_page": 250}}}))
}

#[test]
fn first_pages_ask_for_everything_the_way_each_list_wants_it() {
    let source = plain();
    let first = |name| asked(&source, name, &pass(name, None, ""));
    assert_eq!(first("categories"), "/stores/abc123/v3/catalog/trees/categories?page=1&limit=250");
    let products = "/stores/abc123/v3/catalog/products?include=variants,images,custom_fields&sort=id&direction=asc&limit=100";
    assert_eq!(first("products"), products);
    let customers = "/stores/abc123/v3/customers?include=addresses,attributes,formfields,storecredit&limit=250";
    assert_eq!(first("customers"), customers);
    assert_eq!(first("subscribers"), "/stores/abc123/v3/customers/subscribers?page=1&limit=250");
    assert_eq!(first("orders"), "/stores/abc123/v2/orders?include=consignments,fees&consignment_structure=object&limit=50");
    assert_eq!(first("refunds"), "/stores/abc123/v3/orders/payment_actions/refunds?page=1&limit=250");
    assert_eq!(first("price_records"), "/stores/abc123/v3/pricelists?limit=250");
    assert_eq!(first("inventory"), "/stores/abc123/v3/inventory/items?page=1&limit=250");
    assert_eq!(first("wishlists"), "/stores/abc123/v3/wishlists?page=1&limit=250");
    assert_eq!(first("customer_attributes"), "/stores/abc123/v3/customers/attribute-values?page=1&limit=250");
}

#[test]
fn dates_are_whole_seconds_with_time_and_zone_in_the_lists_own_filter() {
    let source = plain();
    let since = "2026-11-01T08:30:00.900Z";
    let filter = |name| {
        let address = asked(&source, name, &pass(name, Some(since), ""));
        address.split(['?', '&']).find(|part| part.contains("2026")).map(str::to_owned).unwrap_or_default()
    };
    assert_eq!(filter("orders"), "min_date_modified=2026-11-01T08%3A30%3A00Z");
    for name in ["products", "customers", "subscribers", "customer_attributes"] {
        assert_eq!(filter(name), "date_modified:min=2026-11-01T08%3A30%3A00Z", "{name}");
    }
    assert_eq!(filter("refunds"), "created:min=2026-11-01T08%3A30%3A00Z");
    for name in ["categories", "inventory", "wishlists"] {
        assert_eq!(filter(name), "", "{name} has no date");
    }
}

#[test]
fn the_token_goes_in_its_header_and_never_shows() {
    let source = plain();
    let request = source.pull().unwrap().page(stream("orders"), &pass("orders", None, "")).unwrap();
    assert_eq!(request.secret_headers, [("x-auth-token", crate::http::Secret::new("s3cret"))]);
    let json = "application/json".to_owned();
    assert_eq!(request.headers, [("accept", json.clone()), ("content-type", json)], "some documents require both");
    assert!(!format!("{source:?}{request:?}").contains("s3cret"));
    assert!(source.pull().unwrap().authorization().is_none());
    assert_eq!((source.pull().unwrap().base_url(&request), &*request.endpoint), ("https://api.bigcommerce.com", "v2/orders"));
}

#[test]
fn a_host_can_be_given_and_settings_that_are_missing_are_named() {
    let here = source(json!({"api_url": "http://127.0.0.1:9/"}), json!({})).unwrap();
    let request = here.pull().unwrap().page(stream("orders"), &pass("orders", None, "")).unwrap();
    assert_eq!(here.pull().unwrap().base_url(&request), "http://127.0.0.1:9");
    let at = |pull: Value, rest: Value| source(pull, rest).unwrap_err().path().map(str::to_owned);
    assert_eq!(at(json!({"access_token": ""}), json!({})).as_deref(), Some("/pull/access_token"));
    assert_eq!(at(json!({"reserve_percent": 95}), json!({})).as_deref(), Some("/pull/reserve_percent"));
    assert_eq!(at(json!({}), json!({"store": ""})).as_deref(), Some("/store"));
    let error = Bigcommerce::new(Config::default()).unwrap().pull().err().unwrap();
    assert_eq!(error.path(), Some("/source/pull"));
    let odd = source(json!({}), json!({"store": "a/../b"})).unwrap();
    assert!(asked(&odd, "wishlists", &pass("wishlists", None, "")).starts_with("/stores/a%2F..%2Fb/v3/wishlists"));
}

#[test]
fn orders_go_on_behind_the_last_id_whether_or_not_the_filter_takes_it_in() {
    let source = plain();
    let first = read(&source, "orders", &pass("orders", None, ""), &ok(&rows([100, 101, 107])));
    assert_eq!((first.rows, first.wanted.len(), first.next.as_deref()), (3, 3, Some("id:107")));
    assert_eq!(first.shop_time, Some(at("2026-11-21T09:59:58Z")));
    assert_eq!(first.wanted[0].resource.id, "100");
    assert_eq!(first.wanted[0].seed.as_deref(), Some(b"{\"id\":100}".as_slice()));
    let later = pass("orders", Some("2026-11-01T00:00:00Z"), "id:107");
    let address = asked(&source, "orders", &later);
    assert!(address.ends_with("&min_date_modified=2026-11-01T00%3A00%3A00Z&min_id=107&limit=51"), "{address}");
    // Taken in, it comes again and is not told again; left out, nothing is missing.
    for ids in [vec![107, 108], vec![108]] {
        let page = read(&source, "orders", &later, &ok(&rows(ids)));
        assert_eq!((page.rows, page.wanted.len(), page.next.as_deref()), (1, 1, Some("id:108")));
    }
}

#[test]
fn orders_end_where_nothing_new_comes_and_not_with_a_short_page() {
    let source = plain();
    let later = pass("orders", None, "id:107");
    for end in [reply(204, ""), ok(&rows([107])), ok(&json!([]))] {
        let page = read(&source, "orders", &later, &end);
        assert_eq!((page.rows, page.next, page.body, page.wanted), (0, None, PageBody::Nothing, Vec::new()));
    }
    let empty = read(&source, "orders", &pass("orders", None, ""), &reply(204, ""));
    assert_eq!((empty.rows, empty.next), (0, None));
}

#[test]
fn a_page_in_another_order_is_refused_because_rows_would_be_missed() {
    let source = plain();
    let refuse = |at: &str, ids: Vec<u64>| {
        let result = source.pull().unwrap().read(stream("orders"), &pass("orders", None, at), &ok(&rows(ids)));
        assert!(matches!(result, Err(PullFailure::Stop(_))), "{result:?}");
    };
    refuse("", vec![3, 2]);
    refuse("", vec![2, 2]);
    refuse("id:107", vec![106, 108]);
    refuse("", vec![0]);
}

#[test]
fn products_go_on_behind_the_last_id_and_each_page_is_read_as_one_thing() {
    let source = plain();
    let page = read(&source, "products", &pass("products", None, ""), &page_of(&rows([4, 9]), 2));
    assert_eq!((page.rows, page.next.as_deref(), page.wanted.len()), (2, Some("id:9"), 1));
    let address = asked(&source, "products", &pass("products", None, "id:9"));
    assert!(address.ends_with("&sort=id&direction=asc&id:greater=9&limit=101"), "{address}");
    assert_eq!(read(&source, "products", &pass("products", None, "id:9"), &page_of(&json!([]), 0)).next, None);
}

#[test]
fn customers_follow_the_platforms_cursor_as_its_own_link_says() {
    let source = plain();
    let answer = |links: Value, end: &str| {
        let meta = json!({"pagination": {"total": 900}, "cursor_pagination": {"end_cursor": end, "links": links}});
        ok(&json!({"data": rows([1, 2]), "meta": meta}))
    };
    let first = pass("customers", None, "");
    let next = read(&source, "customers", &first, &answer(json!({"next": "?limit=250&after=MTUs%3D"}), "other")).next;
    assert_eq!(next.as_deref(), Some("after:MTUs="));
    let address = asked(&source, "customers", &pass("customers", None, "after:MTUs="));
    assert!(address.ends_with("&after=MTUs%3D&limit=250"), "{address}");
    assert_eq!(read(&source, "customers", &first, &answer(json!({}), "x")).next, None, "no link, no page");
    // Without links at all the end of a full page leads on.
    let full = ok(&json!({"data": rows(1..=250), "meta": {"cursor_pagination": {"end_cursor": "e"}}}));
    assert_eq!(read(&source, "customers", &first, &full).next.as_deref(), Some("after:e"));
    let same = source.pull().unwrap().read(
        stream("customers"),
        &pass("customers", None, "after:same"),
        &answer(json!({"next": "?after=same"}), "same"),
    );
    assert!(matches!(same, Err(PullFailure::Stop(_))), "it would go on for ever");
}

#[test]
fn customers_are_paged_by_number_where_there_is_no_cursor() {
    let source = plain();
    let next = read(&source, "customers", &pass("customers", None, ""), &page_of(&rows(1..=250), 400)).next.unwrap();
    let address = asked(&source, "customers", &pass("customers", None, &next));
    assert!(address.ends_with("&page=2&limit=250"), "{address}");
    assert_eq!(read(&source, "customers", &pass("customers", None, &next), &page_of(&rows(251..=400), 400)).next, None);
}

#[test]
fn a_cursor_that_is_refused_has_the_list_read_again_by_pages() {
    let source = plain();
    let page = read(&source, "customers", &pass("customers", None, "after:gone"), &reply(422, r#"{"status": 422}"#));
    assert_eq!((page.rows, page.body), (0, PageBody::Nothing));
    let again = pass("customers", None, &page.next.unwrap());
    assert!(asked(&source, "customers", &again).ends_with("&page=1&limit=250"));
    let meta = json!({"pagination": {"total": 300}, "cursor_pagination": {"links": {"next": "?after=x"}}});
    let next = read(&source, "customers", &again, &ok(&json!({"data": rows(1..=250), "meta": meta}))).next.unwrap();
    assert!(asked(&source, "customers", &pass("customers", None, &next)).ends_with("&page=2&limit=250"), "not by cursor again");
    let at = r#"{"lists": ["3", "5"], "records": "after:gone", "more": null}"#;
    let page = read(&source, "price_records", &pass("price_records", None, at), &reply(422, "{}"));
    let again = asked(&source, "price_records", &pass("price_records", None, &page.next.unwrap()));
    assert_eq!(again, "/stores/abc123/v3/pricelists/3/records?page=1&limit=250");
}

#[test]
fn a_row_that_goes_while_pages_are_read_makes_the_page_before_be_read_again() {
    let source = plain();
    let first = pass("subscribers", None, "");
    let second = read(&source, "subscribers", &first, &page_of(&rows(1..=250), 600)).next.unwrap();
    // One of the first page went: row 251 is on the first page now.
    let page = read(&source, "subscribers", &pass("subscribers", None, &second), &page_of(&rows(252..=501), 599));
    assert_eq!(page.rows, 250, "what is here counts");
    let again = page.next.unwrap();
    assert!(asked(&source, "subscribers", &pass("subscribers", None, &again)).ends_with("?page=1&limit=250"));
    let second = read(&source, "subscribers", &pass("subscribers", None, &again), &page_of(&rows(2..=251), 599)).next.unwrap();
    assert!(asked(&source, "subscribers", &pass("subscribers", None, &second)).ends_with("?page=2&limit=250"));
    let third = read(&source, "subscribers", &pass("subscribers", None, &second), &page_of(&rows(252..=501), 599)).next.unwrap();
    assert_eq!(read(&source, "subscribers", &pass("subscribers", None, &third), &page_of(&rows(502..=600), 599)).next, None);
}

#[test]
fn nothing_comes_into_a_list_that_has_an_end_while_it_is_read() {
    let source = plain();
    let (shop, now) = (source.pull().unwrap(), at("2026-11-21T10:00:00Z"));
    let facts = stream("subscribers");
    let mut cursor = Cursor { read_until: Some(at("2026-11-20T10:00:00Z")), pass: None };
    let pass = cursor.open(facts, None, shop.until(facts, now), now).clone();
    let address = asked(&source, "subscribers", &pass);
    let window = "date_modified:min=2026-11-20T09%3A55%3A00Z&date_modified:max=2026-11-21T10%3A00%3A00Z&page=1&limit=250";
    assert!(address.ends_with(window), "{address}");
    cursor.advance(&Page::default());
    assert_eq!(cursor.read_until, Some(now));
    assert_eq!(shop.until(stream("orders"), now), None);
}

#[test]
fn smaller_pages_begin_at_or_before_the_row_where_one_stands() {
    let source = plain();
    let second = read(&source, "wishlists", &pass("wishlists", None, ""), &page_of(&rows(1..=250), 600)).next.unwrap();
    let smaller = Pass { page_size: 62, ..pass("wishlists", None, &second) };
    // Page 5 of 62 begins at row 248.
    assert!(asked(&source, "wishlists", &smaller).ends_with("?page=5&limit=62"));
    let next = read(&source, "wishlists", &smaller, &page_of(&rows(249..=310), 600)).next.unwrap();
    assert!(asked(&source, "wishlists", &Pass { at: next, ..smaller }).ends_with("?page=6&limit=62"));
}

#[test]
fn a_platform_that_gives_fewer_rows_than_asked_for_is_asked_for_as_many_as_it_gives() {
    let source = plain();
    let second = read(&source, "wishlists", &pass("wishlists", None, ""), &page_of(&rows(1..=50), 120)).next.unwrap();
    assert!(asked(&source, "wishlists", &pass("wishlists", None, &second)).ends_with("?page=2&limit=50"));
    let third = read(&source, "wishlists", &pass("wishlists", None, &second), &page_of(&rows(51..=100), 120)).next.unwrap();
    assert!(asked(&source, "wishlists", &pass("wishlists", None, &third)).ends_with("?page=3&limit=50"));
    assert_eq!(read(&source, "wishlists", &pass("wishlists", None, &third), &page_of(&rows(101..=120), 120)).next, None);
}

#[test]
fn price_lists_are_gone_through_one_after_the_other_with_their_own_date() {
    let source = plain();
    let name = "price_records";
    let first = read(&source, name, &pass(name, None, ""), &ok(&json!({"data": rows([3, 5]), "meta": {}})));
    assert_eq!((first.rows, first.wanted.len()), (0, 0));
    let on = |at: Option<String>| pass(name, Some("2026-11-01T00:00:00Z"), &at.unwrap());
    let third = on(first.next);
    let records = "date_modified:min=2026-11-01T00%3A00%3A00Z&limit=250";
    assert_eq!(asked(&source, name, &third), format!("/stores/abc123/v3/pricelists/3/records?{records}"));
    let answer = |next: Value| {
        let data = json!([{"variant_id": 9, "product_id": 77}, {"variant_id": 10, "product_id": 77}]);
        ok(&json!({"data": data, "meta": {"cursor_pagination": {"links": next}}}))
    };
    let page = read(&source, name, &third, &answer(json!({"next": "?after=q"})));
    assert_eq!((page.rows, page.wanted.len(), page.wanted[0].resource.id.as_str()), (2, 1, "77"));
    let third = on(page.next);
    assert!(asked(&source, name, &third).ends_with("/3/records?date_modified:min=2026-11-01T00%3A00%3A00Z&after=q&limit=250"));
    let fifth = on(read(&source, name, &third, &answer(json!({}))).next);
    assert_eq!(asked(&source, name, &fifth), format!("/stores/abc123/v3/pricelists/5/records?{records}"));
    assert_eq!(read(&source, name, &fifth, &answer(json!({}))).next, None);
    let deleted = read(&source, name, &fifth, &reply(404, r#"{"status": 404}"#));
    assert_eq!((deleted.rows, deleted.next), (0, None), "a list that was deleted meanwhile does not end the others");
    assert_eq!(read(&source, name, &pass(name, None, ""), &ok(&json!({"data": [], "meta": {}}))).next, None, "a store without any");
}

#[test]
fn rows_that_only_name_something_have_it_read_once() {
    let source = plain();
    let refunds = json!([{"id": 1, "order_id": 100}, {"id": 2, "order_id": 100}, {"id": 3, "order_id": 101}]);
    let page = read(&source, "refunds", &pass("refunds", None, ""), &page_of(&refunds, 3));
    let named: Vec<_> = page.wanted.iter().map(|one| (one.resource.kind.as_str(), one.resource.id.as_str())).collect();
    assert_eq!((named, page.body), (vec![("order", "100"), ("order", "101")], PageBody::Nothing));
    let values = json!([{"id": 1, "customer_id": 7, "attribute_value": "Yes"}, {"id": 2, "customer_id": 7, "attribute_value": "1"}]);
    let page = read(&source, "customer_attributes", &pass("customer_attributes", None, ""), &page_of(&values, 2));
    assert_eq!((page.wanted.len(), page.wanted[0].resource.kind.as_str()), (1, "customer"));
    let stock: Value = (1..=60).map(|id| json!({"identity": {"product_id": id, "variant_id": id + 1000}})).collect();
    let page = read(&source, "inventory", &pass("inventory", None, ""), &page_of(&stock, 60));
    assert_eq!(page.wanted.len(), 2, "fifty products a question");
}

#[test]
fn which_streams_are_pulled_unless_told_follows_the_settings() {
    let defaults = |source: &Bigcommerce| -> Vec<&'static str> {
        let shop = source.pull().unwrap();
        FACTS.streams.iter().filter(|stream| shop.is_default(stream)).map(|stream| stream.name).collect()
    };
    assert_eq!(defaults(&plain()), ["categories", "products", "customers", "subscribers", "orders", "refunds"]);
    let rules = json!({"consents": [{"channel": "sms", "on": "attribute", "field": "SMS"}]});
    let all = defaults(&source(json!({"price_lists": true}), rules).unwrap());
    assert!(all.contains(&"price_records") && all.contains(&"customer_attributes"), "{all:?}");
}

#[test]
fn a_cursor_of_somebody_else_is_told_and_not_guessed_at() {
    let source = plain();
    for at in ["107", "id:", "id:x", "row:", "row:a:1:2", "after:", "page:2"] {
        let error = source.pull().unwrap().page(stream("orders"), &pass("orders", None, at)).unwrap_err();
        assert_eq!(error.code(), ErrorCode::Internal, "{at}");
    }
    assert!(source.pull().unwrap().page(stream("price_records"), &pass("price_records", None, "id:5")).is_err());
    for text in ["", "id:7", "after:a:b", "row:250:600:", "row:250:600:50", "row:0::"] {
        assert_eq!(text.parse::<Position>().unwrap().to_string(), text);
    }
}

#[test]
fn every_answer_is_judged_by_what_the_platform_means_with_it() {
    let source = plain();
    let shop = source.pull().unwrap();
    for fine in [reply(200, "[]"), reply(200, " {\"data\": []}\n"), reply(204, ""), reply(404, "<html>")] {
        assert!(shop.judge(&fine).is_ok(), "{}", fine.status);
    }
    for cut in ["[{\"id\": 1}", "{\"data\": [", "<html>", "[] []"] {
        assert!(matches!(shop.judge(&reply(200, cut)), Err(PullFailure::Retry { throttled: false, .. })), "{cut}");
    }
    let code = |status| shop.judge(&reply(status, "")).unwrap_err();
    for status in [429, 509, 503] {
        assert!(matches!(code(status), PullFailure::Retry { throttled: true, .. }), "{status}");
    }
    for status in [500, 502, 504, 507] {
        assert!(matches!(code(status), PullFailure::Retry { throttled: false, .. }), "{status}");
    }
    assert!(matches!(code(413), PullFailure::Smaller(_)));
    assert!(matches!(code(401), PullFailure::Stop(error) if error.code() == ErrorCode::Unauthorized));
    assert!(matches!(code(403), PullFailure::Stop(error) if error.code() == ErrorCode::Forbidden));
    assert!(matches!(code(400), PullFailure::Stop(error) if error.code() == ErrorCode::Rejected));
    let refused = |name, at| shop.read(stream(name), &pass(name, None, at), &reply(422, "{}"));
    assert!(matches!(refused("products", "id:4"), Err(PullFailure::Stop(error)) if error.code() == ErrorCode::Rejected));
    assert!(matches!(refused("customers", ""), Err(PullFailure::Stop(error)) if error.code() == ErrorCode::Rejected));
    let lost = shop.read(stream("orders"), &pass("orders", None, ""), &reply(404, "{}"));
    assert!(matches!(lost, Err(PullFailure::Stop(error)) if error.code() == ErrorCode::NotFound));
}

#[test]
fn a_share_of_the_quota_is_left_to_the_stores_other_apps() {
    let rest = |source: &Bigcommerce, status, headers: &[(&str, &str)]| {
        let headers = headers.iter().map(|(name, value)| (format!("x-{name}"), (*value).to_owned())).collect();
        source.pull().unwrap().rest_after(&Reply { status, headers, body: Vec::new() })
    };
    let told = |left: &'static str| {
        [("rate-limit-requests-quota", "150"), ("rate-limit-requests-left", left), ("rate-limit-time-reset-ms", "12000")]
    };
    let (source, seconds) = (plain(), |seconds| Some(Duration::from_secs(seconds)));
    assert_eq!(rest(&source, 200, &told("31")), None);
    assert_eq!(rest(&source, 200, &told("30")), seconds(12), "a fifth of 150");
    let greedy = super::tests::source(json!({"reserve_percent": 0}), json!({})).unwrap();
    assert_eq!((rest(&greedy, 200, &told("1")), rest(&greedy, 200, &told("0"))), (None, seconds(12)));
    assert_eq!(rest(&source, 429, &told("31")), seconds(12), "refused is refused, whatever is left");
    assert_eq!(rest(&source, 429, &[("retry-after", "7")]), seconds(7));
    assert_eq!((rest(&source, 429, &[]), rest(&source, 200, &[])), (None, None));
    let unlimited = [("rate-limit-requests-quota", "unlimited"), ("rate-limit-requests-left", "unlimited")];
    assert_eq!(rest(&source, 200, &unlimited), None);
}
