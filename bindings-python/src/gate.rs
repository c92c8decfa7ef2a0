//! The one gate between Python and the core: interpreter lock, runtime, fork, signals, panics, asyncio, logs.
//!
//! The asyncio bridge is our own. The stock one (pyo3-async-runtimes) keeps its runtime in a cell that is set once per
//! program, and a child made by `fork` inherits it without its threads: the first await there hangs for ever. Celery,
//! gunicorn and Airflow workers are such children. Here everything that owns a thread hangs on the process id.

use std::fmt::Write as _;
use std::future::Future;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle as Thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use cartwire::{Error, ErrorCode, Result};
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyList, PyMemoryView, PyString};
use pyo3::{Borrowed, exceptions::PyTypeError};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::{AbortHandle, JoinError, JoinHandle};
use tracing::field::{Field, Visit};
use tracing::{Level, Metadata, span};

use crate::errors::{defect, forked, to_python};

/// Below this, letting go of the interpreter costs more than it gives.
const DETACH_FROM: usize = 64 << 10;
/// How long Ctrl-C may go unnoticed.
const SIGNAL_POLL: Duration = Duration::from_millis(50);
/// How long a cancelled call may take to let go of what it holds.
const CANCEL_GRACE: Duration = Duration::from_secs(2);

// ---------------------------------------------------------------------------------------------------------- input

/// Bytes from Python. `bytes` and `str` cannot change and are borrowed; `bytearray` and `memoryview` can and are copied.
pub enum Input {
    /// Borrowed from `bytes`.
    Bytes(PyBackedBytes),
    /// Borrowed from `str`.
    Text(PyBackedStr),
    /// Copied from something that may change while we read.
    Copied(Vec<u8>),
}

impl Deref for Input {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Input::Bytes(bytes) => bytes,
            Input::Text(text) => text.as_bytes(),
            Input::Copied(bytes) => bytes,
        }
    }
}

impl AsRef<[u8]> for Input {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<Input> for Bytes {
    fn from(input: Input) -> Bytes {
        match input {
            Input::Copied(bytes) => Bytes::from(bytes),
            borrowed => Bytes::from_owner(borrowed),
        }
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for Input {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if object.is_instance_of::<PyBytes>() {
            return object.extract().map(Input::Bytes).map_err(Into::into);
        }
        if object.is_instance_of::<PyString>() {
            return object.extract().map(Input::Text);
        }
        if let Ok(array) = object.cast::<PyByteArray>() {
            return Ok(Input::Copied(array.to_vec()));
        }
        if object.is_instance_of::<PyMemoryView>() {
            return object.call_method0("tobytes")?.extract().map(Input::Bytes).map_err(Into::into);
        }
        Err(PyTypeError::new_err("expected bytes, bytearray, memoryview or str"))
    }
}

// ------------------------------------------------------------------------------------------------------- pure calls

/// Runs pure work of about `size` bytes: lets go of the interpreter when that pays, and turns a panic into an error.
pub fn run<T: Send>(py: Python<'_>, size: usize, work: impl FnOnce() -> Result<T> + Send) -> PyResult<T> {
    let guarded = || catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(defect()));
    let outcome = if size < DETACH_FROM { guarded() } else { py.detach(guarded) };
    outcome.map_err(|error| to_python(py, &error))
}

/// [`run`] for work that answers bytes.
pub fn bytes<'py>(py: Python<'py>, size: usize, work: impl FnOnce() -> Result<Vec<u8>> + Send) -> PyResult<Bound<'py, PyBytes>> {
    run(py, size, work).map(|answer| PyBytes::new(py, &answer))
}

/// Runs work that waits for something else than the processor.
pub fn wait<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T> + Send) -> PyResult<T> {
    run(py, usize::MAX, work)
}

// ---------------------------------------------------------------------------------------------------------- process

