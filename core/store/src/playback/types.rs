//! The intake: takes in plays and pauses as they happen. One call decides, counts and writes down
//! what it answers; an answer that was given is never lost.

use balance_domain::{
    accounts::UserId,
    playback::{EventId, PlaybackRate},
    videos::VideoId,
};

/// What the intake must know of a video. It never changes once the video is registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoFacts {
    /// The video.
    pub id: VideoId,
    /// Whose it is.
    pub owner_id: UserId,
    /// Its length in seconds.
    pub duration_s: i64,
}

/// A client's own name for a request, so that sending it again does nothing again: 1 to
/// [`MAX_KEY`] visible ASCII characters. Remembered for [`IntakeRules::replay_s`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

/// The longest key, in characters.
pub const MAX_KEY: usize = 128;

impl IdempotencyKey {
    /// A key, if the text can be one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_key =
            (1..=MAX_KEY).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_key.then(|| Self(text.to_owned()))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What somebody wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// To play, from where they left.
    Play,
    /// To pause at so many seconds, 0 to the video's length.
    Pause {
        /// Where the player stands, in seconds.
        current_s: i64,
    },
}

/// A request to the intake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntakeRequest {
    /// Made where the request arrived; the key of its row in the history.
    pub event_id: EventId,
    /// Who.
    pub user_id: UserId,
    /// What.
    pub video: VideoFacts,
    /// Play or pause.
    pub command: Command,
    /// The client's name for the request, if it gave one.
    pub key: Option<IdempotencyKey>,
}

/// What the intake answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntakeAnswer {
    /// The play was accepted.
    Playing {
        /// Where it goes on, in seconds; 0 is the beginning.
        resume_at_s: i64,
        /// Whether it counts as a view: an owner's own does not.
        is_counted: bool,
    },
    /// Within the window after the last counted view of the same user and video: nothing changed
    /// but the day's count of refusals.
    Repeat {
        /// Until the window's end, in milliseconds, 1 and up.
        retry_after_ms: i64,
    },
    /// The pause was accepted.
    Paused {
        /// Seconds that count.
        credited_s: i64,
        /// Whether the video was watched to its end.
        is_finished: bool,
    },
    /// A pause without an open session: nothing changed.
    NoSession,
    /// The key named another request before: nothing changed.
    KeyReused,
}

/// Why something did not enter the statistics. It is counted by day and video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SuppressedReason {
    /// Plays within the window after a counted one.
    Repeat,
    /// Plays of the owner.
    Own,
    /// Seconds beyond what the clock allows.
    Capped,
}

impl SuppressedReason {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Repeat, Self::Own, Self::Capped];

    /// Its name where it is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Repeat => "repeat",
            Self::Own => "own",
            Self::Capped => "capped",
        }
    }
}

/// For how many days a fleet's intake keeps its own counts of refusals.
pub const SUPPRESSED_DAYS: u32 = 90;

/// The rules that an intake obeys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntakeRules {
    /// Seconds within which a view of the same user and video is a repeat (`VIEW_WINDOW_S`).
    pub view_window_s: u32,
    /// How fast a video can be played (`MAX_PLAYBACK_RATE`).
    pub playback_rate: PlaybackRate,
    /// How long positions live, in seconds (`RESUME_TTL_S`).
    pub resume_ttl_s: u32,
    /// How long answers to requests with a key are remembered, in seconds.
    pub replay_s: u32,
    /// Seconds between two ad slots (`AD_INTERVAL_S`).
    pub ad_interval_s: u32,
}
