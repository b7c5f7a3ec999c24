//! The command line.

use crate::settings::Settings;
use balance_domain::{
    accounts::{InvalidInput, UserId, Username},
    period::PeriodKind,
};
use chrono::{Datelike, NaiveDate};
use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Settles plays: counts, pays and reports them, correct to the last hundredth of a won.
#[derive(Debug, Parser)]
#[command(
    name = "balance",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) settings: Settings,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make two weeks of plays, settle every day and show what came of it
    Demo {
        /// The folder of the demo's database
        #[arg(long, default_value = "data/demo")]
        dir: PathBuf,
        /// Delete the demo's database first
        #[arg(long)]
        reset: bool,
        /// Plays to make, at least
        #[arg(long, default_value_t = 300_000, value_parser = clap::value_parser!(u32).range(1_000..=10_000_000))]
        plays: u32,
        /// The same seed makes the same plays
        #[arg(long, default_value_t = 42)]
        seed: u64,
    },
    /// Import plays from CSV files, all or nothing
    ///
    /// Columns: user_id,video_id,owner_id,started_at,play_time_s,video_duration_s
    Import {
        /// The files; - is standard input
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// See to it that so many ads exist
        #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=10_000))]
        ads: u32,
    },
    /// Import lifetime counts of videos from another system, before the first day is closed
    ///
    /// Columns: video_id,view_count,ad_view_count
    ImportBalances {
        /// The file; - is standard input
        file: PathBuf,
    },
    /// Settle a day, a range of days, or every unsettled active day that is over
    Settle {
        /// The business day
        #[arg(long, conflicts_with_all = ["from", "to"], value_parser = business_date)]
        date: Option<NaiveDate>,
        /// The first business day of a range
        #[arg(long, requires = "to", value_parser = business_date)]
        from: Option<NaiveDate>,
        /// The last business day of a range
        #[arg(long, requires = "from", value_parser = business_date)]
        to: Option<NaiveDate>,
        /// Leave the partitions to the fleet's workers, and only wait
        #[arg(long)]
        no_work: bool,
    },
    /// Read what was settled
    Report {
        #[command(subcommand)]
        report: Report,
    },
    /// Prove that everything settled is right, or print the first differences; changes nothing
    Verify {
        /// The first business day to verify
        #[arg(long, value_parser = business_date)]
        from: Option<NaiveDate>,
        /// The last business day to verify
        #[arg(long, value_parser = business_date)]
        to: Option<NaiveDate>,
        /// Differences printed of each kind; all are counted
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=10_000))]
        limit: u32,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Watch and steer job executions
    Jobs {
        #[command(subcommand)]
        jobs: Jobs,
    },
    /// Read and change what views are paid
    Rates {
        #[command(subcommand)]
        rates: Rates,
    },
    /// What a fleet's stream of plays holds
    Events {
        #[command(subcommand)]
        events: Events,
    },
    /// Make accounts and change what they may do
    Admin {
        #[command(subcommand)]
        admin: Admin,
    },
    /// Bring the database's schema up to this program's
    Migrate,
    /// Print the OpenAPI document of the API
    Openapi,
    /// Run API and worker in one process
    Serve,
    /// Run the API of a fleet
    Api,
    /// Run a worker of a fleet
    Worker,
    /// Show the workers: who they are, what they hold, when they were last seen
    Workers {
        /// Exit with 1 unless a worker of this machine is alive: a health check
        #[arg(long)]
        here: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Admin {
    /// Make an account that may do everything; asks for its password
    Create {
        /// The name to log in with
        #[arg(value_parser = username)]
        username: Username,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Give an account a role; whoever is logged in has it after ten minutes at most
    Grant {
        /// The name to log in with
        #[arg(value_parser = username)]
        username: Username,
        /// The role
        #[arg(long, value_enum, default_value_t = GrantedRole::Admin)]
        role: GrantedRole,
    },
    /// Give an account another password and log it out everywhere; asks for the password
    Password {
        /// The name to log in with
        #[arg(value_parser = username)]
        username: Username,
        #[command(flatten)]
        password: PasswordArgs,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct PasswordArgs {
    /// A file with the password, without asking; - is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GrantedRole {
    /// Watches, uploads, reads own revenue
    User,
    /// Everything
    Admin,
}

fn username(text: &str) -> Result<Username, InvalidInput> {
    Username::parse(text)
}

#[derive(Debug, Subcommand)]
pub(crate) enum Events {
    /// Write everything that the stream retains once more, into a restored database
    ///
    /// What is there already stays as it is. Plays of days that are closed become late events.
    Replay {
        /// There were no ads: go on where the database has none
        #[arg(long)]
        without_ads: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Report {
    /// The five videos watched most
    Top5 {
        #[command(flatten)]
        common: ReportArgs,
        /// Only the list ordered by this
        #[arg(long)]
        by: Option<By>,
    },
    /// What videos earned
    Revenue {
        #[command(flatten)]
        common: ReportArgs,
        /// Only videos of this owner
        #[arg(long, value_parser = positive_id)]
        owner: Option<i64>,
        /// Only videos after this id: the `next` of the page before
        #[arg(long)]
        after: Option<i64>,
        /// Videos on a page
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        limit: u32,
    },
}

/// A date of four-digit years: the tables order dates by their text.
fn business_date(text: &str) -> Result<NaiveDate, String> {
    let date: NaiveDate = text
        .parse()
        .map_err(|_| "not a date such as 2026-03-31".to_owned())?;
    match date.year() {
        1970..=9998 => Ok(date),
        _ => Err("the year is not from 1970 to 9998".to_owned()),
    }
}

fn positive_id(text: &str) -> Result<i64, String> {
    match text.parse() {
        Ok(id) if id > 0 => Ok(id),
        _ => Err("an id is a number from 1 on".to_owned()),
    }
}

impl Report {
    /// The owner asked for, if any.
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
    /// day, week or month; all three without it
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

#[derive(Debug, Subcommand)]
pub(crate) enum Jobs {
    /// The newest executions
    List {
        /// How many
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        limit: u32,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// One execution with its steps and partitions
    Show {
        /// The execution's id
        id: i64,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Launch a day for the workers, and do not wait
    Launch {
        /// The business day [default: the last one that is over]
        #[arg(long, value_parser = business_date)]
        date: Option<NaiveDate>,
    },
    /// Restart a stopped or failed execution, and wait for its end
    Restart {
        /// The execution's id
        id: i64,
        /// Leave the partitions to the fleet's workers
        #[arg(long)]
        no_work: bool,
    },
    /// Run a failed partition again, even if it is quarantined, and wait for its execution's end
    Retry {
        /// The partition's step execution id
        id: i64,
        /// Leave the partitions to the fleet's workers
        #[arg(long)]
        no_work: bool,
    },
    /// Stop a running execution after the chunks at work
    Stop {
        /// The execution's id
        id: i64,
    },
    /// Give an execution up for good; its date can then be settled anew
    Abandon {
        /// The execution's id
        id: i64,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Rates {
    /// All versions
    Show,
    /// Store a version: a full set of both kinds
    ///
    /// Columns: kind,from_count,to_count,won
    Set {
        /// The file; - is standard input
        file: PathBuf,
        /// The first business day that it pays, after the last closed one
        #[arg(long, value_parser = business_date)]
        effective_from: NaiveDate,
    },
}
