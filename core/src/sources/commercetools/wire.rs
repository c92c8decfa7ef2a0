//! The platform's JSON, only the fields that are used, borrowed from the input wherever the text holds no escapes.
//!
//! Public so that a bench can compare against a bare parse of the same structs; not a stable interface. Fields carry the
//! platform's own names and meaning: <https://docs.commercetools.com/api/>. What is not listed is skipped unread; that
//! is also what keeps password hashes, payment tokens and raw payment logs out: there is no field they could land in.
//! Nothing here prints itself: these structs hold personal data.
#![allow(missing_docs)] // The platform documents its own fields.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use chrono::{DateTime, Utc};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::model::{Currency, Money};
use crate::normalize::time::parse_instant;

/// Text borrowed from the input. A bare `Option<Cow<str>>` would always be owned: serde borrows it only outside of options.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text<'a>(pub Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Text<'_> {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

/// An instant, read at once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(pub DateTime<Utc>);

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StampVisitor;
        impl Visitor<'_> for StampVisitor {
            type Value = Stamp;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an RFC 3339 instant")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Stamp, E> {
                parse_instant(text).map(Stamp).ok_or_else(|| E::custom("invalid value, expected an RFC 3339 instant"))
            }
        }
        deserializer.deserialize_str(StampVisitor)
    }
}

/// A currency code, read without an allocation.
struct Code(Currency);

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CodeVisitor;
        impl Visitor<'_> for CodeVisitor {
            type Value = Code;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a currency code of three letters")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Code, E> {
                Currency::parse(text).map(Code).map_err(|_| E::custom("invalid value, expected a currency code of three letters"))
            }
        }
        deserializer.deserialize_str(CodeVisitor)
    }
}

/// Money, as its exact value. With `preciseAmount` the digits belong to that, not to `centAmount`; without
/// `fractionDigits` (drafts, old recordings, attributes) the digits are those of ISO 4217.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Amount(pub Money);

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase", expecting = "an amount of money")]
        struct Parts {
            currency_code: Code,
            cent_amount: i64,
            precise_amount: Option<i64>,
            fraction_digits: Option<u32>,
        }
        let parts = Parts::deserialize(deserializer)?;
        let currency = parts.currency_code.0;
        let units = parts.precise_amount.unwrap_or(parts.cent_amount);
        let digits = match parts.fraction_digits {
            Some(digits) => digits,
            None => currency.digits().unwrap_or(2),
        };
        if digits > 20 {
            return Err(D::Error::custom("invalid value, expected at most 20 fraction digits"));
        }
        Money::from_minor(units, digits, currency).map(Amount).map_err(|_| D::Error::custom("invalid value, expected an amount of money"))
    }
}

/// How many: a whole number of a size that sums of it stay whole numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Count(pub i64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let count = i64::deserialize(deserializer)?;
        if count.unsigned_abs() > 1_000_000_000_000 {
            return Err(D::Error::custom("invalid value, expected a quantity of at most 10^12"));
        }
        Ok(Count(count))
    }
}

/// Texts by locale, in the order of the document.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Localized<'a>(pub Vec<(Text<'a>, Text<'a>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Localized<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LocalizedVisitor;
        impl<'de> Visitor<'de> for LocalizedVisitor {
            type Value = Localized<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts by locale")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Localized<'de>, A::Error> {
                let mut texts = Vec::with_capacity(4);
                while let Some(locale) = map.next_key::<Text<'de>>()? {
                    if let Some(text) = map.next_value::<Option<Text<'de>>>()? {
                        texts.push((locale, text));
                    }
                }
                Ok(Localized(texts))
            }
        }
        deserializer.deserialize_map(LocalizedVisitor)
    }
}

/// Null where a list or object is expected means absent: REST never writes it, GraphQL exports do.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A reference that may carry the thing itself in `obj`, when the request asked to expand it.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "T: Deserialize<'de>, 'de: 'a"))]
pub struct Reference<'a, T> {
    #[serde(borrow)]
    pub type_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub id: Option<Text<'a>>,
    #[serde(borrow)]
    pub key: Option<Text<'a>>,
    pub obj: Option<T>,
}

