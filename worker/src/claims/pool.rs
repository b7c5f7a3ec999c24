//! The claim pool: a bounded number of claim loops, each of which processes one claim at a time.

use crate::{claims::executor, context::WorkerContext};
use balance_batch::{
    chunk::{Claim, ClaimToken},
    execution::StepExecutionId,
};
use balance_service::trace;
use balance_store::{StoreResult, claims::Claimed};
use rand::seq::SliceRandom;
use std::{collections::VecDeque, sync::Arc};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;
use tracing::{Instrument, Span};

/// Claimable rows that an idle loop reads at a time. The loop tries them in random order, so that
/// the loops of a fleet seldom try the same row.
const CANDIDATES: u32 = 64;

/// The claim loops of a worker.
pub(crate) struct ClaimPool {
    pub(crate) context: Arc<WorkerContext>,
    loops: TaskTracker,
    permits: Arc<Semaphore>,
}

impl ClaimPool {
    pub(crate) fn new(context: Arc<WorkerContext>) -> Self {
        let permits = usize::try_from(context.settings.identity.concurrency).unwrap_or(1);
        Self {
            context,
            loops: TaskTracker::new(),
            permits: Arc::new(Semaphore::new(permits)),
        }
    }

    /// Returns the number of claim loops that could start now.
    pub(crate) fn free(&self) -> u32 {
        u32::try_from(self.permits.available_permits()).unwrap_or(u32::MAX)
    }

    /// Starts a claim loop that tries `first` before other rows. Without a free permit the
    /// notification is dropped: the running loops continue until no row is claimable.
    pub(crate) fn notify(self: &Arc<Self>, first: StepExecutionId) {
        if self.context.stopping.is_cancelled() {
            return;
        }
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            let pool = Arc::clone(self);
            self.loops.spawn(pool.claim_loop(first, permit));
        }
    }

    /// Waits until all claim loops have ended.
    pub(crate) async fn finish(&self) {
        self.loops.close();
        self.loops.wait().await;
    }

    async fn claim_loop(self: Arc<Self>, first: StepExecutionId, permit: OwnedSemaphorePermit) {
        if let Err(error) = self.claim_until_none(first).await {
            // The dispatcher's poll finds the remaining work.
            tracing::warn!(first = first.0, %error, "claim loop ended");
        }
        drop(permit);
    }

    async fn claim_until_none(&self, first: StepExecutionId) -> StoreResult<()> {
        let mut candidates = VecDeque::from([first]);
        let mut has_worked = true;
        while !self.context.stopping.is_cancelled() {
            match candidates.pop_front() {
                Some(id) => has_worked |= self.claim_and_execute(id).await?,
                None if has_worked => {
                    has_worked = false;
                    let store = &self.context.launcher.store;
                    let mut found = store.claimable(CANDIDATES).await?;
                    if found.is_empty() {
                        return Ok(());
                    }
                    found.shuffle(&mut rand::rng());
                    candidates = found.into();
                }
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// Claims a row, executes it and advances its job execution. Returns false if the row cannot be
    /// claimed.
    async fn claim_and_execute(&self, id: StepExecutionId) -> StoreResult<bool> {
        let token = ClaimToken(rand::random());
        let context = self.context.as_ref();
        let (name, lease_s) = (context.name(), context.settings.lease_s);
        let claimed = context.launcher.store.claim(id, token, name, lease_s);
        let job = match claimed.await? {
            Claimed::NotClaimable => return Ok(false),
            Claimed::Failed {
                job_execution_id,
                reason,
            } => {
                context.metrics.unworkable.add(1);
                tracing::error!(
                    job_execution = job_execution_id.0,
                    step_execution = id.0,
                    reason,
                    "step execution failed"
                );
                job_execution_id
            }
            Claimed::Owned(claim) => {
                let job = claim.job_execution_id;
                let _owned = context.owned.add(claim.as_ref().clone());
                let span = span(&claim, name);
                executor::execute(context, *claim).instrument(span).await;
                job
            }
        };
        context.advance(job).await?;
        Ok(true)
    }
}

/// Creates the span of a claim's execution, a child of the launch of its job execution.
fn span(claim: &Claim, worker: &str) -> Span {
    let span = tracing::info_span!(
        "partition",
        otel.kind = "consumer",
        worker,
        job_execution = claim.job_execution_id.0,
        step_execution = claim.step_execution_id.0,
        name = %claim.name,
    );
    if let Some(parent) = &claim.trace {
        trace::set_parent(&span, parent);
    }
    span
}
