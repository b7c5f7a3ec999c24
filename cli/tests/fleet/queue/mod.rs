//! The queue of notifications and its server.

pub(crate) mod notifier;
mod server;
