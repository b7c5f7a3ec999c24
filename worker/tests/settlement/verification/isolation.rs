//! `verify` reads while other connections write.

use crate::verification::fixtures::{assert_clean, lines, run_verify, settled, shape};
use balance_batch::status::BatchStatus;
use balance_service::verification::Options;
use balance_test_support::settlement::{Shape, TestEnv, date, even_day};
use sqlx::{AssertSqlSafe, Connection, MySqlConnection, SqliteConnection};

#[tokio::test(flavor = "multi_thread")]
async fn a_running_settlement_causes_no_false_difference() {
    let days: Vec<String> = (3..=8).map(|day| format!("2024-06-{day:02}")).collect();
    let env = TestEnv::new().await;
    for day in &days {
        env.import(&even_day(day, 600, 200), 1).await.unwrap();
    }
    let reader = env.reopen().await;
    let work = async {
        for day in &days {
            let shape = Shape {
                partitions: 5,
                chunk_size: 3,
                ..shape(0)
            };
            let ended = env.settle(date(day), shape).await.unwrap();
            assert_eq!(ended.status, BatchStatus::Completed);
        }
    };
    let mut runs = 0;
    // All days, then 30 times the running day: its rows change while they are read.
    let watch = async {
        loop {
            assert_clean(&reader, "running").await;
            let closed = reader.store.closed_through().await.unwrap();
            for _ in 0..30 {
                let one = Options {
                    from: closed,
                    to: closed,
                    limit: 20,
                };
                let verified = run_verify(&reader, one).await;
                assert_eq!(lines(&verified), [""; 0], "{closed:?} running");
            }
            runs += 1;
        }
    };
    tokio::select! {
        () = work => {}
        () = watch => {}
    }
    assert!(runs > 1, "{runs} rounds");
    assert_clean(&reader, "done").await;
}

/// Whether the count is 0, or the server cannot return it.
async fn sees_none(url: &str, sql: &str) -> bool {
    let mut connection = MySqlConnection::connect(url).await.unwrap();
    let sql = AssertSqlSafe(sql.to_owned());
    let count: Result<i64, sqlx::Error> = sqlx::query_scalar(sql).fetch_one(&mut connection).await;
    matches!(count, Ok(0) | Err(sqlx::Error::Database(_)))
}

/// A verification waits for no lock and reads only committed rows.
#[tokio::test(flavor = "multi_thread")]
async fn it_reads_while_a_writer_has_locked_every_row() {
    let env = settled().await;
    let everything = "UPDATE video_statistics SET view_count = view_count + 1; \
                      UPDATE BATCH_STEP_EXECUTION SET WRITE_COUNT = WRITE_COUNT + 1; \
                      UPDATE closed_through SET date = NULL";
    match &env.server {
        Some(url) => {
            let mut writer = MySqlConnection::connect(url).await.unwrap();
            let begun = format!("START TRANSACTION; {everything}");
            sqlx::raw_sql(AssertSqlSafe(begun))
                .execute(&mut writer)
                .await
                .unwrap();
            // Ordinary sessions read committed rows; a verification uses REPEATABLE READ.
            let isolated = async {
                let name = env.rows("SELECT DATABASE()").await.remove(0);
                let sql = format!(
                    "SELECT COUNT(*) FROM information_schema.innodb_trx t \
                     JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id \
                     WHERE p.db = '{name}' AND t.trx_isolation_level = 'REPEATABLE READ' \
                     AND t.trx_is_read_only = 1"
                );
                // MySQL returns an error while the list of transactions contains another test's
                // statement with binary data. The query is repeated then.
                while sees_none(url, &sql).await {}
            };
            let watched = async {
                loop {
                    assert_clean(&env, "beside a writer").await;
                }
            };
            let seen = async {
                tokio::select! {
                    () = isolated => {}
                    () = watched => {}
                }
            };
            tokio::time::timeout(std::time::Duration::from_secs(30), seen)
                .await
                .expect("a verification that repeats its reads");
            assert_clean(&env, "beside a writer").await;
        }
        None => {
            let url = format!("sqlite://{}", env.path().display());
            let mut writer = SqliteConnection::connect(&url).await.unwrap();
            let begun = format!("BEGIN IMMEDIATE; {everything}");
            sqlx::raw_sql(AssertSqlSafe(begun))
                .execute(&mut writer)
                .await
                .unwrap();
            assert_clean(&env, "beside a writer").await;
        }
    }
}
