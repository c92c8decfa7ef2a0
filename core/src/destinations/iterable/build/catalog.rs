//! Products and categories.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::super::Operation;
use super::super::capabilities as endpoints;
use super::super::config::{CatalogLayout, CatalogWrite, Catalogs, FieldType};
use super::super::ids;
use super::super::payload::{
    Attrs, CATEGORY_FIELDS, CATEGORY_TYPES, CategoryDocument, PRODUCT_FIELDS, PRODUCT_TYPES, Place, ProductDocument, Stamp,
    VariantDocument, VariantEntry, VariantFields, bytes,
};
use super::{Builder, category_paths, some};

use crate::error::Error;
use crate::model::money::JsonNumber;
use crate::model::{Category, IdempotencyKey, Product, ProductDeleted, SkipReason, Variant};

/// A field and its type, as `catalogs/{catalog}/fieldMappings` takes them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Mapping<'a> {
    field_name: &'a str,
    field_type: FieldType,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Mappings<'a> {
    mappings_updates: Vec<Mapping<'a>>,
}

pub(super) fn field_types(catalogs: &Catalogs, categories: bool) -> Result<Vec<u8>, Error> {
    let own = if categories { CATEGORY_TYPES } else { PRODUCT_TYPES };
    let configured = catalogs.field_types.iter().filter(|(name, _)| !own.iter().any(|(standard, _)| standard == name));
    let all = own.iter().map(|(name, kind)| (*name, *kind)).chain(configured.map(|(name, kind)| (name.as_str(), *kind)));
    let mappings_updates = all.map(|(field_name, field_type)| Mapping { field_name, field_type }).collect();
    bytes(&Mappings { mappings_updates }, 2048)
}

impl<'a> Builder<'a> {
    pub(super) fn product(&mut self, product: &'a Product) -> Result<(), Error> {
        let Some(catalog) = self.iterable.config.catalogs.products.as_deref() else {
            self.skip(SkipReason::NotConfigured, "products need `catalogs.products`");
            return Ok(());
        };
        let attributes = Attrs::new(&product.attributes, Place::Catalog(PRODUCT_FIELDS));
        attributes.report("/body/attributes", &mut self.built.findings);
        for (index, variant) in product.variants.iter().enumerate() {
            if !variant.attributes.is_empty() {
                let place = Place::Catalog(PRODUCT_FIELDS);
                Attrs::new(&variant.attributes, place).report(&format!("/body/variants/{index}/attributes"), &mut self.built.findings);
            }
        }
        match self.iterable.config.catalog_layout {
            CatalogLayout::Product => {
                let lead = product.variants.first();
                let row = ProductDocument {
                    product_id: &product.id,
                    product_key: product.key.as_deref(),
                    name: product.name.as_deref(),
                    description: product.description.as_deref(),
                    slug: product.slug.as_deref(),
                    url: product.url.as_deref(),
                    brand: product.brand.as_deref(),
                    product_type: product.product_type.as_deref(),
                    published: product.published,
                    categories: category_paths(&product.categories),
                    category_ids: some(product.categories.iter().map(|category| category.id.as_str())),
                    rating_average: product.rating_average.map(JsonNumber),
                    rating_count: product.rating_count,
                    created_at: product.created_at.map(Stamp),
                    lead: lead.map(variant_fields),
                    skus: some(product.variants.iter().filter_map(|variant| variant.sku.as_deref())),
                    variants: some(product.variants.iter().map(|variant| VariantEntry {
                        name: variant.name.as_deref(),
                        url: variant.url.as_deref(),
                        fields: variant_fields(variant),
                        attributes: Attrs::new(&variant.attributes, Place::Catalog(PRODUCT_FIELDS)),
                    })),
                    attributes,
                };
                let body = bytes(&row, 1024 + 384 * product.variants.len())?;
                let id = ids::encode(&product.id).into_owned();
                self.item(catalog, format!("product:{}", product.id), id, body, "/body", None);
            }
            CatalogLayout::Variant => {
                for (index, variant) in product.variants.iter().enumerate() {
                    let row = VariantDocument {
                        product_id: &product.id,
                        product_key: product.key.as_deref(),
                        name: variant.name.as_deref().or(product.name.as_deref()),
                        description: product.description.as_deref(),
                        slug: product.slug.as_deref(),
                        url: variant.url.as_deref().or(product.url.as_deref()),
                        brand: product.brand.as_deref(),
                        product_type: product.product_type.as_deref(),
                        published: product.published,
                        categories: category_paths(&product.categories),
                        category_ids: some(product.categories.iter().map(|category| category.id.as_str())),
                        rating_average: product.rating_average.map(JsonNumber),
                        rating_count: product.rating_count,
                        created_at: product.created_at.map(Stamp),
                        lead: variant_fields(variant),
                        attributes: Attrs { over: Some(&variant.attributes), ..attributes },
                        variant_attributes: Attrs::new(&variant.attributes, Place::Catalog(PRODUCT_FIELDS)),
                    };
                    let body = bytes(&row, 1536)?;
                    let id = ids::variant_item_id(&product.id, &variant.id);
                    self.item(catalog, format!("variant:{id}"), id, body, &format!("/body/variants/{index}"), Some(&variant.id));
                }
                if product.variants.is_empty() {
                    self.skip(SkipReason::NotSupported, "the product has no variant, and an item is a variant");
                }
            }
        }
        Ok(())
    }

