//! Settings of the Cordial destination, checked once when it is opened.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::Secret;
use super::ids;
use crate::error::{Error, ErrorCode};
use crate::model::{Channel, EventName, pointer_token};

/// Settings of the Cordial destination. Every one has a default; without `attributes` only addresses are sent.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "CordialConfig")]
pub struct Config {
    /// API key of the account. Default: empty, enough for building requests, not for sending them. The key must allow the
    /// address this library calls from, and the calls it makes.
    pub api_key: Secret,
    /// Where the account lives. Default `usw1`.
    pub region: Region,
    /// Base URL of the REST API instead of the region's, such as `http://127.0.0.1:8080` for a test server. Default: none.
    /// `https`, or `http` to this machine; no path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Which interface carries live contacts. Default `rest`, which answers for each record.
    pub api: Api,
    /// Settings of the Asynchronous API, used with `api: async`.
    pub asynchronous: Asynchronous,
    /// Keys of the account's channels by canonical channel. Default `{"email": "email"}`. A channel that is not here gets
    /// neither address nor permission.
    pub channels: BTreeMap<String, String>,
    /// Key of the account's attribute that holds the shop's customer id. Default: none, and the id stands in orders and carts
    /// only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_id_attribute: Option<String>,
    /// Keys by which contacts are found, the first one leading: `email`, the `customer_id_attribute`, or
    /// `channels.<key>.address`. Default: the `customer_id_attribute` if there is one, then `email`.
    pub identify_by: Vec<String>,
    /// Put before every id of a customer, order, product, shipment, refund, return, cart and event, for several shops in one
    /// account. Default: empty.
    pub id_prefix: String,
    /// Whether phone numbers keep their plus sign. Default false: Cordial shows them without.
    pub sms_plus: bool,
    /// What is sent of a contact: canonical field or custom field → attribute of the account. Default: none. Attributes must
    /// exist at Cordial, spelled exactly so, unless `unknown_attributes` is `create`.
    pub attributes: BTreeMap<String, Attribute>,
    /// Lists of the account that the shop owns: boolean field, `group:<key>` or `store:<key>` → list name. Default: none.
    pub lists: BTreeMap<String, String>,
    /// What happens when Cordial does not know an attribute or list. Default `drop`.
    pub unknown_attributes: UnknownAttributes,
    /// Whether the account's attributes are read before every write of a contact, and a contact with an unknown one is refused
    /// then, or the attribute made first with `unknown_attributes: create`. Default false: they are compared by the credential
    /// check, and an unknown one is found when Cordial refuses it. The Asynchronous API never refuses one.
    pub verify_attributes: bool,
    /// What is sent for a field that was there before and is gone. Default `keep`: nothing. That Cordial clears on `null`
    /// is not published for this API.
    pub cleared: Cleared,
    /// What a deletion that is not an erasure does. Default `keep`.
    pub contact_deleted: ContactDeletion,
    /// Whether contacts without an e-mail are sent. Default false, they are refused: Cordial's document requires an address, though
    /// its help centre speaks of contacts with a phone number only.
    pub contacts_without_email: bool,
    /// What happens before an order, cart or event of somebody Cordial may not know. Default `create`: the contact is made,
    /// with no permission. Cordial refuses data about people it does not know.
    pub missing_contacts: MissingContacts,
    /// How a yes to text messages is sent. Default `double`: Cordial asks the person by text, who must reply.
    pub sms_opt_in: SmsOptIn,
    /// Whether somebody who left at Cordial comes back by a yes that is provably newer than the leaving. Default `newer`.
    pub resubscribe: Resubscribe,
    /// What a changed e-mail does where contacts are found by e-mail. Default `update`.
    pub email_change: EmailChange,
    /// Whether a sign-in that joins two known people merges their contacts. Default false: Cordial must have switched merging
    /// on.
    pub merge: bool,
    /// Which live writes may start automations. Nothing of a backfill ever does.
    pub triggers: Triggers,
    /// Age in hours from which a live order that Cordial does not have yet is written quietly: it is history that was
    /// missed, not a purchase to confirm. Default 24.
    pub order_max_age_h: u32,
    /// What becomes of units that were cancelled or paid back. Default `remove`: Cordial computes revenue from the items.
    pub taken_back: TakenBack,
    /// Whether items of orders say `enabled` and `inStock`. Default true: an order writes the product too, and Cordial's
    /// default for both is false.
    pub item_flags: bool,
    /// Category of items and products that have none; Cordial requires one. Default `uncategorized`.
    pub default_category: String,
    /// Which name stands as the one category Cordial has room for. Default `leaf`.
    pub category_name: CategoryName,
    /// Which call writes a cart. Default `post`.
    pub cart_write: CartWrite,
    /// Whether a cart that became an order is emptied at Cordial. Default true: that Cordial does so itself is not published.
    pub clear_ordered_carts: bool,
    /// Whether a change of the cart is also told as the event `cart_updated`; writing a cart starts nothing. Default false.
    pub cart_events: bool,
    /// Event names at Cordial by canonical name (`order_shipped`: `fulfillment`). Default: the canonical name.
    /// `order_placed` is sent as the order only, unless it is named here.
    pub event_names: BTreeMap<String, String>,
    /// Keys of the supplements that hold what Cordial has no place for. Default: none.
    pub supplements: Supplements,
    /// Where files of a backfill are laid for Cordial to fetch. Default: none, and a backfill calls record by record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub imports: Option<Imports>,
    /// Whether a backfill sends events. Default `withhold`: events cannot be sent quietly.
    pub backfill_events: Backfilled,
    /// Whether a backfill subscribes people. Default `withhold`. A no is always sent.
    pub backfill_grants: Backfilled,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            api_key: Secret::default(),
            region: Region::default(),
            base_url: None,
            api: Api::default(),
            asynchronous: Asynchronous::default(),
            channels: BTreeMap::from([("email".to_owned(), "email".to_owned())]),
            customer_id_attribute: None,
            identify_by: Vec::new(),
            id_prefix: String::new(),
            sms_plus: false,
            attributes: BTreeMap::new(),
            lists: BTreeMap::new(),
            unknown_attributes: UnknownAttributes::default(),
            verify_attributes: false,
            cleared: Cleared::default(),
            contact_deleted: ContactDeletion::default(),
            contacts_without_email: false,
            missing_contacts: MissingContacts::default(),
            sms_opt_in: SmsOptIn::default(),
            resubscribe: Resubscribe::default(),
            email_change: EmailChange::default(),
            merge: false,
            triggers: Triggers::default(),
            order_max_age_h: 24,
            taken_back: TakenBack::default(),
            item_flags: true,
            default_category: "uncategorized".to_owned(),
            category_name: CategoryName::default(),
            cart_write: CartWrite::default(),
            clear_ordered_carts: true,
            cart_events: false,
            event_names: BTreeMap::new(),
            supplements: Supplements::default(),
            imports: None,
            backfill_events: Backfilled::default(),
            backfill_grants: Backfilled::default(),
        }
    }
}

