//! Executes one claim: processes chunk after chunk from its cursor, until the partition is
//! completed, stopped or failed, or the claim is lost.

use crate::{
    backoff::backoff,
    context::WorkerContext,
    steps::{self, Chunk, close_day},
};
use balance_batch::{
    chunk::{ChunkCommit, Claim, RejectedItem},
    job::{Step, StepName},
    partition::{IdRange, PartitionState},
    status::BatchStatus,
    step::Counters,
};
use balance_domain::settlement::SettleError;
use balance_store::{
    StoreError, StoreResult,
    claims::{ChunkLimits, ChunkOutcome, ChunkOutput, ClaimError, Ending, Reloaded},
};
use std::time::Duration;
use tracing::{Instrument, Span, field::Empty};

/// The shortest and the longest wait before a chunk is retried.
const MIN_BACKOFF: Duration = Duration::from_millis(50);
const MAX_BACKOFF: Duration = Duration::from_secs(2);

/// The outcome of an attempt at a chunk.
enum Attempt {
    /// The chunk is committed and the partition has more.
    Continues,
    /// This worker ended the claim, or another worker owns the partition now.
    Over,
    /// A transient error, with its reason.
    Retry(String),
    /// The database rejected the data of a video with an id up to this one. The video is unknown.
    Isolate(i64),
    /// A permanent error, with its reason.
    Failed(String),
}

/// Executes a claim to its end. If the database fails, or the time of a shutdown is over, the claim
/// is dropped: this worker releases it later, or its lease expires.
pub(crate) async fn execute(context: &WorkerContext, claim: Claim) {
    let dropped = claim.clone();
    let (job_execution, step_execution) = (claim.job_execution_id.0, claim.step_execution_id.0);
    let name = claim.name;
    let work = async {
        match claim.name.step {
            Step::CloseDay => close_day::run(context, &claim).await,
            _ => Execution::new(context, claim).run().await,
        }
    };
    let ended = tokio::select! {
        ended = work => ended,
        () = context.giving_up.cancelled() => {
            context.metrics.dropped.add(1);
            tracing::warn!(
                job_execution,
                step_execution,
                %name,
                "claim given up: not finished within GRACE_S"
            );
            context.dropped.add(dropped);
            return;
        }
    };
    match ended {
        Ok(()) => context.metrics.ended.add(1),
        Err(ClaimError::Fenced) => {
            context.metrics.lost.add(1);
            tracing::info!(job_execution, step_execution, %name, "claim lost to another worker");
        }
        Err(ClaimError::Store(error)) => {
            context.metrics.dropped.add(1);
            tracing::warn!(
                job_execution,
                step_execution,
                %name,
                %error,
                "claim dropped: database failed"
            );
            context.dropped.add(dropped);
        }
    }
}

struct Execution<'a> {
    context: &'a WorkerContext,
    claim: Claim,
    /// Videos up to this id are written one at a time, because the database rejected one of them.
    isolate_upto: Option<i64>,
}

impl<'a> Execution<'a> {
    fn new(context: &'a WorkerContext, claim: Claim) -> Self {
        Self {
            context,
            claim,
            isolate_upto: None,
        }
    }

    async fn run(mut self) -> Result<(), ClaimError> {
        let mut waits = backoff(MIN_BACKOFF, MAX_BACKOFF);
        let mut retries = 0;
        loop {
            if self.context.stopping.is_cancelled() {
                return self.release().await;
            }
            if self.must_stop().await? {
                return self.end(Ending::Stopped).await;
            }
            match self.attempt().await? {
                Attempt::Continues => {
                    waits = backoff(MIN_BACKOFF, MAX_BACKOFF);
                    retries = 0;
                }
                Attempt::Over => return Ok(()),
                Attempt::Isolate(upto) => self.isolate_upto = Some(upto),
                Attempt::Failed(reason) => return self.end(Ending::Failed(reason)).await,
                Attempt::Retry(reason) if retries >= self.context.settings.retry_limit => {
                    let reason = format!("gave up after {retries} retries: {reason}");
                    return self.end(Ending::Failed(reason)).await;
                }
                Attempt::Retry(reason) => {
                    retries += 1;
                    let (job_execution, step_execution, name) = self.ids();
                    tracing::warn!(
                        job_execution,
                        step_execution,
                        %name,
                        retries,
                        reason,
                        "chunk failed; retrying"
                    );
                    tokio::time::sleep(waits.next().unwrap_or(MAX_BACKOFF)).await;
                }
            }
        }
    }

