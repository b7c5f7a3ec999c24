//! Connection pools.

use crate::{
    StoreError, StoreResult,
    sql::{
        errors::store_error,
        failover::Failover,
        journal::Journal,
        timeout::{limited, limited_to},
        tx::Tx,
    },
};
use balance_domain::clock::Clock;
use sqlx::{
    ConnectOptions, Connection,
    mysql::{MySqlConnectOptions, MySqlPool, MySqlPoolOptions},
    sqlite::{
        SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
    },
};
use std::{path::Path, sync::Arc, time::Duration};

/// How long an SQLite statement waits for another process's lock, in seconds.
const BUSY_TIMEOUT_S: u64 = 10;
/// How long a caller waits for a pooled connection to a server, in seconds.
const SERVER_TIMEOUT_S: u64 = 10;
/// The time limit of the first connection to a server.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// The time limit of closing all connections to a server.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);
/// How long a statement waits for a row lock of a server, in seconds.
const LOCK_TIMEOUT_S: u32 = 5;
/// How long a caller waits for a pooled connection to an SQLite file, in seconds.
const ACQUIRE_TIMEOUT_S: u64 = 60;
/// The time limit of the begin of a transaction on SQLite: more than the waits for a connection and
/// for the lock together, so that their errors are reported.
const SQLITE_BEGIN_TIMEOUT: Duration = Duration::from_secs(ACQUIRE_TIMEOUT_S + BUSY_TIMEOUT_S + 10);
/// Prepared statements cached per connection: enough for all statements with all lengths of lists.
const STATEMENT_CACHE: usize = 256;
/// The page cache of the writing connection, in KiB (SQLite reads a negative number as KiB).
const WRITER_CACHE: &str = "-65536";
/// The page cache of each reading connection, in KiB.
const READER_CACHE: &str = "-8192";

/// An open database.
#[derive(Clone)]
pub(crate) enum Db {
    /// An SQLite file. SQLite allows one writer at a time, so the pool of one connection serves as
    /// the queue of writers. Readers run concurrently.
    Sqlite {
        writer: SqlitePool,
        readers: SqlitePool,
        /// A separate connection for heartbeats, which must not wait behind chunks.
        heartbeat: SqlitePool,
        clock: Arc<dyn Clock>,
    },
    /// A MySQL or MariaDB server.
    MySql {
        pool: MySqlPool,
        /// A separate connection for heartbeats, which must not wait behind chunks.
        heartbeat: MySqlPool,
        clock: Arc<dyn Clock>,
        failover: Failover,
    },
}

