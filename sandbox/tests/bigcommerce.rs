//! The BigCommerce store: lists that end in silence, filters, pages that shift, budgets, faults, and stories told of orders.
//! With `CARTWIRE_EXCHANGES_DIR` set, what was asked and answered is written there, one file per test, so that it can be checked
//! against the vendor's own documents.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use cartwire_sandbox::Sandbox;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

const NOW_MS: i64 = 1_790_000_000_000;

/// A store, and a caller that knows its token.
struct Store {
    sandbox: Sandbox,
    client: reqwest::Client,
    name: &'static str,
}

impl Store {
    fn open(name: &'static str, options: Value) -> Self {
        let options = json!({"vendors": ["bigcommerce"], "manual_clock_ms": NOW_MS, "bigcommerce": options});
        let sandbox = Sandbox::start(options.to_string().as_bytes()).unwrap();
        Self { sandbox, client: reqwest::Client::new(), name }
    }

    fn url(&self, path: &str) -> String {
        format!("{}/stores/demo/{path}", self.sandbox.url("bigcommerce").unwrap())
    }

    async fn raw(&self, path: &str, token: &str) -> reqwest::Result<reqwest::Response> {
        self.client.get(self.url(path)).header("X-Auth-Token", token).send().await
    }

    async fn send(&self, path: &str) -> (u16, HeaderMap, String) {
        let reply = self.raw(path, "sandbox-token").await.unwrap();
        (reply.status().as_u16(), reply.headers().clone(), reply.text().await.unwrap())
    }

    async fn status(&self, path: &str) -> u16 {
        self.send(path).await.0
    }

    /// What must be answered, read as JSON.
    async fn get(&self, path: &str) -> Value {
        let (status, _, body) = self.send(path).await;
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    async fn rows(&self, path: &str) -> Vec<Value> {
        match self.send(path).await {
            (204, _, body) => {
                assert_eq!(body, "", "nothing has no body");
                Vec::new()
            }
            (200, _, body) => serde_json::from_str(&body).unwrap(),
            other => panic!("{path}: {other:?}"),
        }
    }

    async fn ids(&self, path: &str) -> Vec<u64> {
        let of = |rows: Vec<Value>| rows.iter().map(|row| row["id"].as_u64().unwrap()).collect();
        if path.starts_with("v2") {
            return of(self.rows(path).await);
        }
        of(self.get(path).await["data"].as_array().unwrap().clone())
    }

    fn inspect(&self, query: Value) -> Value {
        serde_json::from_slice(&self.sandbox.inspect(query.to_string().as_bytes()).unwrap()).unwrap()
    }

    /// Changes something; gives what the platform would call with.
    fn change(&self, spec: Value) -> Value {
        serde_json::from_slice(&self.sandbox.change(spec.to_string().as_bytes()).unwrap()).unwrap()
    }

    fn order(&self, id: u64, step: &str, more: Value) -> Vec<String> {
        let mut spec = json!({"resource": "order", "id": id, "do": step});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        scopes(&self.change(spec))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Some(folder) = std::env::var_os("CARTWIRE_EXCHANGES_DIR").filter(|_| !std::thread::panicking()) {
            let file = std::path::Path::new(&folder).join(format!("bigcommerce_shop_{}.ndjson", self.name));
            std::fs::write(file, self.sandbox.exchanges()).unwrap();
        }
    }
}

fn scopes(changed: &Value) -> Vec<String> {
    let body = |hook: &Value| serde_json::from_str::<Value>(hook["body"].as_str().unwrap()).unwrap();
    changed["webhooks"].as_array().unwrap().iter().map(|hook| body(hook)["scope"].as_str().unwrap().to_owned()).collect()
}

fn encoded(time: &str) -> String {
    time.replace(':', "%3A").replace('+', "%2B").replace(' ', "%20").replace(',', "%2C")
}

#[tokio::test]
async fn lists_of_the_second_generation_are_bare_and_end_without_a_body() {
    let store = Store::open("v2_paging", json!({"orders": 120}));
    let (status, headers, body) = store.send("v2/orders?limit=50&page=3").await;
    let rows: Vec<Value> = serde_json::from_str(&body).unwrap();
    assert_eq!((status, rows.len(), &rows[0]["id"]), (200, 20, &json!(200)));
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(store.send("v2/orders?limit=50&page=4").await.0, 204);
    assert_eq!(store.ids("v2/orders").await.len(), 50, "fifty unless told");
    assert_eq!(store.status("v2/orders?limit=251").await, 413);
    assert_eq!(store.status("v2/orders?page=0").await, 400);
    assert_eq!(store.status("v2/orders?min_date=x").await, 400, "a misspelt filter is no full export");
    // Parts end in silence too.
    let without = store.ids("v2/orders?status_id=11&limit=1").await[0];
    assert_eq!(store.status(&format!("v2/orders/{without}/shipments")).await, 204);
    assert_eq!(store.status("v2/orders/100/products?page=2").await, 204);
    assert_eq!((store.status("v2/orders/99").await, store.status("v2/orders/220/products").await), (404, 404));
}

#[tokio::test]
async fn pages_of_the_third_generation_count_link_and_hand_out_cursors() {
    let store = Store::open("v3_paging", json!({"customers": 130, "products": 30}));
    let page = store.get("v3/customers?limit=60&page=2&id:in=1,2,3,4,5,6,7").await;
    assert_eq!((page["data"].as_array().unwrap().len(), &page["meta"]["pagination"]["total"]), (0, &json!(7)), "an empty page is a list");
    let page = store.get("v3/catalog/products?limit=12&page=2&sort=id").await;
    let wanted = json!({"total": 30, "count": 12, "per_page": 12, "current_page": 2, "total_pages": 3, "links": {
        "previous": "?sort=id&page=1&limit=12", "current": "?sort=id&page=2&limit=12", "next": "?sort=id&page=3&limit=12"}});
    assert_eq!(page["meta"]["pagination"], wanted);
    let (mut seen, mut path) = (Vec::new(), "v3/customers?limit=50".to_owned());
    for turn in 0.. {
        let page = store.get(&path).await;
        assert_eq!(page["meta"].get("pagination").is_some(), turn == 0, "only the first page has both");
        seen.extend(page["data"].as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()));
        let cursors = &page["meta"]["cursor_pagination"];
        if cursors["links"].get("next").is_none() {
            break;
        }
        path = format!("v3/customers?limit=50&after={}", cursors["end_cursor"].as_str().unwrap());
    }
    assert_eq!(seen, (1..=130).collect::<Vec<_>>());
    assert_eq!((store.status("v3/customers?limit=251").await, store.status("v3/customers?after=nonsense").await), (413, 422));
    assert_eq!(store.status("v3/customers?date_modified:mni=2026-01-01").await, 422);
    let few = store.get("v3/catalog/products?include=options&limit=250").await;
    assert_eq!(few["data"].as_array().unwrap().len(), 10, "ten, whatever was asked for");
}

