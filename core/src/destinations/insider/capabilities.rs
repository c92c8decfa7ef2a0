//! Insider's limits and promises, as data. Every number about the vendor is here and nowhere else.
//!
//! Limits are those of <https://academy.insiderone.com/docs/api-rate-limits>, the upsert reference
//! (<https://academy.insiderone.com/docs/upsert-user-data-api>), the product catalog pages
//! (<https://academy.insiderone.com/v1/docs/product-catalog-introduction>) and the retention page
//! (<https://academy.insiderone.com/v1/docs/data-retention>) unless a note says otherwise.

use super::super::{Backfill, Capabilities, Endpoint, Method, PartialFailure, Promise, Rate, RetrySafety};

/// Upsert of attributes.
pub(super) const UPSERT: &str = "users.upsert";
/// Upsert of one permission flag.
pub(super) const CONSENT: &str = "users.consent";
/// Upsert of purchase events.
pub(super) const PURCHASE: &str = "events.purchase";
/// Upsert of cart events.
pub(super) const CART: &str = "events.cart";
/// Upsert of page view events.
pub(super) const BROWSE: &str = "events.browse";
/// Upsert of sign-up events.
pub(super) const SIGN_UP: &str = "events.signUp";
/// Upsert of custom events.
pub(super) const CUSTOM: &str = "events.custom";
/// Attribute delete.
pub(super) const CLEAR: &str = "users.deleteAttributes";
/// Change of an identifier.
pub(super) const IDENTITY: &str = "users.updateIdentity";
/// Read of a profile.
pub(super) const PROFILE: &str = "users.profile";
/// Deletion of a profile.
pub(super) const DELETE: &str = "users.delete";
/// Removal of what is personal from a profile.
pub(super) const ANONYMIZE: &str = "users.anonymize";
/// Global unsubscribe, e-mail.
pub(super) const LEAVE_EMAIL: &str = "email.unsubscribe";
/// Resubscribe, e-mail.
pub(super) const JOIN_EMAIL: &str = "email.subscribe";
/// Global unsubscribe, text messages.
pub(super) const LEAVE_SMS: &str = "sms.unsubscribe";
/// Resubscribe, text messages.
pub(super) const JOIN_SMS: &str = "sms.subscribe";
/// Global unsubscribe, WhatsApp.
pub(super) const LEAVE_WHATSAPP: &str = "whatsapp.unsubscribe";
/// Resubscribe, WhatsApp.
pub(super) const JOIN_WHATSAPP: &str = "whatsapp.subscribe";
/// Catalog records, whole.
pub(super) const INGEST: &str = "catalog.ingest";
/// Catalog records, in part.
pub(super) const UPDATE: &str = "catalog.update";

/// Host of subscriptions.
pub(super) const CONTACT: &str = "contact";
/// Host of the catalog.
pub(super) const CATALOG: &str = "catalog";

/// Longest text by catalog field, in characters; `category` is the limit of one element.
pub(super) mod longest {
    pub const ITEM_ID: usize = 128;
    pub const LOCALE: usize = 64;
    pub const TEXT: usize = 512;
    pub const DESCRIPTION: usize = 1_024;
    pub const CATEGORIES: usize = 1_024;
    pub const LIST: usize = 1_024;
}

/// Highest rating of a catalog record.
pub(super) const MAX_RATING: i64 = 10;

/// How far ahead of our clock an event may lie, in minutes: no limit is published, and an event of tomorrow would be the
/// newest one for a day.
pub(super) const FUTURE_MINUTES: i64 = 5;

// The error text says 5,000,000 bytes.
const MAX_BODY: u32 = 5_000_000;

const fn per_minute(count: u32, scope: &'static str, budget: &'static str) -> Option<Rate> {
    Some(Rate { count, per_s: 60, scope, budget })
}

const STATE: Endpoint = Endpoint { max_bytes: MAX_BODY, concurrency: 4, ..Endpoint::SINGLE };

// What upserts have in common: rows are users, named by position when they fail.
const USERS: Endpoint = Endpoint {
    path: "/api/user/v1/upsert",
    max_records: 1_000,
    rate: per_minute(25_000, "partner", "upsert"),
    partial_failure: PartialFailure::ByIndex,
    ..STATE
};

// An event that is repeated byte by byte is stored once.
const EVENTS: Endpoint = Endpoint {
    retry_safe_by: RetrySafety::EventId,
    promise: Promise::AtLeastOnce(
        "the event is stored once; whether a journey that starts on it starts again after a lost answer is not published",
    ),
    ..USERS
};

const SUPPRESSION: Endpoint = Endpoint {
    host: CONTACT,
    max_records: 500,
    rate: per_minute(600, "partner", "contact"),
    partial_failure: PartialFailure::Whole,
    note: "Answers nothing per record. The rate of v2 is not published: that of v1, 600 a minute, is shared by all of these calls.",
    ..STATE
};

const RESUBSCRIPTION: Endpoint = Endpoint {
    backfill: Backfill::Withheld("a yes of the past is no newer yes"),
    note: "Called only with `resubscribe`, only after the profile was read, and only for a yes newer than the no that this library \
        wrote there. Rate as for unsubscribing.",
    ..SUPPRESSION
};

