//! The lock file of an SQLite database: detects other processes that use the database.

use crate::{StoreError, StoreResult};
use std::{
    fs::{File, OpenOptions, TryLockError},
    path::Path,
};

/// Whether other processes use the same database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockOutcome {
    /// No other process uses the database, so all its leases belong to crashed processes.
    Exclusive,
    /// At least one other process uses the database.
    Shared,
}

/// A lock on the lock file. It ends when it is dropped or the process ends.
#[derive(Debug)]
pub struct ProcessLock {
    file: File,
}

impl ProcessLock {
    /// Locks the file and returns whether other processes hold the lock. With
    /// [`LockOutcome::Exclusive`], other processes wait until this one calls
    /// [`ProcessLock::share`], so that it can clean up first.
    ///
    /// # Errors
    /// If the file cannot be created or locked.
    pub fn take(path: &Path) -> StoreResult<(Self, LockOutcome)> {
        let failed = |error: std::io::Error| {
            let path = path.display();
            StoreError::Unusable(format!("failed to lock the lock file {path}: {error}"))
        };
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok((Self { file }, LockOutcome::Exclusive)),
            Err(TryLockError::WouldBlock) => {
                file.lock_shared().map_err(failed)?;
                Ok((Self { file }, LockOutcome::Shared))
            }
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// Turns an exclusive lock into a shared one, so that other processes can proceed.
    ///
    /// # Errors
    /// If the lock cannot be changed.
    pub fn share(&self) -> StoreResult<()> {
        self.file.lock_shared().map_err(|error| {
            StoreError::Unusable(format!("failed to share the lock file: {error}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_lock_is_exclusive_and_the_second_shared() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("balance.db.lock");
        let (first, outcome) = ProcessLock::take(&path).unwrap();
        assert_eq!(outcome, LockOutcome::Exclusive);
        first.share().unwrap();
        let (second, outcome) = ProcessLock::take(&path).unwrap();
        assert_eq!(outcome, LockOutcome::Shared);
        drop((first, second));
        assert_eq!(ProcessLock::take(&path).unwrap().1, LockOutcome::Exclusive);
    }
}
