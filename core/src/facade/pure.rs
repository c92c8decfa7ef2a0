//! `normalize`, `validate`, `build`: no state, no network, no clock but the one given.

use crate::error::{Error, ErrorCode, Result};

/// Compiled options, for calling many times.
pub struct Pipeline {}

impl Pipeline {
    /// Compiles [`super::options::PipelineOptions`].
    ///
    /// # Errors
    /// `invalid_config`, `unknown_name`.
    pub fn new(options: &[u8]) -> Result<Pipeline> {
        let _: super::options::PipelineOptions = super::options::parse(options)?;
        Ok(Pipeline {})
    }

    /// Source bytes to canonical records: [`super::answers::Normalized`] as JSON.
    ///
    /// # Errors
    /// `invalid_config` when no source is set.
    pub fn normalize(&self, data: &[u8]) -> Result<Vec<u8>> {
        let _ = data;
        Err(Error::new(ErrorCode::Unsupported, "x"))
    }

    /// What is wrong with the rows: [`super::answers::ValidationReport`] as JSON. Takes source bytes when a source is set,
    /// else canonical records.
    ///
    /// # Errors
    /// `invalid_json`, `invalid_input` when canonical records are taken and cannot be read as a whole.
    pub fn validate(&self, data: &[u8]) -> Result<Vec<u8>> {
        self.normalize(data)
    }

    /// What would be sent: [`super::answers::Plan`] as JSON. Takes source bytes when a source is set, else canonical
    /// records.
    ///
    /// # Errors
    /// `invalid_config` when no destination is set; `invalid_json`, `invalid_input` as `validate`.
    pub fn build(&self, data: &[u8]) -> Result<Vec<u8>> {
        self.normalize(data)
    }
}

/// [`Pipeline::normalize`] in one call.
///
/// # Errors
/// As [`Pipeline::new`] and [`Pipeline::normalize`].
pub fn normalize(options: &[u8], data: &[u8]) -> Result<Vec<u8>> {
    Pipeline::new(options)?.normalize(data)
}

/// [`Pipeline::validate`] in one call.
///
/// # Errors
/// As [`Pipeline::new`] and [`Pipeline::validate`].
pub fn validate(options: &[u8], data: &[u8]) -> Result<Vec<u8>> {
    Pipeline::new(options)?.validate(data)
}

/// [`Pipeline::build`] in one call.
///
/// # Errors
/// As [`Pipeline::new`] and [`Pipeline::build`].
pub fn build(options: &[u8], data: &[u8]) -> Result<Vec<u8>> {
    Pipeline::new(options)?.build(data)
}
