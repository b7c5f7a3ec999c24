//! The registry of workers, and the pruner.

use crate::test_worker::TestWorker;
use balance_batch::{chunk::ClaimToken, status::BatchStatus};
use balance_domain::clock::Clock;
use balance_store::{jobs::JobError, operations::WorkerIdentity};
use balance_test_support::settlement::{
    MICROS, Shape, TestEnv, date, day_of_plays, worker_settings,
};
use chrono::TimeDelta;

const DAYS: [&str; 2] = ["2024-06-01", "2024-06-02"];

async fn env() -> TestEnv {
    let env = TestEnv::new().await;
    for day in DAYS {
        env.import(&day_of_plays(day, 60, 20), 1).await.unwrap();
    }
    env
}

fn identity(concurrency: u32) -> WorkerIdentity {
    worker_settings(Shape {
        concurrency,
        ..Shape::default()
    })
    .identity
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_is_registered_while_it_lives() {
    let env = env().await;
    let (_, worker) = env.worker(Shape::default()).await;
    let seen = env.store.workers(10).await.unwrap();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].identity.name, worker.name());
    assert!(seen[0].is_alive);
    assert!(seen[0].started_at <= seen[0].last_seen_at);
    assert_eq!(env.store.slots().await.unwrap(), 2);
    assert!(worker.stop().await);
    assert_eq!(env.store.workers(10).await.unwrap(), []);
    assert_eq!(env.store.slots().await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_registry_lists_the_claims_of_each_worker_and_its_liveness() {
    let env = env().await;
    let test_worker = TestWorker::launch(&env, DAYS[0], 3).await;
    let (one, two) = (identity(4), identity(3));
    for worker in [&one, &two, &one] {
        env.store.record_heartbeat(worker, 15).await.unwrap();
    }
    assert_eq!(env.store.slots().await.unwrap(), 7);
    for (partition, worker) in [(0, &one), (2, &one), (1, &two)] {
        let token = ClaimToken(rand::random());
        let id = test_worker.partitions[partition];
        env.store.claim(id, token, &worker.name, 15).await.unwrap();
    }
    let claims = async |name: &str| {
        let workers = env.store.workers(10).await.unwrap();
        let worker = workers.into_iter().find(|one| one.identity.name == name);
        let worker = worker.unwrap();
        let ids: Vec<_> = worker.claims.iter().map(|step| step.id).collect();
        (ids, worker.is_alive)
    };
    let of_one = vec![test_worker.partitions[0], test_worker.partitions[2]];
    assert_eq!(claims(&one.name).await, (of_one.clone(), true));
    assert_eq!(
        claims(&two.name).await,
        (vec![test_worker.partitions[1]], true)
    );

    let owners = env.store.owners(test_worker.job).await.unwrap();
    let of: Vec<_> = owners
        .iter()
        .map(|one| (one.step, one.worker.as_str()))
        .collect();
    let expected = [(0, &one), (1, &two), (2, &one)];
    assert_eq!(
        of,
        expected
            .map(|(partition, worker)| (test_worker.partitions[partition], worker.name.as_str()))
    );
    assert!(owners.iter().all(|owner| !owner.is_expired));

    // One worker stops its heartbeat: its claims are listed until another worker takes them over.
    env.advance(10 * MICROS).await;
    env.store.record_heartbeat(&two, 15).await.unwrap();
    env.advance(5 * MICROS).await;
    assert_eq!(claims(&one.name).await, (of_one, false));
    let owners = env.store.owners(test_worker.job).await.unwrap();
    assert!(owners.iter().all(|owner| owner.is_expired));
    assert_eq!(env.store.slots().await.unwrap(), 3);
    assert_eq!(env.store.remove_dead_workers(60).await.unwrap(), 0);
    env.advance(61 * MICROS).await;
    env.store.record_heartbeat(&two, 15).await.unwrap();
    assert_eq!(env.store.remove_dead_workers(60).await.unwrap(), 1);
    assert_eq!(env.store.workers(10).await.unwrap().len(), 1);
    assert_eq!(env.store.workers(0).await.unwrap(), []);
}

const STEP_ROWS: &str = "SELECT COUNT(*) FROM BATCH_STEP_EXECUTION";

async fn count(env: &TestEnv, sql: &str) -> i64 {
    env.rows(sql).await[0].parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn pruning_deletes_only_the_steps_of_old_finished_jobs() {
    let env = env().await;
    for day in DAYS {
        env.settle(date(day), Shape::default()).await.unwrap();
    }
    let results = env.results().await;
    let before = count(&env, STEP_ROWS).await;
    let now = env.clock.now();
    let second = env.store.executions(None, 1).await.unwrap().remove(0);

    // The clock has not advanced: no execution is older than now.
    assert!(!env.store.prune_oldest(now).await.unwrap());
    assert_eq!(count(&env, STEP_ROWS).await, before);
    let later = now + TimeDelta::microseconds(1);
    assert!(env.store.prune_oldest(later).await.unwrap());
    let left = count(&env, STEP_ROWS).await;
    assert_eq!(left, before / 2, "one execution, whole");
    assert_eq!(
        count(&env, "SELECT COUNT(*) FROM BATCH_STEP_EXECUTION_CONTEXT").await,
        left
    );
    assert!(!env.steps(second.id).await.is_empty(), "the oldest first");
    assert!(env.store.prune_oldest(later).await.unwrap());
    assert!(!env.store.prune_oldest(later).await.unwrap());
    assert_eq!(count(&env, STEP_ROWS).await, 0);

    // The rows that record a settled day stay.
    for table in [
        "INSTANCE",
        "EXECUTION",
        "EXECUTION_PARAMS",
        "EXECUTION_CONTEXT",
    ] {
        let sql = format!("SELECT COUNT(*) FROM BATCH_JOB_{table}");
        assert_eq!(count(&env, &sql).await, 2, "{table}");
    }
    for day in DAYS {
        let rejected = env.launcher(2).launch(date(day)).await;
        assert!(matches!(rejected, Err(JobError::AlreadyComplete { .. })));
    }
    assert_eq!(env.results().await, results);
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_can_continue_is_never_pruned() {
    let env = env().await;
    let launcher = env.launcher(2);
    let id = launcher.launch(date(DAYS[0])).await.unwrap().id;
    let later = env.clock.now() + TimeDelta::days(1_000);
    assert!(!env.store.prune_oldest(later).await.unwrap(), "it runs");
    launcher.stop(id).await.unwrap();
    assert!(!env.store.prune_oldest(later).await.unwrap(), "stopped");
    assert!(!env.steps(id).await.is_empty());

    // Abandoned and settled again: both executions can be pruned, and the results stay.
    launcher.abandon(id).await.unwrap();
    assert!(env.store.prune_oldest(later).await.unwrap(), "abandoned");
    let again = env.settle(date(DAYS[0]), Shape::default()).await.unwrap();
    assert_eq!(again.status, BatchStatus::Completed);
    assert!(env.store.prune_oldest(later).await.unwrap(), "completed");
    let next = env.settle(date(DAYS[1]), Shape::default()).await.unwrap();
    assert_eq!(next.status, BatchStatus::Completed);
    assert!(!env.results().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_prunes_automatically() {
    let env = env().await;
    for day in DAYS {
        env.settle(date(day), Shape::default()).await.unwrap();
    }
    env.clock
        .set(env.clock.now_micros() + 90 * 86_400 * MICROS + 1);
    let (_, worker) = env.daemon(Shape::default(), 90).await;
    let pruned = async {
        while count(&env, STEP_ROWS).await > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), pruned)
        .await
        .expect("pruned");
    assert!(worker.stop().await);
}
