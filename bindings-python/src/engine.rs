//! The stateful handle, in a blocking and an awaitable form of every operation.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use cartwire::{Error, ErrorCode, Result, facade};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::to_python;
use crate::gate::{self, Input, Process};

/// A source, a destination and a state, working together.
#[pyclass(frozen, module = "cartwire._cartwire")]
pub struct Engine {
    /// None once closed: a handle that is kept would keep the state's file, too. The lock is only ever held together with
    /// the interpreter's, so a child of `fork` never finds it taken.
    inner: Mutex<Option<facade::Engine>>,
    process: Arc<Process>,
}

fn process(py: Python<'_>) -> PyResult<Arc<Process>> {
    Process::current().map_err(|error| to_python(py, &error))
}

fn to_bytes(py: Python<'_>, answer: Vec<u8>) -> PyResult<Py<PyAny>> {
    Ok(PyBytes::new(py, &answer).into_any().unbind())
}

fn to_none(py: Python<'_>, (): ()) -> PyResult<Py<PyAny>> {
    Ok(py.None())
}

/// Closes, but waits no longer than `grace_s` for requests under way: what they did not settle stays in the outbox.
async fn close(engine: facade::Engine, grace_s: Option<f64>) -> Result<()> {
    match grace_s.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
        Some(grace) => tokio::time::timeout(grace, engine.close()).await.unwrap_or(Ok(())),
        None => engine.close().await,
    }
}

impl Engine {
    fn new(inner: facade::Engine, process: Arc<Process>) -> Engine {
        Engine { inner: Mutex::new(Some(inner)), process }
    }

    fn inner(&self) -> MutexGuard<'_, Option<facade::Engine>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self, py: Python<'_>) -> PyResult<facade::Engine> {
        let closed = || Error::new(ErrorCode::Closed, "this handle is closed; open a new one");
        let usable = self.process.check().and_then(|()| self.inner().clone().ok_or_else(closed));
        usable.map_err(|error| to_python(py, &error))
    }

    fn take(&self, py: Python<'_>) -> PyResult<Option<facade::Engine>> {
        self.process.check().map_err(|error| to_python(py, &error))?;
        Ok(self.inner().take())
    }

    fn block<'py, F>(&self, py: Python<'py>, call: impl FnOnce(facade::Engine) -> F) -> PyResult<Bound<'py, PyBytes>>
    where
        F: Future<Output = Result<Vec<u8>>> + Send + 'static,
    {
        let future = call(self.handle(py)?);
        gate::block(py, &self.process, future).map(|answer| PyBytes::new(py, &answer))
    }

    fn awaitable<'py, F>(&self, py: Python<'py>, call: impl FnOnce(facade::Engine) -> F) -> PyResult<Bound<'py, PyAny>>
    where
        F: Future<Output = Result<Vec<u8>>> + Send + 'static,
    {
        let future = call(self.handle(py)?);
        gate::awaitable(py, &self.process, future, to_bytes)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let inner = self.inner.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(inner) = inner {
            if self.process.check().is_ok() {
                // Nobody closed it; what was claimed should not wait for its lease to run out.
                self.process.spawn(async move { drop(inner.close().await) });
            } else {
                // In a child of `fork`, closing would touch the parent's files and connections.
                std::mem::forget(inner);
            }
        }
    }
}

#[pymethods]
impl Engine {
    #[staticmethod]
    fn open(py: Python<'_>, options: Input) -> PyResult<Engine> {
        let process = process(py)?;
        let inner = gate::block(py, &process, async move { facade::Engine::open(&options).await })?;
        Ok(Engine::new(inner, process))
    }

