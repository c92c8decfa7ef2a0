//! The pull client: asks a shop what its source describes, patiently, and hands pages on in order.
//!
//! - One page is fetched ahead while the one before is being accepted; never more, so that memory is bounded by two pages.
//! - A page whose answer is 429, 5xx, cut off, reset or unreadable is asked for again as [`crate::delivery::retry`] says; one
//!   that the shop finds too large with half as many rows.
//! - A token is fetched when there is none, shared by all calls, renewed before its end, and once more when it is refused.
//! - The cursor that comes with a batch is to be kept once the batch is durable. Killed in between, the batch comes again.

mod calls;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

pub use self::calls::{Asked, Caller, PullSettings};

use self::calls::Fault;
use crate::delivery::{Clock, Stop, Transport};
use crate::error::{Error, ErrorCode, Result};
use crate::http::Reply;
use crate::model::Instant;
use crate::sources::Source;
use crate::sources::pull::{Cursor, Document, PageBody, Pass, Pull, Step, StreamFacts, Wanted};

/// Steps that reading one thing may take; more is a source that goes in circles.
const MOST_STEPS: usize = 64;

/// Pulls from one shop. Cheap to clone; clones share the token and the pace.
#[derive(Clone)]
pub struct Puller {
    calls: Caller,
}

impl std::fmt::Debug for Puller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Puller").field("source", &self.calls.source().name()).finish_non_exhaustive()
    }
}

/// Some of a stream, in order.
#[derive(Debug)]
pub struct Batch {
    /// What to decode, in order.
    pub documents: Vec<Document>,
    /// Correlation id that the shop answered with.
    pub correlation_id: Option<String>,
    /// Rows of the page.
    pub rows: u64,
    /// Where the stream stands once this is durable.
    pub cursor: Cursor,
}

/// Takes batches. When it returns, what it was given is durable.
pub trait Sink: Send {
    /// Takes a batch. False ends the pull here, without an error.
    ///
    /// # Errors
    /// What ends the pull.
    fn accept(&mut self, batch: Batch) -> impl Future<Output = Result<bool>> + Send;

    /// Whether a batch of so many rows will be the last that is taken: then nothing is fetched ahead of it.
    fn is_last(&self, rows: u64) -> bool {
        let _ = rows;
        false
    }
}

/// How one stream was pulled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pulled {
    /// Pages accepted.
    pub pages: u64,
    /// Rows on them.
    pub rows: u64,
    /// Whether the end of the stream was reached.
    pub complete: bool,
}

/// A page with what it asks for besides.
struct Fetched {
    page: crate::sources::pull::Page,
    body: Vec<u8>,
    correlation_id: Option<String>,
    /// The pass it was read with; smaller pages may have been asked for on the way.
    pass: Pass,
}

impl Puller {
    /// A client of the shop that `source` describes.
    ///
    /// # Errors
    /// What [`Source::pull`] has.
    pub fn new(source: Arc<dyn Source>, transport: Arc<dyn Transport>, clock: Arc<dyn Clock>, settings: PullSettings) -> Result<Self> {
        Ok(Puller { calls: Caller::new(source, transport, clock, settings)? })
    }

    /// What the source says about pulling.
    ///
    /// # Errors
    /// None after [`Puller::new`] succeeded.
    pub fn shop(&self) -> Result<&dyn Pull> {
        self.calls.source().pull()
    }

    /// What was asked of the shop so far.
    #[must_use]
    pub fn asked(&self) -> Asked {
        self.calls.asked()
    }

    /// Reads a stream from where `cursor` stands to the end of its pass. `since` is as in [`Cursor::open`].
    ///
    /// # Errors
    /// What the sink has; what the shop refuses for good; `network`, `timeout`, `unavailable` or `rate_limited` when retrying
    /// came to its end. What was accepted before stays so.
    pub async fn pull<S: Sink>(
        &self,
        stream: &'static StreamFacts,
        mut cursor: Cursor,
        since: Option<Instant>,
        sink: &mut S,
        stop: &Stop,
    ) -> Result<Pulled> {
        let now = self.calls.now();
        let until = self.shop()?.until(stream, now);
        cursor.open(stream, since, until, now);
        let mut pulled = Pulled::default();
        let mut ahead = self.ahead(stream, &cursor);
        while let Some(mut fetching) = ahead.take() {
            let fetched = tokio::select! {
                fetched = fetching.join_next() => fetched,
                () = stop.stopped() => return Ok(pulled),
            };
            let Some(fetched) = fetched else { break };
            let Fetched { page, body, correlation_id, pass } = fetched.map_err(died)??;
            cursor.pass = Some(pass);
            cursor.advance(&page);
            // While this page is accepted, the next one is on its way.
            ahead = if sink.is_last(page.rows) { None } else { self.ahead(stream, &cursor) };
            let mut documents = match page.body {
                PageBody::Reply => vec![Document { resource: stream.resource, bytes: body }],
                PageBody::Document(document) => vec![document],
                PageBody::Nothing => Vec::new(),
            };
            let followed = tokio::select! {
                followed = self.follow_all(page.wanted) => followed?,
                () = stop.stopped() => return Ok(pulled),
            };
            documents.extend(followed);
            let go_on = sink.accept(Batch { documents, correlation_id, rows: page.rows, cursor: cursor.clone() }).await?;
            pulled.pages += 1;
            pulled.rows += page.rows;
            pulled.complete = cursor.pass.is_none();
            if !go_on || stop.is_stopped() {
                break;
            }
        }
        Ok(pulled)
    }