#[tokio::test]
async fn orders_are_found_by_status_customer_id_and_time() {
    let store = Store::open("filters", json!({"orders": 400}));
    let all = store.rows("v2/orders?limit=250").await;
    for (filter, field) in [("status_id", "status_id"), ("customer_id", "customer_id"), ("channel_id", "channel_id")] {
        let wanted = &all[7][field];
        let found = store.rows(&format!("v2/orders?{filter}={wanted}&limit=250&max_id=349")).await;
        let expected: Vec<&Value> = all.iter().filter(|row| row[field] == *wanted).collect();
        assert!(!expected.is_empty() && expected.len() < all.len());
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{filter}");
    }
    assert_eq!(store.ids("v2/orders?min_id=490&sort=id:desc&limit=3").await, [499, 498, 497]);
    let mail = all[3]["billing_address"]["email"].as_str().unwrap();
    assert!(store.ids(&format!("v2/orders?email={mail}")).await.contains(&103));
    // By time: sorted upwards, and the bound itself is left out.
    let by_time = store.rows("v2/orders?sort=date_modified:asc&limit=250").await;
    let seconds = |row: &Value| chrono::DateTime::parse_from_rfc2822(row["date_modified"].as_str().unwrap()).unwrap().timestamp();
    assert!(by_time.windows(2).all(|pair| seconds(&pair[0]) <= seconds(&pair[1])));
    let ids: Vec<&Value> = by_time.iter().map(|row| &row["id"]).collect();
    assert!(ids.windows(2).any(|pair| pair[0].as_u64() > pair[1].as_u64()), "not the order of ids");
    let bound = encoded(by_time[100]["date_modified"].as_str().unwrap());
    let behind = store.rows(&format!("v2/orders?min_date_modified={bound}&sort=date_modified:asc&limit=250")).await;
    assert!(seconds(&behind[0]) > seconds(&by_time[100]));
    let including = Store::open("filters_including", json!({"orders": 400, "exclusive_times": false}));
    let behind = including.rows(&format!("v2/orders?min_date_modified={bound}&sort=date_modified:asc&limit=250")).await;
    assert_eq!(behind[0]["id"], by_time[100]["id"]);
    // Archived orders are there, and can be asked for.
    store.order(120, "archive", json!({}));
    assert_eq!(store.ids("v2/orders?is_deleted=true").await, [120]);
    assert!(!store.ids("v2/orders?is_deleted=false&limit=250").await.contains(&120));
}

