//! How a store is read: lists behind the last id or by the platform's cursor wherever it has one, by pages else, and things in
//! parts.
//!
//! <https://developer.bigcommerce.com/docs/start/about/common-query-params>,
//! <https://developer.bigcommerce.com/docs/start/best-practices/api-rate-limits>

mod access;
mod carts;
mod catalog;
mod gather;
mod named;
mod orders;
mod pages;
mod people;
mod price_lists;

use std::time::Duration;

use chrono::SecondsFormat;

pub use self::access::{OrderPart, PullConfig};

use self::access::Access;
use self::pages::{Paging, Position, Rows, id_of, is_whole};
use self::price_lists::Tour;
use super::Config;
use super::config::{ConsentPlace, ConsentRule};
use crate::error::{Error, ErrorCode};
use crate::http::{Method, Reply, Request, percent};
use crate::model::{Instant, ResourceRef};
use crate::sources::Fetch;
use crate::sources::pull::{
    Document, Page, PageBody, Pass, Pull, PullFacts, PullFailure, Step, StreamFacts, Wanted, judge_status, shop_time, unreadable,
};

/// A stream as most are: 250 rows a page, the most the platform gives, and five minutes of overlap, because whether a date
/// filter takes its own second in is not said.
const STREAM: StreamFacts = StreamFacts {
    name: "",
    path: "",
    resource: "",
    page_size: pages::MOST_ROWS,
    overlap_s: 300,
    history_days: None,
    by_default: true,
    note: "",
};

/// What is known about reading from the platform.
pub const FACTS: PullFacts = PullFacts {
    source: "bigcommerce",
    correlation_header: None,
    rate: None,
    concurrency: 8,
    token_early_s: 0,
    streams: &[
        StreamFacts {
            name: "categories",
            path: "/v3/catalog/trees/categories",
            resource: "category",
            note: "without a date: read whole every time",
            ..STREAM
        },
        StreamFacts {
            name: "products",
            path: "/v3/catalog/products",
            resource: "product",
            page_size: 100,
            note: "with variants, images and custom fields; brands, names of categories, and what else is set, are read per page",
            ..STREAM
        },
        StreamFacts { name: "customers", path: "/v3/customers", resource: "customer", ..STREAM },
        StreamFacts {
            name: "customer_attributes",
            path: "/v3/customers/attribute-values",
            resource: "attribute-value",
            history_days: Some(1),
            by_default: false,
            note: "the customers whose attributes changed are read; attributes that an app sets are not told otherwise",
            ..STREAM
        },
        StreamFacts { name: "subscribers", path: "/v3/customers/subscribers", resource: "subscriber", ..STREAM },
        StreamFacts {
            name: "orders",
            path: "/v2/orders",
            resource: "order",
            page_size: 50,
            note: "each with its parts, which are calls of their own",
            ..STREAM
        },
        StreamFacts {
            name: "refunds",
            path: "/v3/orders/payment_actions/refunds",
            resource: "refund",
            note: "the order of each is read: a refund does not say its currency, nor whom it is for",
            ..STREAM
        },
        StreamFacts {
            name: "price_records",
            path: "/v3/pricelists/{price_list_id}/records",
            resource: "price-list-record",
            by_default: false,
            note: "of every price list, one after the other; the products whose prices changed are read",
            ..STREAM
        },
        StreamFacts {
            name: "inventory",
            path: "/v3/inventory/items",
            resource: "inventory-item",
            by_default: false,
            note: "without a date: the products of all items are read every time",
            ..STREAM
        },
        StreamFacts {
            name: "wishlists",
            path: "/v3/wishlists",
            resource: "wishlist",
            by_default: false,
            note: "without a date: read whole every time",
            ..STREAM
        },
    ],
    note: "the quota is the store's, shared by all its apps, and depends on its plan: headers of every answer tell what is left. \
           https://developer.bigcommerce.com/docs/start/best-practices/api-rate-limits",
};

/// How the list of a stream is asked.
struct List {
    paging: Paging,
    /// Filter for what changed since; empty where there is none.
    from: &'static str,
    /// Filter for what changed before. With it nothing can come into the list while it is read, so that its total tells how
    /// many rows went.
    until: &'static str,
    /// Parameters besides, encoded.
    query: &'static [&'static str],
}

