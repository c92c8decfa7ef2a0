//! Subscription deliveries: which message carries what, names what, or says nothing a marketer needs.
//! <https://docs.commercetools.com/api/projects/messages>
//!
//! Messages come at least once and in any order. What they carry is a snapshot of the resource at a version, so it has the
//! same idempotency key as the same version read by a query; what stands alone has a key made of what happened.

use base64::Engine as _;
use serde_json::value::RawValue;

use super::map::{About, Fault, PaymentHead, Row, at, set_email};
use super::orders::{Origin, identity_of, is_way_back, return_of};
use super::wire::{self, Text};
use super::{Failure, parse};
use crate::model::{
    AttributeValue, Attributes, Body, CategoryDeleted, ContactDeleted, Event, EventName, Identity, Market, ProductDeleted, ResourceRef,
    VariantRef,
};
use crate::sources::{Fetch, Ignored};

/// What a message type means to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    CustomerCreated,
    CustomerEmailChanged,
    CustomerDeleted,
    OrderWhole(Origin2),
    OrderDeleted,
    OrderStateChanged,
    OrderPaymentStateChanged,
    OrderShipmentStateChanged,
    DeliveryAdded,
    ReturnInfoAdded,
    ReturnInfoSet,
    PaymentCreated,
    TransactionAdded,
    TransactionStateChanged,
    ProductPublished,
    ProductCreated,
    ProductUnpublished,
    ProductDeleted,
    CategoryCreated,
    ReviewCreated,
    /// About the product that has a SKU.
    Stocked,
    /// Names a change of its resource.
    Fetch,
    /// Names a change that counts only if it is not staged.
    FetchUnlessStaged,
    /// Known, and of no use.
    Ignore,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin2 {
    Shop,
    Import,
    Schedule,
}

/// Resources that change notifications name and this source reads.
const FETCHED: [&str; 12] = [
    "cart",
    "category",
    "customer",
    "inventory-entry",
    "order",
    "order-edit",
    "payment",
    "product",
    "recurring-order",
    "shopping-list",
    "standalone-price",
    "variant",
];

/// Of these, the ones that are about the product with a SKU, which their notifications may name.
const STOCKED: [&str; 2] = ["inventory-entry", "standalone-price"];

/// Resources that change notifications name and this source has no use for.
const OTHER_RESOURCES: [&str; 38] = [
    "approval-flow",
    "approval-rule",
    "associate-role",
    "attribute-group",
    "business-unit",
    "cart-discount",
    "channel",
    "checkout",
    "customer-email-token",
    "customer-group",
    "customer-password-token",
    "direct-discount",
    "discount-code",
    "discount-group",
    "extension",
    "key-value-document",
    "payment-method",
    "product-discount",
    "product-price",
    "product-selection",
    "product-tailoring",
    "product-type",
    "quote",
    "quote-request",
    "recurrence-policy",
    "review",
    "shipping-method",
    "staged-quote",
    "state",
    "store",
    "subscription",
    "tax-category",
    "type",
    "zone",
    "associate",
    "import-api",
    "my-business-unit",
    "project",
];

/// Families of messages that are known by how they begin and of no use to a marketer.
const IGNORED_FAMILIES: [&str; 15] = [
    "ApprovalFlow",
    "ApprovalRule",
    "AssociateRole",
    "BusinessUnit",
    "CartDiscount",
    "Checkout",
    "CustomerGroupCustom",
    "DiscountCode",
    "DiscountGroup",
    "Import",
    "PaymentMethod",
    "ProductSelection",
    "ProductTailoring",
    "ProductVariantTailoring",
    "Quote",
];

