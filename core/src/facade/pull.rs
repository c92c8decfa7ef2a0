//! Pulling from the shop: streams, cursors, and what became of the rows.

use std::sync::OnceLock;

use bytes::Bytes;

use super::answers::{PullReport, StreamReport};
use super::derived::Brought;
use super::engine::{BACKLOG, Engine, Leave, Taking, blocking};
use super::options::{CallOptions, PullOptions, parse};
use super::pure::json;
use super::receive::Fetcher;
use crate::error::{Error, ErrorCode, ErrorGroup, Result};
use crate::model::Mode;
use crate::pipeline::Layout;
use crate::pull::{Batch, PullSettings, Puller, Sink};
use crate::sources::pull::{Cursor, Document, StreamFacts};

/// Bytes of small documents that are accepted in one transaction.
const TOGETHER: usize = 2 << 20;

/// Most of what was given up that a report shows.
const GIVEN_UP: u32 = 100;

/// What an engine needs for reading from its shop.
pub(super) struct Shop {
    puller: OnceLock<Puller>,
    settings: PullSettings,
    /// One pull at a time: two would move the same cursors.
    turn: tokio::sync::Mutex<()>,
    pub fetcher: Fetcher,
    /// How long reading what was only named is tried.
    pub fetch_patience: std::time::Duration,
}

impl Shop {
    pub fn new(settings: PullSettings, fetch_patience: std::time::Duration) -> Self {
        let turn = tokio::sync::Mutex::new(());
        Shop { puller: OnceLock::new(), settings, turn, fetcher: Fetcher::default(), fetch_patience }
    }
}

impl Engine {
    /// Reads from the shop what changed since it was last read, accepts it, sends it and waits for the verdicts. `options` is
    /// [`PullOptions`]; the answer is [`PullReport`].
    ///
    /// Where each stream stands is kept in the state once what was read is safe there, so that a pull that was killed goes on
    /// where it was, and reads at most one page again.
    ///
    /// # Errors
    /// `invalid_config`, `unknown_name` for a stream the source does not have, `unsupported` without a source that can be
    /// pulled, `unauthorized` when the shop refuses the credentials, `state_*`, `closed`. What ends only one stream is in the
    /// report.
    pub async fn pull(&self, options: Bytes) -> Result<Vec<u8>> {
        self.alive()?;
        let options: PullOptions = parse(&options)?;
        let puller = self.puller()?;
        let streams = chosen(&puller, options.streams.as_deref())?;
        let _turn = self.inner.shop.turn.lock().await;
        let mut call = CallOptions { run: options.run.clone(), mode: options.mode, ..CallOptions::default() };
        let own = call.run.is_none();
        let run = self.run_of(&mut call)?;
        let _leave = own.then(|| Leave { runs: &self.inner.runs, run: &run });
        let before = puller.asked();
        let mut report = PullReport::default();
        if options.unread {
            self.reread().await?;
        }
        for stream in streams {
            let (one, ended) = self.pull_stream(&puller, stream, &run, &options).await?;
            report.streams.insert(stream.name.to_owned(), one);
            match ended {
                Ended::Stream => {}
                Ended::Pull(why) => {
                    report.stopped = Some(why);
                    break;
                }
            }
        }
        if own {
            self.settle(&run, 0).await;
            report.run = self.finish(&run).await?;
        } else {
            report.run = self.inner.runs.report(&run, self.inner.clock.now())?;
        }
        let asked = puller.asked();
        (report.unread, report.given_up) = self.unread(GIVEN_UP).await?;
        report.requests = asked.requests - before.requests;
        report.retries = asked.retries - before.retries;
        json(&report, 4096)
    }

