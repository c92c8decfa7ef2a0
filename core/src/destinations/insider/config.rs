//! Settings of the Insider destination, checked once when it is opened.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::Secret;
use super::{capabilities as endpoints, ids};
use crate::error::{Error, ErrorCode};
use crate::model::EventName;

/// Settings of the Insider destination.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Partner name, lower case, as under Account Settings. Required.
    #[schemars(required)]
    pub partner: String,
    /// Key of the type Unified Customer Database. Default: empty, enough for building requests, not for sending them.
    pub token: Secret,
    /// Key of the type Product Catalog. Default: none, and products are skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catalog_token: Option<Secret>,
    /// Key of the type Global Unsubscribe. Default: none, and a no is written on the profile only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsubscribe_token: Option<Secret>,
    /// Key of the type Resubscribe. Needed by `resubscribe` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resubscribe_token: Option<Secret>,
    /// Address that Insider calls when it refuses a user after it accepted the call. Default: none. `https`. What it is told there
    /// is not published, and this library does not read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_callback: Option<Secret>,
    /// Base URL for all hosts, such as `http://127.0.0.1:8080` for a test server. Default: none. `https`, or `http` to this
    /// machine; no path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Base URLs by host, for accounts with hosts of their own.
    pub hosts: Hosts,
    /// What identifies people, as switched on in the account's identity resolution settings.
    pub identifiers: Identifiers,
    /// Whether events name everything known of a person instead of the strongest identifier only. Default false: an e-mail
    /// typed at a checkout is not always the account's, and naming both merges the two people.
    pub events_with_all_identifiers: bool,
    /// What happens when the new address of a customer belongs to another profile. Default `reject`.
    pub identity_conflict: IdentityConflict,
    /// Custom attributes that exist in the panel, by name there, with their types. Default: none given; then attributes of the
    /// record are sent as they are, and the library's own extra ones (see the page) are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_attributes: Option<BTreeMap<String, AttributeType>>,
    /// Names at Insider by canonical attribute name. Default: the name in snake case.
    pub attribute_names: BTreeMap<String, String>,
    /// Key of the attribute that holds the locale; the vendor's pages name `lo` and `locale`. Default `lo`; empty for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale_attribute: Option<String>,
    /// Channel of the consent that allows processing at all (`gdpr_optin`), such as `processing`. Default: none, never written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processing_channel: Option<String>,
    /// Keep what a permission rests on in the custom attributes `<channel>_consent` and `<channel>_consent_at`, which must
    /// exist. Default false, and then a no at Insider is never lifted from here.
    pub consent_evidence: bool,
    /// Whether a yes newer than the no this library wrote lifts that no, and the global unsubscribe with it. Default `never`.
    /// Needs `consent_evidence`, `resubscribe_token` and `left_events`.
    pub resubscribe: Resubscribe,
    /// By channel (`email`, `sms`, `whatsapp`), the event that Insider stores when somebody leaves by a link or an answer, as
    /// it is called in the account. A profile shows a global unsubscribe for e-mail only, so a yes for `sms` and `whatsapp` is
    /// written only where this tells who left; and a no is lifted only where it tells that nobody left since. Default: none.
    pub left_events: BTreeMap<String, String>,
    /// Attribute that tells of a global unsubscribe when a profile is read. Default `global_unsubscribe`; empty for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsubscribed_attribute: Option<String>,
    /// What the e-mail unsubscribe call names: addresses, or users where the account's flow is profile based. Default
    /// `addresses`.
    pub unsubscribe_by: UnsubscribeBy,
    /// What an erasure does. Default `delete`.
    pub erase: Erase,
    /// What a deletion that is not an erasure does. Default `keep`: the profile stays.
    pub contact_deleted: ContactDeletion,
    /// Event names at Insider by canonical name. Default: see the page; `order_placed`, `email_changed` and
    /// `consent_changed` are sent by other means and as events only when they are named here.
    pub event_names: BTreeMap<String, String>,
    /// Days after which Insider drops events, where the account has bought more: by endpoint, such as `events.custom`.
    pub retention_days: BTreeMap<String, u32>,
    /// Events older than so many hours when they are heard start no journeys, whatever the mode. Default 168, a week; 0 for
    /// never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quiet_after_h: Option<u32>,
    /// What `product_id` of events and `item_id` of the catalog are: what the site tags. Default `sku`.
    pub item_id: ItemId,
    /// Put before order and cart ids to make `event_group_id`, for several shops in one account that count orders from one.
    /// Default: empty.
    pub group_id_prefix: String,
    /// What `unit_sale_price` of a purchase comes to. Default `after_order_discounts`.
    pub purchase_price: PurchasePrice,
    /// Whether prices of purchases contain tax. Default `as_priced`.
    pub purchase_tax: PurchaseTax,
    /// On which lines of a purchase `shipping_cost` stands. Default `first_line`: it is not published whether Insider adds it
    /// up.
    pub shipping_cost: ShippingCost,
    /// One event per refund, return or shipment, or one per line of it. Default `one`: a journey starts once.
    pub line_events: LineEvents,
    /// How carts are sent. Default `changes`.
    pub carts: Carts,
    /// What stands in `category` and `taxonomy`, as the account is set. Default `path`.
    pub categories: Categories,
    /// The catalog.
    pub catalog: Catalog,
    /// Whether a backfill writes the catalog. Default `withhold`: it can start journeys on price drops.
    pub backfill_catalog: Backfilled,
}