#[tokio::test]
async fn a_day_asked_of_the_catalog_begins_at_the_present_time_of_day() {
    let store = Store::open("quirk", json!({"products": 200}));
    let rows = store.inspect(json!({"what": "rows", "resource": "products"}));
    let now = chrono::DateTime::from_timestamp_millis(NOW_MS).unwrap().time();
    let split = |row: &Value| {
        let time = chrono::DateTime::parse_from_rfc3339(row["date_modified"].as_str().unwrap()).unwrap();
        (time.date_naive().to_string(), time.time() > now)
    };
    let early = rows.as_array().unwrap().iter().find(|row| !split(row).1).unwrap();
    let (day, _) = split(early);
    let quirky = store.ids(&format!("v3/catalog/products?date_modified:min={day}&limit=250")).await;
    let id = early["id"].as_u64().unwrap();
    assert!(!quirky.contains(&id), "it changed on that day, before the hour that it is now");
    let whole = format!("v3/catalog/products?date_modified:min={}&limit=250", encoded(&format!("{day}T00:00:00+00:00")));
    assert!(store.ids(&whole).await.contains(&id));
    // Elsewhere a day begins at midnight.
    let customers = store.inspect(json!({"what": "rows", "resource": "customers"}));
    let early = customers.as_array().unwrap().iter().find(|row| !split(row).1).unwrap();
    let since = store.ids(&format!("v3/customers?date_modified:min={}&limit=250", split(early).0)).await;
    assert!(since.contains(&early["id"].as_u64().unwrap()));
}

#[tokio::test]
async fn without_the_stores_token_nothing_is_told() {
    let store = Store::open("token", json!({}));
    assert_eq!(store.raw("v2/orders", "other").await.unwrap().status(), 401);
    assert_eq!(store.client.get(store.url("v3/customers")).send().await.unwrap().status(), 401);
    assert_eq!(store.inspect(json!({"what": "counts"}))["requests"], json!({"unauthorized 401": 2}));
    assert_eq!(store.status("v2/store").await, 200);
    let put = store.client.put(store.url("v2/orders/100")).header("X-Auth-Token", "sandbox-token").send().await.unwrap();
    assert_eq!(put.status(), 405);
    store.sandbox.reset();
}

#[tokio::test]
async fn a_window_has_so_many_requests_and_says_when_the_next_one_begins() {
    let store = Store::open("budget", json!({"requests_per_window": 3, "window_ms": 30_000}));
    let header = |headers: &HeaderMap, name: &str| headers[name].to_str().unwrap().parse::<u64>().unwrap();
    for left in [2, 1, 0] {
        let (status, headers, _) = store.send("v2/store").await;
        assert_eq!((status, header(&headers, "x-rate-limit-requests-left")), (200, left));
        assert_eq!((header(&headers, "x-rate-limit-requests-quota"), header(&headers, "x-rate-limit-time-window-ms")), (3, 30_000));
    }
    store.sandbox.advance_clock(29_000);
    let (status, headers, _) = store.send("v3/customers").await;
    assert_eq!((status, header(&headers, "x-rate-limit-time-reset-ms"), header(&headers, "x-retry-after")), (429, 1_000, 1));
    store.sandbox.advance_clock(1_000);
    assert_eq!(store.status("v3/customers").await, 200);
}

