//! The API in process, with routes and middleware, on a separate database and a test clock.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

mod access;
mod accounts;
mod bad_input;
mod docs;
mod env;
mod events;
mod middleware;
mod operations;
mod play_rules;
mod playback;
mod reports;
mod settled;
mod videos;
