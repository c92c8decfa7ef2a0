//! What the tests over all destinations need to know of each. A new destination adds a file here and a line to
//! [`entries`]; the tests themselves name no vendor.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

#[cfg(feature = "destination-cordial")]
mod cordial;
#[cfg(feature = "destination-dotdigital")]
mod dotdigital;
#[cfg(feature = "destination-insider")]
mod insider;
#[cfg(feature = "destination-iterable")]
mod iterable;

use std::future::Future;
use std::pin::Pin;

use cartwire::destinations::{Destination, DestinationConfig, NAMES, Operation, Reply, Request};
use cartwire_sandbox::Sandbox;
use serde_json::{Value, json};

pub type Act<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// How somebody stands on one channel at the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The platform does not know them.
    Absent,
    /// They gave a yes that the platform counts as one.
    On,
    /// They left, or never joined what must be joined.
    Off,
    /// Nobody said anything and the platform takes that for a yes. Never made by us out of an [`Standing::Off`].
    Default,
}

impl Standing {
    pub const fn word(self) -> &'static str {
        match self {
            Standing::Absent => "unknown",
            Standing::On => "on",
            Standing::Off => "off",
            Standing::Default => "default",
        }
    }
}

/// One person of a test.
#[derive(Clone, Debug)]
pub struct Person {
    pub customer_id: String,
    pub email: String,
    /// E.164.
    pub phone: String,
}

impl Person {
    pub fn numbered(number: usize) -> Person {
        Person {
            customer_id: format!("c-{number:05}"),
            email: format!("p{number:05}@example.com"),
            phone: format!("+4930{:07}", 1_000_000 + number),
        }
    }

    pub fn identity(&self) -> Value {
        json!({"customer_id": self.customer_id, "email": self.email, "phone": self.phone})
    }
}

/// A refusal or success as the vendor words it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// All rows were taken.
    Taken,
    /// The first half of the rows was taken, the others are named as refused; `None` where no answer can say so.
    HalfRefused,
    /// The whole request is refused because of some row in it.
    Refused,
    /// A success by its status, a refusal by its body.
    FalseSuccess,
    /// Slow down.
    Throttled,
    /// The credentials are wrong; the body repeats the key, as some do.
    Unauthorized,
    /// The vendor's servers are in trouble.
    Broken,
    /// The request was taken as a job, which is called `job-1` where the answer can say so.
    JobTaken,
    /// Asked for the job: it goes on.
    JobRunning,
    /// Asked for the job: it ended, and none of its rows arrived.
    JobFailed,
}

/// One set-up of one destination.
pub trait Vendor: Send + Sync {
    /// As in [`NAMES`].
    fn destination(&self) -> &'static str;

    /// Name of the set-up, for golden files; the destination's where there is only one.
    fn label(&self) -> &'static str {
        self.destination()
    }

    /// A line on what is special about the set-up.
    fn about(&self) -> &'static str;

    /// Settings, small, with every channel of [`Vendor::channels`] and every kind of record switched on; the secrets are
    /// those of [`Vendor::secrets`]. `url` is where the sandbox listens, or any loopback address for building only.
    fn config(&self, url: &str) -> Value;

    /// Further settings that reach endpoints the first do not.
    fn more_configs(&self, url: &str) -> Vec<Value> {
        let _ = url;
        Vec::new()
    }

    /// The secrets in [`Vendor::config`].
    fn secrets(&self) -> &'static [&'static str];

    /// Options of the sandbox for that destination.
    fn sandbox(&self) -> Value;

    /// Channels whose permission the destination keeps.
    fn channels(&self) -> &'static [&'static str];

    /// Makes someone join or leave at the platform, behind the library's back, as its own form or link would.
    fn act<'a>(&'a self, url: &'a str, person: &'a Person, channel: &'a str, join: bool) -> Act<'a>;

    /// Whether the matrix has rows for people who leave at the platform what they never joined.
    fn leaves_without_joining(&self) -> bool {
        false
    }

    /// Why nobody but the platform can see that someone left this channel, where that is so. The rules are not asserted for
    /// those cells then, and the page says it.
    fn unseen(&self, channel: &str) -> Option<&'static str> {
        let _ = channel;
        None
    }

    /// How someone stands, read from the sandbox's own books.
    fn standing(&self, sandbox: &Sandbox, person: &Person, channel: &str) -> Standing;

    /// What a request says about permission, in a word; `None` when it cannot carry any.
    fn says(&self, request: &Request) -> Option<String>;

    /// An answer in the vendor's words to a request of these operations; `None` where the endpoint cannot give it.
    fn answer(&self, operations: &[&Operation], answer: Answer) -> Option<Reply>;

    /// The answer to the question for a job of these operations that has ended, with some of its rows named as refused, and
    /// told to have failed as a whole or not; `None` where jobs do not report by row.
    fn job_report(&self, operations: &[&Operation], refused: &[&Operation], failed: bool) -> Option<Reply> {
        let _ = (operations, refused, failed);
        None
    }

    /// The answer to a read that comes before a write: somebody is there, and nothing is known of them.
    fn found(&self, request: &Request) -> Reply;

    /// Endpoints that no record leads to, each with who does.
    fn reached_otherwise(&self) -> &'static [(&'static str, &'static str)];

    fn open(&self, config: Value) -> Box<dyn Destination> {
        serde_json::from_value::<DestinationConfig>(config).unwrap().open().unwrap()
    }
}

/// Every set-up of every destination in this build.
pub fn entries() -> Vec<Box<dyn Vendor>> {
    let mut entries: Vec<Box<dyn Vendor>> = Vec::new();
    #[cfg(feature = "destination-cordial")]
    entries.extend(cordial::entries());
    #[cfg(feature = "destination-dotdigital")]
    entries.extend(dotdigital::entries());
    #[cfg(feature = "destination-insider")]
    entries.extend(insider::entries());
    #[cfg(feature = "destination-iterable")]
    entries.extend(iterable::entries());
    for name in NAMES {
        assert!(entries.iter().any(|entry| entry.destination() == *name), "tests/rust/vendors has no entry for `{name}`");
    }
    entries
}

/// An answer with a JSON body and no headers.
pub fn json_reply(status: u16, body: &Value) -> Reply {
    Reply { status, headers: vec![("content-type".to_owned(), "application/json".to_owned())], body: body.to_string().into_bytes() }
}

/// Settings with some of them changed.
pub fn changed(mut config: Value, change: Value) -> Value {
    let Value::Object(change) = change else { panic!("a change is an object") };
    config.as_object_mut().unwrap().extend(change);
    config
}

pub fn inspect(sandbox: &Sandbox, query: &Value) -> Value {
    serde_json::from_slice(&sandbox.inspect(query.to_string().as_bytes()).unwrap()).unwrap()
}

/// A call somebody else makes at the platform.
pub async fn call(method: &str, url: String, headers: &[(&str, &str)], body: Option<Value>) {
    let mut request = reqwest::Client::new().request(method.parse().unwrap(), &url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if let Some(body) = body {
        request = request.header("content-type", "application/json").body(body.to_string());
    }
    let reply = request.send().await.unwrap();
    let status = reply.status();
    assert!(status.is_success(), "{method} {url}: {status} {}", reply.text().await.unwrap_or_default());
}
