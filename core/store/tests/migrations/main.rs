//! Migrations, applied to a database with the rows of an older version.
//!
//! The database is a SQLite file, or a database on the server of `TEST_SERVER_URL` if that is set.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

mod database;
mod keys;

use balance_batch::{execution::JobExecutionId, job::Job, status::BatchStatus};
use balance_domain::{
    accounts::{Role, UserId, Username},
    money::Money,
    period::PeriodKind,
    playback::{EventId, PlayRules, PlaybackRate},
    videos::VideoId,
};
use balance_store::{
    Store,
    accounts::{NewToken, Rotation, TokenHash},
    playback::{Command, IdempotencyKey, IntakeAnswer, IntakeRequest, Lifetimes, RulesChange},
    reports::RevenuePage,
};
use chrono::NaiveDate;
use database::{Database, MYSQL, SQLITE};
use futures_util::future::join_all;

/// The first digits of the checksums of released migrations: version, SQLite, server.
const RELEASED: [(i64, &str, &str); 10] = [
    (1, "2d976450", "920ce476"),
    (2, "56facca9", "05d5e590"),
    (3, "4c653a90", "074af998"),
    (4, "10b31aa2", "6406bc24"),
    (6, "a60cf048", "f9c4938f"),
    (7, "1cd0825e", "766a8733"),
    (8, "7458041f", "b280f115"),
    (9, "b9e15a4c", "826c7fe0"),
    (10, "fc79453c", "6961eec2"),
    (12, "3c3bffa0", "d586e67d"),
];

fn versions() -> Vec<i64> {
    SQLITE.iter().map(|migration| migration.version).collect()
}

fn march(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, day).unwrap()
}

#[test]
fn released_migrations_do_not_change() {
    for (version, sqlite, mysql) in RELEASED {
        for (migrator, expected) in [(&SQLITE, sqlite), (&MYSQL, mysql)] {
            let migration = migrator.iter().find(|one| one.version == version).unwrap();
            let checksum: String = migration.checksum[..4]
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            assert_eq!(
                checksum, expected,
                "migration {version} changed, if only in a comment: databases that have it are rejected"
            );
        }
    }
}

