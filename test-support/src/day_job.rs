//! The steps of the day's job and the tables that they fill, for the tests that cover all of them.

use balance_batch::job::{Job, Step};

/// The tables with the results of settlements, each with its key. A test of the worker compares the
/// list with the tables that a settlement changes.
pub const RESULT_TABLES: [(&str, &str); 4] = [
    ("video_statistics", "video_id, date"),
    ("video_revenue", "video_id, date"),
    ("period_rollup", "period, start_date, video_id"),
    ("period_total", "period, start_date"),
];

/// Returns the names of the partitioned steps as in the rows of their partitions, in order.
pub fn partitioned_steps() -> Vec<&'static str> {
    let steps = Job::DayStatistics.steps().iter().copied();
    steps.filter_map(Step::worker_name).collect()
}
