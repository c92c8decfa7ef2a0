//! Settings of the source, and the form they are used in.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pull::PullConfig;
use super::webhooks::WebhookConfig;
use crate::error::{Error, ErrorCode};
use crate::model::{Channel, Currency, pointer_token};
use crate::normalize::text::Template;

/// Settings of the BigCommerce source. Every one has a default; with none at all everything is decoded that needs no
/// knowledge of the shop, and nothing the merchant added (attributes, form fields, custom fields) is passed on.
///
/// ```
/// use cartwire::sources::bigcommerce::Config;
/// let config: Config = serde_json::from_str(r#"{
///     "store": "abc123", "currency": "USD", "site_url": "https://shop.example",
///     "consents": [{"channel": "sms", "on": "attribute", "field": "SMS opt-in", "granted": ["Yes"], "denied": ["No"]}],
///     "attribute_names": {"7": "SMS opt-in"},
///     "attributes": [{"field": "Color", "as": "colour"}]
/// }"#)?;
/// assert_eq!(config.store, "abc123");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "BigcommerceConfig")]
pub struct Config {
    /// Store hash, as in the API's address: the tenant of all records. A webhook that names its store overrules it.
    pub store: String,
    /// Locale (BCP 47) where the order or cart has none, and of the catalogue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// Default currency of the store (ISO 4217): catalogue prices are in it and do not say so. None: the catalogue has no
    /// prices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// Country (ISO 3166-1 alpha-2) of phone numbers that have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Channel id of the price list to pick prices of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Customer group id of the price list to pick prices of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_group: Option<String>,
    /// Address of the storefront, put in front of the relative addresses of products and categories.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site_url: Option<String>,
    /// Product page, where it is not `site_url` and the product's own path: `{slug}`, `{sku}`, `{id}`, `{locale}`,
    /// `{language}`, `{country}`, `{store}`. A page whose value for a place is missing has no address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_url: Option<String>,
    /// Page that brings a shopper back to a cart: `{id}`, `{locale}`, `{language}`, `{country}`, `{store}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cart_url: Option<String>,
    /// Order page: `{id}`, `{number}`, `{locale}`, `{language}`, `{country}`, `{store}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_url: Option<String>,
    /// Category page, where it is not `site_url` and the category's own path: `{slug}`, `{id}`, `{locale}`, `{language}`,
    /// `{country}`, `{store}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category_url: Option<String>,
    /// Tracking page by carrier, in any case: `{tracking}`. Used where the shipment has no link of its own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tracking_urls: BTreeMap<String, String>,
    /// Attribute, form field or metafield of the customer that holds the phone number. Without it, or where it is empty, the
    /// number comes from the customer, then from the first address with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_field: Option<String>,
    /// Names of customer attributes by id, because customers carry only the id. An attribute that is not listed is named by
    /// its id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attribute_names: BTreeMap<String, String>,
    /// Names of brands by id, because products carry only the id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub brands: BTreeMap<String, String>,
    /// Names of customer groups by id. A group that is not listed is named by its id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub customer_groups: BTreeMap<String, String>,
    /// Order statuses that are not yet an order placed. Default: `[0]`, incomplete. Shops that capture payment later may add
    /// 1 (pending) and 7 (awaiting payment).
    pub not_placed: Vec<u8>,
    /// Whether orders paid with a test transaction count. Default: false, they are ignored by name.
    pub test_orders: bool,
    /// Locations whose stock counts, id or code. Empty: all that are enabled.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub locations: Vec<String>,
    /// What a newsletter subscriber without consents means who never changed since the row was made. Default: `unknown`,
    /// because the checkout makes such rows for shoppers who ticked nothing.
    pub untouched_subscriber: Untouched,
    /// Where permission is kept besides the newsletter subscribers, whose `marketing_newsletter` is the e-mail consent unless
    /// a rule with `"on": "subscriber"` is given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub consents: Vec<ConsentRule>,
    /// Attributes, form fields, metafields (`namespace.key`) and own fields of customers to pass on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contact_fields: Vec<FieldMapping>,
    /// Form fields of the billing address, metafields (`namespace.key`) and own fields of orders to pass on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub order_fields: Vec<FieldMapping>,
    /// Custom fields of products, options of variants and lines to pass on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<FieldMapping>,
    /// How webhooks are verified. Without any secret none is accepted.
    pub webhooks: WebhookConfig,
    /// How the platform itself is read. Only pulling, and fetching what webhooks name, need it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull: Option<PullConfig>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            store: String::new(),
            locale: None,
            currency: None,
            country: None,
            channel: None,
            customer_group: None,
            site_url: None,
            product_url: None,
            cart_url: None,
            order_url: None,
            category_url: None,
            tracking_urls: BTreeMap::new(),
            phone_field: None,
            attribute_names: BTreeMap::new(),
            brands: BTreeMap::new(),
            customer_groups: BTreeMap::new(),
            not_placed: vec![0],
            test_orders: false,
            locations: Vec::new(),
            untouched_subscriber: Untouched::Unknown,
            consents: Vec::new(),
            contact_fields: Vec::new(),
            order_fields: Vec::new(),
            attributes: Vec::new(),
            webhooks: WebhookConfig::default(),
            pull: None,
        }
    }
}

