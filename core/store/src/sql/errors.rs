//! Mapping of database errors to [`StoreError`].

use crate::StoreError;
use sqlx::mysql::MySqlDatabaseError;

/// SQLite's primary result codes: the lower 8 bits of an extended code.
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
    /// The extended code of a disk without space for the journal's index.
    pub(crate) const SHARED_MEMORY_SIZE: i32 = IO | (19 << 8);
}

/// Maps an error by its type and code.
pub(crate) fn store_error(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Database(ref database) => {
            let message = database.message().to_owned();
            if let Some(mysql) = database.try_downcast_ref::<MySqlDatabaseError>() {
                return mysql_error(mysql.number(), message);
            }
            let extended = database.code().and_then(|code| code.parse::<i32>().ok());
            if extended == Some(code::SHARED_MEMORY_SIZE) {
                return StoreError::DiskFull;
            }
            match extended.map(|code| code & 0xff) {
                Some(code::BUSY | code::LOCKED) => StoreError::Locked,
                Some(code::FULL) => StoreError::DiskFull,
                Some(code::CONSTRAINT) => StoreError::Data(message),
                Some(code::ERROR) if is_integer_overflow(&message) => StoreError::Data(message),
                Some(code::READ_ONLY) => StoreError::Unusable(
                    "failed to write to the database: its file or folder is read-only".to_owned(),
                ),
                Some(code::CORRUPT | code::NOT_A_DATABASE) => StoreError::Unusable(format!(
                    "failed to read the database file: it is damaged or not an SQLite file: {message}"
                )),
                Some(code::CANNOT_OPEN) => {
                    StoreError::Unusable(format!("failed to open the database file: {message}"))
                }
                Some(code::IO) => StoreError::Unusable(format!(
                    "failed to access the disk of the database: {message}"
                )),
                _ => StoreError::Other(Box::new(error)),
            }
        }
        sqlx::Error::ColumnDecode { index, source } => {
            StoreError::Damaged(format!("column {index}: {source}"))
        }
        sqlx::Error::PoolTimedOut => {
            StoreError::Transient("all connections were busy until the time-out".to_owned())
        }
        sqlx::Error::Io(error) => StoreError::Transient(error.to_string()),
        other => StoreError::Other(Box::new(other)),
    }
}

/// Returns whether SQLite's message reports an overflow of a sum. SQLite has no result code of its
/// own for it.
fn is_integer_overflow(message: &str) -> bool {
    message.contains("integer overflow")
}

/// Maps an error by its MySQL or MariaDB number.
fn mysql_error(number: u16, message: String) -> StoreError {
    match number {
        // A deadlock rolls the transaction back, and so does a conflict with another member of a
        // group; after a lock time-out its owner does.
        1205 | 1213 | 3101 => StoreError::Conflict(message),
        // Too many connections, also of the user; shutdown; killed; connection lost; idle session
        // ended; network.
        1040 | 1203 | 1053 | 1317 | 1927 | 2006 | 2013 | 4031 | 1158..=1161 => {
            StoreError::Transient(message)
        }
        // Too many prepared statements; a changed statement; a cluster's node that is not ready.
        1461 | 1615 | 1047 => StoreError::Transient(message),
        // Read-only by an option, transaction or engine; offline.
        1290 | 1792 | 1836 | 3032 => StoreError::ReadOnly(message),
        // Disk full; table full.
        1021 | 1114 => StoreError::DiskFull,
        // NULL; duplicate key; out of range; too long; missing or used reference; CHECK.
        1048 | 1062 | 1264 | 1406 | 1451 | 1452 | 1644 | 1690 | 3819 | 4025 => {
            StoreError::Data(message)
        }
        1044 | 1045 | 1049 | 1698 => StoreError::Unusable(format!(
            "the database server denied access: {message}; check DATABASE_URL"
        )),
        1146 => StoreError::Unusable(format!(
            "the database's schema is missing or older than this program; run `balance migrate` ({message})"
        )),
        _ => StoreError::Other(format!("{number}: {message}").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::{Connection, SqliteConnection};

    #[test]
    fn errors_of_a_server_that_fails_over_can_be_retried() {
        for number in [
            1040, 1047, 1158, 1203, 1290, 1461, 1615, 1792, 1836, 3032, 3101, 4031,
        ] {
            let error = mysql_error(number, String::new());
            assert!(error.is_transient(), "{number}: {error}");
        }
        for number in [1290, 1792, 1836, 3032] {
            let error = mysql_error(number, String::new());
            assert!(matches!(error, StoreError::ReadOnly(_)), "{number}");
        }
        for number in [1062, 1064, 1146] {
            assert!(
                !mysql_error(number, String::new()).is_transient(),
                "{number}"
            );
        }
    }

    #[tokio::test]
    async fn an_overflowing_sum_is_a_data_error() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let sum = "SELECT SUM(x) FROM (SELECT 9223372036854775807 AS x UNION ALL SELECT 1)";
        let error = sqlx::query(sum).execute(&mut connection).await.unwrap_err();
        assert!(matches!(store_error(error), StoreError::Data(_)));
    }

    #[tokio::test]
    async fn an_invalid_statement_is_no_data_error() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let error = sqlx::query("SELECT x")
            .execute(&mut connection)
            .await
            .unwrap_err();
        assert!(matches!(store_error(error), StoreError::Other(_)));
    }
}
