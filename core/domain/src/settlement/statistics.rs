//! Statistics: what happened to a video on a day, and over its life.

use crate::videos::VideoId;
use chrono::NaiveDate;

/// Lifetime counts at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LifetimeCounts {
    /// Counted views.
    pub views: i64,
    /// Ad views.
    pub ad_views: i64,
}

/// What the history holds of one video on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Activity {
    /// The video.
    pub video_id: VideoId,
    /// Counted views.
    pub view_count: i64,
    /// Seconds watched, or nothing where the sum does not fit into 64 bits.
    pub total_play_time: Option<i64>,
    /// The smallest number of seconds in a row: a negative one poisons the video.
    pub min_play_time: i64,
    /// Ad views.
    pub ad_view_count: i64,
    /// Whether the video is registered.
    pub is_registered: bool,
    /// Counts before the day: the last settled row, or the opening balance.
    pub before: LifetimeCounts,
    /// An earlier day on which this video was skipped and has no statistics yet.
    pub held_since: Option<NaiveDate>,
}

/// One settled row: a video's day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoStatistics {
    /// The video.
    pub video_id: VideoId,
    /// Counted views of the day.
    pub view_count: i64,
    /// Seconds watched on the day.
    pub total_play_time: i64,
    /// Ad views of the day.
    pub ad_view_count: i64,
    /// Counts over the video's life, this day included.
    pub cumulative: LifetimeCounts,
}

/// Why a video cannot be settled. Its `Display` is the reason that admins read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettleError {
    /// A row with negative seconds.
    #[error("negative seconds in the history: {0}")]
    NegativeSeconds(i64),
    /// History of a video that is not registered.
    #[error("no such video")]
    NoSuchVideo,
    /// A sum beyond 64 bits.
    #[error("the {0} does not fit into 64 bits")]
    Overflow(&'static str),
    /// No version of the rates covers the day.
    #[error("there is no rate for {0}")]
    NoRate(NaiveDate),
    /// The statistics of this or an earlier day were skipped.
    #[error("held: its statistics of {0} were skipped and are still missing")]
    Held(NaiveDate),
    /// The counts of a settled row contradict each other.
    #[error("the lifetime count {cumulative} is below the day's count {day}")]
    BrokenChain {
        /// The lifetime count.
        cumulative: i64,
        /// The day's count.
        day: i64,
    },
    /// The store refuses the video's rows.
    #[error("the database refuses its rows: {0}")]
    Refused(String),
}

impl Activity {
    /// The day's row, or nothing where nothing entered the statistics (own plays only).
    ///
    /// # Errors
    /// Where the video is poison.
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
    fn own_plays_alone_make_no_row() {
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
    fn poison_is_named() {
        let reason = |activity: Activity| activity.settle().unwrap_err().to_string();
        let poisoned = |change: fn(&mut Activity)| {
            let mut activity = ACTIVITY;
            change(&mut activity);
            reason(activity)
        };
        assert!(poisoned(|a| a.min_play_time = -1).contains("negative seconds"));
        assert!(poisoned(|a| a.total_play_time = None).contains("sum of seconds"));
        assert!(poisoned(|a| a.is_registered = false).contains("no such video"));
        assert!(poisoned(|a| a.before.views = i64::MAX).contains("lifetime view count"));
        assert!(
            poisoned(|a| a.held_since = NaiveDate::from_ymd_opt(2024, 1, 1)).contains("2024-01-01")
        );
    }
}
