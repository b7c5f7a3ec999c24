//! What a worker obeys.

use balance_store::operations::WorkerIdentity;

/// A worker's settings. Ranges are checked by [`WorkerSettings::check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerSettings {
    /// Who it is; its concurrency (`WORKER_CONCURRENCY`) is 1 to 256.
    pub identity: WorkerIdentity,
    /// A lease's length in seconds (`LEASE_S`), 1 to 3,600; renewed every third of it.
    pub lease_s: u32,
    /// The longest that one chunk may take, in seconds (`CHUNK_TIMEOUT_S`), 1 to 3,600.
    pub chunk_timeout_s: u32,
    /// How long a worker that is asked to end lets running chunks finish, in seconds
    /// (`GRACE_S`), 0 to 3,600.
    pub grace_s: u32,
    /// Videos in a chunk (`CHUNK_SIZE`), 1 to 5,000.
    pub chunk_size: u32,
    /// Videos that may be skipped in a step (`SKIP_LIMIT`).
    pub skip_limit: u32,
    /// How often a chunk is tried again after a passing fault (`RETRY_LIMIT`), 0 to 100.
    pub retry_limit: u32,
}

impl WorkerSettings {
    /// Checks ranges; answers the first fault, which names the setting.
    ///
    /// # Errors
    /// A sentence for people.
    pub fn check(&self) -> Result<(), String> {
        let ranges = [
            ("WORKER_CONCURRENCY", self.identity.concurrency, 1, 256),
            ("LEASE_S", self.lease_s, 1, 3_600),
            ("CHUNK_TIMEOUT_S", self.chunk_timeout_s, 1, 3_600),
            ("GRACE_S", self.grace_s, 0, 3_600),
            // 5,000 is measured to be no faster than 1,000, and breaks SQLite's placeholders.
            ("CHUNK_SIZE", self.chunk_size, 1, 5_000),
            ("RETRY_LIMIT", self.retry_limit, 0, 100),
        ];
        for (name, value, least, most) in ranges {
            if !(least..=most).contains(&value) {
                return Err(format!("{name}: {value} is not from {least} to {most}"));
            }
        }
        Ok(())
    }
}

/// What a worker does beside working what it is rung for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerMode {
    /// Nothing: it is there for one command.
    OneShot,
    /// It launches days by the schedule, and prunes job metadata that is older than so many days.
    Daemon {
        /// Days that finished step executions are kept (`JOB_RETENTION_DAYS`).
        retention_days: u32,
    },
}
