//! Settings of the Iterable destination, checked once when it is opened.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::Secret;
use super::ids;
use crate::error::{Error, ErrorCode};
use crate::model::{Channel, EventName};

/// Settings of the Iterable destination.
///
/// Only `project_type` has no default: Iterable does not tell it, and guessing wrong makes a second profile for every
/// person.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Server-side API key of the project. Default: empty, enough for building requests, not for sending them.
    pub api_key: Secret,
    /// Where the project lives. Default `us`. A key is known in its own data centre only.
    pub data_center: DataCenter,
    /// Base URL to use instead of the data centre's, such as `http://127.0.0.1:8080` for a test server. Default: none.
    /// `https`, or `http` to this machine; no path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// How the project identifies people; fixed when the project was made. Required.
    #[schemars(required)]
    pub project_type: Option<ProjectType>,
    /// Put before every customer id to make the `userId`, for several shops in one project. Default: empty.
    pub user_id_prefix: String,
    /// Whether people without customer id and e-mail are sent under a `userId` made of their anonymous id. Each makes a
    /// profile. Default: true in a `user_id` project, false in a `hybrid` one; an `email` project cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anonymous_profiles: Option<bool>,
    /// In an `email` project: send a customer without e-mail under the `userId`, for which Iterable makes up an address.
    /// Default false: such a record is refused.
    pub prefer_user_id: bool,
    /// Which endpoints carry profiles and events. Default `bulk`. Iterable keeps two separate queues for them, so one
    /// destination never uses both.
    pub write: Write,
    /// Whether fields the project does not know are made. Default: what the project is set to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create_new_fields: Option<bool>,
    /// Whether objects in profiles, such as the address, are merged one level deep instead of replaced. Default false.
    pub merge_nested_objects: bool,
    /// Names of the catalogs. Default: none, and products and categories are skipped.
    pub catalogs: Catalogs,
    /// What one catalog item is. Default `product`.
    pub catalog_layout: CatalogLayout,
    /// How catalog items are written. Default `patch`: fields that others keep in the item stay.
    pub catalog_write: CatalogWrite,
    /// What becomes of a guest's profile whose address a customer turns out to have. Default `merge`.
    pub guests: Guests,
    /// Static lists that follow the shop. Default: none.
    pub lists: Lists,
    /// Ids of the journeys that an event starts by itself, by canonical name (`cart_abandoned`: `8814`). Never in a
    /// backfill. Default: none; journeys start on events at Iterable, which is safer, because events have ids.
    pub journeys: BTreeMap<String, u64>,
    /// Where the permission of each channel (`email`, `sms`, `push`, `whatsapp`, `post`) is kept at Iterable. Default:
    /// none, and permission is sent only as evidence on the profile.
    pub consent: BTreeMap<String, ConsentTarget>,
    /// How permission is written. Default `additive`, which Iterable must have switched on for the project.
    pub subscriptions: Subscriptions,
    /// What is done about a yes for a message type that the person is not in: the profile does not tell when an opt-out type
    /// was left, nor whether an opt-in one was. Default `read_events`.
    pub left_types: LeftTypes,
    /// What an erasure does. Default `forget`: Iterable deletes the person and refuses them from then on.
    pub erase: Erase,
    /// What a deletion that is not an erasure does. Default `keep`: the profile stays.
    pub contact_deleted: ContactDeletion,
    /// Event names at Iterable by canonical name (`order_shipped`: `Order Shipped`). Default: the canonical name in
    /// camel case (`orderShipped`). `order_placed` is sent as a purchase only, unless it is named here.
    pub event_names: BTreeMap<String, String>,
    /// How an emptied cart is sent. Default `update_cart`, with no items.
    pub empty_cart: EmptyCart,
    /// Oldest purchase that is sent live, in hours between the order and our hearing of it. An order from before this
    /// library was set up that changes now is otherwise confirmed to the customer again. Default: none, all are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purchase_max_age_h: Option<u32>,
    /// Whether a backfill sends purchases. Default `withhold`: each one clears the live cart and can start journeys.
    pub backfill_purchases: Backfilled,
    /// Whether a backfill sends events. Default `withhold`: Iterable does not say that old ones start no journeys.
    pub backfill_events: Backfilled,
    /// Whether a backfill puts people on `lists`. Default `withhold`: joining a list can start journeys. Leaving is always
    /// sent.
    pub backfill_lists: Backfilled,
    /// Whether a backfill subscribes people. Default `withhold`: a subscription can start a welcome journey. A no is
    /// always sent.
    pub backfill_grants: Backfilled,
}

/// Iterable's data centres.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "IterableDataCenter")]
pub enum DataCenter {
    /// `https://api.iterable.com`
    #[default]
    Us,
    /// `https://api.eu.iterable.com`
    Eu,
}

/// How a project identifies people (<https://support.iterable.com/hc/articles/9216719179796>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "IterableProjectType")]
pub enum ProjectType {
    /// By e-mail address.
    Email,
    /// By `userId`.
    UserId,
    /// By either; both are unique.
    Hybrid,
}

