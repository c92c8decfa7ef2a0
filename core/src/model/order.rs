//! Orders and what follows them: refunds, returns, shipments.
//!
//! The sum that must close, in the currency's minor unit, for every order and cart:
//!
//! ```text
//! Σ lines.total + Σ shipping.amount + Σ fee lines + totals.tax_added − Σ discounts − Σ gift_certificates = totals.total
//! ```
//!
//! Fee lines are lines of kind `fee` and stand in `lines`; bundle children carry a total of zero where their parent
//! carries the price.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::attribute::Attributes;
use super::contact::Address;
use super::money::{Money, decimal_text};
use super::open_enum;
use super::product::CategoryRef;

open_enum! {
    /// Where an order is in its life.
    OrderStatus {
        /// Not finished by the shopper; not an order yet.
        Incomplete = "incomplete",
        /// Placed.
        Open = "open",
        /// Accepted by the merchant.
        Confirmed = "confirmed",
        /// Done.
        Complete = "complete",
        /// Called off.
        Cancelled = "cancelled",
    }
}

open_enum! {
    /// Where the payment is.
    PaymentStatus {
        /// Nothing paid yet, or not all.
        BalanceDue = "balance_due",
        /// Under way.
        Pending = "pending",
        /// Reserved, not taken.
        Authorized = "authorized",
        /// Paid in full.
        Paid = "paid",
        /// Did not go through.
        Failed = "failed",
        /// Bought on credit.
        CreditOwed = "credit_owed",
        /// Given back in part.
        PartiallyRefunded = "partially_refunded",
        /// Given back in full.
        Refunded = "refunded",
        /// Called off before it was taken.
        Voided = "voided",
    }
}

open_enum! {
    /// Where the goods are.
    ShippingStatus {
        /// Nothing sent yet.
        Pending = "pending",
        /// Packed.
        Ready = "ready",
        /// Sent in part.
        PartiallyShipped = "partially_shipped",
        /// All sent.
        Shipped = "shipped",
        /// Arrived.
        Delivered = "delivered",
        /// Late.
        Delayed = "delayed",
        /// Waiting for stock.
        Backorder = "backorder",
        /// Called off.
        Cancelled = "cancelled",
    }
}

/// An order as it stands now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Order {
    /// Id at the source.
    pub id: String,
    /// Number the customer knows; may come later or never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// When it was placed.
    pub placed_at: DateTime<Utc>,
    /// When it last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<DateTime<Utc>>,
    /// Where it is in its life.
    pub status: OrderStatus,
    /// Where the payment is; absent where the shop does not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_status: Option<PaymentStatus>,
    /// Where the goods are; absent where the shop does not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipping_status: Option<ShippingStatus>,
    /// The merchant's own workflow state, key or id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_state: Option<String>,
    /// The cart it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cart_id: Option<String>,
    /// Whether it came from a subscription schedule.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recurring: bool,
    /// Whether it was loaded from an older system.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub imported: bool,
    /// What was bought.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<LineItem>,
    /// Cost of shipping, one per method.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shipping: Vec<ShippingCharge>,
    /// Discounts on the order as a whole, not contained in the lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub discounts: Vec<Discount>,
    /// Codes that were typed in and apply.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub coupons: Vec<Coupon>,
    /// Gift certificates put against the total.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gift_certificates: Vec<GiftCertificate>,
    /// Tax by rate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taxes: Vec<TaxLine>,
    /// Sums.
    pub totals: Totals,
    /// Where the parcel goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipping_address: Option<Address>,
    /// Where the bill goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing_address: Option<Address>,
    /// Parcels that were sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shipments: Vec<Shipment>,
    /// Goods that were sent back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub returns: Vec<Return>,
    /// Money that was given back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refunds: Vec<Refund>,
    /// How it was paid, in the shop's words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub payment_methods: Vec<String>,
    /// Address of the order page, from the configured template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Configured custom fields.
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    pub attributes: Attributes,
}

/// Sums of an order or cart, all in one currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Totals {
    /// Σ of the lines.
    pub subtotal: Money,
    /// Σ of the shipping charges.
    pub shipping: Money,
    /// Σ of the discounts on the whole and of the gift certificates, as a positive amount.
    pub discount: Money,
    /// All tax, contained or not; absent when not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax: Option<Money>,
    /// The part of the tax that is not contained in lines and shipping. Zero when prices include tax.
    pub tax_added: Money,
    /// What is to be paid.
    pub total: Money,
}

