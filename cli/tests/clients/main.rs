//! Clients that know nothing of the API but its document: one that asks whatever the document
//! allows and holds the answers against it, and programs on clients that generators have made.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test's way to fail"
)]

#[expect(dead_code, reason = "what the other test binaries share is more")]
#[path = "../common/mod.rs"]
mod common;

mod platform;

mod tools;

mod conformance;

mod generated;
