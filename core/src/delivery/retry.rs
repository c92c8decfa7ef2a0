//! When to try again, and when to give up.
//!
//! Failures burn attempts: after `max_attempts` of them, or when waiting once more would exceed `max_elapsed`, the
//! operation becomes a dead letter. Only time that failing itself cost is counted: the requests and the backoff chosen
//! here, not waits the destination asked for, not waiting in the queue, not the time the process was down.
//!
//! Throttling is not failure: a destination that says "slow down" will take the operation later. It waits at least
//! `throttle_floor`, counts no time, and [`THROTTLES_PER_ATTEMPT`] of it in a row count as one attempt, so that an
//! operation throttled for ever still ends.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorCode};
use crate::model::Instant;

/// So many throttled sendings of one operation count as one failed attempt.
pub const THROTTLES_PER_ATTEMPT: u32 = 4;

/// How failures are retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RetryConfig {
    /// Most attempts per operation, the first included; 1 to 100, 6 unless told.
    pub max_attempts: u32,
    /// Most seconds that failing may take per operation; 120 unless told.
    pub max_elapsed_s: u32,
    /// Upper bound of the first wait in milliseconds, doubled with every attempt; 500 unless told.
    pub base_delay_ms: u32,
    /// Upper bound of every wait in milliseconds; 60,000 unless told.
    pub max_delay_ms: u32,
    /// Shortest wait in milliseconds when the destination asks to slow down; 1,000 unless told.
    pub throttle_floor_ms: u32,
    /// Longest `Retry-After` in seconds that is obeyed; longer ones are cut to it; 300 unless told.
    pub max_retry_after_s: u32,
}

impl Default for RetryConfig {
    fn default() -> Self {
        RetryConfig {
            max_attempts: 6,
            max_elapsed_s: 120,
            base_delay_ms: 500,
            max_delay_ms: 60_000,
            throttle_floor_ms: 1_000,
            max_retry_after_s: 300,
        }
    }
}

impl RetryConfig {
    /// The policy these numbers describe.
    ///
    /// # Errors
    /// `invalid_config` naming the number at fault.
    pub fn policy(&self) -> Result<RetryPolicy, Error> {
        let invalid = |name: &str, rule: &str| Err(Error::new(ErrorCode::InvalidConfig, format!("`{name}` must be {rule}")));
        if !(1..=100).contains(&self.max_attempts) {
            return invalid("max_attempts", "from 1 to 100");
        }
        if self.base_delay_ms == 0 {
            return invalid("base_delay_ms", "at least 1");
        }
        if self.max_delay_ms < self.base_delay_ms {
            return invalid("max_delay_ms", "at least `base_delay_ms`");
        }
        Ok(RetryPolicy {
            max_attempts: self.max_attempts,
            max_elapsed: Duration::from_secs(self.max_elapsed_s.into()),
            base_delay: Duration::from_millis(self.base_delay_ms.into()),
            max_delay: Duration::from_millis(self.max_delay_ms.into()),
            throttle_floor: Duration::from_millis(self.throttle_floor_ms.into()),
            max_retry_after: Duration::from_secs(self.max_retry_after_s.into()),
        })
    }
}

/// [`RetryConfig`] with durations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Most attempts per operation, the first included.
    pub max_attempts: u32,
    /// Most time that failing may take per operation.
    pub max_elapsed: Duration,
    /// Upper bound of the first wait.
    pub base_delay: Duration,
    /// Upper bound of every wait chosen here.
    pub max_delay: Duration,
    /// Shortest wait when throttled.
    pub throttle_floor: Duration,
    /// Longest wait that a destination can ask for.
    pub max_retry_after: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPolicy {
            max_attempts: 6,
            max_elapsed: Duration::from_secs(120),
            base_delay: Duration::from_millis(500),
            max_delay: Duration::from_secs(60),
            throttle_floor: Duration::from_secs(1),
            max_retry_after: Duration::from_secs(300),
        }
    }
}

/// What one operation has been through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Attempts that failed.
    pub attempts: u32,
    /// Times it was throttled.
    pub throttles: u32,
    /// What failing has cost.
    pub spent: Duration,
    /// Questions about its job in a row that were not answered.
    pub unanswered: u32,
}

