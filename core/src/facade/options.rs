//! Options of every operation. Unknown fields are refused everywhere: a typo is an error, not silence.

#[cfg(feature = "delivery")]
use std::collections::BTreeMap;
#[cfg(feature = "delivery")]
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

#[cfg(feature = "delivery")]
use crate::destinations::Destination;
use crate::destinations::DestinationConfig;
use crate::error::{Error, ErrorCode, Result};
use crate::model::{Instant, Mode};
use crate::sources::{self, DecodeContext, SourceConfig};

/// How rows are laid out in the bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// One document: a resource, a page, an array or a message. Several lines that each hold a document are read as
    /// NDJSON.
    #[default]
    Auto,
    /// One document.
    Json,
    /// One document a line.
    Ndjson,
}

/// A source: its settings, or only its name for the defaults.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum SourceChoice {
    /// The name, such as `commercetools`.
    Name(String),
    /// The settings.
    Config(Box<SourceConfig>),
}

/// A destination: its settings.
pub type DestinationChoice = DestinationConfig;

/// Several destinations.
#[cfg(feature = "delivery")]
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum DestinationChoices {
    /// One of each type.
    List(Vec<DestinationChoice>),
    /// By names of your own: letters, digits, `_`, `-` and `.`, at most 64.
    Named(BTreeMap<String, DestinationChoice>),
}

// By hand, so that an error names the destination at fault and not only that no variant matched.
#[cfg(feature = "delivery")]
impl<'de> Deserialize<'de> for DestinationChoices {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Choices;
        impl<'de> serde::de::Visitor<'de> for Choices {
            type Value = DestinationChoices;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of destinations, or an object from names to destinations")
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                Deserialize::deserialize(serde::de::value::SeqAccessDeserializer::new(list)).map(DestinationChoices::List)
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut named = BTreeMap::new();
                while let Some((name, choice)) = map.next_entry::<String, DestinationChoice>()? {
                    if named.insert(name, choice).is_some() {
                        return Err(serde::de::Error::custom("two destinations have the same name"));
                    }
                }
                Ok(DestinationChoices::Named(named))
            }
        }
        deserializer.deserialize_any(Choices)
    }
}

/// Whether a destination may be called that: names are keys of the state and stand in reports.
#[cfg(feature = "delivery")]
pub(super) fn check_name(name: &str) -> Result<()> {
    let usable = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    if name.is_empty() || name.len() > 64 || !name.bytes().all(usable) {
        let rule = "a destination's name is 1 to 64 letters, digits, `_`, `-` and `.`";
        return Err(Error::new(ErrorCode::InvalidConfig, rule).at("/destinations"));
    }
    Ok(())
}

impl<'de> Deserialize<'de> for SourceChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(name) => Ok(SourceChoice::Name(name)),
            object => serde_json::from_value(object).map(|config| SourceChoice::Config(Box::new(config))).map_err(serde::de::Error::custom),
        }
    }
}

impl SourceChoice {
    /// The source that this chooses.
    ///
    /// # Errors
    /// `unknown_name` for a name no build knows, else what the settings have.
    pub fn open(self) -> Result<Box<dyn sources::Source>> {
        match self {
            SourceChoice::Name(name) => {
                if !sources::NAMES.contains(&name.as_str()) {
                    return Err(Error::new(
                        ErrorCode::UnknownName,
                        format!("no source is called that; there are: {}", sources::NAMES.join(", ")),
                    )
                    .at("/source"));
                }
                let config: SourceConfig = serde_json::from_value(serde_json::json!({ "type": name }))
                    .map_err(|error| Error::new(ErrorCode::InvalidConfig, error.to_string()).at("/source"))?;
                config.open()
            }
            SourceChoice::Config(config) => config.open(),
        }
    }
}

/// Options of the pure operations `normalize`, `validate` and `build`, and of a `Pipeline`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PipelineOptions {
    /// What the bytes come from. Without it, `validate` and `build` take canonical records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceChoice>,
    /// What to build for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<DestinationChoice>,
    /// Validation policy.
    pub validate: crate::validate::Config,
    /// Whether journeys may start.
    pub mode: Mode,
    /// The time to count as now; the machine's clock unless given. Give it for output that never changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<Instant>,
    /// What the bytes are, for documents that do not say: `customer`, `cart`, `order`, `product`, `category`; or `signal`
    /// for storefront signals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// How rows are laid out.
    pub format: Format,
    /// Rows above this size are rejected unread; 16 MiB unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_record_bytes: Option<usize>,
    /// Threads to spread NDJSON over; 1 unless given, 0 for one per core, at most 256. The output does not depend on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
}

