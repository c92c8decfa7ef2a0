//! Wire to canonical: what all resources share, then contacts, the catalogue and refunds. Carts and orders are in
//! `orders`.

use serde_json::value::RawValue;

use super::config::{Compiled, ConsentPlace};
use super::consent::consents;
use super::values::{Fields, decimal};
use super::wire::{self, Localized, Stamp, Text};
use crate::fingerprint::idempotency_key;
use crate::model::{
    Address, Attributes, Body, Category, CategoryRef, Contact, CorrelationId, Envelope, Finding, FindingCode, Identity, Image, Instant,
    Market, Mode, Price, PriceTier, Product, Record, Refund, ResourceRef, Stock, Variant,
};
use crate::normalize::contact::{email, phone};
use crate::normalize::line_items::Overflow;
use crate::normalize::text::{Template, filled, language_of, pick};
use crate::normalize::time::parse_date;
use crate::sources::{DecodeContext, Decoded, DecodedRecord};

/// Why a row cannot become a record although its JSON has the right shape.
#[derive(Debug)]
pub(super) struct Fault {
    pub pointer: String,
    pub message: &'static str,
}

impl Fault {
    pub(super) fn at(pointer: impl Into<String>, message: &'static str) -> Self {
        Fault { pointer: pointer.into(), message }
    }

    /// What becomes of an overflow. The pointer is only written when there is one.
    pub(super) fn overflow(pointer: impl Fn() -> String) -> impl Fn(Overflow) -> Self {
        move |Overflow| Fault::at(pointer(), "the amounts are beyond 28 digits")
    }
}

/// One row of the input on its way to records.
pub(super) struct Row<'c, 'o> {
    pub compiled: &'c Compiled,
    pub tenant: &'c str,
    pub context: &'c DecodeContext<'c>,
    pub mode: Mode,
    pub sequence: Option<u64>,
    pub position: u64,
    /// JSON pointer of the resource within the row, empty unless a message carries it.
    pub prefix: &'static str,
    pub out: &'o mut Decoded,
}

/// What an envelope says, as far as it differs between records of one row.
pub(super) struct About<'a> {
    pub kind: &'a str,
    pub id: &'a str,
    pub version: Option<u64>,
    pub occurred_at: Option<Instant>,
    pub market: Market,
    pub identity: Identity,
    /// What happened, for the idempotency key.
    pub fact: &'a [&'a str],
}

/// A snapshot's fact is its version: the same state has one key whether pushed or polled.
pub(super) fn version_text(version: Option<u64>, changed: Option<Stamp>) -> String {
    match (version, changed) {
        (Some(version), _) => version.to_string(),
        (None, Some(Stamp(at))) => at.timestamp_millis().to_string(),
        (None, None) => String::new(),
    }
}

pub(super) fn owned(text: Option<&Text<'_>>) -> Option<String> {
    text.and_then(|text| filled(text)).map(str::to_owned)
}

pub(super) fn at(stamp: Option<Stamp>) -> Option<Instant> {
    stamp.map(|stamp| stamp.0)
}

pub(super) fn localized<'t>(texts: Option<&'t Localized<'_>>, locales: &[&str]) -> Option<&'t str> {
    texts.and_then(|texts| pick(&texts.0, locales))
}

