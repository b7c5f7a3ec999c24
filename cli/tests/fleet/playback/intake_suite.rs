//! The intake: one suite for both adapters, on a clock that the tests cannot set.

use crate::playback::{
    adapters::{Adapter, adapters},
    intake::{OWNER, RULES, named, paused, playing, request},
};
use balance_domain::playback::{EventId, PlayRules, PlaybackRate};
use balance_service::playback::intake::Intake;
use balance_store::playback::{Command, IntakeAnswer};
use std::{collections::HashSet, sync::Arc, time::Duration};

async fn play(intake: &dyn Intake, user: i64) -> IntakeAnswer {
    intake
        .accept(request(user, 1, Command::Play))
        .await
        .unwrap()
}

async fn pause(intake: &dyn Intake, user: i64, current_s: i64) -> IntakeAnswer {
    let pause = request(user, 1, Command::Pause { current_s });
    intake.accept(pause).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_from_start_to_end() {
    for Adapter {
        name,
        intake,
        events,
    } in adapters(RULES).await
    {
        let intake = intake.as_ref();
        let began = std::time::Instant::now();
        assert_eq!(pause(intake, 1, 5).await, IntakeAnswer::NoSession, "{name}");
        assert_eq!(play(intake, 1).await, playing(0, true), "{name}");
        assert_eq!(pause(intake, 1, 120).await, paused(120, false), "{name}");
        assert_eq!(pause(intake, 1, 100).await, paused(0, false), "{name}");
        assert_eq!(pause(intake, 1, 130).await, paused(30, false), "{name}");
        let IntakeAnswer::Repeat { retry_after_ms } = play(intake, 1).await else {
            panic!("{name}: within the window");
        };
        assert!((1..=600_000).contains(&retry_after_ms), "{name}");
        assert_eq!(pause(intake, 1, 200).await, paused(70, false), "{name}");
        assert_eq!(pause(intake, 1, 1_000).await, paused(800, true), "{name}");
        assert_eq!(
            pause(intake, 1, 10).await,
            IntakeAnswer::NoSession,
            "{name}"
        );
        // The owner has no view window, no credit and one event, but a position.
        assert_eq!(play(intake, OWNER).await, playing(0, false), "{name}");
        assert_eq!(pause(intake, OWNER, 300).await, paused(0, false), "{name}");
        assert_eq!(play(intake, OWNER).await, playing(300, false), "{name}");
        // Two plays, and four pauses with credit. Rejected requests are not persisted, and a pause without
        // credit only a second after the last one.
        let recorded = events.recorded().await;
        let different: HashSet<EventId> = recorded.events.iter().map(|one| one.id).collect();
        let most = 6 + usize::from(began.elapsed() >= Duration::from_secs(1));
        assert!(
            (6..=most).contains(&different.len()),
            "{name}: {recorded:?}"
        );
        assert_eq!(different.len(), recorded.events.len(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_counts_again_when_the_window_is_over() {
    let rules = PlayRules {
        view_window_s: 1,
        ..RULES
    };
    for Adapter { name, intake, .. } in adapters(rules).await {
        let began = std::time::Instant::now();
        assert_eq!(play(intake.as_ref(), 1).await, playing(0, true), "{name}");
        let mut repeats = 0;
        while let IntakeAnswer::Repeat { retry_after_ms } = play(intake.as_ref(), 1).await {
            assert!((1..=1_000).contains(&retry_after_ms), "{name}");
            repeats += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(repeats > 0, "{name}");
        assert!(began.elapsed() >= Duration::from_millis(990), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_concurrent_plays_of_a_hundred_users_count_a_hundred_times() {
    for Adapter {
        name,
        intake,
        events,
    } in adapters(RULES).await
    {
        let mut clients = tokio::task::JoinSet::new();
        for client in 0..1_000 {
            let intake = Arc::clone(&intake);
            clients.spawn(async move { play(intake.as_ref(), 100 + client % 100).await });
        }
        let answers = clients.join_all().await;
        let counted = answers.iter().filter(|one| **one == playing(0, true));
        assert_eq!(counted.count(), 100, "{name}");
        let is_repeat = |one: &&IntakeAnswer| matches!(one, IntakeAnswer::Repeat { .. });
        assert_eq!(answers.iter().filter(is_repeat).count(), 900, "{name}");
        assert_eq!(events.recorded().await.events.len(), 100, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn seconds_beyond_the_clock_are_not_credited() {
    let rules = PlayRules {
        playback_rate: PlaybackRate(2_000),
        ..RULES
    };
    for Adapter {
        name,
        intake,
        events,
    } in adapters(rules).await
    {
        let began = std::time::Instant::now();
        play(intake.as_ref(), 1).await;
        let mut earned_s = 0;
        for current_s in [900, 0, 900, 10, 800] {
            let IntakeAnswer::Paused { credited_s, .. } =
                pause(intake.as_ref(), 1, current_s).await
            else {
                panic!("{name}");
            };
            assert!(credited_s >= 0, "{name}");
            earned_s += credited_s;
        }
        let elapsed_s = i64::try_from(began.elapsed().as_secs()).unwrap();
        let most_s = 5 + 2 * (elapsed_s + 1);
        assert!((5..=most_s).contains(&earned_s), "{name}: {earned_s}");
        let recorded = events.recorded().await;
        let credited: i64 = recorded.events.iter().map(|one| one.credited_s).sum();
        assert_eq!(credited, earned_s, "{name}");
        assert_eq!(recorded.events[1].reported_s, 900, "{name}");
        let capped = recorded.suppressed[&(1, "capped".to_owned())];
        assert_eq!(earned_s + capped, 900 + 900 + 790, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_with_a_key_is_done_once_however_often_it_is_sent() {
    for Adapter {
        name,
        intake,
        events,
    } in adapters(RULES).await
    {
        let mut clients = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let intake = Arc::clone(&intake);
            let play = named(request(1, 1, Command::Play), "a");
            clients.spawn(async move { intake.accept(play).await.unwrap() });
        }
        let answers = clients.join_all().await;
        assert_eq!(answers, [playing(0, true); 50], "{name}");
        let pause = |current_s| named(request(1, 1, Command::Pause { current_s }), "b");
        for _ in 0..3 {
            let answer = intake.accept(pause(77)).await.unwrap();
            assert_eq!(answer, paused(77, false), "{name}");
        }
        for reused in [
            pause(78),
            named(request(1, 1, Command::Play), "b"),
            named(request(1, 2, Command::Play), "a"),
        ] {
            let answer = intake.accept(reused).await.unwrap();
            assert_eq!(answer, IntakeAnswer::KeyReused, "{name}");
        }
        assert_eq!(events.recorded().await.events.len(), 2, "{name}");
        // A rejected request has no effect, and can be repeated.
        let again = named(request(1, 1, Command::Play), "c");
        for _ in 0..2 {
            let answer = intake.accept(again.clone()).await.unwrap();
            assert!(matches!(answer, IntakeAnswer::Repeat { .. }), "{name}");
        }
        // Keys are separate for each user.
        let other = named(request(2, 1, Command::Play), "a");
        assert_eq!(
            intake.accept(other).await.unwrap(),
            playing(0, true),
            "{name}"
        );
        assert!(intake.readiness().await.is_ok(), "{name}");
    }
}
