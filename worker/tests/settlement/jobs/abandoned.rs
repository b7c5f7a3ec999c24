//! A day that is settled again after an abandoned run, with corrected data.

use balance_batch::status::BatchStatus;
use balance_domain::playback::Play;
use balance_test_support::settlement::{Shape, TestEnv, date, even_day};

use crate::verification::fixtures::assert_clean;

/// Two days of one week and month.
const DAY: &str = "2024-06-04";
const BEFORE: &str = "2024-06-03";

/// The videos 1 to 20 are active on both days, 21 to 40 on the second one only.
fn plays() -> Vec<Play> {
    let mut plays = even_day(BEFORE, 60, 20);
    plays.extend(even_day(DAY, 200, 40));
    plays
}

const fn shape(skip_limit: u32) -> Shape {
    Shape {
        partitions: 4,
        chunk_size: 4,
        concurrency: 2,
        skip_limit,
    }
}

/// Imports both days and settles the first.
async fn env() -> TestEnv {
    let env = TestEnv::new().await;
    env.import(&plays(), 1).await.unwrap();
    settle(&env, BEFORE, 0).await;
    env
}

async fn settle(env: &TestEnv, day: &str, skip_limit: u32) {
    let ended = env.settle(date(day), shape(skip_limit)).await.unwrap();
    let message = &ended.exit_message;
    assert_eq!(ended.status, BatchStatus::Completed, "{message}");
}

/// Runs the day up to a week that cannot be written, and abandons it. The other weeks and months are
/// written.
async fn abandon_after_rollup(env: &TestEnv) {
    let rejected = "NEW.video_id = 40 AND NEW.period = 'month'";
    env.reject_inserts("period_rollup", rejected, "no").await;
    let failed = env.settle(date(DAY), shape(0)).await.unwrap();
    assert_eq!(failed.status, BatchStatus::Failed);
    let written = "SELECT COUNT(*) >= 30 FROM period_rollup WHERE video_id > 20";
    assert_eq!(env.rows(written).await, ["1"]);
    env.execute("DROP TRIGGER reject").await;
    env.launcher(4).abandon(failed.id).await.unwrap();
}

/// Returns the results and the totals of the periods.
async fn results(env: &TestEnv) -> Vec<String> {
    let mut all = env.results().await;
    let totals = "SELECT * FROM period_total ORDER BY period, start_date";
    all.extend(env.rows(totals).await);
    all
}

/// Corrections of the day: the statement, and the skip limit of the new run.
const CORRECTIONS: [(&str, u32); 5] = [
    // One video that was also active on the day before, and one that was not.
    (
        "DELETE FROM play_history WHERE date = '2024-06-04' AND video_id IN (5, 25)",
        0,
    ),
    // A video keeps a part of its activity.
    (
        "DELETE FROM play_history WHERE date = '2024-06-04' AND video_id = 5 AND user_id > 100",
        0,
    ),
    // Skipped in the statistics step.
    (
        "UPDATE play_history SET play_time = -1 \
         WHERE date = '2024-06-04' AND video_id IN (5, 25)",
        2,
    ),
    // The whole day, and nearly the whole day.
    ("DELETE FROM play_history WHERE date = '2024-06-04'", 0),
    (
        "DELETE FROM play_history WHERE date = '2024-06-04' AND video_id <> 30",
        0,
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_settlement_after_corrections_keeps_no_amount_of_the_abandoned_run() {
    for (correction, skip_limit) in CORRECTIONS {
        // Ad views count as activity too.
        let ads = correction.replace("play_history", "ad_history");
        let corrects = |env: TestEnv| async {
            env.execute(correction).await;
            if correction.starts_with("DELETE") {
                env.execute(&ads).await;
            }
            env
        };
        let undisturbed = corrects(env().await).await;
        settle(&undisturbed, DAY, skip_limit).await;

        let env = env().await;
        abandon_after_rollup(&env).await;
        let env = corrects(env).await;
        settle(&env, DAY, skip_limit).await;
        assert_eq!(
            results(&env).await,
            results(&undisturbed).await,
            "{correction}"
        );
        assert_clean(&env, correction).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_video_that_the_new_rollup_skips_keeps_no_amount_of_the_abandoned_run() {
    let env = env().await;
    let before = "SELECT * FROM period_rollup WHERE video_id IN (5, 25) ORDER BY video_id, period";
    let expected = env.rows(before).await;
    abandon_after_rollup(&env).await;
    assert_ne!(env.rows(before).await, expected);
    let rejected = "NEW.video_id IN (5, 25) AND NEW.view_count <> 3";
    env.reject_inserts("period_rollup", rejected, "no").await;
    settle(&env, DAY, 2).await;
    assert_eq!(env.rows(before).await, expected);
    assert_clean(&env, "skipped in the rollup").await;
}
