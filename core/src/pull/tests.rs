//! The client against a shop of our own making, with time that jumps ahead.

#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::delivery::{BoxFuture, RetryPolicy, TransportFailure};
use crate::http::{Method, Reply, Request, Secret};
use crate::model::ResourceRef;
use crate::sources::pull::{Authorization, Page, PullFacts, PullFailure, PullRate, judge_status};
use crate::sources::{DecodeContext, Decoded};

const ROWS: StreamFacts = StreamFacts {
    name: "rows",
    path: "/rows",
    resource: "row",
    page_size: 8,
    overlap_s: 60,
    history_days: None,
    by_default: true,
    note: "",
};

const FACTS: PullFacts = PullFacts {
    source: "fake",
    correlation_header: Some("x-correlation-id"),
    rate: Some(PullRate { count: 10, per_s: 1 }),
    concurrency: 3,
    token_early_s: 60,
    streams: &[ROWS],
    note: "",
};

/// Pages are numbers; a page of a hundred follows its rows; `/thing` is read in two steps.
#[derive(Default)]
struct Shop {
    tokens: bool,
    wanted_per_page: usize,
}

fn get(path: String) -> Request {
    Request { endpoint: "fake".into(), method: Method::Get, path, headers: Vec::new(), secret_headers: Vec::new(), body: None }
}

impl Source for Shop {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn decode(&self, _raw: &[u8], _context: &DecodeContext<'_>, _out: &mut Decoded) {}

    fn pull(&self) -> Result<&dyn Pull> {
        Ok(self)
    }
}

impl Pull for Shop {
    fn facts(&self) -> &'static PullFacts {
        &FACTS
    }

    fn scope(&self) -> String {
        "one".to_owned()
    }

    fn base_url(&self, _request: &Request) -> &str {
        "http://fake"
    }

    fn authorization(&self) -> Option<Request> {
        self.tokens.then(|| get("/token".to_owned()))
    }

    fn read_authorization(&self, reply: &Reply) -> Result<Authorization, PullFailure> {
        judge_status(reply)?;
        let value = Secret::new(String::from_utf8_lossy(&reply.body));
        Ok(Authorization { header: "authorization", value, expires_in: Some(Duration::from_secs(100)) })
    }

    fn page(&self, _stream: &StreamFacts, pass: &Pass) -> Result<Request> {
        Ok(get(format!("/rows?at={}&size={}", pass.at, pass.page_size)))
    }

    /// The body is the number of the next page, or nothing.
    fn read(&self, _stream: &StreamFacts, _pass: &Pass, reply: &Reply) -> Result<Page, PullFailure> {
        let next = String::from_utf8_lossy(&reply.body).into_owned();
        let wanted = |number: usize| Wanted { resource: ResourceRef { kind: "thing".to_owned(), id: number.to_string() }, seed: None };
        Ok(Page {
            rows: 8,
            wanted: (0..self.wanted_per_page).map(wanted).collect(),
            next: Some(next).filter(|next| !next.is_empty()),
            ..Page::default()
        })
    }

    fn follow(&self, wanted: &Wanted, replies: &[Reply]) -> Result<Step, PullFailure> {
        Ok(match (wanted.resource.kind.as_str(), replies.len()) {
            ("endless", _) => Step::Ask(vec![get("/thing/endless".to_owned())]),
            (_, 0) => Step::Ask(vec![get(format!("/thing/{}/a", wanted.resource.id)), get(format!("/thing/{}/b", wanted.resource.id))]),
            (_, 2) => Step::Ask(vec![get(format!("/thing/{}/c", wanted.resource.id))]),
            _ => Step::Done(vec![Document { resource: "thing", bytes: replies.concat_bodies() }]),
        })
    }
}

trait ConcatBodies {
    fn concat_bodies(&self) -> Vec<u8>;
}

impl ConcatBodies for [Reply] {
    fn concat_bodies(&self) -> Vec<u8> {
        self.iter().flat_map(|reply| reply.body.clone()).collect()
    }
}

type Answer = Result<Reply, TransportFailure>;

/// Answers from a list, then by a rule; remembers what was asked.
struct Wire {
    first: Mutex<VecDeque<Answer>>,
    rule: fn(&str) -> Answer,
    asked: Mutex<Vec<(String, String)>>,
    delay: Duration,
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
}

impl Wire {
    fn new(first: Vec<Answer>, rule: fn(&str) -> Answer) -> Arc<Self> {
        Arc::new(Wire {
            first: Mutex::new(first.into()),
            rule,
            asked: Mutex::default(),
            delay: Duration::from_millis(10),
            under_way: AtomicUsize::new(0),
            most_under_way: AtomicUsize::new(0),
        })
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|(path, _)| path.clone()).collect()
    }

    fn tokens_sent(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|(_, token)| token.clone()).collect()
    }
}

