//! What a 503 promises on a database: a request without an acknowledgement is persisted at most once.

use super::intake::{LIFETIMES, playing, request, with_video};
use balance_service::playback::{
    EmbeddedIntake,
    intake::{Intake, IntakeError},
};
use balance_store::playback::Command;
use balance_test_support::settlement::TestEnv;
use sqlx::{Connection, SqliteConnection};
use std::sync::Arc;

/// Returns the number of plays of a user.
async fn plays(env: &TestEnv, user: i64) -> String {
    let sql = format!("SELECT COUNT(*) FROM play_history WHERE user_id = {user}");
    env.rows(&sql).await.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_play_that_timed_out_while_the_database_was_locked_is_not_persisted_later() {
    let env = with_video().await;
    if env.is_server() {
        return;
    }
    let intake = EmbeddedIntake::start(Arc::clone(&env.store), LIFETIMES, env.timezone);
    let play = async |user, key| intake.accept(request(user, Command::Play, key)).await;
    assert_eq!(play(1, None).await.unwrap(), playing(0, true));
    // Another program holds the lock of the file.
    let url = format!("sqlite://{}", env.path().display());
    let mut other = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut other)
        .await
        .unwrap();
    for key in [None, Some("key")] {
        let refused = play(2, key).await;
        assert!(
            matches!(refused, Err(IntakeError::Unavailable(_))),
            "{refused:?}"
        );
    }
    sqlx::query("COMMIT").execute(&mut other).await.unwrap();
    until_written(&intake).await;
    assert_eq!(plays(&env, 2).await, "0");
    assert_eq!(play(2, Some("key")).await.unwrap(), playing(0, true));
    assert_eq!(play(2, Some("key")).await.unwrap(), playing(0, true));
    assert_eq!(plays(&env, 2).await, "1");
}

/// Waits until the writer has written a play of another user.
async fn until_written(intake: &EmbeddedIntake) {
    for _ in 0..100 {
        if intake.accept(request(3, Command::Play, None)).await.is_ok() {
            return;
        }
    }
    panic!("the writer writes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_play_whose_client_disconnects_at_any_moment_is_persisted_at_most_once() {
    let env = with_video().await;
    let intake = EmbeddedIntake::start(Arc::clone(&env.store), LIFETIMES, env.timezone);
    let mut written = 0;
    for user in 100..250 {
        let accept = intake.accept(request(user, Command::Play, Some("key")));
        // The number of times that the task runs before the client disconnects.
        let disconnect = async {
            for _ in 0..user - 100 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            answer = accept => assert_eq!(answer.unwrap(), playing(0, true)),
            () = disconnect => {}
        }
        until_written(&intake).await;
        let before = plays(&env, user).await;
        assert!(["0", "1"].contains(&before.as_str()), "{before}");
        written += i32::from(before == "1");
        let again = intake
            .accept(request(user, Command::Play, Some("key")))
            .await;
        assert_eq!(again.unwrap(), playing(0, true));
        assert_eq!(plays(&env, user).await, "1");
    }
    eprintln!("{written} of 150 were written before the retry");
}
