//! Errors of the store.

use balance_batch::partition::PartitionStateError;
use std::error::Error;

/// A failure of the database or of its data.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is overloaded or unreachable. The caller may retry; it is unknown whether the
    /// failed call was committed.
    #[error("database unavailable or overloaded ({0})")]
    Transient(String),
    /// A deadlock or a lock time-out. Nothing was changed, and the caller may retry at once.
    #[error("the database transaction conflicted with another one ({0})")]
    Conflict(String),
    /// The server accepts no writes: after a failover it is a replica.
    #[error("the database accepts no writes ({0})")]
    ReadOnly(String),
    /// Another process holds the database's write lock.
    #[error("the database is locked by another program; try again when it has ended")]
    Locked,
    #[error("the disk of the database is full; nothing was changed")]
    DiskFull,
    /// The database rejected the data: a sum overflowed or a constraint was violated.
    #[error("the database rejected the data: {0}")]
    Data(String),
    /// A stored value that no version of this program writes.
    #[error("the database contains an invalid row: {0}")]
    Damaged(String),
    /// The database cannot be used until an admin acts. The message names the action.
    #[error("{0}")]
    Unusable(String),
    /// The database was restored from a backup, and the restore is not complete: an id could be assigned
    /// again.
    #[error("{0}")]
    RestoreIncomplete(String),
    #[error("database error")]
    Other(#[source] Box<dyn Error + Send + Sync>),
}

impl StoreError {
    /// Returns whether the call may succeed if it is retried soon.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Transient(_) | Self::Conflict(_) | Self::ReadOnly(_) | Self::Locked
        )
    }
}

impl From<PartitionStateError> for StoreError {
    fn from(error: PartitionStateError) -> Self {
        Self::Damaged(error.to_string())
    }
}

pub type StoreResult<T> = Result<T, StoreError>;
