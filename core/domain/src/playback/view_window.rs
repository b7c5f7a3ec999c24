//! The view window: each user's views of a video count once per window.

use crate::units::{MICROS_PER_MS, MICROS_PER_S};

/// The decision about a play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// The play enters the statistics with one view and its seconds.
    Counted,
    /// The viewer owns the video: the play is recorded without view, seconds and ads.
    Own,
    /// The view window of the last counted view is still open: the play is not recorded.
    Repeat,
}

/// The length of the view window. A view is a repeat if it starts before the window of the last
/// counted view ends; a view at exactly that instant counts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ViewWindow {
    micros: i64,
}

impl ViewWindow {
    /// Converts a length in seconds. With 0, every view counts.
    #[must_use]
    pub const fn from_seconds(window_s: u32) -> Self {
        Self {
            micros: window_s as i64 * MICROS_PER_S,
        }
    }

    /// Returns the length in microseconds.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.micros
    }

    /// Returns the end of the window that a view at `counted_micros` opens, in microseconds since
    /// 1970 (UTC).
    #[must_use]
    pub const fn end_micros(self, counted_micros: i64) -> i64 {
        counted_micros.saturating_add(self.micros)
    }

    /// Returns whether a view at `at_micros` repeats the view counted at `counted_micros`.
    #[must_use]
    pub const fn is_repeat(self, counted_micros: i64, at_micros: i64) -> bool {
        at_micros < self.end_micros(counted_micros)
    }

    /// Returns the milliseconds from `now_micros` until a window ends, rounded up.
    #[must_use]
    pub const fn retry_after_ms(end_micros: i64, now_micros: i64) -> i64 {
        (end_micros - now_micros + MICROS_PER_MS - 1) / MICROS_PER_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_counts_again_when_the_window_ends() {
        let window = ViewWindow::from_seconds(30);
        let end = window.end_micros(7);
        assert_eq!(end, 30_000_007);
        assert!(window.is_repeat(7, 7) && window.is_repeat(7, end - 1));
        assert!(!window.is_repeat(7, end));
        assert!(!ViewWindow::from_seconds(0).is_repeat(7, 7));
    }

    #[test]
    fn a_retry_never_comes_too_early() {
        assert_eq!(ViewWindow::retry_after_ms(30_000_007, 7), 30_000);
        assert_eq!(ViewWindow::retry_after_ms(30_000_007, 8), 30_000);
        assert_eq!(ViewWindow::retry_after_ms(30_000_007, 30_000_006), 1);
    }
}