    /// Returns the fields that identify the claim in the log.
    fn ids(&self) -> (i64, i64, StepName) {
        let claim = &self.claim;
        (
            claim.job_execution_id.0,
            claim.step_execution_id.0,
            claim.name,
        )
    }

    /// Returns whether the job execution is no longer STARTED. Called before each chunk.
    async fn must_stop(&self) -> StoreResult<bool> {
        let store = &self.context.launcher.store;
        let status = store.execution_status(self.claim.job_execution_id).await?;
        Ok(status != BatchStatus::Started)
    }

    /// Releases the claim, because the worker is asked to stop.
    async fn release(&mut self) -> Result<(), ClaimError> {
        let store = &self.context.launcher.store;
        match store.release(&self.claim, 0).await {
            Err(ClaimError::Fenced) if self.is_still_ours().await? => {
                store.release(&self.claim, 0).await
            }
            released => released,
        }
    }

    async fn end(&mut self, ending: Ending) -> Result<(), ClaimError> {
        let (job_execution, step_execution, name) = self.ids();
        match &ending {
            Ending::Failed(reason) => {
                tracing::error!(job_execution, step_execution, %name, reason, "partition failed");
            }
            _ => {
                tracing::info!(job_execution, step_execution, %name, ?ending, "partition ended");
            }
        }
        let store = &self.context.launcher.store;
        match store.end(&self.claim, ending.clone()).await {
            Err(ClaimError::Fenced) if self.is_still_ours().await? => {
                store.end(&self.claim, ending).await
            }
            ended => ended,
        }
    }

    /// Rereads the row after a write failed on its version. If the version changed because a reply
    /// was lost, the lease must not expire, which would count as a crash.
    async fn is_still_ours(&mut self) -> Result<bool, ClaimError> {
        Ok(!matches!(self.reload().await?, Attempt::Over))
    }

    /// Attempts the next chunk within the time limit.
    async fn attempt(&mut self) -> Result<Attempt, ClaimError> {
        let limit = Duration::from_secs(u64::from(self.context.settings.chunk_timeout_s));
        let span = tracing::info_span!("chunk", reads = Empty, writes = Empty);
        match tokio::time::timeout(limit, self.chunk().instrument(span)).await {
            Ok(attempt) => attempt,
            Err(_) => {
                self.count_rollback(Counters::default()).await?;
                Ok(Attempt::Retry(format!(
                    "a chunk took longer than {} s",
                    limit.as_secs()
                )))
            }
        }
    }

    async fn chunk(&mut self) -> Result<Attempt, ClaimError> {
        let state = self
            .claim
            .state
            .ok_or_else(|| StoreError::Damaged("a partition without a range".to_owned()))?;
        let is_single = self.isolate_upto.is_some_and(|upto| state.cursor < upto);
        let limit = if is_single {
            1
        } else {
            self.context.settings.chunk_size
        };
        let range = IdRange {
            after: state.cursor,
            upto: state.range.upto,
        };
        let store = self.context.launcher.store.as_ref();
        let chunk = match steps::prepare(store, &self.claim, range, limit).await {
            Ok(chunk) => chunk,
            Err(error) => return self.rolled_back(error, None, Counters::default()).await,
        };
        let counters = chunk.commit.counters;
        Span::current().record("reads", counters.reads);
        Span::current().record("writes", counters.writes);
        if let Some(reason) = self.over_limit(&chunk.commit.rejected) {
            return self.failed(chunk.commit.counters, reason).await;
        }
        self.write(state, chunk, is_single).await
    }

    /// Returns the reason to fail if this chunk alone exceeds the skip limit.
    fn over_limit(&self, rejected: &[RejectedItem]) -> Option<String> {
        let count = u32::try_from(rejected.len()).unwrap_or(u32::MAX);
        let first = rejected.first()?;
        (count > self.context.settings.skip_limit).then(|| self.skip_limit_reason(first))
    }

    fn skip_limit_reason(&self, item: &RejectedItem) -> String {
        let limit = self.context.settings.skip_limit;
        format!(
            "skip limit of {limit} exceeded: video {}: {}",
            item.video_id, item.reason
        )
    }

