//! Rows → request bodies, and what a row needs before it can be sent.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::Operation;
use super::Insider;
use super::build::QUIET;
use super::capabilities as endpoints;
use super::payload::{Object, array, event};
use crate::error::{Error, ErrorCode};

/// What a delta writes for a member that is gone; rows without it need no second look.
const NULL: &[u8] = b":null";

/// 2100-01-01, in seconds since 1970.
const END_OF_TIME: u64 = 4_102_444_800;

/// Members of an object, values as they stand.
pub(super) type Members<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

/// Who a row is about.
#[derive(Deserialize)]
pub(super) struct Named<'a> {
    #[serde(borrow, default)]
    identifiers: Option<&'a RawValue>,
    #[serde(borrow, default)]
    insider_id: Option<&'a RawValue>,
}

impl Named<'_> {
    fn write(&self, row: &mut Object) -> Result<(), Error> {
        match (self.identifiers, self.insider_id) {
            (Some(identifiers), _) => row.raw("identifiers", identifiers.get().as_bytes()),
            (None, Some(id)) => row.raw("insider_id", id.get().as_bytes()),
            (None, None) => Err(internal("a row names nobody")),
        }
    }
}

/// A row of `users.consent`.
#[derive(Deserialize)]
pub(super) struct ConsentRow<'a> {
    #[serde(borrow)]
    pub flag: Cow<'a, str>,
    pub granted: bool,
    #[serde(default)]
    pub at: Option<chrono::DateTime<chrono::Utc>>,
}

/// A row of the subscription calls.
#[derive(Deserialize)]
pub(super) struct SuppressionRow<'a> {
    #[serde(borrow)]
    address: &'a RawValue,
    #[serde(borrow, default)]
    uuid: Option<&'a RawValue>,
    /// The permission it comes from; for a yes only.
    #[serde(borrow, default)]
    of: Option<&'a RawValue>,
}

impl<'a> SuppressionRow<'a> {
    /// The row of the permission.
    pub(super) fn permission(&self) -> Result<&'a [u8], Error> {
        self.of.map(|of| of.get().as_bytes()).ok_or_else(|| internal("a subscription rests on no permission"))
    }
}

/// A row of `events.cart` that tells changes.
#[derive(Deserialize)]
struct CartRow<'a> {
    #[serde(borrow)]
    cart: &'a RawValue,
    at: chrono::DateTime<chrono::Utc>,
    #[serde(borrow)]
    currency: &'a RawValue,
    #[serde(borrow)]
    lines: Members<'a>,
    #[serde(borrow)]
    units: Members<'a>,
}

#[derive(Deserialize)]
struct CatalogRow<'a> {
    #[serde(borrow)]
    item_id: &'a RawValue,
    #[serde(borrow)]
    locale: &'a RawValue,
    #[serde(borrow)]
    fields: Members<'a>,
}

pub(super) fn internal(message: &'static str) -> Error {
    Error::new(ErrorCode::Internal, message)
}

pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| internal("a row is not its own").because(error))
}

fn members(raw: &RawValue) -> Result<Members<'_>, Error> {
    parse(raw.get().as_bytes())
}

/// The evidence attributes of a flag: `email_optin` is proven by `email_consent` and `email_consent_at`.
pub(super) fn evidence(flag: &str) -> (String, String) {
    let stem = flag.strip_suffix("_optin").unwrap_or(flag);
    (format!("{stem}_consent"), format!("{stem}_consent_at"))
}

impl Insider {
    /// The body of a request for operations of one endpoint and group.
    pub(super) fn body(&self, endpoint: &str, operations: &[&Operation]) -> Result<Vec<u8>, Error> {
        let rows = |row: &dyn Fn(&Operation) -> Result<Vec<u8>, Error>| -> Result<Vec<u8>, Error> {
            let rows = operations.iter().map(|operation| row(operation)).collect::<Result<Vec<_>, _>>()?;
            Ok(array(rows.iter().map(Vec::as_slice)))
        };
        let first = operations.first().ok_or_else(|| internal("a request needs an operation"))?;
        match endpoint {
            endpoints::UPSERT => self.users(first, &rows(&|operation| profile_user(&operation.body))?),
            endpoints::CONSENT => self.users(first, &rows(&|operation| self.consent_user(&operation.body))?),
            endpoints::CART => self.users(first, &rows(&|operation| self.cart_user(&operation.body))?),
            endpoints::PURCHASE | endpoints::BROWSE | endpoints::SIGN_UP | endpoints::CUSTOM => {
                self.users(first, &array(operations.iter().map(|operation| operation.body.as_slice())))
            }
            endpoints::INGEST | endpoints::UPDATE => rows(&|operation| record(&operation.body)),
            endpoints::DELETE | endpoints::ANONYMIZE => Ok(first.body.clone()),
            endpoints::IDENTITY => {
                let row: Members<'_> = parse(&first.body)?;
                let mut body = Object::new(first.body.len());
                for key in ["old_identifier", "new_identifier"] {
                    body.raw(key, row.get(key).ok_or_else(|| internal("an identifier is missing"))?.get().as_bytes())?;
                }
                Ok(body.finish())
            }
            endpoints::LEAVE_EMAIL | endpoints::JOIN_EMAIL => addresses(operations, "emails"),
            endpoints::LEAVE_SMS | endpoints::JOIN_SMS | endpoints::LEAVE_WHATSAPP | endpoints::JOIN_WHATSAPP => {
                addresses(operations, "phone_numbers")
            }
            _ => Err(internal("the endpoint has no requests of its own")),
        }
    }

