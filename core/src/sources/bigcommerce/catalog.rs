//! Products with their variants, prices and stock; categories. <https://developer.bigcommerce.com/docs/rest-catalog>

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::map::{About, Row, exact, fill, owned, version_of, version_text};
use super::orders::fallback_sku;
use super::people::add_metafields;
use super::values::{Fields, Place, not_of_type, typed};
use super::wire::catalog::{
    Category as WireCategory, Composed, InventoryItem, PriceRecord, Product as WireProduct, Variant as WireVariant,
};
use super::wire::{Dec, List};
use crate::model::{
    Attributes, Body, Category, CategoryRef, Currency, Finding, FindingCode, Identity, Image, Money, Price, PriceTier, Product, Stock,
    Variant,
};
use crate::normalize::text::filled;
use crate::sources::rows::Failure;

/// What stands beside a product.
#[derive(Default)]
struct Beside<'p, 'w> {
    composed: Option<&'p Composed<'w>>,
}

impl<'w> Beside<'_, 'w> {
    fn prices(&self) -> impl Iterator<Item = &PriceRecord<'w>> {
        self.composed.into_iter().flat_map(|one| &one.prices)
    }

    fn inventory(&self) -> impl Iterator<Item = &InventoryItem<'w>> {
        self.composed.into_iter().flat_map(|one| &one.inventory)
    }
}

impl Row<'_, '_> {
    pub(super) fn composed_product(&mut self, composed: &Composed<'_>, raw: &str) -> Result<(), Failure> {
        self.prefix = "/product";
        self.catalogue(&composed.product, raw, &Beside { composed: Some(composed) })
    }

    pub(super) fn product(&mut self, product: &WireProduct<'_>, raw: &str) -> Result<(), Failure> {
        self.catalogue(product, raw, &Beside::default())
    }

    fn catalogue(&mut self, product: &WireProduct<'_>, raw: &str, beside: &Beside<'_, '_>) -> Result<(), Failure> {
        let Some(id) = product.id.id() else { return Err(self.missing("id")) };
        let config = &self.compiled.config;
        let mut findings = Vec::new();
        let market = self.configured_market();
        let variants = beside.composed.map(|one| &one.variants).filter(|list| list.is_known()).unwrap_or(&product.variants);
        // A simple product names its only variant; one with real variants is nothing without them.
        let base = match (variants.is_known(), product.base_variant_id.id()) {
            (true, _) => None,
            (false, Some(_)) => Some(WireVariant {
                id: product.base_variant_id.clone(),
                sku: product.sku.clone(),
                inventory_level: product.inventory_level,
                ..WireVariant::default()
            }),
            (false, None) => {
                self.fetch("product", id, "product without its variants");
                return Ok(());
            }
        };
        if config.currency.is_none() && product.price.0.is_some() {
            let message = "the catalogue does not say its currency; without the setting `currency` prices are left out";
            findings.push(Finding::new(FindingCode::DocumentIncomplete, self.pointer("/price"), message));
        }
        let path = product.custom_url.0.as_ref().map(|one| &*one.url.0);
        let slug = path.map(|path| path.trim_matches('/')).filter(|slug| !slug.is_empty());
        let url = match &self.compiled.product_url {
            Some(_) => fill(self.compiled.product_url.as_ref(), &market, |place| match place {
                "slug" => slug,
                "sku" => filled(&product.sku),
                "id" => Some(id),
                _ => None,
            }),
            None => path.and_then(|path| self.on_site(path)),
        };
        let mut fields = Fields::default();
        for (index, field) in product.custom_fields.iter().enumerate() {
            fields.add(Place::Attribute, &field.name, field.value, self.pointer(&format!("/custom_fields/{index}/value")));
        }
        add_metafields(&mut fields, beside.composed.map(|one| &one.metafields));
        let mut attributes = Attributes::new();
        fields.map(&config.attributes, &mut attributes, &mut findings);
        let brand = beside.composed.and_then(|one| owned(&one.brand.0.as_ref()?.name));
        let count = product.reviews_count.whole().filter(|count| *count > 0);
        let average = count.and_then(|count| product.reviews_rating_sum.0?.checked_div(Decimal::from(count)));
        let read: Vec<Variant> = variants
            .iter()
            .chain(&base)
            .filter_map(|variant| self.variant(product, variant, url.as_deref(), beside, &mut findings))
            .collect();
        let sellable = product.is_visible != Some(false) && &*product.availability != "disabled";
        let body = Product {
            id: id.to_owned(),
            key: None,
            name: owned(&product.name),
            description: owned(&product.description),
            slug: slug.map(str::to_owned),
            url,
            brand: brand.or_else(|| config.brands.get(product.brand_id.id()?).cloned()),
            product_type: owned(&product.kind),
            published: sellable,
            categories: category_refs(product, beside.composed.map(|one| &one.categories)),
            variants: read,
            rating_average: average.map(|average| average.round_dp(2).normalize()),
            rating_count: count.and_then(|count| u64::try_from(count).ok()),
            created_at: product.date_created.0,
            updated_at: product.date_modified.0,
            attributes,
        };
        let changed = product.date_modified.0.or(product.date_created.0);
        let version = version_text(changed, raw);
        let about = About {
            kind: "product",
            id,
            version: version_of(product.date_modified),
            occurred_at: changed,
            market,
            identity: Identity::default(),
            fact: &["snapshot", &version],
        };
        self.emit(about, Body::Product(body), findings);
        Ok(())
    }

