//! What this process has done since it started, in counts that only grow.

use std::sync::atomic::{AtomicU64, Ordering};

/// A count.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Adds so many.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// How many there are.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What became of requests to the intake, plays or pauses.
#[derive(Debug, Default)]
pub struct IntakeCounters {
    /// Accepted; it is written down.
    pub accepted: Count,
    /// A play within the window after the last counted one.
    pub repeat: Count,
    /// A pause without a play before it.
    pub no_session: Count,
    /// The Idempotency-Key named another request.
    pub key_reused: Count,
    /// There is no such video.
    pub no_such_video: Count,
    /// The position lies outside the video.
    pub outside_video: Count,
    /// More waits to be written down than may.
    pub backlog: Count,
    /// A store is away.
    pub unavailable: Count,
    /// The intake, or the database, cannot be used as it is.
    pub unusable: Count,
}

impl IntakeCounters {
    /// All counts, each with its name.
    #[must_use]
    pub const fn all(&self) -> [(&'static str, &Count); 9] {
        [
            ("accepted", &self.accepted),
            ("repeat", &self.repeat),
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

/// What became of plays and of pauses.
#[derive(Debug, Default)]
pub struct PlaybackCounters {
    /// Plays.
    pub plays: IntakeCounters,
    /// Pauses.
    pub pauses: IntakeCounters,
}

/// What became of the entries of a stream.
#[derive(Debug, Default)]
pub struct EventWriterCounters {
    /// Events in the history that were not before.
    pub new: Count,
    /// Events that were held already.
    pub known: Count,
    /// Events that came after their day was closed.
    pub late: Count,
    /// Entries that can never be written.
    pub rejected: Count,
    /// Attempts that failed, and were or will be made again.
    pub failures: Count,
}

/// What a worker did.
#[derive(Debug, Default)]
pub struct WorkerMetrics {
    /// Claims that it worked to an end of its own: done, stopped, failed or given back.
    pub ended: Count,
    /// Claims that others had taken over.
    pub lost: Count,
    /// Claims that it let go because the database failed.
    pub dropped: Count,
    /// Rows that it found unworkable when it claimed them.
    pub unworkable: Count,
    /// Chunks that were committed.
    pub chunks: Count,
    /// Chunks that were rolled back.
    pub rollbacks: Count,
    /// Heartbeats that failed.
    pub heartbeat_failures: Count,
    /// The drain's share.
    pub event_writer: EventWriterCounters,
}
