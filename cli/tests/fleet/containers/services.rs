//! The commands, health checks and server options of `docker-compose.yml`, on servers that are
//! healthy, reject connections, freeze or are unavailable.

use crate::containers::images::Containers;
use balance_test_support::{
    process::{until, variable_or_skip},
    servers::{Database, PASSWORD, Servers, VALUES},
};
use std::{sync::Arc, thread};

const ROLES: [&str; 3] = ["migrate", "api", "worker"];
/// The services with a health check.
const CHECKED: [&str; 4] = ["mysql", "redis", "api", "worker"];
/// The status of curl if no server listens.
const CURL_NOT_CONNECTED: &str = "exit status: 7:";
/// The status of curl if the response is not 200.
const CURL_HTTP_ERROR: &str = "exit status: 22:";
/// The status of `balance workers --here` if no worker is alive.
const NO_WORKER: &str = "exit status: 1: ";

fn database(servers: &Arc<Servers>) -> Database {
    Database::new(servers.mariadb.url(PASSWORD, "balance"))
}

/// Returns the failures of the health checks, and asserts that no service is healthy.
#[track_caller]
fn failures<const N: usize>(containers: &Containers, names: [&str; N]) -> [String; N] {
    thread::scope(|scope| {
        let checks = names.map(|name| scope.spawn(move || containers.check(name)));
        let mut names = names.iter();
        checks.map(|check| {
            let answer = check.join().unwrap();
            let name = names.next().unwrap();
            answer.expect_err(&format!("{name} is healthy"))
        })
    })
}

/// Returns the values with a wrong one for a variable.
fn with_wrong(name: &'static str) -> [(&'static str, &'static str); 4] {
    VALUES.map(|(variable, value)| match variable == name {
        true => (variable, "wrong"),
        false => (variable, value),
    })
}

#[test]
fn every_role_runs_and_its_health_check_reports_its_state() {
    let servers = Servers::as_in_containers();
    let containers = Containers::new(&servers, &VALUES);
    for server in ["mysql", "redis"] {
        containers.until_healthy(server);
    }
    // In the file the other services wait for this one.
    assert!(containers.service("migrate").healthcheck.is_disabled());
    containers.command("migrate").run().succeeded();
    let [api, worker] = failures(&containers, ["api", "worker"]);
    assert!(api.starts_with(CURL_NOT_CONNECTED), "{api}");
    assert_eq!(worker, NO_WORKER);

    // The published port is the port of the API.
    let service = containers.service("api");
    let (_, port) = service.environment["LISTEN_ADDR"].rsplit_once(':').unwrap();
    assert_eq!(service.published(), [port.parse::<u16>().unwrap()]);
    let api = containers.command("api").start();
    containers.until_healthy("api");
    let first = containers.command("worker").start();
    containers.until_healthy("worker");
    let mut second = containers.command("worker").start();
    let database = database(&servers);
    let workers = "SELECT COUNT(*) FROM worker";
    until("another worker", || database.number(workers) == 2);

    containers.stop("worker", first).succeeded();
    containers.until_healthy("worker");
    second.kill();
    // The lease of the killed worker expires.
    database.execute("UPDATE worker SET alive_until_micros = last_seen_micros");
    assert_eq!(failures(&containers, ["worker"]), [NO_WORKER]);
    containers.until_healthy("api");
    // The database answers, but its schema is incomplete.
    database.execute("RENAME TABLE closed_through TO renamed");
    let [unready] = failures(&containers, ["api"]);
    assert!(unready.starts_with(CURL_HTTP_ERROR), "{unready}");
    database.execute("RENAME TABLE renamed TO closed_through");
    containers.until_healthy("api");
    containers.stop("api", api).succeeded();
    let [api] = failures(&containers, ["api"]);
    assert!(api.starts_with(CURL_NOT_CONNECTED), "{api}");
}

