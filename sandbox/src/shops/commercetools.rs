//! commercetools: tokens that end, pages by predicate and never behind offset 10,000, rows that change while they are read.
//!
//! Rules come from <https://docs.commercetools.com/api/general-concepts>; where they leave a choice open the README of this
//! crate names the choice made here.

mod predicate;
mod records;

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use self::predicate::{Operator, Predicate};
use self::records::{KINDS, Kind, ORDERS, PAYMENTS, PRODUCTS, Records, expand, stamp};
use super::table::Table;
use crate::limits::{Limiter, Rate};
use crate::shop::ShopOptions;
use crate::vendor::{Reply, Request, Vendor, query_pairs};
use crate::{SandboxError, lock};

/// What the shop holds and how it behaves; every unknown key is refused.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Options {
    /// Key of the project.
    project: String,
    client_id: String,
    client_secret: String,
    /// Seconds until a token ends.
    token_lifetime_s: u64,
    /// Another seed is another shop.
    seed: u64,
    customers: u64,
    products: u64,
    categories: u64,
    carts: u64,
    orders: u64,
    payments: u64,
    inventory: u64,
    standalone_prices: u64,
    discount_codes: u64,
    shopping_lists: u64,
    /// As in the made-up shop: what makes orders large.
    ballast: u64,
    /// Rows of a list that change whenever a page of it was answered…
    changes_per_page: u64,
    /// …until so many have.
    most_changes: u64,
    /// Requests a second; more are answered with 429. No limit unless given.
    requests_per_second: Option<f64>,
    /// Pages above this size are refused with `ContentTooLarge`.
    most_page_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            project: "demo".into(),
            client_id: "sandbox-client".into(),
            client_secret: "sandbox-secret".into(),
            token_lifetime_s: 172_800,
            seed: 1,
            customers: 200,
            products: 120,
            categories: 10,
            carts: 100,
            orders: 500,
            payments: 100,
            inventory: 60,
            standalone_prices: 20,
            discount_codes: 5,
            shopping_lists: 20,
            ballast: 4,
            changes_per_page: 0,
            most_changes: u64::MAX,
            requests_per_second: None,
            most_page_bytes: 32 << 20,
        }
    }
}

/// One project.
pub(crate) struct Commercetools {
    options: Options,
    records: Records,
    state: Mutex<State>,
}

/// What changes while the shop is open.
struct State {
    tables: HashMap<&'static str, Table>,
    /// Token and when it ends.
    tokens: HashMap<String, i64>,
    issued: u64,
    changes: u64,
    limiter: Limiter,
    /// Requests by what they asked and how they were answered.
    counts: BTreeMap<String, u64>,
    requests: u64,
}

/// A refusal as the platform words it.
struct Refusal {
    status: u16,
    code: &'static str,
    message: String,
}

fn refuse(status: u16, code: &'static str, message: impl Into<String>) -> Refusal {
    Refusal { status, code, message: message.into() }
}

impl Refusal {
    fn into_reply(self) -> Reply {
        let mut body = json!({"statusCode": self.status, "message": self.message,
            "errors": [{"code": self.code, "message": self.message}]});
        if self.status == 401 {
            body["error"] = self.code.into();
            body["error_description"] = self.message.into();
        }
        let mut reply = Reply::json(self.status, &body);
        if self.status == 429 {
            reply.headers.push(("retry-after", "1".into()));
        }
        reply
    }
}

impl Commercetools {
    pub(crate) fn new(options: Options) -> Self {
        let shop = ShopOptions { seed: options.seed, customers: options.customers, ballast: options.ballast, ..ShopOptions::default() };
        let records = Records { shop, payments: options.payments.min(options.orders), products: options.products };
        let state = Mutex::new(Self::open(&options, &records));
        Self { options, records, state }
    }

