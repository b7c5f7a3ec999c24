//! The fraud simulator and the day of honest viewers, small and in simulated time. The binary
//! `fraud-simulator` runs them at length.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

use balance_batch::status::BatchStatus;
use balance_domain::playback::PlayRules;
use balance_test_support::{
    fraud::{
        actor::Scene,
        honest::{Day, Delays, Habits, Network, Watch, Watched, first_loss},
        report::{exceeding, table},
        runs::{Plan, embedded},
    },
    settlement::{Shape, at, date},
};
use std::sync::Arc;

/// Rules by which a run of five minutes says as much as one of hours: the allowances are small
/// against it.
const RULES: PlayRules = PlayRules {
    ad_interval_s: 10,
    view_burst: 5,
    ..PlayRules::DEFAULT
};

#[tokio::test(flavor = "multi_thread")]
async fn no_strategy_earns_more_than_an_honest_viewer() {
    let seed = rand::random();
    println!("seed {seed}");
    let plan = Plan {
        rules: RULES,
        elapsed_s: 300,
        accounts: vec![1, 2],
        seed,
    };
    let rows = embedded(&plan, |_| ()).await;
    println!("{}", table(&rows));
    assert_eq!(exceeding(&rows), [""; 0]);
    // The strategies work: each of these reaches what an honest viewer does.
    let ratio = |name: &str| {
        let row = rows.iter().find(|row| row.strategy.starts_with(name));
        row.expect(name).highest()
    };
    for name in [
        "honest: films",
        "exactly",
        "seeks",
        "views only",
        "views, seconds",
    ] {
        assert!(ratio(name) > 0.95, "{name}: {}", ratio(name));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_of_honest_viewers_loses_nothing() {
    let seed = rand::random();
    println!("seed {seed}");
    let day = Day {
        viewers: 200,
        seed,
        divisor: 4,
    };
    let day = day.run().await;
    assert_eq!(day.differences().await, [""; 0]);
    let sum = day.sum();
    assert!(sum.views > 500 && sum.credited_s > 100_000 && sum.ad_views > 200);
    // The settled days have the same sums.
    let env = &day.simulated.env;
    env.clock.set(at("2024-07-01T16:00:00Z"));
    for settled in ["2024-06-30", "2024-07-01"] {
        let execution = env.settle(date(settled), Shape::default()).await;
        assert_eq!(execution.unwrap().status, BatchStatus::Completed);
    }
    let found = env
        .rows(
            "SELECT SUM(view_count), SUM(total_play_time), SUM(ad_view_count) FROM video_statistics",
        )
        .await;
    let expected = format!("{}|{}|{}", sum.views, sum.credited_s, sum.ad_views);
    assert_eq!(found, [expected]);
}

#[tokio::test(flavor = "multi_thread")]
async fn delays_of_two_seconds_cost_nothing() {
    for (rate, report_s, devices) in [(2_000, 1, 1), (2_000, 10, 1), (1_000, 1, 1), (1_000, 10, 2)]
    {
        let viewers = Delays {
            rate,
            report_s,
            devices,
            seed: 1,
        };
        let lost = first_loss(viewers, &[500, 1_000, 2_000]).await;
        assert_eq!(lost, None, "{viewers:?}");
    }
}

/// Returns the ad views that the players and the history have, of a viewer who leaves some films a
/// second before the first slot, and then continues each.
async fn left_before_a_slot(films: usize) -> (i64, i64) {
    let began_micros = at("2024-06-30T00:00:00Z");
    let scene = Arc::new(Scene {
        rules: PlayRules::DEFAULT,
        timezone: "Asia/Seoul".parse().unwrap(),
        durations_s: vec![14_400; films],
        films,
        episodes: 0,
        began_micros,
        until_micros: began_micros + 10_000_000_000,
    });
    let part = |video, stops_after_s| Watch {
        video,
        stops_after_s,
        then_rests_s: 40,
    };
    let first = (0..films).map(|film| part(film, 299));
    let habits = Habits {
        user: 0,
        device: 0,
        begins_micros: began_micros,
        rate: 1_000,
        report_s: 10,
        watches: first.chain((0..films).map(|film| part(film, 2))).collect(),
        network: Network::PERFECT,
        repeats: false,
        seed: 1,
    };
    let watched = Watched::run(&scene, vec![vec![habits]]).await;
    let history = watched.simulated.totals().await[&0].sum();
    let expected = watched.sum();
    assert_eq!(history.credited_s, expected.credited_s);
    assert_eq!(history.views, expected.views);
    (expected.ad_views, history.ad_views)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_ad_views_are_in_store() {
    assert_eq!(left_before_a_slot(2).await, (2, 2));
    assert_eq!(left_before_a_slot(3).await, (3, 2), "the third is lost");
}
