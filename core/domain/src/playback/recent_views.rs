//! The view window applied to a sequence of imported plays.

use crate::{
    accounts::UserId,
    playback::{Admission, Play, ViewWindow},
    units::MICROS_PER_S,
    videos::VideoId,
};
use std::collections::HashMap;

/// The last counted view of each user and video within one view window.
///
/// Plays must be passed in the order of time. Expired views are removed, so the plays of one window
/// bound the memory.
#[derive(Debug)]
pub struct RecentViews {
    window: ViewWindow,
    last_counted: HashMap<(UserId, VideoId), i64>,
    sweep_at_micros: i64,
}

impl RecentViews {
    #[must_use]
    pub fn new(window: ViewWindow) -> Self {
        Self {
            window,
            last_counted: HashMap::new(),
            sweep_at_micros: i64::MIN,
        }
    }

    #[must_use]
    pub const fn window(&self) -> ViewWindow {
        self.window
    }

    /// Decides about a play. A counted play is remembered.
    pub fn admit(&mut self, play: &Play) -> Admission {
        self.sweep(play.started_at_micros);
        if play.user_id == play.owner_id {
            return Admission::Own;
        }
        let last = self.last_counted.get(&(play.user_id, play.video_id));
        if last.is_some_and(|&last| self.window.is_repeat(last, play.started_at_micros)) {
            return Admission::Repeat;
        }
        self.remember(play.user_id, play.video_id, play.started_at_micros);
        Admission::Counted
    }

    /// Remembers a counted view, such as one of the existing history.
    pub fn remember(&mut self, user_id: UserId, video_id: VideoId, at_micros: i64) {
        let last = self
            .last_counted
            .entry((user_id, video_id))
            .or_insert(at_micros);
        *last = (*last).max(at_micros);
    }

    /// Removes expired views, at most once per window.
    fn sweep(&mut self, now_micros: i64) {
        if now_micros >= self.sweep_at_micros {
            let window = self.window;
            self.last_counted
                .retain(|_, last| window.is_repeat(*last, now_micros));
            self.sweep_at_micros = now_micros.saturating_add(window.micros().max(MICROS_PER_S));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn views() -> RecentViews {
        RecentViews::new(ViewWindow::from_seconds(30))
    }

    fn play(user: i64, owner: i64, at_s: i64) -> Play {
        Play {
            user_id: UserId(user),
            video_id: VideoId(1),
            owner_id: UserId(owner),
            started_at_micros: at_s * MICROS_PER_S,
            play_time_s: 1,
            duration_s: 10,
        }
    }

    #[test]
    fn a_repeat_is_measured_from_the_last_counted_view() {
        let mut views = views();
        assert_eq!(views.admit(&play(1, 9, 0)), Admission::Counted);
        assert_eq!(views.admit(&play(1, 9, 29)), Admission::Repeat);
        assert_eq!(views.admit(&play(2, 9, 29)), Admission::Counted);
        assert_eq!(views.admit(&play(1, 9, 30)), Admission::Counted);
        assert_eq!(views.admit(&play(1, 9, 59)), Admission::Repeat);
        assert_eq!(views.admit(&play(1, 9, 60)), Admission::Counted);
    }

    #[test]
    fn an_own_play_neither_counts_nor_opens_a_window() {
        let mut views = views();
        assert_eq!(views.admit(&play(9, 9, 0)), Admission::Own);
        assert_eq!(views.admit(&play(9, 9, 1)), Admission::Own);
    }

    #[test]
    fn memory_is_bounded_by_the_window() {
        let mut views = views();
        for at_s in 0..10_000 {
            let _ = views.admit(&play(at_s + 1, 0, at_s));
        }
        let remembered = views.last_counted.len();
        assert!(remembered <= 61, "{remembered}");
    }
}
