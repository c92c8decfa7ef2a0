#![doc = include_str!("README.md")]

mod browser;
mod carts;
mod catalog;
mod config;
mod consent;
mod map;
mod order_parts;
mod orders;
mod people;
mod pull;
mod sniff;
mod sums;
#[cfg(test)]
mod tests;
mod values;
pub mod webhooks;
#[doc(hidden)]
pub mod wire;

pub use self::config::{Config, ConsentPlace, ConsentRule, FieldMapping, Untouched, ValueType};
pub use self::pull::{FACTS, OrderPart, PullConfig};
pub use self::webhooks::{WebhookConfig, WebhookScheme};

use self::config::Compiled;
use self::map::Row;
use self::sniff::{Shape, data_of, sniff};
use super::rows::{Failure, Handler, Top, parse, read};
use super::split::{End, Keys, value_end};
use super::{DecodeContext, Decoded, Delivery, Pull, Source};
use crate::error::{Error, ErrorCode};
use crate::model::{Instant, ResourceRef};

/// The source: reads what BigCommerce answers and sends.
///
/// ```
/// use cartwire::model::Body;
/// use cartwire::sources::bigcommerce::{Bigcommerce, Config};
/// use cartwire::sources::{DecodeContext, Decoded, Source};
///
/// let source = Bigcommerce::new(Config { store: "abc123".into(), ..Config::default() })?;
/// let mut out = Decoded::default();
/// let raw = br#"{"data": [{"id": 7, "email": "Jane@Example.com", "customer_group_id": 0,
///                          "date_modified": "2025-06-03T09:12:44Z"}], "meta": {}}"#;
/// source.decode(raw, &DecodeContext::at("2025-06-03T09:13:00Z".parse().unwrap()), &mut out);
/// assert!(matches!(out.records[0].record.body, Body::Contact(_)));
/// assert_eq!(out.records[0].record.envelope.identity.email.as_deref(), Some("jane@example.com"));
/// # Ok::<(), cartwire::Error>(())
/// ```
#[derive(Debug)]
pub struct Bigcommerce {
    compiled: Compiled,
    shop: Option<pull::Shop>,
}

impl Bigcommerce {
    /// A source with these settings.
    ///
    /// # Errors
    /// `invalid_config` with the pointer of the setting: a template with a place it does not know, a consent without a field,
    /// a scheme without its secret.
    pub fn new(config: Config) -> Result<Self, Error> {
        let shop = config.pull.as_ref().map(|pull| pull::Shop::new(&config, pull)).transpose()?;
        Ok(Bigcommerce { compiled: Compiled::new(config)?, shop })
    }
}

impl Source for Bigcommerce {
    fn name(&self) -> &'static str {
        "bigcommerce"
    }

    fn tenant(&self) -> &str {
        &self.compiled.config.store
    }

    fn decode(&self, raw: &[u8], context: &DecodeContext<'_>, out: &mut Decoded) {
        // Where the older API has nothing to list it answers 204 without a body; whoever asked says what for.
        if context.resource.is_some() && raw.trim_ascii().is_empty() {
            return;
        }
        let mut reader = Reader { compiled: &self.compiled, context };
        read(raw, context, &mut reader, out);
    }

    fn pull(&self) -> Result<&dyn Pull, Error> {
        let missing = || Error::new(ErrorCode::InvalidConfig, "pulling needs the source's setting `pull`").at("/source/pull");
        self.shop.as_ref().map(|shop| shop as &dyn Pull).ok_or_else(missing)
    }

    fn verify(&self, body: &[u8], headers: &[(&str, &str)], now: Instant) -> Result<(), Error> {
        webhooks::verify(body, headers, &self.compiled.config.webhooks, now)
    }

    fn delivery_keys(&self, body: &[u8]) -> Vec<Delivery> {
        webhooks::delivery_keys(body)
    }
}

struct Reader<'r> {
    compiled: &'r Compiled,
    context: &'r DecodeContext<'r>,
}

