//! A fleet's events: the port of the stream, and their replay into a restored database.

pub mod replay;
pub mod stream;
