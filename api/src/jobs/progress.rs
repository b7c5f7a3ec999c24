//! The progress of an execution, as one response and as a stream of events.

use crate::jobs::views::{ExecutionView, PartitionsView, StepView};
use balance_batch::execution::JobExecutionId;
use balance_domain::{clock::Clock, units::MICROS_PER_S};
use balance_service::jobs::queries::{ExecutionProgress, Jobs};
use futures_util::Stream;
use poem::web::sse::Event;
use poem_openapi::{
    Object,
    types::{Example, ToJSON},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::sleep,
};

/// The interval at which a watched execution is read.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// The number of polls after which a stream ends and its client reconnects: one hour.
const MAX_POLLS: u32 = 7_200;
/// The id of the last event. A client that reconnects with it has received the end.
pub(crate) const ENDED: &str = "ended";

/// An execution and its progress.
#[derive(Debug, Clone, PartialEq, Object)]
#[oai(rename = "JobProgress", rename_all = "camelCase", example)]
pub struct ProgressView {
    /// The execution.
    execution: ExecutionView,
    /// The steps that have started, without their partitions.
    steps: Vec<StepView>,
    /// The counts of the partitions of each partitioned step.
    partitions: Vec<PartitionsView>,
    /// The rows per second that the running step has written since its start; null between steps.
    rate_per_s: Option<f64>,
    /// The estimated time until the running step completes, in seconds; null before its first
    /// partition has completed.
    estimated_s: Option<u64>,
}

impl Example for ProgressView {
    fn example() -> Self {
        let mut step = StepView::example();
        step.name = "partitionedDayStatisticsStep".to_owned();
        step.lease_owner = None;
        Self {
            execution: ExecutionView::example(),
            steps: vec![step],
            partitions: vec![PartitionsView::example()],
            rate_per_s: Some(1_812.5),
            estimated_s: Some(7),
        }
    }
}

impl ProgressView {
    /// Creates the view of the progress at an instant, in microseconds since 1970.
    #[must_use]
    pub fn of(progress: ExecutionProgress, now_micros: i64) -> Self {
        let (rate_per_s, estimated_s) = speed(&progress, now_micros);
        Self {
            execution: progress.execution.into(),
            steps: progress.steps.into_iter().map(Into::into).collect(),
            partitions: progress.partitions.into_iter().map(Into::into).collect(),
            rate_per_s,
            estimated_s,
        }
    }
}

/// Returns the rows per second and the remaining seconds of the running step.
fn speed(progress: &ExecutionProgress, now_micros: i64) -> (Option<f64>, Option<u64>) {
    if !progress.execution.status.is_running() {
        return (None, None);
    }
    let running = || {
        let own = progress
            .steps
            .iter()
            .rev()
            .find(|step| step.status.is_running())?;
        let partitions = progress
            .partitions
            .iter()
            .find(|one| one.step == own.name.step)?;
        let began_micros = own.start_time?.and_utc().timestamp_micros();
        let elapsed_s = seconds(now_micros.saturating_sub(began_micros));
        (elapsed_s > 0.0).then_some((partitions, elapsed_s))
    };
    let Some((partitions, elapsed_s)) = running() else {
        return (None, None);
    };
    let rate = ratio(partitions.counters.writes.unsigned_abs(), elapsed_s);
    let left = partitions.waiting + partitions.running;
    let done = ratio(partitions.completed, elapsed_s);
    let estimated_s = (done > 0.0).then(|| truncated(ratio(left, done).ceil()));
    // More than one decimal place is noise.
    (Some((rate * 10.0).round() / 10.0), estimated_s)
}

#[expect(clippy::cast_precision_loss, reason = "an approximate speed")]
fn seconds(micros: i64) -> f64 {
    micros as f64 / MICROS_PER_S as f64
}

#[expect(clippy::cast_precision_loss, reason = "an approximate speed")]
fn ratio(count: u64, of: f64) -> f64 {
    count as f64 / of
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "never negative, and a cast of floats stays within bounds"
)]
const fn truncated(value: f64) -> u64 {
    value as u64
}

/// The context of a stream of events.
pub(crate) struct Watch {
    pub(crate) jobs: Jobs,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) id: JobExecutionId,
    /// Becomes true at shutdown. Open streams would delay it.
    pub(crate) stopping: watch::Receiver<bool>,
    /// The permit of the limit on concurrent streams.
    pub(crate) _permit: OwnedSemaphorePermit,
}

/// The state of a stream.
struct State {
    watch: Watch,
    last: Option<ProgressView>,
    polls: u32,
    has_ended: bool,
}

/// Returns the state of an execution immediately and after each change, until it ends.
///
/// Each event is complete, so that a client that reconnects has missed nothing.
pub(crate) fn events(watch: Watch) -> impl Stream<Item = ProgressView> + Send + 'static {
    let state = State {
        watch,
        last: None,
        polls: 0,
        has_ended: false,
    };
    futures_util::stream::unfold(state, next)
}

async fn next(mut state: State) -> Option<(ProgressView, State)> {
    while !state.has_ended && state.polls < MAX_POLLS {
        if state.polls > 0 {
            tokio::select! {
                () = sleep(POLL_INTERVAL) => {}
                _ = state.watch.stopping.changed() => return None,
            }
        }
        state.polls += 1;
        // If the store is unavailable, the stream ends and its client reconnects.
        let progress = match state.watch.jobs.progress(state.watch.id).await {
            Ok(progress) => progress,
            Err(error) => {
                tracing::debug!(%error, "failed to read progress; closed the event stream");
                return None;
            }
        };
        state.has_ended = !progress.execution.status.is_running();
        let view = ProgressView::of(progress, state.watch.clock.now_micros());
        if state.last.as_ref() != Some(&view) {
            state.last = Some(view.clone());
            return Some((view, state));
        }
    }
    None
}

/// Encodes an event.
pub(crate) fn event(view: ProgressView) -> Event {
    let has_ended = view.execution.has_ended();
    let text = view.to_json_string();
    if has_ended {
        return Event::message(text).event_type(ENDED).id(ENDED);
    }
    Event::message(text).event_type("progress").id("progress")
}
