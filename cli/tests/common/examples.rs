//! The original's examples, as its table has them, against a real process.

use super::{client::Client, program::LONGEST};
use std::time::{Duration, Instant};

/// A window that a test can wait for; any seconds are credited.
pub(crate) const SETTINGS: [(&str, u32); 2] = [("VIEW_WINDOW_S", 2), ("MAX_PLAYBACK_RATE", 0)];
const AGAIN: Duration = Duration::from_millis(50);

/// Plays from the start, repeats too soon, pauses at 120 and goes on there, by the same `userId` as
/// the token's.
pub(crate) async fn of_the_original(client: &Client) {
    let (_, owner) = client.user("owner").await;
    let (viewer_id, viewer) = client.user("viewer").await;
    let video = client.video(&owner, "a film", 600).await;
    let play = format!("/videos/{video}/play?userId={viewer_id}");
    let pause = format!("/videos/{video}/pause?userId={viewer_id}&currentPlayedAt=120");
    let said = client.ask("POST", &play, &viewer).await.is(200);
    assert_eq!(said.json(), "동영상을 처음부터 재생합니다.");
    let repeat = client.ask("POST", &play, &viewer).await.is(429);
    assert!(
        matches!(repeat.retry_after.as_deref(), Some("1" | "2")),
        "{repeat:?}"
    );
    assert_eq!(repeat.json()["code"], "repeated-view");
    let said = client.ask("POST", &pause, &viewer).await.is(200);
    assert_eq!(said.json(), "동영상 재생을 중단했습니다.");
    assert_eq!(said.fact.as_deref(), Some("120"));
    let began = Instant::now();
    let said = loop {
        let said = client.ask("POST", &play, &viewer).await;
        if said.status != 429 {
            break said.is(200);
        }
        assert!(began.elapsed() < LONGEST, "{said:?}");
        tokio::time::sleep(AGAIN).await;
    };
    assert_eq!(said.json(), "동영상을 120초부터 이어서 재생합니다.");
    assert_eq!(said.fact.as_deref(), Some("120"));
    // For somebody else.
    client.ask("POST", &play, &owner).await.is(403);
}
