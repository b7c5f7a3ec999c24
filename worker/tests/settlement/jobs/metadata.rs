//! The rows of the job tables, compared with Spring Batch.

use crate::test_worker::TestWorker;
use balance_batch::{
    execution::JobExecutionId,
    job::{Job, Step, StepName},
    partition::{IdRange, PartitionState},
    spring::context::{ExecutionContext, GRID_SIZE_KEY},
    status::BatchStatus,
};
use balance_domain::clock::Clock;
use balance_store::{claims::Ending, jobs::LaunchedBy, operations::Actor};
use balance_test_support::settlement::{MICROS, Shape, TestEnv, date, even_day};

const DAY: &str = "2024-01-01";
/// The context of a new `ExecutionContext`, as Java writes it.
const EMPTY: &str = "rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwACRgAKbG9hZEZhY3RvckkACXRocmVz\
     aG9sZHhwP0AAAAAAAAB3CAAAABAAAAAAeA==";

async fn env() -> TestEnv {
    let env = TestEnv::new().await;
    env.import(&even_day(DAY, 200, 40), 1).await.unwrap();
    env
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tables_match_spring_batch_6() {
    let env = env().await;
    let counts = "COMMIT_COUNT BIGINT 0,READ_COUNT BIGINT 0,FILTER_COUNT BIGINT 0,\
         WRITE_COUNT BIGINT 0,READ_SKIP_COUNT BIGINT 0,WRITE_SKIP_COUNT BIGINT 0,\
         PROCESS_SKIP_COUNT BIGINT 0,ROLLBACK_COUNT BIGINT 0";
    let times = "CREATE_TIME DATETIME(6) 1,START_TIME DATETIME(6) 0,END_TIME DATETIME(6) 0,\
         STATUS VARCHAR(10) 0";
    let exit = "EXIT_CODE VARCHAR(2500) 0,EXIT_MESSAGE VARCHAR(2500) 0,LAST_UPDATED DATETIME(6) 0";
    let context = "SHORT_CONTEXT VARCHAR(2500) 1,SERIALIZED_CONTEXT TEXT 0";
    let tables = [
        (
            "JOB_INSTANCE",
            "JOB_INSTANCE_ID BIGINT 1,VERSION BIGINT 0,JOB_NAME VARCHAR(100) 1,\
             JOB_KEY VARCHAR(32) 1"
                .to_owned(),
        ),
        (
            "JOB_EXECUTION",
            format!(
                "JOB_EXECUTION_ID BIGINT 1,VERSION BIGINT 0,JOB_INSTANCE_ID BIGINT 1,{times},{exit}"
            ),
        ),
        (
            "JOB_EXECUTION_PARAMS",
            "JOB_EXECUTION_ID BIGINT 1,PARAMETER_NAME VARCHAR(100) 1,\
             PARAMETER_TYPE VARCHAR(100) 1,PARAMETER_VALUE VARCHAR(2500) 0,IDENTIFYING CHAR(1) 1"
                .to_owned(),
        ),
        (
            "STEP_EXECUTION",
            format!(
                "STEP_EXECUTION_ID BIGINT 1,VERSION BIGINT 1,STEP_NAME VARCHAR(100) 1,\
                 JOB_EXECUTION_ID BIGINT 1,{times},{counts},{exit}"
            ),
        ),
        (
            "JOB_EXECUTION_CONTEXT",
            format!("JOB_EXECUTION_ID BIGINT 1,{context}"),
        ),
        (
            "STEP_EXECUTION_CONTEXT",
            format!("STEP_EXECUTION_ID BIGINT 1,{context}"),
        ),
    ];
    for (table, columns) in tables {
        let found = env.columns(&format!("BATCH_{table}")).await;
        assert_eq!(found.join(","), columns, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn new_rows_match_spring_batch() {
    let env = env().await;
    env.store
        .launch(
            Job::DayStatistics,
            date(DAY),
            &LaunchedBy::Operator(Actor::Console),
            None,
        )
        .await
        .unwrap();
    let execution =
        "SELECT VERSION, STATUS, EXIT_CODE, START_TIME, END_TIME FROM BATCH_JOB_EXECUTION";
    assert_eq!(env.rows(execution).await, ["0|STARTING|UNKNOWN|NULL|NULL"]);
    env.launcher(3).advance(JobExecutionId(1)).await.unwrap();
    assert_eq!(
        env.rows(execution).await,
        ["1|STARTED|UNKNOWN|2024-06-30 12:00:00|NULL"]
    );
    let steps = "SELECT STEP_NAME, VERSION, STATUS, EXIT_CODE, START_TIME, END_TIME \
         FROM BATCH_STEP_EXECUTION";
    let expected = ["closeDayStep|0|STARTING|EXECUTING|NULL|NULL"];
    assert_eq!(env.rows(steps).await, expected);
    let contexts = "SELECT SHORT_CONTEXT, SERIALIZED_CONTEXT FROM";
    for table in [
        "BATCH_JOB_EXECUTION_CONTEXT",
        "BATCH_STEP_EXECUTION_CONTEXT",
    ] {
        let rows = env.rows(&format!("{contexts} {table}")).await;
        assert_eq!(rows, [format!("{EMPTY}|NULL")], "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completed_run_matches_spring_batch() {
    let env = env().await;
    let shape = Shape {
        partitions: 3,
        chunk_size: 5,
        ..Shape::default()
    };
    let execution = env.settle(date(DAY), shape).await.unwrap();
    let job = "SELECT VERSION, STATUS, EXIT_CODE, EXIT_MESSAGE, CREATE_TIME, START_TIME, END_TIME, \
         LAST_UPDATED FROM BATCH_JOB_EXECUTION";
    let noon = "2024-06-30 12:00:00";
    let times = [noon; 4].join("|");
    assert_eq!(
        env.rows(job).await,
        [format!("2|COMPLETED|COMPLETED||{times}")]
    );
    let wrong = "SELECT * FROM BATCH_STEP_EXECUTION WHERE STATUS <> 'COMPLETED' \
         OR EXIT_CODE <> 'COMPLETED' OR EXIT_MESSAGE <> '' OR START_TIME IS NULL \
         OR END_TIME IS NULL OR LAST_UPDATED IS NULL OR ROLLBACK_COUNT <> 0";
    assert!(env.rows(wrong).await.is_empty());
    // A partition has one version for the claim and one for each chunk. A tasklet has two, for its
    // claim and its end. A manager has one, for its end.
    for step in env.steps(execution.id).await {
        let version = match step.name {
            StepName {
                partition: Some(_), ..
            } => 1 + step.counters.commits,
            name if name.step.is_partitioned() => 1,
            _ => 2,
        };
        assert_eq!(step.version, version, "{}", step.name);
    }
    let names = env
        .rows(
            "SELECT STEP_NAME FROM BATCH_STEP_EXECUTION GROUP BY STEP_NAME \
             ORDER BY MIN(STEP_EXECUTION_ID)",
        )
        .await;
    // A tasklet has a row, a partitioned step a manager and three partitions.
    let rows = |step: &Step| if step.is_partitioned() { 1 + 3 } else { 1 };
    let expected: usize = Job::DayStatistics.steps().iter().map(rows).sum();
    assert_eq!(names.len(), expected);
    assert_eq!(
        names[..3],
        [
            "closeDayStep",
            "partitionedDayStatisticsStep",
            "dayStatisticsStep:partition0"
        ]
    );
    if !env.is_server() {
        // A server rejects orphans itself.
        let orphans = "SELECT COUNT(*) FROM pragma_foreign_key_check";
        assert_eq!(env.rows(orphans).await, ["0"]);
    }
    assert!(env.rows("SELECT * FROM step_lease").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn contexts_have_the_grid_size_and_each_range_with_its_cursor() {
    let env = env().await;
    // Videos with uncounted plays only have no rows, so the IDs have gaps.
    env.execute("UPDATE play_history SET counted = 0, play_time = 0 WHERE video_id IN (3, 30)")
        .await;
    let shape = Shape {
        partitions: 3,
        ..Shape::default()
    };
    let execution = env.settle(date(DAY), shape).await.unwrap();
    let contexts = env
        .rows(
            "SELECT SHORT_CONTEXT, SERIALIZED_CONTEXT FROM BATCH_STEP_EXECUTION_CONTEXT \
             ORDER BY STEP_EXECUTION_ID",
        )
        .await;
    let steps = env.steps(execution.id).await;
    assert_eq!(contexts.len(), steps.len());
    let mut end = IdRange::ALL.upto;
    for (step, columns) in steps.iter().zip(&contexts) {
        let short = columns.strip_suffix("|NULL").unwrap();
        let context = ExecutionContext::from_columns(short, None).unwrap();
        // The context is written byte for byte the same; each number is a Long.
        assert_eq!(context.to_columns().short_context, short);
        if step.name.partition.is_none() {
            let grid = step.name.step.is_partitioned().then_some(3);
            assert_eq!(context.long(GRID_SIZE_KEY), grid, "{}", step.name);
            assert_eq!(end, IdRange::ALL.upto);
            if grid.is_some() {
                end = IdRange::ALL.after;
            }
            continue;
        }
        let state = PartitionState::from_context(&context).unwrap();
        assert!(state.is_done(), "{}", step.name);
        assert_eq!(state.range.after, end, "ranges touch");
        end = state.range.upto;
        let IdRange { after, upto } = state.range;
        let active = "SELECT COUNT(DISTINCT video_id) FROM play_history WHERE counted = 1";
        let active = env
            .rows(&format!(
                "{active} AND video_id > {after} AND video_id <= {upto}"
            ))
            .await;
        assert_eq!(step.counters.writes.to_string(), active[0], "{}", step.name);
        assert_eq!(
            step.counters.reads,
            step.counters.writes + step.counters.filters
        );
        let reads = u64::try_from(step.counters.reads).unwrap();
        // An empty chunk follows a full last chunk, and finds the end of the range.
        assert!(u64::try_from(step.counters.commits).unwrap() <= reads / 10 + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_and_keys_match_the_reference() {
    let env = env().await;
    let test_worker = TestWorker::launch(&env, DAY, 2).await;
    test_worker.launcher.stop(test_worker.job).await.unwrap();
    test_worker.launcher.abandon(test_worker.job).await.unwrap();
    test_worker.launcher.launch(date(DAY)).await.unwrap();
    let instances = env
        .rows("SELECT * FROM BATCH_JOB_INSTANCE ORDER BY 1")
        .await;
    assert_eq!(
        instances,
        [
            "1|0|dayStatisticsJob|046ae5f28f5c733de0d7ce24f67f2cb3",
            "2|0|dayStatisticsJob|dc1752dfa13323c984b21f58609fe6b6",
        ]
    );
    let parameters = env
        .rows("SELECT * FROM BATCH_JOB_EXECUTION_PARAMS ORDER BY 1, 2")
        .await;
    assert_eq!(
        parameters,
        [
            "1|date|java.time.LocalDate|2024-01-01|Y",
            "2|date|java.time.LocalDate|2024-01-01|Y",
            "2|run.id|java.lang.Long|1|Y",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn times_show_when_a_row_was_created_claimed_changed_and_ended() {
    let env = env().await;
    let test_worker = TestWorker::launch(&env, DAY, 1).await;
    let id = test_worker.partitions[0];
    let later = |seconds| env.clock.set(env.clock.now_micros() + seconds * MICROS);
    let times = async || {
        let sql =
            "SELECT CREATE_TIME, START_TIME, END_TIME, LAST_UPDATED FROM BATCH_STEP_EXECUTION";
        let rows = env
            .rows(&format!("{sql} WHERE STEP_EXECUTION_ID = {id}"))
            .await;
        rows[0].replace("2024-06-30 12:00:", "")
    };
    assert_eq!(times().await, "00|NULL|NULL|00");
    later(1);
    test_worker.claim(id, 1).await;
    assert_eq!(times().await, "00|01|NULL|01");
    test_worker.expire_leases().await;
    let mut claim = test_worker.claim(id, 2).await;
    assert_eq!(times().await, "00|01|NULL|17");
    later(1);
    test_worker.chunk(&mut claim, 5).await.unwrap();
    assert_eq!(times().await, "00|01|NULL|18");
    later(1);
    env.store.end(&claim, Ending::Stopped).await.unwrap();
    assert_eq!(times().await, "00|01|19|19");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_cut_and_never_longer_than_their_column() {
    let env = env().await;
    env.execute("DELETE FROM revenue_rate").await;
    let shape = Shape {
        partitions: 40,
        ..Shape::default()
    };
    let failed = env.settle(date(DAY), shape).await.unwrap();
    assert_eq!(failed.status, BatchStatus::Failed);
    let longest = "SELECT MAX(LENGTH(EXIT_MESSAGE)) FROM";
    for table in ["BATCH_JOB_EXECUTION", "BATCH_STEP_EXECUTION"] {
        assert_eq!(
            env.rows(&format!("{longest} {table}")).await,
            ["2500"],
            "{table}"
        );
    }
}

/// Spring Batch can continue the sequences of IDs.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_id_that_spring_takes_is_free() {
    let env = env().await;
    env.settle(date(DAY), Shape::default()).await.unwrap();
    for (name, key) in [("JOB", "JOB_EXECUTION_ID"), ("STEP", "STEP_EXECUTION_ID")] {
        let table = format!("BATCH_{name}_EXECUTION");
        let ids = env
            .rows(&format!(
                "SELECT MIN({key}), MAX({key}), COUNT(*) FROM {table}"
            ))
            .await;
        let numbers: Vec<i64> = ids[0].split('|').map(|id| id.parse().unwrap()).collect();
        assert_eq!((numbers[0], numbers[1]), (1, numbers[2]), "{table}");
        // The statement of Spring Batch for the next ID.
        env.execute(&if env.is_server() {
            format!("UPDATE {table}_SEQ SET ID = LAST_INSERT_ID(ID + 1)")
        } else {
            format!("INSERT INTO {table}_SEQ DEFAULT VALUES")
        })
        .await;
        let next = env.rows(&format!("SELECT MAX(ID) FROM {table}_SEQ")).await;
        assert_eq!(next, [(numbers[1] + 1).to_string()], "{table}");
    }
}
