//! Who ends subscribed: for every destination and channel, what is remembered × what the platform holds × what the shop
//! says now × mode. Each cell is a person of their own who goes the whole way, from the engine to the sandbox, and is looked
//! up in the sandbox's own books afterwards. What was called and how it ended stands in
//! `tests/golden/consent_matrix/*.md`, for a person to read; `UPDATE_GOLDEN=1` writes it. Whatever the tables say, the
//! rules in [`wrong`] hold.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod vendors;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use cartwire::delivery::{BoxFuture, HttpOptions, HttpTransport, Transport, TransportFailure};
use cartwire::destinations::{Reply, Request};
use cartwire::facade::Engine;
use cartwire_sandbox::Sandbox;
use serde_json::{Value, json};

use vendors::{Person, Standing, Vendor, entries};

/// What the shop said before, as this library remembers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Memory {
    Nothing,
    YesOlder,
    YesNewer,
    NoOlder,
    NoNewer,
    Pending,
}

impl Memory {
    const ALL: [Memory; 6] = [Memory::Nothing, Memory::YesOlder, Memory::YesNewer, Memory::NoOlder, Memory::NoNewer, Memory::Pending];

    const fn word(self) -> &'static str {
        match self {
            Memory::Nothing => "nothing",
            Memory::YesOlder => "yes, older",
            Memory::YesNewer => "yes, newer",
            Memory::NoOlder => "no, older",
            Memory::NoNewer => "no, newer",
            Memory::Pending => "pending",
        }
    }

    fn consent(self) -> Option<(&'static str, &'static str)> {
        match self {
            Memory::Nothing => None,
            Memory::YesOlder => Some(("granted", OLDER)),
            Memory::YesNewer => Some(("granted", NEWER)),
            Memory::NoOlder => Some(("denied", OLDER)),
            Memory::NoNewer => Some(("denied", NEWER)),
            Memory::Pending => Some(("pending", OLDER)),
        }
    }

    const fn is_no(self) -> bool {
        matches!(self, Memory::NoOlder | Memory::NoNewer)
    }

    const fn is_yes(self) -> bool {
        matches!(self, Memory::YesOlder | Memory::YesNewer)
    }
}

/// What happened at the platform since, behind the library's back: before the shop heard what it says now, or after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Platform {
    Untouched,
    JoinedBefore,
    LeftBefore,
    JoinedAfter,
    LeftAfter,
    /// Left what they had never joined; only where a vendor's entry asks for it.
    LeftOffBefore,
    LeftOffAfter,
}

impl Platform {
    /// Those whose time is the platform's clock early in the test, and those late in it.
    const EARLY: [Platform; 4] = [Platform::Untouched, Platform::JoinedBefore, Platform::LeftBefore, Platform::LeftOffBefore];
    const LATE: [Platform; 3] = [Platform::JoinedAfter, Platform::LeftAfter, Platform::LeftOffAfter];

    /// Whether they left without ever having been on.
    const fn left_off(self) -> bool {
        matches!(self, Platform::LeftOffBefore | Platform::LeftOffAfter)
    }

    const fn left(self) -> bool {
        matches!(self, Platform::LeftBefore | Platform::LeftAfter) || self.left_off()
    }

    const fn word(self) -> &'static str {
        match self {
            Platform::Untouched => "–",
            Platform::JoinedBefore => "joined before",
            Platform::LeftBefore => "left before",
            Platform::JoinedAfter => "joined after",
            Platform::LeftAfter => "left after",
            Platform::LeftOffBefore => "left before, never on",
            Platform::LeftOffAfter => "left after, never on",
        }
    }
}

/// What the shop says now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Incoming {
    Yes,
    YesWithoutTime,
    No,
    Pending,
    Unknown,
    Absent,
}

impl Incoming {
    const ALL: [Incoming; 6] =
        [Incoming::Yes, Incoming::YesWithoutTime, Incoming::No, Incoming::Pending, Incoming::Unknown, Incoming::Absent];

    const fn word(self) -> &'static str {
        match self {
            Incoming::Yes => "yes",
            Incoming::YesWithoutTime => "yes, no time",
            Incoming::No => "no",
            Incoming::Pending => "pending",
            Incoming::Unknown => "unknown",
            Incoming::Absent => "says nothing",
        }
    }

    fn consents(self, channel: &str) -> Value {
        let one = |status: &str, at: Option<&str>| json!([{"channel": channel, "status": status, "at": at}]);
        match self {
            Incoming::Yes => one("granted", Some(NOW)),
            Incoming::YesWithoutTime => one("granted", None),
            Incoming::No => one("denied", Some(NOW)),
            Incoming::Pending => one("pending", Some(NOW)),
            Incoming::Unknown => one("unknown", None),
            Incoming::Absent => json!([]),
        }
    }
}

