//! Products and categories.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::super::capabilities as endpoints;
use super::super::config::CatalogLayout;
use super::super::json::{Object, bytes, money};
use super::{Builder, Collection};

use crate::error::Error;
use crate::model::{Category, CategoryDeleted, CategoryRef, Product, ProductDeleted, SkipReason, Variant};

const CATALOG: &str = "catalog";

impl<'a> Builder<'a> {
    pub(super) fn product(&mut self, product: &'a Product) -> Result<(), Error> {
        let Some(place) = self.collection(&self.config.collections.products, "products", CATALOG) else { return Ok(()) };
        match (self.config.catalog_layout, product.variants.first()) {
            (_, None) => self.skip(SkipReason::NotSupported, "Dotdigital takes no product without a price, and this one has no variant"),
            (CatalogLayout::Product, Some(lead)) => {
                let json = self.document(product, lead, product.id.clone(), "");
                self.item(place, product, product.id.clone(), &json, format!("product:{}", product.id), None)?;
            }
            (CatalogLayout::Variant, Some(_)) => {
                for variant in &product.variants {
                    let key = format!("{}-{}", product.id, variant.id);
                    let json = self.document(product, variant, key.clone(), &product.id);
                    self.item(place, product, key.clone(), &json, format!("variant:{key}"), Some(&variant.id))?;
                }
            }
        }
        Ok(())
    }

    /// Writes the document, unless a member is missing that Dotdigital insists on.
    fn item(
        &mut self,
        place: Collection<'_>,
        product: &Product,
        key: String,
        json: &Object,
        entity: String,
        part: Option<&str>,
    ) -> Result<(), Error> {
        let missing: Vec<&str> = ["name", "sku", "price", "url", "imagePath"].into_iter().filter(|name| !json.has(name)).collect();
        if !missing.is_empty() {
            if !product.published {
                // It is not for sale, and what was written before must not go on saying that it is.
                return self.delete_item(place, &key, entity, part);
            }
            let hint = if missing.contains(&"url") { "; see the source's settings for page addresses" } else { "" };
            self.skip(SkipReason::NotSupported, format!("Dotdigital refuses products without {}{hint}", missing.join(", ")));
            return Ok(());
        }
        let written = self.record(place, None, &key, json, entity)?;
        if let (Some(part), Some(operation)) = (part, written) {
            operation.idempotency_key = crate::model::IdempotencyKey::new(format!("{}:{part}", operation.idempotency_key));
        }
        Ok(())
    }

    fn document(&mut self, product: &'a Product, variant: &'a Variant, id: String, parent: &'a str) -> Object {
        let whole = parent.is_empty();
        let stock = variant.stock.as_ref();
        let image = variant.images.first().or_else(|| product.variants.iter().find_map(|variant| variant.images.first()));
        let now = self.envelope.observed_at;
        let mut json = Object::new(20);
        json.put("id", id);
        json.put("parent_id", parent);
        json.put(
            "type",
            match (whole, product.variants.len()) {
                (false, _) => "Variant",
                (true, 1) => "Simple",
                (true, _) => "Configurable",
            },
        );
        json.opt("name", if whole { product.name.as_deref() } else { variant.name.as_deref().or(product.name.as_deref()) });
        json.opt("sku", variant.sku.as_deref().or(variant.key.as_deref()));
        json.put("status", if product.published { "Enabled" } else { "Disabled" });
        if let Some(price) = &variant.price {
            json.put("price", money(price.list));
            json.opt("specialPrice", price.sale.map(money));
            json.put("currency", price.list.currency.as_str());
            json.put(
                "tierPrices",
                price
                    .tiers
                    .iter()
                    .map(|tier| {
                        let mut object = Object::new(2);
                        object.put("minimumQuantity", tier.minimum_quantity);
                        object.put("price", money(tier.price));
                        object
                    })
                    .collect::<Vec<_>>(),
            );
        }
        json.put(
            "indexPrices",
            variant
                .prices
                .iter()
                // One that has ended, or not begun, would look as if it were asked now: there is no place for its dates.
                .filter(|price| price.valid_from.is_none_or(|from| from <= now) && price.valid_until.is_none_or(|until| now < until))
                .map(|price| {
                    let mut object = Object::new(6);
                    object.put("price", money(price.list));
                    object.opt("specialPrice", price.sale.map(money));
                    object.put("currency", price.list.currency.as_str());
                    object.opt("country", price.country.as_deref());
                    object.opt("channel", price.channel.as_deref());
                    object.opt("customerGroup", price.customer_group.as_deref());
                    object
                })
                .collect::<Vec<_>>(),
        );
        json.opt("stock", stock.and_then(|stock| stock.quantity).map(Decimal::from));
        // Stock that nobody tracks can be bought.
        json.put("inStock", stock.is_none_or(|stock| stock.in_stock.unwrap_or(true)));
        json.opt("url", if whole { product.url.as_deref() } else { variant.url.as_deref().or(product.url.as_deref()) });
        json.opt("imagePath", image.map(|image| image.url.as_str()));
        json.opt("shortDescription", product.description.as_deref().map(opening));
        json.opt("brand", product.brand.as_deref());
        json.opt("productType", product.product_type.as_deref());
        json.put("categories", categories(&product.categories));
        json.opt("created_date", product.created_at);
        json.opt("ratingAverage", product.rating_average);
        json.opt("ratingCount", product.rating_count.and_then(|count| i64::try_from(count).ok()));
        let mut attributes = Object::new(product.attributes.len() + variant.attributes.len());
        attributes.attributes(&product.attributes, "/body/attributes", &mut self.built.findings);
        if whole {
            json.put("skus", product.variants.iter().filter_map(|variant| variant.sku.as_deref()).collect::<Vec<_>>());
        } else {
            let own = product.variants.iter().position(|other| other.id == variant.id).unwrap_or_default();
            attributes.attributes(&variant.attributes, &format!("/body/variants/{own}/attributes"), &mut self.built.findings);
        }
        json.put("attributes", attributes);
        json
    }