impl<T> Reference<'_, T> {
    /// The id, or the key where the platform refers by key.
    #[must_use]
    pub fn any(&self) -> Option<&str> {
        self.id.as_deref().or(self.key.as_deref())
    }
}

/// The part of an expanded resource that names it.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Named<'a> {
    #[serde(borrow)]
    pub key: Option<Text<'a>>,
}

impl<'a> Reference<'a, Named<'a>> {
    /// The merchant's key where it is known, else the id.
    #[must_use]
    pub fn best(&self) -> Option<&str> {
        self.key.as_deref().or_else(|| self.obj.as_ref().and_then(|obj| obj.key.as_deref())).or(self.id.as_deref())
    }
}

/// A discount rule.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DiscountRule<'a> {
    #[serde(borrow)]
    pub name: Option<Localized<'a>>,
}

/// A discount code.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DiscountCode<'a> {
    #[serde(borrow)]
    pub code: Option<Text<'a>>,
}

/// Custom fields, read only where some are configured.
#[derive(Clone, Deserialize)]
pub struct Custom<'a> {
    #[serde(borrow)]
    pub fields: Option<&'a RawValue>,
}

/// A postal address.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Address<'a> {
    #[serde(borrow)]
    pub id: Option<Text<'a>>,
    #[serde(borrow)]
    pub country: Option<Text<'a>>,
    #[serde(borrow)]
    pub first_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub last_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub street_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub street_number: Option<Text<'a>>,
    #[serde(borrow)]
    pub additional_street_info: Option<Text<'a>>,
    #[serde(borrow)]
    pub additional_address_info: Option<Text<'a>>,
    #[serde(borrow)]
    pub building: Option<Text<'a>>,
    #[serde(borrow)]
    pub apartment: Option<Text<'a>>,
    #[serde(borrow, rename = "pOBox")]
    pub po_box: Option<Text<'a>>,
    #[serde(borrow)]
    pub postal_code: Option<Text<'a>>,
    #[serde(borrow)]
    pub city: Option<Text<'a>>,
    #[serde(borrow)]
    pub region: Option<Text<'a>>,
    #[serde(borrow)]
    pub state: Option<Text<'a>>,
    #[serde(borrow)]
    pub company: Option<Text<'a>>,
    #[serde(borrow)]
    pub phone: Option<Text<'a>>,
    #[serde(borrow)]
    pub mobile: Option<Text<'a>>,
    #[serde(borrow)]
    pub email: Option<Text<'a>>,
}

/// <https://docs.commercetools.com/api/projects/customers>
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Customer<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    pub version: Option<u64>,
    pub created_at: Option<Stamp>,
    pub last_modified_at: Option<Stamp>,
    #[serde(borrow)]
    pub email: Option<Text<'a>>,
    #[serde(borrow)]
    pub key: Option<Text<'a>>,
    #[serde(borrow)]
    pub customer_number: Option<Text<'a>>,
    #[serde(borrow)]
    pub external_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub first_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub middle_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub last_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub title: Option<Text<'a>>,
    #[serde(borrow)]
    pub salutation: Option<Text<'a>>,
    #[serde(borrow)]
    pub date_of_birth: Option<Text<'a>>,
    #[serde(borrow)]
    pub company_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub vat_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub locale: Option<Text<'a>>,
    pub is_email_verified: Option<bool>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub addresses: Vec<Address<'a>>,
    #[serde(borrow)]
    pub default_shipping_address_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub default_billing_address_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub customer_group: Option<Reference<'a, Named<'a>>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub customer_group_assignments: Vec<GroupAssignment<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub stores: Vec<Reference<'a, Named<'a>>>,
    #[serde(borrow)]
    pub custom: Option<Custom<'a>>,
}

/// One of several customer groups.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupAssignment<'a> {
    #[serde(borrow)]
    pub customer_group: Option<Reference<'a, Named<'a>>>,
}

/// A cart has the shape of an order, with `cartState` instead of `orderState`.
pub type Cart<'a> = Order<'a>;

