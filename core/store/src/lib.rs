//! The database: one [`Store`] whose methods are grouped by feature. Each SQL statement is written
//! once for SQLite, MariaDB and MySQL.
//!
//! A method runs one transaction unless its documentation states otherwise. No transaction leaves
//! this crate. Transactions acquire row locks in this order: date, instance, execution, partition,
//! `closed_through`.

mod error;
mod id_guard;
mod sql;
mod store;

pub mod accounts;
pub mod claims;
pub mod events;
pub mod import;
pub mod jobs;
pub mod operations;
pub mod playback;
pub mod rates;
pub mod reports;
pub mod settings;
pub mod settlement;
pub mod verification;
pub mod videos;

pub use error::{StoreError, StoreResult};
pub use sql::process_lock::{LockOutcome, ProcessLock};
pub use store::{FileUse, Store};
