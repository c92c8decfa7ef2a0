//! Validation.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
/// Settings.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "ValidateConfig")]
pub struct Config {}
