//! The Node addon: converts arguments, schedules futures, maps errors. What the operations mean is written at the façade
//! of the core, and what users call is `lib/index.js`.

mod engine;
mod errors;
mod logs;
mod sandbox;

use std::sync::Arc;

use bytes::Bytes;
use cartwire::facade;
use napi::bindgen_prelude::{Buffer, Env, PromiseRaw};
use napi_derive::napi;

use crate::engine::{Cancel, background};
use crate::errors::{Result, guard};

/// Orders are many short texts.
#[cfg(any(target_os = "linux", target_os = "macos"))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The version of the addon; `lib/native.js` refuses to work with an addon of another version.
#[napi]
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Codes, names and capability tables as JSON: [`facade::catalog`].
#[napi]
pub fn catalog() -> Result<Buffer> {
    guard(|| Ok(facade::catalog().into()))
}

/// [`facade::normalize`]
#[napi]
pub fn normalize(options: &[u8], data: &[u8]) -> Result<Buffer> {
    guard(|| facade::normalize(options, data).map(Buffer::from))
}

/// [`facade::validate`]
#[napi]
pub fn validate(options: &[u8], data: &[u8]) -> Result<Buffer> {
    guard(|| facade::validate(options, data).map(Buffer::from))
}

/// [`facade::build`]
#[napi]
pub fn build(options: &[u8], data: &[u8]) -> Result<Buffer> {
    guard(|| facade::build(options, data).map(Buffer::from))
}

/// [`facade::normalize`] on another thread.
#[napi]
pub fn normalize_async<'env>(
    env: &'env Env,
    options: &[u8],
    data: &[u8],
    cancel: Option<&Cancel>,
) -> napi::Result<PromiseRaw<'env, Buffer>> {
    elsewhere(env, facade::normalize, options, data, cancel)
}

/// [`facade::validate`] on another thread.
#[napi]
pub fn validate_async<'env>(
    env: &'env Env,
    options: &[u8],
    data: &[u8],
    cancel: Option<&Cancel>,
) -> napi::Result<PromiseRaw<'env, Buffer>> {
    elsewhere(env, facade::validate, options, data, cancel)
}

/// [`facade::build`] on another thread.
#[napi]
pub fn build_async<'env>(env: &'env Env, options: &[u8], data: &[u8], cancel: Option<&Cancel>) -> napi::Result<PromiseRaw<'env, Buffer>> {
    elsewhere(env, facade::build, options, data, cancel)
}

type Operation = fn(&[u8], &[u8]) -> cartwire::Result<Vec<u8>>;

fn elsewhere<'env>(
    env: &'env Env,
    operation: Operation,
    options: &[u8],
    data: &[u8],
    cancel: Option<&Cancel>,
) -> napi::Result<PromiseRaw<'env, Buffer>> {
    // Copied, because JavaScript may write into its buffer while the other thread reads.
    let (options, data) = (Bytes::copy_from_slice(options), Bytes::copy_from_slice(data));
    background(env, cancel, errors::blocking(move || operation(&options, &data)))
}

/// [`facade::Pipeline`]
#[napi]
pub struct Pipeline {
    inner: Arc<facade::Pipeline>,
}

#[napi]
impl Pipeline {
    /// [`facade::Pipeline::new`]
    #[napi(constructor)]
    pub fn new(options: &[u8]) -> Result<Self> {
        guard(|| facade::Pipeline::new(options).map(|inner| Pipeline { inner: Arc::new(inner) }))
    }

    /// [`facade::Pipeline::normalize`]
    #[napi]
    pub fn normalize(&self, data: &[u8]) -> Result<Buffer> {
        guard(|| self.inner.normalize(data).map(Buffer::from))
    }

    /// [`facade::Pipeline::validate`]
    #[napi]
    pub fn validate(&self, data: &[u8]) -> Result<Buffer> {
        guard(|| self.inner.validate(data).map(Buffer::from))
    }

    /// [`facade::Pipeline::build`]
    #[napi]
    pub fn build(&self, data: &[u8]) -> Result<Buffer> {
        guard(|| self.inner.build(data).map(Buffer::from))
    }
}
