//! The calls whose statements are explained, and the rows that they need.

use crate::platform;
use async_trait::async_trait;
use balance_batch::{
    chunk::ClaimToken,
    execution::JobExecutionId,
    job::{Job, Step},
    status::{BatchStatus, ExitCode},
};
use balance_domain::{accounts::UserId, playback::EventId, videos::VideoId};
use balance_service::verification::{self, Options};
use balance_store::{
    claims::{Claimed, Ending, Reloaded},
    events::{
        Content, Entry, EntryId, EventKind, PlaybackEvent, ShownAds, StreamLayout, SuppressedCount,
        SuppressedShard,
    },
    import::{ImportId, ImportRules, PlayImportError, PlaySource, SourcedPlay},
    operations::Actor,
    playback::SuppressedReason,
    verification::ViewerLimits,
};
use balance_test_support::settlement::{PlayBatches, Shape, TestEnv, at, date, even_day};
use chrono::Days;
use std::time::Duration;

pub(super) const DAY: &str = "2024-06-03";
pub(super) const NEXT: &str = "2024-06-04";
pub(super) const THIRD: &str = "2024-06-05";
pub(super) const FOURTH: &str = "2024-06-20";
pub(super) const OWNER: UserId = UserId(1_000_000);

/// Rows that an abandoned run of [`NEXT`] has left. One video has no other day.
const ABANDONED_RUN: &str = "\
    INSERT INTO video_statistics SELECT video_id, '2024-06-04', 1, 1, 0, 2, 0 \
        FROM video_statistics WHERE date = '2024-06-03'; \
    INSERT INTO video_statistics VALUES (500000, '2024-06-04', 1, 1, 0, 1, 0); \
    INSERT INTO period_rollup VALUES ('week', '2024-06-03', 500000, 1, 1, 0, 1, 0, 1)";

/// Rows for the tables that the work below does not fill.
const FILLERS: &str = include_str!("query_plans.sql");

/// Fills the tables. Days are closed through the one before [`DAY`].
pub(crate) async fn fill(env: &TestEnv) {
    env.execute(
        "CREATE TABLE n (i BIGINT NOT NULL PRIMARY KEY, date DATE NOT NULL, \
         at DATETIME(6) NOT NULL, b16 BINARY(16) NOT NULL, b32 BINARY(32) NOT NULL)",
    )
    .await;
    for first in (1..3_000).step_by(500) {
        let rows = (first..first + 500).map(|i: u32| {
            let date = date("2012-01-01") + Days::new(i.into());
            format!("({i}, '{date}', '{date} 03:00:00', X'{i:032x}', X'{i:064x}')")
        });
        let rows = rows.collect::<Vec<_>>().join(", ");
        env.execute(&format!(
            "INSERT INTO n (i, date, at, b16, b32) VALUES {rows}"
        ))
        .await;
    }
    env.execute(FILLERS).await;
    env.execute("DROP TABLE n").await;
    env.execute("UPDATE closed_through SET date = '2024-06-02'")
        .await;
}

/// Runs the methods of the store: imports, settlements by a worker, and the others one by one.
pub(crate) async fn work(env: &TestEnv) {
    for day in [DAY, DAY, NEXT, THIRD] {
        env.import(&even_day(day, 400, 100), 2).await.unwrap();
    }
    env.settle(date(DAY), Shape::default()).await.unwrap();
    env.execute(ABANDONED_RUN).await;
    env.settle(date(NEXT), Shape::default()).await.unwrap();
    imports(env).await;
    jobs(env).await;
    claims(env).await;
    plans(env).await;
    events(env).await;
    platform::playback(env, UserId(7)).await;
    platform::accounts(env).await;
    platform::videos(env).await;
    platform::reports(env).await;
    platform::operations(env).await;
    let options = Options {
        from: Some(date(DAY)),
        to: Some(date(NEXT)),
        limit: 1,
    };
    verification::verify(&env.store, env.timezone, options, &mut |_| {})
        .await
        .unwrap();
    clock(env).await;
}

/// Plays with a clock that is ahead, and the repair.
async fn clock(env: &TestEnv) {
    let store = &env.store;
    // The view window ends, so that the play is recorded.
    env.clock.advance_ms(30_000);
    env.clock.step_s(3 * 86_400);
    platform::playback(env, UserId(8)).await;
    env.execute("UPDATE closed_through SET date = '2024-07-05'")
        .await;
    late_event(env, "0f", "2024-07-04").await;
    env.clock.step_s(-3 * 86_400);
    store.check_intake_clock(env.timezone).await.unwrap_err();
    store.advance_intake_clock(env.timezone).await.unwrap();
    let repair = store.repair_clock(env.timezone, &Actor::Console).await;
    let repair = repair.unwrap();
    assert!(repair.moved > 0 && repair.admitted > 0, "{repair:?}");
    store.clocks().await.unwrap();
}

