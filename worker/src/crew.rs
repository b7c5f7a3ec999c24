//! The crew: a bounded number of claim loops, each working one claim after the other.

use crate::{executor, heartbeat::HeldClaims, settings::WorkerSettings};
use balance_core::{
    batch::{chunk::ClaimToken, execution::StepExecutionId},
    port::{claims::Claimed, error::StoreResult},
    service::launcher::Launcher,
};
use std::{collections::VecDeque, sync::Arc};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How many claimable rows a loop looks at when it has nothing to do.
const CANDIDATES: u32 = 16;

/// What all tasks of a worker share.
pub(crate) struct Crew {
    pub(crate) launcher: Launcher,
    pub(crate) settings: WorkerSettings,
    pub(crate) held: HeldClaims,
    /// Cancelled when the worker is asked to end: nothing new is claimed, running chunks finish.
    pub(crate) ending: CancellationToken,
    /// The claim loops.
    pub(crate) loops: TaskTracker,
    permits: Arc<Semaphore>,
}

impl Crew {
    pub(crate) fn new(launcher: Launcher, settings: WorkerSettings) -> Self {
        let permits = usize::try_from(settings.concurrency).unwrap_or(1);
        Self {
            launcher,
            settings,
            held: HeldClaims::default(),
            ending: CancellationToken::new(),
            loops: TaskTracker::new(),
            permits: Arc::new(Semaphore::new(permits)),
        }
    }

    /// Claim loops that could start now.
    pub(crate) fn free(&self) -> u32 {
        u32::try_from(self.permits.available_permits()).unwrap_or(u32::MAX)
    }

    /// Starts a claim loop with a step execution to look at first. With no permit free the ring is
    /// dropped: the loops at work go on until nothing is claimable.
    pub(crate) fn ring(self: &Arc<Self>, first: StepExecutionId) {
        if self.ending.is_cancelled() {
            return;
        }
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            let crew = Arc::clone(self);
            self.loops.spawn(crew.claim_loop(first, permit));
        }
    }

    async fn claim_loop(self: Arc<Self>, first: StepExecutionId, permit: OwnedSemaphorePermit) {
        if let Err(error) = self.claim_until_none(first).await {
            // The dispatcher's poll comes back to whatever was left.
            tracing::warn!(%error, "claim loop ended");
        }
        drop(permit);
    }

    async fn claim_until_none(&self, first: StepExecutionId) -> StoreResult<()> {
        let mut candidates = VecDeque::from([first]);
        let mut has_worked = true;
        while !self.ending.is_cancelled() {
            match candidates.pop_front() {
                Some(id) => has_worked |= self.claim_and_work(id).await?,
                None if has_worked => {
                    has_worked = false;
                    candidates = self.launcher.store.claimable(CANDIDATES).await?.into();
                    if candidates.is_empty() {
                        return Ok(());
                    }
                }
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// Works one row, if it can be claimed, and takes its execution further.
    async fn claim_and_work(&self, id: StepExecutionId) -> StoreResult<bool> {
        let token = ClaimToken(rand::random());
        let WorkerSettings { name, lease_s, .. } = &self.settings;
        let job = match self.launcher.store.claim(id, token, name, *lease_s).await? {
            Claimed::NotClaimable => return Ok(false),
            Claimed::Failed {
                job_execution_id,
                reason,
            } => {
                tracing::error!(step_execution = id.0, reason, "step execution failed");
                job_execution_id
            }
            Claimed::Ours(claim) => {
                let job = claim.job_execution_id;
                let _held = self.held.hold(token);
                executor::execute(self, *claim).await;
                job
            }
        };
        self.launcher.advance(job).await?;
        Ok(true)
    }
}
