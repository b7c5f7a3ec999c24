//! A world for a test: a fresh database in a folder of its own, a clock that stands where it is
//! put, and the real engine.

use async_trait::async_trait;
use balance_core::{
    batch::{execution::JobExecution, step::StepExecution},
    domain::{calendar::BusinessTimezone, playback::Play, user::UserId, video::VideoId},
    port::{
        Store,
        clock::Clock,
        jobs::JobRefusal,
        plays::{MAX_PLAY_BATCH, PlayCounts, PlayImportError, PlayRules, PlaySource, SourcedPlay},
    },
    queue::EmbeddedQueue,
    service::launcher::Launcher,
    store::SqlStore,
};
use balance_worker::{Worker, settings::WorkerSettings};
use chrono::NaiveDate;
use sqlx::{Connection, MySqlConnection, Row, SqliteConnection, TypeInfo, ValueRef};
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;

pub(crate) const MICROS: i64 = 1_000_000;

/// A date, from its text.
pub(crate) fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// An instant (UTC) in microseconds, from its text.
pub(crate) fn at(text: &str) -> i64 {
    text.parse::<chrono::DateTime<chrono::Utc>>()
        .unwrap()
        .timestamp_micros()
}

/// A clock that tells what it was told.
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn set(&self, micros: i64) {
        self.0.store(micros, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now_micros(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// How a day is settled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) partitions: u32,
    pub(crate) chunk_size: u32,
    pub(crate) concurrency: u32,
    pub(crate) skip_limit: u32,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            partitions: 4,
            chunk_size: 10,
            concurrency: 2,
            skip_limit: 0,
        }
    }
}

pub(crate) struct World {
    folder: Arc<TempDir>,
    /// The server's database, where the tests run on one (`TEST_MYSQL_URL`).
    server: Option<String>,
    pub(crate) store: Arc<SqlStore>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) timezone: BusinessTimezone,
}

impl World {
    /// A fresh database: of the server that `TEST_MYSQL_URL` names, else a file. The time is the
    /// noon (UTC) of 2024-06-30.
    pub(crate) async fn new() -> Self {
        Self::on(server_database().await).await
    }

    /// A fresh file, whatever the other tests run on.
    pub(crate) async fn embedded() -> Self {
        Self::on(None).await
    }

    async fn on(server: Option<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(TestClock(AtomicI64::new(at("2024-06-30T12:00:00Z"))));
        let path = folder.path().join("balance.db");
        let clock_of_store = Arc::<TestClock>::clone(&clock);
        let store = match &server {
            Some(url) => {
                SqlStore::migrate_mysql(url).await.unwrap();
                SqlStore::open_mysql(url, 8, 15, clock_of_store)
                    .await
                    .unwrap()
            }
            None => SqlStore::open_sqlite(&path, 4, clock_of_store)
                .await
                .unwrap(),
        };
        Self {
            folder: Arc::new(folder),
            server,
            store: Arc::new(store),
            clock,
            timezone: "Asia/Seoul".parse().unwrap(),
        }
    }

