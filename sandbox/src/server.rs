//! HTTP on loopback: takes requests in, lets faults strike, hands the rest to the vendor, and answers questions under `/_sandbox`.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper::{Method, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::SandboxError;
use crate::clock::Clock;
use crate::exchange::{Exchange, Recorder};
use crate::faults::{Fault, Faults, Kind};
use crate::vendor::{Reply, Request, Vendor, query_pairs};

/// Nothing larger is read; every vendor's own limit is well below.
const MOST_BODY: usize = 64 << 20;

/// How long a request without a reply holds its connection when the fault doesn't say.
const FOREVER: Duration = Duration::from_secs(24 * 60 * 60);

/// What the servers and the owner of the sandbox both hold.
pub(crate) struct Shared {
    pub(crate) vendors: Vec<Arc<dyn Vendor>>,
    pub(crate) faults: Faults,
    pub(crate) recorder: Recorder,
    pub(crate) clock: Arc<Clock>,
}

impl Shared {
    pub(crate) fn reset(&self) {
        self.vendors.iter().for_each(|vendor| vendor.reset());
        self.faults.clear();
        self.recorder.clear();
    }

    /// Answers a query; its `vendor` may be left out while there is one.
    pub(crate) fn inspect(&self, query: &Value) -> Result<Value, SandboxError> {
        if query.get("what").and_then(Value::as_str) == Some("faults") {
            return Ok(self.faults.seen());
        }
        self.vendor(query, "query")?.inspect(query)
    }

    /// Changes what a vendor holds; its `vendor` may be left out while there is one.
    pub(crate) fn change(&self, spec: &Value) -> Result<Value, SandboxError> {
        self.vendor(spec, "change")?.change(spec, self.clock.now_ms())
    }

    fn vendor(&self, asked: &Value, what: &str) -> Result<&dyn Vendor, SandboxError> {
        let name = asked.get("vendor").and_then(Value::as_str);
        let vendor = self.vendors.iter().find(|vendor| name.is_none_or(|name| name == vendor.name()));
        vendor.map(AsRef::as_ref).ok_or_else(|| SandboxError::Invalid(format!("{what}: unknown `vendor`")))
    }
}

/// The running servers.
pub(crate) struct Server {
    stop: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

impl Server {
    /// Binds a port for each vendor and serves on threads of its own.
    pub(crate) fn start(
        shared: &Arc<Shared>,
        host: IpAddr,
        ports: &[u16],
        threads: usize,
    ) -> Result<(Self, Vec<SocketAddr>), SandboxError> {
        let io = |error: io::Error| SandboxError::Io(format!("can't listen on {host}: {error}"));
        let mut listeners = Vec::new();
        for (index, vendor) in shared.vendors.iter().enumerate() {
            let port = ports.get(index).copied().unwrap_or(0);
            let listener = std::net::TcpListener::bind((host, port)).map_err(io)?;
            listener.set_nonblocking(true).map_err(io)?;
            listeners.push((Arc::clone(vendor), listener));
        }
        let addresses = listeners.iter().map(|(_, listener)| listener.local_addr()).collect::<Result<Vec<_>, _>>().map_err(io)?;
        let (stop, stopped) = watch::channel(false);
        let (ready, is_ready) = mpsc::channel();
        let shared = Arc::clone(shared);
        let run = move || {
            let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(ready.send(Err(error))),
            };
            runtime.block_on(async {
                let mut bound = Vec::new();
                for (vendor, listener) in listeners {
                    match TcpListener::from_std(listener) {
                        Ok(listener) => bound.push((vendor, listener)),
                        Err(error) => return drop(ready.send(Err(error))),
                    }
                }
                let _ = ready.send(Ok(()));
                for (vendor, listener) in bound {
                    tokio::spawn(accept(listener, vendor, Arc::clone(&shared), stopped.clone()));
                }
                let mut stopped = stopped;
                let _ = stopped.wait_for(|stop| *stop).await;
            });
            runtime.shutdown_timeout(Duration::from_millis(500));
        };
        let thread = std::thread::Builder::new().name("cartwire-sandbox".into()).spawn(run).map_err(io)?;
        match is_ready.recv() {
            Ok(Ok(())) => Ok((Self { stop, thread }, addresses)),
            Ok(Err(error)) => Err(io(error)),
            Err(_) => Err(SandboxError::Io("the server's thread ended before it started".into())),
        }
    }

