//! Cordial's limits and promises, as data. Every number about the vendor is here and nowhere else.
//!
//! Sources: the published API document (<https://api.cordial.io/docs/v2/api-docs.php>) and the help centre, named per row.

use super::super::{Backfill, Capabilities, Endpoint, JobFacts, Method, PartialFailure, Promise, Rate, RetrySafety};

/// `POST /v2/contacts`
pub(super) const CONTACT: &str = "contacts.upsert";
/// `POST /api/upsertContact`
pub(super) const CONTACT_ASYNC: &str = "async.upsertContact";
/// `GET /v2/contacts/{primary_key}`
pub(super) const READBACK: &str = "contacts.get";
/// `PUT /v2/contacts/{primary_key}`, permission
pub(super) const SUBSCRIBE: &str = "contacts.subscribe";
/// `PUT /v2/contacts/{primary_key}`, address
pub(super) const RENAME: &str = "contacts.changeEmail";
/// `PUT /v2/contacts/{primary_key}/unsubscribe/{channel}`
pub(super) const UNSUBSCRIBE: &str = "contacts.unsubscribe";
/// `DELETE /v2/contacts/{primary_key}`
pub(super) const DELETE: &str = "contacts.delete";
/// `POST /v2/contacts/merge`
pub(super) const MERGE: &str = "contacts.merge";
/// `POST /v2/contacts/{primary_key}/cart`
pub(super) const CART: &str = "contacts.cart.set";
/// `PUT /v2/contacts/{primary_key}/cart`
pub(super) const CART_PUT: &str = "contacts.cart.update";
/// `DELETE /v2/contacts/{primary_key}/cart`
pub(super) const CART_DELETE: &str = "contacts.cart.clear";
/// `POST /v2/contactactivities`
pub(super) const EVENT: &str = "contactactivities.create";
/// `POST /api/createContactactivities`
pub(super) const EVENT_ASYNC: &str = "async.createContactactivities";
/// `POST /v2/orders`
pub(super) const ORDER: &str = "orders.create";
/// `PUT /v2/orders/{orderID}`
pub(super) const ORDER_UPDATE: &str = "orders.update";
/// `GET /v2/orders/{orderID}`
pub(super) const ORDER_GET: &str = "orders.get";
/// `POST /v2/products`
pub(super) const PRODUCT: &str = "products.upsert";
/// `DELETE /v2/products/{productID}`
pub(super) const PRODUCT_DELETE: &str = "products.delete";
/// `POST /v2/supplements/{supplement}/records`
pub(super) const RECORD: &str = "supplements.records.upsert";
/// `DELETE /v2/supplements/{supplement}/records/{id}`
pub(super) const RECORD_DELETE: &str = "supplements.records.delete";
/// `GET /v2/accountcontactattributes`
pub(super) const ATTRIBUTES: &str = "accountcontactattributes.list";
/// `POST /v2/accountcontactattributes`
pub(super) const MAKE_ATTRIBUTE: &str = "accountcontactattributes.create";
/// `GET /v2/accountlists`
pub(super) const LISTS: &str = "accountlists.list";
/// `POST /v2/accountlists`
pub(super) const MAKE_LIST: &str = "accountlists.create";
/// `GET /v2/contactactivities`
pub(super) const EVENTS_GET: &str = "contactactivities.list";
/// `GET /v2/products/{productID}`
pub(super) const PRODUCT_GET: &str = "products.get";
/// `GET /v2/supplements/{supplement}/records/{id}`
pub(super) const RECORD_GET: &str = "supplements.records.get";
/// A file of contacts
pub(super) const FILE_CONTACTS: &str = "files.contacts";
/// A file of orders
pub(super) const FILE_ORDERS: &str = "files.orders";
/// A file of products
pub(super) const FILE_PRODUCTS: &str = "files.products";
/// A file of supplement records
pub(super) const FILE_RECORDS: &str = "files.supplements";
/// `POST /v2/contactimports`
pub(super) const IMPORT_CONTACTS: &str = "contactimports.create";
/// `POST /v2/ordersimport`
pub(super) const IMPORT_ORDERS: &str = "ordersimport.create";
/// `POST /v2/productimports`
pub(super) const IMPORT_PRODUCTS: &str = "productimports.create";
/// `POST /v2/supplements/{supplement}/imports`
pub(super) const IMPORT_RECORDS: &str = "supplements.imports.create";
/// `GET /v2/jobs/{id}`
pub(super) const JOB: &str = "jobs.get";

