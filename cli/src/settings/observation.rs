//! What is told of the program while it runs: the settings of log, metrics and traces.

use clap::ValueEnum;
use std::net::SocketAddr;

/// How lines of the log look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// An object on each line, for programs.
    Json,
}

/// The settings of log, metrics and traces.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ObservabilitySettings {
    /// What is logged to standard error, e.g. info or balance_worker=debug
    #[arg(long, env = "BALANCE_LOG", default_value = "warn", global = true)]
    pub(crate) log: String,

    /// How lines of the log look
    #[arg(
        long,
        env = "BALANCE_LOG_FORMAT",
        default_value = "text",
        global = true,
        value_enum
    )]
    pub(crate) log_format: LogFormat,

    /// The address on which `worker` tells its metrics; without one it listens nowhere
    #[arg(long = "metrics-listen", env = "METRICS_ADDR", global = true)]
    pub(crate) metrics_addr: Option<SocketAddr>,

    /// Where traces are sent by OTLP over HTTP, without /v1/traces, such as http://127.0.0.1:4318;
    /// without it there are none
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", global = true)]
    pub(crate) otlp_endpoint: Option<String>,
}