/// What has threads, and so belongs to one process only.
pub struct Process {
    pid: u32,
    handle: Handle,
    log: SyncSender<Entry>,
    owned: Mutex<Option<(Runtime, Thread<()>)>>,
}

static PROCESS: ArcSwapOption<Process> = ArcSwapOption::const_empty();

impl Process {
    /// This process's runtime, made on first use: importing the package starts no thread. A child of `fork` gets its own.
    pub fn current() -> Result<Arc<Process>> {
        let known = PROCESS.load_full();
        if let Some(process) = known.as_ref().filter(|process| process.is_ours()) {
            return Ok(Arc::clone(process));
        }
        let fresh = Arc::new(Process::start()?);
        // Two threads may come here at once; the loser's runtime has nothing on it yet.
        let before = PROCESS.compare_and_swap(&known, Some(Arc::clone(&fresh)));
        match before.as_ref().filter(|process| process.is_ours()) {
            Some(winner) => Ok(Arc::clone(winner)),
            None => Ok(fresh),
        }
    }

    fn start() -> Result<Process> {
        let failed = |error: std::io::Error| Error::new(ErrorCode::Internal, "cannot start threads").because(error);
        let runtime = Builder::new_multi_thread().worker_threads(2).thread_name("cartwire").enable_all().build().map_err(failed)?;
        let (log, entries) = sync_channel(LOG_QUEUE);
        let drain = std::thread::Builder::new().name("cartwire-log".to_owned()).spawn(move || drain(&entries)).map_err(failed)?;
        Ok(Process { pid: std::process::id(), handle: runtime.handle().clone(), log, owned: Mutex::new(Some((runtime, drain))) })
    }

    fn is_ours(&self) -> bool {
        self.pid == std::process::id()
    }

    /// Whether handles made with this runtime may be used here.
    ///
    /// # Errors
    /// `forked` in another process.
    pub fn check(&self) -> Result<()> {
        if self.is_ours() { Ok(()) } else { Err(forked(self.pid)) }
    }

    /// Lets a future run to its end, whoever still waits for it.
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        drop(self.handle.spawn(future));
    }

    fn stop(&self) {
        let owned = self.owned.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((runtime, drain)) = owned {
            runtime.shutdown_timeout(CANCEL_GRACE);
            if self.log.try_send(Entry::Stop).is_ok() {
                let _ = drain.join();
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let owned = self.owned.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((runtime, drain)) = owned {
            if self.pid == std::process::id() {
                runtime.shutdown_background();
            } else {
                // Its threads stayed in the parent; waiting for them would never end.
                std::mem::forget((runtime, drain));
            }
        }
    }
}

/// Called once by the module: takes the core's logs and stops our threads before the interpreter goes away, since a
/// thread that asks a dying interpreter for its lock takes the program down.
pub fn start(module: &Bound<'_, PyModule>) -> PyResult<()> {
    // Fails only when the module is loaded twice in one program (sub-interpreters): the first one keeps the logs.
    let _ = tracing::subscriber::set_global_default(Forwarder);
    let stop = wrap_pyfunction!(stop, module)?;
    module.py().import("atexit")?.call_method1("register", (stop,))?;
    Ok(())
}

#[pyfunction]
fn stop(py: Python<'_>) {
    if let Some(process) = PROCESS.swap(None).filter(|process| process.is_ours()) {
        py.detach(|| process.stop());
    }
}

// --------------------------------------------------------------------------------------------------- blocking calls

/// Waits for a future without holding the interpreter, and looks for signals: Ctrl-C cancels the future.
pub fn block<T: Send + 'static>(
    py: Python<'_>,
    process: &Process,
    future: impl Future<Output = Result<T>> + Send + 'static,
) -> PyResult<T> {
    let mut task = process.handle.spawn(future);
    loop {
        match py.detach(|| turn(process, &mut task, SIGNAL_POLL)) {
            Some(outcome) => return outcome.map_err(|error| to_python(py, &error)),
            None => {
                if let Err(signal) = py.check_signals() {
                    task.abort();
                    let _ = py.detach(|| turn(process, &mut task, CANCEL_GRACE));
                    return Err(signal);
                }
            }
        }
    }
}

