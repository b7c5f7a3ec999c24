//! Retries after conflicts. A deadlock or a lock time-out rolls the whole transaction back, so that
//! the same call can be repeated.

use crate::StoreError;
use backon::{ExponentialBuilder, Retryable};
use std::time::Duration;

/// An error that may be a conflict with another transaction.
pub(crate) trait Conflict {
    /// Returns whether the error is a conflict. Then nothing was changed.
    fn is_conflict(&self) -> bool;
}

impl Conflict for StoreError {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict(_))
    }
}

/// Repeats a call until it has no conflict, with at most 8 retries.
pub(crate) async fn on_conflict<T, E, F, Fut>(call: F) -> Result<T, E>
where
    E: Conflict,
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    let backoff = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(5))
        .with_max_delay(Duration::from_millis(200))
        .with_max_times(8)
        .with_jitter();
    call.retry(backoff).when(E::is_conflict).await
}