    fn open(options: &Options, records: &Records) -> State {
        let counts = [
            options.customers,
            options.products,
            options.categories,
            options.carts,
            options.orders,
            options.payments.min(options.orders),
            options.inventory,
            options.standalone_prices,
            options.discount_codes,
            options.shopping_lists,
        ];
        State {
            tables: KINDS.iter().zip(counts).map(|(kind, count)| (kind.path, records.table(*kind, count))).collect(),
            tokens: HashMap::new(),
            issued: 0,
            changes: 0,
            limiter: Limiter::default(),
            counts: BTreeMap::new(),
            requests: 0,
        }
    }

    fn token(&self, request: &Request) -> Reply {
        let wanted = format!("Basic {}", base64(format!("{}:{}", self.options.client_id, self.options.client_secret).as_bytes()));
        if request.headers.get("authorization").is_none_or(|given| given.as_bytes() != wanted.as_bytes()) {
            return refuse(401, "invalid_client", "Please provide valid client credentials using HTTP Basic Authentication.").into_reply();
        }
        let form: HashMap<String, String> = query_pairs(&String::from_utf8_lossy(&request.body)).into_iter().collect();
        if form.get("grant_type").map(String::as_str) != Some("client_credentials") {
            let body = json!({"statusCode": 400, "message": "Missing or unknown grant_type.", "error": "unsupported_grant_type",
                "errors": [{"code": "unsupported_grant_type", "message": "Missing or unknown grant_type."}]});
            return Reply::json(400, &body);
        }
        let mut state = lock(&self.state);
        state.issued += 1;
        let token = format!("sandbox-token-{}", state.issued);
        let lifetime = i64::try_from(self.options.token_lifetime_s).unwrap_or(i64::MAX / 1_000);
        state.tokens.insert(token.clone(), request.now_ms.saturating_add(lifetime.saturating_mul(1_000)));
        let scope = form.get("scope").cloned().unwrap_or_else(|| format!("view_orders:{}", self.options.project));
        Reply::json(
            200,
            &json!({"access_token": token, "token_type": "Bearer", "expires_in": self.options.token_lifetime_s, "scope": scope}),
        )
    }

    /// The resource, the id and the store that a path names.
    fn route(&self, request: &Request) -> Result<(Kind, Option<String>, Option<String>), Refusal> {
        let missing = || refuse(404, "ResourceNotFound", format!("URI not found: {}", request.path));
        let segments = request.segments();
        let mut segments = segments.iter().map(String::as_str);
        if segments.next() != Some(&self.options.project) {
            return Err(missing());
        }
        let mut first = segments.next().ok_or_else(missing)?;
        let mut store = None;
        if first == "in-store" {
            store = Some(segments.next().and_then(|key| key.strip_prefix("key=")).ok_or_else(missing)?.to_owned());
            first = segments.next().ok_or_else(missing)?;
        }
        let kind = KINDS.iter().find(|kind| kind.path == first && (store.is_none() || kind.in_store)).ok_or_else(missing)?;
        let id = segments.next().map(str::to_owned);
        match segments.next() {
            Some(_) => Err(missing()),
            None => Ok((*kind, id, store)),
        }
    }

    fn answer(&self, request: &Request) -> Result<Reply, Refusal> {
        let bearer = request.headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let mut state = lock(&self.state);
        if bearer.and_then(|token| state.tokens.get(token)).is_none_or(|ends| *ends <= request.now_ms) {
            return Err(refuse(401, "invalid_token", "invalid_token"));
        }
        if let Some(rate) = self.options.requests_per_second
            && !state.limiter.admit("api", Rate::per_second(rate), request.now_ms)
        {
            return Err(refuse(429, "TooManyRequests", "Too many requests."));
        }
        drop(state);
        let (kind, id, store) = self.route(request)?;
        if request.method != Method::GET {
            return Err(refuse(405, "InvalidOperation", "This test server only reads."));
        }
        let parameters = query_pairs(&request.query);
        match id {
            Some(id) => self.one(kind, &id, store.as_deref(), &parameters),
            None => self.list(kind, store.as_deref(), &parameters, request.now_ms),
        }
    }

    fn record(&self, tables: &HashMap<&'static str, Table>, kind: Kind, number: u64) -> Value {
        let table = tables.get(kind.path);
        let change = table.map(|table| table.rows.change(number)).unwrap_or_default();
        self.records.record(kind, number, change, table.map_or(0, |table| table.rows.changed_ms(number)))
    }

