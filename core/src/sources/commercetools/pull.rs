//! How a project is read: pages by id inside a window of `lastModifiedAt`, never by offset.
//!
//! <https://docs.commercetools.com/api/general-concepts#iterating-over-all-elements>

use std::collections::BTreeSet;

use chrono::SecondsFormat;
use serde::Deserialize;

use super::super::pull::{
    Authorization, Document, Page, PageBody, Pass, Pull, PullFacts, PullFailure, Step, StreamFacts, Wanted, judge_status, shop_time,
    unreadable,
};
use super::super::split::{End, Keys, elements, skip_space, value_end};
use super::auth::{Access, PullConfig, TOKEN};
use super::map::{is_chargeback, is_refund};
use super::{ABANDONED, Config, wire};
use crate::error::{Error, ErrorCode};
use crate::http::{Method, Reply, Request};
use crate::model::{Instant, ResourceRef};
use crate::normalize::text;

/// Rows a page of what can be large. The platform gives up to 500, but orders of 100 kB are not rare, and two pages are
/// held at a time.
const LARGE: u32 = 200;

/// A stream as most are: 500 rows a page, the most the platform gives, and two minutes of overlap, as the vendor's own
/// synchronisation takes because time stamps come from many servers.
const STREAM: StreamFacts =
    StreamFacts { name: "", path: "", resource: "", page_size: 500, overlap_s: 120, history_days: None, by_default: true, note: "" };

/// What is known about reading from the platform.
pub const FACTS: PullFacts = PullFacts {
    source: "commercetools",
    correlation_header: Some("x-correlation-id"),
    rate: None,
    concurrency: 10,
    token_early_s: 300,
    streams: &[
        StreamFacts { name: "categories", path: "/categories", resource: "category", ..STREAM },
        StreamFacts {
            name: "products",
            path: "/product-projections",
            resource: "product",
            page_size: LARGE,
            note: "what is published; with `currency` and `country` the platform picks the price",
            ..STREAM
        },
        StreamFacts { name: "customers", path: "/customers", resource: "customer", ..STREAM },
        StreamFacts {
            name: "orders",
            path: "/orders",
            resource: "order",
            page_size: LARGE,
            note: "with payments and discount codes expanded, so that refunds and codes are told",
            ..STREAM
        },
        StreamFacts {
            name: "payments",
            path: "/payments",
            resource: "payment",
            note: "only those with a refund; the order of each is read, because a payment does not name it",
            ..STREAM
        },
        StreamFacts {
            name: "carts",
            path: "/carts",
            resource: "cart",
            page_size: LARGE,
            history_days: Some(30),
            note: "the platform sends no message about carts",
            ..STREAM
        },
        StreamFacts {
            name: "abandoned_carts",
            path: "/carts",
            resource: ABANDONED,
            page_size: LARGE,
            history_days: Some(30),
            by_default: false,
            note: "active carts with lines and a person, unchanged for `pull.abandoned_after_minutes`",
            ..STREAM
        },
        StreamFacts {
            name: "inventory",
            path: "/inventory",
            resource: "inventory-entry",
            by_default: false,
            note: "the products of the SKUs whose stock changed are read",
            ..STREAM
        },
        StreamFacts {
            name: "standalone_prices",
            path: "/standalone-prices",
            resource: "standalone-price",
            by_default: false,
            note: "the products of the SKUs whose price changed are read",
            ..STREAM
        },
        StreamFacts {
            name: "discount_codes",
            path: "/discount-codes",
            resource: "discount-code",
            by_default: false,
            note: "read and counted; no destination takes them",
            ..STREAM
        },
        StreamFacts { name: "shopping_lists", path: "/shopping-lists", resource: "shopping-list", by_default: false, ..STREAM },
        StreamFacts { name: "recurring_orders", path: "/recurring-orders", resource: "recurring-order", by_default: false, ..STREAM },
    ],
    note: "no quota is published: overload is answered with 503 and 429, which are obeyed. \
           https://docs.commercetools.com/api/limits",
};

