//! Connection pools.

use crate::{
    StoreError, StoreResult,
    sql::{errors::store_error, statement::limited, tx::Tx},
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

/// How long a statement waits for another program's lock, in seconds.
const BUSY_TIMEOUT_S: u64 = 10;
/// How long a caller waits for a connection to a server, in seconds.
const SERVER_TIMEOUT_S: u64 = 10;
/// How long the first connection to a server may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How long a statement waits for a row's lock on a server, in seconds.
const LOCK_TIMEOUT_S: u32 = 5;
/// How long a caller waits for a connection to a file, in seconds.
const ACQUIRE_TIMEOUT_S: u64 = 60;
/// Prepared statements kept for each connection: all there are, with each length of a list.
const STATEMENT_CACHE: usize = 256;
/// The page cache of the writing connection, in KiB (SQLite takes KiB as negative numbers).
const WRITER_CACHE: &str = "-65536";
/// The page cache of each reading connection, in KiB.
const READER_CACHE: &str = "-8192";

/// An open database.
#[derive(Clone)]
pub(crate) enum Db {
    /// One file. SQLite has one writer at a time, so one connection writes and the pool is its
    /// queue; others read meanwhile.
    Sqlite {
        writer: SqlitePool,
        readers: SqlitePool,
        /// The heartbeat's own connection: it must not wait behind chunks.
        heartbeat: SqlitePool,
        clock: Arc<dyn Clock>,
    },
    /// A MySQL or MariaDB server.
    MySql {
        pool: MySqlPool,
        /// The heartbeat's own connection.
        heartbeat: MySqlPool,
        clock: Arc<dyn Clock>,
    },
}

impl Db {
    /// Opens an SQLite file, which is made where it is missing. `readers` connections read.
    pub(crate) async fn open_sqlite(
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

    /// Opens a server's database with at most `connections` connections. `idle_s` is how long the
    /// server lets a silent session hold its locks: a process frozen inside a transaction gives up
    /// its rows then.
    pub(crate) async fn open_mysql(
        url: &str,
        connections: u32,
        idle_s: u32,
        clock: Arc<dyn Clock>,
    ) -> StoreResult<Self> {
        // The error's text would repeat the URL, and with it the password.
        let options: MySqlConnectOptions = url
            .parse()
            .map_err(|_| StoreError::Unusable("DATABASE_URL is no mysql:// address".to_owned()))?;
        let options = options.statement_cache_capacity(STATEMENT_CACHE);
        reach(&options).await?;
        let pool = |size: u32| {
            MySqlPoolOptions::new()
                .max_connections(size)
                .acquire_timeout(Duration::from_secs(SERVER_TIMEOUT_S))
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
                        // MariaDB 10.11 knows the variable by its old name only.
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
        };
        db.write().await?.rollback().await?;
        Ok(db)
    }

    /// Begins a transaction that will write. On SQLite it takes the write lock at once: a
    /// transaction that reads first and writes later can fail with no way to go on.
    pub(crate) async fn write(&self) -> StoreResult<Tx> {
        match self {
            Self::Sqlite { writer, clock, .. } => {
                let tx = writer
                    .begin_with("BEGIN IMMEDIATE")
                    .await
                    .map_err(store_error)?;
                Ok(Tx::Sqlite(tx, clock.clone()))
            }
            Self::MySql { pool, clock, .. } => begin_mysql(pool, clock).await,
        }
    }

    /// Begins a writing transaction on the heartbeat's own connection.
    pub(crate) async fn write_heartbeat(&self) -> StoreResult<Tx> {
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
            Self::MySql {
                heartbeat, clock, ..
            } => begin_mysql(heartbeat, clock).await,
        }
    }

    /// Begins a transaction that only reads: one snapshot for all its statements.
    pub(crate) async fn read(&self) -> StoreResult<Tx> {
        match self {
            Self::Sqlite { readers, clock, .. } => {
                let tx = readers.begin().await.map_err(store_error)?;
                Ok(Tx::Sqlite(tx, clock.clone()))
            }
            Self::MySql { pool, clock, .. } => begin_mysql(pool, clock).await,
        }
    }

    /// Begins a transaction that cannot write and that sees one state of the database in all its
    /// statements. A server's sessions read what is committed by each statement's time; this one
    /// transaction repeats its reads, and leaves its session as it was.
    pub(crate) async fn snapshot(&self) -> StoreResult<Tx> {
        match self {
            Self::Sqlite { .. } => self.read().await,
            Self::MySql { pool, clock, .. } => {
                let begun = pool.begin_with(
                    // One that was given up while it began may still be open.
                    "ROLLBACK; SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; \
                     START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
                );
                let tx = limited(begun).await.map_err(store_error)?;
                Ok(Tx::MySql(tx, Arc::clone(clock)))
            }
        }
    }

    /// Closes all connections; the journal is folded into the file.
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
                heartbeat.close().await;
                pool.close().await;
            }
        }
    }
}

/// Connects once without the pool, which would try again until its time is over and then know no
/// reason.
async fn reach(options: &MySqlConnectOptions) -> StoreResult<()> {
    let connecting = tokio::time::timeout(CONNECT_LIMIT, options.connect());
    let Ok(connected) = connecting.await else {
        return Err(StoreError::Transient(format!(
            "no answer within {} s",
            CONNECT_LIMIT.as_secs()
        )));
    };
    connected
        .map_err(store_error)?
        .close()
        .await
        .map_err(store_error)
}

async fn begin_mysql(pool: &MySqlPool, clock: &Arc<dyn Clock>) -> StoreResult<Tx> {
    let tx = limited(pool.begin()).await.map_err(store_error)?;
    Ok(Tx::MySql(tx, Arc::clone(clock)))
}
