//! Rows of the reports for admins and creators.

use balance_domain::{accounts::UserId, money::Money, videos::VideoId};
use chrono::NaiveDate;

/// The order of a top list, largest value first. Equal values are ordered by video id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TopBy {
    /// Counted views.
    ViewCount,
    /// Credited seconds.
    PlayTime,
}

impl TopBy {
    /// Returns the name in output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ViewCount => "viewCount",
            Self::PlayTime => "playTime",
        }
    }
}

/// A row of a top list of videos.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopVideo {
    pub video_id: VideoId,
    pub title: String,
    /// Counted views in the period.
    pub view_count: i64,
    /// Credited seconds in the period.
    pub total_play_time: i64,
}

/// The revenue of a video in a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevenueItem {
    pub video_id: VideoId,
    pub title: String,
    pub owner_id: UserId,
    /// Counted views in the period.
    pub view_count: i64,
    pub ad_view_count: i64,
    pub view_revenue: Money,
    pub ad_revenue: Money,
    pub total_revenue: Money,
}

/// A settled day of a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoDay {
    pub date: NaiveDate,
    /// Counted views.
    pub view_count: i64,
    /// Credited seconds.
    pub total_play_time: i64,
    pub ad_view_count: i64,
    pub view_revenue: Money,
    pub ad_revenue: Money,
    pub total_revenue: Money,
}

/// What the intake received for a video on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceivedDay {
    pub date: NaiveDate,
    /// Counted views.
    pub view_count: i64,
    /// Credited seconds.
    pub total_play_time: i64,
    pub ad_view_count: i64,
    pub suppressed: SuppressedCounts,
}

/// The counts by [`SuppressedReason`](crate::playback::SuppressedReason).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SuppressedCounts {
    pub repeat: i64,
    pub own: i64,
    pub rate: i64,
    pub capped_s: i64,
    pub ad_capped: i64,
}

/// The totals of a period over all videos or those of one creator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PeriodTotal {
    /// Videos with activity.
    pub video_count: i64,
    /// Counted views.
    pub view_count: i64,
    /// Credited seconds.
    pub total_play_time: i64,
    pub ad_view_count: i64,
    pub view_revenue: Money,
    pub ad_revenue: Money,
    pub total_revenue: Money,
}

/// The revenue of a creator in a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatorRevenue {
    pub owner_id: UserId,
    pub username: String,
    /// Videos with activity.
    pub video_count: i64,
    /// Counted views.
    pub view_count: i64,
    pub total_revenue: Money,
}

/// Filter and page of a revenue list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevenuePage {
    /// Only videos of this creator.
    pub owner: Option<UserId>,
    /// Only videos with a greater id.
    pub after: Option<VideoId>,
    /// The maximum number of items.
    pub limit: u32,
}
