//! Reports, compared with a computation from the plays.

mod fixtures;
mod formats;
mod pages;
mod sums;
mod suppressed;
