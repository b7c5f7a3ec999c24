//! `GET /metrics`: request durations, and the state of the stores and counters at each scrape.

use crate::{
    errors::{
        problem::ApiError,
        responses::{ErrorResponse, responses},
    },
    openapi::tag::Tag,
    operations::exposition::Exposition,
};
use balance_service::{
    operations::{counters::WorkerMetrics, snapshot::SnapshotReader},
    playback::Playback,
};
use poem_openapi::{ApiResponse, OpenApi, payload::PlainText};
use prometheus_client::{
    encoding::prometheus_text,
    metrics::{family::Family, histogram::Histogram},
    registry::Registry,
};
use std::{sync::Arc, time::Duration};

/// The upper bounds of the duration histogram, in seconds. The last one is the time limit of a
/// request.
const BUCKETS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

/// The operation and the status.
type RequestLabels = [(&'static str, String); 2];
type Durations = Family<RequestLabels, Histogram, fn() -> Histogram>;

/// The worker of this process, as a source of metrics.
#[derive(Debug, Clone)]
pub struct ProcessWorker {
    pub counters: Arc<WorkerMetrics>,
    /// Whether the worker has an event writer.
    pub has_event_writer: bool,
}

/// The sources of a scrape. The metrics of missing sources are omitted.
#[derive(Default)]
pub(crate) struct Sources {
    pub(crate) snapshots: Option<SnapshotReader>,
    pub(crate) playback: Option<Arc<Playback>>,
    pub(crate) worker: Option<ProcessWorker>,
}

/// The metrics of a process.
pub(crate) struct Metrics {
    durations: Durations,
    sources: Sources,
}

impl Metrics {
    pub(crate) fn new(sources: Sources) -> Self {
        Self {
            durations: Durations::new_with_constructor(|| Histogram::new(BUCKETS)),
            sources,
        }
    }

    /// Records a request.
    pub(crate) fn record_request(&self, operation: &str, status: u16, elapsed: Duration) {
        let labels = [
            ("operation", operation.to_owned()),
            ("status", status.to_string()),
        ];
        let durations = self.durations.get_or_create(&labels);
        durations.observe(elapsed.as_secs_f64());
    }

    /// Renders all metrics. An unavailable store delays the response by at most 2 s, and its
    /// metrics are omitted.
    async fn text(&self) -> Result<String, ApiError> {
        let mut exposition = Exposition::default();
        exposition.program();
        let Sources {
            snapshots,
            playback,
            worker,
        } = &self.sources;
        if let Some(snapshots) = snapshots {
            exposition.snapshot(&*snapshots.read().await);
        }
        if let Some(playback) = playback {
            exposition.playback(playback.counters());
        }
        if let Some(worker) = worker {
            exposition.worker(&worker.counters, worker.has_event_writer);
        }
        let mut registry = Registry::default();
        registry.register(
            "balance_http_request_duration_seconds",
            "Durations of requests in seconds, by operation and status",
            self.durations.clone(),
        );
        registry.register_collector(Box::new(exposition));
        let mut text = String::new();
        prometheus_text::encode(&mut text, &registry).map_err(ApiError::internal)?;
        Ok(text)
    }
}

#[derive(ApiResponse)]
enum MetricsResponse {
    /// The metrics in the Prometheus text format.
    #[oai(
        status = 200,
        content_type = "text/plain; version=0.0.4; charset=utf-8"
    )]
    Text(PlainText<String>),
}

responses! {
    MetricsErrors:;
}

pub(crate) struct MetricsApi {
    pub(crate) metrics: Arc<Metrics>,
}

#[OpenApi(tag = "Tag::Health")]
impl MetricsApi {
    /// Read the metrics
    ///
    /// Returns the metrics for Prometheus. If a store is unavailable, its metrics are missing and
    /// its `balance_store_up` is 0, but the status is still 200 after at most 2 s. The stores are
    /// queried at most once a second.
    #[oai(path = "/metrics", method = "get", operation_id = "getMetrics")]
    async fn metrics(&self) -> Result<MetricsResponse, ErrorResponse<MetricsErrors>> {
        let text = self.metrics.text().await?;
        Ok(MetricsResponse::Text(PlainText(text)))
    }
}
