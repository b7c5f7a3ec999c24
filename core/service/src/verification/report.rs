//! What is asked of a verification, and what it tells.

use crate::verification::findings::Findings;
use balance_domain::period::Period;
use chrono::NaiveDate;

/// What to verify.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The first business day; nothing for the first of all.
    pub from: Option<NaiveDate>,
    /// The last business day; nothing for the last of all.
    pub to: Option<NaiveDate>,
    /// How many differences of each kind are kept; all are counted.
    pub limit: u32,
}

impl Options {
    /// Whether a period has a day that is to be verified.
    pub(super) fn overlaps(&self, period: Period) -> bool {
        self.from.is_none_or(|from| from <= period.to) && self.to.is_none_or(|to| to >= period.from)
    }
}

/// How far a verification is, in days, weeks and months.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Done.
    pub done: u64,
    /// To do in all.
    pub total: u64,
}

/// What was verified, and what was found.
#[derive(Debug, Clone)]
pub struct Verified {
    /// Days of which anything is known.
    pub days: u64,
    /// Of these, the settled ones.
    pub settled_days: u64,
    /// Videos of settled days, each once for each day.
    pub videos: u64,
    /// Rows of weeks and months.
    pub period_rows: u64,
    /// Job executions.
    pub executions: u64,
    /// Of these, COMPLETED ones whose steps were pruned: their counts cannot be compared any more.
    pub pruned: u64,
    /// The differences.
    pub findings: Findings,
}
