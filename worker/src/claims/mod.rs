//! Claims: the pool of claim loops, the execution of one claim, and the renewal of leases.

pub(crate) mod dropped;
pub(crate) mod executor;
pub(crate) mod heartbeat;
pub(crate) mod owned;
pub(crate) mod pool;
