//! The time a server goes by: the system's, or one that a test moves.

use std::sync::atomic::{AtomicI64, Ordering};

/// Tells the time in milliseconds since 1970.
pub(crate) enum Clock {
    System,
    Manual(AtomicI64),
}

impl Clock {
    pub(crate) fn system() -> Self {
        Self::System
    }

    pub(crate) fn manual(start_ms: i64) -> Self {
        Self::Manual(AtomicI64::new(start_ms))
    }

    pub(crate) fn now_ms(&self) -> i64 {
        match self {
            Self::System => chrono::Utc::now().timestamp_millis(),
            Self::Manual(now) => now.load(Ordering::SeqCst),
        }
    }

    pub(crate) fn advance(&self, milliseconds: u64) {
        if let Self::Manual(now) = self {
            now.fetch_add(i64::try_from(milliseconds).unwrap_or(i64::MAX), Ordering::SeqCst);
        }
    }
}
