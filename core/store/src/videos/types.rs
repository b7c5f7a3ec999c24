//! Videos and ads, as people make and list them.

use crate::playback::IdempotencyKey;
use balance_domain::{
    accounts::UserId,
    videos::{AdId, Title, Video, VideoId},
};

/// The most rows of a page.
pub const MAX_PAGE: u32 = 100;

/// Who creates, and what they call the request, so that sending it again creates nothing again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Creation {
    /// Who.
    pub user_id: UserId,
    /// The client's name for the request, if it gave one; remembered for a day.
    pub key: Option<IdempotencyKey>,
}

/// What became of a request to create something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created<T> {
    /// It is there; it may have been before, by the same request.
    Is(T),
    /// The key named another request before: nothing was created.
    KeyReused,
}

/// A video that somebody registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVideo {
    /// What people read.
    pub title: Title,
    /// Its length in seconds, 1 to [`balance_domain::videos::MAX_DURATION_S`].
    pub duration_s: i64,
}

/// A video with what it has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedVideo {
    /// The video.
    pub video: Video,
    /// Counted views: of its whole life up to the last settled day, and those of the open days.
    pub view_count: i64,
    /// Ad views, likewise.
    pub ad_view_count: i64,
}

/// Where a page of videos goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VideoOrder {
    /// Newest first, after this id.
    Newest(Option<VideoId>),
    /// Oldest first, after this id.
    Oldest(Option<VideoId>),
    /// By title and id, after these.
    Title(Option<(String, VideoId)>),
}

/// Which videos are listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoQuery {
    /// Only this owner's.
    pub owner_id: Option<UserId>,
    /// Only those whose titles hold this text, upper or lower case.
    pub title: Option<String>,
    /// In which order, and after which.
    pub order: VideoOrder,
    /// How many at most, 1 to [`MAX_PAGE`] and one more.
    pub limit: u32,
}

/// An ad.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ad {
    /// Its id: ads are shown in the order of their ids.
    pub id: AdId,
    /// What admins read.
    pub title: String,
}
