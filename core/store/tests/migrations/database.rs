//! A database that the tests migrate step by step and fill with the rows of each version.

use balance_domain::clock::SystemClock;
use balance_store::{Store, StoreResult};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, MySqlConnection, Row, SqliteConnection,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteSynchronous},
};
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};
use tempfile::TempDir;

pub(crate) static SQLITE: Migrator = sqlx::migrate!("../../migrations/sqlite");
pub(crate) static MYSQL: Migrator = sqlx::migrate!("../../migrations/mysql");

/// The rows that the program of each version writes. A migration with a new table needs rows there.
const SEEDS: &str = include_str!("rows.sql");
const FILE: &str = "balance.db";

/// Columns that a migration drops: their facts are elsewhere.
const DROPPED: [(&str, &str); 1] = [("watch_session", "is_open")];

/// A database that is migrated step by step.
pub(crate) enum Database {
    Sqlite(SqliteConnection, TempDir),
    Server(MySqlConnection, String),
}

/// The address of a database.
pub(crate) enum Address {
    File(PathBuf),
    Server(String),
}

impl Address {
    /// Migrates the database with connections of its own, as a process does.
    pub(crate) async fn migrate(self) -> StoreResult<()> {
        match self {
            Self::File(path) => {
                let store = Store::open_sqlite(&path, 1, Arc::new(SystemClock)).await?;
                store.close().await;
                Ok(())
            }
            Self::Server(url) => Store::migrate_mysql(&url).await,
        }
    }
}