#[tokio::test]
async fn faults_strike_as_they_do_elsewhere_and_a_429_out_of_the_blue_tells_no_budget() {
    let store = Store::open("faults", json!({}));
    let fault = |spec: Value| store.sandbox.fault(spec.to_string().as_bytes()).unwrap();
    for status in [429, 509, 503] {
        fault(json!({"match": {"vendor": "bigcommerce", "path": "/stores/demo/v2/orders"}, "fault": {"kind": "status", "status": status}}));
        let (got, headers, body) = store.send("v2/orders").await;
        assert_eq!((got, headers.contains_key("x-rate-limit-requests-left")), (status, false));
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["status"], status);
    }
    for kind in ["reset", "reset_after", "truncated_body"] {
        fault(json!({"fault": {"kind": kind}}));
        let reply = store.raw("v2/orders", "sandbox-token").await;
        let text = match reply {
            Ok(reply) => reply.text().await,
            Err(error) => Err(error),
        };
        assert!(text.is_err(), "{kind}");
    }
    fault(json!({"fault": {"kind": "timeout", "delay_ms": 20}}));
    assert!(store.raw("v2/orders", "sandbox-token").await.is_err());
    assert_eq!(store.ids("v2/orders?limit=2").await, [100, 101], "and then it works again");
}

#[tokio::test]
async fn the_same_options_give_the_same_bytes_and_another_seed_another_shop() {
    let read = async |seed: u64| {
        let store = Store::open("same", json!({"orders": 60, "seed": seed}));
        let mut all = String::new();
        for path in
            ["v2/orders", "v2/orders/111/products", "v3/customers?include=addresses,attributes", "v3/catalog/products?include=variants"]
        {
            all += &store.send(path).await.2;
        }
        all
    };
    let (first, again, other) = (read(1).await, read(1).await, read(2).await);
    assert!(first == again && first != other);
}

