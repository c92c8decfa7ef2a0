//! 200,000 orders through one run of one engine: how long, how many a second, and how much memory at most. The sandbox
//! is a process of its own, so that its memory does not count.
//!
//! `scale [ORDERS]`; the input is made under `target/scale` once and kept.

use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Instant;

use bytes::Bytes;
use cartwire::facade::Engine;
use cartwire_sandbox::Sandbox;
use cartwire_sandbox::shop::ShopOptions;
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error>;

/// Most resident memory of the engine's process, in MB.
const MOST_MB: u64 = 200;
/// Bytes read from the file for one call.
const CHUNK: u64 = 8 << 20;

fn input(folder: &Path, orders: u64) -> Result<PathBuf, Failure> {
    let file = folder.join(format!("orders-{orders}.ndjson"));
    if file.exists() {
        return Ok(file);
    }
    let unfinished = file.with_extension("part");
    let mut out = BufWriter::new(std::fs::File::create(&unfinished)?);
    // As many prices per variant as make an order of about 8 kB.
    ShopOptions { count: orders, customers: orders / 4 + 1, ballast: 3, ..ShopOptions::default() }.write(&mut out)?;
    out.into_inner()?.sync_all()?;
    std::fs::rename(unfinished, &file)?;
    Ok(file)
}

/// The sandbox in a process of its own; it ends with its standard input.
fn serve() -> Result<(), Failure> {
    let sandbox = Sandbox::start(cartwire_crash::sandbox(false).to_string().as_bytes())?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", sandbox.url("iterable").ok_or("the sandbox has no address")?)?;
    out.flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// Peak resident memory of this process in kB, where the system tells.
fn peak_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix("kB")?.trim().parse().ok()
}

async fn deliver(url: &str, folder: &Path, file: &Path) -> Result<Value, Failure> {
    let state = folder.join(format!("state-{}.db", std::process::id()));
    let engine = Engine::open(cartwire_crash::engine(url, &state).to_string().as_bytes()).await?;
    let call = json!({"resource": "order", "format": "ndjson"});
    let started: Value = serde_json::from_slice(&engine.start_run(call.to_string().into()).await?)?;
    let run = started["run"].as_str().ok_or("a run without a name")?.to_owned();
    let call = Bytes::from(json!({"resource": "order", "format": "ndjson", "run": run}).to_string());
    let mut reader = BufReader::new(std::fs::File::open(file)?);
    loop {
        let mut chunk = Vec::new();
        reader.by_ref().take(CHUNK).read_to_end(&mut chunk)?;
        if chunk.is_empty() {
            break;
        }
        reader.read_until(b'\n', &mut chunk)?;
        engine.deliver(call.clone(), chunk.into()).await?;
    }
    let report = serde_json::from_slice(&engine.finish_run(&run).await?)?;
    engine.close().await?;
    for ending in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{ending}", state.display()));
    }
    Ok(report)
}

#[allow(clippy::print_stdout)] // The figures are what this program is for.
fn measure(orders: u64) -> Result<(), Failure> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/scale");
    std::fs::create_dir_all(&folder)?;
    let file = input(&folder, orders)?;
    let mut server = Command::new(std::env::current_exe()?).arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut address = String::new();
    BufReader::new(server.stdout.take().ok_or("the sandbox has no output")?).read_line(&mut address)?;
    let server = Served(server);
    let before = peak_kb();
    let began = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let report = runtime.block_on(deliver(address.trim(), &folder, &file))?;
    let took = began.elapsed().as_secs_f64();
    drop(server);
    let bytes = std::fs::metadata(&file)?.len();
    let peak = peak_kb();
    println!("counts     {}", report["counts"]);
    println!("input      {:.1} MB, {} bytes an order", bytes as f64 / 1e6, bytes / orders.max(1));
    println!("time       {took:.1} s, {:.0} orders/s", orders as f64 / took);
    let delivered = report["counts"]["delivered"].as_u64().unwrap_or(0);
    let dead = report["counts"]["dead_lettered"].as_u64().unwrap_or(0);
    if delivered + dead != orders || dead > orders / 50 {
        return Err(format!("{delivered} delivered and {dead} dead of {orders}").into());
    }
    match peak {
        None => println!("peak rss   this system does not tell"),
        Some(peak) => {
            println!("peak rss   {} MB (before the run {} MB, {MOST_MB} MB are allowed)", peak / 1024, before.unwrap_or(0) / 1024);
            if peak / 1024 >= MOST_MB {
                return Err(format!("{} MB is too much", peak / 1024).into());
            }
        }
    }
    Ok(())
}

#[allow(clippy::print_stderr)]
fn main() -> ExitCode {
    let outcome = match std::env::args().nth(1).as_deref() {
        Some("serve") => serve(),
        None => measure(200_000),
        Some(orders) => orders.parse().map_err(Failure::from).and_then(measure),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("scale: {error}");
            ExitCode::FAILURE
        }
    }
}