    /// The client of this engine's shop.
    pub(super) fn puller(&self) -> Result<Puller> {
        let shop = &self.inner.shop;
        if let Some(puller) = shop.puller.get() {
            return Ok(puller.clone());
        }
        let missing = || Error::new(ErrorCode::InvalidConfig, "reading from a shop needs a source").at("/source");
        let source = self.inner.desk.source.clone().ok_or_else(missing)?;
        let puller = Puller::new(source, self.inner.transport.clone(), self.inner.clock.clone(), shop.settings)?;
        Ok(shop.puller.get_or_init(|| puller).clone())
    }

    async fn pull_stream(
        &self,
        puller: &Puller,
        stream: &'static StreamFacts,
        run: &str,
        options: &PullOptions,
    ) -> Result<(StreamReport, Ended)> {
        let keys = self.cursor_keys(puller, stream)?;
        let (store, names) = (self.inner.store.clone(), keys.clone());
        let kept: Vec<String> =
            blocking(move || Ok(names.iter().map(|name| store.cursor(name)).collect::<Result<Vec<_>>>()?.into_iter().flatten().collect()))
                .await?;
        let unreadable = |error| Error::new(ErrorCode::StateCorrupt, "a cursor in the state cannot be read").because(error);
        let kept = kept.iter().map(|text| serde_json::from_str::<Cursor>(text).map_err(unreadable)).collect::<Result<Vec<_>>>()?;
        // Where the destination stands that is farthest behind; the others tell what they have. One that is new joins there: its
        // history has to be asked for, or everybody's would be told again.
        let cursor = kept.into_iter().min_by_key(|cursor| cursor.read_until).unwrap_or_default();
        // What a shop has from before anyone asked is history: no journey may start because of it.
        let first = cursor.read_until.is_none() && options.since.is_none();
        let mode = options.mode.unwrap_or(if first { Mode::Backfill } else { self.inner.mode });
        let mut intake = Intake {
            engine: self,
            run,
            keys,
            mode,
            left: options.limit,
            report: StreamReport { mode, read_until: cursor.read_until, ..StreamReport::default() },
            halted: None,
        };
        let pulled = puller.pull(stream, cursor, options.since, &mut intake, &self.inner.stop).await;
        let Intake { mut report, halted, .. } = intake;
        let mut ended = halted.map_or(Ended::Stream, Ended::Pull);
        match pulled {
            Ok(pulled) => report.complete = pulled.complete,
            Err(error) => {
                match (error.code(), error.code().group()) {
                    // The whole call cannot be: nothing else the shop has will be told either.
                    (ErrorCode::Unauthorized, _) | (_, ErrorGroup::State | ErrorGroup::Config | ErrorGroup::Lifecycle) => {
                        return Err(error);
                    }
                    (_, ErrorGroup::Transient) => ended = Ended::Pull(error.to_string()),
                    _ => {}
                }
                tracing::warn!(stream = stream.name, code = error.code().name(), "a stream was not pulled to its end: {error}");
                report.stopped = Some(error.to_string());
            }
        }
        if self.inner.stop.is_stopped() {
            ended = Ended::Pull("closed".to_owned());
        }
        Ok((report, ended))
    }
}

impl Engine {
    /// Where the state keeps a stream's cursor for each destination.
    fn cursor_keys(&self, puller: &Puller, stream: &StreamFacts) -> Result<Vec<String>> {
        let (source, scope) = (puller.shop()?.facts().source, puller.shop()?.scope());
        Ok(self.inner.outlets.iter().map(|outlet| format!("pull/{}/{source}/{scope}/{}", outlet.name, stream.name)).collect())
    }
}

/// How far an ended stream reaches.
enum Ended {
    /// The next one may go on.
    Stream,
    /// So do all others, and why.
    Pull(String),
}

