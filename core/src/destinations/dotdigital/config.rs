//! Settings of the Dotdigital destination, checked once when it is opened.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::Secret;
use super::ids;
use crate::error::{Error, ErrorCode};
use crate::model::{Channel, EventName};

/// Settings of the Dotdigital destination. All have defaults; without `user` and `password` requests can be built, not sent.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "DotdigitalConfig")]
pub struct Config {
    /// Name of the API user, such as `apiuser-0123456789ab@apiconnector.com`. Default: empty.
    pub user: Secret,
    /// Password of the API user. Default: empty.
    pub password: Secret,
    /// Where the account lives. Default `r1`. `check` asks the account itself and says when it is another one.
    pub region: Region,
    /// Base URL to use instead of the region's, such as `http://127.0.0.1:8080` for a test server. Default: none.
    /// `https`, or `http` to this machine; no path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Name of the custom identifier that holds the shop's customer id, such as `shopCustomerId`; it must be defined in the
    /// account. With it a customer stays one contact when the e-mail changes. Default: none, people are found by e-mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_identifier: Option<String>,
    /// How stored data fields and sent ones are weighed. Default `overwrite`, which also clears fields that are gone.
    pub merge_option: MergeOption,
    /// Which calls carry contacts in a backfill. Default `read_first`.
    pub backfill_contacts: ContactWrite,
    /// Whether an import may subscribe people, unseen, because nobody can have left this account yet. Default false: a yes
    /// is only written after reading the contact.
    pub import_grants: bool,
    /// What happens to people Dotdigital does not know and whose permission is unknown. Default `create`: they are created
    /// as unsubscribed.
    pub unknown_contacts: Unknown,
    /// Data field that marks contacts created without a permission, so that a later yes is not taken for a comeback.
    /// Default `CW_UNASKED`; an empty text does without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unasked_field: Option<String>,
    /// How a yes of someone who bears that mark is written. Default `ask`: Dotdigital asks them by mail, because whoever
    /// leaves what they never joined may leave no trace.
    pub unasked_yes: UnaskedYes,
    /// Whether data fields the account does not know are made. Default `create`.
    pub define_fields: Define,
    /// Data field per canonical name (`loyalty_tier`: `TIER`), for attributes and for the standard ones; an empty name
    /// leaves one out. Default: attributes under their own names in capitals, standard ones as in the field map.
    pub data_fields: BTreeMap<String, String>,
    /// How someone who left comes back when a provably newer yes is known. Default `challenge`: Dotdigital asks them by
    /// mail.
    pub resubscribe: Resubscribe,
    /// Locale of the mail that asks, such as `en-EN`. Default: the account's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub challenge_locale: Option<String>,
    /// Where people land after they were asked. Default: Dotdigital's page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub challenge_url: Option<String>,
    /// Opt-in type written with a yes. Default: none, which leaves it as it is. `verified_double` makes Dotdigital send a
    /// confirmation mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opt_in_type: Option<OptInType>,
    /// What is written beside a permission, per channel (`email`, `sms`, `whatsapp`). Default: nothing.
    pub consent: BTreeMap<String, ConsentTarget>,
    /// List per customer group: who is in the group is on the list, who leaves it is taken off. Default: none.
    pub group_lists: BTreeMap<String, u64>,
    /// Names of the insight data collections.
    pub collections: Collections,
    /// Which calls carry insight data. Default `auto`: one by one live, imports in a backfill.
    pub insight_write: InsightWrite,
    /// How the order's members are spelled. Default `camel`, as the vendor's own current connectors do. A collection that
    /// holds orders already must be written as it was.
    pub order_spelling: Spelling,
    /// What orders are known by. Default `id`.
    pub order_key: OrderKey,
    /// What `orderTotal` is. Default `net`: less what was refunded.
    pub order_total: OrderTotal,
    /// What a cancelled order becomes. Default `delete`, as the vendor's own connectors do.
    pub cancelled_orders: Cancelled,
    /// What one catalog record is. Default `product`.
    pub catalog_layout: CatalogLayout,
    /// How behavioural events are sent. Default `collections`.
    pub events: Events,
    /// Collection or event type per canonical event name; an empty name leaves the event out. Default: the canonical name
    /// in camel case, for collections with a capital.
    pub event_names: BTreeMap<String, String>,
    /// Program to enrol people in, per canonical event name, such as `cart_abandoned`: 3120. Never in a backfill. Default: none.
    pub programs: BTreeMap<String, u64>,
    /// What an erasure does. Default `delete_all`.
    pub erase: Erase,
    /// Which call deletes contacts. Default `single`.
    pub delete_write: DeleteWrite,
    /// What a deletion that is not an erasure does. Default `keep`: the contact stays.
    pub contact_deleted: ContactDeletion,
    /// Whether a backfill subscribes people. Default `withhold`: a subscription can start a welcome program. A no is always
    /// sent. What was withheld can be sent later.
    pub backfill_grants: Backfilled,
    /// Whether a backfill sends behavioural events. Default `withhold`: programs can start on them.
    pub backfill_events: Backfilled,
    /// Whether a backfill sends orders, refunds, returns and shipments. Default `send`.
    pub backfill_orders: BackfilledOrders,
    /// Whether a backfill puts people on lists. Default `withhold`: joining a list can start a program.
    pub backfill_lists: Backfilled,
}

