//! `docker-compose.yml` with its variables replaced: command, environment and health check of each
//! service. An unknown key is an error.

use serde::{Deserialize, de::IgnoredAny};
use std::{collections::BTreeMap, fs, path::Path, time::Duration};

/// The default of `stop_grace_period`.
const STOP_GRACE: &str = "10s";

#[derive(Deserialize)]
pub struct Compose {
    pub services: BTreeMap<String, Service>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    pub image: String,
    /// Whether process 1 is an init process that forwards signals and reaps orphans.
    #[serde(default)]
    pub init: bool,
    pub command: Vec<String>,
    pub environment: BTreeMap<String, String>,
    #[serde(default)]
    pub ports: Vec<String>,
    pub healthcheck: HealthCheck,
    stop_grace_period: Option<String>,
    // Keys that only a container engine uses.
    #[serde(rename = "build")]
    _build: Option<IgnoredAny>,
    #[serde(rename = "restart")]
    _restart: IgnoredAny,
    #[serde(rename = "volumes")]
    _volumes: Option<IgnoredAny>,
    #[serde(rename = "depends_on")]
    _depends_on: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthCheck {
    #[serde(default)]
    pub test: Vec<String>,
    /// Whether the service has no health check.
    #[serde(default)]
    pub disable: bool,
    timeout: Option<String>,
    #[serde(rename = "interval")]
    _interval: Option<IgnoredAny>,
    #[serde(rename = "start_period")]
    _start_period: Option<IgnoredAny>,
    #[serde(rename = "retries")]
    _retries: Option<IgnoredAny>,
}

impl Compose {
    /// Reads the file, and replaces its variables with these values.
    pub fn read(values: &[(&str, &str)]) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docker-compose.yml");
        let text = fs::read_to_string(path).expect("docker-compose.yml");
        let mut compose: Self = serde_saphyr::from_str(&text).expect("docker-compose.yml");
        for service in compose.services.values_mut() {
            let texts = service.command.iter_mut();
            let texts = texts.chain(service.environment.values_mut());
            for text in texts.chain(&mut service.healthcheck.test) {
                *text = interpolate(text, values);
            }
        }
        compose
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

    /// Returns the time between SIGTERM and SIGKILL.
    pub fn stop_grace(&self) -> Duration {
        duration(self.stop_grace_period.as_deref().unwrap_or(STOP_GRACE))
    }
}

impl HealthCheck {
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

/// Replaces the variables of a text: `${NAME}`, `${NAME:-default}`, `${NAME:?reason}`, and `$$` for
/// a dollar.
fn interpolate(text: &str, values: &[(&str, &str)]) -> String {
    let Some((before, rest)) = text.split_once('$') else {
        return text.to_owned();
    };
    if let Some(rest) = rest.strip_prefix('$') {
        return format!("{before}${}", interpolate(rest, values));
    }
    let variable = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
    let (variable, rest) = variable.unwrap_or_else(|| panic!("{text}"));
    let (name, otherwise) = variable.split_once(':').unwrap_or((variable, "?"));
    let given = values.iter().find(|(given, _)| *given == name);
    let value = given
        .map(|(_, value)| *value)
        .or_else(|| otherwise.strip_prefix('-'));
    let value = value.unwrap_or_else(|| panic!("{name} is not given"));
    format!("{before}{value}{}", interpolate(rest, values))
}

/// Parses a duration such as 40s or 1m.
fn duration(text: &str) -> Duration {
    let (number, unit) = text.split_at(text.len() - 1);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        other => panic!("{other} in {text}"),
    };
    Duration::from_secs(number.parse::<u64>().expect(text) * seconds)
}
