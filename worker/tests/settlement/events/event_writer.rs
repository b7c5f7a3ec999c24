//! The event writer: persists events of the stream in the history, as late events or as rejected
//! events.

use balance_domain::{accounts::UserId, playback::EventId, videos::VideoId};
use balance_store::{
    events::{
        Content, Entry, EntryId, EventKind, PlaybackEvent, ShownAds, StreamLayout, SuppressedCount,
        SuppressedShard, WrittenEntries,
    },
    playback::SuppressedReason,
};
use balance_test_support::settlement::{TestEnv, at, date, day_of_plays};

const DAY: &str = "2024-06-01";

fn noon_ms() -> i64 {
    at("2024-06-01T03:00:00Z") / 1_000
}

fn id(number: u8) -> EventId {
    EventId([number; 16])
}

fn entry(ms: i64, number: u8, kind: EventKind) -> Entry {
    Entry {
        id: EntryId {
            shard: 0,
            ms,
            sequence: i64::from(number),
        },
        content: Content::Event(PlaybackEvent {
            is_new_account: None,
            id: id(number),
            user_id: UserId(100 + i64::from(number)),
            video_id: VideoId(1),
            rules_version: 0,
            kind,
        }),
    }
}

const PLAY: EventKind = EventKind::Play { is_counted: true };
const PAUSE: EventKind = EventKind::Pause {
    is_counted: false,
    from_s: 200,
    credited_s: 450,
    reported_s: 500,
    ads: ShownAds::Undecided,
};

async fn write(env: &TestEnv, entries: &[Entry]) -> WrittenEntries {
    env.store
        .write_entries(entries, env.timezone)
        .await
        .unwrap()
}

async fn number(env: &TestEnv, sql: &str) -> i64 {
    env.rows(sql).await[0].parse().unwrap()
}

/// Creates an environment with a day of plays, and thus with videos and an ad.
async fn env() -> TestEnv {
    let env = TestEnv::new().await;
    env.import(&day_of_plays(DAY, 20, 5), 1).await.unwrap();
    env
}

