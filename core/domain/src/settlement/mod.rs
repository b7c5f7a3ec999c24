//! Settlement of one video and day: statistics and revenue.

mod revenue;
mod statistics;

pub use revenue::VideoRevenue;
pub use statistics::{Activity, LifetimeCounts, SettleError, VideoStatistics};
