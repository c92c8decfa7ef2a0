//! Pulling: how a shop is asked, as values. Pure: whoever has a network sends the requests and hands the replies back.
//!
//! A stream is one list of the shop, such as its orders, read in passes. A pass reads what changed since some time, page by
//! page; where it stands is a [`Cursor`] that is kept between pages and between pulls. A page is accepted before its cursor
//! is kept, so that a crash repeats a page and never loses one.
//!
//! A resource that a message, a webhook or a list only names is read by steps: see [`Pull::follow`].

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Fetch;
use crate::error::{Error, ErrorCode};
use crate::http::{Reply, Request, Secret};
use crate::model::{Instant, ResourceRef};

/// How one shop is asked. All numbers are in [`Pull::facts`].
pub trait Pull: Send + Sync {
    /// The platform's streams and limits: the only place where they are written.
    fn facts(&self) -> &'static PullFacts;

    /// What tells cursors of this shop and these settings from those of others, such as the project and the store.
    fn scope(&self) -> String;

    /// The base URL a request is sent to, without a trailing slash.
    fn base_url(&self, request: &Request) -> &str;

    /// Asks for a token. `None`, the default, where every request carries its credentials already.
    fn authorization(&self) -> Option<Request> {
        None
    }

    /// Reads the answer to [`Pull::authorization`].
    ///
    /// # Errors
    /// [`PullFailure::Retry`] when it is worth asking again, [`PullFailure::Stop`] for wrong credentials.
    fn read_authorization(&self, reply: &Reply) -> Result<Authorization, PullFailure> {
        let _ = reply;
        Err(PullFailure::Stop(Error::new(ErrorCode::Internal, "this shop hands out no tokens")))
    }

    /// Whether a stream is pulled when none are named.
    fn is_default(&self, stream: &StreamFacts) -> bool {
        stream.by_default
    }

    /// The end of the window that a pass begun now reads, exclusive. `None`, the default, for all that changed by the time its
    /// page is read.
    fn until(&self, stream: &StreamFacts, now: Instant) -> Option<Instant> {
        let _ = (stream, now);
        None
    }

    /// The request for the page where a pass stands.
    ///
    /// # Errors
    /// `internal` when `pass.at` was not made by this source, `invalid_config` when a setting is missing.
    fn page(&self, stream: &StreamFacts, pass: &Pass) -> Result<Request, Error>;

    /// Reads the answer to [`Pull::page`]; [`Pull::judge`] let it pass.
    ///
    /// # Errors
    /// [`PullFailure::Retry`] for a page that cannot be read.
    fn read(&self, stream: &StreamFacts, pass: &Pass, reply: &Reply) -> Result<Page, PullFailure>;

    /// Whether a reply, to whatever request, can be read on. "Not found" can: it may say that something was deleted.
    ///
    /// # Errors
    /// What to do instead.
    fn judge(&self, reply: &Reply) -> Result<(), PullFailure> {
        judge_status(reply)
    }

    /// How long the shop asks to rest after this reply, though it was fine; from the headers that tell what is left of the
    /// budget. None unless the platform has some.
    fn rest_after(&self, reply: &Reply) -> Option<Duration> {
        let _ = reply;
        None
    }

    /// What must be read for something that a message or webhook only named. `None` for what cannot be read.
    fn wanted(&self, fetch: &Fetch) -> Option<Wanted> {
        Some(Wanted { resource: fetch.resource.clone(), seed: None })
    }

    /// The next step in reading something: called with no replies first, then with all so far, in the order asked for.
    /// Requests of one step may be sent at once.
    ///
    /// # Errors
    /// As [`Pull::read`].
    fn follow(&self, wanted: &Wanted, replies: &[Reply]) -> Result<Step, PullFailure>;
}

