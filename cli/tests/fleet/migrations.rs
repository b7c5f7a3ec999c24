//! Migrations of a server's database: those of other programs are rejected, and an interrupted
//! migration continues.

use crate::{
    env::TestEnv,
    inventory::{self, Inputs, READ, WITHOUT, words},
};
use balance_test_support::servers::Servers;

const SECRET: &str = "0123456789abcdefghijklmnopqrstuv";

/// Returns the statements that would create the tables, the rows that migrations insert, and the
/// applied migrations.
fn schema(env: &TestEnv) -> Vec<String> {
    let database = &env.database;
    let tables = database.rows(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() \
         ORDER BY table_name",
    );
    let mut all = Vec::new();
    for table in &tables {
        all.extend(database.rows(&format!("SHOW CREATE TABLE {table}")));
        if table != "_sqlx_migrations" {
            let rows = database.rows(&format!("SELECT * FROM {table}"));
            all.extend(rows.into_iter().map(|row| format!("{table}: {row}")));
        }
    }
    all.extend(database.rows(
        "SELECT version, description, success, HEX(checksum) FROM _sqlx_migrations ORDER BY 1",
    ));
    // The identity of the event stream is random.
    all.retain(|row| !row.starts_with("setting: stream_identity|"));
    all
}

#[test]
fn every_command_leaves_a_schema_of_another_program_unchanged() {
    let servers = Servers::shared();
    let input = tempfile::tempdir().unwrap();
    let csv = input.path().join("input.csv");
    std::fs::write(&csv, "user_id\n").unwrap();
    let inputs = Inputs {
        csv: &csv.display().to_string(),
        new: &input.path().join("new").display().to_string(),
        folder: &input.path().display().to_string(),
    };
    let spring = "CREATE TABLE BATCH_JOB_INSTANCE (JOB_INSTANCE_ID BIGINT PRIMARY KEY); \
                  CREATE TABLE BATCH_JOB_SEQ (ID BIGINT NOT NULL)";
    let other = "CREATE TABLE BATCH_JOB_INSTANCE (id BIGINT PRIMARY KEY); \
                 CREATE VIEW BATCH_JOB_SEQ AS SELECT 1 AS x; \
                 CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT, \
                 success BOOLEAN, checksum BLOB); \
                 INSERT INTO _sqlx_migrations VALUES (1, 'x', TRUE, x'00')";
    for tables in [spring, other] {
        let env = TestEnv::empty(&servers).with("JWT_SECRET", SECRET);
        env.database.execute(tables);
        let objects = "SELECT table_name, table_type, create_time, update_time, table_rows \
                       FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY 1";
        let before = env.database.rows(objects);
        let help = |args: &[&str]| env.balance(args).run().succeeded().stdout;
        for (name, args) in inventory::commands(&help) {
            // A demo has a file of its own.
            if name == "demo" || (WITHOUT.contains(&name) && name != "events replay") {
                continue;
            }
            let outcome = env.balance(&words(name, args, &inputs)).run();
            let message = match name {
                "backup" => &["DATABASE_URL", "mysqldump --single-transaction"][..],
                _ => &[
                    "DATABASE_URL",
                    "tables of another program",
                    "BATCH_JOB_INSTANCE",
                    "empty database of its own",
                ],
            };
            outcome.failed(message);
            assert_eq!(env.database.rows(objects), before, "{name}");
        }
    }
}

#[test]
fn commands_that_read_store_nothing() {
    let env = TestEnv::new(&Servers::shared());
    env.database.execute("DELETE FROM setting");
    for name in READ {
        if name.starts_with("report") || name == "jobs show" {
            continue;
        }
        let words: Vec<&str> = name.split(' ').collect();
        env.balance(&words).run().succeeded();
        assert_eq!(
            env.database.rows("SELECT * FROM setting").len(),
            0,
            "{name}"
        );
    }
}

#[test]
fn a_migration_that_is_killed_after_any_statement_continues() {
    let servers = Servers::shared();
    let expected = schema(&TestEnv::new(&servers));
    let env = TestEnv::empty(&servers);
    let mut kills = 0;
    loop {
        // Each process ends after one more commit: before, during or after a statement.
        let call = env.balance(&["migrate"]).env("BALANCE_KILL_AT", "after:1");
        let outcome = call.run();
        if !outcome.was_killed() {
            outcome.succeeded();
            break;
        }
        kills += 1;
        assert!(kills < 2_000, "the migrations make no progress");
    }
    eprintln!("{kills} kills");
    assert!(kills > 150, "{kills}");
    assert_eq!(schema(&env), expected);
    env.balance(&["jobs", "list"]).run().succeeded();
}

#[test]
fn a_migration_that_a_table_blocks_continues_without_it() {
    let servers = Servers::shared();
    let expected = schema(&TestEnv::new(&servers));
    let env = TestEnv::empty(&servers);
    let applied = "SELECT COUNT(*) FROM information_schema.tables \
                   WHERE table_schema = DATABASE() AND table_name = 'play_history'";
    while env.database.number(applied) == 0 {
        let call = env.balance(&["migrate"]).env("BALANCE_KILL_AT", "after:40");
        assert!(call.run().was_killed());
    }
    env.balance(&["jobs", "list"])
        .run()
        .failed(&["older than this program", "balance migrate"]);
    env.database.execute("CREATE TABLE worker (id BIGINT)");
    // A repeated attempt does not take the table for its own.
    for _ in 0..3 {
        let outcome = env.balance(&["migrate"]).run();
        outcome.failed(&["statement 1 of migration 4 failed", "already exists"]);
    }
    env.database.execute("DROP TABLE worker");
    env.balance(&["migrate"]).run().succeeded();
    assert_eq!(schema(&env), expected);
}

#[test]
fn a_part_of_a_migration_of_an_older_program_is_named() {
    let env = TestEnv::new(&Servers::shared());
    env.database
        .execute("UPDATE _sqlx_migrations SET success = FALSE WHERE version = 12");
    let before = schema(&env);
    let outcome = env.balance(&["migrate"]).run();
    outcome.failed(&["a part of migration 12", "restore a backup"]);
    env.database.execute("DROP TABLE _balance_migration");
    assert_eq!(schema(&env), before);
}
