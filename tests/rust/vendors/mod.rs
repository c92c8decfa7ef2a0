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
    /// The request was taken as a job, which is called [`job_name`] where the answer can say so.
    JobTaken,
}

/// How a job ends, told when it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All of its rows arrived.
    Arrived,
    /// All but those that hold [`POISON`]; the answer says so as exactly as the platform can.
    Picky,
    /// It failed as a whole, after it was taken.
    Failed,
}

/// What a row holds that [`End::Picky`] refuses.
pub const POISON: &str = "poisonous";

/// Whether a row of an operation is one that [`End::Picky`] refuses.
pub fn poisoned(operation: &Operation) -> bool {
    String::from_utf8_lossy(&operation.body).contains(POISON)
}

/// The name of the job that these operations went into.
pub fn job_name(operations: &[&Operation]) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    operations.iter().for_each(|operation| operation.idempotency_key.to_string().hash(&mut hasher));
    format!("job-{:x}", hasher.finish())
}

/// Whether a destination answers with jobs, whose rows may fail after the answer.
pub enum Jobs {
    /// It has none. Why, in a sentence.
    None(&'static str),
    /// It has some: a case for each endpoint, and the endpoints shown elsewhere, each with where.
    Some(Vec<JobCase>, &'static [(&'static str, &'static str)]),
}

/// Rows that lead to an endpoint that answers with a job.
pub struct JobCase {
    pub endpoint: &'static str,
    /// Settings under which they do.
    pub config: Value,
    pub rows: Rows,
    /// Whether they do so in a backfill only.
    pub backfill: bool,
}

/// Kinds of rows for a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    Contacts,
    Products,
    Orders,
    Refunds,
    /// Erasures; nothing in them can be [`POISON`].
    Erasures,
    /// Somebody known by e-mail turns out to be a customer; nothing in it can be [`POISON`].
    SignIn,
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

    /// How someone stands, read from the sandbox's own books.
    fn standing(&self, sandbox: &Sandbox, person: &Person, channel: &str) -> Standing;

    /// What a request says about permission, in a word; `None` when it cannot carry any.
    fn says(&self, request: &Request) -> Option<String>;

    /// An answer in the vendor's words to a request of these operations; `None` where the endpoint cannot give it.
    fn answer(&self, operations: &[&Operation], answer: Answer) -> Option<Reply>;

    /// Its jobs, or why it has none.
    fn jobs(&self, url: &str) -> Jobs;

    /// The answer to a question after the job of these operations: how it ended, or `None` while it goes on. Only for
    /// destinations with [`Jobs::Some`].
    fn asked(&self, request: &Request, operations: &[&Operation], end: Option<End>) -> Reply {
        let _ = (operations, end);
        panic!("{} has no jobs, and `{}` was asked", self.label(), request.endpoint)
    }

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
