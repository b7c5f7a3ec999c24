//! Containers without their engine: the commands and health checks of `docker-compose.yml`, called
//! as they are written there, with the environment that is written there and the programs of the
//! image. Only where the servers are, and what is listened on, is another place here.

use crate::{
    common::port::free_port,
    common::program::{Call, Outcome, Running, until},
    compose::{Compose, Service},
    daemon::bound,
    servers::Servers,
};
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Instant,
};
use tempfile::TempDir;

/// Where this machine has the programs.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// What the API listens on in its container.
const LISTEN: &str = "0.0.0.0:8080";

/// All services of the file.
pub(crate) struct Containers {
    compose: Compose,
    /// What is written, and where it is here.
    elsewhere: [(String, String); 3],
    folder: TempDir,
}

impl Containers {
    /// The services on these servers, with these values of the file's variables.
    pub(crate) fn new(servers: &Arc<Servers>, values: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (mysql, redis) = (servers.mariadb.port, servers.redis.port);
        let api = free_port();
        let bin = |image: &str| folder.path().join(image);
        // MariaDB's client has the options of MySQL's.
        let client = format!("mariadb --no-defaults --port={mysql}");
        install(&bin("mysql"), "mysql", &client);
        install(&bin("redis"), "redis-cli", &format!("redis-cli -p {redis}"));
        let curl = format!("curl --disable --connect-to 127.0.0.1:8080:127.0.0.1:{api}");
        install(&bin("balance"), "curl", &curl);
        install(&bin("balance"), "balance", env!("CARGO_BIN_EXE_balance"));
        let here = |port| format!("127.0.0.1:{port}");
        Self {
            compose: Compose::read(values),
            elsewhere: [
                ("@mysql:3306/".to_owned(), format!("@{}/", here(mysql))),
                ("@redis:6379/".to_owned(), format!("@{}/", here(redis))),
                (LISTEN.to_owned(), here(api)),
            ],
            folder,
        }
    }

    /// A service of the file.
    pub(crate) fn service(&self, name: &str) -> &Service {
        &self.compose.services[name]
    }

    /// The command of a role: an argument of the image's entry point.
    pub(crate) fn command(&self, role: &str) -> Call {
        let command = &self.service(role).command;
        let entry_point = ["balance"].into_iter();
        self.call(role, entry_point.chain(command.iter().map(String::as_str)))
    }

    /// Whether a service is well, by its health check; and why not.
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

    /// Waits until a service is well: its check may come too early.
    pub(crate) fn until_well(&self, name: &str) {
        let mut last = Ok(());
        until(&format!("{name} to be well"), || {
            last = self.check(name);
            last.is_ok()
        });
    }

    /// Asks a role to end, as the engine does; it does so before it would be killed.
    #[track_caller]
    pub(crate) fn stop(&self, role: &str, running: Running) -> Outcome {
        let service = self.service(role);
        assert!(
            service.init,
            "{role}: process 1 hears only what it asks for"
        );
        let began = Instant::now();
        running.terminate();
        let outcome = running.wait();
        assert!(began.elapsed() < service.stop_grace(), "{role}: killed");
        outcome
    }

    /// A program with the environment of a service, and nothing else of this machine.
    fn call<'a>(&self, name: &str, words: impl Iterator<Item = &'a str>) -> Call {
        let service = self.service(name);
        let image = service.image.split(':').next().unwrap_or_default();
        let programs = self.folder.path().join(image);
        // Looks for the program where the image has it, while `bound` finds its own.
        let mut command = bound("env");
        command
            .arg("--ignore-environment")
            .arg(format!("PATH={}", programs.display()))
            .args(service.environment.iter().map(|(name, value)| {
                let here = |value: String, (there, here): &(String, String)| {
                    value.replace(there.as_str(), here)
                };
                let value = self.elsewhere.iter().fold(value.clone(), here);
                format!("{name}={value}")
            }))
            .args(words)
            .current_dir(self.folder.path());
        Call::new(command)
    }
}

/// Puts a program into an image: a script that calls one of this machine.
fn install(image: &Path, name: &str, call: &str) {
    let draft: PathBuf = image.with_extension(name);
    let script = format!("#!/bin/sh\nPATH={PATH}\nexec {call} \"$@\"\n");
    std::fs::write(&draft, script).unwrap();
    // By a process of its own: while one of ours had it open for writing, what another test starts
    // just then could have it open as well, and it could not be run.
    let installed = Command::new("install")
        .args(["-D", "--mode=755", "--"])
        .args([&draft, &image.join(name)])
        .output();
    assert!(installed.unwrap().status.success(), "{name}");
}
