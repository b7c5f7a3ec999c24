//! `balance`: the one binary, for every role.

mod app;

mod api;

mod secret;

mod args;

mod commands;

mod demo;

mod output;

mod progress;

mod settings;

mod shutdown;

use args::Args;
use clap::Parser;
use std::{io::IsTerminal, process::ExitCode};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let args = Args::parse();
    let filter = match EnvFilter::try_new(&args.settings.log) {
        Ok(filter) => filter,
        Err(error) => {
            progress::line(&format!("error: BALANCE_LOG: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // Colours are for terminals, not for files and pipes.
    let log = if std::io::stderr().is_terminal() {
        log
    } else {
        log.with_ansi(false)
    };
    log.init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(commands::run(args)),
        Err(error) => Err(error.into()),
    };
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
