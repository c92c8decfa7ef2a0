//! The rows as Cordial spells them (<https://api.cordial.io/docs/v2/api-docs.php>), borrowed from the record and written in
//! one pass. Nothing here decides what is sent.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc};
use rust_decimal::Decimal;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use super::ids;
use crate::error::{Error, ErrorCode};
use crate::model::money::JsonNumber;
use crate::model::{Address, AttributeValue, Attributes, Finding, FindingCode, pointer_token};

/// A wire object; absent members are left out.
macro_rules! wire {
    ($($(#[$doc:meta])+ $name:ident { $($(#[$meta:meta])* $field:ident: $ty:ty,)* } $(optional { $($(#[$ometa:meta])* $ofield:ident: $oty:ty,)* })?)+) => { $(
        $(#[$doc])+
        #[derive(Serialize)]
        pub(super) struct $name<'a> {
            $($(#[$meta])* pub $field: $ty,)*
            $($($(#[$ometa])* #[serde(skip_serializing_if = "Option::is_none")] pub $ofield: Option<$oty>,)*)?
        }
    )+ };
}

wire! {
    /// `POST /v2/orders`. `status` and `orderID` are left out of an update.
    OrderRow {
        #[serde(rename = "orderID")]
        order_id: &'a str,
        #[serde(flatten)]
        who: Ident<'a>,
        #[serde(rename = "purchaseDate")]
        purchase_date: Stamp,
        status: &'a str,
        items: Vec<Item<'a>>,
        #[serde(rename = "shippingAndHandling")]
        shipping_and_handling: JsonNumber,
        properties: OrderProperties<'a>,
        #[serde(rename = "suppressTriggers")]
        suppress_triggers: bool,
    } optional {
        #[serde(rename = "customerID")]
        customer_id: &'a str,
        #[serde(rename = "storeID")]
        store_id: &'a str,
        #[serde(rename = "mcID")]
        mc_id: &'a str,
        #[serde(rename = "linkID")]
        link_id: &'a str,
        #[serde(rename = "shippingAddress")]
        shipping_address: Postal<'a>,
        #[serde(rename = "billingAddress")]
        billing_address: Postal<'a>,
        tax: JsonNumber,
        #[serde(rename = "discountApplication")]
        discount_application: Fixed,
    }

    /// What else is known of an order.
    OrderProperties {
        currency: &'a str,
        order_status: &'a str,
        total: JsonNumber,
        subtotal: JsonNumber,
        shipping_total: JsonNumber,
        discount_total: JsonNumber,
        source: &'a str,
        #[serde(flatten)]
        attributes: Attrs<'a>,
    } optional {
        order_number: &'a str,
        payment_status: &'a str,
        shipping_status: &'a str,
        workflow_state: &'a str,
        tax_added: JsonNumber,
        fee_total: JsonNumber,
        refunded_amount: JsonNumber,
        discount_codes: Vec<&'a str>,
        shipping_methods: Vec<&'a str>,
        payment_methods: &'a [String],
        cart_id: &'a str,
        channel: &'a str,
        country: &'a str,
        locale: &'a str,
        url: &'a str,
        updated_at: Stamp,
        recurring: bool,
        imported: bool,
    }

    /// An item of an order or cart; the flags are for orders only.
    Item {
        #[serde(rename = "productID")]
        product_id: Cow<'a, str>,
        sku: Cow<'a, str>,
        category: Cow<'a, str>,
        name: &'a str,
        qty: i64,
        #[serde(rename = "itemPrice")]
        item_price: JsonNumber,
        properties: ItemProperties<'a>,
    } optional {
        url: &'a str,
        images: [&'a str; 1],
        #[serde(rename = "manufacturerName")]
        manufacturer_name: &'a str,
        enabled: bool,
        #[serde(rename = "inStock")]
        in_stock: bool,
    }

    /// What else is known of an item.
    ItemProperties {
        line_id: &'a str,
        list_price: JsonNumber,
        line_total: JsonNumber,
        #[serde(flatten)]
        attributes: Attrs<'a>,
    } optional {
        kind: &'static str,
        parent_line_id: &'a str,
        variant_id: &'a str,
        product_key: &'a str,
        category_path: &'a [String],
        line_discount: JsonNumber,
        line_tax: JsonNumber,
        fulfilment: &'static str,
    }

    /// A cart.
    CartRow {
        #[serde(rename = "cartID")]
        cart_id: &'a str,
        cartitems: Vec<Item<'a>>,
    } optional {
        #[serde(rename = "customerID")]
        customer_id: &'a str,
        url: &'a str,
    }

    /// A product.
    ProductRow {
        #[serde(rename = "productID")]
        product_id: &'a str,
        #[serde(rename = "productName")]
        product_name: &'a str,
        category: Cow<'a, str>,
        images: Vec<&'a str>,
        tags: [&'a str; 0],
        enabled: bool,
        #[serde(rename = "inStock")]
        in_stock: bool,
        variants: Vec<VariantRow<'a>>,
        properties: ProductProperties<'a>,
    } optional {
        description: &'a str,
        url: &'a str,
        price: JsonNumber,
        sale: Sale,
        #[serde(rename = "manufacturerName")]
        manufacturer_name: &'a str,
    }

    /// What else is known of a product.
    ProductProperties {
        #[serde(flatten)]
        attributes: Attrs<'a>,
    } optional {
        product_key: &'a str,
        product_type: &'a str,
        slug: &'a str,
        currency: &'a str,
        locale: &'a str,
        country: &'a str,
        category_path: &'a [String],
        category_ids: Vec<&'a str>,
        rating_average: JsonNumber,
        rating_count: u64,
        prices: Vec<VariantPrice<'a>>,
    }

    /// A variant: Cordial has room for a SKU, attributes and a quantity.
    VariantRow {
        sku: Cow<'a, str>,
        attr: Attrs<'a>,
    } optional {
        qty: i64,
    }

    /// A price of a variant in a market.
    VariantPrice {
        sku: Cow<'a, str>,
        price: JsonNumber,
        currency: &'a str,
    } optional {
        sale_price: JsonNumber,
        country: &'a str,
        channel: &'a str,
        customer_group: &'a str,
        valid_from: Stamp,
        valid_until: Stamp,
    }

    /// A line named by a refund, return or shipment.
    Line {
        line_id: &'a str,
        quantity: i64,
    } optional {
        sku: &'a str,
        name: &'a str,
        amount: JsonNumber,
    }

    /// What a refund tells, as an event or a record.
    RefundData {
        refund_id: &'a str,
        amount: JsonNumber,
        currency: &'a str,
        refunded_at: Stamp,
        skus: Vec<&'a str>,
        lines: Vec<Line<'a>>,
    } optional {
        order_id: Cow<'a, str>,
        order_number: &'a str,
        shipping_amount: JsonNumber,
        full_refund: bool,
        reason: &'a str,
    }

    /// What a return tells.
    ReturnData {
        return_id: &'a str,
        order_id: Cow<'a, str>,
        returned_at: Stamp,
        skus: Vec<&'a str>,
        lines: Vec<Line<'a>>,
    } optional {
        order_number: &'a str,
        tracking_number: &'a str,
    }

    /// What a shipment tells.
    ShipmentData {
        shipment_id: &'a str,
        order_id: Cow<'a, str>,
        status: &'a str,
        skus: Vec<&'a str>,
        lines: Vec<Line<'a>>,
        #[serde(flatten)]
        attributes: Attrs<'a>,
    } optional {
        order_number: &'a str,
        shipped_at: Stamp,
        carrier: &'a str,
        tracking_number: &'a str,
        tracking_url: &'a str,
        tracking_numbers: Vec<&'a str>,
        country: &'a str,
    }

    /// What an event tells.
    EventData {
        source: &'a str,
        #[serde(flatten)]
        attributes: Attrs<'a>,
    } optional {
        order_id: Cow<'a, str>,
        order_number: &'a str,
        cart_id: &'a str,
        product_id: Cow<'a, str>,
        variant_id: &'a str,
        sku: &'a str,
        category_id: &'a str,
        value: JsonNumber,
        currency: &'a str,
        url: &'a str,
        items: Vec<Item<'a>>,
    }

    /// What the event that goes with a cart tells.
    CartEventData {
        cart_id: &'a str,
        item_count: i64,
        value: JsonNumber,
        currency: &'a str,
    } optional {
        url: &'a str,
    }

    /// A category as a supplement record.
    CategoryRow {
        id: &'a str,
        #[serde(flatten)]
        attributes: Attrs<'a>,
        #[serde(rename = "suppressTriggers")]
        suppress_triggers: bool,
    } optional {
        key: &'a str,
        name: &'a str,
        description: &'a str,
        slug: &'a str,
        url: &'a str,
        parent_id: &'a str,
        path: &'a [String],
        order_hint: &'a str,
    }
}

/// A reduced price.
#[derive(Serialize)]
pub(super) struct Sale {
    pub enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<JsonNumber>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Stamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<Stamp>,
}

/// A discount on the order: Cordial knows fixed ones only.
#[derive(Serialize)]
pub(super) struct Fixed {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub amount: JsonNumber,
}

/// `POST /v2/contactactivities`.
#[derive(Serialize)]
pub(super) struct EventRow<'a, D> {
    pub a: &'a str,
    #[serde(flatten)]
    pub who: Ident<'a>,
    pub ats: Stamp,
    #[serde(rename = "UID")]
    pub uid: &'a str,
    pub properties: D,
}

/// A supplement record.
#[derive(Serialize)]
pub(super) struct RecordRow<'a, D> {
    pub id: &'a str,
    #[serde(flatten)]
    pub who: Ident<'a>,
    #[serde(flatten)]
    pub data: D,
    #[serde(rename = "suppressTriggers")]
    pub suppress_triggers: bool,
}

/// Whom a row is about: one key and its value, at the top of the row.
#[derive(Clone)]
pub(super) struct Ident<'a> {
    pub key: &'a str,
    pub value: Cow<'a, str>,
}

impl Serialize for Ident<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.key, &self.value)?;
        map.end()
    }
}

/// An address of an order.
pub(super) struct Postal<'a>(pub &'a Address);

impl Serialize for Postal<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let a = self.0;
        let mut map = serializer.serialize_map(None)?;
        let name = joined([a.first_name.as_deref(), a.last_name.as_deref()], " ").or(a.company.as_deref().map(Cow::Borrowed));
        let street = joined([a.line1.as_deref(), a.line2.as_deref()], ", ");
        let plain = |text: &'_ Option<String>| text.clone().map(Cow::<str>::Owned);
        for (key, value) in [
            ("name", name),
            ("address", street),
            ("city", plain(&a.city)),
            ("state", plain(&a.region)),
            ("postalCode", plain(&a.postal_code)),
            ("country", plain(&a.country)),
        ] {
            if let Some(value) = value {
                map.serialize_entry(key, &value)?;
            }
        }
        map.end()
    }
}

