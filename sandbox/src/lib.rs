//! Servers on loopback that behave as marketing platforms do: they check keys, lock types, refuse half a batch, run out of
//! budget, drop what they don't know, and keep what they were sent so that a test can look at it.
//!
//! The sandbox shares no code with the library it judges. Everything goes in and out as JSON, so other languages and other
//! processes use it the same way: [`Sandbox`] in this process, the `cartwire-sandbox` command, or the paths under `/_sandbox`.
//!
//! ```
//! let sandbox = cartwire_sandbox::Sandbox::start(br#"{"iterable": {"project_type": "hybrid"}}"#)?;
//! assert!(sandbox.url("iterable").is_some_and(|url| url.starts_with("http://127.0.0.1:")));
//! let counts = sandbox.inspect(br#"{"what": "counts"}"#)?;
//! assert!(String::from_utf8_lossy(&counts).contains("\"profiles\":0"));
//! # Ok::<(), cartwire_sandbox::SandboxError>(())
//! ```

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod clock;
mod cordial;
mod dotdigital;
mod exchange;
mod faults;
mod insider;
mod inspect;
mod iterable;
mod limits;
mod server;
pub mod shop;
mod shops;
mod vendor;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;

use crate::clock::Clock;
use crate::exchange::Recorder;
use crate::faults::Faults;
use crate::server::{Server, Shared};
use crate::vendor::Vendor;

/// Made-up shop data as commercetools would send it, one record a line: the same options give the same bytes. `options` is
/// [`shop::ShopOptions`] as JSON.
///
/// ```
/// let orders = cartwire_sandbox::sample(br#"{"resource": "order", "count": 3}"#)?;
/// assert_eq!(orders.iter().filter(|byte| **byte == b'\n').count(), 3);
/// # Ok::<(), cartwire_sandbox::SandboxError>(())
/// ```
///
/// # Errors
/// [`SandboxError::Invalid`] for an option the shop does not know.
pub fn sample(options: &[u8]) -> Result<Vec<u8>, SandboxError> {
    let options = shop::ShopOptions::parse(options).map_err(|error| SandboxError::Invalid(format!("options: {error}")))?;
    let mut lines = Vec::new();
    options.write(&mut lines).map_err(|error| SandboxError::Io(error.to_string()))?;
    Ok(lines)
}

/// Why the sandbox could not start or could not answer a question.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SandboxError {
    /// The options, the query or the fault are not what the sandbox understands.
    Invalid(String),
    /// The address is taken, is not loopback, or a file can't be opened.
    Io(String),
}

impl fmt::Display for SandboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(why) | Self::Io(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for SandboxError {}

/// What [`Sandbox::start`] reads; every unknown key is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    host: IpAddr,
    port: u16,
    threads: usize,
    /// Milliseconds since 1970 at which a clock starts that moves only when told to; the system's clock when absent.
    manual_clock_ms: Option<i64>,
    exchanges_file: Option<PathBuf>,
    exchanges_kept: usize,
    /// Names of the vendors to start; all when absent.
    vendors: Option<Vec<String>>,
    iterable: iterable::Options,
    dotdigital: dotdigital::Options,
    bigcommerce: shops::bigcommerce::Options,
    commercetools: shops::commercetools::Options,
    cordial: cordial::Options,
    insider: insider::Options,
}

impl Options {
    /// The vendors asked for, in the order of this list; `port` is the first one's.
    fn vendors(&self) -> Result<Vec<Arc<dyn Vendor>>, SandboxError> {
        let mut vendors: Vec<Arc<dyn Vendor>> = vec![
            Arc::new(iterable::Iterable::new(self.iterable.clone())?),
            Arc::new(cordial::Cordial::new(self.cordial.clone())?),
            Arc::new(dotdigital::Dotdigital::new(self.dotdigital.clone())?),
            Arc::new(insider::Insider::new(self.insider.clone())?),
            Arc::new(shops::commercetools::Commercetools::new(self.commercetools.clone())),
            Arc::new(shops::bigcommerce::Bigcommerce::new(self.bigcommerce.clone())),
        ];
        if let Some(wanted) = &self.vendors {
            if let Some(unknown) = wanted.iter().find(|name| !vendors.iter().any(|vendor| vendor.name() == **name)) {
                return Err(SandboxError::Invalid(format!("options: no vendor is called `{unknown}`")));
            }
            vendors.retain(|vendor| wanted.iter().any(|name| name == vendor.name()));
        }
        Ok(vendors)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            threads: 2,
            manual_clock_ms: None,
            exchanges_file: None,
            exchanges_kept: 10_000,
            vendors: None,
            iterable: iterable::Options::default(),
            dotdigital: dotdigital::Options::default(),
            bigcommerce: shops::bigcommerce::Options::default(),
            commercetools: shops::commercetools::Options::default(),
            cordial: cordial::Options::default(),
            insider: insider::Options::default(),
        }
    }
}

