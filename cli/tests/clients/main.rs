//! Clients that are built from the OpenAPI document alone: Schemathesis, and programs that use
//! generated clients.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a panic fails the test"
)]

mod conformance;
mod generated;
mod platform;
mod tools;
