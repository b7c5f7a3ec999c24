//! The arguments of `balance report`.

use crate::args::values::{business_date, positive_id};
use balance_domain::{accounts::UserId, period::PeriodKind};
use balance_service::listing::DEFAULT_PAGE_SIZE;
use chrono::NaiveDate;
use clap::{Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub(crate) enum Report {
    /// List the five most watched videos
    Top5 {
        #[command(flatten)]
        common: ReportArgs,
        /// Print only the list in this order
        #[arg(long)]
        by: Option<By>,
    },
    /// List the revenue of videos
    Revenue {
        #[command(flatten)]
        common: ReportArgs,
        /// Only videos of this owner
        #[arg(long, value_parser = positive_id)]
        owner: Option<i64>,
        /// Only videos after this ID: `next` of the previous page
        #[arg(long)]
        after: Option<i64>,
        /// Videos per page
        #[arg(long, default_value_t = DEFAULT_PAGE_SIZE, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        limit: u32,
    },
}

impl Report {
    /// Returns the owner to which the report is limited.
    pub(crate) fn owner(&self) -> Option<UserId> {
        match self {
            Self::Top5 { .. } => None,
            Self::Revenue { owner, .. } => owner.map(UserId),
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct ReportArgs {
    /// A business day of the period
    #[arg(long, value_parser = business_date)]
    pub(crate) date: NaiveDate,
    /// day, week or month [default: all three]
    #[arg(long)]
    pub(crate) period: Option<PeriodKind>,
    /// Print JSON
    #[arg(long, conflicts_with = "csv")]
    pub(crate) json: bool,
    /// Print CSV
    #[arg(long)]
    pub(crate) csv: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    /// By counted views
    ViewCount,
    /// By seconds watched
    PlayTime,
}
