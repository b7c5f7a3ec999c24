//! Revenue of a video and day.

use crate::{
    money::Money,
    rates::RateVersion,
    settlement::{SettleError, VideoStatistics},
    videos::VideoId,
};

/// The settled revenue of one video and day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoRevenue {
    pub video_id: VideoId,
    pub view_revenue: Money,
    pub ad_revenue: Money,
    /// The sum of view and ad revenue.
    pub total_revenue: Money,
}

impl VideoRevenue {
    /// Computes the revenue of a settled day. The lifetime count before the day selects the tiers.
    /// View revenue and ad revenue are rounded down separately.
    ///
    /// # Errors
    /// Returns [`SettleError::Overflow`] if an amount does not fit into 64 bits, and
    /// [`SettleError::BrokenChain`] if a lifetime count is below the day's count.
    pub fn of(statistics: &VideoStatistics, rates: &RateVersion) -> Result<Self, SettleError> {
        let before = |cumulative: i64, day: i64| {
            cumulative
                .checked_sub(day)
                .filter(|before| *before >= 0)
                .ok_or(SettleError::BrokenChain { cumulative, day })
        };
        let views_before = before(statistics.cumulative.views, statistics.view_count)?;
        let ads_before = before(statistics.cumulative.ad_views, statistics.ad_view_count)?;
        let view_revenue = rates
            .video
            .pay(views_before, statistics.view_count)
            .map_err(|_| SettleError::Overflow("view revenue"))?;
        let ad_revenue = rates
            .ad
            .pay(ads_before, statistics.ad_view_count)
            .map_err(|_| SettleError::Overflow("ad revenue"))?;
        let total_revenue = view_revenue
            .checked_add(ad_revenue)
            .map_err(|_| SettleError::Overflow("total revenue"))?;
        Ok(Self {
            video_id: statistics.video_id,
            view_revenue,
            ad_revenue,
            total_revenue,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        rates::{RateKind, Tier},
        settlement::LifetimeCounts,
    };
    use chrono::NaiveDate;

    fn rates() -> RateVersion {
        let tier = |from_count, to_count, micro_won| Tier {
            from_count,
            to_count,
            micro_won,
        };
        let tiers = [
            (RateKind::Video, tier(0, Some(2), 1_004_999)),
            (RateKind::Video, tier(3, None, 1_100_000)),
            (RateKind::Ad, tier(0, None, 10_009_999)),
        ];
        RateVersion::new(NaiveDate::MIN, tiers).unwrap()
    }

    fn day(view_count: i64, views: i64, ad_view_count: i64, ad_views: i64) -> VideoStatistics {
        VideoStatistics {
            video_id: VideoId(1),
            view_count,
            total_play_time: 0,
            ad_view_count,
            cumulative: LifetimeCounts { views, ad_views },
        }
    }

    #[test]
    fn each_kind_is_rounded_down_separately() {
        let revenue = VideoRevenue::of(&day(2, 4, 1, 1), &rates()).unwrap();
        assert_eq!(revenue.view_revenue.to_string(), "2.10");
        assert_eq!(revenue.ad_revenue.to_string(), "10.00");
        assert_eq!(revenue.total_revenue.to_string(), "12.10");
    }

    #[test]
    fn a_broken_chain_is_rejected() {
        let error = VideoRevenue::of(&day(5, 4, 0, 0), &rates()).unwrap_err();
        assert_eq!(
            error,
            SettleError::BrokenChain {
                cumulative: 4,
                day: 5
            }
        );
    }
}
