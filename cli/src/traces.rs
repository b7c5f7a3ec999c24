//! Traces: spans of requests, launches, partitions and chunks, sent to a collector.

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

/// How long sending may take, once and at the program's end.
const SEND_LIMIT: Duration = Duration::from_secs(2);

/// The exporter of a process; without an address there is none, and spans cost nothing.
#[derive(Default)]
pub(crate) struct Traces(Option<SdkTracerProvider>);

impl Traces {
    /// An exporter to a collector. To be called outside of the async runtime: it sends from a thread
    /// of its own.
    pub(crate) fn to(endpoint: Option<&str>) -> anyhow::Result<Self> {
        let Some(endpoint) = endpoint.filter(|endpoint| !endpoint.is_empty()) else {
            return Ok(Self::default());
        };
        let base = endpoint.trim_end_matches('/');
        let host = base.strip_prefix("http://").unwrap_or_default();
        if host.is_empty() || host.contains(char::is_whitespace) {
            anyhow::bail!(
                "OTEL_EXPORTER_OTLP_ENDPOINT: is no http://host:port; there is no TLS in this build"
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

    /// What the program's spans pass on their way.
    pub(crate) fn layer<S>(&self) -> Option<impl Layer<S> + use<S>>
    where
        S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    {
        let tracer = self.0.as_ref()?.tracer("balance");
        let layer = tracing_opentelemetry::layer().with_tracer(tracer);
        Some(layer.with_filter(ours()))
    }

    /// Sends what has not been sent.
    pub(crate) fn end(self) {
        if let Some(provider) = self.0
            && let Err(error) = provider.shutdown_with_timeout(SEND_LIMIT)
        {
            tracing::warn!(%error, "the last spans are not sent");
        }
    }
}

/// Our own spans, and what is logged in them; not those of the libraries.
fn ours() -> FilterFn {
    filter_fn(|metadata| {
        *metadata.level() <= LevelFilter::INFO && metadata.target().starts_with("balance")
    })
}
