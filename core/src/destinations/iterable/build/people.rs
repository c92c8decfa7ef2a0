//! People: what is known of them, what they allowed, and that they are gone.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::super::super::{Given, Operation, Provided};
use super::super::capabilities as endpoints;
use super::super::config::{ContactDeletion, Erase, Policy, ProjectType, Subscriptions, Write};
use super::super::ids::{self, Who};
use super::super::join::{self, Named};
use super::super::payload::{Attrs, ContactFields, Day, Evidence, Place, Postal, Stamp, UserRef, UserRow, bytes, evidence_field, filled};
use super::{Builder, profile};

use crate::error::Error;
use crate::model::{
    Address, Body, Consent, ConsentStatus, Contact, ContactDeleted, EventName, Finding, FindingCode, IdempotencyKey, Identity, SkipReason,
};

impl<'a> Builder<'a> {
    pub(super) fn contact(&mut self, contact: &'a Contact) -> Result<(), Error> {
        let said = |consent: &Consent| matches!(consent.status, ConsentStatus::Granted | ConsentStatus::Denied);
        if self.aside() && !contact.consents.iter().any(said) {
            // A row would make a profile of somebody who was never asked, and whom Iterable then takes for subscribed.
            self.skip(SkipReason::ConsentUnknown, "neither a yes nor a no is said, and nothing else is told here of the person");
            return Ok(());
        }
        let Some(who) = self.who() else { return Ok(()) };
        let config = &self.iterable.config;
        let market = &self.envelope.market;
        let identity = &self.envelope.identity;
        let merge = config.merge_nested_objects;
        let attributes = Attrs::new(&contact.attributes, Place::Profile);
        attributes.report("/body/attributes", &mut self.built.findings);
        for (index, consent) in contact.consents.iter().enumerate() {
            if consent.status != ConsentStatus::Unknown && evidence_field(consent).is_none() {
                let pointer = format!("/body/consents/{index}/channel");
                self.built.findings.push(Finding::new(FindingCode::FieldDropped, pointer, "no profile field is kept for this channel"));
            }
        }
        let shipping = contact.addresses.iter().find(|address| address.default_shipping);
        let billing = contact.addresses.iter().find(|address| address.default_billing);
        let address = shipping.or(billing).or_else(|| contact.addresses.first());
        let postal = |address: &'a Address| Postal { address, nulls: merge };
        // A box ticked at the checkout says what is allowed and nothing else: what an order or cart knows of the person is
        // not the profile, its version is not the customer's, and what it does not name must not be blanked.
        let aside = self.aside();
        let own = |text: Option<&'a str>| text.filter(|_| !aside);
        let row = UserRow {
            email: who.email(),
            user_id: who.user_id(),
            prefer_user_id: who.prefer(),
            merge_nested_objects: merge.then_some(true),
            create_new_fields: if config.write == Write::Single { config.create_new_fields } else { None },
            data_fields: ContactFields {
                // Under a userId the address is a field like others, and a new one changes it.
                email: who.user_id().and(own(identity.email.as_deref())).filter(|email| ids::email_fault(email).is_none()),
                customer_id: own(identity.customer_id.as_deref()),
                first_name: contact.first_name.as_deref(),
                middle_name: contact.middle_name.as_deref(),
                last_name: contact.last_name.as_deref(),
                salutation: contact.salutation.as_deref(),
                title: contact.title.as_deref(),
                company: contact.company.as_deref(),
                vat_id: contact.vat_id.as_deref(),
                gender: contact.gender.as_deref(),
                date_of_birth: contact.date_of_birth.map(Day),
                customer_number: contact.customer_number.as_deref(),
                phone_number: own(identity.phone.as_deref()).filter(|phone| is_e164(phone)),
                email_verified: contact.email_verified,
                locale: own(market.locale.as_deref()),
                time_zone: contact.timezone.as_deref(),
                country: own(market.country.as_deref()),
                customer_group: contact.groups.first().map(String::as_str),
                customer_groups: filled(&contact.groups),
                stores: filled(&contact.stores),
                customer_since: contact.created_at.map(Stamp),
                address: address.map(postal),
                billing_address: billing.map(postal),
                consents: Evidence { consents: &contact.consents, nulls: merge },
                attributes,
            },
        };
        let body = bytes(&row, 1024)?;
        let (endpoint, name) = (if config.write == Write::Bulk { endpoints::USERS_BULK } else { endpoints::USERS_UPDATE }, who.name());
        let mut operation = self.operation(endpoint, format!("contact:{name}"), profile(&name), body);
        if aside {
            operation.entity = format!("permission:{name}");
            operation.version = None;
        } else {
            operation.delta = Some("/dataFields".into());
        }
        self.built.operations.push(operation);
        for consent in crate::model::Consent::strictest(&contact.consents) {
            self.subscription(consent, &who, &name)?;
        }
        if !aside {
            self.lists(contact, &who, &name)?;
        }
        Ok(())
    }

