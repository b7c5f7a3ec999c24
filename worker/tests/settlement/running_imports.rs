//! Days and events beside an import that runs, on a server. On SQLite an import has the file to itself.

use crate::imports::{FIRST, SECOND, THIRD, content, pause, undo};
use async_trait::async_trait;
use balance_domain::playback::Play;
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

async fn running(env: &TestEnv, plays: Vec<Play>) -> Running {
    let (reached, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
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
    let store = Arc::clone(&env.store);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let imported = store.import_plays(&mut source, rules, "plays.csv", &Actor::Console);
        imported.await.map(|_| ())
    });
    reached.notified().await;
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

    fn start(env: &TestEnv) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let url = env.server.clone().unwrap();
        let ends = Arc::clone(&is_over);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connection = MySqlConnection::connect(&url).await.unwrap();
            let (mut looks, mut waits) = (0, Vec::new());
            // One more look after the end. A wait of 5 s cannot be missed.
            let mut is_last = false;
            while !is_last {
                is_last = ends.load(Ordering::SeqCst);
                let rows: Vec<String> = sqlx::query_scalar(Self::WAITING)
                    .fetch_all(&mut connection)
                    .await
                    .unwrap();
                waits.extend(rows);
                looks += 1;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_day_waits_for_an_import_and_events_wait_for_neither() {
    let env = TestEnv::new().await;
    if !env.is_server() {
        return;
    }
    env.import(&even_day(FIRST, 30, 5), 0).await.unwrap();
    env.settle(date(FIRST), Shape::default()).await.unwrap();
    let mut import = running(&env, even_day(THIRD, 1_500, 5)).await;
    let watch = LockWatch::start(&env);
    for _ in 0..5 {
        let closing = env.store.close_day(date(THIRD)).await.unwrap();
        assert_eq!(closing, Closing::ImportRunning(ImportId(2)));
        let event = pause(3, 3, "2024-06-05T05:00:00Z");
        env.store
            .write_entries(&[event], env.timezone)
            .await
            .unwrap();
    }
    let closing = env.store.close_day(date(SECOND)).await.unwrap();
    assert_eq!(closing, Closing::Closed);
    watch.assert_no_wait().await;
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
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_whose_process_died_leaves_nothing_and_delays_nothing() {
    let env = TestEnv::new().await;
    if !env.is_server() {
        return;
    }
    env.import(&even_day(FIRST, 30, 5), 0).await.unwrap();
    env.settle(date(FIRST), Shape::default()).await.unwrap();
    let before = content(&env).await;
    for is_closed in [false, true] {
        let mut import = running(&env, even_day(SECOND, 1_500, 50)).await;
        import.tasks.shutdown().await;
        let ended = async {
            loop {
                let is_over = if is_closed {
                    env.store.close_day(date(SECOND)).await.unwrap() == Closing::Closed
                } else {
                    env.import(&[], 0).await.is_ok()
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
        assert_eq!(content(&env).await, before);
        let running = "SELECT COUNT(*) FROM play_import WHERE status = 'RUNNING'";
        assert_eq!(env.rows(running).await, ["0"]);
    }
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
