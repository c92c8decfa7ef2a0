//! Webhooks and browser events: <https://developer.bigcommerce.com/docs/integrations/webhooks>,
//! <https://developer.bigcommerce.com/docs/integrations/hosted-analytics>.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Dec, List, Stamp, Text};

/// The envelope of a webhook.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Hook<'a> {
    #[serde(borrow)]
    pub scope: Text<'a>,
    #[serde(borrow)]
    pub store_id: Text<'a>,
    #[serde(borrow)]
    pub producer: Text<'a>,
    #[serde(borrow)]
    pub data: Option<&'a RawValue>,
    #[serde(borrow)]
    pub hash: Text<'a>,
    pub created_at: Stamp,
    /// Of the subscription itself, as `/v3/hooks` lists it.
    #[serde(borrow)]
    pub destination: Text<'a>,
}

/// Ids of what a webhook is about; which of them are there depends on the scope.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Ids<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    #[serde(borrow)]
    pub order_id: Text<'a>,
    #[serde(borrow, rename = "orderId")]
    pub order_id_camel: Text<'a>,
    #[serde(borrow)]
    pub cart_id: Text<'a>,
    #[serde(borrow, rename = "cartId")]
    pub cart_id_camel: Text<'a>,
    #[serde(borrow)]
    pub customer_id: Text<'a>,
    #[serde(borrow)]
    pub product_id: Text<'a>,
    #[serde(borrow)]
    pub category_id: Text<'a>,
    #[serde(borrow)]
    pub variant_id: Text<'a>,
    #[serde(borrow)]
    pub price_list_id: Text<'a>,
    #[serde(borrow)]
    pub tree_id: Text<'a>,
    #[serde(borrow)]
    pub resource_id: Text<'a>,
    #[serde(borrow)]
    pub resource_type: Text<'a>,
    #[serde(borrow)]
    pub address: Owner<'a>,
    #[serde(borrow)]
    pub sku: Owner<'a>,
    #[serde(borrow)]
    pub inventory: Owner<'a>,
}

impl Ids<'_> {
    /// The order; channel scopes name it otherwise.
    #[must_use]
    pub fn order(&self) -> Option<&str> {
        self.order_id.id().or(self.order_id_camel.id())
    }

    /// The cart; channel scopes name it otherwise.
    #[must_use]
    pub fn cart(&self) -> Option<&str> {
        self.cart_id.id().or(self.cart_id_camel.id())
    }
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Owner<'a> {
    #[serde(borrow)]
    pub customer_id: Text<'a>,
    #[serde(borrow)]
    pub product_id: Text<'a>,
}

/// A browser event as the shop's script hands it on: the platform's payload, and what the script knows besides.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Browser<'a> {
    #[serde(borrow)]
    pub event: Text<'a>,
    #[serde(borrow)]
    pub payload: Payload<'a>,
    pub occurred_at: Stamp,
    #[serde(borrow)]
    pub customer_id: Text<'a>,
    #[serde(borrow)]
    pub email: Text<'a>,
    #[serde(borrow)]
    pub anonymous_id: Text<'a>,
    #[serde(borrow)]
    pub url: Text<'a>,
    #[serde(borrow)]
    pub locale: Text<'a>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Payload<'a> {
    #[serde(borrow)]
    pub event_id: Text<'a>,
    #[serde(borrow)]
    pub channel_id: Text<'a>,
    #[serde(borrow)]
    pub currency: Text<'a>,
    pub product_value: Dec,
    pub cart_value: Dec,
    #[serde(borrow)]
    pub category_id: Text<'a>,
    #[serde(borrow)]
    pub category_name: Text<'a>,
    #[serde(borrow)]
    pub search_keyword: Text<'a>,
    #[serde(borrow)]
    pub order_id: Text<'a>,
    #[serde(borrow)]
    pub coupon_codes: List<Text<'a>>,
    #[serde(borrow)]
    pub line_items: List<BrowserItem<'a>>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct BrowserItem<'a> {
    #[serde(borrow)]
    pub product_id: Text<'a>,
    #[serde(borrow)]
    pub variant_id: Text<'a>,
    #[serde(borrow)]
    pub product_name: Text<'a>,
    #[serde(borrow)]
    pub sku: Text<'a>,
    pub quantity: Dec,
    pub base_price: Dec,
    pub purchase_price: Dec,
    #[serde(borrow)]
    pub brand_name: Text<'a>,
    #[serde(borrow)]
    pub category_names: List<Text<'a>>,
}
