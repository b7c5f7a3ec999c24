//! Events: the intake of one process, the event writer, and the closing of a day.

mod clock;
mod clock_repair;
mod closing;
mod event_writer;
pub(crate) mod intake;
mod intake_model;
mod play_rules;
mod retries;