fn meaning(kind: &str) -> Option<Meaning> {
    Some(match kind {
        "CustomerCreated" => Meaning::CustomerCreated,
        "CustomerEmailChanged" => Meaning::CustomerEmailChanged,
        "CustomerDeleted" => Meaning::CustomerDeleted,
        "CustomerPasswordUpdated" | "CustomerPasswordTokenCreated" | "CustomerEmailTokenCreated" => Meaning::Ignore,
        "OrderCreated" => Meaning::OrderWhole(Origin2::Shop),
        "OrderImported" => Meaning::OrderWhole(Origin2::Import),
        "OrderCreatedFromRecurringOrder" => Meaning::OrderWhole(Origin2::Schedule),
        "OrderDeleted" => Meaning::OrderDeleted,
        "OrderStateChanged" => Meaning::OrderStateChanged,
        "OrderPaymentStateChanged" => Meaning::OrderPaymentStateChanged,
        "OrderShipmentStateChanged" => Meaning::OrderShipmentStateChanged,
        "DeliveryAdded" => Meaning::DeliveryAdded,
        "ReturnInfoAdded" => Meaning::ReturnInfoAdded,
        "ReturnInfoSet" => Meaning::ReturnInfoSet,
        "PaymentCreated" => Meaning::PaymentCreated,
        "PaymentTransactionAdded" => Meaning::TransactionAdded,
        "PaymentTransactionStateChanged" => Meaning::TransactionStateChanged,
        "ProductPublished" => Meaning::ProductPublished,
        "ProductCreated" => Meaning::ProductCreated,
        "ProductUnpublished" => Meaning::ProductUnpublished,
        "ProductDeleted" => Meaning::ProductDeleted,
        "CategoryCreated" => Meaning::CategoryCreated,
        "ProductStateTransition" | "ProductRevertedStagedChanges" => Meaning::Ignore,
        "ReviewCreated" => Meaning::ReviewCreated,
        "ReviewRatingSet" | "ReviewStateTransition" => Meaning::Ignore,
        // Nothing that can be bought or paid changes.
        "InventoryEntryReservationExpirationInMinutesSet" | "StandalonePriceKeySet" | "StandalonePriceStagedChangesRemoved" => {
            Meaning::Ignore
        }
        // What is gone cannot be fetched, and no goods come of it any more.
        "RecurringOrderDeleted" | "VariantDeleted" => Meaning::Ignore,
        "CheckoutPaymentRefunded" => Meaning::Fetch,
        "CustomLineItemStateTransition" | "LineItemStateTransition" | "CategorySlugChanged" => Meaning::Fetch,
        _ if IGNORED_FAMILIES.iter().any(|family| kind.starts_with(family)) => Meaning::Ignore,
        _ if starts(kind, &["Customer", "Order", "Delivery", "Parcel", "ReturnInfo"]) => Meaning::Fetch,
        _ if starts(kind, &["Category"]) => Meaning::Fetch,
        _ if kind.starts_with("Product") => Meaning::FetchUnlessStaged,
        _ if starts(kind, &["InventoryEntry", "StandalonePrice"]) => Meaning::Stocked,
        _ if starts(kind, &["RecurringOrder", "ShoppingList", "Variant"]) => Meaning::Fetch,
        _ if starts(kind, &["Payment", "Cart", "Store", "StagedQuote"]) => Meaning::Ignore,
        _ => return None,
    })
}

fn starts(kind: &str, families: &[&str]) -> bool {
    families.iter().any(|family| kind.strip_prefix(family).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase())))
}

/// The text inside a transport, if `text` is one: SNS `Message`, EventBridge `detail`, Pub/Sub `message.data`,
/// CloudEvents `data`. `None` when it holds nothing.
pub(super) fn unwrap_transport(transport: &wire::Transport<'_>) -> Option<String> {
    let base64 = |text: &str| {
        let bytes = base64::engine::general_purpose::STANDARD.decode(text.trim()).ok()?;
        String::from_utf8(bytes).ok()
    };
    if let Some(text) = &transport.sns {
        return Some(text.to_string());
    }
    if let Some(data) = transport.message.as_ref().and_then(|message| message.data.as_ref()) {
        return base64(data);
    }
    let raw = transport.detail.or(transport.data);
    match (raw, &transport.data_base64) {
        // CloudEvents may carry their JSON as a string.
        (Some(raw), _) if raw.get().starts_with('"') => serde_json::from_str::<Text<'_>>(raw.get()).ok().map(|text| text.to_string()),
        (Some(raw), _) => Some(raw.get().to_owned()),
        (None, Some(data)) => base64(data),
        (None, None) => None,
    }
}

/// What a message ends as, when not as records.
enum Other {
    Ignored(String, bool),
    Fetch(ResourceRef, String),
}