/// Lists that exist below `/in-store/key={storeKey}`, <https://docs.commercetools.com/api/in-store-overview>. Products are read
/// from the project with the store as a projection.
const IN_STORE: [&str; 5] = ["/customers", "/orders", "/carts", "/discount-codes", "/shopping-lists"];

/// SKUs or payments that one question names: the address stays far below what servers take.
const NAMED_AT_ONCE: usize = 20;

/// Minutes of `abandoned_carts` without a setting.
const IDLE_MINUTES: u32 = 60;

/// The shop, ready to be asked.
#[derive(Debug)]
pub(super) struct Shop {
    access: Access,
    project: String,
    store: Option<String>,
    idle: Option<u32>,
    currency: Option<String>,
    country: Option<String>,
    channel: Option<String>,
    group: Option<String>,
    chargebacks: bool,
}

impl Shop {
    pub fn new(config: &Config, pull: &PullConfig) -> Result<Self, Error> {
        if config.project.is_empty() {
            return Err(Error::new(ErrorCode::InvalidConfig, "pulling needs the key of the project").at("/project"));
        }
        // Price parameters take ids; the settings may hold keys, which only the choice made after decoding understands.
        let id = |value: &Option<String>| value.clone().filter(|value| uuid::Uuid::parse_str(value).is_ok());
        Ok(Shop {
            access: Access::new(pull)?,
            project: config.project.clone(),
            store: pull.store.clone(),
            idle: pull.abandoned_after_minutes,
            currency: config.currency.map(|currency| currency.to_string()),
            country: config.country.clone(),
            channel: id(&config.channel),
            group: id(&config.customer_group),
            chargebacks: config.chargebacks_as_refunds,
        })
    }

    /// A question below the project, or below the store where the path exists there.
    fn ask(&self, path: &str, id: &str, parameters: &[(&str, &str)]) -> Request {
        let mut address = String::with_capacity(256);
        address.push('/');
        text::encode(&self.project, &mut address);
        if let Some(store) = self.store.as_deref().filter(|_| IN_STORE.contains(&path)) {
            address.push_str("/in-store/key=");
            text::encode(store, &mut address);
        }
        address.push_str(path);
        if !id.is_empty() {
            address.push('/');
            text::encode(id, &mut address);
        }
        let mut separator = '?';
        let of_products = path == "/product-projections";
        let projection = self.store.as_deref().filter(|_| of_products).map(|store| ("storeProjection", store));
        let prices = [
            ("priceCurrency", &self.currency),
            ("priceCountry", &self.country),
            ("priceChannel", &self.channel),
            ("priceCustomerGroup", &self.group),
        ];
        // The other price parameters are refused without a currency.
        let prices = prices.iter().filter(|_| of_products && self.currency.is_some());
        let prices = prices.filter_map(|(name, value)| Some((*name, value.as_deref()?)));
        let expansions = expansions(path).iter().map(|path| ("expand", *path));
        for (name, value) in parameters.iter().copied().chain(expansions).chain(prices).chain(projection) {
            address.push(separator);
            separator = '&';
            address.push_str(name);
            address.push('=');
            text::encode(value, &mut address);
        }
        Request {
            endpoint: path.trim_start_matches('/').to_owned().into(),
            method: Method::Get,
            path: address,
            headers: vec![("accept", "application/json".to_owned())],
            secret_headers: Vec::new(),
            body: None,
        }
    }

    fn some_of(&self, path: &str, predicate: impl Fn(&str) -> String, names: &[String]) -> Request {
        let variables: Vec<String> = (0..names.len()).map(|index| format!("n{index}")).collect();
        let list: Vec<String> = variables.iter().map(|name| format!(":{name}")).collect();
        let predicate = predicate(&list.join(", "));
        let variables: Vec<String> = variables.iter().map(|name| format!("var.{name}")).collect();
        let mut parameters = vec![("where", predicate.as_str()), ("limit", "500"), ("withTotal", "false")];
        parameters.extend(variables.iter().map(String::as_str).zip(names.iter().map(String::as_str)));
        self.ask(path, "", &parameters)
    }
}

