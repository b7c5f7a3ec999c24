//! Faults planted by hand: `verify` finds each and names it, and nothing else.

use crate::{
    env::{TestEnv, date},
    verify::{ALL, DAY, NEXT, lines, settled},
};
use balance_batch::{
    partition::{IdRange, PartitionState},
    spring::context::ExecutionContext,
};
use balance_service::verification::{Kind, Options};

/// A table, a statement that no honest program would run, and how the differences begin.
type Fault<'a> = (&'a str, String, Vec<String>);

/// Of a statement, its differences one a line.
fn fault<'a>(table: &'a str, sql: impl Into<String>, differences: &str) -> Fault<'a> {
    let lines = differences.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty()).map(str::to_owned);
    (table, sql.into(), lines.collect())
}

impl TestEnv {
    /// Plants a fault, and answers the differences; then puts the table's rows back.
    async fn planted(&self, table: &str, fault: &str) -> Vec<String> {
        let unchecked = if self.is_server() {
            "SET FOREIGN_KEY_CHECKS = 0"
        } else {
            "PRAGMA foreign_keys = OFF"
        };
        self.sql(&format!("CREATE TABLE kept AS SELECT * FROM {table}"))
            .await;
        self.sql(&format!("{unchecked}; {fault}")).await;
        let found = self.differences().await;
        self.sql(&format!(
            "{unchecked}; DELETE FROM {table}; INSERT INTO {table} SELECT * FROM kept; \
             DROP TABLE kept"
        ))
        .await;
        found
    }

