//! What viewers were answered, and what the history must have of it.

use super::Reply;
use std::collections::{BTreeMap, BTreeSet};

/// An action of a viewer on a video. Each viewer does each action once for each video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PlaybackAction {
    Play,
    Pause,
}

/// A user, a video and an action: identifies a row of the history.
pub type Key = (i64, i64, PlaybackAction);

/// The outcomes of the requests.
#[derive(Debug, Default)]
pub struct Replies {
    /// Requests with status 200.
    pub acknowledged: BTreeMap<Key, Reply>,
    /// Requests without a response, or with status 503.
    pub unknown: BTreeSet<Key>,
    /// Pauses whose play the server has lost: status 409.
    pub refused: BTreeSet<Key>,
}

/// What a fault may lose.
#[derive(Debug, Default)]
pub struct Loss {
    /// Acknowledged actions that are not in the history.
    pub lost: BTreeSet<Key>,
    /// Acknowledged actions that may be in the history.
    pub uncertain: BTreeSet<Key>,
    /// Actions whose reply is lost: a retry is a new action.
    pub repeated: BTreeSet<Key>,
}

impl Replies {
    /// Asserts that the history has each acknowledged action once, and only requested actions. The
    /// rows are `user|video|counted`.
    #[track_caller]
    pub fn assert_persisted(&self, rows: &[String]) {
        self.assert_persisted_except(rows, &Loss::default());
    }

    /// As [`assert_persisted`](Self::assert_persisted), with exactly a loss.
    #[track_caller]
    pub fn assert_persisted_except(&self, rows: &[String], loss: &Loss) {
        let mut found: BTreeMap<Key, usize> = BTreeMap::new();
        for row in rows {
            let (key, _) = parse(row);
            *found.entry(key).or_default() += 1;
        }
        for key in self.acknowledged.keys() {
            let count = found.get(key).copied().unwrap_or(0);
            let is_expected = if loss.lost.contains(key) {
                count == 0
            } else if loss.uncertain.contains(key) {
                true
            } else {
                count > 0
            };
            assert!(
                is_expected,
                "acknowledged, and persisted {count} times: {key:?}"
            );
        }
        for (key, count) in &found {
            let most = if loss.repeated.contains(key) { 2 } else { 1 };
            assert!(*count <= most, "persisted twice: {key:?}");
            assert!(
                self.acknowledged.contains_key(key) || self.unknown.contains(key),
                "persisted without a request: {key:?}"
            );
        }
        for (user, video, action) in &self.refused {
            assert_eq!(*action, PlaybackAction::Pause);
            let play = (*user, *video, PlaybackAction::Play);
            assert!(
                loss.repeated.contains(&play),
                "the session of {play:?} is lost"
            );
        }
    }

    /// Asserts that each acknowledged pause has the seconds of its reply. The rows are
    /// `user|video|counted|seconds`.
    #[track_caller]
    pub fn assert_seconds(&self, rows: &[String]) {
        for row in rows {
            let (key, seconds) = parse(row);
            let reply = self.acknowledged.get(&key);
            if let (PlaybackAction::Pause, Some(reply)) = (key.2, reply) {
                assert_eq!(reply.fact.as_deref(), seconds, "{key:?}");
            }
        }
    }
}

/// Parses a row of the history.
fn parse(row: &str) -> (Key, Option<&str>) {
    let mut columns = row.split('|');
    let mut number = || columns.next().unwrap().parse::<i64>().unwrap();
    let (user, video, counted) = (number(), number(), number());
    let action = if counted == 1 {
        PlaybackAction::Play
    } else {
        PlaybackAction::Pause
    };
    ((user, video, action), columns.next())
}
