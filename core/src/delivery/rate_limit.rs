//! How fast, and whether at all: pace and permits per endpoint, and the gate in front of a destination that is down.
//!
//! Calls are spaced evenly (rate 4 per second = one every 250 ms) instead of being let go in bursts, because vendors
//! count in windows whose beginning nobody tells. When the destination throttles all the same, the endpoint rests, then
//! goes on at half its pace and half its permits, and recovers over [`RECOVERY`]: additive increase, multiplicative
//! decrease. Pure: time is an argument.

use std::collections::HashMap;
use std::time::Duration;

use super::lanes::Moment;
use super::retry::RetryPolicy;
use crate::destinations::{Endpoint, Reply};
use crate::error::ErrorCode;
use crate::model::Instant;

/// How long an endpoint takes from a standstill back to its full pace.
pub const RECOVERY: Duration = Duration::from_secs(60);

/// Throttled replies this close together are one event: they answer requests that were under way together.
const SAME_EVENT: Duration = Duration::from_secs(1);

/// The lowest pace, as a share of the full one.
const SLOWEST: f64 = 1.0 / 64.0;

/// How much a late timer may catch up, so that pace does not suffer from the timer's millisecond.
const SLACK: Duration = Duration::from_millis(10);

/// What one endpoint has of its own.
#[derive(Clone, Copy, Debug)]
struct Calls {
    /// Between two calls at full pace; zero where no rate is known.
    interval: Duration,
    permits: u16,
    under_way: u16,
}

/// What endpoints may share.
#[derive(Clone, Copy, Debug, Default)]
struct Budget {
    next: Moment,
    rests_until: Moment,
    slowed: Option<Slowed>,
}

/// Pace and permits of one endpoint. Endpoints whose [`crate::destinations::Rate`] names the same budget share the pace and
/// keep their permits: what one of them spends the others do not have, and when one is throttled all of them rest.
#[derive(Debug)]
pub struct Pace<'a> {
    calls: &'a mut Calls,
    budget: &'a mut Budget,
}

#[derive(Clone, Copy, Debug)]
struct Slowed {
    at: Moment,
    to: f64,
}

/// Whether a call may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Now.
    Now,
    /// Not before.
    At(Moment),
    /// When a call under way has ended.
    WhenOneEnds,
}

impl Pace<'_> {
    /// The share of the full pace that is used now.
    #[must_use]
    pub fn share(&self, now: Moment) -> f64 {
        self.budget.slowed.map_or(1.0, |slowed| {
            let recovered = now.saturating_sub(slowed.at).as_secs_f64() / RECOVERY.as_secs_f64();
            (slowed.to + recovered).min(1.0)
        })
    }

    /// Whether a call may go now.
    #[must_use]
    pub fn turn(&self, now: Moment) -> Turn {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // A share of a u16 is a u16.
        let permits = ((f64::from(self.calls.permits) * self.share(now)) as u16).max(1);
        let at = self.budget.next.max(self.budget.rests_until);
        if at > now {
            Turn::At(at)
        } else if self.calls.under_way >= permits {
            Turn::WhenOneEnds
        } else {
            Turn::Now
        }
    }

    /// A call goes.
    pub fn begin(&mut self, now: Moment) {
        self.calls.under_way += 1;
        self.budget.next = self.budget.next.max(now.saturating_sub(SLACK)) + self.calls.interval.div_f64(self.share(now));
    }

    /// A call has ended.
    pub fn end(&mut self) {
        self.calls.under_way = self.calls.under_way.saturating_sub(1);
    }

    /// The destination throttled: rest, then go on at half the pace.
    pub fn throttle(&mut self, now: Moment, rest: Duration) {
        self.rest(now, rest);
        if self.budget.slowed.is_some_and(|slowed| now.saturating_sub(slowed.at) < SAME_EVENT) {
            return;
        }
        let to = (self.share(now) / 2.0).max(SLOWEST);
        // Recovery starts when the rest is over.
        self.budget.slowed = Some(Slowed { at: now + rest, to });
    }

    /// No call before then.
    pub fn rest(&mut self, now: Moment, rest: Duration) {
        self.budget.rests_until = self.budget.rests_until.max(now + rest);
    }
}

