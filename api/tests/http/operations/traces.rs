//! One trace joins a request, its launch, and the partitions and chunks of a worker. The worker
//! reads the trace context from the database.

use crate::env::{TestEnv, TestRequest};
use balance_test_support::settlement::{Shape, worker_settings};
use balance_worker::{Worker, settings::WorkerMode};
use opentelemetry::trace::{SpanId, SpanKind, TraceId, TracerProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use serde_json::json;
use std::time::Duration;
use tracing_subscriber::{Layer, filter::filter_fn, layer::SubscriberExt, util::SubscriberInitExt};

/// Exports the spans of this process, including those of other tests.
fn export() -> InMemorySpanExporter {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let own_spans = filter_fn(|metadata| metadata.target().starts_with("balance"));
    tracing_subscriber::registry()
        .with(layer.with_filter(own_spans))
        .init();
    exporter
}

/// Returns an attribute of a span as text.
fn attribute(span: &SpanData, key: &str) -> Option<String> {
    let mut all = span.attributes.iter();
    let found = all.find(|attribute| attribute.key.as_str() == key)?;
    Some(found.value.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_joins_request_launch_partition_and_chunk() {
    let exporter = export();
    let env = TestEnv::new().await;
    let (_, owner) = env.user("owner").await;
    let (_, viewer) = env.user("viewer").await;
    for title in ["a film", "another"] {
        let video = env.video(&owner, title, 600).await;
        let path = format!("/videos/{video}/play");
        env.request("POST", &path, &viewer).await.is(200);
    }
    env.clock.advance_ms(86_400_000);
    let admin = env.admin("admin").await;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let request = TestRequest::new("POST", "/jobs/dayStatisticsJob/executions")
        .token(&admin)
        .header("traceparent", format!("00-{trace}-b7ad6b7169203331-01"))
        .header("X-Request-Id", "the-request");
    let launched = env.send(request.json(&json!({"date": "2026-03-02"}))).await;
    let id = launched.is(202).json()["id"].as_i64().unwrap();
    let (launcher, backend) = env.launcher_with_backend();
    let settings = worker_settings(Shape {
        chunk_size: 1,
        ..Shape::default()
    });
    let worker_name = settings.identity.name.clone();
    let worker = Worker::start(launcher, settings, backend, None, WorkerMode::OneShot).await;
    let path = format!("/jobs/executions/{id}");
    let ended = async {
        loop {
            let progress = env.request("GET", &path, &admin).await.is(200).json();
            if progress["execution"]["status"] == "COMPLETED" {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let settled = tokio::time::timeout(Duration::from_secs(30), ended).await;
    settled.expect("the day is settled");
    assert!(worker.stop().await);

    let trace = TraceId::from_hex(trace).unwrap();
    let spans = exporter.get_finished_spans().unwrap();
    let spans: Vec<SpanData> = spans
        .into_iter()
        .filter(|span| span.span_context.trace_id() == trace)
        .collect();
    let named =
        |name: &str| -> Vec<&SpanData> { spans.iter().filter(|span| span.name == name).collect() };
    let of = |span: &SpanData| span.span_context.span_id();
    let [request] = named("launchJob")[..] else {
        panic!("{spans:#?}");
    };
    assert_eq!(request.span_kind, SpanKind::Server);
    assert_eq!(
        request.parent_span_id,
        SpanId::from_hex("b7ad6b7169203331").unwrap()
    );
    assert_eq!(
        attribute(request, "request_id").as_deref(),
        Some("the-request")
    );
    let status = attribute(request, "http.response.status_code");
    assert_eq!(status.as_deref(), Some("202"));
    let [launch] = named("launch")[..] else {
        panic!("{spans:#?}");
    };
    assert_eq!(launch.parent_span_id, of(request));
    assert_eq!(attribute(launch, "job_execution"), Some(id.to_string()));
    let partitions = named("partition");
    let of_steps: Vec<String> = partitions
        .iter()
        .filter_map(|span| attribute(span, "name"))
        .collect();
    for step in [
        "closeDayStep",
        "dayStatisticsStep:partition0",
        "periodRollupStep:partition0",
    ] {
        assert!(of_steps.iter().any(|name| name == step), "{of_steps:?}");
    }
    for partition in &partitions {
        assert_eq!(partition.parent_span_id, of(launch));
        assert!(partition.parent_span_is_remote, "by the database");
        assert_eq!(attribute(partition, "worker"), Some(worker_name.clone()));
    }
    let chunks = named("chunk");
    assert!(chunks.len() >= 3, "{spans:#?}");
    let written = chunks
        .iter()
        .any(|chunk| attribute(chunk, "writes").as_deref() == Some("1"));
    assert!(written, "{chunks:#?}");
    for chunk in chunks {
        let parent = partitions
            .iter()
            .find(|span| of(span) == chunk.parent_span_id);
        assert!(parent.is_some(), "{chunk:#?}");
    }
}
