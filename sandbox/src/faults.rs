//! Faults on demand: which requests fail, how, and how often.

use std::sync::Mutex;

use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{SandboxError, lock, parse};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// A status instead of doing what was asked.
    Status,
    /// No reply, and nothing done.
    Timeout,
    /// Done, but no reply.
    TimeoutAfter,
    /// The connection is cut, and nothing done.
    Reset,
    /// Done, then the connection is cut: what makes duplicates.
    ResetAfter,
    /// Done, but only half of the reply's body arrives.
    TruncatedBody,
    /// Every second row of a bulk call fails.
    HalfFailedBulk,
    /// Done and answered, late.
    Latency,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Timeout => "timeout",
            Self::TimeoutAfter => "timeout_after",
            Self::Reset => "reset",
            Self::ResetAfter => "reset_after",
            Self::TruncatedBody => "truncated_body",
            Self::HalfFailedBulk => "half_failed_bulk",
            Self::Latency => "latency",
        }
    }
}

/// One fault, as it strikes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    /// For [`Kind::Status`]; 500 when absent.
    pub(crate) status: Option<u16>,
    pub(crate) retry_after: Option<String>,
    pub(crate) delay_ms: Option<u64>,
    /// Instead of the body the vendor would send with the status.
    pub(crate) body: Option<String>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Match {
    vendor: Option<String>,
    /// A prefix.
    path: String,
    method: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    #[serde(rename = "match", default)]
    matches: Match,
    fault: Fault,
    times: Option<u64>,
    probability: Option<f64>,
    #[serde(default)]
    seed: u64,
    #[serde(default)]
    skip: u64,
}

struct Rule {
    spec: Spec,
    seen: u64,
    struck: u64,
    random: u64,
}

impl Rule {
    fn matches(&self, vendor: &str, method: &Method, path: &str) -> bool {
        let wanted = &self.spec.matches;
        wanted.vendor.as_deref().is_none_or(|name| name == vendor)
            && wanted.method.as_deref().is_none_or(|name| name.eq_ignore_ascii_case(method.as_str()))
            && path.starts_with(&wanted.path)
    }

    /// Counts a request that matches and says whether the fault strikes it.
    fn strikes(&mut self) -> bool {
        self.seen += 1;
        if self.seen <= self.spec.skip {
            return false;
        }
        let most = self.spec.times.unwrap_or(if self.spec.probability.is_some() { u64::MAX } else { 1 });
        if self.struck >= most {
            return false;
        }
        let hit = self.spec.probability.is_none_or(|probability| unit(&mut self.random) < probability);
        self.struck += u64::from(hit);
        hit
    }
}

/// The next number in [0, 1) of a small generator (splitmix64): the same seed gives the same faults.
fn unit(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// All faults that wait for their request, oldest first.
#[derive(Default)]
pub(crate) struct Faults {
    rules: Mutex<Vec<Rule>>,
}

impl Faults {
    pub(crate) fn add(&self, json: &[u8]) -> Result<(), SandboxError> {
        let spec: Spec = parse(json, "fault")?;
        if spec.probability.is_some_and(|probability| !(0.0..=1.0).contains(&probability)) {
            return Err(SandboxError::Invalid("fault: `probability` must be between 0 and 1".into()));
        }
        if spec.fault.status.is_some_and(|status| !(200..=599).contains(&status)) {
            return Err(SandboxError::Invalid("fault: `status` must be between 200 and 599".into()));
        }
        let random = spec.seed;
        lock(&self.rules).push(Rule { spec, seen: 0, struck: 0, random });
        Ok(())
    }

    pub(crate) fn clear(&self) {
        lock(&self.rules).clear();
    }

    /// Every fault with how many requests it has seen and how many it struck, oldest first.
    pub(crate) fn seen(&self) -> Value {
        let rule = |rule: &Rule| json!({"kind": rule.spec.fault.kind.name(), "path": rule.spec.matches.path, "seen": rule.seen, "struck": rule.struck});
        lock(&self.rules).iter().map(rule).collect()
    }

    /// The fault that strikes this request: of the rules that match, the first that is due. Rules after it do not count the request.
    pub(crate) fn pick(&self, vendor: &str, method: &Method, path: &str) -> Option<Fault> {
        let mut picked = None;
        for rule in lock(&self.rules).iter_mut().filter(|rule| rule.matches(vendor, method, path)) {
            if picked.is_none() && rule.strikes() {
                picked = Some(rule.spec.fault.clone());
            }
        }
        picked
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn strikes(spec: &str, requests: usize) -> Vec<bool> {
        let faults = Faults::default();
        faults.add(spec.as_bytes()).unwrap();
        (0..requests).map(|_| faults.pick("iterable", &Method::POST, "/api/users/update").is_some()).collect()
    }

    #[test]
    fn skip_and_times_say_which_requests_are_struck() {
        let spec = r#"{"match": {"path": "/api/users"}, "fault": {"kind": "reset"}, "times": 2, "skip": 1}"#;
        assert_eq!(strikes(spec, 5), [false, true, true, false, false]);
        assert_eq!(strikes(r#"{"match": {"path": "/api/events"}, "fault": {"kind": "reset"}}"#, 2), [false, false]);
    }

    #[test]
    fn the_same_seed_strikes_the_same_requests() {
        let spec = r#"{"fault": {"kind": "timeout"}, "probability": 0.5, "seed": 7}"#;
        let first = strikes(spec, 200);
        assert_eq!(first, strikes(spec, 200));
        let struck = first.iter().filter(|hit| **hit).count();
        assert!((60..140).contains(&struck), "{struck} of 200");
    }

    #[test]
    fn unknown_keys_and_impossible_values_are_refused() {
        for spec in [
            r#"{"fault": {"kind": "nonsense"}}"#,
            r#"{"fault": {"kind": "reset"}, "time": 1}"#,
            r#"{"fault": {"kind": "status", "status": 99}}"#,
            r#"{"fault": {"kind": "reset"}, "probability": 1.5}"#,
        ] {
            assert!(Faults::default().add(spec.as_bytes()).is_err(), "{spec}");
        }
    }
}
