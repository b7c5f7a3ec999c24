//! The API over HTTP: servers, clients, and viewers that play all the time.

mod client;
mod examples;
mod replies;
mod server;
mod viewer_rules;
mod viewers;

pub use client::{ANSWER_LIMIT, Client, Reply};
pub use examples::{SETTINGS as EXAMPLE_SETTINGS, assert_original_examples};
pub use replies::{Key, Loss, PlaybackAction, Replies};
pub use server::Server;
pub use viewer_rules::{SET_VIEWER_RULES, VIEWER_SETTINGS};
pub use viewers::{FinishedRun, ViewerRun};
