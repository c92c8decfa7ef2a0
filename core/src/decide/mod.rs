//! Decide: whether an operation goes out at all, and how much of it.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
/// How consent is weighed.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ConsentConfig {}
