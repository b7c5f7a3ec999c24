//! Metrics and traces of a fleet.

mod metrics;
mod traces;