const OLDER: &str = "2026-02-01T00:00:00Z";
const NOW: &str = "2026-03-01T00:00:00Z";
const NEWER: &str = "2026-04-01T00:00:00Z";
/// Between [`OLDER`] and [`NOW`], and after [`NEWER`]: the platform's clock.
const CLOCKS: [(i64, &[Platform]); 2] = [(1_771_149_600_000, &Platform::EARLY), (1_777_629_600_000, &Platform::LATE)];
const HEARD: &str = "2026-04-02T00:00:00Z";

const MODES: [&str; 2] = ["live", "backfill"];

/// One cell and what came of it.
struct Cell {
    memory: Memory,
    platform: Platform,
    incoming: Incoming,
    before: Standing,
    after: Standing,
    said: Vec<String>,
    skipped: Vec<String>,
}

/// What is wrong with how a cell ended, by rules that know nothing of the code.
fn wrong(cell: &Cell, mode: &str) -> Option<&'static str> {
    let left = cell.platform.left();
    let left_after = matches!(cell.platform, Platform::LeftAfter | Platform::LeftOffAfter);
    let may_join = match cell.incoming {
        Incoming::Yes => !left_after && cell.memory != Memory::NoNewer,
        Incoming::YesWithoutTime => !left && !cell.memory.is_no(),
        _ => false,
    };
    if cell.after == Standing::On && cell.before != Standing::On && !may_join {
        return Some("subscribed without a newer explicit opt-in");
    }
    if cell.after == Standing::Default && cell.before == Standing::Off && !may_join {
        return Some("a no was lifted into the platform's default without a newer explicit opt-in");
    }
    // In a backfill a platform may rather not make somebody whose yes it withholds.
    if mode == "live" && cell.before == Standing::Absent && cell.after == Standing::Absent {
        return Some("the person did not arrive");
    }
    // A yes that is newer, here or there, may stand; so may what a no changed nothing about, having been said before.
    let kept = matches!(cell.memory, Memory::YesNewer | Memory::NoNewer) || cell.platform == Platform::JoinedAfter;
    if cell.incoming == Incoming::No && !kept && matches!(cell.after, Standing::On | Standing::Default) {
        return Some("a no was lost");
    }
    if cell.before == Standing::On && cell.after != Standing::On && cell.incoming != Incoming::No {
        return Some("unsubscribed without a no");
    }
    None
}

/// Sends, and notes what was sent.
struct Noted {
    inner: HttpTransport,
    sent: Mutex<Vec<Request>>,
}

/// Shares one [`Noted`] with the engine.
struct Shared(Arc<Noted>);

impl Transport for Shared {
    fn send<'a>(&'a self, base_url: &'a str, request: &'a Request) -> BoxFuture<'a, Result<Reply, TransportFailure>> {
        self.0.sent.lock().unwrap().push(request.clone());
        self.0.inner.send(base_url, request)
    }
}

struct Stage<'a> {
    vendor: &'a dyn Vendor,
    sandbox: Sandbox,
    url: String,
    engine: Engine,
    noted: Arc<Noted>,
}

