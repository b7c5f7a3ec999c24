//! Trying again what met a conflict: after a deadlock or a lock time-out the whole transaction is
//! rolled back, by the server or by its owner, so that the same call can simply be made again.

use crate::{StoreError, jobs::JobError};
use backon::{ExponentialBuilder, Retryable};
use std::time::Duration;

/// Whether an error is a conflict, after which nothing was changed.
pub(crate) trait Conflict {
    fn is_conflict(&self) -> bool;
}

impl Conflict for StoreError {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict(_))
    }
}

impl Conflict for JobError {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_conflict())
    }
}

/// Makes a call until it meets no conflict, 8 times at most.
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
