//! Settlement in one process on a real database.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a panic fails the test"
)]

mod claims;
mod events;
mod figures;
mod imported_ids;
mod imports;
mod jobs;
mod operations;
mod order;
mod properties;
mod running_imports;
mod schema;
mod settle_errors;
mod test_worker;
mod verification;
