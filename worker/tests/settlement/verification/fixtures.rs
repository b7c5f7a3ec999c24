//! Settled days, and their verification.

use balance_batch::status::BatchStatus;
use balance_domain::playback::Play;
use balance_service::verification::{Kind, Options, Progress, Verified, verify};
use balance_test_support::settlement::{Shape, TestEnv, date, even_day, play};

/// A Monday, the next day, and a day of the same week in the next month.
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
    // A video with a play of its owner only. Every seventh play is long and shows ads.
    plays.push(Play {
        user_id: balance_domain::accounts::UserId(1_000_000),
        ..play(1, 77, plays[0].started_at_micros)
    });
    for (play, number) in plays.iter_mut().zip(0..) {
        play.duration_s = 1_000;
        play.play_time_s = if number % 7 == 0 { 700 } else { 10 };
    }
    plays
}

pub(crate) fn shape(skip_limit: u32) -> Shape {
    Shape {
        partitions: 4,
        chunk_size: 4,
        concurrency: 2,
        skip_limit,
    }
}

pub(crate) async fn imported(days: &[&str]) -> TestEnv {
    let env = TestEnv::new().await;
    for day in days {
        env.import(&plays(day), 1).await.unwrap();
    }
    env
}

/// Settles three days of one week; the last one is in another month than the others.
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

pub(crate) async fn run_verify(env: &TestEnv, options: Options) -> Verified {
    let store = env.store.as_ref();
    let mut reports = 0;
    let mut report = |progress: Progress| {
        reports += 1;
        assert_eq!(progress.done, reports);
        assert!(progress.done <= progress.total);
    };
    verify(store, env.timezone, options, &mut report)
        .await
        .unwrap()
}

/// Returns the differences, one a line.
pub(crate) async fn differences(env: &TestEnv) -> Vec<String> {
    lines(&run_verify(env, ALL).await)
}

pub(crate) async fn assert_clean(env: &TestEnv, what: &str) {
    let found = differences(env).await;
    assert!(found.is_empty(), "{what}: {found:#?}");
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
