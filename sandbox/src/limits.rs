//! Leaky buckets, one per key: so many at once, then so many a second.

use std::collections::HashMap;

/// How often something may happen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rate {
    pub(crate) count: f64,
    pub(crate) per_ms: f64,
}

impl Rate {
    pub(crate) const fn per_second(count: f64) -> Self {
        Self { count, per_ms: 1_000.0 }
    }

    pub(crate) const fn per_minute(count: f64) -> Self {
        Self { count, per_ms: 60_000.0 }
    }

    pub(crate) const fn per_day(count: f64) -> Self {
        Self { count, per_ms: 86_400_000.0 }
    }

    pub(crate) fn scaled(self, factor: f64) -> Self {
        Self { count: self.count * factor, ..self }
    }

    /// In the vendors' words, such as `4.0 per minute`.
    pub(crate) fn words(self) -> String {
        let unit = if self.per_ms >= 86_400_000.0 {
            "day"
        } else if self.per_ms >= 60_000.0 {
            "minute"
        } else {
            "second"
        };
        format!("{:?} per {unit}", self.count)
    }
}

#[derive(Clone, Copy)]
struct Bucket {
    level: f64,
    at_ms: i64,
}

/// The buckets of one vendor.
#[derive(Default)]
pub(crate) struct Limiter {
    buckets: HashMap<(&'static str, u64), Bucket>,
}

impl Limiter {
    /// Lets one call through, or not. A refused call costs nothing.
    pub(crate) fn admit(&mut self, key: &'static str, rate: Rate, now_ms: i64) -> bool {
        let capacity = rate.count.max(1.0);
        let bucket = self.buckets.entry((key, rate.per_ms as u64)).or_insert(Bucket { level: 0.0, at_ms: now_ms });
        let elapsed = now_ms.saturating_sub(bucket.at_ms).max(0) as f64;
        bucket.level = (bucket.level - elapsed * rate.count / rate.per_ms).max(0.0);
        bucket.at_ms = bucket.at_ms.max(now_ms);
        // The sum of many small leaks is not exact; a thousandth of a call is not worth a refusal.
        let fits = bucket.level + 1.0 <= capacity + 0.001;
        if fits {
            bucket.level += 1.0;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_takes_its_burst_then_one_per_leak() {
        let mut limiter = Limiter::default();
        let rate = Rate::per_second(5.0);
        for _ in 0..5 {
            assert!(limiter.admit("bulk", rate, 0));
        }
        assert!(!limiter.admit("bulk", rate, 0));
        assert!(!limiter.admit("bulk", rate, 199));
        assert!(limiter.admit("bulk", rate, 200));
        assert!(!limiter.admit("bulk", rate, 200));
        assert!(limiter.admit("other", rate, 200), "each key has a bucket of its own");
    }

    #[test]
    fn a_rate_names_itself_as_the_vendor_does() {
        assert_eq!(Rate::per_minute(4.0).words(), "4.0 per minute");
        assert_eq!(Rate::per_second(5.0).scaled(0.5).words(), "2.5 per second");
    }
}
