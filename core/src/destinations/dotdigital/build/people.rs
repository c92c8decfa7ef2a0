//! People: what is known of them, what they allowed, and that they are gone.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::value::RawValue;

use super::super::capabilities as endpoints;
use super::super::config::{Backfilled, ContactDeletion, ContactWrite, DeleteWrite, Erase, Unknown};
use super::super::ids::{self, Who};
use super::super::json::{Object, Val, Value, dropped};
use super::super::rows::{Absent, Row, Task};
use super::{Builder, person};

use crate::error::{Error, ErrorCode};
use crate::model::{Address, AttributeValue, Channel, Consent, ConsentStatus, Contact, ContactDeleted, Event, Identity, SkipReason};

/// Data fields of a person, and which of them are dates.
struct Fields<'a> {
    values: Vec<(Cow<'a, str>, Val<'a>)>,
    dates: Vec<String>,
}

impl<'a> Builder<'a> {
    pub(super) fn contact(&mut self, contact: &'a Contact) -> Result<(), Error> {
        let Some(who) = self.who() else { return Ok(()) };
        let name = who.name();
        // A box ticked at the checkout says what is allowed and nothing else.
        let aside = matches!(self.envelope.resource.kind.as_str(), "order" | "cart" | "subscriber");
        let imported =
            !aside && self.is_backfill() && self.config.backfill_contacts == ContactWrite::Import && self.import(contact, &who, name)?;
        let mut withheld = false;
        for consent in Consent::strictest(&contact.consents) {
            if !(imported && who.contact_id.is_none() && in_import(&consent.channel)) {
                withheld |= self.consent(consent, &who, name, aside)? && consent.channel == Channel::Email;
            }
        }
        if !imported && !aside {
            self.profile(contact, &who, name, withheld)?;
        }
        if !aside {
            self.lists(contact, &who, name)?;
        }
        if aside && self.built.operations.is_empty() && self.built.skipped.is_empty() {
            self.skip(
                SkipReason::ConsentUnknown,
                "nothing is said about a permission, and the order or cart tells nothing else of the person",
            );
        }
        Ok(())
    }

    /// The profile, written after the contact was read.
    fn profile(&mut self, contact: &'a Contact, who: &Who<'a>, name: &str, withheld: bool) -> Result<(), Error> {
        let mut fields = self.fields(contact);
        for (identifier, value) in who.identifiers() {
            fields.values.push((format!("@{identifier}").into(), Val::Text(value.into())));
        }
        if fields.values.is_empty() {
            self.skip(SkipReason::Ignored, "nothing is known of the person but who they are");
            return Ok(());
        }
        let (by, id) = who.lookup();
        let absent = match self.config.unknown_contacts {
            // Without the mark a person created now would count as having left.
            _ if withheld && self.config.unasked_field().is_none() => Absent::Wait,
            Unknown::Create => Absent::Create,
            Unknown::Skip => Absent::Skip,
        };
        let row = Row {
            by: by.to_owned(),
            id: id.to_owned(),
            identifiers: who.identifiers().map(owned).collect(),
            fields: raw_members(&fields.values)?,
            dates: fields.dates,
            absent,
            ..Row::default()
        };
        let mut operation = self.operation(endpoints::PATCH, format!("contact:{name}"), person(name), row.bytes()?);
        operation.delta = Some("/fields".into());
        self.built.operations.push(operation);
        Ok(())
    }

