//! Bad input of a fleet: addresses, passwords, schemas, messages, contexts and time zones. Each is
//! reported by name without a panic, and no password is printed.

use crate::{env::TestEnv, plays, worker::Fleet};
use balance_test_support::{
    process::{Outcome, free_port, until},
    servers::{PASSWORD, Servers},
};

const DAY: &str = "2024-03-30";
const WRONG: &str = "Falsch-0815";

/// Asserts that the call is rejected with these words and without a password.
#[track_caller]
fn assert_rejected(outcome: Outcome, words: &[&str]) {
    let outcome = outcome.failed(words);
    assert_eq!(outcome.status.code(), Some(1), "{outcome:#?}");
    assert_no_password(&outcome);
}

#[track_caller]
fn assert_no_password(outcome: &Outcome) {
    for password in [PASSWORD, WRONG] {
        for output in [&outcome.stdout, &outcome.stderr] {
            assert!(!output.contains(password), "{outcome:#?}");
        }
    }
}

#[test]
fn invalid_addresses_are_rejected() {
    let env = TestEnv::new(&Servers::shared());
    let databases = [
        format!("postgres://balance:{PASSWORD}@127.0.0.1/balance"),
        format!("mysql://balance:{PASSWORD}@127.0.0.1:port/balance"),
        format!("mysql://balance:{PASSWORD}@127.0.0.1:99999/balance"),
        PASSWORD.to_owned(),
        String::new(),
    ];
    for database in &databases {
        for command in [&["worker"][..], &["jobs", "list"], &["migrate"]] {
            let call = env.balance(command).env("DATABASE_URL", database);
            assert_rejected(call.run(), &["DATABASE_URL"]);
        }
    }
    let queues = [
        format!("http://:{PASSWORD}@127.0.0.1/0"),
        format!("redis://:{PASSWORD}@127.0.0.1:port/0"),
        format!("redis://:{PASSWORD}@127.0.0.1/no-number"),
        PASSWORD.to_owned(),
        String::new(),
    ];
    for queue in &queues {
        let call = env.balance(&["worker"]).env("REDIS_URL", queue);
        assert_rejected(call.run(), &["REDIS_URL"]);
        let call = env.balance(&["worker"]).env("QUEUE_REDIS_URL", queue);
        assert_rejected(call.run(), &["QUEUE_REDIS_URL"]);
    }
}

#[test]
fn wrong_passwords_are_rejected_at_once() {
    let servers = Servers::shared();
    let env = TestEnv::new(&servers);
    // The test fails if the program retries for an hour.
    let call = |name, value| {
        let call = env.balance(&["worker"]).env("CONNECT_TIMEOUT_S", 3_600);
        call.env(name, value).run()
    };
    let database = servers.mariadb.url(WRONG, "mysql");
    assert_rejected(
        call("DATABASE_URL", database),
        &["DATABASE_URL", "denied access"],
    );
    let queue = servers.redis.url(WRONG, env.number);
    assert_rejected(
        call("REDIS_URL", queue),
        &["REDIS_URL", "rejected the user or password"],
    );
    let unknown = servers.mariadb.url(PASSWORD, "no_such_database");
    assert_rejected(
        call("DATABASE_URL", unknown),
        &["DATABASE_URL", "no_such_database"],
    );
}

#[test]
fn an_api_without_a_secret_or_with_a_weak_one_is_rejected() {
    let env = TestEnv::new(&Servers::shared());
    let api = || {
        let address = format!("127.0.0.1:{}", free_port());
        env.balance(&["api"]).env("LISTEN_ADDR", address)
    };
    assert_rejected(api().run(), &["JWT_SECRET: required", "openssl rand"]);
    for weak in ["", "short", "change-me-change-me-change-me-change-me"] {
        let outcome = api().env("JWT_SECRET", weak).run();
        assert!(weak.is_empty() || !outcome.stderr.contains(weak));
        assert_rejected(outcome, &["JWT_SECRET"]);
    }
    // Before the process waits for an unavailable server.
    let unused = format!("mysql://balance:{PASSWORD}@127.0.0.1:{}/x", free_port());
    let call = api().env("DATABASE_URL", unused);
    let outcome = call.env("CONNECT_TIMEOUT_S", 3_600).run();
    assert_rejected(outcome, &["JWT_SECRET: required"]);
}

#[test]
fn an_unavailable_server_is_retried_up_to_the_time_limit() {
    let env = TestEnv::new(&Servers::shared());
    let unused = free_port();
    for (name, address) in [
        (
            "DATABASE_URL",
            format!("mysql://balance:{PASSWORD}@127.0.0.1:{unused}/balance"),
        ),
        (
            "REDIS_URL",
            format!("redis://:{PASSWORD}@127.0.0.1:{unused}/0"),
        ),
    ] {
        let call = env.balance(&["worker"]).env(name, address);
        let outcome = call.env("CONNECT_TIMEOUT_S", 2).run();
        assert_rejected(outcome, &[name, "retrying for", "gave up after 2 s"]);
    }
}