    fn variant(
        &self,
        product: &WireProduct<'_>,
        variant: &WireVariant<'_>,
        url: Option<&str>,
        beside: &Beside<'_, '_>,
        findings: &mut Vec<Finding>,
    ) -> Option<Variant> {
        let id = variant.id.id()?;
        let config = &self.compiled.config;
        let mut attributes = Attributes::new();
        for mapping in &config.attributes {
            let option = variant.option_values.iter().find(|option| *option.option_display_name == *mapping.field);
            let Some(label) = option.and_then(|option| filled(&option.label)) else { continue };
            match typed(label, mapping.kind) {
                Some(value) => {
                    attributes.insert(mapping.name.as_ref().unwrap_or(&mapping.field).clone(), value);
                }
                None => findings.push(not_of_type(self.pointer("/variants"))),
            }
        }
        let labels: Vec<&str> = variant.option_values.iter().filter_map(|option| filled(&option.label)).collect();
        let mut prices: Vec<Price> = self.catalogue_price(product, variant).into_iter().collect();
        let of_lists = beside.prices().filter(|record| record.variant_id.id() == Some(id));
        prices.extend(of_lists.filter_map(|record| list_price(record, &config.customer_groups)));
        let price = if product.is_price_hidden == Some(true) { None } else { self.pick(&prices).cloned() };
        let own = filled(&variant.image_url).map(|url| Image { url: url.to_owned(), label: None });
        Some(Variant {
            id: id.to_owned(),
            sku: owned(&variant.sku).or_else(|| owned(&product.sku)).or_else(|| fallback_sku(product.id.id(), Some(id))),
            key: None,
            name: (!labels.is_empty()).then(|| format!("{} {}", product.name.trim(), labels.join(" ")).trim().to_owned()),
            url: url.map(str::to_owned),
            price,
            prices: if product.is_price_hidden == Some(true) { Vec::new() } else { prices },
            stock: self.stock(product, variant, id, beside),
            images: own.into_iter().chain(images(product)).collect(),
            attributes,
        })
    }

    /// The price everyone sees: the variant's own, else the product's. Zero is how the platform writes that there is no sale.
    fn catalogue_price(&self, product: &WireProduct<'_>, variant: &WireVariant<'_>) -> Option<Price> {
        let currency = self.compiled.config.currency?;
        let inherited = variant.price.0.is_none();
        let list = variant.price.0.or(product.price.0)?;
        let sale = if inherited { variant.sale_price.0.or(product.sale_price.0) } else { variant.sale_price.0 };
        let sale = sale.filter(|sale| *sale > Decimal::ZERO && *sale < list);
        Some(Price {
            list: exact(list, currency),
            sale: sale.map(|sale| exact(sale, currency)),
            country: None,
            channel: None,
            customer_group: None,
            valid_from: None,
            valid_until: None,
            tiers: Vec::new(),
        })
    }

