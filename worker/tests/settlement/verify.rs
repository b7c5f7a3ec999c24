//! `verify`: clean on whatever the engine leaves, and every planted fault found and named.

use crate::{
    env::{MICROS, Shape, TestEnv, date, even_day},
    test_worker::TestWorker,
};
use balance_batch::status::BatchStatus;
use balance_domain::{clock::Clock, playback::Play};
use balance_service::verification::{Kind, Options, Progress, Verified, verify};
use sqlx::{AssertSqlSafe, Connection, MySqlConnection, SqliteConnection};

/// A Monday, the days after it, and the month after.
pub(crate) const DAY: &str = "2024-05-27";
pub(crate) const NEXT: &str = "2024-05-28";
pub(crate) const LATER: &str = "2024-06-01";

pub(crate) const ALL: Options = Options {
    from: None,
    to: None,
    limit: 20,
};

fn plays(day: &str) -> Vec<Play> {
    let mut plays = even_day(day, 200, 40);
    // Of its owner alone, and of long plays with ads.
    plays.push(Play {
        user_id: balance_domain::accounts::UserId(1_000_000),
        ..crate::env::play(1, 77, plays[0].started_at_micros)
    });
    for (play, number) in plays.iter_mut().zip(0..) {
        play.duration_s = 1_000;
        play.play_time_s = if number % 7 == 0 { 700 } else { 10 };
    }
    plays
}

fn shape(skip_limit: u32) -> Shape {
    Shape {
        partitions: 4,
        chunk_size: 4,
        concurrency: 2,
        skip_limit,
    }
}

async fn imported(days: &[&str]) -> TestEnv {
    let env = TestEnv::new().await;
    for day in days {
        env.import(&plays(day), 1).await.unwrap();
    }
    env
}

/// Three settled days: two of one week, and one of the same week and the next month.
pub(crate) async fn settled() -> TestEnv {
    let env = imported(&[DAY, NEXT, LATER]).await;
    for day in [DAY, NEXT, LATER] {
        settle(&env, day, 0).await;
    }
    env
}

pub(crate) async fn settle(env: &TestEnv, day: &str, skip_limit: u32) {
    let ended = env.settle(date(day), shape(skip_limit)).await.unwrap();
    assert_eq!(
        ended.status,
        BatchStatus::Completed,
        "{}",
        ended.exit_message
    );
}

impl TestEnv {
    pub(crate) async fn verified(&self, options: Options) -> Verified {
        let store = self.store.as_ref();
        let mut told = 0;
        let mut tell = |progress: Progress| {
            told += 1;
            assert_eq!(progress.done, told);
            assert!(progress.done <= progress.total);
        };
        verify(store, self.timezone, options, &mut tell)
            .await
            .unwrap()
    }

    /// The differences, one a line.
    pub(crate) async fn differences(&self) -> Vec<String> {
        lines(&self.verified(ALL).await)
    }

    pub(crate) async fn assert_clean(&self, what: &str) {
        let found = self.differences().await;
        assert!(found.is_empty(), "{what}: {found:#?}");
    }
}

