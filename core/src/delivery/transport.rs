//! Carrying requests: the only place that opens a connection.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::destinations::{Method, Reply, Request};
use crate::error::{Error, ErrorCode, Result};

/// A future that can be sent between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Carries one request and brings the reply, whatever its status.
pub trait Transport: Send + Sync {
    /// Sends a request to `base_url` followed by the request's path. The caller bounds the time it may take.
    fn send<'a>(&'a self, base_url: &'a str, request: &'a Request) -> BoxFuture<'a, Result<Reply, TransportFailure>>;
}

/// Why there is no reply, told apart by what may have happened at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransportFailure {
    /// Nothing was sent: no such host, connection refused, TLS failed.
    BeforeSending(String),
    /// It was sent, or part of it, and how it ended is not known: reset, cut off, unreadable.
    Unknown(String),
    /// It was sent, and the reply is larger than what is read.
    TooLarge,
    /// No reply in time. It may have been carried out.
    Timeout,
    /// No request can be sent: the base url or a credential is not what HTTP allows, such as a key with a line break.
    Misconfigured(String),
    /// This request cannot be sent: its path or a header is not what HTTP allows.
    Malformed(String),
}

impl fmt::Display for TransportFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TransportFailure::BeforeSending(why) => write!(f, "no connection: {why}"),
            TransportFailure::Unknown(why) => write!(f, "sent, but without a usable answer: {why}"),
            TransportFailure::TooLarge => write!(f, "the answer is larger than {LARGEST_REPLY} bytes"),
            TransportFailure::Timeout => f.write_str("no answer in time"),
            TransportFailure::Misconfigured(why) => write!(f, "nothing can be sent: {why}"),
            TransportFailure::Malformed(why) => write!(f, "the request cannot be sent: {why}"),
        }
    }
}

impl std::error::Error for TransportFailure {}

impl TransportFailure {
    /// The code it has in errors and dead letters.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            TransportFailure::BeforeSending(_) | TransportFailure::Unknown(_) => ErrorCode::Network,
            TransportFailure::TooLarge => ErrorCode::TooLarge,
            TransportFailure::Timeout => ErrorCode::Timeout,
            TransportFailure::Misconfigured(_) => ErrorCode::InvalidConfig,
            TransportFailure::Malformed(_) => ErrorCode::Internal,
        }
    }
}

/// Replies larger than this are not read to their end. No destination's answer comes near; a shop is asked for fewer rows.
const LARGEST_REPLY: usize = 16 * 1024 * 1024;

/// Options of [`HttpTransport`].
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// How long connecting may take; 10 s unless told.
    pub connect_timeout: Duration,
    /// How long a connection without use is kept; 60 s unless told, below the usual 75 s of servers, so that we close
    /// first.
    pub idle_timeout: Duration,
    /// Whether `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` are read; yes unless told.
    pub proxy_from_env: bool,
}

impl Default for HttpOptions {
    fn default() -> Self {
        HttpOptions { connect_timeout: Duration::from_secs(10), idle_timeout: Duration::from_secs(60), proxy_from_env: true }
    }
}

/// HTTP/1.1 and HTTP/2 over rustls with the Mozilla roots. Follows no redirects, stores no cookies, asks for no
/// compression. Open it in the process that uses it: connections do not survive a fork.
#[derive(Clone, Debug)]
pub struct HttpTransport {
    client: reqwest::Client,
}

impl HttpTransport {
    /// A transport with its own connections.
    ///
    /// # Errors
    /// `internal` when TLS cannot be set up.
    pub fn new(options: &HttpOptions) -> Result<Self> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("cartwire/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(options.connect_timeout)
            .pool_idle_timeout(options.idle_timeout)
            .tcp_nodelay(true)
            .referer(false);
        if !options.proxy_from_env {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| Error::new(ErrorCode::Internal, "cannot set up the http client").because(error))?;
        Ok(HttpTransport { client })
    }

