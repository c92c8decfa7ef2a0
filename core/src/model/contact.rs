//! People: what is known of them and what they allowed.

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::attribute::Attributes;
use super::open_enum;

/// A person known to the shop. How to reach and recognise them is in the envelope's [`super::Identity`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Contact {
    /// Given name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// Middle name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub middle_name: Option<String>,
    /// Family name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// Form of address, such as `Ms`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub salutation: Option<String>,
    /// Academic or job title, such as `Dr.`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Company the person buys for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
    /// VAT number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vat_id: Option<String>,
    /// Gender in the source's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gender: Option<String>,
    /// Date of birth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_of_birth: Option<NaiveDate>,
    /// Number the shop prints on letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_number: Option<String>,
    /// IANA time zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Whether the person proved to own the address. Not consent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_verified: Option<bool>,
    /// Keys of the customer groups, the first one leading.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Keys of the stores the account is limited to; empty is everywhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stores: Vec<String>,
    /// When the account was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<DateTime<Utc>>,
    /// When the account last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<DateTime<Utc>>,
    /// Known addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<Address>,
    /// Permission per channel. A channel that is not listed is unknown, and unknown is never sent as a yes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub consents: Vec<Consent>,
    /// Configured custom fields.
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    pub attributes: Attributes,
}

/// A person was deleted at the source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ContactDeleted {
    /// Whether the deletion is an erasure in the sense of data protection law: the destination must forget, not only
    /// stop using.
    pub erase: bool,
}

/// A postal address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Address {
    /// Id at the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Whether parcels go here unless said otherwise.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub default_shipping: bool,
    /// Whether bills go here unless said otherwise.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub default_billing: bool,
    /// Given name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// Family name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// Company.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
    /// Street and number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line1: Option<String>,
    /// Everything else before the city.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line2: Option<String>,
    /// Postal code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<String>,
    /// City.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// State, region or province.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// ISO 3166-1 alpha-2 country code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Phone as the source wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// E-mail as the source wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

open_enum! {
    /// A way to reach someone that needs permission.
    Channel {
        /// E-mail.
        Email = "email",
        /// Text message.
        Sms = "sms",
        /// Push notification.
        Push = "push",
        /// WhatsApp.
        Whatsapp = "whatsapp",
        /// Letters.
        Post = "post",
    }
}

/// What someone said about a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConsentStatus {
    /// An explicit yes.
    Granted,
    /// An explicit no, or a withdrawn yes.
    Denied,
    /// Asked, not yet confirmed (double opt-in).
    Pending,
    /// The source says nothing usable.
    Unknown,
}

/// Permission for one channel, with what proves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Consent {
    /// The channel.
    pub channel: Channel,
    /// What was said.
    pub status: ConsentStatus,
    /// When it was said. Without a time a yes never outweighs an earlier no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<DateTime<Utc>>,
    /// Where it was said, such as `checkout` or `footer-form`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What proves it: text version, IP, double opt-in id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

impl Consent {
    /// One consent per channel: of several, the strictest, and of those the first.
    pub fn strictest(consents: &[Consent]) -> impl Iterator<Item = &Consent> {
        let rank = |status| match status {
            ConsentStatus::Denied => 3,
            ConsentStatus::Granted => 2,
            ConsentStatus::Pending => 1,
            ConsentStatus::Unknown => 0,
        };
        consents.iter().enumerate().filter_map(move |(index, consent)| {
            let outranked = consents.iter().enumerate().any(|(other, rival)| {
                other != index && rival.channel == consent.channel && (rank(rival.status), index) > (rank(consent.status), other)
            });
            (!outranked).then_some(consent)
        })
    }
}
