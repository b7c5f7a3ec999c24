//! Processes of the tests, and what they need from the machine.

mod port;
mod program;
mod variables;

pub use port::free_port;
pub use program::{Call, Outcome, PROCESS_TIMEOUT, Running, block_on, signal, until};
pub use variables::{variable, variable_or_skip};
