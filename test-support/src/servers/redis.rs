//! A Redis server.

use super::{Daemon, Machine, PASSWORD, service};
use crate::process::{free_port, until};
use std::{process::Command, sync::Arc};
use tempfile::TempDir;

/// The number of numbered databases: one for each test.
pub(super) const REDIS_DATABASES: u32 = 256;

/// A Redis server that persists each command before it answers.
pub struct Redis {
    pub daemon: Daemon,
    pub port: u16,
    _folder: TempDir,
}

impl Redis {
    pub fn start() -> Self {
        Self::start_on(None)
    }

    /// Starts a server on a machine whose clock and disk the test controls.
    pub fn start_on(machine: Option<&Arc<Machine>>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        // First the options of docker-compose.yml, then those of this server; the last value counts.
        let own_options = [
            ("port", port.to_string()),
            ("bind", "127.0.0.1".to_owned()),
            ("dir", folder.path().display().to_string()),
            ("databases", REDIS_DATABASES.to_string()),
        ];
        let mut args = service("redis").words().to_vec();
        args.extend(
            own_options
                .into_iter()
                .flat_map(|(name, value)| [format!("--{name}"), value]),
        );
        let daemon = Daemon::start_on(
            machine.cloned(),
            "redis-server",
            args,
            &folder.path().join("log"),
        );
        let server = Self {
            daemon,
            port,
            _folder: folder,
        };
        server.until_ready();
        server
    }

    /// Waits until the server answers and has loaded its file.
    pub fn until_ready(&self) {
        until("Redis to answer", || {
            self.daemon.assert_runs();
            self.try_command(0, &["PING"])
                .is_ok_and(|lines| lines == ["PONG"])
        });
    }

    pub fn url(&self, password: &str, database: u32) -> String {
        format!("redis://:{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// Sends a command to a numbered database, and returns the lines of the reply.
    #[track_caller]
    pub fn command(&self, database: u32, command: &[&str]) -> Vec<String> {
        self.try_command(database, command)
            .unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    fn try_command(&self, database: u32, command: &[&str]) -> Result<Vec<String>, String> {
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
        let reply = String::from_utf8(answer.stdout).unwrap();
        Ok(reply.lines().map(str::to_owned).collect())
    }
}