#[tokio::test(flavor = "multi_thread")]
async fn events_enter_the_day_of_their_instant_and_a_second_delivery_changes_nothing() {
    let env = env().await;
    let midnight_ms = at("2024-06-01T15:00:00Z") / 1_000;
    let entries = [
        entry(noon_ms(), 1, PLAY),
        entry(noon_ms() + 1, 2, PAUSE),
        entry(noon_ms() + 2, 3, EventKind::Play { is_counted: false }),
        entry(midnight_ms - 1, 4, PLAY),
        entry(midnight_ms, 5, PLAY),
        Entry {
            id: EntryId {
                shard: 0,
                ms: midnight_ms,
                sequence: 0,
            },
            content: Content::Seal,
        },
    ];
    let drained = write(&env, &entries).await;
    assert_eq!((drained.new, drained.known), (5, 0));
    let rows = "SELECT user_id, date, counted, play_time, reported_time FROM play_history \
                WHERE user_id > 100 ORDER BY user_id";
    let expected = [
        "101|2024-06-01|1|0|0",
        "102|2024-06-01|0|450|500",
        "103|2024-06-01|0|0|0",
        "104|2024-06-01|1|0|0",
        "105|2024-06-02|1|0|0",
    ];
    assert_eq!(env.rows(rows).await, expected);
    let ads = "SELECT user_id, slot_s FROM ad_history WHERE user_id > 100 ORDER BY slot_s";
    assert_eq!(env.rows(ads).await, ["102|300", "102|600"]);

    // The same entries again, in one group with a new event that occurs twice.
    let mut again = entries.to_vec();
    again.extend([entry(noon_ms(), 6, PLAY), entry(noon_ms() + 9, 6, PLAY)]);
    let drained = write(&env, &again).await;
    assert_eq!((drained.new, drained.known, drained.late), (1, 6, 0));
    assert_eq!(env.rows(rows).await.len(), 6);
    assert_eq!(env.rows(ads).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_closed_day_are_late_unless_they_are_known() {
    let env = env().await;
    let in_time = entry(noon_ms(), 1, PLAY);
    write(&env, std::slice::from_ref(&in_time)).await;
    env.store.close_day(date(DAY)).await.unwrap();

    // An event in the history is only acknowledged: its reply was lost.
    let late = entry(noon_ms(), 2, PAUSE);
    let group = [in_time, late, entry(noon_ms() + 86_400_000, 3, PLAY)];
    let drained = write(&env, &group).await;
    let expected = WrittenEntries {
        new: 1,
        known: 1,
        late: 1,
        rejected: 0,
    };
    assert_eq!(drained, expected);
    let rows = "SELECT date, video_id, user_id, counted, play_time, reported_time FROM late_event";
    assert_eq!(env.rows(rows).await, ["2024-06-01|1|102|0|450|500"]);
    let in_history = "SELECT COUNT(*) FROM play_history WHERE user_id = 102";
    assert_eq!(number(&env, in_history).await, 0);
    let ads = "SELECT COUNT(*) FROM ad_history WHERE user_id = 102";
    assert_eq!(number(&env, ads).await, 0);

    // From then on the late event is known too.
    let drained = write(&env, &group).await;
    assert_eq!((drained.new, drained.known, drained.late), (0, 3, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_events_are_rejected_with_a_reason_and_the_others_persisted() {
    let env = env().await;
    env.reject_inserts("play_history", "NEW.user_id = 102", "not this one")
        .await;
    let foreign = Entry {
        id: EntryId {
            shard: 2,
            ms: 7,
            sequence: 8,
        },
        content: Content::Invalid {
            payload: "x".repeat(5_000),
            reason: "it has no id".to_owned(),
        },
    };
    let rejected_entry = entry(noon_ms(), 2, PAUSE);
    // For a group the error is returned, so that the event writer continues one by one.
    let group = [
        entry(noon_ms(), 1, PLAY),
        rejected_entry.clone(),
        foreign.clone(),
    ];
    let failed = env.store.write_entries(&group, env.timezone).await;
    assert!(failed.is_err());
    assert_eq!(
        number(&env, "SELECT COUNT(*) FROM rejected_event").await,
        0,
        "nothing half-done"
    );
    let mut drained = WrittenEntries::default();
    for one in &group {
        let one = write(&env, std::slice::from_ref(one)).await;
        drained.new += one.new;
        drained.rejected += one.rejected;
    }
    assert_eq!((drained.new, drained.rejected), (1, 2));
    let rows = env
        .rows("SELECT shard, entry_ms, entry_sequence, reason FROM rejected_event ORDER BY shard")
        .await;
    assert!(rows[0].contains("not this one"), "{rows:?}");
    assert_eq!(rows[1], "2|7|8|it has no id");
    // The event stays known after a second delivery, when it could be written, and after the close.
    env.execute("DROP TRIGGER reject").await;
    let again = write(&env, std::slice::from_ref(&rejected_entry)).await;
    assert_eq!((again.new, again.known, again.late), (0, 1, 0));
    env.store.close_day(date(DAY)).await.unwrap();
    let again = write(&env, &[rejected_entry]).await;
    assert_eq!((again.new, again.known, again.late), (0, 1, 0));
    assert_eq!(write(&env, &[foreign]).await.rejected, 1);
    assert_eq!(number(&env, "SELECT COUNT(*) FROM rejected_event").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_and_the_closing_of_the_day_do_not_cross() {
    let env = env().await;
    let writers = (0..4_u8).map(|writer| {
        let store = env.store.clone();
        let timezone = env.timezone;
        async move {
            let mut all = WrittenEntries::default();
            for number in 0..40 {
                let entry = entry(noon_ms(), writer * 40 + number, PLAY);
                let group = [entry];
                let one = store.write_entries(&group, timezone);
                let one = one.await.unwrap();
                all.new += one.new;
                all.late += one.late;
            }
            all
        }
    });
    let mut set = tokio::task::JoinSet::new();
    for writer in writers {
        set.spawn(writer);
    }
    let of_day = "SELECT COUNT(*) FROM play_history WHERE date = '2024-06-01'";
    env.store.close_day(date(DAY)).await.unwrap();
    let closed_with = number(&env, of_day).await;
    let written = set.join_all().await;
    let new: u64 = written.iter().map(|one| one.new).sum();
    let late: u64 = written.iter().map(|one| one.late).sum();
    assert_eq!(new + late, 160, "each event is persisted");
    assert_eq!(number(&env, of_day).await, closed_with, "no row was added");
    assert_eq!(
        number(&env, "SELECT COUNT(*) FROM late_event").await,
        i64::try_from(late).unwrap()
    );
    assert_eq!(closed_with, 20 + i64::try_from(new).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instant_beyond_the_calendar_is_rejected_and_the_others_persisted() {
    let env = env().await;
    let group = [entry(noon_ms(), 1, PLAY), entry(i64::MAX - 1, 2, PLAY)];
    let drained = write(&env, &group).await;
    assert_eq!((drained.new, drained.rejected), (1, 1));
    assert_eq!(write(&env, &group[1..]).await.rejected, 1, "alone");
    assert_eq!(number(&env, "SELECT COUNT(*) FROM rejected_event").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn suppressed_counts_never_decrease() {
    let env = TestEnv::new().await;
    let of = |shard, video: i64, reason, count| SuppressedCount {
        shard,
        date: date(DAY),
        video_id: VideoId(video),
        reason,
        count,
    };
    let [by_video, first_shard, second] = [
        (StreamLayout::ByVideo, 3),
        (StreamLayout::ByViewer, 0),
        (StreamLayout::ByViewer, 1),
    ]
    .map(|(layout, number)| SuppressedShard { layout, number });
    let saved = async |counts: &[SuppressedCount]| {
        env.store.save_suppressed(counts).await.unwrap();
        env.rows(
            "SELECT date, video_id, reason, SUM(count) FROM refusal_count \
             GROUP BY date, video_id, reason ORDER BY video_id, reason",
        )
        .await
    };
    let first = [
        of(first_shard, 2, SuppressedReason::Capped, 70),
        of(first_shard, 1, SuppressedReason::Repeat, 3),
        of(first_shard, 1, SuppressedReason::Own, 1),
    ];
    let expected = [
        "2024-06-01|1|own|1",
        "2024-06-01|1|repeat|3",
        "2024-06-01|2|capped|70",
    ];
    for _ in 0..2 {
        assert_eq!(saved(&first).await, expected);
    }
    // Two counts of one key in a group, then an older count.
    let later = [
        of(first_shard, 1, SuppressedReason::Repeat, 5),
        of(first_shard, 1, SuppressedReason::Repeat, 4),
        of(first_shard, 1, SuppressedReason::Own, 1),
    ];
    assert_eq!(saved(&later).await[1], "2024-06-01|1|repeat|5");
    assert_eq!(saved(&first).await[1], "2024-06-01|1|repeat|5");
    assert_eq!(saved(&[]).await.len(), 3);
    // Each shard counts the views of its viewers, and the layout by video counted those before.
    let of_others = [
        of(second, 1, SuppressedReason::Repeat, 2),
        of(by_video, 1, SuppressedReason::Repeat, 10),
    ];
    for _ in 0..2 {
        assert_eq!(saved(&of_others).await[1], "2024-06-01|1|repeat|17");
    }
    let rows = env.rows(
        "SELECT shard, count FROM refusal_count WHERE video_id = 1 AND reason = 'repeat' \
         ORDER BY shard",
    );
    assert_eq!(rows.await, ["-1|10", "0|5", "1|2"]);
}
