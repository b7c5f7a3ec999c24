//! Properties of any plays, in any division into imports, partitions and chunks.

use balance_batch::status::BatchStatus;
use balance_domain::{
    accounts::UserId,
    money::Money,
    period::{Period, PeriodKind},
    playback::Play,
};
use balance_service::reports::Reports;
use balance_store::{
    Store,
    reports::{PeriodTotal, TopBy},
};
use balance_test_support::settlement::{MICROS, Shape, TestEnv, at, date, play};
use chrono::{Days, NaiveDate};
use proptest::prelude::*;
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

/// A small number, because each case creates databases and settles days.
const CASES: u32 = 16;
/// The first of four days, from the last day of a month, a Friday, to the Monday.
const FIRST: &str = "2024-05-31";
const DAYS: i64 = 4;
const VIDEOS: i64 = 9;
/// The owner of every video, who also plays them.
const OWNER: i64 = 1_000_000;
/// The seconds between two plays of a user, so that no view is repeated too soon.
const SLOT_S: i64 = 1_000;
const DAY_S: i64 = 86_400;

/// Generates plays, at most one for each user and time slot.
fn plays() -> impl Strategy<Value = Vec<Play>> {
    let slot = (0..4_i64, 0..DAYS * DAY_S / SLOT_S);
    let video_and_seconds = (0..VIDEOS, prop_oneof![0..30_i64, 250..1_000_i64]);
    prop::collection::btree_map(slot, video_and_seconds, 1..60).prop_map(|slots| {
        // Midnight in Seoul.
        let start = at(&format!("{FIRST}T00:00:00+09:00"));
        slots
            .into_iter()
            .map(|((user, slot), (video, seconds))| Play {
                user_id: UserId(if user == 0 { OWNER } else { user }),
                play_time_s: seconds,
                duration_s: 900,
                ..play(0, video + 1, start + (slot * SLOT_S + user) * MICROS)
            })
            .collect()
    })
}

fn shape() -> impl Strategy<Value = Shape> {
    (1..7_u32, 1..8_u32, 1..4_u32).prop_map(|(partitions, chunk_size, concurrency)| Shape {
        partitions,
        chunk_size,
        concurrency,
        skip_limit: 0,
    })
}

/// Generates the number of the import for each play, by its index.
fn imports() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..4_usize, 60)
}

fn days() -> impl Iterator<Item = NaiveDate> {
    date(FIRST).iter_days().take(usize::try_from(DAYS).unwrap())
}

fn day_of(play: &Play) -> NaiveDate {
    let since = play.started_at_micros - at(&format!("{FIRST}T00:00:00+09:00"));
    date(FIRST) + Days::new(u64::try_from(since / (DAY_S * MICROS)).unwrap())
}

async fn settle_active_days(env: &TestEnv, plays: &[Play], shape: Shape) {
    let (launcher, worker) = env.worker(shape).await;
    for day in active_days(plays) {
        let launched = launcher.launch(day).await.unwrap();
        let execution = env.wait(launched.id).await;
        assert_eq!(execution.status, BatchStatus::Completed);
    }
    assert!(worker.stop().await);
}

fn active_days(plays: &[Play]) -> BTreeSet<NaiveDate> {
    plays.iter().map(day_of).collect()
}

async fn settled(plays: &[Play], shape: Shape) -> TestEnv {
    let env = TestEnv::new().await;
    env.import(plays, 2).await.unwrap();
    settle_active_days(&env, plays, shape).await;
    env
}

fn run(case: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(case);
}

/// The sums of a video in a period, computed from the plays alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Sums {
    views: i64,
    seconds: i64,
    ad_views: i64,
}

fn expected(plays: &[Play], period: Period) -> BTreeMap<i64, Sums> {
    let mut sums: BTreeMap<i64, Sums> = BTreeMap::new();
    let mut slots = BTreeSet::new();
    for play in plays.iter().filter(|play| play.user_id != play.owner_id) {
        let day = day_of(play);
        if !(period.from..=period.to).contains(&day) {
            continue;
        }
        let video = sums.entry(play.video_id.0).or_default();
        video.views += 1;
        video.seconds += play.play_time_s;
        for slot in (300..=play.play_time_s.min(play.duration_s)).step_by(300) {
            // Once for each user, video, slot and day.
            let is_new = slots.insert((play.user_id, play.video_id, day, slot));
            video.ad_views += i64::from(is_new);
        }
    }
    sums
}

impl Sums {
    /// Returns the revenue: 1 won a view and 10 won an ad view. The views are far below the end of
    /// the first tier.
    fn revenue(self) -> Money {
        Money::from_hundredths(self.views * 100 + self.ad_views * 1_000)
    }
}