impl History {
    /// Times it was sent without success, as far as this process knows.
    #[must_use]
    pub const fn sendings(&self) -> u32 {
        self.attempts + self.throttles - self.throttles / THROTTLES_PER_ATTEMPT
    }
}

/// One more sending that did not succeed.
#[derive(Clone, Copy, Debug)]
pub struct Setback {
    /// Whether the destination only asked to slow down.
    pub throttled: bool,
    /// What the destination asked for.
    pub retry_after: Option<Duration>,
    /// How long the request took.
    pub took: Duration,
}

/// What to do about a [`Setback`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Try again after this long.
    After(Duration),
    /// Enough.
    GiveUp,
}

impl RetryPolicy {
    /// Adds a setback to the history and decides. `chance` is random in `0.0..1.0`.
    pub fn next(&self, history: &mut History, setback: Setback, chance: f64) -> Next {
        let asked = setback.retry_after.map(|asked| asked.min(self.max_retry_after));
        if setback.throttled {
            history.throttles += 1;
            if history.throttles.is_multiple_of(THROTTLES_PER_ATTEMPT) {
                history.attempts += 1;
            }
            if history.attempts >= self.max_attempts {
                return Next::GiveUp;
            }
            let floor = asked.unwrap_or_default().max(self.throttle_floor);
            return Next::After(floor + self.backoff(history.throttles, chance));
        }
        history.attempts += 1;
        history.spent += setback.took;
        if history.attempts >= self.max_attempts {
            return Next::GiveUp;
        }
        let delay = self.backoff(history.attempts, chance);
        // The destination's own wish is not held against the operation.
        if asked.is_none() {
            history.spent += delay;
        }
        if history.spent > self.max_elapsed {
            return Next::GiveUp;
        }
        Next::After(asked.map_or(delay, |asked| asked + delay.min(self.base_delay)))
    }

    /// Exponential backoff with full jitter: anything from nothing to the bound, so that many who failed together do
    /// not come back together.
    #[must_use]
    pub fn backoff(&self, attempt: u32, chance: f64) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        self.base_delay.saturating_mul(1 << doublings).min(self.max_delay).mul_f64(chance.clamp(0.0, 1.0))
    }

    /// The longest wait this policy can come to; stored due times beyond it come from a clock that jumped.
    #[must_use]
    pub fn longest_wait(&self) -> Duration {
        self.max_retry_after.max(self.throttle_floor) + self.max_delay
    }
}

