//! Metrics, traces, failovers and restores of a fleet.

mod database_failover;
mod metrics;
pub(crate) mod redis_failover;
mod restore;
mod traces;
