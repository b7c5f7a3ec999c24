//! Claims and leases: each rule of the protocol, with the trace that would break it.

use crate::{
    hand::{Hand, undisturbed},
    world::{MICROS, World, even_day},
};
use balance_batch::{chunk::ClaimToken, status::BatchStatus, step::Counters};
use balance_store::claims::{ChunkOutcome, ClaimError, Claimed, Ending, Reloaded};

const DAY: &str = "2024-06-01";

/// A world with a day of 300 plays of 40 videos.
async fn world() -> World {
    let world = World::new().await;
    world.import(&plays(), 1).await.unwrap();
    world
}

fn plays() -> Vec<balance_domain::playback::Play> {
    even_day(DAY, 300, 40)
}

fn is_fenced<T: std::fmt::Debug>(result: Result<T, ClaimError>) -> bool {
    matches!(result, Err(ClaimError::Fenced))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_claimed_unless_the_execution_is_started() {
    let world = world().await;
    let hand = Hand::launch(&world, DAY, 2).await;
    for status in BatchStatus::ALL {
        let set = format!("UPDATE BATCH_JOB_EXECUTION SET STATUS = '{status}'");
        world.sql(&set).await;
        let is_started = status == BatchStatus::Started;
        assert_eq!(!hand.claimable().await.is_empty(), is_started, "{status}");
        if !is_started {
            let claimed = hand.try_claim(hand.partitions[0], 7).await;
            assert_eq!(claimed, Claimed::NotClaimable, "{status}");
        }
    }
    world
        .sql("UPDATE BATCH_JOB_EXECUTION SET STATUS = 'STARTED'")
        .await;
    hand.claim(hand.partitions[0], 7).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_raises_the_version_and_a_heartbeat_does_not() {
    let world = world().await;
    let hand = Hand::launch(&world, DAY, 2).await;
    let id = hand.partitions[0];
    let version = async || hand.row(id).await.version;
    assert_eq!(version().await, 0);
    let mut claim = hand.claim(id, 1).await;
    assert_eq!((claim.version, version().await), (1, 1));
    hand.chunk(&mut claim, 3).await.unwrap();
    assert_eq!((claim.version, version().await), (2, 2));
    world
        .store
        .record_rollback(&mut claim, Counters::default())
        .await
        .unwrap();
    assert_eq!((claim.version, version().await), (3, 3));
    world.store.renew(&[ClaimToken(1)], 15).await.unwrap();
    assert_eq!(version().await, 3);
    world.store.release(&claim, 0).await.unwrap();
    assert_eq!(version().await, 4);
    assert_eq!(hand.claim(id, 2).await.version, 5);
    hand.let_leases_run_out().await;
    let claim = hand.claim(id, 3).await;
    assert_eq!(claim.version, 6);
    world.store.end(&claim, Ending::Stopped).await.unwrap();
    assert_eq!(version().await, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_taken_over_only_when_it_has_run_out_and_from_the_cursor() {
    let world = world().await;
    let hand = Hand::launch(&world, DAY, 2).await;
    let id = hand.partitions[0];
    let mut first = hand.claim(id, 1).await;
    assert_eq!(
        hand.chunk(&mut first, 3).await.unwrap(),
        ChunkOutcome::Continues
    );
    assert_eq!(hand.try_claim(id, 2).await, Claimed::NotClaimable);
    world.pass(14 * MICROS).await;
    assert_eq!(hand.try_claim(id, 2).await, Claimed::NotClaimable);
    world.pass(MICROS).await;
    let second = hand.claim(id, 2).await;
    assert_eq!(second.state, first.state);
    assert!(second.state.unwrap().cursor > second.state.unwrap().range.after);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zombie_writes_nothing() {
    let world = world().await;
    let hand = Hand::launch(&world, DAY, 2).await;
    let id = hand.partitions[0];
    let mut zombie = hand.claim(id, 1).await;
    let chunk = hand.prepare(&zombie, 5).await;
    hand.let_leases_run_out().await;
    let mut heir = hand.claim(id, 2).await;
    hand.commit(&mut heir, &chunk).await.unwrap();
    let before = hand.row(id).await;
    let statistics = world.rows("SELECT * FROM video_statistics").await;

    let reads = Counters {
        reads: 5,
        ..Counters::default()
    };
    assert!(is_fenced(hand.commit(&mut zombie, &chunk).await));
    assert!(is_fenced(
        world.store.record_rollback(&mut zombie, reads).await
    ));
    assert!(is_fenced(world.store.end(&zombie, Ending::Completed).await));
    assert!(is_fenced(world.store.release(&zombie, 0).await));
    assert_eq!(world.store.reload(&zombie).await.unwrap(), Reloaded::Lost);
    assert_eq!(hand.row(id).await, before);
    assert_eq!(
        world.rows("SELECT * FROM video_statistics").await,
        statistics
    );

    world.store.release(&heir, 0).await.unwrap();
    let execution = hand.finish(hand.job).await;
    assert_eq!(execution.status, BatchStatus::Completed);
    assert_eq!(world.results().await, undisturbed(&plays(), DAY).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_reply_was_lost_is_not_written_twice() {
    let world = world().await;
    let hand = Hand::launch(&world, DAY, 1).await;
    let mut claim = hand.claim(hand.partitions[0], 1).await;
    let mut unaware = claim.clone();
    let chunk = hand.prepare(&claim, 5).await;
    hand.commit(&mut claim, &chunk).await.unwrap();

    assert!(is_fenced(hand.commit(&mut unaware, &chunk).await));
    let Reloaded::Ours(mut reloaded) = world.store.reload(&unaware).await.unwrap() else {
        panic!("the lease still carries the token");
    };
    assert_eq!(*reloaded, claim);
    assert_eq!(reloaded.state.unwrap().cursor, chunk.0.cursor);
    while hand.chunk(&mut reloaded, 5).await.unwrap() == ChunkOutcome::Continues {}
    let counters = hand.row(claim.step_execution_id).await.counters;
    let settled = hand.count("SELECT COUNT(*) FROM video_statistics").await;
    assert_eq!((counters.reads, counters.writes), (settled, settled));
    let execution = hand.finish(hand.job).await;
    assert_eq!(execution.status, BatchStatus::Completed);
    assert_eq!(world.results().await, undisturbed(&plays(), DAY).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_renews_by_token_never_by_worker() {
    let world = world().await;
    let hand = Hand::launch(&world, DAY, 2).await;
    let [kept, lost] = hand.partitions[..] else {
        panic!("two partitions");
    };
    hand.claim(kept, 1).await;
    hand.claim(lost, 2).await;
    world.pass(10 * MICROS).await;
    world
        .store
        .renew(&[ClaimToken(1), ClaimToken(99)], 15)
        .await
        .unwrap();
    world.pass(10 * MICROS).await;
    assert_eq!(hand.claimable().await, [lost]);
    // A lease that has run out, and that nobody has taken, is renewed too.
    world.store.renew(&[ClaimToken(2)], 15).await.unwrap();
    assert!(hand.claimable().await.is_empty());
    // One that was taken is not.
    hand.let_leases_run_out().await;
    let heir = hand.claim(lost, 3).await;
    hand.let_leases_run_out().await;
    world.store.renew(&[ClaimToken(2)], 15).await.unwrap();
    assert_eq!(hand.claimable().await, [kept, lost]);
    assert_eq!(heir.token, ClaimToken(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn abandoning_fences_the_owner() {
    let world = world().await;
    let hand = Hand::launch(&world, DAY, 3).await;
    let id = hand.partitions[0];
    let mut claim = hand.claim(id, 1).await;
    hand.launcher.stop(hand.job).await.unwrap();
    assert_eq!(hand.row(id).await.version, claim.version);
    hand.launcher.abandon(hand.job).await.unwrap();
    assert_eq!(hand.count("SELECT COUNT(*) FROM step_lease").await, 0);
    assert!(hand.row(id).await.version > claim.version);
    assert!(is_fenced(hand.chunk(&mut claim, 5).await));
    assert_eq!(world.store.reload(&claim).await.unwrap(), Reloaded::Lost);
    assert!(
        world
            .rows("SELECT * FROM video_statistics")
            .await
            .is_empty()
    );
    let steps = world.steps(hand.job).await;
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
async fn a_worker_that_fails_on_the_version_goes_on_while_the_lease_is_its_own() {
    let world = world().await;
    // As if a reply were lost: each rollback and each third chunk is known to the table only.
    world
        .meddle(
            "lost_reply",
            ("BATCH_STEP_EXECUTION", "STEP_EXECUTION_ID"),
            "NEW.STEP_NAME LIKE '%:partition%' AND (NEW.ROLLBACK_COUNT > OLD.ROLLBACK_COUNT \
             OR (NEW.COMMIT_COUNT > OLD.COMMIT_COUNT AND NEW.COMMIT_COUNT % 3 = 1))",
            ("VERSION", "VERSION + 1"),
        )
        .await;
    // And a partition that fails: its end must get through too.
    world
        .sql("UPDATE play_history SET play_time = -1 WHERE video_id = 2")
        .await;
    let hand = Hand::launch(&world, DAY, 2).await;
    let execution = hand.finish(hand.job).await;
    assert_eq!(execution.status, BatchStatus::Failed);
    assert!(
        execution.exit_message.contains("negative seconds"),
        "{}",
        execution.exit_message
    );
    world
        .sql("UPDATE play_history SET play_time = 10 WHERE video_id = 2")
        .await;
    let again = hand.launcher.restart(hand.job).await.unwrap().id;
    assert_eq!(hand.finish(again).await.status, BatchStatus::Completed);
    assert_eq!(world.results().await, undisturbed(&plays(), DAY).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_owner_that_nobody_replaced_goes_on() {
    let world = world().await;
    let hand = Hand::launch(&world, DAY, 1).await;
    let id = hand.partitions[0];
    let mut claim = hand.claim(id, 1).await;
    hand.let_leases_run_out().await;
    assert_eq!(hand.claimable().await, [id]);
    hand.chunk(&mut claim, 5).await.unwrap();
    // The commit renewed the lease.
    assert!(hand.claimable().await.is_empty());
    assert_eq!(hand.try_claim(id, 2).await, Claimed::NotClaimable);
    hand.let_leases_run_out().await;
    assert_eq!(hand.claim(id, 2).await.state, claim.state);
}