    async fn carry(&self, base_url: &str, request: &Request) -> Result<Reply, TransportFailure> {
        let url = target(base_url, &request.path)?;
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Patch => reqwest::Method::PATCH,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut outgoing = self.client.request(method, url);
        for (name, value) in &request.headers {
            let value = reqwest::header::HeaderValue::from_str(value)
                .map_err(|_| TransportFailure::Malformed(format!("header `{name}` holds characters that cannot be sent")))?;
            outgoing = outgoing.header(*name, value);
        }
        for (name, value) in &request.secret_headers {
            let mut value = reqwest::header::HeaderValue::from_str(value.expose())
                .map_err(|_| TransportFailure::Misconfigured(format!("header `{name}` holds characters that cannot be sent")))?;
            value.set_sensitive(true);
            outgoing = outgoing.header(*name, value);
        }
        if let Some(body) = &request.body {
            outgoing = outgoing.body(body.clone());
        }
        let mut incoming = outgoing.send().await.map_err(failure)?;
        let status = incoming.status().as_u16();
        let headers = incoming
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let mut body = Vec::new();
        // Whatever goes wrong from here on, the destination has the request.
        while let Some(chunk) = incoming.chunk().await.map_err(after_sending)? {
            if body.len() + chunk.len() > LARGEST_REPLY {
                return Err(TransportFailure::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply { status, headers, body })
    }
}

impl Transport for HttpTransport {
    fn send<'a>(&'a self, base_url: &'a str, request: &'a Request) -> BoxFuture<'a, Result<Reply, TransportFailure>> {
        Box::pin(self.carry(base_url, request))
    }
}

fn target(base_url: &str, path: &str) -> Result<reqwest::Url, TransportFailure> {
    let base = reqwest::Url::parse(base_url).ok().filter(|base| matches!(base.scheme(), "http" | "https"));
    if base.is_none() {
        return Err(TransportFailure::Misconfigured("the base url is not an http or https url".to_owned()));
    }
    if !path.starts_with('/') {
        return Err(TransportFailure::Malformed("the path does not begin with `/`".to_owned()));
    }
    reqwest::Url::parse(&format!("{}{path}", base_url.trim_end_matches('/')))
        .map_err(|_| TransportFailure::Malformed("the path cannot be part of a url".to_owned()))
}

fn failure(error: reqwest::Error) -> TransportFailure {
    if error.is_connect() || error.is_builder() { TransportFailure::BeforeSending(words(&error)) } else { after_sending(error) }
}

#[allow(clippy::needless_pass_by_value)] // Used as a function in `map_err`.
fn after_sending(error: reqwest::Error) -> TransportFailure {
    if error.is_timeout() { TransportFailure::Timeout } else { TransportFailure::Unknown(words(&error)) }
}

/// The innermost cause: the outer ones name the url, whose path can hold personal data.
fn words(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(next) = innermost.source() {
        innermost = next;
    }
    if std::ptr::addr_eq(innermost, std::ptr::from_ref(error)) { "request failed".to_owned() } else { innermost.to_string() }
}

/// One request and what came of it. Debug shows no bodies; the fields hold them, and with them personal data.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The request, its secret headers included.
    pub request: Request,
    /// The reply, or why there is none.
    pub outcome: Result<Reply, TransportFailure>,
}

/// Passes everything on and remembers it, for tests and for looking closely at a sandbox. Not for production: it keeps
/// whole bodies.
pub struct Recording<T> {
    inner: T,
    keep: usize,
    exchanges: Mutex<std::collections::VecDeque<Arc<Exchange>>>,
}

impl<T> fmt::Debug for Recording<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording").field("keep", &self.keep).finish_non_exhaustive()
    }
}

impl<T: Transport> Recording<T> {
    /// Remembers the last `keep` exchanges of `inner`.
    #[must_use]
    pub fn new(inner: T, keep: usize) -> Self {
        Recording { inner, keep, exchanges: Mutex::default() }
    }

