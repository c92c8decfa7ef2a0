//! A shop with 200,000 orders is pulled while its rows change, its answers are refused, reset and cut, and the process that
//! pulls is killed twice. In the end every order has arrived once. Prints time and memory of the pulling process.
//!
//! `pull [--source commercetools|bigcommerce] [ORDERS]`. The sandbox runs in this process; the one that pulls is a child:
//! `pull child OPTIONS.json REPORT.json`.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::time::{Duration, Instant};

use cartwire::facade::Engine;
use cartwire_sandbox::Sandbox;
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error>;

/// Most resident memory of the pulling process, in MB.
const MOST_MB: u64 = 150;

/// The shop that is pulled from.
#[derive(Clone, Copy)]
enum Source {
    Commercetools,
    Bigcommerce,
}

impl Source {
    fn named(name: &str) -> Result<Self, Failure> {
        match name {
            "commercetools" => Ok(Self::Commercetools),
            "bigcommerce" => Ok(Self::Bigcommerce),
            _ => Err(format!("no source is called `{name}`").into()),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Commercetools => "commercetools",
            Self::Bigcommerce => "bigcommerce",
        }
    }

    /// What the paths of the API begin with.
    fn path(self) -> &'static str {
        match self {
            Self::Commercetools => "/demo",
            Self::Bigcommerce => "/stores/demo",
        }
    }

    /// How pages of orders that were answered are counted, and how many orders are on one.
    fn page(self) -> (&'static str, u64) {
        match self {
            Self::Commercetools => ("orders 200", 200),
            Self::Bigcommerce => ("v2/orders 200", 50),
        }
    }

    /// The shop in the sandbox; one order in fifty changes while it is read.
    fn shop(self, orders: u64) -> Value {
        let most = orders / 50;
        match self {
            // As many prices per variant as make an order of about 8 kB.
            Self::Commercetools => json!({"orders": orders, "customers": orders / 4 + 1, "ballast": 3, "payments": 0,
                "changes_per_page": 20, "most_changes": most}),
            // None of them left at the payment page.
            Self::Bigcommerce => json!({"orders": orders, "customers": orders / 4 + 1, "incomplete_every": 0,
                "changes_per_page": 5, "most_changes": most}),
        }
    }

    /// How many orders must arrive as purchases: those that were placed and not called off.
    fn bought(self, counts: &Value, orders: u64) -> u64 {
        let of = |status: &str| counts["statuses"][status].as_u64().unwrap_or(0);
        match self {
            Self::Commercetools => orders,
            Self::Bigcommerce => orders - of("0") - of("5") - of("6"),
        }
    }

    /// The source's own options for an engine.
    fn options(self, usual: &Value, url: &str) -> Value {
        match self {
            Self::Commercetools => {
                let mut source = usual.clone();
                source["pull"] = json!({"api_url": url, "auth_url": url, "client_id": "sandbox-client", "client_secret": "sandbox-secret"});
                source
            }
            Self::Bigcommerce => {
                json!({"type": "bigcommerce", "store": "demo", "pull": {"api_url": url, "access_token": "sandbox-token"}})
            }
        }
    }
}

