//! The rows that a verification reads, as the tables store them. Values are not validated here, so that
//! the verification can report an invalid one.
//!
//! Each method reads one snapshot. Settled rows never change, so the pages of a settled day may come
//! from different snapshots.

use balance_batch::execution::{JobExecutionId, JobInstanceId, StepExecutionId};
use balance_domain::playback::EventId;
use chrono::NaiveDate;
use std::ops::AddAssign;

/// A date with history, results or a launch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayFacts {
    pub date: NaiveDate,
    /// Whether the day has plays.
    pub is_active: bool,
    /// Whether the day has rows of statistics or revenue.
    pub has_results: bool,
    /// Whether the day was ever launched.
    pub is_launched: bool,
    /// The COMPLETED executions, oldest first. A settled day has one.
    pub settled_by: Vec<SettledBy>,
    /// The last closed day.
    pub closed_through: Option<NaiveDate>,
}

/// A COMPLETED execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettledBy {
    pub execution: JobExecutionId,
    pub instance: JobInstanceId,
    /// The first step execution of the instance after the day was closed. `None` if it was deleted.
    pub first_step: Option<StepExecutionId>,
    /// The last step execution of the execution. `None` if it was deleted.
    pub last_step: Option<StepExecutionId>,
}

/// The plays of one video on a day. 128-bit sums cannot overflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlayFacts {
    /// Counted views.
    pub views: i128,
    /// Credited seconds.
    pub seconds: i128,
    /// The least seconds of a row.
    pub least_seconds: i64,
    /// The least and the greatest `counted`. Valid values are 0 and 1.
    pub counted: (i64, i64),
}

/// A row of `video_statistics` with the rows that it builds on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatisticsFacts {
    /// Counted views of the day.
    pub view_count: i64,
    /// Credited seconds of the day.
    pub total_play_time: i64,
    /// Ad views of the day.
    pub ad_view_count: i64,
    /// Lifetime views and ad views.
    pub cumulative: (i64, i64),
    /// Lifetime views and ad views before the day: those of the previous row, or else of the opening
    /// balance, or else 0.
    pub before: (i64, i64),
    /// Whether the video is registered.
    pub is_registered: bool,
}

/// A row of `video_revenue`. Amounts are in hundredths of a won.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevenueFacts {
    pub view_revenue: i64,
    pub ad_revenue: i64,
    pub total_revenue: i64,
}

/// The steps that skipped a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Skips {
    /// `partitionedDayStatisticsStep`.
    pub statistics: bool,
    /// `partitionedDayRevenueStep`.
    pub revenue: bool,
    /// `partitionedPeriodRollupStep`.
    pub rollup: bool,
}

/// The rows of one video on one day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VideoDayFacts {
    pub video_id: i64,
    pub plays: Option<PlayFacts>,
    pub ad_views: i64,
    pub statistics: Option<StatisticsFacts>,
    pub revenue: Option<RevenueFacts>,
    /// The steps of the instance that skipped the video.
    pub skips: Skips,
}

/// A page of a day's videos, in the order of their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayPage {
    /// Whether the day was ever launched.
    pub is_launched: bool,
    pub videos: Vec<VideoDayFacts>,
    /// The last id that the page covers, or `None` for the last page.
    pub upto: Option<i64>,
}

/// The counts and amounts of a week or month. Amounts are in hundredths of a won. 128-bit sums cannot
/// overflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PeriodFacts {
    /// Counted views.
    pub view_count: i128,
    /// Credited seconds.
    pub total_play_time: i128,
    pub ad_view_count: i128,
    pub view_revenue: i128,
    pub ad_revenue: i128,
    pub total_revenue: i128,
}

impl AddAssign for PeriodFacts {
    fn add_assign(&mut self, other: Self) {
        self.view_count += other.view_count;
        self.total_play_time += other.total_play_time;
        self.ad_view_count += other.ad_view_count;
        self.view_revenue += other.view_revenue;
        self.ad_revenue += other.ad_revenue;
        self.total_revenue += other.total_revenue;
    }
}

/// A row of `period_total`, stored or recomputed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TotalFacts {
    /// The number of videos with a row.
    pub video_count: i128,
    pub sums: PeriodFacts,
}

impl TotalFacts {
    /// Adds a video.
    pub fn add(&mut self, video: PeriodFacts) {
        self.video_count += 1;
        self.sums += video;
    }
}

