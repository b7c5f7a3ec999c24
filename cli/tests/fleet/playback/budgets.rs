//! What a viewer may claim over all videos: one suite for both intakes, on a clock that the tests cannot
//! set. `viewer_scripts.rs` compares each state with the domain.

use crate::playback::{
    adapters::{Adapter, Recorded, adapters},
    intake::{OWNER, RULES, paused, playing, request},
};
use balance_domain::playback::{PlayRules, PlaybackRate};
use balance_service::playback::intake::Intake;
use balance_store::playback::{Command, IntakeAnswer};
use std::time::{Duration, Instant};

const VIEWER: i64 = 1;

async fn play(intake: &dyn Intake, user: i64, video: i64) -> IntakeAnswer {
    intake
        .accept(request(user, video, Command::Play))
        .await
        .unwrap()
}

async fn pause(intake: &dyn Intake, user: i64, video: i64, current_s: i64) -> IntakeAnswer {
    let pause = request(user, video, Command::Pause { current_s });
    intake.accept(pause).await.unwrap()
}

/// Pauses, and returns the credited seconds.
async fn credited(intake: &dyn Intake, video: i64, current_s: i64) -> i64 {
    match pause(intake, VIEWER, video, current_s).await {
        IntakeAnswer::Paused { credited_s, .. } => credited_s,
        answer => panic!("video {video}: {answer:?}"),
    }
}