    /// A row of an import, where it can subscribe nobody. Returns whether there is one.
    fn import(&mut self, contact: &'a Contact, who: &Who<'a>, name: &str) -> Result<bool, Error> {
        let status = |channel: &Channel| Consent::strictest(&contact.consents).find(|consent| consent.channel == *channel);
        let decided = |consent: Option<&'a Consent>| consent.map(|consent| consent.status);
        let email = decided(status(&Channel::Email));
        let sms = decided(status(&Channel::Sms));
        let grants = self.config.import_grants && self.config.backfill_grants == Backfilled::Send;
        let allowed = match (who.contact_id, email) {
            (Some(_), _) | (None, Some(ConsentStatus::Denied)) => true,
            (None, Some(ConsentStatus::Granted)) => grants,
            _ => false,
        };
        if !allowed || (who.contact_id.is_none() && who.email.is_none()) {
            return Ok(false);
        }
        let mut row = Object::new(6);
        let mut identifiers = Object::new(4);
        let mut channels = Object::new(2);
        if let Some(id) = who.contact_id {
            row.put("matchIdentifier", ids::CONTACT_ID);
            identifiers.opt(ids::CONTACT_ID, id.parse::<i64>().ok());
        } else {
            row.put("matchIdentifier", ids::EMAIL);
            let mut own = Object::new(3);
            if email == Some(ConsentStatus::Granted) {
                own.opt("optInType", self.config.opt_in_type.map(|kind| kind.as_str()));
                own.put("status", "subscribed");
                let mut options = Object::new(1);
                options.put("resubscribeWithNoChallenge", false);
                own.put("resubscribeOptions", options);
            } else {
                own.put("status", "unsubscribed");
            }
            channels.put("email", own);
            // A number that is new to a contact gets the account's default permission unless one is in the row.
            let text = match sms {
                Some(ConsentStatus::Granted) if grants => Some("subscribed"),
                Some(ConsentStatus::Denied) => Some("unsubscribed"),
                _ => None,
            };
            if let (Some(status), Some(mobile)) = (text, who.mobile) {
                identifiers.put(ids::MOBILE, mobile);
                let mut own = Object::new(1);
                own.put("status", status);
                channels.put("sms", own);
            }
        }
        identifiers.opt(ids::EMAIL, who.email);
        if let Some((identifier, value)) = who.custom {
            identifiers.put_named(identifier, value);
        }
        row.put("identifiers", identifiers);
        let fields = self.fields(contact);
        row.object("dataFields", |object| fields.values.iter().for_each(|(name, value)| object.put_named(name, value)));
        row.put("channelProperties", channels);
        if email == Some(ConsentStatus::Granted)
            && who.contact_id.is_none()
            && let Some(target) = self.config.consent.get("email")
        {
            if self.config.backfill_lists == Backfilled::Send {
                row.put("lists", target.lists.iter().filter_map(|id| i64::try_from(*id).ok()).collect::<Vec<_>>());
            }
            row.put("preferences", target.preference.map(|id| preference(id, true)).into_iter().collect::<Vec<_>>());
        }
        let body = row.bytes()?;
        let mut operation = self.operation(endpoints::IMPORT, format!("contact:{name}"), person(name), body);
        operation.supersedes = vec![format!("contact:{name}")];
        self.built.operations.push(operation);
        Ok(true)
    }

    /// One permission. Returns whether a yes was withheld.
    fn consent(&mut self, consent: &'a Consent, who: &Who<'a>, name: &str, aside: bool) -> Result<bool, Error> {
        let granted = match consent.status {
            ConsentStatus::Granted => true,
            ConsentStatus::Denied => false,
            // Silence is no answer, whatever Dotdigital takes it for.
            ConsentStatus::Pending | ConsentStatus::Unknown => return Ok(false),
        };
        let channel = consent.channel.as_str();
        let (spelled, reachable) = match consent.channel {
            Channel::Email => ("email", who.email.is_some()),
            Channel::Sms => ("sms", who.mobile.is_some()),
            Channel::Whatsapp => ("whatsApp", who.mobile.is_some()),
            _ => {
                self.skip(SkipReason::NotSupported, format!("Dotdigital keeps no permission for `{channel}`"));
                return Ok(false);
            }
        };
        if !reachable {
            self.skip(SkipReason::NotSupported, format!("a permission for `{channel}` needs the address or number it is about"));
            return Ok(false);
        }
        if granted && self.is_backfill() && self.config.backfill_grants == Backfilled::Withhold {
            self.skip(
                SkipReason::BackfillQuiet,
                format!("a subscription to `{channel}` can start a welcome program; see `backfill_grants`"),
            );
            return Ok(true);
        }
        let target = self.config.consent.get(channel);
        let lists = target.filter(|_| granted).map(|target| target.lists.clone()).unwrap_or_default();
        let quiet_lists = self.is_backfill() && self.config.backfill_lists == Backfilled::Withhold;
        let record = match target.filter(|target| granted && target.record) {
            Some(target) => self.consent_record(consent, target)?,
            None => None,
        };
        let (by, id) = who.lookup();
        let row = Row {
            task: Task::Consent,
            by: by.to_owned(),
            id: id.to_owned(),
            // The number stands in a row about the number only: a new one would get the account's default permission.
            identifiers: who.identifiers().filter(|(name, _)| *name != ids::MOBILE || spelled != "email").map(owned).collect(),
            channel: spelled.to_owned(),
            granted,
            at: consent.at,
            record,
            lists: if quiet_lists { Vec::new() } else { lists },
            preference: target.and_then(|target| target.preference),
            quiet: self.is_backfill(),
            ..Row::default()
        };
        let entity = format!("consent:{name}:{channel}");
        let mut operation = self.operation(endpoints::PATCH, entity.clone(), person(name), row.bytes()?);
        operation.idempotency_key = self.key(&format!("consent:{channel}"));
        operation.supersedes = vec![entity];
        if aside {
            operation.version = None;
        }
        self.built.operations.push(operation);
        Ok(false)
    }

