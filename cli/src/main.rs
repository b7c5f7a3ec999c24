//! The program `balance`: all roles of the settlement back end.

mod args;
mod commands;
mod demo;
mod log;
mod output;
mod progress;
mod settings;
mod shutdown;
mod traces;
mod wiring;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args = args::parse();
    let traces = match log::start(&args.settings.observability) {
        Ok(traces) => traces,
        Err(error) => return failure(&error),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(shutdown::until_forced(commands::run(args))),
        Err(error) => Err(error.into()),
    };
    traces.end();
    result.unwrap_or_else(|error| failure(&error))
}

/// Prints an error with its causes on one line.
fn failure(error: &anyhow::Error) -> ExitCode {
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    progress::line(&format!("error: {}", causes.join(": ")));
    ExitCode::FAILURE
}
