//! `docker-compose.yml` as Docker Compose resolves it: command, environment and health check of each
//! service.

use serde::Deserialize;
use std::{
    collections::BTreeMap,
    env,
    io::ErrorKind,
    path::Path,
    process::{Command, Output},
    time::Duration,
};

/// The default of `stop_grace_period`.
const STOP_GRACE: &str = "10s";

#[derive(Deserialize)]
pub struct Compose {
    pub services: BTreeMap<String, Service>,
}

#[derive(Deserialize)]
pub struct Service {
    pub image: String,
    /// Whether process 1 is an init process that forwards signals and reaps orphans.
    #[serde(default)]
    pub init: bool,
    pub command: Vec<String>,
    pub environment: BTreeMap<String, String>,
    #[serde(default)]
    ports: Vec<Port>,
    pub healthcheck: HealthCheck,
    stop_grace_period: Option<String>,
}

/// A published port, as version 1 and version 2 of Docker Compose write it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Port {
    /// `address:published:target/protocol`
    Short(String),
    Long {
        target: u16,
    },
}

impl Port {
    fn target(&self) -> u16 {
        match self {
            Self::Short(text) => {
                let port = text
                    .rsplit(':')
                    .next()
                    .and_then(|end| end.split('/').next());
                port.and_then(|port| port.parse().ok()).expect(text)
            }
            Self::Long { target } => *target,
        }
    }
}

#[derive(Deserialize)]
pub struct HealthCheck {
    #[serde(default)]
    pub test: Vec<String>,
    #[serde(default)]
    disable: bool,
    timeout: Option<String>,
}

impl Compose {
    /// Resolves the file with these values of its variables. A file `.env` has no effect.
    pub fn read(values: &[(&str, &str)]) -> Self {
        let resolved = config(&["docker-compose"], values)
            .or_else(|| config(&["docker", "compose"], values))
            .expect("Docker Compose is installed: apt-get install docker-compose");
        let text = String::from_utf8(resolved.stdout).expect("docker-compose.yml");
        assert!(
            resolved.status.success(),
            "docker-compose.yml: {}",
            String::from_utf8_lossy(&resolved.stderr)
        );
        // The output is a Compose file again: a dollar is doubled.
        serde_saphyr::from_str(&text.replace("$$", "$")).expect("docker-compose.yml")
    }
}

/// Runs `config` of Docker Compose. Returns `None` if the program is not installed.
fn config(program: &[&str], values: &[(&str, &str)]) -> Option<Output> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docker-compose.yml");
    let no_variables = tempfile::NamedTempFile::new().expect("a temporary file");
    let output = Command::new(program[0])
        .args(&program[1..])
        .arg("--env-file")
        .arg(no_variables.path())
        .arg("--file")
        .arg(file)
        .arg("config")
        .env_clear()
        .envs(env::vars().filter(|(name, _)| name == "PATH" || name == "HOME"))
        .envs(values.iter().copied())
        .output();
    match output {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        output => Some(output.expect("Docker Compose")),
    }
}

impl Service {
    /// Returns the options of the server, without their dashes.
    pub fn options(&self) -> Vec<(&str, &str)> {
        let mut words = self.words().iter();
        let mut options = Vec::new();
        while let Some(word) = words.next() {
            let option = word.strip_prefix("--").unwrap_or_else(|| panic!("{word}"));
            let value = || words.next().map(|value| (option, value.as_str()));
            let option = option.split_once('=').or_else(value);
            options.push(option.unwrap_or_else(|| panic!("{word} has no value")));
        }
        options
    }

    /// Returns the arguments of the command, without the program.
    pub fn words(&self) -> &[String] {
        let is_program = |word: &String| !word.starts_with("--");
        let program = self.command.first().is_some_and(is_program);
        &self.command[usize::from(program)..]
    }

    /// Returns the ports of the container that are published.
    pub fn published(&self) -> Vec<u16> {
        self.ports.iter().map(Port::target).collect()
    }

    /// Returns the time between SIGTERM and SIGKILL.
    pub fn stop_grace(&self) -> Duration {
        duration(self.stop_grace_period.as_deref().unwrap_or(STOP_GRACE))
    }
}

impl HealthCheck {
    /// Returns whether the service has no health check.
    pub fn is_disabled(&self) -> bool {
        self.disable || self.test == ["NONE"]
    }

    /// Returns the program of the check and its arguments.
    pub fn call(&self) -> Vec<&str> {
        let words: Vec<&str> = self.test.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["CMD", call @ ..] => call.to_vec(),
            ["CMD-SHELL", line] => vec!["/bin/sh", "-c", line],
            other => panic!("{other:?}"),
        }
    }

    /// Returns the time limit of a check.
    pub fn timeout(&self) -> Duration {
        duration(self.timeout.as_deref().expect("a check's timeout"))
    }
}

/// Parses a duration such as 40s or 1m0s.
fn duration(text: &str) -> Duration {
    humantime::parse_duration(text).expect(text)
}