/// What is asked for beside the resource itself. Where the right to see it is missing the platform leaves it out.
fn expansions(path: &str) -> &'static [&'static str] {
    match path {
        "/orders" => &["paymentInfo.payments[*]", "discountCodes[*].discountCode", "customerGroup"],
        "/carts" => &["discountCodes[*].discountCode", "customerGroup"],
        "/customers" => &["customerGroup"],
        "/product-projections" => &["categories[*].ancestors[*]", "productType"],
        "/categories" => &["ancestors[*]"],
        _ => &[],
    }
}

fn stamp(instant: Instant) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Millis, true)
}

impl Pull for Shop {
    fn facts(&self) -> &'static PullFacts {
        &FACTS
    }

    fn scope(&self) -> String {
        match &self.store {
            Some(store) => format!("{}/{store}", self.project),
            None => self.project.clone(),
        }
    }

    fn base_url(&self, request: &Request) -> &str {
        if request.endpoint == TOKEN { &self.access.auth } else { &self.access.api }
    }

    fn authorization(&self) -> Option<Request> {
        Some(self.access.token_request())
    }

    fn read_authorization(&self, reply: &Reply) -> Result<Authorization, PullFailure> {
        Access::read_token(reply)
    }

    fn is_default(&self, stream: &StreamFacts) -> bool {
        stream.by_default || (stream.resource == ABANDONED && self.idle.is_some())
    }

    fn until(&self, stream: &StreamFacts, now: Instant) -> Option<Instant> {
        let idle = chrono::Duration::minutes(self.idle.unwrap_or(IDLE_MINUTES).into());
        (stream.resource == ABANDONED).then(|| now - idle)
    }

    fn page(&self, stream: &StreamFacts, pass: &Pass) -> Result<Request, Error> {
        let mut predicates: Vec<&str> = Vec::new();
        if stream.resource == ABANDONED {
            predicates.push(
                "cartState = \"Active\" and origin = \"Customer\" and lineItems is not empty \
                 and (customerEmail is defined or customerId is defined)",
            );
        }
        let (from, until) = (pass.from.map(stamp), pass.until.map(stamp));
        let limit = pass.page_size.to_string();
        let mut parameters = vec![("sort", "id asc"), ("limit", limit.as_str()), ("withTotal", "false")];
        let mut variables = Vec::new();
        if let Some(from) = &from {
            predicates.push("lastModifiedAt >= :from");
            variables.push(("var.from", from.as_str()));
        }
        if let Some(until) = &until {
            predicates.push("lastModifiedAt < :until");
            variables.push(("var.until", until.as_str()));
        }
        if !pass.at.is_empty() {
            predicates.push("id > :last");
            variables.push(("var.last", pass.at.as_str()));
        }
        let predicate = predicates.join(" and ");
        if !predicate.is_empty() {
            parameters.push(("where", predicate.as_str()));
        }
        parameters.extend(variables);
        Ok(self.ask(stream.path, "", &parameters))
    }

    fn read(&self, stream: &StreamFacts, pass: &Pass, reply: &Reply) -> Result<Page, PullFailure> {
        if reply.status == 404 {
            return Err(PullFailure::Stop(Error::new(ErrorCode::NotFound, "the shop has no such project, store or list")));
        }
        let rows = Rows::of(&reply.body).ok_or_else(unreadable)?;
        let limit = rows.limit.unwrap_or_else(|| pass.page_size.into());
        let next = match rows.spans.len() as u64 >= limit && !rows.spans.is_empty() {
            true => Some(last_id(&reply.body, &rows.spans)?),
            false => None,
        };
        let (body, wanted) = match stream.resource {
            _ if rows.spans.is_empty() => (PageBody::Nothing, Vec::new()),
            "payment" => (PageBody::Nothing, refunded(&reply.body, &rows.spans, self.chargebacks)),
            "inventory-entry" | "standalone-price" => (PageBody::Nothing, skus(&reply.body, &rows.spans)),
            _ => (PageBody::Reply, Vec::new()),
        };
        Ok(Page { body, wanted, rows: rows.spans.len() as u64, next, shop_time: shop_time(reply) })
    }

    fn judge(&self, reply: &Reply) -> Result<(), PullFailure> {
        if reply.status == 400 {
            let code = error_code(&reply.body);
            let why = |text: &str| format!("the shop answered with status 400: {text}");
            return Err(match code.as_deref() {
                Some("ContentTooLarge" | "QueryTimedOut") => {
                    PullFailure::Smaller(Error::new(ErrorCode::TooLarge, why("the page is too large or takes too long")))
                }
                _ => PullFailure::Stop(Error::new(ErrorCode::Rejected, why("it does not take the question"))),
            });
        }
        if matches!(reply.status, 500..=599) && error_code(&reply.body).as_deref() == Some("QueryTimedOut") {
            return Err(PullFailure::Smaller(Error::new(ErrorCode::Unavailable, "the shop needs too long for a page")));
        }
        if reply.status == 403 {
            let why = "the API client lacks a scope for this; the source's page lists what each stream needs";
            return Err(PullFailure::Stop(Error::new(ErrorCode::Forbidden, why)));
        }
        judge_status(reply)
    }

    fn follow(&self, wanted: &Wanted, replies: &[Reply]) -> Result<Step, PullFailure> {
        let resource = &wanted.resource;
        let one = |path: &str, kind: &'static str| {
            Ok(match replies.first() {
                None => Step::Ask(vec![self.ask(path, &resource.id, &[])]),
                Some(reply) if reply.status == 404 => GONE,
                Some(reply) => Step::Done(vec![Document { resource: kind, bytes: reply.body.clone() }]),
            })
        };
        match resource.kind.as_str() {
            "customer" => one("/customers", "customer"),
            "order" => one("/orders", "order"),
            "cart" => one("/carts", "cart"),
            "category" => one("/categories", "category"),
            "product" => one("/product-projections", "product"),
            "payment" => self.payment(resource, replies),
            "sku" => self.products_of(std::slice::from_ref(&resource.id), replies),
            "shopping-list" => one("/shopping-lists", "shopping-list"),
            "recurring-order" => one("/recurring-orders", "recurring-order"),
            "inventory-entry" | "standalone-price" => match replies {
                [] => self.first(if resource.kind == "inventory-entry" { "/inventory" } else { "/standalone-prices" }, resource),
                [stocked, ..] if stocked.status == 404 => Ok(GONE),
                [stocked, rest @ ..] => match text_member(&stocked.body, b"sku") {
                    Some(sku) => self.products_of(&[sku], rest),
                    None => Err(unreadable()),
                },
            },
            "order-edit" => self.through(resource, "/orders/edits", replies, ("/orders", "order"), |edit| {
                let edit: wire::OrderEdit<'_> = serde_json::from_slice(edit).ok()?;
                let applied = edit.result?.kind.as_deref() == Some("Applied");
                edit.resource.filter(|_| applied)?.id.map(|id| id.to_string())
            }),
            "variant" => self.through(resource, "/variants", replies, ("/product-projections", "product"), |variant| {
                let variant: wire::Variant<'_> = serde_json::from_slice(variant).ok()?;
                variant.product?.id.map(|id| id.to_string())
            }),
            PAYMENTS => self.orders_of(wanted.seed.as_deref().unwrap_or_default(), replies.first()),
            SKUS => {
                let skus: Vec<String> = serde_json::from_slice(wanted.seed.as_deref().unwrap_or_default()).unwrap_or_default();
                self.products_of(&skus, replies)
            }
            _ => Ok(Step::Nothing("this source does not read such resources")),
        }
    }
}

