//! The snapshot at each stage of a settlement.

use crate::test_worker::TestWorker;
use balance_batch::status::BatchStatus;
use balance_store::{
    claims::Ending,
    jobs::Leases,
    operations::{MAX_COUNTED, StoreSnapshot},
};
use balance_test_support::settlement::{Shape, TestEnv, date, even_day, worker_settings};

const DAY: &str = "2024-06-01";
const NEXT: &str = "2024-06-02";

async fn observe(env: &TestEnv) -> StoreSnapshot {
    env.store.snapshot().await.unwrap()
}

fn sorted(mut partitions: Vec<(BatchStatus, u64)>) -> Vec<(BatchStatus, u64)> {
    partitions.sort();
    partitions
}

#[tokio::test(flavor = "multi_thread")]
async fn the_numbers_follow_a_day_from_its_plays_to_its_end() {
    let env = TestEnv::new().await;
    let empty = StoreSnapshot {
        closed_through: None,
        first_unsettled_day: None,
        running: 0,
        partitions: Vec::new(),
        leases: Leases::default(),
        workers: 0,
        slots: 0,
        failed_days: 0,
        stopped_days: 0,
        abandoned_days: 0,
        late_events: 0,
        rejected_events: 0,
    };
    assert_eq!(observe(&env).await, empty);

    for day in [DAY, NEXT] {
        env.import(&even_day(day, 40, 12), 1).await.unwrap();
    }
    let unsettled = observe(&env).await;
    assert_eq!(unsettled.first_unsettled_day, Some(date(DAY)));

    let test_worker = TestWorker::launch(&env, DAY, 4).await;
    let first = test_worker.claim(test_worker.partitions[0], 7).await;
    let begun = observe(&env).await;
    assert_eq!((begun.closed_through, begun.running), (Some(date(DAY)), 1));
    let statuses = [(BatchStatus::Starting, 3), (BatchStatus::Started, 1)];
    assert_eq!(sorted(begun.partitions), statuses);
    let leases = |claimable, owned, expired| Leases {
        claimable,
        owned,
        expired,
    };
    assert_eq!(begun.leases, leases(3, 1, 0));
    test_worker.expire_leases().await;
    assert_eq!(observe(&env).await.leases, leases(3, 0, 1));

    // One partition fails; the day fails after the other partitions have ended.
    let failed = Ending::Failed("on purpose".to_owned());
    env.store.end(&first, failed).await.unwrap();
    test_worker.finish(test_worker.job).await;
    let failed = observe(&env).await;
    assert_eq!((failed.running, failed.failed_days), (0, 1));
    assert_eq!(failed.first_unsettled_day, Some(date(DAY)));
    assert!(failed.partitions.is_empty());

    // The stopped day counts once, and the settled day does not count.
    let again = test_worker
        .launcher
        .restart(test_worker.job)
        .await
        .unwrap()
        .id;
    test_worker.launcher.stop(again).await.unwrap();
    let stopped = observe(&env).await;
    assert_eq!((stopped.failed_days, stopped.stopped_days), (0, 1));
    let last = test_worker.launcher.restart(again).await.unwrap().id;
    test_worker.finish(last).await;
    let settled = observe(&env).await;
    assert_eq!((settled.failed_days, settled.stopped_days), (0, 0));
    assert_eq!(settled.first_unsettled_day, Some(date(NEXT)));
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_count_while_they_are_alive() {
    let env = TestEnv::new().await;
    let worker = worker_settings(Shape::default()).identity;
    env.store.record_heartbeat(&worker, 15).await.unwrap();
    let seen = observe(&env).await;
    assert_eq!((seen.workers, seen.slots), (1, 2));
    env.store.expire_all_leases().await.unwrap();
    let dead = observe(&env).await;
    assert_eq!((dead.workers, dead.slots), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn unbounded_tables_are_counted_up_to_a_limit() {
    let env = TestEnv::new().await;
    env.execute(
        "INSERT INTO rejected_event (shard, entry_ms, entry_sequence, payload, reason, \
             rejected_at) VALUES (0, 0, 0, '', '', '2024-06-01 00:00:00')",
    )
    .await;
    let mut rows = 1;
    while rows <= MAX_COUNTED {
        env.execute(&format!(
            "INSERT INTO rejected_event (shard, entry_ms, entry_sequence, payload, reason, \
                 rejected_at) SELECT shard, entry_ms + {rows}, entry_sequence, payload, reason, \
                 rejected_at FROM rejected_event"
        ))
        .await;
        rows *= 2;
    }
    assert_eq!(observe(&env).await.rejected_events, u64::from(MAX_COUNTED));
}
