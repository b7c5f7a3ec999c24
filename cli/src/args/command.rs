//! The commands of the program.

use crate::{
    args::{
        accounts::Admin,
        imports::{ImportPlays, Imports},
        jobs::Jobs,
        reports::Report,
        rules::Rules,
        values::business_date,
    },
    settings::Settings,
};
use balance_store::{FileUse, events::StreamIdentity};
use chrono::NaiveDate;
use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Settles plays: counts views, calculates revenue and reports it, exact to 0.01 won
#[derive(Debug, Parser)]
#[command(
    name = "balance",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) settings: Settings,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Generate two weeks of plays, settle every day and print the results
    Demo(Demo),
    /// Import plays from CSV files, all or nothing; list and undo imports
    ///
    /// Columns: user_id,video_id,owner_id,started_at,play_time_s,video_duration_s
    ///
    /// Write ./list and ./undo for files of these names.
    #[command(subcommand_negates_reqs = true)]
    Import {
        #[command(subcommand)]
        imports: Option<Imports>,
        #[command(flatten)]
        plays: ImportPlays,
    },
    /// Import lifetime counts of videos from another system, before the first day is closed
    ///
    /// Columns: video_id,view_count,ad_view_count
    ImportBalances {
        /// The file; - is standard input
        file: PathBuf,
    },
    /// Settle one day, a range of days, or every unsettled active day that is over
    ///
    /// If an execution of a day is already running, the command joins it and waits for its end.
    /// The exit code is 0 if every requested day is COMPLETED.
    Settle(Settle),
    /// Print reports of settled days
    Report {
        #[command(subcommand)]
        report: Report,
    },
    /// Recalculate all settled data and print differences; changes nothing
    Verify {
        /// The first business day to verify
        #[arg(long, value_parser = business_date)]
        from: Option<NaiveDate>,
        /// The last business day to verify
        #[arg(long, value_parser = business_date)]
        to: Option<NaiveDate>,
        /// Differences to print of each kind; all are counted
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=10_000))]
        limit: u32,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List and control job executions
    Jobs {
        #[command(subcommand)]
        jobs: Jobs,
    },
    /// Show and set the rates per view and ad view
    Rates {
        #[command(subcommand)]
        rates: Rates,
    },
    /// Show and set the rules of plays: view window, ad interval, budgets and limits
    Rules {
        #[command(subcommand)]
        rules: Rules,
    },
    /// Manage the event stream of a fleet
    Events {
        #[command(subcommand)]
        events: Events,
    },
    /// Create accounts, change their roles and passwords
    Admin {
        #[command(subcommand)]
        admin: Admin,
    },
    /// Repair what a wrong clock has written
    Clock {
        #[command(subcommand)]
        clock: Clock,
    },
    /// Create or update the schema of the database
    Migrate,
    /// Copy the SQLite database to a new file, also while other processes use it
    Backup {
        /// The new file; an existing file is not replaced
        file: PathBuf,
    },
    /// Complete the restore of a database, before it is used again
    Restore {
        #[command(subcommand)]
        restore: Restore,
    },
    /// Print the OpenAPI document of the API
    Openapi,
    /// Run the API and a worker in one process
    Serve,
    /// Run the API of a fleet
    Api,
    /// Run a worker of a fleet
    Worker,
    /// List the registered workers and their claims
    Workers {
        /// Show this machine's workers only; exit with 1 if none of them is alive (health check)
        #[arg(long)]
        here: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print a completion script for a shell
    Completions {
        #[arg(value_enum)]
        shell: Completions,
    },
    /// Print the help of a command, or all settings with `help settings`
    Help {
        /// A command and its subcommand, or `settings`
        topic: Vec<String>,
        /// Print the settings as the table of docs/configuration.md
        #[arg(long)]
        markdown: bool,
    },
}

/// What a command does with the configured database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DatabaseUse {
    /// Nothing, and it reads no settings.
    None,
    /// It opens a database of its own, or opens the configured one in its own way.
    Own,
    /// It opens the configured database.
    Open(FileUse),
}

impl Command {
    /// Returns what the command does with the database. Only commands that a new installation begins
    /// with create a file: with the others a mistyped path would go unnoticed.
    pub(crate) const fn database_use(&self) -> DatabaseUse {
        match self {
            Self::Openapi | Self::Completions { .. } | Self::Help { .. } => DatabaseUse::None,
            Self::Demo(_) | Self::Backup { .. } => DatabaseUse::Own,
            Self::Import { imports: None, .. }
            | Self::ImportBalances { .. }
            | Self::Migrate
            | Self::Serve => DatabaseUse::Open(FileUse::Create),
            Self::Import {
                imports: Some(Imports::Undo { .. }),
                ..
            }
            | Self::Settle(_)
            | Self::Events { .. }
            | Self::Restore { .. }
            | Self::Admin { .. }
            | Self::Clock { .. }
            | Self::Api
            | Self::Worker
            | Self::Rates {
                rates: Rates::Set { .. },
            }
            | Self::Rules {
                rules: Rules::Set(_),
            }
            | Self::Jobs {
                jobs:
                    Jobs::Launch { .. }
                    | Jobs::Restart { .. }
                    | Jobs::Retry { .. }
                    | Jobs::Stop { .. }
                    | Jobs::Abandon { .. },
            } => DatabaseUse::Open(FileUse::Write),
            Self::Report { .. }
            | Self::Verify { .. }
            | Self::Workers { .. }
            | Self::Rates { rates: Rates::Show }
            | Self::Rules {
                rules: Rules::Show { .. },
            }
            | Self::Import {
                imports: Some(Imports::List { .. }),
                ..
            }
            | Self::Jobs {
                jobs: Jobs::List { .. } | Jobs::Show { .. },
            } => DatabaseUse::Open(FileUse::Read),
        }
    }

