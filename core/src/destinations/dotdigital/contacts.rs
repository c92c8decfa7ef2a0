//! What to write to a contact as just read.
//!
//! A change goes to the `contactId` that was read, so it can neither create anyone nor restore anyone from the recycle bin.
//! A new contact is made by the call that only creates, always with a status: without one Dotdigital subscribes it.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::{Completed, Operation, Refusal, Reply, Request, Skip};
use super::capabilities as endpoints;
use super::config::{Resubscribe, UnaskedYes};
use super::json::Object;
use super::rows::{Absent, Row, Task};
use super::{Dotdigital, ids, named, reply};
use crate::error::{Error, ErrorCode};
use crate::model::SkipReason;

/// A contact as Dotdigital shows it; whatever is missing or of another shape counts as unknown.
pub(super) struct Found<'a>(&'a Value);

impl<'a> Found<'a> {
    pub(super) const fn new(contact: &'a Value) -> Self {
        Found(contact)
    }

    fn id(&self) -> Option<i64> {
        self.0["contactId"].as_i64()
    }

    fn updated(&self) -> Option<DateTime<Utc>> {
        self.0["updated"].as_str()?.parse().ok()
    }

    /// The status of a channel in lower case; read and written words differ in case.
    pub(super) fn status(&self, channel: &str) -> Option<String> {
        self.0["channelProperties"][channel]["status"].as_str().map(str::to_ascii_lowercase)
    }

    pub(super) fn is_binned(&self) -> bool {
        let statuses = [self.0["status"].as_str().map(str::to_ascii_lowercase), self.status("email")];
        statuses.iter().flatten().any(|status| matches!(status.as_str(), "binned" | "deleted"))
    }

    pub(super) fn identifier(&self, name: &str) -> Option<&'a str> {
        self.0["identifiers"][name].as_str().filter(|text| !text.is_empty())
    }

    pub(super) fn field(&self, name: &str) -> Option<&'a Value> {
        let fields = self.0["dataFields"].as_object()?;
        fields.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value).filter(|value| !value.is_null())
    }

    pub(super) fn is_on(&self, list: u64) -> bool {
        self.0["lists"].as_array().is_some_and(|lists| lists.iter().any(|own| own["id"].as_u64() == Some(list)))
    }

    /// The answer to a marketing preference.
    pub(super) fn preference(&self, id: u64) -> Option<bool> {
        let all = self.0["preferences"].as_array()?;
        all.iter().find(|own| own["id"].as_u64() == Some(id)).and_then(|own| own["isOptedIn"].as_bool())
    }

    pub(super) fn has_record(&self, at: DateTime<Utc>) -> bool {
        let same = |record: &Value| record["dateTimeConsented"].as_str().and_then(|text| text.parse().ok()) == Some(at);
        self.0["consentRecords"].as_array().is_some_and(|records| records.iter().any(same))
    }

    /// Whether the contact was created by us without a permission and nobody ever subscribed it. Its status is then most
    /// likely no answer of the person; but whoever leaves what they never joined ends as they were, and whether that changes
    /// the contact at all is not published.
    fn is_unasked(&self, marker: Option<&str>) -> bool {
        let marked =
            marker.and_then(|name| self.field(name)).is_some_and(|value| value.as_bool() == Some(true) || value.as_str() == Some("True"));
        marked && self.field("LASTSUBSCRIBED").is_none()
    }

    /// Whether nothing changed since the contact was created.
    fn is_untouched(&self) -> bool {
        matches!((self.0["created"].as_str(), self.0["updated"].as_str()), (Some(made), Some(changed)) if made == changed)
    }
}

