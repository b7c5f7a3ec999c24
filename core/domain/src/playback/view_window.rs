//! The gate for imported plays: one counted view in a window for each user and video.

use crate::{accounts::UserId, playback::Play, videos::VideoId};
use std::collections::HashMap;

/// What the gate says of a play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Enters the statistics: one view and its seconds.
    Counted,
    /// The owner's own play: recorded, but neither view nor seconds nor ads.
    Own,
    /// Within the window after the last counted view: not recorded.
    Repeat,
}

/// Remembers the last counted view of each user and video for one window's time. Plays must be
/// shown to it in the order of time; it forgets what can no longer matter, so its memory is
/// bounded by the plays of one window.
#[derive(Debug)]
pub struct ViewWindow {
    window_micros: i64,
    last_counted: HashMap<(UserId, VideoId), i64>,
    sweep_at_micros: i64,
}

impl ViewWindow {
    /// `window_s` (0 and up): a view less than this many seconds after the last counted one is a
    /// repeat; exactly this many seconds later counts again.
    #[must_use]
    pub fn new(window_s: i64) -> Self {
        Self {
            window_micros: window_s.saturating_mul(1_000_000),
            last_counted: HashMap::new(),
            sweep_at_micros: i64::MIN,
        }
    }

    /// The window in microseconds.
    #[must_use]
    pub fn window_micros(&self) -> i64 {
        self.window_micros
    }

    /// Decides about a play and remembers it where it counts.
    pub fn admit(&mut self, play: &Play) -> Admission {
        self.sweep(play.started_at_micros);
        if play.user_id == play.owner_id {
            return Admission::Own;
        }
        let last = self.last_counted.get(&(play.user_id, play.video_id));
        if last.is_some_and(|&last| play.started_at_micros - last < self.window_micros) {
            return Admission::Repeat;
        }
        self.remember(play.user_id, play.video_id, play.started_at_micros);
        Admission::Counted
    }

    /// Takes note of a view that is already in the history.
    pub fn remember(&mut self, user_id: UserId, video_id: VideoId, at_micros: i64) {
        let last = self
            .last_counted
            .entry((user_id, video_id))
            .or_insert(at_micros);
        *last = (*last).max(at_micros);
    }

    /// Drops what lies more than a window back, at most once in a window.
    fn sweep(&mut self, now_micros: i64) {
        if now_micros >= self.sweep_at_micros {
            let window = self.window_micros;
            self.last_counted
                .retain(|_, last| now_micros - *last < window);
            self.sweep_at_micros = now_micros.saturating_add(window.max(1_000_000));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn play(user: i64, owner: i64, at_s: i64) -> Play {
        Play {
            user_id: UserId(user),
            video_id: VideoId(1),
            owner_id: UserId(owner),
            started_at_micros: at_s * 1_000_000,
            play_time_s: 1,
            duration_s: 10,
        }
    }

    #[test]
    fn a_repeat_is_measured_from_the_last_counted_view() {
        let mut view_window = ViewWindow::new(30);
        assert_eq!(view_window.admit(&play(1, 9, 0)), Admission::Counted);
        assert_eq!(view_window.admit(&play(1, 9, 29)), Admission::Repeat);
        assert_eq!(view_window.admit(&play(2, 9, 29)), Admission::Counted);
        assert_eq!(view_window.admit(&play(1, 9, 30)), Admission::Counted);
        assert_eq!(view_window.admit(&play(1, 9, 59)), Admission::Repeat);
        assert_eq!(view_window.admit(&play(1, 9, 60)), Admission::Counted);
    }

    #[test]
    fn an_own_play_neither_counts_nor_opens_a_window() {
        let mut view_window = ViewWindow::new(30);
        assert_eq!(view_window.admit(&play(9, 9, 0)), Admission::Own);
        assert_eq!(view_window.admit(&play(9, 9, 1)), Admission::Own);
    }

    #[test]
    fn memory_is_bounded_by_the_window() {
        let mut view_window = ViewWindow::new(30);
        for at_s in 0..10_000 {
            let _ = view_window.admit(&play(at_s + 1, 0, at_s));
        }
        assert!(
            view_window.last_counted.len() <= 61,
            "{}",
            view_window.last_counted.len()
        );
    }
}