    /// Returns whether `import list` or `import undo` has options of an import.
    pub(crate) fn has_stray_options(&self) -> bool {
        match self {
            Self::Import {
                imports: Some(_),
                plays,
            } => plays.ads > 0 || plays.link_accounts || !plays.files.is_empty(),
            _ => false,
        }
    }

    /// Returns whether the command uses the rules of plays: whether it decides about plays or starts a
    /// worker, which stores events.
    pub(crate) const fn uses_play_rules(&self) -> bool {
        matches!(
            self,
            Self::Import { imports: None, .. }
                | Self::Settle(_)
                | Self::Events {
                    events: Events::Replay { .. },
                }
                | Self::Serve
                | Self::Api
                | Self::Worker
                | Self::Jobs {
                    jobs: Jobs::Restart { .. } | Jobs::Retry { .. },
                }
        )
    }

    /// Returns whether the command reads settings.
    pub(crate) const fn uses_settings(&self) -> bool {
        !matches!(self.database_use(), DatabaseUse::None)
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Demo {
    /// The folder of the demo's database
    #[arg(long, default_value = "data/demo")]
    pub(crate) dir: PathBuf,
    /// Delete the demo's database first
    #[arg(long)]
    pub(crate) reset: bool,
    /// Minimum number of plays to generate
    #[arg(long, default_value_t = 300_000, value_parser = clap::value_parser!(u32).range(1_000..=10_000_000))]
    pub(crate) plays: u32,
    /// Seed of the generator; equal seeds generate equal plays
    #[arg(long, default_value_t = 42)]
    pub(crate) seed: u64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Settle {
    /// The business day
    #[arg(long, conflicts_with_all = ["from", "to"], value_parser = business_date)]
    pub(crate) date: Option<NaiveDate>,
    /// The first business day of a range
    #[arg(long, requires = "to", value_parser = business_date)]
    pub(crate) from: Option<NaiveDate>,
    /// The last business day of a range
    #[arg(long, requires = "from", value_parser = business_date)]
    pub(crate) to: Option<NaiveDate>,
    /// Process no partitions in this process; wait for the fleet's workers
    #[arg(long)]
    pub(crate) no_work: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Events {
    /// Adopt an event stream: create one that Redis lost, or take over that of a lost database
    ///
    /// Without an identity: the events that Redis lost before they were persisted are lost. With an
    /// identity: the new database continues the stream of a lost one. The audit log records both.
    Adopt {
        /// The identity of an existing stream, 16 hexadecimal digits
        #[arg(long)]
        identity: Option<StreamIdentity>,
        /// Accept a server that holds streams of other databases
        #[arg(long, conflicts_with = "identity")]
        shared_server: bool,
        /// Create a stream of its own for a copy of another database
        #[arg(long, conflicts_with_all = ["identity", "shared_server"])]
        new: bool,
    },
    /// Persist all events that the stream retains again, into a restored database
    ///
    /// Events that are already in the database stay unchanged. Plays of closed days become late
    /// events.
    Replay {
        /// Accept a database without ads; use it only if there have never been any
        #[arg(long)]
        without_ads: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Clock {
    /// Set the clock of the intake back to the time, after the clock of the machine was corrected
    ///
    /// Opens closed days that are not over, abandons their executions, and moves plays and pauses of
    /// later days to the current day. In a fleet, also sets the event stream back. The audit log records
    /// it.
    Repair,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Restore {
    /// Raise the IDs of accounts, videos and ads above all that were assigned after the backup
    ///
    /// Reads the IDs in the event stream of a fleet. All tokens become invalid: users log in again.
    /// Stop all processes before. May be repeated; the audit log records it.
    Complete,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Rates {
    /// Print all versions of the rates
    Show,
    /// Store a version with the complete tiers of both kinds
    ///
    /// Columns: kind,from_count,to_count,won
    Set {
        /// The file; - is standard input
        file: PathBuf,
        /// The first business day of the version, later than the last closed day
        #[arg(long, value_parser = business_date)]
        effective_from: NaiveDate,
    },
}

/// The shells with a completion script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Completions {
    Bash,
    Zsh,
    Fish,
}
