//! Wiring: connects the implementations of ports to the components that use them.

mod api;
mod app;
mod checks;
mod connect;
mod launcher;
mod local_worker;
mod secret;

pub(crate) use api::ApiParts;
pub(crate) use app::{App, require_file};
pub(crate) use checks::check_settings;
pub(crate) use connect::{connect, open_stream};
pub(crate) use local_worker::LocalWorker;