/// What a subscriber row means that has no consent and never changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "BigcommerceUntouched")]
pub enum Untouched {
    /// Nothing was said.
    #[default]
    Unknown,
    /// A no; for shops that import people who left as rows without consents.
    Denied,
}

/// One field to pass on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "BigcommerceFieldMapping")]
pub struct FieldMapping {
    /// Its name at the platform.
    pub field: String,
    /// Its name from here on; the same unless given.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What to read it as; what its JSON shows unless given. The platform keeps attributes and custom fields as text,
    /// numbers and dates too. A value that is not of the type is left out and reported, because destinations lock a field
    /// to one type.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<ValueType>,
}

/// What a configured field is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "BigcommerceValueType")]
pub enum ValueType {
    /// A truth value; also the words `true`, `false`, `yes`, `no`, `on`, `off`, `1`, `0` in any case.
    Boolean,
    /// A whole number; also as text.
    Integer,
    /// A number with a fraction; also as text.
    Decimal,
    /// Text.
    Text,
    /// A calendar date, `YYYY-MM-DD`; of an instant its day in UTC.
    Date,
    /// An instant.
    DateTime,
}

/// Where the field of a [`ConsentRule`] is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "BigcommerceConsentPlace")]
pub enum ConsentPlace {
    /// An own field of the customer, such as `accepts_product_review_abandoned_cart_emails`.
    #[default]
    Customer,
    /// An attribute of the customer, by name (`attribute_names`) or id.
    Attribute,
    /// A form field of the customer.
    FormField,
    /// A metafield of the customer, `namespace.key`.
    Metafield,
    /// The newsletter subscriber: `member` among its consents.
    Subscriber,
    /// An own field of the order such as `is_email_opt_in`, or a form field of its billing address. Only a yes counts: a box
    /// that was not ticked at one order is no withdrawal.
    Order,
}

/// How one channel's permission is read.
///
/// | field | settings | reading |
/// |---|---|---|
/// | truth value, also as word | `field` | true is a yes, false is a no; `invert` for fields such as `unsubscribed` |
/// | word | `field`, `granted`, `denied`, `pending` | the word's list; a word in none is unknown |
/// | list of words | `field`, `member` | containing `member` (default: the channel's name) is a yes, not containing it a no |
/// | instants | `granted_at_field`, `denied_at_field` | the newer one counts, with its time; a tie is a no |
///
/// An absent or empty field is no entry at all: absence is never a yes and never a no.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "BigcommerceConsentRule")]
pub struct ConsentRule {
    /// The channel: `email`, `sms`, `push`, `whatsapp`, `post`, or a word of your own.
    pub channel: Channel,
    /// Where the field is. Default: `customer`.
    #[serde(default)]
    pub on: ConsentPlace,
    /// Field with the state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// A true value means no. Default: false.
    #[serde(default)]
    pub invert: bool,
    /// Words that mean yes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub granted: Vec<String>,
    /// Words that mean no.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denied: Vec<String>,
    /// Words that mean asked but not confirmed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<String>,
    /// The member of a list that means yes. Default: the channel's name; for subscribers `marketing_newsletter`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// Field with the instant of a yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted_at_field: Option<String>,
    /// Field with the instant of a no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denied_at_field: Option<String>,
    /// Field with the instant the state was set. Without it the consent has no time, because the time of the last change of
    /// the customer says nothing about it; subscribers and orders have their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_field: Option<String>,
    /// Field that says where it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_field: Option<String>,
    /// Field with the proof, such as the version of the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence_field: Option<String>,
}

