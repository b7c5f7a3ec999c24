//! Settled days of two creators, with plays whose sums the test computes.

use crate::env::TestEnv;
use balance_batch::status::BatchStatus;
use balance_domain::{
    accounts::UserId,
    playback::Play,
    videos::{Video, VideoId},
};
use balance_store::{import::ImportRules, operations::Actor};
use balance_test_support::settlement::{PlayBatches, Shape, wait_for_end, worker_settings};
use balance_worker::{Worker, settings::WorkerMode};
use chrono::{DateTime, NaiveDate};
use std::{collections::BTreeMap, sync::Arc};

/// The days with plays: the last two of one month and the first of the next, in one week. The day
/// after them, a Monday, is not over at the time of the test.
pub(crate) const DAYS: [&str; 3] = ["2026-02-27", "2026-02-28", "2026-03-01"];
const DURATION_S: i64 = 600;
const VIDEOS: i64 = 12;

/// The sums of a video's plays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) views: i64,
    pub(crate) seconds: i64,
    pub(crate) ad_views: i64,
}

impl Sum {
    /// Returns the revenue in hundredths of a won: 1 won a view and 10 won an ad view. The views are
    /// far below the end of the first tier.
    pub(crate) const fn revenue(self) -> i64 {
        self.views * 100 + self.ad_views * 1_000
    }
}

/// An environment with settled days, and their plays.
pub(crate) struct Settled {
    pub(crate) env: TestEnv,
    /// The ID and access token of a creator.
    pub(crate) minsu: (i64, String),
    pub(crate) jiwoo: (i64, String),
    pub(crate) admin: String,
    plays: Vec<Play>,
}

/// Returns the begin of a day in Seoul, in microseconds since 1970 (UTC).
fn midnight(day: &str) -> i64 {
    let text = format!("{day}T00:00:00+09:00");
    DateTime::parse_from_rfc3339(&text)
        .unwrap()
        .timestamp_micros()
}

impl Settled {
    /// Settles three days. Odd videos belong to minsu, even ones to jiwoo; video 12 has no plays.
    pub(crate) async fn new() -> Self {
        let env = TestEnv::new().await;
        let minsu = env.user("minsu").await;
        let jiwoo = env.user("jiwoo").await;
        let admin = env.admin("boss").await;
        let videos: Vec<Video> = (1..=VIDEOS)
            .map(|number| Video {
                id: VideoId(number),
                owner_id: UserId(if number % 2 == 1 { minsu.0 } else { jiwoo.0 }),
                title: format!("film {number}, \"the\" best"),
                duration_s: DURATION_S,
            })
            .collect();
        env.store.register(&[], &videos).await.unwrap();
        let mut plays = Vec::new();
        for (number, day) in (1..).zip(DAYS) {
            for video in 1..VIDEOS {
                // Videos 3 and 4 have equally many views each day, and so have 5 and 6.
                for view in 0..(video + 1) / 2 % 4 * number {
                    plays.push(Play {
                        user_id: UserId(1_000 + view),
                        video_id: VideoId(video),
                        owner_id: UserId(if video % 2 == 1 { minsu.0 } else { jiwoo.0 }),
                        started_at_micros: midnight(day) + (video * 100 + view) * 1_000_000,
                        play_time_s: 250 + video * 10,
                        duration_s: DURATION_S,
                    });
                }
            }
        }
        plays.sort_by_key(|play| (play.started_at_micros, play.user_id, play.video_id));
        let settled = Self {
            env,
            minsu,
            jiwoo,
            admin,
            plays,
        };
        settled.settle().await;
        settled
    }

    async fn settle(&self) {
        let store = &self.env.store;
        let rules = ImportRules {
            timezone: self.env.launcher.timezone,
            view_window_s: 30,
            ad_interval_s: 300,
            rules_version: 0,
            ads: 1,
            link_accounts: true,
        };
        let mut source = PlayBatches::sorted(self.plays.clone());
        let imported = store.import_plays(&mut source, rules, "plays.csv", &Actor::Console);
        let counts = imported.await.unwrap().counts;
        assert_eq!(counts.counted, self.plays.len() as u64);
        let settings = worker_settings(Shape {
            chunk_size: 3,
            ..Shape::default()
        });
        let (launcher, backend) = self.env.launcher_with_backend();
        let mode = WorkerMode::OneShot;
        let worker = Worker::start(launcher.clone(), settings, backend, None, mode).await;
        for day in DAYS {
            let id = launcher.launch(day.parse().unwrap()).await.unwrap().id;
            let execution = wait_for_end(store, id).await;
            assert_eq!(execution.status, BatchStatus::Completed);
        }
        assert!(worker.stop().await);
    }

    /// Returns the sums of each video in a range of days, computed from the plays alone.
    pub(crate) fn sums(&self, from: NaiveDate, to: NaiveDate) -> BTreeMap<i64, Sum> {
        let mut sums: BTreeMap<i64, Sum> = BTreeMap::new();
        for play in &self.plays {
            let at = DateTime::from_timestamp_micros(play.started_at_micros).unwrap();
            let day = (at + chrono::Duration::hours(9)).date_naive();
            if (from..=to).contains(&day) {
                let sum = sums.entry(play.video_id.0).or_default();
                sum.views += 1;
                sum.seconds += play.play_time_s;
                sum.ad_views += play.play_time_s / 300;
            }
        }
        sums
    }

    /// Returns the owner of a video.
    pub(crate) fn owner(&self, video: i64) -> i64 {
        if video % 2 == 1 {
            self.minsu.0
        } else {
            self.jiwoo.0
        }
    }

    /// Returns the store.
    pub(crate) fn store(&self) -> Arc<balance_store::Store> {
        Arc::clone(&self.env.store)
    }
}
