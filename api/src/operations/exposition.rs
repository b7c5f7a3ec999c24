//! The text that Prometheus reads, made of what was seen and counted.

use balance_batch::status::BatchStatus;
use balance_service::operations::{
    counters::{IntakeCounters, PlaybackCounters, WorkerMetrics},
    snapshot::{DatabaseSnapshot, Snapshot},
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};
use std::fmt;

/// Labels with their values.
type Labels = Vec<(&'static str, String)>;

/// A metric: its name without the `_total` of a counter, what it says, its samples.
#[derive(Debug)]
struct Metric {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    samples: Vec<(Labels, u64)>,
}

/// Metrics that are made for one scrape.
#[derive(Debug, Default)]
pub(crate) struct Exposition(Vec<Metric>);

impl Exposition {
    fn gauge(&mut self, name: &'static str, help: &'static str, samples: Vec<(Labels, u64)>) {
        self.add(name, help, MetricType::Gauge, samples);
    }

    fn counter(&mut self, name: &'static str, help: &'static str, samples: Vec<(Labels, u64)>) {
        self.add(name, help, MetricType::Counter, samples);
    }

    fn add(
        &mut self,
        name: &'static str,
        help: &'static str,
        kind: MetricType,
        samples: Vec<(Labels, u64)>,
    ) {
        self.0.push(Metric {
            name,
            help,
            kind,
            samples,
        });
    }

    /// The program.
    pub(crate) fn program(&mut self) {
        self.gauge(
            "balance_build_info",
            "The program's version, as a label of 1.",
            vec![(one("version", env!("CARGO_PKG_VERSION")), 1)],
        );
    }

    /// What was seen of the stores.
    pub(crate) fn snapshot(&mut self, snapshot: &Snapshot) {
        let mut up = vec![
            (one("store", "database"), snapshot.database.is_some().into()),
            (
                one("store", "queue"),
                snapshot.notifications.is_some().into(),
            ),
        ];
        if let Some(waiting) = &snapshot.waiting {
            up.push((one("store", "stream"), waiting.is_some().into()));
        }
        self.gauge(
            "balance_store_up",
            "Whether the store answered this scrape within 2 s; its metrics are missing if not.",
            up,
        );
        if let Some(database) = &snapshot.database {
            self.days(database);
            self.work(database);
            self.events(database);
        }
        if let Some(notifications) = snapshot.notifications {
            self.gauge(
                "balance_queue_notifications",
                "Rings that wait in the queue.",
                alone(notifications),
            );
        }
        if let Some(Some(waiting)) = &snapshot.waiting {
            let samples = waiting.iter().enumerate();
            self.gauge(
                "balance_event_writer_waiting_entries",
                "Entries of the stream that wait to be written down.",
                samples
                    .map(|(shard, entries)| (one("shard", shard), *entries))
                    .collect(),
            );
        }
    }

    fn days(&mut self, database: &DatabaseSnapshot) {
        let at = |seconds: Option<i64>| {
            let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
            seconds.map_or_else(Vec::new, alone)
        };
        self.gauge(
            "balance_closed_until_timestamp_seconds",
            "The end of the last closed day, in seconds since 1970.",
            at(database.closed_until_s),
        );
        self.gauge(
            "balance_settled_until_timestamp_seconds",
            "The end of the last day up to which nothing active is unsettled.",
            at(database.settled_until_s),
        );
        self.gauge(
            "balance_waiting_days",
            "Days whose newest execution failed or was stopped.",
            vec![
                (one("status", "FAILED"), database.numbers.failed_days),
                (one("status", "STOPPED"), database.numbers.stopped_days),
                (one("status", "ABANDONED"), database.numbers.abandoned_days),
            ],
        );
    }

    fn work(&mut self, database: &DatabaseSnapshot) {
        let numbers = &database.numbers;
        self.gauge(
            "balance_running_executions",
            "Job executions that run.",
            alone(numbers.running),
        );
        let count = |status: BatchStatus| {
            let mut found = numbers.partitions.iter().filter(|one| one.0 == status);
            found.next().map_or(0, |one| one.1)
        };
        let by_status = BatchStatus::ALL.map(|status| (one("status", status), count(status)));
        self.gauge(
            "balance_partitions",
            "Partitions of the executions that run, by status.",
            by_status.into(),
        );
        self.gauge(
            "balance_leases",
            "Partitions and tasklets that have not ended, by who has them.",
            vec![
                (one("state", "claimable"), numbers.leases.claimable),
                (one("state", "owned"), numbers.leases.owned),
                (one("state", "expired"), numbers.leases.expired),
            ],
        );
        self.gauge(
            "balance_workers",
            "Workers that the registry saw within their leases.",
            alone(numbers.workers),
        );
        self.gauge(
            "balance_worker_slots",
            "Claims that these workers can work at a time.",
            alone(numbers.slots),
        );
        self.gauge(
            "balance_queue_window",
            "The most rings that may wait in the queue.",
            alone(database.window.into()),
        );
    }

    fn events(&mut self, database: &DatabaseSnapshot) {
        self.gauge(
            "balance_late_events",
            "Events that came after their day was closed; 10,000 stands for more.",
            alone(database.numbers.late_events),
        );
        self.gauge(
            "balance_rejected_events",
            "Events that can never be written; 10,000 stands for more.",
            alone(database.numbers.rejected_events),
        );
    }

    /// Plays and pauses.
    pub(crate) fn playback(&mut self, counters: &PlaybackCounters) {
        let of = |command: &'static str, counters: &IntakeCounters| {
            let samples = counters.all().map(|(outcome, count)| {
                let labels = vec![
                    ("command", command.to_owned()),
                    ("outcome", outcome.to_owned()),
                ];
                (labels, count.get())
            });
            Vec::from(samples)
        };
        let mut samples = of("play", &counters.plays);
        samples.extend(of("pause", &counters.pauses));
        self.counter(
            "balance_intake_requests",
            "Plays and pauses, by what became of them.",
            samples,
        );
    }

    /// A worker of this process, and its drain where there is a stream.
    pub(crate) fn worker(&mut self, counters: &WorkerMetrics, drains: bool) {
        self.counter(
            "balance_worker_claims",
            "Claims of this worker, by how they ended.",
            vec![
                (one("outcome", "ended"), counters.ended.get()),
                (one("outcome", "lost"), counters.lost.get()),
                (one("outcome", "dropped"), counters.dropped.get()),
                (one("outcome", "unworkable"), counters.unworkable.get()),
            ],
        );
        self.counter(
            "balance_worker_chunks",
            "Chunks of this worker.",
            vec![
                (one("outcome", "committed"), counters.chunks.get()),
                (one("outcome", "rolled_back"), counters.rollbacks.get()),
            ],
        );
        self.counter(
            "balance_worker_heartbeat_failures",
            "Heartbeats of this worker that failed.",
            alone(counters.heartbeat_failures.get()),
        );
        if !drains {
            return;
        }
        let event_writer = &counters.event_writer;
        self.counter(
            "balance_event_writer_entries",
            "Entries of the stream that this process wrote down, by what became of them.",
            vec![
                (one("outcome", "new"), event_writer.new.get()),
                (one("outcome", "known"), event_writer.known.get()),
                (one("outcome", "late"), event_writer.late.get()),
                (one("outcome", "rejected"), event_writer.rejected.get()),
            ],
        );
        self.counter(
            "balance_event_writer_failures",
            "Attempts to write entries down that failed.",
            alone(event_writer.failures.get()),
        );
    }
}

/// A sample without labels.
fn alone(value: u64) -> Vec<(Labels, u64)> {
    vec![(Labels::new(), value)]
}

/// One label.
fn one(name: &'static str, value: impl ToString) -> Labels {
    vec![(name, value.to_string())]
}

impl Collector for Exposition {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        for metric in &self.0 {
            if metric.samples.is_empty() {
                continue;
            }
            let (name, help) = (metric.name, metric.help);
            let mut family = encoder.encode_descriptor(name, help, None, metric.kind)?;
            for (labels, value) in &metric.samples {
                let sample = family.encode_family(labels)?;
                match metric.kind {
                    MetricType::Counter => ConstCounter::new(*value).encode(sample)?,
                    _ => ConstGauge::new(*value).encode(sample)?,
                }
            }
        }
        Ok(())
    }
}
