//! Settled revenue, top lists and totals.

mod relation;
mod revenue;
mod top;
pub(crate) mod totals;
mod types;

pub use types::{CreatorRevenue, PeriodTotal, RevenueItem, RevenuePage, TopBy, TopVideo, VideoDay};