/// <https://docs.commercetools.com/api/projects/orders> and <https://docs.commercetools.com/api/projects/carts>
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub id: Option<Text<'a>>,
    pub version: Option<u64>,
    pub created_at: Option<Stamp>,
    pub last_modified_at: Option<Stamp>,
    pub completed_at: Option<Stamp>,
    #[serde(borrow)]
    pub key: Option<Text<'a>>,
    #[serde(borrow)]
    pub order_number: Option<Text<'a>>,
    #[serde(borrow)]
    pub order_state: Option<Text<'a>>,
    #[serde(borrow)]
    pub cart_state: Option<Text<'a>>,
    #[serde(borrow)]
    pub payment_state: Option<Text<'a>>,
    #[serde(borrow)]
    pub shipment_state: Option<Text<'a>>,
    #[serde(borrow)]
    pub state: Option<Reference<'a, Named<'a>>>,
    #[serde(borrow)]
    pub cart: Option<Reference<'a, serde::de::IgnoredAny>>,
    #[serde(borrow)]
    pub recurring_order: Option<Reference<'a, serde::de::IgnoredAny>>,
    #[serde(borrow)]
    pub origin: Option<Text<'a>>,
    #[serde(borrow)]
    pub customer_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub anonymous_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub customer_email: Option<Text<'a>>,
    #[serde(borrow)]
    pub customer_group: Option<Reference<'a, Named<'a>>>,
    #[serde(borrow)]
    pub store: Option<Reference<'a, Named<'a>>>,
    #[serde(borrow)]
    pub country: Option<Text<'a>>,
    #[serde(borrow)]
    pub locale: Option<Text<'a>>,
    pub total_price: Amount,
    #[serde(borrow)]
    pub taxed_price: Option<TaxedPrice<'a>>,
    #[serde(borrow)]
    pub discount_on_total_price: Option<DiscountOnTotalPrice<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub line_items: Vec<LineItem<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub custom_line_items: Vec<CustomLineItem<'a>>,
    #[serde(borrow)]
    pub shipping_info: Option<ShippingInfo<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub shipping: Vec<Shipping<'a>>,
    #[serde(borrow)]
    pub shipping_address: Option<Address<'a>>,
    #[serde(borrow)]
    pub billing_address: Option<Address<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub discount_codes: Vec<DiscountCodeInfo<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub return_info: Vec<ReturnInfo<'a>>,
    #[serde(borrow)]
    pub payment_info: Option<PaymentInfo<'a>>,
    #[serde(borrow)]
    pub custom: Option<Custom<'a>>,
}

/// Net, gross and tax.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaxedPrice<'a> {
    pub total_net: Amount,
    pub total_gross: Amount,
    pub total_tax: Option<Amount>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub tax_portions: Vec<TaxPortion<'a>>,
}

/// Net, gross and tax of one line; its portions are not used.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaxedItemPrice {
    pub total_net: Amount,
    pub total_gross: Amount,
    pub total_tax: Option<Amount>,
}

/// Tax of one rate.
#[derive(Clone, Deserialize)]
pub struct TaxPortion<'a> {
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    #[serde(borrow)]
    pub rate: &'a RawValue,
    pub amount: Amount,
}

/// A tax rate.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaxRate<'a> {
    #[serde(borrow)]
    pub amount: Option<&'a RawValue>,
    pub included_in_price: Option<bool>,
}

/// The tax rate of one shipping method.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MethodTaxRate<'a> {
    #[serde(borrow)]
    pub tax_rate: Option<TaxRate<'a>>,
}

/// A discount that is not contained in the lines.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DiscountOnTotalPrice<'a> {
    pub discounted_amount: Amount,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub included_discounts: Vec<DiscountPortion<'a>>,
}

/// What one rule took off.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DiscountPortion<'a> {
    #[serde(borrow)]
    pub discount: Option<Reference<'a, DiscountRule<'a>>>,
    pub discounted_amount: Amount,
}

/// The price of one unit after cart discounts.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DiscountedPrice<'a> {
    pub value: Amount,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub included_discounts: Vec<DiscountPortion<'a>>,
}

/// So many units at that price.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DiscountedPricePerQuantity<'a> {
    pub quantity: Count,
    #[serde(borrow)]
    pub discounted_price: DiscountedPrice<'a>,
}