impl Row<'_, '_> {
    /// Reads a message or change notification.
    pub(super) fn message(&mut self, message: &wire::Message<'_>) -> Result<(), Failure> {
        let before = self.out.records.len();
        self.sequence = message.sequence_number;
        match self.dispatch(message)? {
            None if self.out.records.len() > before => {}
            None => self.ignore(message_kind(message).unwrap_or("message").to_owned(), true),
            Some(Other::Ignored(what, known)) => self.ignore(what, known),
            // Only the project that is set can be asked.
            Some(Other::Fetch(..)) if !self.compiled.config.project.is_empty() && self.tenant != self.compiled.config.project => {
                self.ignore("message of another project".to_owned(), false);
            }
            Some(Other::Fetch(resource, reason)) => self.out.fetches.push(Fetch { position: self.position, resource, reason }),
        }
        Ok(())
    }

    pub(super) fn ignore(&mut self, what: String, known: bool) {
        self.out.ignored.push(Ignored { position: self.position, what, known });
    }

    fn dispatch(&mut self, message: &wire::Message<'_>) -> Result<Option<Other>, Failure> {
        match message.notification_type.as_deref() {
            Some(change @ ("ResourceCreated" | "ResourceUpdated" | "ResourceDeleted")) => return self.change(change, message),
            Some("Event") => return event(message),
            _ => {}
        }
        let Some(kind) = message_kind(message) else {
            // The body is gone and nobody says what it was: what is named can still be read.
            let resource = resource(message)?;
            return Ok(Some(if FETCHED.contains(&&*resource.kind) {
                Other::Fetch(resource, "message".to_owned())
            } else {
                Other::Ignored(resource.kind, true)
            }));
        };
        let Some(meaning) = meaning(kind) else { return Ok(Some(Other::Ignored(kind.to_owned(), false))) };
        if meaning == Meaning::Ignore {
            return Ok(Some(Other::Ignored(kind.to_owned(), true)));
        }
        let resource = resource(message)?;
        // Group assignments may be told of under `customer-group`; only what can be read again is worth a fetch.
        let fetch = |resource: ResourceRef| {
            let readable = FETCHED.contains(&&*resource.kind);
            Ok(Some(if readable { Other::Fetch(resource, kind.to_owned()) } else { Other::Ignored(kind.to_owned(), true) }))
        };
        let dropped = message.payload_not_included.is_some();
        match meaning {
            Meaning::CustomerCreated => {
                let Some(raw) = message.customer else { return fetch(resource) };
                let customer: wire::Customer<'_> = inner(raw, "/customer")?;
                self.prefix = "/customer";
                self.contact(&customer)?;
                self.account_created(&customer, message);
            }
            Meaning::CustomerEmailChanged => {
                let Some(email) = text(message.email) else { return fetch(resource) };
                let mut identity = identity_by_id(&resource.id);
                set_email(&mut identity, Some(&email));
                let mut properties = Attributes::new();
                let mut previous = None;
                if let Some((old, _)) = text(message.old_email).and_then(|old| crate::normalize::contact::email(&old)) {
                    properties.insert("old_email".to_owned(), AttributeValue::Text(old.clone()));
                    previous = Some(Box::new(Identity { email: Some(old), ..Identity::default() }));
                }
                let version = message.resource_version.unwrap_or_default().to_string();
                let event = Event { properties, previous, ..Event::new(EventName::EmailChanged) };
                self.happened(message, &resource, identity, &["email_changed", &version], Body::Event(event));
            }
            Meaning::CustomerDeleted => {
                let mut identity = identity_of_deleted(message, &resource.id);
                set_email(&mut identity, text(message.email).as_deref());
                self.happened(message, &resource, identity, &["deleted"], Body::ContactDeleted(ContactDeleted { erase: false }));
            }
            Meaning::OrderWhole(origin) => {
                let Some(raw) = message.order else { return fetch(resource) };
                let order: wire::Order<'_> = inner(raw, "/order")?;
                self.prefix = "/order";
                self.order(&order, Origin { imported: origin == Origin2::Import, recurring: origin == Origin2::Schedule })?;
            }
            Meaning::OrderDeleted => {
                let Some(raw) = message.order else { return Ok(Some(Other::Ignored(kind.to_owned(), true))) };
                let order: wire::Order<'_> = inner(raw, "/order")?;
                self.prefix = "/order";
                let body = self.order_body(&order, Origin::default())?;
                let event = Event {
                    order_id: Some(resource.id.clone()),
                    order_number: body.order.number,
                    cart_id: body.order.cart_id,
                    value: Some(body.order.totals.total),
                    ..Event::new(EventName::Other("order_deleted".to_owned()))
                };
                self.happened(message, &resource, identity_of(&order), &["deleted"], Body::Event(event));
            }
            Meaning::OrderStateChanged => match text(message.order_state).as_deref() {
                Some("Cancelled" | "Canceled") => self.order_event(message, &resource, EventName::OrderCancelled),
                Some("Complete") => self.order_event(message, &resource, EventName::OrderCompleted),
                _ => return fetch(resource),
            },
            Meaning::OrderPaymentStateChanged => match text(message.payment_state).as_deref() {
                Some("Paid") => self.order_event(message, &resource, EventName::OrderPaid),
                _ => return fetch(resource),
            },
            Meaning::OrderShipmentStateChanged => match text(message.shipment_state).as_deref() {
                Some("Shipped") => self.order_event(message, &resource, EventName::OrderShipped),
                Some("Delivered") => self.order_event(message, &resource, EventName::OrderDelivered),
                _ => return fetch(resource),
            },
            Meaning::DeliveryAdded => {
                let Some(raw) = message.delivery else { return fetch(resource) };
                let delivery: wire::Delivery<'_> = inner(raw, "/delivery")?;
                if is_way_back(&delivery) {
                    return Ok(None);
                }
                let shipment = self.shipment(&delivery, &resource.id, order_number(message), &[], &mut Vec::new());
                self.happened(message, &resource, Identity::default(), &["shipment", &delivery.id], Body::Shipment(shipment));
            }
            Meaning::ReturnInfoAdded => {
                let Some(raw) = message.return_info else { return fetch(resource) };
                let info: wire::ReturnInfo<'_> = inner(raw, "/returnInfo")?;
                self.returned(message, &resource, &info);
            }
            Meaning::ReturnInfoSet => {
                let Some(raw) = message.return_info else {
                    return if dropped { fetch(resource) } else { Ok(None) };
                };
                let infos: Vec<wire::ReturnInfo<'_>> = inner(raw, "/returnInfo")?;
                for info in infos.iter().filter(|info| !info.items.is_empty()) {
                    self.returned(message, &resource, info);
                }
            }
            Meaning::PaymentCreated => {
                let Some(raw) = message.payment else { return fetch(resource) };
                let payment: wire::Payment<'_> = inner(raw, "/payment")?;
                self.prefix = "/payment";
                self.payment(&payment)?;
            }
            Meaning::TransactionAdded => {
                let Some(raw) = message.transaction else { return fetch(resource) };
                let transaction: wire::Transaction<'_> = inner(raw, "/transaction")?;
                if self.gives_back(&transaction) {
                    let head = PaymentHead {
                        id: &resource.id,
                        version: message.resource_version,
                        changed: at(message.created_at),
                        customer_id: None,
                        anonymous_id: None,
                    };
                    self.refund(&transaction, &head);
                }
            }
            // Neither type nor amount is told; only a success can be a refund.
            Meaning::TransactionStateChanged => {
                return match text(message.state).as_deref() {
                    Some("Success") => fetch(resource),
                    None if dropped => fetch(resource),
                    _ => Ok(None),
                };
            }
            Meaning::ProductPublished | Meaning::ProductCreated => {
                let Some(raw) = message.product_projection else { return fetch(resource) };
                let projection: wire::ProductProjection<'_> = inner(raw, "/productProjection")?;
                if meaning == Meaning::ProductCreated && projection.published != Some(true) {
                    return Ok(None);
                }
                self.prefix = "/productProjection";
                self.projection(&projection)?;
            }
            Meaning::ProductUnpublished => {
                // A product can be unpublished again and again; its version tells the times apart.
                let version = message.resource_version.unwrap_or_default().to_string();
                let gone = ProductDeleted { id: resource.id.clone(), variants: Vec::new() };
                self.happened(message, &resource, Identity::default(), &["unpublished", &version], Body::ProductDeleted(gone));
            }
            Meaning::ProductDeleted => {
                let mut variants = Vec::new();
                if let Some(raw) = message.current_projection {
                    let projection: wire::ProductProjection<'_> = inner(raw, "/currentProjection")?;
                    let of = |variant: &wire::ProductVariant<'_>| VariantRef {
                        id: variant.id.map(|id| id.to_string()),
                        sku: variant.sku.as_ref().map(|sku| sku.to_string()),
                    };
                    variants.extend(projection.master_variant.iter().chain(&projection.variants).map(of));
                }
                let gone = ProductDeleted { id: resource.id.clone(), variants };
                self.happened(message, &resource, Identity::default(), &["deleted"], Body::ProductDeleted(gone));
            }
            Meaning::CategoryCreated => {
                let Some(raw) = message.category else { return fetch(resource) };
                let category: wire::Category<'_> = inner(raw, "/category")?;
                self.prefix = "/category";
                self.category(&category)?;
            }
            Meaning::ReviewCreated => {
                let Some(raw) = message.review else { return Ok(None) };
                let review: wire::Review<'_> = inner(raw, "/review")?;
                self.review(&review, at(message.created_at));
            }
            Meaning::Stocked if is_staged(message) => return Ok(None),
            Meaning::Stocked => {
                return match sku(message) {
                    Some(sku) => Ok(Some(Other::Fetch(ResourceRef { kind: "sku".to_owned(), id: sku }, kind.to_owned()))),
                    None if kind.ends_with("Deleted") => Ok(None),
                    None => fetch(resource),
                };
            }
            Meaning::FetchUnlessStaged if is_staged(message) => return Ok(None),
            Meaning::Fetch | Meaning::FetchUnlessStaged => return fetch(resource),
            Meaning::Ignore => return Ok(None),
        }
        Ok(None)
    }

    fn change(&mut self, change: &str, message: &wire::Message<'_>) -> Result<Option<Other>, Failure> {
        let resource = resource(message)?;
        // Sent whenever a subscription is made or moved, to see whether anyone is there.
        if !FETCHED.contains(&&*resource.kind) {
            let known = OTHER_RESOURCES.contains(&&*resource.kind);
            return Ok(Some(Other::Ignored(format!("{change} {}", resource.kind), known)));
        }
        if let Some(sku) = sku(message).filter(|_| STOCKED.contains(&&*resource.kind)) {
            return Ok(Some(Other::Fetch(ResourceRef { kind: "sku".to_owned(), id: sku }, change.to_owned())));
        }
        if change != "ResourceDeleted" {
            return Ok(Some(Other::Fetch(resource, change.to_owned())));
        }
        let identity = Identity::default();
        match &*resource.kind {
            "customer" => {
                let erase = message.data_erasure.unwrap_or(false);
                let identity = identity_of_deleted(message, &resource.id);
                // An erasure must not be taken for the plain deletion that another message told of before.
                let fact = if erase { "erased" } else { "deleted" };
                self.happened(message, &resource, identity, &[fact], Body::ContactDeleted(ContactDeleted { erase }));
            }
            "product" => {
                let gone = ProductDeleted { id: resource.id.clone(), variants: Vec::new() };
                self.happened(message, &resource, identity, &["deleted"], Body::ProductDeleted(gone));
            }
            "category" => {
                let gone = CategoryDeleted { id: resource.id.clone() };
                self.happened(message, &resource, identity, &["deleted"], Body::CategoryDeleted(gone));
            }
            // A cart without its sums is no cart, and a deleted order was told of by its own message.
            kind => return Ok(Some(Other::Ignored(format!("{change} {kind}"), true))),
        }
        Ok(None)
    }

    fn account_created(&mut self, customer: &wire::Customer<'_>, message: &wire::Message<'_>) {
        let resource = ResourceRef { kind: "customer".to_owned(), id: customer.id.to_string() };
        let mut identity = identity_by_id(&resource.id);
        set_email(&mut identity, customer.email.as_deref());
        self.happened(message, &resource, identity, &["account_created"], Body::Event(Event::new(EventName::AccountCreated)));
    }

    fn order_event(&mut self, message: &wire::Message<'_>, resource: &ResourceRef, name: EventName) {
        let fact = [name.as_str()];
        let event = Event {
            order_id: Some(resource.id.clone()),
            order_number: order_number(message).map(str::to_owned),
            ..Event::new(name.clone())
        };
        self.happened(message, resource, Identity::default(), &fact, Body::Event(event));
    }

    fn returned(&mut self, message: &wire::Message<'_>, resource: &ResourceRef, info: &wire::ReturnInfo<'_>) {
        let body = return_of(info, &resource.id, order_number(message), &[]);
        let id = body.id.clone();
        self.happened(message, resource, Identity::default(), &["return", &id], Body::Return(body));
    }

    fn happened(&mut self, message: &wire::Message<'_>, resource: &ResourceRef, identity: Identity, fact: &[&str], body: Body) {
        let about = About {
            kind: &resource.kind,
            id: &resource.id,
            version: message.resource_version.or(message.version.filter(|_| message.modified_at.is_some())),
            occurred_at: at(message.created_at.or(message.modified_at)),
            market: Market::default(),
            identity,
            fact,
        };
        self.emit(about, body, Vec::new());
    }
}

