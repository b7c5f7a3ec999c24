//! The environment of a process test: calls of the binary on a SQLite file in a separate folder.

pub(crate) use balance_test_support::process::{
    Call, Outcome, PROCESS_TIMEOUT, Running, block_on, signal, until, variable, variable_or_skip,
};

use crate::rows::rows;
use balance_test_support::day_job::RESULT_TABLES;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions,
};
use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tempfile::TempDir;

/// A folder with a database and the files of a test.
pub(crate) struct TestEnv {
    folder: TempDir,
    /// The folder of the database, if it is another one.
    database_folder: Option<PathBuf>,
}

impl TestEnv {
    /// Creates an empty folder.
    pub(crate) fn empty() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            database_folder: None,
        }
    }

    /// Creates a database without plays.
    pub(crate) fn new() -> Self {
        let env = Self::empty();
        env.balance(&["migrate"]).run().succeeded();
        env
    }

    /// Creates an environment whose database is in another folder.
    pub(crate) fn with_database_in(folder: PathBuf) -> Self {
        Self {
            database_folder: Some(folder),
            ..Self::empty()
        }
    }

    /// Copies the database into another folder. No process may write meanwhile.
    pub(crate) fn copy(&self) -> Self {
        let other = Self::empty();
        for suffix in ["", "-wal"] {
            let name = format!("balance.db{suffix}");
            let from = self.folder().join(&name);
            if from.exists() {
                std::fs::copy(from, other.folder().join(&name)).unwrap();
            }
        }
        other
    }

    /// Returns the folder of the database.
    pub(crate) fn folder(&self) -> &Path {
        self.database_folder
            .as_deref()
            .unwrap_or(self.folder.path())
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder().join("balance.db")
    }

    /// Writes a file, and returns its path.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.folder.path().join(name);
        let mut file = File::create(&path).unwrap();
        file.write_all(content.as_ref()).unwrap();
        path.display().to_string()
    }

    /// Returns a call of the binary on this database, without further settings.
    pub(crate) fn balance(&self, args: &[&str]) -> Call {
        let mut command = Command::new(env!("CARGO_BIN_EXE_balance"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("TMPDIR", self.folder.path())
            .env(
                "DATABASE_URL",
                format!("sqlite://{}", self.database().display()),
            );
        Call::new(command)
    }

    /// Opens a connection. The caller must close it, because a dropped connection is closed later.
    pub(crate) async fn connect(&self) -> SqliteConnection {
        SqliteConnectOptions::new()
            .filename(self.database())
            .busy_timeout(Duration::from_secs(20))
            .connect()
            .await
            .unwrap()
    }

    /// Executes statements on a separate connection.
    pub(crate) fn execute(&self, sql: &str) {
        block_on(async {
            let mut connection = self.connect().await;
            let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
            sql.execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        });
    }

    /// Returns the rows of a query as text, with the columns joined by a bar.
    pub(crate) fn rows(&self, sql: &str) -> Vec<String> {
        block_on(async {
            let mut connection = self.connect().await;
            let rows = rows(&mut connection, sql).await;
            connection.close().await.unwrap();
            rows
        })
    }

    /// Returns the only value of a query.
    #[track_caller]
    pub(crate) fn value(&self, sql: &str) -> String {
        let mut rows = self.rows(sql);
        assert_eq!(rows.len(), 1, "{sql}: {rows:?}");
        rows.remove(0)
    }

    /// Returns the results of settlements.
    pub(crate) fn results(&self) -> Vec<String> {
        self.tables(&RESULT_TABLES.map(|(table, _)| table))
    }

    /// Returns all rows of all tables.
    pub(crate) fn everything(&self) -> Vec<String> {
        let tables = self.rows("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name");
        let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
        self.tables(&tables)
    }

    fn tables(&self, tables: &[&str]) -> Vec<String> {
        block_on(async {
            let mut connection = self.connect().await;
            let mut all = Vec::new();
            for table in tables {
                let mut found = rows(&mut connection, &format!("SELECT * FROM {table}")).await;
                found.sort_unstable();
                all.extend(found.into_iter().map(|row| format!("{table}|{row}")));
            }
            connection.close().await.unwrap();
            all
        })
    }
}
