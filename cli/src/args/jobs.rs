//! The arguments of `balance jobs`.

use crate::args::values::business_date;
use balance_service::listing::DEFAULT_PAGE_SIZE;
use chrono::NaiveDate;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Jobs {
    /// List the newest executions
    List {
        /// Only executions before this one: `next` of the previous page
        #[arg(long, value_name = "ID")]
        after: Option<i64>,
        /// Maximum number of executions
        #[arg(long, default_value_t = DEFAULT_PAGE_SIZE, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        limit: u32,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show an execution with its steps and partitions
    Show {
        /// The execution's ID
        id: i64,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Launch a day for the workers and return without waiting
    Launch {
        /// The business day [default: the last one that is over]
        #[arg(long, value_parser = business_date)]
        date: Option<NaiveDate>,
    },
    /// Restart a stopped or failed execution and wait for its end
    Restart {
        /// The execution's ID
        id: i64,
        /// Process no partitions in this process; wait for the fleet's workers
        #[arg(long)]
        no_work: bool,
    },
    /// Retry a failed partition, even if it is quarantined, and wait for the end of its execution
    Retry {
        /// The partition's step execution ID
        id: i64,
        /// Process no partitions in this process; wait for the fleet's workers
        #[arg(long)]
        no_work: bool,
    },
    /// Stop a running execution after its running chunks
    Stop {
        /// The execution's ID
        id: i64,
    },
    /// Abandon an execution permanently; its date can then be settled again
    Abandon {
        /// The execution's ID
        id: i64,
    },
}
