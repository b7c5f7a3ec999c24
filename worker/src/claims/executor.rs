//! Works one claim: chunk by chunk from its cursor, until it is done, stopped, failed or lost.

use crate::{
    claims::pool::ClaimPool,
    steps::{self, Chunk, close_day},
};
use backon::{BackoffBuilder, ExponentialBuilder};
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

/// The first and the longest wait before a chunk is tried again.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const LONGEST_BACKOFF: Duration = Duration::from_secs(2);

/// How an attempt at a chunk came out.
enum Attempt {
    /// Written; there is more.
    Continues,
    /// The claim is over: ended by us, or somebody else's.
    Over,
    /// A passing fault: try again.
    Again(String),
    /// The database refuses the data of some video up to this id: find out whose.
    Isolate(i64),
    /// A cause that no retry mends.
    Failed(String),
}

/// Works a claim to its end. What could not be written is given back as soon as the database lets
/// us, or left to whoever takes it over.
pub(crate) async fn execute(pool: &ClaimPool, claim: Claim) {
    let dropped = claim.clone();
    let (job_execution, step_execution) = (claim.job_execution_id.0, claim.step_execution_id.0);
    let name = claim.name;
    let worked = match claim.name.step {
        Step::CloseDay => close_day::run(pool, &claim).await,
        _ => Execution::new(pool, claim).run().await,
    };
    match worked {
        Ok(()) => pool.counters.ended.add(1),
        Err(ClaimError::Fenced) => {
            pool.counters.lost.add(1);
            tracing::info!(job_execution, step_execution, %name, "claim lost");
        }
        Err(ClaimError::Store(error)) => {
            pool.counters.dropped.add(1);
            tracing::warn!(job_execution, step_execution, %name, %error, "claim dropped");
            pool.release_later(dropped);
        }
    }
}

struct Execution<'a> {
    pool: &'a ClaimPool,
    claim: Claim,
    /// Videos up to this id are taken one at a time: one of them is poison to the database.
    isolate_upto: Option<i64>,
}

impl<'a> Execution<'a> {
    fn new(pool: &'a ClaimPool, claim: Claim) -> Self {
        Self {
            pool,
            claim,
            isolate_upto: None,
        }
    }

    async fn run(mut self) -> Result<(), ClaimError> {
        let mut backoff = self.backoff();
        let mut tries = 0;
        loop {
            if self.pool.ending.is_cancelled() {
                return self.release().await;
            }
            if self.is_to_stop().await? {
                return self.end(Ending::Stopped).await;
            }
            match self.attempt().await? {
                Attempt::Continues => {
                    backoff = self.backoff();
                    tries = 0;
                }
                Attempt::Over => return Ok(()),
                Attempt::Isolate(upto) => self.isolate_upto = Some(upto),
                Attempt::Failed(reason) => return self.end(Ending::Failed(reason)).await,
                Attempt::Again(reason) if tries >= self.pool.settings.retry_limit => {
                    let reason = format!("gave up after {tries} retries: {reason}");
                    return self.end(Ending::Failed(reason)).await;
                }
                Attempt::Again(reason) => {
                    tries += 1;
                    let (job_execution, step_execution, name) = self.ids();
                    tracing::warn!(job_execution, step_execution, %name, tries, reason, "chunk is tried again");
                    tokio::time::sleep(backoff.next().unwrap_or(LONGEST_BACKOFF)).await;
                }
            }
        }
    }

    /// What the log names the claim by.
    fn ids(&self) -> (i64, i64, StepName) {
        let claim = &self.claim;
        (
            claim.job_execution_id.0,
            claim.step_execution_id.0,
            claim.name,
        )
    }

    fn backoff(&self) -> impl Iterator<Item = Duration> + use<> {
        ExponentialBuilder::default()
            .with_min_delay(FIRST_BACKOFF)
            .with_max_delay(LONGEST_BACKOFF)
            .with_jitter()
            .without_max_times()
            .build()
    }

    /// Whether the execution is no longer STARTED. Asked before each chunk.
    async fn is_to_stop(&self) -> StoreResult<bool> {
        let store = &self.pool.launcher.store;
        let status = store.execution_status(self.claim.job_execution_id).await?;
        Ok(status != BatchStatus::Started)
    }

    /// Gives the claim back: the worker is asked to end.
    async fn release(&mut self) -> Result<(), ClaimError> {
        let store = &self.pool.launcher.store;
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
        let store = &self.pool.launcher.store;
        match store.end(&self.claim, ending.clone()).await {
            Err(ClaimError::Fenced) if self.is_still_ours().await? => {
                store.end(&self.claim, ending).await
            }
            ended => ended,
        }
    }

    /// Reads the row again after a write failed on its version; a lost reply (a rollback's count,
    /// say) must not leave the partition to run out and be taken for a crash.
    async fn is_still_ours(&mut self) -> Result<bool, ClaimError> {
        Ok(!matches!(self.reload().await?, Attempt::Over))
    }