impl<'c> Row<'c, '_> {
    pub(super) fn emit(&mut self, about: About<'_>, body: Body, findings: Vec<Finding>) {
        let mut parts = Vec::with_capacity(4 + about.fact.len());
        parts.extend(["commercetools", self.tenant, about.kind, about.id]);
        parts.extend(about.fact);
        let idempotency_key = idempotency_key(&parts);
        let correlation_id = match self.context.correlation_id {
            Some(given) => CorrelationId::new(given),
            None => CorrelationId::new(["cw-", &idempotency_key.as_str()[..16]].concat()),
        };
        let envelope = Envelope {
            source: "commercetools".to_owned(),
            tenant: self.tenant.to_owned(),
            resource: ResourceRef { kind: about.kind.to_owned(), id: about.id.to_owned() },
            version: about.version,
            sequence: self.sequence,
            occurred_at: about.occurred_at.unwrap_or(self.context.observed_at),
            observed_at: self.context.observed_at,
            market: about.market,
            identity: about.identity,
            correlation_id,
            idempotency_key,
            mode: self.mode,
        };
        self.out.records.push(DecodedRecord { position: self.position, record: Record { envelope, body }, findings });
    }

    pub(super) fn pointer(&self, rest: &str) -> String {
        [self.prefix, rest].concat()
    }

    /// The locales to try, the resource's own first.
    pub(super) fn locales<'t>(&self, own: Option<&'t str>) -> Vec<&'t str>
    where
        'c: 't,
    {
        let config = &self.compiled.config;
        let mut locales = Vec::with_capacity(2 + config.fallback_locales.len());
        locales.extend(own.filter(|own| !own.is_empty()));
        locales.extend(config.locale.as_deref());
        locales.extend(config.fallback_locales.iter().map(String::as_str));
        locales
    }

    /// The market of the configuration, for resources that have none of their own.
    fn configured_market(&self) -> Market {
        let config = &self.compiled.config;
        Market {
            store: None,
            channel: config.channel.clone(),
            country: config.country.clone(),
            locale: config.locale.clone(),
            currency: config.currency,
            customer_group: config.customer_group.clone(),
        }
    }

    /// The custom fields of what stands at `pointer` in the resource, read only where some are wanted.
    pub(super) fn custom_fields<'w>(
        &self,
        custom: Option<&wire::Custom<'w>>,
        wanted: bool,
        pointer: impl FnOnce() -> String,
    ) -> Result<Option<Fields<'w>>, Fault> {
        let Some(raw) = custom.and_then(|custom| custom.fields).filter(|_| wanted) else { return Ok(None) };
        let fields = Fields::of_custom(raw);
        fields.map(Some).ok_or_else(|| Fault::at(pointer(), "expected an object of custom fields"))
    }

    /// The attributes of a variant, read only where some are configured.
    pub(super) fn attribute_fields<'w>(&self, raw: Option<&'w RawValue>) -> Option<Fields<'w>> {
        let config = &self.compiled.config;
        let wanted = !config.attributes.is_empty() || config.brand_attribute.is_some();
        raw.filter(|_| wanted).and_then(Fields::of_attributes)
    }

    pub(super) fn brand(&self, fields: Option<&Fields<'_>>, locales: &[&str]) -> Option<String> {
        fields?.text(self.compiled.config.brand_attribute.as_deref()?, locales)
    }

    pub(super) fn contact(&mut self, customer: &wire::Customer<'_>) -> Result<(), Fault> {
        let config = &self.compiled.config;
        let locales = self.locales(customer.locale.as_deref());
        let mut findings = Vec::new();
        let wanted = !config.contact_fields.is_empty() || !config.consents.is_empty() || config.phone_field.is_some();
        let memberships = || customer.customer_group_assignments.iter().filter_map(|one| one.customer_group.as_ref());
        let in_group = |name: &str| {
            let is = |group: &wire::Reference<'_, wire::Named<'_>>| group.id.as_deref() == Some(name) || group.best() == Some(name);
            customer.customer_group.iter().chain(memberships()).any(is)
        };
        let fields = self.custom_fields(customer.custom.as_ref(), wanted, || self.pointer("/custom/fields"))?;
        let pointer = || self.pointer("/custom/fields");
        let mut attributes = Attributes::new();
        if let Some(fields) = &fields {
            fields.map(&config.contact_fields, &locales, &pointer, &mut attributes, &mut findings);
        }
        let consent = match config.consents.is_empty() {
            true => Vec::new(),
            false => consents(&config.consents, ConsentPlace::Customer, fields.as_ref(), &in_group, &pointer(), &mut findings),
        };
        let mut addresses: Vec<Address> = customer.addresses.iter().map(address).collect();
        for (address, wire) in addresses.iter_mut().zip(&customer.addresses) {
            address.default_shipping = wire.id.is_some() && wire.id == customer.default_shipping_address_id;
            address.default_billing = wire.id.is_some() && wire.id == customer.default_billing_address_id;
        }
        let mut groups: Vec<String> = customer.customer_group.iter().filter_map(|group| group.best()).map(str::to_owned).collect();
        for group in customer.customer_group_assignments.iter().filter_map(|one| one.customer_group.as_ref()?.best()) {
            if !groups.iter().any(|known| known == group) {
                groups.push(group.to_owned());
            }
        }
        let date_of_birth = owned(customer.date_of_birth.as_ref());
        let born = date_of_birth.as_deref().and_then(parse_date);
        if date_of_birth.is_some() && born.is_none() {
            findings.push(Finding::new(FindingCode::ValueUnknown, self.pointer("/dateOfBirth"), "not a calendar date; left out"));
        }
        let mut identity = Identity { customer_id: Some(customer.id.to_string()), ..Identity::default() };
        set_email(&mut identity, customer.email.as_deref());
        self.set_phone(&mut identity, customer, fields.as_ref(), &mut findings);
        for (name, id) in [("key", &customer.key), ("customer_number", &customer.customer_number), ("external_id", &customer.external_id)] {
            if let Some(id) = owned(id.as_ref()) {
                identity.external_ids.insert(name.to_owned(), id);
            }
        }
        let stores: Vec<String> = customer.stores.iter().filter_map(|store| store.best()).map(str::to_owned).collect();
        let default = addresses.iter().find(|one| one.default_shipping).or_else(|| addresses.iter().find(|one| one.default_billing));
        let market = Market {
            store: stores.first().cloned(),
            country: default.or(addresses.first()).and_then(|one| one.country.clone()),
            // Only their own: the shop's would overwrite what they chose elsewhere.
            locale: owned(customer.locale.as_ref()),
            customer_group: groups.first().cloned(),
            ..Market::default()
        };
        let contact = Contact {
            first_name: owned(customer.first_name.as_ref()),
            middle_name: owned(customer.middle_name.as_ref()),
            last_name: owned(customer.last_name.as_ref()),
            salutation: owned(customer.salutation.as_ref()),
            title: owned(customer.title.as_ref()),
            company: owned(customer.company_name.as_ref()),
            vat_id: owned(customer.vat_id.as_ref()),
            date_of_birth: born,
            customer_number: owned(customer.customer_number.as_ref()),
            email_verified: customer.is_email_verified,
            groups,
            stores,
            created_at: at(customer.created_at),
            updated_at: at(customer.last_modified_at),
            addresses,
            consents: consent,
            attributes,
            ..Contact::default()
        };
        let version = version_text(customer.version, customer.last_modified_at);
        let about = About {
            kind: "customer",
            id: &customer.id,
            version: customer.version,
            occurred_at: at(customer.last_modified_at.or(customer.created_at)),
            market,
            identity,
            fact: &["snapshot", &version],
        };
        self.emit(about, Body::Contact(contact), findings);
        Ok(())
    }

    fn set_phone(&self, identity: &mut Identity, customer: &wire::Customer<'_>, fields: Option<&Fields<'_>>, findings: &mut Vec<Finding>) {
        let by_id = |id: &Option<Text<'_>>| customer.addresses.iter().position(|one| id.is_some() && one.id == *id);
        let shipping = by_id(&customer.default_shipping_address_id);
        let order = [shipping, by_id(&customer.default_billing_address_id)].into_iter().flatten().chain(0..customer.addresses.len());
        let field = self.compiled.config.phone_field.as_deref();
        let (text, country, pointer) = if let Some(text) = fields.zip(field).and_then(|(fields, name)| fields.text(name, &[])) {
            let country = order.clone().find_map(|index| owned(customer.addresses[index].country.as_ref()));
            (text, country, self.pointer("/custom/fields"))
        } else {
            let number = |index: usize| {
                let one = &customer.addresses[index];
                let (text, name) = match owned(one.mobile.as_ref()) {
                    Some(text) => (text, "mobile"),
                    None => (owned(one.phone.as_ref())?, "phone"),
                };
                Some((text, owned(one.country.as_ref()), index, name))
            };
            let Some((text, country, index, name)) = order.clone().find_map(number) else { return };
            (text, country, self.pointer(&format!("/addresses/{index}/{name}")))
        };
        identity.phone = phone(&text, country.as_deref().or(self.compiled.config.country.as_deref()));
        if identity.phone.is_none() {
            findings.push(Finding::new(FindingCode::PhoneInvalid, pointer, "the number cannot be written in E.164"));
        }
        identity.phone_original = (identity.phone.as_deref() != Some(&*text)).then_some(text);
    }

    /// A projection, as REST and messages give it.
    pub(super) fn projection(&mut self, projection: &wire::ProductProjection<'_>) -> Result<(), Fault> {
        let Some(id) = projection.id.as_deref() else { return Err(Fault::at(self.pointer("/id"), "missing field `id`")) };
        let head = ProductHead {
            id,
            version: projection.version,
            created_at: projection.created_at,
            last_modified_at: projection.last_modified_at,
            key: projection.key.as_ref(),
            product_type: projection.product_type.as_ref(),
            rating: projection.review_rating_statistics.as_ref(),
            published: projection.published.unwrap_or(true),
            content: "",
        };
        self.catalogue(&head, Some(projection));
        Ok(())
    }

    /// A product with its published and staged side; the staged one is not for shoppers.
    pub(super) fn product(&mut self, product: &wire::Product<'_>) {
        let head = ProductHead {
            id: &product.id,
            version: product.version,
            created_at: product.created_at,
            last_modified_at: product.last_modified_at,
            key: product.key.as_ref(),
            product_type: product.product_type.as_ref(),
            rating: product.review_rating_statistics.as_ref(),
            published: product.master_data.published.unwrap_or(product.master_data.current.is_some()),
            content: "/masterData/current",
        };
        self.catalogue(&head, product.master_data.current.as_ref());
    }

    fn catalogue(&mut self, head: &ProductHead<'_, '_>, content: Option<&wire::ProductProjection<'_>>) {
        let config = &self.compiled.config;
        let locales = self.locales(None);
        let mut findings = Vec::new();
        let market = self.configured_market();
        let mut product = Product {
            id: head.id.to_owned(),
            key: owned(head.key),
            product_type: head.product_type.and_then(wire::Reference::best).map(str::to_owned),
            published: head.published,
            created_at: at(head.created_at),
            updated_at: at(head.last_modified_at),
            ..Product::default()
        };
        if let Some(rating) = head.rating {
            product.rating_average = rating.average_rating.and_then(decimal);
            product.rating_count = rating.count;
        }
        if let Some(content) = content {
            product.name = localized(content.name.as_ref(), &locales).map(str::to_owned);
            product.description = localized(content.description.as_ref(), &locales).map(str::to_owned);
            product.slug = localized(content.slug.as_ref(), &locales).map(str::to_owned);
            product.categories = content.categories.iter().filter_map(|category| category_ref(category, &locales)).collect();
            // Longest path first; those of one length keep the merchant's order.
            product.categories.sort_by_key(|category| std::cmp::Reverse(category.path.len()));
            let pointer = || self.pointer(&[head.content, "/attributes"].concat());
            let own = self.attribute_fields(content.attributes);
            if let Some(fields) = &own {
                fields.map(&config.attributes, &locales, &pointer, &mut product.attributes, &mut findings);
                product.brand = self.brand(own.as_ref(), &locales);
            }
            for variant in content.master_variant.iter().chain(&content.variants) {
                let id = variant.id.map_or_else(String::new, |id| id.to_string());
                if product.variants.iter().any(|known| known.id == id) {
                    continue;
                }
                let fields = self.attribute_fields(variant.attributes);
                if product.brand.is_none() {
                    product.brand = self.brand(fields.as_ref(), &locales);
                }
                let url = self.product_url(&product, variant.sku.as_deref(), &market);
                product.variants.push(self.variant(id, variant, url, fields.as_ref(), &locales, &pointer, &mut findings));
            }
            let leading = product.variants.first().and_then(|variant| variant.sku.clone());
            product.url = self.product_url(&product, leading.as_deref(), &market);
        }
        let version = version_text(head.version, head.last_modified_at);
        let about = About {
            kind: "product",
            id: head.id,
            version: head.version,
            occurred_at: at(head.last_modified_at.or(head.created_at)),
            market,
            identity: Identity::default(),
            fact: &["snapshot", &version],
        };
        self.emit(about, Body::Product(product), findings);
    }

    fn product_url(&self, product: &Product, sku: Option<&str>, market: &Market) -> Option<String> {
        fill(self.compiled.product_url.as_ref(), market, |place| match place {
            "slug" => product.slug.as_deref(),
            "sku" => sku,
            "id" => Some(product.id.as_str()),
            "key" => product.key.as_deref(),
            _ => None,
        })
    }

    #[allow(clippy::too_many_arguments)] // one caller, and a struct for it would only rename the arguments
    fn variant(
        &self,
        id: String,
        variant: &wire::ProductVariant<'_>,
        url: Option<String>,
        fields: Option<&Fields<'_>>,
        locales: &[&str],
        pointer: &dyn Fn() -> String,
        findings: &mut Vec<Finding>,
    ) -> Variant {
        let config = &self.compiled.config;
        let mut attributes = Attributes::new();
        if let Some(fields) = fields {
            fields.map(&config.attributes, locales, pointer, &mut attributes, findings);
        }
        let images =
            variant.images.iter().filter_map(|image| Some(Image { url: owned(image.url.as_ref())?, label: owned(image.label.as_ref()) }));
        Variant {
            id,
            sku: owned(variant.sku.as_ref()),
            key: owned(variant.key.as_ref()),
            name: None,
            url,
            price: variant.price.as_ref().or_else(|| self.pick_price(&variant.prices)).map(price),
            prices: variant.prices.iter().map(price).collect(),
            stock: variant.availability.as_ref().and_then(|availability| self.stock(availability)),
            images: images.collect(),
            attributes,
        }
    }

    /// The price for the configured market, where the request did not let the platform pick one. A price bound to
    /// something else than the configuration says is never picked; of the others the most specific wins.
    fn pick_price<'p, 'w>(&self, prices: &'p [wire::Price<'w>]) -> Option<&'p wire::Price<'w>> {
        let config = &self.compiled.config;
        let currency = config.currency?;
        let fits = |price: &&wire::Price<'_>| {
            price.value.0.currency == currency
                && price.valid_from.is_none_or(|from| from.0 <= self.context.observed_at)
                && price.valid_until.is_none_or(|until| until.0 > self.context.observed_at)
                && price.country.as_deref().is_none_or(|country| Some(country) == config.country.as_deref())
                && price.channel.as_ref().is_none_or(|channel| is_named(channel, config.channel.as_deref()))
                && price.customer_group.as_ref().is_none_or(|group| is_named(group, config.customer_group.as_deref()))
        };
        let rank = |price: &&wire::Price<'_>| {
            let dated = price.valid_from.is_some() || price.valid_until.is_some();
            (price.customer_group.is_some(), price.channel.is_some(), price.country.is_some(), dated)
        };
        // `max_by_key` takes the last of equals; the platform's order says the first.
        prices.iter().rev().filter(fits).max_by_key(rank)
    }

    fn stock(&self, availability: &wire::Availability<'_>) -> Option<Stock> {
        if let (Some(channel), Some(channels)) = (self.compiled.config.channel.as_deref(), &availability.channels) {
            let (_, stock) = channels.0.iter().find(|(id, _)| &**id == channel)?;
            return Some(Stock {
                in_stock: stock.is_on_stock,
                quantity: stock.available_quantity,
                restock_days: stock.restockable_in_days,
            });
        }
        let stock = Stock {
            in_stock: availability.is_on_stock,
            quantity: availability.available_quantity,
            restock_days: availability.restockable_in_days,
        };
        (stock != Stock::default()).then_some(stock)
    }

    pub(super) fn category(&mut self, category: &wire::Category<'_>) -> Result<(), Fault> {
        let config = &self.compiled.config;
        let locales = self.locales(None);
        let market = self.configured_market();
        let mut findings = Vec::new();
        let mut attributes = Attributes::new();
        if let Some(fields) =
            self.custom_fields(category.custom.as_ref(), !config.category_fields.is_empty(), || self.pointer("/custom/fields"))?
        {
            fields.map(&config.category_fields, &locales, &|| self.pointer("/custom/fields"), &mut attributes, &mut findings);
        }
        let mut path: Vec<String> = Vec::new();
        let mut ancestors = Vec::with_capacity(category.ancestors.len());
        let mut complete = true;
        for ancestor in &category.ancestors {
            let Some(id) = ancestor.any() else { continue };
            match localized(ancestor.obj.as_ref().and_then(|obj| obj.name.as_ref()), &locales) {
                Some(name) if complete => path.push(name.to_owned()),
                _ => complete = false,
            }
            ancestors.push(CategoryRef { id: id.to_owned(), path: if complete { path.clone() } else { Vec::new() } });
        }
        let slug = localized(category.slug.as_ref(), &locales);
        let url = fill(self.compiled.category_url.as_ref(), &market, |place| match place {
            "slug" => slug,
            "id" => Some(&*category.id),
            "key" => category.key.as_deref(),
            _ => None,
        });
        let body = Category {
            id: category.id.to_string(),
            key: owned(category.key.as_ref()),
            name: localized(category.name.as_ref(), &locales).map(str::to_owned),
            description: localized(category.description.as_ref(), &locales).map(str::to_owned),
            slug: slug.map(str::to_owned),
            url,
            parent_id: category.parent.as_ref().and_then(wire::Reference::any).map(str::to_owned),
            ancestors,
            order_hint: owned(category.order_hint.as_ref()),
            created_at: at(category.created_at),
            updated_at: at(category.last_modified_at),
            attributes,
        };
        let version = version_text(category.version, category.last_modified_at);
        let about = About {
            kind: "category",
            id: &category.id,
            version: category.version,
            occurred_at: at(category.last_modified_at.or(category.created_at)),
            market,
            identity: Identity::default(),
            fact: &["snapshot", &version],
        };
        self.emit(about, Body::Category(body), findings);
        Ok(())
    }

    /// A refund out of a payment. Its order is not known here: a payment does not name it.
    pub(super) fn refund(&mut self, transaction: &wire::Transaction<'_>, payment: &PaymentHead<'_>) {
        let refunded_at = at(transaction.timestamp).or(payment.changed).unwrap_or(self.context.observed_at);
        let refund = Refund {
            id: transaction.id.to_string(),
            order_id: None,
            order_number: None,
            payment_id: Some(payment.id.to_owned()),
            amount: transaction.amount.0,
            refunded_at,
            reason: reason(transaction),
            full: None,
            lines: Vec::new(),
            shipping: None,
        };
        let identity = Identity {
            customer_id: payment.customer_id.map(str::to_owned),
            anonymous_id: payment.anonymous_id.map(str::to_owned),
            ..Identity::default()
        };
        let about = About {
            kind: "payment",
            id: payment.id,
            version: payment.version,
            occurred_at: Some(refunded_at),
            market: Market { currency: Some(transaction.amount.0.currency), ..Market::default() },
            identity,
            fact: &["refund", &transaction.id],
        };
        self.emit(about, Body::Refund(refund), Vec::new());
    }

    /// The refunds of a payment; whether there were any.
    pub(super) fn payment(&mut self, payment: &wire::Payment<'_>) -> Result<bool, Fault> {
        let Some(id) = payment.id.as_deref() else { return Err(Fault::at(self.pointer("/id"), "missing field `id`")) };
        let head = PaymentHead {
            id,
            version: payment.version,
            changed: at(payment.last_modified_at.or(payment.created_at)),
            customer_id: payment.customer.as_ref().and_then(|customer| customer.id.as_deref()),
            anonymous_id: payment.anonymous_id.as_deref(),
        };
        let mut any = false;
        for transaction in &payment.transactions {
            if self.gives_back(transaction) {
                self.refund(transaction, &head);
                any = true;
            }
        }
        Ok(any)
    }

    /// Whether a transaction is a refund under the settings.
    pub(super) fn gives_back(&self, transaction: &wire::Transaction<'_>) -> bool {
        is_refund(transaction) || (self.compiled.config.chargebacks_as_refunds && is_chargeback(transaction))
    }
}

