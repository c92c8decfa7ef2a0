//! What a document is, told from its keys. The platform never says.

use crate::sources::split::Keys;

/// What a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Hook,
    Browser,
    ComposedOrder,
    ComposedCustomer,
    ComposedProduct,
    ComposedCart,
    Order,
    Shipment,
    PartOfOrder(&'static str),
    Customer,
    PartOfCustomer(&'static str),
    Subscriber,
    Wishlist,
    Cart,
    Checkout,
    /// Names a cart.
    CartId,
    Product,
    PartOfProduct(&'static str),
    Category,
    Metafield,
    /// A resource that is known and of no use here.
    Other(&'static str),
    /// The platform's answer to a call that failed.
    Error,
    /// A part of a resource that does not name it.
    Fragment,
    Unknown,
}

/// Where the rows of a page start, or the one resource of a v3 answer; `None` when the object is no answer's wrapper.
pub(super) fn data_of(bytes: &[u8], at: usize) -> Option<usize> {
    let mut data = None;
    for key in Keys::new(bytes, at) {
        match key.name {
            b"data" if matches!(bytes.get(key.value), Some(b'[' | b'{')) => data = Some(key.value),
            b"meta" | b"errors" | b"links" => {}
            _ => return None,
        }
    }
    data
}

macro_rules! keys {
    ($($name:ident)+) => {
        /// The keys that tell documents apart, and which of them are there.
        #[derive(Default)]
        #[allow(non_snake_case, clippy::struct_excessive_bools)] // the keys are the platform's
        struct Seen { $($name: bool,)+ }

        impl Seen {
            fn see(&mut self, name: &[u8]) {
                $(if name == stringify!($name).as_bytes() { self.$name = true; })+
            }
        }
    };
}

keys! {
    billing_address consignments grand_total order_id customer_id tracking_number
    payment_method_id applied_discounts product_options discount rate items_total payments
    customer_group_id accepts_product_review_abandoned_cart_emails
    attribute_value address1 value address_id is_public allow deny line_items base_amount cart_amount cart_id
    availability product_id option_values purchasing_disabled sku_id
    price_list_id variant_id active identity locations parent_id sort_order is_visible children category_id tree_id
    custom_url meta_keywords channels platform currency_exchange_rate secure_url system_label category_access
    discount_rules namespace permission_set refund_methods cart_url checkout_url applies_to to_email statuses count title
    status message instance pickups shipping fees image_id is_thumbnail custom_label timezone price rating
}

/// What the object that starts at `at` is.
pub(super) fn sniff(bytes: &[u8], at: usize) -> Shape {
    let mut seen = Seen::default();
    let mut composed = Shape::Unknown;
    for key in Keys::new(bytes, at) {
        let is_object = bytes.get(key.value) == Some(&b'{');
        match key.name {
            b"scope" => return Shape::Hook,
            b"event" if bytes[key.value.min(bytes.len())..].starts_with(b"\"bodl_") => return Shape::Browser,
            b"order" if is_object => composed = Shape::ComposedOrder,
            b"customer" if is_object => composed = Shape::ComposedCustomer,
            b"product" if is_object => composed = Shape::ComposedProduct,
            b"cart" if is_object => composed = Shape::ComposedCart,
            // Keys that only one kind has end the search.
            b"status_id" => return Shape::Order,
            b"consents" => return Shape::Subscriber,
            b"address_count" | b"registration_ip_address" => return Shape::Customer,
            b"inventory_tracking" | b"base_variant_id" => return Shape::Product,
            name => seen.see(name),
        }
    }
    match composed {
        Shape::Unknown => by_keys(&seen),
        Shape::ComposedCart if seen.billing_address || seen.consignments || seen.grand_total => Shape::Checkout,
        // A message of an order names its customer, and so does a review its product.
        Shape::ComposedCustomer | Shape::ComposedProduct if seen.order_id || seen.rating => by_keys(&seen),
        composed => composed,
    }
}

fn by_keys(seen: &Seen) -> Shape {
    if seen.order_id {
        of_order(seen)
    } else if seen.line_items && (seen.base_amount || seen.cart_amount) {
        Shape::Cart
    } else if seen.namespace && seen.permission_set {
        Shape::Metafield
    } else if seen.customer_id && seen.attribute_value {
        Shape::PartOfCustomer("attribute value")
    } else if seen.customer_id && seen.value {
        Shape::PartOfCustomer("form field value")
    } else if seen.customer_id && seen.address1 {
        Shape::PartOfCustomer("customer address")
    } else if seen.address_id && seen.value {
        Shape::Other("form field of an address")
    } else if seen.customer_id && seen.is_public {
        Shape::Wishlist
    } else if seen.price_list_id {
        if seen.variant_id { Shape::PartOfProduct("price list record") } else { Shape::Other("price list assignment") }
    } else if seen.accepts_product_review_abandoned_cart_emails || seen.customer_group_id {
        Shape::Customer
    } else if seen.identity && seen.locations {
        Shape::PartOfProduct("inventory item")
    } else if seen.product_id && (seen.option_values || seen.purchasing_disabled || seen.sku_id) {
        Shape::PartOfProduct("variant")
    } else if seen.product_id && (seen.image_id || seen.is_thumbnail) {
        Shape::PartOfProduct("image")
    } else if seen.availability && seen.price {
        Shape::Product
    } else if seen.parent_id && (seen.sort_order || seen.is_visible || seen.children || seen.category_id || seen.tree_id) {
        Shape::Category
    } else {
        of_no_use(seen)
    }
}

fn of_order(seen: &Seen) -> Shape {
    if seen.message {
        Shape::Other("order message")
    } else if seen.tracking_number {
        Shape::Shipment
    } else if seen.payments {
        Shape::PartOfOrder("refund")
    } else if seen.payment_method_id {
        Shape::PartOfOrder("transaction")
    } else if seen.applied_discounts || seen.product_options || seen.product_id {
        Shape::PartOfOrder("order product")
    } else if seen.discount {
        Shape::PartOfOrder("order coupon")
    } else if seen.rate {
        Shape::PartOfOrder("order tax")
    } else if seen.items_total {
        Shape::PartOfOrder("shipping address")
    } else {
        Shape::PartOfOrder("part of an order")
    }
}

fn of_no_use(seen: &Seen) -> Shape {
    if seen.allow && seen.deny {
        Shape::Other("cookie consent")
    } else if seen.cart_url && seen.checkout_url {
        Shape::Other("redirect urls")
    } else if seen.cart_id {
        Shape::CartId
    } else if seen.refund_methods {
        Shape::Other("refund quote")
    } else if seen.system_label || seen.custom_label {
        Shape::Other("order status")
    } else if seen.statuses && seen.count {
        Shape::Other("order count")
    } else if seen.category_access || seen.discount_rules {
        Shape::Other("customer group")
    } else if seen.currency_exchange_rate {
        Shape::Other("currency")
    } else if seen.secure_url || seen.timezone {
        Shape::Other("store information")
    } else if seen.platform {
        Shape::Other("channel")
    } else if seen.custom_url && seen.meta_keywords {
        Shape::Other("brand")
    } else if seen.channels {
        Shape::Other("category tree")
    } else if seen.active {
        Shape::Other("price list")
    } else if seen.to_email {
        Shape::Other("gift certificate")
    } else if seen.applies_to {
        Shape::Other("coupon")
    } else if seen.rating && seen.title {
        Shape::Other("review")
    } else if seen.status && (seen.title || seen.message || seen.instance) {
        Shape::Error
    } else if (seen.shipping && seen.pickups) || seen.fees || seen.option_values {
        Shape::Fragment
    } else {
        Shape::Unknown
    }
}