/// A product in a cart or order.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LineItem<'a> {
    #[serde(borrow)]
    pub id: Option<Text<'a>>,
    #[serde(borrow)]
    pub product_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub product_key: Option<Text<'a>>,
    #[serde(borrow)]
    pub name: Option<Localized<'a>>,
    #[serde(borrow)]
    pub product_slug: Option<Localized<'a>>,
    #[serde(borrow)]
    pub variant: Option<LineVariant<'a>>,
    #[serde(borrow)]
    pub price: Option<LinePrice<'a>>,
    pub quantity: Count,
    pub total_price: Amount,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub discounted_price_per_quantity: Vec<DiscountedPricePerQuantity<'a>>,
    pub taxed_price: Option<TaxedItemPrice>,
    #[serde(borrow)]
    pub tax_rate: Option<TaxRate<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub per_method_tax_rate: Vec<MethodTaxRate<'a>>,
    #[serde(borrow)]
    pub line_item_mode: Option<Text<'a>>,
    #[serde(borrow)]
    pub distribution_channel: Option<Reference<'a, Named<'a>>>,
    pub added_at: Option<Stamp>,
    pub last_modified_at: Option<Stamp>,
    #[serde(borrow)]
    pub custom: Option<Custom<'a>>,
}

/// The variant as it was when the line was made. Its price list is skipped: it is long and not what was paid.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LineVariant<'a> {
    pub id: Option<i64>,
    #[serde(borrow)]
    pub sku: Option<Text<'a>>,
    #[serde(borrow)]
    pub key: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub images: Vec<Image<'a>>,
    #[serde(borrow)]
    pub attributes: Option<&'a RawValue>,
}

/// A picture.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Image<'a> {
    #[serde(borrow)]
    pub url: Option<Text<'a>>,
    #[serde(borrow)]
    pub label: Option<Text<'a>>,
}

/// The price that was picked for a line.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LinePrice<'a> {
    pub value: Amount,
    #[serde(borrow)]
    pub discounted: Option<ProductDiscount<'a>>,
}

/// A price after a product discount.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProductDiscount<'a> {
    pub value: Amount,
    #[serde(borrow)]
    pub discount: Option<Reference<'a, DiscountRule<'a>>>,
}

/// Something without a product.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomLineItem<'a> {
    #[serde(borrow)]
    pub id: Option<Text<'a>>,
    #[serde(borrow)]
    pub name: Option<Localized<'a>>,
    #[serde(borrow)]
    pub slug: Option<Text<'a>>,
    pub money: Amount,
    pub quantity: Option<Count>,
    pub total_price: Option<Amount>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub discounted_price_per_quantity: Vec<DiscountedPricePerQuantity<'a>>,
    pub taxed_price: Option<TaxedItemPrice>,
    #[serde(borrow)]
    pub tax_rate: Option<TaxRate<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub per_method_tax_rate: Vec<MethodTaxRate<'a>>,
    #[serde(borrow)]
    pub custom: Option<Custom<'a>>,
}

/// Shipping by one method, in an order with several.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shipping<'a> {
    #[serde(borrow)]
    pub shipping_key: Option<Text<'a>>,
    #[serde(borrow)]
    pub shipping_info: Option<ShippingInfo<'a>>,
    #[serde(borrow)]
    pub shipping_address: Option<Address<'a>>,
}

/// What shipping costs and what was sent.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShippingInfo<'a> {
    #[serde(borrow)]
    pub shipping_method_name: Option<Text<'a>>,
    pub price: Amount,
    #[serde(borrow)]
    pub discounted_price: Option<DiscountedPrice<'a>>,
    pub taxed_price: Option<TaxedItemPrice>,
    #[serde(borrow)]
    pub tax_rate: Option<TaxRate<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub deliveries: Vec<Delivery<'a>>,
}

/// Goods sent together.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    pub created_at: Option<Stamp>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub items: Vec<DeliveryItem<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub parcels: Vec<Parcel<'a>>,
    #[serde(borrow)]
    pub address: Option<Address<'a>>,
    #[serde(borrow)]
    pub custom: Option<Custom<'a>>,
}

/// Units of a line or custom line.
#[derive(Clone, Deserialize)]
pub struct DeliveryItem<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    pub quantity: Count,
}

/// A parcel.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Parcel<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    #[serde(borrow)]
    pub tracking_data: Option<TrackingData<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub items: Vec<DeliveryItem<'a>>,
}

