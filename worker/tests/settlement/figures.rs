//! Statistics and revenue of settled days.

use balance_batch::{
    job::{Job, Step},
    status::{BatchStatus, ExitCode},
};
use balance_domain::{
    accounts::UserId,
    playback::Play,
    rates::{RateKind, RateVersion, Tier},
    videos::{OpeningBalance, VideoId},
};
use balance_store::{operations::Actor, rates::SetRatesError};
use balance_test_support::settlement::{MICROS, Shape, TestEnv, at, date, day_of_plays, play};

#[tokio::test(flavor = "multi_thread")]
async fn a_day_settles_with_all_steps() {
    let env = TestEnv::new().await;
    env.import(&day_of_plays("2024-06-01", 500, 50), 0)
        .await
        .unwrap();
    let execution = env
        .settle(date("2024-06-01"), Shape::default())
        .await
        .unwrap();
    assert_eq!(execution.status, BatchStatus::Completed);
    assert_eq!(execution.exit_code, ExitCode::COMPLETED);
    let steps = env.steps(execution.id).await;
    assert!(
        steps
            .iter()
            .all(|step| step.status == BatchStatus::Completed)
    );
    let own = steps.iter().filter(|step| step.name.partition.is_none());
    let own: Vec<Step> = own.map(|step| step.name.step).collect();
    assert_eq!(own, Job::DayStatistics.steps());
    let total = env
        .rows("SELECT SUM(view_count), SUM(total_play_time) FROM video_statistics")
        .await;
    assert_eq!(total, ["500|5000"]);
    let paid = env
        .rows("SELECT SUM(total_revenue) FROM video_revenue")
        .await;
    assert_eq!(paid, ["50000"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chain_continues_after_an_idle_week_and_crosses_the_tier() {
    let env = TestEnv::new().await;
    let balance = OpeningBalance {
        video_id: VideoId(7),
        view_count: 99_998,
        ad_view_count: 99_999,
    };
    env.store.import_balances(&[balance]).await.unwrap();
    let long = |user, at| Play {
        play_time_s: 700,
        duration_s: 800,
        ..play(user, 7, at)
    };
    let first = at("2024-06-01T03:00:00Z");
    let later = at("2024-06-10T03:00:00Z");
    let plays = [long(1, first), long(2, later), long(3, later + MICROS)];
    env.import(&plays, 1).await.unwrap();
    env.settle(date("2024-06-01"), Shape::default())
        .await
        .unwrap();
    env.settle(date("2024-06-10"), Shape::default())
        .await
        .unwrap();
    // View 99,999 pays 1.00; 100,000 pays 1.00 and 100,001 pays 1.10. Two ad views on the first
    // day: 10 + 12; four on the second: 4 × 12.
    let rows = env
        .rows(
            "SELECT date, view_revenue, ad_revenue, total_revenue FROM video_revenue ORDER BY date",
        )
        .await;
    assert_eq!(
        rows,
        ["2024-06-01|100|2200|2300", "2024-06-10|210|4800|5010"]
    );
    let chain = env
        .rows(
            "SELECT cumulative_view_count, cumulative_ad_view_count FROM video_statistics \
             ORDER BY date",
        )
        .await;
    assert_eq!(chain, ["99999|100001", "100001|100005"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_of_the_rates_pays_from_its_day_on() {
    let env = TestEnv::new().await;
    let days = ["2024-06-01", "2024-06-02", "2024-06-03"];
    for day in days {
        env.import(&day_of_plays(day, 4, 1), 0).await.unwrap();
    }
    env.settle(date(days[0]), Shape::default()).await.unwrap();
    let open = |kind, micro_won| {
        let tier = Tier {
            from_count: 0,
            to_count: None,
            micro_won,
        };
        (kind, tier)
    };
    let version = |day| {
        let tiers = [open(RateKind::Video, 2_500_000), open(RateKind::Ad, 0)];
        RateVersion::new(date(day), tiers).unwrap()
    };
    let rejected = env
        .store
        .set_rates(&version(days[0]), &Actor::Console)
        .await;
    assert!(matches!(rejected, Err(SetRatesError::ClosedDay { .. })));
    env.store
        .set_rates(&version(days[2]), &Actor::Console)
        .await
        .unwrap();
    for day in &days[1..] {
        env.settle(date(day), Shape::default()).await.unwrap();
    }
    let paid = env
        .rows("SELECT view_revenue FROM video_revenue ORDER BY date")
        .await;
    assert_eq!(paid, ["400", "400", "1000"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn own_plays_enter_no_statistics_and_repeats_no_history() {
    let env = TestEnv::new().await;
    let noon = at("2024-06-01T03:00:00Z");
    let own = Play {
        owner_id: UserId(5),
        ..play(5, 1, noon)
    };
    let other = |at| Play {
        owner_id: UserId(5),
        ..play(6, 1, at)
    };
    let plays = [
        own,
        other(noon),
        other(noon + 29 * MICROS),
        other(noon + 30 * MICROS),
    ];
    let counts = env.import(&plays, 0).await.unwrap();
    assert_eq!(
        (counts.new, counts.counted, counts.own, counts.repeats),
        (3, 2, 1, 1)
    );
    env.settle(date("2024-06-01"), Shape::default())
        .await
        .unwrap();
    let rows = env
        .rows("SELECT view_count, total_play_time FROM video_statistics")
        .await;
    assert_eq!(rows, ["2|20"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ad_view_counts_once_for_each_user_video_slot_and_day() {
    let env = TestEnv::new().await;
    let noon = at("2024-06-01T03:00:00Z");
    let long = |at_micros| Play {
        play_time_s: 700,
        duration_s: 800,
        ..play(1, 7, at_micros)
    };
    // Twice in one import, a third time in another, and once on the next day.
    let plays = [long(noon), long(noon + 3_600 * MICROS)];
    assert_eq!(env.import(&plays, 1).await.unwrap().ad_views, 2);
    let plays = [long(noon + 7_200 * MICROS), long(noon + 86_400 * MICROS)];
    assert_eq!(env.import(&plays, 1).await.unwrap().ad_views, 2);
    let rows = env
        .rows("SELECT date, COUNT(*) FROM ad_history GROUP BY date ORDER BY date")
        .await;
    assert_eq!(rows, ["2024-06-01|2", "2024-06-02|2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rows_do_not_depend_on_partitions_chunks_or_workers() {
    let mut expected: Option<Vec<String>> = None;
    for (partitions, concurrency, chunk_size) in [(1, 1, 1_000), (2, 2, 7), (7, 3, 1), (64, 4, 10)]
    {
        let env = TestEnv::new().await;
        env.import(&day_of_plays("2024-06-01", 900, 80), 2)
            .await
            .unwrap();
        let shape = Shape {
            partitions,
            chunk_size,
            concurrency,
            skip_limit: 0,
        };
        let execution = env.settle(date("2024-06-01"), shape).await.unwrap();
        assert_eq!(execution.status, BatchStatus::Completed);
        let results = env.results().await;
        assert!(!results.is_empty());
        assert_eq!(&results, expected.get_or_insert_with(|| results.clone()));
    }
}
