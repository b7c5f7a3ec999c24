//! Settled revenue, top lists and totals.

pub(crate) mod queries;
pub(crate) mod totals;
pub(crate) mod types;

pub use types::{CreatorRevenue, PeriodTotal, RevenueItem, RevenuePage, TopBy, TopVideo, VideoDay};