const RECORDS: Endpoint = Endpoint {
    host: CATALOG,
    max_records: 10_000,
    max_record_bytes: 512_000,
    rate: per_minute(60, "account", "catalog"),
    concurrency: 1,
    partial_failure: PartialFailure::ByValue,
    backfill: Backfill::Withheld(
        "journeys on price drop, back in stock and low stock start on any catalog change, and the catalog has no `skip_hook`; \
         `backfill_catalog` sends it",
    ),
    ..STATE
};

const ATTRIBUTE_NOTE: &str = "HTTP 200 although users were rejected: `data.fail` counts them and names them by position. Accepted is \
    queued: the profile can show it hours later. `not_append` is always sent, so arrays are replaced. `skip_hook` is sent in a backfill.";
const EVENT_NOTE: &str = "As `users.upsert`. Events older than the retention are skipped here, because Insider drops them without a word.";

/// What Insider takes, and how fast.
pub const CAPABILITIES: Capabilities = Capabilities {
    destination: "insider",
    endpoints: &[
        Endpoint { id: UPSERT, null_clears: true, note: ATTRIBUTE_NOTE, ..USERS },
        Endpoint {
            id: CONSENT,
            note: "As `users.upsert`, one channel a row. A yes reads the profile first and goes alone; a no goes at once.",
            ..USERS
        },
        Endpoint { id: PURCHASE, retention_days: 730, note: EVENT_NOTE, ..EVENTS },
        Endpoint {
            id: CART,
            retention_days: 90,
            null_clears: true,
            retry_safe_by: RetrySafety::UpsertById,
            promise: Promise::AtLeastOnce(
                "a line that was added can be told twice when the cart changes again while its last change is under way, or after a \
                 lost answer",
            ),
            note: EVENT_NOTE,
            ..EVENTS
        },
        Endpoint { id: BROWSE, retention_days: 90, note: EVENT_NOTE, ..EVENTS },
        Endpoint { id: SIGN_UP, retention_days: 365, note: EVENT_NOTE, ..EVENTS },
        Endpoint {
            id: CUSTOM,
            retention_days: 90,
            note: "As the other events. Published as up to 3 months. Create a custom event in InOne before it is sent; types of its \
                parameters are fixed by then, and an account has 80 of them.",
            ..EVENTS
        },
        Endpoint {
            id: CLEAR,
            path: "/api/user/v1/attribute/delete",
            rate: per_minute(25_000, "partner", "upsert"),
            note: "Clears what the shop has no value for any more; goes before the upsert of the same change. Irreversible.",
            ..STATE
        },
        Endpoint {
            id: IDENTITY,
            method: Method::Patch,
            path: "/api/user/v1/identity",
            rate: per_minute(2_000, "partner", ""),
            note: "One identifier of one type for another. The profile of the new one is read first: a change that was made already is \
                not made again.",
            ..STATE
        },
        Endpoint {
            id: PROFILE,
            path: "/api/user/v1/profile",
            rate: per_minute(1_000, "partner", ""),
            retry_safe_by: RetrySafety::ReadOnly,
            note: "1,000 quota units a minute; a read of attributes is counted as one here. Nobody is 404. Also checks the credentials, and reads back for reconciliation.",
            ..STATE
        },
        Endpoint {
            id: DELETE,
            path: "/api/user/v1/delete",
            rate: per_minute(10_000, "partner", ""),
            note: "Irreversible; a later write makes the person anew.",
            ..STATE
        },
        Endpoint {
            id: ANONYMIZE,
            path: "/api/user/v1/anonymize",
            rate: per_minute(500, "partner", ""),
            note: "Strips what the panel marks as personal. Nobody is 404.",
            ..STATE
        },
        Endpoint { id: LEAVE_EMAIL, path: "/email/v2/unsubscribe", ..SUPPRESSION },
        Endpoint { id: LEAVE_SMS, path: "/sms/v2/unsubscribe", ..SUPPRESSION },
        Endpoint { id: LEAVE_WHATSAPP, path: "/whatsapp/v2/unsubscribe", ..SUPPRESSION },
        Endpoint { id: JOIN_EMAIL, path: "/email/v2/subscribe", ..RESUBSCRIPTION },
        Endpoint { id: JOIN_SMS, path: "/sms/v2/subscribe", ..RESUBSCRIPTION },
        Endpoint { id: JOIN_WHATSAPP, path: "/whatsapp/v2/subscribe", ..RESUBSCRIPTION },
        Endpoint {
            id: INGEST,
            path: "/v2/ingest",
            note: "Replaces the whole record of an item and locale. All catalog calls of an account share 60 a minute. HTTP 200 although \
                records were rejected: they are named by item without locale, so a request holds one locale only.",
            ..RECORDS
        },
        Endpoint {
            id: UPDATE,
            path: "/v2/update",
            note: "Changes the fields sent of a record that exists. Hides items that are gone: the catalog has no deletion.",
            ..RECORDS
        },
    ],
};
