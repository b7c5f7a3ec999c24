//! A worker that makes one store call at a time, so that the test determines the order of events.

use balance_batch::{
    chunk::{ChunkCommit, Claim, ClaimToken},
    execution::{JobExecution, JobExecutionId, StepExecutionId},
    partition::IdRange,
    step::{Counters, StepExecution},
};
use balance_service::jobs::launcher::Launcher;
use balance_store::{
    claims::{ChunkLimits, ChunkOutcome, ChunkOutput, ClaimError, Claimed, Ending},
    settlement::Closing,
};
use balance_test_support::settlement::{MICROS, Shape, TestEnv, date};

/// The duration of the leases, in seconds.
pub(crate) const LEASE_S: u32 = 15;

const LIMITS: ChunkLimits = ChunkLimits {
    lease_s: LEASE_S,
    skip_limit: 0,
};

/// More claims than any test has.
const MAX_CLAIMS: u32 = 10_000;

pub(crate) struct TestWorker<'a> {
    pub(crate) env: &'a TestEnv,
    pub(crate) launcher: Launcher,
    pub(crate) job: JobExecutionId,
    /// The claimable partitions of the statistics step, in order.
    pub(crate) partitions: Vec<StepExecutionId>,
}

impl<'a> TestWorker<'a> {
    /// Launches a day and runs it up to its statistics step.
    pub(crate) async fn launch(env: &'a TestEnv, day: &str, partitions: u32) -> Self {
        let launcher = env.launcher(partitions);
        let job = launcher.launch(date(day)).await.unwrap().id;
        let mut test_worker = Self {
            env,
            launcher,
            job,
            partitions: Vec::new(),
        };
        test_worker.close_day().await;
        test_worker.partitions = test_worker.claimable().await;
        test_worker
    }

    async fn close_day(&self) {
        let [id] = self.claimable().await[..] else {
            panic!("closeDayStep alone is claimable");
        };
        let claim = self.claim(id, 1).await;
        let closing = self.env.store.close_day(claim.date).await.unwrap();
        assert_eq!(closing, Closing::Closed);
        self.env.store.end(&claim, Ending::Completed).await.unwrap();
        self.launcher.advance(self.job).await.unwrap();
    }

    pub(crate) async fn claimable(&self) -> Vec<StepExecutionId> {
        self.env.store.claimable(MAX_CLAIMS).await.unwrap()
    }

    pub(crate) async fn try_claim(&self, id: StepExecutionId, token: i64) -> Claimed {
        let store = &self.env.store;
        store
            .claim(id, ClaimToken(token), "test worker", LEASE_S)
            .await
            .unwrap()
    }

    /// Claims a partition; asserts that the claim succeeds.
    pub(crate) async fn claim(&self, id: StepExecutionId, token: i64) -> Claim {
        match self.try_claim(id, token).await {
            Claimed::Owned(claim) => *claim,
            other => panic!("failed to claim {id}: {other:?}"),
        }
    }

    /// Reads and computes the next chunk of a partition of the statistics step.
    pub(crate) async fn prepare(&self, claim: &Claim, limit: u32) -> (ChunkCommit, ChunkOutput) {
        let state = claim.state.unwrap();
        let range = IdRange {
            after: state.cursor,
            upto: state.range.upto,
        };
        let page = self
            .env
            .store
            .activity(claim.date, range, limit)
            .await
            .unwrap();
        let rows: Vec<_> = page
            .items
            .iter()
            .filter_map(|activity| activity.settle().unwrap())
            .collect();
        let count = i64::try_from(rows.len()).unwrap();
        let commit = ChunkCommit {
            cursor: page.upto,
            counters: Counters {
                reads: count,
                writes: count,
                ..Counters::default()
            },
            rejected: Vec::new(),
        };
        (commit, ChunkOutput::Statistics(rows))
    }

    pub(crate) async fn commit(
        &self,
        claim: &mut Claim,
        (commit, output): &(ChunkCommit, ChunkOutput),
    ) -> Result<ChunkOutcome, ClaimError> {
        let store = &self.env.store;
        store.commit_chunk(claim, commit, output, LIMITS).await
    }

    /// Reads, computes and writes the next chunk.
    pub(crate) async fn chunk(
        &self,
        claim: &mut Claim,
        limit: u32,
    ) -> Result<ChunkOutcome, ClaimError> {
        let chunk = self.prepare(claim, limit).await;
        self.commit(claim, &chunk).await
    }

    /// Advances the clock by a lease's duration and a second.
    pub(crate) async fn expire_leases(&self) {
        self.env.advance(i64::from(LEASE_S + 1) * MICROS).await;
    }

    pub(crate) async fn row(&self, id: StepExecutionId) -> StepExecution {
        let job = self.step_job(id).await;
        let steps = self.env.steps(job).await;
        steps.into_iter().find(|step| step.id == id).unwrap()
    }

    async fn step_job(&self, id: StepExecutionId) -> JobExecutionId {
        self.env.store.execution_of_step(id).await.unwrap().unwrap()
    }

    /// Returns the number in the first column of a query's only row.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.env.rows(sql).await[0].parse().unwrap()
    }

    /// Starts a real worker, and waits for the end of the execution.
    pub(crate) async fn finish(&self, job: JobExecutionId) -> JobExecution {
        let (launcher, worker) = self.env.worker(Shape::default()).await;
        launcher.advance(job).await.unwrap();
        let execution = self.env.wait(job).await;
        assert!(worker.stop().await);
        execution
    }
}

/// Returns the results of an undisturbed run of the same day.
pub(crate) async fn undisturbed(
    plays: &[balance_domain::playback::Play],
    day: &str,
) -> Vec<String> {
    let env = TestEnv::new().await;
    env.import(plays, 1).await.unwrap();
    env.settle(date(day), Shape::default()).await.unwrap();
    env.results().await
}