/// Peak resident memory of a process in kB, where the system tells.
fn peak_kb(pid: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// What the child does: pulls to the end of all pages, and once more for what changed meanwhile. It knows nothing of earlier
/// children; where they were is in the state.
async fn child(options: &Path, report: &Path) -> Result<(), Failure> {
    let engine = Engine::open(&std::fs::read(options)?).await?;
    let call = json!({"streams": ["orders"], "mode": "live"}).to_string();
    let mut pulls = Vec::new();
    let mut complete = 0;
    while complete < 2 && pulls.len() < 50 {
        let pulled: Value = serde_json::from_slice(&engine.pull(call.clone().into()).await?)?;
        complete += u8::from(pulled["streams"]["orders"]["complete"] == true);
        pulls.push(json!({"streams": pulled["streams"], "requests": pulled["requests"], "retries": pulled["retries"],
            "counts": pulled["run"]["counts"], "skipped": pulled["run"]["skipped_by_reason"]}));
    }
    engine.flush(bytes::Bytes::new()).await?;
    engine.close().await?;
    std::fs::write(report, json!({"pulls": pulls, "peak_kb": peak_kb("self")}).to_string())?;
    Ok(())
}

fn inspect(sandbox: &Sandbox, vendor: &str) -> Result<Value, Failure> {
    let query = json!({"vendor": vendor, "what": "counts"}).to_string();
    Ok(serde_json::from_slice(&sandbox.inspect(query.as_bytes()).map_err(|error| error.to_string())?)?)
}

/// Answers that a fault struck.
fn inspect_faults(sandbox: &Sandbox) -> Result<u64, Failure> {
    let faults: Value = serde_json::from_slice(&sandbox.inspect(br#"{"what": "faults"}"#).map_err(|error| error.to_string())?)?;
    Ok(faults.as_array().into_iter().flatten().filter_map(|fault| fault["struck"].as_u64()).sum())
}

/// Pages of orders that were answered so far.
fn pages(sandbox: &Sandbox, source: Source) -> Result<u64, Failure> {
    Ok(inspect(sandbox, source.name())?["requests"][source.page().0].as_u64().unwrap_or(0))
}

fn shop(source: Source, orders: u64) -> Result<Sandbox, Failure> {
    let mut options = cartwire_crash::sandbox(false);
    options[source.name()] = source.shop(orders);
    let sandbox = Sandbox::start(options.to_string().as_bytes()).map_err(|error| error.to_string())?;
    for (fault, probability, seed) in [
        (json!({"kind": "status", "status": 429, "retry_after": "0"}), 0.1, 1),
        (json!({"kind": "status", "status": 503}), 0.06, 2),
        (json!({"kind": "reset"}), 0.08, 3),
        (json!({"kind": "reset_after"}), 0.05, 4),
        (json!({"kind": "truncated_body"}), 0.08, 5),
    ] {
        let spec =
            json!({"match": {"vendor": source.name(), "path": source.path()}, "fault": fault, "probability": probability, "seed": seed});
        sandbox.fault(spec.to_string().as_bytes()).map_err(|error| error.to_string())?;
    }
    Ok(sandbox)
}

/// Waits for the child to end, or kills it once `until` pages were answered. Whether it ended, and its peak memory.
fn watch(mut child: Child, sandbox: &Sandbox, source: Source, until: Option<u64>) -> Result<(bool, u64), Failure> {
    let (pid, mut peak) = (child.id().to_string(), 0);
    loop {
        peak = peak_kb(&pid).unwrap_or(0).max(peak);
        if let Some(status) = child.try_wait()? {
            return if status.success() { Ok((true, peak)) } else { Err(format!("the child died by itself: {status}").into()) };
        }
        if let Some(until) = until
            && pages(sandbox, source)? >= until
        {
            child.kill()?;
            child.wait()?;
            return Ok((false, peak));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[allow(clippy::print_stdout)] // The figures are what this program is for.
fn measure(source: Source, orders: u64) -> Result<(), Failure> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../target/pull/{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let outcome = measure_in(source, orders, &folder);
    let _ = std::fs::remove_dir_all(&folder);
    outcome
}

#[allow(clippy::print_stdout)]
fn measure_in(source: Source, orders: u64, folder: &Path) -> Result<(), Failure> {
    let sandbox = shop(source, orders)?;
    let url = |vendor| sandbox.url(vendor).ok_or("the sandbox has no address");
    let (options, report) = (folder.join("options.json"), folder.join("report.json"));
    let mut engine = cartwire_crash::engine(&url("iterable")?, &folder.join("state.db"));
    engine["source"] = source.options(&engine["source"], &url(source.name())?);
    std::fs::write(&options, engine.to_string())?;
    let start = || Command::new(std::env::current_exe()?).arg("child").arg(&options).arg(&report).spawn();
    let whole = orders.div_ceil(source.page().1);
    let (mut kills, mut peak) = (0, 0);
    let began = Instant::now();
    for part in [Some(whole / 3), Some(whole * 2 / 3), None] {
        let (ended, used) = watch(start()?, &sandbox, source, part)?;
        peak = peak.max(used);
        kills += u32::from(!ended);
        if ended {
            break;
        }
    }
    let took = began.elapsed().as_secs_f64();
    let report: Value = serde_json::from_slice(&std::fs::read(&report)?)?;
    peak = peak.max(report["peak_kb"].as_u64().unwrap_or(0));
    let (asked, arrived) = (inspect(&sandbox, source.name())?, inspect(&sandbox, "iterable")?);
    let purchases = &arrived["purchases"];
    println!("kills      {kills}");
    println!("shop       {} changed while it was read; answers {}", asked["changed"]["orders"], asked["requests"]);
    println!("pulls      {}", report["pulls"]);
    println!("purchases  {purchases}");
    println!("time       {took:.1} s, {:.0} orders/s", orders as f64 / took);
    if kills != 2 {
        return Err(format!("{kills} kills instead of two").into());
    }
    let struck = inspect_faults(&sandbox)?;
    println!("faults     {struck} answers were refused, reset or cut");
    if struck == 0 {
        return Err("nothing went wrong, so nothing was shown".into());
    }
    let count = |name: &str| purchases[name].as_u64().unwrap_or(0);
    let bought = source.bought(&asked, orders);
    if count("distinct") != bought {
        return Err(format!("{} of {bought} orders arrived", count("distinct")).into());
    }
    // Only what was under way when a kill came may have been sent again, under its own id, and changed nothing.
    let under_way = u64::from(kills) * 16;
    if count("probableDuplicates") > 0 || count("updates") > under_way || count("updates") != count("identicalUpdates") {
        return Err(format!("orders arrived twice: {purchases}").into());
    }
    match peak {
        0 => println!("peak rss   this system does not tell"),
        peak => {
            println!("peak rss   {} MB ({MOST_MB} MB are allowed)", peak / 1024);
            if peak / 1024 >= MOST_MB {
                return Err(format!("{} MB is too much", peak / 1024).into());
            }
        }
    }
    Ok(())
}

fn run(words: &[String]) -> Result<(), Failure> {
    let (source, words) = match words {
        [word, name, rest @ ..] if word == "--source" => (Source::named(name)?, rest),
        words => (Source::Commercetools, words),
    };
    match words {
        [] => measure(source, 200_000),
        [word, options, report] if word == "child" => {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
            runtime.block_on(child(&PathBuf::from(options), &PathBuf::from(report)))
        }
        [orders] => measure(source, orders.parse()?),
        _ => Err("usage: pull [--source commercetools|bigcommerce] [ORDERS]".into()),
    }
}

#[allow(clippy::print_stderr)]
fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pull: {error}");
            ExitCode::FAILURE
        }
    }
}
