//! The rows as Iterable spells them (<https://api.iterable.com/api/docs>), borrowed from the record and written in one
//! pass. Nothing here decides what is sent.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc};
use rust_decimal::Decimal;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use super::config::FieldType;
use crate::error::{Error, ErrorCode};
use crate::json;
use crate::model::money::JsonNumber;
use crate::model::{AttributeValue, Attributes, Finding, FindingCode, pointer_token};

/// Longest text one field takes.
const MAX_TEXT: usize = 32_000;

/// Whether a member is left out.
pub(super) trait Absent {
    fn is_absent(&self) -> bool {
        false
    }
}

impl<T> Absent for Option<T> {
    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

macro_rules! always {
    ($($ty:ty),+) => { $(impl Absent for $ty {})+ };
}
always!(
    &str,
    bool,
    i64,
    Stamp,
    JsonNumber,
    Attrs<'_>,
    Vec<Item<'_>>,
    Vec<Line<'_>>,
    Cow<'_, str>,
    CartUser<'_>,
    PurchaseUser<'_>,
    PurchaseData<'_>
);
impl Absent for ContactFields<'_> {}
impl<T> Absent for Data<T> {}

/// A wire object: camel case, absent members left out.
macro_rules! wire {
    ($($(#[doc = $doc:literal])+ $name:ident { $($(#[$meta:meta])* $field:ident: $ty:ty,)+ })+) => { $(
        $(#[doc = $doc])+
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        pub(super) struct $name<'a> { $($(#[$meta])* #[serde(skip_serializing_if = "Absent::is_absent")] pub $field: $ty,)+ }
    )+ };
}

wire! {
    /// `users/update`, a row of `users/bulkUpdate`.
    UserRow {
        email: Option<&'a str>,
        user_id: Option<&'a str>,
        prefer_user_id: Option<bool>,
        merge_nested_objects: Option<bool>,
        create_new_fields: Option<bool>,
        data_fields: ContactFields<'a>,
    }

    /// What is known of a person.
    ContactFields {
        email: Option<&'a str>,
        customer_id: Option<&'a str>,
        first_name: Option<&'a str>,
        middle_name: Option<&'a str>,
        last_name: Option<&'a str>,
        salutation: Option<&'a str>,
        title: Option<&'a str>,
        company: Option<&'a str>,
        vat_id: Option<&'a str>,
        gender: Option<&'a str>,
        date_of_birth: Option<Day>,
        customer_number: Option<&'a str>,
        phone_number: Option<&'a str>,
        email_verified: Option<bool>,
        locale: Option<&'a str>,
        time_zone: Option<&'a str>,
        country: Option<&'a str>,
        customer_group: Option<&'a str>,
        customer_groups: Option<&'a [String]>,
        stores: Option<&'a [String]>,
        customer_since: Option<Stamp>,
        address: Option<Postal<'a>>,
        billing_address: Option<Postal<'a>>,
        #[serde(flatten)]
        consents: Evidence<'a>,
        #[serde(flatten)]
        attributes: Attrs<'a>,
    }

    /// `commerce/trackPurchase`.
    Purchase {
        id: &'a str,
        created_at: i64,
        user: PurchaseUser<'a>,
        items: Vec<Item<'a>>,
        total: JsonNumber,
        data_fields: PurchaseData<'a>,
    }

    /// The person of a purchase: who, nothing else.
    PurchaseUser {
        email: Option<&'a str>,
        user_id: Option<&'a str>,
        prefer_user_id: Option<bool>,
    }

    /// What else is known of a purchase.
    PurchaseData {
        order_id: &'a str,
        order_number: Option<&'a str>,
        source: &'a str,
        currency: &'a str,
        subtotal: JsonNumber,
        shipping_total: JsonNumber,
        fee_total: Option<JsonNumber>,
        tax_total: Option<JsonNumber>,
        discount_total: JsonNumber,
        gift_certificate_total: Option<JsonNumber>,
        discount_codes: Option<Vec<&'a str>>,
        status: &'a str,
        payment_status: Option<&'a str>,
        shipping_status: Option<&'a str>,
        workflow_state: Option<&'a str>,
        shipping_methods: Option<Vec<&'a str>>,
        payment_methods: Option<&'a [String]>,
        cart_id: Option<&'a str>,
        store: Option<&'a str>,
        channel: Option<&'a str>,
        country: Option<&'a str>,
        locale: Option<&'a str>,
        shipping_country: Option<&'a str>,
        shipping_city: Option<&'a str>,
        shipping_region: Option<&'a str>,
        shipping_postal_code: Option<&'a str>,
        url: Option<&'a str>,
        recurring: Option<bool>,
        imported: Option<bool>,
        placed_at: Stamp,
        #[serde(flatten)]
        attributes: Attrs<'a>,
    }

    /// `commerce/updateCart`.
    CartRow {
        user: CartUser<'a>,
        items: Vec<Item<'a>>,
    }

    /// The person of a cart, with the fields a cart mail needs and the call has no other place for.
    CartUser {
        email: Option<&'a str>,
        user_id: Option<&'a str>,
        prefer_user_id: Option<bool>,
        create_new_fields: Option<bool>,
        data_fields: Data<CartData<'a>>,
    }

    /// What is known of a cart.
    CartData {
        cart_id: &'a str,
        cart_total: JsonNumber,
        cart_currency: &'a str,
        cart_updated_at: Option<Option<Stamp>>,
        cart_url: Option<&'a str>,
    }

    /// A profile write that empties the cart.
    EmptyCartRow {
        email: Option<&'a str>,
        user_id: Option<&'a str>,
        prefer_user_id: Option<bool>,
        data_fields: Data<NoItems<'a>>,
    }

    /// `CommerceItem`.
    Item {
        id: Cow<'a, str>,
        sku: Option<&'a str>,
        name: &'a str,
        price: JsonNumber,
        quantity: i64,
        categories: Option<Vec<Cow<'a, str>>>,
        url: Option<&'a str>,
        image_url: Option<&'a str>,
        data_fields: Data<ItemData<'a>>,
    }

    /// What else is known of an item.
    ItemData {
        line_id: &'a str,
        kind: Option<&'static str>,
        parent_line_id: Option<&'a str>,
        product_id: Option<&'a str>,
        product_key: Option<&'a str>,
        variant_id: Option<&'a str>,
        brand: Option<&'a str>,
        currency: &'a str,
        list_price: JsonNumber,
        line_total: JsonNumber,
        line_discount: Option<JsonNumber>,
        line_tax: Option<JsonNumber>,
        #[serde(flatten)]
        attributes: Attrs<'a>,
    }

    /// A line named by a refund, return or shipment.
    Line {
        line_id: &'a str,
        sku: Option<&'a str>,
        name: Option<&'a str>,
        quantity: i64,
        amount: Option<JsonNumber>,
        shipping_state: Option<&'a str>,
        payment_state: Option<&'a str>,
    }

    /// What a refund tells.
    RefundData {
        order_id: Option<&'a str>,
        purchase_id: Option<&'a str>,
        order_number: Option<&'a str>,
        refund_id: &'a str,
        source: &'a str,
        refund_amount: JsonNumber,
        currency: &'a str,
        shipping_amount: Option<JsonNumber>,
        is_full_refund: Option<bool>,
        reason: Option<&'a str>,
        refunded_at: Stamp,
        items: Option<Vec<Line<'a>>>,
    }

    /// What a return tells.
    ReturnData {
        order_id: &'a str,
        purchase_id: &'a str,
        order_number: Option<&'a str>,
        return_id: &'a str,
        source: &'a str,
        tracking_number: Option<&'a str>,
        announced_at: Option<Stamp>,
        returned_at: Option<Stamp>,
        items: Option<Vec<Line<'a>>>,
    }

    /// What a shipment tells.
    ShipmentData {
        order_id: &'a str,
        purchase_id: &'a str,
        order_number: Option<&'a str>,
        shipment_id: &'a str,
        source: &'a str,
        status: Option<&'a str>,
        carrier: Option<&'a str>,
        tracking_number: Option<&'a str>,
        tracking_url: Option<&'a str>,
        tracking_numbers: Option<Vec<&'a str>>,
        shipped_at: Option<Stamp>,
        shipping_country: Option<&'a str>,
        items: Option<Vec<Line<'a>>>,
        #[serde(flatten)]
        attributes: Attrs<'a>,
    }

    /// What an event tells.
    EventData {
        source: &'a str,
        order_id: Option<&'a str>,
        purchase_id: Option<&'a str>,
        order_number: Option<&'a str>,
        cart_id: Option<&'a str>,
        product_id: Option<&'a str>,
        variant_id: Option<&'a str>,
        sku: Option<&'a str>,
        category_id: Option<&'a str>,
        value: Option<JsonNumber>,
        currency: Option<&'a str>,
        url: Option<&'a str>,
        items: Option<Vec<Item<'a>>>,
        #[serde(flatten)]
        attributes: Attrs<'a>,
    }

    /// A product as a catalog item.
    ProductDocument {
        product_id: &'a str,
        product_key: Option<&'a str>,
        name: Option<&'a str>,
        description: Option<&'a str>,
        slug: Option<&'a str>,
        url: Option<&'a str>,
        brand: Option<&'a str>,
        product_type: Option<&'a str>,
        published: bool,
        categories: Option<Vec<Cow<'a, str>>>,
        category_ids: Option<Vec<&'a str>>,
        rating_average: Option<JsonNumber>,
        rating_count: Option<u64>,
        created_at: Option<Stamp>,
        #[serde(flatten)]
        lead: Option<VariantFields<'a>>,
        skus: Option<Vec<&'a str>>,
        variants: Option<Vec<VariantEntry<'a>>>,
        #[serde(flatten)]
        attributes: Attrs<'a>,
    }

    /// A variant as a catalog item, with its product's fields.
    VariantDocument {
        product_id: &'a str,
        product_key: Option<&'a str>,
        name: Option<&'a str>,
        description: Option<&'a str>,
        slug: Option<&'a str>,
        url: Option<&'a str>,
        brand: Option<&'a str>,
        product_type: Option<&'a str>,
        published: bool,
        categories: Option<Vec<Cow<'a, str>>>,
        category_ids: Option<Vec<&'a str>>,
        rating_average: Option<JsonNumber>,
        rating_count: Option<u64>,
        created_at: Option<Stamp>,
        #[serde(flatten)]
        lead: VariantFields<'a>,
        #[serde(flatten)]
        attributes: Attrs<'a>,
        #[serde(flatten)]
        variant_attributes: Attrs<'a>,
    }

    /// What is said of a variant wherever it stands.
    VariantFields {
        variant_id: Option<&'a str>,
        variant_key: Option<&'a str>,
        sku: Option<&'a str>,
        price: Option<JsonNumber>,
        list_price: Option<JsonNumber>,
        on_sale: Option<bool>,
        currency: Option<Cow<'a, str>>,
        in_stock: Option<bool>,
        stock: Option<i64>,
        restock_days: Option<i64>,
        image_url: Option<&'a str>,
        image_urls: Option<Vec<&'a str>>,
    }

    /// A variant in the list of its product.
    VariantEntry {
        name: Option<&'a str>,
        url: Option<&'a str>,
        #[serde(flatten)]
        fields: VariantFields<'a>,
        #[serde(flatten)]
        attributes: Attrs<'a>,
    }

    /// A category as a catalog item.
    CategoryDocument {
        category_id: &'a str,
        category_key: Option<&'a str>,
        name: Option<&'a str>,
        description: Option<&'a str>,
        slug: Option<&'a str>,
        url: Option<&'a str>,
        parent_id: Option<&'a str>,
        ancestor_ids: Option<Vec<&'a str>>,
        path: Option<Cow<'a, str>>,
        order_hint: Option<&'a str>,
        created_at: Option<Stamp>,
        #[serde(flatten)]
        attributes: Attrs<'a>,
    }
}

impl Absent for Evidence<'_> {}
impl Absent for VariantFields<'_> {}

/// `events/track`, a row of `events/trackBulk`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Track<'a, D> {
    pub event_name: &'a str,
    pub id: &'a str,
    #[serde(skip_serializing_if = "Absent::is_absent")]
    pub email: Option<&'a str>,
    #[serde(skip_serializing_if = "Absent::is_absent")]
    pub user_id: Option<&'a str>,
    pub created_at: i64,
    #[serde(skip_serializing_if = "Absent::is_absent")]
    pub create_new_fields: Option<bool>,
    pub data_fields: D,
}

/// A member that is always written.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct Data<T>(pub T);

/// `shoppingCartItems`, empty.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NoItems<'a> {
    pub shopping_cart_items: [(); 0],
    #[serde(flatten)]
    pub cart: CartData<'a>,
}

/// Just who: `users/forget`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserRef<'a> {
    #[serde(skip_serializing_if = "Absent::is_absent")]
    pub email: Option<&'a str>,
    #[serde(skip_serializing_if = "Absent::is_absent")]
    pub user_id: Option<&'a str>,
}