    /// Cuts all connections and waits until the ports are free.
    pub(crate) fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.thread.join();
    }
}

async fn accept(listener: TcpListener, vendor: Arc<dyn Vendor>, shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let address = listener.local_addr().ok();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => {
                    // Out of file descriptors: wait for some connection to end.
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                }
            },
            _ = stopped.changed() => return,
        };
        let _ = stream.set_nodelay(true);
        let cut = Arc::new(AtomicBool::new(false));
        let io = TokioIo::new(Socket { stream, cut: Arc::clone(&cut) });
        let (vendor, shared) = (Arc::clone(&vendor), Arc::clone(&shared));
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let (vendor, shared, cut) = (Arc::clone(&vendor), Arc::clone(&shared), Arc::clone(&cut));
                async move { serve(request, vendor.as_ref(), &shared, &cut, address).await }
            });
            // An error here is a connection that a fault or the caller cut.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
        });
    }
}

/// The reply can't be sent: the connection is to be cut.
#[derive(Debug)]
struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection was cut on demand")
    }
}

impl std::error::Error for Cut {}

async fn serve(
    request: hyper::Request<Incoming>,
    vendor: &dyn Vendor,
    shared: &Shared,
    cut: &AtomicBool,
    address: Option<SocketAddr>,
) -> Result<hyper::Response<Payload>, Cut> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let Ok(body) = Limited::new(body, MOST_BODY).collect().await else {
        return Ok(respond(Reply::text(413, "the body is too large"), false));
    };
    let body = body.to_bytes();
    if let Some(rest) = path.strip_prefix("/_sandbox") {
        return Ok(respond(control(shared, vendor.name(), &parts.method, rest, &query, &body), false));
    }
    let fault = shared.faults.pick(vendor.name(), &parts.method, &path);
    let kind = fault.as_ref().map(|fault| fault.kind);
    let pause = fault.as_ref().and_then(|fault| fault.delay_ms).map(Duration::from_millis);
    if kind == Some(Kind::Latency) || (kind == Some(Kind::Status) && pause.is_some()) {
        tokio::time::sleep(pause.unwrap_or_default()).await;
    }
    let before = matches!(kind, Some(Kind::Status | Kind::Timeout | Kind::Reset));
    let mut request = Request {
        method: parts.method,
        path,
        query,
        headers: parts.headers,
        body,
        now_ms: shared.clock.now_ms(),
        half_failed: kind == Some(Kind::HalfFailedBulk),
    };
    let reply = match &fault {
        Some(fault) if kind == Some(Kind::Status) => Some(struck(vendor, fault)),
        _ if before => None,
        _ => Some(vendor.handle(&request)),
    };
    let silent = matches!(kind, Some(Kind::Timeout | Kind::TimeoutAfter | Kind::Reset | Kind::ResetAfter));
    if shared.recorder.keeps() {
        let sent = reply.as_ref().filter(|_| !silent);
        let mut url = address.map_or_else(String::new, |address| format!("http://{address}")) + &request.path;
        if !request.query.is_empty() {
            url = url + "?" + &request.query;
        }
        shared.recorder.record(Exchange {
            vendor: vendor.name(),
            method: request.method.to_string(),
            url,
            body: std::mem::take(&mut request.body),
            status: sent.map(|reply| reply.status),
            response: sent.map(|reply| reply.body.clone()).unwrap_or_default(),
            response_is_json: sent.is_some_and(|reply| reply.content_type == "application/json"),
            fault: kind.map(Kind::name),
            number: 0,
        });
    }
    match (kind, reply) {
        (Some(Kind::Timeout | Kind::TimeoutAfter), _) => {
            tokio::time::sleep(pause.unwrap_or(FOREVER)).await;
            Err(Cut)
        }
        (Some(Kind::Reset | Kind::ResetAfter), _) | (_, None) => {
            cut.store(true, Ordering::SeqCst);
            Err(Cut)
        }
        (_, Some(reply)) => Ok(respond(reply, kind == Some(Kind::TruncatedBody))),
    }
}

