//! What can go wrong in a store.

use std::error::Error;

/// A failure of the database or of what it holds.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is busy or away: the same call may succeed in a moment. Whether this one did is
    /// not known.
    #[error("the database is busy or away ({0})")]
    Transient(String),
    /// A deadlock or a lock time-out: nothing was changed, and the same call may succeed at once.
    #[error("the database met a conflict ({0})")]
    Conflict(String),
    /// Another program holds the database's lock.
    #[error("the database is locked by another program; try again when it has ended")]
    Locked,
    /// The disk is full.
    #[error("the disk of the database is full; nothing was changed")]
    DiskFull,
    /// The data itself is refused: a sum that overflows, a broken constraint.
    #[error("the database refuses the data: {0}")]
    Data(String),
    /// A row that no version of this program writes.
    #[error("damaged row: {0}")]
    Damaged(String),
    /// The database cannot be used as it is, with what to do about it.
    #[error("{0}")]
    Unusable(String),
    /// Anything else.
    #[error("database error")]
    Other(#[source] Box<dyn Error + Send + Sync>),
}

impl StoreError {
    /// Whether trying again soon makes sense.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Transient(_) | Self::Conflict(_) | Self::Locked)
    }
}

/// The result of a store's method.
pub type StoreResult<T> = Result<T, StoreError>;
