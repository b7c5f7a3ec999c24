//! Honest viewers, who must lose nothing.

mod day;
mod delays;
mod network;
mod player;
mod seen;
mod watched;

pub use day::Day;
pub use delays::{Delays, first_loss};
pub use network::Network;
pub use player::{Habits, Watch, player};
pub use seen::{Seen, Shared, differences};
pub use watched::Watched;