/// An address. With merging on, parts that are gone are written as null: what is left out would stay from the address
/// before.
pub(super) struct Postal<'a> {
    pub address: &'a crate::model::Address,
    pub nulls: bool,
}

impl Serialize for Postal<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let a = self.address;
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in [
            ("firstName", &a.first_name),
            ("lastName", &a.last_name),
            ("company", &a.company),
            ("line1", &a.line1),
            ("line2", &a.line2),
            ("postalCode", &a.postal_code),
            ("city", &a.city),
            ("region", &a.region),
            ("country", &a.country),
        ] {
            if self.nulls || value.is_some() {
                map.serialize_entry(key, value)?;
            }
        }
        map.end()
    }
}

/// What proves the permission per channel: `consentEmail: {status, at, source, evidence}`.
pub(super) struct Evidence<'a> {
    pub consents: &'a [crate::model::Consent],
    pub nulls: bool,
}

impl Serialize for Evidence<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for consent in crate::model::Consent::strictest(self.consents) {
            if let Some(name) = evidence_field(consent) {
                map.serialize_entry(&name, &Proof { consent, nulls: self.nulls })?;
            }
        }
        map.end()
    }
}

/// The profile field that proves a consent; `None` where there is nothing to prove.
pub(super) fn evidence_field(consent: &crate::model::Consent) -> Option<Cow<'static, str>> {
    use crate::model::{Channel, ConsentStatus};
    if consent.status == ConsentStatus::Unknown {
        return None;
    }
    match &consent.channel {
        Channel::Email => Some("consentEmail".into()),
        Channel::Sms => Some("consentSms".into()),
        Channel::Push => Some("consentPush".into()),
        Channel::Whatsapp => Some("consentWhatsapp".into()),
        Channel::Post => Some("consentPost".into()),
        Channel::Other(_) => None,
    }
}

