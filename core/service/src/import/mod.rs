//! Imports from files: plays, opening balances and rates.

pub mod balance_file;
pub mod csv_file;
pub mod play_file;
pub mod plays;
pub mod rate_file;
