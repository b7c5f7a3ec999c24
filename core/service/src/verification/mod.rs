//! A proof that a database is right, or the first differences: everything that was settled is
//! computed again from what it came from, and the job tables are held to what Spring Batch reads.
//!
//! Nothing is written and no lock is asked for, so that it can be run while days are settled. What
//! an unfinished execution has written so far is not judged. Memory is bounded by a page of videos
//! and by the partitions of an instance.

mod findings;

mod pay;

mod day;

mod events;

mod period;

mod total;

mod contexts;

mod execution;

mod instance;

mod orphans;

mod partitions;

mod report;

mod run;

pub use findings::{Difference, Findings, Kind};
pub use report::{Options, Progress, Verified};
pub use run::verify;
