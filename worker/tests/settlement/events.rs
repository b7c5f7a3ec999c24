//! Events of the stream, written down: in the history of their day, late, or rejected.

use crate::world::{World, at, date, day_of_plays};
use balance_domain::{accounts::UserId, playback::EventId, videos::VideoId};
use balance_store::{
    events::{Content, Drained, Entry, EntryId, Happening, PlaybackEvent, RefusalCount},
    playback::RefusalReason,
};

const DAY: &str = "2024-06-01";
const AD_INTERVAL_S: u32 = 300;

fn noon_ms() -> i64 {
    at("2024-06-01T03:00:00Z") / 1_000
}

fn id(number: u8) -> EventId {
    EventId([number; 16])
}

fn entry(ms: i64, number: u8, what: Happening) -> Entry {
    Entry {
        id: EntryId {
            shard: 0,
            ms,
            sequence: i64::from(number),
        },
        content: Content::Event(PlaybackEvent {
            id: id(number),
            user_id: UserId(100 + i64::from(number)),
            video_id: VideoId(1),
            what,
        }),
    }
}

const PLAY: Happening = Happening::Play { is_counted: true };
const PAUSE: Happening = Happening::Pause {
    from_s: 200,
    credited_s: 450,
    reported_s: 500,
};

impl World {
    async fn write(&self, entries: &[Entry]) -> Drained {
        self.store
            .write_entries(entries, self.timezone, AD_INTERVAL_S)
            .await
            .unwrap()
    }

    async fn number(&self, sql: &str) -> i64 {
        self.rows(sql).await[0].parse().unwrap()
    }
}