    fn users(&self, first: &Operation, users: &[u8]) -> Result<Vec<u8>, Error> {
        let mut body = Object::new(users.len() + 32);
        if first.group == QUIET {
            body.put("skip_hook", &true)?;
        }
        body.maybe("error_callback_endpoint", self.config.error_callback.as_ref().map(super::Secret::expose))?;
        body.raw("users", users)?;
        Ok(body.finish())
    }

    /// One flag, with what it rests on.
    fn consent_user(&self, body: &[u8]) -> Result<Vec<u8>, Error> {
        let (named, row): (Named<'_>, ConsentRow<'_>) = (parse(body)?, parse(body)?);
        let mut user = Object::new(body.len() + 64);
        named.write(&mut user)?;
        let mut attributes = Object::new(128);
        attributes.put(&row.flag, &row.granted)?;
        if self.config.consent_evidence {
            let (status, at) = evidence(&row.flag);
            let mut custom = Object::new(96);
            custom.put(&status, if row.granted { "granted" } else { "denied" })?;
            custom.maybe(&at, row.at.map(super::payload::Stamp))?;
            attributes.nested("custom", custom)?;
        }
        user.nested("attributes", attributes)?;
        user.put("not_append", &true)?;
        Ok(user.finish())
    }

    /// What was added to a cart and taken out of it.
    fn cart_user(&self, body: &[u8]) -> Result<Vec<u8>, Error> {
        let members: Members<'_> = parse(body)?;
        if !members.contains_key("units") {
            return Ok(body.to_vec());
        }
        let (named, row): (Named<'_>, CartRow<'_>) = (parse(body)?, parse(body)?);
        let mut changed: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
        for (unit, value) in &row.units {
            let (_, item) = unit.split_once('#').ok_or_else(|| internal("a unit of a cart names no item"))?;
            let (added, removed) = changed.entry(item).or_default();
            if value.get() == "null" {
                *removed += 1;
            } else {
                *added += 1;
            }
        }
        let mut events = Vec::with_capacity(changed.len());
        let told = |name: &str, item: Option<&str>, units: i64| -> Result<Vec<u8>, Error> {
            let mut params = Object::new(384);
            params.raw("event_group_id", row.cart.get().as_bytes())?;
            if let Some(item) = item {
                params.put("quantity", &units)?;
                match row.lines.get(item) {
                    Some(line) => {
                        for (key, value) in self::members(line)? {
                            params.raw(&key, value.get().as_bytes())?;
                        }
                    }
                    None => {
                        params.put("product_id", item)?;
                        params.raw("currency", row.currency.get().as_bytes())?;
                    }
                }
            }
            event(self.config.cart_event(name), row.at, params)
        };
        if row.lines.is_empty() {
            events.push(told("cart_cleared", None, 0)?);
        } else {
            for (item, (added, removed)) in &changed {
                if *removed > 0 {
                    events.push(told("item_removed_from_cart", Some(item), *removed)?);
                }
                if *added > 0 {
                    events.push(told("item_added_to_cart", Some(item), *added)?);
                }
            }
        }
        let mut user = Object::new(body.len());
        named.write(&mut user)?;
        user.raw("events", &array(events.iter().map(Vec::as_slice)))?;
        Ok(user.finish())
    }
}