    /// The same database by connections of its own, as another process has them.
    pub(crate) async fn another(&self) -> Self {
        let clock = Arc::<TestClock>::clone(&self.clock);
        let store = match &self.server {
            Some(url) => SqlStore::open_mysql(url, 8, 15, clock).await.unwrap(),
            None => SqlStore::open_sqlite(&self.path(), 4, clock).await.unwrap(),
        };
        Self {
            folder: Arc::clone(&self.folder),
            server: self.server.clone(),
            store: Arc::new(store),
            clock: Arc::clone(&self.clock),
            timezone: self.timezone,
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("balance.db")
    }

    /// A launcher whose rings nobody hears.
    pub(crate) fn launcher(&self, partitions: u32) -> Launcher {
        self.wired(partitions).0
    }

    fn wired(&self, partitions: u32) -> (Launcher, balance_core::queue::EmbeddedBackend) {
        let (queue, backend) = EmbeddedQueue::new();
        let store: Arc<dyn Store> = Arc::<SqlStore>::clone(&self.store);
        let launcher = Launcher {
            store,
            queue: Arc::new(queue),
            clock: Arc::<TestClock>::clone(&self.clock),
            timezone: self.timezone,
            partitions,
        };
        (launcher, backend)
    }

    /// A worker at work, and the launcher that rings for it.
    pub(crate) fn worker(&self, shape: Shape) -> (Launcher, Worker) {
        let (launcher, backend) = self.wired(shape.partitions);
        let worker = Worker::start(launcher.clone(), settings(shape), backend);
        (launcher, worker)
    }

    /// Imports plays in the order given; the store wants them in the order of time.
    pub(crate) async fn import(
        &self,
        plays: &[Play],
        ads: u32,
    ) -> Result<PlayCounts, PlayImportError> {
        let rules = PlayRules {
            timezone: self.timezone,
            view_window_s: 30,
            ad_interval_s: 300,
            ads,
        };
        let mut sorted = plays.to_vec();
        sorted.sort_by_key(|play| (play.started_at_micros, play.user_id, play.video_id));
        let mut source = Plays(sorted);
        use balance_core::port::plays::PlayStore;
        self.store.import_plays(&mut source, rules).await
    }

    /// Launches a day and waits for its end.
    pub(crate) async fn settle(
        &self,
        date: NaiveDate,
        shape: Shape,
    ) -> Result<JobExecution, JobRefusal> {
        let (launcher, worker) = self.worker(shape);
        let launched = launcher.launch(date).await;
        let result = match launched {
            Ok(launched) => Ok(self.wait(launched.id).await),
            Err(error) => Err(error),
        };
        assert!(worker.stop().await);
        result
    }

    /// Waits for an execution's end.
    pub(crate) async fn wait(
        &self,
        id: balance_core::batch::execution::JobExecutionId,
    ) -> JobExecution {
        use balance_core::port::jobs::JobStore;
        let ended = async {
            loop {
                let execution = self.store.execution(id).await.unwrap().unwrap();
                if !execution.status.is_running() {
                    return execution;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), ended)
            .await
            .expect("the execution ends")
    }

    /// All steps and partitions of an execution.
    pub(crate) async fn steps(
        &self,
        id: balance_core::batch::execution::JobExecutionId,
    ) -> Vec<StepExecution> {
        use balance_core::port::jobs::JobStore;
        self.store.steps(id, None, 100_000).await.unwrap()
    }

    /// Whether this is a server's database.
    pub(crate) const fn is_server(&self) -> bool {
        self.server.is_some()
    }

    /// The tables, but for the migrations' own.
    pub(crate) async fn tables(&self) -> Vec<String> {
        let sql = if self.is_server() {
            "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() \
             AND table_name <> '_sqlx_migrations' ORDER BY table_name"
        } else {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> '_sqlx_migrations' \
             AND name NOT LIKE 'sqlite_%' ORDER BY name"
        };
        let mut tables = self.rows(sql).await;
        tables.sort();
        tables
    }

    /// A table's columns in order: name, type, and 1 where it takes no NULL.
    pub(crate) async fn columns(&self, table: &str) -> Vec<String> {
        if !self.is_server() {
            let sql = "SELECT name || ' ' || type || ' ' || \"notnull\" FROM pragma_table_info";
            return self.rows(&format!("{sql}('{table}') ORDER BY cid")).await;
        }
        let rows = self
            .rows(&format!(
                "SELECT column_name, UPPER(column_type), is_nullable = 'NO' \
                 FROM information_schema.columns WHERE table_schema = DATABASE() \
                 AND table_name = '{table}' ORDER BY ordinal_position"
            ))
            .await;
        // MariaDB tells how wide it would print a number.
        let strip = |row: String| {
            row.replace("BIGINT(20)", "BIGINT")
                .replace("SMALLINT(6)", "SMALLINT")
        };
        rows.into_iter()
            .map(|row| strip(row).replace('|', " "))
            .collect()
    }

    /// Lets time pass: for leases on a server, whose clock is its own, by making them older.
    pub(crate) async fn pass(&self, micros: i64) {
        self.clock.set(self.clock.now_micros() + micros);
        if self.server.is_some() {
            self.sql(&format!(
                "UPDATE step_lease SET lease_until_micros = lease_until_micros - {micros} \
                 WHERE lease_until_micros > 0"
            ))
            .await;
        }
    }

    /// Has the database run statements after each update of a column where a condition holds.
    pub(crate) async fn trigger(
        &self,
        name: &str,
        (table, column): (&str, &str),
        condition: &str,
        statements: &str,
    ) {
        self.sql(&match &self.server {
            Some(_) => format!(
                "CREATE TRIGGER {name} AFTER UPDATE ON {table} FOR EACH ROW BEGIN \
                 IF {condition} THEN {statements} END IF; END"
            ),
            None => format!(
                "CREATE TRIGGER {name} AFTER UPDATE OF {column} ON {table} \
                 WHEN {condition} BEGIN {statements} END"
            ),
        })
        .await;
    }

    /// Has the database set a column of a row that is updated, where a condition holds. `key` is
    /// the table's primary key.
    pub(crate) async fn meddle(
        &self,
        name: &str,
        (table, key): (&str, &str),
        condition: &str,
        (column, value): (&str, &str),
    ) {
        self.sql(&match &self.server {
            Some(_) => format!(
                "CREATE TRIGGER {name} BEFORE UPDATE ON {table} FOR EACH ROW BEGIN \
                 IF {condition} THEN SET NEW.{column} = {}; END IF; END",
                value.replace(column, &format!("NEW.{column}"))
            ),
            None => format!(
                "CREATE TRIGGER {name} AFTER UPDATE ON {table} WHEN {condition} BEGIN \
                 UPDATE {table} SET {column} = {value} WHERE {key} = NEW.{key}; END"
            ),
        })
        .await;
    }

    /// Has the database refuse a table's rows where a condition holds.
    pub(crate) async fn refuse(&self, table: &str, condition: &str, message: &str) {
        self.sql(&match &self.server {
            Some(_) => format!(
                "CREATE TRIGGER refuse BEFORE INSERT ON {table} FOR EACH ROW BEGIN \
                 IF {condition} THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{message}'; \
                 END IF; END"
            ),
            None => format!(
                "CREATE TRIGGER refuse BEFORE INSERT ON {table} WHEN {condition} \
                 BEGIN SELECT RAISE(ABORT, '{message}'); END"
            ),
        })
        .await;
    }

    /// Runs a statement on the test's own connection.
    pub(crate) async fn sql(&self, sql: &str) -> u64 {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        match &self.server {
            Some(url) => {
                let mut connection = MySqlConnection::connect(url).await.unwrap();
                let done = sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
                done.rows_affected()
            }
            None => {
                let url = format!("sqlite://{}", self.path().display());
                let mut connection = SqliteConnection::connect(&url).await.unwrap();
                let done = sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
                done.rows_affected()
            }
        }
    }

    /// The rows of a query as text, one string a row, columns joined by a bar.
    pub(crate) async fn rows(&self, sql: &str) -> Vec<String> {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        match &self.server {
            Some(url) => {
                let mut connection = MySqlConnection::connect(url).await.unwrap();
                let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
                rows.iter().map(mysql_row).collect()
            }
            None => {
                let url = format!("sqlite://{}", self.path().display());
                let mut connection = SqliteConnection::connect(&url).await.unwrap();
                let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
                rows.iter().map(sqlite_row).collect()
            }
        }
    }

    /// Everything that settling makes, for comparison: statistics, revenue, weeks and months.
    pub(crate) async fn results(&self) -> Vec<String> {
        let mut all = Vec::new();
        for (table, order) in [
            ("video_statistics", "video_id, date"),
            ("video_revenue", "video_id, date"),
            ("period_rollup", "period, start_date, video_id"),
        ] {
            let rows = self
                .rows(&format!("SELECT * FROM {table} ORDER BY {order}"))
                .await;
            all.extend(rows.into_iter().map(|row| format!("{table}|{row}")));
        }
        all
    }
}

/// A fresh database of the server that `TEST_MYSQL_URL` names (without a database's name).
async fn server_database() -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "which server to test on is the tests' setting"
    )]
    let server = std::env::var("TEST_MYSQL_URL").ok()?;
    static NUMBER: AtomicI64 = AtomicI64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::SeqCst);
    let name = format!("balance_test_{}_{number}", std::process::id());
    let mut connection = MySqlConnection::connect(&server).await.unwrap();
    for sql in [
        format!("DROP DATABASE IF EXISTS {name}"),
        format!("CREATE DATABASE {name}"),
    ] {
        let sql = sqlx::AssertSqlSafe(sql);
        sqlx::query(sql).execute(&mut connection).await.unwrap();
    }
    Some(format!("{}/{name}", server.trim_end_matches('/')))
}