/// Settings with their templates read.
#[derive(Debug)]
pub(super) struct Compiled {
    pub config: Config,
    pub product_url: Option<Template>,
    pub cart_url: Option<Template>,
    pub order_url: Option<Template>,
    pub category_url: Option<Template>,
    pub tracking_urls: BTreeMap<String, Template>,
    /// Whether anything the merchant added to customers is read.
    pub customer_fields: bool,
    pub order_fields: bool,
}

const MARKET: [&str; 4] = ["locale", "language", "country", "store"];

impl Compiled {
    pub(super) fn new(config: Config) -> Result<Self, Error> {
        let places = |own: &[&'static str]| [own, &MARKET].concat();
        let tracking_urls = config.tracking_urls.iter().map(|(carrier, text)| {
            Ok((carrier.to_lowercase(), template(text, &["tracking"], || format!("/tracking_urls/{}", pointer_token(carrier)))?))
        });
        let tracking_urls = tracking_urls.collect::<Result<_, Error>>()?;
        let read = |setting: &Option<String>, name: &str, own: &[&'static str]| {
            setting.as_ref().map(|text| template(text, &places(own), || format!("/{name}"))).transpose()
        };
        for (index, rule) in config.consents.iter().enumerate() {
            let named = rule.field.is_some() || rule.granted_at_field.is_some() || rule.denied_at_field.is_some();
            if !named && rule.on != ConsentPlace::Subscriber {
                let message = "a consent needs `field`, `granted_at_field` or `denied_at_field`";
                return Err(Error::new(ErrorCode::InvalidConfig, message).at(format!("/consents/{index}")));
            }
        }
        config.webhooks.check()?;
        let of_order = |rule: &ConsentRule| rule.on == ConsentPlace::Order;
        let of_customer = |rule: &ConsentRule| !matches!(rule.on, ConsentPlace::Order | ConsentPlace::Subscriber);
        Ok(Compiled {
            product_url: read(&config.product_url, "product_url", &["slug", "sku", "id"])?,
            cart_url: read(&config.cart_url, "cart_url", &["id"])?,
            order_url: read(&config.order_url, "order_url", &["id", "number"])?,
            category_url: read(&config.category_url, "category_url", &["slug", "id"])?,
            tracking_urls,
            customer_fields: !config.contact_fields.is_empty() || config.phone_field.is_some() || config.consents.iter().any(of_customer),
            order_fields: !config.order_fields.is_empty() || config.consents.iter().any(of_order),
            config,
        })
    }
}

fn template(text: &str, known: &[&str], at: impl FnOnce() -> String) -> Result<Template, Error> {
    Template::parse(text, known).map_err(|message| Error::new(ErrorCode::InvalidConfig, message).at(at()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_setting_is_refused() {
        assert!(serde_json::from_str::<Config>(r#"{"shop": "abc"}"#).is_err());
    }

    #[test]
    fn a_template_with_a_wrong_place_names_its_setting() {
        let config = Config { order_url: Some("https://shop.example/{slug}".to_owned()), ..Config::default() };
        let error = Compiled::new(config).err().unwrap_or_else(|| unreachable!());
        assert_eq!((error.code(), error.path()), (ErrorCode::InvalidConfig, Some("/order_url")));
    }

    #[test]
    fn a_consent_without_a_field_is_refused_but_for_subscribers() {
        let config: Config = serde_json::from_str(r#"{"consents": [{"channel": "email"}]}"#).unwrap_or_default();
        assert!(Compiled::new(config).is_err_and(|error| error.path() == Some("/consents/0")));
        let config: Config = serde_json::from_str(r#"{"consents": [{"channel": "email", "on": "subscriber"}]}"#).unwrap_or_default();
        assert!(Compiled::new(config).is_ok());
    }
}
