//! How far an execution is: as one answer, and as a stream of events.

use crate::jobs::views::{ExecutionView, PartitionsView, StepView};
use balance_batch::{execution::JobExecutionId, status::BatchStatus};
use balance_domain::clock::Clock;
use balance_service::jobs::queries::{Jobs, Progress};
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

/// How often a watched execution is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// Looks after which a stream ends, for its client to come again: an hour's.
const MAX_LOOKS: u32 = 7_200;
/// The id of the last event: whoever comes again with it has seen the end.
pub(crate) const ENDED: &str = "ended";
const MICROS_PER_S: f64 = 1_000_000.0;

/// An execution and how far it is.
#[derive(Debug, Clone, PartialEq, Object)]
#[oai(rename = "JobProgress", rename_all = "camelCase", example)]
pub(crate) struct ProgressView {
    /// The execution.
    execution: ExecutionView,
    /// Its steps, those that have begun; their partitions are counted in `partitions`.
    steps: Vec<StepView>,
    /// The partitions of each step that has some.
    partitions: Vec<PartitionsView>,
    /// Rows that the step at work writes, a second, since it began; null between steps.
    rate_per_s: Option<f64>,
    /// Seconds that the step at work will still take, if its partitions go on as so far; null
    /// before the first has completed.
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
    pub(crate) fn of(progress: Progress, now_micros: i64) -> Self {
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

/// Rows a second and seconds left of the step at work.
fn speed(progress: &Progress, now_micros: i64) -> (Option<f64>, Option<u64>) {
    if !progress.execution.status.is_running() {
        return (None, None);
    }
    let is_at_work = |status: BatchStatus| status.is_running();
    let running = || {
        let own = progress
            .steps
            .iter()
            .rev()
            .find(|step| is_at_work(step.status))?;
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
    let estimated_s = (done > 0.0).then(|| whole(ratio(left, done).ceil()));
    // Tenths are all that means anything.
    (Some((rate * 10.0).round() / 10.0), estimated_s)
}

#[expect(clippy::cast_precision_loss, reason = "a speed to look at")]
fn seconds(micros: i64) -> f64 {
    micros as f64 / MICROS_PER_S
}

#[expect(clippy::cast_precision_loss, reason = "a speed to look at")]
fn ratio(count: u64, of: f64) -> f64 {
    count as f64 / of
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "never negative, and a cast of floats stays within bounds"
)]
const fn whole(value: f64) -> u64 {
    value as u64
}

/// What a stream of events goes on with.
pub(crate) struct Watch {
    pub(crate) jobs: Jobs,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) id: JobExecutionId,
    /// Set when the server ends: streams would keep it.
    pub(crate) is_ending: watch::Receiver<bool>,
    /// A place among the streams that there may be at once.
    pub(crate) _place: OwnedSemaphorePermit,
}

/// What a stream remembers.
struct State {
    watch: Watch,
    last: Option<ProgressView>,
    looks: u32,
    has_ended: bool,
}

/// Events of an execution: its state at once, then whenever it has changed, until it ends. Each
/// tells everything, so that whoever was away has missed nothing.
pub(crate) fn events(watch: Watch) -> impl Stream<Item = ProgressView> + Send + 'static {
    let state = State {
        watch,
        last: None,
        looks: 0,
        has_ended: false,
    };
    futures_util::stream::unfold(state, next)
}

async fn next(mut state: State) -> Option<(ProgressView, State)> {
    while !state.has_ended && state.looks < MAX_LOOKS {
        if state.looks > 0 {
            tokio::select! {
                () = sleep(LOOK) => {}
                _ = state.watch.is_ending.changed() => return None,
            }
        }
        state.looks += 1;
        // A store that is away ends the stream: its client comes again.
        let progress = match state.watch.jobs.progress(state.watch.id).await {
            Ok(progress) => progress,
            Err(error) => {
                tracing::debug!(%error, "a stream of events ends");
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

/// An event as it is sent.
pub(crate) fn event(view: ProgressView) -> Event {
    let has_ended = view.execution.has_ended();
    let text = view.to_json_string();
    if has_ended {
        return Event::message(text).event_type(ENDED).id(ENDED);
    }
    Event::message(text).event_type("progress").id("progress")
}