macro_rules! choice {
    ($($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident,)+ })+) => { $(
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        $(#[$meta])*
        pub enum $name { $($(#[$variant_meta])* $variant,)+ }
    )+ };
}

choice! {
    /// Where an account lives (<https://developer.dotdigital.com/docs/api-end-points>).
    #[schemars(rename = "DotdigitalRegion")]
    Region {
        /// Europe.
        #[default]
        R1,
        /// North America.
        R2,
        /// Asia-Pacific.
        R3,
    }

    /// How stored values and sent ones are weighed.
    #[schemars(rename = "DotdigitalMergeOption")]
    MergeOption {
        /// What is sent counts; null clears.
        #[default]
        Overwrite,
        /// What is sent counts unless it is empty; nothing is cleared.
        OverwriteIfNotEmpty,
        /// Only blanks are filled.
        OverwriteIfEmpty,
    }

    /// Which calls carry contacts.
    #[schemars(rename = "DotdigitalContactWrite")]
    ContactWrite {
        /// The contact is read, then created or changed.
        #[default]
        ReadFirst,
        /// Rows that can subscribe nobody are imported in bulk; all others are read first.
        Import,
    }

    /// What happens to people Dotdigital does not know and whose permission is unknown.
    #[schemars(rename = "DotdigitalUnknown")]
    Unknown {
        /// They are created as unsubscribed, never by a call that would subscribe them.
        #[default]
        Create,
        /// Nothing of them is sent.
        Skip,
    }

    /// How a yes of someone is written who was created without a permission.
    #[schemars(rename = "DotdigitalUnaskedYes")]
    UnaskedYes {
        /// Dotdigital asks them by mail, once, and never in a backfill.
        #[default]
        Ask,
        /// At once, where the contact is as it was created. Only where nobody can have left, such as in an account that has
        /// mailed nobody yet.
        Subscribe,
    }

    /// Whether data fields are made.
    #[schemars(rename = "DotdigitalDefine")]
    Define {
        /// What is missing is made.
        #[default]
        Create,
        /// What is missing is told as a warning.
        Never,
    }

    /// How someone who left comes back.
    #[schemars(rename = "DotdigitalResubscribe")]
    Resubscribe {
        /// Dotdigital asks them by mail; e-mail only, and never in a backfill.
        #[default]
        Challenge,
        /// At once. Only where the shop holds the proof of the yes.
        NoChallenge,
        /// Not by us.
        Never,
    }

    /// Dotdigital's opt-in types.
    #[schemars(rename = "DotdigitalOptInType")]
    OptInType {
        /// Nothing is known.
        #[default]
        Unknown,
        /// Said once.
        Single,
        /// Said and confirmed by mail.
        Double,
        /// To be confirmed through a mail that Dotdigital sends.
        VerifiedDouble,
    }

    /// Which calls carry insight data.
    #[schemars(rename = "DotdigitalInsightWrite")]
    InsightWrite {
        /// Single calls live, imports in a backfill.
        #[default]
        Auto,
        /// Always one by one.
        Single,
        /// Always by import.
        Bulk,
    }

    /// How the order's members are spelled.
    #[schemars(rename = "DotdigitalSpelling")]
    Spelling {
        /// `orderTotal`
        #[default]
        Camel,
        /// `order_total`
        Snake,
    }

    /// What orders are known by.
    #[schemars(rename = "DotdigitalOrderKey")]
    OrderKey {
        /// The shop's id, which every order has from its first moment.
        #[default]
        Id,
        /// The number the customer knows, else the id. Only for shops that number every order when it is placed.
        Number,
    }

    /// What an order's total is.
    #[schemars(rename = "DotdigitalOrderTotal")]
    OrderTotal {
        /// Less what was refunded.
        #[default]
        Net,
        /// As it was placed.
        Gross,
    }

    /// What a cancelled order becomes.
    #[schemars(rename = "DotdigitalCancelled")]
    Cancelled {
        /// Its record is deleted.
        #[default]
        Delete,
        /// Its record stays with the status `cancelled` and a total of 0.
        Keep,
    }

    /// What one catalog record is.
    #[schemars(rename = "DotdigitalCatalogLayout")]
    CatalogLayout {
        /// A product with its leading variant's price.
        #[default]
        Product,
        /// A variant.
        Variant,
    }

    /// How behavioural events are sent.
    #[schemars(rename = "DotdigitalEvents")]
    Events {
        /// As records of custom collections, one collection per event.
        #[default]
        Collections,
        /// Through the events API, which needs a CXDP account and tells nothing about failures.
        Api,
        /// Not at all.
        Off,
    }

    /// What an erasure does.
    #[schemars(rename = "DotdigitalErase")]
    Erase {
        /// Empties the person's insight data collections, then deletes the contact.
        #[default]
        DeleteAll,
        /// Deletes the contact.
        Delete,
    }

    /// Which call deletes contacts.
    #[schemars(rename = "DotdigitalDeleteWrite")]
    DeleteWrite {
        /// One by one.
        #[default]
        Single,
        /// Many in a job.
        Bulk,
    }

    /// What a deletion that is not an erasure does.
    #[schemars(rename = "DotdigitalContactDeletion")]
    ContactDeletion {
        /// Nothing.
        #[default]
        Keep,
        /// Deletes the contact.
        Delete,
    }

    /// What a backfill does with something that can start programs.
    #[schemars(rename = "DotdigitalBackfilled")]
    Backfilled {
        /// It is skipped as `backfill_quiet`.
        #[default]
        Withhold,
        /// It is sent; pause the programs first.
        Send,
    }

    /// What a backfill does with orders.
    #[schemars(rename = "DotdigitalBackfilledOrders")]
    BackfilledOrders {
        /// They are sent.
        #[default]
        Send,
        /// They are skipped as `backfill_quiet`.
        Withhold,
    }
}

/// What is written beside a permission.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "DotdigitalConsentTarget")]
pub struct ConsentTarget {
    /// Lists that a yes puts people on; a no leaves them alone. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lists: Vec<u64>,
    /// Id of the marketing preference that is set to the answer. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preference: Option<u64>,
    /// Wording people agreed to, for consent records. Default: none; then the evidence must hold it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Page they agreed on, for consent records. Default: none; then the evidence must hold it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Whether a yes is proved by a consent record. It needs the text, page, IP address and user agent; where one is
    /// missing no record is written. Default false.
    pub record: bool,
}

/// Names of the insight data collections; an empty name leaves the records out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "DotdigitalCollections")]
pub struct Collections {
    /// Orders, of type `orders`. Default `Orders`.
    pub orders: String,
    /// Carts, of type `cartInsight`. Default `CartInsight`.
    pub carts: String,
    /// Products, of type `catalog`; the name starts with `Catalog_`. Default `Catalog_Default`.
    pub products: String,
    /// Categories, a custom collection of the account: the shape of Dotdigital's own type is not published. Default: empty.
    pub categories: String,
    /// Refunds, a custom collection. Default `Refunds`.
    pub refunds: String,
    /// Returns, a custom collection. Default `Returns`.
    pub returns: String,
    /// Shipments, a custom collection. Default `Shipments`.
    pub shipments: String,
}

impl Default for Collections {
    fn default() -> Self {
        let name = str::to_owned;
        Collections {
            orders: name("Orders"),
            carts: name("CartInsight"),
            products: name("Catalog_Default"),
            categories: String::new(),
            refunds: name("Refunds"),
            returns: name("Returns"),
            shipments: name("Shipments"),
        }
    }
}

impl MergeOption {
    /// As single calls spell it.
    pub(super) const fn query(self) -> &'static str {
        match self {
            MergeOption::Overwrite => "overwrite",
            MergeOption::OverwriteIfNotEmpty => "overwrite-if-not-empty",
            MergeOption::OverwriteIfEmpty => "overwrite-if-empty",
        }
    }

    /// As imports spell it.
    pub(super) const fn bulk(self) -> &'static str {
        match self {
            MergeOption::Overwrite => "overwrite",
            MergeOption::OverwriteIfNotEmpty => "overwriteIfNotEmpty",
            MergeOption::OverwriteIfEmpty => "overwriteIfEmpty",
        }
    }
}

impl OptInType {
    /// As Dotdigital spells it in writes.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            OptInType::Unknown => "unknown",
            OptInType::Single => "single",
            OptInType::Double => "double",
            OptInType::VerifiedDouble => "verifiedDouble",
        }
    }
}

