//! The history of plays, as imports write it.

use crate::StoreError;
use async_trait::async_trait;
use balance_domain::{calendar::BusinessTimezone, playback::Play};
use chrono::NaiveDate;

/// A play and where its row stands, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourcedPlay {
    /// The play.
    pub play: Play,
    /// The file of the call, from 0.
    pub file: u32,
    /// The line of the file, from 1.
    pub line: u64,
}

/// Where plays come from: batches in the order of time.
#[async_trait]
pub trait PlaySource: Send {
    /// The next batch, of at most [`MAX_PLAY_BATCH`] plays; an empty one is the end.
    async fn next(&mut self) -> Result<Vec<SourcedPlay>, PlayImportError>;
}

/// The most plays of one batch.
pub const MAX_PLAY_BATCH: usize = 1_000;

/// The settings that an import obeys.
#[derive(Debug, Clone, Copy)]
pub struct PlayRules {
    /// The zone of the business days.
    pub timezone: BusinessTimezone,
    /// Seconds within which a view of the same user and video is a repeat.
    pub view_window_s: u32,
    /// Seconds between two ad slots.
    pub ad_interval_s: u32,
    /// How many ads there must be: missing ones are made.
    pub ads: u32,
}

/// What an import did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PlayCounts {
    /// Rows read: the sum of the next three.
    pub read: u64,
    /// Rows written.
    pub new: u64,
    /// Plays that the history, or an earlier row of the call, held already.
    pub already_there: u64,
    /// Views within the window after the last counted one.
    pub repeats: u64,
    /// Of the new: those that enter the statistics.
    pub counted: u64,
    /// Of the new: owners' own plays.
    pub own: u64,
    /// Ad views written.
    pub ad_views: u64,
}

/// Why an import is refused. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum PlayImportError {
    /// A row of a file, and what is wrong with it.
    #[error("{reason}")]
    Row {
        /// The file of the call, from 0.
        file: u32,
        /// The line, from 1.
        line: u64,
        /// The column, where it is one column's fault.
        column: Option<&'static str>,
        /// What is wrong.
        reason: String,
    },
    /// The source failed.
    #[error(transparent)]
    Source(Box<dyn std::error::Error + Send + Sync>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why opening balances are refused. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum BalanceError {
    /// A day is closed, so the chains have begun.
    #[error("opening counts are taken only before the first day is closed; closed through {0}")]
    Closed(NaiveDate),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What an import of opening balances did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BalanceCounts {
    /// Videos that had none.
    pub new: u64,
    /// Videos whose counts were other ones.
    pub changed: u64,
    /// Videos whose counts were these.
    pub unchanged: u64,
}