/// What is known about pulling from a platform, as data.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct PullFacts {
    /// The source's name.
    pub source: &'static str,
    /// Header, in lower case, that ties the platform's logs to ours, in requests and replies alike.
    pub correlation_header: Option<&'static str>,
    /// How often the platform may be called.
    pub rate: Option<PullRate>,
    /// Most requests under way at once.
    pub concurrency: u16,
    /// Seconds before a token's end at which a new one is asked for.
    pub token_early_s: u32,
    /// The streams, in the order they are pulled: what others refer to comes first.
    pub streams: &'static [StreamFacts],
    /// What else one must know, with the vendor document it comes from.
    pub note: &'static str,
}

impl PullFacts {
    /// The stream of that name.
    #[must_use]
    pub fn stream(&self, name: &str) -> Option<&'static StreamFacts> {
        self.streams.iter().find(|stream| stream.name == name)
    }
}

/// A budget of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PullRate {
    /// Calls…
    pub count: u32,
    /// …per so many seconds.
    pub per_s: u32,
}

/// One list of the shop.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct StreamFacts {
    /// Its name in options and cursors, such as `orders`.
    pub name: &'static str,
    /// Path below the base URL, with `{placeholders}`.
    pub path: &'static str,
    /// What its rows are, for decoding, such as `order`.
    pub resource: &'static str,
    /// Rows asked for per page.
    pub page_size: u32,
    /// Seconds before the start of the last pass from which the next one reads again, because a platform's clocks and indexes
    /// are not of one mind. Rows read twice are told by their version.
    pub overlap_s: u32,
    /// How many days a first pass goes back when nobody says since when; to the beginning without it.
    pub history_days: Option<u32>,
    /// Whether it is pulled when no streams are named.
    pub by_default: bool,
    /// What else one must know, with the vendor document it comes from.
    pub note: &'static str,
}

/// Where a stream stands. Kept as JSON in the state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Cursor {
    /// High-water mark: what changed before this has been read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_until: Option<Instant>,
    /// The pass that is not at its end yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pass: Option<Pass>,
}

/// One reading of a stream from its first page to its last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pass {
    /// Reads what changed at or after this; from the beginning without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Instant>,
    /// Reads what changed before this; all without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Instant>,
    /// When it began, by the shop's clock where a reply told it.
    pub started_at: Instant,
    /// The `since` it was asked for with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Instant>,
    /// Where the next page starts, in the source's own words; empty for the first.
    #[serde(default)]
    pub at: String,
    /// Rows asked for per page; less than the table says after the platform found a page too large.
    pub page_size: u32,
}

impl Cursor {
    /// The pass to go on with: the one under way, or a new one that begins where the last ended, less the overlap. With
    /// `since` it begins there, whatever was read before; the same `since` asked for again goes on with its pass.
    pub fn open(&mut self, stream: &StreamFacts, since: Option<Instant>, until: Option<Instant>, now: Instant) -> &mut Pass {
        let fits = |pass: &Pass| since.is_none() || pass.asked == since;
        let seconds = |seconds: u32| chrono::Duration::seconds(seconds.into());
        let history = stream.history_days.map(|days| now - chrono::Duration::days(days.into()));
        let pass = self.pass.take().filter(fits).unwrap_or_else(|| Pass {
            from: since.or_else(|| self.read_until.map(|mark| mark - seconds(stream.overlap_s))).or(history),
            until,
            started_at: now,
            asked: since,
            at: String::new(),
            page_size: stream.page_size,
        });
        self.pass.insert(pass)
    }

    /// Moves the pass behind a page: to `next`, or to its end, where the high-water mark moves up.
    pub fn advance(&mut self, page: &Page) {
        let Some(pass) = &mut self.pass else { return };
        if pass.at.is_empty() {
            pass.started_at = page.shop_time.unwrap_or(pass.started_at).min(pass.started_at);
        }
        match &page.next {
            Some(next) => pass.at.clone_from(next),
            None => {
                let mark = pass.until.map_or(pass.started_at, |until| until.min(pass.started_at));
                self.read_until = Some(self.read_until.map_or(mark, |old| old.max(mark)));
                self.pass = None;
            }
        }
    }
}

