//! The catalogue: products, variants, prices, categories.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::attribute::Attributes;
use super::money::{Money, decimal_text};

/// A product as sold now, with its variants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Product {
    /// Id at the source.
    pub id: String,
    /// The merchant's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Name in the market's locale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Description in the market's locale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// URL part in the market's locale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// Address of the product page, from the configured template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Brand, from the configured attribute or field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    /// Product type's key or id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_type: Option<String>,
    /// Whether shoppers can see it.
    pub published: bool,
    /// Categories, the most specific first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<CategoryRef>,
    /// Variants; the leading one first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<Variant>,
    /// Average rating, decimal.
    #[serde(skip_serializing_if = "Option::is_none", with = "decimal_text::optional")]
    #[schemars(with = "Option<String>")]
    pub rating_average: Option<rust_decimal::Decimal>,
    /// Number of ratings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rating_count: Option<u64>,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<DateTime<Utc>>,
    /// When it last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<DateTime<Utc>>,
    /// Attributes of the product as a whole.
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    pub attributes: Attributes,
}

/// A product is not sold any more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ProductDeleted {
    /// Id at the source.
    pub id: String,
    /// Ids and SKUs of the variants that went with it, where the source tells.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<VariantRef>,
}

/// A variant by its ids.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct VariantRef {
    /// Id, unique within the product.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// SKU, unique in the shop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
}

/// Something one can put in a cart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Variant {
    /// Id, unique within the product.
    pub id: String,
    /// SKU, unique in the shop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// The merchant's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Name where it differs from the product's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Address of the variant's page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The price picked for the envelope's market.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// Every price the source told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prices: Vec<Price>,
    /// Stock; absent means not tracked, which is buyable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stock: Option<Stock>,
    /// Images, the main one first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
    /// Attributes such as size and colour.
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    pub attributes: Attributes,
}

/// A price and whom it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Price {
    /// List price of one unit.
    pub list: Money,
    /// Reduced price of one unit, while a reduction runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sale: Option<Money>,
    /// ISO 3166-1 alpha-2; absent is everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Channel key or id; absent is all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Customer group key or id; absent is everyone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_group: Option<String>,
    /// From when it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<DateTime<Utc>>,
    /// Until when it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<DateTime<Utc>>,
    /// Prices for larger quantities.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<PriceTier>,
}

impl Price {
    /// What one unit costs now: the sale price while there is one, else the list price.
    #[must_use]
    pub fn current(&self) -> Money {
        self.sale.unwrap_or(self.list)
    }
}

/// The price from a quantity on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PriceTier {
    /// Smallest quantity it counts for.
    pub minimum_quantity: i64,
    /// Price of one unit.
    pub price: Money,
}

/// How many can be bought.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Stock {
    /// Whether it can be bought now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_stock: Option<bool>,
    /// Units on hand that are not promised to someone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<i64>,
    /// Days until it comes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restock_days: Option<i64>,
}

/// A picture.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Image {
    /// Address.
    pub url: String,
    /// Caption.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// A category by reference.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CategoryRef {
    /// Id at the source.
    pub id: String,
    /// Names from the root to this one, in the market's locale, where known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<String>,
}

/// A category as shown now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Category {
    /// Id at the source.
    pub id: String,
    /// The merchant's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Name in the market's locale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Description in the market's locale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// URL part in the market's locale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// Address of the category page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Id of the category above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    /// Ids from the root down to the one above.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ancestors: Vec<CategoryRef>,
    /// Position among its siblings, in the source's form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_hint: Option<String>,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<DateTime<Utc>>,
    /// When it last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<DateTime<Utc>>,
    /// Configured custom fields.
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    pub attributes: Attributes,
}

/// A category is gone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CategoryDeleted {
    /// Id at the source.
    pub id: String,
}
