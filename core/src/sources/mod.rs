//! Sources turn a commerce platform's bytes into canonical records. Pure: no I/O, no clock, no globals.

#[cfg(feature = "source-bigcommerce")]
pub mod bigcommerce;
#[cfg(feature = "source-commercetools")]
pub mod commercetools;
pub mod pull;
pub mod rows;
pub mod split;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorCode};
use crate::model::{Finding, FindingCode, IdempotencyKey, Instant, Mode, NEWS_DAYS, Record, Rejection, ResourceRef};

pub use pull::Pull;

/// A commerce platform whose bytes can be read.
pub trait Source: Send + Sync {
    /// The name used in configuration, equal to the folder and the feature suffix.
    fn name(&self) -> &'static str;

    /// The shop that is read, such as a project key or store hash, where the settings name it. Empty unless they do.
    fn tenant(&self) -> &str {
        ""
    }

    /// Reads one document: a resource, a page of them, or a message in any of its envelopes. Never fails as a whole:
    /// what cannot be read is in [`Decoded::rejected`], and its neighbours are read on.
    fn decode(&self, raw: &[u8], context: &DecodeContext<'_>, out: &mut Decoded);

    /// How its shop is asked.
    ///
    /// # Errors
    /// `invalid_config` naming the setting that is missing for it, `unsupported` for a source that only decodes.
    fn pull(&self) -> Result<&dyn Pull, Error> {
        Err(Error::new(ErrorCode::Unsupported, "this source cannot be pulled"))
    }

    /// Checks that a pushed call comes from the shop and is not an old one played again. Header names are in any case; `now`
    /// is the receiver's clock. Proofs are compared in constant time.
    ///
    /// # Errors
    /// `signature_mismatch`, `signature_expired`; `unsupported` for a source whose calls carry no proof.
    fn verify(&self, body: &[u8], headers: &[(&str, &str)], now: Instant) -> Result<(), Error> {
        let _ = (body, headers, now);
        Err(Error::new(ErrorCode::Unsupported, "calls of this source carry nothing to verify them by"))
    }

    /// What each thing told of in a pushed call is known by, if it is delivered again; then it need not be read again. Empty,
    /// the default, where deliveries cannot be told apart.
    fn delivery_keys(&self, body: &[u8]) -> Vec<Delivery> {
        let _ = body;
        Vec::new()
    }
}

/// What a delivery is known by when it comes again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its key.
    pub key: IdempotencyKey,
    /// When it says that the thing happened, where another thing that happened in the same second has the same key. None where
    /// the key is that of one delivery alone.
    pub told_at: Option<Instant>,
}

impl Delivery {
    /// Whether the same key, heard again, tells of nothing that was not there to be read at `now`. Ten seconds are for clocks
    /// that differ.
    #[must_use]
    pub fn is_over(&self, now: Instant) -> bool {
        self.told_at.is_none_or(|at| now.signed_duration_since(at) >= chrono::TimeDelta::seconds(10))
    }
}

/// What decoding needs to know besides the bytes.
#[derive(Clone, Copy, Debug)]
pub struct DecodeContext<'a> {
    /// When the bytes were heard; the clock of everything downstream.
    pub observed_at: Instant,
    /// Whether journeys may start.
    pub mode: Mode,
    /// What the bytes are, for documents that do not say (`customer`, `cart`, `order`, `product`, `category`).
    pub resource: Option<&'a str>,
    /// Correlation id of the transport, such as a response header.
    pub correlation_id: Option<&'a str>,
    /// Position of the first row, so that positions run on over several documents.
    pub position: u64,
    /// Rows above this size are rejected unread.
    pub max_record_bytes: usize,
    /// How long something that happened is news, in days. What lies longer back when it is heard is read as a backfill.
    pub news_days: u16,
}

impl<'a> DecodeContext<'a> {
    /// The default row limit, 16 MiB: commercetools documents cannot be larger.
    pub const MAX_RECORD_BYTES: usize = 16 << 20;