impl Transport for Wire {
    fn send<'a>(&'a self, _base_url: &'a str, request: &'a Request) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            let token = request.secret_headers.first().map(|(_, value)| value.expose().to_owned()).unwrap_or_default();
            assert_eq!(request.headers.iter().filter(|(name, _)| *name == "x-correlation-id").count(), 1);
            self.asked.lock().unwrap().push((request.path.clone(), token));
            let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_under_way.fetch_max(now, Ordering::SeqCst);
            tokio::time::sleep(self.delay).await;
            self.under_way.fetch_sub(1, Ordering::SeqCst);
            let first = self.first.lock().unwrap().pop_front();
            first.unwrap_or_else(|| (self.rule)(&request.path))
        })
    }
}

fn ok(body: &str) -> Answer {
    Ok(Reply { status: 200, headers: vec![("x-correlation-id".to_owned(), "shop-1".to_owned())], body: body.as_bytes().to_vec() })
}

fn status(status: u16) -> Answer {
    Ok(Reply { status, ..Reply::default() })
}

/// Three pages; things answer with their path.
fn three_pages(path: &str) -> Answer {
    match path {
        "/token" => ok("token"),
        "/rows?at=&size=8" => ok("1"),
        "/rows?at=1&size=8" => ok("2"),
        "/rows?at=2&size=8" => ok(""),
        other => ok(other),
    }
}

struct Wall;

impl Clock for Wall {
    fn now(&self) -> Instant {
        "2026-11-21T10:00:00Z".parse().unwrap()
    }
}

fn puller(shop: Shop, wire: &Arc<Wire>) -> Puller {
    let retry = RetryPolicy { max_attempts: 3, ..RetryPolicy::default() };
    let settings = PullSettings { retry, ..PullSettings::default() };
    Puller::new(Arc::new(shop), wire.clone(), Arc::new(Wall), settings).unwrap()
}

/// Keeps what it is given; takes so long for each.
#[derive(Default)]
struct Kept {
    batches: Vec<Batch>,
    takes: Duration,
    most: Option<usize>,
    /// How much had been asked when a batch came.
    wire: Option<Arc<Wire>>,
    asked_before: Vec<usize>,
    asked_after: Vec<usize>,
}

impl Sink for Kept {
    async fn accept(&mut self, batch: Batch) -> Result<bool> {
        let asked = |wire: &Option<Arc<Wire>>| wire.as_ref().map_or(0, |wire| wire.asked().len());
        self.asked_before.push(asked(&self.wire));
        tokio::time::sleep(self.takes).await;
        self.asked_after.push(asked(&self.wire));
        self.batches.push(batch);
        Ok(self.most != Some(self.batches.len()))
    }

    fn is_last(&self, _rows: u64) -> bool {
        self.most == Some(self.batches.len() + 1)
    }
}

async fn run(puller: &Puller, cursor: Cursor, kept: &mut Kept) -> Result<Pulled> {
    puller.pull(&ROWS, cursor, None, kept, &Stop::new()).await
}

#[tokio::test(start_paused = true)]
async fn one_page_is_on_its_way_while_another_is_accepted_and_never_two() {
    let wire = Wire::new(Vec::new(), three_pages);
    let mut kept = Kept { takes: Duration::from_secs(5), wire: Some(wire.clone()), ..Kept::default() };
    let pulled = run(&puller(Shop::default(), &wire), Cursor::default(), &mut kept).await.unwrap();
    assert_eq!(pulled, Pulled { pages: 3, rows: 24, complete: true });
    // Before the first is accepted only it was asked for; afterwards exactly one more.
    assert_eq!(kept.asked_after, [2, 3, 3]);
    assert!(kept.batches.iter().all(|batch| batch.correlation_id.as_deref() == Some("shop-1")));
    let stands: Vec<_> = kept.batches.iter().map(|batch| batch.cursor.pass.as_ref().map(|pass| pass.at.clone())).collect();
    assert_eq!(stands, [Some("1".to_owned()), Some("2".to_owned()), None]);
    assert!(kept.batches[2].cursor.read_until.is_some());
}

#[tokio::test(start_paused = true)]
async fn the_kept_cursor_leads_to_the_page_behind_it() {
    let wire = Wire::new(Vec::new(), three_pages);
    let puller = puller(Shop::default(), &wire);
    let mut kept = Kept { most: Some(1), ..Kept::default() };
    let pulled = run(&puller, Cursor::default(), &mut kept).await.unwrap();
    assert_eq!((pulled, wire.asked().len()), (Pulled { pages: 1, rows: 8, complete: false }, 1));
    let cursor = kept.batches.remove(0).cursor;
    let mut rest = Kept::default();
    assert_eq!(run(&puller, cursor, &mut rest).await.unwrap(), Pulled { pages: 2, rows: 16, complete: true });
}

