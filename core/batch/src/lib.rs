//! The batch engine's model, after Spring Batch: job executions run a job instance, an execution
//! runs steps, a step is split into partitions, and a partition is processed in chunks.
//!
//! Nothing here knows a database, a queue or a network.

pub mod chunk;
pub mod execution;
pub mod job;
pub mod parameters;
pub mod partition;
pub mod spring;
pub mod status;
pub mod step;
pub mod trace;
