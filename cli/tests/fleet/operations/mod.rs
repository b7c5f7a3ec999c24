//! Metrics and traces of a fleet.

mod database_failover;
mod metrics;
mod redis_failover;
mod traces;
