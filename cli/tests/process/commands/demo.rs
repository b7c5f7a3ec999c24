//! The demo.

use crate::{
    env::{Outcome, TestEnv},
    plays::assert_all_complete,
    rows::assert_same,
};

/// Runs the demo in the folder of the environment.
pub(crate) fn demo(env: &TestEnv, more: &[&str]) -> Outcome {
    let folder = env.folder().display().to_string();
    let mut args = vec!["demo", "--dir", &folder, "--plays", "20000"];
    args.extend(more);
    // The demo ignores the database of the settings.
    env.balance(&args)
        .env("DATABASE_URL", "sqlite:///nowhere/balance.db")
        .run()
}

#[test]
fn the_demo_settles_and_shows_two_weeks_and_keeps_them_on_later_calls() {
    let env = TestEnv::empty();
    let outcome = demo(&env, &[]).succeeded();
    for words in [
        "top 5 by views, day ",
        "top 5 by views, week ",
        "top 5 by views, month ",
        "top 5 by play time, day ",
        "top 5 by play time, week ",
        "top 5 by play time, month ",
        "best creators, month ",
        "dayStatisticsJob",
        "partitionedDayRevenueStep",
        "COMPLETED",
        "export DATABASE_URL=sqlite://",
    ] {
        assert!(
            outcome.stdout.contains(words),
            "no {words:?} in {outcome:#?}"
        );
    }
    assert_all_complete(&env, 14);
    let plays: u32 = env
        .value("SELECT COUNT(*) FROM play_history")
        .parse()
        .unwrap();
    assert!(plays > 10_000, "{plays} plays");
    let past_a_tier = "SELECT COUNT(*) > 0 FROM video_statistics \
                       WHERE cumulative_view_count > 100000 \
                       AND cumulative_view_count - view_count < 100000";
    assert_eq!(env.value(past_a_tier), "1");
    // The commands that the demo suggests work.
    let totals = env
        .balance(&[
            "report",
            "revenue",
            "--json",
            "--date",
            "2026-03-15",
            "--period",
            "month",
        ])
        .run()
        .succeeded()
        .json();
    assert_eq!(totals["settledThrough"], "2026-03-15");

    let before = env.everything();
    let again = demo(&env, &[]).succeeded();
    assert!(again.stdout.contains("nothing was changed"), "{again:#?}");
    assert!(again.stdout.contains("--reset"), "{again:#?}");
    assert_same(&env.everything(), &before, "the demo, run twice");

    let results = env.results();
    demo(&env, &["--reset"]).succeeded();
    assert_same(&env.results(), &results, "the same seed");
    assert_ne!(env.everything(), before, "a reset starts over");
    demo(&env, &["--reset", "--seed", "43"]).succeeded();
    assert_ne!(env.results(), results, "another seed");
}
