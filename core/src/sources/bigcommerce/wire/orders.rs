//! Orders v2 and what hangs on them: <https://developer.bigcommerce.com/docs/rest-management/orders>.

use serde::Deserialize;

use super::{Address, Dec, List, Metafield, One, Stamp, Text};

/// An order with its parts, which the platform serves one by one. The keys are ours, the rows are the platform's own; a part
/// may be a bare list or a whole page.
#[derive(Clone, Deserialize)]
pub struct Composed<'a> {
    #[serde(borrow)]
    pub order: Order<'a>,
    #[serde(borrow, default)]
    pub products: List<OrderProduct<'a>>,
    #[serde(borrow, default)]
    pub coupons: List<OrderCoupon<'a>>,
    #[serde(borrow, default)]
    pub shipping_addresses: List<Address<'a>>,
    #[serde(borrow, default)]
    pub consignments: One<Consignments<'a>>,
    #[serde(borrow, default)]
    pub shipments: List<Shipment<'a>>,
    #[serde(borrow, default)]
    pub refunds: List<Refund<'a>>,
    #[serde(borrow, default)]
    pub transactions: List<Transaction<'a>>,
    #[serde(borrow, default)]
    pub taxes: List<OrderTax<'a>>,
    #[serde(borrow, default)]
    pub fees: List<Fee<'a>>,
    #[serde(borrow, default)]
    pub metafields: List<Metafield<'a>>,
}

/// An order; parts may be embedded by `include`, else they are links.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Order<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    #[serde(borrow)]
    pub customer_id: Text<'a>,
    pub date_created: Stamp,
    pub date_modified: Stamp,
    pub date_shipped: Stamp,
    pub status_id: Dec,
    #[serde(borrow)]
    pub custom_status: Text<'a>,
    #[serde(borrow)]
    pub payment_status: Text<'a>,
    pub is_deleted: Option<bool>,
    pub shipping_cost_ex_tax: Dec,
    pub shipping_cost_inc_tax: Dec,
    pub shipping_cost_tax: Dec,
    pub handling_cost_ex_tax: Dec,
    pub handling_cost_inc_tax: Dec,
    pub handling_cost_tax: Dec,
    pub wrapping_cost_ex_tax: Dec,
    pub wrapping_cost_inc_tax: Dec,
    pub wrapping_cost_tax: Dec,
    pub total_inc_tax: Dec,
    pub total_tax: Dec,
    pub is_tax_inclusive_pricing: Option<bool>,
    pub discount_amount: Dec,
    pub coupon_discount: Dec,
    pub gift_certificate_amount: Dec,
    pub store_credit_amount: Dec,
    #[serde(borrow)]
    pub payment_method: Text<'a>,
    #[serde(borrow)]
    pub currency_code: Text<'a>,
    #[serde(borrow)]
    pub default_currency_code: Text<'a>,
    #[serde(borrow)]
    pub cart_id: Text<'a>,
    #[serde(borrow)]
    pub external_source: Text<'a>,
    #[serde(borrow)]
    pub channel_id: Text<'a>,
    #[serde(borrow)]
    pub customer_locale: Text<'a>,
    #[serde(borrow)]
    pub billing_address: Address<'a>,
    pub is_email_opt_in: Option<bool>,
    pub order_is_digital: Option<bool>,
    #[serde(borrow)]
    pub products: List<OrderProduct<'a>>,
    #[serde(borrow)]
    pub coupons: List<OrderCoupon<'a>>,
    #[serde(borrow)]
    pub shipping_addresses: List<Address<'a>>,
    #[serde(borrow)]
    pub consignments: One<Consignments<'a>>,
    #[serde(borrow)]
    pub fees: List<Fee<'a>>,
}