    /// What proves a yes, where all of it is known: nothing of it may be made up.
    fn consent_record(&mut self, consent: &Consent, target: &super::super::ConsentTarget) -> Result<Option<Box<RawValue>>, Error> {
        let evidence: BTreeMap<String, String> =
            consent.evidence.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let known = |names: [&str; 2]| names.iter().find_map(|name| evidence.get(*name)).filter(|text| !text.is_empty());
        let text = known(["text", "text"]).or(target.text.as_ref());
        let url = known(["url", "page"]).or(target.url.as_ref());
        let address = known(["ip", "ipAddress"]).filter(|ip| ip.parse::<core::net::IpAddr>().is_ok());
        let (Some(at), Some(text), Some(url), Some(ip), Some(agent)) = (consent.at, text, url, address, known(["userAgent", "user_agent"]))
        else {
            let why = "a consent record needs time, text, page, IP address and user agent; the yes is written without one";
            self.skip(SkipReason::NotSupported, why);
            return Ok(None);
        };
        let mut record = Object::new(5);
        record.put("text", text);
        record.put("dateTimeConsented", at);
        record.put("url", url);
        record.put("ipAddress", ip);
        record.put("userAgent", agent);
        raw(record.bytes()?).map(Some)
    }

    /// Lists that mirror customer groups.
    fn lists(&mut self, contact: &'a Contact, who: &Who<'a>, name: &str) -> Result<(), Error> {
        for (group, list) in &self.config.group_lists {
            let member = contact.groups.contains(group);
            if member && self.is_backfill() && self.config.backfill_lists == Backfilled::Withhold {
                self.skip(SkipReason::BackfillQuiet, "joining a list can start a program; see `backfill_lists`");
                continue;
            }
            let (by, id) = who.lookup();
            let row = Row { task: Task::List, by: by.to_owned(), id: id.to_owned(), list: *list, granted: member, ..Row::default() };
            let endpoint = if member { endpoints::PATCH } else { endpoints::LEAVE_LIST };
            let entity = format!("list:{name}:{list}");
            let mut operation = self.operation(endpoint, entity.clone(), person(name), row.bytes()?);
            operation.idempotency_key = self.key(&format!("list:{list}"));
            operation.supersedes = vec![entity];
            self.built.operations.push(operation);
        }
        Ok(())
    }

    /// A new address for a known person.
    pub(super) fn email_changed(&mut self, event: &'a Event) -> Result<(), Error> {
        let Some(who) = self.who() else { return Ok(()) };
        let old = event.previous.as_deref().map_or(Identity::default(), Clone::clone).email;
        let (Some(old), Some(new)) = (old, who.email) else {
            self.skip(SkipReason::Ignored, "the event does not tell both the old and the new address");
            return Ok(());
        };
        if old == new || ids::email_fault(&old).is_some() {
            self.skip(SkipReason::Ignored, "the old address is none, or is the new one");
            return Ok(());
        }
        let row = Row {
            task: Task::Rename,
            by: ids::EMAIL.to_owned(),
            id: old,
            identifiers: BTreeMap::from([(ids::EMAIL.to_owned(), new.to_owned())]),
            ..Row::default()
        };
        let name = who.name();
        // In front of whatever the new address is written with next.
        let mut operation = self.operation(endpoints::PATCH, format!("address:{name}"), person(name), row.bytes()?);
        operation.idempotency_key = self.key("address");
        operation.version = None;
        self.built.operations.push(operation);
        Ok(())
    }

