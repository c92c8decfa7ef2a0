//! Pulling beside a bare loop that fetches the same pages: same server, same questions, one connection, nothing done with the
//! rows but finding the last id.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use cartwire::delivery::{Clock, HttpOptions, HttpTransport, Stop};
use cartwire::pull::{Batch, PullSettings, Puller, Sink};
use cartwire::sources::pull::Cursor;
use cartwire::sources::{DecodeContext, Decoded, Source, SourceConfig};
use cartwire_sandbox::Sandbox;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::Result;

/// Times each is measured; the best counts.
const ROUNDS: usize = 3;

/// Orders a second.
pub struct Rates {
    /// The bare loop.
    pub bare: f64,
    /// The client: pages fetched ahead, batches thrown away.
    pub client: f64,
    /// The client with every page decoded to records.
    pub decoded: f64,
}

/// A shop in a process of its own; it ends with its standard input.
pub fn serve(orders: u64) -> Result<()> {
    let options = json!({"vendors": ["commercetools"], "exchanges_kept": 0,
        "commercetools": {"orders": orders, "customers": 500, "payments": 0, "ballast": 3}});
    let sandbox = Sandbox::start(options.to_string().as_bytes()).map_err(|error| error.to_string())?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", sandbox.url("commercetools").ok_or("the sandbox has no address")?)?;
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

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    results: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Row<'a> {
    id: &'a str,
}

/// What somebody would write first.
async fn bare(url: &str) -> Result<u64> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let token = client.post(format!("{url}/oauth/token")).basic_auth("sandbox-client", Some("sandbox-secret"));
    let token = token.header("content-type", "application/x-www-form-urlencoded").body("grant_type=client_credentials");
    let token: Value = serde_json::from_slice(&token.send().await?.bytes().await?)?;
    let token = token["access_token"].as_str().ok_or("no token")?.to_owned();
    let expand = "expand=paymentInfo.payments%5B%2A%5D&expand=discountCodes%5B%2A%5D.discountCode&expand=customerGroup";
    let (mut last, mut rows) = (String::new(), 0);
    loop {
        let behind = if last.is_empty() { String::new() } else { format!("&where=id%20%3E%20%3Alast&var.last={last}") };
        let address = format!("{url}/demo/orders?sort=id%20asc&limit=200&withTotal=false&{expand}{behind}");
        let body = client.get(address).bearer_auth(&token).send().await?.error_for_status()?.bytes().await?;
        let page: Page<'_> = serde_json::from_slice(&body)?;
        rows += page.results.len() as u64;
        match page.results.last() {
            Some(row) if page.results.len() >= 200 => last = serde_json::from_str::<Row<'_>>(row.get())?.id.to_owned(),
            _ => return Ok(rows),
        }
    }
}

struct Wall;

impl Clock for Wall {
    fn now(&self) -> cartwire::model::Instant {
        chrono::Utc::now()
    }
}

struct Drain {
    decode: Option<Arc<dyn Source>>,
    rows: u64,
}

impl Sink for Drain {
    async fn accept(&mut self, batch: Batch) -> cartwire::Result<bool> {
        self.rows += batch.rows;
        if let Some(source) = self.decode.clone() {
            let decode = move || {
                for document in &batch.documents {
                    let mut out = Decoded::default();
                    let context = DecodeContext { resource: Some(document.resource), ..DecodeContext::at(chrono::Utc::now()) };
                    source.decode(&document.bytes, &context, &mut out);
                    std::hint::black_box(&out);
                }
            };
            // As the engine does: off the event loop.
            let _ = tokio::task::spawn_blocking(decode).await;
        }
        Ok(true)
    }
}

async fn pulled(url: &str, decode: bool) -> Result<u64> {
    let config: SourceConfig = serde_json::from_value(json!({"type": "commercetools", "project": "demo",
        "pull": {"api_url": url, "auth_url": url, "client_id": "sandbox-client", "client_secret": "sandbox-secret"}}))?;
    let source: Arc<dyn Source> = config.open()?.into();
    let transport = Arc::new(HttpTransport::new(&HttpOptions { proxy_from_env: false, ..HttpOptions::default() })?);
    let puller = Puller::new(source.clone(), transport, Arc::new(Wall), PullSettings::default())?;
    let orders = puller.shop()?.facts().stream("orders").ok_or("no orders")?;
    let mut drain = Drain { decode: decode.then_some(source), rows: 0 };
    puller.pull(orders, Cursor::default(), None, &mut drain, &Stop::new()).await?;
    Ok(drain.rows)
}

/// Measures so many orders of about 8 kB.
pub fn measure(orders: u64) -> Result<Rates> {
    let mut server =
        Command::new(std::env::current_exe()?).args(["serve", &orders.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut address = String::new();
    BufReader::new(server.stdout.take().ok_or("the sandbox has no output")?).read_line(&mut address)?;
    let _server = Served(server);
    let url = address.trim();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut best = [0_f64; 3];
    for _ in 0..ROUNDS {
        for (place, rate) in best.iter_mut().enumerate() {
            let began = Instant::now();
            let rows = match place {
                0 => runtime.block_on(bare(url))?,
                1 => runtime.block_on(pulled(url, false))?,
                _ => runtime.block_on(pulled(url, true))?,
            };
            if rows != orders {
                return Err(format!("{rows} of {orders} rows came").into());
            }
            *rate = rate.max(orders as f64 / began.elapsed().as_secs_f64());
        }
    }
    Ok(Rates { bare: best[0], client: best[1], decoded: best[2] })
}
