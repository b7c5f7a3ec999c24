//! Playing and pausing.

mod embedded_intake;
pub mod intake;

pub use embedded_intake::EmbeddedIntake;

use crate::{
    operations::counters::{Count, IntakeCounters, PlaybackCounters},
    playback::intake::{Intake, IntakeError},
};
use balance_domain::{accounts::UserId, clock::Clock, playback::EventId, videos::VideoId};
use balance_store::{
    Store, StoreError,
    playback::{Command, IdempotencyKey, IntakeAnswer, IntakeRequest, VideoFacts},
};
use moka::sync::Cache;
use std::{sync::Arc, time::Duration};

/// Videos whose owner and length are kept at hand.
const CACHED: u64 = 100_000;
/// How long they are, so that plays go on while the database is away. They never change; the limit
/// is for a database that was replaced.
const CACHED_FOR: Duration = Duration::from_secs(3_600);

/// Why somebody cannot play or pause.
#[derive(Debug, thiserror::Error)]
pub enum PlaybackError {
    /// There is no such video.
    #[error("there is no video {0}")]
    NoSuchVideo(VideoId),
    /// The position lies outside the video.
    #[error("{current_s} is not from 0 to {duration_s}, the video's length in seconds")]
    OutsideVideo {
        /// What was given, in seconds.
        current_s: i64,
        /// The video's length, in seconds.
        duration_s: i64,
    },
    /// The intake failed.
    #[error(transparent)]
    Intake(#[from] IntakeError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Lets people play and pause.
pub struct Playback {
    intake: Arc<dyn Intake>,
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    videos: Cache<VideoId, VideoFacts>,
    counters: PlaybackCounters,
}

impl Playback {
    /// A service on an intake.
    #[must_use]
    pub fn new(intake: Arc<dyn Intake>, store: Arc<Store>, clock: Arc<dyn Clock>) -> Self {
        Self {
            intake,
            store,
            clock,
            videos: Cache::builder()
                .max_capacity(CACHED)
                .time_to_live(CACHED_FOR)
                .build(),
            counters: PlaybackCounters::default(),
        }
    }

    /// Plays a video from where the user left it.
    ///
    /// # Errors
    /// Where there is no such video, or the intake fails.
    pub async fn play(
        &self,
        user_id: UserId,
        video_id: VideoId,
        key: Option<IdempotencyKey>,
    ) -> Result<IntakeAnswer, PlaybackError> {
        let played = async {
            let video = self.facts(video_id).await?;
            self.accept(user_id, video, Command::Play, key).await
        };
        told(&self.counters.plays, played.await)
    }

    /// Pauses a video at so many seconds.
    ///
    /// # Errors
    /// Where there is no such video, the position lies outside it, or the intake fails.
    pub async fn pause(
        &self,
        user_id: UserId,
        video_id: VideoId,
        current_s: i64,
        key: Option<IdempotencyKey>,
    ) -> Result<IntakeAnswer, PlaybackError> {
        let paused = async {
            let video = self.facts(video_id).await?;
            let duration_s = video.duration_s;
            if !(0..=duration_s).contains(&current_s) {
                return Err(PlaybackError::OutsideVideo {
                    current_s,
                    duration_s,
                });
            }
            self.accept(user_id, video, Command::Pause { current_s }, key)
                .await
        };
        told(&self.counters.pauses, paused.await)
    }

    /// What became of plays and pauses since the service was made.
    #[must_use]
    pub const fn counters(&self) -> &PlaybackCounters {
        &self.counters
    }

    /// Whether plays can be taken in now.
    ///
    /// # Errors
    /// Why not.
    pub async fn readiness(&self) -> Result<(), IntakeError> {
        self.intake.readiness().await
    }

    async fn accept(
        &self,
        user_id: UserId,
        video: VideoFacts,
        command: Command,
        key: Option<IdempotencyKey>,
    ) -> Result<IntakeAnswer, PlaybackError> {
        let request = IntakeRequest {
            event_id: EventId::new(self.clock.now_micros(), rand::random()),
            user_id,
            video,
            command,
            key,
        };
        Ok(self.intake.accept(request).await?)
    }

    async fn facts(&self, id: VideoId) -> Result<VideoFacts, PlaybackError> {
        if let Some(video) = self.videos.get(&id) {
            return Ok(video);
        }
        let video = self.store.video_facts(id).await?;
        let video = video.ok_or(PlaybackError::NoSuchVideo(id))?;
        self.videos.insert(id, video);
        Ok(video)
    }
}

/// The same outcome, counted.
fn told(
    counters: &IntakeCounters,
    outcome: Result<IntakeAnswer, PlaybackError>,
) -> Result<IntakeAnswer, PlaybackError> {
    count_of(counters, &outcome).add(1);
    outcome
}

const fn count_of<'a>(
    counters: &'a IntakeCounters,
    outcome: &Result<IntakeAnswer, PlaybackError>,
) -> &'a Count {
    match outcome {
        Ok(IntakeAnswer::Playing { .. } | IntakeAnswer::Paused { .. }) => &counters.accepted,
        Ok(IntakeAnswer::Repeat { .. }) => &counters.repeat,
        Ok(IntakeAnswer::NoSession) => &counters.no_session,
        Ok(IntakeAnswer::KeyReused) => &counters.key_reused,
        Err(PlaybackError::NoSuchVideo(_)) => &counters.no_such_video,
        Err(PlaybackError::OutsideVideo { .. }) => &counters.outside_video,
        Err(PlaybackError::Intake(IntakeError::Backlog { .. })) => &counters.backlog,
        Err(PlaybackError::Intake(IntakeError::Unavailable(_))) => &counters.unavailable,
        Err(PlaybackError::Store(error)) if error.is_transient() => &counters.unavailable,
        Err(PlaybackError::Intake(IntakeError::Unusable(_)) | PlaybackError::Store(_)) => {
            &counters.unusable
        }
    }
}