/// Most characters of a text attribute unless the account says otherwise (API document, validators).
pub(super) const MAX_TEXT: u32 = 128;
/// Most entries of an array attribute unless the account says otherwise (API document, options).
pub(super) const MAX_ITEMS: u32 = 25;

// No size of a request is published.
const MAX_BODY: u32 = 1_000_000;
const MAX_FILE: u32 = 8_000_000;

// No rate is published: it is set per account, counted per method and endpoint, usually by the minute.
const RATE: Option<Rate> = Some(Rate { count: 600, per_s: 60, scope: "account", budget: "" });
const READ_RATE: Option<Rate> = Some(Rate { count: 600, per_s: 60, scope: "account", budget: "reads" });
const IMPORT_RATE: Option<Rate> = Some(Rate { count: 60, per_s: 60, scope: "account", budget: "imports" });

const STATE: Endpoint = Endpoint { max_bytes: MAX_BODY, rate: RATE, concurrency: 10, ..Endpoint::SINGLE };
const READ: Endpoint = Endpoint { method: Method::Get, rate: READ_RATE, retry_safe_by: RetrySafety::ReadOnly, ..STATE };

const FOUR_HOURS: u32 = 4 * 60 * 60;
const FILE: Endpoint = Endpoint {
    method: Method::Put,
    path: "/{file}",
    max_records: 5_000,
    max_bytes: MAX_FILE,
    rate: IMPORT_RATE,
    host: "files",
    concurrency: 2,
    many_per_lane: true,
    partial_failure: PartialFailure::Whole,
    ..Endpoint::SINGLE
};
const IMPORT: Endpoint = Endpoint { rate: IMPORT_RATE, concurrency: 2, ..STATE };

const EVENT_BACKFILL: Backfill = Backfill::Withheld("events cannot be sent quietly; `backfill_events` sends them");
const EVENT_WINDOW: Promise =
    Promise::AtLeastOnce("a second event when an answer was lost: Cordial does not say that `UID`, which is always sent, tells them apart");
const EVENT_DAYS: u32 = 548;
const UNCONFIRMED_ASYNC: &str = "Answered before it is written: a refusal is seen in Cordial's console only, and unknown attributes are dropped in silence \
     (<https://support.cordial.com/hc/en-us/articles/18799979779085>). Nothing says that calls keep their order. Live only: it \
     cannot be quiet.";
const RATE_NOTE: &str = "Rates are set per account and not published: 600 a minute is a safe default, slower on 429 \
     (<https://support.cordial.com/hc/en-us/articles/7323031900301>).";
const FILE_NOTE: &str = "Lays the file where Cordial fetches it, has it imported, and asks the job how it went. A job counts what it refused and \
     names nothing, so a file with refused rows is halved until the row stands alone. 5,000 rows are a choice, not published.";
const IMPORT_NOTE: &str = "Called when the file is laid. Without `subscribe: false` a contact import subscribes every new person \
     (<https://support.cordial.com/hc/en-us/articles/203886058>); it is always sent. Rows keep no order.";