/// Where to look for a parcel.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrackingData<'a> {
    #[serde(borrow)]
    pub tracking_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub carrier: Option<Text<'a>>,
    pub is_return: Option<bool>,
}

/// A code that was typed in.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DiscountCodeInfo<'a> {
    #[serde(borrow)]
    pub discount_code: Option<Reference<'a, DiscountCode<'a>>>,
    #[serde(borrow)]
    pub state: Option<Text<'a>>,
}

/// Goods sent back.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReturnInfo<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub items: Vec<ReturnItem<'a>>,
    #[serde(borrow)]
    pub return_tracking_id: Option<Text<'a>>,
    pub return_date: Option<Stamp>,
}

/// Units of a line that are sent back.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReturnItem<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    #[serde(borrow)]
    pub line_item_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub custom_line_item_id: Option<Text<'a>>,
    pub quantity: Count,
    #[serde(borrow)]
    pub comment: Option<Text<'a>>,
    #[serde(borrow)]
    pub shipment_state: Option<Text<'a>>,
    #[serde(borrow)]
    pub payment_state: Option<Text<'a>>,
    pub created_at: Option<Stamp>,
    pub last_modified_at: Option<Stamp>,
}

/// References to payments.
#[derive(Clone, Deserialize)]
pub struct PaymentInfo<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub payments: Vec<Reference<'a, Payment<'a>>>,
}

/// <https://docs.commercetools.com/api/projects/payments>; never its token, account or interface logs.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payment<'a> {
    #[serde(borrow)]
    pub id: Option<Text<'a>>,
    pub version: Option<u64>,
    pub created_at: Option<Stamp>,
    pub last_modified_at: Option<Stamp>,
    #[serde(borrow)]
    pub customer: Option<Reference<'a, serde::de::IgnoredAny>>,
    #[serde(borrow)]
    pub anonymous_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub payment_method_info: Option<PaymentMethodInfo<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub transactions: Vec<Transaction<'a>>,
}

/// How it was paid.
#[derive(Clone, Deserialize)]
pub struct PaymentMethodInfo<'a> {
    #[serde(borrow)]
    pub method: Option<Text<'a>>,
    #[serde(borrow)]
    pub name: Option<Localized<'a>>,
}

/// A movement of money.
#[derive(Clone, Deserialize)]
pub struct Transaction<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    pub timestamp: Option<Stamp>,
    #[serde(borrow, rename = "type")]
    pub kind: Option<Text<'a>>,
    pub amount: Amount,
    #[serde(borrow)]
    pub state: Option<Text<'a>>,
}

/// <https://docs.commercetools.com/api/projects/productProjections>; also the content of a product's `current`.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProductProjection<'a> {
    #[serde(borrow)]
    pub id: Option<Text<'a>>,
    pub version: Option<u64>,
    pub created_at: Option<Stamp>,
    pub last_modified_at: Option<Stamp>,
    #[serde(borrow)]
    pub key: Option<Text<'a>>,
    #[serde(borrow)]
    pub product_type: Option<Reference<'a, Named<'a>>>,
    #[serde(borrow)]
    pub name: Option<Localized<'a>>,
    #[serde(borrow)]
    pub description: Option<Localized<'a>>,
    #[serde(borrow)]
    pub slug: Option<Localized<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub categories: Vec<Reference<'a, CategoryName<'a>>>,
    pub published: Option<bool>,
    #[serde(borrow)]
    pub master_variant: Option<ProductVariant<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub variants: Vec<ProductVariant<'a>>,
    #[serde(borrow)]
    pub attributes: Option<&'a RawValue>,
    #[serde(borrow)]
    pub review_rating_statistics: Option<RatingStatistics<'a>>,
}

/// Ratings.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RatingStatistics<'a> {
    #[serde(borrow)]
    pub average_rating: Option<&'a RawValue>,
    pub count: Option<u64>,
}

/// <https://docs.commercetools.com/api/projects/products>; what is staged is skipped.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Product<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    pub version: Option<u64>,
    pub created_at: Option<Stamp>,
    pub last_modified_at: Option<Stamp>,
    #[serde(borrow)]
    pub key: Option<Text<'a>>,
    #[serde(borrow)]
    pub product_type: Option<Reference<'a, Named<'a>>>,
    #[serde(borrow)]
    pub master_data: MasterData<'a>,
    #[serde(borrow)]
    pub review_rating_statistics: Option<RatingStatistics<'a>>,
}

