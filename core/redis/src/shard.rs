//! Shards: where a video's keys live, for ever.

use balance_domain::videos::VideoId;
use chrono::NaiveDate;

/// A shard of the intake, 0 and up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Shard(pub(crate) u16);

impl Shard {
    /// All of so many.
    pub(crate) fn all(count: u16) -> impl Iterator<Item = Self> {
        (0..count).map(Self)
    }

    /// The shard of a video, of so many (1 and up).
    pub(crate) fn of(video: VideoId, count: u16) -> Self {
        let shard = video.0.rem_euclid(i64::from(count.max(1)));
        Self(u16::try_from(shard).unwrap_or(0))
    }

    /// A key of the shard. The tag keeps all keys of one call in one place of a cluster.
    pub(crate) fn key(self, name: &str) -> String {
        format!("{{s{}}}:{name}", self.0)
    }

    /// The key of its stream of events.
    pub(crate) fn stream(self) -> String {
        self.key("events")
    }

    /// The key of its counts of a day's refusals: a hash by `<video>:<reason>`.
    pub(crate) fn suppressed(self, date: NaiveDate) -> String {
        self.key(&format!("refused:{date}"))
    }
}
