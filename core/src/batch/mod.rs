//! The batch engine's concepts, after Spring Batch: a job instance is run by job executions, an
//! execution runs steps, a step is split into partitions, a partition is worked in chunks.
//!
//! Nothing here knows a database, a queue or a network.

pub mod status;

pub mod parameters;

pub mod key;

pub mod context;

mod java;

pub mod job;

pub mod execution;

pub mod step;

pub mod partition;

pub mod trace;

pub mod chunk;
