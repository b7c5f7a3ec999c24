//! Prints what the strategies of cheats reach. The exit code is 1 if one exceeds the limit.

use std::process::ExitCode;

fn main() -> ExitCode {
    balance_test_support::fraud::command::run()
}
