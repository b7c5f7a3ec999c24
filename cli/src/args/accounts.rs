//! The arguments of `balance admin`.

use crate::args::values::username;
use balance_domain::accounts::Username;
use clap::{Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum Admin {
    /// Create an account with the role admin; prompts for its password
    Create {
        /// The username
        #[arg(value_parser = username)]
        username: Username,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Change the role of an account; access tokens keep the old role for at most ten minutes
    Grant {
        /// The username
        #[arg(value_parser = username)]
        username: Username,
        /// The role
        #[arg(long, value_enum, default_value_t = GrantedRole::Admin)]
        role: GrantedRole,
    },
    /// Change the password of an account and end all its sessions; prompts for the password
    Password {
        /// The username
        #[arg(value_parser = username)]
        username: Username,
        #[command(flatten)]
        password: PasswordArgs,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct PasswordArgs {
    /// Read the password from the first line of a file instead; - is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GrantedRole {
    /// Watches and uploads videos, reads its own revenue
    User,
    /// Has access to all operations
    Admin,
}
