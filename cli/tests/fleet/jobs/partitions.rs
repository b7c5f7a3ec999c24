//! Ten thousand partitions cost in proportion to their number.

use crate::{env::TestEnv, plays, worker::Fleet};
use balance_redis::RedisNotifier;
use balance_service::jobs::notifier::Notifier;
use balance_test_support::servers::{PASSWORD, Servers};
use std::time::{Duration, Instant};

const DAY: &str = "2024-03-30";
/// The numbers of partitions of each of the three partitioned steps.
const FEW: u64 = 400;
const MANY: u64 = 4_000;
/// The videos of the day: enough for the requested number of partitions.
const VIDEOS: u64 = 7_000;

/// The cost of a settlement.
struct Cost {
    partitions: u64,
    statements: u64,
    most_waiting: u64,
    took: Duration,
}

/// Settles a day with two workers of two slots, and measures the cost.
fn settle(partitions: u64) -> Cost {
    // Separate servers, because their counters are measured.
    let servers = Servers::start();
    let env = TestEnv::new(&servers)
        .with("PARTITIONS", partitions)
        .with("WORKER_CONCURRENCY", 2);
    env.import(&plays::day(DAY, VIDEOS));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    let queue = RedisNotifier::open(
        &servers.redis.url(PASSWORD, env.number),
        &env.identity().parse().unwrap(),
    )
    .unwrap();
    // `Questions` would include the prepares and pings of the driver.
    let executed = "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS \
                    WHERE VARIABLE_NAME = 'COM_STMT_EXECUTE'";
    let before = env.database.number(executed);
    let began = Instant::now();
    let fleet = Fleet::start(&env, 2);
    let mut most_waiting = 0;
    let finished = "SELECT COUNT(*) FROM BATCH_JOB_EXECUTION WHERE STATUS = 'COMPLETED'";
    while env.database.value(finished) == "0" {
        let waiting = runtime.block_on(queue.waiting()).unwrap();
        most_waiting = most_waiting.max(waiting);
        assert!(
            began.elapsed() < Duration::from_secs(600),
            "the settlement is stuck"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    let took = began.elapsed();
    let statements = env.database.number(executed) - before;
    fleet.end();
    env.assert_all_complete(1, "many partitions");
    let made = "SELECT COUNT(*) FROM BATCH_STEP_EXECUTION WHERE STEP_NAME LIKE '%:partition%'";
    Cost {
        partitions: env.database.number(made),
        statements,
        most_waiting,
        took,
    }
}

#[test]
fn ten_thousand_partitions_cost_ten_times_a_thousand() {
    let few = settle(FEW);
    let many = settle(MANY);
    for cost in [&few, &many] {
        println!(
            "{} partitions in {:?}: {} statements, at most {} notifications waiting",
            cost.partitions, cost.took, cost.statements, cost.most_waiting
        );
    }
    assert!(few.partitions >= 1_000 && many.partitions >= 10_000);
    // Two notifications for each of four slots.
    assert!(few.most_waiting <= 8 && many.most_waiting <= 8);
    // The number of statements grows linearly.
    let of_each = |cost: &Cost| cost.statements / cost.partitions;
    assert!(4 * of_each(&many) <= 5 * of_each(&few), "not in proportion");
}