/// The published side of a product.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MasterData<'a> {
    pub published: Option<bool>,
    #[serde(borrow)]
    pub current: Option<ProductProjection<'a>>,
}

/// Something one can buy.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProductVariant<'a> {
    pub id: Option<i64>,
    #[serde(borrow)]
    pub sku: Option<Text<'a>>,
    #[serde(borrow)]
    pub key: Option<Text<'a>>,
    #[serde(borrow)]
    pub price: Option<Price<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub prices: Vec<Price<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub images: Vec<Image<'a>>,
    #[serde(borrow)]
    pub attributes: Option<&'a RawValue>,
    #[serde(borrow)]
    pub availability: Option<Availability<'a>>,
}

/// A price and whom it is for.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Price<'a> {
    pub value: Amount,
    pub discounted: Option<DiscountedValue>,
    #[serde(borrow)]
    pub country: Option<Text<'a>>,
    #[serde(borrow)]
    pub customer_group: Option<Reference<'a, Named<'a>>>,
    #[serde(borrow)]
    pub channel: Option<Reference<'a, Named<'a>>>,
    pub valid_from: Option<Stamp>,
    pub valid_until: Option<Stamp>,
    #[serde(default, deserialize_with = "or_default")]
    pub tiers: Vec<PriceTier>,
}

/// A reduced price.
#[derive(Clone, Copy, Deserialize)]
pub struct DiscountedValue {
    pub value: Amount,
}

/// A price from a quantity on.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PriceTier {
    pub minimum_quantity: Count,
    pub value: Amount,
}

/// Stock without a channel and by channel.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Availability<'a> {
    pub is_on_stock: Option<bool>,
    pub available_quantity: Option<i64>,
    pub restockable_in_days: Option<i64>,
    #[serde(borrow)]
    pub channels: Option<ChannelAvailability<'a>>,
}

/// Stock by channel id.
#[derive(Clone, Default)]
pub struct ChannelAvailability<'a>(pub Vec<(Text<'a>, ChannelStock)>);

/// Stock of one channel.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChannelStock {
    pub is_on_stock: Option<bool>,
    pub available_quantity: Option<i64>,
    pub restockable_in_days: Option<i64>,
}

impl<'de: 'a, 'a> Deserialize<'de> for ChannelAvailability<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ChannelsVisitor;
        impl<'de> Visitor<'de> for ChannelsVisitor {
            type Value = ChannelAvailability<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of stock by channel")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut channels = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    channels.push(entry);
                }
                Ok(ChannelAvailability(channels))
            }
        }
        deserializer.deserialize_map(ChannelsVisitor)
    }
}

/// A category as far as its name.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CategoryName<'a> {
    #[serde(borrow)]
    pub name: Option<Localized<'a>>,
    #[serde(borrow, deserialize_with = "or_default")]
    pub ancestors: Vec<Reference<'a, AncestorName<'a>>>,
}

/// The name of a category above.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct AncestorName<'a> {
    #[serde(borrow)]
    pub name: Option<Localized<'a>>,
}

/// <https://docs.commercetools.com/api/projects/categories>
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Category<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    pub version: Option<u64>,
    pub created_at: Option<Stamp>,
    pub last_modified_at: Option<Stamp>,
    #[serde(borrow)]
    pub key: Option<Text<'a>>,
    #[serde(borrow)]
    pub name: Option<Localized<'a>>,
    #[serde(borrow)]
    pub slug: Option<Localized<'a>>,
    #[serde(borrow)]
    pub description: Option<Localized<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub ancestors: Vec<Reference<'a, AncestorName<'a>>>,
    #[serde(borrow)]
    pub parent: Option<Reference<'a, serde::de::IgnoredAny>>,
    #[serde(borrow)]
    pub order_hint: Option<Text<'a>>,
    #[serde(borrow)]
    pub custom: Option<Custom<'a>>,
}

/// A stand-alone variant or variant projection of the modular catalogue, as far as its product.
#[derive(Clone, Deserialize)]
pub struct Variant<'a> {
    #[serde(borrow)]
    pub product: Option<Reference<'a, serde::de::IgnoredAny>>,
}

