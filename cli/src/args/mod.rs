//! The command line: commands, their options, and the help texts.

mod accounts;
mod command;
mod help;
mod imports;
mod jobs;
mod reports;
mod rules;
mod values;

pub(crate) use accounts::{Admin, GrantedRole, PasswordArgs};
pub(crate) use command::{
    Args, Clock, Command, Completions, DatabaseUse, Demo, Events, Rates, Restore, Settle,
};
pub(crate) use help::{completion_script, help_page, parse};
pub(crate) use imports::{ImportPlays, Imports};
pub(crate) use jobs::Jobs;
pub(crate) use reports::{By, Report, ReportArgs};
pub(crate) use rules::{NewRules, Rules};
