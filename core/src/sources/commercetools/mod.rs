#![doc = include_str!("README.md")]

mod abandoned;
mod auth;
mod config;
mod consent;
mod deliveries;
mod lists;
mod map;
mod messages;
mod orders;
mod pull;
mod sniff;
#[cfg(test)]
mod tests;
mod values;
#[doc(hidden)]
pub mod wire;

pub use self::auth::PullConfig;
pub use self::config::{AbsentConsent, Config, ConsentPlace, ConsentRule, FieldMapping, ValueType};
pub use self::pull::FACTS;

use self::config::Compiled;
use self::map::{Fault, Row};
use self::orders::{Origin, is_order};
use self::sniff::{Shape, sniff};
use super::rows::{self, Failure, Handler, Top, parse};
use super::split::{End, Keys, skip_space, value_end};
use super::{DecodeContext, Decoded, Delivery, Fetch, Pull, Source};
use crate::error::{Error, ErrorCode};
use crate::model::{FindingCode, ResourceRef};

/// The source: reads what commercetools answers and sends.
///
/// ```
/// use cartwire::model::Body;
/// use cartwire::sources::commercetools::{Commercetools, Config};
/// use cartwire::sources::{DecodeContext, Decoded, Source};
///
/// let source = Commercetools::new(Config { project: "demo".into(), ..Config::default() })?;
/// let mut out = Decoded::default();
/// let raw = br#"{"id": "c1", "version": 3, "email": "Jane@Example.com", "isEmailVerified": true,
///                "lastModifiedAt": "2025-06-03T09:12:44.120Z"}"#;
/// source.decode(raw, &DecodeContext::at("2025-06-03T09:13:00Z".parse().unwrap()), &mut out);
/// assert!(matches!(out.records[0].record.body, Body::Contact(_)));
/// assert_eq!(out.records[0].record.envelope.identity.email.as_deref(), Some("jane@example.com"));
/// # Ok::<(), cartwire::Error>(())
/// ```
#[derive(Debug)]
pub struct Commercetools {
    compiled: Compiled,
    /// How it is asked, where the settings say.
    shop: Option<pull::Shop>,
}

impl Commercetools {
    /// A source with these settings.
    ///
    /// # Errors
    /// `invalid_config` with the pointer of the setting: a template with a place it does not know, a consent without a field.
    pub fn new(config: Config) -> Result<Self, Error> {
        let shop = config.pull.as_ref().map(|pull| pull::Shop::new(&config, pull)).transpose()?;
        Ok(Commercetools { compiled: Compiled::new(config)?, shop })
    }
}

impl Source for Commercetools {
    fn name(&self) -> &'static str {
        "commercetools"
    }

    fn tenant(&self) -> &str {
        &self.compiled.config.project
    }

    fn pull(&self) -> Result<&dyn Pull, Error> {
        let missing = || Error::new(ErrorCode::InvalidConfig, "pulling needs the source's setting `pull`").at("/source/pull");
        self.shop.as_ref().map(|shop| shop as &dyn Pull).ok_or_else(missing)
    }

    fn delivery_keys(&self, body: &[u8]) -> Vec<Delivery> {
        deliveries::keys(body, &self.compiled.config.project)
    }

    fn decode(&self, raw: &[u8], context: &DecodeContext<'_>, out: &mut Decoded) {
        rows::read(raw, context, &mut Rows { compiled: &self.compiled, context }, out);
    }
}

/// What rows of the stream of carts left alone are called.
const ABANDONED: &str = "abandoned_cart";

/// How many transports may be wrapped around each other, such as CloudEvents in Pub/Sub in SNS.
const TRANSPORTS: usize = 4;

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Failure::new(FindingCode::RecordMalformed, fault.pointer, fault.message)
    }
}

struct Rows<'r> {
    compiled: &'r Compiled,
    context: &'r DecodeContext<'r>,
}

impl Handler for Rows<'_> {
    type Shape = Shape;

    const LIST: &'static str = "results";

    fn top(&self, bytes: &[u8], at: usize) -> Top<Shape> {
        match sniff(bytes, at) {
            Shape::Page(results) => Top::Page(results),
            shape => Top::Row(shape),
        }
    }

    fn listed(&self, bytes: &[u8], at: usize) -> Shape {
        sniff(bytes, at)
    }

    fn row(&mut self, text: &str, shape: Shape, position: u64, out: &mut Decoded) -> Result<(usize, u64), Failure> {
        let mut reader = Reader { compiled: self.compiled, context: self.context, position, out };
        Ok((reader.read(text, shape, 0)?, 1))
    }

    fn resource_of(&self, row: &[u8], shape: Shape) -> Option<ResourceRef> {
        resource_of(row, shape)
    }
}

