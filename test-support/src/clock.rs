//! A clock that a test sets.

use balance_domain::clock::Clock;
use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU32, Ordering},
};

/// A clock that stands still until a test sets or advances it.
#[derive(Debug, Default)]
pub struct TestClock {
    micros: AtomicI64,
    elapsed_micros: AtomicI64,
    /// The number of further calls that panic.
    panics: AtomicU32,
}

impl TestClock {
    /// Returns a clock at an instant, in microseconds since 1970 (UTC).
    pub fn at(micros: i64) -> Arc<Self> {
        let clock = Self::default();
        clock.set(micros);
        Arc::new(clock)
    }

    /// Sets the time, in microseconds since 1970 (UTC). If it is later, that much time has passed.
    pub fn set(&self, micros: i64) {
        let before = self.micros.swap(micros, Ordering::SeqCst);
        let passed = micros.saturating_sub(before).max(0);
        self.elapsed_micros.fetch_add(passed, Ordering::SeqCst);
    }

    /// Changes the system time by a number of seconds, while no time passes.
    pub fn step_s(&self, seconds: i64) {
        self.micros.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }

    /// Advances the time by a number of milliseconds.
    pub fn advance_ms(&self, ms: i64) {
        self.advance(ms * 1_000);
    }

    /// Advances the time by a number of microseconds.
    pub fn advance(&self, micros: i64) {
        self.micros.fetch_add(micros, Ordering::SeqCst);
        self.elapsed_micros.fetch_add(micros, Ordering::SeqCst);
    }

    /// Lets the next calls panic, to end the tasks that make them.
    pub fn panic_next(&self, calls: u32) {
        self.panics.store(calls, Ordering::SeqCst);
    }

    /// Returns the number of further calls that panic.
    pub fn panics_left(&self) -> u32 {
        self.panics.load(Ordering::SeqCst)
    }
}

impl Clock for TestClock {
    fn now_micros(&self) -> i64 {
        assert!(!takes(&self.panics), "a panic on purpose");
        self.micros.load(Ordering::SeqCst)
    }

    fn elapsed_micros(&self) -> i64 {
        self.elapsed_micros.load(Ordering::SeqCst)
    }
}

/// Decrements a counter. Returns false if it is 0 already.
pub(crate) fn takes(counter: &AtomicU32) -> bool {
    let taken = counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
        left.checked_sub(1)
    });
    taken.is_ok()
}
