//! Panics: a background task that panics is started again, and the work continues.

use balance_batch::status::BatchStatus;
use balance_domain::{
    accounts::{User, UserId},
    playback::EventId,
    videos::{Video, VideoId},
};
use balance_service::{
    events::stream::EventStream,
    playback::{
        EmbeddedIntake,
        intake::{Intake, IntakeError},
    },
};
use balance_store::{
    operations::Actor,
    playback::{Command, IntakeAnswer, IntakeRequest, Lifetimes, RulesChange, VideoFacts},
};
use balance_test_support::{
    settlement::{Shape, TestEnv, even_day},
    stream::FakeStream,
};
use balance_worker::settings::EventStreamSettings;
use std::{sync::Arc, time::Duration};

/// Waits until a condition is true, at most 60 seconds.
async fn until(is_true: impl AsyncFn() -> bool) {
    let waited = async {
        while !is_true().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waited)
        .await
        .unwrap();
}

const LIFETIMES: Lifetimes = Lifetimes {
    resume_ttl_s: 86_400,
    replay_s: 86_400,
};

fn play() -> IntakeRequest {
    IntakeRequest {
        is_new_account: None,
        event_id: EventId(rand::random()),
        user_id: UserId(7),
        video: VideoFacts {
            id: VideoId(1),
            owner_id: UserId(9),
            duration_s: 1_000,
        },
        command: Command::Play,
        key: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_intake_whose_writer_panicked_is_not_ready_until_it_writes_again() {
    let env = TestEnv::embedded().await;
    let users = [7, 9].map(|id| User {
        id: UserId(id),
        username: format!("user{id}"),
    });
    let video = Video {
        id: VideoId(1),
        owner_id: UserId(9),
        title: "video".to_owned(),
        duration_s: 1_000,
    };
    env.store.register(&users, &[video]).await.unwrap();
    let every_play = RulesChange {
        view_window_s: Some(0),
        ..RulesChange::default()
    };
    let by = Actor::Console;
    env.store.set_play_rules(&every_play, &by).await.unwrap();
    let intake = EmbeddedIntake::start(Arc::clone(&env.store), LIFETIMES, env.timezone);
    let is_played = |answer: &Result<IntakeAnswer, IntakeError>| {
        matches!(answer, Ok(IntakeAnswer::Playing { .. }))
    };
    let played = intake.accept(play()).await;
    assert!(is_played(&played), "{played:?}");
    for _ in 0..3 {
        env.clock.panic_next(1);
        let refused = intake.accept(play()).await;
        assert!(
            matches!(refused, Err(IntakeError::Unavailable(_))),
            "{refused:?}"
        );
        assert_eq!(env.clock.panics_left(), 0);
        until(async || intake.readiness().await.is_ok()).await;
        let played = intake.accept(play()).await;
        assert!(is_played(&played), "{played:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_tasks_panicked_settles_the_days_that_are_due() {
    let env = TestEnv::embedded().await;
    env.import(&even_day("2024-06-28", 30, 4), 1).await.unwrap();
    env.clock.panic_next(12);
    let (_, worker) = env.daemon(Shape::default(), 90).await;
    until(async || env.clock.panics_left() == 0).await;
    until(async || {
        let status = "SELECT STATUS FROM BATCH_JOB_EXECUTION ORDER BY JOB_EXECUTION_ID LIMIT 1";
        env.rows(status).await == [BatchStatus::Completed.name()]
    })
    .await;
    assert!(worker.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_writer_that_panicked_reads_again() {
    let env = TestEnv::embedded().await;
    let stream = FakeStream::with_waiting(Some(vec![0]));
    stream.panic_next(3);
    let events = EventStreamSettings {
        stream: Arc::<FakeStream>::clone(&stream) as Arc<dyn EventStream>,
        retention_h: 48,
        close_timeout_s: 60,
    };
    let (_, worker) = env.fleet_worker(Shape::default(), events).await;
    until(async || stream.reads() > 5).await;
    assert_eq!(worker.counters().task_panics.get(), 3);
    assert!(worker.stop().await);
}
