//! Metrics and traces of a fleet.

mod metrics;
mod redis_failover;
mod traces;
