//! Pools, transactions and statements: one SQL text for every database.
//!
//! A database is a variant of [`Db`] and [`Tx`]; the macros run the same text with the native types
//! of each. What differs in text is in [`super::dialect`].

use crate::port::{
    clock::Clock,
    error::{StoreError, StoreResult},
};
use sqlx::Connection;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use std::{path::Path, sync::Arc, time::Duration};

/// How long a statement waits for another program's lock, in seconds.
const BUSY_TIMEOUT_S: u64 = 10;
/// How long a caller waits for a connection, in seconds.
const ACQUIRE_TIMEOUT_S: u64 = 60;
/// Prepared statements kept for each connection: all there are, with each length of a list.
const STATEMENT_CACHE: usize = 256;
/// The page cache of the writing connection, in KiB (SQLite takes KiB as negative numbers).
const WRITER_CACHE: &str = "-65536";
/// The page cache of each reading connection, in KiB.
const READER_CACHE: &str = "-8192";

/// An open database.
#[derive(Clone)]
pub(super) enum Db {
    /// One file. SQLite has one writer at a time, so one connection writes and the pool is its
    /// queue; others read meanwhile.
    Sqlite {
        writer: SqlitePool,
        readers: SqlitePool,
        /// The heartbeat's own connection: it must not wait behind chunks.
        heartbeat: SqlitePool,
        clock: Arc<dyn Clock>,
    },
}

/// A transaction.
pub(super) enum Tx {
    Sqlite(sqlx::Transaction<'static, sqlx::Sqlite>, Arc<dyn Clock>),
}

impl Db {
    /// Opens an SQLite file, which is made where it is missing. `readers` connections read.
    pub(super) async fn open_sqlite(
        path: &Path,
        readers: u32,
        clock: Arc<dyn Clock>,
    ) -> StoreResult<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // The database is the ledger: a commit survives a power cut.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(BUSY_TIMEOUT_S))
            .statement_cache_capacity(STATEMENT_CACHE)
            .pragma("temp_store", "FILE");
        let pool = |size: u32, cache: &'static str| {
            SqlitePoolOptions::new()
                .max_connections(size)
                .acquire_timeout(Duration::from_secs(ACQUIRE_TIMEOUT_S))
                // A full disk makes SQLite roll back by itself, of which sqlx takes no note: its
                // connection then refuses to begin ever again, and must go.
                .before_acquire(|connection, _| {
                    let is_free = !connection.is_in_transaction();
                    Box::pin(async move { Ok(is_free) })
                })
                .connect_lazy_with(options.clone().pragma("cache_size", cache))
        };
        let db = Self::Sqlite {
            writer: pool(1, WRITER_CACHE),
            readers: pool(readers.max(1), READER_CACHE),
            heartbeat: pool(1, READER_CACHE),
            clock,
        };
        // Without the write lock: a command that only reads must not wait for one that writes.
        db.read().await?.rollback().await?;
        Ok(db)
    }

    /// Begins a transaction that will write. On SQLite it takes the write lock at once: a
    /// transaction that reads first and writes later can fail with no way to go on.
    pub(super) async fn write(&self) -> StoreResult<Tx> {
        match self {
            Self::Sqlite { writer, clock, .. } => {
                let tx = writer
                    .begin_with("BEGIN IMMEDIATE")
                    .await
                    .map_err(store_error)?;
                Ok(Tx::Sqlite(tx, clock.clone()))
            }
        }
    }

    /// Begins a writing transaction on the heartbeat's own connection.
    pub(super) async fn write_heartbeat(&self) -> StoreResult<Tx> {
        match self {
            Self::Sqlite {
                heartbeat, clock, ..
            } => {
                let tx = heartbeat
                    .begin_with("BEGIN IMMEDIATE")
                    .await
                    .map_err(store_error)?;
                Ok(Tx::Sqlite(tx, clock.clone()))
            }
        }
    }

    /// Begins a transaction that only reads: one snapshot for all its statements.
    pub(super) async fn read(&self) -> StoreResult<Tx> {
        match self {
            Self::Sqlite { readers, clock, .. } => {
                let tx = readers.begin().await.map_err(store_error)?;
                Ok(Tx::Sqlite(tx, clock.clone()))
            }
        }
    }

    /// Closes all connections; the journal is folded into the file.
    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite {
                writer,
                readers,
                heartbeat,
                ..
            } => {
                readers.close().await;
                heartbeat.close().await;
                writer.close().await;
            }
        }
    }
}

impl Tx {
    /// Commits.
    pub(super) async fn commit(self) -> StoreResult<()> {
        super::fault::before_commit();
        let result = match self {
            Self::Sqlite(tx, _) => tx.commit().await.map_err(store_error),
        };
        super::fault::after_commit();
        result
    }

    /// Gives up. A dropped transaction does the same, later.
    pub(super) async fn rollback(self) -> StoreResult<()> {
        match self {
            Self::Sqlite(tx, _) => tx.rollback().await.map_err(store_error),
        }
    }