/// A page, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// What of it is to be decoded.
    pub body: PageBody,
    /// What must be read besides before the page counts as read, in order.
    pub wanted: Vec<Wanted>,
    /// Rows on it, for counts.
    pub rows: u64,
    /// [`Pass::at`] of the next page; `None` when this was the last.
    pub next: Option<String>,
    /// The shop's clock when it answered, where it tells.
    pub shop_time: Option<Instant>,
}

/// What of a page is to be decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PageBody {
    /// The reply's body as it is.
    #[default]
    Reply,
    /// Nothing: everything on it is in [`Page::wanted`], or it is empty.
    Nothing,
    /// Something made of it.
    Document(Document),
}

/// Bytes to decode, and what they are.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    /// What they are: [`super::DecodeContext::resource`].
    pub resource: &'static str,
    /// A resource or a page of them.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Document").field("resource", &self.resource).field("bytes", &self.bytes.len()).finish()
    }
}

/// Something to be read by steps.
#[derive(Clone, PartialEq, Eq)]
pub struct Wanted {
    /// What; the kind may be one that only the source knows.
    pub resource: ResourceRef,
    /// What is known of it already, such as its row on a list.
    pub seed: Option<Vec<u8>>,
}

impl std::fmt::Debug for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wanted").field("resource", &self.resource).field("seed", &self.seed.as_ref().map(Vec::len)).finish()
    }
}

/// The next step in reading something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask these, and call [`Pull::follow`] again with their replies behind those before.
    Ask(Vec<Request>),
    /// Decode these.
    Done(Vec<Document>),
    /// There is nothing to be read; why, in a few words, such as `deleted`.
    Nothing(&'static str),
}

/// A token that is sent with every request.
#[derive(Clone, Debug)]
pub struct Authorization {
    /// The header, in lower case.
    pub header: &'static str,
    /// Its value.
    pub value: Secret,
    /// How long it can be used; for ever without it.
    pub expires_in: Option<Duration>,
}

/// Why a reply cannot be used, and what to do.
#[derive(Debug)]
pub enum PullFailure {
    /// Ask again later.
    Retry {
        /// Why.
        error: Error,
        /// Whether the shop only asked to slow down.
        throttled: bool,
    },
    /// The token is not valid any more: get a new one and ask again, once.
    Reauthorize(Error),
    /// The page is too large: ask for half as many rows.
    Smaller(Error),
    /// Asking again leads nowhere.
    Stop(Error),
}

impl PullFailure {
    /// The error behind it.
    #[must_use]
    pub fn into_error(self) -> Error {
        match self {
            PullFailure::Retry { error, .. } | PullFailure::Reauthorize(error) | PullFailure::Smaller(error) | PullFailure::Stop(error) => {
                error
            }
        }
    }
}

/// What HTTP itself says about a status (RFC 9110 §15); platforms add to it.
///
/// # Errors
/// What to do instead of reading the reply.
pub fn judge_status(reply: &Reply) -> Result<(), PullFailure> {
    let error = |code, text: &str| Error::new(code, format!("the shop answered with status {}: {text}", reply.status));
    match reply.status {
        200..=299 | 404 => Ok(()),
        401 => Err(PullFailure::Reauthorize(error(ErrorCode::Unauthorized, "the credentials are not known there"))),
        403 => Err(PullFailure::Stop(error(ErrorCode::Forbidden, "the credentials do not allow this call"))),
        413 => Err(PullFailure::Smaller(error(ErrorCode::TooLarge, "the answer would be too large"))),
        429 | 509 => Err(PullFailure::Retry { error: error(ErrorCode::RateLimited, "too many calls"), throttled: true }),
        503 => Err(PullFailure::Retry { error: error(ErrorCode::Unavailable, "overloaded"), throttled: true }),
        408 | 425 | 500..=599 => Err(PullFailure::Retry { error: error(ErrorCode::Unavailable, "not now"), throttled: false }),
        _ => Err(PullFailure::Stop(error(ErrorCode::Rejected, "it does not take the request"))),
    }
}

/// A platform's clock: the `Date` of its answer (RFC 9110 §6.6.1), to the second.
#[must_use]
pub fn shop_time(reply: &Reply) -> Option<Instant> {
    chrono::DateTime::parse_from_rfc2822(reply.header("date")?).ok().map(|date| date.to_utc())
}

