//! BigCommerce: two generations of an API side by side, budgets by the window, lists that end in silence, pages that shift
//! while they are read.
//!
//! Rules come from <https://developer.bigcommerce.com/docs/start/about>; where they leave a choice open the README of this crate
//! names the choice made here.

mod answers;
mod carts;
mod catalog;
mod change;
mod hooks;
mod orders;
mod people;
mod query;
mod rows;
mod store;
mod story;
mod sums;

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use hyper::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use self::orders::Order;
use self::people::State as Row;
use self::query::{Generation, Query, Refusal, missing, refuse};
use self::rows::Rows;
use self::story::Story;
use self::sums::Maker;
use super::table::Table;
use crate::shop::{PRODUCT, ShopOptions, instant};
use crate::vendor::{Reply, Request, Vendor};
use crate::{SandboxError, lock};

/// The store's number in webhooks, which is not its hash.
const STORE_ID: &str = "1025646";
const FIRST_ORDER: u64 = 100;

fn customer_id(number: u64) -> u64 {
    1 + number
}

fn product_id(number: u64) -> u64 {
    101 + number
}

fn variant_id(product: u64, variant: u64) -> u64 {
    1_001 + product * 4 + variant
}

/// A time as the third generation writes it.
fn iso(seconds: i64) -> String {
    let time = chrono::DateTime::from_timestamp(seconds, 0);
    time.map(|time| time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)).unwrap_or_default()
}

fn millis(text: &str) -> i64 {
    chrono::DateTime::parse_from_rfc3339(text).map_or(0, |time| time.timestamp_millis())
}

/// Puts fields over those of a row.
fn put(row: &mut Value, fields: Option<&Map<String, Value>>) {
    if let (Some(row), Some(fields)) = (row.as_object_mut(), fields) {
        row.extend(fields.clone());
    }
}

/// What the store holds and how it behaves; every unknown key is refused.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Options {
    /// Hash of the store: the segment behind `/stores/`.
    store: String,
    access_token: String,
    /// Signs webhooks.
    client_secret: String,
    /// What the header `x-webhook-token` of webhooks holds; no such header when empty.
    webhook_token: String,
    /// Another seed is another shop.
    seed: u64,
    customers: u64,
    subscribers: u64,
    products: u64,
    categories: u64,
    carts: u64,
    orders: u64,
    wishlists: u64,
    price_records: u64,
    /// Lines of an order; 0 is one to four.
    lines: u64,
    /// Every so many orders one never got further than the payment page; 0 is never.
    incomplete_every: u64,
    /// Rows of a list that change whenever a page of it was answered…
    changes_per_page: u64,
    /// …until so many have.
    most_changes: u64,
    /// Requests in a window, whoever makes them; more are answered with 429.
    requests_per_window: u64,
    window_ms: u64,
    /// Whether filters by time leave their bounds out.
    exclusive_times: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            store: "demo".into(),
            access_token: "sandbox-token".into(),
            client_secret: "sandbox-secret".into(),
            webhook_token: "sandbox-hook".into(),
            seed: 1,
            customers: 200,
            subscribers: 150,
            products: 120,
            categories: 10,
            carts: 100,
            orders: 500,
            wishlists: 20,
            price_records: 20,
            lines: 0,
            incomplete_every: 20,
            changes_per_page: 0,
            most_changes: u64::MAX,
            requests_per_window: 1_000_000,
            window_ms: 30_000,
            exclusive_times: true,
        }
    }
}

/// What records are made of.
struct Shop {
    store: String,
    made: ShopOptions,
    products: u64,
    categories: u64,
    /// Orders that were there when the shop opened, and how many of them never got further than the payment page.
    orders: u64,
    incomplete_every: u64,
}

impl Shop {
    fn product_changed_s(&self, product: u64) -> i64 {
        millis(&instant(self.made.seed, PRODUCT, product, 3)) / 1_000
    }
}

/// A resource that can change.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Hash)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Order,
    Customer,
    Product,
    Subscriber,
    Cart,
}

/// What changes while the shop is open.
struct State {
    orders: Rows,
    customers: Rows,
    products: Rows,
    subscribers: Rows,
    carts: Table,
    gone_carts: std::collections::HashSet<u64>,
    /// Orders whose story went on since.
    stories: HashMap<u64, Story>,
    /// Fields of other rows that were typed over.
    fields: HashMap<(Kind, u64), Map<String, Value>>,
    /// Orders of the refunds made since, in the order of the refunds' ids.
    refunded: Vec<u64>,
    parcels: u64,
    changes: u64,
    /// When the present window of the budget began, and what is left of it.
    window: (i64, u64),
    /// Requests by what they asked and how they were answered.
    counts: BTreeMap<String, u64>,
}

/// One store.
pub(crate) struct Bigcommerce {
    options: Options,
    shop: Shop,
    state: Mutex<State>,
}

