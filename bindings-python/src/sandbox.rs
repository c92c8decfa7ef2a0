//! The sandbox's servers, started inside this process on loopback.

use cartwire::{Error, ErrorCode, Result};
use cartwire_sandbox::SandboxError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::forked;
use crate::gate::{self, Input};

/// Servers on loopback that behave as marketing platforms do.
#[pyclass(frozen, module = "cartwire._cartwire")]
pub struct Sandbox {
    inner: Option<cartwire_sandbox::Sandbox>,
    pid: u32,
}

fn refused(error: &SandboxError) -> Error {
    Error::new(ErrorCode::InvalidConfig, error.to_string()).during("sandbox")
}

impl Sandbox {
    fn handle(&self) -> Result<&cartwire_sandbox::Sandbox> {
        match &self.inner {
            Some(inner) if self.pid == std::process::id() => Ok(inner),
            _ => Err(forked(self.pid)),
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // In a child of `fork` its threads do not exist, and stopping would wait for them.
        if self.pid != std::process::id() {
            std::mem::forget(self.inner.take());
        }
    }
}

#[pymethods]
impl Sandbox {
    #[new]
    fn new(py: Python<'_>, options: Input) -> PyResult<Self> {
        let inner = gate::wait(py, || cartwire_sandbox::Sandbox::start(&options).map_err(|error| refused(&error)))?;
        Ok(Sandbox { inner: Some(inner), pid: std::process::id() })
    }

    #[staticmethod]
    fn sample<'py>(py: Python<'py>, options: Input) -> PyResult<Bound<'py, PyBytes>> {
        let lines = gate::wait(py, || cartwire_sandbox::sample(&options).map_err(|error| refused(&error)))?;
        Ok(PyBytes::new(py, &lines))
    }

    fn url(&self, py: Python<'_>, vendor: &str) -> PyResult<Option<String>> {
        gate::run(py, 0, || Ok(self.handle()?.url(vendor)))
    }

    fn inspect<'py>(&self, py: Python<'py>, query: Input) -> PyResult<Bound<'py, PyBytes>> {
        let answer = gate::wait(py, || self.handle()?.inspect(&query).map_err(|error| refused(&error)))?;
        Ok(PyBytes::new(py, &answer))
    }

    fn change<'py>(&self, py: Python<'py>, change: Input) -> PyResult<Bound<'py, PyBytes>> {
        let answer = gate::wait(py, || self.handle()?.change(&change).map_err(|error| refused(&error)))?;
        Ok(PyBytes::new(py, &answer))
    }

    fn fault(&self, py: Python<'_>, fault: Input) -> PyResult<()> {
        gate::wait(py, || self.handle()?.fault(&fault).map_err(|error| refused(&error)))
    }

    fn clear_faults(&self, py: Python<'_>) -> PyResult<()> {
        gate::wait(py, || {
            self.handle()?.clear_faults();
            Ok(())
        })
    }

    fn exchanges<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let lines = gate::wait(py, || Ok(self.handle()?.exchanges()))?;
        Ok(PyBytes::new(py, &lines))
    }

    fn reset(&self, py: Python<'_>) -> PyResult<()> {
        gate::wait(py, || {
            self.handle()?.reset();
            Ok(())
        })
    }

    fn advance_clock(&self, py: Python<'_>, milliseconds: u64) -> PyResult<()> {
        gate::wait(py, || {
            self.handle()?.advance_clock(milliseconds);
            Ok(())
        })
    }

    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        gate::wait(py, || {
            self.handle()?.stop();
            Ok(())
        })
    }
}