    fn complete(&self, tables: &HashMap<&'static str, Table>, kind: Kind, record: &mut Value, parameters: &[(String, String)]) {
        let find = |kind: Kind, id: &str| Some(self.record(tables, kind, tables.get(kind.path)?.find(id)?));
        for (_, path) in parameters.iter().filter(|(name, _)| name == "expand") {
            expand(record, path, &find);
        }
        let of = |name: &str| parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        if let (PRODUCTS, Some(currency)) = (kind, of("priceCurrency")) {
            pick_price(&mut record["masterVariant"], currency, of("priceCountry"));
            for variant in record["variants"].as_array_mut().into_iter().flatten() {
                pick_price(variant, currency, of("priceCountry"));
            }
        }
    }

    fn one(&self, kind: Kind, id: &str, store: Option<&str>, parameters: &[(String, String)]) -> Result<Reply, Refusal> {
        let state = lock(&self.state);
        let missing = || refuse(404, "ResourceNotFound", format!("The Resource with ID '{id}' was not found."));
        let number = state.tables.get(kind.path).and_then(|table| table.find(id)).ok_or_else(missing)?;
        let mut record = self.record(&state.tables, kind, number);
        if !is_in(&record, store) {
            return Err(missing());
        }
        self.complete(&state.tables, kind, &mut record, parameters);
        Ok(Reply::json(200, &record))
    }

    fn list(&self, kind: Kind, store: Option<&str>, parameters: &[(String, String)], now_ms: i64) -> Result<Reply, Refusal> {
        let query = Query::read(parameters)?;
        let mut state = lock(&self.state);
        let state = &mut *state;
        let table = state.tables.get(kind.path).ok_or_else(|| refuse(404, "ResourceNotFound", "no such list"))?;
        let mut rows: Vec<Value> = Vec::new();
        let mut matched = 0_usize;
        let numbers: Box<dyn Iterator<Item = u64> + '_> = match self.candidates(&query.rest, kind, &state.tables) {
            Some(numbers) => Box::new(numbers.into_iter()),
            None => Box::new(table.behind(query.after.as_deref())),
        };
        for number in numbers {
            let changed = table.rows.changed_ms(number);
            if query.from_ms.is_some_and(|from| changed < from) || query.until_ms.is_some_and(|until| changed >= until) {
                continue;
            }
            if query.rest.is_empty() && store.is_none() && rows.len() >= query.limit && !query.with_total {
                break;
            }
            if query.rest.is_empty() && store.is_none() && (matched < query.offset || rows.len() >= query.limit) {
                matched += 1;
                continue;
            }
            let mut record = self.record(&state.tables, kind, number);
            if !is_in(&record, store) || !query.rest.iter().all(|part| part.holds(&record)) {
                continue;
            }
            matched += 1;
            if matched > query.offset && rows.len() < query.limit {
                self.complete(&state.tables, kind, &mut record, parameters);
                rows.push(record);
            } else if matched > query.offset && !query.with_total {
                break;
            }
        }
        let mut page = json!({"limit": query.limit, "offset": query.offset, "count": rows.len()});
        if query.with_total {
            page["total"] = matched.min(10_000).into();
        }
        page["results"] = rows.into();
        let reply = Reply::json(200, &page);
        if reply.body.len() > self.options.most_page_bytes {
            return Err(refuse(400, "ContentTooLarge", "The result is too large."));
        }
        let changes = self.options.changes_per_page.min(self.options.most_changes.saturating_sub(state.changes));
        state.changes += changes;
        if let Some(table) = state.tables.get_mut(kind.path) {
            table.rows.touch_some(changes, now_ms);
        }
        Ok(reply)
    }

    /// The rows to look at, where a predicate names what refers to them; all unless it does.
    fn candidates(&self, parts: &[Predicate], kind: Kind, tables: &HashMap<&'static str, Table>) -> Option<Vec<u64>> {
        let (ORDERS, [Predicate::Nested(info, inner)]) = (kind, parts) else { return None };
        let ("paymentInfo", Predicate::Nested(payments, inner)) = (info.as_str(), &**inner) else { return None };
        let ("payments", Predicate::In(field, ids)) = (payments.as_str(), &**inner) else { return None };
        let payments = tables.get(PAYMENTS.path).filter(|_| field == "id")?;
        let numbers = ids.iter().filter_map(|id| payments.find(id.as_str()?)).map(|payment| self.records.order_of_payment(payment));
        Some(numbers.collect())
    }
}

