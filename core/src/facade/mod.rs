//! The whole contract with other languages: *options JSON + data bytes in, bytes out, one error type*.
//!
//! Bindings forward to this module and know nothing of commerce. Pure operations are in [`pure`], the stateful ones on
//! [`Engine`].

#[cfg(feature = "delivery")]
mod acceptance;
#[cfg(feature = "delivery")]
mod addresses;
pub mod answers;
mod catalog;
#[cfg(feature = "delivery")]
mod derived;
#[cfg(feature = "delivery")]
mod engine;
#[cfg(feature = "delivery")]
mod letters;
pub mod options;
#[cfg(feature = "delivery")]
mod outlets;
#[cfg(feature = "delivery")]
mod pull;
pub mod pure;
#[cfg(feature = "delivery")]
mod receive;
#[cfg(feature = "delivery")]
mod reconcile;
#[cfg(feature = "delivery")]
mod runs;
pub mod track;
#[cfg(feature = "delivery")]
mod witness;

pub use catalog::{catalog, schema};
#[cfg(feature = "delivery")]
pub use engine::Engine;
pub use pure::{Pipeline, build, normalize, validate};
pub use track::Signal;