    /// Puts the person on the lists that their groups and stores stand for, and takes them off the others.
    fn lists(&mut self, contact: &Contact, who: &Who<'_>, name: &str) -> Result<(), Error> {
        let config = &self.iterable.config.lists;
        let groups = config.groups.iter().map(|(key, list)| (*list, contact.groups.contains(key)));
        let stores = config.stores.iter().map(|(key, list)| (*list, contact.stores.contains(key)));
        let mut member: BTreeMap<u64, bool> = BTreeMap::new();
        for (list, belongs) in groups.chain(stores) {
            *member.entry(list).or_default() |= belongs;
        }
        for (list, belongs) in member {
            if belongs && self.quiet(self.iterable.config.backfill_lists) {
                self.skip(SkipReason::BackfillQuiet, format!("joining list {list} can start journeys; see `backfill_lists`"));
                continue;
            }
            let endpoint = if belongs { endpoints::LIST_SUBSCRIBE } else { endpoints::LIST_UNSUBSCRIBE };
            let prefer_user_id = who.prefer().filter(|_| belongs);
            let body = bytes(&ListRow { email: who.email(), user_id: who.user_id(), prefer_user_id }, 96)?;
            let entity = format!("list:{name}:{list}");
            let mut operation = self.operation(endpoint, entity.clone(), profile(name), body);
            operation.group = list.to_string();
            operation.idempotency_key = IdempotencyKey::new(format!("{}:list:{list}", self.envelope.idempotency_key));
            operation.supersedes = vec![entity];
            self.built.operations.push(operation);
        }
        Ok(())
    }

    /// Makes the profile follow an address that changed. The record of the person says so too, but may come later or, in
    /// an `email` project, only make a second profile.
    pub(super) fn new_address(&mut self, previous: &Identity) -> Result<(), Error> {
        let identity = &self.envelope.identity;
        let usable = |email: &&str| !email.is_empty() && ids::email_fault(email).is_none();
        let Some(new) = identity.email.as_deref().filter(usable) else { return Ok(()) };
        let config = &self.iterable.config;
        let project = self.iterable.project;
        let mut operation = if project == ProjectType::Email {
            let Some(old) = previous.email.as_deref().filter(usable).filter(|old| !old.eq_ignore_ascii_case(new)) else { return Ok(()) };
            let body = bytes(&NewAddress { current_email: old, new_email: new }, 96)?;
            let lane = profile(&Who::Email(old).name());
            let person = identity.customer_id.as_deref().map_or_else(|| Who::Email(old).name(), str::to_owned);
            self.operation(endpoints::UPDATE_EMAIL, format!("address:{person}"), lane, body)
        } else {
            let Ok(who @ Who::UserId { .. }) = ids::who(config, project, identity) else { return Ok(()) };
            self.address_row("address", &who, new)?
        };
        operation.idempotency_key = IdempotencyKey::new(format!("{}:address", self.envelope.idempotency_key));
        self.built.operations.push(operation);
        Ok(())
    }

