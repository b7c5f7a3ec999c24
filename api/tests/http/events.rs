//! Dead letters and the queue: listed page by page, with a suggested action.

use crate::{
    env::TestEnv,
    settled::{DAYS, Settled},
};
use balance_domain::{accounts::UserId, playback::EventId, videos::VideoId};
use balance_store::events::{Content, Entry, EntryId, EventKind, PlaybackEvent};
use serde_json::Value;
use std::collections::BTreeSet;

/// 2026-03-01T12:00:00+09:00, in milliseconds: on the last settled day.
const CLOSED_MS: i64 = 1_772_334_000_000;

fn entry(sequence: i64, content: Content) -> Entry {
    let id = EntryId {
        shard: 1,
        ms: CLOSED_MS,
        sequence,
    };
    Entry { id, content }
}

/// Writes late plays, and as many foreign entries.
async fn write_dead_letters(env: &TestEnv, count: i64) {
    let mut entries = Vec::new();
    for number in 0..count {
        let id = EventId::new(CLOSED_MS * 1_000, [u8::try_from(number).unwrap(); 10]);
        entries.push(entry(
            number,
            Content::Event(PlaybackEvent {
                is_new_account: None,
                id,
                user_id: UserId(77),
                video_id: VideoId(3),
                rules_version: 1,
                kind: EventKind::Play { is_counted: true },
            }),
        ));
        entries.push(entry(
            count + number,
            Content::Invalid {
                payload: format!("foreign {number}"),
                reason: "foreign entry".to_owned(),
            },
        ));
    }
    let zone = env.launcher.timezone;
    let drained = env.store.write_entries(&entries, zone).await.unwrap();
    assert_eq!((drained.late, drained.rejected), (5, 5), "{drained:?}");
}

/// Returns the items of all pages, with two items on each page.
async fn all(env: &TestEnv, path: &str, token: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("{path}limit=2{cursor}");
        let page = env.request("GET", &path, token).await.is(200).json();
        assert!(
            page["suggestedAction"]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        );
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn late_and_rejected_events_are_listed_with_a_suggested_action() {
    let settled = Settled::new().await;
    let env = &settled.env;
    write_dead_letters(env, 5).await;
    let late = all(env, "/events/late?", &settled.admin).await;
    let ids: Vec<&str> = late
        .iter()
        .map(|one| one["eventId"].as_str().unwrap())
        .collect();
    let distinct: BTreeSet<&&str> = ids.iter().collect();
    assert_eq!((late.len(), distinct.len()), (5, 5));
    assert!(ids.is_sorted_by(|one, next| one > next), "the newest first");
    for event in &late {
        assert_eq!(event["date"], DAYS[2]);
        assert_eq!(
            (&event["videoId"], &event["userId"]),
            (&3.into(), &77.into())
        );
        assert_eq!(
            (&event["isCounted"], &event["playTime"]),
            (&true.into(), &0.into())
        );
        assert!(
            event["occurredAt"]
                .as_str()
                .unwrap()
                .starts_with("2026-03-01T03:00:00")
        );
    }
    let of_day = |day: &str| format!("/events/late?date={day}&");
    assert_eq!(all(env, &of_day(DAYS[2]), &settled.admin).await, late);
    assert!(all(env, &of_day(DAYS[1]), &settled.admin).await.is_empty());

    let rejected = all(env, "/events/rejected?", &settled.admin).await;
    let entry_ids: Vec<&str> = rejected
        .iter()
        .map(|one| one["entryId"].as_str().unwrap())
        .collect();
    let expected: Vec<String> = (5..10)
        .map(|number| format!("{CLOSED_MS}-{number}"))
        .collect();
    assert_eq!(entry_ids, expected, "the oldest first");
    for entry in &rejected {
        assert_eq!(
            (&entry["shard"], &entry["reason"]),
            (&1.into(), &"foreign entry".into())
        );
        assert!(entry["payload"].as_str().unwrap().contains("foreign"));
    }
    for path in ["/events/late?cursor=abc", "/events/rejected?cursor=abc"] {
        env.request("GET", path, &settled.admin)
            .await
            .rejects_field("cursor");
    }
}

#[tokio::test]
async fn work_without_workers_has_a_suggested_action() {
    let env = TestEnv::new().await;
    let boss = env.admin("boss").await;
    let queue = env.request("GET", "/queue", &boss).await.is(200).json();
    assert_eq!(
        (&queue["claimable"], &queue["suggestedAction"]),
        (&0.into(), &Value::Null)
    );
    let path = "/run-day-batch-job?date=2026-03-01";
    env.request("GET", path, &boss).await.is(202);
    let queue = env.request("GET", "/queue", &boss).await.is(200).json();
    assert_eq!(
        (&queue["slots"], &queue["claimable"]),
        (&0.into(), &1.into())
    );
    let suggested_action = queue["suggestedAction"].as_str().unwrap();
    assert!(
        suggested_action.contains("balance worker"),
        "{suggested_action}"
    );
}