    /// One attempt at the next chunk, within its time limit.
    async fn attempt(&mut self) -> Result<Attempt, ClaimError> {
        let limit = Duration::from_secs(u64::from(self.pool.settings.chunk_timeout_s));
        let span = tracing::info_span!("chunk", reads = Empty, writes = Empty);
        match tokio::time::timeout(limit, self.chunk().instrument(span)).await {
            Ok(attempt) => attempt,
            Err(_) => {
                self.rolled_back(Counters::default()).await?;
                Ok(Attempt::Again(format!(
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
        let alone = self.isolate_upto.is_some_and(|upto| state.cursor < upto);
        let limit = if alone {
            1
        } else {
            self.pool.settings.chunk_size
        };
        let range = IdRange {
            after: state.cursor,
            upto: state.range.upto,
        };
        let store = self.pool.launcher.store.as_ref();
        let chunk = match steps::prepare(store, &self.claim, range, limit).await {
            Ok(chunk) => chunk,
            Err(error) => return self.faulted(error, None, Counters::default()).await,
        };
        let counters = chunk.commit.counters;
        Span::current().record("reads", counters.reads);
        Span::current().record("writes", counters.writes);
        if let Some(reason) = self.over_limit(&chunk.commit.rejected) {
            return self.refused(chunk.commit.counters, reason).await;
        }
        self.write(state, chunk, alone).await
    }

    /// The reason to fail, where this chunk alone already holds too many rejected items.
    fn over_limit(&self, rejected: &[RejectedItem]) -> Option<String> {
        let count = u32::try_from(rejected.len()).unwrap_or(u32::MAX);
        let first = rejected.first()?;
        (count > self.pool.settings.skip_limit).then(|| self.skip_limit_reason(first))
    }

    fn skip_limit_reason(&self, item: &RejectedItem) -> String {
        let limit = self.pool.settings.skip_limit;
        format!(
            "skip limit of {limit} exceeded: video {}: {}",
            item.video_id, item.reason
        )
    }

    async fn write(
        &mut self,
        state: PartitionState,
        chunk: Chunk,
        alone: bool,
    ) -> Result<Attempt, ClaimError> {
        let limits = ChunkLimits {
            lease_s: self.pool.settings.lease_s,
            skip_limit: self.pool.settings.skip_limit,
        };
        let Chunk { commit, output } = chunk;
        let store = self.pool.launcher.store.as_ref();
        let written = store
            .commit_chunk(&mut self.claim, &commit, &output, limits)
            .await;
        if let Ok(ChunkOutcome::Continues | ChunkOutcome::Completed) = written {
            self.pool.counters.chunks.add(1);
        }
        match written {
            Ok(ChunkOutcome::Continues) => Ok(Attempt::Continues),
            Ok(ChunkOutcome::Completed) => Ok(Attempt::Over),
            Ok(ChunkOutcome::OverSkipLimit) => {
                let first = commit.rejected.first();
                let reason = first.map_or_else(String::new, |item| self.skip_limit_reason(item));
                self.refused(commit.counters, reason).await
            }
            Err(ClaimError::Fenced) => self.reload().await,
            Err(ClaimError::Store(StoreError::Data(reason))) if alone => {
                self.reject_alone(state, commit.cursor, &output, reason)
                    .await
            }
            Err(ClaimError::Store(error)) => {
                self.faulted(error, Some(commit.cursor), commit.counters)
                    .await
            }
        }
    }

    /// Skips the one video that the database refuses to write, if the limit allows it.
    async fn reject_alone(
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
            reason: SettleError::Refused(reason).to_string(),
        };
        if let Some(reason) = self.over_limit(std::slice::from_ref(&item)) {
            let counters = Counters {
                reads: 1,
                ..Counters::default()
            };
            return self.refused(counters, reason).await;
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

    /// Counts a chunk that was given up, and fails the partition.
    async fn refused(&mut self, counters: Counters, reason: String) -> Result<Attempt, ClaimError> {
        self.rolled_back(read_only(counters)).await?;
        Ok(Attempt::Failed(reason))
    }

    /// A chunk was rolled back: by a passing fault, by data, or for good.
    async fn faulted(
        &mut self,
        error: StoreError,
        upto: Option<i64>,
        counters: Counters,
    ) -> Result<Attempt, ClaimError> {
        self.rolled_back(read_only(counters)).await?;
        Ok(match (error, upto) {
            (error, _) if error.is_transient() => Attempt::Again(error.to_string()),
            (StoreError::Data(_), Some(upto)) => Attempt::Isolate(upto),
            (error, _) => Attempt::Failed(error.to_string()),
        })
    }

    /// Counts a rolled-back chunk's reads; where that fails the count is let go, not the work.
    async fn rolled_back(&mut self, counters: Counters) -> Result<(), ClaimError> {
        self.pool.counters.rollbacks.add(1);
        let store = self.pool.launcher.store.as_ref();
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

    /// The version is another one: where the lease still carries our token a commit's reply was
    /// lost, and the work goes on from what is stored; else the partition is somebody else's.
    async fn reload(&mut self) -> Result<Attempt, ClaimError> {
        match self.pool.launcher.store.reload(&self.claim).await? {
            Reloaded::Ours(claim) => {
                self.claim = *claim;
                Ok(Attempt::Continues)
            }
            Reloaded::Lost => Ok(Attempt::Over),
        }
    }
}

/// What stays counted of a rolled-back chunk.
fn read_only(counters: Counters) -> Counters {
    Counters {
        reads: counters.reads,
        filters: counters.filters,
        ..Counters::default()
    }
}