impl Database {
    /// Creates an empty database.
    pub(crate) async fn create() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "a setting of the tests, not of the program"
        )]
        let Ok(server) = std::env::var("TEST_SERVER_URL") else {
            let folder = tempfile::tempdir().unwrap();
            let options = SqliteConnectOptions::new()
                .filename(folder.path().join(FILE))
                .create_if_missing(true)
                .synchronous(SqliteSynchronous::Off);
            return Self::Sqlite(options.connect().await.unwrap(), folder);
        };
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let name = format!("balance_test_migrations_{}_{number}", std::process::id());
        let mut connection = MySqlConnection::connect(&server).await.unwrap();
        for statement in ["DROP DATABASE IF EXISTS", "CREATE DATABASE"] {
            let sql = AssertSqlSafe(format!("{statement} {name}"));
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
        let url = format!("{}/{name}", server.trim_end_matches('/'));
        let mut connection = MySqlConnection::connect(&url).await.unwrap();
        // The tests create tables without a key, and so do the first migrations. MariaDB does not have
        // the variable.
        let _ = sqlx::raw_sql("SET SESSION sql_require_primary_key = OFF")
            .execute(&mut connection)
            .await;
        Self::Server(connection, url)
    }

    /// Returns the address of the database.
    pub(crate) fn address(&self) -> Address {
        match self {
            Self::Sqlite(_, folder) => Address::File(folder.path().join(FILE)),
            Self::Server(_, url) => Address::Server(url.clone()),
        }
    }

    pub(crate) async fn migrate_to(&mut self, version: i64) {
        match self {
            Self::Sqlite(connection, _) => SQLITE.run_to(version, &mut *connection).await,
            Self::Server(connection, _) => MYSQL.run_to(version, &mut *connection).await,
        }
        .unwrap();
    }

    pub(crate) async fn execute(&mut self, sql: &str) {
        self.try_execute(sql).await.unwrap();
    }

    pub(crate) async fn try_execute(&mut self, sql: &str) -> sqlx::Result<()> {
        let query = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        match self {
            Self::Sqlite(connection, _) => query.execute(&mut *connection).await.map(drop),
            Self::Server(connection, _) => query.execute(&mut *connection).await.map(drop),
        }
    }

    /// Returns a column of a query, which must be a text.
    pub(crate) async fn texts(&mut self, sql: &str, column: usize) -> Vec<String> {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(connection, _) => {
                let rows = sqlx::query(sql).fetch_all(&mut *connection).await.unwrap();
                rows.iter().map(|row| row.get_unchecked(column)).collect()
            }
            Self::Server(connection, _) => {
                let rows = sqlx::query(sql).fetch_all(&mut *connection).await.unwrap();
                rows.iter().map(|row| row.get_unchecked(column)).collect()
            }
        }
    }

    /// Counts the rows of a table or subquery.
    pub(crate) async fn count(&mut self, from: &str) -> i64 {
        let sql = format!("SELECT CAST(COUNT(*) AS CHAR) FROM {from}");
        self.texts(&sql, 0).await[0].parse().unwrap()
    }

    pub(crate) async fn tables(&mut self) -> Vec<String> {
        let sql = match self {
            Self::Sqlite(..) => {
                "SELECT name FROM sqlite_master WHERE type = 'table' \
                 AND name NOT LIKE 'sqlite_%' AND name <> '_sqlx_migrations' ORDER BY name"
            }
            Self::Server(..) => {
                "SELECT table_name FROM information_schema.tables \
                 WHERE table_schema = DATABASE() AND table_name <> '_sqlx_migrations' \
                 ORDER BY table_name"
            }
        };
        self.texts(sql, 0).await
    }

    pub(crate) async fn columns(&mut self, table: &str) -> String {
        let sql = match self {
            Self::Sqlite(..) => format!("SELECT name FROM pragma_table_info('{table}')"),
            Self::Server(..) => format!(
                "SELECT column_name FROM information_schema.columns \
                 WHERE table_schema = DATABASE() AND table_name = '{table}'"
            ),
        };
        self.texts(&sql, 0).await.join(", ")
    }

    /// Returns the statements that would create the tables and indexes.
    pub(crate) async fn schema(&mut self) -> Vec<String> {
        if let Self::Sqlite(..) = self {
            let sql = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL \
                       AND name <> '_sqlx_migrations' ORDER BY name";
            return self.texts(sql, 0).await;
        }
        let mut all = Vec::new();
        for table in self.tables().await {
            all.extend(self.texts(&format!("SHOW CREATE TABLE {table}"), 1).await);
        }
        all
    }

    /// Writes the rows of a version and of all versions before it.
    pub(crate) async fn seed(&mut self, version: i64) {
        for section in SEEDS.split("-- version ").skip(1) {
            let (number, statements) = section.split_once('\n').unwrap();
            if number.parse::<i64>().unwrap() <= version {
                self.execute(statements).await;
            }
        }
        // Spring's sequences differ between the databases.
        for (table, last) in [
            ("JOB_INSTANCE", 2),
            ("JOB_EXECUTION", 3),
            ("STEP_EXECUTION", 9),
        ] {
            let sql = match self {
                Self::Sqlite(..) => format!("INSERT INTO BATCH_{table}_SEQ (ID) VALUES ({last})"),
                Self::Server(..) => format!("UPDATE BATCH_{table}_SEQ SET ID = {last}"),
            };
            self.execute(&sql).await;
        }
    }

    /// Copies all tables, and returns their names and columns.
    pub(crate) async fn keep(&mut self) -> Vec<(String, String)> {
        let mut kept = Vec::new();
        for table in self.tables().await {
            assert!(
                self.count(&table).await > 0,
                "rows.sql has no row of {table}"
            );
            self.execute(&format!(
                "CREATE TABLE kept_{table} AS SELECT * FROM {table}"
            ))
            .await;
            let columns = self.columns(&table).await;
            kept.push((table, columns));
        }
        kept
    }

    /// Asserts that the tables still have the rows that were copied.
    pub(crate) async fn assert_rows(&mut self, kept: &[(String, String)], step: &str) {
        for (table, columns) in kept {
            let now = self.columns(table).await;
            let now: Vec<&str> = now.split(", ").collect();
            let mut columns: Vec<&str> = columns.split(", ").collect();
            columns.retain(|column| {
                let is_dropped = DROPPED.contains(&(table.as_str(), *column));
                !is_dropped || now.contains(column)
            });
            let columns = columns.join(", ");
            let lost = format!(
                "(SELECT {columns} FROM kept_{table} EXCEPT SELECT {columns} FROM {table}) AS lost"
            );
            assert_eq!(
                self.count(&lost).await,
                0,
                "{step}: rows of {table} changed"
            );
        }
    }

    /// Opens the database as the program does after an upgrade. The folder lives as long as the
    /// file is needed.
    pub(crate) async fn open(self) -> (Store, Option<TempDir>) {
        let clock = Arc::new(SystemClock);
        match self {
            Self::Sqlite(connection, folder) => {
                connection.close().await.unwrap();
                let path = folder.path().join(FILE);
                let store = Store::open_sqlite(&path, 1, clock).await.unwrap();
                (store, Some(folder))
            }
            Self::Server(connection, url) => {
                connection.close().await.unwrap();
                Store::migrate_mysql(&url).await.unwrap();
                let store = Store::open_mysql(&url, 2, 15, clock).await.unwrap();
                (store, None)
            }
        }
    }
}
