//! Generated plays, and environments with them.

use crate::env::TestEnv;
use balance_batch::job::Job;
use std::fmt::Write;

pub(crate) const HEADER: &str = "user_id,video_id,owner_id,started_at,play_time_s,video_duration_s";

/// Returns a CSV file of plays. Each video has one to three views on each day (Seoul). The videos
/// last 600 s, so that long plays show ads.
pub(crate) fn csv(days: &[&str], videos: i64) -> String {
    let mut text = format!("{HEADER}\n");
    for (day, date) in (1..).zip(days) {
        for video in 1..=videos {
            for view in 0..=video % 3 {
                let user = 100 + view;
                let seconds = 10 + video * 37 * day % 590;
                let (minute, second) = (video / 60 % 60, video % 60);
                let hour = 1 + view;
                writeln!(
                    text,
                    "{user},{video},9,{date}T{hour:02}:{minute:02}:{second:02}Z,{seconds},600"
                )
                .unwrap();
            }
        }
    }
    text
}

pub(crate) const DAYS: [&str; 2] = ["2024-03-30", "2024-04-01"];

/// Creates a database with unsettled plays of two days in two weeks and months, some with ads.
pub(crate) fn imported(videos: i64) -> TestEnv {
    imported_days(&DAYS, videos)
}

pub(crate) fn imported_days(days: &[&str], videos: i64) -> TestEnv {
    let env = TestEnv::new();
    let file = env.file("plays.csv", csv(days, videos));
    env.balance(&["import", "--ads", "2", &file])
        .run()
        .succeeded();
    env
}

/// Creates a database with one settled day, `2024-03-30`, and unsettled plays of a later day.
pub(crate) fn half_settled() -> TestEnv {
    let env = imported(5);
    env.balance(&["settle", "--date", DAYS[0]])
        .run()
        .succeeded();
    env
}

/// Returns the results of an undisturbed run on a copy of the database.
pub(crate) fn undisturbed(env: &TestEnv) -> Vec<String> {
    let alone = env.copy();
    alone.balance(&["settle"]).run().succeeded();
    let results = alone.results();
    assert!(!results.is_empty());
    results
}

/// Asserts that each day has one COMPLETED execution with all steps completed and no lease.
#[track_caller]
pub(crate) fn assert_all_complete(env: &TestEnv, days: usize) {
    let executions = env.rows("SELECT STATUS FROM BATCH_JOB_EXECUTION");
    assert_eq!(executions, vec!["COMPLETED"; days], "the executions");
    let unfinished =
        env.rows("SELECT STEP_NAME, STATUS FROM BATCH_STEP_EXECUTION WHERE STATUS <> 'COMPLETED'");
    assert!(unfinished.is_empty(), "{unfinished:?}");
    let steps = env.rows(
        "SELECT COUNT(*) FROM BATCH_STEP_EXECUTION WHERE STEP_NAME NOT LIKE '%:%' \
         GROUP BY JOB_EXECUTION_ID",
    );
    let expected = Job::DayStatistics.steps().len().to_string();
    assert_eq!(steps, vec![expected; days], "the steps of each execution");
    assert_eq!(env.value("SELECT COUNT(*) FROM step_lease"), "0");
}
