//! Settings of a worker in a test.

use balance_store::operations::WorkerIdentity;
use balance_worker::settings::WorkerSettings;

/// The parameters of a settlement.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub partitions: u32,
    pub chunk_size: u32,
    pub concurrency: u32,
    pub skip_limit: u32,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            partitions: 4,
            chunk_size: 10,
            concurrency: 2,
            skip_limit: 0,
        }
    }
}

/// Returns the settings of a worker with a unique name.
pub fn worker_settings(shape: Shape) -> WorkerSettings {
    WorkerSettings {
        identity: WorkerIdentity {
            name: format!("test-{:016x}", rand::random::<u64>()),
            host: "test".to_owned(),
            process_id: std::process::id(),
            version: "0".to_owned(),
            concurrency: shape.concurrency,
        },
        lease_s: 15,
        chunk_timeout_s: 60,
        grace_s: 30,
        chunk_size: shape.chunk_size,
        skip_limit: shape.skip_limit,
        retry_limit: 3,
    }
}
