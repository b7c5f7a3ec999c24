//! Claims: the pool of claim loops, the work on one claim, and the renewal of leases.

pub(crate) mod executor;
pub(crate) mod heartbeat;
pub(crate) mod pool;
