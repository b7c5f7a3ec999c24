//! Compares the settlement of a day with one set-based statement that only computes the statistics.
//! Both run on the same rows; only the ratio is meaningful.
//!
//! `cargo bench -p balance-worker [-- PLAYS VIDEOS]`, 1,000,000 plays of 5,000 videos by default.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints its results and panics on failure"
)]

use balance_batch::job::Job;
use balance_domain::playback::Play;
use balance_test_support::{
    day_job::RESULT_TABLES,
    settlement::{MICROS, Shape, TestEnv, at, date, play},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::time::Instant;

/// The reference: only the day's statistics, in one statement.
const LIMIT: &str = "INSERT INTO limit_statistics \
     SELECT video_id, date, SUM(counted), SUM(play_time) FROM play_history \
     WHERE date = '2024-06-01' GROUP BY video_id";

fn plays(count: i64, videos: i64) -> Vec<Play> {
    let mut random = StdRng::seed_from_u64(1);
    let midnight = at("2024-05-31T15:00:00Z");
    (0..count)
        .map(|n| {
            // The square of a uniform number makes few videos popular.
            let position: f64 = random.random();
            #[expect(clippy::cast_possible_truncation, reason = "0 to videos")]
            #[expect(clippy::cast_precision_loss, reason = "a benchmark's popularity")]
            let video = (position * position * videos as f64) as i64 + 1;
            play(n + 1, video, midnight + n * 86_400 * MICROS / count)
        })
        .collect()
}

#[tokio::main]
async fn main() {
    let mut numbers = std::env::args().filter_map(|argument| argument.parse::<i64>().ok());
    let count = numbers.next().unwrap_or(1_000_000);
    let videos = numbers.next().unwrap_or(5_000);

    let env = TestEnv::new().await;
    let began = Instant::now();
    env.import(&plays(count, videos), 0).await.unwrap();
    println!(
        "import of {count} plays of {videos} videos: {:?}",
        began.elapsed()
    );

    env
        .execute("CREATE TABLE limit_statistics (video_id BIGINT, date DATE, views BIGINT, seconds BIGINT, PRIMARY KEY (video_id, date))")
        .await;
    let began = Instant::now();
    env.execute(LIMIT).await;
    let limit = began.elapsed();
    println!("one set-based statement, statistics only: {limit:?}");

    for (partitions, concurrency) in [(1, 1), (2, 2), (4, 2)] {
        let shape = Shape {
            partitions,
            chunk_size: 1_000,
            concurrency,
            skip_limit: 0,
        };
        let began = Instant::now();
        let execution = env.settle(date("2024-06-01"), shape).await.unwrap();
        let took = began.elapsed();
        println!(
            "{} steps, {partitions} partitions, {concurrency} workers: {took:?}, x limit {:.2}",
            Job::DayStatistics.steps().len(),
            took.as_secs_f64() / limit.as_secs_f64()
        );
        // Resets the tables, so that the same day can be settled again.
        for (table, _) in RESULT_TABLES {
            env.execute(&format!("DELETE FROM {table}")).await;
        }
        let id = execution.id;
        env.execute(&format!(
            "UPDATE BATCH_JOB_EXECUTION SET STATUS = 'ABANDONED' WHERE JOB_EXECUTION_ID = {id}"
        ))
        .await;
    }
}
