//! The stateful handle behind `Sync`: every call is a future on another thread and a promise in JavaScript.

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use cartwire::{Error, ErrorCode, facade};
use napi::bindgen_prelude::{Buffer, Env, PromiseRaw, ToNapiValue};
use napi_derive::napi;
use tokio::sync::watch;

use crate::errors::{Result, guard, guarded, rejected};

/// The native side of an `AbortSignal`.
#[napi]
pub struct Cancel {
    fired: watch::Sender<bool>,
}

#[napi]
impl Cancel {
    /// One that has not fired.
    #[napi(constructor)]
    #[allow(clippy::new_without_default)] // Only JavaScript makes these.
    pub fn new() -> Self {
        Cancel { fired: watch::Sender::new(false) }
    }

    /// Gives up the calls it was passed to. What they accepted stays in the outbox.
    #[napi]
    pub fn cancel(&self) {
        self.fired.send_replace(true);
    }
}

/// Runs a future beside the event loop: a promise for its value, rejected when `cancel` fires first.
pub(crate) fn background<'env, T: Send + 'static, V: From<T> + ToNapiValue + Send + 'static>(
    env: &'env Env,
    cancel: Option<&Cancel>,
    call: impl Future<Output = cartwire::Result<T>> + Send + 'static,
) -> napi::Result<PromiseRaw<'env, V>> {
    let fired = cancel.map(|cancel| cancel.fired.subscribe());
    env.spawn_future(async move {
        let cancelled = async move {
            // Not fired and the handle gone means that nobody is left to fire it.
            if let Some(mut fired) = fired
                && fired.wait_for(|fired| *fired).await.is_ok()
            {
                return;
            }
            std::future::pending().await
        };
        tokio::select! {
            // A call that is ready is not cancelled any more: its effects have happened.
            biased;
            outcome = guarded(call) => outcome.map(V::from).map_err(|error| rejected(&error)),
            () = cancelled => Err(rejected(&Error::new(ErrorCode::Cancelled, "the caller cancelled"))),
        }
    })
}

/// [`facade::Engine`], until it is closed.
#[napi]
pub struct Engine {
    inner: Mutex<Option<facade::Engine>>,
}

impl From<facade::Engine> for Engine {
    fn from(inner: facade::Engine) -> Self {
        Engine { inner: Mutex::new(Some(inner)) }
    }
}

impl Engine {
    fn lock(&self) -> MutexGuard<'_, Option<facade::Engine>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> cartwire::Result<facade::Engine> {
        self.lock().clone().ok_or_else(|| Error::new(ErrorCode::Closed, "this handle is closed; open a new one"))
    }
}

/// [`facade::Engine::open`]
#[napi]
pub fn open_engine<'env>(env: &'env Env, options: &[u8], cancel: Option<&Cancel>) -> napi::Result<PromiseRaw<'env, Engine>> {
    let options = Bytes::copy_from_slice(options);
    background(env, cancel, async move { facade::Engine::open(&options).await })
}

