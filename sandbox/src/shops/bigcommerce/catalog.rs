//! Products, variants, categories, brands, price lists and stock.
//! <https://developer.bigcommerce.com/docs/rest-catalog>

use serde_json::{Value, json};

use super::people::State;
use super::sums::{number, variants};
use super::{Shop, iso, product_id, put, variant_id};
use crate::shop::{CATEGORY, COLOURS, Market, PRODUCT, THINGS, mix, pick, price, sku, uuid};

/// The categories at the top; all others are below one of them.
const ROOTS: u64 = 2;
pub(super) const BRANDS: [(u64, &str); 2] = [(36, "Fernweh"), (37, "Common Good")];
pub(super) const PRICE_LIST: u64 = 3;
const SKU_IDS: u64 = 100_000;

pub(super) fn colour(product: u64, variant: u64) -> (&'static str, &'static str) {
    *pick(COLOURS, product + variant)
}

/// The product and the place in it that a variant's id stands for.
pub(super) fn variant_of(id: u64) -> Option<(u64, u64)> {
    id.checked_sub(variant_id(0, 0)).map(|place| (place / 4, place % 4))
}

impl Shop {
    /// A price in ten-thousandths. A product that changed costs a tenth less.
    fn price(&self, product: u64, market: &Market, times: u64) -> i64 {
        let full = price(pick(THINGS, product).3, product, market) * 10_i64.pow(4 - market.digits.min(4));
        if times > 0 { full / 1_000 * 900 } else { full }
    }

    fn stock(&self, product: u64, variant: u64) -> u64 {
        if product.is_multiple_of(9) { 0 } else { 20 + variant + mix(self.made.seed, PRODUCT, product, 7) % 50 }
    }

    pub(super) fn variants(&self, product: u64) -> u64 {
        variants(self.made.seed, product)
    }

    pub(super) fn product(&self, product: u64, state: &State<'_>, include: &dyn Fn(&str) -> bool) -> Value {
        let (name, ..) = *pick(THINGS, product);
        let count = self.variants(product);
        let amount = number(self.price(product, self.home(), state.times));
        let stock: u64 = (0..count).map(|variant| self.stock(product, variant)).sum();
        let changed = iso_offset(state.changed_s);
        let image = json!({"id": product + 1, "product_id": product_id(product), "is_thumbnail": true, "sort_order": 0, "description": "",
            "image_file": format!("{}.jpg", sku(product, 0)), "url_zoom": image_url(product, 0), "url_standard": image_url(product, 0),
            "url_thumbnail": image_url(product, 0), "url_tiny": image_url(product, 0), "date_modified": changed});
        let mut row = json!({
            "id": product_id(product), "name": format!("{name} No. {product}"), "type": "physical",
            "sku": if count == 1 { sku(product, 0) } else { String::new() },
            "description": format!("<p>Made to last. {name} number {product}.</p>"), "weight": 1, "width": 0, "depth": 0, "height": 0,
            "price": amount, "cost_price": 3, "retail_price": 0, "sale_price": 0, "map_price": 0, "tax_class_id": 0, "product_tax_code": "",
            "calculated_price": amount, "categories": [self.category_id(ROOTS + product % self.categories.saturating_sub(ROOTS).max(1))],
            "brand_id": BRANDS[0].0, "option_set_display": "right", "inventory_level": stock, "inventory_warning_level": 0,
            "inventory_tracking": if count > 1 { "variant" } else { "product" }, "reviews_rating_sum": 0, "reviews_count": 0,
            "total_sold": state.times, "is_visible": product % 30 != 29, "availability": "available", "condition": "New",
            "date_created": "2025-05-01T09:00:00+00:00", "date_modified": changed,
            "custom_url": {"url": format!("/product-{product}/"), "is_customized": false},
        });
        // What is the same for all.
        let usual = json!({
            "fixed_cost_shipping_price": 0, "is_free_shipping": false, "is_featured": false, "related_products": [-1], "warranty": "", "bin_picking_number": "", "layout_file": "product.html", "upc": "",
            "mpn": "", "gtin": "", "search_keywords": "", "availability_description": "",
            "gift_wrapping_options_type": "any", "gift_wrapping_options_list": [], "sort_order": 0, "is_condition_shown": false, "order_quantity_minimum": 0, "order_quantity_maximum": 0, "page_title": "", "meta_keywords": [],
            "meta_description": "", "view_count": 10,
            "preorder_release_date": null, "preorder_message": "", "is_preorder_only": false, "is_price_hidden": false,
            "price_hidden_label": "", "open_graph_type": "product", "open_graph_title": "", "open_graph_description": "", "open_graph_use_meta_description": true,
            "open_graph_use_product_name": true, "open_graph_use_image": true,
        });
        put(&mut row, usual.as_object());
        // A product with options has no base variant.
        if count == 1 {
            row["base_variant_id"] = variant_id(product, 0).into();
        }
        let own = json!([{"id": product + 1, "name": "Material", "value": "Wool"}]);
        for (name, part) in [
            ("variants", (0..count).map(|variant| self.variant(product, variant, state.times)).collect()),
            ("images", json!([image])),
            ("primary_image", image),
            ("custom_fields", own),
            ("bulk_pricing_rules", json!([])),
            ("options", json!([])),
            ("modifiers", json!([])),
            ("videos", json!([])),
            ("parent_relations", json!([])),
            ("channels", json!([1, 2])),
        ] {
            if include(name) {
                row[name] = part;
            }
        }
        put(&mut row, state.fields);
        row
    }