/// A row of `period_rollup` with the sums of its days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollupFacts {
    pub video_id: i64,
    /// The stored row.
    pub row: PeriodFacts,
    /// The sums of the settled days, if any.
    pub settled: Option<PeriodFacts>,
    /// The sums of the rows that unfinished executions have written, if any.
    pub unfinished: Option<PeriodFacts>,
    /// Whether the rollup step skipped the video on a day of the period.
    pub is_skipped: bool,
}

/// A page of a period's rows, in the order of their videos.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollupPage {
    pub rows: Vec<RollupFacts>,
    /// Whether a day of the period is unsettled and was abandoned. Then a row may still contain values
    /// that the abandoned execution wrote for that day.
    pub is_undecided: bool,
    /// The last id that the page covers, or `None` for the last page.
    pub upto: Option<i64>,
}

/// An event of the play history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventFacts {
    pub event_id: EventId,
    /// Microseconds since 1970 (UTC).
    pub occurred_at_micros: i64,
}

/// A job instance in the tables of Spring Batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceFacts {
    pub id: JobInstanceId,
    /// `JOB_NAME`.
    pub job_name: String,
    /// `JOB_KEY`.
    pub job_key: String,
    /// The number of the instance of its date, 0 for the first.
    pub run_id: i64,
    /// The executions, oldest first.
    pub executions: Vec<JobExecutionId>,
    /// The number of skipped videos, counted once per step.
    pub skipped: i64,
}

/// A row of `BATCH_JOB_EXECUTION_PARAMS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterFacts {
    /// `PARAMETER_NAME`.
    pub name: String,
    /// `PARAMETER_TYPE`: a Java class.
    pub class: String,
    /// `PARAMETER_VALUE`.
    pub value: Option<String>,
    /// `IDENTIFYING`.
    pub identifying: String,
}

/// A context row: `SHORT_CONTEXT` and `SERIALIZED_CONTEXT`.
pub type ContextFacts = (String, Option<String>);

/// The columns that an execution and a step execution share.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunFacts {
    /// Whether `VERSION` is not NULL.
    pub has_version: bool,
    /// `STATUS`.
    pub status: Option<String>,
    /// `EXIT_CODE`.
    pub exit_code: Option<String>,
    /// Whether `START_TIME` is not NULL.
    pub has_start: bool,
    /// Whether `END_TIME` is not NULL.
    pub has_end: bool,
    /// Whether `LAST_UPDATED` is not NULL.
    pub has_update: bool,
    /// The context, if it has a row.
    pub context: Option<ContextFacts>,
}

/// Spring's counters, in the order of [`COUNTERS`].
pub type CounterFacts = [Option<i64>; 8];

/// The columns of the counters.
pub const COUNTERS: [&str; 8] = [
    "COMMIT_COUNT",
    "READ_COUNT",
    "FILTER_COUNT",
    "WRITE_COUNT",
    "READ_SKIP_COUNT",
    "WRITE_SKIP_COUNT",
    "PROCESS_SKIP_COUNT",
    "ROLLBACK_COUNT",
];

/// A row of `BATCH_STEP_EXECUTION` with its context and lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepFacts {
    /// `STEP_EXECUTION_ID`.
    pub id: i64,
    /// `STEP_NAME`.
    pub name: String,
    pub run: RunFacts,
    pub counters: CounterFacts,
    /// Whether `step_lease` has a row of the step execution.
    pub has_lease: bool,
}

/// A job execution with all its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionFacts {
    pub id: JobExecutionId,
    /// Whether another program launched it.
    pub is_foreign: bool,
    pub run: RunFacts,
    pub parameters: Vec<ParameterFacts>,
    /// All step executions in the order of their ids.
    pub steps: Vec<StepFacts>,
    /// Step executions with a lease of this execution but without a row in it.
    pub orphaned_leases: Vec<i64>,
}

/// Orphans of one kind: rows without a parent, late events that are not late, or a sequence that is
/// behind its table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrphanFacts {
    pub table: &'static str,
    pub column: &'static str,
    /// The expected value.
    pub expected: String,
    /// The number of such rows.
    pub total: u64,
    /// The first rows, each with its key and its value as text.
    pub rows: Vec<(String, String)>,
}

/// What a viewer may have on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ViewerLimits {
    /// The most credited seconds.
    pub credited_s: i64,
    /// The credited seconds of an ad view, 1 and up.
    pub ad_interval_s: u32,
}

/// What a viewer has on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ViewerFacts {
    pub user_id: i64,
    pub credited_s: i64,
    pub ad_views: i64,
}