struct Proof<'a> {
    consent: &'a crate::model::Consent,
    nulls: bool,
}

impl Serialize for Proof<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("status", &self.consent.status)?;
        if self.nulls || self.consent.at.is_some() {
            map.serialize_entry("at", &self.consent.at.map(Stamp))?;
        }
        for (key, value) in [("source", &self.consent.source), ("evidence", &self.consent.evidence)] {
            if self.nulls || value.is_some() {
                map.serialize_entry(key, value)?;
            }
        }
        map.end()
    }
}

/// An instant in the one form that Iterable types as a date everywhere: `2026-01-01 10:00:00 +00:00`.
#[derive(Clone, Copy)]
pub(super) struct Stamp(pub DateTime<Utc>);

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (date, time) = (self.0.date_naive(), self.0.time());
        let mut text = *b"0000-00-00 00:00:00 +00:00";
        let Ok(year @ 0..=9999) = u32::try_from(date.year()) else {
            return Err(serde::ser::Error::custom("a year has four digits"));
        };
        for (at, value) in
            [(2, year % 100), (5, date.month()), (8, date.day()), (11, time.hour()), (14, time.minute()), (17, time.second())]
        {
            two(&mut text, at, value);
        }
        two(&mut text, 0, year / 100);
        serializer.serialize_str(std::str::from_utf8(&text).map_err(serde::ser::Error::custom)?)
    }
}