    pub(super) fn contact_deleted(&mut self, deleted: &ContactDeleted) -> Result<(), Error> {
        let config = self.config;
        if !deleted.erase && config.contact_deleted == ContactDeletion::Keep {
            self.skip(SkipReason::NotConfigured, "a deletion that is no erasure leaves the contact; see `contact_deleted`");
            return Ok(());
        }
        let Some(who) = self.who() else { return Ok(()) };
        let (name, entity) = (who.name(), format!("contact:{}", who.name()));
        if deleted.erase && config.erase == Erase::DeleteAll {
            let names = &config.collections;
            for collection in [&names.orders, &names.carts, &names.refunds, &names.returns, &names.shipments] {
                if !collection.is_empty() {
                    let (identifier, value) = who.insight();
                    let mut operation =
                        self.operation(endpoints::EMPTY, format!("emptied:{name}:{collection}"), person(name), b"null".to_vec());
                    operation.idempotency_key = self.key(&format!("empty:{collection}"));
                    operation.params = BTreeMap::from([
                        ("identifier".to_owned(), identifier.to_owned()),
                        ("value".to_owned(), value.to_owned()),
                        ("collection".to_owned(), collection.clone()),
                    ]);
                    self.built.operations.push(operation);
                }
            }
        }
        let (by, id) = who.lookup();
        let mut row = Object::new(1);
        match id.parse::<i64>() {
            Ok(number) if by == ids::CONTACT_ID => row.put_named(by, number),
            _ => row.put_named(by, id),
        }
        let bulk = config.delete_write == DeleteWrite::Bulk;
        let endpoint = if bulk { endpoints::BULK_DELETE } else { endpoints::DELETE };
        let mut operation = self.operation(endpoint, entity.clone(), person(name), row.bytes()?);
        operation.params = BTreeMap::from([("identifier".to_owned(), by.to_owned()), ("value".to_owned(), id.to_owned())]);
        let channels = ["email", "sms", "whatsapp"].map(|channel| format!("consent:{name}:{channel}"));
        let lists = config.group_lists.values().map(|list| format!("list:{name}:{list}"));
        operation.supersedes = [entity].into_iter().chain(channels).chain(lists).collect();
        self.built.operations.push(operation);
        Ok(())
    }

