//! Rejected commands: invalid settings, days, IDs and databases.

use crate::{
    env::{TestEnv, block_on},
    plays::{DAYS, half_settled},
    rows::assert_same,
};
use sqlx::Connection;

#[test]
fn bad_settings_are_reported_before_a_database_is_created() {
    let env = TestEnv::empty();
    for (name, value, words) in [
        ("LEASE_S", "0", "LEASE_S: 0 is not from 1 to 3600"),
        ("CHUNK_TIMEOUT_S", "0", "CHUNK_TIMEOUT_S: 0 is not from 1"),
        ("GRACE_S", "3601", "GRACE_S: 3601 is not from 0 to 3600"),
        ("CHUNK_SIZE", "0", "CHUNK_SIZE: 0 is not from 1"),
        ("CHUNK_SIZE", "5001", "CHUNK_SIZE: 5001 is not from 1"),
        ("RETRY_LIMIT", "101", "RETRY_LIMIT: 101"),
        ("WORKER_CONCURRENCY", "0", "WORKER_CONCURRENCY: 0"),
        ("WORKER_CONCURRENCY", "257", "WORKER_CONCURRENCY: 257"),
        ("PARTITIONS", "0", "--partitions"),
        ("PARTITIONS", "10001", "--partitions"),
        ("VIEW_WINDOW_S", "-1", "--view-window-s"),
        ("AD_INTERVAL_S", "0", "--ad-interval-s"),
        ("CREDIT_BURST_S", "3601", "--credit-burst-s"),
        ("MAX_UNCONFIRMED_S", "0", "--max-unconfirmed-s"),
        ("MIN_WATCH_S", "86401", "--min-watch-s"),
        ("VIEWS_PER_MINUTE", "0", "--views-per-minute"),
        ("VIEW_BURST", "100001", "--view-burst"),
        ("VIDEOS_PER_HOUR", "0", "--videos-per-hour"),
        ("VIDEO_BURST", "0", "--video-burst"),
        ("LEASE_S", "soon", "'soon' for '--lease-s"),
        ("LISTEN_ADDR", "here", "--listen"),
        (
            "BUSINESS_TIMEZONE",
            "Mars/Olympus",
            "neither an IANA time zone",
        ),
        ("BUSINESS_TIMEZONE", "", "--business-timezone"),
        ("DATABASE_URL", "", "DATABASE_URL"),
        ("DATABASE_URL", "balance.db", "DATABASE_URL"),
        ("DATABASE_URL", "sqlite://", "DATABASE_URL"),
        (
            "DATABASE_URL",
            "sqlite://:memory:",
            "DATABASE_URL: ':memory:' is not the path of a file; a database in memory",
        ),
        ("DATABASE_URL", "mysql://u:secret@host/db", "DATABASE_URL"),
        ("DATABASE_URL", "sqlite:///proc/none/x.db", "/proc/none"),
        ("DATABASE_URL", "sqlite:///proc", "/proc"),
    ] {
        let outcome = env
            .balance(&["settle"])
            .env(name, value)
            .run()
            .failed(&[words]);
        assert!(!outcome.stderr.contains("secret"), "{outcome:#?}");
        assert!(!env.database().exists(), "{name}={value} made a database");
        assert!(!env.folder().join(":memory:").exists(), "{value}");
    }
}

#[test]
fn another_zone_than_the_stored_one_is_rejected() {
    let env = half_settled();
    let before = env.everything();
    for command in [&["settle"][..], &["jobs", "list"], &["rates", "show"]] {
        env.balance(command)
            .env("BUSINESS_TIMEZONE", "UTC")
            .run()
            .failed(&["BUSINESS_TIMEZONE", "'UTC'", "'Asia/Seoul'"]);
    }
    let stored = env
        .balance(&["jobs", "list"])
        .env("BUSINESS_TIMEZONE", "Asia/Seoul");
    stored.run().succeeded();
    assert_same(&env.everything(), &before, "another zone");
}

