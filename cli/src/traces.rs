//! The export of traces: spans of requests, launches, partitions and chunks.

use anyhow::Context;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use std::time::Duration;
use tracing_subscriber::{
    Layer,
    filter::{FilterFn, LevelFilter, filter_fn},
    registry::LookupSpan,
};

/// Time limit of each export, and of the last one at the end of the process.
const SEND_LIMIT: Duration = Duration::from_secs(2);

/// The exporter of the process, if a collector is configured.
#[derive(Default)]
pub(crate) struct Traces(Option<SdkTracerProvider>);

impl Traces {
    /// Creates an exporter, which sends from its own thread. Must be called outside the async
    /// runtime.
    pub(crate) fn to(endpoint: Option<&str>) -> anyhow::Result<Self> {
        let Some(endpoint) = endpoint.filter(|endpoint| !endpoint.is_empty()) else {
            return Ok(Self::default());
        };
        let base = endpoint.trim_end_matches('/');
        let host = base.strip_prefix("http://").unwrap_or_default();
        if host.is_empty() || host.contains(char::is_whitespace) {
            anyhow::bail!(
                "OTEL_EXPORTER_OTLP_ENDPOINT: not of the form http://host:port; TLS is not supported"
            );
        }
        let exporter = SpanExporter::builder()
            .with_http()
            .with_endpoint(format!("{base}/v1/traces"))
            .with_timeout(SEND_LIMIT)
            .build()
            .context("OTEL_EXPORTER_OTLP_ENDPOINT")?;
        let resource = Resource::builder()
            .with_service_name("balance")
            .with_attribute(opentelemetry::KeyValue::new(
                "service.version",
                env!("CARGO_PKG_VERSION"),
            ))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource)
            .build();
        Ok(Self(Some(provider)))
    }

    /// Returns the layer that exports the program's spans.
    pub(crate) fn layer<S>(&self) -> Option<impl Layer<S> + use<S>>
    where
        S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    {
        let tracer = self.0.as_ref()?.tracer("balance");
        let layer = tracing_opentelemetry::layer().with_tracer(tracer);
        Some(layer.with_filter(own_spans()))
    }

    /// Exports the remaining spans.
    pub(crate) fn end(self) {
        if let Some(provider) = self.0
            && let Err(error) = provider.shutdown_with_timeout(SEND_LIMIT)
        {
            tracing::warn!(%error, "failed to export the last spans");
        }
    }
}

/// Selects the spans and events of this program's crates up to level INFO.
fn own_spans() -> FilterFn {
    filter_fn(|metadata| {
        *metadata.level() <= LevelFilter::INFO && metadata.target().starts_with("balance")
    })
}
