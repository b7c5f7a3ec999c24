//! What the services and the worker need from outside, as traits. The adapters are in
//! [`crate::store`] and [`crate::queue`].

pub mod clock;

pub mod error;

pub mod audit;

pub mod jobs;

pub mod progress;

pub mod observation;

pub mod claims;

pub mod settlement;

pub mod plays;

pub mod accounts;

pub mod videos;

pub mod catalog;

pub mod rates;

pub mod reports;

pub mod verification;

pub mod workers;

pub mod queue;

pub mod intake;

pub mod stream;

pub mod stray;

/// Everything that a database does for the system.
pub trait Store:
    jobs::JobStore
    + audit::AuditStore
    + progress::ProgressStore
    + observation::ObservationStore
    + claims::ClaimStore
    + workers::WorkerStore
    + settlement::SettlementStore
    + plays::PlayStore
    + accounts::AccountStore
    + videos::VideoStore
    + catalog::CatalogStore
    + rates::RateStore
    + reports::ReportStore
    + intake::IntakeStore
    + stream::EventStore
    + stray::StrayEventStore
    + verification::VerificationStore
{
}

impl<T> Store for T where
    T: jobs::JobStore
        + audit::AuditStore
        + progress::ProgressStore
        + observation::ObservationStore
        + claims::ClaimStore
        + workers::WorkerStore
        + settlement::SettlementStore
        + plays::PlayStore
        + accounts::AccountStore
        + videos::VideoStore
        + catalog::CatalogStore
        + rates::RateStore
        + reports::ReportStore
        + intake::IntakeStore
        + stream::EventStore
        + stray::StrayEventStore
        + verification::VerificationStore
{
}
