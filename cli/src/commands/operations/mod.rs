//! `balance clock` and `balance workers`.

mod clock;
mod workers;

pub(super) use clock::run as clock;
pub(super) use workers::run as workers;
