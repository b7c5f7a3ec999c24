//! The stored rules of plays: their versions, and what the store records of an event.

use balance_domain::{
    accounts::{User, UserId},
    clock::Clock,
    playback::{EventId, PlayRules, PlaybackRate},
    videos::{AdId, AdSlot, Title, Video, VideoId},
};
use balance_store::{
    StoreError,
    events::{Content, Entry, EntryId, EventKind, PlaybackEvent, ShownAds},
    operations::{Actor, AuditAction},
    playback::{
        Command, IntakeAnswer, IntakeRequest, Lifetimes, RulesChange, SetRulesError, VideoFacts,
    },
    videos::{Created, Creation, NewVideo},
};
use balance_test_support::settlement::{MICROS, TestEnv, at};
use std::sync::Arc;
use tokio::task::JoinSet;

const LIFETIMES: Lifetimes = Lifetimes {
    resume_ttl_s: 60,
    replay_s: 60,
};

fn interval(seconds: u32) -> RulesChange {
    RulesChange {
        ad_interval_s: Some(seconds),
        ..RulesChange::default()
    }
}

async fn set(env: &TestEnv, change: RulesChange) -> u32 {
    let stored = env.store.set_play_rules(&change, &Actor::Console).await;
    stored.unwrap().version
}

/// Creates an environment with a video of user 9, and an ad.
async fn with_video() -> TestEnv {
    let env = TestEnv::new().await;
    let owner = User {
        id: UserId(9),
        username: "owner".to_owned(),
    };
    let video = Video {
        id: VideoId(1),
        owner_id: UserId(9),
        title: "video".to_owned(),
        duration_s: 1_000,
    };
    env.store.register(&[owner], &[video]).await.unwrap();
    env.execute("INSERT INTO ad (id, title, created_at) VALUES (5, 'ad', '2024-01-01')")
        .await;
    env
}

async fn accept(env: &TestEnv, command: Command) -> IntakeAnswer {
    let request = IntakeRequest {
        is_new_account: None,
        event_id: EventId(rand::random()),
        user_id: UserId(1),
        video: VideoFacts {
            id: VideoId(1),
            owner_id: UserId(9),
            duration_s: 1_000,
        },
        command,
        key: None,
    };
    let answers = env.store.accept(&[request], &LIFETIMES, env.timezone).await;
    answers.unwrap().remove(0)
}

fn later(env: &TestEnv, seconds: i64) {
    env.clock.set(env.clock.now_micros() + seconds * MICROS);
}

async fn ads(env: &TestEnv) -> Vec<String> {
    env.rows("SELECT user_id, slot_s, ad_id FROM ad_history ORDER BY user_id, slot_s")
        .await
}

