//! The fleet's servers: a MariaDB and a Redis of the tests' own, with the options and passwords of
//! `docker-compose.yml`, each in a folder of its own on a free port of the loopback.

use crate::{
    common::{
        port::free_port,
        program::{block_on, until},
    },
    compose::{Compose, Service},
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
/// What `docker-compose.yml` is filled in with.
pub(crate) const VALUES: [(&str, &str); 4] = [
    ("MYSQL_ROOT_PASSWORD", "Wurzel-4711"),
    ("MYSQL_PASSWORD", PASSWORD),
    ("REDIS_PASSWORD", PASSWORD),
    ("JWT_SECRET", "Siegel-4711-Wachs-0815-Faden-2342"),
];
/// The databases' user.
const USER: &str = "balance";
/// A database that everybody sees.
const EVERYBODYS: &str = "information_schema";
/// Numbered databases of the Redis, one for each test.
const REDIS_DATABASES: u32 = 64;
/// How long a look at a server waits for its answer.
const ANSWER: Duration = Duration::from_secs(5);

/// A service of `docker-compose.yml`.
fn written(name: &str) -> Service {
    let mut services = Compose::read(&VALUES).services;
    services.remove(name).expect(name)
}

/// What the databases' user may do.
#[derive(Clone, Copy)]
enum Rights {
    /// Make a database for each test.
    Databases,
    /// What the image `mysql` gives: everything in the one database that it makes.
    AsInContainers,
}

/// A MariaDB server. A commit is in its log when it is answered, so that it survives its death.
pub(crate) struct MariaDb {
    pub(crate) daemon: Daemon,
    pub(crate) port: u16,
    _folder: TempDir,
}

impl MariaDb {
    fn start(rights: Rights) -> Self {
        let service = written("mysql");
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
        std::fs::write(&users, setup(&service, rights)).unwrap();
        let port = free_port();
        // Those of docker-compose.yml as they are: one that MariaDB does not know ends it. Then those
        // of this place; the last counts.
        let mut args = vec!["--no-defaults".to_owned()];
        args.extend_from_slice(service.words());
        args.extend([
            "--user=root".to_owned(),
            data_dir,
            format!("--port={port}"),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--tmpdir={}", folder.path().display()),
            format!("--socket={}", folder.path().join("socket").display()),
            format!("--pid-file={}", folder.path().join("pid").display()),
            format!("--init-file={}", users.display()),
            // The tests kill servers and never the machine: what was written is not lost.
            "--innodb-flush-method=nosync".to_owned(),
        ]);
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
            let connection = MySqlConnection::connect(&self.url(PASSWORD, EVERYBODYS));
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

/// What a server does at each start: the user of the roles, and what it may do.
fn setup(service: &Service, rights: Rights) -> String {
    let of_image = |name: &str| &service.environment[name];
    let (user, password) = (of_image("MYSQL_USER"), of_image("MYSQL_PASSWORD"));
    let (database, scope) = match rights {
        Rights::Databases => (String::new(), "*".to_owned()),
        Rights::AsInContainers => {
            let database = of_image("MYSQL_DATABASE");
            let create = format!("CREATE DATABASE IF NOT EXISTS {database};\n");
            (create, database.clone())
        }
    };
    let users = ["127.0.0.1", "localhost"].map(|host| {
        format!(
            "CREATE USER IF NOT EXISTS '{user}'@'{host}' IDENTIFIED BY '{password}';\n\
             GRANT ALL ON {scope}.* TO '{user}'@'{host}';\n"
        )
    });
    database + &users.concat()
}

/// A Redis server that writes everything down before it answers.
pub(crate) struct Redis {
    pub(crate) daemon: Daemon,
    pub(crate) port: u16,
    _folder: TempDir,
}

impl Redis {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        // Those of docker-compose.yml, then those of this place; the last counts.
        let of_place = [
            ("port", port.to_string()),
            ("bind", "127.0.0.1".to_owned()),
            ("dir", folder.path().display().to_string()),
            ("databases", REDIS_DATABASES.to_string()),
        ];
        let mut args = written("redis").words().to_vec();
        args.extend(
            of_place
                .into_iter()
                .flat_map(|(name, value)| [format!("--{name}"), value]),
        );
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
        Self::with(Rights::Databases)
    }

    /// The same with the one database of `docker-compose.yml`, whose user may do nothing outside.
    pub(crate) fn as_in_containers() -> Arc<Self> {
        Self::with(Rights::AsInContainers)
    }

    fn with(rights: Rights) -> Arc<Self> {
        Arc::new(Self {
            mariadb: MariaDb::start(rights),
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
        let env = self.places.fetch_add(1, Ordering::SeqCst);
        assert!(env < REDIS_DATABASES, "too many databases");
        env
    }
}
