//! Products: one record per item and locale.

use std::collections::BTreeSet;

use rust_decimal::Decimal;

use super::super::capabilities::{self as endpoints, longest};
use super::super::config::{Backfilled, CatalogWrite, ItemId};
use super::super::ids;
use super::super::payload::{Object, is_longer, shortened};
use super::Builder;

use crate::error::Error;
use crate::model::money::JsonNumber;
use crate::model::{AttributeValue, IdempotencyKey, Price, Product, ProductDeleted, SkipReason, Variant};

impl<'a> Builder<'a> {
    pub(super) fn product(&mut self, product: &'a Product) -> Result<(), Error> {
        if !self.catalog_is_on() {
            return Ok(());
        }
        let Some(locale) = self.catalog_locale() else {
            self.skip(SkipReason::NotConfigured, "the record's locale has no region; name it in `catalog.locales`");
            return Ok(());
        };
        if product.variants.is_empty() {
            self.skip(SkipReason::NotSupported, "the product has no variant, and an item is a variant");
        }
        let config = &self.insider.config;
        let mut seen = BTreeSet::new();
        for (index, variant) in product.variants.iter().enumerate() {
            let Some(id) = ids::item_id(config, Some(&product.id), Some(&variant.id), variant.sku.as_deref()) else { continue };
            if !seen.insert(id.clone().into_owned()) {
                if config.item_id != ItemId::Product {
                    self.dropped(format!("/body/variants/{index}"), "another variant has the same item id");
                }
                continue;
            }
            let pointer = format!("/body/variants/{index}");
            if is_longer(&id, longest::ITEM_ID) || matches!(id.as_ref(), "undefined" | "unknown" | "null" | "") {
                self.skip(
                    SkipReason::NotSupported,
                    format!("variant {} has an item id of more than 128 characters, or a word that a missing id turns into", variant.id),
                );
                continue;
            }
            let lead = product.variants.first().and_then(|lead| lead.images.first());
            let url = variant.url.as_deref().or(product.url.as_deref()).filter(|url| is_link(url));
            let image = variant.images.first().or(lead).map(|image| image.url.as_str()).filter(|url| is_link(url));
            let name = variant.name.as_deref().or(product.name.as_deref()).filter(|name| !name.trim().is_empty());
            if config.catalog.write == CatalogWrite::Ingest && (url.is_none() || image.is_none() || name.is_none()) {
                self.skip(
                    SkipReason::NotSupported,
                    format!("variant {} has no name, page or image in this locale, and Insider takes no item without", variant.id),
                );
                continue;
            }
            let fields = self.fields(product, variant, (name, url, image), &pointer)?;
            self.item(&locale, &id, &variant.id, fields)?;
        }
        Ok(())
    }