/// What a refund needs to know of its payment.
pub(super) struct PaymentHead<'a> {
    pub id: &'a str,
    pub version: Option<u64>,
    pub changed: Option<Instant>,
    pub customer_id: Option<&'a str>,
    pub anonymous_id: Option<&'a str>,
}

/// What stands outside of a product's content.
struct ProductHead<'h, 'w> {
    id: &'h str,
    version: Option<u64>,
    created_at: Option<Stamp>,
    last_modified_at: Option<Stamp>,
    key: Option<&'h Text<'w>>,
    product_type: Option<&'h wire::Reference<'w, wire::Named<'w>>>,
    rating: Option<&'h wire::RatingStatistics<'w>>,
    published: bool,
    content: &'static str,
}

/// Whether money was given back, not only meant to be.
pub(super) fn is_refund(transaction: &wire::Transaction<'_>) -> bool {
    transaction.kind.as_deref() == Some("Refund") && transaction.state.as_deref() == Some("Success")
}

pub(super) fn is_chargeback(transaction: &wire::Transaction<'_>) -> bool {
    transaction.kind.as_deref() == Some("Chargeback") && transaction.state.as_deref() == Some("Success")
}

/// Why the money went back, as far as the platform tells.
pub(super) fn reason(transaction: &wire::Transaction<'_>) -> Option<String> {
    is_chargeback(transaction).then(|| "chargeback".to_owned())
}

