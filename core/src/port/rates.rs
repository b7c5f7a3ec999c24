//! Versions of the rates.

use super::{
    audit::Actor,
    error::{StoreError, StoreResult},
};
use crate::domain::rate::RateVersion;
use async_trait::async_trait;
use chrono::NaiveDate;

/// Why a version of the rates is refused.
#[derive(Debug, thiserror::Error)]
pub enum RateRefusal {
    /// It would change the pay of a closed day.
    #[error("effectiveFrom: {effective_from} is not after {closed_through}, the last closed day")]
    ClosedBeginning {
        /// The day asked for.
        effective_from: NaiveDate,
        /// The last closed day.
        closed_through: NaiveDate,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads and writes rates.
#[async_trait]
pub trait RateStore: Send + Sync {
    /// All versions, oldest first.
    async fn rate_versions(&self) -> StoreResult<Vec<RateVersion>>;

    /// The version that pays a day: the newest that begins on or before it.
    async fn rates_on(&self, date: NaiveDate) -> StoreResult<Option<RateVersion>>;

    /// Stores a version, in place of one that begins on the same day.
    async fn set_rates(&self, version: &RateVersion, by: &Actor) -> Result<(), RateRefusal>;
}