/// The answer to a sign-in.
#[derive(Clone, Deserialize)]
pub struct SignIn<'a> {
    #[serde(borrow)]
    pub customer: Customer<'a>,
    #[serde(borrow)]
    pub cart: Option<Order<'a>>,
}

/// What carries a message: SNS, EventBridge, Pub/Sub push, CloudEvents.
#[derive(Clone, Deserialize)]
pub struct Transport<'a> {
    #[serde(borrow, rename = "Message")]
    pub sns: Option<Text<'a>>,
    #[serde(borrow, rename = "Type")]
    pub sns_type: Option<Text<'a>>,
    #[serde(borrow)]
    pub detail: Option<&'a RawValue>,
    #[serde(borrow)]
    pub message: Option<PubSubMessage<'a>>,
    #[serde(borrow)]
    pub data: Option<&'a RawValue>,
    #[serde(borrow)]
    pub data_base64: Option<Text<'a>>,
}

/// The message in a Pub/Sub push.
#[derive(Clone, Deserialize)]
pub struct PubSubMessage<'a> {
    #[serde(borrow)]
    pub data: Option<Text<'a>>,
}

/// A message or change notification: <https://docs.commercetools.com/api/projects/subscriptions>. What differs in shape
/// from one message type to another stays unread until the type is known.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message<'a> {
    #[serde(borrow)]
    pub notification_type: Option<Text<'a>>,
    #[serde(borrow)]
    pub project_key: Option<Text<'a>>,
    #[serde(borrow, rename = "type")]
    pub kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub payload_not_included: Option<PayloadNotIncluded<'a>>,
    #[serde(borrow)]
    pub resource: Option<Reference<'a, serde::de::IgnoredAny>>,
    pub version: Option<u64>,
    pub resource_version: Option<u64>,
    pub sequence_number: Option<u64>,
    #[serde(borrow)]
    pub resource_user_provided_identifiers: Option<UserProvidedIdentifiers<'a>>,
    pub created_at: Option<Stamp>,
    pub modified_at: Option<Stamp>,
    pub data_erasure: Option<bool>,
    #[serde(borrow)]
    pub data: Option<&'a RawValue>,
    #[serde(borrow)]
    pub customer: Option<&'a RawValue>,
    #[serde(borrow)]
    pub order: Option<&'a RawValue>,
    #[serde(borrow)]
    pub product_projection: Option<&'a RawValue>,
    #[serde(borrow)]
    pub current_projection: Option<&'a RawValue>,
    #[serde(borrow)]
    pub category: Option<&'a RawValue>,
    #[serde(borrow)]
    pub delivery: Option<&'a RawValue>,
    #[serde(borrow)]
    pub return_info: Option<&'a RawValue>,
    #[serde(borrow)]
    pub payment: Option<&'a RawValue>,
    #[serde(borrow)]
    pub transaction: Option<&'a RawValue>,
    #[serde(borrow)]
    pub state: Option<&'a RawValue>,
    #[serde(borrow)]
    pub email: Option<&'a RawValue>,
    #[serde(borrow)]
    pub old_email: Option<&'a RawValue>,
    #[serde(borrow)]
    pub order_state: Option<&'a RawValue>,
    #[serde(borrow)]
    pub payment_state: Option<&'a RawValue>,
    #[serde(borrow)]
    pub shipment_state: Option<&'a RawValue>,
    #[serde(borrow)]
    pub staged: Option<&'a RawValue>,
    #[serde(borrow)]
    pub sku: Option<&'a RawValue>,
    #[serde(borrow)]
    pub review: Option<&'a RawValue>,
}

/// The body was too large for the queue.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PayloadNotIncluded<'a> {
    #[serde(borrow)]
    pub payload_type: Option<Text<'a>>,
}

/// The names a merchant gave to the resource.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserProvidedIdentifiers<'a> {
    #[serde(borrow)]
    pub key: Option<Text<'a>>,
    #[serde(borrow)]
    pub order_number: Option<Text<'a>>,
    #[serde(borrow)]
    pub customer_number: Option<Text<'a>>,
    #[serde(borrow)]
    pub external_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub sku: Option<Text<'a>>,
}

