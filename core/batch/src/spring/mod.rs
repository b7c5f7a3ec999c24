//! Formats of Spring Batch: job keys and serialized execution contexts.

pub mod context;
mod error;
mod java;
pub mod key;
mod value;

pub use error::{ContextError, MAX_BASE64_BYTES};
pub use value::ContextValue;
