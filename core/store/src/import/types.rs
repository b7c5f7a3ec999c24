//! Input and outcome of an import of plays.

use crate::StoreError;
use async_trait::async_trait;
use balance_domain::{calendar::BusinessTimezone, playback::Play};

/// A play with the position of its row, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourcedPlay {
    pub play: Play,
    /// The index of the file, from 0.
    pub file: u32,
    /// The line number, from 1.
    pub line: u64,
}

/// A source of plays. It returns batches in the order of time.
#[async_trait]
pub trait PlaySource: Send {
    /// Returns the next batch of at most [`MAX_PLAY_BATCH`] plays. An empty batch is the end.
    async fn next(&mut self) -> Result<Vec<SourcedPlay>, PlayImportError>;
}

/// The maximum number of plays of a batch.
pub const MAX_PLAY_BATCH: usize = 1_000;

/// The settings of an import.
#[derive(Debug, Clone, Copy)]
pub struct PlayRules {
    /// The time zone of the business days.
    pub timezone: BusinessTimezone,
    /// The length of the view window in seconds.
    pub view_window_s: u32,
    /// The distance between ad slots in seconds.
    pub ad_interval_s: u32,
    /// The minimum number of ads. Missing ones are created.
    pub ads: u32,
}

/// The number of imported rows by outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PlayCounts {
    /// Rows read: the sum of `new`, `already_there` and `repeats`.
    pub read: u64,
    /// Plays added to the history.
    pub new: u64,
    /// Plays that the history or an earlier row contains.
    pub already_there: u64,
    /// Plays within the view window of the last counted view.
    pub repeats: u64,
    /// New plays that count as views.
    pub counted: u64,
    /// New plays by the videos' owners, which do not count.
    pub own: u64,
    /// Ad views added.
    pub ad_views: u64,
}

/// Why an import was rejected. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum PlayImportError {
    /// A row of a file is invalid.
    #[error("{reason}")]
    Row {
        /// The index of the file, from 0.
        file: u32,
        /// The line number, from 1.
        line: u64,
        /// The invalid column, if it is a single one.
        column: Option<&'static str>,
        reason: String,
    },
    #[error(transparent)]
    Source(Box<dyn std::error::Error + Send + Sync>),
    #[error(transparent)]
    Store(#[from] StoreError),
}
