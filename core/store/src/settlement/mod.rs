//! Days: closing, planning and what the steps read.

pub(crate) mod activity;
pub(crate) mod days;
pub(crate) mod plan;
pub(crate) mod types;

pub use types::{Closing, Page, RevenueItem, VideoPeriods};