    /// The row that gives a `userId` its address.
    fn address_row(&self, kind: &str, who: &Who<'_>, email: &str) -> Result<Operation, Error> {
        let config = &self.iterable.config;
        let (endpoint, create) = match config.write {
            Write::Bulk => (endpoints::USERS_BULK, None),
            Write::Single => (endpoints::USERS_UPDATE, config.create_new_fields),
        };
        let row = AddressRow { user_id: who.user_id(), create_new_fields: create, data_fields: AddressField { email } };
        let name = who.name();
        Ok(self.operation(endpoint, format!("{kind}:{name}"), profile(&name), bytes(&row, 128)?))
    }

    /// Puts the address of a `userId` in front of what is written under it, where nothing was written of the person yet: an
    /// order may come before its customer, and its journey would start at a profile that no mail can be sent to. Not in the
    /// call itself: there an address that a guest has would have the purchase refused, where the row has the guest merged.
    pub(super) fn introduce(&mut self, body: &Body) -> Result<(), Error> {
        let told_itself = match body {
            Body::Contact(_) => !self.aside(),
            Body::Event(event) => event.name == EventName::EmailChanged,
            Body::ContactDeleted(_) => true,
            _ => false,
        };
        if told_itself || self.built.operations.is_empty() || self.iterable.project == ProjectType::Email {
            return Ok(());
        }
        let identity = &self.envelope.identity;
        let Some(email) = identity.email.as_deref().filter(|email| ids::email_fault(email).is_none()) else { return Ok(()) };
        let Ok(who @ Who::UserId { .. }) = ids::who(&self.iterable.config, self.iterable.project, identity) else { return Ok(()) };
        let mut operation = self.address_row("contact", &who, email)?;
        // Not the customer's version, whatever the record is of: the first record of the customer counts.
        operation.version = None;
        operation.delta = Some("/dataFields".into());
        operation.idempotency_key = IdempotencyKey::new(format!("{}{}", self.envelope.idempotency_key, join::INTRODUCTION));
        self.built.provided.push(Provided { given: Given::Unknown, operation });
        Ok(())
    }

    /// Merges what a session gathered into the profile of who signed in.
    pub(super) fn signed_in(&mut self, previous: &Identity, who: &Who<'_>) -> Result<(), Error> {
        let session = Identity { anonymous_id: previous.anonymous_id.clone(), ..Identity::default() };
        // Only where such profiles are made at all.
        let Ok(Who::UserId { id, .. }) = ids::who(&self.iterable.config, self.iterable.project, &session) else { return Ok(()) };
        let destination = match who {
            Who::UserId { id: own, .. } if *own == id => return Ok(()),
            Who::UserId { id: own, .. } => Named::UserId(own.clone().into_owned()),
            Who::Email(email) => Named::Email((*email).to_owned()),
        };
        let body = join::merge_body(&Named::UserId(id.clone().into_owned()), &destination)?;
        // Behind what the session itself still has to write.
        let mut operation = self.operation(endpoints::MERGE, format!("merge:{id}"), profile(&id), body);
        operation.once = true;
        operation.idempotency_key = self.key(&format!("merge-{id}-{}", self.envelope.idempotency_key));
        self.built.operations.push(operation);
        Ok(())
    }

    /// Whether the contact was heard of by way of an order or cart.
    fn aside(&self) -> bool {
        matches!(self.envelope.resource.kind.as_str(), "order" | "cart" | "subscriber")
    }

