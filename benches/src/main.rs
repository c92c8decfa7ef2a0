//! Measures the pure path beside a bare parse of the same bytes, and deciding against SQLite.
//!
//! `cartwire-bench write FOLDER` writes the orders and the options that all programs of the bench share;
//! `cartwire-bench measure FOLDER` measures them and writes its numbers as JSON to standard output;
//! `cartwire-bench pull [ORDERS]` measures pulling beside a bare loop, `serve ORDERS` is the shop it starts for that;
//! `cartwire-bench decode [SECONDS]` measures decoding per source, so many seconds each, 3 unless given;
//! `cartwire-bench plan FOLDER SIZE` writes what becomes of the first order;
//! `cartwire-bench spin FOLDER SIZE WHAT SECONDS` does one thing for a while, for a profiler.

#![forbid(unsafe_code)]
#![recursion_limit = "256"]

mod composed;
mod decode;
mod destinations;
mod pull;
mod state;
mod timing;
mod typed;

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use cartwire::facade::Pipeline;
use cartwire::sources::commercetools::wire;
use cartwire_sandbox::shop::ShopOptions;
use serde_json::{Value, json};

use timing::{Work, rounds};

/// The allocator of the wheel and the addon.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The sizes: name, lines of an order, prices that each line's variant drags along. Four to six are few, which is the
/// harder case here: what is skipped is cheap, and a real shop's orders have more of it.
const SIZES: &[(&str, u64, u64)] = &[("8k", 2, 4), ("18k", 5, 6)];
/// Orders of the NDJSON file.
const ORDERS: u64 = 500;
/// Orders measured one by one, all different.
const SINGLE: usize = 64;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["write", folder] => write(Path::new(folder)),
        ["measure", folder] => {
            let numbers = measure(Path::new(folder))?;
            Ok(writeln!(std::io::stdout(), "{numbers:#}")?)
        }
        ["pull"] => Ok(writeln!(std::io::stdout(), "{:#}", pulling(20_000)?)?),
        ["pull", orders] => Ok(writeln!(std::io::stdout(), "{:#}", pulling(orders.parse()?)?)?),
        ["decode"] => Ok(writeln!(std::io::stdout(), "{:#}", decoding(Duration::from_secs(3))?)?),
        ["decode", seconds] => Ok(writeln!(std::io::stdout(), "{:#}", decoding(Duration::from_secs_f64(seconds.parse()?))?)?),
        ["serve", orders] => pull::serve(orders.parse()?),
        ["plan", folder, size] => {
            let bytes = read(Path::new(folder), size)?;
            let first = singles(&bytes).first().copied().unwrap_or_default();
            Ok(std::io::stdout().write_all(&with_threads(Path::new(folder), 1)?.build(first)?)?)
        }
        ["spin", folder, size, what, seconds] => spin(Path::new(folder), size, what, Duration::from_secs(seconds.parse()?)),
        _ => Err(
            "write FOLDER, measure FOLDER, decode [SECONDS], pull [ORDERS], plan FOLDER SIZE, or spin FOLDER SIZE wire|typed|path SECONDS"
                .into(),
        ),
    }
}

/// A shop's settings: product pages, the brand, one attribute, an `email` project. No setting is left out to be faster.
fn options() -> Value {
    json!({
        "source": {
            "type": "commercetools",
            "project": "fernweh",
            "locale": "en",
            "product_url": "https://fernweh.example/{locale}/p/{slug}",
            "order_url": "https://fernweh.example/account/orders/{number}",
            "brand_attribute": "brand",
            "attributes": [{ "field": "size" }],
        },
        "destination": { "type": "iterable", "api_key": "bench", "project_type": "email" },
        "now": "2026-11-01T00:00:00Z",
    })
}

fn write(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("options.json"), options().to_string())?;
    for (name, lines, ballast) in SIZES {
        let shop = ShopOptions { count: ORDERS, lines: *lines, ballast: *ballast, ..ShopOptions::default() };
        let mut bytes = Vec::new();
        shop.write(&mut bytes)?;
        fs::write(folder.join(format!("orders-{name}.ndjson")), bytes)?;
    }
    Ok(())
}

fn with_threads(folder: &Path, threads: usize) -> Result<Pipeline> {
    let mut options: Value = serde_json::from_slice(&fs::read(folder.join("options.json"))?)?;
    options["threads"] = json!(threads);
    Ok(Pipeline::new(options.to_string().as_bytes())?)
}

fn read(folder: &Path, size: &str) -> Result<Vec<u8>> {
    Ok(fs::read(folder.join(format!("orders-{size}.ndjson")))?)
}

fn singles(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).take(SINGLE).collect()
}

