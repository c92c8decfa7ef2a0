//! Settings of the source, and the form they are used in.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::auth::PullConfig;
use crate::error::{Error, ErrorCode};
use crate::model::{Channel, Currency, pointer_token};
use crate::normalize::text::Template;

/// Settings of the commercetools source. Every one has a default; with none at all everything is decoded that needs no
/// knowledge of the shop, and nothing the merchant added (custom fields, attributes) is passed on.
///
/// ```
/// use cartwire::sources::commercetools::Config;
/// let config: Config = serde_json::from_str(r#"{
///     "project": "demo", "locale": "de-DE", "currency": "EUR", "country": "DE",
///     "product_url": "https://shop.example/{locale}/p/{slug}",
///     "consents": [{"channel": "email", "field": "newsletter", "at_field": "newsletterAt"}],
///     "attributes": [{"field": "color", "as": "colour"}]
/// }"#)?;
/// assert_eq!(config.project, "demo");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Project key: the tenant of all records. A message that names its project overrules it.
    pub project: String,
    /// Locale (BCP 47) of texts where the cart, order or customer has none, and of the catalogue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// Locales to try, in order, where a text has none of the wanted one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fallback_locales: Vec<String>,
    /// Currency (ISO 4217) of the price to pick where the catalogue was read without price parameters. None: no price is
    /// picked, all prices are listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// Country (ISO 3166-1 alpha-2) of the price to pick.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Channel id or key of the price and the stock to pick.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Customer group id or key of the price to pick.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_group: Option<String>,
    /// Product page: `{slug}`, `{sku}`, `{id}`, `{key}`, `{locale}`, `{language}`, `{country}`, `{store}`. A page whose
    /// value for a place is missing has no address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_url: Option<String>,
    /// Page that brings a shopper back to a cart: `{id}`, `{key}`, `{locale}`, `{language}`, `{country}`, `{store}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cart_url: Option<String>,
    /// Order page: `{id}`, `{number}`, `{locale}`, `{language}`, `{country}`, `{store}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_url: Option<String>,
    /// Category page: `{slug}`, `{id}`, `{key}`, `{locale}`, `{language}`, `{country}`, `{store}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category_url: Option<String>,
    /// Tracking page by carrier, in any case: `{tracking}`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tracking_urls: BTreeMap<String, String>,
    /// Custom field of the customer that holds the phone number. Without it, or where it is empty, the number comes from
    /// the default shipping address, the default billing address, or the first address with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_field: Option<String>,
    /// Attribute that holds the brand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brand_attribute: Option<String>,
    /// Where permission is kept. The platform has no field of its own for it, so nothing is a consent that is not named here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub consents: Vec<ConsentRule>,
    /// Custom fields of customers to pass on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contact_fields: Vec<FieldMapping>,
    /// Custom fields of orders to pass on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub order_fields: Vec<FieldMapping>,
    /// Custom fields of carts to pass on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cart_fields: Vec<FieldMapping>,
    /// Custom fields of lines and custom lines to pass on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub line_fields: Vec<FieldMapping>,
    /// Custom fields of categories to pass on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub category_fields: Vec<FieldMapping>,
    /// Custom fields of deliveries to pass on with their shipments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub delivery_fields: Vec<FieldMapping>,
    /// Custom fields of shopping lists to pass on with their events.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shopping_list_fields: Vec<FieldMapping>,
    /// Whether a chargeback that succeeded counts as a refund, with the reason `chargeback`. Default: false, because nobody is
    /// to be told kindly of money they took back themselves.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub chargebacks_as_refunds: bool,
    /// Attributes of products and variants to pass on, also on lines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<FieldMapping>,
    /// How the platform itself is read. Only pulling, and fetching what messages name, need it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull: Option<PullConfig>,
}

/// One custom field or attribute to pass on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "CommercetoolsFieldMapping")]
pub struct FieldMapping {
    /// Its name at the platform.
    pub field: String,
    /// Its name from here on; the same unless given.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What to read it as; what its JSON shows unless given. A value that is not of the type is left out and reported,
    /// because destinations lock a field to one type.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<ValueType>,
}

/// What a configured field is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "CommercetoolsValueType")]
pub enum ValueType {
    /// A truth value; also the words `true` and `false`.
    Boolean,
    /// A whole number; also as text.
    Integer,
    /// A number with a fraction; also as text.
    Decimal,
    /// Text; of an enum its label in the market's locale.
    Text,
    /// The key of an enum, the id of a reference.
    Key,
    /// A calendar date, `YYYY-MM-DD`; of an instant its day in UTC.
    Date,
    /// An instant.
    DateTime,
    /// Money.
    Money,
}

