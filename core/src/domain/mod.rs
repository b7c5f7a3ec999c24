//! The rules of the business. Nothing here knows a database, a queue or a network.

pub mod account;
pub mod ad;
pub mod calendar;
pub mod gate;
pub mod money;
pub mod period;
pub mod playback;

pub mod rate;
pub mod revenue;
pub mod session;
pub mod statistics;
pub mod user;
pub mod video;
