//! Claims: leases, crashes and recovery.

mod crashes;
mod leases;