    async fn assert_found(&self, faults: &[Fault<'_>]) {
        self.assert_clean("before").await;
        for (table, sql, expected) in faults {
            let found = self.planted(table, sql).await;
            let all_are_there = found.len() == expected.len()
                && found
                    .iter()
                    .zip(expected)
                    .all(|(one, start)| one.starts_with(start));
            assert!(all_are_there, "{sql}: {found:#?} are not {expected:#?}");
        }
        self.assert_clean("put back").await;
    }
}

/// The row of video 3 on the second day.
const OF_3: &str = "WHERE video_id = 3 AND date = '2024-05-28'";

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_days_are_found_and_named() {
    let env = settled().await;
    let set = |table: &str, column: &str, value: &str| {
        format!("UPDATE {table} SET {column} = {value} {OF_3}")
    };
    let faults = [
        fault(
            "video_statistics",
            set("video_statistics", "view_count", "view_count + 1"),
            "statistics: video_statistics (date 2024-05-28, video 3) view_count: 5 / 6
             periods: period_rollup (week of 2024-05-27, video 3) view_count: 16 / 15
             periods: period_rollup (month of 2024-05-01, video 3) view_count: 11 / 10",
        ),
        fault(
            "video_statistics",
            set("video_statistics", "total_play_time", "total_play_time - 1"),
            "statistics: video_statistics (date 2024-05-28, video 3) total_play_time: 740 / 739
             periods: period_rollup (week of 2024-05-27, video 3) total_play_time: 2219 / 2220
             periods: period_rollup (month of 2024-05-01, video 3) total_play_time: 1479 / 1480",
        ),
        // The row itself, and the next that goes on from it.
        fault(
            "video_statistics",
            set("video_statistics", "cumulative_view_count", "11"),
            "chain: video_statistics (date 2024-05-28, video 3) cumulative_view_count: 10 / 11
             chain: video_statistics (date 2024-06-01, video 3) cumulative_view_count: 16 / 15",
        ),
        fault(
            "video_statistics",
            "INSERT INTO video_statistics VALUES (77, '2024-05-28', 1, 2, 3, 1, 3)",
            "statistics: video_statistics (date 2024-05-28, video 77) row: no row / 1 views, 2 s
             periods: period_rollup (week of 2024-05-27, video 77) row: a row
             periods: period_rollup (month of 2024-05-01, video 77) row: a row",
        ),
        fault(
            "video_statistics",
            "INSERT INTO video_statistics VALUES (3, '2024-06-20', 1, 2, 3, 1, 3)",
            "statistics: video_statistics (date 2024-06-20, video 3) row: no row: the day was never",
        ),
        fault(
            "video_revenue",
            set("video_revenue", "view_revenue", "501"),
            "revenue: video_revenue (date 2024-05-28, video 3) view_revenue: 500 / 501
             periods: period_rollup (week of 2024-05-27, video 3) view_revenue: 1501 / 1500
             periods: period_rollup (month of 2024-05-01, video 3) view_revenue: 1001 / 1000",
        ),
        fault(
            "video_revenue",
            set("video_revenue", "total_revenue", "2501"),
            "revenue: video_revenue (date 2024-05-28, video 3) total_revenue: 2500 / 2501
             periods: period_rollup (week of 2024-05-27, video 3) total_revenue: 7501 / 7500
             periods: period_rollup (month of 2024-05-01, video 3) total_revenue: 5001 / 5000",
        ),
        fault(
            "video_revenue",
            "INSERT INTO video_revenue VALUES (77, '2024-05-28', 1, 2, 3)",
            "revenue: video_revenue (date 2024-05-28, video 77) row: no row / 1 + 2 = 3",
        ),
        fault(
            "revenue_rate",
            "DELETE FROM revenue_rate WHERE kind = 'AD' AND from_count = 500000",
            "revenue: revenue_rate (the version that pays 2024-05-27) from_count: tiers
             revenue: revenue_rate (the version that pays 2024-05-28) from_count: tiers
             revenue: revenue_rate (the version that pays 2024-06-01) from_count: tiers",
        ),
        fault(
            "opening_balance",
            "INSERT INTO opening_balance VALUES (3, 1, 0)",
            "chain: video_statistics (date 2024-05-27, video 3) cumulative_view_count: 6 / 5",
        ),
        fault(
            "video",
            "DELETE FROM video WHERE id = 3",
            "statistics: video (date 2024-05-27, video 3) row: the video / no row
             statistics: video (date 2024-05-28, video 3) row: the video / no row
             statistics: video (date 2024-06-01, video 3) row: the video / no row",
        ),
        fault(
            "closed_through",
            "UPDATE closed_through SET date = '2024-05-28'",
            "order: closed_through (date 2024-06-01) date: 2024-06-01 or later",
        ),
    ];
    env.assert_found(&faults).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_missing_breaks_its_chain_and_its_sums() {
    let env = settled().await;
    let starts =
        |found: &[String], start: &str| found.iter().filter(|line| line.starts_with(start)).count();
    let found = env
        .planted(
            "video_statistics",
            &format!("DELETE FROM video_statistics {OF_3}"),
        )
        .await;
    let row = "statistics: video_statistics (date 2024-05-28, video 3) row: 5 views, 740 s, \
               2 ad views / no row";
    assert_eq!(found[0], row);
    let next = "chain: video_statistics (date 2024-06-01, video 3)";
    assert_eq!((starts(&found, next), starts(&found, "periods: ")), (2, 12));
    assert_eq!(found.len(), 15, "{found:#?}");
    let found = env
        .planted(
            "video_revenue",
            &format!("DELETE FROM video_revenue {OF_3}"),
        )
        .await;
    let row = "revenue: video_revenue (date 2024-05-28, video 3) row: 500 + 2000 / no row";
    assert_eq!(found[0], row);
    assert_eq!(
        (starts(&found, "periods: "), found.len()),
        (6, 7),
        "{found:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_the_history_are_found_and_named() {
    let env = settled().await;
    let copy = |day: &str| {
        format!(
            "INSERT INTO play_history SELECT '{day}', event_id, video_id, user_id, \
             occurred_at_micros, counted, play_time, reported_time FROM play_history \
             {OF_3} AND user_id = 3"
        )
    };
    let history = |change: &str| format!("{change} {OF_3} AND user_id = 3");
    let event = "event 018fbd23f750700082b6320e2809d025";
    let late = "event_id, date, video_id, user_id, occurred_at_micros, counted, play_time, \
                reported_time, '2024-06-30 12:00:00' FROM play_history";
    let faults = [
        fault(
            "play_history",
            history("DELETE FROM play_history"),
            "statistics: video_statistics (date 2024-05-28, video 3) view_count: 4 / 5
             statistics: video_statistics (date 2024-05-28, video 3) total_play_time: 730 / 740",
        ),
        fault(
            "play_history",
            history("UPDATE play_history SET play_time = 9"),
            "statistics: video_statistics (date 2024-05-28, video 3) total_play_time: 739 / 740",
        ),
        fault(
            "play_history",
            history("UPDATE play_history SET play_time = -10"),
            "history: play_history (date 2024-05-28, video 3) play_time: 0 or more / -10
             statistics: video_statistics (date 2024-05-28, video 3) total_play_time: 720 / 740",
        ),
        fault(
            "play_history",
            history("UPDATE play_history SET counted = 2"),
            "history: play_history (date 2024-05-28, video 3) counted: 0 or 1 / 2
             statistics: video_statistics (date 2024-05-28, video 3) view_count: 6 / 5",
        ),
        // The same event on another day: one that nobody has settled, and a settled one.
        fault(
            "play_history",
            copy("2024-06-02"),
            &format!("history: play_history (date 2024-06-02, {event}) event_id: an event of one day / also on 2024-05-28"),
        ),
        fault(
            "play_history",
            copy("2024-05-27"),
            &format!(
                "history: play_history (date 2024-05-27, {event}) event_id: an event of one day / also on 2024-05-28
                 statistics: video_statistics (date 2024-05-27, video 3) view_count: 6 / 5
                 statistics: video_statistics (date 2024-05-27, video 3) total_play_time: 750 / 740"
            ),
        ),
        fault(
            "play_history",
            history("UPDATE play_history SET date = '2024-06-02'"),
            &format!(
                "history: play_history (date 2024-06-02, {event}) date: 2024-05-28 / 2024-06-02
                 statistics: video_statistics (date 2024-05-28, video 3) view_count: 4 / 5
                 statistics: video_statistics (date 2024-05-28, video 3) total_play_time: 730 / 740"
            ),
        ),
        // Late and in time.
        fault(
            "late_event",
            format!("INSERT INTO late_event SELECT {late} {OF_3} AND user_id = 3"),
            &format!("history: late_event (date 2024-05-28, {event}) event_id: an event that the history does not hold"),
        ),
        // Late, of a day that is open.
        fault(
            "late_event",
            format!(
                "INSERT INTO late_event SELECT {} {OF_3} AND user_id = 3",
                late.replacen(" date,", " '2024-06-02',", 1)
            ),
            &format!("history: late_event (date 2024-06-02, {event}) date: a closed day / an open one"),
        ),
        fault(
            "ad_history",
            "DELETE FROM ad_history WHERE date = '2024-05-28' AND video_id = 8 AND slot_s = 300",
            "statistics: video_statistics (date 2024-05-28, video 8) ad_view_count: 1 / 2",
        ),
    ];
    env.assert_found(&faults).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_weeks_and_months_are_found_and_named() {
    let env = settled().await;
    let week = "video_id = 3 AND period = 'week'";
    let faults = [
        fault(
            "period_rollup",
            format!("UPDATE period_rollup SET total_play_time = total_play_time - 1 WHERE {week}"),
            "periods: period_rollup (week of 2024-05-27, video 3) total_play_time: 2220 / 2219",
        ),
        fault(
            "period_rollup",
            "DELETE FROM period_rollup WHERE video_id = 3",
            "periods: period_rollup (week of 2024-05-27, video 3) row: a row: the video was settled on 2024-05-27 / no row
             periods: period_rollup (month of 2024-05-01, video 3) row: a row: the video was settled on 2024-05-27 / no row
             periods: period_rollup (month of 2024-06-01, video 3) row: a row: the video was settled on 2024-06-01 / no row",
        ),
        fault(
            "period_rollup",
            "INSERT INTO period_rollup VALUES ('month', '2024-05-01', 77, 0, 0, 0, 0, 0, 0)",
            "periods: period_rollup (month of 2024-05-01, video 77) row: no row",
        ),
        fault(
            "period_rollup",
            format!("UPDATE period_rollup SET start_date = '2024-05-28' WHERE {week}"),
            "periods: period_rollup (week of 2024-05-27, video 3) row: a row
             periods: period_rollup (week of 2024-05-28, video 3) start_date: a Monday",
        ),
        fault(
            "period_rollup",
            format!("UPDATE period_rollup SET period = 'year' WHERE {week}"),
            "periods: period_rollup (week of 2024-05-27, video 3) row: a row
             periods: period_rollup (video 3) period: week or month",
        ),
    ];
    env.assert_found(&faults).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_totals_are_found_and_named() {
    let env = settled().await;
    let day = "period = 'day' AND start_date = '2024-05-28'";
    let week = "period = 'week' AND start_date = '2024-05-27'";
    let set = |what: &str, whose: &str| format!("UPDATE period_total SET {what} WHERE {whose}");
    let of_day = "periods: period_total (day of 2024-05-28)";
    let of_week = "periods: period_total (week of 2024-05-27)";
    let faults = [
        fault(
            "period_total",
            set("video_count = video_count + 1", day),
            &format!("{of_day} video_count: "),
        ),
        fault(
            "period_total",
            set("total_revenue = total_revenue - 1", week),
            &format!("{of_week} total_revenue: "),
        ),
        fault(
            "period_total",
            "INSERT INTO period_total VALUES ('day', '2024-06-20', 1, 2, 3, 4, 5, 6, 7)",
            "periods: period_total (day of 2024-06-20) period: no row: the day was never launched / a row",
        ),
        fault(
            "period_total",
            "INSERT INTO period_total VALUES ('week', '2024-06-24', 1, 2, 3, 4, 5, 6, 18)",
            "periods: period_total (week of 2024-06-24) video_count: 0 / 1
             periods: period_total (week of 2024-06-24) view_count: 0 / 2
             periods: period_total (week of 2024-06-24) total_play_time: 0 / 3
             periods: period_total (week of 2024-06-24) ad_view_count: 0 / 4
             periods: period_total (week of 2024-06-24) view_revenue: 0 / 5
             periods: period_total (week of 2024-06-24) ad_revenue: 0 / 6
             periods: period_total (week of 2024-06-24) total_revenue: 0 / 18",
        ),
        fault(
            "period_total",
            set("start_date = '2024-05-28'", week),
            "periods: period_total (week of 2024-05-28) start_date: a Monday",
        ),
        fault(
            "period_total",
            set("period = 'year'", week),
            "periods: period_total (year of 2024-05-27) period: day, week or month / a row",
        ),
    ];
    env.assert_found(&faults).await;
}

const PARTITION: &str = "STEP_NAME = 'dayRevenueStep:partition1' AND JOB_EXECUTION_ID = 2";
const MANAGER: &str = "STEP_NAME = 'partitionedDayRevenueStep' AND JOB_EXECUTION_ID = 2";
/// How their differences are named.
const OF_PARTITION: &str = "(step execution 25 (dayRevenueStep:partition1 of execution 2))";
const OF_MANAGER: &str = "(step execution 23 (partitionedDayRevenueStep of execution 2))";

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_counters_are_found_and_named() {
    let env = settled().await;
    let set =
        |what: &str, whose: &str| format!("UPDATE BATCH_STEP_EXECUTION SET {what} WHERE {whose}");
    let steps = "BATCH_STEP_EXECUTION";
    let partition = "partitions: BATCH_STEP_EXECUTION (instance 2, dayRevenueStep:partition1 (step executions 25))";
    let manager = format!("managers: BATCH_STEP_EXECUTION {OF_MANAGER}");
    let both = "STEP_NAME IN ('dayRevenueStep:partition1', 'partitionedDayRevenueStep') AND JOB_EXECUTION_ID = 2";
    let faults = [
        fault(
            steps,
            set("READ_COUNT = READ_COUNT + 1", PARTITION),
            &format!("{manager} READ_COUNT: 41 / 40"),
        ),
        fault(
            steps,
            set("ROLLBACK_COUNT = 1", MANAGER),
            &format!("{manager} ROLLBACK_COUNT: 0 / 1"),
        ),
        fault(
            steps,
            set("WRITE_COUNT = WRITE_COUNT - 1", PARTITION),
            &format!("{manager} WRITE_COUNT: 39 / 40\n{partition} WRITE_COUNT: 10 / 9"),
        ),
        // The sum is right, and both are wrong.
        fault(
            steps,
            set("WRITE_COUNT = WRITE_COUNT - 1", both),
            &format!("{partition} WRITE_COUNT: 10 / 9"),
        ),
        fault(
            steps,
            set("PROCESS_SKIP_COUNT = 1", both),
            &format!("{partition} skip counts: 0 / 1"),
        ),
        fault(
            steps,
            set("STEP_NAME = 'dayRevenueStep:partition9'", PARTITION),
            "partitions: BATCH_STEP_EXECUTION (instance 2, partitionedDayRevenueStep) STEP_NAME: partition1 / partition2",
        ),
        fault(
            steps,
            format!("DELETE FROM BATCH_STEP_EXECUTION WHERE {MANAGER}"),
            "partitions: BATCH_STEP_EXECUTION (instance 2, partitionedDayRevenueStep) STATUS: COMPLETED",
        ),
        fault(
            "rejected_item",
            "INSERT INTO rejected_item VALUES (2, 'partitionedPeriodRollupStep', 3, '2024-05-28', 'x', '2024-06-30 12:00:00')",
            "partitions: BATCH_STEP_EXECUTION (instance 2, periodRollupStep:partition0 (step executions 29)) WRITE_COUNT: 9 / 10
             partitions: BATCH_STEP_EXECUTION (instance 2, periodRollupStep:partition0 (step executions 29)) skip counts: 1 / 0
             job tables: BATCH_JOB_EXECUTION (execution 2) EXIT_CODE: COMPLETED_WITH_SKIPS",
        ),
    ];
    env.assert_found(&faults).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_contexts_and_ranges_are_found_and_named() {
    let env = settled().await;
    let table = "BATCH_STEP_EXECUTION_CONTEXT";
    let set = |context: &str, whose: &str| {
        format!(
            "UPDATE {table} SET SHORT_CONTEXT = '{context}' WHERE STEP_EXECUTION_ID = \
             (SELECT STEP_EXECUTION_ID FROM BATCH_STEP_EXECUTION WHERE {whose})"
        )
    };
    let range = |after, upto, cursor| {
        let range = IdRange { after, upto };
        PartitionState { range, cursor }.to_context().to_base64()
    };
    let empty = ExecutionContext::new().to_base64();
    let of_step = "(instance 2, partitionedDayRevenueStep)";
    let faults = [
        fault(
            table,
            set("{}", PARTITION),
            &format!("job tables: {table} {OF_PARTITION} SHORT_CONTEXT: a context as Java writes it"),
        ),
        fault(
            table,
            set(&empty, PARTITION),
            &format!("job tables: {table} {OF_PARTITION} SHORT_CONTEXT: a range and a cursor"),
        ),
        fault(
            table,
            set(&empty, MANAGER),
            &format!("job tables: {table} {OF_MANAGER} SHORT_CONTEXT: a Long"),
        ),
        fault(
            table,
            set(&range(10, 19, 19), PARTITION),
            &format!(
                "partitions: {table} {of_step} SHORT_CONTEXT: a range after 19 / the next begins after 20
                 partitions: BATCH_STEP_EXECUTION (instance 2, dayRevenueStep:partition1 (step executions 25)) WRITE_COUNT: 9 / 10
                 partitions: BATCH_STEP_EXECUTION (instance 2, dayRevenueStep:partition2 (step executions 26)) WRITE_COUNT: 11 / 10"
            ),
        ),
        fault(
            table,
            set(&range(10, 20, 19), PARTITION),
            &format!("partitions: {table} {OF_PARTITION} SHORT_CONTEXT: the cursor at 20"),
        ),
        fault(
            table,
            format!("DELETE FROM {table} WHERE STEP_EXECUTION_ID = 25"),
            &format!("job tables: {table} {OF_PARTITION} row: a context / no row"),
        ),
        fault(
            "BATCH_JOB_EXECUTION_CONTEXT",
            "DELETE FROM BATCH_JOB_EXECUTION_CONTEXT WHERE JOB_EXECUTION_ID = 2",
            "job tables: BATCH_JOB_EXECUTION_CONTEXT (execution 2) row: a context / no row",
        ),
    ];
    env.assert_found(&faults).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_statuses_and_times_are_found_and_named() {
    let env = settled().await;
    let step = |what: &str| format!("UPDATE BATCH_STEP_EXECUTION SET {what} WHERE {PARTITION}");
    let job =
        |what: &str| format!("UPDATE BATCH_JOB_EXECUTION SET {what} WHERE JOB_EXECUTION_ID = 2");
    let of_step = format!("job tables: BATCH_STEP_EXECUTION {OF_PARTITION}");
    let of_job = "job tables: BATCH_JOB_EXECUTION (execution 2)";
    let of_partition = "partitions: BATCH_STEP_EXECUTION (instance 2, dayRevenueStep:partition1) STATUS: COMPLETED";
    let unsettled = "order: BATCH_JOB_EXECUTION (date 2024-05-28) STATUS: a COMPLETED execution";
    let lease =
        "INSERT INTO step_lease (step_execution_id, job_execution_id, lease_until_micros) VALUES";
    let faults = [
        fault(
            "BATCH_STEP_EXECUTION",
            step("STATUS = 'FINISHED'"),
            &format!("{of_partition}\n{of_step} STATUS: a status of Spring Batch / FINISHED"),
        ),
        fault(
            "BATCH_STEP_EXECUTION",
            step("STATUS = 'FAILED'"),
            &format!(
                "managers: BATCH_STEP_EXECUTION {OF_MANAGER} STATUS: FAILED / COMPLETED
                 {of_partition}\n{of_step} STATUS: COMPLETED: the execution is COMPLETED / FAILED"
            ),
        ),
        fault(
            "BATCH_STEP_EXECUTION",
            step("END_TIME = NULL"),
            &format!("{of_step} END_TIME: a time"),
        ),
        fault(
            "BATCH_JOB_EXECUTION",
            job("STATUS = 'DONE'"),
            &format!("{of_job} STATUS: a status of Spring Batch / DONE\n{unsettled}"),
        ),
        fault(
            "BATCH_JOB_EXECUTION",
            job("STATUS = NULL"),
            &format!("{of_job} STATUS: a status of Spring Batch / NULL\n{unsettled}"),
        ),
        fault(
            "BATCH_JOB_EXECUTION",
            job("END_TIME = NULL"),
            &format!("{of_job} END_TIME: a time"),
        ),
        fault(
            "BATCH_JOB_EXECUTION",
            job("EXIT_CODE = 'COMPLETED_WITH_SKIPS'"),
            &format!("{of_job} EXIT_CODE: COMPLETED: 0 videos"),
        ),
        fault(
            "step_lease",
            format!("{lease} (1, 1, 0)"),
            "job tables: step_lease (step execution 1 (closeDayStep of execution 1)) row: no lease",
        ),
        fault(
            "step_lease",
            format!("{lease} (900, 1, 0), (901, 900, 0)"),
            "job tables: step_lease (step execution 900 of execution 1) row: no lease
             job tables: step_lease (step execution 901) job_execution_id: an execution",
        ),
    ];
    env.assert_found(&faults).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_identities_are_found_and_named() {
    let env = settled().await;
    let parameters = "BATCH_JOB_EXECUTION_PARAMS";
    let set = |what: &str| format!("UPDATE {parameters} SET {what} WHERE JOB_EXECUTION_ID = 2");
    let of_parameter = format!("job tables: {parameters} (execution 2, parameter date)");
    let key = "job tables: BATCH_JOB_INSTANCE (instance 2 of 2024-05-28) JOB_KEY:";
    let ids: i64 = env
        .rows("SELECT MAX(STEP_EXECUTION_ID) FROM BATCH_STEP_EXECUTION")
        .await[0]
        .parse()
        .unwrap();
    let faults = [
        fault(
            "BATCH_JOB_INSTANCE",
            "UPDATE BATCH_JOB_INSTANCE SET JOB_KEY = 'dc1752dfa13323c984b21f58609fe6b6' WHERE JOB_INSTANCE_ID = 2",
            &format!("{key} bdbffde81a401870389455c1006d67f7"),
        ),
        fault(
            "BATCH_JOB_INSTANCE",
            "UPDATE BATCH_JOB_INSTANCE SET JOB_NAME = 'otherJob' WHERE JOB_INSTANCE_ID = 2",
            "job tables: BATCH_JOB_INSTANCE (instance 2 of 2024-05-28) JOB_NAME: dayStatisticsJob",
        ),
        fault(
            "BATCH_JOB_INSTANCE",
            "DELETE FROM BATCH_JOB_INSTANCE WHERE JOB_INSTANCE_ID = 2",
            "job tables: job_date_instance (instance 2) job_instance_id: a row of it
             job tables: BATCH_JOB_EXECUTION (execution 2) JOB_INSTANCE_ID: an instance",
        ),
        fault(
            parameters,
            set("PARAMETER_TYPE = 'java.util.Date'"),
            &format!("{of_parameter} PARAMETER_TYPE: a class"),
        ),
        fault(
            parameters,
            set("IDENTIFYING = 'X'"),
            &format!("{of_parameter} IDENTIFYING: Y or N / X"),
        ),
        fault(
            parameters,
            set("PARAMETER_VALUE = '2024-05-29'"),
            &format!(
                "{key}\njob tables: {parameters} (execution 2) PARAMETER_VALUE: the date 2024-05-28 / 2024-05-29"
            ),
        ),
        fault(
            "job_date_instance",
            "UPDATE job_date_instance SET run_id = 4 WHERE job_instance_id = 2",
            &format!("job tables: {parameters} (execution 2) PARAMETER_VALUE: the run.id 4 / 0"),
        ),
        fault(
            "BATCH_STEP_EXECUTION_SEQ",
            "UPDATE BATCH_STEP_EXECUTION_SEQ SET ID = 5",
            &format!(
                "job tables: BATCH_STEP_EXECUTION_SEQ (the last id given) ID: {ids} or more / 5"
            ),
        ),
    ];
    env.assert_found(&faults).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_are_counted_the_first_are_kept_and_days_can_be_left_out() {
    let env = settled().await;
    env.sql("UPDATE video_statistics SET total_play_time = total_play_time + 1")
        .await;
    let some = |from: &str, limit| Options {
        from: Some(date(from)),
        to: None,
        limit,
    };
    let all = env.verified(Options { limit: 3, ..ALL }).await;
    assert_eq!(all.findings.total(Kind::Statistics), 3 * 40);
    // One week, two months.
    assert_eq!(all.findings.total(Kind::Periods), 3 * 40);
    assert_eq!(
        (lines(&all).len(), all.findings.shown(Kind::Periods).count()),
        (6, 3)
    );
    assert!(lines(&all)[0].contains(DAY));
    let later = env.verified(some(NEXT, 3)).await;
    assert_eq!(later.findings.total(Kind::Statistics), 2 * 40);
    assert!(lines(&later)[0].contains(NEXT));
    let none = env.verified(some("2024-07-01", 0)).await;
    assert!(none.findings.is_clean());
    assert_eq!((none.days, none.period_rows), (0, 0));
}