impl Bigcommerce {
    pub(crate) fn new(options: Options) -> Self {
        let made = ShopOptions { seed: options.seed, customers: options.customers, lines: options.lines, ..ShopOptions::default() };
        let shop = Shop {
            store: options.store.clone(),
            made,
            products: options.products,
            categories: options.categories,
            orders: options.orders,
            incomplete_every: options.incomplete_every,
        };
        let state = Mutex::new(Self::open(&options, &shop));
        Self { options, shop, state }
    }

    fn open(options: &Options, shop: &Shop) -> State {
        let born = |order| story::born(order, options.incomplete_every);
        State {
            orders: Rows::new(FIRST_ORDER, options.orders, |order| story::changed_ms(options.seed, order, born(order))),
            customers: Rows::new(customer_id(0), options.customers, |number| {
                millis(&instant(options.seed, crate::shop::CUSTOMER, number, 4))
            }),
            products: Rows::new(product_id(0), options.products, |number| shop.product_changed_s(number) * 1_000),
            subscribers: Rows::new(1, options.subscribers, |number| shop.subscriber_changed_s(number) * 1_000),
            carts: Table::new(options.carts, |cart| shop.cart_id(cart), |cart| shop.cart_changed_ms(cart)),
            gone_carts: std::collections::HashSet::new(),
            stories: HashMap::new(),
            fields: HashMap::new(),
            refunded: Vec::new(),
            parcels: 0,
            changes: 0,
            window: (i64::MIN, 0),
            counts: BTreeMap::new(),
        }
    }

    fn maker(&self) -> Maker<'_> {
        Maker { shop: &self.shop.made, products: self.shop.products }
    }

    /// The status of an order, without making the order.
    fn status(&self, state: &State, order: u64) -> u8 {
        match state.stories.get(&order) {
            Some(story) => story.status,
            None => touched(story::born(order, self.shop.incomplete_every), state.orders.times(order)),
        }
    }

    fn story(&self, state: &State, order: u64, sums: &sums::Sums) -> Story {
        state.stories.get(&order).cloned().unwrap_or_else(|| {
            let times = state.orders.times(order);
            let mut story = Story::of(order, story::born(order, self.shop.incomplete_every), sums);
            story.status = touched(story.status, times);
            if times > 0 {
                story.fields.insert("external_order_id".to_owned(), format!("edit-{times}").into());
            }
            story
        })
    }

    fn order(&self, state: &State, number: u64) -> Order<'_> {
        let sums = self.maker().order(number);
        let story = self.story(state, number, &sums);
        Order { shop: &self.shop, number, sums, story, changed_s: state.orders.changed_s(number) }
    }

    /// Takes one request out of the window's budget. What is left, and milliseconds until there is more.
    fn spend(&self, state: &mut State, now_ms: i64) -> (Option<u64>, i64) {
        let length = i64::try_from(self.options.window_ms).unwrap_or(i64::MAX);
        if now_ms.saturating_sub(state.window.0) >= length {
            state.window = (now_ms, self.options.requests_per_window);
        }
        let left = state.window.1.checked_sub(1);
        state.window.1 = left.unwrap_or(0);
        (left, length - (now_ms - state.window.0))
    }

    /// Generation and path below the store.
    fn route(&self, request: &Request) -> Option<(Generation, Vec<String>)> {
        let mut segments = request.segments();
        if segments.len() < 4 || segments[0] != "stores" || segments[1] != self.options.store {
            return None;
        }
        let generation = match segments[2].as_str() {
            "v2" => Generation::V2,
            "v3" => Generation::V3,
            _ => return None,
        };
        Some((generation, segments.split_off(3)))
    }

    fn answer(&self, state: &mut State, request: &Request, generation: Generation, path: &[String]) -> Result<Reply, Refusal> {
        if request.method != Method::GET {
            return Err(refuse(405, "This test server only reads."));
        }
        let query = Query::read(generation, &request.query, request.now_ms, self.options.exclusive_times);
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let (reply, read) = self.answer_to(state, generation, &path, &query)?;
        let changes = self.options.changes_per_page.min(self.options.most_changes.saturating_sub(state.changes));
        let rows = match read {
            Some(Kind::Order) => &mut state.orders,
            Some(Kind::Customer) => &mut state.customers,
            Some(Kind::Product) => &mut state.products,
            Some(Kind::Subscriber) => &mut state.subscribers,
            Some(Kind::Cart) | None => return Ok(reply),
        };
        state.changes += changes;
        rows.touch_some(changes, request.now_ms);
        Ok(reply)
    }

    fn row<'a>(state: &'a State, kind: Kind, number: u64) -> Row<'a> {
        let rows = match kind {
            Kind::Customer => &state.customers,
            Kind::Product => &state.products,
            Kind::Subscriber => &state.subscribers,
            Kind::Order => &state.orders,
            Kind::Cart => {
                let carts = &state.carts.rows;
                let (times, changed_s) = (carts.change(number).times, carts.changed_ms(number) / 1_000);
                return Row { times, changed_s, fields: state.fields.get(&(kind, number)) };
            }
        };
        Row { times: rows.times(number), changed_s: rows.changed_s(number), fields: state.fields.get(&(kind, number)) }
    }
}

