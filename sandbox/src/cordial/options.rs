//! What a test may set about the account.

use crate::SandboxError;
use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Attribute {
    pub(super) key: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) max: Option<usize>,
    #[serde(default)]
    pub(super) index: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Supplement {
    pub(super) key: String,
    #[serde(default)]
    pub(super) indexes: Vec<String>,
    #[serde(default)]
    pub(super) contact_object: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum RateLimits {
    Switch(bool),
    PerMinute(f64),
}

impl RateLimits {
    pub(super) fn per_minute(&self) -> Option<f64> {
        match self {
            Self::Switch(false) => None,
            Self::Switch(true) => Some(600.0),
            Self::PerMinute(count) => Some(*count),
        }
    }
}

/// What happens to `subscribed` for somebody who left, without `forceSubscribe`. Not published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unforced {
    Ignore,
    Refuse,
}

/// The account as it is at the start.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Options {
    pub(super) api_key: String,
    pub(super) attributes: Vec<Attribute>,
    /// Attributes that name one contact.
    pub(super) unique: Vec<String>,
    pub(super) lists: Vec<String>,
    /// Keys of channels; one that begins with `sms` asks before it subscribes.
    pub(super) channels: Vec<String>,
    pub(super) supplements: Vec<Supplement>,
    pub(super) merging: bool,
    /// Whether `suppressDOI` may be sent.
    pub(super) doi_suppressible: bool,
    pub(super) unforced: Unforced,
    pub(super) rate_limits: RateLimits,
    /// How often a job is asked after before it has ended.
    pub(super) job_polls: u32,
}

impl Default for Options {
    fn default() -> Self {
        let attribute = |key: &str, kind: &str| Attribute { key: key.into(), kind: kind.into(), max: None, index: false };
        Self {
            api_key: "sandbox-key".into(),
            attributes: vec![
                attribute("customer_id", "string"),
                attribute("first_name", "string"),
                attribute("last_name", "string"),
                attribute("birthday", "date"),
                attribute("points", "number"),
                attribute("home_address", "geo"),
                attribute("groups", "array"),
                attribute("consent_email_at", "date"),
            ],
            unique: vec!["customer_id".into()],
            lists: vec!["vip".into()],
            channels: vec!["email".into(), "sms".into()],
            supplements: Vec::new(),
            merging: false,
            doi_suppressible: false,
            unforced: Unforced::Ignore,
            rate_limits: RateLimits::Switch(true),
            job_polls: 1,
        }
    }
}

impl Options {
    pub(super) fn check(&self) -> Result<(), SandboxError> {
        let invalid = |why: String| Err(SandboxError::Invalid(format!("options: `cordial`: {why}")));
        if self.api_key.is_empty() {
            return invalid("`api_key` is empty".into());
        }
        if !self.channels.iter().any(|channel| channel == "email") {
            return invalid("`channels` lacks `email`".into());
        }
        if let Some(attribute) =
            self.attributes.iter().find(|own| !["string", "number", "date", "geo", "array"].contains(&own.kind.as_str()))
        {
            return invalid(format!("no such type: {}", attribute.kind));
        }
        if let Some(key) = self.unique.iter().find(|key| self.attribute(key).is_none()) {
            return invalid(format!("`unique` names `{key}`, which is no attribute"));
        }
        Ok(())
    }

    pub(super) fn attribute(&self, key: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.key == key)
    }

    pub(super) fn supplement(&self, key: &str) -> Option<&Supplement> {
        self.supplements.iter().find(|supplement| supplement.key == key)
    }
}