    pub(super) fn category(&mut self, category: &'a Category) -> Result<(), Error> {
        let Some(catalog) = self.iterable.config.catalogs.categories.as_deref() else {
            self.skip(SkipReason::NotConfigured, "categories need `catalogs.categories`");
            return Ok(());
        };
        let attributes = Attrs::new(&category.attributes, Place::Catalog(CATEGORY_FIELDS));
        attributes.report("/body/attributes", &mut self.built.findings);
        let above = category.ancestors.last().map(|ancestor| ancestor.path.join(" > "));
        let row = CategoryDocument {
            category_id: &category.id,
            category_key: category.key.as_deref(),
            name: category.name.as_deref(),
            description: category.description.as_deref(),
            slug: category.slug.as_deref(),
            url: category.url.as_deref(),
            parent_id: category.parent_id.as_deref(),
            ancestor_ids: some(category.ancestors.iter().map(|ancestor| ancestor.id.as_str())),
            path: match (above, category.name.as_deref()) {
                (Some(above), Some(name)) if !above.is_empty() => Some(format!("{above} > {name}").into()),
                (None, Some(name)) => Some(name.into()),
                _ => None,
            },
            order_hint: category.order_hint.as_deref(),
            created_at: category.created_at.map(Stamp),
            attributes,
        };
        let body = bytes(&row, 768)?;
        self.item(catalog, format!("category:{}", category.id), ids::encode(&category.id).into_owned(), body, "/body", None);
        Ok(())
    }

    fn item(&mut self, catalog: &str, entity: String, id: String, body: Vec<u8>, pointer: &str, part: Option<&str>) {
        if !ids::is_catalog_name(&id) {
            self.refuse(&format!("{pointer}/id"), "an item id has 1 to 255 letters, digits and hyphens once encoded");
            return;
        }
        if body.len() > endpoints::MAX_ITEM_BYTES as usize {
            let message =
                format!("a catalog item is below 30 KB, this one has {} bytes; the `variant` layout makes smaller ones", body.len());
            self.refuse(pointer, message);
            return;
        }
        let replace = self.iterable.config.catalog_write == CatalogWrite::Replace;
        let endpoint = if replace { endpoints::CATALOG_REPLACE } else { endpoints::CATALOG_PATCH };
        let mut operation = self.operation(endpoint, entity, format!("catalog:{catalog}:{id}"), body);
        if !replace {
            operation.delta = Some("".into());
        }
        self.place(&mut operation, catalog, id, part);
        self.built.operations.push(operation);
    }

    pub(super) fn product_deleted(&mut self, deleted: &ProductDeleted) -> Result<(), Error> {
        let catalog = self.iterable.config.catalogs.products.as_deref();
        if self.iterable.config.catalog_layout == CatalogLayout::Product || catalog.is_none() {
            return self.delete_item(catalog, "product", format!("product:{}", deleted.id), &deleted.id);
        }
        let mut known = deleted.variants.iter().filter_map(|variant| variant.id.as_deref()).peekable();
        if known.peek().is_none() {
            self.skip(SkipReason::NotSupported, "the source does not tell which variants went with the product; their items stay");
        }
        for variant in known {
            let id = ids::variant_item_id(&deleted.id, variant);
            self.delete(catalog.unwrap_or_default(), format!("variant:{id}"), id, Some(variant))?;
        }
        Ok(())
    }

    pub(super) fn delete_item(&mut self, catalog: Option<&str>, kind: &str, entity: String, id: &str) -> Result<(), Error> {
        let Some(catalog) = catalog else {
            let setting = if kind == "product" { "products need `catalogs.products`" } else { "categories need `catalogs.categories`" };
            self.skip(SkipReason::NotConfigured, setting);
            return Ok(());
        };
        self.delete(catalog, entity, ids::encode(id).into_owned(), None)
    }

    fn delete(&mut self, catalog: &str, entity: String, id: String, part: Option<&str>) -> Result<(), Error> {
        if !ids::is_catalog_name(&id) {
            self.refuse("/body/id", "an item id has 1 to 255 letters, digits and hyphens once encoded");
            return Ok(());
        }
        let body = bytes(&id, id.len() + 2)?;
        let mut operation = self.operation(endpoints::CATALOG_DELETE, entity.clone(), format!("catalog:{catalog}:{id}"), body);
        operation.supersedes = vec![entity];
        self.place(&mut operation, catalog, id, part);
        self.built.operations.push(operation);
        Ok(())
    }

    fn place(&self, operation: &mut Operation, catalog: &str, id: String, part: Option<&str>) {
        operation.group = catalog.to_owned();
        operation.params = BTreeMap::from([("catalog".to_owned(), catalog.to_owned()), ("id".to_owned(), id)]);
        if let Some(part) = part {
            operation.idempotency_key = IdempotencyKey::new(format!("{}:{part}", self.envelope.idempotency_key));
        }
    }
}

fn variant_fields(variant: &Variant) -> VariantFields<'_> {
    let price = variant.price.as_ref();
    let stock = variant.stock.as_ref();
    VariantFields {
        variant_id: Some(&variant.id),
        variant_key: variant.key.as_deref(),
        sku: variant.sku.as_deref(),
        price: price.map(|price| JsonNumber(price.current().amount)),
        list_price: price.map(|price| JsonNumber(price.list.amount)),
        on_sale: price.map(|price| price.sale.is_some()),
        currency: price.map(|price| price.list.currency.as_str().into()),
        // Stock that nobody tracks can be bought.
        in_stock: stock.map_or(Some(true), |stock| stock.in_stock),
        stock: stock.and_then(|stock| stock.quantity),
        restock_days: stock.and_then(|stock| stock.restock_days),
        image_url: variant.images.first().map(|image| image.url.as_str()),
        image_urls: some(variant.images.iter().map(|image| image.url.as_str())),
    }
}
