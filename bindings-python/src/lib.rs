//! The Python binding: a forwarding layer over [`cartwire::facade`]. It knows of bytes, threads and errors, and of
//! nothing that is sold or mailed.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod engine;
mod errors;
mod gate;
mod sandbox;

/// Orders are many short texts.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Private to the package `cartwire`, which wraps everything here.
#[pyo3::pymodule]
mod _cartwire {
    use cartwire::facade;
    use pyo3::prelude::*;
    use pyo3::types::PyBytes;

    use crate::gate::{self, Input};

    #[pymodule_export]
    use crate::engine::Engine;
    #[pymodule_export]
    use crate::sandbox::Sandbox;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("VERSION", env!("CARGO_PKG_VERSION"))?;
        module.add("MAX_RECORD_BYTES", facade::options::PipelineOptions::default().max_record_bytes())?;
        gate::start(module)
    }

    /// Source bytes to canonical records.
    #[pyfunction]
    fn normalize<'py>(py: Python<'py>, options: Input, data: Input) -> PyResult<Bound<'py, PyBytes>> {
        gate::bytes(py, data.len(), || facade::normalize(&options, &data))
    }

    /// What is wrong with the rows.
    #[pyfunction]
    fn validate<'py>(py: Python<'py>, options: Input, data: Input) -> PyResult<Bound<'py, PyBytes>> {
        gate::bytes(py, data.len(), || facade::validate(&options, &data))
    }

    /// What would be sent.
    #[pyfunction]
    fn build<'py>(py: Python<'py>, options: Input, data: Input) -> PyResult<Bound<'py, PyBytes>> {
        gate::bytes(py, data.len(), || facade::build(&options, &data))
    }

    /// Codes, names and capability tables.
    #[pyfunction]
    fn catalog(py: Python<'_>) -> PyResult<Bound<'_, PyBytes>> {
        gate::bytes(py, 0, || Ok(facade::catalog()))
    }

    /// JSON Schema of every type that crosses.
    #[pyfunction]
    fn schema(py: Python<'_>) -> PyResult<Bound<'_, PyBytes>> {
        gate::bytes(py, 0, || Ok(facade::schema()))
    }

    /// Compiled options, for calling many times and from many threads.
    #[pyclass(frozen, module = "cartwire._cartwire")]
    struct Pipeline(facade::Pipeline);

    #[pymethods]
    impl Pipeline {
        #[new]
        fn new(py: Python<'_>, options: Input) -> PyResult<Self> {
            gate::run(py, 0, || facade::Pipeline::new(&options)).map(Pipeline)
        }

        /// Source bytes to canonical records.
        fn normalize<'py>(&self, py: Python<'py>, data: Input) -> PyResult<Bound<'py, PyBytes>> {
            gate::bytes(py, data.len(), || self.0.normalize(&data))
        }

        /// What is wrong with the rows.
        fn validate<'py>(&self, py: Python<'py>, data: Input) -> PyResult<Bound<'py, PyBytes>> {
            gate::bytes(py, data.len(), || self.0.validate(&data))
        }

        /// What would be sent.
        fn build<'py>(&self, py: Python<'py>, data: Input) -> PyResult<Bound<'py, PyBytes>> {
            gate::bytes(py, data.len(), || self.0.build(&data))
        }
    }
}
