//! Counters of a process since its start. They only grow.

use std::sync::atomic::{AtomicU64, Ordering};

/// A counter.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The requests to the intake by outcome.
#[derive(Debug, Default)]
pub struct IntakeCounters {
    /// Accepted and persisted.
    pub accepted: Count,
    /// Plays within the view window of the last counted one.
    pub repeat: Count,
    /// Plays or pauses beyond a limit of the viewer.
    pub too_many: Count,
    /// Pauses without a preceding play.
    pub no_session: Count,
    /// Requests whose Idempotency-Key was used for a different request.
    pub key_reused: Count,
    /// Requests for a video that does not exist.
    pub no_such_video: Count,
    /// Pauses at a position outside the video.
    pub outside_video: Count,
    /// Requests rejected because too many events wait to be persisted.
    pub backlog: Count,
    /// Requests that failed because a store was unavailable.
    pub unavailable: Count,
    /// Requests that failed because the configuration or the data of a store are unsuitable.
    pub unusable: Count,
}

impl IntakeCounters {
    /// Returns all counters with their names.
    #[must_use]
    pub const fn all(&self) -> [(&'static str, &Count); 10] {
        [
            ("accepted", &self.accepted),
            ("repeat", &self.repeat),
            ("too_many", &self.too_many),
            ("no_session", &self.no_session),
            ("key_reused", &self.key_reused),
            ("no_such_video", &self.no_such_video),
            ("outside_video", &self.outside_video),
            ("backlog", &self.backlog),
            ("unavailable", &self.unavailable),
            ("unusable", &self.unusable),
        ]
    }
}

/// The plays and pauses by outcome.
#[derive(Debug, Default)]
pub struct PlaybackCounters {
    pub plays: IntakeCounters,
    pub pauses: IntakeCounters,
}

/// The entries of the event stream by outcome.
#[derive(Debug, Default)]
pub struct EventWriterCounters {
    /// Events added to the history.
    pub new: Count,
    /// Events that the history already contained.
    pub known: Count,
    /// Events that arrived after their day was closed.
    pub late: Count,
    /// Entries that can never be persisted.
    pub rejected: Count,
    /// Failed attempts, which are retried.
    pub failures: Count,
}

/// The work of one worker.
#[derive(Debug, Default)]
pub struct WorkerMetrics {
    /// Claims that the worker completed, stopped, failed or released.
    pub ended: Count,
    /// Claims that other workers took over.
    pub lost: Count,
    /// Claims that were dropped because the database failed.
    pub dropped: Count,
    /// Rows that were failed when they were claimed, because they could not be processed.
    pub unworkable: Count,
    /// Committed chunks.
    pub chunks: Count,
    /// Rolled-back chunks.
    pub rollbacks: Count,
    pub heartbeat_failures: Count,
    /// Background tasks that panicked and were started again.
    pub task_panics: Count,
    /// The entries of the event writer.
    pub event_writer: EventWriterCounters,
}