/// How long the destination's rate-limit headers ask to rest: only when nothing remains of the budget.
///
/// Understood are `x-ratelimit-remaining` and `x-ratelimit-reset` and the IETF draft's names without `x-`; a reset is
/// seconds from now or, when that would be decades, a Unix time.
#[must_use]
pub fn rest_asked_by(reply: &Reply, now: Instant, longest: Duration) -> Option<Duration> {
    let header = |name: &str| reply.header(&format!("x-ratelimit-{name}")).or_else(|| reply.header(&format!("ratelimit-{name}")));
    let number = |name: &str| header(name)?.trim().parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
    if number("remaining")? >= 1.0 {
        return None;
    }
    let reset = number("reset")?;
    #[allow(clippy::cast_precision_loss)] // Seconds of this epoch are far below 2^52.
    let seconds = if reset > 1e9 { reset - now.timestamp_millis() as f64 / 1e3 } else { reset };
    Duration::try_from_secs_f64(seconds).ok().map(|rest| rest.min(longest))
}

/// The paces of one destination's endpoints, and its gate.
#[derive(Debug, Default)]
pub struct Limits {
    calls: HashMap<&'static str, Calls>,
    /// By the budget's name, or the endpoint's id where it has one of its own.
    budgets: HashMap<(bool, &'static str), Budget>,
    /// In front of all endpoints.
    pub gate: Gate,
}

impl Limits {
    /// The pace of an endpoint, as the capability table allows it. Without `limited` only the permits count, and what the
    /// destination says.
    pub fn pace(&mut self, endpoint: &Endpoint, limited: bool) -> Pace<'_> {
        let shared = endpoint.rate.map(|rate| rate.budget).filter(|name| !name.is_empty());
        let calls = self.calls.entry(endpoint.id).or_insert_with(|| {
            let rate = endpoint.rate.filter(|rate| limited && rate.count > 0);
            let interval = rate.map_or(Duration::ZERO, |rate| Duration::from_secs(rate.per_s.into()) / rate.count);
            Calls { interval, permits: endpoint.concurrency.max(1), under_way: 0 }
        });
        let budget = self.budgets.entry((shared.is_some(), shared.unwrap_or(endpoint.id))).or_default();
        Pace { calls, budget }
    }
}

/// The pace of calls that no capability table names.
#[derive(Debug)]
pub struct OwnPace {
    calls: Calls,
    budget: Budget,
}

impl OwnPace {
    /// A pace of one call every `interval`, and so many at once.
    #[must_use]
    pub fn new(interval: Duration, permits: u16) -> Self {
        OwnPace { calls: Calls { interval, permits: permits.max(1), under_way: 0 }, budget: Budget::default() }
    }

    /// The pace itself.
    pub fn pace(&mut self) -> Pace<'_> {
        Pace { calls: &mut self.calls, budget: &mut self.budget }
    }
}

/// Replies in a row that say "not now" before the destination counts as down.
const FAILURES_TO_CLOSE: u32 = 8;

/// Closed while the destination is down, so that an outage does not burn the attempts of everything that waits: then
/// only one request at a time tries whether it is back, at distances growing to ten seconds, and costs no attempt.
///
/// Connections that cannot be made close it at once; replies that say "not now" (5xx, timeouts) close it after
/// eight in a row. Any other reply opens it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gate {
    failures: u32,
    closed: Option<Closed>,
}

#[derive(Clone, Copy, Debug)]
struct Closed {
    since: Moment,
    code: ErrorCode,
    tries: u32,
    next_try: Moment,
}

impl Gate {
    /// Whether a request may go, given how many are under way.
    #[must_use]
    pub fn turn(&self, now: Moment, under_way: usize) -> Turn {
        match self.closed {
            None => Turn::Now,
            Some(_) if under_way > 0 => Turn::WhenOneEnds,
            Some(closed) if closed.next_try > now => Turn::At(closed.next_try),
            Some(_) => Turn::Now,
        }
    }

    /// Since when the destination has been down, and what it looks like.
    #[must_use]
    pub fn down(&self) -> Option<(Moment, ErrorCode)> {
        self.closed.map(|closed| (closed.since, closed.code))
    }

    /// The destination answered.
    pub fn opened(&mut self) {
        *self = Gate::default();
    }

    /// No connection. Returns whether this is news.
    pub fn unreachable(&mut self, now: Moment, policy: &RetryPolicy, chance: f64) -> bool {
        self.failures = FAILURES_TO_CLOSE;
        self.close(now, ErrorCode::Network, policy, chance)
    }

    /// A reply that says "not now", or none. Returns whether the gate was closed by it.
    pub fn failed(&mut self, now: Moment, code: ErrorCode, policy: &RetryPolicy, chance: f64) -> bool {
        self.failures = self.failures.saturating_add(1);
        self.failures >= FAILURES_TO_CLOSE && self.close(now, code, policy, chance)
    }

