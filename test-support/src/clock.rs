//! A clock that a test sets.

use balance_domain::clock::Clock;
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

/// A clock that stands still until a test sets or advances it.
#[derive(Debug, Default)]
pub struct TestClock(AtomicI64);

impl TestClock {
    /// Returns a clock at an instant, in microseconds since 1970 (UTC).
    pub fn at(micros: i64) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(micros)))
    }

    /// Sets the time, in microseconds since 1970 (UTC).
    pub fn set(&self, micros: i64) {
        self.0.store(micros, Ordering::SeqCst);
    }

    /// Advances the time by a number of milliseconds.
    pub fn advance_ms(&self, ms: i64) {
        self.advance(ms * 1_000);
    }

    /// Advances the time by a number of microseconds.
    pub fn advance(&self, micros: i64) {
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now_micros(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}