/// How it is found out who left a message type, and when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "IterableLeftTypes")]
pub enum LeftTypes {
    /// The person's events are read (`export/userEvents`): whoever left after they said yes, or when nobody can say, stays
    /// away, and a newer yes brings others back. One more call for every yes that joins somebody.
    #[default]
    ReadEvents,
    /// Only what this library remembers of its own yeses counts. No yes brings back who left an opt-out type. Whoever joined
    /// an opt-in type at Iterable and left it there is joined by the shop's first yes, even by one from before they left.
    RememberOnly,
}

/// Which endpoints carry profiles and events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "IterableWrite")]
pub enum Write {
    /// `users/bulkUpdate` and `events/trackBulk`.
    #[default]
    Bulk,
    /// `users/update` and `events/track`.
    Single,
}

/// Names of the catalogs.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "IterableCatalogs")]
pub struct Catalogs {
    /// Catalog of the products. Default: none, products are skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub products: Option<String>,
    /// Catalog of the categories. Default: none, categories are skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub categories: Option<String>,
    /// Whether a catalog that is missing is made, with its field types, when the first item is refused for it. Default
    /// false: a wrong name is an error.
    pub create: bool,
    /// Types of fields of one's own, by name, for a catalog that is made here. Default: none; the standard fields have
    /// theirs.
    pub field_types: BTreeMap<String, FieldType>,
}

/// Type of a catalog field; once set it cannot be changed (<https://support.iterable.com/hc/articles/360033578331>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "IterableFieldType")]
pub enum FieldType {
    /// True or false.
    Boolean,
    /// A date or an instant.
    Date,
    /// A place, as `{lat, lon}`.
    GeoLocation,
    /// A whole number.
    Long,
    /// A number with a fraction.
    Double,
    /// An object, or a list of them.
    Object,
    /// A text, or a list of them.
    String,
}

/// What becomes of a guest's profile whose address a customer turns out to have; in `hybrid` projects, where both can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "IterableGuests")]
pub enum Guests {
    /// It is merged into the customer's, for good: history, fields the customer's lacks, and what the guest had left.
    #[default]
    Merge,
    /// It stays, and the customer is a dead letter of code `conflict` until someone merges them at Iterable.
    Keep,
}

/// Static lists whose members follow the shop. Whoever does not belong is taken off: the shop alone decides who is on them.
/// Membership is no consent.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "IterableLists")]
pub struct Lists {
    /// List id by key of the customer group. Default: none.
    pub groups: BTreeMap<String, u64>,
    /// List id by key of a store the account is limited to. Default: none.
    pub stores: BTreeMap<String, u64>,
}

/// What one catalog item is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "IterableCatalogLayout")]
pub enum CatalogLayout {
    /// A product, with its variants in a list.
    #[default]
    Product,
    /// A variant, with its product's fields.
    Variant,
}

/// How catalog items are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "IterableCatalogWrite")]
pub enum CatalogWrite {
    /// Only the fields sent are replaced, and only changed fields are sent.
    #[default]
    Patch,
    /// The whole item is replaced each time.
    Replace,
}

/// Where the permission of one channel is kept at Iterable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "IterableConsentTarget")]
pub struct ConsentTarget {
    /// Id of the message type.
    pub message_type: u64,
    /// The message type's subscription policy. No default: taking one for the other turns silence into a yes.
    pub policy: Policy,
    /// Id of the message channel it belongs to, so that a person who left the whole channel is never subscribed again.
    /// Default: none, and only the message type is looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<u64>,
}

/// A message type's subscription policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "IterablePolicy")]
pub enum Policy {
    /// Only those who joined get it.
    OptIn,
    /// All get it but those who left.
    OptOut,
}

/// How permission is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "IterableSubscriptions")]
pub enum Subscriptions {
    /// One subscription at a time through `subscriptions/*`.
    #[default]
    Additive,
    /// The profile is read, and the one list that changes is written back through `users/updateSubscriptions`.
    ReadModifyWrite,
}

/// What an erasure does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "IterableErase")]
pub enum Erase {
    /// Deletes the person and refuses them from then on; at most 1,000 a day.
    #[default]
    Forget,
    /// Deletes the person; a later write makes them anew.
    Delete,
}

/// What a deletion that is not an erasure does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "IterableContactDeletion")]
pub enum ContactDeletion {
    /// Nothing.
    #[default]
    Keep,
    /// Deletes the profile with its history.
    Delete,
}

/// How an emptied cart is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "IterableEmptyCart")]
pub enum EmptyCart {
    /// As a cart without items.
    #[default]
    UpdateCart,
    /// As a profile write that empties `shoppingCartItems`.
    Profile,
    /// Not at all; the last items stay until the next cart or purchase.
    Skip,
}

/// What a backfill does with something that can start journeys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "IterableBackfilled")]
pub enum Backfilled {
    /// It is skipped as `backfill_quiet`.
    #[default]
    Withhold,
    /// It is sent; pause the journeys first.
    Send,
}

