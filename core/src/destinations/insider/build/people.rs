//! People: what is known of them, what they allowed, and that they are gone.

use super::super::super::Operation;
use super::super::capabilities as endpoints;
use super::super::config::{AttributeType, ContactDeletion, Erase, UnsubscribeBy};
use super::super::ids::{self, Who};
use super::super::payload::{Customs, Midnight, Object, Stamp, splice};
use super::{Builder, profile};

use crate::error::Error;
use crate::fingerprint;
use crate::model::{Channel, Consent, ConsentStatus, Contact, ContactDeleted, IdempotencyKey, SkipReason};

impl<'a> Builder<'a> {
    pub(super) fn contact(&mut self, contact: &'a Contact) -> Result<(), Error> {
        let Some(who) = self.who() else { return Ok(()) };
        let name = who.name();
        // A box ticked at the checkout or in the footer says what is allowed and nothing else: what an order, cart or newsletter list
        // knows of the person is not the profile.
        let aside = matches!(self.envelope.resource.kind.as_str(), "order" | "cart" | "subscriber");
        if !aside {
            self.profile(contact, &who, &name)?;
        }
        for consent in Consent::strictest(&contact.consents) {
            self.permission(consent, &who, &name, aside)?;
        }
        if aside && self.built.operations.is_empty() && self.built.skipped.is_empty() {
            self.skip(SkipReason::ConsentUnknown, "nothing is known of what the person allowed, and nothing else is told here");
        }
        Ok(())
    }

    /// The profile. Attributes stand flat in the row, customs as `custom.<name>`, so that each is compared and cleared by
    /// itself; the request puts them where they belong.
    fn profile(&mut self, contact: &'a Contact, who: &Who<'a>, name: &str) -> Result<(), Error> {
        let config = &self.insider.config;
        let (identity, market) = (&self.envelope.identity, &self.envelope.market);
        let address = contact
            .addresses
            .iter()
            .find(|address| address.default_shipping)
            .or_else(|| contact.addresses.iter().find(|address| address.default_billing))
            .or_else(|| contact.addresses.first());
        let mut fields = Object::new(512);
        fields.text("name", contact.first_name.as_deref())?;
        fields.text("surname", contact.last_name.as_deref())?;
        fields.maybe("birthday", contact.date_of_birth.map(Midnight))?;
        match contact.gender.as_deref().map(gender) {
            Some(Some(letter)) => fields.put("gender", letter)?,
            Some(None) => self.dropped("/body/gender", "Insider knows `F` and `M` only"),
            None => {}
        }
        if let Some(locale) = market.locale.as_deref() {
            match ids::locale(locale) {
                Some(locale) => {
                    fields.put("language", &locale)?;
                    let key = config.locale_attribute.as_deref().unwrap_or("lo");
                    if !key.is_empty() {
                        fields.put(key, &locale)?;
                    }
                }
                None => self.dropped("/envelope/market/locale", "Insider's locales have a region, such as `de_DE`"),
            }
        }
        fields.text("country", address.and_then(|address| address.country.as_deref()).or(market.country.as_deref()))?;
        fields.text("city", address.and_then(|address| address.city.as_deref()))?;
        // An identifier is written by naming it; only what is none may stand here.
        if !config.identifiers.email {
            fields.text("email", identity.email.as_deref().filter(|email| ids::email_fault(email).is_none()))?;
        }
        if !config.identifiers.phone {
            fields.text("phone_number", identity.phone.as_deref().filter(|phone| ids::is_e164(phone)))?;
        }
        if !config.identifiers.uuid {
            fields.text("uuid", identity.customer_id.as_deref())?;
        }
        let mut customs = Customs::of_people(config);
        customs.write(&mut fields, "custom.", &contact.attributes, "/body/attributes", &mut self.built.findings)?;
        extras(contact, &customs, &mut fields)?;
        let fields = fields.finish();
        let Some(mut identity) = smallest_member(&fields) else {
            self.skip(SkipReason::NotSupported, "nothing but identifiers is known, and Insider takes no profile without an attribute");
            return Ok(());
        };
        // Changes with the identifiers, so that a new one goes even where no attribute changed; an upsert needs one, and this
        // one goes along then.
        identity.put("#", &fingerprint::opaque(&[&String::from_utf8_lossy(&who.identifiers()?)])[..8])?;
        let mut row = Object::new(fields.len() + 192);
        who.write(&mut row)?;
        let mut attributes = Object::new(fields.len() + 48);
        attributes.nested("#", identity)?;
        splice(&mut attributes, &fields)?;
        row.nested("attributes", attributes)?;
        let mut operation = self.operation(endpoints::UPSERT, format!("contact:{name}"), profile(name), row.finish());
        operation.delta = Some("/attributes".into());
        self.built.operations.push(operation);
        Ok(())
    }

