//! Settling, end to end inside one process, on a real database.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test's way to fail"
)]

mod control;

mod crashes;

mod events;

mod closing;

mod figures;

mod intake;

mod leases;

mod metadata;

mod observation;

mod poison;

mod properties;

mod refused_launches;

mod registry;

mod schedule;

mod test_worker;

mod order;

mod planning;

mod schema;

mod tables;

mod verify;

mod verify_faults;

mod env;