/// Decides what to send.
pub(super) fn complete(d: &Dotdigital, operation: &Operation, reply: &Reply) -> Result<Completed, Error> {
    let skip = |reason, detail: &str| Ok(Completed::Skip(Skip::new(reason, detail)));
    let value: Value;
    let found = match reply.status {
        200..=299 => match serde_json::from_slice(&reply.body) {
            Ok(contact) => {
                value = contact;
                Some(Found(&value))
            }
            Err(_) => return later(ErrorCode::Unavailable, "unreadable_reply", "the contact cannot be read", None),
        },
        404 => None,
        _ => return refused(reply),
    };
    let row = Row::of(operation)?;
    let Some(found) = found else { return absent(d, &row) };
    if found.is_binned() {
        return skip(SkipReason::Erased, "the contact is deleted at Dotdigital; writing it would restore it from the recycle bin");
    }
    let Some(id) = found.id() else {
        return later(ErrorCode::Unavailable, "unreadable_reply", "the contact has no id", None);
    };
    // Created by this very row before the account knew the mark.
    let mark = d.config.unasked_field().filter(|name| row.made && found.field(name).is_none());
    match row.task {
        Task::Profile => profile(d, &row, &found, id, mark),
        Task::Consent if mark.is_some() => {
            let (mut body, mut fields) = (Object::new(1), Object::new(1));
            fields.put_named(mark.unwrap_or_default(), true);
            body.put("dataFields", fields);
            Ok(Completed::Send(patch(d, id, body)?))
        }
        Task::Consent => consent(d, &row, &found, id),
        Task::Rename => {
            let mut body = Object::new(1);
            body.put("identifiers", identifiers(&row.identifiers));
            Ok(Completed::Send(patch(d, id, body)?))
        }
        Task::List if row.granted == found.is_on(row.list) => skip(SkipReason::Unchanged, "the list says so already"),
        Task::List if row.granted => {
            let mut body = Object::new(1);
            body.put("lists", numbers(&[row.list]));
            Ok(Completed::Send(patch(d, id, body)?))
        }
        Task::List => {
            let (list, id) = (row.list.to_string(), id.to_string());
            Ok(Completed::Send(d.call(endpoints::LEAVE_LIST, named(&[("list", &list), ("contactId", &id)]), None)?))
        }
        Task::Enrol => match found.status("email").as_deref() {
            Some("subscribed") => {
                let body = format!("{{\"programId\":{},\"contacts\":[{id}]}}", row.program);
                Ok(Completed::Send(d.call(endpoints::ENROL, |_| None, Some(body.into_bytes()))?))
            }
            _ => skip(SkipReason::DeniedAtDestination, "the person is not subscribed at Dotdigital; nobody else is enrolled in a program"),
        },
    }
}

/// Nobody of that name is there.
fn absent(d: &Dotdigital, row: &Row) -> Result<Completed, Error> {
    let skip = |reason, detail: &str| Ok(Completed::Skip(Skip::new(reason, detail)));
    match row.task {
        Task::Profile if row.absent == Absent::Skip => {
            skip(SkipReason::NotConfigured, "Dotdigital does not know the person; see `unknown_contacts`")
        }
        Task::Profile if row.absent == Absent::Wait => {
            skip(SkipReason::BackfillQuiet, "the person said yes, which is withheld; created now they would count as unsubscribed")
        }
        Task::Profile | Task::Consent if !row.identifiers.keys().any(|name| matches!(name.as_str(), ids::EMAIL | ids::MOBILE)) => {
            skip(SkipReason::NotSupported, "Dotdigital creates nobody without e-mail or phone number")
        }
        Task::Profile | Task::Consent => Ok(Completed::Send(create(d, row)?)),
        Task::Rename => skip(SkipReason::Unchanged, "Dotdigital does not know the old address"),
        Task::List if !row.granted => skip(SkipReason::Unchanged, "Dotdigital does not know the person, so they are on no list"),
        Task::List => later(ErrorCode::NotFound, "contact_missing", "the contact is not there yet", Some(Duration::from_secs(30))),
        Task::Enrol => skip(SkipReason::DeniedAtDestination, "Dotdigital does not know the person, so there is no permission to mail them"),
    }
}

/// A new contact: subscribed to what they said yes to, and to nothing else.
fn create(d: &Dotdigital, row: &Row) -> Result<Request, Error> {
    let (email, mobile) = (row.identifiers.contains_key(ids::EMAIL), row.identifiers.contains_key(ids::MOBILE));
    let said = |channel: &str| (row.task == Task::Consent && row.channel == channel).then_some(row.granted);
    let mut body = Object::new(6);
    body.put("identifiers", identifiers(&row.identifiers));
    let mut fields = data_fields(row, false);
    // A later yes is then not taken for a comeback.
    if let (None, true, Some(marker)) = (said("email"), email, d.config.unasked_field()) {
        fields.put_named(marker, true);
    }
    body.put("dataFields", fields);
    let mut channels = Object::new(3);
    if email {
        let mut own = Object::new(2);
        if said("email") == Some(true) {
            own.opt("optInType", d.config.opt_in_type.map(|kind| kind.as_str()));
        }
        own.put("status", if said("email") == Some(true) { "subscribed" } else { "unsubscribed" });
        channels.put("email", own);
    }
    if mobile {
        for channel in ["sms", "whatsApp"] {
            channels.put(
                channel,
                status(match said(channel) {
                    Some(true) => "subscribed",
                    Some(false) => "unsubscribed",
                    None => "noSubscription",
                }),
            );
        }
    }
    body.put("channelProperties", channels);
    beside(row, &mut body);
    d.call(endpoints::CREATE, |_| None, Some(body.bytes()?))
}

