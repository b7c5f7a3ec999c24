//! The queue's adapters, and the backends that a worker consumes.

mod embedded;

pub use embedded::{EmbeddedBackend, EmbeddedQueue};
