//! Keys of the intake in Redis. All keys of a viewer are on one shard, which never changes. Each key
//! begins with the identity of the event stream, so that fleets on one server do not meet.
//!
//! Stored names: `gate` is the view window, `refused` the suppressed counts, and `answer` the stored
//! reply. The consumer group `drain` is that of the event writers. The letter before a shard's number
//! is the layout: `u` by viewer, `s` by video.

use balance_domain::accounts::UserId;
use balance_store::{
    events::{StreamIdentity, StreamLayout},
    playback::{IdempotencyKey, IntakeRequest},
};
use chrono::NaiveDate;
use xxhash_rust::xxh3::xxh3_64;

/// The consumer group of the event writers. Existing streams contain this name, so it cannot change.
pub(crate) const CONSUMER_GROUP: &str = "drain";
/// The set of the identities whose streams were created on a server.
pub(crate) const IDENTITIES: &str = "balance:streams";

/// A shard of the intake.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shard<'a> {
    pub(crate) identity: &'a StreamIdentity,
    pub(crate) layout: StreamLayout,
    /// 0 and up.
    pub(crate) number: u16,
}

impl<'a> Shard<'a> {
    /// Returns the first `count` shards of a layout.
    pub(crate) fn all(
        identity: &'a StreamIdentity,
        layout: StreamLayout,
        count: u16,
    ) -> impl Iterator<Item = Self> {
        (0..count).map(move |number| Self {
            identity,
            layout,
            number,
        })
    }

    /// Returns the shard of a viewer among `count` shards (1 and up). The hash spreads the IDs of
    /// accounts evenly, also if they are multiples of a number.
    pub(crate) fn of(identity: &'a StreamIdentity, user: UserId, count: u16) -> Self {
        let shard = xxh3_64(&user.0.to_be_bytes()) % u64::from(count.max(1));
        Self {
            identity,
            layout: StreamLayout::ByViewer,
            number: u16::try_from(shard).unwrap_or(0),
        }
    }

    /// Returns a key of the shard. The hash tag places all keys of a call in one slot of a cluster.
    pub(crate) fn key(self, name: &str) -> String {
        format!("{}{name}", self.prefix())
    }

    fn prefix(self) -> String {
        let letter = match self.layout {
            StreamLayout::ByVideo => 's',
            StreamLayout::ByViewer => 'u',
        };
        format!("{{{}:{letter}{}}}:", self.identity, self.number)
    }

    /// Returns the key of the stream of events.
    pub(crate) fn stream(self) -> String {
        self.key("events")
    }

    /// Returns the key of the stream after the upgrade to the layout by viewer.
    pub(crate) fn retired(self) -> String {
        self.key("retired")
    }

    /// Returns the key that limits how often unread entries are counted.
    pub(crate) fn lag_check(self) -> String {
        self.key("lag-check")
    }

    /// Returns the key of a day's suppressed counts: a hash with the fields `<video>:<reason>`.
    pub(crate) fn suppressed(self, date: NaiveDate) -> String {
        self.key(&format!("refused:{date}"))
    }
}

/// Returns the pattern of the keys of the layout by video, for SCAN.
pub(crate) fn by_video_pattern(identity: &StreamIdentity) -> String {
    format!("{{{identity}:s[0-9]*}}:*")
}

/// Returns the key by viewer that replaces a key by video, if there is one. Streams and suppressed
/// counts keep their keys: the counts are saved from there, as those of the layout by video.
pub(crate) fn by_viewer(identity: &StreamIdentity, key: &str, shards: u16) -> Option<String> {
    let rest = key.strip_prefix('{')?.strip_prefix(identity.as_str())?;
    let (number, name) = rest.strip_prefix(":s")?.split_once("}:")?;
    let (kind, rest) = name.split_once(':')?;
    let shard = match kind {
        "gate" | "session" | "answer" => {
            let (user, _) = rest.split_once(':')?;
            Shard::of(identity, UserId(user.parse().ok()?), shards)
        }
        // The counts of a video are the sum over all shards, so its count stays on one.
        "views" => Shard {
            identity,
            layout: StreamLayout::ByViewer,
            number: number.parse().ok()?,
        },
        _ => return None,
    };
    Some(shard.key(name))
}

/// The keys of one user and video.
pub(crate) struct RequestKeys<'a> {
    pub(crate) shard: Shard<'a>,
    request: &'a IntakeRequest,
}

impl<'a> RequestKeys<'a> {
    pub(crate) fn new(
        request: &'a IntakeRequest,
        identity: &'a StreamIdentity,
        shards: u16,
    ) -> Self {
        Self {
            shard: Shard::of(identity, request.user_id, shards),
            request,
        }
    }

    /// Returns the key of the video's view count on the shard. A video's views are the sum over all
    /// shards.
    pub(crate) fn view_count(&self) -> String {
        self.shard.key(&format!("views:{}", self.request.video.id))
    }

    pub(crate) fn view_window(&self) -> String {
        self.of_pair("gate")
    }

    pub(crate) fn session(&self) -> String {
        self.of_pair("session")
    }

    /// Returns the key of the stored reply for an idempotency key, which is unique for each user. The
    /// scripts do not use it if the request has no idempotency key.
    pub(crate) fn reply(&self) -> String {
        let key = self.request.key.as_ref();
        let key = key.map_or("", IdempotencyKey::as_str);
        self.shard
            .key(&format!("answer:{}:{key}", self.request.user_id))
    }

    fn of_pair(&self, name: &str) -> String {
        let (user, video) = (self.request.user_id, self.request.video.id);
        self.shard.key(&format!("{name}:{user}:{video}"))
    }
}

#[cfg(test)]
mod tests;