/// Locales the mail that asks can have.
const LOCALES: &[&str] = &[
    "cs-CS", "da-DA", "de-DE", "el-EL", "en-EN", "es-ES", "es", "fi-FI", "fr-FR", "hu-HU", "it-IT", "nl-NL", "nb-NO", "pl-PL", "pt-PT",
    "ru-RU", "se-SE", "sk-SK", "tr-TR", "zh-CN",
];

impl Config {
    /// Checks what serde cannot, and returns the base URL.
    pub(super) fn checked(&self) -> Result<String, Error> {
        let secrets = [(&self.user, "/user"), (&self.password, "/password")];
        for (secret, pointer) in secrets {
            if secret.expose().chars().any(char::is_control) {
                return Err(invalid("a credential holds no control characters", pointer));
            }
        }
        if self.user.expose().contains(':') {
            return Err(invalid("the name of an API user holds no colon", "/user"));
        }
        if self.customer_identifier.as_deref().is_some_and(|name| !ids::is_identifier(name)) {
            let rule = "a custom identifier is 1 to 50 letters, digits, `-` and `_`, and none of Dotdigital's own";
            return Err(invalid(rule, "/customer_identifier"));
        }
        if let Some(name) = self.unasked_field().filter(|name| ids::field_fault(name).is_some()) {
            return Err(invalid(ids::field_fault(name).unwrap_or_default(), "/unasked_field"));
        }
        for (canonical, name) in &self.data_fields {
            if let Some(fault) = ids::field_fault(name).filter(|_| !name.is_empty()) {
                return Err(invalid(fault, format!("/data_fields/{canonical}")));
            }
        }
        if self.challenge_locale.as_deref().is_some_and(|locale| !LOCALES.contains(&locale)) {
            return Err(invalid(format!("`challenge_locale` is one of {}", LOCALES.join(", ")), "/challenge_locale"));
        }
        for (channel, target) in &self.consent {
            let pointer = format!("/consent/{channel}");
            if ![Channel::Email, Channel::Sms, Channel::Whatsapp].iter().any(|known| known.as_str() == channel) {
                return Err(invalid("`consent` knows `email`, `sms` and `whatsapp`", pointer));
            }
            if target.lists.len() > 100 {
                return Err(invalid("one call takes at most 100 lists", pointer));
            }
            if target.lists.iter().chain(&target.preference).any(|id| !is_id(*id)) {
                return Err(invalid("ids of lists and preferences are positive 32-bit numbers", pointer));
            }
            if target.record && channel != "email" {
                return Err(invalid("consent records prove the permission for e-mail", pointer));
            }
        }
        if self.group_lists.values().chain(self.programs.values()).any(|id| !is_id(*id)) {
            return Err(invalid("ids of lists and programs are positive 32-bit numbers", "/group_lists"));
        }
        self.check_collections()?;
        self.base_url()
    }

