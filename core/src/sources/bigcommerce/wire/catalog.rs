//! Catalogue v3: <https://developer.bigcommerce.com/docs/rest-catalog>.

use serde::Deserialize;

use super::{Dec, List, Metafield, Named, One, Stamp, Text};

/// A product with what stands elsewhere. The keys are ours, the rows are the platform's own.
#[derive(Clone, Deserialize)]
pub struct Composed<'a> {
    #[serde(borrow)]
    pub product: Product<'a>,
    #[serde(borrow, default)]
    pub variants: List<Variant<'a>>,
    #[serde(borrow, default)]
    pub brand: One<Brand<'a>>,
    /// Categories with their names, those above them included.
    #[serde(borrow, default)]
    pub categories: List<Category<'a>>,
    /// Price list records; whom a record is for stands in `customer_group_id` and `channel_id` of its assignment.
    #[serde(borrow, default)]
    pub prices: List<PriceRecord<'a>>,
    #[serde(borrow, default)]
    pub inventory: List<InventoryItem<'a>>,
    #[serde(borrow, default)]
    pub metafields: List<Metafield<'a>>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Product<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    #[serde(borrow)]
    pub name: Text<'a>,
    #[serde(borrow, rename = "type")]
    pub kind: Text<'a>,
    #[serde(borrow)]
    pub sku: Text<'a>,
    #[serde(borrow)]
    pub description: Text<'a>,
    pub price: Dec,
    pub sale_price: Dec,
    pub is_price_hidden: Option<bool>,
    #[serde(borrow)]
    pub categories: List<Text<'a>>,
    #[serde(borrow)]
    pub brand_id: Text<'a>,
    pub inventory_level: Dec,
    #[serde(borrow)]
    pub inventory_tracking: Text<'a>,
    #[serde(borrow)]
    pub availability: Text<'a>,
    pub is_visible: Option<bool>,
    pub reviews_rating_sum: Dec,
    pub reviews_count: Dec,
    #[serde(borrow)]
    pub images: List<Image<'a>>,
    #[serde(borrow)]
    pub primary_image: One<Image<'a>>,
    #[serde(borrow)]
    pub custom_url: One<Url<'a>>,
    #[serde(borrow)]
    pub custom_fields: List<Named<'a>>,
    #[serde(borrow)]
    pub base_variant_id: Text<'a>,
    #[serde(borrow)]
    pub variants: List<Variant<'a>>,
    pub date_created: Stamp,
    pub date_modified: Stamp,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Url<'a> {
    #[serde(borrow)]
    pub url: Text<'a>,
    #[serde(borrow)]
    pub path: Text<'a>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Image<'a> {
    pub is_thumbnail: Option<bool>,
    pub sort_order: Dec,
    #[serde(borrow)]
    pub description: Text<'a>,
    #[serde(borrow)]
    pub url_zoom: Text<'a>,
    #[serde(borrow)]
    pub url_standard: Text<'a>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Variant<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    #[serde(borrow)]
    pub product_id: Text<'a>,
    #[serde(borrow)]
    pub sku: Text<'a>,
    pub price: Dec,
    pub sale_price: Dec,
    pub purchasing_disabled: Option<bool>,
    #[serde(borrow)]
    pub image_url: Text<'a>,
    pub inventory_level: Dec,
    #[serde(borrow)]
    pub option_values: List<OptionValue<'a>>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct OptionValue<'a> {
    #[serde(borrow)]
    pub label: Text<'a>,
    #[serde(borrow)]
    pub option_display_name: Text<'a>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct PriceRecord<'a> {
    #[serde(borrow)]
    pub price_list_id: Text<'a>,
    #[serde(borrow)]
    pub variant_id: Text<'a>,
    #[serde(borrow)]
    pub product_id: Text<'a>,
    #[serde(borrow)]
    pub currency: Text<'a>,
    pub price: Dec,
    pub sale_price: Dec,
    #[serde(borrow)]
    pub bulk_pricing_tiers: List<Tier<'a>>,
    #[serde(borrow)]
    pub customer_group_id: Text<'a>,
    #[serde(borrow)]
    pub channel_id: Text<'a>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Tier<'a> {
    pub quantity_min: Dec,
    #[serde(borrow, rename = "type")]
    pub kind: Text<'a>,
    pub amount: Dec,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct InventoryItem<'a> {
    #[serde(borrow)]
    pub identity: InventoryIdentity<'a>,
    #[serde(borrow)]
    pub locations: List<InventoryLocation<'a>>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct InventoryIdentity<'a> {
    #[serde(borrow)]
    pub variant_id: Text<'a>,
    #[serde(borrow)]
    pub product_id: Text<'a>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct InventoryLocation<'a> {
    #[serde(borrow)]
    pub location_id: Text<'a>,
    #[serde(borrow)]
    pub location_code: Text<'a>,
    pub location_enabled: Option<bool>,
    pub available_to_sell: Dec,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Brand<'a> {
    #[serde(borrow)]
    pub name: Text<'a>,
}

/// A category of `/catalog/trees/categories`, of the older `/catalog/categories`, or of a nested tree.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Category<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    #[serde(borrow)]
    pub category_id: Text<'a>,
    #[serde(borrow)]
    pub parent_id: Text<'a>,
    #[serde(borrow)]
    pub name: Text<'a>,
    #[serde(borrow)]
    pub description: Text<'a>,
    #[serde(borrow)]
    pub sort_order: Text<'a>,
    #[serde(borrow)]
    pub custom_url: One<Url<'a>>,
    #[serde(borrow)]
    pub url: Path<'a>,
    #[serde(borrow)]
    pub children: List<Category<'a>>,
}

impl Category<'_> {
    /// The id, by either name.
    #[must_use]
    pub fn any_id(&self) -> Option<&str> {
        self.category_id.id().or(self.id.id())
    }
}

/// A path, bare or in an object.
#[derive(Clone, Default)]
pub struct Path<'a>(pub Text<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Path<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let raw = <&'de serde_json::value::RawValue>::deserialize(deserializer)?.get();
        let bad = |_| D::Error::custom("invalid value, expected a path");
        if raw.starts_with('{') {
            return serde_json::from_str::<Url<'de>>(raw)
                .map(|url| Path(if url.path.is_empty() { url.url } else { url.path }))
                .map_err(bad);
        }
        serde_json::from_str(raw).map(Path).map_err(bad)
    }
}

/// A row that names its product and is nothing without it.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct PartOfProduct<'a> {
    #[serde(borrow)]
    pub product_id: Text<'a>,
    #[serde(borrow)]
    pub identity: InventoryIdentity<'a>,
}