    fn fields(
        &mut self,
        product: &'a Product,
        variant: &'a Variant,
        (name, url, image): (Option<&'a str>, Option<&'a str>, Option<&'a str>),
        pointer: &str,
    ) -> Result<Object, Error> {
        let config = &self.insider.config;
        let mut fields = Object::new(768);
        fields.text("name", name.map(|name| shortened(name, longest::TEXT)))?;
        fields.text("url", url)?;
        fields.text("image_url", image)?;
        if let Some(description) = product.description.as_deref() {
            if is_longer(description, longest::DESCRIPTION) {
                self.dropped("/body/description", "a description has at most 1,024 characters; the rest is left out");
            }
            fields.text("description", Some(shortened(description, longest::DESCRIPTION)))?;
        }
        fields.text("brand", product.brand.as_deref().map(|brand| shortened(brand, longest::TEXT)))?;
        fields.text("sku", variant.sku.as_deref().filter(|sku| !is_longer(sku, longest::TEXT)))?;
        fields.text("groupcode", Some(product.id.as_str()))?;
        let settings = &config.catalog;
        let named = |name: &Option<String>, usual: &'static str| name.clone().unwrap_or_else(|| usual.to_owned());
        for (key, attribute) in [
            ("color", named(&settings.color, "color")),
            ("size", named(&settings.size, "size")),
            ("gender", named(&settings.gender, "gender")),
        ] {
            let value = variant.attributes.get(&attribute).or_else(|| product.attributes.get(&attribute));
            if let Some(AttributeValue::Text(text)) = value {
                fields.text(key, Some(shortened(text, longest::TEXT)))?;
            }
        }
        let categories = ids::categories(config, &product.categories);
        let length: usize = categories.iter().map(|name| name.chars().count()).sum();
        if length > longest::CATEGORIES || categories.iter().any(|name| is_longer(name, longest::TEXT)) {
            self.dropped("/body/categories", "categories have at most 1,024 characters together");
        } else {
            fields.list("category", &categories)?;
        }
        // What is sold by nobody must show nowhere.
        fields.put("is_status_passive", &u8::from(!product.published))?;
        if let Some(rating) =
            product.rating_average.filter(|rating| (Decimal::ZERO..=Decimal::from(endpoints::MAX_RATING)).contains(rating))
        {
            fields.put("rating", &JsonNumber(rating))?;
        }
        fields.nested("prices", self.prices(variant)?)?;
        let mut stock = Object::new(48);
        // Stock that nobody tracks can be bought.
        let in_stock =
            variant.stock.as_ref().is_none_or(|stock| stock.in_stock.unwrap_or_else(|| stock.quantity.is_none_or(|left| left > 0)));
        stock.put("in_stock", &u8::from(in_stock))?;
        stock.maybe("stock_count", variant.stock.as_ref().and_then(|stock| stock.quantity).map(|left| left.max(0)))?;
        fields.nested("stock", stock)?;
        let mut own = Object::new(128);
        for name in &settings.attributes {
            let value = variant.attributes.get(name).or_else(|| product.attributes.get(name));
            let Some(value) = value else { continue };
            if !attribute(&mut own, name, value)? {
                self.dropped(format!("{pointer}/attributes/{name}"), "a product attribute is a text, number, truth value or list of texts");
            }
        }
        fields.nested("product_attributes", own)?;
        Ok(fields)
    }

    /// Both prices or none: an update refuses one alone.
    fn prices(&self, variant: &Variant) -> Result<Object, Error> {
        let (mut now, mut list) = (Object::new(32), Object::new(32));
        let mut told = Vec::new();
        let mut add = |price: &Price| -> Result<(), Error> {
            let currency = price.list.currency;
            if !told.contains(&currency) && price.list.amount >= Decimal::ZERO && price.current().amount >= Decimal::ZERO {
                told.push(currency);
                now.put(currency.as_str(), &JsonNumber(price.current().amount))?;
                list.put(currency.as_str(), &JsonNumber(price.list.amount))?;
            }
            Ok(())
        };
        variant.price.iter().try_for_each(&mut add)?;
        for wanted in &self.insider.config.catalog.currencies {
            let everyone = |price: &&Price| {
                price.list.currency.as_str().eq_ignore_ascii_case(wanted)
                    && price.customer_group.is_none()
                    && price.channel.is_none()
                    && price.valid_from.is_none()
                    && price.valid_until.is_none()
            };
            variant.prices.iter().find(everyone).map_or(Ok(()), &mut add)?;
        }
        let mut prices = Object::new(96);
        if !told.is_empty() {
            prices.raw("price", &now.finish())?;
            prices.raw("original_price", &list.finish())?;
        }
        Ok(prices)
    }

    fn item(&mut self, locale: &str, id: &str, part: &str, fields: Object) -> Result<(), Error> {
        let whole = self.insider.config.catalog.write == CatalogWrite::Ingest;
        let mut operation = {
            let body = row(locale, id, fields)?;
            let endpoint = if whole { endpoints::INGEST } else { endpoints::UPDATE };
            self.operation(endpoint, format!("item:{locale}:{id}"), format!("catalog:{id}"), body)
        };
        if !whole {
            operation.delta = Some("/fields".into());
        }
        // A request holds one locale: refused items are named without theirs.
        operation.group = locale.to_owned();
        operation.idempotency_key = IdempotencyKey::new(format!("{}:{locale}:{part}", self.envelope.idempotency_key));
        self.built.operations.push(operation);
        Ok(())
    }

    pub(super) fn product_deleted(&mut self, deleted: &'a ProductDeleted) -> Result<(), Error> {
        if !self.catalog_is_on() {
            return Ok(());
        }
        let config = &self.insider.config;
        let mut gone: Vec<String> = Vec::new();
        if config.item_id == ItemId::Product {
            gone.push(deleted.id.clone());
        }
        for variant in deleted.variants.iter().filter(|_| config.item_id != ItemId::Product) {
            let known = variant.id.is_some() || (config.item_id == ItemId::Sku && variant.sku.is_some());
            let id = ids::item_id(config, Some(&deleted.id), variant.id.as_deref(), variant.sku.as_deref());
            gone.extend(id.filter(|_| known).map(std::borrow::Cow::into_owned));
        }
        if gone.is_empty() {
            self.skip(SkipReason::NotSupported, "the source does not tell which variants went with the product; their items stay");
            return Ok(());
        }
        let locales: BTreeSet<String> = config.catalog.locales.values().cloned().chain(self.catalog_locale()).collect();
        if locales.is_empty() {
            self.skip(SkipReason::NotConfigured, "no locale is known to hide the items in; name them in `catalog.locales`");
            return Ok(());
        }
        for (locale, id) in locales.iter().flat_map(|locale| gone.iter().map(move |id| (locale, id))) {
            let mut fields = Object::new(64);
            fields.put("in_stock", &0)?;
            fields.put("stock_count", &0)?;
            fields.put("is_status_passive", &1)?;
            let entity = format!("item:{locale}:{id}");
            let mut operation = self.operation(endpoints::UPDATE, entity.clone(), format!("catalog:{id}"), row(locale, id, fields)?);
            operation.supersedes = vec![entity];
            // Apart from changes: that an item is gone already is no failure here.
            operation.group = format!("{locale} gone");
            operation.idempotency_key = IdempotencyKey::new(format!("{}:{locale}:{id}", self.envelope.idempotency_key));
            self.built.operations.push(operation);
        }
        Ok(())
    }

    fn catalog_is_on(&mut self) -> bool {
        let config = &self.insider.config;
        if config.catalog_token.is_none() {
            self.skip(SkipReason::NotConfigured, "products need `catalog_token`");
            return false;
        }
        if self.backfill() && config.backfill_catalog == Backfilled::Withhold {
            self.skip(
                SkipReason::BackfillQuiet,
                "a change of the catalog can start journeys on price drop and stock; send products live, or see `backfill_catalog`",
            );
            return false;
        }
        true
    }

    /// The locale of the record as the catalog names it, with the store where that is asked for.
    fn catalog_locale(&self) -> Option<String> {
        let catalog = &self.insider.config.catalog;
        let market = &self.envelope.market;
        let own = market.locale.as_deref()?;
        let locale = catalog.locales.get(own).cloned().or_else(|| ids::locale(own))?;
        let locale = match market.store.as_deref().filter(|_| catalog.stores) {
            Some(store) => format!("{locale}:{store}"),
            None => locale,
        };
        (!is_longer(&locale, longest::LOCALE)).then_some(locale)
    }
}

/// Prices and stock stand in members of their own: each is compared and sent as a whole.
fn row(locale: &str, id: &str, fields: Object) -> Result<Vec<u8>, Error> {
    let mut row = Object::new(1024);
    row.put("item_id", id)?;
    row.put("locale", locale)?;
    row.raw("fields", &fields.finish())?;
    Ok(row.finish())
}

fn is_link(url: &str) -> bool {
    (url.starts_with("https://") || url.starts_with("http://")) && !is_longer(url, longest::TEXT)
}

/// Writes a product attribute; whether it has a form the catalog takes.
fn attribute(out: &mut Object, name: &str, value: &AttributeValue) -> Result<bool, Error> {
    match value {
        AttributeValue::Text(text) if !is_longer(text, longest::TEXT) => out.text(name, Some(text))?,
        AttributeValue::Boolean(value) => out.put(name, value)?,
        AttributeValue::Integer(value) => out.put(name, value)?,
        AttributeValue::Decimal(value) => out.put(name, &JsonNumber(*value))?,
        AttributeValue::Money(value) => out.put(name, &JsonNumber(value.amount))?,
        AttributeValue::Date(value) => out.put(name, value)?,
        AttributeValue::List(values) => {
            let texts: Option<Vec<&str>> =
                values.iter().map(|value| if let AttributeValue::Text(text) = value { Some(text.as_str()) } else { None }).collect();
            match texts {
                Some(texts) if texts.iter().map(|text| text.chars().count()).sum::<usize>() <= longest::LIST => out.list(name, &texts)?,
                _ => return Ok(false),
            }
        }
        _ => return Ok(false),
    }
    Ok(true)
}