fn list_of(stream: &StreamFacts) -> List {
    let list = |paging, from| List { paging, from, until: "", query: &[] };
    match stream.name {
        "products" => List { query: &[catalog::INCLUDE, "sort=id", "direction=asc"], ..list(Paging::Ids("id:greater"), MODIFIED) },
        "customers" => List { query: &[people::INCLUDE], ..list(Paging::Cursor, MODIFIED) },
        "customer_attributes" | "subscribers" => List { until: "date_modified:max", ..list(Paging::Rows, MODIFIED) },
        // By id, upwards, is this list's own order; the words that its document takes for `sort` say no direction.
        "orders" => List { query: &[orders::INCLUDE], ..list(Paging::Ids("min_id"), "min_date_modified") },
        "refunds" => list(Paging::Rows, "created:min"),
        RECORDS => list(Paging::Cursor, MODIFIED),
        _ => list(Paging::Rows, ""),
    }
}

const MODIFIED: &str = "date_modified:min";

const JSON: &str = "application/json";

/// Kinds of [`Wanted`] that only this module knows: a page of products in the seed, products by ids.
const PAGE: &str = "product-page";
const PRODUCTS: &str = "products";
/// A cart that the platform called abandoned.
const ABANDONED: &str = "abandoned-cart";

const RECORDS: &str = "price_records";

/// What a 404 means, whichever resource it is the answer for.
const GONE: Step = Step::Nothing("it is deleted, or became something else");

/// The shop, ready to be asked.
#[derive(Debug)]
pub(super) struct Shop {
    access: Access,
    store: String,
    reserve_percent: u64,
    parts: Vec<OrderPart>,
    test_orders: bool,
    price_lists: bool,
    inventory: bool,
    checkouts: bool,
    /// Whether settings name something that only metafields hold.
    order_metafields: bool,
    customer_metafields: bool,
    product_metafields: bool,
    /// Whether a consent is kept in an attribute.
    consent_in_attributes: bool,
}

impl Shop {
    pub fn new(config: &Config, pull: &PullConfig) -> Result<Self, Error> {
        if config.store.is_empty() {
            return Err(Error::new(ErrorCode::InvalidConfig, "pulling needs the hash of the store").at("/store"));
        }
        let in_metafields = |fields: &[super::FieldMapping]| fields.iter().any(|one| is_metafield(&one.field));
        let consent_on = |place: ConsentPlace| config.consents.iter().any(|rule: &ConsentRule| rule.on == place);
        Ok(Shop {
            access: Access::new(pull)?,
            store: config.store.clone(),
            reserve_percent: pull.reserve_percent.into(),
            parts: pull.order_parts.clone(),
            test_orders: config.test_orders,
            price_lists: pull.price_lists,
            inventory: pull.inventory || !config.locations.is_empty(),
            checkouts: pull.checkouts,
            order_metafields: in_metafields(&config.order_fields),
            customer_metafields: in_metafields(&config.contact_fields)
                || consent_on(ConsentPlace::Metafield)
                || config.phone_field.as_deref().is_some_and(is_metafield),
            product_metafields: in_metafields(&config.attributes),
            consent_in_attributes: consent_on(ConsentPlace::Attribute),
        })
    }

