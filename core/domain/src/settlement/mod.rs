//! A video's statistics and revenue of a day.

mod revenue;
mod statistics;

pub use revenue::VideoRevenue;
pub use statistics::{Activity, LifetimeCounts, SettleError, VideoStatistics};