/// Waits until a time has passed since an instant.
async fn until_passed(began: Instant, time: Duration) {
    while began.elapsed() < time {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn suppressed(recorded: &Recorded, reason: &str) -> i64 {
    let counts = recorded.suppressed.iter();
    let of_reason = counts.filter(|((_, one), _)| one == reason);
    of_reason.map(|(_, count)| count).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_burst_is_that_of_the_viewer_over_many_videos() {
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
        let began = Instant::now();
        for video in 1..=20 {
            assert_eq!(play(intake.as_ref(), VIEWER, video).await, playing(0, true));
        }
        let mut earned_s = 0;
        for video in 1..=20 {
            earned_s += credited(intake.as_ref(), video, 900).await;
        }
        let elapsed_s = i64::try_from(began.elapsed().as_secs()).unwrap();
        let most_s = 5 + 2 * (elapsed_s + 1);
        assert!((5..=most_s).contains(&earned_s), "{name}: {earned_s}");
        let recorded = events.recorded().await;
        assert_eq!(
            suppressed(&recorded, "capped"),
            20 * 900 - earned_s,
            "{name}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_devices_share_the_time_and_lose_nothing() {
    let rules = PlayRules {
        playback_rate: PlaybackRate(100_000),
        credit_burst_s: 0,
        ..RULES
    };
    for Adapter { name, intake, .. } in adapters(rules).await {
        let intake = intake.as_ref();
        let began = Instant::now();
        play(intake, VIEWER, 1).await;
        play(intake, VIEWER, 2).await;
        let opened = Instant::now();
        until_passed(opened, Duration::from_secs(1)).await;
        // 100 s of video are allowed in a second.
        assert_eq!(credited(intake, 1, 40).await, 40, "{name}");
        assert_eq!(credited(intake, 2, 60).await, 60, "{name}");
        let more_s = credited(intake, 1, 900).await + credited(intake, 2, 900).await;
        let allowed_s = began.elapsed().as_millis() / 10;
        assert!(100 + u128::try_from(more_s).unwrap() <= allowed_s, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_who_seeks_to_slots_gets_one_ad_view_until_the_interval_is_credited() {
    let rules = PlayRules {
        playback_rate: PlaybackRate(10_000),
        credit_burst_s: 0,
        ..RULES
    };
    for Adapter {
        name,
        intake,
        events,
    } in adapters(rules).await
    {
        let intake = intake.as_ref();
        for video in 1..=3 {
            play(intake, VIEWER, video).await;
            credited(intake, video, 299).await;
            until_passed(Instant::now(), Duration::from_millis(150)).await;
            assert_eq!(credited(intake, video, 300).await, 1, "{name}");
        }
        let recorded = events.recorded().await;
        assert_eq!(recorded.ad_views, 1, "{name}");
        for (video, count) in [(1, None), (2, Some(1)), (3, Some(1))] {
            let capped = recorded.suppressed.get(&(video, "ad_capped".to_owned()));
            assert_eq!(capped.copied(), count, "{name}, video {video}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn views_beyond_the_limit_are_rejected_and_change_nothing() {
    let rules = PlayRules {
        view_window_s: 0,
        views_per_minute: 1,
        view_burst: 3,
        ..RULES
    };
    for Adapter {
        name,
        intake,
        events,
    } in adapters(rules).await
    {
        let intake = intake.as_ref();
        for video in 1..=3 {
            assert_eq!(
                play(intake, VIEWER, video).await,
                playing(0, true),
                "{name}"
            );
        }
        for video in [4, 4, 1] {
            let IntakeAnswer::TooManyViews { retry_after_ms } = play(intake, VIEWER, video).await
            else {
                panic!("{name}: video {video}");
            };
            assert!((1..=60_000).contains(&retry_after_ms), "{name}");
        }
        let rejected = pause(intake, VIEWER, 4, 9).await;
        assert_eq!(rejected, IntakeAnswer::NoSession, "{name}");
        assert_eq!(
            pause(intake, VIEWER, 1, 9).await,
            paused(9, false),
            "{name}"
        );
        // The limit is that of each viewer, and of owners too.
        for _ in 1..=3 {
            assert_eq!(play(intake, OWNER, 1).await, playing(0, false), "{name}");
        }
        let rejected = play(intake, OWNER, 1).await;
        assert!(
            matches!(rejected, IntakeAnswer::TooManyViews { .. }),
            "{name}"
        );
        let recorded = events.recorded().await;
        assert_eq!(recorded.events.len(), 5, "{name}");
        assert_eq!(suppressed(&recorded, "rate"), 4, "{name}");
        assert_eq!(recorded.suppressed[&(4, "rate".to_owned())], 2, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pauses_beyond_the_limit_are_rejected_and_lose_nothing() {
    for Adapter {
        name,
        intake,
        events,
    } in adapters(RULES).await
    {
        let intake = intake.as_ref();
        play(intake, VIEWER, 1).await;
        let began = Instant::now();
        let mut position_s = 0;
        let retry_after_ms = loop {
            match pause(intake, VIEWER, 1, position_s + 1).await {
                IntakeAnswer::TooManyPauses { retry_after_ms } => break retry_after_ms,
                answer => assert_eq!(answer, paused(1, false), "{name}"),
            }
            position_s += 1;
        };
        assert!((1..=1_000).contains(&retry_after_ms), "{name}");
        let elapsed_s = i64::try_from(began.elapsed().as_secs()).unwrap();
        assert!((5..=5 + elapsed_s + 1).contains(&position_s), "{name}");
        until_passed(Instant::now(), Duration::from_millis(1_050)).await;
        let credited_s = credited(intake, 1, position_s + 10).await;
        assert_eq!(credited_s, 10, "{name}");
        let recorded = events.recorded().await;
        let pauses = usize::try_from(position_s + 1).unwrap();
        assert_eq!(recorded.events.len(), 1 + pauses, "{name}");
        assert!(recorded.suppressed.is_empty(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_without_credit_within_a_second_only_moves_the_position() {
    for Adapter {
        name,
        intake,
        events,
    } in adapters(RULES).await
    {
        let began = Instant::now();
        let intake = intake.as_ref();
        let mut new = request(VIEWER, 1, Command::Play);
        new.is_new_account = Some(true);
        intake.accept(new).await.unwrap();
        for (current_s, expected) in [(10, 10), (4, 0), (2, 0), (8, 6)] {
            assert_eq!(credited(intake, 1, current_s).await, expected, "{name}");
        }
        let recorded = events.recorded().await;
        let credits = recorded.events.iter().map(|one| one.credited_s);
        let credits: Vec<i64> = credits.filter(|credited_s| *credited_s > 0).collect();
        assert_eq!(credits, [10, 6], "{name}");
        if began.elapsed() < Duration::from_secs(1) {
            assert_eq!(recorded.events.len(), 3, "{name}: {recorded:?}");
        }
        let play = &recorded.events[0];
        assert!(play.is_counted, "{name}");
        assert_eq!(play.is_new_account, Some(true), "{name}");
        assert_eq!(recorded.events[1].is_new_account, None, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_the_owner_is_one_event() {
    for Adapter {
        name,
        intake,
        events,
    } in adapters(RULES).await
    {
        let intake = intake.as_ref();
        for expected in [playing(0, false), playing(0, false)] {
            assert_eq!(play(intake, OWNER, 1).await, expected, "{name}");
        }
        for current_s in [400, 700] {
            let answer = pause(intake, OWNER, 1, current_s).await;
            assert_eq!(answer, paused(0, false), "{name}");
        }
        assert_eq!(play(intake, OWNER, 1).await, playing(700, false), "{name}");
        let end = pause(intake, OWNER, 1, 1_000).await;
        assert_eq!(end, paused(0, true), "{name}");
        // A session of its own.
        assert_eq!(play(intake, OWNER, 1).await, playing(0, false), "{name}");
        let recorded = events.recorded().await;
        assert_eq!(recorded.events.len(), 2, "{name}");
        assert!(recorded.events.iter().all(|one| !one.is_counted), "{name}");
        assert_eq!(recorded.ad_views, 0, "{name}");
        let own = [((1, "own".to_owned()), 4)];
        assert_eq!(recorded.suppressed, own.into(), "{name}");
    }
}