    /// Begins to fetch the page where the cursor stands; `None` at the end of the pass. Dropping it ends the fetch.
    fn ahead(&self, stream: &'static StreamFacts, cursor: &Cursor) -> Option<JoinSet<Result<Fetched>>> {
        let pass = cursor.pass.clone()?;
        let this = self.clone();
        let mut fetching = JoinSet::new();
        fetching.spawn(async move { this.page(stream, pass).await });
        Some(fetching)
    }

    async fn page(&self, stream: &'static StreamFacts, mut pass: Pass) -> Result<Fetched> {
        loop {
            let request = self.shop()?.page(stream, &pass)?;
            let reading = pass.clone();
            let read = move |shop: &dyn Pull, reply: &Reply| shop.read(stream, &reading, reply);
            match self.calls.ask_and_read(request, read).await {
                Ok((page, answer)) => {
                    return Ok(Fetched { page, body: answer.reply.body, correlation_id: answer.correlation_id, pass });
                }
                Err(Fault::Smaller(error)) if pass.page_size <= 1 => return Err(error),
                Err(Fault::Smaller(_)) => pass.page_size /= 2,
                Err(Fault::Failed(error)) => return Err(error),
            }
        }
    }

    /// Reads some things, several at once; their documents in the order of the things.
    async fn follow_all(&self, wanted: Vec<Wanted>) -> Result<Vec<Document>> {
        let mut reading = JoinSet::new();
        for (place, wanted) in wanted.into_iter().enumerate() {
            let this = self.clone();
            reading.spawn(async move { (place, this.read(&wanted).await) });
        }
        let mut read: Vec<(usize, Vec<Document>)> = Vec::new();
        while let Some(done) = reading.join_next().await {
            let (place, documents) = done.map_err(died)?;
            read.push((place, documents?.unwrap_or_default()));
        }
        read.sort_by_key(|(place, _)| *place);
        Ok(read.into_iter().flat_map(|(_, documents)| documents).collect())
    }

    /// Reads one thing by steps; `None` when there is nothing to be read, because it was deleted or is of no use.
    ///
    /// # Errors
    /// As [`Puller::pull`].
    pub async fn read(&self, wanted: &Wanted) -> Result<Option<Vec<Document>>> {
        let mut replies: Vec<Reply> = Vec::new();
        for _ in 0..MOST_STEPS {
            let step = self.shop()?.follow(wanted, &replies).map_err(crate::sources::pull::PullFailure::into_error)?;
            match step {
                Step::Done(documents) => return Ok(Some(documents)),
                Step::Nothing(why) => {
                    tracing::debug!(kind = wanted.resource.kind, "nothing to be read: {why}");
                    return Ok(None);
                }
                Step::Ask(requests) => {
                    let mut asking: VecDeque<_> = VecDeque::with_capacity(requests.len());
                    for request in requests {
                        let calls = self.calls.clone();
                        let mut one = JoinSet::new();
                        one.spawn(async move { calls.ask(request).await });
                        asking.push_back(one);
                    }
                    // In the order they were asked, whichever comes first.
                    while let Some(mut one) = asking.pop_front() {
                        let Some(answer) = one.join_next().await else { continue };
                        replies.push(answer.map_err(died)?.map_err(Fault::into_error)?.reply);
                    }
                }
            }
        }
        Err(Error::new(ErrorCode::Internal, "reading a resource does not come to an end"))
    }
}

fn died(error: tokio::task::JoinError) -> Error {
    match error.is_panic() {
        true => std::panic::resume_unwind(error.into_panic()),
        false => Error::new(ErrorCode::Cancelled, "the runtime is shutting down").because(error),
    }
}

/// The longest that one call can take with all its retries.
#[must_use]
pub fn patience(settings: &PullSettings) -> Duration {
    settings.retry.max_elapsed + settings.retry.max_retry_after + settings.request_timeout
}
