//! Delivery.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
/// When to try again.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RetryConfig {}
