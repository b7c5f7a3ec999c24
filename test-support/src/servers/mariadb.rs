//! A MariaDB server.

use super::{Daemon, Machine, PASSWORD, Service, service};
use crate::process::{block_on, free_port, until};
use sqlx::{Connection, MySqlConnection};
use std::{process::Command, sync::Arc, time::Duration};
use tempfile::TempDir;

/// The databases' user.
const USER: &str = "balance";
/// A user without global rights, which the option `read_only` restricts.
const LIMITED_USER: &str = "limited";
/// A database that every user can read.
const COMMON_DATABASE: &str = "information_schema";
/// The time limit of a connection attempt.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// The rights of the databases' user.
#[derive(Clone, Copy)]
pub(super) enum Grants {
    /// All rights on all databases, so that each test can create one.
    AllDatabases,
    /// The rights that the image `mysql` grants: all rights on the one database that it creates.
    OneDatabase,
}

/// A MariaDB server. An acknowledged commit is in its log, and survives a kill.
pub struct MariaDb {
    pub daemon: Daemon,
    pub port: u16,
    _folder: TempDir,
}

impl MariaDb {
    pub(super) fn start(grants: Grants) -> Self {
        Self::start_with(grants, None, &[])
    }

    /// Starts a server on a machine whose disk the test controls. With a number it writes a binary log,
    /// for replicas; the number must be unique.
    pub fn start_on(machine: &Arc<Machine>, number: Option<u32>) -> Self {
        let replication = number.map(|number| {
            [
                format!("--server-id={number}"),
                "--log-bin=binlog".to_owned(),
                "--binlog-format=ROW".to_owned(),
            ]
        });
        let options: Vec<String> = replication.into_iter().flatten().collect();
        Self::start_with(Grants::AllDatabases, Some(machine), &options)
    }

    fn start_with(grants: Grants, machine: Option<&Arc<Machine>>, options: &[String]) -> Self {
        let service = service("mysql");
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let data_dir = format!("--datadir={}", data.display());
        let installed = Command::new("mariadb-install-db")
            .args(["--no-defaults", &data_dir, "--user=root", "--skip-test-db"])
            .arg("--auth-root-authentication-method=normal")
            // A separate folder: a starting server deletes the files of others in a shared folder.
            .env("TMPDIR", folder.path())
            .output()
            .expect("mariadb-install-db (Debian's mariadb-server)");
        assert!(installed.status.success(), "{installed:?}");
        let users = folder.path().join("users.sql");
        std::fs::write(&users, setup(service, grants)).unwrap();
        let port = free_port();
        // First the options of docker-compose.yml: MariaDB rejects unknown ones. Then the options of
        // this server; the last value of an option counts.
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
            // The tests kill servers, never the machine: written pages survive.
            "--innodb-flush-method=nosync".to_owned(),
        ]);
        args.extend_from_slice(options);
        let log = folder.path().join("log");
        let daemon = Daemon::start_on(machine.cloned(), "mariadbd", args, &log);
        let server = Self {
            daemon,
            port,
            _folder: folder,
        };
        server.until_ready();
        server
    }

    /// Waits until the server answers.
    pub fn until_ready(&self) {
        until("MariaDB to answer", || {
            self.daemon.assert_runs();
            let connection = MySqlConnection::connect(&self.url(PASSWORD, COMMON_DATABASE));
            block_on(async { tokio::time::timeout(ANSWER_LIMIT, connection).await })
                .is_ok_and(|connected| connected.is_ok())
        });
    }

    /// Returns the URL of the server, without a database.
    pub fn address(&self, password: &str) -> String {
        format!("mysql://{USER}:{password}@127.0.0.1:{}", self.port)
    }

    /// Returns the URL of the server for a user without global rights.
    pub fn limited_address(&self) -> String {
        format!("mysql://{LIMITED_USER}:{PASSWORD}@127.0.0.1:{}", self.port)
    }

    pub fn url(&self, password: &str, database: &str) -> String {
        format!("{}/{database}", self.address(password))
    }
}

/// Returns the SQL that the server executes at each start: the user and its grants.
fn setup(service: &Service, grants: Grants) -> String {
    let variable = |name: &str| &service.environment[name];
    let (user, password) = (variable("MYSQL_USER"), variable("MYSQL_PASSWORD"));
    let (database, scope) = match grants {
        Grants::AllDatabases => (limited_user(), "*".to_owned()),
        Grants::OneDatabase => {
            let database = variable("MYSQL_DATABASE");
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

/// Returns the SQL that creates the user without global rights, for the databases of the tests.
fn limited_user() -> String {
    let users = ["127.0.0.1", "localhost"].map(|host| {
        format!(
            "CREATE USER IF NOT EXISTS '{LIMITED_USER}'@'{host}' IDENTIFIED BY '{PASSWORD}';\n\
             GRANT ALL ON `balance\\_%`.* TO '{LIMITED_USER}'@'{host}';\n"
        )
    });
    users.concat()
}
