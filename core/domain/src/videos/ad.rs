//! Ads: which slots a play has shown.

use std::fmt;

/// An ad's id, 1 and up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AdId(pub i64);

impl fmt::Display for AdId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The most ads that can be registered.
pub const MAX_ADS: usize = 10_000;

/// One ad shown at one slot of a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdSlot {
    /// Where in the video, in seconds: a multiple of the interval.
    pub slot_s: i64,
    /// The ad shown there.
    pub ad_id: AdId,
}

/// The ads of the platform and the distance of their slots.
#[derive(Debug, Clone)]
pub struct AdSchedule {
    interval_s: i64,
    ads: Vec<AdId>,
}

impl AdSchedule {
    /// `interval_s` (1 and up) is the distance of two slots; `ads` are the registered ads.
    /// Slot k shows ad (k − 1) mod n by id, so the order given does not matter.
    #[must_use]
    pub fn new(interval_s: i64, mut ads: Vec<AdId>) -> Self {
        ads.sort_unstable();
        Self {
            interval_s: interval_s.max(1),
            ads,
        }
    }

    /// The slots in (`from_s`, `to_s`], in order; none where no ads are registered.
    pub fn shown(&self, from_s: i64, to_s: i64) -> impl Iterator<Item = AdSlot> + '_ {
        let first = from_s.max(0) / self.interval_s + 1;
        let last = if self.ads.is_empty() {
            0
        } else {
            to_s / self.interval_s
        };
        (first..=last)
            .zip(self.ads.iter().cycle().skip(self.offset(first)))
            .map(|(slot, ad_id)| AdSlot {
                slot_s: slot * self.interval_s,
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

    fn slots(schedule: &AdSchedule, from_s: i64, to_s: i64) -> Vec<(i64, i64)> {
        schedule
            .shown(from_s, to_s)
            .map(|slot| (slot.slot_s, slot.ad_id.0))
            .collect()
    }

    #[test]
    fn slots_lie_at_multiples_and_rotate_the_ads_by_id() {
        let schedule = AdSchedule::new(300, vec![AdId(9), AdId(4)]);
        assert_eq!(slots(&schedule, 0, 299), []);
        assert_eq!(slots(&schedule, 0, 300), [(300, 4)]);
        assert_eq!(slots(&schedule, 0, 900), [(300, 4), (600, 9), (900, 4)]);
        assert_eq!(slots(&schedule, 300, 899), [(600, 9)]);
        assert_eq!(slots(&schedule, 900, 300), []);
    }

    #[test]
    fn without_ads_nothing_is_shown() {
        assert_eq!(slots(&AdSchedule::new(300, vec![]), 0, 9_000), []);
    }
}
