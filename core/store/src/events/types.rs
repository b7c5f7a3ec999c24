//! Entries of the event stream.

use balance_domain::{
    accounts::UserId,
    playback::EventId,
    videos::{AdInterval, AdSlot, VideoId},
};
use std::{fmt, str::FromStr};

/// The maximum number of shards. The first start stores the number, which never changes.
pub const MAX_SHARDS: u16 = 64;

/// The random identity of a database's event stream: 16 lower-case hexadecimal digits. It is a part of
/// each key in Redis, so that no process takes the stream of another database for its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamIdentity(String);

impl StreamIdentity {
    /// Returns a new identity.
    #[must_use]
    pub fn random() -> Self {
        Self(format!("{:016x}", rand::random::<u64>()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StreamIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for StreamIdentity {
    type Err = InvalidIdentity;

    fn from_str(text: &str) -> Result<Self, InvalidIdentity> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() == 16 && text.bytes().all(is_digit) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidIdentity)
        }
    }
}

/// A text is no [`StreamIdentity`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stream identity has 16 lower-case hexadecimal digits")]
pub struct InvalidIdentity;

/// What decides the shard of an event and of the keys beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StreamLayout {
    /// The video: the layout of version 0.1.
    ByVideo,
    /// The viewer.
    ByViewer,
}

/// An event that the intake recorded, with everything that the intake decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaybackEvent {
    /// The key of the event in the history.
    pub id: EventId,
    pub user_id: UserId,
    pub video_id: VideoId,
    /// The version of the rules that decided; 0 for an event of a version without them.
    pub rules_version: u32,
    /// Whether the viewer's account was younger than seven days; `None` if that is unknown.
    pub is_new_account: Option<bool>,
    pub kind: EventKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    Play {
        /// Whether the play counts as a view.
        is_counted: bool,
    },
    Pause {
        /// The position before the pause, in seconds.
        from_s: i64,
        /// The credited seconds, 0 and up.
        credited_s: i64,
        /// The seconds that the client reported: at least the credited ones.
        reported_s: i64,
        ads: ShownAds,
        /// Whether the view of the session counts from this pause on.
        is_counted: bool,
    },
}

/// The ads of a pause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShownAds {
    /// The intake decided which ads were shown.
    Decided(Vec<AdSlot>),
    /// The event of a version whose intake did not decide: its ads are those of the rules and of the
    /// registered ads at the time of storage.
    Undecided,
}

impl EventKind {
    /// Returns the ads that the intake decided to show.
    #[must_use]
    pub fn decided_ads(&self) -> &[AdSlot] {
        match self {
            Self::Pause {
                ads: ShownAds::Decided(ads),
                ..
            } => ads,
            _ => &[],
        }
    }

    /// Returns the seconds whose ads are undecided, if the event has any: those after the first number
    /// up to the second one.
    #[must_use]
    pub fn undecided_s(&self) -> Option<(i64, i64)> {
        match *self {
            Self::Pause {
                from_s,
                credited_s,
                ads: ShownAds::Undecided,
                ..
            } if credited_s > 0 => Some((from_s, from_s + credited_s)),
            _ => None,
        }
    }

    /// Returns whether the event has undecided ads: whether its undecided seconds cross an ad slot.
    /// Without registered ads no slot shows one.
    #[must_use]
    pub fn has_undecided_ads(&self, interval: AdInterval) -> bool {
        self.undecided_s()
            .is_some_and(|(from_s, upto_s)| interval.is_crossed(from_s, upto_s))
    }
}

/// The position of an entry: the shard and the id in the shard's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId {
    /// The shard, 0 and up.
    pub shard: u16,
    /// The time of the event in milliseconds since 1970 (UTC).
    pub ms: i64,
    /// Distinguishes the entries of one millisecond.
    pub sequence: i64,
}

/// An entry of the event stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub id: EntryId,
    pub content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Event(PlaybackEvent),
    /// The end of a day: all later entries of the shard belong to later days.
    Seal,
    /// An entry that is not a valid event.
    Invalid {
        payload: String,
        /// Why the entry is invalid.
        reason: String,
    },
}

/// The outcomes of a group of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WrittenEntries {
    /// Events added to the history.
    pub new: u64,
    /// Events that were stored before.
    pub known: u64,
    /// Events that arrived after their day was closed.
    pub late: u64,
    /// Entries that cannot be stored in the history.
    pub rejected: u64,
}

impl WrittenEntries {
    /// Adds the outcomes of another group.
    pub const fn add(&mut self, other: Self) {
        self.new += other.new;
        self.known += other.known;
        self.late += other.late;
        self.rejected += other.rejected;
    }
}
