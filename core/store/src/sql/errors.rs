//! What a database error means to those who decide by it.

use crate::StoreError;
use sqlx::mysql::MySqlDatabaseError;

/// SQLite's result codes, without the extension in the upper bits.
mod code {
    pub(crate) const ERROR: i32 = 1;
    pub(crate) const BUSY: i32 = 5;
    pub(crate) const LOCKED: i32 = 6;
    pub(crate) const READ_ONLY: i32 = 8;
    pub(crate) const IO: i32 = 10;
    pub(crate) const CORRUPT: i32 = 11;
    pub(crate) const FULL: i32 = 13;
    pub(crate) const CANNOT_OPEN: i32 = 14;
    pub(crate) const CONSTRAINT: i32 = 19;
    pub(crate) const NOT_A_DATABASE: i32 = 26;
    /// With its extension: no room for the index of the journal.
    pub(crate) const NO_ROOM_FOR_INDEX: i32 = IO | (19 << 8);
}

/// Sorts a database error into what callers decide by.
pub(crate) fn store_error(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Database(ref database) => {
            let message = database.message().to_owned();
            if let Some(mysql) = database.try_downcast_ref::<MySqlDatabaseError>() {
                return mysql_error(mysql.number(), message);
            }
            let extended = database.code().and_then(|code| code.parse::<i32>().ok());
            if extended == Some(code::NO_ROOM_FOR_INDEX) {
                return StoreError::DiskFull;
            }
            match extended.map(|code| code & 0xff) {
                Some(code::BUSY | code::LOCKED) => StoreError::Locked,
                Some(code::FULL) => StoreError::DiskFull,
                Some(code::CONSTRAINT) => StoreError::Data(message),
                Some(code::ERROR) if message.contains("integer overflow") => {
                    StoreError::Data(message)
                }
                Some(code::READ_ONLY) => StoreError::Unusable(
                    "the database file, or its folder, is read-only".to_owned(),
                ),
                Some(code::CORRUPT | code::NOT_A_DATABASE) => StoreError::Unusable(format!(
                    "the file is not a database of ours, or damaged: {message}"
                )),
                Some(code::CANNOT_OPEN) => {
                    StoreError::Unusable(format!("the database file cannot be opened: {message}"))
                }
                Some(code::IO) => StoreError::Unusable(format!("the disk failed: {message}")),
                _ => StoreError::Other(Box::new(error)),
            }
        }
        sqlx::Error::ColumnDecode { index, source } => {
            StoreError::Damaged(format!("column {index}: {source}"))
        }
        sqlx::Error::PoolTimedOut => {
            StoreError::Transient("no connection became free in time".to_owned())
        }
        sqlx::Error::Io(error) => StoreError::Transient(error.to_string()),
        other => StoreError::Other(Box::new(other)),
    }
}

/// MySQL's and MariaDB's error numbers.
fn mysql_error(number: u16, message: String) -> StoreError {
    match number {
        // A deadlock rolls the transaction back; after a lock time-out its owner gives it up.
        1205 | 1213 => StoreError::Conflict(message),
        // Too many connections; shutting down; killed; gone away.
        1040 | 1053 | 1317 | 1927 | 2006 | 2013 => StoreError::Transient(message),
        // Disk full; table full.
        1021 | 1114 => StoreError::DiskFull,
        // Duplicate key; out of range; too long; broken reference; CHECK.
        1048 | 1062 | 1264 | 1406 | 1451 | 1452 | 1644 | 1690 | 3819 | 4025 => {
            StoreError::Data(message)
        }
        1044 | 1045 | 1049 | 1698 => {
            StoreError::Unusable(format!("the database refuses us: {message}"))
        }
        1146 => StoreError::Unusable(format!(
            "the database's schema is missing or older than this program; run `balance migrate` ({message})"
        )),
        _ => StoreError::Other(format!("{number}: {message}").into()),
    }
}
