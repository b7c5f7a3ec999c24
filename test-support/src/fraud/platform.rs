//! The product as processes: one on SQLite, or a fleet on MariaDB and Redis.

use super::totals::{ADS, Totals, VIEWS};
use crate::{
    http::{Client, Server},
    process::{Call, Running, block_on, until},
    servers::{Database, PASSWORD, Servers, bound},
};
use balance_domain::playback::PlayRules;
use sqlx::{AssertSqlSafe, Connection, Row as _, SqliteConnection};
use std::{collections::BTreeMap, path::PathBuf, sync::Arc};
use tempfile::TempDir;

const SECRET: &str = "fraud-secret-0123456789-abcdefghijklm";
/// API processes of a fleet.
const PROCESSES: usize = 3;

/// Running processes with an empty database.
pub struct Platform {
    /// The name in the table, such as `Redis, 4 shards`.
    pub name: String,
    apis: Vec<Server>,
    /// Ends before the servers.
    worker: Option<Running>,
    store: Rows,
}

/// Access to the database of the processes.
enum Rows {
    Sqlite { url: String, _folder: TempDir },
    Fleet(Box<Fleet>),
}

struct Fleet {
    servers: Arc<Servers>,
    database: Database,
    /// The number of the Redis database.
    number: u32,
    _folder: TempDir,
}

impl Platform {
    /// Starts one process with the embedded intake.
    pub fn embedded(program: &str, rules: &PlayRules) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("balance.db").display());
        let call = calls(
            program,
            folder.path().into(),
            vec![("DATABASE_URL", url.clone())],
        );
        call(&["migrate"]).run().succeeded();
        store_rules(&call, rules);
        let store = Rows::Sqlite {
            url,
            _folder: folder,
        };
        store.add_ad();
        Self {
            name: "embedded, HTTP".to_owned(),
            apis: vec![Server::start(move || call(&["serve"]))],
            worker: None,
            store,
        }
    }

    /// Starts a fleet of API processes and a worker.
    pub fn redis(program: &str, rules: &PlayRules, servers: &Arc<Servers>, shards: u16) -> Self {
        let number = servers.next_database();
        let name = format!("balance_fraud_{}_{number}", std::process::id());
        let address = servers.mariadb.address(PASSWORD);
        Database::new(format!("{address}/mysql")).execute(&format!("CREATE DATABASE {name}"));
        let url = format!("{address}/{name}");
        let settings = vec![
            ("DATABASE_URL", url.clone()),
            ("REDIS_URL", servers.redis.url(PASSWORD, number)),
            ("INTAKE_SHARDS", shards.to_string()),
        ];
        let folder = tempfile::tempdir().unwrap();
        let call = calls(program, folder.path().into(), settings);
        call(&["migrate"]).run().succeeded();
        store_rules(&call, rules);
        let api = || {
            let call = call.clone();
            Server::start(move || call(&["api"]))
        };
        let store = Rows::Fleet(Box::new(Fleet {
            servers: Arc::clone(servers),
            database: Database::new(url),
            number,
            _folder: folder,
        }));
        store.add_ad();
        Self {
            name: format!(
                "Redis, {shards} shard{}",
                if shards == 1 { "" } else { "s" }
            ),
            apis: (0..PROCESSES).map(|_| api()).collect(),
            worker: Some(call(&["worker"]).start()),
            store,
        }
    }

    /// Returns a client of each API process.
    pub fn clients(&self) -> Vec<Client> {
        self.apis.iter().map(Server::client).collect()
    }

    /// Returns what each user was credited, after all events are in the history.
    pub fn totals(&self, index: impl Fn(i64) -> Option<usize>) -> BTreeMap<usize, Totals> {
        if let Rows::Fleet(fleet) = &self.store {
            fleet.until_drained();
        }
        Totals::parse(&self.store.rows(VIEWS), &self.store.rows(ADS), index)
    }

    /// Ends all processes.
    pub fn end(self) {
        if let Some(worker) = self.worker {
            worker.terminate();
            worker.wait().succeeded();
        }
        for api in self.apis {
            api.end().succeeded();
        }
    }
}

/// Returns calls of the program with only these settings.
fn calls(
    program: &str,
    folder: PathBuf,
    settings: Vec<(&'static str, String)>,
) -> impl Fn(&[&str]) -> Call + Clone + 'static {
    let program = std::fs::canonicalize(program).unwrap();
    move |args| {
        let mut command = bound(program.to_str().unwrap());
        command
            .args(args)
            .current_dir(&folder)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("JWT_SECRET", SECRET)
            .envs(settings.iter().map(|(name, value)| (name, value)));
        Call::new(command)
    }
}

/// Stores the rules of a run.
fn store_rules(call: &impl Fn(&[&str]) -> Call, rules: &PlayRules) {
    let options = [
        ("--view-window-s", rules.view_window_s.to_string()),
        ("--ad-interval-s", rules.ad_interval_s.to_string()),
        ("--max-playback-rate", rules.playback_rate.to_string()),
        ("--credit-burst-s", rules.credit_burst_s.to_string()),
        ("--max-unconfirmed-s", rules.max_unconfirmed_s.to_string()),
        ("--min-watch-s", rules.min_watch_s.to_string()),
        ("--views-per-minute", rules.views_per_minute.to_string()),
        ("--view-burst", rules.view_burst.to_string()),
    ];
    let options = options.iter().flat_map(|(name, value)| [*name, value]);
    let arguments: Vec<&str> = ["rules", "set"].into_iter().chain(options).collect();
    call(&arguments).run().succeeded();
}

impl Rows {
    fn add_ad(&self) {
        self.rows("INSERT INTO ad (id, title, created_at) VALUES (1, 'ad', '2024-01-01')");
    }

    fn rows(&self, sql: &str) -> Vec<String> {
        match self {
            Self::Fleet(fleet) => fleet.database.rows(sql),
            Self::Sqlite { url, .. } => block_on(async {
                let mut connection = SqliteConnection::connect(url).await.unwrap();
                let sql = AssertSqlSafe(sql.to_owned());
                let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
                rows.iter().map(text).collect()
            }),
        }
    }
}

/// Returns the columns of a row, joined by a bar. They are integers and texts.
fn text(row: &sqlx::sqlite::SqliteRow) -> String {
    let cell = |column| {
        let number = row
            .try_get::<i64, _>(column)
            .map(|number| number.to_string());
        number.unwrap_or_else(|_| row.get::<String, _>(column))
    };
    (0..row.len()).map(cell).collect::<Vec<_>>().join("|")
}

impl Fleet {
    /// Waits until the event writers have persisted all entries of all streams.
    fn until_drained(&self) {
        let command = |words: &[&str]| self.servers.redis.command(self.number, words);
        let streams = command(&["KEYS", "*:events"]);
        until("the event writers to persist all entries", || {
            streams.iter().all(|stream| {
                let lines = command(&["XINFO", "GROUPS", stream]);
                let value = |name: &str| {
                    let at = lines.iter().position(|line| line == name);
                    at.and_then(|at| lines.get(at + 1)).cloned()
                };
                [value("lag"), value("pending")]
                    .iter()
                    .all(|value| value.as_deref() == Some("0"))
            })
        });
    }
}