/// What a 404 means, whichever resource it is the answer for.
const GONE: Step = Step::Nothing("it is deleted, or not visible to this API client");

impl Shop {
    fn first(&self, path: &str, resource: &ResourceRef) -> Result<Step, PullFailure> {
        Ok(Step::Ask(vec![self.ask(path, &resource.id, &[])]))
    }

    /// A resource that only leads to another one.
    fn through(
        &self,
        resource: &ResourceRef,
        path: &str,
        replies: &[Reply],
        to: (&str, &'static str),
        leads: impl Fn(&[u8]) -> Option<String>,
    ) -> Result<Step, PullFailure> {
        match replies {
            [] => self.first(path, resource),
            [.., last] if last.status == 404 => Ok(GONE),
            [named] => Ok(match leads(&named.body) {
                Some(id) => Step::Ask(vec![self.ask(to.0, &id, &[])]),
                None => Step::Nothing("it leads to nothing that changed"),
            }),
            [_, found, ..] => Ok(Step::Done(vec![Document { resource: to.1, bytes: found.body.clone() }])),
        }
    }

    /// The products of some SKUs.
    fn products_of(&self, skus: &[String], replies: &[Reply]) -> Result<Step, PullFailure> {
        let named = |list: &str| format!("masterVariant(sku in ({list})) or variants(sku in ({list}))");
        Ok(match replies.first() {
            None => Step::Ask(vec![self.some_of("/product-projections", named, skus)]),
            Some(reply) => Step::Done(vec![Document { resource: "product", bytes: reply.body.clone() }]),
        })
    }

    /// A payment that a message named: itself, then the order it belongs to.
    fn payment(&self, resource: &ResourceRef, replies: &[Reply]) -> Result<Step, PullFailure> {
        match replies {
            [] => Ok(Step::Ask(vec![self.ask("/payments", &resource.id, &[])])),
            [payment, ..] if payment.status == 404 => Ok(GONE),
            [payment, rest @ ..] => {
                let mut seed = Vec::with_capacity(payment.body.len() + 2);
                seed.push(b'[');
                seed.extend_from_slice(&payment.body);
                seed.push(b']');
                self.orders_of(&seed, rest.first())
            }
        }
    }

    /// The orders of some payments, given as a JSON list. A payment without one is told of as it is, unless a store is set:
    /// then it may be another store's.
    fn orders_of(&self, payments: &[u8], orders: Option<&Reply>) -> Result<Step, PullFailure> {
        let rows = Rows::list(payments).ok_or_else(unreadable)?;
        let ids: Vec<String> = rows.spans.iter().filter_map(|&(start, end)| id_of(&payments[start..end])).collect();
        let Some(orders) = orders else {
            let named = |list: &str| format!("paymentInfo(payments(id in ({list})))");
            return Ok(Step::Ask(vec![self.some_of("/orders", named, &ids)]));
        };
        let mut documents = Vec::new();
        let found = Rows::of(&orders.body).ok_or_else(unreadable)?;
        let mut known = BTreeSet::new();
        for &(start, end) in &found.spans {
            known.extend(payments_of(&orders.body[start..end]));
        }
        if !found.spans.is_empty() {
            documents.push(Document { resource: "order", bytes: orders.body.clone() });
        }
        if self.store.is_none() {
            let lost = rows.spans.iter().map(|&(start, end)| &payments[start..end]);
            let lost = lost.filter(|row| id_of(row).is_none_or(|id| !known.contains(&id)));
            documents.extend(lost.map(|row| Document { resource: "payment", bytes: row.to_vec() }));
        }
        Ok(Step::Done(documents))
    }
}

/// Kinds of [`Wanted`] that only this file knows: a list of payments, a list of SKUs, in the seed.
const PAYMENTS: &str = "payments";
const SKUS: &str = "skus";

/// Where the rows of a page are.
struct Rows {
    spans: Vec<(usize, usize)>,
    /// What the platform says it gives per page.
    limit: Option<u64>,
}

impl Rows {
    /// The rows of a query page; none when it is no whole page.
    fn of(page: &[u8]) -> Option<Self> {
        let mut limit = None;
        for key in Keys::new(page, skip_space(page, 0)) {
            match key.name {
                b"limit" => {
                    let End::At(end) = value_end(page, key.value) else { return None };
                    limit = serde_json::from_slice(&page[key.value..end]).ok();
                }
                b"results" => {
                    let (spans, end) = elements(page, key.value)?;
                    // A page that was cut behind its rows is cut all the same.
                    page[end..].iter().rfind(|byte| !byte.is_ascii_whitespace()).filter(|byte| **byte == b'}')?;
                    return Some(Rows { spans, limit });
                }
                _ => {}
            }
        }
        None
    }