/// The contact that insight data needs: somebody who bought and was never asked.
pub(super) fn create_owner(d: &Dotdigital, identifier: &str, value: &str) -> Option<Request> {
    if !matches!(identifier, ids::EMAIL | ids::MOBILE) {
        return None;
    }
    let row = Row { identifiers: BTreeMap::from([(identifier.to_owned(), value.to_owned())]), ..Row::default() };
    create(d, &row).ok()
}

fn profile(d: &Dotdigital, row: &Row, found: &Found<'_>, id: i64, mark: Option<&str>) -> Result<Completed, Error> {
    let mut body = Object::new(3);
    let changed = |name: &str| row.fields.get(&format!("@{name}")).is_some_and(|value| value.get() != "null");
    let mut own = Object::new(3);
    for (name, value) in &row.identifiers {
        if changed(name) && found.identifier(name) != Some(value) {
            own.put_named(name, value);
        }
    }
    let new_number = own.has(ids::MOBILE);
    body.put("identifiers", own);
    let mut fields = data_fields(row, true);
    if let Some(mark) = mark {
        fields.put_named(mark, true);
    }
    body.put("dataFields", fields);
    if new_number {
        // A number that is new to a contact would get the account's default permission.
        let mut channels = Object::new(2);
        for channel in ["sms", "whatsApp"] {
            if found.status(channel).is_none_or(|status| status == "nosubscription") {
                channels.put(channel, status("noSubscription"));
            }
        }
        body.put("channelProperties", channels);
    }
    if body.is_empty() {
        return Ok(Completed::Skip(Skip::new(SkipReason::Unchanged, "the contact has these identifiers already")));
    }
    Ok(Completed::Send(patch(d, id, body)?))
}

/// Weighs a permission against the contact's state. Whoever left stays away unless a yes is provably newer.
fn consent(d: &Dotdigital, row: &Row, found: &Found<'_>, id: i64) -> Result<Completed, Error> {
    let skip = |reason, detail: &str| Ok(Completed::Skip(Skip::new(reason, detail)));
    let state = found.status(&row.channel).unwrap_or_else(|| "nosubscription".to_owned());
    let marker = d.config.unasked_field();
    let unasked = row.channel == "email" && found.is_unasked(marker);
    // What changed since may have been a no.
    let untouched = unasked && found.is_untouched();
    let mut own = Object::new(3);
    if !row.granted {
        return match state.as_str() {
            "subscribed" | "pendingoptin" | "nosubscription" => {
                own.put("status", "unsubscribed");
                Ok(Completed::Send(write(d, row, found, id, Some(own), marker)?))
            }
            // From now on the status is the person's own.
            "unsubscribed" if untouched => Ok(Completed::Send(write(d, row, found, id, None, marker)?)),
            _ => skip(SkipReason::Unchanged, "the person gets nothing there already"),
        };
    }
    match state.as_str() {
        "subscribed" => {
            let new_record = row.record.is_some() && row.at.is_some_and(|at| !found.has_record(at));
            if !new_record {
                return skip(SkipReason::Unchanged, "the person is subscribed already");
            }
            let mut body = Object::new(1);
            body.put("consentRecords", records(row));
            return Ok(Completed::Send(patch(d, id, body)?));
        }
        "pendingoptin" => return skip(SkipReason::Unchanged, "Dotdigital has asked the person to confirm and waits for it"),
        "nosubscription" => {}
        "unsubscribed" if untouched && d.config.unasked_yes == UnaskedYes::Subscribe => {}
        "unsubscribed" => {
            let newer = matches!((row.at, found.updated()), (Some(said), Some(changed)) if said > changed);
            if !newer && !untouched {
                return skip(SkipReason::DeniedAtDestination, "the person left at Dotdigital, and this yes is not provably newer");
            }
            match (d.config.resubscribe, row.channel.as_str()) {
                // Whoever was never asked may have left without a trace, so that no yes is provably newer.
                (Resubscribe::NoChallenge, _) if !unasked || d.config.unasked_yes == UnaskedYes::Subscribe => {}
                (Resubscribe::Challenge | Resubscribe::NoChallenge, "email") if row.quiet => {
                    return skip(SkipReason::BackfillQuiet, "the person may have left at Dotdigital and could only be asked by mail");
                }
                (Resubscribe::Challenge | Resubscribe::NoChallenge, "email") => {
                    let mut options = Object::new(3);
                    options.put("resubscribeWithNoChallenge", false);
                    options.opt("preferredLocale", d.config.challenge_locale.as_deref());
                    options.opt("redirectUrlAfterChallenge", d.config.challenge_url.as_deref());
                    own.put("resubscribeOptions", options);
                }
                _ => {
                    return skip(SkipReason::DeniedAtDestination, "the person left at Dotdigital; `resubscribe` does not bring them back");
                }
            }
        }
        _ => return skip(SkipReason::DeniedAtDestination, "the person is suppressed at Dotdigital, which only Dotdigital can lift"),
    }
    if row.channel == "email" {
        own.opt("optInType", d.config.opt_in_type.map(|kind| kind.as_str()));
    }
    own.put("status", "subscribed");
    Ok(Completed::Send(write(d, row, found, id, Some(own), marker.filter(|_| unasked))?))
}

