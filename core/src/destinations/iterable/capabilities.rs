//! Iterable's limits and promises, as data. Every number about the vendor is here and nowhere else.
//!
//! Rates and sizes are those of the published API document (<https://api.iterable.com/api/docs>) unless a note says
//! otherwise.

use super::super::{Backfill, Capabilities, Endpoint, Method, PartialFailure, Promise, Rate, RetrySafety};

/// `users/bulkUpdate`
pub(super) const USERS_BULK: &str = "users.bulkUpdate";
/// `users/update`
pub(super) const USERS_UPDATE: &str = "users.update";
/// `commerce/trackPurchase`
pub(super) const PURCHASE: &str = "commerce.trackPurchase";
/// `commerce/updateCart`
pub(super) const CART: &str = "commerce.updateCart";
/// `events/track`
pub(super) const TRACK: &str = "events.track";
/// `events/trackBulk`
pub(super) const TRACK_BULK: &str = "events.trackBulk";
/// `catalogs/{catalog}/items`, writing
pub(super) const CATALOG_PATCH: &str = "catalogs.bulkItems";
/// `catalogs/{catalog}/items`, replacing
pub(super) const CATALOG_REPLACE: &str = "catalogs.bulkReplaceItems";
/// `catalogs/{catalog}/items`, deleting
pub(super) const CATALOG_DELETE: &str = "catalogs.deleteItems";
/// `subscriptions/…/user/{email}`, joining
pub(super) const SUBSCRIBE_EMAIL: &str = "subscriptions.subscribeByEmail";
/// `subscriptions/…/byUserId/{userId}`, joining
pub(super) const SUBSCRIBE_USER_ID: &str = "subscriptions.subscribeByUserId";
/// `subscriptions/…/user/{email}`, leaving
pub(super) const UNSUBSCRIBE_EMAIL: &str = "subscriptions.unsubscribeByEmail";
/// `subscriptions/…/byUserId/{userId}`, leaving
pub(super) const UNSUBSCRIBE_USER_ID: &str = "subscriptions.unsubscribeByUserId";
/// `users/updateSubscriptions`
pub(super) const SUBSCRIPTIONS: &str = "users.updateSubscriptions";
/// `users/getByEmail`
pub(super) const GET_BY_EMAIL: &str = "users.getByEmail";
/// `users/byUserId`
pub(super) const GET_BY_USER_ID: &str = "users.byUserId";
/// `users/{email}`, deleting
pub(super) const DELETE_BY_EMAIL: &str = "users.deleteByEmail";
/// `users/byUserId/{userId}`, deleting
pub(super) const DELETE_BY_USER_ID: &str = "users.deleteByUserId";
/// `users/forget`
pub(super) const FORGET: &str = "users.forget";
/// `users/merge`
pub(super) const MERGE: &str = "users.merge";
/// `users/updateEmail`
pub(super) const UPDATE_EMAIL: &str = "users.updateEmail";
/// `lists/subscribe`
pub(super) const LIST_SUBSCRIBE: &str = "lists.subscribe";
/// `lists/unsubscribe`
pub(super) const LIST_UNSUBSCRIBE: &str = "lists.unsubscribe";
/// `workflows/triggerWorkflow`
pub(super) const TRIGGER: &str = "workflows.triggerWorkflow";
/// `catalogs/{catalog}`, making one
pub(super) const CATALOG_CREATE: &str = "catalogs.create";
/// `catalogs/{catalog}/fieldMappings`
pub(super) const CATALOG_FIELDS: &str = "catalogs.fieldMappings";
/// `events/{email}`
pub(super) const EVENTS_BY_EMAIL: &str = "events.byEmail";
/// `events/byUserId/{userId}`
pub(super) const EVENTS_BY_USER_ID: &str = "events.byUserId";
/// `export/userEvents`
pub(super) const EXPORT_EVENTS: &str = "export.userEvents";
/// `catalogs/{catalog}/items/{id}`, reading
pub(super) const CATALOG_ITEM: &str = "catalogs.item";
/// `messageTypes`
pub(super) const MESSAGE_TYPES: &str = "messageTypes";