/// What a list is asked for.
struct Query {
    limit: usize,
    offset: usize,
    with_total: bool,
    /// Ids behind this one.
    after: Option<String>,
    from_ms: Option<i64>,
    until_ms: Option<i64>,
    /// What else must hold.
    rest: Vec<Predicate>,
}

impl Query {
    fn read(parameters: &[(String, String)]) -> Result<Self, Refusal> {
        let invalid = |message: String| refuse(400, "InvalidInput", message);
        let variables: HashMap<String, String> =
            parameters.iter().filter_map(|(name, value)| Some((name.strip_prefix("var.")?.to_owned(), value.clone()))).collect();
        let mut query = Self { limit: 20, offset: 0, with_total: true, after: None, from_ms: None, until_ms: None, rest: Vec::new() };
        let mut sorted_by_id = false;
        for (name, value) in parameters {
            let number = |most: usize| {
                let number = value.parse::<usize>().ok().filter(|number| *number <= most);
                number.ok_or_else(|| invalid(format!("Malformed parameter: {name}: must be between 0 and {most}")))
            };
            match name.as_str() {
                "limit" => query.limit = number(500)?,
                "offset" => query.offset = number(10_000)?,
                "withTotal" => query.with_total = value == "true",
                "sort" if value == "id asc" || value == "id" => sorted_by_id = true,
                "sort" => return Err(invalid(format!("Malformed parameter: sort: this test server sorts by `id asc`, not `{value}`"))),
                "where" => query.rest.extend(predicate::parse(value, &variables).map_err(invalid)?.parts()),
                "expand" | "staged" | "localeProjection" | "storeProjection" => {}
                _ if name.starts_with("var.") || name.starts_with("price") => {}
                _ => return Err(invalid(format!("Malformed parameter: {name}: unknown"))),
            }
        }
        // The rows stand in the order of ids; whoever relies on that has to ask for it.
        let mut rest = Vec::new();
        for part in std::mem::take(&mut query.rest) {
            match part {
                Predicate::Compare(field, Operator::Greater, Value::String(id)) if field == "id" => {
                    if !sorted_by_id {
                        return Err(invalid("reading behind an id needs `sort=id asc`".into()));
                    }
                    query.after = Some(id);
                }
                Predicate::Compare(field, operator, Value::String(time)) if field == "lastModifiedAt" => {
                    let time =
                        chrono::DateTime::parse_from_rfc3339(&time).map_err(|_| invalid("Malformed parameter: where: a time".into()))?;
                    let ms = time.timestamp_millis();
                    match operator {
                        Operator::GreaterOrEqual => query.from_ms = Some(ms),
                        Operator::Greater => query.from_ms = Some(ms + 1),
                        Operator::Less => query.until_ms = Some(ms),
                        Operator::LessOrEqual => query.until_ms = Some(ms + 1),
                        Operator::Equal | Operator::NotEqual => return Err(invalid("Malformed parameter: where: a time".into())),
                    }
                }
                other => rest.push(other),
            }
        }
        query.rest = rest;
        Ok(query)
    }
}

/// Whether a record belongs to a store; records without one belong to all.
fn is_in(record: &Value, store: Option<&str>) -> bool {
    let Some(store) = store else { return true };
    match (&record["store"]["key"], &record["stores"]) {
        (Value::String(key), _) => key == store,
        (_, Value::Array(stores)) if !stores.is_empty() => stores.iter().any(|one| one["key"] == *store),
        _ => true,
    }
}

