//! Runs the binary on a database in a folder of its own, and looks into that database.

pub(crate) use crate::common::program::{
    Call, LONGEST, Outcome, Running, block_on, given, told, until,
};

use crate::dump::rows;
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

/// A folder with a database, and the files that a test makes.
pub(crate) struct TestEnv {
    folder: TempDir,
    /// The database's folder, where it is not that one.
    elsewhere: Option<PathBuf>,
}

impl TestEnv {
    /// An empty folder.
    pub(crate) fn empty() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            elsewhere: None,
        }
    }

    /// A database without plays.
    pub(crate) fn new() -> Self {
        let env = Self::empty();
        env.balance(&["migrate"]).run().succeeded();
        env
    }

    /// A place whose database is in another folder.
    pub(crate) fn with_database_in(folder: PathBuf) -> Self {
        Self {
            elsewhere: Some(folder),
            ..Self::empty()
        }
    }

    /// The same database in another folder. Nobody may be writing.
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

    /// The database's folder.
    pub(crate) fn folder(&self) -> &Path {
        self.elsewhere.as_deref().unwrap_or(self.folder.path())
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder().join("balance.db")
    }

    /// Writes a file, and answers its path.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.folder.path().join(name);
        let mut file = File::create(&path).unwrap();
        file.write_all(content.as_ref()).unwrap();
        path.display().to_string()
    }

    /// A call of the binary on this database, with no settings but those of the call.
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

    /// A connection of the test's own. Close it: a dropped one lives on for a while.
    pub(crate) async fn connect(&self) -> SqliteConnection {
        SqliteConnectOptions::new()
            .filename(self.database())
            .busy_timeout(Duration::from_secs(20))
            .connect()
            .await
            .unwrap()
    }

    /// Runs a statement on a connection of the test's own.
    pub(crate) fn execute(&self, sql: &str) {
        block_on(async {
            let mut connection = self.connect().await;
            let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
            sql.execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        });
    }

    /// The rows of a query as text, columns joined by a bar.
    pub(crate) fn rows(&self, sql: &str) -> Vec<String> {
        block_on(async {
            let mut connection = self.connect().await;
            let rows = rows(&mut connection, sql).await;
            connection.close().await.unwrap();
            rows
        })
    }

    /// The one value of a query.
    #[track_caller]
    pub(crate) fn value(&self, sql: &str) -> String {
        let mut rows = self.rows(sql);
        assert_eq!(rows.len(), 1, "{sql}: {rows:?}");
        rows.remove(0)
    }

    /// What settling makes: statistics, revenue, weeks and months.
    pub(crate) fn results(&self) -> Vec<String> {
        self.tables(&["video_statistics", "video_revenue", "period_rollup"])
    }

    /// Every row of every table.
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