/// A world with a day of plays, and so with videos and an ad.
async fn world() -> World {
    let world = World::new().await;
    world.import(&day_of_plays(DAY, 20, 5), 1).await.unwrap();
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn events_enter_the_day_of_their_instant_and_a_second_delivery_changes_nothing() {
    let world = world().await;
    let midnight_ms = at("2024-06-01T15:00:00Z") / 1_000;
    let entries = [
        entry(noon_ms(), 1, PLAY),
        entry(noon_ms() + 1, 2, PAUSE),
        entry(noon_ms() + 2, 3, Happening::Play { is_counted: false }),
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
    let drained = world.write(&entries).await;
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
    assert_eq!(world.rows(rows).await, expected);
    let ads = "SELECT user_id, slot_s FROM ad_history WHERE user_id > 100 ORDER BY slot_s";
    assert_eq!(world.rows(ads).await, ["102|300", "102|600"]);

    // All of it again, in one group with something new, and twice in that group.
    let mut again = entries.to_vec();
    again.extend([entry(noon_ms(), 6, PLAY), entry(noon_ms() + 9, 6, PLAY)]);
    let drained = world.write(&again).await;
    assert_eq!((drained.new, drained.known, drained.late), (1, 6, 0));
    assert_eq!(world.rows(rows).await.len(), 6);
    assert_eq!(world.rows(ads).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_after_its_day_was_closed_is_late_unless_something_holds_it() {
    let world = world().await;
    let in_time = entry(noon_ms(), 1, PLAY);
    world.write(std::slice::from_ref(&in_time)).await;
    world.store.close_day(date(DAY)).await.unwrap();

    // What history holds already is only acknowledged: a reply that was lost.
    let late = entry(noon_ms(), 2, PAUSE);
    let group = [in_time, late, entry(noon_ms() + 86_400_000, 3, PLAY)];
    let drained = world.write(&group).await;
    let expected = Drained {
        new: 1,
        known: 1,
        late: 1,
        rejected: 0,
    };
    assert_eq!(drained, expected);
    let rows = "SELECT date, video_id, user_id, counted, play_time, reported_time FROM late_event";
    assert_eq!(world.rows(rows).await, ["2024-06-01|1|102|0|450|500"]);
    let in_history = "SELECT COUNT(*) FROM play_history WHERE user_id = 102";
    assert_eq!(world.number(in_history).await, 0);
    let ads = "SELECT COUNT(*) FROM ad_history WHERE user_id = 102";
    assert_eq!(world.number(ads).await, 0);

    // Late ones are known from then on, too.
    let drained = world.write(&group).await;
    assert_eq!((drained.new, drained.known, drained.late), (0, 3, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_never_be_written_is_rejected_with_its_reason_and_the_rest_is_not() {
    let world = world().await;
    world
        .refuse("play_history", "NEW.user_id = 102", "poison")
        .await;
    let foreign = Entry {
        id: EntryId {
            shard: 2,
            ms: 7,
            sequence: 8,
        },
        content: Content::Foreign {
            payload: "x".repeat(5_000),
            reason: "it has no id".to_owned(),
        },
    };
    let poison = entry(noon_ms(), 2, PAUSE);
    // In a group the database's refusal is told, so that the drain goes on one by one.
    let group = [entry(noon_ms(), 1, PLAY), poison.clone(), foreign.clone()];
    let refused = world
        .store
        .write_entries(&group, world.timezone, AD_INTERVAL_S)
        .await;
    assert!(refused.is_err());
    assert_eq!(
        world.number("SELECT COUNT(*) FROM rejected_event").await,
        0,
        "nothing half-done"
    );
    let mut drained = Drained::default();
    for one in &group {
        let one = world.write(std::slice::from_ref(one)).await;
        drained.new += one.new;
        drained.rejected += one.rejected;
    }
    assert_eq!((drained.new, drained.rejected), (1, 2));
    let rows = world
        .rows("SELECT shard, entry_ms, entry_sequence, reason FROM rejected_event ORDER BY shard")
        .await;
    assert!(rows[0].contains("poison"), "{rows:?}");
    assert_eq!(rows[1], "2|7|8|it has no id");
    // Delivered again, now that it could be written, and after the close: known, in one place.
    world.sql("DROP TRIGGER refuse").await;
    let again = world.write(std::slice::from_ref(&poison)).await;
    assert_eq!((again.new, again.known, again.late), (0, 1, 0));
    world.store.close_day(date(DAY)).await.unwrap();
    let again = world.write(&[poison]).await;
    assert_eq!((again.new, again.known, again.late), (0, 1, 0));
    assert_eq!(world.write(&[foreign]).await.rejected, 1);
    assert_eq!(world.number("SELECT COUNT(*) FROM rejected_event").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_and_the_closing_of_the_day_do_not_cross() {
    let world = world().await;
    let writers = (0..4_u8).map(|writer| {
        let store = world.store.clone();
        let timezone = world.timezone;
        async move {
            let mut all = Drained::default();
            for number in 0..40 {
                let entry = entry(noon_ms(), writer * 40 + number, PLAY);
                let group = [entry];
                let one = store.write_entries(&group, timezone, AD_INTERVAL_S);
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
    world.store.close_day(date(DAY)).await.unwrap();
    let closed_with = world.number(of_day).await;
    let written = set.join_all().await;
    let new: u64 = written.iter().map(|one| one.new).sum();
    let late: u64 = written.iter().map(|one| one.late).sum();
    assert_eq!(new + late, 160, "each is somewhere");
    assert_eq!(world.number(of_day).await, closed_with, "no row was added");
    assert_eq!(
        world.number("SELECT COUNT(*) FROM late_event").await,
        i64::try_from(late).unwrap()
    );
    assert_eq!(closed_with, 20 + i64::try_from(new).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instant_that_no_calendar_has_is_rejected_and_the_rest_is_not() {
    let world = world().await;
    let group = [entry(noon_ms(), 1, PLAY), entry(i64::MAX - 1, 2, PLAY)];
    let drained = world.write(&group).await;
    assert_eq!((drained.new, drained.rejected), (1, 1));
    assert_eq!(world.write(&group[1..]).await.rejected, 1, "alone");
    assert_eq!(world.number("SELECT COUNT(*) FROM rejected_event").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_of_refusals_only_ever_grow() {
    let world = World::new().await;
    let of = |video: i64, reason, count| RefusalCount {
        date: date(DAY),
        video_id: VideoId(video),
        reason,
        count,
    };
    let kept = async |counts: &[RefusalCount]| {
        world.store.keep_refusals(counts).await.unwrap();
        world
            .rows(
                "SELECT date, video_id, reason, count FROM refusal_count ORDER BY video_id, reason",
            )
            .await
    };
    let first = [
        of(2, RefusalReason::Capped, 70),
        of(1, RefusalReason::Repeat, 3),
        of(1, RefusalReason::Own, 1),
    ];
    let expected = [
        "2024-06-01|1|own|1",
        "2024-06-01|1|repeat|3",
        "2024-06-01|2|capped|70",
    ];
    for _ in 0..2 {
        assert_eq!(kept(&first).await, expected);
    }
    // Twice in one group, and an older one after it.
    let later = [
        of(1, RefusalReason::Repeat, 5),
        of(1, RefusalReason::Repeat, 4),
        of(1, RefusalReason::Own, 1),
    ];
    assert_eq!(kept(&later).await[1], "2024-06-01|1|repeat|5");
    assert_eq!(kept(&first).await[1], "2024-06-01|1|repeat|5");
    assert_eq!(kept(&[]).await.len(), 3);
}
