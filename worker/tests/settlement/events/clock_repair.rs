//! The repair of the clock, and events that were stored on other days or late.

use super::clock::{DAY_S, dates, restarted};
use super::intake::{VIDEO, play, with_video};
use crate::verification::fixtures::assert_clean;
use balance_batch::status::BatchStatus;
use balance_domain::{
    accounts::UserId,
    playback::EventId,
    videos::{AdId, AdSlot},
};
use balance_store::{
    events::{Content, Entry, EntryId, EventKind, PlaybackEvent, ShownAds},
    operations::Actor,
};
use balance_test_support::settlement::{Shape, at, date};

/// A pause that shows two ads, as an entry of the stream.
fn entry(instant: &str) -> Entry {
    let slots = [(300, 1), (600, 2)].map(|(slot_s, id)| AdSlot {
        slot_s,
        ad_id: AdId(id),
    });
    let event = PlaybackEvent {
        is_new_account: None,
        id: EventId::floor(at(instant)),
        user_id: UserId(9),
        video_id: VIDEO.id,
        rules_version: 1,
        kind: EventKind::Pause {
            is_counted: false,
            from_s: 0,
            credited_s: 650,
            reported_s: 650,
            ads: ShownAds::Decided(slots.to_vec()),
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

#[tokio::test(flavor = "multi_thread")]
async fn late_events_of_a_day_that_is_opened_again_count_once() {
    let env = with_video().await;
    play(&env, 1).await;
    env.clock.step_s(3 * DAY_S);
    let settled = env.settle(date("2024-06-30"), Shape::default()).await;
    assert_eq!(settled.unwrap().status, BatchStatus::Completed);
    // Of the closed day, and of a day that is closed next.
    env.store.close_day(date("2024-07-01")).await.unwrap();
    let late = [entry("2024-06-30T12:00:01Z"), entry("2024-07-01T12:00:00Z")];
    let replay = async || {
        env.store
            .write_entries(&late[..1], env.timezone)
            .await
            .unwrap()
    };
    let written = env.store.write_entries(&late, env.timezone).await.unwrap();
    assert_eq!((written.new, written.late), (0, 2));
    env.clock.step_s(-3 * DAY_S);
    let repair = async || {
        let repaired = env.store.repair_clock(env.timezone, &Actor::Console).await;
        repaired.unwrap()
    };
    let repaired = repair().await;
    assert_eq!((repaired.admitted, repaired.moved), (2, 1));
    assert_eq!(env.rows("SELECT * FROM late_event").await, [""; 0]);
    assert_eq!(dates(&env, 9).await, ["2024-06-30"]);
    assert_clean(&env, "after the repair").await;
    assert!(!repair().await.has_changed());

    // A replay adds the ad views, once.
    let ads = "SELECT date, slot_s, ad_id FROM ad_history ORDER BY slot_s";
    for _ in 0..2 {
        assert_eq!((replay().await.known, replay().await.new), (1, 0));
        assert_eq!(
            env.rows(ads).await,
            ["2024-06-30|300|1", "2024-06-30|600|2"]
        );
    }
    env.clock.set(at("2024-06-30T15:00:00Z"));
    let settled = env.settle(date("2024-06-30"), Shape::default()).await;
    assert_eq!(settled.unwrap().status, BatchStatus::Completed);
    let statistics = "SELECT view_count, total_play_time, ad_view_count FROM video_statistics";
    assert_eq!(env.rows(statistics).await, ["1|1300|2"]);
    assert_clean(&env, "after the settlement").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_a_replay_brings_into_an_open_day_is_late_no_more() {
    let env = with_video().await;
    env.store.close_day(date("2024-06-30")).await.unwrap();
    let event = [entry("2024-06-30T12:00:01Z")];
    let write = async || env.store.write_entries(&event, env.timezone).await.unwrap();
    assert_eq!(write().await.late, 1);
    // As an earlier version opens the day.
    env.execute("UPDATE closed_through SET date = '2024-06-29'")
        .await;
    assert_eq!(write().await.new, 1);
    assert_eq!(env.rows("SELECT * FROM late_event").await, [""; 0]);
    assert_clean(&env, "after the replay").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repair_accepts_events_that_are_on_two_days() {
    let env = with_video().await;
    env.clock.step_s(3 * DAY_S);
    let env = restarted(&env).await;
    play(&env, 2).await;
    play(&env, 3).await;
    env.clock.step_s(-3 * DAY_S);
    // As a replay with the right time leaves it.
    env.execute(
        "INSERT INTO play_history (date, event_id, video_id, user_id, occurred_at_micros, counted, \
         play_time, reported_time) SELECT '2024-06-30', event_id, video_id, user_id, \
         occurred_at_micros, counted, play_time, reported_time FROM play_history WHERE user_id = 2",
    )
    .await;
    let repaired = env.store.repair_clock(env.timezone, &Actor::Console).await;
    assert_eq!(repaired.unwrap().moved, 2);
    let history = "SELECT date, user_id FROM play_history ORDER BY user_id";
    assert_eq!(env.rows(history).await, ["2024-06-30|2", "2024-06-30|3"]);
}
