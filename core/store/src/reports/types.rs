//! Reports: what admins and creators read.

use balance_domain::{accounts::UserId, money::Money, videos::VideoId};
use chrono::NaiveDate;

/// What a top list is ordered by, the largest first; ties go to the lower video id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TopBy {
    /// Counted views.
    ViewCount,
    /// Seconds watched.
    PlayTime,
}

impl TopBy {
    /// Its name in output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ViewCount => "viewCount",
            Self::PlayTime => "playTime",
        }
    }
}

/// A place in a top list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopVideo {
    /// The video.
    pub video_id: VideoId,
    /// Its title.
    pub title: String,
    /// Counted views in the period.
    pub view_count: i64,
    /// Seconds watched in the period.
    pub total_play_time: i64,
}

/// A video's pay in a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevenueItem {
    /// The video.
    pub video_id: VideoId,
    /// Its title.
    pub title: String,
    /// Its owner.
    pub owner_id: UserId,
    /// Counted views in the period.
    pub view_count: i64,
    /// Ad views in the period.
    pub ad_view_count: i64,
    /// Pay for views.
    pub view_revenue: Money,
    /// Pay for ad views.
    pub ad_revenue: Money,
    /// The sum of both.
    pub total_revenue: Money,
}

/// A video's settled day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoDay {
    /// The day.
    pub date: NaiveDate,
    /// Counted views.
    pub view_count: i64,
    /// Seconds watched.
    pub total_play_time: i64,
    /// Ad views.
    pub ad_view_count: i64,
    /// Pay for views.
    pub view_revenue: Money,
    /// Pay for ad views.
    pub ad_revenue: Money,
    /// The sum of both.
    pub total_revenue: Money,
}

/// Everything in a period together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PeriodTotal {
    /// Videos with activity.
    pub video_count: i64,
    /// Counted views.
    pub view_count: i64,
    /// Seconds watched.
    pub total_play_time: i64,
    /// Ad views.
    pub ad_view_count: i64,
    /// Pay for views.
    pub view_revenue: Money,
    /// Pay for ad views.
    pub ad_revenue: Money,
    /// The sum of both.
    pub total_revenue: Money,
}

/// What a creator earned in a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatorRevenue {
    /// The creator.
    pub owner_id: UserId,
    /// Their name.
    pub username: String,
    /// Videos that had activity.
    pub video_count: i64,
    /// Counted views.
    pub view_count: i64,
    /// The sum of their videos' pay.
    pub total_revenue: Money,
}

/// Which page of a revenue list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevenuePage {
    /// Only this creator's videos.
    pub owner: Option<UserId>,
    /// Only videos after this one.
    pub after: Option<VideoId>,
    /// At most so many items.
    pub limit: u32,
}
