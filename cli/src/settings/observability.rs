//! The settings of log, metrics and traces.

use clap::ValueEnum;
use std::net::SocketAddr;

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    /// One JSON object per line.
    Json,
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ObservabilitySettings {
    /// Log level by module
    ///
    /// Range: filters such as `info` or `balance_worker=debug`
    #[arg(long, env = "BALANCE_LOG", default_value = "warn")]
    pub(crate) log: String,

    /// Format of log lines
    ///
    /// Range: `text`, `json`
    #[arg(long, env = "BALANCE_LOG_FORMAT", default_value = "text", value_enum)]
    pub(crate) log_format: LogFormat,

    /// The address on which `worker` serves metrics; `serve` and `api` use `LISTEN_ADDR`
    ///
    /// Range: address and port
    #[arg(long = "metrics-listen", env = "METRICS_ADDR")]
    pub(crate) metrics_addr: Option<SocketAddr>,

    /// OTLP/HTTP collector for traces
    ///
    /// Range: `http://host:port`
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    pub(crate) otlp_endpoint: Option<String>,
}