/// A calendar date: `2026-01-31`.
#[derive(Clone, Copy)]
pub(super) struct Day(pub NaiveDate);

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Ok(year @ 0..=9999) = u32::try_from(self.0.year()) else {
            return Err(serde::ser::Error::custom("a year has four digits"));
        };
        let mut text = *b"0000-00-00";
        two(&mut text, 0, year / 100);
        two(&mut text, 2, year % 100);
        two(&mut text, 5, self.0.month());
        two(&mut text, 8, self.0.day());
        serializer.serialize_str(std::str::from_utf8(&text).map_err(serde::ser::Error::custom)?)
    }
}

fn two(text: &mut [u8], at: usize, value: u32) {
    const DIGITS: &[u8; 10] = b"0123456789";
    text[at] = DIGITS[(value / 10 % 10) as usize];
    text[at + 1] = DIGITS[(value % 10) as usize];
}

/// Fields of an event that would hide the profile's in templates.
pub(super) const SHADOWING: &[&str] = &["email", "userId", "firstName", "lastName", "phoneNumber", "locale", "timeZone"];

/// Profile fields that only Iterable writes, or only through other calls.
#[rustfmt::skip]
const RESERVED: &[&str] = &[
    "email", "userId", "itblUserId", "profileUpdatedAt", "signupDate", "signupSource", "emailListIds", "userListIds",
    "unsubscribedChannelIds", "unsubscribedMessageTypeIds", "subscribedMessageTypeIds", "unsubSource", "shoppingCartItems",
    "devices", "browserTokens", "phoneNumberDetails", "ip",
];

