//! What an account is set up with.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::SandboxError;

/// Whether calls run out of budget.
#[derive(Clone, Copy, Deserialize)]
#[serde(untagged)]
pub(crate) enum RateLimits {
    Switch(bool),
    Scaled { factor: f64 },
}

impl RateLimits {
    /// Calls a minute; `None` for any number.
    pub(super) fn of(self, per_minute: f64) -> Option<f64> {
        match self {
            Self::Switch(false) => None,
            Self::Switch(true) => Some(per_minute),
            Self::Scaled { factor } => Some((per_minute * factor).max(1.0)),
        }
    }
}

/// Type of a custom attribute, fixed when it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    String,
    Number,
    Boolean,
    Datetime,
    Array,
}

/// A way to reach people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Channel {
    Email,
    Sms,
    Whatsapp,
}

impl Channel {
    pub(super) const ALL: [Self; 3] = [Self::Email, Self::Sms, Self::Whatsapp];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
            Self::Whatsapp => "whatsapp",
        }
    }
}

/// A journey that starts on an event and sends to whoever can be reached.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Journey {
    pub(super) name: String,
    pub(super) event: String,
    /// Whose permission decides; without one everybody is sent to.
    pub(super) channel: Option<Channel>,
}

/// How the account behaves.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Options {
    pub(super) partner: String,
    pub(super) token: String,
    pub(super) unsubscribe_token: String,
    pub(super) resubscribe_token: String,
    pub(super) catalog_token: String,
    pub(super) rate_limits: RateLimits,
    /// Identifiers that are switched on, the strongest first; customs as `custom.<name>`.
    pub(super) identifiers: Vec<String>,
    /// Custom attributes that exist; all are made on sight when absent, with the type of their first value.
    pub(super) custom_attributes: Option<BTreeMap<String, Kind>>,
    /// Whether a yes by upsert also lifts an unsubscription: not published, and so taken at its worst.
    pub(super) optin_lifts_unsubscription: bool,
    /// Whether somebody who was never asked is sent to.
    pub(super) absent_optin_is_yes: bool,
    pub(super) retention_days: BTreeMap<String, i64>,
    /// Days for events that `retention_days` does not name.
    pub(super) custom_retention_days: i64,
    pub(super) journeys: Vec<Journey>,
    /// Locales of the catalog; any when absent.
    pub(super) locales: Option<Vec<String>>,
    /// Whether unsubscribing by e-mail wants users instead of addresses.
    pub(super) profile_based_email: bool,
}

impl Default for Options {
    fn default() -> Self {
        let days = [("purchase", 730), ("confirmation_page_view", 730), ("sign_up_confirmation", 365)];
        Self {
            partner: "sandbox".into(),
            token: "ucd-key".into(),
            unsubscribe_token: "unsubscribe-key".into(),
            resubscribe_token: "resubscribe-key".into(),
            catalog_token: "catalog-key".into(),
            rate_limits: RateLimits::Switch(true),
            identifiers: ["uuid", "email", "phone_number"].map(str::to_owned).to_vec(),
            custom_attributes: None,
            optin_lifts_unsubscription: true,
            absent_optin_is_yes: false,
            retention_days: days.map(|(name, days)| (name.to_owned(), days)).into(),
            custom_retention_days: 90,
            journeys: Vec::new(),
            locales: None,
            profile_based_email: false,
        }
    }
}

impl Options {
    /// Refuses what would otherwise show as a puzzling reply much later.
    pub(super) fn check(&self) -> Result<(), SandboxError> {
        let invalid = |why: &str| Err(SandboxError::Invalid(format!("options: `insider`: {why}")));
        if self.partner.is_empty() || self.partner.to_lowercase() != self.partner {
            return invalid("`partner` is empty or has capitals");
        }
        if self.identifiers.is_empty() {
            return invalid("`identifiers` is empty");
        }
        let known = |name: &String| matches!(name.as_str(), "uuid" | "email" | "phone_number") || name.starts_with("custom.");
        if !self.identifiers.iter().all(known) {
            return invalid("`identifiers` knows `uuid`, `email`, `phone_number` and `custom.<name>`");
        }
        if let RateLimits::Scaled { factor } = self.rate_limits
            && !(factor.is_finite() && factor > 0.0)
        {
            return invalid("`rate_limits`: `factor` must be above 0");
        }
        Ok(())
    }

    pub(super) fn is_identifier(&self, name: &str) -> bool {
        self.identifiers.iter().any(|known| known == name)
    }

    /// Days after which an event is not written.
    pub(super) fn retention(&self, event: &str) -> i64 {
        self.retention_days.get(event).copied().unwrap_or(self.custom_retention_days)
    }
}
