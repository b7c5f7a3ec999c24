//! Importing from files: plays, opening balances, rates.

pub mod csv_file;

pub mod play_file;

pub mod balance_file;

pub mod rate_file;

pub mod plays;