/// The price that the platform picks for the parameters.
fn pick_price(variant: &mut Value, currency: &str, country: Option<&str>) {
    let fits = |price: &&Value| {
        price["value"]["currencyCode"] == currency && (price.get("country").is_none() || price["country"].as_str() == country)
    };
    if let Some(price) = variant["prices"].as_array().and_then(|prices| prices.iter().find(fits)).cloned() {
        variant["price"] = price;
    }
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = (0..3).fold(0_u32, |word, place| word << 8 | u32::from(chunk.get(place).copied().unwrap_or(0)));
        for place in 0..4 {
            let six = (word >> (18 - 6 * place)) & 63;
            text.push(if place <= chunk.len() { char::from(ALPHABET[six as usize]) } else { '=' });
        }
    }
    text
}

impl Vendor for Commercetools {
    fn name(&self) -> &'static str {
        "commercetools"
    }

    fn handle(&self, request: &Request) -> Reply {
        let (name, mut reply) = match request.path.as_str() {
            "/oauth/token" => ("oauth/token".to_owned(), self.token(request)),
            _ => {
                let name = self.route(request).map_or_else(
                    |_| "unknown".to_owned(),
                    |(kind, id, _)| format!("{}{}", kind.path, if id.is_some() { "/{id}" } else { "" }),
                );
                (name, self.answer(request).unwrap_or_else(Refusal::into_reply))
            }
        };
        let mut state = lock(&self.state);
        *state.counts.entry(format!("{name} {}", reply.status)).or_default() += 1;
        state.requests += 1;
        let told = request.headers.get("x-correlation-id").and_then(|value| value.to_str().ok());
        let correlation = told.map_or_else(|| format!("{}/sandbox-{}", self.options.project, state.requests), str::to_owned);
        reply.headers.push(("x-correlation-id", correlation));
        if let Some(now) = chrono::DateTime::from_timestamp_millis(request.now_ms) {
            reply.headers.push(("date", now.format("%a, %d %b %Y %H:%M:%S GMT").to_string()));
        }
        reply
    }

    fn fault_reply(&self, status: u16) -> Reply {
        let (code, message) = match status {
            401 => ("invalid_token", "invalid_token"),
            403 => ("insufficient_scope", "Insufficient scope."),
            404 => ("ResourceNotFound", "Not found."),
            429 => ("TooManyRequests", "Too many requests."),
            502 => ("BadGateway", "Bad gateway."),
            503 => ("OverCapacity", "The service is having trouble handling the load."),
            400..=499 => ("InvalidInput", "The request is malformed."),
            _ => ("General", "Internal server error."),
        };
        let mut reply = refuse(status, code, message).into_reply();
        // A fault says for itself how long to wait.
        reply.headers.clear();
        reply
    }

    fn inspect(&self, query: &Value) -> Result<Value, SandboxError> {
        let state = lock(&self.state);
        match query["what"].as_str() {
            Some("counts") => {
                let rows: BTreeMap<&str, u64> = state.tables.iter().map(|(path, table)| (*path, table.rows.len())).collect();
                let changed: BTreeMap<&str, u64> = state.tables.iter().map(|(path, table)| (*path, table.rows.changed_rows())).collect();
                Ok(json!({"requests": state.counts, "rows": rows, "changed": changed, "tokens": state.issued}))
            }
            // The rows of a list as they stand: id, version and time of the last change.
            Some("rows") => {
                let kind = KINDS.iter().find(|kind| query["resource"].as_str() == Some(kind.path));
                let kind = kind.ok_or_else(|| SandboxError::Invalid("query: unknown `resource`".into()))?;
                let table = state.tables.get(kind.path).ok_or_else(|| SandboxError::Invalid("query: unknown `resource`".into()))?;
                let row = |number: u64| {
                    let ms = table.rows.changed_ms(number);
                    json!({"id": self.records.id(*kind, number), "number": number, "times": table.rows.change(number).times, "lastModifiedAt": stamp(ms)})
                };
                Ok(table.behind(None).map(row).collect())
            }
            _ => Err(SandboxError::Invalid("query: `what` must be `counts` or `rows`".into())),
        }
    }

    fn reset(&self) {
        *lock(&self.state) = Self::open(&self.options, &self.records);
    }
}
