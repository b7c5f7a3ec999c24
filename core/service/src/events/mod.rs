//! The events of a fleet: the port of the stream, and the replay into a restored database.

pub mod identity;
pub mod replay;
pub mod stream;
