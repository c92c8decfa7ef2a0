//! People: what is known of them, what they allowed, who they were before, and that they are gone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::super::Operation;
use super::super::capabilities as endpoints;
use super::super::config::{Api, ContactDeletion, EmailChange, Key, MissingContacts, Resubscribe, SmsOptIn};
use super::super::ids::{self, Who};
use super::super::payload::bytes;
use super::fields::Fields;
use super::{Builder, primary_key, profile};

use crate::error::Error;
use crate::model::{
    Channel, Consent, ConsentStatus, Contact, ContactDeleted, Event, EventName, Finding, FindingCode, IdempotencyKey, Identity, Instant,
    SkipReason,
};

/// The row of a contact. The request is made of it: `attributes` go to the top, less what the destination has already.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ContactRow<'a> {
    channels: Channels<'a>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    ids: BTreeMap<&'a str, &'a str>,
    identify_by: Vec<&'a str>,
    suppress_triggers: bool,
    attributes: Known<'a>,
}

/// Addresses stand here too, so that a new one counts as a change.
#[derive(Serialize)]
struct Known<'a> {
    channels: Channels<'a>,
    #[serde(flatten)]
    ids: BTreeMap<&'a str, &'a str>,
    #[serde(flatten)]
    fields: Fields,
}

type Channels<'a> = BTreeMap<&'a str, Address<'a>>;

#[derive(Clone, Serialize)]
struct Address<'a> {
    address: &'a str,
}

/// The row of a permission. The request is made of it and of what the contact shows.
#[derive(Serialize, Deserialize)]
pub(in super::super) struct Grant {
    /// The account's key of the channel.
    pub channel: String,
    pub address: String,
    /// The e-mail as it is, which Cordial requires whatever else is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<(String, String)>,
    pub at: Option<Instant>,
    /// A backfill: nothing starts, and nobody comes back.
    pub quiet: bool,
    /// Whether a provably newer yes brings back who left.
    pub resubscribe: bool,
    /// For text messages: whether Cordial skips its own question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<bool>,
}

/// The row of a no.
#[derive(Serialize)]
struct Denial {
    at: Option<Instant>,
}

impl<'a> Builder<'a> {
    pub(super) fn contact(&mut self, contact: &'a Contact) -> Result<(), Error> {
        let Some(who) = self.who() else { return Ok(()) };
        let config = &self.cordial.config;
        if who.email.is_none() && !config.contacts_without_email {
            let why = "Cordial requires an e-mail of a contact; see `contacts_without_email`";
            self.built.findings.push(Finding::new(FindingCode::IdentityUnusable, "/envelope/identity/email", why));
            return Ok(());
        }
        let aside = matches!(self.envelope.resource.kind.as_str(), "order" | "cart" | "subscriber");
        let consents: Vec<&Consent> = Consent::strictest(&contact.consents).collect();
        let fields = Fields::of(config, self.envelope, &who, contact, &consents, aside, &mut self.built.findings);
        let name = who.name();
        if aside {
            // A box ticked at the checkout says what is allowed and nothing else.
            self.ensure(&who)?;
            if !fields.is_empty() {
                let mut operation = self.contact_row(&who, fields, format!("permission:{name}"))?;
                operation.version = None;
                self.built.operations.extend(Some(operation));
            }
        } else {
            let mut operation = self.contact_row(&who, fields, format!("contact:{name}"))?;
            operation.delta = Some("/attributes".into());
            self.built.operations.push(operation);
        }
        for consent in consents {
            self.permission(consent, &who, &name, aside)?;
        }
        Ok(())
    }

    fn contact_row(&self, who: &Who<'a>, fields: Fields, entity: String) -> Result<Operation, Error> {
        let cordial = self.cordial;
        let config = &cordial.config;
        let file = self.is_backfill() && config.imports.is_some() && fields.fit_a_file() && who.email.is_some();
        let endpoint = match (self.is_backfill(), config.api) {
            (true, _) if file => endpoints::FILE_CONTACTS,
            (false, Api::Async) => endpoints::CONTACT_ASYNC,
            _ => endpoints::CONTACT,
        };
        let quiet = self.is_backfill() || !config.triggers.contacts;
        let row = self.row(who, fields, quiet);
        let body = bytes(&row, 768)?;
        Ok(self.operation(endpoint, entity, profile(&who.name()), body))
    }