impl Db {
    /// Opens an SQLite file for reading and writing, with `readers` reading connections. Creates the
    /// file if it is missing.
    pub(crate) async fn open_sqlite(
        path: &Path,
        readers: u32,
        clock: Arc<dyn Clock>,
    ) -> StoreResult<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // The database is the ledger: a commit must survive a power failure.
            .synchronous(SqliteSynchronous::Full);
        Self::with_options(options, readers, clock).await
    }

    /// Opens an existing SQLite file for reading, with `readers` connections. A file that this process
    /// cannot write to, or whose folder is read-only, can be read too.
    pub(crate) async fn read_sqlite(
        path: &Path,
        readers: u32,
        clock: Arc<dyn Clock>,
    ) -> StoreResult<Self> {
        if !is_read_only(path) {
            // The journal is completed and removed as by a process that writes.
            let options = SqliteConnectOptions::new().filename(path);
            let options = options.pragma("query_only", "ON");
            match Self::with_options(options, readers, Arc::clone(&clock)).await {
                // The folder is read-only, so that the journal's index cannot be created.
                Err(StoreError::Unusable(_)) => {}
                opened => return opened,
            }
        }
        Self::with_options(read_only_options(path), readers, clock).await
    }

    async fn with_options(
        options: SqliteConnectOptions,
        readers: u32,
        clock: Arc<dyn Clock>,
    ) -> StoreResult<Self> {
        let options = options
            .busy_timeout(Duration::from_secs(BUSY_TIMEOUT_S))
            .statement_cache_capacity(STATEMENT_CACHE)
            .pragma("temp_store", "FILE");
        let pool = |size: u32, cache: &'static str| {
            SqlitePoolOptions::new()
                .max_connections(size)
                .acquire_timeout(Duration::from_secs(ACQUIRE_TIMEOUT_S))
                // If the disk is full, SQLite rolls back by itself. sqlx does not notice, and its
                // connection then fails every `BEGIN`, so the pool must discard it.
                .before_acquire(|connection, _| {
                    let is_usable = !connection.is_in_transaction();
                    Box::pin(async move { Ok(is_usable) })
                })
                .connect_lazy_with(options.clone().pragma("cache_size", cache))
        };
        let db = Self::Sqlite {
            writer: pool(1, WRITER_CACHE),
            readers: pool(readers.max(1), READER_CACHE),
            heartbeat: pool(1, READER_CACHE),
            clock,
        };
        // Without the write lock: a reading command must not wait for a writing one.
        db.read().await?.rollback().await?;
        Ok(db)
    }

    /// Opens a server's database with at most `connections` connections. The server ends a session
    /// after `idle_s` seconds without a statement, so that a process frozen inside a transaction
    /// releases its row locks.
    pub(crate) async fn open_mysql(
        url: &str,
        connections: u32,
        idle_s: u32,
        clock: Arc<dyn Clock>,
    ) -> StoreResult<Self> {
        // The parse error is dropped: its text contains the URL and thus the password.
        let options: MySqlConnectOptions = url.parse().map_err(|_| {
            StoreError::Unusable("DATABASE_URL is not a valid mysql:// URL".to_owned())
        })?;
        let options = options.statement_cache_capacity(STATEMENT_CACHE);
        check_connection(&options).await?;
        let failover = Failover::default();
        let pool = |size: u32| {
            let failover = failover.clone();
            MySqlPoolOptions::new()
                .max_connections(size)
                .acquire_timeout(Duration::from_secs(SERVER_TIMEOUT_S))
                .before_acquire(move |_, metadata| {
                    let is_usable = failover.is_usable(metadata.age);
                    Box::pin(async move { Ok(is_usable) })
                })
                .after_connect(move |connection, _| {
                    Box::pin(async move {
                        let session = format!(
                            "SET SESSION wait_timeout = {idle_s}, \
                             SESSION innodb_lock_wait_timeout = {LOCK_TIMEOUT_S}, \
                             SESSION transaction_isolation = 'READ-COMMITTED'"
                        );
                        let legacy = session.replace("transaction_isolation", "tx_isolation");
                        let done = sqlx::raw_sql(sqlx::AssertSqlSafe(session))
                            .execute(&mut *connection)
                            .await;
                        // MariaDB 10.11 supports only the old name of the variable.
                        if done.is_err() {
                            sqlx::raw_sql(sqlx::AssertSqlSafe(legacy))
                                .execute(connection)
                                .await?;
                        }
                        Ok(())
                    })
                })
                .connect_lazy_with(options.clone())
        };
        let db = Self::MySql {
            pool: pool(connections.max(2)),
            heartbeat: pool(1),
            clock,
            failover,
        };
        db.write().await?.rollback().await?;
        Ok(db)
    }

    /// Begins a transaction that will write. On SQLite it acquires the write lock at once: a
    /// transaction that reads before it writes can fail with a conflict that no wait resolves.
    pub(crate) async fn write(&self) -> StoreResult<Tx> {
        match self {
            Self::Sqlite { writer, clock, .. } => {
                begin_sqlite(writer.begin_with("BEGIN IMMEDIATE"), clock).await
            }
            Self::MySql {
                pool,
                clock,
                failover,
                ..
            } => begin_mysql(pool, clock, failover).await,
        }
    }

    /// Begins a writing transaction on the connection for heartbeats.
    pub(crate) async fn write_heartbeat(&self) -> StoreResult<Tx> {
        match self {
            Self::Sqlite {
                heartbeat, clock, ..
            } => begin_sqlite(heartbeat.begin_with("BEGIN IMMEDIATE"), clock).await,
            Self::MySql {
                heartbeat,
                clock,
                failover,
                ..
            } => begin_mysql(heartbeat, clock, failover).await,
        }
    }

    /// Begins a transaction that only reads. On SQLite all its statements see one snapshot; on a
    /// server each statement sees the data committed before it.
    pub(crate) async fn read(&self) -> StoreResult<Tx> {
        match self {
            Self::Sqlite { readers, clock, .. } => begin_sqlite(readers.begin(), clock).await,
            Self::MySql {
                pool,
                clock,
                failover,
                ..
            } => begin_mysql(pool, clock, failover).await,
        }
    }

    /// Begins a read-only transaction whose statements all see one snapshot. On a server this
    /// transaction alone uses repeatable reads; the session keeps its isolation level.
    pub(crate) async fn snapshot(&self) -> StoreResult<Tx> {
        match self {
            Self::Sqlite { .. } => self.read().await,
            Self::MySql {
                pool,
                clock,
                failover,
                ..
            } => {
                let begun = pool.begin_with(
                    // A transaction whose start was cancelled may still be open.
                    "ROLLBACK; SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; \
                     START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
                );
                let tx = limited(begun).await.map_err(store_error)?;
                Ok(Tx::MySql(tx, Arc::clone(clock), failover.clone()))
            }
        }
    }

    /// Replaces the connections to a server that accepts no writes.
    pub(crate) fn leave(&self) {
        if let Self::MySql { failover, .. } = self {
            failover.leave();
        }
    }

    /// Closes all connections. SQLite then merges its journal into the file.
    pub(crate) async fn close(&self) {
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
            Self::MySql {
                pool, heartbeat, ..
            } => {
                let closed = async {
                    heartbeat.close().await;
                    pool.close().await;
                };
                // A connection whose statement waits for a lock would delay the end of the process.
                let _ = tokio::time::timeout(CLOSE_LIMIT, closed).await;
            }
        }
    }
}

