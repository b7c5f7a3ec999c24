//! The use cases, one module per feature, and the ports that have several implementations:
//! [`Notifier`](jobs::notifier::Notifier), [`Intake`](playback::intake::Intake) and
//! [`EventStream`](events::stream::EventStream).

pub mod accounts;
pub mod events;
pub mod import;
pub mod jobs;
pub mod listing;
pub mod operations;
pub mod playback;
pub mod reports;
pub mod settings;
pub mod supervision;
pub mod trace;
pub mod verification;
pub mod videos;