/// A pause of 400 s.
fn pause(user: i64, rules_version: u32, ads: ShownAds) -> Entry {
    let event = PlaybackEvent {
        is_new_account: None,
        id: EventId([u8::try_from(user).unwrap(); 16]),
        user_id: UserId(user),
        video_id: VideoId(1),
        rules_version,
        kind: EventKind::Pause {
            is_counted: false,
            from_s: 0,
            credited_s: 400,
            reported_s: 400,
            ads,
        },
    };
    Entry {
        id: EntryId {
            shard: 0,
            ms: at("2024-06-30T03:00:00Z") / 1_000,
            sequence: user,
        },
        content: Content::Event(event),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_event_writer_records_what_the_intake_decided() {
    let env = with_video().await;
    assert_eq!(set(&env, interval(100)).await, 2);
    let slots = [(150, 5), (390, 77)].map(|(slot_s, id)| AdSlot {
        slot_s,
        ad_id: AdId(id),
    });
    let entries = [
        pause(1, 7, ShownAds::Decided(slots.to_vec())),
        pause(2, 1, ShownAds::Decided(Vec::new())),
        pause(3, 0, ShownAds::Undecided),
    ];
    for new_ad in [2, 3] {
        env.store
            .write_entries(&entries, env.timezone)
            .await
            .unwrap();
        let expected = [
            "1|150|5", "1|390|77", "3|100|5", "3|200|5", "3|300|5", "3|400|5",
        ];
        assert_eq!(ads(&env).await, expected);
        let versions = "SELECT user_id, rules_version FROM play_history ORDER BY user_id";
        assert_eq!(env.rows(versions).await, ["1|7", "2|1", "3|0"]);
        // Neither a new version nor a new ad changes what is written again.
        set(&env, interval(50)).await;
        env.execute(&format!(
            "INSERT INTO ad (id, title, created_at) VALUES ({new_ad}, 'ad', '2024-01-01')"
        ))
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_intake_decides_by_the_newest_version() {
    let env = with_video().await;
    accept(&env, Command::Play).await;
    later(&env, 40);
    let change = RulesChange {
        view_window_s: Some(100),
        ad_interval_s: Some(10),
        playback_rate: Some(PlaybackRate(500)),
        replaces: Some(1),
        ..RulesChange::default()
    };
    assert_eq!(set(&env, change).await, 2);
    let paused = accept(&env, Command::Pause { current_s: 900 }).await;
    let expected = IntakeAnswer::Paused {
        credited_s: 25,
        is_finished: false,
    };
    assert_eq!(paused, expected, "40 s at half the speed, and 5 s");
    assert_eq!(ads(&env).await, ["1|10|5", "1|20|5"]);
    accept(&env, Command::Play).await;
    // The session lives as long as the window, which is longer than RESUME_TTL_S.
    later(&env, 99);
    let repeat = accept(&env, Command::Play).await;
    assert!(matches!(repeat, IntakeAnswer::Repeat { .. }), "{repeat:?}");
    let paused = accept(&env, Command::Pause { current_s: 905 }).await;
    assert!(
        matches!(paused, IntakeAnswer::Paused { credited_s: 5, .. }),
        "{paused:?}"
    );
    let versions = "SELECT counted, play_time, rules_version FROM play_history \
                    ORDER BY occurred_at_micros, counted";
    assert_eq!(
        env.rows(versions).await,
        ["1|0|1", "0|25|2", "1|0|2", "0|5|2"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_have_no_gap_and_each_change_is_audited() {
    let env = TestEnv::new().await;
    let mut changes = JoinSet::new();
    for number in 0..12_u32 {
        let store = Arc::clone(&env.store);
        changes.spawn(async move {
            let change = interval(100 + number);
            store
                .set_play_rules(&change, &Actor::Console)
                .await
                .unwrap()
        });
    }
    let mut versions: Vec<u32> = changes
        .join_all()
        .await
        .iter()
        .map(|one| one.version)
        .collect();
    versions.sort_unstable();
    assert_eq!(versions, (2..14).collect::<Vec<u32>>());
    // Of those that replace one version, one succeeds.
    let mut changes = JoinSet::new();
    for number in 0..12_u32 {
        let store = Arc::clone(&env.store);
        changes.spawn(async move {
            let change = RulesChange {
                replaces: Some(13),
                ..interval(200 + number)
            };
            store.set_play_rules(&change, &Actor::Console).await
        });
    }
    let results = changes.join_all().await;
    let is_outdated = |result: &Result<_, _>| {
        matches!(
            result,
            Err(SetRulesError::Outdated {
                given: 13,
                newest: 14
            })
        )
    };
    assert_eq!(
        results.iter().filter(|result| is_outdated(result)).count(),
        11
    );
    let stored = env.store.play_rules().await.unwrap().unwrap();
    assert_eq!(stored.version, 14);
    assert_eq!(set(&env, RulesChange::default()).await, 14, "no change");
    let audit = env.store.audit(None, 100).await.unwrap();
    assert_eq!(audit.len(), 13);
    let subject = format!("play rules 14: {}", stored.rules);
    let newest = audit.iter().find(|entry| entry.subject == subject);
    assert_eq!(newest.unwrap().action, AuditAction::SetPlayRules);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_rules_nothing_is_decided() {
    let env = with_video().await;
    env.execute("DELETE FROM play_rules").await;
    let request = pause(1, 0, ShownAds::Undecided);
    let written = env.store.write_entries(&[request], env.timezone).await;
    assert!(
        matches!(written, Err(StoreError::Unusable(_))),
        "{written:?}"
    );
    let set = env
        .store
        .set_play_rules(&interval(10), &Actor::Console)
        .await;
    assert!(
        matches!(set, Err(SetRulesError::Store(StoreError::Unusable(_)))),
        "{set:?}"
    );
    assert_eq!(env.store.active_rules().await.unwrap(), None);
    let mut first = JoinSet::new();
    for number in 0..6_u32 {
        let store = Arc::clone(&env.store);
        first.spawn(async move {
            let rules = PlayRules {
                ad_interval_s: 100 + number,
                ..PlayRules::DEFAULT
            };
            store.play_rules_or_insert(&rules.into()).await.unwrap()
        });
    }
    let stored = first.join_all().await;
    assert!(stored.iter().all(|one| one == &stored[0]), "{stored:?}");
    assert_eq!(stored[0].version, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_of_an_older_version_get_the_limits_once() {
    let env = with_video().await;
    let older = RulesChange {
        view_window_s: Some(60),
        playback_rate: Some(PlaybackRate(1_500)),
        ..RulesChange::default()
    };
    assert_eq!(set(&env, older).await, 2);
    env.execute(
        "UPDATE play_rules SET credit_burst_s = NULL, max_unconfirmed_s = NULL, min_watch_s = NULL, \
         views_per_minute = NULL, view_burst = NULL, videos_per_hour = NULL, video_burst = NULL",
    )
    .await;
    // Until a process starts, the limits have their defaults.
    let lacking = env.store.play_rules().await.unwrap().unwrap();
    assert_eq!(lacking.version, 2);
    assert_eq!(lacking.rules.view_burst, PlayRules::DEFAULT.view_burst);
    let audited = env.store.audit(None, 100).await.unwrap().len();

    let mut starting = JoinSet::new();
    for number in 1..=6_u32 {
        let store = Arc::clone(&env.store);
        // A given rule that an older version has is compared later, and does not change it.
        let given = RulesChange {
            view_window_s: Some(7),
            view_burst: Some(number),
            ..RulesChange::default()
        };
        starting.spawn(async move { store.play_rules_or_insert(&given).await.unwrap() });
    }
    let stored = starting.join_all().await;
    assert!(stored.iter().all(|one| one == &stored[0]), "{stored:?}");
    let expected = PlayRules {
        view_window_s: 60,
        playback_rate: PlaybackRate(1_500),
        view_burst: stored[0].rules.view_burst,
        ..PlayRules::DEFAULT
    };
    assert_eq!((stored[0].version, stored[0].rules), (3, expected));
    assert!((1..=6).contains(&expected.view_burst), "{expected}");
    // Like the first version, it is no action of an admin or operator.
    assert_eq!(env.store.audit(None, 100).await.unwrap().len(), audited);
    let old = "SELECT version, view_burst FROM play_rules WHERE version < 3 ORDER BY version";
    assert_eq!(env.rows(old).await, ["1|NULL", "2|NULL"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn registrations_at_once_do_not_exceed_the_limit() {
    let env = with_video().await;
    let burst = RulesChange {
        video_burst: Some(3),
        ..RulesChange::default()
    };
    set(&env, burst).await;
    let mut clients = JoinSet::new();
    for number in 0..12 {
        let store = Arc::clone(&env.store);
        clients.spawn(async move {
            let creation = Creation {
                user_id: UserId(9),
                key: None,
            };
            let video = NewVideo {
                title: Title::parse(&format!("film {number}")).unwrap(),
                duration_s: 60,
            };
            store.create_video(&creation, &video).await.unwrap()
        });
    }
    let created = clients.join_all().await;
    let accepted = created.iter().filter(|one| matches!(one, Created::Id(_)));
    assert_eq!(accepted.count(), 3, "{created:?}");
    for one in &created {
        if let Created::TooMany(limit) = one {
            let wait_ms = limit.retry_after_ms();
            assert!((1..=60_000).contains(&wait_ms), "{limit:?}");
        }
    }
    // The registered video, and those of the burst.
    assert_eq!(env.rows("SELECT COUNT(*) FROM video").await, ["4"]);
}