#[test]
fn a_schema_of_another_version_is_rejected() {
    let servers = Servers::shared();
    let empty = TestEnv::empty(&servers);
    let commands = [
        &["worker"][..],
        &["settle"],
        &["jobs", "list"],
        &["workers"],
    ];
    for command in commands {
        let outcome = empty.balance(command).run();
        assert_rejected(outcome, &["older than this program", "balance migrate"]);
    }
    empty.balance(&["migrate"]).run().succeeded();
    empty.balance(&["jobs", "list"]).run().succeeded();

    let newest = "(SELECT MAX(version) FROM (SELECT version FROM _sqlx_migrations) AS all_of_them)";
    let env = TestEnv::new(&servers);
    env.database.execute(&format!(
        "UPDATE _sqlx_migrations SET success = FALSE WHERE version = {newest}"
    ));
    for command in commands {
        let outcome = env.balance(command).run();
        assert_rejected(outcome, &["older than this program", "balance migrate"]);
    }
    env.database.execute(
        "UPDATE _sqlx_migrations SET success = TRUE; \
         INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'from the future', TRUE, x'00', 0)",
    );
    for command in commands.into_iter().chain([&["migrate"][..]]) {
        assert_rejected(env.balance(command).run(), &["newer than this program"]);
    }
}

#[test]
fn another_time_zone_than_the_stored_one_is_rejected() {
    let env = TestEnv::new(&Servers::shared());
    let call = env.balance(&["worker"]).env("BUSINESS_TIMEZONE", "UTC");
    assert_rejected(call.run(), &["BUSINESS_TIMEZONE", "'UTC'", "'Asia/Seoul'"]);
}

#[test]
fn foreign_messages_are_logged_and_dropped() {
    let servers = Servers::shared();
    let env = TestEnv::new(&servers).with("BALANCE_LOG", "info");
    let fleet = Fleet::start(&env, 1);
    let redis_command = |command: &[&str]| servers.redis.command(env.number, command);
    let long = "x".repeat(100_000);
    let foreign = [
        "rubbish",
        "{\"id\": 42}",
        "-1",
        "4.2",
        "",
        "99999999999999999999",
        &long,
    ];
    let identity = env.identity();
    let queue_key = |name: &str| format!("{{balance:{identity}}}:steps:{name}");
    let active = queue_key("active");
    for (number, payload) in (0..).zip(foreign) {
        // The format of a message of the queue.
        let id = format!("01ARZ3NDEKTSV4RRFFQ69G5FA{number}");
        let metadata = queue_key(&format!("meta:{id}"));
        redis_command(&["HSET", &queue_key("data"), &id, payload]);
        redis_command(&[
            "HSET",
            &metadata,
            "attempts",
            "0",
            "max_attempts",
            "1",
            "status",
            "Pending",
            "idempotency_key",
            "",
        ]);
        redis_command(&["RPUSH", &active, &id]);
    }
    // Two IDs without data.
    redis_command(&["RPUSH", &active, "01ARZ3NDEKTSV4RRFFQ69G5FAX", "not an id"]);
    let log = || fleet.workers[0].stderr();
    until("each foreign message to be logged", || {
        log().matches("foreign message").count() >= foreign.len()
    });
    until("the queue to be empty", || {
        redis_command(&["LLEN", &active]) == ["0"]
    });
    assert!(log().len() < 50_000, "a long message is truncated");

    env.import(&plays::day(DAY, 60));
    let settled = env.balance(&["settle", "--date", DAY, "--no-work"]).run();
    settled.succeeded();
    fleet.end();
    env.assert_all_complete(1, "after foreign messages");
}

#[test]
fn a_damaged_context_fails_its_partition_with_the_reason() {
    const DAMAGED: &str = "dayStatisticsStep:partition1";
    let env = TestEnv::new(&Servers::shared()).with("PARTITIONS", 4);
    env.import(&plays::day(DAY, 200));
    env.database.execute(&format!(
        "CREATE TRIGGER test_damage BEFORE INSERT ON BATCH_STEP_EXECUTION_CONTEXT \
         FOR EACH ROW BEGIN IF (SELECT STEP_NAME FROM BATCH_STEP_EXECUTION \
         WHERE STEP_EXECUTION_ID = NEW.STEP_EXECUTION_ID) = '{DAMAGED}' \
         THEN SET NEW.SHORT_CONTEXT = 'rubbish', NEW.SERIALIZED_CONTEXT = NULL; END IF; END"
    ));
    let fleet = Fleet::start(&env, 2);
    let status = "SELECT STATUS FROM BATCH_JOB_EXECUTION";
    until("the execution to fail", || {
        env.database.rows(status) == ["FAILED"]
    });
    let failed = env.database.rows(
        "SELECT STEP_NAME, EXIT_MESSAGE FROM BATCH_STEP_EXECUTION \
         WHERE STATUS = 'FAILED' AND STEP_NAME LIKE '%:%'",
    );
    assert_eq!(failed.len(), 1, "{failed:?}");
    let (step, reason) = failed[0].split_once('|').unwrap();
    assert_eq!(step, DAMAGED);
    assert!(reason.contains("context"), "{reason}");
    let others = "SELECT COUNT(*) FROM BATCH_STEP_EXECUTION \
                  WHERE STATUS = 'COMPLETED' AND STEP_NAME LIKE 'dayStatisticsStep:%'";
    assert_eq!(env.database.value(others), "3");
    // The workers have survived, and the command shows the reason.
    fleet.end();
    let shown = env.balance(&["jobs", "show", "1"]).run().succeeded();
    assert!(shown.stdout.contains("FAILED"), "{shown:#?}");
    assert!(shown.stdout.contains("context"), "{shown:#?}");
}
