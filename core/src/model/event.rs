//! Events: things that happened.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::attribute::Attributes;
use super::money::Money;
use super::open_enum;
use super::order::LineItem;
use super::record::Identity;

open_enum! {
    /// What happened. A name this version does not know is the merchant's own event and is sent under that name.
    EventName {
        /// Someone made an account.
        AccountCreated = "account_created",
        /// Someone signed in.
        LoggedIn = "logged_in",
        /// Someone's e-mail changed.
        EmailChanged = "email_changed",
        /// What someone allowed changed.
        ConsentChanged = "consent_changed",
        /// Someone saw a product.
        ProductViewed = "product_viewed",
        /// Someone saw a category.
        CategoryViewed = "category_viewed",
        /// Someone searched.
        Searched = "searched",
        /// Someone saved a product for later.
        WishlistUpdated = "wishlist_updated",
        /// Someone went to the checkout.
        CheckoutStarted = "checkout_started",
        /// A cart was left alone.
        CartAbandoned = "cart_abandoned",
        /// An order was placed.
        OrderPlaced = "order_placed",
        /// An order was paid.
        OrderPaid = "order_paid",
        /// An order changed in some other way.
        OrderUpdated = "order_updated",
        /// An order was cancelled.
        OrderCancelled = "order_cancelled",
        /// An order was completed.
        OrderCompleted = "order_completed",
        /// Goods were sent.
        OrderShipped = "order_shipped",
        /// Goods arrived.
        OrderDelivered = "order_delivered",
        /// Money was given back.
        OrderRefunded = "order_refunded",
        /// Goods were sent back.
        OrderReturned = "order_returned",
        /// A price fell.
        PriceDropped = "price_dropped",
        /// A product can be bought again.
        BackInStock = "back_in_stock",
        /// It is time to buy again.
        ReplenishmentDue = "replenishment_due",
    }
}

/// Something that happened, with what it was about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// What happened.
    pub name: EventName,
    /// The source's id for the event, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The order it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    /// The order's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_number: Option<String>,
    /// The cart it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cart_id: Option<String>,
    /// The product it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_id: Option<String>,
    /// The variant it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant_id: Option<String>,
    /// The SKU it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// The category it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category_id: Option<String>,
    /// What it is worth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Money>,
    /// The page it happened on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Whom the person was known as before, where the event joins or renames profiles: the old e-mail of
    /// `email_changed`, the anonymous id of a sign-in or sign-up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Box<Identity>>,
    /// The lines it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<LineItem>,
    /// Everything else.
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    pub properties: Attributes,
}

impl Event {
    /// An event of that name with nothing else known.
    #[must_use]
    pub fn new(name: EventName) -> Self {
        Event {
            name,
            id: None,
            order_id: None,
            order_number: None,
            cart_id: None,
            product_id: None,
            variant_id: None,
            sku: None,
            category_id: None,
            value: None,
            url: None,
            previous: None,
            lines: Vec::new(),
            properties: Attributes::new(),
        }
    }
}