/// Undoes an import of a day with ads, and imports it again with another owner of one video.
async fn imports(env: &TestEnv) {
    let mut plays = even_day(FOURTH, 400, 400);
    for play in plays.iter_mut().skip(100) {
        (play.play_time_s, play.duration_s) = (400, 600);
    }
    env.import(&plays, 3).await.unwrap();
    let imports = env.store.imports(None, 2).await.unwrap();
    let imports = env.store.imports(Some(imports[1].id), 1).await.unwrap();
    assert_eq!(imports.len(), 1);
    let last = ImportId(5);
    env.store.undo_import(last, &Actor::Console).await.unwrap();
    for play in &mut plays[300..] {
        play.owner_id = UserId(7);
    }
    env.import(&plays, 3).await.unwrap();
    // An import that fails in its second batch.
    let mut failing = even_day(FOURTH, 1_500, 100);
    for play in &mut failing[..1_400] {
        (play.user_id.0, play.video_id.0) = (play.user_id.0 + 900_000, play.video_id.0 + 900_000);
    }
    failing[1_499].video_id = plays[0].video_id;
    failing[1_499].owner_id = UserId(8);
    let rules = ImportRules {
        timezone: env.timezone,
        view_window_s: 30,
        ad_interval_s: 300,
        rules_version: 0,
        ads: 0,
        link_accounts: false,
    };
    let mut source = Slow(PlayBatches::sorted(failing));
    let by = Actor::Console;
    let failed = env.store.import_plays(&mut source, rules, "plays.csv", &by);
    failed.await.unwrap_err();
}

/// A source that waits before each batch, so that the import commits the one before.
struct Slow(PlayBatches);

#[async_trait]
impl PlaySource for Slow {
    async fn next(&mut self) -> Result<Vec<SourcedPlay>, PlayImportError> {
        tokio::time::sleep(Duration::from_millis(50)).await;
        self.0.next().await
    }
}

/// Inserts a late event of a day, whose id consists of equal bytes.
async fn late_event(env: &TestEnv, byte: &str, date: &str) {
    let id = byte.repeat(16);
    env.execute(&format!(
        "INSERT INTO late_event (event_id, date, video_id, user_id, occurred_at_micros, counted, \
         play_time, reported_time, received_at) \
         VALUES (x'{id}', '{date}', 1, 7, 1, 0, 1, 1, '2024-06-06 00:00:00')"
    ))
    .await;
}

async fn jobs(env: &TestEnv) {
    let store = &env.store;
    assert!(!store.is_empty().await.unwrap());
    store.expire_all_leases().await.unwrap();
    let launcher = env.launcher(4);
    let id = launcher.launch(date(THIRD)).await.unwrap().id;
    store.claimable(8).await.unwrap();
    store.running().await.unwrap();
    store.unclosed().await.unwrap();
    store.owners(id).await.unwrap();
    store.progress(id).await.unwrap();
    launcher.stop(id).await.unwrap();
    launcher.abandon(id).await.unwrap();
    store.executions(None, 10).await.unwrap();
    store.executions(Some(id), 10).await.unwrap();
    store
        .executions_of(Job::DayStatistics, date(DAY))
        .await
        .unwrap();
    let steps = store.steps(JobExecutionId(1), None, 2).await.unwrap();
    let last = steps.last().map(|step| step.id);
    store.steps(JobExecutionId(1), last, 2).await.unwrap();
    store.own_steps(JobExecutionId(1)).await.unwrap();
    store.active_days(Some(date(DAY)), 10).await.unwrap();
    let ended_before = date("2024-01-01").and_hms_opt(0, 0, 0).unwrap();
    assert!(store.prune_oldest(ended_before).await.unwrap());
}