    /// What is remembered, oldest first.
    #[must_use]
    pub fn exchanges(&self) -> Vec<Arc<Exchange>> {
        self.exchanges.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

impl<T: Transport> Transport for Recording<T> {
    fn send<'a>(&'a self, base_url: &'a str, request: &'a Request) -> BoxFuture<'a, Result<Reply, TransportFailure>> {
        Box::pin(async move {
            let outcome = self.inner.send(base_url, request).await;
            let mut exchanges = self.exchanges.lock().unwrap_or_else(PoisonError::into_inner);
            while exchanges.len() >= self.keep.max(1) {
                exchanges.pop_front();
            }
            exchanges.push_back(Arc::new(Exchange { request: request.clone(), outcome: outcome.clone() }));
            outcome
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::destinations::Secret;

    /// What the server does with a connection once it has read a request.
    #[derive(Clone, Copy)]
    enum Manner {
        Answer(&'static str),
        AnswerThenClose(&'static str),
        ResetBeforeReading,
        ResetAfterReading,
        Silence,
    }

    struct Server {
        base_url: String,
        connections: Arc<AtomicUsize>,
        requests: Arc<Mutex<Vec<String>>>,
    }

    async fn serve(manner: Manner) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let server = Server { base_url, connections: Arc::default(), requests: Arc::default() };
        let (connections, requests) = (server.connections.clone(), server.requests.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(converse(stream, manner, requests.clone()));
            }
        });
        server
    }

    async fn converse(mut stream: TcpStream, manner: Manner, requests: Arc<Mutex<Vec<String>>>) {
        if matches!(manner, Manner::ResetBeforeReading) {
            return reset(stream);
        }
        let mut buffer = Vec::new();
        loop {
            let mut chunk = [0; 4_096];
            let Ok(read @ 1..) = stream.read(&mut chunk).await else { return };
            buffer.extend_from_slice(&chunk[..read]);
            let text = String::from_utf8_lossy(&buffer).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
            if body.len() < length.map_or(0, |length| length.parse().unwrap()) {
                continue;
            }
            requests.lock().unwrap().push(text);
            buffer.clear();
            match manner {
                Manner::Answer(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
                Manner::AnswerThenClose(answer) => return stream.write_all(answer.as_bytes()).await.unwrap(),
                Manner::ResetBeforeReading | Manner::ResetAfterReading => return reset(stream),
                Manner::Silence => std::future::pending().await,
            }
        }
    }

    /// Closing with unread bytes or without lingering sends RST.
    fn reset(stream: TcpStream) {
        stream.set_zero_linger().unwrap();
    }

    fn transport() -> HttpTransport {
        HttpTransport::new(&HttpOptions { proxy_from_env: false, ..HttpOptions::default() }).unwrap()
    }

    fn request(method: Method, path: &str) -> Request {
        Request {
            endpoint: "things".into(),
            method,
            path: path.into(),
            headers: vec![("content-type", "application/json".into())],
            secret_headers: vec![("api-key", Secret::new("s3cr3t"))],
            body: (method != Method::Get).then(|| br#"{"a":1}"#.to_vec()),
        }
    }

    const OK: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Two: b\r\nContent-Length: 11\r\n\r\n{\"ok\":true}";

    #[tokio::test]
    async fn method_path_headers_and_body_arrive_as_given_and_the_reply_comes_back_whole() {
        let server = serve(Manner::Answer(OK)).await;
        let reply = transport().send(&server.base_url, &request(Method::Put, "/api/things/a%2Fb?x=1")).await.unwrap();
        assert_eq!((reply.status, reply.body.as_slice()), (200, br#"{"ok":true}"#.as_slice()));
        assert_eq!(reply.header("x-two"), Some("b"));
        let seen = server.requests.lock().unwrap()[0].to_ascii_lowercase();
        assert!(seen.starts_with("put /api/things/a%2fb?x=1 http/1.1\r\n"), "{seen}");
        assert!(seen.contains("api-key: s3cr3t\r\n") && seen.contains("content-type: application/json\r\n"));
        assert!(seen.contains(concat!("user-agent: cartwire/", env!("CARGO_PKG_VERSION"), "\r\n")));
        assert!(!seen.contains("accept-encoding"));
        assert!(seen.ends_with("{\"a\":1}"));
    }

    #[tokio::test]
    async fn connections_are_used_again() {
        let (server, transport) = (serve(Manner::Answer(OK)).await, transport());
        for _ in 0..5 {
            transport.send(&server.base_url, &request(Method::Post, "/x")).await.unwrap();
        }
        assert_eq!(server.connections.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_refusal_is_a_reply_and_a_redirect_is_not_followed() {
        let server = serve(Manner::Answer("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")).await;
        assert_eq!(transport().send(&server.base_url, &request(Method::Get, "/x")).await.unwrap().status, 302);
        let server = serve(Manner::Answer("HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n")).await;
        let reply = transport().send(&server.base_url, &request(Method::Post, "/x")).await.unwrap();
        assert_eq!((reply.status, reply.retry_after()), (429, Some(Duration::from_secs(7))));
    }

    #[tokio::test]
    async fn where_nobody_listens_nothing_was_sent() {
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let outcome = transport().send(&format!("http://{closed}"), &request(Method::Post, "/x?email=ann%40example.org")).await;
        let Err(TransportFailure::BeforeSending(why)) = outcome else { panic!("{outcome:?}") };
        assert!(!why.contains("example.org"), "{why}");
    }

    #[tokio::test]
    async fn a_reset_leaves_the_outcome_unknown_before_reading_as_after() {
        for manner in [Manner::ResetBeforeReading, Manner::ResetAfterReading] {
            let server = serve(manner).await;
            let outcome = transport().send(&server.base_url, &request(Method::Post, "/x")).await;
            assert!(matches!(outcome, Err(TransportFailure::Unknown(_))), "{outcome:?}");
            assert_eq!(server.connections.load(Ordering::SeqCst), 1, "the transport itself never sends twice");
        }
    }

    #[tokio::test]
    async fn an_answer_cut_off_is_unknown() {
        for cut in [
            "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"succ",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":",
            "HTTP/1.1 2",
        ] {
            let server = serve(Manner::AnswerThenClose(cut)).await;
            let outcome = transport().send(&server.base_url, &request(Method::Post, "/x")).await;
            assert!(matches!(outcome, Err(TransportFailure::Unknown(_))), "{outcome:?}");
        }
    }

    #[tokio::test]
    async fn a_silent_server_is_left_to_the_callers_patience() {
        let server = serve(Manner::Silence).await;
        let (transport, request) = (transport(), request(Method::Post, "/x"));
        let waited = tokio::time::timeout(Duration::from_millis(100), transport.send(&server.base_url, &request)).await;
        assert!(waited.is_err());
        assert_eq!(server.requests.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn what_http_does_not_allow_is_told_apart_by_whose_fault_it_is() {
        for base_url in ["ftp://localhost", "file:///etc", "not a url"] {
            let outcome = transport().send(base_url, &request(Method::Get, "/x")).await;
            assert!(matches!(outcome, Err(TransportFailure::Misconfigured(_))), "{base_url}");
        }
        let key_file = Request { secret_headers: vec![("api-key", Secret::new("s3cr3t\n"))], ..request(Method::Get, "/x") };
        let outcome = transport().send("http://localhost", &key_file).await;
        assert_eq!(outcome, Err(TransportFailure::Misconfigured("header `api-key` holds characters that cannot be sent".into())));
        for path in ["x", "@evil.example/x"] {
            let outcome = transport().send("http://localhost", &request(Method::Get, path)).await;
            assert!(matches!(outcome, Err(TransportFailure::Malformed(_))), "{path}");
        }
        let header = Request { headers: vec![("x-id", "a\r\nb: c".into())], ..request(Method::Get, "/x") };
        assert!(matches!(transport().send("http://localhost", &header).await, Err(TransportFailure::Malformed(_))));
    }

    #[tokio::test]
    async fn a_recording_passes_everything_on_and_forgets_the_oldest() {
        let server = serve(Manner::Answer(OK)).await;
        let recording = Recording::new(transport(), 2);
        for path in ["/1", "/2", "/3"] {
            assert_eq!(recording.send(&server.base_url, &request(Method::Post, path)).await.unwrap().status, 200);
        }
        let exchanges = recording.exchanges();
        assert_eq!(exchanges.iter().map(|exchange| exchange.request.path.as_str()).collect::<Vec<_>>(), ["/2", "/3"]);
        assert!(!format!("{:?} {exchanges:?}", &recording).contains("s3cr3t"));
    }
}
