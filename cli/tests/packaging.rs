//! Holds the packaging together: `docker-compose.yml`, `.env.example`, `Dockerfile`,
//! `.dockerignore`, and what the program knows. The fleet's tests run what `docker-compose.yml` defines.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test's way to fail"
)]

use balance_test_support::servers::{Compose, Service};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// The roles of our own image.
const ROLES: [&str; 3] = ["migrate", "api", "worker"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).expect(name)
}

fn compose() -> Compose {
    let example = read(".env.example");
    let values: Vec<(&str, &str)> = example
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .collect();
    Compose::read(&values)
}

/// Runs a command without the environment and returns its output.
fn printed(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_balance"))
        .args(args)
        .env_clear()
        .output()
        .unwrap();
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the help page of a command; fails if the command does not exist.
fn help(args: &[&str]) -> String {
    printed(&[args, &["--help"]].concat())
}

#[test]
fn every_role_runs_a_command_with_settings_that_the_program_knows() {
    let compose = compose();
    let settings = printed(&["help", "settings"]);
    for role in ROLES {
        let service = &compose.services[role];
        assert_eq!(service.image, "balance");
        assert_eq!(service.command, [role]);
        help(&[role]);
        for (name, value) in &service.environment {
            let is_known = settings.contains(&format!("\n{name}, --"));
            assert!(is_known, "{role}: {name} is no setting");
            assert!(!value.is_empty(), "{role}: {name}");
        }
        let check = &service.healthcheck;
        if check.is_disabled() {
            continue;
        }
        match check.call().as_slice() {
            ["balance", args @ ..] => {
                help(args);
            }
            ["curl", ..] => assert!(read("Dockerfile").contains("ca-certificates curl")),
            other => panic!("{role}: {other:?} is not in the image"),
        }
    }
    // Any number of them: nothing of a worker can collide.
    assert!(compose.services["worker"].published().is_empty());
}

#[test]
fn roles_have_the_names_and_passwords_of_the_servers() {
    let services = compose().services;
    let of = |service: &str, name: &str| services[service].environment[name].clone();
    let mysql = |name| of("mysql", name);
    let database = format!(
        "mysql://{}:{}@mysql:3306/{}",
        mysql("MYSQL_USER"),
        mysql("MYSQL_PASSWORD"),
        mysql("MYSQL_DATABASE")
    );
    let redis = format!("redis://:{}@redis:6379/0", of("redis", "REDISCLI_AUTH"));
    for role in ROLES {
        assert_eq!(of(role, "DATABASE_URL"), database, "{role}");
        assert_eq!(of(role, "REDIS_URL"), redis, "{role}");
    }
    let password = of("redis", "REDISCLI_AUTH");
    let options = services["redis"].options();
    assert!(options.contains(&("requirepass", password.as_str())));
    // Distinct values, so that a swapped name fails here.
    assert_ne!(mysql("MYSQL_PASSWORD"), password);
    assert_ne!(mysql("MYSQL_PASSWORD"), mysql("MYSQL_ROOT_PASSWORD"));
}

#[test]
fn the_servers_keep_what_they_acknowledge() {
    let services = compose().services;
    let (mysql, redis) = (&services["mysql"], &services["redis"]);
    assert_eq!(mysql.image, "mysql:8.4");
    // The image starts its server with options alone, and any other command instead of it.
    assert_eq!(mysql.command, mysql.words());
    for option in [
        ("innodb-flush-log-at-trx-commit", "1"),
        ("sync-binlog", "1"),
    ] {
        assert!(mysql.options().contains(&option), "{option:?}");
    }
    assert_eq!(redis.image, "redis:7.4");
    assert_eq!(redis.command[0], "redis-server");
    for option in [
        ("appendonly", "yes"),
        ("appendfsync", "always"),
        ("maxmemory-policy", "noeviction"),
    ] {
        assert!(redis.options().contains(&option), "{option:?}");
    }
    // Reachable from the other services only.
    assert!(mysql.published().is_empty() && redis.published().is_empty());
}

#[test]
fn compose_reports_no_obsolete_element() {
    // Version 2 of Docker Compose warns about the element in each command.
    assert!(!read("docker-compose.yml").contains("\nversion:"));
}

/// A number that a text has after a word.
fn number_after(text: &str, word: &str) -> u64 {
    let (_, rest) = text.split_once(word).expect(word);
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect(word)
}

#[test]
fn every_role_receives_sigterm_and_has_time_to_end() {
    let services = compose().services;
    let is_longer = |service: &Service, seconds: u64| {
        // A margin for closing the pools.
        service.stop_grace() >= Duration::from_secs(seconds + 5)
    };
    for role in ROLES {
        assert!(services[role].init, "{role}");
    }
    let worker = &services["worker"];
    let grace_s = worker.environment["GRACE_S"].parse().unwrap();
    assert!(is_longer(worker, grace_s), "{grace_s} s of GRACE_S");
    let api = read("api/src/server.rs");
    let grace_s = number_after(
        &api,
        "const SHUTDOWN_GRACE: Duration = Duration::from_secs(",
    );
    assert!(
        is_longer(&services["api"], grace_s),
        "{grace_s} s of the API"
    );
}

#[test]
fn every_health_check_ends_within_seconds() {
    for (name, service) in &compose().services {
        let check = &service.healthcheck;
        let is_short = || check.timeout() <= Duration::from_secs(5);
        assert!(check.is_disabled() || is_short(), "{name}");
    }
}

#[test]
fn every_secret_is_required_and_explained() {
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
fn the_image_runs_as_an_unprivileged_user_and_has_a_health_check() {
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
    help(&["serve"]);
    // By the checks that the fleet's tests run.
    let services = compose().services;
    let [api, worker] = ["api", "worker"].map(|role| services[role].healthcheck.call().join(" "));
    assert!(dockerfile.contains(&format!("    CMD {api} || {worker}\n")));
}

#[test]
fn the_image_is_built_by_the_workspaces_rust() {
    let manifest = read("Cargo.toml");
    let version = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = "))
        .unwrap()
        .trim_matches('"');
    let dockerfile = read("Dockerfile");
    let build = dockerfile.lines().find(|line| line.starts_with("FROM"));
    assert!(build.unwrap().starts_with(&format!("FROM rust:{version}-")));
    // What is compiled on one Debian runs on it.
    let debian = build.unwrap().split(['-', ' ']).nth(3).unwrap();
    assert!(dockerfile.contains(&format!("FROM debian:{debian}-slim")));
}

/// Whether `.dockerignore` keeps a path out: the last line that matches decides.
fn is_kept_out(path: &str) -> bool {
    let fits = |pattern: &str| match pattern.strip_prefix("**/") {
        Some(name) => path.split('/').any(|part| part == name),
        None => {
            let is_within = |rest: &str| rest.is_empty() || rest.starts_with('/');
            assert!(pattern == "*" || !pattern.contains('*'));
            pattern == "*" || path.strip_prefix(pattern).is_some_and(is_within)
        }
    };
    let mut is_out = false;
    for line in read(".dockerignore").lines() {
        match line.strip_prefix('!') {
            Some(pattern) if fits(pattern) => is_out = false,
            None if fits(line) => is_out = true,
            _ => {}
        }
    }
    is_out
}

#[test]
fn the_image_is_built_of_the_sources_and_of_nothing_else() {
    for path in [
        ".env",
        ".git",
        ".git/config",
        "target",
        "target/release/balance",
        "core/target",
        "data",
        "docs/README.md",
    ] {
        assert!(is_kept_out(path), "{path}");
    }
    let manifest = read("Cargo.toml");
    let (_, rest) = manifest.split_once("\nmembers = [").unwrap();
    let (members, _) = rest.split_once(']').unwrap();
    for member in members.split('"').skip(1).step_by(2) {
        assert!(!is_kept_out(&format!("{member}/src/lib.rs")), "{member}");
        let copied = format!("COPY {member}/Cargo.toml {member}/\n");
        assert!(read("Dockerfile").contains(&copied), "{member}");
    }
    for path in [
        "Cargo.toml",
        "Cargo.lock",
        "migrations/mysql",
        "lua",
        "docs/errors.md",
    ] {
        assert!(!is_kept_out(path), "{path}");
        assert!(root().join(path).exists(), "{path}");
    }
}

/// The README runs the program without its name, and the workspace has other binaries.
#[test]
fn cargo_run_without_a_name_runs_the_program() {
    let manifest = include_str!("../Cargo.toml");
    assert!(manifest.contains("\ndefault-run = \"balance\"\n"));
}
