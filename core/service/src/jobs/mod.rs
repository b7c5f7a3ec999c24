//! Jobs: the launcher, the schedule, the queries, and the port that notifies workers.

pub mod launcher;
pub mod notifier;
pub mod queries;
pub mod schedule;
