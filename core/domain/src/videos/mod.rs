//! Videos, opening balances and ads.

mod ad;
mod video;

pub use ad::{AdId, AdInterval, AdSchedule, AdSlot, MAX_ADS};
pub use video::{
    MAX_DURATION_S, MAX_OPENING_COUNT, MAX_TITLE, OpeningBalance, Title, Video, VideoId,
};
