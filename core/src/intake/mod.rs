//! The intake's adapters.

mod embedded;

pub use embedded::EmbeddedIntake;
