//! Settled revenue, top lists and totals.

mod received;
mod relation;
mod revenue;
mod top;
pub(crate) mod totals;
mod types;

pub use types::{
    CreatorRevenue, PeriodTotal, ReceivedDay, RevenueItem, RevenuePage, SuppressedCounts, TopBy,
    TopVideo, VideoDay,
};