#[test]
fn a_wrong_password_is_unhealthy_and_prevents_the_start() {
    let servers = Servers::as_in_containers();
    let right = Containers::new(&servers, &VALUES);
    right.command("migrate").run().succeeded();
    let running = right.command("worker").start();
    right.until_healthy("worker");

    let wrong = Containers::new(&servers, &with_wrong("MYSQL_PASSWORD"));
    let [mysql, worker] = failures(&wrong, ["mysql", "worker"]);
    assert!(mysql.contains("Access denied"), "{mysql}");
    assert!(worker.contains("Access denied"), "{worker}");
    for role in ROLES {
        let outcome = wrong.command(role).run().failed(&["Access denied"]);
        assert!(!outcome.stderr.contains(PASSWORD), "{outcome:#?}");
    }

    let wrong = Containers::new(&servers, &with_wrong("REDIS_PASSWORD"));
    let [redis] = failures(&wrong, ["redis"]);
    assert!(redis.contains("NOAUTH"), "{redis}");
    wrong.command("worker").run().failed(&["REDIS_URL"]);

    right.stop("worker", running).succeeded();
}

#[test]
fn unavailable_and_frozen_services_are_unhealthy_until_they_return() {
    let servers = Servers::as_in_containers();
    let containers = Containers::new(&servers, &VALUES);
    let (mariadb, redis) = (&servers.mariadb.daemon, &servers.redis.daemon);
    // `migrate` retries until the server is available.
    mariadb.stop();
    let migrate = containers.command("migrate").start();
    failures(&containers, ["mysql"]);
    mariadb.restart();
    migrate.wait().succeeded();
    let running = ["api", "worker"].map(|role| (role, containers.command(role).start()));
    let until_all_are_healthy = || CHECKED.map(|name| containers.until_healthy(name));
    until_all_are_healthy();

    for server in [mariadb, redis] {
        server.signal("STOP");
    }
    let unanswered = failures(&containers, CHECKED);
    for server in [mariadb, redis] {
        server.signal("CONT");
    }
    assert!(unanswered[0].contains("no answer"), "{unanswered:?}");
    assert!(unanswered[1].contains("no answer"), "{unanswered:?}");
    assert!(unanswered[3].contains("no answer"), "{unanswered:?}");
    until_all_are_healthy();

    for server in [mariadb, redis] {
        server.kill();
    }
    let unavailable = failures(&containers, CHECKED);
    assert!(unavailable[0].contains("Can't connect"), "{unavailable:?}");
    assert!(
        unavailable[1].contains("Could not connect"),
        "{unavailable:?}"
    );
    assert!(
        !unavailable[2].starts_with(CURL_NOT_CONNECTED),
        "{unavailable:?}"
    );
    for server in [mariadb, redis] {
        server.restart();
    }
    until_all_are_healthy();
    for (role, running) in running {
        containers.stop(role, running).succeeded();
    }
}

#[test]
fn the_servers_have_the_options_of_the_file() {
    let servers = Servers::shared();
    let containers = Containers::new(&servers, &VALUES);
    let mysql = containers.service("mysql").options();
    let variable = |database: &Database, option: &str| {
        let variable = option.replace('-', "_");
        database.value(&format!("SELECT @@global.{variable}"))
    };
    let mariadb = Database::new(servers.mariadb.url(PASSWORD, "mysql"));
    for (option, value) in &mysql {
        assert_eq!(variable(&mariadb, option), *value, "{option}");
    }
    for (option, value) in containers.service("redis").options() {
        let reply = servers.redis.command(0, &["CONFIG", "GET", option]);
        let reply = reply.get(1).map_or("", String::as_str);
        assert_eq!(reply, value, "{option}");
    }
    // MySQL must know the options too.
    if let Some(url) = variable_or_skip("TEST_MYSQL_URL", "the server options on a real MySQL") {
        let server = Database::new(format!("{url}/mysql"));
        for (option, _) in &mysql {
            variable(&server, option);
        }
    }
}
