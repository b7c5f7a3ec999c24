//! The users and videos of the demo.

use balance_domain::{
    accounts::{User, UserId},
    videos::{OpeningBalance, Video},
};

/// The number of the most popular videos that are established. Trends are less popular videos.
pub(super) const ESTABLISHED_RANKS: usize = 400;

/// The users and videos of the demo, and the preferences from which plays are generated.
#[derive(Debug)]
pub(crate) struct DemoData {
    /// Creators (IDs from 1), then viewers (IDs from 1001).
    pub(crate) users: Vec<User>,
    /// The videos in the order of their IDs, from 1.
    pub(crate) videos: Vec<Video>,
    pub(crate) ad_count: usize,
    /// Lifetime counts of the established videos before the first day.
    pub(crate) opening_balances: Vec<OpeningBalance>,
    /// The videos by popularity, the most watched first.
    pub(super) by_popularity: Vec<Video>,
    /// The videos that become trends, in this order.
    pub(super) trends: Vec<Video>,
    /// The videos that each self-watching creator watches every day.
    pub(super) self_watchers: Vec<Vec<Video>>,
    /// The viewers who repeat a video to increase its count, and that video.
    pub(super) cheats: Vec<(UserId, Video)>,
}