/// `Retry-After` as RFC 9110 §10.2.3 allows it: seconds, or an HTTP-date, which is in the past for "now".
#[must_use]
pub fn retry_after(header: &str, now: Instant) -> Option<Duration> {
    let header = header.trim();
    // Some gateways send fractions of a second, which the RFC does not know.
    if let Ok(seconds) = header.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let at = chrono::DateTime::parse_from_rfc2822(header).ok()?;
    Some(at.to_utc().signed_duration_since(now).to_std().unwrap_or_default())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use chrono::TimeZone;
    use proptest::prelude::*;

    use super::*;

    const FAILED: Setback = Setback { throttled: false, retry_after: None, took: Duration::ZERO };
    const THROTTLED: Setback = Setback { throttled: true, ..FAILED };

    #[test]
    fn the_bound_doubles_from_the_base_up_to_the_limit() {
        let policy = RetryPolicy::default();
        let bounds: Vec<u128> = (1..=9).map(|attempt| policy.backoff(attempt, 1.0).as_millis()).collect();
        assert_eq!(bounds, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
        assert_eq!(policy.backoff(5, 0.0), Duration::ZERO);
        assert_eq!(policy.backoff(u32::MAX, 1.0), Duration::from_secs(60));
    }

    #[test]
    fn the_sixth_failure_is_the_last() {
        let (policy, mut history) = (RetryPolicy::default(), History::default());
        for _ in 0..5 {
            assert!(matches!(policy.next(&mut history, FAILED, 0.5), Next::After(_)));
        }
        assert_eq!(policy.next(&mut history, FAILED, 0.5), Next::GiveUp);
        assert_eq!(history.attempts, 6);
    }

    #[test]
    fn slow_failures_end_after_the_time_allowed() {
        let (policy, mut history) = (RetryPolicy::default(), History::default());
        let slow = Setback { took: Duration::from_secs(50), ..FAILED };
        assert!(matches!(policy.next(&mut history, slow, 0.0), Next::After(_)));
        assert!(matches!(policy.next(&mut history, slow, 0.0), Next::After(_)));
        assert_eq!(policy.next(&mut history, slow, 0.0), Next::GiveUp, "150 s are more than 120 s");
    }

    #[test]
    fn a_wait_the_destination_asked_for_is_obeyed_capped_and_not_counted() {
        let (policy, mut history) = (RetryPolicy::default(), History::default());
        let asked = |seconds| Setback { retry_after: Some(Duration::from_secs(seconds)), ..FAILED };
        let Next::After(wait) = policy.next(&mut history, asked(200), 1.0) else { panic!("gave up") };
        assert!(wait >= Duration::from_secs(200) && wait <= Duration::from_millis(200_500));
        let Next::After(wait) = policy.next(&mut history, asked(86_400), 0.0) else { panic!("gave up") };
        assert_eq!(wait, Duration::from_secs(300));
        assert_eq!(history.spent, Duration::ZERO);
    }

    #[test]
    fn throttling_waits_at_least_the_floor_and_burns_a_quarter_of_an_attempt() {
        let (policy, mut history) = (RetryPolicy::default(), History::default());
        let mut sendings = 0;
        loop {
            sendings += 1;
            match policy.next(&mut history, THROTTLED, 0.0) {
                Next::After(wait) => assert_eq!(wait, Duration::from_secs(1)),
                Next::GiveUp => break,
            }
        }
        assert_eq!((sendings, history.sendings(), history.attempts), (24, 24, 6));
        assert_eq!(history.spent, Duration::ZERO);
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let now = chrono::Utc.with_ymd_and_hms(2026, 11, 21, 12, 0, 0).unwrap();
        assert_eq!(retry_after("7", now), Some(Duration::from_secs(7)));
        assert_eq!(retry_after(" 1.5 ", now), Some(Duration::from_millis(1_500)));
        assert_eq!(retry_after("Sat, 21 Nov 2026 12:00:30 GMT", now), Some(Duration::from_secs(30)));
        assert_eq!(retry_after("Sat, 21 Nov 2026 11:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
        assert_eq!(retry_after("-3", now), None);
        assert_eq!(retry_after("NaN", now), None);
    }

    #[test]
    fn numbers_that_make_no_sense_are_refused_by_name() {
        let error = RetryConfig { max_attempts: 0, ..RetryConfig::default() }.policy().unwrap_err();
        assert_eq!(error.message(), "`max_attempts` must be from 1 to 100");
        assert!(RetryConfig { max_delay_ms: 10, ..RetryConfig::default() }.policy().is_err());
        assert_eq!(RetryConfig::default().policy().unwrap(), RetryPolicy::default());
        assert!(serde_json::from_str::<RetryConfig>(r#"{"max_atempts":3}"#).is_err());
    }

    proptest! {
        #[test]
        fn it_always_ends_and_never_waits_longer_than_allowed(
            setbacks in proptest::collection::vec((any::<bool>(), proptest::option::of(0_u64..100_000), 0_u64..40, 0.0..1.0_f64), 200)
        ) {
            let (policy, mut history) = (RetryPolicy::default(), History::default());
            let mut ended = false;
            for (throttled, asked, took, chance) in setbacks {
                let setback =
                    Setback { throttled, retry_after: asked.map(Duration::from_secs), took: Duration::from_secs(took) };
                match policy.next(&mut history, setback, chance) {
                    Next::After(wait) => prop_assert!(wait <= policy.longest_wait()),
                    Next::GiveUp => { ended = true; break; }
                }
            }
            prop_assert!(ended, "six attempts or twenty-four throttles fit into two hundred setbacks");
        }
    }
}
