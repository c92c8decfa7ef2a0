//! What a project is set up with.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::routes::{self, Route};
use crate::SandboxError;
use crate::limits::Rate;

/// Which of email and userId identifies a profile; fixed for a project's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ProjectType {
    Email,
    UserId,
    Hybrid,
}

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeyType {
    Server,
    Mobile,
}

/// Whether calls run out of budget.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum RateLimits {
    Switch(bool),
    Scaled(Scaled),
}

/// The vendor's rates times a factor, and rates of one's own where none is published.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scaled {
    #[serde(default = "one")]
    factor: f64,
    /// Calls per second by endpoint, such as `POST /api/commerce/trackPurchase`.
    #[serde(default)]
    per_second: BTreeMap<String, f64>,
}

fn one() -> f64 {
    1.0
}

impl RateLimits {
    /// The rates that hold for an endpoint.
    pub(super) fn of(&self, route: &Route) -> Vec<Rate> {
        match self {
            Self::Switch(false) => Vec::new(),
            Self::Switch(true) => route.rates.to_vec(),
            Self::Scaled(scaled) => match scaled.per_second.get(route.name) {
                Some(own) => vec![Rate::per_second(*own)],
                None => route.rates.iter().map(|rate| rate.scaled(scaled.factor)).collect(),
            },
        }
    }
}

/// A way to reach people that they can leave.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Channel {
    pub(super) id: i64,
    pub(super) name: String,
    #[serde(default = "marketing")]
    pub(super) channel_type: String,
    #[serde(default = "email")]
    pub(super) message_medium: String,
}

fn marketing() -> String {
    "Marketing".into()
}

fn email() -> String {
    "Email".into()
}

/// How a message type is joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum Policy {
    OptIn,
    OptOut,
}

/// A kind of message within a channel.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessageType {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) channel_id: i64,
    pub(super) policy: Policy,
}

/// A list that exists from the start.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListOption {
    pub(super) id: i64,
    pub(super) name: String,
    #[serde(default = "standard")]
    pub(super) list_type: String,
    pub(super) channel_id: Option<i64>,
}

fn standard() -> String {
    "Standard".into()
}

/// What starts a journey.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Trigger {
    Purchase,
    Cart,
    Subscribe,
    Unsubscribe,
    Event(String),
    ProfileField(String),
    /// Only when it is told to, by this id.
    Call(i64),
}

/// A journey, which mails whoever starts it.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Journey {
    pub(super) name: String,
    pub(super) trigger: Trigger,
    /// Whose consent decides whether a firing mails; without it everybody with an address is mailed.
    pub(super) message_type: Option<i64>,
    /// Events with an older `createdAt` don't start it; without it they do.
    pub(super) ignore_older_than_hours: Option<f64>,
}

/// How the project behaves.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Options {
    pub(super) api_key: String,
    pub(super) api_key_type: KeyType,
    pub(super) project_type: ProjectType,
    pub(super) rate_limits: RateLimits,
    pub(super) additive_subscriptions: bool,
    pub(super) opt_in_message_types: bool,
    pub(super) create_new_fields: bool,
    pub(super) channels: Vec<Channel>,
    pub(super) message_types: Vec<MessageType>,
    pub(super) lists: Vec<ListOption>,
    pub(super) catalogs_enabled: bool,
    pub(super) catalogs: Vec<String>,
    pub(super) disallowed_events: Vec<String>,
    pub(super) journeys: Vec<Journey>,
    pub(super) max_profile_fields: usize,
    pub(super) max_event_fields: usize,
    /// No number is published; none holds unless set.
    pub(super) max_bulk_rows: Option<usize>,
    /// Whether whole purchases are kept, or only their digests.
    pub(super) retain_purchases: bool,
    /// The same for custom events.
    pub(super) retain_events: bool,
}

impl Default for Options {
    fn default() -> Self {
        let channel = |id, name: &str, channel_type: &str, medium: &str| Channel {
            id,
            name: name.into(),
            channel_type: channel_type.into(),
            message_medium: medium.into(),
        };
        let message_type = |id, name: &str, channel_id, policy| MessageType { id, name: name.into(), channel_id, policy };
        Self {
            api_key: "sandbox-key".into(),
            api_key_type: KeyType::Server,
            project_type: ProjectType::Hybrid,
            rate_limits: RateLimits::Switch(true),
            additive_subscriptions: true,
            opt_in_message_types: true,
            create_new_fields: true,
            channels: vec![
                channel(1, "Marketing", "Marketing", "Email"),
                channel(2, "Transactional", "Transactional", "Email"),
                channel(3, "SMS marketing", "Marketing", "SMS"),
            ],
            message_types: vec![
                message_type(101, "Newsletter", 1, Policy::OptIn),
                message_type(102, "Offers", 1, Policy::OptOut),
                message_type(201, "Order updates", 2, Policy::OptOut),
                message_type(301, "SMS offers", 3, Policy::OptIn),
            ],
            lists: Vec::new(),
            catalogs_enabled: true,
            catalogs: Vec::new(),
            disallowed_events: Vec::new(),
            journeys: Vec::new(),
            max_profile_fields: 1_000,
            max_event_fields: 8_000,
            max_bulk_rows: None,
            retain_purchases: true,
            retain_events: true,
        }
    }
}

impl Options {
    /// Refuses what would otherwise show as a puzzling reply much later.
    pub(super) fn check(&self) -> Result<(), SandboxError> {
        let invalid = |why: String| Err(SandboxError::Invalid(format!("options: `iterable`: {why}")));
        if self.api_key.is_empty() {
            return invalid("`api_key` is empty".into());
        }
        if let RateLimits::Scaled(scaled) = &self.rate_limits {
            let positive = |number: f64| number.is_finite() && number > 0.0;
            if !positive(scaled.factor) || !scaled.per_second.values().all(|number| positive(*number)) {
                return invalid("`rate_limits`: numbers must be above 0".into());
            }
            if let Some(name) = scaled.per_second.keys().find(|name| !routes::is_name(name)) {
                return invalid(format!("`rate_limits`: no such endpoint: {name}"));
            }
        }
        for kind in &self.message_types {
            if self.channel(kind.channel_id).is_none() {
                return invalid(format!("message type {} names channel {}, which is not there", kind.id, kind.channel_id));
            }
        }
        for journey in &self.journeys {
            if journey.message_type.is_some_and(|id| self.message_type(id).is_none()) {
                return invalid(format!("journey {} names a message type which is not there", journey.name));
            }
        }
        Ok(())
    }

    pub(super) fn channel(&self, id: i64) -> Option<&Channel> {
        self.channels.iter().find(|channel| channel.id == id)
    }

    pub(super) fn message_type(&self, id: i64) -> Option<&MessageType> {
        self.message_types.iter().find(|kind| kind.id == id)
    }

    /// The name under which a profile shows its lists.
    pub(super) fn list_field(&self) -> &'static str {
        if self.project_type == ProjectType::Email { "emailListIds" } else { "userListIds" }
    }
}