/// Every order became a purchase, or the numbers mean nothing.
fn is_sound(plan: &[u8], orders: usize) -> Result<()> {
    let plan: Value = serde_json::from_slice(plan)?;
    let count = |name: &str| plan[name].as_array().map_or(0, Vec::len);
    if count("requests") == orders && count("rejected") + count("skipped") + count("findings") == 0 {
        return Ok(());
    }
    Err(format!("of {orders} orders {} became requests, {} were rejected", count("requests"), count("rejected")).into())
}

fn parse_wire(order: &[u8]) {
    black_box(serde_json::from_slice::<wire::Order<'_>>(black_box(order)).is_ok());
}

fn parse_typed(order: &[u8]) {
    black_box(serde_json::from_slice::<typed::Order>(black_box(order)).is_ok());
}

fn whole_path(pipeline: &Pipeline, order: &[u8]) {
    black_box(pipeline.build(black_box(order)).is_ok());
}

fn measure(folder: &Path) -> Result<Value> {
    let mut sizes = serde_json::Map::new();
    let pipeline = with_threads(folder, 1)?;
    let two = with_threads(folder, 2)?;
    let mut body = Vec::new();
    for (name, ..) in SIZES {
        let bytes = read(folder, name)?;
        let orders = singles(&bytes);
        for order in &orders {
            serde_json::from_slice::<wire::Order<'_>>(order)?;
            serde_json::from_slice::<typed::Order>(order)?;
            is_sound(&pipeline.build(order)?, 1)?;
        }
        if pipeline.build(&bytes)? != two.build(&bytes)? {
            return Err("the plan depends on the number of threads".into());
        }
        is_sound(&pipeline.build(&bytes)?, usize::try_from(ORDERS)?)?;
        body = pipeline.build(orders[0])?;
        let mut works: Vec<Work<'_>> = vec![
            Box::new(|| orders.iter().for_each(|order| parse_wire(order))),
            Box::new(|| orders.iter().for_each(|order| parse_typed(order))),
            Box::new(|| orders.iter().for_each(|order| whole_path(&pipeline, order))),
        ];
        let single = rounds(Duration::from_secs(3), &mut works);
        drop(works);
        let mut works: Vec<Work<'_>> = vec![Box::new(|| whole_path(&pipeline, &bytes)), Box::new(|| whole_path(&two, &bytes))];
        let lines = rounds(Duration::from_secs(3), &mut works);
        let each = |time: Duration, count: usize| time.as_secs_f64() * 1e6 / f64::from(u32::try_from(count).unwrap_or(1));
        let cost = |cost: &timing::Cost, count: usize| json!({ "best_us": each(cost.best, count), "median_us": each(cost.median, count) });
        let everywhere = destinations::measure(folder, &orders)?;
        let numbers = json!({
            "destinations": everywhere,
            "bytes": orders.iter().map(|order| order.len()).sum::<usize>() / orders.len(),
            "parse_wire": cost(&single[0], orders.len()),
            "parse_typed": cost(&single[1], orders.len()),
            "path": cost(&single[2], orders.len()),
            "ndjson_1": cost(&lines[0], usize::try_from(ORDERS)?),
            "ndjson_2": cost(&lines[1], usize::try_from(ORDERS)?),
        });
        sizes.insert((*name).to_owned(), numbers);
    }
    let rates = state::measure(20_000, &body)?;
    let decide = json!({ "fresh_per_s": rates.fresh, "repeated_per_s": rates.repeated });
    Ok(json!({ "orders": sizes, "decide": decide, "pull": pulling(20_000)?, "decode": decoding(Duration::from_secs(3))? }))
}

/// Decoding the smaller of the orders, and as many of the other platform.
fn decoding(budget: Duration) -> Result<Value> {
    let (_, lines, ballast) = SIZES[0];
    let shop = ShopOptions { count: u64::try_from(SINGLE)?, lines, ballast, ..ShopOptions::default() };
    let mut bytes = Vec::new();
    shop.write(&mut bytes)?;
    decode::measure(&singles(&bytes), budget)
}

fn pulling(orders: u64) -> Result<Value> {
    let rates = pull::measure(orders)?;
    Ok(json!({ "bare_per_s": rates.bare, "client_per_s": rates.client, "decoded_per_s": rates.decoded }))
}

fn spin(folder: &Path, size: &str, what: &str, time: Duration) -> Result<()> {
    let pipeline = with_threads(folder, 1)?;
    let bytes = read(folder, size)?;
    let orders = singles(&bytes);
    let started = Instant::now();
    let mut passes = 0u32;
    while started.elapsed() < time {
        match what {
            "wire" => orders.iter().for_each(|order| parse_wire(order)),
            "typed" => orders.iter().for_each(|order| parse_typed(order)),
            _ => orders.iter().for_each(|order| whole_path(&pipeline, order)),
        }
        passes += 1;
    }
    let each = started.elapsed().as_secs_f64() * 1e6 / f64::from(passes) / f64::from(u32::try_from(orders.len())?);
    Ok(writeln!(std::io::stdout(), "{what}: {each:.2} µs an order")?)
}
