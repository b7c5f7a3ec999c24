//! Holds the packaging to what is tested: `docker-compose.yml` is valid, and every command, setting
//! and server option in it is one that the program knows and that the fleet's tests run.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test's way to fail"
)]

use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

#[derive(Deserialize)]
struct Compose {
    services: BTreeMap<String, Service>,
}

#[derive(Deserialize)]
struct Service {
    image: String,
    #[serde(default)]
    command: Vec<String>,
    #[serde(default)]
    environment: BTreeMap<String, Scalar>,
    #[serde(default)]
    ports: Vec<String>,
    healthcheck: Option<HealthCheck>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Number(i64),
}

impl Scalar {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
        }
    }
}

#[derive(Deserialize)]
struct HealthCheck {
    #[serde(default)]
    test: Vec<String>,
}

/// The roles of our own image.
const ROLES: [&str; 3] = ["migrate", "api", "worker"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).expect(name)
}

fn compose() -> Compose {
    serde_saphyr::from_str(&read("docker-compose.yml")).unwrap()
}

/// What the program says of itself.
fn help(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_balance"))
        .args(args)
        .arg("--help")
        .env_clear()
        .output()
        .unwrap();
    assert!(output.status.success(), "{args:?}: {output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    // However it is wrapped.
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn docker_compose_takes_the_file() {
    let checked = Command::new("docker-compose")
        .current_dir(root())
        .args(["--env-file", ".env.example", "config", "-q"])
        .output();
    let Ok(checked) = checked else {
        eprintln!("SKIPPED: docker-compose's look at docker-compose.yml; install docker-compose");
        return;
    };
    assert!(checked.status.success(), "{checked:?}");
}

#[test]
fn every_role_runs_a_command_with_settings_that_the_program_knows() {
    let compose = compose();
    for role in ROLES {
        let service = &compose.services[role];
        assert_eq!(service.image, "balance");
        assert_eq!(service.command, [role]);
        let known = help(&[role]);
        for (name, value) in &service.environment {
            let is_known = known.contains(&format!("[env: {name}"));
            assert!(is_known, "{role}: {name} is no setting");
            assert!(!value.text().is_empty(), "{role}: {name}");
        }
        let check = service.healthcheck.as_ref().expect(role);
        if let [kind, program, args @ ..] = check.test.as_slice() {
            assert_eq!(kind, "CMD");
            match program.as_str() {
                "balance" => {
                    let args: Vec<&str> = args.iter().map(String::as_str).collect();
                    help(&args);
                }
                "curl" => assert!(read("Dockerfile").contains("ca-certificates curl")),
                other => panic!("{role}: {other} is not in the image"),
            }
        }
    }
    // Any number of them: nothing of a worker can collide.
    assert!(compose.services["worker"].ports.is_empty());
    for (service, host) in [("mysql", "@mysql:3306/"), ("redis", "@redis:6379/")] {
        assert!(compose.services.contains_key(service));
        let urls = compose.services["worker"].environment.values();
        assert!(urls.map(Scalar::text).any(|url| url.contains(host)));
    }
}

#[test]
fn the_servers_run_with_the_options_of_the_tests() {
    let compose = compose();
    let tests = read("cli/tests/fleet/servers.rs");
    let mysql = &compose.services["mysql"];
    assert_eq!(mysql.image, "mysql:8.4");
    assert!(mysql.command.len() >= 3);
    for option in &mysql.command {
        assert!(tests.contains(&format!("\"{option}\"")), "{option}");
    }
    let redis = &compose.services["redis"].command;
    let [program, options @ ..] = redis.as_slice() else {
        panic!("{redis:?}");
    };
    assert_eq!(program, "redis-server");
    for pair in options.chunks(2) {
        let [name, value] = pair else {
            panic!("{pair:?}");
        };
        let name = name.strip_prefix("--").expect("an option");
        // The password is another one.
        let in_tests = match name {
            "requirepass" => "(\"requirepass\", ".to_owned(),
            _ => format!("(\"{name}\", \"{value}\""),
        };
        assert!(tests.contains(&in_tests), "{in_tests}");
    }
    for option in [
        "appendonly",
        "appendfsync",
        "maxmemory-policy",
        "requirepass",
    ] {
        assert!(options.contains(&format!("--{option}")), "{option}");
    }
}

#[test]
fn every_secret_is_asked_for_and_explained() {
    let (compose, example) = (read("docker-compose.yml"), read(".env.example"));
    for name in [
        "MYSQL_ROOT_PASSWORD",
        "MYSQL_PASSWORD",
        "REDIS_PASSWORD",
        "JWT_SECRET",
    ] {
        assert!(compose.contains(&format!("${{{name}:?")), "{name}");
        assert!(example.contains(&format!("\n{name}=")), "{name}");
    }
}

#[test]
fn the_image_runs_as_nobody_in_particular_and_says_how_it_is() {
    let dockerfile = read("Dockerfile");
    let lines: Vec<&str> = dockerfile.lines().collect();
    let last_stage = lines
        .iter()
        .rposition(|line| line.starts_with("FROM"))
        .unwrap();
    let stage = &lines[last_stage..];
    let user = stage.iter().find_map(|line| line.strip_prefix("USER "));
    assert!(user.is_some_and(|user| !user.starts_with('0') && user != "root"));
    assert!(stage.iter().any(|line| line.starts_with("HEALTHCHECK")));
    assert!(stage.contains(&"ENTRYPOINT [\"balance\"]"));
    assert!(stage.contains(&"STOPSIGNAL SIGTERM"));
    help(&["workers", "--here"]);
    help(&["serve"]);
}
