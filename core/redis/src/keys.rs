//! Keys of the intake in Redis. A video's shard, and so its keys, never change. Each key begins with
//! the identity of the event stream, so that fleets on one server do not meet.
//!
//! Stored names: `gate` is the view window, `refused` the suppressed counts, and `answer` the stored
//! reply. The consumer group `drain` is that of the event writers.

use balance_domain::{accounts::UserId, videos::VideoId};
use balance_store::{
    events::StreamIdentity,
    playback::{IdempotencyKey, IntakeRequest},
};
use chrono::NaiveDate;

/// The consumer group of the event writers. Existing streams contain this name, so it cannot change.
pub(crate) const CONSUMER_GROUP: &str = "drain";
/// The set of the identities whose streams were created on a server.
pub(crate) const IDENTITIES: &str = "balance:streams";

/// A shard of the intake.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shard<'a> {
    pub(crate) identity: &'a StreamIdentity,
    /// 0 and up.
    pub(crate) number: u16,
}

impl<'a> Shard<'a> {
    /// Returns the first `count` shards.
    pub(crate) fn all(identity: &'a StreamIdentity, count: u16) -> impl Iterator<Item = Self> {
        (0..count).map(move |number| Self { identity, number })
    }

    /// Returns the shard of a video among `count` shards (1 and up).
    pub(crate) fn of(identity: &'a StreamIdentity, video: VideoId, count: u16) -> Self {
        let shard = video.0.rem_euclid(i64::from(count.max(1)));
        Self {
            identity,
            number: u16::try_from(shard).unwrap_or(0),
        }
    }

    /// Returns a key of the shard. The hash tag places all keys of a call in one slot of a cluster.
    pub(crate) fn key(self, name: &str) -> String {
        format!("{{{}:s{}}}:{name}", self.identity, self.number)
    }

    /// Returns the key of the stream of events.
    pub(crate) fn stream(self) -> String {
        self.key("events")
    }

    /// Returns the key that limits how often unread entries are counted.
    pub(crate) fn lag_check(self) -> String {
        self.key("lag-check")
    }

    /// Returns the key of the highest assigned ids: a hash of `user` and `video`.
    pub(crate) fn highest_ids(self) -> String {
        self.key("highest")
    }

    /// Returns the key of a day's suppressed counts: a hash with the fields `<video>:<reason>`.
    pub(crate) fn suppressed(self, date: NaiveDate) -> String {
        self.key(&format!("refused:{date}"))
    }
}

/// The keys of one user and video.
pub(crate) struct RequestKeys<'a> {
    pub(crate) shard: Shard<'a>,
    user_id: UserId,
    video_id: VideoId,
}

impl<'a> RequestKeys<'a> {
    pub(crate) fn new(request: &IntakeRequest, identity: &'a StreamIdentity, shards: u16) -> Self {
        Self {
            shard: Shard::of(identity, request.video.id, shards),
            user_id: request.user_id,
            video_id: request.video.id,
        }
    }

    /// Returns the key of the video's view count.
    pub(crate) fn view_count(&self) -> String {
        self.shard.key(&format!("views:{}", self.video_id))
    }

    pub(crate) fn view_window(&self) -> String {
        self.shard
            .key(&format!("gate:{}:{}", self.user_id, self.video_id))
    }

    pub(crate) fn session(&self) -> String {
        self.shard
            .key(&format!("session:{}:{}", self.user_id, self.video_id))
    }

    /// Returns the key of the stored reply for an idempotency key. The scripts do not use it if the
    /// request has no idempotency key.
    pub(crate) fn reply(&self, key: Option<&IdempotencyKey>) -> String {
        let key = key.map_or("", IdempotencyKey::as_str);
        self.shard.key(&format!("answer:{}:{key}", self.user_id))
    }
}
