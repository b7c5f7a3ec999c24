//! What the test binaries share that run the real program.

pub(crate) mod program;

pub(crate) mod dump;