    async fn write(
        &mut self,
        state: PartitionState,
        chunk: Chunk,
        is_single: bool,
    ) -> Result<Attempt, ClaimError> {
        let limits = ChunkLimits {
            lease_s: self.context.settings.lease_s,
            skip_limit: self.context.settings.skip_limit,
        };
        let Chunk { commit, output } = chunk;
        let store = self.context.launcher.store.as_ref();
        let written = store
            .commit_chunk(&mut self.claim, &commit, &output, limits)
            .await;
        if let Ok(ChunkOutcome::Continues | ChunkOutcome::Completed) = written {
            self.context.metrics.chunks.add(1);
        }
        match written {
            Ok(ChunkOutcome::Continues) => Ok(Attempt::Continues),
            Ok(ChunkOutcome::Completed) => Ok(Attempt::Over),
            Ok(ChunkOutcome::OverSkipLimit) => {
                let first = commit.rejected.first();
                let reason = first.map_or_else(String::new, |item| self.skip_limit_reason(item));
                self.failed(commit.counters, reason).await
            }
            Err(ClaimError::Fenced) => self.reload().await,
            Err(ClaimError::Store(StoreError::Data(reason))) if is_single => {
                self.reject_single(state, commit.cursor, &output, reason)
                    .await
            }
            Err(ClaimError::Store(error)) => {
                self.rolled_back(error, Some(commit.cursor), commit.counters)
                    .await
            }
        }
    }

    /// Skips the single video that the database rejected, if the skip limit allows it.
    async fn reject_single(
        &mut self,
        state: PartitionState,
        cursor: i64,
        output: &ChunkOutput,
        reason: String,
    ) -> Result<Attempt, ClaimError> {
        let Some(video_id) = output.first_video() else {
            return Ok(Attempt::Failed(reason));
        };
        let item = RejectedItem {
            video_id: video_id.0,
            reason: SettleError::Rejected(reason).to_string(),
        };
        if let Some(reason) = self.over_limit(std::slice::from_ref(&item)) {
            let counters = Counters {
                reads: 1,
                ..Counters::default()
            };
            return self.failed(counters, reason).await;
        }
        let chunk = Chunk {
            commit: ChunkCommit {
                cursor,
                counters: Counters {
                    reads: 1,
                    write_skips: 1,
                    ..Counters::default()
                },
                rejected: vec![item],
            },
            output: output.without_rows(),
        };
        Box::pin(self.write(state, chunk, false)).await
    }

    /// Counts a rolled-back chunk and fails the partition.
    async fn failed(&mut self, counters: Counters, reason: String) -> Result<Attempt, ClaimError> {
        self.count_rollback(read_only(counters)).await?;
        Ok(Attempt::Failed(reason))
    }

    /// Counts a chunk that a database error rolled back, and decides how to continue.
    async fn rolled_back(
        &mut self,
        error: StoreError,
        upto: Option<i64>,
        counters: Counters,
    ) -> Result<Attempt, ClaimError> {
        self.count_rollback(read_only(counters)).await?;
        Ok(match (error, upto) {
            // A failover may take longer than all retries. The claim is dropped, and continues when
            // the database accepts writes again.
            (error @ StoreError::ReadOnly(_), _) => return Err(error.into()),
            (error, _) if error.is_transient() => Attempt::Retry(error.to_string()),
            (StoreError::Data(_), Some(upto)) => Attempt::Isolate(upto),
            (error, _) => Attempt::Failed(error.to_string()),
        })
    }

    /// Counts a rollback and the chunk's reads. If a transient error prevents that, the count is
    /// lost and the work continues.
    async fn count_rollback(&mut self, counters: Counters) -> Result<(), ClaimError> {
        self.context.metrics.rollbacks.add(1);
        let store = self.context.launcher.store.as_ref();
        match store.record_rollback(&mut self.claim, counters).await {
            Ok(()) => Ok(()),
            Err(ClaimError::Store(error)) if error.is_transient() => Ok(()),
            Err(ClaimError::Fenced) => match self.reload().await? {
                Attempt::Over => Err(ClaimError::Fenced),
                _ => Ok(()),
            },
            Err(error) => Err(error),
        }
    }

    /// Rereads the claim after its version changed. If the lease carries the claim's token, the
    /// reply to a commit was lost, and the work resumes from the stored state. Otherwise another
    /// worker owns the partition.
    async fn reload(&mut self) -> Result<Attempt, ClaimError> {
        match self.context.launcher.store.reload(&self.claim).await? {
            Reloaded::Owned(claim) => {
                self.claim = *claim;
                Ok(Attempt::Continues)
            }
            Reloaded::Lost => Ok(Attempt::Over),
        }
    }
}

/// Returns the counters that a rolled-back chunk keeps.
fn read_only(counters: Counters) -> Counters {
    Counters {
        reads: counters.reads,
        filters: counters.filters,
        ..Counters::default()
    }
}
