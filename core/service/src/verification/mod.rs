//! The verification of a database. It computes all settled results again from their sources, and
//! checks that the job tables are what Spring Batch expects.
//!
//! A verification takes no locks and writes nothing, so it can run while days are settled. It skips
//! the results of unfinished executions. Memory is bounded by a page of videos and by the
//! partitions of a job instance.

mod day;
mod events;
mod findings;
mod jobs;
mod limits;
mod orphans;
mod pay;
mod period;
mod report;
mod run;
mod total;

pub use findings::{Difference, Findings, Kind};
pub use report::{Options, Progress, Verified};
pub use run::verify;
