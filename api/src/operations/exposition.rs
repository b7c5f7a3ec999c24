//! The metrics of a scrape in the Prometheus text format, from a snapshot and counters.

use balance_batch::status::BatchStatus;
use balance_service::events::stream::Memory;
use balance_service::operations::{
    counters::{IntakeCounters, PlaybackCounters, WorkerMetrics},
    snapshot::{ClockSnapshot, DatabaseSnapshot, Snapshot},
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};
use std::fmt;

/// Label names and values.
type Labels = Vec<(&'static str, String)>;

/// A metric with its samples. The name of a counter excludes the suffix `_total`.
#[derive(Debug)]
struct Metric {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    samples: Vec<(Labels, u64)>,
}

/// The metrics of one scrape.
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

    /// Adds the version of the program.
    pub(crate) fn program(&mut self) {
        self.gauge(
            "balance_build_info",
            "The version of the program, as a label of the value 1.",
            vec![(label("version", env!("CARGO_PKG_VERSION")), 1)],
        );
    }

    /// Adds the metrics of the stores.
    pub(crate) fn snapshot(&mut self, snapshot: &Snapshot) {
        let mut up = vec![
            (
                label("store", "database"),
                snapshot.database.is_some().into(),
            ),
            (
                label("store", "queue"),
                snapshot.notifications.is_some().into(),
            ),
        ];
        if let Some(waiting) = &snapshot.waiting {
            up.push((label("store", "stream"), waiting.is_some().into()));
        }
        self.gauge(
            "balance_store_up",
            "Whether the store answered within 2 s. Otherwise its metrics are missing.",
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
                "Notifications that wait in the queue.",
                unlabelled(notifications),
            );
        }
        if let Some(memory) = snapshot.memory {
            self.memory(memory);
        }
        self.clocks(snapshot.clocks);
        if let Some(Some(waiting)) = &snapshot.waiting {
            let samples = waiting.iter().enumerate();
            self.gauge(
                "balance_event_writer_waiting_entries",
                "Entries of the stream that are not persisted, by shard.",
                samples
                    .map(|(shard, entries)| (label("shard", shard), *entries))
                    .collect(),
            );
        }
    }

    /// Adds the differences of the clocks.
    fn clocks(&mut self, clocks: ClockSnapshot) {
        let samples = |name: &'static str, values: [(&str, Option<u64>); 2]| {
            let known = values
                .into_iter()
                .filter_map(|(of, value)| Some((of, value?)));
            known
                .map(|(of, value)| (label(name, of), value))
                .collect::<Vec<_>>()
        };
        self.gauge(
            "balance_clock_skew_seconds",
            "Difference between the clock of a store and that of this process.",
            samples(
                "store",
                [
                    ("database", clocks.database_skew_s),
                    ("stream", clocks.stream_skew_s),
                ],
            ),
        );
        self.gauge(
            "balance_last_event_ahead_seconds",
            "How far the last event is ahead of the clock. Above 300 no play is accepted, if the intake uses this store.",
            samples(
                "store",
                [
                    ("database", clocks.intake_ahead_s),
                    ("stream", clocks.stream_ahead_s),
                ],
            ),
        );
    }

    /// Adds the memory of the stream's server.
    fn memory(&mut self, memory: Memory) {
        self.gauge(
            "balance_stream_memory_used_bytes",
            "Memory of the stream's Redis that counts against its limit.",
            unlabelled(memory.used_bytes),
        );
        self.gauge(
            "balance_stream_memory_max_bytes",
            "Memory limit of the stream's Redis; 0 if there is none.",
            unlabelled(memory.max_bytes),
        );
    }

    fn days(&mut self, database: &DatabaseSnapshot) {
        let at = |seconds: Option<i64>| {
            let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
            seconds.map_or_else(Vec::new, unlabelled)
        };
        self.gauge(
            "balance_closed_until_timestamp_seconds",
            "The end of the last closed day, in seconds since 1970.",
            at(database.closed_until_s),
        );
        self.gauge(
            "balance_settled_until_timestamp_seconds",
            "The end of the last day up to which all days are settled, in seconds since 1970.",
            at(database.settled_until_s),
        );
        self.gauge(
            "balance_waiting_days",
            "Days whose newest execution is FAILED, STOPPED or ABANDONED.",
            vec![
                (label("status", "FAILED"), database.numbers.failed_days),
                (label("status", "STOPPED"), database.numbers.stopped_days),
                (
                    label("status", "ABANDONED"),
                    database.numbers.abandoned_days,
                ),
            ],
        );
    }

    fn work(&mut self, database: &DatabaseSnapshot) {
        let numbers = &database.numbers;
        self.gauge(
            "balance_running_executions",
            "Running job executions.",
            unlabelled(numbers.running),
        );
        let count = |status: BatchStatus| {
            let mut found = numbers.partitions.iter().filter(|one| one.0 == status);
            found.next().map_or(0, |one| one.1)
        };
        let by_status = BatchStatus::ALL.map(|status| (label("status", status), count(status)));
        self.gauge(
            "balance_partitions",
            "Partitions of running executions, by status.",
            by_status.into(),
        );
        self.gauge(
            "balance_leases",
            "Partitions and tasklets that have not ended, by the state of their lease.",
            vec![
                (label("state", "claimable"), numbers.leases.claimable),
                (label("state", "owned"), numbers.leases.owned),
                (label("state", "expired"), numbers.leases.expired),
            ],
        );
        self.gauge(
            "balance_workers",
            "Workers whose last heartbeat is more recent than the lease time.",
            unlabelled(numbers.workers),
        );
        self.gauge(
            "balance_worker_slots",
            "Claims that these workers can process at a time.",
            unlabelled(numbers.slots),
        );
        self.gauge(
            "balance_queue_window",
            "The maximum number of notifications in the queue.",
            unlabelled(database.window.into()),
        );
    }

    fn events(&mut self, database: &DatabaseSnapshot) {
        self.gauge(
            "balance_late_events",
            "Events that arrived after their day was closed. Counted up to 10,000.",
            unlabelled(database.numbers.late_events),
        );
        self.gauge(
            "balance_rejected_events",
            "Events that cannot be persisted. Counted up to 10,000.",
            unlabelled(database.numbers.rejected_events),
        );
    }

    /// Adds the counters of plays and pauses.
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
            "Plays and pauses, by outcome.",
            samples,
        );
    }

    /// Adds the counters of the worker of this process, and of its event writer if it has one.
    pub(crate) fn worker(&mut self, counters: &WorkerMetrics, has_event_writer: bool) {
        self.counter(
            "balance_worker_claims",
            "Claims of this worker, by outcome.",
            vec![
                (label("outcome", "ended"), counters.ended.get()),
                (label("outcome", "lost"), counters.lost.get()),
                (label("outcome", "dropped"), counters.dropped.get()),
                (label("outcome", "unworkable"), counters.unworkable.get()),
            ],
        );
        self.counter(
            "balance_worker_chunks",
            "Chunks of this worker, by outcome.",
            vec![
                (label("outcome", "committed"), counters.chunks.get()),
                (label("outcome", "rolled_back"), counters.rollbacks.get()),
            ],
        );
        self.counter(
            "balance_worker_heartbeat_failures",
            "Failed heartbeats of this worker.",
            unlabelled(counters.heartbeat_failures.get()),
        );
        self.counter(
            "balance_worker_task_panics",
            "Background tasks of this worker that panicked and were started again.",
            unlabelled(counters.task_panics.get()),
        );
        if !has_event_writer {
            return;
        }
        let event_writer = &counters.event_writer;
        self.counter(
            "balance_event_writer_entries",
            "Stream entries that this process persisted, by outcome.",
            vec![
                (label("outcome", "new"), event_writer.new.get()),
                (label("outcome", "known"), event_writer.known.get()),
                (label("outcome", "late"), event_writer.late.get()),
                (label("outcome", "rejected"), event_writer.rejected.get()),
            ],
        );
        self.counter(
            "balance_event_writer_failures",
            "Failed attempts to persist stream entries.",
            unlabelled(event_writer.failures.get()),
        );
    }
}

/// Returns a sample without labels.
fn unlabelled(value: u64) -> Vec<(Labels, u64)> {
    vec![(Labels::new(), value)]
}

/// Returns a single label.
fn label(name: &'static str, value: impl ToString) -> Labels {
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