fn sqlite_row(row: &sqlx::sqlite::SqliteRow) -> String {
    let cells = (0..row.len()).map(|column| {
        let value = row.try_get_raw(column).unwrap();
        if value.is_null() {
            return "NULL".to_owned();
        }
        match value.type_info().name() {
            "INTEGER" | "BIGINT" => row.get_unchecked::<i64, _>(column).to_string(),
            "BLOB" => format!("{:02x?}", row.get_unchecked::<Vec<u8>, _>(column)),
            _ => row.get_unchecked::<String, _>(column),
        }
    });
    cells.collect::<Vec<_>>().join("|")
}

fn mysql_row(row: &sqlx::mysql::MySqlRow) -> String {
    let cells = (0..row.len()).map(|column| {
        let value = row.try_get_raw(column).unwrap();
        if value.is_null() {
            return "NULL".to_owned();
        }
        match value.type_info().name() {
            "DATE" => row.get::<NaiveDate, _>(column).to_string(),
            "DATETIME" => row.get::<chrono::NaiveDateTime, _>(column).to_string(),
            // Sums: whole numbers here, sent as text.
            "DECIMAL" => row.get_unchecked::<String, _>(column),
            name if name.contains("INT") => row.get_unchecked::<i64, _>(column).to_string(),
            // Text of a binary collation is called so too.
            "BINARY" | "VARBINARY" | "BLOB" => {
                let bytes = row.get_unchecked::<Vec<u8>, _>(column);
                String::from_utf8(bytes)
                    .unwrap_or_else(|error| format!("{:02x?}", error.as_bytes()))
            }
            _ => row.get_unchecked::<String, _>(column),
        }
    });
    cells.collect::<Vec<_>>().join("|")
}