    pub(super) fn product_deleted(&mut self, deleted: &'a ProductDeleted) -> Result<(), Error> {
        let Some(place) = self.collection(&self.config.collections.products, "products", CATALOG) else { return Ok(()) };
        if self.config.catalog_layout == CatalogLayout::Product {
            return self.delete_item(place, &deleted.id, format!("product:{}", deleted.id), None);
        }
        let mut known = deleted.variants.iter().filter_map(|variant| variant.id.as_deref()).peekable();
        if known.peek().is_none() {
            self.skip(SkipReason::NotSupported, "the source does not tell which variants went with the product; their records stay");
        }
        for variant in known {
            let key = format!("{}-{variant}", deleted.id);
            self.delete_item(place, &key, format!("variant:{key}"), Some(variant))?;
        }
        Ok(())
    }

    pub(super) fn category(&mut self, category: &'a Category) -> Result<(), Error> {
        let Some(place) = self.collection(&self.config.collections.categories, "categories", "custom") else { return Ok(()) };
        let mut json = Object::new(10);
        json.put("id", &category.id);
        json.opt("key", category.key.as_deref());
        json.opt("name", category.name.as_deref());
        json.opt("description", category.description.as_deref().map(opening));
        json.opt("slug", category.slug.as_deref());
        json.opt("url", category.url.as_deref());
        json.opt("parentId", category.parent_id.as_deref());
        json.put("ancestorIds", category.ancestors.iter().map(|above| &above.id).collect::<Vec<_>>());
        json.opt("orderHint", category.order_hint.as_deref());
        json.opt("createdDate", category.created_at);
        let mut attributes = Object::new(category.attributes.len());
        attributes.attributes(&category.attributes, "/body/attributes", &mut self.built.findings);
        json.put("attributes", attributes);
        self.record(place, None, &category.id, &json, format!("category:{}", category.id))?;
        Ok(())
    }

    pub(super) fn category_deleted(&mut self, deleted: &'a CategoryDeleted) -> Result<(), Error> {
        let Some(place) = self.collection(&self.config.collections.categories, "categories", "custom") else { return Ok(()) };
        self.delete_item(place, &deleted.id, format!("category:{}", deleted.id), None)
    }

    fn delete_item(&mut self, place: Collection<'_>, key: &str, entity: String, part: Option<&str>) -> Result<(), Error> {
        if key.is_empty() {
            self.refuse("/body/id", "a record of insight data needs a key");
            return Ok(());
        }
        let lane = format!("{}:{key}", place.name);
        let mut operation = self.operation(endpoints::DELETE_RECORDS, entity.clone(), lane, bytes(&key, key.len() + 2)?);
        operation.group = place.name.to_owned();
        operation.params = BTreeMap::from([("collection".to_owned(), place.name.to_owned())]);
        operation.supersedes = vec![entity];
        if let Some(part) = part {
            operation.idempotency_key = self.key(part);
        }
        self.built.operations.push(operation);
        Ok(())
    }
}

/// The first thousand characters, which is what the vendor's own connectors send.
fn opening(text: &str) -> &str {
    text.char_indices().nth(1_000).map_or(text, |(end, _)| &text[..end])
}

fn categories(categories: &[CategoryRef]) -> Vec<Object> {
    let one = |category| {
        let category: &CategoryRef = category;
        let mut object = Object::new(2);
        object.put("Id", &category.id);
        object.put("Name", category.path.last().map_or(category.id.as_str(), String::as_str));
        object
    };
    categories.iter().map(one).collect()
}