    #[staticmethod]
    fn open_async(py: Python<'_>, options: Input) -> PyResult<Bound<'_, PyAny>> {
        let process = process(py)?;
        let owner = Arc::clone(&process);
        let open = async move {
            let inner = facade::Engine::open(&options).await?;
            Ok(Engine::new(inner, owner))
        };
        gate::awaitable(py, &process, open, |py, engine| Ok(Py::new(py, engine)?.into_any()))
    }

    fn plan<'py>(&self, py: Python<'py>, options: Input, data: Input) -> PyResult<Bound<'py, PyBytes>> {
        self.block(py, |engine| async move { engine.plan(Bytes::from(options), Bytes::from(data)).await })
    }

    fn plan_async<'py>(&self, py: Python<'py>, options: Input, data: Input) -> PyResult<Bound<'py, PyAny>> {
        self.awaitable(py, |engine| async move { engine.plan(Bytes::from(options), Bytes::from(data)).await })
    }

    fn deliver<'py>(&self, py: Python<'py>, options: Input, data: Input) -> PyResult<Bound<'py, PyBytes>> {
        self.block(py, |engine| async move { engine.deliver(Bytes::from(options), Bytes::from(data)).await })
    }

    fn deliver_async<'py>(&self, py: Python<'py>, options: Input, data: Input) -> PyResult<Bound<'py, PyAny>> {
        self.awaitable(py, |engine| async move { engine.deliver(Bytes::from(options), Bytes::from(data)).await })
    }

    fn accept<'py>(&self, py: Python<'py>, options: Input, data: Input) -> PyResult<Bound<'py, PyBytes>> {
        self.block(py, |engine| async move { engine.accept(Bytes::from(options), Bytes::from(data)).await })
    }

    fn accept_async<'py>(&self, py: Python<'py>, options: Input, data: Input) -> PyResult<Bound<'py, PyAny>> {
        self.awaitable(py, |engine| async move { engine.accept(Bytes::from(options), Bytes::from(data)).await })
    }

    fn receive<'py>(&self, py: Python<'py>, options: Input, body: Input) -> PyResult<Bound<'py, PyBytes>> {
        self.block(py, |engine| async move { engine.receive(Bytes::from(options), Bytes::from(body)).await })
    }

    fn receive_async<'py>(&self, py: Python<'py>, options: Input, body: Input) -> PyResult<Bound<'py, PyAny>> {
        self.awaitable(py, |engine| async move { engine.receive(Bytes::from(options), Bytes::from(body)).await })
    }

    fn pull<'py>(&self, py: Python<'py>, options: Input) -> PyResult<Bound<'py, PyBytes>> {
        self.block(py, |engine| async move { engine.pull(Bytes::from(options)).await })
    }

    fn pull_async<'py>(&self, py: Python<'py>, options: Input) -> PyResult<Bound<'py, PyAny>> {
        self.awaitable(py, |engine| async move { engine.pull(Bytes::from(options)).await })
    }

    fn start_run<'py>(&self, py: Python<'py>, options: Input) -> PyResult<Bound<'py, PyBytes>> {
        self.block(py, |engine| async move { engine.start_run(Bytes::from(options)).await })
    }

    fn start_run_async<'py>(&self, py: Python<'py>, options: Input) -> PyResult<Bound<'py, PyAny>> {
        self.awaitable(py, |engine| async move { engine.start_run(Bytes::from(options)).await })
    }

    fn finish_run<'py>(&self, py: Python<'py>, run: String) -> PyResult<Bound<'py, PyBytes>> {
        self.block(py, |engine| async move { engine.finish_run(&run).await })
    }

    fn finish_run_async<'py>(&self, py: Python<'py>, run: String) -> PyResult<Bound<'py, PyAny>> {
        self.awaitable(py, |engine| async move { engine.finish_run(&run).await })
    }

    fn progress<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let engine = self.handle(py)?;
        gate::bytes(py, 0, || Ok(engine.progress()))
    }

    fn flush<'py>(&self, py: Python<'py>, options: Input) -> PyResult<Bound<'py, PyBytes>> {
        self.block(py, |engine| async move { engine.flush(Bytes::from(options)).await })
    }

    fn flush_async<'py>(&self, py: Python<'py>, options: Input) -> PyResult<Bound<'py, PyAny>> {
        self.awaitable(py, |engine| async move { engine.flush(Bytes::from(options)).await })
    }

    fn dead_letters<'py>(&self, py: Python<'py>, options: Input) -> PyResult<Bound<'py, PyBytes>> {
        self.block(py, |engine| async move { engine.dead_letters(Bytes::from(options)).await })
    }

    fn dead_letters_async<'py>(&self, py: Python<'py>, options: Input) -> PyResult<Bound<'py, PyAny>> {
        self.awaitable(py, |engine| async move { engine.dead_letters(Bytes::from(options)).await })
    }

    fn replay<'py>(&self, py: Python<'py>, options: Input) -> PyResult<Bound<'py, PyBytes>> {
        self.block(py, |engine| async move { engine.replay(Bytes::from(options)).await })
    }

    fn replay_async<'py>(&self, py: Python<'py>, options: Input) -> PyResult<Bound<'py, PyAny>> {
        self.awaitable(py, |engine| async move { engine.replay(Bytes::from(options)).await })
    }

    fn discard<'py>(&self, py: Python<'py>, options: Input) -> PyResult<Bound<'py, PyBytes>> {
        self.block(py, |engine| async move { engine.discard(Bytes::from(options)).await })
    }

    fn discard_async<'py>(&self, py: Python<'py>, options: Input) -> PyResult<Bound<'py, PyAny>> {
        self.awaitable(py, |engine| async move { engine.discard(Bytes::from(options)).await })
    }

    fn runs<'py>(&self, py: Python<'py>, limit: u32) -> PyResult<Bound<'py, PyBytes>> {
        self.block(py, |engine| async move { engine.runs(limit).await })
    }

    fn runs_async<'py>(&self, py: Python<'py>, limit: u32) -> PyResult<Bound<'py, PyAny>> {
        self.awaitable(py, |engine| async move { engine.runs(limit).await })
    }

    fn check<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.block(py, |engine| async move { engine.check().await })
    }

    fn check_async<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.awaitable(py, |engine| async move { engine.check().await })
    }

    fn reconcile<'py>(&self, py: Python<'py>, options: Input, data: Input) -> PyResult<Bound<'py, PyBytes>> {
        self.block(py, |engine| async move { engine.reconcile(Bytes::from(options), Bytes::from(data)).await })
    }

    fn reconcile_async<'py>(&self, py: Python<'py>, options: Input, data: Input) -> PyResult<Bound<'py, PyAny>> {
        self.awaitable(py, |engine| async move { engine.reconcile(Bytes::from(options), Bytes::from(data)).await })
    }

    #[pyo3(signature = (grace_s=None))]
    fn close(&self, py: Python<'_>, grace_s: Option<f64>) -> PyResult<()> {
        match self.take(py)? {
            Some(engine) => gate::block(py, &self.process, close(engine, grace_s)),
            None => Ok(()),
        }
    }

    #[pyo3(signature = (grace_s=None))]
    fn close_async<'py>(&self, py: Python<'py>, grace_s: Option<f64>) -> PyResult<Bound<'py, PyAny>> {
        let engine = self.take(py)?;
        let closing = async move {
            match engine {
                Some(engine) => close(engine, grace_s).await,
                None => Ok(()),
            }
        };
        gate::awaitable(py, &self.process, closing, to_none)
    }
}
