//! Plays that do not come from a file.

use super::{MICROS, at};
use async_trait::async_trait;
use balance_domain::{accounts::UserId, playback::Play, videos::VideoId};
use balance_store::import::{MAX_PLAY_BATCH, PlayImportError, PlaySource, SourcedPlay};

/// Returns a play of 10 seconds of a video of 100 seconds, whose owner is user 1,000,000.
pub fn play(user: i64, video: i64, started_at_micros: i64) -> Play {
    Play {
        user_id: UserId(user),
        video_id: VideoId(video),
        owner_id: UserId(1_000_000),
        started_at_micros,
        play_time_s: 10,
        duration_s: 100,
    }
}

/// Returns plays of one day (Seoul), spread unevenly over the videos. Each is by another user, so
/// that none is a repeated view.
pub fn day_of_plays(day: &str, plays: i64, videos: i64) -> Vec<Play> {
    let noon = at(&format!("{day}T03:00:00Z"));
    (0..plays)
        .map(|n| play(n + 1, n * n % videos + 1, noon + n * MICROS))
        .collect()
}

/// Returns plays of one day (Seoul), spread evenly over the videos.
pub fn even_day(day: &str, plays: i64, videos: i64) -> Vec<Play> {
    let noon = at(&format!("{day}T03:00:00Z"));
    (0..plays)
        .map(|n| play(n + 1, n % videos + 1, noon + n * MICROS))
        .collect()
}

/// A source of plays for an import, in batches of at most [`MAX_PLAY_BATCH`].
pub struct PlayBatches(Vec<Play>);

impl PlayBatches {
    /// Returns the plays in the order that an import requires: by time, user and video.
    pub fn sorted(mut plays: Vec<Play>) -> Self {
        plays.sort_by_key(|play| (play.started_at_micros, play.user_id, play.video_id));
        Self(plays)
    }
}

#[async_trait]
impl PlaySource for PlayBatches {
    async fn next(&mut self) -> Result<Vec<SourcedPlay>, PlayImportError> {
        let count = self.0.len().min(MAX_PLAY_BATCH);
        Ok(self
            .0
            .drain(..count)
            .zip(1..)
            .map(|(play, line)| SourcedPlay {
                play,
                file: 0,
                line,
            })
            .collect())
    }
}
