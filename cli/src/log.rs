//! The log: lines on standard error.

use crate::settings::{LogFormat, ObservationSettings};
use anyhow::Context;
use std::io::{self, IsTerminal};
use tracing_subscriber::{
    EnvFilter, Layer, Registry, layer::SubscriberExt, util::SubscriberInitExt,
};

/// Starts it.
pub(crate) fn start(settings: &ObservationSettings) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&settings.log).context("BALANCE_LOG")?;
    tracing_subscriber::registry()
        .with(lines(settings.log_format).with_filter(filter))
        .init();
    Ok(())
}

fn lines(format: LogFormat) -> Box<dyn Layer<Registry> + Send + Sync> {
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    match format {
        // Colours are for terminals, not for files and pipes.
        LogFormat::Text => layer.with_ansi(io::stderr().is_terminal()).boxed(),
        // Fields side by side with time, level and message.
        LogFormat::Json => layer
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .boxed(),
    }
}