/// An event of the checkout or import application.
fn event(message: &wire::Message<'_>) -> Result<Option<Other>, Failure> {
    let kind = message_kind(message).unwrap_or("Event");
    if let ("CheckoutPaymentRefunded", Some(raw)) = (kind, message.data) {
        let data: wire::CheckoutData<'_> = inner(raw, "/data")?;
        if let Some(id) = data.payment.as_ref().and_then(|payment| payment.id.as_deref()) {
            let payment = ResourceRef { kind: "payment".to_owned(), id: id.to_owned() };
            return Ok(Some(Other::Fetch(payment, kind.to_owned())));
        }
    }
    // The payment may have set the order's own states; a payment without an order is a checkout under way.
    if let ("CheckoutPaymentCharged" | "CheckoutPaymentAuthorized", Some(raw)) = (kind, message.data) {
        let data: wire::CheckoutData<'_> = inner(raw, "/data")?;
        if let Some(id) = data.order.as_ref().and_then(|order| order.id.as_deref()) {
            let order = ResourceRef { kind: "order".to_owned(), id: id.to_owned() };
            return Ok(Some(Other::Fetch(order, kind.to_owned())));
        }
    }
    let known = kind.starts_with("Checkout") || kind.starts_with("Import");
    Ok(Some(Other::Ignored(kind.to_owned(), known)))
}