/// Base URLs by host.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "InsiderHosts")]
pub struct Hosts {
    /// Customer database. Default `https://unification.useinsider.com`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unification: Option<String>,
    /// Subscriptions. Default `https://contact.useinsider.com`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// Catalog. Default `https://catalog.api.useinsider.com`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catalog: Option<String>,
}

/// What identifies people. What is switched off is sent as an attribute.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "InsiderIdentifiers")]
pub struct Identifiers {
    /// Customer id as `uuid`. Default true.
    pub uuid: bool,
    /// Put before every customer id, for several shops in one account. Default: empty.
    pub uuid_prefix: String,
    /// E-mail. Default true.
    pub email: bool,
    /// Phone in E.164. Default true.
    pub phone: bool,
    /// Custom identifier that holds the anonymous id. Default: none, and people without any other identifier are skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anonymous: Option<String>,
    /// Custom identifiers by the name of the external id, such as `loyalty: user_loyalty_id`.
    pub custom: BTreeMap<String, String>,
    /// External id that holds Insider's own profile id, captured by the site, such as `insider_id`. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub insider_id: Option<String>,
}

impl Default for Identifiers {
    fn default() -> Self {
        Identifiers {
            uuid: true,
            uuid_prefix: String::new(),
            email: true,
            phone: true,
            anonymous: None,
            custom: BTreeMap::new(),
            insider_id: None,
        }
    }
}

/// The catalog.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "InsiderCatalog")]
pub struct Catalog {
    /// How records are written. Default `ingest`.
    pub write: CatalogWrite,
    /// Locales at Insider (`de_DE`) by the shop's (`de`). A locale with a region needs none. Also where items that are gone
    /// are hidden.
    pub locales: BTreeMap<String, String>,
    /// Whether the store's key is put behind the locale (`de_DE:berlin`). Default false.
    pub stores: bool,
    /// Further currencies whose prices are sent besides the market's. Default: none.
    pub currencies: Vec<String>,
    /// Attributes of products and variants to send as `product_attributes`; they must exist in the panel. Default: none.
    pub attributes: Vec<String>,
    /// Attribute that is the colour. Default `color`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub color: Option<String>,
    /// Attribute that is the size. Default `size`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// Attribute that is the gender a product is made for. Default `gender`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gender: Option<String>,
}