/// Returns the options to read a file without the right to write it or its folder. A journal can be
/// read only if its index is there. Without a journal, no other process must write meanwhile.
pub(crate) fn read_only_options(path: &Path) -> SqliteConnectOptions {
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    match Journal::of(path) {
        Journal::None => options.immutable(true),
        Journal::WithIndex | Journal::WithoutIndex => options,
    }
}

/// Returns whether this process cannot write to a file.
fn is_read_only(path: &Path) -> bool {
    std::fs::OpenOptions::new().write(true).open(path).is_err()
}

/// Connects once without the pool. The pool would retry until its time limit and then lose the
/// cause.
async fn check_connection(options: &MySqlConnectOptions) -> StoreResult<()> {
    let connected = async { options.connect().await?.close().await };
    let Ok(connected) = tokio::time::timeout(CONNECT_LIMIT, connected).await else {
        return Err(StoreError::Transient(format!(
            "no connection within {} s",
            CONNECT_LIMIT.as_secs()
        )));
    };
    connected.map_err(store_error)
}

async fn begin_sqlite(
    begun: impl Future<Output = sqlx::Result<sqlx::Transaction<'static, sqlx::Sqlite>>>,
    clock: &Arc<dyn Clock>,
) -> StoreResult<Tx> {
    let tx = limited_to(SQLITE_BEGIN_TIMEOUT, begun)
        .await
        .map_err(store_error)?;
    Ok(Tx::Sqlite(tx, Arc::clone(clock)))
}

async fn begin_mysql(
    pool: &MySqlPool,
    clock: &Arc<dyn Clock>,
    failover: &Failover,
) -> StoreResult<Tx> {
    let tx = limited(pool.begin()).await.map_err(store_error)?;
    Ok(Tx::MySql(tx, Arc::clone(clock), failover.clone()))
}
