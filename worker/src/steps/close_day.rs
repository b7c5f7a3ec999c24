//! `closeDayStep`: closes the day, so that no later event is added to it.

use crate::context::WorkerContext;
use balance_batch::chunk::Claim;
use balance_domain::units::MICROS_PER_MS;
use balance_service::{
    events::stream::Closed,
    operations::restore::{RestoreError, check_ids},
};
use balance_store::{
    StoreError,
    claims::{ClaimError, Ending},
    settlement::Closing,
};
use chrono::TimeDelta;

/// How long a step whose day cannot be closed yet stays unclaimable, in milliseconds.
const RETRY_MS: u32 = 1_000;

/// The outcome of an attempt to close the day.
enum Attempt {
    Closed,
    /// An earlier day is unsettled. The wait has no limit.
    EarlierDayUnsettled,
    /// The event stream or an import delays the closing, with the reason. The wait is limited.
    Delayed(String),
    /// An import was undone. The schedule tries again later.
    Rejected(String),
}

/// Closes the day. If that is not possible yet, releases the claim for one second instead of
/// waiting.
pub(crate) async fn run(context: &WorkerContext, claim: &Claim) -> Result<(), ClaimError> {
    let store = context.launcher.store.as_ref();
    let written = match close(context, claim).await? {
        Attempt::Closed => store.end(claim, Ending::Completed).await,
        Attempt::EarlierDayUnsettled => store.release_unstarted(claim, RETRY_MS).await,
        Attempt::Rejected(reason) => store.end(claim, Ending::Failed(reason)).await,
        Attempt::Delayed(reason) => {
            let job_execution = claim.job_execution_id.0;
            tracing::info!(job_execution, date = %claim.date, reason, "closing of the day delayed");
            match exceeded_limit_s(context, claim) {
                Some(limit_s) => {
                    let reason = format!("not closed within {limit_s} s: {reason}");
                    let step_execution = claim.step_execution_id.0;
                    tracing::error!(
                        job_execution,
                        step_execution,
                        date = %claim.date,
                        reason,
                        "failed to close the day"
                    );
                    store.end(claim, Ending::Failed(reason)).await
                }
                None => store.release(claim, RETRY_MS).await,
            }
        }
    };
    if matches!(written, Err(ClaimError::Fenced)) {
        // Another worker took over the step of this worker, which is alive. Reloading the claim deletes its
        // expiry, which would otherwise count as a crash.
        store.reload(claim).await?;
    }
    written
}

async fn close(context: &WorkerContext, claim: &Claim) -> Result<Attempt, ClaimError> {
    let store = context.launcher.store.as_ref();
    if let Some(earlier) = store.first_unsettled_day().await?
        && earlier < claim.date
    {
        tracing::info!(
            date = %claim.date,
            %earlier,
            "closing of the day delayed: an earlier day is unsettled"
        );
        return Ok(Attempt::EarlierDayUnsettled);
    }
    if let Some(events) = &context.event_stream {
        // A database that is older than its stream lacks events that no event writer reads again.
        match check_ids(store, events.stream.as_ref()).await {
            Ok(()) => {}
            Err(RestoreError::Store(error)) => return Err(error.into()),
            Err(error) => return Ok(Attempt::Delayed(error.to_string())),
        }
        let day = context.launcher.timezone.day(claim.date);
        let day = day.map_err(|error| StoreError::Data(error.to_string()))?;
        let now_ms = context.launcher.clock.now_micros() / MICROS_PER_MS;
        let closed = events.stream.close(day.end_micros / MICROS_PER_MS, now_ms);
        match closed.await {
            Ok(Closed::Drained) => {}
            Ok(Closed::NotOver) => {
                return Ok(Attempt::Delayed(
                    "the day is not over by the clock of the stream".to_owned(),
                ));
            }
            Ok(Closed::Waiting) => {
                return Ok(Attempt::Delayed(
                    "events of the stream are not persisted yet".to_owned(),
                ));
            }
            Ok(Closed::WrongClock) => {
                return Ok(Attempt::Delayed(
                    "the clock of the stream and that of this worker differ, or the stream is ahead of \
                     them"
                        .to_owned(),
                ));
            }
            Err(error) => return Ok(Attempt::Delayed(error.to_string())),
        }
    }
    Ok(match store.close_day(claim.date).await? {
        Closing::Closed => Attempt::Closed,
        Closing::EarlierDayUnsettled(_) => Attempt::EarlierDayUnsettled,
        Closing::ImportRunning(id) => Attempt::Delayed(format!("import {id} has not ended")),
        Closing::ImportUndone(id) => Attempt::Rejected(format!(
            "import {id} of this day is undone or being undone; repeat `balance import undo {id}` if it \
             was interrupted, and import the corrected plays"
        )),
    })
}

/// Returns the time limit in seconds if the step has waited for the stream for longer.
fn exceeded_limit_s(context: &WorkerContext, claim: &Claim) -> Option<u32> {
    let limit_s = context.event_stream.as_ref()?.close_timeout_s;
    let waited = context.launcher.clock.now() - claim.started_at;
    (waited >= TimeDelta::seconds(i64::from(limit_s))).then_some(limit_s)
}