    fn list(list: &[u8]) -> Option<Self> {
        elements(list, skip_space(list, 0)).map(|(spans, _)| Rows { spans, limit: None })
    }
}

fn text_member(row: &[u8], name: &[u8]) -> Option<String> {
    let key = Keys::new(row, 0).find(|key| key.name == name)?;
    let End::At(end) = value_end(row, key.value) else { return None };
    serde_json::from_slice(&row[key.value..end]).ok()
}

fn id_of(row: &[u8]) -> Option<String> {
    text_member(row, b"id").filter(|id| !id.is_empty())
}

/// The id of the last row, if it is behind all others: else what comes behind it is not all that is left.
fn last_id(page: &[u8], rows: &[(usize, usize)]) -> Result<String, PullFailure> {
    let stop = |why: &str| PullFailure::Stop(Error::new(ErrorCode::Rejected, why));
    let mut last = String::new();
    for &(start, end) in rows {
        let id = id_of(&page[start..end]).ok_or_else(|| stop("a row of the page has no id to go on from"))?;
        if id <= last {
            return Err(stop("the shop did not sort the page by id as it was asked to; rows would be missed"));
        }
        last = id;
    }
    Ok(last)
}

/// The payments of a page that gave money back, some at a time. A row that cannot be read is handed on, so that decoding
/// says what is wrong with it.
fn refunded(page: &[u8], rows: &[(usize, usize)], chargebacks: bool) -> Vec<Wanted> {
    let gives_back = |transaction: &wire::Transaction<'_>| is_refund(transaction) || (chargebacks && is_chargeback(transaction));
    let refunds =
        |row: &&[u8]| serde_json::from_slice::<wire::Payment<'_>>(row).map_or(true, |payment| payment.transactions.iter().any(gives_back));
    let rows: Vec<&[u8]> = rows.iter().map(|&(start, end)| &page[start..end]).filter(refunds).collect();
    rows.chunks(NAMED_AT_ONCE)
        .map(|some| {
            let seed = [b"[".as_slice(), &some.join(&b','), b"]"].concat();
            Wanted { resource: ResourceRef { kind: PAYMENTS.to_owned(), id: String::new() }, seed: Some(seed) }
        })
        .collect()
}

/// The SKUs of a page, each once, some at a time.
fn skus(page: &[u8], rows: &[(usize, usize)]) -> Vec<Wanted> {
    let skus: BTreeSet<String> = rows.iter().filter_map(|&(start, end)| text_member(&page[start..end], b"sku")).collect();
    let skus: Vec<String> = skus.into_iter().collect();
    let seed = |some: &[String]| serde_json::to_vec(some).unwrap_or_default();
    skus.chunks(NAMED_AT_ONCE)
        .map(|some| Wanted { resource: ResourceRef { kind: SKUS.to_owned(), id: String::new() }, seed: Some(seed(some)) })
        .collect()
}

/// The ids of the payments of an order.
fn payments_of(order: &[u8]) -> Vec<String> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Order {
        payment_info: Option<Info>,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Info {
        payments: Vec<Named>,
    }
    #[derive(Deserialize)]
    struct Named {
        id: String,
    }
    let order: Order = serde_json::from_slice(order).unwrap_or_default();
    order.payment_info.into_iter().flat_map(|info| info.payments).map(|payment| payment.id).collect()
}

/// The first code of an error answer, <https://docs.commercetools.com/api/errors>.
fn error_code(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Answer {
        errors: Vec<Code>,
    }
    #[derive(Deserialize)]
    struct Code {
        code: String,
    }
    serde_json::from_slice::<Answer>(body).ok()?.errors.into_iter().next().map(|first| first.code)
}

#[cfg(test)]
mod tests;
