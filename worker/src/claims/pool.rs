//! The crew: a bounded number of claim loops, each working one claim after the other.

use crate::{
    claims::{executor, heartbeat::OwnedClaims},
    events::writer::Events,
    settings::WorkerSettings,
};
use balance_batch::{
    chunk::{Claim, ClaimToken},
    execution::{JobExecutionId, StepExecutionId},
    status::BatchStatus,
};
use balance_service::{jobs::launcher::Launcher, operations::counters::WorkerMetrics, trace};
use balance_store::{
    StoreError, StoreResult,
    claims::{ClaimError, Claimed, Reloaded},
};
use rand::seq::SliceRandom;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument, Span};

/// Dropped claims that are remembered; of more the leases run out.
const MAX_DROPPED: usize = 1_000;
/// How many claimable rows a loop looks at when it has nothing to do. They are tried in random
/// order, so that a fleet's loops seldom try the same one.
const CANDIDATES: u32 = 64;

/// What all tasks of a worker share.
pub(crate) struct ClaimPool {
    pub(crate) launcher: Launcher,
    pub(crate) settings: WorkerSettings,
    /// The intake's stream, in a fleet.
    pub(crate) events: Option<Events>,
    pub(crate) owned: OwnedClaims,
    /// Cancelled when the worker is asked to end: nothing new is claimed, running chunks finish.
    pub(crate) ending: CancellationToken,
    /// Wakes the schedule's look for a day to settle.
    pub(crate) look: Notify,
    /// What this worker did.
    pub(crate) counters: Arc<WorkerMetrics>,
    /// The claim loops.
    pub(crate) loops: TaskTracker,
    permits: Arc<Semaphore>,
    /// Claims that a failure of the database made us drop: we are alive, so that was no crash.
    dropped: Mutex<Vec<Claim>>,
}

impl ClaimPool {
    pub(crate) fn new(
        launcher: Launcher,
        settings: WorkerSettings,
        events: Option<Events>,
    ) -> Self {
        let permits = usize::try_from(settings.identity.concurrency).unwrap_or(1);
        Self {
            launcher,
            settings,
            events,
            owned: OwnedClaims::default(),
            ending: CancellationToken::new(),
            look: Notify::new(),
            counters: Arc::default(),
            loops: TaskTracker::new(),
            permits: Arc::new(Semaphore::new(permits)),
            dropped: Mutex::new(Vec::new()),
        }
    }

    /// Claim loops that could start now.
    pub(crate) fn free(&self) -> u32 {
        u32::try_from(self.permits.available_permits()).unwrap_or(u32::MAX)
    }

    /// Starts a claim loop with a step execution to look at first. With no permit free the ring is
    /// dropped: the loops at work go on until nothing is claimable.
    pub(crate) fn notify(self: &Arc<Self>, first: StepExecutionId) {
        if self.ending.is_cancelled() {
            return;
        }
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            let pool = Arc::clone(self);
            self.loops.spawn(pool.claim_loop(first, permit));
        }
    }

    /// Takes note of a claim to be given back when the database can be written again.
    pub(crate) fn release_later(&self, claim: Claim) {
        let mut dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        if dropped.len() < MAX_DROPPED {
            dropped.push(claim);
        }
    }

    /// Gives the dropped claims back; those that somebody took over meanwhile are told that it was
    /// no crash.
    pub(crate) async fn release_dropped(&self) -> StoreResult<()> {
        let dropped = {
            let mut dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *dropped)
        };
        for (done, claim) in dropped.iter().enumerate() {
            if let Err(error) = self.release(claim).await {
                for claim in &dropped[done..] {
                    self.release_later(claim.clone());
                }
                return Err(error);
            }
        }
        Ok(())
    }

    async fn release(&self, claim: &Claim) -> StoreResult<()> {
        let store = &self.launcher.store;
        match store.reload(claim).await {
            Ok(Reloaded::Ours(claim)) => match store.release(&claim, 0).await {
                Ok(()) | Err(ClaimError::Fenced) => Ok(()),
                Err(ClaimError::Store(error)) => Err(error),
            },
            // A row that cannot be read is failed by its next claim.
            Ok(Reloaded::Lost) | Err(StoreError::Damaged(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn claim_loop(self: Arc<Self>, first: StepExecutionId, permit: OwnedSemaphorePermit) {
        if let Err(error) = self.claim_until_none(first).await {
            // The dispatcher's poll comes back to whatever was left.
            tracing::warn!(first = first.0, %error, "claim loop ended");
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
                    let mut found = self.launcher.store.claimable(CANDIDATES).await?;
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

    /// Works one row, if it can be claimed, and takes its execution further.
    async fn claim_and_work(&self, id: StepExecutionId) -> StoreResult<bool> {
        let token = ClaimToken(rand::random());
        let (name, lease_s) = (&self.settings.identity.name, self.settings.lease_s);
        let job = match self.launcher.store.claim(id, token, name, lease_s).await? {
            Claimed::NotClaimable => return Ok(false),
            Claimed::Failed {
                job_execution_id,
                reason,
            } => {
                self.counters.unworkable.add(1);
                tracing::error!(
                    job_execution = job_execution_id.0,
                    step_execution = id.0,
                    reason,
                    "step execution failed"
                );
                job_execution_id
            }
            Claimed::Ours(claim) => {
                let job = claim.job_execution_id;
                let _held = self.owned.hold(token);
                let span = self.span(&claim);
                executor::execute(self, *claim).instrument(span).await;
                job
            }
        };
        self.advance(job).await?;
        Ok(true)
    }

    /// The span of a claim's work, which follows the launch of its execution.
    fn span(&self, claim: &Claim) -> Span {
        let span = tracing::info_span!(
            "partition",
            otel.kind = "consumer",
            worker = self.settings.identity.name,
            job_execution = claim.job_execution_id.0,
            step_execution = claim.step_execution_id.0,
            name = %claim.name,
        );
        if let Some(parent) = &claim.trace {
            trace::follow(&span, parent);
        }
        span
    }

    /// Takes an execution further. Where that settled its day, the next one's turn has come.
    pub(crate) async fn advance(&self, id: JobExecutionId) -> StoreResult<()> {
        if self.launcher.advance(id).await? == Some(BatchStatus::Completed) {
            self.look.notify_one();
        }
        Ok(())
    }
}
