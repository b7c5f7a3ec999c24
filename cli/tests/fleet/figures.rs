//! The results of a real log are equal on each database: a file, MariaDB, and the MySQL server of
//! `TEST_MYSQL_URL`.

use crate::{env::TestEnv, worker::Fleet};
use balance_test_support::{
    day_job::RESULT_TABLES,
    process::{Call, block_on, variable_or_skip},
    rows::assert_same,
    servers::{PASSWORD, Servers, bound},
};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row, raw_sql, sqlite::SqliteConnectOptions};
use std::path::Path;

const DAYS: usize = 15;
const IMPORTED: &str = "33,118 read = 33,118 new + 0 already there + 0 repeats";

/// Returns the results of the log in embedded mode.
fn on_a_file(log: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("balance.db");
    for args in [&["import", "--ads", "1", log][..], &["settle"]] {
        let mut command = bound(env!("CARGO_BIN_EXE_balance"));
        command
            .args(args)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("DATABASE_URL", format!("sqlite://{}", path.display()));
        Call::new(command).run().succeeded();
    }
    block_on(rows_of_file(&path))
}

async fn rows_of_file(path: &Path) -> Vec<String> {
    let mut connection = SqliteConnectOptions::new()
        .filename(path)
        .connect()
        .await
        .unwrap();
    let mut all = Vec::new();
    for (table, order) in RESULT_TABLES {
        let sql = format!("SELECT * FROM {table} ORDER BY {order}");
        let rows = raw_sql(AssertSqlSafe(sql)).fetch_all(&mut connection);
        for row in rows.await.unwrap() {
            let cells: Vec<String> = (0..row.len())
                .map(|column| row.get_unchecked::<String, _>(column))
                .collect();
            all.push(format!("{table}|{}", cells.join("|")));
        }
    }
    connection.close().await.unwrap();
    all
}

/// Asserts that two workers of a fleet produce the results of the file.
fn assert_same_on(address: &str, log: &str, expected: &[String], what: &str) {
    let env = TestEnv::empty_at(&Servers::shared(), address);
    env.balance(&["migrate"]).run().succeeded();
    let imported = env.balance(&["import", "--ads", "1", log]).run();
    let imported = imported.succeeded();
    assert!(imported.stdout.contains(IMPORTED), "{what}: {imported:#?}");
    let fleet = Fleet::start(&env, 2);
    env.until_settled(DAYS, what);
    fleet.end();
    env.assert_all_complete(DAYS, what);
    assert_same(&env.results(), expected, what);
    env.balance(&["verify"]).run().succeeded();
    let total = "SELECT SUM(total_revenue), COUNT(*) FROM video_revenue";
    assert_eq!(env.database.value(total), "3361800|14212", "{what}");
    env.drop_database();
}

#[test]
fn the_real_log_has_the_same_rows_on_every_database() {
    let Some(log) = variable_or_skip("TEST_WATCH_LOG", "the results of the real log on servers")
    else {
        return;
    };
    let expected = on_a_file(&log);
    let servers = Servers::shared();
    assert_same_on(
        &servers.mariadb.address(PASSWORD),
        &log,
        &expected,
        "MariaDB",
    );
    if let Some(mysql) = variable_or_skip(
        "TEST_MYSQL_URL",
        "the results of the real log on a real MySQL",
    ) {
        assert_same_on(&mysql, &log, &expected, "MySQL");
    }
}
