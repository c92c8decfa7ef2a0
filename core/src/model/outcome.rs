//! What became of a record: the words that run reports, explanations and dead letters share.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($variant:ident = $name:literal, $doc:literal;)+) => {
        /// Why something was not sent. Every skip carries one, so a skipped record can always be explained.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        pub enum SkipReason { $(#[doc = $doc] #[serde(rename = $name)] $variant,)+ }

        impl SkipReason {
            /// Every reason.
            pub const ALL: &'static [SkipReason] = &[$(SkipReason::$variant,)+];
            /// The stable name.
            #[must_use]
            pub const fn name(self) -> &'static str { match self { $(SkipReason::$variant => $name,)+ } }
            /// What it means.
            #[must_use]
            pub const fn description(self) -> &'static str { match self { $(SkipReason::$variant => $doc,)+ } }
            /// The reason of that name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> { match name { $($name => Some(SkipReason::$variant),)+ _ => None } }
        }
    };
}

reasons! {
    Duplicate = "duplicate", "The same thing was accepted before: same idempotency key.";
    Stale = "stale", "A newer version of it was accepted before.";
    Unchanged = "unchanged", "Nothing that the destination would see has changed since it was last sent.";
    ConsentDenied = "consent_denied", "A no outweighs what the record says: newer, or as old as a yes without a time.";
    ConsentUnknown = "consent_unknown", "The configured consent gate wants a yes and none is known.";
    DeniedAtDestination = "denied_at_destination", "The person unsubscribed at the destination and no newer yes is known.";
    Erased = "erased", "The person was erased; nothing about them may be sent.";
    Filtered = "filtered", "The configured filter does not let it through.";
    NotSupported = "not_supported", "The destination has no place for records of this kind, or it is switched off.";
    NotConfigured = "not_configured", "The destination needs a setting, such as a catalog name or message type, that is not given.";
    BackfillQuiet = "backfill_quiet", "In backfill mode this call could start journeys at the destination.";
    Superseded = "superseded", "Something newer made it pointless while it waited.";
    NeedsFetch = "needs_fetch", "The message names a resource without its content; fetch it and send the resource.";
    Ignored = "ignored", "The source's message says nothing a marketer needs; it is ignored by name.";
}

/// Where a record or operation ended, or where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The destination took it.
    Delivered,
    /// It was not sent, for a reason.
    Skipped,
    /// The row could not become a record, or validation refused it.
    Rejected,
    /// The destination refused it for good; it waits as a dead letter.
    DeadLettered,
    /// It is in the outbox and will be sent.
    Pending,
}