impl Handler for Reader<'_> {
    type Shape = ();

    const LIST: &'static str = "rows";

    fn top(&self, bytes: &[u8], at: usize) -> Top<()> {
        match data_of(bytes, at).filter(|data| bytes.get(*data) == Some(&b'[')) {
            Some(rows) => Top::Page(rows),
            None => Top::Row(()),
        }
    }

    fn listed(&self, _bytes: &[u8], _at: usize) {}

    fn row(&mut self, text: &str, (): (), position: u64, out: &mut Decoded) -> Result<(usize, u64), Failure> {
        let bytes = text.as_bytes();
        // A single resource of v3 is wrapped in `data`.
        if let Some(inner) = data_of(bytes, 0) {
            if bytes[inner] == b'[' {
                return Err(Failure::unsupported("a page inside a list"));
            }
            let (_, length) = parse::<serde::de::IgnoredAny>(text)?;
            let shape = self.hinted(sniff(bytes, inner));
            let End::At(end) = value_end(bytes, inner) else { return Err(Failure::unsupported("a page inside a list")) };
            return match self.read(&text[inner..end], shape, position, out) {
                Ok((_, used)) => Ok((length, used)),
                Err(failure) => Err(failure.below("/data")),
            };
        }
        let shape = self.hinted(sniff(bytes, 0));
        self.read(text, shape, position, out)
    }

    fn resource_of(&self, row: &[u8], (): ()) -> Option<ResourceRef> {
        let at = data_of(row, 0).unwrap_or(0);
        let kind = match self.hinted(sniff(row, at)) {
            Shape::Order => "order",
            Shape::Shipment => "shipment",
            Shape::Customer => "customer",
            Shape::Subscriber => "subscriber",
            Shape::Cart | Shape::Checkout => "cart",
            Shape::Product => "product",
            Shape::Category => "category",
            Shape::ComposedOrder => return inner_id(row, "order"),
            Shape::ComposedCustomer => return inner_id(row, "customer"),
            Shape::ComposedProduct => return inner_id(row, "product"),
            Shape::ComposedCart => return inner_id(row, "cart"),
            _ => return None,
        };
        id_at(row, at, kind)
    }
}

fn inner_id(row: &[u8], kind: &str) -> Option<ResourceRef> {
    let at = Keys::new(row, 0).find(|key| key.name == kind.as_bytes())?.value;
    id_at(row, at, kind)
}

fn id_at(row: &[u8], at: usize, kind: &str) -> Option<ResourceRef> {
    let id = Keys::new(row, at).find(|key| matches!(key.name, b"id" | b"category_id"))?;
    let End::At(end) = value_end(row, id.value) else { return None };
    let text = std::str::from_utf8(&row[id.value..end]).ok()?;
    let id = serde_json::from_str::<wire::Text<'_>>(text).ok()?.id()?.to_owned();
    Some(ResourceRef { kind: kind.to_owned(), id })
}

