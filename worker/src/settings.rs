//! The settings of a worker.

use balance_service::events::stream::EventStream;
use balance_store::operations::WorkerIdentity;
use std::sync::Arc;

/// A worker's settings. [`WorkerSettings::check`] checks the ranges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerSettings {
    /// The worker's name and place; its concurrency (`WORKER_CONCURRENCY`) is 1 to 256.
    pub identity: WorkerIdentity,
    /// The length of a lease in seconds (`LEASE_S`), 1 to 3,600. Leases are renewed every third of
    /// this time.
    pub lease_s: u32,
    /// The time limit of one chunk in seconds (`CHUNK_TIMEOUT_S`), 1 to 3,600.
    pub chunk_timeout_s: u32,
    /// How long a stopping worker waits for running chunks, in seconds (`GRACE_S`), 0 to 3,600.
    pub grace_s: u32,
    /// Videos in a chunk (`CHUNK_SIZE`), 1 to 5,000.
    pub chunk_size: u32,
    /// Videos that may be skipped in a step (`SKIP_LIMIT`).
    pub skip_limit: u32,
    /// Retries of a chunk after a transient error (`RETRY_LIMIT`), 0 to 100.
    pub retry_limit: u32,
}

impl WorkerSettings {
    /// Checks the ranges.
    ///
    /// # Errors
    /// A message that names the first setting out of its range.
    pub fn check(&self) -> Result<(), String> {
        let ranges = [
            ("WORKER_CONCURRENCY", self.identity.concurrency, 1, 256),
            ("LEASE_S", self.lease_s, 1, 3_600),
            ("CHUNK_TIMEOUT_S", self.chunk_timeout_s, 1, 3_600),
            ("GRACE_S", self.grace_s, 0, 3_600),
            // Measured: 5,000 is no faster than 1,000. More exceeds SQLite's placeholder limit.
            ("CHUNK_SIZE", self.chunk_size, 1, 5_000),
            ("RETRY_LIMIT", self.retry_limit, 0, 100),
        ];
        for (name, value, min, max) in ranges {
            if !(min..=max).contains(&value) {
                return Err(format!("{name}: {value} is not from {min} to {max}"));
            }
        }
        Ok(())
    }

    /// Returns what follows from values that do not fit together, if any. They are permitted.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let (grace_s, chunk_timeout_s) = (self.grace_s, self.chunk_timeout_s);
        (grace_s < chunk_timeout_s).then(|| {
            format!(
                "GRACE_S: {grace_s} is less than CHUNK_TIMEOUT_S: {chunk_timeout_s}; a longer chunk \
                 is given up at shutdown, and another worker repeats it"
            )
        })
    }
}

/// The event stream of a fleet, and how a worker persists it.
#[derive(Clone)]
pub struct EventStreamSettings {
    /// The stream.
    pub stream: Arc<dyn EventStream>,
    /// How long persisted entries stay in the stream for a replay, in hours
    /// (`STREAM_RETENTION_H`).
    pub retention_h: u32,
    /// How long `closeDayStep` waits for the stream, in seconds (`CLOSE_TIMEOUT_S`).
    pub close_timeout_s: u32,
}

/// The tasks of a worker besides processing claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerMode {
    /// None: the worker runs for a single command.
    OneShot,
    /// Launches days by the schedule and prunes old job metadata.
    Daemon {
        /// Days that finished step executions are kept (`JOB_RETENTION_DAYS`).
        retention_days: u32,
    },
}