fn chosen(puller: &Puller, names: Option<&[String]>) -> Result<Vec<&'static StreamFacts>> {
    let shop = puller.shop()?;
    let facts = shop.facts();
    let Some(names) = names else {
        return Ok(facts.streams.iter().filter(|stream| shop.is_default(stream)).collect());
    };
    for (place, name) in names.iter().enumerate() {
        if facts.stream(name).is_none() {
            let known: Vec<&str> = facts.streams.iter().map(|stream| stream.name).collect();
            let message = format!("the source has no such stream; there are: {}", known.join(", "));
            return Err(Error::new(ErrorCode::UnknownName, message).at(format!("/streams/{place}")));
        }
    }
    // In the table's order: what others refer to comes first.
    Ok(facts.streams.iter().filter(|stream| names.iter().any(|name| name == stream.name)).collect())
}

/// Accepts what is pulled.
struct Intake<'a> {
    engine: &'a Engine,
    run: &'a str,
    keys: Vec<String>,
    mode: Mode,
    /// Rows that may still be read.
    left: Option<u64>,
    report: StreamReport,
    halted: Option<String>,
}

impl Sink for Intake<'_> {
    fn is_last(&self, rows: u64) -> bool {
        self.left.is_some_and(|left| left <= rows)
    }

    async fn accept(&mut self, batch: Batch) -> Result<bool> {
        let inner = &self.engine.inner;
        self.engine.take_documents(self.run, self.mode, batch.correlation_id, batch.documents, false).await?;
        let text = String::from_utf8(json(&batch.cursor, 256)?).unwrap_or_default();
        let (store, keys, now) = (inner.store.clone(), self.keys.clone(), inner.clock.now());
        // Only now: what was read is safe.
        blocking(move || keys.iter().try_for_each(|key| store.set_cursor(key, &text, now))).await?;
        self.report.pages += 1;
        self.report.rows += batch.rows;
        self.report.read_until = batch.cursor.read_until;
        self.left = self.left.map(|left| left.saturating_sub(batch.rows));
        if !self.engine.settle(self.run, BACKLOG).await {
            self.halted = Some("no destination takes anything; the run's report says why".to_owned());
            return Ok(false);
        }
        self.engine.alive()?;
        Ok(self.left != Some(0))
    }
}

impl Engine {
    /// Accepts documents in their order, in as few transactions as their sizes allow, and remembers what they only name.
    pub(super) async fn take_documents(
        &self,
        run: &str,
        mode: Mode,
        correlation_id: Option<String>,
        documents: Vec<Document>,
        background: bool,
    ) -> Result<()> {
        let mut call = CallOptions { mode: Some(mode), correlation_id, ..CallOptions::default() };
        for (resource, layout, bytes) in together(documents) {
            call.resource = Some(resource.to_owned());
            let position = self.inner.runs.positions(run);
            let taking = Taking { layout, brought: Brought::Read, background };
            let taken = self.take(run, &call, taking, position, bytes.into()).await?;
            self.inner.runs.set_positions(run, taken.next);
            self.note_fetches(&taken.fetches, mode, call.correlation_id.as_deref()).await?;
        }
        Ok(())
    }
}

/// Puts neighbours of one kind into one input, a line each.
fn together(documents: Vec<Document>) -> Vec<(&'static str, Layout, Vec<u8>)> {
    let mut inputs: Vec<(&'static str, Layout, Vec<u8>)> = Vec::new();
    for document in documents {
        match inputs.last_mut() {
            Some((resource, layout, bytes)) if *resource == document.resource && bytes.len() + document.bytes.len() < TOGETHER => {
                if *layout == Layout::Json {
                    one_line(bytes);
                    *layout = Layout::Lines;
                }
                bytes.push(b'\n');
                let start = bytes.len();
                bytes.extend_from_slice(&document.bytes);
                one_line(&mut bytes[start..]);
            }
            _ => inputs.push((document.resource, Layout::Json, document.bytes)),
        }
    }
    inputs
}

/// Line ends cannot stand inside a JSON string, so they are only ever space.
fn one_line(bytes: &mut [u8]) {
    for byte in bytes.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')) {
        *byte = b' ';
    }
}
