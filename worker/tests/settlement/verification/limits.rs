//! Credited seconds and ad views that no viewer can have.

use crate::{
    events::intake::{pause, play, with_video},
    verification::fixtures::differences,
};
use balance_domain::clock::Clock;
use balance_test_support::settlement::{MICROS, TestEnv};

/// Adds a pause to the day of the plays.
async fn forge(env: &TestEnv, id: u8, user: i64, play_time: i64, rules_version: u32) {
    env.execute(&format!(
        "INSERT INTO play_history (date, event_id, video_id, user_id, occurred_at_micros, counted, \
         play_time, reported_time, rules_version) SELECT date, X'0190645E1B0070008000{id:012X}', 1, {user}, \
         occurred_at_micros, 0, {play_time}, {play_time}, {rules_version} FROM play_history \
         WHERE user_id = 1 LIMIT 1"
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_cannot_have_more_than_the_rules_allow() {
    let env = with_video().await;
    play(&env, 1).await;
    env.clock.set(env.clock.now_micros() + 400 * MICROS);
    pause(&env, 1, 800).await;
    assert_eq!(differences(&env).await, [""; 0]);
    // Rows of before the limits, and those of imports, are trusted.
    forge(&env, 1, 2, 2_000_000, 0).await;
    forge(&env, 2, 3, 1_095_005, 1).await;
    forge(&env, 3, 4, 1_095_006, 1).await;
    for slot in [300, 600, 900] {
        env.execute(&format!(
            "INSERT INTO ad_history (date, video_id, user_id, slot_s, ad_id) \
             SELECT DISTINCT date, 2, 1, {slot}, 1 FROM play_history"
        ))
        .await;
    }
    let found: Vec<String> = differences(&env).await;
    let found: Vec<&String> = found
        .iter()
        .filter(|line| line.contains("at most"))
        .collect();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("user 1) row: at most 4 / 5"), "{found:?}");
    assert!(
        found[1].contains("user 4) play_time: at most 1095005 / 1095006"),
        "{found:?}"
    );
}