fn joined<'a>(parts: [Option<&'a str>; 2], between: &str) -> Option<Cow<'a, str>> {
    match parts {
        [Some(a), Some(b)] => Some(format!("{a}{between}{b}").into()),
        [Some(one), None] | [None, Some(one)] => Some(one.into()),
        [None, None] => None,
    }
}

/// An instant as Cordial writes it: `2026-01-01T10:00:00+0000`. An instant without its offset would be read in the
/// account's time zone.
#[derive(Clone, Copy)]
pub(super) struct Stamp(pub DateTime<Utc>);

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = *b"0000-00-00T00:00:00+0000";
        date(&mut text, self.0.date_naive()).map_err(serde::ser::Error::custom)?;
        let time = self.0.time();
        for (at, value) in [(11, time.hour()), (14, time.minute()), (17, time.second())] {
            two(&mut text, at, value);
        }
        serializer.serialize_str(std::str::from_utf8(&text).map_err(serde::ser::Error::custom)?)
    }
}

/// A calendar date: `2026-01-31`. Cordial reads it as midnight of the account's zone and shows the same day there.
#[derive(Clone, Copy)]
pub(super) struct Day(pub NaiveDate);

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = *b"0000-00-00";
        date(&mut text, self.0).map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(std::str::from_utf8(&text).map_err(serde::ser::Error::custom)?)
    }
}

