//! The demo: the README's first command.

use crate::{
    dump::assert_same,
    harness::{Outcome, Place},
};

/// A call of the demo, whose database is the one that the place looks into.
pub(crate) fn demo(place: &Place, more: &[&str]) -> Outcome {
    let folder = place.folder().display().to_string();
    let mut args = vec!["demo", "--dir", &folder, "--plays", "20000"];
    args.extend(more);
    // It has a database of its own and leaves the one of the settings alone.
    place
        .balance(&args)
        .env("DATABASE_URL", "sqlite:///nowhere/balance.db")
        .run()
}

#[test]
fn the_demo_makes_settles_and_shows_two_weeks_and_leaves_them_alone_afterwards() {
    let place = Place::empty();
    let outcome = demo(&place, &[]).succeeded();
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
    crate::plays::assert_all_complete(&place, 14);
    let plays: u32 = place
        .value("SELECT COUNT(*) FROM play_history")
        .parse()
        .unwrap();
    assert!(plays > 10_000, "{plays} plays");
    let past_a_tier = "SELECT COUNT(*) > 0 FROM video_statistics \
                       WHERE cumulative_view_count > 100000 \
                       AND cumulative_view_count - view_count < 100000";
    assert_eq!(place.value(past_a_tier), "1");
    // What the demo advises to do next works.
    let totals = place
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

    let before = place.everything();
    let again = demo(&place, &[]).succeeded();
    assert!(again.stdout.contains("nothing was changed"), "{again:#?}");
    assert!(again.stdout.contains("--reset"), "{again:#?}");
    assert_same(&place.everything(), &before, "the demo, run twice");

    let results = place.results();
    demo(&place, &["--reset"]).succeeded();
    assert_same(&place.results(), &results, "the same seed");
    assert_ne!(place.everything(), before, "a reset starts over");
    demo(&place, &["--reset", "--seed", "43"]).succeeded();
    assert_ne!(place.results(), results, "another seed");
}