    fn row<'b>(&'b self, who: &'b Who<'a>, fields: Fields, suppress_triggers: bool) -> ContactRow<'b> {
        let config = &self.cordial.config;
        let mut channels = Channels::new();
        for (channel, key) in &config.channels {
            let address = match channel.as_str() {
                "email" => who.email,
                "sms" | "whatsapp" => who.phone.as_deref(),
                _ => None,
            };
            if let Some(address) = address {
                channels.insert(key, Address { address });
            }
        }
        let mut ids = BTreeMap::new();
        if let (Some(key), Some(id)) = (&config.customer_id_attribute, &who.customer_id) {
            ids.insert(key.as_str(), id.as_ref());
        }
        let identify_by = self
            .cordial
            .checked
            .identify_by
            .iter()
            .filter_map(|key| match key {
                Key::Email => who.email.map(|_| "email"),
                Key::CustomerId => who.customer_id.as_ref().and(config.customer_id_attribute.as_deref()),
                Key::Phone(name) => who.phone.as_ref().map(|_| name.as_str()),
            })
            .collect();
        let attributes = Known { channels: channels.clone(), ids: ids.clone(), fields };
        ContactRow { channels, ids, identify_by, suppress_triggers, attributes }
    }

    /// Makes the contact that an order, cart or event is about, once: Cordial refuses data about people it does not know.
    pub(super) fn ensure(&mut self, who: &Who<'a>) -> Result<(), Error> {
        if self.cordial.config.missing_contacts == MissingContacts::Wait || who.email.is_none() {
            return Ok(());
        }
        let name = who.name();
        let body = bytes(&self.row(who, Fields::default(), true), 256)?;
        let mut operation = self.operation(endpoints::CONTACT, format!("known:{name}"), profile(&name), body);
        operation.version = None;
        operation.idempotency_key = IdempotencyKey::new(format!("{}:known", self.envelope.idempotency_key));
        self.built.operations.push(operation);
        Ok(())
    }

    fn permission(&mut self, consent: &Consent, who: &Who<'a>, name: &str, aside: bool) -> Result<(), Error> {
        let granted = match consent.status {
            ConsentStatus::Granted => true,
            ConsentStatus::Denied => false,
            // Silence is no answer, and Cordial's `none` is what it has already.
            ConsentStatus::Pending | ConsentStatus::Unknown => return Ok(()),
        };
        let config = &self.cordial.config;
        let channel = consent.channel.as_str();
        let Some(key) = config.channels.get(channel) else {
            self.skip(SkipReason::NotConfigured, format!("permission for `{channel}` needs the channel's key in `channels`"));
            return Ok(());
        };
        if granted && self.withholds(config.backfill_grants) {
            self.skip(SkipReason::BackfillQuiet, format!("a yes for `{channel}` can start automations; see `backfill_grants`"));
            return Ok(());
        }
        let address = match &consent.channel {
            Channel::Email => who.email,
            Channel::Sms | Channel::Whatsapp => who.phone.as_deref(),
            _ => None,
        };
        let (endpoint, mut params, body) = if granted {
            let Some(address) = address else {
                self.skip(SkipReason::NotSupported, format!("a yes for `{channel}` needs an address of that channel"));
                return Ok(());
            };
            let text = consent.channel == Channel::Sms;
            if text && self.is_backfill() && config.sms_opt_in == SmsOptIn::Double {
                self.skip(SkipReason::BackfillQuiet, "Cordial would ask by text message; see `sms_opt_in`");
                return Ok(());
            }
            let row = Grant {
                channel: key.clone(),
                address: address.to_owned(),
                email: config
                    .channels
                    .get("email")
                    .filter(|email| *email != key)
                    .zip(who.email)
                    .map(|(key, email)| (key.clone(), email.to_owned())),
                at: consent.at,
                quiet: self.is_backfill(),
                resubscribe: config.resubscribe == Resubscribe::Newer,
                confirmed: text.then_some(config.sms_opt_in == SmsOptIn::Confirmed),
            };
            (endpoints::SUBSCRIBE, primary_key(who), bytes(&row, 160)?)
        } else {
            // Not sent: a later no is another one, though the call is the same.
            (endpoints::UNSUBSCRIBE, primary_key(who), bytes(&Denial { at: consent.at }, 64)?)
        };
        if !granted {
            params.insert("channel".to_owned(), key.clone());
        }
        let entity = format!("consent:{name}:{channel}");
        let mut operation = self.operation(endpoint, entity.clone(), profile(name), body);
        operation.params = params;
        operation.idempotency_key = IdempotencyKey::new(format!("{}:consent:{channel}", self.envelope.idempotency_key));
        operation.supersedes = vec![entity];
        if aside {
            operation.version = None;
        }
        self.built.operations.push(operation);
        Ok(())
    }

    pub(super) fn contact_deleted(&mut self, deleted: &ContactDeleted) -> Result<(), Error> {
        let config = &self.cordial.config;
        if !deleted.erase && config.contact_deleted == ContactDeletion::Keep {
            self.skip(SkipReason::NotConfigured, "a deletion that is no erasure leaves the contact; see `contact_deleted`");
            return Ok(());
        }
        let Some(who) = self.who() else { return Ok(()) };
        let name = who.name();
        let entity = format!("contact:{name}");
        let mut operation = self.operation(endpoints::DELETE, entity.clone(), profile(&name), b"null".to_vec());
        operation.params = primary_key(&who);
        operation.supersedes = config
            .channels
            .keys()
            .map(|channel| format!("consent:{name}:{channel}"))
            .chain([entity, format!("known:{name}"), format!("permission:{name}")])
            .collect();
        self.built.operations.push(operation);
        Ok(())
    }

    /// What an event says of who the person was before: a changed address, two people who turn out to be one.
    pub(super) fn joined(&mut self, event: &'a Event, who: &Who<'a>) -> Result<(), Error> {
        let Some(previous) = event.previous.as_deref() else { return Ok(()) };
        let config = &self.cordial.config;
        let leading = self.cordial.checked.identify_by.first();
        if event.name == EventName::EmailChanged {
            let Some(old) = previous.email.as_deref().filter(|old| Some(*old) != who.email) else { return Ok(()) };
            if leading == Some(&Key::CustomerId) && who.customer_id.is_some() {
                self.skip(SkipReason::Superseded, "the contact is found by customer id; its own record carries the new address");
                return Ok(());
            }
            return match config.email_change {
                EmailChange::Skip => {
                    self.skip(SkipReason::NotConfigured, "a changed address makes a second contact; see `email_change`");
                    Ok(())
                }
                EmailChange::Update => self.rename(old, who),
                EmailChange::Merge => self.merge(&format!("email:{old}"), who),
            };
        }
        let source = match ids::who(config, &self.cordial.checked, previous) {
            Ok(source) => source,
            Err(_) => {
                if is_only_anonymous(previous) {
                    self.skip(SkipReason::NotSupported, "Cordial's API knows no anonymous visitors to join");
                }
                return Ok(());
            }
        };
        if source.path() == who.path() {
            return Ok(());
        }
        if !config.merge {
            self.skip(SkipReason::NotConfigured, "two contacts turn out to be one person; see `merge`");
            return Ok(());
        }
        self.merge(&source.path(), who)
    }

    fn rename(&mut self, old: &str, who: &Who<'a>) -> Result<(), Error> {
        let Some(address) = who.email else { return Ok(()) };
        if ids::email_fault(old).is_some() {
            return Ok(());
        }
        let key = self.cordial.config.channels.get("email").map_or("email", String::as_str);
        let row = Rename { channels: BTreeMap::from([(key, Address { address })]), suppress_triggers: true };
        let body = bytes(&row, 128)?;
        let name = who.name();
        let mut operation = self.operation(endpoints::RENAME, format!("address:{name}"), profile(&name), body);
        operation.params = BTreeMap::from([("primary_key".to_owned(), format!("email:{old}"))]);
        operation.idempotency_key = IdempotencyKey::new(format!("{}:address", self.envelope.idempotency_key));
        self.built.operations.push(operation);
        Ok(())
    }

    fn merge(&mut self, source: &str, who: &Who<'a>) -> Result<(), Error> {
        self.ensure(who)?;
        let destination = who.path();
        let row = Merge { source_contact: source, destination_contact: &destination, options: MergeOptions::default() };
        let body = bytes(&row, 384)?;
        let name = who.name();
        let mut operation = self.operation(endpoints::MERGE, format!("merge:{name}"), profile(&name), body);
        operation.once = true;
        operation.idempotency_key = IdempotencyKey::new(format!("{}:merge", self.envelope.idempotency_key));
        self.built.operations.push(operation);
        Ok(())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rename<'a> {
    channels: Channels<'a>,
    suppress_triggers: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Merge<'a> {
    source_contact: &'a str,
    destination_contact: &'a str,
    options: MergeOptions,
}

/// All nine are required. What belongs to the person goes along; addresses, permissions, attributes and lists of the
/// contact that stays win, so that no permission is carried over to an address it was not given for.
#[derive(Serialize)]
struct MergeOptions {
    email_channels: &'static str,
    sms_channels: &'static str,
    push_channels: &'static str,
    orders: &'static str,
    events: &'static str,
    supplements: &'static str,
    cart: &'static str,
    attributes: &'static str,
    lists: &'static str,
}

impl Default for MergeOptions {
    fn default() -> Self {
        const STAYS: &str = "destinationContact";
        MergeOptions {
            email_channels: STAYS,
            sms_channels: STAYS,
            push_channels: "ignore",
            orders: "merge",
            events: "merge",
            supplements: STAYS,
            cart: "lastModified",
            attributes: STAYS,
            lists: STAYS,
        }
    }
}

fn is_only_anonymous(identity: &Identity) -> bool {
    identity.anonymous_id.is_some() && identity.email.is_none() && identity.customer_id.is_none() && identity.phone.is_none()
}
