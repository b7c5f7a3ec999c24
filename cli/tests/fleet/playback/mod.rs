//! Playback in a fleet: the intake, its scripts and its server.

pub(crate) mod intake;
mod intake_scripts;
mod intake_server;
mod play_rules;
pub(crate) mod service;
