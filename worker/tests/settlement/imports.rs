//! Recorded imports: undoing them, and closing their days.

use balance_batch::status::BatchStatus;
use balance_domain::{
    accounts::UserId,
    playback::{EventId, Play},
    videos::VideoId,
};
use balance_store::{
    events::{Content, Entry, EntryId, EventKind, PlaybackEvent, ShownAds},
    import::{ImportId, PlayImportError},
    operations::{Actor, HighestIds},
    settlement::Closing,
};
use balance_test_support::settlement::{Shape, TestEnv, at, date, even_day};

pub(super) const FIRST: &str = "2024-06-03";
pub(super) const SECOND: &str = "2024-06-04";
pub(super) const THIRD: &str = "2024-06-05";

/// Returns plays that pass one ad slot.
fn long_plays(day: &str, plays: i64, videos: i64) -> Vec<Play> {
    let mut all = even_day(day, plays, videos);
    for play in &mut all {
        (play.play_time_s, play.duration_s) = (400, 600);
    }
    all
}

/// A pause of a user that passes the ad slot at 300 s.
pub(super) fn pause(user: i64, video: i64, instant: &str) -> Entry {
    let event = PlaybackEvent {
        is_new_account: None,
        id: EventId([7; 16]),
        user_id: UserId(user),
        video_id: VideoId(video),
        rules_version: 0,
        kind: EventKind::Pause {
            is_counted: false,
            from_s: 0,
            credited_s: 310,
            reported_s: 310,
            ads: ShownAds::Undecided,
        },
    };
    Entry {
        id: EntryId {
            shard: 0,
            ms: at(instant) / 1_000,
            sequence: 0,
        },
        content: Content::Event(event),
    }
}

pub(super) async fn undo(env: &TestEnv, id: i64) -> Result<(u64, u64, u64), String> {
    let undone = env.store.undo_import(ImportId(id), &Actor::Console).await;
    undone
        .map(|undone| (undone.plays, undone.ad_views, undone.ads))
        .map_err(|error| error.to_string())
}

const TABLES: [&str; 5] = [
    "SELECT date, event_id, video_id, user_id, counted, play_time FROM play_history ORDER BY 1, 2",
    "SELECT date, video_id, user_id, slot_s, ad_id FROM ad_history ORDER BY 1, 2, 3, 4",
    "SELECT id, title FROM ad ORDER BY 1",
    "SELECT id, owner_id, title, duration_s FROM video ORDER BY 1",
    "SELECT id, username, role FROM users ORDER BY 1",
];