impl Config {
    /// Checks what serde cannot, and returns the project type and the base URL.
    pub(super) fn checked(&self) -> Result<(ProjectType, String), Error> {
        let project = self.project_type.ok_or_else(|| {
            invalid("`project_type` is required: `email`, `user_id` or `hybrid`, as the project was made", "/project_type")
        })?;
        if project == ProjectType::Email && self.data_center == DataCenter::Eu {
            return Err(invalid("`email` projects are not offered in the `eu` data centre", "/project_type"));
        }
        if project != ProjectType::Email && self.prefer_user_id {
            return Err(invalid("`prefer_user_id` has a meaning in `email` projects only", "/prefer_user_id"));
        }
        if project == ProjectType::Email && self.anonymous_profiles == Some(true) {
            return Err(invalid("`anonymous_profiles` is not possible in `email` projects", "/anonymous_profiles"));
        }
        if !self.api_key.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(invalid("`api_key` holds characters no key has", "/api_key"));
        }
        if !self.user_id_prefix.is_empty() && (ids::user_id_fault(&self.user_id_prefix).is_some() || self.user_id_prefix.len() > 32) {
            return Err(invalid(
                "`user_id_prefix` must be at most 32 printable ASCII characters without a space at the end",
                "/user_id_prefix",
            ));
        }
        for (name, pointer) in [(&self.catalogs.products, "/catalogs/products"), (&self.catalogs.categories, "/catalogs/categories")] {
            if name.as_deref().is_some_and(|name| !ids::is_catalog_name(name)) {
                return Err(invalid("a catalog name is 1 to 255 letters, digits and hyphens", pointer));
            }
        }
        if let (Some(products), Some(categories)) = (&self.catalogs.products, &self.catalogs.categories)
            && products.eq_ignore_ascii_case(categories)
        {
            return Err(invalid("products and categories need catalogs of their own", "/catalogs"));
        }
        for (channel, target) in &self.consent {
            if !Channel::KNOWN.contains(&channel.as_str()) {
                return Err(invalid("`consent` knows `email`, `sms`, `push`, `whatsapp` and `post`", "/consent"));
            }
            if target.message_type == 0 || target.channel == Some(0) {
                return Err(invalid("ids of message types and channels start at 1", format!("/consent/{channel}")));
            }
        }
        if self.lists.groups.values().chain(self.lists.stores.values()).any(|id| *id == 0) {
            return Err(invalid("ids of lists start at 1", "/lists"));
        }
        if self.journeys.values().any(|id| *id == 0) {
            return Err(invalid("ids of journeys start at 1", "/journeys"));
        }
        if self.catalogs.field_types.keys().any(|name| name.is_empty() || name.len() > 255 || name.contains('.') || name == "length") {
            return Err(invalid("a catalog field has 1 to 255 bytes, no period, and is not called `length`", "/catalogs/field_types"));
        }
        for (canonical, name) in &self.event_names {
            if name.trim() != name || name.is_empty() || name.len() > 255 {
                return Err(invalid("an event name is 1 to 255 bytes without space around it", "/event_names"));
            }
            if canonical == "order_placed" && name == "purchase" {
                return Err(invalid("`purchase` is Iterable's own event", "/event_names/order_placed"));
            }
        }
        Ok((project, self.base_url()?))
    }

    fn base_url(&self) -> Result<String, Error> {
        let Some(url) = &self.base_url else {
            return Ok(match self.data_center {
                DataCenter::Us => "https://api.iterable.com".to_owned(),
                DataCenter::Eu => "https://api.eu.iterable.com".to_owned(),
            });
        };
        let url = url.strip_suffix('/').unwrap_or(url);
        let (secure, host) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
            (Some(host), _) => (true, host),
            (None, Some(host)) => (false, host),
            (None, None) => return Err(invalid("`base_url` must start with `https://`", "/base_url")),
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']');
        if host.is_empty() || !host.bytes().all(plain) {
            return Err(invalid("`base_url` is a scheme, a host and perhaps a port, nothing else", "/base_url"));
        }
        let name = if host.starts_with('[') { host.split(']').next() } else { host.split(':').next() }.unwrap_or(host);
        if !secure && !matches!(name, "localhost" | "127.0.0.1" | "[::1") {
            return Err(invalid("`base_url` may be `http` on this machine only: the key would travel in the clear", "/base_url"));
        }
        Ok(url.to_owned())
    }

    /// The name an event goes by at Iterable; `None` when another call already carries it.
    pub(super) fn event_name<'a>(&'a self, name: &'a EventName) -> Option<std::borrow::Cow<'a, str>> {
        if let Some(configured) = self.event_names.get(name.as_str()) {
            return Some(configured.as_str().into());
        }
        match name {
            EventName::OrderPlaced => None,
            known => Some(ids::camel(known.as_str()).into()),
        }
    }
}

fn invalid(message: impl Into<String>, pointer: impl Into<String>) -> Error {
    Error::new(ErrorCode::InvalidConfig, message).at(pointer)
}
