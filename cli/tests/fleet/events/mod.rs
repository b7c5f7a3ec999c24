//! The event stream: its adapter, the event writer, replays and suppressed plays.

mod event_writer;
mod identity;
mod memory;
mod replay;
pub(crate) mod stream;
mod suppressed;
