//! Model of the batch engine, modelled on Spring Batch: a job execution runs a job instance, an
//! execution runs steps, a step is split into partitions, and a partition is processed in chunks.
//!
//! The crate does no I/O: it depends on no database, queue or network.

pub mod chunk;
pub mod execution;
pub mod job;
pub mod parameters;
pub mod partition;
pub mod spring;
pub mod status;
pub mod step;
pub mod trace;
