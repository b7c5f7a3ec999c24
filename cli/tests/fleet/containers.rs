//! `docker-compose.yml`, run: every role's command, every health check and every server option, as
//! they are written there, on servers that are well, refuse, freeze and are not there.

use crate::{
    common::program::{given, until},
    container::Containers,
    database::Database,
    servers::{PASSWORD, Servers, VALUES},
};
use std::{sync::Arc, thread};

const ROLES: [&str; 3] = ["migrate", "api", "worker"];
/// The services with a health check.
const CHECKED: [&str; 4] = ["mysql", "redis", "api", "worker"];
/// How curl ends where nobody listens.
const CURL_FINDS_NOBODY: &str = "exit status: 7:";
/// How curl ends where the answer is no 200.
const CURL_IS_REFUSED: &str = "exit status: 22:";
/// How `balance workers --here` ends where none is alive.
const NOT_HERE: &str = "exit status: 1: ";

fn database(servers: &Arc<Servers>) -> Database {
    Database::new(servers.mariadb.url(PASSWORD, "balance"))
}

/// What is wrong with each of these services; fails the test where one is well.
#[track_caller]
fn ills<const N: usize>(containers: &Containers, names: [&str; N]) -> [String; N] {
    thread::scope(|scope| {
        let checks = names.map(|name| scope.spawn(move || containers.check(name)));
        let mut names = names.iter();
        checks.map(|check| {
            let answer = check.join().unwrap();
            let name = names.next().unwrap();
            answer.expect_err(&format!("{name} counts as well"))
        })
    })
}

/// Values with another one for a variable.
fn with_wrong(name: &'static str) -> [(&'static str, &'static str); 4] {
    VALUES.map(|(variable, value)| match variable == name {
        true => (variable, "wrong"),
        false => (variable, value),
    })
}

#[test]
fn every_role_runs_as_it_is_written_and_its_check_tells_how_it_is() {
    let servers = Servers::as_in_containers();
    let containers = Containers::new(&servers, &VALUES);
    for server in ["mysql", "redis"] {
        containers.until_well(server);
    }
    // As the file has it, the others wait for this one.
    assert!(containers.service("migrate").healthcheck.disable);
    containers.command("migrate").run().succeeded();
    let [api, worker] = ills(&containers, ["api", "worker"]);
    assert!(api.starts_with(CURL_FINDS_NOBODY), "{api}");
    assert_eq!(worker, NOT_HERE);

    // What this machine is told of is what the API listens on.
    let written = containers.service("api");
    let (_, port) = written.environment["LISTEN_ADDR"].rsplit_once(':').unwrap();
    assert!(
        written
            .ports
            .iter()
            .all(|told| told.ends_with(&format!(":{port}")))
    );
    let api = containers.command("api").start();
    containers.until_well("api");
    let first = containers.command("worker").start();
    containers.until_well("worker");
    let mut second = containers.command("worker").start();
    let database = database(&servers);
    let workers = "SELECT COUNT(*) FROM worker";
    until("another worker", || database.number(workers) == 2);

    containers.stop("worker", first).succeeded();
    containers.until_well("worker");
    second.kill();
    // As its lease will.
    database.execute("UPDATE worker SET alive_until_micros = last_seen_micros");
    assert_eq!(ills(&containers, ["worker"]), [NOT_HERE]);
    containers.until_well("api");
    // A database that answers, and cannot be used.
    database.execute("RENAME TABLE closed_through TO elsewhere");
    let [unready] = ills(&containers, ["api"]);
    assert!(unready.starts_with(CURL_IS_REFUSED), "{unready}");
    database.execute("RENAME TABLE elsewhere TO closed_through");
    containers.until_well("api");
    containers.stop("api", api).succeeded();
    let [api] = ills(&containers, ["api"]);
    assert!(api.starts_with(CURL_FINDS_NOBODY), "{api}");
}

#[test]
fn a_wrong_password_is_no_health_and_no_start() {
    let servers = Servers::as_in_containers();
    let right = Containers::new(&servers, &VALUES);
    right.command("migrate").run().succeeded();
    let running = right.command("worker").start();
    right.until_well("worker");

    let wrong = Containers::new(&servers, &with_wrong("MYSQL_PASSWORD"));
    let [mysql, worker] = ills(&wrong, ["mysql", "worker"]);
    assert!(mysql.contains("Access denied"), "{mysql}");
    assert!(worker.contains("Access denied"), "{worker}");
    for role in ROLES {
        let outcome = wrong.command(role).run().failed(&["Access denied"]);
        assert!(!outcome.stderr.contains(PASSWORD), "{outcome:#?}");
    }

    let wrong = Containers::new(&servers, &with_wrong("REDIS_PASSWORD"));
    let [redis] = ills(&wrong, ["redis"]);
    assert!(redis.contains("NOAUTH"), "{redis}");
    wrong.command("worker").run().failed(&["REDIS_URL"]);

    right.stop("worker", running).succeeded();
}

#[test]
fn what_is_away_or_frozen_is_not_well_until_it_is_back() {
    let servers = Servers::as_in_containers();
    let containers = Containers::new(&servers, &VALUES);
    let (mariadb, redis) = (&servers.mariadb.daemon, &servers.redis.daemon);
    // Tries until the server is there.
    mariadb.stop();
    let migrate = containers.command("migrate").start();
    ills(&containers, ["mysql"]);
    mariadb.start_again();
    migrate.wait().succeeded();
    let running = ["api", "worker"].map(|role| (role, containers.command(role).start()));
    let until_all_are_well = || CHECKED.map(|name| containers.until_well(name));
    until_all_are_well();

    for server in [mariadb, redis] {
        server.signal("STOP");
    }
    let silent = ills(&containers, CHECKED);
    for server in [mariadb, redis] {
        server.signal("CONT");
    }
    assert!(silent[0].contains("no answer"), "{silent:?}");
    assert!(silent[1].contains("no answer"), "{silent:?}");
    assert!(silent[3].contains("no answer"), "{silent:?}");
    until_all_are_well();

    for server in [mariadb, redis] {
        server.kill();
    }
    let unavailable = ills(&containers, CHECKED);
    assert!(unavailable[0].contains("Can't connect"), "{unavailable:?}");
    assert!(
        unavailable[1].contains("Could not connect"),
        "{unavailable:?}"
    );
    assert!(
        !unavailable[2].starts_with(CURL_FINDS_NOBODY),
        "{unavailable:?}"
    );
    for server in [mariadb, redis] {
        server.start_again();
    }
    until_all_are_well();
    for (role, running) in running {
        containers.stop(role, running).succeeded();
    }
}

#[test]
fn the_servers_have_the_options_as_they_are_written() {
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
        let said = servers.redis.ask(0, &["CONFIG", "GET", option]);
        let said = said.get(1).map_or("", String::as_str);
        assert_eq!(said, value, "{option}");
    }
    // Whether MySQL knows them as well.
    if let Some(url) = given("TEST_MYSQL_URL", "the server options on a real MySQL") {
        let server = Database::new(format!("{url}/mysql"));
        for (option, _) in &mysql {
            variable(&server, option);
        }
    }
}