    /// A question below the store. `query` is encoded already, values of `parameters` are not.
    fn ask(&self, path: &str, query: &str, parameters: &[(&'static str, String)]) -> Request {
        let mut address = String::with_capacity(256);
        address.push_str("/stores/");
        percent(&self.store, &mut address);
        address.push_str(path);
        let mut separator = '?';
        if !query.is_empty() {
            address.push(separator);
            separator = '&';
            address.push_str(query);
        }
        for (name, value) in parameters {
            address.push(separator);
            separator = '&';
            address.push_str(name);
            address.push('=');
            percent(value, &mut address);
        }
        Request {
            endpoint: endpoint(path).into(),
            method: Method::Get,
            path: address,
            // Some documents require the second, though nothing is sent.
            headers: vec![("accept", JSON.to_owned()), ("content-type", JSON.to_owned())],
            secret_headers: vec![("x-auth-token", self.access.token.clone())],
            body: None,
        }
    }

    /// The question for a page of a stream, where the list stands.
    fn list_page(&self, path: &str, list: &List, pass: &Pass, at: &Position) -> Request {
        let mut parameters = Vec::new();
        let times = [(list.from, pass.from), (list.until, pass.until)];
        for (filter, time) in times.into_iter().filter(|(filter, _)| !filter.is_empty()) {
            parameters.extend(time.map(|time| (filter, stamp(time))));
        }
        parameters.extend(at.parameters(list.paging, pass.page_size));
        self.ask(path, &list.query.join("&"), &parameters)
    }
}

impl Shop {
    /// A cursor is the platform's own, and nobody says how long it is good for. When one is refused, its list is read again
    /// from the beginning, by pages this time.
    fn start_again(stream: &StreamFacts, pass: &Pass, refusal: &Reply) -> Result<Page, PullFailure> {
        let next = match stream.name {
            RECORDS => Tour::again(&pass.at).map_err(PullFailure::Stop)?,
            _ => pages::by_pages(&pass.at),
        };
        match next {
            Some(_) => Ok(Page { body: PageBody::Nothing, next, shop_time: shop_time(refusal), ..Page::default() }),
            None => Err(pages::refused()),
        }
    }
}

/// The question without what it is about, for logs.
fn endpoint(path: &str) -> String {
    let mut parts = path.trim_start_matches('/').split('/');
    let generation = parts.next().unwrap_or_default();
    parts.fold(generation.to_owned(), |mut all, part| {
        all.push('/');
        all.push_str(if part.bytes().any(|byte| byte.is_ascii_digit()) { "{id}" } else { part });
        all
    })
}

/// Whole seconds with their zone, which both generations take: without the time of day a filter takes that of the call.
fn stamp(instant: Instant) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Ids for a filter that takes several.
fn joined<'i>(ids: impl IntoIterator<Item = &'i str>) -> String {
    let mut text = String::new();
    for id in ids {
        if !text.is_empty() {
            text.push(',');
        }
        percent(id, &mut text);
    }
    text
}

/// Whether the name of a field is that of a metafield, `namespace.key`.
fn is_metafield(field: &str) -> bool {
    let named = field.split_once('.').is_some_and(|(namespace, key)| !namespace.is_empty() && !key.is_empty());
    named && !field.contains(char::is_whitespace)
}

impl Pull for Shop {
    fn facts(&self) -> &'static PullFacts {
        &FACTS
    }

    fn scope(&self) -> String {
        self.store.clone()
    }

    fn base_url(&self, _request: &Request) -> &str {
        &self.access.api
    }

    fn is_default(&self, stream: &StreamFacts) -> bool {
        stream.by_default
            || (stream.name == RECORDS && self.price_lists)
            || (stream.name == "customer_attributes" && self.consent_in_attributes)
    }

    fn until(&self, stream: &StreamFacts, now: Instant) -> Option<Instant> {
        (!list_of(stream).until.is_empty()).then_some(now)
    }

    fn page(&self, stream: &StreamFacts, pass: &Pass) -> Result<Request, Error> {
        if stream.name == RECORDS {
            return self.tour_page(stream, pass);
        }
        Ok(self.list_page(stream.path, &list_of(stream), pass, &pass.at.parse()?))
    }

    fn read(&self, stream: &StreamFacts, pass: &Pass, reply: &Reply) -> Result<Page, PullFailure> {
        let of_one_price_list = stream.name == RECORDS && !pass.at.is_empty();
        if reply.status == 404 && !of_one_price_list {
            return Err(PullFailure::Stop(Error::new(ErrorCode::NotFound, "the platform has no such store or list")));
        }
        if reply.status == 422 {
            return Self::start_again(stream, pass, reply);
        }
        let mut rows = Rows::of(reply)?;
        if stream.name == RECORDS {
            return Ok(Page { shop_time: shop_time(reply), ..Self::read_tour(pass, &rows)? });
        }
        let at: Position = pass.at.parse().map_err(PullFailure::Stop)?;
        let next = at.next(list_of(stream).paging, pass.page_size, &rows, b"id")?.map(|at| at.to_string());
        if let Position::Id(last) = at {
            // The row to go on from comes again where the filter takes it in.
            rows.rows.retain(|row| pages::number_of(row, b"id") != Some(last));
        }
        let count = rows.rows.len() as u64;
        let (body, wanted) = match stream.name {
            _ if rows.is_empty() => (PageBody::Nothing, Vec::new()),
            "customers" => self.customers(&rows),
            "customer_attributes" => (PageBody::Nothing, named::customers(&rows)),
            "orders" => (PageBody::Nothing, rows.rows.iter().map(|row| seeded("order", row)).collect()),
            "refunds" => (PageBody::Nothing, named::orders(&rows)),
            "products" => {
                let mut page = Vec::with_capacity(reply.body.len());
                pages::list(&rows.rows, &mut page);
                let resource = ResourceRef { kind: PAGE.to_owned(), id: String::new() };
                (PageBody::Nothing, vec![Wanted { resource, seed: Some(page) }])
            }
            "inventory" => (PageBody::Nothing, named::products(&rows, &[b"identity", b"product_id"])),
            _ => (PageBody::Reply, Vec::new()),
        };
        Ok(Page { body, wanted, rows: count, next, shop_time: shop_time(reply) })
    }

