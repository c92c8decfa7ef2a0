//! commercetools Composable Commerce.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{DecodeContext, Decoded, Source};
use crate::error::Error;

/// Settings.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Project key.
    pub project: String,
}

/// The source.
#[derive(Debug)]
pub struct Commercetools {
    config: Config,
}

impl Commercetools {
    /// A source with these settings.
    ///
    /// # Errors
    /// `invalid_config`.
    pub fn new(config: Config) -> Result<Self, Error> {
        Ok(Commercetools { config })
    }
}

impl Source for Commercetools {
    fn name(&self) -> &'static str {
        "commercetools"
    }
    fn decode(&self, _raw: &[u8], _context: &DecodeContext<'_>, _out: &mut Decoded) {
        let _ = &self.config;
    }
}
