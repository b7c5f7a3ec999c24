//! A world in which days are settled: two creators, their videos, plays whose sums the test knows.

use crate::env::TestEnv;
use async_trait::async_trait;
use balance_batch::status::BatchStatus;
use balance_domain::{accounts::UserId, playback::Play, videos::VideoId};
use balance_store::{
    import::{PlayImportError, PlayRules, PlaySource, SourcedPlay},
    operations::WorkerIdentity,
};
use balance_worker::{
    Worker,
    settings::{WorkerMode, WorkerSettings},
};
use chrono::{DateTime, NaiveDate};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// The days with plays: the last of one month, and the first of the next, in one week; then a
/// Monday, which is not over at the world's noon.
pub(crate) const DAYS: [&str; 3] = ["2026-02-27", "2026-02-28", "2026-03-01"];
const DURATION_S: i64 = 600;
const VIDEOS: i64 = 12;

/// What was watched of a video, summed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) views: i64,
    pub(crate) seconds: i64,
    pub(crate) ad_views: i64,
}

impl Sum {
    /// Far below the first tier's end: 1 won a view, 10 won an ad view; in hundredths of a won.
    pub(crate) const fn pay(self) -> i64 {
        self.views * 100 + self.ad_views * 1_000
    }
}

/// A settled world, and what was played in it.
pub(crate) struct Settled {
    pub(crate) env: TestEnv,
    /// Creators' names are those of their tokens.
    pub(crate) minsu: (i64, String),
    pub(crate) jiwoo: (i64, String),
    pub(crate) admin: String,
    plays: Vec<Play>,
}

struct Source(Vec<Play>);

#[async_trait]
impl PlaySource for Source {
    async fn next(&mut self) -> Result<Vec<SourcedPlay>, PlayImportError> {
        let plays = std::mem::take(&mut self.0);
        let sourced = |(play, line)| SourcedPlay {
            play,
            file: 0,
            line,
        };
        Ok(plays.into_iter().zip(1..).map(sourced).collect())
    }
}

/// Midnight of a day in Seoul, in microseconds.
fn midnight(day: &str) -> i64 {
    let text = format!("{day}T00:00:00+09:00");
    DateTime::parse_from_rfc3339(&text)
        .unwrap()
        .timestamp_micros()
}

impl Settled {
    /// Three settled days. Odd videos are minsu's, even ones jiwoo's; video 12 is played by nobody.
    pub(crate) async fn new() -> Self {
        let env = TestEnv::new().await;
        let minsu = env.user("minsu").await;
        let jiwoo = env.user("jiwoo").await;
        let admin = env.admin("boss").await;
        for number in 1..=VIDEOS {
            let whose = if number % 2 == 1 { &minsu } else { &jiwoo };
            let title = format!("film {number}, \"the\" best");
            assert_eq!(env.video(&whose.1, &title, DURATION_S).await, number);
        }
        let mut plays = Vec::new();
        for (number, day) in (1..).zip(DAYS) {
            for video in 1..VIDEOS {
                // Videos 3 and 4 tie each day, and so do 5 and 6.
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
        let rules = PlayRules {
            timezone: self.env.launcher.timezone,
            view_window_s: 30,
            ad_interval_s: 300,
            ads: 1,
        };
        let mut source = Source(self.plays.clone());
        let counts = store.import_plays(&mut source, rules).await.unwrap();
        assert_eq!(counts.counted, self.plays.len() as u64);
        let settings = WorkerSettings {
            identity: WorkerIdentity {
                name: "test".to_owned(),
                host: "test".to_owned(),
                process_id: std::process::id(),
                version: "0".to_owned(),
                concurrency: 2,
            },
            lease_s: 15,
            chunk_timeout_s: 60,
            grace_s: 30,
            chunk_size: 3,
            skip_limit: 0,
            retry_limit: 3,
        };
        let (launcher, backend) = self.env.wired();
        let mode = WorkerMode::OneShot;
        let worker = Worker::start(launcher.clone(), settings, backend, None, mode).await;
        for day in DAYS {
            let id = launcher.launch(day.parse().unwrap()).await.unwrap().id;
            let ended = async {
                loop {
                    let status = store.execution(id).await.unwrap().unwrap().status;
                    if !status.is_running() {
                        return status;
                    }
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            };
            let ended = tokio::time::timeout(Duration::from_secs(60), ended);
            assert_eq!(ended.await.unwrap(), BatchStatus::Completed);
        }
        assert!(worker.stop().await);
    }

    /// What was watched of each video from one day to another: computed from the plays alone.
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

    /// The owner of a video.
    pub(crate) fn owner(&self, video: i64) -> i64 {
        if video % 2 == 1 {
            self.minsu.0
        } else {
            self.jiwoo.0
        }
    }

    /// The store of the world.
    pub(crate) fn store(&self) -> Arc<balance_store::Store> {
        Arc::clone(&self.env.store)
    }
}
