//! The order as one models it when not thinking of speed: every field the documents carry, texts owned, floats for
//! rates. The bare parse into it is what most services pay before they do anything.
//! <https://docs.commercetools.com/api/projects/orders>

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

type Texts = HashMap<String, String>;

macro_rules! documented {
    ($($(#[doc = $doc:literal])+ $name:ident { $($field:ident: $ty:ty,)+ })+) => { $(
        $(#[doc = $doc])+
        #[derive(Debug, Deserialize)]
        #[serde(rename_all = "camelCase")]
        #[allow(missing_docs, dead_code)] // the platform documents its fields; nothing but the parse reads them
        pub struct $name { $(pub $field: $ty,)+ }
    )+ };
}

documented! {
    /// An order.
    Order {
        id: String,
        version: u64,
        created_at: DateTime<Utc>,
        last_modified_at: DateTime<Utc>,
        completed_at: Option<DateTime<Utc>>,
        order_number: Option<String>,
        customer_id: Option<String>,
        customer_email: Option<String>,
        anonymous_id: Option<String>,
        customer_group: Option<Reference>,
        store: Option<Reference>,
        country: Option<String>,
        locale: Option<String>,
        origin: Option<String>,
        order_state: String,
        payment_state: Option<String>,
        shipment_state: Option<String>,
        state: Option<Reference>,
        cart: Option<Reference>,
        inventory_mode: Option<String>,
        tax_mode: Option<String>,
        tax_rounding_mode: Option<String>,
        tax_calculation_mode: Option<String>,
        price_rounding_mode: Option<String>,
        shipping_mode: Option<String>,
        line_items: Vec<LineItem>,
        custom_line_items: Vec<Value>,
        total_price: Money,
        taxed_price: Option<TaxedPrice>,
        discount_on_total_price: Option<DiscountOnTotal>,
        discount_codes: Vec<Value>,
        direct_discounts: Vec<Value>,
        refused_gifts: Vec<Reference>,
        shipping_info: Option<ShippingInfo>,
        shipping: Vec<Value>,
        shipping_address: Option<Address>,
        billing_address: Option<Address>,
        item_shipping_addresses: Vec<Address>,
        payment_info: Option<Value>,
        return_info: Option<Vec<Value>>,
        sync_info: Vec<Value>,
        custom: Option<Value>,
    }

    /// An amount.
    Money {
        currency_code: String,
        cent_amount: i64,
        fraction_digits: u32,
        precise_amount: Option<i64>,
    }

    /// A reference.
    Reference {
        type_id: String,
        id: Option<String>,
        key: Option<String>,
    }

    /// An address.
    Address {
        id: Option<String>,
        first_name: Option<String>,
        last_name: Option<String>,
        street_name: Option<String>,
        street_number: Option<String>,
        additional_street_info: Option<String>,
        postal_code: Option<String>,
        city: Option<String>,
        region: Option<String>,
        state: Option<String>,
        country: String,
        company: Option<String>,
        phone: Option<String>,
        mobile: Option<String>,
        email: Option<String>,
    }

    /// Net, gross and tax.
    TaxedPrice {
        total_net: Money,
        total_gross: Money,
        total_tax: Option<Money>,
        tax_portions: Vec<TaxPortion>,
    }

    /// Tax of one rate.
    TaxPortion {
        rate: f64,
        amount: Money,
        name: Option<String>,
    }

    /// A tax rate.
    TaxRate {
        id: Option<String>,
        name: String,
        amount: f64,
        included_in_price: bool,
        country: String,
        sub_rates: Vec<Value>,
    }

    /// A discount that is not contained in the lines.
    DiscountOnTotal {
        discounted_amount: Money,
        included_discounts: Vec<DiscountPortion>,
    }

    /// What one rule took off.
    DiscountPortion {
        discount: Reference,
        discounted_amount: Money,
    }

    /// So many units at that price.
    PricePerQuantity {
        quantity: i64,
        discounted_price: DiscountedPrice,
    }

    /// The price of one unit after discounts.
    DiscountedPrice {
        value: Money,
        included_discounts: Vec<DiscountPortion>,
    }

    /// A line.
    LineItem {
        id: String,
        product_id: String,
        product_key: Option<String>,
        product_type: Reference,
        product_slug: Option<Texts>,
        name: Texts,
        variant: Variant,
        price: Price,
        quantity: i64,
        total_price: Money,
        discounted_price_per_quantity: Vec<PricePerQuantity>,
        taxed_price: Option<TaxedPrice>,
        taxed_price_portions: Vec<Value>,
        tax_rate: Option<TaxRate>,
        per_method_tax_rate: Vec<Value>,
        state: Vec<ItemState>,
        price_mode: String,
        line_item_mode: String,
        added_at: Option<DateTime<Utc>>,
        last_modified_at: Option<DateTime<Utc>>,
        custom: Option<Value>,
    }

    /// Units in a state.
    ItemState {
        quantity: i64,
        state: Reference,
    }

    /// The variant as it was.
    Variant {
        id: i64,
        sku: Option<String>,
        key: Option<String>,
        prices: Vec<Price>,
        images: Vec<Image>,
        attributes: Vec<Attribute>,
        assets: Vec<Value>,
    }

    /// A price.
    Price {
        id: String,
        key: Option<String>,
        value: Money,
        country: Option<String>,
        customer_group: Option<Reference>,
        channel: Option<Reference>,
        discounted: Option<Value>,
    }

    /// A picture.
    Image {
        url: String,
        dimensions: Dimensions,
        label: Option<String>,
    }

    /// Pixels.
    Dimensions {
        w: i64,
        h: i64,
    }

    /// An attribute.
    Attribute {
        name: String,
        value: Value,
    }

    /// What shipping costs.
    ShippingInfo {
        shipping_method_name: String,
        price: Money,
        shipping_rate: ShippingRate,
        taxed_price: Option<TaxedPrice>,
        tax_rate: Option<TaxRate>,
        discounted_price: Option<DiscountedPrice>,
        deliveries: Vec<Value>,
        shipping_method_state: String,
    }

    /// What shipping costs by its table.
    ShippingRate {
        price: Money,
        free_above: Option<Money>,
        tiers: Vec<Value>,
    }
}