/// The status of an order that somebody worked on while it was read.
fn touched(status: u8, times: u64) -> u8 {
    if times > 0 && status == 11 { 9 } else { status }
}

/// What a path asks for, with ids left out.
fn name(generation: Generation, path: &[String]) -> String {
    let is_id = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()) || part.len() >= 32;
    let parts: Vec<&str> = path.iter().map(|part| if is_id(part) { "{id}" } else { part.as_str() }).collect();
    format!("{}/{}", if generation == Generation::V2 { "v2" } else { "v3" }, parts.join("/"))
}

impl Vendor for Bigcommerce {
    fn name(&self) -> &'static str {
        "bigcommerce"
    }

    fn handle(&self, request: &Request) -> Reply {
        let state = &mut *lock(&self.state);
        let route = self.route(request);
        let token = request.headers.get("x-auth-token").map(hyper::header::HeaderValue::as_bytes);
        if token != Some(self.options.access_token.as_bytes()) {
            *state.counts.entry("unauthorized 401".to_owned()).or_default() += 1;
            let generation = route.map_or(Generation::V3, |(generation, _)| generation);
            return refuse(401, "X-Auth-Token is required").into_reply(generation);
        }
        let Some((generation, path)) = route else {
            *state.counts.entry("unknown 404".to_owned()).or_default() += 1;
            return missing().into_reply(Generation::V3);
        };
        let (left, reset_ms) = self.spend(state, request.now_ms);
        let mut reply = match left {
            None => refuse(429, "You have exceeded the rate limit.").into_reply(generation),
            Some(_) => self.answer(state, request, generation, &path).unwrap_or_else(|refusal| refusal.into_reply(generation)),
        };
        if left.is_none() {
            reply.headers.push(("x-retry-after", (reset_ms.max(0) + 999).div_euclid(1_000).to_string()));
        }
        reply.headers.extend([
            ("x-rate-limit-requests-quota", self.options.requests_per_window.to_string()),
            ("x-rate-limit-requests-left", left.unwrap_or(0).to_string()),
            ("x-rate-limit-time-window-ms", self.options.window_ms.to_string()),
            ("x-rate-limit-time-reset-ms", reset_ms.to_string()),
        ]);
        *state.counts.entry(format!("{} {}", name(generation, &path), reply.status)).or_default() += 1;
        reply
    }

    /// Without the budget's headers: under load the platform leaves them out.
    fn fault_reply(&self, status: u16) -> Reply {
        let why = match status {
            401 => "X-Auth-Token is required",
            403 => "You don't have a required scope to access the endpoint",
            404 => "The requested resource was not found.",
            429 => "You have exceeded the rate limit.",
            503 => "The store is down for maintenance.",
            509 => "Bandwidth limit exceeded.",
            _ => "An error has occurred.",
        };
        refuse(status, why).into_reply(Generation::V3)
    }

    fn inspect(&self, query: &Value) -> Result<Value, SandboxError> {
        let state = &*lock(&self.state);
        let rows = [
            ("orders", &state.orders),
            ("customers", &state.customers),
            ("products", &state.products),
            ("subscribers", &state.subscribers),
        ];
        match query["what"].as_str() {
            Some("counts") => {
                let count = |of: fn(&Rows) -> u64| rows.iter().map(|(name, rows)| (*name, of(rows))).collect::<BTreeMap<_, _>>();
                let mut statuses: BTreeMap<String, u64> = BTreeMap::new();
                for order in state.orders.numbers() {
                    *statuses.entry(self.status(state, order).to_string()).or_default() += 1;
                }
                Ok(json!({"requests": state.counts, "rows": count(Rows::len), "changed": count(Rows::changed_rows), "statuses": statuses}))
            }
            // The rows of a list as they stand.
            Some("rows") => {
                let wanted = rows.iter().find(|(name, _)| query["resource"].as_str() == Some(name));
                let (name, rows) = wanted.ok_or_else(|| SandboxError::Invalid("query: unknown `resource`".into()))?;
                let row = |number: u64| {
                    let mut row = json!({"id": rows.id(number), "times": rows.times(number), "date_modified": iso(rows.changed_s(number))});
                    if *name == "orders" {
                        row["status_id"] = self.status(state, number).into();
                    }
                    row
                };
                Ok(rows.numbers().map(row).collect())
            }
            // Carts have no list; a test has to learn their ids somewhere.
            Some("carts") => {
                let cart = |number: u64| json!({"id": self.shop.cart_id(number), "token": self.shop.cart_token(number)});
                Ok((0..state.carts.rows.len()).filter(|cart| !state.gone_carts.contains(cart)).map(cart).collect())
            }
            _ => Err(SandboxError::Invalid("query: `what` must be `counts`, `rows` or `carts`".into())),
        }
    }

    fn change(&self, spec: &Value, now_ms: i64) -> Result<Value, SandboxError> {
        self.apply(&mut lock(&self.state), spec, now_ms).map_err(|why| SandboxError::Invalid(format!("change: {why}")))
    }

    fn reset(&self) {
        *lock(&self.state) = Self::open(&self.options, &self.shop);
    }
}