    fn subscription(&mut self, consent: &Consent, who: &Who<'_>, name: &str) -> Result<(), Error> {
        let granted = match consent.status {
            ConsentStatus::Granted => true,
            ConsentStatus::Denied => false,
            // Silence is no answer, whatever Iterable takes it for.
            ConsentStatus::Pending | ConsentStatus::Unknown => return Ok(()),
        };
        let config = &self.iterable.config;
        let channel = consent.channel.as_str();
        let Some(target) = config.consent.get(channel) else {
            self.skip(SkipReason::NotConfigured, format!("permission for `{channel}` needs a message type in `consent`"));
            return Ok(());
        };
        if granted && self.quiet(config.backfill_grants) {
            self.skip(
                SkipReason::BackfillQuiet,
                format!("a subscription to `{channel}` can start a welcome journey; see `backfill_grants`"),
            );
            return Ok(());
        }
        let (endpoint, params) = match (config.subscriptions, who) {
            (Subscriptions::ReadModifyWrite, _) => (endpoints::SUBSCRIPTIONS, BTreeMap::new()),
            (Subscriptions::Additive, Who::Email(email)) => (
                if granted { endpoints::SUBSCRIBE_EMAIL } else { endpoints::UNSUBSCRIBE_EMAIL },
                subscription_path(target.message_type, "email", email),
            ),
            (Subscriptions::Additive, Who::UserId { id, .. }) => (
                if granted { endpoints::SUBSCRIBE_USER_ID } else { endpoints::UNSUBSCRIBE_USER_ID },
                subscription_path(target.message_type, "userId", id),
            ),
        };
        let body = bytes(
            &SubscriptionRow {
                email: who.email(),
                user_id: who.user_id(),
                channel,
                granted,
                message_type: target.message_type,
                message_channel: target.channel,
                opt_in: target.policy == Policy::OptIn,
                at: consent.at.map(Stamp),
            },
            192,
        )?;
        let entity = format!("consent:{name}:{channel}");
        let mut operation = self.operation(endpoint, entity.clone(), profile(name), body);
        operation.params = params;
        operation.idempotency_key = IdempotencyKey::new(format!("{}:consent:{channel}", self.envelope.idempotency_key));
        operation.supersedes = vec![entity];
        if self.aside() {
            operation.version = None;
        }
        self.built.operations.push(operation);
        Ok(())
    }

    pub(super) fn contact_deleted(&mut self, deleted: &ContactDeleted) -> Result<(), Error> {
        let config = &self.iterable.config;
        if !deleted.erase && config.contact_deleted == ContactDeletion::Keep {
            self.skip(SkipReason::NotConfigured, "a deletion that is no erasure leaves the profile; see `contact_deleted`");
            return Ok(());
        }
        let Some(who) = self.who() else { return Ok(()) };
        let name = who.name();
        let entity = format!("contact:{name}");
        let body = bytes(&UserRef { email: who.email(), user_id: who.user_id() }, 96)?;
        let forget = deleted.erase && config.erase == Erase::Forget;
        let endpoint = match &who {
            _ if forget => endpoints::FORGET,
            Who::Email(_) => endpoints::DELETE_BY_EMAIL,
            Who::UserId { .. } => endpoints::DELETE_BY_USER_ID,
        };
        let mut operation = self.operation(endpoint, entity.clone(), profile(&name), body);
        if !forget {
            operation.params = match &who {
                Who::Email(email) => BTreeMap::from([("email".to_owned(), (*email).to_owned())]),
                Who::UserId { id, .. } => BTreeMap::from([("userId".to_owned(), id.clone().into_owned())]),
            };
        }
        let lists: BTreeSet<u64> = config.lists.groups.values().chain(config.lists.stores.values()).copied().collect();
        let consents = config.consent.keys().map(|channel| format!("consent:{name}:{channel}"));
        operation.supersedes = consents.chain(lists.iter().map(|list| format!("list:{name}:{list}"))).chain([entity]).collect();
        self.built.operations.push(operation);
        Ok(())
    }
}

/// Someone on a list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListRow<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prefer_user_id: Option<bool>,
}

/// `users/updateEmail`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewAddress<'a> {
    current_email: &'a str,
    new_email: &'a str,
}

/// An address and nothing else, for a profile known by its `userId`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AddressRow<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    create_new_fields: Option<bool>,
    data_fields: AddressField<'a>,
}

#[derive(Serialize)]
struct AddressField<'a> {
    email: &'a str,
}

/// The state of one subscription. Sent as it stands by no call; the request is made of it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SubscriptionRow<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    channel: &'a str,
    granted: bool,
    message_type: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_channel: Option<u64>,
    opt_in: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Stamp>,
}

fn subscription_path(message_type: u64, key: &str, id: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("group".to_owned(), "messageType".to_owned()),
        ("groupId".to_owned(), message_type.to_string()),
        (key.to_owned(), id.to_owned()),
    ])
}

fn is_e164(phone: &str) -> bool {
    phone.strip_prefix('+').is_some_and(|digits| (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()))
}
