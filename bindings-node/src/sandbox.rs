//! The sandbox's servers inside this process, for trying a set-up and for tests.

use std::sync::Arc;

use bytes::Bytes;
use cartwire::{Error, ErrorCode};
use napi::bindgen_prelude::{Buffer, Env, PromiseRaw};
use napi_derive::napi;

use crate::engine::background;
use crate::errors::{Result, blocking, guard};

/// [`cartwire_sandbox::Sandbox`]
#[napi]
pub struct Sandbox {
    inner: Arc<cartwire_sandbox::Sandbox>,
}

impl From<cartwire_sandbox::Sandbox> for Sandbox {
    fn from(inner: cartwire_sandbox::Sandbox) -> Self {
        Sandbox { inner: Arc::new(inner) }
    }
}

/// [`cartwire_sandbox::Sandbox::start`]
#[napi]
pub fn start_sandbox<'env>(env: &'env Env, options: &[u8]) -> napi::Result<PromiseRaw<'env, Sandbox>> {
    let options = Bytes::copy_from_slice(options);
    let start = move || cartwire_sandbox::Sandbox::start(&options).map_err(|error| Error::new(ErrorCode::InvalidConfig, error.to_string()));
    background(env, None, blocking(start))
}

/// [`cartwire_sandbox::sample`]
#[napi]
pub fn sample_data(options: &[u8]) -> Result<Buffer> {
    guard(|| cartwire_sandbox::sample(options).map(Buffer::from).map_err(not_understood))
}

#[napi]
impl Sandbox {
    /// [`cartwire_sandbox::Sandbox::url`]
    #[napi]
    pub fn url(&self, vendor: String) -> Result<Option<String>> {
        guard(|| Ok(self.inner.url(&vendor)))
    }

    /// [`cartwire_sandbox::Sandbox::inspect`]
    #[napi]
    pub fn inspect(&self, query: &[u8]) -> Result<Buffer> {
        guard(|| self.inner.inspect(query).map(Buffer::from).map_err(not_understood))
    }

    /// [`cartwire_sandbox::Sandbox::change`]
    #[napi]
    pub fn change(&self, change: &[u8]) -> Result<Buffer> {
        guard(|| self.inner.change(change).map(Buffer::from).map_err(not_understood))
    }

    /// [`cartwire_sandbox::Sandbox::fault`]
    #[napi]
    pub fn fault(&self, fault: &[u8]) -> Result<()> {
        guard(|| self.inner.fault(fault).map_err(not_understood))
    }

    /// [`cartwire_sandbox::Sandbox::clear_faults`]
    #[napi]
    pub fn clear_faults(&self) -> Result<()> {
        guard(|| {
            self.inner.clear_faults();
            Ok(())
        })
    }

    /// [`cartwire_sandbox::Sandbox::exchanges`]
    #[napi]
    pub fn exchanges(&self) -> Result<Buffer> {
        guard(|| Ok(self.inner.exchanges().into()))
    }

    /// [`cartwire_sandbox::Sandbox::reset`]
    #[napi]
    pub fn reset(&self) -> Result<()> {
        guard(|| {
            self.inner.reset();
            Ok(())
        })
    }

    /// [`cartwire_sandbox::Sandbox::stop`]
    #[napi]
    pub fn stop<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, ()>> {
        let sandbox = self.inner.clone();
        let stop = move || {
            sandbox.stop();
            Ok(())
        };
        background(env, None, blocking(stop))
    }
}

fn not_understood(error: impl std::fmt::Display) -> Error {
    Error::new(ErrorCode::InvalidInput, error.to_string())
}