fn date(text: &mut [u8], day: NaiveDate) -> Result<(), &'static str> {
    let Ok(year @ 0..=9999) = u32::try_from(day.year()) else { return Err("a year has four digits") };
    two(text, 0, year / 100);
    two(text, 2, year % 100);
    two(text, 5, day.month());
    two(text, 8, day.day());
    Ok(())
}

fn two(text: &mut [u8], at: usize, value: u32) {
    const DIGITS: &[u8; 10] = b"0123456789";
    text[at] = DIGITS[(value / 10 % 10) as usize];
    text[at + 1] = DIGITS[(value % 10) as usize];
}

/// Attributes under their own names among properties; those Cordial would drop are left out, and [`Attrs::report`] says
/// which.
#[derive(Clone, Copy)]
pub(super) struct Attrs<'a> {
    pub attributes: &'a Attributes,
    /// Names that stand beside them.
    pub own: &'static [&'static str],
}

impl<'a> Attrs<'a> {
    pub(super) fn new(attributes: &'a Attributes, own: &'static [&'static str]) -> Self {
        Attrs { attributes, own }
    }

    fn fault(&self, name: &str) -> Option<&'static str> {
        if self.own.contains(&name) { Some("a standard field has that name") } else { ids::property_fault(name) }
    }

    /// Names each attribute that is left out.
    pub(super) fn report(&self, pointer: &str, findings: &mut Vec<Finding>) {
        for (name, value) in self.attributes {
            if let Some(why) = self.fault(name).or_else(|| value_fault(value)) {
                findings.push(dropped(&format!("{pointer}/{}", pointer_token(name)), why));
            }
        }
    }
}