impl Reader<'_> {
    /// What the caller says counts only for documents that do not say it themselves.
    fn hinted(&self, shape: Shape) -> Shape {
        match (shape, self.context.resource) {
            (Shape::Unknown, Some("order")) => Shape::Order,
            (Shape::Unknown, Some("customer")) => Shape::Customer,
            (Shape::Unknown, Some("subscriber")) => Shape::Subscriber,
            (Shape::Unknown, Some("wishlist")) => Shape::Wishlist,
            (Shape::Unknown, Some("cart")) => Shape::Cart,
            (Shape::Unknown, Some("checkout")) => Shape::Checkout,
            (Shape::Unknown | Shape::Other("brand"), Some("category")) => Shape::Category,
            (Shape::Unknown, Some("product")) => Shape::Product,
            (Shape::Unknown, Some("shipment")) => Shape::Shipment,
            (shape, _) => shape,
        }
    }

    fn row<'x>(&'x self, position: u64, out: &'x mut Decoded) -> Row<'x, 'x> {
        self.row_of(&self.compiled.config.store, position, out)
    }

    fn row_of<'x>(&'x self, tenant: &'x str, position: u64, out: &'x mut Decoded) -> Row<'x, 'x> {
        Row { compiled: self.compiled, tenant, context: self.context, mode: self.context.mode, position, prefix: "", out }
    }

    /// Reads the value at the start of `text`: how long it is, and how many rows it was.
    fn read(&self, text: &str, shape: Shape, position: u64, out: &mut Decoded) -> Result<(usize, u64), Failure> {
        macro_rules! into {
            ($wire:ty, |$row:ident, $value:ident, $raw:ident| $then:expr) => {{
                let ($value, length) = parse::<$wire>(text)?;
                let $raw = &text[..length];
                let mut $row = self.row(position, out);
                $then?;
                Ok((length, 1))
            }};
        }
        match shape {
            Shape::Order => into!(wire::orders::Order<'_>, |row, order, raw| row.bare_order(&order, raw)),
            Shape::ComposedOrder => into!(wire::orders::Composed<'_>, |row, order, raw| row.composed_order(&order, raw)),
            Shape::Shipment => into!(wire::orders::Shipment<'_>, |row, shipment, _raw| row.shipment(&shipment)),
            Shape::Customer => into!(wire::people::Customer<'_>, |row, customer, raw| row.customer(&customer, raw)),
            Shape::ComposedCustomer => into!(wire::people::Composed<'_>, |row, customer, raw| row.composed_customer(&customer, raw)),
            Shape::Subscriber => into!(wire::people::Subscriber<'_>, |row, subscriber, raw| row.subscriber(&subscriber, raw)),
            Shape::Wishlist => into!(wire::people::Wishlist<'_>, |row, wishlist, _raw| row.wishlist(&wishlist)),
            Shape::Cart => into!(wire::carts::Cart<'_>, |row, cart, raw| row.cart(&cart, raw)),
            Shape::ComposedCart => into!(wire::carts::Composed<'_>, |row, cart, raw| row.composed_cart(&cart, raw)),
            Shape::Checkout => into!(wire::carts::Checkout<'_>, |row, checkout, raw| row.checkout(&checkout, raw)),
            Shape::Product => into!(wire::catalog::Product<'_>, |row, product, raw| row.product(&product, raw)),
            Shape::ComposedProduct => into!(wire::catalog::Composed<'_>, |row, product, raw| row.composed_product(&product, raw)),
            Shape::Category => into!(wire::catalog::Category<'_>, |row, category, raw| row.category(&category, raw)),
            Shape::Browser => into!(wire::events::Browser<'_>, |row, event, _raw| row.browser(&event)),
            Shape::Hook => self.hook(text, position, out),
            Shape::PartOfOrder(what) => {
                let (part, length) = parse::<wire::orders::PartOfOrder<'_>>(text)?;
                self.whole("order", part.order_id.id(), what, length, position, out)
            }
            Shape::PartOfCustomer(what) => {
                let (part, length) = parse::<wire::people::PartOfCustomer<'_>>(text)?;
                self.whole("customer", part.customer_id.id(), what, length, position, out)
            }
            Shape::PartOfProduct(what) => {
                let (part, length) = parse::<wire::catalog::PartOfProduct<'_>>(text)?;
                let id = part.product_id.id().or(part.identity.product_id.id());
                self.whole("product", id, what, length, position, out)
            }
            Shape::CartId => {
                let (ids, length) = parse::<wire::events::Ids<'_>>(text)?;
                self.whole("cart", ids.cart(), "abandoned cart", length, position, out)
            }
            Shape::Metafield => {
                let (ids, length) = parse::<wire::events::Ids<'_>>(text)?;
                match &*ids.resource_type {
                    kind @ ("order" | "customer" | "product") => self.whole(kind, ids.resource_id.id(), "metafield", length, position, out),
                    _ => self.ignored("metafield", text, position, out),
                }
            }
            Shape::Other(what) => self.ignored(what, text, position, out),
            Shape::Error => Err(Failure::unsupported("the platform's answer to a call that failed, not a resource")),
            Shape::Fragment => Err(Failure::unsupported("a part of a resource, not a resource")),
            Shape::Unknown => {
                parse::<serde::de::IgnoredAny>(text)?;
                Err(Failure::unsupported("no resource or webhook this source knows"))
            }
        }
    }

    /// A row that is nothing without the resource it names.
    fn whole(
        &self,
        kind: &str,
        id: Option<&str>,
        what: &str,
        length: usize,
        position: u64,
        out: &mut Decoded,
    ) -> Result<(usize, u64), Failure> {
        let Some(id) = id else { return Err(Failure::unsupported("a part of a resource that does not name it")) };
        self.row(position, out).fetch(kind, id, what);
        Ok((length, 1))
    }

    fn ignored(&self, what: &str, text: &str, position: u64, out: &mut Decoded) -> Result<(usize, u64), Failure> {
        let (_, length) = parse::<serde::de::IgnoredAny>(text)?;
        self.row(position, out).ignore(what, true);
        Ok((length, 1))
    }

    /// A webhook; one about several things is as many rows.
    fn hook(&self, text: &str, position: u64, out: &mut Decoded) -> Result<(usize, u64), Failure> {
        let (hook, length) = parse::<wire::events::Hook<'_>>(text)?;
        if !hook.destination.is_empty() {
            self.row(position, out).ignore("hook", true);
            return Ok((length, 1));
        }
        let configured = self.compiled.config.store.as_str();
        let tenant = webhooks::tenant(&hook, configured);
        if !configured.is_empty() && tenant != configured {
            // Ids are numbers that every store counts from one: whatever it names is somebody or something else here.
            self.row(position, out).ignore("webhook of another store", false);
            return Ok((length, 1));
        }
        let things = webhooks::about(&hook)?;
        for (at, ids) in (position..).zip(&things) {
            self.row_of(tenant, at, out).hooked(&hook, ids)?;
        }
        Ok((length, things.len() as u64))
    }
}