/// What to do with an answer that makes no sense, as one that was cut off: ask again.
#[must_use]
pub fn unreadable() -> PullFailure {
    PullFailure::Retry { error: Error::new(ErrorCode::Unavailable, "the shop's answer cannot be read"), throttled: false }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const ORDERS: StreamFacts = StreamFacts {
        name: "orders",
        path: "/orders",
        resource: "order",
        page_size: 500,
        overlap_s: 120,
        history_days: None,
        by_default: true,
        note: "",
    };

    fn at(text: &str) -> Instant {
        text.parse().unwrap()
    }

    fn page(next: Option<&str>, shop_time: Option<&str>) -> Page {
        Page { next: next.map(str::to_owned), shop_time: shop_time.map(at), ..Page::default() }
    }

    #[test]
    fn a_pass_goes_on_where_it_was_and_the_next_one_begins_before_the_last_began() {
        let (mut cursor, now) = (Cursor::default(), at("2026-11-21T10:00:00Z"));
        assert_eq!(cursor.open(&ORDERS, None, None, now).from, None);
        cursor.advance(&page(Some("a"), Some("2026-11-21T09:59:57Z")));
        let kept: Cursor = serde_json::from_str(&serde_json::to_string(&cursor).unwrap()).unwrap();
        let mut cursor = kept;
        let later = at("2026-11-21T12:00:00Z");
        assert_eq!(cursor.open(&ORDERS, None, None, later).at, "a");
        // Hours later, another clock: what counts is when the pass began.
        cursor.advance(&page(None, Some("2026-11-21T12:00:00Z")));
        assert_eq!(cursor, Cursor { read_until: Some(at("2026-11-21T09:59:57Z")), pass: None });
        assert_eq!(cursor.open(&ORDERS, None, None, later).from, Some(at("2026-11-21T09:57:57Z")));
    }

    #[test]
    fn a_clock_ahead_of_the_shops_does_not_skip_what_changed_in_between() {
        let mut cursor = Cursor::default();
        cursor.open(&ORDERS, None, None, at("2026-11-21T11:00:00Z"));
        cursor.advance(&page(None, Some("2026-11-21T10:00:00Z")));
        assert_eq!(cursor.read_until, Some(at("2026-11-21T10:00:00Z")));
        // And one behind it errs on the safe side.
        let mut cursor = Cursor::default();
        cursor.open(&ORDERS, None, None, at("2026-11-21T09:00:00Z"));
        cursor.advance(&page(None, Some("2026-11-21T10:00:00Z")));
        assert_eq!(cursor.read_until, Some(at("2026-11-21T09:00:00Z")));
    }

    #[test]
    fn since_begins_there_goes_on_when_asked_again_and_never_moves_the_mark_back() {
        let now = at("2026-11-21T10:00:00Z");
        let mut cursor = Cursor { read_until: Some(at("2026-11-20T00:00:00Z")), pass: None };
        let since = Some(at("2026-01-01T00:00:00Z"));
        assert_eq!(cursor.open(&ORDERS, since, None, now).from, since);
        cursor.advance(&page(Some("a"), None));
        assert_eq!(cursor.open(&ORDERS, since, None, now).at, "a");
        let other = Some(at("2026-06-01T00:00:00Z"));
        assert_eq!(cursor.open(&ORDERS, other, None, now).at, "", "another question begins anew");
        cursor.advance(&page(None, Some("2025-01-01T00:00:00Z")));
        assert_eq!(cursor.read_until, Some(at("2026-11-20T00:00:00Z")));
    }

    #[test]
    fn a_first_pass_goes_back_as_far_as_the_table_says() {
        let carts = StreamFacts { history_days: Some(30), ..ORDERS };
        let pass = Cursor::default().open(&carts, None, None, at("2026-11-21T10:00:00Z")).clone();
        assert_eq!(pass.from, Some(at("2026-10-22T10:00:00Z")));
    }
}