/// Where attributes stand, for the names they may not have.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// On the profile.
    Profile,
    /// In an event or item.
    Event(&'static [&'static str]),
    /// In an event, as its properties: they have canonical names, so they are written in camel case as all else is.
    Properties(&'static [&'static str]),
    /// In a catalog item.
    Catalog(&'static [&'static str]),
}

/// Names the profile's own fields have.
#[rustfmt::skip]
pub(super) const PROFILE_FIELDS: &[&str] = &[
    "customerId", "firstName", "middleName", "lastName", "salutation", "title", "company", "vatId", "gender", "dateOfBirth",
    "customerNumber", "phoneNumber", "emailVerified", "locale", "timeZone", "country", "customerGroup", "customerGroups",
    "stores", "customerSince", "address", "billingAddress", "consentEmail", "consentSms", "consentPush", "consentWhatsapp",
    "consentPost", "cartId", "cartTotal", "cartCurrency", "cartUpdatedAt", "cartUrl",
];

/// Names a purchase's own fields have.
#[rustfmt::skip]
pub(super) const PURCHASE_FIELDS: &[&str] = &[
    "orderId", "orderNumber", "source", "currency", "subtotal", "shippingTotal", "feeTotal", "taxTotal", "discountTotal",
    "giftCertificateTotal", "discountCodes", "status", "paymentStatus", "shippingStatus", "workflowState", "shippingMethods",
    "paymentMethods", "cartId",
    "store", "channel", "country", "locale", "shippingCountry", "shippingCity", "shippingRegion", "shippingPostalCode", "url",
    "recurring", "imported", "placedAt", "id", "total", "createdAt", "shoppingCartItems",
];

