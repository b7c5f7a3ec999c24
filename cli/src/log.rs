//! The log on standard error, and the export of traces.

use crate::{
    settings::{LogFormat, ObservabilitySettings},
    traces::Traces,
};
use anyhow::Context;
use std::io::{self, IsTerminal};
use tracing_subscriber::{
    EnvFilter, Layer, Registry, layer::SubscriberExt, util::SubscriberInitExt,
};

/// Starts the log. Returns the exporter of traces, which must be ended before the process exits.
pub(crate) fn start(settings: &ObservabilitySettings) -> anyhow::Result<Traces> {
    let filter = EnvFilter::try_new(&settings.log).context("BALANCE_LOG")?;
    let traces = Traces::to(settings.otlp_endpoint.as_deref())?;
    tracing_subscriber::registry()
        .with(lines(settings.log_format).with_filter(filter))
        .with(traces.layer())
        .init();
    Ok(traces)
}

fn lines(format: LogFormat) -> Box<dyn Layer<Registry> + Send + Sync> {
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    match format {
        // Files and pipes receive no colour codes.
        LogFormat::Text => layer.with_ansi(io::stderr().is_terminal()).boxed(),
        // The fields of the event are beside time, level and message.
        LogFormat::Json => layer
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .boxed(),
    }
}