    /// The price for the configured market. Price lists come before the catalogue, and of them the one for channel and group,
    /// then for the group, then for the channel; a price for others is never picked.
    fn pick<'p>(&self, prices: &'p [Price]) -> Option<&'p Price> {
        let config = &self.compiled.config;
        let currency = config.currency?;
        let group = config.customer_group.as_ref().map(|id| config.customer_groups.get(id).unwrap_or(id));
        let fits = |price: &&Price| {
            price.list.currency == currency
                && price.channel.as_ref().is_none_or(|channel| Some(channel) == config.channel.as_ref())
                && price.customer_group.as_ref().is_none_or(|own| Some(own) == group)
        };
        prices.iter().rev().filter(fits).max_by_key(|price| (price.customer_group.is_some(), price.channel.is_some()))
    }

    fn stock(&self, product: &WireProduct<'_>, variant: &WireVariant<'_>, id: &str, beside: &Beside<'_, '_>) -> Option<Stock> {
        let closed = variant.purchasing_disabled == Some(true) || &*product.availability == "disabled";
        let locations = &self.compiled.config.locations;
        let held = |item: &InventoryItem<'_>| {
            let counts = item.locations.iter().filter(|one| {
                let listed = |id: &str| locations.iter().any(|wanted| wanted == id);
                one.location_enabled != Some(false) && (locations.is_empty() || listed(&one.location_id) || listed(&one.location_code))
            });
            counts.filter_map(|one| one.available_to_sell.whole()).fold(0_i64, i64::saturating_add)
        };
        let level = match &*product.inventory_tracking {
            // A level nobody keeps says nothing.
            "none" | "" => None,
            "product" => product.inventory_level.whole(),
            _ => beside
                .inventory()
                .find(|item| item.identity.variant_id.id() == Some(id))
                .map(held)
                .or_else(|| variant.inventory_level.whole()),
        };
        match level {
            Some(level) => Some(Stock { in_stock: Some(level > 0 && !closed), quantity: Some(level), restock_days: None }),
            None if closed => Some(Stock { in_stock: Some(false), quantity: None, restock_days: None }),
            None => None,
        }
    }

    pub(super) fn category(&mut self, category: &WireCategory<'_>, raw: &str) -> Result<(), Failure> {
        self.category_below(category, &[], raw, 0)
    }

    /// A category of a nested tree brings those below it.
    fn category_below(&mut self, category: &WireCategory<'_>, above: &[CategoryRef], raw: &str, depth: usize) -> Result<(), Failure> {
        let Some(id) = category.any_id() else { return Err(self.missing("id")) };
        let market = self.configured_market();
        let path = category.custom_url.0.as_ref().map_or(&*category.url.0.0, |one| &*one.url.0);
        let slug = filled(path.trim_matches('/'));
        let url = match &self.compiled.category_url {
            Some(_) => fill(self.compiled.category_url.as_ref(), &market, |place| match place {
                "slug" => slug,
                "id" => Some(id),
                _ => None,
            }),
            None => self.on_site(path),
        };
        let body = Category {
            id: id.to_owned(),
            key: None,
            name: owned(&category.name),
            description: owned(&category.description),
            slug: slug.map(str::to_owned),
            url,
            parent_id: category.parent_id.id().map(str::to_owned),
            ancestors: above.to_vec(),
            order_hint: owned(&category.sort_order),
            created_at: None,
            updated_at: None,
            attributes: Attributes::new(),
        };
        let own = format!("{raw}#{id}");
        let version = version_text(None, &own);
        let about = About {
            kind: "category",
            id,
            version: None,
            occurred_at: None,
            market,
            identity: Identity::default(),
            fact: &["snapshot", &version],
        };
        let mut path: Vec<String> = above.last().map(|one| one.path.clone()).unwrap_or_default();
        path.extend(body.name.clone());
        let here = CategoryRef { id: id.to_owned(), path };
        self.emit(about, Body::Category(body), Vec::new());
        // Deeper than any shop, so that a tree cannot exhaust the stack.
        if depth < 64 {
            let above: Vec<CategoryRef> = above.iter().cloned().chain([here]).collect();
            for child in &category.children {
                self.category_below(child, &above, raw, depth + 1)?;
            }
        }
        Ok(())
    }
}