/// The change of a permission, and what goes with it.
fn write(d: &Dotdigital, row: &Row, found: &Found<'_>, id: i64, own: Option<Object>, marker: Option<&str>) -> Result<Request, Error> {
    let mut body = Object::new(6);
    if row.channel != "email" && found.identifier(ids::MOBILE) != row.identifiers.get(ids::MOBILE).map(String::as_str) {
        let mobile = row.identifiers.iter().filter(|(name, _)| name.as_str() == ids::MOBILE);
        body.put("identifiers", identifiers(&mobile.map(|(name, value)| (name.clone(), value.clone())).collect()));
    }
    if row.channel == "email"
        && let Some(marker) = marker.filter(|name| found.field(name).is_some())
    {
        let mut fields = Object::new(1);
        fields.put_named(marker, RawValue::NULL);
        body.put("dataFields", fields);
    }
    let mut channels = Object::new(2);
    if let Some(own) = own {
        channels.put_named(&row.channel, own);
    }
    // A number that is new to a contact would get the account's default permission on the other channel.
    if found.identifier(ids::MOBILE).is_none() && body.has("identifiers") {
        let other = if row.channel == "sms" { "whatsApp" } else { "sms" };
        channels.put(other, status("noSubscription"));
    }
    body.put("channelProperties", channels);
    beside(row, &mut body);
    patch(d, id, body)
}

/// Lists, preference and proof that go with a permission.
fn beside(row: &Row, body: &mut Object) {
    if row.task != Task::Consent {
        return;
    }
    body.put("lists", numbers(&row.lists));
    if let Some(id) = row.preference.and_then(|id| i64::try_from(id).ok()) {
        let mut preference = Object::new(2);
        preference.put("id", id);
        preference.put("isOptedIn", row.granted);
        body.put("preferences", vec![preference]);
    }
    body.put("consentRecords", records(row));
}

fn records(row: &Row) -> Vec<&RawValue> {
    row.record.as_deref().into_iter().collect()
}

fn patch(d: &Dotdigital, id: i64, body: Object) -> Result<Request, Error> {
    let id = id.to_string();
    let mut request = d.call(endpoints::PATCH, named(&[("identifier", ids::CONTACT_ID), ("value", &id)]), Some(body.bytes()?))?;
    request.path.push_str("?merge-option=");
    request.path.push_str(d.config.merge_option.query());
    Ok(request)
}

fn identifiers(of: &BTreeMap<String, String>) -> Object {
    let mut object = Object::new(of.len());
    for (name, value) in of {
        object.put_named(name, value);
    }
    object
}

/// The row's data fields; a null clears one that is there, and has no meaning for a new contact.
fn data_fields(row: &Row, nulls: bool) -> Object {
    let mut object = Object::new(row.fields.len());
    for (name, value) in &row.fields {
        if !name.starts_with('@') && (nulls || value.get() != "null") {
            object.put_named(name, value.as_ref());
        }
    }
    object
}

fn numbers(ids: &[u64]) -> Vec<i64> {
    ids.iter().filter_map(|id| i64::try_from(*id).ok()).collect()
}

fn status(word: &'static str) -> Object {
    let mut object = Object::new(1);
    object.put("status", word);
    object
}

fn later(code: ErrorCode, vendor: &str, message: &str, after: Option<Duration>) -> Result<Completed, Error> {
    Ok(Completed::Retry(Refusal::new(code, vendor, message), after))
}

/// The contact could not be read.
fn refused(reply: &Reply) -> Result<Completed, Error> {
    match reply::trouble(reply) {
        reply::Trouble::Later(refusal, after) => Ok(Completed::Retry(refusal, after)),
        reply::Trouble::Stop(error) => Err(error),
        reply::Trouble::Refused(refusal) => {
            Err(Error::new(ErrorCode::Rejected, "Dotdigital does not take the identifier").with("vendor_code", refusal.vendor_code))
        }
    }
}
