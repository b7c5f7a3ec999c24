//! Statistics of a video: counts of one day and over its lifetime.

use crate::videos::VideoId;
use chrono::NaiveDate;

/// Counts over the lifetime of a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LifetimeCounts {
    /// Counted views.
    pub views: i64,
    pub ad_views: i64,
}

/// The history of one video on one day, aggregated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Activity {
    pub video_id: VideoId,
    /// Counted views.
    pub view_count: i64,
    /// Seconds watched; `None` if the sum does not fit into 64 bits.
    pub total_play_time: Option<i64>,
    /// The smallest number of seconds in a history row. A negative value makes settlement fail.
    pub min_play_time: i64,
    pub ad_view_count: i64,
    pub is_registered: bool,
    /// Counts before the day: those of the last settled row, or the opening balance.
    pub before: LifetimeCounts,
    /// An earlier day whose statistics of this video were skipped and are still missing.
    pub held_since: Option<NaiveDate>,
}

/// The settled statistics of one video and day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoStatistics {
    pub video_id: VideoId,
    /// Counted views of the day.
    pub view_count: i64,
    /// Seconds watched on the day.
    pub total_play_time: i64,
    /// Ad views of the day.
    pub ad_view_count: i64,
    /// Lifetime counts, including this day.
    pub cumulative: LifetimeCounts,
}

/// The reason why a video cannot be settled. Admins see its `Display` text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettleError {
    /// A history row has negative seconds.
    #[error("negative seconds in the history: {0}")]
    NegativeSeconds(i64),
    /// The video of the history is not registered.
    #[error("no such video")]
    NoSuchVideo,
    /// A sum does not fit into 64 bits.
    #[error("the {0} does not fit into 64 bits")]
    Overflow(&'static str),
    /// No rate version covers the day.
    #[error("there is no rate for {0}")]
    NoRate(NaiveDate),
    /// The statistics of this or an earlier day were skipped.
    #[error("held: its statistics of {0} were skipped and are still missing")]
    Held(NaiveDate),
    /// The counts of a settled row contradict each other.
    #[error("the lifetime count {cumulative} is below the day's count {day}")]
    BrokenChain { cumulative: i64, day: i64 },
    /// The database rejected the video's rows.
    #[error("the database rejected its rows: {0}")]
    Rejected(String),
}

impl Activity {
    /// Computes the statistics of the day. Returns `None` if no play entered the statistics, such as
    /// when only the owner played the video.
    ///
    /// # Errors
    /// Returns the reason why the video cannot be settled.
    pub fn settle(&self) -> Result<Option<VideoStatistics>, SettleError> {
        if self.min_play_time < 0 {
            return Err(SettleError::NegativeSeconds(self.min_play_time));
        }
        let total_play_time = self
            .total_play_time
            .ok_or(SettleError::Overflow("sum of seconds"))?;
        if self.view_count == 0 && total_play_time == 0 && self.ad_view_count == 0 {
            return Ok(None);
        }
        if !self.is_registered {
            return Err(SettleError::NoSuchVideo);
        }
        if let Some(date) = self.held_since {
            return Err(SettleError::Held(date));
        }
        let add = |before: i64, day: i64, what| {
            before.checked_add(day).ok_or(SettleError::Overflow(what))
        };
        Ok(Some(VideoStatistics {
            video_id: self.video_id,
            view_count: self.view_count,
            total_play_time,
            ad_view_count: self.ad_view_count,
            cumulative: LifetimeCounts {
                views: add(self.before.views, self.view_count, "lifetime view count")?,
                ad_views: add(
                    self.before.ad_views,
                    self.ad_view_count,
                    "lifetime ad view count",
                )?,
            },
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACTIVITY: Activity = Activity {
        video_id: VideoId(7),
        view_count: 2,
        total_play_time: Some(50),
        min_play_time: 0,
        ad_view_count: 1,
        is_registered: true,
        before: LifetimeCounts {
            views: 99_999,
            ad_views: 4,
        },
        held_since: None,
    };

    #[test]
    fn a_day_continues_the_chain() {
        let row = ACTIVITY.settle().unwrap().unwrap();
        assert_eq!(row.cumulative.views, 100_001);
        assert_eq!(row.cumulative.ad_views, 5);
    }

    #[test]
    fn own_plays_alone_produce_no_row() {
        let own = Activity {
            view_count: 0,
            total_play_time: Some(0),
            ad_view_count: 0,
            is_registered: false,
            ..ACTIVITY
        };
        assert_eq!(own.settle(), Ok(None));
    }

    #[test]
    fn errors_name_the_reason() {
        let reason = |change: fn(&mut Activity)| {
            let mut activity = ACTIVITY;
            change(&mut activity);
            activity.settle().unwrap_err().to_string()
        };
        assert!(reason(|a| a.min_play_time = -1).contains("negative seconds"));
        assert!(reason(|a| a.total_play_time = None).contains("sum of seconds"));
        assert!(reason(|a| a.is_registered = false).contains("no such video"));
        assert!(reason(|a| a.before.views = i64::MAX).contains("lifetime view count"));
        assert!(
            reason(|a| a.held_since = NaiveDate::from_ymd_opt(2024, 1, 1)).contains("2024-01-01")
        );
    }
}
