//! Workers, queue, audit, probes and metrics.

pub(crate) mod exposition;
pub(crate) mod health;
pub(crate) mod metrics;
pub(crate) mod resource;
