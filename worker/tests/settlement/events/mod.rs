//! Events: the intake of one process, the event writer, and the closing of a day.

mod clock;
mod closing;
mod event_writer;
mod intake;
mod play_rules;
mod retries;