fn is_named(reference: &wire::Reference<'_, wire::Named<'_>>, name: Option<&str>) -> bool {
    name.is_some() && (reference.id.as_deref() == name || reference.best() == name)
}

fn price(price: &wire::Price<'_>) -> Price {
    let best = |reference: &Option<wire::Reference<'_, wire::Named<'_>>>| reference.as_ref()?.best().map(str::to_owned);
    let tiers = price.tiers.iter().map(|tier| PriceTier { minimum_quantity: tier.minimum_quantity.0, price: tier.value.0 });
    Price {
        list: price.value.0,
        sale: price.discounted.map(|discounted| discounted.value.0),
        country: owned(price.country.as_ref()),
        channel: best(&price.channel),
        customer_group: best(&price.customer_group),
        valid_from: at(price.valid_from),
        valid_until: at(price.valid_until),
        tiers: tiers.collect(),
    }
}

/// A category with the names from the root, as far as they were expanded without a gap up to the category itself.
fn category_ref(category: &wire::Reference<'_, wire::CategoryName<'_>>, locales: &[&str]) -> Option<CategoryRef> {
    let id = category.any()?.to_owned();
    let Some(obj) = &category.obj else { return Some(CategoryRef { id, path: Vec::new() }) };
    let Some(own) = localized(obj.name.as_ref(), locales) else { return Some(CategoryRef { id, path: Vec::new() }) };
    let above: Option<Vec<String>> =
        obj.ancestors.iter().map(|ancestor| localized(ancestor.obj.as_ref()?.name.as_ref(), locales).map(str::to_owned)).collect();
    let mut path = above.unwrap_or_default();
    path.push(own.to_owned());
    Some(CategoryRef { id, path })
}

