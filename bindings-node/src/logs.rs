//! Log events to a JavaScript callback: handed over in chunks from a thread of their own, and dropped (and counted) rather
//! than let a slow callback hold up delivery.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use cartwire::{Error, ErrorCode};
use napi::Status;
use napi::bindgen_prelude::Function;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi_derive::napi;
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use crate::errors::{Result, guard};

/// Events that may wait for the callback.
const WAITING: usize = 4_096;
/// Most events in one call of the callback.
const CHUNK: usize = 256;
/// Chunks that may wait for the event loop.
const CHUNKS: usize = 16;

/// Weak: a logger alone keeps no process running.
type Callback = ThreadsafeFunction<String, (), String, Status, false, true, CHUNKS>;

static CALLBACK: Mutex<Option<Arc<Callback>>> = Mutex::new(None);
static LEVEL: RwLock<LevelFilter> = RwLock::new(LevelFilter::OFF);
static LOST: AtomicU64 = AtomicU64::new(0);
static INSTALLED: OnceLock<bool> = OnceLock::new();

/// Sends the library's log events from now on to `callback`, as the text of a JSON array; to nobody without one.
#[napi]
pub fn set_logger(callback: Option<Function<'_, String, ()>>, level: String) -> Result<()> {
    guard(|| {
        let Some(function) = callback else { return install(None, LevelFilter::OFF) };
        let level = level.parse().map_err(|_| {
            Error::new(ErrorCode::InvalidConfig, "`level` must be `error`, `warn`, `info`, `debug` or `trace`").at("/level")
        })?;
        let callback = function
            .build_threadsafe_function::<String>()
            .weak::<true>()
            .callee_handled::<false>()
            .max_queue_size::<CHUNKS>()
            .build()
            .map_err(|error| Error::new(ErrorCode::Internal, error.reason.clone()))?;
        install(Some(callback), level)
    })
}

fn install(callback: Option<Callback>, level: LevelFilter) -> cartwire::Result<()> {
    let installed = *INSTALLED.get_or_init(|| {
        let (sender, receiver) = sync_channel(WAITING);
        let collector = tracing_subscriber::registry().with(Collector { sender });
        std::thread::Builder::new().name("cartwire-logs".to_owned()).spawn(move || drain(&receiver)).is_ok()
            && tracing::subscriber::set_global_default(collector).is_ok()
    });
    if !installed {
        return Err(Error::new(ErrorCode::Internal, "the logger could not be installed"));
    }
    *callback_slot() = callback.map(Arc::new);
    *LEVEL.write().unwrap_or_else(PoisonError::into_inner) = level;
    tracing::callsite::rebuild_interest_cache();
    Ok(())
}

fn callback_slot() -> MutexGuard<'static, Option<Arc<Callback>>> {
    CALLBACK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for events and hands them over, as many at once as there are.
fn drain(receiver: &Receiver<Value>) {
    while let Ok(first) = receiver.recv() {
        let mut chunk = vec![first];
        chunk.extend(receiver.try_iter().take(CHUNK - 1));
        let lost = LOST.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let fields = Map::from_iter([("lost".to_owned(), lost.into())]);
            chunk.push(event("WARN", "cartwire::logs", "log events were dropped because the callback is slow", fields));
        }
        let Some(callback) = callback_slot().clone() else { continue };
        let events = chunk.len() as u64;
        if callback.call(Value::Array(chunk).to_string(), ThreadsafeFunctionCallMode::NonBlocking) == Status::QueueFull {
            LOST.fetch_add(events, Ordering::Relaxed);
        }
    }
}

fn event(level: &str, target: &str, message: &str, fields: Map<String, Value>) -> Value {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    json!({"time": u64::try_from(time).unwrap_or(u64::MAX), "level": level.to_ascii_lowercase(), "target": target, "message": message, "fields": fields})
}

/// Turns events of this library into values; those of the libraries below it are nobody's business here.
struct Collector {
    sender: SyncSender<Value>,
}

fn wanted(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("cartwire") && *metadata.level() <= *LEVEL.read().unwrap_or_else(PoisonError::into_inner)
}

impl<S: Subscriber + for<'span> LookupSpan<'span>> Layer<S> for Collector {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if wanted(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        wanted(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(*LEVEL.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, logged: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in context.event_scope(logged).into_iter().flatten().collect::<Vec<_>>().into_iter().rev() {
            if let Some(of_span) = span.extensions().get::<Fields>() {
                fields.0.extend(of_span.0.clone());
            }
        }
        logged.record(&mut fields);
        let message = fields.0.remove("message").unwrap_or_default();
        let metadata = logged.metadata();
        let value = event(metadata.level().as_str(), metadata.target(), message.as_str().unwrap_or_default(), fields.0);
        if self.sender.try_send(value).is_err() {
            LOST.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The fields of an event or span.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn set(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value);
    }
}
