//! `balance`: the one binary, for every role.

mod app;

mod api;

mod secret;

mod args;

mod log;

mod traces;

mod commands;

mod demo;

mod output;

mod progress;

mod settings;

mod shutdown;

use args::Args;
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = Args::parse();
    let traces = match log::start(&args.settings.observation) {
        Ok(traces) => traces,
        Err(error) => {
            progress::line(&format!("error: {}", describe(&error)));
            return ExitCode::FAILURE;
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(commands::run(args)),
        Err(error) => Err(error.into()),
    };
    traces.end();
    match result {
        Ok(code) => code,
        Err(error) => {
            progress::line(&format!("error: {}", describe(&error)));
            ExitCode::FAILURE
        }
    }
}

/// An error with its causes, on one line.
fn describe(error: &anyhow::Error) -> String {
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    causes.join(": ")
}
