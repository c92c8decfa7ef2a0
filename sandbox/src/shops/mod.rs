//! Shops to pull from: the made-up data of [`crate::shop`], served as a platform would serve it.
//!
//! A shop is a [`crate::vendor::Vendor`] like any other. Its folder holds the routes with credentials and budget, the
//! records with what is the platform's own, and the platform's query language. [`table`] keeps what every shop needs: rows by
//! id, when each changed last, and changes while somebody reads.

pub(crate) mod bigcommerce;
pub(crate) mod commercetools;
pub(crate) mod table;
