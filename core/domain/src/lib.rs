//! Business rules: which plays count as views, what a view earns, and which day it belongs to.
//!
//! The crate does no I/O: it depends on no database, queue or network.

pub mod accounts;
pub mod calendar;
pub mod clock;
pub mod ids;
pub mod money;
pub mod period;
pub mod playback;
pub mod rates;
pub mod settlement;
pub mod units;
pub mod videos;
