//! Jobs: launching and advancing them, the schedule, queries, and the port that notifies workers.

pub mod launcher;
pub mod notifier;
pub mod queries;
pub mod schedule;
