//! What the test binaries share that run the real program.

pub(crate) mod program;

pub(crate) mod dump;

pub(crate) mod port;

pub(crate) mod client;

pub(crate) mod server;

pub(crate) mod audience;

pub(crate) mod midnight;

pub(crate) mod examples;
