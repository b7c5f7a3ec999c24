//! Keys of the intake in Redis. All keys of a viewer are on one shard, which never changes. Each key
//! begins with the identity of the event stream, so that fleets on one server do not meet.
//!
//! Stored names: `gate` is the view window, `session` the position of a user in a video, `viewer` the
//! budgets and open sessions of a user, `refused` the suppressed counts, and `answer` the stored
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

    /// Returns the key of the highest assigned ids: a hash of `user` and `video`.
    pub(crate) fn highest_ids(self) -> String {
        self.key("highest")
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

/// The keys of a request of one user about one video.
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

    /// Returns the key of the viewer's budgets and open sessions.
    pub(crate) fn viewer(&self) -> String {
        self.shard.key(&format!("viewer:{}", self.request.user_id))
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
mod tests {
    use super::*;

    /// The first ID of a new account.
    const FIRST_ACCOUNT: i64 = 8_000_000_000_000_001;

    fn identity() -> StreamIdentity {
        "0123456789abcdef".parse().unwrap()
    }

    #[test]
    fn viewers_of_every_range_of_ids_spread_evenly() {
        let identity = identity();
        const USERS: i64 = 20_000;
        for shards in [2_u16, 3, 8, 16, 64] {
            for (first, step) in [
                (1, 1),
                (FIRST_ACCOUNT, 1),
                (1, 2),
                (0, 64),
                (FIRST_ACCOUNT, 8),
                (0, 1_000),
            ] {
                let mut counts = vec![0_u32; usize::from(shards)];
                for n in 0..USERS {
                    let shard = Shard::of(&identity, UserId(first + n * step), shards);
                    counts[usize::from(shard.number)] += 1;
                }
                let mean = f64::from(u32::try_from(USERS).unwrap()) / f64::from(shards);
                // Five standard deviations of a uniform choice.
                let tolerance = 5.0 * mean.sqrt();
                for count in &counts {
                    let distance = (f64::from(*count) - mean).abs();
                    assert!(
                        distance < tolerance,
                        "{shards} shards, {first} by {step}: {counts:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_shard_of_a_viewer_never_changes() {
        let identity = identity();
        let of = |user| Shard::of(&identity, UserId(user), 64).number;
        assert_eq!([1, 2, 7, FIRST_ACCOUNT].map(of), [51, 28, 60, 52]);
        assert_eq!(Shard::of(&identity, UserId(7), 1).number, 0);
    }

    #[test]
    fn each_key_of_a_viewer_gets_the_shard_of_the_viewer() {
        let identity = identity();
        let moved = |key: &str| by_viewer(&identity, &format!("{{{identity}:s2}}:{key}"), 8);
        let shard = Shard::of(&identity, UserId(7), 8);
        for key in ["gate:7:9", "session:7:9", "answer:7:a:b}:c", "answer:7:"] {
            assert_eq!(moved(key), Some(shard.key(key)), "{key}");
        }
        let video = format!("{{{identity}:u2}}:views:9");
        assert_eq!(moved("views:9"), Some(video));
        for key in [
            "events",
            "retired",
            "refused:2024-06-01",
            "lag-check",
            "gate:x:9",
        ] {
            assert_eq!(moved(key), None, "{key}");
        }
        let other = "{fedcba9876543210:s2}:gate:7:9";
        assert_eq!(by_viewer(&identity, other, 8), None);
    }
}
