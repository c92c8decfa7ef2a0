//! Says what is wrong with a record, where, and how bad it is. Reports, never repairs.
//!
//! Every rule is a row of [`RULES`]; every code stands in the one registry, [`FindingCode`]. A finding points into the
//! *canonical* record (`/body/lines/3/quantity`, `/envelope/identity/email`), carries the figures it is about, and never
//! the value of a personal field.
//!
//! ```
//! use cartwire::model::{Category, Record};
//! use cartwire::validate::{Config, validate};
//! let record: Record = serde_json::from_str(r#"{
//!     "envelope": {
//!         "source": "shop", "tenant": "demo", "resource": {"type": "category", "id": "shoes"},
//!         "occurred_at": "2026-05-01T12:00:00Z", "observed_at": "2026-05-01T12:00:01Z",
//!         "correlation_id": "c-1", "idempotency_key": "k-1"
//!     },
//!     "body": {"type": "category", "id": "shoes"}
//! }"#)?;
//! let config: Config = serde_json::from_str(r#"{"policy": {"name.missing": "reject"}}"#)?;
//! let findings = validate(&record, &config.context(record.envelope.observed_at));
//! assert_eq!(findings[0].pointer, "/body/name");
//! assert!(findings[0].is_error());
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! # What a rule takes into account
//!
//! - **Identity**: one of customer id, e-mail, phone, anonymous id or an external id is enough, so a guest's cart with only
//!   its session counts. Products and categories need none, nor do the two events that are about a product rather than a
//!   person (`price_dropped`, `back_in_stock`).
//! - **E-mail** and **phone** are judged by their form only, in the envelope's identity; addresses in books and parcels are
//!   not used to reach anyone. What an e-mail address may look like is written at [`check_email`].
//! - **Order total**: the sum at [`crate::model::order`] is added up with all its digits and may be off the total by half a
//!   minor unit of the currency at most, which is: equal once both are rounded. A sum that ends exactly between two minor
//!   units matches either, because shops choose how they round.
//! - **Line total**: quantity × unit price − discounts of the line that the unit price does not hold yet, give or take one
//!   minor unit per unit of quantity, because platforms round per unit. Gifts and parts of bundles are left out: their
//!   unit price is what they would have cost. Totals computed outside the shop need not follow; hence only a warning.
//! - **Currencies**: custom fields may hold any; everything that enters a sum, and refunds, must be in the total's.
//!
//! One code is reported at most [`MAX_PER_CODE`] times per record; the last one says how many more there are.

mod email;
mod pointer;
mod policy;
mod rules;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use email::check as check_email;
pub use pointer::Pointer;
pub use policy::{Action, Policy};
pub use rules::{Kinds, RULES, Rule};

use crate::model::{Finding, FindingCode, Instant, Record, Severity};

/// Most findings of one code in one record.
pub const MAX_PER_CODE: usize = 20;

/// Settings of validation.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "ValidateConfig")]
pub struct Config {
    /// What each finding code leads to: `reject`, `warn` or `ignore`. A code that is not named keeps its own severity.
    pub policy: Policy,
    /// Seconds that a time may lie ahead of our clock before it counts as in the future. Default 300, at most 31,536,000
    /// (a year).
    #[schemars(range(max = 31_536_000))]
    pub future_tolerance_s: u32,
}

impl Default for Config {
    fn default() -> Self {
        Config { policy: Policy::default(), future_tolerance_s: 300 }
    }
}

impl Config {
    /// Most seconds that [`Config::future_tolerance_s`] may be; more is cut to this.
    pub const MAX_FUTURE_TOLERANCE_S: u32 = 31_536_000;

    /// The context for records judged at that time.
    #[must_use]
    pub fn context(&self, now: Instant) -> ValidateContext<'_> {
        let seconds = self.future_tolerance_s.min(Self::MAX_FUTURE_TOLERANCE_S);
        ValidateContext { now, future_tolerance: Duration::from_secs(u64::from(seconds)), policy: &self.policy }
    }
}

/// What validation needs to know besides the record.
#[derive(Clone, Copy, Debug)]
pub struct ValidateContext<'a> {
    /// The time that counts as now.
    pub now: Instant,
    /// How far ahead of now a time may lie.
    pub future_tolerance: Duration,
    /// What each code leads to.
    pub policy: &'a Policy,
}

impl ValidateContext<'_> {
    /// How far ahead of now a time lies, where that is more than the tolerance.
    fn ahead(&self, at: Instant) -> Option<Duration> {
        at.signed_duration_since(self.now).to_std().ok().filter(|ahead| *ahead > self.future_tolerance)
    }
}

/// Applies every rule to a record. Empty when all is well, and then nothing was allocated (an order of more than 512 lines
/// costs one list of its line ids). The record must not be sent when any finding [is an error](Finding::is_error).
#[must_use]
pub fn validate(record: &Record, context: &ValidateContext<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let kind = Kinds::of(&record.body);
    for rule in RULES {
        if !rule.kinds.contains(kind) {
            continue;
        }
        let severity = match context.policy.action(rule.code) {
            Action::Ignore => continue,
            Action::Warn => Severity::Warning,
            Action::Reject => Severity::Error,
        };
        let mut report = Report { code: rule.code, severity, seen: 0, found: &mut found };
        (rule.check)(record, context, &mut report);
        report.finish();
    }
    found
}

/// Takes the findings of one rule.
pub struct Report<'a> {
    code: FindingCode,
    severity: Severity,
    seen: usize,
    found: &'a mut Vec<Finding>,
}

impl Report<'_> {
    /// Reports the rule's finding at a place.
    fn at(&mut self, pointer: &Pointer<'_>, message: fmt::Arguments<'_>) {
        self.seen += 1;
        if self.seen <= MAX_PER_CODE {
            let finding = Finding { code: self.code, pointer: pointer.to_string(), severity: self.severity, message: message.to_string() };
            self.found.push(finding);
        }
    }

    fn finish(self) {
        if let (Some(more @ 1..), Some(last)) = (self.seen.checked_sub(MAX_PER_CODE), self.found.last_mut()) {
            last.message.push_str(&format!("; and {more} more of this kind"));
        }
    }
}

impl fmt::Debug for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report").field("code", &self.code).field("seen", &self.seen).finish_non_exhaustive()
    }
}
