//! `closeDayStep`: nothing is added to the day from here on.

use balance_core::{
    batch::chunk::Claim,
    port::{
        Store,
        claims::{ClaimError, Ending},
        settlement::Closing,
    },
};

/// How soon a day that cannot be closed yet is looked at again, in milliseconds.
const AGAIN_MS: u32 = 1_000;

/// Closes the day, or gives the step back to be rung again: it never waits.
pub(crate) async fn run(store: &dyn Store, claim: &Claim) -> Result<(), ClaimError> {
    let written = match store.close_day(claim.date).await? {
        Closing::Closed => store.end(claim, Ending::Completed).await,
        Closing::EarlierDayUnsettled(earlier) => {
            tracing::info!(date = %claim.date, %earlier, "not yet: an earlier day is unsettled");
            store.release(claim, AGAIN_MS).await
        }
    };
    if matches!(written, Err(ClaimError::Fenced)) {
        // Somebody took the step over while we were alive: reading it again takes our name off
        // the list of crashes.
        store.reload(claim).await?;
    }
    written
}
