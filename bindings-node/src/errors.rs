//! Errors and panics on their way to JavaScript: the reason is [`Error::to_json`], from which `lib/errors.js` makes the
//! class again.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};

use cartwire::{Error, ErrorCode};
use futures_util::FutureExt;

/// Result of a synchronous call; the error's status becomes `code` in JavaScript. Promises can only carry napi's own
/// statuses, so there the code travels in the reason alone.
pub(crate) type Result<T> = std::result::Result<T, napi::Error<String>>;

/// Runs a synchronous call. A panic must not reach Node, which would abort the process.
pub(crate) fn guard<T>(call: impl FnOnce() -> cartwire::Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(thrown(&error)),
        Err(_) => Err(thrown(&panicked())),
    }
}

/// Awaits an asynchronous call; a panic becomes an error here too.
pub(crate) async fn guarded<T>(call: impl Future<Output = cartwire::Result<T>>) -> cartwire::Result<T> {
    AssertUnwindSafe(call).catch_unwind().await.unwrap_or_else(|_| Err(panicked()))
}

/// Runs work that computes or blocks on a thread meant for it.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> cartwire::Result<T> + Send + 'static) -> cartwire::Result<T> {
    napi::tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(panicked()))
}

/// The form in which a promise is rejected.
pub(crate) fn rejected(error: &Error) -> napi::Error {
    napi::Error::from_reason(error.to_json())
}

fn thrown(error: &Error) -> napi::Error<String> {
    napi::Error::new(error.code().name().to_owned(), error.to_json())
}

/// Without the panic's own text, which could hold a value of the payload.
fn panicked() -> Error {
    Error::new(ErrorCode::Internal, "cartwire panicked; standard error names the place, please report it")
}