/// Waits a while for a task; `None` when it is not done yet.
fn turn<T>(process: &Process, task: &mut JoinHandle<Result<T>>, longest: Duration) -> Option<Result<T>> {
    process.handle.block_on(async { tokio::time::timeout(longest, task).await }).ok().map(flatten)
}

fn flatten<T>(joined: std::result::Result<Result<T>, JoinError>) -> Result<T> {
    match joined {
        Ok(outcome) => outcome,
        Err(error) if error.is_cancelled() => Err(Error::new(ErrorCode::Cancelled, "the call was cancelled")),
        Err(_) => Err(defect()),
    }
}

// ---------------------------------------------------------------------------------------------------------- asyncio

/// How an answer becomes a Python object, once the interpreter is held again.
pub type Wrap<T> = fn(Python<'_>, T) -> PyResult<Py<PyAny>>;

/// Starts a future and answers an asyncio future of the running loop. Cancelling the one cancels the other.
pub fn awaitable<'py, T: Send + 'static>(
    py: Python<'py>,
    process: &Process,
    future: impl Future<Output = Result<T>> + Send + 'static,
    wrap: Wrap<T>,
) -> PyResult<Bound<'py, PyAny>> {
    let event_loop = py.import("asyncio")?.call_method0("get_running_loop")?;
    let promise = event_loop.call_method0("create_future")?;
    let task = process.handle.spawn(future);
    promise.call_method1("add_done_callback", (Cancel(task.abort_handle()),))?;
    let (event_loop, waiting) = (event_loop.unbind(), promise.clone().unbind());
    process.spawn(async move {
        let outcome = flatten(task.await);
        // Taking the interpreter can last; on a worker thread, deliveries would stand still meanwhile.
        let settled = tokio::task::spawn_blocking(move || {
            Python::try_attach(|py| {
                let answer = outcome.map_err(|error| to_python(py, &error)).and_then(|answer| wrap(py, answer));
                // Fails only when the loop is closed, and then nobody waits.
                let _ = hand_over(py, &event_loop, waiting, answer);
            })
        });
        drop(settled.await);
    });
    Ok(promise)
}

fn hand_over(py: Python<'_>, event_loop: &Py<PyAny>, waiting: Py<PyAny>, answer: PyResult<Py<PyAny>>) -> PyResult<()> {
    let (failed, value) = match answer {
        Ok(value) => (false, value),
        Err(error) => (true, error.into_value(py).into_any()),
    };
    let settle = wrap_pyfunction!(settle, py)?;
    event_loop.call_method1(py, "call_soon_threadsafe", (settle, waiting, failed, value)).map(drop)
}

/// Runs on the loop's thread, where alone it is safe to ask whether the future was cancelled meanwhile.
#[pyfunction]
fn settle(waiting: &Bound<'_, PyAny>, failed: bool, value: &Bound<'_, PyAny>) -> PyResult<()> {
    if !waiting.call_method0("done")?.is_truthy()? {
        waiting.call_method1(if failed { "set_exception" } else { "set_result" }, (value,))?;
    }
    Ok(())
}

#[pyclass(frozen)]
struct Cancel(AbortHandle);

#[pymethods]
impl Cancel {
    fn __call__(&self, promise: &Bound<'_, PyAny>) -> PyResult<()> {
        if promise.call_method0("cancelled")?.is_truthy()? {
            self.0.abort();
        }
        Ok(())
    }
}

// ------------------------------------------------------------------------------------------------------------- logs

/// Events that may wait for Python; more are counted and dropped, for a log must never hold up a delivery.
const LOG_QUEUE: usize = 8_192;
/// Events in one call into Python…
const LOG_CHUNK: usize = 2_048;
/// …and how long the first of them waits for company.
const LOG_WAIT: Duration = Duration::from_millis(10);