/// Most bytes of one catalog item's JSON: 30 KB, exclusive.
pub(super) const MAX_ITEM_BYTES: u32 = 30_000 - 1;

// 4 MB with room for what stands around the rows.
const MAX_BODY: u32 = 3_800_000;

const fn per_second(count: u32, scope: &'static str) -> Option<Rate> {
    Some(Rate { count, per_s: 1, scope, budget: "" })
}

// One row per request, a state under an id, quiet but for profile journeys: what most endpoints are.
const STATE: Endpoint = Endpoint {
    id: "",
    method: Method::Post,
    path: "",
    max_records: 1,
    max_bytes: MAX_BODY,
    max_record_bytes: 0,
    rate: per_second(100, "project"),
    concurrency: 8,
    many_per_lane: false,
    retry_safe_by: RetrySafety::UpsertById,
    partial_failure: PartialFailure::Single,
    null_clears: false,
    backfill: Backfill::Quiet,
    promise: Promise::EffectivelyOnce,
    note: "",
    ..Endpoint::SINGLE
};

const PROFILE_JOURNEYS: Backfill =
    Backfill::MayStartJourneys("a journey that starts on a profile update starts on any write that names its field; pause it first");
const SUBSCRIPTION_JOURNEYS: Backfill = Backfill::MayStartJourneys(
    "a no is sent in a backfill too and is recorded as an unsubscription; a yes is withheld unless `backfill_grants` is `send`",
);
const SUBSCRIPTION_NOTE: &str = "Rate not published: 100/s is a safe default. Iterable must switch these calls on; else they answer 404 and \
    `subscriptions` must be `read_modify_write`. Success is 202.";
const EVENT_NOTE: &str = "An event with a known id is updated, not doubled; ids are unique over all custom events of the project. \
    An update can start the event's journeys again. In `email` projects the profile must exist first.";
const EVENT_BACKFILL: Backfill =
    Backfill::Withheld("Iterable does not say that old events start no journeys; `backfill_events` sends them");