    /// The database's time, in microseconds since 1970, which leases are measured by. An embedded
    /// database has none of its own: it is the process's clock.
    pub(super) async fn now_micros(&mut self) -> StoreResult<i64> {
        match self {
            Self::Sqlite(_, clock) => Ok(clock.now_micros()),
        }
    }

    /// The time that the job tables are written with.
    pub(super) fn now(&self) -> chrono::NaiveDateTime {
        match self {
            Self::Sqlite(_, clock) => clock.now(),
        }
    }
}

/// Runs a statement; answers how many rows it changed.
macro_rules! execute {
    ($tx:expr, $sql:expr $(, $bind:expr)* $(,)?) => {
        match &mut *$tx {
            $crate::store::db::Tx::Sqlite(tx, _) => sqlx::query($sql)
                $(.bind($bind))*
                .execute(&mut **tx)
                .await
                .map(|done| done.rows_affected()),
        }
        .map_err($crate::store::db::store_error)
    };
}

/// Runs a statement; answers its rows, as tuples or `FromRow` structs of the type asked for.
macro_rules! fetch_all {
    ($tx:expr, $sql:expr $(, $bind:expr)* $(,)?) => {
        match &mut *$tx {
            $crate::store::db::Tx::Sqlite(tx, _) => sqlx::query_as($sql)
                $(.bind($bind))*
                .fetch_all(&mut **tx)
                .await,
        }
        .map_err($crate::store::db::store_error)
    };
}

/// Runs a statement; answers its first row, if any.
macro_rules! fetch_optional {
    ($tx:expr, $sql:expr $(, $bind:expr)* $(,)?) => {
        match &mut *$tx {
            $crate::store::db::Tx::Sqlite(tx, _) => sqlx::query_as($sql)
                $(.bind($bind))*
                .fetch_optional(&mut **tx)
                .await,
        }
        .map_err($crate::store::db::store_error)
    };
}

/// Runs a statement; answers its one row.
macro_rules! fetch_one {
    ($tx:expr, $sql:expr $(, $bind:expr)* $(,)?) => {
        match &mut *$tx {
            $crate::store::db::Tx::Sqlite(tx, _) => sqlx::query_as($sql)
                $(.bind($bind))*
                .fetch_one(&mut **tx)
                .await,
        }
        .map_err($crate::store::db::store_error)
    };
}

/// Inserts rows, many in a statement: the text before `VALUES`, the rows, a closure-like body that
/// binds one, and the text after.
macro_rules! insert_rows {
    ($tx:expr, $head:expr, $rows:expr, |$bind:ident, $row:ident| $body:block, $tail:expr) => {{
        let mut inserted = 0_u64;
        let mut rest = &$rows[..];
        while !rest.is_empty() {
            let (rows, later) = rest.split_at($crate::store::dialect::rows_of_insert(rest.len()));
            rest = later;
            inserted += match &mut *$tx {
                $crate::store::db::Tx::Sqlite(tx, _) => {
                    let mut builder = sqlx::QueryBuilder::<sqlx::Sqlite>::new($head);
                    builder.push_values(rows, |mut $bind, $row| $body);
                    builder.push($tail);
                    builder
                        .build()
                        .execute(&mut **tx)
                        .await
                        .map(|done| done.rows_affected())
                }
            }
            .map_err($crate::store::db::store_error)?;
        }
        inserted
    }};
}

/// Runs a statement with a list of values in parentheses between `head` and `tail`; answers its
/// rows. The list must not be empty, nor longer than the databases' placeholders allow.
macro_rules! fetch_in {
    ($tx:expr, $head:expr, $values:expr, $tail:expr) => {
        match &mut *$tx {
            $crate::store::db::Tx::Sqlite(tx, _) => {
                let mut builder = sqlx::QueryBuilder::<sqlx::Sqlite>::new($head);
                builder.push("(");
                let mut list = builder.separated(", ");
                for value in $crate::store::dialect::padded($values) {
                    list.push_bind(value);
                }
                builder.push(")");
                builder.push($tail);
                builder.build_query_as().fetch_all(&mut **tx).await
            }
        }
        .map_err($crate::store::db::store_error)
    };
}

pub(super) use {execute, fetch_all, fetch_in, fetch_one, fetch_optional, insert_rows};

/// SQLite's result codes, without the extension in the upper bits.
mod code {
    pub(super) const ERROR: i32 = 1;
    pub(super) const BUSY: i32 = 5;
    pub(super) const LOCKED: i32 = 6;
    pub(super) const READ_ONLY: i32 = 8;
    pub(super) const IO: i32 = 10;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const CANNOT_OPEN: i32 = 14;
    pub(super) const CONSTRAINT: i32 = 19;
    pub(super) const NOT_A_DATABASE: i32 = 26;
    /// With its extension: no room for the index of the journal.
    pub(super) const NO_ROOM_FOR_INDEX: i32 = IO | (19 << 8);
}

/// Sorts a database error into what callers decide by.
pub(super) fn store_error(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Database(ref database) => {
            let message = database.message().to_owned();
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
        other => StoreError::Other(Box::new(other)),
    }
}