    fn judge(&self, reply: &Reply) -> Result<(), PullFailure> {
        let stop = |code, why: &str| Err(PullFailure::Stop(Error::new(code, why)));
        match reply.status {
            // No other credentials can be had.
            401 => stop(ErrorCode::Unauthorized, "the platform does not know this access token; check it and the hash of the store"),
            403 => stop(ErrorCode::Forbidden, "the API account lacks a scope for this; the source's page lists what each stream needs"),
            // Perhaps only the cursor; whoever reads the answer knows.
            422 => Ok(()),
            // Of an answer that was cut off, half a list must not count as all of it.
            200..=299 if !is_whole(&reply.body) => Err(unreadable()),
            _ => judge_status(reply),
        }
    }

    fn rest_after(&self, reply: &Reply) -> Option<Duration> {
        let number = |name: &str| reply.header(name)?.trim().parse::<u64>().ok();
        let reset = || number("x-rate-limit-time-reset-ms").map(Duration::from_millis);
        if reply.status == 429 {
            return reset().or_else(|| number("x-retry-after").map(Duration::from_secs));
        }
        let left = number("x-rate-limit-requests-left")?;
        let kept = number("x-rate-limit-requests-quota").unwrap_or(0).saturating_mul(self.reserve_percent) / 100;
        if left <= kept { reset() } else { None }
    }

    fn wanted(&self, fetch: &Fetch) -> Option<Wanted> {
        let ResourceRef { kind, id } = &fetch.resource;
        let kind = match kind.as_str() {
            _ if id.is_empty() => return None,
            "cart" if fetch.reason.ends_with("cart/abandoned") => ABANDONED,
            kind @ ("order" | "customer" | "subscriber" | "cart" | "product" | "variant" | "category" | "category-tree") => kind,
            _ => return None,
        };
        Some(Wanted { resource: ResourceRef { kind: kind.to_owned(), id: id.clone() }, seed: None })
    }

    fn follow(&self, wanted: &Wanted, replies: &[Reply]) -> Result<Step, PullFailure> {
        let ResourceRef { kind, id } = &wanted.resource;
        let seed = wanted.seed.as_deref();
        match kind.as_str() {
            "order" => self.order(id, seed, replies),
            "customer" => self.customer(id, seed, replies),
            "subscriber" => self.one("/v3/customers/subscribers/", id, "subscriber", replies),
            "cart" => self.cart(id, false, replies),
            ABANDONED => self.cart(id, true, replies),
            "product" => self.product(id, replies),
            "variant" => self.product_of_variant(id, replies),
            PRODUCTS => self.products_by_id(id, replies),
            PAGE => self.products_of_page(seed.unwrap_or_default(), replies),
            "category" => self.categories("category_id:in", id, replies),
            "category-tree" => self.categories("tree_id:in", id, replies),
            _ => Ok(Step::Nothing("this source does not read such resources")),
        }
    }
}

impl Shop {
    /// A resource that is served whole.
    fn one(&self, path: &str, id: &str, resource: &'static str, replies: &[Reply]) -> Result<Step, PullFailure> {
        let Some(reply) = replies.first() else {
            let mut path = path.to_owned();
            percent(id, &mut path);
            return Ok(Step::Ask(vec![self.ask(&path, "", &[])]));
        };
        Ok(match Rows::of(reply)?.is_empty() {
            true => GONE,
            false => Step::Done(vec![Document { resource, bytes: reply.body.clone() }]),
        })
    }
}

fn seeded(kind: &str, row: &[u8]) -> Wanted {
    let resource = ResourceRef { kind: kind.to_owned(), id: id_of(row, b"id").unwrap_or_default() };
    Wanted { resource, seed: Some(row.to_vec()) }
}

#[cfg(test)]
mod tests;
