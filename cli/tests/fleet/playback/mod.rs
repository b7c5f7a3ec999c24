//! Playback in a fleet: the intake, its scripts and its server.

mod adapters;
mod budgets;
mod clock;
pub(crate) mod intake;
mod intake_scripts;
mod intake_server;
mod intake_suite;
mod play_rules;
mod retries;
pub(crate) mod service;
mod viewer_model;
mod viewer_scripts;