// Every method copies its buffers, because JavaScript may write into them while the call is under way.
#[napi]
impl Engine {
    /// [`facade::Engine::plan`]
    #[napi]
    pub fn plan<'env>(
        &self,
        env: &'env Env,
        options: &[u8],
        data: &[u8],
        cancel: Option<&Cancel>,
    ) -> napi::Result<PromiseRaw<'env, Buffer>> {
        let (engine, options, data) = (self.open(), Bytes::copy_from_slice(options), Bytes::copy_from_slice(data));
        background(env, cancel, async move { engine?.plan(options, data).await })
    }

    /// [`facade::Engine::deliver`]
    #[napi]
    pub fn deliver<'env>(
        &self,
        env: &'env Env,
        options: &[u8],
        data: &[u8],
        cancel: Option<&Cancel>,
    ) -> napi::Result<PromiseRaw<'env, Buffer>> {
        let (engine, options, data) = (self.open(), Bytes::copy_from_slice(options), Bytes::copy_from_slice(data));
        background(env, cancel, async move { engine?.deliver(options, data).await })
    }

    /// [`facade::Engine::receive`]
    #[napi]
    pub fn receive<'env>(
        &self,
        env: &'env Env,
        options: &[u8],
        body: &[u8],
        cancel: Option<&Cancel>,
    ) -> napi::Result<PromiseRaw<'env, Buffer>> {
        let (engine, options, body) = (self.open(), Bytes::copy_from_slice(options), Bytes::copy_from_slice(body));
        background(env, cancel, async move { engine?.receive(options, body).await })
    }

    /// [`facade::Engine::pull`]
    #[napi]
    pub fn pull<'env>(&self, env: &'env Env, options: &[u8], cancel: Option<&Cancel>) -> napi::Result<PromiseRaw<'env, Buffer>> {
        let (engine, options) = (self.open(), Bytes::copy_from_slice(options));
        background(env, cancel, async move { engine?.pull(options).await })
    }

    /// [`facade::Engine::accept`]
    #[napi]
    pub fn accept<'env>(
        &self,
        env: &'env Env,
        options: &[u8],
        data: &[u8],
        cancel: Option<&Cancel>,
    ) -> napi::Result<PromiseRaw<'env, Buffer>> {
        let (engine, options, data) = (self.open(), Bytes::copy_from_slice(options), Bytes::copy_from_slice(data));
        background(env, cancel, async move { engine?.accept(options, data).await })
    }

    /// [`facade::Engine::start_run`]
    #[napi]
    pub fn start_run<'env>(&self, env: &'env Env, options: &[u8], cancel: Option<&Cancel>) -> napi::Result<PromiseRaw<'env, Buffer>> {
        let (engine, options) = (self.open(), Bytes::copy_from_slice(options));
        background(env, cancel, async move { engine?.start_run(options).await })
    }

    /// [`facade::Engine::finish_run`]
    #[napi]
    pub fn finish_run<'env>(&self, env: &'env Env, run: String, cancel: Option<&Cancel>) -> napi::Result<PromiseRaw<'env, Buffer>> {
        let engine = self.open();
        background(env, cancel, async move { engine?.finish_run(&run).await })
    }

    /// [`facade::Engine::progress`]
    #[napi]
    pub fn progress(&self) -> Result<Buffer> {
        guard(|| Ok(self.open()?.progress().into()))
    }

    /// [`facade::Engine::flush`]
    #[napi]
    pub fn flush<'env>(&self, env: &'env Env, options: &[u8], cancel: Option<&Cancel>) -> napi::Result<PromiseRaw<'env, Buffer>> {
        let (engine, options) = (self.open(), Bytes::copy_from_slice(options));
        background(env, cancel, async move { engine?.flush(options).await })
    }

    /// [`facade::Engine::dead_letters`]
    #[napi]
    pub fn dead_letters<'env>(&self, env: &'env Env, options: &[u8], cancel: Option<&Cancel>) -> napi::Result<PromiseRaw<'env, Buffer>> {
        let (engine, options) = (self.open(), Bytes::copy_from_slice(options));
        background(env, cancel, async move { engine?.dead_letters(options).await })
    }

    /// [`facade::Engine::replay`]
    #[napi]
    pub fn replay<'env>(&self, env: &'env Env, options: &[u8], cancel: Option<&Cancel>) -> napi::Result<PromiseRaw<'env, Buffer>> {
        let (engine, options) = (self.open(), Bytes::copy_from_slice(options));
        background(env, cancel, async move { engine?.replay(options).await })
    }

    /// [`facade::Engine::discard`]
    #[napi]
    pub fn discard<'env>(&self, env: &'env Env, options: &[u8], cancel: Option<&Cancel>) -> napi::Result<PromiseRaw<'env, Buffer>> {
        let (engine, options) = (self.open(), Bytes::copy_from_slice(options));
        background(env, cancel, async move { engine?.discard(options).await })
    }

    /// [`facade::Engine::runs`]
    #[napi]
    pub fn runs<'env>(&self, env: &'env Env, limit: u32, cancel: Option<&Cancel>) -> napi::Result<PromiseRaw<'env, Buffer>> {
        let engine = self.open();
        background(env, cancel, async move { engine?.runs(limit).await })
    }

    /// [`facade::Engine::check`]
    #[napi]
    pub fn check<'env>(&self, env: &'env Env, cancel: Option<&Cancel>) -> napi::Result<PromiseRaw<'env, Buffer>> {
        let engine = self.open();
        background(env, cancel, async move { engine?.check().await })
    }

    /// [`facade::Engine::reconcile`]
    #[napi]
    pub fn reconcile<'env>(
        &self,
        env: &'env Env,
        options: &[u8],
        data: &[u8],
        cancel: Option<&Cancel>,
    ) -> napi::Result<PromiseRaw<'env, Buffer>> {
        let (engine, options, data) = (self.open(), Bytes::copy_from_slice(options), Bytes::copy_from_slice(data));
        background(env, cancel, async move { engine?.reconcile(options, data).await })
    }

    /// [`facade::Engine::close`]
    #[napi]
    pub fn close<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, ()>> {
        // Taken out, because the state is only free for others once the last handle to it is gone, and JavaScript's
        // garbage collector may keep this one for long.
        let engine = self.lock().take();
        background(env, None, async move {
            match engine {
                Some(engine) => engine.close().await,
                None => Ok(()),
            }
        })
    }
}