/// <https://developer.bigcommerce.com/docs/rest-management/orders/order-products>
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct OrderProduct<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    #[serde(borrow)]
    pub order_id: Text<'a>,
    #[serde(borrow)]
    pub product_id: Text<'a>,
    #[serde(borrow)]
    pub variant_id: Text<'a>,
    #[serde(borrow)]
    pub name: Text<'a>,
    #[serde(borrow)]
    pub name_customer: Text<'a>,
    #[serde(borrow)]
    pub sku: Text<'a>,
    #[serde(borrow)]
    pub brand: Text<'a>,
    #[serde(borrow, rename = "type")]
    pub kind: Text<'a>,
    pub price_ex_tax: Dec,
    pub price_inc_tax: Dec,
    pub total_ex_tax: Dec,
    pub total_inc_tax: Dec,
    pub total_tax: Dec,
    pub discounted_total_inc_tax: Dec,
    #[serde(borrow)]
    pub applied_discounts: List<AppliedDiscount<'a>>,
    pub quantity: Dec,
    pub quantity_shipped: Dec,
    pub quantity_refunded: Dec,
    #[serde(borrow)]
    pub parent_order_product_id: Text<'a>,
    #[serde(borrow)]
    pub product_options: List<ProductOption<'a>>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct AppliedDiscount<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    pub amount: Dec,
    #[serde(borrow)]
    pub name: Text<'a>,
    #[serde(borrow)]
    pub code: Text<'a>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct ProductOption<'a> {
    #[serde(borrow)]
    pub display_name: Text<'a>,
    #[serde(borrow)]
    pub display_value: Text<'a>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct OrderCoupon<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    #[serde(borrow)]
    pub coupon_id: Text<'a>,
    #[serde(borrow)]
    pub order_id: Text<'a>,
    #[serde(borrow)]
    pub code: Text<'a>,
    pub discount: Dec,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Consignments<'a> {
    #[serde(borrow)]
    pub shipping: List<Address<'a>>,
    #[serde(borrow)]
    pub pickups: List<Pickup<'a>>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Pickup<'a> {
    #[serde(borrow)]
    pub pickup_method: Text<'a>,
    #[serde(borrow)]
    pub pickup_method_display_name: Text<'a>,
}

/// <https://developer.bigcommerce.com/docs/rest-management/orders/order-shipments>
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Shipment<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    #[serde(borrow)]
    pub order_id: Text<'a>,
    #[serde(borrow)]
    pub customer_id: Text<'a>,
    pub date_created: Stamp,
    #[serde(borrow)]
    pub tracking_number: Text<'a>,
    #[serde(borrow)]
    pub tracking_carrier: Text<'a>,
    #[serde(borrow)]
    pub shipping_provider: Text<'a>,
    #[serde(borrow)]
    pub shipping_provider_display_name: Text<'a>,
    #[serde(borrow)]
    pub tracking_link: Text<'a>,
    #[serde(borrow)]
    pub generated_tracking_link: Text<'a>,
    #[serde(borrow)]
    pub billing_address: Address<'a>,
    #[serde(borrow)]
    pub shipping_address: Address<'a>,
    #[serde(borrow)]
    pub items: List<ShipmentItem<'a>>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct ShipmentItem<'a> {
    #[serde(borrow)]
    pub order_product_id: Text<'a>,
    pub quantity: Dec,
}

/// <https://developer.bigcommerce.com/docs/rest-management/orders/order-refunds>
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Refund<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    #[serde(borrow)]
    pub order_id: Text<'a>,
    pub created: Stamp,
    #[serde(borrow)]
    pub reason: Text<'a>,
    pub total_amount: Dec,
    #[serde(borrow)]
    pub items: List<RefundItem<'a>>,
    #[serde(borrow)]
    pub payments: List<RefundPayment<'a>>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct RefundItem<'a> {
    #[serde(borrow)]
    pub item_type: Text<'a>,
    #[serde(borrow)]
    pub item_id: Text<'a>,
    pub quantity: Dec,
    pub requested_amount: Dec,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct RefundPayment<'a> {
    #[serde(borrow)]
    pub provider_id: Text<'a>,
    pub amount: Dec,
    pub is_declined: Option<bool>,
}

/// <https://developer.bigcommerce.com/docs/rest-management/transactions>
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Transaction<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    #[serde(borrow)]
    pub order_id: Text<'a>,
    #[serde(borrow)]
    pub event: Text<'a>,
    #[serde(borrow)]
    pub method: Text<'a>,
    #[serde(borrow)]
    pub status: Text<'a>,
    pub test: Option<bool>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct OrderTax<'a> {
    #[serde(borrow)]
    pub order_id: Text<'a>,
    #[serde(borrow)]
    pub name: Text<'a>,
    pub rate: Dec,
    pub line_amount: Dec,
    #[serde(borrow)]
    pub order_product_id: Text<'a>,
    #[serde(borrow)]
    pub line_item_type: Text<'a>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Fee<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    #[serde(borrow)]
    pub display_name_customer: Text<'a>,
    pub cost_ex_tax: Dec,
    /// How some examples spell it.
    pub cost_exc_tax: Dec,
    pub cost_inc_tax: Dec,
    pub cost_tax: Dec,
}

/// A row that names its order and is nothing without it.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct PartOfOrder<'a> {
    #[serde(borrow)]
    pub order_id: Text<'a>,
}
