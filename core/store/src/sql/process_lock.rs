//! The lock file beside an embedded database: tells a process whether it is alone.

use crate::{StoreError, StoreResult};
use std::{
    fs::{File, OpenOptions, TryLockError},
    path::Path,
};

/// Whether other processes work on the same database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockOutcome {
    /// No other process works on it: every lease in it is a dead process's.
    Exclusive,
    /// At least one other process does.
    Shared,
}

/// A process's share of the lock file, held until it is dropped or the process dies.
#[derive(Debug)]
pub struct ProcessLock {
    file: File,
}

impl ProcessLock {
    /// Takes a share, and says whether others hold one. A process that finds itself alone keeps
    /// the others out until it calls [`ProcessLock::share`], so that it can tidy up first.
    ///
    /// # Errors
    /// Where the file cannot be made or locked.
    pub fn take(path: &Path) -> StoreResult<(Self, LockOutcome)> {
        let failed = |error: std::io::Error| {
            StoreError::Unusable(format!("the lock file {}: {error}", path.display()))
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

    /// Lets others in.
    ///
    /// # Errors
    /// Where the lock cannot be changed.
    pub fn share(&self) -> StoreResult<()> {
        self.file
            .lock_shared()
            .map_err(|error| StoreError::Unusable(format!("the lock file: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_alone_and_the_second_is_not() {
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