    fn permission(&mut self, consent: &'a Consent, who: &Who<'a>, name: &str, aside: bool) -> Result<(), Error> {
        let granted = match consent.status {
            ConsentStatus::Granted => true,
            ConsentStatus::Denied => false,
            // Silence is no answer, whatever Insider takes it for.
            ConsentStatus::Pending | ConsentStatus::Unknown => return Ok(()),
        };
        let config = &self.insider.config;
        let channel = consent.channel.as_str();
        let flag = match &consent.channel {
            Channel::Email => "email_optin",
            Channel::Sms => "sms_optin",
            Channel::Whatsapp => "whatsapp_optin",
            other if config.processing_channel.as_deref() == Some(other.as_str()) => "gdpr_optin",
            Channel::Push => {
                self.skip(SkipReason::NotSupported, "permission for push belongs to the device's SDK");
                return Ok(());
            }
            other => {
                self.skip(SkipReason::NotSupported, format!("Insider keeps no permission for `{}`", other.as_str()));
                return Ok(());
            }
        };
        if granted && matches!(consent.channel, Channel::Sms | Channel::Whatsapp) && config.left_event(channel).is_none() {
            self.skip(
                SkipReason::NotConfigured,
                format!("a yes for `{channel}` needs `left_events`: the profile does not show who left, and a yes could bring them back"),
            );
            return Ok(());
        }
        let entity = format!("consent:{name}:{channel}");
        let mut row = Object::new(256);
        who.strongest().write(&mut row)?;
        row.put("flag", flag)?;
        row.put("granted", &granted)?;
        // A yes without a time proves nothing. A no without one was said by then; only the evidence wants to know.
        if consent.at.is_some() || (!granted && config.consent_evidence) {
            row.put("at", &Stamp(consent.at.unwrap_or(self.envelope.occurred_at)))?;
        }
        let row = row.finish();
        let list = self.suppression(consent, who, name, granted, &row)?;
        let mut operation = self.operation(endpoints::CONSENT, entity.clone(), profile(name), row);
        operation.idempotency_key = IdempotencyKey::new(format!("{}:consent:{channel}", self.envelope.idempotency_key));
        operation.supersedes = vec![entity];
        if aside {
            operation.version = None;
        }
        self.said_once(&mut operation, consent, name);
        // A yes lifts the unsubscription first: it rests on what the flag's evidence says, and the flag rewrites that.
        let (first, second) = if granted { (list, Some(operation)) } else { (Some(operation), list) };
        self.built.operations.extend(first.into_iter().chain(second));
        Ok(())
    }

    /// The call that enters or leaves the channel's list of unsubscriptions.
    fn suppression(&mut self, consent: &Consent, who: &Who<'a>, name: &str, granted: bool, row: &[u8]) -> Result<Option<Operation>, Error> {
        let config = &self.insider.config;
        let channel = consent.channel.as_str();
        let (join, leave) = match consent.channel {
            Channel::Email => (endpoints::JOIN_EMAIL, endpoints::LEAVE_EMAIL),
            Channel::Sms => (endpoints::JOIN_SMS, endpoints::LEAVE_SMS),
            Channel::Whatsapp => (endpoints::JOIN_WHATSAPP, endpoints::LEAVE_WHATSAPP),
            _ => return Ok(None),
        };
        if granted && (!config.lifts(channel) || self.backfill() || consent.at.is_none()) {
            return Ok(None);
        }
        if !granted && config.unsubscribe_token.is_none() {
            self.skip(
                SkipReason::NotConfigured,
                format!("the no for `{channel}` is written on the profile; leaving globally needs `unsubscribe_token`"),
            );
            return Ok(None);
        }
        let identity = &self.envelope.identity;
        let address = match consent.channel {
            Channel::Email => identity.email.as_deref().filter(|email| ids::email_fault(email).is_none()),
            _ => identity.phone.as_deref().filter(|phone| ids::is_e164(phone)),
        };
        let Some(address) = address else {
            self.skip(SkipReason::NotSupported, format!("no address for `{channel}` is known that could be unsubscribed"));
            return Ok(None);
        };
        let mut object = Object::new(row.len() + address.len() + 16);
        object.put("address", address)?;
        if config.unsubscribe_by == UnsubscribeBy::Users && consent.channel == Channel::Email {
            object.maybe("uuid", who.uuid())?;
        }
        if granted {
            object.raw("of", row)?;
        } else {
            // Never sent; a no that is said anew is entered anew, whatever happened in between.
            object.maybe("at", consent.at.map(Stamp))?;
        }
        let entity = format!("suppression:{name}:{channel}");
        let mut operation = self.operation(if granted { join } else { leave }, entity.clone(), profile(name), object.finish());
        operation.group.clear();
        operation.idempotency_key = IdempotencyKey::new(format!("{}:suppression:{channel}", self.envelope.idempotency_key));
        operation.supersedes = vec![entity];
        operation.version = None;
        self.said_once(&mut operation, consent, name);
        Ok(Some(operation))
    }

