//! Customers v3 and subscribers: <https://developer.bigcommerce.com/docs/rest-management/customers>.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Address, Dec, List, Metafield, Named, Stamp, Text};

/// A customer with its parts. The keys are ours, the rows are the platform's own.
#[derive(Clone, Deserialize)]
pub struct Composed<'a> {
    #[serde(borrow)]
    pub customer: Customer<'a>,
    #[serde(borrow, default)]
    pub addresses: List<Address<'a>>,
    /// Attribute values; a row may carry the attribute's `name`.
    #[serde(borrow, default)]
    pub attributes: List<Attribute<'a>>,
    #[serde(borrow, default)]
    pub form_fields: List<Named<'a>>,
    #[serde(borrow, default)]
    pub metafields: List<Metafield<'a>>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Customer<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    #[serde(borrow)]
    pub email: Text<'a>,
    #[serde(borrow)]
    pub first_name: Text<'a>,
    #[serde(borrow)]
    pub last_name: Text<'a>,
    #[serde(borrow)]
    pub company: Text<'a>,
    #[serde(borrow)]
    pub phone: Text<'a>,
    #[serde(borrow)]
    pub customer_group_id: Text<'a>,
    pub date_created: Stamp,
    pub date_modified: Stamp,
    pub address_count: Dec,
    pub attribute_count: Dec,
    #[serde(borrow)]
    pub addresses: List<Address<'a>>,
    #[serde(borrow)]
    pub attributes: List<Attribute<'a>>,
    #[serde(borrow)]
    pub form_fields: List<Named<'a>>,
    pub store_credit_amounts: List<StoreCredit>,
    #[serde(borrow)]
    pub origin_channel_id: Text<'a>,
    #[serde(borrow)]
    pub channel_ids: List<Text<'a>>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Attribute<'a> {
    #[serde(borrow)]
    pub attribute_id: Text<'a>,
    #[serde(borrow)]
    pub name: Text<'a>,
    #[serde(borrow)]
    pub attribute_value: Option<&'a RawValue>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub struct StoreCredit {
    pub amount: Dec,
}

/// <https://developer.bigcommerce.com/docs/rest-management/subscribers>
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Subscriber<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    #[serde(borrow)]
    pub email: Text<'a>,
    #[serde(borrow)]
    pub first_name: Text<'a>,
    #[serde(borrow)]
    pub last_name: Text<'a>,
    #[serde(borrow)]
    pub source: Text<'a>,
    #[serde(borrow)]
    pub channel_id: Text<'a>,
    #[serde(borrow)]
    pub origin_channel_id: Text<'a>,
    #[serde(borrow)]
    pub consents: List<Text<'a>>,
    pub date_created: Stamp,
    pub date_modified: Stamp,
}

/// A row that names its customer and is nothing without it.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct PartOfCustomer<'a> {
    #[serde(borrow)]
    pub customer_id: Text<'a>,
}

/// <https://developer.bigcommerce.com/docs/rest-management/wishlists>
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Wishlist<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    #[serde(borrow)]
    pub customer_id: Text<'a>,
    #[serde(borrow)]
    pub name: Text<'a>,
    #[serde(borrow)]
    pub items: List<WishlistItem<'a>>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct WishlistItem<'a> {
    #[serde(borrow)]
    pub product_id: Text<'a>,
    #[serde(borrow)]
    pub variant_id: Text<'a>,
}