async fn assert_reports(env: &TestEnv, plays: &[Play], period: Period) {
    let reports = Reports::new(Arc::<Store>::clone(&env.store));
    let sums = expected(plays, period);
    let (day, kind) = (period.from, period.kind);
    let report = reports.revenue(day, kind, None, None, 1_000).await.unwrap();
    let items: BTreeMap<i64, (Sums, Money)> = report
        .items
        .iter()
        .map(|item| {
            let seconds = sums[&item.video_id.0].seconds;
            let found = Sums {
                views: item.view_count,
                seconds,
                ad_views: item.ad_view_count,
            };
            (item.video_id.0, (found, item.total_revenue))
        })
        .collect();
    let wanted: BTreeMap<_, _> = sums
        .iter()
        .map(|(id, sum)| (*id, (*sum, sum.revenue())))
        .collect();
    assert_eq!(items, wanted, "{period:?}");

    let all = sums.values().fold(Sums::default(), |all, one| Sums {
        views: all.views + one.views,
        seconds: all.seconds + one.seconds,
        ad_views: all.ad_views + one.ad_views,
    });
    let total = PeriodTotal {
        video_count: i64::try_from(sums.len()).unwrap(),
        view_count: all.views,
        total_play_time: all.seconds,
        ad_view_count: all.ad_views,
        view_revenue: Money::from_hundredths(all.views * 100),
        ad_revenue: Money::from_hundredths(all.ad_views * 1_000),
        total_revenue: all.revenue(),
    };
    assert_eq!(report.total, total, "{period:?}");

    for by in [TopBy::ViewCount, TopBy::PlayTime] {
        let key = |sum: &Sums| match by {
            TopBy::ViewCount => sum.views,
            TopBy::PlayTime => sum.seconds,
        };
        let mut order: Vec<(i64, Sums)> = sums.iter().map(|(id, sum)| (*id, *sum)).collect();
        order.sort_by_key(|(id, sum)| (-key(sum), *id));
        order.truncate(5);
        let top = reports.top(day, kind, by).await.unwrap();
        let found: Vec<(i64, i64, i64)> = top
            .items
            .iter()
            .map(|item| (item.video_id.0, item.view_count, item.total_play_time))
            .collect();
        let wanted: Vec<_> = order
            .iter()
            .map(|(id, sum)| (*id, sum.views, sum.seconds))
            .collect();
        assert_eq!(found, wanted, "{period:?} {by:?}");
    }
}

/// Asserts that the sums of the day rows of each period equal the rows of the period.
async fn assert_days_make_periods(env: &TestEnv) {
    for kind in [PeriodKind::Week, PeriodKind::Month] {
        let periods: BTreeSet<NaiveDate> = days().map(|day| kind.containing(day).from).collect();
        for from in periods {
            let to = kind.containing(from).to;
            let sums = env
                .rows(&format!(
                    "SELECT video_id, SUM(view_count), SUM(total_play_time), SUM(ad_view_count), \
                     SUM(view_revenue), SUM(ad_revenue), SUM(total_revenue) \
                     FROM video_statistics JOIN video_revenue USING (video_id, date) \
                     WHERE date BETWEEN '{from}' AND '{to}' GROUP BY video_id ORDER BY video_id"
                ))
                .await;
            let rows = env
                .rows(&format!(
                    "SELECT video_id, view_count, total_play_time, ad_view_count, view_revenue, \
                     ad_revenue, total_revenue FROM period_rollup \
                     WHERE period = '{kind}' AND start_date = '{from}' ORDER BY video_id"
                ))
                .await;
            assert_eq!(rows, sums, "{kind} from {from}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, ..ProptestConfig::default() })]

    #[test]
    fn dividing_the_plays_changes_no_row(plays in plays(), shape in shape(), imports in imports()) {
        run(async {
            let whole = settled(&plays, Shape { partitions: 1, chunk_size: 1_000, concurrency: 1, skip_limit: 0 }).await;
            let env = TestEnv::new().await;
            for number in 0..4 {
                let part: Vec<Play> = plays
                    .iter()
                    .zip(&imports)
                    .filter(|(_, import)| **import == number)
                    .map(|(play, _)| *play)
                    .collect();
                env.import(&part, 2).await.unwrap();
            }
            settle_active_days(&env, &plays, shape).await;
            assert_eq!(env.results().await, whole.results().await);
        });
    }

    #[test]
    fn days_sum_to_their_periods_and_reports_agree_with_the_plays(plays in plays(), shape in shape()) {
        run(async {
            let env = settled(&plays, shape).await;
            assert_days_make_periods(&env).await;
            let periods: HashSet<Period> = days()
                .flat_map(|day| PeriodKind::ALL.map(|kind| kind.containing(day)))
                .collect();
            for period in periods {
                assert_reports(&env, &plays, period).await;
            }
        });
    }

    #[test]
    fn settling_again_after_an_abandoned_run_writes_the_same_rows(
        plays in plays(),
        shape in shape(),
        changes in 1..40_i64,
    ) {
        run(async {
            let whole = settled(&plays, shape).await;
            let env = TestEnv::new().await;
            env.import(&plays, 2).await.unwrap();
            // The run is stopped after a number of changes of its steps.
            env.execute(
                "CREATE TABLE until_stop (changes INTEGER NOT NULL PRIMARY KEY)",
            ).await;
            env.execute(&format!("INSERT INTO until_stop VALUES ({changes})")).await;
            env.trigger(
                "stop",
                ("BATCH_STEP_EXECUTION", "VERSION"),
                "NEW.VERSION > OLD.VERSION",
                "UPDATE until_stop SET changes = changes - 1; \
                 UPDATE BATCH_JOB_EXECUTION SET STATUS = 'STOPPING' WHERE STATUS = 'STARTED' \
                 AND (SELECT changes FROM until_stop) = 0;",
            ).await;
            let mut abandoned = 0;
            for day in active_days(&plays) {
                let first = env.settle(day, shape).await.unwrap();
                if first.status == BatchStatus::Completed {
                    continue;
                }
                assert_eq!(first.status, BatchStatus::Stopped);
                env.launcher(1).abandon(first.id).await.unwrap();
                abandoned += 1;
                let second = env.settle(day, shape).await.unwrap();
                assert_eq!((second.status, second.run_id), (BatchStatus::Completed, Some(1)));
            }
            // The shortest run has more than four changes.
            assert!(abandoned > 0 || changes > 4);
            assert_eq!(env.results().await, whole.results().await);
        });
    }
}
