//! Carts: what someone is about to buy.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::attribute::Attributes;
use super::contact::Address;
use super::open_enum;
use super::order::{Coupon, Discount, GiftCertificate, LineItem, ShippingCharge, Totals};

open_enum! {
    /// Where a cart is in its life.
    CartState {
        /// Someone may still change it.
        Active = "active",
        /// Prices are held, payment may be under way; not yet bought.
        Frozen = "frozen",
        /// It became an order.
        Ordered = "ordered",
        /// It went into another cart at sign-in.
        Merged = "merged",
        /// It was left alone past the configured time.
        Abandoned = "abandoned",
        /// It is gone.
        Deleted = "deleted",
    }
}

/// A cart as it stands now: always the whole, never a change to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cart {
    /// Id at the source.
    pub id: String,
    /// The merchant's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Where it is in its life.
    pub state: CartState,
    /// What is in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<LineItem>,
    /// Cost of shipping, once chosen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shipping: Vec<ShippingCharge>,
    /// Discounts on the cart as a whole, not contained in the lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub discounts: Vec<Discount>,
    /// Codes that were typed in and apply.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub coupons: Vec<Coupon>,
    /// Gift certificates put against the total.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gift_certificates: Vec<GiftCertificate>,
    /// Sums.
    pub totals: Totals,
    /// Where the parcel would go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipping_address: Option<Address>,
    /// Where the bill would go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing_address: Option<Address>,
    /// Address that brings the shopper back to it, from the configured template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<DateTime<Utc>>,
    /// When it last changed, for whatever reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<DateTime<Utc>>,
    /// When the shopper last touched a line, where the source tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_activity_at: Option<DateTime<Utc>>,
    /// Configured custom fields.
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    pub attributes: Attributes,
}
