//! Carts and checkouts v3: <https://developer.bigcommerce.com/docs/rest-management/carts>.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Address, Dec, List, One, Stamp, Text};

/// A cart with what is known besides it. The keys are ours, the rows are the platform's own.
#[derive(Clone, Deserialize)]
pub struct Composed<'a> {
    #[serde(borrow)]
    pub cart: Cart<'a>,
    /// Whether the platform said that it was left alone, for callers that do not know when.
    #[serde(default)]
    pub abandoned: Option<bool>,
    /// When the platform said so.
    #[serde(default)]
    pub abandoned_at: Stamp,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Cart<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    #[serde(borrow)]
    pub customer_id: Text<'a>,
    #[serde(borrow)]
    pub channel_id: Text<'a>,
    #[serde(borrow)]
    pub email: Text<'a>,
    #[serde(borrow)]
    pub currency: Code<'a>,
    #[serde(borrow)]
    pub locale: Text<'a>,
    pub tax_included: Option<bool>,
    pub version: Dec,
    pub discount_amount: Dec,
    pub cart_amount: Dec,
    pub cart_amount_inc_tax: Dec,
    pub cart_amount_ex_tax: Dec,
    #[serde(borrow)]
    pub coupons: List<CartCoupon<'a>>,
    #[serde(borrow)]
    pub line_items: LineItems<'a>,
    pub created_time: Stamp,
    pub updated_time: Stamp,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Code<'a> {
    #[serde(borrow)]
    pub code: Text<'a>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct CartCoupon<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    #[serde(borrow)]
    pub code: Text<'a>,
    pub discounted_amount: Dec,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct LineItems<'a> {
    #[serde(borrow)]
    pub physical_items: List<Item<'a>>,
    #[serde(borrow)]
    pub digital_items: List<Item<'a>>,
    #[serde(borrow)]
    pub gift_certificates: List<Item<'a>>,
    #[serde(borrow)]
    pub custom_items: List<Item<'a>>,
}

/// A line of any of the four lists.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Item<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    #[serde(borrow)]
    pub parent_id: Text<'a>,
    #[serde(borrow)]
    pub product_id: Text<'a>,
    #[serde(borrow)]
    pub variant_id: Text<'a>,
    #[serde(borrow)]
    pub sku: Text<'a>,
    #[serde(borrow)]
    pub name: Text<'a>,
    #[serde(borrow)]
    pub url: Text<'a>,
    #[serde(borrow)]
    pub image_url: Text<'a>,
    pub quantity: Dec,
    /// Of gift certificates.
    pub amount: Dec,
    pub original_price: Dec,
    pub list_price: Dec,
    pub extended_list_price: Dec,
    pub discount_amount: Dec,
    pub coupon_amount: Dec,
    #[serde(borrow)]
    pub discounts: List<ItemDiscount<'a>>,
    #[serde(borrow)]
    pub options: List<ItemOption<'a>>,
    pub added_by_promotion: Option<bool>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct ItemDiscount<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    #[serde(borrow)]
    pub name: Text<'a>,
    pub discounted_amount: Dec,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct ItemOption<'a> {
    #[serde(borrow)]
    pub name: Text<'a>,
    #[serde(borrow)]
    pub value: Option<&'a RawValue>,
}

/// <https://developer.bigcommerce.com/docs/rest-management/checkouts>
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Checkout<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    #[serde(borrow)]
    pub cart: Cart<'a>,
    #[serde(borrow)]
    pub billing_address: One<Address<'a>>,
    #[serde(borrow)]
    pub consignments: List<Consignment<'a>>,
    #[serde(borrow)]
    pub fees: List<CheckoutFee<'a>>,
    #[serde(borrow)]
    pub order_id: Text<'a>,
    pub handling_cost_total_inc_tax: Dec,
    pub handling_cost_total_ex_tax: Dec,
    pub tax_total: Dec,
    pub grand_total: Dec,
    pub created_time: Stamp,
    pub updated_time: Stamp,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Consignment<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    pub shipping_cost_inc_tax: Dec,
    pub shipping_cost_ex_tax: Dec,
    #[serde(borrow)]
    pub selected_shipping_option: One<ShippingOption<'a>>,
    #[serde(borrow)]
    pub address: One<Address<'a>>,
    #[serde(borrow)]
    pub shipping_address: One<Address<'a>>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct ShippingOption<'a> {
    #[serde(borrow)]
    pub description: Text<'a>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct CheckoutFee<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    #[serde(borrow)]
    pub display_name: Text<'a>,
    pub cost_inc_tax: Dec,
    pub cost_ex_tax: Dec,
}
