//! What a document is, told from its keys. Looks at as few of them as it needs: the platform writes the telling ones early.

use crate::sources::split::Keys;

/// What a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A query page; where the array of its results starts.
    Page(usize),
    /// A message inside a transport.
    Transport,
    /// A message or change notification.
    Message,
    /// A cart or an order.
    Order,
    Customer,
    Projection,
    Product,
    Category,
    Payment,
    SignIn,
    /// A stand-alone variant of the modular catalogue.
    Variant,
    ShoppingList,
    RecurringOrder,
    OrderEdit,
    /// An inventory entry or stand-alone price: about the product that has its SKU.
    Stocked(&'static str),
    /// A resource that is known and of no use here.
    Other(&'static str),
    /// The platform's answer to a call that failed.
    Error,
    /// A part of a resource.
    Fragment,
    Unknown,
}

/// What the object that starts at `at` is.
pub(super) fn sniff(bytes: &[u8], at: usize) -> Shape {
    let (mut email, mut customer, mut product_type, mut name, mut predicate, mut sku, mut active, mut lines) = Default::default();
    let mut extra = false;
    for key in Keys::new(bytes, at) {
        let first = bytes.get(key.value).copied();
        let is_object = first == Some(b'{');
        match key.name {
            // Not `orderState`: a message about it has that key too, and an export may have sorted the keys.
            b"results" if first == Some(b'[') => return Shape::Page(key.value),
            b"notificationType" => return Shape::Message,
            b"sequenceNumber" | b"resourceVersion" | b"resourceUserProvidedIdentifiers" | b"payloadNotIncluded" => return Shape::Message,
            b"specversion" | b"detail-type" | b"TopicArn" | b"data_base64" => return Shape::Transport,
            b"detail" | b"message" if is_object => return Shape::Transport,
            b"type" if value_is(bytes, key.value, b"\"Order\"") || value_is(bytes, key.value, b"\"Cart\"") => return Shape::Order,
            b"type" if value_is(bytes, key.value, b"\"centPrecision\"") || value_is(bytes, key.value, b"\"highPrecision\"") => {
                return Shape::Fragment;
            }
            b"productId" | b"lineItemMode" | b"centAmount" => return Shape::Fragment,
            b"cartState" | b"totalPrice" | b"taxedPrice" | b"customLineItems" | b"syncInfo" | b"taxMode" | b"inventoryMode"
            | b"shippingMode" => return Shape::Order,
            b"masterData" => return Shape::Product,
            b"masterVariant" | b"categoryOrderHints" | b"searchKeywords" | b"hasStagedChanges" => return Shape::Projection,
            b"ancestors" | b"orderHint" => return Shape::Category,
            b"isEmailVerified" | b"authenticationMode" | b"password" => return Shape::Customer,
            b"amountPlanned" | b"paymentMethodInfo" | b"transactions" | b"interfaceInteractions" => return Shape::Payment,
            b"variantId" => return Shape::Variant,
            b"statusCode" => return Shape::Error,
            b"textLineItems" => return Shape::ShoppingList,
            b"originOrder" => return Shape::RecurringOrder,
            b"stagedActions" => return Shape::OrderEdit,
            b"quantityOnStock" => return Shape::Stocked("inventory-entry"),
            b"cartDiscounts" => return Shape::Other("discount-code"),
            b"requiresDiscountCode" => return Shape::Other("cart-discount"),
            b"distributionChannels" | b"supplyChannels" => return Shape::Other("store"),
            b"destination" if is_object => return Shape::Other("subscription"),
            b"unitType" => return Shape::Other("business-unit"),
            b"fieldDefinitions" => return Shape::Other("type"),
            b"active" => active = true,
            b"email" => email = true,
            b"customer" => customer = is_object,
            b"productType" => product_type = true,
            b"name" => name = true,
            b"sku" => sku = true,
            b"lineItems" => lines = true,
            b"cartPredicate" => predicate = true,
            b"cart" | b"id" | b"version" | b"key" => {}
            _ => extra = true,
        }
    }
    if active && sku {
        Shape::Stocked("standalone-price")
    } else if product_type {
        Shape::Projection
    } else if email {
        Shape::Customer
    } else if lines && name {
        Shape::ShoppingList
    } else if customer && !extra {
        Shape::SignIn
    } else if predicate {
        Shape::Other("cart-discount")
    } else {
        Shape::Unknown
    }
}

fn value_is(bytes: &[u8], at: usize, value: &[u8]) -> bool {
    bytes.get(at..).is_some_and(|rest| rest.starts_with(value))
}