pub(super) async fn content(env: &TestEnv) -> Vec<String> {
    let mut all = Vec::new();
    for table in TABLES {
        all.extend(env.rows(table).await);
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_without_its_ads_is_undone_and_repeated() {
    let plays: Vec<Play> = [FIRST, SECOND]
        .into_iter()
        .flat_map(|day| long_plays(day, 2_500, 40))
        .collect();
    let right = TestEnv::new().await;
    right.import(&plays, 3).await.unwrap();

    let env = TestEnv::new().await;
    env.import(&plays, 0).await.unwrap();
    assert_eq!(undo(&env, 1).await, Ok((5_000, 0, 0)));
    assert_eq!(env.rows("SELECT * FROM play_history").await, [""; 0]);
    env.import(&plays, 3).await.unwrap();
    assert_eq!(content(&env).await, content(&right).await);

    // The opposite mistake: the ads go too.
    assert_eq!(undo(&env, 2).await, Ok((5_000, 5_000, 3)));
    env.import(&plays, 0).await.unwrap();
    assert_eq!(env.rows("SELECT * FROM ad_history").await, [""; 0]);
    assert_eq!(undo(&env, 3).await, Ok((5_000, 0, 0)));
    env.import(&plays, 3).await.unwrap();
    assert_eq!(content(&env).await, content(&right).await);

    for env in [&right, &env] {
        for day in [FIRST, SECOND] {
            env.settle(date(day), Shape::default()).await.unwrap();
        }
    }
    assert_eq!(env.results().await, right.results().await);
    let actions = env
        .rows("SELECT action, subject FROM audit ORDER BY id")
        .await;
    assert!(
        actions.contains(&"IMPORT|import 1".to_owned()),
        "{actions:?}"
    );
    assert!(
        actions.contains(&"UNDO_IMPORT|import 2".to_owned()),
        "{actions:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn undoing_an_import_keeps_what_others_wrote() {
    let env = TestEnv::new().await;
    env.import(&long_plays(FIRST, 50, 5), 1).await.unwrap();
    let earlier = content(&env).await;
    let live = pause(3, 3, "2024-06-04T05:00:00Z");
    let alone = TestEnv::new().await;
    for (env, is_imported) in [(&alone, false), (&env, true)] {
        if is_imported {
            env.import(&long_plays(SECOND, 60, 6), 2).await.unwrap();
        } else {
            env.import(&long_plays(FIRST, 50, 5), 1).await.unwrap();
        }
        // The same user saw the same ad slot on the same day.
        env.store
            .write_entries(std::slice::from_ref(&live), env.timezone)
            .await
            .unwrap();
    }
    assert_ne!(content(&env).await, earlier);
    // The ad view of the event stays, and with it the ad that it showed.
    let shown = env
        .rows("SELECT ad_id FROM ad_history WHERE user_id = 3 AND date = '2024-06-04'")
        .await;
    assert_eq!(undo(&env, 2).await.unwrap().0, 60);
    let views = "SELECT date, video_id, user_id, slot_s FROM ad_history ORDER BY 1, 2, 3, 4";
    assert_eq!(env.rows(views).await, alone.rows(views).await);
    assert_eq!(env.rows(TABLES[0]).await, alone.rows(TABLES[0]).await);
    let ads = env.rows("SELECT id FROM ad").await;
    assert!(shown.iter().all(|ad| ads.contains(ad)), "{shown:?} {ads:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_others_depend_on_is_not_undone() {
    let env = TestEnv::new().await;
    for day in [FIRST, SECOND] {
        env.import(&even_day(day, 30, 5), 0).await.unwrap();
    }
    let before = content(&env).await;
    let expect = async |id: i64, reason: &str| {
        assert_eq!(undo(&env, id).await, Err(reason.to_owned()));
        assert_eq!(content(&env).await, before, "{reason}");
    };
    expect(9, "there is no import 9").await;
    // The second import begins on the day after the first: a view at midnight may be a repeat.
    let later = "import 2 came after import 1 and has plays of the same days; undo it first";
    expect(1, later).await;
    env.store.close_day(date(FIRST)).await.unwrap();
    assert_eq!(undo(&env, 2).await, Ok((30, 0, 0)));
    let before = content(&env).await;
    let closed = "import 1 begins on 2024-06-03, and days are closed through 2024-06-03; \
                  closed days do not change";
    assert_eq!(undo(&env, 1).await, Err(closed.to_owned()));
    let undone = "import 2 is already undone";
    assert_eq!(undo(&env, 2).await, Err(undone.to_owned()));
    assert_eq!(content(&env).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_undo_keeps_its_days_open_until_it_is_repeated() {
    let env = TestEnv::new().await;
    env.import(&even_day(FIRST, 30, 5), 0).await.unwrap();
    env.import(&even_day(THIRD, 1_500, 5), 0).await.unwrap();
    env.settle(date(FIRST), Shape::default()).await.unwrap();
    // As a process leaves it that was killed after a page.
    env.execute("UPDATE play_import SET status = 'UNDOING' WHERE id = 2")
        .await;
    env.execute("DELETE FROM play_history WHERE date = '2024-06-05' AND user_id <= 1000")
        .await;
    let closing = env.store.close_day(date(THIRD)).await.unwrap();
    assert_eq!(closing, Closing::ImportUndone(ImportId(2)));
    let error = env.import(&even_day(THIRD, 9, 5), 0).await.unwrap_err();
    assert!(
        matches!(error, PlayImportError::Undoing(ImportId(2))),
        "{error}"
    );
    // Days before it can be closed.
    let closing = env.store.close_day(date(SECOND)).await.unwrap();
    assert_eq!(closing, Closing::Closed);
    assert_eq!(undo(&env, 2).await, Ok((500, 0, 0)));
    env.import(&even_day(THIRD, 9, 5), 0).await.unwrap();
    let closing = env.store.close_day(date(THIRD)).await.unwrap();
    assert_eq!(closing, Closing::Closed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_an_undo_emptied_is_not_closed_before_its_corrected_plays() {
    let env = TestEnv::new().await;
    env.import(&even_day(FIRST, 30, 5), 0).await.unwrap();
    undo(&env, 1).await.unwrap();
    let rejected = env.settle(date(FIRST), Shape::default()).await.unwrap();
    assert_eq!(rejected.status, BatchStatus::Failed);
    let reason = rejected.exit_message.as_str();
    assert!(
        reason.contains("import 1 of this day is undone"),
        "{reason}"
    );
    env.import(&even_day(FIRST, 20, 5), 0).await.unwrap();
    let settled = env.settle(date(FIRST), Shape::default()).await.unwrap();
    assert_eq!(settled.status, BatchStatus::Completed);
}

#[tokio::test(flavor = "multi_thread")]
async fn ads_of_an_undone_import_stay_while_ad_views_are_left() {
    let env = TestEnv::new().await;
    env.import(&long_plays(THIRD, 30, 5), 3).await.unwrap();
    // These plays show ads of the first import, and their day is closed.
    env.import(&long_plays(FIRST, 30, 5), 3).await.unwrap();
    env.settle(date(FIRST), Shape::default()).await.unwrap();
    let ads = env.rows("SELECT id FROM ad ORDER BY id").await;
    let (_, _, removed) = undo(&env, 1).await.unwrap();
    assert_eq!(removed, 0);
    assert_eq!(env.rows("SELECT id FROM ad ORDER BY id").await, ads);
}

#[tokio::test(flavor = "multi_thread")]
async fn ads_of_imports_take_no_ids_of_before_a_restore() {
    let env = TestEnv::new().await;
    env.import(&long_plays(FIRST, 30, 5), 2).await.unwrap();
    let ads = async || env.rows("SELECT id FROM ad ORDER BY id").await;
    assert_eq!(ads().await, ["1", "2"]);
    // The lost database may have assigned 3.
    let restored = env
        .store
        .complete_restore(HighestIds::default(), &Actor::Console);
    restored.await.unwrap();
    env.import(&long_plays(THIRD, 30, 5), 3).await.unwrap();
    let new: i64 = ads().await[2].parse().unwrap();
    assert!(new > 1_000_000, "{new}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrected_file_replaces_the_owner_and_length_of_unplayed_videos() {
    let env = TestEnv::new().await;
    env.import(&even_day(FIRST, 30, 5), 0).await.unwrap();
    env.settle(date(FIRST), Shape::default()).await.unwrap();
    // Videos 1 to 5 have plays of the first import, 6 to 10 of the second alone.
    let wrong = even_day(SECOND, 30, 10);
    env.import(&wrong, 0).await.unwrap();
    let corrected = |from: i64| {
        let mut plays = wrong.clone();
        for play in plays.iter_mut().filter(|play| play.video_id.0 >= from) {
            (play.owner_id, play.duration_s) = (UserId(77), 120);
        }
        plays
    };
    // Not before it is undone.
    let error = env.import(&corrected(6), 0).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "video 6 is registered with owner 1000000, here with 77"
    );
    assert_eq!(undo(&env, 2).await, Ok((30, 0, 0)));
    let error = env.import(&corrected(5), 0).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "video 5 is registered with owner 1000000, here with 77"
    );
    env.import(&corrected(6), 0).await.unwrap();
    let videos = "SELECT id, owner_id, duration_s FROM video WHERE id >= 5 ORDER BY id";
    let rows = env.rows(videos).await;
    assert_eq!(rows[..2], ["5|1000000|100", "6|77|120"]);
    // With plays of the new import they stay as they are.
    let error = env.import(&wrong, 0).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "video 6 is registered with owner 77, here with 1000000"
    );
}