/// The reply of a status fault.
fn struck(vendor: &dyn Vendor, fault: &Fault) -> Reply {
    let mut reply = vendor.fault_reply(fault.status.unwrap_or(500));
    if let Some(body) = &fault.body {
        reply.body = Bytes::from(body.clone());
        reply.content_type = if body.starts_with(['{', '[']) { "application/json" } else { "text/html; charset=utf-8" };
    }
    reply.headers.extend(fault.retry_after.clone().map(|after| ("retry-after", after)));
    reply
}

fn respond(reply: Reply, truncated: bool) -> hyper::Response<Payload> {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut builder = hyper::Response::builder().status(status).header("content-type", reply.content_type);
    for (name, value) in &reply.headers {
        builder = builder.header(*name, value);
    }
    let payload = if truncated {
        builder = builder.header("content-length", reply.body.len().max(2));
        Payload::Half(Some(reply.body.slice(..reply.body.len() / 2)))
    } else {
        Payload::Whole(Some(reply.body))
    };
    builder.body(payload).unwrap_or_else(|_| {
        let mut response = hyper::Response::new(Payload::Whole(None));
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

/// The paths under `/_sandbox`: what [`crate::Sandbox`] can do, for other processes.
fn control(shared: &Shared, vendor: &str, method: &Method, path: &str, query: &str, body: &Bytes) -> Reply {
    let done = |result: Result<Value, SandboxError>| match result {
        Ok(value) => Reply::json(200, &value),
        Err(error) => Reply::json(400, &json!({"error": error.to_string()})),
    };
    let asked = |what: Option<&str>| {
        let mut map: Map<String, Value> = query_pairs(query).into_iter().map(|(key, value)| (key, Value::from(value))).collect();
        map.entry("vendor").or_insert_with(|| vendor.into());
        if let Some(what) = what {
            map.insert("what".into(), what.into());
        }
        Value::Object(map)
    };
    match (method.as_str(), path) {
        ("GET", "/inspect") => done(shared.inspect(&asked(None))),
        ("POST", "/inspect") => done(crate::parse(body, "query").and_then(|query| shared.inspect(&query))),
        ("POST", "/change") => done(crate::parse(body, "change").and_then(|mut spec: Map<String, Value>| {
            spec.entry("vendor").or_insert_with(|| vendor.into());
            shared.change(&Value::Object(spec))
        })),
        ("GET", "/digest") => done(shared.inspect(&asked(Some("digest")))),
        ("GET", "/exchanges") => {
            Reply { status: 200, content_type: "application/x-ndjson", headers: Vec::new(), body: shared.recorder.dump().into() }
        }
        ("POST", "/faults") => done(shared.faults.add(body).map(|()| json!({"ok": true}))),
        ("DELETE", "/faults") => {
            shared.faults.clear();
            Reply::json(200, &json!({"ok": true}))
        }
        ("POST", "/reset") => {
            shared.reset();
            Reply::json(200, &json!({"ok": true}))
        }
        ("POST", "/clock") => done(crate::parse::<Value>(body, "clock").and_then(|body| {
            let by = body.get("advance_ms").and_then(Value::as_u64);
            shared.clock.advance(by.ok_or_else(|| SandboxError::Invalid("clock: `advance_ms` is missing".into()))?);
            Ok(json!({"now_ms": shared.clock.now_ms()}))
        })),
        _ => Reply::json(404, &json!({"error": "no such path under /_sandbox"})),
    }
}

/// A reply's body: whole, or half of what its length promises.
enum Payload {
    Whole(Option<Bytes>),
    Half(Option<Bytes>),
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        Poll::Ready(match self.get_mut() {
            Self::Whole(bytes) => bytes.take().map(|bytes| Ok(Frame::data(bytes))),
            Self::Half(bytes) => Some(bytes.take().map(Frame::data).ok_or(Cut)),
        })
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Half(_) => SizeHint::default(),
        }
    }
}

/// A connection that can be cut so that the other side sees a reset and not an orderly end.
struct Socket {
    stream: TcpStream,
    cut: Arc<AtomicBool>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.cut.load(Ordering::SeqCst) {
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
