//! `closeDayStep`: nothing is added to the day from here on.

use crate::claims::pool::ClaimPool;
use balance_batch::chunk::Claim;
use balance_service::events::stream::Closed;
use balance_store::{
    StoreError,
    claims::{ClaimError, Ending},
    settlement::Closing,
};
use chrono::TimeDelta;

/// How soon a day that cannot be closed yet is looked at again, in milliseconds.
const AGAIN_MS: u32 = 1_000;

const MICROS_PER_MS: i64 = 1_000;

/// What a look at the day came to.
enum Look {
    Closed,
    /// Its turn has not come, which is nobody's fault.
    NotItsTurn,
    /// The stream holds it up.
    NotYet(String),
}

/// Closes the day, or gives the step back to be rung again: it never waits.
pub(crate) async fn run(pool: &ClaimPool, claim: &Claim) -> Result<(), ClaimError> {
    let store = pool.launcher.store.as_ref();
    let written = match look(pool, claim).await? {
        Look::Closed => store.end(claim, Ending::Completed).await,
        Look::NotItsTurn => store.release_for_turn(claim, AGAIN_MS).await,
        Look::NotYet(reason) => {
            let job_execution = claim.job_execution_id.0;
            tracing::info!(job_execution, date = %claim.date, reason, "the day is not closed yet");
            match waited_too_long(pool, claim) {
                Some(limit_s) => {
                    let reason = format!("not closed within {limit_s} s: {reason}");
                    let step_execution = claim.step_execution_id.0;
                    tracing::error!(job_execution, step_execution, date = %claim.date, reason, "step failed");
                    store.end(claim, Ending::Failed(reason)).await
                }
                None => store.release(claim, AGAIN_MS).await,
            }
        }
    };
    if matches!(written, Err(ClaimError::Fenced)) {
        // Somebody took the step over while we were alive: reading it again takes our name off
        // the list of crashes.
        store.reload(claim).await?;
    }
    written
}

async fn look(pool: &ClaimPool, claim: &Claim) -> Result<Look, ClaimError> {
    let store = pool.launcher.store.as_ref();
    if let Some(earlier) = store.first_unsettled_day().await?
        && earlier < claim.date
    {
        tracing::info!(date = %claim.date, %earlier, "an earlier day is unsettled");
        return Ok(Look::NotItsTurn);
    }
    if let Some(events) = &pool.events {
        let day = pool.launcher.timezone.day(claim.date);
        let day = day.map_err(|error| StoreError::Data(error.to_string()))?;
        match events.stream.close(day.end_micros / MICROS_PER_MS).await {
            Ok(Closed::Drained) => {}
            Ok(Closed::NotOver) => {
                return Ok(Look::NotYet(
                    "by the stream's clock it is not over".to_owned(),
                ));
            }
            Ok(Closed::Waiting) => {
                return Ok(Look::NotYet("events wait to be written".to_owned()));
            }
            Err(error) => return Ok(Look::NotYet(error.to_string())),
        }
    }
    Ok(match store.close_day(claim.date).await? {
        Closing::Closed => Look::Closed,
        Closing::EarlierDayUnsettled(_) => Look::NotItsTurn,
    })
}

/// The limit, in seconds, where the step has waited for the stream for longer.
fn waited_too_long(pool: &ClaimPool, claim: &Claim) -> Option<u32> {
    let limit_s = pool.events.as_ref()?.close_timeout_s;
    let waited = pool.launcher.clock.now() - claim.started_at;
    (waited >= TimeDelta::seconds(i64::from(limit_s))).then_some(limit_s)
}