    pub(super) fn variant(&self, product: u64, variant: u64, times: u64) -> Value {
        let only = self.variants(product) == 1;
        let amount = number(self.price(product, self.home(), times));
        let values = if only {
            json!([])
        } else {
            json!([{"id": 100 + variant, "label": colour(product, variant).0, "option_id": 21, "option_display_name": "Colour"}])
        };
        json!({
            "id": variant_id(product, variant), "product_id": product_id(product), "sku": sku(product, variant),
            "sku_id": (!only).then(|| SKU_IDS + variant_id(product, variant)),
            // Nothing of its own: the product's price counts.
            "price": null, "calculated_price": amount, "sale_price": null, "retail_price": null, "map_price": null,
            "weight": null, "width": null, "height": null, "depth": null, "is_free_shipping": false, "fixed_cost_shipping_price": null,
            "calculated_weight": 1, "purchasing_disabled": false, "purchasing_disabled_message": "",
            "image_url": if variant > 0 { image_url(product, variant) } else { String::new() }, "cost_price": null, "upc": "", "mpn": "", "gtin": "",
            "inventory_level": self.stock(product, variant), "inventory_warning_level": 0, "bin_picking_number": "", "option_values": values,
        })
    }

    pub(super) fn category_id(&self, category: u64) -> u64 {
        category.min(self.categories.saturating_sub(1)) + 11
    }

    fn parent(&self, category: u64) -> u64 {
        if category < ROOTS { 0 } else { self.category_id(category % ROOTS) }
    }

    fn category_name(category: u64) -> String {
        let (name, ..) = *pick(THINGS, category);
        if category < ROOTS { format!("All {name}s") } else { name.to_owned() }
    }

    /// As the older list has it.
    pub(super) fn category(&self, category: u64) -> Value {
        json!({"id": self.category_id(category), "parent_id": self.parent(category), "name": Self::category_name(category), "description": "",
            "views": 0, "sort_order": category, "page_title": "", "meta_keywords": [""], "meta_description": "", "layout_file": "category.html",
            "image_url": "", "is_visible": true, "search_keywords": "", "default_product_sort": "use_store_settings",
            "custom_url": {"url": format!("/category-{category}/"), "is_customized": false}})
    }

    /// As the list of the trees has it.
    pub(super) fn tree_category(&self, category: u64) -> Value {
        json!({"category_id": self.category_id(category), "category_uuid": uuid(self.made.seed, CATEGORY, category), "parent_id": self.parent(category),
            "tree_id": 1, "name": Self::category_name(category), "description": "", "views": 0, "sort_order": category, "page_title": "",
            "meta_keywords": [""], "meta_description": "", "layout_file": "category.html", "image_url": "", "is_visible": true, "search_keywords": "",
            "default_product_sort": "use_store_settings", "url": {"path": format!("/category-{category}/"), "is_customized": false}})
    }

    /// The tree itself, one category inside another.
    pub(super) fn tree(&self, parent: u64, path: &[u64]) -> Vec<Value> {
        (0..self.categories)
            .filter(|category| self.parent(*category) == parent)
            .map(|category| {
                let id = self.category_id(category);
                let path = [path, &[id]].concat();
                json!({"id": id, "parent_id": parent, "depth": path.len() - 1, "path": path, "name": Self::category_name(category), "is_visible": true,
                    "url": format!("/category-{category}/"), "children": self.tree(id, &path)})
            })
            .collect()
    }

    pub(super) fn brand((id, name): (u64, &str)) -> Value {
        json!({"id": id, "name": name, "page_title": "", "meta_keywords": [""], "meta_description": "", "image_url": "", "search_keywords": "",
            "custom_url": {"url": format!("/brands/{}.html", name.replace(' ', "-")), "is_customized": false}})
    }

    /// A trade price: a fifth less, in the store's currency, which is written small here and nowhere else.
    pub(super) fn price_record(&self, product: u64) -> Value {
        let amount = number(self.price(product, self.home(), 0) / 1_000 * 800);
        json!({"price_list_id": PRICE_LIST, "variant_id": variant_id(product, 0), "product_id": product_id(product), "sku": sku(product, 0),
            "currency": self.home().currency.to_lowercase(), "price": amount, "sale_price": amount, "retail_price": amount, "map_price": amount,
            "calculated_price": amount, "bulk_pricing_tiers": [], "date_created": iso(self.product_changed_s(product)),
            "date_modified": iso(self.product_changed_s(product))})
    }

    pub(super) fn inventory(&self, product: u64, variant: u64) -> Value {
        let stock = self.stock(product, variant);
        let id = variant_id(product, variant);
        json!({
            "identity": {"sku": sku(product, variant), "variant_id": id, "product_id": product_id(product), "sku_id": SKU_IDS + id},
            "locations": [{"location_id": 1, "location_code": "BC-LOCATION-1", "location_name": "Main", "location_enabled": true,
                "available_to_sell": stock, "total_inventory_onhand": stock + 2,
                "settings": {"safety_stock": 2, "is_in_stock": stock > 0, "warning_level": 0, "bin_picking_number": ""}}],
        })
    }
}

fn image_url(product: u64, variant: u64) -> String {
    format!("https://img.example.com/{}.jpg", sku(product, variant))
}

/// The catalog writes an offset where others write `Z`.
fn iso_offset(seconds: i64) -> String {
    iso(seconds).replace('Z', "+00:00")
}
