//! The business rules: what counts as a view, what a view earns, which day it belongs to.
//!
//! Nothing here knows a database, a queue or a network.

pub mod accounts;
pub mod calendar;
pub mod clock;
pub mod money;
pub mod period;
pub mod playback;
pub mod rates;
pub mod settlement;
pub mod videos;