impl Serialize for Attrs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.attributes {
            if self.fault(name).is_none() && value_fault(value).is_none() {
                map.serialize_entry(name, &Typed(value))?;
            }
        }
        map.end()
    }
}

/// A finding that something is left out.
pub(super) fn dropped(pointer: &str, why: &str) -> Finding {
    Finding::new(FindingCode::FieldDropped, pointer, why)
}

/// What keeps a value from being written as JSON that Cordial keeps.
fn value_fault(value: &AttributeValue) -> Option<&'static str> {
    const YEAR: &str = "a year has four digits";
    match value {
        AttributeValue::Date(date) if !(0..=9999).contains(&date.year()) => Some(YEAR),
        AttributeValue::DateTime(at) if !(0..=9999).contains(&at.year()) => Some(YEAR),
        AttributeValue::List(values) => values.iter().find_map(value_fault),
        AttributeValue::Object(members) => {
            members.iter().find_map(|(name, value)| ids::property_fault(name).or_else(|| value_fault(value)))
        }
        _ => None,
    }
}

/// A value as a property.
struct Typed<'a>(&'a AttributeValue);

impl Serialize for Typed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            AttributeValue::Boolean(value) => serializer.serialize_bool(*value),
            AttributeValue::Integer(value) => serializer.serialize_i64(*value),
            AttributeValue::Decimal(value) => JsonNumber(*value).serialize(serializer),
            AttributeValue::Text(value) => serializer.serialize_str(value),
            AttributeValue::Date(value) => Day(*value).serialize(serializer),
            AttributeValue::DateTime(value) => Stamp(*value).serialize(serializer),
            AttributeValue::Money(value) => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("amount", &JsonNumber(value.amount))?;
                map.serialize_entry("currency", &value.currency)?;
                map.end()
            }
            AttributeValue::List(values) => {
                let mut list = serializer.serialize_seq(Some(values.len()))?;
                for value in values {
                    list.serialize_element(&Typed(value))?;
                }
                list.end()
            }
            AttributeValue::Object(members) => object(members, serializer),
        }
    }
}

fn object<S: Serializer>(members: &BTreeMap<String, AttributeValue>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(members.len()))?;
    for (name, value) in members {
        map.serialize_entry(name, &Typed(value))?;
    }
    map.end()
}

/// The row's bytes.
///
/// # Errors
/// `internal`: a value that JSON cannot hold, such as a year of five digits.
pub(super) fn bytes<T: Serialize>(row: &T, capacity: usize) -> Result<Vec<u8>, Error> {
    let mut body = Vec::with_capacity(capacity);
    serde_json::to_writer(&mut body, row).map_err(|error| Error::new(ErrorCode::Internal, "a row could not be written").because(error))?;
    Ok(body)
}

/// A number that is left out when it is zero.
pub(super) fn nonzero(value: Decimal) -> Option<JsonNumber> {
    (!value.is_zero()).then_some(JsonNumber(value))
}

/// A list that is left out when it is empty.
pub(super) fn filled<T>(list: &[T]) -> Option<&[T]> {
    (!list.is_empty()).then_some(list)
}

/// A list of what there is, left out when it is empty.
pub(super) fn some<T>(values: impl Iterator<Item = T>) -> Option<Vec<T>> {
    let values: Vec<T> = values.collect();
    (!values.is_empty()).then_some(values)
}
