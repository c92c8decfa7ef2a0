//! cartwire carries commerce data into marketing platforms: correctly, once, and fast.
//!
//! ```text
//! bytes ─▶ source ─▶ Record ─▶ validate ─▶ destination ─▶ Operation ─▶ decide ─▶ outbox ─▶ delivery ─▶ Outcome
//! ```
//!
//! Every arrow is one function with one type on either side, and every stage can be used alone. Only `delivery` touches
//! the network; only `decide` and `delivery` touch state.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod decide;
#[cfg(feature = "delivery")]
pub mod delivery;
pub mod destinations;
pub mod error;
pub mod facade;
pub mod fingerprint;
pub mod http;
mod json;
pub mod model;
pub mod normalize;
pub mod pipeline;
#[cfg(feature = "delivery")]
pub mod pull;
pub mod sources;
pub mod state;
pub mod validate;

pub use error::{Error, ErrorCode, Result};
