//! Probes, metrics and traces.

mod health;
pub(crate) mod metrics;
mod traces;
