//! Connections, transactions, statements, and the differences between the databases.

pub(crate) mod backup;
pub(crate) mod db;
pub(crate) mod dialect;
pub(crate) mod errors;
pub(crate) mod failover;
pub(crate) mod fault;
pub(crate) mod journal;
pub(crate) mod migration;
pub(crate) mod new_id;
pub(crate) mod process_lock;
pub(crate) mod retry;
pub(crate) mod statement;
pub(crate) mod statuses;
pub(crate) mod timeout;
pub(crate) mod tx;
