//! The arguments of `balance import`.

use balance_service::listing::DEFAULT_PAGE_SIZE;
use clap::Subcommand;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(crate) struct ImportPlays {
    /// The files; - is standard input
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Create ads until this many exist
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub(crate) ads: u32,
    /// Accept ids of accounts: their plays and videos become those of the accounts
    #[arg(long)]
    pub(crate) link_accounts: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Imports {
    /// List the newest imports
    List {
        /// Only imports before this one: `next` of the previous page
        #[arg(long, value_name = "ID")]
        after: Option<i64>,
        /// Maximum number of imports
        #[arg(long, default_value_t = DEFAULT_PAGE_SIZE, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        limit: u32,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove the plays of an import whose days are open
    Undo {
        /// The import's ID
        id: i64,
    },
}
