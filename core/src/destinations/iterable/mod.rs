//! Iterable.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Built, Capabilities, Destination, Method, Operation, Reading, Reply, Request, Secret};
use crate::error::{Error, ErrorCode};
use crate::model::Record;

/// Settings.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Server-side API key.
    pub api_key: Secret,
}

/// Facts.
pub const CAPABILITIES: Capabilities = Capabilities { destination: "iterable", endpoints: &[] };

/// The destination.
#[derive(Debug)]
pub struct Iterable {
    config: Config,
}

impl Iterable {
    /// A destination with these settings.
    ///
    /// # Errors
    /// `invalid_config`.
    pub fn new(config: Config) -> Result<Self, Error> {
        Ok(Iterable { config })
    }
}

impl Destination for Iterable {
    fn name(&self) -> &'static str {
        "iterable"
    }
    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }
    fn build(&self, _record: &Record) -> Built {
        Built::default()
    }
    fn request(&self, _operations: &[&Operation]) -> Result<Request, Error> {
        Err(Error::new(ErrorCode::Internal, "x"))
    }
    fn read(&self, _operations: &[&Operation], _reply: &Reply) -> Reading {
        Reading::Each(Vec::new(), Vec::new())
    }
    fn check(&self) -> Request {
        let _ = &self.config;
        Request {
            endpoint: "".into(),
            method: Method::Get,
            path: String::new(),
            headers: Vec::new(),
            secret_headers: Vec::new(),
            body: None,
        }
    }
    fn base_url(&self) -> &str {
        ""
    }
    fn backfill_notice(&self) -> &'static str {
        ""
    }
}