impl PipelineOptions {
    /// The row limit in force.
    #[must_use]
    pub fn max_record_bytes(&self) -> usize {
        self.max_record_bytes.unwrap_or(DecodeContext::MAX_RECORD_BYTES)
    }
}

/// Options of a `Sync`.
#[cfg(feature = "delivery")]
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SyncOptions {
    /// What the bytes come from. Without it, canonical records are taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceChoice>,
    /// What to deliver to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<DestinationChoice>,
    /// What to deliver to, when it is several: a list, or an object from names to settings. The state knows each destination
    /// by its name, so a name must stay what it is; in a list, and for `destination`, it is the type's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destinations: Option<DestinationChoices>,
    /// Where to remember: `memory:`, `sqlite:path`.
    #[serde(default = "SyncOptions::default_state")]
    pub state: String,
    /// What an accepted record survives.
    #[serde(default)]
    pub durability: crate::state::Durability,
    /// Validation policy.
    #[serde(default)]
    pub validate: crate::validate::Config,
    /// How consent is weighed.
    #[serde(default)]
    pub consent: crate::decide::ConsentConfig,
    /// Whether and how events are made of orders that are read as they stand.
    #[serde(default)]
    pub events: crate::decide::EventsConfig,
    /// Whether journeys may start, unless a call says otherwise.
    #[serde(default)]
    pub mode: Mode,
    /// When to try again, and when to stop.
    #[serde(default)]
    pub retry: crate::delivery::RetryConfig,
    /// Longest wait for one answer, in seconds.
    #[serde(default = "SyncOptions::default_timeout")]
    pub timeout_s: f64,
    /// Longest wait of `deliver` and `flush` for asynchronous jobs of the destination of which none ends, in seconds; the
    /// jobs are followed in the background after that.
    #[serde(default = "SyncOptions::default_job_wait")]
    pub job_wait_s: f64,
    /// How long reading what a message only named is tried, in seconds; three days unless given. Then it is given up, and
    /// told of by `flush` and `pull`, until it is named again or a `pull` with `unread` asks for it.
    #[serde(default = "SyncOptions::default_fetch_patience")]
    pub fetch_patience_s: f64,
    /// Most requests under way at once.
    #[serde(default = "SyncOptions::default_in_flight")]
    pub max_in_flight: u16,
    /// Whether the destination's published rates are kept ahead of its refusals. Switch it off only for a sandbox.
    #[serde(default = "SyncOptions::default_rate_limits")]
    pub rate_limits: bool,
    /// Rows above this size are rejected unread; 16 MiB unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_record_bytes: Option<usize>,
    /// Days an idempotency key is remembered after its delivery.
    #[serde(default = "SyncOptions::default_key_days")]
    pub idempotency_days: u32,
    /// A time to count as now, for tests; the machine's clock unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<Instant>,
}

#[cfg(feature = "delivery")]
impl SyncOptions {
    /// Opens the destinations configured here, each with its name.
    ///
    /// # Errors
    /// What the settings have, `invalid_config` when `destination` and `destinations` are both given.
    pub fn open_destinations(&self) -> Result<Vec<(String, Arc<dyn Destination>)>> {
        let named = |choice: &DestinationChoice, at: &str| -> Result<(String, Arc<dyn Destination>)> {
            let opened: Arc<dyn Destination> = choice.clone().open().map_err(|error| error.below(at))?.into();
            Ok((opened.name().to_owned(), opened))
        };
        match (&self.destination, &self.destinations) {
            (Some(_), Some(_)) => {
                Err(Error::new(ErrorCode::InvalidConfig, "give `destination` or `destinations`, not both").at("/destinations"))
            }
            (Some(one), None) => Ok(vec![named(one, "/destination")?]),
            (None, Some(DestinationChoices::List(list))) => {
                list.iter().enumerate().map(|(at, one)| named(one, &format!("/destinations/{at}"))).collect()
            }
            (None, Some(DestinationChoices::Named(all))) => {
                all.iter().map(|(name, one)| Ok((name.clone(), named(one, &format!("/destinations/{name}"))?.1))).collect()
            }
            (None, None) => Ok(Vec::new()),
        }
    }