pub(crate) fn lines(verified: &Verified) -> Vec<String> {
    Kind::ALL
        .into_iter()
        .flat_map(|kind| verified.findings.shown(kind))
        .map(|one| {
            format!(
                "{}: {} ({}) {}: {} / {}",
                one.kind.name(),
                one.table,
                one.key,
                one.column,
                one.expected,
                one.found
            )
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_database_is_clean() {
    let env = TestEnv::new().await;
    let verified = env.verified(ALL).await;
    assert!(verified.findings.is_clean());
    assert_eq!((verified.days, verified.executions), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn settled_days_are_clean_and_counted() {
    let env = settled().await;
    let verified = env.verified(ALL).await;
    assert_eq!(lines(&verified), [""; 0]);
    assert_eq!((verified.days, verified.settled_days), (3, 3));
    // The owner's video too: it has plays, and rightly no row.
    assert_eq!((verified.videos, verified.executions), (3 * 41, 3));
    // One week, two months.
    assert_eq!((verified.period_rows, verified.pruned), (3 * 40, 0));
    let some = Options {
        from: Some(date(NEXT)),
        to: Some(date(NEXT)),
        limit: 20,
    };
    let verified = env.verified(some).await;
    assert_eq!(lines(&verified), [""; 0]);
    assert_eq!((verified.days, verified.executions), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn unsettled_history_and_days_without_plays_are_clean() {
    let env = imported(&[DAY, LATER]).await;
    env.assert_clean("nothing settled").await;
    settle(&env, DAY, 0).await;
    settle(&env, NEXT, 0).await;
    env.assert_clean("a day without plays").await;
    assert_eq!(env.verified(ALL).await.days, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_is_clean_at_each_of_its_moments() {
    let env = imported(&[DAY, NEXT]).await;
    settle(&env, DAY, 0).await;
    let test_worker = TestWorker::launch(&env, NEXT, 3).await;
    env.assert_clean("planned").await;
    let mut claim = test_worker.claim(test_worker.partitions[0], 1).await;
    env.assert_clean("claimed").await;
    test_worker.chunk(&mut claim, 5).await.unwrap();
    env.assert_clean("a chunk").await;
    test_worker.expire_leases().await;
    test_worker.claim(test_worker.partitions[0], 2).await;
    env.assert_clean("taken over").await;
    test_worker.launcher.stop(test_worker.job).await.unwrap();
    env.assert_clean("stopping").await;
    test_worker.expire_leases().await;
    test_worker.launcher.advance(test_worker.job).await.unwrap();
    let stopped = env.wait(test_worker.job).await;
    assert_eq!(stopped.status, BatchStatus::Stopped);
    env.assert_clean("stopped").await;
    settle(&env, NEXT, 0).await;
    env.assert_clean("restarted").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_each_step_is_clean_and_so_is_what_follows() {
    for step in ["dayStatisticsStep", "dayRevenueStep", "periodRollupStep"] {
        for abandons in [false, true] {
            let env = imported(&[DAY, NEXT]).await;
            settle(&env, DAY, 0).await;
            env.trigger(
                "stop",
                ("BATCH_STEP_EXECUTION", "COMMIT_COUNT"),
                &format!("NEW.STEP_NAME = '{step}:partition1' AND NEW.COMMIT_COUNT = 1"),
                "UPDATE BATCH_JOB_EXECUTION SET STATUS = 'STOPPING' \
                     WHERE JOB_EXECUTION_ID = NEW.JOB_EXECUTION_ID;",
            )
            .await;
            let stopped = env.settle(date(NEXT), shape(0)).await.unwrap();
            assert_eq!(stopped.status, BatchStatus::Stopped, "{step}");
            env.sql("DROP TRIGGER stop").await;
            env.assert_clean(&format!("stopped in {step}")).await;
            if abandons {
                env.launcher(4).abandon(stopped.id).await.unwrap();
                env.assert_clean(&format!("abandoned in {step}")).await;
                // Another number of partitions, other ranges.
                let other = Shape {
                    partitions: 7,
                    ..shape(0)
                };
                let ended = env.settle(date(NEXT), other).await.unwrap();
                assert_eq!(ended.status, BatchStatus::Completed);
            } else {
                settle(&env, NEXT, 0).await;
            }
            env.assert_clean(&format!("{step} and on, {abandons}"))
                .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rolled_back_failed_and_skipped_videos_are_understood() {
    let env = imported(&[DAY, NEXT]).await;
    env.sql("UPDATE play_history SET play_time = -7 WHERE video_id IN (15, 33) AND user_id < 41")
        .await;
    let failed = env.settle(date(DAY), shape(0)).await.unwrap();
    assert_eq!(failed.status, BatchStatus::Failed);
    env.assert_clean("failed").await;
    let failed = env.settle(date(DAY), shape(1)).await.unwrap();
    assert_eq!(failed.status, BatchStatus::Failed);
    env.assert_clean("failed again").await;
    settle(&env, DAY, 2).await;
    env.assert_clean("skipped").await;
    settle(&env, NEXT, 2).await;
    env.assert_clean("held").await;
    let skipped = env.rows("SELECT COUNT(*) FROM rejected_item").await;
    assert_eq!(skipped, ["8"]);
    // Mended later: still held.
    env.sql("UPDATE play_history SET play_time = 10 WHERE play_time < 0")
        .await;
    env.assert_clean("mended").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_database_refused_and_what_nobody_pays_are_understood() {
    let env = imported(&[DAY, NEXT]).await;
    env.refuse("video_statistics", "NEW.video_id = 15", "not this one")
        .await;
    settle(&env, DAY, 1).await;
    env.assert_clean("refused").await;
    env.sql("DROP TRIGGER refuse").await;
    env.refuse("video_revenue", "NEW.video_id = 16", "not this one")
        .await;
    settle(&env, NEXT, 2).await;
    env.assert_clean("unpaid").await;
    let rows = "SELECT COUNT(*) FROM video_revenue WHERE video_id IN (15, 16)";
    assert_eq!(env.rows(rows).await, ["1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sum_beyond_64_bits_is_read_and_its_skip_understood() {
    let env = imported(&[DAY]).await;
    env.sql("UPDATE play_history SET play_time = 9223372036854775807 WHERE video_id = 15")
        .await;
    settle(&env, DAY, 1).await;
    env.assert_clean("too long").await;
    env.sql("UPDATE play_history SET play_time = 11 WHERE video_id = 16 AND user_id = 16")
        .await;
    let found = env.differences().await;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found[0].starts_with(
            "statistics: video_statistics (date 2024-05-27, video 16) total_play_time"
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarantined_partition_and_its_retry_are_clean() {
    let env = imported(&[DAY]).await;
    let test_worker = TestWorker::launch(&env, DAY, 3).await;
    let id = test_worker.partitions[1];
    for token in 1..=3 {
        test_worker.claim(id, token).await;
        test_worker.expire_leases().await;
    }
    test_worker.try_claim(id, 4).await;
    env.assert_clean("quarantined").await;
    let failed = test_worker.finish(test_worker.job).await;
    assert_eq!(failed.status, BatchStatus::Failed);
    env.assert_clean("the others done").await;
    let again = env.settle(date(DAY), shape(0)).await.unwrap();
    assert_eq!(again.status, BatchStatus::Failed);
    env.assert_clean("still quarantined").await;
    let row = env
        .steps(again.id)
        .await
        .into_iter()
        .find(|step| step.name.partition == Some(1))
        .unwrap();
    let (launcher, worker) = env.worker(shape(0)).await;
    let launched = launcher.retry(row.id).await.unwrap();
    let ended = env.wait(launched.id).await;
    assert!(worker.stop().await);
    assert_eq!(ended.status, BatchStatus::Completed);
    env.assert_clean("retried").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn opening_balances_and_versions_of_the_rates_are_obeyed() {
    let env = imported(&[DAY, NEXT, LATER]).await;
    for (video, views, ad_views) in [(7, 99_998, 499_999), (8, 1_000_000, 0), (900, 5, 5)] {
        env.sql(&format!(
            "INSERT INTO opening_balance VALUES ({video}, {views}, {ad_views})"
        ))
        .await;
    }
    env.sql(&format!(
        "INSERT INTO revenue_rate VALUES ('{NEXT}', 'VIDEO', 0, 99999, 3333333), \
             ('{NEXT}', 'VIDEO', 100000, NULL, 1), ('{NEXT}', 'AD', 0, NULL, 7654321)"
    ))
    .await;
    for day in [DAY, NEXT, LATER] {
        settle(&env, day, 0).await;
    }
    env.assert_clean("balances and rates").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pruned_executions_are_counted_and_no_difference() {
    let env = imported(&[DAY, NEXT]).await;
    let test_worker = TestWorker::launch(&env, DAY, 3).await;
    test_worker.launcher.stop(test_worker.job).await.unwrap();
    test_worker.launcher.advance(test_worker.job).await.unwrap();
    for day in [DAY, NEXT] {
        settle(&env, day, 0).await;
    }
    let later = env.clock.now_micros() + 1_000 * MICROS;
    let later = chrono::DateTime::from_timestamp_micros(later).unwrap();
    // One execution at a time: each moment in between is clean too.
    let mut pruned = 0;
    while env.store.prune_oldest(later.naive_utc()).await.unwrap() {
        pruned += 1;
        env.assert_clean(&format!("{pruned} pruned")).await;
    }
    assert_eq!(pruned, 3);
    assert_eq!(env.verified(ALL).await.pruned, 2);
    env.sql("UPDATE video_statistics SET view_count = view_count + 1 WHERE video_id = 3")
        .await;
    assert!(!env.verified(ALL).await.findings.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_reads_a_database_at_work_without_a_false_difference() {
    let days: Vec<String> = (3..=8).map(|day| format!("2024-06-{day:02}")).collect();
    let env = TestEnv::new().await;
    for day in &days {
        env.import(&even_day(day, 600, 200), 1).await.unwrap();
    }
    let reader = env.another().await;
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
    // All days, then many times the one at work: its rows change while they are read.
    let watch = async {
        loop {
            reader.assert_clean("at work").await;
            let closed = reader.store.closed_through().await.unwrap();
            for _ in 0..30 {
                let one = Options {
                    from: closed,
                    to: closed,
                    limit: 20,
                };
                let verified = reader.verified(one).await;
                assert_eq!(lines(&verified), [""; 0], "{closed:?} at work");
            }
            runs += 1;
        }
    };
    tokio::select! {
        () = work => {}
        () = watch => {}
    }
    assert!(runs > 1, "{runs} rounds");
    reader.assert_clean("done").await;
}

/// Waits for nobody's locks and sees nothing that is not committed.
/// Whether a server counts nothing, or cannot say.
async fn sees_none(url: &str, sql: &str) -> bool {
    let mut connection = MySqlConnection::connect(url).await.unwrap();
    let sql = AssertSqlSafe(sql.to_owned());
    let count: Result<i64, sqlx::Error> = sqlx::query_scalar(sql).fetch_one(&mut connection).await;
    matches!(count, Ok(0) | Err(sqlx::Error::Database(_)))
}

#[tokio::test(flavor = "multi_thread")]
async fn it_reads_beside_one_who_holds_every_row() {
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
            // The sessions read what is committed; a verification repeats its reads.
            let isolated = async {
                let name = env.rows("SELECT DATABASE()").await.remove(0);
                let sql = format!(
                    "SELECT COUNT(*) FROM information_schema.innodb_trx t \
                     JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id \
                     WHERE p.db = '{name}' AND t.trx_isolation_level = 'REPEATABLE READ' \
                     AND t.trx_is_read_only = 1"
                );
                // MySQL answers with a fault while somebody else's statement, bytes and all, is
                // among the transactions; what it says of itself is asked again then.
                while sees_none(url, &sql).await {}
            };
            let watched = async {
                loop {
                    env.assert_clean("beside a writer").await;
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
            env.assert_clean("beside a writer").await;
        }
        None => {
            let url = format!("sqlite://{}", env.path().display());
            let mut writer = SqliteConnection::connect(&url).await.unwrap();
            let begun = format!("BEGIN IMMEDIATE; {everything}");
            sqlx::raw_sql(AssertSqlSafe(begun))
                .execute(&mut writer)
                .await
                .unwrap();
            env.assert_clean("beside a writer").await;
        }
    }
}
