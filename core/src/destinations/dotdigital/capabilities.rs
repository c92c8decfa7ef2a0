//! Dotdigital's limits and promises, as data. Every number about the vendor is here and nowhere else.
//!
//! Calls are counted in tiers (<https://developer.dotdigital.com/docs/call-rate-limits>). Only the lowest published number
//! is known (35 a minute for heavy calls of the smallest package), and not which call is in which tier; the budgets are
//! safe defaults, and answers slow them down further.

use super::super::{Backfill, Capabilities, Endpoint, JobFacts, Method, PartialFailure, Promise, Rate, RetrySafety};

/// `contacts/v3`, creating only
pub(super) const CREATE: &str = "contacts.create";
/// `contacts/v3/{identifier}/{value}`, changing
pub(super) const PATCH: &str = "contacts.patch";
/// `contacts/v3/{identifier}/{value}`, reading
pub(super) const GET: &str = "contacts.get";
/// `contacts/v3/{identifier}/{value}`, deleting
pub(super) const DELETE: &str = "contacts.delete";
/// `contacts/v3/import`
pub(super) const IMPORT: &str = "contacts.import";
/// `contacts/v3/import/{importId}`
pub(super) const IMPORT_STATUS: &str = "contacts.importStatus";
/// `contacts/v3/delete`
pub(super) const BULK_DELETE: &str = "contacts.bulkDelete";
/// `contacts/v3/delete/{deleteId}`
pub(super) const DELETE_STATUS: &str = "contacts.deleteStatus";
/// `insightData/v3/import`
pub(super) const INSIGHT_IMPORT: &str = "insight.import";
/// `insightData/v3/import/{importId}`
pub(super) const INSIGHT_STATUS: &str = "insight.importStatus";
/// `insightData/v3/contacts/…/{recordId}`, writing
pub(super) const PUT_CONTACT: &str = "insight.putContactRecord";
/// `insightData/v3/account/…/{recordId}`, writing
pub(super) const PUT_ACCOUNT: &str = "insight.putAccountRecord";
/// `insightData/v3/contacts/…/{recordId}`, reading
pub(super) const GET_CONTACT_RECORD: &str = "insight.getContactRecord";
/// `insightData/v3/account/…/{recordId}`, reading
pub(super) const GET_ACCOUNT_RECORD: &str = "insight.getAccountRecord";
/// `insightData/v3/contacts/…/{recordId}`, deleting
pub(super) const DELETE_RECORD: &str = "insight.deleteContactRecord";
/// `insightData/v3/accounts/…/deleteRecords`
pub(super) const DELETE_RECORDS: &str = "insight.deleteAccountRecords";
/// `insightData/v3/contacts/…/empty`
pub(super) const EMPTY: &str = "insight.emptyContactCollection";
/// `insightData/v3/collections/{collection}`, creating
pub(super) const COLLECTION: &str = "insight.createCollection";
/// `events/v3/import`
pub(super) const EVENTS: &str = "events.import";
/// `v2/data-fields`, reading
pub(super) const FIELDS: &str = "dataFields.list";
/// `v2/data-fields`, making
pub(super) const MAKE_FIELD: &str = "dataFields.create";
/// `v2/address-books/…/contacts/{contactId}`, taking off
pub(super) const LEAVE_LIST: &str = "lists.removeContact";
/// `v2/programs/enrolments`
pub(super) const ENROL: &str = "programs.enrol";
/// `v2/account-info`
pub(super) const ACCOUNT: &str = "account.info";

/// Longest text of a data field, in characters.
pub(super) const MAX_FIELD_TEXT: usize = 1_000;

// 50 MB is the published limit of imports; kept well below, because one import is one job and fails late.
const MAX_IMPORT: u32 = 20_000_000;
const MAX_BODY: u32 = 1_000_000;

const fn per_minute(count: u32, budget: &'static str) -> Option<Rate> {
    Some(Rate { count, per_s: 60, scope: "account", budget })
}

const LOW: Option<Rate> = per_minute(30, "low");
const MEDIUM: Option<Rate> = per_minute(150, "medium");
const HIGH: Option<Rate> = per_minute(300, "high");

// One row per request, a state under an id: what most endpoints are.
const STATE: Endpoint = Endpoint { max_bytes: MAX_BODY, rate: MEDIUM, concurrency: 4, ..Endpoint::SINGLE };