/// The settings of a worker in a test.
pub(crate) fn settings(shape: Shape) -> WorkerSettings {
    WorkerSettings {
        name: format!("test-{:?}", std::thread::current().id()),
        concurrency: shape.concurrency,
        lease_s: 15,
        chunk_timeout_s: 60,
        grace_s: 30,
        chunk_size: shape.chunk_size,
        skip_limit: shape.skip_limit,
        retry_limit: 3,
    }
}

/// A play of 10 seconds of a video of 100 seconds, whose owner is user 1,000,000.
pub(crate) fn play(user: i64, video: i64, started_at_micros: i64) -> Play {
    Play {
        user_id: UserId(user),
        video_id: VideoId(video),
        owner_id: UserId(1_000_000),
        started_at_micros,
        play_time_s: 10,
        duration_s: 100,
    }
}

/// So many plays of so many videos on one day (Seoul), no two of one user, so no repeats.
pub(crate) fn day_of_plays(day: &str, plays: i64, videos: i64) -> Vec<Play> {
    let noon = at(&format!("{day}T03:00:00Z"));
    (0..plays)
        .map(|n| play(n + 1, n * n % videos + 1, noon + n * MICROS))
        .collect()
}

/// The same, with each video played equally often.
pub(crate) fn even_day(day: &str, plays: i64, videos: i64) -> Vec<Play> {
    let noon = at(&format!("{day}T03:00:00Z"));
    (0..plays)
        .map(|n| play(n + 1, n % videos + 1, noon + n * MICROS))
        .collect()
}

struct Plays(Vec<Play>);

#[async_trait]
impl PlaySource for Plays {
    async fn next(&mut self) -> Result<Vec<SourcedPlay>, PlayImportError> {
        let count = self.0.len().min(MAX_PLAY_BATCH);
        Ok(self
            .0
            .drain(..count)
            .zip(1..)
            .map(|(play, line)| SourcedPlay {
                play,
                file: 0,
                line,
            })
            .collect())
    }
}