/// What a line is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LineKind {
    /// A product.
    #[default]
    Product,
    /// Something without a product: a service, a voucher, a correction (negative too).
    Custom,
    /// A product given away.
    Gift,
    /// A gift certificate that was bought.
    GiftCertificate,
    /// A fee or surcharge.
    Fee,
    /// A bundle; carries the price of the whole.
    BundleParent,
    /// A part of a bundle.
    BundleChild,
}

/// One line of an order or cart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LineItem {
    /// Id at the source, stable over the order's life.
    pub id: String,
    /// What it is.
    #[serde(default)]
    pub kind: LineKind,
    /// The bundle's line, for a part of a bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    /// SKU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// Product id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_id: Option<String>,
    /// The merchant's key of the product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_key: Option<String>,
    /// Variant id, unique within the product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant_id: Option<String>,
    /// Name in the market's locale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How many.
    pub quantity: i64,
    /// Price of one unit before anything was taken off.
    pub unit_list_price: Money,
    /// Price of one unit after product discounts, before cart discounts. Never multiply it back into a total: split
    /// quantities and external totals do not allow it; `total` is exact.
    pub unit_price: Money,
    /// What cart and product discounts took off the line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub discounts: Vec<Discount>,
    /// Tax of the line; absent when not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax: Option<Money>,
    /// Tax rate as a fraction, such as `0.19`.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "decimal_text::optional")]
    #[schemars(with = "Option<String>")]
    pub tax_rate: Option<Decimal>,
    /// Whether `total` contains the tax; absent when not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_included: Option<bool>,
    /// What the line costs: after its own discounts, before discounts on the whole. Exact.
    pub total: Money,
    /// Categories, where the source tells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<CategoryRef>,
    /// Brand, from the configured attribute or field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    /// Main image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_url: Option<String>,
    /// Product page, from the configured template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Configured attributes and custom fields.
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    pub attributes: Attributes,
    /// What became of the units.
    #[serde(default)]
    pub fulfilment: Fulfilment,
}

impl LineItem {
    /// Whether nothing was asked for it: a gift, or a part that is paid with its bundle. Sums over line items leave it out.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.kind == LineKind::Gift || (self.kind == LineKind::BundleChild && self.total.amount.is_zero())
    }

    /// What discounts took off behind the unit price. What a product discount took off is off the price already, and
    /// shipping is no part of it.
    #[must_use]
    pub fn discounted_after_price(&self) -> Decimal {
        let later = self.discounts.iter().filter(|one| !matches!(one.kind, DiscountKind::Product | DiscountKind::Shipping));
        later.map(|discount| discount.amount.amount).sum()
    }
}

/// What became of a line's units.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Fulfilment {
    /// Units ordered.
    pub ordered: i64,
    /// Units sent.
    #[serde(skip_serializing_if = "is_zero")]
    pub shipped: i64,
    /// Units that arrived.
    #[serde(skip_serializing_if = "is_zero")]
    pub delivered: i64,
    /// Units sent back.
    #[serde(skip_serializing_if = "is_zero")]
    pub returned: i64,
    /// Units paid back.
    #[serde(skip_serializing_if = "is_zero")]
    pub refunded: i64,
    /// Units called off.
    #[serde(skip_serializing_if = "is_zero")]
    pub cancelled: i64,
    /// The one word for all of that.
    pub status: FulfilmentStatus,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde passes a reference
fn is_zero(count: &i64) -> bool {
    *count == 0
}

/// One word for what became of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FulfilmentStatus {
    /// Nothing happened yet.
    #[default]
    Open,
    /// Some units were sent.
    PartiallyShipped,
    /// All units that are not called off were sent.
    Shipped,
    /// All units that are not called off arrived.
    Delivered,
    /// Some units came back.
    PartiallyReturned,
    /// All units came back.
    Returned,
    /// All units were called off.
    Cancelled,
}

impl Fulfilment {
    /// Counts with their derived status.
    #[must_use]
    pub fn derive(mut self) -> Self {
        let due = self.ordered - self.cancelled;
        self.status = if self.ordered > 0 && due <= 0 {
            FulfilmentStatus::Cancelled
        } else if self.returned > 0 && self.returned >= due {
            FulfilmentStatus::Returned
        } else if self.returned > 0 {
            FulfilmentStatus::PartiallyReturned
        } else if self.delivered > 0 && self.delivered >= due {
            FulfilmentStatus::Delivered
        } else if self.shipped > 0 && self.shipped >= due {
            FulfilmentStatus::Shipped
        } else if self.shipped > 0 {
            FulfilmentStatus::PartiallyShipped
        } else {
            FulfilmentStatus::Open
        };
        self
    }
}