/// Names an item's own fields have.
#[rustfmt::skip]
pub(super) const ITEM_FIELDS: &[&str] = &[
    "lineId", "kind", "parentLineId", "productId", "productKey", "variantId", "brand", "currency", "listPrice", "lineTotal",
    "lineDiscount", "lineTax", "id", "sku", "name", "price", "quantity", "categories", "url", "imageUrl",
];

/// Names an event's own fields have.
#[rustfmt::skip]
pub(super) const EVENT_FIELDS: &[&str] = &[
    "source", "orderId", "purchaseId", "orderNumber", "cartId", "productId", "variantId", "sku", "categoryId", "value",
    "currency", "url", "items", "shipmentId", "status", "carrier", "trackingNumber", "trackingUrl", "trackingNumbers",
    "shippedAt", "shippingCountry", "id", "createdAt", "eventName",
];

/// Names a product's or variant's own fields have.
#[rustfmt::skip]
pub(super) const PRODUCT_FIELDS: &[&str] = &[
    "productId", "productKey", "name", "description", "slug", "url", "brand", "productType", "published", "categories",
    "categoryIds", "ratingAverage", "ratingCount", "createdAt", "variantId", "variantKey", "sku", "price", "listPrice", "onSale",
    "currency", "inStock", "stock", "restockDays", "imageUrl", "imageUrls", "skus", "variants",
];

/// Names a category's own fields have.
pub(super) const CATEGORY_FIELDS: &[&str] =
    &["categoryId", "categoryKey", "name", "description", "slug", "url", "parentId", "ancestorIds", "path", "orderHint", "createdAt"];

/// The types of a product's or variant's own fields; a list has the type of what it holds.
#[rustfmt::skip]
pub(super) const PRODUCT_TYPES: &[(&str, FieldType)] = {
    use FieldType::{Boolean, Date, Double, Long, Object, String};
    &[
        ("productId", String), ("productKey", String), ("name", String), ("description", String), ("slug", String), ("url", String),
        ("brand", String), ("productType", String), ("published", Boolean), ("categories", String), ("categoryIds", String),
        ("ratingAverage", Double), ("ratingCount", Long), ("createdAt", Date), ("variantId", String), ("variantKey", String),
        ("sku", String), ("price", Double), ("listPrice", Double), ("onSale", Boolean), ("currency", String), ("inStock", Boolean),
        ("stock", Long), ("restockDays", Long), ("imageUrl", String), ("imageUrls", String), ("skus", String), ("variants", Object),
    ]
};

/// The types of a category's own fields.
#[rustfmt::skip]
pub(super) const CATEGORY_TYPES: &[(&str, FieldType)] = {
    use FieldType::{Date, String};
    &[
        ("categoryId", String), ("categoryKey", String), ("name", String), ("description", String), ("slug", String), ("url", String),
        ("parentId", String), ("ancestorIds", String), ("path", String), ("orderHint", String), ("createdAt", Date),
    ]
};

impl Place {
    /// A name as it is written here.
    fn written(self, name: &str) -> Cow<'_, str> {
        match self {
            Place::Properties(_) if name.contains('_') && !name.starts_with('_') => Cow::Owned(super::ids::camel(name)),
            _ => Cow::Borrowed(name),
        }
    }

    fn forbids(self, name: &str) -> Option<&'static str> {
        match self {
            Place::Profile if RESERVED.contains(&name) || name.starts_with("itblInternal") || name.starts_with("itblDS") => {
                Some("the name belongs to Iterable")
            }
            Place::Event(_) | Place::Properties(_) if SHADOWING.contains(&name) => {
                Some("the name would hide the profile's field in templates")
            }
            Place::Catalog(_) if name == "length" => Some("a field called `length` breaks Iterable's catalog viewer"),
            Place::Profile if PROFILE_FIELDS.contains(&name) => Some("a standard field has that name"),
            Place::Event(own) | Place::Properties(own) | Place::Catalog(own) if own.contains(&name) => {
                Some("a standard field has that name")
            }
            _ => None,
        }
    }
}