macro_rules! choices {
    ($($(#[$doc:meta])+ $name:ident as $schema:literal { $($(#[$vdoc:meta])+ $variant:ident,)+ })+) => { $(
        $(#[$doc])+
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        #[schemars(rename = $schema)]
        pub enum $name { $($(#[$vdoc])+ $variant,)+ }
    )+ };
}

choices! {
    /// Cordial's regions (<https://support.cordial.com/hc/en-us/articles/203885498>).
    Region as "CordialRegion" {
        /// The admin console is `admin.cordial.io`.
        #[default]
        Usw1,
        /// The admin console is `usw2.admin.cordial.io`.
        Usw2,
        /// Its REST host is not published: `base_url` is required.
        Use1,
    }

    /// Which interface carries live contacts.
    Api as "CordialApi" {
        /// REST v2: written, then answered.
        #[default]
        Rest,
        /// Asynchronous API: answered, then written some time. A refusal is seen in Cordial's console only.
        Async,
    }

    /// What happens when Cordial does not know an attribute or list.
    UnknownAttributes as "CordialUnknownAttributes" {
        /// The record is sent once more without it, with a warning.
        #[default]
        Drop,
        /// The record is refused.
        Refuse,
        /// The attribute or list is made as the settings describe it, unless it is there in another spelling, and the record is
        /// sent again. The key must allow it. What the settings do not describe, such as the `customer_id_attribute`, is
        /// refused: only Cordial makes an attribute a key.
        Create,
    }

    /// What is sent for a field that is gone.
    Cleared as "CordialCleared" {
        /// Nothing: the old value stays.
        #[default]
        Keep,
        /// `null`.
        Null,
        /// An empty text.
        Empty,
    }

    /// What a deletion that is not an erasure does.
    ContactDeletion as "CordialContactDeletion" {
        /// Nothing.
        #[default]
        Keep,
        /// Deletes the contact, with what Cordial knows of opt-outs and bounces.
        Delete,
    }

    /// What happens before data of somebody Cordial may not know.
    MissingContacts as "CordialMissingContacts" {
        /// The contact is made: address and id, no permission, quietly.
        #[default]
        Create,
        /// It is waited for.
        Wait,
    }

    /// How a yes to text messages is sent.
    SmsOptIn as "CordialSmsOptIn" {
        /// Cordial sends a text and waits for the reply.
        #[default]
        Double,
        /// The person confirmed already; no text is sent. Cordial must have switched this on.
        Confirmed,
    }

    /// Whether somebody who left at Cordial can come back by way of the shop.
    Resubscribe as "CordialResubscribe" {
        /// By a live yes with a time after the leaving.
        #[default]
        Newer,
        /// Never.
        Never,
    }

    /// What a changed e-mail does.
    EmailChange as "CordialEmailChange" {
        /// The contact with the old address gets the new one.
        #[default]
        Update,
        /// The contact with the old address goes into the one with the new; Cordial must have switched merging on.
        Merge,
        /// Nothing: there will be two contacts.
        Skip,
    }

    /// What becomes of units that were cancelled or paid back.
    TakenBack as "CordialTakenBack" {
        /// They are not among the items any more.
        #[default]
        Remove,
        /// They stay.
        Keep,
    }

    /// Which name stands as the category.
    CategoryName as "CordialCategoryName" {
        /// The most specific one: `Tees`.
        #[default]
        Leaf,
        /// All from the root: `Apparel > Tees`.
        Path,
    }

    /// Which call writes a cart.
    CartWrite as "CordialCartWrite" {
        /// `POST`, which sets it.
        #[default]
        Post,
        /// `PUT`, which updates it.
        Put,
    }

    /// What a backfill does with something that cannot be sent quietly.
    Backfilled as "CordialBackfilled" {
        /// It is skipped as `backfill_quiet`.
        #[default]
        Withhold,
        /// It is sent; pause the automations first.
        Send,
    }

    /// Type of an attribute at Cordial (<https://support.cordial.com/hc/en-us/articles/115005528368>). It has no booleans:
    /// those are lists.
    AttributeType as "CordialAttributeType" {
        /// Text.
        #[default]
        String,
        /// Number.
        Number,
        /// Date or instant.
        Date,
        /// Address.
        Geo,
        /// List of texts.
        Array,
    }
}

/// An attribute of the account.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CordialAttribute")]
pub struct Attribute {
    /// Its key, in the account's spelling: `First_Name` is not `first_name`.
    pub key: String,
    /// Its type. Default `string`.
    #[serde(default, rename = "type")]
    pub kind: AttributeType,
    /// Most characters of a `string`, most entries of an `array`. Default: Cordial's own, 128 and 25.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
    /// Whether it is made with an index, which audiences need; used with `unknown_attributes: create`. Default false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub index: bool,
}

/// Settings of the Asynchronous API.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "CordialAsynchronous")]
pub struct Asynchronous {
    /// Base URL instead of the region's. Default: none. As `base_url`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// What Cordial is told the data comes from. Default `cartwire`.
    pub source: String,
    /// Whether live events go this way too. Default false: the names of an event's members are not published, and a wrong one is
    /// not answered.
    pub events: bool,
    /// Member that holds the event, used with `events`. Default `contactActivity`.
    pub event_member: String,
    /// Whether two contacts that share a key may be merged by Cordial. Default false.
    pub merge_allowed: bool,
}

impl Default for Asynchronous {
    fn default() -> Self {
        Asynchronous {
            base_url: None,
            source: "cartwire".to_owned(),
            events: false,
            event_member: "contactActivity".to_owned(),
            merge_allowed: false,
        }
    }
}

/// Which live writes may start automations.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "CordialTriggers")]
pub struct Triggers {
    /// Contacts whose attributes changed. Default true.
    pub contacts: bool,
    /// New orders. Default true.
    pub orders: bool,
    /// Orders that changed. Default false: the events tell of it.
    pub order_updates: bool,
    /// Supplement records. Default false: the events tell of the same.
    pub supplements: bool,
}

impl Default for Triggers {
    fn default() -> Self {
        Triggers { contacts: true, orders: true, order_updates: false, supplements: false }
    }
}

/// Keys of the supplements.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "CordialSupplements")]
pub struct Supplements {
    /// Of shipments. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shipments: Option<String>,
    /// Of refunds. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refunds: Option<String>,
    /// Of returns. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub returns: Option<String>,
    /// Of categories. Default: none, categories are skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub categories: Option<String>,
}

/// Where files of a backfill are laid for Cordial to fetch.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CordialImports")]
pub struct Imports {
    /// Address below which each file is laid by `PUT`. `https`, or `http` to this machine.
    pub upload_url: String,
    /// Value of the `Authorization` header of that `PUT`. Default: none.
    #[serde(default)]
    pub authorization: Secret,
    /// How Cordial fetches the file: the members of `source` as Cordial names them, with `{file}` for the file's name, such as
    /// `{"transport": "HTTPS", "url": "https://files.example.com/in/{file}"}`.
    pub source: BTreeMap<String, Secret>,
    /// Whether contacts that Cordial does not know are made. Default true.
    #[serde(default = "yes")]
    pub create_contacts: bool,
    /// Seconds between two questions after a job. Default 15.
    #[serde(default = "quarter_of_a_minute")]
    pub poll_s: u32,
}

fn quarter_of_a_minute() -> u32 {
    15
}

fn yes() -> bool {
    true
}

/// The settings after the check.
#[derive(Debug)]
pub(super) struct Checked {
    pub base_url: String,
    pub async_base_url: String,
    pub upload_url: String,
    pub identify_by: Vec<Key>,
}

/// A key by which contacts are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Email,
    CustomerId,
    /// The phone number, under the name the account gives its channel's address.
    Phone(String),
}

/// Canonical fields of a contact that an attribute may be made of.
#[rustfmt::skip]
pub(super) const FIELDS: &[&str] = &[
    "first_name", "middle_name", "last_name", "salutation", "title", "company", "vat_id", "gender", "date_of_birth",
    "customer_number", "phone", "timezone", "email_verified", "locale", "country", "currency", "store", "channel", "customer_group",
    "groups", "stores", "created_at", "updated_at", "address", "billing_address",
];

impl Config {
    /// Checks what serde cannot.
    pub(super) fn checked(&self) -> Result<Checked, Error> {
        if !self.api_key.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(invalid("`api_key` holds characters no key has", "/api_key"));
        }
        for (channel, key) in &self.channels {
            if !Channel::KNOWN.contains(&channel.as_str()) {
                return Err(invalid("`channels` knows `email`, `sms`, `push`, `whatsapp` and `post`", "/channels"));
            }
            if !ids::is_key(key) {
                return Err(invalid("a channel's key is letters, digits and underscores", format!("/channels/{channel}")));
            }
        }
        if self.customer_id_attribute.as_deref().is_some_and(|key| !ids::is_key(key) || ids::RESERVED.contains(&key)) {
            return Err(invalid(
                "an attribute's key is letters, digits and underscores, and none of Cordial's own",
                "/customer_id_attribute",
            ));
        }
        if self.id_prefix.len() > 32 || !self.id_prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
            return Err(invalid("`id_prefix` is at most 32 letters, digits, hyphens and underscores", "/id_prefix"));
        }
        self.check_attributes()?;
        for (canonical, name) in &self.event_names {
            if let Some(fault) = ids::event_name_fault(name) {
                return Err(invalid(fault, format!("/event_names/{canonical}")));
            }
        }
        let supplements = &self.supplements;
        for (name, pointer) in [
            (&supplements.shipments, "/supplements/shipments"),
            (&supplements.refunds, "/supplements/refunds"),
            (&supplements.returns, "/supplements/returns"),
            (&supplements.categories, "/supplements/categories"),
        ] {
            if name.as_deref().is_some_and(|name| !ids::is_list_name(name)) {
                return Err(invalid("a supplement's key is letters, digits, hyphens and underscores", pointer));
            }
        }
        if self.default_category.trim().is_empty() {
            return Err(invalid("Cordial requires a category", "/default_category"));
        }
        let upload_url = match &self.imports {
            None => String::new(),
            Some(imports) => {
                if !imports.source.contains_key("transport") {
                    return Err(invalid("`source` says by which `transport` Cordial fetches the file", "/imports/source"));
                }
                if !imports.source.values().any(|value| value.expose().contains("{file}")) {
                    return Err(invalid("`source` must hold `{file}` where the file's name goes", "/imports/source"));
                }
                url(&imports.upload_url, true, "/imports/upload_url")?
            }
        };
        Ok(Checked { base_url: self.rest_url()?, async_base_url: self.async_url()?, upload_url, identify_by: self.keys()? })
    }

    fn check_attributes(&self) -> Result<(), Error> {
        // Two spellings of one key are what an account never has: one of them is a mistake.
        let mut keys: BTreeSet<String> = self.customer_id_attribute.iter().map(|key| key.to_ascii_lowercase()).collect();
        for (field, attribute) in &self.attributes {
            let pointer = || format!("/attributes/{}/key", pointer_token(field));
            if !ids::is_key(&attribute.key) || ids::RESERVED.contains(&attribute.key.as_str()) {
                return Err(invalid("an attribute's key is letters, digits and underscores, and none of Cordial's own", pointer()));
            }
            if !keys.insert(attribute.key.to_ascii_lowercase()) {
                return Err(invalid("two fields go into one attribute", pointer()));
            }
            let address = matches!(field.as_str(), "address" | "billing_address");
            if address != (attribute.kind == AttributeType::Geo) {
                return Err(invalid("addresses, and only they, are of type `geo`", format!("/attributes/{}/type", pointer_token(field))));
            }
        }
        for (field, list) in &self.lists {
            let pointer = || format!("/lists/{}", pointer_token(field));
            if !ids::is_list_name(list) || ids::RESERVED.contains(&list.as_str()) {
                return Err(invalid("a list's name is at most 128 letters, digits, hyphens and underscores", pointer()));
            }
            if !keys.insert(list.to_ascii_lowercase()) {
                return Err(invalid("lists and attributes share their names; this one is taken", pointer()));
            }
        }
        Ok(())
    }

    fn keys(&self) -> Result<Vec<Key>, Error> {
        let mut keys = Vec::new();
        for name in &self.identify_by {
            let phone = |channel: &&str| self.channels.get(*channel).is_some_and(|key| *name == format!("channels.{key}.address"));
            keys.push(match name.as_str() {
                "email" => Key::Email,
                name if Some(name) == self.customer_id_attribute.as_deref() => Key::CustomerId,
                name if ["sms", "whatsapp"].iter().any(phone) => Key::Phone(name.to_owned()),
                _ => {
                    return Err(invalid(
                        "`identify_by` knows `email`, the `customer_id_attribute` and `channels.<key>.address`",
                        "/identify_by",
                    ));
                }
            });
        }
        if keys.is_empty() {
            keys.extend(self.customer_id_attribute.is_some().then_some(Key::CustomerId));
            keys.push(Key::Email);
        }
        if matches!(keys.first(), Some(Key::Phone(_))) {
            return Err(invalid(
                "contacts cannot be found by phone alone; put `email` or the `customer_id_attribute` first",
                "/identify_by",
            ));
        }
        Ok(keys)
    }

    fn rest_url(&self) -> Result<String, Error> {
        match (&self.base_url, self.region) {
            (Some(given), _) => url(given, false, "/base_url"),
            (None, Region::Usw1) => Ok("https://api.cordial.io".to_owned()),
            (None, Region::Usw2) => Ok("https://api.usw2.cordial.io".to_owned()),
            (None, Region::Use1) => Err(invalid("the REST host of `use1` is not published; give it as `base_url`", "/base_url")),
        }
    }

    fn async_url(&self) -> Result<String, Error> {
        if let Some(given) = &self.asynchronous.base_url {
            return url(given, false, "/asynchronous/base_url");
        }
        Ok(match self.region {
            Region::Usw1 => "https://integrations-ingest-svc.cordial.com",
            Region::Usw2 => "https://integrations-ingest-svc.usw2.cordial.com",
            Region::Use1 => "https://integrations-ingest-svc.use1.cordial.com",
        }
        .to_owned())
    }

    /// The name an event goes by at Cordial; `None` when another call already carries it.
    pub(super) fn event_name<'a>(&'a self, name: &'a EventName) -> Option<Cow<'a, str>> {
        if let Some(configured) = self.event_names.get(name.as_str()) {
            return Some(configured.as_str().into());
        }
        (*name != EventName::OrderPlaced).then(|| name.as_str().into())
    }
}

/// A base URL without its trailing slash.
fn url(given: &str, with_path: bool, pointer: &str) -> Result<String, Error> {
    let url = given.strip_suffix('/').unwrap_or(given);
    let (secure, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (None, Some(rest)) => (false, rest),
        (None, None) => return Err(invalid("the address must start with `https://`", pointer)),
    };
    let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']');
    let in_path = |byte: u8| plain(byte) || matches!(byte, b'/' | b'_' | b'~' | b'%');
    if host.is_empty() || !host.bytes().all(plain) || !path.bytes().all(in_path) || (!with_path && !path.is_empty()) {
        return Err(invalid("the address is a scheme, a host and perhaps a port, nothing else", pointer));
    }
    let name = if host.starts_with('[') { host.split(']').next() } else { host.split(':').next() }.unwrap_or(host);
    if !secure && !matches!(name, "localhost" | "127.0.0.1" | "[::1") {
        return Err(invalid("the address may be `http` on this machine only: the key would travel in the clear", pointer));
    }
    Ok(url.to_owned())
}

fn invalid(message: impl Into<String>, pointer: impl Into<String>) -> Error {
    Error::new(ErrorCode::InvalidConfig, message).at(pointer)
}
