//! Days and events beside an import that runs.

use crate::imports::{FIRST, SECOND, THIRD, content, pause, undo};
use async_trait::async_trait;
use balance_batch::status::BatchStatus;
use balance_domain::{accounts::UserId, playback::Play, videos::VideoId};
use balance_store::{
    import::{ImportId, ImportRules, PlayImportError, PlaySource, SourcedPlay},
    operations::Actor,
    settlement::Closing,
};
use balance_test_support::settlement::{PlayBatches, Shape, TestEnv, date, even_day};
use sqlx::{Connection, MySqlConnection};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{sync::Notify, task::JoinSet};

/// A source that waits for a signal before its end.
struct Held {
    plays: PlayBatches,
    is_held: bool,
    reached: Arc<Notify>,
    go: Arc<Notify>,
}

#[async_trait]
impl PlaySource for Held {
    async fn next(&mut self) -> Result<Vec<SourcedPlay>, PlayImportError> {
        let batch = self.plays.next().await?;
        if batch.is_empty() && self.is_held {
            self.reached.notify_one();
            self.go.notified().await;
            self.is_held = false;
        }
        Ok(batch)
    }
}

/// An import that runs until it is released.
struct Running {
    tasks: JoinSet<Result<(), PlayImportError>>,
    go: Arc<Notify>,
}

/// Starts an import as another process does, which waits for its source after all plays.
async fn running(env: &TestEnv, plays: Vec<Play>) -> Running {
    let (reached, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let expected = plays.len();
    let mut source = Held {
        plays: PlayBatches::sorted(plays),
        is_held: true,
        reached: Arc::clone(&reached),
        go: Arc::clone(&go),
    };
    let rules = ImportRules {
        timezone: env.timezone,
        view_window_s: 30,
        ad_interval_s: 300,
        rules_version: 0,
        ads: 0,
        link_accounts: false,
    };
    let other = env.reopen().await;
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let by = Actor::Console;
        let imported = other
            .store
            .import_plays(&mut source, rules, "plays.csv", &by);
        imported.await.map(|_| ())
    });
    tokio::select! {
        () = reached.notified() => {}
        ended = tasks.join_next() => panic!("the import ended: {ended:?}"),
    }
    // An import keeps no transaction open while it waits.
    let written = "SELECT COUNT(*) FROM play_history WHERE import_id = \
                   (SELECT MAX(id) FROM play_import)";
    let committed = async {
        while env.rows(written).await != [expected.to_string()] {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), committed)
        .await
        .unwrap();
    Running { tasks, go }
}

/// Looks for transactions of the database that wait for a row lock.
struct LockWatch {
    task: JoinSet<(u32, Vec<String>)>,
    is_over: Arc<AtomicBool>,
}

impl LockWatch {
    /// The transactions that wait.
    const WAITING: &str = "SELECT CAST(t.trx_id AS CHAR) FROM information_schema.innodb_trx t \
         JOIN information_schema.processlist p ON p.ID = t.trx_mysql_thread_id \
         WHERE t.trx_state = 'LOCK WAIT' AND p.DB = DATABASE()";
    /// The error of MySQL while a statement with binary values runs.
    const UNREADABLE: &str = "Cannot convert string";

    fn start(env: &TestEnv) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let url = env.server.clone().unwrap();
        let ends = Arc::clone(&is_over);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connection = MySqlConnection::connect(&url).await.unwrap();
            let (mut looks, mut waits): (u32, Vec<String>) = (0, Vec::new());
            // One more look after the end. A wait of 5 s cannot be missed.
            let mut is_last = false;
            while !is_last {
                let has_ended = ends.load(Ordering::SeqCst);
                match sqlx::query_scalar(Self::WAITING)
                    .fetch_all(&mut connection)
                    .await
                {
                    Ok(rows) => waits.extend(rows),
                    Err(error) if error.to_string().contains(Self::UNREADABLE) => continue,
                    Err(error) => panic!("{error}"),
                }
                looks += 1;
                is_last = has_ended;
            }
            (looks, waits)
        });
        Self { task, is_over }
    }

    /// Returns the number of looks, and the waits that they saw.
    async fn waits(mut self) -> (u32, Vec<String>) {
        self.is_over.store(true, Ordering::SeqCst);
        self.task.join_next().await.unwrap().unwrap()
    }

    async fn assert_no_wait(self) {
        let (looks, waits) = self.waits().await;
        assert!(looks > 1);
        assert_eq!(waits, [""; 0]);
    }
}

