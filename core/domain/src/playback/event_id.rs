//! Ids of events in the play history.

use crate::{accounts::UserId, units::MICROS_PER_MS, videos::VideoId};

/// The id of an event in the history: 16 bytes in UUIDv7 form, so that ids sort by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(pub [u8; 16]);

impl EventId {
    /// Derives the id of an imported play from its user, video and instant. The same play always
    /// gets the same id, so that a repeated import finds it.
    #[must_use]
    pub fn of_import(user_id: UserId, video_id: VideoId, started_at_micros: i64) -> Self {
        let mut seed = [0_u8; 24];
        seed[..8].copy_from_slice(&user_id.0.to_be_bytes());
        seed[8..16].copy_from_slice(&video_id.0.to_be_bytes());
        seed[16..].copy_from_slice(&started_at_micros.to_be_bytes());
        let hash = xxhash_rust::xxh3::xxh3_64(&seed).to_be_bytes();
        let mut id = Self::floor(started_at_micros);
        // The 12 bits after the version hold the microseconds (0 to 999), so that ids of one
        // millisecond sort by time too.
        let micros = started_at_micros.rem_euclid(MICROS_PER_MS).to_be_bytes();
        id.0[6] |= micros[6];
        id.0[7] = micros[7];
        id.0[8..].copy_from_slice(&hash);
        id.0[8] = (id.0[8] & 0x3f) | 0x80;
        id
    }

    /// Creates the id of a new event from the current time and random bytes.
    #[must_use]
    pub fn new(now_micros: i64, random: [u8; 10]) -> Self {
        let mut id = Self::floor(now_micros);
        id.0[6..].copy_from_slice(&random);
        id.0[6] = (id.0[6] & 0x0f) | 0x70;
        id.0[8] = (id.0[8] & 0x3f) | 0x80;
        id
    }

    /// Returns the smallest id of the millisecond that contains this instant.
    #[must_use]
    pub fn floor(at_micros: i64) -> Self {
        let mut id = [0_u8; 16];
        let ms = at_micros.div_euclid(MICROS_PER_MS).max(0).to_be_bytes();
        id[..6].copy_from_slice(&ms[2..]);
        id[6] = 0x70;
        Self(id)
    }

    /// Returns the largest id of the millisecond that contains this instant.
    #[must_use]
    pub fn ceiling(at_micros: i64) -> Self {
        let mut id = Self::floor(at_micros);
        id.0[6..].fill(0xff);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_play_has_the_same_id_and_ids_sort_by_time() {
        let id = |user, video, at| EventId::of_import(UserId(user), VideoId(video), at);
        assert_eq!(
            id(1, 2, 1_650_000_000_000_000),
            id(1, 2, 1_650_000_000_000_000)
        );
        assert_ne!(
            id(1, 2, 1_650_000_000_000_000),
            id(2, 1, 1_650_000_000_000_000)
        );
        assert!(id(1, 2, 1_650_000_000_000_000) < id(1, 2, 1_650_000_000_000_001));
        assert!(id(1, 2, 1_650_000_000_000_999) < id(1, 2, 1_650_000_000_001_000));
        let at = 1_650_000_000_123_456;
        assert!(EventId::floor(at) < id(1, 2, at) && id(1, 2, at) < EventId::ceiling(at));
    }

    #[test]
    fn a_new_id_is_a_uuid_of_version_7_that_sorts_by_time() {
        let at = 1_650_000_000_123_456;
        for random in [[0; 10], [0xff; 10]] {
            let id = EventId::new(at, random);
            let uuid = uuid::Uuid::from_bytes(id.0);
            assert_eq!(uuid.get_version_num(), 7);
            assert_eq!(uuid.get_variant(), uuid::Variant::RFC4122);
            assert!(EventId::floor(at) <= id && id < EventId::ceiling(at));
        }
    }

    #[test]
    fn an_imported_id_is_a_uuid_of_version_7() {
        let id = EventId::of_import(UserId(7), VideoId(9), 1_650_000_000_123_999);
        let uuid = uuid::Uuid::from_bytes(id.0);
        assert_eq!(uuid.get_version_num(), 7);
        assert_eq!(uuid.get_variant(), uuid::Variant::RFC4122);
    }
}
