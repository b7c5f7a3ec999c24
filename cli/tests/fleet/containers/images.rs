//! Containers without a container engine: the commands and health checks of `docker-compose.yml`,
//! with their environment and with the programs of the images. Only the addresses are replaced.

use balance_test_support::{
    process::{Call, Outcome, Running, free_port, until},
    servers::{Compose, Servers, Service, bound},
};
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Instant,
};
use tempfile::TempDir;

/// The folders of the programs on this machine.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// The address of the API in its container.
const LISTEN: &str = "0.0.0.0:8080";

/// The services of the file.
pub(crate) struct Containers {
    compose: Compose,
    /// The addresses of the file, and their replacements.
    addresses: [(String, String); 3],
    folder: TempDir,
}

impl Containers {
    /// Returns the services on these servers, with these values of the file's variables.
    pub(crate) fn new(servers: &Arc<Servers>, values: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (mysql, redis) = (servers.mariadb.port, servers.redis.port);
        let api = free_port();
        let bin = |image: &str| folder.path().join(image);
        // The client of MariaDB accepts the options of the client of MySQL.
        let client = format!("mariadb --no-defaults --port={mysql}");
        install(&bin("mysql"), "mysql", &client);
        install(&bin("redis"), "redis-cli", &format!("redis-cli -p {redis}"));
        let curl = format!("curl --disable --connect-to 127.0.0.1:8080:127.0.0.1:{api}");
        install(&bin("balance"), "curl", &curl);
        install(&bin("balance"), "balance", env!("CARGO_BIN_EXE_balance"));
        let address = |port| format!("127.0.0.1:{port}");
        Self {
            compose: Compose::read(values),
            addresses: [
                ("@mysql:3306/".to_owned(), format!("@{}/", address(mysql))),
                ("@redis:6379/".to_owned(), format!("@{}/", address(redis))),
                (LISTEN.to_owned(), address(api)),
            ],
            folder,
        }
    }

    /// Returns a service of the file.
    pub(crate) fn service(&self, name: &str) -> &Service {
        &self.compose.services[name]
    }

    /// Returns the call of a role's command, with the entry point of the image.
    pub(crate) fn command(&self, role: &str) -> Call {
        let command = &self.service(role).command;
        let entry_point = ["balance"].into_iter();
        self.call(role, entry_point.chain(command.iter().map(String::as_str)))
    }

    /// Runs the health check of a service.
    ///
    /// # Errors
    /// The reason, if the service is unhealthy.
    pub(crate) fn check(&self, name: &str) -> Result<(), String> {
        let check = &self.service(name).healthcheck;
        let mut running = self.call(name, check.call().into_iter()).start();
        let end = Instant::now() + check.timeout();
        until("the end of a check", || {
            running.has_ended() || Instant::now() > end
        });
        if !running.has_ended() {
            return Err(format!("no answer: {}", running.stderr()));
        }
        let outcome = running.wait();
        if outcome.is_ok() {
            Ok(())
        } else {
            let Outcome { status, stderr, .. } = outcome;
            Err(format!("{status}: {stderr}"))
        }
    }

    /// Waits until a service is healthy.
    pub(crate) fn until_healthy(&self, name: &str) {
        let mut last = Ok(());
        until(&format!("{name} to be healthy"), || {
            last = self.check(name);
            last.is_ok()
        });
    }

    /// Ends a role with SIGTERM, and asserts that it ends within the grace period.
    #[track_caller]
    pub(crate) fn stop(&self, role: &str, running: Running) -> Outcome {
        let service = self.service(role);
        assert!(service.init, "{role}: process 1 must forward signals");
        let began = Instant::now();
        running.terminate();
        let outcome = running.wait();
        assert!(began.elapsed() < service.stop_grace(), "{role}: killed");
        outcome
    }

    /// Returns a call of a program with only the environment of a service.
    fn call<'a>(&self, name: &str, words: impl Iterator<Item = &'a str>) -> Call {
        let service = self.service(name);
        let image = service.image.split(':').next().unwrap_or_default();
        let programs = self.folder.path().join(image);
        // `env` searches the programs of the image; `bound` searches those of this machine.
        let mut command = bound("env");
        command
            .arg("--ignore-environment")
            .arg(format!("PATH={}", programs.display()))
            .args(service.environment.iter().map(|(name, value)| {
                let replace =
                    |value: String, (from, to): &(String, String)| value.replace(from.as_str(), to);
                let value = self.addresses.iter().fold(value.clone(), replace);
                format!("{name}={value}")
            }))
            .args(words)
            .current_dir(self.folder.path());
        Call::new(command)
    }
}

/// Installs a program into an image: a script that calls a program of this machine.
fn install(image: &Path, name: &str, call: &str) {
    let draft: PathBuf = image.with_extension(name);
    let script = format!("#!/bin/sh\nPATH={PATH}\nexec {call} \"$@\"\n");
    std::fs::write(&draft, script).unwrap();
    // A separate process writes the script. Otherwise a child of another test could inherit the open
    // file, and the script could not be executed.
    let installed = Command::new("install")
        .args(["-D", "--mode=755", "--"])
        .args([&draft, &image.join(name)])
        .output();
    assert!(installed.unwrap().status.success(), "{name}");
}