/// Plays of which each passes one ad slot.
fn with_ads(day: &str, plays: i64, videos: i64) -> Vec<Play> {
    let mut all = even_day(day, plays, videos);
    for play in &mut all {
        (play.play_time_s, play.duration_s) = (400, 600);
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_waits_for_an_import_and_events_wait_for_neither() {
    let env = TestEnv::new().await;
    env.import(&with_ads(FIRST, 30, 5), 1).await.unwrap();
    env.settle(date(FIRST), Shape::default()).await.unwrap();
    let mut import = running(&env, with_ads(THIRD, 1_500, 50)).await;
    let watch = env.is_server().then(|| LockWatch::start(&env));
    for _ in 0..5 {
        let closing = env.store.close_day(date(THIRD)).await.unwrap();
        assert_eq!(closing, Closing::ImportRunning(ImportId(2)));
        // The import has recorded the same ad slot of this viewer.
        let event = pause(3, 3, "2024-06-05T05:00:00Z");
        env.store
            .write_entries(&[event], env.timezone)
            .await
            .unwrap();
    }
    let closing = env.store.close_day(date(SECOND)).await.unwrap();
    assert_eq!(closing, Closing::Closed);
    if let Some(watch) = watch {
        watch.assert_no_wait().await;
    }
    assert_eq!(
        undo(&env, 2).await,
        Err("import 2 is running; stop it instead".to_owned())
    );
    let error = env.import(&even_day(SECOND, 9, 5), 0).await.unwrap_err();
    assert!(
        matches!(error, PlayImportError::Running(ImportId(2))),
        "{error}"
    );
    import.go.notify_one();
    import.tasks.join_next().await.unwrap().unwrap().unwrap();
    let closing = env.store.close_day(date(THIRD)).await.unwrap();
    assert_eq!(closing, Closing::Closed);
    let plays = "SELECT COUNT(*) FROM play_history WHERE date = '2024-06-05'";
    assert_eq!(env.rows(plays).await, ["1501"]);
    let ads = "SELECT COUNT(*) FROM ad_history WHERE date = '2024-06-05'";
    assert_eq!(env.rows(ads).await, ["1500"]);
}

/// Who finds an import whose process died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finder {
    Import,
    Undo,
    Close,
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_whose_process_died_leaves_nothing_and_can_be_repeated() {
    let env = TestEnv::new().await;
    env.import(&with_ads(FIRST, 30, 5), 0).await.unwrap();
    env.settle(date(FIRST), Shape::default()).await.unwrap();
    let before = content(&env).await;
    for finder in [Finder::Import, Finder::Undo, Finder::Close] {
        let mut import = running(&env, with_ads(SECOND, 2_500, 50)).await;
        let id = env.rows("SELECT MAX(id) FROM play_import").await;
        let id: i64 = id[0].parse().unwrap();
        import.tasks.shutdown().await;
        let ended = async {
            loop {
                let is_over = match finder {
                    Finder::Import => env.import(&[], 0).await.is_ok(),
                    Finder::Undo => undo(&env, id).await.is_ok(),
                    // The day may have been launched because of the plays of the import.
                    Finder::Close => {
                        env.store.close_day(date(SECOND)).await.unwrap()
                            == Closing::ImportUndone(ImportId(id))
                    }
                };
                if is_over {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), ended)
            .await
            .unwrap();
        assert_eq!(content(&env).await, before, "{finder:?}");
        let running = "SELECT COUNT(*) FROM play_import WHERE status IN ('RUNNING', 'UNDOING')";
        assert_eq!(env.rows(running).await, ["0"], "{finder:?}");
    }
    env.import(&with_ads(SECOND, 2_500, 50), 1).await.unwrap();
    let closing = env.store.close_day(date(SECOND)).await.unwrap();
    assert_eq!(closing, Closing::Closed);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_was_taken_for_dead_writes_nothing_any_more() {
    // A server keeps the row locked as long as the import can write.
    let env = TestEnv::embedded().await;
    let mut import = running(&env, even_day(SECOND, 1_500, 50)).await;
    // As after a failure of the lock, such as on a file system without locks.
    env.execute("UPDATE play_import SET status = 'UNDOING'")
        .await;
    assert_eq!(undo(&env, 1).await, Ok((1_500, 0, 0)));
    import.go.notify_one();
    let error = import
        .tasks
        .join_next()
        .await
        .unwrap()
        .unwrap()
        .unwrap_err();
    let reason = "another process took import 1 for dead and removed its rows";
    assert!(error.to_string().contains(reason), "{error}");
    assert_eq!(content(&env).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_import_removes_what_it_wrote_and_keeps_what_others_use() {
    let env = TestEnv::new().await;
    env.import(&with_ads(FIRST, 30, 5), 0).await.unwrap();
    let before = content(&env).await;
    // The last play contradicts the owner of video 5.
    let mut plays = with_ads(SECOND, 2_500, 2_000);
    let last = plays.last_mut().unwrap();
    (last.video_id, last.owner_id) = (VideoId(5), UserId(77));
    let error = env.import(&plays, 3).await.unwrap_err();
    assert!(error.to_string().contains("video 5"), "{error}");
    assert_eq!(content(&env).await, before);

    // A video that was played meanwhile stays, with its owner.
    let mut import = running(&env, with_ads(THIRD, 1_500, 50)).await;
    let event = pause(3, 33, "2024-06-05T05:00:00Z");
    env.store
        .write_entries(&[event], env.timezone)
        .await
        .unwrap();
    // A failed import that committed nothing has left its id to this one.
    let running = env.rows("SELECT id FROM play_import WHERE status = 'RUNNING'");
    let id = running.await[0].parse().unwrap();
    import.tasks.shutdown().await;
    let ended = async {
        while undo(&env, id).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), ended)
        .await
        .unwrap();
    let videos = "SELECT id, owner_id FROM video WHERE id > 5";
    assert_eq!(env.rows(videos).await, ["33|1000000"]);
    let plays = "SELECT COUNT(*) FROM play_history WHERE date = '2024-06-05'";
    assert_eq!(env.rows(plays).await, ["1"]);
    env.settle(date(FIRST), Shape::default()).await.unwrap();
    let settled = env.settle(date(THIRD), Shape::default()).await.unwrap();
    assert_eq!(settled.status, BatchStatus::Completed);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_watch_sees_a_transaction_that_waits() {
    let env = TestEnv::new().await;
    let Some(url) = &env.server else {
        return;
    };
    let mut holder = MySqlConnection::connect(url).await.unwrap();
    for sql in ["BEGIN", "SELECT date FROM closed_through FOR UPDATE"] {
        sqlx::raw_sql(sql).execute(&mut holder).await.unwrap();
    }
    let watch = LockWatch::start(&env);
    let closing = env.store.close_day(date(FIRST)).await;
    assert!(closing.is_err(), "{closing:?}");
    let (_, waits) = watch.waits().await;
    assert!(!waits.is_empty());
}
