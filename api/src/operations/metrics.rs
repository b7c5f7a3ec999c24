//! What `/metrics` tells: requests as they are answered, and the state of things at each scrape.

use crate::{
    errors::{
        problem::ApiError,
        responses::{ErrorResponse, responses},
    },
    openapi::tag::Tag,
    operations::exposition::Exposition,
};
use balance_service::{
    operations::{counters::WorkerMetrics, snapshot::Observer},
    playback::Playback,
};
use poem_openapi::{ApiResponse, OpenApi, payload::PlainText};
use prometheus_client::{
    encoding::prometheus_text,
    metrics::{family::Family, histogram::Histogram},
    registry::Registry,
};
use std::{sync::Arc, time::Duration};

/// The upper bounds of the histogram of durations, in seconds: from a look at memory to the limit
/// of a request.
const BUCKETS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

/// Operation and status.
type RequestLabels = [(&'static str, String); 2];
type Durations = Family<RequestLabels, Histogram, fn() -> Histogram>;

/// What a worker of this process is asked for.
#[derive(Debug, Clone)]
pub struct Work {
    /// What it did.
    pub counters: Arc<WorkerMetrics>,
    /// Whether it drains a stream.
    pub drains: bool,
}

/// Whom a scrape asks. What a process does not have is left out of what it tells.
#[derive(Default)]
pub(crate) struct Sources {
    pub(crate) observer: Option<Observer>,
    pub(crate) playback: Option<Arc<Playback>>,
    pub(crate) work: Option<Work>,
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

    /// Counts a request.
    pub(crate) fn served(&self, operation: &str, status: u16, took: Duration) {
        let labels = [
            ("operation", operation.to_owned()),
            ("status", status.to_string()),
        ];
        let took = took.as_secs_f64();
        self.durations.get_or_create(&labels).observe(took);
    }

    /// Everything, as text. A store that is away costs 2 s at most, and its share.
    async fn text(&self) -> Result<String, ApiError> {
        let mut exposition = Exposition::default();
        exposition.program();
        let Sources {
            observer,
            playback,
            work,
        } = &self.sources;
        if let Some(observer) = observer {
            exposition.snapshot(&*observer.look().await);
        }
        if let Some(playback) = playback {
            exposition.playback(playback.counters());
        }
        if let Some(work) = work {
            exposition.worker(&work.counters, work.drains);
        }
        let mut registry = Registry::default();
        registry.register(
            "balance_http_request_duration_seconds",
            "Requests, by operation and status, and how long they took",
            self.durations.clone(),
        );
        registry.register_collector(Box::new(exposition));
        let mut text = String::new();
        prometheus_text::encode(&mut text, &registry).map_err(ApiError::internal)?;
        Ok(text)
    }
}

#[derive(ApiResponse)]
enum MetricsAnswer {
    /// The text exposition format of Prometheus.
    #[oai(
        status = 200,
        content_type = "text/plain; version=0.0.4; charset=utf-8"
    )]
    Text(PlainText<String>),
}

responses! {
    MetricsErrors:;
}

/// `/metrics`.
pub(crate) struct MetricsApi {
    pub(crate) metrics: Arc<Metrics>,
}

#[OpenApi(tag = "Tag::Health")]
impl MetricsApi {
    /// Read the metrics
    ///
    /// For Prometheus. A store that is away leaves its metrics out and sets its `balance_store_up`
    /// to 0; the answer is 200 all the same, within 2 s. However often it is asked, the stores are
    /// looked at once a second.
    #[oai(path = "/metrics", method = "get", operation_id = "getMetrics")]
    async fn metrics(&self) -> Result<MetricsAnswer, ErrorResponse<MetricsErrors>> {
        let text = self.metrics.text().await?;
        Ok(MetricsAnswer::Text(PlainText(text)))
    }
}
