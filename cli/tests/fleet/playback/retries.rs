//! What a 503 promises: a request without an acknowledgement is persisted at most once, and its retry
//! with the same key has the first answer.

use crate::playback::intake::{RULES, created_stream, named, opened, request};
use balance_redis::RedisIntake;
use balance_service::playback::intake::{Intake, IntakeError};
use balance_store::playback::{Command, IntakeAnswer};
use balance_test_support::{
    process::until,
    servers::{PASSWORD, Proxy, Redis},
    stream::IDENTITY,
};

/// A server, and the intake that reaches it through a proxy.
struct Env {
    redis: Redis,
    proxy: Proxy,
    intake: RedisIntake,
}

impl Env {
    async fn new() -> Self {
        let redis = Redis::start();
        let proxy = Proxy::start(redis.port);
        created_stream(&redis.url(PASSWORD, 0), 1).await;
        let url = format!("redis://:{PASSWORD}@127.0.0.1:{}/0", proxy.port);
        let intake = opened(&url, 1, 1_000, RULES);
        Self {
            redis,
            proxy,
            intake: intake.unwrap(),
        }
    }

    /// Sends a request that gets no answer in time.
    async fn unanswered(&self, user: i64, command: Command, key: &str) {
        let answer = self
            .intake
            .accept(named(request(user, 1, command), key))
            .await;
        assert!(
            matches!(answer, Err(IntakeError::Unavailable(_))),
            "{answer:?}"
        );
    }

    /// Repeats a request until it has an answer.
    async fn answer(&self, user: i64, command: Command, key: &str) -> IntakeAnswer {
        for _ in 0..100 {
            match self
                .intake
                .accept(named(request(user, 1, command), key))
                .await
            {
                Ok(answer) => return answer,
                Err(IntakeError::Unavailable(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
        panic!("no answer");
    }

    fn entries(&self) -> String {
        let stream = format!("{{{IDENTITY}:u0}}:events");
        self.redis.command(0, &["XLEN", &stream]).remove(0)
    }
}

const PLAYING: IntakeAnswer = IntakeAnswer::Playing {
    resume_at_s: 0,
    is_counted: true,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_learns_what_a_lost_reply_said() {
    let env = Env::new().await;
    // Loads both scripts: the reply to an unknown script is lost too.
    assert_eq!(env.answer(1, Command::Play, "first").await, PLAYING);
    let far = Command::Pause { current_s: 1_000 };
    let paused = env.answer(1, far, "second").await;
    assert!(matches!(paused, IntakeAnswer::Paused { .. }), "{paused:?}");
    env.proxy.mute(true);
    env.unanswered(2, Command::Play, "play").await;
    until("the play to be persisted", || env.entries() == "3");
    env.proxy.mute(false);
    assert_eq!(env.answer(2, Command::Play, "play").await, PLAYING);
    let pause = Command::Pause { current_s: 70 };
    env.proxy.mute(true);
    env.unanswered(2, pause, "pause").await;
    until("the pause to be persisted", || env.entries() == "4");
    env.proxy.mute(false);
    let paused = IntakeAnswer::Paused {
        credited_s: 70,
        is_finished: false,
    };
    for _ in 0..2 {
        assert_eq!(env.answer(2, pause, "pause").await, paused);
        assert_eq!(env.answer(2, Command::Play, "play").await, PLAYING);
    }
    assert_eq!(env.entries(), "4");
    // Another key is another request.
    let repeat = env.answer(2, Command::Play, "other").await;
    assert!(matches!(repeat, IntakeAnswer::Repeat { .. }), "{repeat:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_a_frozen_server_executes_later_is_persisted_once() {
    let env = Env::new().await;
    assert_eq!(env.answer(1, Command::Play, "first").await, PLAYING);
    env.redis.daemon.signal("STOP");
    for _ in 0..2 {
        env.unanswered(2, Command::Play, "play").await;
    }
    env.redis.daemon.signal("CONT");
    assert_eq!(env.answer(2, Command::Play, "play").await, PLAYING);
    assert_eq!(env.entries(), "2");
}
