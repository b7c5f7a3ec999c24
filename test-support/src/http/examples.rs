//! The examples of the original system, for a real process.

use crate::{http::Client, process::PROCESS_TIMEOUT};
use std::time::{Duration, Instant};

/// A short view window, and no limit of the credited seconds.
pub const SETTINGS: [(&str, u32); 2] = [("VIEW_WINDOW_S", 2), ("MAX_PLAYBACK_RATE", 0)];
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// Plays from the start, repeats too soon, pauses at 120 and resumes there. The `userId` is that of
/// the token.
pub async fn assert_original_examples(client: &Client) {
    let (_, owner) = client.user("owner").await;
    let (viewer_id, viewer) = client.user("viewer").await;
    let video = client.video(&owner, "a film", 600).await;
    let play = format!("/videos/{video}/play?userId={viewer_id}");
    let pause = format!("/videos/{video}/pause?userId={viewer_id}&currentPlayedAt=120");
    let reply = client.request("POST", &play, &viewer).await.is(200);
    assert_eq!(reply.json(), "동영상을 처음부터 재생합니다.");
    let repeat = client.request("POST", &play, &viewer).await.is(429);
    assert!(
        matches!(repeat.retry_after.as_deref(), Some("1" | "2")),
        "{repeat:?}"
    );
    assert_eq!(repeat.json()["code"], "repeated-view");
    let reply = client.request("POST", &pause, &viewer).await.is(200);
    assert_eq!(reply.json(), "동영상 재생을 중단했습니다.");
    assert_eq!(reply.fact.as_deref(), Some("120"));
    let began = Instant::now();
    let reply = loop {
        let reply = client.request("POST", &play, &viewer).await;
        if reply.status != 429 {
            break reply.is(200);
        }
        assert!(began.elapsed() < PROCESS_TIMEOUT, "{reply:?}");
        tokio::time::sleep(RETRY_INTERVAL).await;
    };
    assert_eq!(reply.json(), "동영상을 120초부터 이어서 재생합니다.");
    assert_eq!(reply.fact.as_deref(), Some("120"));
    // The token of another user.
    client.request("POST", &play, &owner).await.is(403);
}