/// What a checkout event refers to.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckoutData<'a> {
    #[serde(borrow)]
    pub project_key: Option<Text<'a>>,
    #[serde(borrow)]
    pub payment: Option<Reference<'a, serde::de::IgnoredAny>>,
    #[serde(borrow)]
    pub order: Option<Reference<'a, serde::de::IgnoredAny>>,
}

/// An inventory entry or a stand-alone price, as far as what it is about:
/// <https://docs.commercetools.com/api/projects/inventory>, <https://docs.commercetools.com/api/projects/standalone-prices>
#[derive(Clone, Deserialize)]
pub struct Stocked<'a> {
    #[serde(borrow)]
    pub sku: Option<Text<'a>>,
}

/// A change to a placed order, as far as which: <https://docs.commercetools.com/api/projects/order-edits>
#[derive(Clone, Deserialize)]
pub struct OrderEdit<'a> {
    #[serde(borrow)]
    pub resource: Option<Reference<'a, serde::de::IgnoredAny>>,
    #[serde(borrow)]
    pub result: Option<OrderEditResult<'a>>,
}

/// Whether an edit was carried out.
#[derive(Clone, Deserialize)]
pub struct OrderEditResult<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Option<Text<'a>>,
}

/// <https://docs.commercetools.com/api/projects/shoppingLists>; the platform's wish list.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShoppingList<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    pub version: Option<u64>,
    pub created_at: Option<Stamp>,
    pub last_modified_at: Option<Stamp>,
    #[serde(borrow)]
    pub name: Option<Localized<'a>>,
    #[serde(borrow)]
    pub customer: Option<Reference<'a, serde::de::IgnoredAny>>,
    #[serde(borrow)]
    pub anonymous_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub store: Option<Reference<'a, Named<'a>>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub line_items: Vec<ShoppingListLine<'a>>,
    #[serde(borrow)]
    pub custom: Option<Custom<'a>>,
}

/// A product on a list. It has no price.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShoppingListLine<'a> {
    #[serde(borrow)]
    pub product_id: Option<Text<'a>>,
    pub variant_id: Option<i64>,
    pub quantity: Option<Count>,
    #[serde(borrow)]
    pub name: Option<Localized<'a>>,
    #[serde(borrow)]
    pub variant: Option<ListedVariant<'a>>,
    pub added_at: Option<Stamp>,
}

/// An expanded variant, as far as its SKU.
#[derive(Clone, Deserialize)]
pub struct ListedVariant<'a> {
    #[serde(borrow)]
    pub sku: Option<Text<'a>>,
}

/// <https://docs.commercetools.com/api/projects/recurring-orders>; a subscription to goods.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecurringOrder<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    pub version: Option<u64>,
    pub created_at: Option<Stamp>,
    pub last_modified_at: Option<Stamp>,
    #[serde(borrow)]
    pub recurring_order_state: Option<Text<'a>>,
    #[serde(borrow)]
    pub cart: Option<Reference<'a, serde::de::IgnoredAny>>,
    #[serde(borrow)]
    pub origin_order: Option<Reference<'a, serde::de::IgnoredAny>>,
    #[serde(borrow)]
    pub customer: Option<Reference<'a, serde::de::IgnoredAny>>,
    #[serde(borrow)]
    pub customer_email: Option<Text<'a>>,
    #[serde(borrow)]
    pub store: Option<Reference<'a, Named<'a>>>,
    pub starts_at: Option<Stamp>,
    pub expires_at: Option<Stamp>,
    pub last_order_at: Option<Stamp>,
    pub next_order_at: Option<Stamp>,
}

/// <https://docs.commercetools.com/api/projects/reviews>; never its text, which is for people to read.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Review<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    #[serde(borrow)]
    pub target: Option<Reference<'a, serde::de::IgnoredAny>>,
    pub rating: Option<i64>,
    #[serde(borrow)]
    pub locale: Option<Text<'a>>,
    #[serde(borrow)]
    pub customer: Option<Reference<'a, serde::de::IgnoredAny>>,
}

/// An attribute of a product or variant.
#[derive(Clone, Deserialize)]
pub struct Attribute<'a> {
    #[serde(borrow)]
    pub name: Text<'a>,
    #[serde(borrow)]
    pub value: Option<&'a RawValue>,
}