/// Attributes under their own names; those Iterable cannot take are left out, and [`Attrs::report`] says which.
#[derive(Clone, Copy)]
pub(super) struct Attrs<'a> {
    pub attributes: &'a Attributes,
    pub place: Place,
    /// Attributes that win over these where both have a name.
    pub over: Option<&'a Attributes>,
}

impl<'a> Attrs<'a> {
    pub(super) fn new(attributes: &'a Attributes, place: Place) -> Self {
        Attrs { attributes, place, over: None }
    }

    /// The name under which an attribute is written, or why it is not.
    fn name<'n>(&self, name: &'n str) -> Result<Cow<'n, str>, &'static str> {
        let written = self.place.written(name);
        match self.place.forbids(&written).or_else(|| name_fault(&written)) {
            Some(why) => Err(why),
            None if written != name && self.attributes.contains_key(&*written) => Err("another property has that name in camel case"),
            None => Ok(written),
        }
    }

    /// Names each attribute that is left out.
    pub(super) fn report(&self, pointer: &str, findings: &mut Vec<Finding>) {
        for (name, value) in self.attributes {
            if let Err(why) = self.name(name) {
                findings.push(dropped(pointer, name, why));
            } else {
                report_value(value, pointer, name, findings);
            }
        }
    }
}

fn dropped(pointer: &str, name: &str, why: &str) -> Finding {
    Finding::new(FindingCode::FieldDropped, format!("{pointer}/{}", pointer_token(name)), why)
}

fn report_value(value: &AttributeValue, pointer: &str, name: &str, findings: &mut Vec<Finding>) {
    match value {
        AttributeValue::Text(text) if text.len() > MAX_TEXT => {
            findings.push(dropped(pointer, name, "a text has at most 32,000 characters"));
        }
        AttributeValue::Date(date) if !(0..=9999).contains(&date.year()) => findings.push(dropped(pointer, name, YEAR)),
        AttributeValue::DateTime(at) if !(0..=9999).contains(&at.year()) => findings.push(dropped(pointer, name, YEAR)),
        AttributeValue::List(values) => values.iter().for_each(|value| report_value(value, pointer, name, findings)),
        AttributeValue::Object(members) => {
            for (key, value) in members {
                match name_fault(key) {
                    Some(why) => findings.push(dropped(pointer, name, why)),
                    None => report_value(value, pointer, name, findings),
                }
            }
        }
        _ => {}
    }
}

const YEAR: &str = "a year has four digits";

/// What a field name may not be (<https://support.iterable.com/hc/articles/208183076>): `.` is nesting, the rest breaks
/// segments.
fn name_fault(name: &str) -> Option<&'static str> {
    if name.is_empty() || name.len() > 255 {
        Some("a field name has 1 to 255 bytes")
    } else if name.starts_with('_') {
        Some("a field name cannot start with `_`")
    } else if name.bytes().any(|byte| matches!(byte, b'.' | b',' | b'#') || byte.is_ascii_control()) {
        Some("a field name holds no `.`, `,` or `#`")
    } else if name.bytes().all(|byte| byte.is_ascii_digit()) {
        Some("a field name is not a number")
    } else {
        None
    }
}

impl Serialize for Attrs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.attributes {
            let hidden = self.over.is_some_and(|over| over.contains_key(name));
            if hidden || !fits(value) {
                continue;
            }
            if let Ok(name) = self.name(name) {
                map.serialize_entry(&*name, &Typed(value, self.place))?;
            }
        }
        map.end()
    }
}

