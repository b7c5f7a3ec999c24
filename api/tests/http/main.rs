//! The whole API in process: routes, middleware and all, on a database of the test's own and a
//! clock that stands where it is put.

#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

mod access;

mod accounts;

mod bad_input;

mod cors;

mod docs;

mod middleware;

mod events;

mod view_window;

mod health;

mod metrics;

mod playback;

mod settled;

mod reports;

mod traces;

mod videos;

mod env;