fn message_kind<'m>(message: &'m wire::Message<'_>) -> Option<&'m str> {
    let dropped = || message.payload_not_included.as_ref()?.payload_type.as_deref();
    message.kind.as_deref().or_else(dropped)
}

fn resource(message: &wire::Message<'_>) -> Result<ResourceRef, Failure> {
    let named = message.resource.as_ref().and_then(|one| Some((one.type_id.as_deref()?, one.id.as_deref()?)));
    match named {
        Some((kind, id)) => Ok(ResourceRef { kind: kind.to_owned(), id: id.to_owned() }),
        None => Err(Failure::from(Fault::at("/resource", "missing `typeId` or `id`"))),
    }
}

fn order_number<'m>(message: &'m wire::Message<'_>) -> Option<&'m str> {
    message.resource_user_provided_identifiers.as_ref()?.order_number.as_deref()
}

pub(super) fn identity_by_id(id: &str) -> Identity {
    Identity { customer_id: Some(id.to_owned()), ..Identity::default() }
}

/// Whoever is gone, with all names that were ever told: there is nobody to ask any more.
fn identity_of_deleted(message: &wire::Message<'_>, id: &str) -> Identity {
    let mut identity = identity_by_id(id);
    if let Some(ids) = &message.resource_user_provided_identifiers {
        for (name, id) in [("key", &ids.key), ("customer_number", &ids.customer_number), ("external_id", &ids.external_id)] {
            if let Some(id) = id {
                identity.external_ids.insert(name.to_owned(), id.to_string());
            }
        }
    }
    identity
}

fn is_staged(message: &wire::Message<'_>) -> bool {
    message.staged.is_some_and(|staged| staged.get() == "true")
}

/// The SKU a message is about, where it says so.
fn sku(message: &wire::Message<'_>) -> Option<String> {
    let named = || Some(message.resource_user_provided_identifiers.as_ref()?.sku.as_ref()?.to_string());
    text(message.sku).or_else(named).filter(|sku| !sku.is_empty())
}

fn inner<'a, T: serde::Deserialize<'a>>(raw: &'a RawValue, prefix: &'static str) -> Result<T, Failure> {
    parse::<T>(raw.get()).map(|(value, _)| value).map_err(|failure| failure.below(prefix))
}

fn text(raw: Option<&RawValue>) -> Option<String> {
    serde_json::from_str::<Text<'_>>(raw?.get()).ok().map(|text| text.to_string())
}
