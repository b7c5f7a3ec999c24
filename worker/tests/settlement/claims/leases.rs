//! Claims and leases: the rules of the protocol, each with the sequence that would break it.

use crate::test_worker::{TestWorker, undisturbed};
use balance_batch::{
    chunk::{Claim, ClaimToken},
    status::BatchStatus,
    step::Counters,
};
use balance_store::claims::{ChunkOutcome, ClaimError, Claimed, Ending, Reloaded};
use balance_test_support::settlement::{MICROS, TestEnv, even_day};

const DAY: &str = "2024-06-01";

/// Creates an environment with a day of 300 plays of 40 videos.
async fn env() -> TestEnv {
    let env = TestEnv::new().await;
    env.import(&plays(), 1).await.unwrap();
    env
}

fn plays() -> Vec<balance_domain::playback::Play> {
    even_day(DAY, 300, 40)
}

fn is_fenced<T: std::fmt::Debug>(result: Result<T, ClaimError>) -> bool {
    matches!(result, Err(ClaimError::Fenced))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_claimed_unless_the_execution_is_started() {
    let env = env().await;
    let test_worker = TestWorker::launch(&env, DAY, 2).await;
    for status in BatchStatus::ALL {
        let set = format!("UPDATE BATCH_JOB_EXECUTION SET STATUS = '{status}'");
        env.execute(&set).await;
        let is_started = status == BatchStatus::Started;
        assert_eq!(
            !test_worker.claimable().await.is_empty(),
            is_started,
            "{status}"
        );
        if !is_started {
            let claimed = test_worker.try_claim(test_worker.partitions[0], 7).await;
            assert_eq!(claimed, Claimed::NotClaimable, "{status}");
        }
    }
    env.execute("UPDATE BATCH_JOB_EXECUTION SET STATUS = 'STARTED'")
        .await;
    test_worker.claim(test_worker.partitions[0], 7).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_raises_the_version_and_a_heartbeat_does_not() {
    let env = env().await;
    let test_worker = TestWorker::launch(&env, DAY, 2).await;
    let id = test_worker.partitions[0];
    let version = async || test_worker.row(id).await.version;
    assert_eq!(version().await, 0);
    let mut claim = test_worker.claim(id, 1).await;
    assert_eq!((claim.version, version().await), (1, 1));
    test_worker.chunk(&mut claim, 3).await.unwrap();
    assert_eq!((claim.version, version().await), (2, 2));
    env.store
        .record_rollback(&mut claim, Counters::default())
        .await
        .unwrap();
    assert_eq!((claim.version, version().await), (3, 3));
    let owned = std::slice::from_ref(&claim);
    env.store.renew(owned, 15).await.unwrap();
    assert_eq!(version().await, 3);
    env.store.release(&claim, 0).await.unwrap();
    assert_eq!(version().await, 4);
    assert_eq!(test_worker.claim(id, 2).await.version, 5);
    test_worker.expire_leases().await;
    let claim = test_worker.claim(id, 3).await;
    assert_eq!(claim.version, 6);
    env.store.end(&claim, Ending::Stopped).await.unwrap();
    assert_eq!(version().await, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_released_claim_leaves_no_announcement_of_its_end() {
    let env = env().await;
    let test_worker = TestWorker::launch(&env, DAY, 2).await;
    let claim = test_worker.claim(test_worker.partitions[0], 1).await;
    let announced = async || env.rows("SELECT claim_token FROM step_expiry").await;
    let owned = std::slice::from_ref(&claim);
    env.store.announce_end(owned).await.unwrap();
    assert_eq!(announced().await, ["1"]);
    env.store.release(&claim, 0).await.unwrap();
    assert!(announced().await.is_empty());
    // Released already: an announcement would stay.
    env.store.announce_end(owned).await.unwrap();
    assert!(announced().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_lease_is_taken_over_from_the_cursor() {
    let env = env().await;
    let test_worker = TestWorker::launch(&env, DAY, 2).await;
    let id = test_worker.partitions[0];
    let mut first = test_worker.claim(id, 1).await;
    assert_eq!(
        test_worker.chunk(&mut first, 3).await.unwrap(),
        ChunkOutcome::Continues
    );
    assert_eq!(test_worker.try_claim(id, 2).await, Claimed::NotClaimable);
    env.advance(14 * MICROS).await;
    assert_eq!(test_worker.try_claim(id, 2).await, Claimed::NotClaimable);
    env.advance(MICROS).await;
    let second = test_worker.claim(id, 2).await;
    assert_eq!(second.state, first.state);
    assert!(second.state.unwrap().cursor > second.state.unwrap().range.after);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zombie_writes_nothing() {
    let env = env().await;
    let test_worker = TestWorker::launch(&env, DAY, 2).await;
    let id = test_worker.partitions[0];
    let mut zombie = test_worker.claim(id, 1).await;
    let chunk = test_worker.prepare(&zombie, 5).await;
    test_worker.expire_leases().await;
    let mut successor = test_worker.claim(id, 2).await;
    test_worker.commit(&mut successor, &chunk).await.unwrap();
    let before = test_worker.row(id).await;
    let statistics = env.rows("SELECT * FROM video_statistics").await;

    let reads = Counters {
        reads: 5,
        ..Counters::default()
    };
    assert!(is_fenced(test_worker.commit(&mut zombie, &chunk).await));
    assert!(is_fenced(
        env.store.record_rollback(&mut zombie, reads).await
    ));
    assert!(is_fenced(env.store.end(&zombie, Ending::Completed).await));
    assert!(is_fenced(env.store.release(&zombie, 0).await));
    assert_eq!(env.store.reload(&zombie).await.unwrap(), Reloaded::Lost);
    assert_eq!(test_worker.row(id).await, before);
    assert_eq!(env.rows("SELECT * FROM video_statistics").await, statistics);

    env.store.release(&successor, 0).await.unwrap();
    let execution = test_worker.finish(test_worker.job).await;
    assert_eq!(execution.status, BatchStatus::Completed);
    assert_eq!(env.results().await, undisturbed(&plays(), DAY).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_reply_was_lost_is_not_written_twice() {
    let env = env().await;
    let test_worker = TestWorker::launch(&env, DAY, 1).await;
    let mut claim = test_worker.claim(test_worker.partitions[0], 1).await;
    let mut stale = claim.clone();
    let chunk = test_worker.prepare(&claim, 5).await;
    test_worker.commit(&mut claim, &chunk).await.unwrap();

    assert!(is_fenced(test_worker.commit(&mut stale, &chunk).await));
    let Reloaded::Owned(mut reloaded) = env.store.reload(&stale).await.unwrap() else {
        panic!("the lease still has the token");
    };
    assert_eq!(*reloaded, claim);
    assert_eq!(reloaded.state.unwrap().cursor, chunk.0.cursor);
    while test_worker.chunk(&mut reloaded, 5).await.unwrap() == ChunkOutcome::Continues {}
    let counters = test_worker.row(claim.step_execution_id).await.counters;
    let settled = test_worker
        .count("SELECT COUNT(*) FROM video_statistics")
        .await;
    assert_eq!((counters.reads, counters.writes), (settled, settled));
    let execution = test_worker.finish(test_worker.job).await;
    assert_eq!(execution.status, BatchStatus::Completed);
    assert_eq!(env.results().await, undisturbed(&plays(), DAY).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_renews_by_token_never_by_worker() {
    let env = env().await;
    let test_worker = TestWorker::launch(&env, DAY, 2).await;
    let [kept, lost] = test_worker.partitions[..] else {
        panic!("two partitions");
    };
    let claimed = test_worker.claim(kept, 1).await;
    let expired = test_worker.claim(lost, 2).await;
    let replaced = Claim {
        token: ClaimToken(99),
        ..expired.clone()
    };
    env.advance(10 * MICROS).await;
    env.store.renew(&[claimed, replaced], 15).await.unwrap();
    env.advance(10 * MICROS).await;
    assert_eq!(test_worker.claimable().await, [lost]);
    // An expired lease that no worker has claimed is renewed too.
    let expired = std::slice::from_ref(&expired);
    env.store.renew(expired, 15).await.unwrap();
    assert!(test_worker.claimable().await.is_empty());
    // A lease that another worker has claimed is not renewed.
    test_worker.expire_leases().await;
    let successor = test_worker.claim(lost, 3).await;
    test_worker.expire_leases().await;
    env.store.renew(expired, 15).await.unwrap();
    assert_eq!(test_worker.claimable().await, [kept, lost]);
    assert_eq!(successor.token, ClaimToken(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn abandoning_fences_the_owner() {
    let env = env().await;
    let test_worker = TestWorker::launch(&env, DAY, 3).await;
    let id = test_worker.partitions[0];
    let mut claim = test_worker.claim(id, 1).await;
    test_worker.launcher.stop(test_worker.job).await.unwrap();
    assert_eq!(test_worker.row(id).await.version, claim.version);
    test_worker.launcher.abandon(test_worker.job).await.unwrap();
    assert_eq!(
        test_worker.count("SELECT COUNT(*) FROM step_lease").await,
        0
    );
    assert!(test_worker.row(id).await.version > claim.version);
    assert!(is_fenced(test_worker.chunk(&mut claim, 5).await));
    assert_eq!(env.store.reload(&claim).await.unwrap(), Reloaded::Lost);
    assert!(env.rows("SELECT * FROM video_statistics").await.is_empty());
    let steps = env.steps(test_worker.job).await;
    let statuses: Vec<BatchStatus> = steps.iter().map(|step| step.status).collect();
    let abandoned = BatchStatus::Abandoned;
    assert_eq!(
        statuses,
        [
            BatchStatus::Completed,
            abandoned,
            abandoned,
            abandoned,
            abandoned
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_fails_on_the_version_continues_while_it_owns_the_lease() {
    let env = env().await;
    // Simulates lost replies: the worker does not learn the version after each rollback and after
    // each third chunk.
    env.set_on_update(
        "lost_reply",
        ("BATCH_STEP_EXECUTION", "STEP_EXECUTION_ID"),
        "NEW.STEP_NAME LIKE '%:partition%' AND (NEW.ROLLBACK_COUNT > OLD.ROLLBACK_COUNT \
             OR (NEW.COMMIT_COUNT > OLD.COMMIT_COUNT AND NEW.COMMIT_COUNT % 3 = 1))",
        ("VERSION", "VERSION + 1"),
    )
    .await;
    // A partition also fails, and its end must be recorded.
    env.execute("UPDATE play_history SET play_time = -1 WHERE video_id = 2")
        .await;
    let test_worker = TestWorker::launch(&env, DAY, 2).await;
    let execution = test_worker.finish(test_worker.job).await;
    assert_eq!(execution.status, BatchStatus::Failed);
    assert!(
        execution.exit_message.contains("negative seconds"),
        "{}",
        execution.exit_message
    );
    env.execute("UPDATE play_history SET play_time = 10 WHERE video_id = 2")
        .await;
    let again = test_worker
        .launcher
        .restart(test_worker.job)
        .await
        .unwrap()
        .id;
    assert_eq!(
        test_worker.finish(again).await.status,
        BatchStatus::Completed
    );
    assert_eq!(env.results().await, undisturbed(&plays(), DAY).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_owner_that_was_not_replaced_continues() {
    let env = env().await;
    let test_worker = TestWorker::launch(&env, DAY, 1).await;
    let id = test_worker.partitions[0];
    let mut claim = test_worker.claim(id, 1).await;
    test_worker.expire_leases().await;
    assert_eq!(test_worker.claimable().await, [id]);
    test_worker.chunk(&mut claim, 5).await.unwrap();
    // The commit renewed the lease.
    assert!(test_worker.claimable().await.is_empty());
    assert_eq!(test_worker.try_claim(id, 2).await, Claimed::NotClaimable);
    test_worker.expire_leases().await;
    assert_eq!(test_worker.claim(id, 2).await.state, claim.state);
}
