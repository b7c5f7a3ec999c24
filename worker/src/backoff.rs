//! The waits between attempts of a failed operation.

use backon::{BackoffBuilder, ExponentialBuilder};
use std::time::Duration;

/// Returns exponentially growing waits with jitter, from `min` to `max`. The sequence does not end.
pub(crate) fn backoff(min: Duration, max: Duration) -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(min)
        .with_max_delay(max)
        .with_jitter()
        .without_max_times()
        .build()
}