    fn default_state() -> String {
        "memory:".to_owned()
    }
    const fn default_timeout() -> f64 {
        30.0
    }
    const fn default_job_wait() -> f64 {
        900.0
    }
    const fn default_fetch_patience() -> f64 {
        259_200.0
    }
    const fn default_in_flight() -> u16 {
        16
    }
    const fn default_rate_limits() -> bool {
        true
    }
    const fn default_key_days() -> u32 {
        730
    }
}

/// Options of one call that takes data: `plan`, `deliver`, `accept`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CallOptions {
    /// Whether journeys may start; the `Sync`'s setting unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// How rows are laid out.
    pub format: Format,
    /// What the bytes are, for documents that do not say; `signal` for storefront signals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The run this belongs to, from `start_run`; a call without one is a run of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Correlation id of the transport, such as a response header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
}

/// Options of `receive`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReceiveOptions {
    /// Whether journeys may start; the `Sync`'s setting unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Headers of the call, names in any case.
    pub headers: Headers,
    /// Whether the call must prove that it comes from the shop, where the source's calls carry a proof. Switch it off only
    /// where something in front of this has done it.
    pub verify: bool,
}

/// Headers by name; a header that came several times has a list of values. Debug shows names only: some are secrets.
#[derive(Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Headers(pub std::collections::BTreeMap<String, HeaderValue>);

/// The value of a header, or its values.
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum HeaderValue {
    /// It came once.
    One(String),
    /// It came several times.
    Many(Vec<String>),
}

impl Headers {
    /// Each with its name.
    #[must_use]
    pub fn pairs(&self) -> Vec<(&str, &str)> {
        let mut pairs = Vec::with_capacity(self.0.len());
        for (name, value) in &self.0 {
            match value {
                HeaderValue::One(value) => pairs.push((name.as_str(), value.as_str())),
                HeaderValue::Many(values) => pairs.extend(values.iter().map(|value| (name.as_str(), value.as_str()))),
            }
        }
        pairs
    }
}

impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

impl Default for ReceiveOptions {
    fn default() -> Self {
        ReceiveOptions { mode: None, headers: Headers::default(), verify: true }
    }
}

/// Options of `pull`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PullOptions {
    /// What to read, such as `orders`; what the source reads unless told when not given. The source's page lists them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub streams: Option<Vec<String>>,
    /// Read what changed since then, whatever was read before. Without it a stream goes on where the last pull ended, and the
    /// first pull reads all there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Instant>,
    /// Whether journeys may start. Unless given, the first pull of a stream is a `backfill` and every later one, or one with
    /// `since`, is what the `Sync` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Reads again, in the background, what messages only named and could not be read for so long that it was given up. With
    /// no `streams` to read besides, give an empty list.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unread: bool,
    /// Rows per stream after which to end, at the end of a page; the next pull goes on there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// The run this belongs to, from `start_run`; a call without one is a run of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

/// Options of `reconcile`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReconcileOptions {
    /// Only at this destination, by its name; at all of them unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// In which mode the rows were sent: what a backfill withholds is not looked for. The `Sync`'s setting unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// How rows are laid out.
    pub format: Format,
    /// What the bytes are, for documents that do not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
}

/// Options of `replay`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReplayOptions {
    /// Which dead letters.
    pub filter: crate::state::LetterFilter,
    /// Corrected canonical records by dead letter id, in place of the ones kept.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fixes: Vec<Fix>,
}

/// A corrected record for one dead letter.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fix {
    /// The dead letter.
    pub id: u64,
    /// What to send instead.
    pub record: crate::model::Record,
}

/// Options of `flush`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FlushOptions {
    /// Longest wait in seconds; without it until nothing waits any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_s: Option<f64>,
}

/// Reads options, naming the field at fault. Empty bytes are the defaults.
///
/// # Errors
/// `invalid_config` with the path of the field.
pub fn parse<T: serde::de::DeserializeOwned>(json: &[u8]) -> Result<T> {
    let json = if json.is_empty() { b"{}".as_slice() } else { json };
    let mut reader = serde_json::Deserializer::from_slice(json);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = crate::sources::pointer(error.path());
        // serde_json adds a line and column of the options text, which the caller never sees.
        let text = error.inner().to_string();
        let message = text.split(" at line ").next().unwrap_or(&text).to_owned();
        Error::new(ErrorCode::InvalidConfig, message).at(path)
    })
}
