//! Products and categories.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::super::capabilities as endpoints;
use super::super::ids;
use super::super::payload::{
    Attrs, CategoryRow, ProductProperties, ProductRow, Sale, Stamp, VariantPrice, VariantRow, bytes, filled, some,
};
use super::Builder;

use crate::error::Error;
use crate::model::money::JsonNumber;
use crate::model::{Category, CategoryDeleted, Product, ProductDeleted, SkipReason, Variant};

#[rustfmt::skip]
const PRODUCT_PROPERTIES: &[&str] = &[
    "product_key", "product_type", "slug", "currency", "locale", "country", "category_path", "category_ids", "rating_average",
    "rating_count", "prices",
];

const CATEGORY_FIELDS: &[&str] =
    &["id", "key", "name", "description", "slug", "url", "parent_id", "path", "order_hint", "suppressTriggers", "email", "cID"];

impl<'a> Builder<'a> {
    pub(super) fn product(&mut self, product: &'a Product) -> Result<(), Error> {
        let config = &self.cordial.config;
        let attributes = Attrs::new(&product.attributes, PRODUCT_PROPERTIES);
        attributes.report("/body/attributes", &mut self.built.findings);
        for (index, variant) in product.variants.iter().enumerate() {
            if !variant.attributes.is_empty() {
                Attrs::new(&variant.attributes, &[]).report(&format!("/body/variants/{index}/attributes"), &mut self.built.findings);
            }
        }
        let lead = product.variants.first();
        let price = lead.and_then(|variant| variant.price.as_ref());
        let market = &self.envelope.market;
        let own_id = self.id(&product.id);
        let row = ProductRow {
            product_id: &own_id,
            product_name: product.name.as_deref().or(product.key.as_deref()).unwrap_or(&product.id),
            category: self.category_name(&product.categories),
            images: lead.map(|variant| variant.images.iter().map(|image| image.url.as_str()).collect()).unwrap_or_default(),
            tags: [],
            enabled: product.published,
            // Stock that nobody tracks can be bought.
            in_stock: product.variants.iter().any(|variant| variant.stock.as_ref().is_none_or(|stock| stock.in_stock != Some(false))),
            variants: product
                .variants
                .iter()
                .map(|variant| VariantRow {
                    sku: sku(product, variant),
                    attr: Attrs::new(&variant.attributes, &[]),
                    qty: variant.stock.as_ref().and_then(|stock| stock.quantity),
                })
                .collect(),
            properties: ProductProperties {
                attributes,
                product_key: product.key.as_deref(),
                product_type: product.product_type.as_deref(),
                slug: product.slug.as_deref(),
                currency: price.map(|price| price.list.currency.as_str()),
                locale: market.locale.as_deref(),
                country: market.country.as_deref(),
                category_path: product.categories.first().and_then(|category| filled(&category.path)),
                category_ids: some(product.categories.iter().map(|category| category.id.as_str())),
                rating_average: product.rating_average.map(JsonNumber),
                rating_count: product.rating_count,
                prices: some(product.variants.iter().flat_map(|variant| prices(product, variant))),
            },
            description: product.description.as_deref(),
            url: product.url.as_deref(),
            price: price.map(|price| JsonNumber(price.list.amount)),
            // Said also when there is none: a reduction that ended must not stay.
            sale: price.map(|price| Sale {
                enabled: price.sale.is_some(),
                price: price.sale.map(|sale| JsonNumber(sale.amount)),
                start: price.sale.and(price.valid_from).map(Stamp),
                end: price.sale.and(price.valid_until).map(Stamp),
            }),
            manufacturer_name: product.brand.as_deref(),
        };
        let body = bytes(&row, 768 + 384 * product.variants.len())?;
        let file = self.is_backfill() && config.imports.is_some();
        let endpoint = if file { endpoints::FILE_PRODUCTS } else { endpoints::PRODUCT };
        let operation = self.operation(endpoint, format!("product:{}", product.id), format!("product:{}", product.id), body);
        self.built.operations.push(operation);
        Ok(())
    }

    pub(super) fn product_deleted(&mut self, deleted: &'a ProductDeleted) -> Result<(), Error> {
        let entity = format!("product:{}", deleted.id);
        let mut operation = self.operation(endpoints::PRODUCT_DELETE, entity.clone(), entity.clone(), b"null".to_vec());
        operation.params = BTreeMap::from([("productID".to_owned(), self.id(&deleted.id).into_owned())]);
        operation.supersedes = vec![entity];
        self.built.operations.push(operation);
        Ok(())
    }

    pub(super) fn category(&mut self, category: &'a Category) -> Result<(), Error> {
        let config = &self.cordial.config;
        let Some(supplement) = config.supplements.categories.as_deref() else {
            self.skip(SkipReason::NotConfigured, "categories need `supplements.categories`; products carry their category's name");
            return Ok(());
        };
        let attributes = Attrs::new(&category.attributes, CATEGORY_FIELDS);
        attributes.report("/body/attributes", &mut self.built.findings);
        let own_id = ids::record_id(&config.id_prefix, &category.id);
        let row = CategoryRow {
            id: &own_id,
            attributes,
            suppress_triggers: self.is_backfill() || !config.triggers.supplements,
            key: category.key.as_deref(),
            name: category.name.as_deref(),
            description: category.description.as_deref(),
            slug: category.slug.as_deref(),
            url: category.url.as_deref(),
            parent_id: category.parent_id.as_deref(),
            path: category.ancestors.last().and_then(|ancestor| filled(&ancestor.path)),
            order_hint: category.order_hint.as_deref(),
        };
        let body = bytes(&row, 384)?;
        let entity = format!("category:{}", category.id);
        self.place_record(supplement, entity.clone(), entity, "category", body);
        Ok(())
    }

    pub(super) fn category_deleted(&mut self, deleted: &'a CategoryDeleted) -> Result<(), Error> {
        let config = &self.cordial.config;
        let Some(supplement) = config.supplements.categories.as_deref() else {
            self.skip(SkipReason::NotConfigured, "categories need `supplements.categories`; products carry their category's name");
            return Ok(());
        };
        let entity = format!("category:{}", deleted.id);
        let mut operation = self.operation(endpoints::RECORD_DELETE, entity.clone(), entity.clone(), b"null".to_vec());
        operation.params = BTreeMap::from([
            ("supplement".to_owned(), supplement.to_owned()),
            ("id".to_owned(), ids::record_id(&config.id_prefix, &deleted.id)),
        ]);
        operation.supersedes = vec![entity];
        self.built.operations.push(operation);
        Ok(())
    }
}

fn sku<'a>(product: &'a Product, variant: &'a Variant) -> Cow<'a, str> {
    variant.sku.as_deref().map_or_else(|| format!("{}-{}", product.id, variant.id).into(), Cow::Borrowed)
}

/// The prices of a variant: every one the source told, else the one picked for the market. Cordial has room for one per product
/// and for no currency.
fn prices<'a>(product: &'a Product, variant: &'a Variant) -> impl Iterator<Item = VariantPrice<'a>> {
    let own = variant.price.as_slice();
    let all = if variant.prices.is_empty() { own } else { &variant.prices };
    all.iter().map(|price| VariantPrice {
        sku: sku(product, variant),
        price: JsonNumber(price.list.amount),
        currency: price.list.currency.as_str(),
        sale_price: price.sale.map(|sale| JsonNumber(sale.amount)),
        country: price.country.as_deref(),
        channel: price.channel.as_deref(),
        customer_group: price.customer_group.as_deref(),
        valid_from: price.valid_from.map(Stamp),
        valid_until: price.valid_until.map(Stamp),
    })
}
