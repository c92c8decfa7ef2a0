//! One error type for every operation that can fail as a whole.
//!
//! A *record* that cannot be used is data ([`crate::model::Rejection`], [`crate::model::Finding`]); an *operation* that
//! cannot go on is an [`Error`]. The code is closed and stable, retryability is kept apart from it, and neither the
//! message nor the context ever holds a payload, a secret or personal data: the `path` says where to look.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

macro_rules! catalogue {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal in $group:ident;)+) => {
        /// What went wrong: stable, closed, the same word in Rust, Python and Node.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, schemars::JsonSchema)]
        #[non_exhaustive]
        pub enum ErrorCode { $($(#[doc = $doc])+ #[serde(rename = $name)] $variant,)+ }

        impl ErrorCode {
            /// Every code, in the order of the catalogue.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$variant,)+];

            /// The stable `snake_case` name.
            #[must_use]
            pub const fn name(self) -> &'static str { match self { $(ErrorCode::$variant => $name,)+ } }

            /// The group, which is the exception class in Python and Node.
            #[must_use]
            pub const fn group(self) -> ErrorGroup { match self { $(ErrorCode::$variant => ErrorGroup::$group,)+ } }

            /// One line of what the code means, for the generated catalogue.
            #[must_use]
            pub const fn description(self) -> &'static str { match self { $(ErrorCode::$variant => concat!($($doc),+),)+ } }
        }
    };
}

catalogue! {
    /// The bytes are not JSON.
    InvalidJson = "invalid_json" in Input;
    /// The JSON does not have the shape this call needs.
    InvalidInput = "invalid_input" in Input;
    /// The call is understood but this build or destination cannot do it.
    Unsupported = "unsupported" in Input;
    /// The webhook's signature does not match its body.
    SignatureMismatch = "signature_mismatch" in Input;
    /// The webhook is older than the tolerance.
    SignatureExpired = "signature_expired" in Input;
    /// An option has a wrong name, type or value.
    InvalidConfig = "invalid_config" in Config;
    /// A source, destination or state url of that name does not exist.
    UnknownName = "unknown_name" in Config;
    /// The destination refused the credentials.
    Unauthorized = "unauthorized" in Destination;
    /// The credentials do not allow this call.
    Forbidden = "forbidden" in Destination;
    /// The destination has no such resource, or the feature is off.
    NotFound = "not_found" in Destination;
    /// Two identities or versions exclude each other at the destination.
    Conflict = "conflict" in Destination;
    /// The request is larger than the destination takes.
    TooLarge = "too_large" in Destination;
    /// The destination refused the request for good.
    Rejected = "rejected" in Destination;
    /// The destination asks to slow down.
    RateLimited = "rate_limited" in Transient;
    /// No answer within the time allowed.
    Timeout = "timeout" in Transient;
    /// The connection could not be made or broke.
    Network = "network" in Transient;
    /// The destination cannot serve right now.
    Unavailable = "unavailable" in Transient;
    /// The destination took an asynchronous job and did not tell how it ended.
    JobLost = "job_lost" in Transient;
    /// Another process holds the state.
    StateLocked = "state_locked" in State;
    /// The state cannot be read or written.
    StateCorrupt = "state_corrupt" in State;
    /// The state was written by a newer version.
    StateVersion = "state_version" in State;
    /// The handle is closed.
    Closed = "closed" in Lifecycle;
    /// The caller cancelled.
    Cancelled = "cancelled" in Lifecycle;
    /// The handle was opened in another process; open it inside the worker.
    Forked = "forked" in Lifecycle;
    /// A defect in cartwire; please report it.
    Internal = "internal" in Internal;
}

/// The class of an [`ErrorCode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorGroup {
    /// The caller's data cannot be used: `InputError`.
    Input,
    /// The caller's options cannot be used: `ConfigError`.
    Config,
    /// The destination said no for good: `DestinationError`.
    Destination,
    /// The destination or the network said no for now: `TransientError`.
    Transient,
    /// The state store failed: `StateError`.
    State,
    /// The handle cannot be used any more: `LifecycleError`.
    Lifecycle,
    /// A defect: `InternalError`.
    Internal,
}

impl ErrorGroup {
    /// The exception class that Python and Node raise for this group.
    #[must_use]
    pub const fn class(self) -> &'static str {
        match self {
            ErrorGroup::Input => "InputError",
            ErrorGroup::Config => "ConfigError",
            ErrorGroup::Destination => "DestinationError",
            ErrorGroup::Transient => "TransientError",
            ErrorGroup::State => "StateError",
            ErrorGroup::Lifecycle => "LifecycleError",
            ErrorGroup::Internal => "InternalError",
        }
    }
}

/// Whether trying again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Never: the same call fails the same way.
    Never,
    /// Later, after the server's hint where it gave one.
    Later(Option<Duration>),
    /// It was retried until the limits of attempts or time were reached.
    Exhausted,
}

