//! What users were credited, and its pay.

use balance_domain::{
    rates::{RateKind, RateVersion, Tier},
    settlement::{LifetimeCounts, VideoRevenue, VideoStatistics},
    videos::VideoId,
};
use chrono::NaiveDate;
use std::collections::BTreeMap;

/// Returns user, date, video, counted views and credited seconds.
pub(super) const VIEWS: &str = "SELECT user_id, date, video_id, SUM(counted), SUM(play_time) \
     FROM play_history GROUP BY user_id, date, video_id";
/// Returns user, date, video and ad views.
pub(super) const ADS: &str =
    "SELECT user_id, date, video_id, COUNT(*) FROM ad_history GROUP BY user_id, date, video_id";

/// Counts of a video and day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub views: i64,
    pub credited_s: i64,
    pub ad_views: i64,
}

impl Counts {
    /// Adds other counts.
    pub const fn add(&mut self, other: Self) {
        self.views += other.views;
        self.credited_s += other.credited_s;
        self.ad_views += other.ad_views;
    }
}

/// The counts of one or more users, by video and day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Totals(BTreeMap<(i64, NaiveDate), Counts>);

impl Totals {
    /// Parses the rows of [`VIEWS`] and [`ADS`]. Returns the counts of each user by the position that
    /// `index` returns for an id, without those of `None`.
    pub(super) fn parse(
        views: &[String],
        ads: &[String],
        index: impl Fn(i64) -> Option<usize>,
    ) -> BTreeMap<usize, Self> {
        let mut totals: BTreeMap<usize, Self> = BTreeMap::new();
        let mut add = |row: &str, counts: fn(&[i64]) -> Counts| {
            let columns: Vec<&str> = row.split('|').collect();
            let number = |column: &str| column.parse::<i64>().unwrap();
            let Some(user) = index(number(columns[0])) else {
                return;
            };
            let key = (number(columns[2]), columns[1].parse().unwrap());
            let values: Vec<i64> = columns[3..].iter().map(|column| number(column)).collect();
            let user = totals.entry(user).or_default();
            user.0.entry(key).or_default().add(counts(&values));
        };
        for row in views {
            add(row, |values| Counts {
                views: values[0],
                credited_s: values[1],
                ad_views: 0,
            });
        }
        for row in ads {
            add(row, |values| Counts {
                ad_views: values[0],
                ..Counts::default()
            });
        }
        totals
    }

    /// Adds the counts of another user.
    pub fn add(&mut self, other: &Self) {
        for (key, counts) in &other.0 {
            self.0.entry(*key).or_default().add(*counts);
        }
    }

    /// Returns the sums.
    #[must_use]
    pub fn sum(&self) -> Counts {
        let mut sum = Counts::default();
        for counts in self.0.values() {
            sum.add(*counts);
        }
        sum
    }

    /// Returns the pay in hundredths of a won, as the revenue step computes it for each video and day.
    /// No video leaves the first tier.
    #[must_use]
    pub fn pay(&self) -> i64 {
        let rates = rates();
        let mut lifetime: BTreeMap<i64, LifetimeCounts> = BTreeMap::new();
        let mut pay = 0;
        for ((video, _), counts) in &self.0 {
            let cumulative = lifetime.entry(*video).or_default();
            cumulative.views += counts.views;
            cumulative.ad_views += counts.ad_views;
            let statistics = VideoStatistics {
                video_id: VideoId(*video),
                view_count: counts.views,
                total_play_time: counts.credited_s,
                ad_view_count: counts.ad_views,
                cumulative: *cumulative,
            };
            let revenue = VideoRevenue::of(&statistics, &rates).unwrap();
            pay += revenue.total_revenue.hundredths();
        }
        pay
    }
}

/// Returns the first tier of the default rates.
fn rates() -> RateVersion {
    let tier = |micro_won| Tier {
        from_count: 0,
        to_count: None,
        micro_won,
    };
    let tiers = [
        (RateKind::Video, tier(1_000_000)),
        (RateKind::Ad, tier(10_000_000)),
    ];
    RateVersion::new(NaiveDate::MIN, tiers).unwrap()
}
