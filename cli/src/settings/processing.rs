//! The settings of job executions and of the worker.

use balance_batch::partition::MAX_PARTITIONS;
use balance_store::operations::WorkerIdentity;
use balance_worker::settings::WorkerSettings;
use std::thread::available_parallelism;

/// Maximum number of connections for concurrent reads.
const MAX_READERS: u32 = 64;
/// Maximum length of a host name in the registry, in characters.
const MAX_HOST: usize = 64;
/// Maximum of the default of `WORKER_CONCURRENCY`.
const MAX_CONCURRENCY: u32 = 256;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ProcessingSettings {
    /// Partitions of a step
    ///
    /// Range: 1 to 10,000
    ///
    /// Default: twice the cores
    #[arg(
        long,
        env = "PARTITIONS",
        value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_PARTITIONS))
    )]
    partitions: Option<u32>,

    /// Videos in a chunk
    ///
    /// Range: 1 to 5,000
    #[arg(long, env = "CHUNK_SIZE", default_value_t = 1_000)]
    chunk_size: u32,

    /// Videos that may be skipped in one step of one day
    ///
    /// Range: 0 to 4,294,967,295
    #[arg(long, env = "SKIP_LIMIT", default_value_t = 0)]
    skip_limit: u32,

    /// Retries of a chunk after a transient failure
    ///
    /// Range: 0 to 100
    #[arg(long, env = "RETRY_LIMIT", default_value_t = 3)]
    retry_limit: u32,

    /// Partitions that a worker processes concurrently
    ///
    /// Range: 1 to 256
    ///
    /// Default: the cores
    #[arg(long, env = "WORKER_CONCURRENCY")]
    worker_concurrency: Option<u32>,

    /// Seconds after the last heartbeat until the claims of a worker expire
    ///
    /// Range: 1 to 3,600
    #[arg(long, env = "LEASE_S", default_value_t = 15)]
    pub(crate) lease_s: u32,

    /// Time limit of one chunk in seconds
    ///
    /// Range: 1 to 3,600
    #[arg(long, env = "CHUNK_TIMEOUT_S", default_value_t = 60)]
    chunk_timeout_s: u32,

    /// Seconds that running chunks have to finish at shutdown
    ///
    /// Range: 0 to 3,600
    #[arg(long, env = "GRACE_S", default_value_t = 25)]
    grace_s: u32,

    /// Days that step executions of settled days are kept
    ///
    /// Range: 1 to 36,500
    #[arg(
        long,
        env = "JOB_RETENTION_DAYS",
        default_value_t = 90,
        value_parser = clap::value_parser!(u32).range(1..=36_500)
    )]
    pub(crate) job_retention_days: u32,
}

impl ProcessingSettings {
    /// Returns the cores available to this process, 1 or more.
    fn cores() -> u32 {
        available_parallelism()
            .ok()
            .and_then(|cores| u32::try_from(cores.get()).ok())
            .unwrap_or(1)
    }

    /// Returns the number of partitions of a step.
    pub(crate) fn partitions(&self) -> u32 {
        self.partitions
            .unwrap_or_else(|| (Self::cores() * 2).min(MAX_PARTITIONS))
    }

    /// Returns the number of read connections: one for each claim, and two for watching.
    pub(crate) fn readers(&self) -> u32 {
        self.worker_concurrency
            .unwrap_or_else(Self::cores)
            .min(MAX_READERS)
            + 2
    }

    /// Returns the number of connections to a server: one for each claim, and as many for watching
    /// and advancing executions.
    pub(crate) fn connections(&self) -> u32 {
        self.readers() * 2
    }

    /// Returns the identity of a worker of this process; its name is unique.
    fn identity(&self) -> WorkerIdentity {
        let host: String = gethostname::gethostname()
            .to_string_lossy()
            .chars()
            .take(MAX_HOST)
            .collect();
        let process_id = std::process::id();
        WorkerIdentity {
            name: format!("{host}-{process_id}-{:016x}", rand::random::<u64>()),
            host,
            process_id,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            concurrency: self
                .worker_concurrency
                .unwrap_or_else(|| Self::cores().min(MAX_CONCURRENCY)),
        }
    }

    /// Checks the settings of the worker and returns them.
    pub(crate) fn worker(&self) -> anyhow::Result<WorkerSettings> {
        let settings = WorkerSettings {
            identity: self.identity(),
            lease_s: self.lease_s,
            chunk_timeout_s: self.chunk_timeout_s,
            grace_s: self.grace_s,
            chunk_size: self.chunk_size,
            skip_limit: self.skip_limit,
            retry_limit: self.retry_limit,
        };
        settings.check().map_err(anyhow::Error::msg)?;
        Ok(settings)
    }
}
