//! Wrong clocks: the intake of a database, the schedule, and the repair.

use super::intake::{
    LIFETIMES, OWNER, VIDEO, accept, pause, paused, play, playing, repeat, request, with_video,
};
use crate::verification::fixtures::assert_clean;
use balance_batch::{job::Job, status::BatchStatus};
use balance_domain::{clock::Clock, playback::Play};
use balance_service::playback::{
    EmbeddedIntake,
    intake::{Intake, IntakeError},
};
use balance_store::{
    StoreError,
    operations::{Actor, AuditAction, ClockRepairError},
    playback::Command,
};
use balance_test_support::settlement::{MICROS, Shape, TestEnv, at, date, day_of_plays};
use std::{sync::Arc, time::Duration};

pub(super) const DAY_S: i64 = 86_400;

/// Returns the environment as a process sees it that starts now.
pub(super) async fn restarted(env: &TestEnv) -> TestEnv {
    env.reopen().await
}

async fn refused(env: &TestEnv) -> String {
    let request = request(77, Command::Play, None);
    let refused = env.store.accept(&[request], &LIFETIMES, env.timezone).await;
    match refused {
        Err(StoreError::Unusable(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

/// Returns plays of other videos for an import.
fn imported(day: &str) -> Vec<Play> {
    let mut plays = day_of_plays(day, 10, 5);
    for play in &mut plays {
        play.video_id.0 += 100;
    }
    plays
}

/// Returns the dates of the plays and pauses of a user.
pub(super) async fn dates(env: &TestEnv, user: i64) -> Vec<String> {
    let sql =
        format!("SELECT DISTINCT date FROM play_history WHERE user_id = {user} ORDER BY date");
    env.rows(&sql).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_back_by_hours_stops_the_intake_until_it_is_right() {
    let env = with_video().await;
    assert_eq!(play(&env, 1).await, playing(0, true));
    env.clock.step_s(-299);
    assert_eq!(
        play(&env, 2).await,
        playing(0, true),
        "a small step is ignored"
    );
    env.clock.step_s(-3_300);
    assert_eq!(
        refused(&env).await,
        "the last play or pause was at 2024-06-30T12:00:00Z, and the clock is at 2024-06-30T11:00:01Z; \
         correct the clock, or run `balance clock repair` if it is right"
    );
    // The clock was right before.
    env.clock.step_s(3_599);
    env.clock.advance_ms(10_000);
    assert_eq!(
        play(&env, 1).await,
        repeat(20_000),
        "the window has the time that passed"
    );
    assert_eq!(pause(&env, 1, 25).await, paused(25, false));
    assert_eq!(pause(&env, 1, 60).await, paused(0, false), "no time passed");
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_of_the_clock_neither_credit_seconds_nor_change_view_windows() {
    let env = with_video().await;
    play(&env, 1).await;
    env.clock.advance_ms(10_000);
    env.clock.step_s(3 * DAY_S);
    assert_eq!(play(&env, 1).await, repeat(20_000), "set forward");
    assert_eq!(pause(&env, 1, 900).await, paused(25, false));
    env.clock.advance_ms(20_000);
    assert_eq!(play(&env, 1).await, playing(900, true), "30 s have passed");
    // The clock is repaired.
    env.clock.step_s(-3 * DAY_S);
    env.store
        .repair_clock(env.timezone, &Actor::Console)
        .await
        .unwrap();
    env.clock.advance_ms(10_000);
    assert_eq!(play(&env, 1).await, repeat(20_000), "set back");
    env.clock.advance_ms(20_000);
    assert_eq!(play(&env, 1).await, playing(900, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_starts_with_a_wrong_clock_credits_an_hour_at_most() {
    let env = with_video().await;
    play(&env, 1).await;
    play(&env, 2).await;
    env.clock.step_s(3 * DAY_S);
    let env = restarted(&env).await;
    let long = request(1, Command::Pause { current_s: 1_000 }, None);
    assert_eq!(
        accept(&env, long).await,
        paused(1_000, true),
        "an hour may have passed"
    );
    env.clock.step_s(-3 * DAY_S);
    let env = restarted(&env).await;
    refused(&env).await;
    env.store
        .repair_clock(env.timezone, &Actor::Console)
        .await
        .unwrap();
    assert_eq!(play(&env, 2).await, playing(0, true));
    assert_eq!(play(&env, 2).await, repeat(30_000));
    env.clock.advance_ms(10_000);
    assert_eq!(pause(&env, 2, 900).await, paused(25, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_start_with_a_clock_three_days_ahead_one_command_repairs_everything() {
    let env = with_video().await;
    play(&env, 1).await;
    env.clock.step_s(3 * DAY_S);
    let env = restarted(&env).await;
    play(&env, 2).await;
    env.clock.advance_ms(700_000);
    pause(&env, 2, 650).await;
    assert_eq!(dates(&env, 2).await, ["2024-07-03"]);
    // An operator settles by hand, with the wrong clock.
    let settled = env.settle(date("2024-06-30"), Shape::default()).await;
    assert_eq!(settled.unwrap().status, BatchStatus::Completed);

    env.clock.step_s(-3 * DAY_S);
    let intake = EmbeddedIntake::start(Arc::clone(&env.store), LIFETIMES, env.timezone);
    let reason = "the last play or pause was at 2024-07-03T12:11:40Z, and the clock is at \
                  2024-06-30T12:11:40Z";
    for refused in [
        intake.readiness().await.unwrap_err(),
        intake
            .accept(request(3, Command::Play, None))
            .await
            .unwrap_err(),
    ] {
        let IntakeError::Unusable(text) = refused else {
            panic!("{refused:?}")
        };
        assert!(text.starts_with(reason), "{text}");
        assert!(text.contains("`balance clock repair`"), "{text}");
    }
    let repair = env
        .store
        .repair_clock(env.timezone, &Actor::Console)
        .await
        .unwrap();
    assert_eq!(repair.last_micros, Some(at("2024-07-03T12:11:40Z")));
    assert_eq!(repair.reopened_through, Some(date("2024-06-30")));
    assert_eq!((repair.abandoned.len(), repair.moved), (1, 2));
    intake.readiness().await.unwrap();
    intake
        .accept(request(3, Command::Play, None))
        .await
        .unwrap();
    for user in [1, 2, 3] {
        assert_eq!(dates(&env, user).await, ["2024-06-30"], "{user}");
    }
    let ads = "SELECT date, user_id, slot_s FROM ad_history ORDER BY slot_s";
    assert_eq!(
        env.rows(ads).await,
        ["2024-06-30|2|300", "2024-06-30|2|600"]
    );
    let audit = env.store.audit(None, 10).await.unwrap();
    let mut audit = audit.iter();
    let repaired = audit.find(|one| one.action == AuditAction::RepairClock);
    assert_eq!(
        repaired.unwrap().subject,
        "clock: 2024-07-03T12:11:40Z to 2024-06-30T12:11:40Z; 2 events moved to 2024-06-30; days \
         through 2024-06-30 opened"
    );
    let again = env
        .store
        .repair_clock(env.timezone, &Actor::Console)
        .await
        .unwrap();
    assert!(!again.has_changed(), "{again:?}");

    // The day is settled when it is over, with all plays.
    env.clock.set(at("2024-06-30T15:00:00Z"));
    let settled = env.settle(date("2024-06-30"), Shape::default()).await;
    assert_eq!(settled.unwrap().status, BatchStatus::Completed);
    let statistics = "SELECT view_count, total_play_time, ad_view_count FROM video_statistics";
    assert_eq!(env.rows(statistics).await, ["3|650|2"]);
    let weeks = "SELECT view_count FROM period_rollup";
    assert_eq!(env.rows(weeks).await, ["3", "3"]);
    assert_clean(&env, "after the repair").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_a_wrong_clock_closed_stops_the_intake_until_it_is_opened() {
    let env = with_video().await;
    env.store.close_day(date("2024-07-02")).await.unwrap();
    assert!(refused(&env).await.starts_with(
        "the day 2024-07-02 is closed and ends at 2024-07-02T15:00:00Z, and the clock"
    ));
    let repair = env
        .store
        .repair_clock(env.timezone, &Actor::Console)
        .await
        .unwrap();
    assert_eq!(repair.reopened_through, Some(date("2024-07-02")));
    assert_eq!(
        env.store.closed_through().await.unwrap(),
        Some(date("2024-06-29"))
    );
    play(&env, 3).await;
    assert_eq!(dates(&env, 3).await, ["2024-06-30"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repair_waits_for_no_running_execution_and_keeps_imported_plays() {
    let env = with_video().await;
    env.import(&imported("2024-07-02"), 0).await.unwrap();
    env.clock.step_s(3 * DAY_S);
    play(&env, 1).await;
    let launcher = env.launcher(1);
    let launched = launcher.launch(date("2024-07-02")).await.unwrap();
    env.store.close_day(date("2024-07-02")).await.unwrap();
    env.clock.step_s(-3 * DAY_S);
    let refused = env.store.repair_clock(env.timezone, &Actor::Console).await;
    assert!(
        matches!(refused, Err(ClockRepairError::Running { execution, .. }) if execution == launched.id),
        "{refused:?}"
    );
    launcher.stop(launched.id).await.unwrap();
    let repair = env
        .store
        .repair_clock(env.timezone, &Actor::Console)
        .await
        .unwrap();
    assert_eq!(repair.moved, 1);
    let plays = "SELECT date, COUNT(*) FROM play_history GROUP BY date ORDER BY date";
    assert_eq!(env.rows(plays).await, ["2024-06-30|1", "2024-07-02|10"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_with_a_clock_three_days_ahead_launches_only_days_that_are_certainly_over() {
    let env = with_video().await;
    env.import(&imported("2024-06-28"), 0).await.unwrap();
    play(&env, 1).await;
    assert_eq!(OWNER, VIDEO.owner_id.0);
    env.clock.step_s(3 * DAY_S);
    let env = restarted(&env).await;
    let (launcher, worker) = env.daemon(Shape::default(), 90).await;
    let settled = async {
        while !env.store.is_settled(date("2024-06-28")).await.unwrap() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), settled)
        .await
        .unwrap();
    // After each settled day the schedule looks for the next one.
    assert!(worker.stop().await);
    let today = env
        .store
        .executions_of(Job::DayStatistics, date("2024-06-30"));
    assert_eq!(today.await.unwrap(), []);
    assert_eq!(
        env.store.clocks().await.unwrap().last_micros,
        at("2024-06-30T12:00:00Z")
    );
    // Without the watch the day would be launched.
    assert!(launcher.launch_due().await.unwrap().is_some());
    assert!(env.clock.now_micros() > at("2024-07-03T00:00:00Z") - MICROS);
}
