//! The periodic tasks of a worker.

pub(crate) mod dispatcher;
pub(crate) mod pruner;
pub(crate) mod rescuer;