#[tokio::test]
async fn each_migration_keeps_the_rows_of_each_older_version() {
    let versions = versions();
    let mut fresh = Database::create().await;
    fresh.migrate_to(versions[versions.len() - 1]).await;
    let schema = fresh.schema().await;
    for (index, older) in versions[..versions.len() - 1].iter().enumerate() {
        let mut database = Database::create().await;
        database.migrate_to(*older).await;
        database.seed(*older).await;
        let kept = database.keep().await;
        for version in &versions[index + 1..] {
            database.migrate_to(*version).await;
            let step = format!("from version {older} to {version}");
            database.assert_rows(&kept, &step).await;
        }
        for (table, _) in &kept {
            database.execute(&format!("DROP TABLE kept_{table}")).await;
        }
        assert_eq!(database.schema().await, schema, "from version {older}");
        let (store, _folder) = database.open().await;
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_migrate_a_database_at_once_all_succeed() {
    let versions = versions();
    for older in [None, Some(versions[0]), Some(versions[versions.len() - 2])] {
        let mut database = Database::create().await;
        if let Some(version) = older {
            database.migrate_to(version).await;
        }
        let migrations = (0..6).map(|_| database.address().migrate());
        for result in join_all(migrations).await {
            result.unwrap();
        }
        let (store, _folder) = database.open().await;
        assert!(store.is_empty().await.unwrap(), "from version {older:?}");
        store.close().await;
    }
}

#[tokio::test]
async fn the_store_reads_what_an_older_program_wrote() {
    let versions = versions();
    let older = versions[versions.len() - 2];
    let mut database = Database::create().await;
    database.migrate_to(older).await;
    database.seed(older).await;
    let (store, _folder) = database.open().await;

    let timezone = store.setting("business_timezone").await.unwrap();
    assert_eq!(timezone.as_deref(), Some("Asia/Seoul"));
    assert_eq!(store.closed_through().await.unwrap(), Some(march(3)));
    assert!(store.is_settled(march(2)).await.unwrap());
    assert_eq!(store.first_unsettled_day().await.unwrap(), Some(march(3)));
    assert_eq!(store.rate_versions().await.unwrap().len(), 2);

    let executions = store
        .executions_of(Job::DayStatistics, march(3))
        .await
        .unwrap();
    assert_eq!(executions.len(), 1);
    assert_eq!(executions[0].status, BatchStatus::Failed);
    assert!(!executions[0].is_foreign);
    let steps = store.steps(JobExecutionId(2), None, 10).await.unwrap();
    let names: Vec<String> = steps.iter().map(|step| step.name.to_string()).collect();
    let expected = [
        "closeDayStep",
        "partitionedDayStatisticsStep",
        "dayStatisticsStep:partition0",
    ];
    assert_eq!(names, expected);
    let workers = store.workers(10).await.unwrap();
    assert_eq!(workers[0].identity.name, "host-1-0a");

    let day = PeriodKind::Day.containing(march(2));
    let total = store.total(day, None).await.unwrap();
    assert_eq!(total.total_revenue, Money::from_hundredths(1_210));
    let page = RevenuePage {
        owner: Some(UserId(2)),
        after: None,
        limit: 10,
    };
    let revenues = store.revenues(day, page).await.unwrap();
    assert_eq!(revenues.len(), 1);
    assert_eq!(revenues[0].title, "영화 \"하나\"");

    let late = store.late_events(None, None, 10).await.unwrap();
    assert_eq!(late[0].date, march(2));
    let rejected = store.rejected_events(None, 10).await.unwrap();
    assert_eq!(rejected[0].reason, "it has no id");
    let audit = store.audit(None, 10).await.unwrap();
    assert_eq!(audit[0].subject, "execution 2 of 2026-03-03");

    let username = Username::parse("minsu").unwrap();
    let credential = store.credential(&username).await.unwrap().unwrap();
    assert_eq!(credential.account.role, Role::User);
    let next = NewToken {
        hash: TokenHash([2; 32]),
        lifetime_s: 60,
    };
    let rotation = store.rotate(&TokenHash([1; 32]), &next, 0).await.unwrap();
    assert!(matches!(rotation, Rotation::Rotated(_)), "{rotation:?}");
    let stored = store.play_rules_or_insert(&RulesChange::default()).await;
    let stored = stored.unwrap();
    // The newest version lacks the limits, and gets a successor with them.
    let expected = PlayRules {
        view_window_s: 60,
        playback_rate: PlaybackRate(1_500),
        ..PlayRules::DEFAULT
    };
    assert_eq!((stored.version, stored.rules), (3, expected));
    assert_eq!(
        replayed_play(&store).await,
        IntakeAnswer::Playing {
            resume_at_s: 0,
            is_counted: true,
        }
    );
    store.close().await;
}

/// In a fleet, Redis has the sessions.
#[tokio::test]
async fn open_sessions_of_a_file_become_those_of_viewers() {
    let mut database = Database::create().await;
    if matches!(database, Database::Server(..)) {
        return;
    }
    database.migrate_to(19).await;
    database.seed(19).await;
    database
        .execute(
            "INSERT INTO watch_session (user_id, video_id, position_s, since_micros, is_open) VALUES \
             (1, 2, 0, 1772593201000000, 1), (1, 3, 9, 1772593202000000, 0)",
        )
        .await;
    database.migrate_to(20).await;
    let sql = "SELECT user_id || ' ' || last_micros || ' ' || open_sessions FROM viewer_budget";
    let open = database.texts(sql, 0).await;
    let sessions =
        "2:1772593201000000:1772593201000000:0:-1,1:1772593200000000:1772593200000000:0:-1";
    assert_eq!(open, [format!("1 1772593201000000 {sessions}")]);
}

/// Repeats the play that the seeds have an answer to.
async fn replayed_play(store: &Store) -> IntakeAnswer {
    let lifetimes = Lifetimes {
        resume_ttl_s: 86_400,
        replay_s: 86_400,
    };
    let request = IntakeRequest {
        is_new_account: None,
        event_id: EventId([7; 16]),
        user_id: UserId(1),
        video: store.video_facts(VideoId(1)).await.unwrap().unwrap(),
        command: Command::Play,
        key: IdempotencyKey::parse("play-1"),
    };
    let timezone = "Asia/Seoul".parse().unwrap();
    let answers = store
        .accept(&[request], &lifetimes, timezone)
        .await
        .unwrap();
    answers[0]
}
