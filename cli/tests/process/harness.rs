//! Runs the binary on a database in a folder of its own, and looks into that database.

use crate::dump::rows;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions,
};
use std::{
    fs::File,
    future::Future,
    io::Write,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// No process of a test may run longer.
pub(crate) const LONGEST: Duration = Duration::from_secs(180);
/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(2);

/// Looks until a condition holds; fails the test where it never does.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + LONGEST;
    while !holds() {
        assert!(Instant::now() < end, "in vain waited for: {what}");
        std::thread::sleep(LOOK);
    }
}

/// Runs a future to its end.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// What a test is told by an environment variable.
#[expect(
    clippy::disallowed_methods,
    reason = "what a test is told is no setting of the program"
)]
pub(crate) fn told(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A file named by an environment variable; says what is skipped where there is none.
pub(crate) fn given(name: &str, what: &str) -> Option<String> {
    let value = told(name);
    if value.is_none() {
        eprintln!("SKIPPED: {what}; give it with {name}=…");
    }
    value
}

/// How a process ended, and what it said.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    pub(crate) fn is_ok(&self) -> bool {
        self.status.success()
    }

    pub(crate) fn was_killed(&self) -> bool {
        self.status.signal() == Some(9)
    }

    /// Exit code 0.
    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert!(self.is_ok(), "{self:#?}");
        self
    }

    /// An exit code that is not 0 (and no signal), with words on standard error.
    #[track_caller]
    pub(crate) fn failed(self, words: &[&str]) -> Self {
        let code = self.status.code();
        assert!(code.is_some_and(|code| code != 0), "{self:#?}");
        for word in words {
            assert!(self.stderr.contains(word), "no {word:?} in {self:#?}");
        }
        assert!(!self.stderr.contains("panicked"), "{self:#?}");
        self
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).expect(&self.stdout)
    }
}

/// A call of the binary that is being put together.
pub(crate) struct Call {
    command: Command,
    stdin: Option<PathBuf>,
}

impl Call {
    pub(crate) fn env(mut self, name: &str, value: impl ToString) -> Self {
        self.command.env(name, value.to_string());
        self
    }

    /// What the process reads from its standard input.
    pub(crate) fn stdin(mut self, path: impl Into<PathBuf>) -> Self {
        self.stdin = Some(path.into());
        self
    }

    pub(crate) fn start(mut self) -> Running {
        let said = tempfile::tempdir().unwrap();
        let file = |name: &str| File::create(said.path().join(name)).unwrap();
        self.command.stdin(match self.stdin {
            Some(path) => Stdio::from(File::open(path).unwrap()),
            None => Stdio::null(),
        });
        let child = self
            .command
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .spawn()
            .unwrap();
        Running { child, said }
    }

    pub(crate) fn run(self) -> Outcome {
        self.start().wait()
    }
}

/// A process that runs; dies with its value.
pub(crate) struct Running {
    child: Child,
    said: TempDir,
}

impl Running {
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// What it has said on standard error so far.
    pub(crate) fn stderr(&self) -> String {
        std::fs::read_to_string(self.said.path().join("stderr")).unwrap()
    }

    /// The most memory that it has had resident so far, in KiB; nothing once it has ended.
    pub(crate) fn peak_kib(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().strip_suffix(" kB")?.trim().parse().ok()
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    /// SIGTERM.
    pub(crate) fn terminate(&self) {
        let id = self.child.id().to_string();
        let done = Command::new("kill").args(["-TERM", &id]).status();
        assert!(done.unwrap().success());
    }

    pub(crate) fn wait(mut self) -> Outcome {
        until("the process's end", || self.has_ended());
        let said = |name: &str| {
            let bytes = std::fs::read(self.said.path().join(name)).unwrap();
            String::from_utf8(bytes).expect("output is UTF-8")
        };
        Outcome {
            status: self.child.wait().unwrap(),
            stdout: said("stdout"),
            stderr: said("stderr"),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder with a database, and the files that a test makes.
pub(crate) struct Place {
    folder: TempDir,
    /// The database's folder, where it is not that one.
    elsewhere: Option<PathBuf>,
}

impl Place {
    /// An empty folder.
    pub(crate) fn empty() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            elsewhere: None,
        }
    }

    /// A database without plays.
    pub(crate) fn new() -> Self {
        let place = Self::empty();
        place.balance(&["migrate"]).run().succeeded();
        place
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
        Call {
            command,
            stdin: None,
        }
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
