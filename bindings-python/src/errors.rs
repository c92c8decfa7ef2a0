//! [`cartwire::Error`] to an exception of `cartwire.errors`.

use cartwire::{Error, ErrorCode};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

static FROM_JSON: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// The classes are Python's own: with the stable ABI a Rust class cannot extend `Exception`, and Python's carry
/// attributes, docstrings and pickle. So the facts cross as JSON and Python makes the instance.
pub fn to_python(py: Python<'_>, error: &Error) -> PyErr {
    let made = FROM_JSON
        .get_or_try_init(py, || py.import("cartwire.errors")?.getattr("from_json").map(Bound::unbind))
        .and_then(|from_json| from_json.bind(py).call1((error.to_json(),)));
    match made {
        Ok(exception) => PyErr::from_value(exception),
        // The package is half installed or the interpreter is going down: the words still count.
        Err(_) => PyRuntimeError::new_err(error.to_string()),
    }
}

/// A panic below: a defect of ours that must not cross as `BaseException`. The payload may hold a customer's data and
/// is left out.
pub fn defect() -> Error {
    Error::new(ErrorCode::Internal, "a defect in cartwire stopped the call; please report it with the lines above")
}

/// The handle belongs to another process.
pub fn forked(opened_in: u32) -> Error {
    Error::new(ErrorCode::Forked, "opened in another process; open it inside the worker, after the fork")
        .with("opened_in", opened_in.to_string())
        .with("used_in", std::process::id().to_string())
}
