//! What a verification reads: plain facts, as the tables hold them. Words and numbers are not
//! judged here, so that a damaged one can be named instead of ending the reading.
//!
//! Each method is one snapshot. What is settled never changes, so that pages of one settled day may
//! come from different snapshots.

use balance_batch::execution::{JobExecutionId, JobInstanceId};
use balance_domain::playback::EventId;
use chrono::NaiveDate;
use std::ops::AddAssign;

/// A date of which anything is known: history, results, or a launch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayFacts {
    /// The business day.
    pub date: NaiveDate,
    /// Whether anything was played.
    pub is_active: bool,
    /// Whether there are rows of statistics or revenue.
    pub has_results: bool,
    /// Whether it was ever launched.
    pub is_launched: bool,
    /// The COMPLETED executions with their instances, oldest first; one where it is settled.
    pub settled_by: Vec<(JobExecutionId, JobInstanceId)>,
    /// The last closed day.
    pub closed_through: Option<NaiveDate>,
}

/// A day of plays of one video. Sums that never overflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlayFacts {
    /// Counted views.
    pub views: i128,
    /// Seconds watched.
    pub seconds: i128,
    /// The least seconds of a row.
    pub least_seconds: i64,
    /// The least and the greatest `counted`: 0 or 1 where it is right.
    pub counted: (i64, i64),
}

/// A row of `video_statistics`, with what the row hangs from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatisticsFacts {
    /// Counted views of the day.
    pub view_count: i64,
    /// Seconds watched on the day.
    pub total_play_time: i64,
    /// Ad views of the day.
    pub ad_view_count: i64,
    /// Views and ad views over the video's life.
    pub cumulative: (i64, i64),
    /// Lifetime views and ad views before the day: of the row before, else the opening balance,
    /// else 0.
    pub before: (i64, i64),
    /// Whether the video is registered.
    pub is_registered: bool,
}

/// Amounts in hundredths of a won.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevenueFacts {
    /// Pay for views.
    pub view_revenue: i64,
    /// Pay for ad views.
    pub ad_revenue: i64,
    /// All pay.
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

/// Everything about one video on one day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VideoDay {
    /// The video.
    pub video_id: i64,
    /// Its plays, where there are any.
    pub plays: Option<PlayFacts>,
    /// Its ad views.
    pub ad_views: i64,
    /// Its row of statistics.
    pub statistics: Option<StatisticsFacts>,
    /// Its row of revenue.
    pub revenue: Option<RevenueFacts>,
    /// Which steps of the instance skipped it.
    pub skips: Skips,
}

/// A page of a day's videos, in the order of their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayPage {
    /// Whether the day was ever launched.
    pub is_launched: bool,
    /// The videos.
    pub videos: Vec<VideoDay>,
    /// The last id that the page covers, or nothing where it is the last page.
    pub upto: Option<i64>,
}

/// Counts and amounts of a week or month. Amounts in hundredths of a won. Sums that never overflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PeriodFacts {
    /// Counted views.
    pub view_count: i128,
    /// Seconds watched.
    pub total_play_time: i128,
    /// Ad views.
    pub ad_view_count: i128,
    /// Pay for views.
    pub view_revenue: i128,
    /// Pay for ad views.
    pub ad_revenue: i128,
    /// All pay.
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

/// Videos and their sums: what a row of `period_total` says, or what it should say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TotalFacts {
    /// Videos with a row.
    pub video_count: i128,
    /// Their sums.
    pub sums: PeriodFacts,
}

impl TotalFacts {
    /// With one video more.
    pub fn add(&mut self, video: PeriodFacts) {
        self.video_count += 1;
        self.sums += video;
    }
}

/// A row of `period_rollup`, and the days that it is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollupFacts {
    /// The video.
    pub video_id: i64,
    /// What the row says.
    pub row: PeriodFacts,
    /// The sums of the settled days; nothing where there are none.
    pub settled: Option<PeriodFacts>,
    /// The sums of what unfinished executions have written of their days so far.
    pub unfinished: Option<PeriodFacts>,
    /// Whether the rollup step skipped the video on a day of the period.
    pub is_skipped: bool,
}

/// A page of a period's rows, in the order of their videos.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollupPage {
    /// The rows.
    pub rows: Vec<RollupFacts>,
    /// Whether a day of the period is unsettled and was abandoned: a row may then still hold what
    /// the abandoned run made of that day.
    pub is_undecided: bool,
    /// The last id that the page covers, or nothing where it is the last page.
    pub upto: Option<i64>,
}

/// An event of the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventFacts {
    /// Its id.
    pub event_id: EventId,
    /// When it happened, in microseconds since 1970 (UTC).
    pub occurred_at_micros: i64,
}

/// A job instance, as far as Spring Batch knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceFacts {
    /// Its id.
    pub id: JobInstanceId,
    /// `JOB_NAME`.
    pub job_name: String,
    /// `JOB_KEY`.
    pub job_key: String,
    /// The number of the instance of its date; 0 for the first.
    pub run_id: i64,
    /// Its executions, oldest first.
    pub executions: Vec<JobExecutionId>,
    /// The videos that its steps skipped, each once for each step.
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
    /// Whether `VERSION` is there.
    pub has_version: bool,
    /// `STATUS`.
    pub status: Option<String>,
    /// `EXIT_CODE`.
    pub exit_code: Option<String>,
    /// Whether `START_TIME` is there.
    pub has_start: bool,
    /// Whether `END_TIME` is there.
    pub has_end: bool,
    /// Whether `LAST_UPDATED` is there.
    pub has_update: bool,
    /// Its context, where there is a row.
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

/// A step execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepFacts {
    /// `STEP_EXECUTION_ID`.
    pub id: i64,
    /// `STEP_NAME`.
    pub name: String,
    /// What it shares with an execution.
    pub run: RunFacts,
    /// What it counted.
    pub counters: CounterFacts,
    /// Whether it has a row in `step_lease`.
    pub has_lease: bool,
}

/// A job execution with all its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionFacts {
    /// Its id.
    pub id: JobExecutionId,
    /// What it shares with a step execution.
    pub run: RunFacts,
    /// Its parameters.
    pub parameters: Vec<ParameterFacts>,
    /// Its steps and partitions, in the order of their ids.
    pub steps: Vec<StepFacts>,
    /// Step executions that have a lease of this execution, and no row in it.
    pub orphaned_leases: Vec<i64>,
}

/// Rows that hang from nothing, late events that are not late, or a sequence that is behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrphanFacts {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// What should be there.
    pub expected: String,
    /// How many rows there are.
    pub total: u64,
    /// The first rows, in words, and what is there.
    pub rows: Vec<(String, String)>,
}
