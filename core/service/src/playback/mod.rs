//! Plays and pauses.

mod embedded_intake;
pub mod intake;
mod rules_feed;

pub use embedded_intake::EmbeddedIntake;
pub use rules_feed::RulesFeed;

use crate::{
    operations::counters::{Count, IntakeCounters, PlaybackCounters},
    playback::intake::{Intake, IntakeError},
};
use balance_domain::{
    accounts::{NEW_ACCOUNT_S, UserId},
    clock::Clock,
    playback::EventId,
    units::MICROS_PER_S,
    videos::VideoId,
};
use balance_store::{
    Store, StoreError,
    operations::Generation,
    playback::{Command, IdempotencyKey, IntakeAnswer, IntakeRequest, VideoFacts},
};
use moka::sync::Cache;
use std::{sync::Arc, time::Duration};

/// The most videos whose owner and duration are cached.
const MAX_CACHED: u64 = 100_000;
/// How long a video is cached. Plays of cached videos continue while the database is unavailable.
/// Owner and duration change only by an import that corrects an undone one, and by a restore.
const CACHED_FOR: Duration = Duration::from_secs(3_600);

/// The user who plays or pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ViewerAccount {
    pub user_id: UserId,
    /// The time when the account was created, in seconds since 1970 (UTC), if it is known.
    pub joined_s: Option<i64>,
}

impl ViewerAccount {
    /// Returns whether the account is younger than seven days, if its age is known.
    fn is_new(self, now_micros: i64) -> Option<bool> {
        let now_s = now_micros.div_euclid(MICROS_PER_S);
        let joined_s = self.joined_s?;
        Some(now_s.saturating_sub(joined_s) < NEW_ACCOUNT_S)
    }
}

/// The reason why a play or a pause failed.
#[derive(Debug, thiserror::Error)]
pub enum PlaybackError {
    #[error("there is no video {0}")]
    NoSuchVideo(VideoId),
    /// The position is outside the video.
    #[error("position {current_s} is not from 0 to {duration_s}, the video's duration in seconds")]
    OutsideVideo {
        /// The given position, in seconds.
        current_s: i64,
        /// The video's duration, in seconds.
        duration_s: i64,
    },
    #[error(transparent)]
    Intake(#[from] IntakeError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Passes plays and pauses to the intake and counts the outcomes.
pub struct Playback {
    intake: Arc<dyn Intake>,
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    /// The generation is a part of the key: a restored database can have other videos.
    videos: Cache<(Generation, VideoId), VideoFacts>,
    counters: PlaybackCounters,
}

impl Playback {
    #[must_use]
    pub fn new(intake: Arc<dyn Intake>, store: Arc<Store>, clock: Arc<dyn Clock>) -> Self {
        Self {
            intake,
            store,
            clock,
            videos: Cache::builder()
                .max_capacity(MAX_CACHED)
                .time_to_live(CACHED_FOR)
                .build(),
            counters: PlaybackCounters::default(),
        }
    }

    /// Starts a play of a video at the position where the user left it.
    ///
    /// # Errors
    /// If the video does not exist, or the intake fails.
    pub async fn play(
        &self,
        viewer: ViewerAccount,
        video_id: VideoId,
        key: Option<IdempotencyKey>,
    ) -> Result<IntakeAnswer, PlaybackError> {
        let played = async {
            let video = self.facts(video_id).await?;
            self.accept(viewer, video, Command::Play, key).await
        };
        counted(&self.counters.plays, played.await)
    }

    /// Pauses a video at `current_s` seconds.
    ///
    /// # Errors
    /// If the video does not exist, the position is outside of it, or the intake fails.
    pub async fn pause(
        &self,
        viewer: ViewerAccount,
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
            self.accept(viewer, video, Command::Pause { current_s }, key)
                .await
        };
        counted(&self.counters.pauses, paused.await)
    }

    /// Returns the counters of plays and pauses since the start of the process.
    #[must_use]
    pub const fn counters(&self) -> &PlaybackCounters {
        &self.counters
    }

    /// Checks that plays can be accepted now.
    ///
    /// # Errors
    /// The reason why they cannot.
    pub async fn readiness(&self) -> Result<(), IntakeError> {
        self.check_restore()?;
        self.intake.readiness().await
    }

    /// Checks that no restore is incomplete: a user or video could have the id of another one.
    fn check_restore(&self) -> Result<(), IntakeError> {
        let checked = self.store.check_new_ids();
        checked.map_err(|error| IntakeError::Unusable(error.to_string()))
    }

    async fn accept(
        &self,
        viewer: ViewerAccount,
        video: VideoFacts,
        command: Command,
        key: Option<IdempotencyKey>,
    ) -> Result<IntakeAnswer, PlaybackError> {
        self.check_restore()?;
        let now_micros = self.clock.now_micros();
        let request = IntakeRequest {
            event_id: EventId::new(now_micros, rand::random()),
            user_id: viewer.user_id,
            video,
            is_new_account: viewer.is_new(now_micros),
            command,
            key,
        };
        Ok(self.intake.accept(request).await?)
    }

    async fn facts(&self, id: VideoId) -> Result<VideoFacts, PlaybackError> {
        let key = (self.store.generation().get(), id);
        if let Some(video) = self.videos.get(&key) {
            return Ok(video);
        }
        let video = self.store.video_facts(id).await?;
        let video = video.ok_or(PlaybackError::NoSuchVideo(id))?;
        self.videos.insert(key, video);
        Ok(video)
    }
}

/// Counts an outcome and returns it.
fn counted(
    counters: &IntakeCounters,
    outcome: Result<IntakeAnswer, PlaybackError>,
) -> Result<IntakeAnswer, PlaybackError> {
    counter_of(counters, &outcome).add(1);
    outcome
}

const fn counter_of<'a>(
    counters: &'a IntakeCounters,
    outcome: &Result<IntakeAnswer, PlaybackError>,
) -> &'a Count {
    match outcome {
        Ok(IntakeAnswer::Playing { .. } | IntakeAnswer::Paused { .. }) => &counters.accepted,
        Ok(IntakeAnswer::Repeat { .. }) => &counters.repeat,
        Ok(IntakeAnswer::TooManyViews { .. } | IntakeAnswer::TooManyPauses { .. }) => {
            &counters.too_many
        }
        Ok(IntakeAnswer::NoSession) => &counters.no_session,
        Ok(IntakeAnswer::KeyReused) => &counters.key_reused,
        Err(PlaybackError::NoSuchVideo(_)) => &counters.no_such_video,
        Err(PlaybackError::OutsideVideo { .. }) => &counters.outside_video,
        Err(PlaybackError::Intake(IntakeError::Backlog { .. })) => &counters.backlog,
        Err(PlaybackError::Intake(IntakeError::Unavailable(_) | IntakeError::NotWritable(_))) => {
            &counters.unavailable
        }
        Err(PlaybackError::Store(error)) if error.is_transient() => &counters.unavailable,
        Err(PlaybackError::Intake(IntakeError::Unusable(_)) | PlaybackError::Store(_)) => {
            &counters.unusable
        }
    }
}
