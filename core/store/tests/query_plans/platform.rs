//! The calls of users and admins whose statements are explained: plays, accounts, videos, reports and
//! operations.

use crate::work::{DAY, OWNER, THIRD};
use balance_domain::{
    accounts::{Role, UserId, Username},
    clock::Clock,
    period::PeriodKind,
    playback::EventId,
    videos::{AdId, Title, VideoId},
};
use balance_store::{
    accounts::{NewToken, PasswordHash, TokenHash},
    operations::{Actor, AuditId},
    playback::{Command, IdempotencyKey, IntakeRequest, Lifetimes, RulesChange, VideoFacts},
    reports::{RevenuePage, TopBy},
    videos::{Creation, NewVideo, VideoOrder, VideoQuery},
};
use balance_test_support::settlement::{Shape, TestEnv, date, worker_settings};

pub(super) async fn playback(env: &TestEnv, user_id: UserId) {
    let lifetimes = Lifetimes {
        resume_ttl_s: 86_400,
        replay_s: 86_400,
    };
    let video = env.store.video_facts(VideoId(1)).await.unwrap().unwrap();
    let request = |command, key: &str| IntakeRequest {
        is_new_account: None,
        event_id: EventId(rand::random()),
        user_id,
        video,
        command,
        key: IdempotencyKey::parse(key),
    };
    let group = [
        request(Command::Play, "play"),
        request(Command::Play, "play"),
        request(Command::Play, "repeat"),
        request(Command::Pause { current_s: 5 }, "pause"),
    ];
    env.store
        .accept(&group, &lifetimes, env.timezone)
        .await
        .unwrap();
    let today = env.timezone.day_of(env.clock.now_micros()).unwrap().date;
    let rules = env.store.limits_of_day(today).await.unwrap();
    assert_eq!(rules.len(), 1);
}

pub(super) async fn accounts(env: &TestEnv) {
    let store = &env.store;
    let name = Username::parse("viewer").unwrap();
    let hash = PasswordHash("hash".to_owned());
    let account = store
        .create_account(&name, &hash, Role::User)
        .await
        .unwrap();
    store.credential(&name).await.unwrap().unwrap();
    store.grant(&name, Role::Admin).await.unwrap();
    store.set_password(&name, &hash).await.unwrap();
    let token = |byte| NewToken {
        hash: TokenHash([byte; 32]),
        lifetime_s: 60,
    };
    store
        .begin_family(account.user_id, &token(0xa1))
        .await
        .unwrap();
    for next in [0xa2, 0xa3] {
        // The second time the token was used before: its family is revoked.
        let hash = TokenHash([0xa1; 32]);
        store.rotate(&hash, &token(next), 0).await.unwrap();
    }
    store.revoke(&TokenHash([0xa2; 32])).await.unwrap();
}

pub(super) async fn videos(env: &TestEnv) {
    let store = &env.store;
    let creation = Creation {
        user_id: OWNER,
        key: IdempotencyKey::parse("film"),
    };
    let video = NewVideo {
        title: Title::parse("film").unwrap(),
        duration_s: 60,
    };
    for _ in 0..2 {
        store.create_video(&creation, &video).await.unwrap();
    }
    store.video(VideoId(1)).await.unwrap();
    let after = VideoId(50);
    for order in [
        VideoOrder::Newest(None),
        VideoOrder::Newest(Some(after)),
        VideoOrder::Oldest(Some(after)),
        VideoOrder::Title(None),
        VideoOrder::Title(Some(("film 2".to_owned(), after))),
    ] {
        for owner_id in [None, Some(OWNER)] {
            let query = VideoQuery {
                owner_id,
                title: None,
                order: order.clone(),
                limit: 10,
            };
            store.videos(&query).await.unwrap();
        }
    }
    store.ads(None, 10).await.unwrap();
    store.unknown_ads(&[AdId(1)].into()).await.unwrap();
}

pub(super) async fn reports(env: &TestEnv) {
    let store = &env.store;
    // A year: one day is settled, the others are open.
    let year = (date("2023-06-04"), date(DAY));
    let settled = date("2023-06-04");
    store
        .received_days(VideoId(1), year, Some(settled))
        .await
        .unwrap();
    for kind in PeriodKind::ALL {
        let period = kind.containing(date(DAY));
        for by in [TopBy::ViewCount, TopBy::PlayTime] {
            store.top(period, by, 5).await.unwrap();
        }
        store.top_creators(period, 5).await.unwrap();
        for owner in [None, Some(OWNER)] {
            store.total(period, owner).await.unwrap();
            for after in [None, Some(VideoId(50))] {
                let page = RevenuePage {
                    owner,
                    after,
                    limit: 10,
                };
                store.revenues(period, page).await.unwrap();
            }
        }
    }
    store
        .video_days(VideoId(1), date(DAY), date(THIRD))
        .await
        .unwrap();
}

pub(super) async fn operations(env: &TestEnv) {
    let store = &env.store;
    store.snapshot().await.unwrap();
    let identity = worker_settings(Shape::default()).identity;
    store.record_heartbeat(&identity, 60).await.unwrap();
    store.workers(10).await.unwrap();
    store.remove_dead_workers(86_400).await.unwrap();
    store.audit(None, 10).await.unwrap();
    store.audit(Some(AuditId([0x7f; 16])), 10).await.unwrap();
    let mut rates = store.rates_on(date(DAY)).await.unwrap().unwrap();
    rates.effective_from = date("2024-07-01");
    store.set_rates(&rates, &Actor::Console).await.unwrap();
    store.rate_versions().await.unwrap();
    let none = RulesChange::default();
    store.set_play_rules(&none, &Actor::Console).await.unwrap();
    store.active_rules().await.unwrap();
    store.setting_or_insert("name", "value").await.unwrap();
    let (stream, _) = store.stream_identity().await.unwrap();
    store.record_stream_created().await.unwrap();
    store.adopt_stream(&stream, &Actor::Console).await.unwrap();
    assert_eq!(store.complete_restored_backup().await.unwrap(), None);
    let seen = store.assigned_ids().await.unwrap();
    let shown = [AdId(70_001)].into_iter().collect();
    let registered = store.register_shown(&shown, &Actor::Console).await;
    assert_eq!(registered.unwrap(), [AdId(70_001)]);
    store.complete_restore(seen, &Actor::Console).await.unwrap();
    let lost = VideoFacts {
        id: VideoId(3_000_000),
        owner_id: UserId(3_000_001),
        duration_s: 60,
    };
    assert_eq!(store.register_played(&[lost]).await.unwrap(), 1);
}
