//! Failover of a server: leaves connections to a server that accepts no writes.

use crate::{StoreError, sql::errors::store_error};
use std::{
    io::ErrorKind,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// The shortest time between two replacements of the connections. It limits the load on a server
/// that accepts no writes.
const MIN_INTERVAL: Duration = Duration::from_millis(500);

/// The moment at which a server last rejected a write because it is read-only, or did not respond. The server that a
/// failover replaced still answers, so older connections are closed: new ones resolve the address
/// again and reach the new server.
#[derive(Debug, Clone, Default)]
pub(crate) struct Failover(Arc<Mutex<Option<Instant>>>);

impl Failover {
    /// Maps an error. If the server is read-only or did not respond, all connections opened before
    /// are replaced: a server that lost its power closes none.
    pub(crate) fn store_error(&self, error: sqlx::Error) -> StoreError {
        let has_timed_out =
            matches!(&error, sqlx::Error::Io(error) if error.kind() == ErrorKind::TimedOut);
        let error = store_error(error);
        if has_timed_out || matches!(error, StoreError::ReadOnly(_)) {
            self.leave();
        }
        error
    }

    /// Replaces all connections opened before this call.
    pub(crate) fn leave(&self) {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if left.is_none_or(|left| left.elapsed() >= MIN_INTERVAL) {
            *left = Some(Instant::now());
        }
    }

    /// Returns whether a connection of this age may be used.
    pub(crate) fn is_usable(&self, age: Duration) -> bool {
        let left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        left.is_none_or(|left| age < left.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_connections_opened_after_the_error_are_used() {
        let failover = Failover::default();
        assert!(failover.is_usable(Duration::from_secs(3_600)));
        failover.leave();
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(!failover.is_usable(Duration::from_secs(11)));
        assert!(failover.is_usable(Duration::from_secs(9)));
        // At most one replacement in an interval.
        failover.leave();
        tokio::time::advance(MIN_INTERVAL / 2).await;
        failover.leave();
        assert!(failover.is_usable(MIN_INTERVAL / 4));
        assert!(!failover.is_usable(Duration::from_secs(9)));
    }
}
