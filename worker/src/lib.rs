//! The worker: claims partitions and processes them in chunks.
//!
//! A notification ([`queue`]) or the poll of the dispatcher ([`maintenance`]) starts a claim loop
//! ([`claims`]). The loop processes one claim after another with the code of its step ([`steps`]).
//! The [`schedule`] launches due days. In a fleet, the event writer ([`events`]) persists the events of
//! the intake.

mod backoff;
mod claims;
mod clock_watch;
mod context;
mod events;
mod maintenance;
pub mod queue;
mod schedule;
pub mod settings;
mod steps;
mod worker;

pub use worker::Worker;
