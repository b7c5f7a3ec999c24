//! Settlement: closing days, planning partitions, and the input of the steps.

mod activity;
pub(crate) mod days;
mod page;
pub(crate) mod periods;
mod plan;
mod revenue_input;

pub use days::Closing;
pub use page::Page;
pub use periods::VideoPeriods;
pub use revenue_input::RevenueInput;
