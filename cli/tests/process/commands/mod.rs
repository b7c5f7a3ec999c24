//! Commands: valid and invalid input, the demo, and the snippets of the documents.

mod bad_input;
mod databases;
pub(crate) mod demo;
mod getting_started;
mod help;
mod imports;
mod rejected_commands;