#[tokio::test]
async fn rows_that_change_while_they_are_read_move_from_page_to_page() {
    let store = Store::open("moving", json!({"orders": 900, "changes_per_page": 30, "most_changes": 90}));
    let (mut seen, mut rows) = (BTreeSet::new(), 0);
    for page in 1.. {
        let ids = store.ids(&format!("v2/orders?sort=date_modified:asc&limit=250&page={page}")).await;
        if ids.is_empty() {
            break;
        }
        rows += ids.len();
        seen.extend(ids);
    }
    let counts = store.inspect(json!({"what": "counts"}));
    let changed = counts["changed"]["orders"].as_u64().unwrap();
    assert!((60..=90).contains(&changed), "{counts}");
    assert_eq!(rows, 900);
    assert!(seen.len() < 900, "a page by number skips what moved up and reads twice what moved to the end");
    // By id nothing moves.
    let mut by_id = BTreeSet::new();
    for page in 0..4 {
        by_id.extend(store.ids(&format!("v2/orders?min_id={}&limit=250", 100 + page * 250)).await);
    }
    assert_eq!(by_id.len(), 900);
    assert_eq!(counts["requests"]["v2/orders 200"], 4);
    assert_eq!(counts["rows"]["orders"], 900);
    assert_eq!(counts["statuses"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum::<u64>(), 900);
    assert_eq!(counts["statuses"]["0"], 45, "every twentieth never got further than the payment page");
    let moved = store.rows(&format!("v2/orders?min_date_modified={}", encoded("2026-09-20T00:00:00Z"))).await;
    assert!(!moved.is_empty() && moved.iter().all(|row| row["external_order_id"].as_str().unwrap().starts_with("edit-")));
}

#[tokio::test]
async fn two_hundred_thousand_orders_are_there_as_soon_as_a_few() {
    let store = Store::open("many", json!({"orders": 200_000, "customers": 50_000}));
    let last = store.rows("v2/orders?min_id=200050&limit=250").await;
    assert_eq!((last.len(), &last[49]["id"]), (50, &json!(200_099)));
    assert_eq!(store.ids("v2/orders?sort=id:desc&limit=1").await, [200_099]);
    let counts = store.inspect(json!({"what": "counts"}));
    let of = |status: &str| counts["statuses"][status].as_u64().unwrap();
    assert_eq!((&counts["rows"]["orders"], of("0")), (&json!(200_000), 10_000), "a test can count what must arrive");
    // Made on the way, not kept: the same order is the same every time.
    assert_eq!(store.get("v2/orders/154321").await, store.get("v2/orders/154321").await);
}

#[tokio::test]
async fn orders_add_up_to_the_last_digit() {
    let store = Store::open("sums", json!({"orders": 250}));
    let amount =
        |row: &Value, name: &str| (row[name].as_str().unwrap().replace('.', "").parse::<i64>().unwrap(), row[name].as_str().unwrap().len());
    let ten_thousandths = |row: &Value, name: &str| {
        let text = row[name].as_str().unwrap();
        assert_eq!(text.split_once('.').unwrap().1.len(), 4, "{name}");
        amount(row, name).0
    };
    let (mut modes, mut with, mut sub_cent) = (BTreeSet::new(), [0; 4], false);
    for order in store.rows("v2/orders?limit=250").await {
        let of = |name: &str| ten_thousandths(&order, name);
        let sum = of("subtotal_inc_tax") + of("shipping_cost_inc_tax") + of("wrapping_cost_inc_tax")
            - of("discount_amount")
            - of("coupon_discount");
        assert_eq!(sum, of("total_inc_tax"), "{order}");
        let lines = store.rows(&format!("v2/orders/{}/products", order["id"])).await;
        let all = |name: &str| lines.iter().map(|line| ten_thousandths(line, name)).sum::<i64>();
        assert_eq!((all("total_inc_tax"), all("total_ex_tax")), (of("subtotal_inc_tax"), of("subtotal_ex_tax")));
        assert_eq!(all("discounted_total_inc_tax"), of("subtotal_inc_tax") - of("discount_amount") - of("coupon_discount"));
        let coupons = store.rows(&format!("v2/orders/{}/coupons", order["id"])).await;
        assert_eq!(coupons.is_empty(), of("coupon_discount") == 0);
        modes.insert(order["is_tax_inclusive_pricing"].as_bool().unwrap());
        sub_cent |= of("subtotal_ex_tax") % 100 != 0;
        let kinds = [of("discount_amount"), of("coupon_discount"), of("gift_certificate_amount"), i64::from(order["customer_id"] == 0)];
        with.iter_mut().zip(kinds).for_each(|(count, kind)| *count += usize::from(kind != 0));
    }
    assert!(modes.len() == 2 && sub_cent && with.iter().all(|count| *count > 5), "{modes:?} {sub_cent} {with:?}");
}

#[tokio::test]
async fn a_story_is_told_step_by_step_and_the_platform_calls_at_each() {
    let store = Store::open("story", json!({"orders": 50, "lines": 2}));
    let placed = store.change(json!({"resource": "order", "do": "place"}));
    let id = placed["id"].as_u64().unwrap();
    assert_eq!((id, scopes(&placed)), (150, vec!["store/order/created".to_owned(), "store/order/statusUpdated".to_owned()]));
    let order = async || store.get(&format!("v2/orders/{id}")).await;
    assert_eq!((&order().await["status_id"], &order().await["payment_status"]), (&json!(7), &json!("pending")));
    assert_eq!(store.status(&format!("v3/orders/{id}/transactions")).await, 204);
    store.sandbox.advance_clock(60_000);
    let (updated, status) = ("store/order/updated", "store/order/statusUpdated");
    assert_eq!(store.order(id, "pay", json!({})), [updated, status]);
    assert_eq!((&order().await["status_id"], &order().await["payment_status"]), (&json!(11), &json!("captured")));
    assert_eq!(store.get(&format!("v3/orders/{id}/transactions")).await["data"][0]["order_id"], "150", "a text there");
    let parcel = json!({"items": [{"line": 0, "quantity": 1}], "tracking_number": "T1"});
    assert_eq!(store.order(id, "ship", parcel), ["store/shipment/created", updated, status]);
    assert_eq!(order().await["status_id"], 3);
    assert_eq!(store.order(id, "ship", json!({})), ["store/shipment/created", updated, status], "the rest");
    let (lines, parcels) = (store.rows(&format!("v2/orders/{id}/products")).await, store.rows(&format!("v2/orders/{id}/shipments")).await);
    assert_eq!((order().await["status_id"].clone(), parcels.len(), &parcels[0]["tracking_number"]), (json!(2), 2, &json!("T1")));
    assert!(lines.iter().all(|line| line["quantity_shipped"] == line["quantity"]));
    assert_eq!(parcels[0]["items"], json!([{"order_product_id": lines[0]["id"], "product_id": 0, "quantity": 1}]));
    store.sandbox.advance_clock(60_000);
    assert_eq!(store.order(id, "refund", json!({"amount": "0.50"})), ["store/order/refund/created", updated, status]);
    assert_eq!(store.order(id, "return", json!({"items": [{"line": 1, "quantity": 1}]})), ["store/order/refund/created", updated]);
    let refunds = store.get(&format!("v3/orders/{id}/payment_actions/refunds")).await;
    assert_eq!((&refunds["data"][0]["total_amount"], &refunds["data"][0]["items"][0]["item_type"]), (&json!(0.5), &json!("ORDER")));
    assert_eq!((&refunds["data"][1]["reason"], &refunds["data"][1]["items"][0]["item_id"]), (&json!("Returned"), &lines[1]["id"]));
    assert_eq!(store.rows(&format!("v2/orders/{id}/products")).await[1]["quantity_refunded"], 1);
    assert_eq!((order().await["status_id"].clone(), order().await["refunded_amount"].clone()), (json!(14), json!("0.0000")));
    let newest = store.get("v3/orders/payment_actions/refunds?order_id:in=150").await;
    assert_eq!(newest["data"], refunds["data"]);
    let since = format!("v3/orders/payment_actions/refunds?created:min={}", encoded("2026-09-21T14:00:00Z"));
    assert_eq!(store.get(&since).await["data"], refunds["data"], "those the shop was born with are older");
    assert_eq!(store.get(&format!("v3/orders/payment_actions/refunds/{}", refunds["data"][1]["id"])).await["data"], refunds["data"][1]);
    // Nothing is given back twice, and nothing shipped that is not there.
    let again = json!({"resource": "order", "id": id, "do": "ship"});
    assert!(store.sandbox.change(again.to_string().as_bytes()).is_err());
    let much = json!({"resource": "order", "id": id, "do": "refund", "amount": "99999"});
    assert!(store.sandbox.change(much.to_string().as_bytes()).is_err());
    store.order(id, "refund", json!({}));
    assert_eq!((order().await["status_id"].clone(), order().await["payment_status"].clone()), (json!(4), json!("refunded")));
    store.order(id, "edit", json!({"fields": {"status_id": 5, "customer_message": "Leave it at the door"}}));
    assert_eq!((order().await["status_id"].clone(), order().await["customer_message"].clone()), (json!(5), json!("Leave it at the door")));
    store.sandbox.reset();
}

#[tokio::test]
async fn a_call_carries_ids_only_and_is_signed() {
    let store = Store::open("hooks", json!({}));
    let hook = store.change(json!({"resource": "order", "id": 104, "do": "pay", "at_ms": 1_790_000_000_123_i64}))["webhooks"][0].clone();
    let body: Value = serde_json::from_str(hook["body"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&body["data"], &body["producer"], &body["created_at"]),
        (&json!({"type": "order", "id": 104}), &json!("stores/demo"), &json!(1_790_000_000))
    );
    assert_eq!((body["store_id"].as_str(), body["hash"].as_str().unwrap().len()), (Some("1025646"), 40));
    assert_eq!(hook["headers"]["x-webhook-token"], "sandbox-hook");
    // The signature, worked out again by the rules of Standard Webhooks.
    use base64::Engine as _;
    use hmac::{KeyInit, Mac};
    let header = |name: &str| hook["headers"][name].as_str().unwrap().to_owned();
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(b"sandbox-secret").unwrap();
    mac.update(format!("{}.{}.{}", header("webhook-id"), header("webhook-timestamp"), hook["body"].as_str().unwrap()).as_bytes());
    let wanted = format!("v1,{}", base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(header("webhook-signature"), wanted);
    // Carts, customers, products and subscribers call too.
    let cart = store.inspect(json!({"what": "carts"}))[3].clone();
    let left = store.change(json!({"resource": "cart", "id": cart["id"], "do": "abandon"}));
    assert!(left["webhooks"][0]["body"].as_str().unwrap().contains(cart["token"].as_str().unwrap()));
    let found = store.get(&format!("v3/abandoned-carts/{}", cart["token"].as_str().unwrap())).await;
    assert_eq!(found["data"]["cart_id"], cart["id"]);
    store.change(json!({"resource": "cart", "id": cart["id"], "do": "delete"}));
    let path = format!("v3/carts/{}", cart["id"].as_str().unwrap());
    assert_eq!(store.status(&path).await, 404, "what became an order or was emptied is gone");
    assert_eq!(scopes(&store.change(json!({"resource": "subscriber", "id": 1, "do": "edit"}))), ["store/subscriber/updated"]);
    assert_eq!(store.get("v3/customers/subscribers/1").await["data"]["consents"], json!([]), "who had said yes left");
    assert_eq!(scopes(&store.change(json!({"resource": "customer", "id": 3, "do": "delete"}))), ["store/customer/deleted"]);
    assert_eq!(store.ids("v3/customers?id:in=2,3,4").await, [2, 4], "no stone marks the place");
    let other = json!({"vendor": "bigcommerce", "resource": "order", "id": 9_999, "do": "pay"});
    assert!(store.sandbox.change(other.to_string().as_bytes()).unwrap_err().to_string().contains("no order"));
    assert!(store.sandbox.change(br#"{"resource": "order", "id": 100, "do": "sing"}"#).is_err());
}

/// Everything the store serves, once, so that each shape can be checked against the vendor's documents.
#[tokio::test]
async fn every_path_answers_in_a_documented_shape() {
    let store = Store::open("paths", json!({"orders": 250, "customers": 60, "subscribers": 60}));
    let ids = |page: Value, name: &str| page["data"].as_array().unwrap().iter().map(|row| row[name].as_u64().unwrap()).collect::<Vec<_>>();
    for order in 100..350 {
        let whole = store.get(&format!("v2/orders/{order}?include=consignments,fees&consignment_structure=object")).await;
        assert!(whole["consignments"]["shipping"].is_array() && whole["fees"].is_array());
        for part in ["products", "coupons", "shipping_addresses", "shipments", "taxes"] {
            store.rows(&format!("v2/orders/{order}/{part}")).await;
        }
        if order % 10 == 0 {
            store.get(&format!("v2/orders/{order}/consignments?include=consignments.line_items")).await;
            store.get(&format!("v2/orders/{order}/fees")).await;
            store.get(&format!("v3/orders/{order}/payment_actions/refunds")).await;
            store.get(&format!("v3/orders/{order}/metafields")).await;
            assert!(matches!(store.status(&format!("v3/orders/{order}/transactions")).await, 200 | 204));
        }
    }
    for path in [
        "v2/store",
        "v2/time",
        "v2/orders?limit=250",
        "v2/orders?include=fees&limit=5",
        "v2/orders/count",
        "v3/orders/payment_actions/refunds?limit=250",
        "v3/customers?include=addresses,attributes,formfields,storecredit&limit=250",
        "v3/customers/addresses?customer_id:in=8",
        "v3/customers/attributes",
        "v3/customers/attribute-values?attribute_id:in=2",
        "v3/customers/form-field-values",
        "v3/customers/subscribers?limit=250",
        "v3/customers/subscribers/2",
        "v3/customers/1/consent",
        "v3/wishlists?customer_id=4",
        "v3/channels",
        "v3/channels/currency-assignments",
        "v3/catalog/products?include=variants,images,primary_image,custom_fields,channels&limit=250",
        "v3/catalog/products/101?include=variants",
        "v3/catalog/products/102/variants",
        "v3/catalog/variants?product_id:in=101,103",
        "v3/catalog/categories",
        "v3/catalog/trees",
        "v3/catalog/trees/categories?limit=250",
        "v3/catalog/trees/1/categories",
        "v3/catalog/brands",
        "v3/pricelists",
        "v3/pricelists/assignments",
        "v3/pricelists/3/records",
        "v3/inventory/items?product_id:in=101",
    ] {
        store.get(path).await;
    }
    assert_eq!(store.rows("v2/currencies").await.len(), 5);
    assert_eq!(store.rows("v2/order_statuses").await.len(), 15);
    let carts = store.inspect(json!({"what": "carts"}));
    for cart in carts.as_array().unwrap().iter().take(20) {
        let id = cart["id"].as_str().unwrap();
        assert_eq!(store.get(&format!("v3/carts/{id}")).await["data"]["id"], id);
        assert_eq!(store.get(&format!("v3/checkouts/{id}")).await["data"]["cart"]["id"], id);
        store.get(&format!("v3/abandoned-carts/{}", cart["token"].as_str().unwrap())).await;
    }
    // A customer holds ten addresses at most; the rest are elsewhere.
    let many = store.get("v3/customers?id:in=8&include=addresses").await;
    assert_eq!((&many["data"][0]["address_count"], many["data"][0]["addresses"].as_array().unwrap().len()), (&json!(12), 10));
    assert_eq!(ids(store.get("v3/customers/addresses?customer_id:in=8").await, "id").len(), 12);
    // Every category of the list hangs in the tree.
    let tree = store.get("v3/catalog/trees/1/categories").await;
    let below: usize = tree["data"].as_array().unwrap().iter().map(|root| root["children"].as_array().unwrap().len()).sum();
    assert_eq!((tree["data"].as_array().unwrap().len(), below), (2, 8));
}