/// A running sandbox: one server on loopback per vendor, on threads of its own. Dropping it stops it.
pub struct Sandbox {
    shared: Arc<Shared>,
    server: Mutex<Option<Server>>,
    urls: Vec<(&'static str, String)>,
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("urls", &self.urls).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Starts the servers. `options_json` is an object (or empty for defaults); the README lists its keys.
    ///
    /// # Errors
    /// [`SandboxError::Invalid`] for unknown or ill-typed options, [`SandboxError::Io`] for an address that is taken or not loopback.
    pub fn start(options_json: &[u8]) -> Result<Self, SandboxError> {
        let options: Options = parse(options_json, "options")?;
        if !options.host.is_loopback() {
            return Err(SandboxError::Io(format!("`host` must be a loopback address, not {}", options.host)));
        }
        let clock = Arc::new(options.manual_clock_ms.map_or_else(Clock::system, Clock::manual));
        let vendors = options.vendors()?;
        let recorder = Recorder::new(options.exchanges_kept, options.exchanges_file.as_deref())?;
        let shared = Arc::new(Shared { vendors, faults: Faults::default(), recorder, clock });
        let ports: Vec<u16> = (0..shared.vendors.len()).map(|place| if place == 0 { options.port } else { 0 }).collect();
        let (server, addresses) = Server::start(&shared, options.host, &ports, options.threads.clamp(1, 16))?;
        let urls = shared.vendors.iter().zip(addresses).map(|(vendor, address)| (vendor.name(), format!("http://{address}"))).collect();
        Ok(Self { shared, server: Mutex::new(Some(server)), urls })
    }

    /// The address of a vendor's server, without a slash at its end, such as `http://127.0.0.1:40001`; its paths start with `/api`.
    #[must_use]
    pub fn url(&self, vendor: &str) -> Option<String> {
        self.urls.iter().find(|(name, _)| *name == vendor).map(|(_, url)| url.clone())
    }

    /// The addresses of all servers, by vendor.
    #[must_use]
    pub fn urls(&self) -> BTreeMap<&str, &str> {
        self.urls.iter().map(|(name, url)| (*name, url.as_str())).collect()
    }

    /// Answers a question about what the server holds, such as `{"what": "profile", "email": "mara@example.com"}`.
    ///
    /// # Errors
    /// [`SandboxError::Invalid`] when the query is not one of those the README lists.
    pub fn inspect(&self, query_json: &[u8]) -> Result<Vec<u8>, SandboxError> {
        let query = parse(query_json, "query")?;
        self.shared.inspect(&query).map(|answer| answer.to_string().into_bytes())
    }

    /// Changes what a shop holds, such as `{"vendor": "bigcommerce", "resource": "order", "id": 100, "do": "ship"}`. Answers with the
    /// row's `id` and the `webhooks` that the platform would send because of it, each with `headers` and `body`.
    ///
    /// # Errors
    /// [`SandboxError::Invalid`] when the change is not one of those the README lists, or can't be made.
    pub fn change(&self, spec_json: &[u8]) -> Result<Vec<u8>, SandboxError> {
        let spec = parse(spec_json, "change")?;
        self.shared.change(&spec).map(|answer| answer.to_string().into_bytes())
    }

    /// Adds a fault, such as `{"match": {"path": "/api/commerce"}, "fault": {"kind": "status", "status": 429}, "times": 2}`.
    ///
    /// # Errors
    /// [`SandboxError::Invalid`] when the specification has unknown keys or values.
    pub fn fault(&self, spec_json: &[u8]) -> Result<(), SandboxError> {
        self.shared.faults.add(spec_json)
    }

    /// Takes all faults out.
    pub fn clear_faults(&self) {
        self.shared.faults.clear();
    }

    /// What was sent and answered, one JSON object a line: `vendor`, `method`, `url`, `body`, `status`, `response`, `ref`.
    #[must_use]
    pub fn exchanges(&self) -> Vec<u8> {
        self.shared.recorder.dump()
    }

    /// Forgets everything: state, faults, recorded exchanges, budgets. The address stays.
    pub fn reset(&self) {
        self.shared.reset();
    }

    /// Moves a manual clock on; without effect on the system's clock.
    pub fn advance_clock(&self, milliseconds: u64) {
        self.shared.clock.advance(milliseconds);
    }

    /// Stops the servers, frees their addresses and cuts open connections. What they hold can still be inspected.
    pub fn stop(&self) {
        if let Some(server) = lock(&self.server).take() {
            server.stop();
        }
        self.shared.recorder.flush();
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Parses JSON in; nothing at all stands for `{}`.
fn parse<T: serde::de::DeserializeOwned>(json: &[u8], what: &str) -> Result<T, SandboxError> {
    let json = if json.iter().all(u8::is_ascii_whitespace) { b"{}" } else { json };
    // Serde would read an array as the fields of a struct in their order.
    if json.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(SandboxError::Invalid(format!("{what}: not a JSON object")));
    }
    serde_json::from_slice(json).map_err(|error| SandboxError::Invalid(format!("{what}: {error}")))
}

/// A panic in one request must not take the others down with it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