    fn check_collections(&self) -> Result<(), Error> {
        let names = &self.collections;
        let all = [
            (&names.orders, "orders"),
            (&names.carts, "carts"),
            (&names.products, "products"),
            (&names.categories, "categories"),
            (&names.refunds, "refunds"),
            (&names.returns, "returns"),
            (&names.shipments, "shipments"),
        ];
        for (index, (name, setting)) in all.iter().enumerate() {
            let pointer = format!("/collections/{setting}");
            if !name.is_empty() && !ids::is_collection(name) {
                return Err(invalid("a collection name is 2 to 255 letters, digits, `-` and `_`, and no digit first", pointer));
            }
            if !name.is_empty() && all[..index].iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
                return Err(invalid("each kind needs a collection of its own", pointer));
            }
        }
        let catalog = names.products.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("catalog_"));
        if !names.products.is_empty() && !catalog {
            return Err(invalid("the collection of the products starts with `Catalog_`", "/collections/products"));
        }
        for (event, name) in &self.event_names {
            let pointer = format!("/event_names/{event}");
            let fits = if self.events == Events::Api { name.chars().count() <= 80 } else { ids::is_collection(name) };
            if !name.is_empty() && !fits {
                return Err(invalid(
                    "a collection name has 2 to 255 letters, digits, `-` and `_`; an event type at most 80 characters",
                    pointer,
                ));
            }
            if all.iter().any(|(other, _)| !name.is_empty() && other.eq_ignore_ascii_case(name)) {
                return Err(invalid("another kind of record has this collection", pointer));
            }
        }
        Ok(())
    }

    fn base_url(&self) -> Result<String, Error> {
        let Some(url) = &self.base_url else {
            return Ok(match self.region {
                Region::R1 => "https://r1-api.dotdigital.com".to_owned(),
                Region::R2 => "https://r2-api.dotdigital.com".to_owned(),
                Region::R3 => "https://r3-api.dotdigital.com".to_owned(),
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
            return Err(invalid("`base_url` may be `http` on this machine only: the password would travel in the clear", "/base_url"));
        }
        Ok(url.to_owned())
    }

    /// The data field that marks people who were never asked.
    pub(super) fn unasked_field(&self) -> Option<&str> {
        match self.unasked_field.as_deref() {
            None => Some("CW_UNASKED"),
            Some("") => None,
            Some(name) => Some(name),
        }
    }

    /// The collection or event type of an event; `None` when it is not sent as one.
    pub(super) fn event_name(&self, name: &EventName) -> Option<String> {
        if let Some(configured) = self.event_names.get(name.as_str()) {
            return (!configured.is_empty()).then(|| configured.clone());
        }
        match name {
            // The order, and what became of it, are records of their own.
            EventName::OrderPlaced | EventName::OrderUpdated | EventName::ConsentChanged | EventName::EmailChanged => None,
            other if self.events == Events::Api => Some(ids::camel(other.as_str(), false)),
            other => Some(ids::camel(&ids::json_name(other.as_str()), true)),
        }
    }
}

fn is_id(id: u64) -> bool {
    (1..=i32::MAX as u64).contains(&id)
}

fn invalid(message: impl Into<String>, pointer: impl Into<String>) -> Error {
    Error::new(ErrorCode::InvalidConfig, message).at(pointer)
}
