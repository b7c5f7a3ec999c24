//! The options, the progress and the result of a verification.

use crate::verification::findings::Findings;
use balance_domain::period::Period;
use chrono::NaiveDate;

/// The scope of a verification.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The first business day; `None` to begin with the first of all.
    pub from: Option<NaiveDate>,
    /// The last business day; `None` to end with the last of all.
    pub to: Option<NaiveDate>,
    /// The most differences of each kind that are kept. All differences are counted.
    pub limit: u32,
}

impl Options {
    /// Returns whether a period has a day in the scope.
    pub(super) fn overlaps(&self, period: Period) -> bool {
        self.from.is_none_or(|from| from <= period.to) && self.to.is_none_or(|to| to >= period.from)
    }
}

/// The progress of a verification. Each day, week and month is one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Verified units.
    pub done: u64,
    /// All units.
    pub total: u64,
}

/// The result of a verification.
#[derive(Debug, Clone)]
pub struct Verified {
    /// Days with any rows.
    pub days: u64,
    /// Settled days among them.
    pub settled_days: u64,
    /// Videos of settled days, counted once for each day.
    pub videos: u64,
    /// Rows of weeks and months.
    pub period_rows: u64,
    /// Job executions.
    pub executions: u64,
    /// Executions among them whose steps were pruned, so that their counts cannot be compared.
    pub pruned: u64,
    /// Step executions that another program created or ended. Their counts cannot be compared.
    pub foreign_steps: u64,
    pub findings: Findings,
}
