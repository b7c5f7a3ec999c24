//! What Spring Batch stores as bytes and text: job keys and serialized execution contexts.

pub mod context;
mod java;
pub mod key;
