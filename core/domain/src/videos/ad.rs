//! Ads: the slots of a video and the ads shown there.

use std::fmt;

/// An ad's id, 1 and up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AdId(pub i64);

impl fmt::Display for AdId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Maximum number of registered ads.
pub const MAX_ADS: usize = 10_000;

/// One ad shown at one slot of a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdSlot {
    /// Position in the video, in seconds: a multiple of the interval.
    pub slot_s: i64,
    pub ad_id: AdId,
}

/// The distance between two ad slots, 1 second and up. Slots lie at its multiples, except at 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdInterval(i64);

impl AdInterval {
    /// Converts a distance in seconds. Values below 1 become 1.
    #[must_use]
    pub fn from_seconds(interval_s: impl Into<i64>) -> Self {
        Self(interval_s.into().max(1))
    }

    /// Returns the number of slots in (0, `position_s`].
    #[must_use]
    pub const fn slots_up_to(self, position_s: i64) -> i64 {
        position_s / self.0
    }

    /// Returns whether playback from `from_s` to `to_s` crosses a slot: whether a slot lies in
    /// (`from_s`, `to_s`]. Both are seconds, 0 and up.
    #[must_use]
    pub const fn is_crossed(self, from_s: i64, to_s: i64) -> bool {
        self.slots_up_to(from_s) < self.slots_up_to(to_s)
    }
}

/// The registered ads and the distance of their slots.
#[derive(Debug, Clone)]
pub struct AdSchedule {
    interval: AdInterval,
    ads: Vec<AdId>,
}

impl AdSchedule {
    /// Assigns ads to slots: slot k (1 and up) shows ad (k − 1) mod n in the order of ids. The order
    /// of `ads` does not matter.
    #[must_use]
    pub fn new(interval: AdInterval, mut ads: Vec<AdId>) -> Self {
        ads.sort_unstable();
        Self { interval, ads }
    }

    /// Returns whether there are no ads to show.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ads.is_empty()
    }

    /// Returns the slots in (`from_s`, `to_s`] in order. Without registered ads there are none.
    pub fn shown(&self, from_s: i64, to_s: i64) -> impl Iterator<Item = AdSlot> + '_ {
        let first = self.interval.slots_up_to(from_s.max(0)) + 1;
        let last = if self.ads.is_empty() {
            0
        } else {
            self.interval.slots_up_to(to_s)
        };
        (first..=last)
            .zip(self.ads.iter().cycle().skip(self.offset(first)))
            .map(|(slot, ad_id)| AdSlot {
                slot_s: slot * self.interval.0,
                ad_id: *ad_id,
            })
    }

    fn offset(&self, slot: i64) -> usize {
        let count = i64::try_from(self.ads.len().max(1)).unwrap_or(i64::MAX);
        usize::try_from((slot - 1).rem_euclid(count)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn schedule(ads: &[i64]) -> AdSchedule {
        let ads = ads.iter().copied().map(AdId).collect();
        AdSchedule::new(AdInterval::from_seconds(300), ads)
    }

    fn slots(schedule: &AdSchedule, from_s: i64, to_s: i64) -> Vec<(i64, i64)> {
        schedule
            .shown(from_s, to_s)
            .map(|slot| (slot.slot_s, slot.ad_id.0))
            .collect()
    }

    #[test]
    fn slots_lie_at_multiples_and_rotate_the_ads_by_id() {
        let schedule = schedule(&[9, 4]);
        assert_eq!(slots(&schedule, 0, 299), []);
        assert_eq!(slots(&schedule, 0, 300), [(300, 4)]);
        assert_eq!(slots(&schedule, 0, 900), [(300, 4), (600, 9), (900, 4)]);
        assert_eq!(slots(&schedule, 300, 899), [(600, 9)]);
        assert_eq!(slots(&schedule, 900, 300), []);
    }

    #[test]
    fn without_ads_nothing_is_shown() {
        assert_eq!(slots(&schedule(&[]), 0, 9_000), []);
    }

    proptest! {
        #[test]
        fn a_slot_is_crossed_exactly_when_an_ad_is_shown(
            interval_s in 0_i64..400,
            from_s in 0_i64..2_000,
            credited_s in 0_i64..2_000,
        ) {
            let interval = AdInterval::from_seconds(interval_s);
            let to_s = from_s + credited_s;
            let shown = AdSchedule::new(interval, vec![AdId(1)]).shown(from_s, to_s).count();
            prop_assert_eq!(interval.is_crossed(from_s, to_s), shown > 0);
        }
    }
}
