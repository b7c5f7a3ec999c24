//! The fleet's servers: a MariaDB and a Redis of the tests' own, with passwords, each in a folder
//! of its own on a free port of the loopback.

use crate::{
    common::{
        port::free_port,
        program::{block_on, until},
    },
    daemon::Daemon,
};
use sqlx::{Connection, MySqlConnection};
use std::{
    process::Command,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;

/// The databases' and Redis's. It must never be seen in what the program prints.
pub(crate) const PASSWORD: &str = "Geheim-4711";
const USER: &str = "balance";
/// Numbered databases of the Redis, one for each test.
const REDIS_DATABASES: u32 = 64;
/// How long a look at a server waits for its answer.
const ANSWER: Duration = Duration::from_secs(5);

/// A MariaDB server. A commit is in its log when it is answered, so that it survives its death.
pub(crate) struct MariaDb {
    pub(crate) daemon: Daemon,
    port: u16,
    _folder: TempDir,
}

impl MariaDb {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let data_dir = format!("--datadir={}", data.display());
        let installed = Command::new("mariadb-install-db")
            .args(["--no-defaults", &data_dir, "--user=root", "--skip-test-db"])
            .arg("--auth-root-authentication-method=normal")
            // Of its own: a server that starts deletes what others have in a shared one.
            .env("TMPDIR", folder.path())
            .output()
            .expect("mariadb-install-db (Debian's mariadb-server)");
        assert!(installed.status.success(), "{installed:?}");
        let users = folder.path().join("users.sql");
        let create = |host: &str| {
            format!(
                "CREATE USER IF NOT EXISTS '{USER}'@'{host}' IDENTIFIED BY '{PASSWORD}';\n\
                 GRANT ALL ON *.* TO '{USER}'@'{host}';\n"
            )
        };
        std::fs::write(&users, create("127.0.0.1") + &create("localhost")).unwrap();
        let port = free_port();
        let args = vec![
            "--no-defaults".to_owned(),
            "--user=root".to_owned(),
            data_dir,
            format!("--port={port}"),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--tmpdir={}", folder.path().display()),
            format!("--socket={}", folder.path().join("socket").display()),
            format!("--pid-file={}", folder.path().join("pid").display()),
            format!("--init-file={}", users.display()),
            // As docker-compose.yml has them.
            "--innodb-flush-log-at-trx-commit=1".to_owned(),
            "--sync-binlog=1".to_owned(),
            "--max-connections=500".to_owned(),
            "--character-set-server=utf8mb4".to_owned(),
        ];
        let daemon = Daemon::start("mariadbd", args, &folder.path().join("log"));
        let server = Self {
            daemon,
            port,
            _folder: folder,
        };
        server.until_ready();
        server
    }

    /// Waits until it answers.
    pub(crate) fn until_ready(&self) {
        until("MariaDB to answer", || {
            self.daemon.assert_runs();
            let connection = MySqlConnection::connect(&self.url(PASSWORD, "mysql"));
            block_on(async { tokio::time::timeout(ANSWER, connection).await })
                .is_ok_and(|connected| connected.is_ok())
        });
    }

    /// Where it is, without a database's name.
    pub(crate) fn address(&self, password: &str) -> String {
        format!("mysql://{USER}:{password}@127.0.0.1:{}", self.port)
    }

    pub(crate) fn url(&self, password: &str, database: &str) -> String {
        format!("{}/{database}", self.address(password))
    }
}

/// A Redis server that writes everything down before it answers.
pub(crate) struct Redis {
    pub(crate) daemon: Daemon,
    port: u16,
    _folder: TempDir,
}

impl Redis {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let settings = [
            ("port", port.to_string()),
            ("bind", "127.0.0.1".to_owned()),
            ("dir", folder.path().display().to_string()),
            ("requirepass", PASSWORD.to_owned()),
            ("databases", REDIS_DATABASES.to_string()),
            ("appendonly", "yes".to_owned()),
            ("appendfsync", "always".to_owned()),
            ("maxmemory-policy", "noeviction".to_owned()),
            ("save", String::new()),
        ];
        let args = settings
            .into_iter()
            .flat_map(|(name, value)| [format!("--{name}"), value])
            .collect();
        let daemon = Daemon::start("redis-server", args, &folder.path().join("log"));
        let server = Self {
            daemon,
            port,
            _folder: folder,
        };
        server.until_ready();
        server
    }

    /// Waits until it answers and has read its file.
    pub(crate) fn until_ready(&self) {
        until("Redis to answer", || {
            self.daemon.assert_runs();
            self.try_ask(0, &["PING"])
                .is_ok_and(|said| said == ["PONG"])
        });
    }

    pub(crate) fn url(&self, password: &str, database: u32) -> String {
        format!("redis://:{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// A command to a numbered database, and the lines of its answer.
    #[track_caller]
    pub(crate) fn ask(&self, database: u32, command: &[&str]) -> Vec<String> {
        self.try_ask(database, command)
            .unwrap_or_else(|said| panic!("{command:?}: {said}"))
    }

    fn try_ask(&self, database: u32, command: &[&str]) -> Result<Vec<String>, String> {
        let (port, database) = (self.port.to_string(), database.to_string());
        let answer = Command::new("redis-cli")
            .args(["-e", "-p", &port, "-n", &database])
            .args(command)
            .env("REDISCLI_AUTH", PASSWORD)
            .output()
            .unwrap();
        if !answer.status.success() {
            return Err(format!("{answer:?}"));
        }
        let said = String::from_utf8(answer.stdout).unwrap();
        Ok(said.lines().map(str::to_owned).collect())
    }
}

/// Both servers.
pub(crate) struct Servers {
    pub(crate) mariadb: MariaDb,
    pub(crate) redis: Redis,
    places: AtomicU32,
}

impl Servers {
    /// Servers of one test's own, which it may kill.
    pub(crate) fn start() -> Arc<Self> {
        Arc::new(Self {
            mariadb: MariaDb::start(),
            redis: Redis::start(),
            places: AtomicU32::new(0),
        })
    }

    /// The servers of all tests that leave them alive; they end with the last of those that run.
    pub(crate) fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Servers>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let servers = Self::start();
            *shared = Arc::downgrade(&servers);
            servers
        })
    }

    /// A number for a database of one's own in each of them.
    pub(crate) fn next_place(&self) -> u32 {
        let place = self.places.fetch_add(1, Ordering::SeqCst);
        assert!(place < REDIS_DATABASES, "too many databases");
        place
    }
}
