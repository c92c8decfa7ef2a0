//! Customers, subscribers, wishlists.

use super::config::ConsentPlace;
use super::consent::{consents, of_subscriber};
use super::map::{About, Row, address, country, identity, owned, version_of, version_text};
use super::values::{Fields, Place};
use super::wire::people::{Attribute, Composed, Customer, Subscriber, Wishlist};
use super::wire::{Address as WireAddress, List, Metafield, Named};
use crate::fingerprint::{fingerprint, hex};
use crate::model::{AttributeValue, Attributes, Body, Contact, Event, EventName, Finding, FindingCode, Identity, Market, Mode};
use crate::normalize::contact::phone;
use crate::normalize::text::filled;
use crate::sources::rows::Failure;

/// Parts of a customer that stand beside it, for those that are not embedded.
#[derive(Default)]
struct Beside<'p, 'w> {
    addresses: Option<&'p List<WireAddress<'w>>>,
    attributes: Option<&'p List<Attribute<'w>>>,
    form_fields: Option<&'p List<Named<'w>>>,
    metafields: Option<&'p List<Metafield<'w>>>,
}

impl<'c> Row<'c, '_> {
    pub(super) fn composed_customer(&mut self, composed: &Composed<'_>, raw: &str) -> Result<(), Failure> {
        self.prefix = "/customer";
        let beside = Beside {
            addresses: composed.addresses.is_known().then_some(&composed.addresses),
            attributes: composed.attributes.is_known().then_some(&composed.attributes),
            form_fields: composed.form_fields.is_known().then_some(&composed.form_fields),
            metafields: Some(&composed.metafields),
        };
        let own = self.compiled.customer_fields.then(|| member(raw, "customer")).flatten();
        self.contact(&composed.customer, own.unwrap_or("{}"), &beside)
    }

    pub(super) fn customer(&mut self, customer: &Customer<'_>, raw: &str) -> Result<(), Failure> {
        self.contact(customer, raw, &Beside::default())
    }

    fn contact(&mut self, customer: &Customer<'_>, raw: &str, beside: &Beside<'_, '_>) -> Result<(), Failure> {
        let config = &self.compiled.config;
        let Some(id) = customer.id.id() else { return Err(self.missing("id")) };
        let mut findings = Vec::new();
        let wire_addresses = beside.addresses.unwrap_or(&customer.addresses);
        let attributes_known = beside.attributes.unwrap_or(&customer.attributes);
        let addresses_cut = self.cut(&mut findings, "addresses", customer.address_count.whole(), wire_addresses);
        let attributes_cut = self.cut(&mut findings, "attributes", customer.attribute_count.whole(), attributes_known);
        // Taken for the whole, it would blank what stands beyond the cut. What was put together from its parts is as whole as
        // it gets, and asking again would not end.
        if (addresses_cut && beside.addresses.is_none()) || (attributes_cut && beside.attributes.is_none()) {
            self.fetch("customer", id, "customer with lists that were cut");
            return Ok(());
        }
        let fields = if self.compiled.customer_fields { self.customer_fields(customer, raw, beside) } else { Fields::default() };
        let mut attributes = Attributes::new();
        fields.map(&config.contact_fields, &mut attributes, &mut findings);
        let of_customer = |on| !matches!(on, ConsentPlace::Order | ConsentPlace::Subscriber);
        let consents = consents(&config.consents, of_customer, &fields, None, &mut findings);
        let mut identity = identity(&customer.id, &customer.email);
        self.set_phone(&mut identity, customer, wire_addresses, &fields, &mut findings);
        let group = self.group(&customer.customer_group_id);
        let first = wire_addresses.iter().next();
        let channel = customer.origin_channel_id.id().map(str::to_owned);
        let market = Market {
            channel: channel.or_else(|| config.channel.clone()),
            country: first.and_then(|one| country(&one.country_iso2)),
            // Customers have no language here; the shop's is not theirs, and would overwrite what they chose elsewhere.
            locale: None,
            customer_group: group.clone(),
            ..Market::default()
        };
        let body = Contact {
            first_name: owned(&customer.first_name),
            last_name: owned(&customer.last_name),
            company: owned(&customer.company),
            groups: group.into_iter().collect(),
            stores: customer.channel_ids.iter().filter_map(|id| id.id().map(str::to_owned)).collect(),
            created_at: customer.date_created.0,
            updated_at: customer.date_modified.0,
            addresses: wire_addresses.iter().filter_map(address).collect(),
            consents,
            attributes,
            ..Contact::default()
        };
        let changed = customer.date_modified.0.or(customer.date_created.0);
        let version = version_text(changed, raw);
        let about = About {
            kind: "customer",
            id,
            version: version_of(customer.date_modified),
            occurred_at: changed,
            market: market.clone(),
            identity: identity.clone(),
            fact: &["snapshot", &version],
        };
        self.emit(about, Body::Contact(body), findings);
        // No webhook carries the person, and a poll tells only how things stand; so a new account is told of by its first
        // reading, under a key that every later one has too.
        if let Some(made) = customer.date_created.0
            && self.mode == Mode::Live
            && !self.context.is_history(made)
        {
            let fact = ["account_created"];
            let about = About { kind: "customer", id, version: None, occurred_at: Some(made), market, identity, fact: &fact };
            self.emit(about, Body::Event(Event::new(EventName::AccountCreated)), Vec::new());
        }
        Ok(())
    }

    /// Lists inside a customer end after ten rows. Answers whether this one did.
    fn cut<T>(&self, findings: &mut Vec<Finding>, list: &str, told: Option<i64>, there: &List<T>) -> bool {
        let (Some(told), Some(there)) = (told, there.0.as_ref().map(Vec::len)) else { return false };
        let cut = i64::try_from(there).is_ok_and(|there| there < told);
        if cut {
            let message = format!("{there} of {told} {list} are in the document; read the others by `customer_id`");
            findings.push(Finding::new(FindingCode::DocumentIncomplete, self.pointer(&format!("/{list}")), message));
        }
        cut
    }

    fn customer_fields<'w>(&self, customer: &Customer<'w>, raw: &'w str, beside: &Beside<'_, 'w>) -> Fields<'w> {
        let mut fields = Fields::default();
        let attributes = beside.attributes.unwrap_or(&customer.attributes);
        for (index, attribute) in attributes.iter().enumerate() {
            let pointer = match beside.attributes {
                Some(_) => format!("/attributes/{index}/attribute_value"),
                None => self.pointer(&format!("/attributes/{index}/attribute_value")),
            };
            let id = attribute.attribute_id.id().unwrap_or_default();
            let name = self.compiled.config.attribute_names.get(id).map(String::as_str).or_else(|| filled(&attribute.name));
            if let Some(name) = name {
                fields.add(Place::Attribute, name, attribute.attribute_value, pointer.clone());
            }
            fields.add(Place::Attribute, id, attribute.attribute_value, pointer);
        }
        for (index, field) in beside.form_fields.unwrap_or(&customer.form_fields).iter().enumerate() {
            let pointer = match beside.form_fields {
                Some(_) => format!("/form_fields/{index}/value"),
                None => self.pointer(&format!("/form_fields/{index}/value")),
            };
            fields.add(Place::FormField, &field.name, field.value, pointer);
        }
        add_metafields(&mut fields, beside.metafields);
        fields.own(raw, self.prefix);
        fields
    }

    fn set_phone(
        &self,
        identity: &mut Identity,
        customer: &Customer<'_>,
        addresses: &List<WireAddress<'_>>,
        fields: &Fields<'_>,
        findings: &mut Vec<Finding>,
    ) {
        let home = || addresses.iter().find_map(|one| country(&one.country_iso2));
        let configured = self.compiled.config.phone_field.as_deref();
        let of_field = configured.and_then(|name| {
            let pointer = fields.get(name, |_| true)?.1.to_owned();
            Some((fields.text(name, |_| true)?, home(), pointer))
        });
        let of_customer = || Some((owned(&customer.phone)?, home(), self.pointer("/phone")));
        let of_address = |(index, one): (usize, &WireAddress<'_>)| {
            Some((owned(&one.phone)?, country(&one.country_iso2), self.pointer(&format!("/addresses/{index}/phone"))))
        };
        let found = of_field.or_else(of_customer).or_else(|| addresses.iter().enumerate().find_map(of_address));
        let Some((text, country, pointer)) = found else { return };
        identity.phone = phone(&text, country.as_deref().or(self.compiled.config.country.as_deref()));
        if identity.phone.is_none() {
            findings.push(Finding::new(FindingCode::PhoneInvalid, pointer, "the number cannot be written in E.164"));
        }
        identity.phone_original = (identity.phone.as_deref() != Some(&*text)).then_some(text);
    }

    /// A newsletter subscriber: what is allowed, and hardly anything else. It is not the customer of that address.
    pub(super) fn subscriber(&mut self, subscriber: &Subscriber<'_>, raw: &str) -> Result<(), Failure> {
        let Some(id) = subscriber.id.id() else { return Err(self.missing("id")) };
        let config = &self.compiled.config;
        let changed = subscriber.date_modified.0.or(subscriber.date_created.0);
        let mut identity = Identity::default();
        super::map::set_email(&mut identity, &subscriber.email);
        let body = Contact {
            first_name: owned(&subscriber.first_name),
            last_name: owned(&subscriber.last_name),
            consents: of_subscriber(config, subscriber),
            ..Contact::default()
        };
        let market = Market {
            channel: subscriber.channel_id.id().or(subscriber.origin_channel_id.id()).map(str::to_owned).or_else(|| config.channel.clone()),
            ..Market::default()
        };
        let version = version_text(changed, raw);
        // Without a version: customer and subscriber of one address are read apart, and neither makes the other stale.
        let about = About { kind: "subscriber", id, version: None, occurred_at: changed, market, identity, fact: &["snapshot", &version] };
        self.emit(about, Body::Contact(body), Vec::new());
        Ok(())
    }

    /// A wishlist as it stands. It has no dates: what tells one state from the next is what is in it.
    pub(super) fn wishlist(&mut self, wishlist: &Wishlist<'_>) -> Result<(), Failure> {
        let Some(id) = wishlist.id.id() else { return Err(self.missing("id")) };
        let Some(customer) = wishlist.customer_id.id() else { return Err(self.missing("customer_id")) };
        let mut items: Vec<(&str, Option<&str>)> =
            wishlist.items.iter().filter_map(|item| Some((item.product_id.id()?, item.variant_id.id()))).collect();
        if items.is_empty() {
            self.ignore("wishlist without items", true);
            return Ok(());
        }
        let product = |(product, variant): &(&str, Option<&str>)| {
            let text = |name: &str, id: &str| (name.to_owned(), AttributeValue::Text(id.to_owned()));
            AttributeValue::Object([text("product_id", product)].into_iter().chain(variant.map(|id| text("variant_id", id))).collect())
        };
        let mut properties = Attributes::new();
        properties.insert("wishlist_id".to_owned(), AttributeValue::Text(id.to_owned()));
        if let Some(name) = owned(&wishlist.name) {
            properties.insert("wishlist_name".to_owned(), AttributeValue::Text(name));
        }
        properties.insert("products".to_owned(), AttributeValue::List(items.iter().map(product).collect()));
        let newest = items.last().copied();
        let event = Event {
            product_id: newest.map(|(product, _)| product.to_owned()),
            variant_id: newest.and_then(|(_, variant)| variant).map(str::to_owned),
            properties,
            ..Event::new(EventName::WishlistUpdated)
        };
        items.sort_unstable();
        let content: Vec<String> = items.iter().map(|(product, variant)| format!("{product}/{}", variant.unwrap_or_default())).collect();
        let content = hex(&fingerprint(content.join(",").as_bytes()).to_be_bytes());
        let about = About {
            kind: "wishlist",
            id,
            version: None,
            occurred_at: None,
            market: self.configured_market(),
            identity: Identity { customer_id: Some(customer.to_owned()), ..Identity::default() },
            fact: &["wishlist_updated", &content],
        };
        self.emit(about, Body::Event(event), Vec::new());
        Ok(())
    }
}

/// Metafields under the name `namespace.key`.
pub(super) fn add_metafields<'w>(fields: &mut Fields<'w>, metafields: Option<&List<Metafield<'w>>>) {
    for (index, metafield) in metafields.into_iter().flatten().enumerate() {
        let name = format!("{}.{}", &*metafield.namespace, &*metafield.key);
        fields.add(Place::Metafield, &name, metafield.value, format!("/metafields/{index}/value"));
    }
}

/// The text of one member of an object.
pub(super) fn member<'t>(object: &'t str, name: &str) -> Option<&'t str> {
    use crate::sources::split::{End, Keys, value_end};
    let key = Keys::new(object.as_bytes(), 0).find(|key| key.name == name.as_bytes())?;
    let End::At(end) = value_end(object.as_bytes(), key.value) else { return None };
    object.get(key.value..end)
}
