//! The fraud simulator: clients that try to earn more than a person can watch, and honest viewers who
//! must lose nothing. See `docs/integrity.md`.

pub mod actor;
pub mod command;
pub mod honest;
pub mod live;
pub mod live_runs;
pub mod platform;
pub mod report;
pub mod runs;
pub mod simulated;
pub mod strategies;
pub mod totals;