#[test]
fn days_that_cannot_be_settled_are_rejected() {
    let env = half_settled();
    let before = env.everything();
    for (args, words) in [
        (
            &["--date", DAYS[0]][..],
            &["JobInstanceAlreadyComplete", DAYS[0]][..],
        ),
        (&["--date", "2999-01-01"], &["DayNotOver", "2999-01-01"]),
        (
            &["--from", DAYS[0], "--to", "2999-01-01"],
            &["DayNotOver", "2999-01-01"],
        ),
        (
            &["--from", "2024-05-02", "--to", "2024-05-01"],
            &["--from 2024-05-02", "after --to"],
        ),
        (&["--from", "2024-05-02"], &["--to"]),
        (
            &["--date", "2024-05-02", "--from", "2024-05-02"],
            &["cannot be used with"],
        ),
        (&["--date", "2024-02-30"], &["2024-02-30"]),
        (&["--date", "tomorrow"], &["tomorrow"]),
        // An earlier day has unsettled plays.
        (&["--date", "2024-05-01"], &["EarlierDayUnsettled", DAYS[1]]),
    ] {
        let mut all = vec!["settle"];
        all.extend(args);
        env.balance(&all).run().failed(words);
        assert_same(&env.everything(), &before, &format!("{args:?}"));
    }
}

#[test]
fn unknown_ids_and_finished_executions_are_rejected() {
    let env = half_settled();
    let before = env.everything();
    for command in ["show", "stop", "restart", "abandon"] {
        let unknown = env.balance(&["jobs", command, "99"]).run();
        unknown.failed(&["NoSuchJobExecution", "99"]);
    }
    let jobs = |command, id| env.balance(&["jobs", command, id]).run();
    jobs("retry", "99").failed(&["NoSuchStepExecution", "99"]);
    jobs("stop", "1").failed(&["JobExecutionNotRunning", "execution 1 is COMPLETED"]);
    jobs("restart", "1").failed(&["JobInstanceAlreadyComplete", DAYS[0]]);
    jobs("abandon", "1").failed(&["execution 1", "COMPLETED"]);
    jobs("retry", "1").failed(&["1"]);
    jobs("stop", "one").failed(&["one"]);
    assert_same(&env.everything(), &before, "rejected commands");
}

#[test]
fn a_database_locked_by_another_program_is_reported() {
    let env = half_settled();
    let before = env.everything();
    let file = env.file("plays.csv", crate::plays::csv(&["2024-05-01"], 5));
    let call = env.balance(&["import", &file]);
    let outcome = block_on(async {
        let mut other = env.connect().await;
        sqlx::raw_sql("BEGIN EXCLUSIVE")
            .execute(&mut other)
            .await
            .unwrap();
        let outcome = tokio::task::spawn_blocking(|| call.run()).await.unwrap();
        sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
        other.close().await.unwrap();
        outcome
    });
    outcome.failed(&["locked by another program"]);
    assert_same(&env.everything(), &before, "a locked database");
    env.balance(&["import", &file]).run().succeeded();
}

#[test]
fn a_file_that_is_no_database_is_not_changed() {
    let env = TestEnv::empty();
    let text = "This is a letter, not a database. ".repeat(200);
    std::fs::write(env.database(), &text).unwrap();
    for command in [&["settle"][..], &["migrate"], &["jobs", "list"]] {
        let path = env.database().display().to_string();
        env.balance(command)
            .run()
            .failed(&[&path, "not a database"]);
    }
    assert_eq!(std::fs::read_to_string(env.database()).unwrap(), text);
}

#[test]
fn a_database_of_a_newer_program_is_rejected() {
    let env = half_settled();
    env.execute(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (999999, 'of the future', 1, x'00', 0)",
    );
    let before = env.everything();
    env.balance(&["settle"])
        .run()
        .failed(&["newer than this program", "999999"]);
    assert_same(&env.everything(), &before, "a newer database");
}
