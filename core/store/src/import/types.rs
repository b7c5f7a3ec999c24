//! Input and outcome of an import of plays.

use crate::{StoreError, StoreResult};
use async_trait::async_trait;
use balance_domain::{
    accounts::UserId, calendar::BusinessTimezone, ids::ASSIGNED_IDS, playback::Play,
};
use chrono::{NaiveDate, NaiveDateTime};
use std::{collections::BTreeMap, fmt};

/// A play with the position of its row, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourcedPlay {
    pub play: Play,
    /// The index of the file, from 0.
    pub file: u32,
    /// The line number, from 1.
    pub line: u64,
}

impl SourcedPlay {
    /// Builds the error of an invalid column.
    pub(super) fn rejected(&self, column: &'static str, reason: String) -> PlayImportError {
        PlayImportError::Row {
            file: self.file,
            line: self.line,
            column: Some(column),
            reason,
        }
    }
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
pub struct ImportRules {
    /// The time zone of the business days.
    pub timezone: BusinessTimezone,
    /// The length of the view window in seconds.
    pub view_window_s: u32,
    /// The distance between ad slots in seconds.
    pub ad_interval_s: u32,
    /// The version of these two rules, or 0.
    pub rules_version: u32,
    /// The minimum number of ads. Missing ones are created.
    pub ads: u32,
    /// Whether ids of the files may be those of accounts.
    pub link_accounts: bool,
}

/// The id of an import of plays, 1 and up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImportId(pub i64);

impl fmt::Display for ImportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The state of an import of plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportStatus {
    /// Running. If its process was killed, the next import or closing of a day removes its rows.
    Running,
    /// All rows are in the history.
    Completed,
    /// Its rows are being removed. If that was interrupted, it can be repeated.
    Undoing,
    /// Its rows are removed.
    Undone,
}

impl ImportStatus {
    const ALL: [Self; 4] = [Self::Running, Self::Completed, Self::Undoing, Self::Undone];

    /// Returns the stored name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
            Self::Undoing => "UNDOING",
            Self::Undone => "UNDONE",
        }
    }

    /// Returns the status with a stored name.
    pub(super) fn from_name(name: &str) -> StoreResult<Self> {
        Self::ALL
            .into_iter()
            .find(|status| status.name() == name)
            .ok_or_else(|| StoreError::Damaged(format!("import: unknown status '{name}'")))
    }
}

/// A recorded import of plays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlayImport {
    pub id: ImportId,
    /// The names of the files, at most [`MAX_IMPORT_NAME`] characters.
    pub name: String,
    pub status: ImportStatus,
    /// The minimum number of ads that was requested.
    pub ads: u32,
    /// The days of the first and the last play in the files, if there are any.
    pub first_date: Option<NaiveDate>,
    pub last_date: Option<NaiveDate>,
    /// Plays that it added to the history.
    pub plays: u64,
    /// Ad views that it added.
    pub ad_views: u64,
    /// In UTC.
    pub started_at: NaiveDateTime,
    pub ended_at: Option<NaiveDateTime>,
}

/// The maximum length of an import's name, in characters.
pub const MAX_IMPORT_NAME: usize = 200;

/// A completed import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    pub id: ImportId,
    pub counts: PlayCounts,
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

/// The accounts whose ids the files of an import contain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LinkedAccounts(BTreeMap<UserId, String>);

impl LinkedAccounts {
    /// The number of accounts after which no more are searched for.
    const MAX: usize = 1_000;
    /// The number of accounts that are shown.
    const SHOWN: usize = 20;

    pub(super) fn add(&mut self, id: UserId, username: String) {
        if !self.is_full() {
            self.0.insert(id, username);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= Self::MAX
    }
}

impl fmt::Display for LinkedAccounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.iter().take(Self::SHOWN);
        let shown: Vec<String> = shown.map(|(id, name)| format!("{id} ({name})")).collect();
        f.write_str(&shown.join(", "))?;
        let others = self.0.len() - shown.len();
        match others {
            0 => Ok(()),
            others if self.is_full() => write!(f, " and at least {others} others"),
            others => write!(f, " and {others} others"),
        }
    }
}

/// Why an import was rejected or failed.
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
    /// The files contain ids of accounts.
    #[error(
        "the files contain ids of accounts: {0}; with --link-accounts, their plays and videos \
         become those of these accounts"
    )]
    Accounts(LinkedAccounts),
    /// Another import is running. Concurrent imports would not see each other's plays.
    #[error("import {0} is running; repeat this one when it has ended")]
    Running(ImportId),
    /// The removal of an import was interrupted.
    #[error("import {0} is being undone; complete that first: `balance import undo {0}`")]
    Undoing(ImportId),
    #[error(transparent)]
    Source(Box<dyn std::error::Error + Send + Sync>),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Returns why an id in the range that Balance assigns is rejected.
pub(super) fn unassigned(id: i64) -> String {
    let (first, last) = (ASSIGNED_IDS.start(), ASSIGNED_IDS.end());
    format!("{id} is not registered, and Balance itself assigns the ids from {first} to {last}")
}