    /// What is known of a person as data fields.
    fn fields(&mut self, contact: &'a Contact) -> Fields<'a> {
        let (market, identity) = (&self.envelope.market, &self.envelope.identity);
        let mut fields = Fields { values: Vec::with_capacity(32), dates: Vec::new() };
        let text = |text: &'a Option<String>| text.as_deref().filter(|text| !text.is_empty());
        let joined = |list: &'a [String]| (!list.is_empty()).then(|| list.join(", "));
        self.text(&mut fields, "first_name", "FIRSTNAME", text(&contact.first_name));
        self.text(&mut fields, "last_name", "LASTNAME", text(&contact.last_name));
        self.text(&mut fields, "middle_name", "MIDDLENAME", text(&contact.middle_name));
        self.text(&mut fields, "salutation", "TITLE", text(&contact.salutation));
        self.text(&mut fields, "title", "NAME_TITLE", text(&contact.title));
        self.text(&mut fields, "company", "COMPANY", text(&contact.company));
        self.text(&mut fields, "vat_id", "VAT_ID", text(&contact.vat_id));
        self.text(&mut fields, "gender", "GENDER", text(&contact.gender));
        self.day(
            &mut fields,
            "date_of_birth",
            "DOB",
            contact.date_of_birth.and_then(|day| day.and_hms_opt(0, 0, 0)).map(|at| at.and_utc()),
        );
        self.text(&mut fields, "customer_number", "CUSTOMER_NUMBER", text(&contact.customer_number));
        self.text(&mut fields, "customer_id", "SHOP_CUSTOMER_ID", text(&identity.customer_id));
        self.put(&mut fields, "email_verified", "EMAIL_VERIFIED", contact.email_verified.map(Val::Truth));
        self.text(&mut fields, "timezone", "TIME_ZONE", text(&contact.timezone));
        self.text(&mut fields, "locale", "LOCALE", text(&market.locale));
        self.text(&mut fields, "country", "COUNTRY", text(&market.country));
        self.text(&mut fields, "store", "STORE_NAME", text(&market.store));
        self.text(&mut fields, "customer_group", "CUSTOMER_GROUP", contact.groups.first().map(String::as_str));
        self.owned_text(&mut fields, "customer_groups", "CUSTOMER_GROUPS", joined(&contact.groups));
        self.owned_text(&mut fields, "stores", "STORES", joined(&contact.stores));
        self.day(&mut fields, "created_at", "ACCOUNT_CREATED_DATE", contact.created_at);
        let shipping = contact.addresses.iter().find(|address| address.default_shipping);
        let billing = contact.addresses.iter().find(|address| address.default_billing);
        let main = shipping.or(billing).or_else(|| contact.addresses.first());
        self.text(&mut fields, "postal_code", "POSTCODE", main.and_then(|address| text(&address.postal_code)));
        if let Some(address) = shipping {
            self.address(&mut fields, "delivery", address);
        }
        if let Some(address) = billing {
            self.address(&mut fields, "billing", address);
        }
        for (name, value) in &contact.attributes {
            self.attribute(&mut fields, name, value);
        }
        fields
    }

    fn address(&mut self, fields: &mut Fields<'a>, kind: &str, address: &'a Address) {
        let parts: [(&str, &'a Option<String>); 8] = [
            ("address_1", &address.line1),
            ("address_2", &address.line2),
            ("city", &address.city),
            ("state", &address.region),
            ("country", &address.country),
            ("postcode", &address.postal_code),
            ("telephone", &address.phone),
            ("company", &address.company),
        ];
        for (part, value) in parts {
            if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
                let canonical = format!("{kind}_{part}");
                let name = canonical.to_ascii_uppercase();
                self.text(fields, &canonical, &name, Some(value));
            }
        }
    }

    fn attribute(&mut self, fields: &mut Fields<'a>, name: &'a str, value: &'a AttributeValue) {
        let configured = self.config.data_fields.get(name);
        if configured.is_some_and(String::is_empty) {
            return;
        }
        let field = configured.cloned().unwrap_or_else(|| ids::field_name(name));
        let fault = ids::field_fault(&field).or_else(|| {
            let taken = fields.values.iter().any(|(own, _)| own.eq_ignore_ascii_case(&field));
            taken.then_some("another value has that data field; give it another in `data_fields`")
        });
        let (value, fault) = match (fault, scalar(value)) {
            (Some(fault), _) | (None, Err(fault)) => (None, Some(fault)),
            (None, Ok(value)) => (value, None),
        };
        if let Some(fault) = fault {
            self.built.findings.push(dropped("/body/attributes", name, fault));
        } else if let Some(value) = value {
            if matches!(value, Val::At(_)) {
                fields.dates.push(field.clone());
            }
            fields.values.push((field.into(), value));
        }
    }

    fn text(&mut self, fields: &mut Fields<'a>, canonical: &str, default: &str, value: Option<&'a str>) {
        self.put(fields, canonical, default, value.map(|text| Val::Text(text.into())));
    }

    fn owned_text(&mut self, fields: &mut Fields<'a>, canonical: &str, default: &str, value: Option<String>) {
        self.put(fields, canonical, default, value.map(|text| Val::Text(text.into())));
    }

    fn day(&mut self, fields: &mut Fields<'a>, canonical: &str, default: &str, value: Option<DateTime<Utc>>) {
        self.put(fields, canonical, default, value.map(Val::At));
    }

    fn put(&mut self, fields: &mut Fields<'a>, canonical: &str, default: &str, value: Option<Val<'a>>) {
        let Some(value) = value else { return };
        let name = self.config.data_fields.get(canonical).map_or(default, String::as_str);
        if name.is_empty() {
            return;
        }
        if matches!(&value, Val::Text(text) if text.chars().count() > endpoints::MAX_FIELD_TEXT) {
            self.built.findings.push(dropped("/body", canonical, "a data field takes at most 1,000 characters"));
            return;
        }
        if matches!(value, Val::At(_)) {
            fields.dates.push(name.to_owned());
        }
        fields.values.push((name.to_owned().into(), value));
    }
}

/// Permissions that a row of an import holds.
fn in_import(channel: &Channel) -> bool {
    matches!(channel, Channel::Email)
}

/// An attribute as one flat value, `None` where there is nothing to write.
fn scalar(value: &AttributeValue) -> Result<Option<Val<'_>>, &'static str> {
    let number = |number: Decimal| {
        let number = number.normalize();
        let whole = number.trunc().abs() < Decimal::from(1_000_000_000_000_000_000_i64);
        if number.scale() <= 9 && whole {
            Ok(Some(Val::Number(number)))
        } else {
            Err("a number has at most 18 digits before the point and 9 after it")
        }
    };
    match value {
        AttributeValue::Boolean(truth) => Ok(Some(Val::Truth(*truth))),
        AttributeValue::Integer(whole) if whole.unsigned_abs() < 1_000_000_000_000_000_000 => Ok(Some(Val::Whole(*whole))),
        AttributeValue::Integer(_) => Err("a number has at most 18 digits"),
        AttributeValue::Decimal(decimal) => number(*decimal),
        AttributeValue::Money(money) => number(money.amount),
        AttributeValue::Text(text) if text.is_empty() => Ok(None),
        AttributeValue::Text(text) if text.chars().count() > endpoints::MAX_FIELD_TEXT => {
            Err("a data field takes at most 1,000 characters")
        }
        AttributeValue::Text(text) => Ok(Some(Val::Text(text.into()))),
        AttributeValue::Date(day) => Ok(day.and_hms_opt(0, 0, 0).map(|at| Val::At(at.and_utc()))),
        AttributeValue::DateTime(at) => Ok(Some(Val::At(*at))),
        AttributeValue::List(values) => {
            let texts: Option<Vec<&str>> =
                values.iter().map(|value| if let AttributeValue::Text(text) = value { Some(text.as_str()) } else { None }).collect();
            let joined = texts.ok_or("a data field takes a list of texts only")?.join(", ");
            if joined.chars().count() > endpoints::MAX_FIELD_TEXT {
                return Err("a data field takes at most 1,000 characters");
            }
            Ok((!joined.is_empty()).then(|| Val::Text(joined.into())))
        }
        AttributeValue::Object(_) => Err("a data field is flat; it takes no object"),
    }
}

fn preference(id: u64, answer: bool) -> Object {
    let mut object = Object::new(2);
    object.opt("id", i64::try_from(id).ok());
    object.put("isOptedIn", answer);
    object
}

fn owned((identifier, value): (&str, &str)) -> (String, String) {
    (identifier.to_owned(), value.to_owned())
}

fn raw(text: Vec<u8>) -> Result<Box<RawValue>, Error> {
    let internal = || Error::new(ErrorCode::Internal, "a value could not be written");
    let text = String::from_utf8(text).map_err(|error| internal().because(error))?;
    RawValue::from_string(text).map_err(|error| internal().because(error))
}

fn raw_members(values: &[(Cow<'_, str>, Val<'_>)]) -> Result<BTreeMap<String, Box<RawValue>>, Error> {
    let member = |(name, value): &(Cow<'_, str>, Val<'_>)| {
        let mut text = Vec::with_capacity(32);
        if !value.write(&mut text) {
            return Err(Error::new(ErrorCode::Internal, "a value could not be written"));
        }
        raw(text).map(|value| (name.to_string(), value))
    };
    values.iter().map(member).collect()
}