const READ: Endpoint = Endpoint {
    method: Method::Get,
    max_bytes: MAX_BODY,
    rate: HIGH,
    concurrency: 4,
    retry_safe_by: RetrySafety::ReadOnly,
    ..Endpoint::SINGLE
};

const SEGMENTS: Backfill = Backfill::MayStartJourneys(
    "programs whose rule is a segment over this data take people in when the segment is next refreshed; pause them first",
);
const WELCOME: Backfill = Backfill::MayStartJourneys(
    "a no is sent in a backfill too; a yes, which can start a welcome program, is withheld unless `backfill_grants` is `send`",
);
const JOB: u32 = 7_200;

/// What Dotdigital takes, and how fast.
pub const CAPABILITIES: Capabilities = Capabilities {
    destination: "dotdigital",
    endpoints: &[
        Endpoint {
            id: PATCH,
            method: Method::Patch,
            path: "/contacts/v3/{identifier}/{value}",
            null_clears: true,
            job: Some(JobFacts { poll: MAKE_FIELD, give_up_s: JOB }),
            backfill: WELCOME,
            note: "Sent only to a `contactId` just read, so it can neither create nor restore anyone. Data fields the account does not \
                know are made through `dataFields.create`, then the contact is written again. An address or number another contact has is \
                409; Dotdigital merges no contacts.",
            ..STATE
        },
        Endpoint {
            id: CREATE,
            path: "/contacts/v3",
            backfill: WELCOME,
            note: "Creates only: 409 when any identifier is taken. Without a status Dotdigital subscribes the new contact, so a status is \
                always written.",
            ..STATE
        },
        Endpoint {
            id: GET,
            path: "/contacts/v3/{identifier}/{value}",
            note: "Goes before every write of a contact. A status this version does not know counts as \"do not mail\".",
            ..READ
        },
        Endpoint {
            id: DELETE,
            method: Method::Delete,
            path: "/contacts/v3/{identifier}/{value}",
            note: "Puts the contact into the recycle bin, from which a write by e-mail would restore it; an unknown contact is 404, which \
                counts as done.",
            ..STATE
        },
        Endpoint {
            id: IMPORT,
            method: Method::Put,
            path: "/contacts/v3/import",
            max_records: 2_000,
            max_bytes: MAX_IMPORT,
            rate: LOW,
            partial_failure: PartialFailure::ByValue,
            null_clears: true,
            job: Some(JobFacts { poll: IMPORT_STATUS, give_up_s: JOB }),
            backfill: WELCOME,
            note: "A job. At most 50 MB and 25 imports under way in the account; 2,000 rows are practice, not published. Subscribes new \
                contacts unless a status is in the row, so only rows that can subscribe nobody are imported. One at a time: imports of the \
                same people may end out of order.",
            ..STATE
        },
        Endpoint {
            id: IMPORT_STATUS,
            path: "/contacts/v3/import/{importId}",
            rate: None,
            note: "`RejectedByWatchdog` is a human's decision at Dotdigital and is never tried again.",
            ..READ
        },
        Endpoint {
            id: BULK_DELETE,
            path: "/contacts/v3/delete",
            max_records: 5_000,
            max_bytes: MAX_IMPORT,
            rate: LOW,
            concurrency: 1,
            partial_failure: PartialFailure::ByValue,
            job: Some(JobFacts { poll: DELETE_STATUS, give_up_s: JOB }),
            note: "A job; `delete_write: bulk`. Unknown contacts count as deleted.",
            ..STATE
        },
        Endpoint { id: DELETE_STATUS, path: "/contacts/v3/delete/{deleteId}", rate: None, ..READ },
        Endpoint {
            id: PUT_CONTACT,
            method: Method::Put,
            path: "/insightData/v3/contacts/{identifier}/{value}/{collection}/{recordId}",
            max_bytes: MAX_IMPORT,
            backfill: SEGMENTS,
            note: "Replaces the whole record. The first value of a member fixes its type for the collection. A missing contact is created \
                as unsubscribed and a missing collection is made, then the record is written again.",
            ..STATE
        },
        Endpoint {
            id: PUT_ACCOUNT,
            method: Method::Put,
            path: "/insightData/v3/account/{collection}/{recordId}",
            max_bytes: MAX_IMPORT,
            note: "Replaces the whole record. A missing collection is made first.",
            ..STATE
        },
        Endpoint {
            id: INSIGHT_IMPORT,
            method: Method::Put,
            path: "/insightData/v3/import",
            max_records: 2_000,
            max_bytes: MAX_IMPORT,
            rate: LOW,
            concurrency: 1,
            many_per_lane: true,
            partial_failure: PartialFailure::ByValue,
            job: Some(JobFacts { poll: INSIGHT_STATUS, give_up_s: JOB }),
            backfill: SEGMENTS,
            note: "A job. At most 50 MB and 5 imports under way in the account. Makes missing collections. Whether it replaces or merges is \
                not published: records are always sent whole. A row whose contact is missing is written one by one after the contact was \
                created as unsubscribed.",
            ..STATE
        },
        Endpoint {
            id: INSIGHT_STATUS,
            path: "/insightData/v3/import/{importId}",
            rate: None,
            note: "The published document says `Complete`, the server `Finished`; both count.",
            ..READ
        },
        Endpoint {
            id: GET_CONTACT_RECORD,
            path: "/insightData/v3/contacts/{identifier}/{value}/{collection}/{recordId}",
            note: "Reconciliation only.",
            ..READ
        },
        Endpoint { id: GET_ACCOUNT_RECORD, path: "/insightData/v3/account/{collection}/{recordId}", note: "Reconciliation only.", ..READ },
        Endpoint {
            id: DELETE_RECORD,
            method: Method::Delete,
            path: "/insightData/v3/contacts/{identifier}/{value}/{collection}/{recordId}",
            note: "A missing record is 404, which counts as done.",
            ..STATE
        },
        Endpoint {
            id: DELETE_RECORDS,
            method: Method::Delete,
            path: "/insightData/v3/accounts/{collection}/deleteRecords",
            max_records: 5_000,
            rate: LOW,
            partial_failure: PartialFailure::ByValue,
            note: "A DELETE with a body. Keys that are not there count as deleted.",
            ..STATE
        },
        Endpoint {
            id: EMPTY,
            method: Method::Delete,
            path: "/insightData/v3/contacts/{identifier}/{value}/{collection}/empty",
            rate: LOW,
            note: "Part of an erasure. A job at Dotdigital that is not followed: the contact is deleted next.",
            ..STATE
        },
        Endpoint {
            id: COLLECTION,
            path: "/insightData/v3/collections/{collection}",
            note: "Called only after an answer that the collection is missing. At most 1,000 collections.",
            ..STATE
        },
        Endpoint {
            id: EVENTS,
            path: "/events/v3/import",
            max_records: 5_000,
            max_bytes: MAX_IMPORT,
            rate: LOW,
            concurrency: 1,
            many_per_lane: true,
            retry_safe_by: RetrySafety::EventId,
            partial_failure: PartialFailure::Whole,
            backfill: Backfill::Withheld("programs start on events; `backfill_events` sends them"),
            promise: Promise::AtLeastOnce("Dotdigital does not say whether it drops an id it has seen: a second one after a lost answer"),
            note: "`events: api`. CXDP accounts only. Answers with nothing at all: an event whose contact is missing is lost in silence.",
            ..STATE
        },
        Endpoint { id: FIELDS, path: "/v2/data-fields", note: "Called only after an answer that a data field is missing.", ..READ },
        Endpoint {
            id: MAKE_FIELD,
            path: "/v2/data-fields",
            note: "Made as private. A field that exists is `ERROR_NON_UNIQUE_DATAFIELD`, which counts as done.",
            ..STATE
        },
        Endpoint {
            id: LEAVE_LIST,
            method: Method::Delete,
            path: "/v2/address-books/{list}/contacts/{contactId}",
            note: "Takes someone off one list; leaves the contact and its permissions alone.",
            ..STATE
        },
        Endpoint {
            id: ENROL,
            path: "/v2/programs/enrolments",
            max_records: 25,
            rate: Some(Rate { count: 20, per_s: 3_600, scope: "account", budget: "" }),
            concurrency: 1,
            retry_safe_by: RetrySafety::None,
            partial_failure: PartialFailure::Whole,
            backfill: Backfill::Withheld("it starts a program, which is all it does"),
            promise: Promise::AtLeastOnce("after a lost answer the person is enrolled again, unless they are still in the program"),
            note: "20 calls an hour over all programs are published; whether that still holds is not. Up to 25 people share a call where \
                their `contactId` is known.",
            ..STATE
        },
        Endpoint {
            id: ACCOUNT,
            path: "/v2/account-info",
            host: "r1",
            note: "Checks the credentials and tells the account's region; the European host answers for all.",
            ..READ
        },
    ],
};