/// What Iterable takes, and how fast.
pub const CAPABILITIES: Capabilities = Capabilities {
    destination: "iterable",
    endpoints: &[
        Endpoint {
            id: USERS_BULK,
            path: "/api/users/bulkUpdate",
            max_records: 1000,
            rate: per_second(5, "project"),
            concurrency: 2,
            partial_failure: PartialFailure::ByValue,
            null_clears: true,
            backfill: PROFILE_JOURNEYS,
            note: "Body at most 4 MB. 1,000 rows are practice, not published. One wrong type fails the whole request; failed rows are \
                named by e-mail or userId, e-mails in lower case. Same person twice in a request: not attributable.",
            ..STATE
        },
        Endpoint {
            id: USERS_UPDATE,
            path: "/api/users/update",
            rate: per_second(500, "project"),
            concurrency: 16,
            null_clears: true,
            backfill: PROFILE_JOURNEYS,
            note: "Missing fields stay, null blanks a field.",
            ..STATE
        },
        Endpoint {
            id: PURCHASE,
            path: "/api/commerce/trackPurchase",
            retry_safe_by: RetrySafety::EventId,
            backfill: Backfill::Withheld("each purchase clears the live cart and can start journeys; `backfill_purchases` sends them"),
            note: "Rate not published: 100/s is a safe default. A purchase with a known id is updated, not doubled, but its journeys can \
                start again, so an order is sent once and never for a status change. Clears the profile's cart.",
            ..STATE
        },
        Endpoint {
            id: CART,
            path: "/api/commerce/updateCart",
            backfill: Backfill::Withheld("a cart of the past is not the cart of now, and it would start journeys"),
            promise: Promise::AtLeastOnce(
                "the cart itself is a state; every call also logs an `updateCart` event, a second one when an answer was lost",
            ),
            note: "Rate not published: 100/s is a safe default. Replaces all items; has no id.",
            ..STATE
        },
        Endpoint {
            id: TRACK_BULK,
            path: "/api/events/trackBulk",
            max_records: 1000,
            rate: per_second(10, "project"),
            concurrency: 2,
            retry_safe_by: RetrySafety::EventId,
            partial_failure: PartialFailure::ByValue,
            backfill: EVENT_BACKFILL,
            note: EVENT_NOTE,
            ..STATE
        },
        Endpoint {
            id: TRACK,
            path: "/api/events/track",
            rate: per_second(2000, "project"),
            concurrency: 16,
            retry_safe_by: RetrySafety::EventId,
            backfill: EVENT_BACKFILL,
            note: EVENT_NOTE,
            ..STATE
        },
        Endpoint {
            id: CATALOG_PATCH,
            path: "/api/catalogs/{catalog}/items",
            max_records: 1000,
            max_record_bytes: MAX_ITEM_BYTES,
            rate: per_second(100, "api key"),
            partial_failure: PartialFailure::Whole,
            null_clears: true,
            note: "Replaces the fields sent. Catalogs are a paid add-on and must exist. Accepted first, stored later, no result per item. \
                That null blanks a field is published for profiles only; `catalog_write: replace` does without it. \
                At most 350 fields per catalog.",
            ..STATE
        },
        Endpoint {
            id: CATALOG_REPLACE,
            path: "/api/catalogs/{catalog}/items",
            max_records: 1000,
            max_record_bytes: MAX_ITEM_BYTES,
            rate: per_second(100, "api key"),
            partial_failure: PartialFailure::Whole,
            note: "The same call, replacing whole items: fields not sent are dropped.",
            ..STATE
        },
        Endpoint {
            id: CATALOG_DELETE,
            method: Method::Delete,
            path: "/api/catalogs/{catalog}/items",
            max_records: 1000,
            partial_failure: PartialFailure::Whole,
            note: "Rate and count not published: those of writing items are taken.",
            ..STATE
        },
        Endpoint {
            id: SUBSCRIBE_EMAIL,
            method: Method::Patch,
            path: "/api/subscriptions/{group}/{groupId}/user/{email}",
            backfill: SUBSCRIPTION_JOURNEYS,
            note: SUBSCRIPTION_NOTE,
            ..STATE
        },
        Endpoint {
            id: SUBSCRIBE_USER_ID,
            method: Method::Patch,
            path: "/api/subscriptions/{group}/{groupId}/byUserId/{userId}",
            backfill: SUBSCRIPTION_JOURNEYS,
            note: SUBSCRIPTION_NOTE,
            ..STATE
        },
        Endpoint {
            id: UNSUBSCRIBE_EMAIL,
            method: Method::Delete,
            path: "/api/subscriptions/{group}/{groupId}/user/{email}",
            backfill: SUBSCRIPTION_JOURNEYS,
            note: SUBSCRIPTION_NOTE,
            ..STATE
        },
        Endpoint {
            id: UNSUBSCRIBE_USER_ID,
            method: Method::Delete,
            path: "/api/subscriptions/{group}/{groupId}/byUserId/{userId}",
            backfill: SUBSCRIPTION_JOURNEYS,
            note: SUBSCRIPTION_NOTE,
            ..STATE
        },
        Endpoint {
            id: SUBSCRIPTIONS,
            path: "/api/users/updateSubscriptions",
            rate: per_second(50, "project"),
            backfill: SUBSCRIPTION_JOURNEYS,
            note: "Rate not published. Every list sent replaces the stored one, so only the one that changes is sent, computed from the \
                profile as just read.",
            ..STATE
        },
        Endpoint {
            id: GET_BY_EMAIL,
            method: Method::Get,
            path: "/api/users/getByEmail",
            retry_safe_by: RetrySafety::ReadOnly,
            note: "An unknown person is 200 without `user`.",
            ..STATE
        },
        Endpoint {
            id: GET_BY_USER_ID,
            method: Method::Get,
            path: "/api/users/byUserId",
            retry_safe_by: RetrySafety::ReadOnly,
            note: "An unknown person is `error.users.noUserWithIdExists` with status 400 or 500.",
            ..STATE
        },
        Endpoint {
            id: DELETE_BY_EMAIL,
            method: Method::Delete,
            path: "/api/users/{email}",
            note: "Takes effect later; an unknown person is 400 `BadParams`. A later write makes the person anew.",
            ..STATE
        },
        Endpoint {
            id: DELETE_BY_USER_ID,
            method: Method::Delete,
            path: "/api/users/byUserId/{userId}",
            note: "As by e-mail; deletes every profile with that id.",
            ..STATE
        },
        Endpoint {
            id: FORGET,
            path: "/api/users/forget",
            rate: per_second(3, "project"),
            concurrency: 1,
            note: "Also at most 1,000 a day. Deletes the person and refuses every later write about them.",
            ..STATE
        },
        Endpoint {
            id: MERGE,
            path: "/api/users/merge",
            rate: per_second(50, "api key"),
            note: "Cannot be undone. The destination's fields win, events are copied, the source goes. What happens to subscriptions is not \
                published, so what the source had left is left for the destination first. Needs a server-side key.",
            ..STATE
        },
        Endpoint {
            id: UPDATE_EMAIL,
            path: "/api/users/updateEmail",
            note: "In `email` projects only. Rate not published: 100/s is a safe default. Refused while another profile has the new address; \
                the two are then merged.",
            ..STATE
        },
        Endpoint {
            id: LIST_SUBSCRIBE,
            path: "/api/lists/subscribe",
            max_records: 1000,
            rate: per_second(5, "project"),
            concurrency: 2,
            partial_failure: PartialFailure::ByValue,
            backfill: Backfill::Withheld("joining a list can start journeys; `backfill_lists` sends it"),
            note: "Rate and rows not published: 5/s and 1,000 are safe defaults. Static lists only. Membership is no consent.",
            ..STATE
        },
        Endpoint {
            id: LIST_UNSUBSCRIBE,
            path: "/api/lists/unsubscribe",
            max_records: 1000,
            rate: per_second(5, "project"),
            concurrency: 2,
            partial_failure: PartialFailure::ByValue,
            note: "As joining. Never takes the list's channel along.",
            ..STATE
        },
        Endpoint {
            id: TRIGGER,
            path: "/api/workflows/triggerWorkflow",
            retry_safe_by: RetrySafety::None,
            backfill: Backfill::Withheld("it starts a journey, which is all it does"),
            promise: Promise::AtLeastOnce("the journey starts a second time when an answer was lost"),
            note: "Rate not published: 100/s is a safe default. Where it can be, let the journey start on the event instead: events have ids.",
            ..STATE
        },
        Endpoint {
            id: CATALOG_CREATE,
            path: "/api/catalogs/{catalog}",
            note: "Only where a catalog is missing and `catalogs.create` is set.",
            ..STATE
        },
        Endpoint {
            id: CATALOG_FIELDS,
            method: Method::Put,
            path: "/api/catalogs/{catalog}/fieldMappings",
            note: "Right after a catalog was made: a type cannot be changed, and only what is written after it is searchable.",
            ..STATE
        },
        Endpoint {
            id: EVENTS_BY_EMAIL,
            method: Method::Get,
            path: "/api/events/{email}",
            retry_safe_by: RetrySafety::ReadOnly,
            note: "For reconciliation: the 200 most recent events and purchases of a person.",
            ..STATE
        },
        Endpoint {
            id: EVENTS_BY_USER_ID,
            method: Method::Get,
            path: "/api/events/byUserId/{userId}",
            retry_safe_by: RetrySafety::ReadOnly,
            note: "For reconciliation: the 200 most recent events and purchases of a person.",
            ..STATE
        },
        Endpoint {
            id: EXPORT_EVENTS,
            method: Method::Get,
            path: "/api/export/userEvents",
            rate: per_second(50, "project"),
            retry_safe_by: RetrySafety::ReadOnly,
            note: "Before a yes joins somebody to a message type: their events, one a line, tell whether they left it and when. Rate not \
                published: 50/s is a safe default.",
            ..STATE
        },
        Endpoint {
            id: CATALOG_ITEM,
            method: Method::Get,
            path: "/api/catalogs/{catalog}/items/{id}",
            retry_safe_by: RetrySafety::ReadOnly,
            note: "For reconciliation. Rate not published: 100/s is a safe default.",
            ..STATE
        },
        Endpoint {
            id: MESSAGE_TYPES,
            method: Method::Get,
            path: "/api/messageTypes",
            retry_safe_by: RetrySafety::ReadOnly,
            note: "Checks the credentials.",
            ..STATE
        },
    ],
};