#[tokio::test(start_paused = true)]
async fn what_is_worth_asking_again_is_asked_again_and_what_is_not_ends_the_stream() {
    let reset = || Err(TransportFailure::Unknown("reset".to_owned()));
    let wire = Wire::new(vec![status(429), reset()], three_pages);
    let puller = puller(Shop::default(), &wire);
    assert!(run(&puller, Cursor::default(), &mut Kept::default()).await.unwrap().complete);
    assert_eq!(puller.asked(), Asked { requests: 5, retries: 2 });
    let wire = Wire::new(vec![status(503), reset(), reset(), reset(), reset()], three_pages);
    let error = run(&super::tests::puller(Shop::default(), &wire), Cursor::default(), &mut Kept::default()).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Network);
    let wire = Wire::new(vec![status(400)], three_pages);
    let error = run(&super::tests::puller(Shop::default(), &wire), Cursor::default(), &mut Kept::default()).await.unwrap_err();
    assert_eq!((error.code(), wire.asked().len()), (ErrorCode::Rejected, 1));
}

#[tokio::test(start_paused = true)]
async fn a_page_too_large_is_asked_for_in_halves_down_to_one_row() {
    let wire = Wire::new(vec![status(413), status(413)], |path| if path.contains("at=&") { ok("2") } else { ok("") });
    let mut kept = Kept::default();
    run(&puller(Shop::default(), &wire), Cursor::default(), &mut kept).await.unwrap();
    assert_eq!(wire.asked(), ["/rows?at=&size=8", "/rows?at=&size=4", "/rows?at=&size=2", "/rows?at=2&size=2"]);
    // The same when the page is more than the client reads.
    let wire = Wire::new(vec![Err(TransportFailure::TooLarge)], |_| ok(""));
    run(&puller(Shop::default(), &wire), Cursor::default(), &mut Kept::default()).await.unwrap();
    assert_eq!(wire.asked(), ["/rows?at=&size=8", "/rows?at=&size=4"]);
    let wire = Wire::new(Vec::new(), |_| status(413));
    let error = run(&puller(Shop::default(), &wire), Cursor::default(), &mut Kept::default()).await.unwrap_err();
    assert_eq!((error.code(), wire.asked().last().unwrap().as_str()), (ErrorCode::TooLarge, "/rows?at=&size=1"));
}

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_before_its_end_and_once_when_it_is_refused() {
    let wire = Wire::new(vec![ok("one"), status(401), ok("two")], three_pages);
    let shop = || Shop { tokens: true, ..Shop::default() };
    let mut kept = Kept { takes: Duration::from_secs(30), ..Kept::default() };
    run(&puller(shop(), &wire), Cursor::default(), &mut kept).await.unwrap();
    // It lives a hundred seconds and is renewed after half of that, because sixty seconds early would be too soon.
    assert_eq!(wire.asked()[..4], ["/token", "/rows?at=&size=8", "/token", "/rows?at=&size=8"]);
    assert_eq!(wire.tokens_sent()[..4], ["", "one", "", "two"]);
    // Refused again right after that, it is the credentials.
    let wire = Wire::new(vec![ok("one"), status(401), ok("two"), status(401)], three_pages);
    let error = run(&puller(shop(), &wire), Cursor::default(), &mut Kept::default()).await.unwrap_err();
    assert_eq!((error.code(), wire.asked().len()), (ErrorCode::Unauthorized, 4));
}

#[tokio::test(start_paused = true)]
async fn things_are_read_at_once_within_the_tables_bounds_and_handed_on_in_order() {
    let wire = Wire::new(Vec::new(), |path| if path.starts_with("/rows") { ok("") } else { ok(path) });
    let shop = Shop { wanted_per_page: 12, ..Shop::default() };
    let began = tokio::time::Instant::now();
    let mut kept = Kept::default();
    run(&puller(shop, &wire), Cursor::default(), &mut kept).await.unwrap();
    let texts: Vec<String> = kept.batches[0].documents.iter().skip(1).map(|one| String::from_utf8_lossy(&one.bytes).into_owned()).collect();
    let wanted: Vec<String> = (0..12).map(|number| format!("/thing/{number}/a/thing/{number}/b/thing/{number}/c")).collect();
    assert_eq!(texts, wanted);
    assert!(wire.most_under_way.load(Ordering::SeqCst) <= 3);
    // 37 calls at ten a second.
    assert!(began.elapsed() >= Duration::from_millis(3_500), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_source_that_goes_in_circles_is_a_defect_and_not_a_hang() {
    let wire = Wire::new(Vec::new(), three_pages);
    let endless = Wanted { resource: ResourceRef { kind: "endless".to_owned(), id: String::new() }, seed: None };
    let error = puller(Shop::default(), &wire).read(&endless).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Internal);
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_pull_without_an_error_and_without_waiting_for_the_shop() {
    let wire = Arc::new(Wire { delay: Duration::from_secs(3_000), ..Arc::into_inner(Wire::new(Vec::new(), three_pages)).unwrap() });
    let (stop, mut kept) = (Stop::new(), Kept::default());
    let puller = puller(Shop::default(), &wire);
    let stopper = stop.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        stopper.stop();
    });
    let began = tokio::time::Instant::now();
    let pulled = puller.pull(&ROWS, Cursor::default(), None, &mut kept, &stop).await.unwrap();
    assert_eq!((pulled, kept.batches.len()), (Pulled::default(), 0));
    assert!(began.elapsed() < Duration::from_secs(5));
}