/// Settles [`THIRD`] with a partition whose workers crash, a retry, and a skipped video.
async fn claims(env: &TestEnv) {
    const LEASE_S: u32 = 15;
    let store = &env.store;
    let claim = async |id, token| {
        let claimed = store.claim(id, ClaimToken(token), "worker", LEASE_S).await;
        match claimed.unwrap() {
            Claimed::Owned(claim) => Some(*claim),
            _ => None,
        }
    };
    let (launcher, worker) = env.worker(Shape::default()).await;
    assert!(worker.stop().await);
    let id = launcher.launch(date(THIRD)).await.unwrap().id;
    let close = store.claimable(1).await.unwrap()[0];
    assert_eq!(store.execution_of_step(close).await.unwrap(), Some(id));
    let claimed = claim(close, 1).await.unwrap();
    let owned = std::slice::from_ref(&claimed);
    store.renew(owned, LEASE_S).await.unwrap();
    store.announce_end(owned).await.unwrap();
    store.reload(&claimed).await.unwrap();
    store.release_unstarted(&claimed, 0).await.unwrap();
    let lost = store.reload(&claimed).await.unwrap();
    assert_eq!(lost, Reloaded::Lost);
    let claimed = claim(close, 2).await.unwrap();
    store.close_day(date(THIRD)).await.unwrap();
    store.end(&claimed, Ending::Completed).await.unwrap();
    launcher.advance(id).await.unwrap();
    let partition = store.claimable(1).await.unwrap()[0];
    for token in 3..=5 {
        claim(partition, token).await.unwrap();
        store.expire_all_leases().await.unwrap();
    }
    assert!(claim(partition, 6).await.is_none(), "quarantined");
    let (launcher, worker) = env.worker(Shape::default()).await;
    let failed = env.wait(id).await;
    assert_eq!(failed.status, BatchStatus::Failed);
    let again = launcher.restart(id).await.unwrap().id;
    env.wait(again).await;
    assert!(worker.stop().await);
    let shape = Shape {
        skip_limit: 1,
        ..Shape::default()
    };
    let (launcher, worker) = env.worker(shape).await;
    let steps = env.steps(again).await;
    let quarantined = steps.iter().find(|step| step.name.partition == Some(0));
    let retried = launcher.retry(quarantined.unwrap().id).await.unwrap().id;
    let ended = env.wait(retried).await;
    assert_eq!(ended.exit_code, ExitCode::COMPLETED_WITH_SKIPS);
    assert!(worker.stop().await);
}

/// Plans the partitions of a day whose plays are sampled.
async fn plans(env: &TestEnv) {
    const LARGE: &str = "2024-06-08";
    env.import(&even_day(LARGE, 21_000, 100), 0).await.unwrap();
    let ranges = env.store.plan(Step::DayStatistics, date(LARGE), 8).await;
    assert_eq!(ranges.unwrap().len(), 8);
}

/// Writes one event of an open day, one of a closed day and one that cannot be read.
async fn events(env: &TestEnv) {
    let entry = |number: u8, instant: &str, is_readable: bool| Entry {
        id: EntryId {
            shard: 0,
            ms: at(instant) / 1_000,
            sequence: i64::from(number),
        },
        content: if is_readable {
            Content::Event(PlaybackEvent {
                is_new_account: None,
                id: EventId([number; 16]),
                user_id: UserId(7),
                video_id: VideoId(1),
                rules_version: 0,
                kind: EventKind::Pause {
                    is_counted: false,
                    from_s: 0,
                    credited_s: 400,
                    reported_s: 400,
                    ads: ShownAds::Undecided,
                },
            })
        } else {
            Content::Invalid {
                payload: "{}".to_owned(),
                reason: "it has no id".to_owned(),
            }
        },
    };
    let entries = [
        entry(1, "2024-06-06T03:00:00Z", true),
        entry(2, "2024-06-03T03:00:00Z", true),
        entry(3, "2024-06-06T03:00:00Z", false),
    ];
    let store = &env.store;
    late_event(env, "01", "2024-06-06").await;
    store.write_entries(&entries, env.timezone).await.unwrap();
    let (layout, number) = (StreamLayout::ByViewer, 0);
    let count = SuppressedCount {
        shard: SuppressedShard { layout, number },
        date: date(NEXT),
        video_id: VideoId(1),
        reason: SuppressedReason::Repeat,
        count: 2,
    };
    store.save_suppressed(&[count]).await.unwrap();
    let known = [EventId([1; 16])];
    store.known_events(date(DAY), &known).await.unwrap();
    let limits = ViewerLimits {
        credited_s: 1,
        ad_interval_s: 300,
    };
    let viewers = store.viewers_beyond(date(DAY), limits, 0, 10);
    viewers.await.unwrap();
    store.late_events(None, None, 10).await.unwrap();
    let before = Some(EventId([0x7f; 16]));
    store
        .late_events(Some(date(DAY)), before, 10)
        .await
        .unwrap();
    store.rejected_events(None, 10).await.unwrap();
    store
        .rejected_events(Some(entries[2].id), 10)
        .await
        .unwrap();
}
