//! The event stream: its adapter, the event writer, replays, upgrades and suppressed plays.

mod by_video;
mod event_writer;
mod highest_ids;
mod identity;
mod memory;
mod replay;
pub(crate) mod stream;
mod suppressed;
mod upgrade;
mod upgrade_chaos;
