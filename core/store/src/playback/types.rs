//! Requests to the intake, its answers and its rules.

use balance_domain::{
    accounts::UserId, playback::EventId, units::SECONDS_PER_DAY, videos::VideoId,
};

/// The facts about a video that the intake needs. They never change after registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoFacts {
    pub id: VideoId,
    pub owner_id: UserId,
    /// The length in seconds.
    pub duration_s: i64,
}

/// An idempotency key: a client's key for a request, so that a repeated request has no effect.
/// It has 1 to [`MAX_KEY`] visible ASCII characters and is stored for [`Lifetimes::replay_s`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

/// The maximum length of a key, in characters.
pub const MAX_KEY: usize = 128;

impl IdempotencyKey {
    /// Parses a key. Returns `None` if the text is not a valid key.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_key =
            (1..=MAX_KEY).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_key.then(|| Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A viewer's command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Play from the stored position.
    Play,
    /// Pause.
    Pause {
        /// The player's position in seconds, from 0 to the length of the video.
        current_s: i64,
    },
}

/// A request to the intake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntakeRequest {
    /// The key of the event in the history, generated when the request arrives.
    pub event_id: EventId,
    pub user_id: UserId,
    pub video: VideoFacts,
    /// Whether the user's account is younger than seven days; `None` if that is unknown.
    pub is_new_account: Option<bool>,
    pub command: Command,
    /// The client's idempotency key.
    pub key: Option<IdempotencyKey>,
}

impl IntakeRequest {
    /// Returns the text that identifies the request under its idempotency key.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        match self.command {
            Command::Play => format!("play {}", self.video.id),
            Command::Pause { current_s } => format!("pause {} {current_s}", self.video.id),
        }
    }
}

/// The answer of the intake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntakeAnswer {
    /// The play was accepted.
    Playing {
        /// The position to resume at, in seconds. 0 is the beginning.
        resume_at_s: i64,
        /// Whether the play counts as a view. A play by the video's owner does not.
        is_counted: bool,
    },
    /// The view window of the last counted view of the same user and video is still open. Only the
    /// suppressed count changed.
    Repeat {
        /// The milliseconds until the window ends, 1 and up.
        retry_after_ms: i64,
    },
    /// The viewer has too many views of all videos together. Only the suppressed count changed.
    TooManyViews {
        /// The milliseconds until a view is allowed, 1 and up.
        retry_after_ms: i64,
    },
    /// The pause was accepted.
    Paused {
        /// The credited seconds.
        credited_s: i64,
        /// Whether the position is at the end of the video.
        is_finished: bool,
    },
    /// The session has too many pauses. Nothing changed: a later pause credits the same seconds.
    TooManyPauses {
        /// The milliseconds until a pause is allowed, 1 and up.
        retry_after_ms: i64,
    },
    /// A pause without an open session. Nothing changed.
    NoSession,
    /// An earlier request with different content used the key. Nothing changed.
    KeyReused,
}

/// Why plays, seconds or ad views were suppressed. They are counted by day and video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SuppressedReason {
    /// Plays within the view window of a counted view.
    Repeat,
    /// Plays by the video's owner.
    Own,
    /// Reported seconds that the viewer's budget did not hold.
    Capped,
    /// Ad slots in credited seconds whose ad views the viewer's budget did not hold.
    AdCapped,
    /// Plays beyond the viewer's limit of views.
    Rate,
}

impl SuppressedReason {
    pub const ALL: [Self; 5] = [
        Self::Repeat,
        Self::Own,
        Self::Capped,
        Self::AdCapped,
        Self::Rate,
    ];

    /// Returns the stored name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Repeat => "repeat",
            Self::Own => "own",
            Self::Capped => "capped",
            Self::AdCapped => "ad_capped",
            Self::Rate => "rate",
        }
    }
}

/// The number of days for which the Redis intake stores suppressed counts that are not in the database.
pub const SUPPRESSED_DAYS: u32 = 90;

/// How long an intake stores what is not part of the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// How long positions are stored, in seconds (`RESUME_TTL_S`).
    pub resume_ttl_s: u32,
    /// How long answers to requests with an idempotency key are stored, in seconds.
    pub replay_s: u32,
}

impl Lifetimes {
    /// Returns how long positions are stored, in seconds: at least as long as the view window. A viewer
    /// whose session expired within the window could neither pause nor play again.
    #[must_use]
    pub fn resume_ttl_s(&self, view_window_s: u32) -> u32 {
        self.resume_ttl_s.max(view_window_s)
    }

    /// Returns how long the budgets of a viewer are stored after the last request, in seconds: as long as
    /// positions, and at least a day.
    #[must_use]
    pub fn budget_ttl_s(&self, view_window_s: u32) -> u32 {
        self.resume_ttl_s(view_window_s).max(SECONDS_PER_DAY)
    }
}
