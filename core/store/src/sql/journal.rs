//! The journal beside an SQLite file (`-wal`) and its index (`-shm`).

use std::path::{Path, PathBuf};

/// The journal of an SQLite file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Journal {
    /// There is none: the file contains everything.
    None,
    /// There is one, and its index.
    WithIndex,
    /// There is one without its index, because only a part of the files was copied.
    WithoutIndex,
}

impl Journal {
    /// Looks for the journal of a file.
    pub(crate) fn of(path: &Path) -> Self {
        let length = |suffix| std::fs::metadata(beside(path, suffix)).map(|file| file.len());
        match (length("-wal"), length("-shm")) {
            (Ok(_), Ok(_)) => Self::WithIndex,
            (Ok(1..), Err(_)) => Self::WithoutIndex,
            _ => Self::None,
        }
    }
}

/// Returns the path of a file beside a database.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