/// The lowest level of Python's `logging` worth crossing for; asked again with every chunk.
static LOG_LEVEL: AtomicU8 = AtomicU8::new(20);
static LOG_DROPPED: AtomicU64 = AtomicU64::new(0);
static EMIT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

enum Entry {
    Event(Event),
    Stop,
}

struct Event {
    level: u8,
    target: &'static str,
    message: String,
    fields: Vec<(&'static str, String)>,
}

/// Takes the core's events. Spans are switched off: what ties lines together stands in the fields of each.
struct Forwarder;

fn python_level(level: &Level) -> u8 {
    match *level {
        Level::ERROR => 40,
        Level::WARN => 30,
        Level::INFO => 20,
        Level::DEBUG => 10,
        Level::TRACE => 5,
    }
}

impl tracing::Subscriber for Forwarder {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> tracing::subscriber::Interest {
        if metadata.is_event() && metadata.target().starts_with("cartwire") {
            tracing::subscriber::Interest::sometimes()
        } else {
            tracing::subscriber::Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
            && metadata.target().starts_with("cartwire")
            && python_level(metadata.level()) >= LOG_LEVEL.load(Ordering::Relaxed)
    }

    fn event(&self, event: &tracing::Event<'_>) {
        // In a child of `fork` nobody drains the parent's queue, and its lock may be held for ever.
        let process = PROCESS.load();
        let Some(process) = process.as_ref().filter(|process| process.is_ours()) else { return };
        let metadata = event.metadata();
        let mut entry =
            Event { level: python_level(metadata.level()), target: metadata.target(), message: String::new(), fields: Vec::new() };
        event.record(&mut entry);
        if process.log.try_send(Entry::Event(entry)).is_err() {
            LOG_DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

impl Visit for Event {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.message, "{value:?}");
        } else {
            self.fields.push((field.name(), format!("{value:?}")));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push_str(value);
        } else {
            self.fields.push((field.name(), value.to_owned()));
        }
    }
}

/// Hands events to Python in chunks: one call, and one turn at the interpreter's lock, for many lines.
fn drain(entries: &Receiver<Entry>) {
    let mut chunk = Vec::new();
    let mut stopped = false;
    // Learns the level before the first line, so that debugging can be on from the start.
    deliver(&mut chunk);
    while !stopped {
        match entries.recv() {
            Ok(Entry::Event(event)) => chunk.push(event),
            Ok(Entry::Stop) | Err(_) => break,
        }
        let until = Instant::now() + LOG_WAIT;
        while chunk.len() < LOG_CHUNK {
            match entries.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Entry::Event(event)) => chunk.push(event),
                Ok(Entry::Stop) | Err(RecvTimeoutError::Disconnected) => {
                    stopped = true;
                    break;
                }
                Err(RecvTimeoutError::Timeout) => break,
            }
        }
        deliver(&mut chunk);
    }
}

fn deliver(chunk: &mut Vec<Event>) {
    let events = std::mem::take(chunk);
    // A handler that raises is the program's own affair; answering with a log line would never end.
    let _ = Python::try_attach(|py| -> PyResult<()> {
        let lines = PyList::empty(py);
        for event in events {
            let fields = PyDict::new(py);
            for (key, value) in event.fields {
                fields.set_item(key, value)?;
            }
            lines.append((event.level, event.target, event.message, fields))?;
        }
        let emit = EMIT.get_or_try_init(py, || py.import("cartwire._log")?.getattr("emit").map(Bound::unbind))?;
        let level: u8 = emit.bind(py).call1((lines, LOG_DROPPED.swap(0, Ordering::Relaxed)))?.extract()?;
        LOG_LEVEL.store(level, Ordering::Relaxed);
        Ok(())
    });
}