/// Result with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An operation that failed as a whole. One word in size; see the module page for what it may hold.
///
/// ```
/// use cartwire::error::{Error, ErrorCode};
/// let error = Error::new(ErrorCode::InvalidConfig, "unknown field `datacenter`").at("/destination");
/// assert_eq!(error.to_string(), "invalid_config: unknown field `datacenter` at /destination");
/// assert!(!error.is_retryable());
/// ```
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    code: ErrorCode,
    retry: Retry,
    message: String,
    operation: Option<&'static str>,
    path: Option<String>,
    context: Vec<(&'static str, String)>,
    correlation_id: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl fmt::Display for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.message)?;
        if let Some(path) = &self.path {
            write!(f, " at {path}")?;
        }
        for (key, value) in &self.context {
            write!(f, ", {key}={value}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Inner {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl Error {
    /// A new error; transient codes are retryable, all others are not.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        let retry = match code.group() {
            ErrorGroup::Transient => Retry::Later(None),
            _ => Retry::Never,
        };
        Error(Box::new(Inner {
            code,
            retry,
            message: message.into(),
            operation: None,
            path: None,
            context: Vec::new(),
            correlation_id: None,
            source: None,
        }))
    }

    /// Names the JSON pointer (RFC 6901) in the input that is at fault.
    #[must_use]
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.0.path = Some(path.into());
        self
    }

    /// Puts the place, if there is one, below `parent`: what has a fault does not know where it stands itself.
    #[cfg(feature = "delivery")]
    #[must_use]
    pub(crate) fn below(mut self, parent: &str) -> Self {
        if let Some(path) = &mut self.0.path {
            path.insert_str(0, parent);
        }
        self
    }

    /// Names the operation, such as `deliver`.
    #[must_use]
    pub fn during(mut self, operation: &'static str) -> Self {
        self.0.operation = Some(operation);
        self
    }

    /// Adds one fact; never a payload, a secret or personal data.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.0.context.push((key, value.into()));
        self
    }

    /// Overrides whether trying again can help.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.0.retry = retry;
        self
    }

    /// Ties the error to the logs of one record or run.
    #[must_use]
    pub fn correlated(mut self, id: impl Into<String>) -> Self {
        self.0.correlation_id = Some(id.into());
        self
    }

    /// Keeps what caused it.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.0.code
    }

    /// The sentence without code, path and context.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The JSON pointer into the input, if the fault has a place.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        self.0.path.as_deref()
    }

    /// The operation that failed.
    #[must_use]
    pub fn operation(&self) -> Option<&'static str> {
        self.0.operation
    }

    /// The facts added with [`Error::with`].
    #[must_use]
    pub fn context(&self) -> &[(&'static str, String)] {
        &self.0.context
    }

    /// The correlation id, if the error belongs to one record or run.
    #[must_use]
    pub fn correlation_id(&self) -> Option<&str> {
        self.0.correlation_id.as_deref()
    }

    /// Whether trying again can help.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self.0.retry, Retry::Later(_))
    }

    /// How long the server asked to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self.0.retry {
            Retry::Later(after) => after,
            _ => None,
        }
    }

    /// Whether the destination asked to slow down.
    #[must_use]
    pub fn is_rate_limited(&self) -> bool {
        self.0.code == ErrorCode::RateLimited
    }

    /// Whether the caller's data is at fault.
    #[must_use]
    pub fn is_invalid_input(&self) -> bool {
        self.0.code.group() == ErrorGroup::Input
    }

    /// The form that crosses into Python and Node: code, class, message and all the facts, without the causes' types.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut cause = String::new();
        let mut next = std::error::Error::source(&*self.0);
        while let Some(error) = next {
            if !cause.is_empty() {
                cause.push_str(": ");
            }
            cause.push_str(&error.to_string());
            next = error.source();
        }
        serde_json::json!({
            "code": self.0.code.name(),
            "class": self.0.code.group().class(),
            "message": self.0.message,
            "text": self.0.to_string(),
            "retryable": self.is_retryable(),
            "retry_after_s": self.retry_after().map(|after| after.as_secs_f64()),
            "operation": self.0.operation,
            "path": self.0.path,
            "context": self.0.context.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect::<std::collections::BTreeMap<_, _>>(),
            "correlation_id": self.0.correlation_id,
            "cause": (!cause.is_empty()).then_some(cause),
        })
        .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_word_and_names_place_and_facts() {
        assert_eq!(std::mem::size_of::<Error>(), std::mem::size_of::<usize>());
        let error = Error::new(ErrorCode::RateLimited, "slow down").with("endpoint", "users.update");
        assert_eq!(error.to_string(), "rate_limited: slow down, endpoint=users.update");
        assert!(error.is_retryable() && error.is_rate_limited());
        assert!(!error.retry(Retry::Exhausted).is_retryable());
    }

    #[test]
    fn names_are_unique_snake_case() {
        let mut names: Vec<_> = ErrorCode::ALL.iter().map(|code| code.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ErrorCode::ALL.len());
        assert!(names.iter().all(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_')));
    }

    #[test]
    fn json_form_carries_class_and_cause() {
        let error = Error::new(ErrorCode::StateCorrupt, "cannot read").because("disk gone").at("/state");
        let json: serde_json::Value = serde_json::from_str(&error.to_json()).unwrap_or_default();
        assert_eq!(json["class"], "StateError");
        assert_eq!(json["cause"], "disk gone");
        assert_eq!(json["path"], "/state");
    }
}