macro_rules! choice {
    ($(#[doc = $doc:literal])+ $name:ident as $schema:literal { $(#[doc = $first_doc:literal])+ $first:ident, $($(#[doc = $vdoc:literal])+ $variant:ident,)* }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        #[schemars(rename = $schema)]
        pub enum $name { $(#[doc = $first_doc])+ #[default] $first, $($(#[doc = $vdoc])+ $variant,)* }
    };
}

choice! {
    /// What happens when the new address of a customer belongs to another profile.
    IdentityConflict as "InsiderIdentityConflict" {
        /// It becomes a dead letter.
        Reject,
        /// An upsert names both identifiers, and Insider merges the profiles by the account's settings.
        Merge,
    }
}
choice! {
    /// Whether a newer yes lifts a global unsubscribe.
    Resubscribe as "InsiderResubscribe" {
        /// Never.
        Never,
        /// When the no there is one this library wrote, and the yes is newer.
        NewerOptIn,
    }
}
choice! {
    /// What the e-mail unsubscribe call names.
    UnsubscribeBy as "InsiderUnsubscribeBy" {
        /// Addresses.
        Addresses,
        /// Users, by `uuid` and address.
        Users,
    }
}
choice! {
    /// What an erasure does.
    Erase as "InsiderErase" {
        /// Deletes the profile.
        Delete,
        /// Strips what the panel marks as personal.
        Anonymize,
    }
}
choice! {
    /// What a deletion that is not an erasure does.
    ContactDeletion as "InsiderContactDeletion" {
        /// Nothing.
        Keep,
        /// Deletes the profile with its history.
        Delete,
    }
}
choice! {
    /// What an item is called.
    ItemId as "InsiderItemId" {
        /// The SKU; without one as `variant`.
        Sku,
        /// Product and variant id, joined by a hyphen.
        Variant,
        /// The product id: all variants are one item.
        Product,
    }
}
choice! {
    /// What the price of a purchase comes to.
    PurchasePrice as "InsiderPurchasePrice" {
        /// What was paid: the line's total less its share of discounts on the whole order.
        AfterOrderDiscounts,
        /// The line's total, before discounts on the whole order.
        LineTotal,
    }
}
choice! {
    /// Whether prices contain tax.
    PurchaseTax as "InsiderPurchaseTax" {
        /// As the shop prices.
        AsPriced,
        /// With tax, where it is known.
        Included,
        /// Without tax, where it is known.
        Excluded,
    }
}
choice! {
    /// Where the shipping cost stands.
    ShippingCost as "InsiderShippingCost" {
        /// On the first line of an order.
        FirstLine,
        /// On every line.
        EveryLine,
        /// Nowhere.
        None,
    }
}
choice! {
    /// How many events a change of an order becomes.
    LineEvents as "InsiderLineEvents" {
        /// One.
        One,
        /// One per line.
        PerLine,
    }
}
choice! {
    /// How carts are sent.
    Carts as "InsiderCarts" {
        /// As what was added and removed since the last time.
        Changes,
        /// As one cart page view per line, each time the cart changes.
        Snapshot,
        /// Not at all.
        Skip,
    }
}
choice! {
    /// What stands in categories.
    Categories as "InsiderCategories" {
        /// The path of the first category, root first.
        Path,
        /// The names of all categories.
        Labels,
    }
}
choice! {
    /// How catalog records are written.
    CatalogWrite as "InsiderCatalogWrite" {
        /// Whole: makes and replaces records.
        Ingest,
        /// In part: only changed fields of records that another feed has made.
        Update,
    }
}
choice! {
    /// What a backfill does with something that can start journeys.
    Backfilled as "InsiderBackfilled" {
        /// It is skipped as `backfill_quiet`.
        Withhold,
        /// It is sent; pause the journeys first.
        Send,
    }
}
choice! {
    /// Type of a custom attribute.
    AttributeType as "InsiderAttributeType" {
        /// Text.
        String,
        /// Number.
        Number,
        /// Truth value.
        Boolean,
        /// Date with or without time.
        Datetime,
        /// List.
        Array,
    }
}

/// The base URLs in use.
#[derive(Clone, Debug)]
pub(super) struct Urls {
    pub unification: String,
    pub contact: String,
    pub catalog: String,
}

impl Config {
    /// Checks what serde cannot, and returns the base URLs.
    pub(super) fn checked(&self) -> Result<Urls, Error> {
        if self.partner.is_empty()
            || !self.partner.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.'))
        {
            return Err(invalid("`partner` is required: the partner name in lower case, without spaces", "/partner"));
        }
        let tokens = [
            (Some(&self.token), "/token"),
            (self.catalog_token.as_ref(), "/catalog_token"),
            (self.unsubscribe_token.as_ref(), "/unsubscribe_token"),
            (self.resubscribe_token.as_ref(), "/resubscribe_token"),
        ];
        for (token, pointer) in tokens {
            if token.is_some_and(|token| !token.expose().bytes().all(|byte| byte.is_ascii_graphic())) {
                return Err(invalid("the key holds characters no key has", pointer));
            }
        }
        let callback = self.error_callback.as_ref().map(Secret::expose);
        if callback.is_some_and(|url| !url.starts_with("https://") || !url.bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err(invalid("the address Insider calls must start with `https://`", "/error_callback"));
        }
        let identifiers = &self.identifiers;
        if !identifiers.uuid && !identifiers.email && !identifiers.phone && identifiers.custom.is_empty() {
            return Err(invalid("at least one identifier must be on", "/identifiers"));
        }
        for name in identifiers.custom.values().chain(&identifiers.anonymous) {
            if !ids::is_name(name) {
                return Err(invalid("a custom identifier is a letter, then letters, digits and `_`, without `c_`", "/identifiers"));
            }
        }
        for name in self.attribute_names.values().chain(self.custom_attributes.iter().flat_map(BTreeMap::keys)) {
            if !ids::is_name(name) {
                return Err(invalid("a custom attribute is a letter, then letters, digits and `_`", "/custom_attributes"));
            }
            if name.starts_with("c_") {
                return Err(invalid("custom attributes are written without `c_`; it shows on reading only", "/custom_attributes"));
            }
        }
        for name in self.event_names.values() {
            if !ids::is_event_name(name) {
                return Err(invalid(
                    "an event name is lower case letters, digits, `.`, `_` and `-`, not starting with a sign",
                    "/event_names",
                ));
            }
        }
        if self.event_names.get("order_placed").is_some_and(|name| name == "purchase" || name == "confirmation_page_view") {
            return Err(invalid("an order placed is sent as `purchase` already", "/event_names/order_placed"));
        }
        for name in self.retention_days.keys() {
            if endpoints::CAPABILITIES.endpoint(name).is_none_or(|endpoint| endpoint.retention_days == 0) {
                return Err(invalid("`retention_days` knows the endpoints that carry events, such as `events.custom`", "/retention_days"));
            }
        }
        let lifts = self.consent_evidence && self.resubscribe_token.is_some() && !self.left_events.is_empty();
        if self.resubscribe == Resubscribe::NewerOptIn && !lifts {
            return Err(invalid("`resubscribe` needs `consent_evidence`, `resubscribe_token` and `left_events`", "/resubscribe"));
        }
        for (channel, name) in &self.left_events {
            if !matches!(channel.as_str(), "email" | "sms" | "whatsapp") || !ids::is_event_name(name) {
                return Err(invalid("`left_events` names an event for `email`, `sms` or `whatsapp`", "/left_events"));
            }
        }
        for locale in self.catalog.locales.values() {
            if !ids::is_catalog_locale(locale) {
                return Err(invalid("a catalog locale is `ll_CC`", "/catalog/locales"));
            }
        }
        for currency in &self.catalog.currencies {
            if crate::model::Currency::parse(currency).is_err() {
                return Err(invalid("a currency is three letters", "/catalog/currencies"));
            }
        }
        self.urls()
    }

    fn urls(&self) -> Result<Urls, Error> {
        let one = |own: &Option<String>, pointer: &str, usual: &str| match (&self.base_url, own) {
            (Some(url), _) => base_url(url, "/base_url"),
            (None, Some(url)) => base_url(url, pointer),
            (None, None) => Ok(usual.to_owned()),
        };
        Ok(Urls {
            unification: one(&self.hosts.unification, "/hosts/unification", "https://unification.useinsider.com")?,
            contact: one(&self.hosts.contact, "/hosts/contact", "https://contact.useinsider.com")?,
            catalog: one(&self.hosts.catalog, "/hosts/catalog", "https://catalog.api.useinsider.com")?,
        })
    }

    /// The name an event goes by at Insider; `None` when another call already carries it.
    pub(super) fn event_name<'a>(&'a self, name: &'a EventName) -> Option<&'a str> {
        if let Some(configured) = self.event_names.get(name.as_str()) {
            return Some(configured);
        }
        Some(match name {
            EventName::OrderPlaced | EventName::EmailChanged | EventName::ConsentChanged => return None,
            EventName::AccountCreated => "sign_up_confirmation",
            EventName::LoggedIn => "login",
            EventName::ProductViewed => "product_detail_page_view",
            EventName::CategoryViewed => "listing_page_view",
            EventName::CheckoutStarted => "checkout_page_view",
            other => other.as_str(),
        })
    }

    /// The name purchases go by: the upsert reference's `purchase`, unless the account knows them by another.
    pub(super) fn purchase_name(&self) -> &str {
        self.event_names.get("purchase").map_or("purchase", String::as_str)
    }

    /// The name of one of the cart events.
    pub(super) fn cart_event<'a>(&'a self, name: &'a str) -> &'a str {
        self.event_names.get(name).map_or(name, String::as_str)
    }

    /// Days after which events of an endpoint are dropped.
    pub(super) fn retention(&self, endpoint: &str) -> i64 {
        let own = self.retention_days.get(endpoint).copied();
        let table = endpoints::CAPABILITIES.endpoint(endpoint).map_or(0, |endpoint| endpoint.retention_days);
        i64::from(own.unwrap_or(table))
    }

    /// Hours after which an event starts no journeys; `None` for never.
    pub(super) fn quiet_after(&self) -> Option<i64> {
        match self.quiet_after_h {
            None => Some(7 * 24),
            Some(0) => None,
            Some(hours) => Some(i64::from(hours)),
        }
    }

    /// The event of leaving a channel.
    pub(super) fn left_event(&self, channel: &str) -> Option<&str> {
        self.left_events.get(channel).map(String::as_str)
    }

    /// Whether a newer yes may lift a no on a channel.
    pub(super) fn lifts(&self, channel: &str) -> bool {
        self.resubscribe == Resubscribe::NewerOptIn && self.left_event(channel).is_some()
    }

    /// Where a read tells of a global unsubscribe.
    pub(super) fn unsubscribed_attribute(&self) -> Option<&str> {
        match self.unsubscribed_attribute.as_deref() {
            None => Some("global_unsubscribe"),
            Some("") => None,
            own => own,
        }
    }
}

fn base_url(url: &str, pointer: &str) -> Result<String, Error> {
    let url = url.strip_suffix('/').unwrap_or(url);
    let (secure, host) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(host), _) => (true, host),
        (None, Some(host)) => (false, host),
        (None, None) => return Err(invalid("a base URL must start with `https://`", pointer)),
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']');
    if host.is_empty() || !host.bytes().all(plain) {
        return Err(invalid("a base URL is a scheme, a host and perhaps a port, nothing else", pointer));
    }
    let name = if host.starts_with('[') { host.split(']').next() } else { host.split(':').next() }.unwrap_or(host);
    if !secure && !matches!(name, "localhost" | "127.0.0.1" | "[::1") {
        return Err(invalid("a base URL may be `http` on this machine only: the key would travel in the clear", pointer));
    }
    Ok(url.to_owned())
}

fn invalid(message: impl Into<String>, pointer: impl Into<String>) -> Error {
    Error::new(ErrorCode::InvalidConfig, message).at(pointer)
}