pub(super) fn set_email(identity: &mut Identity, text: Option<&str>) {
    if let Some((normal, original)) = text.and_then(email) {
        identity.email = Some(normal);
        identity.email_original = original;
    }
}

pub(super) fn fill<'v>(template: Option<&Template>, market: &'v Market, own: impl Fn(&str) -> Option<&'v str>) -> Option<String> {
    template?.fill(|place| match place {
        "locale" => market.locale.as_deref(),
        "language" => market.locale.as_deref().map(language_of),
        "country" => market.country.as_deref(),
        "store" => market.store.as_deref(),
        _ => own(place),
    })
}

pub(super) fn address(address: &wire::Address<'_>) -> Address {
    Address {
        id: owned(address.id.as_ref()),
        default_shipping: false,
        default_billing: false,
        first_name: owned(address.first_name.as_ref()),
        last_name: owned(address.last_name.as_ref()),
        company: owned(address.company.as_ref()),
        line1: joined(&[&address.street_name, &address.street_number], " "),
        line2: joined(
            &[&address.additional_street_info, &address.building, &address.apartment, &po_box(address), &address.additional_address_info],
            ", ",
        ),
        postal_code: owned(address.postal_code.as_ref()),
        city: owned(address.city.as_ref()),
        region: owned(address.region.as_ref()).or_else(|| owned(address.state.as_ref())),
        country: owned(address.country.as_ref()),
        phone: owned(address.phone.as_ref()).or_else(|| owned(address.mobile.as_ref())),
        email: owned(address.email.as_ref()),
    }
}

/// A number alone tells nobody that it is a box; some shops write the words themselves.
fn po_box<'a>(address: &wire::Address<'a>) -> Option<Text<'a>> {
    let number = filled(address.po_box.as_ref()?)?;
    let bare = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b' ');
    Some(Text(if bare { format!("PO Box {number}").into() } else { number.to_owned().into() }))
}

fn joined(parts: &[&Option<Text<'_>>], separator: &str) -> Option<String> {
    let mut joined = String::new();
    for part in parts.iter().filter_map(|part| part.as_ref()).filter_map(|part| filled(part)) {
        if !joined.is_empty() {
            joined.push_str(separator);
        }
        joined.push_str(part);
    }
    (!joined.is_empty()).then_some(joined)
}