fn fits(value: &AttributeValue) -> bool {
    match value {
        AttributeValue::Text(text) => text.len() <= MAX_TEXT,
        AttributeValue::Date(date) => (0..=9999).contains(&date.year()),
        AttributeValue::DateTime(at) => (0..=9999).contains(&at.year()),
        _ => true,
    }
}

/// A value in the JSON form that locks its field to the right type.
struct Typed<'a>(&'a AttributeValue, Place);

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
                let mut list = serializer.serialize_seq(None)?;
                for value in values.iter().filter(|value| fits(value)) {
                    list.serialize_element(&Typed(value, self.1))?;
                }
                list.end()
            }
            AttributeValue::Object(members) => object(members, self.1, serializer),
        }
    }
}

fn object<S: Serializer>(members: &BTreeMap<String, AttributeValue>, place: Place, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    for (name, value) in members {
        if name_fault(name).is_none() && fits(value) {
            map.serialize_entry(&*place.written(name), &Typed(value, place))?;
        }
    }
    map.end()
}

/// The row's bytes.
///
/// # Errors
/// `internal`: a value that JSON cannot hold, such as a year of five digits.
pub(super) fn bytes<T: Serialize>(row: &T, capacity: usize) -> Result<Vec<u8>, Error> {
    let mut body = Vec::with_capacity(capacity);
    json::append(&mut body, row).map_err(|error| Error::new(ErrorCode::Internal, "a row could not be written").because(error))?;
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn instants_lose_fractions_and_dates_have_no_time() {
        let at = "2026-01-01T09:41:12.987Z".parse::<DateTime<Utc>>().unwrap();
        assert_eq!(serde_json::to_string(&Stamp(at)).unwrap(), r#""2026-01-01 09:41:12 +00:00""#);
        let day = NaiveDate::from_ymd_opt(2024, 11, 3).unwrap();
        assert_eq!(serde_json::to_string(&Day(day)).unwrap(), r#""2024-11-03""#);
    }

    #[test]
    fn values_keep_the_type_their_field_is_locked_to() {
        let mut attributes = Attributes::new();
        attributes.insert("whole".into(), AttributeValue::Integer(10));
        attributes.insert("ratio".into(), AttributeValue::Decimal(Decimal::new(10, 0)));
        attributes.insert("zip".into(), AttributeValue::Text("01234".into()));
        attributes.insert("vip".into(), AttributeValue::Boolean(true));
        attributes.insert("a.b".into(), AttributeValue::Boolean(true));
        attributes.insert("_x".into(), AttributeValue::Boolean(true));
        attributes.insert("123".into(), AttributeValue::Boolean(true));
        attributes.insert("shoppingCartItems".into(), AttributeValue::Boolean(true));
        attributes.insert("itblInternal".into(), AttributeValue::Boolean(true));
        attributes.insert("firstName".into(), AttributeValue::Text("other".into()));
        attributes.insert("long".into(), AttributeValue::Text("x".repeat(32_001)));
        let attrs = Attrs::new(&attributes, Place::Profile);
        assert_eq!(serde_json::to_string(&attrs).unwrap(), r#"{"ratio":10.0,"vip":true,"whole":10,"zip":"01234"}"#);
        let mut findings = Vec::new();
        attrs.report("/body/attributes", &mut findings);
        let pointers: Vec<_> = findings.iter().map(|f| f.pointer.as_str()).collect();
        assert_eq!(
            pointers,
            [
                "/body/attributes/123",
                "/body/attributes/_x",
                "/body/attributes/a.b",
                "/body/attributes/firstName",
                "/body/attributes/itblInternal",
                "/body/attributes/long",
                "/body/attributes/shoppingCartItems",
            ]
        );
    }
}