fn images(product: &WireProduct<'_>) -> Vec<Image> {
    let mut images: Vec<_> = product.images.iter().collect();
    images.sort_by_key(|image| (image.is_thumbnail != Some(true), image.sort_order.whole().unwrap_or(i64::MAX)));
    if images.is_empty() {
        images.extend(product.primary_image.0.as_ref());
    }
    let read = images.into_iter().filter_map(|image| {
        let url = owned(&image.url_standard).or_else(|| owned(&image.url_zoom))?;
        Some(Image { url, label: owned(&image.description) })
    });
    read.collect()
}

/// A record of a price list; prices for larger quantities that are not amounts are worked out of its price.
fn list_price(record: &PriceRecord<'_>, groups: &BTreeMap<String, String>) -> Option<Price> {
    // Whom a list is for stands in its assignment; without one it is for nobody in particular and must not be shown.
    if record.customer_group_id.id().is_none() && record.channel_id.id().is_none() {
        return None;
    }
    let currency = Currency::parse(filled(&record.currency)?).ok()?;
    let list = record.price.0?;
    let sale = record.sale_price.0.filter(|sale| *sale > Decimal::ZERO && *sale < list);
    let now = sale.unwrap_or(list);
    let tier = |kind: &str, amount: Dec| -> Option<Money> {
        let amount = amount.0?;
        let price = match kind {
            "price" => now.checked_sub(amount)?,
            "percent" => now.checked_sub(now.checked_mul(amount)?.checked_div(Decimal::ONE_HUNDRED)?)?,
            "fixed" => amount,
            _ => return None,
        };
        Some(exact(price.round_dp(6), currency))
    };
    let tiers = record
        .bulk_pricing_tiers
        .iter()
        .filter_map(|row| Some(PriceTier { minimum_quantity: row.quantity_min.whole()?, price: tier(&row.kind, row.amount)? }));
    Some(Price {
        list: exact(list, currency),
        sale: sale.map(|sale| exact(sale, currency)),
        country: None,
        channel: record.channel_id.id().map(str::to_owned),
        customer_group: record.customer_group_id.id().map(|id| groups.get(id).cloned().unwrap_or_else(|| id.to_owned())),
        valid_from: None,
        valid_until: None,
        tiers: tiers.collect(),
    })
}

/// The product's categories, with names where they came along; the longest path first, the merchant's order among equals.
fn category_refs(product: &WireProduct<'_>, known: Option<&List<WireCategory<'_>>>) -> Vec<CategoryRef> {
    let find = |id: &str| known?.iter().find(|one| one.any_id() == Some(id));
    let path_of = |id: &str| {
        let (mut path, mut next) = (Vec::new(), Some(id));
        while let Some(id) = next {
            // A name missing in between leaves no path at all; a circle ends.
            let Some(category) = find(id).filter(|_| path.len() < 64) else { return Vec::new() };
            let Some(name) = owned(&category.name) else { return Vec::new() };
            path.push(name);
            next = category.parent_id.id();
        }
        path.reverse();
        path
    };
    let mut refs: Vec<CategoryRef> =
        product.categories.iter().filter_map(|id| id.id()).map(|id| CategoryRef { id: id.to_owned(), path: path_of(id) }).collect();
    refs.sort_by_key(|one| std::cmp::Reverse(one.path.len()));
    refs
}