/// What kind of discount it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DiscountKind {
    /// The product was reduced.
    Product,
    /// A rule of the cart.
    Cart,
    /// A code someone typed in.
    Coupon,
    /// The shipping was reduced.
    Shipping,
    /// Set by hand.
    Manual,
}

/// Something taken off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Discount {
    /// What kind it is.
    pub kind: DiscountKind,
    /// The source's id of the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The code that was typed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Name of the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it took off, as a positive amount: for the whole line, not per unit.
    pub amount: Money,
}

/// A code that was typed in and applies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Coupon {
    /// The code's text; absent when the source tells only its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The source's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What it took off, where the source tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
}

/// A gift certificate put against the total.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GiftCertificate {
    /// Id at the source; never the certificate's code, which is money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What it paid, as a positive amount.
    pub amount: Money,
}

/// What one shipping method costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShippingCharge {
    /// Key of the charge, where an order has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Name of the method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// What it costs, after its own discounts.
    pub amount: Money,
    /// What was taken off already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub discounts: Vec<Discount>,
    /// Tax; absent when not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax: Option<Money>,
    /// Whether `amount` contains the tax; absent when not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_included: Option<bool>,
}

/// Tax of one rate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaxLine {
    /// Name of the tax.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Rate as a fraction, such as `0.19`.
    #[serde(with = "decimal_text")]
    #[schemars(with = "String")]
    pub rate: Decimal,
    /// Amount.
    pub amount: Money,
}

/// Goods on their way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Shipment {
    /// Id at the source.
    pub id: String,
    /// The order.
    pub order_id: String,
    /// The order's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_number: Option<String>,
    /// When it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipped_at: Option<DateTime<Utc>>,
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ShippingStatus>,
    /// What is in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<ShipmentLine>,
    /// Its parcels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parcels: Vec<Parcel>,
    /// Where it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// Configured custom fields.
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    pub attributes: Attributes,
}

/// Units of a line in a shipment or parcel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShipmentLine {
    /// The order's line.
    pub line_id: String,
    /// SKU, where the order is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// Name, where the order is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How many.
    pub quantity: i64,
}

/// A parcel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Parcel {
    /// Id at the source.
    pub id: String,
    /// Carrier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
    /// Tracking number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracking_number: Option<String>,
    /// Tracking page, from the source or the configured template of the carrier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracking_url: Option<String>,
    /// Whether it goes back to the shop.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_return: bool,
    /// What is in it, where the source tells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<ShipmentLine>,
}

/// Money given back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Refund {
    /// Id at the source.
    pub id: String,
    /// The order, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    /// The order's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_number: Option<String>,
    /// The payment it was given back through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_id: Option<String>,
    /// How much.
    pub amount: Money,
    /// When.
    pub refunded_at: DateTime<Utc>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether the whole order was given back; absent when not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full: Option<bool>,
    /// Which lines, where the source tells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<RefundLine>,
    /// The part that is shipping, where the source tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipping: Option<Money>,
}

/// Units of a line that were paid back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RefundLine {
    /// The order's line.
    pub line_id: String,
    /// SKU, where the order is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// Name, where the order is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How many.
    pub quantity: i64,
    /// How much, where the source tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
}

/// Goods sent back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Return {
    /// Id: the source's, or made of the order and the item ids where it has none.
    pub id: String,
    /// The order.
    pub order_id: String,
    /// The order's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_number: Option<String>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returned_at: Option<DateTime<Utc>>,
    /// Tracking number of the way back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracking_number: Option<String>,
    /// What came back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<ReturnItem>,
}

impl Return {
    /// Whether nothing has come back yet: all of it is only announced (`Advised`).
    #[must_use]
    pub fn is_announced(&self) -> bool {
        let announced = |item: &ReturnItem| item.shipping_state.as_deref().is_some_and(|state| state.eq_ignore_ascii_case("advised"));
        !self.items.is_empty() && self.items.iter().all(announced)
    }
}

/// Units of a line that came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReturnItem {
    /// Id at the source.
    pub id: String,
    /// The order's line.
    pub line_id: String,
    /// SKU, where the order is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// Name, where the order is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How many.
    pub quantity: i64,
    /// Where the goods are, in the source's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipping_state: Option<String>,
    /// Where the money is, in the source's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_state: Option<String>,
    /// What the customer said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}
