"""The types of everything that goes in and out, as dicts. Generated; `make types` writes it anew.

Keys are ``snake_case``. Amounts are decimal strings, times RFC 3339 in UTC. A key that is missing means "not known" in data
and "the default" in options. At run time these are plain dicts: nothing is converted or checked in Python.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, TypedDict

__all__ = [
    "Address",
    "AttributeValue",
    "BigcommerceConsentPlace",
    "BigcommerceConsentRule",
    "BigcommerceFieldMapping",
    "BigcommerceOrderPart",
    "BigcommercePullConfig",
    "BigcommerceSourceConfig",
    "BigcommerceUntouched",
    "BigcommerceValueType",
    "BigcommerceWebhookConfig",
    "BigcommerceWebhookScheme",
    "Body",
    "BooleanAttributeValue",
    "CallOptions",
    "Cart",
    "CartBody",
    "CartState",
    "Category",
    "CategoryBody",
    "CategoryDeleted",
    "CategoryDeletedBody",
    "CategoryRef",
    "Channel",
    "CheckReport",
    "CommercetoolsAbsentConsent",
    "CommercetoolsConsentPlace",
    "CommercetoolsConsentRule",
    "CommercetoolsFieldMapping",
    "CommercetoolsPullConfig",
    "CommercetoolsSourceConfig",
    "CommercetoolsValueType",
    "Consent",
    "ConsentConfig",
    "ConsentRule",
    "ConsentStatus",
    "Contact",
    "ContactBody",
    "ContactDeleted",
    "ContactDeletedBody",
    "CordialApi",
    "CordialAsynchronous",
    "CordialAttribute",
    "CordialAttributeType",
    "CordialBackfilled",
    "CordialCartWrite",
    "CordialCategoryName",
    "CordialCleared",
    "CordialContactDeletion",
    "CordialDestinationConfig",
    "CordialEmailChange",
    "CordialImports",
    "CordialMissingContacts",
    "CordialRegion",
    "CordialResubscribe",
    "CordialSmsOptIn",
    "CordialSupplements",
    "CordialTakenBack",
    "CordialTriggers",
    "CordialUnknownAttributes",
    "CorrelationId",
    "Coupon",
    "Currency",
    "DateAttributeValue",
    "DateTimeAttributeValue",
    "DecimalAttributeValue",
    "DestinationCheck",
    "DestinationChoices",
    "DestinationConfig",
    "DestinationReport",
    "Discount",
    "DiscountKind",
    "DotdigitalBackfilled",
    "DotdigitalBackfilledOrders",
    "DotdigitalCancelled",
    "DotdigitalCatalogLayout",
    "DotdigitalCollections",
    "DotdigitalConsentTarget",
    "DotdigitalContactDeletion",
    "DotdigitalContactWrite",
    "DotdigitalDefine",
    "DotdigitalDeleteWrite",
    "DotdigitalDestinationConfig",
    "DotdigitalErase",
    "DotdigitalEvents",
    "DotdigitalInsightWrite",
    "DotdigitalMergeOption",
    "DotdigitalOptInType",
    "DotdigitalOrderKey",
    "DotdigitalOrderTotal",
    "DotdigitalRegion",
    "DotdigitalResubscribe",
    "DotdigitalSpelling",
    "DotdigitalUnaskedYes",
    "DotdigitalUnknown",
    "Durability",
    "EndpointCounts",
    "Envelope",
    "Event",
    "EventBody",
    "EventName",
    "EventsConfig",
    "Fetch",
    "Finding",
    "FindingCode",
    "Fix",
    "FlushOptions",
    "Flushed",
    "FlushedAt",
    "Format",
    "Fulfilment",
    "FulfilmentStatus",
    "GiftCertificate",
    "HeaderValue",
    "Headers",
    "IdempotencyKey",
    "Identity",
    "Ignored",
    "Image",
    "InsiderAttributeType",
    "InsiderBackfilled",
    "InsiderCarts",
    "InsiderCatalog",
    "InsiderCatalogWrite",
    "InsiderCategories",
    "InsiderContactDeletion",
    "InsiderDestinationConfig",
    "InsiderErase",
    "InsiderHosts",
    "InsiderIdentifiers",
    "InsiderIdentityConflict",
    "InsiderItemId",
    "InsiderLineEvents",
    "InsiderPurchasePrice",
    "InsiderPurchaseTax",
    "InsiderResubscribe",
    "InsiderShippingCost",
    "InsiderUnsubscribeBy",
    "IntegerAttributeValue",
    "IterableBackfilled",
    "IterableCatalogLayout",
    "IterableCatalogWrite",
    "IterableCatalogs",
    "IterableConsentTarget",
    "IterableContactDeletion",
    "IterableDataCenter",
    "IterableDestinationConfig",
    "IterableEmptyCart",
    "IterableErase",
    "IterableFieldType",
    "IterableGuests",
    "IterableLeftTypes",
    "IterableLists",
    "IterablePolicy",
    "IterableSubscriptions",
    "IterableWrite",
    "Letter",
    "LetterFilter",
    "LineItem",
    "LineKind",
    "ListAttributeValue",
    "Market",
    "Method",
    "Mode",
    "Money",
    "MoneyAttributeValue",
    "Normalized",
    "ObjectAttributeValue",
    "OldOrders",
    "Order",
    "OrderBody",
    "OrderStatus",
    "Parcel",
    "PaymentStatus",
    "PipelineOptions",
    "Plan",
    "PlannedRequest",
    "Price",
    "PriceTier",
    "Product",
    "ProductBody",
    "ProductDeleted",
    "ProductDeletedBody",
    "Progress",
    "PullOptions",
    "PullReport",
    "Receipt",
    "ReceiveOptions",
    "Received",
    "ReconcileCheck",
    "ReconcileCounts",
    "ReconcileOptions",
    "ReconcileReason",
    "ReconcileStatus",
    "ReconciledAt",
    "ReconciledRecord",
    "Reconciliation",
    "Record",
    "RecordFinding",
    "RecordSkip",
    "Refund",
    "RefundBody",
    "RefundLine",
    "Rejection",
    "ReplayOptions",
    "ResourceRef",
    "RetryConfig",
    "Return",
    "ReturnBody",
    "ReturnItem",
    "RunCounts",
    "RunReport",
    "Secret",
    "Severity",
    "Shipment",
    "ShipmentBody",
    "ShipmentLine",
    "ShippingCharge",
    "ShippingStatus",
    "Signal",
    "SkipReason",
    "SourceChoice",
    "SourceConfig",
    "Stock",
    "StreamReport",
    "SyncOptions",
    "TaxLine",
    "TextAttributeValue",
    "Totals",
    "Unread",
    "ValidateConfig",
    "ValidatePolicy",
    "ValidationReport",
    "Variant",
    "VariantRef",
]


class Address(TypedDict, total=False):
    """A postal address."""

    city: str | None
    """City."""
    company: str | None
    """Company."""
    country: str | None
    """ISO 3166-1 alpha-2 country code."""
    default_billing: bool
    """Whether bills go here unless said otherwise."""
    default_shipping: bool
    """Whether parcels go here unless said otherwise."""
    email: str | None
    """E-mail as the source wrote it."""
    first_name: str | None
    """Given name."""
    id: str | None
    """Id at the source."""
    last_name: str | None
    """Family name."""
    line1: str | None
    """Street and number."""
    line2: str | None
    """Everything else before the city."""
    phone: str | None
    """Phone as the source wrote it."""
    postal_code: str | None
    """Postal code."""
    region: str | None
    """State, region or province."""


class _BigcommerceConsentRule(TypedDict):
    """What is always there in `BigcommerceConsentRule`."""

    channel: Channel
    """The channel: `email`, `sms`, `push`, `whatsapp`, `post`, or a word of your own."""


class BigcommerceConsentRule(_BigcommerceConsentRule, total=False):
    """How one channel's permission is read.

    | field | settings | reading |
    |---|---|---|
    | truth value, also as word | `field` | true is a yes, false is a no; `invert` for fields such as `unsubscribed` |
    | word | `field`, `granted`, `denied`, `pending` | the word's list; a word in none is unknown |
    | list of words | `field`, `member` | containing `member` (default: the channel's name) is a yes, not containing it a no |
    | instants | `granted_at_field`, `denied_at_field` | the newer one counts, with its time; a tie is a no |

    An absent or empty field is no entry at all: absence is never a yes and never a no.
    """

    at_field: str | None
    """Field with the instant the state was set. Without it the consent has no time, because the time of the last change of
    the customer says nothing about it; subscribers and orders have their own.
    """
    denied: list[str]
    """Words that mean no."""
    denied_at_field: str | None
    """Field with the instant of a no."""
    evidence_field: str | None
    """Field with the proof, such as the version of the text."""
    field: str | None
    """Field with the state."""
    granted: list[str]
    """Words that mean yes."""
    granted_at_field: str | None
    """Field with the instant of a yes."""
    invert: bool
    """A true value means no. Default: false."""
    member: str | None
    """The member of a list that means yes. Default: the channel's name; for subscribers `marketing_newsletter`."""
    on: BigcommerceConsentPlace
    """Where the field is. Default: `customer`."""
    pending: list[str]
    """Words that mean asked but not confirmed."""
    source_field: str | None
    """Field that says where it was given."""


_BigcommerceFieldMappingWords = TypedDict(
    '_BigcommerceFieldMappingWords',
    {
        # Its name from here on; the same unless given.
        'as': 'str | None',
    },
    total=False,
)
"""One field to pass on."""


class BigcommerceFieldMapping(_BigcommerceFieldMappingWords, total=False):
    """One field to pass on."""

    field: str
    """Its name at the platform."""
    type: BigcommerceValueType | None
    """What to read it as; what its JSON shows unless given. The platform keeps attributes and custom fields as text,
    numbers and dates too. A value that is not of the type is left out and reported, because destinations lock a field
    to one type.
    """


class BigcommercePullConfig(TypedDict, total=False):
    """What reading from the platform needs besides `store`. A store-level or app-level API account with the read-only scopes for
    customers, orders, order transactions, products and carts is enough, with those for the inventory where `inventory` is
    set; none may change anything.
    """

    access_token: Secret
    """Access token of the API account. It has no end of its own; it dies with the account."""
    api_url: str | None
    """API host in place of the platform's, such as a test server's or a proxy's, without `/stores`."""
    checkouts: bool
    """Whether a cart that a webhook names is read as its checkout, with shipping, tax and the address of the bill. A
    checkout of somebody known tells that they went there. Default: false.
    """
    inventory: bool
    """Whether products are read with the stock of every location; also done where `locations` is set. Without it stock is
    what the variants say, which is that of the default location. Default: false.
    """
    order_parts: list[BigcommerceOrderPart]
    """Which parts of an order are read besides the order itself, its lines, addresses and fees. Each costs a call per order
    that has it. Default: all.
    """
    price_lists: bool
    """Whether products are read with the prices of the price lists, and the stream `price_records` is pulled without being
    named. Default: false.
    """
    reserve_percent: int
    """Percent of the store's quota that is left to its other apps, which share it. Default: 20."""


class _BigcommerceSourceConfig(TypedDict):
    """What is always there in `BigcommerceSourceConfig`."""

    type: Literal["bigcommerce"]


class BigcommerceSourceConfig(_BigcommerceSourceConfig, total=False):
    """BigCommerce."""

    attribute_names: dict[str, str]
    """Names of customer attributes by id, because customers carry only the id. An attribute that is not listed is named by
    its id.
    """
    attributes: list[BigcommerceFieldMapping]
    """Custom fields of products, options of variants and lines to pass on."""
    brands: dict[str, str]
    """Names of brands by id, because products carry only the id."""
    cart_url: str | None
    """Page that brings a shopper back to a cart: `{id}`, `{locale}`, `{language}`, `{country}`, `{store}`."""
    category_url: str | None
    """Category page, where it is not `site_url` and the category's own path: `{slug}`, `{id}`, `{locale}`, `{language}`,
    `{country}`, `{store}`.
    """
    channel: str | None
    """Channel id of the price list to pick prices of."""
    consents: list[BigcommerceConsentRule]
    """Where permission is kept besides the newsletter subscribers, whose `marketing_newsletter` is the e-mail consent unless
    a rule with `"on": "subscriber"` is given.
    """
    contact_fields: list[BigcommerceFieldMapping]
    """Attributes, form fields, metafields (`namespace.key`) and own fields of customers to pass on."""
    country: str | None
    """Country (ISO 3166-1 alpha-2) of phone numbers that have none."""
    currency: Currency | None
    """Default currency of the store (ISO 4217): catalogue prices are in it and do not say so. None: the catalogue has no
    prices.
    """
    customer_group: str | None
    """Customer group id of the price list to pick prices of."""
    customer_groups: dict[str, str]
    """Names of customer groups by id. A group that is not listed is named by its id."""
    locale: str | None
    """Locale (BCP 47) where the order or cart has none, and of the catalogue."""
    locations: list[str]
    """Locations whose stock counts, id or code. Empty: all that are enabled."""
    not_placed: list[int]
    """Order statuses that are not yet an order placed. Default: `[0]`, incomplete. Shops that capture payment later may add
    1 (pending) and 7 (awaiting payment).
    """
    order_fields: list[BigcommerceFieldMapping]
    """Form fields of the billing address, metafields (`namespace.key`) and own fields of orders to pass on."""
    order_url: str | None
    """Order page: `{id}`, `{number}`, `{locale}`, `{language}`, `{country}`, `{store}`."""
    phone_field: str | None
    """Attribute, form field or metafield of the customer that holds the phone number. Without it, or where it is empty, the
    number comes from the customer, then from the first address with one.
    """
    product_url: str | None
    """Product page, where it is not `site_url` and the product's own path: `{slug}`, `{sku}`, `{id}`, `{locale}`,
    `{language}`, `{country}`, `{store}`. A page whose value for a place is missing has no address.
    """
    pull: BigcommercePullConfig | None
    """How the platform itself is read. Only pulling, and fetching what webhooks name, need it."""
    site_url: str | None
    """Address of the storefront, put in front of the relative addresses of products and categories."""
    store: str
    """Store hash, as in the API's address: the tenant of all records. A webhook that names its store overrules it."""
    test_orders: bool
    """Whether orders paid with a test transaction count. Default: false, they are ignored by name."""
    tracking_urls: dict[str, str]
    """Tracking page by carrier, in any case: `{tracking}`. Used where the shipment has no link of its own."""
    untouched_subscriber: BigcommerceUntouched
    """What a newsletter subscriber without consents means who never changed since the row was made. Default: `unknown`,
    because the checkout makes such rows for shoppers who ticked nothing.
    """
    webhooks: BigcommerceWebhookConfig
    """How webhooks are verified. Without any secret none is accepted."""


class BigcommerceWebhookConfig(TypedDict, total=False):
    """How webhooks are verified. The platform's documents and its partners' disagree on signatures, so the scheme is a setting;
    a token of one's own in a header works with every account.
    """

    client_secret: Secret
    """Client secret of the API account: the key of signatures."""
    max_age_s: int
    """Seconds that the event itself (`created_at`) may be old, because calls that failed are repeated for two days.
    Default: 259200, three days; 0 for no limit.
    """
    scheme: BigcommerceWebhookScheme
    """The scheme. Default: `auto`."""
    signature_header: str
    """Header of the `body` scheme. Default: `x-bc-signature`."""
    token: Secret
    """The value that header was given when the hook was made."""
    token_header: str
    """Header that carries `token`. Default: `x-webhook-token`."""
    tolerance_s: int
    """Seconds that the time of a Standard Webhooks signature may be off, either way. Default: 300."""


class BooleanAttributeValue(TypedDict):
    """A truth value."""

    type: Literal["boolean"]
    value: bool


class CallOptions(TypedDict, total=False):
    """Options of one call that takes data: `plan`, `deliver`, `accept`."""

    correlation_id: str | None
    """Correlation id of the transport, such as a response header."""
    format: Format
    """How rows are laid out."""
    mode: Mode | None
    """Whether journeys may start; the `Sync`'s setting unless given."""
    resource: str | None
    """What the bytes are, for documents that do not say; `signal` for storefront signals."""
    run: str | None
    """The run this belongs to, from `start_run`; a call without one is a run of its own."""


class _Cart(TypedDict):
    """What is always there in `Cart`."""

    id: str
    """Id at the source."""
    state: CartState
    """Where it is in its life."""
    totals: Totals
    """Sums."""


class Cart(_Cart, total=False):
    """A cart as it stands now: always the whole, never a change to it."""

    attributes: dict[str, AttributeValue]
    """Configured custom fields."""
    billing_address: Address | None
    """Where the bill would go."""
    coupons: list[Coupon]
    """Codes that were typed in and apply."""
    created_at: str | None
    """When it was made."""
    discounts: list[Discount]
    """Discounts on the cart as a whole, not contained in the lines."""
    gift_certificates: list[GiftCertificate]
    """Gift certificates put against the total."""
    key: str | None
    """The merchant's key."""
    last_activity_at: str | None
    """When the shopper last touched a line, where the source tells."""
    lines: list[LineItem]
    """What is in it."""
    shipping: list[ShippingCharge]
    """Cost of shipping, once chosen."""
    shipping_address: Address | None
    """Where the parcel would go."""
    updated_at: str | None
    """When it last changed, for whatever reason."""
    url: str | None
    """Address that brings the shopper back to it, from the configured template."""


class CartBody(Cart):
    """A cart, as it stands now."""

    type: Literal["cart"]


class _Category(TypedDict):
    """What is always there in `Category`."""

    id: str
    """Id at the source."""


class Category(_Category, total=False):
    """A category as shown now."""

    ancestors: list[CategoryRef]
    """Ids from the root down to the one above."""
    attributes: dict[str, AttributeValue]
    """Configured custom fields."""
    created_at: str | None
    """When it was made."""
    description: str | None
    """Description in the market's locale."""
    key: str | None
    """The merchant's key."""
    name: str | None
    """Name in the market's locale."""
    order_hint: str | None
    """Position among its siblings, in the source's form."""
    parent_id: str | None
    """Id of the category above."""
    slug: str | None
    """URL part in the market's locale."""
    updated_at: str | None
    """When it last changed."""
    url: str | None
    """Address of the category page."""


class CategoryBody(Category):
    """A category, as shown now."""

    type: Literal["category"]


class CategoryDeleted(TypedDict):
    """A category is gone."""

    id: str
    """Id at the source."""


class CategoryDeletedBody(CategoryDeleted):
    """A category that is gone."""

    type: Literal["category_deleted"]


class _CategoryRef(TypedDict):
    """What is always there in `CategoryRef`."""

    id: str
    """Id at the source."""


class CategoryRef(_CategoryRef, total=False):
    """A category by reference."""

    path: list[str]
    """Names from the root to this one, in the market's locale, where known."""


class CheckReport(TypedDict):
    """Answer of `check`."""

    backfill_notice: str
    """What to know before a backfill."""
    destinations: dict[str, DestinationCheck]
    """The same for each destination, by name."""
    message: str
    """What it means."""
    ok: bool
    """Whether the credentials work, at every destination."""
    status: int
    """HTTP status of the answer, of several the first that is not well; 0 for none."""


class _CommercetoolsConsentRule(TypedDict):
    """What is always there in `CommercetoolsConsentRule`."""

    channel: Channel
    """The channel: `email`, `sms`, `push`, `whatsapp`, `post`, or a word of your own."""


class CommercetoolsConsentRule(_CommercetoolsConsentRule, total=False):
    """How one channel's permission is read from custom fields.

    | custom field | settings | reading |
    |---|---|---|
    | Boolean | `field` | true is a yes, false is a no; `invert` for fields such as `unsubscribed` |
    | Enum, String | `field`, `granted`, `denied`, `pending` | the word's list; a word in none is unknown |
    | Set of Enum or String | `field`, `member` | containing `member` (default: the channel's name) is a yes, not containing it a no |
    | `DateTime` | `granted_at_field`, `denied_at_field` | the newer one counts, with its time; a tie is a no |
    | none: a customer group | `group` | being in it is a yes; not being in it says nothing |

    An absent field is no entry at all, unless `absent` says that it is a no. It is never a yes.
    """

    absent: CommercetoolsAbsentConsent
    """What it means when nothing of the above is there. Default: `unknown`."""
    at_field: str | None
    """Field with the instant the state was set. The platform keeps none; without it the consent has no time, because the
    time of the last change of the resource says nothing about it.
    """
    denied: list[str]
    """Words that mean no."""
    denied_at_field: str | None
    """Field with the instant of a no."""
    evidence_field: str | None
    """Field with the proof, such as an IP address or the version of the text."""
    field: str | None
    """Field with the state."""
    granted: list[str]
    """Words that mean yes."""
    granted_at_field: str | None
    """Field with the instant of a yes."""
    group: str | None
    """Id or key of the customer group whose members said yes. Only on the customer."""
    invert: bool
    """A true value means no. Default: false."""
    member: str | None
    """The member of a set that means yes. Default: the channel's name."""
    on: CommercetoolsConsentPlace
    """Where the field is. Default: `customer`."""
    pending: list[str]
    """Words that mean asked but not confirmed."""
    source_field: str | None
    """Field that says where it was given."""


_CommercetoolsFieldMappingWords = TypedDict(
    '_CommercetoolsFieldMappingWords',
    {
        # Its name from here on; the same unless given.
        'as': 'str | None',
    },
    total=False,
)
"""One custom field or attribute to pass on."""


class CommercetoolsFieldMapping(_CommercetoolsFieldMappingWords, total=False):
    """One custom field or attribute to pass on."""

    field: str
    """Its name at the platform."""
    type: CommercetoolsValueType | None
    """What to read it as; what its JSON shows unless given. A value that is not of the type is left out and reported,
    because destinations lock a field to one type.
    """


class CommercetoolsPullConfig(TypedDict, total=False):
    """What reading from the platform needs besides the project. An API client with the scopes `view_customers`, `view_orders`,
    `view_payments`, `view_published_products`, `view_products`, `view_categories` and, for the streams of these names,
    `view_standalone_prices`, `view_discount_codes`, `view_shopping_lists`, `view_recurring_orders` is enough, with
    `view_order_edits` where edits are heard of; none may change anything.
    """

    abandoned_after_minutes: int | None
    """Minutes without a change after which an active cart counts as left alone. Without it the stream `abandoned_carts` is
    pulled only when named, with 60 minutes.
    """
    api_url: str | None
    """API host in place of the region's, such as a test server's."""
    auth_url: str | None
    """Token host in place of the region's, without the path."""
    client_id: str
    """Id of the API client."""
    client_secret: Secret
    """Its secret."""
    region: str | None
    """Region of the project: `us-central1.gcp`, `us-east-2.aws`, `europe-west1.gcp`, `eu-central-1.aws`,
    `australia-southeast1.gcp`, or a newer one.
    """
    scopes: list[str]
    """Scopes to ask for, such as `view_orders:demo`; all that the API client has unless given."""
    store: str | None
    """Key of the store to read from, where the API client may see no more than that. Payments, stock, categories and
    stand-alone prices have no store and are read from the project.
    """


class _CommercetoolsSourceConfig(TypedDict):
    """What is always there in `CommercetoolsSourceConfig`."""

    type: Literal["commercetools"]


class CommercetoolsSourceConfig(_CommercetoolsSourceConfig, total=False):
    """commercetools Composable Commerce."""

    attributes: list[CommercetoolsFieldMapping]
    """Attributes of products and variants to pass on, also on lines."""
    brand_attribute: str | None
    """Attribute that holds the brand."""
    cart_fields: list[CommercetoolsFieldMapping]
    """Custom fields of carts to pass on."""
    cart_url: str | None
    """Page that brings a shopper back to a cart: `{id}`, `{key}`, `{locale}`, `{language}`, `{country}`, `{store}`."""
    category_fields: list[CommercetoolsFieldMapping]
    """Custom fields of categories to pass on."""
    category_url: str | None
    """Category page: `{slug}`, `{id}`, `{key}`, `{locale}`, `{language}`, `{country}`, `{store}`."""
    channel: str | None
    """Channel id or key of the price and the stock to pick."""
    chargebacks_as_refunds: bool
    """Whether a chargeback that succeeded counts as a refund, with the reason `chargeback`. Default: false, because nobody is
    to be told kindly of money they took back themselves.
    """
    consents: list[CommercetoolsConsentRule]
    """Where permission is kept. The platform has no field of its own for it, so nothing is a consent that is not named here."""
    contact_fields: list[CommercetoolsFieldMapping]
    """Custom fields of customers to pass on."""
    country: str | None
    """Country (ISO 3166-1 alpha-2) of the price to pick."""
    currency: Currency | None
    """Currency (ISO 4217) of the price to pick where the catalogue was read without price parameters. None: no price is
    picked, all prices are listed.
    """
    customer_group: str | None
    """Customer group id or key of the price to pick."""
    delivery_fields: list[CommercetoolsFieldMapping]
    """Custom fields of deliveries to pass on with their shipments."""
    fallback_locales: list[str]
    """Locales to try, in order, where a text has none of the wanted one."""
    line_fields: list[CommercetoolsFieldMapping]
    """Custom fields of lines and custom lines to pass on."""
    locale: str | None
    """Locale (BCP 47) of texts where the cart, order or customer has none, and of the catalogue."""
    order_fields: list[CommercetoolsFieldMapping]
    """Custom fields of orders to pass on."""
    order_url: str | None
    """Order page: `{id}`, `{number}`, `{locale}`, `{language}`, `{country}`, `{store}`."""
    phone_field: str | None
    """Custom field of the customer that holds the phone number. Without it, or where it is empty, the number comes from
    the default shipping address, the default billing address, or the first address with one.
    """
    product_url: str | None
    """Product page: `{slug}`, `{sku}`, `{id}`, `{key}`, `{locale}`, `{language}`, `{country}`, `{store}`. A page whose
    value for a place is missing has no address.
    """
    project: str
    """Project key: the tenant of all records. A message that names its project overrules it."""
    pull: CommercetoolsPullConfig | None
    """How the platform itself is read. Only pulling, and fetching what messages name, need it."""
    shopping_list_fields: list[CommercetoolsFieldMapping]
    """Custom fields of shopping lists to pass on with their events."""
    tracking_urls: dict[str, str]
    """Tracking page by carrier, in any case: `{tracking}`."""


class _Consent(TypedDict):
    """What is always there in `Consent`."""

    channel: Channel
    """The channel."""
    status: ConsentStatus
    """What was said."""


class Consent(_Consent, total=False):
    """Permission for one channel, with what proves it."""

    at: str | None
    """When it was said. Without a time a yes never outweighs an earlier no."""
    evidence: str | None
    """What proves it: text version, IP, double opt-in id."""
    source: str | None
    """Where it was said, such as `checkout` or `footer-form`."""


class ConsentConfig(TypedDict, total=False):
    """How consent is weighed."""

    require_channel: Channel | None
    """The channel that `require_for` asks about; `email` unless given."""
    require_for: list[str]
    """Record kinds that are only sent to people whose consent for `require_channel` is granted, such as
    `["cart", "event"]`. Contacts cannot be listed: a person must be known to be left alone.
    """
    rule: ConsentRule
    """Who is right when the shop and what is remembered differ."""


class Contact(TypedDict, total=False):
    """A person known to the shop. How to reach and recognise them is in the envelope's `Identity`."""

    addresses: list[Address]
    """Known addresses."""
    attributes: dict[str, AttributeValue]
    """Configured custom fields."""
    company: str | None
    """Company the person buys for."""
    consents: list[Consent]
    """Permission per channel. A channel that is not listed is unknown, and unknown is never sent as a yes."""
    created_at: str | None
    """When the account was made."""
    customer_number: str | None
    """Number the shop prints on letters."""
    date_of_birth: str | None
    """Date of birth."""
    email_verified: bool | None
    """Whether the person proved to own the address. Not consent."""
    first_name: str | None
    """Given name."""
    gender: str | None
    """Gender in the source's word."""
    groups: list[str]
    """Keys of the customer groups, the first one leading."""
    last_name: str | None
    """Family name."""
    middle_name: str | None
    """Middle name."""
    salutation: str | None
    """Form of address, such as `Ms`."""
    stores: list[str]
    """Keys of the stores the account is limited to; empty is everywhere."""
    timezone: str | None
    """IANA time zone."""
    title: str | None
    """Academic or job title, such as `Dr.`."""
    updated_at: str | None
    """When the account last changed."""
    vat_id: str | None
    """VAT number."""


class ContactBody(Contact):
    """A person, as known now."""

    type: Literal["contact"]


class ContactDeleted(TypedDict):
    """A person was deleted at the source."""

    erase: bool
    """Whether the deletion is an erasure in the sense of data protection law: the destination must forget, not only
    stop using.
    """


class ContactDeletedBody(ContactDeleted):
    """A person who is gone."""

    type: Literal["contact_deleted"]


class CordialAsynchronous(TypedDict, total=False):
    """Settings of the Asynchronous API."""

    base_url: str | None
    """Base URL instead of the region's. Default: none. As `base_url`."""
    event_member: str
    """Member that holds the event, used with `events`. Default `contactActivity`."""
    events: bool
    """Whether live events go this way too. Default false: the names of an event's members are not published, and a wrong one is
    not answered.
    """
    merge_allowed: bool
    """Whether two contacts that share a key may be merged by Cordial. Default false."""
    source: str
    """What Cordial is told the data comes from. Default `cartwire`."""


class _CordialAttribute(TypedDict):
    """What is always there in `CordialAttribute`."""

    key: str
    """Its key, in the account's spelling: `First_Name` is not `first_name`."""


class CordialAttribute(_CordialAttribute, total=False):
    """An attribute of the account."""

    index: bool
    """Whether it is made with an index, which audiences need; used with `unknown_attributes: create`. Default false."""
    max: int | None
    """Most characters of a `string`, most entries of an `array`. Default: Cordial's own, 128 and 25."""
    type: CordialAttributeType
    """Its type. Default `string`."""


class _CordialDestinationConfig(TypedDict):
    """What is always there in `CordialDestinationConfig`."""

    type: Literal["cordial"]


class CordialDestinationConfig(_CordialDestinationConfig, total=False):
    """Cordial."""

    api: CordialApi
    """Which interface carries live contacts. Default `rest`, which answers for each record."""
    api_key: Secret
    """API key of the account. Default: empty, enough for building requests, not for sending them. The key must allow the
    address this library calls from, and the calls it makes.
    """
    asynchronous: CordialAsynchronous
    """Settings of the Asynchronous API, used with `api: async`."""
    attributes: dict[str, CordialAttribute]
    """What is sent of a contact: canonical field or custom field → attribute of the account. Default: none. Attributes must
    exist at Cordial, spelled exactly so, unless `unknown_attributes` is `create`.
    """
    backfill_events: CordialBackfilled
    """Whether a backfill sends events. Default `withhold`: events cannot be sent quietly."""
    backfill_grants: CordialBackfilled
    """Whether a backfill subscribes people. Default `withhold`. A no is always sent."""
    base_url: str | None
    """Base URL of the REST API instead of the region's, such as `http://127.0.0.1:8080` for a test server. Default: none.
    `https`, or `http` to this machine; no path.
    """
    cart_events: bool
    """Whether a change of the cart is also told as the event `cart_updated`; writing a cart starts nothing. Default false."""
    cart_write: CordialCartWrite
    """Which call writes a cart. Default `post`."""
    category_name: CordialCategoryName
    """Which name stands as the one category Cordial has room for. Default `leaf`."""
    channels: dict[str, str]
    """Keys of the account's channels by canonical channel. Default `{"email": "email"}`. A channel that is not here gets
    neither address nor permission.
    """
    clear_ordered_carts: bool
    """Whether a cart that became an order is emptied at Cordial. Default true: that Cordial does so itself is not published."""
    cleared: CordialCleared
    """What is sent for a field that was there before and is gone. Default `keep`: nothing. That Cordial clears on `null`
    is not published for this API.
    """
    contact_deleted: CordialContactDeletion
    """What a deletion that is not an erasure does. Default `keep`."""
    contacts_without_email: bool
    """Whether contacts without an e-mail are sent. Default false, they are refused: Cordial's document requires an address, though
    its help centre speaks of contacts with a phone number only.
    """
    customer_id_attribute: str | None
    """Key of the account's attribute that holds the shop's customer id. Default: none, and the id stands in orders and carts
    only.
    """
    default_category: str
    """Category of items and products that have none; Cordial requires one. Default `uncategorized`."""
    email_change: CordialEmailChange
    """What a changed e-mail does where contacts are found by e-mail. Default `update`."""
    event_names: dict[str, str]
    """Event names at Cordial by canonical name (`order_shipped`: `fulfillment`). Default: the canonical name.
    `order_placed` is sent as the order only, unless it is named here.
    """
    id_prefix: str
    """Put before every id of a customer, order, product, shipment, refund, return, cart and event, for several shops in one
    account. Default: empty.
    """
    identify_by: list[str]
    """Keys by which contacts are found, the first one leading: `email`, the `customer_id_attribute`, or
    `channels.<key>.address`. Default: the `customer_id_attribute` if there is one, then `email`.
    """
    imports: CordialImports | None
    """Where files of a backfill are laid for Cordial to fetch. Default: none, and a backfill calls record by record."""
    item_flags: bool
    """Whether items of orders say `enabled` and `inStock`. Default true: an order writes the product too, and Cordial's
    default for both is false.
    """
    lists: dict[str, str]
    """Lists of the account that the shop owns: boolean field, `group:<key>` or `store:<key>` → list name. Default: none."""
    merge: bool
    """Whether a sign-in that joins two known people merges their contacts. Default false: Cordial must have switched merging
    on.
    """
    missing_contacts: CordialMissingContacts
    """What happens before an order, cart or event of somebody Cordial may not know. Default `create`: the contact is made,
    with no permission. Cordial refuses data about people it does not know.
    """
    order_max_age_h: int
    """Age in hours from which a live order that Cordial does not have yet is written quietly: it is history that was
    missed, not a purchase to confirm. Default 24.
    """
    region: CordialRegion
    """Where the account lives. Default `usw1`."""
    resubscribe: CordialResubscribe
    """Whether somebody who left at Cordial comes back by a yes that is provably newer than the leaving. Default `newer`."""
    sms_opt_in: CordialSmsOptIn
    """How a yes to text messages is sent. Default `double`: Cordial asks the person by text, who must reply."""
    sms_plus: bool
    """Whether phone numbers keep their plus sign. Default false: Cordial shows them without."""
    supplements: CordialSupplements
    """Keys of the supplements that hold what Cordial has no place for. Default: none."""
    taken_back: CordialTakenBack
    """What becomes of units that were cancelled or paid back. Default `remove`: Cordial computes revenue from the items."""
    triggers: CordialTriggers
    """Which live writes may start automations. Nothing of a backfill ever does."""
    unknown_attributes: CordialUnknownAttributes
    """What happens when Cordial does not know an attribute or list. Default `drop`."""
    verify_attributes: bool
    """Whether the account's attributes are read before every write of a contact, and a contact with an unknown one is refused
    then, or the attribute made first with `unknown_attributes: create`. Default false: they are compared by the credential
    check, and an unknown one is found when Cordial refuses it. The Asynchronous API never refuses one.
    """


class _CordialImports(TypedDict):
    """What is always there in `CordialImports`."""

    source: dict[str, Secret]
    """How Cordial fetches the file: the members of `source` as Cordial names them, with `{file}` for the file's name, such as
    `{"transport": "HTTPS", "url": "https://files.example.com/in/{file}"}`.
    """
    upload_url: str
    """Address below which each file is laid by `PUT`. `https`, or `http` to this machine."""


class CordialImports(_CordialImports, total=False):
    """Where files of a backfill are laid for Cordial to fetch."""

    authorization: Secret
    """Value of the `Authorization` header of that `PUT`. Default: none."""
    create_contacts: bool
    """Whether contacts that Cordial does not know are made. Default true."""
    poll_s: int
    """Seconds between two questions after a job. Default 15."""


class CordialSupplements(TypedDict, total=False):
    """Keys of the supplements."""

    categories: str | None
    """Of categories. Default: none, categories are skipped."""
    refunds: str | None
    """Of refunds. Default: none."""
    returns: str | None
    """Of returns. Default: none."""
    shipments: str | None
    """Of shipments. Default: none."""


class CordialTriggers(TypedDict, total=False):
    """Which live writes may start automations."""

    contacts: bool
    """Contacts whose attributes changed. Default true."""
    order_updates: bool
    """Orders that changed. Default false: the events tell of it."""
    orders: bool
    """New orders. Default true."""
    supplements: bool
    """Supplement records. Default false: the events tell of the same."""


class Coupon(TypedDict, total=False):
    """A code that was typed in and applies."""

    amount: Money | None
    """What it took off, where the source tells."""
    code: str | None
    """The code's text; absent when the source tells only its id."""
    id: str | None
    """The source's id."""


class DateAttributeValue(TypedDict):
    """A calendar date without a time."""

    type: Literal["date"]
    value: str


class DateTimeAttributeValue(TypedDict):
    """An instant."""

    type: Literal["date_time"]
    value: str


class DecimalAttributeValue(TypedDict):
    """A number with a fraction, as a decimal string."""

    type: Literal["decimal"]
    value: str


class DestinationCheck(TypedDict):
    """Whether one destination takes its credentials."""

    backfill_notice: str
    """What to know before a backfill."""
    message: str
    """What it means."""
    ok: bool
    """Whether the credentials work."""
    status: int
    """HTTP status of the answer; 0 for none."""


class _DestinationReport(TypedDict):
    """What is always there in `DestinationReport`."""

    counts: RunCounts
    """Rows by how they ended there."""
    endpoints: dict[str, EndpointCounts]
    """What happened on each endpoint."""
    in_jobs: int
    """Operations that an asynchronous job there holds."""
    skipped_by_reason: dict[str, int]
    """Skips by reason."""
    warnings: dict[str, int]
    """What the destination remarked without refusing anything, by text."""


class DestinationReport(_DestinationReport, total=False):
    """What a run did at one destination."""

    stopped: str | None
    """Why delivery to it stopped before its end; the outbox holds the rest."""


class _Discount(TypedDict):
    """What is always there in `Discount`."""

    amount: Money
    """What it took off, as a positive amount: for the whole line, not per unit."""
    kind: DiscountKind
    """What kind it is."""


class Discount(_Discount, total=False):
    """Something taken off."""

    code: str | None
    """The code that was typed in."""
    id: str | None
    """The source's id of the rule."""
    name: str | None
    """Name of the rule."""


class DotdigitalCollections(TypedDict, total=False):
    """Names of the insight data collections; an empty name leaves the records out."""

    carts: str
    """Carts, of type `cartInsight`. Default `CartInsight`."""
    categories: str
    """Categories, a custom collection of the account: the shape of Dotdigital's own type is not published. Default: empty."""
    orders: str
    """Orders, of type `orders`. Default `Orders`."""
    products: str
    """Products, of type `catalog`; the name starts with `Catalog_`. Default `Catalog_Default`."""
    refunds: str
    """Refunds, a custom collection. Default `Refunds`."""
    returns: str
    """Returns, a custom collection. Default `Returns`."""
    shipments: str
    """Shipments, a custom collection. Default `Shipments`."""


class DotdigitalConsentTarget(TypedDict, total=False):
    """What is written beside a permission."""

    lists: list[int]
    """Lists that a yes puts people on; a no leaves them alone. Default: none."""
    preference: int | None
    """Id of the marketing preference that is set to the answer. Default: none."""
    record: bool
    """Whether a yes is proved by a consent record. It needs the text, page, IP address and user agent; where one is
    missing no record is written. Default false.
    """
    text: str | None
    """Wording people agreed to, for consent records. Default: none; then the evidence must hold it."""
    url: str | None
    """Page they agreed on, for consent records. Default: none; then the evidence must hold it."""


class _DotdigitalDestinationConfig(TypedDict):
    """What is always there in `DotdigitalDestinationConfig`."""

    type: Literal["dotdigital"]


class DotdigitalDestinationConfig(_DotdigitalDestinationConfig, total=False):
    """Dotdigital."""

    backfill_contacts: DotdigitalContactWrite
    """Which calls carry contacts in a backfill. Default `read_first`."""
    backfill_events: DotdigitalBackfilled
    """Whether a backfill sends behavioural events. Default `withhold`: programs can start on them."""
    backfill_grants: DotdigitalBackfilled
    """Whether a backfill subscribes people. Default `withhold`: a subscription can start a welcome program. A no is always
    sent. What was withheld can be sent later.
    """
    backfill_lists: DotdigitalBackfilled
    """Whether a backfill puts people on lists. Default `withhold`: joining a list can start a program."""
    backfill_orders: DotdigitalBackfilledOrders
    """Whether a backfill sends orders, refunds, returns and shipments. Default `send`."""
    base_url: str | None
    """Base URL to use instead of the region's, such as `http://127.0.0.1:8080` for a test server. Default: none.
    `https`, or `http` to this machine; no path.
    """
    cancelled_orders: DotdigitalCancelled
    """What a cancelled order becomes. Default `delete`, as the vendor's own connectors do."""
    catalog_layout: DotdigitalCatalogLayout
    """What one catalog record is. Default `product`."""
    challenge_locale: str | None
    """Locale of the mail that asks, such as `en-EN`. Default: the account's."""
    challenge_url: str | None
    """Where people land after they were asked. Default: Dotdigital's page."""
    collections: DotdigitalCollections
    """Names of the insight data collections."""
    consent: dict[str, DotdigitalConsentTarget]
    """What is written beside a permission, per channel (`email`, `sms`, `whatsapp`). Default: nothing."""
    contact_deleted: DotdigitalContactDeletion
    """What a deletion that is not an erasure does. Default `keep`: the contact stays."""
    customer_identifier: str | None
    """Name of the custom identifier that holds the shop's customer id, such as `shopCustomerId`; it must be defined in the
    account. With it a customer stays one contact when the e-mail changes. Default: none, people are found by e-mail.
    """
    data_fields: dict[str, str]
    """Data field per canonical name (`loyalty_tier`: `TIER`), for attributes and for the standard ones; an empty name
    leaves one out. Default: attributes under their own names in capitals, standard ones as in the field map.
    """
    define_fields: DotdigitalDefine
    """Whether data fields the account does not know are made. Default `create`."""
    delete_write: DotdigitalDeleteWrite
    """Which call deletes contacts. Default `single`."""
    erase: DotdigitalErase
    """What an erasure does. Default `delete_all`."""
    event_names: dict[str, str]
    """Collection or event type per canonical event name; an empty name leaves the event out. Default: the canonical name
    in camel case, for collections with a capital.
    """
    events: DotdigitalEvents
    """How behavioural events are sent. Default `collections`."""
    group_lists: dict[str, int]
    """List per customer group: who is in the group is on the list, who leaves it is taken off. Default: none."""
    import_grants: bool
    """Whether an import may subscribe people, unseen, because nobody can have left this account yet. Default false: a yes
    is only written after reading the contact.
    """
    insight_write: DotdigitalInsightWrite
    """Which calls carry insight data. Default `auto`: one by one live, imports in a backfill."""
    merge_option: DotdigitalMergeOption
    """How stored data fields and sent ones are weighed. Default `overwrite`, which also clears fields that are gone."""
    opt_in_type: DotdigitalOptInType | None
    """Opt-in type written with a yes. Default: none, which leaves it as it is. `verified_double` makes Dotdigital send a
    confirmation mail.
    """
    order_key: DotdigitalOrderKey
    """What orders are known by. Default `id`."""
    order_spelling: DotdigitalSpelling
    """How the order's members are spelled. Default `camel`, as the vendor's own current connectors do. A collection that
    holds orders already must be written as it was.
    """
    order_total: DotdigitalOrderTotal
    """What `orderTotal` is. Default `net`: less what was refunded."""
    password: Secret
    """Password of the API user. Default: empty."""
    programs: dict[str, int]
    """Program to enrol people in, per canonical event name, such as `cart_abandoned`: 3120. Never in a backfill. Default: none."""
    region: DotdigitalRegion
    """Where the account lives. Default `r1`. `check` asks the account itself and says when it is another one."""
    resubscribe: DotdigitalResubscribe
    """How someone who left comes back when a provably newer yes is known. Default `challenge`: Dotdigital asks them by
    mail.
    """
    unasked_field: str | None
    """Data field that marks contacts created without a permission, so that a later yes is not taken for a comeback.
    Default `CW_UNASKED`; an empty text does without it.
    """
    unasked_yes: DotdigitalUnaskedYes
    """How a yes of someone who bears that mark is written. Default `ask`: Dotdigital asks them by mail, because whoever
    leaves what they never joined may leave no trace.
    """
    unknown_contacts: DotdigitalUnknown
    """What happens to people Dotdigital does not know and whose permission is unknown. Default `create`: they are created
    as unsubscribed.
    """
    user: Secret
    """Name of the API user, such as `apiuser-0123456789ab@apiconnector.com`. Default: empty."""


class EndpointCounts(TypedDict):
    """What happened on one endpoint."""

    dead_lettered: int
    """Operations refused for good."""
    delivered: int
    """Operations delivered."""
    requests: int
    """HTTP requests made, retries included."""
    retries: int
    """Times an operation was put off."""
    skipped: int
    """Operations that must not be sent after all."""


class _Envelope(TypedDict):
    """What is always there in `Envelope`."""

    correlation_id: CorrelationId
    """Ties the logs, state rows and dead letters of one thing together."""
    idempotency_key: IdempotencyKey
    """Made of what happened, never of how it was heard: the same fact by webhook, queue and poll has the same key."""
    identity: Identity
    """Whom it is about."""
    market: Market
    """Where it happened."""
    mode: Mode
    """Whether journeys may start."""
    observed_at: str
    """When we heard of it."""
    occurred_at: str
    """When it happened at the source."""
    resource: ResourceRef
    """The source's own resource."""
    source: str
    """The source's name, such as `commercetools`."""
    tenant: str
    """Project key or store hash."""


class Envelope(_Envelope, total=False):
    """Whose, when, from where."""

    sequence: int | None
    """The message's sequence number within its resource."""
    version: int | None
    """The resource's version; grows with every change, not always by one."""


class _Event(TypedDict):
    """What is always there in `Event`."""

    name: EventName
    """What happened."""


class Event(_Event, total=False):
    """Something that happened, with what it was about."""

    cart_id: str | None
    """The cart it is about."""
    category_id: str | None
    """The category it is about."""
    id: str | None
    """The source's id for the event, where it has one."""
    lines: list[LineItem]
    """The lines it is about."""
    order_id: str | None
    """The order it is about."""
    order_number: str | None
    """The order's number."""
    previous: Identity | None
    """Whom the person was known as before, where the event joins or renames profiles: the old e-mail of
    `email_changed`, the anonymous id of a sign-in or sign-up.
    """
    product_id: str | None
    """The product it is about."""
    properties: dict[str, AttributeValue]
    """Everything else."""
    sku: str | None
    """The SKU it is about."""
    url: str | None
    """The page it happened on."""
    value: Money | None
    """What it is worth."""
    variant_id: str | None
    """The variant it is about."""


class EventBody(Event):
    """Something that happened."""

    type: Literal["event"]


class EventsConfig(TypedDict, total=False):
    """Whether and how events are made of orders that are read as they stand."""

    from_orders: bool
    """Whether orders are compared with what was known of them, and the difference sent as events. On unless told."""
    news_days: int
    """How long something is news, in days; 7 unless given. An order that is first seen later than that after it was
    placed, or whose last change lies longer back, starts no journeys: what is found then is history. So are parcels,
    returns, refunds and events of a source that happened longer ago.
    """
    old_orders: OldOrders
    """Which orders that are first seen so late are taken as a backfill takes them, although the call was live: with their
    purchase and whatever else a destination starts a journey on. `read` unless given.
    """


class Fetch(TypedDict):
    """A row that only names a resource."""

    position: int
    """Position of the row in the input."""
    reason: str
    """Why: the message type."""
    resource: ResourceRef
    """What to fetch."""


class Finding(TypedDict):
    """One thing that is wrong with a record."""

    code: FindingCode
    """Stable code."""
    message: str
    """One sentence with the figures; never the value of a personal field."""
    pointer: str
    """JSON pointer (RFC 6901): into the source row for decode findings, into the canonical record for all others."""
    severity: Severity
    """How bad it is, after policy."""


class Fix(TypedDict):
    """A corrected record for one dead letter."""

    id: int
    """The dead letter."""
    record: Record
    """What to send instead."""


class FlushOptions(TypedDict, total=False):
    """Options of `flush`."""

    timeout_s: float | None
    """Longest wait in seconds; without it until nothing waits any more."""


class _Flushed(TypedDict):
    """What is always there in `Flushed`."""

    destinations: dict[str, FlushedAt]
    """The same for each destination, by name."""
    in_jobs: int
    """Those of them that an asynchronous job at the destination holds."""
    unread: int
    """What messages only named and could not be read for so long that it was given up; a `pull` with `unread` reads it."""
    waiting: int
    """Operations that still wait."""


class Flushed(_Flushed, total=False):
    """Answer of `flush`."""

    stopped: str | None
    """Why delivery stopped before its end."""


class _FlushedAt(TypedDict):
    """What is always there in `FlushedAt`."""

    in_jobs: int
    """Those of them that an asynchronous job there holds."""
    waiting: int
    """Operations that still wait."""


class FlushedAt(_FlushedAt, total=False):
    """How one destination stands after `flush`."""

    stopped: str | None
    """Why delivery to it stopped before its end."""


class _Fulfilment(TypedDict):
    """What is always there in `Fulfilment`."""

    ordered: int
    """Units ordered."""
    status: FulfilmentStatus
    """The one word for all of that."""


class Fulfilment(_Fulfilment, total=False):
    """What became of a line's units."""

    cancelled: int
    """Units called off."""
    delivered: int
    """Units that arrived."""
    refunded: int
    """Units paid back."""
    returned: int
    """Units sent back."""
    shipped: int
    """Units sent."""


class _GiftCertificate(TypedDict):
    """What is always there in `GiftCertificate`."""

    amount: Money
    """What it paid, as a positive amount."""


class GiftCertificate(_GiftCertificate, total=False):
    """A gift certificate put against the total."""

    id: str | None
    """Id at the source; never the certificate's code, which is money."""


class Identity(TypedDict, total=False):
    """Whom a record is about. Debug shows which parts are known, never their values."""

    anonymous_id: str | None
    """The session before sign-in."""
    customer_id: str | None
    """The source's customer id."""
    email: str | None
    """E-mail, trimmed and lower-cased for matching."""
    email_original: str | None
    """E-mail as the source wrote it, where that differs."""
    external_ids: dict[str, str]
    """Ids in other systems, by name."""
    phone: str | None
    """Phone in E.164."""
    phone_original: str | None
    """Phone as the source wrote it, where that differs."""


class Ignored(TypedDict):
    """A row that is ignored by name."""

    known: bool
    """Whether this version knows the name; an unknown one is worth a look."""
    position: int
    """Position of the row in the input."""
    what: str
    """The source's name for it, such as a message type."""


class _Image(TypedDict):
    """What is always there in `Image`."""

    url: str
    """Address."""


class Image(_Image, total=False):
    """A picture."""

    label: str | None
    """Caption."""


class InsiderCatalog(TypedDict, total=False):
    """The catalog."""

    attributes: list[str]
    """Attributes of products and variants to send as `product_attributes`; they must exist in the panel. Default: none."""
    color: str | None
    """Attribute that is the colour. Default `color`."""
    currencies: list[str]
    """Further currencies whose prices are sent besides the market's. Default: none."""
    gender: str | None
    """Attribute that is the gender a product is made for. Default `gender`."""
    locales: dict[str, str]
    """Locales at Insider (`de_DE`) by the shop's (`de`). A locale with a region needs none. Also where items that are gone
    are hidden.
    """
    size: str | None
    """Attribute that is the size. Default `size`."""
    stores: bool
    """Whether the store's key is put behind the locale (`de_DE:berlin`). Default false."""
    write: InsiderCatalogWrite
    """How records are written. Default `ingest`."""


class _InsiderDestinationConfig(TypedDict):
    """What is always there in `InsiderDestinationConfig`."""

    type: Literal["insider"]


class InsiderDestinationConfig(_InsiderDestinationConfig, total=False):
    """Insider."""

    attribute_names: dict[str, str]
    """Names at Insider by canonical attribute name. Default: the name in snake case."""
    backfill_catalog: InsiderBackfilled
    """Whether a backfill writes the catalog. Default `withhold`: it can start journeys on price drops."""
    base_url: str | None
    """Base URL for all hosts, such as `http://127.0.0.1:8080` for a test server. Default: none. `https`, or `http` to this
    machine; no path.
    """
    carts: InsiderCarts
    """How carts are sent. Default `changes`."""
    catalog: InsiderCatalog
    """The catalog."""
    catalog_token: Secret | None
    """Key of the type Product Catalog. Default: none, and products are skipped."""
    categories: InsiderCategories
    """What stands in `category` and `taxonomy`, as the account is set. Default `path`."""
    consent_evidence: bool
    """Keep what a permission rests on in the custom attributes `<channel>_consent` and `<channel>_consent_at`, which must
    exist. Default false, and then a no at Insider is never lifted from here.
    """
    contact_deleted: InsiderContactDeletion
    """What a deletion that is not an erasure does. Default `keep`: the profile stays."""
    custom_attributes: dict[str, InsiderAttributeType] | None
    """Custom attributes that exist in the panel, by name there, with their types. Default: none given; then attributes of the
    record are sent as they are, and the library's own extra ones (see the page) are not.
    """
    erase: InsiderErase
    """What an erasure does. Default `delete`."""
    error_callback: Secret | None
    """Address that Insider calls when it refuses a user after it accepted the call. Default: none. `https`. What it is told there
    is not published, and this library does not read it.
    """
    event_names: dict[str, str]
    """Event names at Insider by canonical name. Default: see the page; `order_placed`, `email_changed` and
    `consent_changed` are sent by other means and as events only when they are named here.
    """
    events_with_all_identifiers: bool
    """Whether events name everything known of a person instead of the strongest identifier only. Default false: an e-mail
    typed at a checkout is not always the account's, and naming both merges the two people.
    """
    group_id_prefix: str
    """Put before order and cart ids to make `event_group_id`, for several shops in one account that count orders from one.
    Default: empty.
    """
    hosts: InsiderHosts
    """Base URLs by host, for accounts with hosts of their own."""
    identifiers: InsiderIdentifiers
    """What identifies people, as switched on in the account's identity resolution settings."""
    identity_conflict: InsiderIdentityConflict
    """What happens when the new address of a customer belongs to another profile. Default `reject`."""
    item_id: InsiderItemId
    """What `product_id` of events and `item_id` of the catalog are: what the site tags. Default `sku`."""
    left_events: dict[str, str]
    """By channel (`email`, `sms`, `whatsapp`), the event that Insider stores when somebody leaves by a link or an answer, as
    it is called in the account. A profile shows a global unsubscribe for e-mail only, so a yes for `sms` and `whatsapp` is
    written only where this tells who left; and a no is lifted only where it tells that nobody left since. Default: none.
    """
    line_events: InsiderLineEvents
    """One event per refund, return or shipment, or one per line of it. Default `one`: a journey starts once."""
    locale_attribute: str | None
    """Key of the attribute that holds the locale; the vendor's pages name `lo` and `locale`. Default `lo`; empty for none."""
    partner: str
    """Partner name, lower case, as under Account Settings. Required."""
    processing_channel: str | None
    """Channel of the consent that allows processing at all (`gdpr_optin`), such as `processing`. Default: none, never written."""
    purchase_price: InsiderPurchasePrice
    """What `unit_sale_price` of a purchase comes to. Default `after_order_discounts`."""
    purchase_tax: InsiderPurchaseTax
    """Whether prices of purchases contain tax. Default `as_priced`."""
    quiet_after_h: int | None
    """Events older than so many hours when they are heard start no journeys, whatever the mode. Default 168, a week; 0 for
    never.
    """
    resubscribe: InsiderResubscribe
    """Whether a yes newer than the no this library wrote lifts that no, and the global unsubscribe with it. Default `never`.
    Needs `consent_evidence`, `resubscribe_token` and `left_events`.
    """
    resubscribe_token: Secret | None
    """Key of the type Resubscribe. Needed by `resubscribe` only."""
    retention_days: dict[str, int]
    """Days after which Insider drops events, where the account has bought more: by endpoint, such as `events.custom`."""
    shipping_cost: InsiderShippingCost
    """On which lines of a purchase `shipping_cost` stands. Default `first_line`: it is not published whether Insider adds it
    up.
    """
    token: Secret
    """Key of the type Unified Customer Database. Default: empty, enough for building requests, not for sending them."""
    unsubscribe_by: InsiderUnsubscribeBy
    """What the e-mail unsubscribe call names: addresses, or users where the account's flow is profile based. Default
    `addresses`.
    """
    unsubscribe_token: Secret | None
    """Key of the type Global Unsubscribe. Default: none, and a no is written on the profile only."""
    unsubscribed_attribute: str | None
    """Attribute that tells of a global unsubscribe when a profile is read. Default `global_unsubscribe`; empty for none."""


class InsiderHosts(TypedDict, total=False):
    """Base URLs by host."""

    catalog: str | None
    """Catalog. Default `https://catalog.api.useinsider.com`."""
    contact: str | None
    """Subscriptions. Default `https://contact.useinsider.com`."""
    unification: str | None
    """Customer database. Default `https://unification.useinsider.com`."""


class InsiderIdentifiers(TypedDict, total=False):
    """What identifies people. What is switched off is sent as an attribute."""

    anonymous: str | None
    """Custom identifier that holds the anonymous id. Default: none, and people without any other identifier are skipped."""
    custom: dict[str, str]
    """Custom identifiers by the name of the external id, such as `loyalty: user_loyalty_id`."""
    email: bool
    """E-mail. Default true."""
    insider_id: str | None
    """External id that holds Insider's own profile id, captured by the site, such as `insider_id`. Default: none."""
    phone: bool
    """Phone in E.164. Default true."""
    uuid: bool
    """Customer id as `uuid`. Default true."""
    uuid_prefix: str
    """Put before every customer id, for several shops in one account. Default: empty."""


class IntegerAttributeValue(TypedDict):
    """A whole number."""

    type: Literal["integer"]
    value: int


class IterableCatalogs(TypedDict, total=False):
    """Names of the catalogs."""

    categories: str | None
    """Catalog of the categories. Default: none, categories are skipped."""
    create: bool
    """Whether a catalog that is missing is made, with its field types, when the first item is refused for it. Default
    false: a wrong name is an error.
    """
    field_types: dict[str, IterableFieldType]
    """Types of fields of one's own, by name, for a catalog that is made here. Default: none; the standard fields have
    theirs.
    """
    products: str | None
    """Catalog of the products. Default: none, products are skipped."""


class _IterableConsentTarget(TypedDict):
    """What is always there in `IterableConsentTarget`."""

    message_type: int
    """Id of the message type."""
    policy: IterablePolicy
    """The message type's subscription policy. No default: taking one for the other turns silence into a yes."""


class IterableConsentTarget(_IterableConsentTarget, total=False):
    """Where the permission of one channel is kept at Iterable."""

    channel: int | None
    """Id of the message channel it belongs to, so that a person who left the whole channel is never subscribed again.
    Default: none, and only the message type is looked at.
    """


class _IterableDestinationConfig(TypedDict):
    """What is always there in `IterableDestinationConfig`."""

    type: Literal["iterable"]


class IterableDestinationConfig(_IterableDestinationConfig, total=False):
    """Iterable."""

    anonymous_profiles: bool | None
    """Whether people without customer id and e-mail are sent under a `userId` made of their anonymous id. Each makes a
    profile. Default: true in a `user_id` project, false in a `hybrid` one; an `email` project cannot.
    """
    api_key: Secret
    """Server-side API key of the project. Default: empty, enough for building requests, not for sending them."""
    backfill_events: IterableBackfilled
    """Whether a backfill sends events. Default `withhold`: Iterable does not say that old ones start no journeys."""
    backfill_grants: IterableBackfilled
    """Whether a backfill subscribes people. Default `withhold`: a subscription can start a welcome journey. A no is
    always sent.
    """
    backfill_lists: IterableBackfilled
    """Whether a backfill puts people on `lists`. Default `withhold`: joining a list can start journeys. Leaving is always
    sent.
    """
    backfill_purchases: IterableBackfilled
    """Whether a backfill sends purchases. Default `withhold`: each one clears the live cart and can start journeys."""
    base_url: str | None
    """Base URL to use instead of the data centre's, such as `http://127.0.0.1:8080` for a test server. Default: none.
    `https`, or `http` to this machine; no path.
    """
    catalog_layout: IterableCatalogLayout
    """What one catalog item is. Default `product`."""
    catalog_write: IterableCatalogWrite
    """How catalog items are written. Default `patch`: fields that others keep in the item stay."""
    catalogs: IterableCatalogs
    """Names of the catalogs. Default: none, and products and categories are skipped."""
    consent: dict[str, IterableConsentTarget]
    """Where the permission of each channel (`email`, `sms`, `push`, `whatsapp`, `post`) is kept at Iterable. Default:
    none, and permission is sent only as evidence on the profile.
    """
    contact_deleted: IterableContactDeletion
    """What a deletion that is not an erasure does. Default `keep`: the profile stays."""
    create_new_fields: bool | None
    """Whether fields the project does not know are made. Default: what the project is set to."""
    data_center: IterableDataCenter
    """Where the project lives. Default `us`. A key is known in its own data centre only."""
    empty_cart: IterableEmptyCart
    """How an emptied cart is sent. Default `update_cart`, with no items."""
    erase: IterableErase
    """What an erasure does. Default `forget`: Iterable deletes the person and refuses them from then on."""
    event_names: dict[str, str]
    """Event names at Iterable by canonical name (`order_shipped`: `Order Shipped`). Default: the canonical name in
    camel case (`orderShipped`). `order_placed` is sent as a purchase only, unless it is named here.
    """
    guests: IterableGuests
    """What becomes of a guest's profile whose address a customer turns out to have. Default `merge`."""
    journeys: dict[str, int]
    """Ids of the journeys that an event starts by itself, by canonical name (`cart_abandoned`: `8814`). Never in a
    backfill. Default: none; journeys start on events at Iterable, which is safer, because events have ids.
    """
    left_types: IterableLeftTypes
    """What is done about a yes for a message type that the person is not in: the profile does not tell when an opt-out type
    was left, nor whether an opt-in one was. Default `read_events`.
    """
    lists: IterableLists
    """Static lists that follow the shop. Default: none."""
    merge_nested_objects: bool
    """Whether objects in profiles, such as the address, are merged one level deep instead of replaced. Default false."""
    prefer_user_id: bool
    """In an `email` project: send a customer without e-mail under the `userId`, for which Iterable makes up an address.
    Default false: such a record is refused.
    """
    project_type: Literal["email", "user_id", "hybrid"]
    """How the project identifies people; fixed when the project was made. Required.
    ``email``: By e-mail address.
    ``user_id``: By `userId`.
    ``hybrid``: By either; both are unique.
    """
    purchase_max_age_h: int | None
    """Oldest purchase that is sent live, in hours between the order and our hearing of it. An order from before this
    library was set up that changes now is otherwise confirmed to the customer again. Default: none, all are sent.
    """
    subscriptions: IterableSubscriptions
    """How permission is written. Default `additive`, which Iterable must have switched on for the project."""
    user_id_prefix: str
    """Put before every customer id to make the `userId`, for several shops in one project. Default: empty."""
    write: IterableWrite
    """Which endpoints carry profiles and events. Default `bulk`. Iterable keeps two separate queues for them, so one
    destination never uses both.
    """


class IterableLists(TypedDict, total=False):
    """Static lists whose members follow the shop. Whoever does not belong is taken off: the shop alone decides who is on them.
    Membership is no consent.
    """

    groups: dict[str, int]
    """List id by key of the customer group. Default: none."""
    stores: dict[str, int]
    """List id by key of a store the account is limited to. Default: none."""


class _Letter(TypedDict):
    """What is always there in `Letter`."""

    attempts: int
    """Times it was sent."""
    body: Any
    """The row as it was sent."""
    code: str
    """Our code, such as `rejected`."""
    correlation_id: str
    """Ties the logs together."""
    destination: str
    """The destination."""
    died_at: str
    """When it died."""
    endpoint: str
    """The endpoint."""
    id: int
    """Id, stable until it is replayed or discarded."""
    idempotency_key: str
    """Same key, same effect; a replay keeps it."""
    message: str
    """One sentence."""
    position: int
    """Position of its row in that run's input."""
    record: Record
    """The canonical record; correct it and give it to `replay`."""
    response: str
    """The answer's body, redacted and cut."""
    status: int
    """HTTP status; 0 when there was no answer."""
    vendor_code: str
    """The vendor's code."""


class Letter(_Letter, total=False):
    """A dead letter as shown to people and programs."""

    run: str | None
    """The run that accepted it."""


class LetterFilter(TypedDict, total=False):
    """Which dead letters."""

    code: str | None
    """Only with this error code, such as `rejected`."""
    destination: str | None
    """Only of this destination."""
    endpoint: str | None
    """Only of this endpoint, such as `users.bulkUpdate`."""
    ids: list[int] | None
    """Only these ids."""
    limit: int | None
    """At most so many; 1,000 unless told."""
    run: str | None
    """Only of this run."""


class _LineItem(TypedDict):
    """What is always there in `LineItem`."""

    fulfilment: Fulfilment
    """What became of the units."""
    id: str
    """Id at the source, stable over the order's life."""
    kind: LineKind
    """What it is."""
    quantity: int
    """How many."""
    total: Money
    """What the line costs: after its own discounts, before discounts on the whole. Exact."""
    unit_list_price: Money
    """Price of one unit before anything was taken off."""
    unit_price: Money
    """Price of one unit after product discounts, before cart discounts. Never multiply it back into a total: split
    quantities and external totals do not allow it; `total` is exact.
    """


class LineItem(_LineItem, total=False):
    """One line of an order or cart."""

    attributes: dict[str, AttributeValue]
    """Configured attributes and custom fields."""
    brand: str | None
    """Brand, from the configured attribute or field."""
    categories: list[CategoryRef]
    """Categories, where the source tells."""
    discounts: list[Discount]
    """What cart and product discounts took off the line."""
    image_url: str | None
    """Main image."""
    name: str | None
    """Name in the market's locale."""
    parent_id: str | None
    """The bundle's line, for a part of a bundle."""
    product_id: str | None
    """Product id."""
    product_key: str | None
    """The merchant's key of the product."""
    sku: str | None
    """SKU."""
    tax: Money | None
    """Tax of the line; absent when not known."""
    tax_included: bool | None
    """Whether `total` contains the tax; absent when not known."""
    tax_rate: str | None
    """Tax rate as a fraction, such as `0.19`."""
    url: str | None
    """Product page, from the configured template."""
    variant_id: str | None
    """Variant id, unique within the product."""


class ListAttributeValue(TypedDict):
    """Several values."""

    type: Literal["list"]
    value: list[AttributeValue]


class Market(TypedDict, total=False):
    """Store, channel, country, locale, currency and customer group that a thing belongs to."""

    channel: str | None
    """Channel key or id."""
    country: str | None
    """ISO 3166-1 alpha-2."""
    currency: Currency | None
    """ISO 4217."""
    customer_group: str | None
    """Customer group key or id."""
    locale: str | None
    """BCP 47."""
    store: str | None
    """Store key."""


class Money(TypedDict):
    """An amount in one currency. On the wire `{"amount": "19.90", "currency": "EUR"}`; the amount is a decimal string and
    keeps the digits the source gave it, high precision included.
    """

    amount: str
    """Decimal string, major units."""
    currency: Currency
    """ISO 4217 code."""


class MoneyAttributeValue(TypedDict):
    """An amount of money."""

    type: Literal["money"]
    value: Money


class Normalized(TypedDict):
    """Answer of `normalize`: every input row is in exactly one of the lists (in `records` perhaps several times)."""

    fetches: list[Fetch]
    """Rows that only name a resource to fetch."""
    findings: list[RecordFinding]
    """What decoding noticed."""
    ignored: list[Ignored]
    """Rows ignored by name."""
    positions: list[int]
    """Position of each record's row in the input, beside `records`."""
    records: list[Record]
    """Canonical records, in input order."""
    rejected: list[Rejection]
    """Rows that could not become a record."""


class ObjectAttributeValue(TypedDict):
    """Named values inside a value."""

    type: Literal["object"]
    value: dict[str, AttributeValue]


class _Order(TypedDict):
    """What is always there in `Order`."""

    id: str
    """Id at the source."""
    placed_at: str
    """When it was placed."""
    status: OrderStatus
    """Where it is in its life."""
    totals: Totals
    """Sums."""


class Order(_Order, total=False):
    """An order as it stands now."""

    attributes: dict[str, AttributeValue]
    """Configured custom fields."""
    billing_address: Address | None
    """Where the bill goes."""
    cart_id: str | None
    """The cart it came from."""
    coupons: list[Coupon]
    """Codes that were typed in and apply."""
    discounts: list[Discount]
    """Discounts on the order as a whole, not contained in the lines."""
    gift_certificates: list[GiftCertificate]
    """Gift certificates put against the total."""
    imported: bool
    """Whether it was loaded from an older system."""
    lines: list[LineItem]
    """What was bought."""
    number: str | None
    """Number the customer knows; may come later or never."""
    payment_methods: list[str]
    """How it was paid, in the shop's words."""
    payment_status: PaymentStatus | None
    """Where the payment is; absent where the shop does not keep it."""
    recurring: bool
    """Whether it came from a subscription schedule."""
    refunds: list[Refund]
    """Money that was given back."""
    returns: list[Return]
    """Goods that were sent back."""
    shipments: list[Shipment]
    """Parcels that were sent."""
    shipping: list[ShippingCharge]
    """Cost of shipping, one per method."""
    shipping_address: Address | None
    """Where the parcel goes."""
    shipping_status: ShippingStatus | None
    """Where the goods are; absent where the shop does not keep it."""
    taxes: list[TaxLine]
    """Tax by rate."""
    updated_at: str | None
    """When it last changed."""
    url: str | None
    """Address of the order page, from the configured template."""
    workflow_state: str | None
    """The merchant's own workflow state, key or id."""


class OrderBody(Order):
    """An order, as it stands now."""

    type: Literal["order"]


class _Parcel(TypedDict):
    """What is always there in `Parcel`."""

    id: str
    """Id at the source."""


class Parcel(_Parcel, total=False):
    """A parcel."""

    carrier: str | None
    """Carrier."""
    is_return: bool
    """Whether it goes back to the shop."""
    lines: list[ShipmentLine]
    """What is in it, where the source tells."""
    tracking_number: str | None
    """Tracking number."""
    tracking_url: str | None
    """Tracking page, from the source or the configured template of the carrier."""


class PipelineOptions(TypedDict, total=False):
    """Options of the pure operations `normalize`, `validate` and `build`, and of a `Pipeline`."""

    destination: DestinationConfig | None
    """What to build for."""
    format: Format
    """How rows are laid out."""
    max_record_bytes: int | None
    """Rows above this size are rejected unread; 16 MiB unless given."""
    mode: Mode
    """Whether journeys may start."""
    now: str | None
    """The time to count as now; the machine's clock unless given. Give it for output that never changes."""
    resource: str | None
    """What the bytes are, for documents that do not say: `customer`, `cart`, `order`, `product`, `category`; or `signal`
    for storefront signals.
    """
    source: SourceChoice | None
    """What the bytes come from. Without it, `validate` and `build` take canonical records."""
    threads: int | None
    """Threads to spread NDJSON over; 1 unless given, 0 for one per core, at most 256. The output does not depend on it."""
    validate: ValidateConfig
    """Validation policy."""


class Plan(TypedDict):
    """Answer of `build` and `plan`: what would be sent, and what would not and why."""

    fetches: list[Fetch]
    """Rows that only name a resource to fetch."""
    findings: list[RecordFinding]
    """Warnings."""
    ignored: list[Ignored]
    """Rows ignored by name."""
    rejected: list[Rejection]
    """Rows that could not become a record, or that validation refused."""
    requests: list[PlannedRequest]
    """HTTP calls, in order."""
    skipped: list[RecordSkip]
    """What would not be sent."""


class PlannedRequest(TypedDict):
    """One HTTP call that would be made, without credentials."""

    body: Any
    """Body; null for none."""
    destination: str
    """The destination."""
    endpoint: str
    """The endpoint's id in the capability table."""
    headers: dict[str, str]
    """Headers besides credentials."""
    idempotency_keys: list[str]
    """Idempotency keys of the operations it carries."""
    method: Method
    """Method."""
    path: str
    """Path and query below the base URL."""
    positions: list[int]
    """Positions of the rows it carries."""


class _Price(TypedDict):
    """What is always there in `Price`."""

    list: Money
    """List price of one unit."""


class Price(_Price, total=False):
    """A price and whom it is for."""

    channel: str | None
    """Channel key or id; absent is all."""
    country: str | None
    """ISO 3166-1 alpha-2; absent is everywhere."""
    customer_group: str | None
    """Customer group key or id; absent is everyone."""
    sale: Money | None
    """Reduced price of one unit, while a reduction runs."""
    tiers: list[PriceTier]
    """Prices for larger quantities."""
    valid_from: str | None
    """From when it counts."""
    valid_until: str | None
    """Until when it counts."""


class PriceTier(TypedDict):
    """The price from a quantity on."""

    minimum_quantity: int
    """Smallest quantity it counts for."""
    price: Money
    """Price of one unit."""


class _Product(TypedDict):
    """What is always there in `Product`."""

    id: str
    """Id at the source."""
    published: bool
    """Whether shoppers can see it."""


class Product(_Product, total=False):
    """A product as sold now, with its variants."""

    attributes: dict[str, AttributeValue]
    """Attributes of the product as a whole."""
    brand: str | None
    """Brand, from the configured attribute or field."""
    categories: list[CategoryRef]
    """Categories, the most specific first."""
    created_at: str | None
    """When it was made."""
    description: str | None
    """Description in the market's locale."""
    key: str | None
    """The merchant's key."""
    name: str | None
    """Name in the market's locale."""
    product_type: str | None
    """Product type's key or id."""
    rating_average: str | None
    """Average rating, decimal."""
    rating_count: int | None
    """Number of ratings."""
    slug: str | None
    """URL part in the market's locale."""
    updated_at: str | None
    """When it last changed."""
    url: str | None
    """Address of the product page, from the configured template."""
    variants: list[Variant]
    """Variants; the leading one first."""


class ProductBody(Product):
    """A product, as sold now."""

    type: Literal["product"]


class _ProductDeleted(TypedDict):
    """What is always there in `ProductDeleted`."""

    id: str
    """Id at the source."""


class ProductDeleted(_ProductDeleted, total=False):
    """A product is not sold any more."""

    variants: list[VariantRef]
    """Ids and SKUs of the variants that went with it, where the source tells."""


class ProductDeletedBody(ProductDeleted):
    """A product that is not sold any more."""

    type: Literal["product_deleted"]


class Progress(TypedDict):
    """How a run stands, for progress displays."""

    counts: RunCounts
    """Rows so far."""
    destinations: dict[str, RunCounts]
    """Rows so far at each destination, by name."""
    elapsed_s: float
    """Seconds since it began."""
    in_jobs: int
    """Operations that an asynchronous job at the destination holds."""
    run: str
    """The run."""


class PullOptions(TypedDict, total=False):
    """Options of `pull`."""

    limit: int | None
    """Rows per stream after which to end, at the end of a page; the next pull goes on there."""
    mode: Mode | None
    """Whether journeys may start. Unless given, the first pull of a stream is a `backfill` and every later one, or one with
    `since`, is what the `Sync` says.
    """
    run: str | None
    """The run this belongs to, from `start_run`; a call without one is a run of its own."""
    since: str | None
    """Read what changed since then, whatever was read before. Without it a stream goes on where the last pull ended, and the
    first pull reads all there is.
    """
    streams: list[str] | None
    """What to read, such as `orders`; what the source reads unless told when not given. The source's page lists them."""
    unread: bool
    """Reads again, in the background, what messages only named and could not be read for so long that it was given up. With
    no `streams` to read besides, give an empty list.
    """


class _PullReport(TypedDict):
    """What is always there in `PullReport`."""

    requests: int
    """HTTP requests made to the shop, tokens and repetitions included."""
    retries: int
    """Requests to the shop that were sent again."""
    run: RunReport
    """What became of the rows."""
    streams: dict[str, StreamReport]
    """How each stream was read, by name."""
    unread: int
    """What messages only named and could not be read for so long that it was given up."""


class PullReport(_PullReport, total=False):
    """Answer of `pull`."""

    given_up: list[Unread]
    """The first of it, at most 100."""
    stopped: str | None
    """Why the pull ended before its end; the next one goes on there."""


class Receipt(TypedDict):
    """Answer of `accept`: what is safe with us from now on."""

    accepted: int
    """Operations committed to the outbox."""
    fetches: list[Fetch]
    """Rows that only name a resource to fetch."""
    findings: list[RecordFinding]
    """Warnings."""
    ignored: list[Ignored]
    """Rows ignored by name."""
    rejected: list[Rejection]
    """Rows that could not become a record, or that validation refused."""
    run: str
    """The run."""
    skipped: list[RecordSkip]
    """What will not be sent."""


class ReceiveOptions(TypedDict, total=False):
    """Options of `receive`."""

    headers: Headers
    """Headers of the call, names in any case."""
    mode: Mode | None
    """Whether journeys may start; the `Sync`'s setting unless given."""
    verify: bool
    """Whether the call must prove that it comes from the shop, where the source's calls carry a proof. Switch it off only
    where something in front of this has done it.
    """


class Received(TypedDict):
    """Answer of `receive`: what is safe with us from now on."""

    accepted: int
    """Operations committed to the outbox."""
    duplicates: int
    """How many things the call tells of, when all of them were taken before: then nothing was done about it."""
    fetches: list[Fetch]
    """Rows that only name a resource."""
    fetching: int
    """How many of them are read from the shop now, and not forgotten until they were; 0 where the source's settings do not
    say how to read.
    """
    findings: list[RecordFinding]
    """Warnings."""
    ignored: list[Ignored]
    """Rows ignored by name."""
    rejected: list[Rejection]
    """Rows that could not become a record, or that validation refused."""
    run: str
    """The run."""
    skipped: list[RecordSkip]
    """What will not be sent."""


class _ReconcileCheck(TypedDict):
    """What is always there in `ReconcileCheck`."""

    destination: str
    """The destination, by its name."""
    endpoint: str
    """The endpoint that writes it."""
    idempotency_key: str
    """Under which it is or would be sent."""
    status: ReconcileStatus
    """What was found."""


class ReconcileCheck(_ReconcileCheck, total=False):
    """One thing that a record would write, and what the destination holds of it."""

    detail: str | None
    """One sentence more, where there is one; no personal data."""
    fields: list[str]
    """What differs, as JSON pointers into the row that is or would be sent; the empty pointer is the whole."""
    reason: ReconcileReason | None
    """Why; absent when it is equal."""
    unsent: list[str]
    """Those of them that, as far as the state knows, were not sent with this value."""


class ReconcileCounts(TypedDict):
    """Records by what was found."""

    differs: int
    """Records with something different."""
    equal: int
    """Records of which everything that can be read is as it should be."""
    missing: int
    """Records with something missing, and nothing different."""
    records: int
    """Records looked at."""
    skipped: int
    """Records of which nothing belongs there, for a reason."""
    unreadable: int
    """Records of which something could not be learnt, and nothing else is wrong."""
    unsupported: int
    """Records of which the destination shows nothing."""


class ReconcileOptions(TypedDict, total=False):
    """Options of `reconcile`."""

    destination: str | None
    """Only at this destination, by its name; at all of them unless given."""
    format: Format
    """How rows are laid out."""
    mode: Mode | None
    """In which mode the rows were sent: what a backfill withholds is not looked for. The `Sync`'s setting unless given."""
    resource: str | None
    """What the bytes are, for documents that do not say."""


class _ReconciledAt(TypedDict):
    """What is always there in `ReconciledAt`."""

    by_reason: dict[str, int]
    """Checks by reason."""
    counts: ReconcileCounts
    """Records by what was found there."""
    requests: int
    """HTTP requests made, repetitions included."""


class ReconciledAt(_ReconciledAt, total=False):
    """What was found at one destination."""

    stopped: str | None
    """Why not everything was asked for; what was not is `unreadable`."""


class ReconciledRecord(TypedDict):
    """One record and what was found of it."""

    checks: list[ReconcileCheck]
    """One for everything it would write."""
    correlation_id: str
    """Ties the logs together."""
    position: int
    """Position of its row in the input."""
    resource: ResourceRef
    """Its name at the source."""
    status: ReconcileStatus
    """The worst of its checks."""


class Reconciliation(TypedDict):
    """Answer of `reconcile`: does the destination hold what it should? It never has a value, only where values differ."""

    by_reason: dict[str, int]
    """Checks by reason."""
    counts: ReconcileCounts
    """Records at the worst of the destinations."""
    destinations: dict[str, ReconciledAt]
    """The same at each destination, by name."""
    fetches: list[Fetch]
    """Rows that only name a resource to fetch."""
    finished_at: str
    """When the last one had answered."""
    ignored: list[Ignored]
    """Rows ignored by name."""
    ok: bool
    """Whether nothing is different, missing or unreadable, and no row was rejected. What cannot be read is not counted
    against it: look at `unsupported`.
    """
    records: list[ReconciledRecord]
    """Every record that belongs somewhere, in input order."""
    rejected: list[Rejection]
    """Rows that could not become a record, or that validation refused."""
    skipped: list[RecordSkip]
    """Parts of records that do not belong there, and why."""
    started_at: str
    """When the first destination was asked."""


class Record(TypedDict):
    """One canonical thing with its envelope: an upsert, a delete or an event."""

    body: Body
    """What."""
    envelope: Envelope
    """Whose, when, from where."""


class RecordFinding(TypedDict):
    """A finding with the record it belongs to."""

    code: FindingCode
    """Stable code."""
    message: str
    """One sentence; never the value of a personal field."""
    pointer: str
    """JSON pointer."""
    position: int
    """Position of the record's row in the input."""
    severity: Severity
    """How bad it is, after policy."""


class _RecordSkip(TypedDict):
    """What is always there in `RecordSkip`."""

    detail: str
    """One sentence with what to do about it."""
    position: int
    """Position of the record's row in the input."""
    reason: SkipReason
    """Why."""


class RecordSkip(_RecordSkip, total=False):
    """Something that is not sent, and why."""

    destination: str | None
    """Which of several destinations it is not sent to; absent when to none, or when there is one only."""


class _Refund(TypedDict):
    """What is always there in `Refund`."""

    amount: Money
    """How much."""
    id: str
    """Id at the source."""
    refunded_at: str
    """When."""


class Refund(_Refund, total=False):
    """Money given back."""

    full: bool | None
    """Whether the whole order was given back; absent when not known."""
    lines: list[RefundLine]
    """Which lines, where the source tells."""
    order_id: str | None
    """The order, once known."""
    order_number: str | None
    """The order's number."""
    payment_id: str | None
    """The payment it was given back through."""
    reason: str | None
    """Why."""
    shipping: Money | None
    """The part that is shipping, where the source tells."""


class RefundBody(Refund):
    """Money given back."""

    type: Literal["refund"]


class _RefundLine(TypedDict):
    """What is always there in `RefundLine`."""

    line_id: str
    """The order's line."""
    quantity: int
    """How many."""


class RefundLine(_RefundLine, total=False):
    """Units of a line that were paid back."""

    amount: Money | None
    """How much, where the source tells."""
    name: str | None
    """Name, where the order is known."""
    sku: str | None
    """SKU, where the order is known."""


class _Rejection(TypedDict):
    """What is always there in `Rejection`."""

    findings: list[Finding]
    """Why, where, and what to do."""
    position: int
    """Position in the input: line of NDJSON, index in an array or page, 0 for a single document."""


class Rejection(_Rejection, total=False):
    """A row of the input that could not become a record. It never disappears: every input row ends as records, as
    ignored by name, or as one of these.
    """

    destination: str | None
    """Which of several destinations cannot take it; absent when it is good for none, or there is one only."""
    resource: ResourceRef | None
    """The source's id for the row where it could still be read."""


class ReplayOptions(TypedDict, total=False):
    """Options of `replay`."""

    filter: LetterFilter
    """Which dead letters."""
    fixes: list[Fix]
    """Corrected canonical records by dead letter id, in place of the ones kept."""


class ResourceRef(TypedDict):
    """The source's own name for a thing."""

    id: str
    """The source's id."""
    type: str
    """The source's word, such as `order`."""


class RetryConfig(TypedDict, total=False):
    """How failures are retried."""

    base_delay_ms: int
    """Upper bound of the first wait in milliseconds, doubled with every attempt; 500 unless told."""
    max_attempts: int
    """Most attempts per operation, the first included; 1 to 100, 6 unless told."""
    max_delay_ms: int
    """Upper bound of every wait in milliseconds; 60,000 unless told."""
    max_elapsed_s: int
    """Most seconds that failing may take per operation; 120 unless told."""
    max_retry_after_s: int
    """Longest `Retry-After` in seconds that is obeyed; longer ones are cut to it; 300 unless told."""
    throttle_floor_ms: int
    """Shortest wait in milliseconds when the destination asks to slow down; 1,000 unless told."""


class _Return(TypedDict):
    """What is always there in `Return`."""

    id: str
    """Id: the source's, or made of the order and the item ids where it has none."""
    order_id: str
    """The order."""


class Return(_Return, total=False):
    """Goods sent back."""

    items: list[ReturnItem]
    """What came back."""
    order_number: str | None
    """The order's number."""
    returned_at: str | None
    """When."""
    tracking_number: str | None
    """Tracking number of the way back."""


class ReturnBody(Return):
    """Goods sent back."""

    type: Literal["return"]


class _ReturnItem(TypedDict):
    """What is always there in `ReturnItem`."""

    id: str
    """Id at the source."""
    line_id: str
    """The order's line."""
    quantity: int
    """How many."""


class ReturnItem(_ReturnItem, total=False):
    """Units of a line that came back."""

    comment: str | None
    """What the customer said."""
    name: str | None
    """Name, where the order is known."""
    payment_state: str | None
    """Where the money is, in the source's word."""
    shipping_state: str | None
    """Where the goods are, in the source's word."""
    sku: str | None
    """SKU, where the order is known."""


class RunCounts(TypedDict):
    """Counts of a run, in rows of its input."""

    dead_lettered: int
    """Rows of which something was refused for good."""
    delivered: int
    """Rows of which everything due was taken by the destination."""
    pending: int
    """Rows of which something is still waiting."""
    rejected: int
    """Rows that could not become a record, or that validation refused."""
    rows: int
    """Rows read."""
    skipped: int
    """Rows of which nothing was sent, for a reason."""


class _RunReport(TypedDict):
    """What is always there in `RunReport`."""

    counts: RunCounts
    """Rows by how they ended, at the worst of the destinations: `pending` before `dead_lettered` before `rejected` before
    `delivered` before `skipped`.
    """
    dead_letters: list[int]
    """Ids of the first dead letters, at most 100."""
    destination: str
    """The destination; of several the names, separated by commas."""
    destinations: dict[str, DestinationReport]
    """The same at each destination, by name."""
    endpoints: dict[str, EndpointCounts]
    """What happened on each endpoint."""
    fetches: list[Fetch]
    """Resources that must be fetched to know more, at most 100."""
    findings_by_code: dict[str, int]
    """Findings by code, warnings included."""
    finished_at: str
    """When this report was made."""
    ignored: dict[str, int]
    """Rows ignored, by their name at the source."""
    in_jobs: int
    """Operations that the destination has taken as an asynchronous job and not told the end of; they are asked for again
    and not sent again.
    """
    mode: Mode
    """Whether journeys might start."""
    rejected: list[Rejection]
    """The first rows that were rejected, at most 100."""
    run: str
    """The run's id."""
    skipped: list[RecordSkip]
    """The first skips other than `duplicate`, `unchanged` and `stale`, at most 100."""
    skipped_by_reason: dict[str, int]
    """Skips by reason. A row can count several times: a contact can be sent while its consent is not."""
    started_at: str
    """When it began."""
    warnings: dict[str, int]
    """What the destination remarked without refusing anything, by text."""


class RunReport(_RunReport, total=False):
    """Answer of `deliver` and `finish_run`: did it arrive, and is it right?"""

    stopped: str | None
    """Why delivery stopped before its end; the outbox holds the rest."""


class _Shipment(TypedDict):
    """What is always there in `Shipment`."""

    id: str
    """Id at the source."""
    order_id: str
    """The order."""


class Shipment(_Shipment, total=False):
    """Goods on their way."""

    address: Address | None
    """Where it goes."""
    attributes: dict[str, AttributeValue]
    """Configured custom fields."""
    lines: list[ShipmentLine]
    """What is in it."""
    order_number: str | None
    """The order's number."""
    parcels: list[Parcel]
    """Its parcels."""
    shipped_at: str | None
    """When it was sent."""
    status: ShippingStatus | None
    """Where it is."""


class ShipmentBody(Shipment):
    """Goods on their way."""

    type: Literal["shipment"]


class _ShipmentLine(TypedDict):
    """What is always there in `ShipmentLine`."""

    line_id: str
    """The order's line."""
    quantity: int
    """How many."""


class ShipmentLine(_ShipmentLine, total=False):
    """Units of a line in a shipment or parcel."""

    name: str | None
    """Name, where the order is known."""
    sku: str | None
    """SKU, where the order is known."""


class _ShippingCharge(TypedDict):
    """What is always there in `ShippingCharge`."""

    amount: Money
    """What it costs, after its own discounts."""


class ShippingCharge(_ShippingCharge, total=False):
    """What one shipping method costs."""

    discounts: list[Discount]
    """What was taken off already."""
    key: str | None
    """Key of the charge, where an order has several."""
    method: str | None
    """Name of the method."""
    tax: Money | None
    """Tax; absent when not known."""
    tax_included: bool | None
    """Whether `amount` contains the tax; absent when not known."""


class _Signal(TypedDict):
    """What is always there in `Signal`."""

    event: EventName
    """What happened."""


class Signal(_Signal, total=False):
    """Something a visitor did, as the storefront tells it. Names are `product_viewed`, `category_viewed`, `searched`,
    `checkout_started`, `logged_in`, `account_created`, or your own.
    """

    anonymous_id: str | None
    """The session of somebody not signed in. With a `logged_in` or `account_created` that names the customer too, it is the
    session they were before.
    """
    at: str | None
    """When; now unless given."""
    cart_id: str | None
    """The cart it is about."""
    category_id: str | None
    """The category it is about."""
    customer_id: str | None
    """The shop's id of the customer."""
    email: str | None
    """E-mail."""
    external_ids: dict[str, str]
    """Ids in other systems, by name."""
    id: str | None
    """Your own id of it. The same id is the same thing, however often it is sent; without one the content and the time
    are, so give one or `at` where a call may be repeated.
    """
    market: Market
    """Where: store, channel, country, locale, currency, customer group."""
    phone: str | None
    """Phone, international or as written in the market's country."""
    product_id: str | None
    """The product it is about."""
    properties: dict[str, Any]
    """Everything else: plain values, or typed ones such as `{"type": "date", "value": "2026-01-31"}`."""
    query: str | None
    """What was searched for."""
    sku: str | None
    """The SKU it is about."""
    url: str | None
    """The page it happened on."""
    value: Money | None
    """What it is worth."""
    variant_id: str | None
    """The variant it is about."""


class Stock(TypedDict, total=False):
    """How many can be bought."""

    in_stock: bool | None
    """Whether it can be bought now."""
    quantity: int | None
    """Units on hand that are not promised to someone."""
    restock_days: int | None
    """Days until it comes back."""


class _StreamReport(TypedDict):
    """What is always there in `StreamReport`."""

    complete: bool
    """Whether all that had changed was read."""
    mode: Mode
    """Whether journeys might start."""
    pages: int
    """Pages accepted."""
    rows: int
    """Rows on them."""


class StreamReport(_StreamReport, total=False):
    """How one stream was read."""

    read_until: str | None
    """What changed before this has been read, in this pull and those before."""
    stopped: str | None
    """Why it ended before its end."""


class SyncOptions(TypedDict, total=False):
    """Options of a `Sync`."""

    consent: ConsentConfig
    """How consent is weighed."""
    destination: DestinationConfig | None
    """What to deliver to."""
    destinations: DestinationChoices | None
    """What to deliver to, when it is several: a list, or an object from names to settings. The state knows each destination
    by its name, so a name must stay what it is; in a list, and for `destination`, it is the type's.
    """
    durability: Durability
    """What an accepted record survives."""
    events: EventsConfig
    """Whether and how events are made of orders that are read as they stand."""
    fetch_patience_s: float
    """How long reading what a message only named is tried, in seconds; three days unless given. Then it is given up, and
    told of by `flush` and `pull`, until it is named again or a `pull` with `unread` asks for it.
    """
    idempotency_days: int
    """Days an idempotency key is remembered after its delivery."""
    job_wait_s: float
    """Longest wait of `deliver` and `flush` for asynchronous jobs of the destination of which none ends, in seconds; the
    jobs are followed in the background after that.
    """
    max_in_flight: int
    """Most requests under way at once."""
    max_record_bytes: int | None
    """Rows above this size are rejected unread; 16 MiB unless given."""
    mode: Mode
    """Whether journeys may start, unless a call says otherwise."""
    now: str | None
    """A time to count as now, for tests; the machine's clock unless given."""
    rate_limits: bool
    """Whether the destination's published rates are kept ahead of its refusals. Switch it off only for a sandbox."""
    retry: RetryConfig
    """When to try again, and when to stop."""
    source: SourceChoice | None
    """What the bytes come from. Without it, canonical records are taken."""
    state: str
    """Where to remember: `memory:`, `sqlite:path`."""
    timeout_s: float
    """Longest wait for one answer, in seconds."""
    validate: ValidateConfig
    """Validation policy."""


class _TaxLine(TypedDict):
    """What is always there in `TaxLine`."""

    amount: Money
    """Amount."""
    rate: str
    """Rate as a fraction, such as `0.19`."""


class TaxLine(_TaxLine, total=False):
    """Tax of one rate."""

    name: str | None
    """Name of the tax."""


class TextAttributeValue(TypedDict):
    """Text."""

    type: Literal["text"]
    value: str


class _Totals(TypedDict):
    """What is always there in `Totals`."""

    discount: Money
    """Σ of the discounts on the whole and of the gift certificates, as a positive amount."""
    shipping: Money
    """Σ of the shipping charges."""
    subtotal: Money
    """Σ of the lines."""
    tax_added: Money
    """The part of the tax that is not contained in lines and shipping. Zero when prices include tax."""
    total: Money
    """What is to be paid."""


class Totals(_Totals, total=False):
    """Sums of an order or cart, all in one currency."""

    tax: Money | None
    """All tax, contained or not; absent when not known."""


class _Unread(TypedDict):
    """What is always there in `Unread`."""

    attempts: int
    """How often reading it failed."""
    code: str
    """Our code of the last failure."""
    given_up_at: str
    """When it was given up."""
    message: str
    """One sentence."""
    named_at: str
    """When it was last named."""
    reason: str
    """What named it: the message type or the webhook's scope."""
    resource: ResourceRef
    """What it is."""


class Unread(_Unread, total=False):
    """Something that a message only named and that could not be read."""

    correlation_id: str | None
    """Correlation id of what named it."""


class ValidateConfig(TypedDict, total=False):
    """Settings of validation."""

    future_tolerance_s: int
    """Seconds that a time may lie ahead of our clock before it counts as in the future. Default 300, at most 31,536,000
    (a year).
    """
    policy: ValidatePolicy
    """What each finding code leads to: `reject`, `warn` or `ignore`. A code that is not named keeps its own severity."""


ValidatePolicy = TypedDict(
    'ValidatePolicy',
    {
        # A yes dated in the future would outweigh every later no; check the shop's clock.
        'consent.future': 'Literal["reject"]',
        # A yes without a time cannot outweigh an earlier no.
        'consent.undated': 'Literal["reject", "warn"]',
        # The country is not an ISO 3166-1 alpha-2 code.
        'country.invalid': 'Literal["reject", "warn", "ignore"]',
        # The destination cannot take this field in this form; the rest of the record is sent.
        'destination.field_dropped': 'Literal["reject", "warn"]',
        # The destination cannot take this identity; see the message for its rule.
        'destination.identity_unusable': 'Literal["reject"]',
        # The destination cannot take this value; see the message for its rule.
        'destination.value_unsupported': 'Literal["reject"]',
        # A part of the row is not in it or cannot be used; the rest is sent, what is missing is said.
        'document.incomplete': 'Literal["reject", "warn", "ignore"]',
        # The e-mail address has no valid form; correct it in the shop.
        'email.invalid': 'Literal["reject", "warn", "ignore"]',
        # Nothing says whom this is about; the shop must set a customer, an e-mail or an anonymous id.
        'identity.missing': 'Literal["reject", "warn", "ignore"]',
        # Two lines carry one id; refunds and shipments could not be told apart.
        'line.duplicate_id': 'Literal["reject", "warn", "ignore"]',
        # A line has a quantity of zero or less.
        'line.quantity_invalid': 'Literal["reject", "warn", "ignore"]',
        # A product line has no SKU; the product and variant ids are used.
        'line.sku_missing': 'Literal["reject", "warn", "ignore"]',
        # Quantity times unit price less discounts is not the line's total; both figures are in the message.
        'line.total_mismatch': 'Literal["reject", "warn", "ignore"]',
        # The locale is not BCP 47; the fallback locale is used.
        'locale.invalid': 'Literal["reject", "warn", "ignore"]',
        # One order or cart holds amounts in several currencies; sums would be wrong.
        'money.mixed_currencies': 'Literal["reject", "warn"]',
        # ISO 4217 does not list the currency; correct the price list.
        'money.unknown_currency': 'Literal["reject", "warn", "ignore"]',
        # No name in the market's locale nor in any fallback.
        'name.missing': 'Literal["reject", "warn", "ignore"]',
        # The shop's total is not the sum of its parts, as after a total set by hand; the difference stands as an adjustment.
        'order.adjusted': 'Literal["reject", "warn", "ignore"]',
        # The order has no lines.
        'order.empty': 'Literal["reject", "warn", "ignore"]',
        # Lines, shipping, fees and tax less discounts are not the order's total; both figures are in the message.
        'order.total_mismatch': 'Literal["reject", "warn", "ignore"]',
        # The phone number cannot be written in E.164; it is not sent as a number.
        'phone.invalid': 'Literal["reject", "warn", "ignore"]',
        # A price is below zero.
        'price.negative': 'Literal["reject", "warn", "ignore"]',
        # The product has no variant that could be bought.
        'product.no_variant': 'Literal["reject", "warn", "ignore"]',
        # The row is not JSON: syntax, NaN, or nesting deeper than 128; correct the export.
        'record.invalid_json': 'Literal["reject"]',
        # The row holds bytes that are not UTF-8; export it as UTF-8.
        'record.invalid_utf8': 'Literal["reject"]',
        # The row does not have the shape of its resource; correct it at the pointer and send it again.
        'record.malformed': 'Literal["reject"]',
        # The row is larger than `max_record_bytes`; raise the limit or send it alone.
        'record.too_large': 'Literal["reject"]',
        # The input ends in the middle of the row; fetch it again.
        'record.truncated': 'Literal["reject"]',
        # The row is no resource or message this source knows; check `resource` in the options.
        'record.unsupported': 'Literal["reject"]',
        # The time of the event is in the future beyond the tolerance; check the shop's clock.
        'timestamp.future': 'Literal["reject", "warn", "ignore"]',
        # A state or kind that this version does not know; it is kept as text.
        'value.unknown': 'Literal["reject", "warn", "ignore"]',
    },
    total=False,
)
"""What each finding code leads to, where that differs from the code's own severity."""


class ValidationReport(TypedDict):
    """Answer of `validate`."""

    counts: dict[str, int]
    """How often each code was found."""
    findings: list[RecordFinding]
    """Everything found, decode findings included."""
    ok: bool
    """Whether every row could be sent."""
    records: int
    """Records looked at."""
    rejected: list[Rejection]
    """Rows that could not become a record."""


class _Variant(TypedDict):
    """What is always there in `Variant`."""

    id: str
    """Id, unique within the product."""


class Variant(_Variant, total=False):
    """Something one can put in a cart."""

    attributes: dict[str, AttributeValue]
    """Attributes such as size and colour."""
    images: list[Image]
    """Images, the main one first."""
    key: str | None
    """The merchant's key."""
    name: str | None
    """Name where it differs from the product's."""
    price: Price | None
    """The price picked for the envelope's market."""
    prices: list[Price]
    """Every price the source told."""
    sku: str | None
    """SKU, unique in the shop."""
    stock: Stock | None
    """Stock; absent means not tracked, which is buyable."""
    url: str | None
    """Address of the variant's page."""


class VariantRef(TypedDict, total=False):
    """A variant by its ids."""

    id: str | None
    """Id, unique within the product."""
    sku: str | None
    """SKU, unique in the shop."""


AttributeValue: TypeAlias = BooleanAttributeValue | IntegerAttributeValue | DecimalAttributeValue | TextAttributeValue | DateAttributeValue | DateTimeAttributeValue | MoneyAttributeValue | ListAttributeValue | ObjectAttributeValue
"""One typed value: `{"type": "date", "value": "2026-01-31"}`. The type travels with the value because destinations lock
a field to the type of its first value.
"""

BigcommerceConsentPlace: TypeAlias = Literal["customer", "attribute", "form_field", "metafield", "subscriber", "order"]
"""Where the field of a `ConsentRule` is.
``customer``: An own field of the customer, such as `accepts_product_review_abandoned_cart_emails`.
``attribute``: An attribute of the customer, by name (`attribute_names`) or id.
``form_field``: A form field of the customer.
``metafield``: A metafield of the customer, `namespace.key`.
``subscriber``: The newsletter subscriber: `member` among its consents.
``order``: An own field of the order such as `is_email_opt_in`, or a form field of its billing address. Only a yes counts: a box
that was not ticked at one order is no withdrawal.
"""

BigcommerceOrderPart: TypeAlias = Literal["coupons", "shipments", "refunds", "transactions", "taxes"]
"""A part of an order that is served on its own.
``coupons``: Coupon codes with what they took off. Without them discounts have no code.
``shipments``: Parcels. Without them only counts are known.
``refunds``: Money paid back. Without them no refund is told.
``transactions``: Payments. Only whether one was a test is read of them: without them test orders count as orders.
``taxes``: Taxes by name and rate. Without them only the sum is known.
"""

BigcommerceUntouched: TypeAlias = Literal["unknown", "denied"]
"""What a subscriber row means that has no consent and never changed.
``unknown``: Nothing was said.
``denied``: A no; for shops that import people who left as rows without consents.
"""

BigcommerceValueType: TypeAlias = Literal["boolean", "integer", "decimal", "text", "date", "date_time"]
"""What a configured field is read as.
``boolean``: A truth value; also the words `true`, `false`, `yes`, `no`, `on`, `off`, `1`, `0` in any case.
``integer``: A whole number; also as text.
``decimal``: A number with a fraction; also as text.
``text``: Text.
``date``: A calendar date, `YYYY-MM-DD`; of an instant its day in UTC.
``date_time``: An instant.
"""

BigcommerceWebhookScheme: TypeAlias = Literal["auto", "header", "standard", "body"]
"""How calls are known to come from the platform.
``auto``: Everything that is configured and present must be right, and at least one of `token` and a signature must be there.
``header``: `token` in the header `token_header`, which the hook was made with (`headers` of `POST /v3/hooks`).
``standard``: [Standard Webhooks](https://github.com/standard-webhooks/standard-webhooks): `webhook-id`, `webhook-timestamp`,
`webhook-signature`, keyed with `client_secret`.
``body``: HMAC-SHA256 of the body in the header `signature_header`, base64 or hexadecimal, keyed with `client_secret`.
"""

Body: TypeAlias = ContactBody | ContactDeletedBody | ProductBody | ProductDeletedBody | CategoryBody | CategoryDeletedBody | CartBody | OrderBody | RefundBody | ReturnBody | ShipmentBody | EventBody
"""What a record tells of, told apart by `type`."""

CartState: TypeAlias = str
"""Known words, others are kept: ``active``, ``frozen``, ``ordered``, ``merged``, ``abandoned``, ``deleted``."""

Channel: TypeAlias = str
"""Known words, others are kept: ``email``, ``sms``, ``push``, ``whatsapp``, ``post``."""

CommercetoolsAbsentConsent: TypeAlias = Literal["unknown", "denied"]
"""What it means for a `ConsentRule` when its fields are not there.
``unknown``: Nothing: no entry is made.
``denied``: A no: for shops that take the field away, or the person out of the group, when somebody leaves.
"""

CommercetoolsConsentPlace: TypeAlias = Literal["customer", "order", "cart"]
"""Where the custom field of a `ConsentRule` is.
``customer``: On the customer.
``order``: On the order, such as a box ticked by a guest at the checkout.
``cart``: On the cart.
"""

CommercetoolsValueType: TypeAlias = Literal["boolean", "integer", "decimal", "text", "key", "date", "date_time", "money"]
"""What a configured field is read as.
``boolean``: A truth value; also the words `true` and `false`.
``integer``: A whole number; also as text.
``decimal``: A number with a fraction; also as text.
``text``: Text; of an enum its label in the market's locale.
``key``: The key of an enum, the id of a reference.
``date``: A calendar date, `YYYY-MM-DD`; of an instant its day in UTC.
``date_time``: An instant.
``money``: Money.
"""

ConsentRule: TypeAlias = Literal["most_restrictive", "latest", "source", "destination"]
"""Who is right when the shop and what is remembered differ.
``most_restrictive``: A no stands until a yes with a later time; a yes stands until any no that is not older.
``latest``: Whatever was said last; something undated never counts as last.
``source``: Always the shop. It can resubscribe people who left elsewhere: only for shops that are the one place where people
subscribe and leave.
``destination``: Never the shop: consent is kept at the destination alone and not written.
"""

ConsentStatus: TypeAlias = Literal["granted", "denied", "pending", "unknown"]
"""What someone said about a channel.
``granted``: An explicit yes.
``denied``: An explicit no, or a withdrawn yes.
``pending``: Asked, not yet confirmed (double opt-in).
``unknown``: The source says nothing usable.
"""

CordialApi: TypeAlias = Literal["rest", "async"]
"""Which interface carries live contacts.
``rest``: REST v2: written, then answered.
``async``: Asynchronous API: answered, then written some time. A refusal is seen in Cordial's console only.
"""

CordialAttributeType: TypeAlias = Literal["string", "number", "date", "geo", "array"]
"""Type of an attribute at Cordial (<https://support.cordial.com/hc/en-us/articles/115005528368>). It has no booleans:
those are lists.
``string``: Text.
``number``: Number.
``date``: Date or instant.
``geo``: Address.
``array``: List of texts.
"""

CordialBackfilled: TypeAlias = Literal["withhold", "send"]
"""What a backfill does with something that cannot be sent quietly.
``withhold``: It is skipped as `backfill_quiet`.
``send``: It is sent; pause the automations first.
"""

CordialCartWrite: TypeAlias = Literal["post", "put"]
"""Which call writes a cart.
``post``: `POST`, which sets it.
``put``: `PUT`, which updates it.
"""

CordialCategoryName: TypeAlias = Literal["leaf", "path"]
"""Which name stands as the category.
``leaf``: The most specific one: `Tees`.
``path``: All from the root: `Apparel > Tees`.
"""

CordialCleared: TypeAlias = Literal["keep", "null", "empty"]
"""What is sent for a field that is gone.
``keep``: Nothing: the old value stays.
``null``: `null`.
``empty``: An empty text.
"""

CordialContactDeletion: TypeAlias = Literal["keep", "delete"]
"""What a deletion that is not an erasure does.
``keep``: Nothing.
``delete``: Deletes the contact, with what Cordial knows of opt-outs and bounces.
"""

CordialEmailChange: TypeAlias = Literal["update", "merge", "skip"]
"""What a changed e-mail does.
``update``: The contact with the old address gets the new one.
``merge``: The contact with the old address goes into the one with the new; Cordial must have switched merging on.
``skip``: Nothing: there will be two contacts.
"""

CordialMissingContacts: TypeAlias = Literal["create", "wait"]
"""What happens before data of somebody Cordial may not know.
``create``: The contact is made: address and id, no permission, quietly.
``wait``: It is waited for.
"""

CordialRegion: TypeAlias = Literal["usw1", "usw2", "use1"]
"""Cordial's regions (<https://support.cordial.com/hc/en-us/articles/203885498>).
``usw1``: The admin console is `admin.cordial.io`.
``usw2``: The admin console is `usw2.admin.cordial.io`.
``use1``: Its REST host is not published: `base_url` is required.
"""

CordialResubscribe: TypeAlias = Literal["newer", "never"]
"""Whether somebody who left at Cordial can come back by way of the shop.
``newer``: By a live yes with a time after the leaving.
``never``: Never.
"""

CordialSmsOptIn: TypeAlias = Literal["double", "confirmed"]
"""How a yes to text messages is sent.
``double``: Cordial sends a text and waits for the reply.
``confirmed``: The person confirmed already; no text is sent. Cordial must have switched this on.
"""

CordialTakenBack: TypeAlias = Literal["remove", "keep"]
"""What becomes of units that were cancelled or paid back.
``remove``: They are not among the items any more.
``keep``: They stay.
"""

CordialUnknownAttributes: TypeAlias = Literal["drop", "refuse", "create"]
"""What happens when Cordial does not know an attribute or list.
``drop``: The record is sent once more without it, with a warning.
``refuse``: The record is refused.
``create``: The attribute or list is made as the settings describe it, unless it is there in another spelling, and the record is
sent again. The key must allow it. What the settings do not describe, such as the `customer_id_attribute`, is
refused: only Cordial makes an attribute a key.
"""

CorrelationId: TypeAlias = str
"""Ties the logs of one thing together."""

Currency: TypeAlias = str
"""ISO 4217 code, such as EUR"""

DestinationConfig: TypeAlias = CordialDestinationConfig | DotdigitalDestinationConfig | InsiderDestinationConfig | IterableDestinationConfig
"""Which marketing platform to write to, and how; told apart by `type`."""

DestinationChoices: TypeAlias = list[DestinationConfig] | dict[str, DestinationConfig]
"""Several destinations."""

DiscountKind: TypeAlias = Literal["product", "cart", "coupon", "shipping", "manual"]
"""What kind of discount it is.
``product``: The product was reduced.
``cart``: A rule of the cart.
``coupon``: A code someone typed in.
``shipping``: The shipping was reduced.
``manual``: Set by hand.
"""

DotdigitalBackfilled: TypeAlias = Literal["withhold", "send"]
"""What a backfill does with something that can start programs.
``withhold``: It is skipped as `backfill_quiet`.
``send``: It is sent; pause the programs first.
"""

DotdigitalBackfilledOrders: TypeAlias = Literal["send", "withhold"]
"""What a backfill does with orders.
``send``: They are sent.
``withhold``: They are skipped as `backfill_quiet`.
"""

DotdigitalCancelled: TypeAlias = Literal["delete", "keep"]
"""What a cancelled order becomes.
``delete``: Its record is deleted.
``keep``: Its record stays with the status `cancelled` and a total of 0.
"""

DotdigitalCatalogLayout: TypeAlias = Literal["product", "variant"]
"""What one catalog record is.
``product``: A product with its leading variant's price.
``variant``: A variant.
"""

DotdigitalContactDeletion: TypeAlias = Literal["keep", "delete"]
"""What a deletion that is not an erasure does.
``keep``: Nothing.
``delete``: Deletes the contact.
"""

DotdigitalContactWrite: TypeAlias = Literal["read_first", "import"]
"""Which calls carry contacts.
``read_first``: The contact is read, then created or changed.
``import``: Rows that can subscribe nobody are imported in bulk; all others are read first.
"""

DotdigitalDefine: TypeAlias = Literal["create", "never"]
"""Whether data fields are made.
``create``: What is missing is made.
``never``: What is missing is told as a warning.
"""

DotdigitalDeleteWrite: TypeAlias = Literal["single", "bulk"]
"""Which call deletes contacts.
``single``: One by one.
``bulk``: Many in a job.
"""

DotdigitalErase: TypeAlias = Literal["delete_all", "delete"]
"""What an erasure does.
``delete_all``: Empties the person's insight data collections, then deletes the contact.
``delete``: Deletes the contact.
"""

DotdigitalEvents: TypeAlias = Literal["collections", "api", "off"]
"""How behavioural events are sent.
``collections``: As records of custom collections, one collection per event.
``api``: Through the events API, which needs a CXDP account and tells nothing about failures.
``off``: Not at all.
"""

DotdigitalInsightWrite: TypeAlias = Literal["auto", "single", "bulk"]
"""Which calls carry insight data.
``auto``: Single calls live, imports in a backfill.
``single``: Always one by one.
``bulk``: Always by import.
"""

DotdigitalMergeOption: TypeAlias = Literal["overwrite", "overwrite_if_not_empty", "overwrite_if_empty"]
"""How stored values and sent ones are weighed.
``overwrite``: What is sent counts; null clears.
``overwrite_if_not_empty``: What is sent counts unless it is empty; nothing is cleared.
``overwrite_if_empty``: Only blanks are filled.
"""

DotdigitalOptInType: TypeAlias = Literal["unknown", "single", "double", "verified_double"]
"""Dotdigital's opt-in types.
``unknown``: Nothing is known.
``single``: Said once.
``double``: Said and confirmed by mail.
``verified_double``: To be confirmed through a mail that Dotdigital sends.
"""

DotdigitalOrderKey: TypeAlias = Literal["id", "number"]
"""What orders are known by.
``id``: The shop's id, which every order has from its first moment.
``number``: The number the customer knows, else the id. Only for shops that number every order when it is placed.
"""

DotdigitalOrderTotal: TypeAlias = Literal["net", "gross"]
"""What an order's total is.
``net``: Less what was refunded.
``gross``: As it was placed.
"""

DotdigitalRegion: TypeAlias = Literal["r1", "r2", "r3"]
"""Where an account lives (<https://developer.dotdigital.com/docs/api-end-points>).
``r1``: Europe.
``r2``: North America.
``r3``: Asia-Pacific.
"""

DotdigitalResubscribe: TypeAlias = Literal["challenge", "no_challenge", "never"]
"""How someone who left comes back.
``challenge``: Dotdigital asks them by mail; e-mail only, and never in a backfill.
``no_challenge``: At once. Only where the shop holds the proof of the yes.
``never``: Not by us.
"""

DotdigitalSpelling: TypeAlias = Literal["camel", "snake"]
"""How the order's members are spelled.
``camel``: `orderTotal`
``snake``: `order_total`
"""

DotdigitalUnaskedYes: TypeAlias = Literal["ask", "subscribe"]
"""How a yes of someone is written who was created without a permission.
``ask``: Dotdigital asks them by mail, once, and never in a backfill.
``subscribe``: At once, where the contact is as it was created. Only where nobody can have left, such as in an account that has
mailed nobody yet.
"""

DotdigitalUnknown: TypeAlias = Literal["create", "skip"]
"""What happens to people Dotdigital does not know and whose permission is unknown.
``create``: They are created as unsubscribed, never by a call that would subscribe them.
``skip``: Nothing of them is sent.
"""

Durability: TypeAlias = Literal["full", "process"]
"""What a commit must survive.
``full``: A power cut: every commit waits for the disk.
``process``: A killed process, but not a power cut: the last commits may be missing after one. Faster on slow disks.
"""

EventName: TypeAlias = str
"""Known words, others are kept: ``account_created``, ``logged_in``, ``email_changed``, ``consent_changed``, ``product_viewed``, ``category_viewed``, ``searched``, ``wishlist_updated``, ``checkout_started``, ``cart_abandoned``, ``order_placed``, ``order_paid``, ``order_updated``, ``order_cancelled``, ``order_completed``, ``order_shipped``, ``order_delivered``, ``order_refunded``, ``order_returned``, ``price_dropped``, ``back_in_stock``, ``replenishment_due``."""

FindingCode: TypeAlias = Literal["record.malformed", "record.invalid_json", "record.invalid_utf8", "record.truncated", "record.too_large", "record.unsupported", "document.incomplete", "identity.missing", "email.invalid", "phone.invalid", "money.unknown_currency", "money.mixed_currencies", "locale.invalid", "country.invalid", "line.quantity_invalid", "line.sku_missing", "line.duplicate_id", "line.total_mismatch", "order.total_mismatch", "order.adjusted", "order.empty", "timestamp.future", "value.unknown", "product.no_variant", "price.negative", "name.missing", "consent.undated", "consent.future", "destination.field_dropped", "destination.identity_unusable", "destination.value_unsupported"]
"""Stable code of a finding."""

Format: TypeAlias = Literal["auto", "json", "ndjson"]
"""How rows are laid out in the bytes.
``auto``: One document: a resource, a page, an array or a message. Several lines that each hold a document are read as
NDJSON.
``json``: One document.
``ndjson``: One document a line.
"""

FulfilmentStatus: TypeAlias = Literal["open", "partially_shipped", "shipped", "delivered", "partially_returned", "returned", "cancelled"]
"""One word for what became of a line.
``open``: Nothing happened yet.
``partially_shipped``: Some units were sent.
``shipped``: All units that are not called off were sent.
``delivered``: All units that are not called off arrived.
``partially_returned``: Some units came back.
``returned``: All units came back.
``cancelled``: All units were called off.
"""

HeaderValue: TypeAlias = str | list[str]
"""The value of a header, or its values."""

Headers: TypeAlias = dict[str, HeaderValue]
"""Headers by name; a header that came several times has a list of values. Debug shows names only: some are secrets."""

IdempotencyKey: TypeAlias = str
"""Same key, same effect: two records with one key are one thing that happened."""

InsiderAttributeType: TypeAlias = Literal["string", "number", "boolean", "datetime", "array"]
"""Type of a custom attribute.
``string``: Text.
``number``: Number.
``boolean``: Truth value.
``datetime``: Date with or without time.
``array``: List.
"""

InsiderBackfilled: TypeAlias = Literal["withhold", "send"]
"""What a backfill does with something that can start journeys.
``withhold``: It is skipped as `backfill_quiet`.
``send``: It is sent; pause the journeys first.
"""

InsiderCarts: TypeAlias = Literal["changes", "snapshot", "skip"]
"""How carts are sent.
``changes``: As what was added and removed since the last time.
``snapshot``: As one cart page view per line, each time the cart changes.
``skip``: Not at all.
"""

InsiderCatalogWrite: TypeAlias = Literal["ingest", "update"]
"""How catalog records are written.
``ingest``: Whole: makes and replaces records.
``update``: In part: only changed fields of records that another feed has made.
"""

InsiderCategories: TypeAlias = Literal["path", "labels"]
"""What stands in categories.
``path``: The path of the first category, root first.
``labels``: The names of all categories.
"""

InsiderContactDeletion: TypeAlias = Literal["keep", "delete"]
"""What a deletion that is not an erasure does.
``keep``: Nothing.
``delete``: Deletes the profile with its history.
"""

InsiderErase: TypeAlias = Literal["delete", "anonymize"]
"""What an erasure does.
``delete``: Deletes the profile.
``anonymize``: Strips what the panel marks as personal.
"""

InsiderIdentityConflict: TypeAlias = Literal["reject", "merge"]
"""What happens when the new address of a customer belongs to another profile.
``reject``: It becomes a dead letter.
``merge``: An upsert names both identifiers, and Insider merges the profiles by the account's settings.
"""

InsiderItemId: TypeAlias = Literal["sku", "variant", "product"]
"""What an item is called.
``sku``: The SKU; without one as `variant`.
``variant``: Product and variant id, joined by a hyphen.
``product``: The product id: all variants are one item.
"""

InsiderLineEvents: TypeAlias = Literal["one", "per_line"]
"""How many events a change of an order becomes.
``one``: One.
``per_line``: One per line.
"""

InsiderPurchasePrice: TypeAlias = Literal["after_order_discounts", "line_total"]
"""What the price of a purchase comes to.
``after_order_discounts``: What was paid: the line's total less its share of discounts on the whole order.
``line_total``: The line's total, before discounts on the whole order.
"""

InsiderPurchaseTax: TypeAlias = Literal["as_priced", "included", "excluded"]
"""Whether prices contain tax.
``as_priced``: As the shop prices.
``included``: With tax, where it is known.
``excluded``: Without tax, where it is known.
"""

InsiderResubscribe: TypeAlias = Literal["never", "newer_opt_in"]
"""Whether a newer yes lifts a global unsubscribe.
``never``: Never.
``newer_opt_in``: When the no there is one this library wrote, and the yes is newer.
"""

InsiderShippingCost: TypeAlias = Literal["first_line", "every_line", "none"]
"""Where the shipping cost stands.
``first_line``: On the first line of an order.
``every_line``: On every line.
``none``: Nowhere.
"""

InsiderUnsubscribeBy: TypeAlias = Literal["addresses", "users"]
"""What the e-mail unsubscribe call names.
``addresses``: Addresses.
``users``: Users, by `uuid` and address.
"""

IterableBackfilled: TypeAlias = Literal["withhold", "send"]
"""What a backfill does with something that can start journeys.
``withhold``: It is skipped as `backfill_quiet`.
``send``: It is sent; pause the journeys first.
"""

IterableCatalogLayout: TypeAlias = Literal["product", "variant"]
"""What one catalog item is.
``product``: A product, with its variants in a list.
``variant``: A variant, with its product's fields.
"""

IterableCatalogWrite: TypeAlias = Literal["patch", "replace"]
"""How catalog items are written.
``patch``: Only the fields sent are replaced, and only changed fields are sent.
``replace``: The whole item is replaced each time.
"""

IterableContactDeletion: TypeAlias = Literal["keep", "delete"]
"""What a deletion that is not an erasure does.
``keep``: Nothing.
``delete``: Deletes the profile with its history.
"""

IterableDataCenter: TypeAlias = Literal["us", "eu"]
"""Iterable's data centres.
``us``: `https://api.iterable.com`
``eu``: `https://api.eu.iterable.com`
"""

IterableEmptyCart: TypeAlias = Literal["update_cart", "profile", "skip"]
"""How an emptied cart is sent.
``update_cart``: As a cart without items.
``profile``: As a profile write that empties `shoppingCartItems`.
``skip``: Not at all; the last items stay until the next cart or purchase.
"""

IterableErase: TypeAlias = Literal["forget", "delete"]
"""What an erasure does.
``forget``: Deletes the person and refuses them from then on; at most 1,000 a day.
``delete``: Deletes the person; a later write makes them anew.
"""

IterableFieldType: TypeAlias = Literal["boolean", "date", "geo_location", "long", "double", "object", "string"]
"""Type of a catalog field; once set it cannot be changed (<https://support.iterable.com/hc/articles/360033578331>).
``boolean``: True or false.
``date``: A date or an instant.
``geo_location``: A place, as `{lat, lon}`.
``long``: A whole number.
``double``: A number with a fraction.
``object``: An object, or a list of them.
``string``: A text, or a list of them.
"""

IterableGuests: TypeAlias = Literal["merge", "keep"]
"""What becomes of a guest's profile whose address a customer turns out to have; in `hybrid` projects, where both can be.
``merge``: It is merged into the customer's, for good: history, fields the customer's lacks, and what the guest had left.
``keep``: It stays, and the customer is a dead letter of code `conflict` until someone merges them at Iterable.
"""

IterableLeftTypes: TypeAlias = Literal["read_events", "remember_only"]
"""How it is found out who left a message type, and when.
``read_events``: The person's events are read (`export/userEvents`): whoever left after they said yes, or when nobody can say, stays
away, and a newer yes brings others back. One more call for every yes that joins somebody.
``remember_only``: Only what this library remembers of its own yeses counts. No yes brings back who left an opt-out type. Whoever joined
an opt-in type at Iterable and left it there is joined by the shop's first yes, even by one from before they left.
"""

IterablePolicy: TypeAlias = Literal["opt_in", "opt_out"]
"""A message type's subscription policy.
``opt_in``: Only those who joined get it.
``opt_out``: All get it but those who left.
"""

IterableSubscriptions: TypeAlias = Literal["additive", "read_modify_write"]
"""How permission is written.
``additive``: One subscription at a time through `subscriptions/*`.
``read_modify_write``: The profile is read, and the one list that changes is written back through `users/updateSubscriptions`.
"""

IterableWrite: TypeAlias = Literal["bulk", "single"]
"""Which endpoints carry profiles and events.
``bulk``: `users/bulkUpdate` and `events/trackBulk`.
``single``: `users/update` and `events/track`.
"""

LineKind: TypeAlias = Literal["product", "custom", "gift", "gift_certificate", "fee", "bundle_parent", "bundle_child"]
"""What a line is.
``product``: A product.
``custom``: Something without a product: a service, a voucher, a correction (negative too).
``gift``: A product given away.
``gift_certificate``: A gift certificate that was bought.
``fee``: A fee or surcharge.
``bundle_parent``: A bundle; carries the price of the whole.
``bundle_child``: A part of a bundle.
"""

Method: TypeAlias = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
"""HTTP method.
``GET``: GET
``POST``: POST
``PUT``: PUT
``PATCH``: PATCH
``DELETE``: DELETE
"""

Mode: TypeAlias = Literal["live", "backfill"]
"""Whether a delivery may start journeys.
``live``: It happened just now; journeys may start.
``backfill``: History; nobody may be mailed because of it.
"""

OldOrders: TypeAlias = Literal["read", "all"]
"""Which old orders, first seen live, are taken as history.
``read``: Those that are read from the shop: by `pull`, by `receive`, and because a message named them. Of rows that are
handed over, the caller's mode says what they are.
``all``: All of them, those handed to `deliver` and `accept` as well.
"""

OrderStatus: TypeAlias = str
"""Known words, others are kept: ``incomplete``, ``open``, ``confirmed``, ``complete``, ``cancelled``."""

PaymentStatus: TypeAlias = str
"""Known words, others are kept: ``balance_due``, ``pending``, ``authorized``, ``paid``, ``failed``, ``credit_owed``, ``partially_refunded``, ``refunded``, ``voided``."""

ReconcileReason: TypeAlias = Literal["changed_there", "never_sent", "waiting", "dead_lettered", "withheld", "stale", "no_read_back", "not_told", "unauthorized", "rate_limited", "unavailable", "refused", "stopped"]
"""Why a check came out as it did.
``changed_there``: The state says that it was delivered as the record says: it was changed or removed at the destination since, or was
accepted there and not kept.
``never_sent``: The state knows nothing of a delivery of what is missing or different: the record, or a newer version of it, was not
sent.
``waiting``: It waits in the outbox, or is under way.
``dead_lettered``: The destination refused it; it is among the dead letters.
``withheld``: A backfill withheld it.
``stale``: A newer version was accepted since, so that this one need not be there; the destination was not asked.
``no_read_back``: The destination has no call that shows it.
``not_told``: The destination was asked, and its answer does not tell.
``unauthorized``: The credentials do not allow the read.
``rate_limited``: The destination asked to slow down more often than retries allow.
``unavailable``: No usable answer came, as often as retries allow, or the destination is down.
``refused``: The destination refused the read.
``stopped``: The `Sync` was closed before.
"""

ReconcileStatus: TypeAlias = Literal["equal", "differs", "missing", "unreadable", "unsupported", "skipped"]
"""What a destination holds of something that was or would be sent.
``equal``: It holds what the record says.
``differs``: It holds something else in some fields.
``missing``: It holds nothing of it. Where a platform stores later than it accepts, that can mean that it was asked too soon.
``unreadable``: It could not be learnt; asking again may help.
``unsupported``: The destination shows nothing of what this writes.
``skipped``: Nothing of the record belongs there.
"""

Secret: TypeAlias = str
"""A text that never shows: not in Debug, not in errors, not in reports."""

Severity: TypeAlias = Literal["warning", "error"]
"""How bad a finding is.
``warning``: Worth knowing; the record is sent.
``error``: The record is not sent.
"""

ShippingStatus: TypeAlias = str
"""Known words, others are kept: ``pending``, ``ready``, ``partially_shipped``, ``shipped``, ``delivered``, ``delayed``, ``backorder``, ``cancelled``."""

SkipReason: TypeAlias = Literal["duplicate", "stale", "unchanged", "consent_denied", "consent_unknown", "denied_at_destination", "erased", "filtered", "not_supported", "not_configured", "backfill_quiet", "superseded", "needs_fetch", "ignored"]
"""Why something was not sent. Every skip carries one, so a skipped record can always be explained.
``duplicate``: The same thing was accepted before: same idempotency key.
``stale``: A newer version of it was accepted before.
``unchanged``: Nothing that the destination would see has changed since it was last sent.
``consent_denied``: A no outweighs what the record says: newer, or as old as a yes without a time.
``consent_unknown``: The configured consent gate wants a yes and none is known.
``denied_at_destination``: The person unsubscribed at the destination and no newer yes is known.
``erased``: The person was erased; nothing about them may be sent.
``filtered``: The configured filter does not let it through.
``not_supported``: The destination has no place for records of this kind, or it is switched off.
``not_configured``: The destination needs a setting, such as a catalog name or message type, that is not given.
``backfill_quiet``: In backfill mode this call could start journeys at the destination.
``superseded``: Something newer made it pointless while it waited.
``needs_fetch``: The message names a resource without its content; fetch it and send the resource.
``ignored``: The source's message says nothing a marketer needs; it is ignored by name.
"""

SourceConfig: TypeAlias = BigcommerceSourceConfig | CommercetoolsSourceConfig
"""Which commerce platform to read, and how; told apart by `type`."""

SourceChoice: TypeAlias = str | SourceConfig
"""A source: its settings, or only its name for the defaults."""