/// Where the custom field of a [`ConsentRule`] is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "CommercetoolsConsentPlace")]
pub enum ConsentPlace {
    /// On the customer.
    #[default]
    Customer,
    /// On the order, such as a box ticked by a guest at the checkout.
    Order,
    /// On the cart.
    Cart,
}

/// How one channel's permission is read from custom fields.
///
/// | custom field | settings | reading |
/// |---|---|---|
/// | Boolean | `field` | true is a yes, false is a no; `invert` for fields such as `unsubscribed` |
/// | Enum, String | `field`, `granted`, `denied`, `pending` | the word's list; a word in none is unknown |
/// | Set of Enum or String | `field`, `member` | containing `member` (default: the channel's name) is a yes, not containing it a no |
/// | `DateTime` | `granted_at_field`, `denied_at_field` | the newer one counts, with its time; a tie is a no |
/// | none: a customer group | `group` | being in it is a yes; not being in it says nothing |
///
/// An absent field is no entry at all, unless `absent` says that it is a no. It is never a yes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CommercetoolsConsentRule")]
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
    /// Id or key of the customer group whose members said yes. Only on the customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// What it means when nothing of the above is there. Default: `unknown`.
    #[serde(default, skip_serializing_if = "AbsentConsent::is_unknown")]
    pub absent: AbsentConsent,
    /// Words that mean yes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub granted: Vec<String>,
    /// Words that mean no.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denied: Vec<String>,
    /// Words that mean asked but not confirmed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<String>,
    /// The member of a set that means yes. Default: the channel's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// Field with the instant of a yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted_at_field: Option<String>,
    /// Field with the instant of a no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denied_at_field: Option<String>,
    /// Field with the instant the state was set. The platform keeps none; without it the consent has no time, because the
    /// time of the last change of the resource says nothing about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_field: Option<String>,
    /// Field that says where it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_field: Option<String>,
    /// Field with the proof, such as an IP address or the version of the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence_field: Option<String>,
}

/// What it means for a [`ConsentRule`] when its fields are not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "CommercetoolsAbsentConsent")]
pub enum AbsentConsent {
    /// Nothing: no entry is made.
    #[default]
    Unknown,
    /// A no: for shops that take the field away, or the person out of the group, when somebody leaves.
    Denied,
}

impl AbsentConsent {
    #[allow(clippy::trivially_copy_pass_by_ref)] // serde passes a reference
    fn is_unknown(&self) -> bool {
        *self == AbsentConsent::Unknown
    }
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
    pub order_consents: bool,
    pub cart_consents: bool,
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
            if rule.field.is_none() && rule.granted_at_field.is_none() && rule.denied_at_field.is_none() && rule.group.is_none() {
                let message = "a consent needs `field`, `granted_at_field`, `denied_at_field` or `group`";
                return Err(Error::new(ErrorCode::InvalidConfig, message).at(format!("/consents/{index}")));
            }
            if rule.group.is_some() && rule.on != ConsentPlace::Customer {
                let message = "only customers are in groups; leave `on` out";
                return Err(Error::new(ErrorCode::InvalidConfig, message).at(format!("/consents/{index}/on")));
            }
        }
        Ok(Compiled {
            product_url: read(&config.product_url, "product_url", &["slug", "sku", "id", "key"])?,
            cart_url: read(&config.cart_url, "cart_url", &["id", "key"])?,
            order_url: read(&config.order_url, "order_url", &["id", "number"])?,
            category_url: read(&config.category_url, "category_url", &["slug", "id", "key"])?,
            tracking_urls,
            order_consents: config.consents.iter().any(|rule| rule.on == ConsentPlace::Order),
            cart_consents: config.consents.iter().any(|rule| rule.on == ConsentPlace::Cart),
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
        assert!(serde_json::from_str::<Config>(r#"{"projekt": "demo"}"#).is_err());
    }

    #[test]
    fn a_template_with_a_wrong_place_names_its_setting() {
        let config = Config { order_url: Some("https://shop.example/{slug}".to_owned()), ..Config::default() };
        let error = Compiled::new(config).err().unwrap_or_else(|| unreachable!());
        assert_eq!((error.code(), error.path()), (ErrorCode::InvalidConfig, Some("/order_url")));
    }

    #[test]
    fn a_consent_without_a_field_is_refused() {
        let config: Config = serde_json::from_str(r#"{"consents": [{"channel": "email"}]}"#).unwrap_or_default();
        assert!(Compiled::new(config).is_err_and(|error| error.path() == Some("/consents/0")));
    }
}
