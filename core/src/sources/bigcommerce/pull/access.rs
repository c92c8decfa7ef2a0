//! What reading from the platform needs besides the store.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorCode};
use crate::http::Secret;

/// The platform's own host, <https://developer.bigcommerce.com/docs/start/authentication>.
const API: &str = "https://api.bigcommerce.com";

/// What reading from the platform needs besides `store`. A store-level or app-level API account with the read-only scopes for
/// customers, orders, order transactions, products and carts is enough, with those for the inventory where `inventory` is
/// set; none may change anything.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "BigcommercePullConfig")]
pub struct PullConfig {
    /// API host in place of the platform's, such as a test server's or a proxy's, without `/stores`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_url: Option<String>,
    /// Access token of the API account. It has no end of its own; it dies with the account.
    pub access_token: Secret,
    /// Percent of the store's quota that is left to its other apps, which share it. Default: 20.
    pub reserve_percent: u8,
    /// Which parts of an order are read besides the order itself, its lines, addresses and fees. Each costs a call per order
    /// that has it. Default: all.
    pub order_parts: Vec<OrderPart>,
    /// Whether products are read with the prices of the price lists, and the stream `price_records` is pulled without being
    /// named. Default: false.
    pub price_lists: bool,
    /// Whether products are read with the stock of every location; also done where `locations` is set. Without it stock is
    /// what the variants say, which is that of the default location. Default: false.
    pub inventory: bool,
    /// Whether a cart that a webhook names is read as its checkout, with shipping, tax and the address of the bill. A
    /// checkout of somebody known tells that they went there. Default: false.
    pub checkouts: bool,
}

impl Default for PullConfig {
    fn default() -> Self {
        PullConfig {
            api_url: None,
            access_token: Secret::default(),
            reserve_percent: 20,
            order_parts: vec![OrderPart::Coupons, OrderPart::Shipments, OrderPart::Refunds, OrderPart::Transactions, OrderPart::Taxes],
            price_lists: false,
            inventory: false,
            checkouts: false,
        }
    }
}

/// A part of an order that is served on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "BigcommerceOrderPart")]
pub enum OrderPart {
    /// Coupon codes with what they took off. Without them discounts have no code.
    Coupons,
    /// Parcels. Without them only counts are known.
    Shipments,
    /// Money paid back. Without them no refund is told.
    Refunds,
    /// Payments. Only whether one was a test is read of them: without them test orders count as orders.
    Transactions,
    /// Taxes by name and rate. Without them only the sum is known.
    Taxes,
}

/// Host and credentials made of the settings once.
#[derive(Debug)]
pub(super) struct Access {
    pub api: String,
    pub token: Secret,
}

impl Access {
    /// Host and credentials, or which setting is missing.
    pub fn new(config: &PullConfig) -> Result<Self, Error> {
        if config.access_token.is_empty() {
            let why = "pulling needs the access token of an API account";
            return Err(Error::new(ErrorCode::InvalidConfig, why).at("/pull/access_token"));
        }
        if config.reserve_percent > 90 {
            let why = "at most 90 percent of the quota can be left to others";
            return Err(Error::new(ErrorCode::InvalidConfig, why).at("/pull/reserve_percent"));
        }
        let api = config.api_url.as_deref().unwrap_or(API).trim_end_matches('/').to_owned();
        Ok(Access { api, token: config.access_token.clone() })
    }
}