/// Reads one row.
struct Reader<'r> {
    compiled: &'r Compiled,
    context: &'r DecodeContext<'r>,
    position: u64,
    out: &'r mut Decoded,
}

impl Reader<'_> {
    /// Reads the value at the start of `text` and tells how long it is.
    fn read(&mut self, text: &str, shape: Shape, depth: usize) -> Result<usize, Failure> {
        let hint = self.context.resource;
        let shape = match (shape, hint) {
            (Shape::Unknown, Some("order" | "cart")) => Shape::Order,
            (Shape::Unknown, Some("customer")) => Shape::Customer,
            (Shape::Unknown, Some("product")) => Shape::Projection,
            (Shape::Unknown, Some("category")) => Shape::Category,
            (Shape::Unknown, Some("payment")) => Shape::Payment,
            (Shape::Unknown, Some("shopping-list")) => Shape::ShoppingList,
            (Shape::Unknown, Some("recurring-order")) => Shape::RecurringOrder,
            (Shape::Unknown, Some("order-edit")) => Shape::OrderEdit,
            (Shape::Unknown, Some("inventory-entry")) => Shape::Stocked("inventory-entry"),
            (Shape::Unknown, Some("standalone-price")) => Shape::Stocked("standalone-price"),
            (shape, _) => shape,
        };
        let project = &self.compiled.config.project;
        match shape {
            Shape::Order => {
                let (order, length) = parse::<wire::Order<'_>>(text)?;
                match is_order(&order, hint) {
                    Some(true) => self.about(project).order(&order, Origin::default())?,
                    Some(false) => {
                        let before = self.out.records.len();
                        self.about(project).cart(&order, &text[..length])?;
                        if hint == Some(ABANDONED) {
                            let event = self.out.records[before..].iter().find_map(abandoned::event);
                            self.out.records.extend(event);
                        }
                    }
                    None => return Err(Failure::unsupported("neither `orderState` nor `cartState`: is it a cart or an order?")),
                }
                Ok(length)
            }
            Shape::Customer => {
                let (customer, length) = parse::<wire::Customer<'_>>(text)?;
                self.about(project).contact(&customer)?;
                Ok(length)
            }
            Shape::Projection => {
                let (projection, length) = parse::<wire::ProductProjection<'_>>(text)?;
                self.about(project).projection(&projection)?;
                Ok(length)
            }
            Shape::Product => {
                let (product, length) = parse::<wire::Product<'_>>(text)?;
                self.about(project).product(&product);
                Ok(length)
            }
            Shape::Category => {
                let (category, length) = parse::<wire::Category<'_>>(text)?;
                self.about(project).category(&category)?;
                Ok(length)
            }
            Shape::Payment => {
                let (payment, length) = parse::<wire::Payment<'_>>(text)?;
                let mut row = self.about(project);
                if !row.payment(&payment)? {
                    row.ignore("payment without refund".to_owned(), true);
                }
                Ok(length)
            }
            Shape::SignIn => {
                let (sign_in, length) = parse::<wire::SignIn<'_>>(text)?;
                let mut row = self.about(project);
                row.prefix = "/customer";
                row.contact(&sign_in.customer)?;
                if let Some(cart) = &sign_in.cart {
                    row.prefix = "/cart";
                    row.cart(cart, &text[..length])?;
                    row.signed_in(&sign_in.customer, cart);
                }
                Ok(length)
            }
            Shape::Variant => {
                let (variant, length) = parse::<wire::Variant<'_>>(text)?;
                let id = variant.product.as_ref().and_then(|product| product.id.as_deref());
                let Some(id) = id else { return Err(Failure::unsupported("a variant without its `product`")) };
                self.fetch("product", id, "variant");
                Ok(length)
            }
            Shape::ShoppingList => {
                let (list, length) = parse::<wire::ShoppingList<'_>>(text)?;
                self.about(project).shopping_list(&list)?;
                Ok(length)
            }
            Shape::RecurringOrder => {
                let (order, length) = parse::<wire::RecurringOrder<'_>>(text)?;
                self.about(project).recurring_order(&order);
                Ok(length)
            }
            Shape::OrderEdit => {
                let (edit, length) = parse::<wire::OrderEdit<'_>>(text)?;
                let applied = edit.result.as_ref().and_then(|result| result.kind.as_deref()) == Some("Applied");
                match edit.resource.as_ref().and_then(|order| order.id.as_deref()) {
                    Some(id) if applied => self.fetch("order", id, "order-edit"),
                    _ => self.about(project).ignore("order-edit not applied".to_owned(), true),
                }
                Ok(length)
            }
            Shape::Stocked(what) => {
                let (stocked, length) = parse::<wire::Stocked<'_>>(text)?;
                let Some(sku) = stocked.sku.as_deref() else { return Err(Failure::from(Fault::at("/sku", "missing field `sku`"))) };
                self.fetch("sku", sku, what);
                Ok(length)
            }
            Shape::Message => {
                let (message, length) = parse::<wire::Message<'_>>(text)?;
                let data = || serde_json::from_str::<wire::CheckoutData<'_>>(message.data?.get()).ok()?.project_key;
                let told = message.project_key.clone().or_else(data);
                let tenant = told.as_deref().filter(|told| !told.is_empty()).unwrap_or(project);
                self.about(tenant).message(&message)?;
                Ok(length)
            }
            Shape::Transport => self.transport(text, depth),
            Shape::Other(what) => {
                let (_, length) = parse::<serde::de::IgnoredAny>(text)?;
                self.about(project).ignore(what.to_owned(), true);
                Ok(length)
            }
            Shape::Error => Err(Failure::unsupported("the platform's answer to a call that failed, not a resource")),
            Shape::Fragment => Err(Failure::unsupported("a part of a resource, not a resource")),
            Shape::Page(_) => Err(Failure::unsupported("a page inside a list or message")),
            Shape::Unknown => {
                parse::<serde::de::IgnoredAny>(text)?;
                Err(Failure::unsupported("no resource or message this source knows"))
            }
        }
    }

    fn transport(&mut self, text: &str, depth: usize) -> Result<usize, Failure> {
        let (transport, length) = parse::<wire::Transport<'_>>(text)?;
        if let Some(kind) = transport.sns_type.as_deref().filter(|kind| *kind != "Notification") {
            // The queue's own handshake; confirming it is the receiver's business.
            self.about(&self.compiled.config.project).ignore(format!("SNS {kind}"), true);
            return Ok(length);
        }
        let Some(inner) = messages::unwrap_transport(&transport).filter(|_| depth < TRANSPORTS) else {
            return Err(Failure::new(FindingCode::RecordMalformed, "", "the transport holds no message that can be read"));
        };
        let start = skip_space(inner.as_bytes(), 0);
        let shape = sniff(inner.as_bytes(), start);
        self.read(&inner[start..], shape, depth + 1)?;
        Ok(length)
    }

    fn fetch(&mut self, kind: &str, id: &str, reason: &str) {
        let resource = ResourceRef { kind: kind.to_owned(), id: id.to_owned() };
        self.out.fetches.push(Fetch { position: self.position, resource, reason: reason.to_owned() });
    }

    fn about<'x>(&'x mut self, tenant: &'x str) -> Row<'x, 'x> {
        Row {
            compiled: self.compiled,
            tenant,
            context: self.context,
            mode: self.context.mode,
            sequence: None,
            position: self.position,
            prefix: "",
            out: self.out,
        }
    }
}

/// The name of a row that could not be read, for whoever looks for it in the shop.
fn resource_of(row: &[u8], shape: Shape) -> Option<ResourceRef> {
    let kind = match shape {
        Shape::Order => "order",
        Shape::Customer => "customer",
        Shape::Projection | Shape::Product => "product",
        Shape::Category => "category",
        Shape::Payment => "payment",
        Shape::ShoppingList => "shopping-list",
        Shape::RecurringOrder => "recurring-order",
        Shape::Message => "message",
        _ => return None,
    };
    let id = Keys::new(row, 0).find(|key| key.name == b"id")?;
    let End::At(end) = value_end(row, id.value) else { return None };
    let id: String = serde_json::from_slice(&row[id.value..end]).ok()?;
    Some(ResourceRef { kind: kind.to_owned(), id })
}