    /// A context with defaults, at that time.
    #[must_use]
    pub const fn at(observed_at: Instant) -> Self {
        DecodeContext {
            observed_at,
            mode: Mode::Live,
            resource: None,
            correlation_id: None,
            position: 0,
            max_record_bytes: Self::MAX_RECORD_BYTES,
            news_days: NEWS_DAYS,
        }
    }

    /// Whether what happened then is history by now.
    #[must_use]
    pub fn is_history(&self, at: Instant) -> bool {
        self.observed_at.signed_duration_since(at) > chrono::TimeDelta::days(i64::from(self.news_days))
    }
}

/// What came out of some bytes. Every row of the input is in exactly one of `records`, `rejected`, `ignored`, `fetches`
/// (in `records` perhaps several times).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decoded {
    /// Records, in input order.
    pub records: Vec<DecodedRecord>,
    /// Rows that could not become a record.
    pub rejected: Vec<Rejection>,
    /// Rows that say nothing a marketer needs.
    pub ignored: Vec<Ignored>,
    /// Rows that only name a resource, which must be fetched to know more.
    pub fetches: Vec<Fetch>,
    /// Rows seen so far.
    pub rows: u64,
}

/// A record with where it came from and what was noticed on the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DecodedRecord {
    /// Position of its row in the input.
    pub position: u64,
    /// The record.
    pub record: Record,
    /// What decoding noticed; pointers go into the source row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

/// A row that is ignored by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ignored {
    /// Position of the row in the input.
    pub position: u64,
    /// The source's name for it, such as a message type.
    pub what: String,
    /// Whether this version knows the name; an unknown one is worth a look.
    pub known: bool,
}

/// A row that only names a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fetch {
    /// Position of the row in the input.
    pub position: u64,
    /// What to fetch.
    pub resource: ResourceRef,
    /// Why: the message type.
    pub reason: String,
}

impl Decoded {
    /// Rejects the row at `position` for one reason.
    pub fn reject(
        &mut self,
        position: u64,
        resource: Option<ResourceRef>,
        code: FindingCode,
        pointer: impl Into<String>,
        message: impl Into<String>,
    ) {
        self.rejected.push(Rejection { position, resource, destination: None, findings: vec![Finding::new(code, pointer, message)] });
    }
}

/// Which commerce platform to read, and how; told apart by `type`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
#[non_exhaustive]
pub enum SourceConfig {
    /// BigCommerce.
    #[cfg(feature = "source-bigcommerce")]
    Bigcommerce(bigcommerce::Config),
    /// commercetools Composable Commerce.
    #[cfg(feature = "source-commercetools")]
    Commercetools(commercetools::Config),
}

impl SourceConfig {
    /// The source that this configures.
    ///
    /// # Errors
    /// `invalid_config` naming the setting at fault.
    pub fn open(self) -> Result<Box<dyn Source>, Error> {
        match self {
            #[cfg(feature = "source-bigcommerce")]
            SourceConfig::Bigcommerce(config) => Ok(Box::new(bigcommerce::Bigcommerce::new(config)?)),
            #[cfg(feature = "source-commercetools")]
            SourceConfig::Commercetools(config) => Ok(Box::new(commercetools::Commercetools::new(config)?)),
        }
    }
}

/// The names of all sources in this build.
pub const NAMES: &[&str] = &[
    #[cfg(feature = "source-bigcommerce")]
    "bigcommerce",
    #[cfg(feature = "source-commercetools")]
    "commercetools",
];

/// The JSON pointer (RFC 6901) of a path that serde kept.
#[must_use]
pub fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut text = String::new();
    for segment in path {
        text.push('/');
        match segment {
            Segment::Seq { index } => text.push_str(&index.to_string()),
            Segment::Map { key } => text.push_str(&crate::model::pointer_token(key)),
            Segment::Enum { variant } => text.push_str(variant),
            Segment::Unknown => text.push('?'),
        }
    }
    text
}