impl<'a> Stage<'a> {
    async fn new(vendor: &'a dyn Vendor, clock_ms: i64) -> Stage<'a> {
        let name = vendor.destination();
        let sandbox =
            Sandbox::start(json!({"vendors": [name], "manual_clock_ms": clock_ms, name: vendor.sandbox()}).to_string().as_bytes()).unwrap();
        let url = sandbox.url(name).unwrap();
        let options = json!({"state": "memory:", "rate_limits": false,
            "retry": {"base_delay_ms": 5, "max_delay_ms": 50, "throttle_floor_ms": 5}});
        let noted = Arc::new(Noted { inner: HttpTransport::new(&HttpOptions::default()).unwrap(), sent: Mutex::default() });
        let destination = vec![(name.to_owned(), vendor.open(vendor.config(&url)).into())];
        let transport = Arc::new(Shared(noted.clone()));
        let engine = Engine::assemble(serde_json::from_value(options).unwrap(), destination, transport).await.unwrap();
        Stage { vendor, sandbox, url, engine, noted }
    }

    async fn deliver(&self, person: &Person, version: u64, consents: &Value, mode: &str) -> Value {
        let row = json!({"envelope": {"source": "commercetools", "tenant": "demo",
                "resource": {"type": "customer", "id": person.customer_id}, "version": version, "occurred_at": HEARD,
                "observed_at": HEARD, "identity": person.identity(), "correlation_id": "c",
                "idempotency_key": format!("{}-{version}", person.customer_id)},
            "body": {"type": "contact", "first_name": format!("Mara {version}"), "consents": consents}});
        let call = json!({"format": "ndjson", "mode": mode}).to_string();
        let report = self.engine.deliver(call.into(), Bytes::from(row.to_string())).await.unwrap();
        let report: Value = serde_json::from_slice(&report).unwrap();
        let arrived = report["counts"]["dead_lettered"] == 0 && report["counts"]["pending"] == 0 && report["counts"]["rejected"] == 0;
        assert!(arrived, "{}: {report:#}", self.vendor.label());
        report
    }

    async fn cell(&self, person: &Person, channel: &str, mode: &str, memory: Memory, platform: Platform, incoming: Incoming) -> Cell {
        if let Some((status, at)) = memory.consent() {
            let consents = json!([{"channel": channel, "status": status, "at": at}]);
            self.deliver(person, 1, &consents, "live").await;
        }
        match platform {
            Platform::Untouched => {}
            Platform::JoinedBefore | Platform::JoinedAfter => self.vendor.act(&self.url, person, channel, true).await,
            Platform::LeftBefore | Platform::LeftAfter => {
                // Whoever leaves was on: by the platform's own form if by nothing else.
                self.vendor.act(&self.url, person, channel, true).await;
                self.vendor.act(&self.url, person, channel, false).await;
            }
            Platform::LeftOffBefore | Platform::LeftOffAfter => self.vendor.act(&self.url, person, channel, false).await,
        }
        let before = self.vendor.standing(&self.sandbox, person, channel);
        self.noted.sent.lock().unwrap().clear();
        let report = self.deliver(person, 2, &incoming.consents(channel), mode).await;
        let said = self.noted.sent.lock().unwrap().iter().filter_map(|request| self.vendor.says(request)).collect();
        let mut skipped: Vec<String> = report["skipped_by_reason"].as_object().unwrap().keys().cloned().collect();
        // What did not change is said only where that is all there is to say about a yes or no.
        let spoken = matches!(incoming, Incoming::Yes | Incoming::YesWithoutTime | Incoming::No);
        let alone = skipped.len() == 1;
        skipped.retain(|reason| reason != "unchanged" || (alone && spoken));
        let after = self.vendor.standing(&self.sandbox, person, channel);
        Cell { memory, platform, incoming, before, after, said, skipped }
    }
}

async fn cells(stages: &[Stage<'_>; 2], channel: &str, mode: &str, first: usize) -> Vec<Cell> {
    let mut cells = Vec::new();
    for memory in Memory::ALL {
        for (stage, (_, platforms)) in stages.iter().zip(CLOCKS) {
            let never_on = stage.vendor.leaves_without_joining() && !memory.is_yes();
            for platform in platforms.iter().filter(|platform| never_on || !platform.left_off()) {
                for incoming in Incoming::ALL {
                    let person = Person::numbered(first + cells.len());
                    cells.push(stage.cell(&person, channel, mode, memory, *platform, incoming).await);
                }
            }
        }
    }
    cells
}

fn table(cells: &[Cell]) -> String {
    let mut out = String::from("| remembered | at the platform | before |");
    Incoming::ALL.iter().for_each(|incoming| write!(out, " {} |", incoming.word()).unwrap());
    out.push_str("\n|---|---|---|");
    Incoming::ALL.iter().for_each(|_| out.push_str("---|"));
    out.push('\n');
    for row in cells.chunks(Incoming::ALL.len()) {
        write!(out, "| {} | {} | {} |", row[0].memory.word(), row[0].platform.word(), row[0].before.word()).unwrap();
        for cell in row {
            let said = match (cell.said.is_empty(), cell.skipped.is_empty()) {
                (false, _) => format!("**{}**", cell.said.join(", ")),
                (true, false) => cell.skipped.join(", "),
                (true, true) => "–".to_owned(),
            };
            write!(out, " {said} → {} |", cell.after.word()).unwrap();
        }
        out.push('\n');
    }
    out
}

/// The page of one set-up, and what is wrong with it.
async fn matrix(vendor: Box<dyn Vendor>) -> (&'static str, String, Vec<String>) {
    let vendor = &*vendor;
    let mut faults = Vec::new();
    let stages = [Stage::new(vendor, CLOCKS[0].0).await, Stage::new(vendor, CLOCKS[1].0).await];
    let mut out = format!(
        "# Consent at {}\n\n{}\n\nA cell says what was called, or else why not, and how the person stands afterwards: `on`, `off`, \
         `default` (nobody said anything and the platform takes that for a yes). Older and newer are meant against what the shop says \
         now, before and after against its time. Made by `tests/rust/consent_matrix.rs` from what the sandbox held.\n",
        vendor.label(),
        vendor.about()
    );
    let mut first = 0;
    for channel in vendor.channels() {
        for mode in MODES {
            let cells = cells(&stages, channel, mode, first).await;
            first += cells.len();
            for cell in &cells {
                if let Some(why) = wrong(cell, mode) {
                    let Cell { memory, platform, incoming, before, after, .. } = cell;
                    faults.push(format!(
                        "{} {channel} {mode}: {why}: remembered {memory:?}, platform {platform:?}, now {incoming:?}: {before:?} → {after:?}",
                        vendor.label()
                    ));
                }
            }
            write!(out, "\n## {channel}, {mode}\n\n{}", table(&cells)).unwrap();
        }
    }
    for stage in stages {
        stage.engine.close().await.unwrap();
    }
    (vendor.label(), out, faults)
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_ends_subscribed_without_a_newer_explicit_opt_in() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/consent_matrix");
    let (mut faults, mut stale) = (Vec::new(), Vec::new());
    let mut pages: tokio::task::JoinSet<_> = entries().into_iter().map(matrix).collect();
    while let Some(page) = pages.join_next().await {
        let (label, text, wrong) = page.unwrap();
        faults.extend(wrong);
        let path = folder.join(format!("{label}.md"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &text).unwrap();
        } else if std::fs::read_to_string(&path).ok().as_deref() != Some(&text) {
            stale.push(label);
        }
    }
    assert!(faults.is_empty(), "{} wrong cells:\n{}", faults.len(), faults.join("\n"));
    assert!(stale.is_empty(), "the tables differ from those on file, see UPDATE_GOLDEN: {stale:?}");
}

#[test]
fn the_rules_tell_a_wrong_cell() {
    let cell = |memory, platform, incoming, before, after| Cell {
        memory,
        platform,
        incoming,
        before,
        after,
        said: Vec::new(),
        skipped: Vec::new(),
    };
    use Standing::{Absent, Default, Off, On};
    for bad in [
        cell(Memory::Nothing, Platform::LeftAfter, Incoming::Yes, Off, On),
        cell(Memory::NoNewer, Platform::Untouched, Incoming::Yes, Off, On),
        cell(Memory::Pending, Platform::LeftOffAfter, Incoming::Yes, Off, On),
        cell(Memory::Pending, Platform::LeftOffBefore, Incoming::YesWithoutTime, Off, On),
        cell(Memory::NoOlder, Platform::Untouched, Incoming::YesWithoutTime, Off, On),
        cell(Memory::Nothing, Platform::Untouched, Incoming::Unknown, Absent, On),
        cell(Memory::Nothing, Platform::LeftBefore, Incoming::Absent, Off, Default),
        cell(Memory::NoOlder, Platform::LeftAfter, Incoming::Yes, Off, Default),
        cell(Memory::Nothing, Platform::LeftBefore, Incoming::YesWithoutTime, Off, Default),
        cell(Memory::YesOlder, Platform::JoinedBefore, Incoming::No, On, On),
        cell(Memory::YesOlder, Platform::JoinedBefore, Incoming::Pending, On, Off),
        cell(Memory::Nothing, Platform::Untouched, Incoming::Yes, Absent, Absent),
    ] {
        assert!(wrong(&bad, "live").is_some(), "{:?} {:?} {:?}", bad.memory, bad.platform, bad.incoming);
    }
    for good in [
        cell(Memory::NoOlder, Platform::Untouched, Incoming::Yes, Off, On),
        cell(Memory::Nothing, Platform::Untouched, Incoming::YesWithoutTime, Absent, On),
        cell(Memory::YesNewer, Platform::Untouched, Incoming::No, On, On),
        cell(Memory::Nothing, Platform::Untouched, Incoming::Unknown, Absent, Default),
        cell(Memory::NoOlder, Platform::LeftBefore, Incoming::Yes, Off, Default),
    ] {
        assert!(wrong(&good, "live").is_none(), "{:?}", wrong(&good, "live"));
    }
}