    /// A yes with a time is an act: it is weighed against the profile once, and not again with every export that repeats it.
    /// In a backfill it is history and uses nothing up.
    fn said_once(&self, operation: &mut Operation, consent: &Consent, name: &str) {
        if let (ConsentStatus::Granted, Some(at), false) = (consent.status, consent.at, self.backfill()) {
            operation.once = true;
            let what = format!("{name}:{}:{}", consent.channel.as_str(), at.to_rfc3339());
            operation.idempotency_key = self.key(&operation.endpoint, &what);
            // What an act supersedes is over for good, and a permission never is.
            operation.supersedes.clear();
        }
    }

    pub(super) fn contact_deleted(&mut self, deleted: &ContactDeleted) -> Result<(), Error> {
        let config = &self.insider.config;
        if !deleted.erase && config.contact_deleted == ContactDeletion::Keep {
            self.skip(SkipReason::NotConfigured, "a deletion that is no erasure leaves the profile; see `contact_deleted`");
            return Ok(());
        }
        let Some(who) = self.who() else { return Ok(()) };
        let endpoint = if deleted.erase && config.erase == Erase::Anonymize { endpoints::ANONYMIZE } else { endpoints::DELETE };
        let name = who.name();
        // One call per identifier: the account may know the person's guest orders by another profile.
        for (index, one) in who.each().enumerate() {
            let mut row = Object::new(96);
            one.write(&mut row)?;
            let entity = format!("contact:{}", one.name());
            let mut operation = self.operation(endpoint, entity.clone(), profile(&name), row.finish());
            operation.group.clear();
            if index > 0 {
                operation.idempotency_key = IdempotencyKey::new(format!("{}:{}", self.envelope.idempotency_key, one.name()));
            }
            let permissions = ["email", "sms", "whatsapp"].into_iter().map(|channel| format!("consent:{}:{channel}", one.name()));
            operation.supersedes = permissions.chain([entity]).collect();
            self.built.operations.push(operation);
        }
        Ok(())
    }
}

/// What the library knows besides, for those who made an attribute of that name and type.
fn extras(contact: &Contact, customs: &Customs<'_>, fields: &mut Object) -> Result<(), Error> {
    let address = contact.addresses.iter().find(|address| address.default_shipping).or_else(|| contact.addresses.first());
    let texts = [
        ("customer_number", contact.customer_number.as_deref()),
        ("company", contact.company.as_deref()),
        ("vat_id", contact.vat_id.as_deref()),
        ("middle_name", contact.middle_name.as_deref()),
        ("title", contact.title.as_deref()),
        ("salutation", contact.salutation.as_deref()),
        ("timezone", contact.timezone.as_deref()),
        ("customer_group", contact.groups.first().map(String::as_str)),
        ("postal_code", address.and_then(|address| address.postal_code.as_deref())),
        ("region", address.and_then(|address| address.region.as_deref())),
    ];
    let unless_taken = |name: &str| !contact.attributes.keys().any(|own| ids::snake(own) == name);
    for (name, text) in texts {
        if customs.wants(name, AttributeType::String) && unless_taken(name) {
            fields.text(&format!("custom.{name}"), text)?;
        }
    }
    for (name, list) in [("customer_groups", &contact.groups), ("stores", &contact.stores)] {
        if customs.wants(name, AttributeType::Array) && unless_taken(name) {
            fields.list(&format!("custom.{name}"), list)?;
        }
    }
    if customs.wants("registered_at", AttributeType::Datetime) && unless_taken("registered_at") {
        fields.maybe("custom.registered_at", contact.created_at.map(Stamp))?;
    }
    if customs.wants("email_verified", AttributeType::Boolean) && unless_taken("email_verified") {
        fields.maybe("custom.email_verified", contact.email_verified)?;
    }
    Ok(())
}

/// The smallest member of an object as an object of its own; `None` for none.
fn smallest_member(object: &[u8]) -> Option<Object> {
    let members: std::collections::BTreeMap<String, &serde_json::value::RawValue> = serde_json::from_slice(object).ok()?;
    let (name, value) = members.iter().min_by_key(|(name, value)| name.len() + value.get().len())?;
    let mut smallest = Object::new(48);
    smallest.raw(name, value.get().as_bytes()).ok()?;
    Some(smallest)
}

fn gender(word: &str) -> Option<&'static str> {
    match word.trim().to_ascii_lowercase().as_str() {
        "f" | "female" | "woman" => Some("F"),
        "m" | "male" | "man" => Some("M"),
        _ => None,
    }
}