/// What is really an attribute: neither the mark of the identifiers nor something cleared.
fn own(members: Members<'_>) -> Members<'_> {
    members.into_iter().filter(|(name, value)| name != "#" && value.get() != "null").collect()
}

/// The `users` row: attributes put where they belong. What is null was cleared before.
fn profile_user(body: &[u8]) -> Result<Vec<u8>, Error> {
    let row: Members<'_> = parse(body)?;
    let named: Named<'_> = parse(body)?;
    let attributes = members(row.get("attributes").ok_or_else(|| internal("a profile has no attributes"))?)?;
    let identity = attributes.get("#").copied();
    let mut given = own(attributes);
    if let (true, Some(identity)) = (given.is_empty(), identity) {
        // Only the identifiers are new.
        given = own(members(identity)?);
    }
    let (mut plain, mut custom) = (Object::new(body.len()), Object::new(body.len() / 2));
    for (name, value) in &given {
        match name.strip_prefix("custom.") {
            Some(own) => custom.raw(own, value.get().as_bytes())?,
            None => plain.raw(name, value.get().as_bytes())?,
        }
    }
    plain.nested("custom", custom)?;
    let mut user = Object::new(body.len() + 32);
    named.write(&mut user)?;
    user.nested("attributes", plain)?;
    user.put("not_append", &true)?;
    Ok(user.finish())
}

/// Names of the attributes a profile row clears.
pub(super) fn cleared(body: &[u8]) -> BTreeSet<String> {
    if memmem::find(body, NULL).is_none() {
        return BTreeSet::new();
    }
    let read = || -> Result<BTreeSet<String>, Error> {
        let row: Members<'_> = parse(body)?;
        let Some(attributes) = row.get("attributes") else { return Ok(BTreeSet::new()) };
        Ok(members(attributes)?.into_iter().filter(|(_, value)| value.get() == "null").map(|(name, _)| name.into_owned()).collect())
    };
    read().unwrap_or_default()
}

/// Whether anything is left of a profile row besides what it clears.
pub(super) fn gives(body: &[u8]) -> bool {
    if memmem::find(body, NULL).is_none() {
        return true;
    }
    let read = || -> Result<bool, Error> {
        let row: Members<'_> = parse(body)?;
        let Some(attributes) = row.get("attributes") else { return Ok(false) };
        Ok(members(attributes)?.values().any(|value| value.get() != "null"))
    };
    read().unwrap_or_default()
}

/// The body that clears attributes.
pub(super) fn clearing(body: &[u8], names: &BTreeSet<String>) -> Result<Vec<u8>, Error> {
    let named: Named<'_> = parse(body)?;
    let (custom, plain): (Vec<&str>, Vec<&str>) = {
        let custom = names.iter().filter_map(|name| name.strip_prefix("custom."));
        (custom.collect(), names.iter().map(String::as_str).filter(|name| !name.starts_with("custom.") && *name != "#").collect())
    };
    let mut user = Object::new(256);
    named.write(&mut user)?;
    user.list("whole", &plain)?;
    if !custom.is_empty() {
        let mut whole = Object::new(64);
        whole.put("whole", &custom)?;
        user.nested("custom", whole)?;
    }
    let mut request = Object::new(288);
    request.raw("users", &array([user.finish().as_slice()]))?;
    Ok(request.finish())
}

/// The body that reads some attributes of whoever `row` names, and when they did something.
pub(super) fn reading(row: &[u8], attributes: &[String], event: Option<&str>) -> Result<Vec<u8>, Error> {
    let named: Named<'_> = parse(row)?;
    let mut body = Object::new(256);
    named.write(&mut body)?;
    body.put("attributes", attributes)?;
    if let Some(event) = event {
        let mut wanted = Object::new(64);
        wanted.put("event_name", event)?;
        wanted.put("params", &["timestamp"])?;
        let mut events = Object::new(128);
        // Ever: what lies between no and yes is not known before the answer.
        events.put("start_date", &0)?;
        events.put("end_date", &END_OF_TIME)?;
        events.raw("wanted", &array([wanted.finish().as_slice()]))?;
        body.nested("events", events)?;
    }
    Ok(body.finish())
}

/// The body that reads some attributes of whoever has an identifier.
pub(super) fn reading_of(identifiers: &RawValue, attributes: &[&str]) -> Result<Vec<u8>, Error> {
    let mut body = Object::new(192);
    body.raw("identifiers", identifiers.get().as_bytes())?;
    body.put("attributes", attributes)?;
    Ok(body.finish())
}

fn record(body: &[u8]) -> Result<Vec<u8>, Error> {
    let row: CatalogRow<'_> = parse(body)?;
    let mut record = Object::new(body.len());
    record.raw("item_id", row.item_id.get().as_bytes())?;
    record.raw("locale", row.locale.get().as_bytes())?;
    for (name, value) in &row.fields {
        if matches!(name.as_ref(), "prices" | "stock") {
            for (name, value) in &members(value)? {
                record.raw(name, value.get().as_bytes())?;
            }
        } else {
            record.raw(name, value.get().as_bytes())?;
        }
    }
    Ok(record.finish())
}

fn addresses(operations: &[&Operation], key: &str) -> Result<Vec<u8>, Error> {
    let rows = operations.iter().map(|operation| parse(&operation.body)).collect::<Result<Vec<SuppressionRow<'_>>, _>>()?;
    let mut body = Object::new(64 * rows.len());
    if rows.iter().any(|row| row.uuid.is_some()) {
        let users = rows
            .iter()
            .map(|row| {
                let mut user = Object::new(96);
                user.maybe("uuid", row.uuid)?;
                user.put("email", row.address)?;
                Ok(user.finish())
            })
            .collect::<Result<Vec<_>, Error>>()?;
        body.raw("users", &array(users.iter().map(Vec::as_slice)))?;
    } else {
        body.raw(key, &array(rows.iter().map(|row| row.address.get().as_bytes())))?;
    }
    Ok(body.finish())
}