    fn close(&mut self, now: Moment, code: ErrorCode, policy: &RetryPolicy, chance: f64) -> bool {
        match &mut self.closed {
            // Of requests that failed together only the first one counts.
            Some(closed) if closed.next_try > now => false,
            Some(closed) => {
                closed.code = code;
                closed.tries = closed.tries.saturating_add(1);
                closed.next_try = now + probe_distance(policy, closed.tries, chance);
                false
            }
            None => {
                self.closed = Some(Closed { since: now, code, tries: 1, next_try: now + probe_distance(policy, 1, chance) });
                true
            }
        }
    }
}

/// The longest distance between two probes: a single request burdens nobody, and a late one delays everybody.
const LONGEST_DISTANCE: Duration = Duration::from_secs(10);

/// Half fixed, half random: a probe is a single request, so it needs distance more than spreading.
fn probe_distance(policy: &RetryPolicy, tries: u32, chance: f64) -> Duration {
    policy.backoff(tries, 1.0).min(LONGEST_DISTANCE).mul_f64(0.5 + chance / 2.0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use chrono::TimeZone;

    use super::*;
    use crate::destinations::{Backfill, Method, PartialFailure, Promise, Rate, RetrySafety};

    const ENDPOINT: Endpoint = Endpoint {
        id: "things",
        method: Method::Post,
        path: "/things",
        max_records: 1,
        max_bytes: 0,
        max_record_bytes: 0,
        rate: Some(Rate { count: 4, per_s: 1, scope: "project", budget: "" }),
        concurrency: 2,
        many_per_lane: false,
        retry_safe_by: RetrySafety::UpsertById,
        partial_failure: PartialFailure::Single,
        null_clears: false,
        backfill: Backfill::Quiet,
        promise: Promise::EffectivelyOnce,
        note: "",
        ..Endpoint::SINGLE
    };

    const fn ms(ms: u64) -> Moment {
        Duration::from_millis(ms)
    }

    /// Calls that go within `until` when every call ends at once.
    fn calls(pace: &mut Pace<'_>, from: Moment, until: Moment) -> usize {
        let (mut now, mut calls) = (from, 0);
        while now < until {
            match pace.turn(now) {
                Turn::Now => {
                    pace.begin(now);
                    pace.end();
                    calls += 1;
                }
                Turn::At(at) => now = at,
                Turn::WhenOneEnds => panic!("nothing is under way"),
            }
        }
        calls
    }

    #[test]
    fn calls_are_spaced_evenly() {
        let mut limits = Limits::default();
        let mut pace = limits.pace(&ENDPOINT, true);
        assert_eq!(pace.turn(ms(100)), Turn::Now);
        pace.begin(ms(100));
        pace.end();
        assert_eq!(pace.turn(ms(100)), Turn::At(ms(340)));
        assert!((40..=41).contains(&calls(&mut pace, ms(400), ms(10_400))), "one more for the slack");
    }

    #[test]
    fn endpoints_of_one_budget_share_its_pace_and_its_rests_but_not_their_permits() {
        const fn of(id: &'static str, budget: &'static str, count: u32) -> Endpoint {
            Endpoint { id, rate: Some(Rate { count, per_s: 1, scope: "account", budget }), ..ENDPOINT }
        }
        let (a, b, other) = (of("a", "rest", 4), of("b", "rest", 2), of("rest", "", 4));
        let mut limits = Limits::default();
        limits.pace(&a, true).begin(ms(0));
        limits.pace(&a, true).end();
        assert_eq!(limits.pace(&b, true).turn(ms(0)), Turn::At(ms(250)), "what one spent the other does not have");
        assert_eq!(limits.pace(&other, true).turn(ms(0)), Turn::Now, "a budget is not an endpoint of the same name");
        limits.pace(&b, true).begin(ms(250));
        assert_eq!(limits.pace(&a, true).turn(ms(250)), Turn::At(ms(750)), "a call costs what its own rate says");
        limits.pace(&b, true).begin(ms(1_000));
        assert_eq!(limits.pace(&b, true).turn(ms(2_000)), Turn::WhenOneEnds);
        assert_eq!(limits.pace(&a, true).turn(ms(2_000)), Turn::Now);
        limits.pace(&b, true).throttle(ms(3_000), ms(5_000));
        assert_eq!(limits.pace(&a, true).turn(ms(3_000)), Turn::At(ms(8_000)));
        assert!(limits.pace(&a, true).share(ms(8_000)) < 0.6);
        assert_eq!(limits.pace(&other, true).turn(ms(3_000)), Turn::Now);
    }

    #[test]
    fn permits_bound_what_is_under_way() {
        let mut limits = Limits::default();
        let mut pace = limits.pace(&ENDPOINT, false);
        pace.begin(ms(0));
        assert_eq!(pace.turn(ms(0)), Turn::Now);
        pace.begin(ms(0));
        assert_eq!(pace.turn(ms(0)), Turn::WhenOneEnds);
        pace.end();
        assert_eq!(pace.turn(ms(0)), Turn::Now);
    }

    #[test]
    fn a_throttled_endpoint_rests_halves_its_pace_and_recovers() {
        let mut limits = Limits::default();
        let mut pace = limits.pace(&ENDPOINT, true);
        pace.throttle(ms(10_000), ms(5_000));
        assert_eq!(pace.turn(ms(10_000)), Turn::At(ms(15_000)));
        assert!((pace.share(ms(15_000)) - 0.5).abs() < 1e-9);
        assert!((pace.share(ms(45_000)) - 1.0).abs() < 1e-9);
        let slow = calls(&mut pace, ms(15_000), ms(20_000));
        assert!((9..=14).contains(&slow), "about half of 20, was {slow}");
        assert!((40..=41).contains(&calls(&mut pace, ms(50_000), ms(60_000))));
    }

    #[test]
    fn many_throttled_replies_at_once_halve_the_pace_once() {
        let mut limits = Limits::default();
        let mut pace = limits.pace(&ENDPOINT, true);
        for _ in 0..10 {
            pace.throttle(ms(10_000), ms(0));
        }
        assert!((pace.share(ms(10_000)) - 0.5).abs() < 1e-9);
        pace.throttle(ms(12_000), ms(0));
        assert!(pace.share(ms(12_000)) < 0.3);
    }

    #[test]
    fn a_budget_that_is_used_up_rests_until_its_reset() {
        let now = chrono::Utc.timestamp_opt(1_795_000_000, 0).unwrap();
        let reply = |remaining: &str, reset: &str| Reply {
            headers: vec![("x-ratelimit-remaining".into(), remaining.into()), ("x-ratelimit-reset".into(), reset.into())],
            ..Reply::default()
        };
        let longest = Duration::from_secs(300);
        assert_eq!(rest_asked_by(&reply("0", "12"), now, longest), Some(Duration::from_secs(12)));
        assert_eq!(rest_asked_by(&reply("0", "1795000007"), now, longest), Some(Duration::from_secs(7)));
        assert_eq!(rest_asked_by(&reply("0", "1794999999"), now, longest), None);
        assert_eq!(rest_asked_by(&reply("0", "86400"), now, longest), Some(longest));
        assert_eq!(rest_asked_by(&reply("3", "12"), now, longest), None);
        assert_eq!(rest_asked_by(&Reply::default(), now, longest), None);
    }

    #[test]
    fn the_gate_closes_at_once_without_a_connection_and_lets_one_probe_through_at_a_time() {
        let (policy, mut gate) = (RetryPolicy::default(), Gate::default());
        assert!(gate.unreachable(ms(1_000), &policy, 1.0));
        assert_eq!(gate.turn(ms(1_000), 0), Turn::At(ms(1_500)));
        assert!(!gate.unreachable(ms(1_000), &policy, 1.0), "failed together with the first");
        assert_eq!(gate.turn(ms(1_500), 0), Turn::Now);
        assert_eq!(gate.turn(ms(1_500), 1), Turn::WhenOneEnds);
        assert!(!gate.unreachable(ms(1_500), &policy, 1.0));
        assert_eq!(gate.turn(ms(1_500), 0), Turn::At(ms(2_500)));
        assert_eq!(gate.down(), Some((ms(1_000), ErrorCode::Network)));
        gate.opened();
        assert_eq!(gate.turn(ms(2_500), 5), Turn::Now);
    }

    #[test]
    fn the_gate_closes_after_eight_failures_in_a_row() {
        let (policy, mut gate) = (RetryPolicy::default(), Gate::default());
        for _ in 0..7 {
            assert!(!gate.failed(ms(0), ErrorCode::Unavailable, &policy, 0.0));
        }
        gate.opened();
        for _ in 0..7 {
            assert!(!gate.failed(ms(0), ErrorCode::Unavailable, &policy, 0.0));
        }
        assert!(gate.failed(ms(0), ErrorCode::Unavailable, &policy, 0.0));
    }
}