/// What Cordial takes, and how fast.
pub const CAPABILITIES: Capabilities = Capabilities {
    destination: "cordial",
    endpoints: &[
        Endpoint { id: CONTACT, path: "/v2/contacts", null_clears: true, note: RATE_NOTE, ..STATE },
        Endpoint {
            id: CONTACT_ASYNC,
            path: "/api/upsertContact",
            host: "async",
            null_clears: true,
            backfill: Backfill::Withheld("it has no switch for triggers; a backfill goes by REST or file"),
            note: UNCONFIRMED_ASYNC,
            ..STATE
        },
        Endpoint {
            id: READBACK,
            path: "/v2/contacts/{primary_key}",
            note: "Read before somebody is subscribed, and for reconciliation. 404 for nobody.",
            ..READ
        },
        Endpoint {
            id: SUBSCRIBE,
            method: Method::Put,
            path: "/v2/contacts/{primary_key}",
            backfill: Backfill::MayStartJourneys(
                "Cordial tells of a changed permission; a yes is withheld unless `backfill_grants` is `send`",
            ),
            note: "Only after the contact was read. `forceSubscribe` only for a live yes that is provably newer than the leaving.",
            ..STATE
        },
        Endpoint {
            id: RENAME,
            method: Method::Put,
            path: "/v2/contacts/{primary_key}",
            note: "Gives the contact with the old address the new one. 404: there is none, which is fine.",
            ..STATE
        },
        Endpoint {
            id: UNSUBSCRIBE,
            method: Method::Put,
            path: "/v2/contacts/{primary_key}/unsubscribe/{channel}",
            backfill: Backfill::MayStartJourneys("a no is sent in a backfill too; Cordial tells of a changed permission"),
            note: "Leaves the channel as a whole. No body.",
            ..STATE
        },
        Endpoint {
            id: DELETE,
            method: Method::Delete,
            path: "/v2/contacts/{primary_key}",
            note: "Permanent, and done some time later. Attributes that the account keeps on deletion stay, anonymised or not; what \
                becomes of orders and events is not published.",
            ..STATE
        },
        Endpoint {
            id: MERGE,
            path: "/v2/contacts/merge",
            job: Some(JobFacts { poll: JOB, give_up_s: FOUR_HOURS }),
            backfill: Backfill::MayStartJourneys("Cordial tells of a merge; nothing else starts"),
            note: "Cordial must have switched merging on: 403 otherwise, which refuses the merge and stops nothing else. The remaining \
                contact keeps its own addresses and permissions.",
            ..STATE
        },
        Endpoint {
            id: CART,
            path: "/v2/contacts/{primary_key}/cart",
            backfill: Backfill::Withheld("a cart of the past is not the cart of now"),
            note: "One cart per contact, always sent whole. That a repeat leaves the same cart is not published, but likely.",
            ..STATE
        },
        Endpoint {
            id: CART_PUT,
            method: Method::Put,
            path: "/v2/contacts/{primary_key}/cart",
            backfill: Backfill::Withheld("a cart of the past is not the cart of now"),
            note: "With `cart_write: put`. Whether items are replaced or merged is not published.",
            ..STATE
        },
        Endpoint {
            id: CART_DELETE,
            method: Method::Delete,
            path: "/v2/contacts/{primary_key}/cart",
            backfill: Backfill::Withheld("a cart of the past is not the cart of now"),
            note: "An emptied or bought cart.",
            ..STATE
        },
        Endpoint {
            id: EVENT,
            path: "/v2/contactactivities",
            retention_days: EVENT_DAYS,
            retry_safe_by: RetrySafety::None,
            backfill: EVENT_BACKFILL,
            promise: EVENT_WINDOW,
            note: "Kept for 18 months (<https://support.cordial.com/hc/en-us/articles/203885968>). The contact must exist. \
                Properties whose name holds a dot or is a number are dropped in silence.",
            ..STATE
        },
        Endpoint {
            id: EVENT_ASYNC,
            path: "/api/createContactactivities",
            host: "async",
            retention_days: EVENT_DAYS,
            retry_safe_by: RetrySafety::None,
            backfill: EVENT_BACKFILL,
            promise: EVENT_WINDOW,
            note: UNCONFIRMED_ASYNC,
            ..STATE
        },
        Endpoint {
            id: ORDER,
            path: "/v2/orders",
            note: "The order is read first: a new one is created, a known one updated. A second creation is refused, so none is made \
                (<https://support.cordial.com/hc/en-us/articles/204570677>). Old orders and those of a backfill are quiet. Items \
                write products, too.",
            ..STATE
        },
        Endpoint {
            id: ORDER_UPDATE,
            method: Method::Put,
            path: "/v2/orders/{orderID}",
            note: "Takes no `status`: that stands in `properties.order_status`. Whether items and properties are replaced or merged \
                is not published; all are sent.",
            ..STATE
        },
        Endpoint {
            id: ORDER_GET,
            path: "/v2/orders/{orderID}",
            note: "Tells whether an order is known, also for reconciliation. 404 for none.",
            ..READ
        },
        Endpoint {
            id: PRODUCT,
            path: "/v2/products",
            note: "The same id again is an update. Whether it merges or replaces is not published; the whole product is sent.",
            ..STATE
        },
        Endpoint { id: PRODUCT_DELETE, method: Method::Delete, path: "/v2/products/{productID}", note: "An unknown one is 400.", ..STATE },
        Endpoint {
            id: RECORD,
            path: "/v2/supplements/{supplement}/records",
            note: "The supplement must exist. The same id again is an update. Every indexed field must be there: index `order_id` only \
                (<https://support.cordial.com/hc/en-us/articles/204570687>).",
            ..STATE
        },
        Endpoint {
            id: RECORD_DELETE,
            method: Method::Delete,
            path: "/v2/supplements/{supplement}/records/{id}",
            note: "An unknown one is 404.",
            ..STATE
        },
        Endpoint {
            id: ATTRIBUTES,
            path: "/v2/accountcontactattributes",
            note: "Checks the credentials and the configured attributes, and is read before an attribute is made.",
            ..READ
        },
        Endpoint {
            id: MAKE_ATTRIBUTE,
            path: "/v2/accountcontactattributes",
            note: "With `unknown_attributes: create` only. A second creation is refused, which is fine; usable at once \
                (<https://support.cordial.com/hc/en-us/articles/204570347>).",
            ..STATE
        },
        Endpoint { id: LISTS, path: "/v2/accountlists", note: "Read before a list is made.", ..READ },
        Endpoint {
            id: MAKE_LIST,
            path: "/v2/accountlists",
            note: "With `unknown_attributes: create` only (<https://support.cordial.com/hc/en-us/articles/204570497>).",
            ..STATE
        },
        Endpoint {
            id: EVENTS_GET,
            path: "/v2/contactactivities",
            note: "Read for reconciliation, of people found by e-mail. It does not show `UID`: an event is found by its name, time and \
                properties.",
            ..READ
        },
        Endpoint { id: PRODUCT_GET, path: "/v2/products/{productID}", note: "Read for reconciliation.", ..READ },
        Endpoint { id: RECORD_GET, path: "/v2/supplements/{supplement}/records/{id}", note: "Read for reconciliation.", ..READ },
        Endpoint { id: FILE_CONTACTS, job: Some(JobFacts { poll: IMPORT_CONTACTS, give_up_s: FOUR_HOURS }), note: FILE_NOTE, ..FILE },
        Endpoint { id: FILE_ORDERS, job: Some(JobFacts { poll: IMPORT_ORDERS, give_up_s: FOUR_HOURS }), note: FILE_NOTE, ..FILE },
        Endpoint { id: FILE_PRODUCTS, job: Some(JobFacts { poll: IMPORT_PRODUCTS, give_up_s: FOUR_HOURS }), note: FILE_NOTE, ..FILE },
        Endpoint { id: FILE_RECORDS, job: Some(JobFacts { poll: IMPORT_RECORDS, give_up_s: FOUR_HOURS }), note: FILE_NOTE, ..FILE },
        Endpoint { id: IMPORT_CONTACTS, path: "/v2/contactimports", note: IMPORT_NOTE, ..IMPORT },
        Endpoint { id: IMPORT_ORDERS, path: "/v2/ordersimport", note: IMPORT_NOTE, ..IMPORT },
        Endpoint { id: IMPORT_PRODUCTS, path: "/v2/productimports", note: IMPORT_NOTE, ..IMPORT },
        Endpoint { id: IMPORT_RECORDS, path: "/v2/supplements/{supplement}/imports", note: IMPORT_NOTE, ..IMPORT },
        Endpoint {
            id: JOB,
            path: "/v2/jobs/{id}",
            note: "Kept for 60 days; refused rows are shown in Cordial's console for 7 (<https://support.cordial.com/hc/en-us/articles/204570807>).",
            ..READ
        },
    ],
};
