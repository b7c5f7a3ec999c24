//! The API over HTTP: servers, clients, and viewers that play all the time.

mod client;
mod examples;
mod server;
mod viewers;

pub use client::{ANSWER_LIMIT, Client, Reply};
pub use examples::{SETTINGS as EXAMPLE_SETTINGS, assert_original_examples};
pub use server::Server;
pub use viewers::{
    FinishedRun, Key, Loss, PlaybackAction, Replies, SET_VIEWER_RULES, VIEWER_SETTINGS, ViewerRun,
};
