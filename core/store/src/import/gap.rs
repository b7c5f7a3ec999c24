//! Gaps between the transactions of a long operation on an SQLite file.

use crate::sql::db::Db;
use std::time::Duration;
use tokio::time::Instant;

/// The longest gap. A process that waits for the lock of an SQLite file tries at least that often.
const MAX_GAP: Duration = Duration::from_millis(100);

/// Leaves the write lock of an SQLite file to other processes. SQLite has no queue for the lock, so a
/// process that takes it again at once would exclude the others.
#[derive(Debug, Default)]
pub(super) struct Gap {
    /// The end of the last gap.
    since: Option<Instant>,
}

impl Gap {
    /// Waits as long as the caller has worked since the last gap, but not longer than the longest gap.
    /// Returns at once at the first call and on a server.
    pub(super) async fn wait(&mut self, db: &Db) {
        if !matches!(db, Db::Sqlite { .. }) {
            return;
        }
        if let Some(since) = self.since {
            tokio::time::sleep(since.elapsed().min(MAX_GAP)).await;
        }
        self.since = Some(Instant::now());
    }
}
